//! Several sources as one stream, by time. A line that comes late is put where it belongs as long as what stands there
//! was read a moment ago; later ones stand at the end, so that nothing appears where it was read already.

use crate::base::Wall;
use core::time::Duration;
use std::collections::VecDeque;

/// A line takes its place before others as long as they were read no longer ago.
pub const WINDOW: Duration = Duration::from_secs(2);
/// Between the places of two lines that came in order: others may find room there.
const GAP: u64 = 1 << 24;
/// Before so many others at most.
const PASSED: usize = 5_000;

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged<T> {
    /// A number that grows along the stream and stays the line's own.
    pub place: u64,
    /// Which source, by its number.
    pub source: usize,
    /// When it counts: the line's own time, else that of the line before it in its source, else when it was read.
    pub at: Wall,
    /// When it was read.
    pub seen: Wall,
    /// True when it is older than what stands before it.
    pub late: bool,
    /// The line, or where it is.
    pub line: T,
}

/// What is known of a line that comes.
#[derive(Clone, Copy, Debug)]
pub struct Came {
    /// From which source.
    pub source: usize,
    /// The time that it says.
    pub time: Option<Wall>,
    /// When it was read.
    pub seen: Wall,
    /// A sentence of ours.
    pub marker: bool,
}

/// The stream, bounded: the oldest lines leave.
#[derive(Debug)]
pub struct Merge<T> {
    lines: VecDeque<Merged<T>>,
    most: usize,
    /// The time of each source's last line.
    last: Vec<Option<Wall>>,
    /// Lines that have left.
    pub left: u64,
}

impl<T> Merge<T> {
    /// Of so many sources, with room for so many lines.
    pub fn new(sources: usize, most: usize) -> Self {
        Self { lines: VecDeque::new(), most: most.max(1), last: vec![None; sources], left: 0 }
    }

    /// Adds the next line of a source; gives its place.
    pub fn push(&mut self, came: Came, line: T) -> u64 {
        let Came { source, time, seen, marker } = came;
        if self.last.len() <= source {
            self.last.resize(source + 1, None);
        }
        let known = self.last.get_mut(source);
        // A line of a trace has no time of its own: it stays with its head.
        let own = time.or(known.as_ref().and_then(|known| **known).filter(|_| !marker));
        let at = own.unwrap_or(seen);
        if let Some(known) = known {
            *known = time.or(*known);
        }
        // Behind all of the same time: what came first stands first.
        let later = self.lines.iter().rev().take_while(|other| other.at > at && !other.late).take(PASSED);
        let (mut passed, mut read) = (0, false);
        for other in later {
            passed += 1;
            read |= seen.since(other.seen) > WINDOW;
        }
        let late = read || passed == PASSED;
        let mut index = self.lines.len() - if late { 0 } else { passed };
        let mut place = self.between(index);
        if place.is_none() {
            index = self.lines.len();
            place = self.between(index);
        }
        let place = place.unwrap_or(u64::MAX);
        self.lines.insert(index, Merged { place, source, at, seen, late, line });
        if self.lines.len() > self.most {
            self.lines.pop_front();
            self.left += 1;
        }
        place
    }

    /// A place before the line of this index and behind the one before it; `None` when they lie too close.
    fn between(&self, index: usize) -> Option<u64> {
        let after = self.lines.get(index).map(|line| line.place);
        let before = index.checked_sub(1).and_then(|index| self.lines.get(index)).map(|line| line.place);
        match (before, after) {
            (None, None) => Some(u64::MAX / 4),
            (Some(before), None) => Some(before + GAP),
            (None, Some(after)) => Some(after - GAP),
            (Some(before), Some(after)) => Some(before + (after - before) / 2).filter(|place| *place > before),
        }
    }

    /// Keeps what this says yes to.
    pub fn retain(&mut self, keep: impl FnMut(&Merged<T>) -> bool) {
        let before = self.lines.len();
        self.lines.retain(keep);
        self.left += u64::try_from(before - self.lines.len()).unwrap_or(0);
    }

    /// Lines held.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// A line by its index, oldest first.
    pub fn get(&self, index: usize) -> Option<&Merged<T>> {
        self.lines.get(index)
    }

    /// How many lines lie before a place.
    pub fn before(&self, place: u64) -> usize {
        self.lines.partition_point(|line| line.place < place)
    }

    /// The stream, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Merged<T>> + ExactSizeIterator {
        self.lines.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> Wall {
        Wall(millis * 1_000_000)
    }

    fn push(merge: &mut Merge<String>, source: usize, time: Option<i64>, text: &str) -> u64 {
        push_at(merge, 1_000_000, source, time, text)
    }

    fn push_at(merge: &mut Merge<String>, seen: i64, source: usize, time: Option<i64>, text: &str) -> u64 {
        let came = Came { source, time: time.map(at), seen: at(seen), marker: false };
        merge.push(came, text.to_owned())
    }

    fn shown(merge: &Merge<String>) -> Vec<String> {
        merge.lines().map(|line| format!("{}{}{}", line.source, if line.late { "!" } else { ":" }, line.line)).collect()
    }

    #[test]
    fn sources_meet_by_time_and_equal_times_keep_their_order() {
        let mut merge = Merge::new(2, 100);
        push(&mut merge, 0, Some(1_000), "a");
        push(&mut merge, 0, None, " under a");
        push(&mut merge, 0, Some(3_000), "c");
        let place = push(&mut merge, 1, Some(2_000), "b");
        push(&mut merge, 1, Some(3_000), "c2");
        push(&mut merge, 0, Some(9_000), "d");
        push_at(&mut merge, 1_002_001, 1, Some(6_000), "late");
        assert_eq!(shown(&merge), ["0:a", "0: under a", "1:b", "0:c", "1:c2", "0:d", "1!late"]);
        assert_eq!((merge.before(place), merge.get(2).map(|line| line.place)), (2, Some(place)));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_what_is_not_late_is_in_order(times in prop::collection::vec((0_usize..3, 0_i64..10_000), 0..80)) {
            let mut merge = Merge::new(3, 50);
            for (source, time) in &times {
                push(&mut merge, *source, Some(*time), "x");
            }
            prop_assert_eq!(merge.len() + usize::try_from(merge.left).unwrap(), times.len());
            let kept: Vec<Wall> = merge.lines().filter(|line| !line.late).map(|line| line.at).collect();
            prop_assert!(merge.left > 0 || kept.is_sorted() || merge.lines().any(|line| line.late));
            let places: Vec<u64> = merge.lines().map(|line| line.place).collect();
            prop_assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}
