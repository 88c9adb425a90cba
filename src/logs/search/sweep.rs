//! The thread that searches: pieces of the log by turns before and behind the reader's place, the nearest first and
//! small, then larger ones; then what is written. It has the lowest claim on a processor, and ends at once.

use super::find::Find;
use super::hits::Hits;
use super::stream::Stream;
use crate::base::Fault;
use crate::logs::reader::{Extent, Reader, Strands};
use crate::sys::bell::Bell;
use core::sync::atomic::{AtomicBool, Ordering};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkMatch};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The first piece, and the largest.
const FIRST: u64 = 1024 * 1024;
const LARGEST: u64 = 16 * 1024 * 1024;
/// A line that needs more memory than this ends its piece.
const HEAP: usize = 16 * 1024 * 1024;
const STACK: usize = 512 * 1024;
/// Added to our niceness.
const NICE: i32 = 10;

/// How far a search is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Lines found so far.
    pub count: u64,
    /// Everything that is there has been searched.
    pub done: bool,
    /// Of a hundred.
    pub percent: u64,
    /// More than can be visited.
    pub capped: bool,
    /// What kept a piece from being searched, as a sentence.
    pub fault: Option<Fault>,
}

#[derive(Debug, Default)]
struct State {
    hits: Hits,
    /// What has been searched.
    low: u64,
    high: u64,
    /// Where the search had to end when it began.
    begin: u64,
    end: u64,
    fault: Option<Fault>,
    started: bool,
    /// The log has grown.
    grown: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    stop: AtomicBool,
}

/// A search that runs while it lives.
#[derive(Debug)]
pub struct Sweep {
    shared: Arc<Shared>,
    strands: Arc<Strands>,
}

impl Sweep {
    /// Starts searching round a place. `bell` rings when there is news.
    ///
    /// # Errors
    /// A sentence when no thread can be started.
    pub fn start(find: Arc<Find>, strands: Arc<Strands>, from: u64, bell: Arc<Bell>) -> Result<Self, Fault> {
        let shared = Arc::new(Shared::default());
        let worker = Worker {
            find,
            reader: Reader::new(Arc::clone(&strands)),
            shared: Arc::clone(&shared),
            bell,
            searcher: SearcherBuilder::new()
                .line_number(false)
                .bom_sniffing(false)
                .binary_detection(BinaryDetection::none())
                .heap_limit(Some(HEAP))
                .build(),
        };
        let thread = thread::Builder::new().name("log-search".to_owned()).stack_size(STACK);
        thread
            .spawn(move || worker.run(from))
            .map_err(|error| Fault::new(format!("the log cannot be searched: {error}.")))?;
        Ok(Self { shared, strands })
    }

    /// The log has grown: what is new will be searched.
    pub fn grown(&self) {
        self.shared.lock().grown = true;
        self.shared.wake.notify_one();
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let (begin, end, _) = self.strands.span();
        let state = self.shared.lock();
        let all = end.saturating_sub(begin).max(1);
        let searched = state.high.min(end).saturating_sub(state.low.max(begin));
        Progress {
            count: state.hits.count(),
            done: state.started && state.low <= begin.max(state.begin) && state.high >= state.end.min(end),
            percent: u64::try_from(u128::from(searched) * 100 / u128::from(all)).unwrap_or(100),
            capped: state.hits.is_capped(),
            fault: state.fault.clone(),
        }
    }

