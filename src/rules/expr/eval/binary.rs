//! Operators between numbers and vectors, and how rows of two vectors find each other.

use super::super::plan::{Binary, BinaryOp, Card, Matching, Node};
use super::frame::{ABSENT, Computed, Frame, Grid, Keys, is_present};
use super::labels;
use super::memory::Join;
use super::relabel::clash;
use super::run::Run;
use crate::base::{Fault, SeriesKey};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Both operands of an operator between vectors.
#[derive(Debug)]
pub(super) struct Sides {
    pub(super) left: Frame,
    pub(super) right: Frame,
}

impl BinaryOp {
    /// The value of an operator, and for a comparison whether it holds.
    fn apply(self, left: f64, right: f64) -> (f64, bool) {
        match self {
            Self::Add => (left + right, true),
            Self::Sub => (left - right, true),
            Self::Mul => (left * right, true),
            Self::Div => (left / right, true),
            Self::Mod => (left % right, true),
            Self::Pow => (left.powf(right), true),
            Self::Atan2 => (left.atan2(right), true),
            Self::Equal => (left, left == right),
            Self::NotEqual => (left, left != right),
            Self::Greater => (left, left > right),
            Self::Less => (left, left < right),
            Self::AtLeast => (left, left >= right),
            Self::AtMost => (left, left <= right),
            Self::And | Self::Or | Self::Unless => (left, true),
        }
    }
}

/// The value of an operator with `bool` or as a filter; [`ABSENT`] where the filter lets nothing through.
fn value(binary: &Binary, left: f64, right: f64, kept: f64) -> f64 {
    let (value, holds) = binary.op.apply(left, right);
    match (binary.op.compares(), binary.as_bool) {
        (false, _) => value,
        (true, true) => f64::from(u8::from(holds)),
        (true, false) if holds => kept,
        (true, false) => ABSENT,
    }
}

