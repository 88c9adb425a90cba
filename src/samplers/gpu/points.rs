//! What was seen of GPUs as points, facts and what they do not give, under the names and labels of NVIDIA's DCGM
//! exporter. Pure.

use crate::base::{Clean, Observation, Point, PointKind, SeriesKey, Unit};
use crate::clean;
use crate::samplers::probe::{Gpu, Process};

/// Facts name so many things each.
const NAMED: usize = 6;
/// Metrics that only rise.
const COUNTERS: &[&str] = &[
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
    "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL",
    "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL",
    "DCGM_FI_DEV_RETIRED_SBE",
    "DCGM_FI_DEV_RETIRED_DBE",
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS",
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS",
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER",
    "watchkeeper_gpu_xid_errors_total",
];
/// The bits of NVML's throttle reasons, for a label and in words.
const REASONS: &[(u64, &str, &str)] = &[
    (1 << 0, "gpu_idle", "idle"),
    (1 << 1, "applications_clocks_setting", "clocks set for applications"),
    (1 << 2, "sw_power_cap", "power cap"),
    (1 << 3, "hw_slowdown", "hardware slowdown"),
    (1 << 4, "sync_boost", "sync boost group"),
    (1 << 5, "sw_thermal", "too hot (driver)"),
    (1 << 6, "hw_thermal", "too hot (hardware)"),
    (1 << 7, "hw_power_brake", "power brake (supply)"),
    (1 << 8, "display_clocks", "clocks set for displays"),
];

/// One GPU, by its number.
pub(crate) fn gpu(index: u32, gpu: &Gpu, seen: &mut Observation) {
    let index = index.to_string();
    let device = gpu.minor.map(|minor| format!("nvidia{minor}")).unwrap_or_default();
    let mut labels = vec![("gpu", index.as_str()), ("UUID", gpu.uuid.as_str()), ("modelName", gpu.name.as_str())];
    labels.extend(
        [("device", device.as_str()), ("pci_bus_id", gpu.pci.as_str())].iter().filter(|(_, is)| !is.is_empty()),
    );
    for (metric, value) in &gpu.values {
        let kind = if COUNTERS.contains(&metric.as_str()) { PointKind::Counter } else { PointKind::Gauge };
        seen.points.push(Point { key: SeriesKey::new(metric, &labels), value: *value, kind });
    }
    let short = [("gpu", index.as_str()), ("UUID", gpu.uuid.as_str())];
    for Process { pid, name, used, graphics } in &gpu.processes {
        let (pid, kind) = (pid.to_string(), if *graphics { "graphics" } else { "compute" });
        let labels = [short[0], short[1], ("pid", &pid), ("process", name), ("type", kind)];
        let point = |used: u64| Point::gauge("watchkeeper_gpu_process_used_bytes", &labels, used as f64);
        seen.points.extend(used.map(point));
    }
    for part in &gpu.instances {
        let Some((used, total)) = part.memory else { continue };
        let number = part.index.to_string();
        let labels = [short[0], ("UUID", &part.uuid), ("GPU_I_ID", &number), ("GPU_I_PROFILE", &part.name)];
        seen.points.push(Point::gauge("watchkeeper_gpu_instance_used_bytes", &labels, used as f64));
        seen.points.push(Point::gauge("watchkeeper_gpu_instance_total_bytes", &labels, total as f64));
    }
    if let Some(mask) = value(gpu, "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS") {
        for (bit, reason, _) in REASONS {
            let on = f64::from(u8::from(bits(mask) & bit != 0));
            let labels = [short[0], short[1], ("reason", reason)];
            seen.points.push(Point::gauge("watchkeeper_gpu_throttle", &labels, on));
        }
    }
    facts(&index, gpu, &mut seen.facts);
}

/// The value of one metric.
pub(crate) fn value(gpu: &Gpu, metric: &str) -> Option<f64> {
    gpu.values.iter().find(|(name, _)| name == metric).map(|(_, value)| *value)
}

/// A mask that travelled as a number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mask of nine bits came from a u64")]
fn bits(mask: f64) -> u64 {
    mask as u64
}

/// Why a GPU runs slower than it could, in words.
fn throttled(mask: u64) -> Clean {
    let words: Vec<&str> = REASONS.iter().filter(|(bit, ..)| mask & bit != 0).map(|(.., word)| *word).collect();
    if words.is_empty() { clean!("no") } else { clean!("{}", words.join(", ")) }
}

