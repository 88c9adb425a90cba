//! The supervisor's process: starts the service, answers over a Unix socket, starts the service again after a
//! crash, plays the rollout of the scenario that has one, and when its lifeline (stdin) ends it waits for a running action, ends the service and removes the folder.

use super::port::{bind_loopback, reserve};
use super::{Play, Rollout};
use crate::base::{Clock, Mono};
use crate::sys::child::{Child, OURSELVES, own_session, start_time, wait_readable};
use crate::sys::clock::RealClock;
use crate::sys::files::try_replace;
use core::time::Duration;
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// How long the service may take to end before it is killed.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between end and start of a commanded restart: the card needs a moment to give its memory back.
const SETTLE: Duration = Duration::from_secs(1);
/// First and longest pause after a crash; it doubles in between and falls back after a run of [`STEADY`].
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
const STEADY: Duration = Duration::from_secs(30);
/// How long a running action is waited for once the console is gone.
const LAST_ACTION: Duration = Duration::from_mins(2);
/// A run folder without an end counts as running for so long, also before its runner has written anything.
const YOUNG: Duration = Duration::from_secs(3);
/// How long a client of the socket may take over its line.
const CLIENT: Duration = Duration::from_millis(500);

/// Runs the supervisor: hidden subcommand, started by the demo with a lifeline for stdin and the service's first
/// listening socket (on the first of `ports`) for stdout. Returns the exit code.
pub fn supervisor(folder: &Path, ports: &[u16], play: Play, seed: u64) -> i32 {
    own_session(c"twin-supervisor", true);
    let clock = RealClock;
    let done = Supervisor::new(folder, ports, play, seed, &clock).and_then(|mut supervisor| supervisor.run());
    if let Err(error) = &done {
        // Kept in the folder's twin.err, for as long as the folder lives.
        let _best_effort = writeln!(io::stderr(), "supervisor: {error}");
        // Without a supervisor there is no demo: the folder must not outlive it.
        let _best_effort = wait_readable(&[io::stdin().as_fd()], None);
    }
    remove(folder);
    i32::from(done.is_err())
}

struct Supervisor<'a> {
    folder: &'a Path,
    ports: &'a [u16],
    play: Play,
    seed: u64,
    clock: &'a dyn Clock,
    socket: UnixListener,
    /// Keeps the ports while no service listens on them.
    _reserved: Vec<OwnedFd>,
    service: Option<Child>,
    started: Mono,
    next_start: Option<Mono>,
    /// When a rollout changes a file.
    rollout: Option<(Mono, Rollout)>,
    pause: Duration,
    starts: u32,
}

impl<'a> Supervisor<'a> {
    fn new(folder: &'a Path, ports: &'a [u16], play: Play, seed: u64, clock: &'a dyn Clock) -> io::Result<Self> {
        let first = TcpListener::from(io::stdout().as_fd().try_clone_to_owned()?);
        // From here on only the service holds the listening socket, so that its death closes it.
        rustix::stdio::dup2_stdout(OpenOptions::new().write(true).open("/dev/null")?)?;
        let mut supervisor = Self {
            folder,
            ports,
            play,
            seed,
            clock,
            _reserved: ports.iter().map(|port| reserve(*port)).collect::<io::Result<_>>()?,
            socket: UnixListener::bind(folder.join("supervisor.sock"))?,
            service: None,
            started: clock.now().mono,
            next_start: None,
            rollout: play.rollout(seed).map(|(after, what)| (clock.now().mono + after, what)),
            pause: BACKOFF.0,
            starts: 0,
        };
        supervisor.start(first)?;
        Ok(supervisor)
    }

    fn start(&mut self, listener: TcpListener) -> io::Result<u32> {
        let mut args: Vec<OsString> = ["twin", "service"].map(OsString::from).to_vec();
        args.push(self.folder.into());
        args.extend(self.play.arguments());
        for (name, value) in [("--seed", self.seed), ("--turn", self.starts.into())] {
            args.extend([name.into(), value.to_string().into()]);
        }
        args.extend(self.ports.iter().flat_map(|port| ["--port".into(), port.to_string().into()]));
        let child = Child::start(Path::new(OURSELVES), &args, Some(listener.into()), errors(self.folder)?)?;
        let pid = child.pid();
        self.note(pid)?;
        self.service = Some(child);
        self.started = self.clock.now().mono;
        self.next_start = None;
        self.starts = self.starts.saturating_add(1);
        Ok(pid)
    }

