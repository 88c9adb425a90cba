//! From the command line to a running session: files read, samplers and followers started, the model built, the
//! terminal owned.

use super::alert_state::{self, AlertState};
use super::journal_tool::UNPROTECTED;
use super::logs::job as log_job;
use super::notify::{Notifier, Origin, Webhook};
use super::{remembered, setup};
use crate::action::launch::Launcher;
use crate::action::mode::Mode;
use crate::action::reach::{Reach, StandIn};
use crate::app::{LogDesk, Model, Overlay, Procedures, Session};
use crate::base::backoff::Jitter;
use crate::base::body::nearest;
use crate::base::{Clock, Fault, Level, Support};
use crate::clean;
use crate::config::{self, Profile, ProfileRef, SearchPath, Theme, Trust};
use crate::input::Keymap;
use crate::journal::{self, Event, Journal, Record};
use crate::logs::{Follower, LogMailbox, LogSource, StreamSource, Streams};
use crate::samplers::{Job, Mailbox, Supervisor, THREADS};
use crate::store::{History, Limits, LogStore, Store};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::host::{Host, Login, groups_of};
use crate::sys::reserve::Reserve;
use crate::sys::signal::{listen, on_stop};
use crate::sys::{files, group, paths, process, quiet, random, zone};
use crate::term::{Caps, Terminal, contain_thread};
use core::time::Duration;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Log lines that wait for the loop at most; more are dropped and counted.
const LINES: usize = 20_000;
/// The journal's last record is waited for this long.
const LAST_RECORD: Duration = Duration::from_millis(200);

/// What the command line chose.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A file, a folder, or a name on the search path.
    pub profile: Option<String>,
    /// By name.
    pub theme: Option<String>,
    /// By name.
    pub keymap: Option<String>,
    /// OBSERVE for good.
    pub read_only: bool,
    /// No more than this, whatever the login is granted.
    pub max_level: Option<Support>,
    /// A new critical alert rings no bell.
    pub no_bell: bool,
    /// All intervals five times as long.
    pub gentle: bool,
    /// Where journal and runs are kept, when not at the usual place.
    pub state_dir: Option<PathBuf>,
    /// The procedure that is begun at once, by id.
    pub procedure: Option<String>,
    /// A rehearsal: nothing beyond this stand-in is reached.
    pub within: Option<StandIn>,
}

/// What effects need beside the model.
pub struct Shared {
    /// The profile in use, for planning and for the runner.
    pub profile: Profile,
    /// How the runner finds the profile again.
    pub profile_name: String,
    /// What keeps the journal from being opened.
    pub unrecorded: Option<Fault>,
    /// This host.
    pub host: Host,
    /// This login.
    pub login: Login,
    /// Journal and runs; `None` when there is no place for them: then nothing acts.
    pub state_dir: Option<PathBuf>,
    /// The only way to start a runner; a read-only session has none.
    pub launcher: Option<Arc<Launcher>>,
    /// The trail; `None` when it cannot be opened: then nothing acts.
    pub journal: Option<Journal>,
}

/// A model with everything that feeds it: all of a session but the terminal.
pub struct Look {
    /// Everything the screen shows.
    pub model: Model,
    /// Styles.
    pub theme: Theme,
    /// From the samplers.
    pub samples: Arc<Mailbox>,
    /// From the log followers.
    pub lines: Arc<LogMailbox>,
    /// For effects.
    pub shared: Shared,
    /// Who is told of alerts, until the notifier is started.
    pub webhook: Option<Webhook>,
    /// What works in the background.
    pub engine: Engine,
}

/// A running session.
pub struct Started {
    /// All but the terminal.
    pub look: Look,
    /// What the terminal can do.
    pub caps: Caps,
    /// The terminal.
    pub terminal: Terminal,
    /// Who tells the webhook; `None` when the profile has none.
    pub notifier: Option<Notifier>,
    /// A new critical alert rings the bell.
    pub rings: bool,
    /// Alerts over a restart; `None` when there is no place for them.
    pub alerts: Option<AlertState>,
}

