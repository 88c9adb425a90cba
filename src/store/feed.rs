//! What one sampler has given: its health, and its blocks of ticks.

use super::block::Block;
use super::catalog::SeriesId;
use super::selector::Selector;
use crate::base::{Clean, Failure, Mono, Now, Observation, Reading, SeriesKey, Unknown};
use crate::clean;
use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How a sampler is doing.
#[derive(Clone, Debug, Default)]
pub struct SamplerHealth {
    /// How often it means to ask.
    pub interval: Duration,
    /// True when its values come from a stand-in: SIMULATED wherever they show.
    pub simulated: bool,
    /// When the last attempt ended.
    pub last_attempt: Option<Now>,
    /// When the last good attempt ended.
    pub last_good: Option<Now>,
    /// Why the last attempt failed; `None` when it was good.
    pub failure: Option<Failure>,
    /// When it will ask again.
    pub next_attempt: Option<Mono>,
    /// How many series of the last good attempt were not kept, because a cap is reached.
    pub dropped_series: u64,
    /// Named facts of the last good attempt.
    pub facts: Vec<(Clean, Clean)>,
    /// How long the last attempt took.
    pub took: Duration,
}

impl SamplerHealth {
    /// How far its next attempt is away: longer than its interval while it does not answer.
    pub fn promised(&self) -> Duration {
        let pause = self.next_attempt.zip(self.last_attempt).map(|(next, last)| next.since(last.mono));
        pause.unwrap_or_default().max(self.interval)
    }
}

/// What a sampler says that it cannot give.
#[derive(Debug, Default)]
pub(super) struct Lacks {
    pub(super) not_supported: Vec<(Clean, Clean)>,
    /// This login may not look at these.
    pub(super) refused: Vec<(Clean, Clean)>,
    /// When it said so.
    since: Mono,
}

impl Lacks {
    /// What an attempt could not give.
    pub(super) fn of(seen: &Observation, at: Mono) -> Self {
        Self { not_supported: seen.not_supported.clone(), refused: seen.refused.clone(), since: at }
    }

    /// Why there is no series of the metric that was seen last then, if it says so: others of its name may be given beside
    /// those that are not. What may not be looked at is unknown, whatever else is lacking.
    pub(super) fn reading(&self, metric: &str, seen: Mono) -> Option<Reading> {
        if seen >= self.since {
            return None;
        }
        let of = |(name, _): &&(Clean, Clean)| name.as_str() == metric;
        let refused = self.refused.iter().find(of).map(|(_, why)| refusal(why));
        refused.or_else(|| self.not_supported.iter().find(of).map(|_| Reading::NotSupported))
    }
}

/// What is known of a metric that this login may not look at: nothing, for this reason.
pub(super) fn refusal(why: &Clean) -> Reading {
    Reading::Unknown(Unknown::NotPermitted(clean!("{why}.")))
}

#[derive(Debug, Default)]
pub(super) struct Feed {
    pub(super) name: Arc<str>,
    /// No sampler, but what a rule records.
    pub(super) recorded: bool,
    pub(super) health: SamplerHealth,
    /// The first good attempt.
    pub(super) good_since: Option<Mono>,
    /// Oldest first; the last one is being written.
    pub(super) blocks: VecDeque<Block>,
    /// Which series a column belongs to.
    pub(super) columns: Vec<Option<SeriesId>>,
    pub(super) free: Vec<usize>,
    pub(super) index: HashMap<SeriesKey, usize>,
    /// The column of the series that says whether the sampler answers.
    pub(super) up: Option<usize>,
    /// The columns that the last failed attempt gave values for, in order.
    pub(super) told_failing: Vec<usize>,
    /// Ticks had to leave before their age, for lack of room.
    pub(super) evicted: bool,
    pub(super) lacks: Lacks,
    /// A label that each series of its own has with this value, besides `job`.
    pub(super) label: Option<(&'static str, Clean)>,
    /// Names, and beginnings of names that end in `_`, of what it can give; empty when nobody knows.
    pub(super) gives: Vec<String>,
}

impl Feed {
    /// Whether this sampler is known to give the metric.
    pub(super) fn gives(&self, metric: &str) -> bool {
        self.gives.iter().any(|name| metric == name || name.ends_with('_') && metric.starts_with(name))
    }

    /// Whether the labels of its own are no others than the selector asks for.
    pub(super) fn may_be_meant(&self, selector: &Selector) -> bool {
        self.label.as_ref().is_none_or(|(label, value)| selector.may_have(label, value.as_str()))
    }

    /// Whether it says that it gives the metric: by name, or by the beginning of one as long as it has not answered.
    pub(super) fn is_to_give(&self, metric: &str) -> bool {
        self.gives.iter().any(|name| metric == name) || self.good_since.is_none() && self.gives(metric)
    }

    /// Nobody knows what it gives, and it has not answered.
    pub(super) fn may_give(&self) -> bool {
        self.gives.is_empty() && self.good_since.is_none()
    }

    /// Whether this series comes with a failed attempt too.
    pub(super) fn tells_failing(&self, column: usize) -> bool {
        self.up == Some(column) || self.told_failing.binary_search(&column).is_ok()
    }

    /// Series that count for the cap.
    pub(super) fn series(&self) -> usize {
        self.index.len() - usize::from(self.up.is_some())
    }

    pub(super) fn last_tick(&self) -> Option<Mono> {
        self.blocks.back().and_then(Block::end)
    }

    /// The end of the oldest block, unless it is the only one (with `full_too`: and still being written).
    pub(super) fn oldest_end(&self, full_too: bool) -> Option<Mono> {
        self.blocks.front().filter(|block| self.blocks.len() > 1 || full_too && block.is_full()).and_then(Block::end)
    }

    /// The column for a series that may be new: a freed one, or one more.
    pub(super) fn new_column(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.columns.push(None);
            self.columns.len() - 1
        })
    }

    /// Frees a column. What it holds is older than any point that is still handed out.
    pub(super) fn forget(&mut self, key: &SeriesKey, column: usize) {
        self.index.remove(key);
        if self.up == Some(column) {
            self.up = None;
        }
        self.told_failing.retain(|told| *told != column);
        if let Some(place) = self.columns.get_mut(column) {
            *place = None;
            self.free.push(column);
        }
    }

    /// Drops the last columns while they belong to no series: the next blocks do not hold room for them.
    pub(super) fn narrow(&mut self) {
        let kept = self.columns.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        if kept < self.columns.len() {
            self.columns.truncate(kept);
            self.free.retain(|column| *column < kept);
        }
    }

    /// Makes room for so many columns in the block that is being written; returns by how many bytes it grew.
    pub(super) fn widen(&mut self, columns: usize) -> usize {
        let Some(mut block) = self.blocks.pop_back() else { return 0 };
        // A column may have been dropped for some blocks.
        let last = |column: usize| self.blocks.iter().rev().find(|block| block.columns() > column);
        let grown = block.widen(columns, |column| last(column).map_or(0, |block| block.count_through(column)));
        self.blocks.push_back(block);
        grown
    }
}
