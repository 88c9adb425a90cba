//! Points in memory, by series: what a file of series, a rule test or a case runner is evaluated over.

use super::source::{Ends, Handle, Millis, Source};
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
    /// Sorted by time, at most one for a time.
    points: Vec<(Millis, f64)>,
    /// When it went stale; sorted.
    markers: Vec<Millis>,
    /// The points that are below the one before, with the value before; sorted by time.
    falls: Vec<(Millis, f64)>,
    /// Whether `falls` is whole: until a point comes out of order.
    indexed: bool,
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
        if let Some(series) = self.series.get_mut(index) {
            series.put(at, value);
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
        self.series.push(Series::new(named.clone()));
        self.by_key.insert(named, index);
        self.generation += 1;
        index
    }

    /// The time of the oldest and of the newest point.
    pub fn span(&self) -> Option<(Millis, Millis)> {
        let oldest = self.series.iter().filter_map(|series| series.points.first()).map(|(at, _)| *at).min()?;
        let newest = self.series.iter().filter_map(|series| series.points.last()).map(|(at, _)| *at).max()?;
        Some((oldest, newest))
    }

    fn series(&self, handle: Handle) -> Option<&Series> {
        usize::try_from(handle.0).ok().and_then(|index| self.series.get(index))
    }
}

impl Series {
    fn new(key: SeriesKey) -> Self {
        Self { key, points: Vec::new(), markers: Vec::new(), falls: Vec::new(), indexed: true }
    }

    /// A value, or a stale marker; whichever came last for a time stays.
    fn put(&mut self, at: Millis, value: Option<f64>) {
        let marker = self.markers.binary_search(&at);
        let Some(value) = value else {
            if let Err(place) = marker {
                self.markers.insert(place, at);
            }
            if let Ok(found) = self.points.binary_search_by_key(&at, |(time, _)| *time) {
                self.points.remove(found);
                self.indexed = false;
            }
            return;
        };
        if let Ok(found) = marker {
            self.markers.remove(found);
        }
        match self.points.last() {
            Some((last, before)) if *last < at => {
                if value < *before {
                    self.falls.push((at, *before));
                }
                self.points.push((at, value));
            }
            None => self.points.push((at, value)),
            Some(_) => {
                self.indexed = false;
                match self.points.binary_search_by_key(&at, |(time, _)| *time) {
                    Ok(found) => {
                        if let Some(point) = self.points.get_mut(found) {
                            point.1 = value;
                        }
                    }
                    Err(place) => self.points.insert(place, (at, value)),
                }
            }
        }
    }

    fn window(&self, after: Millis, until: Millis) -> &[(Millis, f64)] {
        let from = self.points.partition_point(|(time, _)| *time <= after);
        let to = self.points.partition_point(|(time, _)| *time <= until);
        self.points.get(from..to).unwrap_or_default()
    }

    /// Sum of the values from which it fell between the points of a window.
    fn dropped(&self, window: &[(Millis, f64)]) -> f64 {
        let (Some(first), Some(last)) = (window.first(), window.last()) else { return 0.0 };
        if !self.indexed {
            let pairs = window.iter().zip(window.iter().skip(1));
            return pairs.filter(|(a, b)| b.1 < a.1).map(|(a, _)| a.1).sum();
        }
        let from = self.falls.partition_point(|(time, _)| *time <= first.0);
        self.falls.iter().skip(from).take_while(|(time, _)| *time <= last.0).map(|(_, before)| before).sum()
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
        match self.series(series) {
            Some(series) => &series.key,
            None => nothing(),
        }
    }

    fn latest(&self, series: Handle, at: Millis, within: Option<Millis>) -> Option<(Millis, f64)> {
        let series = self.series(series)?;
        let end = series.points.partition_point(|(time, _)| *time <= at);
        let point = *series.points.get(end.checked_sub(1)?)?;
        let marker = series.markers.partition_point(|time| *time <= at);
        let stale = marker.checked_sub(1).and_then(|last| series.markers.get(last)).is_some_and(|time| *time > point.0);
        let recent = point.0 > at.saturating_sub(within.unwrap_or(LOOK_BACK));
        (recent && !stale).then_some(point)
    }

    fn scan(&self, series: Handle, after: Millis, until: Millis, out: &mut Vec<(Millis, f64)>) {
        out.extend_from_slice(self.series(series).map(|series| series.window(after, until)).unwrap_or_default());
    }

    fn ends(&self, series: Handle, after: Millis, until: Millis) -> Option<Ends> {
        let series = self.series(series)?;
        let window = series.window(after, until);
        let (first, last) = (*window.first()?, *window.last()?);
        Some(Ends { first, last, count: window.len(), dropped: series.dropped(window) })
    }
}
