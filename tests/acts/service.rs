//! Services of a real systemd, with `systemctl` itself as the judge.

use crate::peer::{self, Peer};
use crate::scene::{Scene, copied_script, told};
use crate::trees::until;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::action::plan::Danger;
use watchkeeper::base::Clean;
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::process::{Detached, spawn_in_unit};

pub(crate) struct Lab {
    pub(crate) peer: Peer,
    pub(crate) scene: Scene,
    pub(crate) prefix: String,
}

pub(crate) fn lab() -> Option<Lab> {
    let peer = peer::start("systemd")?;
    let scene = Scene::new();
    let script = copied_script(scene.dir.path(), "systemd.sh");
    let dir = Path::new(peer.env("SYSTEMD_UNIT_DIR")).parent().unwrap().display().to_string();
    let program = |name: &str| format!("{name} = [\"{}\", \"exec\", \"{dir}\", \"{name}\"]", script.display());
    let prefix = format!("{}, {}", program("systemctl"), program("journalctl"));
    Some(Lab { peer, scene, prefix })
}

impl Lab {
    pub(crate) fn unit(&self, name: &str, service: &str) {
        let text = format!("[Unit]\nDefaultDependencies=no\n[Service]\n{service}\n");
        fs::write(Path::new(self.peer.env("SYSTEMD_UNIT_DIR")).join(name), text).unwrap();
        self.systemctl(&["daemon-reload"]);
    }

    pub(crate) fn systemctl(&self, words: &[&str]) -> String {
        let output = self.peer.exec(&[&["systemctl"], words].concat());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Where its units may write.
    pub(crate) fn dir(&self) -> PathBuf {
        Path::new(self.peer.env("SYSTEMD_UNIT_DIR")).parent().unwrap().to_owned()
    }

    pub(crate) fn says(&self, unit: &str, property: &str) -> String {
        self.systemctl(&["show", "--value", "-p", property, unit])
    }

    pub(crate) fn table(&self, unit: &str) -> String {
        format!("service = {{ kind = \"systemd\", unit = \"{unit}\", {} }}\n", self.prefix)
    }
}

#[test]
fn a_service_is_restarted_once_and_stays_up() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "ExecStart=/bin/sleep 1000");
    lab.systemctl(&["start", "good.service"]);
    let before = lab.says("good.service", "InvocationID");
    let pid = lab.says("good.service", "MainPID");
    let plan = lab.scene.plan("service_restart", &lab.table("good.service")).unwrap();
    assert_eq!(plan.danger, Danger::C2, "whatever the profile says");
    assert!(plan.what.lines[0].as_str().ends_with("systemctl restart good.service"), "{:?}", plan.what.lines);
    let (end, progress) = lab.scene.act(plan.clone());
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    assert_ne!(lab.says("good.service", "InvocationID"), before);
    let now = lab.says("good.service", "MainPID");
    assert!(now != pid && now != "0", "{pid}, then {now}");
}

#[test]
fn two_values_that_are_set_together_take_one_backup_and_one_restart() {
    let Some(lab) = lab() else { return };
    let starts = lab.dir().join("starts");
    let start = format!("ExecStart=/bin/sh -c 'echo begun >> {}; exec sleep 1000'", starts.display());
    lab.unit("norse.service", &start);
    lab.systemctl(&["start", "norse.service"]);
    let count = || fs::read_to_string(&starts).unwrap_or_default().lines().count();
    until("the first start", || count() == 1);
    let file = lab.scene.path("production.toml");
    let text = "[performance]\nbatch_size = 1024\ncuda_streams = 4\n";
    fs::write(&file, text).unwrap();
    let table = format!(
        "danger = \"C2\"\nfile = \"{}\"\nset = [{{ key = \"performance.batch_size\", from = 1024, to = 512 }}, \
         {{ key = \"performance.cuda_streams\", from = 4, to = 2 }}]\n{}",
        file.display(),
        lab.table("norse.service").replace("service = ", "restart = ")
    );
    let before = lab.says("norse.service", "MainPID");
    let plan = lab.scene.plan("config_set", &table).unwrap();
    let (end, progress) = lab.scene.act(plan.clone());
    assert!(end.executed, "{end:?} {:?}", told(&progress));
    assert_eq!(fs::read_to_string(&file).unwrap(), text.replace("1024", "512").replace("= 4", "= 2"));
    let now = lab.says("norse.service", "MainPID");
    until("the second start", || count() == 2);
    assert_eq!((count(), lab.says("norse.service", "NRestarts").as_str()), (2, "0"), "the first start, and one more");
    assert!(now != before && now == lab.says("norse.service", "MainPID"), "{before}, then {now}");
    let run = watchkeeper::action::lifecycle::Run::of(&lab.scene.state(), plan.id);
    let kept = run.backup_of(&file);
    assert_eq!(fs::read_to_string(&kept).unwrap(), text, "both values stand in the one backup");
    let name = kept.file_name().unwrap().to_string_lossy().into_owned();
    let backups = fs::read_dir(kept.parent().unwrap()).unwrap().flatten();
    let many = backups.filter(|entry| entry.file_name().to_string_lossy().contains("production.toml")).count();
    assert_eq!(many, 1, "{name}");
}

