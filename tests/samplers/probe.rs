//! The probe children of these tests: this very program, started again for one role.

use crate::peer::Running;
use core::time::Duration;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use watchkeeper::base::Clock;
use watchkeeper::samplers::probe::{Class, launch_with, serve};
use watchkeeper::sys::clock::RealClock;

/// A library of this name makes the child of a class play another role.
const BAD: [&str; 2] = ["garbling", "dying"];

/// From now on, children of this process play the roles below.
pub(crate) fn launch() {
    launch_with(|class| {
        let file = if let Class::Nvml(Some(library)) = class { library.file_name() } else { None };
        let bad = BAD.into_iter().find(|bad| file.is_some_and(|file| file == *bad));
        role(&format!("probe::the_{}_child", bad.unwrap_or(class.name())))
    });
}

/// The arguments of a role.
pub(crate) fn role(name: &str) -> Vec<OsString> {
    [name, "--exact", "--ignored", "--nocapture", "--test-threads=1"].map(OsString::from).to_vec()
}

/// This program in a role, with these variables and a pipe for stdout.
pub(crate) fn play(name: &str, env: &[(&str, &Path)]) -> Running {
    let program = std::env::current_exe().expect("ourselves");
    let mut command = Command::new(program);
    Running::start(command.args(role(name)).envs(env.iter().copied()), Stdio::null(), Stdio::piped())
}

fn child(class: &Class) -> ! {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().expect("a socket");
    std::process::exit(i32::from(serve(class, socket)))
}

#[test]
#[ignore = "a role: the probe child for NVML"]
fn the_nvml_child() {
    child(&Class::Nvml(None));
}

#[test]
#[ignore = "a role: the probe child for disks"]
fn the_disks_child() {
    child(&Class::Disks);
}

#[test]
#[ignore = "a role: a probe child gone mad"]
fn the_garbling_child() {
    let mut socket = fs::File::from(std::io::stdin().as_fd().try_clone_to_owned().expect("a socket"));
    socket.write_all(&[9, 0, 0, 0, b'{', b'}', b' ', b' ', b' ', b' ', b' ', b' ', b'x']).expect("written");
    std::io::copy(&mut socket, &mut std::io::sink()).expect("read");
}

#[test]
#[ignore = "a role: a probe child that dies of every question"]
fn the_dying_child() {
    std::process::abort();
}

/// The children that `parent` has in this role, of those whose memory or cwd names `of` when it is not empty.
pub(crate) fn children(parent: u32, role: &str, of: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    all.filter(|pid: &u32| {
        let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let text = |file: &str| String::from_utf8_lossy(&read(file)).into_owned();
        let stat = text("stat");
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        fields.first().is_some_and(|state| *state != "Z")
            && fields.get(1).is_some_and(|ppid| *ppid == parent.to_string())
            && text("cmdline").contains(role)
            && text("maps").contains(of)
    })
    .collect()
}

/// Sends a signal to one process.
pub(crate) fn signal(pid: u32, name: &str) {
    let done = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().expect("kill runs");
    assert!(done.success());
}

/// Waits until it holds; a minute is a hang.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let start = RealClock.now().mono;
    while !holds() {
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}
