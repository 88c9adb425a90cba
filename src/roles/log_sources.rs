//! What the `log` tool reads with: the lines, the search, the filter.

use crate::logs::Follower;
use crate::logs::reader::{Gather, Pager};
use crate::logs::search::{Find, Step, Sweep};
use crate::logs::sieve::Sieve;
use std::sync::Arc;

/// What reads.
pub(super) struct Sources {
    pub(super) gather: Arc<Gather>,
    pub(super) pager: Pager,
    pub(super) sweep: Option<(Arc<Find>, Sweep)>,
    pub(super) sieve: Option<Sieve>,
    pub(super) _follower: Option<Follower>,
}

impl Sources {
    /// The hit nearest to a place, one behind it before one before it.
    pub(super) fn nearest(&self, from: u64) -> Option<(u64, Option<u64>)> {
        let (_, sweep) = self.sweep.as_ref()?;
        sweep.hits(|hits| match (hits.at_or_after(from), hits.before(from)) {
            (Step::Hit(hit), _) | (Step::None, Step::Hit(hit)) => Some((hit, hits.rank(hit))),
            (Step::None, Step::None) => None,
        })
    }

    /// The nearest hit and its number: behind the place or before it, and at the end from the other end on.
    pub(super) fn step(&self, from: u64, forward: bool) -> Option<(u64, Option<u64>)> {
        let (_, sweep) = self.sweep.as_ref()?;
        sweep.hits(|hits| {
            let behind = || (hits.at_or_after(from), hits.at_or_after(0));
            let before = || (hits.before(from), hits.before(u64::MAX));
            let hit = match if forward { behind() } else { before() } {
                (Step::Hit(hit), _) | (Step::None, Step::Hit(hit)) => hit,
                (Step::None, Step::None) => return None,
            };
            Some((hit, hits.rank(hit)))
        })
    }
}
