//! Did it help? Judged on the metric itself, by the runner, purely: baseline median against fresh points after the
//! effect, and only while work went on (safety.md 4.3 item 9).

use super::kinds::Proof;
use super::plan::Judging;
use super::traffic::Traffic;
use crate::base::{Clean, Mono, Unit};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Fresh points that a judgement needs.
pub const FRESH: usize = 10;
/// Points that a baseline needs.
pub const BASELINE: usize = 5;
/// "Falls" and "rises" mean by at least this share: less is noise.
const MARGIN: f64 = 0.05;

/// One value of one query, as a sampler saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The query it answers.
    pub query: String,
    /// When it was observed.
    pub at: Mono,
    /// In the metric's base unit.
    pub value: f64,
}

/// What must come true. In a profile: `"falls"`, `"rises"`, `{ below = 0.9 }`, `{ above = 1 }`,
/// `{ at_most = 1 }`, `{ at_least = 1 }`, `{ falls_or_below = 0.9 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Lower than the baseline by 5 % or more.
    Falls,
    /// Higher than the baseline by 5 % or more.
    Rises,
    /// Under a fixed value.
    Below(f64),
    /// Over a fixed value.
    Above(f64),
    /// Not over a fixed value.
    AtMost(f64),
    /// Not under a fixed value.
    AtLeast(f64),
    /// Lower than the baseline by 5 % or more, or under a fixed value.
    FallsOrBelow(f64),
}

impl Expect {
    /// Whether `after` is what was wanted; `None` without the baseline that it needs.
    pub fn holds(self, before: Option<f64>, after: f64) -> Option<bool> {
        match self {
            Self::Falls => before.map(|before| after <= before - before.abs() * MARGIN && after < before),
            Self::Rises => before.map(|before| after >= before + before.abs() * MARGIN && after > before),
            Self::Below(limit) => Some(after < limit),
            Self::Above(limit) => Some(after > limit),
            Self::AtMost(limit) => Some(after <= limit),
            Self::AtLeast(limit) => Some(after >= limit),
            Self::FallsOrBelow(limit) if after < limit => Some(true),
            Self::FallsOrBelow(_) => Self::Falls.holds(before, after),
        }
    }

    /// What a value must be, in words.
    pub fn stands(self, unit: Unit) -> String {
        match self {
            Self::Below(limit) => format!("below {}", unit.show(limit)),
            Self::Above(limit) => format!("above {}", unit.show(limit)),
            Self::AtMost(limit) => format!("at most {}", unit.show(limit)),
            Self::AtLeast(limit) => format!("at least {}", unit.show(limit)),
            Self::Falls | Self::Rises | Self::FallsOrBelow(_) => self.wanted(unit),
        }
    }

    fn wanted(self, unit: Unit) -> String {
        match self {
            Self::Falls => "fall by 5 % or more".to_owned(),
            Self::Rises => "rise by 5 % or more".to_owned(),
            Self::Below(limit) => format!("come below {}", unit.show(limit)),
            Self::Above(limit) => format!("come above {}", unit.show(limit)),
            Self::AtMost(limit) => format!("come to at most {}", unit.show(limit)),
            Self::AtLeast(limit) => format!("come to at least {}", unit.show(limit)),
            Self::FallsOrBelow(limit) => format!("fall by 5 % or more or come below {}", unit.show(limit)),
        }
    }
}

/// One thing to verify.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// In words.
    pub label: Clean,
    /// An expression that gives one row.
    pub query: String,
    /// For display.
    pub unit: Unit,
    /// What must come true.
    pub expect: Expect,
    /// Median before the effect; `None` when there were fewer than [`BASELINE`] points.
    pub before: Option<f64>,
}

/// One row of before and after, as far as it is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// In words.
    pub label: Clean,
    /// For display.
    pub unit: Unit,
    /// Median before.
    pub before: Option<f64>,
    /// Median of the newest fresh points.
    pub after: Option<f64>,
    /// Fresh points so far.
    pub fresh: usize,
    /// Whether it is as wanted; `None` while that cannot be said.
    pub met: Option<bool>,
}