    /// Writes the number of the process where a system has a place for it.
    fn note(&self, pid: u32) -> io::Result<()> {
        let folder = self.folder.join("run");
        let file = folder.join(format!("{}.pid", self.play.unit()));
        if folder.is_dir() { try_replace(&file, format!("{pid}\n").as_bytes()) } else { Ok(()) }
    }

    /// The first port, open again.
    fn listener(&self) -> io::Result<TcpListener> {
        bind_loopback(self.ports.first().copied().unwrap_or_default())
    }

    /// Serves until the lifeline has ended and no action runs any more.
    fn run(&mut self) -> io::Result<()> {
        let mut leaving: Option<Mono> = None;
        loop {
            let now = self.clock.now().mono;
            if let Some(since) = leaving {
                let wall = self.clock.now().wall.0;
                if now.since(since) >= LAST_ACTION || !action_runs(&self.folder.join("state/actions"), wall) {
                    break;
                }
            }
            if self.next_start.is_some_and(|at| at <= now) && self.listener().and_then(|on| self.start(on)).is_err() {
                self.next_start = Some(now + BACKOFF.1);
            }
            if let Some((_, what)) = self.rollout.take_if(|(at, _)| *at <= now && leaving.is_none()) {
                self.roll_out(what)?;
            }
            let [asked, gone, ended] = self.wait(now, leaving.is_some())?;
            if gone {
                leaving = Some(now);
            }
            if ended {
                self.crashed();
            }
            if asked && let Ok((client, _)) = self.socket.accept() {
                // A client that misbehaves gets no answer; the next one does.
                let _best_effort = self.answer(&client);
            }
        }
        if let Some(service) = self.service.take() {
            service.stop(PATIENCE);
        }
        Ok(())
    }

    /// Waits for a client, the end of the lifeline (unless `leaving`), the end of the service, or the next thing due.
    fn wait(&self, now: Mono, leaving: bool) -> io::Result<[bool; 3]> {
        let stdin = io::stdin();
        let mut fds = vec![self.socket.as_fd()];
        if !leaving {
            fds.push(stdin.as_fd());
        }
        fds.extend(self.service.as_ref().map(AsFd::as_fd));
        let due = self.next_start.into_iter().chain(self.rollout.map(|(at, _)| at)).min().map(|at| at.since(now));
        let limit = if leaving { Some(Duration::from_millis(100)) } else { due };
        let mut ready = wait_readable(&fds, limit)?.into_iter();
        let asked = ready.next() == Some(true);
        let gone = !leaving && ready.next() == Some(true);
        Ok([asked, gone, ready.next() == Some(true)])
    }

    /// What a tool that brings configuration does: the file is replaced as a whole, then the service restarted. A
    /// file in which somebody has changed the line is left alone.
    fn roll_out(&mut self, (file, from, to): Rollout) -> io::Result<()> {
        let file = self.folder.join(file);
        let text = std::fs::read_to_string(&file)?;
        let changed = text.replacen(from, to, 1);
        if changed == text {
            return Ok(());
        }
        let new = file.with_extension("new");
        let mut written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        written.write_all(changed.as_bytes())?;
        std::fs::rename(&new, &file)?;
        // As in a real rollout, a start that fails is the supervisor's to try again.
        let _tried_again = self.restart();
        Ok(())
    }

    /// The service ended without being asked: it comes back, later and later.
    fn crashed(&mut self) {
        if self.service.as_mut().is_some_and(Child::ended) {
            self.service = None;
            let now = self.clock.now().mono;
            self.pause = if now.since(self.started) >= STEADY { BACKOFF.0 } else { self.pause };
            self.next_start = Some(now + self.pause);
            self.pause = self.pause.saturating_mul(2).min(BACKOFF.1);
        }
    }