/// What works in the background for as long as the session lasts.
pub struct Engine {
    _supervisor: Supervisor,
    _follower: Option<Follower>,
    _streams: Option<Streams>,
    runtime: Runtime,
}

/// Starts a session. Samplers first: their first answers come while the terminal is set up.
///
/// # Errors
/// When there is no terminal to own, or no thread can be started.
pub fn start(options: &Options, bell: &Arc<Bell>) -> Result<Started, Fault> {
    let caps = Caps::detect(&|name| std::env::var(name).ok(), true);
    let mut look = look(options, bell, None)?;
    let opened = options.procedure.as_ref().map_or(Ok(()), |wanted| known(wanted, &look.model));
    let opened = opened.and_then(|()| {
        Terminal::open(Arc::clone(bell), caps)
            .map_err(|error| Fault::new(format!("the terminal cannot be used: {error}.")))
    });
    let terminal = match opened {
        Ok(terminal) => terminal,
        Err(fault) => {
            look.engine.leave();
            return Err(fault);
        }
    };
    look.model.size = terminal.size();
    if terminal.found_raw() {
        let text = "The terminal was left raw by a program that died; leaving this console mends it.";
        look.model.session.say(text.into(), Level::Note, RealClock.now());
    }
    let notifier = notifier(&mut look, bell);
    let alerts = keep_alerts(&mut look);
    Ok(Started { look, caps, terminal, notifier, rings: !options.no_bell, alerts })
}

fn known(wanted: &str, model: &Model) -> Result<(), Fault> {
    if model.procedures.document(wanted).is_some() {
        return Ok(());
    }
    let known = model.procedures.known.iter().map(|document| &*document.id);
    Err(Fault::new(format!("the profile has no procedure `{wanted}`.")).hint(nearest(wanted, known)))
}

/// One look never tells anybody; a session does, read-only or not.
fn notifier(look: &mut Look, bell: &Arc<Bell>) -> Option<Notifier> {
    let hook = match look.webhook.take()?.open(&|name| std::env::var(name).ok(), paths::lock_dirs()) {
        Ok(hook) => hook,
        Err(fault) => {
            look.model.session.notifier.last = Some((RealClock.now(), Err(clean!("{fault}"))));
            look.model.session.faults.push(fault);
            return None;
        }
    };
    let identity = &look.model.identity;
    let origin = Origin {
        host: identity.host.clone(),
        profile: identity.title.clone(),
        environment: identity.environment.clone(),
    };
    let mut jitter = Jitter(seed());
    let (clock, runtime) = (Arc::new(RealClock), look.engine.runtime.handle());
    Some(Notifier::start(hook, origin, Arc::clone(bell), clock, move || jitter.unit(), runtime))
}

/// For jitter; not for secrets.
fn seed() -> u64 {
    u64::try_from(random::bits() & u128::from(u64::MAX)).unwrap_or(0)
}

/// Takes up the alerts of the last console of this profile.
fn keep_alerts(look: &mut Look) -> Option<AlertState> {
    let state = look.shared.state_dir.as_ref()?;
    let (now, boot) = (RealClock.now(), look.shared.host.boot_id.clone());
    let path = alert_state::path(state, look.shared.host.machine_id.as_str(), &look.shared.profile_name);
    let opened = AlertState::open(path, boot, &mut look.model.book, now);
    let (kept, fault) = match opened {
        Ok((kept, fault)) => (Some(kept), fault),
        Err(fault) => (None, Some(fault)),
    };
    if let Some(fault) = fault {
        look.model.session.say(clean!("{fault}"), Level::Warning, now);
        look.model.session.faults.push(fault);
    }
    kept
}

