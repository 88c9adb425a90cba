//! What the engine's stories raise.

use super::super::genesis::{EXCHANGE, Genesis};
use super::super::{Door, Part as _, Run, System};
use super::{Played, Promise, Watch, all_are_promised, is_quiet, keeps, page};
use crate::base::{Now, Point};
use System::Genesis as GENESIS;

const PROMISES: &[Promise] = &[
    (
        "slow-database",
        &[
            ("SlowDatabase", "slow-database"),
            ("Database query", "slow-database"),
            ("BreakerOpen", "first-five-minutes"),
        ],
    ),
    ("queue-grows", &[("Queue depth", "first-five-minutes")]),
    ("connection-pool", &[("PoolOverflowAtCap", "connection-pool"), ("Connection pool (default)", "connection-pool")]),
    ("exchange-limits", &[("NetworkLatency", "network-latency"), ("API response", "first-five-minutes")]),
    (
        "exchange-away",
        &[
            ("ExchangeUnreachable", "network-latency"),
            ("Round trip to Binance reachable", "network-latency"),
            ("WebSockets", "first-five-minutes"),
            ("BreakerOpen", "first-five-minutes"),
        ],
    ),
    ("breaker-open", &[("BreakerOpen", "first-five-minutes"), ("Throughput", "first-five-minutes")]),
    ("cold-cache", &[("Cache hit rate", "first-five-minutes")]),
    ("gc-pauses", &[("GC pause", "gc")]),
    ("stale-key", &[("MetricsSilent", "metrics-silent")]),
    ("crash", &[("PositionsClosedByListener", "engine-restart")]),
];

/// Longer than the longest that one has to hold; and a night that is quiet.
const SECONDS: u64 = 400;

impl Played for Genesis {
    const STEP: u64 = 1;

    fn begin(run: Run<'_>) -> Self {
        Self::start(run).unwrap()
    }

    fn looks(&mut self, now: Now) -> Vec<(&'static str, Option<Vec<Point>>)> {
        let key = std::fs::read_to_string(self.keys.file()).unwrap();
        let metrics = self.keys.open(&key).then(|| page(&self.metrics(now).body));
        let reached = self.door(EXCHANGE, now) == Door::Open;
        let mut exchange = vec![Point::gauge("probe_success", &[], f64::from(u8::from(reached)))];
        if reached {
            exchange.push(Point::gauge("tcp_connect_duration_seconds", &[], 0.012));
        }
        let engine = Point::gauge("namedprocess_namegroup_num_procs", &[("groupname", "genesis")], 1.0);
        vec![("metrics", metrics), ("exchange", Some(exchange)), ("engine", Some(vec![engine]))]
    }
}

#[test]
fn each_story_raises_its_alerts_and_names_their_procedures() {
    // What blocks, computes or leaks does so for real: `tests/twin` looks at it.
    all_are_promised(GENESIS, PROMISES, &["quiet", "event-loop-blocked", "memory-leak", "high-cpu"]);
    for promise in PROMISES {
        drop(keeps::<Genesis>(GENESIS, SECONDS, *promise));
    }
}

#[test]
fn a_quiet_run_raises_none_of_them() {
    is_quiet::<Genesis>(GENESIS, SECONDS, PROMISES);
}

#[test]
fn a_crash_ends_the_process_after_its_last_words_and_does_not_come_again() {
    let mut watch = Watch::<Genesis>::new(GENESIS, "crash");
    watch.pass(30, |_| false);
    assert!(watch.part().is_killed());
    watch.restart();
    watch.pass(30, |_| false);
    assert!(!watch.part().is_killed());
}
