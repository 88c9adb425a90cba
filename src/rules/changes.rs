//! What changed before an alert: the largest robust deviations of series from their baseline, files that were
//! written, restarts and deploys, as one list of sentences with the most telling first.

use crate::base::{Clean, Now};

/// What kind of change it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// A configuration file was written.
    Config,
    /// A deploy marker.
    Deploy,
    /// Something was restarted, came up or went away.
    Restart,
    /// A series left its baseline.
    Series,
}

/// One sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When it happened, or began.
    pub at: Now,
    /// The whole sentence, with its time relative to the alert.
    pub text: Clean,
    /// How telling it is, 0–1; the list is sorted by it.
    pub weight: f64,
    /// What it is.
    pub kind: ChangeKind,
}
