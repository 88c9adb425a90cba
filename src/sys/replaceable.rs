//! Whether what stands in a folder can be replaced, renamed or given away at all, as far as that shows beforehand: the
//! kernel says no to a mount, to a file system that is read-only, and to what is locked against changes.

use super::files;
use crate::base::Fault;
use rustix::fs::{AtFlags, StatVfsMountFlags, Statx, StatxAttributes, StatxFlags, fstatvfs, statx};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

const ASKED: StatxFlags = StatxFlags::MNT_ID;
const LOCKED: StatxAttributes = StatxAttributes::IMMUTABLE.union(StatxAttributes::APPEND);

/// What the kernel says of an entry that is open.
pub(super) fn of(entry: impl AsFd) -> Option<Statx> {
    statx(entry, "", AtFlags::EMPTY_PATH, ASKED).ok()
}

/// What it says of one by its name.
pub(super) fn named(folder: BorrowedFd<'_>, name: &OsStr) -> Option<Statx> {
    statx(folder, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, ASKED).ok()
}

/// Refuses what cannot be given another name or another content in its folder.
///
/// # Errors
/// A mount of its own, a file system that is read-only, an entry or a folder that is locked against changes or that this
/// login may not write in.
pub(super) fn replaceable(path: &Path, entry: Option<&Statx>, folder: BorrowedFd<'_>) -> Result<(), Fault> {
    let around = of(folder);
    if let (Some(entry), Some(around)) = (entry, &around)
        && is_mount(entry, around)
    {
        return refuse(path, "is a mount of its own", "Change it where it comes from.");
    }
    unlocked(path, entry)?;
    writable(path, folder)?;
    if around.is_some_and(|around| around.stx_attributes.intersects(LOCKED)) {
        return refuse(path, "lies in a folder that is locked against changes (chattr)", ASK);
    }
    if path.parent().is_some_and(|folder| !files::may_write(folder)) {
        return refuse(
            path,
            "lies in a folder that this login may not write in",
            "Start the console as a user who may.",
        );
    }
    Ok(())
}

/// An older kernel tells no mounts apart, only devices.
const fn is_mount(entry: &Statx, around: &Statx) -> bool {
    if StatxFlags::from_bits_retain(entry.stx_mask).contains(ASKED) {
        return entry.stx_mnt_id != around.stx_mnt_id;
    }
    entry.stx_dev_major != around.stx_dev_major || entry.stx_dev_minor != around.stx_dev_minor
}

/// Refuses what cannot be given to somebody else where it stands.
///
/// # Errors
/// A file system that is read-only, an entry that is locked against changes.
pub(super) fn changeable(path: &Path, entry: impl AsFd) -> Result<(), Fault> {
    unlocked(path, of(&entry).as_ref())?;
    writable(path, entry.as_fd())
}

const ASK: &str = "Somebody meant that: ask them first.";

fn unlocked(path: &Path, entry: Option<&Statx>) -> Result<(), Fault> {
    match entry {
        Some(entry) if entry.stx_attributes.intersects(LOCKED) => {
            refuse(path, "is locked against changes (chattr)", ASK)
        }
        _ => Ok(()),
    }
}

fn writable(path: &Path, at: BorrowedFd<'_>) -> Result<(), Fault> {
    let flags = fstatvfs(at).map(|found| found.f_flag);
    if flags.is_ok_and(|flags| flags.contains(StatVfsMountFlags::RDONLY)) {
        return refuse(path, "lies on a file system that is mounted read-only", "Change it where it comes from.");
    }
    Ok(())
}

fn refuse(path: &Path, what: &str, hint: &str) -> Result<(), Fault> {
    Err(Fault::new(format!("{} {what}.", path.display())).hint(hint))
}
