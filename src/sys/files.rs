//! Files written so that they are there after a power cut, and read so that nobody can swap them:
//! private folders, exclusive creation, durable replacement, reading through a checked descriptor.

use super::host::group_id;
use super::reserve::is_full;
use crate::base::Fault;
use rustix::fs::{
    CWD, Gid, Mode, OFlags, RenameFlags, ResolveFlags, fchmod, fchown, fstat, mkdirat, openat, openat2, renameat_with,
};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A sentence about a file operation that failed.
pub fn fault(doing: &str, path: &Path, error: &io::Error) -> Fault {
    Fault::new(format!("cannot {doing} {}: {error}.", path.display()))
}

/// Creates a folder and its missing parents, each 0700. An existing one keeps its mode.
///
/// # Errors
/// Which folder, and the system's reason.
pub fn private_dir(path: &Path) -> Result<(), Fault> {
    try_private_dir(path).map_err(|error| fault("create", path, &error))
}

/// The same with the system's own error.
///
/// # Errors
/// The system's.
pub fn try_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Who may look whether a trail is there and how large it is, where we are root: the group of those who read logs.
const LOG_READERS: &str = "adm";

/// Creates the folder of a trail, the state folder that it is in, and what is missing above: 0700, but as root the two are
/// 0750 and of the group `adm`. Existing ones are left as they are.
///
/// # Errors
/// Which folder, and the system's reason.
pub fn trail_dir(path: &Path) -> Result<(), Fault> {
    let root = rustix::process::geteuid().is_root();
    let open_to = root.then(|| group_id(LOG_READERS).unwrap_or(0));
    try_trail_dir(path, open_to).map_err(|error| fault("create", path, &error))
}

fn try_trail_dir(path: &Path, open_to: Option<u32>) -> io::Result<()> {
    let state = path.parent().unwrap_or(path);
    for folder in [state, path] {
        if let Some(above) = folder.parent().filter(|above| !above.is_dir()) {
            try_private_dir(above)?;
        }
        match mkdirat(CWD, folder, Mode::from_raw_mode(0o700)) {
            Err(Errno::EXIST) => {}
            made => {
                made?;
                open_to.map_or(Ok(()), |group| open_dir_to(folder, group))?;
            }
        }
    }
    Ok(())
}

/// Lets a group list a folder that we have just made; whatever stands there by now in its place is left alone.
fn open_dir_to(path: &Path, group: u32) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(CWD, path, flags, Mode::empty())?;
    let stat = fstat(&folder)?;
    // A group that the system does not let us give it to (a container without it) cannot be let in.
    if stat.st_uid == rustix::process::geteuid().as_raw() && fchown(&folder, None, Some(Gid::from_raw(group))).is_ok() {
        fchmod(&folder, Mode::from_raw_mode(0o750))?;
    }
    Ok(())
}

/// Creates a file that must not exist yet (0600, or `mode`), complete and synced, with its folder entry.
/// The first caller wins; `Ok(false)` means that somebody was there before.
///
/// # Errors
/// Any other failure.
pub fn create_exclusive(path: &Path, mode: u32, bytes: &[u8]) -> Result<bool, Fault> {
    try_create(path, mode, bytes).map_err(|error| fault("write", path, &error))
}

/// The same with the system's own error. Where the disk is full, nothing is left of it.
///
/// # Errors
/// The system's.
pub fn try_create(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<bool> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = match openat(CWD, path, flags, Mode::from_raw_mode(mode)) {
        Err(Errno::EXIST) => return Ok(false),
        fd => fd?,
    };
    let write = || {
        fchmod(&fd, Mode::from_raw_mode(mode))?;
        let mut file = File::from(fd);
        file.write_all(bytes)?;
        file.sync_all()?;
        sync_parent(path)
    };
    write().map(|()| true).inspect_err(|error| {
        if is_full(error) {
            // Best effort: what failed is reported.
            let _best_effort = fs::remove_file(path);
        }
    })
}

/// As [`try_create`] (0600), but whoever looks meanwhile sees nothing or all of it, also where we die on the way.
///
/// # Errors
/// The system's.
pub fn try_publish(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let temp = beside(path);
    let publish = || {
        try_create(&temp, 0o600, bytes)?;
        match renameat_with(CWD, &temp, CWD, path, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => Ok(false),
            renamed => {
                renamed?;
                sync_parent(path).map(|()| true)
            }
        }
    };
    let done = publish();
    if !matches!(done, Ok(true)) {
        // Best effort: the leftover is harmless.
        let _best_effort = fs::remove_file(&temp);
    }
    done
}

/// Replaces a file of our own as a whole (0600): temporary file beside it, sync, rename, sync of the folder.
/// A reader sees the old content or the new one.
///
/// # Errors
/// The step that failed; the old file is then untouched.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    try_replace(path, bytes).map_err(|error| fault("write", path, &error))
}

