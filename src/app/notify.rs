//! What people are told of outside the screen: the webhook of every alert that begins, worsens or ends, the bell of
//! critical ones, and the journal. A silenced alert and one folded under its cause are told only when that ends.

use super::alert_trail::AlertTrail;
use super::effect::{Effect, Entry};
use super::model::Model;
use crate::base::{Clean, Mono, Now, Severity, Wall};
use crate::clean;
use crate::rules::Book;
use crate::rules::finding::{AlertId, Finding};
use crate::rules::silence::Silence;
use core::cell::RefCell;
use core::time::Duration;
use std::collections::BTreeMap;

/// The bell does not ring more often.
const QUIET: Duration = Duration::from_secs(10);

/// One alert, as the webhook tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertNote {
    /// It fires; else it is over.
    pub firing: bool,
    /// Its labels, with `alertname`.
    pub labels: Vec<(Clean, Clean)>,
    /// Its annotations.
    pub annotations: Vec<(Clean, Clean)>,
    /// How serious it is for people.
    pub severity: Severity,
    /// First firing.
    pub starts: Wall,
    /// When it was over.
    pub ends: Option<Wall>,
    /// The last value, in base units; NaN when there is none.
    pub value: f64,
    /// The last value as the screen shows it.
    pub shown: Clean,
    /// What it looks at is made up by a stand-in.
    pub simulated: bool,
}

impl AlertNote {
    /// Name and labels, as the journal names it: `GPU memory{gpu="0"}`.
    pub fn name(&self) -> Clean {
        let rest: Vec<String> = self
            .labels
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity"))
            .map(|(name, value)| format!("{name}=\"{value}\""))
            .collect();
        let name = self.title();
        if rest.is_empty() { name.clone() } else { clean!("{name}{{{}}}", rest.join(", ")) }
    }

    fn title(&self) -> Clean {
        let found = self.labels.iter().find(|(name, _)| name.as_str() == "alertname");
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    /// What a person reads first: `CRITICAL: GPU memory 97 %: it is nearly full`.
    fn headline(&self) -> Clean {
        let summary = self.annotations.iter().find(|(name, _)| name.as_str() == "summary");
        let summary = summary.map(|(_, text)| format!(": {text}")).unwrap_or_default();
        let mark = if self.simulated { "SIMULATED " } else { "" };
        clean!("{mark}{}: {} {}{summary}", self.severity.word(), self.name(), self.shown)
    }
}

/// How the webhook does, for the screen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifierStatus {
    /// Host and port; `None` when the profile has no webhook, or it cannot be used.
    pub place: Option<Clean>,
    /// The other console on this host that tells it, instead of this one.
    pub other: Option<Clean>,
    /// The last request that was answered or failed: when, and its HTTP status or what went wrong.
    pub last: Option<(Now, Result<u16, Clean>)>,
    /// Alerts that wait to be told.
    pub waiting: usize,
    /// Alerts that were never told: too many waited, or the webhook failed for too long.
    pub dropped: u64,
}

/// Tells what the last judgement has changed.
pub fn tell(model: &mut Model) -> Vec<Effect> {
    let mut told = core::mem::take(&mut model.session.told);
    let mut effects = told.silences(&model.book, model.now);
    // Of each rule once: it may have thousands of alerts.
    let simulated: RefCell<BTreeMap<usize, bool>> = RefCell::default();
    let describe = |finding: &Finding| {
        let rule = finding.id.rule;
        let simulated = *simulated.borrow_mut().entry(rule).or_insert_with(|| model.is_simulated(rule));
        note(&model.book, finding, simulated)
    };
    effects.extend(told.look(model.book.findings(), describe, model.now));
    model.session.told = told;
    effects
}

fn note(book: &Book, finding: &Finding, simulated: bool) -> AlertNote {
    let id = &finding.id;
    let shown = book.rule(id.rule).map(|rule| rule.says_in_line(finding.value));
    AlertNote {
        firing: true,
        labels: book.labels(id).labels.iter().cloned().collect(),
        annotations: book.annotations(id).to_vec(),
        severity: finding.severity,
        starts: finding.fired.unwrap_or(finding.since).wall,
        ends: None,
        value: finding.value,
        shown: shown.map(|shown| clean!("{shown}")).unwrap_or_default(),
        simulated,
    }
}

