//! What the predictor publishes, under the names of its code.
//! Long because all settings that lead to its folder and ports stand in one text.

use super::program::{API, KERNEL, Norse};
use crate::base::Now;
use crate::roles::twin::endpoint::{JSON, METRICS, Reply};
use crate::roles::twin::exposition::{Page, card};
use serde_json::json;
use std::path::Path;

/// Upper bounds of the histogram, seconds: the first is ten times the guide's limit.
const BOUNDS: [&str; 9] = ["0.0001", "0.0005", "0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1"];

/// The control group of the service may have so much: as `memory-cap` below.
const LIMIT: f64 = 4e8;

/// The settings of the profile that point into this folder and at these ports.
pub(super) fn settings(folder: &Path, ports: &[u16]) -> String {
    let dir = folder.display();
    let port = |number: usize| ports.get(number).copied().unwrap_or_default();
    let (api, metrics) = (port(API), port(1));
    format!(
        r#"manager = {{ kind = "unix_socket", path = "{dir}/supervisor.sock", unit = "cerebellar-norse" }}
base = "https://127.0.0.1:{api}"
health-page = "https://localhost:{api}/health/"
host = "localhost"
ca = "{dir}/etc/tls/ca.pem"
api-key = "{dir}/etc/api.key"
port = {api}
metrics-first = "http://127.0.0.1:{metrics}/metrics"
metrics-second = "https://127.0.0.1:{api}/metrics"
config = "{dir}/etc/production.toml"
known-good = "{dir}/etc/backup/production.toml"
data-root = "{dir}"
data = "{dir}/data"
models = "{dir}/data/models"
models-backup = "{dir}/backup/models"
models-backup-root = "{dir}/backup"
log-folder = "{dir}/log"
logrotate = "{dir}/etc/logrotate"
kernel-root = "/sys/none"
compact = "/proc/sys/vm/none"
nvcc = "{dir}/run/none"
training-data = "{dir}/data/training"
class-column = 3
owner = "root"
group = "root"
program = "{dir}/bin/cerebellar-norse"
validate-file = []
validate-live = []
settle = "3s"
verify-within = "60s"
baseline = "10s"
memory-cap = 4e8
# A network that any host can hold.
connections-per-neuron = 4

# No driver here: the card's own exporter stands for it, and the unit is the twin's.
[samplers.gpu]
kind = "scrape"
url = "http://127.0.0.1:{metrics}/gpu/metrics"
every = "1s"
timeout = "800ms"
simulated = true

[samplers.service]
kind = "process"
pid_file = "{dir}/run/cerebellar-norse.pid"
name = "cerebellar-norse"
every = "2s"

[samplers.main-process]
kind = "file"
path = "{dir}/run/cerebellar-norse.pid"
missing = "ok"
parse = "lines"
lines = [{{ matches = '^([0-9]+)$', fact = "number" }}]
every = "2s"

[samplers.port]
kind = "tcp"
url = "127.0.0.1:{api}"
pid_file = "{dir}/run/cerebellar-norse.pid"
connect = false
every = "2s"

# Of the kernel it says what belongs to its story.
[logs.kernel]
kind = "file"
path = "{dir}/{KERNEL}"
format = "syslog"
"#
    )
}

impl Norse {
    /// A page of one of the ports.
    pub(in crate::roles::twin::systems) fn page(&mut self, port: usize, path: &str, now: Now) -> Reply {
        let text = |body: String| Reply::new(METRICS, body);
        match (port, path) {
            (API, "/health" | "/ready") => Self::constant_health(now),
            // Whoever adds a slash is sent to the page itself.
            (API, "/health/") => Reply::moved("/health"),
            (API, "/neural/health") => self.checks(now),
            (API, "/info") => info(),
            (API, "/neural/metrics") => text(self.neural(now)),
            (API, "/trading/metrics") => text(self.trading(now)),
            (API, "/system/metrics") => text(self.system(now)),
            (API, "/risk/metrics") => text(self.risk(now)),
            (API, "/market/metrics") => text(constants(&[
                ("market_price_usd", 45_000.0),
                ("market_volume_24h", 1_234_567.0),
                ("market_volatility", 0.25),
                ("market_spread_bps", 2.5),
            ])),
            (API, "/benchmarks/metrics") => {
                text(constants(&[("benchmark_inference_ns", 750.0), ("benchmark_throughput_ops_per_sec", 1_000_000.0)]))
            }
            (API, "/training/status/latest") => self.training(now),
            (API, _) => Reply::missing(),
            (_, "/metrics") => text(self.metrics(now)),
            (_, "/gpu/metrics") => self.hardware(now),
            _ => Reply::missing(),
        }
    }

