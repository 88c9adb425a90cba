//! What a next console finds of a run that was left, and who may go on with it.

use super::scene::*;
use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::base::{Clean, Now, Ulid};
use watchkeeper::procedure::walk::{Said, Standing, State, Walk};
use watchkeeper::roles::procedures::{
    Cmd, Hold, Holder, Keeper, Later, Runs, Told, outcome_of, prune, record, takeover,
};
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

#[test]
fn a_run_that_was_left_is_found_where_it_stood_and_goes_on_there() {
    let state = tempfile::tempdir().unwrap();
    let mut first = keeper(state.path(), "oncall");
    let mut walk = begin(&mut first, RUN);
    say(&mut walk, &mut first, Said::Observed("91 % of 1 GiB\u{1b}[31m".into()));
    say(&mut walk, &mut first, Said::Launched(Ulid(7)));
    let steps = walk.ended(Ulid(7), Outcome::Succeeded, &"in 3 s".into(), now());
    first.append(RUN, &steps, now()).unwrap();
    let left = found(state.path()).remove(0);
    assert!(matches!(left.hold, Hold::Held { gone: false, .. }) && !left.hold.may_take());
    drop(first);

    let left = found(state.path()).remove(0);
    assert_eq!((left.hold.clone(), left.text.as_str()), (Hold::Free, TEXT));
    let (again, steps) = left.walk(document()).unwrap();
    assert_eq!((again.marks.clone(), again.current), (walk.marks.clone(), walk.current));
    assert_eq!((again.standing.clone(), steps.len()), (Standing::Paused, 1));
    let at = left.paused_at().wall.hms();
    let expected = format!(
        "Procedure \"LMDB full\" \u{b7} step 3/4 \u{b7} paused {} by oncall@pts/3 \u{b7} last action: Succeeded",
        at.get(..5).unwrap()
    );
    assert_eq!(left.sentence(&again).as_str(), expected);
    assert!(left.is_of_another(&"other".into()) && !left.is_of_another(&"oncall".into()));

    let mut second = keeper(state.path(), "other");
    let resumed = second.resume(RUN, now()).unwrap();
    let (mut walk, steps) = resumed.walk(document()).unwrap();
    second.append(RUN, &steps, now()).unwrap();
    say(&mut walk, &mut second, Said::Resume);
    let steps = walk.tick(&mut Always(true), later(SECOND));
    second.append(RUN, &steps, now()).unwrap();
    say(&mut walk, &mut second, Said::Observed("all well".into()));
    assert_eq!(walk.standing, Standing::Complete);
    second.release(RUN, now());
    assert!(found(state.path()).is_empty(), "it has ended");
}

#[test]
fn its_files_are_private_and_safe_to_look_at() {
    let state = tempfile::tempdir().unwrap();
    let mut first = keeper(state.path(), "oncall");
    let mut walk = begin(&mut first, RUN);
    say(&mut walk, &mut first, Said::Observed("é \u{9b}31m password=hunter2".into()));
    let dir = state.path().join("runs").join(RUN.to_string());
    let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("."), mode("procedure.md"), mode("run.jsonl"), mode("lease")), (0o700, 0o600, 0o600, 0o600));
    let text = fs::read(dir.join("run.jsonl")).unwrap();
    assert!(text.iter().all(|byte| matches!(byte, b'\n' | 0x20..=0x7E)));
    assert!(!String::from_utf8(text).unwrap().contains("hunter2"));
}

#[test]
fn a_lease_is_taken_over_only_when_its_console_is_silent_and_gone() {
    let state = tempfile::tempdir().unwrap();
    let mut first = keeper(state.path(), "oncall");
    begin(&mut first, RUN);
    let mut second = keeper(state.path(), "other");
    for at in [now(), later(SECOND * 60)] {
        let refused = second.resume(RUN, at).unwrap_err().to_string();
        assert!(refused.contains("oncall@pts/3 works on it") && refused.contains("lives"), "{refused}");
    }
    // The lock is kept although the lease says a process that is no more: a descriptor of it that was passed on.
    let dir = state.path().join("runs").join(RUN.to_string());
    let dead = Holder { start: us("oncall").start.saturating_sub(1), ..us("oncall") };
    let says = |holder: &Holder| fs::write(dir.join("lease"), serde_json::to_string(holder).unwrap()).unwrap();
    says(&dead);
    let refused = second.resume(RUN, now()).unwrap_err().to_string();
    assert!(refused.contains("gone"), "not silent for long enough: {refused}");
    assert!(!found(state.path())[0].hold.may_take());
    let silent = now();
    says(&Holder { beat: Now { mono: silent.mono - SECOND * 31, ..silent }, ..dead });
    assert!(found(state.path())[0].hold.may_take());
    assert_eq!(second.resume(RUN, now()).unwrap().holder.unwrap().login.as_str(), "oncall");

    // The old console comes back: it finds out, and writes nothing any more.
    let before = fs::read(dir.join("run.jsonl")).unwrap();
    let step = Walk::begin(RUN, document(), &"oncall".into(), now()).1;
    assert!(first.append(RUN, &step, now()).unwrap_err().to_string().contains("other@pts/3"));
    let told = first.heartbeat(now());
    assert!(matches!(&told[..], [Told::Lost(RUN, by)] if by.as_str().contains("other@pts/3")), "{told:?}");
    assert!(first.append(RUN, &step, now()).is_err() && first.heartbeat(now()).is_empty());
    assert_eq!(fs::read(dir.join("run.jsonl")).unwrap(), before);
    assert!(second.heartbeat(now()).is_empty());
}

