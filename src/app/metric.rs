//! A value on a pane as data: what it is made of, in which unit, with which bands, and what was last seen.

use super::asked::{self, Asked, Sight};
use super::course::Course;
use super::trouble;
use crate::base::{Clean, Freshness, Level, Mono, Reading, SeriesKey, Unit, Unknown, Words};
use crate::rules::Bands;
use crate::rules::expr::{Coverage, Evaluator, Expr};
use crate::rules::forecast::{Forecast, forecast};
use crate::store::{Selector, SeriesId, Store};
use core::cmp::Ordering;
use core::time::Duration;
use std::sync::Arc;

/// A value on a pane.
#[derive(Clone, Debug)]
pub struct Metric {
    /// What the engineer calls it.
    pub label: Clean,
    /// What is asked; when it answers with several rows, the worst is shown and named.
    pub expr: Expr,
    /// Base unit of the answer.
    pub unit: Unit,
    /// What its numbers stand for.
    pub words: Option<Words>,
    /// What it is part of: shown as `used / total`.
    pub of: Option<Expr>,
    /// Bands, if the value has levels.
    pub bands: Option<Bands>,
    /// Without bands: of several rows the lowest is shown, not the highest.
    pub lowest: bool,
    /// Its rule's place in the alert book, when it has bands.
    pub rule: Option<usize>,
    /// The limit whose reach is foretold while the value tends to it.
    pub forecast: Option<f64>,
    /// As of the last refresh.
    pub shown: Shown,
    pub(super) asked: Asked,
    /// The sampler that gave what was shown last.
    source: Option<Arc<str>>,
    foretold: Option<Mono>,
}

