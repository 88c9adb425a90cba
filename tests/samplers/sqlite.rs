//! `sqlite` against databases that another program writes, with SQLite's own pragmas as the judge.

use crate::peer::{self, Peer};
use crate::{find, observe, sampler, value};
use std::collections::BTreeMap;
use std::fs::FileTimes;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use watchkeeper::base::Observation;
use watchkeeper::samplers::Sampler;

fn lab() -> Option<(Peer, Box<dyn Sampler>)> {
    let peer = peer::start("sqlite-lab")?;
    let sampler = watch(Path::new(peer.env("SQLITE_PATH")));
    Some((peer, sampler))
}

fn watch(path: &Path) -> Box<dyn Sampler> {
    sampler("sqlite", &format!("path = \"{}\"", path.display()))
}

async fn look(sampler: &mut dyn Sampler) -> Observation {
    observe(sampler).await.expect("a database")
}

fn done(peer: &Peer, arguments: &[&str]) -> String {
    let output = peer.exec(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn fact(seen: &Observation, name: &str) -> Option<String> {
    seen.facts.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value.to_string())
}

/// Every figure that both sides know is the same.
fn agrees(seen: &Observation, peer: &Peer) {
    let said = done(peer, &["pragmas"]);
    let judge: BTreeMap<&str, &str> = said.lines().filter_map(|line| line.split_once('=')).collect();
    for (ours, theirs) in [
        ("sqlite_page_size_bytes", "page_size"),
        ("sqlite_pages", "page_count"),
        ("sqlite_freelist_pages", "freelist_count"),
        ("sqlite_user_version", "user_version"),
        ("sqlite_application_id", "application_id"),
        ("sqlite_schema_cookie", "schema_version"),
    ] {
        let theirs = judge.get(theirs).and_then(|number| number.parse().ok());
        assert_eq!(find(seen, ours, &[]), theirs, "{ours} against {judge:?}");
    }
    assert_eq!(value(seen, "sqlite_wal_mode", &[]) > 0.0, judge.get("journal_mode") == Some(&"wal"), "{judge:?}");
    assert_eq!(fact(seen, "encoding").as_deref(), judge.get("encoding").copied());
    let path = Path::new(peer.env("SQLITE_PATH"));
    let length = |path: &Path| std::fs::metadata(path).map_or(0.0, |about| about.len() as f64);
    assert_eq!(value(seen, "sqlite_database_bytes", &[]), length(path));
    assert_eq!(value(seen, "sqlite_wal_bytes", &[]), length(&beside(path, "-wal")));
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[tokio::test]
async fn every_figure_agrees_with_the_pragmas_in_either_journal_mode() {
    let Some((peer, mut sampler)) = lab() else { return };
    for step in [
        &["write", "30"][..],
        &["set", "7", "-12345"],
        &["delete", "25"],
        &["checkpoint"],
        &["write", "3"],
        &["write", "1500"],
        &["set", "-1", "99"],
    ] {
        done(&peer, step);
        agrees(&look(&mut *sampler).await, &peer);
    }
    leave(&peer);
    for mode in ["delete", "persist", "truncate"] {
        assert_eq!(done(&peer, &["mode", mode]), mode);
        for step in [&["write", "10"][..], &["delete", "12"], &["set", "8", "3"]] {
            done(&peer, step);
            let seen = look(&mut *sampler).await;
            agrees(&seen, &peer);
            assert_eq!(value(&seen, "sqlite_hot_journal", &[]), 0.0);
        }
    }
}

#[tokio::test]
async fn a_held_reader_keeps_frames_from_the_database_and_is_named() {
    let Some((peer, mut sampler)) = lab() else { return };
    let reader = peer.holding(&["hold", "read"]);
    let pid = reader.0.id().to_string();
    done(&peer, &["write", "50"]);
    let log = done(&peer, &["checkpoint"]);
    let (frames, copied) = log.split_once(' ').expect("two numbers");
    let [frames, copied] = [frames, copied].map(|text| text.parse::<f64>().expect("a number"));
    assert!(copied < frames, "the reader holds the checkpoint back: {log}");
    let first = look(&mut *sampler).await;
    assert_eq!(find(&first, "sqlite_lock_held_seconds", &[]), None, "since when is not known yet");
    assert_eq!(fact(&first, "wal_read lock"), Some(format!("pid {pid} (python3), seen just now")));
    let seen = look(&mut *sampler).await;
    assert!(fact(&seen, "wal_read lock").expect("held").contains(", seen for "), "{seen:?}");
    assert_eq!(value(&seen, "sqlite_wal_frames", &[]), frames);
    assert_eq!(value(&seen, "sqlite_wal_frames_not_checkpointed", &[]), frames - copied);
    assert_eq!(value(&seen, "sqlite_locks", &[("lock", "wal_read")]), 1.0);
    assert_eq!(value(&seen, "sqlite_locks", &[("lock", "wal_open")]), 2.0);
    let lock = [("lock", "wal_read"), ("pid", &*pid), ("process", "python3")];
    assert!(value(&seen, "sqlite_lock_held_seconds", &lock) > 0.0);
    drop(reader);
    done(&peer, &["checkpoint"]);
    let seen = look(&mut *sampler).await;
    assert_eq!(value(&seen, "sqlite_wal_frames_not_checkpointed", &[]), 0.0);
    assert_eq!(value(&seen, "sqlite_locks", &[("lock", "wal_read")]), 0.0);
}

#[tokio::test]
async fn locks_are_named_with_their_process_in_either_journal_mode() {
    let Some((peer, mut sampler)) = lab() else { return };
    let held = |seen: &Observation, name: &str| value(seen, "sqlite_locks", &[("lock", name)]);
    let writer = peer.holding(&["hold", "write"]);
    let seen = look(&mut *sampler).await;
    assert_eq!((held(&seen, "wal_write"), held(&seen, "exclusive"), held(&seen, "shared")), (1.0, 0.0, 2.0));
    drop(writer);
    leave(&peer);
    assert_eq!(done(&peer, &["mode", "delete"]), "delete");
    for (how, expected) in
        [("read", [1.0, 0.0, 0.0, 0.0]), ("write", [1.0, 1.0, 0.0, 0.0]), ("exclusive", [0.0, 1.0, 1.0, 1.0])]
    {
        let holder = peer.holding(&["hold", how]);
        let seen = look(&mut *sampler).await;
        let found = ["shared", "reserved", "pending", "exclusive"].map(|name| held(&seen, name));
        assert_eq!(found, expected, "{how}");
        assert_eq!(value(&seen, "sqlite_hot_journal", &[]), 0.0, "{how}: a journal that is being written is not hot");
        let pid = holder.0.id().to_string();
        assert!(seen.facts.iter().any(|(_, value)| value.as_str().starts_with(&format!("pid {pid} (python3)"))));
    }
    // The last holder died with its journal begun.
    let seen = look(&mut *sampler).await;
    assert_eq!(held(&seen, "exclusive"), 0.0);
}

/// Ends the process that keeps the database open.
fn leave(peer: &Peer) {
    let holder = peer.env("SQLITE_HOLDER_PID");
    assert!(Command::new("kill").arg(holder).status().expect("runs").success());
    while std::fs::read_to_string(format!("/proc/{holder}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_journal_left_by_a_dead_writer_is_hot_until_somebody_rolls_back() {
    let Some((peer, mut sampler)) = lab() else { return };
    leave(&peer);
    assert_eq!(done(&peer, &["mode", "delete"]), "delete");
    done(&peer, &["write", "100"]);
    assert_eq!(value(&look(&mut *sampler).await, "sqlite_hot_journal", &[]), 0.0);
    assert!(!peer.exec(&["crash"]).status.success());
    let journal = std::fs::metadata(beside(Path::new(peer.env("SQLITE_PATH")), "-journal")).expect("left").len();
    let seen = look(&mut *sampler).await;
    assert_eq!(value(&seen, "sqlite_hot_journal", &[]), 1.0);
    assert_eq!(value(&seen, "sqlite_journal_bytes", &[]), journal as f64);
    assert!(fact(&seen, "journal").expect("said").starts_with("hot: "));
    done(&peer, &["pragmas"]);
    let seen = look(&mut *sampler).await;
    assert_eq!((value(&seen, "sqlite_hot_journal", &[]), value(&seen, "sqlite_journal_bytes", &[])), (0.0, 0.0));
    agrees(&seen, &peer);
}

#[tokio::test]
async fn a_log_left_by_a_dead_writer_is_counted_with_and_without_its_index() {
    let Some((peer, mut sampler)) = lab() else { return };
    done(&peer, &["checkpoint"]);
    leave(&peer);
    assert!(!peer.exec(&["crash-wal", "25"]).status.success());
    let path = Path::new(peer.env("SQLITE_PATH"));
    let frames = (std::fs::metadata(beside(path, "-wal")).expect("left").len() as f64 - 32.0) / (4096.0 + 24.0);
    let figures = ["sqlite_wal_frames", "sqlite_wal_frames_not_checkpointed", "sqlite_pages", "sqlite_freelist_pages"];
    let read = |seen: &Observation| figures.map(|name| value(seen, name, &[]));
    let by_index = read(&look(&mut *sampler).await);
    assert_eq!(by_index[..2], [frames, frames]);
    std::fs::remove_file(beside(path, "-shm")).expect("left");
    assert_eq!(read(&look(&mut *sampler).await), by_index);
    assert!(!beside(path, "-shm").exists(), "looking makes none");

    let wal = std::fs::read(beside(path, "-wal")).expect("readable");
    std::fs::write(beside(path, "-wal"), &wal[..wal.len() - 1]).expect("written");
    assert!(read(&look(&mut *sampler).await)[0] < frames, "half a frame is none");
    std::fs::write(beside(path, "-wal"), [7; 9_000]).expect("written");
    assert_eq!(read(&look(&mut *sampler).await)[0], 0.0, "garbage is no log");
}

#[tokio::test]
async fn sampling_leaves_no_trace_and_writers_do_not_notice() {
    let Some((peer, mut sampler)) = lab() else { return };
    done(&peer, &["write", "5"]);
    let path = Path::new(peer.env("SQLITE_PATH"));
    let folder = path.parent().expect("a folder");
    let state = || {
        let files = std::fs::read_dir(folder).expect("readable").map(|entry| {
            let path = entry.expect("an entry").path();
            let about = path.metadata().expect("there");
            let times = (about.mtime(), about.mtime_nsec(), about.ctime_nsec(), about.atime(), about.atime_nsec());
            let whole = (about.ino(), about.uid(), about.gid(), about.mode(), about.len(), times);
            (path, whole)
        });
        let mut files: Vec<_> = files.collect();
        files.sort();
        files
    };
    // An access time in the past is what the next plain read would renew.
    for path in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        let file = std::fs::File::options().write(true).open(path).expect("ours");
        file.set_times(FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH)).expect("ours");
    }
    let before = state();
    for _ in 0..200 {
        look(&mut *sampler).await;
    }
    assert_eq!(state(), before);
    let us = std::process::id().to_string();
    let locks = std::fs::read_to_string("/proc/locks").expect("readable");
    assert!(!locks.lines().any(|line| line.split_whitespace().any(|word| word == us)), "{locks}");

    let pages = value(&look(&mut *sampler).await, "sqlite_pages", &[]);
    let mut writer = peer.spawn(&["write", "6000"]);
    let (mut last, mut looks) = (pages, 0);
    let status = loop {
        let seen = look(&mut *sampler).await;
        let now = value(&seen, "sqlite_pages", &[]);
        assert!(now >= last, "{now} pages after {last}");
        (last, looks) = (now, looks + 1);
        if let Some(status) = writer.0.try_wait().expect("ours") {
            break status;
        }
    };
    assert!(status.success() && looks > 20, "{looks} looks");
    agrees(&look(&mut *sampler).await, &peer);
    assert!(last > pages + 100.0, "{last} after {pages}");
}

#[tokio::test]
async fn damaged_and_cut_files_are_sentences() {
    let Some((peer, mut sampler)) = lab() else { return };
    leave(&peer);
    assert_eq!(done(&peer, &["mode", "delete"]), "delete");
    done(&peer, &["write", "40"]);
    let path = Path::new(peer.env("SQLITE_PATH"));
    let whole = std::fs::read(path).expect("readable");
    let shown = path.display();
    let pages = whole.len() / 4096;
    for (change, said) in [
        (whole[..whole.len() / 2].to_vec(), format!("is cut short: it has {} of {pages} pages", pages / 2)),
        (whole[..50].to_vec(), "is cut short: it ends within its header".to_owned()),
        ([&[0], &whole[1..]].concat(), "is not an SQLite database, or an encrypted one".to_owned()),
        (
            [&whole[..19], &[3], &whole[20..]].concat(),
            "can only be read by a later SQLite: it has read version 3".to_owned(),
        ),
        ([&whole[..36], &[9; 4], &whole[40..]].concat(), "has a damaged header".to_owned()),
    ] {
        std::fs::write(path, change).expect("written");
        let failure = observe(&mut *sampler).await.expect_err("a failure");
        assert_eq!((failure.what.to_string(), failure.answered), (format!("{shown} {said}."), true));
    }
    std::fs::write(path, &whole).expect("written");
    agrees(&look(&mut *sampler).await, &peer);
}

#[tokio::test]
async fn a_log_of_another_user_is_trouble() {
    let Some((peer, mut sampler)) = lab() else { return };
    assert_eq!(value(&look(&mut *sampler).await, "sqlite_ownership_trouble", &[]), 0.0);
    if !rustix::process::geteuid().is_root() {
        return; // only root can give files away
    }
    std::os::unix::fs::chown(peer.env("SQLITE_PATH"), Some(65_534), Some(65_534)).expect("root");
    let seen = look(&mut *sampler).await;
    assert_eq!(value(&seen, "sqlite_ownership_trouble", &[]), 1.0);
    assert!(fact(&seen, "ownership").expect("said").contains("-wal belongs to root, the data to nobody"));
}
