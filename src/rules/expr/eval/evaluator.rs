//! The evaluator: what is kept between evaluations, and how one begins.

use super::super::parse::Expr;
use super::super::plan::{Node, Plan};
use super::super::source::{Millis, Source};
use super::super::value::{Answer, Track, Value};
use super::answer::instant;
use super::frame::{Computed, Grid};
use super::limit::{Budget, MOST_STEPS};
use super::memory::Memory;
use super::notes::Notes;
use super::run::{Query, Run, Shared};
use crate::base::Fault;
use core::time::Duration;

/// Whose semantics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// Ours at one-second sampling: own look-back of a series, windows clipped to the recording.
    #[default]
    Console,
    /// Exactly Prometheus 3: look-back of 5 minutes, nothing clipped.
    Prometheus,
}

/// The step of a sub-query that names none: Prometheus' default evaluation interval.
const DEFAULT_STEP: Millis = 60_000;

/// Answers expressions over one source, and remembers selections between them. Use one for each source: it takes
/// an unchanged generation for unchanged series.
#[derive(Debug)]
pub struct Evaluator {
    semantics: Semantics,
    default_step: Millis,
    memory: Memory,
    shared: Shared,
    /// For which time and revision of the source `shared` holds.
    shared_for: Option<(Millis, u64)>,
}

impl Default for Evaluator {
    fn default() -> Self {
        Self::new(Semantics::default())
    }
}

impl Evaluator {
    /// An evaluator that remembers nothing yet.
    pub fn new(semantics: Semantics) -> Self {
        let (memory, shared) = (Memory::default(), Shared::default());
        Self { semantics, default_step: DEFAULT_STEP, memory, shared, shared_for: None }
    }

    /// The same with another step of sub-queries that name none; one minute otherwise.
    pub fn with_default_step(mut self, step: Duration) -> Self {
        self.default_step = Millis::try_from(step.as_millis()).unwrap_or(DEFAULT_STEP).max(1);
        self
    }

    /// The value at one moment.
    ///
    /// # Errors
    /// A sentence: the error that Prometheus gives, or a limit of ours.
    pub fn instant(&mut self, expr: &Expr, source: &dyn Source, at: Millis) -> Result<Answer, Fault> {
        let wanted = source.revision().map(|revision| (at, revision));
        if wanted.is_none() || wanted != self.shared_for {
            self.shared.clear();
        }
        self.shared_for = wanted;
        let query = Query { start: at, end: at, step: 1, default_step: self.default_step };
        let grid = Grid::at(at);
        let answer = self.run(source, query, |run| match expr.plan().plan() {
            Plan::Range(..) | Plan::Subquery(_) => run.tracks(expr.plan(), grid),
            _ => {
                let computed = run.eval(expr.plan(), grid)?;
                instant(computed)
            }
        });
        if wanted.is_none() {
            self.shared.clear();
        }
        answer
    }

    /// The values at `start`, `start + step` … up to `end`; the answer is a matrix.
    ///
    /// # Errors
    /// As [`Evaluator::instant`].
    pub fn range(
        &mut self,
        expr: &Expr,
        source: &dyn Source,
        (start, end): (Millis, Millis),
        step: Duration,
    ) -> Result<Answer, Fault> {
        let step = Millis::try_from(step.as_millis()).unwrap_or(Millis::MAX);
        if step < 1 || end < start {
            return Err(Fault::new("a range needs a step of at least a millisecond and an end after its start."));
        }
        let count = usize::try_from(end.saturating_sub(start).div_euclid(step)).unwrap_or(usize::MAX).saturating_add(1);
        if count > MOST_STEPS {
            return Err(Fault::new(format!("these are {count} steps; a range has at most {MOST_STEPS}."))
                .hint("Ask for a wider step."));
        }
        self.shared.clear();
        self.shared_for = None;
        let query = Query { start, end, step, default_step: self.default_step };
        let grid = Grid { start, step, count };
        self.run(source, query, |run| {
            let computed = match expr.plan().plan() {
                Plan::Range(..) | Plan::Subquery(_) => {
                    return Err(Fault::new("a range vector has no range: only numbers and instant vectors have."));
                }
                _ => run.eval(expr.plan(), grid)?,
            };
            run.matrix(computed, grid)
        })
    }

    fn run(
        &mut self,
        source: &dyn Source,
        query: Query,
        compute: impl FnOnce(&mut Run<'_>) -> Result<Value, Fault>,
    ) -> Result<Answer, Fault> {
        let mut run = Run {
            source,
            semantics: self.semantics,
            query,
            memory: &mut self.memory,
            shared: &mut self.shared,
            notes: Notes::default(),
            budget: Budget::default(),
            coverage: None,
            around: 0,
            points: Vec::new(),
        };
        let value = compute(&mut run)?;
        let coverage = run.coverage;
        let (warnings, infos) = run.notes.into_parts();
        Ok(Answer { value, warnings, infos, coverage })
    }
}

impl Run<'_> {
    /// The points of a range vector.
    fn tracks(&mut self, node: &Node, grid: Grid) -> Result<Value, Fault> {
        let Some(ranges) = self.ranges(node, grid)? else { return Ok(Value::Matrix(Vec::new())) };
        let until = self.shifted(ranges.shift, grid.start);
        if let super::ranges::Origin::Computed(frame, inner) = ranges.origin {
            return self.matrix(Computed::Vector(frame), inner);
        }
        let mut tracks = Vec::new();
        for (row, key) in ranges.keys.rows.iter().enumerate() {
            self.read(&ranges, row, until.saturating_sub(ranges.range), until)?;
            if !self.points.is_empty() {
                tracks.push(Track { key: key.clone(), points: self.points.clone() });
            }
        }
        tracks.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Value::Matrix(tracks))
    }
}
