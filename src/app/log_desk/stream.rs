//! The rings of one or several sources as one row of lines, in the order of time, all of them or those that pass a
//! filter: what a pane reads by [`Lines`]. Nothing is copied but what is shown.

use crate::base::{Clean, LogLevel, LogLine, Wall};
use crate::logs::Filter;
use crate::logs::clocks::Clocks;
use crate::logs::merge::{Came, Merge, Merged};
use crate::logs::reader::{From, Lines, LogStatus, Page, Row, Want};
use crate::logs::search::Find;
use crate::store::{LogRing, LogStore};
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Lines of several sources that are kept in order.
const MOST: usize = 100_000;

/// Places of lines that pass, and how many ever did.
#[derive(Debug)]
struct Kept<T> {
    by: Arc<T>,
    places: VecDeque<u64>,
    passed: u64,
}

/// One row of lines.
#[derive(Debug)]
pub struct Stream {
    sources: Vec<Arc<str>>,
    /// Where lines of several sources are in their rings.
    order: Option<Merge<u64>>,
    /// Up to which index each ring has been read.
    taken: Vec<u64>,
    clocks: Clocks,
    /// By how much the clock of a source has gone back before a line of it.
    backs: BTreeMap<(usize, u64), Duration>,
    sieve: Option<Kept<Filter>>,
    hits: Option<Kept<Find>>,
}

impl<T> Kept<T> {
    fn new(by: Arc<T>) -> Self {
        Self { by, places: VecDeque::new(), passed: 0 }
    }

    fn add(&mut self, place: u64) {
        let at = self.places.partition_point(|known| *known < place);
        self.places.insert(at, place);
        self.passed += 1;
    }

    fn forget(&mut self, begin: u64) {
        while self.places.front().is_some_and(|place| *place < begin) {
            self.places.pop_front();
        }
    }
}

impl Stream {
    /// Of these sources.
    pub fn new(sources: Vec<Arc<str>>) -> Self {
        let count = sources.len();
        let order = (count > 1).then(|| Merge::new(count, MOST));
        let (clocks, backs) = (Clocks::default(), BTreeMap::new());
        Self { sources, order, taken: vec![0; count], clocks, backs, sieve: None, hits: None }
    }

    /// Which they are.
    pub fn sources(&self) -> &[Arc<str>] {
        &self.sources
    }

    /// Takes in what has come.
    pub fn take_in(&mut self, logs: &LogStore) {
        let (mut lost, mut new) = (false, Vec::new());
        for (at, name) in self.sources.iter().enumerate() {
            let (Some(ring), Some(taken)) = (logs.ring(name), self.taken.get_mut(at)) else { continue };
            let end = end(ring);
            lost |= ring.first_index() > 0;
            // What comes at once is brought into order before it is put in, each source in its own.
            let mut key = Wall(i64::MIN);
            for index in (*taken).max(ring.first_index())..end {
                let Some((seen, line)) = ring.get(index) else { continue };
                if let Some(back) = self.clocks.hear(at, line) {
                    self.backs.insert((at, index), back);
                }
                key = key.max(line.time.unwrap_or(if key.0 == i64::MIN { seen.wall } else { key }));
                new.push((key, at, index));
            }
            *taken = end;
        }
        if self.order.is_some() {
            new.sort_by_key(|(key, ..)| *key);
        }
        for (_, at, index) in new {
            self.put(at, index, logs);
        }
        if lost {
            self.forget(logs);
        }
    }

    fn put(&mut self, source: usize, index: u64, logs: &LogStore) {
        let Some((seen, line)) = self.ring(source, logs).and_then(|ring| ring.get(index)) else { return };
        let place = match &mut self.order {
            Some(order) => order.push(Came { source, time: line.time, seen: seen.wall, marker: line.marker }, index),
            None => index,
        };
        let passes = self.sieve.as_ref().is_none_or(|sieve| sieve.by.passes(line));
        if let Some(sieve) = self.sieve.as_mut().filter(|_| passes) {
            sieve.add(place);
        }
        if let Some(hits) = self.hits.as_mut().filter(|hits| passes && found(&hits.by, line)) {
            hits.add(place);
        }
    }

