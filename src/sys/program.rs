//! Another program, started with nothing of ours and held by its whole process group: judged first (safety.md 4.8),
//! own session, empty environment but for what is declared, both outputs as pipes, its end seen through a pidfd.

use super::group::{Full, LIVE, MOST, Register, Rest};
use super::process::{PLAIN_ENV, confine, inherited};
use super::trust::{self, Helper, Owners};
use crate::base::Fault;
use core::fmt;
use core::time::Duration;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, setsid};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// How long the last resort waits for a killed process to be gone.
const LAST_WAIT: Duration = Duration::from_millis(50);

/// What to start; there is never a shell between.
#[derive(Clone, Default)]
pub struct Order {
    /// Absolute path of the program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment besides PATH, LANG, TERM and HOME; it may hold secrets, so an order is never printed.
    pub env: Vec<(String, String)>,
    /// Never sent a signal, whatever it does: it may be abandoned. For GPU tools, whose violent end can take the GPU
    /// with it (safety.md F7).
    pub spare: bool,
}

/// Why a program was not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It broke a rule of trust, or this login may not run it.
    Forbidden(Fault),
    /// It is missing or cannot run.
    Impossible(Fault),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => write!(f, "killed by {}", signal_name(*number)),
        }
    }
}

/// The usual name of a signal, such as `SIGKILL`; else its number.
pub fn signal_name(number: i32) -> String {
    const NAMES: [(i32, &str); 15] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    let known = NAMES.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("signal {number}"), |(_, name)| (*name).to_owned())
}

/// A program that was started. Dropping it kills what is left of its group, unless it is to be spared.
#[derive(Debug)]
pub struct Program {
    inner: Child,
    group: Pid,
    pidfd: OwnedFd,
    reaped: bool,
    /// Those of its group that it left behind.
    rest: Option<Rest>,
    /// Who ends it when we leave; nobody where it is to be spared.
    register: Option<&'static Register>,
    /// Those that it left behind stay.
    leaves: bool,
}

/// The reading ends of its outputs.
#[derive(Debug)]
pub struct Outputs {
    /// Of standard output.
    pub stdout: OwnedFd,
    /// Of standard error.
    pub stderr: OwnedFd,
}

impl Program {
    /// Judges the program and starts it. May hang where its file system does.
    ///
    /// # Errors
    /// Why it was not started; nothing is left of it then.
    pub fn start(order: &Order) -> Result<(Self, Outputs), Refusal> {
        Self::start_in(&LIVE, order)
    }

    fn start_in(register: &'static Register, order: &Order) -> Result<(Self, Outputs), Refusal> {
        let helper = trust::helper(&order.program, Owners::effective()).map_err(Refusal::Impossible)?;
        if let Some(fault) = helper.distrust {
            return Err(Refusal::Forbidden(fault));
        }
        let full = |full| {
            Refusal::Impossible(Fault::new(match full {
                Full::Many => format!("{MOST} programs already run: no other is started."),
                Full::Leaving => "no program is started any more: we are leaving.".to_owned(),
            }))
        };
        let place = register.begin().map_err(full)?;
        let started = image(&helper, &order.program).and_then(|image| command(order, &image).spawn());
        let mut inner = started.map_err(|error| refused(&order.program, &error))?;
        let found = Self::hold(&mut inner);
        let Ok((group, pidfd, outputs)) = found else {
            let _best_effort = inner.kill();
            let _best_effort = inner.wait();
            return Err(refused(&order.program, &io::ErrorKind::OutOfMemory.into()));
        };
        let register = (!order.spare).then_some(register);
        let program = Self { inner, group, pidfd, reaped: false, rest: None, register, leaves: false };
        if !order.spare && !place.started(group) {
            return Err(full(Full::Leaving));
        }
        Ok((program, outputs))
    }

