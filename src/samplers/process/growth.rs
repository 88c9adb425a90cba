//! How fast a size grows: a straight line through what was seen in the last hour. Pure.

use crate::base::Mono;
use core::time::Duration;
use std::collections::VecDeque;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
/// A shorter time says nothing of an hour, unless the profile says another one.
pub(super) const SHORTEST: Duration = Duration::from_secs(300);
/// Values kept are so far apart, and closer where less time is enough.
const STEP: Duration = Duration::from_secs(10);

/// The last hour.
#[derive(Debug)]
pub(super) struct Growth {
    seen: VecDeque<(Mono, f64)>,
    /// A line is drawn through so much of it at least.
    after: Duration,
}

impl Growth {
    pub(super) const fn new(after: Duration) -> Self {
        Self { seen: VecDeque::new(), after }
    }

    /// Another process is looked at.
    pub(super) fn begin_anew(&mut self) {
        self.seen.clear();
    }

    pub(super) fn add(&mut self, now: Mono, value: f64) {
        if self.seen.back().is_some_and(|(last, _)| now.since(*last) < STEP.min(self.after / 2)) {
            return;
        }
        self.seen.push_back((now, value));
        // One stays from before the hour: an hour of it can be asked for.
        while self.seen.get(1).is_some_and(|(next, _)| now.since(*next) >= HOUR) {
            self.seen.pop_front();
        }
    }

    /// Per hour, by least squares; `None` before there is enough of it.
    pub(super) fn per_hour(&self) -> Option<f64> {
        let (first, last) = (self.seen.front()?, self.seen.back()?);
        if last.0.since(first.0) < self.after {
            return None;
        }
        let count = self.seen.len() as f64;
        let hours = |at: &Mono| at.since(first.0).as_secs_f64() / HOUR.as_secs_f64();
        let mean = |of: &dyn Fn(&(Mono, f64)) -> f64| self.seen.iter().map(of).sum::<f64>() / count;
        let (time, size) = (mean(&|(at, _)| hours(at)), mean(&|(_, value)| *value));
        let (mut both, mut square) = (0.0, 0.0);
        for (at, value) in &self.seen {
            let off = hours(at) - time;
            both += off * (value - size);
            square += off * off;
        }
        (square > 0.0).then(|| both / square)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_hour(minutes: u64, value: impl Fn(f64) -> f64) -> Option<f64> {
        let mut growth = Growth::new(SHORTEST);
        for second in 0..=minutes * 60 {
            growth.add(Mono(second * 1_000_000_000), value(second as f64));
        }
        growth.per_hour()
    }

    #[test]
    fn a_slope_needs_five_minutes_and_is_zero_for_what_stays() {
        assert_eq!(per_hour(4, |second| second), None);
        let leak = per_hour(5, |second| 5e6 + second * 1_000.0).expect("long enough");
        assert!((leak - 3.6e6).abs() < 1.0, "{leak}");
        assert!(per_hour(30, |_| 7e9).is_some_and(|slope| slope.abs() < 1e-3));
        let saw = per_hour(60, |second| (second % 60.0) * 1e6).expect("long enough");
        assert!(saw.abs() < 2e6, "a saw-tooth of 60 MB does not grow: {saw}");
    }

    #[test]
    fn less_time_is_enough_where_the_profile_says_so() {
        let mut growth = Growth::new(Duration::from_secs(4));
        for second in 0..=4_u32 {
            assert_eq!(growth.per_hour(), None, "before {second} s");
            growth.add(Mono(u64::from(second) * 1_000_000_000), f64::from(second) * 1_000.0);
        }
        assert!(growth.per_hour().is_some_and(|slope| (slope - 3.6e6).abs() < 1.0));
        growth.begin_anew();
        assert_eq!(growth.per_hour(), None);
    }

    #[test]
    fn a_whole_hour_can_be_asked_for_though_looks_do_not_come_on_the_second() {
        let mut growth = Growth::new(HOUR);
        for look in 0..=600_u32 {
            growth.add(Mono(u64::from(look) * 10_700_000_000), f64::from(look) * 10.7);
        }
        assert!(growth.per_hour().is_some_and(|slope| (slope - 3_600.0).abs() < 1.0), "{:?}", growth.per_hour());
    }

    #[test]
    fn only_the_last_hour_counts() {
        let late = per_hour(120, |second| if second < 3_600.0 { second * 1e6 } else { 3.6e9 }).expect("long enough");
        assert!(late.abs() < 1.0, "{late}");
    }
}
