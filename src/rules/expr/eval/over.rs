//! Functions of ranges: one value from the points of a window.

use super::super::function::Over;
use super::super::plan::{Call, Node};
use super::super::source::{Ends, Handle, Millis};
use super::counter::{Edges, Resets, extrapolated};
use super::evaluator::Semantics;
use super::frame::{ABSENT, Frame, Grid, is_present};
use super::labels;
use super::quantile::quantile;
use super::ranges::{Origin, Ranges};
use super::regression::{linear, smoothed};
use super::run::{Run, labels_of_absence};
use super::sum::{Mean, Sum, Variance};
use crate::base::Fault;

/// A window of one row at one step.
struct Window<'a> {
    points: &'a [(Millis, f64)],
    /// The time of evaluation.
    at: Millis,
    edges: Edges,
    /// What resets took, for the functions of counters.
    dropped: f64,
    /// The numbers that the function takes beside the range.
    params: [f64; 2],
}

impl Run<'_> {
    /// A function of a range, for every row and step.
    pub(super) fn over(&mut self, function: Over, call: &Call, grid: Grid) -> Result<Frame, Fault> {
        let (range, params) = match (function, call.args.as_slice()) {
            (Over::Quantile, [param, range]) => (range, [Some(param), None]),
            (_, [range]) => (range, [None, None]),
            (_, [range, param]) => (range, [Some(param), None]),
            (_, [range, first, second]) => (range, [Some(first), Some(second)]),
            _ => return self.vector(None, grid),
        };
        let params = [self.numbers(params[0], grid)?, self.numbers(params[1], grid)?];
        let Some(ranges) = self.ranges(range, grid)? else {
            return match function {
                Over::Absent => Ok(self.absent_over(range, None, grid)),
                _ => self.vector(None, grid),
            };
        };
        let cells = self.budget.frame(ranges.keys.rows.len(), grid.count)?;
        let mut values = Vec::with_capacity(cells);
        let mut resets = Resets::default();
        for row in 0..ranges.keys.rows.len() {
            match (&ranges.origin, grid.count) {
                (Origin::Stored(handles), 1) if by_ends(function) => {
                    let handle = handles.get(row).copied();
                    values.push(
                        handle.and_then(|handle| self.by_ends(function, handle, &ranges, grid)).unwrap_or(ABSENT),
                    );
                }
                _ => self.by_points(function, &ranges, row, grid, &params, &mut resets, &mut values)?,
            }
        }
        let inherited = matches!(&ranges.origin, Origin::Computed(frame, _) if frame.nameless);
        let nameless = inherited || !matches!(function, Over::First | Over::Last);
        let frame = Frame { keys: ranges.keys, nameless, width: grid.count, values };
        if matches!(function, Over::Rate | Over::Increase) {
            self.doubt_counters(&frame);
        }
        Ok(if function == Over::Absent { self.absent_over(range, Some(&frame), grid) } else { frame })
    }

    /// The value at the only step, from the ends of the window: the source may know them without a scan.
    fn by_ends(&mut self, function: Over, handle: Handle, ranges: &Ranges, grid: Grid) -> Option<f64> {
        let until = self.shifted(ranges.shift, grid.start);
        let after = until.saturating_sub(ranges.range);
        let ends = match function {
            Over::Rate | Over::Increase => self.source.ends(handle, after, until)?,
            _ => self.source.gauge_ends(handle, after, until)?,
        };
        let edges = self.clipped(Some(handle), Edges { after, until });
        from_ends(function, &ends, edges)
    }

    /// A window that begins before the recording of its series begins with it.
    fn clipped(&self, handle: Option<Handle>, edges: Edges) -> Edges {
        match (self.semantics, handle) {
            (Semantics::Console, Some(handle)) => {
                Edges { after: edges.after.max(self.source.recorded_since(handle)).min(edges.until), ..edges }
            }
            _ => edges,
        }
    }

    /// The values at every step, from one reading of all points of the row.
    #[expect(clippy::too_many_arguments, reason = "the buffers are the caller's, so that rows share them")]
    fn by_points(
        &mut self,
        function: Over,
        ranges: &Ranges,
        row: usize,
        grid: Grid,
        params: &[Vec<f64>; 2],
        resets: &mut Resets,
        values: &mut Vec<f64>,
    ) -> Result<(), Fault> {
        let first = self.shifted(ranges.shift, grid.start).saturating_sub(ranges.range);
        self.read(ranges, row, first, self.shifted(ranges.shift, grid.last()))?;
        let points = core::mem::take(&mut self.points);
        let counts = matches!(function, Over::Rate | Over::Increase);
        if counts {
            resets.find(&points);
        }
        let handle = match &ranges.origin {
            Origin::Stored(handles) => handles.get(row).copied(),
            Origin::Computed(..) => None,
        };
        let (mut from, mut to) = (0, 0);
        for (column, at) in grid.times().enumerate() {
            let until = self.shifted(ranges.shift, at);
            let after = until.saturating_sub(ranges.range);
            from += points.iter().skip(from).take_while(|(time, _)| *time <= after).count();
            to = to.max(from);
            to += points.iter().skip(to).take_while(|(time, _)| *time <= until).count();
            let window = points.get(from..to).unwrap_or_default();
            if window.is_empty() {
                values.push(ABSENT);
                continue;
            }
            let edges = self.clipped(handle, Edges { after, until });
            let param = |which: usize| params.get(which).and_then(|list| list.get(column)).copied().unwrap_or_default();
            let dropped = if counts { resets.dropped(from, to) } else { 0.0 };
            let window = Window { points: window, at, edges, dropped, params: [param(0), param(1)] };
            values.push(self.value(function, &window)?.unwrap_or(ABSENT));
            if !by_ends(function) {
                self.budget.spend(window.points.len())?;
            }
        }
        self.points = points;
        Ok(())
    }

    /// The function's value for a window with at least one point.
    fn value(&mut self, function: Over, window: &Window<'_>) -> Result<Option<f64>, Fault> {
        let points = window.points;
        let [first_param, second_param] = window.params;
        if by_ends(function) {
            let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(None) };
            let ends = Ends { first: *first, last: *last, count: points.len(), dropped: window.dropped };
            return Ok(from_ends(function, &ends, window.edges));
        }
        if function == Over::Quantile {
            self.notes.check_quantile(first_param);
        }
        if function == Over::Smoothing {
            for (name, factor) in [("smoothing", first_param), ("trend", second_param)] {
                if factor <= 0.0 || factor >= 1.0 {
                    return Err(Fault::new(format!("invalid {name} factor: expected 0 < factor < 1, got {factor}.")));
                }
            }
        }
        Ok(match function {
            Over::PredictLinear if points.len() > 1 => {
                linear(points, window.at).map(|(slope, intercept)| slope * first_param + intercept)
            }
            Over::Quantile => Some(quantile(first_param, &mut numbers(points))),
            Over::Smoothing => smoothed(points, first_param, second_param),
            _ => plain(function, points),
        })
    }

    /// Says which metrics do not look like counters by their names.
    fn doubt_counters(&mut self, frame: &Frame) {
        let mut before = "";
        for (key, row) in frame.keys.rows.iter().zip(frame.rows()) {
            let name = key.name.as_str();
            let fits = ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
            if fits || name.is_empty() || name == before || !row.iter().any(|value| is_present(*value)) {
                continue;
            }
            before = name;
            self.notes.inform(&format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"{name}\""
            ));
        }
    }

    /// 1 wherever no row has a point, under the labels that the selector names.
    fn absent_over(&mut self, range: &Node, frame: Option<&Frame>, grid: Grid) -> Frame {
        let mut values = vec![1.0; grid.count];
        for row in frame.iter().flat_map(|frame| frame.rows()) {
            for (value, found) in values.iter_mut().zip(row) {
                if is_present(*found) {
                    *value = ABSENT;
                }
            }
        }
        let key = if range.select().is_some() { labels_of_absence(range) } else { labels::empty() };
        self.frame(vec![key], grid, values)
    }
}