    fn hold(inner: &mut Child) -> io::Result<(Pid, OwnedFd, Outputs)> {
        let pid = i32::try_from(inner.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        let (Some(stdout), Some(stderr)) = (inner.stdout.take(), inner.stderr.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        Ok((pid, pidfd_open(pid, PidfdFlags::empty())?, Outputs { stdout: stdout.into(), stderr: stderr.into() }))
    }

    /// The same, but what it leaves running once it has ended by itself stays: a service that it started.
    #[must_use]
    pub fn leaving(mut self) -> Self {
        self.leaves = true;
        self
    }

    /// Its process number, which is also that of its group and session.
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// A descriptor that becomes readable when it has ended (the rest of its group may live on).
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn ending(&self) -> io::Result<OwnedFd> {
        self.pidfd.try_clone()
    }

    /// Asks the whole group to end.
    pub fn ask(&self) {
        self.signal(Signal::TERM);
    }

    /// Kills the whole group.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Everyone below it just now, also who has left its group; none where it is spared.
    pub(super) fn below(&self) -> Vec<OwnedFd> {
        if self.reaped || self.spared() { Vec::new() } else { super::group::below(self.group) }
    }

    /// Whether it is never sent a signal.
    pub fn spared(&self) -> bool {
        self.register.is_none()
    }

    /// Until it is reaped, its number cannot pass to another group.
    fn signal(&self, signal: Signal) {
        if !self.reaped && !self.spared() {
            // Gone already, or of another user by its own doing.
            let _best_effort = kill_process_group(self.group, signal);
        }
    }

    /// How it ended, or `None` while it lives. What is left of its group is asked to end, unless it is to be spared or
    /// stays.
    pub fn reap(&mut self) -> Option<Ended> {
        let ended = matches!(super::child::wait_readable(&[self.pidfd.as_fd()], Some(Duration::ZERO)), Ok(ready) if ready.contains(&true));
        if !ended {
            return None;
        }
        if !self.leaves {
            self.ask();
        }
        let status = self.inner.try_wait().ok().flatten()?;
        self.reaped = true;
        match self.register {
            Some(register) if self.leaves => register.forget(self.group),
            register => self.rest = register.and_then(|register| Rest::of(self.group, register)),
        }
        Some(match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Code(code),
            (None, signal) => Ended::Signal(signal.unwrap_or(0)),
        })
    }

    /// Those of its group that still live once it is reaped; whoever does not take them has them killed with its drop.
    pub fn rest(&mut self) -> Option<Rest> {
        self.rest.take()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill();
            let wait = if self.spared() { Duration::ZERO } else { LAST_WAIT };
            let _best_effort = super::child::wait_readable(&[self.pidfd.as_fd()], Some(wait));
            if self.reap().is_none()
                && let Some(register) = self.register
            {
                register.forget(self.group);
            }
        }
    }
}

/// The very file that was judged; but a script is opened again by its interpreter, so a name whose folders nobody else may
/// change: the one that it was called by, since a wrapper goes by that, else its real one. Anything else the C library
/// would hand to a shell.
fn image(helper: &Helper, called: &Path) -> io::Result<PathBuf> {
    let place = PathBuf::from(format!("/proc/self/fd/{}", helper.file.as_raw_fd()));
    let mut start = Vec::new();
    match File::open(&place).and_then(|file| file.take(4).read_to_end(&mut start)) {
        Ok(_) if start.starts_with(b"#!") => {
            Ok(trust::called(called, &helper.real, Owners::effective()).unwrap_or_else(|| helper.real.clone()))
        }
        Ok(_) if start != *b"\x7fELF" => Err(io::ErrorKind::InvalidData.into()),
        // A program may be for running only; a script cannot.
        Ok(_) | Err(_) => Ok(place),
    }
}

fn command(order: &Order, image: &Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts programs of others")]
    let mut command = Command::new(image);
    command
        .arg0(&order.program)
        .args(&order.args)
        .env_clear()
        .envs(PLAIN_ENV)
        .envs(inherited(&["HOME"]))
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let spare = order.spare;
    #[expect(unsafe_code, reason = "a session of its own is had between fork and exec")]
    // SAFETY: only async-signal-safe calls, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            setsid()?;
            confine(libc::SIG_DFL)?;
            if spare {
                ignore_closed_outputs();
            }
            Ok(())
        });
    }
    command
}

/// In a child that is spared: nor does it die of an output that nobody reads any more.
fn ignore_closed_outputs() {
    #[expect(unsafe_code, reason = "signal dispositions outlive exec")]
    // SAFETY: async-signal-safe.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_IGN);
    }
}

