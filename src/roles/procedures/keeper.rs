//! The runs that this console holds. Nothing is lost while the disk fails: it is kept, told, and tried again.

use super::found::{self, Found};
use super::lease::{Holder, Lease, held, holder};
use super::log::{Head, Log};
use super::thread::Told;
use crate::base::{Clean, Fault, Now, Ulid};
use crate::procedure::{Document, Said, Step, Walk};
use crate::sys::{files, paths};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The text that a run goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The procedure's id.
    pub procedure: Clean,
    /// Its title.
    pub title: Clean,
    /// Its file, as the user would type it.
    pub file: Clean,
    /// Its whole text.
    pub text: String,
}

impl Source {
    /// Of this document, with the text that it was read from.
    pub fn of(document: &Document, text: String) -> Self {
        let procedure = Clean::text(&*document.id);
        Self { procedure, title: document.title.clone(), file: document.file.clone(), text }
    }
}

/// What somebody says of an item that an ended run has put off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// The item's id.
    pub item: Clean,
    /// Who did it.
    pub who: Clean,
    /// What was done.
    pub note: Clean,
}

/// All runs that this console holds.
#[derive(Debug)]
pub struct Keeper {
    runs: PathBuf,
    us: Holder,
    held: BTreeMap<Ulid, Kept>,
    /// Those that another console took over from this one.
    lost: BTreeSet<Ulid>,
}

/// One of them.
#[derive(Debug)]
struct Kept {
    dir: PathBuf,
    /// Until it is in the folder.
    copy: Option<String>,
    lease: Option<Lease>,
    log: Log,
    failing: Option<Fault>,
}

impl Keeper {
    /// For this state folder, as this console.
    pub fn new(state: &Path, us: Holder) -> Self {
        Self { runs: paths::runs_dir(state), us, held: BTreeMap::new(), lost: BTreeSet::new() }
    }

    /// Makes the folder of a new run and holds it.
    ///
    /// # Errors
    /// What is not on disk yet, and why: it is kept, and tried again at each heartbeat.
    pub fn begin(&mut self, run: Ulid, source: Source, steps: &[Step], now: Now) -> Result<(), Fault> {
        let Source { procedure, title, file, text } = source;
        let dir = self.runs.join(run.to_string());
        let sha256 = files::sha256(text.as_bytes());
        let head = Head { v: 1, run, procedure, title, file, sha256 };
        let mut log = Log::new(dir.join("run.jsonl"), &head);
        log.add(steps, &self.us.boot);
        let kept = Kept { dir, copy: Some(text), lease: None, log, failing: None };
        self.held.entry(run).or_insert(kept).settle(&self.us, now)
    }

    /// Steps of a run, durable when this returns well. One that is not held is taken up for them: it is over, or an earlier
    /// console left it.
    ///
    /// # Errors
    /// As [`Keeper::begin`]; or the run cannot be had, and nothing of it is kept.
    pub fn append(&mut self, run: Ulid, steps: &[Step], now: Now) -> Result<(), Fault> {
        if !steps.is_empty() && !self.held.contains_key(&run) && !self.lost.contains(&run) {
            let _found = self.resume(run, now)?;
        }
        let kept = self.held.get_mut(&run).ok_or_else(|| Fault::new("this console does not hold the run."))?;
        kept.log.add(steps, &self.us.boot);
        kept.settle(&self.us, now)
    }

    /// Says of every run that we are still here, and writes what could not be written before. What changed is returned;
    /// a run that was taken over is held no more.
    pub fn heartbeat(&mut self, now: Now) -> Vec<Told> {
        let mut told = Vec::new();
        let (us, lost) = (&self.us, &mut self.lost);
        self.held.retain(|run, kept| {
            if let Some(by) = kept.is_lost(us, now) {
                lost.insert(*run);
                told.push(Told::Lost(*run, by));
                return false;
            }
            told.extend(kept.turn(*run, us, now));
            true
        });
        told
    }

    /// So many lines of a run are in memory alone.
    pub fn unrecorded(&self, run: Ulid) -> usize {
        self.held.get(&run).map_or(0, |kept| kept.log.unrecorded())
    }