/// Whether the first and last point of the window, their number and the resets between them are enough.
const fn by_ends(function: Over) -> bool {
    matches!(
        function,
        Over::Rate
            | Over::Increase
            | Over::Delta
            | Over::Count
            | Over::First
            | Over::Last
            | Over::Present
            | Over::Absent
            | Over::TimeOfFirst
            | Over::TimeOfLast
    )
}

fn from_ends(function: Over, ends: &Ends, edges: Edges) -> Option<f64> {
    match function {
        Over::Rate | Over::Increase | Over::Delta => extrapolated(function, ends, edges),
        Over::Count => Some(ends.count as f64),
        Over::First => Some(ends.first.1),
        Over::Last => Some(ends.last.1),
        Over::Present | Over::Absent => Some(1.0),
        Over::TimeOfFirst => Some(ends.first.0 as f64 / 1000.0),
        Over::TimeOfLast => Some(ends.last.0 as f64 / 1000.0),
        _ => None,
    }
}

fn numbers(points: &[(Millis, f64)]) -> Vec<f64> {
    points.iter().map(|point| point.1).collect()
}

/// How often neighbouring values are as `counts` wants.
fn pairs(points: &[(Millis, f64)], counts: impl Fn(f64, f64) -> bool) -> f64 {
    points.iter().zip(points.iter().skip(1)).filter(|(a, b)| counts(a.1, b.1)).count() as f64
}

