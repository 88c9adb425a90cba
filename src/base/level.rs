//! The level of a value, as a word: never by colour alone.

use core::fmt;

/// How a value stands against its bands. Ordered by how much it needs a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Inside its usual band.
    Ok,
    /// Outside the usual band, nothing to do.
    Note,
    /// Lower than usual.
    BelowNormal,
    /// Not known: absence is never OK.
    #[default]
    Unknown,
    /// Somebody should look soon.
    Warning,
    /// Somebody must act.
    Critical,
}

impl Level {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Note => "NOTE",
            Self::BelowNormal => "BELOW NORMAL",
            Self::Unknown => "UNKNOWN",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