    fn answer(&mut self, client: &UnixStream) -> io::Result<()> {
        client.set_read_timeout(Some(CLIENT))?;
        client.set_write_timeout(Some(CLIENT))?;
        let mut line = String::new();
        BufReader::new(client.take(256)).read_line(&mut line)?;
        let reply = match line.trim_end().split_once(' ') {
            Some((_, unit)) if unit != self.play.unit() => {
                format!("error no unit {unit:?}, there is {}", self.play.unit())
            }
            Some(("restart", _)) => {
                self.restart().map_or_else(|error| format!("error {error}"), |pid| format!("ok {pid}"))
            }
            Some(("start", _)) if self.service.is_some() => format!("error {} runs already", self.play.unit()),
            Some(("start", _)) => {
                let started = self.listener().and_then(|listener| self.start(listener));
                started.map_or_else(|error| format!("error {error}"), |pid| format!("ok {pid}"))
            }
            Some(("stop", _)) => {
                if let Some(service) = self.service.take() {
                    service.stop(PATIENCE);
                }
                // Nor does it come back by itself.
                self.next_start = None;
                "ok".to_owned()
            }
            Some(("status", _)) => match &self.service {
                None => "stopped".to_owned(),
                Some(service) => format!(
                    "running {} {} restarts {}",
                    service.pid(),
                    service.start_time(),
                    self.starts.saturating_sub(1)
                ),
            },
            _ => "error say: restart UNIT, start UNIT, stop UNIT, or: status UNIT".to_owned(),
        };
        writeln!(&*client, "{reply}")
    }

    fn restart(&mut self) -> io::Result<u32> {
        if let Some(service) = self.service.take() {
            service.stop(PATIENCE);
        }
        wait_readable(&[], Some(SETTLE))?;
        self.pause = BACKOFF.0;
        let pid = self.listener().and_then(|listener| self.start(listener));
        if pid.is_err() {
            self.next_start = Some(self.clock.now().mono + BACKOFF.0);
        }
        pid
    }
}

/// Where the twin's processes write what they have to say on stderr.
///
/// # Errors
/// What the system said.
pub(crate) fn errors(folder: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(folder.join("twin.err"))
}

/// Whether some run under `actions` is under way: a file of its folder is locked; or its status names no end yet
/// and its runner lives; or it has come so lately that its runner may not have written anything.
fn action_runs(actions: &Path, wall: i64) -> bool {
    let Ok(runs) = actions.read_dir() else { return false };
    runs.flatten().any(|run| {
        let folder = run.path();
        let status = std::fs::read(folder.join("status.json")).unwrap_or_default();
        let status: Value = serde_json::from_slice(&status).unwrap_or_default();
        let runner = status.get("pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok());
        let ended = status.get("end").is_some_and(|end| !end.is_null());
        let works = runner.and_then(start_time).is_some();
        folder.read_dir().into_iter().flatten().flatten().any(|file| locked(&file.path()))
            || !ended && (works || young(&folder, wall))
    })
}

fn locked(file: &Path) -> bool {
    let Ok(file) = OpenOptions::new().read(true).open(file) else { return false };
    flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
}

fn young(run: &Path, wall: i64) -> bool {
    let modified = run.metadata().and_then(|meta| meta.modified()).ok();
    let age = modified
        .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|at| i64::try_from(at.as_nanos()).ok());
    age.is_some_and(|at| i128::from(wall.saturating_sub(at)) < i128::try_from(YOUNG.as_nanos()).unwrap_or(0))
}

/// Removes the folder; a few tries, since something may still be writing into it.
fn remove(folder: &Path) {
    for _ in 0..20 {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let _best_effort = wait_readable(&[], Some(Duration::from_millis(50)));
            }
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn an_action_runs_while_it_is_locked_or_its_runner_lives_or_it_is_young() {
        let state = tempfile::tempdir().unwrap();
        let actions = state.path().join("actions");
        let soon = RealClock.now().wall.0;
        let later = soon + 60_000_000_000;
        assert!(!action_runs(&actions, later));
        let run = actions.join("01J");
        fs::create_dir_all(&run).unwrap();
        let file = File::create(run.join("running")).unwrap();
        assert!(action_runs(&actions, soon), "just made");
        assert!(!action_runs(&actions, later), "never started");
        flock(&file, FlockOperation::LockExclusive).unwrap();
        assert!(action_runs(&actions, later));
        let status = |pid: u32, end: &str| {
            let text = format!(r#"{{"pid":{pid},"state":"Running","end":{end}}}"#);
            fs::write(run.join("status.json"), text).unwrap();
        };
        let us = rustix::process::getpid().as_raw_nonzero().get().cast_unsigned();
        status(us, r#"{"outcome":"Succeeded"}"#);
        assert!(action_runs(&actions, later), "over, but not out of the folder");
        drop(file);
        assert!(!action_runs(&actions, later));
        assert!(!action_runs(&actions, soon), "over");
        status(us, "null");
        assert!(action_runs(&actions, later), "its runner lives");
        status(u32::MAX, "null");
        assert!(!action_runs(&actions, later), "its runner is gone");
    }
}
