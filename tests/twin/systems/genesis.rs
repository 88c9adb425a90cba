//! Genesis as its code has it: keys that change, limits, last values for histograms, series that are not there.

use super::super::probe::{eventually, signal, value};
use super::{Door, GUARD, Played};
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use watchkeeper::roles::twin::systems::System::Genesis;

const TRADING: &str = ".genesis/logs/trading.log";
const SYSTEM: &str = ".genesis/logs/system.log";
const KEY: &str = ".genesis/state/metrics.key";

/// The metrics, with the key of the run that is there now.
fn metrics(played: &Played) -> Door {
    eventually(GUARD, "a key that opens", || {
        std::thread::sleep(Duration::from_millis(300));
        let door = played.door(0, true).with(&format!("Authorization: Bearer {}", played.read(KEY)));
        door.ask("GET", "/metrics").filter(|said| said.status == 200).map(|_| door)
    })
}

fn pending(page: &str) -> f64 {
    page.lines().filter(|line| line.starts_with("genesis_events_pending{")).filter_map(|line| value(line, "")).sum()
}

#[test]
fn its_pages_answer_in_their_form_and_what_is_not_exported_is_not_there() {
    let played = Played::start(Genesis, "quiet", 3);
    let door = metrics(&played);
    let page = eventually(GUARD, "orders", || {
        door.get("/metrics").filter(|page| value(page, "genesis_orders_total") > Some(100.0))
    });
    assert!(page.contains("# TYPE genesis_order_latency_seconds histogram\ngenesis_order_latency_seconds 0.0"));
    assert!(!page.contains("_bucket") && !page.contains("event_processing") && !page.contains("gc_pause"));
    assert!(value(&page, "genesis_up") > Some(0.5) && pending(&page) < 100.0);
    assert_eq!(played.door(0, true).ask("GET", "/metrics").unwrap().status, 401);
    let health = door.ask("GET", "/health").unwrap().json();
    assert!(health["status"] == "healthy" && health["api_key_rotation"].is_string());
    let api = played.door(1, false);
    assert_eq!(api.ask("GET", "/health").unwrap().json()["status"], "healthy");
    assert!(api.ask("GET", "/health/detailed").unwrap().json()["checks"]["database"]["latency_ms"].is_number());
    assert_eq!(played.door(2, false).get("/api/v3/ping").as_deref(), Some("{}"));
    for file in ["audit", "tilt", "compliance"] {
        played.logs(&format!(".genesis/logs/{file}.log"), &["\"level\":\"INFO\"", "REDACTED"]);
    }
    played.logs(TRADING, &["event_processed", "duration_ms", "update_database took "]);
    played.logs(SYSTEM, &["Pool: size=10, checked_in=6, overflow=0, total=10", "GC pause: ", "Current memory: "]);
    assert!(played.read(TRADING).lines().all(|line| line.contains(" | INFO     | {") && line.ends_with('}')));
    let database = std::fs::read(played.twin.demo.dir.join(".genesis/data/genesis.db")).unwrap();
    assert!(database.starts_with(b"SQLite format 3\0"));
    played.leaves_nothing();
}

#[test]
fn too_many_requests_are_429_with_a_time_and_a_restart_makes_the_key_stale() {
    let played = Played::start(Genesis, "quiet", 3);
    let door = metrics(&played);
    let refused = (0..70).find_map(|_| door.ask("GET", "/health").filter(|said| said.status == 429)).unwrap();
    let wait: u64 = refused.head.split("retry-after: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(door.ask("GET", "/metrics").unwrap().status, 200, "a limit of its own");
    played.restart();
    let said = eventually(GUARD, "the start", || door.ask("GET", "/metrics"));
    assert_eq!(said.status, 401, "the key was of the run before");
    assert!(metrics(&played).get("/metrics").is_some());
}

#[test]
fn its_feed_is_a_websocket_that_tells_trades() {
    let played = Played::start(Genesis, "quiet", 3);
    let mut stream =
        eventually(GUARD, "the feed", || TcpStream::connect(("127.0.0.1", played.door(3, false).port)).ok());
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = "GET /ws/btcusdt@trade HTTP/1.1\r\nHost: demo\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let (mut seen, mut part) = (String::new(), [0; 512]);
    while !(seen.starts_with("HTTP/1.1 101") && seen.contains("\"e\":\"trade\"")) {
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&part[..count]));
    }
}