#[test]
fn what_systemd_would_not_do_is_refused_before_any_prompt() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "ExecStart=/bin/sleep 1000");
    lab.unit("alone.service", "ExecStart=/bin/sleep 1000\n[Unit]\nRefuseManualStop=yes");
    lab.unit("again.service", "ExecStart=/bin/false\n[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=60");
    let masked = Path::new(lab.peer.env("SYSTEMD_UNIT_DIR")).join("masked.service");
    std::os::unix::fs::symlink("/dev/null", masked).unwrap();
    lab.systemctl(&["daemon-reload"]);
    lab.systemctl(&["start", "good.service", "alone.service"]);
    for _ in 0..2 {
        lab.systemctl(&["start", "again.service"]);
    }
    let refused = |kind: &str, unit: &str| match lab.scene.plan(kind, &lab.table(unit)) {
        Err(fault) => fault.to_string(),
        Ok(plan) => panic!("{unit}: {plan:?}"),
    };
    assert!(refused("service_restart", "missing.service").contains("missing.service is not-found"));
    assert!(refused("service_restart", "masked.service").contains("masked.service is masked"));
    let unknown = |unit: &str| lab.scene.plan("service_restart", &lab.table(unit)).unwrap_err().unknown;
    assert_eq!(
        (unknown("missing.service"), unknown("masked.service")),
        (Some(Box::new("missing.service".into())), None)
    );
    assert!(refused("service_stop", "alone.service").contains("refuses to be started or stopped by hand"));
    assert!(refused("service_reload", "good.service").contains("cannot reload. Restart it."));
    // That no start is left systemd says only when it is asked: then nothing was started.
    let (end, _) = lab.scene.carry("service_start", &lab.table("again.service"));
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false), "{end:?}");
    let why = end.reason.as_str();
    assert!(
        why.contains("`start again.service` was not done: ") && why.contains("reset-failed, then start it"),
        "{why}"
    );
    for name in ["good", "-good.service", "a/b.service", "a b.service", "gооd.service", ""] {
        assert!(lab.scene.plan("service_restart", &lab.table(name)).is_err(), "{name}");
    }
}

#[test]
fn a_service_is_started_stopped_and_forgiven() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "ExecStart=/bin/sleep 1000");
    lab.unit("brief.service", "ExecStart=/bin/sleep 0.3");
    lab.unit("bad.service", "ExecStart=/bin/false");
    let act = |kind: &str, unit: &str| lab.scene.carry(kind, &lab.table(unit));
    let (end, progress) = act("service_start", "good.service");
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!(lab.says("good.service", "ActiveState"), "active");
    let (end, _) = act("service_stop", "good.service");
    assert_eq!((end.outcome, lab.says("good.service", "ActiveState").as_str()), (Outcome::Succeeded, "inactive"));
    // "Done" comes right after the fork; it does not stay up.
    let (end, progress) = act("service_start", "brief.service");
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    let (end, _) = act("service_start", "bad.service");
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(end.reason.as_str().contains("bad.service is failed (failed), exit-code, exit code 1"), "{end:?}");
    let (end, _) = act("service_reset_failed", "bad.service");
    assert_eq!((end.outcome, lab.says("bad.service", "ActiveState").as_str()), (Outcome::Succeeded, "inactive"));
}

/// A control group of the lab, shown where it would stand if its systemd were the host's.
struct Shown(PathBuf);

