//! Who runs a service, and what can be asked of it: one file per manager behind [`Service`]. The kinds of actions that
//! restart something say which manager in their table: `{ kind = "systemd", unit = "x.service" }`.

mod systemd;
mod unix_socket;

pub use systemd::Systemd;
pub use unix_socket::UnixSocket;

use super::doing::Doing;
use super::kinds::{Proof, StepError};
use super::plan::{Precondition, Target};
use crate::base::{Clean, Clock, Fault};
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One service of one manager, as a profile names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Manager {
    /// A supervisor that takes lines on a Unix socket.
    UnixSocket(UnixSocket),
    /// A unit of systemd.
    Systemd(Systemd),
}

/// What can be asked of a manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// One job: never a stop that a lost line leaves without its start.
    Restart,
    /// Start.
    Start,
    /// Stop.
    Stop,
    /// Read its configuration again.
    Reload,
    /// Forget that it failed, and its start limit.
    ResetFailed,
}

impl Verb {
    /// As systemd names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Reload => "reload",
            Self::ResetFailed => "reset-failed",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One run of a service: another one after every start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// Its main process.
    pub pid: u32,
    /// What no other run has: an invocation, or the start time of the process; with the manager's own restarts.
    pub id: String,
}

/// How a service stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It runs.
    Running,
    /// On its way up or down.
    Changing,
    /// It does not run, and nothing is wrong.
    Stopped,
    /// It does not run, because it failed.
    Failed,
}

/// What a look at a service says.
#[derive(Clone, Debug)]
pub struct Look {
    /// In short.
    pub standing: Standing,
    /// In the manager's words: `active (running), process 4000`.
    pub said: Clean,
    /// The run that serves; `None` when none does.
    pub serving: Option<Serving>,
    /// What else must be the same when the effect comes, by name.
    pub identity: BTreeMap<String, String>,
    /// Numbers for HITS: restarts so far, starts left, what stops with it.
    pub hits: Vec<Clean>,
    /// Why the danger is raised.
    pub raise: Vec<Clean>,
    /// Why it cannot be asked for this at all.
    pub obstacle: Option<Fault>,
}

/// What every manager can do.
pub trait Service {
    /// The service's name there.
    fn unit(&self) -> &str;
    /// Who and where: equal for everybody who means the same service.
    fn address(&self) -> String;
    /// Refuses names that could mean something else.
    ///
    /// # Errors
    /// Which rule.
    fn check(&self) -> Result<(), Fault>;
    /// Looks at the service, with this verb in mind. Read-only, a few seconds at most.
    ///
    /// # Errors
    /// When it cannot be seen.
    fn look(&self, verb: Verb, clock: &dyn Clock) -> Result<Look, Fault>;
    /// What will be done, as shown under WHAT.
    fn line(&self, verb: Verb) -> Clean;
    /// Does it; what was done, in words.
    ///
    /// # Errors
    /// [`StepError::Failed`] when the manager was not reached or said no; [`StepError::Unknown`] when it did not say.
    fn apply(&self, verb: Verb, doing: &Doing<'_>) -> Result<Clean, StepError>;
}

/// What a service adds to a plan.
#[derive(Debug)]
pub struct Part {
    /// By identity.
    pub target: Target,
    /// Its line of WHAT.
    pub line: Clean,
    /// How it stands now.
    pub based_on: Precondition,
    /// Numbers for HITS.
    pub hits: Vec<Clean>,
    /// Why the danger is raised.
    pub raise: Vec<Clean>,
}

impl Manager {
    /// The manager itself.
    pub fn service(&self) -> &dyn Service {
        match self {
            Self::UnixSocket(it) => it,
            Self::Systemd(it) => it,
        }
    }

    /// What asking for `verb` adds to a plan.
    ///
    /// # Errors
    /// A name that is refused, a service that cannot be seen, an obstacle.
    pub fn draft(&self, verb: Verb, clock: &dyn Clock) -> Result<Part, Fault> {
        let service = self.service();
        service.check()?;
        let look = service.look(verb, clock)?;
        if let Some(obstacle) = look.obstacle {
            return Err(obstacle);
        }
        let based_on =
            Precondition { label: Clean::text(service.unit()), value: look.said, age: Duration::ZERO, metric: None };
        let target = Target::Unit { manager: self.clone(), serving: look.serving, identity: look.identity };
        Ok(Part { target, line: service.line(verb), based_on, hits: look.hits, raise: look.raise })
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
        let all: std::collections::BTreeSet<&String> = identity.keys().chain(look.identity.keys()).collect();
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
            (Verb::Restart, Standing::Running) if look.serving.as_ref() == before => {
                Proof::NotYet(crate::clean!("{unit} still serves with the run from before"))
            }
            (Verb::Reload, Standing::Running) if look.serving.as_ref() != before => {
                Proof::NotYet(crate::clean!("{unit} was restarted, not reloaded"))
            }
            (Verb::Restart | Verb::Start | Verb::Reload, Standing::Running) => Proof::Holds(id, said),
            (Verb::Stop, Standing::Stopped | Standing::Failed) => Proof::Holds(id, said),
            (Verb::ResetFailed, Standing::Stopped | Standing::Running | Standing::Changing) => Proof::Holds(id, said),
            _ => Proof::NotYet(said),
        }
    }
}

/// Letters, digits and `. _ : @ -`, and what else a manager allows; up to 128, not starting with `-`.
///
/// # Errors
/// The rule.
pub(super) fn plain_name(unit: &str, also: &str) -> Result<(), Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '@' | '-') || also.contains(c);
    if unit.is_empty() || unit.len() > 128 || unit.starts_with('-') || !unit.chars().all(plain) {
        return Err(Fault::new(format!("`{}` is no unit name.", Clean::text(unit)))
            .hint(format!("Letters, digits and . _ : @ - {also} up to 128, not starting with -.")));
    }
    Ok(())
}
