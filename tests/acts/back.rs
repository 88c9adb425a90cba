//! The way back from a run: what it recorded names it, and it ends where the run began.

use crate::scene::{Scene, told};
use crate::service::lab;
use crate::trees::{plant, root, tell};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use watchkeeper::action::back;
use watchkeeper::action::kinds::Settled;
use watchkeeper::action::lifecycle::{Outcome, Run};
use watchkeeper::action::plan::{Danger, Plan, Undo};

/// Does it, and takes it back.
pub(crate) fn there_and_back(scene: &Scene, plan: &Plan, done: impl Fn(), undone: impl Fn()) -> Plan {
    let (end, progress) = scene.act(plan.clone());
    assert!(end.executed, "{end:?} {:?}", told(&progress));
    assert!(plan.undo.to_string().ends_with("; offered afterwards"), "{}", plan.undo);
    done();
    let back = scene.way_back(plan).unwrap_or_else(|fault| panic!("{}: {fault}", plan.what.kind));
    assert!(back.danger >= plan.danger && back.support == plan.support, "{back:?}");
    assert!(back.what.title.as_str().starts_with("Take back: "), "{}", back.what.title);
    let (end, progress) = scene.act(back.clone());
    assert!(end.executed, "{end:?} {:?}", told(&progress));
    assert!(matches!(crate::scene::settled(&back), Settled::Done(_)));
    undone();
    back
}

fn folder(scene: &Scene) -> PathBuf {
    let app = scene.path("app");
    plant(&app);
    fs::set_permissions(scene.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    app
}

#[test]
fn a_value_of_a_file_and_a_name_are_taken_back() {
    let scene = Scene::new();
    let file = scene.path("a.toml");
    fs::write(&file, "a = 1\n").unwrap();
    let says = |text: &'static str| {
        let file = file.clone();
        move || assert_eq!(fs::read_to_string(&file).unwrap(), text)
    };
    let table = format!("file = \"{}\"\nset = [{{ key = \"a\", to = 2 }}]", scene.path("a.toml").display());
    let plan = scene.plan("config_set", &table).unwrap();
    let back = there_and_back(&scene, &plan, says("a = 2\n"), says("a = 1\n"));
    assert!(!back::has(&back), "what was put back is set again by the action itself");

    let app = folder(&scene);
    let ino = fs::metadata(&app).unwrap().ino();
    let table = format!("path = \"{}\"\nbelow = \"{}\"", app.display(), scene.dir.path().display());
    let plan = scene.plan("file_set_aside", &table).unwrap();
    there_and_back(&scene, &plan, || assert!(!app.exists()), || assert_eq!(fs::metadata(&app).unwrap().ino(), ino));
    let fault = scene.way_back(&plan).unwrap_err().to_string();
    assert!(fault.contains("set-aside-") && fault.contains("No such file"), "once: {fault}");
}

#[test]
fn what_was_replaced_or_missing_is_taken_back() {
    let scene = Scene::new();
    let app = folder(&scene);
    fs::create_dir(scene.path("copies")).unwrap();
    let to = scene.path("copies").display().to_string();
    let table = format!("path = \"{}\"\nto = \"{to}\"", app.display());
    assert_eq!(scene.carry("file_backup", &table).0.outcome, Outcome::Succeeded);
    let good = tell(&app);
    fs::write(app.join("a"), "broken").unwrap();
    let broken = tell(&app);
    let table = format!("path = \"{}\"\nfrom = \"{to}/app.backup-*\"", app.display());
    let is = |wanted| {
        let app = &app;
        move || assert!(tell(app) == wanted)
    };
    let plan = scene.plan("file_restore", &table).unwrap();
    there_and_back(&scene, &plan, is(good.clone()), is(broken));
    fs::remove_dir_all(&app).unwrap();
    let plan = scene.plan("file_restore", &table).unwrap();
    there_and_back(&scene, &plan, is(good), || assert!(!app.exists()));
}

/// Somebody touches this after the run: its way back is refused, whether it is planned already or not.
fn refused_once_touched(scene: &Scene, plan: &Plan, touched: &Path, says: &str) {
    let ready = scene.way_back(plan).unwrap();
    fs::write(touched, "another").unwrap();
    let says = format!("{says}, was changed since by somebody else or a later run");
    let fault = scene.way_back(plan).unwrap_err().to_string();
    assert!(fault.contains(&says), "{fault}");
    let (end, _) = scene.act(ready);
    assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{end:?}");
    assert!(end.reason.as_str().contains(&says), "{end:?}");
}

/// What a folder holds whose name begins so.
fn beginning(folder: &Path, with: &str) -> PathBuf {
    let mut names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(with)).unwrap()
}

