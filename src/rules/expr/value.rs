//! What an expression gives.

use super::source::Millis;
use crate::base::{Clean, SeriesKey};
use core::time::Duration;

/// One row of an instant vector. The name of `key` is empty where `PromQL` drops it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Name and labels.
    pub key: SeriesKey,
    /// The value.
    pub value: f64,
}

/// One series of a range: points by time.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Name and labels.
    pub key: SeriesKey,
    /// Oldest first.
    pub points: Vec<(Millis, f64)>,
}

/// The four types of `PromQL`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Scalar(f64),
    /// A text.
    Text(Clean),
    /// An instant vector.
    Vector(Vec<Row>),
    /// A range vector, or the answer to a range query.
    Matrix(Vec<Track>),
}

/// How much of the longest window was recorded, where it is less than asked: "10 s of 5 m".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Recorded.
    pub have: Duration,
    /// Asked for.
    pub want: Duration,
}

/// A value with what has to be said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// Annotations of Prometheus that say that the answer may be wrong, each once.
    pub warnings: Vec<Clean>,
    /// Annotations of Prometheus that say that the expression may be meant otherwise, each once.
    pub infos: Vec<Clean>,
    /// `None` when every window was recorded whole.
    pub coverage: Option<Coverage>,
}
