//! What is known of the logs on screen: their panes, the patterns of the profile, the clocks that times show on.

use super::stream::Stream;
use crate::app::log_pane::LogPane;
use crate::app::pane::Pane;
use crate::base::Fault;
use crate::base::time::Zone;
use crate::logs::LogPatterns;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One log pane.
#[derive(Debug)]
pub struct Reading {
    /// Its lines.
    pub stream: Stream,
    /// Where the reader stands in them.
    pub pane: LogPane,
    /// What keeps each source from being read, as a sentence.
    pub failures: Vec<Option<Fault>>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct LogDesk {
    /// In the order of the board.
    pub readings: Vec<Reading>,
    /// What keeps each source from being read, whether or not a pane shows it.
    pub failing: BTreeMap<Arc<str>, Fault>,
    /// What of a line deserves a colour and leads to an entry.
    pub patterns: Arc<LogPatterns>,
    /// The clock that times are shown on.
    pub zone: Zone,
    /// This host's own clock.
    pub local: Zone,
}

impl Reading {
    fn new(sources: Vec<Arc<str>>) -> Self {
        let failures = vec![None; sources.len()];
        Self { stream: Stream::new(sources), pane: LogPane::new(), failures }
    }

    /// Whether it shows these sources.
    pub fn is_of(&self, sources: &[Arc<str>]) -> bool {
        self.stream.sources() == sources
    }

    /// A source cannot be read, or can be again.
    pub(super) fn fails(&mut self, source: &str, failure: Option<&Fault>) {
        for (name, known) in self.stream.sources().iter().zip(&mut self.failures) {
            if **name == *source {
                *known = failure.cloned();
            }
        }
    }

    /// What is wrong, one sentence for each source.
    pub fn faults(&self) -> impl Iterator<Item = (&Arc<str>, &Fault)> {
        self.stream.sources().iter().zip(&self.failures).filter_map(|(name, fault)| Some((name, fault.as_ref()?)))
    }
}

impl LogDesk {
    /// A desk for the log panes among these.
    pub fn new(panes: &[Pane], patterns: Arc<LogPatterns>, local: Zone) -> Self {
        let mut desk = Self { patterns, local, ..Self::default() };
        for pane in panes.iter().filter(|pane| !pane.logs.is_empty()) {
            if desk.of(&pane.logs).is_none() {
                desk.readings.push(Reading::new(pane.logs.clone()));
            }
        }
        desk
    }

    /// The one on these sources.
    pub fn of(&self, sources: &[Arc<str>]) -> Option<&Reading> {
        self.readings.iter().find(|reading| reading.is_of(sources))
    }

    /// The same, to change it.
    pub fn of_mut(&mut self, sources: &[Arc<str>]) -> Option<&mut Reading> {
        self.readings.iter_mut().find(|reading| reading.is_of(sources))
    }

    /// From UTC to this host's clock, and back.
    pub fn turn_zone(&mut self) {
        self.zone = if self.zone == self.local { Zone::UTC } else { self.local };
        for reading in &mut self.readings {
            reading.pane.zone = self.zone;
        }
    }
}
