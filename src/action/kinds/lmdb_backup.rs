//! `lmdb_backup`: a copy of a live LMDB environment, made by the library with the rights of its owner, read back by
//! digest, opened and counted. The list of digests beside it is the one of `file_backup`: `file_restore` with
//! `from = "/var/backups/app/data.backup-*"` puts the newest copy back, without a lock file, as the folder it was made of
//! is owned. (An environment that is a single file is put back by hand: the copy is a folder.)
//!
//! ```toml
//! [actions.back-up-data]
//! kind    = "lmdb_backup"
//! path    = "/var/lib/app/data"      # the folder of data.mdb, or a data file without a folder of its own
//! to      = "/var/backups/app"       # the copy gets a folder of its own in it
//! compact = true                     # without free pages: smaller and slower; fails where pages were leaked
//! ```

use super::backup_remove;
use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back;
use crate::action::doing::Doing;
use crate::action::files::free;
use crate::action::left::{Left, Part};
use crate::action::lifecycle::Run;
use crate::action::lmdb::copy::Copying;
use crate::action::lmdb::identity::{self, Identity};
use crate::action::plan::{Danger, Plan, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::lmdb::child::Stop;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The kind.
#[derive(Debug)]
pub struct LmdbBackup;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    id: Identity,
    copying: Copying,
}

impl Kind for LmdbBackup {
    fn name(&self) -> &'static str {
        "lmdb_backup"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "copies a live LMDB environment and counts what the copy holds"
    }

    fn least_danger(&self) -> Danger {
        Danger::C1
    }

    fn draft(&self, body: &mut Body, run: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let path: PathBuf = body.need("path")?;
        let to: PathBuf = body.need("to")?;
        let compact = body.take("compact")?.unwrap_or(true);
        cx.done(body, &[COMMON, &["path", "to", "compact"]].concat())?;
        let (seen, id) = identity::look(&path)?;
        let copying = Copying::plan((&id, seen.meta.used()), (to, compact), run.dir().join("copy.json"), cx)?;
        let how = if compact { "compacting" } else { "page by page" };
        let there = copying.path();
        let hits = vec![
            identity::fill(&seen),
            crate::clean!("{} free at {}", identity::show(free(&copying.to)?), copying.to.display()),
            copying.before(),
            Clean::from("one read transaction stays open until it is done: what is freed meanwhile is not used again"),
        ];
        Ok(Draft {
            lines: vec![
                crate::clean!("copy {}  ({how})", id.data.display()),
                crate::clean!("  to {}", there.display()),
                crate::clean!("list {}.sha256", there.display()),
            ],
            target: id.name(),
            hits,
            undo: Undo::How(Clean::from("remove the copy and its list")),
            based_on: vec![identity::based_on(&seen)],
            targets: vec![id.target()],
            raise: Vec::new(),
            settle: Duration::ZERO,
            work: to_work(&Work { id, copying })?,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        Ok(work::<Work>(plan)?.id.differences()?.1)
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["copy"]
    }

    fn step(&self, _: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        let Work { id, copying } = work(plan).map_err(StepError::Failed)?;
        let (seen, _) = id.differences().map_err(StepError::Failed)?;
        let copied = copying.make(&id, seen.meta.used(), doing);
        let kept = id.keep_owners().map_err(StepError::Unknown)?;
        let copied = copied.map_err(|stop| match stop {
            Stop::Refused(fault) => StepError::Failed(fault),
            Stop::Silent(fault) => StepError::Unknown(fault),
        })?;
        let kept = kept.map_or_else(String::new, |what| format!("; {what}"));
        let (copy, list) = (copying.path(), copying.to.join(copying.list()));
        let left = Left::keep(doing.run, &[(Part::Put, &copy), (Part::Put, &list)]);
        Ok(crate::clean!("{}: {}{kept}{left}", copy.display(), copied.words()))
    }

    fn way_back(&self, plan: &Plan) -> Option<(&'static str, back::Table)> {
        work::<Work>(plan).ok().map(|work| backup_remove::way_back(plan, &work.copying.path()))
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        let work: Work = work(plan).ok()?;
        Some(match work.copying.done() {
            Ok(copied) => Proof::Holds(copied.sha256.clone(), copied.words()),
            Err(why) => Proof::Broken(why),
        })
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let copying = work::<Work>(plan)?.copying;
        let there = copying.path();
        Ok(match copying.done() {
            Ok(copied) => Settled::Done(crate::clean!("{} is there: {}", there.display(), copied.words())),
            Err(_) if copying.is_half() => {
                Settled::NotDone(crate::clean!("{}.partial is not whole and can be removed", there.display()))
            }
            Err(_) if there.exists() => Settled::Other(crate::clean!("{} is there, unproven", there.display())),
            Err(_) => Settled::NotDone(crate::clean!("there is no {}", there.display())),
        })
    }
}
