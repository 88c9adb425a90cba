//! How the stand-in service behaves: GPU memory, allocator pressure, cost of an item, duration of a launch, arrivals.
//! Pure and seeded: time since the start goes in, numbers come out.

use super::Scenario;
use super::settings::Settings;
use crate::base::backoff::Jitter;
use core::f64::consts::TAU;
use core::time::Duration;

/// Memory of the simulated card, MiB.
pub(super) const CARD_MIB: f64 = 24_576.0;
/// Weights and context, whatever the batch.
const WEIGHTS_MIB: f64 = 7_600.0;
/// Activations per sample of a batch and stream.
const SAMPLE_MIB: f64 = 2.8;
/// How far fragmentation swells the activations in `gpu-memory`: batch 1024 on 4 streams then needs 96 % of the card.
const FRAGMENTATION: f64 = 0.4;
/// How long fragmentation takes from its onset to its full size.
const SWELLING: Duration = Duration::from_secs(6);
/// Share of the card from which allocations begin to be retried, and at which every one is.
const PRESSURE: (f64, f64) = (0.90, 0.955);
/// Samples of one request: a batch of 1024 holds 32 requests.
const REQUEST_SAMPLES: u32 = 32;
/// Device time of a launch: fixed part, part per request and stream, and stall at full pressure; seconds.
const LAUNCH: (f64, f64, f64) = (0.010, 0.001_975, 0.070);
/// Cost of an item beside its measured work: kernel, and one retry of the allocator (least and most); seconds.
const KERNEL: f64 = 4.0e-6;
const RETRY: (f64, f64) = (2.5e-6, 9.0e-6);
/// Share of items that find their weights out of the cache, and what that costs at most; seconds.
const COLD: (f64, f64) = (0.08, 2.5e-6);

/// What the model adds to the measured work of one item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    /// Seconds.
    pub(super) seconds: f64,
    /// Retries of the allocator in it.
    pub(super) retries: u32,
}

/// The model of one run of the service.
#[derive(Clone, Debug)]
pub(super) struct Model {
    scenario: Scenario,
    batch: f64,
    streams: f64,
    limit_mib: f64,
    onset: Duration,
    phase: f64,
    jitter: Jitter,
}

impl Model {
    /// A run with these settings; the same seed gives the same run.
    pub(super) fn new(scenario: Scenario, seed: u64, settings: &Settings) -> Self {
        let mut jitter = Jitter(seed);
        Self {
            scenario,
            batch: f64::from(settings.batch_size),
            streams: f64::from(settings.cuda_streams),
            limit_mib: settings.pool_mib.min(CARD_MIB),
            onset: Duration::from_secs_f64(2.0 + 2.0 * jitter.unit()),
            phase: jitter.unit() * TAU,
            jitter,
        }
    }

    /// Streams that launch side by side.
    pub(super) fn streams(&self) -> f64 {
        self.streams
    }

