//! The comma-separated answer of `nvidia-smi`, for hosts where the library cannot be loaded. Pure.

use crate::samplers::probe::{Gpu, Gpus, Lack, Refusal};

/// Asked for, and the metric of each number. Only what every version of the program knows.
const FIELDS: &[(&str, &str)] = &[
    ("utilization.gpu", "DCGM_FI_DEV_GPU_UTIL"),
    ("utilization.memory", "DCGM_FI_DEV_MEM_COPY_UTIL"),
    ("memory.total", "DCGM_FI_DEV_FB_TOTAL"),
    ("memory.free", "DCGM_FI_DEV_FB_FREE"),
    ("memory.used", "DCGM_FI_DEV_FB_USED"),
    ("temperature.gpu", "DCGM_FI_DEV_GPU_TEMP"),
    ("power.draw", "DCGM_FI_DEV_POWER_USAGE"),
    ("power.limit", "DCGM_FI_DEV_POWER_MGMT_LIMIT"),
    ("clocks.sm", "DCGM_FI_DEV_SM_CLOCK"),
    ("clocks.mem", "DCGM_FI_DEV_MEM_CLOCK"),
    ("clocks.max.sm", "DCGM_FI_DEV_MAX_SM_CLOCK"),
    ("clocks.max.mem", "DCGM_FI_DEV_MAX_MEM_CLOCK"),
    ("fan.speed", "DCGM_FI_DEV_FAN_SPEED"),
    ("ecc.errors.corrected.volatile.total", "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL"),
    ("ecc.errors.uncorrected.volatile.total", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"),
    ("pcie.link.gen.current", "DCGM_FI_DEV_PCIE_LINK_GEN"),
    ("pcie.link.width.current", "DCGM_FI_DEV_PCIE_LINK_WIDTH"),
];
/// Before the numbers.
const NAMES: [&str; 5] = ["index", "uuid", "name", "pci.bus_id", "driver_version"];

/// Its arguments.
pub(crate) fn arguments() -> Vec<String> {
    let fields: Vec<&str> = NAMES.into_iter().chain(FIELDS.iter().map(|(field, _)| *field)).collect();
    vec![format!("--query-gpu={}", fields.join(",")), "--format=csv,noheader,nounits".to_owned()]
}

/// What it printed as it ended well: the driver, and each GPU with its number.
pub(crate) fn answer(text: &str) -> Result<(Gpus, Vec<(u32, Gpu)>), Refusal> {
    let mut gpus = Gpus::default();
    let mut all = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let words: Vec<&str> = line.split(',').map(str::trim).collect();
        let [index, uuid, name, pci, driver, numbers @ ..] = words.as_slice() else { return Err(complaint(text)) };
        let (Ok(index), true) = (index.parse(), numbers.len() == FIELDS.len()) else { return Err(complaint(text)) };
        let mut gpu =
            Gpu { uuid: (*uuid).to_owned(), name: (*name).to_owned(), pci: (*pci).to_owned(), ..Gpu::default() };
        for ((_, metric), word) in FIELDS.iter().zip(numbers) {
            number(metric, word, &mut gpu);
        }
        let of = |metric: &str| gpu.values.iter().find(|(name, _)| name == metric).map(|(_, value)| *value);
        if let (Some(used), Some(total)) =
            (of("DCGM_FI_DEV_FB_USED"), of("DCGM_FI_DEV_FB_TOTAL").filter(|of| *of > 0.0))
        {
            gpu.values.push(("DCGM_FI_DEV_FB_USED_PERCENT".to_owned(), used / total));
        }
        gpus.driver = Some((*driver).to_owned());
        all.push((index, gpu));
    }
    gpus.count = u32::try_from(all.len()).unwrap_or(u32::MAX);
    if all.is_empty() { Err(complaint(text)) } else { Ok((gpus, all)) }
}

fn number(metric: &str, word: &str, gpu: &mut Gpu) {
    match word.parse::<f64>() {
        Ok(value) if value.is_finite() => gpu.values.push((metric.to_owned(), value)),
        _ => {
            let never = ["N/A", "Not Supported", "Not Available"].iter().any(|known| word.contains(known));
            let why = if never { "this GPU does not support it".to_owned() } else { word.chars().take(80).collect() };
            gpu.lacks.push(Lack { metric: metric.to_owned(), why, never });
        }
    }
}

/// What it says instead of an answer.
pub(crate) fn complaint(text: &str) -> Refusal {
    let said = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["version mismatch"]) {
        Refusal::Mismatch
    } else if says(&["gpu is lost", "fallen off the bus"]) {
        Refusal::Lost
    } else if says(&["couldn't communicate with the nvidia driver", "driver not loaded", "driver is not loaded"]) {
        Refusal::NoDriver
    } else if says(&["insufficient permissions"]) {
        Refusal::NotPermitted
    } else {
        let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing");
        Refusal::Other(first.trim_end_matches('.').chars().take(160).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "1, GPU-ab, NVIDIA H100 80GB HBM3, 00000000:0A:00.0, 550.54, 37, 21, 81559, 80000, 1559, 61, \
                        180.25, 700.00, 1410, 1593, 1980, 2619, [N/A], 0, [Unknown Error], 5, 16";

    #[test]
    fn a_line_is_a_gpu_and_what_is_no_number_is_absent() {
        let (gpus, all) = answer(&format!("{LINE}\n")).expect("an answer");
        assert_eq!((gpus.count, gpus.driver.as_deref()), (1, Some("550.54")));
        let (index, gpu) = &all[0];
        assert_eq!((*index, gpu.name.as_str(), gpu.pci.as_str()), (1, "NVIDIA H100 80GB HBM3", "00000000:0A:00.0"));
        let of = |metric: &str| gpu.values.iter().find(|(name, _)| name == metric).map(|(_, value)| *value);
        assert_eq!(of("DCGM_FI_DEV_POWER_USAGE"), Some(180.25));
        assert_eq!(of("DCGM_FI_DEV_FB_USED_PERCENT"), Some(1559.0 / 81559.0));
        assert_eq!(of("DCGM_FI_DEV_ECC_SBE_VOL_TOTAL"), Some(0.0), "zero is a value");
        assert_eq!(of("DCGM_FI_DEV_FAN_SPEED"), None);
        let lacks: Vec<(&str, bool)> = gpu.lacks.iter().map(|lack| (lack.metric.as_str(), lack.never)).collect();
        assert_eq!(lacks, [("DCGM_FI_DEV_FAN_SPEED", true), ("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", false)]);
        assert_eq!(arguments()[0].split(',').count(), LINE.split(',').count());
    }

    #[test]
    fn complaints_are_told_apart() {
        for (text, refusal) in [
            (
                "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550",
                Refusal::Mismatch,
            ),
            ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make", Refusal::NoDriver),
            ("Unable to determine the device handle for GPU 0000:0A:00.0: GPU is lost.  Reboot", Refusal::Lost),
            ("No devices were found\n", Refusal::Other("No devices were found".to_owned())),
            ("", Refusal::Other("it said nothing".to_owned())),
        ] {
            assert_eq!(answer(text), Err(refusal), "{text}");
        }
    }
}
