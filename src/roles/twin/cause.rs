//! In each scenario of the demo the true cause is among the first two sentences of what changed, at several seeds:
//! the real engine, exposition and profile under an injected clock, beside a host whose values are noise.

use super::engine::Engine;
use super::settings::Settings;
use super::{Scenario, exposition};
use crate::base::backoff::Jitter;
use crate::base::{Clock, Failure, Mono, Now, Observation, Point, Sample, Wall};
use crate::config::Profile;
use crate::roles::setup::{self, Setup};
use crate::rules::FindingState;
use crate::samplers::kinds::files;
use crate::samplers::scrape::text;
use crate::store::{History, Limits, Store};
use core::time::Duration;
use std::sync::atomic::{AtomicU64, Ordering};

const START: Now = Now { mono: Mono(3_600_000_000_000), wall: Wall(1_795_230_720_000_000_000) };
/// Steps of the engine in a second.
const STEPS: u64 = 20;

/// A clock that the test moves on.
struct Bench(AtomicU64);

impl Clock for Bench {
    fn now(&self) -> Now {
        let since = self.0.load(Ordering::Relaxed);
        let mono = Mono(START.mono.0 + since);
        Now { mono, wall: Wall(START.wall.0 + i64::try_from(since).unwrap_or_default()) }
    }
}

/// A console over a service of which every tick is played.
struct Story {
    clock: Bench,
    engine: Engine,
    scenario: Scenario,
    seed: u64,
    noise: Jitter,
    store: Store,
    setup: Setup,
    /// The streams' launches: when each is over.
    streams: Vec<Option<(Mono, super::engine::Launch)>>,
    written: f64,
    /// Until when the service does not answer.
    down: Option<Mono>,
}

impl Story {
    fn new(scenario: Scenario, seed: u64) -> Self {
        let text =
            include_str!("../../../profiles/demo/profile.toml").replace("@DIR@", "/demo").replace("@PORT@", "4711");
        let profile = Profile::parse("demo", "profile.toml", &text, &setup::known_kinds()).unwrap();
        let mut store = Store::new(Limits::default());
        let setup = setup::setup(&profile, "here".into(), &mut store);
        let settings = Settings::default();
        let streams = (0..settings.cuda_streams).map(|_| None).collect();
        let engine = Engine::new(scenario, seed, settings, START);
        let written = START.wall.0 as f64 / 1e9 - 1.0;
        let (clock, noise) = (Bench(AtomicU64::new(0)), Jitter(seed ^ 0xA5));
        Self { clock, engine, scenario, seed, noise, store, setup, streams, written, down: None }
    }

    /// A second: the service works, then each sampler looks.
    fn second(&mut self) {
        for _ in 0..STEPS {
            self.clock.0.fetch_add(1_000_000_000 / STEPS, Ordering::Relaxed);
            let now = self.clock.now().mono;
            if self.down.is_some_and(|until| now < until) {
                continue;
            }
            self.engine.arrive(now);
            for stream in &mut self.streams {
                if let Some((over, launch)) = stream.take_if(|(over, _)| *over <= now) {
                    self.engine.finish(&launch, over);
                }
                if stream.is_none() {
                    *stream = self.engine.launch(&self.clock).map(|launch| (now + launch.duration, launch));
                }
            }
            self.engine.tick(now);
        }
        self.sample();
        let now = self.clock.now();
        let moved = self.setup.book.judge(&mut self.store, now);
        let board = &self.setup.board;
        self.setup.changes.note(&moved, (&self.store, &self.setup.book, &board.panes), now);
        self.setup.board.refresh(&self.store, &History::new(true), &self.setup.book, now);
    }