impl Shown {
    fn of(lab: &Lab, group: &str) -> Self {
        let root = fs::read_to_string(lab.dir().join("cgroup")).unwrap();
        let (root, inside) = (Path::new(root.trim()), group.trim_start_matches('/'));
        let place = root.parent().unwrap().join(inside);
        fs::create_dir_all(&place).unwrap();
        let shown = Self(place);
        assert!(Command::new("mount").arg("--bind").arg(root.join(inside)).arg(&shown.0).status().unwrap().success());
        shown
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg(&self.0).status();
        // Its slice goes as well where nobody else has one there.
        let _gone = fs::remove_dir(&self.0);
        let _gone = self.0.parent().map(fs::remove_dir);
    }
}

#[test]
fn a_stop_is_good_once_nobody_is_left_in_the_control_group() {
    let Some(lab) = lab() else { return };
    // As the unit of Cerebellar-Norse: systemd ends the main process alone.
    lab.unit("left.service", "KillMode=process\nExecStart=/bin/sh -c 'sleep 1000 & exec sleep 2000'");
    lab.systemctl(&["start", "left.service"]);
    let stop = || lab.scene.carry("service_stop", &lab.table("left.service"));
    // This systemd is that of a container: its groups stand elsewhere in the trees of the host, and nobody can say.
    let plan = lab.scene.plan("service_stop", &lab.table("left.service")).unwrap();
    let hits: Vec<&str> = plan.hits.iter().map(Clean::as_str).collect();
    let before = hits.iter().find(|hit| hit.starts_with("KillMode=process: systemd ends its main process alone"));
    assert!(before.is_some_and(|hit| hit.contains("what would be left running cannot be seen")), "{hits:?}");
    let (end, progress) = stop();
    assert_eq!(lab.says("left.service", "ActiveState"), "inactive");
    assert_eq!(end.outcome, Outcome::Unverified, "{end:?} {:?}", told(&progress));
    let why = end.reason.as_str();
    assert!(why.contains("inactive (dead); whether anybody of it is left cannot be seen: "), "{why}");
    // Once they stand where it says, who is left is seen.
    let shown = Shown::of(&lab, &lab.says("left.service", "ControlGroup"));
    let (end, progress) = stop();
    assert_eq!(end.outcome, Outcome::Failed, "{end:?} {:?}", told(&progress));
    let why = end.reason.as_str();
    assert!(
        why.contains("inactive (dead); process ") && why.contains(" (sleep) is left in its control group"),
        "{why}"
    );
    drop(shown);
    lab.systemctl(&["kill", "--signal=KILL", "left.service"]);
    let (end, progress) = stop();
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!(lab.says("left.service", "ControlGroup"), "", "nobody is in it");
}

#[test]
fn what_a_restart_has_left_failed_is_reset_and_started_as_a_plan_of_its_own() {
    let Some(lab) = lab() else { return };
    let good = lab.dir().join("good");
    let program = format!("/bin/sh -c 'test -e {} && exec sleep 1000'", good.display());
    let limit = "[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=600";
    lab.unit("app.service", &format!("ExecStart={program}\n{limit}"));
    fs::write(&good, "").unwrap();
    lab.systemctl(&["start", "app.service"]);
    fs::remove_file(&good).unwrap();
    let restart = lab.scene.plan("service_restart", &lab.table("app.service")).unwrap();
    let (end, told) = lab.scene.act(restart.clone());
    assert_eq!((end.outcome, lab.says("app.service", "ActiveState").as_str()), (Outcome::Failed, "failed"), "{end:?}");
    // Mended, but no start is left.
    fs::write(&good, "").unwrap();
    let start = lab.scene.plan("service_start", &lab.table("app.service")).unwrap();
    let (end, refused) = lab.scene.act(start);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false), "{end:?}");
    assert!(refused.failed.is_some() && refused.failed == told.failed, "{refused:?}");
    let plan = lab.scene.fresh_start(&restart, &told).unwrap();
    let lines: Vec<&str> = plan.what.lines.iter().map(Clean::as_str).collect();
    assert!(lines[0].starts_with("first  ") && lines[0].ends_with(" reset-failed app.service"), "{lines:?}");
    assert!(lines[1].ends_with(" start app.service") && lines.len() == 2, "{lines:?}");
    assert_eq!((plan.danger, plan.support), (Danger::C2, restart.support));
    assert_eq!(plan.undo.to_string(), "stop app.service; offered afterwards");
    let (end, again) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", crate::scene::told(&again));
    assert_eq!((again.failed, lab.says("app.service", "ActiveState").as_str()), (None, "active"));
    let refused = lab.scene.fresh_start(&restart, &told).unwrap_err().to_string();
    assert!(refused.contains("there is nothing to reset and start: app.service is active"), "{refused}");
}

