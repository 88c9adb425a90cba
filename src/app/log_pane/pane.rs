//! The state of a pane, and what answers do to it.

use super::find::Finding;
use crate::base::{Clean, Mono, Wall};
use crate::clean;
use crate::logs::reader::{From, LogStatus, Page, Row, Want};
use std::collections::{BTreeSet, VecDeque};

/// Bookmarks at most.
const BOOKMARKS: usize = 1_000;
/// The rate is a mean over so long.
const RATE: u64 = 2_000_000_000;

/// What a pane asks of whoever has its lines and its screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Rows, as [`LogPane::page`].
    Page(Want),
    /// A search for this pattern round a place; an older one ends. [`LogPane::compiled`] tells.
    Find(String, u64),
    /// The search is over.
    Unfind,
    /// The nearest hit behind a place (or before it), as [`LogPane::landed`]; at the end it begins anew.
    Step(u64, bool),
    /// The hit nearest to a place, as [`LogPane::landed`].
    Nearest(u64),
    /// The first line at or after a time, as [`LogPane::timed`].
    Time(Wall),
    /// Which line this is, as [`LogPane::numbered`].
    Number(u64),
    /// To the clipboard.
    Copy(Vec<Clean>),
    /// Ctrl-Z.
    Suspend,
    /// Ctrl-L.
    Redraw,
    /// Leave.
    Quit,
}

/// What the last line of the screen is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Typing {
    /// Hints.
    #[default]
    Nothing,
    /// A pattern.
    Pattern(String),
    /// A time.
    Time(String),
}

/// A pane on one log.
#[derive(Debug, Default)]
pub struct LogPane {
    /// Rows at hand, without a gap.
    pub(super) rows: VecDeque<Row>,
    /// The rows begin where the log does; they end where it does.
    pub(super) ends: (bool, bool),
    /// Place of the highest row shown; `None` follows the end.
    pub(super) top: Option<u64>,
    /// The row that keys are about, when one was jumped to.
    pub(super) at: Option<u64>,
    pub(super) asked: Option<Want>,
    pub(super) ids: u64,
    /// Where a jump leads to, until its rows are there.
    pub(super) goal: Option<From>,
    pub(super) status: LogStatus,
    /// Lines that had come when the reader left the end.
    pub(super) left: u64,
    /// Columns and rows of the text.
    pub(super) size: (u16, u16),
    pub(super) finding: Option<Finding>,
    pub(super) typing: Typing,
    pub(super) bookmarks: BTreeSet<u64>,
    pub(super) said: Said,
    pub(super) rate: Rate,
}

/// Switches, and the last sentence.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) wrap: bool,
    pub(super) help: bool,
    /// The log has grown since rows were asked for.
    pub(super) grown: bool,
    pub(super) notice: Option<Clean>,
}

#[derive(Debug, Default)]
pub(super) struct Rate {
    since: Mono,
    lines: u64,
    per_second: u64,
}

impl LogPane {
    /// A pane that follows.
    pub fn new() -> Self {
        Self::default()
    }

    /// The room for text has changed. Columns, rows.
    pub fn resize(&mut self, size: (u16, u16)) -> Vec<Ask> {
        self.size = size;
        self.wish()
    }

    /// The log is like this now.
    pub fn learn(&mut self, status: LogStatus, now: Mono) -> Vec<Ask> {
        let grown = status.span != self.status.span || status.lines != self.status.lines;
        let past = now.since(self.rate.since).as_nanos();
        if past >= u128::from(RATE) {
            let lines = status.lines.saturating_sub(self.rate.lines);
            let per_second = u128::from(lines) * 1_000_000_000 / past.max(1);
            let per_second = u64::try_from(per_second).unwrap_or(u64::MAX);
            self.rate = Rate { since: now, lines: status.lines, per_second };
        }
        self.status = status;
        if grown {
            self.rows.retain(|row| !row.open && row.place >= self.status.span.0);
            self.ends.1 = false;
            self.said.grown = self.asked.is_some();
        }
        self.wish()
    }

