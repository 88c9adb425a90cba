//! `log_rotate`: gives a log a new, empty file of the same owner and mode, keeps the old one under a name of its own, and
//! has the writer open the new one as the profile says. Nothing is copied or cut, so no line is lost.
//!
//! ```toml
//! [actions.rotate-log]
//! kind   = "log_rotate"
//! path   = "/var/log/app/app.log"
//! reopen = { signal = { name = "USR1", pid_file = "/run/app.pid", program = "app" } }    # HUP, USR1 or USR2
//! # or   = { reload = { kind = "systemd", unit = "app.service" } }
//! # or   = "nothing"               # who writes opens it for each line; refused while anybody has it open for writing
//! ```
//!
//! It is proven by the writers: none of them has the old file open any more.

use super::process_signal::SIGNALS;
use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::doing::Doing;
use crate::action::files::{name_of, path_of, seen, stamped};
use crate::action::left;
use crate::action::lifecycle::Run;
use crate::action::manager::{Manager, Serving, Verb};
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault, Unit};
use crate::sys::entry::{Entry, EntryId};
use crate::sys::held::Broken;
use crate::sys::held_process::{HeldProcess, ProcessId};
use crate::sys::host::{group_name, user_name};
use crate::sys::open_files::{Writer, writers};
use crate::sys::tree::{Owned, Place, empty_like, owners, remove, survey};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Signals by which programs open their logs again.
const REOPENING: [&str; 3] = ["HUP", "USR1", "USR2"];

/// Nobody may write to the old file for so long.
const SETTLE: Duration = Duration::from_secs(2);

/// The kind.
#[derive(Debug)]
pub struct LogRotate;

/// How the writer opens the new file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reopen {
    Nothing,
    Reload(Manager),
    Signal(Declared),
}

/// A signal as a profile has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    name: String,
    pid_file: PathBuf,
    program: String,
}

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    path: PathBuf,
    id: EntryId,
    /// Owner and mode, which the new file gets.
    owned: Owned,
    /// The old file's name afterwards.
    kept: String,
    reopen: Reopen,
    process: Option<ProcessId>,
    /// How many were seen to write to it.
    writers: usize,
    /// The name of what comes back in its place; without it that is a new file.
    #[serde(default)]
    returns: Option<String>,
}

/// What asking the writer adds to a plan.
#[derive(Default)]
struct Asked {
    lines: Vec<Clean>,
    targets: Vec<Target>,
    hits: Vec<Clean>,
    raise: Vec<Clean>,
    process: Option<ProcessId>,
}

impl Reopen {
    fn draft(&self, cx: &Context<'_>) -> Result<Asked, Fault> {
        match self {
            Self::Nothing => Ok(Asked::default()),
            Self::Reload(manager) => {
                let part = manager.draft(Verb::Reload, cx.login, cx.clock)?;
                Ok(Asked {
                    lines: vec![part.line],
                    targets: vec![part.target],
                    hits: part.hits,
                    raise: part.raise,
                    process: None,
                })
            }
            Self::Signal(told) => {
                told.number()?;
                let id = HeldProcess::of_pid_file(&told.pid_file)?.id().clone();
                if id.program.as_str() != told.program {
                    let (pid, file) = (id.pid, told.pid_file.display());
                    let what =
                        format!("process {pid} of {file} is {}, not {}.", id.program, Clean::text(&told.program));
                    return Err(Fault::new(what));
                }
                let line = crate::clean!("SIG{} to process {} ({})", told.name, id.pid, id.program);
                let target = Target::Process { id: id.clone() };
                Ok(Asked { lines: vec![line], targets: vec![target], process: Some(id), ..Asked::default() })
            }
        }
    }
}

impl Declared {
    fn number(&self) -> Result<i32, Fault> {
        let known = SIGNALS.iter().find(|(name, ..)| *name == self.name && REOPENING.contains(name));
        known.map(|(_, number, _)| *number).ok_or_else(|| {
            Fault::new(format!("no log is opened again by `{}`.", Clean::text(&self.name)))
                .hint(format!("Known here: {}.", REOPENING.join(", ")))
        })
    }
}

impl Work {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn part(&self) -> String {
        format!(".{}.part", self.kept)
    }

