//! A pane as data: its values and the course of its headline.

use super::asked::Sight;
use super::course::Course;
use super::metric::Metric;
use crate::base::Clean;
use crate::rules::expr::Evaluator;
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

    /// Reads every value anew.
    pub(super) fn refresh(&mut self, sight: &Sight<'_>, evaluator: &mut Evaluator) {
        if let Some(headline) = &mut self.headline {
            headline.refresh(sight, evaluator, Some(&mut self.course));
        }
        for metric in &mut self.beside {
            metric.refresh(sight, evaluator, None);
        }
    }
}
