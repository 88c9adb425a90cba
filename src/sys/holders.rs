//! Which processes hold a file: their maps and their record locks, as the kernel lists them in `/proc`. Asks, never
//! takes: files are told by device and inode, never by name.

use super::aside::heard;
use super::quiet;
use crate::base::Clean;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

/// More of a list of maps is not read.
const MAPS_MAX: u64 = 8 << 20;

/// A file as the kernel prints it beside maps and locks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    /// Major and minor; more than one where `stat` and the kernel's lists differ.
    pub(crate) devices: Vec<(u32, u32)>,
    pub(crate) inode: u64,
}

impl FileId {
    /// Whether the kernel means this file by these words of its lists.
    pub(crate) fn is(&self, device: &str, inode: &str) -> bool {
        let hex = |text| u32::from_str_radix(text, 16).ok();
        let device = device.split_once(':').and_then(|(major, minor)| Some((hex(major)?, hex(minor)?)));
        inode.parse() == Ok(self.inode) && device.is_some_and(|device| self.devices.contains(&device))
    }
}

/// How much of the file a process maps from its start on, from its `/proc/PID/maps`. Of several maps the shortest
/// counts, since it is the first to be full.
pub(crate) fn mapped(maps: &str, file: &FileId) -> Option<u64> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(range), _, Some(offset), Some(device), Some(inode)) =
            (words.next(), words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let range = range.split_once('-').and_then(|(start, end)| Some((hex(start)?, hex(end)?)));
        let (Some((start, end)), Some(offset), true) = (range, hex(offset), file.is(device, inode)) else { continue };
        match runs.last_mut() {
            // The kernel splits one map where parts of it were advised apart.
            Some((until, length)) if *until == start && *length == offset && offset > 0 => {
                *length += end.saturating_sub(start);
                *until = end;
            }
            _ if offset == 0 => runs.push((end, end.saturating_sub(start))),
            _ => {}
        }
    }
    runs.into_iter().map(|(_, length)| length).min()
}

/// What a look at one process' maps gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Map {
    /// It maps so many bytes of the file.
    Of(u64),
    /// It does not map it, or is gone.
    Without,
    /// This login may not know.
    Hidden,
}

/// Looks at the maps of one process.
pub(crate) fn map_of(proc: &Path, pid: u32, file: &FileId) -> Map {
    heard();
    let mut text = Vec::new();
    let read =
        fs::File::open(proc.join(format!("{pid}/maps"))).and_then(|maps| maps.take(MAPS_MAX).read_to_end(&mut text));
    match read {
        Ok(_) => mapped(&String::from_utf8_lossy(&text), file).map_or(Map::Without, Map::Of),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Map::Hidden,
        Err(_) => Map::Without,
    }
}

/// Every process that this login sees.
pub(crate) fn processes(proc: &Path) -> Vec<u32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether its program is of 32 bits; `None` where that cannot be seen.
pub(crate) fn is_of_32_bits(proc: &Path, pid: u32) -> Option<bool> {
    let mut head = [0; 5];
    fs::File::open(proc.join(pid.to_string()).join("exe")).ok()?.read_exact(&mut head).ok()?;
    match head {
        [0x7f, b'E', b'L', b'F', class] => Some(class == 1),
        _ => None,
    }
}

/// Whether the process is there; `None` where other users' processes are hidden, so that absence proves nothing.
pub(crate) fn is_there(proc: &Path, pid: u32) -> Option<bool> {
    let seen = |pid: u32| proc.join(pid.to_string()).try_exists().ok();
    match seen(pid)? {
        false if seen(1)? => Some(false),
        false => None,
        true => Some(true),
    }
}

/// The name that the process gives itself.
pub(crate) fn name(proc: &Path, pid: u32) -> Clean {
    let comm = fs::read(proc.join(format!("{pid}/comm"))).unwrap_or_default();
    let comm = comm.trim_ascii();
    if comm.is_empty() { Clean::from("gone") } else { Clean::text(comm) }
}

/// A record lock that is held (not one that is waited for).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    /// Its process; `None` for a lock that belongs to an open file.
    pub(crate) pid: Option<u32>,
    pub(crate) write: bool,
    /// First and last byte.
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Lock {
    /// Covers one of these bytes.
    pub(crate) fn touches(&self, from: u64, to: u64) -> bool {
        self.from <= to && from <= self.to
    }
}

