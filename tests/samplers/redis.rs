//! `redis` against a real server, with `redis-cli` as the judge.

use crate::peer::{self, Peer};
use crate::{find, measured, observe, sampler, value};
use core::time::Duration;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use watchkeeper::base::{Clock, Failure, Observation, Point};
use watchkeeper::samplers::Sampler;
use watchkeeper::sys::clock::RealClock;

const PASSWORD: &str = "canary-7f3a91";

fn server() -> Option<Peer> {
    peer::start("redis")
}

/// What `redis-cli` prints.
fn cli(peer: &Peer, arguments: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    command.args(["-s", peer.env("REDIS_SOCKET")]).args(arguments);
    let output = command.env("REDISCLI_AUTH", PASSWORD).output().expect("redis-cli runs");
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(!said.starts_with("ERR"), "{arguments:?}: {said}");
    said
}

/// A field of `INFO`.
fn info(peer: &Peer, field: &str) -> String {
    let text = cli(peer, &["info"]);
    let found = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':').map(str::trim));
    found.unwrap_or_else(|| panic!("no {field} in {text}")).to_owned()
}

fn fact(seen: &Observation, name: &str) -> Option<String> {
    seen.facts.iter().find(|(fact, _)| fact.as_str() == name).map(|(_, said)| said.to_string())
}

fn reason(seen: &Observation, name: &str) -> String {
    let rows = seen.not_supported.iter().filter(|(metric, _)| metric.as_str() == name);
    rows.map(|(_, why)| why.to_string()).collect::<Vec<_>>().join("; ")
}

/// The failure of one attempt within a deadline of its own.
async fn complaint(sampler: &mut dyn Sampler) -> Failure {
    let attempt = tokio::time::timeout(Duration::from_secs(20), observe(sampler)).await;
    attempt.expect("an answer in time").expect_err("a failure")
}

#[tokio::test]
async fn every_figure_agrees_with_redis_cli() {
    let Some(peer) = server() else { return };
    cli(&peer, &["config", "set", "maxmemory", "100mb"]);
    cli(&peer, &["eval", "for i = 1, 1200 do redis.call('set', 'cache:' .. i, i) end", "0"]);
    let config = format!(
        "url = \"{}\"\nlists = [\"jobs\", \"none\", \"events\"]\nstreams = [\"events\", \"nowhere\", \"jobs\"]\n\
         patterns = [\"cache:*\"]",
        peer.env("REDIS_URL")
    );
    let mut sampler = sampler("redis", &config);
    let seen = observe(&mut *sampler).await.expect("good");
    let events = [("db", "db0"), ("stream", "events")];
    let workers = [("db", "db0"), ("stream", "events"), ("group", "workers")];
    for (name, labels, expected) in [
        ("redis_up", &[][..], 1.0),
        ("redis_key_size", &[("db", "db0"), ("key", "jobs")], 42.0),
        ("redis_key_size", &[("db", "db0"), ("key", "none")], 0.0),
        ("redis_stream_length", &events, 100.0),
        ("redis_stream_length", &[("stream", "nowhere")], 0.0),
        ("redis_stream_groups", &events, 1.0),
        ("redis_stream_group_messages_pending", &workers, 10.0),
        ("redis_stream_group_lag", &workers, 90.0),
        ("redis_stream_group_consumers", &workers, 1.0),
        ("redis_memory_max_bytes", &[], 104_857_600.0),
        ("redis_db_keys", &[("db", "db0")], cli(&peer, &["dbsize"]).parse().expect("a number")),
        ("redis_keys_count", &[("db", "db0"), ("key", "cache:*")], 1_200.0),
        ("redis_slowlog_length", &[], cli(&peer, &["slowlog", "len"]).parse().expect("a number")),
        ("redis_rejected_connections_total", &[], 0.0),
        ("redis_master_repl_offset", &[], 0.0),
    ] {
        assert_eq!(value(&seen, name, labels), expected, "{name} {labels:?}");
    }
    let ratio = value(&seen, "redis_memory_used_ratio", &[]);
    assert!(ratio > 0.005 && ratio < 0.1, "{ratio}");
    let first = cli(&peer, &["xrange", "events", "-", "+", "count", "1"]);
    let written: f64 = first.split('-').next().and_then(|ms| ms.parse().ok()).expect("milliseconds");
    let age = value(&seen, "redis_stream_group_oldest_pending_age_seconds", &workers);
    let clock: f64 = info(&peer, "server_time_usec").parse().expect("a number");
    assert!(age > 0.0 && age <= clock / 1e6 - written / 1e3, "{age}");
    assert!(value(&seen, "redis_stream_group_last_delivered_age_seconds", &workers) <= age);

    assert_eq!(find(&seen, "redis_key_size", &[("key", "events")]), None);
    assert_eq!(reason(&seen, "redis_key_size"), "the key events is a stream, not a list");
    assert_eq!(reason(&seen, "redis_stream_length"), "the key jobs is a list, not a stream");
    let groups = reason(&seen, "redis_stream_group_messages_pending");
    assert_eq!(groups, "the stream nowhere does not exist, so it has no groups");
    for (name, field) in [("run_id", "run_id"), ("role", "role"), ("version", "redis_version")] {
        assert_eq!(fact(&seen, name), Some(info(&peer, field)), "{name}");
    }
}

