//! A file or a folder in its folder, held by the folder's descriptor: looked at and renamed without following a link.

use super::files;
use super::replaceable;
use crate::base::Fault;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat, fstat, fsync, openat, renameat_with, statat};
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// More entries of a folder are not counted.
const MOST: u64 = 100_000;

/// Which entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryId {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// A folder; else a file.
    pub folder: bool,
}

/// An entry that is held.
#[derive(Debug)]
pub struct Entry {
    path: PathBuf,
    folder: OwnedFd,
    name: OsString,
    id: EntryId,
}

impl Entry {
    /// Opens the folder of an absolute path without following links, and looks at the entry.
    ///
    /// # Errors
    /// A link, neither a file nor a folder, or a folder around it that others may change.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let name = path.file_name().ok_or_else(|| Fault::new(format!("{} names nothing.", path.display())))?;
        let failed = |error: &io::Error| files::fault("look at", path, error);
        let folder = around(path)?;
        let stat = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| failed(&error.into()))?;
        let id = id(&stat).ok_or_else(|| Fault::new(format!("{} is neither a file nor a folder.", path.display())))?;
        Ok(Self { path: path.to_owned(), folder, name: name.to_owned(), id })
    }

    /// Which one it is.
    pub const fn id(&self) -> &EntryId {
        &self.id
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its folder, and its name there.
    pub(super) fn place(&self) -> (BorrowedFd<'_>, &OsStr) {
        (self.folder.as_fd(), &self.name)
    }

    /// Whether it is a file with other names (hard links).
    pub fn is_linked(&self) -> bool {
        let now = statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW);
        !self.id.folder && now.is_ok_and(|now| now.st_nlink > 1)
    }

    /// Whether its folder has an entry of this name.
    pub fn has_beside(&self, name: &str) -> bool {
        statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Files in it and their bytes; `None` when there are too many to count.
    pub fn size(&self) -> Option<(u64, u64)> {
        let (mut open, mut files, mut bytes, mut seen) = (vec![self.path.clone()], 0, 0, 0);
        while let Some(path) = open.pop() {
            let Ok(meta) = path.symlink_metadata() else { continue };
            seen += 1;
            if seen > MOST {
                return None;
            }
            if meta.is_dir() {
                let inside = std::fs::read_dir(&path).into_iter().flatten();
                open.extend(inside.filter_map(|entry| entry.ok().map(|entry| entry.path())));
            } else {
                files += 1;
                bytes += meta.len();
            }
        }
        Some((files, bytes))
    }

    /// Whether it can be renamed or replaced at all, as far as that can be seen beforehand.
    ///
    /// # Errors
    /// As [`Held::replaceable`](super::held::Held::replaceable).
    pub fn replaceable(&self) -> Result<(), Fault> {
        let entry = replaceable::named(self.folder.as_fd(), &self.name);
        replaceable::replaceable(&self.path, entry.as_ref(), self.folder.as_fd())
    }

    /// Whether its owner can be changed at all, likewise.
    ///
    /// # Errors
    /// A file system that is read-only, an entry that is locked against changes.
    pub fn changeable(&self) -> Result<(), Fault> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        // What cannot be opened is told by whoever reads it.
        openat(&self.folder, &self.name, flags, Mode::empty())
            .map_or(Ok(()), |entry| replaceable::changeable(&self.path, entry))
    }

    /// Gives it another name in its folder, which must be free.
    ///
    /// # Errors
    /// The system's: it was not renamed.
    pub fn rename(&self, to: &str) -> Result<(), Fault> {
        renameat_with(&self.folder, &self.name, &self.folder, to, RenameFlags::NOREPLACE)
            .map_err(|error| files::fault("rename", &self.path, &error.into()))
    }

    /// Makes a rename durable.
    ///
    /// # Errors
    /// The system's.
    pub fn sync_folder(&self) -> Result<(), Fault> {
        fsync(&self.folder).map_err(|error| files::fault("make durable the folder of", &self.path, &error.into()))
    }
}

/// The folder around an absolute path, reached without a link.
///
/// # Errors
/// A link, or others may change it.
pub(super) fn around(path: &Path) -> Result<OwnedFd, Fault> {
    let Some(parent) = path.parent() else { return Err(Fault::new(format!("{} names nothing.", path.display()))) };
    let failed = |error: &io::Error| files::fault("look at", path, error);
    let folder =
        files::open_without_links(parent, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|error| failed(&error))?;
    let stat = fstat(&folder).map_err(|error| failed(&error.into()))?;
    if stat.st_mode & 0o022 != 0 && stat.st_mode & 0o1000 == 0 {
        return Err(Fault::new(format!("others may change the folder {}.", parent.display()))
            .hint(format!("Mend it: chmod go-w {}", parent.display())));
    }
    Ok(folder)
}

fn id(stat: &Stat) -> Option<EntryId> {
    let folder = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => true,
        FileType::RegularFile => false,
        _ => return None,
    };
    Some(EntryId { dev: stat.st_dev, ino: stat.st_ino, folder })
}
