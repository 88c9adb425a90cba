//! A state folder, a clock that can be moved, and everything between a profile's table and an outcome.

use crate::peer::Running;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use watchkeeper::action::act::{Probe, carry_out};
use watchkeeper::action::back;
use watchkeeper::action::execute::Real;
use watchkeeper::action::fresh_start;
use watchkeeper::action::kinds::{Settled, of};
use watchkeeper::action::lifecycle::{Earlier, End, Progress, Run};
use watchkeeper::action::plan::{Plan, Readings};
use watchkeeper::action::prepare::{Context, Depth, prepare};
use watchkeeper::action::prompt::{Acceptance, Confirm};
use watchkeeper::action::verify::Seen;
use watchkeeper::base::{Body, Clean, Clock, Fault, Mono, Now};
use watchkeeper::config::profile::ActionSpec;
use watchkeeper::journal::{Journal, Session};
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::host::{Host, Login};
use watchkeeper::sys::random;

/// A real peer needs a little of real time for each second that is played.
const BEAT: Duration = Duration::from_millis(50);

/// The real clock, and what was played beyond it.
#[derive(Default)]
struct Ahead(AtomicU64);

impl Clock for Ahead {
    fn now(&self) -> Now {
        let (now, ahead) = (RealClock.now(), Duration::from_nanos(self.0.load(Ordering::SeqCst)));
        Now { mono: now.mono + ahead, wall: now.wall }
    }
}

/// Sees no metric; lets the time that it is given pass in a beat.
struct Blind(Arc<Ahead>);

impl Probe for Blind {
    fn points(&mut self, limit: Duration) -> Vec<Seen> {
        let (_open, shut) = std::sync::mpsc::sync_channel::<()>(0);
        let _over = shut.recv_timeout(BEAT);
        self.0.0.fetch_add(u64::try_from(limit.as_nanos()).unwrap(), Ordering::SeqCst);
        Vec::new()
    }
}

struct NoReadings;

impl Readings for NoReadings {
    fn reading(&self, query: &str) -> Result<(f64, Duration), Fault> {
        Err(Fault::new(format!("{query} is not known.")))
    }

    fn recent(&self, _: &str, _: Duration) -> Vec<(Mono, f64)> {
        Vec::new()
    }

    fn labels(&self, _: &str, _: &str) -> Vec<Clean> {
        Vec::new()
    }
}

