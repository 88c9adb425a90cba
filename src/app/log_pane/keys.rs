//! What commands and typed keys mean in a pane.

use super::pane::{Ask, Jump, LogPane};
use super::time;
use crate::base::{Clean, LogLevel, Now};
use crate::clean;
use crate::command::Command;
use crate::input::{Key, Press, press};
use crate::logs::Filter;
use crate::logs::reader::{From, Row};

/// A line that is typed is no longer than this.
const LONGEST: usize = 200;

/// What a pane does, in the order of the help page.
pub const COMMANDS: &[Command] = &[
    Command::Down,
    Command::Up,
    Command::PageDown,
    Command::PageUp,
    Command::Top,
    Command::Bottom,
    Command::NextLine,
    Command::PreviousLine,
    Command::Search,
    Command::NextHit,
    Command::PreviousHit,
    Command::Filter,
    Command::LogLevel,
    Command::NextError,
    Command::PreviousError,
    Command::GoToTime,
    Command::Bookmark,
    Command::NextBookmark,
    Command::PreviousBookmark,
    Command::Open,
    Command::LineDetail,
    Command::LineNumber,
    Command::Fold,
    Command::Wrap,
    Command::Select,
    Command::Copy,
    Command::Save,
    Command::Back,
];

/// What the last line of the screen is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Typing {
    /// Hints.
    #[default]
    Nothing,
    /// A pattern to search for.
    Pattern(String),
    /// A filter.
    Filter(String),
    /// A time.
    Time(String),
    /// The name of a file.
    Path(String),
}

impl Typing {
    /// What is asked for, and what has been typed.
    pub fn line(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Nothing => None,
            Self::Pattern(text) => Some(("/", text)),
            Self::Filter(text) => Some(("filter ", text)),
            Self::Time(text) => Some(("go to ", text)),
            Self::Path(text) => Some(("save to ", text)),
        }
    }

    fn text(&mut self) -> Option<&mut String> {
        match self {
            Self::Nothing => None,
            Self::Pattern(text) | Self::Filter(text) | Self::Time(text) | Self::Path(text) => Some(text),
        }
    }
}

impl LogPane {
    /// Carries a command out, one of [`COMMANDS`].
    pub fn command(&mut self, command: Command) -> Vec<Ask> {
        self.said.notice = None;
        self.wait_no_more();
        self.wish.jump = None;
        let scrolls = [Command::Down, Command::Up, Command::PageDown, Command::PageUp].contains(&command);
        self.wish.owed = if scrolls { self.wish.owed } else { 0 };
        if let Some(first) = self.chosen.detail {
            return self.in_detail(command, first);
        }
        let page = isize::try_from(self.size.get().1.saturating_sub(1).max(1)).unwrap_or(1);
        match command {
            Command::Down => self.scroll(1),
            Command::Up => self.scroll(-1),
            Command::PageDown => self.scroll(page),
            Command::PageUp => self.scroll(-page),
            Command::Top => return self.oldest(),
            Command::Bottom => {
                self.said.held = false;
                return self.follow();
            }
            Command::NextLine | Command::PreviousLine => self.move_cursor(command == Command::NextLine),
            Command::Search => return self.begin_search(),
            Command::NextHit | Command::PreviousHit => return self.step(command == Command::NextHit),
            Command::Filter => self.typing = Typing::Filter(self.sift.text().to_owned()),
            Command::LogLevel => return self.turn_level(),
            Command::NextError | Command::PreviousError => return self.error(command == Command::NextError),
            Command::GoToTime => self.typing = Typing::Time(String::new()),
            Command::Bookmark => self.toggle_bookmark(),
            Command::NextBookmark | Command::PreviousBookmark => {
                return self.go_to_bookmark(command == Command::NextBookmark);
            }
            Command::Open => {
                let line = self.current().map(|row| Ask::Open(row.source, row.line.clone()));
                return line.into_iter().collect();
            }
            Command::LineDetail => self.tell_line(),
            Command::LineNumber => {
                self.say("counting lines …".into());
                self.wish.jump = Some(Jump::Number);
                return self.current().map(|row| Ask::Number(row.place)).into_iter().collect();
            }
            Command::Fold => return self.turn_fold(),
            Command::Wrap => self.said.wrap = !self.said.wrap,
            Command::Select => self.turn_selection(),
            Command::Copy => return self.copy(),
            Command::Save if self.current().is_some() => self.typing = Typing::Path(String::new()),
            Command::Back => return self.back(),
            _ => {}
        }
        self.wish()
    }

