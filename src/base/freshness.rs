//! What can be said of a value: known, not supported, unknown; and how old it is.

use super::{Clean, Mono};
use core::time::Duration;

/// The age state of a value (safety.md 4.10 item 7). Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Freshness {
    /// Age at most two intervals and a second, and the last attempt succeeded.
    Live,
    /// Older, or the last attempt failed, but within the look-back.
    Late,
    /// Beyond the look-back: shown as `—`, never with a health colour.
    Stale,
    /// The source answers "bad".
    Failed,
    /// Never seen, or not permitted.
    Unknown,
}

impl Freshness {
    /// Judges an `age` against the sampling `interval`; `failing` is whether the last attempt failed.
    pub fn judge(age: Duration, interval: Duration, failing: bool) -> Self {
        if age > Self::lookback(interval) {
            Self::Stale
        } else if failing || age > interval * 2 + Duration::from_secs(1) {
            Self::Late
        } else {
            Self::Live
        }
    }

    /// How long a value of this sampling interval is believed.
    pub fn lookback(interval: Duration) -> Duration {
        (interval * 3 + Duration::from_secs(1)).max(Duration::from_secs(5))
    }

    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "LIVE",
            Self::Late => "LATE",
            Self::Stale => "STALE",
            Self::Failed => "FAILED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Why a value is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No answer has come yet since the console started.
    NotYet,
    /// The sampler answers, but without this series.
    NoSuchSeries,
    /// What is asked for is there, but the expression has no value for it now.
    Empty,
    /// The last answer was a failure; its sentence.
    Failed(Clean),
    /// A person or the kernel refused.
    NotPermitted(Clean),
}

/// One value as it stands now. Zero is a value; absence is not.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// Seen at `seen`; `freshness` says whether it may still be believed.
    Value {
        /// In the series' base unit.
        value: f64,
        /// When it was observed.
        seen: Mono,
        /// LIVE, LATE or STALE.
        freshness: Freshness,
        /// The sentence of the last failure, if the last attempt failed.
        failing: Option<Clean>,
    },
    /// The source says that it does not have this.
    NotSupported,
    /// Not known, and why.
    Unknown(Unknown),
}

impl Reading {
    /// The value, unless it is stale or absent: what rules and preconditions may use.
    pub fn usable(&self) -> Option<f64> {
        match self {
            Self::Value { value, freshness: Freshness::Live | Freshness::Late, .. } => Some(*value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ages_from_live_to_stale() {
        let every = Duration::from_secs(2);
        let at = |ms| Freshness::judge(Duration::from_millis(ms), every, false);
        assert_eq!(
            [at(0), at(5_000), at(5_001), at(7_000), at(7_001)],
            [Freshness::Live, Freshness::Live, Freshness::Late, Freshness::Late, Freshness::Stale]
        );
        assert_eq!(Freshness::judge(Duration::ZERO, every, true), Freshness::Late);
    }

    #[test]
    fn a_stale_value_is_not_usable() {
        let stale = Reading::Value { value: 1.0, seen: Mono(0), freshness: Freshness::Stale, failing: None };
        assert_eq!(stale.usable(), None);
    }
}
