//! Sliding windows over what was really processed: quantiles of latencies, and rates.

use crate::base::Mono;
use core::time::Duration;
use std::collections::VecDeque;

/// How far the windows look back.
pub(super) const SPAN: Duration = Duration::from_secs(10);
/// Latencies kept at most: twenty times the usual load.
const CAPACITY: usize = 100_000;

/// Latencies of the last ten seconds, with running totals.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    recent: VecDeque<(Mono, f64)>,
    sum: f64,
    count: u64,
}

impl Latencies {
    /// Adds one latency in seconds.
    pub(super) fn add(&mut self, at: Mono, seconds: f64) {
        if self.recent.len() >= CAPACITY {
            self.recent.pop_front();
        }
        self.recent.push_back((at, seconds));
        self.sum += seconds;
        self.count = self.count.saturating_add(1);
    }

    /// Values at these quantiles over the window (nearest rank); `None` when nothing was processed in it.
    pub(super) fn quantiles<const N: usize>(&mut self, now: Mono, wanted: [f64; N]) -> Option<[f64; N]> {
        while self.recent.front().is_some_and(|(at, _)| now.since(*at) > SPAN) {
            self.recent.pop_front();
        }
        let mut sorted: Vec<f64> = self.recent.iter().map(|(_, seconds)| *seconds).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        Some(wanted.map(|quantile| sorted.get(rank(quantile, sorted.len()).min(last)).copied().unwrap_or(0.0)))
    }

    /// Seconds of all latencies since the start.
    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    /// Latencies since the start.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most 100,000 ranks, and the quantile lies in 0–1"
)]
fn rank(quantile: f64, count: usize) -> usize {
    ((quantile.clamp(0.0, 1.0) * count as f64).ceil() as usize).saturating_sub(1)
}

/// Events per second over the last ten seconds, or since the start when that is shorter.
#[derive(Debug)]
pub(super) struct Rate {
    started: Mono,
    recent: VecDeque<(Mono, u32)>,
}

impl Rate {
    /// Nothing yet.
    pub(super) fn new(started: Mono) -> Self {
        Self { started, recent: VecDeque::new() }
    }

    /// Adds events that came together.
    pub(super) fn add(&mut self, at: Mono, events: usize) {
        if events > 0 {
            self.recent.push_back((at, u32::try_from(events).unwrap_or(u32::MAX)));
        }
        self.forget(at);
    }

    /// Events per second; zero within the first tenth of a second.
    pub(super) fn per_second(&mut self, now: Mono) -> f64 {
        self.forget(now);
        let span = now.since(self.started).min(SPAN).as_secs_f64();
        let sum: f64 = self.recent.iter().map(|(_, events)| f64::from(*events)).sum();
        if span < 0.1 { 0.0 } else { sum / span }
    }

    fn forget(&mut self, now: Mono) {
        while self.recent.front().is_some_and(|(at, _)| now.since(*at) >= SPAN) {
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: u64) -> Mono {
        Mono(at * 1_000_000_000)
    }

    #[test]
    fn quantiles_are_of_the_window_and_totals_of_the_whole() {
        let mut window = Latencies::default();
        assert_eq!(window.quantiles(second(0), [0.5]), None);
        for value in 1..=100 {
            window.add(second(1), f64::from(value));
        }
        assert_eq!(window.quantiles(second(2), [0.0, 0.5, 0.95, 0.99, 1.0]), Some([1.0, 50.0, 95.0, 99.0, 100.0]));
        window.add(second(9), 7.0);
        assert_eq!(window.quantiles(second(12), [0.5, 0.99]), Some([7.0, 7.0]));
        assert_eq!(window.quantiles(second(20), [0.5]), None);
        assert_eq!((window.count(), window.sum()), (101, 5_057.0));
    }

    #[test]
    fn a_rate_is_over_the_window_or_what_there_is_of_it() {
        let mut rate = Rate::new(second(100));
        assert!(rate.per_second(second(100)).abs() < f64::EPSILON);
        for at in 100..130 {
            rate.add(second(at), 20);
        }
        assert!((rate.per_second(second(129)) - 20.0).abs() < 1e-9);
        let mut young = Rate::new(second(100));
        young.add(second(101), 50);
        assert!((young.per_second(second(102)) - 25.0).abs() < 1e-9);
        assert!(young.per_second(second(130)).abs() < 1e-9);
    }
}
