//! Values of vectors: rows of one key each, columns of one step each.

use super::super::source::Millis;
use crate::base::SeriesKey;
use std::sync::{Arc, OnceLock};

/// Where a row has no value. It is the bit pattern of Prometheus' stale marker, which no arithmetic gives.
pub(super) const ABSENT: f64 = f64::from_bits(0x7FF0_0000_0000_0002);

/// Whether a cell has a value.
pub(super) const fn is_present(value: f64) -> bool {
    value.to_bits() != ABSENT.to_bits()
}

/// The times of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Grid {
    pub(super) start: Millis,
    /// At least 1.
    pub(super) step: Millis,
    /// At least 1.
    pub(super) count: usize,
}

impl Grid {
    pub(super) const fn at(start: Millis) -> Self {
        Self { start, step: 1, count: 1 }
    }

    pub(super) fn time(self, column: usize) -> Millis {
        self.start.saturating_add(self.step.saturating_mul(Millis::try_from(column).unwrap_or(Millis::MAX)))
    }

    pub(super) fn last(self) -> Millis {
        self.time(self.count.saturating_sub(1))
    }

    pub(super) fn times(self) -> impl Iterator<Item = Millis> {
        (0..self.count).map(move |column| self.time(column))
    }
}

/// The names and labels of a frame's rows, shared by all frames with these rows.
#[derive(Debug)]
pub(super) struct Keys {
    /// Equal only for the same list: what was worked out for it may be kept.
    pub(super) id: u64,
    pub(super) rows: Vec<SeriesKey>,
    /// Whose names are dropped at the end; empty when none are.
    pub(super) nameless: Vec<bool>,
    /// Whether all rows differ even without their names.
    pub(super) distinct: OnceLock<bool>,
}

/// An instant vector at every step.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) keys: Arc<Keys>,
    /// All names are dropped at the end.
    pub(super) nameless: bool,
    pub(super) width: usize,
    /// Row by row; [`ABSENT`] where there is no value.
    pub(super) values: Vec<f64>,
}

impl Frame {
    /// The cells of each row, in the order of the keys.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width.max(1))
    }

    pub(super) fn row(&self, row: usize) -> &[f64] {
        let start = row.saturating_mul(self.width);
        self.values.get(start..start.saturating_add(self.width)).unwrap_or_default()
    }

    pub(super) fn cell(&self, row: usize, column: usize) -> f64 {
        self.values.get(row.saturating_mul(self.width).saturating_add(column)).copied().unwrap_or(ABSENT)
    }

    /// Whether the name of this row is dropped at the end.
    pub(super) fn drops_name(&self, row: usize) -> bool {
        self.nameless || self.keys.nameless.get(row).copied().unwrap_or(false)
    }

    /// The same rows with values computed one by one.
    pub(super) fn map(mut self, compute: impl Fn(f64) -> f64) -> Self {
        for value in self.values.iter_mut().filter(|value| is_present(**value)) {
            *value = compute(*value);
        }
        self
    }

    /// The same rows, their names to be dropped at the end.
    pub(super) const fn without_names(mut self) -> Self {
        self.nameless = true;
        self
    }
}

/// The value of a node.
#[derive(Clone, Debug)]
pub(super) enum Computed {
    /// A number for each step.
    Scalar(Vec<f64>),
    /// A text.
    Text(Arc<str>),
    /// An instant vector.
    Vector(Frame),
}

impl Computed {
    /// The numbers of each step; none for another type, which the parser has ruled out.
    pub(super) fn numbers(self) -> Vec<f64> {
        match self {
            Self::Scalar(numbers) => numbers,
            Self::Text(_) | Self::Vector(_) => Vec::new(),
        }
    }

    /// The value of one step, for each of `width` steps.
    pub(super) fn broadcast(self, width: usize) -> Self {
        let repeat = |values: &[f64]| values.iter().flat_map(|value| core::iter::repeat_n(*value, width)).collect();
        match self {
            Self::Scalar(numbers) => Self::Scalar(repeat(&numbers)),
            Self::Text(text) => Self::Text(text),
            Self::Vector(frame) => Self::Vector(Frame { width, values: repeat(&frame.values), ..frame }),
        }
    }
}
