//! What a quota of the disk leaves an owner, where the file system keeps quotas. Only asked, never set.
#![expect(unsafe_code, reason = "rustix asks for no quotas")]

use crate::base::Clean;
use crate::clean;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// Limits are counted in blocks of so many bytes, whatever the file system's own are.
const BLOCK: u64 = 1024;
/// Whose quotas there are: as the kernel numbers them, and in words.
const USER: (libc::c_int, &str) = (0, "user");
const GROUP: (libc::c_int, &str) = (1, "group");

/// What is left of a quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Bytes that may still be written.
    pub(crate) bytes: u64,
    /// Whose quota it is: `user 1000`.
    pub(crate) whose: Clean,
}

/// The smallest of what the quotas of a user and a group leave on the file system of this folder; `None` where none is in
/// use there.
///
/// # Errors
/// That quotas are in use there and may not be asked for, in words.
pub(crate) fn left(folder: &Path, uid: u32, gid: u32) -> Result<Option<Left>, Clean> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(folder, flags, Mode::empty());
    let folder = opened.map_err(|errno| clean!("{} cannot be opened: {errno}", folder.display()))?;
    let mut least: Option<Left> = None;
    for ((kind, word), id) in [(USER, uid), (GROUP, gid)] {
        let bytes = match asked(&folder, kind, id) {
            Ok(found) => room(&found),
            // Whoever asks for somebody else's is refused before the kernel looks whether there is any.
            Err(Errno::PERM | Errno::ACCESS) if !in_use(&folder) => None,
            Err(errno @ (Errno::PERM | Errno::ACCESS | Errno::IO)) => {
                return Err(clean!("the quota of {word} {id} is unknown: {errno}"));
            }
            // None in use, or none at all: by the file system or the kernel.
            Err(_) => None,
        };
        if let Some(bytes) = bytes.filter(|bytes| least.as_ref().is_none_or(|least| *bytes < least.bytes)) {
            least = Some(Left { bytes, whose: clean!("{word} {id}") });
        }
    }
    Ok(least)
}

fn asked(folder: &OwnedFd, kind: libc::c_int, id: u32) -> Result<libc::dqblk, Errno> {
    // SAFETY: all fields are numbers, for which zero is a value.
    let mut found: libc::dqblk = unsafe { core::mem::zeroed() };
    let command = libc::QCMD(libc::Q_GETQUOTA, kind);
    // SAFETY: the descriptor is open, and the kernel writes one `dqblk` into the one that it is given.
    let done = unsafe { libc::syscall(libc::SYS_quotactl_fd, folder.as_raw_fd(), command, id, &raw mut found) };
    if done == 0 { Ok(found) } else { Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)) }
}

/// What is left of it: of the hard limit, or of the soft one where it is the only one. Zero is no limit.
fn room(found: &libc::dqblk) -> Option<u64> {
    let limit = [found.dqb_bhardlimit, found.dqb_bsoftlimit].into_iter().find(|limit| *limit > 0)?;
    Some(limit.saturating_mul(BLOCK).saturating_sub(found.dqb_curspace))
}

/// Whether the file system was mounted with quotas.
fn in_use(folder: &OwnedFd) -> bool {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", folder.as_raw_fd())).unwrap_or_default();
    let mount = info.lines().find_map(|line| Some(line.strip_prefix("mnt_id:")?.trim().to_owned()));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mount.is_some_and(|mount| mounts.lines().any(|row| row.split(' ').next() == Some(&mount) && tells_of_quotas(row)))
}

/// Of a row of the table of mounts: such as `usrquota`, `prjquota`, `usrjquota=aquota.user`.
fn tells_of_quotas(row: &str) -> bool {
    let options = row.split_once(" - ").and_then(|(_, rest)| rest.split(' ').nth(2)).unwrap_or_default();
    options
        .split(',')
        .any(|option| option.split('=').next().is_some_and(|name| name.ends_with("quota") && name != "noquota"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `quota`s are kept by few file systems: what the kernel would answer.
    fn answer(hard: u64, soft: u64, used: u64) -> libc::dqblk {
        // SAFETY: all fields are numbers, for which zero is a value.
        let mut found: libc::dqblk = unsafe { core::mem::zeroed() };
        (found.dqb_bhardlimit, found.dqb_bsoftlimit, found.dqb_curspace) = (hard, soft, used);
        found
    }

    #[test]
    fn what_is_left_counts_from_the_hard_limit_and_no_limit_is_none() {
        assert_eq!(room(&answer(2_048, 1_024, 1 << 20)), Some(1 << 20));
        assert_eq!(room(&answer(0, 1_024, 1 << 19)), Some(1 << 19));
        assert_eq!(room(&answer(1_024, 0, 1 << 21)), Some(0), "more is used than is allowed");
        assert_eq!(room(&answer(0, 0, 1 << 21)), None);
        assert_eq!(size_of::<libc::dqblk>(), 72, "as the kernel lays it out");
    }

    #[test]
    fn the_table_of_mounts_tells_where_quotas_are_in_use() {
        let row = |options: &str| format!("29 1 8:1 / /srv rw,relatime shared:1 - ext4 /dev/sda1 {options}");
        for options in ["rw,usrquota", "rw,prjquota,errors=remount-ro", "rw,usrjquota=aquota.user,jqfmt=vfsv1"] {
            assert!(tells_of_quotas(&row(options)), "{options}");
        }
        for options in ["rw", "rw,noquota", "rw,data=quota"] {
            assert!(!tells_of_quotas(&row(options)), "{options}");
        }
    }

    #[test]
    fn where_no_quota_is_in_use_nothing_is_said() {
        assert_eq!(left(Path::new("/proc"), 65_534, 65_534), Ok(None));
    }
}
