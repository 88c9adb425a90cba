//! The counters of the logs as a sampler: real series with freshness, for rules and panes.

use crate::base::Now;
use crate::logs::Tally;
pub use crate::logs::tally::{EVERY, SAMPLER};
use crate::samplers::{Job, Observed, Sampler};
use std::sync::Arc;

struct Counted(Arc<Tally>);

impl Sampler for Counted {
    fn observe(&mut self, _now: Now) -> Observed<'_> {
        Box::pin(async move { Ok(self.0.observe()) })
    }
}

/// The sampler, for whoever follows the logs: elsewhere zeros would be no truth.
pub fn job(tally: &Arc<Tally>) -> Job {
    Job { name: SAMPLER.into(), sampler: Box::new(Counted(Arc::clone(tally))), every: EVERY, timeout: None }
}
