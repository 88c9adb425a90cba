//! The thread that reads where somebody looks: he waits for no disk. Of several wishes the newest counts.

use super::page::{Lines, Page, Want};
use super::spine::Stuff;
use super::strands::Strands;
use super::whole::Reader;
use crate::base::{Fault, Wall};
use crate::sys::bell::Bell;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

const STACK: usize = 512 * 1024;
/// Lines looked at for a time before a place is taken for one without.
const TIMELESS: usize = 64;
/// Bytes counted between two wishes.
const COUNTED: u64 = 16 * 1024 * 1024;

/// What a wish has led to.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Rows.
    Page(Page),
    /// The first line at or after the time asked for; `None` when no line says its time.
    Time(Option<u64>),
    /// The line at this place is the one with this number, from 1; the last says how many there are.
    Number(u64, u64, u64),
}

#[derive(Debug, Default)]
struct Slot {
    want: Option<Want>,
    time: Option<Wall>,
    number: Option<u64>,
    answers: Vec<Answer>,
    stop: bool,
}

#[derive(Debug, Default)]
struct Shared {
    slot: Mutex<Slot>,
    wake: Condvar,
}

/// Reads while it lives.
#[derive(Debug)]
pub struct Pager {
    shared: Arc<Shared>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pager {
    /// Starts a thread that reads a log and rings `bell` when it has.
    ///
    /// # Errors
    /// A sentence when no thread can be started.
    pub fn start(strands: Arc<Strands>, bell: Arc<Bell>) -> Result<Self, Fault> {
        let shared = Arc::new(Shared::default());
        let worker = Worker { shared: Arc::clone(&shared), reader: Reader::new(strands), bell };
        let thread = thread::Builder::new().name("log-pager".to_owned()).stack_size(STACK);
        thread
            .spawn(move || worker.run())
            .map(|_| Self { shared })
            .map_err(|error| Fault::new(format!("the log cannot be read: {error}.")))
    }

    /// Wishes for rows; an older wish that has not begun is forgotten.
    pub fn want(&self, want: Want) {
        self.ask(|slot| slot.want = Some(want));
    }

    /// Looks for the first line at or after a time, by halves.
    pub fn seek(&self, time: Wall) {
        self.ask(|slot| slot.time = Some(time));
    }

    /// Counts lines up to a place.
    pub fn number(&self, place: u64) {
        self.ask(|slot| slot.number = Some(place));
    }

    /// What has been found.
    pub fn answers(&self) -> Vec<Answer> {
        core::mem::take(&mut self.shared.lock().answers)
    }

    fn ask(&self, change: impl FnOnce(&mut Slot)) {
        change(&mut self.shared.lock());
        self.shared.wake.notify_one();
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        self.ask(|slot| slot.stop = true);
    }
}

struct Worker {
    shared: Arc<Shared>,
    reader: Reader,
    bell: Arc<Bell>,
}

impl Worker {
    fn run(mut self) {
        loop {
            let idle =
                |slot: &mut Slot| !slot.stop && slot.want.is_none() && slot.time.is_none() && slot.number.is_none();
            let slot = self.shared.lock();
            let mut slot = self.shared.wake.wait_while(slot, idle).unwrap_or_else(PoisonError::into_inner);
            if slot.stop {
                return;
            }
            let (want, time) = (slot.want.take(), slot.time.take());
            let number = if want.is_none() && time.is_none() { slot.number.take() } else { None };
            drop(slot);
            let page = want.map(|want| Answer::Page(self.reader.page(&want)));
            let time = time.map(|time| Answer::Time(self.seek(time).ok().flatten()));
            let number = number.and_then(|place| self.number(place));
            self.shared.lock().answers.extend([page, time, number].into_iter().flatten());
            self.bell.ring();
        }
    }

    /// Everything, what is not settled included.
    fn span(&self) -> (u64, u64) {
        let (begin, end) = self.reader.span();
        (begin, if self.reader.is_by_time() { self.reader.limit() } else { end })
    }

    /// Halves what lies between, as long as it is worth it; then goes line by line.
    fn seek(&mut self, time: Wall) -> io::Result<Option<u64>> {
        let (mut low, mut high) = self.span();
        let mut found = None;
        while low < high {
            let middle = low + (high - low) / 2;
            let start = self.reader.line_start(middle)?.max(low);
            let Some((place, next, at)) = self.time_from(start, high)? else {
                if start >= high || start <= low {
                    break;
                }
                high = start;
                continue;
            };
            if at < time {
                low = next;
            } else {
                found = Some(place);
                high = start;
            }
        }
        if found.is_some() {
            return Ok(found);
        }
        // Every time is earlier: the end. Without any there is nowhere to go.
        let (begin, end) = self.span();
        Ok(self.time_from(begin, end)?.map(|_| end))
    }

    /// The first line from a place on that says its time: where it begins, the place after it, the time.
    fn time_from(&mut self, place: u64, end: u64) -> io::Result<Option<(u64, u64, Wall)>> {
        let mut place = place;
        for _ in 0..TIMELESS {
            let Some(row) = self.reader.row(place)?.filter(|row| row.place < end) else { return Ok(None) };
            if let Some(time) = row.line.time {
                return Ok(Some((row.place, row.next, time)));
            }
            place = row.next;
        }
        Ok(None)
    }

    /// Counts newlines in slices; a newer wish for rows comes first, and a newer place ends it.
    fn number(&mut self, place: u64) -> Option<Answer> {
        let (begin, end) = self.span();
        let (mut before, mut all, mut at) = (0, 0, begin);
        let mut buffer = vec![0; 256 * 1024];
        while at < end {
            let slot = self.shared.lock();
            if slot.stop || slot.number.is_some() {
                return None;
            }
            let want = slot.want;
            drop(slot);
            if let Some(want) = want {
                self.shared.lock().want = None;
                let page = self.reader.page(&want);
                self.shared.lock().answers.push(Answer::Page(page));
                self.bell.ring();
            }
            let to = if at < place { place } else { end }.min(at + COUNTED);
            let lines = self.count(at, to, &mut buffer);
            before += if at < place { lines } else { 0 };
            all += lines;
            at = to;
        }
        Some(Answer::Number(place, before + 1, all))
    }

    fn count(&mut self, from: u64, to: u64, buffer: &mut [u8]) -> u64 {
        let parts = self.reader.between(from, to).unwrap_or_default();
        let mut lines = 0;
        for extent in parts.into_iter().flat_map(|(_, extents)| extents) {
            let Stuff::Bytes(body, start) = &extent.stuff else { continue };
            let mut at = 0;
            while at < extent.len {
                let room = usize::try_from(extent.len - at).unwrap_or(usize::MAX).min(buffer.len());
                let part = buffer.get_mut(..room).unwrap_or_default();
                let read = body.read_at(part, start + at).unwrap_or(0);
                if read == 0 {
                    break;
                }
                let found = memchr::memchr_iter(b'\n', part.get(..read).unwrap_or_default()).count();
                lines += u64::try_from(found).unwrap_or(0);
                at += u64::try_from(read).unwrap_or(0);
            }
        }
        lines
    }
}
