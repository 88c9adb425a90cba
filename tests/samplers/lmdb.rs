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

/// Walks the trees at each look, as a fresh sampler does at its first.
fn watch(path: &str) -> Box<dyn Sampler> {
    sampler("lmdb", &format!("path = \"{path}\"\nfree_pages_every = \"1ns\""))
}

pub(crate) fn lab() -> Option<(Peer, Box<dyn Sampler>)> {
    let peer = peer::start("lmdb-lab")?;
    let sampler = watch(peer.env("LMDB_PATH"));
    Some((peer, sampler))
}

pub(crate) async fn look(sampler: &mut dyn Sampler) -> Observation {
    observe(sampler).await.expect("an environment")
}

fn fact(seen: &Observation, name: &str) -> Option<String> {
    seen.facts.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value.to_string())
}

/// What `mdb_stat` says.
#[derive(Debug, Default)]
struct Judge {
    /// By the words before the colon.
    info: BTreeMap<String, f64>,
    /// Process and transaction of each slot.
    readers: Vec<(String, Option<f64>)>,
    /// Pages by the transaction that freed them.
    freed: Vec<(f64, f64)>,
    free_pages: f64,
    /// Depth, branch, leaf and overflow pages, entries.
    trees: BTreeMap<String, Vec<f64>>,
}

