//! Who must answer an alert and by when: severity words, the matrix, contacts, and the two clocks of an alert.
//! Both clocks start at the first firing. An acknowledgement stops the first; telling somebody stops the second.

use super::finding::Finding;
use super::severity::{Severity, Terms};
use crate::base::{Clean, Contact, Now, Wall};
use crate::clean;
use core::time::Duration;
use std::collections::BTreeMap;

/// The words that rule files commonly put into the label `severity`.
pub const WORDS: &[(&str, Severity)] = &[
    ("critical", Severity::Critical),
    ("crit", Severity::Critical),
    ("page", Severity::Critical),
    ("emergency", Severity::Critical),
    ("fatal", Severity::Critical),
    ("disaster", Severity::Critical),
    ("major", Severity::Major),
    ("error", Severity::Major),
    ("high", Severity::Major),
    ("minor", Severity::Minor),
    ("warning", Severity::Minor),
    ("warn", Severity::Minor),
    ("ticket", Severity::Minor),
    ("medium", Severity::Minor),
    ("low", Severity::Minor),
    ("info", Severity::Info),
    ("information", Severity::Info),
    ("informational", Severity::Info),
    ("notice", Severity::Info),
    ("none", Severity::Info),
];

const fn minutes(respond: u64, escalate: u64) -> Terms {
    Terms { respond: Duration::from_secs(respond * 60), escalate: Duration::from_secs(escalate * 60) }
}

/// The shipped matrix.
const fn shipped(severity: Severity) -> Terms {
    match severity {
        Severity::Critical => minutes(15, 0),
        Severity::Major => minutes(60, 120),
        Severity::Minor => minutes(240, 24 * 60),
        Severity::Info => Terms { respond: Duration::MAX, escalate: Duration::MAX },
    }
}

/// Severity words, the matrix, and who can be called. The default is what ships, with nobody to call.
#[derive(Clone, Debug)]
pub struct Policy {
    words: BTreeMap<String, Severity>,
    matrix: Vec<(Severity, Terms)>,
    contacts: Vec<Contact>,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(&[], &[], Vec::new())
    }
}

/// Somebody was told of an alert that the matrix wanted handed on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Escalated {
    /// Level and name: `L2 Ada Example`.
    pub to: Clean,
    /// Login that told them.
    pub by: Clean,
    /// When.
    pub at: Wall,
}

impl Escalated {
    /// `escalated to L2 Ada Example by oncall at 03:12:47 UTC`.
    pub fn sentence(&self) -> Clean {
        clean!("escalated to {} by {} at {} UTC", self.to, self.by, self.at.hms())
    }
}

/// How a clock stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// So much time is left.
    In(Duration),
    /// It should have been done so long ago; zero is now.
    Overdue(Duration),
    /// It was done, or nobody asks for it.
    Done,
}

impl Due {
    /// Overdue by how much.
    pub const fn overdue(self) -> Option<Duration> {
        match self {
            Self::Overdue(by) => Some(by),
            Self::In(_) | Self::Done => None,
        }
    }
}

/// The two clocks of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock<'a> {
    /// Until somebody must have answered.
    pub answer: Due,
    /// Until it is handed on.
    pub escalate: Due,
    /// Whom to tell next, by support level; `None` when nobody is listed above those who know.
    pub next: Option<&'a Contact>,
}

impl Clock<'_> {
    /// The longer of what is overdue.
    pub fn overdue(&self) -> Option<Duration> {
        self.answer.overdue().max(self.escalate.overdue())
    }
}

impl Policy {
    /// The shipped words and matrix with these changes: words of the label `severity` (letter case does not count),
    /// and of a row of the matrix the time to respond and the time to escalate where they are given.
    pub fn new(
        words: &[(Clean, Severity)],
        rows: &[(Severity, Option<Duration>, Option<Duration>)],
        contacts: Vec<Contact>,
    ) -> Self {
        let shipped_words = WORDS.iter().map(|(word, severity)| ((*word).to_owned(), *severity));
        let own = words.iter().map(|(word, severity)| (key(word.as_str()), *severity));
        let matrix = Severity::ALL.map(|severity| {
            let asked = rows.iter().filter(|(row, ..)| *row == severity);
            let terms = asked.fold(shipped(severity), |terms, (_, respond, escalate)| Terms {
                respond: respond.unwrap_or(terms.respond),
                escalate: escalate.unwrap_or(terms.escalate),
            });
            (severity, terms)
        });
        Self { words: shipped_words.chain(own).collect(), matrix: matrix.to_vec(), contacts }
    }

    /// What a word of the label `severity` means. False when the word has no row here, or there is no label:
    /// it counts as MAJOR then, and the linter says so loudly.
    pub fn severity(&self, word: Option<&str>) -> (Severity, bool) {
        let known = word.and_then(|word| self.words.get(&key(word)));
        known.map_or((Severity::Major, false), |severity| (*severity, true))
    }

    /// Every word with what it means, for the linter's "did you mean".
    pub fn words(&self) -> impl Iterator<Item = (&str, Severity)> {
        self.words.iter().map(|(word, severity)| (word.as_str(), *severity))
    }

    /// The row of the matrix.
    pub fn terms(&self, severity: Severity) -> Terms {
        let row = self.matrix.iter().find(|(row, _)| *row == severity);
        row.map_or_else(|| shipped(severity), |(_, terms)| *terms)
    }

    /// Who can be called, in the order of the profile.
    pub fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// The clocks of one alert, with those who have been told of it. Nothing is due of an alert that is not up,
    /// that is silenced, or that is folded under its cause: the cause has the clocks.
    pub fn clock(&self, finding: &Finding, told: &[Escalated], now: Now) -> Clock<'_> {
        let next = self.next(told);
        let muted = finding.cause.is_some() || finding.silenced_until.is_some();
        let Some(fired) = finding.fired.filter(|_| finding.state.is_up() && !muted) else {
            return Clock { answer: Due::Done, escalate: Due::Done, next };
        };
        let (terms, age) = (self.terms(finding.severity), now.mono.since(fired.mono));
        let due = |done: bool, term: Duration| match term.checked_sub(age) {
            _ if done || term == Duration::MAX => Due::Done,
            Some(left) if !left.is_zero() => Due::In(left),
            _ => Due::Overdue(age.saturating_sub(term)),
        };
        Clock {
            answer: due(finding.ack.is_some(), terms.respond),
            escalate: due(!told.is_empty(), terms.escalate),
            next,
        }
    }

    /// The first contact of the lowest level above all who know. Whoever watches counts as L1; when only such are
    /// listed, the first of them is better than nobody.
    fn next(&self, told: &[Escalated]) -> Option<&Contact> {
        let floor = told.iter().map(|told| rank(&told.to)).max();
        let above = |floor| {
            let higher = self.contacts.iter().filter(move |contact| rank(&contact.level) > floor);
            higher.min_by_key(|contact| rank(&contact.level))
        };
        above(floor.unwrap_or(1)).or_else(|| above(0).filter(|_| floor.is_none()))
    }
}

fn key(word: &str) -> String {
    word.trim().to_ascii_lowercase()
}

/// The number of a support level at the start of a text: 2 of `L2 Ada Example`; 0 when there is none.
fn rank(level: &Clean) -> u32 {
    let digits = level.as_str().strip_prefix('L').unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
