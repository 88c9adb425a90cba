//! The handover card: at most twelve lines of plain ASCII for a clipboard, a chat and a file; they fit a framed sheet on 80
//! columns.
//! What is empty is absent; where there is too much, the least important shrinks to a count.

use super::deeds::{Deed, Mute};
use super::plain::{ascii, fit};
use super::told::{FollowUp, Incident};
use crate::base::time::Age;
use crate::base::{Clean, Ulid, Wall};
use core::time::Duration;

/// Lines at most.
pub const LINES: usize = 12;
/// Columns at most.
pub const WIDTH: usize = 76;
/// Columns of the word at the beginning of a line.
const WORD: usize = 9;

/// Columns that a name of an open item is left.
const NAME: usize = 40;

/// Columns of ` +999 more`.
const COUNT: usize = 10;

/// An alert that fires now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// Name and labels.
    pub name: Clean,
    /// How bad, in a word.
    pub word: Clean,
    /// The value, with its unit.
    pub value: Clean,
    /// How old the value is; `None` when that is not known.
    pub age: Option<Duration>,
    /// Since when it fires.
    pub since: Option<Wall>,
    /// Who has it.
    pub taken: Option<Clean>,
}

/// Something that was put off, or is under way elsewhere: an item of a procedure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenItem {
    /// Which run of a procedure it is of, where that is known.
    pub run: Option<Ulid>,
    /// The procedure's id.
    pub procedure: Clean,
    /// What.
    pub item: Clean,
    /// How it stands: `deferred`, `step 4 of 9`.
    pub state: Clean,
    /// Why, or what it waits for.
    pub why: Clean,
}

/// Everything that a card may tell.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// This host's name.
    pub host: Clean,
    /// The profile's title.
    pub profile: Clean,
    /// The environment's badge.
    pub environment: Clean,
    /// Now.
    pub now: Wall,
    /// The open incident.
    pub incident: Option<Incident>,
    /// What fires now, the worst first.
    pub firing: Vec<Firing>,
    /// What was done, oldest first.
    pub done: Vec<Deed>,
    /// What runs now.
    pub running: Vec<Clean>,
    /// What is deferred or open.
    pub open: Vec<OpenItem>,
    /// What is muted now.
    pub mutes: Vec<Mute>,
    /// What is left to do.
    pub follow_ups: Vec<FollowUp>,
    /// Whom to call next.
    pub call: Option<Clean>,
    /// Where the report is.
    pub report: Option<Clean>,
}

/// Rows under one word, and how many of them have room. What comes later among [`SECTIONS`] shrinks first.
struct Section {
    word: &'static str,
    rows: Vec<String>,
    shown: usize,
    /// The higher the later it shrinks.
    weight: u8,
}

/// The card, a line each.
pub fn card(facts: &Facts) -> Vec<String> {
    let mut sections = sections(facts);
    let mut total = 1 + sections.iter().map(|section| section.shown).sum::<usize>();
    while total > LINES {
        let long = sections.iter_mut().filter(|section| section.shown > 1);
        let Some(least) = long.min_by_key(|section| section.weight) else { break };
        least.shown -= 1;
        total -= 1;
    }
    core::iter::once(head(facts)).chain(sections.iter().flat_map(Section::lines)).collect()
}

impl Section {
    fn new(word: &'static str, weight: u8, rows: impl Iterator<Item = String>) -> Self {
        let rows: Vec<String> = rows.map(|row| ascii(&row)).collect();
        Self { word, shown: rows.len(), rows, weight }
    }

    fn lines(&self) -> Vec<String> {
        let hidden = self.rows.len() - self.shown;
        let room = WIDTH - WORD;
        let line = |(at, row): (usize, &String)| {
            let word = if at == 0 { self.word } else { "" };
            let text = if hidden > 0 && at + 1 == self.shown {
                let more = format!(" +{hidden} more");
                fit(row, room - more.len()) + &more
            } else {
                fit(row, room)
            };
            format!("{word:WORD$}{text}")
        };
        self.rows.iter().take(self.shown).enumerate().map(line).collect()
    }
}

fn sections(facts: &Facts) -> Vec<Section> {
    let all = [
        Section::new("INCIDENT", 9, facts.incident.iter().map(|it| incident(it, facts.now))),
        Section::new("FIRES", 6, facts.firing.iter().map(|it| firing(it, facts.now))),
        // The newest tells most.
        Section::new("DONE", 4, facts.done.iter().rev().map(deed)),
        Section::new("RUNS", 5, facts.running.iter().map(Clean::to_string)),
        Section::new("OPEN", 3, facts.open.iter().map(open)),
        Section::new("MUTED", 1, facts.mutes.iter().map(mute)),
        Section::new("TODO", 2, facts.follow_ups.iter().map(follow_up)),
        Section::new("CALL", 9, facts.call.iter().map(Clean::to_string)),
        Section::new("REPORT", 9, report(facts).into_iter()),
    ];
    all.into_iter().filter(|section| !section.rows.is_empty()).collect()
}

