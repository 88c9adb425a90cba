//! A program that no signal ends: its target stays locked until it is gone, and what is known of it is told meanwhile.

use crate::scene::Scene;
use core::time::Duration;
use std::fs;
use watchkeeper::action::lifecycle::{Outcome, Run};
use watchkeeper::sys::lock::held_by;

#[test]
fn the_target_of_a_program_that_cannot_be_killed_stays_locked_until_it_is_gone() {
    if !rustix::process::geteuid().is_root() || !std::path::Path::new("/dev/fuse").exists() {
        println!("SKIPPED: fuse: only root mounts a file system that never answers");
        return;
    }
    let scene = Scene::new();
    let peer = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/unkillable.py");
    let table =
        format!("argv = [\"/usr/bin/python3\", \"{peer}\", \"{}\"]\nundo = \"none\"", scene.dir.path().display());
    let plan = scene.plan("command", &table).unwrap();
    let (run, names, dirs) = (Run::of(&scene.state(), plan.id), plan.locks(), [scene.locks()]);
    let (pass, go) = (scene.ahead(), scene.path("go"));
    let held = move || names.iter().any(|name| held_by(&dirs, name).is_some());
    let watcher = std::thread::spawn(move || {
        let (_open, shut) = std::sync::mpsc::sync_channel::<()>(0);
        let mut told = None;
        for _ in 0..600 {
            let _over = shut.recv_timeout(Duration::from_millis(50));
            let Ok(Some(progress)) = run.read() else { continue };
            told = progress.end;
            if told.is_some() {
                break;
            }
            if progress.waiting.is_some_and(|said| said.as_str() == "asks") {
                pass(Duration::from_secs(20));
            }
        }
        let then = held();
        fs::write(go, "").unwrap();
        (told, then, held)
    });
    let (end, _) = scene.act(plan);
    let (told, then, held) = watcher.join().unwrap();
    assert_eq!(told.expect("told while it lives"), end);
    assert_eq!(end.outcome, Outcome::Indeterminate);
    assert!(
        end.reason.as_str().contains("is unkillable: process ") && end.reason.as_str().contains(" is in state D ("),
        "{}",
        end.reason
    );
    assert!(then && !held(), "locked while it lived, and no longer");
}
