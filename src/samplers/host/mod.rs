//! What the kind `host` reads besides CPU, memory and network: one reader a file. `disk_io` and `kernel_log` are read
//! at every sample, the rest through `slow`, once in ten seconds and beside the event loop, since sensors may dawdle.
//! Each takes the root to read below, which is `/` but in tests, and tells what a host lacks as not supported.

mod clocks;
mod counts;
mod disk_io;
pub(crate) mod disks;
mod free_blocks;
mod heat;
mod kernel_log;
pub(crate) mod remote_disks;
mod slow;
pub(crate) mod xid;

pub(crate) use disk_io::DiskIo;
pub(crate) use kernel_log::KernelLog;
pub(crate) use slow::Slow;

use crate::base::{Clean, Observation};
use crate::clean;
use std::path::Path;

/// These metrics are not supported, for one reason.
pub(crate) fn absent(names: &[&'static str], why: &str, seen: &mut Observation) {
    let why = clean!("{why}");
    seen.not_supported.extend(names.iter().map(|name| (Clean::from(*name), why.clone())));
}

/// Why a file of the kernel's gives nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lack {
    /// It is this login that may not read it.
    Refused(&'static str),
    /// Nobody could.
    Absent(&'static str),
}

impl Lack {
    /// These metrics are not there for it.
    pub(crate) fn tell(self, names: &[&'static str], seen: &mut Observation) {
        match self {
            Self::Refused(why) => seen.refuse(names, &Clean::from(why)),
            Self::Absent(why) => absent(names, why, seen),
        }
    }
}

/// A small file of the kernel's as text without its line feed.
fn word(path: &Path) -> Option<String> {
    let raw = std::fs::read(path).ok()?;
    Some(String::from_utf8_lossy(raw.trim_ascii()).into_owned())
}

/// A small file of the kernel's that holds one number.
fn number<T: core::str::FromStr>(path: &Path) -> Option<T> {
    word(path)?.parse().ok()
}

/// The entries of a folder whose names are `before` and a number, by that number; none when it is not there.
fn numbered(folder: &Path, before: &str) -> Vec<(u32, std::path::PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let numbered = |entry: std::fs::DirEntry| {
        let number = entry.file_name().to_str()?.strip_prefix(before)?.parse().ok()?;
        Some((number, entry.path()))
    };
    let mut found: Vec<_> = entries.filter_map(numbered).collect();
    found.sort();
    found
}
