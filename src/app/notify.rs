//! What people are told of outside the screen: the bell for a new critical alert, the webhook for every alert that
//! begins, worsens or ends.

use crate::base::{Clean, Now, Severity, Wall};

/// One alert, as the webhook tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertNote {
    /// It fires; else it is over.
    pub firing: bool,
    /// Its labels, `alertname` first.
    pub labels: Vec<(Clean, Clean)>,
    /// Its annotations.
    pub annotations: Vec<(Clean, Clean)>,
    /// How serious it is for people.
    pub severity: Severity,
    /// First firing.
    pub starts: Wall,
    /// When it was over.
    pub ends: Option<Wall>,
    /// The last value, in base units; NaN when there is none.
    pub value: f64,
}

/// How the webhook does, for the screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifierStatus {
    /// Host, port and path; `None` when the profile has no webhook.
    pub place: Option<Clean>,
    /// The last request that was answered or failed: when, and its HTTP status or what went wrong.
    pub last: Option<(Now, Result<u16, Clean>)>,
    /// Alerts that wait to be told.
    pub waiting: usize,
    /// Alerts that were never told: too many waited, or the webhook failed for too long.
    pub dropped: u64,
}
