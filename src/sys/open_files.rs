//! Who has a file open for writing, as `/proc` says to this login.

use crate::base::Clean;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The access mode in the flags of an open file; zero reads only.
const ACCESS: u32 = 0o3;

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

fn writes(process: &Path, dev: u64, ino: u64) -> Option<bool> {
    let open = fs::read_dir(process.join("fd")).ok()?;
    Some(open.flatten().any(|fd| {
        let same = fs::metadata(fd.path()).is_ok_and(|meta| (meta.dev(), meta.ino()) == (dev, ino));
        same && flags(&process.join("fdinfo").join(fd.file_name())).is_some_and(|flags| flags & ACCESS != 0)
    }))
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
