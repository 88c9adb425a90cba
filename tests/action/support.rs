//! What the tests share: clocks, a session, plans, a manager on a socket, a system that a configuration file drives.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use watchkeeper::action::act::Probe;
use watchkeeper::action::lifecycle::Earlier;
use watchkeeper::action::plan::{Danger, Plan, Readings, Undo, What, Where};
use watchkeeper::action::prepare::{Context, Depth, prepare};
use watchkeeper::action::prompt::{Acceptance, Confirm};
use watchkeeper::action::verify::Seen;
use watchkeeper::base::{Body, Clean, Clock, Fault, Mono, Now, Support, Ulid, Wall};
use watchkeeper::journal::Session;
use watchkeeper::sys::host::{Host, Login};
use watchkeeper::sys::random;

pub(crate) const WALL: Wall = Wall(1_795_230_767_000_000_000);
pub(crate) const GPU: &str = "DCGM_FI_DEV_FB_USED{gpu=\"0\"}";
pub(crate) const LATENCY: &str = "latency_seconds{quantile=\"0.95\"}";
pub(crate) const TRAFFIC: &str = "steps_total";

/// A moment that does not pass.
pub(crate) struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Now {
        Now { mono: at(1_000), wall: WALL }
    }
}

/// A clock that the scripted probe moves.
#[derive(Default)]
pub(crate) struct Stepped(AtomicU64);

impl Stepped {
    pub(crate) fn step(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Stepped {
    fn now(&self) -> Now {
        Now { mono: Mono(1_000_000_000 + self.0.load(Ordering::SeqCst)), wall: WALL }
    }
}

pub(crate) fn at(milliseconds: u64) -> Mono {
    Mono::default() + Duration::from_millis(milliseconds)
}

pub(crate) fn login() -> Login {
    Login {
        login_uid: Some(1000),
        login: "oncall".into(),
        uid: rustix::process::geteuid().as_raw(),
        user: "root".into(),
        sudo_uid: None,
        tty: Some("pts/3".into()),
        ssh: None,
    }
}

pub(crate) fn host() -> Host {
    Host { name: "gpu-07".into(), ..Host::current() }
}

pub(crate) fn session() -> Session {
    Session { host: host(), login: login(), id: Ulid(7), pid: std::process::id() }
}

/// A plan that touches nothing, at the given danger.
pub(crate) fn plan(danger: Danger) -> Plan {
    Plan {
        id: Ulid::new(WALL, 42),
        made: Fixed.now(),
        what: What {
            action: "reduce-batch-size".into(),
            kind: "config_set@1".into(),
            title: "Reduce batch size".into(),
            verb: "reduce".into(),
            target: "gpu-07/production.toml".into(),
            lines: vec!["/etc/x/production.toml".into(), "performance.batch_size   1024 → 512".into()],
            work: serde_json::Value::Null,
        },
        danger,
        raised: Vec::new(),
        support: Support::L1,
        place: Where { host: host(), environment: "PROD".into() },
        who: login(),
        hits: vec!["1 file, 1 unit".into()],
        undo: Undo::How("put the backup back".into()),
        based_on: Vec::new(),
        relied: None,
        targets: Vec::new(),
        settle: Duration::ZERO,
        judging: None,
    }
}

/// How the stand-in manager answers `restart`.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Temper {
    #[default]
    Restarts,
    SaysNo,
    HangsUp,
    /// Answers once the file `go` lies beside its socket.
    WaitsForGo,
}

/// A manager of one unit on a socket, as the action expects one.
pub(crate) struct Manager {
    pub(crate) socket: PathBuf,
    pub(crate) restarts: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Manager {
    pub(crate) fn start(dir: &Path, temper: Temper) -> Self {
        let socket = dir.join("supervisor.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (restarts, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, over, go) = (Arc::clone(&restarts), Arc::clone(&stop), dir.join("go"));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                serve(stream, &count, temper, &go);
            }
        });
        Self { socket, restarts, stop }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(UnixStream::connect(&self.socket));
    }
}

fn serve(stream: UnixStream, restarts: &AtomicU64, temper: Temper, go: &Path) {
    let mut line = String::new();
    let mut reader = BufReader::new(stream);
    drop(reader.read_line(&mut line));
    let answer = match line.trim_end() {
        "status inference" => {
            let n = restarts.load(Ordering::SeqCst);
            format!("running {} {} restarts {n}\n", 4_000 + n, 90_000 + n)
        }
        "restart inference" => match temper {
            Temper::HangsUp => return,
            Temper::SaysNo => "error it will not start\n".to_owned(),
            Temper::Restarts | Temper::WaitsForGo => {
                for _ in 0..3_000 {
                    if temper == Temper::Restarts || go.exists() {
                        break;
                    }
                    std::thread::park_timeout(Duration::from_millis(10));
                }
                format!("ok {}\n", 4_001 + restarts.fetch_add(1, Ordering::SeqCst))
            }
        },
        _ => "error unknown request\n".to_owned(),
    };
    drop(reader.into_inner().write_all(answer.as_bytes()));
}

/// What the console's store would say.
pub(crate) struct Store {
    pub(crate) age: Duration,
    pub(crate) points: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self { age: Duration::from_millis(1_100), points: 30 }
    }
}

