//! Copies of files and trees: true, read back, listed; and everything that they are refused for.

use crate::peer;
use crate::scene::{Scene, told};
use crate::service::lab;
use crate::trees::{HOLE, Tiny, names, plant, root, tell};
use core::time::Duration;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use watchkeeper::action::kinds;
use watchkeeper::action::lifecycle::{Outcome, Run};

/// A tree, a folder for copies, and the table.
fn scene() -> (Scene, String) {
    let scene = Scene::new();
    plant(&scene.path("app"));
    fs::create_dir(scene.path("copies")).unwrap();
    fs::set_permissions(scene.path("copies"), PermissionsExt::from_mode(0o755)).unwrap();
    let table = table(&scene.path("app"), &scene.path("copies"));
    (scene, table)
}

fn table(path: &Path, to: &Path) -> String {
    format!("path = \"{}\"\nto = \"{}\"", path.display(), to.display())
}

fn refusal(scene: &Scene, table: &str) -> String {
    scene.plan("file_backup", table).expect_err("refused").to_string()
}

#[test]
fn a_tree_is_copied_as_it_is_with_a_list_that_the_common_tool_accepts() {
    let (scene, table) = scene();
    let before = tell(&scene.path("app"));
    let plan = scene.plan("file_backup", &table).unwrap();
    let said = plan.hits[0].to_string();
    assert!(said.starts_with("a folder: 5 files, 4 folders, 2 links, 4.00 MiB"), "{said}");
    let (end, progress) = scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    let to = scene.path("copies");
    let found = names(&to);
    let [copy, list] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((list, copy.starts_with("app.backup-2")), (&format!("{copy}.sha256"), true));
    assert_eq!(tell(&to.join(copy)), before);
    assert_eq!(tell(&scene.path("app")), before);
    let hole = fs::metadata(to.join(copy).join("hole")).unwrap();
    assert!(hole.blocks() * 512 < HOLE / 4, "{} bytes on the disk", hole.blocks() * 512);
    let output = Command::new("sha256sum").args(["--check", "--strict", list]).current_dir(&to).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 5);
}

#[test]
fn the_second_backup_says_how_it_compares_with_the_first() {
    let (scene, table) = scene();
    assert_eq!(scene.carry("file_backup", &table).0.outcome, Outcome::Succeeded);
    let hits = |scene: &Scene| scene.plan("file_backup", &table).unwrap().hits[2].to_string();
    assert!(hits(&scene).starts_with("the backup before it is app.backup-2"), "{}", hits(&scene));
    fs::remove_file(scene.path("app/hole")).unwrap();
    assert!(hits(&scene).starts_with("a fifth smaller than the backup before it, or more"), "{}", hits(&scene));
}

#[test]
fn one_file_is_copied_too() {
    let (scene, _) = scene();
    let (end, _) = scene.carry("file_backup", &table(&scene.path("app/hole"), &scene.path("copies")));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    let found = names(&scene.path("copies"));
    assert_eq!(tell(&scene.path("copies").join(&found[0])), tell(&scene.path("app/hole")));
}

#[test]
fn what_no_copy_would_hold_is_refused_before_any_prompt() {
    let (scene, whole) = scene();
    let at = scene.path("app/deep/here");
    let _socket = UnixListener::bind(&at).unwrap();
    assert!(refusal(&scene, &whole).contains("/app/deep/here is a socket: no copy would hold it."));
    fs::remove_file(&at).unwrap();
    let node = |kind, dev| {
        let (here, mode) = (rustix::fs::CWD, rustix::fs::Mode::from_raw_mode(0o600));
        rustix::fs::mknodat(here, &at, kind, mode, dev)
    };
    node(rustix::fs::FileType::Fifo, 0).unwrap();
    assert!(refusal(&scene, &whole).contains("/app/deep/here is a named pipe"));
    assert!(refusal(&scene, &table(&at, &scene.path("copies"))).contains("is neither a file nor a folder"));
    fs::remove_file(&at).unwrap();
    if root() && node(rustix::fs::FileType::CharacterDevice, rustix::fs::makedev(1, 3)).is_ok() {
        assert!(refusal(&scene, &whole).contains("/app/deep/here is a device"));
    }
}

#[test]
fn paths_that_mean_something_else_are_refused() {
    let (scene, _) = scene();
    let (app, copies) = (scene.path("app"), scene.path("copies"));
    symlink(&app, scene.path("link")).unwrap();
    symlink(&copies, scene.path("way")).unwrap();
    fs::create_dir(app.join("deep/to")).unwrap();
    for (path, to, why) in [
        (scene.path("none"), copies.clone(), "No such file"),
        (app.clone(), scene.path("none"), "there is no such file"),
        (scene.path("link"), copies.clone(), "neither a file nor a folder"),
        (scene.path("link/deep"), copies.clone(), "look at"),
        (app.clone(), scene.path("way"), "is a symbolic link"),
        (app.clone(), app.join("deep/to"), "a copy would hold itself"),
        (app.clone(), app.clone(), "a copy would hold itself"),
        ("app".into(), copies.clone(), "absolute path without `..`"),
        (app.join("../app"), copies.clone(), "absolute path without `..`"),
        ("/".into(), copies.clone(), "and not the root"),
    ] {
        let said = refusal(&scene, &table(&path, &to));
        assert!(said.contains(why), "{} to {}: {said}", path.display(), to.display());
    }
}

