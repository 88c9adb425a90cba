//! `host` and a mounted file system that never answers: FUSE without anybody behind it, in a mount namespace of its
//! own, so that nobody else on the machine can run into it.

use crate::peer::{Running, skip};
use crate::probe::{children, launch, role};
use crate::{find, observe, sampler, value};
use core::time::Duration;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use watchkeeper::base::{Clock, Now, Observation};
use watchkeeper::sys::clock::RealClock;

const CHILD: &str = "the_disks_child";

/// Mounts both; the dead one is held by the shell, and gone with it.
const MOUNT: &str = "mkdir $1/empty $1/live $1/dead && mount --bind $1/empty $1/live && exec 3<>/dev/fuse && \
    mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead $1/dead && echo MOUNTED && exec cat >/dev/null";

#[test]
fn a_dead_mount_is_told_and_stops_nothing_else() {
    played("a dead FUSE mount", "mounts::apart");
}

#[test]
fn what_is_written_to_a_disk_is_gone_from_what_is_free_as_the_kernel_counts() {
    played("a disk of its own", "mounts::filling");
}

/// Plays the role in a mount namespace of its own.
pub(crate) fn played(what: &str, name: &str) {
    let program = std::env::current_exe().expect("ourselves");
    // Ours to remove: in this namespace nothing is ever mounted in it.
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("unshare");
    command.env("PROBE_WORD", dir.path());
    let played = command.args(["--mount", "--propagation", "private"]).arg(program).args(role(name)).output();
    let (text, fine) = match played {
        Ok(output) => {
            (String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(), output.status.success())
        }
        Err(error) => (error.to_string(), false),
    };
    if let Some(why) = text.lines().find(|line| line.contains("CANNOT MOUNT") || line.contains("unshare")) {
        return skip(what, why);
    }
    assert!(fine && text.contains("ALL SEEN"), "{text}");
}

fn fact<'a>(seen: &'a Observation, name: &str) -> Option<&'a str> {
    seen.facts.iter().find(|(known, _)| known.as_str() == name).map(|(_, text)| text.as_str())
}

fn mount(dir: &Path) -> Option<Running> {
    let mut shell = Command::new("sh");
    let mut shell = Running::start(shell.args(["-c", MOUNT, "sh"]).arg(dir), Stdio::piped(), Stdio::piped());
    let line = BufReader::new(shell.0.stdout.take().expect("piped")).lines().next();
    line.is_some_and(|line| line.is_ok_and(|line| line == "MOUNTED")).then_some(shell)
}

#[tokio::test]
#[ignore = "a role: played in a mount namespace of its own"]
async fn filling() {
    assert_ne!(fs::read_link("/proc/self/ns/mnt").ok(), fs::read_link("/proc/1/ns/mnt").ok(), "not the host's own");
    let dir = PathBuf::from(std::env::var_os("PROBE_WORD").expect("told"));
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "disk"]).arg(&dir).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        return println!("CANNOT MOUNT here");
    }
    let point = dir.display().to_string();
    let label = [("mountpoint", point.as_str())];
    let counted = || {
        let disk = rustix::fs::statvfs(&*dir).expect("it answers");
        ((disk.f_bavail * disk.f_frsize) as f64, (disk.f_files as f64, disk.f_ffree as f64))
    };
    let told = |seen: &Observation| {
        let value = |name| value(seen, name, &label);
        let files = (value("node_filesystem_files"), value("node_filesystem_files_free"));
        let ratio = value("watchkeeper_host_filesystem_used_ratio");
        ((value("node_filesystem_avail_bytes"), files), ratio)
    };
    let mut host = sampler("host", "");
    let begun = RealClock.now();
    let before = told(&host.observe(begun).await.expect("a host"));
    assert_eq!(before, (counted(), 0.0), "an empty disk");
    fs::write(dir.join("file"), vec![0; 4 << 20]).expect("there is room");
    let by = Duration::from_secs(11);
    let later = Now { mono: begun.mono + by, wall: begun.wall.ahead(by) };
    let after = told(&host.observe(later).await.expect("a host"));
    assert_eq!(after, (counted(), 0.25));
    assert_eq!((before.0.0 - after.0.0, before.0.1.1 - after.0.1.1), (4_194_304.0, 1.0), "a file of 4 MiB");
    println!("ALL SEEN");
}

#[tokio::test]
#[ignore = "a role: played in a mount namespace of its own"]
async fn apart() {
    assert_ne!(fs::read_link("/proc/self/ns/mnt").ok(), fs::read_link("/proc/1/ns/mnt").ok(), "not the host's own");
    let dir = PathBuf::from(std::env::var_os("PROBE_WORD").expect("told"));
    let Some(mut dead_mount) = mount(&dir) else { return println!("CANNOT MOUNT here") };
    launch();
    let (live, dead) = (format!("{}/live", dir.display()), format!("{}/dead", dir.display()));
    let mut host = sampler("host", &format!("mounts = [\"{live}\", \"{dead}\"]"));
    let first = observe(&mut *host).await.expect("a host");
    let size = rustix::fs::statvfs(&*live).expect("it answers");
    let label = [("mountpoint", live.as_str())];
    assert_eq!(value(&first, "node_filesystem_size_bytes", &label), (size.f_blocks * size.f_frsize) as f64);
    assert!(find(&first, "node_filesystem_size_bytes", &[("mountpoint", &dead)]).is_none());
    let words = fact(&first, "remote mounts").expect("told").to_owned();
    let workers = children(std::process::id(), CHILD, "");
    assert_eq!(workers.len(), 1);
    let begins = format!("the file system at {dead} (probe process {}) has not answered since ", workers[0]);
    assert!(words.starts_with(&begins), "{words}");

    let begun = RealClock.now();
    let at = |seconds| {
        let by = Duration::from_secs(seconds);
        Now { mono: begun.mono + by, wall: begun.wall.ahead(by) }
    };
    for seconds in [1, 12, 41] {
        let start = RealClock.now().mono;
        let seen = host.observe(at(seconds)).await.expect("a host");
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(2));
        let since = words.get(..begins.len() + 8).expect("a time");
        assert!(fact(&seen, "remote mounts").is_some_and(|again| again.starts_with(since)), "{:?}", seen.facts);
        assert!(find(&seen, "node_load1", &[]).is_some(), "the host's own values go on");
        assert_eq!(find(&seen, "node_filesystem_size_bytes", &label).is_some(), seconds < 10, "old space is no space");
        assert_eq!(children(std::process::id(), CHILD, ""), workers, "never a second one");
    }

    // Without its server the kernel gives up the mount, and the call comes back.
    drop(dead_mount.0.stdin.take());
    dead_mount.0.wait().expect("ended");
    let mut seconds = 60;
    let after = loop {
        let seen = host.observe(at(seconds)).await.expect("a host");
        if fact(&seen, "remote mounts").is_none() && find(&seen, "node_filesystem_size_bytes", &label).is_some() {
            break seen;
        }
        seconds += 11;
        assert!(seconds < 10_000, "{:?}", seen.facts);
    };
    assert!(fact(&after, &dead).is_some_and(|text| text.starts_with("does not answer: ")), "{:?}", after.facts);
    assert_eq!(children(std::process::id(), CHILD, ""), workers);
    println!("ALL SEEN");
}