#[test]
fn a_service_that_was_restarted_since_the_plan_is_left_alone() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "ExecStart=/bin/sleep 1000");
    lab.systemctl(&["start", "good.service"]);
    let plan = lab.scene.plan("service_restart", &lab.table("good.service")).unwrap();
    lab.systemctl(&["restart", "good.service"]);
    let serving = lab.says("good.service", "InvocationID");
    let (end, _) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused);
    assert!(end.reason.as_str().contains("restarted meanwhile (process "), "{end:?}");
    assert_eq!(lab.says("good.service", "InvocationID"), serving);
}

#[test]
fn a_unit_that_systemd_has_read_anew_since_the_plan_is_left_alone() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "ExecStart=/bin/sleep 1000");
    lab.systemctl(&["start", "good.service"]);
    let plan = lab.scene.plan("service_restart", &lab.table("good.service")).unwrap();
    lab.unit("good.service", "ExecStart=/bin/sleep 2000");
    let serving = lab.says("good.service", "InvocationID");
    let (end, _) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("what is written in "), "{end:?}");
    assert_eq!(lab.says("good.service", "InvocationID"), serving);
}

#[test]
fn a_login_that_sudo_does_not_let_is_told_which_rule_it_lacks() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "ExecStart=/bin/sleep 1000");
    lab.systemctl(&["start", "good.service"]);
    // A stand-in with sudo's words: -n -l -- asks, -n does.
    let (sudo, denied) = (lab.scene.path("sudo"), lab.scene.path("denied"));
    let script =
        format!("#!/bin/sh\nif [ \"$2\" = -l ]; then [ ! -e {} ]; exit; fi\nshift; exec \"$@\"\n", denied.display());
    fs::write(&sudo, script).unwrap();
    fs::set_permissions(&sudo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let table =
        lab.table("good.service").replace("systemctl = [", &format!("systemctl = [\"{}\", \"-n\", ", sudo.display()));
    fs::write(&denied, "").unwrap();
    let fault = lab.scene.plan("service_restart", &table).unwrap_err().to_string();
    assert!(fault.contains("sudo does not let this login `restart good.service`"), "{fault}");
    assert!(fault.contains("NOPASSWD: ") && fault.contains(" restart -- good.service"), "{fault}");
    fs::remove_file(&denied).unwrap();
    let before = lab.says("good.service", "InvocationID");
    let (end, progress) = lab.scene.carry("service_restart", &table);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_ne!(lab.says("good.service", "InvocationID"), before);
}

#[test]
#[ignore = "a role: a console below systemd that starts a runner"]
fn plays_a_console_below_systemd() {
    let dir = PathBuf::from(std::env::var_os("WATCHKEEPER_TEST_DIR").unwrap());
    let script = format!("cat /proc/self/cgroup > {0}/group; echo said >&2; exec sleep 1000", dir.display());
    let env = vec![("GIVEN".into(), "a value".into())];
    let what = Detached { program: Some("/bin/sh".into()), args: vec!["-c".into(), script.into()], env };
    assert_eq!(spawn_in_unit(&what, "watchkeeper-test.service", &dir.join("out.log"), &RealClock), Some(()));
}

#[test]
fn where_systemd_runs_a_runner_has_a_unit_of_its_own() {
    let scene = Scene::new();
    let dir = scene.dir.path().to_str().unwrap().to_owned();
    let Some(peer) = peer::start_with("systemd", &[("SYSTEMD_RW", dir.as_str())]) else { return };
    let us = std::env::current_exe().unwrap().display().to_string();
    let given = format!("WATCHKEEPER_TEST_DIR={dir}");
    let role = ["env", &given, &us, "--ignored", "--exact", "service::plays_a_console_below_systemd"];
    let played = peer.exec(&role);
    assert!(played.status.success(), "{played:?}");
    let says = |property: &str| {
        let output = peer.exec(&["systemctl", "show", "--value", "-p", property, "watchkeeper-test.service"]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!((says("ActiveState"), says("UMask"), says("LimitCORE")), ("active".into(), "0077".into(), "0".into()));
    assert_eq!(says("KillMode"), "process", "what a command of an action started stays when the runner has ended");
    assert!(says("Environment").contains("GIVEN=a value"), "{}", says("Environment"));
    let group = || fs::read_to_string(scene.path("group")).unwrap_or_default();
    until("its group", || group().ends_with('\n'));
    assert!(group().contains("watchkeeper-test.service"), "{}", group());
}

#[test]
fn a_restart_that_stopped_and_did_not_start_is_no_restart_that_was_not_done() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "Type=exec\nExecStart=/bin/sleep 1000");
    lab.systemctl(&["start", "good.service"]);
    lab.unit("good.service", "Type=exec\nExecStart=/no/such/program");
    let (end, progress) = lab.scene.carry("service_restart", &lab.table("good.service"));
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("good.service is failed (failed), exit-code, exit code 203"), "{end:?}");
    assert!(told(&progress).iter().any(|step| step.contains("was not done") && step.contains("But ")), "{progress:?}");
}

