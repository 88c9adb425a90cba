//! LMDB environments that another implementation writes and another user owns, with `mdb_stat` as the judge.

use crate::peer::{self, Peer};
use crate::scene::{Scene, settled, told};
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use watchkeeper::action::kinds::{self, Settled};
use watchkeeper::action::lifecycle::{End, Outcome, Progress};
use watchkeeper::action::plan::Danger;
use watchkeeper::sys::lmdb::child;

#[test]
#[ignore = "a role: played by a process of its own"]
fn plays_the_child() {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    assert_eq!(child::serve(socket), 0);
}

pub(crate) struct Lab {
    pub(crate) peer: Peer,
    pub(crate) scene: Scene,
    /// The environment's folder.
    pub(crate) db: PathBuf,
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The environment, of `nobody` where that can be, with a reader of another library in it.
pub(crate) fn lab() -> Option<Lab> {
    child::played_by(&["lmdb::plays_the_child", "--exact", "--ignored"]);
    if Command::new("mdb_stat").arg("-V").output().is_err() {
        peer::skip("mdb_stat", "not installed: apt-get install lmdb-utils");
        return None;
    }
    let peer = peer::start("lmdb-lab")?;
    let db = PathBuf::from(peer.env("LMDB_PATH"));
    let lab = Lab { peer, scene: Scene::new(), db };
    lab.give(65_534);
    fs::create_dir(lab.scene.path("copies")).unwrap();
    Some(lab)
}

impl Lab {
    fn give(&self, uid: u32) {
        if root() {
            for path in [self.db.clone(), self.db.join("data.mdb"), self.db.join("lock.mdb")] {
                chown(path, Some(uid), Some(uid)).unwrap();
            }
        }
    }

    /// Owner, group and mode of the folder and both files, and what else is there.
    pub(crate) fn owners(&self) -> Vec<(PathBuf, u32, u32, u32)> {
        let inside = fs::read_dir(&self.db).unwrap().map(|entry| entry.unwrap().path());
        let about = |path: PathBuf| {
            let about = path.metadata().unwrap();
            (path, about.uid(), about.gid(), about.mode())
        };
        let mut all: Vec<_> = inside.chain([self.db.clone()]).map(about).collect();
        all.sort();
        all
    }

    /// Ends the reader that the peer keeps.
    pub(crate) fn end_reader(&self) {
        let pid = self.peer.env("LMDB_READER_PID");
        assert!(Command::new("/bin/kill").arg(pid).status().unwrap().success());
        while fs::read_to_string(format!("/proc/{pid}/maps")).is_ok_and(|maps| maps.contains("data.mdb")) {
            std::thread::yield_now();
        }
    }

    pub(crate) fn backup(&self) -> String {
        format!("path = \"{}\"\nto = \"{}\"", self.db.display(), self.scene.path("copies").display())
    }

    pub(crate) fn path(&self) -> String {
        format!("path = \"{}\"\n", self.db.display())
    }

    pub(crate) fn commit(&self, to: &str) -> String {
        format!("{}how = \"write_commit\"\nto = \"{to}\"", self.path())
    }

