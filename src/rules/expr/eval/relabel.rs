//! Functions of labels and of order: `label_replace`, `label_join` and the sorts.

use super::super::function::Function;
use super::super::pattern;
use super::super::plan::{Call, Node, Plan};
use super::frame::{ABSENT, Frame, Grid, is_present};
use super::labels;
use super::quantile::nan_first;
use super::run::Run;
use crate::base::{Fault, SeriesKey};
use core::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// The message of two rows that became one.
pub(super) const CLASH: &str = "vector cannot contain metrics with the same labelset";

fn text(node: Option<&Node>) -> &str {
    match node.map(Node::plan) {
        Some(Plan::Text(text)) => text,
        _ => "",
    }
}

/// Where the keys of a node's answer are kept: they tell whose names go.
fn place(node: &Node, frame: &Frame) -> u128 {
    node.digest() ^ u128::from(frame.nameless)
}

/// Two rows would have the same labels.
pub(super) fn clash(key: &SeriesKey) -> Fault {
    Fault::new(format!("{CLASH}: {}.", labels::written(key)))
}

fn check_label(label: &str, role: &str, function: &str) -> Result<(), Fault> {
    if labels::is_label(label) {
        return Ok(());
    }
    Err(Fault::new(format!("invalid {role} label name in {function}(): `{label}`.")))
}

impl Run<'_> {
    pub(super) fn label_replace(&mut self, node: &Node, call: &Call, grid: Grid) -> Result<Frame, Fault> {
        let [into, replacement, from, pattern] = [1, 2, 3, 4].map(|at| text(call.args.get(at)));
        check_label(into, "destination", "label_replace")?;
        let frame = self.vector(call.args.first(), grid)?;
        if let Some(known) = self.relabelled(node, &frame) {
            return Ok(known);
        }
        let regex = pattern::compile(pattern)
            .map_err(|error| Fault::new(format!("invalid regular expression in label_replace(): {error}.")))?;
        self.relabel(node, &frame, into, |key| {
            let captures = regex.captures(labels::value(key, from))?;
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            Some(value)
        })
    }

    pub(super) fn label_join(&mut self, node: &Node, call: &Call, grid: Grid) -> Result<Frame, Fault> {
        let [into, between] = [1, 2].map(|at| text(call.args.get(at)));
        let from: Vec<&str> = call.args.iter().skip(3).map(|arg| text(Some(arg))).collect();
        from.iter().try_for_each(|label| check_label(label, "source", "label_join"))?;
        check_label(into, "destination", "label_join")?;
        let frame = self.vector(call.args.first(), grid)?;
        if let Some(known) = self.relabelled(node, &frame) {
            return Ok(known);
        }
        self.relabel(node, &frame, into, |key| {
            Some(from.iter().map(|label| labels::value(key, label)).collect::<Vec<_>>().join(between))
        })
    }

    /// The answer for rows whose new keys are known.
    fn relabelled(&self, node: &Node, frame: &Frame) -> Option<Frame> {
        let known = self.memory.groups(place(node, frame), &frame.keys)?;
        Some(Frame { keys: known.keys, nameless: false, width: frame.width, values: frame.values.clone() })
    }

    /// Gives each row a new value of one label, where there is one.
    fn relabel(
        &mut self,
        node: &Node,
        frame: &Frame,
        label: &str,
        value: impl Fn(&SeriesKey) -> Option<String>,
    ) -> Result<Frame, Fault> {
        let rows = frame.keys.rows.iter().enumerate().map(|(row, key)| match value(key) {
            // A name that was set is not dropped for what was done to the one before.
            Some(value) => (labels::set(key, label, &value), label != labels::NAME && frame.drops_name(row)),
            None => (key.clone(), frame.drops_name(row)),
        });
        let (keys, nameless): (Vec<_>, Vec<_>) = rows.unzip();
        let merged = self.merged(frame, &keys, &nameless)?;
        if merged.keys.rows.len() == frame.keys.rows.len() {
            // No row became part of another: the keys hold whichever rows have a value.
            self.memory.keep_groups(place(node, frame), &frame.keys, Vec::new(), Arc::clone(&merged.keys));
        }
        Ok(merged)
    }

    /// The values of a frame under new keys; rows with one key become one, which must not have two values at once.
    pub(super) fn merged(&mut self, frame: &Frame, keys: &[SeriesKey], nameless: &[bool]) -> Result<Frame, Fault> {
        self.budget.labels(keys.len())?;
        let goes = |row: usize| nameless.get(row).copied().unwrap_or(false);
        let mut place: HashMap<(&SeriesKey, bool), usize> = HashMap::with_capacity(keys.len());
        let mut kept = Vec::with_capacity(keys.len());
        let mut values: Vec<f64> = Vec::with_capacity(frame.values.len());
        for (row, (key, cells)) in keys.iter().zip(frame.rows()).enumerate() {
            let next = place.len();
            let at = *place.entry((key, goes(row))).or_insert(next);
            if at == next {
                kept.push(row);
                values.extend(cells);
                continue;
            }
            let start = at * frame.width;
            let into = values.get_mut(start..start + frame.width).unwrap_or_default();
            for (known, new) in into.iter_mut().zip(cells).filter(|(_, new)| is_present(**new)) {
                if is_present(*known) {
                    return Err(clash(key));
                }
                *known = *new;
            }
        }
        let rows = kept.iter().filter_map(|row| keys.get(*row).cloned()).collect();
        let nameless = kept.iter().map(|row| goes(*row)).collect();
        Ok(Frame { keys: self.memory.keys(rows, nameless), nameless: false, width: frame.width, values })
    }

    /// The sorts order an instant answer; the answer to a range query has an order of its own.
    pub(super) fn sort(&mut self, call: &Call, grid: Grid) -> Result<Frame, Fault> {
        let frame = self.vector(call.args.first(), grid)?;
        if grid.count > 1 {
            return Ok(frame);
        }
        let by: Vec<&str> = call.args.iter().skip(1).map(|arg| text(Some(arg))).collect();
        let mut order: Vec<(usize, &SeriesKey, f64)> =
            frame.keys.rows.iter().enumerate().map(|(row, key)| (row, key, frame.cell(row, 0))).collect();
        order.sort_by(|a, b| match call.function {
            Function::Sort => nan_last(a.2, b.2),
            Function::SortDesc => {
                if a.2.is_nan() || b.2.is_nan() {
                    nan_last(a.2, b.2)
                } else {
                    nan_last(b.2, a.2)
                }
            }
            Function::SortByLabelDesc => by_labels(b.1, a.1, &by),
            _ => by_labels(a.1, b.1, &by),
        });
        let rows: Vec<usize> = order.into_iter().map(|(row, ..)| row).collect();
        Ok(self.picked(&frame, &rows))
    }

    /// Some rows of a frame of one step, in this order.
    pub(super) fn picked(&mut self, frame: &Frame, rows: &[usize]) -> Frame {
        let keys = rows.iter().filter_map(|row| frame.keys.rows.get(*row).cloned()).collect();
        let nameless = rows.iter().map(|row| frame.drops_name(*row)).collect();
        let values = rows.iter().map(|row| frame.row(*row).first().copied().unwrap_or(ABSENT)).collect();
        Frame { keys: self.memory.keys(keys, nameless), nameless: false, width: frame.width, values }
    }
}