#[test]
fn a_restart_with_no_start_left_is_heavier_and_says_what_would_become_of_it() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "ExecStart=/bin/sleep 1000\n[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=10min");
    lab.systemctl(&["start", "good.service"]);
    let plan = lab.scene.plan("service_restart", &lab.table("good.service")).unwrap();
    let hits: Vec<&str> = plan.hits.iter().map(Clean::as_str).collect();
    assert!(hits.contains(&"start 2 of the 2 that systemd allows in 10min"), "{hits:?}");
    assert!(
        hits.iter().any(|hit| hit.starts_with("stopping takes up to 1min 30s, starting up to 1min 30s")),
        "{hits:?}"
    );
    assert_eq!(plan.danger, Danger::C2);
    lab.systemctl(&["restart", "good.service"]);
    let plan = lab.scene.plan("service_restart", &lab.table("good.service")).unwrap();
    let why = plan.raised.first().map_or("", Clean::as_str);
    assert_eq!(plan.danger, Danger::C3, "{:?}", plan.raised);
    assert!(
        why.starts_with("started 2 times in the last 10min, and systemd allows 2: it would be stopped and not started"),
        "{why}"
    );
    let (end, progress) = lab.scene.act(plan);
    assert_eq!((end.outcome, lab.says("good.service", "ActiveState").as_str()), (Outcome::Failed, "failed"));
    let way = "start-limit-hit: it was started too often; reset-failed, then start it";
    assert!(end.reason.as_str().contains(way), "{end:?} {:?}", told(&progress));
    let refused = lab.scene.plan("service_start", &lab.table("good.service")).unwrap_err().to_string();
    assert!(refused.contains("until its failure is reset"), "{refused}");
}

#[test]
fn a_failed_state_is_reset_only_where_there_is_one_or_no_start_is_left() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "ExecStart=/bin/sleep 1000\n[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=10min");
    lab.systemctl(&["start", "good.service"]);
    let plan = |kind: &str| lab.scene.plan(kind, &lab.table("good.service"));
    let refused = plan("service_reset_failed").unwrap_err().to_string();
    assert!(refused.contains("there is nothing to reset: good.service is active"), "{refused}");
    // Both starts are used up while it runs: the way that the heavier restart names is open, and it works.
    lab.systemctl(&["restart", "good.service"]);
    let why = plan("service_restart").unwrap().raised;
    assert!(why.iter().any(|why| why.as_str().contains("reset-failed first, or wait")), "{why:?}");
    let serving = lab.says("good.service", "InvocationID");
    let (end, progress) = lab.scene.carry("service_reset_failed", &lab.table("good.service"));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!(lab.says("good.service", "InvocationID"), serving, "it was left running");
    lab.systemctl(&["restart", "good.service"]);
    assert_eq!(lab.says("good.service", "ActiveState"), "active");
    assert_ne!(lab.says("good.service", "InvocationID"), serving);
    // One that has no limit and runs has nothing to reset either.
    lab.unit("free.service", "ExecStart=/bin/sleep 1000\n[Unit]\nStartLimitIntervalSec=0");
    lab.systemctl(&["start", "free.service"]);
    assert!(lab.scene.plan("service_reset_failed", &lab.table("free.service")).is_err());
}

