//! How serious an alert is for people, and by when somebody must answer it.

use super::Level;
use core::time::Duration;

/// A row of the escalation matrix. Ordered by weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record: nobody has to answer, nothing escalates.
    Info,
    /// Somebody should look today.
    Minor,
    /// Somebody should look soon. Also what an unmapped word counts as, loudly.
    #[default]
    Major,
    /// Somebody must act.
    Critical,
}

impl Severity {
    /// Every severity, the lightest first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Minor, Self::Major, Self::Critical];

    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Minor => "MINOR",
            Self::Major => "MAJOR",
            Self::Critical => "CRITICAL",
        }
    }

    /// The word in files, and in what is sent to others.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }

    /// The level that colours it.
    pub const fn level(self) -> Level {
        match self {
            Self::Critical => Level::Critical,
            Self::Major | Self::Minor => Level::Warning,
            Self::Info => Level::Note,
        }
    }
}

/// What the matrix asks for one severity. `Duration::MAX` is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Somebody must answer within this time of the first firing.
    pub respond: Duration,
    /// It is handed to the next support level after this time; zero is at once.
    pub escalate: Duration,
}