/// Reads the files and starts what feeds the model, for a screen of this size. `None`: for the terminal that is opened
/// next; a signal waits for it then. However we end, the programs of samplers end too.
///
/// # Errors
/// When no thread can be started.
pub fn look(options: &Options, bell: &Arc<Bell>, size: Option<(u16, u16)>) -> Result<Look, Fault> {
    let lookup = |name: &str| std::env::var(name).ok();
    let caps = Caps::detect(&lookup, true);
    let search = SearchPath::detect(&lookup);
    let mut store = Store::new(Limits::default());
    let host = Host::current();
    let profile_name = absolute(options.profile.as_deref().unwrap_or("host"));
    let profile = load(&profile_name, &search);
    let mut setup = setup::setup(&profile, host.name.clone(), &mut store);
    let samples = Arc::new(Mailbox::new(Arc::clone(bell)));
    let lines = Arc::new(LogMailbox::counting(Arc::clone(bell), LINES, Arc::clone(&setup.tally)));
    let mut logs = LogStore::default();
    let files = setup.sources.iter().map(|source| &source.name);
    for name in files.chain(setup.streams.iter().map(|source| &source.name)) {
        logs.declare(name);
    }
    if logs.rings().next().is_some() {
        setup.jobs.push(log_job(&setup.tally));
    }
    let jobs = remembered::remembering(setup.jobs, options, (&host, &profile_name));
    match size {
        None => listen().map(drop),
        Some(_) => on_stop(group::end_all),
    }
    .map_err(|error| Fault::new(format!("no sampler can be started: {error}.")))?;
    let engine = Engine::start(jobs, (setup.sources, setup.streams), &samples, &lines, options.gentle)?;
    let theme_name = options.theme.as_deref().unwrap_or("default");
    let (theme, theme_faults) = config::load_theme(theme_name, depth(caps.depth), &search);
    let (layers, keymap_faults) = config::load_keymap(options.keymap.as_deref().unwrap_or("default"), &search);
    let (keymap, row_faults) = Keymap::merge(&layers);
    let faults = setup.faults.into_iter().chain(theme_faults).chain(keymap_faults).chain(row_faults);
    let shared = Shared::open(options, (profile, profile_name), host, caps.multiplexer);
    let mode = if shared.launcher.is_none() { Mode::ReadOnly } else { Mode::Observe };
    let granted = shared.granted().min(options.max_level.unwrap_or(Support::L3));
    let mut session = Session::new(mode, granted, shared.login.login.clone(), faults.collect());
    shared.tell(&mut session);
    let now = RealClock.now();
    let log_desk = LogDesk::new(&setup.board.panes, setup.patterns, zone::local(now.wall));
    let model = Model {
        now,
        size: size.unwrap_or_default(),
        identity: setup.identity,
        store,
        // Only the demo has a state folder of its own.
        history: History::new(options.state_dir.is_some()),
        logs,
        book: setup.book,
        board: setup.board,
        changes: setup.changes,
        log_desk,
        overlay: Overlay::None,
        session,
        procedures: Procedures::new(setup.procedures).allowing(shared.profile.procedures.run_commands),
        run: None,
        keymap,
    };
    Ok(Look { model, theme, samples, lines, shared, webhook: setup.webhook, engine })
}

/// The profile by name, folder or file; the host's own, with the reason, when that one cannot be had.
fn load(name: &str, search: &SearchPath) -> Profile {
    config::load_or_host(&reference(name), search, &setup::known_kinds())
}

/// A path as the runner can find it from another folder.
fn absolute(name: &str) -> String {
    match reference(name) {
        ProfileRef::Path(path) => std::path::absolute(&path).unwrap_or(path).to_string_lossy().into_owned(),
        _ => name.to_owned(),
    }
}

/// A name without a slash is looked for, anything else is a path.
pub fn reference(name: &str) -> ProfileRef {
    if name.contains('/') || name.ends_with(".toml") {
        ProfileRef::Path(PathBuf::from(name))
    } else {
        ProfileRef::Named(name.to_owned())
    }
}

pub(super) const fn depth(of: crate::term::Depth) -> config::Depth {
    match of {
        crate::term::Depth::None => config::Depth::Mono,
        crate::term::Depth::Ansi16 => config::Depth::Ansi16,
        crate::term::Depth::Ansi256 => config::Depth::Ansi256,
        crate::term::Depth::True => config::Depth::True,
    }
}

