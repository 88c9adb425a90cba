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
const SWEEP: Duration = Duration::from_mins(1);

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
        Self { bytes: 32 * 1024 * 1024, age: Duration::from_hours(1), series_per_sampler: 2_000 }
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

    /// What a sampler can give: names, and beginnings of names that end in `_`. Then its silence explains the lack of
    /// nothing else.
    pub fn expect(&mut self, sampler: &Arc<str>, gives: Vec<String>) {
        let at = self.feed_index(sampler);
        if let Some(feed) = self.feeds.get_mut(at) {
            feed.gives = gives;
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
        let quiet = |feed: &&Feed| feed.health.last_good.is_none();
        let known = |feed: &&Feed| metric.is_none_or(|name| feed.gives(name));
        // Who is known to give it explains its lack; else anyone may whose metrics nobody knows beforehand.
        let any = self.feeds.iter().filter(quiet).any(|feed| known(&feed));
        let silent = || {
            let feeds = self.feeds.iter().filter(quiet);
            feeds.filter(move |feed| if any { known(feed) } else { feed.gives.is_empty() }).map(|feed| &feed.health)
        };
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
