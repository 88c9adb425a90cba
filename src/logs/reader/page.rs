//! What is asked of a log and what comes back: rows around a place. The one trait behind which files, pipes and the
//! console's rings look alike.

use crate::base::{LogLine, Wall};
use crate::logs::clocks::Clocks;
use core::time::Duration;

/// One line where it lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its first place.
    pub place: u64,
    /// The place after it.
    pub next: u64,
    /// Which source it came from.
    pub source: u16,
    /// True while its writer has not ended it.
    pub open: bool,
    /// The line, whole: time and level are read out of it and stay in it.
    pub line: LogLine,
    /// About when, where the line itself does not say: when it was read, or when the line before it was written.
    pub about: Option<Wall>,
    /// By how much its source's clock has gone back before it.
    pub back: Option<Duration>,
}

impl Row {
    /// When it was written, or about when.
    pub fn time(&self) -> Option<Wall> {
        self.line.time.or(self.about)
    }
}

/// Around where rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The oldest line.
    Start,
    /// After the newest line.
    End,
    /// The line that holds this place.
    At(u64),
}

/// A wish for rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Given back with the page.
    pub id: u64,
    /// Around where.
    pub from: From,
    /// So many rows before it.
    pub back: usize,
    /// So many rows from it on.
    pub ahead: usize,
}

/// Rows one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Of which wish.
    pub id: u64,
    /// Oldest first; the end of each is the beginning of the next.
    pub rows: Vec<Row>,
    /// How many of them lie before what was asked for.
    pub before: usize,
    /// Nothing lies before them.
    pub first: bool,
    /// Nothing lies behind them.
    pub last: bool,
    /// What kept it from being whole, as a sentence.
    pub fault: Option<crate::base::Fault>,
}

impl Page {
    /// Notes where a source's clock has gone back, as far as the rows show it.
    pub(in crate::logs) fn tell_clocks(&mut self) {
        let mut clocks = Clocks::default();
        for row in &mut self.rows {
            row.back = clocks.hear(usize::from(row.source), &row.line);
        }
    }
}

/// Where a pane's lines come from.
pub trait Lines {
    /// The rows around a place, as many as there are.
    fn page(&mut self, want: &Want) -> Page;
}
