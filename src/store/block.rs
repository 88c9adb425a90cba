//! A block: up to [`ROWS`] ticks of one sampler, one shared time column, one value column a series.
//! Columns lie one after the other in one buffer, so that reading a series is a walk over neighbours.

use crate::base::Mono;
use core::iter;

/// Ticks in a block: small enough that the last, half-empty one costs little.
pub(super) const ROWS: usize = 64;
/// A quiet NaN that no source sends: "no value at this tick".
const GAP: u64 = 0x7FF8_0000_0000_0002;

#[derive(Debug, Default)]
pub(super) struct Block {
    times: Vec<Mono>,
    values: Vec<f64>,
}

impl Block {
    pub(super) fn new(columns: usize) -> Self {
        let mut block = Self { times: Vec::with_capacity(ROWS), values: Vec::new() };
        block.widen(columns);
        block
    }

    /// What a block of so many columns costs.
    pub(super) const fn cost(columns: usize) -> usize {
        size_of::<Self>() + ROWS * (size_of::<Mono>() + columns * size_of::<f64>())
    }

    pub(super) fn bytes(&self) -> usize {
        Self::cost(self.values.len() / ROWS)
    }

    pub(super) fn is_full(&self) -> bool {
        self.times.len() >= ROWS
    }

    pub(super) fn rows(&self) -> usize {
        self.times.len()
    }

    pub(super) fn end(&self) -> Option<Mono> {
        self.times.last().copied()
    }

    /// Makes room in one go for columns that are about to come.
    pub(super) fn expect(&mut self, columns: usize) {
        let more = (columns * ROWS).saturating_sub(self.values.len());
        self.values.reserve_exact(more);
    }

    /// Adds columns of gaps up to this number; returns by how many bytes the block grew.
    pub(super) fn widen(&mut self, columns: usize) -> usize {
        let before = self.bytes();
        if columns * ROWS > self.values.len() {
            self.values.resize(columns * ROWS, f64::from_bits(GAP));
        }
        self.bytes() - before
    }

    /// A new tick, of gaps so far. The caller has looked that it fits.
    pub(super) fn tick(&mut self, at: Mono) {
        self.times.push(at);
    }

    /// Sets a value at the last tick.
    pub(super) fn set(&mut self, column: usize, value: f64) {
        // A NaN of the source stays a NaN and never looks like a gap.
        let value = if value.is_nan() { f64::NAN } else { value };
        let row = self.times.len().saturating_sub(1);
        if let Some(cell) = self.values.get_mut(column * ROWS + row) {
            *cell = value;
        }
    }

    /// The ticks in `from..=to` with the column's values.
    pub(super) fn points(&self, column: usize, from: Mono, to: Mono) -> impl Iterator<Item = (Mono, Option<f64>)> + '_ {
        let first = self.times.partition_point(|at| *at < from);
        let times = self.times.get(first..).unwrap_or_default().iter().copied().take_while(move |at| *at <= to);
        let cells = self.values.get(column * ROWS + first..).unwrap_or_default();
        times
            .zip(cells.iter().copied().map(Some).chain(iter::repeat(None)))
            .map(|(at, cell)| (at, cell.and_then(present)))
    }
}

fn present(cell: f64) -> Option<f64> {
    (cell.to_bits() != GAP).then_some(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_of_the_source_is_a_value_and_a_missing_one_is_not() {
        let mut block = Block::new(1);
        block.tick(Mono(1));
        block.set(0, f64::from_bits(GAP));
        block.tick(Mono(2));
        let seen: Vec<_> = block.points(0, Mono(0), Mono(9)).map(|(_, value)| value.map(f64::is_nan)).collect();
        assert_eq!(seen, [Some(true), None]);
        let unknown: Vec<_> = block.points(7, Mono(2), Mono(9)).collect();
        assert_eq!(unknown, [(Mono(2), None)]);
    }
}
