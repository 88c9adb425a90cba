//! Every lint: its id never changes and is never given to another one.

use crate::base::{Clean, Fault, Place};
use crate::clean;
use core::fmt;

/// A lint.
#[derive(Debug, PartialEq, Eq)]
pub struct Lint {
    /// `WK001`.
    pub id: &'static str,
    /// A few words.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// How to mend it.
    pub mend: &'static str,
}

/// A lint that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub lint: &'static Lint,
    /// What it is about: the rule's name, or the pane's title.
    pub about: Clean,
    /// What is wrong here, and where.
    pub fault: Fault,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { what, at, hint, .. } = &self.fault;
        if let Some(at) = at {
            write!(f, "{at}: ")?;
        }
        write!(f, "{} ", self.lint.id)?;
        if !self.about.as_str().is_empty() {
            write!(f, "`{}`: ", self.about)?;
        }
        match hint {
            Some(hint) => write!(f, "{what} {hint}"),
            None => write!(f, "{what}"),
        }
    }
}

impl Found {
    pub(super) fn new(lint: &'static Lint, about: &Clean, at: Option<Place>, what: impl AsRef<str>) -> Self {
        Self { lint, about: about.clone(), fault: Fault { at, ..Fault::new(what) } }
    }

    pub(super) fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.fault = self.fault.hint(hint);
        self
    }

    /// It says that a metric never comes.
    pub fn is_absence(&self) -> bool {
        self.lint == NO_MAKER
    }

    /// As a fault among others: the id stands in the sentence.
    pub fn into_fault(self) -> Fault {
        let Self { lint, about, fault } = self;
        let about = if about.as_str().is_empty() { Clean::default() } else { clean!("`{about}`: ") };
        Fault { what: clean!("{} {about}{}", lint.id, fault.what), ..fault }
    }
}

pub(super) const COUNTER_FUNCTION: &Lint = &Lint {
    id: "WK001",
    title: "a counter function over a gauge",
    why: "rate, irate, increase and resets take every fall for the restart of a counter. Over a value that may fall \
          they report a rise where there is none: rate(training_loss[10m]) > 0 fires while training goes well.",
    mend: "Use deriv(), delta() or idelta() for the slope of a gauge. If the metric is a counter, give it a name that \
           ends in _total.",
};
pub(super) const GAUGE_FUNCTION: &Lint = &Lint {
    id: "WK002",
    title: "a gauge function over a counter",
    why: "deriv, delta, predict_linear and averages know nothing of restarts: when the process restarts, its counter \
          falls to zero, and they report a steep fall.",
    mend: "Use rate() or increase(), and predict or average what they give.",
};
pub(super) const TOO_COARSE: &Lint = &Lint {
    id: "WK003",
    title: "the histogram's resolution is too coarse",
    why: "A quantile is interpolated between the bounds of a bucket. Below the first bound every value looks alike, \
          and above the last finite bound the quantile stays at that bound: a threshold there says nothing of the \
          values.",
    mend: "Give the histogram buckets on both sides of the threshold, or compare with a threshold between its bounds.",
};
pub(super) const SEVERITY: &Lint = &Lint {
    id: "WK004",
    title: "a severity without a row in the escalation matrix",
    why: "By the severity the console knows how soon somebody must answer and to whom it goes next. A word that it \
          does not know counts as MAJOR, which may be too late or too loud.",
    mend: "Use a word of the matrix in labels.severity, or add the word to [severities] of the profile.",
};
pub(super) const HOLE: &Lint = &Lint {
    id: "WK005",
    title: "a band with a hole that nothing says is meant",
    why: "Between the normal range and a limit lies a range that nobody gave a level. It may be an oversight.",
    mend: "Let the limits meet, or say with `outside` or `below_normal` which level the range has.",
};
pub(super) const UNIT: &Lint = &Lint {
    id: "WK006",
    title: "a unit that differs from what the metric's name says",
    why: "Names of metrics end in their base unit: _seconds, _bytes, _ratio. Shown in another unit the number is \
          wrong by orders of magnitude, and so is every decision made by it.",
    mend: "Take the unit that the name says, or convert in the expression.",
};
pub(super) const NO_MAKER: &Lint = &Lint {
    id: "WK007",
    title: "a metric that no sampler makes",
    why: "An expression over a metric that never comes is always empty: the alert can never fire, and its silence \
          looks like health.",
    mend: "Correct the name, or add a sampler to the profile that gives the metric.",
};
pub(super) const SHORT_HOLD: &Lint = &Lint {
    id: "WK008",
    title: "`for` is shorter than the interval",
    why: "A rule is looked at once an interval, so an alert cannot be pending for less than that: a shorter `for` \
          waits a whole interval.",
    mend: "Give the group a shorter `interval`, or the rule a `for` of at least the interval.",
};
pub(super) const TEMPLATE: &Lint = &Lint {
    id: "WK009",
    title: "a template that is not understood",
    why: "What is not understood shows as it was written. The alert is not lost, but its text or label is not what \
          was meant, and Prometheus would refuse the whole file.",
    mend: "Correct the construct. Known are Go's text/template and Prometheus' functions for alerts.",
};
pub(super) const UNKNOWN_KEY: &Lint = &Lint {
    id: "WK010",
    title: "a key that is not known",
    why: "Prometheus refuses a file with a key that it does not know. The console passes it over; whatever it was \
          meant to do does not happen.",
    mend: "Remove it, or correct its name.",
};
pub(super) const DROPPED: &Lint = &Lint {
    id: "WK011",
    title: "a sampler that gives more series than are kept",
    why: "So that memory stays bounded, of one sampler so many series are kept, the first to come. Whatever counts or sums \
          the series of that sampler counts too few, and a rule does not see the others.",
    mend: "Let the source give fewer series, or give each part of it a sampler of its own.",
};

/// Every lint, by id.
pub const LINTS: &[&Lint] = &[
    COUNTER_FUNCTION,
    GAUGE_FUNCTION,
    TOO_COARSE,
    SEVERITY,
    HOLE,
    UNIT,
    NO_MAKER,
    SHORT_HOLD,
    TEMPLATE,
    UNKNOWN_KEY,
    DROPPED,
];

/// What a lint means, as lines; letter case does not count.
///
/// # Errors
/// No lint has this id.
pub fn explain(id: &str) -> Result<[Clean; 3], Fault> {
    let wanted = id.to_ascii_uppercase();
    let found = LINTS.iter().find(|lint| lint.id == wanted);
    let lint = found.ok_or_else(|| {
        let ids: Vec<&str> = LINTS.iter().map(|lint| lint.id).collect();
        Fault::new(format!("no lint is called `{id}`.")).hint(format!("Known are {}.", ids.join(", ")))
    })?;
    Ok([clean!("{}: {}", lint.id, lint.title), Clean::from(lint.why), clean!("To mend it: {}", lint.mend)])
}
