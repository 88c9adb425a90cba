//! A pane as data: its values and the course of its headline.

use super::course::Course;
use super::metric::{self, Metric};
use crate::base::{Clean, Now};
use crate::rules::Book;
use crate::store::Store;
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
    /// The log source, for a log pane.
    pub log: Option<Arc<str>>,
    /// The headline's course.
    pub course: Course,
}

impl Pane {
    /// Every value of the pane.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.headline.iter().chain(&self.beside)
    }

    /// Reads every value anew from the store.
    pub fn refresh(&mut self, store: &Store, book: &Book, now: Now) {
        for metric in self.headline.iter_mut().chain(&mut self.beside) {
            metric.refresh(store, book, now.mono);
        }
        if let Some(headline) = &self.headline {
            self.course = Course::new(self.course.range, headline.worst_is_low());
            let points = metric::charted(headline, store, now.mono);
            let begin = self.course.begin(now.mono);
            let points = points.into_iter().flat_map(|id| store.points(id, begin, now.mono));
            for (at, value) in points {
                self.course.add(at, value.unwrap_or(f64::NAN));
            }
            self.course.advance(now.mono);
        }
    }
}