    pub(crate) fn refusal(&self, kind: &str, table: &str) -> String {
        self.scene.plan(kind, table).map(|plan| plan.what.lines).unwrap_err().to_string()
    }
}

pub(crate) fn stat(path: &Path, flags: &[&str]) -> String {
    let output = Command::new("mdb_stat").args(flags).arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What `mdb_stat` says of every database: names and entries.
pub(crate) fn entries(path: &Path) -> Vec<String> {
    let text = stat(path, &["-a"]);
    text.lines().filter(|line| line.contains("Status of") || line.contains("Entries:")).map(str::to_owned).collect()
}

pub(crate) fn figure(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
    line.trim_start_matches(':').trim().parse().unwrap()
}

pub(crate) fn succeeded((end, progress): (End, Progress)) -> Vec<String> {
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    told(&progress)
}

/// The only entry of a folder.
pub(crate) fn only(folder: &Path) -> PathBuf {
    let mut inside: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(inside.len(), 1, "{inside:?}");
    inside.remove(0)
}

/// The only copy of a folder, which has its list beside it.
pub(crate) fn only_copy(folder: &Path) -> PathBuf {
    let mut inside: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    inside.sort();
    let [copy, list] = inside.as_slice() else { panic!("{inside:?}") };
    assert_eq!(format!("{}.sha256", copy.display()), list.display().to_string());
    let check = Command::new("sha256sum").args(["-c", "--status"]).arg(list).current_dir(folder).status().unwrap();
    assert!(check.success(), "sha256sum takes it");
    copy.clone()
}

#[test]
fn a_copy_of_a_live_environment_holds_what_it_holds_and_belongs_to_its_owner() {
    for compact in [true, false] {
        let Some(lab) = lab() else { return };
        for step in [&["grow", "16777216"][..], &["named", "20"], &["plain", "300"], &["scatter", "50"]] {
            assert!(lab.peer.exec(step).status.success(), "{step:?}");
        }
        let before = lab.owners();
        let plan = lab.scene.plan("lmdb_backup", &format!("{}\ncompact = {compact}", lab.backup())).unwrap();
        assert_eq!(plan.danger, Danger::C1);
        assert!(
            plan.hits.iter().any(|hit| hit.as_str().contains("one read transaction stays open")),
            "{:?}",
            plan.hits
        );
        let said = succeeded(lab.scene.act(plan));
        assert!(said.iter().any(|line| line.contains("equal to the environment; SHA-256 ")), "{said:?}");
        let copy = only_copy(&lab.scene.path("copies"));
        assert_eq!(only(&copy), copy.join("data.mdb"), "no lock file, nothing half-way");
        let about = copy.join("data.mdb").metadata().unwrap();
        let data = lab.db.join("data.mdb").metadata().unwrap();
        assert_eq!((about.uid(), about.gid(), about.mode()), (data.uid(), data.gid(), data.mode()));
        assert_eq!(lab.owners(), before, "nothing was created and nothing changed hands");
        assert_eq!(entries(&copy), entries(&lab.db));
        assert_eq!(figure(&stat(&copy, &["-e"]), "Map size"), 16_777_216, "the stored size is kept");
        assert_eq!(about.len() < data.len(), compact, "{} of {}", about.len(), data.len());
    }
}

#[test]
fn the_newest_copy_is_put_back_by_file_restore_and_its_owner_can_work_with_it() {
    let Some(lab) = lab() else { return };
    let copies = lab.scene.path("copies");
    if root() {
        // The folder is not of the data's owner alone: that comes back too.
        chown(&lab.db, Some(0), Some(65_534)).unwrap();
    }
    fs::set_permissions(&lab.db, PermissionsExt::from_mode(0o770)).unwrap();
    for step in [&["grow", "16777216"][..], &["named", "20"], &["plain", "300"]] {
        assert!(lab.peer.exec(step).status.success(), "{step:?}");
    }
    let (before, owners) = (entries(&lab.db), fs::metadata(&lab.db).unwrap());
    let plan = lab.scene.plan("lmdb_backup", &lab.backup()).unwrap();
    let held = || fs::read_dir(&copies).unwrap().count();
    crate::back::there_and_back(&lab.scene, &plan, || assert_eq!(held(), 2), || assert_eq!(held(), 0));
    // Names tell the time to the second: of two of one second either is the newest.
    succeeded(lab.scene.carry("lmdb_backup", &lab.backup()));
    let said = succeeded(lab.scene.carry("lmdb_backup", &lab.backup()));
    assert!(said.iter().any(|line| line.contains("equal to the environment")), "{said:?}");
    lab.end_reader();
    let data = lab.db.join("data.mdb");
    fs::write(&data, vec![0; 8_192]).unwrap();
    assert!(!Command::new("mdb_stat").arg(&lab.db).output().unwrap().status.success(), "it is gone");

    let table = format!("{}from = \"{}/db.backup-*\"", lab.path(), copies.display());
    let names = fs::read_dir(&copies).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let newest = names.filter(|name| !name.ends_with(".sha256")).max().unwrap();
    let plan = lab.scene.plan("file_restore", &table).unwrap();
    assert_eq!(plan.danger, Danger::C3);
    assert!(plan.what.lines[1].as_str().ends_with(&newest), "{:?}", plan.what.lines);
    assert!(
        plan.based_on.iter().any(|seen| seen.value.as_str().starts_with("as its list says")),
        "{:?}",
        plan.based_on
    );
    let said = succeeded(lab.scene.act(plan));
    assert_eq!(only(&lab.db), data, "no lock file: {said:?}");
    let now = fs::metadata(&lab.db).unwrap();
    assert_eq!((now.uid(), now.gid(), now.mode()), (owners.uid(), owners.gid(), owners.mode()));
    assert_eq!(entries(&lab.db), before, "it opens, and holds what the backup counted");
    if root() {
        let about = fs::metadata(&data).unwrap();
        assert_eq!((about.uid(), about.gid()), (65_534, 65_534));
    }
    assert!(lab.peer.exec(&["plain", "500"]).status.success(), "its program writes on");

    // A copy that somebody changed is none.
    let file = copies.join(&newest).join("data.mdb");
    let mut bytes = fs::read(&file).unwrap();
    bytes[20_000] ^= 1;
    fs::write(&file, bytes).unwrap();
    let (end, _) = lab.scene.carry("file_restore", &table);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false), "{end:?}");
    fs::remove_file(copies.join(format!("{newest}.sha256"))).unwrap();
    let plan = lab.scene.plan("file_restore", &table).unwrap();
    assert!(!plan.what.lines[1].as_str().ends_with(&newest), "a copy without its list is no backup");
}