    fn sample(&mut self) {
        let now = self.clock.now();
        let second = self.clock.0.load(Ordering::Relaxed) / 1_000_000_000;
        let page =
            |text: String| Observation { points: text::parse(text.as_bytes(), 2_000).points, ..Observation::default() };
        let up = self.down.is_none_or(|until| now.mono >= until);
        let refused = || Err(Failure::unreachable("refused."));
        let metrics = if up { Ok(page(exposition::metrics(&mut self.engine, now, 0))) } else { refused() };
        let gpu = if up { Ok(page(exposition::gpu(&self.engine, now, self.seed))) } else { refused() };
        let host: Vec<Point> = (0..40)
            .map(|at| {
                let value = self.noise.unit() * (1.0 + self.noise.unit() * 5.0);
                match at {
                    0 => Point::gauge("watchkeeper_host_cpu_busy_ratio", &[], value / 6.0),
                    1 => Point::gauge("node_load1", &[], value),
                    _ => Point::gauge("node_procs", &[("at", &at.to_string())], value.round()),
                }
            })
            .collect();
        let used = if self.scenario == Scenario::GpuMemory { 0.908 } else { 0.41 } + second as f64 * 6e-5;
        let lmdb = vec![Point::gauge("lmdb_used_ratio", &[], used), Point::gauge("lmdb_entries", &[], second as f64)];
        let modified =
            Point::gauge(files::MODIFIED, &[("path", "/demo/etc/production.toml"), ("role", "config")], self.written);
        let seen = |points| Ok(Observation { points, ..Observation::default() });
        let samples = [("metrics", 1, metrics), ("gpu", 1, gpu), ("host", 1, seen(host)), ("store", 2, seen(lmdb))];
        for (name, every, outcome) in samples.into_iter().chain([("files", 2, seen(vec![modified]))]) {
            if second.is_multiple_of(every) {
                let interval = Duration::from_secs(every);
                let took = Duration::from_millis(2);
                let next_in = interval;
                self.store.ingest(&Sample { sampler: name.into(), seen: now, took, interval, next_in, outcome });
            }
        }
    }

    /// What the supervisor does in a rollout.
    fn roll_out(&mut self) {
        let now = self.clock.now();
        self.written = now.wall.0 as f64 / 1e9;
        let settings = Settings { cuda_streams: 8, ..Settings::default() };
        let up = now.mono + Duration::from_secs(1);
        let began = Now { mono: up, wall: Wall(now.wall.0 + 1_000_000_000) };
        self.streams = (0..settings.cuda_streams).map(|_| None).collect();
        self.engine = Engine::new(self.scenario, self.seed, settings, began);
        self.down = Some(up);
    }

    /// What changed before each alert that fired, by the alert's title.
    fn told(&self) -> Vec<(String, Vec<String>)> {
        let Setup { book, changes, .. } = &self.setup;
        let findings = book.findings().iter().filter(|finding| finding.state == FindingState::Firing);
        findings
            .map(|finding| {
                let changes = changes.of(&finding.id).iter();
                let told = changes.map(|change| format!("{} [{:.2}]", change.text, change.weight)).collect();
                (book.rule(finding.id.rule).unwrap().name.as_str().to_owned(), told)
            })
            .collect()
    }
}

fn among_the_first_two(told: &[(String, Vec<String>)], alert: &str, causes: &[&str]) {
    let found = told.iter().find(|(title, _)| title == alert);
    let (_, sentences) = found.unwrap_or_else(|| panic!("{alert} does not fire: {told:#?}"));
    assert!(
        sentences.iter().take(2).any(|sentence| causes.iter().any(|cause| sentence.contains(cause))),
        "{alert}: {sentences:#?}"
    );
}

#[test]
fn gpu_memory_is_told_before_what_follows_from_it() {
    for seed in [1, 2, 3, 7, 42, 1_000, 77_777] {
        let mut story = Story::new(Scenario::GpuMemory, seed);
        for _ in 0..30 {
            story.second();
        }
        let told = story.told();
        for alert in ["Latency p95", "GPU 0 used", "Queue depth"] {
            among_the_first_two(&told, alert, &["GPU 0 used rose ", "GPU 0 memory rose "]);
        }
    }
}

#[test]
fn a_rollout_is_told_before_what_follows_from_it() {
    for (seed, quiet) in [(1, 20), (2, 21), (3, 22), (7, 24), (42, 40), (1_000, 120), (77_777, 600)] {
        let mut story = Story::new(Scenario::ConfigChange, seed);
        for _ in 0..quiet {
            story.second();
        }
        assert_eq!(story.told(), [], "seed {seed}: nothing fires before");
        story.roll_out();
        for _ in 0..20 {
            story.second();
        }
        let told = story.told();
        for alert in ["Latency p95", "GPU 0 used"] {
            among_the_first_two(&told, alert, &["/demo/etc/production.toml was written"]);
        }
    }
}

#[test]
fn a_quiet_run_has_nothing_to_explain() {
    let mut story = Story::new(Scenario::Quiet, 5);
    for _ in 0..60 {
        story.second();
    }
    assert_eq!(story.told(), []);
}
