//! Runs every sampler on its grid: first at once, then in step; one attempt in flight each, a deadline on every
//! attempt, a growing pause after silence, panics caught, and never more than 50 attempts a second in all.

use super::schedule::{Circuit, Gate, Grid, Phases};
use super::{Mailbox, Sampler};
use crate::base::backoff::Jitter;
use crate::base::scrub::scrub;
use crate::base::{Clock, Failure, Mono, Observation, Sample, Unit};
use core::any::Any;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use futures_util::FutureExt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// No attempt may take longer, whatever its interval.
const LONGEST: Duration = Duration::from_secs(5);
/// No sampler is asked more often.
const SHORTEST: Duration = Duration::from_secs(1);

/// One sampler to run.
pub struct Job {
    /// Its name in the profile, unique.
    pub name: Arc<str>,
    /// What observes.
    pub sampler: Box<dyn Sampler>,
    /// How often; less than a second counts as a second.
    pub every: Duration,
    /// Deadline of one attempt; at most `every` and five seconds, which is also what `None` means.
    pub timeout: Option<Duration>,
}

/// The running samplers. Dropping it stops them: attempts in flight are dropped too.
#[derive(Debug)]
pub struct Supervisor {
    #[expect(dead_code, reason = "held for its drop, which aborts the tasks")]
    tasks: JoinSet<()>,
}

/// What every task shares.
struct Shared {
    mailbox: Arc<Mailbox>,
    clock: Arc<dyn Clock>,
    gate: Mutex<Gate>,
}

/// One sampler's task.
struct Task {
    job: Job,
    timeout: Duration,
    grid: Grid,
    circuit: Circuit,
    shared: Arc<Shared>,
}

/// How an attempt ended, before the pause after it is known.
enum Ending {
    Observed(Observation),
    Failed(Failure),
    Silent,
    Crashed(String),
}

impl Supervisor {
    /// Starts every job on `runtime` (which needs its timer and I/O enabled). `seed` places jitter and backoff.
    pub fn start(jobs: Vec<Job>, mailbox: Arc<Mailbox>, clock: Arc<dyn Clock>, seed: u64, runtime: &Handle) -> Self {
        let mut jitter = Jitter(seed);
        let start = clock.now().mono;
        let every = |job: &Job| job.every.max(SHORTEST);
        let mut phases = Phases::new(start, jitter.unit(), jobs.iter().map(every));
        let shared = Arc::new(Shared { mailbox, clock, gate: Mutex::default() });
        let mut tasks = JoinSet::new();
        for job in jobs {
            let every = every(&job);
            let timeout = job.timeout.unwrap_or(LONGEST).min(every).min(LONGEST);
            let circuit = Circuit::new(jitter.next());
            let task = Task { timeout, grid: phases.grid(every), circuit, shared: Arc::clone(&shared), job };
            tasks.spawn_on(task.run(), runtime);
        }
        Self { tasks }
    }
}

impl Task {
    async fn run(mut self) {
        // The second sample keeps half an interval of distance from the first, which is off the grid.
        let mut distance = self.grid.every / 2;
        loop {
            let wait = self.place();
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            let next = self.attempt(distance).await;
            distance = Duration::ZERO;
            tokio::time::sleep(next).await;
        }
    }

    /// One attempt, posted; how long to sleep until the next.
    async fn attempt(&mut self, distance: Duration) -> Duration {
        let start = self.shared.clock.now();
        let sampler = &mut self.job.sampler;
        let observing = AssertUnwindSafe(async { sampler.observe(start).await }).catch_unwind();
        let ending = match tokio::time::timeout(self.timeout, observing).await {
            Ok(Ok(Ok(observation))) => Ending::Observed(observation),
            Ok(Ok(Err(failure))) => Ending::Failed(failure),
            Ok(Err(panic)) => Ending::Crashed(words(panic.as_ref())),
            Err(_) => Ending::Silent,
        };
        let seen = self.shared.clock.now();
        let pause = match &ending {
            Ending::Observed(_) => {
                self.circuit.answered();
                Duration::ZERO
            }
            Ending::Failed(failure) if failure.answered => {
                self.circuit.answered();
                Duration::ZERO
            }
            _ => self.circuit.failed(),
        };
        let next_in = self.grid.next(seen.mono + pause.max(distance)).since(seen.mono);
        let outcome = self.outcome(ending, next_in);
        self.shared.mailbox.post(Sample {
            sampler: Arc::clone(&self.job.name),
            seen,
            took: seen.mono.since(start.mono),
            interval: self.grid.every,
            next_in,
            outcome,
        });
        next_in
    }

    fn outcome(&self, ending: Ending, next_in: Duration) -> Result<Observation, Failure> {
        let name = &self.job.name;
        Err(match ending {
            Ending::Observed(observation) => return Ok(observation),
            Ending::Failed(failure) => failure,
            Ending::Silent => Failure::unreachable(format!("{name}: no answer within {}.", span(self.timeout))),
            Ending::Crashed(words) => Failure::unreachable(format!(
                "{name}: the sampler crashed ({words}), restart in {}. Please report it.",
                span(next_in)
            )),
        })
    }

    fn place(&self) -> Duration {
        let now: Mono = self.shared.clock.now().mono;
        self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner).place(now)
    }
}

fn span(of: Duration) -> String {
    Unit::Seconds.show(of.as_secs_f64())
}

/// What a panic said; it may quote foreign text, so secrets are taken out and it stays short.
fn words(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    scrub(said.unwrap_or("without words")).chars().take(120).collect()
}