#[test]
fn what_is_not_any_more_as_the_run_left_it_is_not_taken_back() {
    for touches_what_was_put in [true, false] {
        let scene = Scene::new();
        let app = folder(&scene);
        fs::create_dir(scene.path("copies")).unwrap();
        let (path, to) = (app.display().to_string(), scene.path("copies").display().to_string());
        assert!(scene.carry("file_backup", &format!("path = \"{path}\"\nto = \"{to}\"")).0.executed);
        let plan = scene.plan("file_restore", &format!("path = \"{path}\"\nfrom = \"{to}/app.backup-*\"")).unwrap();
        assert!(scene.act(plan.clone()).0.executed);
        let kept = beginning(scene.dir.path(), "app.before-restore-");
        if touches_what_was_put {
            refused_once_touched(&scene, &plan, &app.join("a"), &format!("what was put there, {path}"));
        } else {
            let says = format!("what was kept aside, {}", kept.display());
            refused_once_touched(&scene, &plan, &kept.join("a"), &says);
        }
    }
    // Where there was none, what was put back is not set aside once it was touched.
    let scene = Scene::new();
    let file = scene.path("data");
    fs::set_permissions(scene.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(scene.path("copy"), "good").unwrap();
    let table = format!("path = \"{}\"\nfrom = \"{}\"\nlist = false", file.display(), scene.path("copy").display());
    let plan = scene.plan("file_restore", &table).unwrap();
    assert!(scene.act(plan.clone()).0.executed);
    refused_once_touched(&scene, &plan, &file, &format!("what was put there, {}", file.display()));
}

#[test]
fn what_was_set_aside_comes_back_only_as_it_was() {
    for tree in [true, false] {
        let scene = Scene::new();
        let app = folder(&scene);
        fs::write(app.join("own"), "of one name").unwrap();
        let what = if tree { app.clone() } else { app.join("own") };
        let table = format!("path = \"{}\"\nbelow = \"{}\"", what.display(), scene.dir.path().display());
        let plan = scene.plan("file_set_aside", &table).unwrap();
        assert!(scene.act(plan.clone()).0.executed);
        let name = format!("{}.set-aside-", what.file_name().unwrap().display());
        let aside = beginning(what.parent().unwrap(), &name);
        let touched = if tree { aside.join("a") } else { aside.clone() };
        refused_once_touched(&scene, &plan, &touched, &format!("what was kept aside, {}", aside.display()));
        // Nobody knows any more what it was.
        fs::remove_file(Run::of(&scene.state(), plan.id).dir().join("left.json")).unwrap();
        let fault = scene.way_back(&plan).unwrap_err().to_string();
        assert!(fault.contains("that run did not see what it left"), "{fault}");
    }
}

#[test]
fn a_copy_is_removed_only_while_it_is_as_its_run_made_it() {
    let scene = Scene::new();
    let app = folder(&scene);
    let copies = scene.path("copies");
    fs::create_dir(&copies).unwrap();
    let table = format!("path = \"{}\"\nto = \"{}\"", app.display(), copies.display());
    let before = tell(&app);
    let plan = scene.plan("file_backup", &table).unwrap();
    let held = || fs::read_dir(&copies).unwrap().count();
    let back = there_and_back(&scene, &plan, || assert_eq!(held(), 2), || assert_eq!(held(), 0));
    assert_eq!((back.what.kind.as_str(), back.danger, back.undo), ("backup_remove@1", Danger::C3, Undo::Irreversible));
    assert_eq!(back.hits[1].as_str(), "there is no other backup beside it");
    assert!(tell(&app) == before);
    for list in [false, true] {
        let plan = scene.plan("file_backup", &table).unwrap();
        assert!(scene.act(plan.clone()).0.executed);
        let copy = scene.way_back(&plan).unwrap().what.lines[0].to_string().replace("remove ", "");
        let (touched, what) = if list {
            (PathBuf::from(format!("{copy}.sha256")), format!("{copy}.sha256"))
        } else {
            (Path::new(&copy).join("a"), copy)
        };
        refused_once_touched(&scene, &plan, &touched, &format!("what was put there, {what}"));
    }
    let plan = scene.plan("file_backup", &table).unwrap();
    assert!(scene.act(plan.clone()).0.executed);
    let back = scene.way_back(&plan).unwrap();
    assert!(
        back.hits[1].as_str().starts_with("other backups beside it: 2; the newest is app.backup-"),
        "{:?}",
        back.hits
    );
    let fault = scene.way_back(&Plan { id: back.id, ..plan }).unwrap_err().to_string();
    assert!(fault.contains("there is nothing to take back: run "), "a copy of another run: {fault}");
}

#[test]
fn owners_are_taken_back() {
    if !root() {
        return println!("SKIPPED: root: giving files away");
    }
    let scene = Scene::new();
    let app = folder(&scene);
    let before = tell(&app);
    let of = |uid: u32| {
        let a = app.join("a");
        move || assert_eq!(fs::metadata(&a).unwrap().uid(), uid)
    };
    let plan = scene.plan("file_owner", &format!("path = \"{}\"\nowner = \"65534\"", app.display())).unwrap();
    let own = fs::metadata(app.join("a")).unwrap().uid();
    there_and_back(&scene, &plan, of(65_534), of(own));
    assert!(tell(&app) == before);
}

/// A switch that may be written here, and what it says.
fn switch() -> Option<(&'static str, String)> {
    let path = "/proc/sys/kernel/printk_ratelimit_burst";
    let old = fs::read_to_string(path).map(|old| old.trim().to_owned());
    let old = old.ok().filter(|old| fs::write(path, old).is_ok());
    if old.is_none() {
        println!("SKIPPED: cgroup: {path} cannot be written here");
    }
    Some((path, old?))
}

#[test]
fn a_switch_of_the_kernel_is_taken_back_unless_somebody_else_has_set_it() {
    let Some((path, old)) = switch() else { return };
    let says = |text: String| move || assert_eq!(fs::read_to_string(path).unwrap().trim(), text);
    let new = (old.parse::<u32>().unwrap() + 7).to_string();
    let scene = Scene::new();
    let plan = scene.plan("sysfs_write", &format!("path = \"{path}\"\nvalue = \"{new}\"")).unwrap();
    there_and_back(&scene, &plan, says(new), says(old.clone()));
    fs::write(path, "77").unwrap();
    let fault = scene.way_back(&plan).unwrap_err().to_string();
    fs::write(path, &old).unwrap();
    assert!(fault.contains("was changed since by somebody else"), "{fault}");
}

#[test]
fn a_drop_in_is_taken_back() {
    let Some(lab) = lab() else { return };
    lab.unit("app.service", "LimitNOFILE=1024\nExecStart=/bin/sleep 1000");
    let folder = lab.peer.env("SYSTEMD_UNIT_DIR").to_owned();
    let table = format!("{}folder = \"{folder}\"\nlimits = {{ LimitNOFILE = 4096 }}\n", lab.table("app.service"));
    let plan = lab.scene.plan("service_drop_in", &table).unwrap();
    let says = |limit: &'static str| {
        let lab = &lab;
        move || assert_eq!(lab.says("app.service", "LimitNOFILE"), limit)
    };
    there_and_back(&lab.scene, &plan, says("4096"), says("1024"));
}