/// How often a forecast is made anew.
const FORETELLING: Duration = Duration::from_secs(10);
/// Points of a forecast's query.
const FORETOLD: u32 = 120;

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
    /// Why its source gives nothing new, with since when.
    pub trouble: Option<Clean>,
    /// When the sampler will ask again, if it is failing.
    pub next_attempt: Option<Mono>,
    /// How much of its window was recorded, while that is less than it asks for.
    pub coverage: Option<Coverage>,
    /// When its limit will be reached, if it tends to it steadily.
    pub forecast: Option<Forecast>,
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
            trouble: None,
            next_attempt: None,
            coverage: None,
            forecast: None,
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
        Self {
            label,
            expr,
            unit,
            words: None,
            of: None,
            bands: None,
            lowest: false,
            rule: None,
            forecast: None,
            shown: Shown::default(),
            asked: Asked::default(),
            source: None,
            foretold: None,
        }
    }

    /// Whether lower is worse.
    pub fn worst_is_low(&self) -> bool {
        self.bands.as_ref().map_or(self.lowest, Bands::inverted)
    }

    /// Which of two values is worse: by their levels, then by the side on which it is worse. Neither an absent value
    /// nor NaN hides one that can be judged.
    pub(super) fn compare(&self, a: f64, b: f64) -> Ordering {
        let level = |value: f64| self.bands.map_or(Level::Ok, |bands| bands.level(value));
        let side = if self.worst_is_low() { b.total_cmp(&a) } else { a.total_cmp(&b) };
        b.is_nan().cmp(&a.is_nan()).then(level(a).cmp(&level(b))).then(side)
    }

    /// Reads it anew; its course too where one is wanted.
    pub(super) fn refresh(&mut self, sight: &Sight<'_>, evaluator: &mut Evaluator, course: Option<&mut Course>) {
        if let Some(selector) = self.expr.plain_selector().cloned() {
            self.read(&selector, sight, evaluator, course);
        } else {
            asked::ask(self, sight, evaluator, course);
        }
        self.foretell(sight, evaluator);
    }

    /// A plain selector: the series itself, with its own age.
    fn read(&mut self, selector: &Selector, sight: &Sight<'_>, evaluator: &mut Evaluator, course: Option<&mut Course>) {
        let (store, now) = (sight.store, sight.now.mono);
        let ids = store.select(selector);
        let worst = self.worst(store, &ids, now);
        if let Some(id) = worst {
            self.source = Some(Arc::clone(store.sampler_of(id)));
        }
        let health = self.source.as_ref().and_then(|name| store.sampler(name));
        let failure = health.and_then(|health| health.failure.as_ref());
        let mut reading = match worst {
            Some(id) => store.reading(id, now),
            None => store.absence(selector),
        };
        // Once it gave the series: that it fails is why there is none.
        if let (Reading::Unknown(Unknown::NoSuchSeries), Some(failure)) = (&reading, failure) {
            reading = Reading::Unknown(failure.reason());
        }
        // What a failed attempt told is live until the next one.
        let told = failure.is_some() && matches!(reading, Reading::Value { failing: None, .. });
        let trouble = match health {
            _ if reading == Reading::NotSupported => trouble::not_offered(store, core::slice::from_ref(selector)),
            Some(health) => trouble::of(health, now, sight.zone),
            None => trouble::among(&store.feeders(core::slice::from_ref(selector)), now, sight.zone),
        };
        let level = match (self.rule, reading.usable()) {
            (_, None) => Level::Unknown,
            (Some(rule), Some(_)) => sight.book.level(rule),
            (None, Some(_)) => Level::Ok,
        };
        let of = self.of.as_ref().zip(worst).and_then(|(of, id)| match of.plain_selector() {
            Some(plain) => total(store, plain, id, now),
            None => asked::total(of, store.key(id), sight, evaluator),
        });
        self.shown = Shown {
            level,
            of,
            which: worst.and_then(|id| telling_labels(store, &ids, store.key(id))),
            simulated: health.is_some_and(|health| health.simulated),
            trouble,
            next_attempt: health.filter(|health| health.failure.is_some()).and_then(|health| health.next_attempt),
            coverage: None,
            forecast: self.shown.forecast,
            interval: health.map_or(Duration::from_secs(1), |it| if told { it.promised() } else { it.interval }),
            reading,
        };
        let Some(course) = course else { return };
        *course = Course::new(course.range, self.worst_is_low());
        let begin = course.begin(now);
        let live = self.shown.interval * 2 + Duration::from_secs(1);
        let mut last = None;
        for (at, value) in worst.into_iter().flat_map(|id| store.points(id, begin, now)) {
            let value = value.filter(|value| !value.is_nan());
            course.hold(last, at, live);
            course.add(at, value.unwrap_or(f64::NAN));
            last = value.map(|value| (at, value));
        }
        course.advance(now);
        course.hold(last, now + course.range.column(), live);
    }

    fn worst(&self, store: &Store, ids: &[SeriesId], now: Mono) -> Option<SeriesId> {
        let value = |id: SeriesId| store.reading(id, now).usable().unwrap_or(f64::NAN);
        ids.iter().copied().max_by(|a, b| self.compare(value(*a), value(*b)))
    }

    /// Foretells when the limit is reached, every now and then.
    fn foretell(&mut self, sight: &Sight<'_>, evaluator: &mut Evaluator) {
        let now = sight.now.mono;
        let Some(limit) = self.forecast else { return };
        if self.shown.reading.usable().is_none() {
            self.shown.forecast = None;
            return;
        }
        if self.foretold.is_some_and(|at| now.since(at) < FORETELLING) {
            return;
        }
        self.foretold = Some(now);
        let points: Vec<(Mono, f64)> = match self.expr.plain_selector() {
            Some(selector) => {
                let id = self.worst(sight.store, &sight.store.select(selector), now);
                let held = id.into_iter().flat_map(|id| sight.store.points(id, Mono::default(), now));
                held.filter_map(|(at, value)| Some((at, value?))).collect()
            }
            None => asked::recent(self, sight, evaluator, FORETOLD),
        };
        self.shown.forecast = forecast(&points, limit, now);
    }
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
    telling(&ids.iter().map(|id| store.full_key(*id)), key)
}

/// The same for rows of an answer.
pub fn telling<'a>(keys: &(impl Iterator<Item = &'a SeriesKey> + Clone), key: &SeriesKey) -> Option<Clean> {
    let differs = |name: &Clean, value: &Clean| {
        keys.clone().any(|known| known.label(name.as_str()).is_none_or(|other| other != value))
    };
    let values: Vec<&str> =
        key.labels.iter().filter(|(name, value)| differs(name, value)).map(|(_, value)| value.as_str()).collect();
    (!values.is_empty()).then(|| Clean::text(values.join(" ")))
}
