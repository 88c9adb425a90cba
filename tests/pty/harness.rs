//! Runs a program in a pseudo-terminal: a thread reads what it writes into a screen model and a raw capture,
//! the test waits for what it wants to see (never for time), types, resizes, signals, hangs up.

pub(crate) use crate::judge::{only_our_sequences, without_copies};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::{read, write};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No wait lasts longer: ten times the longest of them on an idle machine. Figures are not judged here.
pub(crate) const GUARD: Duration = Duration::from_secs(60);

/// What to run, and how.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// Columns, rows.
    pub(crate) size: (u16, u16),
    /// Started as `nohup` would.
    pub(crate) ignore_hup: bool,
    /// A shell script that runs the program as `"$@"`, with job control.
    pub(crate) script: Option<&'static str>,
    /// The terminal is left raw by someone else.
    pub(crate) raw: bool,
}

impl Spec {
    /// A program with a plain environment on 80×24.
    pub(crate) fn new(program: impl Into<PathBuf>) -> Self {
        let env = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8"), ("RUST_BACKTRACE", "0")];
        Self {
            program: program.into(),
            args: Vec::new(),
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            size: (80, 24),
            ignore_hup: false,
            script: None,
            raw: false,
        }
    }

    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }
}

/// What came out of the program so far.
#[expect(clippy::struct_excessive_bools, reason = "four states that do not exclude one another")]
struct Seen {
    parser: vt100::Parser,
    raw: Vec<u8>,
    paused: bool,
    answer: bool,
    closing: bool,
    ended: bool,
}

/// A running program in its terminal.
pub(crate) struct Pty {
    master: Option<Arc<OwnedFd>>,
    slave: OwnedFd,
    wake: Arc<OwnedFd>,
    seen: Arc<(Mutex<Seen>, Condvar)>,
    reader: Option<JoinHandle<()>>,
    child: Child,
    before: Termios,
}

impl Pty {
    pub(crate) fn spawn(spec: &Spec) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(name, flags, Mode::empty()).unwrap();
        set_size(&master, spec.size);
        if spec.raw {
            let mut modes = tcgetattr(&slave).unwrap();
            modes.make_raw();
            rustix::termios::tcsetattr(&slave, rustix::termios::OptionalActions::Now, &modes).unwrap();
        }
        let before = tcgetattr(&slave).unwrap();
        let child = command(spec, &slave).spawn().unwrap();
        let parser = vt100::Parser::new(nonzero(spec.size.1), nonzero(spec.size.0), 0);
        let seen = Seen { parser, raw: Vec::new(), paused: false, answer: true, closing: false, ended: false };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let master = Arc::new(master);
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap());
        let reader = std::thread::spawn({
            let (master, wake, seen) = (Arc::clone(&master), Arc::clone(&wake), Arc::clone(&seen));
            move || read_all(&master, &wake, &seen)
        });
        Self { master: Some(master), slave, wake, seen, reader: Some(reader), child, before }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.0.lock().unwrap());
        write(&self.wake, &1_u64.to_ne_bytes()).unwrap();
    }

    /// Waits until the screen (or the raw capture) is as wanted; fails with the screen when it never is.
    pub(crate) fn wait(&self, what: &str, mut wanted: impl FnMut(&vt100::Screen, &[u8]) -> bool) {
        let seen = self.seen.0.lock().unwrap();
        let until = |seen: &mut Seen| !wanted(seen.parser.screen(), &seen.raw);
        let (seen, timeout) = self.seen.1.wait_timeout_while(seen, GUARD, until).unwrap();
        let (late, text) = (timeout.timed_out(), seen.parser.screen().contents());
        drop(seen);
        assert!(!late, "never saw {what}:\n{text}");
    }

    /// Waits until the screen holds a text.
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait(text, |screen, _| screen.contents().contains(text));
    }

    /// The screen as text.
    pub(crate) fn text(&self) -> String {
        self.seen.0.lock().unwrap().parser.screen().contents()
    }

    /// Every byte so far.
    pub(crate) fn raw(&self) -> Vec<u8> {
        self.seen.0.lock().unwrap().raw.clone()
    }

    /// Types bytes.
    pub(crate) fn send(&self, bytes: impl AsRef<[u8]>) {
        let master = self.master.as_ref().expect("the terminal is gone");
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            rest = &rest[write(&**master, rest).unwrap()..];
        }
    }

    /// Columns, rows.
    pub(crate) fn resize(&self, size: (u16, u16)) {
        self.change(|seen| seen.parser.screen_mut().set_size(nonzero(size.1), nonzero(size.0)));
        set_size(self.master.as_ref().expect("the terminal is gone"), size);
    }

    /// A terminal that does not read.
    pub(crate) fn pause(&self, paused: bool) {
        self.change(|seen| seen.paused = paused);
    }

    /// Whether the terminal answers `CSI 5 n` (it does from the start).
    pub(crate) fn answer(&self, answer: bool) {
        self.change(|seen| seen.answer = answer);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// The terminal goes away.
    pub(crate) fn hang_up(&mut self) {
        self.change(|seen| seen.closing = true);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        assert!(Arc::into_inner(self.master.take().expect("hung up before")).is_some(), "the master is still open");
    }

    /// Waits for the end without reaping; gives how long that took.
    pub(crate) fn wait_end(&self) -> Duration {
        let start = Instant::now();
        let process = pidfd_open(self.pid(), PidfdFlags::empty()).unwrap();
        let limit = Timespec::try_from(GUARD).unwrap();
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&limit)).unwrap();
        assert_eq!(ended, 1, "the program does not end:\n{}", self.text());
        start.elapsed()
    }

    /// Waits for the end: the exit status, or the signal's number negated.
    pub(crate) fn status(&mut self) -> i32 {
        self.wait_end();
        let status = self.child.wait().unwrap();
        status.code().or_else(|| status.signal().map(|number| -number)).unwrap()
    }

    /// Seconds of CPU so far; also of a program that has ended and was not reaped.
    pub(crate) fn cpu(&self) -> f64 {
        let pid = self.pid().as_raw_nonzero();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Resident bytes.
    pub(crate) fn resident(&self) -> i64 {
        let pid = self.pid().as_raw_nonzero();
        let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
        statm.split(' ').nth(1).unwrap().parse::<i64>().unwrap() * 4_096
    }

    /// The terminal's modes now.
    pub(crate) fn modes(&self) -> Termios {
        tcgetattr(&self.slave).unwrap()
    }

    /// The terminal's modes before the program came.
    pub(crate) fn modes_before(&self) -> &Termios {
        &self.before
    }

    /// The flags of the open file that the program shares with us, as it would with a shell.
    pub(crate) fn shared_flags(&self) -> OFlags {
        rustix::fs::fcntl_getfl(&self.slave).unwrap()
    }

    /// After the end: all output is read, every byte of it is ours, termios and emitted modes are as before.
    pub(crate) fn assert_restored(&self) {
        // What the program wrote last may still be on its way.
        self.wait("the restored modes", |_, raw| only_our_sequences(raw).is_ok_and(|modes| modes.is_plain()));
        assert_eq!(format!("{:?}", self.modes()), format!("{:?}", self.before), "termios");
        assert!(!self.shared_flags().contains(OFlags::NONBLOCK), "the shell's descriptor became non-blocking");
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if self.master.is_some() {
            self.change(|seen| (seen.closing, seen.paused) = (true, false));
        }
        if let Some(reader) = self.reader.take() {
            let _ended = reader.join();
        }
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _gone = self.child.kill();
            let _gone = self.child.wait();
        }
    }
}

