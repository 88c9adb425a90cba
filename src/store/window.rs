//! A series as an expression sees it: its newest value unless it is gone, its points, the ends of a window.
//! Windows are half-open, `from <= t < to`, and cost the same however long they are.

use super::block::Block;
use super::catalog::{Series, SeriesId};
use super::feed::Feed;
use super::series::Store;
use crate::base::{Freshness, Mono};
use core::time::Duration;

/// What a counter function needs of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edges {
    /// Oldest point of the window.
    pub first: (Mono, f64),
    /// Newest point of the window.
    pub last: (Mono, f64),
    /// How many points lie in it.
    pub count: usize,
    /// Sum of the values from which the series fell; `None` when that is not listed so far back.
    pub dropped: Option<f64>,
}

impl Store {
    /// The newest point of `from <= t < to`; `None` when the sampler has said since that the series is gone.
    pub fn latest(&self, id: SeriesId, from: Mono, to: Mono) -> Option<(Mono, f64)> {
        let (series, feed) = self.found(id)?;
        let from = from.max(self.oldest(feed));
        match feed.last_before(series, to) {
            Some((block, row, at, value)) => (at >= from && !feed.gone(block, row, to)).then_some((at, value)),
            None => zero(series, from, to),
        }
    }

    /// Hands out the points of `from <= t < to`, oldest first.
    pub fn scan(&self, id: SeriesId, from: Mono, to: Mono, mut out: impl FnMut(Mono, f64)) {
        let Some((series, feed)) = self.found(id) else { return };
        let from = from.max(self.oldest(feed));
        if let Some((at, value)) = zero(series, from, to) {
            out(at, value);
        }
        let from = from.max(series.born);
        let first = feed.block_at(from);
        for block in feed.blocks.iter().skip(first).take_while(|block| block.start().is_some_and(|start| start < to)) {
            for (at, value) in block.points(series.column, from, to) {
                if let Some(value) = value {
                    out(at, value);
                }
            }
        }
    }

    /// The ends of `from <= t < to`, by binary searches.
    pub fn edges(&self, id: SeriesId, from: Mono, to: Mono) -> Option<Edges> {
        let (series, feed) = self.found(id)?;
        let from = from.max(self.oldest(feed));
        let zero = zero(series, from, to);
        let begin = feed.count(series.column, from.max(series.born));
        let count = feed.count(series.column, to).wrapping_sub(begin);
        if count == 0 || to <= series.born || to <= from {
            return zero.map(|zero| Edges { first: zero, last: zero, count: 1, dropped: Some(0.0) });
        }
        let point = |n| feed.nth(series.column, n).map(|(_, _, at, value)| (at, value));
        let (oldest, last) = (point(begin)?, point(begin.wrapping_add(count - 1))?);
        let first = zero.unwrap_or(oldest);
        let count = usize::try_from(count).unwrap_or(0) + usize::from(zero.is_some());
        // From the zero to the first value it did not fall.
        Some(Edges { first, last, count, dropped: series.drops.sum(oldest.0, last.0) })
    }

    /// How long the last value of a series is believed (expressions.md 4): three sampling intervals and a second, at
    /// least five; three intervals of a rule that records.
    pub fn lookback(&self, id: SeriesId) -> Duration {
        let Some((_, feed)) = self.found(id) else { return Duration::ZERO };
        let every = feed.health.interval;
        if feed.recorded { every * 3 } else { Freshness::lookback(every) }
    }

    /// Whether the series comes with failed attempts too. What they say is the last word until the next attempt, which
    /// may be as far away as [`CAP`](crate::base::backoff::CAP).
    pub fn tells_failing_too(&self, id: SeriesId) -> bool {
        self.found(id).is_some_and(|(series, feed)| feed.tells_failing(series.column))
    }

    /// Whether the attempt that ended at this moment failed.
    pub fn failed_at(&self, id: SeriesId, at: Mono) -> bool {
        let of = |feed: &Feed| {
            let up = feed.up?;
            let (.., time, value) = feed.nth(up, feed.count(up, Mono(at.0.saturating_add(1))).checked_sub(1)?)?;
            Some(time == at && value == 0.0)
        };
        self.found(id).and_then(|(_, feed)| of(feed)).unwrap_or(false)
    }

    /// When recording of this series' sampler began, as far as it is still held.
    pub fn recorded_since(&self, id: SeriesId) -> Option<Mono> {
        let (series, feed) = self.found(id)?;
        self.held_since(feed, feed.tells_failing(series.column))
    }