/// The record locks on these files, one list each. The kernel prints its list in pieces, between which others lock and
/// unlock so that lines are lost or doubled: what two readings agree on is believed.
pub(crate) fn locks_on<const N: usize>(proc: &Path, files: [&FileId; N]) -> [Vec<Lock>; N] {
    let mut last = files.map(|_| Vec::new());
    let settled = quiet::settled(|| {
        let text = fs::read_to_string(proc.join("locks")).unwrap_or_default();
        last = files.map(|file| locks(&text, file));
        Ok::<_, ()>(last.clone())
    });
    settled.ok().flatten().unwrap_or(last)
}

/// The record locks on a file, from the text of `/proc/locks`.
fn locks(text: &str, file: &FileId) -> Vec<Lock> {
    let lock = |line: &str| {
        // 1: POSIX  ADVISORY  WRITE 31188 fe:00:5701636 0 EOF
        let mut words = line.split_ascii_whitespace().skip(1);
        if !matches!(words.next()?, "POSIX" | "OFDLCK") {
            return None;
        }
        let write = words.nth(1)? == "WRITE";
        let pid = words.next()?.parse().ok().filter(|pid| *pid > 0);
        let (device, inode) = words.next()?.rsplit_once(':')?;
        let from = words.next()?.parse().ok()?;
        let to = words.next()?;
        let to = if to == "EOF" { u64::MAX } else { to.parse().ok()? };
        file.is(device, inode).then_some(Lock { pid, write, from, to })
    };
    text.lines().filter_map(lock).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> FileId {
        FileId { devices: vec![(0x2b, 7), (0xfe, 0)], inode: 77 }
    }

    #[test]
    fn a_map_is_told_by_device_and_inode_and_its_parts_are_joined() {
        let maps = "7f0000000000-7f0000400000 r--s 00000000 fe:00 77                         /x/data.mdb\n\
                    7f0000400000-7f0000800000 rw-s 00400000 fe:00 77                         /x/data.mdb\n\
                    7f0000800000-7f0000900000 r--s 00000000 fe:00 78                         /x/data.mdb\n\
                    7f0000900000-7f0000a00000 r--s 00000000 fe:01 77                         /y/data.mdb\n\
                    7f0000a00000-7f0000b00000 r-xp 00000000 00:00 0\n\
                    7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0                          [stack]\n";
        assert_eq!(mapped(maps, &file()), Some(8 << 20));
        let twice = format!("7e0000000000-7e0000100000 r--s 00000000 2b:07 77 /x (deleted)\n{maps}");
        assert_eq!(mapped(&twice, &file()), Some(1 << 20), "the shorter is full first");
        assert_eq!(
            mapped("7f0000400000-7f0000800000 r--s 00001000 fe:00 77 /x\n", &file()),
            None,
            "not from the start"
        );
        assert_eq!(mapped("garbage\n- - - - -\n", &file()), None);
    }

    #[test]
    fn locks_are_those_on_the_file_that_are_held() {
        let text = "1: POSIX  ADVISORY  WRITE 400 fe:00:77 1073741826 1073742335\n\
                    1: -> POSIX  ADVISORY  WRITE 401 fe:00:77 1073741826 1073742335\n\
                    2: FLOCK  ADVISORY  WRITE 402 fe:00:77 0 EOF\n\
                    3: OFDLCK ADVISORY  READ  -1 2b:07:77 0 EOF\n\
                    4: POSIX  ADVISORY  READ 403 fe:00:78 0 0\n";
        let exclusive = Lock { pid: Some(400), write: true, from: 0x4000_0002, to: 0x4000_0002 + 509 };
        let open = Lock { pid: None, write: false, from: 0, to: u64::MAX };
        assert_eq!(locks(text, &file()), [exclusive, open]);
        assert!(exclusive.touches(0x4000_0002, 0x4000_0002) && !exclusive.touches(0, 0x4000_0001));
        assert_eq!(locks("nonsense\n1:\n2: POSIX\n", &file()), []);
    }

    #[test]
    fn hidden_processes_are_not_called_gone() {
        let proc = tempfile::tempdir().expect("a folder");
        fs::create_dir(proc.path().join("40")).expect("a folder");
        assert_eq!((is_there(proc.path(), 40), is_there(proc.path(), 41)), (Some(true), None));
        fs::create_dir(proc.path().join("1")).expect("a folder");
        assert_eq!(is_there(proc.path(), 41), Some(false));
        assert_eq!(name(proc.path(), 41), Clean::from("gone"));
    }
}