#[tokio::test]
async fn a_steady_watch_is_one_client_that_only_reads_and_its_queue_follows() {
    let Some(peer) = server() else { return };
    let config =
        format!("url = \"redis+unix://{}\"\nlists = [\"jobs\"]\nstreams = [\"events\"]", peer.env("REDIS_SOCKET"));
    let mut sampler = sampler("redis", &config);
    let length = |seen: &Observation| value(seen, "redis_key_size", &[("key", "jobs")]);
    for expected in [42.0, 43.0, 44.0] {
        assert_eq!(length(&observe(&mut *sampler).await.expect("good")), expected);
        cli(&peer, &["rpush", "jobs", "more"]);
    }
    let clients = cli(&peer, &["client", "list"]);
    assert_eq!(clients.matches("name=watchkeeper").count(), 1, "{clients}");
    let used = cli(&peer, &["info", "commandstats"]);
    for word in ["cmdstat_keys:", "cmdstat_monitor:", "cmdstat_set:", "cmdstat_get:", "cmdstat_scan:"] {
        assert!(!used.contains(word), "{used}");
    }
    assert!(used.contains("cmdstat_info:") && used.contains("cmdstat_xpending:"), "{used}");
}

#[tokio::test]
async fn a_login_is_asked_for_refused_and_accepted_and_its_word_is_never_told() {
    let Some(peer) = peer::start_with("redis", &[("SVC_PASSWORD", PASSWORD)]) else { return };
    let whole = peer.env("REDIS_URL");
    let bare = whole.replace(&format!(":{PASSWORD}@"), "");
    let place = bare.trim_start_matches("redis://").trim_end_matches("/0");
    let refused = |config: String| async move {
        let failure = complaint(&mut *sampler("redis", &config)).await;
        assert!(failure.not_permitted && !failure.what.as_str().contains("canary"), "{failure:?}");
        let what = failure.what.to_string();
        assert_eq!(value(&measured(failure), "redis_up", &[]), 0.0);
        what
    };
    let none = refused(format!("url = \"{bare}\"")).await;
    assert_eq!(none, format!("{place} wants a password. Give `password` in the profile."));
    let wrong = refused(format!("url = \"{bare}\"\npassword = \"canary-wrong\"")).await;
    let mend = "Mend `user`, `password`.";
    assert_eq!(wrong, format!("{place}: the login that the profile gives is refused. {mend}"));
    let user = refused(format!("url = \"{bare}\"\nuser = \"joe\"\npassword = \"canary-wrong\"")).await;
    assert_eq!(user, format!("{place}: the login that the profile gives is refused (user joe). {mend}"));

    let file = peer.dir().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).expect("written");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("ours");
    for config in [
        format!("url = \"{whole}\""),
        format!("url = \"{bare}\"\npassword = {{ file = \"{}\" }}", file.display()),
        format!("url = \"{bare}\"\nuser = \"default\"\npassword = \"{PASSWORD}\""),
    ] {
        let seen = observe(&mut *sampler("redis", &config)).await.expect("good");
        assert_eq!(value(&seen, "redis_up", &[]), 1.0);
    }
    assert_eq!(watchkeeper::sys::secret::hide(PASSWORD), "<redacted>");

    cli(&peer, &["acl", "setuser", "poor", "on", ">poorword", "+info", "+llen", "~other"]);
    let poor = format!("url = \"{bare}\"\nuser = \"poor\"\npassword = \"poorword\"\nlists = [\"jobs\", \"other\"]");
    let seen = observe(&mut *sampler("redis", &poor)).await.expect("good");
    assert_eq!(find(&seen, "redis_key_size", &[("key", "jobs")]), None);
    assert_eq!(value(&seen, "redis_key_size", &[("key", "other")]), 0.0);
    for (name, why) in [
        ("redis_key_size", "this user may not look at the key jobs (NOPERM)"),
        ("redis_slowlog_length", "this user may not ask for it (NOPERM)"),
    ] {
        let rows = seen.refused.iter().filter(|(metric, _)| metric.as_str() == name);
        assert_eq!(rows.map(|(_, why)| why.as_str()).collect::<Vec<_>>(), [why]);
        assert_eq!(reason(&seen, name), "", "the server has it");
    }
    cli(&peer, &["acl", "setuser", "poor", "-info"]);
    let nothing = refused(poor).await;
    assert!(nothing.contains("does not let this user ask for INFO"), "{nothing}");
}

fn signal(pid: &str, signal: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().expect("kill runs").success());
}

