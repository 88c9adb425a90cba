//! `postgres` against a real server, with `psql` as the judge.

mod figures;
mod life;

use crate::peer::{Peer, Running};
use crate::{observe, sampler};
use core::time::Duration;
use std::process::{Command, Stdio};
use watchkeeper::base::{Clock, Failure, Observation};
use watchkeeper::samplers::Sampler;
use watchkeeper::sys::clock::RealClock;

pub(super) fn psql(peer: &Peer, sql: &str) -> Command {
    let mut command = Command::new("psql");
    command.args(["-X", "-q", "-At", "-F", " ", "-v", "ON_ERROR_STOP=1", "-d", peer.env("DATABASE_URL"), "-c", sql]);
    command
}

/// What `psql` prints, as the owner of everything.
pub(super) fn ask(peer: &Peer, sql: &str) -> String {
    let output = psql(peer, sql).stdin(Stdio::null()).output().expect("psql runs");
    assert!(output.status.success(), "{sql}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(super) fn figure(peer: &Peer, sql: &str) -> f64 {
    let said = ask(peer, sql);
    said.parse().unwrap_or_else(|_| panic!("{sql}: {said}"))
}

/// Asks until it says so; a hang guard far beyond what it takes.
pub(super) fn until(peer: &Peer, sql: &str, said: &str) {
    let start = RealClock.now().mono;
    while ask(peer, sql) != said {
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "{sql} never says {said}");
    }
}

/// A session that stays at its statement until it is dropped.
pub(super) struct Busy(#[expect(dead_code, reason = "it goes with this")] Running);

impl Busy {
    pub(super) fn start(peer: &Peer, sql: &str) -> Self {
        Self(Running::start(&mut psql(peer, sql), Stdio::null(), Stdio::null()))
    }
}

pub(super) fn watch(peer: &Peer, who: &str, more: &str) -> Box<dyn Sampler> {
    sampler("postgres", &format!("url = \"{}\"\n{more}", peer.env(who)))
}

/// A sample in which everything was answered: a machine that is short of time puts questions off.
pub(super) async fn look(sampler: &mut dyn Sampler) -> Observation {
    for _ in 0..50 {
        let seen = observe(sampler).await.expect("good");
        let late = |why: &str| why.starts_with("not asked") || why.starts_with("the server did not");
        if !seen.not_supported.iter().any(|(_, why)| late(why.as_str())) {
            return seen;
        }
    }
    panic!("the server never has the time");
}

/// The failure of one attempt.
pub(super) async fn complaint(sampler: &mut dyn Sampler) -> Failure {
    let attempt = tokio::time::timeout(Duration::from_secs(20), observe(sampler)).await;
    attempt.expect("an answer in time").expect_err("a failure")
}

pub(super) fn facts<'a>(seen: &'a Observation, begin: &str) -> Vec<(&'a str, &'a str)> {
    let rows = seen.facts.iter().map(|(fact, said)| (fact.as_str(), said.as_str()));
    rows.filter(|(fact, _)| fact.starts_with(begin)).collect()
}

pub(super) fn reason<'a>(seen: &'a Observation, name: &str) -> &'a str {
    let found = seen.not_supported.iter().find(|(metric, _)| metric.as_str() == name);
    found.map_or("", |(_, why)| why.as_str())
}

/// Why this login may not look at a metric.
pub(super) fn refusal<'a>(seen: &'a Observation, name: &str) -> &'a str {
    let found = seen.refused.iter().find(|(metric, _)| metric.as_str() == name);
    found.map_or("", |(_, why)| why.as_str())
}

pub(super) const OURS: &str = "select count(*) from pg_stat_activity where application_name = 'watchkeeper'";
