//! A procedure as it was read: its items in order, each with what makes it live, and what is wrong with the text.

use super::calculate::Calculate;
use super::pasted::Form;
use crate::base::{Clean, Fault, Severity, Unit};
use crate::rules::expr::Expr;
use core::time::Duration;
use std::sync::Arc;

/// Items of one page: more do not fit a tired head.
pub const PAGE: usize = 9;
/// A document is not longer, in bytes.
pub const LONGEST: usize = 1 << 20;

/// One Markdown document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Unique in the profile: the `id` of its front matter, else its file's name.
    pub id: Arc<str>,
    /// The `title` of its front matter, else its first heading.
    pub title: Clean,
    /// As the user would type the file's path.
    pub file: Clean,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
    /// Words and messages that lead here: `MDB_MAP_FULL`.
    pub symptoms: Vec<Clean>,
    /// Names of the alerts that it answers.
    pub alerts: Vec<Clean>,
    /// Names of alerts that are only consequences while this is worked on.
    pub consequences: Vec<Clean>,
    /// It should be done in this time.
    pub time_box: Option<Duration>,
    /// How urgent it is when no alert says.
    pub severity: Option<Severity>,
    /// It promises to change nothing.
    pub read_only: bool,
    /// Why its order differs from the order of the guide that it comes from.
    pub order: Option<Clean>,
    /// Keys of another tool's front matter that mean nothing here, and the line where it begins.
    pub unused: (Vec<Clean>, u32),
    /// What stands before the first item.
    pub about: Vec<Clean>,
    /// In the order of the text.
    pub items: Vec<Item>,
    /// What is wrong, each with its line; with one the document is only read, never live.
    pub faults: Vec<Fault>,
}

/// One thing to see, to do or to answer.
#[derive(Clone, Debug)]
pub struct Item {
    /// Unique in the document: `{#id}` behind its heading, else made of its title.
    pub id: Arc<str>,
    /// What is seen or done.
    pub title: Clean,
    /// Paragraphs and list entries below the title, a line each.
    pub prose: Vec<Clean>,
    /// Of its prose what is code: copied alone.
    pub code: Vec<Clean>,
    /// Depth of its heading, from 2; an entry of a list or a block of its own lies one deeper than its heading.
    pub depth: u8,
    /// From 0: a rule (`---`) between items begins the next page.
    pub page: usize,
    /// Where it begins, from 1.
    pub line: u32,
    /// To be known by heart: done first.
    pub memory: bool,
    /// What makes it live.
    pub live: Live,
    /// Values that help to decide, shown beside it.
    pub show: Vec<Look>,
    /// What else of the profile belongs to it.
    pub beside: Beside,
    /// How one knows that it went wrong.
    pub failed: Option<Clean>,
    /// The item where to go on then: always a later one.
    pub go: Option<Arc<str>>,
    /// How long what was found here may be believed after an interruption.
    pub valid_for: Duration,
    /// For how long after it ticked what a check found must still hold, whatever is done meanwhile; `None` is until the
    /// next action begins.
    pub watch: Option<Duration>,
}

/// What of the profile belongs to an item.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Samplers whose facts are shown with it.
    pub facts: Vec<Arc<str>>,
    /// What repeats in a log, shown with it.
    pub repeats: Option<Repeats>,
    /// Words of its text that facts stand for.
    pub fill: Vec<Fill>,
    /// What is dangerous about it where it stands, a sentence each.
    pub hazards: Vec<Clean>,
}

/// What makes an item live.
#[derive(Clone, Debug)]
pub enum Live {
    /// Nothing: it is read.
    Read,
    /// It ticks itself while this holds.
    Check(Condition),
    /// `- [ ]` challenge and expected response: the operator says what was observed.
    Challenge(Option<Clean>),
    /// An action of the profile, with values for its parameters.
    Action(Arc<str>, Vec<(Clean, Clean)>),
    /// Time must pass, or a condition must come true.
    Wait(Wait),
    /// A question.
    Ask(Ask),
    /// Figures are typed, others come of them.
    Calculate(Calculate),
    /// The newest lines of a log are looked at, and kept with the walk.
    Log(Tail),
    /// What lies deeper than this item is for this case only.
    When(Condition),
    /// Somebody is called.
    Escalate(Escalate),
    /// Commands of a document that was not written for us: shown and copied; run only where the profile allows it.
    Command(Vec<Clean>),
    /// A block that could not be read: the fault stands among the document's.
    Broken,
}

/// A value beside an item.
#[derive(Clone, Debug)]
pub struct Look {
    /// What the engineer calls it.
    pub label: Clean,
    /// What is asked.
    pub expr: Expr,
    /// Base unit of the answer.
    pub unit: Unit,
}