    /// What has left its ring is no line any more.
    fn forget(&mut self, logs: &LogStore) {
        let firsts: Vec<u64> =
            self.sources.iter().map(|name| logs.ring(name).map_or(0, LogRing::first_index)).collect();
        if let Some(order) = &mut self.order {
            order.retain(|line| firsts.get(line.source).is_some_and(|first| line.line >= *first));
        }
        self.backs.retain(|(source, index), _| firsts.get(*source).is_some_and(|first| index >= first));
        let begin = match &self.order {
            Some(order) => order.get(0).map_or(0, |line| line.place),
            None => firsts.first().copied().unwrap_or(0),
        };
        self.sieve.iter_mut().for_each(|kept| kept.forget(begin));
        self.hits.iter_mut().for_each(|kept| kept.forget(begin));
    }

    /// Only lines that pass from now on; `None`: all.
    pub fn sift(&mut self, filter: Option<Arc<Filter>>, logs: &LogStore) {
        self.sieve = None;
        if let Some(filter) = filter {
            let mut kept = Kept::new(filter);
            for at in 0..self.count(logs) {
                let place = self.place(at, logs);
                if self.line(place, logs).is_some_and(|(_, _, line)| kept.by.passes(line)) {
                    kept.add(place);
                }
            }
            self.sieve = Some(kept);
        }
        if let Some(hits) = self.hits.take() {
            self.find(Some(hits.by), logs);
        }
    }

    /// Looks for a pattern in all lines that are shown; `None`: no more.
    pub fn find(&mut self, find: Option<Arc<Find>>, logs: &LogStore) {
        self.hits = None;
        let Some(find) = find else { return };
        let mut kept = Kept::new(find);
        for at in 0..self.count(logs) {
            let place = self.place(at, logs);
            if self.line(place, logs).is_some_and(|(_, _, line)| found(&kept.by, line)) {
                kept.add(place);
            }
        }
        self.hits = Some(kept);
    }

    /// Hits of the search.
    pub fn hits(&self) -> usize {
        self.hits.as_ref().map_or(0, |hits| hits.places.len())
    }

    /// The hit at or behind a place, or before it, and its number; round the end where there is none.
    pub fn hit(&self, from: u64, forward: bool) -> Option<(u64, Option<u64>)> {
        let places = &self.hits.as_ref()?.places;
        let behind = places.partition_point(|place| *place < from);
        let at =
            if forward { behind.checked_rem(places.len())? } else { behind.checked_sub(1).unwrap_or(places.len() - 1) };
        Some((*places.get(at)?, u64::try_from(at).ok().map(|at| at + 1)))
    }

    /// The first line written at or after a time.
    pub fn since(&self, time: Wall, logs: &LogStore) -> Option<u64> {
        let count = self.count(logs);
        let later = |place: &u64| self.line(*place, logs).is_some_and(|(_, at, _)| at >= time);
        (0..count).map(|at| self.place(at, logs)).find(later).or_else(|| Some(self.place(count.checked_sub(1)?, logs)))
    }

    /// The nearest line at ERROR behind a place, or before it.
    pub fn error(&self, from: u64, forward: bool, logs: &LogStore) -> Option<u64> {
        let here = self.index(from, logs);
        let is = |place: &u64| {
            *place != from && self.line(*place, logs).is_some_and(|(_, _, line)| line.level == Some(LogLevel::Error))
        };
        let place = |at: usize| self.place(at, logs);
        if forward { (here..self.count(logs)).map(place).find(is) } else { (0..here).rev().map(place).find(is) }
    }

    /// Lines that pass, and of how many.
    pub fn sifted(&self, logs: &LogStore) -> (u64, u64) {
        let all = match &self.order {
            Some(order) => order.len(),
            None => self.ring(0, logs).map_or(0, LogRing::len),
        };
        let shown = self.sieve.as_ref().map_or(all, |sieve| sieve.places.len());
        (number(shown), number(all))
    }

    /// Lines that ever came, of those that are shown.
    pub fn come(&self, logs: &LogStore) -> u64 {
        match &self.sieve {
            Some(sieve) => sieve.passed,
            None => self.rings(logs).map(end).sum(),
        }
    }

    /// How things are.
    pub fn status(&self, logs: &LogStore) -> LogStatus {
        let count = self.count(logs);
        let first = if count > 0 { self.place(0, logs) } else { 0 };
        let last = count.checked_sub(1).map_or(0, |at| self.place(at, logs) + 1);
        LogStatus {
            sources: self.sources.iter().map(|name| Clean::text(&**name)).collect(),
            lines: self.come(logs),
            dropped: self.rings(logs).map(LogRing::dropped).sum(),
            span: (first, last),
            ..LogStatus::default()
        }
    }

