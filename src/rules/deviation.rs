//! How far, and since when, a series has left what was usual: its course of the last minutes against the median and
//! the median absolute deviation of its baseline (Hampel's identifier). Counters are judged by their rates.

use crate::base::{Mono, PointKind, SeriesKey, Unit};
use crate::store::{SeriesId, Store};
use core::time::Duration;

/// Fewer points of a baseline, or after it, tell nothing.
const LEAST: usize = 3;
const LEAST_REST: usize = 2;
/// Median absolute deviation to standard deviation, for a normal distribution.
const NORMAL: f64 = 1.4826;
/// Outside is what lies so many deviations off.
const OUTSIDE: f64 = 4.0;
/// Nothing is so still that less than this share of its value, or of its change, were a deviation.
const FLOOR: f64 = 0.02;
const CHANGE_FLOOR: f64 = 0.05;
/// A baseline ends this long before the alert began, when there is enough of it.
const LEAD: Duration = Duration::from_mins(5);
/// With less history than this, most of it may already belong to the incident.
const SHORT: Duration = Duration::from_mins(1);

/// The points of one series, oldest first, gaps left out; of a counter, its rates.
pub(super) struct Course {
    points: Vec<(Mono, f64)>,
    /// As given by the source.
    raw: Vec<(Mono, f64)>,
    rate: bool,
    /// It counts, by its name or by what the source says of it; another one that only rises is shown as it is.
    counts: bool,
}

/// A sign of a restart; of several of one sampler the one of the lowest rank says most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Restart {
    rank: u8,
    /// When it was first seen.
    pub(super) at: Mono,
    /// What happened.
    pub(super) text: &'static str,
}

/// One departure from a baseline.
#[derive(Clone, Debug)]
pub(super) struct Deviation {
    /// The baseline's median.
    pub(super) from: f64,
    /// The median of the newest points.
    pub(super) to: f64,
    /// The first point of those that are outside.
    pub(super) onset: Mono,
    /// The values are rates of a counter.
    pub(super) rate: bool,
    /// Distance in robust standard deviations.
    distance: f64,
    course: Vec<(Mono, f64)>,
}

impl Course {
    pub(super) fn of(store: &Store, id: SeriesId, (from, to): (Mono, Mono)) -> Self {
        let points = store.points(id, from, to);
        let raw: Vec<(Mono, f64)> = points.filter_map(|(at, value)| Some((at, value?))).collect();
        let raw: Vec<(Mono, f64)> = raw.into_iter().filter(|(_, value)| value.is_finite()).collect();
        let key = store.key(id);
        let counts = is_counter(key) || store.kind_of(key.name.as_str()) == Some(PointKind::Counter);
        let rate = counts || only_rises(&raw);
        Self { points: if rate { rates(&raw) } else { raw.clone() }, raw, rate, counts }
    }

    /// The first point.
    pub(super) fn begin(&self) -> Option<Mono> {
        self.raw.first().map(|(at, _)| *at)
    }

    /// The newest sign in it that what gives it was started anew.
    pub(super) fn restart(&self, key: &SeriesKey) -> Option<Restart> {
        let name = key.name.as_str();
        let fell: fn(f64, f64) -> bool = |a, b| b < a;
        let (rank, moved, text): (u8, fn(f64, f64) -> bool, &'static str) = match () {
            () if name == "node_boot_time_seconds" => (0, |a, b| (a - b).abs() > 30.0, "the machine was started anew"),
            () if name.ends_with("start_time_seconds") => (1, |a, b| (a - b).abs() > 1.0, "the process was restarted"),
            () if name.ends_with("uptime_seconds") => (2, fell, "it was restarted"),
            () if name == "lmdb_last_txn_id" => (2, fell, "the store was replaced"),
            () if is_counter(key) => (3, fell, "its counters began anew"),
            () => return None,
        };
        let mut pairs = self.raw.iter().zip(self.raw.iter().skip(1)).rev();
        let found = pairs.find(|((_, a), (_, b))| moved(*a, *b));
        found.map(|(_, (at, _))| Restart { rank, at: *at, text })
    }

