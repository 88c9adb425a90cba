//! `systemd` against a real systemd (PID 1 of its own namespace), with `systemctl` itself as the judge.

use crate::peer::{self, Peer};
use crate::{find, observe, sampler, value};
use core::time::Duration;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use watchkeeper::base::{Clock, Observation};
use watchkeeper::samplers::Sampler;
use watchkeeper::sys::clock::RealClock;

/// A systemd and a copy of its script that nobody else may write.
struct Lab {
    peer: Peer,
    copy: tempfile::TempDir,
}

fn lab() -> Option<Lab> {
    let peer = peer::start("systemd")?;
    let copy = tempfile::tempdir().expect("a folder");
    for name in ["systemd.sh", "lib.sh"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(name);
        fs::copy(from, copy.path().join(name)).expect("copied");
        fs::set_permissions(copy.path().join(name), PermissionsExt::from_mode(0o755)).expect("ours");
    }
    Some(Lab { peer, copy })
}

impl Lab {
    fn dir(&self) -> &Path {
        Path::new(self.peer.env("SYSTEMD_UNIT_DIR")).parent().expect("a folder")
    }

    fn unit(&self, name: &str, service: &str) {
        let text = format!("[Unit]\nDefaultDependencies=no\n[Service]\n{service}\n");
        fs::write(Path::new(self.peer.env("SYSTEMD_UNIT_DIR")).join(name), text).expect("written");
    }

    fn systemctl(&self, words: &[&str]) -> String {
        let output = self.peer.exec(&[&["systemctl"], words].concat());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn says(&self, unit: &str, property: &str) -> String {
        self.systemctl(&["show", "--value", "-p", property, unit])
    }

    fn sampler(&self, units: &str) -> Box<dyn Sampler> {
        let script = self.copy.path().join("systemd.sh");
        let prefix =
            format!("systemctl = [\"{}\", \"exec\", \"{}\", \"systemctl\"]", script.display(), self.dir().display());
        sampler("systemd", &format!("{units}\n{prefix}"))
    }
}

fn fact<'a>(seen: &'a Observation, name: &str) -> &'a str {
    let found = seen.facts.iter().find(|(known, _)| known.as_str() == name);
    found.map_or_else(|| panic!("no {name} in {:?}", seen.facts), |(_, text)| text.as_str())
}

/// The one state that is 1.
fn state(seen: &Observation, unit: &str) -> &'static str {
    let on = |state: &&str| value(seen, "systemd_unit_state", &[("name", unit), ("state", state)]) == 1.0;
    let all: Vec<_> = ["active", "activating", "deactivating", "inactive", "failed"].into_iter().filter(on).collect();
    let [one] = all.as_slice() else { panic!("{unit}: {all:?}") };
    one
}

/// Looks until something is so; a hang guard far beyond what it takes.
async fn until(sampler: &mut dyn Sampler, so: impl Fn(&Observation) -> bool) -> Observation {
    let start = RealClock.now().mono;
    loop {
        let seen = observe(sampler).await.expect("systemd answers");
        if so(&seen) {
            return seen;
        }
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "never so: {seen:?}");
    }
}

#[tokio::test]
async fn every_unit_is_seen_as_systemctl_sees_it() {
    let Some(lab) = lab() else { return };
    lab.unit("noexec.service", "ExecStart=/no/such/program");
    lab.unit("nouser.service", "User=nobody-here\nExecStart=/bin/true");
    lab.unit("killed.service", "ExecStart=/bin/sh -c 'kill -KILL $$$$'");
    lab.unit("brief.service", "ExecStart=/bin/true");
    symlink("/dev/null", Path::new(lab.peer.env("SYSTEMD_UNIT_DIR")).join("masked.service")).expect("linked");
    lab.systemctl(&["daemon-reload"]);
    lab.systemctl(&["start", "--no-block", "demo", "crash", "slowstart", "noexec", "nouser", "killed", "brief"]);
    let names = ["demo", "crash", "slowstart", "noexec", "nouser", "killed", "brief", "masked", "missing"];
    let mut all = lab.sampler(&format!("units = {names:?}"));
    until(&mut *all, |seen| state(seen, "slowstart.service") == "activating").await;
    let seen = until(&mut *all, |seen| {
        state(seen, "crash.service") == "failed" && state(seen, "slowstart.service") == "active"
    })
    .await;
    for name in names.map(|name| format!("{name}.service")).iter().filter(|name| *name != "missing.service") {
        assert_eq!(state(&seen, name), lab.says(name, "ActiveState"), "{name}");
        let loaded = f64::from(u8::from(lab.says(name, "LoadState") == "loaded"));
        assert_eq!(value(&seen, "systemd_unit_loaded", &[("name", name)]), loaded, "{name}");
        let restarts: f64 = lab.says(name, "NRestarts").parse().expect("a number");
        assert_eq!(value(&seen, "systemd_service_restart_total", &[("name", name)]), restarts, "{name}");
        let burst: f64 = lab.says(name, "StartLimitBurst").parse().expect("a number");
        assert_eq!(value(&seen, "systemd_service_start_limit_burst", &[("name", name)]), burst, "{name}");
        assert_eq!(find(&seen, "systemd_unit_tasks_current", &[("name", name)]), None, "{name}: [not set]");
        assert_eq!(find(&seen, "systemd_unit_memory_max_bytes", &[("name", name)]), None, "{name}: infinity");
    }
    assert_eq!(value(&seen, "systemd_unit_loaded", &[("name", "missing.service")]), 0.0);
    for absent in ["systemd_unit_state", "systemd_service_restart_total", "systemd_service_start_limit_burst"] {
        assert_eq!(find(&seen, absent, &[("name", "missing.service")]), None, "{absent} of what does not exist");
    }
    let hit = |name: &str| find(&seen, "systemd_service_start_limit_hit", &[("name", name)]);
    assert_eq!((hit("crash.service"), hit("demo.service"), hit("noexec.service")), (None, Some(0.0), Some(0.0)));
    assert_eq!(value(&seen, "systemd_service_restart_total", &[("name", "crash.service")]), 3.0);
    assert_eq!(value(&seen, "systemd_service_start_limit_interval_seconds", &[("name", "crash.service")]), 60.0);
    assert_eq!(value(&seen, "systemd_service_exit_status", &[("name", "noexec.service")]), 203.0);
    let since = RealClock.now().wall.0 as f64 / 1e9
        - value(&seen, "systemd_unit_start_time_seconds", &[("name", "demo.service")]);
    assert!((0.0..120.0).contains(&since), "{since}");
    assert_eq!(find(&seen, "systemd_unit_start_time_seconds", &[("name", "crash.service")]), None, "it does not run");
    for (unit, words) in [
        ("demo.service", format!("active (running); process {}; since ", lab.says("demo.service", "MainPID"))),
        (
            "crash.service",
            "failed; exit-code, again and again: it is not restarted any more; exit status 3; 3 restarts; since "
                .to_owned(),
        ),
        ("noexec.service", "failed; exit-code; exit status 203, EXEC: its program cannot be executed".to_owned()),
        ("nouser.service", "failed; exit-code; exit status 217, USER: its user does not exist".to_owned()),
        ("killed.service", "failed; signal; killed by SIGKILL; since ".to_owned()),
        ("brief.service", "inactive (dead)".to_owned()),
        ("masked.service", "masked, inactive".to_owned()),
        ("missing.service", "no such unit".to_owned()),
    ] {
        assert!(fact(&seen, unit).starts_with(&words), "{unit}: {}", fact(&seen, unit));
    }
    assert!(seen.not_supported[0].1.as_str().starts_with("systemd does not tell how many starts"));
    failed_units_patterns_and_changes(&lab).await;
    a_manager_that_is_stopped_is_silence_and_comes_back(&lab).await;
}

