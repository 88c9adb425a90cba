//! Every sampler kind against real peers: another LMDB, the node exporter, servers that misbehave.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, says what it skips, and starts its peers"
)]

mod burst;
mod command;
mod container;
mod discover;
mod fake_nvml;
mod file;
mod gpu;
mod gpu_child;
mod hang;
mod host;
mod http;
mod http_asks;
mod lmdb;
mod lmdb_full;
mod login;
mod mounts;
mod peer;
mod planar;
#[cfg(feature = "postgres")]
mod postgres;
mod probe;
mod process;
mod rabbitmq;
#[cfg(feature = "redis")]
mod redis;
mod scrape;
mod secrets;
mod server;
mod sqlite;
mod supervisor;
mod systemd;
mod tcp;
mod tls;
mod websocket;

use watchkeeper::base::{Body, Clock, Failure, Observation};
use watchkeeper::samplers::{KINDS, Sampler, kind};
use watchkeeper::sys::clock::RealClock;

/// A sampler of this kind from the lines of its table.
fn sampler(name: &str, config: &str) -> Box<dyn Sampler> {
    let body = Body::parse("profile.toml", config).expect("TOML");
    kind(name).expect("a kind").build(&body).expect("a valid table")
}

/// One attempt, now.
async fn observe(sampler: &mut dyn Sampler) -> Result<Observation, Failure> {
    sampler.observe(RealClock.now()).await
}

/// What a failed attempt has measured all the same.
fn measured(failure: Failure) -> Observation {
    failure.seen
}

/// The value of the first series with this name whose labels hold all of these.
fn find(seen: &Observation, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let fits = |point: &&watchkeeper::base::Point| {
        point.key.name.as_str() == name
            && labels.iter().all(|(name, value)| point.key.label(name).is_some_and(|found| found.as_str() == *value))
    };
    seen.points.iter().find(fits).map(|point| point.value)
}

/// The same, where its absence is a failure of the test.
fn value(seen: &Observation, name: &str, labels: &[(&str, &str)]) -> f64 {
    find(seen, name, labels).unwrap_or_else(|| panic!("no {name} {labels:?} in {:?}", seen.points))
}

#[test]
fn every_kind_is_found_by_its_name_and_is_never_hasty() {
    for known in KINDS {
        assert!(kind(known.name()).is_some_and(|found| found.about() == known.about()), "{}", known.name());
        assert!(known.every() >= core::time::Duration::from_secs(1), "{}", known.name());
    }
    assert!(kind("nothing").is_none());
}
