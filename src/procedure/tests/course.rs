//! One behaviour of a walk each.

use super::*;
use crate::procedure::calculate::{Calculate, Outcome as Worked};
use crate::procedure::pasted::Form;
use crate::procedure::view::Question;
use crate::procedure::{Found, Given, Pasted};

fn action(id: &str) -> Item {
    item(id, Live::Action("restart".into(), vec![("to".into(), "512".into())]))
}

fn ask(name: &str, kind: Answer) -> Item {
    item(name, Live::Ask(Ask { name: name.into(), kind, not_production: false }))
}

fn choice(words: &[&'static str]) -> Answer {
    Answer::Choice(words.iter().map(|word| Clean::from(*word)).collect())
}

fn when_answer(id: &str, name: &str, is: &'static str) -> Item {
    let condition = Condition { of: Subject::Answer(name.into()), expect: Expect::Text(is.into()), hold: SECOND * 9 };
    item(id, Live::When(condition))
}

fn wait(id: &str, until: bool, seconds: u32) -> Item {
    item(id, Live::Wait(Wait { until: until.then(|| holds(id, 0)), at_most: SECOND * seconds }))
}

fn why(text: &'static str) -> Clean {
    Clean::from(text)
}

#[test]
fn a_check_ticks_only_by_a_live_value_that_was_observed_after_it_became_current() {
    let mut bench = Bench::new(vec![check("a"), read("b")]);
    bench.see("a", Some(true));
    assert!(bench.tick().is_empty(), "observed just as it became current");
    bench.pass(SECOND);
    assert!(bench.tick().is_empty(), "the same old value");
    bench.second("a", None);
    bench.second("a", Some(false));
    assert_eq!(bench.words(), ["a", "b"]);
    bench.second("a", Some(true));
    assert_eq!(bench.words(), ["a sensed", "b"]);
    let mark = &bench.walk.marks[0];
    assert_eq!((mark.text.as_str(), mark.at, &mark.who), ("Some(true)", bench.now, &None));
    assert_eq!(bench.current(), "b");
}

#[test]
fn a_condition_must_hold_without_a_break() {
    let mut bench = Bench::new(vec![item("a", Live::Check(holds("a", 3)))]);
    for seen in [Some(true), Some(true), None, Some(true), Some(true), Some(false), Some(true), Some(true), Some(true)]
    {
        bench.second("a", seen);
        assert_eq!(bench.words(), ["a"]);
    }
    bench.pass(SECOND * 9);
    assert!(bench.tick().is_empty(), "time passes, but nothing new is seen");
    bench.see("a", Some(true));
    bench.tick();
    assert_eq!(bench.walk.standing, Standing::Complete);
}

#[test]
fn what_regresses_is_unticked_with_the_new_value_and_becomes_current() {
    let mut bench = Bench::new(vec![check("a"), check("b"), read("c")]);
    bench.second("a", Some(true));
    bench.second("b", Some(true));
    bench.second("b", None);
    assert_eq!(bench.words(), ["a sensed", "b sensed", "c"], "not knowing is no regression");
    bench.pass(SECOND);
    bench.see("a", Some(false));
    bench.see("b", Some(false));
    bench.tick();
    assert_eq!(bench.words(), ["a regressed", "b regressed", "c"]);
    assert_eq!((bench.current(), bench.walk.marks[1].text.as_str()), ("a", "Some(false)"));
    bench.second("a", Some(true));
    assert_eq!(bench.current(), "b");
    bench.second("b", Some(true));
    assert_eq!((bench.words(), bench.current()), (vec!["a sensed".into(), "b sensed".into(), "c".into()], "c"));
}

#[test]
fn what_was_found_before_an_action_is_history_once_it_begins_unless_it_is_refused() {
    let mut bench = Bench::new(vec![check("high"), action("reduce"), check("low"), read("end")]);
    bench.second("high", Some(true));
    bench.say(Said::Launched(Ulid(1))).unwrap();
    bench.second("high", Some(false));
    assert_eq!((bench.words()[0].as_str(), bench.current()), ("high sensed", "reduce"));
    bench.ended(1, Outcome::Refused);
    bench.second("high", Some(false));
    assert_eq!((bench.words()[0].as_str(), bench.current()), ("high regressed", "high"));
    bench.second("high", Some(true));
    bench.say(Said::Launched(Ulid(2))).unwrap();
    bench.ended(2, Outcome::Succeeded);
    bench.second("high", Some(false));
    bench.second("low", Some(true));
    assert_eq!(bench.words(), ["high sensed", "reduce SUCCEEDED", "low sensed", "end"]);
    bench.second("low", Some(false));
    assert_eq!(bench.current(), "low", "what proves the last action must hold on");
}

#[test]
fn by_hand_only_what_is_not_sensed_is_ticked_and_only_with_what_was_observed() {
    let items = vec![
        check("sensed"),
        item("seen", Live::Challenge(Some("green".into()))),
        ask("which", choice(&["Yes", "no"])),
        ask("share", Answer::Number(0.0, 1.0, Unit::Ratio)),
        ask("words", Answer::Text),
        item("call", Live::Escalate(Escalate { to: "L2".into(), say: None })),
        item("run", Live::Command(vec!["df".into()])),
        action("act"),
        wait("time", false, 60),
    ];
    let mut bench = Bench::new(items);
    let refused = |bench: &mut Bench, said: &str, word: &str| {
        let before = bench.walk.clone();
        let told = bench.observed(said).unwrap_err();
        assert!(told.as_str().contains(word), "{told}");
        assert_eq!((before.current, before.marks), (bench.walk.current, bench.walk.marks.clone()));
    };
    refused(&mut bench, "done", "override");
    assert!(bench.say(Said::Override(why("too bad"))).is_err(), "seven characters");
    bench.say(Said::Override(why("it is off"))).unwrap();
    refused(&mut bench, "  ", "observed");
    bench.observed(" red ").unwrap();
    refused(&mut bench, "maybe", "Yes, no");
    bench.observed("YES").unwrap();
    refused(&mut bench, "120 %", "between 0 % and 100 %");
    refused(&mut bench, "many", "no number");
    refused(&mut bench, "NaN", "no number");
    bench.observed("96 %").unwrap();
    refused(&mut bench, "", "empty");
    bench.observed("a word").unwrap();
    refused(&mut bench, "", "who was reached");
    bench.observed("Ann").unwrap();
    refused(&mut bench, "", "observed");
    bench.observed("80 %").unwrap();
    refused(&mut bench, "done", "runner");
    assert_eq!(bench.walk.needs_action().map(|(name, given)| (&**name, given.len())), Some(("restart", 1)));
    bench.say(Said::Override(why("not on this host"))).unwrap();
    refused(&mut bench, "done", "time");
    let said: Vec<&str> = bench.walk.marks.iter().map(|mark| mark.text.as_str()).collect();
    assert_eq!(said, ["it is off", "red", "Yes", "96 %", "a word", "Ann", "80 %", "not on this host", ""]);
    assert!(bench.walk.marks.iter().take(8).all(|mark| mark.who == Some("oncall".into())));
}

#[test]
fn an_action_is_done_by_its_outcome_alone_and_what_is_unknown_must_be_resolved_first() {
    let mut bench = Bench::new(vec![action("a"), read("b")]);
    bench.say(Said::Launched(Ulid(1))).unwrap();
    for said in [Said::Launched(Ulid(2)), Said::Defer(None, why("later")), Said::Override(why("it is done"))] {
        assert!(bench.say(said).is_err(), "its action runs");
    }
    assert!(bench.ended(9, Outcome::Succeeded).is_empty(), "another plan");
    bench.ended(1, Outcome::Indeterminate);
    assert_eq!((bench.current(), bench.words()[0].as_str()), ("a", "a INDETERMINATE"));
    for said in [Said::Defer(None, why("later on")), Said::Reopen(0), Said::Override(why("short"))] {
        assert!(bench.say(said).is_err(), "unknown");
    }
    assert_eq!(bench.walk.open_items().count(), 1);
    bench.say(Said::Launched(Ulid(3))).unwrap();
    bench.ended(3, Outcome::Unverified);
    assert_eq!((bench.current(), bench.words()[0].as_str()), ("a", "a UNVERIFIED"));
    bench.say(Said::Launched(Ulid(4))).unwrap();
    bench.ended(4, Outcome::Indeterminate);
    bench.say(Said::Override(why("the file is the new one"))).unwrap();
    assert_eq!((bench.current(), bench.walk.marks[0].text.as_str()), ("b", "resolved: the file is the new one"));
}

#[test]
fn a_case_that_does_not_apply_takes_what_lies_below_it_and_an_answer_decides_it() {
    let items = vec![
        ask("lost", choice(&["yes", "no"])),
        when_answer("if lost", "lost", "yes"),
        deeper(read("save it")),
        deeper(deeper(read("check it"))),
        read("go on"),
    ];
    let mut bench = Bench::new(items);
    bench.observed("no").unwrap();
    bench.tick();
    assert_eq!(bench.words()[1..], ["if lost not needed", "save it not needed", "check it not needed", "go on"]);
    assert_eq!((bench.current(), bench.walk.position()), ("go on", (5, 5)));
    assert!(bench.say(Said::Reopen(2)).unwrap_err().as_str().contains("does not apply"));
    bench.say(Said::Reopen(0)).unwrap();
    bench.observed("yes").unwrap();
    bench.say(Said::Reopen(1)).unwrap();
    assert_eq!(bench.walk.position(), (2, 5));
    bench.tick();
    assert_eq!((bench.current(), bench.words()[1].as_str()), ("save it", "if lost sensed"));
}

#[test]
fn whether_a_case_applies_is_said_by_hand_only_where_nothing_tells() {
    let mut bench = Bench::new(vec![item("if", Live::When(holds("x", 0))), deeper(read("deep")), read("on")]);
    assert!(bench.observed("no").is_err(), "it was not even looked at");
    bench.second("x", None);
    assert!(bench.observed("perhaps").is_err());
    bench.observed("No").unwrap();
    assert_eq!(bench.words(), ["if not needed", "deep not needed", "on"]);
    assert_eq!(bench.walk.marks[0].who, Some("oncall".into()));
    let mut bench = Bench::new(vec![item("if", Live::When(holds("x", 2))), deeper(read("deep"))]);
    bench.second("x", Some(true));
    assert!(bench.observed("no").is_err(), "what is seen decides");
    bench.second("x", Some(false));
    assert_eq!(bench.walk.standing, Standing::Complete);
}

#[test]
fn a_wait_that_is_over_fails_and_goes_where_the_text_says() {
    let mut first = wait("first", true, 10);
    first.go = Some("third".into());
    let mut bench = Bench::new(vec![first, read("second"), wait("third", true, 10), wait("fourth", false, 5)]);
    bench.pass(SECOND * 9);
    bench.tick();
    assert_eq!(bench.current(), "first");
    bench.second("first", Some(false));
    assert_eq!(bench.words(), ["first failed", "second not needed", "third", "fourth"]);
    assert_eq!((bench.current(), bench.walk.marks[0].text.as_str()), ("third", "not within 0:10: Some(false)"));
    bench.pass(SECOND * 10);
    bench.tick();
    assert_eq!((bench.current(), bench.words()[2].as_str()), ("third", "third failed"), "it says nothing: it stays");
    assert!(bench.say(Said::Failed(why("as I said"))).unwrap_err().as_str().contains("override"));
    bench.second("third", Some(true));
    assert_eq!(bench.walk.marks[2].text.as_str(), "Some(true) (0:11)", "with the time that it took");
    bench.pass(SECOND * 5);
    bench.tick();
    assert_eq!((bench.words()[3].as_str(), &bench.walk.standing), ("fourth sensed", &Standing::Complete));
}

#[test]
fn whoever_reopens_what_went_wrong_gets_back_what_was_passed() {
    let mut first = check("first");
    first.go = Some("third".into());
    let mut bench = Bench::new(vec![first, read("second"), read("third")]);
    bench.say(Said::Failed(why("no"))).unwrap();
    assert_eq!(bench.words(), ["first failed", "second not needed", "third"]);
    bench.say(Said::Reopen(0)).unwrap();
    assert_eq!((bench.words(), bench.current()), (vec!["first".into(), "second".into(), "third".into()], "first"));
    assert!(bench.say(Said::Reopen(2)).unwrap_err().as_str().contains("not been reached"));
    assert!(bench.say(Said::Reopen(9)).is_err());
}

#[test]
fn what_was_deferred_comes_back_when_it_is_due_and_once_at_the_end() {
    let mut bench = Bench::new(vec![read("a"), read("b"), read("c"), read("d")]);
    assert!(bench.say(Said::Defer(None, why(" "))).is_err());
    bench.say(Said::Defer(None, why("no space"))).unwrap();
    bench.say(Said::Defer(Some(SECOND * 60), why("not yet"))).unwrap();
    bench.pass(SECOND * 60);
    bench.tick();
    assert_eq!(bench.current(), "c", "not in the middle of another item");
    bench.observed("").unwrap();
    assert_eq!(bench.current(), "b");
    bench.observed("").unwrap();
    bench.observed("").unwrap();
    assert_eq!((bench.current(), bench.words()[0].as_str()), ("a", "a deferred"));
    bench.say(Said::Defer(Some(SECOND * 60), why("still none"))).unwrap();
    assert_eq!((bench.current(), &bench.walk.standing), ("", &Standing::CompleteExcept(1)));
    let open: Vec<&str> = bench.walk.open_items().map(|(_, mark)| mark.text.as_str()).collect();
    assert_eq!(open, ["still none"]);
    assert!(bench.observed("").is_err());
    bench.pass(SECOND * 60);
    bench.tick();
    assert_eq!((bench.current(), &bench.walk.standing), ("a", &Standing::Running));
    bench.say(Said::Defer(None, why("never here"))).unwrap();
    assert_eq!(bench.walk.standing, Standing::CompleteExcept(1), "the last one is not asked again at once");
    bench.say(Said::Reopen(0)).unwrap();
    bench.observed("").unwrap();
    assert_eq!(bench.walk.standing, Standing::Complete);
    bench.same_as_its_steps().unwrap();
}

#[test]
fn memory_items_come_first_and_what_lies_below_a_deferred_case_waits_for_it() {
    let by_heart = |item: Item| Item { memory: true, ..item };
    let items =
        vec![read("a"), item("if", Live::When(holds("x", 0))), deeper(by_heart(read("b"))), by_heart(read("c"))];
    let mut bench = Bench::new(items);
    assert_eq!(bench.current(), "c");
    bench.observed("").unwrap();
    bench.observed("").unwrap();
    bench.say(Said::Defer(None, why("cannot tell"))).unwrap();
    assert_eq!(bench.walk.standing, Standing::CompleteExcept(1));
    bench.say(Said::Reopen(1)).unwrap();
    bench.second("x", Some(true));
    assert_eq!(bench.current(), "b");
}

#[test]
fn while_nobody_is_there_nothing_moves_and_afterwards_only_what_is_seen_then_counts() {
    let mut bench = Bench::new(vec![action("a"), check("b"), read("c")]);
    bench.say(Said::Launched(Ulid(1))).unwrap();
    let paused = bench.walk.pause(&"terminal lost".into(), bench.now);
    bench.steps.extend(paused);
    assert!(bench.walk.pause(&"again".into(), bench.now).is_empty());
    bench.ended(1, Outcome::Succeeded);
    assert_eq!((bench.current(), bench.walk.standing.clone()), ("a", Standing::Paused), "no further step starts");
    bench.second("b", Some(true));
    assert!(bench.observed("x").unwrap_err().as_str().contains("paused"));
    assert!(bench.walk.needs_action().is_none());
    bench.say(Said::Resume).unwrap();
    assert_eq!(bench.current(), "b");
    bench.tick();
    assert_eq!(bench.current(), "b", "seen before it was resumed");
    bench.second("b", Some(true));
    assert_eq!(bench.current(), "c");
    assert!(bench.say(Said::Resume).is_err());
    bench.same_as_its_steps().unwrap();
}

#[test]
fn what_was_seen_while_nobody_was_there_ticks_nothing_afterwards() {
    let mut bench = Bench::new(vec![check("a"), read("b")]);
    bench.walk.pause(&"terminal lost".into(), bench.now);
    bench.second("a", Some(true));
    bench.pass(SECOND);
    bench.say(Said::Resume).unwrap();
    bench.tick();
    assert_eq!(bench.current(), "a");
    bench.second("a", Some(true));
    assert_eq!(bench.current(), "b");
}

#[test]
fn what_is_left_of_the_time_box_and_the_age_of_a_tick_are_told() {
    let mut bench = Bench::new(vec![item("a", Live::Challenge(None)), read("b")]);
    bench.observed("seven").unwrap();
    bench.pass(SECOND * 61);
    assert_eq!(bench.walk.left(bench.now), Some(super::super::Left::In(SECOND * 239)));
    assert_eq!((bench.walk.age(0, bench.now), bench.walk.age(1, bench.now)), (Some(SECOND * 61), None));
    assert!(bench.walk.is_stale(0, bench.now));
    bench.pass(SECOND * 240);
    assert_eq!(bench.walk.left(bench.now), Some(super::super::Left::Over(SECOND)));
    bench.say(Said::Abandon(why("relieved"))).unwrap();
    bench.pass(SECOND * 100);
    assert_eq!(bench.walk.elapsed(bench.now), SECOND * 301, "it ended then");
    assert!(bench.say(Said::Resume).is_err());
}

#[test]
fn a_file_that_names_what_the_text_lacks_is_no_walk() {
    let mut bench = Bench::new(vec![read("a")]);
    assert!(Walk::replay(Ulid(7), document(vec![read("other")]), &bench.steps).is_err());
    assert!(Walk::replay(Ulid(7), document(vec![read("a")]), &[]).is_err());
    bench.steps[1].item = None;
    assert!(bench.same_as_its_steps().is_err());
}

#[test]
fn after_a_reboot_what_is_seen_counts_although_its_clock_began_anew() {
    let mut bench = Bench::new(vec![check("a"), read("b")]);
    bench.pass(SECOND * 1_000);
    bench.say(Said::Defer(None, why("later"))).unwrap();
    bench.say(Said::Reopen(0)).unwrap();
    let mut steps = bench.steps.clone();
    for step in &mut steps {
        step.at.mono = Mono::default();
    }
    let mut walk = Walk::replay(Ulid(7), Arc::clone(&bench.walk.document), &steps).unwrap();
    let now = Now { mono: Mono(5), wall: bench.now.wall.ahead(SECOND * 100) };
    assert_eq!(walk.elapsed(now), SECOND * 1_100);
    walk.pause(&"terminal lost".into(), Now { mono: Mono(6), ..now });
    walk.say(Said::Resume, &"oncall".into(), Now { mono: Mono(7), ..now }).unwrap();
    bench.world.0.insert("a".into(), (Some(true), Mono(8)));
    walk.tick(&mut bench.world, Now { mono: Mono(9), ..now });
    assert_eq!(walk.word(0), "sensed");
}

#[test]
fn a_text_of_very_many_items_is_walked_without_delay() {
    let many = (0..20_000).map(|at| deeper(item(&at.to_string(), Live::Challenge(None))));
    let items = core::iter::once(item("if", Live::When(holds("x", 0)))).chain(many).collect();
    let mut bench = Bench::new(items);
    bench.second("x", Some(false));
    assert_eq!((&bench.walk.standing, bench.steps.len()), (&Standing::Complete, 20_004));
}

fn commands(id: &str) -> Item {
    item(id, Live::Command(vec!["df -h".into()]))
}

#[test]
fn commands_that_were_run_leave_what_they_said_to_be_said_and_an_unknown_end_has_to_be_settled() {
    let mut bench = Bench::new(vec![commands("a"), read("b")]);
    assert_eq!(bench.walk.needs_commands().map(|item| &*item.id), Some("a"));
    assert!(bench.walk.needs_action().is_none(), "Enter asks what they said; a key of its own runs them");
    bench.say(Said::Launched(Ulid(5))).expect("launched");
    assert!(bench.walk.needs_commands().is_none() && bench.observed("full").is_err(), "they run");
    bench.ended(5, Outcome::Unverified);
    assert_eq!((bench.current(), bench.words()[0].as_str()), ("a", "a UNVERIFIED"));
    assert_eq!(bench.walk.question(), Question::Run(vec!["df -h".into()]));
    bench.say(Said::Launched(Ulid(6))).expect("again");
    bench.ended(6, Outcome::Indeterminate);
    assert_eq!(bench.walk.question(), Question::Resolve);
    let why = bench.observed("full").expect_err("nobody knows");
    assert!(why.as_str().contains("nobody knows whether"), "{why}");
    assert!(bench.walk.needs_commands().is_some(), "it may be tried again");
    bench.say(Said::Launched(Ulid(7))).expect("again");
    bench.ended(7, Outcome::Unverified);
    bench.observed("91 % full").expect("said");
    assert_eq!((bench.current(), bench.words()[0].as_str()), ("b", "a observed"));
    bench.same_as_its_steps().expect("the same");
}

#[test]
fn what_a_check_found_is_watched_for_as_long_as_its_text_says() {
    let watched = |watch: Option<Duration>| {
        let mut first = check("a");
        first.watch = watch;
        let mut bench = Bench::new(vec![first, action("b"), read("c")]);
        bench.second("a", Some(true));
        bench.say(Said::Launched(Ulid(5))).expect("launched");
        bench.second("a", Some(false));
        let during = bench.words()[0].clone();
        bench.ended(5, Outcome::Succeeded);
        (bench, during)
    };
    let (bench, during) = watched(None);
    assert_eq!((bench.current(), during.as_str()), ("c", "a sensed"), "the action may have changed it");
    let (mut bench, during) = watched(Some(SECOND * 60));
    assert_eq!((bench.current(), during.as_str()), ("a", "a regressed"), "told at once, current after the action");
    bench.second("a", Some(true));
    bench.pass(SECOND * 61);
    bench.second("a", Some(false));
    assert_eq!((bench.current(), bench.words()[0].as_str()), ("c", "a sensed"), "its time is over");
    let (_, during) = watched(Some(Duration::ZERO));
    assert_eq!(during, "a sensed", "never");
    bench.same_as_its_steps().expect("the same");
}

#[test]
fn a_done_action_that_is_no_more_as_it_left_things_becomes_current_and_is_not_run_again() {
    let mut bench = Bench::new(vec![action("first"), action("second"), read("end")]);
    for plan in [1, 2] {
        bench.say(Said::Launched(Ulid(plan))).unwrap();
        bench.ended(plan, Outcome::Succeeded);
    }
    assert_eq!(bench.walk.begun_actions(), [(0, Ulid(1)), (1, Ulid(2))]);
    bench.pass(SECOND);
    assert!(bench.walk.seen_again(0, true, &why("as it left it"), bench.now).is_empty(), "that is only seen");
    assert_eq!(bench.walk.marks[0].confirmed, Some(bench.now));
    let steps = bench.walk.seen_again(1, false, &why("as it was before"), bench.now);
    bench.steps.extend(steps);
    assert_eq!(bench.words(), ["first SUCCEEDED", "second regressed", "end"]);
    assert_eq!((bench.current(), bench.walk.question()), ("second", Question::Act(None)));
    let steps = bench.walk.seen_again(0, false, &why("as it was before"), bench.now);
    bench.steps.extend(steps);
    assert_eq!(bench.current(), "first", "the earlier one comes first");
    assert!(bench.walk.seen_again(0, false, &why("again"), bench.now).is_empty(), "it is done no more");
    assert!(bench.walk.seen_again(2, false, &why("no action"), bench.now).is_empty());
    assert_eq!(bench.walk.in_flight(), None);
    bench.same_as_its_steps().unwrap();
}

#[test]
fn a_number_is_compared_in_one_way_whoever_gives_it() {
    for (comparison, limit, holds) in [
        (Comparison::Equal, 0.0, true),
        (Comparison::Differs, 0.0, false),
        (Comparison::AtLeast, 0.0, true),
        (Comparison::Less, 0.0, false),
    ] {
        let expect = Expect::Number(comparison, limit);
        assert_eq!(expect.holds(-0.0), Some(holds), "{comparison:?}, seen");
        assert_eq!(
            expect.of_answer(&Given { text: &why("-0"), value: Some(-0.0) }),
            Some(holds),
            "{comparison:?}, answered"
        );
    }
    assert_eq!(Expect::Number(Comparison::Differs, 0.0).holds(f64::NAN), None);
}

#[test]
fn what_was_pasted_and_worked_out_outlives_its_console_and_serves_later_items() {
    let result = Worked { label: "map".into(), text: "1".into(), unit: Unit::Bytes, bands: None };
    let calculate = Calculate { name: "mib".into(), inputs: Vec::new(), results: vec![result] };
    let set = vec![("to".into(), "$mib".into()), ("of".into(), "$stacks".into()), ("by".into(), "7".into())];
    let document = document(vec![
        ask("stacks", Answer::Pasted(Form::Stacks)),
        item("size", Live::Calculate(calculate)),
        item("grow", Live::Action("grow".into(), set.clone())),
    ]);
    let (who, now) = (Clean::from("oncall"), Now { mono: Mono(1), wall: Wall(1) });
    let (mut walk, mut steps) = Walk::begin(Ulid(1), Arc::clone(&document), &who, now);
    assert!(walk.given(&set).is_err_and(|why| why.as_str().contains("`mib` was not answered")));
    let found = Found { text: "map 1 MiB".into(), lines: vec!["map 1 MiB".into()], value: Some(1.0) };
    assert!(walk.say(Said::Worked(found.clone()), &who, now).is_err(), "a question is not worked out");
    let lines = Clean::lines("main;parse 3\nmain;send 1\nsecret = hunter2");
    steps.extend(walk.say(Said::Pasted(Pasted::new(&lines, 0)), &who, now).unwrap());
    assert!(walk.say(Said::Observed("1".into()), &who, now).is_err(), "what is worked out is not said");
    steps.extend(walk.say(Said::Worked(found), &who, now).unwrap());
    let written = serde_json::to_string(&steps).unwrap();
    assert!(!written.contains("hunter2"), "{written}");
    let read: Vec<Step> = serde_json::from_str(&written).unwrap();
    let again = Walk::replay(Ulid(1), document, &read).unwrap();
    assert_eq!(again.marks, walk.marks);
    assert_eq!(again.marks[0].shown[1].as_str(), "100.0 %        4  main", "a tree again");
    let given = again.given(&set).unwrap();
    assert_eq!(given[0].1.as_str(), "1");
    assert_eq!(given[1].1.as_str(), "4 samples in 2 stacks, 1 line is none");
    assert_eq!(given[2].1.as_str(), "7");
}
