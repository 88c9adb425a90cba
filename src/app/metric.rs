//! A value on a pane as data: what it is made of, in which unit, with which bands, and what was last seen.

use crate::base::{Clean, Freshness, Level, Mono, Reading, SeriesKey, Unit, Unknown};
use crate::rules::expr::{Coverage, Expr};
use crate::rules::{Bands, Book, parse_selector};
use crate::store::{Selector, SeriesId, Store};
use core::time::Duration;

/// A value on a pane.
#[derive(Clone, Debug)]
pub struct Metric {
    /// What the engineer calls it.
    pub label: Clean,
    /// What is asked; when it answers with several rows, the worst is shown and named.
    pub expr: Expr,
    /// Base unit of the answer.
    pub unit: Unit,
    /// What it is part of: shown as `used / total`.
    pub of: Option<Expr>,
    /// Bands, if the value has levels.
    pub bands: Option<Bands>,
    /// Its rule's place in the alert book, when it has bands.
    pub rule: Option<usize>,
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
    /// How much of its window was recorded, while that is less than it asks for.
    pub coverage: Option<Coverage>,
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
            coverage: None,
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

impl Metric {
    /// A value without bands.
    pub fn plain(label: Clean, expr: Expr, unit: Unit) -> Self {
        Self { label, expr, unit, of: None, bands: None, rule: None, shown: Shown::default() }
    }

    /// Whether lower is worse.
    pub fn worst_is_low(&self) -> bool {
        self.bands.as_ref().is_some_and(Bands::inverted)
    }

    pub(super) fn refresh(&mut self, store: &Store, book: &Book, now: Mono) {
        let Some(selector) = plain_of(&self.expr) else { return };
        let ids = store.select(&selector);
        let worst = worst(store, &ids, self.worst_is_low(), now);
        let health = worst.map(|id| store.sampler_of(id)).and_then(|name| store.sampler(name));
        let reading = match worst {
            Some(id) => store.reading(id, now),
            None => store.absence(selector.name.as_ref().map(Clean::as_str)),
        };
        let level = match (self.rule, reading.usable()) {
            (_, None) => Level::Unknown,
            (Some(rule), Some(_)) => book.level(rule),
            (None, Some(_)) => Level::Ok,
        };
        self.shown = Shown {
            level,
            of: self.of.as_ref().and_then(plain_of).zip(worst).and_then(|(of, id)| total(store, &of, id, now)),
            which: worst.and_then(|id| telling_labels(store, &ids, store.key(id))),
            simulated: health.is_some_and(|health| health.simulated),
            coverage: None,
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

/// The one series that a plain selector's chart shows: the worst now.
pub(super) fn charted(metric: &Metric, store: &Store, now: Mono) -> Option<SeriesId> {
    let selector = plain_of(&metric.expr)?;
    worst(store, &store.select(&selector), metric.worst_is_low(), now)
}

fn plain_of(expr: &Expr) -> Option<Selector> {
    expr.plain_selector().cloned().or_else(|| parse_selector(expr.text().as_str()).ok())
}
