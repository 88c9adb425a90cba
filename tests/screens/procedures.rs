//! Procedures on screen: the list that a symptom finds, the view while it senses, asks and acts, and its end.

use crate::desk::Desk;
use core::time::Duration;
use crossterm::event::KeyCode;
use insta::assert_snapshot;
use std::sync::Arc;
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::action::mode::Mode;
use watchkeeper::action::verify::{Check, Expect};
use watchkeeper::app::again::{Again, Found};
use watchkeeper::app::card::facts;
use watchkeeper::app::walking::Taken;
use watchkeeper::app::{Effect, Msg, Procedures, Request};
use watchkeeper::base::{Clean, Fault, LogLevel, LogLine, Ulid, Unit};
use watchkeeper::clean;
use watchkeeper::incident::card;
use watchkeeper::logs::LogBatch;
use watchkeeper::procedure::walk::{Standing, State};
use watchkeeper::procedure::{Document, Said, Step, parse};
use watchkeeper::roles::procedures::record;
use watchkeeper::term::Input;

const GPU: &str = include_str!("procedures/gpu-memory.md");
const STORE: &str = include_str!("procedures/store-full.md");

/// The demo with two procedures.
fn desk(width: u16, height: u16) -> Desk {
    let mut desk = Desk::demo(width, height);
    let known = [("gpu-memory", GPU), ("store-full", STORE)].map(|(id, text)| {
        let document = parse(id, &format!("{id}.md"), text);
        assert_eq!(document.faults, [], "{id}");
        Arc::new(document)
    });
    desk.model.procedures = Procedures::new(known.into());
    desk
}

/// The walk is begun as `roles` would. Its first steps are for the disk.
fn begin(desk: &mut Desk, effects: Vec<Effect>) -> Vec<Effect> {
    let asked: Vec<Arc<Document>> = effects
        .into_iter()
        .filter_map(|effect| if let Effect::BeginWalk(document) = effect { Some(document) } else { None })
        .collect();
    let [document] = &asked[..] else { panic!("one procedure is begun") };
    desk.send(Msg::WalkBegun(Arc::clone(document), Ok(Ulid(9))))
}

/// Enter on the alert, and its procedure under way.
fn under_way(width: u16, height: u16) -> Desk {
    let mut desk = desk(width, height);
    desk.quiet(30);
    desk.incident(41);
    assert!(desk.screen().contains("Enter procedure"), "{}", desk.screen());
    let effects = desk.press(KeyCode::Enter);
    begin(&mut desk, effects);
    desk.incident(3);
    desk
}

fn form(desk: &mut Desk, text: &str) -> Vec<Effect> {
    desk.type_text(text);
    desk.press(KeyCode::Enter)
}

fn steps(effects: &[Effect]) -> Vec<&Step> {
    let kept =
        effects.iter().filter_map(|effect| if let Effect::KeepSteps(_, steps) = effect { Some(steps) } else { None });
    kept.flatten().collect()
}

fn position(desk: &Desk) -> (usize, usize) {
    desk.model.procedures.walks[0].walk.position()
}

#[test]
fn an_alert_opens_its_procedure_and_what_is_seen_ticks_itself() {
    let desk = under_way(80, 24);
    assert_eq!(position(&desk), (3, 7), "two checks ticked themselves:\n{}", desk.screen());
    assert_snapshot!(desk.screen());
}

#[test]
fn on_a_larger_screen_more_is_seen_beside_it() {
    assert_snapshot!(under_way(120, 40).screen());
}

#[test]
fn ascii_letters_show_the_same_procedure() {
    let screen = under_way(80, 24).ascii();
    assert!(screen.is_ascii(), "{screen}");
    assert!(screen.contains("x  1 Latency") && screen.contains(">  3 "), "{screen}");
}

