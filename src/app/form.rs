//! A small form: a few lines of text, typed or pasted, that say something about an alert. It acts on no system.

use crate::base::Clean;
use crate::input::{Key, Press, press};
use crate::procedure::Pasted;
use crate::procedure::pasted::Form;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// Characters that a field takes at most.
pub const LONGEST: usize = 400;

/// One line of text with a cursor; only what may be shown ever gets in.
#[derive(Clone, Debug, Default)]
pub struct Line {
    text: String,
    /// Byte offset, always between two clusters.
    at: usize,
}

/// A named line.
#[derive(Clone, Debug)]
pub struct Field {
    /// What it is.
    pub label: Clean,
    /// What is typed.
    pub line: Line,
    /// What it is good for, told beside or below it.
    pub about: Clean,
    /// Answers that the arrows offer.
    pub choices: Vec<Clean>,
    /// May not be empty.
    pub needed: bool,
    /// It takes many lines, of this form.
    pub many: Option<Form>,
    /// What was pasted into one that does: its line says what that is.
    pub pasted: Option<Pasted>,
}

/// What a key made of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on.
    Stays,
    /// Esc: nothing of it happens.
    Cancelled,
    /// Enter, and every needed field is filled.
    Submitted,
}

/// Fields, and which of them takes the keys.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// From top to bottom.
    pub all: Vec<Field>,
    /// Index of the one that takes the keys.
    pub at: usize,
    /// What is wrong with what was entered.
    pub fault: Option<Clean>,
}

impl Line {
    /// A line that begins with this text, the cursor behind it.
    pub fn new(text: &Clean) -> Self {
        let mut line = Self::default();
        line.insert(text.as_str());
        line
    }

    /// The text.
    pub fn text(&self) -> Clean {
        Clean::text(&self.text)
    }

    /// The text before and behind the cursor.
    pub fn parts(&self) -> (Clean, Clean) {
        let (before, after) = self.text.split_at_checked(self.at).unwrap_or((&self.text, ""));
        (Clean::text(before), Clean::text(after))
    }

    /// Puts text in at the cursor; what could not be shown as it is becomes a visible mark, what is too much is left.
    pub(super) fn insert(&mut self, text: &str) {
        let text = Clean::text(text);
        let room = LONGEST.saturating_sub(self.text.chars().count());
        let end = text.as_str().char_indices().nth(room).map_or(text.as_str().len(), |(at, _)| at);
        let text = text.as_str().get(..end).unwrap_or("");
        self.text.insert_str(self.at, text);
        self.at += text.len();
        // A mark that was typed alone joins the cluster before it.
        while !self.text.is_char_boundary(self.at) || !self.is_boundary(self.at) {
            self.at += 1;
        }
    }

    fn is_boundary(&self, at: usize) -> bool {
        at >= self.text.len() || GraphemeCursor::new(at, self.text.len(), true).is_boundary(&self.text, 0) == Ok(true)
    }

    fn before(&self) -> usize {
        let (before, _) = self.text.split_at_checked(self.at).unwrap_or((&self.text, ""));
        before.grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn behind(&self) -> usize {
        let (_, after) = self.text.split_at_checked(self.at).unwrap_or((&self.text, ""));
        self.at + after.graphemes(true).next().map_or(0, str::len)
    }

    /// Takes the text from `from` to `to` away; the cursor stands where it was.
    fn cut(&mut self, from: usize, to: usize) {
        if from < to && self.text.get(from..to).is_some() {
            self.text.replace_range(from..to, "");
            self.at = from;
        }
    }

    fn word(&self) -> usize {
        let (before, _) = self.text.split_at_checked(self.at).unwrap_or((&self.text, ""));
        before.trim_end().rfind(' ').map_or(0, |at| at + 1)
    }

    /// Takes one key.
    pub(super) fn edit(&mut self, press: Press) {
        match press {
            Press::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Press::Backspace => self.cut(self.before(), self.at),
            Press::Delete => self.cut(self.at, self.behind()),
            Press::DropWord => self.cut(self.word(), self.at),
            Press::DropAll => self.cut(0, self.at),
            Press::Left => self.at = self.before(),
            Press::Right => self.at = self.behind(),
            Press::Scroll(isize::MIN) => self.at = 0,
            Press::Scroll(isize::MAX) => self.at = self.text.len(),
            _ => {}
        }
    }
}

impl Field {
    /// A field that begins with `text`.
    pub fn new(label: impl Into<Clean>, text: &Clean, about: impl Into<Clean>) -> Self {
        Self {
            label: label.into(),
            line: Line::new(text),
            about: about.into(),
            choices: Vec::new(),
            needed: false,
            many: None,
            pasted: None,
        }
    }

