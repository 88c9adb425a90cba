//! What a restart of the console must not forget: alerts that are not inactive, who has them, and silences. Moments
//! are of the clock of one boot; after another boot they are told by the wall clock, and no age is ever negative.

use super::alert::Alert;
use super::book::Book;
use super::escalation::Escalated;
use super::finding::{Ack, FindingState, Transition};
use super::life::Life;
use super::silence::Silence;
use crate::base::{Clean, Level, Mono, Now, SeriesKey, Wall};
use std::collections::BTreeMap;

/// The form of [`Saved`] that this program writes and reads.
pub const VERSION: u32 = 1;

/// The state of a book.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Saved {
    /// [`VERSION`]; another one is not understood.
    pub version: u32,
    /// The boot that its monotonic moments belong to.
    pub boot: Clean,
    /// When it was taken.
    pub at: Now,
    /// Alerts that are not inactive, or that fired in the last hour.
    alerts: Vec<SavedAlert>,
    /// Silences that have time left, ended ones among them.
    silences: Vec<Silence>,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct SavedAlert {
    /// File, group, name, and which of equal ones.
    rule: Clean,
    labels: Vec<(Clean, Clean)>,
    life: Life,
    job: Option<Clean>,
    annotations: Vec<(Clean, Clean)>,
    ack: Option<Ack>,
    ack_changed: Wall,
    told: Vec<Escalated>,
    history: Vec<Step>,
}

/// A transition without what it is of.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Step {
    from: (FindingState, Level),
    to: (FindingState, Level),
    at: Now,
    /// Absent when it was no number.
    value: Option<f64>,
}

/// Tells the moments of a saved state by the clocks of this console.
struct Retime {
    same_boot: bool,
    now: Now,
}

impl Retime {
    fn new(saved: &Saved, boot: &Clean, now: Now) -> Self {
        // A host without a boot id: a monotonic clock that has gone back is of another boot.
        let known = !boot.as_str().is_empty();
        let same_boot = saved.boot == *boot && (known || saved.at.mono <= now.mono);
        Self { same_boot, now }
    }

    fn tell(&self, then: Now) -> Now {
        if self.same_boot {
            return Now { mono: then.mono.min(self.now.mono), wall: then.wall };
        }
        // What lies before this boot has no monotonic moment: its age is told by the wall clock.
        let wall = then.wall.min(self.now.wall);
        let age = self.now.wall.since(wall);
        let mono = if age >= self.now.mono.since(Mono::default()) { Mono::default() } else { self.now.mono - age };
        Now { mono, wall }
    }
}

impl Book {
    /// The state as of now.
    pub fn saved(&self, boot: &Clean, now: Now) -> Saved {
        let alerts = self.entries.iter().flat_map(|entry| entry.alerts.values().map(move |alert| (entry, alert)));
        let worth = |alert: &Alert| alert.life.state() != FindingState::Inactive || alert.life.flaps() > 0;
        let alerts = alerts.filter(|(_, alert)| worth(alert)).map(|(entry, alert)| SavedAlert {
            rule: entry.name.clone(),
            labels: alert.id.key.labels.to_vec(),
            life: alert.life.clone(),
            job: alert.job.clone(),
            annotations: alert.annotations.clone(),
            ack: alert.ack.clone(),
            ack_changed: alert.ack_changed,
            told: alert.told.clone(),
            history: alert.history.iter().map(Step::of).collect(),
        });
        Saved {
            version: VERSION,
            boot: boot.clone(),
            at: now,
            alerts: alerts.collect(),
            silences: self.silences.clone(),
        }
    }

    /// Takes up what an earlier console left. Call it before the first judgement. Alerts of rules that are no more are
    /// dropped.
    pub fn restore(&mut self, saved: &Saved, boot: &Clean, now: Now) {
        let retime = Retime::new(saved, boot, now);
        let rules: BTreeMap<Clean, usize> =
            self.entries.iter().enumerate().map(|(at, entry)| (entry.name.clone(), at)).collect();
        for known in &saved.alerts {
            let Some(rule) = rules.get(&known.rule).copied() else { continue };
            let key = SeriesKey { name: Clean::default(), labels: known.labels.iter().cloned().collect() };
            let mut alert = Alert::new(rule, key.clone(), now);
            alert.life = known.life.clone();
            alert.life.wake(|then| retime.tell(then), now);
            alert.job.clone_from(&known.job);
            alert.annotations.clone_from(&known.annotations);
            alert.ack.clone_from(&known.ack);
            alert.ack_changed = known.ack_changed;
            alert.told.clone_from(&known.told);
            alert.history = known.history.iter().map(|step| step.moved(&alert, &retime)).collect();
            if let Some(entry) = self.entries.get_mut(rule) {
                entry.put(alert, &self.policy);
            }
        }
        self.silences = saved.silences.iter().map(|silence| retimed(silence, &retime)).collect();
        self.silences.retain(|silence| !silence.is_past(now));
        self.find(now);
    }

