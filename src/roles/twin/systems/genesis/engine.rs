//! The playing engine: what it reads at its start, what it says and suffers, who gets an answer.

use super::super::story::Saying;
use super::super::{Course, Door, Part, Run, certificate, due, file, folders};
use super::access::{Keys, Limit};
use super::model::{Model, Settings};
use crate::base::{Clock as _, Fault, Mono, Now};
use crate::roles::twin::applog::AppLog;
use crate::roles::twin::endpoint::Reply;
use crate::sys::child::wait_readable;
use crate::sys::clock::RealClock;
use core::time::Duration;
use hyper::body::Incoming;
use hyper::{Method, Request};
use serde_json::{Map, Value, json};
use std::io;
use std::path::Path;

/// Metrics, API, what stands for the exchange, and its feed.
pub(in crate::roles::twin::systems) const PORTS: usize = 4;
pub(super) const METRICS: usize = 0;
pub(super) const API: usize = 1;
pub(in crate::roles::twin::systems) const EXCHANGE: usize = 2;
pub(super) const FEED: usize = 3;
/// Streams of the feed that it holds open.
pub(super) const STREAMS: usize = 12;

/// The logs, the busiest one first.
const LOGS: [&str; 5] = ["trading", "system", "audit", "tilt", "compliance"];
const TRADING: usize = 0;
const SYSTEM: usize = 1;
/// How long `high-cpu` computes in each half second.
const BURN: Duration = Duration::from_millis(220);
/// What is asked of the cache in half a second.
const ASKED: f64 = 240.0;
/// How often the pool, the collector, the tracer and the spans are told of.
const SELDOM: Duration = Duration::from_secs(5);

/// The playing engine.
pub(in crate::roles::twin::systems) struct Genesis {
    pub(super) began: Now,
    pub(super) model: Model,
    pub(in crate::roles::twin::systems) keys: Keys,
    pub(super) metrics_limit: Limit,
    pub(super) health_limit: Limit,
    pub(super) logs: Vec<AppLog>,
    pub(super) counted: Counted,
    pub(super) last: Last,
    pub(in crate::roles::twin::systems) course: Course,
    pub(super) told: Mono,
    pub(super) ticks: u64,
}

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) orders: f64,
    pub(super) hits: f64,
    pub(super) misses: f64,
    pub(super) messages: f64,
    pub(super) collections: [u64; 3],
}

/// What the exporter keeps of a histogram: its last value.
#[derive(Debug, Default)]
pub(super) struct Last {
    pub(super) order: f64,
    pub(super) api: f64,
    pub(super) query: f64,
    pub(super) websocket: f64,
}

/// Lays out `.env`, the database and the folders; returns the settings of the profile.
///
/// # Errors
/// What the system said.
pub(in crate::roles::twin::systems) fn lay_out(folder: &Path, ports: &[u16], now: Now) -> io::Result<String> {
    folders(folder, &["etc/tls", ".genesis/data", ".genesis/state", ".genesis/logs", "backups", "evidence", "run"])?;
    certificate::make(&folder.join("etc/tls"), now.wall)?;
    file(&folder.join(".env"), include_bytes!("env"))?;
    file(&folder.join(".genesis/data/genesis.db"), include_bytes!("genesis.db"))?;
    Ok(super::pages::settings(folder, ports))
}

impl Genesis {
    /// Starts as the engine does.
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub(in crate::roles::twin::systems) fn start(run: Run<'_>) -> Result<Self, Fault> {
        let said = |error: io::Error| Fault::new(format!("cannot start in {}: {error}.", run.folder.display()));
        let now = run.began;
        let env = std::fs::read_to_string(run.folder.join(".env")).map_err(said)?;
        let log = |name: &str| AppLog::at(run.folder.join(format!(".genesis/logs/{name}.log")), now.mono);
        let mut genesis = Self {
            began: now,
            model: Model::new(run.incident, run.seed, run.is_mended(), Settings::parse(&env)),
            keys: Keys::new(run.folder.join(".genesis/state/metrics.key"), now.mono).map_err(said)?,
            metrics_limit: Limit::new(100),
            health_limit: Limit::new(60),
            logs: LOGS.into_iter().map(log).collect::<io::Result<_>>().map_err(said)?,
            counted: Counted::default(),
            last: Last::default(),
            course: run.course(),
            told: now.mono,
            ticks: 0,
        };
        for (log, event) in [(1, "engine_started"), (2, "session_opened"), (3, "tilt_reset"), (4, "limits_loaded")] {
            genesis.say(now, log, "INFO", "genesis.__main__", event, &json!({"api_key": "***REDACTED***"}));
        }
        Ok(genesis)
    }

    pub(super) fn up(&self, now: Now) -> Duration {
        now.mono.since(self.began.mono)
    }