#[test]
fn a_copy_is_of_one_moment_while_others_write() {
    let Some(lab) = lab() else { return };
    assert!(lab.peer.exec(&["grow", "268435456"]).status.success());
    assert!(lab.peer.exec(&["plain", "20000"]).status.success());
    let writer = lab.peer.spawn(&["churn", "100000"]);
    let said = succeeded(lab.scene.carry("lmdb_backup", &lab.backup()));
    drop(writer);
    let copy = only_copy(&lab.scene.path("copies"));
    let main = |path: &Path| figure(&stat(path, &[]), "Entries");
    assert_eq!(main(&copy), main(&lab.db), "{said:?}");
}

#[test]
fn what_must_not_be_opened_is_refused_before_any_prompt() {
    let Some(lab) = lab() else { return };
    let (data, lock, copies) = (lab.db.join("data.mdb"), lab.db.join("lock.mdb"), lab.scene.path("copies"));
    let says = |why: &str| {
        for (kind, table) in [
            ("lmdb_backup", lab.backup()),
            ("lmdb_check", lab.path()),
            ("lmdb_clear_readers", lab.path()),
            ("lmdb_grow", lab.commit("1GiB")),
            ("lmdb_set_aside", lab.path()),
        ] {
            let fault = lab.refusal(kind, &table);
            assert!(fault.contains(why), "{kind}: {fault}");
        }
    };
    if root() {
        chown(&lock, Some(0), Some(0)).unwrap();
        says("belongs to root, the data to nobody");
        lab.give(65_534);
    }
    let format = fs::read(&lock).unwrap();
    let mut other = format.clone();
    other[4] = 2;
    fs::write(&lock, &other).unwrap();
    says("lock version 2");
    fs::write(&lock, &format).unwrap();
    let aside = lab.db.join("away");
    fs::rename(&lock, &aside).unwrap();
    says("nobody has opened the environment with locks");
    assert!(!lock.exists(), "and none is created");
    fs::rename(&aside, &lock).unwrap();
    fs::rename(&data, &aside).unwrap();
    says("does not exist");
    symlink(&aside, &data).unwrap();
    says("is a symbolic link");
    fs::remove_file(&data).unwrap();
    fs::rename(&aside, &data).unwrap();
    fs::hard_link(&data, &aside).unwrap();
    says("has 2 names");
    fs::remove_file(&aside).unwrap();

    fs::set_permissions(&copies, PermissionsExt::from_mode(0o777)).unwrap();
    let fault = lab.refusal("lmdb_backup", &lab.backup());
    assert!(fault.contains("/copies: others may write to this folder (mode 0777)"), "{fault}");
    fs::set_permissions(&copies, PermissionsExt::from_mode(0o755)).unwrap();
    // Nor is a folder above it theirs to change.
    let above = lab.scene.path("above");
    fs::create_dir_all(above.join("copies")).unwrap();
    fs::set_permissions(&above, PermissionsExt::from_mode(0o777)).unwrap();
    let table = format!("path = \"{}\"\nto = \"{}\"", lab.db.display(), above.join("copies").display());
    let fault = lab.refusal("lmdb_backup", &table);
    assert!(fault.contains("/above") && fault.contains("others may write"), "{fault}");
    if root() {
        chown(&copies, Some(12_345), None).unwrap();
        let fault = lab.refusal("lmdb_backup", &lab.backup());
        assert!(fault.contains("12345"), "{fault}");
    }
    fs::remove_dir(&copies).unwrap();
    let fault = lab.refusal("lmdb_backup", &lab.backup());
    assert!(fault.contains("/copies: "), "{fault}");
    let way = lab.scene.path("way");
    symlink(&lab.db, &way).unwrap();
    let table = lab.backup().replacen(lab.db.to_str().unwrap(), way.to_str().unwrap(), 1);
    let fault = lab.refusal("lmdb_backup", &table);
    assert!(fault.contains("reach without a link"), "{fault}");
}

