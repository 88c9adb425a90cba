//! `watchkeeper describe`: every kind with its line, the documentation of one, and a profile of what is found here.
//! Long because every question has its line in `run`.

mod kinds;
mod profile;
mod schema;
mod takes;

use crate::base::Fault;
use std::io::Write;

/// `watchkeeper describe …`
#[derive(Debug, clap::Subcommand)]
pub enum Ask {
    /// Every kind of sampler, a line each
    Samplers,
    /// Every kind of pane, a line each
    Panes,
    /// Every kind of action, a line each
    Actions,
    /// Every kind of log source, a line each
    Logs,
    /// Every pack of log patterns that ships, a line each
    Patterns,
    /// What one kind of log source reads, with every key of its table
    Log {
        /// Its name, one of `watchkeeper describe logs`
        kind: String,
    },
    /// What one kind of sampler reads and gives, with every key of its table
    Sampler {
        /// Its name, one of `watchkeeper describe samplers`
        kind: String,
    },
    /// What one kind of action does, with every key of its table
    Action {
        /// Its name, one of `watchkeeper describe actions`
        kind: String,
    },
    /// A JSON Schema of `profile.toml`, for editors that check it while it is written
    Schema,
    /// A commented profile of what is found here, to be saved and completed; what could not be looked at on standard error
    Profile(profile::Ask),
}

/// Prints what was asked for. Returns the exit status.
///
/// # Errors
/// No such kind, nothing can be started, or the output is gone.
pub fn run(ask: &Ask, out: &mut dyn Write) -> Result<u8, Fault> {
    let lines = match ask {
        Ask::Samplers => kinds::samplers(),
        Ask::Panes => kinds::panes(),
        Ask::Actions => kinds::actions(),
        Ask::Logs => kinds::logs(),
        Ask::Patterns => kinds::patterns(),
        Ask::Log { kind } => kinds::log(kind)?,
        Ask::Sampler { kind } => kinds::sampler(kind)?,
        Ask::Action { kind } => kinds::action(kind)?,
        Ask::Schema => schema::lines(),
        Ask::Profile(ask) => profile::found(ask)?,
    };
    super::validate::written(out, &lines).map(|()| 0)
}
