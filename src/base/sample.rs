//! What a sampler emits: points, log lines, and how the attempt itself went.

use super::{Clean, Now, Unknown, Wall};
use core::time::Duration;
use std::sync::Arc;

/// Label pairs, sorted by name, without the metric name. Shared, since a series keeps the same ones for life.
pub type Labels = Arc<[(Clean, Clean)]>;

/// A series' identity: metric name and labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesKey {
    /// Prometheus metric name, in base units (`_seconds`, `_bytes`, `_total`, `_ratio`).
    pub name: Clean,
    /// Sorted by label name.
    pub labels: Labels,
}

impl SeriesKey {
    /// A key from loose label pairs; sorts them.
    pub fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let mut pairs: Vec<(Clean, Clean)> =
            labels.iter().map(|(name, value)| (Clean::text(name), Clean::text(value))).collect();
        pairs.sort();
        Self { name: Clean::text(name), labels: pairs.into() }
    }

    /// The value of a label, if present.
    pub fn label(&self, name: &str) -> Option<&Clean> {
        self.labels.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value)
    }
}

/// Prometheus metric type of the family that a point belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PointKind {
    /// Goes up and down.
    #[default]
    Gauge,
    /// Only rises, or falls to zero with its process.
    Counter,
    /// A classic histogram's `_bucket`, `_sum` or `_count`.
    Histogram,
    /// A summary's quantile, `_sum` or `_count`.
    Summary,
    /// The source did not say.
    Untyped,
}

impl PointKind {
    /// The word of the exposition format.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
        }
    }
}

/// One value of one series at the sample's time.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Which series.
    pub key: SeriesKey,
    /// In the metric's base unit; NaN is a value that the source really gave.
    pub value: f64,
    /// The family's type.
    pub kind: PointKind,
}

impl Point {
    /// A gauge.
    pub fn gauge(name: &str, labels: &[(&str, &str)], value: f64) -> Self {
        Self { key: SeriesKey::new(name, labels), value, kind: PointKind::Gauge }
    }

    /// A metric that a profile has named: a counter when the name ends in `_total`, as names of counters do, else a gauge.
    pub fn named(name: &str, labels: &[(&str, &str)], value: f64) -> Self {
        if name.ends_with("_total") { Self::counter(name, labels, value) } else { Self::gauge(name, labels, value) }
    }

    /// A counter.
    pub fn counter(name: &str, labels: &[(&str, &str)], value: f64) -> Self {
        Self { key: SeriesKey::new(name, labels), value, kind: PointKind::Counter }
    }
}

/// What one attempt saw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// The values.
    pub points: Vec<Point>,
    /// Named facts that are not numbers (`"status" → "healthy"`).
    pub facts: Vec<(Clean, Clean)>,
    /// Metrics that this host cannot give, with the reason: NOT SUPPORTED, never zero.
    pub not_supported: Vec<(Clean, Clean)>,
    /// Metrics that this login may not look at, with the reason: UNKNOWN, which is not the same as nothing there.
    pub refused: Vec<(Clean, Clean)>,
}

impl Observation {
    /// Says of these metrics that this login may not look at them, for one reason.
    pub fn refuse(&mut self, names: &[&str], why: &Clean) {
        self.refused.extend(names.iter().map(|name| (Clean::text(name), why.clone())));
    }

    /// Takes over what another look could not give.
    pub fn lack_too(&mut self, other: &Self) {
        self.not_supported.extend_from_slice(&other.not_supported);
        self.refused.extend_from_slice(&other.refused);
    }
}

/// Why an attempt failed, and what it measured all the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// A sentence: where, what, hint.
    pub what: Clean,
    /// True when the source answered, and its answer is "bad" (FAILED, not merely LATE).
    pub answered: bool,
    /// True when it was refused for lack of permission.
    pub not_permitted: bool,
    /// What was seen although the attempt failed (`probe_success 0`, the status of a bad answer, all GPUs but one):
    /// live values and facts.
    pub seen: Observation,
}

impl Failure {
    /// No answer.
    pub fn unreachable(what: impl AsRef<str>) -> Self {
        Self { what: Clean::text(what.as_ref()), answered: false, not_permitted: false, seen: Observation::default() }
    }

    /// An answer that is bad.
    pub fn answered(what: impl AsRef<str>) -> Self {
        Self { what: Clean::text(what.as_ref()), answered: true, not_permitted: false, seen: Observation::default() }
    }

    /// Refused.
    pub fn not_permitted(what: impl AsRef<str>) -> Self {
        Self { what: Clean::text(what.as_ref()), answered: false, not_permitted: true, seen: Observation::default() }
    }

    /// With values that the failed attempt has measured.
    #[must_use]
    pub fn with(mut self, points: impl IntoIterator<Item = Point>) -> Self {
        self.seen.points.extend(points);
        self
    }

    /// With all that was seen beside what failed.
    #[must_use]
    pub fn seeing(mut self, seen: Observation) -> Self {
        self.seen = seen;
        self
    }

    /// The same as a reason for a reading.
    pub fn reason(&self) -> Unknown {
        if self.not_permitted { Unknown::NotPermitted(self.what.clone()) } else { Unknown::Failed(self.what.clone()) }
    }
}

/// One attempt of one sampler: what it saw or why not.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The sampler's name in the profile.
    pub sampler: Arc<str>,
    /// When the attempt ended.
    pub seen: Now,
    /// How long it took.
    pub took: Duration,
    /// How often the supervisor means to ask.
    pub interval: Duration,
    /// When it will ask again, as a span after `seen` (longer than `interval` while backing off).
    pub next_in: Duration,
    /// The values, or the sentence.
    pub outcome: Result<Observation, Failure>,
}

/// Severity of a log line, as the source wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Finest.
    Trace,
    /// For developers.
    Debug,
    /// Normal.
    Info,
    /// Unusual.
    Warn,
    /// Failed.
    Error,
}

impl LogLevel {
    /// Five characters at most.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    /// Reads the common spellings, any case.
    pub fn parse(word: &str) -> Option<Self> {
        const WORDS: &[(&str, LogLevel)] = &[
            ("trace", LogLevel::Trace),
            ("debug", LogLevel::Debug),
            ("info", LogLevel::Info),
            ("notice", LogLevel::Info),
            ("warn", LogLevel::Warn),
            ("warning", LogLevel::Warn),
            ("error", LogLevel::Error),
            ("err", LogLevel::Error),
            ("critical", LogLevel::Error),
            ("fatal", LogLevel::Error),
        ];
        WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, level)| *level)
    }
}

/// One line of a log, already clean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The time written in the line, if one was.
    pub time: Option<Wall>,
    /// The level written in the line, if one was.
    pub level: Option<LogLevel>,
    /// The message; the whole line when no format matched.
    pub message: Clean,
    /// True for a line of our own making, such as "rotated here".
    pub marker: bool,
}