async fn failed_units_patterns_and_changes(lab: &Lab) {
    let mut failed = lab.sampler("");
    let judge = lab.systemctl(&["list-units", "--state=failed", "--no-legend", "--plain"]);
    let seen = observe(&mut *failed).await.expect("an answer");
    assert_eq!(value(&seen, "node_systemd_units", &[("state", "failed")]), judge.lines().count() as f64);
    for line in judge.lines() {
        assert_eq!(state(&seen, line.split_whitespace().next().expect("a name")), "failed");
    }
    lab.systemctl(&["reset-failed"]);
    let seen = observe(&mut *failed).await.expect("an answer");
    assert_eq!((value(&seen, "node_systemd_units", &[]), seen.points.len()), (0.0, 1), "{seen:?}");

    let seen = observe(&mut *lab.sampler("units = [\"demo*\", \"demo.service\"]")).await.expect("an answer");
    assert_eq!(seen.facts.len(), 1, "{seen:?}");
    lab.unit("demo.service", "ExecStart=/bin/sleep 5");
    let seen = observe(&mut *lab.sampler("units = [\"demo.service\"]")).await.expect("an answer");
    assert_eq!(value(&seen, "systemd_unit_need_daemon_reload", &[]), 1.0);
    assert!(fact(&seen, "demo.service").contains("daemon-reload is needed"), "{seen:?}");
}

async fn a_manager_that_is_stopped_is_silence_and_comes_back(lab: &Lab) {
    let kill = |signal: &str| {
        let status = std::process::Command::new("kill").args([signal, lab.peer.env("SYSTEMD_PID")]).status();
        assert!(status.expect("kill runs").success());
    };
    let mut demo = lab.sampler("units = [\"demo.service\"]");
    kill("-STOP");
    let silent = tokio::time::timeout(Duration::from_millis(700), observe(&mut *demo)).await;
    kill("-CONT");
    assert!(silent.is_err(), "{silent:?}");
    until_answered(&mut *demo).await;
}

/// The attempt that was given up may still be ending.
async fn until_answered(sampler: &mut dyn Sampler) {
    let start = RealClock.now().mono;
    while let Err(failure) = observe(sampler).await {
        assert!(failure.what.as_str().contains("No second one is started."), "{failure:?}");
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "{failure:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn without_systemd_there_is_a_sentence() {
    let mut missing = sampler("systemd", "systemctl = [\"/no/such/systemctl\"]");
    let failure = observe(&mut *missing).await.expect_err("missing");
    assert_eq!(failure.what.as_str(), "/no/such/systemctl: there is no such file. Check the spelling of the path.");
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("systemctl");
    fs::write(&script, "#!/bin/sh\necho 'Failed to connect to bus: Host is down' >&2\nexit 1\n").expect("written");
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("ours");
    let mut dead = sampler("systemd", &format!("systemctl = [\"{}\"]", script.display()));
    let failure = observe(&mut *dead).await.expect_err("no bus");
    let said = format!("{} failed (exit code 1): Failed to connect to bus: Host is down.", script.display());
    assert_eq!((failure.what.to_string(), failure.answered), (said, false));
}
