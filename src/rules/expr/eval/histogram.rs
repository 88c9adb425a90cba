//! Classic histograms: quantiles and fractions from buckets `le`, with the repair of counts that do not rise.

use super::super::function::Function;
use super::super::plan::{Call, Node, Plan};
use super::frame::{Frame, Grid, is_present};
use super::labels;
use super::memory::Groups;
use super::notes::Notes;
use super::relabel::clash;
use super::run::Run;
use crate::base::{Clean, Fault, SeriesKey};
use std::collections::{HashMap, HashSet};

/// The label of a bucket's upper bound.
const BOUND: &str = "le";
/// A row that is no bucket.
const NONE: u32 = u32::MAX;
/// Relative difference of two counts that is taken for rounding.
const SMALL: f64 = 1e-12;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// How counts that did not rise with their bounds were repaired.
#[derive(Debug)]
struct Repair {
    lowest: f64,
    highest: f64,
    largest: f64,
}

impl Run<'_> {
    pub(super) fn histogram(&mut self, node: &Node, call: &Call, grid: Grid) -> Result<Frame, Fault> {
        let numbers = |run: &mut Self, at: usize| run.numbers(call.args.get(at), grid);
        match call.function {
            Function::HistogramFraction => {
                let (lower, upper) = (numbers(self, 0)?, numbers(self, 1)?);
                let frame = self.vector(call.args.get(2), grid)?;
                self.buckets(node, &frame, |column, buckets, _| {
                    let bound = |list: &[f64]| list.get(column).copied().unwrap_or(f64::NAN);
                    fraction(bound(&lower), bound(&upper), buckets)
                })
            }
            Function::HistogramQuantiles => {
                let frame = self.vector(call.args.first(), grid)?;
                let label = match call.args.get(1).map(Node::plan) {
                    Some(Plan::Text(text)) => text.clone(),
                    _ => "".into(),
                };
                let mut parts = Vec::new();
                for at in 2..call.args.len() {
                    let phi = numbers(self, at)?;
                    let part = self.quantiles(node, &frame, &phi)?;
                    parts.push((phi.first().copied().unwrap_or(f64::NAN), part));
                }
                self.side_by_side(&label, &parts, grid)
            }
            _ => {
                let phi = numbers(self, 0)?;
                let frame = self.vector(call.args.get(1), grid)?;
                self.quantiles(node, &frame, &phi)
            }
        }
    }

    fn quantiles(&mut self, node: &Node, frame: &Frame, phi: &[f64]) -> Result<Frame, Fault> {
        self.notes.check_quantiles(phi);
        self.buckets(node, frame, |column, buckets, notes| {
            let (value, repair) = quantile(phi.get(column).copied().unwrap_or(f64::NAN), buckets);
            if let Some(Repair { lowest, highest, largest }) = repair {
                notes.inform(&format!(
                    "input to histogram_quantile needed to be fixed for monotonicity, \
                     from buckets {lowest} to {highest}, with a max diff of {largest:.2}"
                ));
            }
            value
        })
    }

    /// One value for each histogram and step.
    fn buckets(
        &mut self,
        node: &Node,
        frame: &Frame,
        compute: impl Fn(usize, &mut Vec<Bucket>, &mut Notes) -> f64,
    ) -> Result<Frame, Fault> {
        let groups = self.histograms(node, frame)?;
        let count = groups.keys.rows.len();
        let bound = |key: &SeriesKey| labels::value(key, BOUND).parse::<f64>().ok();
        let bounds: Vec<Option<f64>> = frame.keys.rows.iter().map(bound).collect();
        let cells = self.budget.frame(count, frame.width)?;
        let mut values = vec![super::frame::ABSENT; cells];
        let mut lists: Vec<Vec<Bucket>> = vec![Vec::new(); count];
        for column in 0..frame.width {
            lists.iter_mut().for_each(Vec::clear);
            for ((group, bound), row) in groups.group.iter().zip(&bounds).zip(frame.rows()) {
                let Some(value) = row.get(column).copied().filter(|value| is_present(*value)) else { continue };
                match (usize::try_from(*group).ok().and_then(|group| lists.get_mut(group)), bound) {
                    (Some(list), Some(bound)) => list.push(Bucket { bound: *bound, count: value }),
                    _ => self.notes.warn("bucket label \"le\" is missing or has a malformed value"),
                }
            }
            let cells = values.iter_mut().skip(column).step_by(frame.width);
            for (list, cell) in lists.iter_mut().zip(cells).filter(|(list, _)| !list.is_empty()) {
                *cell = compute(column, list, &mut self.notes);
            }
        }
        Ok(Frame { keys: groups.keys, nameless: true, width: frame.width, values })
    }

    /// Which rows are buckets of one histogram: all labels but the bound are equal.
    fn histograms(&mut self, node: &Node, frame: &Frame) -> Result<Groups, Fault> {
        if let Some(known) = self.memory.groups(node.digest(), &frame.keys) {
            return Ok(known);
        }
        self.budget.labels(frame.keys.rows.len())?;
        let mut places: HashMap<SeriesKey, u32> = HashMap::new();
        let mut keys = Vec::new();
        let le = [Clean::from(BOUND)];
        let mut group_of = |key: &SeriesKey| {
            if labels::value(key, BOUND).parse::<f64>().is_err() {
                return NONE;
            }
            let next = u32::try_from(keys.len()).unwrap_or(NONE);
            let rest = labels::remove(key, &le);
            *places.entry(rest).or_insert_with_key(|rest| {
                keys.push(rest.clone());
                next
            })
        };
        let group = frame.keys.rows.iter().map(&mut group_of).collect();
        let keys = self.memory.keys(keys, Vec::new());
        Ok(self.memory.keep_groups(node.digest(), &frame.keys, group, keys))
    }

    /// The rows of several quantiles, told apart by a label.
    fn side_by_side(&mut self, label: &str, parts: &[(f64, Frame)], grid: Grid) -> Result<Frame, Fault> {
        let mut rows = Vec::new();
        let mut values = Vec::new();
        let mut known = HashSet::new();
        for (phi, frame) in parts {
            let written = open_metrics(*phi);
            for (key, cells) in frame.keys.rows.iter().zip(frame.rows()) {
                let key = labels::set(key, label, &written);
                if cells.iter().any(|value| is_present(*value)) && !known.insert(key.clone()) {
                    return Err(clash(&key));
                }
                rows.push(key);
                values.extend(cells);
            }
        }
        Ok(self.frame(rows, grid, values).without_names())
    }
}

