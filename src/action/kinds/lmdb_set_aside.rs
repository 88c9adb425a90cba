//! `lmdb_set_aside`: renames the data file and the lock file of an LMDB environment in their folder instead of deleting
//! them, while no process has it open. The folder stays, so that the program can begin anew in it.
//!
//! ```toml
//! [actions.set-data-aside]
//! kind = "lmdb_set_aside"
//! path = "/var/lib/app/data"
//!
//! [actions.put-data-back]
//! kind = "lmdb_set_aside"
//! path = "/var/lib/app/data"
//! back = "set-data-aside"            # renames back what its newest run has set aside; nothing new may be there
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::doing::Doing;
use crate::action::files::{seen, stamped};
use crate::action::lifecycle::Run;
use crate::action::lmdb::identity::{self, Identity};
use crate::action::plan::{Danger, Plan, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::entry::{Entry, EntryId};
use crate::sys::lmdb::outside::Table;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The kind.
#[derive(Debug)]
pub struct LmdbSetAside;

/// One of the two files.
#[derive(Debug, Serialize, Deserialize)]
struct Renamed {
    path: PathBuf,
    aside: String,
    id: EntryId,
}

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    id: Identity,
    /// The data file first: without it a lock file means nothing.
    files: [Renamed; 2],
    /// Whether they come back.
    #[serde(default)]
    back: bool,
}

impl Renamed {
    fn plan(path: &Path, cx: &Context<'_>) -> Result<Self, Fault> {
        let entry = Entry::open(path)?;
        entry.replaceable()?;
        let aside = stamped(&path.file_name().unwrap_or_default().to_string_lossy(), "set-aside", cx.clock, cx.id);
        if entry.has_beside(&aside) {
            return Err(Fault::new(format!("{} is there already.", Clean::text(&aside))));
        }
        Ok(Self { path: path.to_owned(), aside, id: entry.id().clone() })
    }

    fn to(&self) -> PathBuf {
        self.path.with_file_name(&self.aside)
    }

    fn rename(&self) -> Result<(), Fault> {
        let entry = Entry::open(&self.path)?;
        if *entry.id() != self.id {
            return Err(Fault::new(format!("{} is another one now.", self.path.display())));
        }
        entry.rename(&self.aside)
    }

    fn rename_back(&self) -> Result<(), Fault> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Entry::open(&self.to())?.rename(&name)
    }

    /// Whether it is at its place, and whether it is aside.
    fn places(&self) -> (bool, bool) {
        let there = |path: &Path| Entry::open(path).is_ok_and(|entry| *entry.id() == self.id);
        (there(&self.path), there(&self.to()))
    }
}

