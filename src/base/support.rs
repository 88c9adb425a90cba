//! Support levels: who ought to do something (safety.md 4.7). Not to be mixed with danger, which is how heavy a prompt is.

use super::Clean;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Who ought to do it (safety.md 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Support {
    /// Observer.
    L0,
    /// Operations: what a login may do that nothing is said about.
    #[default]
    L1,
    /// Engineering.
    L2,
    /// Architecture.
    L3,
}

impl Support {
    /// All, the lowest first.
    pub const ALL: [Self; 4] = [Self::L0, Self::L1, Self::L2, Self::L3];

    /// The level with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.to_string() == name)
    }

    /// What these rows grant to a login: the highest of its own name and of its groups (`%group`, as sudoers writes
    /// them), L0 if any of these says so, else what `*` has, else L1.
    pub fn granted(rows: &[(String, Self)], login: &str, groups: &[Clean]) -> Self {
        let names = |name: &str| match name.strip_prefix('%') {
            Some(group) => groups.iter().any(|known| known.as_str() == group),
            None => name == login,
        };
        let mine: Vec<Self> = rows.iter().filter(|(name, _)| names(name)).map(|(_, level)| *level).collect();
        let everybody = || rows.iter().rfind(|(name, _)| name == "*").map(|(_, level)| *level);
        if mine.contains(&Self::L0) {
            return Self::L0;
        }
        mine.into_iter().max().or_else(everybody).unwrap_or_default()
    }

    /// Who that is.
    pub const fn words(self) -> &'static str {
        match self {
            Self::L0 => "L0 observer",
            Self::L1 => "L1 Operations",
            Self::L2 => "L2 Engineering",
            Self::L3 => "L3 Architecture",
        }
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_grant_counts_and_a_denial_wins() {
        let rows = |rows: &[(&str, Support)]| rows.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        let all: Vec<(String, Support)> =
            rows(&[("*", Support::L0), ("ada", Support::L2), ("%sre", Support::L3), ("%guests", Support::L0)]);
        let granted = |login, groups: &[&str]| {
            Support::granted(&all, login, &groups.iter().map(|group| Clean::text(*group)).collect::<Vec<_>>())
        };
        assert_eq!(granted("ada", &[]), Support::L2);
        assert_eq!(granted("ada", &["sre"]), Support::L3);
        assert_eq!(granted("ada", &["sre", "guests"]), Support::L0);
        assert_eq!(granted("sre", &[]), Support::L0, "a login is no group");
        assert_eq!(Support::granted(&[], "bob", &[]), Support::L1);
    }
}
