//! What was pasted as the answer to a question: many lines, as they are or as folded stacks. Pure.

use super::stacks::Stacks;
use crate::base::scrub::scrub;
use crate::base::{Clean, Unit};
use crate::clean;

/// Lines that are kept of one paste.
const MOST: usize = 20_000;
/// Lines that a record or a report tells.
pub const TOLD: usize = 50;
/// Columns of a line there.
const WIDTH: usize = 200;

/// What the lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Lines,
    /// `main;run;parse 12`: a stack, outermost frame first, and how often it was seen.
    Stacks,
}

impl Form {
    /// Every form with its word in files.
    pub const ALL: [(&str, Self); 2] = [("lines", Self::Lines), ("stacks", Self::Stacks)];

    /// The form with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == word).map(|(_, form)| form)
    }
}

/// What came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pasted {
    /// Clean, without what looks like a secret.
    pub lines: Vec<Clean>,
    /// So many bytes more came, and are not kept.
    pub left_out: u64,
}

impl Pasted {
    /// These lines of a paste; secrets are taken out before anything is shown or kept.
    pub fn new(lines: &[Clean], left_out: u64) -> Self {
        let text = lines.iter().take(MOST).map(Clean::as_str).collect::<Vec<_>>().join("\n");
        let over: usize = lines.iter().skip(MOST).map(|line| line.as_str().len() + 1).sum();
        let mut lines = Clean::lines(scrub(&text));
        while lines.last().is_some_and(|line| line.as_str().trim().is_empty()) {
            lines.pop();
        }
        Self { lines, left_out: left_out + over as u64 }
    }

    /// What it is, in a few words.
    ///
    /// # Errors
    /// It is empty, or of another form.
    pub fn summary(&self, form: Form) -> Result<Clean, Clean> {
        if self.lines.iter().all(|line| line.as_str().trim().is_empty()) {
            return Err("the answer is empty.".into());
        }
        let text = match form {
            Form::Lines => {
                let bytes: usize = self.lines.iter().map(|line| line.as_str().len() + 1).sum();
                let noun = if self.lines.len() == 1 { "line" } else { "lines" };
                clean!("{} {noun}, {}", self.lines.len(), Unit::Bytes.show(bytes as f64))
            }
            Form::Stacks => {
                Stacks::read(&self.lines).ok_or("no line of it is a stack: write `main;run;parse 12`.")?.summary()
            }
        };
        if self.left_out == 0 {
            return Ok(text);
        }
        Ok(clean!("{text}; {} more did not fit", Unit::Bytes.show(self.left_out as f64)))
    }
}

/// What lines of this form read like: stacks as a tree.
pub fn shown(form: Form, lines: &[Clean]) -> Vec<Clean> {
    match form {
        Form::Lines => lines.to_vec(),
        Form::Stacks => Stacks::read(lines).map_or_else(|| lines.to_vec(), |stacks| stacks.rows()),
    }
}

/// The beginning of that, for records and reports.
pub fn told(form: Form, lines: &[Clean]) -> Vec<Clean> {
    let all = shown(form, lines);
    let more = all.len().saturating_sub(TOLD);
    let cut = |line: &Clean| match line.as_str().char_indices().nth(WIDTH) {
        Some((at, _)) => clean!("{}…", line.as_str().get(..at).unwrap_or_default()),
        None => line.clone(),
    };
    let mut told: Vec<Clean> = all.iter().take(TOLD).map(cut).collect();
    if more > 0 {
        told.push(clean!("and {more} lines more"));
    }
    told
}
