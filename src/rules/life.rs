//! One alert's life by Prometheus: inactive, pending, firing, clearing, resolved. Missing data never fires and never
//! resolves; after five minutes without data it says so, loudly. The clock comes with every step.

use super::finding::FindingState;
use crate::base::{Freshness, Level, Mono, Now};
use core::time::Duration;

/// A level of a band changes, its alert fires or clears, when so many ticks in a row say so.
pub const TICKS: usize = 3;
/// Without data for so long, an alert is not known any more.
pub const LOST: Duration = Duration::from_mins(5);
/// A resolved alert is shown for so long.
pub const KEPT: Duration = Duration::from_mins(15);
/// Flaps are counted over so long.
const FLAPPING: Duration = Duration::from_hours(1);
/// Firings remembered at most.
const FIRINGS: usize = 1_000;

/// What one evaluation saw of an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// The condition holds, at this level.
    Bad(Level, f64),
    /// A value that is not bad.
    Good(Level, f64),
    /// No row, and everything that the rule looks at is fresh: Prometheus' "not in the answer".
    Gone,
}

/// How fast an alert moves.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// `for`.
    pub hold: Duration,
    /// `keep_firing_for`.
    pub keep: Duration,
    /// So many ticks in a row must agree: 1 by Prometheus, [`TICKS`] for a band.
    pub ticks: usize,
    /// How often a tick is due; a longer pause is time without data.
    pub every: Duration,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Life {
    state: FindingState,
    since: Now,
    /// NaN until the first value; no number is stored for what JSON has none for.
    #[serde(with = "finite")]
    value: f64,
    /// The level after debouncing; UNKNOWN until data comes.
    level: Level,
    /// The level of the alert while it is up.
    severity: Level,
    /// When this episode began: its first bad tick.
    active: Option<Now>,
    /// First firing of this episode; kept while it clears or its data is lost.
    fired: Option<Now>,
    /// Since when anybody looks: the console's start is no loss of data.
    awake: Mono,
    /// The tick judged last; before any, when the life began.
    seen: Now,
    /// The levels of the last ticks, newest last.
    recent: [Level; TICKS],
    /// So many ticks in a row were bad, or good; one of the two is zero.
    ticks: (usize, usize),
    /// How long they have been so, without the time that had no data.
    held: Duration,
    /// The last tick had no row.
    gone: bool,
    /// Without live data for so long, as of the last step.
    silent_for: Option<Duration>,
    /// When it fired in the last hour, oldest first.
    firings: Vec<Now>,
}

impl Life {
    /// An alert that nothing is known about yet.
    pub const fn new(now: Now) -> Self {
        Self {
            state: FindingState::Inactive,
            since: now,
            value: f64::NAN,
            level: Level::Unknown,
            severity: Level::Unknown,
            active: None,
            fired: None,
            awake: now.mono,
            seen: now,
            recent: [Level::Unknown; TICKS],
            ticks: (0, 0),
            held: Duration::ZERO,
            gone: false,
            silent_for: None,
            firings: Vec::new(),
        }
    }

    /// One evaluation with fresh data, as of the tick `seen`. A tick that was judged already says nothing new.
    pub fn tick(&mut self, found: Seen, pace: &Pace, seen: Mono, now: Now) {
        self.silent_for = None;
        let first = self.level == Level::Unknown && self.value.is_nan();
        if seen > self.seen.mono || first {
            self.judge(found, pace, seen, now);
        }
        self.age(now);
    }

    /// Between two evaluations, with fresh data: time goes on.
    pub fn rest(&mut self, now: Now) {
        self.silent_for = None;
        self.age(now);
    }

    /// Without fresh data for so long: everything stays, and ages.
    pub fn miss(&mut self, silent: Duration, now: Now) {
        self.silent_for = Some(silent);
        if silent.min(now.mono.since(self.awake)) > LOST {
            self.lose(now);
        }
        self.age(now);
    }

    fn age(&mut self, now: Now) {
        if self.state == FindingState::Resolved && now.since(self.since) > KEPT {
            self.enter(FindingState::Inactive, now);
        }
        self.firings.retain(|fired| now.since(*fired) <= FLAPPING);
    }

    fn judge(&mut self, found: Seen, pace: &Pace, seen: Mono, now: Now) {
        let pause = seen.since(self.seen.mono);
        let lost = Freshness::judge(pause, pace.every, false) != Freshness::Live;
        let held = if lost { Duration::ZERO } else { pause };
        self.seen = Now { mono: seen, wall: now.wall.back(now.mono.since(seen)) };
        if self.state == FindingState::NoData {
            self.find(now);
        }
        self.gone = found == Seen::Gone;
        let (level, value) = match found {
            Seen::Bad(level, value) | Seen::Good(level, value) => (level, value),
            Seen::Gone => (Level::Ok, self.value),
        };
        self.value = value;
        self.debounce(level, pace);
        let is_bad = matches!(found, Seen::Bad(..));
        let same = if is_bad { self.ticks.0 } else { self.ticks.1 };
        self.held = if same == 0 { Duration::ZERO } else { self.held.saturating_add(held) };
        let ticks = same.saturating_add(1);
        self.ticks = if is_bad { (ticks, 0) } else { (0, ticks) };
        if is_bad { self.bad(pace, level, now) } else { self.good(pace, now) }
    }

    /// The first value gives a level at once. From then on it moves only as far as all of the last ticks agree.
    fn debounce(&mut self, level: Level, pace: &Pace) {
        self.recent.rotate_left(1);
        if let Some(newest) = self.recent.last_mut() {
            *newest = level;
        }
        if self.level == Level::Unknown {
            self.level = level;
        }
        let last = self.last(pace);
        if last.iter().all(|recent| *recent != Level::Unknown) {
            let least = last.iter().copied().min().unwrap_or_default();
            let most = last.iter().copied().max().unwrap_or_default();
            self.level = self.level.clamp(least, most);
        }
    }