fn nan_last(a: f64, b: f64) -> Ordering {
    if a.is_nan() || b.is_nan() { nan_first(b, a) } else { nan_first(a, b) }
}

/// By these labels in natural order, then by all.
fn by_labels(a: &SeriesKey, b: &SeriesKey, by: &[&str]) -> Ordering {
    let differs = by.iter().map(|label| natural(labels::value(a, label), labels::value(b, label)));
    differs.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| all_labels(a).cmp(all_labels(b)))
}

/// A key's labels in their order, its name among them.
fn all_labels(key: &SeriesKey) -> impl Iterator<Item = (&str, &str)> {
    let pairs = || key.labels.iter().map(|(label, value)| (label.as_str(), value.as_str()));
    let name = (!key.name.as_str().is_empty()).then_some((labels::NAME, key.name.as_str()));
    pairs()
        .filter(|(label, _)| *label < labels::NAME)
        .chain(name)
        .chain(pairs().filter(|(label, _)| *label >= labels::NAME))
}

/// Natural order: runs of digits are compared as numbers, all else as text.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (runs(a), runs(b));
    loop {
        return match (left.next(), right.next()) {
            (None, None) => a.cmp(b),
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => {
                let digits = |run: &str| run.starts_with(|c: char| c.is_ascii_digit());
                let order = if digits(x) && digits(y) {
                    let (x, y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
                    x.len().cmp(&y.len()).then_with(|| x.cmp(y))
                } else {
                    x.cmp(y)
                };
                match order {
                    Ordering::Equal => continue,
                    order => order,
                }
            }
        };
    }
}

/// A text cut where digits begin and end.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let digits = rest.chars().next()?.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (run, more) = rest.split_at_checked(end)?;
        rest = more;
        Some(run)
    })
}
