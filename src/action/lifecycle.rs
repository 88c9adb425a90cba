//! What becomes of an accepted plan: states, outcomes, and the run folder that console and runner share.
//! `ACTIONS/<ulid>/{plan.json, accepted, status.json, out.log, backup/}`; the journal holds what happened.

use super::manager::Manager;
use super::plan::{Plan, canonical};
use super::prompt::Acceptance;
use super::verify::Comparison;
use crate::base::{Clean, Fault, Mono, Now, Support, Ulid, Wall};
use crate::sys::files;
use crate::sys::reserve::Reserve;
use crate::sys::trust::{self, Owners};
use core::fmt;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A plan, a status: never larger.
const LIMIT: u64 = 1024 * 1024;
/// Of what its programs said so many bytes at the end are looked at, and so many lines shown.
const OUTPUT: u64 = 4 * 1024;
const LINES: usize = 6;

/// Where a run stands (safety.md 4.3). Ordered as it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// The runner has taken it over.
    Accepted,
    /// Target locked, identity the same as in the plan.
    Prechecked,
    /// Backup and record are durable; nothing is changed yet.
    Intent,
    /// Effects are under way.
    Running,
    /// Every effect is done: EXECUTED.
    Verifying,
    /// Nothing more will happen.
    Over,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Executed, and the metric proves it.
    Succeeded,
    /// It did not work, or did not help.
    Failed,
    /// Executed; whether it helped cannot be told.
    Unverified,
    /// Whether it was executed cannot be told.
    Indeterminate,
    /// Refused by the runner before the first effect: nothing was changed.
    Refused,
}

impl Outcome {
    /// The word on screen and in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "VERIFIED",
            Self::Failed => "FAILED",
            Self::Unverified => "UNVERIFIED",
            Self::Indeterminate => "UNKNOWN",
            Self::Refused => "REFUSED",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The judgement.
    pub outcome: Outcome,
    /// Why, in a sentence.
    pub reason: Clean,
    /// Whether every effect took place.
    pub executed: bool,
}

/// One line of what the runner did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: Now,
    /// What.
    pub what: Clean,
}

/// What the runner tells: `status.json`, replaced as a whole, read back by any console.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Of this plan.
    pub plan: Ulid,
    /// The runner's process number.
    pub pid: u32,
    /// Where it stands.
    pub state: State,
    /// What it did so far.
    pub steps: Vec<Step>,
    /// When the last effect was done.
    pub effect: Option<Now>,
    /// Before and after, as far as known; the last row is the traffic.
    pub comparisons: Vec<Comparison>,
    /// What verification still waits for.
    pub waiting: Option<Clean>,
    /// How it ended.
    pub end: Option<End>,
    /// When it ended, if its runner told.
    #[serde(default)]
    pub ended: Option<Now>,
    /// Set while the journal lacks a record of this run.
    pub unrecorded: Option<Clean>,
    /// The service that is failed now that it is over: started again only after a reset.
    #[serde(default)]
    pub failed: Option<Manager>,
}

impl Progress {
    /// A run that has just begun.
    pub const fn new(plan: Ulid, pid: u32) -> Self {
        Self {
            plan,
            pid,
            state: State::Accepted,
            steps: Vec::new(),
            effect: None,
            comparisons: Vec::new(),
            waiting: None,
            end: None,
            ended: None,
            unrecorded: None,
            failed: None,
        }
    }
}

/// One run's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    dir: PathBuf,
}

/// `plan.json`: what was accepted, how, and the digest that the operator saw.
#[derive(Serialize, Deserialize)]
struct Order {
    sha256: String,
    accepted: Acceptance,
    /// What its console was allowed; absent where no console ordered it.
    #[serde(default)]
    allowed: Option<Allowed>,
}

/// What a console was allowed when its operator said yes: looked at again before the first effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// It was armed until then.
    pub until: Mono,
    /// What this login may do at most.
    pub support: Support,
}

impl Allowed {
    /// Why this plan may not be carried out at `now`, if so.
    pub fn refuses(self, plan: &Plan, now: Mono) -> Option<Fault> {
        let (need, have) = (plan.support, self.support);
        if need > have {
            return Some(Fault::new(format!("this needs support level {need}, and its login has {have}.")));
        }
        (now >= self.until).then(|| {
            Fault::new("the arming of its console was over before the first effect.").hint("Arm it and plan again.")
        })
    }
}

impl Run {
    /// The folder of a plan under the state folder.
    pub fn of(state: &Path, plan: Ulid) -> Self {
        Self { dir: crate::sys::paths::actions_dir(state).join(plan.to_string()) }
    }

    /// An existing folder, as given to the runner.
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The state folder that it lies in.
    pub fn state_dir(&self) -> Option<&Path> {
        self.dir.parent().and_then(Path::parent)
    }

    /// The folder for backups.
    pub fn backup_dir(&self) -> PathBuf {
        self.dir.join("backup")
    }

