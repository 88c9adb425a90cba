//! How the trading engine behaves. Pure and seeded: time since the start goes in, numbers come out.

use super::super::{Incident, ramp, swing};
use crate::base::backoff::Jitter;
use core::f64::consts::TAU;
use core::time::Duration;

/// How long an incident takes from its onset to its full size.
const GROWTH: Duration = Duration::from_secs(5);
/// Connections in use: usually, and when transactions that wait hold theirs.
const CONNECTIONS: (u32, u32) = (4, 20);
/// A pool of this size lets nothing wait.
const ENOUGH: u32 = 16;
/// Workers that keep up with the events of `queue-grows`, and what else piles up in a second.
const WORKERS: u32 = 8;
const PILE: f64 = 90.0;
/// One queue of the bus holds no more.
const QUEUE: f64 = 10_000.0;

/// What the engine reads from `.env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Connections of the pool.
    pub(super) pool: u32,
    /// Threads of the event bus.
    pub(super) workers: u32,
}

impl Settings {
    /// What the file says; a key that is absent or no number has its default, as the engine has it.
    pub(super) fn parse(text: &str) -> Self {
        let number = |key: &str, default| {
            let mut value =
                text.lines().filter_map(|line| line.trim().split_once('=')).filter(|(name, _)| *name == key);
            value.next_back().and_then(|(_, value)| value.trim().trim_matches('"').parse().ok()).unwrap_or(default)
        };
        Self { pool: number("CONNECTION_POOL_SIZE", 10), workers: number("EVENT_BUS_WORKER_THREADS", 4) }
    }
}

