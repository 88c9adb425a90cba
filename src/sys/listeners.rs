//! Who listens on a TCP port of this host: the processes that hold the socket, with their control groups, their start
//! and their parents, as /proc tells it.

use super::child::start_time;
use crate::base::Clean;
use core::time::Duration;
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeSet;
use std::fs;
use std::io;

/// No more descriptors are looked at.
const MOST: usize = 400_000;
/// No chain of parents is longer.
const DEPTH: usize = 64;

/// A process that holds a listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: Clean,
    /// Since the host started (CLOCK_BOOTTIME).
    pub started: Duration,
    /// Its control groups: in the tree of version 2, and in systemd's own of version 1.
    pub groups: Vec<String>,
    /// Its parent, that one's parent, and so on.
    pub above: Vec<u32>,
}

/// What is known of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// How many sockets listen on it, at any address.
    pub sockets: usize,
    /// Who holds them, as far as this login may see.
    pub holders: Vec<Holder>,
    /// Whether some process did not let itself be looked at.
    pub hidden: bool,
}

/// Looks at a port. Holders are looked for only where somebody listens.
///
/// # Errors
/// The kernel's lists cannot be read.
pub fn look(port: u16) -> io::Result<Listening> {
    let mut inodes = inodes(&fs::read_to_string("/proc/net/tcp")?, port);
    match fs::read_to_string("/proc/net/tcp6") {
        Ok(list) => inodes.extend(self::inodes(&list, port)),
        // A kernel without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut found = Listening { sockets: inodes.len(), ..Listening::default() };
    if inodes.is_empty() {
        return Ok(found);
    }
    let mut left = MOST;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        match holds(pid, &inodes, &mut left) {
            Some(true) => found.holders.extend(holder(pid)),
            Some(false) => {}
            None => found.hidden = true,
        }
    }
    Ok(found)
}

/// The sockets of a `/proc/net/tcp` that listen on this port.
fn inodes(list: &str, port: u16) -> BTreeSet<u64> {
    let wanted = format!(":{port:04X}");
    let rows = list.lines().skip(1).map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    rows.filter(|words| words.get(3) == Some(&"0A") && words.get(1).is_some_and(|at| at.ends_with(&wanted)))
        .filter_map(|words| words.get(9)?.parse().ok())
        .collect()
}

/// Whether it has one of these sockets open; `None` where that is not to be seen. One that has ended has none.
fn holds(pid: u32, inodes: &BTreeSet<u64>, left: &mut usize) -> Option<bool> {
    let files = match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return None,
        Err(_) => return Some(false),
    };
    for file in files.flatten() {
        *left = left.checked_sub(1)?;
        let target = fs::read_link(file.path()).unwrap_or_default();
        let inode = target.to_str().and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        if inode.is_some_and(|inode: u64| inodes.contains(&inode)) {
            return Some(true);
        }
    }
    Some(false)
}

fn holder(pid: u32) -> Option<Holder> {
    let name = name(pid)?;
    let above = core::iter::successors(parent(pid), |pid| parent(*pid)).take(DEPTH).collect();
    let ticks = u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100).max(1);
    let started = Duration::from_secs_f64(start_time(pid)? as f64 / f64::from(ticks));
    Some(Holder { pid, name, started, groups: groups(pid), above })
}

/// What the kernel calls a process; `None` once it has gone.
pub fn name(pid: u32) -> Option<Clean> {
    Some(Clean::text(fs::read(format!("/proc/{pid}/comm")).ok()?.trim_ascii()))
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
    parent.trim().parse().ok().filter(|parent| *parent > 0)
}

/// The control groups of a process in the trees that systemd keeps: that of version 2, and its own of version 1.
pub fn groups(pid: u32) -> Vec<String> {
    let all = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let rest = all.lines().filter_map(|line| line.split_once(':').map(|(_, rest)| rest));
    rest.filter_map(|rest| rest.strip_prefix("name=systemd:").or_else(|| rest.strip_prefix(':')))
        .map(str::to_owned)
        .collect()
}

/// The first process of those whose control groups are `wanted`.
pub fn oldest(wanted: impl Fn(&[String]) -> bool) -> Option<u32> {
    let all = fs::read_dir("/proc").ok()?.flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
    pids.filter(|pid| wanted(&groups(*pid))).min_by_key(|pid| (start_time(*pid), *pid))
}

/// A variable that a process was started with; `None` where it has none, has written over them, or does not let itself be
/// looked at.
pub fn variable(pid: u32, name: &str) -> Option<String> {
    let all = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut rows = all.split(|byte| *byte == 0).filter_map(|row| core::str::from_utf8(row).ok());
    rows.find_map(|row| row.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
}

/// A time of CLOCK_MONOTONIC, such as systemd gives them, as [`Holder::started`] counts: with the time asleep.
pub fn with_sleep(monotonic: Duration) -> Duration {
    let now = |clock| {
        let at = clock_gettime(clock);
        Duration::new(u64::try_from(at.tv_sec).unwrap_or(0), u32::try_from(at.tv_nsec).unwrap_or(0))
    };
    let asleep = now(ClockId::Boottime).saturating_sub(now(ClockId::Monotonic));
    monotonic + asleep
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listener_of_ours_is_found_with_all_that_tells_whose_it_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = look(port).unwrap();
        let ours = seen.holders.iter().find(|holder| holder.pid == std::process::id()).unwrap();
        assert_eq!((seen.sockets, seen.holders.len()), (1, 1), "{seen:?}");
        assert_eq!(ours.groups, groups(std::process::id()));
        assert_eq!(ours.above.first(), Some(&std::os::unix::process::parent_id()));
        let now = with_sleep(Duration::ZERO).max(Duration::from_secs_f64(
            fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap(),
        ));
        assert!(ours.started <= now + Duration::from_millis(20) && ours.started + Duration::from_secs(600) > now);
        drop(listener);
        assert_eq!(look(port).unwrap(), Listening::default(), "once it is closed nobody listens");
    }

    #[test]
    fn a_variable_that_a_process_was_started_with_is_read() {
        let home = std::env::var("PATH").unwrap();
        assert_eq!(variable(std::process::id(), "PATH"), Some(home));
        assert_eq!(variable(std::process::id(), "PAT"), None);
        assert_eq!(oldest(|_| false), None);
    }

    #[test]
    fn only_listening_sockets_of_the_very_port_count() {
        let row = |local: &str, state: &str, inode: u32| {
            format!("   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  0  0 {inode} 1\n")
        };
        let list = [
            "  sl  local_address rem_address   st\n".to_owned(),
            row("0100007F:1F90", "0A", 1),
            row("0100007F:1F90", "01", 2),
            row("0100007F:1F91", "0A", 3),
            row("00000000000000000000000001000000:1F90", "0A", 4),
        ];
        assert_eq!(inodes(&list.concat(), 8080), BTreeSet::from([1, 4]));
        assert!(inodes("", 8080).is_empty());
    }
}
