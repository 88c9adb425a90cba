//! `process`: the processes of a service, all that they started, their threads, memory, files, limits and control group.
//! ```toml
//! [samplers.engine]
//! kind = "process"
//! unit = "x.service"        # or one of: cgroup = "/path", pid_file = "/run/x.pid", command = "^/usr/bin/x( |$)", top = 10
//! user = "trader"           # only those of this user, by name or number
//! name = "engine"           # the label `groupname`; what is looked for when it is not given
//! show_env = ["RUST_LOG"]   # values that are told of its environment; of all others the names only
//! expect_env = { JULIA_NOPRECOMP = "", JULIA_PROJECT = "Planar" }   # "" also means: not set
//! env_file = "/opt/x/.envrc"          # it should have been started with these `NAME=value` and `export NAME=value` lines
//! growth_after = "5m"       # from when on it is said how fast its memory grows; the default, at most an hour
//! peers = { exchange = ["api.exchange.com", "203.0.113.0/24"], db = ["10.0.0.7"] }     # names of other ends; {}: by address
//! ```
//! `process_env_set{name}` is 1 where a variable of `show_env` has a value, and `process_env_value{name}` that value where it is a
//! number. `process_env_unexpected{name}` and `process_env_differs{name}` are 1 where the main process has another value than
//! expected, or than the file has now; the facts `unexpected` and `differs` name them, with values of `show_env` alone.
//! `process_group_peer_connections{peer,state}` with `peers`: connections by who is at the other end, by the first name
//! that has its address; of others the ten largest by address, the rest as `other`. Hosts are asked for once a minute.
//! What only a shell can work out (`$HOME`) is not compared, and said so. The fact `command line` has no secrets.
//! The fact `main pid` is the number of the main process alone, for commands that are typed: `[fill]` of a procedure.
//!
//! All together as process-exporter does: `namedprocess_namegroup_*{groupname}` (`memtype` anonymous, file, shmem are
//! ours); `process_group_*`: busy ratio (1 is one CPU), bytes per second and hour, sockets, restarts, uptime. Each of the
//! 32 busiest: `process_*{pid,name,start}`, `process_thread_*{tid,thread}`. Its control group: `container_*{id}`. Where nobody
//! is found `…_num_procs` is 0, the sums are absent, and a fact says what was looked for.

use crate::base::scrub::is_secret_name;
use crate::base::{Body, Clean, Failure, Fault, Mono, Now, Observation};
use crate::samplers::blocking::{PROCESSES, Worker};
use crate::samplers::process::{Asked, HOUR, Options, Peers, Watch, Which};
use crate::samplers::{Kind, Observed, Sampler};
use core::time::Duration;
use jiff::fmt::friendly::SpanParser;
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// More cannot be on top.
const MOST: usize = 50;
/// Hosts are asked for again after this; while one has no address after that.
const RESOLVED: Duration = Duration::from_secs(60);
const RESOLVING: Duration = Duration::from_secs(10);
/// The kind. Its metrics, all with `groupname`; bytes, seconds and ratios as their names say:
///
/// - `namedprocess_namegroup_`: `num_procs`, `num_threads`, `states{state}`, `cpu_seconds_total{mode}`,
///   `context_switches_total{ctxswitchtype}` (of the main thread of each), `major_page_faults_total`,
///   `minor_page_faults_total`, `read_bytes_total`, `write_bytes_total`, `open_filedesc`, `worst_fd_ratio`,
///   `oldest_start_time_seconds`, `memory_bytes{memtype}` with `resident`, `virtual`, `swapped`, `anonymous`, `file`,
///   `shmem` and, at most ten seconds old (older for more than 8 GiB), `proportionalResident`, `proportionalSwapped`,
///   `proportionalAnonymous`, `proportionalFile`, `proportionalShmem`. Totals never fall when one of them ends.
/// - `process_group_`: `cpu_busy_ratio` (1 is one CPU), `cpu_host_ratio` (1 is all CPUs), `read_bytes_per_second`,
///   `write_bytes_per_second`, `restarts_total` (another main process was seen), `uptime_seconds`,
///   `sockets{protocol,state}`, `peer_connections{peer,state}`, `resident_growth_bytes_per_hour` and `anonymous_growth_bytes_per_hour` (a line through
///   the last hour; absent before `growth_after`, and anew after a restart).
/// - `process_` with `pid`, `name`, `start` (seconds after boot): `cpu_seconds_total`, `cpu_busy_ratio`,
///   `resident_memory_bytes`, `resident_memory_max_bytes` (its peak), `virtual_memory_bytes`,
///   `virtual_memory_max_bytes` (its limit), `open_fds`, `max_fds`, `fds_used_ratio`, `threads`, `oom_score`,
///   `start_time_seconds`.
/// - `process_thread_` with `pid`, `tid`, `thread`, `start`: `cpu_seconds_total`, `cpu_busy_ratio`.
/// - `process_limit{resource,bound}` of the main process; a limit that is unlimited is a word of the fact `limits`.
/// - Of its control group, with `id`: `container_memory_usage_bytes`, `container_spec_memory_limit_bytes` (the narrowest
///   above it), `container_oom_events_total`, `container_cpu_cfs_{periods,throttled_periods,throttled_seconds}_total`,
///   `container_threads`, `container_threads_max`, `process_cgroup_memory_used_ratio`,
///   `process_cgroup_memory_high_bytes`, `process_cgroup_memory_events_total{event}`.
///
/// With `top`: `num_procs`, `num_threads` and `states` of the host, and of the busiest and the largest
/// `process_{cpu_seconds_total,cpu_busy_ratio,resident_memory_bytes,threads}`.
pub struct Process;

