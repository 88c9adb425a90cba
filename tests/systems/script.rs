//! What is played: scenes of one system, as its file tells them.

use serde::Deserialize;
use std::collections::BTreeMap;

/// All scenes of a system.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    /// How long a console has watched before anything is done, in seconds.
    pub(crate) watch: u32,
    /// Where every scene of it begins.
    pub(crate) stage: Set,
    /// What some scenes have besides, by name.
    #[serde(default)]
    pub(crate) stages: BTreeMap<String, Set>,
    /// A name each.
    pub(crate) scenes: BTreeMap<String, Scene>,
}

/// What stands on the stage. In every text `@DIR@` is the system's folder, `@PROGRAM@` the binary, `@HERE@` this folder of
/// tests, `@START@` the command that plays the system, `@PORT@` its first port, `@PEER_NAME@` what a peer says of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Set {
    /// What the system suffers from.
    pub(crate) incident: Option<String>,
    /// Who runs it: `systemd` or `supervisord`.
    pub(crate) manager: Option<String>,
    /// Other real peers, by the names of their scripts.
    pub(crate) peers: Vec<String>,
    /// Settings of their scripts.
    pub(crate) given: BTreeMap<String, String>,
    /// Settings of the profile that count instead of the demo's.
    pub(crate) settings: String,
    /// Tables of the demo's profile that this one does without.
    pub(crate) without: Vec<String>,
    /// Tables of the profile besides.
    pub(crate) tables: String,
    /// Files of the manager, and what stands in them.
    pub(crate) files: BTreeMap<String, String>,
    /// What a shell does before the console starts, beside the manager.
    pub(crate) setup: String,
}

/// Things done one after the other in one console.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scene {
    /// Played in every run of the tests, and not only in a long one.
    #[serde(default)]
    pub(crate) short: bool,
    /// Which of the stages it has, in this order.
    #[serde(default)]
    pub(crate) on: Vec<String>,
    /// What differs on the stage.
    #[serde(default)]
    pub(crate) stage: Set,
    pub(crate) acts: Vec<Act>,
}

/// An action, or a procedure to its end.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Act {
    pub(crate) action: String,
    pub(crate) procedure: String,
    /// Left out of a run that is not a long one.
    pub(crate) long: bool,
    /// What is typed into the fields of its form, in their order on screen.
    pub(crate) give: Vec<String>,
    /// What a shell does before it.
    pub(crate) before: String,
    /// What the plan says, or the screen that refuses it.
    pub(crate) says: Vec<String>,
    /// It ends here, before any prompt: it is refused, as `says` tells.
    pub(crate) refused: bool,
    /// What a shell then finds: it fails where the world is not as it should be.
    pub(crate) after: String,
    /// Of a procedure: what is answered, by a part of the item's title. A choice, a number or a text is typed; `defer` and
    /// `override` are the two ways around an item; an action that `fails` has to.
    pub(crate) answers: BTreeMap<String, String>,
}

impl Script {
    /// Where this scene begins.
    pub(crate) fn set(&self, scene: &Scene) -> Set {
        let named = scene.on.iter().map(|name| &self.stages[name]);
        named.chain([&scene.stage]).fold(self.stage.clone(), |set, more| set.with(more))
    }
}

impl Set {
    /// This one with what `other` has instead or besides.
    pub(crate) fn with(&self, other: &Self) -> Self {
        let both = |ours: &str, theirs: &str| format!("{ours}\n{theirs}\n");
        Self {
            incident: other.incident.clone().or_else(|| self.incident.clone()),
            manager: other.manager.clone().or_else(|| self.manager.clone()),
            peers: [self.peers.clone(), other.peers.clone()].concat(),
            given: self.given.clone().into_iter().chain(other.given.clone()).collect(),
            settings: both(&self.settings, &other.settings),
            without: [self.without.clone(), other.without.clone()].concat(),
            tables: both(&self.tables, &other.tables),
            files: self.files.clone().into_iter().chain(other.files.clone()).collect(),
            setup: both(&self.setup, &other.setup),
        }
    }
}
