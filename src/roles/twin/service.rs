//! The service's process: reads its configuration, listens, works, writes its store and its log, until its
//! lifeline (stdin) ends. All of it is tasks on one thread.

use super::Scenario;
use super::applog::AppLog;
use super::endpoint::{self, JSON, METRICS};
use super::engine::Engine;
use super::exposition;
use super::settings::Settings;
use super::storage::Storage;
use crate::base::{Clock, Fault, Now};
use crate::sys::child::own_session;
use crate::sys::clock::RealClock;
use crate::sys::lmdb::LmdbError;
use core::cell::RefCell;
use core::time::Duration;
use serde_json::Value;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::task::spawn_local;
use tokio::time::sleep;

/// How often arrivals come in.
const ARRIVALS: Duration = Duration::from_millis(50);
/// A stream launches at most so often, that requests may gather.
const GATHER: Duration = Duration::from_millis(100);
/// How often a line is written to the log.
const LINES: Duration = Duration::from_millis(500);
/// How often a record is stored, and a part of the history brought in.
const RECORDS: Duration = Duration::from_secs(1);
const HISTORY: Duration = Duration::from_millis(100);

/// Runs the service: hidden subcommand, started by the supervisor with a lifeline for stdin and its listening
/// socket for stdout. Returns the exit code.
pub fn service(folder: &Path, scenario: Scenario, seed: u64) -> i32 {
    own_session(c"twin-service", false);
    match run(folder, scenario, seed) {
        Ok(()) => 0,
        Err(fault) => {
            // The supervisor keeps this stream in a file.
            let _best_effort = writeln!(io::stderr(), "service: {fault}");
            1
        }
    }
}

/// What the tasks share. They take turns on one thread, so no borrow lasts over an await.
struct Shared {
    engine: RefCell<Engine>,
    storage: RefCell<Storage>,
    log: RefCell<AppLog>,
    clock: RealClock,
    scenario: Scenario,
    seed: u64,
}

fn run(folder: &Path, scenario: Scenario, seed: u64) -> Result<(), Fault> {
    let said = |what: &str, error: &dyn core::fmt::Display| Fault::new(format!("{what}: {error}."));
    let clock = RealClock;
    let now = clock.now();
    let mut log = AppLog::open(&folder.join("log"), now.mono).map_err(|error| said("cannot open the log", &error))?;
    let settings = Settings::load(&folder.join("etc/production.toml")).inspect_err(|fault| {
        let _best_effort = log.line(now, "ERROR", &fault.to_string(), &[]);
    })?;
    let storage = Storage::open(&folder.join("data/lmdb"), settings.map_size_mib, scenario).map_err(|error| {
        let _best_effort = log.line(now, "ERROR", &format!("store: {error}"), &[]);
        said("cannot open the store", &error)
    })?;
    let started = format!(
        "started: batch size {}, {} streams, map {} MiB",
        settings.batch_size, settings.cuda_streams, settings.map_size_mib
    );
    let _best_effort =
        log.line(now, "INFO", &started, &[("pid", rustix::process::getpid().as_raw_nonzero().get().into())]);
    let shared = Rc::new(Shared {
        engine: RefCell::new(Engine::new(scenario, seed, settings, now)),
        storage: RefCell::new(storage),
        log: RefCell::new(log),
        clock,
        scenario,
        seed,
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| said("cannot start the runtime", &error))?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, live(Rc::clone(&shared))).map_err(|error| said("cannot take over the sockets", &error))?;
    let dropped = shared.engine.borrow().depth();
    shared.say("INFO", &format!("stopping: {dropped} waiting requests dropped"), &[("dropped", dropped.into())]);
    Ok(())
}

/// Starts every task and waits for the lifeline to end.
async fn live(shared: Rc<Shared>) -> io::Result<()> {
    let listener = std::net::TcpListener::from(io::stdout().as_fd().try_clone_to_owned()?);
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut lifeline = pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    let asked = Rc::clone(&shared);
    let answer = move |request: &_| endpoint::pages(request, |path| asked.answer(path));
    spawn_local(endpoint::serve(listener, None, Rc::new(answer)));
    spawn_local(arrive(Rc::clone(&shared)));
    for _ in 0..shared.engine.borrow().settings.cuda_streams {
        spawn_local(stream(Rc::clone(&shared)));
    }
    spawn_local(store(Rc::clone(&shared)));
    spawn_local(chronicle(Rc::clone(&shared)));
    // Nothing is ever written to it: whatever read returns but a byte, the end has come.
    while lifeline.read_u8().await.is_ok() {}
    Ok(())
}

/// Requests come.
async fn arrive(shared: Rc<Shared>) {
    loop {
        shared.engine.borrow_mut().arrive(shared.clock.now().mono);
        sleep(ARRIVALS).await;
    }
}

