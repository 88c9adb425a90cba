//! `PromQL`: a text becomes an [`Expr`], and an [`Evaluator`] answers it over any [`Source`] of points.
//! Pure. The alert engine, panes, `query`, the linter and rule tests call it; nothing here knows where points come from.
//! `parse` is the one module that knows the parser crate.

pub mod eval;
pub mod function;
pub mod parse;
mod pattern;
pub mod plan;
mod scan;
pub mod source;
pub mod table;
pub mod value;

pub use eval::{Evaluator, Semantics};
pub use function::Function;
pub use parse::Expr;
pub use plan::{Node, Plan};
pub use source::{Ends, Handle, Millis, Source};
pub use table::Table;
pub use value::{Answer, Coverage, Row, Track, Value};
