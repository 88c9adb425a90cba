//! Alerts over a restart of the console, over a boot, and over a step of the wall clock.

use super::Bench;
use crate::base::{Clean, Failure, Mono, Now, Point};
use crate::rules::book::BookOptions;
use crate::rules::saved::Saved;
use crate::rules::{Ack, Book, Escalated, Finding, FindingState, Matchers, RuleFile, Silence};
use FindingState::{Firing, NoData, Pending, Resolved};
use core::time::Duration;
use proptest::prelude::*;

const RULES: &str = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: High\n    expr: load > 10\n    for: 2m\n    keep_firing_for: 5s\n  - alert: Soon\n    expr: load > 20\n    for: 3s\n";

fn book() -> Book {
    Book::new(vec![RuleFile::parse("rules.yaml", RULES)], BookOptions::default())
}

fn bench() -> Bench {
    Bench::of(vec![RuleFile::parse("rules.yaml", RULES)], BookOptions::default())
}

/// The state as the file has it.
fn through_a_file(saved: &Saved) -> Saved {
    let text = serde_json::to_string(saved).expect("has a text");
    serde_json::from_str(&text).expect("reads back")
}

impl Bench {
    fn load(&mut self, value: f64, times: usize) {
        for _ in 0..times {
            self.sample(Ok(vec![Point::gauge("load", &[("instance", "a")], value)]));
            self.judge();
        }
    }

    /// Leaves, and starts again after a while, on this boot.
    fn restart(&mut self, boot: &'static str, down: Duration) {
        let saved = self.book.saved(&Clean::from("boot-1"), self.now);
        self.pass(down);
        self.start(&saved, boot);
    }

    fn start(&mut self, saved: &Saved, boot: &'static str) {
        self.book = book();
        self.store = crate::store::Store::new(crate::store::Limits::default());
        self.book.restore(&through_a_file(saved), &Clean::from(boot), self.now);
    }
}

#[test]
fn timers_go_on_after_a_restart() {
    let mut bench = bench();
    bench.load(15.0, 73);
    let id = bench.first().id;
    assert_eq!(bench.book.progress(&id).map(|(held, _)| held), Some(Duration::from_secs(72)));
    bench.restart("boot-1", Duration::from_secs(60));
    let found = bench.first();
    assert_eq!((found.state, bench.book.progress(&id).map(|(held, _)| held)), (Pending, Some(Duration::from_secs(72))));
    bench.judge();
    assert!(
        bench.first().no_data_for.is_some_and(|gone| gone > Duration::from_secs(59)),
        "never OK: {:?}",
        bench.first()
    );
    bench.load(15.0, 48);
    assert_eq!(bench.first().state, Pending, "the time in which nobody looked does not count");
    bench.load(15.0, 2);
    let fired = bench.first().since;
    assert_eq!(bench.first().state, Firing);
    bench.restart("boot-1", Duration::from_secs(600));
    bench.judge();
    assert_eq!(
        (bench.first().state, bench.first().since),
        (Firing, fired),
        "ten minutes without a console are no loss of data"
    );
    bench.load(1.0, 8);
    assert_eq!(bench.first().state, Resolved);
}

#[test]
fn a_boot_and_a_clock_that_goes_back_make_no_negative_age() {
    let mut bench = bench();
    bench.load(25.0, 10);
    let soon = |bench: &Bench| bench.book.findings().iter().find(|found| found.id.rule == 1).expect("fires").clone();
    let fired = soon(&bench).fired.expect("fires");
    let saved = bench.book.saved(&Clean::from("boot-1"), bench.now);
    // Two hours later, half a minute after a boot.
    let wall = bench.now.wall.ahead(Duration::from_hours(2));
    bench.now = Now { mono: Mono(30_000_000_000), wall };
    bench.start(&saved, "boot-2");
    let found = soon(&bench);
    let age = bench.now.since(found.fired.expect("fires"));
    assert_eq!(age, bench.now.wall.since(fired.wall), "{age:?}");
    // The same with a wall clock that was set back a day.
    bench.now.wall = fired.wall.back(Duration::from_hours(24));
    bench.start(&saved, "boot-2");
    assert!(bench.now.since(soon(&bench).since) <= Duration::from_secs(30), "{:?}", soon(&bench));
    bench.load(25.0, 3);
    assert_eq!(soon(&bench).state, Firing);
}

#[test]
fn a_step_of_the_wall_clock_moves_no_timer() {
    let mut bench = bench();
    bench.load(15.0, 60);
    bench.now.wall = bench.now.wall.ahead(Duration::from_hours(1));
    bench.load(15.0, 30);
    bench.now.wall = bench.now.wall.back(Duration::from_hours(3));
    bench.load(15.0, 30);
    assert_eq!(bench.first().state, Pending);
    bench.load(15.0, 1);
    assert_eq!(bench.first().state, Firing);
}

