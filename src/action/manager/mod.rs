//! Who runs a service, and what can be asked of it: one file per manager behind [`Service`]. The kinds of actions that
//! restart something say which manager in their table: `{ kind = "systemd", unit = "x.service" }`.

mod checks;
mod commands;
mod container;
mod drop_in;
pub mod drop_in_file;
mod permission;
mod plan;
mod supervisor;
mod systemd;
mod systemd_group;
mod systemd_journal;
mod systemd_unit;
mod unix_socket;

pub use checks::{Checks, KEYS as CHECKS};
pub use commands::Commands;
pub use container::Container;
pub use drop_in::{Change, InForce, Setting, comes_after, content, looks_secret, said};
pub use plan::Part;
pub use supervisor::Supervisor;
pub use systemd::Systemd;
pub use unix_socket::UnixSocket;

use super::doing::Doing;
use super::kinds::StepError;
use super::right::Right;
use crate::base::scrub::scrub;
use crate::base::{Clean, Clock, Fault};
use crate::sys::host::Login;
use crate::sys::secret::hide;
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
    /// A program of a supervisord.
    Supervisor(Box<Supervisor>),
    /// A container of Docker or Podman.
    Container(Box<Container>),
    /// What declared commands start and stop.
    Commands(Box<Commands>),
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

    /// Whether a run begins with it.
    pub const fn starts(self) -> bool {
        matches!(self, Self::Restart | Self::Start)
    }

    /// Whether a run ends with it.
    pub const fn stops(self) -> bool {
        matches!(self, Self::Restart | Self::Stop)
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

/// What tells a process of the run that serves now from any other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kin {
    /// The main process.
    pub pid: Option<u32>,
    /// The control group that all of them are in, where the manager keeps one.
    pub group: Option<String>,
    /// When this run began, since the host started; those of one before are older.
    pub since: Option<Duration>,
}

/// What a service has said of itself in its newest run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// For the screen: few lines.
    pub shown: Vec<Clean>,
    /// To be kept with the run.
    pub kept: Vec<Clean>,
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
    /// Why its running now proves nothing, or not yet; `None` where [`Serving`] tells one run from another.
    pub doubt: Option<Clean>,
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
    /// Whether this login may ask for it, and by which rule it would.
    fn right(&self, _verb: Verb, _login: &Login, _clock: &dyn Clock) -> Right {
        Right::May
    }
    /// What more can be said before it is asked for: for HITS, and why the danger is raised. Slower than a look.
    fn outlook(&self, _verb: Verb, _clock: &dyn Clock) -> (Vec<Clean>, Vec<Clean>) {
        Default::default()
    }
    /// What tells its processes from others. Read-only.
    ///
    /// # Errors
    /// When it cannot be seen.
    fn kin(&self, clock: &dyn Clock) -> Result<Kin, Fault> {
        let pid = self.look(Verb::Restart, clock)?.serving.map(|serving| serving.pid);
        Ok(Kin { pid: pid.filter(|pid| *pid > 0), ..Kin::default() })
    }
    /// In words, who of it still runs though it is stopped. Read-only.
    ///
    /// # Errors
    /// Why nobody can say.
    fn left(&self, _clock: &dyn Clock) -> Result<Option<Clean>, Fault> {
        Ok(None)
    }
    /// What it has logged since the run that served `before`: errors alone where all is `good`. Best effort, read-only.
    fn told(&self, _before: Option<&Serving>, _good: bool, _clock: &dyn Clock) -> Told {
        Told::default()
    }
    /// What will be done, as shown under WHAT.
    fn line(&self, verb: Verb) -> Clean;
    /// Does it; what was done, in words.
    ///
    /// # Errors
    /// [`StepError::Failed`] when the manager was not reached or said no; [`StepError::Unknown`] when it did not say.
    fn apply(&self, verb: Verb, doing: &Doing<'_>) -> Result<Clean, StepError>;
}

impl Manager {
    /// The manager itself.
    pub fn service(&self) -> &dyn Service {
        match self {
            Self::UnixSocket(it) => it,
            Self::Systemd(it) => it,
            Self::Supervisor(it) => &**it,
            Self::Container(it) => &**it,
            Self::Commands(it) => &**it,
        }
    }
}

/// How the log of what is down ends: its last line, with no secret in it.
pub(super) fn log_end(log: &[u8]) -> Option<Clean> {
    const MOST: usize = 160;
    let line = log.rsplit(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty())?;
    let line = scrub(&hide(&String::from_utf8_lossy(line)));
    Some(crate::clean!("its log ends: {}", Clean::text(line.chars().take(MOST).collect::<String>())))
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
