//! One alert of one rule in the book: its life, what it says, and who has it.

use super::escalation::{Escalated, Policy};
use super::finding::{Ack, AlertId, Finding, FindingState, Transition};
use super::life::{Life, Pace, Seen};
use super::needs::Footing;
use super::rule::Judge;
use crate::base::severity::Severity;
use crate::base::{Clean, Level, Mono, Now, SeriesKey, Wall};
use core::time::Duration;

/// Transitions remembered of one alert.
const HISTORY: usize = 50;

#[derive(Clone, Debug)]
pub(super) struct Alert {
    pub(super) id: AlertId,
    pub(super) life: Life,
    pub(super) severity: Severity,
    /// The label `job` of the series that it came from: which sampler it rests on.
    pub(super) job: Option<Clean>,
    /// The last evaluation could not say anything of it; so it is until the first one.
    blind: bool,
    pub(super) annotations: Vec<(Clean, Clean)>,
    pub(super) ack: Option<Ack>,
    /// When `ack` was given or taken back: the later word counts when two consoles differ.
    pub(super) ack_changed: Wall,
    pub(super) told: Vec<Escalated>,
    /// Oldest first.
    pub(super) history: Vec<Transition>,
}

impl Alert {
    pub(super) fn new(rule: usize, key: SeriesKey, now: Now) -> Self {
        Self {
            id: AlertId { rule, key },
            life: Life::new(now),
            severity: Severity::default(),
            job: None,
            blind: true,
            annotations: Vec::new(),
            ack: None,
            ack_changed: Wall::default(),
            told: Vec::new(),
            history: Vec::new(),
        }
    }

    /// One evaluation: what was seen of it, or nothing, on this footing.
    pub(super) fn step(
        &mut self,
        seen: Option<Seen>,
        footing: &Footing,
        pace: &Pace,
        at: Mono,
        now: Now,
    ) -> Option<Transition> {
        let before = (self.life.state(), self.life.severity());
        self.blind = seen.is_none();
        match (seen, &footing.silent) {
            (Some(seen), None) => self.life.tick(seen, pace, at, now),
            _ => self.life.miss(self.silent(footing, now), now),
        }
        self.moved(before, now)
    }

    /// Between two evaluations: time goes on.
    pub(super) fn rest(&mut self, footing: &Footing, now: Now) -> Option<Transition> {
        let before = (self.life.state(), self.life.severity());
        if self.blind || footing.silent.is_some() {
            self.life.miss(self.silent(footing, now), now);
        } else {
            self.life.rest(now);
        }
        self.moved(before, now)
    }

    /// Since a sampler fails, or since there was a number.
    fn silent(&self, footing: &Footing, now: Now) -> Duration {
        let fails = footing.lost.filter(|lost| *lost > self.life.seen().mono);
        fails.map_or_else(|| now.since(self.life.seen()), |lost| now.mono.since(lost))
    }

    /// Gives the alert to somebody or to nobody. Of two words the later one counts in every console, wherever the wall
    /// clock was set in between.
    pub(super) fn hand(&mut self, ack: Option<Ack>, at: Wall) {
        self.ack_changed = at.max(Wall(self.ack_changed.0.saturating_add(1)));
        self.ack = ack;
    }

    fn moved(&mut self, before: (FindingState, Level), now: Now) -> Option<Transition> {
        let after = (self.life.state(), self.life.severity());
        let state = after.0;
        if before.0 == state && (state != FindingState::Firing || before.1 == after.1) {
            return None;
        }
        let begins = state == FindingState::Pending && !before.0.is_up();
        if begins || matches!(state, FindingState::Resolved | FindingState::Inactive) {
            // An acknowledgement ends with its alert.
            self.ack = None;
        }
        if begins {
            self.told.clear();
        }
        let moved = Transition { id: self.id.clone(), from: before, to: after, at: now, value: self.life.value() };
        self.remember(moved.clone());
        Some(moved)
    }

    fn remember(&mut self, moved: Transition) {
        let surplus = (self.history.len() + 1).saturating_sub(HISTORY);
        self.history.drain(..surplus);
        self.history.push(moved);
    }

    /// How serious it is: by its label `severity`; of a band by the word for its level.
    pub(super) fn weigh(&mut self, judge: &Judge, policy: &Policy) {
        let word = match judge {
            Judge::Rows => self.id.key.label("severity").map(Clean::as_str),
            Judge::Bands(_) => match self.life.severity() {
                Level::Critical => Some("critical"),
                Level::Warning => Some("warning"),
                Level::Ok | Level::Note | Level::BelowNormal => Some("info"),
                Level::Unknown => None,
            },
        };
        self.severity = policy.severity(word).0;
    }

    pub(super) fn finding(&self) -> Finding {
        Finding {
            id: self.id.clone(),
            state: self.life.state(),
            level: self.life.severity(),
            severity: self.severity,
            since: self.life.since(),
            value: self.life.value(),
            no_data_for: self.life.silent_for(),
            fired: self.life.fired(),
            flaps: self.life.flaps(),
            ack: self.ack.clone(),
            silenced_until: None,
            cause: None,
        }
    }
}