    /// Takes one key. Of what was pasted nothing can be edited: it is there, or is taken away as a whole.
    fn edit(&mut self, press: Press) {
        let drops = matches!(press, Press::Backspace | Press::Delete | Press::DropWord | Press::DropAll);
        match &self.pasted {
            None => self.line.edit(press),
            Some(_) if drops => (self.pasted, self.line) = (None, Line::default()),
            Some(_) => {}
        }
    }

    /// The next of its choices, or with `false` the one before.
    fn choose(&mut self, forward: bool) {
        let count = self.choices.len();
        let now = self.line.text();
        let next = match self.choices.iter().position(|choice| *choice == now) {
            Some(at) if forward => (at + 1) % count,
            Some(at) => (at + count - 1) % count,
            None => 0,
        };
        if let Some(choice) = self.choices.get(next) {
            self.line = Line::new(choice);
        }
    }
}

impl Fields {
    /// These fields, with the keys going to `at`.
    pub fn new(all: Vec<Field>, at: usize) -> Self {
        Self { all, at, fault: None }
    }

    /// What stands in a field, without blanks at its ends.
    pub fn text(&self, at: usize) -> Clean {
        self.all.get(at).map_or_else(Clean::default, |field| Clean::text(field.line.text().as_str().trim()))
    }

    /// Takes one key.
    pub fn key(&mut self, key: &Key) -> Step {
        let press = press(key);
        let count = self.all.len().max(1);
        match press {
            Press::Cancel => return Step::Cancelled,
            Press::Enter => return self.submit(),
            Press::Field(forward) => self.at = (self.at + if forward { 1 } else { count - 1 }) % count,
            Press::Scroll(step @ (-1 | 1)) => self.arrow(step == 1),
            _ => {
                if let Some(field) = self.all.get_mut(self.at) {
                    field.edit(press);
                }
            }
        }
        self.fault = None;
        Step::Stays
    }

    /// Takes what was pasted: its lines where many are wanted, else its beginning on one.
    pub fn paste(&mut self, text: &Clean, lines: &[Clean], left_out: u64) {
        self.fault = None;
        let Some(field) = self.all.get_mut(self.at) else { return };
        let Some(form) = field.many else { return field.line.insert(text.as_str()) };
        let pasted = Pasted::new(lines, left_out);
        match pasted.summary(form) {
            Ok(text) => (field.line, field.pasted) = (Line::new(&text), Some(pasted)),
            Err(why) => self.fault = Some(why),
        }
    }

    /// Up and down: through the choices of a field that has some, else through the fields.
    fn arrow(&mut self, down: bool) {
        let count = self.all.len().max(1);
        match self.all.get_mut(self.at) {
            Some(field) if !field.choices.is_empty() => field.choose(down),
            _ => self.at = (self.at + if down { 1 } else { count - 1 }) % count,
        }
    }

    fn submit(&mut self) -> Step {
        let empty = (0..self.all.len())
            .find(|at| self.all.get(*at).is_some_and(|field| field.needed) && self.text(*at).as_str().is_empty());
        let Some(at) = empty else { return Step::Submitted };
        self.at = at;
        self.fault = self.all.get(at).map(|field| crate::clean!("{} is needed.", field.label));
        Step::Stays
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};
    use proptest::prelude::*;

    fn key(code: KeyCode) -> Key {
        Key::new(code, KeyModifiers::NONE)
    }

    fn typed(fields: &mut Fields, text: &str) {
        for c in text.chars() {
            fields.key(&key(KeyCode::Char(c)));
        }
    }

    fn two() -> Fields {
        let mut reason = Field::new("reason", &Clean::default(), "why");
        reason.needed = true;
        let mut until = Field::new("for", &"1h".into(), "how long");
        until.choices = vec!["15m".into(), "1h".into(), "4h".into()];
        Fields::new(vec![reason, until], 0)
    }