    /// The number of the line at a place, from 1.
    pub fn rank(&self, place: u64, logs: &LogStore) -> u64 {
        number(self.index(place, logs)) + 1
    }

    /// Lines that are shown.
    pub fn count(&self, logs: &LogStore) -> usize {
        match (&self.sieve, &self.order) {
            (Some(sieve), _) => sieve.places.len(),
            (None, Some(order)) => order.len(),
            (None, None) => self.ring(0, logs).map_or(0, LogRing::len),
        }
    }

    fn place(&self, at: usize, logs: &LogStore) -> u64 {
        match (&self.sieve, &self.order) {
            (Some(sieve), _) => sieve.places.get(at).copied().unwrap_or(u64::MAX),
            (None, Some(order)) => order.get(at).map_or(u64::MAX, |line| line.place),
            (None, None) => self.ring(0, logs).map_or(0, LogRing::first_index) + number(at),
        }
    }

    /// How many shown lines lie before a place.
    fn index(&self, place: u64, logs: &LogStore) -> usize {
        let first = self.ring(0, logs).map_or(0, LogRing::first_index);
        let before = match (&self.sieve, &self.order) {
            (Some(sieve), _) => sieve.places.partition_point(|known| *known < place),
            (None, Some(order)) => order.before(place),
            (None, None) => usize::try_from(place.saturating_sub(first)).unwrap_or(usize::MAX),
        };
        before.min(self.count(logs))
    }

    /// A line by its place: its source, when it counts, the line.
    fn line<'a>(&self, place: u64, logs: &'a LogStore) -> Option<(u16, Wall, &'a LogLine)> {
        let (source, index, at) = self.whence(place)?;
        let (seen, line) = self.ring(source, logs)?.get(index)?;
        Some((u16::try_from(source).ok()?, at.or(line.time).unwrap_or(seen.wall), line))
    }

    /// Which source's ring, where in it, and when it counts there.
    fn whence(&self, place: u64) -> Option<(usize, u64, Option<Wall>)> {
        match &self.order {
            Some(order) => {
                let Merged { source, line, at, .. } =
                    order.get(order.before(place)).filter(|line| line.place == place)?;
                Some((*source, *line, Some(*at)))
            }
            None => Some((0, place, None)),
        }
    }

    fn row(&self, place: u64, logs: &LogStore) -> Option<Row> {
        let (source, at, line) = self.line(place, logs)?;
        let about = line.time.is_none().then_some(at);
        let back = self.whence(place).and_then(|(source, index, _)| self.backs.get(&(source, index)).copied());
        Some(Row { place, next: place + 1, source, open: false, line: line.clone(), about, back })
    }

    fn ring<'a>(&self, source: usize, logs: &'a LogStore) -> Option<&'a LogRing> {
        logs.ring(self.sources.get(source)?)
    }

    fn rings<'a>(&'a self, logs: &'a LogStore) -> impl Iterator<Item = &'a LogRing> {
        self.sources.iter().filter_map(|name| logs.ring(name))
    }
}

/// A stream with the rings that it is about.
#[derive(Debug)]
pub(super) struct Rings<'a>(pub(super) &'a Stream, pub(super) &'a LogStore);

impl Lines for Rings<'_> {
    fn page(&mut self, want: &Want) -> Page {
        let Self(stream, logs) = self;
        let count = stream.count(logs);
        let middle = match want.from {
            From::Start => 0,
            From::End => count,
            From::At(place) => stream.index(place, logs),
        };
        let (low, high) = (middle.saturating_sub(want.back), middle.saturating_add(want.ahead).min(count));
        let rows = |from: usize, to: usize| (from..to).filter_map(|at| stream.row(stream.place(at, logs), logs));
        let mut page = Page { id: want.id, first: low == 0, last: high == count, ..Page::default() };
        page.rows = rows(low, middle).collect();
        page.before = page.rows.len();
        page.rows.extend(rows(middle, high));
        page
    }
}

fn found(find: &Find, line: &LogLine) -> bool {
    !find.marks(line.message.as_str()).is_empty()
}

fn end(ring: &LogRing) -> u64 {
    ring.first_index() + number(ring.len())
}