#[test]
fn a_start_is_taken_back_by_a_stop_of_that_very_run_and_a_stop_by_a_start() {
    let Some(lab) = lab() else { return };
    lab.unit("app.service", "ExecStart=/bin/sleep 1000");
    let plan = |kind: &str| lab.scene.plan(kind, &lab.table("app.service")).unwrap();
    let is = |state: &'static str| {
        let lab = &lab;
        move || assert_eq!(lab.says("app.service", "ActiveState"), state)
    };
    let start = plan("service_start");
    assert_eq!(start.undo.to_string(), "stop app.service; offered afterwards");
    let back = there_and_back(&lab.scene, &start, is("active"), is("inactive"));
    assert_eq!((back.what.kind.as_str(), back.danger), ("service_stop@1", Danger::C3));
    let fault = lab.scene.way_back(&start).unwrap_err().to_string();
    assert!(fault.contains("there is nothing to take back: app.service is inactive"), "{fault}");

    lab.systemctl(&["start", "app.service"]);
    let stop = plan("service_stop");
    assert_eq!(stop.undo.to_string(), "start app.service; offered afterwards");
    let back = there_and_back(&lab.scene, &stop, is("inactive"), is("active"));
    assert_eq!((back.what.kind.as_str(), back.danger), ("service_start@1", Danger::C3), "as heavy as the stop");
    let fault = lab.scene.way_back(&stop).unwrap_err().to_string();
    assert!(fault.contains("there is nothing to take back: app.service is active"), "{fault}");
    // The way back of the way back ends the run that it began, and no other.
    lab.systemctl(&["restart", "app.service"]);
    let fault = lab.scene.way_back(&back).unwrap_err().to_string();
    assert!(fault.contains("app.service was started anew since by somebody else or a later run"), "{fault}");
}

#[test]
fn where_no_way_back_can_be_offered_the_plan_says_so() {
    let Some(lab) = lab() else { return };
    lab.unit("app.service", "ExecStart=/bin/sleep 1000\nExecReload=/bin/true");
    lab.systemctl(&["start", "app.service"]);
    for (kind, undo) in [
        ("service_restart", "a restart cannot be taken back; if app.service does not come up, its log says why"),
        ("service_reload", "a reload cannot be taken back: put back the configuration, then reload app.service again"),
        ("service_start", "none is needed: app.service is so already"),
    ] {
        let plan = lab.scene.plan(kind, &lab.table("app.service")).unwrap();
        assert_eq!((plan.undo.to_string().as_str(), back::has(&plan)), (undo, false), "{kind}");
    }
}