#[test]
fn what_somebody_observed_stands_with_the_name_and_the_action_goes_through_the_gate() {
    let mut desk = under_way(80, 24);
    desk.enter();
    assert!(desk.screen().contains("Expected: none"), "{}", desk.screen());
    assert_eq!(desk.press(KeyCode::Enter).len(), 0, "an empty answer is none");
    let kept = form(&mut desk, "none");
    assert_eq!(steps(&kept).first().and_then(|step| step.who.as_ref()).map(Clean::as_str), Some("oncall"));
    assert_eq!(position(&desk), (4, 7));
    desk.arm();
    // The action is planned as from anywhere: nothing was launched by Enter.
    desk.planned();
    desk.shown();
    desk.pass(1_000);
    desk.type_text("reduce");
    desk.pass(200);
    let effects = desk.press(KeyCode::Enter);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Launch(_))), "{effects:?}");
    desk.running();
    assert_snapshot!(desk.screen());
    assert_eq!(position(&desk), (4, 7), "nothing is done before its outcome");
    desk.verified();
    assert_eq!(position(&desk), (5, 7), "{}", desk.screen());
    desk.calm(20);
    assert_snapshot!(desk.screen());
}

#[test]
fn an_item_waits_and_the_rest_is_complete_except_for_it() {
    let mut desk = desk(80, 24);
    desk.quiet(3);
    desk.key('p');
    desk.type_text("MDB_MAP_FULL");
    let effects = desk.press(KeyCode::Enter);
    assert!(effects.is_empty() && desk.screen().contains("not begun"), "{}", desk.screen());
    let effects = desk.press(KeyCode::Enter);
    begin(&mut desk, effects);
    desk.key('d');
    form(&mut desk, "needs 1.9 GiB, 1.1 GiB free");
    assert_eq!(position(&desk), (2, 2), "{}", desk.screen());
    desk.enter();
    form(&mut desk, "growing at 3 MiB/min");
    // Ten minutes later it is due, and is deferred to the end.
    desk.quiet(601);
    assert_eq!(position(&desk).0, 1, "{}", desk.screen());
    desk.key('d');
    desk.type_text("still no room");
    desk.tab();
    for _ in 0..3 {
        desk.press(KeyCode::Backspace);
    }
    form(&mut desk, "end");
    let walk = &desk.model.procedures.walks[0].walk;
    assert_eq!(walk.standing, Standing::CompleteExcept(1), "{}", desk.screen());
    assert_snapshot!(desk.screen());
}

#[test]
fn what_is_pasted_finds_the_procedure_and_says_whether_its_conditions_hold() {
    let mut desk = desk(80, 24);
    desk.quiet(30);
    desk.key('p');
    let text = Clean::text("E0421 lmdb: MDB_MAP_FULL: Environment mapsize limit reached");
    desk.send(Msg::Input(desk.model.now.mono, Input::Paste { text, lines: Vec::new(), left_out: 0 }));
    let screen = desk.screen();
    assert!(screen.contains("1 of 2") && screen.contains("The store is full"), "{screen}");
    desk.press(KeyCode::Esc);
    desk.key('p');
    desk.incident(41);
    desk.type_text("cuda_error 719");
    let screen = desk.screen();
    assert!(screen.contains("GPU memory exhausted") && screen.contains("its conditions hold now (2 of 2)"), "{screen}");
    desk.press(KeyCode::Esc);
    desk.key('p');
    assert_snapshot!(desk.screen());
    desk.type_text("no such thing");
    assert!(desk.screen().contains("Nothing here knows this."), "{}", desk.screen());
}

#[test]
fn the_codes_that_the_demo_answers_are_found_however_they_are_pasted() {
    let mut desk = desk(80, 24);
    let shipped = include_str!("../../profiles/demo/procedures/gpu-memory.md");
    let other = include_str!("../../profiles/demo/procedures/lmdb-full.md");
    let known = [("gpu-memory", shipped), ("lmdb-full", other)];
    desk.model.procedures =
        Procedures::new(known.map(|(id, text)| Arc::new(parse(id, &format!("{id}.md"), text))).to_vec());
    desk.incident(41);
    for pasted in [
        "CUDA_ERROR 719",
        "cuda_error 2",
        "E0312 cuLaunchKernel: CUDA_ERROR_LAUNCH_FAILED (719): unspecified launch failure",
        "RuntimeError: CUDA out of memory. Tried to allocate 2 GiB",
    ] {
        desk.key('p');
        desk.send(Msg::Input(
            desk.model.now.mono,
            Input::Paste { text: Clean::text(pasted), lines: Vec::new(), left_out: 0 },
        ));
        desk.incident(2);
        let screen = desk.screen();
        assert!(screen.contains("1 of 2") && screen.contains("GPU memory full"), "{pasted}:\n{screen}");
        assert!(screen.contains("its conditions hold now"), "{pasted}:\n{screen}");
        desk.press(KeyCode::Esc);
    }
}

