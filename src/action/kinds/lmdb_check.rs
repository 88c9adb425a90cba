//! `lmdb_check`: reads every page of a live LMDB environment that a tree has, as a compacting copy would, with the rights
//! of its owner, and keeps nothing of it: no room is wanted, and a damaged or missing page ends it. What stands in the
//! values is theirs: LMDB has no checksums.
//!
//! ```toml
//! [actions.check-data]
//! kind = "lmdb_check"
//! path = "/var/lib/app/data"         # the folder of data.mdb, or a data file without a folder of its own
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::doing::Doing;
use crate::action::lifecycle::Run;
use crate::action::lmdb::identity::{self, Identity, show};
use crate::action::plan::{Danger, Plan, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::lmdb::child::{Answer, Stop, Task, ask};
use core::time::Duration;
use std::path::PathBuf;

/// From one word about progress to the next: a tenth, within these.
const TELL: (u64, u64) = (1 << 20, 256 << 20);
/// The library's word for pages that no tree has and the list of free ones does not know either.
const LEAKED: &str = "MDB_INCOMPATIBLE";

/// The kind.
#[derive(Debug)]
pub struct LmdbCheck;

impl Kind for LmdbCheck {
    fn name(&self) -> &'static str {
        "lmdb_check"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "reads every page of a live LMDB environment as a copy would, and keeps nothing"
    }

    fn least_danger(&self) -> Danger {
        Danger::C1
    }

    fn lasts(&self) -> bool {
        false
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let path: PathBuf = body.need("path")?;
        cx.done(body, &[COMMON, &["path"]].concat())?;
        let (seen, id) = identity::look(&path)?;
        Ok(Draft {
            lines: vec![
                crate::clean!("read {}", id.data.display()),
                Clean::from("  every page of every tree, as a compacting copy would; to nowhere"),
            ],
            target: id.name(),
            hits: vec![
                identity::fill(&seen),
                Clean::from(
                    "one read transaction stays open until it is done: what is freed meanwhile is not used again",
                ),
            ],
            undo: Undo::How(Clean::from("nothing to undo: it only reads, and keeps nothing")),
            based_on: vec![identity::based_on(&seen)],
            targets: vec![id.target()],
            raise: Vec::new(),
            settle: Duration::ZERO,
            work: to_work(&id)?,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        Ok(work::<Identity>(plan)?.differences()?.1)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["read"]
    }

    fn step(&self, _: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let id: Identity = work(plan).map_err(StepError::Failed)?;
        let (seen, _) = id.differences().map_err(StepError::Failed)?;
        let read = read(&id, seen.meta.used(), doing);
        let kept = id.keep_owners().map_err(StepError::Unknown)?;
        let kept = kept.map_or_else(String::new, |what| format!("; {what}"));
        Ok(crate::clean!("{}{kept}", read.map_err(StepError::Failed)?))
    }

    fn proof(&self, _: &Plan, _: &dyn Clock) -> Option<Proof> {
        // It was to change nothing, and its step has the answer.
        Some(Proof::Holds(String::new(), Clean::from("read whole")))
    }

    fn settled(&self, _: &Plan) -> Result<Settled, Fault> {
        Ok(Settled::NotDone(Clean::from("nothing was to change; check again")))
    }
}

/// Has the owner's child read all of it and counts what comes; what it holds, in words.
fn read(id: &Identity, used: u64, doing: &Doing<'_>) -> Result<Clean, Fault> {
    let every = (used / 10).clamp(TELL.0, TELL.1);
    let (mut bytes, mut told) = (0_u64, 0_u64);
    let answer = ask(&id.place(), Task::Copy { compact: true }, &mut |piece| {
        if (doing.stops)() {
            return Err(Fault::new("the operator ended it."));
        }
        bytes += u64::try_from(piece.len()).unwrap_or(0);
        if bytes >= told + every {
            told = bytes;
            (doing.tell)(crate::clean!("{} of at most {} read", show(bytes), show(used)));
        }
        Ok(())
    });
    let (before, after) = match answer.map_err(|stop| damaged(id, stop))? {
        Answer::Copied { before, after } => (before, after),
        other => return Err(Fault::new(format!("the LMDB child answered {other:?}."))),
    };
    let how = if before.txn == after.txn { "" } else { ", of one moment while it changed" };
    let (entries, databases) = (before.entries, before.databases.len());
    Ok(crate::clean!("{} read{how}: every page of {entries} entries and {databases} named databases", show(bytes)))
}

/// The fault, and what it says of the data.
fn damaged(id: &Identity, stop: Stop) -> Fault {
    let data = id.data.display();
    match stop {
        Stop::Refused(fault) if fault.what.as_str().contains(LEAKED) => Fault::new(format!("{data}: {}", fault.what))
            .hint("Pages are leaked, or a tree is damaged: a copy page by page (`compact = false`) tells them apart."),
        Stop::Refused(fault) => Fault { what: crate::clean!("{data} cannot be read whole: {}", fault.what), ..fault },
        Stop::Silent(fault) => Fault::new(format!("{data} cannot be read whole: {}", fault.what))
            .hint("The library ends at a page that is no page: take the data as damaged."),
    }
}
