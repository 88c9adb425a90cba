//! A file of somebody else's, held by descriptor from the first look to the replacement, so that nothing can be
//! swapped in between: identity, content, backup, atomic replacement with the same owner, mode and attributes.

use super::aside::heard;
use super::files::{self, TakeAll};
use super::replaceable;
use crate::base::{Clean, Fault};
use rustix::fs::{
    AtFlags, Mode, OFlags, XattrFlags, fchmod, fchown, fgetxattr, flistxattr, fsetxattr, fstat, openat, renameat,
    statat, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A configuration file is never larger.
pub const LIMIT: u64 = 1024 * 1024;
/// Extended attributes of one file, names and each value.
const XATTR_LIMIT: usize = 64 * 1024;

/// Which file, and in which state: what a plan is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Bytes.
    pub size: u64,
    /// Modification time, nanoseconds since the epoch.
    pub mtime_ns: i64,
    /// Of the content.
    pub sha256: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

impl FileId {
    /// What differs from `other`, in words; empty when nothing does.
    pub fn differences(&self, other: &Self) -> Vec<Clean> {
        let mut out = Vec::new();
        if (self.dev, self.ino) != (other.dev, other.ino) {
            out.push(crate::clean!("replaced by another file (inode {} → {})", self.ino, other.ino));
        }
        if self.sha256 != other.sha256 {
            out.push(crate::clean!("content changed ({} → {} bytes)", self.size, other.size));
        } else if self.mtime_ns != other.mtime_ns {
            out.push(Clean::from("written again with the same content"));
        }
        if (self.uid, self.gid, self.mode) != (other.uid, other.gid, other.mode) {
            out.push(crate::clean!(
                "owner or mode changed ({}:{} {:o} → {}:{} {:o})",
                self.uid,
                self.gid,
                self.mode,
                other.uid,
                other.gid,
                other.mode
            ));
        }
        out
    }
}

/// One regular file, its folder, and its content when it was opened.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    name: OsString,
    dir: OwnedFd,
    file: File,
    bytes: Vec<u8>,
    id: FileId,
}