#[test]
fn an_override_needs_a_reason_and_a_sensed_item_cannot_be_ticked_by_hand() {
    let mut desk = desk(80, 24);
    desk.quiet(10);
    let document = Arc::clone(&desk.model.procedures.known[0]);
    desk.key('p');
    desk.type_text("GPU memory");
    desk.enter();
    desk.enter();
    desk.send(Msg::WalkBegun(document, Ok(Ulid(9))));
    desk.quiet(2);
    assert_eq!(position(&desk), (1, 7), "latency is low: nothing ticks");
    assert!(desk.screen().contains("not yet"), "{}", desk.screen());
    desk.enter();
    assert_eq!(position(&desk), (1, 7), "Enter ticks nothing that is sensed");
    desk.key('o');
    form(&mut desk, "short");
    assert!(desk.screen().contains("OVERRIDE"), "too short a reason keeps the form:\n{}", desk.screen());
    form(&mut desk, " is not enough");
    assert_eq!(position(&desk), (2, 7));
    assert!(desk.screen().contains("OVERRIDDEN 03:12"), "{}", desk.screen());
}

#[test]
fn what_was_put_off_and_is_due_is_told_while_something_else_never_ticks_and_a_key_goes_there() {
    let mut desk = desk(80, 24);
    let text = "# T\n\n## Room {#room}\n\n- [ ] Is there room: yes\n\n## Never\n\n```check\n\
        query = \"nothing_here\"\nunit = \"count\"\nexpect = \"> 1\"\n```\n";
    let document = Arc::new(parse("t", "t.md", text));
    assert_eq!(document.faults, []);
    desk.model.procedures = Procedures::new(vec![Arc::clone(&document)]);
    desk.quiet(3);
    desk.send(Msg::Work("t".into()));
    desk.send(Msg::WalkBegun(document, Ok(Ulid(9))));
    desk.enter();
    let named = |at: usize, desk: &Desk| desk.model.procedures.walks[0].walk.document.items[at].title.clone();
    let (room, never) = (position(&desk).0, 3);
    desk.key('d');
    form(&mut desk, "nobody looks");
    desk.quiet(2);
    assert_eq!(position(&desk).0, never, "{}", desk.screen());
    let hint = |desk: &Desk| desk.screen().lines().last().unwrap().to_owned();
    assert!(
        !hint(&desk).contains("Enter") && !hint(&desk).contains("Tab"),
        "what ticks itself opens nothing: {}",
        hint(&desk)
    );
    desk.tab();
    assert!(desk.screen().contains("nothing that was put off is due"), "{}", desk.screen());
    desk.quiet(601);
    assert_eq!(position(&desk).0, never, "nothing moves by itself");
    let told = format!("1 deferred item is due: \"{}\"; Tab goes", named(room - 1, &desk));
    assert!(desk.screen().contains(&told) && hint(&desk).contains("Tab due"), "{told}\n{}", desk.screen());
    desk.press(KeyCode::Esc);
    assert!(desk.screen().lines().nth(2).unwrap().contains("1 due"), "{}", desk.screen());
    desk.send(Msg::Work("t".into()));
    let kept = desk.press(KeyCode::Tab);
    assert_eq!((position(&desk).0, steps(&kept).len()), (room, 1), "{}", desk.screen());
    assert!(!desk.screen().contains("is due") && hint(&desk).contains("Enter answer"), "{}", desk.screen());
    desk.enter();
    form(&mut desk, "yes");
    assert_eq!(position(&desk).0, never, "and back: {}", desk.screen());
}