    /// Looks at the hits so far.
    pub fn hits<T>(&self, read: impl FnOnce(&Hits) -> T) -> T {
        read(&self.shared.lock().hits)
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

struct Worker {
    find: Arc<Find>,
    reader: Reader,
    shared: Arc<Shared>,
    bell: Arc<Bell>,
    searcher: Searcher,
}

impl Worker {
    fn run(mut self, from: u64) {
        // Linux lowers the calling thread alone; where it refuses, we are merely less kind.
        let _refused = rustix::process::nice(NICE);
        let middle = self.border(from);
        let (begin, end) = self.limits();
        {
            let mut state = self.shared.lock();
            (state.low, state.high, state.begin, state.end) = (middle, middle, begin, end);
            state.started = true;
        }
        let (mut low, mut high, mut size) = (middle, middle, FIRST);
        while !self.shared.stopped() && (low > begin || high < end) {
            if high < end {
                let to = self.after(high, high.saturating_add(size)).min(end);
                self.search(high, to);
                high = to;
            }
            if low > begin {
                let to = self.border(low.saturating_sub(size)).clamp(begin, low - 1);
                self.search(to, low);
                low = to;
            }
            size = (size * 2).min(LARGEST);
        }
        self.bell.data();
        while self.wait() {
            let (begin, end) = self.limits();
            let from = high.max(begin);
            if end > from {
                self.search(from, end);
                high = end;
            }
            self.shared.lock().hits.forget(begin);
        }
    }

    /// Sleeps until the log has grown; false when it is over.
    fn wait(&self) -> bool {
        let state = self.shared.lock();
        let waiting = |state: &mut State| !state.grown && !self.shared.stopped();
        let mut state = self.shared.wake.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner);
        state.grown = false;
        drop(state);
        !self.shared.stopped()
    }

    fn limits(&mut self) -> (u64, u64) {
        // Where it cannot be read, nothing is settled, and searching says why.
        let _told = self.reader.settle();
        self.reader.span()
    }

    fn border(&mut self, place: u64) -> u64 {
        let (begin, end) = self.limits();
        if place <= begin || place >= end {
            return place.clamp(begin, end);
        }
        self.reader.line_start(place).unwrap_or(place)
    }

    /// A border near a place and behind `low`, where a line begins.
    fn after(&mut self, low: u64, place: u64) -> u64 {
        let border = self.border(place);
        let mut next = || self.reader.row(low).ok().flatten().map_or(place, |row| row.next);
        if border > low { border } else { next().max(low + 1) }
    }

    fn search(&mut self, from: u64, to: u64) {
        let (mut places, mut count, mut failed) = (Vec::new(), 0, None);
        let parts = self.reader.between(from, to).unwrap_or_else(|error| {
            failed = Some(error);
            Vec::new()
        });
        let several = parts.len() > 1;
        for (strand, extents) in parts {
            let Found { places: own, count: found, failed: fault, .. } = self.search_in(&extents);
            count += found;
            failed = failed.or(fault);
            match self.reader.places(strand, own) {
                Ok(known) => places.extend(known),
                Err(error) => failed = Some(error),
            }
        }
        if several {
            places.sort_unstable();
        }
        if self.shared.stopped() {
            return;
        }
        let fault = failed.map(|error| Fault::new(format!("a part of the log cannot be searched: {error}.")));
        let mut state = self.shared.lock();
        state.hits.add((from, to), places, count);
        (state.low, state.high) = (state.low.min(from), state.high.max(to));
        state.end = state.end.max(to);
        state.fault = state.fault.take().or(fault);
        drop(state);
        self.bell.data();
    }

    /// Looks through stretches of one strand.
    fn search_in(&mut self, extents: &[Extent]) -> Found<'_> {
        let mut found = Found { places: Vec::new(), count: 0, base: 0, failed: None, stop: &self.shared.stop };
        for unbroken in extents.chunk_by(|one, next| one.end() == next.at) {
            found.base = unbroken.first().map_or(0, |first| first.at);
            let stream = Stream::new(unbroken, &self.shared.stop);
            if let Err(error) = self.searcher.search_reader(&self.find.matcher, stream, &mut found) {
                found.failed = Some(error);
            }
        }
        found
    }
}

/// Takes what the engine finds in one piece.
struct Found<'a> {
    places: Vec<u64>,
    count: u64,
    base: u64,
    failed: Option<io::Error>,
    stop: &'a AtomicBool,
}

impl Sink for &mut Found<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        self.count += 1;
        if self.places.len() <= super::hits::KEPT {
            self.places.push(self.base + found.absolute_byte_offset());
        }
        Ok(!self.stop.load(Ordering::Relaxed))
    }
}
