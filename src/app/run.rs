//! The action under way, as its runner reports it.

use crate::action::lifecycle::Progress;
use crate::action::plan::Plan;
use crate::base::Mono;

/// One accepted plan and what has become of it.
#[derive(Debug)]
pub struct Run {
    /// What was accepted.
    pub plan: Box<Plan>,
    /// The runner's newest word; `None` until it has spoken.
    pub progress: Option<Box<Progress>>,
    /// When it was accepted.
    pub since: Mono,
}

impl Run {
    /// True once the runner has written an outcome.
    pub fn ended(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| progress.end.is_some())
    }
}
