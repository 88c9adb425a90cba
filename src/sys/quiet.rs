//! Reading what other programs own so that they cannot notice: read only, no access time renewed, no link followed,
//! no waiting; and what is to be known of such a file: whose it is and on which file system it lies.

use super::holders::FileId;
use super::host::user_name;
use crate::base::{Clean, Failure};
use crate::clean;
use core::fmt::Display;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Two equal reads in a row are wanted; a writer would have to commit between each pair of so many.
pub(crate) const READS: usize = 20;
/// File systems where neither locks nor shared maps of several hosts hold.
const NETWORK: &[&str] = &[
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "lustre",
    "gpfs",
    "beegfs",
    "orangefs",
    "virtiofs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.rclone",
    "fuse.ceph-fuse",
];

/// Why a file was not opened or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Os(Errno),
    NotAFile,
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Os(Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }
}

impl Refused {
    /// The whole sentence.
    pub(crate) fn failure(self, path: &Path) -> Failure {
        let path = path.display();
        match self {
            Self::Os(Errno::NOENT) => {
                Failure::unreachable(format!("{path} does not exist. Has its service created it yet?"))
            }
            Self::Os(Errno::ACCESS | Errno::PERM) => Failure::not_permitted(format!(
                "{path} may not be read by this login. Run as a user or group that may read it."
            )),
            Self::Os(Errno::LOOP) => {
                Failure::unreachable(format!("{path} is a symbolic link, which is not followed. Give the real path."))
            }
            Self::Os(errno) => Failure::unreachable(format!("{path}: {}.", io::Error::from(errno))),
            Self::NotAFile => Failure::answered(format!("{path} is not a plain file.")),
        }
    }

    /// It is this login that may not read it.
    pub(crate) const fn is_for_others(self) -> bool {
        matches!(self, Self::Os(Errno::ACCESS | Errno::PERM))
    }

    /// The end of a reason why something is not supported.
    pub(crate) fn words(self) -> Clean {
        match self {
            Self::Os(Errno::NOENT) => Clean::from("does not exist"),
            Self::Os(Errno::ACCESS | Errno::PERM) => Clean::from("may not be read by this login"),
            Self::Os(errno) => clean!("cannot be read: {}", io::Error::from(errno)),
            Self::NotAFile => Clean::from("is not a plain file"),
        }
    }
}

/// Why a file tells nothing: `W` is what its format finds wrong with it, as the end of a sentence.
#[derive(Debug)]
pub(crate) struct Trouble<W> {
    pub(crate) path: PathBuf,
    pub(crate) why: Why<W>,
}

#[derive(Debug)]
pub(crate) enum Why<W> {
    Refused(Refused),
    Wrong(W),
    Moving,
}

impl<W> From<Refused> for Why<W> {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl<W: Display> Trouble<W> {
    /// The sentence.
    pub(crate) fn failure(&self) -> Failure {
        let path = self.path.display();
        match &self.why {
            Why::Refused(refused) => refused.failure(&self.path),
            Why::Wrong(wrong) => Failure::answered(format!("{path} {wrong}.")),
            Why::Moving => Failure::unreachable(format!("{path} changed during {READS} reads; the next look decides.")),
        }
    }
}

/// Opens for reading only; leaves no trace in the access time where that is allowed; never waits on a pipe.
pub(crate) fn open(path: &Path) -> Result<(File, Metadata), Refused> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty()) {
        // Only the owner and root may ask for that.
        Err(Errno::PERM) => rustix::fs::open(path, flags, Mode::empty()),
        opened => opened,
    };
    let file = File::from(file.map_err(Refused::Os)?);
    let about = file.metadata()?;
    if about.is_file() { Ok((file, about)) } else { Err(Refused::NotAFile) }
}

