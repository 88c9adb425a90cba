//! What of a pane is on the screen, and how it moves. Of what is wrapped every line of the screen counts.

use super::keys::Typing;
use super::pane::LogPane;
use super::{Finding, pane};
use crate::base::Clean;
use crate::clean;
use crate::logs::reader::{LogStatus, Row};
use unicode_width::UnicodeWidthStr;

/// Columns before a line: what it is marked with.
pub const GUTTER: u16 = 2;

/// Lines that may be owed to keys.
const OWED: isize = 1_000_000;

/// Lines of the screen that a row takes in so many columns.
pub fn height(row: &Row, columns: u16, wrap: bool) -> usize {
    let columns = usize::from(columns.saturating_sub(GUTTER)).max(1);
    let lines = if wrap { row.line.message.as_str().width().div_ceil(columns).max(1) } else { 1 };
    lines + usize::from(row.back.is_some())
}

impl LogPane {
    /// The rows to draw from the top, and how many lines of the first one lie above the screen.
    pub fn shown(&self) -> (impl Iterator<Item = &Row>, usize) {
        let room = usize::from(self.size.get().1);
        let Some(top) = self.top else {
            let mut first = self.rows.len();
            let mut lines = 0;
            while lines < room
                && let Some(row) = first.checked_sub(1).and_then(|at| self.rows.get(at))
            {
                lines += self.height(row);
                first -= 1;
            }
            return (self.rows.range(first..), lines.saturating_sub(room));
        };
        let first = self.rows.iter().position(|row| row.place >= top).unwrap_or(self.rows.len());
        (self.rows.range(first..), 0)
    }

    /// The row that keys are about: the one jumped to while it is seen, else the lowest.
    pub fn current(&self) -> Option<&Row> {
        let room = usize::from(self.size.get().1);
        let (rows, above) = self.shown();
        let mut lines = 0;
        let mut lowest = None;
        for row in rows {
            if Some(row.place) == self.at {
                return Some(row);
            }
            if lines >= room + above {
                break;
            }
            lines += self.height(row);
            lowest = Some(row);
        }
        lowest
    }

    /// Moves by lines (negative: towards older ones). Reaching the end follows again.
    pub(super) fn scroll(&mut self, by: isize) {
        self.at = None;
        let by = by.saturating_add(core::mem::take(&mut self.wish.owed));
        // All of it is on the screen, or its end is.
        let whole = self.ends.0 && self.last_top() == 0;
        if self.top.is_none() && (by >= 0 || whole) {
            return;
        }
        self.leave_end();
        let Some(top) = self.top else { return };
        let from = self.rows.iter().position(|row| row.place >= top).unwrap_or(self.rows.len());
        let last = self.rows.len().saturating_sub(1);
        let wanted = isize::try_from(from).unwrap_or(0).saturating_add(by);
        let to = usize::try_from(wanted).unwrap_or(0).min(last);
        let further = wanted.saturating_sub_unsigned(to);
        if if further < 0 { !self.ends.0 } else { !self.ends.1 } {
            // The rest when the rows are there: a key that was pressed is not lost.
            self.wish.owed = further.clamp(-OWED, OWED);
        }
        if by > 0 && self.ends.1 && to >= self.last_top() {
            // The last page is on the screen.
            self.top = None;
            return;
        }
        self.top = self.rows.get(to).map(|row| row.place).or(self.top);
    }

    /// Moves the cursor by one line; the view goes where it would leave the screen.
    pub(super) fn move_cursor(&mut self, down: bool) {
        let Some(here) = self.current().map(|row| row.place) else { return };
        self.leave_end();
        let Some(index) = self.rows.iter().position(|row| row.place == here) else { return };
        let to = index.saturating_add_signed(if down { 1 } else { -1 }).min(self.lowest());
        let place = self.rows.get(to).map(|row| row.place);
        let seen = self.top.and_then(|top| self.rows.iter().position(|row| row.place >= top)).unwrap_or(0);
        let room = usize::from(self.size.get().1).max(1);
        if to < seen {
            self.top = place;
        } else if to >= seen + room {
            self.top = self.rows.get(to + 1 - room).map(|row| row.place);
        }
        self.at = place;
    }

