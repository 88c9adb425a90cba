//! Space on local disks. Network, FUSE and pseudo file systems are never touched: `statvfs` on them can hang for
//! ever: see `remote_disks`. Even a local one is asked on a blocking thread, once in ten seconds, so that a dying disk stops nothing.

use crate::base::{Clean, Mono, Unit};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, Stuck, Worker};
use crate::samplers::proc_text::{Mount, mountinfo};
use core::time::Duration;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How long an answer is good.
pub(super) const EVERY: Duration = Duration::from_secs(10);
/// A healthy disk answers within microseconds; the other values of the host do not wait longer than this.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// File systems whose data lies on a disk or in the memory of this host.
pub(super) const LOCAL: &[&str] = &[
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "bcachefs", "f2fs", "jfs", "nilfs2", "reiserfs", "vfat", "exfat",
    "ntfs3", "hfsplus", "udf", "tmpfs",
];
/// File systems of the kernel's own making: harmless on the way to a mount point.
pub(super) const PSEUDO: &[&str] = &[
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
];
/// Folders that hold no disk of interest, as node_exporter leaves them out.
pub(super) const SKIPPED: &[&str] =
    &["/dev", "/proc", "/sys", "/run/credentials", "/var/lib/docker", "/var/lib/containers/storage"];

/// One file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) device: Clean,
    pub(crate) point: Clean,
    pub(crate) kind: Clean,
    pub(crate) read_only: bool,
    pub(crate) size: u64,
    pub(crate) free: u64,
    /// What is left for users other than root.
    pub(crate) available: u64,
    pub(crate) files: u64,
    pub(crate) files_free: u64,
}

/// The last answer, and the call that may be under way.
#[derive(Debug)]
pub(crate) struct Disks {
    worker: Worker<Vec<Disk>>,
    asking: Arc<Mutex<Clean>>,
    known: Vec<Disk>,
    asked: Option<Mono>,
}

impl Disks {
    pub(crate) fn new() -> Self {
        Self { worker: Worker::new(&LOCAL_FILES), asking: Arc::default(), known: Vec::new(), asked: None }
    }

    /// The disks, at most ten seconds old; or a sentence that says which one does not answer.
    pub(crate) async fn read(&mut self, root: &Path, now: Mono) -> Result<&[Disk], Clean> {
        if self.asked.is_none_or(|asked| now.since(asked) >= EVERY) {
            let (root, asking) = (root.to_owned(), Arc::clone(&self.asking));
            let answer = tokio::time::timeout(PATIENCE, self.worker.run(now, move || ask(&root, &asking))).await;
            let hangs = |age: Duration| {
                let point = self.asking.lock().unwrap_or_else(PoisonError::into_inner).clone();
                clean!("the file system at {point} has not answered for {}", Unit::Seconds.show(age.as_secs_f64()))
            };
            self.known = match answer {
                Ok(Ok(disks)) => disks,
                Err(_) => return Err(hangs(PATIENCE)),
                Ok(Err(Stuck::Hangs(age))) => return Err(hangs(age)),
                Ok(Err(busy)) => return Err(clean!("{busy}")),
            };
            self.asked = Some(now);
        }
        Ok(&self.known)
    }
}

/// Asks every local file system. Blocking.
fn ask(root: &Path, asking: &Mutex<Clean>) -> Vec<Disk> {
    let mounts = std::fs::read(root.join("proc/self/mountinfo")).unwrap_or_default();
    let mut disks = Vec::new();
    for mount in local(mountinfo(&mounts).collect()) {
        let point = Clean::text(&mount.point);
        asking.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&point);
        let inside: PathBuf = Path::new(OsStr::from_bytes(&mount.point)).components().skip(1).collect();
        let Ok(found) = rustix::fs::statvfs(root.join(inside)) else { continue };
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        disks.push(Disk {
            device: Clean::text(&mount.source),
            point,
            kind: Clean::text(&mount.kind),
            read_only: mount.read_only,
            size: bytes(found.f_blocks),
            free: bytes(found.f_bfree),
            available: bytes(found.f_bavail),
            files: found.f_files,
            files_free: found.f_ffree,
        });
    }
    disks.retain(|disk| disk.size > 0);
    disks
}

