//! The state of a pane, and what answers do to it.

use super::chosen::Chosen;
use super::find::Finding;
use super::folded::Folded;
use super::keys::Typing;
use super::sift::Sift;
use crate::base::time::Zone;
use crate::base::{Clean, LogLine, Mono, Wall};
use crate::clean;
use crate::logs::Filter;
use crate::logs::reader::{From, LogStatus, Page, Row, Want};
use core::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;

/// The rate is a mean over so long.
const RATE: u64 = 2_000_000_000;

/// What a pane asks of whoever has its lines and its screen.
#[derive(Clone, Debug)]
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
    /// From now on pages hold only lines that pass; `None`: all.
    Sift(Option<Arc<Filter>>),
    /// The nearest line at ERROR behind a place, or before it, as [`LogPane::errored`].
    Error(u64, bool),
    /// The first line at or after a time, as [`LogPane::timed`].
    Time(Wall),
    /// Which line this is, as [`LogPane::numbered`].
    Number(u64),
    /// To the clipboard.
    Copy(Vec<Clean>),
    /// Into a new file.
    Save(Clean, Vec<Clean>),
    /// What belongs to this line, which was read from this source.
    Open(u16, LogLine),
}

/// A pane on one log.
#[derive(Debug, Default)]
pub struct LogPane {
    /// Rows at hand, in order; without a gap but for what is filtered or folded.
    pub(super) rows: VecDeque<Row>,
    /// The rows begin where the log does; they end where it does.
    pub(super) ends: (bool, bool),
    /// Place of the highest row shown; `None` follows the end.
    pub(super) top: Option<u64>,
    /// The row that keys are about, when one was jumped to.
    pub(super) at: Option<u64>,
    pub(super) wish: Wish,
    pub(super) status: LogStatus,
    /// Lines that had come when the reader left the end; `None`: as many as there are at the next look.
    pub(super) left: Option<u64>,
    /// Columns and rows of the text, as last drawn.
    pub(super) size: Cell<(u16, u16)>,
    pub(super) finding: Option<Finding>,
    pub(super) typing: Typing,
    pub(super) chosen: Chosen,
    pub(super) said: Said,
    pub(super) rate: Rate,
    pub(super) sift: Sift,
    /// The clock that times are typed and shown in.
    pub zone: Zone,
}

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub(super) asked: Option<Want>,
    pub(super) ids: u64,
    /// Where a jump leads to, until its rows are there.
    pub(super) goal: Option<From>,
    /// The log has grown since rows were asked for.
    pub(super) grown: bool,
    /// The most rows that a screen may show.
    pub(super) room: u16,
    /// What a key asked for and has not come; whoever goes elsewhere meanwhile stays there.
    pub(super) jump: Option<Jump>,
    /// Lines that keys moved by beyond the rows at hand (negative: towards older ones).
    pub(super) owed: isize,
}

/// What is answered later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jump {
    Error,
    Time,
    Number,
}