    /// The backup of this file there.
    pub fn backup_of(&self, file: &Path) -> PathBuf {
        self.backup_dir().join(file.file_name().unwrap_or_default())
    }

    /// Writes the accepted plan, durable.
    ///
    /// # Errors
    /// When the state folder cannot be written, or the plan was handed over before.
    pub fn write_order(&self, accepted: &Acceptance) -> Result<(), Fault> {
        self.order(accepted, None)
    }

    /// The same, with what the console was allowed that orders it.
    ///
    /// # Errors
    /// As [`Self::write_order`].
    pub fn order(&self, accepted: &Acceptance, allowed: Option<Allowed>) -> Result<(), Fault> {
        let reserve = self.reserve();
        reserve
            .spend(|| files::try_private_dir(&self.dir))
            .map_err(|error| files::fault("create", &self.dir, &error))?;
        let order = Order { sha256: accepted.plan.digest(), accepted: accepted.clone(), allowed };
        let text = serde_json::to_string_pretty(&order)
            .map_err(|error| Fault::new(format!("a plan cannot be written: {error}.")))?;
        if self.publish("plan.json", text.as_bytes())? {
            Ok(())
        } else {
            Err(Fault::new("this plan was handed over before: it is carried out once."))
        }
    }

    /// What its program and its runner say goes there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin_output(&self) -> Result<PathBuf, Fault> {
        self.create("out.log", b"").map(|_first| self.dir.join("out.log"))
    }

    /// Room for what must be written in the run folder although the disk is full.
    pub fn reserve(&self) -> Reserve {
        Reserve::of(self.state_dir().unwrap_or(&self.dir))
    }

    /// Creates a file of the run folder; true for the first caller only.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool, Fault> {
        self.first(name, |path| files::try_create(path, 0o600, bytes))
    }

    /// The same; it is there whole or not at all.
    fn publish(&self, name: &str, bytes: &[u8]) -> Result<bool, Fault> {
        self.first(name, |path| files::try_publish(path, bytes))
    }

    fn first(&self, name: &str, write: impl Fn(&Path) -> io::Result<bool>) -> Result<bool, Fault> {
        let path = self.dir.join(name);
        let done = self.reserve().spend(|| write(&path));
        done.map_err(|error| files::fault("write", &path, &error))
    }

    /// Reads the accepted plan and holds it against its digest.
    ///
    /// # Errors
    /// Unreadable, or not what was accepted.
    pub fn read_order(&self) -> Result<Acceptance, Fault> {
        self.read_whole().map(|order| order.accepted)
    }

    /// What the console was allowed that ordered it.
    ///
    /// # Errors
    /// As [`Self::read_order`].
    pub fn allowed(&self) -> Result<Option<Allowed>, Fault> {
        self.read_whole().map(|order| order.allowed)
    }

    fn read_whole(&self) -> Result<Order, Fault> {
        let path = self.dir.join("plan.json");
        // Read with effect: whoever could write to it, or to a folder above it, could have another plan carried out.
        let (dir, owners) = (trust::folder(&self.dir, Owners::effective())?, Owners::effective());
        let file = trust::inside(&dir, OsStr::new("plan.json"), &path, owners)?;
        let mut bytes = Vec::new();
        file.take(LIMIT).read_to_end(&mut bytes).map_err(|error| files::fault("read", &path, &error))?;
        let order: Order = serde_json::from_slice(&bytes).map_err(|error| {
            Fault::new(format!("this is no plan: {}.", plain(&error))).at(path.to_string_lossy(), 0, 0)
        })?;
        if order.accepted.plan.digest() != order.sha256 {
            return Err(Fault::new("the plan differs from what was accepted.").at(path.to_string_lossy(), 0, 0));
        }
        Ok(order)
    }

    /// The double-submit guard: true for the first caller only.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn accept(&self, pid: u32) -> Result<bool, Fault> {
        self.create("accepted", format!("{pid}\n").as_bytes())
    }

    /// True once a runner has taken it over.
    pub fn is_accepted(&self) -> bool {
        self.dir.join("accepted").exists()
    }

    /// The process that took it over.
    pub fn accepted_by(&self) -> Option<u32> {
        let bytes = files::read(&self.dir.join("accepted"), 64).ok()?;
        core::str::from_utf8(bytes.trim_ascii()).ok()?.parse().ok()
    }

    /// Makes sure that no runner takes it over any more, and says so in the run folder; `None` when one already has.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn withdraw(&self, plan: Ulid, why: Clean) -> Result<Option<Progress>, Fault> {
        let pid = crate::sys::process::pid();
        if !self.accept(pid)? {
            return Ok(None);
        }
        let mut progress = Progress::new(plan, pid);
        progress.state = State::Over;
        progress.end = Some(End { outcome: Outcome::Refused, reason: why, executed: false });
        // A runner that was refused before may have told its own end.
        let first = self.write_if_first(&progress)?;
        Ok(if first { Some(progress) } else { self.read()? })
    }

    /// Asks its runner to end what it does: no further step begins, a program under way is asked to end.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn stop(&self) -> Result<(), Fault> {
        self.create("stop", b"").map(|_first| ())
    }

    /// Whether somebody asked for that.
    pub fn is_stopped(&self) -> bool {
        self.dir.join("stop").exists()
    }

    /// Tells its runner that the console which ordered it is armed no more. The order itself may still be on its way.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn disarm(&self) -> Result<(), Fault> {
        let made = self.reserve().spend(|| files::try_private_dir(&self.dir));
        made.map_err(|error| files::fault("create", &self.dir, &error))?;
        self.create("disarmed", b"").map(|_first| ())
    }

    /// Whether it was told that.
    pub fn is_disarmed(&self) -> bool {
        self.dir.join("disarmed").exists()
    }

    /// Notes that an operator was told how it ended: to later consoles it is no news.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn note_heard(&self) -> Result<(), Fault> {
        self.create("heard", b"").map(|_first| ())
    }

    /// Whether that was noted.
    pub fn is_heard(&self) -> bool {
        self.dir.join("heard").exists()
    }

    /// The last lines of what its programs said, when there is more than `known` bytes of it.
    pub fn output(&self, known: &mut u64) -> Option<Vec<Clean>> {
        let (size, end) = files::tail(&self.dir.join("out.log"), OUTPUT).ok()?;
        if size == core::mem::replace(known, size) {
            return None;
        }
        // Where it begins is not where a line does.
        let whole = if size > OUTPUT { end.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) } else { 0 };
        let lines = end.get(whole..).unwrap_or_default().split(|byte| *byte == b'\n');
        let mut lines: Vec<Clean> = lines.filter(|line| !line.is_empty()).map(Clean::text).collect();
        lines.drain(..lines.len().saturating_sub(LINES));
        Some(lines)
    }

    /// When the order was written, as the file system says.
    pub fn ordered(&self) -> Option<Wall> {
        let written = std::fs::metadata(self.dir.join("plan.json")).and_then(|meta| meta.modified()).ok()?;
        let since = written.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_nanos()).ok().map(Wall)
    }

    /// Writes the status, whole and durable.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, progress: &Progress) -> Result<(), Fault> {
        let (path, text) = (self.dir.join("status.json"), text(progress)?);
        let done = self.reserve().spend(|| files::try_replace(&path, text.as_bytes()));
        done.map_err(|error| files::fault("write", &path, &error))
    }

    /// Writes the status only if nobody else has: for a runner that was refused and must not disturb the one at work.
    ///
    /// # Errors
    /// The file system's.
    pub fn write_if_first(&self, progress: &Progress) -> Result<bool, Fault> {
        self.publish("status.json", text(progress)?.as_bytes())
    }

    /// The status, if a runner has written one.
    ///
    /// # Errors
    /// Unreadable or not a status.
    pub fn read(&self) -> Result<Option<Progress>, Fault> {
        let path = self.dir.join("status.json");
        if !path.exists() {
            return Ok(None);
        }
        let bytes = files::read(&path, LIMIT)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Fault::new(format!("this is no status: {}.", plain(&error))).at(path.to_string_lossy(), 0, 0)
        })
    }
}

