//! The service's inside: the queue, the launches that empty it, and what they leave behind in counters.
//! Time comes in as `now`; only the work of an item is measured with the clock itself.

use super::Scenario;
use super::model::{CARD_MIB, Model};
use super::settings::Settings;
use super::window::{Latencies, Rate};
use crate::base::{Clock, Mono, Now};
use core::hint::black_box;
use core::time::Duration;
use std::collections::VecDeque;

/// Requests that may wait; more are turned away and counted as errors.
const QUEUE: usize = 8_192;
/// What the work of one item is sized to take on this machine; seconds.
const WORK: f64 = 1.5e-6;

/// One launch in flight.
#[derive(Debug)]
pub(super) struct Launch {
    latencies: Vec<f64>,
    retries: u32,
    /// How long it keeps its stream.
    pub(super) duration: Duration,
}

/// Something for the log about the launches since the last line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Recent {
    /// Number of the last launch.
    pub(super) step: u64,
    /// Mean seconds of an item in it.
    pub(super) mean: f64,
    /// Retries of the allocator since the last look.
    pub(super) retries: u32,
}

/// Totals since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// Requests that came.
    pub(super) requests: u64,
    /// Requests turned away.
    pub(super) errors: u64,
}

/// The simulated card.
#[derive(Clone, Copy, Debug)]
pub(super) struct Card {
    /// Degrees Celsius.
    pub(super) temperature: f64,
    /// Share of the time that streams were busy, smoothed; launches come in lumps, so it may pass 1 for a moment.
    load: f64,
    busy_seconds: f64,
    ticked: Mono,
}

impl Card {
    /// Share of the time that streams are busy, 0–1.
    pub(super) fn busy(&self) -> f64 {
        self.load.min(1.0)
    }
}

/// Everything but files and sockets.
#[derive(Debug)]
pub(super) struct Engine {
    /// The model it follows.
    pub(super) model: Model,
    /// The settings it was started with.
    pub(super) settings: Settings,
    /// When it started.
    pub(super) started: Now,
    /// The card's state at the last tick.
    pub(super) card: Card,
    /// Counters.
    pub(super) totals: Totals,
    /// For the log.
    pub(super) recent: Recent,
    latencies: Latencies,
    arrived: Rate,
    completed: Rate,
    queue: VecDeque<u64>,
    last_arrival: Mono,
    kernel: Kernel,
}

impl Engine {
    /// A service that starts now.
    pub(super) fn new(scenario: Scenario, seed: u64, settings: Settings, now: Now) -> Self {
        let card = Card { load: 0.5, temperature: 58.0, busy_seconds: 0.0, ticked: now.mono };
        Self {
            model: Model::new(scenario, seed, &settings),
            settings,
            started: now,
            card,
            totals: Totals::default(),
            recent: Recent::default(),
            latencies: Latencies::default(),
            arrived: Rate::new(now.mono),
            completed: Rate::new(now.mono),
            queue: VecDeque::new(),
            last_arrival: now.mono,
            kernel: Kernel::default(),
        }
    }

    /// Time since the start.
    pub(super) fn up(&self, now: Mono) -> Duration {
        now.since(self.started.mono)
    }

    /// Lets come what came since the last call.
    pub(super) fn arrive(&mut self, now: Mono) {
        let span = now.since(self.last_arrival);
        self.last_arrival = now;
        let count = self.model.arrivals(self.up(now), span);
        self.arrived.add(now, count);
        for _ in 0..count {
            self.totals.requests = self.totals.requests.saturating_add(1);
            if self.queue.len() < QUEUE {
                self.queue.push_back(self.totals.requests);
            } else {
                self.totals.errors = self.totals.errors.saturating_add(1);
            }
        }
    }

    /// Takes a batch off the queue and works on it; `None` when nothing waits.
    pub(super) fn launch(&mut self, clock: &dyn Clock) -> Option<Launch> {
        let count = self.queue.len().min(self.model.requests_per_launch());
        let up = self.up(clock.now().mono);
        let mut launch = Launch { latencies: Vec::with_capacity(count), retries: 0, duration: Duration::ZERO };
        let mut work = 0.0;
        // The first pass after a pause finds cold caches; a real service keeps its own warm.
        black_box(self.kernel.run(0));
        for request in self.queue.drain(..count) {
            let from = clock.now().mono;
            black_box(self.kernel.run(request));
            let measured = clock.now().mono.since(from).as_secs_f64();
            let cost = self.model.item(up);
            work += measured;
            launch.retries = launch.retries.saturating_add(cost.retries);
            launch.latencies.push(measured + cost.seconds);
        }
        let items = u32::try_from(launch.latencies.len()).ok().filter(|items| *items > 0)?;
        self.kernel.fit(work / f64::from(items));
        launch.duration = self.model.launch(up, count);
        Some(launch)
    }