/// What the points say so far.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Not yet; the sentence says what is missing.
    Waiting(Clean),
    /// Everything came true while work went on.
    Verified,
    /// Enough was seen, and it is not as wanted.
    Failed(Clean),
    /// Too little was seen to say.
    Unverified(Clean),
}

impl Verdict {
    /// Both must come true: what is certain to be wrong counts first, then what cannot be told, then what may come.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |verdict: &Self| match verdict {
            Self::Failed(_) => 3,
            Self::Unverified(_) => 2,
            Self::Waiting(_) => 1,
            Self::Verified => 0,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}

/// A kind's own proof on its way to count: it must hold, unchanged, for its time.
#[derive(Debug, Default)]
pub struct Settling {
    since: Option<(String, Mono)>,
    /// How often it held, and then it did not, or as another one.
    lost: u32,
    /// Why it did not, the last time.
    why: Option<Clean>,
}

impl Settling {
    /// Judges one look at `now`; `over` is whether the time limit has passed.
    pub fn judge(&mut self, proof: Proof, settle: Duration, now: Mono, over: bool) -> Verdict {
        let (id, said) = match proof {
            Proof::Holds(id, said) => (id, said),
            Proof::Broken(why) => return Verdict::Failed(crate::clean!("{why}.")),
            Proof::Unseen(why) if over => return Verdict::Unverified(why),
            Proof::Unseen(why) => return Verdict::Waiting(why),
            Proof::NotYet(why) => {
                self.lost += u32::from(self.since.take().is_some());
                self.why = (self.lost > 0).then(|| why.clone());
                let why = crate::clean!("{why}.");
                return if over { Verdict::Failed(why) } else { Verdict::Waiting(why) };
            }
        };
        let since = match &self.since {
            Some((known, since)) if *known == id => *since,
            other => {
                self.lost += u32::from(other.is_some());
                self.since = Some((id, now));
                now
            }
        };
        let held = now.since(since);
        if held >= settle {
            return Verdict::Verified;
        }
        let (held, settle) = (held.as_secs(), settle.as_secs());
        let why = crate::clean!("{said}, unchanged for {held} s of {settle} s");
        match (over, self.lost) {
            (false, _) => Verdict::Waiting(crate::clean!("{why}.")),
            // It came late, or the host slept: nothing speaks against it.
            (true, 0) => Verdict::Unverified(crate::clean!("{why}.")),
            (true, lost) => {
                let times = match lost {
                    1 => "once".to_owned(),
                    2 => "twice".to_owned(),
                    more => format!("{more} times"),
                };
                let last = self.why.as_ref().map(|why| crate::clean!(": {why}")).unwrap_or_default();
                Verdict::Failed(crate::clean!("{why}; before that it did not last, {times}{last}."))
            }
        }
    }
}

/// Judges what was seen after `effect`. `over` is whether the time limit has passed. The last row is the traffic.
pub fn judge(judging: &Judging, seen: &[Seen], effect: Mono, over: bool) -> (Verdict, Vec<Comparison>) {
    let mut rows: Vec<Comparison> = Vec::with_capacity(judging.checks.len() + 1);
    let mut unknown: Option<Clean> = None;
    let mut wrong: Option<Clean> = None;
    for check in &judging.checks {
        let points = fresh(seen, &check.query, effect);
        let after = median(points.iter().map(|(_, value)| *value));
        let met =
            if points.len() < FRESH { None } else { after.and_then(|after| check.expect.holds(check.before, after)) };
        match met {
            Some(true) => {}
            Some(false) => {
                let show = |value: Option<f64>| value.map_or_else(|| "—".to_owned(), |value| check.unit.show(value));
                let (before, after) = (show(check.before), show(after));
                let wanted = check.expect.wanted(check.unit);
                wrong.get_or_insert(crate::clean!("{} did not {wanted}: {before} → {after}.", check.label));
            }
            None if points.len() < FRESH => {
                let count = points.len();
                unknown.get_or_insert(crate::clean!("{}: {count} of {FRESH} fresh points.", check.label));
            }
            None => {
                unknown.get_or_insert(crate::clean!("{}: no baseline from before the change.", check.label));
            }
        }
        let (label, unit, before) = (check.label.clone(), check.unit, check.before);
        rows.push(Comparison { label, unit, before, after, fresh: points.len(), met });
    }
    let traffic = traffic_row(&judging.traffic, seen, effect);
    if traffic.met != Some(true) {
        unknown.get_or_insert(too_little(&judging.traffic, &traffic, &rows));
    }
    rows.push(traffic);
    let verdict = match (unknown, wrong) {
        (None, None) => Verdict::Verified,
        (Some(what), _) if over => Verdict::Unverified(what),
        (None, Some(what)) if over => Verdict::Failed(what),
        (Some(what), _) | (None, Some(what)) => Verdict::Waiting(what),
    };
    (verdict, rows)
}