impl Engine {
    /// Starts samplers and followers.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        jobs: Vec<Job>,
        (files, streams): (Vec<LogSource>, Vec<StreamSource>),
        samples: &Arc<Mailbox>,
        lines: &Arc<LogMailbox>,
        gentle: bool,
    ) -> Result<Self, Fault> {
        let runtime = runtime()?;
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let supervisor = Supervisor::start_counted(
            jobs,
            Arc::clone(samples),
            Arc::clone(&clock),
            (seed(), gentle),
            runtime.handle(),
        );
        let streams = if streams.is_empty() { None } else { Some(Streams::start(streams, lines, &clock)?) };
        let follower = if files.is_empty() { None } else { Some(Follower::start(files, Arc::clone(lines), clock)?) };
        Ok(Self { _supervisor: supervisor, _follower: follower, _streams: streams, runtime })
    }
}

/// What samplers run on.
///
/// # Errors
/// When no thread can be started.
pub fn runtime() -> Result<Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(THREADS)
        .thread_name("samplers")
        // A panic in a sampler is that sampler's: the supervisor tells it, the screen stays.
        .on_thread_start(contain_thread)
        .enable_all()
        .build()
        .map_err(|error| Fault::new(format!("no sampler can be started: {error}.")))
}

/// Lets everything go; nothing is waited for, the process ends next (F5). Programs that samplers run end with us.
pub fn leave(runtime: Runtime) {
    runtime.shutdown_background();
    group::end_all();
}

impl Engine {
    /// Lets everything go.
    pub fn leave(self) {
        leave(self.runtime);
    }
}

impl Started {
    /// Gives the terminal back, closes the journal, lets the rest go.
    pub fn leave(self) {
        self.terminal.close();
        if let Some(alerts) = self.alerts {
            alerts.close(&self.look.model.book, RealClock.now());
        }
        if let Some(journal) = self.look.shared.journal {
            journal.append(Record::new(Event::SessionEnd));
            journal.close(LAST_RECORD);
        }
        self.look.engine.leave();
    }
}

impl Shared {
    fn open(options: &Options, (profile, profile_name): (Profile, String), host: Host, multiplexer: bool) -> Self {
        let login = Login::current();
        let (state_dir, opened) = match state_dir(options) {
            Ok(state) => (Some(state.clone()), open_journal(&state, &host, &login)),
            Err(fault) => (None, Err(fault)),
        };
        let (journal, unrecorded) = match opened {
            Ok(journal) => (Some(journal), None),
            Err(fault) => (None, Some(fault)),
        };
        let mut shared = Self { profile, profile_name, unrecorded, host, login, state_dir, launcher: None, journal };
        let looks_only = options.read_only || process::told_to_look() || shared.no_acting().is_some();
        shared.launcher = launcher(looks_only, options.within.clone()).map(Arc::new);
        if let (Some(state), Some(_)) = (&shared.state_dir, &shared.launcher) {
            Reserve::of(state).keep();
        }
        shared.tell_start(multiplexer);
        shared
    }

    /// The first records: what this session may do, and what it was made from. Behind a multiplexer a fence proves only
    /// that this one had the prompt.
    fn tell_start(&self, multiplexer: bool) {
        let Some(journal) = &self.journal else { return };
        let mode = if self.launcher.is_some() { Mode::Observe } else { Mode::ReadOnly };
        let trail = self.state_dir.as_deref().map(paths::journal_dir);
        let protected = trail.is_some_and(|trail| !self.login.owns(&trail));
        let protected = if protected { "from this login" } else { UNPROTECTED };
        let start = json!({
            "profile": self.profile.name, "mode": mode.word(), "multiplexer": multiplexer, "protected": protected
        });
        journal.append(Record::new(Event::SessionStart).res(start));
        let distrust = match &self.profile.trust {
            Trust::Trusted => None,
            Trust::DisplayOnly(fault) => Some(fault.to_string()),
        };
        for source in &self.profile.sources {
            let loaded = json!({ "file": source.file.as_str(), "sha256": source.sha256, "distrusted": distrust });
            journal.append(Record::new(Event::ConfigLoad).res(loaded));
        }
    }