    /// The launch is over: its items are done.
    pub(super) fn finish(&mut self, launch: &Launch, now: Mono) {
        let items = u32::try_from(launch.latencies.len()).unwrap_or(u32::MAX).max(1);
        for latency in &launch.latencies {
            self.latencies.add(now, *latency);
        }
        self.completed.add(now, launch.latencies.len());
        self.card.busy_seconds += launch.duration.as_secs_f64();
        self.recent.step = self.recent.step.saturating_add(1);
        self.recent.mean = launch.latencies.iter().sum::<f64>() / f64::from(items);
        self.recent.retries = self.recent.retries.saturating_add(launch.retries);
    }

    /// Brings the card up to date; call it about twice a second.
    pub(super) fn tick(&mut self, now: Mono) {
        let elapsed = now.since(self.card.ticked).as_secs_f64();
        if elapsed <= 0.0 {
            return;
        }
        let load = self.card.busy_seconds / (elapsed * self.model.streams());
        let card = &mut self.card;
        card.load += (load - card.load) * (elapsed / 3.0).min(1.0);
        card.temperature += (40.0 + 33.0 * card.busy() - card.temperature) * (elapsed / 20.0).min(1.0);
        card.busy_seconds = 0.0;
        card.ticked = now;
    }

    /// Requests that wait.
    pub(super) fn depth(&self) -> usize {
        self.queue.len()
    }

    /// Requests that came in a second.
    pub(super) fn arrivals_per_second(&mut self, now: Mono) -> f64 {
        self.arrived.per_second(now)
    }

    /// Requests that were done in a second.
    pub(super) fn completions_per_second(&mut self, now: Mono) -> f64 {
        self.completed.per_second(now)
    }

    /// Latency at these quantiles over the last ten seconds; seconds.
    pub(super) fn quantiles<const N: usize>(&mut self, now: Mono, wanted: [f64; N]) -> Option<[f64; N]> {
        self.latencies.quantiles(now, wanted)
    }

    /// Sum of all latencies in seconds, and their count.
    pub(super) fn latency_totals(&self) -> (f64, u64) {
        (self.latencies.sum(), self.latencies.count())
    }

    /// GPU memory in use over the card's, 0–1.
    pub(super) fn memory_ratio(&self, now: Mono) -> f64 {
        self.model.memory_mib(self.up(now)) / CARD_MIB
    }

    /// One word for the service's own view of itself.
    pub(super) fn status(&self, now: Mono) -> &'static str {
        if self.model.pressure(self.up(now)) > 0.5 { "degraded" } else { "healthy" }
    }
}

/// The real work of an item: a dot product, sized so that it takes about [`WORK`] here.
#[derive(Debug)]
struct Kernel {
    weights: [f32; 64],
    rounds: u32,
}

impl Default for Kernel {
    fn default() -> Self {
        let mut weights = [0.0; 64];
        let mut next = 0.5_f32;
        for weight in &mut weights {
            next = 3.9 * next * (1.0 - next);
            *weight = next;
        }
        Self { weights, rounds: 1 }
    }
}

impl Kernel {
    fn run(&self, request: u64) -> f32 {
        let mut input = f32::from(u16::try_from(request & 0xFF).unwrap_or(0)) / 256.0;
        for _ in 0..self.rounds {
            input = self.weights.iter().map(|weight| weight * input).sum::<f32>().fract();
        }
        input
    }

