//! How the predictor behaves: card, latency, training. Pure and seeded: time since the start goes in, numbers come out.

use super::super::{Incident, ramp, swing};
use super::settings::Settings;
use crate::base::backoff::Jitter;
use core::f64::consts::TAU;
use core::time::Duration;

/// The card, MiB; the shipped pool of 30 GB does not fit on it.
pub(super) const CARD_MIB: f64 = 24_576.0;
/// Weights at the shipped size of the network, and activations per sample of a batch and stream, MiB.
const WEIGHTS_MIB: f64 = 7_600.0;
const SAMPLE_MIB: f64 = 2.8;
/// How far fragmentation swells the activations: 1024 samples on 4 streams then need 96 % of the card.
const FRAGMENTATION: f64 = 0.4;
/// Share of the card from which allocations begin to be retried, and at which every one is.
const PRESSURE: (f64, f64) = (0.90, 0.955);
/// Time of an item without trouble: least, and what chance adds on average; what trouble adds at least and at most. ns.
const ITEM: (f64, f64) = (500.0, 240.0);
const TROUBLE: (f64, f64) = (9_500.0, 5_500.0);
/// How long an incident takes from its onset to its full size.
const GROWTH: Duration = Duration::from_secs(6);
/// A learning rate from which the training of `training-rises` leaves the valley.
const STEEP: f64 = 0.000_5;

/// One run.
#[derive(Debug)]
pub(super) struct Model {
    incident: Incident,
    /// What it suffered from is over for good.
    mended: bool,
    settings: Settings,
    /// When its incident begins.
    pub(super) onset: Duration,
    phase: f64,
    jitter: Jitter,
}

impl Model {
    pub(super) fn new(incident: Incident, seed: u64, mended: bool, settings: Settings) -> Self {
        let mut jitter = Jitter(seed);
        let onset = Duration::from_secs_f64(3.0 + 2.0 * jitter.unit());
        Self { incident, mended, settings, onset, phase: jitter.unit() * TAU, jitter }
    }

    /// How far this incident has come, 0–1; nothing when another one is played, or when it is mended.
    pub(super) fn comes(&self, name: &str, up: Duration) -> f64 {
        if self.incident.is(name) && !self.mended { ramp(up, self.onset, GROWTH) } else { 0.0 }
    }

    /// A slow natural swing between -1 and 1.
    pub(super) fn swing(&self, up: Duration) -> f64 {
        swing(up, self.phase)
    }

    /// A number in 0–1 for what is left to chance.
    pub(super) fn chance(&mut self) -> f64 {
        self.jitter.unit()
    }

    fn wanted_mib(&self, up: Duration) -> f64 {
        let Settings { batch_size, cuda_streams, granule_size, .. } = self.settings;
        let weights = WEIGHTS_MIB * f64::from(granule_size) / 4e6;
        let swollen = 1.0 + FRAGMENTATION * self.comes("gpu-memory", up);
        let activations = f64::from(batch_size) * f64::from(cuda_streams) * SAMPLE_MIB * swollen;
        weights + activations + 0.002 * CARD_MIB * self.swing(up)
    }

    /// Memory of the card in use, MiB.
    pub(super) fn card_mib(&self, up: Duration) -> f64 {
        if self.settings.cuda { self.wanted_mib(up).min(CARD_MIB * 0.995) } else { 300.0 }
    }

    /// Share of allocations that must be retried, 0–1.
    pub(super) fn pressure(&self, up: Duration) -> f64 {
        let share = if self.settings.cuda { self.wanted_mib(up) / CARD_MIB } else { 0.0 };
        ((share - PRESSURE.0) / (PRESSURE.1 - PRESSURE.0)).clamp(0.0, 1.0)
    }

    /// Whether the card has gone.
    pub(super) fn lost(&self, up: Duration) -> bool {
        self.comes("gpu-lost", up) > 0.0
    }

    /// Share of items that are held up, by whatever it is, 0–1.
    pub(super) fn trouble(&self, up: Duration) -> f64 {
        let processor = if self.settings.cuda && !self.lost(up) { 0.0 } else { 1.0 };
        let slowed = ["latency", "throttling"].into_iter().map(|name| self.comes(name, up));
        let failed = 0.4 * self.comes("launch-failed", up);
        slowed.fold(self.pressure(up).max(processor).max(failed), f64::max)
    }

    /// Nanoseconds that the next item takes.
    pub(super) fn item(&mut self, up: Duration) -> f64 {
        let mut nanos = ITEM.0 - ITEM.1 * (1.0 - self.jitter.unit()).ln();
        if self.jitter.unit() < 0.92 * self.trouble(up) {
            nanos += TROUBLE.0 + TROUBLE.1 * self.jitter.unit();
        }
        nanos
    }

