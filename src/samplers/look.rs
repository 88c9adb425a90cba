//! One look at a path, on a blocking thread: what lies there, and the beginning and end of its content. Opens without
//! following a link, waiting for a pipe or touching the access time; a folder is listed, one level deep.

use super::pick::fits;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::Path;

/// No more content is read, in bytes.
pub(crate) const CONTENT: usize = 1024 * 1024;
/// Of content beyond that: its beginning, which holds the head of a table.
const HEAD: usize = 64 * 1024;
/// Larger folders are not counted.
pub(crate) const ENTRIES: usize = 10_000;

/// What lies at a path.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) stat: Stat,
    pub(crate) content: Option<Content>,
    /// `Err` when the folder is too large.
    pub(crate) folder: Option<Result<Folder, TooMany>>,
}

/// Of a regular file.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) head: Vec<u8>,
    /// The end, where it does not fit together with the beginning; it begins anywhere in a line.
    pub(crate) tail: Option<Vec<u8>>,
}

/// The regular files of a folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) newest: Option<Entry>,
    pub(crate) oldest: Option<Entry>,
}

/// A file by its last change.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Seconds since the epoch.
    pub(crate) modified: f64,
    pub(crate) name: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct TooMany;

/// Seconds since the epoch.
pub(crate) fn modified(stat: &Stat) -> f64 {
    stat.st_mtime as f64 + stat.st_mtime_nsec as f64 / 1e9
}

/// Looks; reads the content when that is wanted, and counts the files of a folder that fit the pattern.
pub(crate) fn look(path: &Path, content: bool, names: &str) -> io::Result<Look> {
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
        FileType::Directory => seen.folder = Some(list(&open(path, OFlags::DIRECTORY)?, names)?),
        _ => {}
    }
    Ok(seen)
}

fn open(path: &Path, more: OFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    match openat(CWD, path, flags | OFlags::NOATIME, Mode::empty()) {
        // Only for the owner and root.
        Err(Errno::PERM) => openat(CWD, path, flags, Mode::empty()),
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

fn list(folder: &OwnedFd, names: &str) -> io::Result<Result<Folder, TooMany>> {
    let mut seen = Folder::default();
    for (count, entry) in Dir::read_from(folder)?.enumerate() {
        if count >= ENTRIES {
            return Ok(Err(TooMany));
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
