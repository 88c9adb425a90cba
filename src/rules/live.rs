//! The live store as a source of points: monotonic ticks become milliseconds of the wall clock, every series has its
//! own look-back, and what feeds a query can be asked: finished, failing, recorded for how long.

use super::expr::source::{Ends, Handle, Millis, Source};
use crate::base::{Clean, Mono, Now, SeriesKey, Wall, backoff};
use crate::store::{Feeder, Selector, SeriesId, Store};
use core::time::Duration;
use std::sync::Arc;

const NANOS: i128 = 1_000_000;
/// A rule whose longest window is covered less is not evaluated: its numerator, of ten.
const ENOUGH: u32 = 8;

/// From monotonic time to the wall clock. It only ever moves forward: a clock that is set back never makes the time of
/// expressions go back, one that is set forward takes everything that is recorded along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WallOffset(Option<i64>);

impl WallOffset {
    /// Looks at both clocks; the offset in nanoseconds.
    pub fn look(&mut self, now: Now) -> i64 {
        let mono = i64::try_from(now.mono.0).unwrap_or(i64::MAX);
        let seen = now.wall.0.saturating_sub(mono);
        let offset = self.0.map_or(seen, |known| known.max(seen));
        self.0 = Some(offset);
        offset
    }
}

/// Whether what a rule looks at can be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// A sampler that it needs has not given anything yet.
    NotYet,
    /// Less than 80 % of its longest window is recorded.
    Warming {
        /// Time until it is.
        ready_in: Duration,
    },
    /// It can.
    Ready,
    /// It asks for more history than is kept.
    BeyondRetention {
        /// Its longest window.
        asked: Duration,
        /// What is kept at most.
        kept: Duration,
    },
    /// No sampler makes this metric here.
    NoSuchMetric {
        /// The first of them.
        metric: Clean,
        /// What the sampler says that would make it.
        why: Option<Clean>,
    },
}

/// A sampler that feeds a query, or a rule that records what the query looks at.
#[derive(Clone, Debug, PartialEq)]
pub struct Feeding {
    /// Its name.
    pub name: Arc<str>,
    /// Why its last attempt gave nothing, where the query looks at more than whether it did.
    pub failing: Option<Clean>,
    /// It has not spoken when it should have: overdue, or not at all yet.
    pub late: bool,
    /// When it last gave something.
    pub good: Option<Mono>,
}

/// The store at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    store: &'a Store,
    now: Now,
    offset: i64,
}

impl<'a> Live<'a> {
    /// The store as it is `at` this moment.
    pub fn new(store: &'a Store, at: Now, clock: &mut WallOffset) -> Self {
        Self { store, now: at, offset: clock.look(at) }
    }

    /// This moment.
    pub fn now(&self) -> Millis {
        self.millis(self.now.mono)
    }

    /// A monotonic moment as expressions count.
    pub fn millis(&self, at: Mono) -> Millis {
        let nanos = i128::from(at.0) + i128::from(self.offset);
        Millis::try_from(nanos.div_euclid(NANOS)).unwrap_or(Millis::MAX)
    }

    /// Both clocks at a monotonic moment, the wall clock as expressions have it.
    pub fn moment(&self, at: Mono) -> Now {
        let mono = i64::try_from(at.0).unwrap_or(i64::MAX);
        Now { mono: at, wall: Wall(mono.saturating_add(self.offset)) }
    }

    /// The series behind a handle.
    pub fn series(series: Handle) -> SeriesId {
        SeriesId::of_bits(series.0)
    }

    /// The time of evaluation: the newest moment for which every sampler of these selectors has said what it has to
    /// say. Nobody is waited for who is overdue.
    pub fn finished(&self, selectors: &[Selector]) -> Now {
        let feeders = self.store.feeders(selectors);
        let until = feeders.iter().map(|feeder| match feeder.health.next_attempt {
            Some(next) if next <= self.now.mono && !self.overdue(feeder) => next,
            _ => self.now.mono,
        });
        self.moment(until.min().unwrap_or(self.now.mono))
    }