impl Readings for Store {
    fn reading(&self, query: &str) -> Result<(f64, Duration), Fault> {
        if query == GPU { Ok((23_654.0, self.age)) } else { Err(Fault::new(format!("no series matches `{query}`."))) }
    }

    fn recent(&self, query: &str, _window: Duration) -> Vec<(Mono, f64)> {
        let second = |n: usize| at(1_000 * u64::try_from(n).unwrap());
        let value = |n: usize| match query {
            GPU => 23_654.0,
            LATENCY => 14.2e-6,
            _ => 100.0 * n as f64,
        };
        (0..self.points).map(|n| (second(n), value(n))).collect()
    }

    fn labels(&self, _: &str, _: &str) -> Vec<Clean> {
        Vec::new()
    }
}

/// A folder with a configuration, a manager and a state folder.
pub(crate) struct Scene {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) manager: Manager,
}

pub(crate) const CONFIG: &str = "[performance]\nbatch_size = 1024  # tuned\ncuda_streams = 4\n";

impl Scene {
    pub(crate) fn new(temper: Temper) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("production.toml"), CONFIG).unwrap();
        let manager = Manager::start(dir.path(), temper);
        Self { dir, manager }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("production.toml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn profile(&self) -> String {
        format!(
            r#"
verb = "reduce"
file = "{config}"
set = [ {{ key = "performance.batch_size", from = 1024, to = 512 }} ]
restart = {{ kind = "unix_socket", path = "{socket}", unit = "inference" }}
support = "L1"
danger = "C2"
hits = ["1 file, 1 unit, about 2 s without service"]
based_on = [ {{ label = "GPU memory", query = '{GPU}', unit = "mebibytes", max_age = "10s" }} ]
verify = [
  {{ label = "latency p95", query = '{LATENCY}', unit = "seconds", expect = "falls" }},
  {{ label = "GPU memory", query = '{GPU}', unit = "mebibytes", expect = "falls" }},
]
verify_samplers = ["metrics", "gpu"]
traffic = "{TRAFFIC}"
verify_within = "60s"
"#,
            config = self.config().display(),
            socket = self.manager.socket.display(),
        )
    }

    pub(crate) fn prepare(&self, profile: &str, store: &Store, earlier: &[Earlier]) -> Result<Plan, Fault> {
        self.prepare_of("config_set", profile, store, earlier)
    }

    /// The same of another kind.
    pub(crate) fn prepare_of(
        &self,
        kind: &str,
        profile: &str,
        store: &Store,
        earlier: &[Earlier],
    ) -> Result<Plan, Fault> {
        let (host, login, environment) = (host(), login(), Clean::from("PROD"));
        let context = Context {
            host: &host,
            login: &login,
            environment: &environment,
            profile: "demo",
            readings: store,
            earlier,
            state: &self.state(),
            id: random::ulid(WALL),
            clock: &Fixed,
            given: &[],
            depth: Depth::Preview,
        };
        let body = Body::parse("profile.toml", profile)?;
        prepare("reduce-batch-size", kind, &"Reduce batch size".into(), &body, &context)
    }

    pub(crate) fn plan(&self) -> Plan {
        self.prepare(&self.profile(), &Store::default(), &[]).unwrap()
    }

    pub(crate) fn content(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }
}

pub(crate) fn accepted(plan: Plan) -> Acceptance {
    let confirm = Confirm { danger: plan.danger, fence: true, shown_ms: 2_310, reason: None };
    Acceptance { plan, confirm }
}

/// A system whose latency and memory follow its batch size, as read from the file: 100 steps a second.
pub(crate) struct Twin {
    pub(crate) config: PathBuf,
    pub(crate) steps: f64,
    pub(crate) rate: f64,
    pub(crate) memory: f64,
    pub(crate) helps: bool,
    /// So many observations long.
    pub(crate) lasts: usize,
}

impl Twin {
    pub(crate) fn new(config: PathBuf) -> Self {
        Self { config, steps: 0.0, rate: 100.0, memory: 23_654.0, helps: true, lasts: usize::MAX }
    }

    pub(crate) fn points(&mut self, at: Mono) -> Vec<Seen> {
        let smaller = self.helps && fs::read_to_string(&self.config).unwrap_or_default().contains("batch_size = 512");
        if smaller {
            self.lasts -= 1;
            self.helps = self.lasts > 0;
        }
        self.steps += self.rate;
        let values = [
            (GPU, if smaller { 13_000.0 } else { self.memory }),
            (LATENCY, if smaller { 9.1e-6 } else { 14.2e-6 }),
            (TRAFFIC, self.steps),
        ];
        values.into_iter().map(|(query, value)| Seen { query: query.into(), at, value }).collect()
    }
}

/// Something that happens at the first observation.
pub(crate) type Deed = Box<dyn FnOnce() + Send>;

/// One observation a second of stepped time; runs a deed before the first.
pub(crate) struct Script {
    pub(crate) clock: Arc<Stepped>,
    pub(crate) twin: Twin,
    pub(crate) deeds: Arc<Mutex<VecDeque<Deed>>>,
}

impl Probe for Script {
    fn points(&mut self, limit: Duration) -> Vec<Seen> {
        if let Some(deed) = self.deeds.lock().unwrap().pop_front() {
            deed();
        }
        self.clock.step(limit.min(Duration::from_secs(1)));
        self.twin.points(self.clock.now().mono)
    }
}
