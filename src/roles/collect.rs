//! Samplers run without a screen: those that an expression needs, or all of a profile.

use super::session::{Engine, reference};
use super::setup::{self, Setup};
use crate::base::{Clean, Clock, Fault, Mono, Now};
use crate::config::{Profile, SearchPath, load_or_host, load_profile};
use crate::logs::LogMailbox;
use crate::rules::lint;
use crate::samplers::{Job, Mailbox, OWN};
use crate::store::{Limits, Selector, Store};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::group;
use crate::sys::signal::on_stop;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Samplers at work, and what they have said so far.
pub(super) struct Collector {
    /// The points.
    pub(super) store: Store,
    engine: Engine,
    bell: Arc<Bell>,
    samples: Arc<Mailbox>,
    /// How often each sampler has answered; failures count, since waiting would not mend them.
    answers: BTreeMap<Arc<str>, u32>,
    begun: Mono,
}

impl Collector {
    /// Starts the samplers that these selectors need. `say` hears what is wrong with the profile.
    ///
    /// # Errors
    /// When the profile cannot be had, or nothing can be started.
    pub(super) fn start(
        profile: Option<&str>,
        selectors: &[Selector],
        say: &mut dyn FnMut(&str),
    ) -> Result<Self, Fault> {
        let profile = load(profile)?;
        let mut store = Store::new(Limits::default());
        let mut setup = setup::setup(&profile, "this host".into(), &mut store);
        let needed = needed(&store, selectors);
        setup.jobs.retain(|job| needed.contains(&job.name));
        for fault in &setup.faults {
            say(&fault.to_string());
        }
        for metric in selectors.iter().filter_map(Selector::metric_name) {
            let makers = store.makers(metric);
            if makers.known.is_empty() && makers.possible.is_empty() {
                say(&format!("no sampler of this profile makes `{metric}`."));
            }
        }
        Self::run(setup.jobs, store, needed.contains(OWN))
    }

    /// Starts every sampler of a profile; what else it asks for comes back.
    ///
    /// # Errors
    /// As [`Collector::start`].
    pub(super) fn all(profile: Option<&str>, host: Clean) -> Result<(Self, Profile, Setup), Fault> {
        let profile = load(profile)?;
        let mut store = Store::new(Limits::default());
        let mut setup = setup::setup(&profile, host, &mut store);
        let collector = Self::run(core::mem::take(&mut setup.jobs), store, true)?;
        Ok((collector, profile, setup))
    }

    /// `own`: what the console tells of itself is waited for too.
    fn run(jobs: Vec<Job>, store: Store, own: bool) -> Result<Self, Fault> {
        let bell = Arc::new(Bell::default());
        let samples = Arc::new(Mailbox::new(Arc::clone(&bell)));
        let lines = Arc::new(LogMailbox::new(Arc::clone(&bell), 1));
        let own = own.then(|| OWN.into());
        let answers = jobs.iter().map(|job| Arc::clone(&job.name)).chain(own).map(|name| (name, 0)).collect();
        let begun = RealClock.now().mono;
        on_stop(group::end_all).map_err(|error| Fault::new(format!("no sampler can be started: {error}.")))?;
        let engine = Engine::start(jobs, (Vec::new(), Vec::new()), &samples, &lines, false)?;
        Ok(Self { store, engine, bell, samples, answers, begun })
    }

    /// The samplers that were started, as a list in words.
    pub(super) fn names(&self) -> String {
        self.answers.keys().map(|name| &**name).collect::<Vec<_>>().join(", ")
    }

    /// Takes samples in until every sampler has answered so often, or until so long after the start. For a second
    /// answer only those are waited for that can give it by then.
    pub(super) fn until(&mut self, answers: u32, limit: Duration) -> Now {
        loop {
            for sample in self.samples.drain() {
                self.store.ingest(&sample);
                self.answers.get_mut(&sample.sampler).into_iter().for_each(|given| *given += 1);
            }
            let now = RealClock.now();
            let left = limit.saturating_sub(now.mono.since(self.begun));
            let slow = |name: &Arc<str>| self.store.sampler(name).is_some_and(|health| health.interval > limit);
            let done = |(name, given): (&Arc<str>, &u32)| *given >= answers || (*given > 0 && slow(name));
            if left.is_zero() || self.answers.iter().all(done) {
                return now;
            }
            self.bell.wait(left, false);
        }
    }

    /// A sentence for every sampler that has not answered, or with a failure.
    pub(super) fn failures(&self) -> Vec<String> {
        let started = self.store.samplers().filter(|(name, _)| self.answers.contains_key(*name));
        let said = started.filter_map(|(name, health)| match &health.failure {
            Some(failure) => Some(failure.what.to_string()),
            None => health.last_attempt.is_none().then(|| format!("{name} has not answered in time.")),
        });
        let dropped = lint::samplers(&self.store).into_iter().map(|found| found.to_string());
        said.chain(dropped).collect()
    }

    /// Lets the samplers go; what they said remains.
    pub(super) fn into_store(self) -> Store {
        self.engine.leave();
        self.store
    }

    /// Lets the samplers go.
    pub(super) fn leave(self) {
        self.engine.leave();
    }
}

fn load(profile: Option<&str>) -> Result<Profile, Fault> {
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    match profile {
        Some(name) => load_profile(&reference(name), &search, &setup::known_kinds()),
        None => Ok(load_or_host(&reference("host"), &search, &setup::known_kinds())),
    }
}

/// The samplers that give a metric of these selectors, or may: all of them where a selector names none.
fn needed(store: &Store, selectors: &[Selector]) -> BTreeSet<Arc<str>> {
    let all = || store.samplers().map(|(name, _)| Arc::clone(name)).collect::<Vec<_>>();
    let of = |selector: &Selector| match selector.metric_name() {
        None => all(),
        Some(metric) => {
            let makers = store.makers(metric);
            makers.known.into_iter().chain(makers.possible).collect()
        }
    };
    selectors.iter().flat_map(of).collect()
}
