//! Whom everything in a tree belongs to: recorded, given away by descriptor, and put back as the record says.

use super::list::{escaped_path, unescaped};
use super::walk::{Seen, Visit, open, walk, whole};
use crate::base::Fault;
use crate::sys::entry::Entry;
use crate::sys::files;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, chownat, fchmod, fstat, fsync};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Whom an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Owned {
    /// Inode.
    pub ino: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

impl Owned {
    fn of(stat: &rustix::fs::Stat) -> Self {
        Self { ino: stat.st_ino, uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 }
    }
}

/// All of a tree, by the path from its root.
pub type Owners = BTreeMap<PathBuf, Owned>;

/// What an entry is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Inode that it must still have.
    pub ino: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits; `None` leaves what the kernel leaves: it takes away the right to run as the owner.
    pub mode: Option<u32>,
}

/// Whom everything belongs to.
///
/// # Errors
/// As [`walk`].
pub fn owners(entry: &Entry) -> Result<Owners, Fault> {
    let mut all = Recording(Owners::new());
    walk(entry, &mut all)?;
    Ok(all.0)
}

struct Recording(Owners);

impl Visit for Recording {
    fn leaf(&mut self, seen: &Seen<'_>) -> Result<(), Fault> {
        self.0.insert(seen.path.to_owned(), Owned::of(&seen.stat));
        Ok(())
    }

    fn enter(&mut self, seen: &Seen<'_>, _: &OwnedFd) -> Result<(), Fault> {
        self.leaf(seen)
    }
}

/// A record as text: a line for each entry, and last a digest of all before it.
pub fn write_owners(all: &Owners) -> Vec<u8> {
    let mut text = Vec::new();
    for (path, owned) in all {
        text.extend(format!("{} {} {:o} {} ", owned.uid, owned.gid, owned.mode, owned.ino).into_bytes());
        text.extend(escaped_path(path.as_os_str().as_bytes()));
        text.push(b'\n');
    }
    let digest = files::sha256(&text);
    text.extend(format!("end {digest}\n").into_bytes());
    text
}

/// Reads a record back.
///
/// # Errors
/// It is not whole.
pub fn read_owners(bytes: &[u8]) -> Result<Owners, Fault> {
    let broken = || Fault::new("the record of owners is not as it was written.");
    let end = bytes.len().saturating_sub("end \n".len() + 64);
    let (body, last) = bytes.split_at_checked(end).ok_or_else(broken)?;
    if last != format!("end {}\n", files::sha256(body)).as_bytes() {
        return Err(broken());
    }
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| row(line).ok_or_else(broken)).collect()
}

fn row(line: &[u8]) -> Option<(PathBuf, Owned)> {
    let mut parts = line.splitn(5, |byte| *byte == b' ');
    let mut word = || core::str::from_utf8(parts.next()?).ok();
    let (uid, gid) = (word()?.parse().ok()?, word()?.parse().ok()?);
    let (mode, ino) = (u32::from_str_radix(word()?, 8).ok()?, word()?.parse().ok()?);
    let path = unescaped(parts.next()?)?;
    Some((PathBuf::from(OsStr::from_bytes(&path)), Owned { ino, uid, gid, mode }))
}

/// Gives everything away that is named, inner entries first; nothing else is touched, and no link is followed. `done` counts
/// what was changed.
///
/// # Errors
/// The first entry that could not be changed, or is another one now.
pub fn give(
    entry: &Entry,
    to: &BTreeMap<PathBuf, Given>,
    done: &mut u64,
    tell: &mut dyn FnMut(u64),
) -> Result<(), Fault> {
    walk(entry, &mut Giving { top: entry.path(), to, done, tell })
}

struct Giving<'a> {
    top: &'a Path,
    to: &'a BTreeMap<PathBuf, Given>,
    done: &'a mut u64,
    tell: &'a mut dyn FnMut(u64),
}

impl Giving<'_> {
    fn change(&mut self, seen: &Seen<'_>) -> Result<(), Fault> {
        let Some(given) = self.to.get(seen.path) else { return Ok(()) };
        match change(seen, given) {
            Ok(()) => {
                *self.done += 1;
                (self.tell)(*self.done);
                Ok(())
            }
            Err(error) => Err(files::fault("change the owner of", &whole(self.top, seen.path), &error)),
        }
    }
}

impl Visit for Giving<'_> {
    fn leaf(&mut self, seen: &Seen<'_>) -> Result<(), Fault> {
        self.change(seen)
    }

    fn enter(&mut self, _: &Seen<'_>, _: &OwnedFd) -> Result<(), Fault> {
        Ok(())
    }

    fn leave(&mut self, seen: &Seen<'_>, _: &OwnedFd) -> Result<(), Fault> {
        self.change(seen)
    }
}

fn change(seen: &Seen<'_>, given: &Given) -> io::Result<()> {
    let held = open(seen.dir, seen.name, OFlags::PATH)?;
    let stat = fstat(&held)?;
    if (stat.st_dev, stat.st_ino) != (seen.stat.st_dev, given.ino) {
        return Err(io::Error::other("it is another one now"));
    }
    if (stat.st_uid, stat.st_gid) != (given.uid, given.gid) {
        chownat(&held, "", Some(Uid::from_raw(given.uid)), Some(Gid::from_raw(given.gid)), AtFlags::EMPTY_PATH)?;
    }
    let plain = matches!(seen.kind, FileType::RegularFile | FileType::Directory);
    let mode = given.mode.filter(|mode| plain && fstat(&held).is_ok_and(|now| now.st_mode & 0o7777 != *mode));
    if let Some(mode) = mode {
        let file = open(seen.dir, seen.name, OFlags::RDONLY)?;
        if fstat(&file)?.st_ino != given.ino {
            return Err(io::Error::other("it is another one now"));
        }
        fchmod(&file, Mode::from_raw_mode(mode))?;
    }
    if seen.kind == FileType::Directory {
        fsync(open(seen.dir, seen.name, OFlags::RDONLY | OFlags::DIRECTORY)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_a_damaged_one_does_not() {
        let owned = Owned { ino: 7, uid: 1, gid: 2, mode: 0o4755 };
        let all = Owners::from([(PathBuf::new(), owned), (PathBuf::from("a b\n\\c"), owned)]);
        let text = write_owners(&all);
        assert_eq!(read_owners(&text).unwrap(), all);
        for at in 0..text.len() {
            let mut damaged = text.clone();
            damaged[at] ^= 1;
            assert!(read_owners(&damaged).is_err() && read_owners(&text[..at]).is_err(), "{at}");
        }
    }
}
