//! Copies that are put back: what is replaced is kept, and nothing is replaced by something else than was backed up.

use crate::scene::{Scene, told};
use crate::trees::{Tiny, names, plant, root, tell};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::PathBuf;
use watchkeeper::action::doing::Doing;
use watchkeeper::action::kinds;
use watchkeeper::action::lifecycle::{Outcome, Run};
use watchkeeper::sys::clock::RealClock;

/// A tree with a backup of it, and then with another content.
fn scene() -> (Scene, PathBuf, String) {
    let scene = Scene::new();
    plant(&scene.path("app"));
    fs::create_dir(scene.path("copies")).unwrap();
    fs::set_permissions(scene.path("copies"), PermissionsExt::from_mode(0o755)).unwrap();
    let (app, copies) = (scene.path("app"), scene.path("copies"));
    let (app, to) = (app.display(), copies.display());
    assert_eq!(scene.carry("file_backup", &format!("path = \"{app}\"\nto = \"{to}\"")).0.outcome, Outcome::Succeeded);
    let copy = copies.join(&names(&copies)[0]);
    fs::write(scene.path("app/a"), "broken").unwrap();
    fs::remove_file(scene.path("app/hole")).unwrap();
    let table = format!("path = \"{app}\"\nfrom = \"{to}/app.backup-*\"");
    (scene, copy, table)
}

fn refusal(scene: &Scene, table: &str) -> String {
    scene.plan("file_restore", table).expect_err("refused").to_string()
}

/// The names beside the tree.
fn beside(scene: &Scene) -> Vec<String> {
    names(scene.dir.path()).into_iter().filter(|name| name.contains("app")).collect()
}

#[test]
fn a_tree_is_put_back_as_it_was_and_the_old_one_is_kept() {
    let (scene, copy, table) = scene();
    let old = fs::metadata(scene.path("app")).unwrap().ino();
    let broken = tell(&scene.path("app"));
    let plan = scene.plan("file_restore", &table).unwrap();
    assert_eq!(plan.danger.to_string(), "C3");
    let (end, progress) = scene.act(plan.clone());
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    assert_eq!(tell(&scene.path("app")), tell(&copy));
    let found = beside(&scene);
    let [app, kept] = found.as_slice() else { panic!("{found:?}") };
    assert!(app == "app" && kept.starts_with("app.before-restore-2"), "{found:?}");
    assert_eq!((fs::metadata(scene.path(kept)).unwrap().ino(), tell(&scene.path(kept))), (old, broken));
    assert!(plan.undo.to_string().contains(&format!("rename {} to it", scene.path(kept).display())), "{}", plan.undo);
}

#[test]
fn what_is_gone_is_put_back_too_and_the_newest_backup_is_taken() {
    let (scene, _, table) = scene();
    fs::write(scene.path("app/a"), "newer").unwrap();
    let (app, to) = (scene.path("app"), scene.path("copies"));
    let backup = format!("path = \"{}\"\nto = \"{}\"", app.display(), to.display());
    assert_eq!(scene.carry("file_backup", &backup).0.outcome, Outcome::Succeeded);
    let newest = names(&to).into_iter().rfind(|name| name.ends_with(".sha256")).unwrap().replace(".sha256", "");
    fs::remove_dir_all(&app).unwrap();
    let (end, _) = scene.carry("file_restore", &table);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert_eq!((tell(&app), beside(&scene)), (tell(&to.join(newest)), vec!["app".to_owned()]));
}

