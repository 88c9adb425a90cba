//! The live store as a source of points: monotonic ticks become milliseconds of the wall clock, every series has its
//! own look-back, and what feeds a query can be asked: finished, failing, recorded for how long.

use super::expr::source::{Ends, Handle, Millis, Source};
use crate::base::{Clean, Mono, Now, SeriesKey, Wall, backoff};
use crate::store::{Edges, SamplerHealth, Selector, SeriesId, Store};
use core::time::Duration;
use std::sync::Arc;

/// In a millisecond.
const NANOS: i64 = 1_000_000;
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
    /// Nor does anybody make it where this login may not look at it.
    Refused {
        /// The first of them.
        metric: Clean,
        /// What the sampler says that would make it.
        why: Clean,
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
    /// How often it means to speak.
    pub every: Duration,
    /// What is asked for comes with a failed attempt too, as its `up` does.
    pub told_failing: bool,
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

    /// The same on both clocks.
    pub const fn moment_now(&self) -> Now {
        self.now
    }

    /// A monotonic moment as expressions count.
    pub fn millis(&self, at: Mono) -> Millis {
        let mono = i64::try_from(at.0).unwrap_or(i64::MAX);
        mono.saturating_add(self.offset).div_euclid(NANOS)
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
            Some(next) if next <= self.now.mono && !self.overdue(feeder.health) => next,
            _ => self.now.mono,
        });
        self.moment(until.min().unwrap_or(self.now.mono))
    }

    /// Who feeds these selectors: whoever gives a series of theirs, or is known to be able to.
    pub fn feeding(&self, selectors: &[Selector]) -> Vec<Feeding> {
        let feeders = self.store.feeders(selectors);
        feeders.iter().map(|feeder| self.as_it_is(feeder.name, feeder.health, feeder.told_failing)).collect()
    }

    /// How a feeder is doing now that was asked for before.
    pub fn again(&self, known: &Feeding) -> Option<Feeding> {
        self.store.sampler(&known.name).map(|health| self.as_it_is(&known.name, health, known.told_failing))
    }

    fn as_it_is(&self, name: &Arc<str>, health: &SamplerHealth, told_failing: bool) -> Feeding {
        Feeding {
            name: Arc::clone(name),
            failing: health.failure.as_ref().filter(|_| !told_failing).map(|failure| failure.what.clone()),
            late: self.overdue(health) || health.last_attempt.is_none(),
            good: if told_failing { health.last_attempt } else { health.last_good }.map(|good| good.mono),
            every: health.interval,
            told_failing,
        }
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
                    if let Some(why) = self.store.refused(metric) {
                        return Readiness::Refused { metric: Clean::text(metric), why: why.clone() };
                    }
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
    fn overdue(&self, health: &SamplerHealth) -> bool {
        let grace = health.interval + Duration::from_secs(1);
        health.next_attempt.is_some_and(|next| self.now.mono.since(next) > grace)
    }

    fn ends_of(&self, edges: Edges, dropped: f64) -> Ends {
        let at = |(at, value): (Mono, f64)| (self.millis(at), value);
        Ends { first: at(edges.first), last: at(edges.last), count: edges.count, dropped }
    }

    /// The first monotonic moment whose millisecond lies after `at`.
    fn after(&self, at: Millis) -> Mono {
        let nanos = at.saturating_add(1).saturating_mul(NANOS).saturating_sub(self.offset);
        Mono(nanos.max(0).unsigned_abs())
    }
}