    /// Learns what another console of this profile has answered.
    pub fn adopt(&mut self, other: &Saved, now: Now) {
        let mut merged = self.saved(&other.boot, now);
        merged.merge(other);
        let answered: BTreeMap<(Clean, Vec<(Clean, Clean)>), SavedAlert> =
            merged.alerts.into_iter().map(|alert| ((alert.rule.clone(), alert.labels.clone()), alert)).collect();
        for entry in &mut self.entries {
            for alert in entry.alerts.values_mut() {
                let Some(known) = answered.get(&(entry.name.clone(), alert.id.key.labels.to_vec())) else { continue };
                alert.ack.clone_from(&known.ack);
                alert.ack_changed = known.ack_changed;
                alert.told.clone_from(&known.told);
            }
        }
        self.silences = merged.silences;
        self.silences.retain(|silence| !silence.is_past(now));
        self.find(now);
    }

    /// Rises with whatever a restart must not forget.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether anything is going on that a restart must know of.
    pub fn is_busy(&self) -> bool {
        self.findings().iter().any(|found| found.state != FindingState::Resolved)
    }

    /// Whether timers run that a restart must go on with.
    pub fn is_ripening(&self) -> bool {
        self.findings().iter().any(|found| matches!(found.state, FindingState::Pending | FindingState::Clearing))
    }
}

impl Saved {
    /// Takes over the answers of another console on the same boot: of two words on an acknowledgement the later one
    /// counts, escalations and silences are put together, and a silence that anybody ended is over.
    pub fn merge(&mut self, other: &Self) {
        if self.boot != other.boot {
            return;
        }
        for alert in self.alerts.iter_mut().filter(|alert| alert.life.active().is_some()) {
            let same = |known: &&SavedAlert| known.rule == alert.rule && known.labels == alert.labels;
            let Some(known) = other.alerts.iter().find(same) else { continue };
            if known.ack_changed > alert.ack_changed {
                alert.ack.clone_from(&known.ack);
                alert.ack_changed = known.ack_changed;
            }
            let begun = alert.life.active().map_or(Wall::default(), |active| active.wall);
            for told in known.told.iter().filter(|told| told.at >= begun) {
                if !alert.told.contains(told) {
                    alert.told.push(told.clone());
                }
            }
            alert.told.sort_by_key(|told| told.at);
        }
        for silence in &other.silences {
            match self.silences.iter_mut().find(|known| known.id == silence.id && known.by == silence.by) {
                Some(known) => known.ended |= silence.ended,
                None => self.silences.push(silence.clone()),
            }
        }
        self.silences.sort_by_key(|silence| silence.id);
    }

    /// Makes it smaller: histories go first, then every second alert that nobody has answered. False when nothing is
    /// left to go.
    pub fn shed(&mut self) -> bool {
        let histories = self.alerts.iter().any(|alert| !alert.history.is_empty());
        let before = self.alerts.len();
        let mut odd = false;
        for alert in &mut self.alerts {
            alert.history.clear();
        }
        if !histories {
            self.alerts.retain(|alert| {
                odd = !odd;
                alert.ack.is_some() || !alert.told.is_empty() || !odd
            });
        }
        histories || self.alerts.len() < before
    }
}

fn retimed(silence: &Silence, retime: &Retime) -> Silence {
    Silence { at: retime.tell(silence.at), ..silence.clone() }
}

impl Step {
    fn of(moved: &Transition) -> Self {
        let value = moved.value.is_finite().then_some(moved.value);
        Self { from: moved.from, to: moved.to, at: moved.at, value }
    }

    fn moved(&self, alert: &Alert, retime: &Retime) -> Transition {
        Transition {
            id: alert.id.clone(),
            from: self.from,
            to: self.to,
            at: retime.tell(self.at),
            value: self.value.unwrap_or(f64::NAN),
        }
    }
}