    /// The first moment that a feed holds; of `attempts`, or of good ones only.
    pub(super) fn held_since(&self, feed: &Feed, attempts: bool) -> Option<Mono> {
        let start = feed.blocks.front().and_then(Block::start)?;
        let held = start.max(self.oldest(feed));
        if attempts { Some(held) } else { Some(held.max(feed.good_since?)) }
    }
}

impl Feed {
    /// The place of the first block that reaches `at`; their number when none does.
    fn block_at(&self, at: Mono) -> usize {
        self.blocks.partition_point(|block| block.end().is_none_or(|end| end < at))
    }

    /// How many values the column had before `at`, since it is there.
    fn count(&self, column: usize, at: Mono) -> u32 {
        match self.blocks.get(self.block_at(at)) {
            Some(block) => block.count_before(column, block.row(at)),
            None => self.blocks.back().map_or(0, |block| block.count_through(column)),
        }
    }

    /// The value that had so many before it in its column: block, row, time, value.
    fn nth(&self, column: usize, n: u32) -> Option<(usize, usize, Mono, f64)> {
        let at = self.blocks.partition_point(|block| block.count_through(column) <= n);
        let (row, time, value) = self.blocks.get(at)?.nth(column, n)?;
        Some((at, row, time, value))
    }

    /// The newest value of a series before `to`.
    fn last_before(&self, series: &Series, to: Mono) -> Option<(usize, usize, Mono, f64)> {
        let count = self.count(series.column, to);
        let none = count <= self.count(series.column, series.born) || to <= series.born;
        if none { None } else { self.nth(series.column, count - 1) }
    }

    /// Whether the sampler has answered after this row and before `to`: without the series, or it would be newer.
    fn gone(&self, block: usize, row: usize, to: Mono) -> bool {
        let mut blocks = self.blocks.iter().skip(block);
        blocks.next().is_some_and(|block| block.any_answer(row + 1, block.row(to)))
            || blocks
                .take_while(|block| block.start().is_some_and(|start| start < to))
                .any(|block| block.any_answer(0, block.row(to)))
    }
}

