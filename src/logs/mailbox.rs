//! What the follower has for the event loop: bounded per source, the oldest lines give way and are counted.

use super::tally::Tally;
use crate::base::{Fault, LogLine, Mono, Now};
use crate::sys::bell::Bell;
use core::mem;
use core::time::Duration;
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
    /// It was looked at before.
    looked: bool,
    /// When its first line was read.
    since: Option<Mono>,
}

/// So long after the first line what was written before it may still come: a journal tells its last lines one by one.
const BACKLOG: Duration = Duration::from_secs(60);
/// What is older than this when it is read has not happened now.
const OLD: Duration = Duration::from_secs(5);

impl Slot {
    /// Those of these lines that were not there already when the first look was taken: only they count.
    fn fresh<'a>(&self, lines: &'a VecDeque<(Now, LogLine)>) -> impl Iterator<Item = &'a LogLine> {
        let since = self.since.filter(|_| self.looked);
        lines.iter().filter_map(move |(read, line)| {
            let early = read.mono.since(since?) < BACKLOG;
            let old = line.time.is_some_and(|written| read.wall.since(written) > OLD);
            (!(early && old)).then_some(line)
        })
    }
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
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let at = slots.iter().position(|slot| slot.source == *source).unwrap_or_else(|| {
            slots.push(Slot { source: Arc::clone(source), ..Slot::default() });
            slots.len() - 1
        });
        let Some(slot) = slots.get_mut(at) else { return };
        slot.since = slot.since.or(lines.front().map(|(read, _)| read.mono));
        if !lines.is_empty() || dropped > 0 {
            self.tally.count(source, slot.fresh(&lines), dropped);
        }
        slot.looked = true;
        if slot.failure != failure {
            self.tally.refuse(source, failure.as_ref().is_some_and(|fault| fault.refused));
        }
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
    use crate::base::{Clean, Wall};

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
    fn what_was_there_before_anybody_looked_is_shown_and_not_counted() {
        let tally = Arc::new(Tally::default());
        let mailbox = LogMailbox::counting(Arc::default(), 100, Arc::clone(&tally));
        let (file, journal): (Arc<str>, Arc<str>) = ("file".into(), "journal".into());
        let counted = || {
            let count = |point: &crate::base::Point| {
                (point.key.label("level").unwrap().as_str() == "none").then_some(point.value)
            };
            let seen = tally.observe();
            seen.points.iter().filter(|point| point.key.label("level").is_some()).filter_map(count).collect::<Vec<_>>()
        };
        mailbox.post(&file, lines(0..8), 0, None);
        mailbox.post(&file, lines(8..10), 0, None);
        assert_eq!(counted(), [2.0], "the last lines of a file come with the first look");
        mailbox.post(&journal, VecDeque::new(), 0, None);
        let at = |read: u32, ago: i64| {
            let wall = |seconds: i64| Wall((1_000 + i64::from(read) - seconds) * 1_000_000_000);
            let now = Now { mono: Mono::default() + Duration::from_secs(read.into()), wall: wall(0) };
            lines(0..1).into_iter().map(|(_, line)| (now, LogLine { time: Some(wall(ago)), ..line })).collect()
        };
        for (read, ago) in [(1, 300), (2, 30), (2, 0), (90, 300)] {
            mailbox.post(&journal, at(read, ago), 0, None);
        }
        assert_eq!(counted(), [2.0, 2.0], "one of now, and one that came late, long after the start");
        assert_eq!(mailbox.drain().iter().map(|batch| batch.lines.len()).sum::<usize>(), 14);
    }

    #[test]
    fn of_a_source_that_this_login_may_not_read_nothing_is_counted_whatever_the_words() {
        let source: Arc<str> = "a".into();
        let tally = Arc::new(Tally::new(crate::logs::LogPatterns::default(), [&source]));
        let mailbox = LogMailbox::counting(Arc::default(), 10, Arc::clone(&tally));
        let told = |failure: Option<Fault>| {
            mailbox.post(&source, VecDeque::new(), 0, failure);
            !tally.observe().points.is_empty()
        };
        assert!(told(None) && told(Some(Fault::new("not permitted by whom?"))));
        assert!(!told(Some(Fault::new("not permitted by whom?").refused())), "the same words");
        assert!(told(Some(Fault::new("no such file yet."))));
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
