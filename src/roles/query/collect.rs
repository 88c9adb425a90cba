//! Samplers run without a screen, for as long as an expression needs.

use super::super::session::{Engine, reference};
use super::super::setup;
use crate::base::{Clean, Clock, Fault, Now, Unit};
use crate::config::{Profile, SearchPath, load_or_host, load_profile};
use crate::logs::LogMailbox;
use crate::rules::expr::Expr;
use crate::samplers::{self, Mailbox};
use crate::store::{Limits, MatchOp, Selector, Store};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Without `--for`, no answer is waited for longer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Names that the store itself gives for every sampler.
const OF_ALL: &[&str] = &["up"];

/// What was seen.
pub(super) struct Collected {
    /// The points.
    pub(super) store: Store,
    /// When collecting ended.
    pub(super) now: Now,
    /// What has to be said: who failed, who was not waited for.
    pub(super) notes: Vec<Clean>,
}

/// What is waited for.
struct Need {
    /// Sampler with the answers wanted of it.
    answers: BTreeMap<Arc<str>, u32>,
    /// At least so long, when it was asked for.
    exactly: Option<Duration>,
}

/// Runs the samplers that the expression needs. `say` hears how long it will take.
///
/// # Errors
/// When the profile cannot be had, or nothing can be started.
pub(super) fn collect(
    profile: Option<&str>,
    expr: &Expr,
    exactly: Option<Duration>,
    say: &mut dyn FnMut(&str),
) -> Result<Collected, Fault> {
    let profile = load(profile)?;
    let mut store = Store::new(Limits::default());
    let mut setup = setup::setup(&profile, "this host".into(), &mut store);
    let needed = needed(&profile, expr.selectors());
    setup.jobs.retain(|job| needed.contains(&job.name));
    let mut notes: Vec<Clean> = setup.faults.iter().map(|fault| Clean::text(fault.to_string())).collect();
    if setup.jobs.is_empty() && !expr.selectors().is_empty() {
        notes.push(Clean::text(format!("no sampler of `{}` gives what this expression asks for.", profile.title)));
    }
    let answers = if expr.longest_window() > Duration::ZERO { 2 } else { 1 };
    let need = Need { answers: setup.jobs.iter().map(|job| (Arc::clone(&job.name), answers)).collect(), exactly };
    let longest = setup.jobs.iter().map(|job| job.every).max().unwrap_or_default();
    if !setup.jobs.is_empty() {
        let names: Vec<&str> = setup.jobs.iter().map(|job| &*job.name).collect();
        say(&need.sentence(&names.join(", "), longest));
    }
    let bell = Arc::new(Bell::default());
    let (samples, lines) = (Arc::new(Mailbox::new(Arc::clone(&bell))), Arc::new(LogMailbox::new(Arc::clone(&bell), 1)));
    let engine = Engine::start(setup.jobs, Vec::new(), &samples, &lines)?;
    let now = need.wait(&bell, &samples, &mut store);
    engine.leave();
    notes.extend(failures(&store, &needed));
    Ok(Collected { store, now, notes })
}

fn load(profile: Option<&str>) -> Result<Profile, Fault> {
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    match profile {
        Some(name) => load_profile(&reference(name), &search, &setup::known_kinds()),
        None => Ok(load_or_host(&reference("host"), &search, &setup::known_kinds())),
    }
}

/// The samplers that can give a metric of these selectors; those of which only the source knows what it gives, too.
fn needed(profile: &Profile, selectors: &[Selector]) -> BTreeSet<Arc<str>> {
    let gives = |spec: &crate::config::SamplerSpec, metric: &str| {
        let gives = samplers::kind(&spec.kind).map_or_else(Vec::new, |kind| kind.gives(&spec.body));
        gives.is_empty()
            || gives.iter().any(|name| metric == name || name.ends_with('_') && metric.starts_with(name.as_str()))
    };
    let wants = |spec: &crate::config::SamplerSpec, selector: &Selector| match metric(selector) {
        Some(name) if !OF_ALL.contains(&name) => gives(spec, name),
        _ => true,
    };
    let wanted = profile.samplers.iter().filter(|spec| selectors.iter().any(|selector| wants(spec, selector)));
    wanted.map(|spec| Arc::clone(&spec.name)).collect()
}

/// The one metric that a selector means, when it says so.
fn metric(selector: &Selector) -> Option<&str> {
    let named = selector
        .matchers
        .iter()
        .find(|matcher| matcher.label.as_str() == "__name__" && matches!(matcher.op, MatchOp::Equal));
    selector.name.as_ref().or(named.map(|matcher| &matcher.value)).map(Clean::as_str)
}

impl Need {
    fn limit(&self) -> Duration {
        self.exactly.unwrap_or(PATIENCE)
    }

    fn sentence(&self, names: &str, longest: Duration) -> String {
        let span = |of: Duration| Unit::Seconds.show(of.as_secs_f64());
        match self.exactly {
            Some(exactly) => format!("collecting from {names} for {}", span(exactly)),
            None if self.answers.values().all(|answers| *answers < 2) => {
                format!("waiting for an answer of {names}, {} at most", span(PATIENCE))
            }
            None => format!(
                "waiting for two answers of {names}, which come every {}; {} at most",
                span(longest),
                span(PATIENCE)
            ),
        }
    }

    /// Takes samples in until there are enough; returns when that was.
    fn wait(&self, bell: &Bell, samples: &Mailbox, store: &mut Store) -> Now {
        let begun = RealClock.now().mono;
        let mut seen: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        loop {
            let now = RealClock.now();
            for sample in samples.drain() {
                store.ingest(&sample);
                // A sampler that fails has answered too: nothing more is to be had by waiting.
                *seen.entry(sample.sampler).or_default() += 1;
            }
            let enough = self.answers.iter().all(|(name, wanted)| seen.get(name).is_some_and(|got| got >= wanted));
            let left = self.limit().saturating_sub(now.mono.since(begun));
            if left.is_zero() || (enough && self.exactly.is_none()) {
                return RealClock.now();
            }
            bell.wait(left, false);
        }
    }
}

/// A sentence for every sampler that has not answered, or only with a failure.
fn failures(store: &Store, needed: &BTreeSet<Arc<str>>) -> Vec<Clean> {
    let mut notes = Vec::new();
    for (name, health) in store.samplers().filter(|(name, _)| needed.contains(*name)) {
        match &health.failure {
            Some(failure) => notes.push(failure.what.clone()),
            None if health.last_attempt.is_none() => {
                notes.push(Clean::text(format!("{name} has not answered in time.")));
            }
            None => {}
        }
    }
    notes
}
