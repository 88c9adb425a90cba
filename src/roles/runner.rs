//! The runner: one process, one accepted plan, started in its own session so that it outlives the console.
//! It observes with its own samplers, judges by itself, and writes its own outcome.

use crate::action::act::{Probe, carry_out};
use crate::action::execute::Real;
use crate::action::late;
use crate::action::lifecycle::{End, Outcome, Progress, Run, State};
use crate::action::plan::Plan;
use crate::action::prompt::Acceptance;
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
        Err((accepted, fault)) => {
            refuse(&run, accepted, &fault, clock);
            3
        }
    }
}

/// What was accepted, where that could be read, and why it is not carried out.
type Refused = (Option<Box<Acceptance>>, Fault);

fn carry(
    run: &Run,
    clock: &Arc<dyn Clock>,
    build: impl FnOnce(&Plan) -> Result<Box<dyn Probe>, Fault>,
) -> Result<End, Refused> {
    let state = run.state_dir().ok_or_else(|| (None, Fault::new("this is no run folder.")))?;
    paths::judge_state(state).map_err(|fault| (None, fault))?;
    let accepted = run.read_order().map_err(|fault| (None, fault))?;
    let refused = |fault: Fault| (Some(Box::new(accepted.clone())), fault);
    if process::told_to_look() {
        return Err(refused(Fault::new("this runner was started from a read-only console.")));
    }
    Reach::of(|name| std::env::var_os(name)).allows(&accepted.plan).map_err(refused)?;
    let journal = open_journal(run, &accepted.plan, clock).map_err(refused)?;
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

fn open_journal(run: &Run, plan: &Plan, clock: &Arc<dyn Clock>) -> Result<Journal, Fault> {
    let state = run.state_dir().ok_or_else(|| Fault::new("this is no run folder."))?;
    let session = Session {
        host: Host::current(),
        login: plan.who.clone(),
        id: random::ulid(clock.now().wall),
        pid: process::pid(),
    };
    Journal::open(&paths::journal_dir(state), session, Arc::clone(clock))
}

/// Refused before there was an executor: told in the run folder, and then recorded, unless another runner is at work
/// there. The folder has the plan's name, so that even an unreadable order is answered.
fn refuse(run: &Run, accepted: Option<Box<Acceptance>>, fault: &Fault, clock: &Arc<dyn Clock>) {
    let named = || run.dir().file_name()?.to_str()?.parse().ok();
    let Some(id) = accepted.as_ref().map(|accepted| accepted.plan.id).or_else(named) else { return };
    let end = End { outcome: Outcome::Refused, reason: Clean::text(fault.to_string()), executed: false };
    let mut told = Progress::new(id, process::pid());
    told.state = State::Over;
    told.ended = Some(clock.now());
    told.end = Some(end.clone());
    // Until it is: what this process cannot write down, the next console does.
    told.unrecorded = accepted.is_some().then(|| Clean::from("that it was refused is not in the journal"));
    let _ours = late::hold(&paths::lock_dirs(), id);
    let is_first = run.write_if_first(&told).unwrap_or(false);
    let Some(accepted) = accepted.filter(|_| is_first) else { return };
    let Ok(journal) = open_journal(run, &accepted.plan, clock) else { return };
    let record = late::outcome(&accepted.plan, Some(&accepted.confirm), &told, &end, false);
    let _the_next_console_does = late::write(&journal, record, run, &mut told);
    journal.close(CLOSE);
}
