//! OBSERVE or ARMED: every session starts in OBSERVE, arming lapses, and a read-only console cannot be armed.

use crate::base::{Mono, Support};
use core::time::Duration;

/// Arming lapses after this long without a key.
pub const IDLE: Duration = Duration::from_secs(15 * 60);

/// What this console may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For good: `--read-only`, no terminal, an untrusted configuration.
    ReadOnly,
    /// Looking only.
    Observe,
    /// Plans may be confirmed until then.
    Armed {
        /// Moved on by every key.
        until: Mono,
    },
}

impl Mode {
    /// After the arming plan was accepted; a read-only console stays what it is.
    #[must_use]
    pub fn arm(self, now: Mono) -> Self {
        if self == Self::ReadOnly { self } else { Self::Armed { until: now + IDLE } }
    }

    /// Back to looking: on the key, a lost terminal, suspension.
    #[must_use]
    pub fn disarm(self) -> Self {
        if self == Self::ReadOnly { self } else { Self::Observe }
    }

    /// A key came: the idle time starts again, unless it was over.
    #[must_use]
    pub fn touch(self, now: Mono) -> Self {
        match self.lapse(now) {
            Self::Armed { .. } => Self::Armed { until: now + IDLE },
            other => other,
        }
    }

    /// OBSERVE once the idle time is over.
    #[must_use]
    pub fn lapse(self, now: Mono) -> Self {
        match self {
            Self::Armed { until } if now >= until => Self::Observe,
            other => other,
        }
    }

    /// The word on every screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "READ-ONLY",
            Self::Observe => "OBSERVE",
            Self::Armed { .. } => "ARMED",
        }
    }

    /// How long the arming still lasts.
    pub fn left(self, now: Mono) -> Option<Duration> {
        match self {
            Self::Armed { until } => Some(until.since(now)),
            _ => None,
        }
    }
}

/// What the console is allowed when a prompt opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// OBSERVE, ARMED or READ-ONLY.
    pub mode: Mode,
    /// The support level granted to this login.
    pub support: Support,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arming_lapses_and_read_only_never_arms() {
        let at = |s| Mono::default() + Duration::from_secs(s);
        let armed = Mode::Observe.arm(at(0)).touch(at(600));
        assert_eq!(armed.lapse(at(600 + 899)).word(), "ARMED");
        assert_eq!(armed.lapse(at(600 + 900)), Mode::Observe);
        assert_eq!(armed.touch(at(600 + 900)), Mode::Observe);
        assert_eq!(Mode::ReadOnly.arm(at(0)), Mode::ReadOnly);
    }
}
