//! Which lines a pane shows: the level chosen by a key and the filter that was typed, as one.

use super::pane::{Ask, LogPane, thousands};
use crate::base::{Clean, Fault};
use crate::clean;
use crate::logs::Filter;
use std::sync::Arc;

/// Levels by key: all lines, then these.
const LEVELS: [&str; 2] = ["level>=warn", "level>=error"];

/// How the sieve stands, as told by whoever has the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sifted {
    /// Lines that pass.
    pub shown: u64,
    /// Of so many looked at.
    pub of: u64,
    /// Lines that pass and ever came, those that have left again too.
    pub come: u64,
    /// Of a hundred; 100 when all have been looked at.
    pub percent: u64,
}

/// A filter and how it does.
#[derive(Debug, Default)]
pub struct Sift {
    text: String,
    level: usize,
    /// What is wrong with the text that is being typed, at which character.
    pub(super) fault: Option<Fault>,
    active: bool,
    state: Sifted,
}

impl Sift {
    /// As typed, without the level.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is asked of lines, whole.
    fn whole(&self) -> String {
        let level = self.level.checked_sub(1).and_then(|at| LEVELS.get(at)).copied().unwrap_or_default();
        format!("{level} {}", self.text).trim().to_owned()
    }
}

impl LogPane {
    /// Keeps what was typed if it is understood.
    pub(super) fn filter(&mut self, text: &str) -> Result<Vec<Ask>, Fault> {
        Filter::parse(text)?;
        text.trim().clone_into(&mut self.sift.text);
        Ok(self.sifting())
    }

    /// All lines, from WARN on, only ERROR.
    pub(super) fn turn_level(&mut self) -> Vec<Ask> {
        self.sift.level = (self.sift.level + 1) % (LEVELS.len() + 1);
        self.sifting()
    }

    /// Esc: all lines again.
    pub(super) fn unsift(&mut self) -> Vec<Ask> {
        (self.sift.text, self.sift.level) = (String::new(), 0);
        self.sifting()
    }

    fn sifting(&mut self) -> Vec<Ask> {
        let whole = self.sift.whole();
        self.sift.fault = None;
        self.sift.active = !whole.is_empty();
        self.sift.state = Sifted::default();
        let filter = Filter::parse(&whole).ok().filter(|filter| !filter.is_empty()).map(Arc::new);
        self.left = None;
        let mut asks = vec![Ask::Sift(filter)];
        asks.extend(self.anew());
        asks
    }

    /// What passes and what has been looked at.
    pub fn sifted(&mut self, state: Sifted) {
        self.sift.state = state;
    }

    /// Whether lines are left out.
    pub fn sifts(&self) -> bool {
        self.sift.active
    }

    /// The filter and its figures, for a line that is always seen while it is on.
    pub fn sieve(&self) -> Option<(Clean, Clean)> {
        let Sifted { shown, of, percent, .. } = self.sift.state;
        let state = if percent < 100 { format!(", {percent} % looked at") } else { String::new() };
        let figures = clean!("shown {} of {}{state}", thousands(shown), thousands(of));
        self.sift.active.then(|| (Clean::text(self.sift.whole()), figures))
    }

    /// Lines that have come, of those that are shown.
    pub(super) fn come(&self) -> u64 {
        if self.sift.active { self.sift.state.come } else { self.status.lines }
    }

    /// What is wrong with the filter that is typed.
    pub fn sift_fault(&self) -> Option<&Fault> {
        self.sift.fault.as_ref()
    }
}
