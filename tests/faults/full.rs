//! The state folder on a disk that is full: what was kept back for it is enough to act and to tell the end; without it
//! nothing is done and the reason is told.

use crate::peer;
use crate::scene::Scene;
use crate::strace::Runner;
use crate::world::{Case, cases, command};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use watchkeeper::action::lifecycle::{Outcome, Run};
use watchkeeper::action::prompt::{Acceptance, Confirm};
use watchkeeper::sys::reserve::{Reserve, SIZE};

/// A file system of a few MiB, mounted on a folder as long as this lives.
struct Small(PathBuf);

impl Small {
    fn on(dir: PathBuf, kind: &str) -> Option<Self> {
        fs::create_dir_all(&dir).unwrap();
        let mut mount = Command::new("mount");
        if kind == "ext4" {
            let image = dir.with_extension("image");
            File::create(&image).unwrap().set_len(8 << 20).unwrap();
            let made = Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image).output();
            if !made.is_ok_and(|made| made.status.success()) {
                peer::skip("mkfs.ext4", "not installed: apt-get install e2fsprogs");
                return None;
            }
            mount.args(["-o", "loop"]).arg(image);
        } else {
            mount.args(["-t", "tmpfs", "-o", "size=2m,mode=700", "none"]);
        }
        if mount.arg(&dir).output().is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        peer::skip("a small file system", "it cannot be mounted here");
        None
    }

    /// Takes every block that is left.
    fn fill(&self) {
        let mut filler = File::create(self.0.join("filler")).unwrap();
        for size in [65_536, 4_096, 512, 1] {
            while filler.write_all(&vec![7; size]).is_ok() && filler.sync_all().is_ok() {}
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// Carried out once while there is room, as a console has its journal and its reserve before the disk is full.
fn with_room(scene: &Scene, case: &Case, keeps: bool) {
    (case.arrange)(scene);
    let first = Runner::order(scene, case);
    first.start().0.wait().unwrap();
    assert!(first.run.read().unwrap().unwrap().end.unwrap().executed);
    if !keeps {
        fs::remove_file(scene.state().join("reserve")).unwrap();
    }
}

fn journal(state: &Path) -> String {
    let files = fs::read_dir(state.join("journal")).unwrap();
    files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn on_a_full_disk_an_action_is_ordered_carried_out_and_told_in_what_was_kept_for_it() {
    for kind in ["tmpfs", "ext4"] {
        let scene = Scene::new();
        let Some(small) = Small::on(scene.state(), kind) else { return };
        with_room(&scene, &command("echo once >> \"$1\""), true);
        assert_eq!(Reserve::of(&scene.state()).left(), SIZE, "the runner makes it whole again");
        small.fill();
        assert!(fs::write(scene.state().join("more"), "x").is_err(), "{kind}: it is full");
        let mut done = 0;
        for case in [command("echo once >> \"$1\"")].into_iter().chain(cases().into_iter().skip(4).take(1)) {
            (case.arrange)(&scene);
            let runner = Runner::order(&scene, &case);
            runner.start().0.wait().unwrap();
            let told = runner.run.read().unwrap().unwrap();
            assert!(told.end.as_ref().is_some_and(|end| end.executed), "{kind}: {}: {told:?}", case.kind);
            assert_eq!(told.unrecorded, None, "{kind}");
            let plan = runner.plan.id.to_string();
            let journal = journal(&scene.state());
            let events = journal.lines().filter(|line| line.contains(&plan));
            assert_eq!(events.count(), 2, "{kind}: intent and outcome\n{journal}");
            done += 1;
        }
        assert_eq!(done, 2);
        assert!(Reserve::of(&scene.state()).left() < SIZE);
    }
}

#[test]
fn on_a_full_disk_without_a_reserve_nothing_is_done_and_nothing_is_left_of_the_order() {
    for kind in ["tmpfs", "ext4"] {
        let scene = Scene::new();
        let Some(small) = Small::on(scene.state(), kind) else { return };
        let case = command("echo once >> \"$1\"");
        with_room(&scene, &case, false);
        let plan = scene.plan(case.kind, &(case.table)(&scene)).unwrap();
        small.fill();
        let confirm = Confirm { danger: plan.danger, fence: true, shown_ms: 2_310, reason: None };
        let run = Run::of(&scene.state(), plan.id);
        let fault = run.write_order(&Acceptance { plan, confirm }).unwrap_err().to_string();
        assert!(fault.contains("No space left on device"), "{fault}");
        assert!(!run.dir().join("plan.json").exists(), "no torn order for the next console");
        assert_eq!(fs::read_to_string(scene.path("target")).unwrap(), "before\nonce\n", "the first alone");
    }
}

#[test]
fn a_reserve_that_runs_out_between_order_and_intent_is_a_refusal() {
    let scene = Scene::new();
    let Some(small) = Small::on(scene.state(), "tmpfs") else { return };
    let case = command("echo once >> \"$1\"");
    with_room(&scene, &case, true);
    let runner = Runner::order(&scene, &case);
    fs::remove_file(scene.state().join("reserve")).unwrap();
    small.fill();
    runner.start().0.wait().unwrap();
    assert_eq!(fs::read_to_string(scene.path("target")).unwrap(), "before\nonce\n", "the first alone");
    let told = runner.run.read().unwrap().and_then(|told| told.end);
    assert!(told.is_none_or(|end| end.outcome == Outcome::Refused));
}
