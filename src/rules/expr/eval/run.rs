//! One evaluation: the walk of the plan.

use super::super::function::Function;
use super::super::plan::{At, Call, Node, Plan, Select, Shift};
use super::super::source::{Millis, Source};
use super::super::value::Coverage;
use super::evaluator::Semantics;
use super::frame::{ABSENT, Computed, Frame, Grid};
use super::limit::Budget;
use super::memory::Memory;
use super::notes::Notes;
use super::{dates, each, labels};
use crate::base::{Fault, SeriesKey};
use core::time::Duration;
use std::collections::HashMap;

/// Prometheus' look-back.
pub(super) const LOOK_BACK: Millis = 5 * 60 * 1000;

/// What the whole query asks for: `start()`, `end()`, `step()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) start: Millis,
    pub(super) end: Millis,
    pub(super) step: Millis,
    /// Of a sub-query that names none.
    pub(super) default_step: Millis,
}

/// A value worked out before, with what had to be said about it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    value: Computed,
    notes: Notes,
    coverage: Option<Coverage>,
}

/// Cells that are kept to be shared: 16 MiB.
const MOST_SHARED: usize = 2 * 1024 * 1024;

/// Values by node and time.
#[derive(Debug, Default)]
pub(super) struct Shared {
    known: HashMap<(u128, Grid), Known>,
    cells: usize,
}

impl Shared {
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.cells = 0;
    }

    fn insert(&mut self, place: (u128, Grid), known: Known) {
        let cells = match &known.value {
            Computed::Vector(frame) => frame.values.len(),
            Computed::Scalar(_) | Computed::Text(_) => 0,
        };
        if self.cells + cells < MOST_SHARED {
            self.cells += cells + 1;
            self.known.insert(place, known);
        }
    }
}

/// One evaluation.
pub(super) struct Run<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) semantics: Semantics,
    pub(super) query: Query,
    pub(super) memory: &'a mut Memory,
    pub(super) shared: &'a mut Shared,
    pub(super) notes: Notes,
    pub(super) budget: Budget,
    pub(super) coverage: Option<Coverage>,
    /// How far sub-queries around the node look back, in milliseconds.
    pub(super) around: Millis,
    pub(super) points: Vec<(Millis, f64)>,
}

