//! Where a pattern was found: sorted places by stretch, up to a cap; beyond it counts alone.

use std::collections::VecDeque;

/// Places kept at most, 8 bytes each.
pub(super) const KEPT: usize = 500_000;
/// A stretch that has grown so far is followed by another one.
const STRETCH: u64 = 16 * 1024 * 1024;

#[derive(Debug)]
struct Stretch {
    start: u64,
    end: u64,
    count: u64,
    /// All of them, or none beyond the cap.
    places: Vec<u64>,
}

/// Hits of one pattern, one unbroken piece of the log round where the search began.
#[derive(Debug, Default)]
pub struct Hits {
    stretches: VecDeque<Stretch>,
    kept: usize,
    count: u64,
    capped: bool,
}

/// The nearest hit on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It begins a line here.
    Hit(u64),
    /// There is none among what has been searched.
    None,
}

impl Hits {
    /// Adds what a stretch held. It lies beside what is there, before or behind it.
    pub(super) fn add(&mut self, (start, end): (u64, u64), places: Vec<u64>, count: u64) {
        self.count += count;
        let keep = self.kept + places.len() <= KEPT;
        self.capped |= !keep;
        let places = if keep { places } else { Vec::new() };
        self.kept += places.len();
        match self.stretches.back_mut() {
            Some(last) if last.end == start && last.end - last.start < STRETCH && (keep || last.places.is_empty()) => {
                last.end = end;
                last.count += count;
                last.places.extend(places);
            }
            Some(last) if last.end <= start => self.stretches.push_back(Stretch { start, end, count, places }),
            _ => self.stretches.push_front(Stretch { start, end, count, places }),
        }
    }

    /// What lies before a place is gone, and its hits with it.
    pub(super) fn forget(&mut self, begin: u64) {
        while let Some(first) = self.stretches.front_mut().filter(|first| first.start < begin) {
            if first.end <= begin {
                self.count -= first.count;
                self.kept -= first.places.len();
                self.stretches.pop_front();
                continue;
            }
            let gone = first.places.partition_point(|place| *place < begin);
            first.places.drain(..gone);
            let lost = u64::try_from(gone).unwrap_or(0);
            (first.start, first.count) = (begin, first.count - lost);
            self.count -= lost;
            self.kept -= gone;
            return;
        }
    }

    /// All hits so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// True when there are more than can be visited.
    pub fn is_capped(&self) -> bool {
        self.capped
    }

    /// The first hit at or after a place.
    pub fn at_or_after(&self, place: u64) -> Step {
        let found = self
            .stretches
            .iter()
            .filter(|stretch| stretch.end > place)
            .find_map(|stretch| stretch.places.get(stretch.places.partition_point(|hit| *hit < place)));
        found.map_or(Step::None, |hit| Step::Hit(*hit))
    }

    /// The last hit before a place.
    pub fn before(&self, place: u64) -> Step {
        let found =
            self.stretches.iter().rev().filter(|stretch| stretch.start < place).find_map(|stretch| {
                stretch.places.get(stretch.places.partition_point(|hit| *hit < place).checked_sub(1)?)
            });
        found.map_or(Step::None, |hit| Step::Hit(*hit))
    }

    /// Which hit lies at this place, from 1; `None` when none does.
    pub fn rank(&self, place: u64) -> Option<u64> {
        let mut before = 0;
        for stretch in &self.stretches {
            if place < stretch.end {
                let at = stretch.places.binary_search(&place).ok()?;
                return Some(before + u64::try_from(at).ok()? + 1);
            }
            before += stretch.count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_found_both_ways_numbered_and_forgotten() {
        let mut hits = Hits::default();
        hits.add((100, 200), vec![110, 150], 2);
        hits.add((50, 100), vec![60], 1);
        hits.add((200, 300), vec![250], 1);
        assert_eq!((hits.count(), hits.rank(60), hits.rank(250), hits.rank(111)), (4, Some(1), Some(4), None));
        assert_eq!(
            (hits.at_or_after(61), hits.before(110), hits.before(60)),
            (Step::Hit(110), Step::Hit(60), Step::None)
        );
        assert_eq!(hits.at_or_after(251), Step::None);
        hits.forget(120);
        assert_eq!((hits.count(), hits.rank(150), hits.before(150)), (2, Some(1), Step::None));
    }

    #[test]
    fn beyond_the_cap_hits_are_counted_only() {
        let mut hits = Hits::default();
        let all: Vec<u64> = (0..400_000).collect();
        hits.add((0, 400_000), all.clone(), 400_000);
        hits.add((400_000, 900_000), all.iter().map(|place| place + 400_000).collect(), 400_000);
        assert_eq!((hits.count(), hits.kept, hits.is_capped()), (800_000, 400_000, true));
    }
}
