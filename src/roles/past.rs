//! What earlier consoles left: outcomes that nobody could write down or was told, effects to mark in the charts, orders
//! that never found a runner.

use crate::action::back;
use crate::action::fresh_start;
use crate::action::late;
use crate::action::lifecycle::{Outcome, runs};
use crate::action::manager::Manager;
use crate::action::plan::Plan;
use crate::action::recover::{NEVER_STARTED, Standing, Unresolved};
use crate::app::Mark;
use crate::app::run::Ended;
use crate::app::survey::{Done, OFFERED};
use crate::base::{Clean, Fault, Wall};
use crate::config::profile::ActionSpec;
use crate::journal::Journal;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An end that is older than this is no news: the journal has it.
const NEWS: Duration = Duration::from_secs(24 * 60 * 60);

/// Outcomes that the journal did not take when their runners ended are written now, unless their runners still try.
pub(super) fn record_late(state: &Path, locks_in: &[PathBuf], journal: &Journal) {
    for (run, plan, told) in runs(state).0 {
        if told.is_none_or(|told| told.unrecorded.is_none()) {
            continue;
        }
        let Ok(_held) = late::hold(locks_in, plan.id) else { continue };
        // As its runner has left it.
        let Some((mut told, end)) = run.read().ok().flatten().and_then(|told| Some((told.clone(), told.end?))) else {
            continue;
        };
        if told.unrecorded.is_some() {
            let record = late::outcome(&plan, None, &told, &end, true);
            // Told by the journal itself.
            let _best_effort = late::write(journal, record, &run, &mut told);
        }
    }
}

/// How runs of the last day ended that no console followed to their end. Told once, unless this one only looks.
pub(super) fn unheard(state: &Path, now: Wall, only_looks: bool) -> Vec<Ended> {
    let ended = runs(state).0.into_iter().filter(|(run, ..)| !run.is_heard()).filter_map(|(run, plan, told)| {
        let told = told?;
        let at = told.ended.map_or(plan.made.wall, |at| at.wall);
        (now.since(at) < NEWS).then_some((run, Ended { title: plan.what.title, at, end: told.end? }))
    });
    let told = ended.map(|(run, ended)| {
        if !only_looks {
            // Else it is told once more.
            let _best_effort = run.note_heard();
        }
        ended
    });
    told.collect()
}

/// When the actions of this boot had their effects.
pub(super) fn past_effects(state: &Path, boot: &Clean) -> Vec<Mark> {
    let (known, _) = runs(state);
    let here = known.into_iter().filter(|(_, plan, _)| plan.place.host.boot_id == *boot);
    here.filter_map(|(_, plan, told)| Some(Mark { at: told?.effect?.mono, title: plan.what.title })).collect()
}

/// What was done here and can be taken back, oldest first.
pub(super) fn can_be_taken_back(state: &Path) -> Vec<Done> {
    let done = runs(state).0.into_iter().filter_map(|(_, plan, told)| {
        let told = told?;
        let done = told.end.is_some_and(|end| end.outcome != Outcome::Refused) && back::has(&plan);
        let at = told.ended.map_or(plan.made.wall, |at| at.wall);
        done.then(|| Done { plan: Box::new(plan), at })
    });
    let mut done: Vec<Done> = done.collect();
    done.drain(..done.len().saturating_sub(OFFERED));
    done
}

/// The action of this name, which takes back what this plan did: through the same gate as any other.
pub(super) fn taking_back(name: &Arc<str>, plan: &Plan) -> Result<ActionSpec, Fault> {
    let (kind, title, body) = back::spec(plan)?;
    Ok(ActionSpec { name: Arc::clone(name), kind: kind.to_owned(), title, body })
}

/// The action of this name, which resets and starts the service that this plan has left failed.
pub(super) fn starting_afresh(name: &Arc<str>, (plan, service): (&Plan, &Manager)) -> Result<ActionSpec, Fault> {
    let (kind, title, body) = fresh_start::spec(plan, service)?;
    Ok(ActionSpec { name: Arc::clone(name), kind: kind.to_owned(), title, body })
}

/// An order that never found a runner is withdrawn, so that it never will, and that is recorded; false when one has it
/// after all.
pub(super) fn is_open(open: &Unresolved, journal: Option<&Journal>) -> bool {
    if open.standing != Standing::NeverStarted {
        return true;
    }
    let withdrawn = late::withdraw(&open.run, &open.plan, None, NEVER_STARTED.into(), journal);
    !matches!(withdrawn, Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::lifecycle::{End, Progress, Run, State};
    use crate::action::plan::Where;
    use crate::action::prompt::{Acceptance, Confirm};
    use crate::base::Clock;
    use crate::journal::{Session, show};
    use crate::sys::clock::RealClock;
    use crate::sys::host::{Host, Login};
    use crate::sys::random;

    #[test]
    fn an_end_that_no_console_followed_is_told_once_and_within_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let (place, now) = (Where { host: Host::current(), environment: "TEST".into() }, RealClock.now());
        let mut plan = Plan::arm(random::ulid(now.wall), place, Login::current(), now);
        plan.what.title = "Restart it".into();
        let run = Run::of(dir.path(), plan.id);
        let mut told = Progress::new(plan.id, 1);
        let confirm = Confirm { danger: plan.danger, fence: true, shown_ms: 1, reason: None };
        run.write_order(&Acceptance { plan, confirm }).unwrap();
        run.write(&told).unwrap();
        assert!(unheard(dir.path(), now.wall, false).is_empty(), "it has no end yet");
        told.end = Some(End { outcome: Outcome::Succeeded, reason: "it worked".into(), executed: true });
        told.ended = Some(now);
        run.write(&told).unwrap();
        let late = Wall(now.wall.0 + 86_400_000_000_000);
        assert!(unheard(dir.path(), late, true).is_empty(), "a day later it is no news");
        let heard = |only_looks| unheard(dir.path(), now.wall, only_looks);
        let news = Ended { title: "Restart it".into(), at: now.wall, end: told.end.clone().unwrap() };
        assert_eq!((heard(true), heard(false), heard(false)), (vec![news.clone()], vec![news], Vec::new()));
    }

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
        let locks = [dir.path().join("locks")];
        std::fs::create_dir(&locks[0]).unwrap();
        // Not while its runner tries.
        let held = late::hold(&locks, run.read().unwrap().unwrap().plan).unwrap();
        record_late(dir.path(), &locks, &journal);
        assert!(run.read().unwrap().unwrap().unrecorded.is_some());
        drop(held);
        record_late(dir.path(), &locks, &journal);
        record_late(dir.path(), &locks, &journal);
        assert_eq!(run.read().unwrap().unwrap().unrecorded, None);
        assert!(journal.close(Duration::from_secs(60)));
        let said: Vec<String> = show(&trail, 9).unwrap().iter().map(Clean::to_string).collect();
        let late = said.iter().filter(|line| line.contains("action.outcome") && line.contains("recorded late"));
        assert_eq!(late.count(), 1, "{said:?}");
    }
}
