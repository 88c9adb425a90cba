//! The sockets that processes hold open, by protocol and state: their descriptors against the tables of their network.

use super::{Absent, text};
use crate::samplers::tcp::sock_diag::STATES;
use core::net::IpAddr;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// More descriptors are not looked at.
const MOST: usize = 16_384;

/// Counts by protocol and state; of protocols without states the state is empty.
pub(super) type Counts = BTreeMap<(&'static str, &'static str), u64>;

/// What was found.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) counts: Counts,
    /// Connections of TCP by their other end and state.
    pub(super) ends: BTreeMap<(IpAddr, &'static str), u64>,
}

/// Of these processes, which share the network of the first.
pub(super) fn read(root: &Path, pids: &[u32]) -> Result<Sockets, Absent> {
    let mut held: HashSet<u64> = HashSet::new();
    let mut looked = 0;
    for pid in pids {
        for entry in std::fs::read_dir(root.join(format!("proc/{pid}/fd")))?.filter_map(Result::ok) {
            looked += 1;
            if looked > MOST {
                return Err(Absent::Many);
            }
            let link = std::fs::read_link(entry.path()).unwrap_or_default();
            let inode: Option<u64> =
                link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
            held.extend(inode);
        }
    }
    let Some(first) = pids.first() else { return Err(Absent::Missing) };
    let table = |name: &str| text(&root.join(format!("proc/{first}/net/{name}")));
    let mut counts: Counts = STATES.iter().map(|state| (("tcp", *state), 0)).collect();
    counts.extend([(("udp", ""), 0), (("unix", ""), 0)]);
    let mut ends = BTreeMap::new();
    for (name, protocol) in [("tcp", "tcp"), ("tcp6", "tcp"), ("udp", "udp"), ("udp6", "udp"), ("unix", "unix")] {
        let text = match table(name).map_err(Absent::from) {
            // Without IPv6 its tables are not there.
            Err(Absent::Missing) => continue,
            table => table?,
        };
        for Row { state, inode, end } in text.lines().skip(1).filter_map(|line| row(line, protocol)) {
            if !held.contains(&inode) {
                continue;
            }
            *counts.entry((protocol, state)).or_default() += 1;
            if let Some(end) = end.filter(|end| protocol == "tcp" && !end.is_unspecified()) {
                *ends.entry((end, state)).or_default() += 1;
            }
        }
    }
    Ok(Sockets { counts, ends })
}

struct Row {
    state: &'static str,
    inode: u64,
    /// The address of the other end.
    end: Option<IpAddr>,
}

fn row(line: &str, protocol: &str) -> Option<Row> {
    let mut words = line.split_ascii_whitespace();
    if protocol == "unix" {
        return Some(Row { state: "", inode: words.nth(6)?.parse().ok()?, end: None });
    }
    let end = words.nth(2).and_then(|end| address(end.split(':').next()?));
    let state = usize::from_str_radix(words.next()?, 16).ok()?;
    let inode = words.nth(5)?.parse().ok()?;
    let state = if protocol == "tcp" { STATES.get(state.checked_sub(1)?)? } else { "" };
    Some(Row { state, inode, end })
}

/// An address as the kernel prints it: words of four bytes, each as this machine holds a number.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(word(0)?.into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            Some(IpAddr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_sockets_that_are_held_count_and_a_state_without_one_is_zero() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().join("proc/7");
        std::fs::create_dir_all(folder.join("fd")).expect("made");
        std::fs::create_dir_all(folder.join("net")).expect("made");
        for (at, target) in ["socket:[11]", "socket:[12]", "socket:[13]", "/dev/null"].iter().enumerate() {
            symlink(target, folder.join(format!("fd/{at}"))).expect("linked");
        }
        let tcp = "head\n 0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 11 1\n 1: 0:1 0:2 01 0:0 0:0 0 0 0 99 1\n 2: 0100007F:9000 0200007F:01BB 01 0:0 0:0 0 0 0 13 1\n";
        std::fs::write(folder.join("net/tcp"), tcp).expect("written");
        std::fs::write(folder.join("net/unix"), "head\n0: 2 0 10000 1 1 12 /run/x\nbad\n").expect("written");
        let Sockets { counts, ends } = read(root.path(), &[7]).expect("readable");
        let ends: Vec<_> = ends.iter().map(|((ip, state), count)| (ip.to_string(), *state, *count)).collect();
        assert_eq!(ends, [("127.0.0.2".to_owned(), "established", 1)], "a listener has no other end");
        let count = |protocol, state| counts.get(&(protocol, state)).copied();
        assert_eq!(
            (count("tcp", "listen"), count("tcp", "established"), count("udp", "")),
            (Some(1), Some(1), Some(0))
        );
        assert_eq!(count("unix", ""), Some(1));
        assert_eq!(counts.len(), STATES.len() + 2, "no state that this table never shows");
        assert_eq!(read(root.path(), &[8]).err(), Some(Absent::Missing));
        assert_eq!(address("0000000000000000FFFF00000200007F"), address("0200007F"), "IPv4 by IPv6");
        assert_eq!((address("xyz"), address("0100007G")), (None, None));
    }
}
