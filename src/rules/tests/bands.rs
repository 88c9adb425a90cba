//! Alerts of bands from their first tick to their last, and what missing data must not do.

use super::Bench;
use crate::base::{Clean, Level, Point};
use crate::rules::{Bands, FindingState};
use core::time::Duration;
use proptest::prelude::*;

use FindingState::{Clearing, Firing, Inactive, NoData, Pending, Resolved};

#[test]
fn an_alert_lives_from_pending_to_resolved() {
    let mut bench = Bench::new(5);
    bench.values(&[1.0, 15.0, 15.0, 15.0, 15.0, 15.0]);
    assert_eq!(bench.state(), Pending);
    bench.value(15.0);
    assert_eq!(bench.state(), Firing);
    let since = bench.first().since;
    bench.values(&[1.0, 15.0]);
    assert_eq!((bench.state(), bench.first().since), (Firing, since), "one good tick ends nothing");
    bench.values(&[1.0, 1.0]);
    assert_eq!(bench.state(), Clearing);
    bench.value(1.0);
    assert_eq!(bench.state(), Resolved);
    for _ in 0..901 {
        bench.value(1.0);
    }
    assert_eq!(bench.state(), Inactive);
    let path = [Inactive, Pending, Firing, Clearing, Firing, Clearing, Resolved, Inactive];
    let steps: Vec<_> = path.iter().copied().zip(path.iter().copied().skip(1)).collect();
    assert_eq!(bench.moves, steps);
}

#[test]
fn three_ticks_are_needed_even_without_a_hold() {
    let mut bench = Bench::new(0);
    bench.values(&[1.0, 25.0, 25.0, 1.0, 25.0, 25.0]);
    assert_eq!((bench.state(), bench.book.level(0)), (Pending, Level::Ok));
    bench.value(25.0);
    assert_eq!((bench.state(), bench.book.level(0)), (Firing, Level::Critical));
}

#[test]
fn a_value_whose_bands_say_for_how_long_is_no_more_than_a_note_before() {
    let body = crate::base::Body::parse("p.toml", "bands = { warning = 10, critical = 20, for = \"5s\" }");
    let bands: Bands = body.and_then(|mut body| body.need("bands")).expect("bands");
    assert_eq!(bands.hold(), Some(Duration::from_secs(5)));
    let mut bench = Bench::of(vec![super::banded(bands, 5)], crate::rules::BookOptions::default());
    bench.values(&[1.0, 25.0, 25.0, 25.0, 25.0, 25.0]);
    assert_eq!((bench.state(), bench.book.level(0)), (Pending, Level::Note));
    bench.value(25.0);
    assert_eq!((bench.state(), bench.book.level(0)), (Firing, Level::Critical));
}

#[test]
fn a_firing_alert_that_grows_worse_keeps_its_time_and_says_so() {
    let mut bench = Bench::new(0);
    bench.values(&[15.0, 15.0, 15.0]);
    let since = bench.first().since;
    bench.values(&[25.0, 25.0]);
    assert_eq!(bench.first().level, Level::Warning);
    let moved = bench.value(25.0);
    assert_eq!(moved.len(), 1);
    let moved = moved.first().expect("one");
    assert_eq!((moved.from, moved.to), ((Firing, Level::Warning), (Firing, Level::Critical)));
    assert_eq!((bench.first().since, bench.first().level), (since, Level::Critical));
}

#[test]
fn without_data_an_alert_keeps_its_state_and_after_five_minutes_is_unknown() {
    let mut bench = Bench::new(0);
    bench.values(&[25.0, 25.0, 25.0]);
    let since = bench.first().since;
    for _ in 0..40 {
        assert!(bench.fail().is_empty());
    }
    let finding = bench.first();
    assert_eq!((finding.state, finding.no_data_for), (Firing, Some(Duration::from_secs(40))));
    assert_eq!(bench.book.level(0), Level::Unknown, "a stale value has no healthy colour");
    for _ in 0..261 {
        bench.fail();
    }
    let finding = bench.first();
    assert_eq!((finding.state, finding.level), (NoData, Level::Critical));
    bench.value(25.0);
    let finding = bench.first();
    assert_eq!((finding.state, finding.since, finding.no_data_for), (Firing, since, None));
    for _ in 0..302 {
        bench.fail();
    }
    bench.values(&[1.0, 1.0]);
    assert_eq!(bench.state(), Clearing, "what was before the silence does not help it to clear");
    bench.value(1.0);
    assert_eq!(bench.state(), Resolved);
}

