//! Room that a full disk cannot take: a file with blocks of its own. When a write of ours finds no room, a part of them
//! is given back and the write is tried again, until nothing is left of it.

use rustix::fs::{CWD, FallocateFlags, Mode, OFlags, fallocate, fstat, ftruncate, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// What is kept, in bytes: the folders and statuses of some ten runs.
pub const SIZE: u64 = 256 * 1024;
/// What is given back at once.
const PART: u64 = 16 * 1024;

/// The file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserve(PathBuf);

impl Reserve {
    /// The one of this state folder.
    pub fn of(state: &Path) -> Self {
        Self(state.join("reserve"))
    }

    /// Makes it whole as far as the disk gives room. Best effort: where it cannot be, a full disk is a refusal.
    pub fn keep(&self) {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let Ok(fd) = openat(CWD, &self.0, flags, Mode::from_raw_mode(0o600)) else { return };
        if fstat(&fd).is_ok_and(|stat| is_ours(&stat) && blocks(&stat) < SIZE) {
            let _best_effort = fallocate(&fd, FallocateFlags::empty(), 0, SIZE);
        }
    }

    /// Bytes that are left of it.
    pub fn left(&self) -> u64 {
        self.open().and_then(|file| Ok(fstat(&file)?)).map_or(0, |stat| blocks(&stat))
    }

    /// Writes; where the disk is full, in the room of the reserve.
    ///
    /// # Errors
    /// The writer's own; that the disk is full once nothing is left.
    pub fn spend<T>(&self, mut write: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match write() {
                Err(error) if is_full(&error) && self.give().is_ok() => {}
                done => return done,
            }
        }
    }

    fn give(&self) -> io::Result<()> {
        let file = self.open()?;
        let stat = fstat(&file)?;
        let left = blocks(&stat).min(u64::try_from(stat.st_size).unwrap_or(0));
        if left == 0 {
            return Err(Errno::NOSPC.into());
        }
        ftruncate(&file, left.saturating_sub(PART))?;
        // Only then are they free for others, which are we.
        file.sync_all()
    }

    fn open(&self) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(openat(CWD, &self.0, flags, Mode::empty())?);
        if is_ours(&fstat(&file)?) { Ok(file) } else { Err(Errno::PERM.into()) }
    }
}

/// A plain file of ours with one name: nothing else is ever cut short.
fn is_ours(stat: &rustix::fs::Stat) -> bool {
    let plain = stat.st_mode & 0o170_000 == 0o100_000;
    plain && stat.st_nlink == 1 && stat.st_uid == rustix::process::geteuid().as_raw()
}

fn blocks(stat: &rustix::fs::Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0) * 512
}

/// Whether this says that there is no room.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_written_in_the_reserve_until_that_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::of(dir.path());
        let full = || io::Error::from(Errno::NOSPC);
        assert!(reserve.spend(|| Err::<(), _>(full())).is_err(), "there is none");
        reserve.keep();
        assert_eq!(reserve.left(), SIZE);
        let mut tries = 0;
        let third = reserve.spend(|| {
            tries += 1;
            if tries < 3 { Err(full()) } else { Ok(tries) }
        });
        assert_eq!((third.unwrap(), reserve.left()), (3, SIZE - 2 * PART));
        assert!(reserve.spend(|| Err::<(), _>(io::Error::from(Errno::IO))).is_err());
        assert_eq!(reserve.left(), SIZE - 2 * PART, "another fault costs nothing");
        assert!(reserve.spend(|| Err::<(), _>(full())).is_err());
        assert_eq!(reserve.left(), 0);
        reserve.keep();
        assert_eq!(reserve.left(), SIZE);
    }

    #[test]
    fn what_is_not_ours_alone_is_never_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        let theirs = dir.path().join("theirs");
        std::fs::write(&theirs, [1; 9_000]).unwrap();
        let reserve = Reserve::of(dir.path());
        std::fs::hard_link(&theirs, dir.path().join("reserve")).unwrap();
        assert!(reserve.spend(|| Err::<(), _>(io::Error::from(Errno::NOSPC))).is_err());
        std::fs::remove_file(dir.path().join("reserve")).unwrap();
        std::os::unix::fs::symlink(&theirs, dir.path().join("reserve")).unwrap();
        reserve.keep();
        assert!(reserve.spend(|| Err::<(), _>(io::Error::from(Errno::NOSPC))).is_err());
        assert_eq!(std::fs::metadata(&theirs).unwrap().len(), 9_000);
    }
}