impl Held {
    /// Opens an absolute path without following links, and reads it.
    ///
    /// # Errors
    /// A link on the way, a hard link, not a regular file, too large, or the system's reason.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Fault::new(format!("{} names no file.", path.display())));
        };
        if !path.is_absolute() {
            return Err(Fault::new(format!("{} is not an absolute path.", path.display())));
        }
        let dir =
            files::open_without_links(parent, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|e| refused(path, &e))?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(openat(&dir, name, flags, Mode::empty()).map_err(|errno| refused(path, &errno.into()))?);
        let (id, bytes) = look(path, &file)?;
        Ok(Self { path: path.to_owned(), name: name.to_owned(), dir, file, bytes, id })
    }

    /// The content when it was opened.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The identity when it was opened.
    pub const fn id(&self) -> &FileId {
        &self.id
    }

    /// Whether another content can be put in its place at all, as far as that can be seen beforehand.
    ///
    /// # Errors
    /// A mount of its own, a file system that is read-only, a file that is locked against changes, a folder that this
    /// login may not write in.
    pub fn replaceable(&self) -> Result<(), Fault> {
        replaceable::replaceable(&self.path, replaceable::of(&self.file).as_ref(), self.dir.as_fd())
    }

    /// Writes the content to `to` (which must not exist) with the same owner and mode, and reads it back by digest.
    ///
    /// # Errors
    /// Any step, or a copy whose digest differs.
    pub fn backup(&self, to: &Path) -> Result<(), Fault> {
        if !files::create_exclusive(to, 0o600, &self.bytes)? {
            return Err(Fault::new(format!("{} is there already: this plan was begun before.", to.display())));
        }
        let copy = files::open_without_links(to, OFlags::RDONLY).map_err(|error| files::fault("open", to, &error))?;
        let copy = File::from(copy);
        // Under an unprivileged login the owner cannot be given away; the copy is then that login's.
        let _best_effort =
            fchown(&copy, Some(rustix::fs::Uid::from_raw(self.id.uid)), Some(rustix::fs::Gid::from_raw(self.id.gid)));
        fchmod(&copy, Mode::from_raw_mode(self.id.mode))
            .map_err(|errno| files::fault("set the mode of", to, &errno.into()))?;
        let read = copy.take_all(LIMIT).map_err(|error| files::fault("read back", to, &error))?;
        if files::sha256(&read) != self.id.sha256 {
            return Err(Fault::new(format!("the backup {} does not read back as it was written.", to.display())));
        }
        Ok(())
    }

    /// Replaces the file by `content`: temporary file in the same folder, same owner, mode and attributes, sync,
    /// a last look at the original, rename, sync of the folder, read back. The identity of the new file.
    ///
    /// # Errors
    /// Before the rename the original is untouched ([`Broken::Untouched`]); after it the new content may be in
    /// place ([`Broken::Unknown`]).
    pub fn replace(&self, content: &[u8]) -> Result<FileId, Broken> {
        self.replace_if(content, &|_| Ok(()))
    }

    /// The same, if `check` finds no fault with the new file, which is whole but under another name then.
    ///
    /// # Errors
    /// As [`Self::replace`]; what `check` says leaves the original untouched.
    pub fn replace_if(&self, content: &[u8], check: &dyn Fn(&Path) -> Result<(), Fault>) -> Result<FileId, Broken> {
        let temp = files::beside(Path::new(&self.name)).into_os_string();
        let made = self.prepare(&temp, content, check);
        if let Err(fault) = made {
            // Best effort: the fault is what counts.
            let _best_effort = unlinkat(&self.dir, &temp, AtFlags::empty());
            return Err(Broken::Untouched(fault));
        }
        let unknown = |doing: &str, error: &io::Error| Broken::Unknown(files::fault(doing, &self.path, error));
        if let Err(errno) = renameat(&self.dir, &temp, &self.dir, &self.name) {
            let _best_effort = unlinkat(&self.dir, &temp, AtFlags::empty());
            let fault = files::fault("replace", &self.path, &errno.into());
            let mount = errno == Errno::BUSY;
            return Err(Broken::Untouched(if mount {
                fault.hint("It is a mount of its own: change it where it comes from.")
            } else {
                fault
            }));
        }
        rustix::fs::fsync(&self.dir).map_err(|errno| unknown("make durable", &errno.into()))?;
        let now = Self::open(&self.path).map_err(Broken::Unknown)?;
        if now.bytes != content {
            return Err(Broken::Unknown(Fault::new(format!(
                "{} does not read back as it was written.",
                self.path.display()
            ))));
        }
        Ok(now.id)
    }

    fn prepare(&self, temp: &OsStr, content: &[u8], check: &dyn Fn(&Path) -> Result<(), Fault>) -> Result<(), Fault> {
        let failed = |doing: &str, error: &io::Error| files::fault(doing, &self.path, error);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&self.dir, temp, flags, Mode::from_raw_mode(0o600))
            .map_err(|errno| failed("create a file beside", &errno.into()))?;
        let mut file = File::from(fd);
        file.write_all(content).map_err(|error| failed("write a new copy of", &error))?;
        let own = fstat(&file).map_err(|errno| failed("look at the new copy of", &errno.into()))?;
        if (own.st_uid, own.st_gid) != (self.id.uid, self.id.gid) {
            let (uid, gid) = (rustix::fs::Uid::from_raw(self.id.uid), rustix::fs::Gid::from_raw(self.id.gid));
            fchown(&file, Some(uid), Some(gid)).map_err(|errno| failed("keep the owner of", &errno.into()))?;
        }
        // Owner first: changing it clears mode bits.
        fchmod(&file, Mode::from_raw_mode(self.id.mode)).map_err(|errno| failed("keep the mode of", &errno.into()))?;
        copy_attributes(&self.file, &file).map_err(|error| failed("keep the extended attributes of", &error))?;
        file.sync_all().map_err(|error| failed("write a new copy of", &error))?;
        check(&self.path.with_file_name(temp))?;
        let at = statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| failed("look at", &errno.into()))?;
        let now = (at.st_dev, at.st_ino, i64::try_from(self.id.size).unwrap_or(-1), mtime(&at));
        if now != (self.id.dev, self.id.ino, at.st_size, self.id.mtime_ns) {
            return Err(Fault::new(format!("{} was changed by somebody else meanwhile.", self.path.display())));
        }
        Ok(())
    }
}

/// How a replacement failed.
#[derive(Debug)]
pub enum Broken {
    /// The original is as it was.
    Untouched(Fault),
    /// The new content may be in place.
    Unknown(Fault),
}

fn refused(path: &Path, error: &io::Error) -> Fault {
    // Of a folder that is a link itself the kernel says that it is none.
    let folder = || path.ancestors().skip(1).any(Path::is_symlink);
    let is = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    if is(Errno::LOOP) || is(Errno::NOTDIR) && folder() {
        return Fault::new(format!("{} is reached through a symbolic link.", path.display()))
            .hint("Name the real file: replacing a link would cut it off from what it points to.");
    }
    files::fault("open", path, error)
}

fn look(path: &Path, mut file: &File) -> Result<(FileId, Vec<u8>), Fault> {
    let failed = |error: io::Error| files::fault("read", path, &error);
    let stat = fstat(file).map_err(|errno| failed(errno.into()))?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode) != rustix::fs::FileType::RegularFile {
        return Err(Fault::new(format!("{} is not a regular file.", path.display())));
    }
    if stat.st_nlink > 1 {
        return Err(Fault::new(format!("{} has {} hard links.", path.display(), stat.st_nlink))
            .hint("Replacing it would leave the other names with the old content."));
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let bytes = file.take_all(LIMIT).map_err(failed)?;
    let again = fstat(file).map_err(|errno| failed(errno.into()))?;
    if (mtime(&again), again.st_size) != (mtime(&stat), stat.st_size) {
        return Err(Fault::new(format!("{} is being written to right now.", path.display())));
    }
    heard();
    let id = FileId {
        dev: stat.st_dev,
        ino: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mtime_ns: mtime(&stat),
        sha256: files::sha256(&bytes),
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: stat.st_mode & 0o7777,
    };
    Ok((id, bytes))
}

