//! Hands an accepted plan to a process of its own that outlives the console. A read-only console has no [`Launcher`].

use super::lifecycle::{Allowed, Run};
use super::prompt::Acceptance;
use super::reach::Reach;
use crate::base::{Clean, Fault};
use crate::sys::clock::RealClock;
use crate::sys::files;
use crate::sys::process::{Detached, spawn_detached, spawn_in_unit};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The only way to start a runner.
#[derive(Clone, Debug)]
pub struct Launcher {
    template: Detached,
    reach: Reach,
    allowed: Option<Allowed>,
}

impl Launcher {
    /// `None` for a read-only console. The runner is `program` (our own image when `None`) with `args` and the run
    /// folder after them, and knows nothing of our environment but `env`.
    pub fn new(
        read_only: bool,
        reach: Reach,
        program: Option<PathBuf>,
        args: Vec<OsString>,
        env: Vec<(OsString, OsString)>,
    ) -> Option<Self> {
        let env = env.into_iter().chain(reach.variables()).collect();
        (!read_only).then_some(Self { template: Detached { program, args, env }, reach, allowed: None })
    }

    /// What its runners may change.
    pub const fn reach(&self) -> &Reach {
        &self.reach
    }

    /// The same for a console that is allowed so much now: its runner looks at that again.
    #[must_use]
    pub fn allowing(&self, allowed: Allowed) -> Self {
        Self { allowed: Some(allowed), ..self.clone() }
    }

    /// Writes the order durably. Nothing begins by that: an order that its console left alone is withdrawn by the next.
    ///
    /// # Errors
    /// When it may not be given or cannot be written.
    pub fn order(&self, accepted: &Acceptance, state: &Path) -> Result<Run, Fault> {
        if accepted.plan.is_arming() || accepted.plan.takes_over().is_some() {
            return Err(Fault::new("this needs no runner."));
        }
        self.reach.allows(&accepted.plan)?;
        if !state.is_absolute() {
            return Err(Fault::new(format!(
                "the state folder {} is not an absolute path.",
                Clean::text(state.to_string_lossy().as_bytes())
            )));
        }
        let run = Run::of(state, accepted.plan.id);
        run.reserve().keep();
        run.order(accepted, self.allowed)?;
        Ok(run)
    }

    /// Starts the runner of an order. Returns as soon as it runs; [`Run::read`] tells how it goes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, run: &Run) -> Result<(), Fault> {
        let log = run.begin_output()?;
        let errors =
            std::fs::OpenOptions::new().append(true).open(&log).map_err(|error| files::fault("open", &log, &error))?;
        let mut what = self.template.clone();
        what.args.push(run.dir().as_os_str().to_owned());
        let id = run.dir().file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        match spawn_in_unit(&what, &format!("watchkeeper-{id}.service"), &log, &RealClock) {
            Some(()) => Ok(()),
            None => spawn_detached(&what, errors),
        }
    }
}
