//! `config_restore`: the way back from a `config_set` of the same profile. The file must still be as that run left it, and
//! the backup as it was saved; then it is put back byte for byte, and what reads it is restarted.
//!
//! ```toml
//! [actions.put-back]
//! kind = "config_restore"
//! of   = "reduce-batch-size"        # the newest run of this action on this file
//! file = "/etc/app/production.toml"
//! ```

use super::config_set::{ConfigSet, Work, drafted};
use super::lmdb_grow;
use super::{Draft, Kind, Proof, Settled, StepError, work};
use crate::action::back::Of;
use crate::action::backups;
use crate::action::config_text::edit::Row;
use crate::action::doing::Doing;
use crate::action::lifecycle::Run;
use crate::action::linked;
use crate::action::plan::{Danger, Plan, Target};
use crate::action::prepare::{COMMON, Context};
use crate::base::{Body, Clean, Clock, Fault};
use crate::sys::files;
use crate::sys::held::{Held, LIMIT};
use std::path::PathBuf;

/// The kind.
#[derive(Debug)]
pub struct ConfigRestore;

impl Kind for ConfigRestore {
    fn name(&self) -> &'static str {
        "config_restore"
    }

    fn version(&self) -> u32 {
        1
    }

    fn about(&self) -> &'static str {
        "puts back what a config_set of this profile has changed, from its own backup"
    }

    fn least_danger(&self) -> Danger {
        Danger::C2
    }

    fn draft(&self, body: &mut Body, run: &Run, cx: &Context<'_>) -> Result<Draft, Fault> {
        let of = Of::read(body.need("of")?, body)?;
        let file: PathBuf = body.need("file")?;
        cx.done(body, &[COMMON, &["of", "file"]].concat())?;
        let (file, link) = linked::resolved(file)?;
        let ours = |done: &Work| done.file == file || (link.is_some() && done.link == link);
        let edit = |done: Option<Work>, run, plan: &Plan| done.filter(ours).map(|done| (run, plan.clone(), done));
        let grown = || of.find(cx.state, "lmdb_grow", |run, plan| edit(lmdb_grow::edit_of(plan), run, plan)).ok();
        let set = of.find(cx.state, "config_set", |run, plan| edit(work(plan).ok(), run, plan));
        let (then, plan, done) = set.or_else(|fault| grown().ok_or(fault))?;
        if let Some(link) = link.as_ref().filter(|_| done.file != file) {
            let (link, then, now) = (link.display(), done.file.display(), file.display());
            return Err(Fault::new(format!("{link} led to {then} at that time, and leads to {now} now."))
                .hint("Decide by hand which of them is to be put back."));
        }
        let before = plan.targets.iter().find_map(|target| match target {
            Target::File { id, .. } => Some(id.sha256.clone()),
            _ => None,
        });
        let before = before.ok_or_else(|| Fault::new("that run names no file."))?;
        let (file, held) = (done.file.display().to_string(), Held::open(&done.file)?);
        let kept = then.backup_of(&done.file);
        if held.id().sha256 == before {
            return Err(Fault::new(format!("there is nothing to take back: {file} is as it was before.")));
        }
        if held.id().sha256 != done.after {
            return Err(Fault::new(format!("{file} was changed since by {}.", of.others()))
                .hint(format!("The backup is {}: decide by hand.", kept.display())));
        }
        if !kept.exists() {
            return Err(Fault::new(format!("the backup {} is no longer kept.", kept.display())));
        }
        if files::sha256(&files::read(&kept, LIMIT)?) != before {
            return Err(Fault::new(format!("the backup {} is not what was saved.", kept.display())));
        }
        let set = done
            .set
            .iter()
            .map(|row| Row { key: row.key.clone(), from: row.to.clone(), to: row.from.clone() })
            .collect();
        // What is put back is never among what is removed.
        let old = backups::too_many(cx.state, &done.file).into_iter().filter(|id| *id != plan.id).collect();
        let work = Work { set, after: before, link, kept: Some(kept), old, ..done };
        drafted((work, &held), run, cx)
    }

    fn differences(&self, plan: &Plan, clock: &dyn Clock) -> Result<Vec<Clean>, Fault> {
        ConfigSet.differences(plan, clock)
    }

    fn backup(&self, plan: &Plan, doing: &Doing<'_>) -> Result<bool, Fault> {
        ConfigSet.backup(plan, doing)
    }

    fn steps(&self, plan: &Plan) -> Vec<&'static str> {
        ConfigSet.steps(plan)
    }

    fn step(&self, name: &str, plan: &Plan, doing: &Doing<'_>) -> Result<Clean, StepError> {
        ConfigSet.step(name, plan, doing)
    }

    fn ended(&self, before: &str, plan: &Plan, doing: &Doing<'_>) -> Option<Clean> {
        ConfigSet.ended(before, plan, doing)
    }

    fn proof(&self, plan: &Plan, clock: &dyn Clock) -> Option<Proof> {
        ConfigSet.proof(plan, clock)
    }

    fn within(&self, plan: &Plan) -> core::time::Duration {
        ConfigSet.within(plan)
    }

    fn proves(&self, plan: &Plan) -> bool {
        ConfigSet.proves(plan)
    }

    fn settled(&self, plan: &Plan) -> Result<Settled, Fault> {
        ConfigSet.settled(plan)
    }
}