    /// Brings a row into the upper third.
    pub(super) fn show(&mut self, place: Option<u64>) {
        let Some(index) = self.rows.iter().position(|row| Some(row.place) == place) else {
            self.top = place.or(self.top);
            return;
        };
        let seen = self.top.is_some_and(|top| {
            let first = self.rows.iter().position(|row| row.place >= top).unwrap_or(usize::MAX);
            index >= first && index - first < usize::from(self.size.get().1).saturating_sub(1) && !self.said.wrap
        });
        if !seen {
            let first = index.saturating_sub(usize::from(self.size.get().1) / 3);
            self.top = self.rows.get(first).map(|row| row.place);
        }
    }

    /// Index of the newest row.
    pub(super) fn lowest(&self) -> usize {
        self.rows.len().saturating_sub(1)
    }

    /// Index of the row at the top when the last one stands at the bottom.
    pub(super) fn last_top(&self) -> usize {
        let room = usize::from(self.size.get().1);
        let mut lines = 0;
        let mut first = self.rows.len();
        for row in self.rows.iter().rev() {
            lines += self.height(row);
            if lines > room {
                break;
            }
            first -= 1;
        }
        first
    }

    /// Lines of the screen that a row takes.
    pub fn height(&self, row: &Row) -> usize {
        height(row, self.size.get().0, self.said.wrap)
    }

    /// Whether lines wrap.
    pub fn wraps(&self) -> bool {
        self.said.wrap
    }

    /// Whether it follows.
    pub fn follows(&self) -> bool {
        self.top.is_none()
    }

    /// Lines that have come since the reader left the end.
    pub fn unseen(&self) -> u64 {
        if self.top.is_none() { 0 } else { self.left.map_or(0, |left| self.come().saturating_sub(left)) }
    }

    /// How far down the lowest line shown is, of a hundred.
    pub fn percent(&self) -> u64 {
        let (begin, end) = self.status.span;
        if self.top.is_none() || end <= begin {
            return 100;
        }
        let room = usize::from(self.size.get().1);
        let place = self.shown().0.take(room).last().map_or(begin, |row| row.next);
        u64::try_from(u128::from(place.saturating_sub(begin)) * 100 / u128::from(end - begin)).unwrap_or(100)
    }

    /// The lines that came and are not kept any more, to the last one.
    pub fn dropped(&self) -> Clean {
        clean!("dropped {}", pane::thousands(self.status.dropped))
    }

    /// How the log is.
    pub fn status(&self) -> &LogStatus {
        &self.status
    }

    /// The search, if there is one.
    pub fn finding(&self) -> Option<&Finding> {
        self.finding.as_ref()
    }

    /// What is being typed.
    pub fn typing(&self) -> &Typing {
        &self.typing
    }

    /// The last sentence.
    pub fn notice(&self) -> Option<&Clean> {
        self.said.notice.as_ref()
    }

    /// Whether a row is bookmarked.
    pub fn is_marked(&self, row: &Row) -> bool {
        self.chosen.bookmarks.contains(&row.place)
    }

    /// "12 of 4,031" while there is a search.
    pub fn tally(&self) -> Option<Clean> {
        let finding = self.finding.as_ref().filter(|finding| !finding.text().is_empty())?;
        if let Some(fault) = finding.fault() {
            return Some(clean!("{fault}"));
        }
        let progress = finding.progress();
        let all = pane::thousands(progress.count);
        let rank = finding.rank().map_or(String::new(), |rank| format!("{} of ", pane::thousands(rank)));
        let state = if progress.done { String::new() } else { format!(", {} % searched", progress.percent) };
        Some(match (progress.count, progress.done) {
            (0, true) => "not found".into(),
            (0, false) => clean!("searching, {} %", progress.percent),
            _ => clean!("{rank}{all}{state}"),
        })
    }
}
