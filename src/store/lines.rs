//! The newest lines of each log source, bounded in lines and in bytes; what left is counted exactly.

use crate::base::{LogLevel, LogLine, Mono, Now};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

/// One source keeps no more lines.
pub const LINES: usize = 50_000;
/// Nor more bytes: some 20,000 lines of usual length.
const SOURCE_BYTES: usize = 5 * 1024 * 1024;
/// All sources together keep no more bytes.
pub const BYTES: usize = 16 * 1024 * 1024;
/// What a line costs beside its text.
const LINE_COST: usize = size_of::<(Now, LogLine)>() + 16;
/// Seconds that the rates look back.
const WINDOW: usize = 60;
/// `lines_per_second` is a mean over so many seconds.
const RATE_SECONDS: u32 = 10;

/// Lines and errors within one second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u64,
    lines: u32,
    errors: u32,
}

/// The newest lines of one source. A line's index never changes while it is here.
#[derive(Debug)]
pub struct LogRing {
    lines: VecDeque<(Now, LogLine)>,
    first: u64,
    lost: u64,
    bytes: usize,
    seconds: [Second; WINDOW],
}

impl Default for LogRing {
    fn default() -> Self {
        Self { lines: VecDeque::new(), first: 0, lost: 0, bytes: 0, seconds: [Second::default(); WINDOW] }
    }
}

impl LogRing {
    /// Adds the newest line; beyond [`LINES`], and beyond its bytes, the oldest leave.
    pub fn push(&mut self, line: LogLine, seen: Now) {
        // What was there before the console and says no time is not counted: nobody knows when it came.
        if !line.marker && (line.time.is_some() || seen.mono != Mono::default()) {
            self.count(&line, seen);
        }
        self.bytes += cost(&line);
        self.lines.push_back((seen, line));
        while self.lines.len() > LINES || self.bytes > SOURCE_BYTES && self.lines.len() > 1 {
            self.pop();
        }
    }

    /// Lines held.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The index of the oldest line held; the newest is `first_index() + len() - 1`.
    pub fn first_index(&self) -> u64 {
        self.first
    }

    /// A line by its index; `None` when it has left or not yet come.
    pub fn get(&self, index: u64) -> Option<&(Now, LogLine)> {
        self.lines.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }

    /// Notes lines that never came here, because the follower had to drop them.
    pub fn lose(&mut self, lines: u64) {
        self.lost += lines;
    }

    /// Lines that were offered and are not here any more, or never were.
    pub fn dropped(&self) -> u64 {
        self.first + self.lost
    }

    /// Mean over the last ten seconds.
    pub fn lines_per_second(&self, now: Mono) -> f64 {
        f64::from(self.sum(now, u64::from(RATE_SECONDS), |second| second.lines)) / f64::from(RATE_SECONDS)
    }

    /// Lines of level ERROR in the last minute.
    pub fn errors_per_minute(&self, now: Mono) -> u32 {
        self.sum(now, 60, |second| second.errors)
    }

    fn pop(&mut self) {
        if let Some((_, line)) = self.lines.pop_front() {
            self.bytes -= cost(&line);
            self.first += 1;
        }
    }

    /// Counts a line in the second in which it was written, if it says so, else in which it was seen:
    /// lines that were there before the console must not look like a burst.
    fn count(&mut self, line: &LogLine, seen: Now) {
        let age = line.time.map_or(0, |time| seen.wall.0.saturating_sub(time.0).max(0));
        let written = seen.mono - Duration::from_nanos(u64::try_from(age).unwrap_or(0));
        let number = second(written);
        let Some(place) = slot(number).and_then(|at| self.seconds.get_mut(at)) else { return };
        if place.number > number {
            return;
        }
        if place.number < number {
            *place = Second { number, ..Second::default() };
        }
        place.lines = place.lines.saturating_add(1);
        place.errors = place.errors.saturating_add(u32::from(line.level == Some(LogLevel::Error)));
    }

    fn sum(&self, now: Mono, seconds: u64, what: impl Fn(&Second) -> u32) -> u32 {
        let now = second(now);
        let recent = self.seconds.iter().filter(|second| second.number <= now && second.number + seconds > now);
        recent.map(what).fold(0, u32::saturating_add)
    }
}

/// Seconds since boot, from 1: 0 is a slot that was never used.
fn second(at: Mono) -> u64 {
    at.0 / 1_000_000_000 + 1
}

fn slot(number: u64) -> Option<usize> {
    usize::try_from(number % u64::try_from(WINDOW).ok()?).ok()
}

fn cost(line: &LogLine) -> usize {
    LINE_COST + line.message.as_str().len()
}

/// The rings of all sources, under one byte cap: the largest source gives way.
#[derive(Debug, Default)]
pub struct LogStore {
    rings: Vec<(Arc<str>, LogRing)>,
}

impl LogStore {
    /// Announces a source, so that its ring is there before its first line.
    pub fn declare(&mut self, source: &Arc<str>) {
        self.ring_mut(source);
    }

