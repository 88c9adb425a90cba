//! Who has a file open for writing, as `/proc` says to this login.

use crate::base::Clean;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The access mode in the flags of an open file; zero reads only.
const ACCESS: u32 = 0o3;

/// So often a process is looked at whose descriptors move.
const LOOKS: usize = 50;
/// So often in a row a file must not be found.
const CLEAN: usize = 3;

/// A process with a file open for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Its number.
    pub pid: u32,
    /// Its command.
    pub name: Clean,
}

/// Everybody who has this file open for writing, and how many processes could not be looked into.
pub fn writers(dev: u64, ino: u64) -> (Vec<Writer>, usize) {
    let (mut found, mut hidden) = (Vec::new(), 0);
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        super::aside::heard();
        match writes(&entry.path(), dev, ino) {
            Some(true) => {
                let name = fs::read(entry.path().join("comm")).unwrap_or_default();
                found.push(Writer { pid, name: Clean::text(name.trim_ascii()) });
            }
            Some(false) => {}
            None => hidden += usize::from(entry.path().exists()),
        }
    }
    found.sort_by_key(|writer| writer.pid);
    (found, hidden)
}

/// `None` when it cannot be seen. A shell moves its descriptors about: what is gone when it is looked at may have another
/// number, one that was passed already; so it must be absent [`CLEAN`] times in a row. Whoever rests on it looks again later.
fn writes(process: &Path, dev: u64, ino: u64) -> Option<bool> {
    let mut clean = 0;
    for _ in 0..LOOKS {
        match look(process, dev, ino).ok()? {
            Some(true) => return Some(true),
            Some(false) => clean += 1,
            None => clean = 0,
        }
        if clean == CLEAN {
            return Some(false);
        }
    }
    None
}

/// One look; `None` when a descriptor went away during it.
fn look(process: &Path, dev: u64, ino: u64) -> std::io::Result<Option<bool>> {
    let mut moved = false;
    for fd in fs::read_dir(process.join("fd"))? {
        let fd = fd?;
        let same = || fs::metadata(fd.path()).map(|meta| (meta.dev(), meta.ino()) == (dev, ino));
        match same() {
            Ok(true) => {
                let flags = flags(&process.join("fdinfo").join(fd.file_name()));
                match flags.filter(|_| same().unwrap_or(false)) {
                    Some(flags) if flags & ACCESS != 0 => return Ok(Some(true)),
                    Some(_) => {}
                    None => moved = true,
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => moved = true,
            // Of another file system, which tells us nothing.
            Ok(false) | Err(_) => {}
        }
    }
    Ok((!moved).then_some(false))
}

fn flags(info: &Path) -> Option<u32> {
    let text = fs::read_to_string(info).ok()?;
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"))?;
    u32::from_str_radix(flags.trim(), 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_that_moves_all_the_time_hardly_ever_escapes() {
        let dir = tempfile::tempdir().unwrap();
        let file = fs::File::create(dir.path().join("log")).unwrap();
        let meta = file.metadata().unwrap();
        let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
        let mover = std::thread::spawn(move || {
            let mut file = file;
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                let other = file.try_clone().unwrap();
                drop(std::mem::replace(&mut file, other));
            }
        });
        let us = Path::new("/proc/self");
        let seen = (0..10_000).filter(|_| writes(us, meta.dev(), meta.ino()) == Some(false)).count();
        drop(stop);
        mover.join().unwrap();
        // One that moves all the time escapes one look in five.
        assert!(seen < 100, "{seen} of 10,000");
    }

    #[test]
    fn who_writes_is_found_and_who_reads_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let file = fs::File::create(&path).unwrap();
        let meta = file.metadata().unwrap();
        let ours = || writers(meta.dev(), meta.ino()).0.iter().any(|writer| writer.pid == std::process::id());
        assert!(ours());
        drop(file);
        let _reader = fs::File::open(&path).unwrap();
        assert!(!ours());
    }
}
