//! Who goes on with a run: a lock that ends with its process, and in the same file who that is and when it was last heard
//! of. Taken under a lock on the run's folder, so that two never take it together.

use crate::base::time::Age;
use crate::base::{Clean, Fault, Now};
use crate::clean;
use crate::journal::ascii;
use crate::sys::{files, held_process, lock};
use core::fmt;
use core::time::Duration;
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, flock, fstat, openat, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// After this time without a word a console counts as silent.
pub const SILENCE: Duration = Duration::from_secs(30);
/// What a lease says is padded to so many bytes, so that it is replaced by one write.
const SIZE: usize = 1024;

/// Who holds a run, or held it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Login name.
    pub login: Clean,
    /// `pts/3`.
    pub tty: Option<Clean>,
    /// The boot that the rest is of.
    pub boot: Clean,
    /// The console's process.
    pub pid: u32,
    /// When that started, in clock ticks since boot.
    pub start: u64,
    /// When it was last heard of.
    pub beat: Now,
}

impl Holder {
    /// This process, of this login, in this boot.
    pub fn current(login: Clean, tty: Option<Clean>, boot: Clean, now: Now) -> Self {
        let pid = crate::sys::process::pid();
        let start = crate::sys::child::start_time(pid).unwrap_or(0);
        Self { login, tty, boot, pid, start, beat: now }
    }

    /// So long nothing was heard of it; of an earlier boot by the wall clock.
    pub fn silent_for(&self, boot: &Clean, now: Now) -> Duration {
        if self.boot == *boot { now.mono.since(self.beat.mono) } else { now.wall.since(self.beat.wall) }
    }

    /// Its process is no more.
    pub fn is_gone(&self, boot: &Clean) -> bool {
        self.boot != *boot || held_process::is_gone(self.pid, self.start)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tty {
            Some(tty) => write!(f, "{}@{tty}", self.login),
            None => write!(f, "{}", self.login),
        }
    }
}

/// A run that is ours until dropped, or until another takes it over.
#[derive(Debug)]
pub(super) struct Lease {
    path: PathBuf,
    file: File,
    holder: Holder,
}

impl Lease {
    /// Takes the lease of a run's folder: a free one, or one whose console is silent and gone. With it, who had it before.
    ///
    /// # Errors
    /// Who has it, or what the file system said.
    pub(super) fn take(dir: &Path, us: &Holder, now: Now) -> Result<(Self, Option<Holder>), Fault> {
        let path = dir.join("lease");
        let broken = |errno: Errno| files::fault("lock", &path, &errno.into());
        let folder = openat(CWD, dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
        let folder = folder.map_err(broken)?;
        flock(&folder, FlockOperation::NonBlockingLockExclusive).map_err(|errno| match errno {
            Errno::WOULDBLOCK => Fault::new("somebody else is taking this run just now."),
            other => broken(other),
        })?;
        let before = holder(dir);
        let file = open(&path, OFlags::empty()).map_err(broken)?;
        let file = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => file,
            Err(Errno::WOULDBLOCK) => match &before {
                Some(old) if old.silent_for(&us.boot, now) > SILENCE && old.is_gone(&us.boot) => {
                    over(&path).map_err(|error| files::fault("take over", &path, &error))?
                }
                Some(old) => return Err(Fault::new(held(old, &us.boot, now).as_str())),
                None => return Err(Fault::new("another console holds this run and does not say who it is.")),
            },
            Err(errno) => return Err(broken(errno)),
        };
        let lease = Self { path, file, holder: us.clone() };
        lease.write(now)?;
        Ok((lease, before))
    }

    /// Says that we are still here. False when somebody else has taken it over.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn beat(&self, now: Now) -> Result<bool, Fault> {
        if self.is_ours() { self.write(now).map(|()| true) } else { Ok(false) }
    }

    /// Nobody has taken it over.
    pub(super) fn is_ours(&self) -> bool {
        match (fstat(&self.file), statat(CWD, &self.path, AtFlags::SYMLINK_NOFOLLOW)) {
            (Ok(ours), Ok(named)) => (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino),
            (_, Err(Errno::NOENT)) => false,
            // A disk that does not answer has given it to nobody.
            _ => true,
        }
    }

    fn write(&self, now: Now) -> Result<(), Fault> {
        let line = ascii(&Holder { beat: now, ..self.holder.clone() });
        let line = format!("{line:0$}\n", SIZE - 1);
        self.file.write_all_at(line.as_bytes(), 0).map_err(|error| files::fault("write", &self.path, &error))
    }
}

/// Who a run's lease says has it or had it last; `None` when there is none, or it cannot be read.
pub(super) fn holder(dir: &Path) -> Option<Holder> {
    let bytes = files::read(&dir.join("lease"), 4 * 1024).ok()?;
    serde_json::from_slice(bytes.trim_ascii()).ok()
}

/// Whether some process has the lease, seen without touching it.
pub(super) fn is_held(dir: &Path) -> bool {
    lock::holder_of(&dir.join("lease")).is_some()
}

/// The sentence of a refusal.
pub(super) fn held(by: &Holder, boot: &Clean, now: Now) -> Clean {
    let age = Age(by.silent_for(boot, now));
    let gone = if by.is_gone(boot) { "its process is gone" } else { "its process lives" };
    clean!("{by} works on it (process {}, heard of {age} ago, {gone}).", by.pid)
}

fn open(path: &Path, more: OFlags) -> Result<File, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
    openat(CWD, path, flags, Mode::from_raw_mode(0o600)).map(File::from)
}

/// A new file in place of one whose lock somebody keeps for a console that is gone.
fn over(path: &Path) -> std::io::Result<File> {
    let temp = files::beside(path);
    let file = open(&temp, OFlags::EXCL)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    fs::rename(&temp, path)?;
    Ok(file)
}