/// Asks it; `None` when it is not installed.
fn judge(path: &str) -> Option<Judge> {
    let Ok(output) = Command::new("mdb_stat").args(["-e", "-ff", "-r", "-a", path]).output() else {
        peer::skip("mdb_stat", "not installed: apt-get install lmdb-utils");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut judge = Judge::default();
    let mut tree = None;
    for line in text.lines() {
        let words: Vec<&str> = line.trim().split_ascii_whitespace().collect();
        tree = match line {
            "Freelist Status" => Some("(free)".to_owned()),
            "Status of Main DB" => Some("(main)".to_owned()),
            _ => line.strip_prefix("Status of ").map(str::to_owned).or(tree),
        };
        match (line.trim().split_once(": "), words.as_slice(), &tree) {
            (_, ["Transaction", txn, pages, ..], _) => {
                judge
                    .freed
                    .push((txn.trim_end_matches(',').parse().expect("a number"), pages.parse().expect("a number")));
            }
            (Some(("Free pages", pages)), ..) => judge.free_pages = pages.parse().expect("a number"),
            (Some((_, number)), _, Some(tree)) => {
                judge.trees.entry(tree.clone()).or_default().push(number.parse().expect("a number"));
            }
            (Some((name, number)), _, None) => {
                judge.info.extend(number.parse().ok().map(|number| (name.to_owned(), number)));
            }
            (None, [pid, _, txn], None) if pid.parse::<u32>().is_ok() => {
                judge.readers.push(((*pid).to_owned(), txn.parse().ok()));
            }
            _ => {}
        }
    }
    Some(judge)
}

/// Every figure that both sides know is the same.
fn agrees(seen: &Observation, judge: &Judge) {
    let info = |name: &str| *judge.info.get(name).expect("told");
    let main = judge.trees.get("(main)").expect("told");
    let (page, used, max) = (info("Page size"), info("Number of pages used"), info("Max pages"));
    let oldest = judge.readers.iter().filter_map(|(_, txn)| *txn).reduce(f64::min);
    let pinned = |oldest: f64| judge.freed.iter().filter(|(txn, _)| *txn >= oldest).map(|(_, pages)| pages).sum();
    let live = used - judge.free_pages - 2.0;
    for (ours, theirs) in [
        ("lmdb_map_size_bytes", info("Map size")),
        ("lmdb_used_bytes", used * page),
        ("lmdb_used_pages", used),
        ("lmdb_max_pages", max),
        ("lmdb_used_ratio", used / max),
        ("lmdb_last_txn_id", info("Last transaction ID")),
        ("lmdb_readers_max", info("Max readers")),
        ("lmdb_readers", judge.readers.len() as f64),
        ("lmdb_read_transactions", judge.readers.iter().filter(|(_, txn)| txn.is_some()).count() as f64),
        ("lmdb_entries", *main.last().expect("entries")),
        ("lmdb_free_pages", judge.free_pages),
        ("lmdb_live_pages", live),
        ("lmdb_live_ratio", live / max),
        ("lmdb_pinned_pages", oldest.map_or(0.0, pinned)),
        ("lmdb_free_pages_approximate", 0.0),
    ] {
        assert_eq!(value(seen, ours, &[]), theirs, "{ours} against {judge:?}");
    }
    for (name, tree) in &judge.trees {
        for (what, theirs) in ["depth", "branch_pages", "leaf_pages", "overflow_pages", "entries"].iter().zip(tree) {
            let ours = value(seen, &format!("lmdb_database_{what}"), &[("database", name)]);
            assert_eq!(ours, *theirs, "{what} of {name}");
        }
    }
    let shown = seen.points.iter().filter(|point| point.key.name.as_str() == "lmdb_database_entries").count();
    assert_eq!(shown, judge.trees.len());
    for (pid, txn) in &judge.readers {
        let age = find(seen, "lmdb_reader_age_txns", &[("pid", pid)]);
        assert_eq!(age, txn.map(|txn| info("Last transaction ID") - txn), "{pid}");
    }
}

#[tokio::test]
async fn every_figure_agrees_with_mdb_stat_while_the_map_fills_and_grows() {
    let Some((peer, mut sampler)) = lab() else { return };
    let path = peer.env("LMDB_PATH").to_owned();
    for step in [
        &["stat"][..],
        &["fill"],
        &["grow", "33554432"],
        &["big", "40", "30000"],
        &["named", "20"],
        &["scatter", "400"],
        &["churn", "30"],
        &["big", "20", "60000"],
        &["plain", "300"],
        &["fill"],
    ] {
        assert!(peer.exec(step).status.success(), "{step:?}");
        let Some(judge) = judge(&path) else { return };
        agrees(&look(&mut *sampler).await, &judge);
    }
    let full = look(&mut *sampler).await;
    assert!(value(&full, "lmdb_used_ratio", &[]) > 0.95, "{full:?}");
    let file = std::fs::metadata(Path::new(&path).join("data.mdb")).expect("there");
    assert_eq!(value(&full, "lmdb_file_bytes", &[("path", &path)]), file.len() as f64);
    assert_eq!(value(&full, "lmdb_file_allocated_bytes", &[]), file.blocks() as f64 * 512.0);
    assert_eq!(fact(&full, "page size").as_deref(), Some("4096 bytes"));
    assert_eq!(fact(&full, "format").as_deref(), Some("data version 1, lock format 0x10001, both of LMDB 0.9"));
}

#[tokio::test]
async fn a_full_map_full_of_pinned_pages_is_told_from_one_full_of_data() {
    let Some((peer, mut sampler)) = lab() else { return };
    let full = peer.exec(&["churn", "5000"]);
    assert!(String::from_utf8_lossy(&full.stdout).contains("MDB_MAP_FULL"), "{full:?}");
    let seen = look(&mut *sampler).await;
    let figure = |name: &str| value(&seen, name, &[]);
    assert!(figure("lmdb_used_ratio") > 0.95 && figure("lmdb_live_ratio") < 0.2, "{seen:?}");
    assert!(figure("lmdb_pinned_pages") > 200.0, "{seen:?}");
    let oldest = fact(&seen, "oldest reader").expect("a reader");
    assert!(oldest.contains(&format!("pid {} (python3)", peer.env("LMDB_READER_PID"))), "{oldest}");
}

#[tokio::test]
async fn readers_are_counted_and_the_dead_among_them() {
    let Some((peer, mut sampler)) = lab() else { return };
    let readers = |seen: &Observation| {
        ["lmdb_readers", "lmdb_readers_dead", "lmdb_readers_doubtful"].map(|name| value(seen, name, &[]))
    };
    let first = look(&mut *sampler).await;
    assert_eq!(readers(&first), [1.0, 0.0, 0.0]);
    assert_eq!(find(&first, "lmdb_oldest_reader_seconds", &[]), None, "since when is not known yet");
    peer.exec(&["stale"]);
    let stale = look(&mut *sampler).await;
    assert_eq!(readers(&stale), [2.0, 1.0, 0.0]);
    assert_eq!(value(&stale, "lmdb_reader_age_txns", &[("process", "gone")]), 0.0);
    peer.exec(&["churn", "30"]);
    let seen = look(&mut *sampler).await;
    assert_eq!(value(&seen, "lmdb_oldest_reader_txns", &[]), 30.0, "the live reader pins what thirty writes freed");
    assert!(value(&seen, "lmdb_txns_per_second", &[]) > 0.0);
    assert!(value(&seen, "lmdb_oldest_reader_seconds", &[]) > 0.0);
}

#[tokio::test]
async fn a_process_that_kept_its_smaller_map_is_flagged() {
    let Some((peer, mut sampler)) = lab() else { return };
    let pid = peer.env("LMDB_READER_PID").to_owned();
    let of = |seen: &Observation, name: &str, pid: &str| value(seen, name, &[("pid", pid), ("process", "python3")]);
    let same = look(&mut *sampler).await;
    assert_eq!(of(&same, "lmdb_process_map_size_bytes", &pid), 1_048_576.0);
    assert_eq!(of(&same, "lmdb_map_size_mismatch_bytes", &pid), 0.0);
    assert_eq!(fact(&same, "map size differs"), None);

    assert!(peer.exec(&["grow", "8388608"]).status.success());
    let other = peer.holding(&["hold", "8388608"]);
    let other_pid = other.0.id().to_string();
    let grown = look(&mut *sampler).await;
    assert_eq!(value(&grown, "lmdb_map_size_bytes", &[]), 8_388_608.0);
    assert_eq!(of(&grown, "lmdb_process_map_size_bytes", &pid), 1_048_576.0, "it keeps its own");
    assert_eq!(of(&grown, "lmdb_map_size_mismatch_bytes", &pid), 7_340_032.0);
    assert_eq!(of(&grown, "lmdb_process_used_ratio", &pid), value(&grown, "lmdb_used_bytes", &[]) / 1_048_576.0);
    assert_eq!(of(&grown, "lmdb_map_size_mismatch_bytes", &other_pid), 0.0);
    let said = fact(&grown, "map size differs").expect("said");
    assert_eq!(said, format!("pid {pid} (python3) maps 1048576 bytes, the file stores 8388608"));
    drop(other);
    let gone = look(&mut *sampler).await;
    assert_eq!(find(&gone, "lmdb_process_map_size_bytes", &[("pid", &other_pid)]), None);
}

#[tokio::test]
async fn heavy_writing_neither_disturbs_us_nor_them() {
    let Some((peer, mut sampler)) = lab() else { return };
    assert!(peer.exec(&["grow", "268435456"]).status.success());
    let first = value(&look(&mut *sampler).await, "lmdb_last_txn_id", &[]);
    let done = Arc::new(AtomicBool::new(false));
    let finished = Arc::clone(&done);
    let writer = std::thread::spawn(move || {
        let output = peer.exec(&["churn", "4000"]);
        finished.store(true, Ordering::SeqCst);
        (output, peer)
    });
    let (mut last, mut looks, mut distinct) = (first, 0, 0);
    while !done.load(Ordering::SeqCst) {
        let seen = look(&mut *sampler).await;
        let now = value(&seen, "lmdb_last_txn_id", &[]);
        let free = find(&seen, "lmdb_free_pages", &[]);
        assert!(free.is_none_or(|free| free < value(&seen, "lmdb_used_pages", &[])), "{seen:?}");
        assert!(now >= last, "{now} after {last}");
        distinct += u32::from(now > last);
        last = now;
        looks += 1;
    }
    let (output, _peer) = writer.join().expect("the writer");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(value(&look(&mut *sampler).await, "lmdb_last_txn_id", &[]), first + 4_000.0);
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

    // Without a committed change meanwhile, a bad page of the free tree is damage; all else is still told.
    let word = |at: usize| u64::from_le_bytes(whole[at..at + 8].try_into().expect("eight"));
    let newest = if word(144) > word(4096 + 144) { 0 } else { 4096 };
    let root = word(newest + 80);
    let mut broken = whole.clone();
    broken[usize::try_from(root).expect("small") * 4096 + 10] = 0;
    std::fs::write(&data, &broken).expect("written");
    let seen = look(&mut *sampler).await;
    assert_eq!(find(&seen, "lmdb_free_pages", &[]), None);
    assert!(value(&seen, "lmdb_used_pages", &[]) > 3.0);
    let why = seen.not_supported.iter().find(|(name, _)| name.as_str() == "lmdb_free_pages").expect("said");
    let kind = "it is of another kind than its place in the tree";
    assert_eq!(why.1.as_str(), format!("the free tree: page {root} is damaged: {kind}"));

    let mut other = whole.clone();
    other[20] = 3;
    std::fs::write(&data, &other).expect("written");
    let version = look_badly(&mut *sampler).await;
    assert_eq!(
        version,
        format!("{shown} has LMDB data version 3 (the line of LMDB 1.0); only version 1 (LMDB 0.9) is understood.")
    );

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
    let mut sampler = watch(&copy.display().to_string());
    let seen = look(&mut *sampler).await;
    assert_eq!(find(&seen, "lmdb_readers", &[]), None);
    assert!(seen.not_supported[0].1.as_str().contains("alone.mdb-lock does not exist"), "{:?}", seen.not_supported);
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 1);
}

