//! Alerts, acknowledgements and silences over a restart: one small file a profile in the state folder, written whole
//! off the loop, at most once a second. Consoles of one profile read what the others wrote before they write.

use crate::base::{Clean, Fault, Now};
use crate::rules::Book;
use crate::rules::saved::{Saved, VERSION};
use crate::sys::files;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};

/// A larger file is none of ours.
const LARGEST: u64 = 8 * 1024 * 1024;
/// How often the file is looked at, and written at most.
const PACE: Duration = Duration::from_secs(1);
/// While anything is up, its timers are written so often though nothing moved.
const BEAT: Duration = Duration::from_secs(10);
/// The last state is waited for this long when the console leaves.
const LAST: Duration = Duration::from_millis(200);
const STACK: usize = 256 * 1024;

/// What the writer is asked.
enum Job {
    Write(Box<Saved>),
    /// The last one: answers when it is written.
    Close(Box<Saved>, SyncSender<()>),
}

/// The state file of one profile.
pub struct AlertState {
    boot: Clean,
    jobs: SyncSender<Job>,
    others: Receiver<Box<Saved>>,
    written: Option<(u64, Now)>,
}

/// Where the state of a profile lies.
pub fn path(state: &Path, profile: &str) -> PathBuf {
    let digest = files::sha256(profile.as_bytes());
    state.join("alerts").join(format!("{}.json", digest.get(..16).unwrap_or(&digest)))
}

/// Reads a state file. `Ok(None)` when there is none.
///
/// # Errors
/// It cannot be read, or is damaged: then it is dropped.
pub fn read(path: &Path) -> Result<Option<Saved>, Fault> {
    if !path.exists() {
        return Ok(None);
    }
    let dropped = |why: String| {
        Fault::new(format!("the alerts of the last console cannot be taken up: {}: {why}.", path.display()))
            .hint("Timers, acknowledgements and silences begin anew; the file is replaced.")
    };
    let bytes = files::read(path, LARGEST).map_err(|fault| dropped(fault.what.to_string()))?;
    let saved: Saved = serde_json::from_slice(&bytes).map_err(|error| dropped(format!("it is damaged: {error}")))?;
    if saved.version != VERSION {
        return Err(dropped(format!("it is of version {}, this program reads {VERSION}", saved.version)));
    }
    Ok(Some(saved))
}

impl AlertState {
    /// Takes up what the last console left, and starts the writer. The fault tells why that could not be had.
    ///
    /// # Errors
    /// No folder, or no thread.
    pub fn open(path: PathBuf, boot: Clean, book: &mut Book, now: Now) -> Result<(Self, Option<Fault>), Fault> {
        if let Some(folder) = path.parent() {
            files::private_dir(folder)?;
        }
        let fault = match read(&path) {
            Ok(Some(saved)) => {
                book.restore(&saved, &boot, now);
                None
            }
            Ok(None) => None,
            Err(fault) => Some(fault),
        };
        let (jobs, inbox) = sync_channel(2);
        let (found, others) = sync_channel(1);
        let seen = bytes_of(&path);
        std::thread::Builder::new()
            .name("alert-state".to_owned())
            .stack_size(STACK)
            .spawn(move || Writer { path, seen, told: false, found }.run(&inbox))
            .map_err(|error| Fault::new(format!("alerts cannot be kept over a restart: {error}.")))?;
        Ok((Self { boot, jobs, others, written: None }, fault))
    }

    /// Hands the state to the writer when something moved. Cheap; call it once a turn.
    pub fn keep(&mut self, book: &Book, now: Now) {
        let due = self.written.is_none_or(|(revision, at)| {
            let since = now.mono.since(at.mono);
            since >= PACE && (revision != book.revision() || book.is_ripening()) || since >= BEAT && book.is_busy()
        });
        // Nothing to keep is worth no file.
        if due && (self.written.is_some() || book.revision() > 0 || book.is_busy()) {
            let job = Job::Write(Box::new(book.saved(&self.boot, now)));
            if self.jobs.try_send(job).is_ok() {
                self.written = Some((book.revision(), now));
            }
        }
    }

    /// Takes over what another console of this profile has answered.
    pub fn learn(&self, book: &mut Book, now: Now) -> bool {
        match self.others.try_recv() {
            Ok(other) => {
                book.adopt(&other, now);
                true
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => false,
        }
    }

    /// Writes the last state; waits a moment for it. A writer that hangs is left behind: the disk has the state of a
    /// moment ago.
    pub fn close(self, book: &Book, now: Now) {
        let (reply, answer) = sync_channel(1);
        if self.written.is_some() {
            let _best_effort = self.jobs.try_send(Job::Close(Box::new(book.saved(&self.boot, now)), reply));
            let _best_effort = answer.recv_timeout(LAST);
        }
    }
}

fn bytes_of(path: &Path) -> Option<String> {
    files::read(path, LARGEST).ok().map(|bytes| files::sha256(&bytes))
}

struct Writer {
    path: PathBuf,
    /// Digest of the file as this console knows it.
    seen: Option<String>,
    /// That it cannot be written was said.
    told: bool,
    found: SyncSender<Box<Saved>>,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Job>) {
        loop {
            match inbox.recv_timeout(PACE) {
                Ok(Job::Write(saved)) => self.write(*saved),
                Ok(Job::Close(saved, reply)) => {
                    self.write(*saved);
                    let _nobody_waits = reply.try_send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => drop(self.look()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// What another console wrote since this one looked last; it is handed on to the loop.
    fn look(&mut self) -> Option<Saved> {
        let now = bytes_of(&self.path)?;
        if self.seen.as_ref() == Some(&now) {
            return None;
        }
        let other = read(&self.path).ok().flatten()?;
        if self.found.try_send(Box::new(other.clone())).is_ok() {
            self.seen = Some(now);
        }
        Some(other)
    }

    fn write(&mut self, mut saved: Saved) {
        if let Some(other) = self.look() {
            saved.merge(&other);
        }
        let outcome = serde_json::to_vec(&saved)
            .map_err(|error| Fault::new(format!("the state of alerts has no text: {error}.")))
            .and_then(|bytes| files::replace(&self.path, &bytes).map(|()| files::sha256(&bytes)));
        match outcome {
            Ok(digest) => (self.seen, self.told) = (Some(digest), false),
            Err(fault) if !self.told => {
                self.told = true;
                tracing::warn!(target: "alerts", "alerts are not kept over a restart: {fault}");
            }
            Err(_) => {}
        }
    }
}