/// `2026-11-21 03:12:47`.
pub fn moment(at: Wall) -> String {
    at.rfc3339().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

fn head(facts: &Facts) -> String {
    let time = format!("{} UTC", moment(facts.now));
    let badge = fit(&ascii(facts.environment.as_str()), 12);
    let host = fit(&ascii(facts.host.as_str()), 20);
    let room = WIDTH.saturating_sub(time.len() + badge.len() + host.len() + 6);
    let parts = [host, fit(&ascii(facts.profile.as_str()), room), badge, time];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

fn incident(it: &Incident, now: Wall) -> String {
    let lasts = Age(now.since(it.opened.wall));
    // The title is shortened before the facts are.
    let facts = format!(", {}, owner {}, since {} ({lasts})", it.severity.word(), it.owner, it.opened.wall.hms());
    let facts = ascii(&facts);
    let title = ascii(it.title.as_str());
    fit(&title, (WIDTH - WORD).saturating_sub(facts.len()).max(12)) + &facts
}

fn firing(it: &Firing, now: Wall) -> String {
    let age = it.age.map(|age| format!(" ({} old)", Age(age))).unwrap_or_default();
    let since = it.since.map(|since| format!(" for {}", Age(now.since(since)))).unwrap_or_default();
    let taken = it.taken.as_ref().map(|by| format!(", taken by {by}")).unwrap_or_default();
    // The name is shortened before the facts are; a count may have to stand behind them.
    let facts = ascii(&format!(" {}{age}{since}{taken}", it.value));
    let room = (WIDTH - WORD).saturating_sub(facts.len() + COUNT + 1 + it.word.as_str().len()).max(16);
    format!("{} {}{facts}", it.word, fit(&ascii(it.name.as_str()), room))
}

fn deed(it: &Deed) -> String {
    let figure = it.figure().map(|figure| format!(" {figure}")).unwrap_or_default();
    format!("{} {}: {}{figure}", it.at.hms(), it.name(), it.outcome())
}

fn open(it: &OpenItem) -> String {
    let why = if it.why.as_str().is_empty() { String::new() } else { format!(": {}", it.why) };
    // A long name is shortened, so that how it stands and whose it is have room; not for a long reason.
    let facts = ascii(&format!(" {}{why}", it.state));
    fit(&ascii(it.item.as_str()), (WIDTH - WORD).saturating_sub(facts.len()).max(NAME)) + &facts
}

fn mute(it: &Mute) -> String {
    format!("until {} by {}: {} ({})", it.until.hms(), it.by, it.matchers, it.reason)
}

fn follow_up(it: &FollowUp) -> String {
    format!("{}: {}", it.owner, it.text)
}

/// The file, or where its name is too long the command that prints it.
fn report(facts: &Facts) -> Option<String> {
    let path = facts.report.as_ref()?;
    let long = ascii(path.as_str()).len() > WIDTH - WORD;
    let id = facts.incident.as_ref().filter(|_| long).map(|it| it.id);
    Some(id.map_or_else(|| path.to_string(), |id| format!("watchkeeper report --incident {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::verify::Comparison;
    use crate::base::{Mono, Now, Severity, Unit};
    use crate::incident::deeds::Ended;
    use proptest::prelude::*;

    const NOW: Wall = Wall(1_795_230_850_000_000_000);

    fn ago(seconds: u64) -> Wall {
        NOW.back(Duration::from_secs(seconds))
    }

    fn full() -> Facts {
        let after = Comparison {
            label: "latency p95".into(),
            unit: Unit::Seconds,
            before: Some(14.2e-6),
            after: Some(7.3e-6),
            fresh: 10,
            met: Some(true),
        };
        let end = Ended { at: ago(20), outcome: "VERIFIED".into(), reason: "ok".into(), comparisons: vec![after] };
        Facts {
            host: "gpu-07".into(),
            profile: "Cerebellar-Norse".into(),
            environment: "PROD".into(),
            now: NOW,
            incident: Some(Incident {
                id: Ulid(1),
                title: "Latency p95 is critical".into(),
                owner: "oncall".into(),
                severity: Severity::Critical,
                opened: Now { mono: Mono(1), wall: ago(754) },
                closed: None,
                summary: Clean::default(),
            }),
            firing: vec![Firing {
                name: "LMDB used".into(),
                word: "WARNING".into(),
                value: "91 %".into(),
                age: Some(Duration::from_secs(5)),
                since: Some(ago(600)),
                taken: Some("oncall".into()),
            }],
            done: vec![Deed {
                plan: Ulid(2),
                action: "Reduce batch size".into(),
                lines: Vec::new(),
                who: "oncall".into(),
                at: ago(60),
                end: Some(end),
            }],
            running: vec!["Back up state: running".into()],
            open: vec![OpenItem {
                item: "9 Grow the LMDB map".into(),
                state: "deferred".into(),
                why: "needs 1.9 GiB, 1.1 GiB free".into(),
                ..OpenItem::default()
            }],
            mutes: vec![Mute {
                matchers: "alertname=\"Queue\"".into(),
                reason: "known".into(),
                by: "oncall".into(),
                at: ago(50),
                until: Wall(NOW.0 + 3_600_000_000_000),
                ended: None,
            }],
            follow_ups: vec![FollowUp { text: "buy memory".into(), owner: "ada".into(), by: "x".into(), at: NOW }],
            call: Some("L2 Ada Example, +1-555-0124".into()),
            report: Some("/var/lib/watchkeeper/incidents/00000000000000000000000001.md".into()),
        }
    }

    fn holds(card: &[String]) {
        assert!(card.len() <= LINES && card.iter().all(|line| line.len() <= WIDTH), "{card:#?}");
        assert!(card.iter().flat_map(|line| line.bytes()).all(|byte| matches!(byte, 0x20..=0x7E)), "{card:#?}");
    }

    #[test]
    fn an_item_of_a_long_name_keeps_its_owner() {
        let item = "a-loop-without-an-end-or-an-await-work-that-grows-faster-than-its-input";
        let open = OpenItem { item: item.into(), state: "deferred".into(), why: "ada".into(), ..OpenItem::default() };
        let card = card(&Facts { open: vec![open], ..Facts::default() });
        holds(&card);
        let line = "OPEN     a-loop-without-an-end-or-an-await-work-that-grows-f.. deferred: ada";
        assert_eq!(card.last().map(String::as_str), Some(line));
    }

    #[test]
    fn a_card_tells_what_the_next_one_must_know() {
        let card = card(&full());
        holds(&card);
        assert_eq!(
            card,
            [
                "gpu-07  Cerebellar-Norse  PROD  2026-11-21 03:14:10 UTC",
                "INCIDENT Latency p95 is crit.., CRITICAL, owner oncall, since 03:01:36 (12m)",
                "FIRES    WARNING LMDB used 91 % (5s old) for 10m, taken by oncall",
                "DONE     03:13:10 Reduce batch size: VERIFIED latency p95 14.2 us -> 7.30 us",
                "RUNS     Back up state: running",
                "OPEN     9 Grow the LMDB map deferred: needs 1.9 GiB, 1.1 GiB free",
                "MUTED    until 04:14:10 by oncall: alertname=\"Queue\" (known)",
                "TODO     ada: buy memory",
                "CALL     L2 Ada Example, +1-555-0124",
                "REPORT   /var/lib/watchkeeper/incidents/00000000000000000000000001.md",
            ]
        );
    }

    #[test]
    fn what_is_empty_is_absent() {
        let facts =
            Facts { host: "h".into(), profile: "p".into(), environment: "DEMO".into(), now: NOW, ..Facts::default() };
        assert_eq!(card(&facts), ["h  p  DEMO  2026-11-21 03:14:10 UTC"]);
    }

    #[test]
    fn too_much_shrinks_to_a_count_the_least_important_first() {
        let mut facts = full();
        facts.mutes = vec![facts.mutes[0].clone(); 4];
        facts.follow_ups = vec![facts.follow_ups[0].clone(); 2];
        let card12 = card(&facts);
        holds(&card12);
        assert_eq!(card12.len(), LINES);
        let muted: Vec<&String> = card12.iter().filter(|line| line.contains("alertname")).collect();
        assert!(muted.last().is_some_and(|line| line.ends_with(" +2 more")), "{card12:#?}");
        assert_eq!(card12.iter().filter(|line| line.contains("buy memory")).count(), 2);
        facts.firing = vec![facts.firing[0].clone(); 40];
        let card40 = card(&facts);
        holds(&card40);
        assert!(card40.iter().any(|line| line.contains("LMDB used") && line.ends_with("+37 more")), "{card40:#?}");
        for word in ["INCIDENT", "FIRES", "DONE", "RUNS", "OPEN", "MUTED", "TODO", "CALL", "REPORT"] {
            assert!(card40.iter().any(|line| line.starts_with(word)), "{word}: {card40:#?}");
        }
    }

    #[test]
    fn a_path_that_does_not_fit_becomes_the_command() {
        let mut facts = full();
        facts.report = Some(Clean::text("/home/oncall/".repeat(9)));
        let line = card(&facts).pop().expect("a line");
        assert_eq!(line, "REPORT   watchkeeper report --incident 00000000000000000000000001");
    }

    proptest! {
        #[test]
        fn no_text_and_no_number_of_rows_breaks_the_card(
            text in any::<String>(), long in 0_usize..60, firing in 0_usize..30, done in 0_usize..30, open in 0_usize..30
        ) {
            let text = Clean::text(text.repeat(long));
            let mut facts = full();
            (facts.host, facts.profile, facts.environment) = (text.clone(), text.clone(), text.clone());
            facts.call = Some(text.clone());
            facts.incident.as_mut().expect("one").title = text.clone();
            facts.incident.as_mut().expect("one").owner = text.clone();
            facts.firing = vec![Firing { name: text.clone(), ..facts.firing[0].clone() }; firing];
            facts.done = vec![Deed { action: text.clone(), ..facts.done[0].clone() }; done];
            facts.open = vec![OpenItem { item: text.clone(), ..facts.open[0].clone() }; open];
            facts.mutes[0].reason = text.clone();
            facts.follow_ups[0].text = text.clone();
            holds(&card(&facts));
        }
    }
}