    fn rotate(&self, run: &Run) -> Result<Clean, StepError> {
        let place = Place::around(&self.path).map_err(StepError::Failed)?;
        let make = || {
            let entry = Entry::open(&self.path)?;
            if let Some(what) = self.other(&entry)? {
                return Err(Fault::new(format!("{what}.")));
            }
            if self.returns.is_none() { empty_like(&place, &self.part(), &entry) } else { Ok(()) }
        };
        let (part, path) = (self.part(), self.path.display());
        let new = self.returns.as_ref().unwrap_or(&part);
        let done = make().map_err(Broken::Untouched);
        match done.and_then(|()| place.replace(&self.name(), &self.id, new, &self.kept)) {
            Ok(()) if self.returns.is_some() => {
                let aside = Entry::open(&self.path.with_file_name(&self.kept));
                let what =
                    if aside.is_ok_and(|aside| is_empty(&aside)) { "the empty one" } else { "what came meanwhile" };
                Ok(crate::clean!("{path} is what it was before; {what} is in {}", self.kept))
            }
            Ok(()) => {
                // Which one it is: to be known again by the way back.
                let noted = Entry::open(&self.path).and_then(|new| back::keep(run, new.id()));
                let unnoted = noted.err().as_ref().map(left::unrecorded).unwrap_or_default();
                Ok(crate::clean!("{path} is empty; what was in it is in {}{unnoted}", self.kept))
            }
            Err(Broken::Untouched(fault)) => Err(StepError::Failed(match remove(&place, &self.part()) {
                Ok(()) => fault,
                Err(left) => fault.hint(left.to_string()),
            })),
            Err(Broken::Unknown(fault)) => Err(StepError::Unknown(fault)),
        }
    }

    fn reopen(&self, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        match (&self.reopen, &self.process) {
            (Reopen::Nothing, _) => Ok(Clean::from("nobody is asked")),
            (Reopen::Reload(manager), _) => {
                let none = BTreeMap::new();
                let (serving, identity) = service(plan).unwrap_or((None, &none));
                manager.carry_out(Verb::Reload, (serving, identity), doing)
            }
            (Reopen::Signal(told), Some(process)) => {
                let number = told.number().map_err(StepError::Failed)?;
                let held = HeldProcess::again(process).map_err(StepError::Failed)?;
                held.signal(number).map_err(StepError::Failed)?;
                Ok(crate::clean!("SIG{} sent to process {}", told.name, process.pid))
            }
            (Reopen::Signal(_), None) => Err(StepError::Failed(Fault::new("the plan names no process."))),
        }
    }

    /// What is not as the plan says.
    fn other(&self, entry: &Entry) -> Result<Option<Clean>, Fault> {
        let path = self.path.display();
        if *entry.id() != self.id {
            return Ok(Some(crate::clean!("{path} is another one now")));
        }
        if self.returns.is_some() && !is_empty(entry) {
            return Ok(Some(crate::clean!("{path} was written to")));
        }
        let same = owned(entry)? == self.owned;
        Ok((!same).then(|| crate::clean!("owner or mode of {path} changed")))
    }

    /// Whether the files have changed places: `None` when neither before nor after.
    fn rotated(&self) -> Option<bool> {
        let at = |path: &Path| Entry::open(path).ok().map(|entry| entry.id().ino);
        let (now, kept) = (at(&self.path), at(&self.path.with_file_name(&self.kept)));
        let old = Some(self.id.ino);
        if now == old { Some(false) } else { (kept == old && now.is_some()).then_some(true) }
    }
}

