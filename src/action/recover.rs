//! After a crash: runs that were ordered and never reported their end. Looked at, never run again.

use super::kinds::Settled;
use super::lifecycle::{End, Outcome, Progress, Run, State, runs};
use super::plan::Plan;
use super::record::record;
use super::sight;
use crate::base::{Clean, Fault, Now, Wall};
use crate::journal::{Event, Journal};
use crate::sys::host::Host;
use crate::sys::lock::held_by;
use core::time::Duration;
use serde_json::json;
use std::path::{Path, PathBuf};

/// An order this young may still find its runner.
pub const GRACE: Duration = Duration::from_secs(15);

/// Of an order that is withdrawn because no runner took it over.
pub const NEVER_STARTED: &str = "was accepted but never started; nothing was done.";

/// What is known of such a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Its runner still holds the target: follow it.
    Attach {
        /// The runner.
        pid: u32,
    },
    /// It was accepted, and no runner took it over.
    NeverStarted,
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
    /// The action's name in its profile.
    pub fn action(&self) -> String {
        self.plan.what.action.clone()
    }

    /// One sentence for the operator.
    pub fn sentence(&self) -> Clean {
        let title = &self.plan.what.title;
        match &self.standing {
            Standing::Attach { pid } => crate::clean!("{title}: still running as process {pid}."),
            Standing::NeverStarted => crate::clean!("{title}: {NEVER_STARTED}"),
            Standing::NothingDone => crate::clean!("{title}: its runner ended before it changed anything."),
            Standing::Unknown(settled) => {
                crate::clean!("{title}: outcome unknown. Now observed: {}.", settled.what())
            }
        }
    }
}

/// Writes a person's word down on a run whose outcome nobody knows: into the journal first, then as its end.
///
/// # Errors
/// Its runner still works, or nothing durable could be written.
pub fn settle(
    run: &Run,
    (login, reason): (&Clean, &Clean),
    lock_dirs: &[PathBuf],
    journal: &Journal,
    now: Now,
) -> Result<(), Fault> {
    let (accepted, told) = (run.read_order()?, run.read());
    let progress = told.as_ref().ok().and_then(Option::as_ref);
    if progress.is_some_and(|told| told.end.is_some()) {
        return Err(Fault::new("it has an outcome."));
    }
    let plan = &accepted.plan;
    let observed = match standing(run, plan, progress, told.is_ok(), lock_dirs) {
        Standing::Attach { pid } => return Err(Fault::new(format!("process {pid} still works on it."))),
        Standing::Unknown(settled) => settled.what().clone(),
        Standing::NeverStarted | Standing::NothingDone => Clean::from("nothing was done"),
    };
    let res = json!({ "by": login, "reason": reason, "observed": observed });
    journal.append_durable(record(Event::Settled, plan, Some(&accepted.confirm)).res(res))?;
    let mut ended = progress.cloned().unwrap_or_else(|| Progress::new(plan.id, 0));
    let reason = crate::clean!("settled by {login}: {reason}. Then observed: {observed}");
    ended.state = State::Over;
    ended.end = Some(End { outcome: Outcome::Indeterminate, reason, executed: false });
    ended.ended = Some(now);
    run.write(&ended)
}

/// Every run without an outcome under the state folder, oldest first, and what could not be read. At `now`, for orders
/// that may still find their runner: they are left out.
pub fn unresolved(state: &Path, lock_dirs: &[PathBuf], now: Wall) -> (Vec<Unresolved>, Vec<Fault>) {
    let (known, faults) = runs(state);
    let open = known.into_iter().filter(|(_, _, progress)| progress.as_ref().is_none_or(|told| told.end.is_none()));
    let found = open.filter_map(|(run, plan, progress)| {
        if !run.is_accepted() && run.ordered().is_none_or(|at| is_young(at, now)) {
            return None;
        }
        let standing = standing(&run, &plan, progress.as_ref(), true, lock_dirs);
        // It may have told its end while we looked: then it let the target go for that.
        let ended = run.read().is_ok_and(|told| told.is_some_and(|told| told.end.is_some()));
        (!ended).then_some(Unresolved { run, plan, progress, standing })
    });
    (found.collect(), faults)
}

fn is_young(at: Wall, now: Wall) -> bool {
    let passed = now.0.saturating_sub(at.0);
    u64::try_from(passed).is_ok_and(|passed| Duration::from_nanos(passed) < GRACE)
}

/// What can be said of a run without an end: whether its runner still holds a target, else how far it certainly did
/// not come. A status that is there but not `readable` proves nothing.
pub fn standing(
    run: &Run,
    plan: &Plan,
    progress: Option<&Progress>,
    readable: bool,
    lock_dirs: &[PathBuf],
) -> Standing {
    if !run.is_accepted() {
        return Standing::NeverStarted;
    }
    let pid = progress.map(|told| told.pid).or_else(|| run.accepted_by());
    // No runner lives on after a boot: who has its number since is another process.
    let same_boot = plan.place.host.boot_id == Host::current().boot_id;
    let holder = plan
        .locks()
        .iter()
        .filter_map(|name| held_by(lock_dirs, name))
        .find(|holder| same_boot && pid.is_none_or(|pid| pid == *holder));
    match holder {
        Some(holder) => Standing::Attach { pid: holder },
        None if readable && progress.is_none_or(|told| told.state < State::Intent) => Standing::NothingDone,
        None => Standing::Unknown(look(plan)),
    }
}

fn look(plan: &Plan) -> Settled {
    sight::settled(plan)
        .unwrap_or_else(|fault| Settled::Other(crate::clean!("the target cannot be observed ({fault})")))
}
