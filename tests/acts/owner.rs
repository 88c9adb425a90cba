//! Trees that are given away and back. Only root can: elsewhere the one refusal is looked at.

use crate::peer;
use crate::scene::{Scene, told};
use crate::trees::{plant, root, tell};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown};
use std::path::Path;
use watchkeeper::action::kinds;
use watchkeeper::action::lifecycle::{Outcome, Run};

fn scene() -> Option<(Scene, String)> {
    let scene = Scene::new();
    plant(&scene.path("app"));
    let table = format!("path = \"{}\"\n", scene.path("app").display());
    if root() {
        return Some((scene, table));
    }
    let said = refusal(&scene, &format!("{table}owner = \"0\""));
    assert!(said.contains("only root may give files away."), "{said}");
    peer::skip("giving files away", "only root may");
    None
}

fn refusal(scene: &Scene, table: &str) -> String {
    scene.plan("file_owner", table).expect_err("refused").to_string()
}

fn of(path: &Path) -> (u32, u32) {
    path.symlink_metadata().map(|meta| (meta.uid(), meta.gid())).unwrap()
}

fn everyone(top: &Path) -> BTreeSet<(u32, u32)> {
    tell(top).keys().map(|path| if path.as_os_str().is_empty() { of(top) } else { of(&top.join(path)) }).collect()
}

#[test]
fn a_tree_is_given_away_links_stay_links_and_everything_can_be_put_back() {
    let Some((scene, table)) = scene() else { return };
    let (app, passwd) = (scene.path("app"), of(Path::new("/etc/passwd")));
    let before = tell(&app);
    let plan = scene.plan("file_owner", &format!("{table}owner = \"4444\"\ngroup = \"4445\"")).unwrap();
    assert!(plan.hits[1].as_str().starts_with("11 of 11 change hands"), "{:?}", plan.hits);
    assert_eq!(plan.hits[2].as_str(), "1 that run as their owner or group no longer do");
    let (end, progress) = scene.act(plan.clone());
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    assert_eq!(everyone(&app), BTreeSet::from([(4_444, 4_445)]));
    assert_eq!(of(Path::new("/etc/passwd")), passwd);
    assert_eq!(fs::metadata(app.join("deep/run")).unwrap().mode() & 0o7777, 0o755);
    let record = Run::of(&scene.state(), plan.id).backup_dir().join("owners");
    assert!(plan.undo.to_string().contains(&record.display().to_string()), "{}", plan.undo);
    // And back.
    let (end, _) = scene.carry("file_owner", &format!("{table}back = \"the-action\""));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert_eq!(tell(&app), before);
    let said = refusal(&scene, &format!("{table}back = \"the-action\""));
    assert!(said.contains("nothing would change in "), "{said}");
}

#[test]
fn without_a_group_each_keeps_its_own() {
    let Some((scene, table)) = scene() else { return };
    let groups: BTreeSet<u32> = everyone(&scene.path("app")).into_iter().map(|(_, gid)| gid).collect();
    let (end, _) = scene.carry("file_owner", &format!("{table}owner = \"nobody\""));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    let now = everyone(&scene.path("app"));
    assert_eq!(now.iter().map(|(_, gid)| *gid).collect::<BTreeSet<u32>>(), groups);
    assert!(now.iter().all(|(uid, _)| *uid == 65_534), "{now:?}");
}

#[test]
fn what_would_give_away_more_than_the_tree_is_refused() {
    let Some((scene, table)) = scene() else { return };
    let give = format!("{table}owner = \"nobody\"");
    fs::hard_link(scene.path("app/deep/run"), scene.path("outside")).unwrap();
    assert!(refusal(&scene, &give).contains("/app/deep/run has another name outside of it (hard link)."));
    fs::remove_file(scene.path("outside")).unwrap();
    let (null, here) = (rustix::fs::makedev(1, 3), rustix::fs::CWD);
    let (kind, mode) = (rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::from_raw_mode(0o600));
    if rustix::fs::mknodat(here, scene.path("app/null"), kind, mode, null).is_ok() {
        assert!(refusal(&scene, &give).contains("/app/null is a device: it is not given away."));
        fs::remove_file(scene.path("app/null")).unwrap();
    }
    for (line, why) in [
        ("owner = \"nobody-of-this-name\"", "there is no user `nobody-of-this-name` on this host."),
        ("owner = \"0\"\ngroup = \"no-such\"", "there is no group `no-such` on this host."),
        ("owner = \"4294967295\"", "there is no user"),
        ("back = \"the-action\"", "there is nothing to take back: `the-action` was not done here."),
        ("back = \"x\"\nowner = \"0\"", "nothing to take back"),
    ] {
        let said = refusal(&scene, &format!("{table}{line}"));
        assert!(said.contains(why), "{line}: {said}");
    }
    std::os::unix::fs::symlink(scene.path("app"), scene.path("link")).unwrap();
    let link = format!("path = \"{}\"\nowner = \"nobody\"", scene.path("link").display());
    assert!(refusal(&scene, &link).contains("neither a file nor a folder"));
    fs::set_permissions(scene.dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    assert!(refusal(&scene, &give).contains("others may change the folder"));
}

#[test]
fn what_changed_since_the_plan_stops_it_but_a_growing_file_does_not() {
    let Some((scene, table)) = scene() else { return };
    let give = format!("{table}owner = \"4444\"");
    let plan = scene.plan("file_owner", &give).unwrap();
    fs::write(scene.path("app/more"), "").unwrap();
    let (end, _) = scene.act(plan);
    assert!(end.outcome == Outcome::Refused && end.reason.as_str().contains("an entry, an owner or a mode"), "{end:?}");
    let plan = scene.plan("file_owner", &give).unwrap();
    lchown(scene.path("app/dangling"), Some(4_446), None).unwrap();
    assert_eq!(scene.act(plan).0.outcome, Outcome::Refused);
    let plan = scene.plan("file_owner", &give).unwrap();
    fs::write(scene.path("app/more"), "it grows").unwrap();
    let settled = || kinds::of(&plan).unwrap().settled(&plan).unwrap().what().to_string();
    assert!(settled().contains("belongs to whom it belonged before"), "{}", settled());
    assert_eq!(scene.act(plan.clone()).0.outcome, Outcome::Succeeded);
    assert!(settled().contains("all 12 entries belong to 4444"), "{}", settled());
    chown(scene.path("app/more"), Some(4_447), None).unwrap();
    assert!(settled().contains("1 of 12 entries do not belong to 4444"), "{}", settled());
    // A way back does not take from him what it did not give.
    let said = refusal(&scene, &format!("{table}back = \"the-action\""));
    assert!(said.contains("/app/more was given to somebody else since."), "{said}");
}

#[test]
fn a_record_that_was_altered_puts_nothing_back() {
    let Some((scene, table)) = scene() else { return };
    let plan = scene.plan("file_owner", &format!("{table}owner = \"4444\"")).unwrap();
    assert_eq!(scene.act(plan.clone()).0.outcome, Outcome::Succeeded);
    let record = Run::of(&scene.state(), plan.id).backup_dir().join("owners");
    let back = scene.plan("file_owner", &format!("{table}back = \"the-action\"")).unwrap();
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replacen("65534 ", "4321 ", 1)).unwrap();
    let said = refusal(&scene, &format!("{table}back = \"the-action\""));
    assert!(said.contains("the record of owners is not as it was written."), "{said}");
    let (end, _) = scene.act(back);
    assert!(!end.executed && end.reason.as_str().contains("is not what the plan rests on"), "{end:?}");
    assert_eq!(of(&scene.path("app/a")).0, 4_444);
}
