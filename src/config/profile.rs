//! A profile: one system as its owner describes it, checked as far as this floor can.

use super::{Handbook, Judging, People};
use crate::base::{Body, Clean, Fault};
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;

/// What stands for an environment that no file names.
const NO_ENVIRONMENT: &str = "unset";

/// What is watched and what can be done, in the order of the file, the extended profiles' parts first.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The folder's name, or a built-in one.
    pub name: String,
    /// For the top line.
    pub title: Clean,
    /// For the badge: `production`, `staging`, `demo`; `unset` when no file says.
    pub environment: Clean,
    /// The file; `None` when built in.
    pub path: Option<PathBuf>,
    /// Every file that took part, this one last, for the journal.
    pub sources: Vec<Source>,
    /// Whether its actions may run.
    pub trust: Trust,
    /// What to observe.
    pub samplers: Vec<SamplerSpec>,
    /// What to follow.
    pub logs: Vec<LogSpec>,
    /// What to show.
    pub screen: Screen,
    /// What can be done.
    pub actions: Vec<ActionSpec>,
    /// What is worked through when something is wrong, and what that may do.
    pub procedures: Handbook,
    /// What tells of a deploy.
    pub markers: Vec<Marker>,
    /// Who is called, by when, and how they are told.
    pub people: People,
    /// What is judged, beside the bands of panes.
    pub judging: Judging,
    /// What is wrong, each with its place; the parts concerned are missing above.
    pub faults: Vec<Fault>,
}

/// What a profile shows.
#[derive(Clone, Debug, Default)]
pub struct Screen {
    /// In the order of importance.
    pub panes: Vec<PaneSpec>,
    /// Which of them stand together.
    pub views: Vec<ViewSpec>,
}

/// Whether a profile's actions may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Every file passed the rules.
    Trusted,
    /// They are shown with their reason and never run.
    DisplayOnly(Fault),
}

/// One file that took part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As the user would type it.
    pub file: Clean,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
    /// Parts that stand in it and are at fault: whoever names one names something that is there.
    pub broken: Vec<(Part, Clean)>,
}

/// What others may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Of `[samplers.NAME]`.
    Sampler,
    /// Of `[logs.NAME]`.
    Log,
    /// Of `[actions.NAME]`.
    Action,
    /// Of `[[panes]]`, by its title.
    Pane,
}

/// `[samplers.NAME]`.
#[derive(Clone, Debug)]
pub struct SamplerSpec {
    /// Unique in the profile.
    pub name: Arc<str>,
    /// A known kind.
    pub kind: String,
    /// How often; the kind's own pace when absent. At least a second.
    pub every: Option<Duration>,
    /// How long one attempt may take. Above zero.
    pub timeout: Option<Duration>,
    /// Its values are marked SIMULATED wherever they show.
    pub simulated: bool,
    /// It is left out where this path is absent when the profile is loaded.
    pub needs: Option<PathBuf>,
    /// The rest, for the kind.
    pub body: Body,
}

/// `[logs.NAME]`.
#[derive(Clone, Debug)]
pub struct LogSpec {
    /// Unique in the profile.
    pub name: Arc<str>,
    /// A known kind.
    pub kind: String,
    /// The rest, for the kind.
    pub body: Body,
}

/// `[[panes]]`.
#[derive(Clone, Debug)]
pub struct PaneSpec {
    /// A known kind.
    pub kind: String,
    /// Above the pane.
    pub title: Clean,
    /// It has no place on the screen until it has something to show.
    pub optional: bool,
    /// What it says for a value while its source answers and never had it.
    pub absent: Option<Clean>,
    /// The rest, for the kind.
    pub body: Body,
}

/// `[[views]]`: panes that stand on the screen together.
#[derive(Clone, Debug)]
pub struct ViewSpec {
    /// Unique in the profile.
    pub title: Clean,
    /// Titles of panes.
    pub panes: Vec<Clean>,
    /// Its table, to place faults.
    pub body: Body,
}

/// `[actions.NAME]`.
#[derive(Clone, Debug)]
pub struct ActionSpec {
    /// Unique in the profile.
    pub name: Arc<str>,
    /// A known kind.
    pub kind: String,
    /// On the list of actions; the name when absent.
    pub title: Clean,
    /// The rest, for the kind.
    pub body: Body,
}

/// `[[markers]]`: what tells that a new version was brought, so that an alert after it can say so.
#[derive(Clone, Debug)]
pub enum Marker {
    /// A file that is written at each deploy.
    File(PathBuf),
    /// A line of a log, by its source's name, that holds this text.
    Line {
        /// The source's name in `[logs]`.
        log: Arc<str>,
        /// The text.
        contains: String,
        /// Its table, to place faults.
        body: Body,
    },
}

/// The kinds that exist: this floor does not know them.
#[derive(Clone, Copy, Debug)]
pub struct KnownKinds<'a> {
    /// Of `[samplers.NAME]`.
    pub samplers: &'a [&'a str],
    /// Of `[logs.NAME]`.
    pub logs: &'a [&'a str],
    /// Of `[[panes]]`.
    pub panes: &'a [&'a str],
    /// Of `[actions.NAME]`.
    pub actions: &'a [&'a str],
}

impl Profile {
    /// The names of its parts of one sort, those at fault after the others.
    pub fn names(&self, part: Part) -> Vec<&str> {
        let mut names: Vec<&str> = match part {
            Part::Sampler => self.samplers.iter().map(|spec| &*spec.name).collect(),
            Part::Log => self.logs.iter().map(|spec| &*spec.name).collect(),
            Part::Action => self.actions.iter().map(|spec| &*spec.name).collect(),
            Part::Pane => self.screen.panes.iter().map(|spec| spec.title.as_str()).collect(),
        };
        let broken = self.sources.iter().flat_map(|source| &source.broken);
        names.extend(broken.filter(|(of, _)| *of == part).map(|(_, name)| name.as_str()));
        names
    }

    /// The profile of a host that nothing is known about: nothing to watch, only what went wrong.
    pub fn empty(name: &str, faults: Vec<Fault>) -> Self {
        Self {
            name: name.to_owned(),
            title: Clean::text(name),
            environment: NO_ENVIRONMENT.into(),
            path: None,
            sources: Vec::new(),
            trust: Trust::Trusted,
            samplers: Vec::new(),
            logs: Vec::new(),
            screen: Screen::default(),
            actions: Vec::new(),
            procedures: Handbook::default(),
            markers: Vec::new(),
            people: People::default(),
            judging: Judging::default(),
            faults,
        }
    }
}
