//! Files and folders that are set aside.

use crate::scene::{Scene, told};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use watchkeeper::action::lifecycle::Outcome;

fn index(scene: &Scene) -> (PathBuf, String) {
    let below = scene.path("app");
    fs::create_dir_all(below.join("index/deep")).unwrap();
    fs::write(below.join("index/deep/a"), "12345").unwrap();
    fs::set_permissions(&below, PermissionsExt::from_mode(0o755)).unwrap();
    (below.join("index"), format!("path = \"{0}/index\"\nbelow = \"{0}\"", below.display()))
}

#[test]
fn a_folder_is_renamed_as_it_is_and_can_be_renamed_back() {
    let scene = Scene::new();
    let (path, table) = index(&scene);
    let before = fs::metadata(&path).unwrap().ino();
    let plan = scene.plan("file_set_aside", &table).unwrap();
    assert_eq!(plan.hits[0].as_str(), "a folder, 1 file, 5 B");
    let (end, progress) = scene.act(plan.clone());
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    let entries: Vec<_> = fs::read_dir(scene.path("app")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [aside] = entries.as_slice() else { panic!("{entries:?}") };
    assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("index.set-aside-2"), "{aside:?}");
    assert_eq!(
        (fs::metadata(aside).unwrap().ino(), fs::read_to_string(aside.join("deep/a")).unwrap()),
        (before, "12345".into())
    );
    assert!(plan.undo.to_string().contains(&format!("rename {} back", aside.display())), "{}", plan.undo);
}

#[test]
fn which_of_several_is_set_aside_is_chosen_and_typed() {
    let scene = Scene::new();
    let (path, _) = index(&scene);
    let (path, below) = (path.display().to_string(), scene.path("app").display().to_string());
    let table = |value: &str| {
        let which = format!("{{ matches = \"/.+/index\", value = \"{value}\", ask = true }}");
        format!(
            "path = \"{{which}}\"\nbelow = \"{below}\"\ndanger = \"C3\"\nconfirm = \"{{which}}\"\nparams = {{ which = {which} }}"
        )
    };
    let plan = scene.plan("file_set_aside", &table(&path)).unwrap();
    assert_eq!(plan.what.lines[0].as_str(), format!("rename {path}"));
    assert!(format!("{plan:?}").contains(&path));
    let other = scene.plan("file_set_aside", &table("/etc/index")).unwrap_err().to_string();
    assert!(other.contains("is not below"), "{other}");
    let other = scene.plan("file_set_aside", &table(&below)).unwrap_err().to_string();
    assert!(other.contains("which does not match"), "{other}");
}

#[test]
fn what_was_replaced_since_the_plan_is_left_alone() {
    let scene = Scene::new();
    let (path, table) = index(&scene);
    let plan = scene.plan("file_set_aside", &table).unwrap();
    fs::rename(&path, scene.path("app/old")).unwrap();
    fs::create_dir(&path).unwrap();
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused);
    assert!(end.reason.as_str().contains("is another one now") && path.is_dir(), "{end:?}");
}

#[test]
fn what_is_not_below_a_link_or_open_to_others_is_refused() {
    let scene = Scene::new();
    let (path, _) = index(&scene);
    let below = scene.path("app").display().to_string();
    symlink(&path, scene.path("app/link")).unwrap();
    symlink(scene.path("app"), scene.path("way")).unwrap();
    let way = scene.path("way").display().to_string();
    let table = |path: &str, below: &str| format!("path = \"{path}\"\nbelow = \"{below}\"");
    for (path, below, why) in [
        (format!("{below}/none"), below.clone(), "look at"),
        (below.clone(), below.clone(), "is not below"),
        ("/etc/passwd".to_owned(), below.clone(), "is not below"),
        (format!("{below}/../app/index"), below.clone(), "without `..`"),
        ("/etc/passwd".to_owned(), "/etc".to_owned(), "is too much"),
        (format!("{below}/link"), below.clone(), "neither a file nor a folder"),
        (format!("{way}/index"), way.clone(), "look at"),
    ] {
        let fault = scene.plan("file_set_aside", &table(&path, &below)).unwrap_err().to_string();
        assert!(fault.contains(why), "{path}: {fault}");
    }
    fs::write(scene.path("app/one"), "").unwrap();
    fs::hard_link(scene.path("app/one"), scene.path("app/two")).unwrap();
    let fault = scene.plan("file_set_aside", &table(&format!("{below}/two"), &below)).unwrap_err().to_string();
    assert!(fault.contains("has other names (hard links)"), "{fault}");
    // A look-alike is shown by its number, and makes the prompt heavier: the c is Cyrillic.
    fs::write(scene.path("app/\u{441}ache"), "").unwrap();
    let plan = scene.plan("file_set_aside", &table(&format!("{below}/\u{441}ache"), &below)).unwrap();
    assert!(plan.what.lines[0].as_str().ends_with("/app/<U+0441>ache"), "{:?}", plan.what.lines);
    assert_eq!(plan.raised[0].as_str(), "a name holds unusual characters");
    fs::set_permissions(scene.path("app"), PermissionsExt::from_mode(0o777)).unwrap();
    let fault = scene.plan("file_set_aside", &table(&format!("{below}/index"), &below)).unwrap_err().to_string();
    assert!(fault.contains("others may change the folder"), "{fault}");
}