    /// Whether Esc has something to end here.
    pub fn has_more(&self) -> bool {
        self.chosen.detail.is_some() || self.selection().is_some() || self.finding.is_some() || self.sifts()
    }

    /// All of the current line is told.
    pub fn tell_line(&mut self) {
        if let Some(place) = self.current().map(|row| row.place) {
            // It stays the current one while others come.
            self.at = Some(place);
            self.leave_end();
            self.chosen.detail = Some(0);
        }
    }

    fn in_detail(&mut self, command: Command, first: usize) -> Vec<Ask> {
        let page = usize::from(self.size.get().1.max(2) / 2);
        let last = self.detailed().map_or(0, |(lines, _)| lines.len().saturating_sub(1));
        let to = match command {
            Command::Down | Command::NextLine => first + 1,
            Command::Up | Command::PreviousLine => first.saturating_sub(1),
            Command::PageDown => first + page,
            Command::PageUp => first.saturating_sub(page),
            Command::Top => 0,
            Command::Bottom => last,
            Command::Copy => {
                let lines = self.detailed().map(|(lines, _)| lines).unwrap_or_default();
                return vec![Ask::Copy(lines)];
            }
            _ => {
                self.chosen.detail = None;
                return Vec::new();
            }
        };
        self.chosen.detail = Some(to.min(last));
        Vec::new()
    }

    /// Esc: one thing after the other.
    fn back(&mut self) -> Vec<Ask> {
        if self.unselect() {
            return Vec::new();
        }
        if self.finding.is_some() {
            return self.give_up(false);
        }
        if self.sifts() { self.unsift() } else { Vec::new() }
    }

    fn oldest(&mut self) -> Vec<Ask> {
        self.leave_end();
        self.at = None;
        self.wish.asked = None;
        self.wish.goal = Some(From::Start);
        self.wish()
    }

    fn begin_search(&mut self) -> Vec<Ask> {
        let asks = self.give_up(false);
        self.typing = Typing::Pattern(String::new());
        asks
    }

    /// A key was pressed while a line is typed.
    pub fn typed(&mut self, key: &Key, now: Now) -> Vec<Ask> {
        self.type_press(press(key), now)
    }

    /// Text was pasted.
    pub fn pasted(&mut self, text: &Clean, now: Now) -> Vec<Ask> {
        text.as_str().chars().flat_map(|c| self.type_press(Press::Char(c), now)).collect()
    }

    fn type_press(&mut self, pressed: Press, now: Now) -> Vec<Ask> {
        self.said.notice = None;
        let mut typing = core::mem::take(&mut self.typing);
        match pressed {
            Press::Enter => return self.enter(typing, now),
            Press::Cancel => {
                self.sift.fault = None;
                return if matches!(typing, Typing::Pattern(_)) { self.give_up(true) } else { Vec::new() };
            }
            pressed => {
                let changed = typing.text().is_some_and(|text| edited(text, pressed));
                self.typing = typing.clone();
                match typing {
                    Typing::Pattern(text) if changed => return self.search(text),
                    Typing::Filter(text) => self.sift.fault = Filter::parse(&text).err(),
                    _ => {}
                }
            }
        }
        Vec::new()
    }

    fn enter(&mut self, typing: Typing, now: Now) -> Vec<Ask> {
        match typing {
            Typing::Pattern(text) if text.is_empty() => return self.give_up(true),
            Typing::Filter(text) => match self.filter(&text) {
                Ok(asks) => return asks,
                Err(fault) => {
                    self.sift.fault = Some(fault);
                    self.typing = Typing::Filter(text);
                }
            },
            Typing::Time(text) => {
                let near = self.current().and_then(Row::time).unwrap_or(now.wall);
                match time::read(&text, near, now.wall, self.zone) {
                    Some(at) => return self.seek(at),
                    None => self.say(clean!("`{text}` is no time: 03:12, 03:12:47, 2026-11-21 03:12, -10m")),
                }
            }
            Typing::Path(text) if !text.trim().is_empty() => return self.save(Clean::text(text.trim())),
            Typing::Pattern(_) | Typing::Path(_) | Typing::Nothing => {}
        }
        Vec::new()
    }

    /// Whether a line is being typed.
    pub fn types(&self) -> bool {
        self.typing != Typing::Nothing
    }

