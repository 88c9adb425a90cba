//! A listening TCP port of this host as the kernel sees it: its queue, its connections, and the processes that hold
//! it. Blocking; nothing is connected to and nothing is locked.

use crate::base::Clean;
use crate::clean;
use crate::samplers::tcp::sock_diag::{self, ESTABLISHED, End, Ending, FAMILIES, LISTEN, STATES, Socket};
use crate::sys::host::user_name;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use rustix::fs::{Mode, OFlags};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// More sockets of one port are not counted.
const SOCKETS: usize = 100_000;
/// More open files are not looked through for the one who holds a socket.
const FILES: usize = 200_000;
/// More processes that hold it are not named.
const HOLDERS: usize = 64;
/// One part of the kernel's answer.
const PART: usize = 64 << 10;

/// Who ought to hold the port.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    /// A unit, by its full name: any process of its control group.
    Unit(String),
    /// The process whose number stands in this file.
    PidFile(PathBuf),
}

impl core::fmt::Display for Owner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unit(unit) => write!(f, "{unit}"),
            Self::PidFile(path) => write!(f, "the process of {}", path.display()),
        }
    }
}

/// What to look at.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) port: u16,
    /// The addresses that it is asked at.
    pub(crate) at: Vec<IpAddr>,
    pub(crate) owner: Option<Owner>,
    /// Who held it at the last look: looked at first, since a search of all processes costs much more.
    pub(crate) held_by: Vec<u32>,
    /// False when the last search found nobody and its time has not come again.
    pub(crate) search: bool,
}

/// One look.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The sockets that take what is sent to the address: several where they share a port.
    pub(crate) listeners: Vec<Socket>,
    /// Connections by state, as [`STATES`] counts.
    pub(crate) states: [u32; STATES.len()],
    /// Established connections by who is at the other end.
    pub(crate) peers: BTreeMap<IpAddr, u32>,
    /// There were more sockets than are counted.
    pub(crate) cut: bool,
    pub(crate) somaxconn: Option<f64>,
    pub(crate) overflows: Option<f64>,
    pub(crate) drops: Option<f64>,
    /// The processes that hold it, or why they are not known.
    pub(crate) holders: Option<Result<Vec<u32>, Clean>>,
    /// The first of them in words.
    pub(crate) holder: Option<Clean>,
    /// Whether one of them is who ought to be, or why that is not known.
    pub(crate) matches: Option<Result<bool, Clean>>,
}

impl Seen {
    /// Whether every listener's queue is full: a connection would wait until one is accepted.
    pub(crate) fn is_full(&self) -> bool {
        !self.listeners.is_empty() && self.listeners.iter().all(|socket| socket.waiting > socket.limit)
    }
}

/// Whether the address belongs to this host: only then can a socket be bound to it.
pub(crate) fn is_ours(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified() || UdpSocket::bind((ip, 0)).is_ok()
}

/// Looks at a port of this host.
pub(crate) fn look(wanted: &Wanted) -> Result<Seen, Clean> {
    let (sockets, cut) = sockets(End::Local, wanted.port)?;
    let mut seen = counted(sockets.iter(), cut);
    seen.listeners = reached(&sockets, &wanted.at);
    seen.somaxconn = fs::read_to_string("/proc/sys/net/core/somaxconn").ok().and_then(|text| text.trim().parse().ok());
    let netstat = fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    seen.overflows = sock_diag::netstat(&netstat, "TcpExt", "ListenOverflows");
    seen.drops = sock_diag::netstat(&netstat, "TcpExt", "ListenDrops");
    if seen.listeners.is_empty() {
        return Ok(seen);
    }
    let inodes: Vec<u32> = seen.listeners.iter().map(|socket| socket.inode).collect();
    let holders = holders(Path::new("/proc"), &inodes, wanted);
    let user = seen.listeners.first().map(|socket| user_name(socket.uid));
    seen.holder = match &holders {
        Ok(pids) => pids.first().map(|pid| process(Path::new("/proc"), *pid)),
        Err(_) => user.map(|user| clean!("a process of {user}")),
    };
    seen.matches = wanted.owner.as_ref().map(|owner| match &holders {
        Ok(pids) => owner.has(Path::new("/proc"), pids),
        Err(why) => Err(why.clone()),
    });
    seen.holders = Some(holders);
    Ok(seen)
}

