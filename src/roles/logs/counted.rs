//! The counters of the logs as a sampler: real series with freshness, for rules and panes.

use crate::base::Now;
use crate::logs::Tally;
use crate::samplers::{Job, Observed, Sampler};
use crate::sys::news::News;
use core::time::Duration;
use std::sync::Arc;

/// Its name; no sampler of a profile may have it.
pub const SAMPLER: &str = "watchkeeper-logs";
/// How often, where no bad line comes.
pub const EVERY: Duration = Duration::from_secs(2);

struct Counted(Arc<Tally>);

impl Sampler for Counted {
    fn observe(&mut self, _now: Now) -> Observed<'_> {
        Box::pin(async move { Ok(self.0.observe()) })
    }

    fn news(&self) -> Option<Arc<News>> {
        Some(Arc::clone(self.0.news()))
    }
}

/// The sampler, for whoever follows the logs: elsewhere zeros would be no truth.
pub fn job(tally: &Arc<Tally>) -> Job {
    Job { name: SAMPLER.into(), sampler: Box::new(Counted(Arc::clone(tally))), every: EVERY, timeout: None }
}
