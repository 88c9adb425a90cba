//! How samples and recorded rows come into the store: a row a tick, a column a series, all within the caps.

use super::block::Block;
use super::catalog::{Series, SeriesId, cost_of};
use super::drops::Drops;
use super::feed::{Feed, Lacks};
use super::series::Store;
use crate::base::{Freshness, Mono, Now, Point, PointKind, Sample, SeriesKey};
use core::time::Duration;
use std::sync::Arc;

/// How often blocks that are too old are looked for.
const PRUNE: Duration = Duration::from_secs(1);
/// How often series that nobody gives any more are.
const SWEEP: Duration = Duration::from_mins(1);

/// One tick that is being written.
struct Tick {
    /// Whose.
    feed: usize,
    at: Mono,
    /// The attempt was good: who is not in it is gone.
    good: bool,
    /// When the last good tick before it was, if it held every series that there was.
    before: Option<Mono>,
}

impl Store {
    /// Takes one attempt in. A sample older than the sampler's last one says nothing new and is ignored.
    /// `up` becomes 1 or 0, whether the attempt was good or not; what a failed one measured is as live as that.
    pub fn ingest(&mut self, sample: &Sample) {
        self.revision += 1;
        let at = sample.seen.mono;
        let index = self.feed_index(&sample.sampler);
        self.expire(at);
        let Some(feed) = self.feeds.get_mut(index) else { return };
        let health = &mut feed.health;
        if health.last_attempt.is_some_and(|last| at < last.mono) {
            return;
        }
        let before = health.last_good.map(|good| good.mono).filter(|good| *good < at && health.dropped_series == 0);
        health.last_attempt = Some(sample.seen);
        health.interval = sample.interval;
        health.next_attempt = Some(at + sample.next_in);
        health.took = sample.took;
        let tick = Tick { feed: index, at, good: sample.outcome.is_ok(), before };
        match &sample.outcome {
            Ok(seen) => {
                health.last_good = Some(sample.seen);
                health.failure = None;
                health.facts.clone_from(&seen.facts);
                feed.lacks = Lacks::of(seen, at);
                feed.good_since.get_or_insert(at);
                let refused = self.write(&tick, &seen.points, Some(1.0));
                if let Some(feed) = self.feeds.get_mut(index) {
                    feed.health.dropped_series = refused;
                }
            }
            Err(failure) => {
                health.failure = Some(failure.clone());
                // What it says of itself stays until it says otherwise.
                if !failure.seen.facts.is_empty() {
                    health.facts.clone_from(&failure.seen.facts);
                }
                if !failure.seen.not_supported.is_empty() || !failure.seen.refused.is_empty() {
                    feed.lacks = Lacks::of(&failure.seen, at);
                }
                self.write(&tick, &failure.seen.points, Some(0.0));
                self.note_told(index, at);
            }
        }
    }

    /// Records what one rule gave when it was evaluated at `at`, every so often: a row that is absent from the next
    /// evaluation is stale at once. `rule` is unique to the rule: its rows are never those of another.
    /// An evaluation older than the last one is ignored. Returns how many rows found no place.
    pub fn record(&mut self, rule: &Arc<str>, every: Duration, rows: &[Point], at: Now) -> u64 {
        self.revision += 1;
        let index = self.rule_index(rule);
        self.expire(at.mono);
        let Some(feed) = self.feeds.get_mut(index) else { return 0 };
        let health = &mut feed.health;
        if health.last_attempt.is_some_and(|last| at.mono < last.mono) {
            return 0;
        }
        health.interval = every;
        health.last_attempt = Some(at);
        health.last_good = Some(at);
        health.next_attempt = Some(at.mono + every);
        feed.good_since.get_or_insert(at.mono);
        let refused = self.write(&Tick { feed: index, at: at.mono, good: true, before: None }, rows, None);
        if let Some(feed) = self.feeds.get_mut(index) {
            feed.health.dropped_series = refused;
        }
        refused
    }

    /// Writes a tick; returns how many series found no place.
    fn write(&mut self, tick: &Tick, points: &[Point], up: Option<f64>) -> u64 {
        if !self.row(tick) {
            return u64::try_from(points.len()).unwrap_or(u64::MAX);
        }
        let cap = self.limits.series_per_sampler.saturating_add(1);
        if let Some(block) = self.feeds.get_mut(tick.feed).and_then(|feed| feed.blocks.back_mut()) {
            block.expect(points.len().saturating_add(1).min(cap));
        }
        let mut next = 0;
        let mut own = None;
        if let Some(up) = up {
            let key = self.up.clone();
            own = self.column(tick, 0, &key, (PointKind::Gauge, up), true);
            if let Some(column) = own {
                self.set(tick, column, up);
                next = column + 1;
            }
            if let Some(feed) = self.feeds.get_mut(tick.feed) {
                feed.up = own;
            }
        }
        let mut refused = 0;
        for point in points {
            match self.column(tick, next, &point.key, (point.kind, point.value), false) {
                // Whether the source answers is ours to say.
                Some(column) if own == Some(column) => {}
                Some(column) => {
                    next = column + 1;
                    self.set(tick, column, point.value);
                }
                None => refused += 1,
            }
        }
        refused
    }

