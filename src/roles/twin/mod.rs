//! The twin: the stand-in system behind the demo, made of real processes, files and sockets.
//! A *supervisor* starts the *service*, restarts it on request over a Unix socket and after a crash, and clears
//! everything away when the console that started it is gone. Called by `main` (hidden subcommands) and by `demo`.
//!
//! The socket's protocol, one line each way: `restart UNIT` → `ok PID`; `status UNIT` → `running PID STARTTIME
//! restarts N` or `stopped`; anything that cannot be done → `error …`.
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
mod window;

pub(crate) use port::bind_loopback;
pub(crate) use settings::PRODUCTION;
pub(crate) use supervisor::errors;

pub use service::service;
pub use supervisor::supervisor;

use crate::base::Fault;
use core::str::FromStr;

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
