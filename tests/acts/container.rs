//! Containers of a real Podman engine, with `podman` itself as the judge.

use crate::peer::{self, Peer};
use crate::scene::{Scene, told};
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::action::plan::Danger;
use watchkeeper::base::Clean;

struct Lab {
    peer: Peer,
    scene: Scene,
}

fn lab() -> Option<Lab> {
    Some(Lab { peer: peer::start("container")?, scene: Scene::new() })
}

impl Lab {
    fn podman(&self, words: &[&str]) -> String {
        String::from_utf8_lossy(&self.peer.exec(words).stdout).trim().to_owned()
    }

    /// Starts one that is killed at once when it is stopped.
    fn run(&self, name: &str, more: &[&str], command: &[&str]) {
        let words = [&["run", "--detach", "--stop-timeout=0", "--name", name], more, &["tiny"], command].concat();
        assert!(!self.podman(&words).is_empty(), "{name}");
    }

    fn good(&self) -> String {
        self.run("good", &[], &["sleep", "1000"]);
        self.says("good", "Pid")
    }

    fn says(&self, name: &str, state: &str) -> String {
        self.podman(&["inspect", "--format", &["{{.State.", state, "}}"].concat(), name])
    }

    fn table(&self, name: &str) -> String {
        self.table_with(name, "")
    }

    fn table_with(&self, name: &str, more: &str) -> String {
        let path = self.peer.env("CONTAINER_SOCKET");
        format!("service = {{ kind = \"container\", path = \"{path}\", name = \"{name}\"{more} }}\n")
    }

    fn refused(&self, kind: &str, name: &str) -> String {
        match self.scene.plan(kind, &self.table(name)) {
            Err(fault) => fault.to_string(),
            Ok(plan) => panic!("{name}: {plan:?}"),
        }
    }
}

#[test]
fn a_container_is_restarted_once_and_stays_up() {
    let Some(lab) = lab() else { return };
    let before = lab.good();
    let plan = lab.scene.plan("service_restart", &lab.table("good")).unwrap();
    assert_eq!(plan.danger, Danger::C2, "whatever the profile says");
    let line = plan.what.lines[0].as_str();
    assert!(line.starts_with("restart container good  through the engine at /"), "{line}");
    assert_eq!(plan.based_on[0].value.as_str(), format!("running, process {before}"));
    let hits: Vec<&str> = plan.hits.iter().map(Clean::as_str).collect();
    assert!(hits.contains(&"it is given 0 s to end, then it is killed"), "{hits:?}");
    let (end, progress) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    assert_ne!(lab.says("good", "Pid"), before);
    assert_eq!(lab.says("good", "Status"), "running");
}

#[test]
fn a_container_is_started_stopped_and_reloaded_and_one_that_ends_is_a_failure() {
    let Some(lab) = lab() else { return };
    let before = lab.good();
    let reload = lab.table_with("good", ", reload_signal = \"WINCH\"");
    let (end, progress) = lab.scene.carry("service_reload", &reload);
    assert_eq!((end.outcome, lab.says("good", "Pid")), (Outcome::Succeeded, before), "{end:?} {:?}", told(&progress));
    for (kind, state) in [("service_stop", "exited"), ("service_start", "running")] {
        let (end, progress) = lab.scene.carry(kind, &lab.table("good"));
        assert_eq!(end.outcome, Outcome::Succeeded, "{kind}: {end:?} {:?}", told(&progress));
        assert_eq!(lab.says("good", "Status"), state);
    }
    lab.run("brief", &[], &["sh", "-c", "sleep 0.2; echo password=hunter2 is wrong; exit 3"]);
    lab.podman(&["wait", "brief"]);
    let plan = lab.scene.plan("service_restart", &lab.table("brief")).unwrap();
    assert_eq!(plan.based_on[0].value.as_str(), "exited, exit code 3; its log ends: password=<redacted> is wrong");
    let (end, progress) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("brief is exited, exit code 3; its log ends: "), "{end:?}");
}

