//! One digest over everything in a tree that stays when its top is given another name: whoever touches anything breaks it.

use super::walk::{Seen, Visit, nanos, open, walk};
use crate::base::Fault;
use crate::sys::aside::heard;
use crate::sys::entry::Entry;
use crate::sys::files;
use rustix::fs::{FileType, OFlags, readlinkat};
use rustix::io::pread;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

/// So much of a file is read at once, in bytes.
const CHUNK: usize = 1024 * 1024;
/// A single file that is larger is not read: a plan has no time for it. Its size and time of writing must do.
const READ: i64 = 64 * 1024 * 1024;

/// What a tree was like at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Files in it.
    pub files: u64,
    /// As the files say.
    pub bytes: u64,
    /// Of names, inodes, owners, modes, sizes, links and times of change; of a single file, whose time of change its own
    /// name has a part in, of what it holds where that is not too large.
    pub digest: String,
}

/// Seals a file or a folder with everything in it.
///
/// # Errors
/// As [`walk`]; a single file that cannot be read.
pub fn seal(entry: &Entry) -> Result<Seal, Fault> {
    let mut sealing = Sealing { digest: Sha256::new(), files: 0, bytes: 0 };
    walk(entry, &mut sealing)?;
    let Sealing { digest, files, bytes } = sealing;
    Ok(Seal { files, bytes, digest: files::hex(&digest.finalize()) })
}

struct Sealing {
    digest: Sha256,
    files: u64,
    bytes: u64,
}

impl Sealing {
    /// Adds an entry; each part with its length, so that no two trees read alike.
    fn add(&mut self, seen: &Seen<'_>, rest: &[u8]) {
        let stat = &seen.stat;
        let inside = !seen.path.as_os_str().is_empty();
        let changed = if inside { nanos(stat.st_ctime, stat.st_ctime_nsec) } else { 0 };
        let written = nanos(stat.st_mtime, stat.st_mtime_nsec);
        let (kind, owner) = (seen.kind, (stat.st_uid, stat.st_gid));
        let of = format!("{kind:?} {} {owner:?} {:o} {} {written} {changed}", stat.st_ino, stat.st_mode, stat.st_size);
        for part in [seen.path.as_os_str().as_bytes(), of.as_bytes(), rest] {
            self.digest.update(u64::try_from(part.len()).unwrap_or(0).to_le_bytes());
            self.digest.update(part);
        }
    }

    /// What a file holds.
    fn content(seen: &Seen<'_>) -> io::Result<Vec<u8>> {
        let file = open(seen.dir, seen.name, OFlags::RDONLY)?;
        let (mut digest, mut chunk, mut at) = (Sha256::new(), vec![0; CHUNK], 0);
        loop {
            let got = pread(&file, &mut *chunk, at)?;
            heard();
            if got == 0 {
                return Ok(digest.finalize().to_vec());
            }
            digest.update(chunk.get(..got).unwrap_or_default());
            at += u64::try_from(got).unwrap_or(0);
        }
    }
}

impl Visit for Sealing {
    fn leaf(&mut self, seen: &Seen<'_>) -> Result<(), Fault> {
        let top = seen.path.as_os_str().is_empty();
        let rest = match seen.kind {
            FileType::RegularFile => {
                self.files += 1;
                self.bytes += u64::try_from(seen.stat.st_size).unwrap_or(0);
                if top && seen.stat.st_size <= READ { Self::content(seen) } else { Ok(Vec::new()) }
            }
            FileType::Symlink => {
                Ok(readlinkat(seen.dir, seen.name, Vec::new()).map_or(Vec::new(), CString::into_bytes))
            }
            _ => Ok(Vec::new()),
        };
        let rest = rest.map_err(|error| files::fault("read", seen.path, &error))?;
        self.add(seen, &rest);
        Ok(())
    }

    fn enter(&mut self, seen: &Seen<'_>, _: &OwnedFd) -> Result<(), Fault> {
        self.add(seen, &[]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    fn of(path: &Path) -> Seal {
        seal(&Entry::open(path).unwrap()).unwrap()
    }

    #[test]
    fn a_seal_outlives_a_new_name_and_breaks_with_any_touch() {
        let dir = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
        let (tree, moved) = (dir.path().join("tree"), dir.path().join("moved"));
        fs::create_dir_all(tree.join("deep")).unwrap();
        fs::write(tree.join("deep/b"), "bbb").unwrap();
        let before = of(&tree);
        assert_eq!((before.files, before.bytes), (1, 3));
        fs::rename(&tree, &moved).unwrap();
        assert_eq!(of(&moved), before);
        let time = fs::metadata(moved.join("deep/b")).unwrap().modified().unwrap();
        fs::write(moved.join("deep/b"), "ccc").unwrap();
        File::options().write(true).open(moved.join("deep/b")).unwrap().set_modified(time).unwrap();
        assert_ne!(of(&moved), before, "as long as before and of the same time");
        let before = of(&moved);
        fs::set_permissions(&moved, PermissionsExt::from_mode(0o700)).unwrap();
        assert_ne!(of(&moved), before);

        let (file, other) = (dir.path().join("file"), dir.path().join("other"));
        fs::write(&file, "aaa").unwrap();
        let before = of(&file);
        fs::rename(&file, &other).unwrap();
        assert_eq!(of(&other), before);
        let time = fs::metadata(&other).unwrap().modified().unwrap();
        fs::write(&other, "bbb").unwrap();
        File::options().write(true).open(&other).unwrap().set_modified(time).unwrap();
        assert_ne!(of(&other), before, "by what it holds alone");
    }
}
