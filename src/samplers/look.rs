//! One look at a path, on a blocking thread: what lies there, and the beginning and end of its content. Opens without
//! following a link, waiting for a pipe or touching the access time; a folder is listed, one level deep or whole.

use super::pick::fits;
use crate::base::{Clock, Mono};
use crate::sys::clock::RealClock;
use core::time::Duration;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;
use rustix::path::Arg;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// No more content is read, in bytes.
pub(crate) const CONTENT: usize = 1024 * 1024;
/// Of content beyond that: its beginning, which holds the head of a table.
const HEAD: usize = 64 * 1024;
/// Larger folders are not counted.
const ENTRIES: usize = 10_000;
/// Nor trees that are larger, deeper, or take longer: an attempt must end.
const TREE: usize = 200_000;
const DEPTH: usize = 64;
const TIME: Duration = Duration::from_secs(3);

/// What lies at a path.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) stat: Stat,
    pub(crate) content: Option<Content>,
    /// `Err` says why it is not counted, as the end of a sentence.
    pub(crate) folder: Option<Result<Folder, String>>,
}

/// Of a regular file.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) head: Vec<u8>,
    /// The end, where it does not fit together with the beginning; it begins anywhere in a line.
    pub(crate) tail: Option<Vec<u8>>,
}

/// How a folder is counted.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    /// The pattern of the files that count.
    pub(crate) names: String,
    /// With all that lies below it, on the same file system.
    pub(crate) deep: bool,
}

/// The regular files of a folder; one with several names in a tree counts once.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) newest: Option<Entry>,
    pub(crate) oldest: Option<Entry>,
    /// Folders in it that could not be listed.
    pub(crate) unread: u64,
}

/// A file by its last change.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Seconds since the epoch.
    pub(crate) modified: f64,
    pub(crate) name: Vec<u8>,
}

/// Seconds since the epoch.
pub(crate) fn modified(stat: &Stat) -> f64 {
    stat.st_mtime as f64 + stat.st_mtime_nsec as f64 / 1e9
}

/// Looks; reads the content when that is wanted, and counts the files of a folder where somebody says how.
pub(crate) fn look(path: &Path, content: bool, counted: Option<&Counted>) -> io::Result<Look> {
    let place = openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let stat = fstat(&place)?;
    let mut seen = Look { stat, content: None, folder: None };
    match FileType::from_raw_mode(seen.stat.st_mode) {
        FileType::RegularFile if content => {
            let file = open(path, OFlags::empty())?;
            // By the descriptor that is read: the name may have passed to another file.
            seen.stat = fstat(&file)?;
            seen.content = Some(read(File::from(file))?);
        }
        FileType::Directory => {
            let count = |counted: &Counted| {
                let folder = open(path, OFlags::DIRECTORY)?;
                if counted.deep { walk(&folder, &counted.names) } else { list(&folder, &counted.names) }
            };
            seen.folder = counted.map(count).transpose()?;
        }
        _ => {}
    }
    Ok(seen)
}

fn open(path: &Path, more: OFlags) -> Result<OwnedFd, Errno> {
    open_at(CWD, path, more)
}

fn open_at(folder: impl AsFd + Copy, path: impl Arg + Copy, more: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    match openat(folder, path, flags | OFlags::NOATIME, Mode::empty()) {
        // Only for the owner and root.
        Err(Errno::PERM) => openat(folder, path, flags, Mode::empty()),
        other => other,
    }
}

fn read(mut file: File) -> io::Result<Content> {
    let mut head = Vec::new();
    (&mut file).take(CONTENT as u64 + 1).read_to_end(&mut head)?;
    if head.len() <= CONTENT {
        return Ok(Content { head, tail: None });
    }
    let tail_length = (CONTENT - HEAD) as u64;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(tail_length)))?;
    let mut tail = Vec::new();
    file.take(tail_length).read_to_end(&mut tail)?;
    head.truncate(HEAD);
    Ok(Content { head, tail: Some(tail) })
}

fn list(folder: &OwnedFd, names: &str) -> io::Result<Result<Folder, String>> {
    let mut seen = Folder::default();
    for (count, entry) in Dir::read_from(folder)?.enumerate() {
        if count >= ENTRIES {
            return Ok(Err(format!("holds more than {ENTRIES} entries")));
        }
        let entry = entry?;
        let name = entry.file_name();
        if !fits(names, &name.to_string_lossy()) {
            continue;
        }
        // Gone since it was listed.
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            seen.add(&stat, name.to_bytes());
        }
    }
    Ok(Ok(seen))
}

/// One walk through a tree.
struct Walk<'a> {
    names: &'a str,
    device: u64,
    end: Mono,
    left: usize,
    /// Files with several names that were met.
    met: HashSet<u64>,
    seen: Folder,
}

fn walk(folder: &OwnedFd, names: &str) -> io::Result<Result<Folder, String>> {
    let device = fstat(folder)?.st_dev;
    let end = RealClock.now().mono + TIME;
    let mut walk = Walk { names, device, end, left: TREE, met: HashSet::new(), seen: Folder::default() };
    Ok(walk.through(folder, Path::new(""), 0).map(|()| walk.seen))
}

impl Walk<'_> {
    fn through(&mut self, folder: &OwnedFd, below: &Path, depth: usize) -> Result<(), String> {
        if depth >= DEPTH {
            return Err(format!("is deeper than {DEPTH} folders"));
        }
        let Ok(entries) = Dir::read_from(folder) else {
            self.seen.unread += 1;
            return Ok(());
        };
        for entry in entries.map_while(Result::ok) {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.left = self.left.checked_sub(1).ok_or_else(|| format!("holds more than {TREE} entries"))?;
            if self.left.is_multiple_of(256) && RealClock.now().mono > self.end {
                return Err(format!("could not be walked within {} s", TIME.as_secs()));
            }
            // Gone since it was listed.
            let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let path = below.join(std::ffi::OsStr::from_bytes(name.to_bytes()));
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile if fits(self.names, &name.to_string_lossy()) => {
                    let first = stat.st_nlink <= 1 || self.met.insert(stat.st_ino);
                    if first {
                        self.seen.add(&stat, path.as_os_str().as_bytes());
                    }
                }
                FileType::Directory if stat.st_dev == self.device => match open_at(folder, name, OFlags::DIRECTORY) {
                    Ok(inner) => self.through(&inner, &path, depth + 1)?,
                    Err(Errno::NOENT) => {}
                    Err(_) => self.seen.unread += 1,
                },
                _ => {}
            }
        }
        Ok(())
    }
}

impl Folder {
    fn add(&mut self, stat: &Stat, name: &[u8]) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(u64::try_from(stat.st_size).unwrap_or(0));
        let modified = modified(stat);
        let entry = || Some(Entry { modified, name: name.to_vec() });
        if self.newest.as_ref().is_none_or(|newest| modified > newest.modified) {
            self.newest = entry();
        }
        if self.oldest.as_ref().is_none_or(|oldest| modified < oldest.modified) {
            self.oldest = entry();
        }
    }
}