/// Why nothing can be told of `rows`: what fell may have fallen because nothing was done.
fn too_little(traffic: &Traffic, seen: &Comparison, rows: &[Comparison]) -> Clean {
    let (before, after) = (traffic.show(traffic.before), traffic.show(seen.after));
    let better = rows.iter().find(|row| row.met == Some(true) && seen.met == Some(false));
    let fell = seen.before.is_some_and(|before| before > 0.0);
    match better {
        Some(row) if fell && row.before.zip(row.after).is_some_and(|(before, after)| after < before) => {
            crate::clean!("{} fell, but so did throughput: {after}, before {before}.", row.label)
        }
        Some(row) if fell => {
            crate::clean!("{} is as wanted, but throughput fell: {after}, before {before}.", row.label)
        }
        _ => crate::clean!("too little work went through to tell: {after}, before {before}."),
    }
}

fn traffic_row(traffic: &Traffic, seen: &[Seen], effect: Mono) -> Comparison {
    let points = fresh(seen, &traffic.query, effect);
    let after = pace(&points, traffic.counter);
    let met = match (points.len() >= FRESH, traffic.before, after) {
        (true, Some(before), Some(after)) => Some(before > 0.0 && after > before / 2.0),
        _ => None,
    };
    let (label, unit) = (Clean::from("traffic"), traffic.unit());
    Comparison { label, unit, before: traffic.before, after, fresh: points.len(), met }
}

/// Work a second: the median of a gauge, the rate of a counter. `None` when the points cannot tell.
pub fn pace(points: &[(Mono, f64)], counter: bool) -> Option<f64> {
    if !counter {
        return median(points.iter().map(|(_, value)| *value));
    }
    let (first, last) = (points.first()?, points.last()?);
    let time = last.0.since(first.0).as_secs_f64();
    let rise: f64 = points
        .iter()
        .zip(points.iter().skip(1))
        // A fall is a restart: what the counter shows then was counted since.
        .map(|((_, before), (_, after))| if after >= before { after - before } else { *after })
        .sum();
    (time > 0.0).then(|| rise / time)
}

/// The middle value; of an even number the mean of the two middle ones. NaN is no value.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values.get(values.len() / 2 - 1).map(|lower| f64::midpoint(*lower, upper))
}

