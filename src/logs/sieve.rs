//! The thread that looks through a log for lines that pass a filter, the newest first, then what is written; it answers
//! pages of them. Places are kept up to a cap; what has not been looked at is told.

use super::filter::Filter;
use super::reader::{From, Page, Reader, Strands, Want};
use crate::base::Fault;
use crate::sys::bell::Bell;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes looked through at once.
const PIECE: u64 = 1024 * 1024;
/// Places kept at most, 8 bytes each; the oldest give way.
const KEPT: usize = 500_000;
const STACK: usize = 512 * 1024;

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Lines that pass.
    pub passed: u64,
    /// Of so many.
    pub lines: u64,
    /// Of the lines that came since it began, those that pass.
    pub come: u64,
    /// How much of the log has been looked through, of a hundred.
    pub percent: u64,
}

#[derive(Debug, Default)]
struct Slot {
    want: Option<Want>,
    pages: Vec<Page>,
    looked: Looked,
    grown: bool,
    stop: bool,
}

#[derive(Debug, Default)]
struct Shared {
    slot: Mutex<Slot>,
    wake: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks while it lives.
#[derive(Debug)]
pub struct Sieve {
    shared: Arc<Shared>,
}

impl Sieve {
    /// Starts looking. `bell` rings when there is news.
    ///
    /// # Errors
    /// A sentence when no thread can be started.
    pub fn start(filter: Arc<Filter>, strands: Arc<Strands>, bell: Arc<Bell>) -> Result<Self, Fault> {
        let shared = Arc::new(Shared::default());
        let worker = Worker {
            filter,
            reader: Reader::new(strands),
            shared: Arc::clone(&shared),
            bell,
            places: VecDeque::new(),
            low: 0,
            high: 0,
            looked: Looked::default(),
            unread: None,
        };
        let thread = thread::Builder::new().name("log-sieve".to_owned()).stack_size(STACK);
        thread
            .spawn(move || worker.run())
            .map(|_| Self { shared })
            .map_err(|error| Fault::new(format!("the log cannot be filtered: {error}.")))
    }

    /// Wishes for rows; an older wish is forgotten.
    pub fn want(&self, want: Want) {
        self.shared.lock().want = Some(want);
        self.shared.wake.notify_one();
    }

    /// The log has grown.
    pub fn grown(&self) {
        self.shared.lock().grown = true;
        self.shared.wake.notify_one();
    }

    /// How far it is.
    pub fn looked(&self) -> Looked {
        self.shared.lock().looked
    }

    /// What has been wished for.
    pub fn pages(&self) -> Vec<Page> {
        core::mem::take(&mut self.shared.lock().pages)
    }
}

impl Drop for Sieve {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.wake.notify_one();
    }
}

struct Worker {
    filter: Arc<Filter>,
    reader: Reader,
    shared: Arc<Shared>,
    bell: Arc<Bell>,
    places: VecDeque<u64>,
    /// What has been looked through.
    low: u64,
    high: u64,
    looked: Looked,
    /// Why no more of it could be read.
    unread: Option<Fault>,
}

impl Worker {
    fn run(mut self) {
        let (_, end) = self.span();
        (self.low, self.high) = (end, end);
        loop {
            let (begin, end) = self.span();
            while self.places.front().is_some_and(|place| *place < begin) {
                self.places.pop_front();
            }
            let moved = match (self.high < end, self.goes_back(begin) && self.unread.is_none()) {
                (true, _) => self.ahead(end),
                (false, true) => self.back(begin),
                (false, false) => Ok(false),
            };
            let moved = moved.unwrap_or_else(|error| {
                self.unread = Some(unreadable(&error));
                false
            });
            let done = !self.goes_back(begin) || self.unread.is_some();
            if !self.tell(done, begin, end, moved) {
                return;
            }
        }
    }

    fn goes_back(&self, begin: u64) -> bool {
        self.low > begin && self.places.len() < KEPT
    }

