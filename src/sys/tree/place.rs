//! A folder in which something is made, renamed or read, held by its descriptor.

use super::walk::names;
use crate::base::Fault;
use crate::sys::entry::{EntryId, around};
use crate::sys::files::{self, TakeAll};
use crate::sys::held::Broken;
use crate::sys::trust;
use rustix::fs::{
    Access, AtFlags, Gid, Mode, OFlags, RenameFlags, Uid, accessat, fchmod, fchown, fstat, fstatvfs, mkdirat, openat,
    renameat_with, statat,
};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// A folder that others cannot change, in which something is made.
#[derive(Debug)]
pub struct Place {
    pub(super) path: PathBuf,
    pub(super) folder: OwnedFd,
}

/// What a file system has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that this login may still write.
    pub bytes: u64,
    /// Files that it may still create; `None` where they are not counted.
    pub files: Option<u64>,
}

impl Place {
    /// Opens a folder, and judges it and every folder above it (safety.md 4.8).
    ///
    /// # Errors
    /// The rule that it breaks, and how to mend it.
    pub fn trusted(path: &Path) -> Result<Self, Fault> {
        Ok(Self { path: path.to_owned(), folder: trust::folder(path, trust::Owners::effective())? })
    }

    /// The folder around a path, reached without a link; it may be a service's, if nobody else may change it.
    ///
    /// # Errors
    /// A link, or others may change it.
    pub fn around(path: &Path) -> Result<Self, Fault> {
        Ok(Self { path: path.parent().unwrap_or(Path::new("/")).to_owned(), folder: around(path)? })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its device and inode.
    ///
    /// # Errors
    /// The system's.
    pub fn id(&self) -> Result<(u64, u64), Fault> {
        let stat = fstat(&self.folder).map_err(|error| files::fault("look at", &self.path, &error.into()))?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// What its file system has left.
    ///
    /// # Errors
    /// The system's.
    pub fn room(&self) -> Result<Room, Fault> {
        let all = fstatvfs(&self.folder).map_err(|error| files::fault("look at", &self.path, &error.into()))?;
        // Not what is reserved for root, also as root: services need it when the disk is full.
        Ok(Room { bytes: all.f_bavail.saturating_mul(all.f_frsize), files: (all.f_files > 0).then_some(all.f_favail) })
    }

    /// Refuses where this login may not create anything.
    ///
    /// # Errors
    /// It may not.
    pub fn writable(&self) -> Result<(), Fault> {
        accessat(&self.folder, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)
            .map_err(|error| files::fault("write in", &self.path, &error.into()))
    }

    /// Whether it has an entry of this name.
    pub fn has(&self, name: &str) -> bool {
        statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// The names in it that begin so, in order.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn beginning(&self, with: &str) -> Result<Vec<String>, Fault> {
        let names = names(&self.folder).map_err(|error| files::fault("list", &self.path, &error))?;
        Ok(names.into_iter().filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with(with)).collect())
    }

    /// Gives an entry of it another, free name in it, durably.
    ///
    /// # Errors
    /// [`Broken::Untouched`] when it was not renamed.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Broken> {
        renameat_with(&self.folder, from, &self.folder, to, RenameFlags::NOREPLACE)
            .map_err(|error| Broken::Untouched(files::fault("rename", &self.path.join(from), &error.into())))?;
        self.sync().map_err(Broken::Unknown)
    }

    /// Puts `new` in the place of `name`, which is `old` and is then called `kept`: at once where the file system can,
    /// else by two renames.
    ///
    /// # Errors
    /// [`Broken::Untouched`] when everything is as it was.
    pub fn replace(&self, name: &str, old: &EntryId, new: &str, kept: &str) -> Result<(), Broken> {
        let failed = |errno: Errno| {
            let fault = files::fault("replace", &self.path.join(name), &errno.into());
            Broken::Untouched(if errno == Errno::BUSY { fault.hint("It is a mount of its own.") } else { fault })
        };
        let is_old = |at: &str| {
            let stat = statat(&self.folder, at, AtFlags::SYMLINK_NOFOLLOW);
            stat.is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (old.dev, old.ino))
        };
        let another =
            || Broken::Untouched(Fault::new(format!("{} is another one now.", self.path.join(name).display())));
        if !is_old(name) {
            return Err(another());
        }
        match self.move_to(new, name, RenameFlags::EXCHANGE) {
            Ok(()) if is_old(new) => {
                self.move_to(new, kept, RenameFlags::NOREPLACE).map_err(|errno| self.unknown(new, errno))?;
            }
            // Somebody was quicker: what is theirs goes back.
            Ok(()) => {
                self.move_to(new, name, RenameFlags::EXCHANGE).map_err(|errno| self.unknown(name, errno))?;
                return Err(another());
            }
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                self.move_to(name, kept, RenameFlags::NOREPLACE).map_err(failed)?;
                self.move_to(new, name, RenameFlags::NOREPLACE).map_err(|errno| self.unknown(name, errno))?;
            }
            Err(errno) => return Err(failed(errno)),
        }
        self.sync().map_err(Broken::Unknown)
    }

    fn move_to(&self, from: &str, to: &str, how: RenameFlags) -> Result<(), Errno> {
        renameat_with(&self.folder, from, &self.folder, to, how)
    }

    fn unknown(&self, name: &str, errno: Errno) -> Broken {
        Broken::Unknown(files::fault("rename", &self.path.join(name), &errno.into()))
    }

    /// Creates a folder in it that only this user can enter.
    ///
    /// # Errors
    /// The name is taken, or the system's reason.
    pub fn private(&self, name: &str, uid: u32, gid: u32) -> Result<(), Fault> {
        let make = || {
            mkdirat(&self.folder, name, Mode::from_raw_mode(0o700))?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let folder = openat(&self.folder, name, flags, Mode::empty())?;
            let own = fstat(&folder)?;
            if own.st_uid == uid {
                return Ok(());
            }
            fchown(&folder, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
        };
        make().map_err(|errno| files::fault("make the folder", &self.path.join(name), &errno.into()))
    }

    /// Takes such a folder from its user again.
    ///
    /// # Errors
    /// The system's reason.
    pub fn take_back(&self, name: &str) -> Result<(), Fault> {
        let take = || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let folder = openat(&self.folder, name, flags, Mode::empty())?;
            fchown(&folder, Some(rustix::process::geteuid()), None)?;
            fchmod(&folder, Mode::from_raw_mode(0o700))
        };
        take().map_err(|errno| files::fault("take back the folder", &self.path.join(name), &errno.into()))
    }

    /// Creates a file in it (0600), complete and synced.
    ///
    /// # Errors
    /// The name is taken, or the system's reason.
    pub fn create(&self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let write = || {
            let mut file = File::from(openat(&self.folder, name, flags, Mode::from_raw_mode(0o600))?);
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|error| files::fault("write", &self.path.join(name), &error))
    }

    /// Reads a file in it that nobody else may write (safety.md 4.8).
    ///
    /// # Errors
    /// The rule that it breaks, larger than `limit` bytes, or the system's reason.
    pub fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, Fault> {
        let (path, owners) = (self.path.join(name), trust::Owners::effective());
        let file = trust::inside(&self.folder, OsStr::new(name), &path, owners)?;
        file.take_all(limit).map_err(|error| files::fault("read", &path, &error))
    }

    /// Makes its entries durable.
    ///
    /// # Errors
    /// The system's.
    pub fn sync(&self) -> Result<(), Fault> {
        rustix::fs::fsync(&self.folder).map_err(|error| files::fault("make durable", &self.path, &error.into()))
    }
}