    /// What the operator should know before he relies on acting.
    fn tell(&self, session: &mut Session) {
        let now = RealClock.now();
        if let Some((state, kind)) = self.state_dir.as_ref().and_then(|state| Some((state, quiet::network(state)?))) {
            let what = format!("journal and runs lie on {kind}, in {}.", state.display());
            session
                .faults
                .push(Fault::new(what).hint("Locks and syncs cannot be relied upon there: choose a local disk."));
        }
        if let Some(fault) = &self.unrecorded {
            session.say(clean!("Nothing can be done from here, only looked at: {fault}"), Level::Warning, now);
        } else if let Trust::DisplayOnly(fault) = &self.profile.trust {
            session.say(clean!("Actions are shown but cannot run: {fault}"), Level::Warning, now);
        }
    }

    /// The support level that the profile grants to this login.
    pub fn granted(&self) -> Support {
        let login = self.login.login.as_str();
        Support::granted(&self.profile.people.grants, login, &groups_of(login))
    }

    /// Why no action may be planned for running, if so.
    pub fn no_acting(&self) -> Option<Fault> {
        match (&self.unrecorded, &self.profile.trust) {
            (Some(fault), _) | (None, Trust::DisplayOnly(fault)) => Some(fault.clone()),
            (None, Trust::Trusted) => None,
        }
    }
}

/// The runner finds profiles where we do; it learns nothing else of our environment.
fn launcher(looks_only: bool, within: Option<StandIn>) -> Option<Launcher> {
    let env = process::inherited(&["HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", process::READ_ONLY]);
    let reach = within.map_or(Reach::World, Reach::Within);
    Launcher::new(looks_only, reach, None, vec!["runner".into()], env)
}

/// Where this session keeps what is to outlive it.
///
/// # Errors
/// There is none, or others may write to it.
pub(super) fn state_dir(options: &Options) -> Result<PathBuf, Fault> {
    match options.state_dir.clone().or_else(paths::state_dir) {
        Some(named) => own(&named),
        None => Err(Fault::new("there is no folder for the journal.").hint("Set HOME or XDG_STATE_HOME.")),
    }
}

/// The state folder by its real name, made where it is missing, if nobody else can put anything in its place: from one of
/// others nothing is read and nothing is written there.
fn own(named: &Path) -> Result<PathBuf, Fault> {
    files::private_dir(named)?;
    let state = named.canonicalize().map_err(|error| files::fault("find", named, &error))?;
    paths::judge_state(&state).map(|()| state)
}

fn open_journal(state: &Path, host: &Host, login: &Login) -> Result<Journal, Fault> {
    let id = random::ulid(RealClock.now().wall);
    let session = journal::Session { host: host.clone(), login: login.clone(), id, pid: process::pid() };
    Journal::open(&paths::journal_dir(state), session, Arc::new(RealClock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_console_whose_state_others_may_write_to_looks_only_and_says_why() {
        let dir = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
        let state = dir.path().join("state");
        create_dir(&state).unwrap();
        let open = |mode: u32| {
            set_permissions(&state, Permissions::from_mode(mode)).unwrap();
            let options = Options { state_dir: Some(state.clone()), ..Options::default() };
            let search = SearchPath::detect(&|_| None);
            Shared::open(&options, (load("host", &search), "host".to_owned()), Host::current(), false)
        };
        let loose = open(0o777);
        let why = loose.unrecorded.as_ref().unwrap().to_string();
        assert!(why.starts_with(&format!("{}: others may write to this folder", state.display())), "{why}");
        assert!(loose.launcher.is_none() && loose.state_dir.is_none() && loose.journal.is_none());
        assert_eq!(std::fs::read_dir(&state).unwrap().count(), 0, "nothing is written there");
        let mut session = Session::new(Mode::ReadOnly, Support::L1, "oncall".into(), Vec::new());
        loose.tell(&mut session);
        let said = session.notice.unwrap().text.to_string();
        assert!(said.contains("only looked at: ") && said.contains("others may write to this folder"), "{said}");
        assert!(open(0o700).launcher.is_some() || process::told_to_look());
    }
}
