//! The store against what a person would expect, and against a plain list.

use super::{Limits, MatchOp, Matcher, Selector, SeriesId, Store};
use crate::base::{
    Clean, Failure, Freshness, Mono, Now, Observation, Point, PointKind, Reading, Sample, Unknown, Wall,
};
use core::time::Duration;
use proptest::prelude::*;
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

fn at(ms: u64) -> Now {
    Now { mono: Mono(ms * 1_000_000), wall: Wall(0) }
}

fn sample(sampler: &str, ms: u64, outcome: Result<Vec<Point>, Failure>) -> Sample {
    let outcome = outcome.map(|points| Observation { points, ..Observation::default() });
    let (seen, took) = (at(ms), Duration::ZERO);
    Sample { sampler: sampler.into(), seen, took, interval: SECOND, next_in: SECOND, outcome }
}

fn gauge(n: usize, value: f64) -> Point {
    Point::gauge("m", &[("n", &n.to_string())], value)
}

fn one(store: &Store, n: usize) -> Option<SeriesId> {
    let mut found = store.select(&Selector::metric("m")).into_iter();
    found.find(|id| store.key(*id).label("n").is_some_and(|label| label.as_str() == n.to_string()))
}

fn all(store: &Store, id: SeriesId) -> Vec<(u64, Option<f64>)> {
    store.points(id, Mono(0), Mono(u64::MAX)).map(|(at, value)| (at.0 / 1_000_000, value)).collect()
}

#[test]
fn a_failed_tick_a_missing_series_and_a_long_silence_are_gaps() {
    let mut store = Store::new(Limits::default());
    store.ingest(&sample("s", 1_000, Ok(vec![gauge(0, 1.0), gauge(1, 10.0)])));
    store.ingest(&sample("s", 2_000, Err(Failure::unreachable("no answer."))));
    store.ingest(&sample("s", 3_000, Ok(vec![gauge(1, 11.0)])));
    store.ingest(&sample("s", 9_000, Ok(vec![gauge(2, 20.0), gauge(0, 2.0)])));
    let zero = one(&store, 0).expect("kept");
    assert_eq!(
        all(&store, zero),
        [(1_000, Some(1.0)), (2_000, None), (3_000, None), (4_000, None), (9_000, Some(2.0))]
    );
    let two = one(&store, 2).expect("new");
    assert_eq!(all(&store, two).last(), Some(&(9_000, Some(20.0))));
    assert_eq!(all(&store, two).iter().filter(|(_, value)| value.is_some()).count(), 1);
}

#[test]
fn a_reading_says_how_old_it_is_and_why() {
    let mut store = Store::new(Limits::default());
    let s: Arc<str> = "s".into();
    store.declare(&s, SECOND, true);
    assert_eq!(store.absence(&Selector::metric("m")), Reading::Unknown(Unknown::NotYet));
    store.ingest(&sample("s", 1_000, Ok(vec![gauge(0, 0.0), gauge(1, 5.0)])));
    let (zero, gone) = (one(&store, 0).expect("kept"), one(&store, 1).expect("kept"));
    let freshness = |store: &Store, ms: u64| match store.reading(zero, at(ms).mono) {
        Reading::Value { value: 0.0, freshness, failing, .. } => Some((freshness, failing.is_some())),
        _ => None,
    };
    assert_eq!(freshness(&store, 4_000), Some((Freshness::Live, false)));
    assert_eq!(freshness(&store, 4_001), Some((Freshness::Late, false)));
    assert_eq!(freshness(&store, 6_001), Some((Freshness::Stale, false)));
    store.ingest(&sample("s", 2_000, Err(Failure::unreachable("no answer."))));
    assert_eq!(freshness(&store, 2_000), Some((Freshness::Late, true)));
    store.ingest(&sample("s", 3_000, Ok(vec![gauge(0, 0.0)])));
    assert_eq!(store.reading(gone, at(3_000).mono), Reading::Unknown(Unknown::NoSuchSeries));
    assert!(store.sampler("s").is_some_and(|health| health.simulated && health.failure.is_none()));
}

