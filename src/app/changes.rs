//! What changed before each alert that fired, for as long as it may be asked about.

use crate::rules::changes::Change;
use crate::rules::finding::AlertId;
use std::collections::BTreeMap;

/// What changed, by alert.
#[derive(Debug, Default)]
pub struct Changes {
    found: BTreeMap<AlertId, Vec<Change>>,
}

impl Changes {
    /// What changed before this alert first fired, the most telling first; empty when nothing is known.
    pub fn of(&self, alert: &AlertId) -> &[Change] {
        self.found.get(alert).map(Vec::as_slice).unwrap_or_default()
    }
}