fn number(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Mono, Now};

    fn push(logs: &mut LogStore, source: &str, seconds: i64, text: &str) {
        let wall = Wall(seconds * 1_000_000_000);
        let level = LogLevel::parse(text.split(' ').next().unwrap_or_default());
        let line = LogLine { time: Some(wall), level, message: Clean::text(text), marker: false };
        logs.push(&source.into(), line, Now { mono: Mono(0), wall });
    }

    fn texts(stream: &Stream, logs: &LogStore, from: From, back: usize, ahead: usize) -> Vec<String> {
        let page = Rings(stream, logs).page(&Want { id: 0, from, back, ahead });
        page.rows.iter().map(|row| row.line.message.to_string()).collect()
    }

    #[test]
    fn two_rings_are_one_row_by_time_and_a_place_stays_the_lines_own() {
        let mut logs = LogStore::default();
        let mut stream = Stream::new(vec!["a".into(), "b".into()]);
        for (source, at, text) in [("a", 1, "one"), ("a", 3, "three"), ("b", 2, "two"), ("b", 4, "ERROR four")] {
            push(&mut logs, source, at, text);
        }
        stream.take_in(&logs);
        assert_eq!(texts(&stream, &logs, From::End, 9, 0), ["one", "two", "three", "ERROR four"]);
        let place = stream.since(Wall(3_000_000_000), &logs).expect("a line");
        push(&mut logs, "a", 4, "ERROR five");
        stream.take_in(&logs);
        assert_eq!(texts(&stream, &logs, From::At(place), 1, 2), ["two", "three", "ERROR four"]);
        stream.sift(Some(Arc::new(Filter::parse("level=error").expect("understood"))), &logs);
        assert_eq!(
            (texts(&stream, &logs, From::Start, 0, 9), stream.sifted(&logs)),
            (vec!["ERROR four".into(), "ERROR five".into()], (2, 5))
        );
        push(&mut logs, "b", 5, "INFO six");
        push(&mut logs, "b", 6, "ERROR seven");
        stream.take_in(&logs);
        assert_eq!((stream.sifted(&logs), stream.come(&logs)), ((3, 7), 3));
        let seven = stream.error(0, false, &logs).or_else(|| stream.error(place, true, &logs)).expect("an error");
        assert_eq!(texts(&stream, &logs, From::At(seven), 0, 1), ["ERROR four"]);
        assert_eq!(stream.error(u64::MAX, true, &logs), None);
        stream.find(Some(Arc::new(Find::new("sev.n").expect("a pattern"))), &logs);
        assert_eq!((stream.hits(), stream.hit(0, true).map(|hit| hit.1)), (1, Some(Some(1))));
    }

    #[test]
    fn a_clock_that_goes_back_is_told_of_its_own_source_and_before_anything_is_sorted() {
        let mut logs = LogStore::default();
        let mut stream = Stream::new(vec!["a".into(), "b".into()]);
        for (source, at, text) in [
            ("a", 9_000, "one"),
            ("b", 9_001, "other"),
            ("a", 1_800, "two"),
            ("a", 1_801, "three"),
            ("b", 9_000, "small"),
        ] {
            push(&mut logs, source, at, text);
        }
        stream.take_in(&logs);
        let page = Rings(&stream, &logs).page(&Want { id: 0, from: From::End, back: 9, ahead: 0 });
        let told: Vec<_> =
            page.rows.iter().filter_map(|row| Some((row.line.message.to_string(), row.back?.as_secs()))).collect();
        assert_eq!(told, [("two".to_owned(), 7_200)]);
    }

    #[test]
    fn what_has_left_its_ring_is_no_line_and_no_hit() {
        let mut logs = LogStore::default();
        let mut stream = Stream::new(vec!["a".into(), "b".into()]);
        stream.sift(Some(Arc::new(Filter::parse("-x").expect("understood"))), &logs);
        push(&mut logs, "a", 1, "gone soon");
        stream.take_in(&logs);
        assert_eq!(stream.count(&logs), 1);
        for at in 0..crate::store::lines::LINES {
            push(&mut logs, "a", 2, &at.to_string());
        }
        stream.take_in(&logs);
        assert_eq!(texts(&stream, &logs, From::Start, 0, 1), ["0"]);
        assert_eq!(stream.sifted(&logs).0, 50_000);
    }
}