/// What two reads in a row agree on: a single one may see a page half written. `None` when nothing ever settles.
pub(crate) fn settled<T: PartialEq, E>(mut read: impl FnMut() -> Result<T, E>) -> Result<Option<T>, E> {
    let mut last = read()?;
    for _ in 1..READS {
        let again = read()?;
        if again == last {
            return Ok(Some(again));
        }
        last = again;
    }
    Ok(None)
}

/// Where an open file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: FileId,
    /// The file system's type; empty when `/proc` does not say.
    pub(crate) kind: Clean,
    /// Locks and shared maps cannot be relied upon.
    pub(crate) network: bool,
}

/// Asks `/proc` where the file lies. The device that `stat` gives is not always the one that the kernel prints
/// beside maps and locks (btrfs, overlays): that one stands in the table of mounts.
pub(crate) fn place(file: &File, about: &Metadata) -> Place {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).unwrap_or_default();
    let mount = info.lines().find_map(|line| number(line.strip_prefix("mnt_id:")?));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let (kind, second) = mount.map(|mount| mounted(&mounts, mount)).unwrap_or_default();
    let first = (rustix::fs::major(about.dev()), rustix::fs::minor(about.dev()));
    let devices = core::iter::once(first).chain(second.filter(|second| *second != first)).collect();
    Place { id: FileId { devices, inode: about.ino() }, kind: Clean::text(kind), network: is_remote(kind) }
}

