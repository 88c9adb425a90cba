//! `backup_remove`: the way back from a `file_backup`, `lmdb_backup` or `sqlite_backup` of the same profile: the copy that
//! very run has made is removed with its list, while both are still as it left them. It cannot be taken back.
//!
//! ```toml
//! [actions.remove-backup]
//! kind = "backup_remove"
//! of   = "back-up-state"            # the newest run of this action that made this copy
//! copy = "/var/backups/app.backup-20261128T031247Z-7XQ2M0"
//! ```

use super::{Draft, Kind, Proof, Settled, StepError, to_work, work};
use crate::action::back::{self, Of};
use crate::action::doing::Doing;
use crate::action::files::{counted, name_of, path_of, seen};
use crate::action::left::Left;
use crate::action::lifecycle::Run;
use crate::action::plan::{Danger, Plan, Target, Undo};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::entry::Entry;
use crate::sys::tree::{Place, remove, survey};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The kinds whose copies these are.
const OF: [&str; 3] = ["file_backup", "lmdb_backup", "sqlite_backup"];

/// The kind.
#[derive(Debug)]
pub struct BackupRemove;

/// This kind's part of a plan.
#[derive(Debug, Serialize, Deserialize)]
struct Work {
    copy: PathBuf,
    /// What the run left that made it.
    left: Left,
}

impl Work {
    fn names(&self) -> Result<(String, String), Fault> {
        let name = name_of(&self.copy)?;
        let list = format!("{name}.sha256");
        Ok((name, list))
    }

    /// The list first: from then on the copy is no backup, however much of it is left.
    fn remove(&self) -> Result<Clean, StepError> {
        let (name, list) = self.names().map_err(StepError::Failed)?;
        let place = Place::around(&self.copy).map_err(StepError::Failed)?;
        remove(&place, &list)
            .map_err(|fault| if place.has(&list) { StepError::Failed(fault) } else { StepError::Unknown(fault) })?;
        let gone = remove(&place, &name).and_then(|()| place.sync());
        gone.map_err(|fault| StepError::Unknown(fault.hint("Without its list it is no backup: remove the rest.")))?;
        Ok(crate::clean!("{} and its list are removed", self.copy.display()))
    }
}

impl Kind for BackupRemove {
    fn name(&self) -> &'static str {
        "backup_remove"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "removes a copy that a backup of this profile has made, while it is as it was made"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, _: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let of = Of::read(body.need("of")?, body)?;
        let copy = path_of(body, "copy")?;
        cx.done(body, &[COMMON, &["of", "copy"]].concat())?;
        let entry = Entry::open(&copy)?;
        let name = name_of(&copy)?;
        let list = copy.with_file_name(format!("{name}.sha256"));
        let listed = Entry::open(&list)?;
        let left = Left::of(&of, cx.state, &OF, &[&copy, &list])?;
        left.untouched()?;
        entry.replaceable()?;
        let place = Place::around(&copy)?;
        place.writable()?;
        let held = counted(&survey(&entry, None)?.0, entry.id().folder);
        let as_made = seen(copy.to_string_lossy(), Clean::from("as its run left it, and so is its list"));
        let targets = [(&copy, &entry), (&list, &listed)];
        Ok(Draft {
            lines: [&copy, &list].map(|path| crate::clean!("remove {}", path.display())).to_vec(),
            target: name.clone(),
            hits: vec![held, others(&place, &name)?],
            undo: Undo::Irreversible,
            based_on: vec![as_made],
            targets: targets.map(|(path, of)| Target::Entry { path: path.clone(), id: of.id().clone() }).to_vec(),
            work: to_work(&Work { copy, left })?,
            raise: Vec::new(),
            settle: Duration::ZERO,
        })
    }

    fn differences(&self, plan: &Plan, _: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        work::<Work>(plan)?.left.differences()
    }

    fn backup(&self, _: &Plan, _: &Doing<'_>) -> Result<bool, Fault> {
        Ok(false)
    }

    fn steps(&self, _: &Plan) -> Vec<&'static str> {
        vec!["remove"]
    }

    fn step(&self, _: &str, plan: &Plan, _: &Doing<'_>) -> Result<Clean, StepError> {
        work::<Work>(plan).map_err(StepError::Failed)?.remove()
    }

    fn proof(&self, plan: &Plan, _: &dyn Clock) -> Option<Proof> {
        Some(self.settled(plan).into())
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        let work: Work = work(plan)?;
        let (name, list) = work.names()?;
        let place = Place::around(&work.copy)?;
        let copy = work.copy.display();
        Ok(match (place.has(&name), place.has(&list)) {
            (false, false) => Settled::Done(crate::clean!("{copy} and its list are gone")),
            (true, true) if work.left.differences()?.is_empty() => {
                Settled::NotDone(crate::clean!("{copy} and its list are there as they were"))
            }
            (true, false) => Settled::Other(crate::clean!("{copy} has no list: it is no backup; remove what is left")),
            _ => Settled::Other(crate::clean!("{copy} and its list are not what the plan meant")),
        })
    }
}

/// The way back from a backup: the kind of its plan, and its table.
pub(super) fn way_back(plan: &Plan, copy: &Path) -> (&'static str, back::Table) {
    let of = ("of", Some(plan.what.action.clone().into()));
    ("backup_remove", back::table([of, back::run(plan), ("copy", back::value(&copy))]))
}

/// What other copies of the same there are.
fn others(place: &Place, name: &str) -> Result<Clean, Fault> {
    let base = name.split_once(".backup-").map_or(name, |(base, _)| base);
    let lists = place.beginning(&format!("{base}.backup-"))?;
    let mut others: Vec<&str> = lists.iter().filter_map(|list| list.strip_suffix(".sha256")).collect();
    others.retain(|other| *other != name);
    Ok(match others.last() {
        None => Clean::from("there is no other backup beside it"),
        Some(newest) => crate::clean!("other backups beside it: {}; the newest is {newest}", others.len()),
    })
}