impl Run<'_> {
    /// An operator at every step.
    pub(super) fn binary(&mut self, node: &Node, binary: &Binary, grid: Grid) -> Result<Computed, Fault> {
        let left = self.eval(&binary.left, grid)?;
        let right = self.eval(&binary.right, grid)?;
        // Arithmetic and `bool` give something else than the metric: its name is dropped.
        let renames = !binary.op.compares() || binary.as_bool;
        Ok(match (left, right) {
            (Computed::Scalar(left), Computed::Scalar(right)) => {
                let compute = |(left, right): (f64, f64)| {
                    let (value, holds) = binary.op.apply(left, right);
                    if binary.op.compares() { f64::from(u8::from(holds)) } else { value }
                };
                Computed::Scalar(left.into_iter().zip(right).map(compute).collect())
            }
            (Computed::Vector(frame), Computed::Scalar(numbers)) => {
                Computed::Vector(with_numbers(frame, &numbers, renames, |cell, number| {
                    value(binary, cell, number, cell)
                }))
            }
            (Computed::Scalar(numbers), Computed::Vector(frame)) => {
                Computed::Vector(with_numbers(frame, &numbers, renames, |cell, number| {
                    value(binary, number, cell, cell)
                }))
            }
            (Computed::Vector(left), Computed::Vector(right)) => {
                let sides = Sides { left, right };
                Computed::Vector(if binary.op.is_set() {
                    self.set(node, binary, &sides, grid)?
                } else {
                    self.matched(node, binary, &sides, grid)?
                })
            }
            _ => return Err(Fault::new("an operator stands between texts.")),
        })
    }

    /// An operator between two vectors.
    fn matched(&mut self, node: &Node, binary: &Binary, sides: &Sides, grid: Grid) -> Result<Frame, Fault> {
        let Sides { left, right } = sides;
        let join = match self.memory.join(node.digest(), &left.keys, &right.keys) {
            Some(known) => known,
            None => {
                self.budget.labels(left.keys.rows.len() + right.keys.rows.len())?;
                let join = self.plan_join(binary, left, right);
                self.memory.keep_join(node.digest(), &left.keys, &right.keys, join)
            }
        };
        let many = if binary.matching.card == Card::GroupRight { right } else { left };
        let nameless = binary.as_bool || many.nameless;
        match &*join {
            Join::Simple { pairs, keys } => {
                let cells = self.budget.frame(pairs.len(), grid.count)?;
                let mut values = Vec::with_capacity(cells);
                for (left_row, right_row) in pairs {
                    let cells = left.row(*left_row).iter().zip(right.row(*right_row));
                    values.extend(cells.map(|(left, right)| {
                        if is_present(*left) && is_present(*right) {
                            value(binary, *left, *right, *left)
                        } else {
                            ABSENT
                        }
                    }));
                }
                Ok(Frame { keys: Arc::clone(keys), nameless, width: grid.count, values })
            }
            Join::General { left: left_groups, right: right_groups, groups } => {
                let general = General { binary, sides, groups: *groups, left_groups, right_groups };
                let frame = self.step_by_step(&general, grid)?;
                Ok(if nameless { frame.without_names() } else { frame })
            }
            Join::Set { .. } => Ok(left.clone()),
        }
    }

    /// Which rows belong together, if that does not depend on which have a value.
    fn plan_join(&mut self, binary: &Binary, left: &Frame, right: &Frame) -> Join {
        let matching = &binary.matching;
        let (left_groups, right_groups, groups) = signatures(matching, &left.keys, &right.keys);
        let swapped = matching.card == Card::GroupRight;
        let (many, one) = if swapped { (&right_groups, &left_groups) } else { (&left_groups, &right_groups) };
        let mut place: Vec<Option<usize>> = vec![None; groups];
        let mut clear = true;
        for (row, group) in one.iter().enumerate() {
            if let Some(place) = usize::try_from(*group).ok().and_then(|group| place.get_mut(group)) {
                clear &= place.replace(row).is_none();
            }
        }
        let mut pairs = Vec::new();
        let mut keys = Vec::new();
        let mut nameless = Vec::new();
        let mut taken = HashSet::new();
        let mut known = HashSet::new();
        for (row, group) in many.iter().enumerate() {
            let Some(other) = usize::try_from(*group).ok().and_then(|at| place.get(at).copied().flatten()) else {
                continue;
            };
            clear &= matching.card != Card::One || taken.insert(*group);
            let (left_row, right_row) = if swapped { (other, row) } else { (row, other) };
            if let (Some(left_key), Some(right_key)) = (left.keys.rows.get(left_row), right.keys.rows.get(right_row)) {
                let key = result_key(binary, left_key, right_key);
                clear &= known.insert(key.clone());
                pairs.push((left_row, right_row));
                keys.push(key);
                // `nameless` of the whole frame goes on with the answer, not with these keys.
                let flags = if swapped { &right.keys.nameless } else { &left.keys.nameless };
                nameless.push(flags.get(row).copied().unwrap_or(false));
            }
        }
        if clear {
            return Join::Simple { pairs, keys: self.memory.keys(keys, nameless) };
        }
        Join::General { left: left_groups, right: right_groups, groups }
    }

    /// Matching that depends on which rows have a value at each step.
    fn step_by_step(&mut self, general: &General<'_>, grid: Grid) -> Result<Frame, Fault> {
        let mut answer = Partial {
            rows: Vec::new(),
            nameless: Vec::new(),
            places: HashMap::new(),
            values: Vec::new(),
            width: grid.count,
        };
        for column in 0..grid.count {
            self.budget.labels(general.left_groups.len() + general.right_groups.len())?;
            general.step(column, &mut answer)?;
            self.budget.frame(answer.rows.len(), 1)?;
        }
        let keys = self.memory.keys(answer.rows, answer.nameless);
        Ok(Frame { keys, nameless: false, width: grid.count, values: answer.values })
    }
}

/// A vector with a number for each step.
fn with_numbers(mut frame: Frame, numbers: &[f64], renames: bool, compute: impl Fn(f64, f64) -> f64) -> Frame {
    for row in frame.values.chunks_exact_mut(frame.width.max(1)) {
        for (cell, number) in row.iter_mut().zip(numbers).filter(|(cell, _)| is_present(**cell)) {
            *cell = compute(*cell, *number);
        }
    }
    frame.nameless |= renames;
    frame
}

/// The group of each row of both sides, and how many groups there are.
pub(super) fn signatures(matching: &Matching, left: &Keys, right: &Keys) -> (Vec<u32>, Vec<u32>, usize) {
    let mut known: HashMap<SeriesKey, u32> = HashMap::new();
    let mut group = |key: &SeriesKey| {
        let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
        *known.entry(labels::signature(key, matching.on, &matching.labels)).or_insert(next)
    };
    let left = left.rows.iter().map(&mut group).collect();
    let right = right.rows.iter().map(&mut group).collect();
    (left, right, known.len())
}

