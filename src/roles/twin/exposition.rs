//! What the service publishes, in Prometheus' text format and as JSON. Names are those of the real exporters;
//! whatever a card would measure says SIMULATED.

use super::Scenario;
use super::engine::Engine;
use super::model::CARD_MIB;
use crate::base::Now;
use core::fmt::{Display, Write as _};
use core::time::Duration;
use serde_json::{Value, json};

/// Power of the card: idle and limit, watts.
const POWER: (f64, f64) = (70.0, 350.0);
/// Its clocks: idle, and at most, and of its memory, MHz.
const CLOCK: (f64, f64, f64) = (210.0, 1_740.0, 9_501.0);
/// Steps of one epoch of the training run take this long.
const EPOCH: Duration = Duration::from_secs(45);

/// Bytes free on the data's volume: too few for a map of 2 GiB, and enough.
const SCARCE: u64 = 1_181_116_006;
const AMPLE: u64 = 40 << 30;

/// A page of metrics under construction.
#[derive(Debug, Default)]
pub(super) struct Page(pub(super) String);

impl Page {
    /// The head of a family.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ok = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample of it.
    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        let _ok = if labels.is_empty() {
            writeln!(self.0, "{name} {value}")
        } else {
            writeln!(self.0, "{name}{{{labels}}} {value}")
        };
    }

    /// A family of one sample without labels.
    pub(super) fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }
}

