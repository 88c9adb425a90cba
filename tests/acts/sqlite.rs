//! Databases that another program writes, copied by SQLite itself, with SQLite's own program as the judge.

use crate::peer::{self, Peer, Running};
use crate::scene::{Scene, told};
use crate::trees::{names, root};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use watchkeeper::action::kinds;
use watchkeeper::action::lifecycle::Outcome;

const PROGRAM: &str = "/usr/bin/sqlite3";

pub(crate) struct Lab {
    peer: Peer,
    pub(crate) scene: Scene,
}

/// A database with a writer, and a place for copies that its owner may enter.
pub(crate) fn lab(journal: &str) -> Option<Lab> {
    if !Path::new(PROGRAM).exists() {
        peer::skip("sqlite3", "not installed: apt-get install sqlite3");
        return None;
    }
    let lab = Lab { peer: peer::start_with("sqlite-lab", &[("JOURNAL", journal)])?, scene: Scene::new() };
    fs::set_permissions(lab.scene.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir(lab.to()).unwrap();
    fs::set_permissions(lab.to(), PermissionsExt::from_mode(0o755)).unwrap();
    Some(lab)
}

impl Lab {
    pub(crate) fn db(&self) -> PathBuf {
        self.peer.env("SQLITE_PATH").into()
    }

    fn to(&self) -> PathBuf {
        self.scene.path("copies")
    }

    pub(crate) fn table(&self) -> String {
        format!("path = \"{}\"\nto = \"{}\"\n", self.db().display(), self.to().display())
    }

    fn refusal(&self, table: &str) -> String {
        self.scene.plan("sqlite_backup", table).expect_err("refused").to_string()
    }
}

fn rows(db: &Path) -> String {
    let output = Command::new(PROGRAM).arg(db).arg("SELECT count(*), max(id) FROM t").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_database_in_use_is_copied_with_what_stands_in_its_log_only() {
    let Some(lab) = lab("wal") else { return };
    assert!(lab.peer.exec(&["write", "50"]).status.success());
    assert!(fs::metadata(format!("{}-wal", lab.db().display())).unwrap().len() > 0);
    fs::set_permissions(lab.db(), PermissionsExt::from_mode(0o640)).unwrap();
    let plan = lab.scene.plan("sqlite_backup", &lab.table()).unwrap();
    assert!(plan.what.lines[0].as_str().contains(".backup main"), "{:?}", plan.what.lines);
    let (end, progress) = lab.scene.act(plan.clone());
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    let found = names(&lab.to());
    let [copy, list] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(list, &format!("{copy}.sha256"));
    let output = Command::new("sha256sum").args(["--check", "--strict", list]).current_dir(lab.to()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let copy = lab.to().join(copy);
    assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o7777, 0o640);
    let settled = kinds::of(&plan).unwrap().settled(&plan).unwrap();
    assert!(settled.what().as_str().ends_with("is whole: 1 file and the list"), "{settled:?}");
    assert_eq!(rows(&copy), rows(&lab.db()));
    assert_eq!(rows(&copy), "70|70\n");
    let plan = lab.scene.plan("sqlite_backup", &lab.table()).unwrap();
    let held = || names(&lab.to()).len();
    crate::back::there_and_back(&lab.scene, &plan, || assert_eq!(held(), 4), || assert_eq!(held(), 2));
    assert!(copy.exists(), "the other one stays");
}

#[test]
fn it_is_done_with_the_rights_of_the_owner_and_leaves_nothing_of_ours_beside_the_database() {
    let Some(lab) = lab("wal") else { return };
    if !root() {
        let whole = format!("path = \"/etc/passwd\"\nto = \"{}\"", lab.to().display());
        assert!(lab.refusal(&whole).contains("is no SQLite database"));
        return peer::skip("a database of another user", "only root can give files away");
    }
    let folder = lab.scene.path("service");
    fs::create_dir(&folder).unwrap();
    let db = folder.join("app.db");
    // Of a program that has stopped: whoever opens it makes the files beside it.
    fs::copy(lab.db(), &db).unwrap();
    for path in [&folder, &db] {
        chown(path, Some(65_534), Some(65_534)).unwrap();
    }
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(&db, PermissionsExt::from_mode(0o600)).unwrap();
    let table = format!("path = \"{}\"\nto = \"{}\"", db.display(), lab.to().display());
    let plan = lab.scene.plan("sqlite_backup", &table).unwrap();
    assert!(plan.what.lines[0].as_str().contains("/usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups -- "));
    let (end, progress) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()) {
        assert_eq!(entry.metadata().unwrap().uid(), 65_534, "{entry:?}");
    }
    let copy = fs::metadata(lab.to().join(&names(&lab.to())[0])).unwrap();
    assert_eq!((copy.uid(), copy.gid(), copy.mode() & 0o7777), (65_534, 65_534, 0o600));
    // Where the owner cannot go, nothing is begun that stays.
    fs::set_permissions(lab.to(), PermissionsExt::from_mode(0o700)).unwrap();
    let (end, _) = lab.scene.carry("sqlite_backup", &table);
    assert!(end.outcome == Outcome::Failed && end.reason.as_str().contains("SQLite ended with"), "{end:?}");
    assert_eq!(names(&lab.to()).len(), 2);
}

#[test]
fn a_damaged_database_gives_no_backup() {
    let Some(lab) = lab("delete") else { return };
    let mut bytes = fs::read(lab.db()).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 4096].fill(0xA5);
    let db = lab.scene.path("bad.db");
    fs::write(&db, bytes).unwrap();
    let (end, _) = lab
        .scene
        .carry("sqlite_backup", &lab.table().replace(&lab.db().display().to_string(), &db.display().to_string()));
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(end.reason.as_str().contains("the copy does not pass SQLite's integrity check"), "{end:?}");
    assert_eq!(names(&lab.to()), [""; 0]);
}