#[test]
fn a_copy_that_has_no_room_is_refused_and_one_that_runs_out_of_it_leaves_nothing() {
    let Some(lab) = lab() else { return };
    let copies = lab.scene.path("copies");
    let mount = |limits: &str| {
        let options = format!("{limits},mode=755");
        Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(&copies).status().unwrap().success()
    };
    let unmount = || assert!(Command::new("umount").arg(&copies).status().unwrap().success());
    if !root() || !mount("size=16k") {
        peer::skip("a file system of its own", "only root may mount one");
        return;
    }
    let fault = lab.scene.plan("lmdb_backup", &lab.backup()).map(|_| ()).unwrap_err().to_string();
    unmount();
    assert!(fault.contains("a copy wants") && fault.contains("has 16.0 KiB free"), "{fault}");
    assert!(mount("size=1m"));
    let plan = lab.scene.plan("lmdb_backup", &lab.backup()).unwrap();
    fs::write(copies.join("filler"), vec![1; 1_000_000]).unwrap();
    let (end, _) = lab.scene.act(plan);
    let left = only(&copies);
    unmount();
    assert_eq!((end.outcome, left), (Outcome::Failed, copies.join("filler")), "{end:?}");
    // Room for the folder, and for no file in it.
    assert!(mount("size=1m,nr_inodes=2"));
    let (end, _) = lab.scene.carry("lmdb_backup", &lab.backup());
    let left = fs::read_dir(&copies).unwrap().count();
    unmount();
    assert_eq!((end.outcome, left), (Outcome::Failed, 0), "{end:?}");
    assert!(end.reason.as_str().contains("No space left on device"), "{end:?}");
}

#[test]
fn another_environment_in_its_place_is_no_longer_the_plans() {
    let Some(lab) = lab() else { return };
    let plan = lab.scene.plan("lmdb_backup", &lab.backup()).unwrap();
    let data = lab.db.join("data.mdb");
    fs::copy(&data, lab.db.join("other")).unwrap();
    fs::rename(lab.db.join("other"), &data).unwrap();
    lab.give(65_534);
    let (end, _) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused);
    assert!(end.reason.as_str().contains("is another file now"), "{end:?}");
}

#[test]
fn the_library_has_the_rights_of_the_owner_and_no_more() {
    let Some(lab) = lab() else { return };
    if !root() {
        peer::skip("an owner who is not us", "only root may give files away");
        return;
    }
    // Root could read all of it; its owner cannot reach it.
    chown(&lab.db, Some(0), Some(0)).unwrap();
    fs::set_permissions(&lab.db, PermissionsExt::from_mode(0o700)).unwrap();
    let before = lab.owners();
    let (end, _) = lab.scene.carry("lmdb_backup", &lab.backup());
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(end.reason.as_str().contains("Permission denied"), "{end:?}");
    assert_eq!(fs::read_dir(lab.scene.path("copies")).unwrap().count(), 0, "nothing half-way is left");
    assert_eq!(lab.owners(), before);
}

#[test]
fn a_copy_that_is_much_smaller_than_the_one_before_says_so() {
    let Some(lab) = lab() else { return };
    let plan = lab.scene.plan("lmdb_backup", &lab.backup()).unwrap();
    assert!(plan.hits.iter().any(|hit| hit.as_str() == "no copy was there before"), "{:?}", plan.hits);
    let said = succeeded(lab.scene.act(plan));
    assert!(!said.iter().any(|line| line.contains("smaller than")), "{said:?}");
    let first = only_copy(&lab.scene.path("copies"));
    fs::File::options().write(true).open(first.join("data.mdb")).unwrap().set_len(100 << 20).unwrap();
    let plan = lab.scene.plan("lmdb_backup", &lab.backup()).unwrap();
    let name = first.file_name().unwrap().to_str().unwrap();
    let hit = format!("the copy before: {name}, 100 MiB");
    assert!(plan.hits.iter().any(|seen| seen.as_str() == hit), "{:?}", plan.hits);
    let said = succeeded(lab.scene.act(plan));
    assert!(said.iter().any(|line| line.contains("a fifth or more smaller than db.backup-")), "{said:?}");
}

