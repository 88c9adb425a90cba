//! This program started again as a child of its own: with a lifeline for stdin, so that neither outlives its use.
//! The parent keeps the writing end; when that closes, by drop or by death (KILL too), the child reads the end.

use super::process::confine;
use super::program::Ended;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open, setsid};
use rustix::thread::set_no_new_privs;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The image that runs now, also when its file was replaced or deleted since.
pub const OURSELVES: &str = "/proc/self/exe";

/// A child of ours, its end seen through a pidfd.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    pidfd: OwnedFd,
    start_time: u64,
    lifeline: Option<PipeWriter>,
}

impl Child {
    /// Starts `program` with a lifeline as stdin, `stdout` handed over, and an empty environment.
    ///
    /// # Errors
    /// What the system said; no child is left then.
    pub fn start(program: &Path, args: &[OsString], stdout: Option<OwnedFd>, stderr: File) -> io::Result<Self> {
        let (reader, lifeline) = io::pipe()?;
        let mut command = ourselves(program, args);
        command
            .stdin(Stdio::from(reader))
            .stdout(stdout.map_or_else(Stdio::null, Stdio::from))
            .stderr(Stdio::from(stderr));
        Self::spawned(command, Some(lifeline))
    }

    /// Starts `program` with one end of a socket as stdin, for questions and answers: foreign code in it may print
    /// whatever it likes to an output that nobody reads. The other end comes back, and is the lifeline.
    ///
    /// # Errors
    /// What the system said; no child is left then.
    pub fn converse(program: &Path, args: &[OsString], env: &[(OsString, OsString)]) -> io::Result<(Self, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = ourselves(program, args);
        command
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        #[expect(unsafe_code, reason = "its own session begins before any code of it runs")]
        // SAFETY: `apart` makes only async-signal-safe calls and allocates nothing.
        unsafe {
            command.pre_exec(apart);
        }
        Ok((Self::spawned(command, None)?, ours))
    }

    fn spawned(mut command: Command, lifeline: Option<PipeWriter>) -> io::Result<Self> {
        let mut inner = command.spawn()?;
        let pid = i32::try_from(inner.id()).ok().and_then(Pid::from_raw);
        let opened =
            pid.ok_or(io::ErrorKind::InvalidData.into()).and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
        match opened {
            Ok(pidfd) => Ok(Self { start_time: start_time(inner.id()).unwrap_or(0), inner, pidfd, lifeline }),
            Err(error) => {
                let _best_effort = inner.kill();
                let _best_effort = inner.wait();
                Err(error)
            }
        }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// When it started, in clock ticks since boot: with the number it names one process for ever.
    pub fn start_time(&self) -> u64 {
        self.start_time
    }

    /// Whether it has ended; reaps it then.
    pub fn ended(&mut self) -> bool {
        !matches!(self.inner.try_wait(), Ok(None))
    }

    /// How it ended, once it has; reaps it then.
    pub fn outcome(&mut self) -> Option<Ended> {
        let status = self.inner.try_wait().ok()??;
        Some(status.signal().map_or_else(|| Ended::Code(status.code().unwrap_or(-1)), Ended::Signal))
    }

    /// Lets the lifeline go: asks the child to end. Returns at once.
    pub fn let_go(&mut self) {
        self.lifeline = None;
    }

    /// Asks it to end, waits at most `patience`, then kills it; returns when it is gone.
    pub fn stop(mut self, patience: Duration) {
        self.let_go();
        let _best_effort = wait_readable(&[self.pidfd.as_fd()], Some(patience));
        if !self.ended() {
            let _best_effort = self.inner.kill();
            let _best_effort = self.inner.wait();
        }
    }
}

impl AsFd for Child {
    /// Becomes readable when the child has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Our image, or what stands for it, with nothing of our environment.
#[expect(clippy::disallowed_methods, reason = "this is where our own image is started again")]
fn ourselves(program: &Path, args: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.arg0("watchkeeper").args(args).env_clear();
    command
}

/// In a child before exec: no terminal, no core dumps, private files, no descriptor but the standard three; whatever
/// code it loads can gain no rights.
fn apart() -> io::Result<()> {
    setsid()?;
    set_no_new_privs(true)?;
    confine(libc::SIG_IGN)
}

/// Waits until one of the descriptors can be read or has hung up, at most `limit` (for ever without); tells which.
///
/// # Errors
/// What poll said; a signal counts as an early return with nothing ready.
pub fn wait_readable(fds: &[BorrowedFd<'_>], limit: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match poll(&mut polled, limit.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect()),
        Err(error) => Err(error.into()),
    }
}

/// Start of a process in clock ticks since boot (field 22 of its `stat`); `None` when it is gone.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything: count from the last bracket.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The same, and `None` too when it has ended but nobody has taken notice.
pub fn lives_since(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ended = matches!(stat.rsplit_once(") ")?.1.chars().next(), Some('Z' | 'X') | None);
    if ended { None } else { start_time(pid) }
}

/// Leaves the caller's session and terminal, and takes a name for `ps`. A `deaf` process ignores HUP, INT and TERM:
/// it ends with its lifeline, after clearing up. The setting passes to children, so each says what it wants.
pub fn own_session(name: &core::ffi::CStr, deaf: bool) {
    // Refused only to the leader of a process group, which a started child is not.
    let _best_effort = setsid();
    let _best_effort = rustix::thread::set_name(name);
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
        // SAFETY: no handler of ours is installed, only the kernel's own two dispositions.
        #[expect(unsafe_code, reason = "rustix leaves signal dispositions out")]
        unsafe {
            libc::signal(signal, if deaf { libc::SIG_IGN } else { libc::SIG_DFL });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn child(program: &str, args: &[&str]) -> Child {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        Child::start(Path::new(program), &args, None, tempfile::tempfile().unwrap()).unwrap()
    }

    #[test]
    fn a_child_reads_the_end_of_its_lifeline() {
        let mut cat = child("/bin/cat", &[]);
        assert!(!cat.ended());
        assert_eq!(start_time(cat.pid()), Some(cat.start_time()));
        let pid = cat.pid();
        cat.let_go();
        let seen = wait_readable(&[cat.as_fd()], Some(Duration::from_secs(20))).unwrap();
        assert!(seen[0] && cat.ended());
        assert_eq!(start_time(pid), None);
    }

    #[test]
    fn a_child_that_will_not_end_is_killed() {
        let deaf = child("/bin/sleep", &["600"]);
        let pid = deaf.pid();
        deaf.stop(Duration::from_millis(50));
        assert_eq!(start_time(pid), None);
    }

    #[test]
    fn a_conversation_goes_over_stdin_and_ends_with_its_socket() {
        let env = [(OsString::from("WORD"), OsString::from("yes"))];
        let script = "read line; echo \"$line $WORD $HOME\" >&0; cat; exit 7";
        let args = ["-c", script].map(OsString::from);
        let (mut child, mut socket) = Child::converse(Path::new("/bin/sh"), &args, &env).unwrap();
        socket.set_nonblocking(false).unwrap();
        socket.write_all(b"hello\n").unwrap();
        let mut answer = [0; 11];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"hello yes \n");
        assert_eq!(child.outcome(), None);
        drop(socket);
        wait_readable(&[child.as_fd()], Some(Duration::from_secs(20))).unwrap();
        assert_eq!(child.outcome(), Some(Ended::Code(7)));
    }

    #[test]
    fn a_missing_program_is_an_error() {
        let missing = Child::start(Path::new("/nowhere/program"), &[], None, tempfile::tempfile().unwrap());
        assert_eq!(missing.map(|_| ()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