    /// The next line at ERROR, or the one before: among the rows at hand, else wherever it is.
    fn error(&mut self, forward: bool) -> Vec<Ask> {
        let Some(from) = self.current().map(|row| row.place) else { return Vec::new() };
        let mut errors = self.rows.iter().filter(|row| row.line.level == Some(LogLevel::Error));
        let found = if forward {
            errors.find(|row| row.place > from).map(|row| row.place)
        } else {
            errors.take_while(|row| row.place < from).last().map(|row| row.place)
        };
        match found {
            Some(place) => self.go(place),
            None => {
                self.say("looking for an error …".into());
                self.wish.jump = Some(Jump::Error);
                vec![Ask::Error(from, forward)]
            }
        }
    }
}

/// What a key does to a line that is typed; false when nothing.
fn edited(text: &mut String, pressed: Press) -> bool {
    match pressed {
        Press::Char(c) if text.len() < LONGEST => text.push(c),
        Press::Backspace => _ = text.pop(),
        Press::DropAll => text.clear(),
        Press::DropWord => {
            let kept = text.trim_end().rfind(' ').map_or(0, |at| at + 1);
            text.truncate(kept);
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{LogLine, Wall};
    use crate::logs::reader::{LogStatus, Page, Want};

    fn page(want: &Want, lines: u64) -> Page {
        let middle = match want.from {
            From::Start => 0,
            From::End => lines,
            From::At(place) => place,
        };
        let count = |of: usize| u64::try_from(of).expect("small");
        let (low, high) = (middle.saturating_sub(count(want.back)), (middle + count(want.ahead)).min(lines));
        let line = LogLine { time: None, level: None, message: "x".into(), marker: false };
        let row =
            |place| Row { place, next: place + 1, source: 0, open: false, line: line.clone(), about: None, back: None };
        let before = usize::try_from(middle - low).expect("small");
        Page {
            id: want.id,
            rows: (low..high).map(row).collect(),
            before,
            first: low == 0,
            last: high == lines,
            fault: None,
        }
    }

    /// Answers until nothing is asked.
    fn answer(pane: &mut LogPane, mut asks: Vec<Ask>, lines: u64) {
        while let Some(ask) = asks.pop() {
            if let Ask::Page(want) = ask {
                asks.extend(pane.page(page(&want, lines)));
            }
        }
    }

    fn pane(lines: u64) -> LogPane {
        let mut pane = LogPane::new();
        let mut asks = pane.resize((80, 21));
        asks.extend(pane.learn(LogStatus { lines, span: (0, lines), ..LogStatus::default() }, crate::base::Mono(1)));
        answer(&mut pane, asks, lines);
        pane
    }

    #[test]
    fn pages_that_are_turned_before_their_rows_are_there_are_counted() {
        let mut pane = pane(10_000);
        let turned = (0..50).flat_map(|_| pane.command(Command::PageUp)).collect();
        answer(&mut pane, turned, 10_000);
        assert_eq!(pane.top, Some(10_000 - 21 - 50 * 20));
        let turned = (0..30).flat_map(|_| pane.command(Command::PageDown)).collect();
        answer(&mut pane, turned, 10_000);
        assert_eq!(pane.top, Some(10_000 - 21 - 20 * 20));
        // Beyond the end there is nothing to count, and whoever goes elsewhere owes nothing.
        let turned = (0..500).flat_map(|_| pane.command(Command::PageDown)).collect();
        answer(&mut pane, turned, 10_000);
        assert!(pane.follows());
        let mut turned: Vec<Ask> = (0..50).flat_map(|_| pane.command(Command::PageUp)).collect();
        turned.extend(pane.command(Command::Top));
        answer(&mut pane, turned, 10_000);
        assert_eq!(pane.top, Some(0));
    }

    #[test]
    fn an_error_a_time_and_a_number_that_come_late_move_nobody_who_went_elsewhere() {
        let mut pane = pane(10_000);
        let top = |pane: &LogPane| (pane.top, pane.wish.goal);
        drop(pane.command(Command::NextError));
        drop(pane.command(Command::Bottom));
        assert!(pane.errored(Some(7)).is_empty() && pane.follows() && top(&pane) == (None, None));
        drop(pane.seek(Wall(1)));
        drop(pane.command(Command::Bottom));
        assert!(pane.timed(Some(7)).is_empty() && pane.follows() && top(&pane) == (None, None));
        drop(pane.command(Command::LineNumber));
        drop(pane.command(Command::Up));
        pane.numbered(7, 10_000);
        assert_eq!(pane.notice(), None);
        drop(pane.command(Command::NextError));
        drop(pane.errored(Some(7)));
        assert_eq!(pane.wish.goal, Some(From::At(7)), "he waits for this one");
    }
}
