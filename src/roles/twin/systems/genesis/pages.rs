//! What the engine publishes, and the settings of its profile that point at it.

use super::engine::{API, EXCHANGE, FEED, Genesis, METRICS as PORT, STREAMS};
use crate::base::{Now, Wall};
use crate::roles::twin::endpoint::{JSON, METRICS, Reply};
use crate::roles::twin::exposition::Page;
use crate::roles::twin::systems::feed;
use serde_json::json;
use std::path::Path;

/// What the guide calls normal, bytes; what was leaked is written large.
const MEMORY: f64 = 2.4e9;
/// The share of the machine that it believes to have, percent.
const SHARE: f64 = 48.0;

/// The settings of the profile that point into this folder and at these ports.
pub(super) fn settings(folder: &Path, ports: &[u16]) -> String {
    let dir = folder.display();
    let port = |number: usize| ports.get(number).copied().unwrap_or_default();
    let (metrics, exchange, feed) = (port(PORT), port(EXCHANGE), port(FEED));
    format!(
        r#"manager = {{ kind = "unix_socket", path = "{dir}/supervisor.sock", unit = "genesis" }}
by_unit = {{ kind = "systemd", unit = "${{unit}}", systemctl = ["{dir}/run/none"] }}
metrics = "https://127.0.0.1:{metrics}/metrics"
metrics_plain = "http://127.0.0.1:{metrics}/metrics"
health = "https://127.0.0.1:{metrics}/health"
metrics_every = "2s"
metrics_key = "{dir}/.genesis/state/metrics.key"
command = "twin service {dir} "
supervisor_socket = "{dir}/run/none.sock"
container_socket = "{dir}/run/none.sock"
unit_file = "{dir}/run/none"
env_file = "{dir}/.env"
log_folder = "{dir}/.genesis/logs"
evidence_folder = "{dir}/evidence"
backup_folder = "{dir}/backups"
sqlite_file = "{dir}/.genesis/data/genesis.db"
postgres_password = "{dir}/run/none"
postgres_operator_password = "{dir}/run/none"
redis_password = "{dir}/run/none"
exchange = "127.0.0.1:{exchange}"
feed = "ws://127.0.0.1:{feed}/ws/btcusdt@trade"
peers = {{ binance = ["{exchange_at}"] }}
api_ping = "http://127.0.0.1:{exchange}/api/v3/ping"
settle = "3s"
baseline = "10s"
verify_within = "60s"
hit_rate_within = "60s"
# {api} is its API, which the profile does not ask.
"#,
        api = port(API),
        exchange_at = feed::EXCHANGE,
    )
}

impl Genesis {
    /// `/metrics`: of each histogram the last value and nothing else.
    pub(in crate::roles::twin::systems) fn metrics(&mut self, now: Now) -> Reply {
        let up = self.up(now);
        let mut page = Page::default();
        page.one("genesis_up", "gauge", "Uptime in seconds.", up.as_secs_f64());
        for (name, value) in [
            ("genesis_order_latency_seconds", self.last.order),
            ("genesis_order_execution_time_seconds", self.last.order * 0.8),
            ("genesis_api_request_duration_seconds", self.last.api),
            ("genesis_db_query_latency_seconds", self.last.query),
            ("genesis_websocket_latency_ms", self.last.websocket),
        ] {
            page.one(name, "histogram", "The last observation.", value);
        }
        let leaked = self.course.held() as f64;
        let leak = self.model.comes("memory-leak", up);
        for (name, value) in [
            ("genesis_cpu_usage_percent", self.model.cpu(up)),
            ("genesis_memory_usage_bytes", MEMORY + 0.01 * MEMORY * self.model.swing(up) + leaked * 20.0),
            ("genesis_memory_usage_percent", SHARE + leaked / 4e6),
            ("genesis_memory_leak_confidence", 0.05 + 0.9 * leak),
            ("genesis_disk_usage_percent", 61.0),
            ("genesis_websocket_connections_active", if self.is_away(now) { 0.0 } else { STREAMS as f64 }),
            ("genesis_rate_limit_usage_ratio", self.model.limit_used(up)),
            ("genesis_health_score", if self.suffers(now) { 35.0 } else { 96.0 }),
            ("genesis_position_count", 3.0),
            ("genesis_pnl_dollars", 412.0 + 30.0 * self.model.swing(up)),
            ("genesis_drawdown_percent", 2.1),
            ("genesis_tilt_score", 12.0),
        ] {
            page.one(name, "gauge", "As the engine sees it.", value);
        }
        for (name, value) in [
            ("genesis_orders_total", self.counted.orders),
            ("genesis_orders_failed_total", self.counted.orders / 400.0),
            ("genesis_websocket_messages_total", self.counted.messages),
            ("genesis_websocket_reconnections_total", 0.0),
        ] {
            page.one(name, "counter", "Since the start.", value.floor());
        }
        self.labelled(&mut page, now);
        Reply::new(METRICS, page.0)
    }