    /// Adds a line of a source.
    pub fn push(&mut self, source: &Arc<str>, line: LogLine, seen: Now) {
        if let Some(ring) = self.ring_mut(source) {
            ring.push(line, seen);
        }
        while self.bytes() > BYTES {
            let Some((_, largest)) = self.rings.iter_mut().max_by_key(|(_, ring)| ring.bytes) else { return };
            largest.pop();
        }
    }

    /// Notes lines of a source that the follower had to drop.
    pub fn lose(&mut self, source: &Arc<str>, lines: u64) {
        if let Some(ring) = self.ring_mut(source) {
            ring.lose(lines);
        }
    }

    /// A source's ring.
    pub fn ring(&self, source: &str) -> Option<&LogRing> {
        self.rings.iter().find(|(name, _)| **name == *source).map(|(_, ring)| ring)
    }

    /// Every source with its ring, as declared.
    pub fn rings(&self) -> impl Iterator<Item = (&Arc<str>, &LogRing)> {
        self.rings.iter().map(|(name, ring)| (name, ring))
    }

    /// Bytes held in all rings.
    pub fn bytes(&self) -> usize {
        self.rings.iter().map(|(_, ring)| ring.bytes).sum()
    }

    fn ring_mut(&mut self, source: &Arc<str>) -> Option<&mut LogRing> {
        let at = self.rings.iter().position(|(name, _)| name == source).unwrap_or_else(|| {
            self.rings.push((Arc::clone(source), LogRing::default()));
            self.rings.len() - 1
        });
        self.rings.get_mut(at).map(|(_, ring)| ring)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clean, Wall};

    fn line(text: &str, level: Option<LogLevel>) -> LogLine {
        LogLine { time: None, level, message: Clean::text(text), marker: false }
    }

    fn at(seconds: u64) -> Now {
        let wall = Wall(i64::try_from(seconds).expect("small") * 1_000_000_000);
        Now { mono: Mono(seconds * 1_000_000_000), wall }
    }

    #[test]
    fn the_oldest_line_leaves_and_is_counted() {
        let mut ring = LogRing::default();
        for n in 0..LINES + 7 {
            ring.push(line(&n.to_string(), None), at(1));
        }
        assert_eq!((ring.len(), ring.first_index(), ring.dropped()), (LINES, 7, 7));
        assert_eq!(ring.get(6), None);
        assert_eq!(ring.get(7).map(|(_, line)| line.message.as_str().to_owned()), Some("7".to_owned()));
        ring.lose(3);
        assert_eq!(ring.dropped(), 10);
    }

    #[test]
    fn all_sources_share_one_byte_cap_and_the_loudest_gives_way() {
        let quiet: Arc<str> = "quiet".into();
        let loud: [Arc<str>; 4] = ["one".into(), "two".into(), "three".into(), "four".into()];
        let mut store = LogStore::default();
        store.push(&quiet, line("here", None), at(1));
        let long = "x".repeat(8 * 1024);
        for n in 0..4_000 {
            store.push(&loud[n % 4], line(&long, None), at(1));
            store.push(&loud[0], line(&long, None), at(1));
        }
        assert!(store.bytes() <= BYTES && store.bytes() > BYTES - 10_000, "{}", store.bytes());
        assert_eq!(store.ring("quiet").map(LogRing::len), Some(1));
        let rings: Vec<&LogRing> = loud.iter().filter_map(|name| store.ring(name)).collect();
        let (held, dropped) =
            (rings.iter().map(|ring| ring.len()).sum::<usize>(), rings.iter().map(|ring| ring.dropped()).sum::<u64>());
        assert_eq!(u64::try_from(held).expect("small") + dropped, 8_000);
        assert!(rings.iter().all(|ring| ring.bytes <= SOURCE_BYTES), "one alone keeps less than all may");
    }

    #[test]
    fn rates_count_when_a_line_was_written() {
        let mut ring = LogRing::default();
        let mut old = line("from before", Some(LogLevel::Error));
        old.time = Some(at(10).wall);
        ring.push(old, at(100));
        assert_eq!(ring.errors_per_minute(at(100).mono), 0);
        ring.push(line("from before, without a time", Some(LogLevel::Error)), Now { mono: Mono(0), ..at(100) });
        assert!(ring.lines_per_second(at(1).mono) < 1e-9 && ring.errors_per_minute(at(100).mono) == 0);
        for second in 91..=100 {
            ring.push(line("now", Some(LogLevel::Error)), at(second));
            ring.push(line("now", Some(LogLevel::Info)), at(second));
        }
        assert!((ring.lines_per_second(at(100).mono) - 2.0).abs() < 1e-9);
        assert_eq!(ring.errors_per_minute(at(100).mono), 10);
        assert_eq!(ring.errors_per_minute(at(155).mono), 5);
        assert_eq!(ring.errors_per_minute(at(170).mono), 0);
    }
}