    /// How it has left its baseline by its end, if it has: the baseline ends well before `begun`.
    pub(super) fn deviation(&self, unit: Unit, begun: Mono) -> Option<Deviation> {
        let history = begun.since(self.points.first()?.0);
        let lead = if history < SHORT { history / 5 * 4 } else { (history / 2).min(LEAD) };
        let usual = self.points.partition_point(|(at, _)| *at < begun - lead).max(LEAST);
        let (baseline, rest) = self.points.split_at_checked(usual).filter(|(_, rest)| rest.len() >= LEAST_REST)?;
        let from = median(baseline.iter().map(|(_, value)| *value).collect())?;
        let spread = median(baseline.iter().map(|(_, value)| (value - from).abs()).collect())?;
        let to = median(rest.iter().rev().take(LEAST).map(|(_, value)| *value).collect())?;
        let scale = (NORMAL * spread)
            .max(NORMAL * restlessness(&self.points))
            .max(FLOOR * from.abs())
            .max(CHANGE_FLOOR * (to - from).abs())
            .max(FLOOR * whole(unit) / 2.0);
        let distance = (to - from).abs() / scale;
        if distance.is_nan() || distance < OUTSIDE {
            return None;
        }
        // A few points make a poor baseline.
        let distance = distance * baseline.len() as f64 / (baseline.len() as f64 + 2.0);
        let outside = |value: f64| (value - from) / scale * (to - from).signum() >= OUTSIDE.min(distance);
        // One point within does not end what is outside.
        let mut onset = None;
        let mut inside = 0;
        for (at, value) in rest.iter().rev() {
            if outside(*value) {
                onset = Some(*at);
                inside = 0;
            } else {
                inside += 1;
            }
            if inside > 1 {
                break;
            }
        }
        let (onset, course) = (onset?, self.points.clone());
        if self.counts || !self.rate {
            return Some(Deviation { from, to, onset, rate: self.rate, distance, course });
        }
        // A gauge that always rises: that it rises faster is told by where it went, that it rises slower is no news.
        let before = self.raw.iter().rev().find(|(at, _)| *at < onset).filter(|_| to > from)?;
        let (_, last) = self.raw.last()?;
        Some(Deviation { from: before.1, to: *last, onset, rate: false, distance, course })
    }
}

impl Deviation {
    /// 0–1: twice as far is not twice as telling.
    pub(super) fn strength(&self) -> f64 {
        self.distance / (self.distance + 5.0)
    }

    /// How well two courses agree where both have points: the absolute value of Pearson's correlation.
    pub(super) fn agreement(&self, other: &Self) -> f64 {
        let mut pairs = Vec::new();
        let mut theirs = other.course.iter().peekable();
        for (at, value) in &self.course {
            while theirs.next_if(|(next, _)| next < at).is_some() {}
            if let Some((_, other)) = theirs.next_if(|(next, _)| next == at) {
                pairs.push((*value, *other));
            }
        }
        correlation(&pairs).abs()
    }
}

/// Whether a metric counts, by Prometheus' conventions.
pub(super) fn is_counter(key: &SeriesKey) -> bool {
    let name = key.name.as_str();
    ["_total", "_count", "_sum", "_bucket"].iter().any(|end| name.ends_with(end))
}

/// A value that never falls and mostly rises is judged by how fast.
fn only_rises(points: &[(Mono, f64)]) -> bool {
    let pairs = || points.iter().zip(points.iter().skip(1));
    let rising = pairs().filter(|((_, a), (_, b))| b > a).count();
    points.len() > 30 && pairs().all(|((_, a), (_, b))| b >= a) && rising * 10 > points.len() * 9
}

/// The median absolute deviation of noise, from the bends between three neighbours: neither a change of level nor a
/// ramp moves it, restless values do. The bend of independent noise is wider than the noise by the root of six.
fn restlessness(points: &[(Mono, f64)]) -> f64 {
    let triples = points.iter().zip(points.iter().skip(1)).zip(points.iter().skip(2));
    let bends = triples.map(|(((_, a), (_, b)), (_, c))| (a - 2.0 * b + c).abs() / 6.0_f64.sqrt());
    median(bends.collect()).unwrap_or(0.0)
}

/// Rates between neighbours; a fall is a reset and gives none.
fn rates(points: &[(Mono, f64)]) -> Vec<(Mono, f64)> {
    let pairs = points.iter().zip(points.iter().skip(1));
    let rate = |((from, a), (to, b)): (&(Mono, f64), &(Mono, f64))| {
        let seconds = to.since(*from).as_secs_f64();
        (b >= a && seconds > 0.0).then(|| (*to, (b - a) / seconds))
    };
    pairs.filter_map(rate).collect()
}

/// What is all of a unit that has an end.
const fn whole(unit: Unit) -> f64 {
    match unit {
        Unit::Ratio => 1.0,
        Unit::Percent => 100.0,
        _ => 0.0,
    }
}

fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let count = pairs.len().max(1) as f64;
    let (x, y) = pairs.iter().fold((0.0, 0.0), |(x, y), (a, b)| (x + a / count, y + b / count));
    let sum = |of: fn(f64, f64) -> f64| pairs.iter().map(|(a, b)| of(a - x, b - y)).sum::<f64>();
    let (xy, xx, yy) = (sum(|a, b| a * b), sum(|a, _| a * a), sum(|_, b| b * b));
    if xx > 0.0 && yy > 0.0 { xy / (xx * yy).sqrt() } else { 0.0 }
}

/// The middle value; of an even number the upper of the two.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f64::total_cmp).1)
}
