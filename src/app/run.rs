//! The action under way, as its runner reports it.

use crate::action::{Plan, Status};
use crate::base::Mono;

/// One accepted plan and what has become of it.
#[derive(Debug)]
pub struct Run {
    /// What was accepted.
    pub plan: Box<Plan>,
    /// The runner's newest word; `None` until it has spoken.
    pub status: Option<Status>,
    /// When it was accepted.
    pub since: Mono,
}

impl Run {
    /// True once an outcome is on disk.
    pub fn ended(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.outcome.is_some())
    }
}