#[test]
fn what_a_failed_attempt_measured_is_live_until_one_says_no_more() {
    let mut store = Store::new(Limits::default());
    let refused = || Failure::unreachable("refused.");
    let freshness = |store: &Store, n: usize, ms: u64| match store.reading(one(store, n)?, at(ms).mono) {
        Reading::Value { value, freshness, failing, .. } => Some((value, freshness, failing.is_some())),
        _ => None,
    };
    store.ingest(&sample("s", 1_000, Ok(vec![gauge(0, 1.0), gauge(1, 5.0)])));
    let generation = store.generation();
    store.ingest(&sample("s", 2_000, Err(refused().with([gauge(0, 0.0)]))));
    assert_ne!(store.generation(), generation, "who feeds a rule is worked out anew");
    assert_eq!(freshness(&store, 0, 2_000), Some((0.0, Freshness::Live, false)));
    assert_eq!(freshness(&store, 1, 2_000), Some((5.0, Freshness::Late, true)));
    let generation = store.generation();
    // It asks more seldom now, which makes nothing older than it is.
    let pause = Duration::from_secs(30);
    store.ingest(&Sample { next_in: pause, ..sample("s", 3_000, Err(refused().with([gauge(0, 0.0)]))) });
    assert_eq!(store.generation(), generation);
    assert_eq!(freshness(&store, 0, 33_000), Some((0.0, Freshness::Live, false)));
    let id = one(&store, 0).expect("kept");
    assert!(store.tells_failing_too(id) && store.failed_at(id, at(3_000).mono) && !store.failed_at(id, at(1_000).mono));
    store.ingest(&sample("s", 33_000, Err(refused())));
    assert_eq!(freshness(&store, 0, 33_000), Some((0.0, Freshness::Stale, true)));
    store.ingest(&sample("s", 34_000, Ok(vec![gauge(1, 6.0)])));
    assert_eq!(freshness(&store, 0, 34_000), None, "a good attempt says all there is");
}

#[test]
fn a_lack_is_explained_by_who_would_give_it() {
    let mut store = Store::new(Limits::default());
    for (name, gives) in [("page", vec![]), ("web", vec!["probe_", "depth"]), ("store", vec!["lmdb_"])] {
        store.declare(&name.into(), SECOND, false);
        store.expect(&name.into(), gives.into_iter().map(str::to_owned).collect());
    }
    store.ingest(&sample("page", 1_000, Err(Failure::unreachable("no page."))));
    store.ingest(&sample("web", 1_000, Err(Failure::unreachable("no web."))));
    let why = |metric: &str| match store.absence(&Selector::metric(metric)) {
        Reading::Unknown(Unknown::Failed(why)) => why.to_string(),
        other => format!("{other:?}"),
    };
    let told = ["probe_success", "depth", "depth_total", "anything"].map(why);
    assert_eq!(told, ["no web.", "no web.", "no page.", "no page."]);
    assert_eq!(store.absence(&Selector::metric("lmdb_readers")), Reading::Unknown(Unknown::NotYet));
    let of = |job: &str| Selector {
        matchers: vec![Matcher { label: "job".into(), value: Clean::text(job), op: MatchOp::Equal }],
        ..Selector::metric("lmdb_readers")
    };
    assert_eq!(store.absence(&of("store")), Reading::Unknown(Unknown::NotYet));
    assert_eq!(store.absence(&of("web")), Reading::Unknown(Unknown::NoSuchSeries), "another sampler explains nothing");
    store.ingest(&sample("store", 2_000, Ok(Vec::new())));
    let lacks = store.absence(&Selector::metric("lmdb_readers"));
    assert_eq!(lacks, Reading::Unknown(Unknown::NoSuchSeries), "nor does a page that would give anything");
    store.ingest(&sample("page", 2_000, Ok(Vec::new())));
    assert_eq!(store.absence(&Selector::metric("anything")), Reading::Unknown(Unknown::NoSuchSeries));
}

