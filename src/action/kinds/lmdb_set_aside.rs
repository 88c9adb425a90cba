//! `lmdb_set_aside`: renames the data file and the lock file of an LMDB environment in their folder instead of deleting
//! them, while no process has it open. The folder stays, so that the program can begin anew in it.
//!
//! ```toml
//! [actions.set-data-aside]
//! kind = "lmdb_set_aside"
//! path = "/var/lib/app/data"
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::doing::Doing;
use crate::action::files::stamped;
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
}

impl Renamed {
    fn plan(path: &Path, cx: &Context<'_>) -> Result<Self, Fault> {
        let entry = Entry::open(path)?;
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
        cx.done(body, &[COMMON, &["path"]].concat())?;
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
            raise: identity::raise(&path),
            settle: Duration::ZERO,
            work: to_work(&Work { id, files })?,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let Work { id, .. } = work(plan)?;
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
        let Work { id, files: [data, lock] } = work(plan).map_err(StepError::Failed)?;
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

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        Some(match self.settled(plan) {
            Ok(Settled::Done(said)) => Proof::Holds(String::new(), said),
            Ok(Settled::NotDone(said) | Settled::Other(said)) => Proof::Broken(said),
            Err(fault) => Proof::Unseen(Clean::text(fault.to_string())),
        })
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let Work { id, files } = work(plan)?;
        let path = id.path.display();
        Ok(match files.each_ref().map(Renamed::places) {
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

fn in_between(pid: i32) -> Fault {
    Fault::new(format!(
        "process {pid} opened it while it was set aside: stop that, for it may have one old and one new file."
    ))
}