/// Counts this host's connections to a port of other addresses.
pub(crate) fn look_away(port: u16, at: &[IpAddr]) -> Result<Seen, Clean> {
    let (sockets, cut) = sockets(End::Remote, port)?;
    Ok(counted(sockets.iter().filter(|socket| at.contains(&socket.remote)), cut))
}

fn counted<'a>(sockets: impl Iterator<Item = &'a Socket>, cut: bool) -> Seen {
    let mut seen = Seen { cut, ..Seen::default() };
    for socket in sockets {
        if let Some(count) = usize::from(socket.state).checked_sub(1).and_then(|at| seen.states.get_mut(at)) {
            *count += 1;
        }
        if socket.state == ESTABLISHED {
            *seen.peers.entry(socket.remote).or_default() += 1;
        }
    }
    seen
}

/// The listeners that a connection to the first of the addresses with any would come to: the closest fit.
fn reached(sockets: &[Socket], at: &[IpAddr]) -> Vec<Socket> {
    let listeners = || sockets.iter().filter(|socket| socket.state == LISTEN);
    let at_address = |ip: &IpAddr| {
        // "Any address" is connected to as the loopback; a listener on any IPv6 address takes IPv4 too, by default.
        let own = if ip.is_unspecified() { loopback(*ip) } else { *ip };
        let fits: [&dyn Fn(IpAddr) -> bool; 3] =
            [&|local| local == own, &|local| local.is_unspecified() && local.is_ipv4() == own.is_ipv4(), &|local| {
                local == IpAddr::V6(Ipv6Addr::UNSPECIFIED)
            }];
        fits.iter()
            .map(|fit| listeners().filter(|socket| fit(socket.local)).cloned().collect::<Vec<_>>())
            .find(|found| !found.is_empty())
    };
    at.iter().find_map(at_address).unwrap_or_default()
}

fn loopback(ip: IpAddr) -> IpAddr {
    if ip.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }
}

/// Every socket with this port at this end, and whether there were more than are kept.
fn sockets(end: End, port: u16) -> Result<(Vec<Socket>, bool), Clean> {
    let mut sockets = Vec::new();
    for family in FAMILIES {
        match ask(family, end, port, &mut sockets) {
            Ok(true) => return Ok((sockets, true)),
            Ok(false) => {}
            // A kernel without IPv6 says so; whatever holds for IPv4 was said before.
            Err(_) if family != FAMILIES[0] => {}
            Err(error) => return Err(clean!("the kernel does not list its sockets ({error})")),
        }
    }
    Ok((sockets, false))
}