fn refused(program: &Path, error: &io::Error) -> Refusal {
    let fault = |what: String| Fault::new(what).at(program.to_string_lossy(), 0, 0);
    match error.kind() {
        io::ErrorKind::PermissionDenied => Refusal::Forbidden(fault("this login may not run it.".to_owned())),
        io::ErrorKind::NotFound => Refusal::Impossible(fault("its interpreter does not exist.".to_owned())),
        io::ErrorKind::InvalidData => Refusal::Impossible(fault("neither a binary nor a script with `#!`.".to_owned())),
        _ => Refusal::Impossible(fault(format!("it cannot be started: {error}."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(program: &str, args: &[&str]) -> (Program, Outputs) {
        let args = args.iter().map(|&word| word.to_owned()).collect();
        Program::start(&Order { program: program.into(), args, ..Order::default() }).expect("starts")
    }

    fn said(outputs: Outputs) -> String {
        let mut text = String::new();
        File::from(outputs.stdout).read_to_string(&mut text).expect("text");
        text
    }

    #[test]
    fn dropping_it_kills_its_whole_group_and_leaves_no_zombie() {
        let (program, outputs) = started("/bin/sh", &["-c", "trap '' TERM; sleep 600 & echo $!; wait"]);
        let mut line = [0; 16];
        let read = File::from(outputs.stdout).read(&mut line).expect("a line");
        let grandchild: i32 = core::str::from_utf8(&line[..read]).expect("text").trim().parse().expect("a number");
        let pidfd = pidfd_open(Pid::from_raw(grandchild).expect("a pid"), PidfdFlags::empty()).expect("lives");
        let pid = program.pid();
        drop(program);
        let gone = super::super::child::wait_readable(&[pidfd.as_fd()], Some(Duration::from_secs(20)));
        assert!(gone.expect("polled")[0]);
        assert_eq!(super::super::child::start_time(pid), None);
    }

    fn ended(program: &Program, limit: Duration) -> bool {
        super::super::child::wait_readable(&[program.pidfd.as_fd()], Some(limit)).expect("polled")[0]
    }

    #[test]
    fn leaving_ends_every_program_but_those_to_be_spared() {
        static REGISTER: Register = Register::new();
        let args = |script: &str| ["-c", script].map(str::to_owned).into();
        let order = |args, spare| Order { program: "/bin/sh".into(), args, spare, ..Order::default() };
        let script = "trap '' TERM; sleep 600 & echo $!; wait";
        let (mut one, outputs) = Program::start_in(&REGISTER, &order(args(script), false)).expect("starts");
        let (mut spared, waits) = Program::start_in(&REGISTER, &order(args("sleep 600"), true)).expect("starts");
        let mut line = [0; 16];
        let read = File::from(outputs.stdout).read(&mut line).expect("a line");
        let grandchild: i32 = core::str::from_utf8(&line[..read]).expect("text").trim().parse().expect("a number");
        let grandchild = pidfd_open(Pid::from_raw(grandchild).expect("a pid"), PidfdFlags::empty()).expect("lives");
        assert_eq!(REGISTER.groups(), [one.group]);
        REGISTER.end();
        let gone = super::super::child::wait_readable(&[grandchild.as_fd()], Some(Duration::from_secs(20)));
        assert!(gone.expect("polled")[0] && ended(&one, Duration::from_secs(20)));
        assert_eq!(one.reap(), Some(Ended::Signal(9)));
        drop(one);
        assert!(REGISTER.groups().is_empty());
        for spare in [false, true] {
            let refused = Program::start_in(&REGISTER, &order(args("sleep 600"), spare)).map(drop);
            let Err(Refusal::Impossible(why)) = refused else { panic!("{refused:?}") };
            assert_eq!(why.to_string(), "no program is started any more: we are leaving.");
        }
        spared.ask();
        spared.kill();
        assert!(!ended(&spared, Duration::from_millis(50)), "spared");
        drop(waits);
        let ours = kill_process_group(spared.group, Signal::KILL);
        assert!(ours.is_ok() && ended(&spared, Duration::from_secs(20)) && spared.reap().is_some());
    }

    #[test]
    fn one_that_starts_while_we_leave_is_killed_and_refused() {
        static REGISTER: Register = Register::new();
        let place = REGISTER.begin().expect("room");
        REGISTER.end();
        let (program, _outputs) = started("/bin/sleep", &["600"]);
        assert!(!place.started(program.group));
        assert!(ended(&program, Duration::from_secs(20)));
        assert_eq!(REGISTER.begin().err(), Some(Full::Leaving));
    }

    #[test]
    fn a_script_runs_under_its_own_name_and_without_its_interpreter_not_at_all() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir_in("/tmp");
        let home = home.expect("a folder");
        let path = home.path().join("check");
        let write = |text: &str| {
            std::fs::write(&path, text).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("ours");
        };
        write("#!/bin/sh\necho $0\n");
        let (_program, outputs) = started(path.to_str().expect("text"), &[]);
        assert_eq!(said(outputs), format!("{}\n", path.display()));
        let called = |folder: &str, mode| {
            let folder = home.path().join(folder);
            std::fs::create_dir(&folder).expect("made");
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).expect("ours");
            std::os::unix::fs::symlink("../check", folder.join("wrapped")).expect("made");
            let (_program, outputs) = started(folder.join("wrapped").to_str().expect("text"), &[]);
            said(outputs)
        };
        assert_eq!(called("ours", 0o755), format!("{}\n", home.path().join("ours/wrapped").display()));
        assert_eq!(called("anybody's", 0o777), format!("{}\n", path.display()), "others may change that link");
        write("#!/no/such/interpreter\n");
        let refused = Program::start(&Order { program: path.clone(), ..Order::default() }).map(drop);
        let Err(Refusal::Impossible(fault)) = refused else { panic!("{refused:?}") };
        assert!(fault.to_string().ends_with("/check: its interpreter does not exist."), "{fault}");
    }

    #[test]
    fn endings_have_words() {
        assert_eq!(Ended::Code(3).to_string(), "exit code 3");
        assert_eq!(Ended::Signal(9).to_string(), "killed by SIGKILL");
        assert_eq!(Ended::Signal(40).to_string(), "killed by signal 40");
    }
}
