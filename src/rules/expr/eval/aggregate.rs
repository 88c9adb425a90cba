//! Aggregations that give one row for each group: `sum`, `avg`, `max` and the like.

use super::super::plan::{Aggregate, AggregateOp, Node};
use super::frame::{ABSENT, Frame, Grid, is_present};
use super::labels;
use super::memory::Groups;
use super::run::Run;
use super::sum::{Mean, Sum};
use crate::base::{Clean, Fault, SeriesKey};
use std::collections::HashMap;

/// One group at one step.
#[derive(Clone, Copy, Debug)]
enum State {
    Nothing,
    Sum(Sum),
    Mean(Mean),
    Number(f64),
    /// Count, mean and the sum of squared differences (Welford).
    Spread(f64, f64, f64),
}

impl Run<'_> {
    /// An aggregation at every step.
    pub(super) fn aggregate(&mut self, node: &Node, aggregate: &Aggregate, grid: Grid) -> Result<Frame, Fault> {
        match aggregate.op {
            AggregateOp::CountValues => return self.count_values(aggregate, grid),
            AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio => {
                return self.top(node, aggregate, grid);
            }
            AggregateOp::Quantile => return self.quantile(node, aggregate, grid),
            _ => {}
        }
        let frame = self.vector(Some(&aggregate.of), grid)?;
        let groups = self.groups(node, aggregate, &frame)?;
        let cells = self.budget.frame(groups.keys.rows.len(), grid.count)?;
        let mut states = vec![State::Nothing; cells];
        for (row, group) in frame.rows().zip(groups.group.iter()) {
            let start = usize::try_from(*group).unwrap_or(usize::MAX).saturating_mul(grid.count);
            let into = states.get_mut(start..).unwrap_or_default();
            for (state, value) in into.iter_mut().zip(row).filter(|(_, value)| is_present(**value)) {
                state.add(aggregate.op, *value);
            }
        }
        let values = states.into_iter().map(|state| state.value(aggregate.op)).collect();
        Ok(Frame { nameless: frame.nameless, keys: groups.keys, width: grid.count, values })
    }

    /// Which group each row is of.
    pub(super) fn groups(&mut self, node: &Node, aggregate: &Aggregate, frame: &Frame) -> Result<Groups, Fault> {
        if let Some(known) = self.memory.groups(node.digest(), &frame.keys) {
            return Ok(known);
        }
        self.budget.labels(frame.keys.rows.len())?;
        let mut places: HashMap<SeriesKey, usize> = HashMap::new();
        let mut rows = Vec::new();
        let mut nameless = Vec::new();
        let mut group = Vec::with_capacity(frame.keys.rows.len());
        for (row, key) in frame.keys.rows.iter().enumerate() {
            let next = rows.len();
            let place = *places.entry(grouped(key, aggregate.without, &aggregate.labels)).or_insert_with_key(|key| {
                rows.push(key.clone());
                nameless.push(false);
                next
            });
            // The frame's own flag goes on with the answer, not with these keys: they are kept for other frames too.
            if let Some(flag) = nameless.get_mut(place) {
                *flag |= frame.keys.nameless.get(row).copied().unwrap_or(false);
            }
            group.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
        let keys = self.memory.keys(rows, nameless);
        Ok(self.memory.keep_groups(node.digest(), &frame.keys, group, keys))
    }
}

/// The labels of the group that a row is of.
pub(super) fn grouped(key: &SeriesKey, without: bool, names: &[Clean]) -> SeriesKey {
    if without { labels::nameless(labels::remove(key, names)) } else { labels::keep(key, names) }
}

impl State {
    fn add(&mut self, op: AggregateOp, value: f64) {
        match self {
            Self::Nothing => *self = Self::first(op, value),
            Self::Sum(sum) => sum.add(value),
            Self::Mean(mean) => mean.add(value),
            Self::Number(number) => match op {
                AggregateOp::Count => *number += 1.0,
                AggregateOp::Max if *number < value || number.is_nan() => *number = value,
                AggregateOp::Min if *number > value || number.is_nan() => *number = value,
                _ => {}
            },
            Self::Spread(count, mean, aux) => {
                *count += 1.0;
                let delta = value - *mean;
                *mean += delta / *count;
                *aux += delta * (value - *mean);
            }
        }
    }

    fn first(op: AggregateOp, value: f64) -> Self {
        match op {
            AggregateOp::Sum => Self::Sum(Sum { sum: value, lost: 0.0 }),
            AggregateOp::Avg => Self::Mean(Mean::new(value)),
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                Self::Spread(1.0, value, if value.is_finite() { 0.0 } else { f64::NAN })
            }
            AggregateOp::Count | AggregateOp::Group => Self::Number(1.0),
            _ => Self::Number(value),
        }
    }

    fn value(self, op: AggregateOp) -> f64 {
        match self {
            Self::Nothing => ABSENT,
            Self::Sum(sum) => sum.total(),
            Self::Mean(mean) => mean.mean(),
            Self::Number(number) => number,
            Self::Spread(count, _, aux) if op == AggregateOp::Stddev => (aux / count).sqrt(),
            Self::Spread(count, _, aux) => aux / count,
        }
    }
}
