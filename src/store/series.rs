//! The store of series: takes samples in, answers readings and points. A tick that gave nothing is a gap,
//! and so is a pause longer than the sampler promised: no chart can draw a line across what was not seen.

use super::block::Block;
use super::catalog::{Catalog, Series, SeriesId};
use super::feed::{Feed, SamplerHealth};
use super::selector::Selector;
use crate::base::{Clean, Failure, Freshness, Mono, Observation, Point, Reading, Sample, SeriesKey, Unknown};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

/// What one series costs beside its points, apart from its text.
const SERIES_COST: usize = 384;
/// How often series that nobody gives any more are looked for.
const SWEEP: Duration = Duration::from_secs(60);

/// What the store may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In all.
    pub bytes: usize,
    /// Older points are not kept.
    pub age: Duration,
    /// One sampler has no more; the rest is counted in its health.
    pub series_per_sampler: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 * 1024 * 1024, age: Duration::from_secs(3_600), series_per_sampler: 2_000 }
    }
}

/// What the store holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of blocks and identities.
    pub bytes: usize,
    /// Series.
    pub series: usize,
    /// Ticks that left before their age, for lack of room.
    pub evicted_ticks: u64,
}

/// Series with gaps, and the health of who gives them.
#[derive(Debug)]
pub struct Store {
    limits: Limits,
    feeds: Vec<Feed>,
    by_sampler: HashMap<Arc<str>, usize>,
    catalog: Catalog,
    bytes: usize,
    evicted_ticks: u64,
    swept: Mono,
    nobody: (SeriesKey, Arc<str>),
}