impl Kind for LogRotate {
    fn name(&self) -> &'static str {
        "log_rotate"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "gives a log a new empty file, keeps the old one, and has the writer open the new one"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let path = path_of(body, "path")?;
        let reopen: Reopen = body.need("reopen")?;
        let of = body.take("back")?.map(|action| Of::read(action, body)).transpose()?;
        cx.done(body, &[COMMON, &["path", "reopen"]].concat())?;
        let place = Place::around(&path)?;
        let entry = Entry::open(&path)?;
        entry.replaceable()?;
        let (id, owned) = (entry.id().clone(), owned(&entry)?);
        let (survey, found) = survey(&entry, None)?;
        refuse(&path, &id, &owned, found.outside.is_some())?;
        place.writable()?;
        let (writing, hidden) = writers(id.dev, id.ino);
        if let (Reopen::Nothing, Some(writer)) = (&reopen, writing.first()) {
            return Err(Fault::new(format!("{} would go on writing to the old file.", process(writer)))
                .hint("Say by `reopen` how it opens the new one."));
        }
        let returns = of.map(|of| returning(&of, &entry, cx)).transpose()?;
        let asked = reopen.draft(cx)?;
        let name = name_of(&path)?;
        let kept = stamped(&name, if returns.is_some() { "emptied" } else { "rotated" }, cx.clock, cx.id);
        let shown = path.display();
        let mut lines =
            vec![crate::clean!("rename {shown}"), crate::clean!("    to {}", path.with_file_name(&kept).display())];
        let mut hits = Vec::new();
        if let Some(old) = &returns {
            lines.push(crate::clean!("rename {} back to it", path.with_file_name(old).display()));
            hits.push(crate::clean!("nothing has been written to {shown} since it was rotated"));
        } else {
            let (user, group) = (user_name(owned.uid), group_name(owned.gid));
            lines.push(crate::clean!("a new {shown} of {user}:{group}, mode {:04o}", owned.mode));
            hits.push(crate::clean!("{} go into the old file's new name", Unit::Bytes.show(survey.bytes as f64)));
        }
        lines.extend(asked.lines);
        hits.extend(writing.iter().map(|writer| crate::clean!("written by {}", process(writer))));
        if hidden > 0 {
            hits.push(crate::clean!("{hidden} processes could not be looked into"));
        }
        hits.extend(asked.hits);
        let based_on =
            vec![seen(path.to_string_lossy(), crate::clean!("inode {}, writers: {}", id.ino, writing.len()))];
        let mut targets = vec![Target::Entry { path: path.clone(), id: id.clone() }];
        targets.extend(asked.targets);
        let undo = match &returns {
            Some(_) => crate::clean!("rotate {name} again"),
            None => crate::clean!("while the new {name} is empty, rename {kept} back; later, append the new one first"),
        };
        let work = Work { path, id, owned, kept, reopen, process: asked.process, writers: writing.len(), returns };
        Ok(Draft {
            lines,
            target: name,
            hits,
            undo: Undo::How(undo),
            based_on,
            targets,
            work: to_work(&work)?,
            raise: asked.raise,
            settle: SETTLE,
        })
    }

    fn differences(&self, plan: &Plan, clock: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        let mut found: Vec<Clean> = work.other(&Entry::open(&work.path)?)?.into_iter().collect();
        match &work.reopen {
            Reopen::Reload(manager) => {
                let none = BTreeMap::new();
                found.extend(manager.differences(Verb::Reload, service(plan).unwrap_or((None, &none)), clock)?);
            }
            Reopen::Signal(_) => {
                let process = work.process.as_ref().ok_or_else(|| Fault::new("the plan names no process."))?;
                found.extend(HeldProcess::again(process).err().map(|fault| Clean::text(fault.to_string())));
            }
            Reopen::Nothing => {
                let writing = writers(work.id.dev, work.id.ino).0;
                found.extend(writing.first().map(|writer| crate::clean!("{} writes to it now", process(writer))));
            }
        }
        Ok(found)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, plan: &Plan) -> Vec<&'static str> {
        match work::<Work>(plan) {
            Ok(Work { reopen: Reopen::Nothing, .. }) => vec!["rotate"],
            _ => vec!["rotate", "reopen"],
        }
    }

    fn step(&self, name: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        if name == "rotate" { work.rotate(doing.run) } else { work.reopen(plan, doing) }
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work: Work = work(plan).ok().filter(|work: &Work| work.returns.is_none())?;
        let (path, reopen) = (("path", back::value(&work.path)), ("reopen", back::value(&work.reopen)));
        let of = ("back", Some(plan.what.action.clone().into()));
        Some(("log_rotate", back::table([path, reopen, of, back::run(plan)])))
    }

    fn ended(&self, before: &str, plan: &Plan, _: &Doing<'_>) -> Option<Clean> {
        let work: Work = work(plan).ok().filter(|_| before == "reopen")?;
        Some(crate::clean!("its writer goes on writing to {}; have it open {} again", work.kept, work.path.display()))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        if work.rotated() != Some(true) {
            return Some(match self.settled(plan) {
                Ok(settled) => Proof::Broken(settled.what().clone()),
                Err(fault) => Proof::Unseen(Clean::text(fault.to_string())),
            });
        }
        let (writing, hidden) = writers(work.id.dev, work.id.ino);
        Some(match writing.first() {
            Some(writer) => Proof::NotYet(crate::clean!("{} still writes to the old file", process(writer))),
            // Whoever was seen to write has left it; without such a one, one of the others may be it.
            None if hidden > 0 && work.writers == 0 => {
                Proof::Unseen(crate::clean!("{hidden} processes could not be looked into"))
            }
            None => Proof::Holds(String::new(), crate::clean!("{} is kept, and nobody writes to it", work.kept)),
        })
    }

    fn lasts(&self) -> bool {
        false
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let (path, kept) = (work.path.display(), &work.kept);
        let is = if work.returns.is_some() { "is what it was before" } else { "is new" };
        Ok(match work.rotated() {
            Some(false) => Settled::NotDone(crate::clean!("{path} is as it was")),
            None => Settled::Other(crate::clean!("neither {path} nor {kept} is what the plan meant")),
            Some(true) => match writers(work.id.dev, work.id.ino).0.first() {
                Some(writer) => {
                    Settled::Other(crate::clean!("{path} {is}, but {} still writes to {kept}", process(writer)))
                }
                None => Settled::Done(crate::clean!("{path} {is}, and nobody writes to {kept}")),
            },
        })
    }
}