/// One stream: takes a batch, works, keeps the device for as long as the launch takes.
async fn stream(shared: Rc<Shared>) {
    loop {
        let launch = shared.engine.borrow_mut().launch(&shared.clock);
        match launch {
            None => sleep(GATHER).await,
            Some(launch) => {
                sleep(launch.duration).await;
                shared.engine.borrow_mut().finish(&launch, shared.clock.now().mono);
                sleep(GATHER.saturating_sub(launch.duration)).await;
            }
        }
    }
}

/// The store's writer: history first, then a record a second.
async fn store(shared: Rc<Shared>) {
    let mut refused = 0_u64;
    loop {
        let importing = !shared.storage.borrow().complete();
        let result = if importing {
            shared.storage.borrow_mut().import()
        } else {
            let latencies = shared.engine.borrow_mut().quantiles(shared.clock.now().mono, RECORDED);
            shared.storage.borrow_mut().record(&latencies.unwrap_or_default())
        };
        match result {
            Ok(()) => refused = 0,
            Err(error) => {
                // Every write fails while the map is full; one line in five says so.
                if refused.is_multiple_of(5) {
                    let code = if error == LmdbError::MapFull { -30_792 } else { 0 };
                    shared.say("ERROR", &format!("store write failed: {error}"), &[("code", code.into())]);
                }
                refused = refused.saturating_add(1);
            }
        }
        sleep(if importing && refused == 0 { HISTORY } else { RECORDS }).await;
    }
}

/// Quantiles of the window that a record keeps.
const RECORDED: [f64; 5] = [0.0, 0.5, 0.95, 0.99, 1.0];

/// Writes what a service has to say: about two lines a second, a little more in trouble.
async fn chronicle(shared: Rc<Shared>) {
    let mut turn = 0_u64;
    loop {
        sleep(LINES).await;
        let now = shared.clock.now();
        shared.engine.borrow_mut().tick(now.mono);
        shared.news(now, turn);
        turn = turn.wrapping_add(1);
    }
}

impl Shared {
    /// Writes one line; a log that cannot be written stops nothing.
    fn say(&self, level: &str, message: &str, fields: &[(&str, Value)]) {
        let _best_effort = self.log.borrow_mut().line(self.clock.now(), level, message, fields);
    }

    /// One turn of the log: a step, and every other time what else there is.
    fn news(&self, now: Now, turn: u64) {
        let mut engine = self.engine.borrow_mut();
        let (up, depth) = (engine.up(now.mono), engine.depth());
        let pressure = engine.model.pressure(up);
        let recent = engine.recent;
        if turn.is_multiple_of(2) {
            let nanos = (recent.mean * 1e9).round();
            let message = format!("step {} done in {:.1} µs", recent.step, nanos / 1e3);
            self.say("INFO", &message, &[("step", recent.step.into()), ("processing_time_ns", nanos.into())]);
        } else if pressure > 0.0 && recent.retries > 0 {
            engine.recent.retries = 0;
            let message = format!(
                "allocator: pool {:.0} % used, {} retries",
                engine.memory_ratio(now.mono) * 100.0,
                recent.retries
            );
            self.say("WARN", &message, &[("retries", recent.retries.into())]);
            if engine.model.chance() < 0.2 * pressure {
                let size = engine.model.allocation_mib();
                let message = format!("CUDA_ERROR_OUT_OF_MEMORY in cudaMallocAsync ({size:.0} MiB)");
                self.say("ERROR", &message, &[("stream", (turn % 4).into())]);
                self.say("INFO", "falling back to stream 0", &[("stream", 0.into())]);
            }
        } else if depth > 500 {
            self.say("WARN", &format!("queue depth {depth}"), &[("queue_depth", depth.into())]);
        } else if let Ok(stat) = self.storage.borrow().stat() {
            let message = format!("store: transaction {} committed", stat.last_txn);
            self.say("INFO", &message, &[("entries", stat.entries.into())]);
        }
        if depth > 500 && turn % 8 == 4 {
            self.say("WARN", &format!("queue depth {depth}"), &[("queue_depth", depth.into())]);
        }
    }

    /// Answers one path of the endpoint.
    fn answer(&self, path: &str) -> Option<(&'static str, String)> {
        let now = self.clock.now();
        let mut engine = self.engine.borrow_mut();
        Some(match path {
            "/health" => (JSON, exposition::health(&mut engine, now).to_string()),
            "/metrics" => (METRICS, exposition::metrics(&mut engine, now, self.storage.borrow().errors)),
            "/gpu/metrics" => (METRICS, exposition::gpu(&engine, now, self.seed)),
            "/volume/metrics" => (METRICS, exposition::volume(self.scenario)),
            "/neural/metrics" => (METRICS, exposition::neural(&mut engine, now)),
            "/training/status/latest" => (JSON, exposition::training(&engine, now).to_string()),
            _ => return None,
        })
    }
}