/// Who was told what.
#[derive(Debug, Default)]
pub struct Told {
    /// The first look: what fired before it was another console's to ring for.
    begun: Option<Mono>,
    /// Alerts that the webhook knows to fire.
    sent: BTreeMap<AlertId, AlertNote>,
    /// What the journal knows of alerts from warning up.
    trail: AlertTrail,
    /// When the bell rang last.
    rung: Option<Mono>,
    /// New critical alerts that the bell has not rung for.
    unrung: Vec<(AlertId, AlertNote)>,
    /// Silences that had time left at the last look.
    silences: Vec<Silence>,
}

impl Told {
    /// Compares what is up with what was told. `describe` makes an alert's note; call this after each judgement.
    pub fn look(&mut self, findings: &[Finding], describe: impl Fn(&Finding) -> AlertNote, now: Now) -> Vec<Effect> {
        let begun = *self.begun.get_or_insert(now.mono);
        let up: BTreeMap<&AlertId, &Finding> = findings
            .iter()
            .filter(|finding| finding.state.is_up() && finding.fired.is_some())
            .map(|finding| (&finding.id, finding))
            .collect();
        let mut effects = self.trail.look(&up, &describe, begun, now.mono);
        let mut notes = self.over(&up, now);
        for (id, finding) in &up {
            let before = self.sent.get(*id).map(|note| note.severity);
            let muted = finding.silenced_until.is_some() || finding.cause.is_some();
            if muted || before.is_some_and(|before| finding.severity <= before) {
                continue;
            }
            let note = describe(finding);
            let fresh = before.is_some() || finding.fired.is_some_and(|fired| fired.mono >= begun);
            if finding.severity == Severity::Critical && fresh {
                self.unrung.push(((*id).clone(), note.clone()));
            }
            self.sent.insert((*id).clone(), note.clone());
            notes.push(note);
        }
        if !notes.is_empty() {
            effects.push(Effect::Notify(notes));
        }
        effects.extend(self.ring(now));
        effects
    }

    /// A silence that nobody ended has run out.
    fn silences(&mut self, book: &Book, now: Now) -> Vec<Effect> {
        let same = self.silences.iter().map(|silence| silence.id).eq(book.silences().map(|silence| silence.id));
        if same {
            return Vec::new();
        }
        let known = core::mem::replace(&mut self.silences, book.silences().cloned().collect());
        let past = known.into_iter().filter(|silence| silence.is_past(now));
        let entry = |silence: Silence| Entry::Unsilenced { matchers: silence.matchers.text().clone(), expired: true };
        past.map(entry).map(Effect::Record).collect()
    }

    /// What the webhook knows to fire and is over.
    fn over(&mut self, up: &BTreeMap<&AlertId, &Finding>, now: Now) -> Vec<AlertNote> {
        let gone: Vec<AlertId> = self.sent.keys().filter(|id| !up.contains_key(id)).cloned().collect();
        let ended = gone.iter().filter_map(|id| self.sent.remove(id));
        ended.map(|note| AlertNote { firing: false, ends: Some(now.wall), ..note }).collect()
    }

