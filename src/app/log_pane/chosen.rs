//! What a reader has picked out: bookmarks, a selection, one line with all that it says.

use super::pane::{Ask, LogPane};
use crate::base::{Clean, LogLine};
use crate::clean;
use crate::logs::reader::{From, Page, Want};
use crate::logs::{Format, Pairs};
use std::collections::BTreeSet;

/// Bookmarks at most.
const BOOKMARKS: usize = 1_000;
/// Lines that are copied or saved at once.
const MOST: usize = 10_000;

/// What becomes of selected lines.
#[derive(Clone, Debug)]
enum For {
    Clipboard,
    File(Clean),
}

/// What is picked out.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) bookmarks: BTreeSet<u64>,
    /// Where a selection began.
    anchor: Option<u64>,
    /// All of the current line is told; from this line of it on.
    pub(super) detail: Option<usize>,
    awaited: Option<(u64, u64, For)>,
}

impl Chosen {
    /// Whether this page is the selection.
    pub(super) fn awaits(&self, id: u64) -> bool {
        self.awaited.as_ref().is_some_and(|(known, ..)| *known == id)
    }
}

impl LogPane {
    pub(super) fn toggle_bookmark(&mut self) {
        let Some(place) = self.current().map(|row| row.place) else { return };
        let marks = &mut self.chosen.bookmarks;
        if !marks.remove(&place) && marks.len() < BOOKMARKS {
            marks.insert(place);
        }
        let count = marks.len();
        self.say(clean!("{count} bookmarks"));
    }

    pub(super) fn go_to_bookmark(&mut self, forward: bool) -> Vec<Ask> {
        let here = self.current().map_or(0, |row| row.place);
        let marks = &self.chosen.bookmarks;
        let found = if forward {
            marks.range(here + 1..).next().or_else(|| marks.first())
        } else {
            marks.range(..here).next_back().or_else(|| marks.last())
        };
        match found.copied() {
            Some(place) => self.go(place),
            None => {
                self.say("No line is bookmarked.".into());
                Vec::new()
            }
        }
    }

    /// Selecting begins here, or ends.
    pub(super) fn turn_selection(&mut self) {
        self.chosen.anchor = match self.chosen.anchor {
            Some(_) => None,
            None => self.current().map(|row| row.place),
        };
        if self.chosen.anchor.is_some() {
            // What is read stands still.
            self.at = self.chosen.anchor;
            self.leave_end();
        }
    }

    /// Esc: nothing is selected; true when something was.
    pub(super) fn unselect(&mut self) -> bool {
        self.chosen.anchor.take().is_some()
    }

    /// The first and the last place that is selected.
    pub fn selection(&self) -> Option<(u64, u64)> {
        let (anchor, here) = (self.chosen.anchor?, self.current()?.place);
        Some((anchor.min(here), anchor.max(here)))
    }

    /// How the selection is told.
    pub fn selected(&self) -> Option<Clean> {
        let (from, to) = self.selection()?;
        let rows = self.rows.iter().filter(|row| (from..=to).contains(&row.place)).count();
        Some(clean!("{rows} lines selected"))
    }

    pub(super) fn copy(&mut self) -> Vec<Ask> {
        self.take_selected(For::Clipboard)
    }

    pub(super) fn save(&mut self, path: Clean) -> Vec<Ask> {
        self.take_selected(For::File(path))
    }

    fn take_selected(&mut self, purpose: For) -> Vec<Ask> {
        let Some((from, to)) = self.selection().or_else(|| self.current().map(|row| (row.place, row.place))) else {
            self.say("There is no line here.".into());
            return Vec::new();
        };
        let id = self.next_id();
        self.chosen.awaited = Some((id, to, purpose));
        vec![Ask::Page(Want { id, from: From::At(from), back: 0, ahead: if from == to { 1 } else { MOST } })]
    }

