//! The twin: the stand-in system behind the demo, made of real processes, files and sockets.
//! A *supervisor* starts the *service*, restarts it on request over a Unix socket and after a crash, and clears
//! everything away when the console that started it is gone. Called by `main` (hidden subcommands) and by `demo`.
//!
//! The socket's protocol, one line each way: `restart UNIT`, `start UNIT` → `ok PID`; `stop UNIT` → `ok`; `status UNIT` →
//! `running PID STARTTIME restarts N` or `stopped`; anything that cannot be done → `error …`.
//!
//! With a system in place of the stand-in service (`systems`) the unit, the files and the ports are that system's.
//!
//! Folder of a demo: `profile.toml`, `etc/production.toml`, `log/app.log`, `data/lmdb/`, `backups/`, `state/`,
//! `supervisor.sock`, `twin.err` (what the twin's processes had to say on stderr).

mod applog;
#[cfg(test)]
mod cause;
mod endpoint;
mod engine;
mod exposition;
mod model;
mod port;
mod service;
mod settings;
mod storage;
mod supervisor;
pub mod systems;
mod window;

pub(crate) use port::{bind_loopback, reserve};
pub(crate) use settings::PRODUCTION;
pub(crate) use supervisor::errors;

pub use service::service;
pub use supervisor::supervisor;

use crate::base::Fault;
use crate::base::backoff::Jitter;
use core::str::FromStr;
use core::time::Duration;
use std::ffi::OsString;
use systems::{Incident, System};

/// The unit that the supervisor looks after.
pub const UNIT: &str = "inference";

/// Which incident the twin plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scenario {
    /// Everything in its band, with a natural swing.
    Quiet,
    /// The GPU's memory pool fragments until allocations are retried: latency, queue, store.
    #[default]
    GpuMemory,
    /// A rollout writes a bad value into the configuration and restarts the service: memory, latency.
    ConfigChange,
}

impl Scenario {
    /// Every scenario there is.
    pub const ALL: [Self; 3] = [Self::Quiet, Self::GpuMemory, Self::ConfigChange];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::GpuMemory => "gpu-memory",
            Self::ConfigChange => "config-change",
        }
    }
}

impl FromStr for Scenario {
    type Err = Fault;
    fn from_str(name: &str) -> Result<Self, Fault> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|scenario| scenario.name()).collect();
            Fault::new(format!("unknown scenario {name:?}.")).hint(format!("There is: {}.", known.join(", ")))
        })
    }
}

/// What the twin plays.
#[derive(Clone, Copy, Debug)]
pub enum Play {
    /// The stand-in service.
    Service(Scenario),
    /// One of the systems that have a shipped profile.
    System(Incident),
}

impl From<Scenario> for Play {
    fn from(scenario: Scenario) -> Self {
        Self::Service(scenario)
    }
}

impl From<Incident> for Play {
    fn from(incident: Incident) -> Self {
        Self::System(incident)
    }
}

/// A change that a tool brings: the file below the folder, what it holds, what is written for it.
type Rollout = (&'static str, &'static str, &'static str);

impl Play {
    /// What the command line asks for: without a system the stand-in service and its own default.
    ///
    /// # Errors
    /// When there is no such system, or no such scenario of it.
    pub fn of(system: Option<&str>, scenario: Option<&str>) -> Result<Self, Fault> {
        match system {
            Some(system) => Incident::of(System::named(system)?, scenario).map(Self::System),
            None => scenario.map_or(Ok(Scenario::default()), str::parse).map(Self::Service),
        }
    }

    /// The unit that the supervisor looks after.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Service(_) => UNIT,
            Self::System(incident) => incident.system.name(),
        }
    }

    /// How many ports it listens on.
    pub(crate) fn ports(self) -> usize {
        match self {
            Self::Service(_) => 1,
            Self::System(incident) => incident.system.ports(),
        }
    }

    /// How the hidden subcommands are told of it.
    pub(crate) fn arguments(self) -> Vec<OsString> {
        match self {
            Self::Service(scenario) => vec!["--scenario".into(), scenario.name().into()],
            Self::System(Incident { system, story }) => {
                vec!["--system".into(), system.name().into(), "--scenario".into(), story.name.as_str().into()]
            }
        }
    }

    /// When a rollout comes after the start, and what it changes.
    fn rollout(self, seed: u64) -> Option<(Duration, Rollout)> {
        let (least, more, rollout) = match self {
            Self::Service(Scenario::ConfigChange) => {
                (20, 4, ("etc/production.toml", "cuda_streams = 4", "cuda_streams = 8"))
            }
            Self::Service(_) => return None,
            Self::System(Incident { story, .. }) => (8, 3, story.rollout.as_ref()?.parts()),
        };
        Some((Duration::from_secs(least) + Duration::from_secs(more).mul_f64(Jitter(seed).unit()), rollout))
    }
}
