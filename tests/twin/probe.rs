//! What the twin's tests ask with: a started demo, its socket, its endpoint, and what is left of it.

use rustix::process::{Pid, Signal};
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use watchkeeper::roles::demo::Demo;
use watchkeeper::roles::twin::Scenario;

/// Asks again and again until there is an answer; fails only when the guard has passed.
pub(crate) fn eventually<T>(guard: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < guard, "{what} did not come within {guard:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A demo run by the binary under test.
pub(crate) struct Twin {
    pub(crate) demo: Demo,
}

impl Twin {
    pub(crate) fn start(scenario: Scenario, seed: u64) -> Self {
        Self { demo: Demo::start_as(Path::new(env!("CARGO_BIN_EXE_watchkeeper")), scenario, seed).unwrap() }
    }

    /// One GET; `None` when refused or not 200.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.demo.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
    }

    /// One line to the supervisor and its reply; waits for the socket to be there.
    pub(crate) fn ask(&self, line: &str) -> Option<String> {
        let socket = self.demo.dir.join("supervisor.sock");
        eventually(Duration::from_secs(60), "the supervisor's socket", || fs::metadata(&socket).ok());
        ask(&socket, line)
    }

    /// Process number and start time of the service.
    pub(crate) fn running(&self) -> Option<(u32, u64)> {
        let reply = self.ask("status inference")?;
        let mut words = reply.strip_prefix("running ")?.split(' ');
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    }

    /// Lets the demo go and remembers what must vanish.
    pub(crate) fn leave(self) -> Left {
        let mut left = Left { dir: self.demo.dir.clone(), pids: vec![self.demo.supervisor_pid()] };
        left.pids.extend(ask(&left.dir.join("supervisor.sock"), "status inference").and_then(|reply| pid_of(&reply)));
        drop(self);
        left
    }
}

/// A demo that was let go.
pub(crate) struct Left {
    dir: PathBuf,
    pids: Vec<u32>,
}

impl Left {
    pub(crate) fn ask(&self, line: &str) -> Option<String> {
        ask(&self.dir.join("supervisor.sock"), line)
    }

    /// Adds the service that runs now.
    pub(crate) fn with_service(mut self) -> Self {
        self.pids.extend(self.ask("status inference").and_then(|reply| pid_of(&reply)));
        self
    }

    pub(crate) fn nothing_is_left(&self, guard: Duration) {
        assert!(!self.pids.is_empty());
        eventually(guard, "the folder's end", || (!self.dir.exists()).then_some(()));
        eventually(guard, "the processes' end", || self.pids.iter().all(|pid| !alive(*pid)).then_some(()));
    }
}

fn pid_of(reply: &str) -> Option<u32> {
    reply.strip_prefix("running ")?.split(' ').next()?.parse().ok()
}

fn ask(socket: &Path, line: &str) -> Option<String> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    // A supervisor that has read enough may close before the rest of a long line is sent.
    let _maybe_cut = writeln!(stream, "{line}");
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply).ok()?;
    Some(reply.trim_end().to_owned()).filter(|reply| !reply.is_empty())
}

/// The value of the first sample whose name and labels begin so.
pub(crate) fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find(|line| line.starts_with(series))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

/// Whether the process is there and no zombie.
pub(crate) fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Reads what the holder says of its demo.
pub(crate) fn holder_dir(stdout: impl Read) -> Left {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if let Some((pid, dir)) = line.strip_prefix("holding ").and_then(|rest| rest.split_once(' ')) {
            return Left { dir: PathBuf::from(dir), pids: vec![pid.parse().unwrap()] };
        }
    }
    panic!("the holder did not start");
}