fn ask(family: u8, end: End, port: u16, sockets: &mut Vec<Socket>) -> io::Result<bool> {
    let kernel =
        socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    set_socket_timeout(&kernel, Timeout::Recv, Some(Duration::from_secs(1)))?;
    send(&kernel, &sock_diag::request(family, end, port), SendFlags::empty())?;
    let mut part = vec![0; PART];
    while sockets.len() < SOCKETS {
        let (length, whole) = recv(&kernel, part.as_mut_slice(), RecvFlags::TRUNC)?;
        if whole > length {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match sock_diag::answer(part.get(..length).unwrap_or_default(), sockets) {
            Ending::More => {}
            Ending::Done => return Ok(false),
            Ending::Refused(number) => return Err(io::Error::from_raw_os_error(number)),
        }
    }
    Ok(true)
}

/// The processes with a file that is one of these sockets.
fn holders(proc: &Path, inodes: &[u32], wanted: &Wanted) -> Result<Vec<u32>, Clean> {
    let names: Vec<PathBuf> = inodes.iter().map(|inode| format!("socket:[{inode}]").into()).collect();
    let mut left = FILES;
    let mut known = wanted.held_by.clone();
    known.retain(|pid| holds(proc, *pid, &names, &mut left).unwrap_or(false));
    if !known.is_empty() {
        return Ok(known);
    }
    let hidden = || Clean::from("the processes of other users cannot be looked into by this login");
    if !wanted.search {
        return Err(hidden());
    }
    let entries = fs::read_dir(proc).map_err(|error| clean!("{}: {error}", proc.display()))?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let mut found = Vec::new();
    let mut denied = false;
    for pid in pids {
        match holds(proc, pid, &names, &mut left) {
            Ok(true) => found.push(pid),
            Ok(false) => {}
            Err(error) => denied |= error.kind() == io::ErrorKind::PermissionDenied,
        }
        if found.len() == HOLDERS || left == 0 {
            break;
        }
    }
    found.sort_unstable();
    match found.is_empty() {
        false => Ok(found),
        true if denied => Err(hidden()),
        true if left == 0 => Err(clean!("more than {FILES} open files on this host were not looked through")),
        true => Err(Clean::from("no process here holds it: it may belong to a container or to the kernel")),
    }
}

fn holds(proc: &Path, pid: u32, names: &[PathBuf], left: &mut usize) -> io::Result<bool> {
    for file in fs::read_dir(proc.join(pid.to_string()).join("fd"))? {
        *left = left.saturating_sub(1);
        let target = fs::read_link(file?.path());
        if target.is_ok_and(|target| names.contains(&target)) {
            return Ok(true);
        }
        if *left == 0 {
            break;
        }
    }
    Ok(false)
}

/// A process in words: number, program, user, unit.
fn process(proc: &Path, pid: u32) -> Clean {
    let dir = proc.join(pid.to_string());
    let name = fs::read(dir.join("comm")).map(|name| Clean::text(name.trim_ascii())).unwrap_or_default();
    let user = fs::metadata(&dir).map(|about| user_name(about.uid())).unwrap_or_default();
    let unit = groups(proc, pid).ok().and_then(|groups| unit_of(&groups).map(|unit| clean!(", {unit}")));
    clean!("process {pid} ({name}) of {user}{}", unit.unwrap_or_default())
}

fn groups(proc: &Path, pid: u32) -> io::Result<String> {
    fs::read_to_string(proc.join(pid.to_string()).join("cgroup"))
}

/// The innermost unit of a control group's path.
fn unit_of(groups: &str) -> Option<&str> {
    let ends = [".service", ".scope", ".socket"];
    groups.lines().find_map(|line| line.rsplit('/').find(|part| ends.iter().any(|end| part.ends_with(end))))
}

impl Owner {
    /// Whether one of these processes is who it ought to be.
    fn has(&self, proc: &Path, pids: &[u32]) -> Result<bool, Clean> {
        match self {
            Self::Unit(unit) => Ok(pids.iter().any(|pid| {
                let groups = groups(proc, *pid).unwrap_or_default();
                groups.lines().any(|line| line.split('/').skip(1).any(|part| part == unit))
            })),
            Self::PidFile(path) => Ok(pids.contains(&pid_in(path)?)),
        }
    }
}

/// The number in a pid file.
fn pid_in(path: &Path) -> Result<u32, Clean> {
    let shown = path.display();
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| clean!("{shown}: {error}"))?;
    let mut text = String::new();
    File::from(file).take(64).read_to_string(&mut text).map_err(|error| clean!("{shown}: {error}"))?;
    text.trim().parse().map_err(|_| clean!("{shown} holds no process number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn wanted(port: u16, at: &str) -> Wanted {
        Wanted { port, at: vec![at.parse().expect("an address")], owner: None, held_by: Vec::new(), search: true }
    }

    #[test]
    fn our_own_listener_is_found_with_its_queue_and_its_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let _waiting: Vec<_> = (0..3).map(|_| std::net::TcpStream::connect(("127.0.0.1", port))).collect();
        let seen = look(&wanted(port, "127.0.0.1")).expect("sock_diag");
        let first = &seen.listeners[0];
        assert_eq!((seen.listeners.len(), first.waiting, first.limit), (1, 3, 128));
        assert_eq!(seen.peers.get(&"127.0.0.1".parse().expect("an address")), Some(&3));
        let us = std::process::id();
        assert_eq!(seen.holders, Some(Ok(vec![us])));
        assert!(seen.holder.is_some_and(|words| words.as_str().starts_with(&format!("process {us} ("))));
        assert_eq!(look(&wanted(port, "127.0.0.2")).expect("sock_diag").listeners, [], "another address of ours");
        let away = look_away(port, &["127.0.0.1".parse().expect("an address")]).expect("sock_diag");
        assert_eq!(away.states[0], 3);
    }

    #[test]
    fn the_closest_listener_is_the_one_that_is_reached() {
        let socket = |local: &str, inode| Socket {
            state: LISTEN,
            local: local.parse().expect("an address"),
            remote: [0, 0, 0, 0].into(),
            waiting: 0,
            limit: 0,
            uid: 0,
            inode,
            drops: None,
        };
        let sockets = [socket("::", 1), socket("0.0.0.0", 2), socket("127.0.0.1", 3), socket("10.0.0.1", 4)];
        let at = |ip: &str| reached(&sockets, &[ip.parse().expect("an address")]).first().map(|socket| socket.inode);
        let found = ["127.0.0.1", "0.0.0.0", "192.0.2.1", "::1", "::"].map(at);
        assert_eq!(found, [Some(3), Some(3), Some(2), Some(1), Some(1)]);
        assert_eq!(reached(&sockets[..1], &["192.0.2.1".parse().expect("an address")]).len(), 1, "IPv4 by IPv6");
    }

    #[test]
    fn a_holder_is_searched_seldom_and_its_unit_read_from_its_group() {
        let proc = tempfile::tempdir().expect("a folder");
        for (pid, inode) in [(7, 4), (9, 5)] {
            let fd = proc.path().join(format!("{pid}/fd"));
            fs::create_dir_all(&fd).expect("folders");
            std::os::unix::fs::symlink(format!("socket:[{inode}]"), fd.join("3")).expect("a link");
        }
        fs::write(proc.path().join("9/cgroup"), "4:memory:/x\n0::/system.slice/norse.service/worker\n")
            .expect("written");
        fs::write(proc.path().join("9/comm"), "norse\n").expect("written");
        let mut wanted = wanted(1, "127.0.0.1");
        assert_eq!(holders(proc.path(), &[5], &wanted), Ok(vec![9]));
        let nobody = holders(proc.path(), &[6], &wanted).expect_err("nobody");
        assert!(nobody.as_str().starts_with("no process here holds it"), "{nobody}");
        wanted.search = false;
        assert!(holders(proc.path(), &[5], &wanted).is_err(), "not its time");
        wanted.held_by = vec![7, 9];
        assert_eq!(holders(proc.path(), &[5], &wanted), Ok(vec![9]), "those who held it last are looked at");

        let unit = |name: &str| Owner::Unit(name.to_owned()).has(proc.path(), &[9]);
        assert_eq!((unit("norse.service"), unit("orse.service"), unit("worker")), (Ok(true), Ok(false), Ok(true)));
        assert!(process(proc.path(), 9).as_str().ends_with(", norse.service"), "{}", process(proc.path(), 9));

        let file = proc.path().join("norse.pid");
        fs::write(&file, "9\n").expect("written");
        assert_eq!(Owner::PidFile(file.clone()).has(proc.path(), &[8, 9]), Ok(true));
        fs::write(&file, "?").expect("written");
        let why = Owner::PidFile(file.clone()).has(proc.path(), &[9]).expect_err("no number");
        assert_eq!(why, clean!("{} holds no process number", file.display()));
    }
}
