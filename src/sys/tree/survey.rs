//! What a tree holds, in numbers and in two digests: one says whether anything was touched since, the other whether a
//! copy has the same names, owners, modes, sizes and links.

use super::walk::{Seen, Visit, nanos, walk};
use crate::base::Fault;
use crate::sys::entry::Entry;
use crate::sys::files;
use rustix::fs::{Access, AtFlags, FileType, accessat, readlinkat};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What a tree holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Names of files; one with two hard links counts twice.
    pub files: u64,
    /// Folders, the root too.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// As the files say, each once.
    pub bytes: u64,
    /// What they take on the disk: less where there are holes.
    pub on_disk: u64,
    /// Of names, inodes, owners, modes, sizes and times of change: another one as soon as anything was touched.
    pub state: String,
    /// Of names, owners, modes, sizes and where links lead: the same for a true copy.
    pub shape: String,
    /// Of names, inodes, owners and modes, whatever is written into the files.
    pub owned: String,
}

impl Survey {
    /// In how many entries.
    pub const fn entries(&self) -> u64 {
        self.files + self.folders + self.links
    }
}

/// What stands in the way of some kinds.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The first that is neither file, folder nor link, and what it is.
    pub special: Option<(PathBuf, &'static str)>,
    /// The first that belongs to somebody else than this login.
    pub foreign: Option<PathBuf>,
    /// The first file that this login may not read.
    pub unreadable: Option<PathBuf>,
    /// The first that has a name outside of the tree too.
    pub outside: Option<PathBuf>,
    /// The first device.
    pub device: Option<PathBuf>,
    /// How many entries belong to which user and group.
    pub owners: BTreeMap<(u32, u32), u64>,
    /// Files that run with their owner's or group's rights.
    pub set_id: u64,
    /// Whether the folder that was asked for is in it.
    pub holds: bool,
}

/// Looks at everything in a file or a folder; `folder` is one that it should not hold. Reads no content.
///
/// # Errors
/// As [`walk`].
pub fn survey(entry: &Entry, folder: Option<(u64, u64)>) -> Result<(Survey, Findings), Fault> {
    let mut look = Look { own: rustix::process::geteuid().as_raw(), folder, ..Look::default() };
    walk(entry, &mut look)?;
    let outside = look.names.into_values().find(|(seen, all, _)| seen < all).map(|(_, _, path)| path);
    let [state, shape, owned] = [look.state, look.shape, look.owned].map(|digest| files::hex(&digest.finalize()));
    Ok((Survey { state, shape, owned, ..look.survey }, Findings { outside, ..look.findings }))
}

#[derive(Default)]
struct Look {
    survey: Survey,
    findings: Findings,
    state: Sha256,
    shape: Sha256,
    owned: Sha256,
    own: u32,
    folder: Option<(u64, u64)>,
    /// Of files with several names: how many were seen, how many there are, the first.
    names: BTreeMap<u64, (u64, u64, PathBuf)>,
}

impl Look {
    /// Adds an entry to the digests; each part with its length, so that no two trees read alike.
    fn digest(&mut self, seen: &Seen<'_>, rest: &[u8]) {
        let stat = &seen.stat;
        let size = if seen.kind == FileType::RegularFile { stat.st_size } else { 0 };
        let of = format!("{:?} {}:{} {:o} {size}", seen.kind, stat.st_uid, stat.st_gid, stat.st_mode & 0o7777);
        let touched = nanos(stat.st_ctime, stat.st_ctime_nsec);
        let which = format!("{} {} {touched}", stat.st_ino, nanos(stat.st_mtime, stat.st_mtime_nsec));
        for part in [seen.path.as_os_str().as_bytes(), of.as_bytes(), rest] {
            let length = u64::try_from(part.len()).unwrap_or(0).to_le_bytes();
            for digest in [&mut self.state, &mut self.shape] {
                digest.update(length);
                digest.update(part);
            }
        }
        self.state.update(which.as_bytes());
        let owned = format!("{} {}:{} {:o}\n", stat.st_ino, stat.st_uid, stat.st_gid, stat.st_mode);
        self.owned.update(seen.path.as_os_str().as_bytes());
        self.owned.update(b"\0");
        self.owned.update(owned.as_bytes());
    }

    fn judge(&mut self, seen: &Seen<'_>) {
        *self.findings.owners.entry((seen.stat.st_uid, seen.stat.st_gid)).or_default() += 1;
        if seen.stat.st_uid != self.own {
            self.findings.foreign.get_or_insert_with(|| seen.path.to_owned());
        }
    }

    /// Counts the names of what has several; true for the first of them.
    #[expect(clippy::useless_conversion, reason = "the width of a count of links differs between targets")]
    fn first(&mut self, seen: &Seen<'_>) -> bool {
        let links = u64::try_from(seen.stat.st_nlink).unwrap_or(u64::MAX);
        if links < 2 {
            return true;
        }
        let row = self.names.entry(seen.stat.st_ino).or_insert_with(|| (0, links, seen.path.to_owned()));
        row.0 += 1;
        row.0 == 1
    }

    fn file(&mut self, seen: &Seen<'_>, first: bool) {
        self.survey.files += 1;
        if self.own != 0 && accessat(seen.dir, seen.name, Access::READ_OK, AtFlags::EACCESS).is_err() {
            self.findings.unreadable.get_or_insert_with(|| seen.path.to_owned());
        }
        self.findings.set_id += u64::from(seen.stat.st_mode & 0o6000 != 0);
        if first {
            self.survey.bytes += u64::try_from(seen.stat.st_size).unwrap_or(0);
            self.survey.on_disk += u64::try_from(seen.stat.st_blocks).unwrap_or(0) * 512;
        }
    }
}

impl Visit for Look {
    fn leaf(&mut self, seen: &Seen<'_>) -> Result<(), Fault> {
        self.judge(seen);
        let first = self.first(seen);
        let mut rest = Vec::new();
        let special = match seen.kind {
            FileType::RegularFile => {
                self.file(seen, first);
                None
            }
            FileType::Symlink => {
                self.survey.links += 1;
                let target = readlinkat(seen.dir, seen.name, Vec::new());
                rest = target.map_err(|error| files::fault("read the link", seen.path, &error.into()))?.into_bytes();
                None
            }
            FileType::Fifo => Some("a named pipe"),
            FileType::Socket => Some("a socket"),
            FileType::CharacterDevice | FileType::BlockDevice => {
                self.findings.device.get_or_insert_with(|| seen.path.to_owned());
                Some("a device")
            }
            _ => Some("of a kind that is not known"),
        };
        if let Some(what) = special {
            self.findings.special.get_or_insert_with(|| (seen.path.to_owned(), what));
        }
        self.digest(seen, &rest);
        Ok(())
    }

    fn enter(&mut self, seen: &Seen<'_>, _: &OwnedFd) -> Result<(), Fault> {
        self.judge(seen);
        self.survey.folders += 1;
        self.survey.on_disk += u64::try_from(seen.stat.st_blocks).unwrap_or(0) * 512;
        self.findings.holds |= self.folder == Some((seen.stat.st_dev, seen.stat.st_ino));
        self.digest(seen, &[]);
        Ok(())
    }
}