impl Store {
    /// An empty store.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            feeds: Vec::new(),
            by_sampler: HashMap::new(),
            catalog: Catalog::default(),
            bytes: 0,
            evicted_ticks: 0,
            swept: Mono::default(),
            nobody: (SeriesKey::new("", &[]), Arc::from("")),
        }
    }

    /// Announces a sampler before its first sample, so that its silence can be seen.
    pub fn declare(&mut self, sampler: &Arc<str>, interval: Duration, simulated: bool) {
        let at = self.feed_index(sampler);
        if let Some(feed) = self.feeds.get_mut(at) {
            feed.health.interval = interval;
            feed.health.simulated = simulated;
        }
    }

    /// Takes one attempt in. A sample older than the sampler's last one says nothing new and is ignored.
    pub fn ingest(&mut self, sample: &Sample) {
        let at = sample.seen.mono;
        let index = self.feed_index(&sample.sampler);
        self.expire(at);
        let Some(feed) = self.feeds.get_mut(index) else { return };
        let health = &mut feed.health;
        if health.last_attempt.is_some_and(|last| at < last.mono) {
            return;
        }
        health.last_attempt = Some(sample.seen);
        health.interval = sample.interval;
        health.next_attempt = Some(at + sample.next_in);
        health.took = sample.took;
        match &sample.outcome {
            Ok(seen) => {
                health.last_good = Some(sample.seen);
                health.failure = None;
                health.facts.clone_from(&seen.facts);
                feed.not_supported.clone_from(&seen.not_supported);
                let refused = self.values(index, at, seen);
                if let Some(feed) = self.feeds.get_mut(index) {
                    feed.health.dropped_series = refused;
                }
            }
            Err(failure) => {
                health.failure = Some(failure.clone());
                self.tick(index, at);
            }
        }
    }

    /// The series that a selector means, in the order of their keys. Valid until [`Store::generation`] changes.
    pub fn select(&self, selector: &Selector) -> Vec<SeriesId> {
        self.catalog.select(selector)
    }

    /// Changes whenever a series comes or goes.
    pub fn generation(&self) -> u64 {
        self.catalog.generation
    }

    /// Name and labels; an empty name when the series was evicted.
    pub fn key(&self, id: SeriesId) -> &SeriesKey {
        self.catalog.get(id).map_or(&self.nobody.0, |series| &series.key)
    }

    /// The sampler that gives this series; an empty name when it was evicted.
    pub fn sampler_of(&self, id: SeriesId) -> &Arc<str> {
        self.catalog.get(id).map_or(&self.nobody.1, |series| &series.sampler)
    }

    /// The value as it stands, with its age judged at `now`.
    pub fn reading(&self, id: SeriesId, now: Mono) -> Reading {
        let found = self.catalog.get(id).and_then(|series| Some((series, self.feeds.get(series.feed)?)));
        let Some((series, feed)) = found else { return Reading::Unknown(Unknown::NoSuchSeries) };
        if feed.not_supported.iter().any(|(name, _)| *name == series.key.name) {
            return Reading::NotSupported;
        }
        if feed.health.last_good.is_some_and(|good| series.seen < good.mono) {
            return Reading::Unknown(Unknown::NoSuchSeries);
        }
        let failing = feed.health.failure.as_ref().map(|failure| failure.what.clone());
        let freshness = Freshness::judge(now.since(series.seen), feed.health.interval, failing.is_some());
        Reading::Value { value: series.value, seen: series.seen, freshness, failing }
    }

    /// Why there is no series of this metric (`None`: of an unnamed one): what to show when a selection is empty.
    pub fn absence(&self, metric: Option<&str>) -> Reading {
        if metric.is_some_and(|name| self.not_supported(name).is_some()) {
            return Reading::NotSupported;
        }
        let silent = || self.feeds.iter().map(|feed| &feed.health).filter(|health| health.last_good.is_none());
        match silent().find_map(|health| health.failure.as_ref()) {
            Some(failure) => Reading::Unknown(Failure::reason(failure)),
            None if silent().next().is_some() => Reading::Unknown(Unknown::NotYet),
            None => Reading::Unknown(Unknown::NoSuchSeries),
        }
    }

    /// The reason when a sampler says that this host cannot give the metric.
    pub fn not_supported(&self, metric: &str) -> Option<&Clean> {
        let said = self.feeds.iter().flat_map(|feed| &feed.not_supported);
        said.into_iter().find(|(name, _)| name.as_str() == metric).map(|(_, why)| why)
    }

    /// The ticks of the series' sampler in `from..=to`, oldest first; `None` is a gap.
    pub fn points(&self, id: SeriesId, from: Mono, to: Mono) -> impl Iterator<Item = (Mono, Option<f64>)> + '_ {
        let found = self.catalog.get(id).and_then(|series| Some((series.column, self.feeds.get(series.feed)?)));
        found.into_iter().flat_map(move |(column, feed)| {
            let oldest = feed.last_tick().map_or(from, |last| from.max(last - self.limits.age));
            feed.blocks
                .iter()
                .skip_while(move |block| block.end().is_none_or(|end| end < oldest))
                .flat_map(move |block| block.points(column, oldest, to))
        })
    }

    /// How a sampler is doing.
    pub fn sampler(&self, name: &str) -> Option<&SamplerHealth> {
        self.by_sampler.get(name).and_then(|at| self.feeds.get(*at)).map(|feed| &feed.health)
    }

    /// Every sampler that was declared or has spoken, in that order.
    pub fn samplers(&self) -> impl Iterator<Item = (&Arc<str>, &SamplerHealth)> {
        self.feeds.iter().map(|feed| (&feed.name, &feed.health))
    }

    /// What is held, and what the caps have cost.
    pub fn usage(&self) -> Usage {
        Usage { bytes: self.bytes, series: self.catalog.len(), evicted_ticks: self.evicted_ticks }
    }

    fn feed_index(&mut self, sampler: &Arc<str>) -> usize {
        if let Some(at) = self.by_sampler.get(sampler) {
            return *at;
        }
        self.by_sampler.insert(Arc::clone(sampler), self.feeds.len());
        self.feeds.push(Feed { name: Arc::clone(sampler), ..Feed::default() });
        self.feeds.len() - 1
    }

    /// Begins a tick at `at`, after a gap when the sampler was silent for longer than it promised.
    fn tick(&mut self, index: usize, at: Mono) -> bool {
        let Some(feed) = self.feeds.get(index) else { return false };
        let every = feed.health.interval;
        match feed.last_tick() {
            Some(last) if last == at => return true,
            Some(last) if Freshness::judge(at.since(last), every, false) != Freshness::Live => {
                self.push_row(index, last + every.max(Duration::from_nanos(1)));
            }
            _ => {}
        }
        self.push_row(index, at)
    }

    fn push_row(&mut self, index: usize, at: Mono) -> bool {
        let Some(feed) = self.feeds.get(index) else { return false };
        if feed.blocks.back().is_none_or(Block::is_full) {
            let cost = Block::cost(feed.columns.len());
            if !self.make_room(cost, true) {
                self.evicted_ticks += 1;
                return false;
            }
            self.bytes += cost;
            if let Some(feed) = self.feeds.get_mut(index) {
                feed.blocks.push_back(Block::new(feed.columns.len()));
            }
        }
        if let Some(block) = self.feeds.get_mut(index).and_then(|feed| feed.blocks.back_mut()) {
            block.tick(at);
        }
        true
    }

    /// Writes a tick's values; returns how many series found no place.
    fn values(&mut self, index: usize, at: Mono, seen: &Observation) -> u64 {
        let kept = self.tick(index, at);
        if let Some(block) = self.feeds.get_mut(index).and_then(|feed| feed.blocks.back_mut()) {
            block.expect(seen.points.len().min(self.limits.series_per_sampler));
        }
        let mut refused = 0;
        let mut next = 0;
        for point in &seen.points {
            let Some(column) = self.column(index, next, point, at).filter(|_| kept) else {
                refused += 1;
                continue;
            };
            next = column + 1;
            let Some(feed) = self.feeds.get_mut(index) else { continue };
            if let Some(block) = feed.blocks.back_mut() {
                block.set(column, point.value);
            }
            if let Some(series) = feed.columns.get(column).copied().flatten().and_then(|id| self.catalog.get_mut(id)) {
                series.value = point.value;
                series.seen = at;
            }
        }
        refused
    }

    /// The column of a point's series. A sampler nearly always lists its series in one order: look at `next` first.
    fn column(&mut self, index: usize, next: usize, point: &Point, at: Mono) -> Option<usize> {
        let feed = self.feeds.get(index)?;
        let likely = feed.columns.get(next).copied().flatten().and_then(|id| self.catalog.get(id));
        if likely.is_some_and(|series| series.key == point.key) {
            return Some(next);
        }
        if let Some(column) = feed.index.get(&point.key) {
            return Some(*column);
        }
        if feed.index.len() >= self.limits.series_per_sampler {
            return None;
        }
        let cost = cost_of(&point.key);
        if !self.make_room(cost + Block::cost(1) - Block::cost(0), false) {
            return None;
        }
        let feed = self.feeds.get_mut(index)?;
        let column = feed.new_column();
        let sampler = Arc::clone(&feed.name);
        let key = point.key.clone();
        let id = self.catalog.add(Series { key, feed: index, sampler, column, value: point.value, seen: at });
        feed.index.insert(point.key.clone(), column);
        if let Some(place) = feed.columns.get_mut(column) {
            *place = id;
        }
        let grown = feed.blocks.back_mut().map_or(0, |block| block.widen(column + 1));
        self.bytes += cost + grown;
        Some(column)
    }

    /// Lets the oldest blocks go until `need` bytes fit; false when they cannot. A sampler's only block stays
    /// while it is written, and leaves when `full_too` and it is full.
    fn make_room(&mut self, need: usize, full_too: bool) -> bool {
        while self.bytes + need > self.limits.bytes {
            let oldest = self.feeds.iter_mut().filter_map(|feed| feed.oldest_end(full_too).map(|end| (end, feed)));
            let Some((_, feed)) = oldest.min_by_key(|(end, _)| *end) else { return false };
            if let Some(block) = feed.blocks.pop_front() {
                self.bytes -= block.bytes();
                self.evicted_ticks += u64::try_from(block.rows()).unwrap_or(0);
            }
        }
        true
    }

    /// Lets go what is older than the age cap.
    fn expire(&mut self, now: Mono) {
        let limit = now - self.limits.age;
        for feed in &mut self.feeds {
            while feed.oldest_end(true).is_some_and(|end| end < limit) {
                self.bytes -= feed.blocks.pop_front().map_or(0, |block| block.bytes());
            }
        }
        if now.since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        for series in self.catalog.expire(limit) {
            self.bytes -= cost_of(&series.key);
            if let Some(feed) = self.feeds.get_mut(series.feed) {
                feed.forget(&series.key, series.column);
            }
        }
    }
}