/// What a table of mounts says of the mount with this number: its file system's type, and its device.
fn mounted(mounts: &str, mount: u64) -> (&str, Option<(u32, u32)>) {
    let row = mounts.lines().find(|row| row.split(' ').next().is_some_and(|first| first.parse() == Ok(mount)));
    let kind = row.and_then(|row| row.split_once(" - ")?.1.split(' ').next()).unwrap_or_default();
    let device = row.and_then(|row| {
        let (major, minor) = row.split(' ').nth(2)?.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    (kind, device)
}

/// Whether several hosts may have a file system of this type mounted.
fn is_remote(kind: &str) -> bool {
    NETWORK.contains(&kind)
}

/// Where the file system is mounted that a path leads to as it is written, if it is one that may never answer. Only
/// the table of mounts is asked, which always does.
pub(crate) fn may_hang(path: &Path) -> Option<PathBuf> {
    hanging(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(), &std::path::absolute(path).ok()?)
}

fn hanging(mounts: &str, path: &Path) -> Option<PathBuf> {
    let mount = |row: &str| {
        let point = row.split(' ').nth(4)?.replace("\\040", " ");
        let kind = row.split_once(" - ")?.1.split(' ').next()?.to_owned();
        path.starts_with(&point).then_some((point, kind))
    };
    // Of two at one point the later one counts.
    let (point, kind) = mounts.lines().filter_map(mount).max_by_key(|(point, _)| point.len())?;
    let may = is_remote(&kind) || kind == "fuse" || kind.starts_with("fuse.");
    may.then(|| point.into())
}

/// The type of the network file system that this lies on, if it does.
pub(crate) fn network(path: &Path) -> Option<Clean> {
    let file = File::open(path).ok()?;
    let about = file.metadata().ok()?;
    let place = place(&file, &about);
    place.network.then_some(place.kind)
}

/// What would keep the owner of `data` from working with the files beside it, one sentence part each.
pub(crate) fn ownership(data: &Metadata, beside: &[(&Path, &Metadata)], folder: (&Path, &Metadata)) -> Vec<Clean> {
    let owner = user_name(data.uid());
    // The group of the data file is the one of the service, as far as can be told without asking a directory.
    let may_write = |about: &Metadata| match about {
        _ if data.uid() == 0 => true,
        about if about.uid() == data.uid() => about.mode() & 0o200 != 0,
        about if about.gid() == data.gid() => about.mode() & 0o020 != 0,
        about => about.mode() & 0o002 != 0,
    };
    let mut found = Vec::new();
    for (path, about) in beside {
        if about.uid() != data.uid() {
            let other = user_name(about.uid());
            found.push(clean!("{} belongs to {other}, the data to {owner}", path.display()));
        }
        if !may_write(about) {
            found.push(clean!("{owner}, who owns the data, may not write {}", path.display()));
        }
    }
    if !may_write(folder.1) {
        found.push(clean!("{owner}, who owns the data, may not create files in {}", folder.0.display()));
    }
    found
}

/// Owner and mode as people read them: `root 0644`.
pub(crate) fn owner_and_mode(about: &Metadata) -> Clean {
    clean!("{} {:04o}", user_name(about.uid()), about.mode() & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_what_two_reads_agree_on_is_believed() {
        let mut reads = [1, 2, 3, 3, 4].into_iter();
        assert_eq!(settled(|| reads.next().ok_or(())), Ok(Some(3)));
        let mut count = 0;
        let restless = settled::<_, ()>(|| {
            count += 1;
            Ok(count)
        });
        assert!(restless == Ok(None) && count == READS);
    }

    #[test]
    fn a_file_system_that_may_never_answer_is_known_by_the_table_of_mounts() {
        let mounts = "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /net rw - nfs4 b rw\n3 2 0:3 / /net/disk rw - xfs c rw\n\
            4 1 0:4 / /a\\040b rw - fuse.sshfs d rw\n";
        let at = |path: &str| hanging(mounts, Path::new(path)).map(|point| point.display().to_string());
        assert_eq!((at("/net/x.log").as_deref(), at("/a b/x.log").as_deref()), (Some("/net"), Some("/a b")));
        assert_eq!((at("/net/disk/x.log"), at("/netx/x.log"), at("/var/x.log")), (None, None, None));
    }

    #[test]
    fn what_lies_on_a_mount_of_the_network_is_known_by_its_number_in_the_table() {
        let mounts = "25 1 8:2 / / rw,relatime shared:1 - ext4 /dev/a rw\n\
            126 25 0:52 / /srv/data rw master:2 shared:9 - nfs4 host:/data rw,vers=4.2\n\
            26 25 0:53 / /srv/else rw - cifs //host/else rw\n27 25 0:54 / /srv/ssh rw - fuse.sshfs host: rw\n";
        let of = |mount| {
            let (kind, device) = mounted(mounts, mount);
            (kind, is_remote(kind), device)
        };
        assert_eq!(of(126), ("nfs4", true, Some((0, 52))));
        assert_eq!((of(26), of(27)), (("cifs", true, Some((0, 53))), ("fuse.sshfs", true, Some((0, 54)))));
        assert_eq!((of(25), of(12)), (("ext4", false, Some((8, 2))), ("", false, None)));
    }

    #[test]
    fn a_file_lies_where_the_kernel_says_it_does() {
        let (file, about) = open(Path::new("/proc/self/status")).expect("readable");
        let place = place(&file, &about);
        assert_eq!((place.kind.as_str(), place.network), ("proc", false));
        assert_eq!(place.id.inode, about.ino());
    }

    #[test]
    fn what_keeps_the_owner_out_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let [data, lock] = ["data", "lock"].map(|name| dir.path().join(name));
        for path in [&data, &lock] {
            fs::write(path, "x").expect("written");
        }
        let look = || {
            let about = |path: &Path| fs::metadata(path).expect("there");
            ownership(&about(&data), &[(&lock, &about(&lock))], (dir.path(), &about(dir.path())))
        };
        assert_eq!(look(), Vec::<Clean>::new());
        // Only root can give files away, and root itself may write everything.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&data, Some(65_534), None).expect("root");
            fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).expect("ours");
            let said = look();
            assert_eq!(said.len(), 3, "{said:?}");
            assert!(said[0].as_str().ends_with("lock belongs to root, the data to nobody"), "{said:?}");
            assert!(
                said[1].as_str().contains("may not write") && said[2].as_str().contains("create files"),
                "{said:?}"
            );
        }
    }
}
