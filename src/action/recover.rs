//! After a crash: runs that were taken over and never reported their end. Looked at, never run again.

use super::kinds::{self, Settled};
use super::lifecycle::{Progress, Run, State, runs};
use super::plan::Plan;
use crate::base::{Clean, Fault};
use crate::sys::lock::held_by;
use std::path::{Path, PathBuf};

/// What is known of such a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Its runner still holds the target: follow it.
    Attach {
        /// The runner.
        pid: u32,
    },
    /// Its runner ended before the first effect.
    NothingDone,
    /// Outcome unknown; what the target looks like now.
    Unknown(Settled),
}

/// A run without an outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Unresolved {
    /// Its folder.
    pub run: Run,
    /// What it was to do.
    pub plan: Plan,
    /// What its runner told last.
    pub progress: Option<Progress>,
    /// What can be said now.
    pub standing: Standing,
}

impl Unresolved {
    /// One sentence for the operator.
    pub fn sentence(&self) -> Clean {
        let title = &self.plan.what.title;
        match &self.standing {
            Standing::Attach { pid } => crate::clean!("{title}: still running as process {pid}."),
            Standing::NothingDone => crate::clean!("{title}: its runner ended before it changed anything."),
            Standing::Unknown(settled) => {
                let (Settled::Done(what) | Settled::NotDone(what) | Settled::Other(what)) = settled;
                crate::clean!("{title}: outcome unknown. Now observed: {what}.")
            }
        }
    }
}

/// Every run without an outcome under the state folder, oldest first, and what could not be read.
pub fn unresolved(state: &Path, lock_dirs: &[PathBuf]) -> (Vec<Unresolved>, Vec<Fault>) {
    let (known, faults) = runs(state);
    let open = known.into_iter().filter(|(_, _, progress)| progress.as_ref().is_none_or(|told| told.end.is_none()));
    let found = open.map(|(run, plan, progress)| {
        let holder = plan.locks().iter().find_map(|name| held_by(lock_dirs, name));
        let pid = progress.as_ref().map(|told| told.pid);
        let standing = match holder {
            Some(holder) if pid.is_none_or(|pid| pid == holder) => Standing::Attach { pid: holder },
            _ if progress.as_ref().is_none_or(|told| told.state < State::Intent) => Standing::NothingDone,
            _ => Standing::Unknown(look(&plan)),
        };
        Unresolved { run, plan, progress, standing }
    });
    (found.collect(), faults)
}

fn look(plan: &Plan) -> Settled {
    kinds::of(plan)
        .and_then(|kind| kind.settled(plan))
        .unwrap_or_else(|fault| Settled::Other(crate::clean!("the target cannot be observed ({fault})")))
}
