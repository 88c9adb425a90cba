//! Prometheus' own files of rules and of rule tests, read with places. One broken rule does not take the others along.
//! `RuleFile::parse` is the door for rules; `yaml` is the one module that knows the YAML crate, and bounds what it takes.

mod fields;
mod groups;
pub mod lengths;
pub mod yaml;

#[cfg(test)]
mod tests;

pub use fields::Fields;
pub use groups::offset;