/// A walk with one done action that its plan judged by this check, taken up again.
fn taken_up(desk: &mut Desk, expect: Expect, record: Option<Found>) {
    let text = "# T\n\n## Reduce it {#reduce}\n\n```action\nrun = \"reduce-batch-size\"\n```\n\n## Look\n\n- [ ] Lamp: green\n";
    let document = Arc::new(parse("t", "t.md", text));
    assert_eq!(document.faults, []);
    desk.model.procedures = Procedures::new(vec![Arc::clone(&document)]);
    desk.incident(41);
    desk.send(Msg::Work("t".into()));
    desk.send(Msg::WalkBegun(document, Ok(Ulid(9))));
    let now = desk.model.now;
    let mut walk = desk.model.procedures.walks[0].walk.clone();
    walk.say(Said::Launched(Ulid(3)), &"oncall".into(), now).unwrap();
    walk.ended(Ulid(3), Outcome::Succeeded, &"it worked".into(), now);
    walk.pause(&"the line dropped".into(), now);
    let (label, query) = ("queue depth".into(), "queue_depth".to_owned());
    let check = Check { label, query, unit: Unit::Count, expect, before: Some(1_000.0) };
    let again = vec![Again::new(0, vec![check], record)];
    desk.send(Msg::WalkResumed(Ulid(9), Ok(Box::new(Taken { walk, ended: None, again }))));
}

#[test]
fn a_done_action_is_judged_again_by_what_its_plan_was_judged_by_and_what_holds_no_more_is_current() {
    let mut desk = desk(120, 40);
    taken_up(&mut desk, Expect::Below(500.0), None);
    desk.incident(5);
    assert!(desk.screen().contains("▶  2"), "five values are not ten:\n{}", desk.screen());
    assert_eq!(position(&desk).0, 2);
    desk.incident(6);
    let screen = desk.screen();
    assert!(screen.contains("REGRESSED, and current again; nothing was run: \"Reduce it\""), "{screen}");
    assert!(screen.contains("not below 500") && screen.contains("Its plan is shown before"), "{screen}");
    assert_eq!((position(&desk).0, &desk.model.procedures.walks[0].walk.marks[0].state), (1, &State::Regressed));
}

#[test]
fn a_done_action_that_still_holds_or_of_which_nothing_can_be_told_stays_done_and_is_told() {
    let mut desk = desk(120, 40);
    taken_up(&mut desk, Expect::Above(500.0), Some((Some(true), "the file holds the new values".into())));
    desk.incident(11);
    let screen = desk.screen();
    assert!(screen.contains("Done actions, looked at again: still so: \"Reduce it\""), "{screen}");
    desk.key('g');
    assert!(desk.screen().contains("ago: still so: the file holds the new values; queue"), "{}", desk.screen());
    assert_eq!(position(&desk).0, 2);

    let mut desk = desk_of_nothing();
    desk.quiet(11);
    let screen = desk.screen();
    assert!(screen.contains("cannot be told: \"Reduce it\"") && position(&desk).0 == 2, "{screen}");
    assert!(screen.contains("did not answer in time"), "{screen}");
}

/// The same over a metric that nobody has, and a record that never answers.
fn desk_of_nothing() -> Desk {
    let mut desk = desk(120, 40);
    taken_up(&mut desk, Expect::Above(500.0), None);
    let working = &mut desk.model.procedures.walks[0];
    let check = Check {
        label: "none".into(),
        query: "nothing_here".to_owned(),
        unit: Unit::Count,
        expect: Expect::Falls,
        before: None,
    };
    working.again = vec![Again::new(0, vec![check], None)];
    desk
}

#[test]
fn a_read_only_console_begins_nothing_and_another_login_s_walk_is_only_looked_at() {
    let mut desk = desk(80, 24);
    desk.model.session.mode = Mode::ReadOnly;
    desk.incident(41);
    assert!(desk.press(KeyCode::Enter).is_empty());
    assert!(desk.screen().contains("not begun"), "{}", desk.screen());
    assert!(desk.press(KeyCode::Enter).is_empty());
    assert!(desk.screen().contains("read-only"), "{}", desk.screen());

    let mut desk = under_way(80, 24);
    desk.send(Msg::WalkLost(Ulid(9), "ada".into()));
    desk.enter();
    desk.key('o');
    assert!(desk.screen().contains("does not work at it") && position(&desk) == (3, 7), "{}", desk.screen());
}

#[test]
fn a_document_with_a_fault_is_read_whole_and_never_begun() {
    let mut desk = desk(80, 24);
    let text =
        "# Broken\n\n## First\n```check\nquery = \"up\"\nexpct = \"== 1\"\n```\n\n## Second\nStill to be read.\n";
    let document = parse("broken", "broken.md", text);
    assert_eq!(document.faults.len(), 2, "{:?}", document.faults);
    desk.model.procedures = Procedures::new(vec![Arc::new(document)]);
    desk.quiet(3);
    desk.key('p');
    assert!(desk.screen().contains("has faults"), "{}", desk.screen());
    desk.enter();
    assert!(desk.press(KeyCode::Enter).is_empty());
    let screen = desk.screen();
    assert!(screen.contains("HAS FAULTS") && screen.contains("Second"), "{screen}");
}