#[tokio::test]
async fn a_program_that_opens_a_cold_environment_while_it_is_sampled_opens_it() {
    let Some((peer, mut sampler)) = lab() else { return };
    let folder = Path::new(peer.env("LMDB_PATH")).to_owned();
    let python = peer.env("LMDB_READER_PID").to_owned();
    assert!(Command::new("kill").arg(&python).status().expect("runs").success());
    while !std::fs::read_to_string(format!("/proc/{python}/stat")).map_or(true, |stat| stat.contains(") Z ")) {
        look(&mut *sampler).await;
    }
    std::fs::remove_file(folder.join("lock.mdb")).expect("cold");
    let seen = look(&mut *sampler).await;
    assert_eq!(find(&seen, "lmdb_readers", &[]), None);
    for round in 1..=4 {
        let mut program = peer.spawn(&["churn", "20"]);
        let status = loop {
            look(&mut *sampler).await;
            if let Some(status) = program.0.try_wait().expect("ours") {
                break status;
            }
        };
        assert!(status.success(), "round {round}");
    }
    assert_eq!(value(&look(&mut *sampler).await, "lmdb_readers_dead", &[]), 0.0);
}

#[tokio::test]
async fn a_huge_plain_database_is_not_walked_for_names_and_that_is_said() {
    let Some((peer, mut sampler)) = lab() else { return };
    assert!(peer.exec(&["grow", "67108864"]).status.success());
    assert!(peer.exec(&["plain", "20000"]).status.success());
    let seen = look(&mut *sampler).await;
    let said = fact(&seen, "databases").expect("said");
    assert!(said.contains("more than 512 pages"), "{said}");
    assert_eq!(value(&seen, "lmdb_database_entries", &[("database", "(main)")]), 20_003.0);

    assert!(peer.exec(&["named", "230"]).status.success());
    let seen = look(&mut *watch(peer.env("LMDB_PATH"))).await;
    let said = fact(&seen, "databases").expect("said");
    assert!(said.starts_with("the first 200 ") && said.ends_with("more entries than are shown"), "{said}");
}