#[test]
fn a_quiet_watch_that_loses_its_data_becomes_loud() {
    let mut bench = Bench::new(0);
    bench.values(&[1.0, 1.0]);
    for _ in 0..302 {
        bench.fail();
    }
    assert_eq!((bench.first().state, bench.first().level), (NoData, Level::Unknown));
    bench.value(1.0);
    assert_eq!((bench.state(), bench.book.level(0)), (Inactive, Level::Ok));
}

#[test]
fn time_without_data_does_not_ripen_an_alert() {
    let mut bench = Bench::new(30);
    bench.values(&[15.0, 15.0, 15.0]);
    for _ in 0..60 {
        bench.fail();
    }
    bench.values(&[15.0, 15.0]);
    assert_eq!(bench.state(), Pending);
    bench.values(&[15.0; 30]);
    assert_eq!(bench.state(), Firing);
}

#[test]
fn a_series_that_its_sampler_does_not_give_any_more_resolves() {
    let mut bench = Bench::new(0);
    bench.values(&[15.0, 15.0, 15.0]);
    for expected in [Clearing, Clearing, Resolved] {
        bench.sample(Ok(vec![Point::gauge("other", &[], 1.0)]));
        bench.judge();
        bench.judge();
        assert_eq!(bench.state(), expected);
    }
}

#[test]
fn each_series_has_its_own_finding_and_the_worst_comes_first() {
    let mut bench = Bench::new(0);
    for tick in 0..6 {
        let lane = |lane: &str, value: f64| Point::gauge("queue", &[("lane", lane)], value);
        bench.sample(Ok(vec![
            lane("a", 15.0),
            lane("b", if tick > 1 { 25.0 } else { 1.0 }),
            lane("c", 1.0),
            lane("d", if tick > 4 { 25.0 } else { 1.0 }),
        ]));
        bench.judge();
    }
    let found: Vec<_> = bench
        .book
        .findings()
        .iter()
        .map(|finding| (finding.id.key.label("lane").map(Clean::as_str), finding.state, finding.level))
        .collect();
    let expected = [
        (Some("b"), Firing, Level::Critical),
        (Some("a"), Firing, Level::Warning),
        (Some("d"), Pending, Level::Critical),
    ];
    assert_eq!(found, expected);
    assert_eq!(bench.book.level(0), Level::Critical);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Value(f64),
    NotANumber,
    Fail,
    Silence,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![Just(1.0), Just(15.0), Just(25.0)].prop_map(Step::Value);
    prop_oneof![6 => value, 1 => Just(Step::NotANumber), 1 => Just(Step::Fail), 1 => Just(Step::Silence)]
}

proptest! {
    #[test]
    fn missing_data_never_fires_and_never_resolves(steps in prop::collection::vec((step(), 1_usize..5), 1..120)) {
        let mut bench = Bench::new(4);
        let mut levels: Vec<Level> = Vec::new();
        let mut known = Level::Unknown;
        for step in steps.iter().flat_map(|(step, times)| core::iter::repeat_n(*step, *times)) {
            let moved = match step {
                Step::Value(value) => bench.value(value),
                Step::NotANumber => bench.value(f64::NAN),
                Step::Fail => bench.fail(),
                Step::Silence => bench.judge(),
            };
            let Step::Value(value) = step else {
                prop_assert!(moved.iter().all(|moved| moved.to.0 == NoData), "{moved:?}");
                continue;
            };
            levels.push(Bands::limits(10.0, 20.0).level(value));
            let last = levels.get(levels.len().saturating_sub(3)..).unwrap_or_default();
            let shown = bench.book.level(0);
            if known != Level::Unknown && shown != known {
                let (least, most) = (last.iter().min(), last.iter().max());
                prop_assert!(last.len() == 3 && Some(&shown) >= least && Some(&shown) <= most, "{last:?} {shown}");
                let agree = if shown > known { last.iter().all(|level| *level >= shown) } else { last.iter().all(|level| *level <= shown) };
                prop_assert!(agree, "{known} became {shown} after {last:?}");
            }
            known = shown;
            for moved in moved {
                match (moved.from.0, moved.to.0) {
                    (Pending, Firing) => prop_assert!(last.len() == 3 && last.iter().all(|level| *level >= Level::Warning)),
                    (_, Resolved) => prop_assert!(last.len() == 3 && last.iter().all(|level| *level == Level::Ok)),
                    _ => {}
                }
            }
        }
    }
}