#[test]
fn a_place_that_others_may_change_is_no_place_for_a_backup() {
    let (scene, table) = scene();
    fs::set_permissions(scene.path("copies"), PermissionsExt::from_mode(0o777)).unwrap();
    let said = refusal(&scene, &table);
    assert!(said.contains("/copies: others may write to this folder (mode 0777). Mend it: chmod go-w"), "{said}");
    fs::set_permissions(scene.path("copies"), PermissionsExt::from_mode(0o755)).unwrap();
    if root() {
        chown(scene.path("copies"), Some(4_321), None).unwrap();
        assert!(refusal(&scene, &table).contains("belongs to user 4321, not to root. Mend it: chown 0"));
        chown(scene.path("copies"), Some(0), None).unwrap();
    }
    // The same for what is around the source.
    fs::set_permissions(scene.dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    assert!(refusal(&scene, &table).contains("others may"), "{}", refusal(&scene, &table));
}

#[test]
fn without_the_rights_to_read_or_to_keep_owners_it_is_refused() {
    if !root() {
        return peer::skip("another user", "only root may become one");
    }
    let (scene, whole) = scene();
    fs::set_permissions(scene.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let plain = table(&scene.path("app/deep/run"), &scene.path("copies"));
    let as_other = |table: &str| {
        std::thread::scope(|scope| {
            let planned = scope.spawn(|| {
                let uid = rustix::process::Uid::from_raw(4_444);
                rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
                refusal(&scene, table)
            });
            planned.join().unwrap()
        })
    };
    assert!(as_other(&plain).contains("cannot write in"), "{}", as_other(&plain));
    chown(scene.path("copies"), Some(4_444), None).unwrap();
    assert!(as_other(&plain).contains("belongs to somebody else: only root can keep its owner."));
    assert!(as_other(&whole).contains("Permission denied"), "{}", as_other(&whole));
    fs::set_permissions(scene.path("app/deep/er"), PermissionsExt::from_mode(0o755)).unwrap();
    assert!(as_other(&whole).contains("/app/a."), "{}", as_other(&whole));
}

#[test]
fn what_was_touched_since_the_plan_is_not_copied() {
    let (scene, table) = scene();
    let changes: [(&dyn Fn(), &str); 4] = [
        (&|| fs::write(scene.path("app/a"), "123456").unwrap(), "changed (5 files"),
        (&|| fs::write(scene.path("app/a"), "654321").unwrap(), "was touched"),
        (&|| fs::set_permissions(scene.path("app/a"), PermissionsExt::from_mode(0o604)).unwrap(), "was touched"),
        (
            &|| {
                fs::rename(scene.path("app"), scene.path("old")).unwrap();
                plant(&scene.path("app"));
            },
            "is another one now",
        ),
    ];
    for (change, why) in changes {
        let plan = scene.plan("file_backup", &table).unwrap();
        change();
        let (end, _) = scene.act(plan);
        assert_eq!(end.outcome, Outcome::Refused);
        assert!(end.reason.as_str().contains(why), "{why}: {end:?}");
        assert_eq!(names(&scene.path("copies")), [""; 0]);
    }
}

#[test]
fn where_there_is_no_room_it_is_refused_with_the_bytes_that_are_missing() {
    let (scene, _) = scene();
    let Some(_tiny) = Tiny::on(&scene.path("tiny")) else { return };
    let dense = scene.path("dense");
    fs::write(&dense, vec![7; 900 * 1024]).unwrap();
    let said = refusal(&scene, &table(&dense, &scene.path("tiny")));
    assert!(said.contains("1.00 MiB are free") && said.contains(" bytes are missing."), "{said}");
    // A hole takes no room.
    let (end, _) = scene.carry("file_backup", &table(&scene.path("app"), &scene.path("tiny")));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    // Filled between the prompt and the first effect.
    fs::write(&dense, vec![7; 400 * 1024]).unwrap();
    let plan = scene.plan("file_backup", &table(&dense, &scene.path("tiny"))).unwrap();
    fs::write(scene.path("tiny/filler"), vec![7; 600 * 1024]).unwrap();
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused);
    assert!(end.reason.as_str().contains(" bytes are missing."), "{end:?}");
    assert_eq!(names(&scene.path("tiny")).len(), 3);
}

#[test]
fn a_mount_inside_of_the_tree_is_refused() {
    let (scene, table) = scene();
    let Some(_tiny) = Tiny::on(&scene.path("app/empty")) else { return };
    assert!(refusal(&scene, &table).contains("/app/empty is a mount of its own."));
}

#[test]
fn after_a_crash_only_a_copy_with_its_list_counts() {
    let (scene, table) = scene();
    let plan = scene.plan("file_backup", &table).unwrap();
    let name = plan.what.work["name"].as_str().unwrap().to_owned();
    let settled = |plan| kinds::of(plan).unwrap().settled(plan).unwrap().what().to_string();
    let (part, copy) = (scene.path(&format!("copies/.{name}.part")), scene.path(&format!("copies/{name}")));
    assert!(settled(&plan).starts_with("there is no "), "{}", settled(&plan));
    fs::create_dir(&part).unwrap();
    assert!(settled(&plan).contains("half of one is left: remove "), "{}", settled(&plan));
    fs::rename(&part, &copy).unwrap();
    assert!(settled(&plan).contains("has no list: it is no backup; remove it"), "{}", settled(&plan));
    fs::remove_dir(&copy).unwrap();
    assert_eq!(scene.act(plan.clone()).0.outcome, Outcome::Succeeded);
    assert!(settled(&plan).contains("is whole: 5 files and the list"), "{}", settled(&plan));
    fs::remove_file(copy.join("dangling")).unwrap();
    assert!(settled(&plan).contains("is not as its list says"), "{}", settled(&plan));
}

#[test]
fn while_a_service_runs_that_must_not_nothing_is_copied_replaced_or_given_away() {
    let Some(lab) = lab() else { return };
    lab.unit("holder.service", "ExecStart=/bin/sleep 1000");
    plant(&lab.scene.path("app"));
    let (app, to) = (lab.scene.path("app"), lab.scene.path("to"));
    fs::create_dir(&to).unwrap();
    let stopped = format!("stopped = {{ kind = \"systemd\", unit = \"holder.service\", {} }}", lab.prefix);
    let table = format!("path = \"{}\"\nto = \"{}\"\n{stopped}", app.display(), to.display());
    let owner = format!("path = \"{}\"\nowner = \"4444\"\n{stopped}", app.display());
    let plan = lab.scene.plan("file_backup", &table).unwrap();
    assert_eq!(plan.based_on[2].label.as_str(), "holder.service");
    lab.systemctl(&["start", "holder.service"]);
    for (kind, table) in [("file_backup", &table), ("file_owner", &owner)] {
        let said = lab.scene.plan(kind, table).unwrap_err().to_string();
        assert!(said.contains("holder.service is active") && said.ends_with("Stop it first."), "{kind}: {said}");
    }
    let (end, _) = lab.scene.act(plan);
    assert!(end.outcome == Outcome::Refused && end.reason.as_str().contains("Stop it first."), "{end:?}");
    lab.systemctl(&["stop", "holder.service"]);
    assert_eq!(lab.scene.carry("file_backup", &table).0.outcome, Outcome::Succeeded);
    let from = format!("path = \"{}\"\nfrom = \"{}/app.backup-*\"\n{stopped}", app.display(), to.display());
    let plan = lab.scene.plan("file_restore", &from).unwrap();
    lab.systemctl(&["start", "holder.service"]);
    assert!(lab.scene.plan("file_restore", &from).unwrap_err().to_string().contains("Stop it first."));
    assert_eq!(lab.scene.act(plan).0.outcome, Outcome::Refused);
}

#[test]
fn who_ends_a_long_copy_is_heard_within_it_and_nothing_of_it_stays() {
    let (scene, _) = scene();
    let (to, long) = (scene.path("copies"), scene.path("long"));
    // A hole that takes many minutes to read.
    fs::File::create(&long).unwrap().set_len(1 << 42).unwrap();
    let plan = scene.plan("file_backup", &table(&long, &to)).unwrap();
    let run = Run::of(&scene.state(), plan.id);
    let ends = std::thread::spawn(move || {
        let (_open, shut) = std::sync::mpsc::sync_channel::<()>(0);
        let copies = || run.read().is_ok_and(|told| told.is_some_and(|told| told.waiting.is_some()));
        for _ in (0..600).take_while(|_| !copies()) {
            let _over = shut.recv_timeout(Duration::from_millis(50));
        }
        run.stop().unwrap();
        Instant::now()
    });
    let (end, _) = scene.act(plan);
    assert!(ends.join().unwrap().elapsed() < Duration::from_secs(10));
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false));
    assert!(end.reason.as_str().starts_with("copy failed (nothing before it). "), "{}", end.reason);
    assert!(end.reason.as_str().contains("/long: the operator ended it."), "{}", end.reason);
    assert_eq!((fs::read_dir(&to).unwrap().count(), fs::metadata(&long).unwrap().len()), (0, 1 << 42));
}
