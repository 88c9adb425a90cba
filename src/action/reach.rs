//! How far the actions of a console reach: the world, or nothing but the folder of a stand-in. A rehearsal is built
//! with the latter alone, so there is no way from it to a real target.

use super::manager::Manager;
use super::plan::{Plan, Target};
use crate::base::{Clean, Fault};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// What may be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everything that the login may change.
    World,
    /// Only what lies in this folder: files, and services of a supervisor whose socket is there.
    Within(PathBuf),
}

/// How a runner is told: the folder of a stand-in, in its environment.
pub const VARIABLE: &str = "WATCHKEEPER_WITHIN";

impl Reach {
    /// What a runner's environment says.
    pub fn of(variable: Option<OsString>) -> Self {
        variable.map_or(Self::World, |folder| Self::Within(folder.into()))
    }

    /// What the environment of a runner must say.
    pub(super) fn variable(&self) -> Option<(OsString, OsString)> {
        match self {
            Self::World => None,
            Self::Within(folder) => Some((VARIABLE.into(), folder.into())),
        }
    }

    /// Whether every target of a plan may be changed.
    ///
    /// # Errors
    /// Which target lies beyond, and what would have been done.
    pub fn allows(&self, plan: &Plan) -> Result<(), Fault> {
        let Self::Within(folder) = self else { return Ok(()) };
        let beyond = plan.targets.iter().find(|target| !lies_in(target, folder));
        beyond.map_or(Ok(()), |target| {
            let what = Clean::text(target.name());
            Err(Fault::new(format!(
                "this is a rehearsal: {what} is no part of the stand-in, and nothing else is reached."
            ))
            .hint("Override the item with what you would have seen."))
        })
    }
}

fn lies_in(target: &Target, folder: &Path) -> bool {
    let inside = |path: &Path| path.starts_with(folder) && !path.components().any(|part| part == Component::ParentDir);
    match target {
        Target::File { path, .. } | Target::Entry { path, .. } => inside(path),
        Target::Unit { manager: Manager::UnixSocket(service), .. } => inside(&service.path),
        Target::Session => true,
        Target::Unit { .. }
        | Target::Process { .. }
        | Target::Program { .. }
        | Target::Switches { .. }
        | Target::Server { .. } => false,
    }
}
