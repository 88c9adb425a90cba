//! Where samples wait for the event loop: one slot per sampler, so it is bounded by their number.
//! The newest wins; what it replaced is counted.

use crate::base::Sample;
use crate::sys::bell::Bell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Samples that nobody has looked at yet.
#[derive(Debug)]
pub struct Mailbox {
    bell: Arc<Bell>,
    slots: Mutex<Slots>,
}

#[derive(Debug, Default)]
struct Slots {
    waiting: Vec<Sample>,
    replaced: u64,
}

impl Mailbox {
    /// An empty mailbox that rings `bell` softly for each sample.
    pub fn new(bell: Arc<Bell>) -> Self {
        Self { bell, slots: Mutex::default() }
    }

    /// Leaves a sample; a waiting one of the same sampler is replaced and counted. Never blocks for long.
    pub fn post(&self, sample: Sample) {
        {
            let mut slots = self.slots();
            match slots.waiting.iter_mut().find(|waiting| waiting.sampler == sample.sampler) {
                Some(waiting) => {
                    *waiting = sample;
                    slots.replaced = slots.replaced.saturating_add(1);
                }
                None => slots.waiting.push(sample),
            }
        }
        self.bell.data();
    }

    /// Takes everything, in the order in which the samplers first had something to say.
    pub fn drain(&self) -> Vec<Sample> {
        core::mem::take(&mut self.slots().waiting)
    }

    /// Samples that were replaced before anyone looked, since the start.
    pub fn replaced(&self) -> u64 {
        self.slots().replaced
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Failure, Mono, Now};
    use core::time::Duration;

    fn sample(sampler: &str, at: u64) -> Sample {
        Sample {
            sampler: sampler.into(),
            seen: Now { mono: Mono(at), ..Now::default() },
            took: Duration::ZERO,
            interval: Duration::from_secs(1),
            next_in: Duration::from_secs(1),
            outcome: Err(Failure::unreachable("no")),
        }
    }

    #[test]
    fn the_newest_wins_and_the_loss_is_counted() {
        let mailbox = Mailbox::new(Arc::default());
        for (sampler, at) in [("a", 1), ("b", 2), ("a", 3), ("a", 4)] {
            mailbox.post(sample(sampler, at));
        }
        let seen: Vec<(String, u64)> =
            mailbox.drain().into_iter().map(|sample| (sample.sampler.to_string(), sample.seen.mono.0)).collect();
        assert_eq!(seen, [("a".to_owned(), 4), ("b".to_owned(), 2)]);
        assert_eq!(mailbox.replaced(), 2);
        assert!(mailbox.drain().is_empty());
    }

    #[test]
    fn a_sample_wakes_the_loop() {
        let bell = Arc::new(Bell::default());
        let mailbox = Mailbox::new(Arc::clone(&bell));
        mailbox.post(sample("a", 1));
        // Returns at once since data waits; a lost wake-up would hang here until the harness ends it.
        bell.wait(Duration::from_secs(600), false);
    }
}
