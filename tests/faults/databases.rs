//! Databases that are files, with their own tools as judges, and trees.

use crate::peer;
use crate::scene::Scene;
use crate::strace::{Fault, long, works};
use crate::world::{Case, Seen, copies, place};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

pub(crate) fn cases() -> Vec<Case> {
    // Whether a program takes the new size is waited for: half a minute each.
    let lmdb = lmdb().into_iter().flatten().filter(|case| case.kind != "lmdb_grow" || long());
    lmdb.chain(sqlite_backup()).chain(file_owner()).chain(clear_readers()).collect()
}

/// The environment that another implementation made, closed, in the scene.
fn environment(from: &Path, scene: &Scene) {
    place(scene, "db");
    place(scene, "backups");
    for name in ["data.mdb", "lock.mdb"] {
        fs::copy(from.join(name), scene.path("db").join(name)).unwrap();
    }
}

fn db(scene: &Scene) -> String {
    format!("path = \"{}\"", scene.path("db").display())
}

/// What `mdb_stat` says of it; 0.9.24 of Debian.
fn stat(path: &Path) -> String {
    let output = Command::new("mdb_stat").arg("-e").arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().filter(|line| line.contains("Map size") || line.contains("Entries"));
    rows.map(str::trim).collect::<Vec<_>>().join(", ")
}

fn lmdb() -> Option<[Case; 4]> {
    if Command::new("mdb_stat").arg("-V").output().is_err() {
        peer::skip("mdb_stat", "not installed: apt-get install lmdb-utils");
        return None;
    }
    watchkeeper::sys::lmdb::child::played_by(&["databases::plays_the_child", "--exact", "--ignored"]);
    let made = Rc::new((peer::start("lmdb-lab")?, tempfile::tempdir().unwrap()));
    let (from, reader) = (PathBuf::from(made.0.env("LMDB_PATH")), made.0.env("LMDB_READER_PID"));
    // It takes its entry out of the table of readers when it is asked to end.
    assert!(Command::new("/bin/kill").arg(reader).status().unwrap().success());
    while fs::read_to_string(format!("/proc/{reader}/maps")).is_ok_and(|maps| maps.contains("data.mdb")) {
        std::thread::yield_now();
    }
    for name in ["data.mdb", "lock.mdb"] {
        fs::copy(from.join(name), made.1.path().join(name)).unwrap();
    }
    let arrange = || {
        let made = Rc::clone(&made);
        move |scene: &Scene| environment(made.1.path(), scene)
    };
    Some([
        Case::new(
            "lmdb_backup",
            arrange(),
            |scene| format!("{}\nto = \"{}\"", db(scene), scene.path("backups").display()),
            |scene| {
                let inside = fs::read_dir(scene.path("backups")).unwrap().map(|entry| entry.unwrap());
                let named = inside.filter(|entry| !entry.file_name().to_str().unwrap().ends_with(".partial"));
                format!("{} copies", named.filter(|entry| !stat(&entry.path()).is_empty()).count())
            },
        ),
        Case { looks: true, ..Case::new("lmdb_check", arrange(), db, |scene| stat(&scene.path("db"))) },
        Case::new("lmdb_set_aside", arrange(), db, |scene| {
            let inside = fs::read_dir(scene.path("db")).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = inside.map(|name| name.into_string().unwrap()).collect();
            names.sort();
            let short = names.iter().map(|name| name.split(".set-aside-").next().unwrap().len() == name.len());
            format!("{:?}", short.collect::<Vec<_>>())
        })
        .in_parts(),
        Case {
            limit: 45,
            ..Case::new(
                "lmdb_grow",
                arrange(),
                |scene| format!("{}\nhow = \"write_commit\"\nto = \"8MiB\"", db(scene)),
                |scene| stat(&scene.path("db")),
            )
        },
    ])
}

/// An entry of a reader that was killed beside one that lives: without that the table goes with whoever opens it next.
fn clear_readers() -> Option<Case> {
    Command::new("mdb_stat").arg("-V").output().ok()?;
    let peer = Rc::new(peer::start("lmdb-lab")?);
    let (begins, at) = (Rc::clone(&peer), Rc::clone(&peer));
    let dead = |peer: &peer::Peer| {
        let output = Command::new("mdb_stat").arg("-r").arg(peer.env("LMDB_PATH")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let readers = text.lines().skip(2).filter_map(|row| row.split_ascii_whitespace().next());
        readers.filter(|reader| *reader != peer.env("LMDB_READER_PID")).count()
    };
    let arrange = move |_: &Scene| {
        if dead(&begins) == 0 {
            drop(begins.exec(&["stale"]));
        }
    };
    let table = move |_: &Scene| format!("path = \"{}\"", at.env("LMDB_PATH"));
    Some(Case::new("lmdb_clear_readers", arrange, table, move |_| format!("{} dead readers", dead(&peer))))
}

#[test]
#[ignore = "a role: played by a process of its own"]
fn plays_the_child() {
    use std::os::fd::AsFd;
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    assert_eq!(watchkeeper::sys::lmdb::child::serve(socket), 0);
}

#[test]
fn a_size_that_is_stored_and_whose_sync_failed_is_told_as_unknown() {
    if !works() {
        return peer::skip("strace", "it is not here, or may not trace");
    }
    let Some([.., grow]) = lmdb() else { return };
    let seen = Seen::of(&grow, Some((Fault::Sync, &("fdatasync".to_owned(), 2))));
    let stored = (grow.look)(&seen.scene);
    assert!(stored.contains("8388608"), "{stored}");
    assert_eq!(seen.outcome(), Some(watchkeeper::action::lifecycle::Outcome::Indeterminate));
}

fn sqlite_backup() -> Option<Case> {
    if !Path::new("/usr/bin/sqlite3").exists() {
        peer::skip("sqlite3", "not installed: apt-get install sqlite3");
        return None;
    }
    let peer = peer::start("sqlite-lab")?;
    Some(Case::new(
        "sqlite_backup",
        |scene| place(scene, "backups"),
        move |scene| format!("path = \"{}\"\nto = \"{}\"", peer.env("SQLITE_PATH"), scene.path("backups").display()),
        copies,
    ))
}

fn file_owner() -> Option<Case> {
    if !rustix::process::geteuid().is_root() {
        peer::skip("giving files away", "only root may");
        return None;
    }
    let all = |scene: &Scene| ["", "a", "b", "c"].map(|name| scene.path("tree").join(name));
    let case = Case::new(
        "file_owner",
        move |scene| {
            place(scene, "tree");
            for path in &all(scene)[1..] {
                fs::write(path, "x").unwrap();
                chown(path, Some(65_534), Some(65_534)).unwrap();
            }
        },
        |scene| format!("path = \"{}\"\nowner = \"4444\"", scene.path("tree").display()),
        move |scene| format!("{:?}", all(scene).map(|path| fs::metadata(path).unwrap().uid())),
    );
    Some(case.in_parts())
}