impl Source for Live<'_> {
    fn generation(&self) -> u64 {
        self.store.generation()
    }

    fn revision(&self) -> Option<u64> {
        // A clock that was set forward takes all times along.
        Some(self.store.revision() ^ self.offset.cast_unsigned().rotate_left(32))
    }

    fn select(&self, selector: &Selector) -> Vec<Handle> {
        self.store.select(selector).into_iter().map(|id| Handle(id.bits())).collect()
    }

    fn key(&self, series: Handle) -> &SeriesKey {
        self.store.full_key(Self::series(series))
    }

    fn latest(&self, series: Handle, at: Millis, within: Option<Millis>) -> Option<(Millis, f64)> {
        let id = Self::series(series);
        let told_failing = within.is_none() && self.store.tells_failing_too(id);
        let before = |span: Duration| at.saturating_sub(Millis::try_from(span.as_millis()).unwrap_or(Millis::MAX));
        let (usual, longest) = match within {
            Some(within) => (at.saturating_sub(within), at.saturating_sub(within)),
            None => {
                let usual = self.store.lookback(id);
                let more = if told_failing { backoff::CAP } else { Duration::ZERO };
                (before(usual), before(usual + more))
            }
        };
        let (seen, value) = self.store.latest(id, self.after(longest), self.after(at))?;
        let at = self.millis(seen);
        // A failed attempt is the last word until the next one.
        (at > usual || self.store.failed_at(id, seen)).then_some((at, value))
    }

    fn scan(&self, series: Handle, after: Millis, until: Millis, out: &mut Vec<(Millis, f64)>) {
        let (from, to) = (self.after(after), self.after(until));
        self.store.scan(Self::series(series), from, to, |at, value| out.push((self.millis(at), value)));
    }

    fn ends(&self, series: Handle, after: Millis, until: Millis) -> Option<Ends> {
        let (id, from, to) = (Self::series(series), self.after(after), self.after(until));
        let edges = self.store.edges(id, from, to)?;
        let dropped = edges.dropped.unwrap_or_else(|| {
            // More than the store lists, or a gauge: walk.
            let (mut sum, mut last) = (0.0, f64::NAN);
            self.store.scan(id, from, to, |_, value| {
                if value < last {
                    sum += last;
                }
                last = value;
            });
            sum
        });
        Some(self.ends_of(edges, dropped))
    }

    fn gauge_ends(&self, series: Handle, after: Millis, until: Millis) -> Option<Ends> {
        let edges = self.store.edges(Self::series(series), self.after(after), self.after(until))?;
        Some(self.ends_of(edges, 0.0))
    }

    fn recorded_since(&self, series: Handle) -> Millis {
        self.store.recorded_since(Self::series(series)).map_or(Millis::MIN, |since| self.millis(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Failure, Observation, Point, Sample};
    use crate::rules::expr::{Coverage, Evaluator, Expr, Semantics, Value};
    use crate::store::Limits;

    const SECOND: Duration = Duration::from_secs(1);
    /// The wall clock reads this when the machine starts.
    const BOOT: i64 = 1_000_000_000_000;

    fn at(ms: u64) -> Now {
        let nanos = ms * 1_000_000;
        Now { mono: Mono(nanos), wall: Wall(BOOT * 1_000_000 + i64::try_from(nanos).expect("small")) }
    }

    fn ms(of: i64) -> Millis {
        BOOT + of
    }

    fn live(store: &Store, now: u64) -> Live<'_> {
        Live::new(store, at(now), &mut WallOffset::default())
    }

    /// A good attempt with these points, or a failed one, and when the next is due.
    fn give(store: &mut Store, sampler: &str, seen: u64, next: u64, points: Option<Vec<Point>>) {
        let outcome = match points {
            Some(points) => Ok(Observation { points, ..Observation::default() }),
            None => Err(Failure::unreachable("no answer.")),
        };
        let (next_in, seen) = (Duration::from_millis(next - seen), at(seen));
        let (took, interval) = (Duration::ZERO, SECOND);
        store.ingest(&Sample { sampler: sampler.into(), seen, took, interval, next_in, outcome });
    }

    fn one(value: f64) -> Vec<Point> {
        vec![Point::counter("m", &[], value)]
    }

    fn m() -> [Selector; 1] {
        [Selector::metric("m")]
    }

    fn handle(live: &Live<'_>, metric: &str) -> Handle {
        *live.select(&Selector::metric(metric)).first().expect("a series")
    }

    #[test]
    fn the_time_of_expressions_never_goes_back() {
        let store = Store::new(Limits::default());
        let mut clock = WallOffset::default();
        let mut times = Vec::new();
        for (mono, wall) in [(1_000, 0), (2_000, 0), (3_000, -60_000), (4_000, 3_600_000), (5_000, 0)] {
            let now = at(mono);
            let stepped = Now { wall: Wall(now.wall.0 + wall * 1_000_000), ..now };
            times.push(Live::new(&store, stepped, &mut clock).now() - BOOT);
        }
        assert_eq!(times, [1_000, 2_000, 3_000, 3_604_000, 3_605_000]);
    }

    #[test]
    fn a_value_is_believed_for_its_own_look_back_and_windows_are_left_open() {
        let mut store = Store::new(Limits::default());
        give(&mut store, "s", 1_000, 2_000, Some(one(7.0)));
        let live = live(&store, 1_000);
        let m = handle(&live, "m");
        assert_eq!(live.key(m), &SeriesKey::new("m", &[("job", "s")]));
        let own = |at| live.latest(m, ms(at), None).map(|(seen, value)| (seen - BOOT, value));
        assert_eq!(
            (own(999), own(1_000), own(5_999), own(6_000)),
            (None, Some((1_000, 7.0)), Some((1_000, 7.0)), None)
        );
        let within = |at| live.latest(m, ms(at), Some(300_000)).is_some();
        assert!(within(300_999) && !within(301_000));
        let mut out = Vec::new();
        live.scan(m, ms(1_000), ms(2_000), &mut out);
        assert!(out.is_empty(), "the left edge is not in");
        live.scan(m, ms(999), ms(1_000), &mut out);
        assert_eq!(out, [(ms(1_000), 7.0)]);
    }

    #[test]
    fn the_ends_of_a_window_know_the_resets_even_those_that_are_not_listed() {
        let mut store = Store::new(Limits::default());
        for second in 1..=60_u64 {
            let value = if second % 2 == 0 { 9.0 } else { 1.0 };
            let points = vec![Point::counter("m", &[], value), Point::gauge("g", &[], value)];
            give(&mut store, "s", second * 1_000, second * 1_000 + 1_000, Some(points));
        }
        let live = live(&store, 60_000);
        for (metric, from) in [("m", 0), ("m", 50_500), ("g", 50_500)] {
            let (series, from, to) = (handle(&live, metric), ms(from), ms(60_000));
            let mut points = Vec::new();
            live.scan(series, from, to, &mut points);
            let dropped = points.windows(2).filter(|pair| pair[1].1 < pair[0].1).map(|pair| pair[0].1).sum();
            let (first, last) = (points[0], points[points.len() - 1]);
            assert_eq!(live.ends(series, from, to), Some(Ends { first, last, count: points.len(), dropped }));
            assert_eq!(live.gauge_ends(series, from, to).map(|ends| ends.count), Some(points.len()));
        }
    }

    #[test]
    fn a_rate_in_the_first_seconds_is_true_and_says_what_it_covers() {
        let mut store = Store::new(Limits::default());
        for second in 100..=110_u64 {
            give(&mut store, "s", second * 1_000, second * 1_000 + 1_000, Some(one(5.0 * (second as f64))));
        }
        let born = vec![Point::counter("m", &[], 555.0), Point::counter("n", &[], 8.0)];
        give(&mut store, "s", 111_000, 112_000, Some(born));
        let live = live(&store, 111_000);
        let ask = |text: &str| {
            let expr = Expr::parse(text).expect(text);
            let answer = Evaluator::new(Semantics::Console).instant(&expr, &live, live.now()).expect(text);
            let Value::Vector(rows) = answer.value else { panic!("no vector") };
            (rows.first().map(|row| row.value), answer.coverage)
        };
        let (rate, coverage) = ask("rate(m[5m])");
        assert_eq!(rate, Some(5.0), "not a thirtieth of it");
        let (have, want) = (Duration::from_secs(11), Duration::from_mins(5));
        assert_eq!(coverage, Some(Coverage { have, want }));
        assert!(ask("increase(n[10s])").0.is_some_and(|gain| gain >= 8.0), "its first increment counts");
        assert_eq!(ask("count_over_time(n[10s])").0, Some(2.0));
    }

    #[test]
    fn a_failed_attempt_is_the_last_word_until_the_next_one() {
        let mut store = Store::new(Limits::default());
        give(&mut store, "s", 1_000, 2_000, Some(one(1.0)));
        give(&mut store, "s", 2_000, 42_000, None);
        let live = live(&store, 30_000);
        let (up, m) = (handle(&live, "up"), handle(&live, "m"));
        assert_eq!(live.latest(up, ms(30_000), None).map(|(_, value)| value), Some(0.0));
        assert_eq!(live.latest(m, ms(5_500), None).map(|(_, value)| value), Some(1.0), "no marker: late, not gone");
        assert_eq!(live.latest(m, ms(30_000), None), None);
        let mut store = Store::new(Limits::default());
        give(&mut store, "s", 1_000, 2_000, Some(one(1.0)));
        let live = tests::live(&store, 30_000);
        assert_eq!(live.latest(handle(&live, "up"), ms(30_000), None), None, "an old 1 is no word about now");
    }

    #[test]
    fn a_sum_never_mixes_new_with_old() {
        let mut store = Store::new(Limits::default());
        let both = [Selector::metric("m"), Selector::metric("n")];
        give(&mut store, "a", 1_020, 2_000, Some(one(1.0)));
        give(&mut store, "b", 1_300, 2_000, Some(vec![Point::gauge("n", &[], 1.0)]));
        let finished =
            |store: &Store, selectors: &[Selector], now| live(store, now).finished(selectors).mono.0 / 1_000_000;
        assert_eq!(finished(&store, &both, 1_900), 1_900, "nothing is due");
        give(&mut store, "a", 2_020, 3_000, Some(one(2.0)));
        assert_eq!(finished(&store, &both, 2_050), 2_000, "b has not said what it has to say");
        assert_eq!(finished(&store, &m(), 2_050), 2_050);
        give(&mut store, "b", 2_300, 3_000, Some(vec![Point::gauge("n", &[], 2.0)]));
        assert_eq!(finished(&store, &both, 2_400), 2_400);
        assert_eq!(finished(&store, &both, 9_000), 9_000, "who is overdue is not waited for");
    }

    #[test]
    fn who_feeds_a_query_and_how_it_is_doing() {
        let mut store = Store::new(Limits::default());
        store.declare(&"later".into(), SECOND, false);
        store.expect(&"later".into(), vec!["late_".to_owned()]);
        give(&mut store, "s", 1_000, 2_000, Some(one(1.0)));
        give(&mut store, "s", 2_000, 3_000, None);
        let fed = |selectors: &[Selector], now| {
            let feeding = live(&store, now).feeding(selectors).into_iter();
            feeding.map(|by| (by.name.to_string(), by.failing.is_some(), by.late)).collect::<Vec<_>>()
        };
        assert_eq!(fed(&m(), 2_500), [("s".to_owned(), true, false)]);
        assert_eq!(fed(&m(), 9_000), [("s".to_owned(), true, true)]);
        let up = [Selector::metric("up")];
        assert_eq!(fed(&up, 2_500), [("s".to_owned(), false, false)], "that it fails is what `up` says");
        assert_eq!(fed(&[Selector::metric("late_x")], 2_500), [("later".to_owned(), false, true)]);
    }

    #[test]
    fn a_rule_warms_up_until_its_window_is_recorded() {
        let mut store = Store::new(Limits::default());
        let minute = Duration::from_mins(1);
        let ready =
            |store: &Store, metric: &str, window, now| live(store, now).readiness(&[Selector::metric(metric)], window);
        assert!(matches!(ready(&store, "m", minute, 1_000), Readiness::NoSuchMetric { .. }));
        store.declare(&"s".into(), SECOND, false);
        assert_eq!(ready(&store, "m", minute, 1_000), Readiness::NotYet);
        give(&mut store, "s", 1_000, 2_000, None);
        assert_eq!(ready(&store, "m", minute, 1_000), Readiness::NotYet);
        give(&mut store, "s", 2_000, 3_000, Some(one(1.0)));
        assert_eq!(ready(&store, "m", Duration::ZERO, 2_000), Readiness::Ready);
        assert_eq!(ready(&store, "m", minute, 12_000), Readiness::Warming { ready_in: Duration::from_secs(38) });
        assert_eq!(ready(&store, "m", minute, 50_000), Readiness::Ready);
        let none = Readiness::NoSuchMetric { metric: "other".into(), why: None };
        assert_eq!(ready(&store, "other", minute, 50_000), none, "who might have given it has answered");
        let day = Duration::from_hours(24);
        let kept = Duration::from_hours(1);
        assert_eq!(ready(&store, "m", day, 50_000), Readiness::BeyondRetention { asked: day, kept });
    }

    #[test]
    fn a_ring_that_is_too_small_for_a_window_says_so() {
        let mut store = Store::new(Limits { bytes: 8 * 1024, ..Limits::default() });
        for second in 1..1_000 {
            give(&mut store, "s", second * 1_000, second * 1_000 + 1_000, Some(one(1.0)));
        }
        let hour = Duration::from_hours(1);
        let found = live(&store, 999_000).readiness(&m(), hour);
        assert!(
            matches!(found, Readiness::BeyondRetention { asked, kept } if asked == hour && kept < hour),
            "{found:?}"
        );
    }

    #[test]
    fn what_a_rule_records_is_seen_at_once_and_gone_at_once() {
        let mut store = Store::new(Limits::default());
        let rule: Arc<str> = "g: job:m:sum".into();
        let every = Duration::from_secs(15);
        store.declare_rule(&rule, every, vec!["job:m:sum".to_owned()]);
        let selector = [Selector::metric("job:m:sum")];
        assert_eq!(live(&store, 500).readiness(&selector, Duration::ZERO), Readiness::NotYet);
        let row = |zone: &str, value| Point::gauge("job:m:sum", &[("zone", zone)], value);
        store.record(&rule, every, &[row("a", 1.0), row("b", 2.0)], at(1_000));
        store.record(&rule, every, &[row("b", 3.0)], at(16_000));
        let live = live(&store, 16_000);
        let found = live.select(&selector[0]);
        let keys: Vec<_> = found.iter().map(|series| live.key(*series).labels.len()).collect();
        assert_eq!(keys, [1, 1], "no job");
        let latest = |at| found.iter().map(|id| live.latest(*id, ms(at), None).map(|(_, v)| v)).collect::<Vec<_>>();
        assert_eq!(latest(15_999), [Some(1.0), Some(2.0)]);
        assert_eq!(latest(16_000), [None, Some(3.0)]);
        assert_eq!(latest(60_999), [None, Some(3.0)]);
        assert_eq!(latest(61_000), [None, None], "three intervals");
        assert!(live.select(&Selector::metric("up")).is_empty() && store.samplers().next().is_none());
    }
}
