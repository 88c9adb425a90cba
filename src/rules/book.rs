//! The book of alerts: every rule, what it found, who has it and what mutes it. Groups are evaluated on their interval,
//! bands at every tick of their samplers; all by the time that the caller brings.

use super::alert::Alert;
use super::entry::{Desk, Entry};
use super::escalation::{Escalated, Policy};
use super::expr::{Evaluator, Expr, Semantics};
use super::finding::{Ack, AlertId, Finding, FindingState, RuleHealth, Transition};
use super::inhibit::{self, Inhibit};
use super::live::{Live, WallOffset};
use super::matchers::labels_of;
use super::needs::{Needs, Recording, Resting};
use super::rule::{Rule, RuleFile, RuleKind};
use super::sides::Sides;
use super::silence::Silence;
use crate::base::{Clean, Fault, Level, Mono, Now, SeriesKey};
use crate::clean;
use crate::store::{Selector, Store};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

/// How often a group is evaluated when neither it nor the profile says so.
pub const INTERVAL: Duration = Duration::from_secs(15);
/// Who feeds a rule is looked for anew at least so often.
const LOOK: Duration = Duration::from_secs(5);

/// How a book judges.
#[derive(Debug)]
pub struct BookOptions {
    /// Of groups that do not say their own.
    pub interval: Duration,
    /// Whose semantics expressions have.
    pub semantics: Semantics,
    /// What explains what.
    pub inhibit: Vec<Inhibit>,
    /// Severity words, matrix, contacts.
    pub policy: Policy,
}

impl Default for BookOptions {
    fn default() -> Self {
        Self { interval: INTERVAL, semantics: Semantics::Console, inhibit: Vec::new(), policy: Policy::default() }
    }
}

/// A group of rules, as the book keeps it.
#[derive(Debug)]
pub struct GroupInfo {
    /// Unique in its file.
    pub name: Clean,
    /// Its file; empty for the bands of the profile.
    pub file: Clean,
    /// How often it is evaluated.
    pub interval: Duration,
    /// `query_offset`: so long ago is judged.
    offset: Duration,
    limit: usize,
    rules: core::ops::Range<usize>,
    /// When it is evaluated next; at once while nothing of it has data.
    next: Option<Mono>,
}

/// All rules and what they found.
#[derive(Debug)]
pub struct Book {
    groups: Vec<GroupInfo>,
    pub(super) entries: Vec<Entry>,
    broken: Vec<(Clean, Fault)>,
    findings: Vec<Finding>,
    pub(super) silences: Vec<Silence>,
    inhibit: Vec<Inhibit>,
    pub(super) policy: Policy,
    semantics: Semantics,
    evaluator: Evaluator,
    offset: WallOffset,
    recording: Recording,
    /// The store's generation for which feeders were found, and when.
    looked: Option<(u64, Mono)>,
    /// Rises with whatever a restart must not forget.
    pub(super) revision: u64,
}

impl Book {
    /// A book that has found nothing yet.
    pub fn new(files: Vec<RuleFile>, options: BookOptions) -> Self {
        let BookOptions { interval, semantics, inhibit, policy } = options;
        let mut book = Self {
            groups: Vec::new(),
            entries: Vec::new(),
            broken: Vec::new(),
            findings: Vec::new(),
            silences: Vec::new(),
            inhibit,
            policy,
            semantics,
            evaluator: Evaluator::new(semantics),
            offset: WallOffset::default(),
            recording: HashMap::new(),
            looked: None,
            revision: 0,
        };
        let mut names: HashMap<Clean, usize> = HashMap::new();
        for file in files {
            book.broken.extend(file.broken);
            for group in file.groups {
                let (at, every) = (book.groups.len(), group.interval.unwrap_or(interval));
                let begun = book.entries.len();
                for rule in group.rules {
                    let name = clean!("{}/{}/{}", file.file, group.name, rule.name);
                    let count = names.entry(name.clone()).or_default();
                    *count += 1;
                    let name = if *count == 1 { name } else { clean!("{name}#{count}") };
                    let index = book.entries.len();
                    let entry = Entry::new(rule, (index, at), name, every);
                    book.recording.insert(Arc::clone(&entry.feed), entry.rule.expr.clone());
                    book.entries.push(entry);
                }
                book.groups.push(GroupInfo {
                    name: group.name,
                    file: file.file.clone(),
                    interval: every,
                    offset: group.offset,
                    limit: group.limit,
                    rules: begun..book.entries.len(),
                    next: None,
                });
            }
        }
        book
    }