/// The zero of a counter before its birth.
fn zero(series: &Series, from: Mono, to: Mono) -> Option<(Mono, f64)> {
    series.zero.filter(|at| from <= *at && *at < to).map(|at| (at, 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Failure, Now, Observation, Point, PointKind, Sample, SeriesKey, Wall};
    use crate::store::drops::KEPT;
    use crate::store::{Limits, Selector};
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);
    const AGE: Duration = Duration::from_secs(400);

    fn at(ms: u64) -> Mono {
        Mono(ms * 1_000_000)
    }

    /// Even ones are counters, odd ones are gauges.
    fn point(n: usize, value: f64) -> Point {
        let kind = if n.is_multiple_of(2) { PointKind::Counter } else { PointKind::Gauge };
        Point { key: SeriesKey::new("m", &[("n", &n.to_string())]), value, kind }
    }

    fn give(store: &mut Store, ms: u64, points: Option<Vec<Point>>) {
        let outcome = match points {
            Some(points) => Ok(Observation { points, ..Observation::default() }),
            None => Err(Failure::unreachable("no answer.")),
        };
        let seen = Now { mono: at(ms), wall: Wall(0) };
        let (took, interval) = (Duration::ZERO, SECOND);
        store.ingest(&Sample { sampler: "s".into(), seen, took, interval, next_in: SECOND, outcome });
    }

    fn id(store: &Store, n: usize) -> SeriesId {
        let mut found = store.select(&Selector::metric("m")).into_iter();
        found.find(|id| store.key(*id).label("n").is_some_and(|label| label.as_str() == n.to_string())).expect("kept")
    }

    fn scanned(store: &Store, id: SeriesId, from: Mono, to: Mono) -> Vec<(Mono, f64)> {
        let mut out = Vec::new();
        store.scan(id, from, to, |at, value| out.push((at, value)));
        out
    }

    fn plain_drops(points: &[(Mono, f64)]) -> f64 {
        points.windows(2).filter(|pair| pair[1].1 < pair[0].1).fold(0.0, |sum, pair| sum + pair[0].1)
    }

    #[test]
    fn a_series_is_gone_when_its_sampler_says_so_and_not_when_it_fails() {
        let mut store = Store::new(Limits::default());
        give(&mut store, 1_000, Some(vec![point(0, 1.0), point(1, 5.0)]));
        give(&mut store, 2_000, None);
        let latest = |store: &Store, n, ms: u64| store.latest(id(store, n), at(0), at(ms + 1)).map(|(_, value)| value);
        assert_eq!((latest(&store, 0, 2_000), latest(&store, 1, 2_000)), (Some(1.0), Some(5.0)));
        give(&mut store, 3_000, Some(vec![point(1, 6.0)]));
        assert_eq!((latest(&store, 0, 3_000), latest(&store, 1, 3_000)), (None, Some(6.0)));
        assert_eq!(latest(&store, 0, 2_999), Some(1.0), "what was, stays");
        assert_eq!(store.latest(id(&store, 1), at(3_001), at(9_000)), None, "older than asked");
    }

    #[test]
    fn a_counter_born_later_was_zero_at_the_tick_before() {
        let mut store = Store::new(Limits::default());
        give(&mut store, 1_000, Some(vec![point(0, 7.0)]));
        give(&mut store, 2_000, Some(vec![point(0, 7.0)]));
        give(&mut store, 3_000, None);
        give(&mut store, 4_000, Some(vec![point(0, 8.0), point(2, 3.0), point(1, 3.0)]));
        give(&mut store, 5_000, Some(vec![point(0, 8.0), point(2, 4.0), point(1, 3.0)]));
        let all = |n| scanned(&store, id(&store, n), at(0), at(9_000));
        assert_eq!(all(2), [(at(2_000), 0.0), (at(4_000), 3.0), (at(5_000), 4.0)]);
        assert_eq!(all(1).len(), 2, "a gauge was not zero");
        assert_eq!(all(0).first(), Some(&(at(1_000), 7.0)), "nobody knows what was before the recording");
        let edges = store.edges(id(&store, 2), at(0), at(9_000)).expect("points");
        assert_eq!(
            (edges.first, edges.last, edges.count, edges.dropped),
            ((at(2_000), 0.0), (at(5_000), 4.0), 3, Some(0.0))
        );
        let edge = store.edges(id(&store, 2), at(0), at(3_000)).expect("the zero");
        assert_eq!((edge.first, edge.count), ((at(2_000), 0.0), 1));
        let panes: Vec<_> = store.points(id(&store, 2), at(0), at(9_000)).filter_map(|(_, value)| value).collect();
        assert_eq!(panes, [3.0, 4.0], "a chart shows what was seen");
    }

    #[test]
    fn a_series_that_a_cap_kept_out_was_not_zero() {
        let mut store = Store::new(Limits { series_per_sampler: 1, ..Limits::default() });
        give(&mut store, 1_000, Some(vec![point(0, 7.0), point(2, 900.0)]));
        store.limits.series_per_sampler = 2;
        give(&mut store, 2_000, Some(vec![point(0, 7.0), point(2, 901.0)]));
        assert_eq!(scanned(&store, id(&store, 2), at(0), at(9_000)), [(at(2_000), 901.0)]);
    }

    #[test]
    fn up_is_written_at_every_attempt_and_its_zero_is_a_value() {
        let mut store = Store::new(Limits::default());
        store.declare(&"s".into(), SECOND, false);
        assert!(store.select(&Selector::metric("up")).is_empty(), "nothing is known before the first attempt");
        give(&mut store, 1_000, None);
        give(&mut store, 2_000, Some(vec![Point::gauge("up", &[], 7.0), point(0, 1.0)]));
        give(&mut store, 3_000, None);
        let up = store.select(&Selector::metric("up"));
        assert_eq!(up.len(), 1);
        let seen: Vec<f64> = scanned(&store, up[0], at(0), at(9_000)).iter().map(|(_, value)| *value).collect();
        assert_eq!(seen, [0.0, 1.0, 0.0], "no source speaks for us");
        assert_eq!(*store.full_key(up[0]), SeriesKey::new("up", &[("job", "s")]));
        assert!(matches!(
            store.reading(up[0], at(3_000)),
            crate::base::Reading::Value { value: 0.0, freshness: Freshness::Live, failing: None, .. }
        ));
        assert_eq!(
            (store.recorded_since(up[0]), store.recorded_since(id(&store, 0))),
            (Some(at(1_000)), Some(at(2_000)))
        );
    }

    #[test]
    fn a_series_that_falls_all_the_time_costs_no_more() {
        let mut store = Store::new(Limits::default());
        for second in 1..=100 {
            give(&mut store, second * 1_000, Some(vec![point(0, if second % 2 == 0 { 9.0 } else { 1.0 })]));
        }
        let counter = id(&store, 0);
        assert_eq!(store.edges(counter, at(0), at(200_000)).and_then(|edges| edges.dropped), None, "walk it");
        let recent = store.edges(counter, at(90_500), at(200_000)).expect("points");
        assert_eq!(recent.dropped, Some(plain_drops(&scanned(&store, counter, at(90_500), at(200_000)))));
    }

    type Tick = (u64, Option<Vec<(usize, f64)>>);

    fn ticks() -> impl Strategy<Value = Vec<Tick>> {
        let points = prop::collection::vec((0_usize..5, 0_u8..9), 0..5)
            .prop_map(|points| Some(points.into_iter().map(|(n, value)| (n, f64::from(value))).collect()));
        // Rising most of the time, as counters do.
        let rising = (0_usize..5, 1_u8..5).prop_map(|(from, count)| {
            Some((from..(from + usize::from(count)).min(5)).map(|n| (n, f64::NAN)).collect())
        });
        let tick = prop_oneof![2 => points, 8 => rising, 1 => Just(None)];
        prop::collection::vec((prop_oneof![9 => 900_u64..1_100, 1 => 0_u64..9_000], tick), 1..400).prop_map(|ticks| {
            let mut now = 1_000_000;
            let mut last = [0.0; 5];
            let mut rise = |n: usize, value: f64| {
                last[n] = if value.is_nan() { last[n] + 1.0 } else { value };
                (n, last[n])
            };
            let mut step = |(pause, points): (u64, Option<Vec<(usize, f64)>>)| {
                now += pause;
                (now, points.map(|points| points.into_iter().map(|(n, value)| rise(n, value)).collect()))
            };
            ticks.into_iter().map(&mut step).collect()
        })
    }

    proptest! {
        #[test]
        fn the_fast_ways_agree_with_a_plain_list(
            ticks in ticks(),
            bytes in prop_oneof![Just(usize::MAX), 30_000_usize..60_000],
            windows in prop::collection::vec((0_u64..700_000, 0_u64..700_000), 12),
        ) {
            let mut store = Store::new(Limits { bytes, age: AGE, ..Limits::default() });
            for (now, points) in &ticks {
                let points = points.as_ref().map(|points| points.iter().map(|(n, value)| point(*n, *value)).collect());
                give(&mut store, *now, points);
            }
            let end = ticks.last().map_or(0, |(now, _)| *now);
            for series in store.select(&Selector::metric("m")) {
                let n: usize = store.key(series).label("n").and_then(|n| n.as_str().parse().ok()).expect("labelled");
                // What was really seen, one value a tick, the last one wins.
                let mut seen: Vec<(Mono, f64)> = Vec::new();
                for (now, points) in &ticks {
                    let value = points.iter().flatten().rev().find(|(of, _)| *of == n).map(|(_, value)| *value);
                    seen.retain(|(time, _)| *time != at(*now) || value.is_none());
                    seen.extend(value.map(|value| (at(*now), value)));
                }
                let all = scanned(&store, series, at(0), Mono(u64::MAX));
                let real: Vec<_> = all.iter().copied().filter(|(time, _)| {
                    store.found(series).is_some_and(|(series, _)| series.zero != Some(*time))
                }).collect();
                let held: Vec<_> = seen.iter().copied().filter(|(time, _)| *time >= at(end) - AGE).collect();
                prop_assert!(held.ends_with(&real), "{:?}\n{:?}", held, real);
                prop_assert!(bytes < usize::MAX || held.len() == real.len());
                for (back, span) in &windows {
                    let to = at(end + 1_000).0.saturating_sub(*back * 1_000_000);
                    let (from, to) = (Mono(to.saturating_sub(*span * 1_000_000)), Mono(to));
                    let points = scanned(&store, series, from, to);
                    let expected: Vec<_> = all.iter().copied().filter(|(time, _)| from <= *time && *time < to).collect();
                    prop_assert_eq!(&points, &expected);
                    let edges = store.edges(series, from, to);
                    let ends = edges.map(|edges| (edges.first, edges.last, edges.count));
                    let plain = points.first().zip(points.last()).map(|(first, last)| (*first, *last, points.len()));
                    prop_assert_eq!(ends, plain);
                    match edges.and_then(|edges| edges.dropped) {
                        Some(dropped) => prop_assert_eq!(dropped, plain_drops(&points)),
                        None => {
                            let falls = all.windows(2).filter(|pair| pair[1].1 < pair[0].1).count();
                            let doubled = ticks.windows(2).any(|pair| pair[0].0 == pair[1].0)
                                || ticks.iter().flat_map(|(_, points)| points).any(|points| {
                                    points.iter().filter(|(of, _)| *of == n).count() > 1
                                });
                            prop_assert!(points.is_empty() || n % 2 == 1 || falls > KEPT || doubled);
                        }
                    }
                    let newest = points.last().filter(|(time, _)| {
                        let said = |(now, points): &Tick| points.is_some() && *time < at(*now) && at(*now) < to;
                        !ticks.iter().any(said)
                    });
                    // The zero before a birth has nothing after it but failed attempts.
                    prop_assert_eq!(store.latest(series, from, to), newest.copied());
                }
            }
        }
    }
}