#[test]
fn a_job_is_given_up_after_the_time_that_the_profile_declares_and_not_before() {
    let Some(lab) = lab() else { return };
    lab.unit("slow.service", "Type=notify\nExecStart=/bin/sleep 1000\nTimeoutStartSec=infinity");
    let table =
        |timeout: &str| lab.table("slow.service").replace("unit =", &format!("timeout = \"{timeout}\", unit ="));
    let plan = lab.scene.plan("service_start", &lab.table("slow.service")).unwrap();
    let waits = "starting as long as it takes; after 900 s the outcome is unknown";
    assert!(plan.hits.iter().any(|hit| hit.as_str().contains(waits)), "{:?}", plan.hits);
    let (end, _) = lab.scene.carry("service_start", &table("500ms"));
    assert_eq!((end.outcome, end.executed), (Outcome::Indeterminate, false), "{end:?}");
    assert_eq!(lab.says("slow.service", "ActiveState"), "activating", "the job goes on");
    for timeout in ["0s", "-5s", "soon"] {
        assert!(lab.scene.plan("service_start", &table(timeout)).is_err(), "{timeout}");
    }
}

#[test]
fn a_service_that_does_not_listen_to_term_is_waited_for_and_comes_up_again() {
    let Some(lab) = lab() else { return };
    let deaf = "ExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.05; done'";
    lab.unit("deaf.service", &format!("{deaf}\nTimeoutStopSec=400ms"));
    lab.systemctl(&["start", "deaf.service"]);
    let before = lab.says("deaf.service", "InvocationID");
    let (end, progress) = lab.scene.carry("service_restart", &lab.table("deaf.service"));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_ne!(lab.says("deaf.service", "InvocationID"), before);
}

#[test]
fn a_service_in_a_crash_loop_shows_how_it_ended_last() {
    let Some(lab) = lab() else { return };
    lab.unit("loop.service", "ExecStart=/bin/sh -c 'exit 3'\nRestart=always\nRestartSec=1h");
    lab.systemctl(&["start", "loop.service"]);
    // The start is done with the fork; its end comes a moment later.
    until("its end", || lab.says("loop.service", "SubState") == "auto-restart");
    let plan = lab.scene.plan("service_stop", &lab.table("loop.service")).unwrap();
    let seen = plan.based_on[0].value.as_str();
    assert_eq!(seen, "activating (auto-restart), again and again: exit-code, exit code 3");
}

#[test]
fn a_restart_of_a_service_in_a_crash_loop_has_failed_with_its_exit_code() {
    let Some(lab) = lab() else { return };
    lab.unit("loop.service", "ExecStart=/bin/sh -c 'exit 3'\nRestart=always\nRestartSec=1h");
    lab.systemctl(&["start", "loop.service"]);
    until("its end", || lab.says("loop.service", "SubState") == "auto-restart");
    let (end, progress) = lab.scene.carry("service_restart", &lab.table("loop.service"));
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("exit code 3"), "{end:?}");
    // One that is there again before most looks.
    lab.unit(
        "quick.service",
        "ExecStart=/bin/sh -c 'sleep 0.4; exit 4'\nRestart=always\nRestartSec=600ms\nStartLimitIntervalSec=0",
    );
    lab.systemctl(&["start", "quick.service"]);
    let (end, progress) = lab.scene.carry("service_restart", &lab.table("quick.service"));
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("exit code 4"), "{end:?}");
}

#[test]
fn a_unit_file_that_was_changed_on_disk_counts_with_a_reload_that_is_declared() {
    let Some(lab) = lab() else { return };
    lab.unit("good.service", "ExecStart=/bin/sleep 1000");
    lab.systemctl(&["start", "good.service"]);
    let file = Path::new(lab.peer.env("SYSTEMD_UNIT_DIR")).join("good.service");
    fs::write(&file, "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 2000\n").unwrap();
    let warned = lab.scene.plan("service_restart", &lab.table("good.service")).unwrap();
    assert!(
        warned.hits.iter().any(|hit| hit.as_str().starts_with("its unit file has changed on disk")),
        "{:?}",
        warned.hits
    );
    let (end, progress) = lab.scene.carry("service_restart", &(lab.table("good.service") + "daemon_reload = true\n"));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    let pid = lab.says("good.service", "MainPID");
    let runs = lab.peer.exec(&["cat", &format!("/proc/{pid}/cmdline")]).stdout;
    assert_eq!(runs, b"/bin/sleep\x002000\0");
    let other = "service = { kind = \"unix_socket\", path = \"/s\", unit = \"x\" }\ndaemon_reload = true\n";
    assert!(lab.scene.plan("service_restart", other).unwrap_err().to_string().contains("only systemd"));
}
