//! A pane as data: which series it shows, in which unit, with which bands, and what was last seen.

use crate::base::{Clean, Freshness, Level, Mono, Now, Reading, SeriesKey, Unit, Unknown};
use crate::rules::{Bands, Book};
use crate::store::{Selector, SeriesId, Store};
use core::time::Duration;
use std::sync::Arc;

/// One column of a chart covers this much time, on a fixed grid: columns stay put until the next one begins.
pub const COLUMN: Duration = Duration::from_secs(2);
/// Columns kept: enough for the widest screen.
pub const COLUMNS: usize = 300;

/// A value on a pane.
#[derive(Clone, Debug)]
pub struct Metric {
    /// What the engineer calls it.
    pub label: Clean,
    /// Which series; when it matches several, the worst is shown and named.
    pub selector: Selector,
    /// Base unit of the series.
    pub unit: Unit,
    /// What it is part of: shown as `used / total`.
    pub of: Option<Selector>,
    /// Bands, if the value has levels.
    pub bands: Option<Bands>,
    /// Its place in the alert book, when it has bands.
    pub watch: Option<usize>,
    /// As of the last refresh.
    pub shown: Shown,
}

/// What a metric showed at the last refresh. Its age goes on counting from `seen`.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The value, or why there is none.
    pub reading: Reading,
    /// The level after its bands; OK for a value without bands.
    pub level: Level,
    /// The total for `used / total`.
    pub of: Option<f64>,
    /// Which of several series: the values of the labels that tell them apart.
    pub which: Option<Clean>,
    /// Made up by a stand-in, and said so wherever it shows.
    pub simulated: bool,
    /// When the sampler will ask again, if it is failing.
    pub next_attempt: Option<Mono>,
    /// The sampling interval, for judging the age while the screen is paused.
    pub interval: Duration,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            reading: Reading::Unknown(Unknown::NotYet),
            level: Level::Unknown,
            of: None,
            which: None,
            simulated: false,
            next_attempt: None,
            interval: Duration::from_secs(1),
        }
    }
}

impl Shown {
    /// How far the value may be believed now: on a paused screen it goes on ageing.
    pub fn freshness(&self, now: Mono) -> Freshness {
        match &self.reading {
            Reading::Value { seen, freshness, failing, .. } => {
                Freshness::judge(now.since(*seen), self.interval, failing.is_some()).max(*freshness)
            }
            Reading::NotSupported | Reading::Unknown(_) => Freshness::Unknown,
        }
    }

    /// The level that may be shown: a stale value has none.
    pub fn level_now(&self, now: Mono) -> Level {
        if matches!(self.freshness(now), Freshness::Live | Freshness::Late) { self.level } else { Level::Unknown }
    }
}

/// A rectangle of the triage screen.
#[derive(Clone, Debug)]
pub struct Pane {
    /// The kind's name in the profile and in the registry of `ui::panes`.
    pub kind: &'static str,
    /// Heading.
    pub title: Clean,
    /// The value beside the heading, and the chart's series.
    pub headline: Option<Metric>,
    /// Further values below or beside the chart.
    pub beside: Vec<Metric>,
    /// The action to offer when one of the values alerts.
    pub action: Option<Arc<str>>,
    /// The log source, for a log pane.
    pub log: Option<Arc<str>>,
    /// Newest last; `None` is a gap.
    pub chart: Vec<Option<f64>>,
}

impl Pane {
    /// Every value of the pane.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.headline.iter().chain(&self.beside)
    }

    /// Reads every value anew from the store.
    pub fn refresh(&mut self, store: &Store, book: &Book, now: Now) {
        for metric in self.headline.iter_mut().chain(&mut self.beside) {
            metric.refresh(store, book, now.mono);
        }
        if let Some(headline) = &self.headline {
            self.chart = columns(store, &headline.selector, headline.worst_is_low(), now.mono);
        }
    }
}

impl Metric {
    /// A value without bands.
    pub fn plain(label: Clean, selector: Selector, unit: Unit) -> Self {
        Self { label, selector, unit, of: None, bands: None, watch: None, shown: Shown::default() }
    }

    fn worst_is_low(&self) -> bool {
        self.bands.as_ref().is_some_and(Bands::inverted)
    }