    /// The selected lines have come.
    pub(super) fn gathered(&mut self, page: &Page) -> Vec<Ask> {
        let Some((_, to, purpose)) = self.chosen.awaited.take() else { return Vec::new() };
        let mut lines: Vec<Clean> =
            page.rows.iter().filter(|row| row.place <= to).map(|row| written(&row.line)).collect();
        if page.rows.last().is_some_and(|last| last.next <= to) && !page.last {
            lines.push(clean!("… and more: {MOST} lines are the most at once"));
        }
        self.chosen.anchor = None;
        match purpose {
            For::Clipboard => vec![Ask::Copy(lines)],
            For::File(path) => vec![Ask::Save(path, lines)],
        }
    }

    /// All that the current line says, from which line of it on.
    pub fn detailed(&self) -> Option<(Vec<Clean>, usize)> {
        let first = self.chosen.detail?;
        let row = self.current()?;
        let about = row.about.filter(|_| !row.line.marker);
        let mut lines = detail(&row.line);
        lines.splice(0..0, about.map(|at| clean!("about    {}; the line itself says no time", at.rfc3339())));
        Some((lines, first))
    }
}

/// A line as it goes elsewhere: with its time where that was taken out of it.
fn written(line: &LogLine) -> Clean {
    match line.time {
        Some(time) if !line.marker && !says_time(line) => {
            let level = line.level.map_or_else(String::new, |level| format!(" {}", level.word()));
            clean!("{}{level} {}", time.rfc3339(), line.message)
        }
        _ => line.message.clone(),
    }
}

/// Whether the text itself says when.
pub(super) fn says_time(line: &LogLine) -> bool {
    line.time.is_none() || Format::Auto.read(line.message.as_str().as_bytes(), 0).time == line.time
}

/// Everything that a line says, a fact a line: when, how bad, what, each field; JSON laid out.
pub fn detail(line: &LogLine) -> Vec<Clean> {
    let text = line.message.as_str();
    let entry = Format::Auto.entry(text.as_bytes(), 0);
    let mut out = Vec::new();
    out.extend(line.time.map(|time| clean!("time     {}", time.rfc3339())));
    out.extend(line.level.or(entry.level).map(|level| clean!("level    {}", level.word())));
    let brace = text.find('{').and_then(|at| text.get(at..));
    let json = brace.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    if let Some(json) = json.filter(serde_json::Value::is_object) {
        out.push(clean!("message  {}", entry.message));
        let pretty = serde_json::to_string_pretty(&json).unwrap_or_default();
        out.extend(pretty.lines().map(Clean::text));
        return out;
    }
    let mut fields = entry.fields;
    if fields.is_empty() {
        fields = Pairs::new(text).map(|(name, value)| (Clean::text(name), Clean::text(&*value))).collect();
    }
    out.push(clean!("message  {}", if fields.is_empty() { &line.message } else { &entry.message }));
    let wide = fields.iter().map(|(name, _)| name.as_str().chars().count()).max().unwrap_or(0).min(30);
    out.extend(fields.iter().map(|(name, value)| clean!("  {name:<wide$}  {value}")));
    if !fields.is_empty() {
        out.push(clean!("line     {}", line.message));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_in_full_and_json_is_laid_out() {
        let line = |text: &str| LogLine { time: None, level: None, message: Clean::text(text), marker: false };
        let told = |text: &str| detail(&line(text)).iter().map(ToString::to_string).collect::<Vec<_>>();
        let json = told("{\"level\":\"ERROR\",\"msg\":\"full\",\"fields\":{\"used\":1}}");
        assert_eq!(json[..2], ["level    ERROR", "message  full"]);
        assert!(json.contains(&"    \"used\": 1".to_owned()), "{json:?}");
        assert!(told("step done ms=7 name=\"a b\"").iter().any(|line| line.ends_with("a b")));
        assert_eq!(told("plain"), ["message  plain"]);
    }
}
