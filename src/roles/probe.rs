//! The runner's own eyes: the samplers that its plan names, run by itself, so that VERIFIED needs no console.

use super::session::reference;
use super::{runner, setup};
use crate::action::act::Probe;
use crate::action::plan::Plan;
use crate::action::verify::Seen;
use crate::app::readings;
use crate::base::{Clean, Clock, Fault, Mono};
use crate::config::{SearchPath, load_profile};
use crate::rules::expr::{Evaluator, Expr};
use crate::rules::{Live, WallOffset};
use crate::samplers::{Job, Mailbox, Supervisor, THREADS};
use crate::store::{Limits, Store};
use crate::sys::bell::Bell;
use crate::sys::clock::RealClock;
use crate::sys::random;
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Runs the runner's role on a run folder. Returns its exit status.
pub fn run(run_dir: &Path) -> u8 {
    let clock: Arc<dyn Clock> = Arc::new(RealClock);
    crate::sys::group::adopt_orphans();
    runner::main(run_dir, &clock, |plan| Ok(Box::new(Eyes::open(plan)?)))
}

/// What a runner, or who goes its way without doing anything, sees.
pub(super) struct Eyes {
    bell: Arc<Bell>,
    mailbox: Arc<Mailbox>,
    store: Store,
    queries: Vec<(String, Expr)>,
    evaluator: Evaluator,
    wall: WallOffset,
    /// Up to where each query has been told.
    told: Vec<Mono>,
    /// By the sampler whose newest attempt failed.
    troubles: BTreeMap<Arc<str>, Clean>,
    _supervisor: Option<Supervisor>,
    runtime: Option<Runtime>,
}

impl Drop for Eyes {
    /// A sampler that hangs must not keep a runner, and the target's lock with it (safety.md F5).
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Eyes {
    /// Starts the samplers that the plan names.
    ///
    /// # Errors
    /// That they cannot be started, or that its profile no longer has them.
    pub(super) fn open(plan: &Plan) -> Result<Self, Fault> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(THREADS)
            .enable_all()
            .build()
            .map_err(|error| Fault::new(format!("no sampler can be started: {error}.")))?;
        let bell = Arc::new(Bell::default());
        let mailbox = Arc::new(Mailbox::new(Arc::clone(&bell)));
        let mut store = Store::new(Limits::default());
        let jobs = jobs(plan, &mut store)?;
        let queries = plan.queries();
        let queries: Vec<(String, Expr)> = queries
            .into_iter()
            .map(|query| Expr::parse(&query).map(|parsed| (query, parsed)))
            .collect::<Result<_, _>>()?;
        let seed = u64::try_from(random::bits() & u128::from(u64::MAX)).unwrap_or(0);
        let clock: Arc<dyn Clock> = Arc::new(RealClock);
        let supervisor = Supervisor::start(jobs, Arc::clone(&mailbox), clock, seed, runtime.handle());
        let told = vec![RealClock.now().mono; queries.len()];
        let (evaluator, wall) = (Evaluator::default(), WallOffset::default());
        Ok(Self {
            bell,
            mailbox,
            store,
            queries,
            evaluator,
            wall,
            told,
            troubles: BTreeMap::new(),
            _supervisor: Some(supervisor),
            runtime: Some(runtime),
        })
    }

    fn fresh(&mut self) -> Vec<Seen> {
        for sample in self.mailbox.drain() {
            self.store.ingest(&sample);
            match sample.outcome {
                Ok(_) => drop(self.troubles.remove(&sample.sampler)),
                Err(failure) => drop(self.troubles.insert(sample.sampler, failure.what)),
            }
        }
        let live = Live::new(&self.store, RealClock.now(), &mut self.wall);
        let mut seen = Vec::new();
        for ((query, expr), told) in self.queries.iter().zip(&mut self.told) {
            let Some(selector) = expr.plain_selector() else {
                seen.extend(answered(&mut self.evaluator, &live, (query, expr), told));
                continue;
            };
            let [id] = self.store.select(selector)[..] else { continue };
            let from = *told + Duration::from_nanos(1);
            for (at, value) in self.store.points(id, from, Mono(u64::MAX)) {
                *told = at;
                seen.extend(value.map(|value| Seen { query: query.clone(), at, value }));
            }
        }
        seen
    }
}

/// What an expression answers, once for each time that all of its samplers have given something new.
fn answered(evaluator: &mut Evaluator, live: &Live<'_>, (query, expr): (&str, &Expr), told: &mut Mono) -> Option<Seen> {
    let feeding = live.feeding(expr.selectors());
    let at = feeding.iter().map(|feeder| feeder.good).min().flatten().filter(|at| at > told)?;
    let answer = evaluator.instant(expr, live, live.millis(live.finished(expr.selectors()).mono)).ok()?;
    let value = readings::one(answer.value).ok()?.value;
    *told = at;
    Some(Seen { query: query.to_owned(), at, value })
}

impl Probe for Eyes {
    fn points(&mut self, limit: Duration) -> Vec<Seen> {
        let begun = RealClock.now().mono;
        loop {
            let seen = self.fresh();
            let passed = RealClock.now().mono.since(begun);
            if !seen.is_empty() || passed >= limit {
                return seen;
            }
            self.bell.wait(limit.saturating_sub(passed), false);
        }
    }

    fn troubles(&self, query: &str) -> Vec<Clean> {
        let expr = self.queries.iter().find(|(known, _)| known == query).map(|(_, expr)| expr);
        let feeders = expr.map(|expr| self.store.feeders(expr.selectors())).unwrap_or_default();
        let told = feeders.iter().filter(|feeder| !feeder.told_failing).filter_map(|feeder| {
            let trouble = self.troubles.get(feeder.name)?;
            let named = trouble.as_str().starts_with(&**feeder.name);
            Some(if named { trouble.clone() } else { crate::clean!("{}: {trouble}", feeder.name) })
        });
        told.collect()
    }
}

fn jobs(plan: &Plan, store: &mut Store) -> Result<Vec<Job>, Fault> {
    let Some(judging) = &plan.judging else { return Ok(Vec::new()) };
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    let profile = load_profile(&reference(&judging.profile), &search, &setup::known_kinds())?;
    let mut jobs = Vec::new();
    for name in &judging.samplers {
        let spec = profile.samplers.iter().find(|spec| *spec.name == **name).ok_or_else(|| {
            Fault::new(format!("the profile {} has no sampler `{name}` to verify with.", judging.profile))
        })?;
        let job = setup::job(spec)?;
        if spec.needs.as_ref().is_none_or(|path| path.exists()) {
            setup::declare(spec, job.every, store);
        } else {
            // The plan was made without it: it must not be waited for where others give the same.
            store.declare(&job.name, job.every, spec.simulated);
        }
        jobs.push(job);
    }
    Ok(jobs)
}
