//! Peers that hang or drip, under the real supervisor in real time: a sentence each, and nothing else waits.

use crate::sampler;
use crate::server::serve;
use core::time::Duration;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use watchkeeper::base::{Clock, Sample};
use watchkeeper::samplers::{Job, Mailbox, Supervisor};
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

/// Samples until `enough`, or until a hang guard far beyond what it takes.
pub(crate) fn collect(mailbox: &Mailbox, bell: &Bell, enough: impl Fn(&[Sample]) -> bool) -> Vec<Sample> {
    let start = RealClock.now().mono;
    let mut samples = Vec::new();
    while !enough(&samples) {
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "hangs; so far: {samples:?}");
        bell.wait(Duration::from_secs(1), false);
        samples.extend(mailbox.drain());
    }
    samples
}

/// Holds a connection until the client is gone.
fn hold(stream: &mut TcpStream, gone: &Mutex<Receiver<()>>, word: &str) -> bool {
    let gone = gone.lock().unwrap_or_else(PoisonError::into_inner);
    while gone.recv_timeout(Duration::from_millis(20)).is_err_and(|error| error == TIMEOUT) {
        if stream.write_all(word.as_bytes()).is_err() {
            return false;
        }
    }
    false
}

const TIMEOUT: std::sync::mpsc::RecvTimeoutError = std::sync::mpsc::RecvTimeoutError::Timeout;

#[test]
fn a_server_that_hangs_or_drips_costs_one_sentence_and_stops_nobody() {
    let (release, gone) = sync_channel::<()>(0);
    let gone = Arc::new(Mutex::new(gone));
    let silent = Arc::clone(&gone);
    let hanging = serve(move |_, stream| hold(stream, &silent, ""));
    let (_keep, never) = sync_channel::<()>(0);
    let never = Mutex::new(never);
    let dripping = serve(move |path, stream| {
        let head = if path == "/head" { "HTTP/1.1 200 OK\r\nX-Slow: " } else { "HTTP/1.1 200 OK\r\n\r\n" };
        stream.write_all(head.as_bytes()).is_ok() && hold(stream, &never, "x")
    });

    let job = |name: &str, kind: &str, config: String| Job {
        name: name.into(),
        sampler: sampler(kind, &config),
        every: Duration::from_secs(1),
        timeout: Some(Duration::from_millis(150)),
    };
    let jobs = vec![
        job("hangs", "http", format!("url = \"http://{}/\"", hanging.at)),
        job("drips", "scrape", format!("url = \"http://{}/body\"", dripping.at)),
        job("host", "host", String::new()),
    ];
    let bell = Arc::new(Bell::default());
    let mailbox = Arc::new(Mailbox::new(Arc::clone(&bell)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let supervisor = Supervisor::start(jobs, Arc::clone(&mailbox), Arc::new(RealClock), 1, runtime.handle());

    let of = |samples: &[Sample], name: &str| samples.iter().filter(|sample| &*sample.sampler == name).count();
    let samples = collect(&mailbox, &bell, |samples| {
        of(samples, "hangs") >= 2 && of(samples, "drips") >= 1 && of(samples, "host") >= 3
    });
    for name in ["hangs", "drips"] {
        for sample in samples.iter().filter(|sample| &*sample.sampler == name) {
            let failure = sample.outcome.as_ref().expect_err("no answer");
            let told = failure.what.as_str();
            assert!(told.starts_with(&format!("{name}: no answer within 150 ms, since ")), "{told}");
            assert!(!failure.answered && sample.took < Duration::from_secs(2), "{sample:?}");
        }
    }
    let host: Vec<&Sample> = samples.iter().filter(|sample| &*sample.sampler == "host").collect();
    assert!(host.iter().all(|sample| sample.outcome.is_ok()));
    drop(supervisor);
    drop(release);
    runtime.shutdown_background();
}
