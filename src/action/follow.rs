//! Follows a runner that was started: its word while it has one, and the truth when it died without the last one.

use super::late;
use super::lifecycle::{End, Outcome, Progress, Run, State};
use super::plan::Plan;
use super::recover::{Standing, standing};
use crate::base::{Clean, Mono};
use crate::journal::Journal;
use core::time::Duration;
use std::path::PathBuf;

/// A runner has said something within this time, or its plan is withdrawn.
pub const FIRST_WORD: Duration = Duration::from_secs(10);
/// A runner that holds no lock for this long, and has not told its end, is dead.
pub const DEAD: Duration = Duration::from_secs(2);

/// One run under way.
pub struct Follow {
    run: Run,
    plan: Plan,
    locks_in: Vec<PathBuf>,
    journal: Option<Journal>,
    begun: Mono,
    /// Since when nobody holds the target for this run.
    lost: Option<Mono>,
    told: Option<Progress>,
}

impl Follow {
    /// Follows `run` of `plan`, which was started at `now`. That it is withdrawn goes into the journal.
    pub const fn new(run: Run, plan: Plan, locks_in: Vec<PathBuf>, journal: Option<Journal>, now: Mono) -> Self {
        Self { run, plan, locks_in, journal, begun: now, lost: None, told: None }
    }

    /// What is new, if anything. Reads files; asked a few times a second until what it tells has an end.
    pub fn look(&mut self, now: Mono) -> Option<Progress> {
        let status = self.run.read();
        if let Ok(Some(progress)) = &status {
            if progress.end.is_some() {
                return Some(progress.clone());
            }
            if self.told.as_ref() != Some(progress) {
                self.told = Some(progress.clone());
                self.lost = None;
                return Some(progress.clone());
            }
        }
        if !self.run.is_accepted() {
            return if now.since(self.begun) < FIRST_WORD { None } else { self.withdraw() };
        }
        let readable = status.is_ok();
        let standing = standing(&self.run, &self.plan, status.ok().flatten().as_ref(), readable, &self.locks_in);
        if matches!(standing, Standing::Attach { .. }) {
            self.lost = None;
            return None;
        }
        let lost = *self.lost.get_or_insert(now);
        if now.since(lost) < DEAD {
            return None;
        }
        // Its last word may have come just before it let the target go.
        match self.run.read() {
            Ok(Some(progress)) if progress.end.is_some() => Some(progress),
            _ => Some(self.dead(&standing)),
        }
    }

    /// No runner has taken it over. Taking it over ourselves makes sure that none will.
    fn withdraw(&self) -> Option<Progress> {
        let why = crate::clean!("its runner did not begin within {} s; nothing was done.", FIRST_WORD.as_secs());
        match late::withdraw(&self.run, &self.plan, None, why, self.journal.as_ref()) {
            Ok(withdrawn) => withdrawn,
            // It cannot be kept from beginning late, so nothing certain can be said.
            Err(fault) => Some(self.over(
                Outcome::Indeterminate,
                crate::clean!("its runner has not begun, and the plan cannot be withdrawn: {fault}"),
            )),
        }
    }

    fn dead(&self, standing: &Standing) -> Progress {
        let (outcome, why) = match standing {
            Standing::Unknown(settled) => (
                Outcome::Indeterminate,
                crate::clean!("its runner ended without telling the outcome. Now observed: {}.", settled.what()),
            ),
            Standing::NothingDone | Standing::NeverStarted | Standing::Attach { .. } => {
                (Outcome::Refused, Clean::from("its runner ended before it changed anything."))
            }
        };
        self.over(outcome, why)
    }

    fn over(&self, outcome: Outcome, reason: Clean) -> Progress {
        let mut progress = self.told.clone().unwrap_or_else(|| Progress::new(self.plan.id, 0));
        let executed = progress.state == State::Verifying;
        progress.waiting = None;
        progress.state = State::Over;
        progress.end = Some(End { outcome, reason, executed });
        progress
    }
}
