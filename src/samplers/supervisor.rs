//! Runs every sampler on its grid: first at once, then in step; one attempt in flight each, a deadline on every
//! attempt, a growing pause after silence, panics caught, and never more than 50 attempts a second in all. What that
//! costs is told as a sample of its own.

use super::cost::{self, Tally, Usage};
use super::pace::Pace;
use super::schedule::{CAP_PER_SECOND, Circuit, Gate, Grid, Phases};
use super::{Mailbox, Sampler, wall};
use crate::base::backoff::Jitter;
use crate::base::scrub::scrub;
use crate::base::{Clock, Failure, Mono, Observation, Sample, Unit, Wall};
use crate::sys::secret::hide;
use core::any::Any;
use core::panic::AssertUnwindSafe;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use futures_util::FutureExt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// No attempt may take longer, whatever its interval.
const LONGEST: Duration = Duration::from_secs(5);
/// No sampler is asked more often.
const SHORTEST: Duration = Duration::from_secs(1);

/// News wakes none sooner after its last attempt: a flood of it is no reason to sample without a pause.
const SOONEST: Duration = Duration::from_millis(500);

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
    /// What all intervals are multiplied by.
    factor: AtomicU32,
    tallies: Mutex<Vec<Tally>>,
    /// Every sampler has ended its first attempt.
    round: Notify,
}

/// What tells our own cost.
struct Own {
    pace: Pace,
    gentle: bool,
    /// Reads what this process has used; tests script it.
    usage: Box<dyn FnMut() -> Option<Usage> + Send>,
    shared: Arc<Shared>,
}

/// One sampler's task.
struct Task {
    job: Job,
    /// Its place in the tallies.
    at: usize,
    timeout: Duration,
    grid: Grid,
    circuit: Circuit,
    /// When the first of the attempts began that have not ended in time since.
    silent: Option<Wall>,
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
        Self::begin(jobs, mailbox, clock, (seed, false), None, runtime)
    }

    /// The same, and tells every two seconds what it costs, as the sampler [`cost::OWN`]: above 5 % of a core for ten
    /// seconds it lengthens all intervals and says so. `gentle` makes them five times as long from the start.
    pub fn start_counted(
        jobs: Vec<Job>,
        mailbox: Arc<Mailbox>,
        clock: Arc<dyn Clock>,
        (seed, gentle): (u64, bool),
        runtime: &Handle,
    ) -> Self {
        Self::begin(jobs, mailbox, clock, (seed, gentle), Some(Box::new(cost::usage)), runtime)
    }

    fn begin(
        jobs: Vec<Job>,
        mailbox: Arc<Mailbox>,
        clock: Arc<dyn Clock>,
        (seed, gentle): (u64, bool),
        usage: Option<Box<dyn FnMut() -> Option<Usage> + Send>>,
        runtime: &Handle,
    ) -> Self {
        let mut jitter = Jitter(seed);
        let start = clock.now().mono;
        let every = |job: &Job| job.every.max(SHORTEST);
        let rate = jobs.iter().map(|job| every(job).as_secs_f64().recip()).sum();
        let pace = Pace::new(gentle, rate, CAP_PER_SECOND);
        let mut phases = Phases::new(start, jitter.unit(), jobs.iter().map(every));
        let tallies = jobs.iter().map(|job| Tally::new(&job.name)).collect();
        let factor = AtomicU32::new(pace.factor());
        let (gate, tallies, round) = (Mutex::default(), Mutex::new(tallies), Notify::new());
        let shared = Arc::new(Shared { mailbox, clock, gate, factor, tallies, round });
        let mut tasks = JoinSet::new();
        for (at, job) in jobs.into_iter().enumerate() {
            let every = every(&job);
            let timeout = job.timeout.unwrap_or(LONGEST).min(every).min(LONGEST);
            let circuit = Circuit::new(jitter.next());
            let task =
                Task { timeout, grid: phases.grid(every), circuit, silent: None, shared: Arc::clone(&shared), at, job };
            tasks.spawn_on(task.run(), runtime);
        }
        if let Some(usage) = usage {
            tasks.spawn_on(Own { pace, gentle, usage, shared }.run(), runtime);
        }
        Self { tasks }
    }
}

