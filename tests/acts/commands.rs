//! Services that have only commands: a script that keeps a process by its pid file, as init scripts do.

use crate::peer::Running;
use crate::scene::{Scene, told};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use watchkeeper::action::lifecycle::Outcome;

/// Exit codes and words as LSB has them; `broken` and `weak` make it fail.
const SCRIPT: &str = r#"#!/bin/bash
cd "${0%/*}"; pid=$(cat pid 2>/dev/null)
alive() { [ -n "$pid" ] && grep -q "^State:.[^Z]" /proc/$pid/status 2>/dev/null; }
up() { life=1000; [ -e weak ] && life=0.2; sleep $life >/dev/null 2>&1 & echo $! > pid; }
down() { alive && kill "$pid"; while alive; do :; done; rm -f pid; }
[ ! -e broken ] || [ "$1" = status ] || { echo "not enough rights" >&2; exit 4; }
case $1 in
start) up ;;
stop) down ;;
restart) down; up ;;
half) down; echo "half way" >&2; exit 1 ;;
reload) echo again >> reloads ;;
status) if alive; then echo "bot is up, pid $pid"; exit 0; fi
  [ -n "$pid" ] && { echo "bot is dead"; exit 1; }; echo "bot is down"; exit 3 ;;
odd) echo what; exit 4 ;;
esac
"#;

struct Lab {
    scene: Scene,
    script: String,
}

fn lab() -> Lab {
    let scene = Scene::new();
    let path = scene.path("bot");
    fs::write(&path, SCRIPT).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Lab { script: path.display().to_string(), scene }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.run("stop");
    }
}

impl Lab {
    fn run(&self, word: &str) {
        let ran = std::process::Command::new(&self.script).arg(word).output();
        assert!(ran.is_ok());
    }

    fn pid(&self) -> String {
        fs::read_to_string(self.scene.path("pid")).unwrap_or_default().trim().to_owned()
    }

    /// With every command that is not said otherwise.
    fn table(&self, more: &str) -> String {
        let given = |key: &str| more.lines().any(|line| line.starts_with(key));
        let mut text = format!("[service]\nkind = \"commands\"\nunit = \"bot\"\n{more}\n");
        for key in ["status", "start", "stop", "restart", "reload"] {
            if !given(key) {
                text += &[key, " = [\"", &self.script, "\", \"", key, "\"]\n"].concat();
            }
        }
        text
    }

    fn held(&self) -> String {
        self.table(&format!("pid_file = \"{}\"", self.scene.path("pid").display()))
    }

    fn refused(&self, kind: &str, table: &str) -> String {
        match self.scene.plan(kind, table) {
            Err(fault) => fault.to_string(),
            Ok(plan) => panic!("{table}: {plan:?}"),
        }
    }
}

#[test]
fn a_service_with_a_pid_file_is_restarted_once_and_stays_up() {
    let lab = lab();
    lab.run("start");
    let before = lab.pid();
    let plan = lab.scene.plan("service_restart", &lab.held()).unwrap();
    assert_eq!(plan.what.lines[0].as_str(), format!("{} restart", lab.script));
    assert_eq!(plan.based_on[0].value.as_str(), format!("up, process {before}"));
    let (end, progress) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    assert_ne!(lab.pid(), before);
}

#[test]
fn a_number_that_status_prints_tells_one_run_from_another_as_well() {
    let lab = lab();
    lab.run("start");
    let before = lab.pid();
    let table = lab.table("pid_after = \"pid \"\nup = \"bot is up\"\ndown = \"bot is down\"");
    let (end, progress) = lab.scene.carry("service_restart", &table);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_ne!(lab.pid(), before);
}

#[test]
fn without_a_number_a_restart_is_done_but_never_verified() {
    let lab = lab();
    lab.run("start");
    let before = lab.pid();
    let plan = lab.scene.plan("service_restart", &lab.table("")).unwrap();
    let warned =
        "it will not count as verified: neither pid_file nor pid_after is declared: one run looks like another";
    assert!(plan.hits.iter().any(|hit| hit.as_str() == warned), "{:?}", plan.hits);
    let (end, _) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "{end:?}");
    assert_ne!(lab.pid(), before);
    // That it is down can be seen all the same.
    let (end, progress) = lab.scene.carry("service_stop", &lab.table(""));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!(lab.pid(), "");
}

#[test]
fn a_service_is_started_stopped_and_reloaded_by_its_commands() {
    let lab = lab();
    let act = |kind: &str| lab.scene.carry(kind, &lab.held());
    for kind in ["service_start", "service_reload", "service_stop"] {
        let (end, progress) = act(kind);
        assert_eq!(end.outcome, Outcome::Succeeded, "{kind}: {end:?} {:?}", told(&progress));
        assert_eq!(lab.pid().is_empty(), kind == "service_stop");
    }
    assert_eq!(fs::read_to_string(lab.scene.path("reloads")).unwrap(), "again\n");
    // Up, and gone a moment later.
    fs::write(lab.scene.path("weak"), "").unwrap();
    let (end, progress) = act("service_start");
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("bot is dead (it left its pid or lock file)"), "{end:?}");
}

