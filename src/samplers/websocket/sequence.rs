//! Counts what a stream of numbered messages lost, doubled or mixed up. Pure.

/// So many numbers in a row that are behind mean that the source began anew.
const ANEW: u32 = 10;

/// The numbers so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// The highest number since the connection began.
    last: Option<u64>,
    /// How many in a row were lower.
    behind: u32,
    /// Jumps ahead, and the numbers that they left out.
    pub(crate) gaps: u64,
    pub(crate) missing: u64,
    /// The same number again.
    pub(crate) duplicates: u64,
    /// Lower numbers.
    pub(crate) out_of_order: u64,
    /// Messages with a number.
    pub(crate) numbered: u64,
}

impl Sequence {
    /// The next message has this number.
    pub(crate) fn saw(&mut self, number: u64) {
        self.numbered = self.numbered.saturating_add(1);
        let Some(last) = self.last else {
            self.last = Some(number);
            return;
        };
        if number < last {
            self.out_of_order = self.out_of_order.saturating_add(1);
            self.behind += 1;
            if self.behind < ANEW {
                return;
            }
        } else if number == last {
            self.duplicates = self.duplicates.saturating_add(1);
        } else if number - last > 1 {
            self.gaps = self.gaps.saturating_add(1);
            self.missing = self.missing.saturating_add(number - last - 1);
        }
        self.behind = 0;
        self.last = Some(number);
    }

    /// The numbering begins anew, or a part of it was not read: the next number is where it goes on.
    pub(crate) fn restart(&mut self) {
        self.last = None;
        self.behind = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(numbers: &[u64]) -> [u64; 5] {
        let mut sequence = Sequence::default();
        for number in numbers {
            sequence.saw(*number);
        }
        [sequence.gaps, sequence.missing, sequence.duplicates, sequence.out_of_order, sequence.numbered]
    }

    #[test]
    fn gaps_doubles_and_late_ones_are_counted_apart() {
        assert_eq!(counts(&[7, 8, 9]), [0, 0, 0, 0, 3]);
        assert_eq!(counts(&[1, 4, 5, 9]), [2, 5, 0, 0, 4]);
        assert_eq!(counts(&[1, 2, 2, 2, 3]), [0, 0, 2, 0, 5]);
        assert_eq!(counts(&[1, 2, 5, 3, 4, 6]), [1, 2, 0, 2, 6]);
        assert_eq!(counts(&[0, u64::MAX, 0]), [1, u64::MAX - 1, 0, 1, 3]);
    }

    #[test]
    fn a_source_that_begins_anew_is_followed() {
        let again: Vec<u64> = (1000..1003).chain(0..20).collect();
        assert_eq!(counts(&again), [0, 0, 0, 10, 23]);
        let mut sequence = Sequence::default();
        sequence.saw(9);
        sequence.restart();
        sequence.saw(1);
        assert_eq!((sequence.out_of_order, sequence.gaps), (0, 0));
    }
}
