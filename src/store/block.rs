//! A block: up to [`ROWS`] ticks of one sampler, one shared time column, one value column a series.
//! Beside the values stands which of them are there, and how many came before: so any window is two searches.

use crate::base::Mono;

/// Ticks in a block: as many as a word has bits, and few enough that the last, half-empty block costs little.
pub(super) const ROWS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Block {
    times: Vec<Mono>,
    /// Rows in which the sampler answered: there a missing value is a series that is gone, elsewhere only a gap.
    good: u64,
    /// Column after column.
    values: Vec<f64>,
    marks: Vec<Marks>,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    /// Rows that have a value.
    here: u64,
    /// How many values the column had in earlier blocks.
    before: u32,
}

/// The lowest `rows` bits.
const fn low(rows: usize) -> u64 {
    if rows >= ROWS { u64::MAX } else { (1 << rows) - 1 }
}

/// Which bit is the `n`-th that is set, from 0.
fn nth_set(mut bits: u64, n: u32) -> Option<usize> {
    if bits & low(n as usize + 1) == low(n as usize + 1) {
        // No gap up to there: nearly always.
        return Some(n as usize);
    }
    for _ in 0..n {
        bits &= bits.wrapping_sub(1);
    }
    (bits != 0).then(|| bits.trailing_zeros() as usize)
}

impl Block {
    /// A block that goes on after `last` with so many columns.
    pub(super) fn after(last: Option<&Self>, columns: usize) -> Self {
        let mut block = Self { times: Vec::with_capacity(ROWS), ..Self::default() };
        block.widen(columns, |column| last.map_or(0, |last| last.count_through(column)));
        block
    }

    /// What a block of so many columns costs.
    pub(super) const fn cost(columns: usize) -> usize {
        size_of::<Self>() + ROWS * size_of::<Mono>() + columns * (ROWS * size_of::<f64>() + size_of::<Marks>())
    }

    pub(super) fn bytes(&self) -> usize {
        Self::cost(self.marks.len())
    }

    pub(super) fn is_full(&self) -> bool {
        self.times.len() >= ROWS
    }

    pub(super) fn rows(&self) -> usize {
        self.times.len()
    }

    pub(super) fn start(&self) -> Option<Mono> {
        self.times.first().copied()
    }

    pub(super) fn end(&self) -> Option<Mono> {
        self.times.last().copied()
    }

    /// Makes room in one go for columns that are about to come.
    pub(super) fn expect(&mut self, columns: usize) {
        self.values.reserve_exact((columns * ROWS).saturating_sub(self.values.len()));
        self.marks.reserve_exact(columns.saturating_sub(self.marks.len()));
    }

    pub(super) fn columns(&self) -> usize {
        self.marks.len()
    }

    /// Adds empty columns up to this number, each with how many values it had in earlier blocks; returns by how many
    /// bytes the block grew.
    pub(super) fn widen(&mut self, columns: usize, before: impl Fn(usize) -> u32) -> usize {
        let (bytes, known) = (self.bytes(), self.marks.len());
        self.expect(columns);
        self.marks.extend((known..columns).map(|column| Marks { here: 0, before: before(column) }));
        self.values.resize(self.marks.len() * ROWS, 0.0);
        self.bytes() - bytes
    }

    /// A new tick without values. The caller has looked that it fits.
    pub(super) fn tick(&mut self, at: Mono) {
        self.times.push(at);
    }

    /// The sampler answered at the last tick.
    pub(super) fn answered(&mut self) {
        self.good |= 1 << self.times.len().saturating_sub(1).min(ROWS - 1);
    }

    /// Sets a value at the last tick.
    pub(super) fn set(&mut self, column: usize, value: f64) {
        let row = self.times.len().saturating_sub(1);
        if let (Some(cell), Some(marks)) = (self.values.get_mut(column * ROWS + row), self.marks.get_mut(column)) {
            *cell = value;
            marks.here |= 1 << row;
        }
    }

    /// The first row at or after `at`; [`Block::rows`] when there is none.
    pub(super) fn row(&self, at: Mono) -> usize {
        self.times.partition_point(|time| *time < at)
    }

    /// Values of the column in all blocks up to this one, without this row and what follows it.
    pub(super) fn count_before(&self, column: usize, row: usize) -> u32 {
        let marks = self.marks(column);
        marks.before.wrapping_add((marks.here & low(row)).count_ones())
    }

    /// Values of the column in all blocks up to this one.
    pub(super) fn count_through(&self, column: usize) -> u32 {
        self.count_before(column, ROWS)
    }

    /// The value that has so many before it in the column, and its row.
    pub(super) fn nth(&self, column: usize, n: u32) -> Option<(usize, Mono, f64)> {
        let marks = self.marks(column);
        let row = nth_set(marks.here, n.checked_sub(marks.before)?)?;
        Some((row, *self.times.get(row)?, *self.values.get(column * ROWS + row)?))
    }

    /// Whether the sampler answered in a row of `first..end`.
    pub(super) fn any_answer(&self, first: usize, end: usize) -> bool {
        self.good & low(end) & !low(first) != 0
    }

    /// The ticks in `from..to` with the column's values.
    pub(super) fn points(&self, column: usize, from: Mono, to: Mono) -> impl Iterator<Item = (Mono, Option<f64>)> + '_ {
        let first = self.row(from);
        let here = self.marks(column).here;
        let times = self.times.get(first..).unwrap_or_default().iter().copied().take_while(move |at| *at < to);
        let cells = self.values.get(column * ROWS..).unwrap_or_default();
        times.enumerate().map(move |(nth, at)| {
            let row = first + nth;
            (at, if here >> row & 1 == 1 { cells.get(row).copied() } else { None })
        })
    }

    fn marks(&self, column: usize) -> Marks {
        self.marks.get(column).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_of_the_source_is_a_value_and_a_missing_one_is_not() {
        let mut block = Block::after(None, 1);
        block.tick(Mono(1));
        block.set(0, f64::NAN);
        block.tick(Mono(2));
        let seen: Vec<_> = block.points(0, Mono(0), Mono(9)).map(|(_, value)| value.map(f64::is_nan)).collect();
        assert_eq!(seen, [Some(true), None]);
        let unknown: Vec<_> = block.points(7, Mono(2), Mono(9)).collect();
        assert_eq!(unknown, [(Mono(2), None)]);
    }

    #[test]
    fn the_nth_value_is_found_across_gaps_and_blocks() {
        let mut first = Block::after(None, 2);
        for row in 0..64 {
            first.tick(Mono(row));
            if row % 3 == 0 {
                first.set(1, 0.5);
            }
        }
        assert!(first.is_full());
        assert_eq!((first.count_through(1), first.count_through(0)), (22, 0));
        assert_eq!(first.nth(1, 21), Some((63, Mono(63), 0.5)));
        let mut next = Block::after(Some(&first), 3);
        assert_eq!((next.nth(1, 21), next.nth(1, 22)), (None, None));
        next.tick(Mono(70));
        next.tick(Mono(71));
        next.set(1, 7.0);
        assert_eq!(next.nth(1, 22), Some((1, Mono(71), 7.0)));
        assert_eq!((next.count_before(1, 1), next.count_before(1, 2)), (22, 23));
        assert_eq!(
            (nth_set(0b1011_0000, 2), nth_set(0b1011_0000, 3), nth_set(u64::MAX, 63)),
            (Some(7), None, Some(63))
        );
    }
}