#[test]
fn every_page_is_read_to_nowhere_and_a_damaged_one_ends_it() {
    let Some(lab) = lab() else { return };
    for step in [&["grow", "67108864"][..], &["named", "20"], &["plain", "3000"]] {
        assert!(lab.peer.exec(step).status.success(), "{step:?}");
    }
    let (owners, before) = (lab.owners(), entries(&lab.db));
    let plan = lab.scene.plan("lmdb_check", &lab.path()).unwrap();
    assert_eq!(plan.danger, Danger::C1);
    assert!(plan.undo.to_string().starts_with("nothing to undo"), "{:?}", plan.undo);
    let said = succeeded(lab.scene.act(plan));
    let main = figure(&stat(&lab.db, &[]), "Entries");
    let named = stat(&lab.db, &["-a"]).matches("Status of").count() - 1;
    let whole = format!("every page of {main} entries and {named} named databases");
    assert!(said.iter().any(|line| line.contains(&whole)), "{said:?}");
    assert_eq!((lab.owners(), entries(&lab.db)), (owners, before), "nothing changed, and no file came");

    // A stretch that never reached the disk: behind the meta pages every page is some tree's, or was.
    let data = fs::File::options().write(true).open(lab.db.join("data.mdb")).unwrap();
    let bytes = data.metadata().unwrap().len();
    let (from, lost) = (bytes / 4 / 4096 * 4096, vec![0; usize::try_from(bytes / 2).unwrap()]);
    data.write_all_at(&lost, from).unwrap();
    let (end, _) = lab.scene.carry("lmdb_check", &lab.path());
    assert_eq!(end.outcome, Outcome::Failed, "{end:?}");
    assert!(end.reason.as_str().contains("data.mdb") && end.reason.as_str().contains("LMDB"), "{end:?}");
}

#[test]
fn an_environment_that_nobody_has_open_is_set_aside_and_can_be_put_back() {
    let Some(lab) = lab() else { return };
    let fault = lab.refusal("lmdb_set_aside", &lab.path());
    assert!(fault.contains("is open: python3 (process ") && fault.contains("Stop the program first"), "{fault}");
    lab.end_reader();
    let before = entries(&lab.db);
    let plan = lab.scene.plan("lmdb_set_aside", &lab.path()).unwrap();
    assert_eq!(plan.danger, Danger::C3);
    succeeded(lab.scene.act(plan.clone()));
    let returned = lab.scene.way_back(&plan).unwrap();
    assert_eq!(returned.danger, Danger::C3);
    succeeded(lab.scene.act(returned.clone()));
    assert_eq!(entries(&lab.db), before);
    assert!(matches!(settled(&returned), Settled::Done(_)));
    let plan = lab.scene.plan("lmdb_set_aside", &lab.path()).unwrap();
    succeeded(lab.scene.act(plan.clone()));
    let aside: Vec<PathBuf> = fs::read_dir(&lab.db).unwrap().map(|entry| entry.unwrap().path()).collect();
    let old =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().split_once(".set-aside-").unwrap().0.to_owned();
    let mut names: Vec<String> = aside.iter().map(old).collect();
    names.sort();
    assert_eq!(names, ["data.mdb", "lock.mdb"]);
    // The program begins anew in the folder, with nothing in it; what there was is kept.
    assert!(lab.peer.exec(&["plain", "0"]).status.success());
    assert_eq!(figure(&stat(&lab.db, &[]), "Entries"), 0, "a new environment");
    let kept = lab.scene.path("kept");
    fs::create_dir(&kept).unwrap();
    for path in &aside {
        fs::copy(path, kept.join(old(path))).unwrap();
    }
    assert_eq!(entries(&kept), before);
    assert!(lab.peer.exec(&["create", "1048576", "3"]).status.success());
    assert_ne!(entries(&lab.db), before);
    let fault = lab.scene.way_back(&plan).unwrap_err().to_string();
    assert!(fault.contains("there is a new ") && fault.contains("data.mdb"), "{fault}");
    for path in &aside {
        fs::rename(path, lab.db.join(old(path))).unwrap();
    }
    assert_eq!(entries(&lab.db), before);
}

