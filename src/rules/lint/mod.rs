//! Lints: what is suspicious about a rule that can be read. Each has a stable id, an explanation and a way to mend it.
//! Called by `validate` and, when a profile is loaded, by the console; pure, over a rule and what is known of the
//! system it runs on. What is not known is never held against a rule.
//!
//! `table` is every lint; `check` goes through rules and panes; `kinds`, `buckets` and `units` look at expressions.

mod buckets;
mod check;
mod kinds;
mod known;
mod table;
mod units;

#[cfg(test)]
mod tests;

pub use check::{book, file, metric, samplers};
pub use known::Known;
pub use table::{Found, LINTS, Lint, explain};
pub use units::promised;