    /// The card, what memory the service may have, and the CPUs where heat is their story.
    fn hardware(&self, now: Now) -> Reply {
        let up = self.up(now);
        if self.model.lost(up) {
            return Reply::refused(503, "no devices were found");
        }
        let busy = self.model.busy(up);
        let mut page = Page(card(self.model.card_mib(up), busy, 41.0 + 33.0 * busy, self.seed));
        let limit = "container_spec_memory_limit_bytes";
        page.family(limit, "gauge", "What the control group of the service may have.");
        page.sample(limit, "id=\"SIMULATED\"", LIMIT);
        if self.incident.is("throttling") {
            let hot = self.model.comes("throttling", up);
            let since = up.saturating_sub(self.model.onset).as_secs_f64();
            for (name, kind, help, value) in [
                (
                    "node_cpu_core_throttles_total",
                    "counter",
                    "Times that heat has slowed it down.",
                    (since * 2.0).floor(),
                ),
                ("node_hwmon_temp_celsius", "gauge", "Temperature.", (61.0 + 38.0 * hot).round()),
                ("node_cpu_scaling_frequency_hertz", "gauge", "Frequency now.", 3.1e9 - 1.9e9 * hot),
            ] {
                page.family(name, kind, help);
                page.sample(name, "package=\"0\",core=\"3\",cpu=\"3\",chip=\"SIMULATED\"", value);
            }
        }
        Reply::new(METRICS, page.0)
    }

    /// The answer to a test of the whole way; what comes in is not looked at.
    pub(super) fn process(&mut self, now: Now) -> Reply {
        let up = self.up(now);
        let nanos = self.model.item(up).round();
        let signals = json!([{"action": "hold", "confidence": 0.5 + 0.4 * self.model.chance()}]);
        let message = "market data processed";
        self.say(now, "INFO", "api", message, &json!({"processing_time_ns": nanos, "market_id": "TEST"}));
        Reply::new(JSON, json!({"signals": signals, "processing_time_ns": nanos}).to_string())
    }

    /// Says that the web server answers, and nothing more.
    fn constant_health(now: Now) -> Reply {
        let stamp = now.wall.0 / 1_000_000;
        let body = json!({"status": "healthy", "timestamp": stamp, "version": "1.0.0"});
        Reply::new(JSON, body.to_string())
    }

    /// The health that looks: 503 when something fails.
    fn checks(&mut self, now: Now) -> Reply {
        let up = self.up(now);
        let (whole, slow) = (self.weights.damaged.is_empty(), self.model.trouble(up) > 0.5);
        let one = |name: &str, status: &str, message: String| json!({"name": name, "status": status, "message": message, "duration_ms": 1});
        let models = if whole {
            one("models", "pass", "checksums match".to_owned())
        } else {
            one("models", "fail", format!("damaged: {}", self.weights.damaged.join(", ")))
        };
        let memory = 100.0 * self.model.card_mib(up) / super::model::CARD_MIB;
        let card = if memory > 90.0 { "warn" } else { "pass" };
        let checks = [
            models,
            one("gpu_memory", card, format!("{memory:.1} % in use")),
            one("latency", if slow { "warn" } else { "pass" }, String::new()),
        ];
        let status = match (whole, slow) {
            (false, _) => "unhealthy",
            (true, true) => "degraded",
            (true, false) => "healthy",
        };
        let body = json!({
            "status": status,
            "timestamp": now.wall.rfc3339(),
            "checks": checks,
            "uptime_seconds": up.as_secs(),
        });
        Reply { status: if whole { 200 } else { 503 }, ..Reply::new(JSON, body.to_string()) }
    }

    fn p95(&mut self, now: Now) -> f64 {
        self.latencies.quantiles(now.mono, [0.95]).map_or(0.0, |[p95]| p95)
    }

    /// `/metrics` of the exporter: every request lies in the histogram's first bucket.
    fn metrics(&mut self, now: Now) -> String {
        let up = self.up(now);
        let mut page = Page::default();
        let items = self.counted.items.floor();
        histogram(&mut page, "neural_inference_latency_seconds", items, self.counted.seconds);
        let right = self.model.accuracy(up, self.weights.damaged.is_empty());
        for (name, value) in [
            ("neural_throughput_ops_per_sec", self.model.throughput(up)),
            ("neural_accuracy_percentage", right),
            ("system_cpu_usage_percentage", 41.0 + 4.0 * self.model.swing(up)),
            ("system_memory_usage_percentage", 58.0 + self.model.swing(up)),
            ("trading_risk_score", 0.31 + 0.02 * self.model.swing(up)),
        ] {
            page.one(name, "gauge", "As the exporter sees it.", value);
        }
        page.one("neural_errors_total", "counter", "Errors.", self.counted.errors);
        page.one("trading_orders_total", "counter", "Orders.", (items / 20.0).floor());
        histogram(&mut page, "trading_order_latency_seconds", (items / 20.0).floor(), items / 20.0 * 0.000_04);
        page.0
    }

