//! `and`, `or`, `unless`.

use super::super::plan::{Binary, BinaryOp, Node};
use super::binary::Sides;
use super::frame::{ABSENT, Frame, Grid, is_present};
use super::memory::Join;
use super::run::Run;
use crate::base::{Fault, SeriesKey};
use std::collections::HashMap;
use std::sync::Arc;

impl Run<'_> {
    /// A set operator between two vectors.
    pub(super) fn set(&mut self, node: &Node, binary: &Binary, sides: &Sides, grid: Grid) -> Result<Frame, Fault> {
        let Sides { left, right } = sides;
        let join = match self.memory.join(node.digest(), &left.keys, &right.keys) {
            Some(known) => known,
            None => {
                self.budget.labels(left.keys.rows.len() + right.keys.rows.len())?;
                let join = self.set_join(binary, left, right);
                self.memory.keep_join(node.digest(), &left.keys, &right.keys, join)
            }
        };
        let Join::Set { left: left_groups, right: right_groups, groups, keys, right_rows } = &*join else {
            return Ok(left.clone());
        };
        let cells = self.budget.frame(keys.rows.len(), grid.count)?;
        let mut values = Vec::with_capacity(cells);
        let of_left = binary.op == BinaryOp::Or;
        // Whether a group has a row at a step: of the side that decides.
        let mut present = vec![false; groups.saturating_mul(grid.count)];
        let (deciding, of) = if of_left { (left, left_groups) } else { (right, right_groups) };
        for (row, group) in deciding.rows().zip(of) {
            let start = usize::try_from(*group).unwrap_or(usize::MAX).saturating_mul(grid.count);
            for (flag, value) in present.get_mut(start..).unwrap_or_default().iter_mut().zip(row) {
                *flag |= is_present(*value);
            }
        }
        let flags = |group: u32| {
            let start = usize::try_from(group).unwrap_or(usize::MAX).saturating_mul(grid.count);
            present.get(start..).unwrap_or_default().iter()
        };
        if !of_left {
            for (row, group) in left.rows().zip(left_groups) {
                let keep =
                    |(value, flag): (&f64, &bool)| if *flag == (binary.op == BinaryOp::And) { *value } else { ABSENT };
                values.extend(row.iter().zip(flags(*group)).map(keep));
            }
            return Ok(Frame { values, ..left.clone() });
        }
        values.extend_from_slice(&left.values);
        values.resize(cells, ABSENT);
        for ((row, group), into) in right.rows().zip(right_groups).zip(right_rows) {
            let cells = values.get_mut(into * grid.count..).unwrap_or_default();
            for ((cell, value), flag) in cells.iter_mut().zip(row).zip(flags(*group)) {
                if !flag && is_present(*value) {
                    *cell = *value;
                }
            }
        }
        Ok(Frame { keys: Arc::clone(keys), nameless: left.nameless && right.nameless, width: grid.count, values })
    }

    fn set_join(&mut self, binary: &Binary, left: &Frame, right: &Frame) -> Join {
        let (left_groups, right_groups, groups) = super::binary::signatures(&binary.matching, &left.keys, &right.keys);
        if binary.op != BinaryOp::Or {
            let keys = Arc::clone(&left.keys);
            return Join::Set { left: left_groups, right: right_groups, groups, keys, right_rows: Vec::new() };
        }
        let mut rows = left.keys.rows.clone();
        let mut nameless: Vec<bool> = (0..rows.len()).map(|row| left.drops_name(row)).collect();
        // A row whose name goes is another one than a row of that name.
        let places: HashMap<(&SeriesKey, bool), usize> =
            left.keys.rows.iter().enumerate().map(|(at, key)| ((key, left.drops_name(at)), at)).collect();
        let mut right_rows = Vec::with_capacity(right.keys.rows.len());
        for (row, key) in right.keys.rows.iter().enumerate() {
            let place = places.get(&(key, right.drops_name(row))).copied().unwrap_or(rows.len());
            if place == rows.len() {
                rows.push(key.clone());
                nameless.push(right.drops_name(row));
            }
            right_rows.push(place);
        }
        let keys = self.memory.keys(rows, nameless);
        Join::Set { left: left_groups, right: right_groups, groups, keys, right_rows }
    }
}
