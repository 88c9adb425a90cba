//! Listening TCP ports of this host, at the loopback or at any address, and who holds them. Plain reads of /proc; who
//! holds a socket is searched once, since that means a look at every open file.

use super::found::{Found, Keep, What};
use super::services::{self, service};
use crate::base::Clean;
use crate::clean;
use crate::sys::holders;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Listeners stand first in the kernel's list; more of it is not read, in bytes.
const LIST: u64 = 256 << 10;
/// More open files are not looked through in one look.
const FILES: usize = 50_000;
/// More ports are not told.
const MOST: usize = 64;
/// A search that found nobody is repeated after so many looks.
const AGAIN: u32 = 10;

/// A listening port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    /// At the loopback, or at any address where one socket is bound so.
    pub(super) at: SocketAddr,
    /// The socket, as the kernel numbers it.
    pub(super) inode: u64,
    pub(super) holder: Option<(u32, Clean)>,
    /// It may be one of those whose open files this login may not see.
    pub(super) hidden: bool,
}

/// Who held what at earlier looks.
#[derive(Debug, Default)]
pub(super) struct Ports {
    holders: HashMap<u64, Option<(u32, Clean)>>,
    /// The last search to its end was not shown every process's open files.
    hidden: bool,
    looks: u32,
}

impl Ports {
    /// Every port, by number.
    pub(super) fn look(&mut self, root: &Path) -> Result<Vec<Port>, Clean> {
        let read = |list: &str| File::open(root.join("proc/net").join(list)).and_then(|list| head(list.take(LIST)));
        let four = read("tcp").map_err(|error| clean!("/proc/net/tcp cannot be read: {error}"))?;
        // A kernel without IPv6 has no such list.
        let six = read("tcp6").unwrap_or_default();
        let mut ports: BTreeMap<u16, (IpAddr, u64)> = BTreeMap::new();
        for (at, inode) in listening(&four).chain(listening(&six)) {
            let known = ports.entry(at.port()).or_insert((at.ip(), inode));
            if at.ip().is_unspecified() && !known.0.is_unspecified() {
                *known = (at.ip(), inode);
            }
        }
        self.learn(&root.join("proc"), &ports.values().map(|(_, inode)| *inode).collect());
        let port = |(number, (ip, inode)): (u16, (IpAddr, u64))| Port {
            at: SocketAddr::new(ip, number),
            inode,
            holder: self.holders.get(&inode).cloned().flatten(),
            hidden: self.hidden,
        };
        Ok(ports.into_iter().map(port).collect())
    }

    /// Searches who holds the sockets that are new; those whose holder is hidden now and then.
    fn learn(&mut self, proc: &Path, sockets: &BTreeSet<u64>) {
        self.looks = self.looks.wrapping_add(1);
        self.holders.retain(|inode, _| sockets.contains(inode));
        let again = self.looks.is_multiple_of(AGAIN);
        let unknown = |inode: &&u64| self.holders.get(*inode).is_none_or(|holder| again && holder.is_none());
        let mut wanted: BTreeSet<u64> = sockets.iter().filter(unknown).copied().collect();
        self.holders.extend(wanted.iter().map(|inode| (*inode, None)));
        let (mut left, mut hidden) = (FILES, false);
        for pid in holders::processes(proc) {
            if wanted.is_empty() || left == 0 {
                return;
            }
            let files = fs::read_dir(proc.join(format!("{pid}/fd")));
            let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
            hidden |= files.as_ref().is_err_and(denied);
            for file in files.into_iter().flatten().flatten() {
                left = left.saturating_sub(1);
                // Even of a folder that opens the links may be denied.
                let target = fs::read_link(file.path()).inspect_err(|error| hidden |= denied(error));
                let socket = target.ok().and_then(|target| inode(target.to_str()?));
                if let Some(socket) = socket.filter(|socket| wanted.remove(socket)) {
                    self.holders.insert(socket, Some((pid, holders::name(proc, pid))));
                }
            }
        }
        // Only here, where all was searched and somebody is still unknown.
        self.hidden = hidden;
    }
}