impl Kind for Process {
    fn name(&self) -> &'static str {
        "process"
    }

    fn about(&self) -> &'static str {
        "processes of a unit, control group, pid file or command line: CPU, memory, files, threads, limits"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(ProcessSampler::new("/".into(), options(body)?)))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["namedprocess_namegroup_", "process_", "container_"].map(str::to_owned).into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    unit: Option<String>,
    cgroup: Option<String>,
    pid_file: Option<PathBuf>,
    command: Option<String>,
    top: Option<usize>,
    user: Option<String>,
    name: Option<String>,
    #[serde(default)]
    show_env: Vec<String>,
    #[serde(default)]
    expect_env: BTreeMap<String, String>,
    env_file: Option<PathBuf>,
    peers: Option<BTreeMap<String, Vec<String>>>,
    growth_after: Option<String>,
}

fn options(body: &Body) -> Result<Options, Fault> {
    let config: Config = body.read()?;
    let mut ways = Vec::new();
    if let Some(unit) = config.unit {
        if unit.contains('/') || unit.is_empty() {
            return Err(body.fault_at("unit", "`unit` is the name of a unit, such as `x.service`."));
        }
        let unit = if unit.contains('.') { unit } else { unit + ".service" };
        ways.push((unit.clone(), Which::Unit(unit)));
    }
    if let Some(path) = config.cgroup {
        if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err(body.fault_at("cgroup", "`cgroup` begins with `/`, as /proc/PID/cgroup shows it."));
        }
        ways.push((path.clone(), Which::Cgroup(path)));
    }
    if let Some(path) = config.pid_file {
        if !path.is_absolute() {
            return Err(body.fault_at("pid_file", "`pid_file` does not begin with `/`."));
        }
        ways.push((path.display().to_string(), Which::PidFile(path)));
    }
    if let Some(pattern) = config.command {
        let regex = Regex::new(&pattern).map_err(|error| {
            body.fault_at("command", format!("`command` is no regular expression: {}.", last_line(&error.to_string())))
        })?;
        ways.push((pattern, Which::Command(regex)));
    }
    if let Some(count) = config.top {
        if !(1..=MOST).contains(&count) {
            return Err(body.fault_at("top", format!("`top` is a number from 1 to {MOST}.")));
        }
        for (key, given) in [
            ("user", config.user.is_some()),
            ("show_env", !config.show_env.is_empty()),
            ("expect_env", !config.expect_env.is_empty()),
            ("env_file", config.env_file.is_some()),
            ("peers", config.peers.is_some()),
            ("growth_after", config.growth_after.is_some()),
        ] {
            if given {
                return Err(
                    body.fault_at(key, format!("`{key}` does not go with `top`, which looks at every process."))
                );
            }
        }
        ways.push(("host".to_owned(), Which::Top(count)));
    }
    check_env(body, &config.show_env, &config.expect_env, config.env_file.as_deref())?;
    let mut ways = ways.into_iter();
    let (Some((found, which)), None) = (ways.next(), ways.next()) else {
        return Err(body.fault("give one of `unit`, `cgroup`, `pid_file`, `command` and `top`."));
    };
    let label = Clean::text(config.name.unwrap_or(found));
    let env = Asked { show: config.show_env, expect: config.expect_env, file: config.env_file };
    let peers = config.peers.map(Peers::read).transpose().map_err(|what| body.fault_at("peers", what))?;
    let growth_after = config.growth_after.map(|after| span(body, &after)).transpose()?;
    Ok(Options { which, user: config.user, label, env, peers: peers.map(Arc::new), growth_after })
}

/// From when on its growth is told.
fn span(body: &Body, after: &str) -> Result<Duration, Fault> {
    let wrong = |_| body.fault_at("growth_after", "not a length of time: write it like `5m`.");
    let span = SpanParser::new().parse_unsigned_duration(after).map_err(wrong)?;
    if span > HOUR {
        return Err(
            body.fault_at("growth_after", "no more than an hour is looked at: with more it would never be told.")
        );
    }
    Ok(span)
}

