//! Which systems there are, and what each can be made to suffer from.

use super::story::Story;
use super::{genesis, norse, planar};
use crate::base::Fault;
use std::sync::LazyLock;

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
    stories: &'static str,
}

/// The stories of each system, in their order.
static STORIES: LazyLock<[Vec<Story>; 3]> = LazyLock::new(|| {
    System::ALL.map(|system| {
        let about = system.about();
        // A test reads each of the texts.
        Story::all(about.name, about.stories).unwrap_or_default()
    })
});

impl System {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::CerebellarNorse, Self::Genesis, Self::Planar];

    fn about(self) -> About {
        match self {
            Self::CerebellarNorse => About {
                name: "cerebellar-norse",
                title: "Cerebellar-Norse",
                ports: norse::PORTS,
                stories: include_str!("norse/stories.toml"),
            },
            Self::Genesis => About {
                name: "genesis",
                title: "Genesis",
                ports: genesis::PORTS,
                stories: include_str!("genesis/stories.toml"),
            },
            Self::Planar => About {
                name: "planar",
                title: "Planar",
                ports: planar::PORTS,
                stories: include_str!("planar/stories.toml"),
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
    pub fn stories(self) -> &'static [Story] {
        let [norse, genesis, planar] = &*STORIES;
        match self {
            Self::CerebellarNorse => norse,
            Self::Genesis => genesis,
            Self::Planar => planar,
        }
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
#[derive(Clone, Copy, Debug)]
pub struct Incident {
    /// Which system.
    pub system: System,
    /// One of its stories.
    pub story: &'static Story,
}

impl Incident {
    /// This one of the system, or its quiet run.
    ///
    /// # Errors
    /// When the system has none of this name.
    pub fn of(system: System, name: Option<&str>) -> Result<Self, Fault> {
        let all = system.stories();
        let wanted = name.unwrap_or("quiet");
        let story = all.iter().find(|known| known.name == wanted).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|story| story.name.as_str()).collect();
            Fault::new(format!("unknown scenario {wanted:?} of {}.", system.name()))
                .hint(format!("There is: {}.", names.join(", ")))
        })?;
        Ok(Self { system, story })
    }

    /// Whether it is this one.
    pub(in crate::roles::twin) fn is(self, name: &str) -> bool {
        self.story.name == name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_stories_of_each_system_can_be_read_and_the_first_one_is_quiet() {
        for system in System::ALL {
            let about = system.about();
            let stories = Story::all(about.name, about.stories).unwrap();
            assert_eq!(stories[0].name, "quiet");
            let names: BTreeSet<&str> = stories.iter().map(|story| story.name.as_str()).collect();
            assert_eq!(names.len(), stories.len(), "a name each");
            assert_eq!(names.len(), system.stories().len());
        }
    }
}
