//! A series as an expression sees it: its newest value unless it is gone, its points, the ends of a window.
//! Windows are half-open, `from <= t < to`, and cost the same however long they are.

use super::block::Block;
use super::catalog::{Series, SeriesId};
use super::feed::Feed;
use super::series::Store;
use crate::base::{Freshness, Mono};
use core::time::Duration;

/// What a counter function needs of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edges {
    /// Oldest point of the window.
    pub first: (Mono, f64),
    /// Newest point of the window.
    pub last: (Mono, f64),
    /// How many points lie in it.
    pub count: usize,
    /// Sum of the values from which the series fell; `None` when that is not listed so far back.
    pub dropped: Option<f64>,
}

impl Store {
    /// The newest point of `from <= t < to`; `None` when the sampler has said since that the series is gone.
    pub fn latest(&self, id: SeriesId, from: Mono, to: Mono) -> Option<(Mono, f64)> {
        let (series, feed) = self.found(id)?;
        let from = from.max(self.oldest(feed));
        match feed.last_before(series, to) {
            Some((block, row, at, value)) => (at >= from && !feed.gone(block, row, to)).then_some((at, value)),
            None => zero(series, from, to),
        }
    }

    /// Hands out the points of `from <= t < to`, oldest first.
    pub fn scan(&self, id: SeriesId, from: Mono, to: Mono, mut out: impl FnMut(Mono, f64)) {
        let Some((series, feed)) = self.found(id) else { return };
        let from = from.max(self.oldest(feed));
        if let Some((at, value)) = zero(series, from, to) {
            out(at, value);
        }
        let from = from.max(series.born);
        let first = feed.block_at(from);
        for block in feed.blocks.iter().skip(first).take_while(|block| block.start().is_some_and(|start| start < to)) {
            for (at, value) in block.points(series.column, from, to) {
                if let Some(value) = value {
                    out(at, value);
                }
            }
        }
    }

    /// The ends of `from <= t < to`, by binary searches.
    pub fn edges(&self, id: SeriesId, from: Mono, to: Mono) -> Option<Edges> {
        let (series, feed) = self.found(id)?;
        let from = from.max(self.oldest(feed));
        let zero = zero(series, from, to);
        let begin = feed.count(series.column, from.max(series.born));
        let count = feed.count(series.column, to).wrapping_sub(begin);
        if count == 0 || to <= series.born || to <= from {
            return zero.map(|zero| Edges { first: zero, last: zero, count: 1, dropped: Some(0.0) });
        }
        let point = |n| feed.nth(series.column, n).map(|(_, _, at, value)| (at, value));
        let (oldest, last) = (point(begin)?, point(begin.wrapping_add(count - 1))?);
        let first = zero.unwrap_or(oldest);
        let count = usize::try_from(count).unwrap_or(0) + usize::from(zero.is_some());
        // From the zero to the first value it did not fall.
        Some(Edges { first, last, count, dropped: series.drops.sum(oldest.0, last.0) })
    }

    /// How long the last value of a series is believed (expressions.md 4): three sampling intervals and a second, at
    /// least five; three intervals of a rule that records.
    pub fn lookback(&self, id: SeriesId) -> Duration {
        let Some((_, feed)) = self.found(id) else { return Duration::ZERO };
        let every = feed.health.interval;
        if feed.recorded { every * 3 } else { Freshness::lookback(every) }
    }

    /// The series says whether its sampler answers. Its zero is the last word until the next attempt, which may be as
    /// far away as [`CAP`](crate::base::backoff::CAP).
    pub fn is_up(&self, id: SeriesId) -> bool {
        self.found(id).is_some_and(|(series, feed)| feed.up == Some(series.column))
    }

    /// When recording of this series' sampler began, as far as it is still held.
    pub fn recorded_since(&self, id: SeriesId) -> Option<Mono> {
        let (series, feed) = self.found(id)?;
        self.held_since(feed, feed.up == Some(series.column))
    }

    /// The first moment that a feed holds; of `attempts`, or of good ones only.
    pub(super) fn held_since(&self, feed: &Feed, attempts: bool) -> Option<Mono> {
        let start = feed.blocks.front().and_then(Block::start)?;
        let held = start.max(self.oldest(feed));
        if attempts { Some(held) } else { Some(held.max(feed.good_since?)) }
    }
}

impl Feed {
    /// The place of the first block that reaches `at`; their number when none does.
    fn block_at(&self, at: Mono) -> usize {
        self.blocks.partition_point(|block| block.end().is_none_or(|end| end < at))
    }

    /// How many values the column had before `at`, since it is there.
    fn count(&self, column: usize, at: Mono) -> u32 {
        match self.blocks.get(self.block_at(at)) {
            Some(block) => block.count_before(column, block.row(at)),
            None => self.blocks.back().map_or(0, |block| block.count_through(column)),
        }
    }

    /// The value that had so many before it in its column: block, row, time, value.
    fn nth(&self, column: usize, n: u32) -> Option<(usize, usize, Mono, f64)> {
        let at = self.blocks.partition_point(|block| block.count_through(column) <= n);
        let (row, time, value) = self.blocks.get(at)?.nth(column, n)?;
        Some((at, row, time, value))
    }

    /// The newest value of a series before `to`.
    fn last_before(&self, series: &Series, to: Mono) -> Option<(usize, usize, Mono, f64)> {
        let count = self.count(series.column, to);
        let none = count <= self.count(series.column, series.born) || to <= series.born;
        if none { None } else { self.nth(series.column, count - 1) }
    }

    /// Whether the sampler has answered after this row and before `to`: without the series, or it would be newer.
    fn gone(&self, block: usize, row: usize, to: Mono) -> bool {
        let mut blocks = self.blocks.iter().skip(block);
        blocks.next().is_some_and(|block| block.any_answer(row + 1, block.row(to)))
            || blocks
                .take_while(|block| block.start().is_some_and(|start| start < to))
                .any(|block| block.any_answer(0, block.row(to)))
    }
}

/// The zero of a counter before its birth.
fn zero(series: &Series, from: Mono, to: Mono) -> Option<(Mono, f64)> {
    series.zero.filter(|at| from <= *at && *at < to).map(|at| (at, 0.0))
}
