//! Evaluation. (Skeleton: the builder of this part replaces the body, the signatures stay.)

use super::parse::Expr;
use super::source::{Millis, Source};
use super::value::Answer;
use crate::base::Fault;
use core::time::Duration;

/// Whose semantics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Semantics {
    /// Ours at one-second sampling (expressions.md 4): own look-back of a series, windows clipped to the recording.
    #[default]
    Console,
    /// Exactly Prometheus 3: look-back of 5 minutes, nothing clipped.
    Prometheus,
}

/// Answers expressions, and remembers selections between them.
#[derive(Debug, Default)]
pub struct Evaluator {
    semantics: Semantics,
}

impl Evaluator {
    /// An evaluator that remembers nothing yet.
    pub fn new(semantics: Semantics) -> Self {
        Self { semantics }
    }

    /// The value at one moment.
    ///
    /// # Errors
    /// A sentence: the error that Prometheus gives, or a limit of ours.
    pub fn instant(&mut self, expr: &Expr, source: &dyn Source, at: Millis) -> Result<Answer, Fault> {
        let _ = (expr, source, at, self.semantics);
        Err(Fault::new("expressions are being built."))
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
        let _ = (expr, source, start, end, step);
        Err(Fault::new("expressions are being built."))
    }
}
