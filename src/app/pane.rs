//! A pane as data: its values and the course of its headline.

use super::asked::{Asked, Sight};
use super::course::{Course, Range};
use super::metric::Metric;
use super::table::Table;
use crate::base::{Clean, Reading, Unknown, Wall};
use crate::rules::expr::Evaluator;
use core::time::Duration;
use std::sync::Arc;

/// A rectangle of the triage screen.
#[derive(Clone, Debug)]
pub struct Pane {
    /// The kind's name in the profile and in the registry of `ui::panes`.
    pub kind: &'static str,
    /// Heading.
    pub title: Clean,
    /// The value beside the heading, and the chart's series.
    pub headline: Option<Metric>,
    /// Further values below or beside the chart.
    pub beside: Vec<Metric>,
    /// The action to offer when one of the values alerts.
    pub action: Option<Arc<str>>,
    /// The log sources, for a log pane.
    pub logs: Vec<Arc<str>>,
    /// The headline's course.
    pub course: Course,
    /// Rows of several series, for a table pane.
    pub table: Option<Table>,
    /// The sampler whose facts are listed, for a facts pane.
    pub facts: Option<Arc<str>>,
    /// It has no place on the screen until it has something to show.
    pub optional: bool,
    /// What it says for a value while its source answers and never had it.
    pub absent: Option<Clean>,
    /// Something was there to show once.
    pub stood: bool,
    /// The view that is shown leaves it out.
    pub hidden: bool,
}

impl Pane {
    /// An empty pane of this kind.
    pub fn new(kind: &'static str, title: &Clean) -> Self {
        Self {
            kind,
            title: title.clone(),
            headline: None,
            beside: Vec::new(),
            action: None,
            logs: Vec::new(),
            course: Course::default(),
            table: None,
            facts: None,
            optional: false,
            absent: None,
            stood: false,
            hidden: false,
        }
    }

    /// Whether it has a place on the screen.
    pub fn stands(&self) -> bool {
        self.stood || !self.optional
    }

    /// Whether it has one in the view that is shown.
    pub fn shows(&self) -> bool {
        self.stands() && !self.hidden
    }

    /// What it says for a value: its source answers, and has never had what it shows.
    pub fn absent(&self) -> Option<&Clean> {
        let lacks = |why: &Unknown| matches!(why, Unknown::NoSuchSeries | Unknown::Empty);
        let headline = self.headline.as_ref().is_none_or(|metric| match &metric.shown.reading {
            Reading::Unknown(why) => lacks(why),
            _ => false,
        });
        let table = self.table.as_ref().is_none_or(|table| match &table.believed {
            Err(why) => lacks(why),
            Ok(_) => table.rows.is_empty(),
        });
        self.absent.as_ref().filter(|_| !self.stood && headline && table)
    }

    /// Every value of the pane.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.headline.iter().chain(&self.beside)
    }

    /// From now on its chart reaches so far back; what it shows is asked for at the next refresh.
    pub(super) fn reach(&mut self, range: Range) {
        self.course = Course::new(range, self.course.shows_lowest());
        if let Some(headline) = &mut self.headline {
            headline.asked = Asked::default();
        }
    }

    /// Reads every value anew.
    pub(super) fn refresh(&mut self, sight: &Sight<'_>, evaluator: &mut Evaluator) {
        if let Some(headline) = &mut self.headline {
            headline.refresh(sight, evaluator, Some(&mut self.course));
            recall(headline, sight, &mut self.course);
        }
        for metric in &mut self.beside {
            metric.refresh(sight, evaluator, None);
        }
        if let Some(table) = &mut self.table {
            table.refresh(sight, evaluator);
        }
        // Once it stood it stays: what is gone is told in its place.
        self.stood |= self.metrics().any(|metric| matches!(metric.shown.reading, Reading::Value { .. }))
            || self.table.as_ref().is_some_and(|table| !table.rows.is_empty())
            || self
                .facts
                .as_ref()
                .is_some_and(|name| sight.store.sampler(name).is_some_and(|health| !health.facts.is_empty()));
    }
}

/// Puts what is kept by the minute before what the store still holds, where the range reaches so far.
fn recall(metric: &Metric, sight: &Sight<'_>, course: &mut Course) {
    if course.range < Range::Hour {
        return;
    }
    let now = sight.now.wall.0;
    let begin = now.saturating_sub(i64::try_from(course.reaches().as_nanos()).unwrap_or(i64::MAX));
    let low = course.shows_lowest();
    let minutes = sight.history.points(metric.expr.text().as_str(), Wall(begin), Wall(now)).iter().map(|minute| {
        let back = Duration::from_nanos(now.saturating_sub(minute.start().0).unsigned_abs());
        (back, if low { minute.min } else { minute.max })
    });
    course.precede(sight.now.mono, minutes);
}
