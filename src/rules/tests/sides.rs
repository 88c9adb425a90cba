//! `or` while the source of one side gives nothing: the other side counts, who is missing is told, and what only the
//! silent side could say is not known.

use super::Bench;
use crate::base::{Clean, Failure, Level, Point};
use crate::rules::{BookOptions, FindingState, RuleFile, RuleHealth};
use FindingState::{Firing, NoData, Pending, Resolved};

/// `a` and `b` are gauges of samplers of these names.
fn bench(rule: &str) -> Bench {
    let text = format!("groups:\n- name: g\n  interval: 1s\n  rules:\n{rule}");
    let file = RuleFile::parse("rules.yaml", &text);
    assert!(file.broken.is_empty(), "{:?}", file.broken);
    Bench::of(vec![file], BookOptions::default())
}

impl Bench {
    /// So many seconds of both; `None` is a failed attempt.
    fn both(&mut self, a: Option<f64>, b: Option<f64>, seconds: usize) {
        for _ in 0..seconds {
            for (name, value) in [("a", a), ("b", b)] {
                let points = value.map(|value| vec![Point::gauge(name, &[], value)]);
                self.sample_of(name, points.ok_or_else(|| Failure::unreachable("refused.")));
            }
            self.judge();
        }
    }

    fn told(&self) -> (RuleHealth, Level) {
        (self.book.health(0).cloned().expect("a rule"), self.book.level(0))
    }

    fn lives(&self) -> Vec<(FindingState, f64)> {
        self.book.findings().iter().map(|found| (found.state, found.value)).collect()
    }
}

fn instead(who: &str) -> RuleHealth {
    RuleHealth::Instead { without: Clean::text(format!("{who}: refused.")) }
}

/// Until a side that fails is let go: its value is believed for five seconds, and who feeds is looked for every five.
const LET_GO: usize = 11;

const VALUE: &str =
    "  - alert: High\n    expr: (max(a) or max(b)) > 10\n    for: 3s\n    labels: {severity: critical}\n";

#[test]
fn a_value_comes_from_the_side_that_is_there_and_who_is_missing_is_told() {
    for (first, second) in [(Some(1.0), None), (None, Some(1.0))] {
        let mut bench = bench(VALUE);
        bench.both(Some(1.0), Some(1.0), 3);
        assert_eq!(bench.told(), (RuleHealth::Ok, Level::Ok));
        bench.both(first, second, 2);
        assert!(matches!(bench.told(), (RuleHealth::NoData { .. }, _)), "not let go yet: {:?}", bench.told());
        bench.both(first, second, LET_GO);
        let missing = if first.is_none() { "a" } else { "b" };
        assert_eq!(bench.told(), (instead(missing), Level::Ok));
        bench.both(first.map(|_| 15.0), second.map(|_| 15.0), 4);
        assert_eq!(bench.lives(), [(Firing, 15.0)]);
        bench.both(first, second, 1);
        assert_eq!(bench.lives().first().map(|found| found.0), Some(Resolved), "the side that is there says so");
        bench.both(Some(1.0), Some(1.0), LET_GO);
        assert_eq!(bench.told(), (RuleHealth::Ok, Level::Ok));
    }
}

#[test]
fn nothing_is_green_once_the_side_in_use_is_silent_too() {
    let mut bench = bench(VALUE);
    bench.both(Some(1.0), Some(1.0), 3);
    bench.both(None, Some(1.0), LET_GO);
    assert_eq!(bench.told(), (instead("a"), Level::Ok));
    bench.both(None, None, 1);
    let (health, level) = bench.told();
    assert!(matches!(health, RuleHealth::NoData { .. }) && level == Level::Unknown, "{health:?} {level:?}");
    bench.both(None, None, LET_GO);
    assert!(matches!(bench.told().0, RuleHealth::NoData { .. }));
}

#[test]
fn of_two_conditions_the_one_that_is_there_fires_and_what_the_other_found_is_not_over() {
    let mut bench = bench("  - alert: Either\n    expr: a > 10 or b > 10\n    for: 3s\n");
    bench.both(Some(15.0), Some(1.0), 4);
    assert_eq!(bench.lives(), [(Firing, 15.0)]);
    bench.both(None, Some(1.0), LET_GO);
    assert_eq!(bench.lives(), [(Firing, 15.0)], "nobody has seen it end");
    let (health, level) = bench.told();
    assert!(matches!(health, RuleHealth::NoData { .. }) && level != Level::Ok, "{health:?} {level:?}");
    bench.both(None, Some(20.0), 2);
    assert_eq!(bench.lives(), [(Firing, 15.0), (Pending, 20.0)]);
    bench.both(None, Some(20.0), 2);
    assert_eq!(bench.lives(), [(Firing, 15.0), (Firing, 20.0)]);
    bench.both(None, Some(20.0), 300);
    assert!(bench.lives().contains(&(NoData, 15.0)), "{:?}", bench.lives());
}

#[test]
fn a_constant_stands_in_for_nobody() {
    let mut bench = bench("  - alert: None\n    expr: (count(a) or vector(0)) == 0\n");
    bench.both(Some(1.0), Some(1.0), 3);
    bench.both(None, Some(1.0), LET_GO);
    assert!(matches!(bench.told(), (RuleHealth::NoData { .. }, Level::Unknown)), "{:?}", bench.told());
    assert_eq!(bench.lives(), []);
}

#[test]
fn what_rests_on_a_recorded_series_rests_on_the_side_that_its_rule_uses() {
    let rules = "  - record: r\n    expr: max(a) or max(b)\n  - alert: High\n    expr: r > 10\n";
    let mut bench = bench(rules);
    bench.both(Some(1.0), Some(15.0), 3);
    bench.both(None, Some(15.0), LET_GO);
    assert_eq!(bench.told().0, instead("a"));
    assert_eq!(bench.book.health(1), Some(&RuleHealth::Ok));
    assert_eq!(bench.lives(), [(Firing, 15.0)]);
}