impl Own {
    async fn run(mut self) {
        let mut before: Option<(Mono, Duration)> = None;
        // What one round has cost is told as soon as it is over.
        let _round_or_time = tokio::time::timeout(cost::EVERY, self.shared.round.notified()).await;
        loop {
            let start = self.shared.clock.now();
            let usage = (self.usage)();
            let after = usage.map(|usage| (start.mono, usage.cpu));
            let share = before.zip(after).and_then(|(before, after)| cost::share(before, after));
            before = after;
            if share.is_some_and(|share| self.pace.note(start.mono, share)) {
                self.shared.factor.store(self.pace.factor(), Ordering::Relaxed);
                let text = self.pace.why(self.gentle).map(|(_, text)| text);
                tracing::warn!("{}", text.as_deref().unwrap_or("all intervals are as the profile says again"));
            }
            let tallies = self.shared.tallies.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let about = (&self.pace, self.gentle, self.shared.mailbox.replaced());
            let seen = self.shared.clock.now();
            self.shared.mailbox.post(Sample {
                sampler: cost::OWN.into(),
                seen,
                took: seen.mono.since(start.mono),
                interval: cost::EVERY,
                next_in: cost::EVERY,
                outcome: Ok(cost::observation(usage, share, &tallies, about)),
            });
            tokio::time::sleep(cost::EVERY).await;
        }
    }
}

impl Task {
    async fn run(mut self) {
        // The second sample keeps half an interval of distance from the first, which is off the grid.
        let asked = self.grid.every;
        let mut distance = asked / 2;
        loop {
            let wait = self.place();
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
            self.grid.every = asked * self.shared.factor.load(Ordering::Relaxed).max(1);
            let next = self.attempt(distance).await;
            // After one before its turn, the next keeps its distance too: a value of one look is there to be seen.
            distance = if self.rest(next).await { asked / 2 } else { Duration::ZERO };
        }
    }

    /// Sleeps until the next attempt; whether it was woken before its turn.
    async fn rest(&mut self, next: Duration) -> bool {
        let Some(news) = self.job.sampler.news() else {
            tokio::time::sleep(next).await;
            return false;
        };
        let woken = async {
            tokio::time::sleep(SOONEST).await;
            news.wait().await;
        };
        tokio::time::timeout(next, woken).await.is_ok()
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
        self.silent = matches!(ending, Ending::Silent).then(|| self.silent.unwrap_or(start.wall));
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
        let (took, good) = (seen.mono.since(start.mono), matches!(ending, Ending::Observed(_)));
        let mut outcome = self.outcome(ending, next_in);
        wall::hide(&mut outcome);
        self.shared.mailbox.post(Sample {
            sampler: Arc::clone(&self.job.name),
            seen,
            took,
            interval: self.grid.every,
            next_in,
            outcome,
        });
        self.count(took, good);
        next_in
    }