    /// Looks through what has come.
    fn ahead(&mut self, end: u64) -> io::Result<bool> {
        let stop = end.min(self.high + PIECE);
        let mut place = self.high;
        while place < stop {
            let Some(row) = self.reader.row(place)?.filter(|row| row.place < end && row.next > place) else { break };
            place = row.next;
            self.looked.lines += u64::from(!row.line.marker);
            if self.filter.passes(&row.line) {
                self.places.push_back(row.place);
                self.looked.come += 1;
            }
        }
        self.high = place.max(stop);
        while self.places.len() > KEPT {
            self.places.pop_front();
        }
        Ok(true)
    }

    /// Looks through the piece before what is known.
    fn back(&mut self, begin: u64) -> io::Result<bool> {
        let from = self.reader.line_start(self.low.saturating_sub(PIECE).max(begin))?.min(self.low);
        let (mut place, mut found) = (from, Vec::new());
        while place < self.low {
            let Some(row) = self.reader.row(place)?.filter(|row| row.place < self.low && row.next > place) else {
                break;
            };
            place = row.next;
            self.looked.lines += u64::from(!row.line.marker);
            if self.filter.passes(&row.line) {
                found.push(row.place);
            }
        }
        found.into_iter().rev().for_each(|place| self.places.push_front(place));
        self.low = from;
        Ok(true)
    }

    /// Says how far it is, answers a wish that can be answered, and waits when there is nothing to do. False at the end.
    fn tell(&mut self, done: bool, begin: u64, end: u64, moved: bool) -> bool {
        self.looked.passed = u64::try_from(self.places.len()).unwrap_or(u64::MAX);
        let all = u128::from((end - begin).max(1));
        self.looked.percent = u64::try_from(u128::from(self.high - self.low) * 100 / all).unwrap_or(100).min(100);
        let shared = Arc::clone(&self.shared);
        let mut slot = shared.lock();
        if slot.stop {
            return false;
        }
        let news = slot.looked != self.looked;
        slot.looked = self.looked;
        if let Some(want) = slot.want {
            drop(slot);
            let page = self.page(&want, done, end);
            // What lies on the far side of a place that has not been reached is not known.
            let reached = !matches!(want.from, From::At(place) if place < self.low);
            let enough = done || reached && page.rows.len() >= want.back.saturating_add(want.ahead);
            slot = shared.lock();
            if enough && slot.want == Some(want) {
                slot.want = None;
                slot.pages.push(page);
                self.bell.ring();
            }
        }
        if news {
            self.bell.data();
        }
        if !moved {
            slot.grown = false;
            let idle = |slot: &mut Slot| !slot.stop && !slot.grown && slot.want.is_none();
            let _woken = shared.wake.wait_while(slot, idle);
        }
        true
    }

    fn page(&mut self, want: &Want, done: bool, end: u64) -> Page {
        let count = self.places.len();
        let middle = match want.from {
            From::Start => 0,
            From::End => count,
            From::At(place) => self.places.partition_point(|known| *known < place),
        };
        let (low, high) = (middle.saturating_sub(want.back), middle.saturating_add(want.ahead).min(count));
        let places: Vec<u64> = self.places.range(low..high).copied().collect();
        let fault = self.unread.clone();
        let mut page = Page { id: want.id, first: low == 0 && done, fault, ..Page::default() };
        page.last = high == count && self.high >= end;
        for (at, place) in places.into_iter().enumerate() {
            match self.reader.row(place) {
                Ok(Some(row)) if row.place == place => page.rows.push(row),
                Ok(_) => continue,
                Err(error) => page.fault = Some(unreadable(&error)),
            }
            page.before = if low + at < middle { page.rows.len() } else { page.before };
        }
        if high == count && self.high >= end && self.reader.is_by_time() {
            self.unsettled(&mut page, want);
        }
        page.tell_clocks();
        page
    }

