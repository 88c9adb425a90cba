//! What a rule found, as every view shows it.

use crate::base::severity::Severity;
use crate::base::time::Span;
use crate::base::{Clean, Level, Now, SeriesKey, Wall};
use crate::clean;
use core::time::Duration;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// Nothing was found.
    Inactive,
    /// Bad, but not yet for long enough.
    Pending,
    /// Bad for long enough.
    Firing,
    /// It fired, and is not bad any more, but not yet for long enough.
    Clearing,
    /// It fired, and is over.
    Resolved,
    /// No data for five minutes: an alert that fired keeps its level, of any other nothing is known.
    NoData,
}

impl FindingState {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inactive => "INACTIVE",
            Self::Pending => "PENDING",
            Self::Firing => "FIRING",
            Self::Clearing => "CLEARING",
            Self::Resolved => "RESOLVED",
            Self::NoData => "UNKNOWN",
        }
    }

    /// It fires, or fired and nobody has seen it end.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Firing | Self::Clearing | Self::NoData)
    }
}

/// Which alert: the same over a restart of the console.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertId {
    /// The rule's place in the book.
    pub rule: usize,
    /// The alert's labels, `alertname` apart; the name is the rule's.
    pub key: SeriesKey,
}

/// Somebody has it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ack {
    /// Login that took it.
    pub by: Clean,
    /// What they wrote.
    pub note: Clean,
    /// When.
    pub at: Wall,
}

/// One alert of one rule.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which.
    pub id: AlertId,
    /// Where it stands.
    pub state: FindingState,
    /// How bad; UNKNOWN when data was lost before it fired.
    pub level: Level,
    /// Row of the escalation matrix.
    pub severity: Severity,
    /// Since when it stands so; a firing alert that grew worse keeps it.
    pub since: Now,
    /// The last value, in base units; NaN when there was none yet.
    pub value: f64,
    /// Without live data for so long; `None` while data comes.
    pub no_data_for: Option<Duration>,
    /// First firing of this episode: where response clocks start. `None` while it is not up.
    pub fired: Option<Now>,
    /// How often it fired in the last hour.
    pub flaps: u32,
    /// Who has it.
    pub ack: Option<Ack>,
    /// Until when a silence mutes it.
    pub silenced_until: Option<Wall>,
    /// The alert that explains it: it is folded under that one.
    pub cause: Option<AlertId>,
}

/// How a rule itself is doing, beside its alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleHealth {
    /// Evaluated, with data.
    Ok,
    /// Evaluated without a side of an `or` whose source gives nothing: the other one is there.
    Instead {
        /// Who is missing, and why.
        without: Clean,
    },
    /// No data of it has come yet.
    NotYet,
    /// Its window is covered less than 80 %: never OK until then.
    Warming {
        /// Time until it is ready.
        ready_in: Duration,
    },
    /// It asks for more history than is kept here, or for a metric that no sampler makes.
    NotEvaluable(Clean),
    /// A sampler that it needs is late or fails: its alerts keep their state.
    NoData {
        /// Which sampler, and what it says.
        why: Clean,
    },
    /// The last evaluation failed: its alerts keep their state.
    Error(Clean),
}

impl RuleHealth {
    /// The sentence that a person reads; `None` when all is well.
    pub fn sentence(&self) -> Option<Clean> {
        match self {
            Self::Ok => None,
            Self::Instead { without } => Some(clean!("judged by the other source, without {without}")),
            Self::NotYet => Some(Clean::from("no data has come yet.")),
            Self::Warming { ready_in } => Some(clean!("warming: ready in {}.", Span(*ready_in))),
            Self::NotEvaluable(why) => Some(clean!("not evaluable here: {why}")),
            Self::NoData { why } => Some(clean!("no data: {why}")),
            Self::Error(why) => Some(why.clone()),
        }
    }
}

/// An alert moved, or a firing one changed its level.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Which.
    pub id: AlertId,
    /// State and level before.
    pub from: (FindingState, Level),
    /// State and level now.
    pub to: (FindingState, Level),
    /// When it was judged.
    pub at: Now,
    /// The last value.
    pub value: f64,
}
