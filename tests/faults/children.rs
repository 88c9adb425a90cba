//! What an action starts is killed, or does not do what it was started for.

use crate::scene::Scene;
use crate::strace::{self, CHANGES, Point, Runner, inject};
use crate::world::{Case, Met, Seen, command, path, text, write};
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::rc::Rc;
use watchkeeper::action::lifecycle::Outcome;

/// A program that writes a copy, gives it owner and mode and renames it, killed at one of its calls that change
/// something; without a point its calls are logged.
fn edits(point: &Rc<RefCell<Option<Point>>>) -> Case {
    let point = Rc::clone(point);
    Case::new(
        "command",
        |scene| {
            write(scene, "target", "before\n");
            write(scene, "act", "#!/bin/sh\nexec sed -i -e 's/before/after/' \"$1\"\n");
            fs::set_permissions(scene.path("act"), PermissionsExt::from_mode(0o755)).unwrap();
        },
        move |scene| {
            let (log, what) = match &*point.borrow() {
                None => (path(scene, "calls"), format!("trace={CHANGES}")),
                Some(point) => ("/dev/null".to_owned(), inject(point, "signal=SIGKILL")),
            };
            let traced = ["/usr/bin/strace", "-f", "-qq", "-o", &log, "-e", &what].map(str::to_owned);
            let argv: Vec<String> = traced.into_iter().chain([path(scene, "act"), path(scene, "target")]).collect();
            format!("argv = {argv:?}\nundo = \"none\"")
        },
        |scene| text(&scene.path("target")),
    )
}

#[test]
fn a_program_that_is_killed_at_any_write_leaves_its_target_whole_and_is_told_as_unknown() {
    if !strace::works() {
        return crate::peer::skip("strace", "it is not here, or may not trace");
    }
    let point = Rc::new(RefCell::new(None));
    let case = edits(&point);
    let whole = Seen::of(&case, None);
    let points = strace::points(&strace::calls(&whole.scene.path("calls")));
    for at in &points {
        point.replace(Some(at.clone()));
        let met = Seen::of(&case, None).judge(&whole);
        let met = met.unwrap_or_else(|wrong| panic!("killed at its {} {}: {wrong}", at.0, at.1));
        assert_eq!(met, Met::Unknown, "killed at its {} {}", at.0, at.1);
    }
    assert!(points.len() >= 3, "a write, an owner and a rename: {points:?}");
    println!("command          child killed {:3} points: all told as unknown", points.len());
}

/// What a program that misbehaves comes to.
fn told(script: &'static str, more: &'static str) -> (Scene, Outcome, String) {
    let case = command(script);
    let table = Rc::new(case.table);
    let case = Case { table: Box::new(move |scene| format!("{}\n{more}", table(scene))), ..case };
    let scene = Scene::new();
    (case.arrange)(&scene);
    let runner = Runner::order(&scene, &case);
    runner.start().0.wait().unwrap();
    let end = runner.run.read().unwrap().unwrap().end.unwrap();
    (scene, end.outcome, end.reason.to_string())
}

#[test]
fn a_program_that_ends_well_and_did_nothing_is_never_told_as_proven() {
    let (scene, outcome, why) = told("exit 0", "");
    assert_eq!(outcome, Outcome::Unverified, "{why}");
    assert_eq!(fs::read_to_string(scene.path("target")).unwrap(), "before\n");
}

#[test]
fn a_program_that_does_not_listen_to_term_is_killed_and_told_as_unknown() {
    let (_, outcome, why) = told("trap '' TERM; echo once >> \"$1\"; while :; do sleep 0.2; done", "timeout = \"1s\"");
    assert_eq!(outcome, Outcome::Indeterminate, "{why}");
    assert!(why.contains("did not end within 1 s") && why.contains("SIGKILL"), "{why}");
}

#[test]
fn what_a_program_leaves_behind_in_another_session_is_ended_with_it() {
    let leaves = "setsid sh -c 'echo $$ > \"$1.pid\"; exec sleep 300' sh \"$1\" & while [ ! -s \"$1.pid\" ]; do sleep 0.05; done; exec sleep 300";
    let (scene, outcome, why) = told(leaves, "timeout = \"1s\"");
    assert_eq!(outcome, Outcome::Indeterminate, "{why}");
    let pid = fs::read_to_string(scene.path("target.pid")).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    assert!(status.is_empty() || status.contains("State:\tZ"), "it runs on: {status}");
}

#[test]
fn a_program_that_floods_is_drained_and_little_of_it_is_kept() {
    let flood = "head -c 300000000 /dev/zero | tr '\\0' x; echo once >> \"$1\"";
    let (scene, outcome, why) = told(flood, "");
    assert_eq!(outcome, Outcome::Unverified, "{why}");
    assert_eq!(fs::read_to_string(scene.path("target")).unwrap(), "before\nonce\n");
    let log = fs::read_dir(scene.state().join("actions")).unwrap().next().unwrap().unwrap().path().join("out.log");
    assert!(fs::metadata(log).unwrap().len() <= 9 << 20, "first and last 4 MiB");
}