#[test]
fn a_sampler_that_a_selector_names_feeds_it_alone_however_seldom_others_give_the_metric() {
    let mut store = Store::new(Limits::default());
    for name in ["often", "seldom"] {
        store.ingest(&sample(name, 1_000, Ok(vec![Point::gauge("probe_success", &[], 1.0)])));
    }
    let of = |matchers: Vec<Matcher>| Selector { matchers, ..Selector::metric("probe_success") };
    let job = |name: &str| Matcher { label: "job".into(), value: Clean::text(name), op: MatchOp::Equal };
    let feeding = |store: &Store, selector| {
        store.feeders(&[selector]).iter().map(|feeder| feeder.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(feeding(&store, of(Vec::new())), ["often", "seldom"]);
    assert_eq!(feeding(&store, of(vec![job("often")])), ["often"]);
    store.expect_label(&"seldom".into(), Some(("lane", "slow".into())));
    let lane = |name: &str| Matcher { label: "lane".into(), value: Clean::text(name), op: MatchOp::Equal };
    assert_eq!(feeding(&store, of(vec![lane("fast")])), ["often"], "each series of the other has another lane");
    assert_eq!(feeding(&store, of(vec![lane("slow")])), ["often", "seldom"], "it may yet give one");
    let like = |pattern: &str, op: MatchOp| Matcher { label: "lane".into(), value: Clean::text(pattern), op };
    let pattern = |text: &str| regex::Regex::new(text).unwrap();
    assert_eq!(feeding(&store, of(vec![like("fa.*", MatchOp::Like(pattern("^fa.*$")))])), ["often"], "nor does it fit");
    assert_eq!(feeding(&store, of(vec![like("s.*", MatchOp::Like(pattern("^s.*$")))])), ["often", "seldom"]);
    assert_eq!(feeding(&store, of(vec![job("nobody")])), ["often", "seldom"], "a label of its own may be meant");
}

#[test]
fn who_may_give_anything_is_waited_for_only_where_no_other_sampler_is_named() {
    let mut store = Store::new(Limits::default());
    store.declare(&"page".into(), SECOND, false);
    store.ingest(&sample("service", 1_000, Ok(vec![Point::gauge("memory_bytes", &[], 1.0)])));
    let job = |name: &str| Matcher { label: "job".into(), value: Clean::text(name), op: MatchOp::Equal };
    let feeding = |matchers: Vec<Matcher>| {
        let selector = Selector { matchers, ..Selector::metric("memory_limit_bytes") };
        store.feeders(&[selector]).iter().map(|feeder| feeder.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(feeding(Vec::new()), ["page"]);
    assert_eq!(feeding(vec![job("page")]), ["page"]);
    assert_eq!(feeding(vec![job("service")]), [""; 0], "it has answered, and has none");
}

#[test]
fn what_a_host_cannot_give_is_not_supported() {
    let mut store = Store::new(Limits::default());
    let seen = Observation { not_supported: vec![("m".into(), "no such sensor".into())], ..Observation::default() };
    store.ingest(&Sample { outcome: Ok(seen), ..sample("s", 1_000, Ok(Vec::new())) });
    assert_eq!(store.not_supported("m").map(Clean::as_str), Some("no such sensor"));
    assert_eq!(store.absence(&Selector::metric("m")), Reading::NotSupported);
    assert_eq!(store.absence(&Selector::metric("other")), Reading::Unknown(Unknown::NoSuchSeries));
}

#[test]
fn what_this_login_may_not_look_at_is_unknown_and_what_is_given_beside_it_is_not() {
    let mut store = Store::new(Limits::default());
    let mut at = |millis, seen, good: bool| {
        let outcome = if good { Ok(seen) } else { Err(Failure::answered("bad.").seeing(seen)) };
        store.ingest(&Sample { outcome, ..sample("s", millis, Ok(Vec::new())) });
        let of = |n| one(&store, n).map(|id| store.reading(id, Mono(millis * 1_000_000)));
        (store.absence(&Selector::metric("m")), of(1), of(2))
    };
    let why: Clean = "this login may not read it".into();
    let unknown = || Reading::Unknown(Unknown::NotPermitted("this login may not read it.".into()));
    let value = |reading: Option<Reading>| reading.and_then(|reading| reading.usable());
    let given = |points: Vec<Point>, refused: &[&str]| {
        let mut seen = Observation { points, ..Observation::default() };
        seen.refuse(refused, &why);
        seen
    };
    let (_, first, second) = at(1_000, given(vec![gauge(1, 1.0), gauge(2, 2.0)], &[]), true);
    assert_eq!((value(first), value(second)), (Some(1.0), Some(2.0)));
    let mut both = given(vec![gauge(1, 1.5)], &["m"]);
    both.not_supported.push(("m".into(), "no such sensor".into()));
    let (absent, first, second) = at(2_000, both, true);
    assert_eq!((absent, second), (unknown(), Some(unknown())), "whatever else is lacking");
    assert_eq!(value(first), Some(1.5), "of another that the same answer gives something is known");
    let (absent, first, _) = at(3_000, given(Vec::new(), &[]), false);
    assert_eq!((absent, value(first)), (unknown(), Some(1.5)), "a failure that says nothing of it changes nothing");
    let (_, first, _) = at(4_000, given(Vec::new(), &["m"]), false);
    assert_eq!(first, Some(unknown()), "one that does, does");
    let (absent, first, _) = at(5_000, given(vec![gauge(1, 3.0)], &[]), true);
    assert_eq!((absent, value(first)), (Reading::Unknown(Unknown::NoSuchSeries), Some(3.0)));
}

#[test]
fn more_series_than_the_cap_are_counted_and_an_old_one_leaves() {
    let mut store = Store::new(Limits { series_per_sampler: 2, age: Duration::from_secs(100), ..Limits::default() });
    store.ingest(&sample("s", 1_000, Ok((0..5).map(|n| gauge(n, 1.0)).collect())));
    assert_eq!(store.sampler("s").map(|health| health.dropped_series), Some(3));
    let old = one(&store, 0).expect("kept");
    let generation = store.generation();
    for second in 2..200 {
        store.ingest(&sample("s", second * 1_000, Ok(vec![gauge(1, 1.0), gauge(9, 9.0)])));
    }
    assert_ne!(store.generation(), generation);
    assert_eq!(store.key(old).name.as_str(), "", "its handle means nothing any more");
    let new = one(&store, 9).expect("took the free place");
    assert!(all(&store, new).iter().all(|(_, value)| value.is_none_or(|value| value > 8.0)), "no point of another");
    assert_eq!(store.sampler("s").map(|health| health.dropped_series), Some(0));
}

#[test]
fn a_thousand_series_over_an_hour_fit_their_budget() {
    let mut store = Store::new(Limits { bytes: usize::MAX, ..Limits::default() });
    for second in 0..3_600 {
        store.ingest(&sample("s", second * 1_000, Ok((0..100).map(|n| gauge(n, 1.0)).collect())));
    }
    let usage = store.usage();
    assert!(usage.bytes <= 3_200_000, "{usage:?}");
    assert_eq!((usage.series, usage.evicted_ticks), (101, 0), "and `up`");
}

#[test]
fn fifty_thousand_series_cost_no_more_than_the_cap() {
    let mut store = Store::new(Limits::default());
    let flood: Vec<Point> = (0..50_000).map(|n| gauge(n, 1.0)).collect();
    store.ingest(&sample("s", 1_000, Ok(flood.clone())));
    store.ingest(&sample("s", 2_000, Ok(flood)));
    assert_eq!(store.sampler("s").map(|health| health.dropped_series), Some(48_000));
    assert_eq!(store.select(&Selector::default()).len(), 2_001);
    assert!(store.usage().bytes <= 4 * 1024 * 1024, "{:?}", store.usage());
}

#[test]
fn equal_label_sets_are_held_once_and_leave_with_their_last_series() {
    let mut store = Store::new(Limits { age: Duration::from_secs(100), ..Limits::default() });
    let disk = |name: &str, n: usize| Point::gauge(name, &[("disk", &n.to_string())], 1.0);
    let points = (0..50).flat_map(|n| ["reads", "writes"].map(|name| disk(name, n))).collect();
    store.ingest(&sample("s", 1_000, Ok(points)));
    let sets = |name| -> Vec<_> {
        let ids = store.select(&Selector::metric(name)).into_iter();
        ids.flat_map(|id| [&store.key(id).labels, &store.full_key(id).labels].map(Arc::clone)).collect()
    };
    let (reads, writes) = (sets("reads"), sets("writes"));
    assert_eq!(reads.len(), 100);
    assert!(reads.iter().zip(&writes).all(|(a, b)| Arc::ptr_eq(a, b)));
    drop((reads, writes));
    let full = store.usage().bytes;
    for second in 2..400 {
        store.ingest(&sample("s", second * 1_000, Ok(Vec::new())));
    }
    let usage = store.usage();
    assert_eq!(usage.series, 1);
    assert!(usage.bytes < full, "{usage:?} after {full}");
}

#[test]
fn what_a_metric_is_and_who_makes_it() {
    let mut store = Store::new(Limits::default());
    for (name, gives) in [("page", vec![]), ("web", vec!["probe_", "depth"])] {
        store.declare(&name.into(), SECOND, false);
        store.expect(&name.into(), gives.into_iter().map(str::to_owned).collect());
    }
    let makers = |store: &Store, metric: &str| {
        let makers = store.makers(metric);
        [makers.known, makers.possible].map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    };
    assert_eq!(makers(&store, "probe_success"), ["web", "page"]);
    assert_eq!(makers(&store, "loss"), ["", "page"]);
    assert_eq!((store.kind_of("loss"), makers(&store, "up")), (None, ["page,web".to_owned(), String::new()]));
    let untyped = Point { kind: PointKind::Untyped, ..Point::gauge("loss", &[("n", "0")], 1.0) };
    store.ingest(&sample("page", 1_000, Ok(vec![untyped, Point::gauge("loss", &[], 1.0)])));
    store.ingest(&sample("web", 1_000, Ok(vec![Point::counter("probe_total", &[], 1.0)])));
    assert_eq!(store.kind_of("loss"), Some(PointKind::Gauge));
    assert_eq!(store.kind_of("probe_total"), Some(PointKind::Counter));
    assert_eq!(makers(&store, "loss"), ["page", ""]);
    assert_eq!(makers(&store, "probe_success"), ["", ""], "it answered, and without it");
    assert_eq!(makers(&store, "depth"), ["web", ""], "it says that it makes it");
    let mut names: Vec<_> = store.metrics().map(Clean::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["loss", "probe_total", "up"]);
}

#[derive(Clone, Debug)]
enum Event {
    Good(Vec<(usize, f64)>),
    Bad,
}

fn event() -> impl Strategy<Value = Event> {
    let points = prop::collection::vec((0_usize..6, -9_f64..9.0), 0..6);
    prop_oneof![4 => points.prop_map(Event::Good), 1 => Just(Event::Bad)]
}

/// Sampler, time, what was seen: nothing when the attempt failed.
type Seen = (usize, u64, Option<Vec<(usize, f64)>>);

proptest! {
    #[test]
    fn the_store_agrees_with_a_plain_list(
        events in prop::collection::vec((event(), 1_u64..6_000, 0_usize..2), 1..400),
        ask in 0_u64..20_000,
    ) {
        let limits = Limits { bytes: 24 * 1024, age: Duration::from_secs(600), series_per_sampler: 5 };
        let mut store = Store::new(limits);
        let mut now = 1_000_000;
        // (sampler, time, what was seen), all of it.
        let mut seen: Vec<Seen> = Vec::new();
        for (event, pause, sampler) in events {
            now += pause;
            let name = ["a", "b"][sampler];
            let outcome = match &event {
                Event::Good(points) => Ok(points.iter().map(|(n, value)| gauge(*n, *value)).collect()),
                Event::Bad => Err(Failure::unreachable("no answer.")),
            };
            store.ingest(&sample(name, now, outcome));
            seen.push((sampler, now, match event { Event::Good(points) => Some(points), Event::Bad => None }));
            prop_assert!(store.usage().bytes <= limits.bytes);
        }
        for id in store.select(&Selector::metric("m")) {
            let sampler = usize::from(**store.sampler_of(id) == *"b");
            let n: usize = store.key(id).label("n").and_then(|label| label.as_str().parse().ok()).expect("labelled");
            let ticks: Vec<_> = seen.iter().filter(|(of, ..)| *of == sampler).collect();
            let value = |points: &Vec<(usize, f64)>| points.iter().rev().find(|(of, _)| *of == n).map(|(_, value)| *value);
            let points = all(&store, id);
            prop_assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0), "time moves on");
            for pair in points.windows(2) {
                if let [(before, Some(_)), (after, Some(_))] = pair {
                    prop_assert!(after - before <= 3_000, "a line across {before}..{after}");
                    prop_assert!(!ticks.iter().any(|(_, at, points)| before < at && at < after && points.is_none()));
                }
            }
            for (at, shown) in &points {
                let tick = ticks.iter().find(|(_, tick, _)| tick == at);
                let expected = tick.and_then(|(_, _, points)| points.as_ref()).and_then(value);
                // A series over the cap has gaps where it was refused; a value is never another's.
                prop_assert!(shown.is_none() || *shown == expected);
            }
            let last = ticks.iter().rev().find_map(|(_, at, points)| points.as_ref().map(|points| (*at, value(points))));
            if let Reading::Value { value: shown, seen, freshness, .. } = store.reading(id, at(now + ask).mono) {
                let (time, expected) = last.expect("a good tick");
                prop_assert_eq!((Some(shown), seen), (expected, at(time).mono));
                let failing = ticks.last().is_some_and(|(_, _, points)| points.is_none());
                prop_assert_eq!(freshness, Freshness::judge(at(now + ask).mono.since(seen), SECOND, failing));
            }
        }
    }
}