fn facts(index: &str, gpu: &Gpu, facts: &mut Vec<(Clean, Clean)>) {
    facts.push((clean!("GPU {index}"), clean!("{} {} {}", gpu.name, gpu.uuid, gpu.pci)));
    if let Some(mask) = value(gpu, "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS") {
        facts.push((clean!("GPU {index} throttled"), throttled(bits(mask))));
    }
    if !gpu.processes.is_empty() {
        let words = some(&gpu.processes, |process| {
            let used = process.used.map(|used| Unit::Bytes.show(used as f64)).unwrap_or_default();
            let name = if process.name.is_empty() { "?" } else { &process.name };
            format!("{name} ({}) {used}", process.pid).trim_end().to_owned()
        });
        facts.push((clean!("GPU {index} processes"), words));
    }
    if !gpu.instances.is_empty() {
        facts.push((clean!("GPU {index} instances"), some(&gpu.instances, |part| part.name.clone())));
    }
    let withheld: Vec<_> = gpu.lacks.iter().filter(|lack| !lack.never).collect();
    if !withheld.is_empty() {
        let words = some(&withheld, |lack| format!("{}: {}", lack.metric, lack.why));
        facts.push((clean!("GPU {index} cannot be read"), words));
    }
}

fn some<T>(things: &[T], word: impl Fn(&T) -> String) -> Clean {
    let mut words: Vec<String> = things.iter().take(NAMED).map(word).collect();
    if things.len() > NAMED {
        words.push(format!("and {} more", things.len() - NAMED));
    }
    clean!("{}", words.join(", "))
}

/// What no GPU gives is not supported here; what only some lack is a fact of those.
pub(crate) fn lacking(gpus: &[(u32, &Gpu)], seen: &mut Observation) {
    let given = |metric: &str| gpus.iter().any(|(_, gpu)| value(gpu, metric).is_some());
    for (index, gpu) in gpus {
        let mut own = Vec::new();
        for lack in gpu.lacks.iter().filter(|lack| lack.never) {
            if given(&lack.metric) {
                own.push(lack.metric.as_str());
            } else if !seen.not_supported.iter().any(|(name, _)| name.as_str() == lack.metric) {
                seen.not_supported.push((Clean::text(&lack.metric), Clean::text(&lack.why)));
            }
        }
        if !own.is_empty() {
            let words = some(&own, |metric| (*metric).to_owned());
            seen.facts.push((clean!("GPU {index} does not support"), words));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samplers::probe::Lack;

    fn of(values: &[(&str, f64)], lacks: &[(&str, bool)]) -> Gpu {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let lack =
            |(metric, never): &(&str, bool)| Lack { metric: (*metric).to_owned(), why: "no".to_owned(), never: *never };
        Gpu { uuid: "GPU-1".to_owned(), values, lacks: lacks.iter().map(lack).collect(), ..Gpu::default() }
    }

    #[test]
    fn reasons_are_words_and_a_series_each() {
        let mut seen = Observation::default();
        gpu(3, &of(&[("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", 68.0)], &[]), &mut seen);
        let on: Vec<&str> = seen
            .points
            .iter()
            .filter(|point| point.key.name.as_str() == "watchkeeper_gpu_throttle" && point.value == 1.0)
            .filter_map(|point| point.key.label("reason").map(Clean::as_str))
            .collect();
        assert_eq!(on, ["sw_power_cap", "hw_thermal"]);
        assert_eq!(seen.points.len(), 1 + REASONS.len());
        assert!(seen.facts.contains(&("GPU 3 throttled".into(), "power cap, too hot (hardware)".into())));
        assert_eq!(throttled(0).as_str(), "no");
    }

    #[test]
    fn what_one_gpu_gives_is_supported_and_what_may_come_back_is_no_lack_for_ever() {
        let gpus = [of(&[("a", 0.0)], &[("b", true), ("c", false)]), of(&[], &[("a", true), ("b", true)])];
        let mut seen = Observation::default();
        lacking(&[(0, &gpus[0]), (1, &gpus[1])], &mut seen);
        assert_eq!(seen.not_supported, [("b".into(), "no".into())]);
        assert_eq!(seen.facts, [("GPU 1 does not support".into(), "a".into())]);
        gpu(0, &gpus[0], &mut seen);
        assert!(seen.facts.contains(&("GPU 0 cannot be read".into(), "c: no".into())), "{:?}", seen.facts);
    }
}
