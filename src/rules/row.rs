//! One series under one watch: how its alert lives from tick to tick.

use super::book::{FindingState, Watch};
use crate::base::{Freshness, Level, Mono, Now, Reading, SeriesKey, Unknown};
use crate::store::{SamplerHealth, SeriesId, Store};
use core::time::Duration;
use std::sync::Arc;

/// A level changes, an alert fires or clears, when so many ticks in a row say so.
const TICKS: usize = 3;
/// Without data for so long, an alert is not known any more.
const LOST: Duration = Duration::from_mins(5);
/// A resolved alert is shown for so long.
const KEPT: Duration = Duration::from_mins(15);

#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: SeriesKey,
    pub(super) sampler: Arc<str>,
    pub(super) id: SeriesId,
    pub(super) state: FindingState,
    pub(super) since: Now,
    pub(super) value: f64,
    /// Without live data for so long, as of the last judgement.
    pub(super) silent_for: Option<Duration>,
    /// The level after debouncing; UNKNOWN until data comes.
    level: Level,
    /// The level of the alert while it is up.
    severity: Level,
    /// Since when the alert fires, kept while it clears or its data is lost; `None` when it does not.
    firing_since: Option<Now>,
    /// The data judged last; before any, when the row was made.
    seen: Mono,
    /// The levels of the last ticks, newest last.
    recent: [Level; TICKS],
    /// When the ticks began to be bad, moved on by every time without data.
    bad_since: Option<Mono>,
    /// Good answers of the sampler without this series, and when the last of them came.
    absences: usize,
    absent_at: Mono,
}

impl Row {
    pub(super) fn new(key: SeriesKey, sampler: Arc<str>, id: SeriesId, now: Now) -> Self {
        Self {
            key,
            sampler,
            id,
            state: FindingState::Inactive,
            since: now,
            value: f64::NAN,
            silent_for: None,
            level: Level::Unknown,
            severity: Level::Unknown,
            firing_since: None,
            seen: now.mono,
            recent: [Level::Unknown; TICKS],
            bad_since: None,
            absences: 0,
            absent_at: Mono::default(),
        }
    }

    /// Looks at the series as it stands now. False when there is nothing more to say of it.
    pub(super) fn judge(&mut self, watch: &Watch, store: &Store, now: Now) -> bool {
        let health = store.sampler(&self.sampler);
        match store.reading(self.id, now.mono) {
            Reading::Value { value, seen, freshness, .. } if !value.is_nan() => {
                self.absences = 0;
                if seen != self.seen || self.value.is_nan() {
                    let every = health.map_or(Duration::ZERO, |health| health.interval);
                    self.tick(watch, value, seen, every, now);
                }
                self.silent_for = (freshness != Freshness::Live).then(|| now.mono.since(self.seen));
            }
            Reading::Unknown(Unknown::NoSuchSeries) | Reading::NotSupported => match answered(health, now.mono) {
                Some(answer) => self.absent(answer, now),
                None => self.silent_for = Some(now.mono.since(self.seen)),
            },
            _ => self.silent_for = Some(now.mono.since(self.seen)),
        }
        if self.silent_for.is_some_and(|silent| silent > LOST) {
            self.lose(now);
        }
        if self.state == FindingState::Resolved && now.mono.since(self.since.mono) > KEPT {
            self.enter(FindingState::Inactive, now);
        }
        self.absences < TICKS || self.state != FindingState::Inactive
    }

    /// The level that colours the value: never a healthy one when the value is old.
    pub(super) fn shown(&self, store: &Store, now: Mono) -> Level {
        match store.reading(self.id, now).usable() {
            Some(value) if !value.is_nan() => self.level,
            _ => Level::Unknown,
        }
    }

    /// The level of the alert.
    pub(super) fn severity(&self) -> Level {
        match self.state {
            FindingState::NoData if self.firing_since.is_none() => Level::Unknown,
            FindingState::Inactive => self.level,
            _ => self.severity,
        }
    }

