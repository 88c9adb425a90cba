//! Trouble: locks, freezes, restarts, and who is no PostgreSQL at all.

use super::{Busy, OURS, ask, complaint, facts, look, until, watch};
use crate::peer::{self, Peer};
use crate::{measured, observe, sampler, value};
use core::time::Duration;
use std::io::Write;
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use watchkeeper::base::{Observation, Point};
use watchkeeper::samplers::Sampler;

fn signal(pid: &str, signal: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().expect("kill runs").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_and_running_statements_are_seen_and_a_frozen_or_restarted_server_is_told() {
    let Some(peer) = peer::start("postgres") else { return };
    let mut sampler = watch(&peer, "PG_VIEWER_URL", "");
    let first = look(&mut *sampler).await;
    assert_eq!((facts(&first, "blocked"), facts(&first, "running")), (vec![], vec![]));
    blocked_and_running(&peer, &mut *sampler).await;
    given_up_is_cancelled(&peer, &mut *sampler).await;
    frozen(&peer, &mut *sampler).await;

    peer.restart();
    let seen = look(&mut *sampler).await;
    assert_eq!(facts(&seen, "restarts while watched"), [("restarts while watched", "1")]);
    assert_eq!(facts(&seen, "system_identifier"), facts(&first, "system_identifier"));
    assert_eq!(ask(&peer, OURS), "1");
    drop(peer);
    let gone = complaint(&mut *sampler).await;
    assert!(gone.what.as_str().ends_with("refused the connection. Is the service running?"), "{gone:?}");
    assert_eq!(value(&measured(gone), "pg_up", &[]), 0.0);
    assert_eq!(sampler.unheard(), [Point::gauge("pg_up", &[], 0.0)]);
}

async fn blocked_and_running(peer: &Peer, sampler: &mut dyn Sampler) {
    let holder = Busy::start(peer, "begin; lock table orders in access exclusive mode; select pg_sleep(600) /* a */");
    let pid =
        "select pid from pg_stat_activity where query like '%/* a */' and state = 'active' and pid <> pg_backend_pid()";
    until(peer, &format!("select count(*) from ({pid}) x"), "1");
    until(peer, "select count(*) from pg_locks where relation = 'orders'::regclass and granted", "1");
    let holding = ask(peer, pid);
    let waiter = Busy::start(peer, "select count(*) from orders /* b */");
    let waiting = "select pid from pg_locks where not granted";
    until(peer, &format!("select count(*) from ({waiting}) x"), "1");
    let waiting = ask(peer, waiting);
    let before = look(sampler).await;
    let seen = look(sampler).await;
    assert_eq!(value(&seen, "postgres_blocked_sessions", &[]), 1.0);
    let locks = [("datname", "app"), ("mode", "accessexclusivelock")];
    assert_eq!(value(&seen, "pg_locks_count", &locks), 1.0);
    let blocked = facts(&seen, "blocked");
    assert_eq!(blocked, [(&*format!("blocked pid {waiting}"), &*format!("waits for pid {holding} (ops@app, active)"))]);
    let running = facts(&seen, "running");
    assert_eq!(
        running.iter().map(|(pid, _)| *pid).collect::<Vec<_>>(),
        [format!("running pid {holding}"), format!("running pid {waiting}"),]
    );
    for (row, end) in running.iter().zip(["waits for Timeout/PgSleep", "waits for Lock/relation"]) {
        assert!(row.1.ends_with(&format!(" s, active, ops@app, {end}")), "{running:?}");
    }
    let longest = |seen: &Observation| value(seen, "postgres_running_statement_seconds_max", &[]);
    assert!(longest(&seen) > longest(&before), "it rises");
    let open = value(&seen, "pg_long_running_transactions_oldest_timestamp_seconds", &[]);
    assert!(open >= longest(&seen) - 0.1, "{open}");
    assert_eq!(value(&seen, "pg_long_running_transactions", &[]), 2.0);
    let active = [("datname", "app"), ("state", "active")];
    assert_eq!(value(&seen, "pg_stat_activity_count", &active), 3.0, "with ourselves");
    drop((waiter, holder));
    ask(peer, &format!("select pg_terminate_backend({holding}), pg_terminate_backend({waiting})"));
    until(peer, "select count(*) from pg_locks where not granted", "0");
}

/// What is dropped in the middle of a question does not leave it running: the server's log says who stopped it.
async fn given_up_is_cancelled(peer: &Peer, sampler: &mut dyn Sampler) {
    let holder = Busy::start(peer, "begin; lock table pg_extension in access exclusive mode; select pg_sleep(600)");
    until(peer, "select count(*) from pg_locks where relation = 3079 and mode = 'AccessExclusiveLock'", "1");
    let cancelled = || {
        let log = std::fs::read_to_string(peer.dir().join("main.log")).expect("readable");
        log.lines().any(|line| line.contains("viewer@app ERROR:  canceling statement due to user request"))
    };
    let mut tries = 0;
    while !cancelled() {
        // Somewhere between "not asked yet" and the limit of waiting for a lock; a slow machine needs longer.
        let limit = Duration::from_millis(40 + 20 * (tries % 30));
        let attempt = tokio::time::timeout(limit, observe(sampler)).await;
        assert!(attempt.is_err() || attempt.is_ok_and(|seen| seen.is_err()), "pg_extension is locked");
        let ours: u32 = ask(peer, OURS).parse().expect("a number");
        assert!(ours <= 1, "{ours} sessions");
        tries += 1;
        assert!(tries < 100, "nothing was cancelled");
    }
    drop(holder);
    ask(
        peer,
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_extension%' and pid <> pg_backend_pid()",
    );
    until(peer, "select count(*) from pg_locks where relation = 3079 and mode = 'AccessExclusiveLock'", "0");
    look(sampler).await;
}

/// Our own server process is stopped: silence, no second session beside it, and back when it goes on.
async fn frozen(peer: &Peer, sampler: &mut dyn Sampler) {
    let pid = ask(peer, &OURS.replace("count(*)", "pid"));
    signal(&pid, "-STOP");
    let attempt = tokio::time::timeout(Duration::from_millis(200), observe(sampler)).await;
    assert!(attempt.is_err(), "{attempt:?}");
    let second = complaint(sampler).await;
    assert!(!second.answered, "{second:?}");
    let said = "has not ended our last session yet; no second one is opened.";
    assert!(second.what.as_str().ends_with(said), "{second:?}");
    assert_eq!(ask(peer, OURS), "1");
    signal(&pid, "-CONT");
    let seen = look(sampler).await;
    assert_eq!(value(&seen, "pg_up", &[]), 1.0);
    assert_eq!(ask(peer, OURS), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_and_its_primary_tell_of_each_other() {
    let Some(peer) = peer::start("postgres") else { return };
    let output = peer.exec(&["standby"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let url = said.trim().strip_prefix("STANDBY_URL=").unwrap_or_else(|| panic!("{output:?}"));
    ask(&peer, "insert into orders values (0, 0)");
    until(&peer, "select count(*) from pg_stat_replication where replay_lsn = pg_current_wal_lsn()", "1");
    let primary = look(&mut *watch(&peer, "PG_VIEWER_URL", "")).await;
    let standby = look(&mut *sampler("postgres", &format!("url = \"{url}\""))).await;
    let labels = [("application_name", "walreceiver"), ("client_addr", "127.0.0.1"), ("state", "streaming")];
    for (seen, name, labels, expected) in [
        (&primary, "postgres_standbys", &[][..], 1.0),
        (&primary, "pg_stat_replication_pg_wal_lsn_diff", &labels, 0.0),
        (&primary, "pg_replication_is_replica", &[], 0.0),
        (&standby, "pg_replication_is_replica", &[], 1.0),
        (&standby, "pg_replication_lag_seconds", &[], 0.0),
        (&standby, "postgres_standbys", &[], 0.0),
    ] {
        assert_eq!(value(seen, name, labels), expected, "{name}");
    }
    assert!(value(&standby, "pg_replication_last_replay_seconds", &[]) > 0.0);
    assert_eq!(
        (facts(&primary, "role"), facts(&standby, "role")),
        (vec![("role", "primary")], vec![("role", "standby")])
    );
    assert_eq!(facts(&primary, "system_identifier"), facts(&standby, "system_identifier"));

    // A standby that has stopped replaying falls behind, and both say so.
    let pause = |word: &str| {
        let sql = format!("select pg_wal_replay_{word}()");
        let owner = url.replace("viewer:viewer", "ops");
        let done = Command::new("psql").args(["-X", "-q", "-d", &owner, "-c", &sql]).output().expect("psql runs");
        assert!(done.status.success(), "{done:?}");
    };
    pause("pause");
    ask(&peer, "insert into orders select g, 0 from generate_series(2000, 4000) g");
    let behind = "select (pg_wal_lsn_diff(pg_current_wal_lsn(), flush_lsn) = 0 and replay_lsn < flush_lsn)::int from pg_stat_replication";
    until(&peer, behind, "1");
    let primary = look(&mut *watch(&peer, "PG_VIEWER_URL", "")).await;
    let standby = look(&mut *sampler("postgres", &format!("url = \"{url}\""))).await;
    let bytes = ask(&peer, "select pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) from pg_stat_replication");
    assert_eq!(value(&primary, "pg_stat_replication_pg_wal_lsn_diff", &labels), bytes.parse::<f64>().expect("bytes"));
    assert!(value(&standby, "pg_replication_lag_seconds", &[]) > 0.0);
    pause("resume");
    until(&peer, "select count(*) from pg_stat_replication where replay_lsn = pg_current_wal_lsn()", "1");
}

/// A listener that says the same to everybody.
fn impostor(says: Vec<u8>, for_ever: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound").to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            while stream.write_all(&says).is_ok() && for_ever {}
        }
    });
    at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_postgres_is_a_sentence_and_a_flood_is_cut() {
    let mut starting = b"E\0\0\0\x35SFATAL\0C57P03\0Mthe database system is starting up\0\0".to_vec();
    let length = u8::try_from(starting.len() - 1).expect("short");
    starting[4] = length;
    let mut flood = b"E\x7f\xff\xff\xff".to_vec();
    flood.resize(4_096, b'x');
    for (says, for_ever, end) in [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            false,
            " does not speak PostgreSQL's protocol. Is it the right port?",
        ),
        (starting, false, " is starting up (the database system is starting up)."),
        (flood, true, " sent more than 1 MiB for one sample, reading stopped."),
    ] {
        let at = impostor(says, for_ever);
        let config = format!("url = \"postgres://viewer@{at}/app\"\nsslmode = \"disable\"");
        let failure = complaint(&mut *sampler("postgres", &config)).await;
        assert_eq!(failure.what.as_str(), format!("{at}{end}"));
    }
}
