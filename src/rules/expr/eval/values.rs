//! `count_values` and `quantile`: aggregations that look at all values of a group at once.

use super::super::plan::{Aggregate, Node, Plan};
use super::aggregate::grouped;
use super::frame::{ABSENT, Frame, Grid, is_present};
use super::labels;
use super::quantile::quantile;
use super::run::Run;
use crate::base::{Clean, Fault, SeriesKey};
use std::collections::HashMap;

impl Run<'_> {
    /// `quantile`.
    pub(super) fn quantile(&mut self, node: &Node, aggregate: &Aggregate, grid: Grid) -> Result<Frame, Fault> {
        let phi = self.numbers(aggregate.param.as_deref(), grid)?;
        let frame = self.vector(Some(&aggregate.of), grid)?;
        self.notes.check_quantiles(&phi);
        let groups = self.groups(node, aggregate, &frame)?;
        let cells = self.budget.frame(groups.keys.rows.len(), grid.count)?;
        let mut values = vec![ABSENT; cells];
        let mut lists: Vec<Vec<f64>> = vec![Vec::new(); groups.keys.rows.len()];
        for (column, phi) in phi.iter().enumerate() {
            lists.iter_mut().for_each(Vec::clear);
            for (row, group) in frame.rows().zip(groups.group.iter()) {
                let value = row.get(column).copied().filter(|value| is_present(*value));
                let list = usize::try_from(*group).ok().and_then(|group| lists.get_mut(group));
                if let (Some(value), Some(list)) = (value, list) {
                    list.push(value);
                }
            }
            let cells = values.iter_mut().skip(column).step_by(grid.count);
            for (list, cell) in lists.iter_mut().zip(cells).filter(|(list, _)| !list.is_empty()) {
                *cell = quantile(*phi, list);
            }
        }
        Ok(Frame { nameless: frame.nameless, keys: groups.keys, width: grid.count, values })
    }

    /// `count_values`: a row for each value that was seen.
    pub(super) fn count_values(&mut self, aggregate: &Aggregate, grid: Grid) -> Result<Frame, Fault> {
        let label = match aggregate.param.as_deref().map(Node::plan) {
            Some(Plan::Text(text)) => text.clone(),
            _ => "".into(),
        };
        if !labels::is_label(&label) {
            return Err(Fault::new(format!("invalid label name in count_values(): `{label}`.")));
        }
        let frame = self.vector(Some(&aggregate.of), grid)?;
        let mut names = aggregate.labels.clone();
        if !aggregate.without {
            names.push(Clean::text(&*label));
        }
        let mut places: HashMap<SeriesKey, usize> = HashMap::new();
        let mut rows = Vec::new();
        let mut values: Vec<f64> = Vec::new();
        for (key, cells) in frame.keys.rows.iter().zip(frame.rows()) {
            let mut last: Option<(u64, usize)> = None;
            for (column, value) in cells.iter().enumerate().filter(|(_, value)| is_present(**value)) {
                let place = match last {
                    Some((bits, place)) if bits == value.to_bits() => place,
                    _ => {
                        let key = grouped(&labels::set(key, &label, &written(*value)), aggregate.without, &names);
                        let next = rows.len();
                        *places.entry(key).or_insert_with_key(|key| {
                            rows.push(key.clone());
                            next
                        })
                    }
                };
                last = Some((value.to_bits(), place));
                let end = rows.len() * grid.count;
                if values.len() < end {
                    self.budget.row(rows.len(), grid.count)?;
                    values.resize(end, ABSENT);
                }
                if let Some(cell) = values.get_mut(place * grid.count + column) {
                    *cell = if is_present(*cell) { *cell + 1.0 } else { 1.0 };
                }
            }
        }
        Ok(self.frame(rows, grid, values))
    }
}

/// A value as a label: without an exponent.
fn written(value: f64) -> String {
    match value {
        value if value == f64::INFINITY => "+Inf".to_owned(),
        value if value == f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}
