//! The demo's profile against the real thing: it loads without a fault, and every query in it finds a series.

use super::probe::{Twin, eventually};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use watchkeeper::base::{Clock, SeriesKey};
use watchkeeper::config::{KnownKinds, Profile, ProfileRef, SearchPath, Trust, load_profile};
use watchkeeper::roles::twin::Scenario;
use watchkeeper::rules::expr::Expr;
use watchkeeper::samplers::{Job, KINDS, Mailbox, Supervisor, kind};
use watchkeeper::store::Selector;
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

fn load(twin: &Twin) -> Profile {
    let samplers: Vec<&str> = KINDS.iter().map(|kind| kind.name()).collect();
    let known = KnownKinds {
        samplers: &samplers,
        logs: &["file"],
        panes: &["sparkline", "gpu", "lmdb", "host", "log"],
        actions: &["config_restore", "config_set", "lmdb_grow"],
    };
    load_profile(&ProfileRef::Path(twin.demo.profile.clone()), &SearchPath::default(), &known).unwrap()
}

/// Every `query = '…'` of the profile's text.
fn queries(twin: &Twin) -> Vec<String> {
    let text = std::fs::read_to_string(&twin.demo.profile).unwrap();
    let quoted = |rest: &str| {
        let quote = rest.chars().next()?;
        rest.get(1..)?.split(quote).next().map(str::to_owned)
    };
    ["query = ", "traffic = "].iter().flat_map(|key| text.split(key).skip(1)).filter_map(quoted).collect()
}

#[test]
fn the_profile_loads_and_every_query_finds_a_series() {
    let twin = Twin::start(Scenario::GpuMemory, 42);
    let profile = load(&twin);
    assert_eq!(profile.faults, []);
    assert_eq!(profile.trust, Trust::Trusted);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mailbox = Arc::new(Mailbox::new(Arc::new(Bell::default())));
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    let jobs = profile.samplers.iter().map(|spec| Job {
        name: Arc::clone(&spec.name),
        sampler: kind(&spec.kind).unwrap().build(&spec.body).unwrap(),
        every: spec.every.unwrap(),
        timeout: spec.timeout,
    });
    let _running = Supervisor::start(jobs.collect(), Arc::clone(&mailbox), clock, 1, runtime.handle());
    let mut seen: BTreeMap<String, Vec<SeriesKey>> = BTreeMap::new();
    let queries = queries(&twin);
    assert!(queries.len() >= 11, "{queries:?}");
    eventually(Duration::from_secs(150), "a series for every query", || {
        runtime.block_on(async { tokio::time::sleep(Duration::from_millis(100)).await });
        for sample in mailbox.drain() {
            if let Ok(observation) = sample.outcome {
                let keys = observation.points.into_iter().map(|point| point.key).collect();
                seen.insert(sample.sampler.to_string(), keys);
            }
        }
        let found = |query: &String| {
            let expr = Expr::parse(query).unwrap();
            let found = |selector: &Selector| seen.values().flatten().any(|key| selector.matches(key));
            expr.selectors().iter().all(found)
        };
        (queries.iter().all(found) && seen.len() == profile.samplers.len()).then_some(())
    });
}
