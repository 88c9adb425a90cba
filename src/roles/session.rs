//! From the command line to a running session: files read, samplers and followers started, terminal owned, model built.

use super::setup::{self, Setup};
use crate::action::mode::Mode;
use crate::action::plan::Support;
use crate::app::{Model, Overlay, Session};
use crate::base::{Clean, Clock, Fault, LogLine};
use crate::config::{self, Profile, ProfileRef, SearchPath, Theme};
use crate::input::Keymap;
use crate::journal::Journal;
use crate::logs::{Follower, LogMailbox};
use crate::samplers::mailbox::Mailbox;
use crate::samplers::supervisor::Supervisor;
use crate::store::{Limits, LogStore, Store};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::host::{Host, Login};
use crate::sys::{paths, random};
use crate::term::{Caps, Terminal};
use std::path::PathBuf;
use std::sync::Arc;

/// What the command line chose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A file, a folder, or a name on the search path.
    pub profile: Option<String>,
    /// By name or file.
    pub theme: Option<String>,
    /// By name or file.
    pub keymap: Option<String>,
    /// OBSERVE for good.
    pub read_only: bool,
    /// Where journal and runs are kept, when not at the usual place.
    pub state_dir: Option<PathBuf>,
}

/// What effects need beside the model.
pub struct Shared {
    /// The profile in use, for planning and for the runner.
    pub profile: Profile,
    /// How the runner finds the profile again.
    pub profile_name: String,
    /// This host.
    pub host: Host,
    /// This login.
    pub login: Login,
    /// Journal and runs; `None` when there is no place for them: then nothing acts.
    pub state_dir: Option<PathBuf>,
    /// The trail; `None` when it cannot be opened: then nothing acts.
    pub journal: Option<Journal>,
}

/// A running session.
pub struct Started {
    /// Everything the screen shows.
    pub model: Model,
    /// Styles for this terminal.
    pub theme: Theme,
    /// What the terminal can do.
    pub caps: Caps,
    /// The terminal.
    pub terminal: Terminal,
    /// From the samplers.
    pub samples: Arc<Mailbox>,
    /// From the log followers.
    pub lines: Arc<LogMailbox>,
    /// For effects.
    pub shared: Shared,
    engine: Engine,
}

/// What works in the background for as long as the session lasts.
struct Engine {
    _supervisor: Supervisor,
    _follower: Option<Follower>,
    runtime: tokio::runtime::Runtime,
}

/// Starts everything. Samplers first: their first answers come while the terminal is set up.
///
/// # Errors
/// When there is no terminal to own, or no thread can be started.
pub fn start(options: Options, bell: &Arc<Bell>) -> Result<Started, Fault> {
    let lookup = |name: &str| std::env::var(name).ok();
    let caps = Caps::detect(&lookup, true);
    let search = SearchPath::detect(&lookup);
    let mut loaded = Loaded::load(&options, &search);
    let (model_parts, engine, samples, lines) = loaded.run(bell)?;
    let (theme, theme_faults) =
        config::load_theme(options.theme.as_deref().unwrap_or("default"), depth(&caps), &search);
    let (layers, keymap_faults) = config::load_keymap(options.keymap.as_deref().unwrap_or("default"), &search);
    let (keymap, row_faults) = Keymap::merge(&layers);
    let terminal = Terminal::open(Arc::clone(bell), caps.clone())
        .map_err(|error| Fault::new(format!("the terminal cannot be used: {error}.")))?;
    let mut faults = loaded.faults;
    faults.extend(theme_faults.into_iter().chain(keymap_faults).chain(row_faults));
    let model = model_parts.into_model(terminal.size(), keymap, faults);
    Ok(Started { model, theme, caps, terminal, samples, lines, shared: loaded.shared, engine })
}