    /// The levels that must agree.
    fn last(&self, pace: &Pace) -> &[Level] {
        self.recent.get(TICKS.saturating_sub(pace.ticks)..).unwrap_or(&self.recent)
    }

    fn bad(&mut self, pace: &Pace, level: Level, now: Now) {
        match self.state {
            FindingState::Inactive | FindingState::Resolved => {
                self.severity = level;
                self.active = Some(now);
                self.enter(FindingState::Pending, now);
            }
            FindingState::Pending => self.severity = level,
            // It had not cleared: it fires since it first did.
            FindingState::Clearing => self.enter(FindingState::Firing, self.fired.unwrap_or(now)),
            FindingState::Firing | FindingState::NoData => {}
        }
        if self.state == FindingState::Pending && self.ticks.0 >= pace.ticks && self.held >= pace.hold {
            self.fired = Some(now);
            let surplus = (self.firings.len() + 1).saturating_sub(FIRINGS);
            self.firings.drain(..surplus);
            self.firings.push(now);
            self.enter(FindingState::Firing, now);
        }
        if self.state == FindingState::Firing && (self.level >= Level::Warning || pace.ticks == 1) {
            self.severity = self.level;
        }
    }

    fn good(&mut self, pace: &Pace, now: Now) {
        match self.state {
            FindingState::Pending => self.enter(FindingState::Inactive, now),
            FindingState::Firing => self.enter(FindingState::Clearing, now),
            FindingState::Clearing | FindingState::Inactive | FindingState::Resolved | FindingState::NoData => {}
        }
        let cleared = self.held >= pace.keep && self.ticks.1 >= pace.ticks;
        if self.state == FindingState::Clearing && cleared {
            self.fired = None;
            self.enter(FindingState::Resolved, now);
        }
    }

    /// No data for too long: an alert that was up stays up, but as unknown.
    fn lose(&mut self, now: Now) {
        let over = self.gone && self.state == FindingState::Inactive;
        if !over && !matches!(self.state, FindingState::Resolved | FindingState::NoData) {
            self.recent = [Level::Unknown; TICKS];
            self.ticks = (0, 0);
            self.enter(FindingState::NoData, now);
        }
    }

    /// Data is back: an alert that was up is up again until the ticks say otherwise.
    fn find(&mut self, now: Now) {
        if let Some(fired) = self.fired {
            self.enter(FindingState::Firing, fired);
        } else {
            self.level = Level::Unknown;
            self.enter(FindingState::Inactive, now);
        }
    }

    fn enter(&mut self, state: FindingState, since: Now) {
        self.state = state;
        self.since = since;
    }

    /// Where it stands.
    pub const fn state(&self) -> FindingState {
        self.state
    }

    /// Since when; a firing alert that grew worse keeps it.
    pub const fn since(&self) -> Now {
        self.since
    }

    /// The first bad tick of this episode; `None` when it is neither pending nor up.
    pub fn active(&self) -> Option<Now> {
        self.active.filter(|_| !matches!(self.state, FindingState::Inactive | FindingState::Resolved))
    }

    /// First firing of this episode.
    pub const fn fired(&self) -> Option<Now> {
        self.fired
    }

    /// The last value; NaN when there was none yet.
    pub const fn value(&self) -> f64 {
        self.value
    }

    /// The tick that was judged last.
    pub const fn seen(&self) -> Now {
        self.seen
    }

    /// Without live data for so long, as of the last step.
    pub const fn silent_for(&self) -> Option<Duration> {
        self.silent_for
    }

    /// The level that the value has after debouncing; UNKNOWN when its row is gone or its data is old.
    pub fn shown(&self) -> Level {
        if self.gone || self.state == FindingState::NoData { Level::Unknown } else { self.level }
    }

    /// The debounced level, whatever the age: where hysteresis starts from.
    pub const fn debounced(&self) -> Level {
        self.level
    }

    /// The level of the alert.
    pub fn severity(&self) -> Level {
        match self.state {
            FindingState::NoData if self.fired.is_none() => Level::Unknown,
            FindingState::Inactive => self.level,
            _ => self.severity,
        }
    }

    /// How often it fired in the last hour.
    pub fn flaps(&self) -> u32 {
        u32::try_from(self.firings.len()).unwrap_or(u32::MAX)
    }

    /// How long it has been bad, while it is pending.
    pub fn ripened(&self) -> Option<Duration> {
        (self.state == FindingState::Pending).then_some(self.held)
    }

    /// The last evaluation had no row of it.
    pub const fn is_gone(&self) -> bool {
        self.gone
    }

    /// Nothing more to say of it: its row is gone, it is not up, and no flap has to be remembered.
    pub fn is_over(&self, pace: &Pace) -> bool {
        self.state == FindingState::Inactive && self.gone && self.ticks.1 >= pace.ticks && self.firings.is_empty()
    }

    /// Every moment of it on the clock of a console that starts `now`, which may run since another boot.
    pub fn wake(&mut self, to: impl Fn(Now) -> Now, now: Now) {
        self.awake = now.mono;
        self.active = self.active.map(&to);
        self.since = to(self.since);
        self.seen = to(self.seen);
        self.fired = self.fired.map(&to);
        self.firings.iter_mut().for_each(|fired| *fired = to(*fired));
    }
}

/// JSON has no NaN and no infinity.
mod finite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Option::<f64>::deserialize(from).map(|value| value.unwrap_or(f64::NAN))
    }
}