    /// Judges what is due. Call it for each tick in which data came, and each second. Rules that record write into
    /// the store, and so do `ALERTS` and `ALERTS_FOR_STATE`.
    pub fn judge(&mut self, store: &mut Store, now: Now) -> Vec<Transition> {
        if self.looked.is_none() {
            self.declare(store);
        }
        self.look(store, now);
        let mut moved = Vec::new();
        for group in 0..self.groups.len() {
            self.judge_group(group, store, now, &mut moved);
        }
        for entry in &mut self.entries {
            moved.extend(entry.rest(now));
            entry.settle(now);
        }
        let past = self.silences.iter().filter(|silence| silence.is_past(now)).count();
        self.silences.retain(|silence| !silence.is_past(now));
        if !moved.is_empty() || past > 0 {
            self.revision += 1;
        }
        self.find(now);
        moved
    }

    /// What is going to be recorded is known before its first evaluation: nobody takes it for a metric that never comes.
    fn declare(&self, store: &mut Store) {
        for entry in self.entries.iter().filter(|entry| matches!(entry.rule.kind, RuleKind::Recording)) {
            store.declare_rule(&entry.feed, entry.every(), vec![entry.rule.name.as_str().to_owned()]);
        }
    }

    /// Who feeds each rule, and how they do.
    fn look(&mut self, store: &Store, now: Now) {
        let live = Live::new(store, now, &mut self.offset);
        let known =
            self.looked.is_some_and(|(generation, at)| generation == store.generation() && now.mono.since(at) < LOOK);
        let mut resting = Resting::new(&live, &self.recording);
        for entry in &mut self.entries {
            if known {
                entry.needs.refresh(&live);
            } else {
                entry.needs = Needs::of(&entry.rule.expr, &mut resting);
            }
        }
        if !known {
            self.looked = Some((store.generation(), now.mono));
        }
    }

    /// What of an expression counts now: each `or` without a side whose source gives nothing.
    pub fn sides(&self, expr: &Expr, live: &Live<'_>) -> Sides {
        Sides::of(expr, &mut Resting::new(live, &self.recording))
    }

    fn judge_group(&mut self, group: usize, store: &mut Store, now: Now, moved: &mut Vec<Transition>) {
        let Some(GroupInfo { interval, offset, limit, rules, next, .. }) = self.groups.get_mut(group) else { return };
        let (rules, limit, offset) = (rules.clone(), *limit, *offset);
        let due = next.is_none_or(|next| now.mono >= next);
        if due {
            // On a grid, so that evaluations do not drift; after a pause they do not catch up.
            let ahead = next.map_or(now.mono, |next| next + *interval);
            *next = Some(if ahead > now.mono { ahead } else { now.mono + *interval });
        }
        let entries = self.entries.get(rules.clone()).unwrap_or_default();
        let selectors: Vec<Selector> = entries
            .iter()
            .filter(|entry| due && !entry.is_banded())
            .flat_map(|entry| entry.rule.expr.selectors().iter().cloned())
            .collect();
        let live = Live::new(store, now, &mut self.offset);
        let together = live.moment(live.finished(&selectors).mono - offset);
        let mut answered = false;
        for at in rules {
            let Some(entry) = self.entries.get_mut(at) else { continue };
            let banded = entry.is_banded();
            if if banded { !entry.has_tick() } else { !due } {
                continue;
            }
            let live = Live::new(store, now, &mut self.offset);
            let at = if banded { live.finished(&entry.needs.selectors) } else { together };
            let mut desk = Desk { evaluator: &mut self.evaluator, live: &live, policy: &self.policy, limit, at, now };
            let (steps, recorded) = entry.evaluate(&mut desk);
            moved.extend(steps);
            answered |= !entry.is_waiting();
            if let Some(recorded) = recorded.or_else(|| entry.series(at)) {
                store.record(&Arc::clone(&entry.feed), entry.every(), &recorded.rows, recorded.at);
            }
        }
        // The first evaluation waits for data, not for the interval.
        if due
            && !answered
            && let Some(group) = self.groups.get_mut(group)
        {
            group.next = None;
        }
    }