/// The point that no other betters.
fn best(points: &[(Millis, f64)], better: impl Fn(f64, f64) -> bool) -> Option<(Millis, f64)> {
    let mut points = points.iter().copied();
    let first = points.next()?;
    Some(points.fold(first, |best, point| if better(point.1, best.1) || best.1.is_nan() { point } else { best }))
}

/// The change between the last two points: their difference, or for a counter that fell its new value.
fn last_step(points: &[(Millis, f64)], counter: bool) -> Option<f64> {
    let [.., before, last] = points else { return None };
    let seconds = last.0.saturating_sub(before.0) as f64 / 1000.0;
    let gain = if counter && last.1 < before.1 { last.1 } else { last.1 - before.1 };
    (seconds > 0.0).then_some(if counter { gain / seconds } else { gain })
}

/// Functions of nothing but the points.
fn plain(function: Over, points: &[(Millis, f64)]) -> Option<f64> {
    let values = || points.iter().map(|point| point.1);
    let variance = || {
        let mut variance = Variance::default();
        values().for_each(|value| variance.add(value));
        variance.variance()
    };
    match function {
        Over::Irate => last_step(points, true),
        Over::Idelta => last_step(points, false),
        Over::Deriv if points.len() > 1 => linear(points, points.first()?.0).map(|(slope, _)| slope),
        Over::Changes => Some(pairs(points, |a, b| a != b && !(a.is_nan() && b.is_nan()))),
        Over::Resets => Some(pairs(points, |a, b| b < a)),
        Over::Avg => {
            let mut mean = Mean::new(points.first()?.1);
            values().skip(1).for_each(|value| mean.add(value));
            Some(mean.mean())
        }
        Over::Sum => {
            let mut sum = Sum::default();
            values().for_each(|value| sum.add(value));
            Some(sum.total())
        }
        Over::Min => best(points, |new, old| new < old).map(|point| point.1),
        Over::Max => best(points, |new, old| new > old).map(|point| point.1),
        Over::TimeOfMin => best(points, |new, old| new <= old).map(|point| point.0 as f64 / 1000.0),
        Over::TimeOfMax => best(points, |new, old| new >= old).map(|point| point.0 as f64 / 1000.0),
        Over::Stddev => Some(variance().sqrt()),
        Over::Stdvar => Some(variance()),
        // A NaN has no place in an order: nothing is known of the middle.
        Over::Mad if values().any(f64::is_nan) => Some(f64::NAN),
        Over::Mad => {
            let mut numbers = numbers(points);
            let median = quantile(0.5, &mut numbers);
            let mut distances: Vec<f64> = numbers.iter().map(|number| (number - median).abs()).collect();
            Some(quantile(0.5, &mut distances))
        }
        _ => None,
    }
}