    /// Whether nobody reaches the exchange.
    pub(super) fn is_away(&self, now: Now) -> bool {
        self.model.comes("exchange-away", self.up(now)) > 0.0
    }

    /// One line; a log that cannot be written stops nothing.
    fn say(&mut self, now: Now, log: usize, level: &str, logger: &str, event: &str, more: &Value) {
        let line = line(now, level, logger, event, more);
        if let Some(log) = self.logs.get_mut(log) {
            let _best_effort = log.write(now, &line);
        }
    }

    /// What its story has the logs say; a log that is none of its own is somebody else's beside them.
    fn told(&mut self, now: Now, saying: &Saying) {
        let log = LOGS.iter().position(|log| *log == saying.log).unwrap_or(SYSTEM);
        let fields = saying.more.iter().cloned().collect();
        self.say(now, log, &saying.level, &saying.from, &saying.text(), &Value::Object(fields));
    }

    /// Whether the request may read here: limits first, as the engine has it.
    fn let_in(&mut self, request: &Request<Incoming>, now: Now) -> Result<(), Reply> {
        let limit = match request.uri().path() {
            "/metrics" => &mut self.metrics_limit,
            _ => &mut self.health_limit,
        };
        limit
            .ask(now.mono)
            .map_err(|seconds| Reply { again: Some(seconds), ..Reply::refused(429, "rate limit exceeded") })?;
        let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let key = header.and_then(|value| value.strip_prefix("Bearer "));
        if key.is_some_and(|key| self.keys.open(key)) {
            Ok(())
        } else {
            Err(Reply::refused(401, "bearer key required"))
        }
    }

    /// What goes wrong in this half second, done and told.
    fn suffer(&mut self, now: Now) {
        let up = self.up(now);
        if let Some(millis) = self.model.block(up) {
            // The loop is blocked for real: nothing answers meanwhile.
            let _best_effort = wait_readable(&[], Some(Duration::from_secs_f64(millis / 1e3)));
            let event = format!("Event loop blocked for {millis:.0} ms");
            self.say(now, SYSTEM, "WARNING", "genesis.monitoring.loop", &event, &json!({"blocked_ms": millis.round()}));
            let event = format!("Slow task: update_positions took {:.2} s", (millis + 45.0) / 1e3);
            self.say(now, SYSTEM, "WARNING", "genesis.monitoring.tasks", &event, &json!({}));
        }
        if self.model.comes("high-cpu", up) > 0.0 {
            let mut spun = 0_u64;
            while RealClock.now().mono.since(now.mono) < BURN {
                spun = core::hint::black_box(spun.wrapping_mul(3).wrapping_add(1));
            }
            if self.ticks.is_multiple_of(6) {
                let event = "Slow task: recompute_indicators took 0.31 s";
                self.say(now, SYSTEM, "WARNING", "genesis.monitoring.tasks", event, &json!({}));
            }
        }
        let queued: f64 = self.model.waiting(up).iter().sum();
        if queued > 500.0 && self.ticks.is_multiple_of(4) {
            let event = format!("event bus falls behind: {queued:.0} events wait");
            self.say(now, SYSTEM, "WARNING", "genesis.core.event_bus", &event, &json!({"pending": queued}));
        }
        if self.last.query > 0.05 && self.ticks.is_multiple_of(2) {
            let event = format!(
                "Slow query ({:.1} ms): SELECT id, symbol, status FROM orders WHERE symbol = ? AND status = ?",
                self.last.query * 1e3
            );
            self.say(now, SYSTEM, "WARNING", "genesis.data.database", &event, &json!({}));
        }
    }

    /// What it says of itself every few seconds.
    fn tell(&mut self, now: Now) {
        if !due(&mut self.told, now.mono, SELDOM) {
            return;
        }
        let up = self.up(now);
        let pool = self.model.pool(up);
        let event = format!(
            "Pool: size={}, checked_in={}, overflow={}, total={}",
            pool.size,
            pool.size.saturating_sub(pool.in_use),
            pool.overflow,
            pool.size.saturating_add(pool.overflow)
        );
        let level = if pool.overflow > 0 { "WARNING" } else { "INFO" };
        self.say(now, SYSTEM, level, "genesis.data.database", &event, &json!({}));
        let traced = 118.4 + self.course.held() as f64 / 1e6;
        let event = format!("Current memory: {traced:.1} MB, peak: {:.1} MB", traced + 6.2);
        self.say(now, SYSTEM, "INFO", "genesis.monitoring.memory", &event, &json!({}));
        let pause = 2.0 + 3.0 * self.model.chance() + 70.0 * self.model.comes("gc-pauses", up);
        self.counted.collections =
            [21, 2, 1].map(|more| more + self.counted.collections.iter().sum::<u64>() / 24 * more);
        self.say(now, SYSTEM, "INFO", "genesis.monitoring.gc", &format!("GC pause: {pause:.1} ms"), &json!({}));
        let query = self.last.query * 1e3;
        // What is looked at at different moments may disagree: a whole is never less than its parts.
        let total = (self.last.order * 1e3).max(query + 4.0);
        for (span, millis) in [
            ("validate_order", 1.0),
            ("check_risk", 2.0),
            ("execute_order", total - query - 3.0),
            ("update_database", query),
            ("total", total),
        ] {
            let event = format!("{span} took {millis:.1} ms");
            self.say(now, TRADING, "INFO", "genesis.engine.executor", &event, &json!({"trace_id": self.ticks}));
        }
        self.say(now, 2, "INFO", "genesis.security.audit", "positions reconciled", &json!({"open": 3}));
    }
}

