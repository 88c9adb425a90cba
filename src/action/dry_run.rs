//! The executor that only looks: it goes the way of [`super::execute::Real`], looks where that looks, and tells what that
//! would do instead of doing it. It takes no lock, consumes no plan and writes nothing.

use super::act::{Executor, Probe};
use super::again::{self, Eyes};
use super::kinds::{self, Kind, StepError};
use super::lifecycle::{End, Outcome};
use super::locks;
use super::plan::Plan;
use super::verify::Verdict;
use crate::base::{Clean, Clock, Fault};
use std::path::PathBuf;

/// Goes through one plan on this host.
pub struct DryRun<'a> {
    plan: &'a Plan,
    kind: &'static dyn Kind,
    locks_in: Vec<PathBuf>,
    clock: &'a dyn Clock,
    eyes: Eyes,
    told: Vec<Clean>,
    refused: Option<Clean>,
}

impl<'a> DryRun<'a> {
    /// Ready to go through `plan`.
    ///
    /// # Errors
    /// When this program does not know the plan's kind.
    pub fn new(
        plan: &'a Plan,
        locks_in: Vec<PathBuf>,
        clock: &'a dyn Clock,
        probe: Box<dyn Probe>,
    ) -> Result<Self, Fault> {
        let kind = kinds::of(plan)?;
        Ok(Self { plan, kind, locks_in, clock, eyes: Eyes::of(probe), told: Vec::new(), refused: None })
    }

    /// What it found and what would be done, in order, one line each.
    pub fn told(&self) -> &[Clean] {
        &self.told
    }

    /// Why it would be refused before the first effect, if it would.
    pub const fn refused(&self) -> Option<&Clean> {
        self.refused.as_ref()
    }

    fn tell(&mut self, what: Clean) {
        self.told.push(what);
    }
}

impl Executor for DryRun<'_> {
    fn lock(&mut self) -> Result<(), Fault> {
        locks::free(&self.locks_in, self.plan)?;
        self.tell(Clean::from("nobody else acts on its target: would lock it"));
        Ok(())
    }

    fn accept(&mut self) -> Result<(), Fault> {
        self.tell(Clean::from("would take the plan over, once"));
        Ok(())
    }

    fn observe(&mut self) -> Result<(), Fault> {
        again::look(self.plan, self.kind, &mut self.eyes, self.clock, &|| false)?;
        self.tell(Clean::from("looked again: everything is as the plan says"));
        Ok(())
    }

    fn backup(&mut self) -> Result<(), Fault> {
        self.tell(Clean::from("would keep what the way back needs, and read it back"));
        Ok(())
    }

    fn intent(&mut self) -> Result<(), Fault> {
        self.tell(Clean::from("would record the intent"));
        Ok(())
    }

    fn stops(&self) -> bool {
        false
    }

    fn ended(&mut self, _: &'static str) -> Option<Clean> {
        None
    }

    fn steps(&self) -> Vec<&'static str> {
        self.kind.steps(self.plan)
    }

    fn step(&mut self, name: &'static str) -> Result<Clean, StepError> {
        self.tell(crate::clean!("would {name}"));
        Ok(Clean::from(name))
    }

    fn verify(&mut self) -> Verdict {
        let own = self.kind.proves(self.plan).then(|| Clean::from("its target"));
        let checks = self.plan.judging.iter().flat_map(|judging| &judging.checks);
        let looked: Vec<String> =
            own.into_iter().chain(checks.map(|check| check.label.clone())).map(|label| label.to_string()).collect();
        self.tell(match looked.as_slice() {
            [] => Clean::from("would end UNVERIFIED: no check is declared"),
            looked => crate::clean!("would verify by {}", looked.join(", ")),
        });
        Verdict::Unverified(Clean::from("nothing was done."))
    }

    fn outcome(&mut self, end: &End) {
        if end.outcome == Outcome::Refused {
            self.refused = Some(end.reason.clone());
        }
    }

    fn release(&mut self) {}
}