#[test]
fn a_database_that_somebody_holds_locked_is_not_waited_for_for_ever() {
    let Some(lab) = lab("delete") else { return };
    let mut holder = Running::start(Command::new(PROGRAM).arg(lab.db()), Stdio::piped(), Stdio::piped());
    let mut words = holder.0.stdin.take().unwrap();
    words.write_all(b".timeout 10000\nBEGIN EXCLUSIVE; SELECT 7;\n").unwrap();
    let mut said = [0; 2];
    holder.0.stdout.take().unwrap().read_exact(&mut said).unwrap();
    let (end, _) = lab.scene.carry("sqlite_backup", &format!("{}patience = \"1s\"", lab.table()));
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(end.reason.as_str().contains("did not end within 1 s"), "{end:?}");
    assert_eq!(names(&lab.to()), [""; 0]);
    drop(words);
    holder.0.wait().unwrap();
    assert_eq!(lab.scene.carry("sqlite_backup", &lab.table()).0.outcome, Outcome::Succeeded);
}

#[test]
fn what_is_no_plain_database_is_refused() {
    let Some(lab) = lab("wal") else { return };
    let (db, scene) = (lab.db(), &lab.scene);
    let text = scene.path("text.db");
    fs::write(&text, "not a database").unwrap();
    symlink(&db, scene.path("link.db")).unwrap();
    let copy = scene.path("copy.db");
    fs::copy(&db, &copy).unwrap();
    fs::hard_link(&copy, scene.path("twin.db")).unwrap();
    for (path, why) in [
        (text, "is no SQLite database"),
        (scene.path("copies"), "is no SQLite database"),
        (scene.path("none.db"), "No such file"),
        (scene.path("link.db"), "neither a file nor a folder"),
        (copy, "has other names (hard links)"),
        (scene.path("it's.db"), "holds characters that SQLite would read otherwise"),
        (scene.path("a?mode=rwc"), "holds characters that SQLite would read otherwise"),
    ] {
        let said = lab.refusal(&lab.table().replace(&db.display().to_string(), &path.display().to_string()));
        assert!(said.contains(why), "{}: {said}", path.display());
    }
    let said = lab.refusal(&format!("{}sqlite = \"/nonexistent/sqlite3\"", lab.table()));
    assert!(said.contains("there is no such file"), "{said}");
    let program = scene.path("sqlite3");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o777)).unwrap();
    let said = lab.refusal(&format!("{}sqlite = \"{}\"", lab.table(), program.display()));
    assert!(said.contains("others may write to this file (mode 0777)"), "{said}");
    let plan = scene.plan("sqlite_backup", &lab.table()).unwrap();
    fs::set_permissions(&db, PermissionsExt::from_mode(0o600)).unwrap();
    let (end, _) = scene.act(plan);
    assert!(end.outcome == Outcome::Refused && end.reason.as_str().contains("owner or mode of"), "{end:?}");
    fs::set_permissions(lab.to(), PermissionsExt::from_mode(0o777)).unwrap();
    assert!(lab.refusal(&lab.table()).contains("others may write to this folder"));
}
