//! The flood: lines of one length at a rate, each with the time of its writing and its number, into a pipe or into a
//! file that is rotated under its readers. Slower readers of a pipe make it late, never fewer.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// One write in so long.
const CHUNK: Duration = Duration::from_millis(10);
const CHUNKS: u64 = 100;
/// Rotated files kept beside the one that is written.
const KEPT: u64 = 4;
const LINE: &[u8] = b"t=0000000000000 n=0000000000 INFO queue::worker: job dequeued and handed to worker shard=7\n";
const TIME: core::ops::Range<usize> = 2..15;
const NUMBER: core::ops::Range<usize> = 18..28;

/// How much, and where to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    /// Lines a second.
    pub(crate) rate: u64,
    pub(crate) secs: u64,
    /// Lines of one file, before it is rotated; `None` where it is a pipe.
    pub(crate) per_file: Option<u64>,
}

/// What was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offered {
    pub(crate) lines: u64,
    /// CPU seconds of the writer alone.
    pub(crate) cpu: f64,
}

/// Milliseconds since 1970.
pub(crate) fn wall() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// CPU seconds of this clock.
pub(crate) fn seconds(clock: rustix::time::ClockId) -> f64 {
    let now = rustix::time::clock_gettime(clock);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

impl Flood {
    /// Pours on a thread.
    pub(crate) fn start(self, path: &Path) -> JoinHandle<Offered> {
        let path = path.to_owned();
        thread::spawn(move || self.pour(&path).unwrap_or_else(|error| panic!("the flood ends early: {error}")))
    }

    /// Pours to the end.
    pub(crate) fn pour(self, path: &Path) -> io::Result<Offered> {
        let before = seconds(rustix::time::ClockId::ThreadCPUTime);
        let mut file = open(path)?;
        let (begun, mut written, mut rotations, mut since) = (Instant::now(), 0, 0, 0);
        let mut text = Vec::new();
        for tick in 1..=self.secs * CHUNKS {
            let upto = self.rate * tick / CHUNKS;
            lines(&mut text, written..upto);
            file.write_all(&text)?;
            (since, written) = (since + upto - written, upto);
            if self.per_file.is_some_and(|most| since >= most) && tick < self.secs * CHUNKS {
                file = rotate(path, rotations)?;
                (rotations, since) = (rotations + 1, 0);
            }
            let due = CHUNK * u32::try_from(tick).unwrap_or(u32::MAX);
            thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        Ok(Offered { lines: written, cpu: seconds(rustix::time::ClockId::ThreadCPUTime) - before })
    }
}

fn open(path: &Path) -> io::Result<File> {
    // A pipe is opened as soon as somebody reads.
    if fs::exists(path)? { OpenOptions::new().append(true).open(path) } else { File::create_new(path) }
}

/// A higher number is older, as with logrotate; so they count down.
fn rotate(path: &Path, round: u64) -> io::Result<File> {
    let name = |round: u64| PathBuf::from(format!("{}.{}", path.display(), 9_999 - round));
    fs::rename(path, name(round))?;
    if let Some(old) = round.checked_sub(KEPT) {
        fs::remove_file(name(old))?;
    }
    File::create_new(path)
}

fn lines(text: &mut Vec<u8>, numbers: core::ops::Range<u64>) {
    let count = usize::try_from(numbers.end - numbers.start).unwrap_or(0);
    let had = text.len() / LINE.len();
    if had < count {
        text.extend(LINE.repeat(count - had));
    }
    text.truncate(count * LINE.len());
    let mut now = [0; 13];
    digits(&mut now, wall());
    for (line, number) in text.chunks_exact_mut(LINE.len()).zip(numbers) {
        line[TIME].copy_from_slice(&now);
        digits(&mut line[NUMBER], number);
    }
}

fn digits(to: &mut [u8], mut number: u64) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}