/// `/metrics`. `store_errors` counts writes that the store refused.
pub(super) fn metrics(engine: &mut Engine, now: Now, store_errors: u64) -> String {
    let mut page = Page::default();
    let name = "inference_latency_seconds";
    page.family(name, "summary", "Processing time of an item over the last ten seconds.");
    // A summary without observations has no quantiles: no line says it better than NaN.
    if let Some(values) = engine.quantiles(now.mono, [0.5, 0.95, 0.99]) {
        for (quantile, value) in ["0.5", "0.95", "0.99"].iter().zip(values) {
            page.sample(name, &format!("quantile=\"{quantile}\""), value);
        }
    }
    let (sum, count) = engine.latency_totals();
    page.sample("inference_latency_seconds_sum", "", sum);
    page.sample("inference_latency_seconds_count", "", count);
    page.one("queue_depth", "gauge", "Requests that wait.", engine.depth());
    let arrivals = engine.arrivals_per_second(now.mono);
    page.one("queue_arrivals_per_second", "gauge", "Requests that came, over ten seconds.", arrivals);
    let completions = engine.completions_per_second(now.mono);
    page.one("queue_completions_per_second", "gauge", "Requests that were done, over ten seconds.", completions);
    page.one("inference_batch_size", "gauge", "Samples per launch.", engine.settings.batch_size);
    page.one("inference_requests_total", "counter", "Requests that came.", engine.totals.requests);
    page.one("inference_errors_total", "counter", "Requests turned away.", engine.totals.errors);
    page.one("store_write_errors_total", "counter", "Writes that the store refused.", store_errors);
    let started = Duration::from_nanos(u64::try_from(engine.started.wall.0).unwrap_or(0)).as_secs_f64();
    page.one("process_start_time_seconds", "gauge", "Start of the process since the epoch.", started);
    if let Some(bytes) = resident_bytes() {
        page.one("process_resident_memory_bytes", "gauge", "Resident memory.", bytes);
    }
    page.0
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix("kB")?;
    kib.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// `/gpu/metrics`, under the names of NVIDIA's DCGM exporter.
pub(super) fn gpu(engine: &Engine, now: Now, seed: u64) -> String {
    let used = engine.model.memory_mib(engine.up(now.mono));
    card(used, engine.card.busy(), engine.card.temperature, seed)
}

/// The same for a card with so many MiB used, busy for such a share, so warm in degrees Celsius.
pub(super) fn card(used: f64, busy: f64, temperature: f64, seed: u64) -> String {
    let labels =
        format!("gpu=\"0\",UUID=\"GPU-SIMULATED-{seed:08x}\",device=\"simulated0\",modelName=\"SIMULATED 24 GB card\"");
    let mut page = Page::default();
    for (name, help, value) in [
        ("DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %).", (busy * 98.0).round()),
        ("DCGM_FI_DEV_MEM_COPY_UTIL", "Memory utilization (in %).", (busy * 61.0).round()),
        ("DCGM_FI_DEV_ENC_UTIL", "Encoder utilization (in %).", 0.0),
        ("DCGM_FI_DEV_DEC_UTIL", "Decoder utilization (in %).", 0.0),
        ("DCGM_FI_DEV_FB_TOTAL", "Frame buffer memory (in MiB).", CARD_MIB),
        ("DCGM_FI_DEV_FB_USED", "Frame buffer memory used (in MiB).", used.round()),
        ("DCGM_FI_DEV_FB_FREE", "Frame buffer memory free (in MiB).", CARD_MIB - used.round()),
        ("DCGM_FI_DEV_FB_USED_PERCENT", "Share of the frame buffer used (0 to 1).", used.round() / CARD_MIB),
        ("DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C).", temperature.round()),
        ("DCGM_FI_DEV_POWER_USAGE", "Power draw (in W).", (POWER.0 + (POWER.1 - POWER.0) * busy * 0.995).round()),
        ("DCGM_FI_DEV_POWER_MGMT_LIMIT", "Power limit (in W).", POWER.1),
        ("DCGM_FI_DEV_SM_CLOCK", "SM clock frequency (in MHz).", (CLOCK.0 + (CLOCK.1 - CLOCK.0) * busy).round()),
        ("DCGM_FI_DEV_MEM_CLOCK", "Memory clock frequency (in MHz).", CLOCK.2),
    ] {
        page.family(name, "gauge", help);
        page.sample(name, &labels, value);
    }
    page.0
}

/// `/volume/metrics`: the volume that the service's data is said to lie on. A machine that plays the story has more room.
pub(super) fn volume(scenario: Scenario) -> String {
    let free = if scenario == Scenario::GpuMemory { SCARCE } else { AMPLE };
    let mut page = Page::default();
    page.family("data_volume_avail_bytes", "gauge", "Free bytes of the data's volume.");
    page.sample("data_volume_avail_bytes", "volume=\"SIMULATED\"", free);
    page.0
}

/// `/neural/metrics`: the service's own text, with timestamps in milliseconds.
pub(super) fn neural(engine: &mut Engine, now: Now) -> String {
    let stamp = now.wall.0 / 1_000_000;
    let latency = engine.quantiles(now.mono, [0.95]).map_or(0.0, |[p95]| (p95 * 1e9).round());
    let completions = engine.completions_per_second(now.mono);
    let memory = engine.model.memory_mib(engine.up(now.mono)).round();
    let totals = engine.totals;
    let errors = if totals.requests == 0 { 0.0 } else { 100.0 * ratio(totals.errors, totals.requests) };
    let mut page = Page::default();
    for (name, value) in [
        ("neural_inference_latency_ns", latency),
        ("neural_throughput_ops_per_sec", completions),
        ("neural_accuracy_percentage", accuracy(engine, now)),
        ("neural_memory_usage_mb", memory),
        ("neural_gpu_utilization_percent", (engine.card.busy() * 98.0).round()),
        ("neural_error_rate_percent", errors),
    ] {
        page.sample(name, "", format_args!("{value} {stamp}"));
    }
    page.0
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// Where the training run stands: epochs begun, progress of this one, loss.
fn training_state(engine: &Engine, now: Now) -> (u64, f64, f64) {
    let up = engine.up(now.mono).as_secs_f64();
    let epochs = up / EPOCH.as_secs_f64();
    let loss = 0.18 + 0.74 * (-epochs / 12.0).exp() + 0.004 * (up * 1.7).sin();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive count")]
    (epochs as u64 + 1, epochs.fract(), loss)
}

fn accuracy(engine: &Engine, now: Now) -> f64 {
    let (_, _, loss) = training_state(engine, now);
    (1_000.0 * (100.0 - 12.0 * loss)).round() / 1_000.0
}

/// `/training/status/latest`.
pub(super) fn training(engine: &Engine, now: Now) -> Value {
    let (epoch, progress, loss) = training_state(engine, now);
    json!({
        "status": "running",
        "progress": rounded(progress),
        "epoch": epoch,
        "loss": rounded(loss),
        "learning_rate": engine.settings.learning_rate,
        "timestamp": now.wall.rfc3339(),
    })
}

/// `/health`. Latency in microseconds and memory as a share, as the service's documents give them.
pub(super) fn health(engine: &mut Engine, now: Now) -> Value {
    let p95 = engine.quantiles(now.mono, [0.95]).map(|[p95]| rounded(p95 * 1e6));
    json!({
        "status": engine.status(now.mono),
        "timestamp": now.wall.0 / 1_000_000,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": engine.up(now.mono).as_secs(),
        "latency_p95": p95,
        "memory_usage": rounded(engine.memory_ratio(now.mono)),
        "queue_depth": engine.depth(),
    })
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::super::Scenario;
    use super::super::settings::Settings;
    use super::*;
    use crate::base::{Mono, Wall};

    fn engine() -> (Engine, Now) {
        let at = |second: u64| Now {
            mono: Mono(second * 1_000_000_000),
            wall: Wall(1_795_230_767_000_000_000 + i64::try_from(second).unwrap() * 1_000_000_000),
        };
        (Engine::new(Scenario::GpuMemory, 42, Settings::default(), at(0)), at(30))
    }

    fn value(page: &str, series: &str) -> f64 {
        let line =
            page.lines().find(|line| line.starts_with(series)).unwrap_or_else(|| panic!("no {series} in\n{page}"));
        line.rsplit_once("} ").map_or_else(|| line.split(' ').nth(1).unwrap(), |(_, value)| value).parse().unwrap()
    }

    #[test]
    fn an_idle_service_has_no_quantiles_but_all_the_rest() {
        let (mut engine, now) = engine();
        let page = metrics(&mut engine, now, 3);
        assert!(!page.contains("quantile=") && page.contains("inference_latency_seconds_count 0"));
        assert!(!page.contains("NaN"));
        assert!((value(&page, "store_write_errors_total") - 3.0).abs() < f64::EPSILON);
        assert!((value(&page, "inference_batch_size") - 1024.0).abs() < f64::EPSILON);
        assert!((value(&page, "process_start_time_seconds") - 1_795_230_767.0).abs() < 1e-3);
        assert!(value(&page, "process_resident_memory_bytes") > 1e6);
    }

    #[test]
    fn every_gpu_series_says_simulated_and_the_memory_adds_up() {
        let (engine, now) = engine();
        let page = gpu(&engine, now, 42);
        let samples: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples.len(), 13);
        assert!(samples.iter().all(|line| line.contains("SIMULATED") && line.contains("gpu=\"0\"")));
        let of = |name: &str| value(&page, &format!("{name}{{"));
        assert!(
            (of("DCGM_FI_DEV_FB_USED") + of("DCGM_FI_DEV_FB_FREE") - of("DCGM_FI_DEV_FB_TOTAL")).abs() < f64::EPSILON
        );
        assert!(of("DCGM_FI_DEV_FB_USED_PERCENT") > 0.95 && of("DCGM_FI_DEV_POWER_USAGE") <= 350.0);
    }

    #[test]
    fn training_moves() {
        let (engine, now) = engine();
        let later = Now { mono: now.mono + Duration::from_secs(60), ..now };
        assert_ne!(training(&engine, now)["progress"], training(&engine, later)["progress"]);
        assert_eq!(training(&engine, later)["epoch"], 3);
    }
}