/// The operator ends it before its first step.
fn ended(scene: &Scene, plan: Plan) {
    let run = Run::of(&scene.state(), plan.id);
    fs::create_dir(run.dir()).unwrap();
    fs::set_permissions(run.dir(), PermissionsExt::from_mode(0o700)).unwrap();
    run.stop().unwrap();
    let (end, _) = scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false), "{end:?}");
}

/// A good run, a plan from before it that is refused, and one that is ended before its first step: then the way back.
fn back_over_others(scene: &Scene, kind: &str, [good, other, back]: [&str; 3]) {
    let [good, stale] = [good, other].map(|table| scene.plan(kind, table).unwrap());
    assert!(scene.act(good).0.executed);
    assert_eq!(scene.act(stale).0.outcome, Outcome::Refused);
    let restore = if kind == "config_set" { "config_restore" } else { kind };
    let of_refused = scene.plan(restore, back).unwrap_or_else(|fault| panic!("over a refused run: {fault}"));
    ended(scene, scene.plan(kind, other).unwrap());
    let plan = scene.plan(restore, back).unwrap_or_else(|fault| panic!("over a run without an effect: {fault}"));
    assert_eq!(plan.what.lines, of_refused.what.lines);
    let (end, progress) = scene.act(plan);
    assert!(end.executed, "{end:?} {:?}", told(&progress));
}

#[test]
fn runs_that_changed_nothing_do_not_hide_the_one_that_did() {
    let scene = Scene::new();
    let file = scene.path("a.toml");
    fs::write(&file, "a = 1024\n").unwrap();
    let file_key = format!("file = \"{}\"", file.display());
    let set = |to: u32| format!("{file_key}\nset = [{{ key = \"a\", to = {to} }}]");
    back_over_others(&scene, "config_set", [&set(512), &set(256), &format!("{file_key}\nof = \"the-action\"")]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "a = 1024\n");

    let Some((path, old)) = switch() else { return };
    let scene = Scene::new();
    let of = |key: &str, value: &str| format!("path = \"{path}\"\n{key} = \"{value}\"");
    let [one, two] = [7, 9].map(|more| of("value", &(old.parse::<u32>().unwrap() + more).to_string()));
    back_over_others(&scene, "sysfs_write", [&one, &two, &of("back", "the-action")]);
    assert_eq!(fs::read_to_string(path).unwrap().trim(), old);
}

/// Two runs, the second on top of the first: the older one is refused, the newer one is taken back, then the older one.
fn one_after_the_other(scene: &Scene, kind: &str, [first, second]: [&str; 2]) {
    let [first, second] = [first, second].map(|table| {
        let plan = scene.plan(kind, table).unwrap();
        assert!(scene.act(plan.clone()).0.executed);
        plan
    });
    let fault = scene.way_back(&first).unwrap_err().to_string();
    assert!(fault.contains("was changed since by somebody else or a later run"), "{kind}: {fault}");
    for plan in [&second, &first] {
        let back = scene.way_back(plan).unwrap_or_else(|fault| panic!("{kind}: {fault}"));
        assert_eq!(back::of(&back.what.action), Some(plan.id));
        assert!(scene.act(back).0.executed);
    }
    let fault = scene.way_back(&first).unwrap_err().to_string();
    assert!(fault.contains("nothing to take back") || fault.contains("nothing would change"), "{kind}: {fault}");
}

#[test]
fn a_way_back_takes_back_the_very_run_that_was_chosen() {
    let scene = Scene::new();
    let file = scene.path("a.toml");
    fs::write(&file, "a = 1024\n").unwrap();
    let set = |to: u32| format!("file = \"{}\"\nset = [{{ key = \"a\", to = {to} }}]", file.display());
    one_after_the_other(&scene, "config_set", [&set(512), &set(256)]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "a = 1024\n");
    let refused = scene.plan("config_set", &set(128)).unwrap();
    fs::write(&file, "a = 64\n").unwrap();
    assert_eq!(scene.act(refused.clone()).0.outcome, Outcome::Refused);
    let fault = scene.way_back(&refused).unwrap_err().to_string();
    let said = format!("there is nothing to take back: run {} of `the-action` changed nothing here.", refused.id);
    assert_eq!(fault, said, "and never another one");

    let Some((path, old)) = switch() else { return };
    let set = |more: u32| format!("path = \"{path}\"\nvalue = \"{}\"", old.parse::<u32>().unwrap() + more);
    one_after_the_other(&Scene::new(), "sysfs_write", [&set(7), &set(9)]);
    assert_eq!(fs::read_to_string(path).unwrap().trim(), old);
}
