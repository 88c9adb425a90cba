//! The evaluator: a plan over a source gives an answer, for one moment or for every step of a range.
//! Pure: `Evaluator` is all that is public, and each evaluation is one `run::Run`, which counts its work and gives up
//! with a sentence when that grows out of bounds.
//! A node's value is a `frame::Frame`: a table of rows and steps, so that a range query is one walk of the plan.
//! Names are dropped at the end (`delayed name removal`), as Prometheus' own test scripts expect it.
//!
//! Families: `over` and `counter` and `regression` (ranges), `each` (single values), `dates`, `relabel` (labels and
//! order), `histogram`, `aggregate` and `top` and `values` (aggregations), `binary` and `sets` (operators).
//! Source of every rule: the documentation and test scripts of Prometheus 3.

mod aggregate;
mod answer;
mod binary;
mod counter;
mod dates;
mod each;
mod evaluator;
mod frame;
mod histogram;
mod labels;
mod limit;
mod memory;
mod notes;
mod over;
mod quantile;
mod ranges;
mod regression;
mod relabel;
mod run;
mod sets;
mod sum;
mod top;
mod values;

pub use evaluator::{Evaluator, Semantics};