/// What must be seen.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Of what.
    pub of: Subject,
    /// How it compares.
    pub expect: Expect,
    /// It must hold this long without a break.
    pub hold: Duration,
}

/// What a condition looks at.
#[derive(Clone, Debug)]
pub enum Subject {
    /// The worst row of this expression.
    Query(Look),
    /// What was answered to the question of this name.
    Answer(Arc<str>),
    /// What a sampler tells in words.
    Fact(Told),
}

/// A fact of a sampler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What the engineer calls it.
    pub label: Clean,
    /// Whose.
    pub sampler: Arc<str>,
    /// Its name there.
    pub fact: Clean,
}

/// A word of the text that a fact stands for: `NAME` in `add("NAME")`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// As it is written: capitals, digits and `_`.
    pub word: Clean,
    /// Whose fact.
    pub sampler: Arc<str>,
    /// Its name there.
    pub fact: Clean,
}

/// `< 10e-6`, `>= 0.9`, `== 0`, `is yes`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// A number compares.
    Number(Comparison, f64),
    /// An answer, or a fact, is this text.
    Text(Clean),
    /// A fact is known, whatever it says.
    Known,
}

/// How numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    Differs,
}

/// Time must pass.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Until this holds; `None` when only time must pass.
    pub until: Option<Condition>,
    /// At most so long; then the item has failed, or without a condition is done.
    pub at_most: Duration,
}

/// A question.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What its answer is called in conditions.
    pub name: Arc<str>,
    /// What may be answered.
    pub kind: Answer,
    /// The answer is a host, and never one of production.
    pub not_production: bool,
}

/// What may be answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One of these.
    Choice(Vec<Clean>),
    /// A number between these, in this unit.
    Number(f64, f64, Unit),
    /// Any text that is not empty.
    Text,
    /// This word, typed as it stands; or one of these, that arrows offer too.
    Typed(Clean, Vec<Clean>),
    /// Lines that are pasted, of this form.
    Pasted(Form),
}

/// The end of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The profile's name of the log.
    pub source: Arc<str>,
    /// So many lines at most.
    pub lines: usize,
}

/// Errors of a log, those that repeat most first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// The profile's name of the log.
    pub source: Arc<str>,
    /// Not older than this.
    pub within: Duration,
    /// So many kinds of them.
    pub most: usize,
}

/// Somebody is called.
#[derive(Clone, Debug)]
pub struct Escalate {
    /// A support level (`L2`) or a contact's name.
    pub to: Clean,
    /// What to tell them.
    pub say: Option<Clean>,
}

impl Document {
    /// The question that an item lies behind, where that wants a word to be typed: its place, and the word.
    pub fn behind_word(&self, at: usize) -> Option<(usize, &Clean)> {
        let mut depth = self.items.get(at)?.depth;
        for item in self.items.get(..at)?.iter().rev() {
            if item.depth >= depth {
                continue;
            }
            depth = item.depth;
            let Live::When(Condition { of: Subject::Answer(name), expect: Expect::Text(is), .. }) = &item.live else {
                continue;
            };
            let asked = self.items.iter().enumerate().find_map(|(at, item)| match &item.live {
                Live::Ask(Ask { name: known, kind: Answer::Typed(word, _), .. }) if known == name => Some((at, word)),
                _ => None,
            });
            if let Some(found) = asked.filter(|(_, word)| *word == is) {
                return Some(found);
            }
        }
        None
    }

    /// Whether anything in it can be ticked, done or answered.
    pub fn is_live(&self) -> bool {
        self.items.iter().any(|item| !matches!(item.live, Live::Read))
    }
}

impl Live {
    /// What lines that are found here are.
    pub const fn form(&self) -> Form {
        match self {
            Self::Ask(Ask { kind: Answer::Pasted(form), .. }) => *form,
            _ => Form::Lines,
        }
    }
}

impl Expect {
    /// Whether a number is as expected; `None` where that cannot be told.
    pub fn holds(&self, value: f64) -> Option<bool> {
        let Self::Number(comparison, limit) = self else { return None };
        (!value.is_nan()).then(|| comparison.holds(value, *limit))
    }
}

impl Comparison {
    /// Whether `left` compares so with `right`, as people and PromQL mean it: -0 is 0, and what is not a number compares
    /// with nothing.
    #[expect(clippy::float_cmp, reason = "an author who writes == means it")]
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
            Self::Equal => left == right,
            Self::Differs => left != right && !left.is_nan() && !right.is_nan(),
        }
    }
}
