//! A copy of a tree, made where nobody else can reach it until it is whole: its root is 0700 and ours till the end.

use super::list::Listed;
use super::place::Place;
use super::walk::{DEEPEST, Seen, Visit, names, nanos, open, walk, whole};
use crate::base::Fault;
use crate::sys::entry::Entry;
use crate::sys::files;
use crate::sys::held::copy_attributes;
use rustix::fs::{
    Advice, AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid, chownat, fadvise, fchmod,
    fchown, fstat, fsync, ftruncate, futimens, linkat, mkdirat, openat, readlinkat, seek, statat, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::{Errno, pread, pwrite};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Read and written at once, in bytes.
const CHUNK: usize = 256 * 1024;
/// Of a hole so many bytes are counted at once.
const HOLE: u64 = 64 * 1024 * 1024;

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Files done.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Is told how far it is; false when it shall end there.
type Tell<'a> = &'a mut dyn FnMut(Progress) -> bool;

/// A copy that is whole and durable, but has not been read back.
pub struct Copied {
    /// Every file.
    pub rows: Vec<Listed>,
}

/// Copies a file or a folder to a name in `to` that must be free. A file that is written to meanwhile is an error.
///
/// # Errors
/// The first thing that could not be copied, kept or made durable; a part of the copy may be left.
pub fn copy(entry: &Entry, to: &Place, name: &str, tell: Tell<'_>) -> Result<Copied, Fault> {
    let mut work = Copying {
        from: entry.path(),
        to,
        name: OsString::from(name),
        folders: Vec::new(),
        first: BTreeMap::new(),
        rows: Vec::new(),
        done: Progress::default(),
        chunk: vec![0; CHUNK],
        tell,
    };
    walk(entry, &mut work)?;
    to.sync()?;
    Ok(Copied { rows: work.rows })
}

struct Copying<'a> {
    from: &'a Path,
    to: &'a Place,
    name: OsString,
    /// Those that are open in the copy, outermost first.
    folders: Vec<OwnedFd>,
    /// Of files with several names: the first of them and its digest.
    first: BTreeMap<u64, (PathBuf, String)>,
    rows: Vec<Listed>,
    done: Progress,
    chunk: Vec<u8>,
    tell: Tell<'a>,
}

