//! When to tell the loop that the window has changed: at once after a quiet time, every tenth of a second in a storm,
//! shortly after its end, and never more than 20 times in a second. Pure.

use crate::base::Mono;
use core::time::Duration;

/// The storm is over when nothing has come for this long.
const QUIET: Duration = Duration::from_millis(12);
/// In a storm one in this time is told.
const PROGRESS: Duration = Duration::from_millis(100);
/// One more than 1 s / 53 ms is told in any second: 19.
const SPACING: Duration = Duration::from_millis(53);

/// Coalesces.
#[derive(Default)]
pub(super) struct Resizes {
    /// First and last change that was not told yet.
    waiting: Option<(Mono, Mono)>,
    told: Option<Mono>,
    /// The bucket of allowances is full again at this moment.
    full: Mono,
}

impl Resizes {
    /// The window has changed.
    pub(super) fn changed(&mut self, now: Mono) {
        let first = self.waiting.map_or(now, |(first, _)| first);
        self.waiting = Some((first, now));
    }

    /// When [`Resizes::due`] will be true; `None` when nothing waits.
    pub(super) fn when(&self) -> Option<Mono> {
        let (first, last) = self.waiting?;
        let calm = self.told.is_none_or(|told| first.since(told) >= PROGRESS);
        let wanted = if calm { first } else { (last + QUIET).min(first + PROGRESS) };
        Some(wanted.max(self.full - SPACING))
    }

    /// Whether to tell now; then nothing waits any more.
    pub(super) fn due(&mut self, now: Mono) -> bool {
        let due = self.when().is_some_and(|when| when <= now);
        if due {
            self.waiting = None;
            self.told = Some(now);
            self.full = self.full.max(now) + SPACING;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Mono = Mono(1_000_000_000_000);

    /// Changes every `gap` for `count` times; gives when each was told, and the last change.
    fn storm(gap: Duration, count: u32) -> (Vec<Mono>, Mono) {
        let mut resizes = Resizes::default();
        let (mut told, mut now, mut next, mut left) = (Vec::new(), START, START, count);
        let mut last = START;
        while left > 0 || resizes.when().is_some() {
            if left > 0 && now >= next {
                resizes.changed(now);
                (last, next, left) = (now, now + gap, left - 1);
            }
            if resizes.due(now) {
                told.push(now);
            }
            now = now + Duration::from_millis(1);
        }
        (told, last)
    }

    #[test]
    fn never_more_than_twenty_in_a_second_and_the_last_is_always_told() {
        for gap in 1..200 {
            let (told, last) = storm(Duration::from_millis(gap), 400);
            for (index, at) in told.iter().enumerate() {
                let within = told.iter().skip(index).take_while(|other| other.since(*at) < Duration::from_secs(1));
                assert!(within.count() <= 20, "gap {gap} ms");
            }
            assert!(told.last().is_some_and(|told| *told >= last), "gap {gap} ms");
        }
    }

    #[test]
    fn the_first_is_told_at_once_and_the_end_of_a_storm_soon() {
        let (told, last) = storm(Duration::from_millis(10), 200);
        assert_eq!(told.first(), Some(&START));
        assert!(told.last().unwrap().since(last) <= Duration::from_millis(13));
        assert!(told.len() <= 25, "{} in two seconds", told.len());
    }
}