/// The mounts that may be asked: local by kind, each file system once, none at or below a mount that could hang.
pub(super) fn local(mounts: Vec<Mount>) -> Vec<Mount> {
    let is = |mount: &Mount, kinds: &[&str]| kinds.iter().any(|kind| kind.as_bytes() == mount.kind);
    // Reaching a mount point walks through those above it, and one mounted over it hides it: order does not matter.
    let risky: Vec<Vec<u8>> = mounts
        .iter()
        .filter(|mount| !is(mount, LOCAL) && !is(mount, PSEUDO))
        .map(|mount| mount.point.clone())
        .collect();
    let mut seen = HashSet::new();
    let mut kept: Vec<Mount> = mounts
        .into_iter()
        .filter(|mount| {
            // In a container the root is an overlay, and its space is what the service has.
            (is(mount, LOCAL) || (mount.kind == b"overlay" && mount.point == b"/"))
                && !SKIPPED.iter().any(|folder| below(&mount.point, folder.as_bytes()))
                && !risky.iter().any(|risk| below(&mount.point, risk))
        })
        .collect();
    kept.retain(|mount| seen.insert(mount.device.clone()));
    kept
}

/// True for `folder` itself and what lies in it.
pub(super) fn below(point: &[u8], folder: &[u8]) -> bool {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    point.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(mounts: &[(&str, &str, &str)]) -> Vec<String> {
        let mounts = mounts
            .iter()
            .map(|(device, point, kind)| Mount {
                device: device.as_bytes().to_vec(),
                point: point.as_bytes().to_vec(),
                read_only: false,
                kind: kind.as_bytes().to_vec(),
                source: b"x".to_vec(),
            })
            .collect();
        local(mounts).into_iter().map(|mount| String::from_utf8_lossy(&mount.point).into_owned()).collect()
    }

    #[test]
    fn only_what_cannot_hang_is_asked() {
        let found = points(&[
            ("8:1", "/", "ext4"),
            ("8:1", "/bind", "ext4"),
            ("0:5", "/proc", "proc"),
            ("0:6", "/net", "nfs4"),
            ("8:2", "/net/disk", "xfs"),
            ("0:7", "/home/joe/phone", "fuse.sshfs"),
            ("0:8", "/what", "newfs"),
            ("8:3", "/data", "xfs"),
            ("0:9", "/data", "nfs"),
            ("0:10", "/run", "tmpfs"),
            ("0:11", "/dev/shm", "tmpfs"),
            ("0:12", "/network", "btrfs"),
        ]);
        assert_eq!(found, ["/", "/run", "/network"]);
        assert_eq!(points(&[("0:1", "/", "overlay"), ("0:2", "/x", "overlay")]), ["/"]);
        assert_eq!(points(&[("0:1", "/", "nfs"), ("8:2", "/x", "ext4")]), Vec::<String>::new());
    }

    #[tokio::test]
    async fn answers_are_kept_for_ten_seconds() {
        let mut disks = Disks::new();
        let root = tempfile::tempdir().expect("a folder");
        let proc = root.path().join("proc/self");
        std::fs::create_dir_all(&proc).expect("folders");
        std::fs::write(proc.join("mountinfo"), "27 1 254:0 / / rw - ext4 /dev/vda rw\n").expect("written");
        let count = |disks: Result<&[Disk], Clean>| disks.map(<[Disk]>::len);
        assert_eq!(count(disks.read(root.path(), Mono(0)).await), Ok(1));
        std::fs::write(proc.join("mountinfo"), "").expect("written");
        assert_eq!(count(disks.read(root.path(), Mono(9_999_999_999)).await), Ok(1));
        assert_eq!(count(disks.read(root.path(), Mono(10_000_000_000)).await), Ok(0));
    }
}