    /// Lines that pass and may still change their places: shown, but not kept.
    fn unsettled(&mut self, page: &mut Page, want: &Want) {
        let (mut place, limit) = (self.high, self.reader.limit());
        let stop = limit.min(place + PIECE);
        while place < stop {
            let Ok(Some(row)) = self.reader.row(place) else { break };
            place = row.next;
            if self.filter.passes(&row.line) {
                page.rows.push(row);
            }
        }
        if want.from == From::End {
            page.before = page.rows.len();
            let more = page.rows.len().saturating_sub(want.back);
            page.rows.drain(..more);
            (page.before, page.first) = (page.rows.len(), page.first && more == 0);
        }
        page.last = place >= limit;
    }

    fn span(&mut self) -> (u64, u64) {
        if let Err(error) = self.reader.settle() {
            self.unread = Some(unreadable(&error));
        }
        self.reader.span()
    }
}

fn unreadable(error: &io::Error) -> Fault {
    Fault::new(format!("the log cannot be read here: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock as _;
    use crate::logs::reader::{Body, Row, Spine};
    use crate::sys::clock::RealClock;
    use core::time::Duration;
    use std::io::Write as _;

    fn texts(rows: &[Row]) -> Vec<String> {
        rows.iter().map(|row| row.line.message.to_string()).collect()
    }

    fn until<T>(what: impl Fn() -> Option<T>) -> T {
        let begun = RealClock.now().mono;
        loop {
            if let Some(found) = what() {
                return found;
            }
            assert!(RealClock.now().mono.since(begun) < Duration::from_secs(20), "nothing comes");
            thread::yield_now();
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_was_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = std::fs::File::create(folder.path().join("a.log")).expect("makes");
        let mut spine = Spine::default();
        // Open for writing alone.
        spine.lay(0, &Arc::new(Body::file(file)), (0, 100), 2);
        let sieve =
            Sieve::start(Arc::default(), Strands::of(Arc::new(Mutex::new(spine))), Arc::default()).expect("starts");
        sieve.want(Want { id: 1, from: From::End, back: 3, ahead: 0 });
        let page = until(|| sieve.pages().pop());
        assert!(page.fault.is_some_and(|fault| fault.to_string().starts_with("the log cannot be read here: ")));
    }

    #[test]
    fn only_what_passes_comes_the_newest_first_and_all_is_counted() {
        let mut file = tempfile::tempfile().expect("a file");
        let text: String = (0..60_000)
            .map(|n| {
                format!("2026-11-21T03:12:47Z {} line {n} ms={n}\n", if n % 1_000 == 0 { "ERROR" } else { "INFO" })
            })
            .collect();
        file.write_all(text.as_bytes()).expect("writes");
        let mut spine = Spine::default();
        let body = Arc::new(Body::file(file.try_clone().expect("a second one")));
        spine.lay(0, &body, (0, u64::try_from(text.len()).expect("small")), 60_000);
        let spine = Arc::new(Mutex::new(spine));
        let filter = Arc::new(Filter::parse("level=error ms>10000").expect("understood"));
        let sieve = Sieve::start(filter, Strands::of(Arc::clone(&spine)), Arc::default()).expect("starts");
        sieve.want(Want { id: 1, from: From::End, back: 3, ahead: 0 });
        let page = until(|| sieve.pages().pop());
        assert!(texts(&page.rows)[2].ends_with("line 59000 ms=59000") && page.last && !page.first, "{page:?}");
        let all = until(|| Some(sieve.looked()).filter(|looked| looked.percent == 100));
        assert_eq!((all.passed, all.lines, all.come), (49, 60_000, 0));
        let more = "2026-11-21T03:12:48Z ERROR ms=70000\n2026-11-21T03:12:48Z INFO ms=70001\n";
        file.write_all(more.as_bytes()).expect("writes");
        let from = u64::try_from(text.len()).expect("small");
        spine.lock().expect("sound").lay(0, &body, (from, u64::try_from(more.len()).expect("small")), 2);
        sieve.grown();
        let all = until(|| Some(sieve.looked()).filter(|looked| looked.lines == 60_002));
        assert_eq!((all.passed, all.come), (50, 1));
        sieve.want(Want { id: 2, from: From::Start, back: 0, ahead: 99 });
        let page = until(|| sieve.pages().pop());
        assert_eq!((page.rows.len(), page.first, page.last, page.id), (50, true, true, 2));
    }
}