fn cost_of(key: &SeriesKey) -> usize {
    let text: usize = key.labels.iter().map(|(name, value)| name.as_str().len() + value.as_str().len() + 64).sum();
    SERIES_COST + key.name.as_str().len() + text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Now, Wall};
    use proptest::prelude::*;

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
        assert_eq!(store.absence(Some("m")), Reading::Unknown(Unknown::NotYet));
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
    fn what_a_host_cannot_give_is_not_supported() {
        let mut store = Store::new(Limits::default());
        let seen = Observation { not_supported: vec![("m".into(), "no such sensor".into())], ..Observation::default() };
        store.ingest(&Sample { outcome: Ok(seen), ..sample("s", 1_000, Ok(Vec::new())) });
        assert_eq!(store.not_supported("m").map(Clean::as_str), Some("no such sensor"));
        assert_eq!(store.absence(Some("m")), Reading::NotSupported);
        assert_eq!(store.absence(Some("other")), Reading::Unknown(Unknown::NoSuchSeries));
    }

    #[test]
    fn more_series_than_the_cap_are_counted_and_an_old_one_leaves() {
        let mut store =
            Store::new(Limits { series_per_sampler: 2, age: Duration::from_secs(100), ..Limits::default() });
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
        assert_eq!((usage.series, usage.evicted_ticks), (100, 0));
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
            let mut seen: Vec<(usize, u64, Option<Vec<(usize, f64)>>)> = Vec::new();
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
}