/// The pool as it logs itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) size: u32,
    pub(super) in_use: u32,
    pub(super) overflow: u32,
}

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

    /// The pool now.
    pub(super) fn pool(&self, up: Duration) -> Pool {
        let size = self.settings.pool;
        let held = ["slow-database", "connection-pool"].into_iter().any(|name| self.comes(name, up) > 0.0);
        let waits = held && size < ENOUGH;
        let in_use = if waits { CONNECTIONS.1 } else { CONNECTIONS.0 };
        Pool { size, in_use, overflow: in_use.saturating_sub(size) }
    }

    /// Seconds that the last query took.
    pub(super) fn query(&mut self, up: Duration) -> f64 {
        let waits = if self.pool(up).overflow > 0 { self.comes("slow-database", up) } else { 0.0 };
        0.003 + 0.002 * self.jitter.unit() + waits * (0.075 + 0.04 * self.jitter.unit())
    }

    /// Seconds that the last order took.
    pub(super) fn order(&mut self, up: Duration) -> f64 {
        let waits = if self.pool(up).overflow > 0 { 0.05 * self.comes("slow-database", up) } else { 0.0 };
        let held = 0.09 * self.comes("high-cpu", up) + 0.07 * self.comes("event-loop-blocked", up);
        0.022 + 0.012 * self.jitter.unit() + waits + held
    }

    /// Seconds that the last answer of the API took.
    pub(super) fn api(&mut self, up: Duration) -> f64 {
        let held = 0.25 * self.comes("high-cpu", up) + 0.08 * self.comes("event-loop-blocked", up);
        let held = held + 0.9 * self.comes("exchange-limits", up) + 0.2 * self.comes("cold-cache", up);
        0.045 + 0.02 * self.jitter.unit() + held
    }

    /// Milliseconds that the last message over a WebSocket was late.
    pub(super) fn websocket(&mut self, up: Duration) -> f64 {
        7.0 + 5.0 * self.jitter.unit() + 140.0 * self.comes("event-loop-blocked", up)
    }

    /// Milliseconds that the last event took.
    pub(super) fn event(&mut self, up: Duration) -> f64 {
        let held = 25.0 * self.comes("high-cpu", up) + 40.0 * self.comes("event-loop-blocked", up);
        1.2 + 1.5 * self.jitter.unit() + held
    }

    /// Milliseconds for which the loop is blocked now; `None` when it is not.
    pub(super) fn block(&mut self, up: Duration) -> Option<f64> {
        let blocks = self.comes("event-loop-blocked", up) >= 1.0 && self.jitter.unit() < 0.4;
        blocks.then(|| 60.0 + 80.0 * self.jitter.unit())
    }

    /// Events that wait, by priority from the most urgent on.
    pub(super) fn waiting(&self, up: Duration) -> [f64; 4] {
        let piles = self.incident.is("queue-grows") && self.settings.workers < WORKERS;
        let piled = if piles { PILE * up.saturating_sub(self.onset).as_secs_f64() } else { 0.0 };
        let usual = 12.0 + 4.0 * self.swing(up);
        [
            0.0,
            (usual * 0.2).floor(),
            (usual * 0.6 + 0.8 * piled).floor().min(QUEUE),
            (usual * 0.2 + 0.2 * piled).floor(),
        ]
    }

    /// CPU that the engine says it uses, in percent.
    pub(super) fn cpu(&self, up: Duration) -> f64 {
        31.0 + 4.0 * self.swing(up) + 55.0 * self.comes("high-cpu", up)
    }

    /// Orders in a second.
    pub(super) fn orders(&self, up: Duration) -> f64 {
        let sent = 1.0 - self.breaks(up);
        (150.0 + 12.0 * self.swing(up) - 60.0 * self.comes("high-cpu", up)) * sent
    }

    /// How far the exchange is out of reach, whoever is to blame.
    pub(super) fn breaks(&self, up: Duration) -> f64 {
        self.comes("exchange-away", up).max(self.comes("breaker-open", up))
    }

    /// Share of what is asked of the cache that it has.
    pub(super) fn hits(&self, up: Duration) -> f64 {
        0.95 + 0.005 * self.swing(up) - 0.6 * self.comes("cold-cache", up)
    }

    /// Share of the exchange's limit that is used up.
    pub(super) fn limit_used(&self, up: Duration) -> f64 {
        0.34 + 0.66 * self.comes("exchange-limits", up)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::System;
    use super::*;

    const SHIPPED: Settings = Settings { pool: 10, workers: 4 };
    const LATE: Duration = Duration::from_secs(20);

    fn model(name: &str, turn: u32, settings: Settings) -> Model {
        let incident = Incident::of(System::Genesis, Some(name)).unwrap();
        Model::new(incident, 9, incident.story.is_mended(std::path::Path::new("/nowhere"), turn), settings)
    }

    #[test]
    fn a_quiet_engine_keeps_every_normal_range_of_the_guide() {
        let mut quiet = model("quiet", 0, SHIPPED);
        for at in (0..600).step_by(3).map(Duration::from_secs) {
            assert!(quiet.order(at) < 0.05 && quiet.api(at) < 0.1 && quiet.query(at) < 0.01);
            assert!(quiet.websocket(at) < 20.0 && quiet.event(at) < 5.0 && quiet.block(at).is_none());
            assert!((20.0..40.0).contains(&quiet.cpu(at)) && (100.0..200.0).contains(&quiet.orders(at)));
            assert!(quiet.waiting(at).iter().sum::<f64>() < 100.0 && quiet.pool(at).overflow == 0);
            assert!(quiet.hits(at) > 0.9 && quiet.breaks(at) == 0.0 && quiet.limit_used(at) < 0.8);
        }
    }

    #[test]
    fn each_incident_passes_the_critical_level_and_its_mend_brings_it_back() {
        let mut slow = model("slow-database", 0, SHIPPED);
        assert!(slow.query(LATE) > 0.05 && slow.pool(LATE) == Pool { size: 10, in_use: 20, overflow: 10 });
        let mut wide = model("slow-database", 1, Settings { pool: 20, ..SHIPPED });
        assert!(wide.query(LATE) < 0.01 && wide.pool(LATE) == Pool { size: 20, in_use: 4, overflow: 0 });
        let mut blocked = model("event-loop-blocked", 0, SHIPPED);
        assert!(blocked.websocket(LATE) > 100.0 && (0..50).any(|_| blocked.block(LATE) > Some(50.0)));
        assert!(model("event-loop-blocked", 1, SHIPPED).websocket(LATE) < 20.0);
        assert!(model("high-cpu", 0, SHIPPED).cpu(LATE) > 70.0 && model("high-cpu", 1, SHIPPED).cpu(LATE) < 40.0);
        let mut used_up = model("connection-pool", 0, SHIPPED);
        assert!(used_up.query(LATE) < 0.01 && used_up.pool(LATE).overflow == 10);
        assert!(model("connection-pool", 1, Settings { pool: 20, ..SHIPPED }).pool(LATE).in_use == 4);
        assert!(
            model("exchange-limits", 1, SHIPPED).api(LATE) > 0.5
                && model("exchange-away", 1, SHIPPED).orders(LATE) < 1.0
        );
        assert!(model("cold-cache", 0, SHIPPED).hits(LATE) < 0.7 && model("cold-cache", 1, SHIPPED).hits(LATE) > 0.9);
        let sum = |model: Model| model.waiting(LATE).iter().sum::<f64>();
        assert!(sum(model("queue-grows", 0, SHIPPED)) > 1_000.0);
        assert!(sum(model("queue-grows", 1, Settings { workers: 8, ..SHIPPED })) < 100.0);
    }

    #[test]
    fn settings_are_read_as_an_environment_file_has_them() {
        assert_eq!(Settings::parse("# POOL\nCONNECTION_POOL_SIZE=20\nX=1\n"), Settings { pool: 20, workers: 4 });
        assert_eq!(
            Settings::parse("EVENT_BUS_WORKER_THREADS=\"8\"\nCONNECTION_POOL_SIZE=many"),
            Settings { pool: 10, workers: 8 }
        );
    }
}
