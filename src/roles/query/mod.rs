//! `watchkeeper query`: one expression, one answer. Called by the command line alone.
//!
//! The points come from the samplers of a profile, run headless for as long as the expression needs, or from a file of
//! series. The answer goes to standard output as a table, a chart or the JSON of Prometheus' HTTP API; everything said
//! about it (warnings, coverage, what was waited for) goes to standard error.
//! Exit status: 0 an answer, 1 an empty one, 2 none, with the reason.
//!
//! `ask` is the command line, `moment` its times and spans, `file` reads series, `answer`
//! evaluates and says the outcome; `json`, `table` and `plot` are the three ways to print.

pub mod answer;
pub mod ask;
mod file;
pub mod json;
mod moment;
mod plot;
mod table;

pub use answer::run;
pub use ask::Ask;
pub(super) use json::number;
pub(super) use moment::{Span, told};
pub(super) use table::series;