#[test]
fn what_relies_on_a_backup_that_is_too_old_or_absent_is_heavier_and_says_so() {
    let scene = Scene::new();
    let (path, table) = index(&scene);
    let to = scene.path("backups");
    fs::create_dir(&to).unwrap();
    let backup = format!("backup = {{ folder = \"{}\", of = \"index\", max_age = \"24h\" }}\n", to.display());
    let plan = || scene.plan("file_set_aside", &format!("{table}\n{backup}")).unwrap();
    let none = plan();
    let usual = scene.plan("file_set_aside", &table).unwrap().danger;
    assert_eq!(none.danger, usual.raised());
    assert!(none.raised[0].as_str().starts_with("backup of index: none in "), "{:?}", none.raised);
    // Making one mends it, and is not heavier for that.
    let table = format!("path = \"{}\"\nto = \"{}\"\n{backup}", path.display(), to.display());
    let make = scene.plan("file_backup", &table).unwrap();
    assert!(make.raised.is_empty() && make.hits.iter().any(|hit| hit.as_str().contains("none in ")), "{make:?}");
    let (end, progress) = scene.act(make);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    let fresh = plan();
    assert_eq!((fresh.danger, fresh.raised.len()), (usual, 0), "{:?}", fresh.raised);
    assert!(
        fresh
            .based_on
            .iter()
            .any(|row| row.label.as_str() == "backup of index" && row.value.as_str().ends_with("s old"))
    );
}

/// What every kind says that renames, replaces or gives away `app/index`, or the log in it.
fn refusals(scene: &Scene) -> Vec<(&'static str, String)> {
    let (app, copies) = (scene.path("app"), scene.path("copies"));
    let (index, below) = (app.join("index").display().to_string(), app.display().to_string());
    let tables = [
        ("file_set_aside", format!("path = \"{index}\"\nbelow = \"{below}\"")),
        ("file_restore", format!("path = \"{index}\"\nfrom = \"{}/copy\"\nlist = false", copies.display())),
        ("file_owner", format!("path = \"{index}\"\nowner = \"65534\"")),
        ("log_rotate", format!("path = \"{index}\"\nreopen = \"nothing\"")),
    ];
    let said = tables.map(|(kind, table)| {
        (kind, scene.plan(kind, &table).map_or_else(|fault| fault.to_string(), |_| "a plan".to_owned()))
    });
    said.into()
}

#[test]
fn what_the_kernel_would_not_let_be_renamed_or_given_away_is_refused_before_any_prompt() {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
    use rustix::mount::{MountFlags, UnmountFlags, mount_bind, mount_remount, unmount};
    let scene = Scene::new();
    let (app, copies) = (scene.path("app"), scene.path("copies"));
    let (index, source) = (app.join("index"), scene.path("source"));
    for dir in [&app, &copies] {
        fs::create_dir(dir).unwrap();
        fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
    }
    for file in [&index, &source, &copies.join("copy")] {
        fs::write(file, "12345").unwrap();
    }
    for (kind, said) in refusals(&scene) {
        assert_eq!(said, "a plan", "{kind}");
    }
    if mount_bind(&source, &index).is_err() {
        return println!("SKIPPED: mount: a file cannot be mounted here");
    }
    let bound = refusals(&scene);
    unmount(&index, UnmountFlags::DETACH).unwrap();
    for (kind, said) in bound {
        // Its owner can be changed where it is mounted.
        let wanted = if kind == "file_owner" { "a plan" } else { "is a mount of its own" };
        assert!(said.contains(wanted), "{kind}: {said}");
    }
    mount_bind(&app, &app).unwrap();
    mount_remount(&app, MountFlags::RDONLY | MountFlags::BIND, c"").unwrap();
    let still = refusals(&scene);
    unmount(&app, UnmountFlags::DETACH).unwrap();
    for (kind, said) in still {
        assert!(said.contains("mounted read-only"), "{kind}: {said}");
    }
    let file = fs::File::open(&index).unwrap();
    let before = ioctl_getflags(&file).unwrap_or(IFlags::empty());
    if ioctl_setflags(&file, before | IFlags::IMMUTABLE).is_err() {
        return println!("SKIPPED: chattr: nothing can be locked on this file system");
    }
    let locked = refusals(&scene);
    ioctl_setflags(&file, before).unwrap();
    for (kind, said) in locked {
        assert!(said.contains("is locked against changes (chattr)"), "{kind}: {said}");
    }
}
