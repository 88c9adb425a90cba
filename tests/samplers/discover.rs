//! `discover` against what really runs here: an LMDB environment of another implementation, a node exporter in a
//! network of its own, listeners that count who comes.

use crate::peer::{self, Peer};
use crate::{find, observe, sampler, server, value};
use core::time::Duration;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use watchkeeper::base::Observation;
use watchkeeper::samplers::Sampler;

/// Without the programs of systemd.
const QUIET: &str = "units = false\njournal = false\n";

fn facts(seen: &Observation, name: &str) -> Vec<String> {
    seen.facts.iter().filter(|(known, _)| known.as_str() == name).map(|(_, words)| words.to_string()).collect()
}

/// Looks until this was found; each look asks ports that were not asked before.
async fn until(sampler: &mut dyn Sampler, name: &str, what: &str) -> String {
    for _ in 0..30 {
        let seen = observe(sampler).await.expect("never fails as a whole");
        if let Some(words) = facts(&seen, name).into_iter().find(|words| words.contains(what)) {
            return words;
        }
    }
    panic!("no {name} with {what}")
}

/// What `mdb_stat` says in its column of this name.
fn judge(path: &str, name: &str) -> Option<f64> {
    let Ok(output) = Command::new("mdb_stat").args(["-e", path]).output() else {
        peer::skip("mdb_stat", "not installed: apt-get install lmdb-utils");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
    Some(row.expect("a row").parse().expect("a number"))
}

fn agrees(seen: &Observation, peer: &Peer) -> Option<()> {
    let path = peer.env("LMDB_PATH");
    let [page, used, map] = ["Page size", "Number of pages used", "Map size"].map(|name| judge(path, name));
    let (page, used, map) = (page?, used?, map?);
    let figure = |name: &str| value(seen, name, &[("path", path)]);
    assert_eq!((figure("lmdb_used_bytes"), figure("lmdb_map_size_bytes")), (used * page, map));
    assert_eq!(figure("lmdb_used_ratio"), used * page / map);
    Some(())
}

#[tokio::test]
async fn the_environment_of_a_running_process_is_found_with_what_mdb_stat_says_of_it() {
    let Some(peer) = peer::start("lmdb-lab") else { return };
    let path = peer.env("LMDB_PATH").to_owned();
    let data = format!("{path}/data.mdb");
    let mut sampler = sampler("discover", QUIET);
    let seen = observe(&mut *sampler).await.expect("seen");
    assert_eq!(value(&seen, "watchkeeper_discovered", &[("kind", "lmdb"), ("name", &data)]), 1.0);
    assert!(value(&seen, "watchkeeper_discovered_count", &[("kind", "lmdb")]) >= 1.0);
    assert!(value(&seen, "watchkeeper_discovered_count", &[("kind", "gpu")]) >= 0.0);
    let Some(()) = agrees(&seen, &peer) else { return };

    assert!(peer.exec(&["grow", "4194304"]).status.success());
    assert!(peer.exec(&["big", "20", "60000"]).status.success());
    let seen = observe(&mut *sampler).await.expect("seen");
    agrees(&seen, &peer);
    let used = value(&seen, "lmdb_used_ratio", &[("path", &path)]);
    let said = facts(&seen, "lmdb").into_iter().find(|words| words.contains(&data)).expect("said");
    let pid = peer.env("LMDB_READER_PID");
    assert_eq!(said, format!("{data} · keep as lmdb · mapped by python3 ({pid}): {:.0} % of 4.00 MiB", used * 100.0));
    let how = facts(&seen, "keep");
    assert!(how.iter().any(|how| how.contains("describe profile --from-discovery") && how.len() < 74), "{how:?}");

    drop(peer);
    let seen = observe(&mut *sampler).await.expect("seen");
    assert_eq!(find(&seen, "watchkeeper_discovered", &[("name", &data)]), None, "nobody maps it any more");
    assert_eq!(find(&seen, "lmdb_used_bytes", &[("path", &path)]), None);
}

#[tokio::test]
async fn looking_leaves_no_trace_in_what_is_found() {
    let Some(peer) = peer::start("lmdb-lab") else { return };
    let folder = Path::new(peer.env("LMDB_PATH"));
    let state = || {
        let about = ["data.mdb", "lock.mdb"].map(|name| folder.join(name).metadata().expect("there"));
        let files = std::fs::read_dir(folder).expect("readable").count();
        (files, about.map(|about| (about.ino(), about.uid(), about.mode(), about.mtime_nsec(), about.atime_nsec())))
    };
    let mut sampler = sampler("discover", QUIET);
    let before = state();
    for _ in 0..20 {
        observe(&mut *sampler).await.expect("seen");
    }
    assert_eq!(state(), before);
    let us = std::process::id().to_string();
    let locks = std::fs::read_to_string("/proc/locks").expect("readable");
    assert!(!locks.lines().any(|line| line.split_whitespace().any(|word| word == us)), "{locks}");
}

#[tokio::test]
async fn a_port_is_listed_and_never_connected_to_without_being_asked_for() {
    let server = server::serve(|_, stream| stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nup 1\n").is_err());
    let mut sampler = sampler("discover", QUIET);
    for _ in 0..3 {
        let said = until(&mut *sampler, "port", &server.at).await;
        let us = std::process::id();
        assert!(
            said.starts_with(&format!("{} · keep as tcp · ", server.at))
                && said.ends_with(&format!("({us}): listening")),
            "{said}"
        );
    }
    assert_eq!(server.connections(), 0);
    let seen = observe(&mut *sampler).await.expect("seen");
    assert_eq!(find(&seen, "watchkeeper_discovered_count", &[("kind", "metrics")]), None, "not asked is not none");
    let why = seen.not_supported.iter().find(|(name, _)| name.as_str().contains("metrics")).expect("said");
    assert!(why.1.as_str().contains("--discover"), "{}", why.1);
}

/// Asking every port of this host would reach the peers of other tests: this one runs where nobody else is.
#[test]
fn with_ports_a_node_exporter_is_found_and_what_hangs_holds_nothing_up() {
    if !rustix::process::geteuid().is_root() {
        return; // only root can have a network of its own
    }
    let us = std::env::current_exe().expect("a test");
    let script = "ip link set lo up && exec \"$0\" \"$@\"";
    let role = ["discover::asks_the_ports_of_a_network_of_its_own", "--exact", "--ignored", "--nocapture"];
    let output = Command::new("unshare").args(["--net", "sh", "-c", script]).arg(us).args(role).output();
    let Ok(output) = output else { return peer::skip("unshare", "not installed: apt-get install util-linux") };
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().filter(|line| line.starts_with("SKIPPED: ")).for_each(|line| println!("{line}"));
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
#[ignore = "a role: it has a network of its own"]
async fn asks_the_ports_of_a_network_of_its_own() {
    let Some(peer) = peer::start("node-exporter") else { return };
    let hangs = server::serve(|_, _| {
        std::thread::park();
        false
    });
    let words = server::serve(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n<html></html").is_err()
    });
    let mut sampler = sampler("discover", &format!("{QUIET}ports = true\n"));
    let url = peer.env("NODE_EXPORTER_URL");
    let began = std::time::Instant::now();
    let seen = observe(&mut *sampler).await.expect("seen");
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let count = |kind: &str| value(&seen, "watchkeeper_discovered_count", &[("kind", kind)]);
    assert_eq!((count("port"), count("metrics")), (3.0, 1.0), "{:?}", seen.facts);
    let ports = facts(&seen, "port");
    assert!(
        ports[0].contains(" · keep as scrape · prometheus-node") && ports[0].ends_with(": answers with metrics"),
        "{ports:?}"
    );
    let at = ports[0].split(" · ").next().unwrap_or_default();
    assert!(url.ends_with(&format!(":{}/metrics", at.rsplit(':').next().unwrap_or_default())), "{url} {at}");
    assert!(ports[1..].iter().all(|said| said.contains(": listening")), "{ports:?}");
    observe(&mut *sampler).await.expect("seen");
    assert_eq!((hangs.connections(), words.connections()), (1, 1), "an answer holds for five minutes");
}
