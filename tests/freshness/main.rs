//! What stops answering is marked in time (safety.md R21): every kind at its own interval, 50 freezes each at random
//! moments, under the real supervisor and store with virtual time.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "tokio's paused time is the clock here")]

use core::time::Duration;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, sleep_until};
use watchkeeper::base::backoff::Jitter;
use watchkeeper::base::{Clock, Freshness, Mono, Now, Observation, Point, Reading, Wall};
use watchkeeper::rules::Bands;
use watchkeeper::samplers::{Job, KINDS, Mailbox, Observed, Sampler, Supervisor};
use watchkeeper::store::{Limits, Selector, Store};
use watchkeeper::sys::bell::Bell;

/// Freezes of each kind.
const FREEZES: usize = 50;

/// Follows tokio's paused time.
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Now {
        let passed = u64::try_from(self.0.elapsed().as_nanos()).expect("short");
        Now { mono: Mono(passed + 3_600_000_000_000), wall: Wall(0) }
    }
}

/// How a source freezes.
#[derive(Clone, Copy, Debug)]
enum Ice {
    /// It takes the question and never answers.
    Silent,
    /// It refuses, as a process that is gone does.
    Refusing,
}

/// Answers until it freezes.
struct Source {
    until: Instant,
    ice: Ice,
}

impl Sampler for Source {
    fn observe(&mut self, _: Now) -> Observed<'_> {
        let frozen = Instant::now() >= self.until;
        let ice = self.ice;
        Box::pin(async move {
            match (frozen, ice) {
                (false, _) => {
                    Ok(Observation { points: vec![Point::gauge("depth", &[], 7.0)], ..Observation::default() })
                }
                (true, Ice::Silent) => std::future::pending().await,
                (true, Ice::Refusing) => Err(watchkeeper::base::Failure::unreachable("gone.")),
            }
        })
    }
}

/// How long after the freeze the last LIVE picture was taken; the store is asked twenty times an interval.
async fn freeze(every: Duration, seed: u64, ice: Ice) -> Duration {
    let mut jitter = Jitter(seed);
    let clock: Arc<dyn Clock> = Arc::new(Virtual(Instant::now()));
    let mailbox = Arc::new(Mailbox::new(Arc::new(Bell::default())));
    let until = Instant::now() + every.mul_f64(3.0 + 3.0 * jitter.unit());
    let job = Job { name: "s".into(), sampler: Box::new(Source { until, ice }), every, timeout: None };
    let _supervisor =
        Supervisor::start(vec![job], Arc::clone(&mailbox), Arc::clone(&clock), jitter.next(), &Handle::current());
    let mut store = Store::new(Limits::default());
    store.declare(&"s".into(), every, false);
    let bands = Bands::limits(10.0, 20.0);
    let mut last_live = Duration::ZERO;
    let end = until + every * 8 + Duration::from_secs(90);
    let mut seen_live = false;
    while Instant::now() < end {
        sleep(every / 20).await;
        for sample in mailbox.drain() {
            store.ingest(&sample);
        }
        let now = clock.now().mono;
        for id in store.select(&Selector::metric("depth")) {
            let reading = store.reading(id, now);
            let Reading::Value { freshness, .. } = reading else { continue };
            match freshness {
                Freshness::Live => {
                    seen_live = true;
                    last_live = Instant::now().saturating_duration_since(until);
                }
                Freshness::Late => {}
                _ => assert_eq!(reading.usable(), None, "a stale value has no health"),
            }
            if reading.usable().is_some() {
                assert_eq!(bands.level(7.0), watchkeeper::base::Level::Ok);
            }
        }
    }
    assert!(seen_live, "it was live before");
    sleep_until(end).await;
    last_live
}

#[tokio::test(start_paused = true)]
async fn a_frozen_source_of_any_kind_is_marked_within_two_intervals_and_a_second() {
    let mut seed = 0;
    for kind in KINDS {
        let every = kind.every();
        let limit = every * 2 + Duration::from_secs(1);
        for at in 0..FREEZES {
            seed += 1;
            let ice = if at % 2 == 0 { Ice::Silent } else { Ice::Refusing };
            let live = freeze(every, seed, ice).await;
            assert!(live <= limit, "{}: LIVE {live:?} after the freeze ({ice:?}, seed {seed})", kind.name());
        }
    }
}
