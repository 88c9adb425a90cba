//! Which fence an answer belongs to. The terminal answers in order and without a number, so the oldest open one is
//! meant; a doubt always leaves the newest unanswered (the prompt then waits longer), never answers it too early.

use crate::base::Mono;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More unanswered ones are not asked.
const OPEN: usize = 8;
/// An answer that has not come by now never comes.
const LOST: Duration = Duration::from_secs(30);

/// The fences that were sent and not answered yet.
#[derive(Default)]
pub(super) struct Fences {
    open: Mutex<VecDeque<(u64, Mono)>>,
}

impl Fences {
    fn lock(&self, now: Mono) -> MutexGuard<'_, VecDeque<(u64, Mono)>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, sent)| now.since(*sent) < LOST);
        open
    }

    /// Notes one that is about to be sent; false when it must not be.
    pub(super) fn sent(&self, id: u64, now: Mono) -> bool {
        let mut open = self.lock(now);
        let room = open.len() < OPEN;
        if room {
            open.push_back((id, now));
        }
        room
    }

    /// Takes back one that did not go out.
    pub(super) fn unsent(&self, id: u64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|(open, _)| *open != id);
    }

    /// An answer has come: for which.
    pub(super) fn answered(&self, now: Mono) -> Option<u64> {
        self.lock(now).pop_front().map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Mono = Mono(1_000_000_000_000);

    #[test]
    fn answers_come_in_order() {
        let fences = Fences::default();
        assert!(fences.sent(1, NOW) && fences.sent(2, NOW));
        assert_eq!([fences.answered(NOW), fences.answered(NOW), fences.answered(NOW)], [Some(1), Some(2), None]);
    }

    #[test]
    fn a_terminal_that_never_answers_is_not_asked_for_ever() {
        let fences = Fences::default();
        assert_eq!((0..100).filter(|id| fences.sent(*id, NOW)).count(), OPEN);
        assert!(fences.sent(200, NOW + LOST));
        assert_eq!(fences.answered(NOW + LOST), Some(200));
    }

    #[test]
    fn one_that_did_not_go_out_is_not_waited_for() {
        let fences = Fences::default();
        assert!(fences.sent(1, NOW) && fences.sent(2, NOW));
        fences.unsent(1);
        assert_eq!(fences.answered(NOW), Some(2));
    }
}