fn command(spec: &Spec, slave: &OwnedFd) -> Command {
    // env takes away what a nohup or a background job around the tests would leave ignored; setsid makes the terminal the controlling one.
    // Both exec: the pid stays.
    let mut command = Command::new("env");
    command.args(["--default-signal", "setsid", "--ctty"]);
    match spec.script {
        Some(script) => _ = command.args(["sh", "-c", script, "sh"]),
        None if spec.ignore_hup => _ = command.args(["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"]),
        None => {}
    }
    command.arg(&spec.program).args(&spec.args);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).envs(spec.env.iter().cloned());
    let end = || Stdio::from(slave.try_clone().unwrap());
    command.stdin(end()).stdout(end()).stderr(end());
    command
}

fn read_all(master: &OwnedFd, wake: &OwnedFd, seen: &(Mutex<Seen>, Condvar)) {
    let mut buffer = vec![0; 65_536];
    loop {
        let (paused, closing) = {
            let seen = seen.0.lock().unwrap();
            (seen.paused || seen.ended, seen.closing)
        };
        if closing {
            return;
        }
        let mut fds = [PollFd::new(wake, PollFlags::IN), PollFd::new(master, PollFlags::IN)];
        let count = if paused { 1 } else { 2 };
        poll(&mut fds[..count], None).unwrap();
        if !fds[0].revents().is_empty() {
            read(wake, &mut [0; 8]).unwrap();
            continue;
        }
        let got = read(master, &mut *buffer).unwrap_or(0);
        let mut locked = seen.0.lock().unwrap();
        locked.ended = got == 0;
        let bytes = &buffer[..got];
        locked.parser.process(bytes);
        let before = locked.raw.len().saturating_sub(3);
        locked.raw.extend_from_slice(bytes);
        let asked = locked.raw[before..].windows(4).any(|window| window == b"\x1b[5n");
        let answer = asked && locked.answer;
        drop(locked);
        seen.1.notify_all();
        if answer {
            write(master, b"\x1b[0n").unwrap();
        }
    }
}

fn set_size(master: &OwnedFd, (columns, rows): (u16, u16)) {
    tcsetwinsize(master, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
}

fn nonzero(value: u16) -> NonZero<u16> {
    NonZero::new(value).unwrap()
}
