//! Outcomes that nobody could write down when they came: an order that no runner took over is withdrawn and recorded by
//! whoever finds it; one that the journal does not take is kept by its runner, told in the run folder, and tried again.
//! Who writes for a run holds its lock, so that a console and the runner do not write both.

use super::lifecycle::{End, Outcome, Progress, Run};
use super::plan::Plan;
use super::prompt::Confirm;
use super::record::record;
use crate::base::{Clean, Clock, Fault, Ulid};
use crate::journal::{Event, Journal, Record};
use crate::sys::lock::{Refusal, TargetLock, held_by};
use core::time::Duration;
use serde_json::json;
use std::path::PathBuf;

/// The first pause between two tries; each is twice as long as the one before.
const FIRST: Duration = Duration::from_secs(1);
/// But not longer than this.
const LONGEST: Duration = Duration::from_secs(60);
/// Then the runner leaves it to the next console.
const GIVE_UP: Duration = Duration::from_secs(24 * 60 * 60);

fn lock_name(plan: Ulid) -> String {
    format!("outcome of {plan}")
}

/// Holds the right to write this run's outcome down late.
///
/// # Errors
/// Who does that now, or that there is no place for locks.
pub fn hold(dirs: &[PathBuf], plan: Ulid) -> Result<TargetLock, Refusal> {
    TargetLock::take(dirs, &lock_name(plan))
}

/// Whether somebody still tries to write the outcome of this run down.
pub fn is_tried(dirs: &[PathBuf], told: &Progress) -> bool {
    told.unrecorded.is_some() && held_by(dirs, &lock_name(told.plan)).is_some()
}

/// How it ended, for the journal.
pub fn outcome(plan: &Plan, confirm: Option<&Confirm>, told: &Progress, end: &End, late: bool) -> Record {
    let event = if end.outcome == Outcome::Refused { Event::ActionRefused } else { Event::Outcome };
    let mut res = json!({
        "outcome": end.outcome.word(),
        "executed": end.executed,
        "reason": end.reason,
        "comparisons": told.comparisons,
    });
    if let Some(res) = res.as_object_mut().filter(|_| late) {
        res.insert("late".to_owned(), true.into());
    }
    record(event, plan, confirm).res(res)
}

/// Makes sure that no runner takes this order over any more, and says so in the run folder and the journal; `None` when
/// one already has. `confirm` is known to the console that gave the order alone.
///
/// # Errors
/// When the run folder cannot be written: then one may still begin.
pub fn withdraw(
    run: &Run,
    plan: &Plan,
    confirm: Option<&Confirm>,
    why: Clean,
    journal: Option<&Journal>,
) -> Result<Option<Progress>, Fault> {
    let withdrawn = run.withdraw(plan.id, why)?;
    // A runner that was refused before has told its own end, and recorded it.
    let ours = withdrawn.as_ref().filter(|told| told.pid == crate::sys::process::pid());
    if let Some((told, end, journal)) = ours.and_then(|told| Some((told, told.end.as_ref()?, journal?))) {
        journal.append(outcome(plan, confirm, told, end, confirm.is_none()));
    }
    Ok(withdrawn)
}

/// Writes it, and that it is written; in the run folder too.
///
/// # Errors
/// Why it is still not in the journal.
pub fn write(journal: &Journal, record: Record, run: &Run, told: &mut Progress) -> Result<(), Fault> {
    journal.append_durable(record)?;
    told.unrecorded = None;
    // Not told: then it is recorded once more by the next console, which is no lie.
    let _best_effort = run.write(told);
    Ok(())
}

/// Pauses, and then tries, until it is written or a day is over. `pause` lets at most so much time pass.
pub fn keep_trying(clock: &dyn Clock, pause: &mut dyn FnMut(Duration), attempt: &mut dyn FnMut() -> bool) -> bool {
    let (begun, mut wait) = (clock.now().mono, FIRST);
    while clock.now().mono.since(begun) < GIVE_UP {
        let from = clock.now().mono;
        while let Some(rest) = wait.checked_sub(clock.now().mono.since(from)).filter(|rest| !rest.is_zero()) {
            pause(rest);
        }
        if attempt() {
            return true;
        }
        wait = (wait * 2).min(LONGEST);
    }
    false
}

/// What the run folder says while it is tried, and once it no longer is.
pub fn said(trying: bool) -> Clean {
    Clean::from(if trying {
        "the outcome cannot be written to the journal; its runner keeps it and tries again"
    } else {
        "the outcome could not be written to the journal for a day; the next console writes it"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Mono, Now, Wall};
    use core::sync::atomic::{AtomicU64, Ordering};

    #[derive(Default)]
    struct Played(AtomicU64);

    impl Clock for Played {
        fn now(&self) -> Now {
            Now { mono: Mono::default() + Duration::from_secs(self.0.load(Ordering::SeqCst)), wall: Wall::default() }
        }
    }

    /// At which second it was tried, when it is written at the `nth` try.
    fn tries(nth: usize) -> (bool, Vec<u64>) {
        let (clock, mut at) = (Played::default(), Vec::new());
        let mut pause = |rest: Duration| {
            clock.0.fetch_add(rest.as_secs().clamp(1, 20), Ordering::SeqCst);
        };
        let done = keep_trying(&clock, &mut pause, &mut || {
            at.push(clock.0.load(Ordering::SeqCst));
            at.len() == nth
        });
        (done, at)
    }

    #[test]
    fn it_is_tried_ever_more_slowly_but_once_a_minute_and_for_a_day() {
        assert_eq!(tries(1), (true, vec![1]));
        assert_eq!(tries(9), (true, vec![1, 3, 7, 15, 31, 63, 123, 183, 243]));
        let (done, at) = tries(usize::MAX);
        assert!(!done && at.last().is_some_and(|last| (86_400..86_460).contains(last)), "{:?}", at.last());
    }

    #[test]
    fn one_at_a_time_writes_it_down() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = [dir.path().to_owned()];
        let mut told = Progress::new(Ulid(7), 1);
        told.unrecorded = Some(said(true));
        let held = hold(&dirs, Ulid(7)).unwrap();
        assert!(matches!(hold(&dirs, Ulid(7)), Err(Refusal::Held(_))));
        assert!(is_tried(&dirs, &told) && hold(&dirs, Ulid(8)).is_ok());
        drop(held);
        assert!(!is_tried(&dirs, &told));
    }
}