    /// Follows the machine: at most a fifth more or less at a time.
    fn fit(&mut self, mean: f64) {
        let factor = (WORK / mean.max(1e-9)).clamp(0.8, 1.25);
        let rounds = f64::from(self.rounds) * factor;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1–200")]
        {
            self.rounds = rounds.round().clamp(1.0, 200.0) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Wall;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Every look takes two microseconds: more than the work is sized for, so it stays small.
    struct Ticking(AtomicU64);
    impl Clock for Ticking {
        fn now(&self) -> Now {
            Now { mono: Mono(self.0.fetch_add(2_000, Ordering::Relaxed)), wall: Wall(0) }
        }
    }

    const SECOND: u64 = 1_000_000_000;

    /// Plays the service's loops with simulated time: all streams launch side by side.
    fn play(engine: &mut Engine, clock: &Ticking, seconds: u64) {
        let streams = engine.settings.cuda_streams as usize;
        let mut flying: Vec<(u64, Option<Launch>)> = (0..streams).map(|_| (0, None)).collect();
        let start = clock.0.load(Ordering::Relaxed);
        for step in 0..seconds * 20 {
            let at = start + step * SECOND / 20;
            clock.0.store(at, Ordering::Relaxed);
            engine.arrive(Mono(at));
            for (until, flight) in &mut flying {
                while *until <= at {
                    if let Some(launch) = flight.take() {
                        engine.finish(&launch, Mono(at));
                    }
                    *flight = engine.launch(clock);
                    let pause = flight
                        .as_ref()
                        .map_or(SECOND / 10, |launch| u64::try_from(launch.duration.as_nanos()).unwrap());
                    *until = (*until).max(at.saturating_sub(SECOND / 20)) + pause.max(SECOND / 10);
                }
            }
            if step % 10 == 9 {
                engine.tick(Mono(at));
            }
        }
        clock.0.store(start + seconds * SECOND, Ordering::Relaxed);
    }

    fn played(scenario: Scenario, batch_size: u32, seconds: u64) -> (Engine, Mono) {
        let clock = Ticking(AtomicU64::new(1_000 * SECOND));
        let settings = Settings { batch_size, ..Settings::default() };
        let mut engine = Engine::new(scenario, 42, settings, Now { mono: Mono(1_000 * SECOND), wall: Wall(0) });
        play(&mut engine, &clock, seconds);
        (engine, Mono((1_000 + seconds) * SECOND))
    }

    #[test]
    fn the_fault_raises_latency_and_fills_the_queue() {
        let (mut engine, now) = played(Scenario::GpuMemory, 1024, 90);
        let [p95] = engine.quantiles(now, [0.95]).unwrap();
        assert!(p95 > 10e-6, "{p95}");
        assert!((300..4_000).contains(&engine.depth()), "{}", engine.depth());
        assert!(engine.completions_per_second(now) < engine.arrivals_per_second(now));
        assert!(engine.card.busy() > 0.95 && engine.memory_ratio(now) > 0.95);
        assert_eq!(engine.status(now), "degraded");
    }

    #[test]
    fn half_the_batch_keeps_up() {
        let (mut engine, now) = played(Scenario::GpuMemory, 512, 90);
        let [p95] = engine.quantiles(now, [0.95]).unwrap();
        assert!(p95 < 8e-6, "{p95}");
        assert!(engine.depth() < 200, "{}", engine.depth());
        assert!((engine.completions_per_second(now) - 412.0).abs() < 30.0);
        assert!((0.7..0.95).contains(&engine.card.busy()), "{}", engine.card.busy());
        assert_eq!(engine.status(now), "healthy");
    }

    #[test]
    fn a_quiet_service_is_at_ease() {
        let (mut engine, now) = played(Scenario::Quiet, 1024, 60);
        assert!(engine.quantiles(now, [0.95]).unwrap()[0] < 8e-6);
        assert!(engine.depth() < 100 && engine.card.busy() < 0.85, "{} {}", engine.depth(), engine.card.busy());
        assert_eq!(engine.totals.errors, 0);
        let known = engine.latency_totals().1 + engine.depth() as u64;
        assert!(known <= engine.totals.requests && known + 128 > engine.totals.requests, "at most four launches fly");
    }

    #[test]
    fn a_full_queue_turns_requests_away_and_counts_them() {
        let mut engine = Engine::new(Scenario::GpuMemory, 1, Settings::default(), Now::default());
        for second in 1..60 {
            engine.arrive(Mono(second * SECOND));
        }
        assert_eq!(engine.depth(), QUEUE);
        assert_eq!(engine.totals.errors, engine.totals.requests - QUEUE as u64);
    }
}