/// A number as OpenMetrics writes it: with a point.
fn open_metrics(number: f64) -> String {
    let text = match number {
        number if number == f64::INFINITY => "+Inf".to_owned(),
        number if number == f64::NEG_INFINITY => "-Inf".to_owned(),
        number if number != 0.0 && (number.abs() < 1e-4 || number.abs() >= 1e21) => {
            let text = format!("{number:e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, digits) = exponent.strip_prefix('-').map_or(("+", exponent), |digits| ("-", digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        number => number.to_string(),
    };
    if number.is_finite() && !text.contains(['.', 'e']) { text + ".0" } else { text }
}

/// Sorts buckets, adds those of one bound together; false when the last is not that of all observations.
fn prepared(buckets: &mut Vec<Bucket>) -> bool {
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    if buckets.last().is_none_or(|last| last.bound != f64::INFINITY) {
        return false;
    }
    buckets.dedup_by(|next, kept| {
        let same = next.bound == kept.bound;
        if same {
            kept.count += next.count;
        }
        same
    });
    true
}

/// Makes counts rise with their bounds: tiny differences are rounding, larger ones are said.
fn repaired(buckets: &mut [Bucket]) -> Option<Repair> {
    let mut repair: Option<Repair> = None;
    let mut before = buckets.first()?.count;
    for bucket in buckets.iter_mut().skip(1) {
        let count = bucket.count;
        if count == before {
            continue;
        }
        if nearly(before, count) {
            bucket.count = before;
        } else if count < before {
            bucket.count = before;
            let known = repair.get_or_insert(Repair { lowest: bucket.bound, highest: bucket.bound, largest: 0.0 });
            known.highest = bucket.bound;
            known.largest = known.largest.max(before - count);
        } else {
            before = count;
        }
    }
    repair
}

fn nearly(a: f64, b: f64) -> bool {
    let difference = (a - b).abs();
    let size = a.abs() + b.abs();
    if a == 0.0 || b == 0.0 || size < f64::MIN_POSITIVE {
        return difference < SMALL * f64::MIN_POSITIVE;
    }
    difference / size.min(f64::MAX) < SMALL
}

/// The φ-quantile, linear inside a bucket; the lowest begins at zero unless its bound is below.
fn quantile(phi: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Repair>) {
    if phi.is_nan() {
        return (f64::NAN, None);
    }
    if phi < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if phi > 1.0 {
        return (f64::INFINITY, None);
    }
    if !prepared(buckets) {
        return (f64::NAN, None);
    }
    let repair = repaired(buckets);
    let [finite @ .., all] = buckets.as_slice() else { return (f64::NAN, repair) };
    let Some(highest) = finite.last().filter(|_| all.count != 0.0) else { return (f64::NAN, repair) };
    let rank = phi * all.count;
    // A count that is NaN is never enough.
    let at = finite.partition_point(|bucket| bucket.count < rank || bucket.count.is_nan() || rank.is_nan());
    let value = match (finite.get(at), at.checked_sub(1).and_then(|before| finite.get(before))) {
        (None, _) => highest.bound,
        (Some(bucket), None) if bucket.bound <= 0.0 => bucket.bound,
        (Some(bucket), None) => bucket.bound * (rank / bucket.count),
        (Some(bucket), Some(before)) => {
            let inside = (rank - before.count) / (bucket.count - before.count);
            before.bound + (bucket.bound - before.bound) * inside
        }
    };
    (value, repair)
}

/// The share of observations between two values.
fn fraction(lower: f64, upper: f64, buckets: &mut Vec<Bucket>) -> f64 {
    if !prepared(buckets) {
        return f64::NAN;
    }
    let all = buckets.last().map_or(0.0, |bucket| bucket.count);
    if all == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    (rank(upper, buckets).min(all) - rank(lower, buckets).min(all)) / all
}

/// How many observations are not above a value.
fn rank(value: f64, buckets: &[Bucket]) -> f64 {
    let mut start = match buckets.first() {
        Some(first) if first.bound <= 0.0 => f64::NEG_INFINITY,
        _ => 0.0,
    };
    let mut below = 0.0;
    for bucket in buckets {
        if start >= value {
            return below;
        }
        if bucket.bound > value {
            // A bucket without a lower end counts whole.
            let inside = (value - start) / (bucket.bound - start);
            return if start == f64::NEG_INFINITY { bucket.count } else { below + (bucket.count - below) * inside };
        }
        below = bucket.count;
        start = bucket.bound;
    }
    f64::INFINITY
}