#[test]
fn a_walk_that_cannot_be_kept_says_so_and_is_not_begun() {
    let mut desk = desk(80, 24);
    desk.incident(41);
    desk.press(KeyCode::Enter);
    let document = Arc::clone(&desk.model.procedures.known[0]);
    desk.send(Msg::WalkBegun(document, Err(Fault::new("its folder cannot be made: no space left."))));
    // A long notice takes more than one line.
    assert!(
        desk.screen().contains("GPU memory exhausted cannot be") && desk.model.procedures.walks.is_empty(),
        "{}",
        desk.screen()
    );
}

#[test]
fn while_it_is_not_on_screen_the_rule_says_where_it_stands() {
    let mut desk = under_way(80, 24);
    desk.press(KeyCode::Esc);
    let screen = desk.screen();
    let rule = screen.lines().nth(2).unwrap();
    assert!(
        rule.contains("GPU memory exhausted") && rule.contains("step 3 of 7") && rule.contains(" left"),
        "{screen}"
    );
    // Enter on the alert leads back to where it stands, and begins no second one.
    assert!(desk.press(KeyCode::Enter).is_empty());
    assert!(desk.screen().contains("step 3 of 7") && desk.model.procedures.walks.len() == 1, "{}", desk.screen());
}

#[test]
fn an_action_of_another_request_is_not_taken_for_the_procedures() {
    let mut desk = under_way(80, 24);
    desk.enter();
    form(&mut desk, "none");
    let walk = &desk.model.procedures.walks[0].walk;
    assert_eq!(walk.needs_action().map(|(name, _)| &**name), Some("reduce-batch-size"));
    assert_eq!(Request::of("put-back").action.as_ref(), "put-back");
    desk.press(KeyCode::Esc);
    let before = position(&desk);
    desk.send(Msg::Planned(Request::of("put-back"), Err(Fault::new("no backup."))));
    assert_eq!(position(&desk), before);
}

#[test]
fn of_two_procedures_that_want_the_same_action_the_one_on_screen_gets_its_outcome() {
    let mut desk = desk(80, 24);
    let text = "# T\n\n## Do it\n\n```action\nrun = \"reduce-batch-size\"\n```\n";
    let documents = ["one", "two"].map(|id| Arc::new(parse(id, "t.md", text)));
    desk.model.procedures = Procedures::new(documents.to_vec());
    desk.quiet(3);
    desk.arm();
    for (document, run) in documents.into_iter().zip([7, 9]) {
        let asked = desk.send(Msg::Work((*document.id).into()));
        assert!(asked.iter().any(|effect| matches!(effect, Effect::BeginWalk(_))), "{asked:?}");
        desk.send(Msg::WalkBegun(document, Ok(Ulid(run))));
    }
    // Back to the first one: the newest lies before it in the list.
    desk.send(Msg::Work("one".into()));
    desk.confirmed();
    let states = [0, 1].map(|at| desk.model.procedures.walks[at].walk.marks[0].state.clone());
    assert!(matches!(states, [State::Open, State::Acting(_)]), "{states:?}");
}

#[test]
fn an_end_that_was_reached_over_a_failed_step_says_so() {
    let mut desk = desk(80, 24);
    let text = "# T\n\n## Room\n\n```check\nquery = \"nothing_here\"\nexpect = \"> 1\"\ngo = \"call\"\n```\n\n\
        ## Call {#call}\n\n```escalate\nto = \"L2\"\n```\n";
    let document = Arc::new(parse("t", "t.md", text));
    assert_eq!(document.faults, []);
    desk.model.procedures = Procedures::new(vec![Arc::clone(&document)]);
    desk.quiet(3);
    desk.send(Msg::Work("t".into()));
    desk.send(Msg::WalkBegun(document, Ok(Ulid(9))));
    desk.key('x');
    form(&mut desk, "refused for room");
    desk.enter();
    form(&mut desk, "Ada, by phone");
    assert_eq!(desk.model.procedures.walks[0].walk.standing, Standing::Complete);
    assert!(desk.screen().contains("T: COMPLETE, 1 FAILED."), "{}", desk.screen());
    desk.model.session.notice = None;
    assert!(desk.screen().contains("COMPLETE, 1 FAILED"), "{}", desk.screen());
}

