//! Whether a login may do something, as far as that can be known before it is tried.

use crate::base::{Clean, Fault, Support};

/// What is known of a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nothing stands in the way.
    May,
    /// Nobody could tell, and what it may lack.
    Unknown(Lack),
    /// It may not.
    Lacks(Lack),
}

/// What a login lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What many actions may lack alike.
    pub need: Need,
    /// The whole reason.
    pub fault: Fault,
}

/// What would let the login do it; what somebody can add comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// This rule of sudo.
    Sudo(Clean),
    /// A rule of polkit: for this unit of systemd and this verb.
    Polkit(Clean, &'static str),
    /// A rule of polkit for this action of it as a whole.
    PolkitAction(&'static str),
    /// A program that is here and can be trusted.
    Program,
    /// Rights to files.
    Files,
    /// A support level.
    Level(Support),
    /// The word of whoever is asked for it: its server, the owner of a process.
    Asking,
}

impl Right {
    /// What is lacking.
    pub fn lacks(self) -> Option<Lack> {
        if let Self::Lacks(lack) = self { Some(lack) } else { None }
    }

    /// Both are needed: what is known to lack counts before what nobody could tell.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::May, other) => other,
            (Self::Unknown(_), Self::Lacks(lack)) => Self::Lacks(lack),
            (first, _) => first,
        }
    }

    /// For a plan: what nobody could tell is said there.
    ///
    /// # Errors
    /// What is lacking refuses it.
    pub fn doubt(self) -> Result<Option<Clean>, Fault> {
        match self {
            Self::May => Ok(None),
            Self::Unknown(lack) => Ok(Some(Clean::text(lack.fault.to_string()))),
            Self::Lacks(lack) => Err(lack.fault),
        }
    }

    /// Nobody can tell, for this reason.
    pub fn unknown(need: Need, fault: Fault) -> Self {
        Self::Unknown(Lack { need, fault })
    }

    /// It may not, and this is why.
    pub fn without(need: Need, fault: Fault) -> Self {
        Self::Lacks(Lack { need, fault })
    }
}