#[expect(clippy::useless_conversion, reason = "the width of nanoseconds differs between targets")]
fn mtime(stat: &rustix::fs::Stat) -> i64 {
    let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    i64::from(stat.st_mtime).saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// ACLs, labels and user attributes go along; a file system without them has none to lose.
pub(super) fn copy_attributes(from: impl AsFd, to: impl AsFd) -> io::Result<()> {
    let (from, to) = (from.as_fd(), to.as_fd());
    // Most files have none: their number of bytes is asked first.
    match flistxattr(from, &mut [0_u8; 0]) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(()),
        Ok(_) => {}
        Err(errno) => return Err(errno.into()),
    }
    let mut names = vec![0_u8; XATTR_LIMIT];
    let length = flistxattr(from, &mut names)?;
    let mut value = vec![0_u8; XATTR_LIMIT];
    for name in names.get(..length).unwrap_or_default().split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name = OsStr::from_bytes(name);
        let length = fgetxattr(from, name, &mut value)?;
        fsetxattr(to, name, value.get(..length).unwrap_or_default(), XattrFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().canonicalize().unwrap().join("app.toml");
        fs::write(&file, b"a = 1\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        (dir, file)
    }

    #[test]
    fn a_replacement_keeps_owner_and_mode_and_leaves_nothing_behind() {
        let (dir, path) = folder();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(65_534), Some(65_534)).unwrap();
        }
        let before = fs::metadata(&path).unwrap();
        let held = Held::open(&path).unwrap();
        let id = held.replace(b"a = 2\n").unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.uid(), after.gid(), after.mode()), (before.uid(), before.gid(), before.mode()));
        assert_eq!(id.sha256, files::sha256(b"a = 2\n"));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left_alone() {
        let (dir, path) = folder();
        let held = Held::open(&path).unwrap();
        fs::write(&path, b"somebody else wrote this\n").unwrap();
        assert!(matches!(held.replace(b"a = 2\n"), Err(Broken::Untouched(_))));
        assert_eq!(fs::read(&path).unwrap(), b"somebody else wrote this\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_of_both_kinds_are_refused() {
        let (dir, path) = folder();
        let link = dir.path().canonicalize().unwrap().join("link.toml");
        symlink(&path, &link).unwrap();
        assert!(Held::open(&link).unwrap_err().to_string().contains("symbolic link"));
        fs::remove_file(&link).unwrap();
        fs::hard_link(&path, &link).unwrap();
        assert!(Held::open(&path).unwrap_err().to_string().contains("2 hard links"));
    }

    #[test]
    fn a_backup_is_taken_once_and_reads_back() {
        let (dir, path) = folder();
        let held = Held::open(&path).unwrap();
        let copy = dir.path().join("copy");
        held.backup(&copy).unwrap();
        assert_eq!(fs::read(&copy).unwrap(), b"a = 1\n");
        assert!(held.backup(&copy).is_err());
    }

    #[test]
    fn an_identity_tells_what_changed() {
        let (_dir, path) = folder();
        let before = Held::open(&path).unwrap().id().clone();
        fs::write(&path, b"a = 3 # longer\n").unwrap();
        let after = Held::open(&path).unwrap().id().clone();
        assert_eq!(before.differences(&after), [Clean::from("content changed (6 → 15 bytes)")]);
        assert!(before.differences(&before).is_empty());
    }

    #[test]
    fn what_cannot_be_replaced_is_known_beforehand() {
        use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
        let dir = tempfile::tempdir().unwrap();
        let (file, inner) = (dir.path().join("plain"), dir.path().join("inner"));
        fs::write(&file, "x").unwrap();
        fs::create_dir(&inner).unwrap();
        Held::open(&file).unwrap().replaceable().unwrap();
        let bound = dir.path().join("bound");
        fs::write(&bound, "").unwrap();
        if mount_bind(&file, &bound).is_err() {
            println!("SKIPPED: mount: a file cannot be mounted here");
            return;
        }
        let said = Held::open(&bound).unwrap().replaceable().unwrap_err().to_string();
        unmount(&bound, UnmountFlags::DETACH).unwrap();
        assert!(said.contains("/bound is a mount of its own."), "{said}");
        mount("tmpfs", &inner, "tmpfs", MountFlags::empty(), c"size=1m").unwrap();
        fs::write(inner.join("still"), "x").unwrap();
        rustix::mount::mount_remount(&inner, MountFlags::RDONLY, c"").unwrap();
        let said = Held::open(&inner.join("still")).unwrap().replaceable().unwrap_err().to_string();
        unmount(&inner, UnmountFlags::DETACH).unwrap();
        assert!(said.contains("mounted read-only"), "{said}");
    }
}
