//! Trees with everything that a copy must keep, what a test says of them, and file systems that are too small.

use crate::peer;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Bytes of the file with a hole.
pub(crate) const HOLE: u64 = 4 * 1024 * 1024;

/// A folder with folders, modes, links of both kinds, a hole, strange names, and, as root, foreign owners.
pub(crate) fn plant(top: &Path) {
    fs::create_dir_all(top.join("deep/er")).unwrap();
    fs::create_dir(top.join("empty")).unwrap();
    fs::write(top.join("a"), "12345").unwrap();
    fs::write(top.join("deep/run"), "#!/bin/sh\n").unwrap();
    fs::write(top.join("deep/er/new\nline \\ ü"), "x").unwrap();
    fs::hard_link(top.join("a"), top.join("deep/same")).unwrap();
    symlink("/etc/passwd", top.join("deep/link")).unwrap();
    symlink("nowhere", top.join("dangling")).unwrap();
    let file = File::create(top.join("hole")).unwrap();
    file.write_all_at(b"head", 0).unwrap();
    file.write_all_at(b"tail", HOLE / 2).unwrap();
    file.set_len(HOLE).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_000);
    file.set_modified(old).unwrap();
    for (name, mode) in [("a", 0o640), ("deep/run", 0o4755), ("deep/er", 0o750), ("hole", 0o600), ("empty", 0o2755)] {
        if root() && mode != 0o4755 {
            chown(top.join(name), Some(65_534), Some(4_321)).unwrap();
        }
        fs::set_permissions(top.join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    if root() {
        std::os::unix::fs::lchown(top.join("dangling"), Some(65_534), Some(65_534)).unwrap();
    }
    fs::set_permissions(top, PermissionsExt::from_mode(0o755)).unwrap();
}

/// Everything that must be the same: per name its kind, mode, owners, links, size, time, and content or goal.
pub(crate) fn tell(top: &Path) -> BTreeMap<PathBuf, String> {
    let (mut open, mut all) = (vec![top.to_owned()], BTreeMap::new());
    while let Some(path) = open.pop() {
        let meta = path.symlink_metadata().unwrap();
        let what = if meta.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            String::new()
        } else if meta.is_symlink() {
            format!("{:?}", fs::read_link(&path).unwrap())
        } else {
            let content = fs::read(&path).unwrap();
            format!(
                "{} {} links {}",
                content.len(),
                content.iter().map(|byte| u64::from(*byte)).sum::<u64>(),
                meta.nlink()
            )
        };
        let of = format!("{:o} {}:{} {}.{:09}", meta.mode(), meta.uid(), meta.gid(), meta.mtime(), meta.mtime_nsec());
        all.insert(path.strip_prefix(top).unwrap().to_owned(), format!("{of} {what}"));
    }
    all
}

/// Waits for something that a peer does; fails after ten seconds.
pub(crate) fn until(what: &str, check: impl Fn() -> bool) {
    let (_open, shut) = std::sync::mpsc::sync_channel::<()>(0);
    let beat = || shut.recv_timeout(std::time::Duration::from_millis(20)).is_err();
    assert!((0..500).any(|_| check() || !beat()), "{what} did not come");
}

/// The names in a folder, in order.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

/// A file system of one MiB, mounted on a folder of the test as long as this lives.
pub(crate) struct Tiny(PathBuf);

impl Tiny {
    /// `None` where nothing may be mounted.
    pub(crate) fn on(dir: &Path) -> Option<Self> {
        fs::create_dir_all(dir).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=755", "none"]).arg(dir).output();
        if root() && mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir.to_owned()));
        }
        peer::skip("a small file system", "only root may mount one");
        None
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
