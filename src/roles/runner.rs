//! The runner: one process, one accepted plan, started in its own session so that it outlives the console.
//! It observes with its own samplers, judges by itself, and writes its own outcome.

use crate::action::act::{Probe, carry_out};
use crate::action::execute::Real;
use crate::action::lifecycle::{End, Outcome, Progress, Run, State};
use crate::action::plan::Plan;
use crate::action::reach::Reach;
use crate::base::{Clean, Clock, Fault};
use crate::journal::{Journal, Session};
use crate::sys::host::Host;
use crate::sys::{paths, process, random};
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

/// The journal's thread gets this long to finish.
const CLOSE: Duration = Duration::from_secs(2);

/// Carries out the plan in `run_dir`. `build` starts the samplers that the plan names. The exit code: 0 succeeded,
/// 1 failed, 2 cannot be told, 3 refused before the first effect.
pub fn main(run_dir: &Path, clock: &Arc<dyn Clock>, build: impl FnOnce(&Plan) -> Result<Box<dyn Probe>, Fault>) -> u8 {
    let run = Run::at(run_dir);
    match carry(&run, clock, build) {
        Ok(end) => match end.outcome {
            Outcome::Succeeded => 0,
            Outcome::Failed => 1,
            Outcome::Unverified | Outcome::Indeterminate => 2,
            Outcome::Refused => 3,
        },
        Err((plan, fault)) => {
            refuse(&run, plan, &fault);
            3
        }
    }
}

type Refused = (Option<Box<Plan>>, Fault);

fn carry(
    run: &Run,
    clock: &Arc<dyn Clock>,
    build: impl FnOnce(&Plan) -> Result<Box<dyn Probe>, Fault>,
) -> Result<End, Refused> {
    if process::told_to_look() {
        return Err((None, Fault::new("this runner was started from a read-only console.")));
    }
    let accepted = run.read_order().map_err(|fault| (None, fault))?;
    let refused = |fault: Fault| (Some(Box::new(accepted.plan.clone())), fault);
    Reach::of(|name| std::env::var_os(name)).allows(&accepted.plan).map_err(refused)?;
    let state = run.state_dir().ok_or_else(|| refused(Fault::new("this is no run folder.")))?;
    let session = Session {
        host: Host::current(),
        login: accepted.plan.who.clone(),
        id: random::ulid(clock.now().wall),
        pid: process::pid(),
    };
    let journal = Journal::open(&paths::journal_dir(state), session, Arc::clone(clock)).map_err(refused)?;
    let probe = build(&accepted.plan).map_err(refused)?;
    let real = Real::new(&accepted, run, paths::lock_dirs(), &journal, clock.as_ref(), probe);
    let mut real = real.map_err(refused)?;
    let end = carry_out(&mut real);
    real.keep_trying();
    drop(real);
    journal.close(CLOSE);
    run.reserve().keep();
    Ok(end)
}

/// Refused before there was an executor: told in the run folder unless another runner is at work there. The folder
/// has the plan's name, so that even an unreadable order is answered.
fn refuse(run: &Run, plan: Option<Box<Plan>>, fault: &Fault) {
    let named = || run.dir().file_name()?.to_str()?.parse().ok();
    let Some(id) = plan.map(|plan| plan.id).or_else(named) else { return };
    let mut progress = Progress::new(id, process::pid());
    progress.state = State::Over;
    progress.end = Some(End { outcome: Outcome::Refused, reason: Clean::text(fault.to_string()), executed: false });
    let _theirs = run.write_if_first(&progress);
}