    /// Everything that is not inactive, in order, with what mutes and what explains it.
    pub(super) fn find(&mut self, now: Now) {
        let alerts = self.entries.iter().flat_map(|entry| entry.alerts.values());
        let mut findings: Vec<Finding> =
            alerts.filter(|alert| alert.life.state() != FindingState::Inactive).map(Alert::finding).collect();
        findings.sort_by(|a, b| {
            let weight =
                rank(a.state).cmp(&rank(b.state)).then(b.severity.cmp(&a.severity)).then(b.level.cmp(&a.level));
            weight.then_with(|| now.since(b.since).cmp(&now.since(a.since))).then_with(|| a.id.cmp(&b.id))
        });
        for found in &mut findings {
            if self.silences.is_empty() {
                break;
            }
            let name = self.entries.get(found.id.rule).map(|entry| entry.rule.name.clone()).unwrap_or_default();
            let labels = labels_of(&name, &found.id.key);
            let muting = self.silences.iter().filter(|silence| silence.left(now).is_some());
            found.silenced_until =
                muting.filter(|silence| silence.matchers.matches(&labels)).map(|silence| silence.until(now)).max();
        }
        inhibit::fold(&self.inhibit, &mut findings, |rule| self.entries.get(rule).map(|entry| &entry.rule.name));
        self.findings = findings;
    }

    pub(super) fn alert(&self, id: &AlertId) -> Option<&Alert> {
        self.entries.get(id.rule)?.alerts.get(&id.key)
    }

    fn alert_mut(&mut self, id: &AlertId) -> Option<&mut Alert> {
        self.entries.get_mut(id.rule)?.alerts.get_mut(&id.key)
    }

    /// What was found and is not inactive: what is up first, the most severe before the others, the oldest first.
    /// What a cause explains is among it, with its `cause`.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// A rule by its index.
    pub fn rule(&self, at: usize) -> Option<&Rule> {
        self.entries.get(at).map(|entry| &entry.rule)
    }

    /// Every rule with its index and how it is doing.
    pub fn rules(&self) -> impl Iterator<Item = (usize, &Rule, &RuleHealth)> {
        self.entries.iter().enumerate().map(|(at, entry)| (at, &entry.rule, &entry.health))
    }

    /// How a rule is doing.
    pub fn health(&self, rule: usize) -> Option<&RuleHealth> {
        self.entries.get(rule).map(|entry| &entry.health)
    }

    /// Rules that could not be read: name where known, and what is wrong.
    pub fn broken(&self) -> impl Iterator<Item = (&Clean, &Fault)> {
        self.broken.iter().map(|(name, fault)| (name, fault))
    }

    /// The group of a rule.
    pub fn group_of(&self, rule: usize) -> Option<&GroupInfo> {
        self.groups.get(self.entries.get(rule)?.group)
    }

    /// The file of a rule; empty for the bands of the profile.
    pub fn file_of(&self, rule: usize) -> Clean {
        self.group_of(rule).map(|group| group.file.clone()).unwrap_or_default()
    }

    /// The worst level that a rule's values have, debounced; UNKNOWN when any is not known and none is worse.
    pub fn level(&self, rule: usize) -> Level {
        self.entries.get(rule).map_or(Level::Unknown, |entry| entry.level)
    }

    /// Severity words, matrix and contacts.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whose semantics its expressions have.
    pub const fn semantics(&self) -> Semantics {
        self.semantics
    }

    /// What an alert went through, oldest first; the last 50 steps.
    pub fn history(&self, id: &AlertId) -> &[Transition] {
        self.alert(id).map(|alert| alert.history.as_slice()).unwrap_or_default()
    }

    /// An annotation as of the last time that the alert was bad.
    pub fn annotation(&self, id: &AlertId, name: &str) -> Option<Clean> {
        self.annotations(id).iter().find(|(known, _)| known.as_str() == name).map(|(_, text)| text.clone())
    }

    /// Every annotation, likewise.
    pub fn annotations(&self, id: &AlertId) -> &[(Clean, Clean)] {
        self.alert(id).map(|alert| alert.annotations.as_slice()).unwrap_or_default()
    }