#[test]
fn what_its_commands_cannot_do_is_refused_before_any_prompt() {
    let lab = lab();
    let refused = |kind: &str, more: &str| lab.refused(kind, &lab.table(more));
    assert!(refused("service_stop", "").contains("bot is stopped already: there is nothing to stop"));
    assert!(refused("service_reload", "").contains("bot is not up"));
    assert!(refused("service_reset_failed", "").contains("has no failed state to clear"));
    let said = refused("service_restart", &format!("status = [\"{}\", \"odd\"]", lab.script));
    assert!(said.contains("does not say whether it is up (exit code 4: what)"), "{said}");
    let said = refused("service_restart", "up = \"yes\"\ndown = \"no\"");
    assert!(said.contains("says neither that it is up nor that it is down (exit code 3: bot is down)"), "{said}");
    let said = refused("service_start", "start = [\"/no/such/program\"]");
    assert!(said.contains("/no/such/program"), "{said}");
    let table = lab.table("").replace(&format!("restart = [\"{}\", \"restart\"]\n", lab.script), "");
    let said = lab.refused("service_restart", &table);
    assert!(said.contains("no command that does `restart` for bot. Say restart = "), "{said}");
    lab.run("start");
    assert!(refused("service_start", "").contains("bot is up already: there is nothing to start"));
    // Somebody else could have changed what it runs.
    fs::set_permissions(&lab.script, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(!refused("service_restart", "").is_empty());
}

#[test]
fn a_command_that_says_no_has_done_nothing_and_one_that_stops_half_way_is_judged() {
    let lab = lab();
    lab.run("start");
    let before = lab.pid();
    fs::write(lab.scene.path("broken"), "").unwrap();
    let (end, _) = lab.scene.carry("service_restart", &lab.held());
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false), "{end:?}");
    assert!(end.reason.as_str().contains("its command ended with exit code 4: not enough rights"), "{end:?}");
    assert_eq!(lab.pid(), before);
    // Without a number nobody can say what it did.
    let (end, _) = lab.scene.carry("service_restart", &lab.table(""));
    assert_eq!(end.outcome, Outcome::Indeterminate, "{end:?}");
    fs::remove_file(lab.scene.path("broken")).unwrap();
    let half = format!("restart = [\"{}\", \"half\"]\npid_file = \"{}\"", lab.script, lab.scene.path("pid").display());
    let (end, progress) = lab.scene.carry("service_restart", &lab.table(&half));
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("bot is stopped"), "{end:?}");
}

#[test]
fn a_service_that_was_restarted_since_the_plan_is_left_alone() {
    let lab = lab();
    lab.run("start");
    let plan = lab.scene.plan("service_restart", &lab.held()).unwrap();
    lab.run("restart");
    let serving = lab.pid();
    let (end, _) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("bot: restarted meanwhile (process "), "{end:?}");
    assert_eq!(lab.pid(), serving);
}

#[test]
fn a_login_that_sudo_does_not_let_is_told_which_rule_it_lacks() {
    let lab = lab();
    lab.run("start");
    // A stand-in with sudo's words: -n -l -- asks, -n does.
    let (sudo, denied) = (lab.scene.path("sudo"), lab.scene.path("denied"));
    let script =
        format!("#!/bin/sh\nif [ \"$2\" = -l ]; then [ ! -e {} ]; exit; fi\nshift; exec \"$@\"\n", denied.display());
    fs::write(&sudo, script).unwrap();
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).unwrap();
    let restart = format!("restart = [\"{}\", \"-n\", \"{}\", \"restart\"]", sudo.display(), lab.script);
    let table = lab.table(&format!("{restart}\npid_file = \"{}\"", lab.scene.path("pid").display()));
    fs::write(&denied, "").unwrap();
    let said = lab.refused("service_restart", &table);
    assert!(said.contains("sudo does not let this login `restart bot`. Its rule: "), "{said}");
    assert!(said.ends_with(&format!("NOPASSWD: {} restart", lab.script)), "{said}");
    fs::remove_file(&denied).unwrap();
    let before = lab.pid();
    let (end, progress) = lab.scene.carry("service_restart", &table);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_ne!(lab.pid(), before);
}

#[test]
fn a_pid_file_that_names_nobody_proves_nothing() {
    let lab = lab();
    lab.run("start");
    let none = format!("pid_file = \"{}\"", lab.scene.path("none").display());
    let (end, _) = lab.scene.carry("service_restart", &lab.table(&none));
    assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "{end:?}");
    assert!(end.reason.as_str().contains("names no process: which run it is cannot be told"), "{end:?}");
    // The number of one that has ended.
    let ended = Running::start(&mut std::process::Command::new("/bin/true"), Stdio::null(), Stdio::null());
    fs::write(lab.scene.path("none"), ended.0.id().to_string()).unwrap();
    drop(ended);
    let (end, _) = lab.scene.carry("service_restart", &lab.table(&none));
    assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "{end:?}");
    assert!(end.reason.as_str().contains("which does not live"), "{end:?}");
}