#[test]
fn a_pool_that_is_too_small_slows_the_database_until_it_is_larger() {
    let played = Played::start(Genesis, "slow-database", 3);
    let door = metrics(&played);
    let query = |door: &Door| value(&door.get("/metrics")?, "genesis_db_query_latency_seconds");
    let slow = || {
        std::thread::sleep(Duration::from_secs(1));
        query(&door).filter(|seconds| *seconds > 0.05)
    };
    eventually(GUARD, "slow queries", slow);
    played.logs(SYSTEM, &["Slow query (", "Pool: size=10, checked_in=0, overflow=10, total=20"]);
    played.edit(".env", "CONNECTION_POOL_SIZE=10", "CONNECTION_POOL_SIZE=20");
    played.restart();
    let door = metrics(&played);
    eventually(GUARD, "quick queries", || {
        std::thread::sleep(Duration::from_secs(1));
        let page = door.get("/metrics")?;
        let late = value(&page, "genesis_up")? > 10.0;
        (late && value(&page, "genesis_db_query_latency_seconds")? < 0.01).then_some(())
    });
}

#[test]
fn what_the_process_does_to_itself_goes_with_a_restart() {
    for (incident, series, level, event) in [
        ("event-loop-blocked", "genesis_websocket_latency_ms", 100.0, "Event loop blocked for "),
        ("high-cpu", "genesis_cpu_usage_percent", 70.0, "Slow task: recompute_indicators took "),
    ] {
        let played = Played::start(Genesis, incident, 3);
        let look = |door: &Door| {
            std::thread::sleep(Duration::from_secs(1));
            let page = door.get("/metrics")?;
            Some((value(&page, "genesis_up")?, value(&page, series)?))
        };
        let door = metrics(&played);
        eventually(GUARD, series, || look(&door).filter(|(_, value)| *value > level));
        played.logs(SYSTEM, &[event]);
        played.restart();
        let door = metrics(&played);
        eventually(GUARD, incident, || look(&door).filter(|(up, value)| *up > 10.0 && *value < level));
    }
}

#[test]
fn memory_that_is_not_let_go_shows_outside_too() {
    let played = Played::start(Genesis, "memory-leak", 3);
    let door = metrics(&played);
    let resident = || {
        let text = std::fs::read_to_string(format!("/proc/{}/status", played.pid()?)).ok()?;
        text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
    };
    let first = eventually(GUARD, "the start", resident);
    eventually(GUARD, "40 MB more", || resident().filter(|kib| *kib > first + 40_000));
    let sure = || value(&door.get("/metrics")?, "genesis_memory_leak_confidence").filter(|share| *share > 0.8);
    eventually(GUARD, "its own suspicion", sure);
    played.logs(SYSTEM, &["Current memory: 1"]);
    signal(played.pid().unwrap(), Signal::KILL);
    eventually(GUARD, "another process, and small", || resident().filter(|kib| *kib < first + 20_000));
}

#[test]
fn events_pile_up_until_there_are_more_workers() {
    let played = Played::start(Genesis, "queue-grows", 3);
    let door = metrics(&played);
    let waits = |door: &Door| {
        std::thread::sleep(Duration::from_secs(1));
        door.get("/metrics").map(|page| (value(&page, "genesis_up").unwrap_or_default(), pending(&page)))
    };
    eventually(GUARD, "a thousand", || waits(&door).filter(|(_, events)| *events > 1_000.0));
    played.logs(SYSTEM, &["event bus falls behind"]);
    played.edit(".env", "EVENT_BUS_WORKER_THREADS=4", "EVENT_BUS_WORKER_THREADS=8");
    played.restart();
    let door = metrics(&played);
    eventually(GUARD, "few", || waits(&door).filter(|(up, events)| *up > 10.0 && *events < 100.0));
}