    fn refresh(&mut self, store: &Store, book: &Book, now: Mono) {
        let ids = store.select(&self.selector);
        let worst = worst(store, &ids, self.worst_is_low(), now);
        let health = worst.map(|id| store.sampler_of(id)).and_then(|name| store.sampler(name));
        let reading = match worst {
            Some(id) => store.reading(id, now),
            None => store.absence(self.selector.name.as_ref().map(Clean::as_str)),
        };
        let level = match (self.watch, reading.usable()) {
            (_, None) => Level::Unknown,
            (Some(watch), Some(_)) => book.level(watch),
            (None, Some(_)) => Level::Ok,
        };
        self.shown = Shown {
            level,
            of: self.of.as_ref().zip(worst).and_then(|(of, id)| total(store, of, id, now)),
            which: worst.and_then(|id| telling_labels(store, &ids, store.key(id))),
            simulated: health.is_some_and(|health| health.simulated),
            next_attempt: health.filter(|health| health.failure.is_some()).and_then(|health| health.next_attempt),
            interval: health.map_or(Duration::from_secs(1), |health| health.interval),
            reading,
        };
    }
}

/// The worst that is known: neither an absent value nor NaN hides one that can be judged.
fn worst(store: &Store, ids: &[SeriesId], low: bool, now: Mono) -> Option<SeriesId> {
    let rank = |id: SeriesId| {
        let known = store.reading(id, now).usable().filter(|value| !value.is_nan());
        known.map_or(f64::NEG_INFINITY, |value| if low { -value } else { value })
    };
    ids.iter().copied().max_by(|a, b| rank(*a).total_cmp(&rank(*b)))
}

/// The total of the shown series: the one with its labels, else the only one there is unless that is of another.
fn total(store: &Store, of: &Selector, shown: SeriesId, now: Mono) -> Option<f64> {
    let key = store.key(shown);
    let totals = store.select(of);
    let same = |id: &&SeriesId| store.key(**id).labels == key.labels;
    let alike = totals.iter().filter(same).find(|id| store.sampler_of(**id) == store.sampler_of(shown));
    let only = || match totals.as_slice() {
        [id] => Some(id).filter(|id| !contradict(store.key(**id), key)),
        _ => None,
    };
    let id = alike.or_else(|| totals.iter().find(same)).or_else(only)?;
    store.reading(*id, now).usable()
}

fn contradict(a: &SeriesKey, b: &SeriesKey) -> bool {
    a.labels.iter().any(|(name, value)| b.label(name.as_str()).is_some_and(|other| other != value))
}

/// What tells this series from the others of a selection: the values of the labels that differ among them.
/// `None` when it is the only one, or when nothing but their samplers differ.
pub fn telling_labels(store: &Store, ids: &[SeriesId], key: &SeriesKey) -> Option<Clean> {
    let differs = |name: &Clean, value: &Clean| {
        ids.iter().any(|id| store.key(*id).label(name.as_str()).is_none_or(|other| other != value))
    };
    let values: Vec<&str> =
        key.labels.iter().filter(|(name, value)| differs(name, value)).map(|(_, value)| value.as_str()).collect();
    (!values.is_empty()).then(|| Clean::text(values.join(" ")))
}

/// The newest [`COLUMNS`] columns: the worst point of each, `None` where no good sample fell.
fn columns(store: &Store, selector: &Selector, low: bool, now: Mono) -> Vec<Option<f64>> {
    let ids = store.select(selector);
    let Some(id) = worst(store, &ids, low, now) else { return Vec::new() };
    let end = now.floor(COLUMN) + COLUMN;
    let span = COLUMN * u32::try_from(COLUMNS).unwrap_or(u32::MAX);
    let mut out: Vec<Option<f64>> = vec![None; COLUMNS];
    let begin = end - span;
    for (at, value) in store.points(id, begin, end) {
        let column = at.since(begin).as_nanos() / COLUMN.as_nanos();
        let value = value.filter(|value| !value.is_nan());
        if let (Some(slot), Some(value)) = (usize::try_from(column).ok().and_then(|c| out.get_mut(c)), value) {
            let worse = slot.is_none_or(|known| if low { value < known } else { value > known });
            if worse {
                *slot = Some(value);
            }
        }
    }
    let first = out.iter().position(Option::is_some).unwrap_or(out.len());
    out.split_off(first)
}