    fn labelled(&self, page: &mut Page, now: Now) {
        let up = self.up(now);
        page.family("genesis_events_pending", "gauge", "Events that wait.");
        for (priority, waiting) in ["critical", "high", "normal", "low"].iter().zip(self.model.waiting(up)) {
            page.sample("genesis_events_pending", &format!("priority=\"{priority}\""), waiting);
        }
        for (name, sum) in
            [("genesis_cache_hits_total", self.counted.hits), ("genesis_cache_misses_total", self.counted.misses)]
        {
            page.family(name, "counter", "Since the start.");
            for (cache, share) in [("market_data", 0.8), ("positions", 0.2)] {
                page.sample(name, &format!("cache_name=\"{cache}\""), (sum * share).floor());
            }
        }
        let pool = self.model.pool(up);
        page.family("genesis_db_connection_pool", "gauge", "Connections.");
        let waiting = if pool.overflow > 0 { 6 } else { 0 };
        let idle = pool.size.saturating_sub(pool.in_use);
        for (state, count) in [("active", pool.in_use), ("idle", idle), ("waiting", waiting)] {
            page.sample("genesis_db_connection_pool", &format!("state=\"{state}\""), count);
        }
        page.family("genesis_circuit_breaker_state", "gauge", "1 is open.");
        let open = u8::from(self.model.pool(up).overflow > 0 && self.model.comes("slow-database", up) >= 1.0);
        for (service, state) in [("exchange", u8::from(self.model.breaks(up) >= 1.0)), ("database", open)] {
            page.sample("genesis_circuit_breaker_state", &format!("service=\"{service}\""), state);
        }
        page.family("python_gc_collections_total", "counter", "Collections.");
        for (generation, count) in self.counted.collections.iter().enumerate() {
            page.sample("python_gc_collections_total", &format!("generation=\"{generation}\""), count);
        }
        page.family("python_gc_objects_collected_total", "counter", "Objects that were collected.");
        for (generation, count) in self.counted.collections.iter().enumerate() {
            page.sample("python_gc_objects_collected_total", &format!("generation=\"{generation}\""), count * 40);
        }
    }

    /// Whether anything of it is past its critical level.
    fn suffers(&self, now: Now) -> bool {
        let up = self.up(now);
        let queued: f64 = self.model.waiting(up).iter().sum();
        let all = ["event-loop-blocked", "high-cpu", "memory-leak", "exchange-limits", "exchange-away", "breaker-open"];
        let any = all.iter().any(|name| self.model.comes(name, up) > 0.5);
        any || queued > 1_000.0 || self.model.pool(up).overflow > 0
    }

    /// `/health` beside the metrics: a constant, and when the key changes.
    pub(super) fn health(&self, now: Now) -> Reply {
        let left = i64::try_from(self.keys.left(now.mono).as_nanos()).unwrap_or_default();
        let next = Wall(now.wall.0.saturating_add(left)).rfc3339();
        let body = json!({"status": "healthy", "timestamp": now.wall.rfc3339(), "api_key_rotation": next});
        Reply::new(JSON, body.to_string())
    }

    /// The API's own pages; slow when the engine is.
    pub(super) fn api(&mut self, path: &str, now: Now) -> Reply {
        let up = self.up(now);
        let suffers = self.suffers(now);
        let status = if suffers { "degraded" } else { "healthy" };
        let body = match path {
            "/health" => json!({"status": status, "timestamp": now.wall.rfc3339()}),
            "/health/detailed" => json!({
                "status": status,
                "uptime_seconds": up.as_secs(),
                "checks": {
                    "database": {"latency_ms": self.last.query * 1e3},
                    "exchange": {"connected": true},
                    "websocket": {"connections": STREAMS, "latency_ms": self.last.websocket},
                },
            }),
            "/ready" | "/live" => json!({"status": "ok"}),
            _ => return Reply::missing(),
        };
        let after = core::time::Duration::from_secs_f64(self.model.api(up));
        Reply { after, ..Reply::new(JSON, body.to_string()) }
    }
}