#[test]
fn what_an_engine_would_not_do_is_refused_before_any_prompt() {
    let Some(lab) = lab() else { return };
    lab.good();
    lab.run("passing", &["--rm"], &["sleep", "1000"]);
    lab.run("frozen", &["--cgroups=enabled"], &["sleep", "1000"]);
    lab.podman(&["create", "--name", "made", "tiny", "sleep", "1000"]);
    let said = lab.refused("service_restart", "goood");
    assert!(said.contains("has no container `goood`. Did you mean `good`?"), "{said}");
    let id = lab.podman(&["ps", "--format", "{{.ID}}", "--filter", "name=good"]);
    assert_eq!(id.len(), 12, "{id}");
    let said = lab.refused("service_restart", &id);
    assert!(said.contains("is an id or a part of one, not a name. Write `good`."), "{said}");
    for kind in ["service_restart", "service_stop"] {
        let said = lab.refused(kind, "passing");
        assert!(said.contains("was started to be removed when it stops (--rm)"), "{said}");
    }
    assert!(lab.refused("service_start", "good").contains("there is nothing to start. To start it anew, restart it."));
    assert!(lab.refused("service_stop", "made").contains("made is created: there is nothing to stop"));
    assert!(lab.refused("service_reload", "good").contains("say reload_signal = \"HUP\"; else restart it."));
    assert!(lab.refused("service_reset_failed", "good").contains("has no failed state to clear"));
    for name in ["-good", "a/b", "../good", "good\\n", "gооd", "good?t=0", ""] {
        assert!(lab.scene.plan("service_restart", &lab.table(name)).is_err(), "{name}");
    }
    // Not every kernel lets one be frozen.
    lab.podman(&["pause", "frozen"]);
    if lab.says("frozen", "Status") == "paused" {
        let said = lab.refused("service_restart", "frozen");
        assert!(said.contains("frozen is paused") && said.contains("find out why, then unpause it."), "{said}");
    }
    let table = lab.table("good").replace("/sock\"", "/none\"");
    let said = lab.scene.plan("service_restart", &table).unwrap_err().to_string();
    assert!(said.contains("there is no socket ") && said.contains("Is the engine running?"), "{said}");
}

#[test]
fn a_container_with_a_health_check_counts_once_that_has_passed() {
    let Some(lab) = lab() else { return };
    let check = ["--health-cmd", "test -e /well", "--health-interval", "disable", "--health-retries", "1"];
    lab.run("checked", &check, &["sleep", "1000"]);
    let (end, progress) = lab.scene.carry("service_restart", &lab.table("checked"));
    assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("its health check has not passed yet"), "{end:?}");
    lab.podman(&["healthcheck", "run", "checked"]);
    assert_eq!(lab.says("checked", "Health.Status"), "unhealthy");
    let plan = lab.scene.plan("service_reload", &lab.table_with("checked", ", reload_signal = \"WINCH\"")).unwrap();
    assert!(plan.based_on[0].value.as_str().ends_with(", unhealthy"), "{:?}", plan.based_on);
    let (end, _) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?}");
    lab.podman(&["exec", "checked", "touch", "/well"]);
    lab.podman(&["healthcheck", "run", "checked"]);
    let reload = lab.table_with("checked", ", reload_signal = \"WINCH\"");
    let (end, progress) = lab.scene.carry("service_reload", &reload);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
}

#[test]
fn a_container_that_was_restarted_or_made_anew_since_the_plan_is_left_alone() {
    let Some(lab) = lab() else { return };
    lab.good();
    let plan = lab.scene.plan("service_restart", &lab.table("good")).unwrap();
    lab.podman(&["restart", "good"]);
    let serving = lab.says("good", "Pid");
    let (end, _) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("good: restarted meanwhile (process "), "{end:?}");
    assert_eq!(lab.says("good", "Pid"), serving);
    lab.podman(&["stop", "good"]);
    let plan = lab.scene.plan("service_start", &lab.table("good")).unwrap();
    lab.podman(&["rm", "good"]);
    lab.podman(&["create", "--name", "good", "tiny", "sleep", "1000"]);
    let (end, _) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("good: container "), "{end:?}");
    assert_eq!(lab.says("good", "Status"), "created");
}

#[test]
fn a_container_that_is_removed_meanwhile_is_told_of_and_not_restarted() {
    let Some(lab) = lab() else { return };
    lab.good();
    let plan = lab.scene.plan("service_restart", &lab.table("good")).unwrap();
    lab.podman(&["rm", "--force", "good"]);
    let (end, _) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{end:?}");
    assert!(end.reason.as_str().contains("has no container `good`"), "{end:?}");
}

#[test]
fn a_restart_that_stopped_and_did_not_start_is_judged_by_what_it_left() {
    let Some(lab) = lab() else { return };
    // Its program goes away with its first run.
    lab.run("own", &[], &["sh", "-c", "rm /bin/sh 2>/dev/null; /bin/busybox rm /bin/sh; exec /bin/busybox sleep 1000"]);
    let (end, progress) = lab.scene.carry("service_restart", &lab.table("own"));
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    let steps = told(&progress);
    assert!(
        steps.iter().any(|step| step.contains("was not done: status 500") && step.contains("But own")),
        "{steps:?}"
    );
}
