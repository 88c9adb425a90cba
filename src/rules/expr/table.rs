//! Points in memory, by series: what a file of series, a rule test or a case runner is evaluated over.

use super::source::{Handle, Millis, Source};
use crate::base::{Clean, SeriesKey};
use crate::store::Selector;
use std::collections::HashMap;

/// Look-back of a selector when the evaluator leaves it to the source: Prometheus' five minutes.
const LOOK_BACK: Millis = 5 * 60 * 1000;

/// Series with their points, held until the table is dropped.
#[derive(Clone, Debug, Default)]
pub struct Table {
    series: Vec<Series>,
    by_key: HashMap<SeriesKey, usize>,
    generation: u64,
}

#[derive(Clone, Debug)]
struct Series {
    key: SeriesKey,
    /// Sorted by time, at most one for a time; `None` is a stale marker.
    points: Vec<(Millis, Option<f64>)>,
}

impl Table {
    /// A table without series.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a point; one of the same series and time is replaced. Labels without a value are left out.
    pub fn push(&mut self, key: &SeriesKey, at: Millis, value: f64) {
        self.put(key, at, Some(value));
    }

    /// Says that a series ended: from then on it has no value until its next point.
    pub fn push_stale(&mut self, key: &SeriesKey, at: Millis) {
        self.put(key, at, None);
    }

    fn put(&mut self, key: &SeriesKey, at: Millis, value: Option<f64>) {
        let index = self.index_of(key);
        let Some(series) = self.series.get_mut(index) else { return };
        match series.points.last() {
            Some((last, _)) if *last >= at => match series.points.binary_search_by_key(&at, |(time, _)| *time) {
                Ok(found) => {
                    if let Some(point) = series.points.get_mut(found) {
                        point.1 = value;
                    }
                }
                Err(place) => series.points.insert(place, (at, value)),
            },
            _ => series.points.push((at, value)),
        }
    }

    fn index_of(&mut self, key: &SeriesKey) -> usize {
        if let Some(index) = self.by_key.get(key) {
            return *index;
        }
        let mut named = key.clone();
        if key.labels.iter().any(|(_, value)| value.as_str().is_empty()) {
            named.labels = key.labels.iter().filter(|(_, value)| !value.as_str().is_empty()).cloned().collect();
            if let Some(index) = self.by_key.get(&named) {
                return *index;
            }
        }
        let index = self.series.len();
        self.series.push(Series { key: named.clone(), points: Vec::new() });
        self.by_key.insert(named, index);
        self.generation += 1;
        index
    }

    /// The time of the oldest and of the newest point, markers included.
    pub fn span(&self) -> Option<(Millis, Millis)> {
        let oldest = self.series.iter().filter_map(|series| series.points.first()).map(|(at, _)| *at).min()?;
        let newest = self.series.iter().filter_map(|series| series.points.last()).map(|(at, _)| *at).max()?;
        Some((oldest, newest))
    }

    fn points(&self, series: Handle) -> &[(Millis, Option<f64>)] {
        let found = usize::try_from(series.0).ok().and_then(|index| self.series.get(index));
        found.map_or(&[], |series| &series.points)
    }
}

/// What a handle that is none of ours stands for.
fn nothing() -> &'static SeriesKey {
    static NOTHING: std::sync::OnceLock<SeriesKey> = std::sync::OnceLock::new();
    NOTHING.get_or_init(|| SeriesKey { name: Clean::default(), labels: std::sync::Arc::new([]) })
}

impl Source for Table {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn select(&self, selector: &Selector) -> Vec<Handle> {
        let meant = self.series.iter().enumerate().filter(|(_, series)| selector.matches(&series.key));
        meant.map(|(index, _)| Handle(index as u64)).collect()
    }

    fn key(&self, series: Handle) -> &SeriesKey {
        let found = usize::try_from(series.0).ok().and_then(|index| self.series.get(index));
        match found {
            Some(series) => &series.key,
            None => nothing(),
        }
    }

    fn latest(&self, series: Handle, at: Millis, within: Option<Millis>) -> Option<(Millis, f64)> {
        let points = self.points(series);
        let end = points.partition_point(|(time, _)| *time <= at);
        let (time, value) = *points.get(end.checked_sub(1)?)?;
        let recent = time > at.saturating_sub(within.unwrap_or(LOOK_BACK));
        value.filter(|_| recent).map(|value| (time, value))
    }

    fn scan(&self, series: Handle, after: Millis, until: Millis, out: &mut Vec<(Millis, f64)>) {
        let points = self.points(series);
        let from = points.partition_point(|(time, _)| *time <= after);
        let to = points.partition_point(|(time, _)| *time <= until);
        let window = points.get(from..to).unwrap_or_default();
        out.extend(window.iter().filter_map(|(time, value)| value.map(|value| (*time, value))));
    }
}
