//! What the kind `process` is made of. `find` says which processes are meant, `detail` reads one of them, `sockets`
//! and `cgroup` what belongs to all, `peers` names other ends, `env` what it was started with, `watch` remembers from look to look, `tell` turns it into points; `texts` and
//! `growth` are pure. All of it blocks and runs on a worker: a process that holds its memory map hangs whoever reads
//! its command line. Every path lies below a root, which is `/` but in tests.

mod cgroup;
mod detail;
mod env;
mod find;
mod growth;
mod peers;
mod sockets;
mod tell;
#[cfg(test)]
mod tests;
mod texts;
mod top;
mod watch;

pub(crate) use env::Asked;
pub(crate) use find::Which;
pub(crate) use growth::HOUR;
pub(crate) use peers::Peers;
pub(crate) use watch::{Options, Watch};

use crate::base::{Clean, Observation};
use std::io::{self, Read};
use std::path::Path;

/// No longer file of /proc is read.
const MOST: u64 = 4 << 20;

/// A process for good: a number that is given again has another start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id {
    /// Ticks since boot at which it began.
    start: u64,
    pid: u32,
}

/// Why a value of a process is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absent {
    /// It belongs to another login.
    Denied,
    /// The kernel does not give it, or no longer.
    Missing,
    /// It would take too long to count.
    Many,
}

impl Absent {
    fn why(self) -> Clean {
        Clean::from(match self {
            Self::Denied => "the process belongs to another user (root or CAP_SYS_PTRACE may read it)",
            Self::Missing => "the kernel does not tell it of this process",
            Self::Many => "too many to look through without being in the way",
        })
    }

    /// These metrics are not there for it.
    fn tell(self, names: &[&str], seen: &mut Observation) {
        match self {
            Self::Denied => seen.refuse(names, &self.why()),
            Self::Missing | Self::Many => {
                seen.not_supported.extend(names.iter().map(|name| (Clean::text(name), self.why())));
            }
        }
    }
}

impl From<io::Error> for Absent {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied,
            io::ErrorKind::FileTooLarge => Self::Many,
            _ => Self::Missing,
        }
    }
}

/// A whole file; a longer one than the limit is refused.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(2_048);
    std::fs::File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// The same as text.
fn text(path: &Path) -> io::Result<String> {
    read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
