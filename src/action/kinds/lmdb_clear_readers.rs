//! `lmdb_clear_readers`: frees the slots that dead readers left in an LMDB environment's table, so that the pages they
//! pin can be used again. The library judges, with the rights of the owner; the file does not shrink.
//!
//! ```toml
//! [actions.clear-dead-readers]
//! kind = "lmdb_clear_readers"
//! path = "/var/lib/app/data"
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::doing::Doing;
use crate::action::lifecycle::Run;
use crate::action::lmdb::identity::{self, Identity};
use crate::action::plan::{Danger, Plan, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::lmdb::child::{Answer, Stop, Task, ask};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The kind.
#[derive(Debug)]
pub struct LmdbClearReaders;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    id: Identity,
    /// Processes whose slots are dead.
    dead: Vec<u32>,
}

impl Kind for LmdbClearReaders {
    fn name(&self) -> &'static str {
        "lmdb_clear_readers"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "frees the slots of dead readers of an LMDB environment"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let path: PathBuf = body.need("path")?;
        cx.done(body, &[COMMON, &["path"]].concat())?;
        let (seen, id) = identity::look(&path)?;
        let dead = seen.dead();
        let (all, max) = (seen.table.readers.slots.len(), seen.table.readers.max);
        if dead.is_empty() {
            return Err(Fault::new(format!("no reader of {} is dead; slots in use: {all}.", path.display()))
                .hint("A reader that lives can only be ended by its own program."));
        }
        let mut raise = Vec::new();
        let mut hits = vec![crate::clean!("dead readers: {} of {all} slots in use; there are {max}", dead.len())];
        for (pid, behind, reused) in &dead {
            let none = || "no transaction open".to_owned();
            let behind = behind.map_or_else(none, |behind| format!("{behind} transactions behind"));
            hits.push(crate::clean!("slot of process {pid}: {behind}"));
            if *reused {
                raise.push(crate::clean!("another process has the number {pid} now"));
            }
        }
        Ok(Draft {
            lines: vec![crate::clean!("clear the dead readers of {}", id.data.display())],
            target: id.name(),
            hits,
            undo: Undo::How(Clean::from("not needed: a slot that nobody owns holds nothing")),
            based_on: vec![identity::based_on(&seen)],
            targets: vec![id.target()],
            raise,
            settle: Duration::ZERO,
            work: to_work(&Work { id, dead: dead.iter().map(|(pid, ..)| *pid).collect() })?,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        let Work { id, dead } = work(plan)?;
        let (seen, mut found) = id.differences()?;
        let now: Vec<u32> = seen.dead().iter().map(|(pid, ..)| *pid).collect();
        if now != dead {
            let list = |pids: &[u32]| pids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
            found.push(crate::clean!("dead readers were {} and are {} now", list(&dead), list(&now)));
        }
        Ok(found)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["clear"]
    }

    fn step(&self, _: &str, plan: &Plan, _: &Doing<'_>) -> Result<Clean, StepError> {
        let Work { id, .. } = work(plan).map_err(StepError::Failed)?;
        let answer = ask(&id.place(), Task::ClearReaders, &mut |_| Ok(()));
        let kept = id.keep_owners().map_err(StepError::Unknown)?;
        match answer {
            Ok(Answer::Cleared(count)) => {
                let kept = kept.map_or_else(String::new, |what| format!("; {what}"));
                Ok(match count {
                    // The library begins the table anew for the first who opens it.
                    0 => crate::clean!("nobody had it open: its table of readers is empty now{kept}"),
                    count => crate::clean!("slots cleared: {count}{kept}"),
                })
            }
            Ok(other) => Err(StepError::Unknown(Fault::new(format!("the LMDB child answered {other:?}.")))),
            Err(Stop::Refused(fault)) => Err(StepError::Failed(fault)),
            Err(Stop::Silent(fault)) => Err(StepError::Unknown(fault)),
        }
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        Some(self.settled(plan).into())
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let Work { id, dead } = work(plan)?;
        let (seen, _) = identity::look(&id.path)?;
        let (left, slots) = (seen.dead(), seen.table.readers.slots.len());
        Ok(match left.iter().filter(|(pid, ..)| dead.contains(pid)).count() {
            0 => Settled::Done(crate::clean!("no dead reader is left; slots in use: {slots}")),
            left if left == dead.len() => Settled::NotDone(crate::clean!("dead readers still there: {left}")),
            left => Settled::Other(crate::clean!("dead readers still there: {left} of {}", dead.len())),
        })
    }
}