    /// The labels of an alert, `alertname` among them.
    pub fn labels(&self, id: &AlertId) -> SeriesKey {
        labels_of(&self.rule(id.rule).map(|rule| rule.name.clone()).unwrap_or_default(), &id.key)
    }

    /// The alerts that this one explains, in order.
    pub fn consequences(&self, id: &AlertId) -> Vec<&Finding> {
        self.findings.iter().filter(|found| found.cause.as_ref() == Some(id)).collect()
    }

    /// Alerts that no other explains, equal ones over instances together: same rule, same standing. In order.
    pub fn lots(&self) -> Vec<Vec<&Finding>> {
        let mut lots: Vec<Vec<&Finding>> = Vec::new();
        let mut places: HashMap<(usize, u8), usize> = HashMap::new();
        for found in self.findings.iter().filter(|found| found.cause.is_none()) {
            let place = *places.entry((found.id.rule, rank(found.state))).or_insert(lots.len());
            match lots.get_mut(place) {
                Some(lot) => lot.push(found),
                None => lots.push(vec![found]),
            }
        }
        lots
    }

    /// How long a pending alert has been bad, and how long it must be.
    pub fn progress(&self, id: &AlertId) -> Option<(Duration, Duration)> {
        let held = self.alert(id)?.life.ripened()?;
        let hold = self.entries.get(id.rule)?.alerting()?.hold;
        Some((held.min(hold), hold))
    }

    /// Somebody takes an alert; it ends with the alert. False when there is no such alert.
    pub fn ack(&mut self, id: &AlertId, ack: Ack) -> bool {
        let at = ack.at;
        self.answer(id, |alert| alert.hand(Some(ack), at))
    }

    /// Somebody gives an alert back. False when nobody had it.
    pub fn unack(&mut self, id: &AlertId, now: Now) -> bool {
        self.alert(id).is_some_and(|alert| alert.ack.is_some()) && self.answer(id, |alert| alert.hand(None, now.wall))
    }

    /// Somebody further up was told of an alert. False when there is no such alert.
    pub fn escalated(&mut self, id: &AlertId, told: Escalated) -> bool {
        self.answer(id, |alert| alert.told.push(told))
    }

    fn answer(&mut self, id: &AlertId, change: impl FnOnce(&mut Alert)) -> bool {
        let going = |alert: &&mut Alert| !matches!(alert.life.state(), FindingState::Inactive | FindingState::Resolved);
        let Some(alert) = self.alert_mut(id).filter(going) else { return false };
        change(alert);
        let ack = alert.ack.clone();
        for found in self.findings.iter_mut().filter(|found| found.id == *id) {
            found.ack.clone_from(&ack);
        }
        self.revision += 1;
        true
    }

    /// Who was told of an alert, oldest first.
    pub fn escalations(&self, id: &AlertId) -> &[Escalated] {
        self.alert(id).map(|alert| alert.told.as_slice()).unwrap_or_default()
    }

    /// Mutes what its matchers mean. Returns its number, which is made unique.
    pub fn silence(&mut self, mut silence: Silence) -> u64 {
        while self.silences.iter().any(|known| known.id == silence.id) {
            silence.id += 1;
        }
        let (id, now) = (silence.id, silence.at);
        self.silences.push(silence);
        self.revision += 1;
        self.find(now);
        id
    }

    /// Ends a silence before its time; `None` when there is none of that number.
    pub fn unsilence(&mut self, id: u64, now: Now) -> Option<Silence> {
        let silence = self.silences.iter_mut().find(|silence| silence.id == id && !silence.ended)?;
        silence.ended = true;
        let ended = silence.clone();
        self.revision += 1;
        self.find(now);
        Some(ended)
    }

    /// Silences that have time left, oldest first.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.iter().filter(|silence| !silence.ended)
    }

    /// The silences that mute an alert.
    pub fn silenced_by(&self, id: &AlertId) -> Vec<u64> {
        let labels = self.labels(id);
        self.silences().filter(|silence| silence.matchers.matches(&labels)).map(|silence| silence.id).collect()
    }
}

/// What is up comes first, then what may come, then what is over.
const fn rank(state: FindingState) -> u8 {
    match state {
        FindingState::Firing | FindingState::Clearing | FindingState::NoData => 0,
        FindingState::Pending => 1,
        FindingState::Resolved => 2,
        FindingState::Inactive => 3,
    }
}