    /// Lets a run go: whoever wants it may take it. Writes what is left first.
    pub fn release(&mut self, run: Ulid, now: Now) {
        if let Some(mut kept) = self.held.remove(&run) {
            let _told_before = kept.settle(&self.us, now);
        }
    }

    /// Lets every run go.
    pub fn release_all(&mut self, now: Now) {
        for run in self.held.keys().copied().collect::<Vec<_>>() {
            self.release(run, now);
        }
    }

    /// Takes a run that an earlier console left, and reads it: what others wrote up to now is in it.
    ///
    /// # Errors
    /// Who holds it, or what cannot be read.
    pub fn resume(&mut self, run: Ulid, now: Now) -> Result<Found, Fault> {
        let dir = self.runs.join(run.to_string());
        if self.held.contains_key(&run) {
            return Err(Fault::new("this console holds the run already."));
        }
        let (lease, before) = Lease::take(&dir, &self.us, now)?;
        let (mut found, log) = found::read(&dir, &self.us.boot, now)?;
        found.holder = before;
        self.held.insert(run, Kept { dir, copy: None, lease: Some(lease), log, failing: None });
        Ok(found)
    }
}

impl Keeper {
    /// What a run that is over has put off was done: as it stands then, and the steps that say so, durable.
    ///
    /// # Errors
    /// The run cannot be had or read, was not put off, or cannot be written.
    pub fn finish(&mut self, run: Ulid, done: &Later, now: Now) -> Result<(Walk, Vec<Step>), Fault> {
        let found = self.resume(run, now)?;
        let said = self.say_done(&found, done, now);
        self.release(run, now);
        said
    }

    fn say_done(&mut self, found: &Found, done: &Later, now: Now) -> Result<(Walk, Vec<Step>), Fault> {
        let told = |why: Clean| Fault::new(why.as_str());
        let (mut walk, _) = found.walk(found.document()).map_err(told)?;
        let at = walk.document.items.iter().position(|item| *item.id == *done.item.as_str());
        let at = at.ok_or_else(|| Fault::new("its text has no such item."))?;
        let steps = walk.say(Said::Done(at, done.note.clone()), &done.who, now).map_err(told)?;
        self.append(found.run, &steps, now)?;
        Ok((walk, steps))
    }
}

impl Kept {
    /// Makes durable whatever is not yet.
    fn settle(&mut self, us: &Holder, now: Now) -> Result<(), Fault> {
        let done = self.write(us, now);
        self.failing = done.as_ref().err().cloned();
        done
    }

    fn write(&mut self, us: &Holder, now: Now) -> Result<(), Fault> {
        if let Some(text) = &self.copy {
            files::private_dir(&self.dir)?;
            files::replace(&self.dir.join("procedure.md"), text.as_bytes())?;
        }
        match &self.lease {
            None => self.lease = Some(Lease::take(&self.dir, us, now)?.0),
            Some(lease) if !lease.is_ours() => return Err(Fault::new(self.taken(us, now).as_str())),
            Some(_) => {}
        }
        self.log.flush()?;
        if self.copy.take().is_some() {
            files::sync_parent(&self.dir).map_err(|error| files::fault("make durable", &self.dir, &error))?;
        }
        Ok(())
    }

    fn taken(&self, us: &Holder, now: Now) -> Clean {
        holder(&self.dir).map_or_else(|| Clean::from("this run was taken away."), |by| held(&by, &us.boot, now))
    }

    /// By whom it was taken over, if it was.
    fn is_lost(&self, us: &Holder, now: Now) -> Option<Clean> {
        let lease = self.lease.as_ref()?;
        // A lease that could not be written is still ours.
        matches!(lease.beat(now), Ok(false)).then(|| self.taken(us, now))
    }

    /// Tries again what failed; what is told of it, when that differs from before.
    fn turn(&mut self, run: Ulid, us: &Holder, now: Now) -> Option<Told> {
        let before = self.failing.take();
        let after = self.settle(us, now);
        match (before, after) {
            (_, Err(why)) => Some(Told::Unrecorded(run, self.log.unrecorded(), why)),
            (Some(_), Ok(())) => Some(Told::Recorded(run)),
            (None, Ok(())) => None,
        }
    }
}