/// The labels of an answer's row: those of the many side, as the operator and the matching leave them.
fn result_key(binary: &Binary, left: &SeriesKey, right: &SeriesKey) -> SeriesKey {
    let matching = &binary.matching;
    let (many, one) = if matching.card == Card::GroupRight { (right, left) } else { (left, right) };
    let mut key = if binary.op.compares() { many.clone() } else { labels::nameless(many.clone()) };
    if matching.card == Card::One {
        key = if matching.on { labels::keep(&key, &matching.labels) } else { labels::remove(&key, &matching.labels) };
    }
    for label in &matching.include {
        key = labels::set(&key, label.as_str(), labels::value(one, label.as_str()));
    }
    key
}

/// Matching at one step after the other.
struct General<'a> {
    binary: &'a Binary,
    sides: &'a Sides,
    groups: usize,
    left_groups: &'a [u32],
    right_groups: &'a [u32],
}

/// An answer whose rows come up step by step.
struct Partial {
    rows: Vec<SeriesKey>,
    /// Whose names are dropped at the end.
    nameless: Vec<bool>,
    places: HashMap<(SeriesKey, bool), usize>,
    values: Vec<f64>,
    width: usize,
}

impl Partial {
    fn put(&mut self, key: SeriesKey, nameless: bool, column: usize, value: f64) -> Result<(), Fault> {
        let next = self.rows.len();
        let place = *self.places.entry((key, nameless)).or_insert_with_key(|(key, nameless)| {
            self.rows.push(key.clone());
            self.nameless.push(*nameless);
            next
        });
        if place == next {
            self.values.resize(self.rows.len() * self.width, ABSENT);
        }
        match self.values.get_mut(place * self.width + column) {
            Some(cell) if is_present(*cell) => Err(clash(self.rows.get(place).unwrap_or(&labels::empty()))),
            Some(cell) => {
                *cell = value;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl General<'_> {
    fn step(&self, column: usize, answer: &mut Partial) -> Result<(), Fault> {
        let matching = &self.binary.matching;
        let swapped = matching.card == Card::GroupRight;
        let Sides { left, right } = self.sides;
        let (many, many_groups, one, one_groups) = if swapped {
            (right, self.right_groups, left, self.left_groups)
        } else {
            (left, self.left_groups, right, self.right_groups)
        };
        let some = |frame: &Frame| (0..frame.keys.rows.len()).any(|row| is_present(frame.cell(row, column)));
        if !some(many) || !some(one) {
            return Ok(());
        }
        let mut place: Vec<Option<usize>> = vec![None; self.groups];
        for (row, group) in one_groups.iter().enumerate().filter(|(row, _)| is_present(one.cell(*row, column))) {
            let Some(place) = usize::try_from(*group).ok().and_then(|group| place.get_mut(group)) else { continue };
            if let Some(before) = place.replace(row) {
                return Err(self.many_to_many(one, before, row, swapped));
            }
        }
        let mut taken: HashSet<u32> = HashSet::new();
        let mut known: HashSet<(u32, SeriesKey)> = HashSet::new();
        for (row, group) in many_groups.iter().enumerate() {
            let cell = many.cell(row, column);
            let other = usize::try_from(*group).ok().and_then(|group| place.get(group).copied().flatten());
            let Some(other) = other.filter(|_| is_present(cell)) else { continue };
            let (left_row, right_row) = if swapped { (other, row) } else { (row, other) };
            let (Some(left_key), Some(right_key)) = (left.keys.rows.get(left_row), right.keys.rows.get(right_row))
            else {
                continue;
            };
            let key = result_key(self.binary, left_key, right_key);
            if matching.card == Card::One && !taken.insert(*group) {
                let what =
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right).";
                return Err(Fault::new(what));
            }
            if matching.card != Card::One && !known.insert((*group, key.clone())) {
                let what = "multiple matches for labels: grouping labels must ensure unique matches.";
                return Err(Fault::new(what));
            }
            let left_cell = left.cell(left_row, column);
            let value = value(self.binary, left_cell, right.cell(right_row, column), left_cell);
            if is_present(value) {
                answer.put(key, many.drops_name(row), column, value)?;
            }
        }
        Ok(())
    }

    fn many_to_many(&self, one: &Frame, before: usize, row: usize, swapped: bool) -> Fault {
        let matching = &self.binary.matching;
        let key = |row: usize| one.keys.rows.get(row).cloned().unwrap_or_else(labels::empty);
        Fault::new(format!(
            "found duplicate series for the match group {} on the {} hand-side of the operation: [{}, {}]; \
             many-to-many matching not allowed: matching labels must be unique on one side.",
            labels::written(&labels::signature(&key(row), matching.on, &matching.labels)),
            if swapped { "left" } else { "right" },
            labels::written(&key(row)),
            labels::written(&key(before)),
        ))
    }
}