/// The newest points of `query` after `effect`, oldest first; the same moment counts once, what is no number never.
fn fresh(seen: &[Seen], query: &str, effect: Mono) -> Vec<(Mono, f64)> {
    let mut points: Vec<(Mono, f64)> = seen
        .iter()
        .filter(|point| point.query == query && point.at > effect && point.value.is_finite())
        .map(|point| (point.at, point.value))
        .collect();
    points.sort_by_key(|(at, _)| *at);
    points.dedup_by_key(|(at, _)| *at);
    points.split_off(points.len().saturating_sub(FRESH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use proptest::prelude::*;

    fn judging(expect: Expect, before: Option<f64>) -> Judging {
        Judging {
            checks: vec![Check { label: "latency".into(), query: "l".into(), unit: Unit::Seconds, expect, before }],
            traffic: Traffic { query: "t_total".into(), counter: true, label: "orders".into(), before: Some(100.0) },
            within: Duration::from_secs(60),
            samplers: Vec::new(),
            profile: String::new(),
        }
    }

    fn at(second: usize) -> Mono {
        Mono(u64::try_from(second).unwrap() * 1_000_000_000)
    }

    /// `n` points a second apart after second 10: latency `value`, a counter that rises by `rate`.
    fn points(n: usize, value: f64, rate: f64) -> Vec<Seen> {
        (1..=n)
            .flat_map(|i| {
                let at = at(10 + i);
                let count = rate * i as f64;
                [Seen { query: "l".into(), at, value }, Seen { query: "t_total".into(), at, value: count }]
            })
            .collect()
    }

    #[test]
    fn ten_fresh_lower_points_with_traffic_verify_a_fall() {
        let judging = judging(Expect::Falls, Some(14.2e-6));
        let (verdict, rows) = judge(&judging, &points(10, 9.0e-6, 90.0), at(10), false);
        assert_eq!(verdict, Verdict::Verified);
        assert_eq!((rows[0].before, rows[0].after, rows[0].met), (Some(14.2e-6), Some(9.0e-6), Some(true)));
        assert_eq!(rows[1].after, Some(90.0));
    }

    #[test]
    fn nine_points_wait_and_then_are_unverified() {
        let judging = judging(Expect::Falls, Some(14.2e-6));
        let seen = points(9, 9.0e-6, 90.0);
        assert!(matches!(judge(&judging, &seen, at(10), false).0, Verdict::Waiting(_)));
        let Verdict::Unverified(why) = judge(&judging, &seen, at(10), true).0 else { panic!("judged") };
        assert_eq!(why.as_str(), "latency: 9 of 10 fresh points.");
    }

    #[test]
    fn points_from_before_the_effect_do_not_count() {
        let judging = judging(Expect::Falls, Some(14.2e-6));
        assert!(matches!(judge(&judging, &points(12, 9.0e-6, 90.0), at(13), true).0, Verdict::Unverified(_)));
    }

    #[test]
    fn a_fall_without_traffic_is_never_verified() {
        let judging = judging(Expect::Falls, Some(14.2e-6));
        let told = |judging: &Judging, rate| match judge(judging, &points(20, 9.0e-6, rate), at(10), true).0 {
            Verdict::Unverified(why) => why.to_string(),
            other => panic!("{other:?} at {rate}/s"),
        };
        for rate in [0.0, 50.0] {
            let said = format!("latency fell, but so did throughput: {rate} orders/s, before 100 orders/s.");
            assert_eq!(told(&judging, rate), said);
        }
        let low = Judging { checks: self::judging(Expect::Below(1e-5), None).checks, ..judging.clone() };
        let said = "latency is as wanted, but throughput fell: 0 orders/s, before 100 orders/s.";
        assert_eq!(told(&low, 0.0), said);
        let mut idle = judging;
        idle.traffic.before = Some(0.0);
        let said = "too little work went through to tell: 0 orders/s, before 0 orders/s.";
        assert_eq!(told(&idle, 0.0), said, "it did not fall");
    }

    #[test]
    fn no_fall_fails_only_when_the_time_is_over() {
        let judging = judging(Expect::Falls, Some(14.2e-6));
        let seen = points(20, 14.0e-6, 100.0);
        assert!(matches!(judge(&judging, &seen, at(10), false).0, Verdict::Waiting(_)));
        let Verdict::Failed(why) = judge(&judging, &seen, at(10), true).0 else { panic!("not failed") };
        assert_eq!(why.as_str(), "latency did not fall by 5 % or more: 14.2 µs → 14.0 µs.");
    }

    #[test]
    fn without_a_baseline_a_fall_cannot_be_told_but_a_limit_can() {
        let seen = points(10, 9.0e-6, 100.0);
        assert!(matches!(judge(&judging(Expect::Falls, None), &seen, at(10), true).0, Verdict::Unverified(_)));
        assert_eq!(judge(&judging(Expect::Below(1e-5), None), &seen, at(10), true).0, Verdict::Verified);
        assert!(matches!(judge(&judging(Expect::Above(1e-5), None), &seen, at(10), true).0, Verdict::Failed(_)));
    }

    #[test]
    fn a_value_may_fall_or_lie_low_already() {
        let judge = |before, after| {
            judge(&judging(Expect::FallsOrBelow(0.9), before), &points(10, after, 90.0), at(10), true).0
        };
        assert_eq!((judge(Some(0.97), 0.91), judge(Some(0.89), 0.89)), (Verdict::Verified, Verdict::Verified));
        assert_eq!(judge(None, 0.5), Verdict::Verified, "without a baseline the limit tells");
        let Verdict::Failed(why) = judge(Some(0.97), 0.95) else { panic!("not failed") };
        assert!(why.as_str().contains("did not fall by 5 % or more or come below"), "{why}");
        assert!(matches!(judge(None, 0.95), Verdict::Unverified(_)));
    }

    #[test]
    fn what_held_for_too_short_a_time_is_unverified_and_what_was_lost_meanwhile_has_failed() {
        let holds = |id: &str| Proof::Holds(id.to_owned(), "it runs".into());
        let after = |earlier: &[Proof]| {
            let mut settling = Settling::default();
            let settle = Duration::from_secs(10);
            for (second, proof) in earlier.iter().enumerate() {
                settling.judge(proof.clone(), settle, at(second), false);
            }
            settling.judge(holds("one"), settle, at(earlier.len()), true)
        };
        let Verdict::Unverified(why) = after(&[Proof::NotYet("it starts".into()), holds("one")]) else {
            panic!("told")
        };
        assert_eq!(why.as_str(), "it runs, unchanged for 1 s of 10 s.");
        for (earlier, told) in [
            (
                vec![Proof::NotYet("it starts".into()), holds("one"), Proof::NotYet("it ended".into())],
                "once: it ended.",
            ),
            (vec![Proof::NotYet("it starts".into()), holds("one"), holds("two")], "twice."),
        ] {
            let Verdict::Failed(why) = after(&earlier) else { panic!("{told}") };
            assert_eq!(
                why.as_str(),
                format!("it runs, unchanged for 0 s of 10 s; before that it did not last, {told}")
            );
        }
        assert_eq!(after(&core::array::from_fn::<_, 10, _>(|_| holds("one"))), Verdict::Verified);
    }

    #[test]
    fn a_counter_that_starts_again_still_gives_a_rate() {
        let rate = pace(&[(at(0), 1_000.0), (at(1), 1_100.0), (at(2), 50.0), (at(3), 150.0)], true);
        assert!((rate.unwrap() - 250.0 / 3.0).abs() < 1e-9);
        assert_eq!(pace(&[(at(0), 1.0)], true), None);
    }

    #[test]
    fn the_words_of_a_profile_read_as_expectations() {
        #[derive(Deserialize)]
        struct Row {
            expect: Expect,
        }
        let read = |text: &str| toml::from_str::<Row>(text).map(|row| row.expect).ok();
        assert_eq!(read("expect = \"falls\""), Some(Expect::Falls));
        assert_eq!(read("expect = { below = 1 }"), Some(Expect::Below(1.0)));
        assert_eq!(read("expect = \"sinks\""), None);
    }

    proptest! {
        #[test]
        fn nothing_is_verified_on_fewer_than_ten_finite_fresh_points(n in 0_usize..10, value in any::<f64>(), rate in 0.0_f64..1e6) {
            let verdict = judge(&judging(Expect::Below(f64::MAX), None), &points(n, value, rate), at(10), true).0;
            prop_assert!(matches!(verdict, Verdict::Unverified(_)));
        }
    }
}