#[tokio::test]
async fn a_stopped_server_is_silence_and_a_restarted_one_is_another_run() {
    let Some(peer) = server() else { return };
    let mut sampler = sampler("redis", &format!("url = \"{}\"\nlists = [\"jobs\"]", peer.env("REDIS_URL")));
    let first = observe(&mut *sampler).await.expect("good");
    assert_eq!(fact(&first, "run_id before its restart"), None);
    signal(peer.env("REDIS_PID"), "-STOP");
    for _ in 0..2 {
        let attempt = tokio::time::timeout(Duration::from_millis(150), observe(&mut *sampler)).await;
        assert!(attempt.is_err(), "{attempt:?}");
        assert_eq!(sampler.unheard(), [Point::gauge("redis_up", &[], 0.0)], "what the supervisor tells then");
    }
    signal(peer.env("REDIS_PID"), "-CONT");
    let seen = observe(&mut *sampler).await.expect("back");
    assert_eq!(value(&seen, "redis_key_size", &[("key", "jobs")]), 42.0);
    let clients = cli(&peer, &["client", "list"]);
    assert_eq!(clients.matches("name=watchkeeper").count(), 1, "{clients}");

    peer.restart();
    let seen = observe(&mut *sampler).await.expect("a new connection within the same attempt");
    assert_eq!(fact(&seen, "run_id before its restart"), fact(&first, "run_id"));
    assert_eq!(fact(&seen, "run_id"), Some(info(&peer, "run_id")));
    let config = format!("url = \"{}\"", peer.env("REDIS_URL"));
    cli(&peer, &["config", "set", "maxclients", "1"]);
    let _taken = observe(&mut *sampler).await.expect("the one client");
    let full = complaint(&mut *crate::sampler("redis", &config)).await.what.to_string();
    assert!(full.ends_with("takes no more clients: its limit (maxclients) is reached."), "{full}");
    let gone = config.clone();
    drop(peer);
    let failure = complaint(&mut *crate::sampler("redis", &gone)).await;
    let refused = failure.what.to_string();
    assert_eq!(value(&measured(failure), "redis_up", &[]), 0.0);
    assert!(refused.ends_with("refused the connection. Is the service running?"), "{refused}");
}

#[tokio::test]
async fn a_replica_and_its_master_tell_of_each_other() {
    let Some(master) = server() else { return };
    let address = master.env("REDIS_URL").trim_start_matches("redis://").trim_end_matches("/0").to_owned();
    let (host, port) = address.split_once(':').expect("an address");
    let replicaof = format!("--replicaof {host} {port} --repl-diskless-sync-delay 0");
    cli(&master, &["config", "set", "repl-diskless-sync-delay", "0"]);
    let Some(replica) = peer::start_with("redis", &[("REDIS_ARGS", &replicaof)]) else { return };
    let start = RealClock.now().mono;
    while info(&replica, "master_link_status") != "up"
        || !cli(&master, &["info", "replication"]).contains("state=online")
    {
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "no link");
    }
    let config = |peer: &Peer| format!("url = \"{}\"\nlists = [\"jobs\"]", peer.env("REDIS_URL"));
    let above = observe(&mut *sampler("redis", &config(&master))).await.expect("good");
    let below = observe(&mut *sampler("redis", &config(&replica))).await.expect("good");
    let link = [("master_host", host), ("master_port", port)];
    assert_eq!(value(&below, "redis_master_link_up", &link), 1.0);
    assert_eq!(value(&below, "redis_key_size", &[("key", "jobs")]), 42.0);
    assert_eq!(fact(&below, "master"), Some(address.clone()));
    assert_eq!((fact(&above, "role"), fact(&below, "role")), (Some("master".into()), Some("slave".into())));
    assert_eq!(value(&above, "redis_connected_slaves", &[]), 1.0);
    let slave = [("slave_ip", "127.0.0.1"), ("slave_state", "online")];
    assert!(value(&above, "redis_connected_slave_lag_seconds", &slave) <= 10.0);
    assert!(value(&above, "redis_connected_slave_offset_bytes", &slave) >= 0.0);
    drop(master);
    while info(&replica, "master_link_status") == "up" {
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "the link stays");
    }
    let alone = observe(&mut *sampler("redis", &config(&replica))).await.expect("good");
    assert_eq!(value(&alone, "redis_master_link_up", &link), 0.0);
}

/// A listener that says the same to everybody.
fn impostor(says: &'static [u8], for_ever: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            while stream.write_all(says).is_ok() && for_ever {}
        }
    });
    at
}

#[tokio::test]
async fn what_is_no_redis_is_a_sentence_and_a_flood_is_cut() {
    for (says, for_ever, end) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], false, " does not speak Redis' protocol. Is it the right port?"),
        (b"", false, " closed the connection before its answer was whole."),
        (b"$9999999999\r\nxxxxxxxxxxxxxxxx", true, " sent more than 1 MiB for one sample, reading stopped."),
        (b"*9999999999999\r\n", false, " closed the connection before its answer was whole."),
        (b"%9999999999999\r\n", false, " does not speak Redis' protocol. Is it the right port?"),
        (b"*1\r\n*1\r\n*1\r\n*1\r\n", true, " does not speak Redis' protocol. Is it the right port?"),
    ] {
        let at = impostor(says, for_ever);
        let failure = complaint(&mut *sampler("redis", &format!("url = \"redis://{at}\""))).await;
        assert_eq!(failure.what.as_str(), format!("{at}{end}"));
    }
}