impl Run<'_> {
    /// The value of a node at every time of a grid.
    pub(super) fn eval(&mut self, node: &Node, grid: Grid) -> Result<Computed, Fault> {
        if node.fixed() && grid.count > 1 {
            let once = self.eval(node, Grid::at(grid.start))?;
            if let Computed::Vector(frame) = &once {
                self.budget.frame(frame.keys.rows.len(), grid.count)?;
            }
            return Ok(once.broadcast(grid.count));
        }
        let shareable = matches!(node.plan(), Plan::Select(_) | Plan::Call(_) | Plan::Aggregate(_)) && grid.count == 1;
        if !shareable {
            return self.compute(node, grid);
        }
        let place = (node.digest(), grid);
        if let Some(known) = self.shared.known.get(&place) {
            self.notes.merge(&known.notes);
            let Known { value, coverage, .. } = known.clone();
            self.cover(coverage);
            return Ok(value);
        }
        let outer = (core::mem::take(&mut self.notes), self.coverage.take());
        let value = self.compute(node, grid);
        let inner = (core::mem::replace(&mut self.notes, outer.0), core::mem::replace(&mut self.coverage, outer.1));
        if !inner.0.is_empty() {
            self.notes.merge(&inner.0);
        }
        self.cover(inner.1);
        let value = value?;
        self.shared.insert(place, Known { value: value.clone(), notes: inner.0, coverage: inner.1 });
        Ok(value)
    }

    fn compute(&mut self, node: &Node, grid: Grid) -> Result<Computed, Fault> {
        match node.plan() {
            Plan::Number(number) => Ok(Computed::Scalar(vec![*number; grid.count])),
            Plan::Text(text) => Ok(Computed::Text(text.clone())),
            Plan::Select(select) => self.select(select, grid, |_, value| value).map(Computed::Vector),
            Plan::Range(..) | Plan::Subquery(_) => Err(Fault::new("a range vector stands where it has no meaning.")),
            Plan::Call(call) => self.call(node, call, grid),
            Plan::Aggregate(aggregate) => self.aggregate(node, aggregate, grid).map(Computed::Vector),
            Plan::Binary(binary) => self.binary(node, binary, grid),
            Plan::Negate(of) => Ok(match self.eval(of, grid)? {
                Computed::Scalar(numbers) => Computed::Scalar(numbers.into_iter().map(|number| -number).collect()),
                Computed::Vector(frame) => Computed::Vector(frame.map(|value| -value).without_names()),
                text @ Computed::Text(_) => text,
            }),
        }
    }

    /// The time that a selector means when the evaluation is at `time`.
    pub(super) fn shifted(&self, shift: Shift, time: Millis) -> Millis {
        let base = match shift.at {
            None => time,
            Some(At::Time(at)) => at,
            Some(At::Start) => self.query.start,
            Some(At::End) => self.query.end,
        };
        base.saturating_sub(shift.offset)
    }

    /// An instant selector; `give` makes the value of a point's time and value.
    fn select(&mut self, select: &Select, grid: Grid, give: impl Fn(Millis, f64) -> f64) -> Result<Frame, Fault> {
        let selection = self.memory.selection(self.source, select);
        let cells = self.budget.frame(selection.handles.len(), grid.count)?;
        let within = match self.semantics {
            Semantics::Prometheus => Some(LOOK_BACK),
            Semantics::Console => None,
        };
        let mut values = Vec::with_capacity(cells);
        for handle in selection.handles.iter() {
            for time in grid.times() {
                let point = self.source.latest(*handle, self.shifted(select.shift, time), within);
                values.push(point.map_or(ABSENT, |(at, value)| give(at, value)));
            }
        }
        // Without a sub-query around it, a selector looks back by its offset alone.
        let last = grid.last();
        let (until, back) = match self.around {
            0 => (last, select.shift.offset),
            around => (self.shifted(select.shift, last), around),
        };
        self.note_coverage(&selection.handles, until, back);
        Ok(Frame { keys: selection.keys, nameless: false, width: grid.count, values })
    }

    /// Remembers how much of a span that ends at `until` was recorded, if that is less than asked.
    pub(super) fn note_coverage(&mut self, handles: &[super::super::source::Handle], until: Millis, span: Millis) {
        if self.semantics == Semantics::Prometheus || span <= 0 {
            return;
        }
        let Some(since) = handles.iter().map(|handle| self.source.recorded_since(*handle)).max() else { return };
        let have = until.saturating_sub(since).clamp(0, span);
        let millis = |span: Millis| Duration::from_millis(u64::try_from(span).unwrap_or_default());
        self.cover((have < span).then(|| Coverage { have: millis(have), want: millis(span) }));
    }

    /// Keeps the worst coverage; of equals the longest.
    fn cover(&mut self, coverage: Option<Coverage>) {
        let share = |coverage: &Coverage| coverage.have.as_secs_f64() / coverage.want.as_secs_f64().max(0.001);
        let worse = |new: &Coverage, old: &Coverage| {
            share(new) < share(old) || (share(new) <= share(old) && new.want > old.want)
        };
        if let Some(new) = coverage.filter(|new| self.coverage.as_ref().is_none_or(|old| worse(new, old))) {
            self.coverage = Some(new);
        }
    }

    /// The vector that a node gives.
    pub(super) fn vector(&mut self, node: Option<&Node>, grid: Grid) -> Result<Frame, Fault> {
        match node.map(|node| self.eval(node, grid)).transpose()? {
            Some(Computed::Vector(frame)) => Ok(frame),
            _ => Ok(self.frame(Vec::new(), grid, Vec::new())),
        }
    }

    /// The number that a node gives at each step.
    pub(super) fn numbers(&mut self, node: Option<&Node>, grid: Grid) -> Result<Vec<f64>, Fault> {
        Ok(node.map(|node| self.eval(node, grid)).transpose()?.map(Computed::numbers).unwrap_or_default())
    }

    /// A frame of new rows.
    pub(super) fn frame(&mut self, rows: Vec<SeriesKey>, grid: Grid, values: Vec<f64>) -> Frame {
        Frame { keys: self.memory.keys(rows, Vec::new()), nameless: false, width: grid.count, values }
    }

    fn call(&mut self, node: &Node, call: &Call, grid: Grid) -> Result<Computed, Fault> {
        let arg = |at: usize| call.args.get(at);
        let seconds = |millis: Millis| millis as f64 / 1000.0;
        let scalar = |number: f64| Ok(Computed::Scalar(vec![number; grid.count]));
        let Query { start, end, step, .. } = self.query;
        match call.function {
            Function::Over(function) => self.over(function, call, grid).map(Computed::Vector),
            Function::Each(function) => {
                let frame = self.vector(arg(0), grid)?;
                Ok(Computed::Vector(frame.map(|value| each::each(function, value)).without_names()))
            }
            Function::Date(part) => Ok(Computed::Vector(if call.args.is_empty() {
                #[expect(clippy::integer_division, reason = "Prometheus cuts off to whole seconds")]
                let values = grid.times().map(|time| dates::part(part, (time / 1000) as f64)).collect();
                self.frame(vec![labels::empty()], grid, values)
            } else {
                self.vector(arg(0), grid)?.map(|value| dates::part(part, value)).without_names()
            })),
            Function::Time => Ok(Computed::Scalar(grid.times().map(seconds).collect())),
            Function::Timestamp => match arg(0).map(Node::plan) {
                Some(Plan::Select(select)) => {
                    self.select(select, grid, |at, _| seconds(at)).map(|frame| Computed::Vector(frame.without_names()))
                }
                _ => Ok(Computed::Vector(self.times_of(arg(0), grid)?)),
            },
            Function::Pi => scalar(core::f64::consts::PI),
            Function::Start => scalar(seconds(start)),
            Function::End => scalar(seconds(end)),
            Function::QueryRange => scalar(seconds(end - start)),
            Function::Step => scalar(if start == end { 0.0 } else { seconds(step) }),
            Function::MaxOf | Function::MinOf => {
                let (left, right) = (self.numbers(arg(0), grid)?, self.numbers(arg(1), grid)?);
                let pick = if call.function == Function::MaxOf { each::larger } else { each::smaller };
                Ok(Computed::Scalar(left.into_iter().zip(right).map(|(a, b)| pick(a, b)).collect()))
            }
            Function::Scalar => Ok(Computed::Scalar(self.vector(arg(0), grid)?.singles())),
            Function::Vector => {
                let values = self.numbers(arg(0), grid)?;
                Ok(Computed::Vector(self.frame(vec![labels::empty()], grid, values)))
            }
            Function::Absent => self.absent(arg(0), grid).map(Computed::Vector),
            Function::Clamp | Function::ClampMax | Function::ClampMin | Function::Round => {
                self.bounded(call, grid).map(Computed::Vector)
            }
            Function::HistogramQuantile | Function::HistogramFraction | Function::HistogramQuantiles => {
                self.histogram(node, call, grid).map(Computed::Vector)
            }
            Function::LabelReplace => self.label_replace(node, call, grid).map(Computed::Vector),
            Function::LabelJoin => self.label_join(node, call, grid).map(Computed::Vector),
            Function::Sort | Function::SortDesc | Function::SortByLabel | Function::SortByLabelDesc => {
                self.sort(call, grid).map(Computed::Vector)
            }
        }
    }

    /// The time of evaluation where a row has a value.
    fn times_of(&mut self, node: Option<&Node>, grid: Grid) -> Result<Frame, Fault> {
        let mut frame = self.vector(node, grid)?;
        for row in frame.values.chunks_exact_mut(grid.count) {
            for (value, time) in row.iter_mut().zip(grid.times()).filter(|(value, _)| super::frame::is_present(**value))
            {
                *value = time as f64 / 1000.0;
            }
        }
        Ok(frame.without_names())
    }

    /// `clamp` and `round`: functions of a vector with numbers that may differ from step to step.
    fn bounded(&mut self, call: &Call, grid: Grid) -> Result<Frame, Fault> {
        let mut frame = self.vector(call.args.first(), grid)?;
        let first = self.numbers(call.args.get(1), grid)?;
        let second = self.numbers(call.args.get(2), grid)?;
        let pick = |numbers: &[f64], column: usize, default: f64| numbers.get(column).copied().unwrap_or(default);
        for row in frame.values.chunks_exact_mut(grid.count) {
            for (column, value) in row.iter_mut().enumerate().filter(|(_, value)| super::frame::is_present(**value)) {
                let (least, most) = match call.function {
                    Function::Round => {
                        *value = each::rounded(*value, pick(&first, column, 1.0));
                        continue;
                    }
                    Function::ClampMin => (pick(&first, column, f64::NAN), f64::INFINITY),
                    Function::ClampMax => (f64::NEG_INFINITY, pick(&first, column, f64::NAN)),
                    _ => (pick(&first, column, f64::NAN), pick(&second, column, f64::NAN)),
                };
                *value = if most < least { ABSENT } else { each::larger(least, each::smaller(most, *value)) };
            }
        }
        Ok(frame.without_names())
    }

    /// 1 wherever a vector is empty, under the labels that its selector names.
    fn absent(&mut self, node: Option<&Node>, grid: Grid) -> Result<Frame, Fault> {
        let frame = self.vector(node, grid)?;
        let mut values = vec![1.0; grid.count];
        for row in frame.rows() {
            for (value, found) in values.iter_mut().zip(row) {
                if super::frame::is_present(*found) {
                    *value = ABSENT;
                }
            }
        }
        Ok(self.frame(vec![node.map_or_else(labels::empty, labels_of_absence)], grid, values))
    }
}

/// The labels that a selector compares with `=`, each once.
pub(super) fn labels_of_absence(node: &Node) -> SeriesKey {
    let mut key = labels::empty();
    let Some(select) = node.select() else { return key };
    let mut seen: Vec<&str> = Vec::new();
    for matcher in select.selector.matchers.iter().filter(|matcher| matcher.label.as_str() != labels::NAME) {
        let label = matcher.label.as_str();
        let equal = matches!(matcher.op, crate::store::MatchOp::Equal);
        if equal && !seen.contains(&label) {
            key = labels::set(&key, label, matcher.value.as_str());
            seen.push(label);
        } else {
            key = labels::set(&key, label, "");
        }
    }
    key
}

impl Frame {
    /// The value of the only row at each step; NaN when there is none or more than one.
    fn singles(&self) -> Vec<f64> {
        let single = |column: usize| {
            let mut found =
                self.rows().filter_map(|row| row.get(column)).filter(|value| super::frame::is_present(**value));
            match (found.next(), found.next()) {
                (Some(value), None) => *value,
                _ => f64::NAN,
            }
        };
        (0..self.width).map(single).collect()
    }
}
