//! The processes that map an LMDB environment, by their own lists of maps. Blocking, and apart from the reads of the
//! environment itself: a process that holds its memory map hangs whoever reads that list.

use crate::base::{Clean, Clock};
use crate::sys::clock::RealClock;
use crate::sys::holders::{self, FileId, Map};
use core::time::Duration;
use std::collections::BTreeSet;
use std::path::Path;

/// Asking every process may take this long.
const SCAN: Duration = Duration::from_millis(250);
/// Processes whose maps are looked at each time.
const HOLDERS: usize = 64;

/// Whom to ask of one environment.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The data file.
    pub(crate) file: FileId,
    /// Processes that certainly hold the environment.
    pub(crate) certain: BTreeSet<u32>,
    /// Processes that mapped it before.
    pub(crate) known: Vec<u32>,
    /// Every other one as well.
    pub(crate) all: bool,
}

/// Who maps the data file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holders {
    /// Process, its name, and how many bytes it maps.
    pub(crate) maps: Vec<(u32, Clean, u64)>,
    /// Processes that hold the environment but do not show their maps to this login.
    pub(crate) hidden: Vec<(u32, Clean)>,
    /// Others that do not show their maps, of which nothing is known.
    pub(crate) unknown: usize,
    /// Processes that there was no time to ask.
    pub(crate) unasked: usize,
    /// Everybody was to be asked.
    pub(crate) scanned: bool,
}

/// Of several environments, one after the other: every process is asked only while there is time.
pub(crate) fn all(proc: &Path, asked: Vec<Asked>) -> Vec<Holders> {
    let began = RealClock.now().mono;
    let each = asked.into_iter().map(|asked| {
        let late = RealClock.now().mono.since(began) > SCAN;
        holders(proc, &Asked { all: asked.all && !late, ..asked })
    });
    each.collect()
}

fn holders(proc: &Path, asked: &Asked) -> Holders {
    let certain = &asked.certain;
    let mut pids: BTreeSet<u32> = certain.iter().chain(&asked.known).copied().take(HOLDERS).collect();
    if asked.all {
        pids.extend(holders::processes(proc));
    }
    let mut found = Holders { scanned: asked.all, ..Holders::default() };
    let began = RealClock.now().mono;
    for pid in pids {
        if !certain.contains(&pid) && RealClock.now().mono.since(began) > SCAN {
            found.unasked = found.unasked.saturating_add(1);
            continue;
        }
        match holders::map_of(proc, pid, &asked.file) {
            Map::Of(bytes) if found.maps.len() < HOLDERS => found.maps.push((pid, holders::name(proc, pid), bytes)),
            Map::Hidden if certain.contains(&pid) => found.hidden.push((pid, holders::name(proc, pid))),
            Map::Hidden => found.unknown = found.unknown.saturating_add(1),
            Map::Of(_) | Map::Without => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samplers::lmdb::look::look;
    use crate::sys::lmdb::Env;

    #[test]
    fn our_own_map_is_seen() {
        let dir = tempfile::tempdir().expect("a folder");
        let _env = Env::open(dir.path(), 4 << 20).expect("opens");
        let file = look(dir.path(), false).expect("an environment").file.id;
        let asked = Asked { file, certain: BTreeSet::new(), known: Vec::new(), all: true };
        let found = all(Path::new("/proc"), vec![asked]).remove(0);
        let own = found.maps.iter().find(|(pid, ..)| *pid == crate::sys::process::pid()).expect("ours");
        assert_eq!(own.2, 4 << 20);
    }
}