const COMMANDS: &str = "# Old guide\n\n```bash\n# Count them\nls | wc -l\n```\n\n## Then\n";

/// A guide that was never written for us, begun.
fn old_guide() -> Desk {
    begun(COMMANDS)
}

/// This text, begun.
fn begun(text: &str) -> Desk {
    let mut desk = desk(80, 24);
    let document = Arc::new(parse("old", "old.md", text));
    assert_eq!(document.faults, []);
    desk.model.procedures = Procedures::new(vec![Arc::clone(&document)]);
    desk.quiet(3);
    desk.key('p');
    desk.enter();
    desk.enter();
    desk.send(Msg::WalkBegun(document, Ok(Ulid(9))));
    desk.model.session.notice = None;
    desk
}

#[test]
fn commands_of_a_text_are_only_copied_unless_the_profile_allows_more() {
    let mut desk = old_guide();
    assert!(desk.screen().contains("$ ls | wc -l") && desk.screen().contains("y copies them;"), "{}", desk.screen());
    assert!(desk.press(KeyCode::Char('R')).is_empty());
    assert!(desk.screen().contains("These commands can be copied, not run"), "{}", desk.screen());

    let mut desk = old_guide();
    desk.model.procedures.run_commands = true;
    assert!(desk.screen().contains("R runs them through the prompt"), "{}", desk.screen());
    let effects = desk.press(KeyCode::Char('R'));
    let [Effect::Plan(request)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((request.action.as_ref(), request.given.as_slice()), ("commands:old/count-them", &[][..]));
    desk.press(KeyCode::Esc);
    desk.model.session.mode = Mode::ReadOnly;
    assert!(desk.press(KeyCode::Char('R')).is_empty());
    assert!(desk.screen().contains("runs no commands"), "{}", desk.screen());
    desk.model.session.mode = Mode::Observe;
    desk.enter();
    form(&mut desk, "42");
    assert!(desk.press(KeyCode::Char('R')).is_empty(), "the next item has none");
}

const WORD: &str = "# Second engine\n\n## Where\n\n```ask\nname = \"where\"\ntyped = \"TEST\"\nchoices = [\"leave it\"]\n```\n\n\
    ## On a test host\n\n```when\nanswer = \"where\"\nis = \"TEST\"\n```\n\n### The program\n\nIt trades.\n\n\
    ```text\npython -m engine\n```\n\n## End\n";

/// Takes back what was typed.
fn erase(desk: &mut Desk, text: &str) {
    for _ in text.chars() {
        desk.press(KeyCode::Backspace);
    }
}

#[test]
fn what_lies_behind_a_word_is_copied_only_once_it_was_typed() {
    let mut desk = begun(WORD);
    desk.key('j');
    desk.key('j');
    assert!(desk.press(KeyCode::Char('y')).is_empty());
    assert!(desk.screen().contains("Not copied: type TEST at \"Where\" first."), "{}", desk.screen());
    desk.key('k');
    desk.key('k');
    desk.enter();
    assert!(desk.screen().contains("type TEST, as it stands here; or choose: leave it."), "{}", desk.screen());
    desk.press(KeyCode::Down);
    assert!(desk.screen().contains("leave it"), "arrows give the other answers alone: {}", desk.screen());
    erase(&mut desk, "leave it");
    assert!(form(&mut desk, "test").is_empty(), "as it stands there");
    erase(&mut desk, "test");
    assert!(!form(&mut desk, "TEST").is_empty());
    let effects = desk.press(KeyCode::Char('y'));
    let [Effect::Copy(lines)] = effects.as_slice() else { panic!("{effects:?} {}", desk.screen()) };
    assert_eq!(lines.as_slice(), [Clean::from("python -m engine")], "the code, and not what is said of it");
}

#[test]
fn commands_that_start_a_second_engine_are_copied_once_it_was_said_where() {
    let mut desk = begun(include_str!("../../profiles/genesis/procedures/cpu-profiling.md"));
    desk.enter();
    desk.enter();
    assert!(!form(&mut desk, "a profile of what runs").is_empty());
    assert!(desk.screen().contains("may place orders"), "{}", desk.screen());
    let commands = [
        "python -m cProfile -o profile.stats -m genesis",
        "python -m cProfile -o profile.stats -m genesis.engine.executor",
        "python -m cProfile -s cumulative -m genesis > profile.txt",
    ];
    for down in 2..2 + commands.len() {
        (0..down).for_each(|_| desk.key('j'));
        assert!(desk.press(KeyCode::Char('y')).is_empty());
        assert!(
            desk.screen().contains("Not copied: type TEST at \"Where would it start\" first."),
            "{}",
            desk.screen()
        );
        (0..down).for_each(|_| desk.key('k'));
    }
    desk.enter();
    assert!(!form(&mut desk, "TEST").is_empty(), "{}", desk.screen());
    for command in commands {
        let effects = desk.press(KeyCode::Char('y'));
        let [Effect::Copy(lines)] = effects.as_slice() else { panic!("{effects:?} {}", desk.screen()) };
        assert_eq!(lines.as_slice(), [Clean::from(command)]);
        desk.enter();
    }
}

const HOST: &str =
    "# Load\n\n## Name it\n\n```ask\nname = \"host\"\ntext = true\nnot_production = true\n```\n\n## End\n";

#[test]
fn a_host_of_production_is_no_answer_where_another_one_is_asked_for() {
    let mut desk = begun(HOST);
    let own = desk.model.identity.host.to_string();
    desk.model.identity.environment = "production".into();
    desk.enter();
    for this in [own.as_str(), "localhost"] {
        assert!(form(&mut desk, this).is_empty());
        assert!(desk.screen().contains("is this host, and it is in production"), "{}", desk.screen());
        erase(&mut desk, this);
    }
    assert!(!form(&mut desk, "another-host").is_empty());

    // Where it is none of production it may be tested.
    let mut desk = begun(HOST);
    desk.model.identity.environment = "test".into();
    desk.enter();
    assert!(!form(&mut desk, &own).is_empty());
}

#[test]
fn a_handover_card_says_at_which_step_of_which_procedure_we_are() {
    let desk = under_way(80, 24);
    let card = card(&facts(&desk.model));
    let line = "OPEN     step 3 of 7 of GPU memory exhausted now: ";
    assert!(card.iter().any(|row| row.starts_with(line)), "{card:#?}");
}

#[test]
fn the_end_of_a_log_is_seen_kept_and_written_or_it_says_why_it_cannot_be_read() {
    let text =
        "# T\n\n## Kernel\n\n```log\nsource = \"kernel\"\nlines = 50\n```\n\n## After\n\n- [ ] It says: nothing\n";
    let document = Arc::new(parse("t", "t.md", text));
    assert_eq!(document.faults, []);
    for (lines, failure, kept, told) in [
        (60, None, 50, "50 lines of kernel"),
        (1, Some("it is closed"), 1, "1 line of kernel, which cannot be read any more: it is closed"),
        (0, Some("no right to it"), 0, "kernel cannot be read: no right to it"),
        (0, None, 0, "kernel has said nothing yet"),
    ] {
        let mut desk = desk(100, 30);
        let line = |n| LogLine { time: None, level: None, message: clean!("NVRM {n} token=hunter2"), marker: false };
        let lines = (0..lines).map(|n| (desk.model.now, line(n))).collect();
        let failure = failure.map(Fault::new);
        desk.send(Msg::Logs(vec![LogBatch { source: "kernel".into(), lines, dropped: 0, failure }]));
        desk.model.procedures = Procedures::new(vec![Arc::clone(&document)]);
        desk.send(Msg::Work("t".into()));
        desk.send(Msg::WalkBegun(Arc::clone(&document), Ok(Ulid(9))));
        assert!(desk.screen().contains(told), "before it is kept\n{}", desk.screen());
        assert_eq!(desk.screen().contains("NVRM 59 "), kept == 50, "its newest line is seen\n{}", desk.screen());
        let effects = desk.press(KeyCode::Enter);
        let step = steps(&effects)[0].clone();
        assert_eq!((step.text.as_str(), step.found.lines.len()), (told, kept));
        assert!(step.found.lines.iter().all(|line| !line.as_str().contains("hunter2")), "{:?}", step.found.lines);
        let record = record(&desk.model.procedures.walks[0].walk, &step);
        let rows = record.res.get("lines").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
        assert_eq!(rows, kept, "whole in the record: {record:?}");
        assert_ne!(position(&desk).0, 1, "the operator goes on\n{}", desk.screen());
        let written = document_of(&desk);
        assert_eq!(written.contains("NVRM 59 "), kept == 50, "{written}");
        assert!(written.contains(told), "{written}");
    }
}

#[test]
fn errors_that_repeat_stand_at_their_item_in_groups_the_most_frequent_first() {
    let page = include_str!("../../profiles/genesis/procedures/first-five-minutes.md");
    let shipped = parse("first-five-minutes", "first-five-minutes.md", page);
    let item = shipped.items.iter().find(|item| item.title.as_str() == "Errors of the last 15 minutes");
    let repeats = item.and_then(|item| item.beside.repeats.clone()).expect("it shows what repeats");
    assert_eq!((&*repeats.source, repeats.within.as_secs(), repeats.most), ("engine", 900, 5));

    let text = "# T\n\n## Errors\n\n```check\nquery = \"vector(1)\"\nexpect = \"< 1\"\nrepeats = { source = \"engine\" }\n```\n";
    let document = Arc::new(parse("t", "t.md", text));
    assert_eq!(document.faults, []);
    let mut desk = desk(120, 40);
    desk.quiet(3);
    let now = desk.model.now;
    let line = |level, text: String, age: u64| LogLine {
        time: Some(now.wall.back(Duration::from_secs(age))),
        level,
        message: Clean::text(text),
        marker: false,
    };
    let error = |text: String, age| line(Some(LogLevel::Error), text, age);
    let mut lines = vec![error("too old".to_owned(), 901)];
    lines.extend((0..3).map(|n| error(format!("order {n} rejected token=hunter2"), 800)));
    lines.extend((0..7).map(|n| error(format!("connection to 10.0.0.{n}:5432 refused after {n}.5 ms"), 100 - n)));
    lines.extend((0..2).map(|n| line(None, format!("ValueError: bad price {n}"), 50)));
    lines.extend(["a", "b", "c", "d"].map(|name| error(format!("{name} failed"), 40)));
    lines.extend((0..9).map(|n| line(Some(LogLevel::Info), format!("order {n} filled"), 30)));
    let lines = lines.into_iter().map(|line| (now, line)).collect();
    desk.send(Msg::Logs(vec![LogBatch { source: "engine".into(), lines, dropped: 0, failure: None }]));
    desk.model.procedures = Procedures::new(vec![Arc::clone(&document)]);
    desk.send(Msg::Work("t".into()));
    desk.send(Msg::WalkBegun(Arc::clone(&document), Ok(Ulid(9))));
    let screen = desk.screen();
    // As a document it is plain ASCII.
    for (seen, times) in [(screen, "\u{d7} "), (document_of(&desk), "x ")] {
        let counts = |row: &&str| row.contains("Errors of") || row.contains(" (last ");
        let rows: Vec<&str> = seen.lines().filter(counts).collect();
        assert_eq!(rows.len(), 6, "{seen}");
        assert!(rows[0].contains("Errors of engine in 15 min: 16 of 7 kinds"), "{seen}");
        for (row, begin) in rows[1..].iter().zip(["7", "3", "2", "1", "1"]) {
            assert!(row.contains(&format!(" {begin}{times}")) && row.contains(" (last "), "{seen}");
        }
        assert!(rows[1].contains("connection to 10.0.0.6:5432 refused after 6.5 ms"), "its newest\n{seen}");
        assert!(rows[3].contains("ValueError: bad price 1"), "{seen}");
        assert!(!seen.contains("hunter2") && !seen.contains("too old") && !seen.contains("filled"), "{seen}");
    }
    let failure = Some(Fault::new("no right to it"));
    desk.send(Msg::Logs(vec![LogBatch { source: "engine".into(), lines: Vec::new(), dropped: 0, failure }]));
    assert!(desk.screen().contains("Errors of engine: it cannot be read: no right to it"), "{}", desk.screen());
}

/// The walk as it is written with W.
fn document_of(desk: &Desk) -> String {
    let lines = watchkeeper::app::written::document(&desk.model, &desk.model.procedures.walks[0]);
    lines.iter().map(Clean::as_str).collect::<Vec<_>>().join("\n")
}
