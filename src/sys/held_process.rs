//! A process by more than its number: held by a pidfd, with its start time and its program, so that a signal never
//! reaches one that has taken the number since.

use super::child::start_time;
use super::files;
use crate::base::{Clean, Fault};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Which process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: u32,
    /// Clock ticks since boot.
    pub start_time: u64,
    /// Device and inode of its program.
    pub exe: (u64, u64),
    /// The program's file name.
    pub program: Clean,
}

/// A process that is held.
#[derive(Debug)]
pub struct HeldProcess {
    id: ProcessId,
    fd: OwnedFd,
}

/// Whether the process of this number that started then is no more. One that this login may not look at is not gone.
pub fn is_gone(pid: u32, started: u64) -> bool {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    let Ok(fd) = pidfd_open(number, PidfdFlags::empty()) else { return true };
    let mut ended = [PollFd::new(&fd, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut ended, Some(&now)), Ok(1..)) || start_time(pid).is_some_and(|start| start != started)
}

impl HeldProcess {
    /// The process whose number stands in this file.
    ///
    /// # Errors
    /// No such file, no number in it, no such process, or one that this login may not see.
    pub fn of_pid_file(path: &Path) -> Result<Self, Fault> {
        let text = files::read(path, 64)?;
        let pid = core::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
        let pid: u32 = pid
            .filter(|pid| *pid > 1)
            .ok_or_else(|| Fault::new("there is no process number in it.").at(path.to_string_lossy(), 0, 0))?;
        Self::open(pid)
    }

    /// The same process as before.
    ///
    /// # Errors
    /// It is gone, or another one has its number.
    pub fn again(id: &ProcessId) -> Result<Self, Fault> {
        let held = Self::open(id.pid)?;
        if (held.id.start_time, held.id.exe) == (id.start_time, id.exe) {
            Ok(held)
        } else {
            Err(Fault::new(format!("process {} is another one now ({}).", id.pid, held.id.program)))
        }
    }

    fn open(pid: u32) -> Result<Self, Fault> {
        let gone = || Fault::new(format!("there is no process {pid}."));
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
        let fd = pidfd_open(number, PidfdFlags::empty()).map_err(|_| gone())?;
        // Read while it is held: the number cannot pass to another meanwhile, unless it has ended.
        let start_time = start_time(pid).ok_or_else(gone)?;
        let exe = format!("/proc/{pid}/exe");
        let place = Path::new(&exe);
        let look = |error: &std::io::Error| files::fault("look at", place, error);
        let meta = std::fs::metadata(place).map_err(|error| look(&error))?;
        let target = std::fs::read_link(place).map_err(|error| look(&error))?;
        let program = Clean::text(target.file_name().unwrap_or_default().as_encoded_bytes());
        Ok(Self { id: ProcessId { pid, start_time, exe: (meta.dev(), meta.ino()), program }, fd })
    }

    /// Which process.
    pub const fn id(&self) -> &ProcessId {
        &self.id
    }

    /// Sends a signal to it alone.
    ///
    /// # Errors
    /// It has ended, or this login may not.
    pub fn signal(&self, number: i32) -> Result<(), Fault> {
        let pid = self.id.pid;
        let signal = Signal::from_named_raw(number).ok_or_else(|| Fault::new(format!("{number} is no signal.")))?;
        pidfd_send_signal(&self.fd, signal)
            .map_err(|error| Fault::new(format!("process {pid} was not signalled: {}.", std::io::Error::from(error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_with_the_number_is_not_taken_for_the_first() {
        let held = HeldProcess::open(std::process::id()).expect("ourselves");
        assert!(HeldProcess::again(held.id()).is_ok());
        let older = ProcessId { start_time: held.id().start_time - 1, ..held.id().clone() };
        let said = HeldProcess::again(&older).expect_err("another").to_string();
        assert!(said.contains("is another one now"), "{said}");
    }

    #[test]
    fn only_a_process_that_is_no_more_is_gone() {
        let held = HeldProcess::open(std::process::id()).expect("ourselves");
        assert!(!is_gone(held.id().pid, held.id().start_time));
        assert!(is_gone(held.id().pid, held.id().start_time - 1), "another one with its number");
        assert!(is_gone(u32::MAX, 1) && is_gone(0, 1) && is_gone(0x7fff_0000, 1));
        assert!(!is_gone(1, start_time(1).expect("the first process")), "one of root is there, whoever asks");
    }

    #[test]
    fn a_file_without_a_number_names_nobody() {
        let dir = tempfile::tempdir().expect("a folder");
        for text in ["", "x", "-1", "0", "1", "4000000000"] {
            let path = dir.path().join("pid");
            std::fs::write(&path, text).expect("written");
            assert!(HeldProcess::of_pid_file(&path).is_err(), "{text}");
        }
    }
}