    /// Text with times in milliseconds, where the documents promise JSON.
    fn neural(&mut self, now: Now) -> String {
        let up = self.up(now);
        let nanos = (self.p95(now) * 1e9).round();
        let errors = 100.0 * self.counted.errors as f64 / self.counted.items.max(1.0);
        let right = self.model.accuracy(up, self.weights.damaged.is_empty());
        let values = [
            ("neural_inference_latency_ns", nanos),
            ("neural_throughput_ops_per_sec", self.model.throughput(up)),
            ("neural_accuracy_percentage", right),
            ("neural_memory_usage_mb", self.model.card_mib(up).round()),
            ("neural_gpu_utilization_percent", (self.model.busy(up) * 98.0).round()),
            ("neural_error_rate_percent", errors),
        ];
        let stamp = now.wall.0 / 1_000_000;
        values.into_iter().map(|(name, value)| format!("{name} {value} {stamp}\n")).collect()
    }

    fn trading(&mut self, now: Now) -> String {
        let up = self.up(now);
        let (swing, trouble) = (self.model.swing(up), self.model.trouble(up));
        constants(&[
            ("trading_orders_per_second", 20.0 + swing - 8.0 * trouble),
            ("trading_order_fill_latency_ms", 3.1 + 0.2 * swing + 2.0 * trouble),
            ("trading_market_data_latency_ms", 0.8 + 0.05 * swing),
            ("trading_risk_score", 0.31 + 0.02 * swing),
            ("trading_pnl_realtime", 1_250.0 + 80.0 * swing),
            ("trading_portfolio_value", 1_000_000.0 + 1_500.0 * swing),
            ("trading_open_positions", 7.0),
            ("trading_alerts_triggered", if trouble > 0.5 { 1.0 } else { 0.0 }),
        ])
    }

    fn system(&mut self, now: Now) -> String {
        let swing = self.model.swing(self.up(now));
        constants(&[
            ("system_cpu_usage_percent", 41.0 + 4.0 * swing),
            ("system_memory_usage_percent", 58.0 + swing),
            ("system_disk_usage_percent", 62.0),
            ("system_network_rx_mbps", 88.0 + 9.0 * swing),
            ("system_network_tx_mbps", 12.0 + swing),
            ("system_process_count", 213.0),
        ])
    }

    fn risk(&mut self, now: Now) -> String {
        let swing = self.model.swing(self.up(now));
        constants(&[
            ("risk_score", 0.31 + 0.02 * swing),
            ("portfolio_value_usd", 1_000_000.0 + 1_500.0 * swing),
            ("open_positions_total", 7.0),
        ])
    }

    fn training(&mut self, now: Now) -> Reply {
        let up = self.up(now);
        let epochs = up.as_secs_f64() / 45.0;
        let body = json!({
            "status": "running",
            "progress": (epochs.fract() * 1e4).round() / 1e4,
            "epoch": up.as_secs() / 45 + 1,
            "loss": (self.model.loss(up) * 1e6).round() / 1e6,
            "learning_rate": self.model.settings().learning_rate,
            "timestamp": now.wall.rfc3339(),
            "run": self.turn,
        });
        Reply::new(JSON, body.to_string())
    }
}

fn info() -> Reply {
    let endpoints = ["/health", "/ready", "/neural/metrics", "/trading/metrics", "/system/metrics", "/market/metrics"];
    let body = json!({
        "service": "cerebellar-norse", "version": "1.0.0", "build": "release", "commit": "856a8f66",
        "endpoints": endpoints,
    });
    Reply::new(JSON, body.to_string())
}

/// A histogram all of whose observations are below its first bound.
fn histogram(page: &mut Page, name: &str, count: f64, seconds: f64) {
    page.family(name, "histogram", "Seconds.");
    for bound in BOUNDS {
        page.sample(&format!("{name}_bucket"), &format!("le=\"{bound}\""), count);
    }
    page.sample(&format!("{name}_bucket"), "le=\"+Inf\"", count);
    page.sample(&format!("{name}_sum"), "", seconds);
    page.sample(&format!("{name}_count"), "", count);
}

/// Gauges, without more.
fn constants(values: &[(&str, f64)]) -> String {
    let mut page = Page::default();
    for (name, value) in values {
        page.one(name, "gauge", "As the service says.", value);
    }
    page.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bound_holds_everything() {
        let mut page = Page::default();
        histogram(&mut page, "x", 7.0, 0.1);
        assert!(page.0.contains("x_bucket{le=\"0.0001\"} 7\n") && page.0.contains("x_bucket{le=\"+Inf\"} 7\n"));
        assert!(page.0.ends_with("x_sum 0.1\nx_count 7\n"), "{}", page.0);
    }
}