    fn count(&self, took: Duration, good: bool) {
        let mut tallies = self.shared.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tally) = tallies.get_mut(self.at) else { return };
        tally.count(took, good);
        if tally.attempts == 1 && tallies.iter().all(|tally| tally.attempts > 0) {
            self.shared.round.notify_one();
        }
    }

    fn outcome(&self, ending: Ending, next_in: Duration) -> Result<Observation, Failure> {
        let name = &self.job.name;
        Err(match ending {
            Ending::Observed(observation) => return Ok(observation),
            Ending::Failed(failure) => failure,
            Ending::Silent => {
                let since = self.silent.unwrap_or_default().hms();
                let what = format!("{name}: no answer within {}, since {since} UTC.", span(self.timeout));
                Failure::unreachable(what).with(self.job.sampler.unheard())
            }
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
    // Hidden before it is cut: half a secret is no known form.
    scrub(&hide(said.unwrap_or("without words"))).chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clean, Now, Point};
    use crate::samplers::Observed;
    use crate::sys::bell::Bell;
    use crate::sys::news::News;
    use std::collections::VecDeque;
    use tokio::time::{Instant, sleep};

    const SECOND: Duration = Duration::from_secs(1);

    /// Follows tokio's paused time.
    struct Virtual(Instant);

    impl Clock for Virtual {
        fn now(&self) -> Now {
            let passed = u64::try_from(self.0.elapsed().as_nanos()).expect("short");
            Now { mono: Mono(passed), wall: Wall(0) }
        }
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Act {
        Good,
        Bad,
        Refused,
        Hang,
        Panic,
        Take(Duration),
    }

    type Starts = Arc<Mutex<Vec<Mono>>>;

    /// Does as told, then goes on with its last act.
    struct Scripted {
        acts: VecDeque<Act>,
        starts: Starts,
    }

    impl Sampler for Scripted {
        fn observe(&mut self, now: Now) -> Observed<'_> {
            self.starts.lock().expect("no panic").push(now.mono);
            let act = if self.acts.len() > 1 { self.acts.pop_front() } else { self.acts.front().copied() };
            Box::pin(async move {
                match act.expect("one act") {
                    Act::Good => {}
                    Act::Bad => return Err(Failure::answered("x answered 503.")),
                    Act::Refused => return Err(Failure::unreachable("x refused the connection.")),
                    Act::Hang => std::future::pending().await,
                    Act::Panic => panic!("password=hunter2 in {}", "words"),
                    Act::Take(span) => sleep(span).await,
                }
                Ok(Observation::default())
            })
        }

        fn unheard(&self) -> Vec<Point> {
            vec![Point::gauge("scripted_up", &[], 0.0)]
        }
    }

    struct Stage {
        mailbox: Arc<Mailbox>,
        clock: Arc<dyn Clock>,
        supervisor: Option<Supervisor>,
        starts: Vec<Starts>,
    }

    #[expect(clippy::disallowed_methods, reason = "tokio's paused time is the clock here")]
    fn stage(scripts: &[(Duration, &[Act])]) -> Stage {
        let mailbox = Arc::new(Mailbox::new(Arc::new(Bell::default())));
        let clock: Arc<dyn Clock> = Arc::new(Virtual(Instant::now()));
        let starts: Vec<Starts> = scripts.iter().map(|_| Starts::default()).collect();
        let jobs = scripts.iter().zip(&starts).enumerate().map(|(at, ((every, acts), starts))| Job {
            name: format!("s{at}").into(),
            sampler: Box::new(Scripted { acts: acts.iter().copied().collect(), starts: Arc::clone(starts) }),
            every: *every,
            timeout: None,
        });
        let supervisor =
            Supervisor::start(jobs.collect(), Arc::clone(&mailbox), Arc::clone(&clock), 7, &Handle::current());
        Stage { mailbox, clock, supervisor: Some(supervisor), starts }
    }

    impl Stage {
        /// Runs for `span` and takes every sample as it comes.
        async fn run(&self, span: Duration) -> Vec<Sample> {
            let end = self.clock.now().mono + span;
            let mut samples = Vec::new();
            while self.clock.now().mono < end {
                sleep(Duration::from_millis(10)).await;
                samples.extend(self.mailbox.drain());
            }
            samples
        }

        fn starts(&self, of: usize) -> Vec<Mono> {
            self.starts[of].lock().expect("no panic").clone()
        }
    }

    fn gaps(starts: &[Mono]) -> Vec<u128> {
        starts.windows(2).map(|pair| pair[1].since(pair[0]).as_millis()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_sample_comes_at_once_and_the_others_keep_a_grid_that_samplers_share() {
        let stage = stage(&[(SECOND, &[Act::Good]), (SECOND * 5, &[Act::Good]), (SECOND, &[Act::Good])]);
        stage.run(SECOND * 21).await;
        let starts = stage.starts(0);
        assert!(starts[0].0 < 20_000_000, "at once");
        let to_grid = starts[1].since(starts[0]);
        assert!(to_grid >= SECOND / 2 && to_grid <= SECOND * 3 / 2, "{to_grid:?}");
        assert!(gaps(&starts[1..]).iter().all(|gap| (999..=1_001).contains(gap)), "{:?}", gaps(&starts));
        let off = |at: Mono| at.0 / 1_000_000 % 1_000;
        assert_eq!(off(stage.starts(1)[1]), off(starts[1]), "slow and fast wake together");
        assert_eq!(stage.starts(2)[1..], starts[1..]);
        assert_eq!(stage.starts(1).len(), 5);
    }

    /// Observes at once, and again on news.
    struct Told(Arc<News>, Starts);

    impl Sampler for Told {
        fn observe(&mut self, now: Now) -> Observed<'_> {
            self.1.lock().expect("no panic").push(now.mono);
            Box::pin(async { Ok(Observation::default()) })
        }

        fn news(&self) -> Option<Arc<News>> {
            Some(Arc::clone(&self.0))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn news_wakes_a_sampler_before_its_turn_and_a_flood_of_it_twice_a_second_at_most() {
        let (news, starts) = (Arc::new(News::default()), Starts::default());
        let told = Told(Arc::clone(&news), Arc::clone(&starts));
        let job = Job { name: "told".into(), sampler: Box::new(told), every: SECOND * 10, timeout: None };
        let mut stage = stage(&[]);
        let (mailbox, clock) = (Arc::clone(&stage.mailbox), Arc::clone(&stage.clock));
        stage.supervisor = Some(Supervisor::start(vec![job], mailbox, clock, 7, &Handle::current()));
        stage.run(SECOND * 3).await;
        news.tell();
        let woken = stage.run(SECOND).await;
        let [one] = woken.as_slice() else { panic!("{woken:?}") };
        assert!(one.seen.mono.since(starts.lock().expect("no panic")[0]) < SECOND * 7 / 2, "at once");
        assert!(one.interval == SECOND * 10 && one.next_in >= SECOND * 5, "it is late no sooner: {one:?}");
        for _ in 0..200 {
            news.tell();
            stage.run(Duration::from_millis(10)).await;
        }
        let flood = starts.lock().expect("no panic").len() - 2;
        assert!((3..=5).contains(&flood), "{flood} in two seconds");
        stage.run(SECOND * 30).await;
        let calm = starts.lock().expect("no panic").len() - 2 - flood;
        assert!((2..=4).contains(&calm), "{calm} in thirty seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sampler_of_one_second_gives_58_points_a_minute_at_least_whatever_the_others_do() {
        let busy = (SECOND, &[Act::Take(Duration::from_millis(900))][..]);
        let others = [(SECOND, &[Act::Hang][..]), (SECOND, &[Act::Panic][..]), (SECOND, &[Act::Refused][..])];
        let all: Vec<_> = [busy].into_iter().chain(others).chain([busy; 12]).collect();
        let samples = stage(&all).run(SECOND * 60).await;
        let points = samples.iter().filter(|sample| &*sample.sampler == "s0" && sample.outcome.is_ok()).count();
        assert!(points >= 58, "{points}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_keeps_the_grid_and_never_overlaps() {
        let slow = Act::Take(Duration::from_millis(2_300));
        let stage = stage(&[(SECOND * 3, &[slow])]);
        let samples = stage.run(SECOND * 20).await;
        assert!(gaps(&stage.starts(0)[1..]).iter().all(|gap| (2_999..=3_001).contains(gap)));
        assert!(samples.iter().all(|sample| sample.outcome.is_ok() && sample.took.as_millis() >= 2_300));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_attempt_is_dropped_at_its_deadline_with_a_sentence() {
        let stage = stage(&[(SECOND * 60, &[Act::Hang]), (SECOND, &[Act::Hang, Act::Good])]);
        let samples = stage.run(SECOND * 6).await;
        let said = |name: &str| {
            let sample = samples.iter().find(|sample| &*sample.sampler == name).expect("a sample");
            sample.outcome.as_ref().err().map(|failure| failure.what.to_string())
        };
        assert_eq!(said("s0").as_deref(), Some("s0: no answer within 5.00 s, since 00:00:00 UTC."));
        let known = samples[0].outcome.as_ref().err().map(|failure| failure.seen.points.clone());
        assert_eq!(known, Some(vec![Point::gauge("scripted_up", &[], 0.0)]), "what its silence tells");
        assert_eq!(said("s1").as_deref(), Some("s1: no answer within 1.00 s, since 00:00:00 UTC."));
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_ends_nothing_but_its_attempt_and_says_no_secret() {
        let stage = stage(&[(SECOND, &[Act::Panic, Act::Good]), (SECOND, &[Act::Good])]);
        let samples = stage.run(SECOND * 10).await;
        let of = |name| samples.iter().filter(move |sample| &*sample.sampler == name).collect::<Vec<_>>();
        let what = of("s0")[0].outcome.as_ref().expect_err("crashed").what.to_string();
        assert!(what.starts_with("s0: the sampler crashed (password=<redacted> in words), restart in "), "{what}");
        assert!(of("s0")[1].outcome.is_ok(), "it came back");
        assert!(of("s1").iter().all(|sample| sample.outcome.is_ok()) && of("s1").len() >= 9);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_asked_less_and_less_and_a_bad_answer_as_ever() {
        let stage = stage(&[(SECOND, &[Act::Refused]), (SECOND, &[Act::Bad])]);
        let samples = stage.run(SECOND * 600).await;
        let silent = stage.starts(0);
        let longest = gaps(&silent).into_iter().max().expect("several");
        assert!((20_000..=61_001).contains(&longest), "{longest} ms");
        assert!(silent.len() < 40, "{} attempts in ten minutes", silent.len());
        assert!(stage.starts(1).len() >= 599);
        let told = samples.iter().filter(|sample| &*sample.sampler == "s0");
        for (sample, next) in told.zip(silent.iter().skip(1)) {
            let promised = sample.seen.mono + sample.next_in;
            assert!(next.since(promised).as_millis() <= 1, "what is promised is kept");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_samplers_together_start_at_most_fifty_attempts_a_second() {
        let stage = stage(&vec![(SECOND, &[Act::Good][..]); 200]);
        stage.run(SECOND * 10).await;
        let mut starts: Vec<Mono> = (0..200).flat_map(|of| stage.starts(of)).collect();
        starts.sort();
        assert!(starts.len() >= 480);
        for window in starts.windows(51) {
            assert!(window[50].since(window[0]).as_millis() >= 999);
        }
        assert!((0..200).all(|of| stage.starts(of).len() >= 2), "nobody starves");
    }

    /// Runs two samplers for `seconds` while our own share of a core is as scripted; what was told of ourselves.
    async fn own(seconds: u64, share: f64, gentle: bool) -> (Vec<Sample>, Vec<Mono>) {
        let stage = stage(&[(SECOND, &[Act::Good]), (SECOND * 2, &[Act::Good, Act::Refused, Act::Good])]);
        drop(stage.supervisor);
        let starts: Vec<Starts> = vec![Starts::default(), Starts::default()];
        let scripts: [&[Act]; 2] = [&[Act::Good], &[Act::Good, Act::Refused, Act::Good]];
        let jobs = scripts.iter().zip(&starts).enumerate().map(|(at, (acts, starts))| Job {
            name: format!("own{at}").into(),
            sampler: Box::new(Scripted { acts: acts.iter().copied().collect(), starts: Arc::clone(starts) }),
            every: SECOND * (u32::try_from(at).expect("small") + 1),
            timeout: None,
        });
        let clock = Arc::clone(&stage.clock);
        let usage = Box::new(move || {
            let passed = clock.now().mono.since(Mono(0));
            Some(Usage { cpu: passed.mul_f64(share), resident_bytes: 1e7, threads: 9.0, open_files: None })
        });
        stage.mailbox.drain();
        let supervisor = Supervisor::begin(
            jobs.collect(),
            Arc::clone(&stage.mailbox),
            Arc::clone(&stage.clock),
            (7, gentle),
            Some(usage),
            &Handle::current(),
        );
        let end = stage.clock.now().mono + Duration::from_secs(seconds);
        let mut samples = Vec::new();
        while stage.clock.now().mono < end {
            sleep(Duration::from_millis(10)).await;
            samples.extend(stage.mailbox.drain());
        }
        drop(supervisor);
        samples.retain(|sample| &*sample.sampler == cost::OWN);
        let starts = starts[0].lock().expect("no panic").clone();
        (samples, starts)
    }

    fn told(sample: &Sample, name: &str) -> Option<f64> {
        let points = &sample.outcome.as_ref().expect("always told").points;
        points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.value)
    }

    #[tokio::test(start_paused = true)]
    async fn what_watching_costs_is_told_and_too_much_of_it_lengthens_the_intervals() {
        let (told_of, starts) = own(60, 0.2, false).await;
        let last = told_of.last().expect("told");
        assert_eq!(told_of[0].outcome.as_ref().map(|seen| seen.facts.len()), Ok(0), "nothing is slowed at first");
        let first = told_of[0].outcome.as_ref().expect("told").points.iter();
        let attempts = first.filter(|point| point.key.name.as_str() == "watchkeeper_sampler_attempts_total");
        assert_eq!(
            attempts.map(|point| point.value).collect::<Vec<_>>(),
            [1.0, 1.0],
            "as soon as the first round is over"
        );
        assert!(told(last, "watchkeeper_cpu_ratio").is_some_and(|share| (share - 0.2).abs() < 1e-6));
        assert_eq!(told(last, "process_resident_memory_bytes"), Some(1e7));
        assert_eq!(told(last, "watchkeeper_interval_factor"), Some(8.0));
        let fact = last.outcome.as_ref().expect("told").facts[0].1.to_string();
        assert_eq!(fact, "all intervals ×8: our own cost was above 5 % of a core for 10 s");
        let gaps = gaps(&starts);
        assert!(gaps[1..8].iter().all(|gap| *gap <= 1_001), "{gaps:?}");
        assert!(gaps.last().is_some_and(|gap| *gap >= 3_999), "{gaps:?}");
        let failures = last
            .outcome
            .as_ref()
            .expect("told")
            .points
            .iter()
            .filter(|point| point.key.name.as_str() == "watchkeeper_sampler_failures_total" && point.value > 0.0);
        assert_eq!(
            failures.map(|point| point.key.label("sampler").map(Clean::to_string)).collect::<Vec<_>>(),
            [Some("own1".to_owned())]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_gentle_console_asks_five_times_less_often() {
        let (told_of, starts) = own(30, 0.01, true).await;
        assert_eq!(told(told_of.last().expect("told"), "watchkeeper_interval_factor"), Some(5.0));
        assert!(gaps(&starts)[1..].iter().all(|gap| (4_999..=5_001).contains(gap)), "{:?}", gaps(&starts));
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_the_supervisor_stops_the_samplers() {
        let mut stage = stage(&[(SECOND, &[Act::Good])]);
        stage.run(SECOND * 3).await;
        stage.supervisor = None;
        sleep(SECOND).await;
        stage.mailbox.drain();
        assert!(stage.run(SECOND * 5).await.is_empty());
    }
}
