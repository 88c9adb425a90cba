//! Where a counter fell: a sparse list, kept at ingest, so that nobody has to walk a window to find resets.

use crate::base::Mono;
use std::collections::VecDeque;

/// A series keeps so many; a window that reaches back beyond them is walked.
pub(super) const KEPT: usize = 16;

/// The last times that a series fell, and from which values.
#[derive(Debug, Default)]
pub(super) struct Drops {
    list: VecDeque<(Mono, f64)>,
    /// Drops later than this are all in the list.
    complete_after: Mono,
}

impl Drops {
    /// Nothing is listed, ever: for series that fall all the time.
    pub(super) fn never() -> Self {
        Self { list: VecDeque::new(), complete_after: Mono(u64::MAX) }
    }

    /// The series fell from `value` at this tick.
    pub(super) fn fell(&mut self, at: Mono, value: f64) {
        if at <= self.complete_after {
            return;
        }
        let full = self.list.len() >= KEPT;
        if let Some((oldest, _)) = self.list.pop_front_if(|_| full) {
            self.complete_after = self.complete_after.max(oldest);
        }
        self.list.push_back((at, value));
    }

    /// A value of this tick was replaced: what was listed for it may be wrong.
    pub(super) fn replaced(&mut self, at: Mono) {
        self.complete_after = self.complete_after.max(at);
    }

    /// Sum of the values from which it fell after the point at `first`, up to the one at `last`; `None` when the list
    /// does not reach back that far.
    pub(super) fn sum(&self, first: Mono, last: Mono) -> Option<f64> {
        if first < self.complete_after {
            return None;
        }
        let from = self.list.partition_point(|(at, _)| *at <= first);
        let listed = self.list.range(from..).take_while(|(at, _)| *at <= last);
        Some(listed.fold(0.0, |sum, (_, value)| sum + value))
    }
}