impl Part for Genesis {
    fn tls(&self, port: usize) -> bool {
        port == METRICS
    }

    fn feed(&self, port: usize) -> bool {
        port == FEED
    }

    fn holds(&self) -> usize {
        STREAMS
    }

    fn door(&self, port: usize, now: Now) -> Door {
        if matches!(port, EXCHANGE | FEED) && self.is_away(now) { Door::Shut } else { Door::Open }
    }

    fn is_killed(&self) -> bool {
        self.course.has_killed()
    }

    fn answer(&mut self, port: usize, request: &Request<Incoming>, now: Now) -> Reply {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return Reply::refused(405, "GET or HEAD only");
        }
        let path = request.uri().path();
        match (port, path) {
            (METRICS, "/metrics" | "/health") => match self.let_in(request, now) {
                Ok(()) if path == "/metrics" => self.metrics(now),
                Ok(()) => self.health(now),
                Err(refused) => refused,
            },
            (API, _) => self.api(path, now),
            (EXCHANGE, _) if self.model.comes("exchange-limits", self.up(now)) > 0.0 => {
                Reply { again: Some(5), ..Reply::refused(429, "Too many requests") }
            }
            (EXCHANGE, _) => crate::roles::twin::systems::exchange(path, now),
            _ => Reply::missing(),
        }
    }

    fn tick(&mut self, now: Now) {
        let up = self.up(now);
        self.keys.turn(now.mono);
        if self.model.comes("stale-key", up) > 0.0 {
            self.keys.forget();
        }
        let away = self.is_away(now);
        let model = &mut self.model;
        self.last =
            Last { order: model.order(up), api: model.api(up), query: model.query(up), websocket: model.websocket(up) };
        self.counted.orders += model.orders(up) / 2.0;
        self.counted.hits += ASKED * model.hits(up);
        self.counted.misses += ASKED * (1.0 - model.hits(up));
        self.counted.messages += if away { 0.0 } else { 90.0 };
        let millis = (model.event(up) * 10.0).round() / 10.0;
        let more = json!({"event_type": "market.tick", "duration_ms": millis});
        self.say(now, TRADING, "INFO", "genesis.core.event_bus", "event_processed", &more);
        for saying in self.course.goes_on(up >= self.model.onset) {
            self.told(now, saying);
        }
        self.suffer(now);
        self.tell(now);
        self.ticks = self.ticks.wrapping_add(1);
    }
}

/// A line as the console's formatter leaves it: what it puts in front, then JSON.
fn line(now: Now, level: &str, logger: &str, event: &str, more: &Value) -> String {
    let stamp = now.wall.rfc3339();
    let mut object = Map::new();
    let place = json!({
        "event": event, "level": level, "logger": logger, "timestamp": stamp,
        "filename": format!("{}.py", logger.rsplit('.').next().unwrap_or(logger)), "lineno": 100 + logger.len(),
        "func_name": "run",
    });
    for part in [&place, more].into_iter().filter_map(Value::as_object) {
        object.extend(part.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    let shown = stamp.replacen('T', " ", 1).chars().take(23).collect::<String>().replace('.', ",");
    format!("{shown} | {level:<8} | {}\n", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_from_its_first_brace_on() {
        let line = line(Now::default(), "WARNING", "genesis.core.event_bus", "late", &json!({"pending": 3}));
        assert!(line.starts_with("1970-01-01 00:00:00,000 | WARNING  | {"), "{line}");
        let value: Value = serde_json::from_str(
            line.split_once(" | {").map(|(_, json)| json).map(|json| format!("{{{json}")).unwrap().trim(),
        )
        .unwrap();
        assert_eq!(
            (&value["event"], &value["level"], &value["pending"]),
            (&"late".into(), &"WARNING".into(), &3.into())
        );
        assert!(value["filename"] == "event_bus.py" && value["lineno"].is_u64() && value["func_name"].is_string());
    }
}
