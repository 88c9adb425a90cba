//! What earlier consoles left: outcomes that nobody could write down, effects to mark in the charts, orders that never
//! found a runner.

use crate::action;
use crate::action::lifecycle::{Outcome, runs};
use crate::action::recover::{Standing, Unresolved};
use crate::app::Mark;
use crate::base::Clean;
use crate::journal::{Event, Journal};
use serde_json::json;
use std::path::Path;

/// Outcomes that the journal did not take when their runners ended are written now.
pub(super) fn record_late(state: &Path, journal: &Journal) {
    for (run, plan, told) in runs(state).0 {
        let Some((mut told, end)) = told.and_then(|told| Some((told.clone(), told.end?))) else { continue };
        if told.unrecorded.is_none() {
            continue;
        }
        let event = if end.outcome == Outcome::Refused { Event::ActionRefused } else { Event::Outcome };
        let res =
            json!({ "outcome": end.outcome.word(), "executed": end.executed, "reason": end.reason, "late": true });
        if journal.append_durable(action::record::record(event, &plan, None).res(res)).is_ok() {
            told.unrecorded = None;
            // Not told: then it is recorded once more at the next start, which is no lie.
            let _best_effort = run.write(&told);
        }
    }
}

/// When the actions of this boot had their effects.
pub(super) fn past_effects(state: &Path, boot: &Clean) -> Vec<Mark> {
    let (known, _) = runs(state);
    let here = known.into_iter().filter(|(_, plan, _)| plan.place.host.boot_id == *boot);
    here.filter_map(|(_, plan, told)| Some(Mark { at: told?.effect?.mono, title: plan.what.title })).collect()
}

/// An order that never found a runner is withdrawn, so that it never will; false when one has it after all.
pub(super) fn is_open(open: &Unresolved) -> bool {
    open.standing != Standing::NeverStarted
        || !matches!(
            open.run.withdraw(open.plan.id, "was accepted but never started; nothing was done.".into()),
            Ok(None)
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::lifecycle::{End, Progress, Run, State};
    use crate::action::plan::{Plan, Where};
    use crate::action::prompt::{Acceptance, Confirm};
    use crate::base::Clock;
    use crate::journal::{Session, show};
    use crate::sys::clock::RealClock;
    use crate::sys::host::{Host, Login};
    use crate::sys::random;
    use core::time::Duration;
    use std::sync::Arc;

    #[test]
    fn an_outcome_that_the_journal_did_not_take_is_written_by_the_next_console_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let (host, login, now) = (Host::current(), Login::current(), RealClock.now());
        let place = Where { host: host.clone(), environment: "TEST".into() };
        let mut plan = Plan::arm(random::ulid(now.wall), place, login.clone(), now);
        plan.what.kind = "x@1".into();
        let run = Run::of(dir.path(), plan.id);
        let mut told = Progress::new(plan.id, 1);
        told.state = State::Over;
        told.end = Some(End { outcome: Outcome::Succeeded, reason: "it worked".into(), executed: true });
        told.unrecorded = Some("the outcome is not in the journal".into());
        let confirm = Confirm { danger: plan.danger, fence: true, shown_ms: 1, reason: None };
        run.write_order(&Acceptance { plan, confirm }).unwrap();
        run.write(&told).unwrap();
        let trail = dir.path().join("journal");
        let session = Session { host, login, id: random::ulid(now.wall), pid: 1 };
        let journal = Journal::open(&trail, session, Arc::new(RealClock)).unwrap();
        record_late(dir.path(), &journal);
        record_late(dir.path(), &journal);
        assert_eq!(run.read().unwrap().unwrap().unrecorded, None);
        assert!(journal.close(Duration::from_secs(60)));
        let said: Vec<String> = show(&trail, 9).unwrap().iter().map(Clean::to_string).collect();
        let late = said.iter().filter(|line| line.contains("action.outcome") && line.contains("\"late\":true"));
        assert_eq!(late.count(), 1, "{said:?}");
    }
}
