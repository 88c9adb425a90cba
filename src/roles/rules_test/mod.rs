//! `watchkeeper test rules`: unit tests of rules in Prometheus' own test-file format, with Prometheus' semantics.
//! Called by the command line alone. The same files pass `promtool test rules`.
//!
//! `format` reads a test file, `series` its notation of values, `world` plays the rules over the series, `check`
//! compares, `report` prints a line a test and what differs, `junit` writes the same as JUnit XML.

mod check;
mod format;
mod junit;
mod report;
mod series;
mod world;

pub use report::{Ask, run};
