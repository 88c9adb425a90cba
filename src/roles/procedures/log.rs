//! `run.jsonl`: what the run is of, then a line for every step. Whole lines are synced before they count; a file that
//! failed once is never written again, but replaced as a whole.

use crate::base::{Clean, Fault, Mono, Ulid, scrub::scrub};
use crate::journal::ascii;
use crate::procedure::Step;
use crate::sys::files;
use crate::sys::secret::hide;
use rustix::fs::{CWD, FallocateFlags, Mode, OFlags, fallocate, fdatasync, openat};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Room kept behind the last line, so that a run goes on while the disk is full.
const RESERVE: u64 = 64 * 1024;
/// A run is not longer, in bytes.
const LONGEST: u64 = 32 * 1024 * 1024;

/// The first line: what a run is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Of this form.
    pub v: u8,
    /// The run.
    pub run: Ulid,
    /// The procedure's id.
    pub procedure: Clean,
    /// Its title.
    pub title: Clean,
    /// Its file, as the user would type it.
    pub file: Clean,
    /// The digest of its text.
    pub sha256: String,
}

/// Any other line.
#[derive(Serialize, Deserialize)]
struct Line {
    boot: Clean,
    step: Step,
}

/// The file, and all that belongs into it.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// `None` until it is made, and after it failed.
    file: Option<File>,
    text: String,
    /// So much of the text is on disk.
    kept: usize,
}

/// What a file holds.
pub(super) struct Read {
    pub(super) head: Head,
    /// Moments of earlier boots have a monotonic part of zero.
    pub(super) steps: Vec<Step>,
    pub(super) log: Log,
}

impl Log {
    /// A new one, not made yet.
    pub(super) fn new(path: PathBuf, head: &Head) -> Self {
        Self { path, file: None, text: ascii(head) + "\n", kept: 0 }
    }

    /// Adds a line for each step; [`Log::flush`] makes them durable.
    pub(super) fn add(&mut self, steps: &[Step], boot: &Clean) {
        for step in steps {
            let safe = |text: &Clean| Clean::text(scrub(&hide(text.as_str())));
            let mut step = Step { text: safe(&step.text), ..step.clone() };
            step.found.lines.iter_mut().for_each(|line| *line = safe(line));
            let line = Line { boot: boot.clone(), step };
            self.text += &ascii(&line);
            self.text.push('\n');
        }
    }

    /// So many lines are in memory alone.
    pub(super) fn unrecorded(&self) -> usize {
        self.text.get(self.kept..).map_or(0, |rest| rest.lines().count())
    }

    /// Everything is on disk when this returns well.
    ///
    /// # Errors
    /// The disk's: what is missing is kept and written by a later call.
    pub(super) fn flush(&mut self) -> Result<(), Fault> {
        let rest = self.text.get(self.kept..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        let done = match self.file.take() {
            Some(mut file) => {
                let wrote = file.write_all(rest.as_bytes()).and_then(|()| Ok(fdatasync(&file)?));
                // After a failed write or sync nobody knows what the file holds: it is not written again.
                if wrote.is_ok() {
                    self.file = Some(file);
                }
                wrote.map_err(|error| files::fault("append to", &self.path, &error))
            }
            None => files::replace(&self.path, self.text.as_bytes()).map(|()| self.file = open(&self.path)),
        };
        if done.is_ok() {
            self.kept = self.text.len();
        }
        done
    }

    /// Reads one. A last line that is torn was never acknowledged: it is left out, and the next flush writes the file anew.
    ///
    /// # Errors
    /// It cannot be read, or a line in it is none of ours.
    pub(super) fn read(path: &Path, boot: &Clean) -> Result<Read, Fault> {
        let bytes = files::read(path, LONGEST)?;
        let at = |line: usize| {
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            Fault::new("this is no line of a run.").at(path.to_string_lossy(), line, 0)
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end.saturating_add(1));
        let text = core::str::from_utf8(bytes.get(..whole).unwrap_or_default()).map_err(|_| at(0))?;
        let mut lines = text.lines();
        let head = lines.next().and_then(|line| serde_json::from_str(line).ok()).ok_or_else(|| at(1))?;
        let mut steps = Vec::new();
        for (number, line) in (2..).zip(lines) {
            let Line { boot: then, mut step } = serde_json::from_str(line).map_err(|_| at(number))?;
            if then != *boot {
                step.at.mono = Mono::default();
            }
            steps.push(step);
        }
        let file = if whole == bytes.len() { open(path) } else { None };
        let kept = if file.is_some() { whole } else { 0 };
        let log = Self { path: path.to_owned(), file, text: text.to_owned(), kept };
        Ok(Read { head, steps, log })
    }
}

/// Opens it for appending, with room behind its end; `None` when it cannot be.
fn open(path: &Path) -> Option<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(CWD, path, flags, Mode::empty()).ok()?);
    let end = file.metadata().ok()?.len();
    // Where there is no such thing, or no room, the file does without.
    let _best_effort = fallocate(&file, FallocateFlags::KEEP_SIZE, end, RESERVE);
    Some(file)
}
