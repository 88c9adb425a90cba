//! Which systems there are, and what each can be made to suffer from.

use super::{genesis, norse, planar};
use crate::base::Fault;

/// A system that has a shipped profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// A neural predictor in Rust, with a card.
    CerebellarNorse,
    /// A trading engine in Python.
    Genesis,
    /// A trading bot in Julia.
    Planar,
}

/// What [`System::ALL`] says of one.
struct About {
    name: &'static str,
    title: &'static str,
    ports: usize,
    incidents: &'static [&'static str],
}

impl System {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::CerebellarNorse, Self::Genesis, Self::Planar];

    fn about(self) -> About {
        match self {
            Self::CerebellarNorse => About {
                name: "cerebellar-norse",
                title: "Cerebellar-Norse",
                ports: norse::PORTS,
                incidents: &["quiet", "gpu-memory", "latency", "training-rises", "data-corruption", "config-broken"],
            },
            Self::Genesis => About {
                name: "genesis",
                title: "Genesis",
                ports: genesis::PORTS,
                incidents: &["quiet", "slow-database", "event-loop-blocked", "memory-leak", "high-cpu", "queue-grows"],
            },
            Self::Planar => About {
                name: "planar",
                title: "Planar",
                ports: planar::PORTS,
                incidents: &["quiet", "map-full", "rate-limited", "exchange-silent", "stale-reader"],
            },
        }
    }

    /// Its name on the command line, which is its profile's too.
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// What it calls itself.
    pub fn title(self) -> &'static str {
        self.about().title
    }

    /// Ports that it listens on.
    pub(crate) fn ports(self) -> usize {
        self.about().ports
    }

    /// What it can be made to suffer from; the first one is nothing.
    pub fn incidents(self) -> &'static [&'static str] {
        self.about().incidents
    }

    /// The system of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, Fault> {
        Self::ALL.into_iter().find(|system| system.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|system| system.name()).collect();
            Fault::new(format!("unknown system {name:?}.")).hint(format!("There is: {}.", known.join(", ")))
        })
    }
}

/// A system with what it suffers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Which system.
    pub system: System,
    /// One of its incidents.
    pub name: &'static str,
}

impl Incident {
    /// This one of the system, or its quiet run.
    ///
    /// # Errors
    /// When the system has none of this name.
    pub fn of(system: System, name: Option<&str>) -> Result<Self, Fault> {
        let all = system.incidents();
        let wanted = name.unwrap_or("quiet");
        let found = all.iter().find(|known| **known == wanted).ok_or_else(|| {
            Fault::new(format!("unknown scenario {wanted:?} of {}.", system.name()))
                .hint(format!("There is: {}.", all.join(", ")))
        })?;
        Ok(Self { system, name: found })
    }

    /// Whether it is this one.
    pub(in crate::roles::twin) fn is(self, name: &str) -> bool {
        self.name == name
    }

    /// What a rollout does to a file of the folder: what it writes for what. With it comes a restart.
    pub(in crate::roles::twin) fn rollout(self) -> Option<(&'static str, &'static str, &'static str)> {
        self.is("config-broken").then_some(norse::ROLLOUT)
    }
}