    /// Whether the training climbs.
    pub(super) fn climbs(&self, up: Duration) -> bool {
        self.comes("training-rises", up) > 0.0 && self.settings.learning_rate >= STEEP
    }

    /// Loss of the training run.
    pub(super) fn loss(&self, up: Duration) -> f64 {
        let at = up.as_secs_f64();
        let falls = 0.18 + 0.24 * (-at / 900.0).exp() + 0.000_4 * (at * 1.7).sin();
        let climbed = if self.climbs(up) { 0.006 * up.saturating_sub(self.onset).as_secs_f64() } else { 0.0 };
        falls + climbed.min(2.0)
    }

    /// Share of predictions that were right, in percent; damaged weights cost.
    pub(super) fn accuracy(&self, up: Duration, weights: bool) -> f64 {
        let drawn = 99.4 - 8.0 * (self.loss(up) - 0.18).min(1.5) + 0.1 * self.swing(up);
        if weights { drawn } else { drawn - 11.0 }
    }

    /// Items that are done in a second.
    pub(super) fn throughput(&self, up: Duration) -> f64 {
        412.0 * (1.0 + 0.02 * self.swing(up)) * (1.0 - 0.45 * self.trouble(up))
    }

    /// Share of the time in which the card works, 0–1.
    pub(super) fn busy(&self, up: Duration) -> f64 {
        let works = self.settings.cuda && !self.lost(up);
        if works { (0.66 + 0.04 * self.swing(up) + 0.31 * self.pressure(up)).min(1.0) } else { 0.0 }
    }

    /// The settings that it was started with.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::System;
    use super::*;

    fn model(name: &str, seed: u64, turn: u32, settings: Settings) -> Model {
        let incident = Incident::of(System::CerebellarNorse, Some(name)).unwrap();
        let mended = incident.story.is_mended(std::path::Path::new("/nowhere"), turn);
        Model::new(incident, seed, mended, settings)
    }

    fn p95(model: &mut Model, at: Duration) -> f64 {
        let mut items: Vec<f64> = (0..2_000).map(|_| model.item(at)).collect();
        items.sort_by(f64::total_cmp);
        items[1_900]
    }

    const LATE: Duration = Duration::from_secs(15);

    #[test]
    fn a_quiet_run_keeps_what_its_documents_claim() {
        for seed in 0..20 {
            let mut quiet = model("quiet", seed, 0, Settings::default());
            assert!((1_000.0..1_500.0).contains(&p95(&mut quiet, LATE)));
            assert!(quiet.pressure(LATE) == 0.0 && quiet.card_mib(LATE) / CARD_MIB < 0.8);
            assert!(quiet.loss(Duration::from_secs(600)) < quiet.loss(LATE), "it learns");
        }
    }

    #[test]
    fn a_full_card_is_slow_until_batch_or_streams_are_halved() {
        for seed in 0..20 {
            let mut full = model("gpu-memory", seed, 0, Settings::default());
            assert!(full.card_mib(LATE) / CARD_MIB > 0.95 && p95(&mut full, LATE) > 10_000.0);
            assert!(p95(&mut full, Duration::from_secs(1)) < 2_000.0, "it starts well");
            for settings in [
                Settings { batch_size: 512, ..Settings::default() },
                Settings { cuda_streams: 2, ..Settings::default() },
            ] {
                let mut mended = model("gpu-memory", seed, 1, settings);
                assert!(mended.pressure(LATE) == 0.0 && p95(&mut mended, LATE) < 2_000.0);
            }
            assert!(model("gpu-memory", seed, 1, Settings::default()).pressure(LATE) > 0.9, "a restart is not enough");
        }
    }

    #[test]
    fn fragments_go_with_a_restart_and_a_climbing_loss_with_the_learning_rate() {
        let mut slow = model("latency", 3, 0, Settings::default());
        assert!(p95(&mut slow, LATE) > 10_000.0 && slow.pressure(LATE) == 0.0);
        assert!(p95(&mut model("latency", 3, 1, Settings::default()), LATE) < 2_000.0);
        assert!(p95(&mut model("throttling", 3, 0, Settings::default()), LATE) > 10_000.0);
        let lost = model("gpu-lost", 3, 1, Settings::default());
        assert!(lost.lost(LATE) && lost.busy(LATE) == 0.0, "no restart brings a card back");
        let climbing = model("training-rises", 3, 1, Settings::default());
        assert!(climbing.loss(LATE + LATE) > climbing.loss(LATE) + 0.05);
        let slower = Settings { learning_rate: 0.0001, ..Settings::default() };
        let mended = model("training-rises", 3, 1, slower);
        assert!(mended.loss(LATE + LATE) < mended.loss(LATE));
    }
}