fn is_empty(entry: &Entry) -> bool {
    entry.size().is_some_and(|(_, bytes)| bytes == 0)
}

/// What joins a log with the one that it was rotated to, in one command.
fn join(path: &Path, kept: &str) -> Clean {
    let (path, kept) = (path.display(), path.with_file_name(kept));
    crate::clean!("cat {path} >> {0} && mv {0} {path}", kept.display())
}

/// The name of what a run has rotated away, which comes back while nothing was written to the file that it made.
fn returning(of: &Of, now: &Entry, cx: &Context<'_>) -> Result<String, Fault> {
    let ours = |done: &Work| done.path == now.path() && done.returns.is_none();
    let (run, done) =
        of.find(cx.state, "log_rotate", |run, plan| work(plan).ok().filter(ours).map(|done| (run, done)))?;
    let new: EntryId = back::kept(&run)?;
    let (path, by_hand) = (now.path().display(), join(now.path(), &done.kept));
    if *now.id() != new {
        return Err(Fault::new(format!("{path} is another one than that run has made.")).hint("Decide by hand."));
    }
    if !is_empty(now) {
        return Err(Fault::new(format!("{path} was written to since it was rotated."))
            .hint(format!("By hand: {by_hand}; then have its writer open it again.")));
    }
    let kept = now.path().with_file_name(&done.kept);
    if *Entry::open(&kept)?.id() != done.id {
        let what = format!("{} is not any more what that run has kept.", kept.display());
        return Err(Fault::new(what).hint("Decide by hand."));
    }
    Ok(done.kept)
}

fn process(writer: &Writer) -> Clean {
    crate::clean!("process {} ({})", writer.pid, writer.name)
}

fn owned(entry: &Entry) -> Result<Owned, Fault> {
    owners(entry)?.remove(Path::new("")).ok_or_else(|| Fault::new("it is gone."))
}

fn refuse(path: &Path, id: &EntryId, owned: &Owned, linked: bool) -> Result<(), Fault> {
    let path = path.display();
    if id.folder {
        return Err(Fault::new(format!("{path} is a folder.")));
    }
    if linked {
        return Err(Fault::new(format!("{path} has other names (hard links), which would keep the old file.")));
    }
    let own = rustix::process::geteuid();
    if own.is_root() || own.as_raw() == owned.uid {
        return Ok(());
    }
    Err(Fault::new(format!("{path} belongs to {}: only root can give a new one to him.", user_name(owned.uid))))
}

/// The service that the plan found.
fn service(plan: &Plan) -> Option<(Option<&Serving>, &BTreeMap<String, String>)> {
    plan.targets.iter().find_map(|target| match target {
        Target::Unit { serving, identity, .. } => Some((serving.as_ref(), identity)),
        _ => None,
    })
}
