//! When to sample, as pure arithmetic: the fixed grid of a sampler, its pause after failures, the cap over all.

use crate::base::Mono;
use crate::base::backoff::{Jitter, full_jitter};
use core::time::Duration;
use std::collections::VecDeque;

/// Requests a second over all samplers of this process.
pub(crate) const CAP_PER_SECOND: usize = 50;
/// Samplers with one interval that share one wake-up; more are spread over the interval.
const TOGETHER: usize = 8;
/// Good answers in a row that close the circuit again.
const HEALED: u32 = 3;

/// Ticks at `origin + k × every`, for ever: what takes long or fails skips ticks, but never shifts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) origin: Mono,
    pub(crate) every: Duration,
}

impl Grid {
    /// The first tick after `after`.
    pub(crate) fn next(self, after: Mono) -> Mono {
        if after < self.origin {
            return self.origin;
        }
        let every = u64::try_from(self.every.as_nanos()).unwrap_or(u64::MAX).max(1);
        let passed = (after.0 - self.origin.0) / every;
        Mono(self.origin.0.saturating_add((passed + 1).saturating_mul(every)))
    }
}

/// The grids of a process. The phase is drawn once per process, not per sampler: consoles on many hosts spread
/// out, while samplers of one console wake the machine together (eight at a time).
#[derive(Debug)]
pub(crate) struct Phases {
    start: Mono,
    phase: Duration,
    seen: Vec<(Duration, usize, usize)>,
}

impl Phases {
    /// `random` in 0..1 places the phase half a second to a second after `start`, so that the first rates
    /// (against the sample taken at once) rest on half a second at least.
    pub(crate) fn new(start: Mono, random: f64, intervals: impl Iterator<Item = Duration>) -> Self {
        let phase = Duration::from_millis(500) + Duration::from_millis(500).mul_f64(random.clamp(0.0, 1.0));
        let mut seen: Vec<(Duration, usize, usize)> = Vec::new();
        for every in intervals {
            match seen.iter_mut().find(|(known, ..)| *known == every) {
                Some((_, count, _)) => *count += 1,
                None => seen.push((every, 1, 0)),
            }
        }
        Self { start, phase, seen }
    }

    /// The grid of the next sampler with this interval.
    pub(crate) fn grid(&mut self, every: Duration) -> Grid {
        let mut origin = self.start + self.phase;
        if let Some((_, count, given)) = self.seen.iter_mut().find(|(known, ..)| *known == every) {
            let groups = count.div_ceil(TOGETHER).max(1);
            let group = *given / TOGETHER;
            *given += 1;
            let part = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            origin = origin + every * part(group) / part(groups);
        }
        Grid { origin, every }
    }
}

/// The circuit of one sampler: no answer opens it for a pause that grows; then one probe (there is only ever one
/// attempt in flight) decides; three good answers in a row forget the past.
#[derive(Debug)]
pub(crate) struct Circuit {
    failures: u32,
    good: u32,
    jitter: Jitter,
}

impl Circuit {
    pub(crate) fn new(seed: u64) -> Self {
        Self { failures: 0, good: 0, jitter: Jitter(seed) }
    }

    /// An answer came, be it a bad one: it was observed, and asking at the normal interval harms nobody.
    pub(crate) fn answered(&mut self) {
        self.good += 1;
        if self.good >= HEALED {
            self.failures = 0;
        }
    }

    /// No answer: how long to leave it alone.
    pub(crate) fn failed(&mut self) -> Duration {
        self.good = 0;
        self.failures = self.failures.saturating_add(1);
        full_jitter(self.failures, self.jitter.unit())
    }
}

/// At most [`CAP_PER_SECOND`] attempts start in any second.
#[derive(Debug, Default)]
pub(crate) struct Gate(VecDeque<Mono>);

impl Gate {
    /// Takes a place; how long to wait for it.
    pub(crate) fn place(&mut self, now: Mono) -> Duration {
        let at = if self.0.len() < CAP_PER_SECOND {
            now
        } else {
            self.0.pop_front().map_or(now, |oldest| now.max(oldest + Duration::from_secs(1)))
        };
        self.0.push_back(at);
        at.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_late_sampler_returns_to_its_grid() {
        let grid = Grid { origin: Mono(100), every: Duration::from_nanos(50) };
        let next: Vec<u64> = [0, 99, 100, 149, 150, 1_000].iter().map(|after| grid.next(Mono(*after)).0).collect();
        assert_eq!(next, [100, 100, 150, 150, 200, 1_050]);
    }

    #[test]
    fn one_wake_up_serves_eight_samplers_and_many_are_spread() {
        let origins = |n: usize| {
            let mut phases = Phases::new(Mono(0), 0.0, core::iter::repeat_n(SECOND, n));
            let mut origins: Vec<u64> = (0..n).map(|_| phases.grid(SECOND).origin.0).collect();
            origins.dedup();
            origins
        };
        assert_eq!(origins(8), [500_000_000]);
        assert_eq!(origins(16), [500_000_000, 1_000_000_000]);
        assert_eq!(origins(500).len(), 63);
    }

    #[test]
    fn intervals_of_whole_seconds_share_their_wake_ups() {
        let mut phases = Phases::new(Mono(7), 0.3, [SECOND, SECOND * 5].into_iter());
        assert_eq!(phases.grid(SECOND).origin, phases.grid(SECOND * 5).origin);
    }

    #[test]
    fn two_good_answers_do_not_forget_the_past_but_three_do() {
        let failures = |good: u32| {
            let mut circuit = Circuit::new(1);
            (0..5).for_each(|_| assert!(circuit.failed() <= Duration::from_secs(32)));
            (0..good).for_each(|_| circuit.answered());
            circuit.failed();
            circuit.failures
        };
        assert_eq!((failures(2), failures(3)), (6, 1));
    }

    proptest! {
        #[test]
        fn no_second_holds_more_than_the_cap(steps in proptest::collection::vec(0_u64..40_000_000, 1..400)) {
            let mut gate = Gate::default();
            let mut now = 0;
            let mut starts = Vec::new();
            for step in steps {
                now += step;
                starts.push(Mono(now) + gate.place(Mono(now)));
            }
            for window in starts.windows(CAP_PER_SECOND + 1) {
                prop_assert!(window[CAP_PER_SECOND].since(window[0]) >= SECOND);
            }
        }
    }
}
