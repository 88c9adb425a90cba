//! What keys mean in a pane. One table serves the keys and the page that tells them.

use super::pane::{Ask, LogPane, Typing};
use super::time;
use crate::base::Now;
use crate::clean;
use crate::input::{Chord, Key, Press, press};
use crate::logs::reader::From;

/// A pattern is no longer than this.
const LONGEST: usize = 200;

/// Keys and what they do, for the page of help.
pub const KEYS: &[(&str, &str)] = &[
    ("j k ↓ ↑", "a line down, up; up stops following"),
    ("Space b PgDn PgUp", "a page down, up"),
    ("g Home", "the oldest line"),
    ("G F End", "the newest line, and follow"),
    ("/", "search: a regular expression, small letters find both cases"),
    ("n N", "the next hit, the one before"),
    ("e E", "the next line at ERROR in reach, the one before"),
    ("t", "go to a time: 03:12, 03:12:47, 2026-11-21 03:12, -10m"),
    ("m '", "bookmark this line; go to the next bookmark"),
    ("w", "wrap long lines"),
    ("y", "copy this line to the clipboard"),
    ("=", "which line this is, counted now"),
    ("Esc", "give the search up"),
    ("q", "leave"),
];

impl LogPane {
    /// A key was pressed.
    pub fn key(&mut self, key: &Key, now: Now) -> Vec<Ask> {
        let said = self.said.notice.take();
        let chord = Chord::of(key);
        let is = |name: &str| chord.is_some() && chord == Chord::parse(name).ok();
        if is("ctrl-z") {
            return vec![Ask::Suspend];
        }
        if is("ctrl-l") {
            return vec![Ask::Redraw];
        }
        let pressed = press(key);
        if self.said.help {
            self.said.help = false;
            return Vec::new();
        }
        match core::mem::take(&mut self.typing) {
            Typing::Nothing => self.command(pressed, is("ctrl-c") || is("ctrl-d"), said.is_some()),
            Typing::Pattern(text) => self.type_pattern(text, pressed),
            Typing::Time(text) => self.type_time(text, pressed, now),
        }
    }

    fn command(&mut self, pressed: Press, leave: bool, said: bool) -> Vec<Ask> {
        let page = isize::try_from(self.size.1.saturating_sub(1).max(1)).unwrap_or(1);
        match pressed {
            Press::Char('q') => return vec![Ask::Quit],
            Press::Cancel if leave && self.finding.is_none() && !said => {
                self.say("q leaves.".into());
            }
            Press::Char('j') | Press::Scroll(1) | Press::Enter => self.scroll(1),
            Press::Char('k') | Press::Scroll(-1) => self.scroll(-1),
            Press::Char('g') | Press::Scroll(isize::MIN) => return self.oldest(),
            Press::Char('G' | 'F') | Press::Scroll(isize::MAX) => return self.follow(),
            Press::Char(' ') | Press::Scroll(2..) => self.scroll(page),
            Press::Char('b') | Press::Scroll(..=-2) => self.scroll(-page),
            Press::Char('/') => return self.begin_search(),
            Press::Char('n') => return self.step(true),
            Press::Char('N') => return self.step(false),
            Press::Char(which @ ('e' | 'E')) => return self.error(which == 'e'),
            Press::Char('t') => self.typing = Typing::Time(String::new()),
            Press::Char('m') => self.toggle_bookmark(),
            Press::Char('\'') => return self.next_bookmark(),
            Press::Char('w') => self.said.wrap = !self.said.wrap,
            Press::Char('y') => {
                return self.current().map(|row| Ask::Copy(vec![row.line.message.clone()])).into_iter().collect();
            }
            Press::Char('=') => {
                self.say("counting lines …".into());
                return self.current().map(|row| Ask::Number(row.place)).into_iter().collect();
            }
            Press::Char('?') => self.said.help = true,
            Press::Cancel => return self.give_up(false),
            _ => {}
        }
        self.wish()
    }

    fn oldest(&mut self) -> Vec<Ask> {
        self.leave_end();
        self.at = None;
        self.asked = None;
        self.goal = Some(From::Start);
        self.wish()
    }

    fn begin_search(&mut self) -> Vec<Ask> {
        let asks = self.give_up(false);
        self.typing = Typing::Pattern(String::new());
        asks
    }

    fn type_pattern(&mut self, mut text: String, pressed: Press) -> Vec<Ask> {
        match pressed {
            Press::Enter if text.is_empty() => return self.give_up(true),
            Press::Enter => return Vec::new(),
            Press::Cancel => return self.give_up(true),
            pressed if edited(&mut text, pressed) => {
                self.typing = Typing::Pattern(text.clone());
                return self.search(text);
            }
            _ => self.typing = Typing::Pattern(text),
        }
        Vec::new()
    }

    fn type_time(&mut self, mut text: String, pressed: Press, now: Now) -> Vec<Ask> {
        match pressed {
            Press::Cancel => {}
            Press::Enter => {
                let near = self.current().and_then(|row| row.line.time).unwrap_or(now.wall);
                match time::read(&text, near, now.wall) {
                    Some(at) => return vec![Ask::Time(at)],
                    None => self.say(clean!("`{text}` is no time: 03:12, 03:12:47, 2026-11-21 03:12, -10m")),
                }
            }
            pressed => {
                edited(&mut text, pressed);
                self.typing = Typing::Time(text);
            }
        }
        Vec::new()
    }

    fn next_bookmark(&mut self) -> Vec<Ask> {
        let from = self.current().map_or(0, |row| row.place + 1);
        let next = self.bookmarks.range(from..).next().or_else(|| self.bookmarks.first()).copied();
        match next {
            Some(place) => self.go(place),
            None => {
                self.say("No line is bookmarked: m does.".into());
                Vec::new()
            }
        }
    }

    /// The next line at ERROR among the rows at hand, or the one before.
    fn error(&mut self, forward: bool) -> Vec<Ask> {
        let Some(from) = self.current().map(|row| row.place) else { return Vec::new() };
        let mut errors = self.rows.iter().filter(|row| row.line.level == Some(crate::base::LogLevel::Error));
        let found = if forward {
            errors.find(|row| row.place > from).map(|row| row.place)
        } else {
            errors.take_while(|row| row.place < from).last().map(|row| row.place)
        };
        match found {
            Some(place) => self.go(place),
            None => {
                self.say("No error within reach: /ERROR searches the whole log.".into());
                Vec::new()
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