/// Switches, and the last sentence.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) wrap: bool,
    pub(super) notice: Option<Clean>,
    pub(super) folded: Folded,
    /// Held by whoever shows it, not by the reader.
    pub(super) held: bool,
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

    /// The room for text is at most this now. Columns, rows.
    pub fn resize(&mut self, size: (u16, u16)) -> Vec<Ask> {
        self.size.set(size);
        self.wish.room = size.1;
        self.wish()
    }

    /// The screen that it stands on is so large now.
    pub fn stand_on(&mut self, size: (u16, u16)) -> Vec<Ask> {
        if self.size.get().1 == 0 {
            self.size.set(size);
        }
        self.wish.room = size.1;
        self.wish()
    }

    /// This much room the text has been given.
    pub fn fit(&self, size: (u16, u16)) {
        self.size.set(size);
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
        if self.left.is_none() {
            self.left = Some(self.come());
        }
        if grown {
            self.rows.retain(|row| !row.open && row.place >= self.status.span.0);
            self.ends.1 = false;
            self.wish.grown = self.wish.asked.is_some();
        }
        self.wish()
    }

    /// Rows have come.
    pub fn page(&mut self, page: Page) -> Vec<Ask> {
        if self.chosen.awaits(page.id) {
            return self.gathered(&page);
        }
        if self.wish.asked.is_none_or(|asked| asked.id != page.id) {
            return Vec::new();
        }
        let asked = self.wish.asked.take();
        if let Some(fault) = page.fault {
            self.say(clean!("{fault}"));
        }
        let middle = page.rows.get(page.before).or(page.rows.last()).map(|row| row.place);
        self.ends = (page.first, page.last && !core::mem::take(&mut self.wish.grown));
        self.rows = page.rows.into();
        self.fold_rows(asked);
        // What stood there may be folded into a later line.
        let middle = middle
            .and_then(|place| self.rows.iter().find(|row| row.place >= place).or(self.rows.back()))
            .map(|row| row.place);
        match self.wish.goal.take() {
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
        let owed = core::mem::take(&mut self.wish.owed);
        if owed != 0 {
            self.scroll(owed);
        }
        // No room stays empty below the end.
        if let Some(last) = self.rows.get(self.last_top()).filter(|_| self.ends.1)
            && self.top.is_some_and(|top| top > last.place)
        {
            self.top = Some(last.place);
        }
        self.wish()
    }

    /// Goes to a time.
    pub fn seek(&mut self, time: Wall) -> Vec<Ask> {
        self.wish.jump = Some(Jump::Time);
        vec![Ask::Time(time)]
    }

    /// A jump to a time has led here.
    pub fn timed(&mut self, place: Option<u64>) -> Vec<Ask> {
        match place {
            _ if self.wish.jump != Some(Jump::Time) => Vec::new(),
            Some(place) => self.go(place),
            None => {
                self.say("No line here says when it was written.".into());
                Vec::new()
            }
        }
    }

    /// The next error is here.
    pub fn errored(&mut self, place: Option<u64>) -> Vec<Ask> {
        if self.wish.jump != Some(Jump::Error) {
            return Vec::new();
        }
        self.quiet();
        match place {
            Some(place) => self.go(place),
            None => {
                self.say("No further line at ERROR on this side.".into());
                Vec::new()
            }
        }
    }

    /// A line has been numbered.
    pub fn numbered(&mut self, number: u64, all: u64) {
        if self.wish.jump != Some(Jump::Number) {
            return;
        }
        self.say(clean!("line {} of {}", thousands(number), thousands(all)));
    }

    /// Shows a sentence until the next key.
    pub fn say(&mut self, sentence: Clean) {
        self.said.notice = Some(sentence);
    }

    /// What was said is over.
    pub fn quiet(&mut self) {
        self.said.notice = None;
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
        self.wish.goal = Some(From::At(place));
        self.wish.asked = None;
        self.wish()
    }

    /// Follows the end.
    pub(super) fn follow(&mut self) -> Vec<Ask> {
        (self.top, self.at, self.wish.goal) = (None, None, None);
        self.wish()
    }

    pub(super) fn leave_end(&mut self) {
        if self.top.is_none() {
            self.left = Some(self.come());
            let first = self.last_top().min(self.lowest());
            self.top = Some(self.rows.get(first).map_or(self.status.span.1, |row| row.place));
        }
    }

    /// Stands still while the screen is paused.
    pub fn hold(&mut self) {
        if self.top.is_none() {
            self.leave_end();
            self.said.held = true;
        }
    }

    /// The pause is over: follows again unless the reader had stopped himself.
    pub fn release(&mut self) -> Vec<Ask> {
        if core::mem::take(&mut self.said.held) { self.follow() } else { Vec::new() }
    }

    /// Lines a second, lately.
    pub fn per_second(&self) -> u64 {
        self.rate.per_second
    }

    /// Rows at hand are of no use any more, but stay until others come; a reader keeps the line that he is at.
    pub(super) fn anew(&mut self) -> Vec<Ask> {
        if self.top.is_some() {
            self.wish.goal = self.current().map(|row| From::At(row.place));
        }
        self.ends = (false, false);
        self.wish.asked = None;
        self.wish()
    }

    /// Asks for rows when the ones at hand do not fill the screen and a page round it.
    pub(super) fn wish(&mut self) -> Vec<Ask> {
        if self.wish.asked.is_some() || self.wish.room == 0 {
            return Vec::new();
        }
        let height = usize::from(self.wish.room);
        let more = self.said.folded.stretch();
        let (from, back, ahead) = match (self.wish.goal, self.top) {
            (Some(goal), _) => (goal, height * 2, height * 3 * more),
            (None, None) if self.ends.1 => return Vec::new(),
            (None, None) => (From::End, height * 2 * more, 0),
            (None, Some(top)) => {
                let index = self.rows.iter().position(|row| row.place == top);
                let enough = index.is_some_and(|index| {
                    (self.ends.0 || index >= height) && (self.ends.1 || self.rows.len() - index >= height * 2)
                });
                if enough || index.is_some() && self.said.folded.exhausted() {
                    return Vec::new();
                }
                (From::At(top), height * 2 * more, height * 3 * more)
            }
        };
        let want = Want { id: self.next_id(), from, back, ahead };
        self.wish.asked = Some(want);
        vec![Ask::Page(want)]
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.wish.ids += 1;
        self.wish.ids
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
