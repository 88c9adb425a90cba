//! A program that forks twice to get away from its runner does not outlive its time; what was started before stays.

use crate::scene::{Scene, told};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::sys::child::lives_since;
use watchkeeper::sys::group::adopt_orphans;

/// Forks twice, into a session of its own, deaf to TERM; then does what is said.
fn script(dir: &Path, name: &str, then: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let (path, pid) = (dir.join(name), dir.join(format!("{name}.pid")));
    let daemon = format!("trap \"\" TERM; echo $$ > {0}.new; mv {0}.new {0}; exec sleep 600", pid.display());
    let text = format!(
        "#!/bin/sh\n(setsid sh -c '{daemon}' > /dev/null 2>&1 &)\nwhile [ ! -e {} ]; do sleep 0.01; done\n{then}\n",
        pid.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

fn pid_of(dir: &Path, name: &str) -> u32 {
    fs::read_to_string(dir.join(format!("{name}.pid"))).unwrap().trim().parse().unwrap()
}

#[test]
#[ignore = "a role: a runner in a process of its own, for it adopts every orphan of that"]
fn plays_a_runner_that_adopts() {
    let dir = PathBuf::from(std::env::var_os("WATCHKEEPER_TEST_DIR").unwrap());
    adopt_orphans();
    let scene = Scene::new();
    let carry = |name: &str, then: &str| {
        let path = script(&dir, name, then);
        scene.carry("command", &format!("argv = [\"{}\"]\ntimeout = \"1s\"\nok_exit = [0]", path.display()))
    };
    let (end, progress) = carry("starts", "exit 0");
    assert!(end.executed, "{end:?} {:?}", told(&progress));
    let (end, _) = carry("hangs", "sleep 600");
    assert_ne!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert!(!end.executed, "{end:?}");
    // Killed, and a child of ours that nobody has reaped yet: it does not live.
    let ended = (0..1_000_000).any(|_| lives_since(pid_of(&dir, "hangs")).is_none());
    assert!(ended, "it outlives its time");
    assert!(lives_since(pid_of(&dir, "starts")).is_some(), "what was started before stays");
}

#[test]
fn a_daemon_does_not_outlive_the_time_of_the_program_that_left_it() {
    let dir = tempfile::tempdir().unwrap();
    let played = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "orphans::plays_a_runner_that_adopts"])
        .env("WATCHKEEPER_TEST_DIR", dir.path())
        .output()
        .unwrap();
    for name in ["starts", "hangs"] {
        if let Some(pid) = rustix::process::Pid::from_raw(i32::try_from(pid_of(dir.path(), name)).unwrap()) {
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    assert!(played.status.success(), "{played:?}");
}