    /// Requests that one launch takes at most.
    pub(super) fn requests_per_launch(&self) -> usize {
        let samples = f64::from(REQUEST_SAMPLES);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a batch is at most 65,536 samples"
        )]
        {
            (self.batch / samples).max(1.0) as usize
        }
    }

    /// A slow natural swing between -1 and 1.
    fn swing(&self, up: Duration) -> f64 {
        let at = up.as_secs_f64();
        0.7 * (at / 37.0 * TAU + self.phase).sin() + 0.3 * (at / 11.0 * TAU + 2.0 * self.phase).sin()
    }

    /// How far the pool is fragmented, 0–1.
    fn fragmented(&self, up: Duration) -> f64 {
        match self.scenario {
            Scenario::Quiet | Scenario::ConfigChange => 0.0,
            Scenario::GpuMemory => (up.saturating_sub(self.onset).as_secs_f64() / SWELLING.as_secs_f64()).min(1.0),
        }
    }

    /// GPU memory that the service would like to hold, MiB; may exceed what it can get.
    fn wanted_mib(&self, up: Duration) -> f64 {
        let activations = self.batch * self.streams * SAMPLE_MIB;
        WEIGHTS_MIB + activations * (1.0 + FRAGMENTATION * self.fragmented(up)) + 0.002 * CARD_MIB * self.swing(up)
    }

    /// GPU memory in use, MiB.
    pub(super) fn memory_mib(&self, up: Duration) -> f64 {
        self.wanted_mib(up).min(self.limit_mib * 0.995)
    }

    /// Size of one allocation of a launch, MiB.
    pub(super) fn allocation_mib(&self) -> f64 {
        self.batch * 0.598
    }

    /// Share of allocations that must be retried, 0–1.
    pub(super) fn pressure(&self, up: Duration) -> f64 {
        ((self.wanted_mib(up) / self.limit_mib - PRESSURE.0) / (PRESSURE.1 - PRESSURE.0)).clamp(0.0, 1.0)
    }

    /// What one item costs beside its measured work.
    pub(super) fn item(&mut self, up: Duration) -> Cost {
        let pressure = self.pressure(up);
        let noise = self.jitter.unit() + self.jitter.unit() - 1.0;
        let mut cost = Cost { seconds: KERNEL * (1.0 + 0.15 * noise + 0.05 * self.swing(up)), retries: 0 };
        if self.jitter.unit() < COLD.0 {
            cost.seconds += COLD.1 * self.jitter.unit();
        }
        for share in [0.92, 0.05] {
            if self.jitter.unit() >= share * pressure {
                break;
            }
            cost.seconds += RETRY.0 + (RETRY.1 - RETRY.0) * self.jitter.unit();
            cost.retries += 1;
        }
        cost
    }

    /// How long a launch with this many requests keeps its stream.
    pub(super) fn launch(&mut self, up: Duration, requests: usize) -> Duration {
        let requests = u32::try_from(requests).map_or(0.0, f64::from);
        let stall = LAUNCH.2 * self.pressure(up) * (0.8 + 0.4 * self.jitter.unit());
        Duration::from_secs_f64(LAUNCH.0 + LAUNCH.1 * self.streams * requests + stall)
    }

    /// Requests that come in a second.
    pub(super) fn arrivals_per_second(&self, up: Duration) -> f64 {
        let usual = match self.scenario {
            Scenario::Quiet | Scenario::ConfigChange => 300.0,
            Scenario::GpuMemory => 412.0,
        };
        usual * (1.0 + 0.015 * self.swing(up))
    }

    /// How many requests come within `span`: Poisson distributed.
    pub(super) fn arrivals(&mut self, up: Duration, span: Duration) -> usize {
        let mut mean = self.arrivals_per_second(up) * span.as_secs_f64().min(1.0);
        let mut count = 0;
        // In slices of at most 16, so that the exponential keeps its digits.
        while mean > 0.0 {
            let floor = (-mean.min(16.0)).exp();
            let mut product = self.jitter.unit();
            while product > floor {
                count += 1;
                product *= self.jitter.unit();
            }
            mean -= 16.0;
        }
        count
    }

    /// A number in 0–1 for what else is left to chance.
    pub(super) fn chance(&mut self) -> f64 {
        self.jitter.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(scenario: Scenario, seed: u64, batch_size: u32, cuda_streams: u32) -> Model {
        Model::new(scenario, seed, &Settings { batch_size, cuda_streams, ..Settings::default() })
    }

    fn quantile(model: &mut Model, at: Duration, hundredth: usize) -> f64 {
        let mut costs: Vec<f64> = (0..4_000).map(|_| model.item(at).seconds).collect();
        costs.sort_by(f64::total_cmp);
        costs[hundredth * 40]
    }

    /// Requests a second that all streams can finish with full launches.
    fn capacity(model: &mut Model, at: Duration) -> f64 {
        let requests = model.requests_per_launch();
        let mean: f64 = (0..200).map(|_| model.launch(at, requests).as_secs_f64()).sum::<f64>() / 200.0;
        requests as f64 / mean * model.streams()
    }

    #[test]
    fn the_fault_comes_within_twelve_seconds_and_stays_for_every_seed() {
        for seed in 0..200 {
            let mut bad = model(Scenario::GpuMemory, seed, 1024, 4);
            assert!(bad.memory_mib(Duration::from_secs(1)) / CARD_MIB < 0.85, "starts healthy");
            assert!(quantile(&mut bad, Duration::from_secs(1), 95) < 6.5e-6);
            for at in (12..600).step_by(7).map(Duration::from_secs) {
                let memory = bad.memory_mib(at) / CARD_MIB;
                assert!((0.952..0.99).contains(&memory), "seed {seed} at {at:?}: {memory}");
                assert!(bad.pressure(at) > 0.95);
            }
            let p95 = quantile(&mut bad, Duration::from_secs(60), 95);
            assert!((11e-6..16e-6).contains(&p95), "{p95}");
            assert!(capacity(&mut bad, Duration::from_secs(60)) < 400.0, "the queue grows");
        }
    }

    #[test]
    fn half_the_batch_mends_it_and_a_bare_restart_does_not() {
        for seed in 0..50 {
            let mut mended = model(Scenario::GpuMemory, seed, 512, 4);
            for at in (0..600).step_by(7).map(Duration::from_secs) {
                assert!(mended.memory_mib(at) / CARD_MIB < 0.70);
                assert!(mended.pressure(at) == 0.0);
            }
            assert!(quantile(&mut mended, Duration::from_secs(60), 95) < 6.5e-6);
            assert!(capacity(&mut mended, Duration::from_secs(60)) > 440.0, "the queue drains");
            assert!(model(Scenario::GpuMemory, seed, 1024, 4).pressure(Duration::from_secs(12)) > 0.95);
            assert!(
                model(Scenario::GpuMemory, seed, 1024, 2).pressure(Duration::from_secs(12)) == 0.0,
                "two streams too"
            );
        }
    }

    #[test]
    fn a_quiet_run_stays_quiet_but_not_still() {
        for seed in 0..50 {
            let mut quiet = model(Scenario::Quiet, seed, 1024, 4);
            let memory: Vec<f64> = (0..600).map(|at| quiet.memory_mib(Duration::from_secs(at))).collect();
            assert!(memory.iter().all(|mib| mib / CARD_MIB < 0.80));
            assert!(memory.windows(2).any(|pair| pair[0] != pair[1]));
            assert!(quantile(&mut quiet, Duration::from_secs(60), 95) < 6.5e-6);
        }
    }

    #[test]
    fn the_streams_of_a_bad_rollout_exhaust_the_card_and_half_the_batch_mends_it() {
        for seed in 0..50 {
            let at = Duration::from_secs(30);
            let mut bad = model(Scenario::ConfigChange, seed, 1024, 8);
            assert!(bad.pressure(at) == 1.0 && bad.memory_mib(at) / CARD_MIB > 0.95);
            assert!(quantile(&mut bad, at, 95) > 11e-6);
            let mut mended = model(Scenario::ConfigChange, seed, 512, 8);
            assert!(mended.pressure(at) == 0.0 && quantile(&mut mended, at, 95) < 6.5e-6);
            assert!(model(Scenario::ConfigChange, seed, 1024, 4).pressure(at) == 0.0, "before it all is well");
        }
    }

    #[test]
    fn a_batch_too_small_costs_throughput() {
        let at = Duration::from_secs(60);
        let small = capacity(&mut model(Scenario::GpuMemory, 1, 128, 4), at);
        assert!(small < 400.0 && small < capacity(&mut model(Scenario::GpuMemory, 1, 512, 4), at), "{small}");
    }

    #[test]
    fn a_seed_fixes_the_run_and_another_changes_it() {
        let run = |seed| {
            let mut model = model(Scenario::GpuMemory, seed, 1024, 4);
            let mut seen = Vec::new();
            for at in (0..300).map(|tenth| Duration::from_millis(tenth * 100)) {
                let arrivals = model.arrivals(at, Duration::from_millis(100));
                seen.push((arrivals, model.item(at).seconds.to_bits(), model.memory_mib(at).to_bits()));
            }
            seen
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn arrivals_keep_their_mean() {
        let mut model = model(Scenario::GpuMemory, 3, 1024, 4);
        let sum: usize =
            (0..12_000).map(|tick| model.arrivals(Duration::from_millis(tick * 50), Duration::from_millis(50))).sum();
        let mean = sum as f64 / 600.0;
        assert!((400.0..424.0).contains(&mean), "{mean}");
    }
}
