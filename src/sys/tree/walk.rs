//! The way through a tree: by descriptors, names in order, following no link and crossing no mount.

use crate::base::Fault;
use crate::sys::aside::heard;
use crate::sys::entry::Entry;
use crate::sys::files;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A tree of more entries is no target: its list would not fit into memory.
pub const MOST: u64 = 200_000;
/// Nor is one with folders nested deeper.
pub(super) const DEEPEST: usize = 100;

/// One entry on the way through a tree.
pub struct Seen<'a> {
    /// The folder that it is in.
    pub dir: BorrowedFd<'a>,
    /// Its name there.
    pub name: &'a OsStr,
    /// From the root of the tree; empty for the root.
    pub path: &'a Path,
    /// What it is.
    pub kind: FileType,
    /// What the system says of it.
    pub stat: Stat,
}

/// What is done on the way.
pub trait Visit {
    /// Anything but a folder.
    ///
    /// # Errors
    /// Then the walk ends.
    fn leaf(&mut self, seen: &Seen<'_>) -> Result<(), Fault>;
    /// A folder, before what is in it.
    ///
    /// # Errors
    /// Then the walk ends.
    fn enter(&mut self, seen: &Seen<'_>, folder: &OwnedFd) -> Result<(), Fault>;
    /// A folder, after what is in it.
    ///
    /// # Errors
    /// Then the walk ends.
    fn leave(&mut self, _seen: &Seen<'_>, _folder: &OwnedFd) -> Result<(), Fault> {
        Ok(())
    }
}

/// Walks through a file or a folder, names in order.
///
/// # Errors
/// What cannot be read, a mount below it, too many entries, or the visitor's.
pub fn walk(entry: &Entry, visit: &mut dyn Visit) -> Result<(), Fault> {
    let (dir, name) = entry.place();
    let mut walk = Walk { top: entry.path(), dev: entry.id().dev, seen: 0, visit };
    walk.step(dir, name, &mut PathBuf::new(), 0)
}

struct Walk<'a> {
    top: &'a Path,
    dev: u64,
    seen: u64,
    visit: &'a mut dyn Visit,
}

impl Walk<'_> {
    fn step(&mut self, dir: BorrowedFd<'_>, name: &OsStr, path: &mut PathBuf, depth: usize) -> Result<(), Fault> {
        heard();
        let top = self.top;
        let failed = |path: &Path, error: io::Error| files::fault("look at", &whole(top, path), &error);
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| failed(path, error.into()))?;
        self.check(&stat, path, depth)?;
        let mut seen = Seen { dir, name, path, kind: FileType::from_raw_mode(stat.st_mode), stat };
        if seen.kind != FileType::Directory {
            return self.visit.leaf(&seen);
        }
        let folder = open(dir, name, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|error| failed(seen.path, error))?;
        let opened = fstat(&folder).map_err(|error| failed(seen.path, error.into()))?;
        if (opened.st_dev, opened.st_ino) != (stat.st_dev, stat.st_ino) {
            return Err(Fault::new(format!("{} was replaced at this moment.", whole(top, seen.path).display())));
        }
        seen.stat = opened;
        self.visit.enter(&seen, &folder)?;
        let kept = seen.path.to_owned();
        for inside in names(&folder).map_err(|error| failed(&kept, error))? {
            path.push(&inside);
            self.step(folder.as_fd(), &inside, path, depth + 1)?;
            path.pop();
        }
        let seen = Seen { dir, name, path, kind: FileType::Directory, stat: opened };
        self.visit.leave(&seen, &folder)
    }

    fn check(&mut self, stat: &Stat, path: &Path, depth: usize) -> Result<(), Fault> {
        let whole = whole(self.top, path);
        if stat.st_dev != self.dev {
            return Err(Fault::new(format!("{} is a mount of its own.", whole.display()))
                .hint("Name each file system by an action of its own."));
        }
        self.seen += 1;
        if self.seen > MOST || depth > DEEPEST {
            let what = format!("{} holds more than {MOST} entries, or is nested too deep.", self.top.display());
            return Err(Fault::new(what).hint("Name a smaller folder."));
        }
        Ok(())
    }
}

/// A path of the tree, from `/`.
pub(super) fn whole(top: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() { top.to_owned() } else { top.join(path) }
}

pub(super) fn open(dir: BorrowedFd<'_>, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
    Ok(openat(dir, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?)
}

/// The names in a folder, in order.
pub(super) fn names(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// A time of a file, since the epoch.
#[expect(clippy::useless_conversion, reason = "the width of nanoseconds differs between targets")]
pub(super) fn nanos(seconds: i64, nanos: impl TryInto<i64>) -> i64 {
    i64::from(seconds).saturating_mul(1_000_000_000).saturating_add(nanos.try_into().unwrap_or(0))
}