/// The same with the system's own error.
///
/// # Errors
/// The system's.
pub fn try_replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temp = beside(path);
    let write = || {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(CWD, &temp, flags, Mode::from_raw_mode(0o600))?);
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temp, path)?;
        sync_parent(path)
    };
    // Best effort: what failed is reported, the leftover is harmless.
    write().inspect_err(|_| _ = fs::remove_file(&temp))
}

/// A name in the same folder that nobody uses.
pub fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.tmp", super::random::bits() >> 64));
    path.with_file_name(name)
}

/// Makes the entries of a file's folder durable.
///
/// # Errors
/// The system's.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Reads a small file of our own.
///
/// # Errors
/// When it is absent, unreadable, or larger than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Fault> {
    let open = || {
        File::from(openat(
            CWD,
            path,
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK,
            Mode::empty(),
        )?)
        .take_all(limit)
    };
    open().map_err(|error| fault("read", path, &error))
}

/// The size of a file of our own, and at most its last `most` bytes.
///
/// # Errors
/// When it is absent or unreadable.
pub fn tail(path: &Path, most: u64) -> Result<(u64, Vec<u8>), Fault> {
    let read = || {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mut file = File::from(openat(CWD, path, flags, Mode::empty())?);
        let size = file.metadata()?.len();
        file.seek(io::SeekFrom::Start(size.saturating_sub(most)))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok((size, bytes))
    };
    read().map_err(|error| fault("read", path, &error))
}

/// Whether this process may write there, as the kernel judges it now. A file system that is read-only counts.
pub fn may_write(path: &Path) -> bool {
    rustix::fs::accessat(CWD, path, rustix::fs::Access::WRITE_OK, rustix::fs::AtFlags::EACCESS).is_ok()
}

/// Reading with a cap.
pub(super) trait TakeAll {
    /// Everything from here on, at most `limit` bytes.
    fn take_all(&self, limit: u64) -> io::Result<Vec<u8>>;
}

impl TakeAll for File {
    fn take_all(&self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(io::Error::other(format!("larger than {limit} bytes")));
        }
        Ok(bytes)
    }
}

/// Opens a folder or file from `/` without following any symbolic link on the way.
///
/// # Errors
/// `ELOOP` where a link is met; otherwise the system's.
pub fn open_without_links(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(CWD, path, flags, Mode::empty(), resolve) {
        // Older kernels and some sandboxes lack the call.
        Err(Errno::NOSYS | Errno::PERM) => walk(path, flags),
        other => Ok(other?),
    }
}

/// The same, one component at a time.
fn walk(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let step = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut names: Vec<_> = path.components().collect();
    let last = names.pop().ok_or(Errno::INVAL)?;
    let mut at = openat(CWD, if path.is_absolute() { "/" } else { "." }, step, Mode::empty())?;
    for name in names {
        match name {
            Component::Normal(name) => at = openat(at.as_fd(), name, step, Mode::empty()).map_err(as_loop)?,
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(Errno::INVAL.into()),
        }
    }
    match last {
        Component::Normal(name) => Ok(openat(at.as_fd(), name, flags, Mode::empty())?),
        _ => Ok(openat(at.as_fd(), ".", flags, Mode::empty())?),
    }
}

/// `O_DIRECTORY|O_NOFOLLOW` on a link gives ENOTDIR; callers want one answer for "a link is in the way".
fn as_loop(errno: Errno) -> Errno {
    if errno == Errno::NOTDIR { Errno::LOOP } else { errno }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn exclusive_creation_is_won_once_and_keeps_the_first_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("accepted");
        assert!(create_exclusive(&path, 0o600, b"one").unwrap());
        assert!(!create_exclusive(&path, 0o600, b"two").unwrap());
        assert_eq!(read(&path, 100).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn publishing_is_won_once_and_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        assert!(try_publish(&path, b"one").unwrap());
        assert!(!try_publish(&path, b"two").unwrap());
        assert_eq!(read(&path, 100).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn replacing_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status.json");
        replace(&path, b"1").unwrap();
        replace(&path, b"2").unwrap();
        assert_eq!(read(&path, 10).unwrap(), b"2");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(read(&path, 0).is_err(), "a file above its cap is refused");
    }

    #[test]
    fn both_ways_of_opening_refuse_links_anywhere_on_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        fs::create_dir(base.join("real")).unwrap();
        fs::write(base.join("real/file"), b"x").unwrap();
        symlink(base.join("real"), base.join("alias")).unwrap();
        symlink(base.join("real/file"), base.join("real/link")).unwrap();
        for (path, good) in [("real/file", true), ("alias/file", false), ("real/link", false)] {
            let path = base.join(path);
            assert_eq!(open_without_links(&path, OFlags::RDONLY).is_ok(), good, "{}", path.display());
            assert_eq!(walk(&path, OFlags::RDONLY | OFlags::NOFOLLOW).is_ok(), good, "{}", path.display());
        }
    }

    #[test]
    fn digests_print_as_the_common_tools_print_them() {
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