/// What is asked of an environment can be asked.
fn check_env(
    body: &Body,
    show: &[String],
    expect: &BTreeMap<String, String>,
    file: Option<&Path>,
) -> Result<(), Fault> {
    if let Some(name) = show.iter().find(|name| is_secret_name(name)) {
        let what = format!("`{name}` looks like the name of a secret: its value is never shown.");
        return Err(body.fault_at("show_env", what));
    }
    if let Some(name) = expect.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
        return Err(body.fault_at("expect_env", format!("`{}` is no name of a variable.", Clean::text(name))));
    }
    if file.is_some_and(|file| !file.is_absolute()) {
        return Err(body.fault_at("env_file", "`env_file` does not begin with `/`."));
    }
    Ok(())
}

/// Where the parser of expressions says what is wrong.
fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

struct ProcessSampler {
    /// Whose files are being read.
    asking: Arc<AtomicU32>,
    /// Used by one look at a time: the worker keeps to that.
    watch: Arc<Mutex<Watch>>,
    worker: Worker<Result<Observation, Failure>>,
    peers: Option<Arc<Peers>>,
    resolved: Option<Mono>,
}

impl ProcessSampler {
    fn new(root: PathBuf, options: Options) -> Self {
        let peers = options.peers.clone();
        let watch = Watch::new(root, options);
        let (asking, watch) = (watch.asking(), Arc::new(Mutex::new(watch)));
        Self { asking, watch, worker: Worker::new(&PROCESSES), peers, resolved: None }
    }

    /// Asks for the hosts among the peers, now and then: sooner while one has no address.
    async fn resolve(&mut self, now: Mono) {
        let Some(peers) = &self.peers else { return };
        let pause = if peers.unresolved().is_empty() { RESOLVED } else { RESOLVING };
        if self.resolved.is_none_or(|at| now.since(at) >= pause) {
            self.resolved = Some(now);
            peers.resolve().await;
        }
    }
}

impl Sampler for ProcessSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            self.resolve(now.mono).await;
            let watch = Arc::clone(&self.watch);
            let look = move || watch.lock().unwrap_or_else(PoisonError::into_inner).look(now);
            let looked = self.worker.run(now.mono, look).await;
            let pid = self.asking.load(Ordering::Relaxed);
            looked.unwrap_or_else(|stuck| Err(Failure::unreachable(format!("Reading /proc/{pid}: {stuck}."))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn a_growth_that_would_never_be_told_is_refused_where_it_stands() {
        let read = |after: &str| {
            let body =
                Body::parse("p.toml", &format!("command = \"engine\"\ngrowth_after = \"{after}\"")).expect("parses");
            options(&body).map(|options| options.growth_after).map_err(|fault| fault.to_string())
        };
        assert_eq!(read("1h"), Ok(Some(Duration::from_secs(3_600))));
        let refused = read("61m").expect_err("more than is looked at");
        assert!(refused.starts_with("p.toml:2:16: no more than an hour is looked at"), "{refused}");
    }

    #[tokio::test]
    async fn a_process_whose_files_hang_is_named_and_read_again_when_it_answers() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("proc/7");
        std::fs::create_dir_all(&folder).expect("made");
        let stat = "7 (engine) S 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 0 0 0 0\n";
        std::fs::write(folder.join("stat"), stat).expect("written");
        std::fs::write(folder.join("status"), "VmRSS: 4 kB\n").expect("written");
        std::fs::create_dir_all(root.path().join("proc/1")).expect("made");
        std::fs::write(root.path().join("proc/1/stat"), stat.replace('7', "1")).expect("written");
        // Opening a pipe that nobody writes to waits, as reading does from a process that holds its memory map.
        let pipe = folder.join("cmdline");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        let body = Body::parse("p.toml", "command = \"engine\"").expect("parses");
        let mut sampler = ProcessSampler::new(root.path().to_owned(), options(&body).expect("valid"));
        let at = |seconds: u64| Now { mono: Mono(seconds * 1_000_000_000), ..Now::default() };
        let patience = Duration::from_millis(50);
        assert!(tokio::time::timeout(patience, sampler.observe(at(10))).await.is_err(), "it hangs");
        let hangs = sampler.observe(at(19)).await.expect_err("it hangs still").what;
        assert_eq!(hangs.as_str(), "Reading /proc/7: the last call has hung for 9.00 s.");
        std::fs::write(&pipe, "other").expect("written");
        while sampler.worker.hangs() {
            tokio::task::yield_now().await;
        }
        std::fs::remove_file(&pipe).expect("removed");
        std::fs::write(&pipe, "engine").expect("written");
        let back = sampler.observe(at(20)).await.expect("it answers");
        let count = back.points.iter().find(|point| point.key.name.as_str() == "namedprocess_namegroup_num_procs");
        assert_eq!(count.map(|point| point.value), Some(1.0));
    }
}