/// The list up to its first socket that does not listen: a busy host has a hundred thousand behind it.
fn head(mut list: impl Read) -> io::Result<String> {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let length = list.read(&mut piece)?;
        text.extend_from_slice(piece.get(..length).unwrap_or_default());
        let last = text.split(|byte| *byte == b'\n').rev().nth(1).unwrap_or_default();
        let listens =
            |row: &[u8]| row.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).nth(3) == Some(b"0A");
        if length == 0 || text.split(|byte| *byte == b'\n').count() > 2 && !listens(last) {
            return Ok(String::from_utf8_lossy(&text).into_owned());
        }
    }
}

fn inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Listeners at the loopback or at any address, from the head of a `/proc/net/tcp` or `tcp6`.
fn listening(list: &str) -> impl Iterator<Item = (SocketAddr, u64)> {
    //   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
    let rows = list.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let listeners = rows.take_while(|words| words.get(3) == Some(&"0A"));
    let socket = |words: Vec<&str>| {
        let (ip, port) = words.get(1)?.split_once(':')?;
        let at = SocketAddr::new(address(ip)?, u16::from_str_radix(port, 16).ok()?);
        let wanted = at.ip().is_loopback() || at.ip().is_unspecified();
        wanted.then_some((at, words.get(9)?.parse().ok()?))
    };
    listeners.filter_map(socket)
}

/// As the kernel prints it: words of 32 bits, each in the byte order of the machine.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let bytes = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)).to_canonical())
        }
        _ => None,
    }
}

impl Port {
    /// As people write it.
    pub(super) fn name(&self) -> Clean {
        if self.at.ip().is_unspecified() { clean!("*:{}", self.at.port()) } else { clean!("{}", self.at) }
    }

    /// Where this host reaches it: never but at the loopback.
    pub(super) fn near(&self) -> SocketAddr {
        let ip = match self.at.ip() {
            ip if ip.is_loopback() => ip,
            // A socket at any IPv6 address takes IPv4 too unless it was told not to.
            _ => Ipv4Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, self.at.port())
    }

    fn process(&self) -> Option<&str> {
        self.holder.as_ref().map(|(_, name)| name.as_str())
    }

    /// Whether it may be asked for metrics.
    pub(super) fn may_be_asked(&self) -> bool {
        self.process().is_none_or(|process| service(process).is_none())
    }

    /// In words, with the table that would watch it.
    fn found(&self, answers: bool) -> Found {
        let near = self.near();
        let holder = match &self.holder {
            Some((pid, name)) => clean!("{name} ({pid})"),
            None if self.hidden => Clean::from("a process that does not show its files to this login"),
            None => Clean::from("no process that is seen from here"),
        };
        let possible = "A connection is made every 5 s; with `connect = false` the port is only looked at";
        let keep = match self.process().and_then(|process| services::keep(process, near)) {
            Some(keep) => Some(keep),
            None if answers => Keep::text("scrape", "url", &format!("http://{near}/metrics")),
            None => Keep::text("tcp", "url", &near.to_string()).map(|keep| keep.possible(possible)),
        };
        let does = if answers { "answers with metrics" } else { "listening" };
        let name = self.name();
        Found { what: What::Port, says: clean!("{name}, {holder}: {does}"), name, keep }
    }
}

