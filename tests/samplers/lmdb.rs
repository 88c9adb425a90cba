//! `lmdb` against environments that another implementation writes, with `mdb_stat` as the judge.

use crate::peer::{self, Peer};
use crate::{find, observe, sampler, value};
use std::collections::BTreeMap;
use std::fs::FileTimes;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;
use watchkeeper::base::Observation;
use watchkeeper::samplers::Sampler;

fn lab() -> Option<(Peer, Box<dyn Sampler>)> {
    let peer = peer::start("lmdb-lab")?;
    let sampler = sampler("lmdb", &format!("path = \"{}\"", peer.env("LMDB_PATH")));
    Some((peer, sampler))
}

async fn look(sampler: &mut dyn Sampler) -> Observation {
    observe(sampler).await.expect("an environment")
}

/// What `mdb_stat -e` says, by the words before the colon; `None` when it is not installed.
fn judge(path: &str) -> Option<BTreeMap<String, f64>> {
    let Ok(output) = Command::new("mdb_stat").args(["-e", path]).output() else {
        peer::skip("mdb_stat", "not installed: apt-get install lmdb-utils");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once(": ")?;
        Some((name.to_owned(), value.parse().ok()?))
    });
    Some(rows.collect())
}

/// Every figure that both sides know is the same.
fn agrees(seen: &Observation, judge: &BTreeMap<String, f64>) {
    let page = judge["Page size"];
    for (ours, theirs) in [
        ("lmdb_map_size_bytes", judge["Map size"]),
        ("lmdb_used_bytes", judge["Number of pages used"] * page),
        ("lmdb_used_ratio", judge["Number of pages used"] / judge["Max pages"]),
        ("lmdb_last_txn_id", judge["Last transaction ID"]),
        ("lmdb_readers_max", judge["Max readers"]),
        ("lmdb_entries", judge["Entries"]),
    ] {
        assert_eq!(value(seen, ours, &[]), theirs, "{ours} against {judge:?}");
    }
}

#[tokio::test]
async fn every_figure_agrees_with_mdb_stat_while_the_map_fills_and_grows() {
    let Some((peer, mut sampler)) = lab() else { return };
    let path = peer.env("LMDB_PATH").to_owned();
    for step in [&["stat"][..], &["fill"], &["grow", "4194304"], &["fill"]] {
        assert!(peer.exec(step).status.success(), "{step:?}");
        let Some(judge) = judge(&path) else { return };
        agrees(&look(&mut *sampler).await, &judge);
    }
    let full = look(&mut *sampler).await;
    assert!(value(&full, "lmdb_used_ratio", &[]) > 0.95, "{full:?}");
    let file = std::fs::metadata(Path::new(&path).join("data.mdb")).expect("there").len();
    assert_eq!(value(&full, "lmdb_file_bytes", &[("path", &path)]), file as f64);
}

#[tokio::test]
async fn readers_are_counted_and_the_dead_among_them() {
    let Some((peer, mut sampler)) = lab() else { return };
    let readers = |seen: &Observation| ["lmdb_readers", "lmdb_readers_dead"].map(|name| value(seen, name, &[]));
    assert_eq!(readers(&look(&mut *sampler).await), [1.0, 0.0]);
    peer.exec(&["stale"]);
    assert_eq!(readers(&look(&mut *sampler).await), [2.0, 1.0]);
    peer.exec(&["churn", "30"]);
    let behind = value(&look(&mut *sampler).await, "lmdb_oldest_reader_txns", &[]);
    assert_eq!(behind, 30.0, "the live reader pins what thirty writes freed");
}

#[tokio::test]
async fn heavy_writing_neither_disturbs_us_nor_them() {
    let Some((peer, mut sampler)) = lab() else { return };
    assert!(peer.exec(&["grow", "67108864"]).status.success());
    let first = value(&look(&mut *sampler).await, "lmdb_last_txn_id", &[]);
    let done = Arc::new(AtomicBool::new(false));
    let finished = Arc::clone(&done);
    let writer = std::thread::spawn(move || {
        let output = peer.exec(&["churn", "800"]);
        finished.store(true, Ordering::SeqCst);
        (output, peer)
    });
    let (mut last, mut looks, mut distinct) = (first, 0, 0);
    while !done.load(Ordering::SeqCst) {
        let now = value(&look(&mut *sampler).await, "lmdb_last_txn_id", &[]);
        assert!(now >= last, "{now} after {last}");
        distinct += u32::from(now > last);
        last = now;
        looks += 1;
    }
    let (output, _peer) = writer.join().expect("the writer");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(value(&look(&mut *sampler).await, "lmdb_last_txn_id", &[]), first + 800.0);
    assert!(looks > 20 && distinct > 5, "{looks} looks saw {distinct} states");
}

#[tokio::test]
async fn sampling_leaves_no_trace() {
    let Some((peer, mut sampler)) = lab() else { return };
    let folder = Path::new(peer.env("LMDB_PATH"));
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
    for name in ["data.mdb", "lock.mdb"] {
        let file = std::fs::File::options().write(true).open(folder.join(name)).expect("ours");
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
}

#[tokio::test]
async fn damaged_and_missing_files_are_sentences_and_a_step_back_is_noticed() {
    let Some((peer, mut sampler)) = lab() else { return };
    look(&mut *sampler).await;
    let data = Path::new(peer.env("LMDB_PATH")).join("data.mdb");
    let shown = data.display();
    let whole = std::fs::read(&data).expect("readable");
    peer.exec(&["churn", "3"]);
    look(&mut *sampler).await;

    std::fs::write(&data, &whole).expect("written");
    let back = observe(&mut *sampler).await.expect_err("a step back").what.to_string();
    assert!(back.contains("went back from transaction"), "{back}");
    look(&mut *sampler).await;

    for length in [0, 100, 4_200, 8_192, whole.len() / 2] {
        std::fs::write(&data, &whole[..length]).expect("written");
        let cut = look_badly(&mut *sampler).await;
        assert!(cut.starts_with(&format!("{shown} is cut short: it ends ")), "{length} bytes: {cut}");
    }

    let mut other = whole.clone();
    other[20] = 3;
    std::fs::write(&data, &other).expect("written");
    let version = look_badly(&mut *sampler).await;
    assert_eq!(version, format!("{shown} has LMDB data version 3; only version 1 (LMDB 0.9) is understood."));

    std::fs::remove_file(&data).expect("removed");
    let gone = look_badly(&mut *sampler).await;
    assert_eq!(gone, format!("{shown} does not exist. Has its service created it yet?"));
}

async fn look_badly(sampler: &mut dyn Sampler) -> String {
    observe(sampler).await.expect_err("a failure").what.to_string()
}

#[tokio::test]
async fn without_a_lock_file_the_readers_are_not_supported_and_none_is_made() {
    let Some((peer, _)) = lab() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("alone.mdb");
    std::fs::copy(Path::new(peer.env("LMDB_PATH")).join("data.mdb"), &copy).expect("copied");
    let mut sampler = sampler("lmdb", &format!("path = \"{}\"", copy.display()));
    let seen = look(&mut *sampler).await;
    assert_eq!(find(&seen, "lmdb_readers", &[]), None);
    assert!(seen.not_supported[0].1.as_str().contains("alone.mdb-lock does not exist"), "{:?}", seen.not_supported);
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 1);
}