#[test]
fn answers_survive_and_those_of_another_console_are_learned() {
    let mut bench = bench();
    bench.load(25.0, 10);
    let id = bench.book.findings().iter().find(|found| found.state == Firing).expect("fires").id.clone();
    let boot = Clean::from("boot-1");
    let mut other = book();
    other.restore(&through_a_file(&bench.book.saved(&boot, bench.now)), &boot, bench.now);
    let at = |seconds| bench.now.wall.ahead(Duration::from_secs(seconds));
    let (first, second) = (at(1), at(2));
    assert!(bench.book.ack(&id, Ack { by: "ada".into(), note: "mine".into(), at: first }));
    assert!(other.ack(&id, Ack { by: "bob".into(), note: "no, mine".into(), at: second }));
    assert!(bench.book.escalated(&id, Escalated { to: "L2 Cleo".into(), by: "ada".into(), at: first }));
    let matchers = Matchers::parse("alertname=High").expect("parses");
    let silence =
        Silence::new(matchers, "deploy".into(), "bob".into(), Duration::from_hours(1), bench.now).expect("fits");
    let number = other.silence(silence);
    bench.book.adopt(&through_a_file(&other.saved(&boot, bench.now)), bench.now);
    other.adopt(&through_a_file(&bench.book.saved(&boot, bench.now)), bench.now);
    for book in [&bench.book, &other] {
        let found = book.findings().iter().find(|found| found.id == id).expect("is there");
        assert_eq!(found.ack.as_ref().map(|ack| ack.by.as_str()), Some("bob"), "the later word counts");
        assert_eq!(book.escalations(&id).len(), 1);
        assert_eq!(book.silences().map(|silence| silence.id).collect::<Vec<_>>(), [number]);
    }
    other.unsilence(number, bench.now);
    bench.book.adopt(&other.saved(&boot, bench.now), bench.now);
    assert_eq!(bench.book.silences().count(), 0, "an end is learned, too");
    bench.restart("boot-1", Duration::from_secs(5));
    let found = bench.book.findings().iter().find(|found| found.id == id).expect("is there");
    assert_eq!(found.ack.as_ref().map(|ack| ack.note.as_str()), Some("no, mine"));
}

#[test]
fn a_clock_that_was_set_back_takes_no_alert_away_from_its_owner() {
    let mut bench = bench();
    bench.load(25.0, 10);
    let id = bench.book.findings().iter().find(|found| found.state == Firing).expect("fires").id.clone();
    let boot = Clean::from("boot-1");
    assert!(bench.book.ack(&id, Ack { by: "ada".into(), note: "".into(), at: bench.now.wall }));
    assert!(bench.book.unack(&id, bench.now));
    let mut other = book();
    other.restore(&bench.book.saved(&boot, bench.now), &boot, bench.now);
    bench.now.wall = bench.now.wall.back(Duration::from_hours(1));
    assert!(bench.book.ack(&id, Ack { by: "ada".into(), note: "mine".into(), at: bench.now.wall }));
    bench.book.adopt(&other.saved(&boot, bench.now), bench.now);
    other.adopt(&bench.book.saved(&boot, bench.now), bench.now);
    for book in [&bench.book, &other] {
        let found = book.findings().iter().find(|found| found.id == id).expect("is there");
        assert_eq!(found.ack.as_ref().map(|ack| ack.note.as_str()), Some("mine"));
    }
}

#[test]
fn a_hostile_state_mutes_nothing_for_longer_than_a_silence_lasts_and_breaks_nothing() {
    let mut bench = bench();
    bench.load(15.0, 3);
    let boot = Clean::from("boot-1");
    let matchers = Matchers::parse("alertname=High").expect("parses");
    let hour = Duration::from_hours(1);
    bench.book.silence(Silence::new(matchers, "x".into(), "x".into(), hour, bench.now).expect("fits"));
    let mut saved = serde_json::to_value(bench.book.saved(&boot, bench.now)).expect("text");
    let huge = serde_json::to_value(Duration::MAX).expect("text");
    saved["silences"][0]["lasts"] = huge.clone();
    let step = saved["alerts"][0]["history"][0].clone();
    for alert in saved["alerts"].as_array_mut().expect("alerts") {
        alert["life"]["held"] = huge.clone();
        alert["history"] = vec![step.clone(); 500].into();
    }
    let saved = serde_json::from_value(saved).expect("reads");
    bench.start(&saved, "boot-1");
    let left = bench.book.silences().next().and_then(|silence| silence.left(bench.now));
    assert!(left.is_some_and(|left| left <= Duration::from_hours(4)), "{left:?}");
    bench.load(15.0, 3);
    let id = bench.first().id;
    assert!(bench.book.history(&id).len() <= 50);
    bench.pass(Duration::from_hours(4));
    bench.load(15.0, 1);
    assert_eq!(bench.book.silences().count(), 0);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Value(f64),
    Fail,
    Silent,
}

/// What is shown of an alert.
fn shown(found: &Finding) -> String {
    format!("{found:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn a_restart_that_takes_no_time_changes_nothing(
        steps in prop::collection::vec((prop_oneof![
            4 => prop_oneof![Just(1.0), Just(15.0), Just(25.0)].prop_map(Step::Value),
            1 => Just(Step::Fail),
            1 => Just(Step::Silent),
        ], 1_usize..40), 1..20),
        at in 0_usize..200,
    ) {
        let (mut whole, mut cut) = (bench(), bench());
        let steps = steps.iter().flat_map(|(step, times)| core::iter::repeat_n(*step, *times));
        for (number, step) in steps.enumerate() {
            for bench in [&mut whole, &mut cut] {
                match step {
                    Step::Value(value) => bench.sample(Ok(vec![Point::gauge("load", &[("instance", "a")], value)])),
                    Step::Fail => bench.sample(Err(Failure::unreachable("no answer."))),
                    Step::Silent => {}
                }
                bench.judge();
            }
            if number == at {
                // The store of the other console goes on: only the book is new.
                let saved = through_a_file(&cut.book.saved(&Clean::from("b"), cut.now));
                cut.book = book();
                cut.book.restore(&saved, &Clean::from("b"), cut.now);
            }
            let of = |bench: &Bench| bench.book.findings().iter().map(shown).collect::<Vec<_>>();
            // A restart is no loss of data: the five minutes begin anew.
            let lost = |bench: &Bench| bench.book.findings().iter().any(|found| found.state == NoData);
            if lost(&whole) || lost(&cut) {
                break;
            }
            prop_assert_eq!(of(&whole), of(&cut), "step {}", number);
        }
    }
}