/// All of them as things that were found, and how many are left out.
pub(super) fn found(ports: &[Port], answering: &BTreeSet<u16>) -> (Vec<Found>, usize) {
    // What answers must not be the one that is left out.
    let (first, then): (Vec<&Port>, Vec<&Port>) = ports.iter().partition(|port| answering.contains(&port.at.port()));
    let both = first.into_iter().map(|port| port.found(true)).chain(then.into_iter().map(|port| port.found(false)));
    (both.take(MOST).collect(), ports.len().saturating_sub(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    fn row(local: &str, state: &str, inode: u32) -> String {
        format!(
            "   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 100\n"
        )
    }

    fn host() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("proc/net")).expect("made");
        for (pid, name, inode) in [(7, "redis-server", 1), (9, "planar", 2), (12, "beam.smp", 6)] {
            let fd = root.path().join(format!("proc/{pid}/fd"));
            fs::create_dir_all(&fd).expect("made");
            fs::write(root.path().join(format!("proc/{pid}/comm")), name).expect("written");
            symlink(format!("socket:[{inode}]"), fd.join("3")).expect("a link");
        }
        let four = [
            row("0100007F:18EB", "0A", 1),
            row("00000000:1F90", "0A", 2),
            row("0200000A:0050", "0A", 3),
            row("00000000:3D38", "0A", 6),
            row("0100007F:9999", "01", 4),
            row("0100007F:0016", "0A", 5),
        ];
        fs::write(root.path().join("proc/net/tcp"), HEAD.to_owned() + &four.concat()).expect("written");
        let six = [
            row("00000000000000000000000000000000:1F90", "0A", 8),
            row("00000000000000000000000001000000:0050", "0A", 9),
        ];
        fs::write(root.path().join("proc/net/tcp6"), HEAD.to_owned() + &six.concat()).expect("written");
        root
    }

    #[test]
    fn listeners_near_or_anywhere_are_found_with_their_holders_and_what_would_watch_them() {
        let root = host();
        let ports = Ports::default().look(root.path()).expect("readable");
        let (found, left) = found(&ports, &BTreeSet::from([8080]));
        let told: Vec<(&str, String)> = found
            .iter()
            .map(|found| (found.says.as_str(), found.keep.as_ref().map(Keep::to_string).unwrap_or_default()))
            .collect();
        let told: Vec<(&str, &str)> = told.iter().map(|(says, keep)| (*says, keep.as_str())).collect();
        assert_eq!(
            told,
            [
                (
                    "*:8080, planar (9): answers with metrics",
                    "kind = \"scrape\", url = \"http://127.0.0.1:8080/metrics\""
                ),
                ("[::1]:80, no process that is seen from here: listening", "kind = \"tcp\", url = \"[::1]:80\""),
                ("127.0.0.1:6379, redis-server (7): listening", "kind = \"redis\", url = \"redis://127.0.0.1:6379\""),
                (
                    "*:15672, beam.smp (12): listening",
                    "kind = \"rabbitmq\", url = \"http://127.0.0.1:15672\", user = \"watch\", \
                     password = { env = \"RABBITMQ_PASSWORD\" }"
                ),
            ]
        );
        assert_eq!(left, 0);
        let hidden = Port { hidden: true, ..ports[0].clone() }.found(false);
        assert_eq!(hidden.says.as_str(), "[::1]:80, a process that does not show its files to this login: listening");
        let asked: Vec<u16> = ports.iter().filter(|port| port.may_be_asked()).map(|port| port.at.port()).collect();
        assert_eq!(asked, [80, 8080, 15672], "redis would log what it does not understand");
    }

    #[test]
    fn a_holder_is_searched_once_and_a_hidden_one_seldom() {
        let root = host();
        let mut ports = Ports::default();
        let holder = |ports: &mut Ports, number: u16| {
            let all = ports.look(root.path()).expect("readable");
            all.into_iter().find(|port| port.at.port() == number).and_then(|port| port.holder)
        };
        assert_eq!(holder(&mut ports, 6379), Some((7, Clean::from("redis-server"))));
        fs::remove_dir_all(root.path().join("proc/7/fd")).expect("gone");
        assert_eq!(holder(&mut ports, 6379), Some((7, Clean::from("redis-server"))), "remembered");
        fs::remove_file(root.path().join("proc/9/fd/3")).expect("gone");
        symlink("socket:[9]", root.path().join("proc/9/fd/4")).expect("a link");
        assert_eq!(holder(&mut ports, 80), None, "not its turn");
        let found = (0..AGAIN).filter_map(|_| holder(&mut ports, 80)).count();
        assert!((1..10).contains(&found), "{found} of {AGAIN}");
    }

    #[test]
    fn of_a_long_list_only_the_head_is_read() {
        let list =
            HEAD.to_owned() + &row("0100007F:18EB", "0A", 1).repeat(200) + &row("0100007F:18EB", "01", 2).repeat(9_000);
        let text = head(list.as_bytes()).expect("read");
        assert_eq!(listening(&text).count(), 200);
        assert!(text.len() < 200 * 110 + 8_192, "{} of {}", text.len(), list.len());
        assert_eq!(head(HEAD.as_bytes()).expect("read"), HEAD);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_a_reason_and_an_odd_one_is_survived() {
        let root = tempfile::tempdir().expect("a folder");
        assert!(Ports::default().look(root.path()).is_err());
        let list = format!("{HEAD}x\n{}", row("zz:1", "0A", 1));
        assert_eq!(listening(&list).count(), 0);
        let list = format!("{HEAD}{}", row("0100007F:zz", "0A", 1));
        assert_eq!(listening(&list).count(), 0);
        assert_eq!(address("0100007"), None);
    }
}
