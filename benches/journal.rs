//! What a durable record costs: the time from an intent that is handed over until it is synced, with its hash chain and
//! its lock, on the disk of the build folder: `cargo bench --bench journal`, or `-- FOLDER` for another one. A bare
//! write with a sync stands beside it: quote both of one run, and the aim, 20 ms in 99 of 100, on a machine at rest.
#![expect(clippy::print_stdout, reason = "the line is the program's result")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use watchkeeper::base::Clock as _;
use watchkeeper::journal::{Event, Journal, Record, Session};
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::host::{Host, Login};
use watchkeeper::sys::{process, random};

const INTENTS: usize = 2_000;

/// As long as that of an edit.
fn intent() -> Record {
    Record {
        act: Some("config_set@1".to_owned()),
        plan: Some(random::ulid(RealClock.now().wall)),
        plan_sha: Some("ab".repeat(32)),
        args: vec!["performance.batch_size 1024 → 512 in /etc/app/production.toml".to_owned()],
        ..Record::new(Event::Intent)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let folder = tempfile::tempdir_in(wanted.map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from))?;
    let now = RealClock.now();
    let session =
        Session { host: Host::current(), login: Login::current(), id: random::ulid(now.wall), pid: process::pid() };
    let journal = Journal::open(folder.path(), session, Arc::new(RealClock)).map_err(|fault| fault.to_string())?;
    let mut bare = File::create(folder.path().join("bare"))?;
    let (mut took, mut floor) = (Vec::with_capacity(INTENTS), Vec::with_capacity(INTENTS));
    for _ in 0..INTENTS {
        let (record, from) = (intent(), Instant::now());
        journal.append_durable(record).map_err(|fault| fault.to_string())?;
        took.push(from.elapsed());
        let from = Instant::now();
        bare.write_all(&[b' '; 1_024])?;
        bare.sync_data()?;
        floor.push(from.elapsed());
    }
    for (what, times) in [("durable intent (aim of p99: 20 ms)", took), ("a bare write and fdatasync, in turn", floor)]
    {
        let [p50, p99, most] = [50, 99, 100].map(|share| milliseconds(&times, share));
        println!("{what}: p50 {p50:.2} ms, p99 {p99:.2} ms, most {most:.2} ms of {INTENTS}");
    }
    Ok(())
}

/// What so many of 100 take at most.
fn milliseconds(times: &[Duration], share: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get((times.len() - 1) * share / 100).map_or(0.0, Duration::as_secs_f64) * 1_000.0
}