    /// One new value.
    fn tick(&mut self, watch: &Watch, value: f64, seen: Mono, every: Duration, now: Now) {
        let pause = seen.since(self.seen);
        let lost = Freshness::judge(pause, every, false) != Freshness::Live;
        self.value = value;
        self.seen = seen;
        if self.state == FindingState::NoData {
            self.find(now);
        }
        let level = watch.bands.level(value);
        self.debounce(level);
        if level < Level::Warning {
            return self.good(now);
        }
        // Time without data is no time in which the value was bad.
        let begun = self.bad_since.map_or(seen, |since| if lost { since + pause } else { since });
        self.bad_since = Some(begun);
        self.bad(watch, level, seen.since(begun), now);
    }

    /// The first value gives a level at once. From then on it moves only as far as all of the last ticks agree.
    fn debounce(&mut self, level: Level) {
        self.recent.rotate_left(1);
        if let Some(newest) = self.recent.last_mut() {
            *newest = level;
        }
        if self.level == Level::Unknown {
            self.level = level;
        }
        if self.recent.iter().all(|recent| *recent != Level::Unknown) {
            let least = self.recent.iter().copied().min().unwrap_or_default();
            let most = self.recent.iter().copied().max().unwrap_or_default();
            self.level = self.level.clamp(least, most);
        }
    }

    fn bad(&mut self, watch: &Watch, level: Level, held: Duration, now: Now) {
        match self.state {
            FindingState::Inactive | FindingState::Resolved => {
                self.severity = level;
                self.enter(FindingState::Pending, now);
            }
            FindingState::Pending => self.severity = level,
            // It had not cleared: it fires since it first did.
            FindingState::Clearing => self.enter(FindingState::Firing, self.firing_since.unwrap_or(now)),
            FindingState::Firing | FindingState::NoData => {}
        }
        let ripe = held >= watch.hold && self.recent.iter().all(|recent| *recent >= Level::Warning);
        if self.state == FindingState::Pending && ripe {
            self.firing_since = Some(now);
            self.enter(FindingState::Firing, now);
        }
        if self.state == FindingState::Firing && self.level >= Level::Warning {
            self.severity = self.level;
        }
    }

    fn good(&mut self, now: Now) {
        self.bad_since = None;
        match self.state {
            FindingState::Pending => self.enter(FindingState::Inactive, now),
            FindingState::Firing => self.enter(FindingState::Clearing, now),
            FindingState::Clearing => {
                let is_good = |level: &Level| *level != Level::Unknown && *level < Level::Warning;
                if self.recent.iter().all(is_good) {
                    self.resolve(now);
                }
            }
            FindingState::Inactive | FindingState::Resolved | FindingState::NoData => {}
        }
    }

    /// The sampler answers, but without this series: after some answers it is gone, as Prometheus has it.
    fn absent(&mut self, answer: Mono, now: Now) {
        self.silent_for = None;
        if answer <= self.seen.max(self.absent_at) {
            return;
        }
        self.absent_at = answer;
        self.absences += 1;
        self.bad_since = None;
        match self.state {
            FindingState::Pending => self.enter(FindingState::Inactive, now),
            FindingState::Firing => self.enter(FindingState::Clearing, now),
            FindingState::Clearing | FindingState::NoData if self.absences >= TICKS => self.resolve(now),
            _ => {}
        }
    }

    fn resolve(&mut self, now: Now) {
        let fired = self.firing_since.take().is_some();
        self.enter(if fired { FindingState::Resolved } else { FindingState::Inactive }, now);
    }

    /// No data for too long: an alert that was up stays up, but as unknown.
    fn lose(&mut self, now: Now) {
        if !matches!(self.state, FindingState::Resolved | FindingState::NoData) {
            self.bad_since = None;
            self.recent = [Level::Unknown; TICKS];
            self.enter(FindingState::NoData, now);
        }
    }

    /// Data is back: an alert that was up is up again until the ticks say otherwise.
    fn find(&mut self, now: Now) {
        if let Some(since) = self.firing_since {
            self.enter(FindingState::Firing, since);
        } else {
            self.level = Level::Unknown;
            self.enter(FindingState::Inactive, now);
        }
    }

    fn enter(&mut self, state: FindingState, since: Now) {
        self.state = state;
        self.since = since;
    }
}

/// When the sampler last gave a good answer, if it is live.
fn answered(health: Option<&SamplerHealth>, now: Mono) -> Option<Mono> {
    let health = health.filter(|health| health.failure.is_none())?;
    let answer = health.last_good?.mono;
    (Freshness::judge(now.since(answer), health.interval, false) == Freshness::Live).then_some(answer)
}