pub(crate) struct Scene {
    pub(crate) dir: tempfile::TempDir,
    clock: Arc<Ahead>,
    /// Whether a plan may run what shows it.
    pub(crate) preview: bool,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::default(), preview: true }
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Lets time pass while something else is at work.
    pub(crate) fn ahead(&self) -> impl Fn(Duration) + Send + 'static {
        let clock = Arc::clone(&self.clock);
        move |by| {
            clock.0.fetch_add(u64::try_from(by.as_nanos()).unwrap(), Ordering::SeqCst);
        }
    }

    /// Plans an action of this kind; `table` is its own part, and may say verb and danger otherwise.
    pub(crate) fn plan(&self, kind: &str, table: &str) -> Result<Plan, Fault> {
        let given = |key: &str| table.lines().any(|line| line.trim_start().starts_with(key));
        let mut text = String::new();
        for (key, line) in [("verb", "verb = \"perform\"\n"), ("danger", "danger = \"C1\"\n")] {
            text.push_str(if given(key) { "" } else { line });
        }
        let body = Body::parse("profile.toml", &format!("{text}{table}"))?;
        self.prepare("the-action", kind, &Clean::from("The action"), &body, &[])
    }

    /// Plans an action of this kind after these runs.
    pub(crate) fn plan_after(&self, kind: &str, table: &str, earlier: &[Earlier]) -> Result<Plan, Fault> {
        let body = Body::parse("profile.toml", &format!("verb = \"perform\"\ndanger = \"C1\"\n{table}"))?;
        self.prepare("the-action", kind, &Clean::from("The action"), &body, earlier)
    }

    /// Plans an action as a profile declares it.
    pub(crate) fn plan_of(&self, spec: &ActionSpec) -> Result<Plan, Fault> {
        self.prepare(&spec.name, &spec.kind, &spec.title, &spec.body, &[])
    }

    /// Plans the way back from a run of this plan, as the console does.
    pub(crate) fn way_back(&self, plan: &Plan) -> Result<Plan, Fault> {
        let (kind, title, body) = back::spec(plan)?;
        self.prepare(&back::name(plan.id), kind, &title, &body, &[])
    }

    /// Plans the reset and the start of what this run has left failed, as the console does.
    pub(crate) fn fresh_start(&self, plan: &Plan, told: &Progress) -> Result<Plan, Fault> {
        let (kind, title, body) = fresh_start::spec(plan, told.failed.as_ref().expect("a failed unit"))?;
        self.prepare(&fresh_start::name(plan.id), kind, &title, &body, &[])
    }

    fn prepare(&self, name: &str, kind: &str, title: &Clean, body: &Body, earlier: &[Earlier]) -> Result<Plan, Fault> {
        let (host, login) = (Host::current(), Login::current());
        let context = Context {
            host: &host,
            login: &login,
            environment: &Clean::from("TEST"),
            profile: "test",
            readings: &NoReadings,
            earlier,
            given: &[],
            state: &self.state(),
            id: random::ulid(RealClock.now().wall),
            clock: &*self.clock,
            depth: if self.preview { Depth::Preview } else { Depth::Look },
        };
        prepare(name, kind, title, body, &context)
    }

    /// Carries it out as the runner does; how it ended, and all that it told.
    pub(crate) fn act(&self, plan: Plan) -> (End, Progress) {
        self.with_runner(plan, |real| carry_out(real))
    }

    /// The runner of an accepted plan, and what it told until then.
    pub(crate) fn with_runner<T>(&self, plan: Plan, work: impl FnOnce(&mut Real<'_>) -> T) -> (T, Progress) {
        let confirm = Confirm { danger: plan.danger, fence: true, shown_ms: 2_310, reason: None };
        let accepted = Acceptance { plan, confirm };
        let run = Run::of(&self.state(), accepted.plan.id);
        run.write_order(&accepted).unwrap();
        std::fs::write(run.dir().join("out.log"), "").unwrap();
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let session = Session {
            host: Host::current(),
            login: Login::current(),
            id: random::ulid(RealClock.now().wall),
            pid: std::process::id(),
        };
        let journal = Journal::open(&self.state().join("journal"), session, Arc::clone(&clock)).unwrap();
        let locks = vec![self.locks()];
        let probe = Box::new(Blind(Arc::clone(&self.clock)));
        let mut real = Real::new(&accepted, &run, locks, &journal, clock.as_ref(), probe).unwrap();
        let done = work(&mut real);
        journal.close(Duration::from_secs(5));
        (done, run.read().unwrap().expect("a status"))
    }

    /// Plans and acts.
    pub(crate) fn carry(&self, kind: &str, table: &str) -> (End, Progress) {
        self.act(self.plan(kind, table).unwrap_or_else(|fault| panic!("{fault}")))
    }

    /// What the programs of the action said.
    pub(crate) fn output(&self, plan: &Plan) -> String {
        std::fs::read_to_string(Run::of(&self.state(), plan.id).dir().join("out.log")).unwrap()
    }

    pub(crate) fn locks(&self) -> PathBuf {
        let dir = self.path("locks");
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }
}

/// What a look says of a run that did not report its end.
pub(crate) fn settled(plan: &Plan) -> Settled {
    of(plan).and_then(|kind| kind.settled(plan)).unwrap_or_else(|fault| panic!("{fault}"))
}

/// Every step in words, for messages.
pub(crate) fn told(progress: &Progress) -> Vec<String> {
    progress.steps.iter().map(|step| step.what.to_string()).collect()
}

/// `sleep`, to be signalled, its number in a file. It is waited for at once, as by a parent that cares: a zombie would
/// keep its number. Killed on drop, however the test ends.
pub(crate) struct Sleeper {
    pub(crate) pid: u32,
    fd: OwnedFd,
    waits: Option<JoinHandle<ExitStatus>>,
}

impl Sleeper {
    pub(crate) fn start(pid_file: &Path) -> Self {
        let mut running = Running::start(Command::new("/bin/sleep").arg("1000"), Stdio::null(), Stdio::null());
        let fd = pidfd_open(Pid::from_child(&running.0), PidfdFlags::empty()).unwrap();
        let pid = running.0.id();
        std::fs::write(pid_file, format!("{pid}\n")).unwrap();
        // It has its name a moment after it was started.
        while std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() != "sleep\n" {
            std::thread::yield_now();
        }
        let waits = std::thread::spawn(move || running.0.wait().unwrap());
        Self { pid, fd, waits: Some(waits) }
    }

    /// How it ended, once it has.
    pub(crate) fn ended(mut self) -> ExitStatus {
        self.waits.take().expect("once").join().unwrap()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _gone_already = pidfd_send_signal(&self.fd, Signal::KILL);
        let _status = self.waits.take().map(JoinHandle::join);
    }
}

pub(crate) fn copied_script(to: &Path, name: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    for file in [name, "lib.sh"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(file);
        std::fs::copy(from, to.join(file)).unwrap();
        std::fs::set_permissions(to.join(file), PermissionsExt::from_mode(0o755)).unwrap();
    }
    to.join(name)
}