#[test]
fn a_backup_that_was_altered_is_not_put_back() {
    let (scene, copy, table) = scene();
    let said = |scene: &Scene| refusal(scene, &table);
    // Its shape is seen at once.
    fs::set_permissions(copy.join("a"), PermissionsExt::from_mode(0o666)).unwrap();
    assert!(said(&scene).contains("is not as its list says"), "{}", said(&scene));
    fs::set_permissions(copy.join("a"), PermissionsExt::from_mode(0o640)).unwrap();
    fs::remove_file(copy.join("dangling")).unwrap();
    assert!(said(&scene).contains("is not as its list says"), "{}", said(&scene));
    symlink("nowhere", copy.join("dangling")).unwrap();
    if root() {
        std::os::unix::fs::lchown(copy.join("dangling"), Some(65_534), Some(65_534)).unwrap();
    }
    // Its content is seen before anything is replaced.
    fs::write(copy.join("a"), "54321").unwrap();
    let before = tell(&scene.path("app"));
    let (end, _) = scene.carry("file_restore", &table);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false));
    assert!(end.reason.as_str().contains("/a does not read back as it was written"), "{end:?}");
    assert_eq!((tell(&scene.path("app")), beside(&scene)), (before, vec!["app".to_owned()]));
}

#[test]
fn a_copy_without_a_trusted_list_is_no_backup() {
    let (scene, copy, table) = scene();
    let list = PathBuf::from(format!("{}.sha256", copy.display()));
    fs::set_permissions(&list, PermissionsExt::from_mode(0o622)).unwrap();
    assert!(refusal(&scene, &table).contains("others may write to this file (mode 0622)"));
    fs::set_permissions(&list, PermissionsExt::from_mode(0o600)).unwrap();
    if root() {
        chown(&list, Some(4_321), None).unwrap();
        assert!(refusal(&scene, &table).contains("belongs to user 4321, not to root"));
        chown(&list, Some(0), None).unwrap();
    }
    fs::set_permissions(scene.path("copies"), PermissionsExt::from_mode(0o777)).unwrap();
    assert!(refusal(&scene, &table).contains("others may write to this folder"));
    fs::set_permissions(scene.path("copies"), PermissionsExt::from_mode(0o755)).unwrap();
    fs::remove_file(&list).unwrap();
    assert!(refusal(&scene, &table).contains("there is no backup "));
    let exact = format!("path = \"{}\"\nfrom = \"{}\"", scene.path("app").display(), copy.display());
    assert!(refusal(&scene, &exact).contains("has no list of digests: it is no backup. Where it is a copy"));
    let plan = scene.plan("file_restore", &format!("{exact}\nlist = false")).unwrap();
    assert_eq!(plan.raised[0].as_str(), "the copy has no list of digests");
    assert_eq!(scene.act(plan).0.outcome, Outcome::Succeeded);
}

#[test]
fn one_file_from_a_copy_of_somebody_elses_keeps_owner_and_mode_of_what_it_replaces() {
    let scene = Scene::new();
    let (file, good) = (scene.path("app.toml"), scene.path("good.toml"));
    fs::write(&file, "a = 1\n").unwrap();
    fs::write(&good, "a = 2\n").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    if root() {
        chown(&file, Some(65_534), Some(4_321)).unwrap();
    }
    let of = |path: &PathBuf| fs::metadata(path).map(|meta| (meta.mode(), meta.uid(), meta.gid())).unwrap();
    let before = of(&file);
    let table = format!("path = \"{}\"\nfrom = \"{}\"\nlist = false", file.display(), good.display());
    let plan = scene.plan("file_restore", &table).unwrap();
    assert_eq!(plan.what.lines[3..].iter().map(ToString::to_string).collect::<Vec<_>>(), ["- a = 1", "+ a = 2"]);
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), of(&file)), ("a = 2\n", before));
    let kept: Vec<String> = beside(&scene).into_iter().filter(|name| name != "app.toml").collect();
    let [kept] = kept.as_slice() else { panic!("the one that was replaced is kept: {kept:?}") };
    assert!(kept.starts_with("app.toml.before-restore-2"), "with its time: {kept}");
    assert_eq!((fs::read_to_string(scene.path(kept)).unwrap().as_str(), of(&scene.path(kept))), ("a = 1\n", before));
    // Not what the prompt showed as the one that goes.
    let plan = scene.plan("file_restore", &table).unwrap();
    fs::write(&file, "a = 3\n").unwrap();
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("changed (") || end.reason.as_str().contains("was touched"), "{end:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "a = 3\n");
    fs::write(&good, "a = \n").unwrap();
    let said = refusal(&scene, &table);
    assert!(said.contains("/good.toml:1:"), "a configuration that is none: {said}");
}

