//! What asking a manager for something adds to a plan, what differs from it later, and whether it had its effect: the
//! same for every manager.

use super::{Manager, Serving, Standing, Verb};
use crate::action::doing::Doing;
use crate::action::kinds::{Proof, StepError};
use crate::action::plan::{Precondition, Target};
use crate::base::{Clean, Clock, Fault};
use crate::sys::host::Login;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// What a service adds to a plan.
#[derive(Debug)]
pub struct Part {
    /// By identity.
    pub target: Target,
    /// Its line of WHAT.
    pub line: Clean,
    /// How it stands now, in words.
    pub based_on: Precondition,
    /// The same.
    pub standing: Standing,
    /// Numbers for HITS.
    pub hits: Vec<Clean>,
    /// Why the danger is raised.
    pub raise: Vec<Clean>,
}

impl Manager {
    /// What asking for `verb` adds to a plan.
    ///
    /// # Errors
    /// A name that is refused, a service that cannot be seen, an obstacle.
    pub fn draft(&self, verb: Verb, login: &Login, clock: &dyn Clock) -> Result<Part, Fault> {
        let service = self.service();
        service.check()?;
        let look = service.look(verb, clock)?;
        if let Some(fault) = look.obstacle {
            return Err(fault);
        }
        let doubtful = service.right(verb, login, clock).doubt()?;
        let based_on =
            Precondition { label: Clean::text(service.unit()), value: look.said, age: Duration::ZERO, metric: None };
        let standing = look.standing;
        let target = Target::Unit { manager: self.clone(), serving: look.serving, identity: look.identity };
        let (hits, raise) = service.outlook(verb, clock);
        let (hits, raise) = ([look.hits, hits, doubtful.into_iter().collect()].concat(), [look.raise, raise].concat());
        Ok(Part { target, line: service.line(verb), based_on, standing, hits, raise })
    }

    /// What differs now from what the plan says of this service.
    ///
    /// # Errors
    /// When it cannot be seen.
    pub fn differences(
        &self,
        verb: Verb,
        (serving, identity): (Option<&Serving>, &BTreeMap<String, String>),
        clock: &dyn Clock,
    ) -> Result<Vec<Clean>, Fault> {
        let unit = self.service().unit();
        let look = self.service().look(verb, clock)?;
        let mut found = Vec::new();
        if look.serving.as_ref() != serving {
            let pid = |serving: Option<&Serving>| serving.map_or_else(|| "none".to_owned(), |it| it.pid.to_string());
            let (old, new) = (pid(serving), pid(look.serving.as_ref()));
            found.push(crate::clean!("{unit}: restarted meanwhile (process {old} → {new})"));
        }
        let all: BTreeSet<&String> = identity.keys().chain(look.identity.keys()).collect();
        for name in all {
            let (old, new) = (identity.get(name), look.identity.get(name));
            if old != new {
                let show = |value: Option<&String>| Clean::text(value.map_or("nothing", String::as_str));
                found.push(crate::clean!("{unit}: {name} {} → {}", show(old), show(new)));
            }
        }
        found.extend(look.obstacle.map(|fault| Clean::text(fault.to_string())));
        Ok(found)
    }

    /// Asks for `verb`. Where the manager says that it was not done the service is looked at: one that is not as the plan
    /// found it was touched all the same, and what it does now has to be judged.
    ///
    /// # Errors
    /// As [`Service::apply`](super::Service::apply).
    pub fn carry_out(
        &self,
        verb: Verb,
        before: (Option<&Serving>, &BTreeMap<String, String>),
        doing: &Doing<'_>,
    ) -> Result<Clean, StepError> {
        let fault = match self.service().apply(verb, doing) {
            Err(StepError::Failed(fault)) => fault,
            other => return other,
        };
        match self.differences(verb, before, doing.clock) {
            Ok(found) if found.is_empty() => Err(StepError::Failed(fault)),
            Ok(found) => {
                let found: Vec<&str> = found.iter().map(Clean::as_str).collect();
                Ok(crate::clean!("{fault} But {}", found.join("; ")))
            }
            Err(unseen) => Err(StepError::Unknown(fault.hint(format!("What it left cannot be seen: {unseen}")))),
        }
    }

    /// What the service has logged since; the longer part is kept with the run.
    pub fn evidence(&self, before: Option<&Serving>, good: bool, doing: &Doing<'_>) -> Vec<Clean> {
        let told = self.service().told(before, good, doing.clock);
        let kept: String = told.kept.iter().map(|line| format!("{line}\n")).collect();
        if !kept.is_empty() {
            doing.note(&kept);
        }
        told.shown
    }

    /// Whether `verb` has had its effect on the service that the plan found in this run.
    pub fn proof(&self, verb: Verb, before: Option<&Serving>, clock: &dyn Clock) -> Proof {
        let unit = self.service().unit();
        let look = match self.service().look(verb, clock) {
            Ok(look) => look,
            Err(fault) => return Proof::Unseen(Clean::text(fault.to_string())),
        };
        let said = crate::clean!("{unit} is {}", look.said);
        let id = look.serving.as_ref().map_or_else(String::new, |serving| format!("{} {}", serving.pid, serving.id));
        match (verb, look.standing) {
            (Verb::Restart | Verb::Start | Verb::Reload, Standing::Running) if look.doubt.is_some() => {
                let doubt = look.doubt.as_ref().map_or("", Clean::as_str);
                Proof::Unseen(crate::clean!("{said}, but {doubt}."))
            }
            (Verb::Restart, Standing::Running) if look.serving.as_ref() == before => {
                Proof::NotYet(crate::clean!("{unit} still serves with the run from before"))
            }
            (Verb::Reload, Standing::Running) if look.serving.as_ref() != before => {
                Proof::NotYet(crate::clean!("{unit} was restarted, not reloaded"))
            }
            (Verb::Restart | Verb::Start | Verb::Reload, Standing::Running) => Proof::Holds(id, said),
            // Its job is over, and it is down: nothing more will come.
            (Verb::Restart | Verb::Start | Verb::Reload, Standing::Failed) => Proof::Broken(said),
            (Verb::Stop, Standing::Stopped | Standing::Failed) => match self.service().left(clock) {
                Ok(None) => Proof::Holds(id, said),
                Ok(Some(left)) => Proof::NotYet(said.join("; ", &left)),
                Err(why) => Proof::Unseen(crate::clean!("{said}; whether anybody of it is left cannot be seen: {why}")),
            },
            (Verb::ResetFailed, Standing::Stopped | Standing::Running | Standing::Changing) => Proof::Holds(id, said),
            _ => Proof::NotYet(said),
        }
    }
}