#[tokio::test]
async fn several_environments_are_told_apart_and_one_that_fails_does_not_hide_the_others() {
    let (Some((one, _)), Some((two, _))) = (lab(), lab()) else { return };
    let [one, other] = [&one, &two].map(|peer| peer.env("LMDB_PATH").to_owned());
    let config = format!("paths = [\"{one}\", \"{other}\", \"/no/such/env\"]");
    let mut sampler = sampler("lmdb", &config);
    two.exec(&["churn", "5"]);
    let seen = look(&mut *sampler).await;
    let txn = |path: &str| value(&seen, "lmdb_last_txn_id", &[("path", path)]);
    assert_eq!(txn(&other), txn(&one) + 5.0);
    let up = |path: &str| value(&seen, "lmdb_up", &[("path", path)]);
    assert_eq!((up(&one), up(&other), up("/no/such/env")), (1.0, 1.0, 0.0));
    assert_eq!(
        fact(&seen, "/no/such/env").as_deref(),
        Some("/no/such/env does not exist. Has its service created it yet?")
    );
    assert_eq!(fact(&seen, &format!("{one}: page size")).as_deref(), Some("4096 bytes"));
}

#[tokio::test]
async fn a_lock_file_of_another_user_is_trouble() {
    let Some((peer, mut sampler)) = lab() else { return };
    assert_eq!(value(&look(&mut *sampler).await, "lmdb_ownership_trouble", &[]), 0.0);
    if !rustix::process::geteuid().is_root() {
        return; // only root can give files away
    }
    let data = Path::new(peer.env("LMDB_PATH")).join("data.mdb");
    std::os::unix::fs::chown(&data, Some(65_534), Some(65_534)).expect("root");
    let seen = look(&mut *sampler).await;
    assert_eq!(value(&seen, "lmdb_ownership_trouble", &[]), 1.0);
    let said = fact(&seen, "ownership").expect("said");
    assert!(said.ends_with("lock.mdb belongs to root, the data to nobody"), "{said}");
    assert!(fact(&seen, "data.mdb").expect("said").starts_with("nobody 0"));
}

#[tokio::test]
async fn between_two_walks_what_the_last_one_found_is_marked_when_it_is_no_longer_exact() {
    let Some((peer, _)) = lab() else { return };
    let path = peer.env("LMDB_PATH");
    let mut sampler = sampler("lmdb", &format!("path = \"{path}\""));
    let figures = ["lmdb_free_pages", "lmdb_live_pages", "lmdb_free_pages_approximate"];
    let read = |seen: &Observation| figures.map(|name| value(seen, name, &[]));
    let first = read(&look(&mut *sampler).await);
    assert_eq!(first[2], 0.0);
    assert_eq!(read(&look(&mut *sampler).await), first, "nothing was written: still exact");
    peer.exec(&["churn", "10"]);
    let later = look(&mut *sampler).await;
    assert_eq!(read(&later), [first[0], first[1], 1.0]);
    assert!(value(&later, "lmdb_free_pages_age_seconds", &[]) > 0.0);

    let mut never = crate::sampler("lmdb", &format!("path = \"{path}\"\nfree_pages_every = \"0s\""));
    let seen = look(&mut *never).await;
    assert_eq!(find(&seen, "lmdb_free_pages", &[]), None);
    assert_eq!(find(&seen, "lmdb_database_entries", &[]), None);
}