#[test]
fn what_must_not_be_replaced_is_refused() {
    let (scene, copy, table) = scene();
    let to = |path: &str, from: &PathBuf| {
        format!("path = \"{}\"\nfrom = \"{}\"", scene.path(path).display(), from.display())
    };
    symlink(scene.path("app"), scene.path("link")).unwrap();
    fs::write(scene.path("file"), "").unwrap();
    fs::hard_link(scene.path("file"), scene.path("twin")).unwrap();
    fs::create_dir(scene.path("holder")).unwrap();
    fs::rename(&copy, scene.path("holder/copy")).unwrap();
    let (inner, inner_file) = (scene.path("holder/copy"), scene.path("holder/copy/deep/run"));
    fs::set_permissions(scene.path("holder"), PermissionsExt::from_mode(0o755)).unwrap();
    for (path, from, why) in [
        ("link", &inner, "is neither a file nor a folder"),
        ("link/deep", &inner, "look at"),
        ("file", &inner, "is a file, the copy is a folder"),
        ("holder", &inner, "lies inside of what it would replace"),
        ("holder/copy/deep", &inner, "would be put back into itself"),
        ("twin", &inner_file, "has other names (hard links)"),
        ("none/app", &inner, "No such file"),
    ] {
        let said = refusal(&scene, &format!("{}\nlist = false", to(path, from)));
        assert!(said.contains(why), "{path} from {}: {said}", from.display());
    }
    fs::rename(scene.path("holder/copy"), &copy).unwrap();
    fs::set_permissions(scene.dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    assert!(refusal(&scene, &table).contains("others may"), "{}", refusal(&scene, &table));
}

#[test]
fn what_was_replaced_or_changed_since_the_plan_is_left_alone() {
    let (scene, copy, table) = scene();
    // What the service still writes into the old one stops nobody: it is kept whole.
    let plan = scene.plan("file_restore", &table).unwrap();
    fs::write(scene.path("app/a"), "more").unwrap();
    assert_eq!(scene.act(plan).0.outcome, Outcome::Succeeded);
    let plan = scene.plan("file_restore", &table).unwrap();
    fs::rename(scene.path("app"), scene.path("gone")).unwrap();
    let (end, _) = scene.act(plan.clone());
    assert!(end.outcome == Outcome::Refused && end.reason.as_str().contains("is another one now"), "{end:?}");
    fs::create_dir(scene.path("app")).unwrap();
    let differences = |plan| kinds::of(plan).unwrap().differences(plan, &RealClock).unwrap();
    assert!(differences(&plan)[0].as_str().contains("is another one now"));
    let plan = scene.plan("file_restore", &table).unwrap();
    fs::write(copy.join("a"), "12345").unwrap();
    assert!(differences(&plan)[0].as_str().contains("was touched"), "{:?}", differences(&plan));
}

#[test]
fn without_room_beside_nothing_is_begun() {
    let scene = Scene::new();
    let Some(_tiny) = Tiny::on(&scene.path("tiny")) else { return };
    fs::write(scene.path("tiny/data"), "old").unwrap();
    fs::write(scene.path("data"), vec![7; 1024 * 1024]).unwrap();
    let (path, from) = (scene.path("tiny/data"), scene.path("data"));
    let table = format!("path = \"{}\"\nfrom = \"{}\"\nlist = false", path.display(), from.display());
    assert!(refusal(&scene, &table).contains(" bytes are missing."), "{}", refusal(&scene, &table));
    assert_eq!(names(&scene.path("tiny")), ["data"]);
    // Nor may a mount be replaced.
    fs::create_dir(scene.path("other")).unwrap();
    let table = format!(
        "path = \"{}\"\nfrom = \"{}\"\nlist = false",
        scene.path("tiny").display(),
        scene.path("other").display()
    );
    assert!(refusal(&scene, &table).contains("is a mount of its own"));
}

#[test]
fn after_a_crash_a_look_tells_before_from_after() {
    let (scene, _, table) = scene();
    let plan = scene.plan("file_restore", &table).unwrap();
    let kept = plan.what.work["kept"].as_str().unwrap().to_owned();
    let settled = || kinds::of(&plan).unwrap().settled(&plan).unwrap().what().to_string();
    fs::create_dir(scene.path(&format!(".{kept}.part"))).unwrap();
    assert!(settled().ends_with(&format!("/app is as it was before; .{kept}.part is left")), "{}", settled());
    fs::remove_dir(scene.path(&format!(".{kept}.part"))).unwrap();
    assert_eq!(scene.act(plan.clone()).0.outcome, Outcome::Succeeded);
    assert!(settled().ends_with(&format!("/app is as the backup is; the old one is {kept}")), "{}", settled());
    fs::write(scene.path("app/more"), "").unwrap();
    assert!(settled().contains("is another one than before, but not as the backup is"), "{}", settled());
}

#[test]
fn who_ends_it_half_way_finds_nothing_built_beside() {
    let (scene, _, table) = scene();
    let backup = format!("path = \"{}\"\nto = \"{}\"", scene.path("app").display(), scene.path("copies").display());
    let copies = names(&scene.path("copies"));
    for (kind, table, begun, then) in
        [("file_restore", &table, "build", "exchange"), ("file_backup", &backup, "copy", "read back")]
    {
        let plan = scene.plan(kind, table).unwrap();
        let run = Run::of(&scene.state(), plan.id);
        let doing = Doing { run: &run, clock: &RealClock, tell: &|_| {}, stops: &|| true, left: &|_| {} };
        let kind = kinds::of(&plan).unwrap();
        let ended = format!("{:?}", kind.step(begun, &plan, &doing));
        assert!(ended.starts_with("Err(Failed(") && ended.contains("the operator ended it"), "{ended}");
        assert_eq!((beside(&scene), names(&scene.path("copies"))), (vec!["app".to_owned()], copies.clone()));
        kind.step(begun, &plan, &Doing { stops: &|| false, ..doing }).unwrap();
        assert!(beside(&scene).len() + names(&scene.path("copies")).len() > copies.len() + 1);
        assert_eq!(kind.ended(begun, &plan, &doing), None, "nothing was done");
        let said = kind.ended(then, &plan, &doing).unwrap();
        assert!(said.as_str().contains("is removed"), "{said}");
        assert_eq!((beside(&scene), names(&scene.path("copies"))), (vec!["app".to_owned()], copies.clone()));
    }
}

#[test]
fn a_copy_that_does_not_read_back_as_it_was_written_is_no_backup() {
    let (scene, _, _) = scene();
    let backup = format!("path = \"{}\"\nto = \"{}\"", scene.path("app").display(), scene.path("copies").display());
    let before = names(&scene.path("copies"));
    let plan = scene.plan("file_backup", &backup).unwrap();
    let run = Run::of(&scene.state(), plan.id);
    let doing = Doing { run: &run, clock: &RealClock, tell: &|_| {}, stops: &|| false, left: &|_| {} };
    let kind = kinds::of(&plan).unwrap();
    kind.step("copy", &plan, &doing).unwrap();
    let built = names(&scene.path("copies")).into_iter().map(|name| scene.path("copies").join(name).join("a"));
    let spoilt = built.filter(|a| fs::read(a).is_ok_and(|text| text == b"broken")).collect::<Vec<_>>();
    assert_eq!(spoilt.len(), 1, "{spoilt:?}");
    fs::write(&spoilt[0], "brokem").unwrap();
    let said = format!("{:?}", kind.step("read back", &plan, &doing));
    assert!(said.contains("does not read back as it was written"), "{said}");
    assert_eq!(names(&scene.path("copies")), before, "nothing is left that could be taken for one");
}