fn text(progress: &Progress) -> Result<String, Fault> {
    serde_json::to_value(progress)
        .map(|value| canonical(&value))
        .map_err(|error| Fault::new(format!("a status cannot be written: {error}.")))
}

fn plain(error: &serde_json::Error) -> String {
    error.to_string().trim_end_matches('.').to_owned()
}

/// A run of the past, for "the third time in ten minutes".
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    /// The plan.
    pub plan: Plan,
    /// How it ended, if it did.
    pub end: Option<End>,
}

/// A run, its plan, and what its runner told last.
pub type Known = (Run, Plan, Option<Progress>);

/// Every run under the state folder that was ordered, oldest first. Unreadable ones are returned as faults.
pub fn runs(state: &Path) -> (Vec<Known>, Vec<Fault>) {
    let (mut known, mut faults) = (Vec::new(), Vec::new());
    let Ok(entries) = std::fs::read_dir(crate::sys::paths::actions_dir(state)) else { return (known, faults) };
    let mut dirs: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    dirs.sort();
    for run in dirs.iter().map(|dir| Run::at(dir)).filter(|run| run.is_accepted() || run.ordered().is_some()) {
        match run.read_order().and_then(|order| run.read().map(|status| (order.plan, status))) {
            Ok((plan, status)) => known.push((run, plan, status)),
            Err(fault) => faults.push(fault),
        }
    }
    (known, faults)
}

/// The runs that a runner took over, of plans made at or after `since`, oldest first.
pub fn earlier(state: &Path, since: Wall) -> Vec<Earlier> {
    let (known, _) = runs(state);
    let recent = known.into_iter().filter(|(run, plan, _)| plan.made.wall >= since && run.is_accepted());
    recent.map(|(_, plan, status)| Earlier { plan, end: status.and_then(|status| status.end) }).collect()
}