    /// Rows have come.
    pub fn page(&mut self, page: Page) -> Vec<Ask> {
        if self.asked.is_none_or(|asked| asked.id != page.id) {
            return Vec::new();
        }
        self.asked = None;
        if let Some(fault) = page.fault {
            self.say(clean!("{fault}"));
        }
        let middle = page.rows.get(page.before).or(page.rows.last()).map(|row| row.place);
        self.ends = (page.first, page.last && !core::mem::take(&mut self.said.grown));
        self.rows = page.rows.into();
        match self.goal.take() {
            Some(From::Start) => self.top = self.rows.front().map(|row| row.place),
            Some(From::At(_)) => {
                self.at = middle;
                self.show(middle);
            }
            // What stood at the top may be gone.
            Some(From::End) | None if self.top.is_some_and(|top| self.rows.iter().all(|row| row.place != top)) => {
                self.top = middle;
            }
            Some(From::End) | None => {}
        }
        self.wish()
    }

    /// A jump to a time has led here.
    pub fn timed(&mut self, place: Option<u64>) -> Vec<Ask> {
        match place {
            Some(place) => self.go(place),
            None => {
                self.say("No line here says when it was written.".into());
                Vec::new()
            }
        }
    }

    /// A line has been numbered.
    pub fn numbered(&mut self, number: u64, all: u64) {
        self.say(clean!("line {} of {}", thousands(number), thousands(all)));
    }

    /// Shows a sentence until the next key.
    pub fn say(&mut self, sentence: Clean) {
        self.said.notice = Some(sentence);
    }

    /// Goes to the line that holds a place.
    pub(super) fn go(&mut self, place: u64) -> Vec<Ask> {
        self.leave_end();
        if let Some(row) = self.rows.iter().find(|row| row.place <= place && place < row.next) {
            let place = Some(row.place);
            self.at = place;
            self.show(place);
            return self.wish();
        }
        self.goal = Some(From::At(place));
        self.asked = None;
        self.wish()
    }

    /// Follows the end.
    pub(super) fn follow(&mut self) -> Vec<Ask> {
        (self.top, self.at, self.goal) = (None, None, None);
        self.wish()
    }

    pub(super) fn leave_end(&mut self) {
        if self.top.is_none() {
            self.left = self.status.lines;
            let first = self.last_top().min(self.lowest());
            self.top = Some(self.rows.get(first).map_or(self.status.span.1, |row| row.place));
        }
    }

    pub(super) fn toggle_bookmark(&mut self) {
        let Some(place) = self.current().map(|row| row.place) else { return };
        if !self.bookmarks.remove(&place) && self.bookmarks.len() < BOOKMARKS {
            self.bookmarks.insert(place);
        }
        self.say(clean!("{} bookmarks, ' goes to the next", self.bookmarks.len()));
    }

    /// Lines a second, lately.
    pub fn per_second(&self) -> u64 {
        self.rate.per_second
    }

    /// Asks for rows when the ones at hand do not fill the screen and a page round it.
    pub(super) fn wish(&mut self) -> Vec<Ask> {
        if self.asked.is_some() || self.size.1 == 0 {
            return Vec::new();
        }
        let height = usize::from(self.size.1);
        let (from, back, ahead) = match (self.goal, self.top) {
            (Some(goal), _) => (goal, height * 2, height * 3),
            (None, None) if self.ends.1 => return Vec::new(),
            (None, None) => (From::End, height * 2, 0),
            (None, Some(top)) => {
                let index = self.rows.iter().position(|row| row.place == top);
                let enough = index.is_some_and(|index| {
                    (self.ends.0 || index >= height) && (self.ends.1 || self.rows.len() - index >= height * 2)
                });
                if enough {
                    return Vec::new();
                }
                (From::At(top), height * 2, height * 3)
            }
        };
        self.ids += 1;
        let want = Want { id: self.ids, from, back, ahead };
        self.asked = Some(want);
        vec![Ask::Page(want)]
    }
}

/// `4,031`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
