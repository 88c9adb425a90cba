//! Who must answer an alert and by when: severity words, the matrix, contacts, and the two clocks of an alert.
//! Both clocks start at the first firing. An acknowledgement stops the first; telling somebody stops the second.

use super::finding::Finding;
use crate::base::severity::{Severity, Terms};
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
        let (terms, age) = (self.terms(finding.severity), now.since(fired));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Labels, Level, Mono, SeriesKey};
    use crate::rules::finding::{Ack, AlertId, FindingState};

    const MINUTE: u64 = 60;
    const HOUR: u64 = 3_600;

    fn at(seconds: u64) -> Now {
        let wall = i64::try_from(seconds).unwrap() * 1_000_000_000;
        Now { mono: Mono(seconds * 1_000_000_000), wall: Wall(wall) }
    }

    /// An alert that fired at second 1,000.
    fn alert(severity: Severity) -> Finding {
        Finding {
            id: AlertId { rule: 0, key: SeriesKey { name: "m".into(), labels: Labels::default() } },
            state: FindingState::Firing,
            level: Level::Critical,
            severity,
            since: at(1_000),
            value: 1.0,
            no_data_for: None,
            fired: Some(at(1_000)),
            flaps: 0,
            ack: None,
            silenced_until: None,
            cause: None,
        }
    }

    fn contact(name: &'static str, level: &'static str) -> Contact {
        Contact {
            name: name.into(),
            role: "r".into(),
            level: level.into(),
            phone: Some("1".into()),
            mail: None,
            web: None,
        }
    }

    fn told(to: &'static str) -> Escalated {
        Escalated { to: to.into(), by: "oncall".into(), at: Wall(1_795_230_767_123_456_789) }
    }

    fn left(seconds: u64) -> Due {
        Due::In(Duration::from_secs(seconds))
    }

    fn over(seconds: u64) -> Due {
        Due::Overdue(Duration::from_secs(seconds))
    }

    /// CN-11.7, CN-11.8, CN-11.9.
    #[test]
    fn both_clocks_run_from_the_first_firing_by_the_shipped_matrix() {
        let policy = Policy::default();
        for (severity, after, answer, escalate) in [
            (Severity::Critical, 0, left(15 * MINUTE), over(0)),
            (Severity::Critical, 15 * MINUTE - 1, left(1), over(15 * MINUTE - 1)),
            (Severity::Critical, 15 * MINUTE, over(0), over(15 * MINUTE)),
            (Severity::Critical, 16 * MINUTE, over(MINUTE), over(16 * MINUTE)),
            (Severity::Major, 0, left(HOUR), left(2 * HOUR)),
            (Severity::Major, HOUR, over(0), left(HOUR)),
            (Severity::Major, 2 * HOUR - 1, over(HOUR - 1), left(1)),
            (Severity::Major, 2 * HOUR, over(HOUR), over(0)),
            (Severity::Minor, 1, left(4 * HOUR - 1), left(24 * HOUR - 1)),
            (Severity::Minor, 4 * HOUR, over(0), left(20 * HOUR)),
            (Severity::Minor, 24 * HOUR, over(20 * HOUR), over(0)),
            (Severity::Info, 1_000 * HOUR, Due::Done, Due::Done),
        ] {
            let alert = alert(severity);
            let clock = policy.clock(&alert, &[], at(1_000 + after));
            assert_eq!((clock.answer, clock.escalate), (answer, escalate), "{severity:?} after {after} s");
        }
    }

    #[test]
    fn an_acknowledgement_stops_the_first_clock_and_an_escalation_the_second() {
        let policy = Policy::default();
        let mut alert = alert(Severity::Major);
        let now = at(1_000 + 3 * HOUR);
        assert_eq!(policy.clock(&alert, &[], now).overdue(), Some(Duration::from_secs(2 * HOUR)));
        alert.ack = Some(Ack { by: "oncall".into(), note: "mine".into(), at: now.wall });
        let clock = policy.clock(&alert, &[], now);
        assert_eq!((clock.answer, clock.escalate), (Due::Done, over(HOUR)));
        let clock = policy.clock(&alert, &[told("L2 Ada Example")], now);
        assert_eq!((clock.answer, clock.escalate, clock.overdue()), (Due::Done, Due::Done, None));
    }

    #[test]
    fn clearing_and_lost_data_stop_no_clock_and_the_end_a_silence_and_a_cause_do() {
        let policy = Policy::default();
        let now = at(1_000 + HOUR);
        for (state, runs) in [
            (FindingState::Firing, true),
            (FindingState::Clearing, true),
            (FindingState::NoData, true),
            (FindingState::Pending, false),
            (FindingState::Resolved, false),
        ] {
            let alert = Finding { state, ..alert(Severity::Critical) };
            assert_eq!(policy.clock(&alert, &[], now).overdue().is_some(), runs, "{state:?}");
        }
        let silenced = Finding { silenced_until: Some(Wall(9)), ..alert(Severity::Critical) };
        let cause = Some(alert(Severity::Critical).id);
        let folded = Finding { cause, ..alert(Severity::Critical) };
        let never_fired = Finding { fired: None, ..alert(Severity::Critical) };
        for quiet in [silenced, folded, never_fired] {
            assert_eq!(policy.clock(&quiet, &[], now).overdue(), None);
        }
    }

    #[test]
    fn next_is_the_lowest_level_above_all_who_know() {
        let next = |contacts: &[Contact], told: &[Escalated]| {
            let policy = Policy::new(&[], &[], contacts.to_vec());
            let now = at(1_000);
            policy.clock(&alert(Severity::Critical), told, now).next.map(|next| next.name.to_string())
        };
        let all = [contact("Cy", "L3"), contact("On", "L1"), contact("Ada", "L2"), contact("Bo", "L2")];
        assert_eq!(next(&all, &[]).as_deref(), Some("Ada"), "whoever watches is L1");
        assert_eq!(next(&all, &[told("L2 Ada")]).as_deref(), Some("Cy"));
        assert_eq!(next(&all, &[told("L3 Cy"), told("L2 Ada")]), None);
        assert_eq!(next(&all, &[told("my boss")]).as_deref(), Some("On"), "of a free text no level is known");
        assert_eq!(next(&[contact("On", "L1")], &[]).as_deref(), Some("On"), "better than nobody");
        assert_eq!(next(&[], &[]), None);
    }

    #[test]
    fn words_are_found_whatever_their_case_and_an_unmapped_one_is_major_and_says_so() {
        let own = [("Page".into(), Severity::Minor), ("on fire".into(), Severity::Critical)];
        let policy = Policy::new(&own, &[(Severity::Major, Some(Duration::from_secs(7)), None)], Vec::new());
        for (word, severity) in [
            (Some("critical"), (Severity::Critical, true)),
            (Some("CRITICAL "), (Severity::Critical, true)),
            (Some("major"), (Severity::Major, true)),
            (Some("warning"), (Severity::Minor, true)),
            (Some("none"), (Severity::Info, true)),
            (Some("page"), (Severity::Minor, true)),
            (Some("On Fire"), (Severity::Critical, true)),
            (Some("sev1"), (Severity::Major, false)),
            (Some(""), (Severity::Major, false)),
            (None, (Severity::Major, false)),
        ] {
            assert_eq!(policy.severity(word), severity, "{word:?}");
        }
        let terms = policy.terms(Severity::Major);
        assert_eq!((terms.respond.as_secs(), terms.escalate.as_secs()), (7, 2 * HOUR));
    }

    #[test]
    fn an_escalation_is_a_sentence() {
        assert_eq!(told("L2 Ada Example").sentence().as_str(), "escalated to L2 Ada Example by oncall at 03:12:47 UTC");
    }
}