#[test]
fn an_environment_that_was_opened_or_written_since_the_plan_is_not_set_aside() {
    let Some(lab) = lab() else { return };
    lab.end_reader();
    let [first, second] = [(); 2].map(|()| lab.scene.plan("lmdb_set_aside", &lab.path()).unwrap());
    let holding = lab.peer.holding(&["hold"]);
    let (end, _) = lab.scene.act(first);
    assert_eq!(end.outcome, Outcome::Refused);
    assert!(end.reason.as_str().contains("is open: python3 (process "), "{end:?}");
    drop(holding);
    assert!(lab.peer.exec(&["churn", "1"]).status.success());
    let (end, _) = lab.scene.act(second);
    assert_eq!(end.outcome, Outcome::Refused);
    assert!(end.reason.as_str().contains("somebody wrote transaction "), "{end:?}");
    assert!(lab.db.join("data.mdb").exists() && lab.db.join("lock.mdb").exists());
}

#[test]
fn after_a_crash_an_environment_is_judged_by_where_its_files_are_and_who_has_them_open() {
    let Some(lab) = lab() else { return };
    lab.end_reader();
    let plan = lab.scene.plan("lmdb_set_aside", &lab.path()).unwrap();
    let settled = || kinds::of(&plan).unwrap().settled(&plan).unwrap();
    assert!(matches!(settled(), Settled::NotDone(_)), "{:?}", settled());
    let holding = lab.peer.holding(&["hold"]);
    let aside: Vec<&str> = plan.what.lines.iter().filter_map(|line| line.as_str().trim().strip_prefix("to ")).collect();
    fs::rename(lab.db.join("data.mdb"), aside[0]).unwrap();
    let half = settled();
    assert!(matches!(&half, Settled::Other(why) if why.as_str().ends_with("its lock file is not")), "{half:?}");
    fs::rename(lab.db.join("lock.mdb"), aside[1]).unwrap();
    let open = settled();
    assert!(matches!(&open, Settled::Other(why) if why.as_str().contains("opened it while")), "{open:?}");
    drop(holding);
    assert!(matches!(settled(), Settled::Done(_)), "{:?}", settled());
}

/// The processes in the table of readers.
fn readers(path: &Path) -> Vec<String> {
    // Its exit status is 1 for a table that is not empty.
    let output = Command::new("mdb_stat").arg("-r").arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().skip(2).filter_map(|row| row.split_ascii_whitespace().next());
    rows.map(str::to_owned).collect()
}

#[test]
fn dead_readers_are_shown_and_cleared_and_the_living_stay() {
    let Some(lab) = lab() else { return };
    assert!(lab.refusal("lmdb_clear_readers", &lab.path()).contains("is dead; slots in use: 1"));
    lab.peer.exec(&["stale"]);
    lab.peer.exec(&["churn", "30"]);
    let before = lab.owners();
    assert_eq!(readers(&lab.db).len(), 2);
    let [stale, plan] = [(); 2].map(|()| lab.scene.plan("lmdb_clear_readers", &lab.path()).unwrap());
    assert_eq!(plan.danger, Danger::C2);
    assert_eq!(plan.hits[0].as_str(), "dead readers: 1 of 2 slots in use; there are 126");
    assert!(plan.hits[1].as_str().ends_with(": 30 transactions behind"), "{:?}", plan.hits);
    let settled = || kinds::of(&plan).unwrap().settled(&plan).unwrap();
    assert!(matches!(settled(), Settled::NotDone(_)), "{:?}", settled());
    let said = succeeded(lab.scene.act(plan.clone()));
    assert!(said.iter().any(|line| line == "slots cleared: 1"), "{said:?}");
    assert!(matches!(settled(), Settled::Done(_)), "{:?}", settled());
    assert_eq!(readers(&lab.db), [lab.peer.env("LMDB_READER_PID")]);
    assert_eq!(lab.owners(), before);
    assert!(lab.refusal("lmdb_clear_readers", &lab.path()).contains("is dead"));
    let (end, _) = lab.scene.act(stale);
    assert_eq!(end.outcome, Outcome::Refused, "somebody else was quicker: {end:?}");
    assert!(end.reason.as_str().contains("dead readers were "), "{end:?}");
}

#[test]
fn dead_readers_of_an_environment_that_nobody_has_open_are_gone_with_their_table() {
    let Some(lab) = lab() else { return };
    lab.peer.exec(&["stale"]);
    lab.end_reader();
    let said = succeeded(lab.scene.carry("lmdb_clear_readers", &lab.path()));
    assert!(said.iter().any(|line| line.contains("its table of readers is empty now")), "{said:?}");
    assert_eq!(readers(&lab.db), Vec::<String>::new());
}