    #[test]
    fn a_needed_field_keeps_the_form_open_and_says_so() {
        let mut fields = two();
        fields.key(&key(KeyCode::Tab));
        assert_eq!((fields.key(&key(KeyCode::Enter)), fields.at), (Step::Stays, 0));
        assert_eq!(fields.fault.as_ref().map(Clean::as_str), Some("reason is needed."));
        typed(&mut fields, "  ");
        assert_eq!(fields.key(&key(KeyCode::Enter)), Step::Stays, "blanks are no reason");
        typed(&mut fields, "swap of disk 3 ");
        assert_eq!(fields.key(&key(KeyCode::Enter)), Step::Submitted);
        assert_eq!(fields.text(0).as_str(), "swap of disk 3");
        assert_eq!(fields.key(&key(KeyCode::Esc)), Step::Cancelled);
    }

    #[test]
    fn arrows_choose_and_letters_edit() {
        let mut fields = two();
        fields.key(&key(KeyCode::Down));
        assert_eq!(fields.at, 1, "a field without choices passes the arrows on");
        let mut seen = Vec::new();
        for _ in 0..3 {
            fields.key(&key(KeyCode::Down));
            seen.push(fields.text(1).to_string());
        }
        assert_eq!(seen, ["4h", "15m", "1h"]);
        fields.key(&key(KeyCode::Backspace));
        fields.key(&key(KeyCode::Home));
        typed(&mut fields, "2");
        fields.key(&key(KeyCode::Right));
        typed(&mut fields, "m");
        assert_eq!(fields.text(1).as_str(), "21m");
        fields.key(&key(KeyCode::Up));
        assert_eq!(fields.text(1).as_str(), "15m", "a text of its own leads back to the first");
    }

    #[test]
    fn what_is_pasted_is_clean_and_one_line_and_not_too_long() {
        let mut fields = two();
        fields.paste(&Clean::text("line one\nline two\u{1b}[31m"), &[], 0);
        assert_eq!(fields.text(0).as_str(), "line one␊line two␛[31m");
        fields.paste(&Clean::text("x".repeat(5_000)), &[], 0);
        assert_eq!(fields.text(0).as_str().chars().count(), LONGEST);
    }

    #[test]
    fn a_field_of_many_lines_takes_a_paste_whole_and_gives_it_back_whole() {
        let mut fields = two();
        fields.all[0].many = Some(Form::Stacks);
        let lines = Clean::lines("a;b 3\na;c 1\npassword = hunter2");
        fields.paste(&"a;b 3".into(), &lines, 2_048);
        assert_eq!(fields.text(0).as_str(), "4 samples in 2 stacks, 1 line is none; 2.00 KiB more did not fit");
        typed(&mut fields, "x");
        let pasted = fields.all[0].pasted.clone().expect("kept");
        assert_eq!((pasted.lines.len(), pasted.lines[2].as_str()), (3, "password = <redacted>"));
        fields.paste(&"hello".into(), &["hello".into()], 0);
        assert!(fields.fault.is_some() && fields.all[0].pasted.is_some(), "what is no stack replaces none");
        fields.key(&key(KeyCode::Backspace));
        assert_eq!((fields.text(0).as_str(), &fields.all[0].pasted), ("", &None));
    }

    proptest! {
        #[test]
        fn no_key_and_no_text_breaks_the_line(
            steps in proptest::collection::vec((0_u8..9, "\\PC{0,3}|[a-z ]|\u{301}|👩\u{200d}🚀"), 0..60)
        ) {
            let mut line = Line::default();
            for (step, text) in steps {
                match step {
                    0 => line.edit(Press::Backspace),
                    1 => line.edit(Press::Delete),
                    2 => line.edit(Press::Left),
                    3 => line.edit(Press::Right),
                    4 => line.edit(Press::DropWord),
                    5 => line.edit(Press::Scroll(isize::MIN)),
                    _ => line.insert(&text),
                }
                prop_assert!(line.text.is_char_boundary(line.at) && line.at <= line.text.len());
                let (before, after) = line.text.split_at(line.at);
                prop_assert_eq!(format!("{before}{after}"), line.text.clone());
                prop_assert!(line.text.chars().count() <= LONGEST);
            }
        }
    }
}
