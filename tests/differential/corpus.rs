//! Series of every kind that the console meets: counters with resets, gauges with gaps, NaN, infinities and stale
//! markers, classic histograms. Deterministic from a seed. No point lies on a whole second.

use crate::server::STALE;
use watchkeeper::base::SeriesKey;
use watchkeeper::rules::expr::{Millis, Track};

/// The first moment: a whole minute, so that it is a whole step of every sub-query.
pub(crate) const START: Millis = 1_700_000_040_000;
/// Moments of each series, [`EVERY`] apart.
const TICKS: i64 = 160;
const EVERY: Millis = 15_000;
/// No counter restarts before this tick: longer after the first one than the longest window.
const CALM: i64 = 110;
/// Upper bounds of the histogram.
const BOUNDS: &[&str] = &["0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];

/// SplitMix64 (Steele, Lea, Flood 2014): small and good enough for tests.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.bits() % limit
    }

    /// A place in a list so long.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("as long as a list")
    }

    /// 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.place(of.len())]
    }
}

/// What happens at a tick.
enum Event {
    Value(f64),
    Nothing,
    Gone,
}

/// A series whose values come from `next`, with a small jitter of its own and never on a whole second.
fn track(dice: &mut Dice, key: SeriesKey, mut next: impl FnMut(&mut Dice, i64) -> Event) -> Track {
    let phase = 100 + i64::try_from(dice.below(800)).expect("small");
    let mut points = Vec::new();
    for tick in 0..TICKS {
        let jitter = i64::try_from(dice.below(80)).expect("small");
        let at = START + tick * EVERY + phase + jitter;
        match next(dice, tick) {
            Event::Value(value) => points.push((at, value)),
            Event::Nothing => {}
            Event::Gone => points.push((at, f64::from_bits(STALE))),
        }
    }
    Track { key, points }
}

/// The whole corpus.
pub(crate) fn corpus(seed: u64) -> Vec<Track> {
    let mut dice = Dice(seed);
    let mut all = Vec::new();
    for job in ["api", "db"] {
        for instance in ["a:1", "b:2", "c:3"] {
            let labels = [("job", job), ("instance", instance)];
            for code in ["200", "500"] {
                all.push(counter(&mut dice, &[labels[0], labels[1], ("code", code)]));
            }
            all.push(steady_counter(&mut dice, &labels));
            all.push(gauge(&mut dice, &labels));
            all.push(odd_gauge(&mut dice, &labels));
            all.push(broken_gauge(&mut dice, &labels));
            all.push(steps(&mut dice, &labels));
            histogram(&mut dice, &labels, &mut all);
        }
        let version = [("job", job), ("version", if job == "api" { "1.2" } else { "9.0" })];
        all.push(track(&mut dice, SeriesKey::new("build_info", &version), |_, _| Event::Value(1.0)));
    }
    let key = SeriesKey::new("lonely", &[]);
    all.push(track(&mut dice, key, |dice, _| Event::Value(2.0 + dice.unit())));
    all
}

/// Rises by any amount, restarts near zero, but late: no window reaches from a restart to before the first point.
fn counter(dice: &mut Dice, labels: &[(&str, &str)]) -> Track {
    let mut value = dice.unit() * 1e4;
    track(dice, SeriesKey::new("requests_total", labels), move |dice, tick| {
        value = if tick > CALM && dice.chance(6) { dice.unit() * 5.0 } else { value + dice.unit() * 40.0 };
        Event::Value(value)
    })
}

/// Never restarts; with pauses and ends; begins late in some.
fn steady_counter(dice: &mut Dice, labels: &[(&str, &str)]) -> Track {
    let (mut value, born) = (5e5 + dice.unit() * 1e5, i64::try_from(dice.below(60)).expect("small"));
    track(dice, SeriesKey::new("sent_bytes_total", labels), move |dice, tick| {
        value += dice.unit() * 900.0;
        match dice.below(100) {
            _ if tick < born && born > 20 => Event::Nothing,
            0..8 => Event::Nothing,
            8..10 => Event::Gone,
            _ => Event::Value(value),
        }
    })
}

fn gauge(dice: &mut Dice, labels: &[(&str, &str)]) -> Track {
    let mut value = 100.0 + dice.unit() * 50.0;
    track(dice, SeriesKey::new("temperature", labels), move |dice, _| {
        value += (dice.unit() - 0.48) * 7.0;
        Event::Value(value)
    })
}

/// NaN, infinities and zero of both signs among ordinary numbers of both signs.
fn odd_gauge(dice: &mut Dice, labels: &[(&str, &str)]) -> Track {
    track(dice, SeriesKey::new("balance", labels), |dice, _| {
        Event::Value(match dice.below(100) {
            0..5 => f64::NAN,
            5..7 => f64::INFINITY,
            7..9 => f64::NEG_INFINITY,
            9..11 => 0.0,
            11..13 => -0.0,
            _ => (dice.unit() - 0.5) * 1e3,
        })
    })
}

/// Long gaps, and stale markers before some of them.
fn broken_gauge(dice: &mut Dice, labels: &[(&str, &str)]) -> Track {
    let mut away = 0;
    track(dice, SeriesKey::new("depth", labels), move |dice, _| {
        away -= 1;
        if away > 0 {
            return Event::Nothing;
        }
        match dice.below(100) {
            0..3 => away = 25,
            3..7 => away = 4,
            7..10 => {
                away = 30;
                return Event::Gone;
            }
            _ => return Event::Value(10.0 + dice.unit() * 90.0),
        }
        Event::Nothing
    })
}

/// Small whole numbers that stay for a while.
fn steps(dice: &mut Dice, labels: &[(&str, &str)]) -> Track {
    let mut value = 3.0;
    track(dice, SeriesKey::new("replicas", labels), move |dice, _| {
        if dice.chance(12) {
            value = dice.below(6) as f64;
        }
        Event::Value(value)
    })
}

/// `latency_seconds`: buckets that rise together, with a common restart.
fn histogram(dice: &mut Dice, labels: &[(&str, &str)], all: &mut Vec<Track>) {
    let (seed, phase) = (dice.bits(), dice.bits());
    let mut one = |suffix: &str, le: Option<&str>, of: &dyn Fn(&[f64; 7], f64) -> f64| {
        let name = format!("latency_seconds_{suffix}");
        let labels: Vec<(&str, &str)> = labels.iter().copied().chain(le.map(|le| ("le", le))).collect();
        // The same dice for every part of a histogram, so that the parts agree.
        let (mut same, mut counts, mut sum) = (Dice(seed), [1e4; 7], 5e4);
        let at = track(&mut Dice(phase), SeriesKey::new(&name, &labels), |_, tick| {
            if tick > CALM && same.chance(3) {
                (counts, sum) = ([0.0; 7], 0.0);
            }
            for _ in 0..=same.below(8) {
                let bucket = same.place(7);
                counts[bucket] += 1.0;
                sum += 0.04 * (bucket + 1) as f64;
            }
            Event::Value(of(&counts, sum))
        });
        all.push(at);
    };
    for (place, bound) in BOUNDS.iter().enumerate() {
        one("bucket", Some(bound), &move |counts, _| counts.iter().take(place + 1).sum());
    }
    one("count", None, &|counts, _| counts.iter().sum());
    one("sum", None, &|_, sum| sum);
}