impl Kind for LmdbSetAside {
    fn name(&self) -> &'static str {
        "lmdb_set_aside"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "renames the files of an LMDB environment that nobody has open instead of deleting them"
    }

    fn least_danger(&self) -> Danger {
        Danger::C3
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let path: PathBuf = body.need("path")?;
        let back: Option<String> = body.take("back")?;
        let back = back.map(|action| Of::read(action, body)).transpose()?;
        cx.done(body, &[COMMON, &["path", "back"]].concat())?;
        if let Some(of) = back {
            return returned(&set_aside(&of, &path, cx)?);
        }
        let (seen, id) = identity::look(&path)?;
        identity::unused(&seen).map_err(|fault| fault.hint("Stop the program first."))?;
        let files = [Renamed::plan(&id.data, cx)?, Renamed::plan(&id.lock, cx)?];
        let lines = files.iter().flat_map(|it| {
            [crate::clean!("rename {}", it.path.display()), crate::clean!("    to {}", it.to().display())]
        });
        let [data, lock] = files.each_ref().map(|it| it.to().display().to_string());
        Ok(Draft {
            lines: lines.collect(),
            target: id.name(),
            hits: vec![identity::fill(&seen), Clean::from("whoever opens it next begins with nothing in it")],
            undo: Undo::How(crate::clean!("stop the program, then rename {data} and {lock} back")),
            based_on: vec![identity::based_on(&seen)],
            targets: vec![id.target()],
            raise: Vec::new(),
            settle: Duration::ZERO,
            work: to_work(&Work { id, files, back: false })?,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let work: Work = work(plan)?;
        if work.back {
            return Ok(work.missing());
        }
        let Work { id, .. } = work;
        let (seen, mut found) = id.differences()?;
        if seen.meta.txn != id.txn {
            found.push(crate::clean!("somebody wrote transaction {}", seen.meta.txn));
        }
        found.extend(identity::unused(&seen).err().map(|fault| Clean::text(fault.to_string())));
        Ok(found)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["rename"]
    }

    fn step(&self, _: &str, plan: &Plan, _: &Doing<'_>) -> Result<Clean, StepError> {
        let work: Work = work(plan).map_err(StepError::Failed)?;
        if work.back {
            return work.put_back();
        }
        let Work { id, files: [data, lock], .. } = work;
        let (seen, _) = id.differences().map_err(StepError::Failed)?;
        identity::unused(&seen).map_err(StepError::Failed)?;
        // One after the other without a pause: who opens it in between has files of two environments.
        data.rename().map_err(StepError::Failed)?;
        if let Err(fault) = lock.rename() {
            return Err(match data.rename_back() {
                Ok(()) => StepError::Failed(fault),
                Err(back) => StepError::Unknown(Fault::new(format!("{fault} The data cannot be put back: {back}"))),
            });
        }
        let synced = Entry::open(&data.to()).and_then(|entry| entry.sync_folder());
        synced.map_err(StepError::Unknown)?;
        if let Ok(Some(pid)) = seen.table.opened_by() {
            return Err(StepError::Unknown(in_between(pid)));
        }
        Ok(crate::clean!("{} and {} are set aside", data.path.display(), lock.path.display()))
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        let work: Work = work(plan).ok().filter(|work: &Work| !work.back)?;
        let of = Some(plan.what.action.clone().into());
        Some(("lmdb_set_aside", back::table([("path", back::value(&work.id.path)), ("back", of), back::run(plan)])))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        Some(self.settled(plan).into())
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let Work { id, files, back } = work(plan)?;
        let path = id.path.display();
        Ok(match files.each_ref().map(Renamed::places) {
            [(false, true), (false, true)] if back => Settled::Done(crate::clean!("both files of {path} are back")),
            [(true, false), (true, false)] if back => {
                Settled::NotDone(crate::clean!("both files of {path} are still set aside"))
            }
            [(false, true), (false, true)] => {
                let [_, lock] = &files;
                match Table::read(&lock.to()).map(|table| table.opened_by()) {
                    Ok(Ok(Some(pid))) => Settled::Other(Clean::text(in_between(pid).to_string())),
                    _ => Settled::Done(crate::clean!("both files of {path} are set aside")),
                }
            }
            [(true, false), (true, false)] => {
                Settled::NotDone(crate::clean!("both files of {path} are where they were"))
            }
            [(false, true), _] => {
                Settled::Other(crate::clean!("the data of {path} is set aside, its lock file is not"))
            }
            _ => Settled::Other(crate::clean!("the files of {path} are not what the plan meant")),
        })
    }
}

/// What the run that is taken back has set aside on this path, as it comes back.
fn set_aside(of: &Of, path: &Path, cx: &Context<'_>) -> Result<Work, Fault> {
    let Work { id, files, .. } = of.find(cx.state, "lmdb_set_aside", |_, plan| {
        work(plan).ok().filter(|done: &Work| done.id.path == path && !done.back)
    })?;
    let files = files.map(|it| {
        let aside = it.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Renamed { path: it.to(), aside, id: it.id }
    });
    let back = Work { id, files, back: true };
    match back.missing().first() {
        None => Ok(back),
        Some(what) => Err(Fault::new(format!("{what}.")).hint("Look at what is there, and decide by hand.")),
    }
}

/// Their plan.
fn returned(work: &Work) -> Result<Draft, Fault> {
    let lines = work
        .files
        .iter()
        .flat_map(|it| [crate::clean!("rename {}", it.path.display()), crate::clean!("    to {}", it.to().display())]);
    let seen = work
        .files
        .iter()
        .map(|it| seen(it.path.to_string_lossy(), crate::clean!("inode {}, nothing in its place", it.id.ino)));
    Ok(Draft {
        lines: lines.collect(),
        target: work.id.name(),
        hits: vec![Clean::from("whoever opens it next finds what was in it before")],
        undo: Undo::How(crate::clean!("set {} aside again", work.id.path.display())),
        based_on: seen.collect(),
        targets: vec![work.id.target()],
        raise: Vec::new(),
        settle: Duration::ZERO,
        work: to_work(work)?,
    })
}

impl Work {
    /// Why they cannot come back: one is not what was set aside, something is in its place, somebody has it open.
    fn missing(&self) -> Vec<Clean> {
        let [_, lock] = &self.files;
        let open = Table::read(&lock.path).ok().and_then(|table| table.opened_by().ok().flatten());
        let wrong = self.files.iter().filter_map(|it| match it.places() {
            (true, false) if it.to().symlink_metadata().is_err() => None,
            (false, _) => Some(crate::clean!("{} is not what was set aside", it.path.display())),
            _ => Some(crate::clean!("there is a new {}", it.to().display())),
        });
        let open = open.map(|pid| crate::clean!("process {pid} has it open as it is, set aside"));
        wrong.chain(open).collect()
    }

    /// The lock file first: whoever opens a data file without one makes a new one.
    fn put_back(&self) -> Result<Clean, StepError> {
        if let Some(what) = self.missing().first() {
            return Err(StepError::Failed(Fault::new(format!("{what}."))));
        }
        let [data, lock] = &self.files;
        lock.rename().map_err(StepError::Failed)?;
        if let Err(fault) = data.rename() {
            return Err(match lock.rename_back() {
                Ok(()) => StepError::Failed(fault),
                Err(back) => StepError::Unknown(Fault::new(format!("{fault} The lock file is back alone: {back}"))),
            });
        }
        Entry::open(&data.to()).and_then(|entry| entry.sync_folder()).map_err(StepError::Unknown)?;
        Ok(crate::clean!("{} and {} are back", data.to().display(), lock.to().display()))
    }
}

fn in_between(pid: i32) -> Fault {
    Fault::new(format!(
        "process {pid} opened it while it was set aside: stop that, for it may have one old and one new file."
    ))
}