    /// Notes what a failed attempt gave. Who feeds a rule is worked out anew when that has changed.
    fn note_told(&mut self, index: usize, at: Mono) {
        let Some(feed) = self.feeds.get_mut(index) else { return };
        let seen =
            |id: &Option<SeriesId>| id.and_then(|id| self.catalog.get(id)).is_some_and(|series| series.seen == at);
        let told: Vec<usize> = feed.columns.iter().enumerate().filter(|(_, id)| seen(id)).map(|(at, _)| at).collect();
        if told != feed.told_failing {
            feed.told_failing = told;
            self.catalog.generation += 1;
        }
    }

    fn set(&mut self, tick: &Tick, column: usize, value: f64) {
        let Some(feed) = self.feeds.get_mut(tick.feed) else { return };
        if let Some(block) = feed.blocks.back_mut() {
            block.set(column, value);
        }
        if let Some(series) = feed.columns.get(column).copied().flatten().and_then(|id| self.catalog.get_mut(id)) {
            if series.seen == tick.at {
                // Its first value, or one more in this tick: the last one counts.
                if series.born != tick.at {
                    series.drops.replaced(tick.at);
                }
            } else if value < series.value {
                series.drops.fell(tick.at, series.value);
            }
            series.value = value;
            series.seen = tick.at;
        }
    }

    /// Begins a row, after a gap when the sampler was silent for longer than it promised.
    fn row(&mut self, tick: &Tick) -> bool {
        let Some(feed) = self.feeds.get(tick.feed) else { return false };
        let every = feed.health.interval;
        let last = feed.last_tick();
        let silent = |last| Freshness::judge(tick.at.since(last), every, false) != Freshness::Live;
        if let Some(last) = last.filter(|last| silent(*last)) {
            self.push_row(tick.feed, last + every.max(Duration::from_nanos(1)));
        }
        if last != Some(tick.at) && !self.push_row(tick.feed, tick.at) {
            return false;
        }
        let newest = self.feeds.get_mut(tick.feed).and_then(|feed| feed.blocks.back_mut());
        if let Some(block) = newest.filter(|_| tick.good) {
            block.answered();
        }
        true
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
                let block = Block::after(feed.blocks.back(), feed.columns.len());
                feed.blocks.push_back(block);
            }
        }
        if let Some(block) = self.feeds.get_mut(index).and_then(|feed| feed.blocks.back_mut()) {
            block.tick(at);
        }
        true
    }

    /// The column of a point's series. A sampler nearly always lists its series in one order: look at `next` first.
    fn column(
        &mut self,
        tick: &Tick,
        next: usize,
        key: &SeriesKey,
        first: (PointKind, f64),
        exempt: bool,
    ) -> Option<usize> {
        let feed = self.feeds.get(tick.feed)?;
        let likely = feed.columns.get(next).copied().flatten().and_then(|id| self.catalog.get(id));
        if likely.is_some_and(|series| series.key == *key) {
            return Some(next);
        }
        if let Some(column) = feed.index.get(key) {
            return Some(*column);
        }
        if feed.series() >= self.limits.series_per_sampler && !exempt {
            return None;
        }
        self.add(tick, key, first)
    }

    /// Takes a new series in.
    fn add(&mut self, tick: &Tick, key: &SeriesKey, (kind, value): (PointKind, f64)) -> Option<usize> {
        let feed = self.feeds.get(tick.feed)?;
        let job = (!feed.recorded).then(|| Arc::clone(&feed.name));
        let (key, full, sets) = self.catalog.share(key, job.as_deref());
        // The sets are in, whatever comes now: a sweep lets them go when nobody uses them.
        self.bytes += sets;
        let cost = cost_of(&key);
        if !self.make_room(cost + Block::cost(1) - Block::cost(0), false) {
            return None;
        }
        let feed = self.feeds.get_mut(tick.feed)?;
        let column = feed.new_column();
        let zero = tick.before.filter(|_| starts_at_zero(kind, key.name.as_str()) && value >= 0.0);
        let series = Series {
            key: key.clone(),
            full,
            kind,
            feed: tick.feed,
            column,
            value,
            seen: tick.at,
            born: tick.at,
            zero,
            drops: if kind == PointKind::Gauge { Drops::never() } else { Drops::default() },
        };
        let id = self.catalog.add(series);
        feed.index.insert(key, column);
        if let Some(place) = feed.columns.get_mut(column) {
            *place = id;
        }
        let grown = feed.widen(column + 1);
        self.bytes += cost + grown;
        Some(column)
    }

    /// Lets go what is older than the age cap.
    fn expire(&mut self, now: Mono) {
        if now.since(self.pruned) < PRUNE {
            return;
        }
        self.pruned = now;
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
        self.feeds.iter_mut().for_each(Feed::narrow);
        self.bytes -= self.catalog.forget_sets();
    }
}

/// Whether a series of this type was zero while it was absent.
fn starts_at_zero(kind: PointKind, name: &str) -> bool {
    match kind {
        PointKind::Counter | PointKind::Histogram => true,
        PointKind::Summary => name.ends_with("_sum") || name.ends_with("_count"),
        PointKind::Gauge | PointKind::Untyped => false,
    }
}