#[test]
fn after_a_reboot_a_run_is_free_and_its_moments_are_of_another_clock() {
    let state = tempfile::tempdir().unwrap();
    let mut first = Keeper::new(state.path(), Holder { boot: "before".into(), ..us("oncall") });
    let mut walk = begin(&mut first, RUN);
    say(&mut walk, &mut first, Said::Observed("full".into()));
    // As a kept lock would look: of another boot nobody lives.
    let left = found(state.path()).remove(0);
    assert!(matches!(left.hold, Hold::Held { gone: true, .. }));
    drop(first);
    let left = found(state.path()).remove(0);
    assert!(left.steps.iter().all(|step| step.at.mono.0 == 0) && left.hold.may_take());
    let (again, _) = left.walk(document()).unwrap();
    assert_eq!(again.word(0), "observed");
}

#[test]
fn a_torn_last_line_is_left_out_and_a_broken_one_is_told() {
    let state = tempfile::tempdir().unwrap();
    let mut first = keeper(state.path(), "oncall");
    let mut walk = begin(&mut first, RUN);
    say(&mut walk, &mut first, Said::Observed("full".into()));
    drop(first);
    let path = state.path().join("runs").join(RUN.to_string()).join("run.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let steps = found(state.path())[0].steps.len();
    for torn in 1..whole.lines().last().unwrap().len() {
        fs::write(&path, &whole.as_bytes()[..whole.len() - 1 - torn]).unwrap();
        assert_eq!(found(state.path())[0].steps.len(), steps - 1);
    }
    let mut second = keeper(state.path(), "oncall");
    let (mut walk, _) = second.resume(RUN, now()).unwrap().walk(document()).unwrap();
    say(&mut walk, &mut second, Said::Resume);
    assert_eq!(found(state.path())[0].steps.len(), steps + 1, "written anew, and gone on with");
    drop(second);
    fs::write(&path, whole.replacen("Current", "Currant", 1)).unwrap();
    let (none, faults) = watchkeeper::roles::procedures::open_runs(state.path(), &boot(), now());
    assert!(none.is_empty() && faults[0].to_string().contains("run.jsonl:3"), "{faults:?}");
}

#[test]
fn a_text_that_has_changed_since_is_told_line_by_line_and_a_changed_copy_is_refused() {
    let state = tempfile::tempdir().unwrap();
    drop(begin(&mut keeper(state.path(), "oncall"), RUN));
    let left = found(state.path()).remove(0);
    assert!(left.changes(TEXT).is_empty());
    let lines: Vec<String> = left.changes(&TEXT.replace("Grow", "Shrink")).iter().map(Clean::to_string).collect();
    assert!(lines.iter().any(|line| line.contains("Grow")) && lines.iter().any(|line| line.contains("Shrink")));
    let copy = state.path().join("runs").join(RUN.to_string()).join("procedure.md");
    fs::write(&copy, "# Other\n").unwrap();
    let refused = keeper(state.path(), "oncall").resume(RUN, now()).unwrap_err().to_string();
    assert!(refused.contains("not the one that it began with"), "{refused}");
}

#[test]
fn an_action_that_was_never_handed_over_is_known_to_have_done_nothing() {
    let state = tempfile::tempdir().unwrap();
    let mut first = keeper(state.path(), "oncall");
    let mut walk = begin(&mut first, RUN);
    say(&mut walk, &mut first, Said::Observed("full".into()));
    say(&mut walk, &mut first, Said::Launched(Ulid(7)));
    drop(first);
    let (mut walk, _) = found(state.path())[0].walk(document()).unwrap();
    let plan = walk.in_flight().unwrap();
    let (outcome, why) = outcome_of(state.path(), plan, &[], None, hour(1)).unwrap();
    walk.ended(plan, outcome, &why, now());
    assert_eq!((walk.state(1), walk.current), (&State::Acted(Outcome::Refused), 1));
}

#[test]
fn the_thread_keeps_what_it_is_given_in_its_order_and_tells_what_it_finds() {
    let state = tempfile::tempdir().unwrap();
    let start = |login| Runs::start(state.path(), us(login), Arc::new(RealClock), Arc::new(Bell::default())).unwrap();
    let wait = |runs: &Runs| {
        let end = now().mono + SECOND * 10;
        loop {
            match runs.news() {
                Some(told) => return told,
                None if now().mono > end => panic!("it says nothing"),
                None => std::thread::yield_now(),
            }
        }
    };
    let first = start("oncall");
    let (mut walk, steps) = Walk::begin(RUN, document(), &"oncall".into(), now());
    let source = watchkeeper::roles::procedures::Source::of(&walk.document, TEXT.to_owned());
    first.ask(Cmd::Begin(RUN, Box::new(source), steps));
    let steps = walk.say(Said::Observed("full".into()), &"oncall".into(), now()).unwrap();
    first.ask(Cmd::Append(RUN, steps));
    let steps = walk.say(Said::Launched(Ulid(7)), &"oncall".into(), now()).unwrap();
    first.durable().append(RUN, steps).unwrap();
    let second = start("other");
    second.ask(Cmd::Resume(RUN));
    assert!(matches!(wait(&second), Told::Resumed(RUN, Err(_))));
    for n in 0..500 {
        // More than the disk keeps up with: nothing of it is dropped.
        let reason = Clean::text(format!("number {n}"));
        let steps = vec![watchkeeper::procedure::Step {
            at: now(),
            item: Some("say".into()),
            to: watchkeeper::procedure::walk::Turn::Item(State::Deferred(None)),
            text: reason,
            who: None,
            found: watchkeeper::procedure::Found::default(),
        }];
        first.ask(Cmd::Append(RUN, steps));
    }
    assert!(first.news().is_none());
    assert!(first.close(Duration::from_secs(10)));
    second.ask(Cmd::Look);
    let Told::Open(found, faults) = wait(&second) else { panic!("not what was asked for") };
    assert_eq!((found.len(), faults.len()), (1, 0));
    let said: Vec<String> = found[0].steps.iter().map(|step| step.text.to_string()).collect();
    let numbered = (0..500).map(|n| format!("number {n}")).collect::<Vec<_>>();
    assert_eq!(said[said.len() - 500..], numbered);
    second.ask(Cmd::Resume(RUN));
    assert!(matches!(wait(&second), Told::Resumed(RUN, Ok(_))));
    second.ask(Cmd::Release(RUN));
    assert!(second.close(Duration::from_secs(10)));
    assert_eq!(super::scene::found(state.path())[0].hold, Hold::Free);
}

#[test]
fn every_step_is_a_record_and_those_that_count_are_synced_by_themselves() {
    let (mut walk, mut steps) = Walk::begin(RUN, document(), &"oncall".into(), now());
    let mut say = |walk: &mut Walk, said: Said| steps.extend(walk.say(said, &"oncall".into(), later(SECOND)).unwrap());
    say(&mut walk, Said::Observed("full".into()));
    say(&mut walk, Said::Launched(Ulid(7)));
    steps.extend(walk.ended(Ulid(7), Outcome::Failed, &"no room".into(), now()));
    steps.extend(walk.pause(&"terminal lost".into(), now()));
    let mut say = |walk: &mut Walk, said: Said| steps.extend(walk.say(said, &"oncall".into(), later(SECOND)).unwrap());
    say(&mut walk, Said::Resume);
    say(&mut walk, Said::Override("grown by hand".into()));
    say(&mut walk, Said::Abandon("relieved".into()));
    let told: Vec<String> = steps
        .iter()
        .map(|step| {
            let record = record(&walk, step);
            assert_eq!((&record.res["run"], &record.res["procedure"]), (&RUN.to_string().into(), &"lmdb-full".into()));
            let word = |key: &str| record.res[key].as_str().unwrap_or("-").to_owned();
            let synced = if record.durable() { " synced" } else { "" };
            format!("{} {} {} {}{synced}", record.event.name(), word("item"), word("state"), word("who"))
        })
        .collect();
    let expected = [
        "procedure.begin - running oncall synced",
        "procedure.item look current -",
        "procedure.item look observed oncall",
        "procedure.item grow current -",
        "procedure.item grow running oncall synced",
        "procedure.item grow FAILED - synced",
        "procedure.pause - paused -",
        "procedure.resume - running oncall",
        "procedure.item grow current -",
        "procedure.item grow overridden oncall synced",
        "procedure.item see current -",
        "procedure.end - abandoned oncall synced",
    ];
    assert_eq!(told, expected);
    let over = takeover(RUN, "lmdb-full", &us("oncall"), &us("other"));
    assert!(over.durable() && over.res["from"]["who"] == "oncall@pts/3" && over.res["to"]["who"] == "other@pts/3");
}

/// A run that is over, with one item put off or without.
fn over(keeper: &mut Keeper, run: Ulid, put_off: bool) {
    let mut walk = begin(keeper, run);
    say(&mut walk, keeper, Said::Observed("full".into()));
    say(&mut walk, keeper, Said::Override("grown by hand".into()));
    say(&mut walk, keeper, Said::Override("it was seen".into()));
    let last = if put_off { Said::Defer(None, "nobody there".into()) } else { Said::Observed("well".into()) };
    say(&mut walk, keeper, last);
    assert_eq!(walk.standing, if put_off { Standing::CompleteExcept(1) } else { Standing::Complete });
    keeper.release(run, now());
}

#[test]
fn what_was_put_off_is_done_later_by_whoever_does_it_and_the_run_is_complete_then() {
    let state = tempfile::tempdir().unwrap();
    over(&mut keeper(state.path(), "oncall"), RUN, true);
    let mut next = keeper(state.path(), "ada");
    let later =
        |item: &'static str, note: &'static str| Later { item: item.into(), who: "ada".into(), note: note.into() };
    let refused = |keeper: &mut Keeper, of: &Later| keeper.finish(RUN, of, now()).unwrap_err().to_string();
    assert!(refused(&mut next, &later("look", "seen")).contains("was not put off"));
    assert!(refused(&mut next, &later("lok", "seen")).contains("no such item"));
    assert!(refused(&mut next, &later("say", " ")).contains("needs a reason"));
    let (walk, steps) = next.finish(RUN, &later("say", "told the owner"), now()).unwrap();
    assert_eq!((walk.standing, steps.len()), (Standing::Complete, 2));
    let said = &steps[0];
    assert_eq!((said.text.as_str(), said.who.as_ref().map(Clean::as_str)), ("told the owner", Some("ada")));
    let kept = fs::read_to_string(state.path().join("runs").join(RUN.to_string()).join("run.jsonl")).unwrap();
    assert!(kept.contains("told the owner"), "{kept}");
    assert!(refused(&mut next, &later("say", "again")).contains("complete"), "once");
}

#[test]
fn a_run_that_was_let_go_goes_on_when_what_it_put_off_is_due_but_not_behind_somebody_else() {
    let state = tempfile::tempdir().unwrap();
    let mut first = keeper(state.path(), "oncall");
    let mut walk = begin(&mut first, RUN);
    first.release(RUN, now());
    say(&mut walk, &mut first, Said::Observed("full".into()));
    assert_eq!(found(state.path())[0].steps.len(), 4);
    first.release(RUN, now());
    let _holds = {
        let mut other = keeper(state.path(), "ada");
        other.resume(RUN, now()).unwrap();
        other
    };
    let steps = walk.say(Said::Override("grown by hand".into()), &"oncall".into(), now()).unwrap();
    assert!(first.append(RUN, &steps, now()).is_err());
}

#[test]
fn of_runs_that_are_long_over_the_newest_stay_and_those_that_left_something() {
    let state = tempfile::tempdir().unwrap();
    let mut keeper = keeper(state.path(), "oncall");
    for run in 1..=6 {
        over(&mut keeper, Ulid(run), run == 2);
    }
    let mut unknown = begin(&mut keeper, Ulid(3_000));
    let dir = state.path().join("runs");
    // An older one whose action has an unknown end, and was left all the same.
    let mut left = begin(&mut keeper, Ulid(0));
    say(&mut left, &mut keeper, Said::Observed("full".into()));
    say(&mut left, &mut keeper, Said::Launched(Ulid(7)));
    let steps = left.ended(Ulid(7), Outcome::Indeterminate, &"killed".into(), now());
    keeper.append(Ulid(0), &steps, now()).unwrap();
    say(&mut left, &mut keeper, Said::Abandon("another way".into()));
    keeper.release(Ulid(0), now());
    say(&mut unknown, &mut keeper, Said::Observed("full".into()));
    let (gone, faults) = prune(state.path(), 2, &boot(), now());
    assert_eq!((gone, faults.len()), ([1, 3, 4, 5].map(Ulid).to_vec(), 0));
    let stay = [0, 2, 6, 3_000].map(|run| dir.join(Ulid(run).to_string()).is_dir());
    assert_eq!(stay, [true; 4]);
    assert_eq!(prune(state.path(), 2, &boot(), now()).0, []);
    keeper.finish(Ulid(2), &Later { item: "say".into(), who: "ada".into(), note: "told".into() }, now()).unwrap();
    assert_eq!(prune(state.path(), 2, &boot(), now()).0, [Ulid(2)]);
}