impl Copying<'_> {
    fn fault(&self, doing: &str, path: &Path, error: &io::Error) -> Fault {
        files::fault(doing, &whole(self.from, path), error)
    }

    /// Where the entry goes: a folder of the copy, and its name there.
    fn place<'b>(&'b self, seen: &Seen<'b>) -> (BorrowedFd<'b>, &'b OsStr) {
        match self.folders.last() {
            Some(folder) => (folder.as_fd(), seen.name),
            None => (self.to.folder.as_fd(), self.name.as_os_str()),
        }
    }

    fn file(&mut self, seen: &Seen<'_>) -> io::Result<String> {
        let from = open(seen.dir, seen.name, OFlags::RDONLY)?;
        let before = fstat(&from)?;
        if (before.st_dev, before.st_ino) != (seen.stat.st_dev, seen.stat.st_ino) {
            return Err(io::Error::other("it was replaced at this moment"));
        }
        let (dir, name) = self.place(seen);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to = openat(dir, name, flags, Mode::from_raw_mode(0o600))?;
        let digest = self.content(&from, &to, u64::try_from(before.st_size).unwrap_or(0))?;
        let after = fstat(&from)?;
        let touched = |stat: &Stat| (stat.st_size, nanos(stat.st_mtime, stat.st_mtime_nsec));
        if touched(&after) != touched(&before) {
            let grown = after.st_size - before.st_size;
            return Err(io::Error::other(if grown > 0 {
                format!(
                    "it is being written to: {grown} bytes more by now; stop what writes there, or copy what its rotation has left"
                )
            } else {
                "it is being written to; stop what writes there first".to_owned()
            }));
        }
        keep(&before, from.as_fd(), to.as_fd())?;
        fsync(&to)?;
        // So that reading back asks the disk.
        let _best_effort = fadvise(&to, 0, None, Advice::DontNeed);
        Ok(digest)
    }

    /// Copies what holds data and leaves holes; the digest counts a hole as zeros.
    fn content(&mut self, from: &OwnedFd, to: &OwnedFd, size: u64) -> io::Result<String> {
        let (mut digest, mut at) = (Sha256::new(), 0);
        ftruncate(to, size)?;
        while at < size {
            let data = match seek(from, SeekFrom::Data(at)) {
                Ok(data) => data.min(size),
                Err(Errno::NXIO) => size,
                Err(Errno::INVAL) => at,
                Err(errno) => return Err(errno.into()),
            };
            while at < data {
                let part = (data - at).min(HOLE);
                zeros(&mut digest, part);
                at += part;
                go_on((self.tell)(self.done))?;
            }
            // At least one byte on, whatever is punched meanwhile.
            let end = seek(from, SeekFrom::Hole(data)).unwrap_or(size).max(data.saturating_add(1)).min(size);
            while at < end {
                let most = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
                let Some(chunk) = self.chunk.get_mut(..most) else { break };
                let got = pread(from, &mut *chunk, at)?;
                let Some(part) = chunk.get(..got).filter(|part| !part.is_empty()) else {
                    return Err(io::Error::other("it became shorter while it was read"));
                };
                digest.update(part);
                write_at(to, part, at)?;
                at += u64::try_from(got).unwrap_or(0);
                self.done.bytes += u64::try_from(got).unwrap_or(0);
                go_on((self.tell)(self.done))?;
            }
        }
        Ok(files::hex(&digest.finalize()))
    }

    fn link(&self, seen: &Seen<'_>) -> io::Result<()> {
        let target = readlinkat(seen.dir, seen.name, Vec::new())?;
        let (dir, name) = self.place(seen);
        symlinkat(&target, dir, name)?;
        let own = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if (own.st_uid, own.st_gid) != (seen.stat.st_uid, seen.stat.st_gid) {
            let (uid, gid) = (Uid::from_raw(seen.stat.st_uid), Gid::from_raw(seen.stat.st_gid));
            chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(utimensat(dir, name, &times(&seen.stat), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Another name of a file that is in the copy already.
    fn again(&self, seen: &Seen<'_>, first: &Path) -> io::Result<()> {
        let (dir, name) = self.place(seen);
        match self.folders.first() {
            // All of it is below the root of the copy, which only we can enter.
            Some(root) => Ok(linkat(root, first, dir, name, AtFlags::empty())?),
            None => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl Visit for Copying<'_> {
    fn leaf(&mut self, seen: &Seen<'_>) -> Result<(), Fault> {
        match seen.kind {
            FileType::RegularFile => {
                let known = self.first.get(&seen.stat.st_ino).cloned();
                let digest = if let Some((first, digest)) = known {
                    self.again(seen, &first).map(|()| digest)
                } else {
                    self.file(seen)
                };
                let digest = digest.map_err(|error| self.fault("copy", seen.path, &error))?;
                if seen.stat.st_nlink > 1 {
                    self.first.entry(seen.stat.st_ino).or_insert_with(|| (seen.path.to_owned(), digest.clone()));
                }
                self.rows.push((seen.path.to_owned(), digest));
                self.done.files += 1;
                go_on((self.tell)(self.done)).map_err(|error| self.fault("copy", seen.path, &error))
            }
            FileType::Symlink => self.link(seen).map_err(|error| self.fault("copy the link", seen.path, &error)),
            _ => {
                let what = whole(self.from, seen.path);
                Err(Fault::new(format!("{} is neither a file, a folder nor a link.", what.display())))
            }
        }
    }

    fn enter(&mut self, seen: &Seen<'_>, _: &OwnedFd) -> Result<(), Fault> {
        let (dir, name) = self.place(seen);
        let made = mkdirat(dir, name, Mode::from_raw_mode(0o700))
            .map_err(io::Error::from)
            .and_then(|()| open(dir, name, OFlags::RDONLY | OFlags::DIRECTORY))
            .and_then(|folder| ours(&folder).map(|()| folder));
        self.folders.push(made.map_err(|error| self.fault("copy the folder", seen.path, &error))?);
        Ok(())
    }

    fn leave(&mut self, seen: &Seen<'_>, folder: &OwnedFd) -> Result<(), Fault> {
        let Some(made) = self.folders.pop() else { return Ok(()) };
        keep(&seen.stat, folder.as_fd(), made.as_fd())
            .and_then(|()| Ok(fsync(&made)?))
            .map_err(|error| self.fault("copy the folder", seen.path, &error))
    }
}

/// Whoever owns the folder around may have put another one in its place: one with something in it is not given away.
fn ours(folder: &OwnedFd) -> io::Result<()> {
    let own = fstat(folder)?.st_uid == rustix::process::geteuid().as_raw();
    if own && names(folder)?.is_empty() { Ok(()) } else { Err(io::Error::other("it was replaced at this moment")) }
}

/// Gives a file in `place` the owner, mode, attributes and times of an entry that is a file.
///
/// # Errors
/// What could not be kept.
pub fn take_on(place: &Place, name: &str, like: &Entry) -> Result<(), Fault> {
    let (dir, theirs) = like.place();
    let take = || {
        let from = open(dir, theirs, OFlags::RDONLY)?;
        let to = open(place.folder.as_fd(), OsStr::new(name), OFlags::RDONLY)?;
        keep(&fstat(&from)?, from.as_fd(), to.as_fd())?;
        Ok(fsync(&to)?)
    };
    take().map_err(|error: io::Error| files::fault("keep the owner and mode of", like.path(), &error))
}

/// The first bytes of an entry that is a file; fewer when it is shorter.
///
/// # Errors
/// It cannot be read.
pub fn beginning(entry: &Entry, length: usize) -> Result<Vec<u8>, Fault> {
    let (dir, name) = entry.place();
    let read = || {
        let mut bytes = vec![0; length];
        let got = pread(open(dir, name, OFlags::RDONLY)?, &mut *bytes, 0)?;
        bytes.truncate(got);
        Ok(bytes)
    };
    read().map_err(|error: io::Error| files::fault("read", entry.path(), &error))
}

/// Creates an empty file in `place`, of a free name, with the owner, mode and attributes of an entry that is a file.
///
/// # Errors
/// What could not be made or kept.
pub fn empty_like(place: &Place, name: &str, like: &Entry) -> Result<(), Fault> {
    let (dir, theirs) = like.place();
    let make = || {
        let from = open(dir, theirs, OFlags::RDONLY)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to = openat(&place.folder, name, flags, Mode::from_raw_mode(0o600))?;
        keep_rights(&fstat(&from)?, from.as_fd(), to.as_fd())?;
        Ok(fsync(&to)?)
    };
    make().map_err(|error: io::Error| files::fault("make an empty file like", like.path(), &error))
}

/// Owner first: changing it clears bits of the mode. Times last.
fn keep(stat: &Stat, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    keep_rights(stat, from, to)?;
    Ok(futimens(to, &times(stat))?)
}

fn keep_rights(stat: &Stat, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let own = fstat(to)?;
    if (own.st_uid, own.st_gid) != (stat.st_uid, stat.st_gid) {
        fchown(to, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    }
    fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    copy_attributes(from, to)
}

#[expect(clippy::useless_conversion, reason = "the width of nanoseconds differs between targets")]
fn times(stat: &Stat) -> Timestamps {
    let at = |seconds: i64, nanos: i64| Timespec { tv_sec: seconds, tv_nsec: nanos };
    Timestamps {
        last_access: at(stat.st_atime.into(), i64::try_from(stat.st_atime_nsec).unwrap_or(0)),
        last_modification: at(stat.st_mtime.into(), i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
    }
}

fn go_on(wanted: bool) -> io::Result<()> {
    if wanted { Ok(()) } else { Err(io::Error::other("the operator ended it")) }
}

fn write_at(to: &OwnedFd, mut part: &[u8], mut at: u64) -> io::Result<()> {
    while !part.is_empty() {
        let wrote = match pwrite(to, part, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(wrote) => wrote,
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        part = part.get(wrote..).unwrap_or_default();
        at += u64::try_from(wrote).unwrap_or(0);
    }
    Ok(())
}

fn zeros(digest: &mut Sha256, mut length: u64) {
    const NONE: [u8; 4096] = [0; 4096];
    while length > 0 {
        let most = usize::try_from(length).unwrap_or(NONE.len()).min(NONE.len());
        digest.update(NONE.get(..most).unwrap_or_default());
        length -= u64::try_from(most).unwrap_or(length);
    }
}

/// Reads every file of a copy and holds it against its list; the list must name each, and no other.
///
/// # Errors
/// The first file that differs, is missing, or is not listed.
pub fn read_back(entry: &Entry, rows: &[Listed], tell: Tell<'_>) -> Result<(), Fault> {
    let left = rows.iter().map(|(path, digest)| (path.as_path(), digest.as_str())).collect();
    let mut reading = Reading { of: entry.path(), left, done: Progress::default(), chunk: vec![0; CHUNK], tell };
    walk(entry, &mut reading)?;
    match reading.left.first_key_value() {
        None => Ok(()),
        Some((path, _)) => Err(Fault::new(format!("{} is missing.", whole(entry.path(), path).display()))),
    }
}

struct Reading<'a> {
    of: &'a Path,
    left: BTreeMap<&'a Path, &'a str>,
    done: Progress,
    chunk: Vec<u8>,
    tell: Tell<'a>,
}

impl Reading<'_> {
    fn digest(&mut self, seen: &Seen<'_>) -> io::Result<String> {
        let file = open(seen.dir, seen.name, OFlags::RDONLY)?;
        let (mut digest, mut at) = (Sha256::new(), 0);
        loop {
            let got = pread(&file, &mut *self.chunk, at)?;
            if got == 0 {
                return Ok(files::hex(&digest.finalize()));
            }
            digest.update(self.chunk.get(..got).unwrap_or_default());
            at += u64::try_from(got).unwrap_or(0);
            self.done.bytes += u64::try_from(got).unwrap_or(0);
            go_on((self.tell)(self.done))?;
        }
    }
}

impl Visit for Reading<'_> {
    fn leaf(&mut self, seen: &Seen<'_>) -> Result<(), Fault> {
        if seen.kind != FileType::RegularFile {
            return Ok(());
        }
        let path = whole(self.of, seen.path);
        let wanted = self.left.remove(seen.path);
        let wanted = wanted.ok_or_else(|| Fault::new(format!("{} is not on the list.", path.display())))?;
        let found = self.digest(seen).map_err(|error| files::fault("read", &path, &error))?;
        if found != wanted {
            return Err(Fault::new(format!("{} does not read back as it was written.", path.display())));
        }
        self.done.files += 1;
        go_on((self.tell)(self.done)).map_err(|error| files::fault("read", &path, &error))
    }

    fn enter(&mut self, _: &Seen<'_>, _: &OwnedFd) -> Result<(), Fault> {
        Ok(())
    }
}

/// Removes an entry of a folder with everything in it, following no link. What is not there is removed already.
///
/// # Errors
/// What could not be removed.
pub fn remove(place: &Place, name: &str) -> Result<(), Fault> {
    take_away(place.folder.as_fd(), OsStr::new(name), 0)
        .map_err(|error| files::fault("remove", &place.path.join(name), &error))
}

fn take_away(dir: BorrowedFd<'_>, name: &OsStr, depth: usize) -> io::Result<()> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) if depth <= DEEPEST => {}
        Err(errno) => return Err(errno.into()),
    }
    let folder = open(dir, name, OFlags::RDONLY | OFlags::DIRECTORY)?;
    for inside in names(&folder)? {
        take_away(folder.as_fd(), &inside, depth + 1)?;
    }
    Ok(unlinkat(dir, name, AtFlags::REMOVEDIR)?)
}
