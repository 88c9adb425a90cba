//! Several sources as one stream, by time. A line that comes late is put where it belongs as long as that is within
//! a short window; later ones stand at the end with a mark, so that nothing appears where it was read already.

use crate::base::{LogLine, Now, Wall};
use core::time::Duration;
use std::collections::VecDeque;

/// How late a line may be and still take its place.
pub const WINDOW: Duration = Duration::from_secs(2);

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Which source, by its number.
    pub source: usize,
    /// When it was read.
    pub seen: Now,
    /// When it counts: the line's own time, else that of the line before it in its source, else when it was read.
    pub at: Wall,
    /// True when it is older than what stands before it.
    pub late: bool,
    /// The line.
    pub line: LogLine,
}

/// The stream, bounded: the oldest lines leave.
#[derive(Debug)]
pub struct Merge {
    lines: VecDeque<Merged>,
    most: usize,
    /// The time of each source's last line.
    last: Vec<Option<Wall>>,
    newest: Wall,
    /// Lines that have left.
    pub left: u64,
}

impl Merge {
    /// Of so many sources, with room for so many lines.
    pub fn new(sources: usize, most: usize) -> Self {
        Self { lines: VecDeque::new(), most: most.max(1), last: vec![None; sources], newest: Wall(i64::MIN), left: 0 }
    }

    /// Adds the next line of a source.
    pub fn push(&mut self, source: usize, seen: Now, line: LogLine) {
        if self.last.len() <= source {
            self.last.resize(source + 1, None);
        }
        let known = self.last.get_mut(source);
        // A line of a trace has no time of its own: it stays with its head.
        let own = line.time.or(known.as_ref().and_then(|known| **known).filter(|_| !line.marker));
        let at = own.unwrap_or(seen.wall);
        if let Some(known) = known {
            *known = line.time.or(*known);
        }
        let late = self.newest.0 != i64::MIN && self.newest.since(at) > WINDOW;
        let place = if late {
            self.lines.len()
        } else {
            // Behind all of the same time: what came first stands first.
            let later = self.lines.iter().rev().take_while(|other| other.at > at && !other.late).count();
            self.lines.len() - later
        };
        self.newest = self.newest.max(at);
        self.lines.insert(place, Merged { source, seen, at, late, line });
        if self.lines.len() > self.most {
            self.lines.pop_front();
            self.left += 1;
        }
    }

    /// The stream, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Merged> + ExactSizeIterator {
        self.lines.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clean, Mono};
    use proptest::prelude::*;

    fn at(millis: i64) -> Wall {
        Wall(millis * 1_000_000)
    }

    fn push(merge: &mut Merge, source: usize, time: Option<i64>, text: &str) {
        let line = LogLine { time: time.map(at), level: None, message: Clean::text(text), marker: false };
        merge.push(source, Now { mono: Mono(0), wall: at(1_000_000) }, line);
    }

    fn shown(merge: &Merge) -> Vec<String> {
        merge
            .lines()
            .map(|line| format!("{}{}{}", line.source, if line.late { "!" } else { ":" }, line.line.message))
            .collect()
    }

    #[test]
    fn sources_meet_by_time_and_equal_times_keep_their_order() {
        let mut merge = Merge::new(2, 100);
        push(&mut merge, 0, Some(1_000), "a");
        push(&mut merge, 0, None, " under a");
        push(&mut merge, 0, Some(3_000), "c");
        push(&mut merge, 1, Some(2_000), "b");
        push(&mut merge, 1, Some(3_000), "c2");
        push(&mut merge, 0, Some(9_000), "d");
        push(&mut merge, 1, Some(6_000), "late");
        assert_eq!(shown(&merge), ["0:a", "0: under a", "1:b", "0:c", "1:c2", "0:d", "1!late"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_what_is_not_late_is_in_order(times in prop::collection::vec((0_usize..3, 0_i64..10_000), 0..80)) {
            let mut merge = Merge::new(3, 50);
            for (source, time) in &times {
                push(&mut merge, *source, Some(*time), "x");
            }
            prop_assert_eq!(merge.lines().len() + usize::try_from(merge.left).unwrap(), times.len());
            let kept: Vec<Wall> = merge.lines().filter(|line| !line.late).map(|line| line.at).collect();
            prop_assert!(merge.left > 0 || kept.is_sorted() || merge.lines().any(|line| line.late));
        }
    }
}