    /// Who feeds these selectors: whoever gives a series of theirs, or is known to be able to.
    pub fn feeding(&self, selectors: &[Selector]) -> Vec<Feeding> {
        let of = |feeder: Feeder<'_>| Feeding {
            name: Arc::clone(feeder.name),
            failing: feeder.health.failure.as_ref().filter(|_| !feeder.only_up).map(|failure| failure.what.clone()),
            late: self.overdue(&feeder) || feeder.health.last_attempt.is_none(),
            good: feeder.health.last_good.map(|good| good.mono),
        };
        self.store.feeders(selectors).into_iter().map(of).collect()
    }

    /// Whether what these selectors and a window so long need is recorded. It does not know what the query does with
    /// them: `absent()` of a metric that nobody makes works as written, so look at the rows first.
    pub fn readiness(&self, selectors: &[Selector], window: Duration) -> Readiness {
        let kept = self.store.limits().age;
        let need = window / 10 * ENOUGH;
        if need > kept {
            return Readiness::BeyondRetention { asked: window, kept };
        }
        let mut wait = Duration::ZERO;
        for selector in selectors {
            if let Some(metric) = selector.metric_name() {
                let makers = self.store.makers(metric);
                if makers.known.is_empty() && makers.possible.is_empty() {
                    let why = self.store.not_supported(metric).cloned();
                    return Readiness::NoSuchMetric { metric: Clean::text(metric), why };
                }
                if makers.known.is_empty() {
                    return Readiness::NotYet;
                }
            }
            for feeder in self.store.feeders(core::slice::from_ref(selector)) {
                let Some(since) = feeder.since else { return Readiness::NotYet };
                let have = self.now.mono.since(since);
                if have < need && feeder.evicting {
                    return Readiness::BeyondRetention { asked: window, kept: have };
                }
                wait = wait.max(need.saturating_sub(have));
            }
        }
        if wait.is_zero() { Readiness::Ready } else { Readiness::Warming { ready_in: wait } }
    }

    /// It should have spoken by now: an attempt is cut off after an interval at the latest.
    fn overdue(&self, feeder: &Feeder<'_>) -> bool {
        let grace = feeder.health.interval + Duration::from_secs(1);
        feeder.health.next_attempt.is_some_and(|next| self.now.mono.since(next) > grace)
    }

    /// The first monotonic moment whose millisecond lies after `at`.
    fn after(&self, at: Millis) -> Mono {
        let nanos = (i128::from(at) + 1) * NANOS - i128::from(self.offset);
        Mono(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
    }
}

impl Source for Live<'_> {
    fn generation(&self) -> u64 {
        self.store.generation()
    }

    fn select(&self, selector: &Selector) -> Vec<Handle> {
        self.store.select(selector).into_iter().map(|id| Handle(id.bits())).collect()
    }

    fn key(&self, series: Handle) -> &SeriesKey {
        self.store.full_key(Self::series(series))
    }

    fn latest(&self, series: Handle, at: Millis, within: Option<Millis>) -> Option<(Millis, f64)> {
        let id = Self::series(series);
        let before = |span: Duration| at.saturating_sub(Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX));
        let (usual, longest) = match within {
            Some(within) => (at.saturating_sub(within), at.saturating_sub(within)),
            None => {
                let usual = self.store.lookback(id);
                let more = if self.store.is_up(id) { backoff::CAP } else { Duration::ZERO };
                (before(usual), before(usual + more))
            }
        };
        let (seen, value) = self.store.latest(id, self.after(longest), self.after(at))?;
        let seen = self.millis(seen);
        // A failed attempt is the last word until the next one.
        (seen > usual || value == 0.0).then_some((seen, value))
    }

    fn scan(&self, series: Handle, after: Millis, until: Millis, out: &mut Vec<(Millis, f64)>) {
        let (from, to) = (self.after(after), self.after(until));
        self.store.scan(Self::series(series), from, to, |at, value| out.push((self.millis(at), value)));
    }

    fn ends(&self, series: Handle, after: Millis, until: Millis) -> Option<Ends> {
        let (id, from, to) = (Self::series(series), self.after(after), self.after(until));
        let edges = self.store.edges(id, from, to)?;
        let dropped = edges.dropped.unwrap_or_else(|| {
            let (mut sum, mut last) = (0.0, f64::NAN);
            self.store.scan(id, from, to, |_, value| {
                if value < last {
                    sum += last;
                }
                last = value;
            });
            sum
        });
        let at = |(at, value): (Mono, f64)| (self.millis(at), value);
        Some(Ends { first: at(edges.first), last: at(edges.last), count: edges.count, dropped })
    }

    fn recorded_since(&self, series: Handle) -> Millis {
        self.store.recorded_since(Self::series(series)).map_or(Millis::MIN, |since| self.millis(since))
    }
}
