//! What the follower has for the event loop: bounded per source, the oldest lines give way and are counted.

use super::tally::Tally;
use crate::base::{Fault, LogLine, Now};
use crate::sys::bell::Bell;
use core::mem;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// One source never holds more bytes of text here.
const BYTES: usize = 4 * 1024 * 1024;

/// What happened to one source since the last look.
#[derive(Clone, Debug, Default)]
pub struct LogBatch {
    /// The source's name in the profile.
    pub source: Arc<str>,
    /// New lines, oldest first, each with the time when it was read.
    pub lines: Vec<(Now, LogLine)>,
    /// Lines of the source that could not be kept for the reader.
    pub dropped: u64,
    /// What is wrong with the source now; `None` when it is well (again).
    pub failure: Option<Fault>,
}

#[derive(Debug, Default)]
struct Slot {
    source: Arc<str>,
    lines: VecDeque<(Now, LogLine)>,
    bytes: usize,
    dropped: u64,
    failure: Option<Fault>,
    news: bool,
}

/// Between the follower's thread and the loop.
#[derive(Debug)]
pub struct LogMailbox {
    slots: Mutex<Vec<Slot>>,
    bell: Arc<Bell>,
    capacity: usize,
    tally: Arc<Tally>,
}

impl LogMailbox {
    /// A mailbox that holds at most `capacity` lines of each source and rings `bell`.
    pub fn new(bell: Arc<Bell>, capacity: usize) -> Self {
        Self::counting(bell, capacity, Arc::default())
    }

    /// The same, and counts in `tally` all that passes.
    pub fn counting(bell: Arc<Bell>, capacity: usize, tally: Arc<Tally>) -> Self {
        Self { slots: Mutex::default(), bell, capacity: capacity.max(1), tally }
    }

    /// Takes out what has come, one batch for each source that has news.
    pub fn drain(&self) -> Vec<LogBatch> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let news = slots.iter_mut().filter(|slot| slot.news);
        news.map(|slot| {
            slot.news = false;
            slot.bytes = 0;
            LogBatch {
                source: Arc::clone(&slot.source),
                lines: mem::take(&mut slot.lines).into(),
                dropped: mem::take(&mut slot.dropped),
                failure: slot.failure.clone(),
            }
        })
        .collect()
    }

    /// Adds what one pass over a source gave, and how the source is now.
    pub(super) fn post(
        &self,
        source: &Arc<str>,
        lines: VecDeque<(Now, LogLine)>,
        dropped: u64,
        failure: Option<Fault>,
    ) {
        if !lines.is_empty() || dropped > 0 {
            self.tally.count(source, lines.iter().map(|(_, line)| line), dropped);
        }
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let at = slots.iter().position(|slot| slot.source == *source).unwrap_or_else(|| {
            slots.push(Slot { source: Arc::clone(source), ..Slot::default() });
            slots.len() - 1
        });
        let Some(slot) = slots.get_mut(at) else { return };
        if lines.is_empty() && dropped == 0 && slot.failure == failure {
            return;
        }
        slot.failure = failure;
        slot.news = true;
        slot.dropped += dropped;
        slot.bytes += lines.iter().map(|(_, line)| line.message.as_str().len()).sum::<usize>();
        slot.lines.extend(lines);
        let before = slot.dropped;
        while slot.lines.len() > self.capacity || slot.bytes > BYTES {
            let Some((_, line)) = slot.lines.pop_front() else { break };
            slot.bytes -= line.message.as_str().len();
            slot.dropped += u64::from(!line.marker);
        }
        let gave_way = slot.dropped - before;
        drop(slots);
        if gave_way > 0 {
            self.tally.count(source, core::iter::empty(), gave_way);
        }
        self.bell.data();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clean;

    fn lines(numbers: core::ops::Range<u32>) -> VecDeque<(Now, LogLine)> {
        let line = |n: u32| LogLine { time: None, level: None, message: Clean::text(n.to_string()), marker: false };
        numbers.map(|n| (Now::default(), line(n))).collect()
    }

    #[test]
    fn the_oldest_give_way_and_are_counted() {
        let mailbox = LogMailbox::new(Arc::default(), 10);
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        mailbox.post(&a, lines(0..8), 1, None);
        mailbox.post(&a, lines(8..16), 0, None);
        mailbox.post(&b, lines(0..2), 0, None);
        let batches = mailbox.drain();
        let shown: Vec<_> = batches.iter().map(|batch| (&*batch.source, batch.lines.len(), batch.dropped)).collect();
        assert_eq!(shown, [("a", 10, 7), ("b", 2, 0)]);
        assert!(mailbox.drain().is_empty());
    }

    #[test]
    fn a_failure_is_news_once_and_so_is_its_end() {
        let mailbox = LogMailbox::new(Arc::default(), 10);
        let source: Arc<str> = "a".into();
        let state = |failure: Option<&str>| {
            mailbox.post(&source, VecDeque::new(), 0, failure.map(Fault::new));
            mailbox.drain().into_iter().map(|batch| batch.failure.map(|fault| fault.to_string())).collect::<Vec<_>>()
        };
        assert!(state(None).is_empty());
        assert_eq!(state(Some("gone.")), [Some("gone.".to_owned())]);
        assert!(state(Some("gone.")).is_empty());
        assert_eq!(state(None), [None]);
    }
}