    /// Rings for what is new and still up: at once, or for several together when it rang just now.
    fn ring(&mut self, now: Now) -> Option<Effect> {
        self.unrung.retain(|(id, _)| self.sent.contains_key(id));
        let quiet = self.rung.is_some_and(|rung| now.mono.since(rung) < QUIET);
        if quiet || self.unrung.is_empty() {
            return None;
        }
        self.rung = Some(now.mono);
        let new = core::mem::take(&mut self.unrung);
        let text = match new.as_slice() {
            [(_, only)] => only.headline(),
            several => {
                let names: Vec<String> = several.iter().map(|(_, note)| note.name().to_string()).collect();
                clean!("{} new CRITICAL alerts: {}", several.len(), names.join(", "))
            }
        };
        Some(Effect::Alarm(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Level, SeriesKey};
    use crate::rules::book::BookOptions;
    use crate::rules::finding::FindingState;
    use crate::rules::matchers::Matchers;
    use crate::store::{Limits, Store};

    fn at(seconds: u64) -> Now {
        let nanos = seconds * 1_000_000_000;
        Now { mono: Mono(nanos), wall: Wall(i64::try_from(nanos).unwrap()) }
    }

    fn alert(gpu: &str, severity: Severity, fired: u64) -> Finding {
        Finding {
            id: AlertId { rule: 0, key: SeriesKey::new("", &[("gpu", gpu)]) },
            state: FindingState::Firing,
            level: Level::Critical,
            severity,
            since: at(fired),
            value: 1.0,
            no_data_for: None,
            fired: Some(at(fired)),
            flaps: 0,
            ack: None,
            silenced_until: None,
            cause: None,
        }
    }

    fn describe(finding: &Finding) -> AlertNote {
        let gpu = finding.id.key.labels.iter().map(|(_, value)| value.clone()).next().unwrap_or_default();
        AlertNote {
            firing: true,
            labels: vec![("alertname".into(), "GPU memory".into()), ("gpu".into(), gpu)],
            annotations: vec![("summary".into(), "nearly full".into())],
            severity: finding.severity,
            starts: finding.fired.unwrap_or_default().wall,
            ends: None,
            value: finding.value,
            shown: "97 %".into(),
            simulated: false,
        }
    }

    /// What a look asks for, a word each.
    fn look(told: &mut Told, findings: &[Finding], now: u64) -> Vec<String> {
        let effects = told.look(findings, describe, at(now));
        let said = effects.into_iter().flat_map(|effect| match effect {
            Effect::Alarm(text) => vec![format!("ring {text}")],
            Effect::Notify(notes) => notes
                .iter()
                .map(|note| format!("{} {}", if note.firing { "begins" } else { "ends" }, note.name()))
                .collect(),
            Effect::Record(Entry::Fired { alert, value, worse: false, .. }) => vec![format!("fired {alert} {value}")],
            Effect::Record(Entry::Fired { alert, value, .. }) => vec![format!("worse {alert} {value}")],
            Effect::Record(Entry::Resolved { alert, since, .. }) => vec![format!("resolved {alert} {}", since.hms())],
            other => vec![format!("{other:?}")],
        });
        said.collect()
    }

    #[test]
    fn an_alert_is_told_when_it_begins_worsens_and_ends_and_only_then() {
        let mut told = Told::default();
        let none = Vec::<String>::new();
        assert_eq!(look(&mut told, &[], 1), none);
        let mut it = alert("0", Severity::Major, 5);
        assert_eq!(look(&mut told, &[Finding { state: FindingState::Pending, fired: None, ..it.clone() }], 4), none);
        assert_eq!(
            look(&mut told, &[it.clone()], 5),
            ["fired GPU memory{gpu=\"0\"} 97 %", "begins GPU memory{gpu=\"0\"}"]
        );
        assert_eq!(look(&mut told, &[it.clone()], 6), none);
        it.severity = Severity::Critical;
        let worse = [
            "worse GPU memory{gpu=\"0\"} 97 %",
            "begins GPU memory{gpu=\"0\"}",
            "ring CRITICAL: GPU memory{gpu=\"0\"} 97 %: nearly full",
        ];
        assert_eq!(look(&mut told, &[it.clone()], 7), worse);
        it.state = FindingState::Clearing;
        assert_eq!(look(&mut told, &[it.clone()], 8), none);
        it.severity = Severity::Major;
        assert_eq!(look(&mut told, &[it.clone()], 9), none);
        it.state = FindingState::Resolved;
        let over = ["resolved GPU memory{gpu=\"0\"} 00:00:05", "ends GPU memory{gpu=\"0\"}"];
        assert_eq!(look(&mut told, &[it], 10), over);
        assert_eq!(look(&mut told, &[], 11), none);
    }

    #[test]
    fn what_is_muted_is_told_when_that_ends_and_its_end_always() {
        let mut told = Told::default();
        look(&mut told, &[], 0);
        let mut it = alert("0", Severity::Critical, 5);
        it.silenced_until = Some(Wall(9));
        assert_eq!(look(&mut told, &[it.clone()], 5), ["fired GPU memory{gpu=\"0\"} 97 %"], "the trail alone");
        it.silenced_until = None;
        it.cause = Some(alert("7", Severity::Critical, 1).id);
        assert_eq!(look(&mut told, &[it.clone()], 6), Vec::<String>::new());
        it.cause = None;
        assert_eq!(look(&mut told, &[it.clone()], 7).len(), 2, "begins and rings");
        it.silenced_until = Some(Wall(9));
        assert_eq!(look(&mut told, &[it.clone()], 8), Vec::<String>::new());
        assert_eq!(look(&mut told, &[], 9).len(), 2, "resolved and ends");
    }

    #[test]
    fn the_bell_rings_once_for_each_and_for_many_together() {
        let rings = |said: Vec<String>| said.into_iter().filter(|said| said.starts_with("ring")).collect::<Vec<_>>();
        let mut told = Told::default();
        look(&mut told, &[], 0);
        let gpus: Vec<Finding> = ["0", "1", "2", "3"].iter().map(|gpu| alert(gpu, Severity::Critical, 1)).collect();
        assert_eq!(rings(look(&mut told, &gpus[..1], 1)), ["ring CRITICAL: GPU memory{gpu=\"0\"} 97 %: nearly full"]);
        assert!(rings(look(&mut told, &gpus[..3], 2)).is_empty(), "it rang just now");
        assert!(rings(look(&mut told, &gpus, 3)).is_empty());
        // One of them is over before the bell may ring again.
        let text = "ring 2 new CRITICAL alerts: GPU memory{gpu=\"1\"}, GPU memory{gpu=\"2\"}";
        assert_eq!(rings(look(&mut told, &gpus[..3], 11)), [text]);
        assert!(rings(look(&mut told, &gpus[..3], 60)).is_empty());
        assert!(
            rings(look(&mut told, &[alert("9", Severity::Major, 70)], 70)).is_empty(),
            "not for what is not critical"
        );
    }

    #[test]
    fn a_silence_that_runs_out_is_recorded_and_one_that_is_ended_is_not() {
        let mut book = Book::new(Vec::new(), BookOptions::default());
        let mut store = Store::new(Limits::default());
        let silence = |name: &str| {
            let matchers = Matchers::parse(&format!("alertname={name}")).unwrap();
            Silence::new(matchers, "work".into(), "ada".into(), Duration::from_secs(60), at(10)).unwrap()
        };
        let mut told = Told::default();
        let mut look = |book: &mut Book, now: u64| {
            book.judge(&mut store, at(now));
            let effects = told.silences(book, at(now));
            effects.into_iter().map(|effect| format!("{effect:?}")).collect::<Vec<_>>()
        };
        book.silence(silence("A"));
        let ended = book.silence(silence("B"));
        assert!(look(&mut book, 10).is_empty());
        book.unsilence(ended, at(20));
        assert!(look(&mut book, 69).is_empty());
        let said = look(&mut book, 70);
        assert!(
            matches!(said.as_slice(), [one] if one.contains("alertname=") && one.contains("expired: true")),
            "{said:?}"
        );
        assert!(look(&mut book, 71).is_empty());
    }

    #[test]
    fn what_fired_before_the_console_began_is_told_but_not_rung() {
        let mut told = Told::default();
        let said = look(&mut told, &[alert("0", Severity::Critical, 5)], 100);
        assert_eq!(said, ["begins GPU memory{gpu=\"0\"}"], "at least once, the receiver knows its fingerprint");
        assert_eq!(look(&mut told, &[], 101).len(), 2);
    }
}
