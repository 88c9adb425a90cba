//! `gpu` against a stand-in for the driver's library: what it gives, what it does not give, and why.

use crate::fake_nvml::{Fake, fact, later, patient, refused, seen};
use crate::probe::launch;
use crate::{find, measured, sampler, value};
use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use watchkeeper::base::{Clock, Failure, Observation};
use watchkeeper::samplers::{Remembering, Sampler};
use watchkeeper::sys::clock::RealClock;

/// What the library gives of GPU 0 in the first test.
const EXPECTED: &[(&str, f64)] = &[
    ("GPU_UTIL", 37.0),
    ("MEM_COPY_UTIL", 21.0),
    ("ENC_UTIL", 3.0),
    ("DEC_UTIL", 4.0),
    ("FB_TOTAL", 81_920.0),
    ("FB_USED", 8_192.0),
    ("FB_RESERVED", 1_024.0),
    ("FB_FREE", 72_704.0),
    ("FB_USED_PERCENT", 8_192.0 / 80_896.0),
    ("GPU_TEMP", 61.0),
    ("MEMORY_TEMP", 77.0),
    ("SLOWDOWN_TEMP", 83.0),
    ("SHUTDOWN_TEMP", 90.0),
    ("POWER_USAGE", 180.25),
    ("POWER_MGMT_LIMIT", 400.0),
    ("ENFORCED_POWER_LIMIT", 400.0),
    ("TOTAL_ENERGY_CONSUMPTION", 99.0),
    ("FAN_SPEED", 40.0),
    ("SM_CLOCK", 1_410.0),
    ("MEM_CLOCK", 1_593.0),
    ("MAX_SM_CLOCK", 1_980.0),
    ("MAX_MEM_CLOCK", 1_593.0),
    ("CLOCK_THROTTLE_REASONS", 68.0),
    ("PSTATE", 2.0),
    ("ECC_SBE_VOL_TOTAL", 5.0),
    ("ECC_DBE_VOL_TOTAL", 5.0),
    ("ECC_SBE_AGG_TOTAL", 5.0),
    ("ECC_DBE_AGG_TOTAL", 5.0),
    ("RETIRED_SBE", 2.0),
    ("RETIRED_DBE", 0.0),
    ("RETIRED_PENDING", 1.0),
    ("CORRECTABLE_REMAPPED_ROWS", 6.0),
    ("UNCORRECTABLE_REMAPPED_ROWS", 7.0),
    ("ROW_REMAP_PENDING", 0.0),
    ("ROW_REMAP_FAILURE", 1.0),
    ("PCIE_LINK_GEN", 4.0),
    ("PCIE_LINK_WIDTH", 8.0),
    ("PCIE_MAX_LINK_GEN", 5.0),
    ("PCIE_MAX_LINK_WIDTH", 16.0),
    ("PCIE_REPLAY_COUNTER", 9.0),
    ("PCIE_TX_THROUGHPUT", 1_000.0),
    ("PCIE_RX_THROUGHPUT", 2_000.0),
    ("MIG_MODE", 0.0),
    ("XID_ERRORS", 0.0),
];

#[tokio::test]
async fn every_value_is_the_librarys_own_under_dcgms_name_and_labels() {
    let own = std::process::id();
    let lines = format!(
        "gpu_util 37\nmem_util 21\n1.gpu_util 0\nenc 3\ndec 4\nmem_total 85899345920\nmem_used 8589934592\n\
         mem_reserved 1073741824\ntemp 61\n1.temp 90\nmem_temp 77\npower 180250\npower_limit 400000\nenergy 99\nfan 40\n\
         sm_clock 1410\nmem_clock 1593\nthrottle 68\npstate 2\necc 5\nretired_sbe 2\nretired_dbe 0\nretire_pending 1\n\
         remap_cor 6\nremap_unc 7\nremap_pending 0\nremap_failure 1\npcie_gen 4\npcie_width 8\npcie_replay 9\n\
         pcie_tx 1000\npcie_rx 2000\nprocs {own}:1048576\n"
    );
    let Some(fake) = Fake::new(&lines) else { return };
    let seen = seen(&mut *fake.sampler()).await;
    let labels = [
        ("gpu", "0"),
        ("UUID", "GPU-00000000-fake-0000-0000-000000000000"),
        ("modelName", "NVIDIA FAKE-100"),
        ("device", "nvidia0"),
        ("pci_bus_id", "00000000:01:00.0"),
    ];
    for (metric, expected) in EXPECTED {
        assert_eq!(value(&seen, &format!("DCGM_FI_DEV_{metric}"), &labels), *expected, "{metric}");
    }
    assert!(seen.not_supported.is_empty(), "{:?}", seen.not_supported);
    assert_eq!(value(&seen, "DCGM_FI_DEV_GPU_UTIL", &[("gpu", "1")]), 0.0, "zero is a value");
    assert_eq!(value(&seen, "DCGM_FI_DEV_GPU_TEMP", &[("gpu", "1")]), 90.0);
    assert_eq!(value(&seen, "watchkeeper_gpu_throttle", &[("gpu", "1"), ("reason", "hw_thermal")]), 1.0);
    assert_eq!(value(&seen, "watchkeeper_gpu_throttle", &[("gpu", "1"), ("reason", "sync_boost")]), 0.0);
    assert_eq!(fact(&seen, "GPU 0 throttled"), Some("power cap, too hot (hardware)"));
    assert_eq!(value(&seen, "watchkeeper_gpu_processes", &[("gpu", "0")]), 1.0);
    let process = [("gpu", "0"), ("pid", &own.to_string()), ("type", "compute")];
    assert_eq!(value(&seen, "watchkeeper_gpu_process_used_bytes", &process), 1_048_576.0);
    assert!(fact(&seen, "GPU 0 processes").is_some_and(|text| text.starts_with("samplers-")), "{:?}", seen.facts);
    let (devices, expected) = ("watchkeeper_gpu_devices", "watchkeeper_gpu_devices_expected");
    assert_eq!((value(&seen, devices, &[]), value(&seen, expected, &[])), (2.0, 2.0));
    assert_eq!((fact(&seen, "driver"), fact(&seen, "CUDA")), (Some("550.54.15"), Some("12.4")));
}

#[tokio::test]
async fn what_no_gpu_gives_is_not_supported_and_never_zero() {
    let Some(fake) =
        Fake::new("fail.nvmlDeviceGetNumFans 3\n1.fail.nvmlDeviceGetPowerUsage 3\nfail.nvmlDeviceGetTemperature 4\n")
    else {
        return;
    };
    let seen = seen(&mut *fake.sampler()).await;
    let lacks: Vec<&str> = seen.not_supported.iter().map(|(name, _)| name.as_str()).collect();
    // Nothing is set that would give these either.
    let fields = ["CORRECTABLE_REMAPPED_ROWS", "UNCORRECTABLE_REMAPPED_ROWS", "ROW_REMAP_PENDING", "ROW_REMAP_FAILURE"];
    for metric in ["FAN_SPEED", "MEMORY_TEMP"].into_iter().chain(fields) {
        let name = format!("DCGM_FI_DEV_{metric}");
        assert!(lacks.contains(&name.as_str()), "{name} {lacks:?}");
        assert_eq!(find(&seen, &name, &[]), None);
    }
    assert_eq!(lacks.len(), 6, "{lacks:?}");
    assert_eq!(value(&seen, "DCGM_FI_DEV_POWER_USAGE", &[("gpu", "0")]), 180.0);
    assert_eq!(find(&seen, "DCGM_FI_DEV_POWER_USAGE", &[("gpu", "1")]), None);
    assert_eq!(fact(&seen, "GPU 1 does not support"), Some("DCGM_FI_DEV_POWER_USAGE"));
    assert_eq!(fact(&seen, "GPU 0 cannot be read"), Some("DCGM_FI_DEV_GPU_TEMP: this login may not read it"));
}

#[tokio::test]
async fn no_library_no_driver_mismatch_no_right_and_lost_are_different_sentences_and_each_comes_back() {
    let mut said = Vec::new();
    launch();
    let failure = refused(&mut *sampler("gpu", "library = \"/nowhere/libnvidia-ml.so.1\"")).await;
    said.push(failure.what.to_string());
    for (line, words) in [
        ("fail.nvmlInit_v2 9", "the NVIDIA driver is not loaded"),
        ("fail.nvmlInit_v2 18", "NVIDIA driver mismatch"),
        ("fail.nvmlDeviceGetCount_v2 18", "NVIDIA driver mismatch"),
        ("fail.nvmlInit_v2 4", "this login may not ask the NVIDIA driver"),
        ("fail.* 15", "the GPU is lost"),
        ("devices 0", "the NVIDIA driver lists no GPU on this host"),
        ("fail.nvmlDeviceGetUUID 999", "NVML does not answer about GPU 0"),
    ] {
        let Some(fake) = Fake::new(line) else { return };
        let mut gpu = fake.sampler();
        let failure = refused(&mut *gpu).await;
        assert!(failure.what.as_str().starts_with(words), "{line}: {failure:?}");
        assert_eq!(failure.not_permitted, line.ends_with(" 4"));
        said.push(failure.what.to_string());
        fake.set("");
        let after = patient(&mut *gpu, || later(Duration::from_secs(61))).await.expect("seen");
        assert_eq!(value(&after, "watchkeeper_gpu_devices", &[]), 2.0, "{line}");
    }
    assert!(
        said[0].starts_with("no NVIDIA driver here: its library libnvidia-ml.so.1 cannot be loaded"),
        "{}",
        said[0]
    );
    said.sort();
    said.dedup();
    assert_eq!(said.len(), 7, "{said:?}");
}

#[tokio::test]
async fn a_gpu_that_falls_off_the_bus_is_told_with_its_last_xid_and_left_in_peace() {
    let Some(fake) = Fake::new("") else { return };
    let mut gpu = fake.sampler();
    seen(&mut *gpu).await;
    fake.set("1.xid 79\n1.xid_seq a\n");
    let marked = seen(&mut *gpu).await;
    assert_eq!(value(&marked, "DCGM_FI_DEV_XID_ERRORS", &[("gpu", "1")]), 79.0);
    assert_eq!(value(&marked, "watchkeeper_gpu_xid_errors_total", &[("gpu", "1")]), 1.0);
    assert_eq!(value(&marked, "DCGM_FI_DEV_XID_ERRORS", &[("gpu", "0")]), 0.0);
    fake.set("1.fail.* 15\n");
    let failed = refused(&mut *gpu).await;
    assert!(failed.answered && failed.what.as_str().starts_with("1 of 2 GPUs answer: NVIDIA FAKE-100 "), "{failed:?}");
    let lost = measured(failed);
    assert_eq!(value(&lost, "watchkeeper_gpu_devices", &[]), 1.0);
    assert_eq!(value(&lost, "watchkeeper_gpu_devices_expected", &[]), 2.0);
    assert_eq!(value(&lost, "watchkeeper_gpu_up", &[("gpu", "1")]), 0.0);
    assert_eq!(value(&lost, "watchkeeper_gpu_up", &[("gpu", "0")]), 1.0);
    assert_eq!(find(&lost, "DCGM_FI_DEV_GPU_UTIL", &[("gpu", "1")]), None);
    let words = fact(&lost, "GPU 1 trouble").expect("told");
    assert!(words.contains("is lost since") && words.contains("last Xid 79"), "{words}");
    fake.set("");
    assert_eq!(
        value(&measured(refused(&mut *gpu).await), "watchkeeper_gpu_devices", &[]),
        1.0,
        "not asked again so soon"
    );
    let after = patient(&mut *gpu, || later(Duration::from_secs(61))).await.expect("seen");
    assert_eq!(value(&after, "watchkeeper_gpu_devices", &[]), 2.0);
    assert_eq!(value(&after, "watchkeeper_gpu_up", &[("gpu", "1")]), 1.0);
}

#[tokio::test]
async fn a_gpu_that_was_never_seen_well_is_left_in_peace_too() {
    let Some(fake) = Fake::new("fail.* 15\n") else { return };
    let mut gpu = fake.sampler();
    assert!(refused(&mut *gpu).await.answered);
    fake.set("");
    assert!(refused(&mut *gpu).await.what.as_str().starts_with("the GPU is lost"));
    let after = patient(&mut *gpu, || later(Duration::from_secs(61))).await.expect("seen");
    assert_eq!(value(&after, "watchkeeper_gpu_devices", &[]), 2.0);
}

#[tokio::test]
async fn a_gpu_that_the_driver_no_longer_lists_is_gone_since() {
    let Some(fake) = Fake::new("") else { return };
    let mut gpu = sampler("gpu", &format!("{}\nexpected = 3", fake.config()));
    let missing = refused(&mut *gpu).await;
    assert_eq!(missing.what.as_str(), "2 of 3 GPUs answer: the others were never seen here.");
    assert_eq!(value(&measured(missing), "DCGM_FI_DEV_GPU_UTIL", &[("gpu", "1")]), 37.0, "those that answer are live");
    fake.set("devices 1\n");
    let fewer = measured(refused(&mut *gpu).await);
    assert_eq!(value(&fewer, "watchkeeper_gpu_up", &[("gpu", "1")]), 0.0);
    let words = fact(&fewer, "GPU 1 trouble").expect("told");
    assert!(words.contains("fake-0000-0000-000000000001 is gone since "), "{words}");
    fake.set("devices 0\n");
    let none = refused(&mut *gpu).await;
    assert!(none.answered && none.what.as_str().contains(" is gone since "), "{none:?}");
    assert_eq!(value(&measured(none), "watchkeeper_gpu_devices", &[]), 0.0);
}

/// Another start of the console: a sampler anew, with the memory of the last one.
fn again(fake: &Fake) -> Box<dyn Sampler> {
    Remembering::wrap(fake.sampler(), memory(fake))
}

fn memory(fake: &Fake) -> PathBuf {
    fake.dir.path().join("memory/gpu.json")
}

/// Looks until the memory has so many GPUs.
async fn remembers(gpu: &mut dyn Sampler, fake: &Fake, many: usize) {
    let has = || fs::read_to_string(memory(fake)).is_ok_and(|text| text.matches("GPU-").count() == many);
    while !has() {
        let _seen_or_not = gpu.observe(RealClock.now()).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_gpu_that_is_gone_since_the_last_run_is_missed_as_a_memory_with_its_age() {
    let Some(fake) = Fake::new("") else { return };
    let mut first = again(&fake);
    assert_eq!(fact(&seen(&mut *first).await, "since the last run"), None, "there was none");
    remembers(&mut *first, &fake, 2).await;
    drop(first);
    let same = seen(&mut *again(&fake)).await;
    let told = fact(&same, "since the last run").expect("told");
    assert!(told.starts_with("the same 2 as on 20") && told.contains(" UTC ("), "{told}");

    fake.set("devices 1\n");
    let mut next = again(&fake);
    let failed = patient(&mut *next, || later(Duration::from_secs(9 * 3600))).await.expect_err("one is missed");
    assert!(failed.answered && failed.what.as_str().starts_with("1 of 2 GPUs answer: NVIDIA FAKE-100 "), "{failed:?}");
    let missed = measured(failed);
    assert_eq!(value(&missed, "watchkeeper_gpu_devices", &[]), 1.0);
    assert_eq!(value(&missed, "watchkeeper_gpu_devices_expected", &[]), 2.0);
    assert_eq!(value(&missed, "watchkeeper_gpu_up", &[("gpu", "1")]), 0.0);
    assert_eq!(find(&missed, "DCGM_FI_DEV_GPU_UTIL", &[("gpu", "1")]), None, "a memory is no value");
    let words = fact(&missed, "GPU 1 trouble").expect("told");
    assert!(words.contains(" seen last 20") && words.contains("9h ago), gone: the driver does not list it"), "{words}");
    let told = fact(&missed, "since the last run").expect("told");
    assert!(told.contains("gone: NVIDIA FAKE-100 GPU-00000000-fake-0000-0000-000000000001"), "{told}");
    remembers(&mut *next, &fake, 2).await;

    fake.set("devices 0\n");
    let none = patient(&mut *again(&fake), || RealClock.now()).await.expect_err("both are missed");
    assert!(none.answered && none.what.as_str().contains(" seen last 20"), "{none:?}");
    assert_eq!(value(&measured(none), "watchkeeper_gpu_devices_expected", &[]), 2.0);
    fake.set("fail.nvmlDeviceGetCount_v2 9");
    let none = refused(&mut *again(&fake)).await;
    assert!(none.what.as_str().starts_with("the NVIDIA driver is not loaded"), "{none:?}");
    assert!(none.what.as_str().contains(" Seen last 20") && none.what.as_str().contains("gone: NVIDIA"), "{none:?}");
    let none = measured(none);
    let (devices, expected) = ("watchkeeper_gpu_devices", "watchkeeper_gpu_devices_expected");
    assert_eq!((value(&none, devices, &[]), value(&none, expected, &[])), (0.0, 2.0));

    // What was taken out for good is said in the profile, and is forgotten.
    fake.set("devices 1\n");
    let body = format!("{}\nexpected = 1", fake.config());
    let mut told = Remembering::wrap(sampler("gpu", &body), memory(&fake));
    assert_eq!(value(&seen(&mut *told).await, "watchkeeper_gpu_devices_expected", &[]), 1.0);
    remembers(&mut *told, &fake, 1).await;
}

#[tokio::test]
async fn a_memory_that_is_broken_or_of_others_is_ignored_with_a_sentence() {
    let Some(fake) = Fake::new("devices 1\n") else { return };
    let mut first = again(&fake);
    remembers(&mut *first, &fake, 1).await;
    drop(first);
    let whole = fs::read_to_string(memory(&fake)).expect("kept");
    let two = whole
        .replace("[{", "[{\"uuid\":\"GPU-x\",\"name\":\"NVIDIA X\",\"index\":1,\"seen\":\"2026-01-01T00:00:00Z\"},{");
    for (text, mode, why) in [
        (whole.get(..20).expect("longer"), 0o600, "is ignored: it is damaged ("),
        (
            &*two.replace("\"version\":1", "\"version\":9"),
            0o600,
            "is ignored: it is of version 9, this program reads 1",
        ),
        (&*two, 0o666, "is ignored: "),
    ] {
        fs::write(memory(&fake), text).expect("written");
        fs::set_permissions(memory(&fake), fs::Permissions::from_mode(mode)).expect("set");
        let mut gpu = again(&fake);
        let seen = seen(&mut *gpu).await;
        assert_eq!(value(&seen, "watchkeeper_gpu_devices_expected", &[]), 1.0, "{why}");
        let said = fact(&seen, "memory of the last run").expect("told");
        assert!(said.contains(why) && said.contains("/memory/gpu.json "), "{said}");
        remembers(&mut *gpu, &fake, 1).await;
    }
}

#[tokio::test]
async fn parts_of_a_gpu_have_their_own_memory() {
    let Some(fake) = Fake::new("0.mig 1\nmem_used 1073741824\n") else { return };
    let seen = seen(&mut *fake.sampler()).await;
    for part in ["0", "1"] {
        let labels = [("gpu", "0"), ("GPU_I_ID", part)];
        assert_eq!(value(&seen, "watchkeeper_gpu_instance_used_bytes", &labels), 1_073_741_824.0);
        assert_eq!(value(&seen, "watchkeeper_gpu_instance_total_bytes", &labels), 85_899_345_920.0);
    }
    assert_eq!(find(&seen, "watchkeeper_gpu_instance_used_bytes", &[("gpu", "1")]), None);
    assert_eq!(value(&seen, "DCGM_FI_DEV_MIG_MODE", &[("gpu", "0")]), 1.0);
}

/// A program in place of nvidia-smi, where no library can be loaded.
async fn by_program(script: &str) -> Result<Observation, Failure> {
    launch();
    let dir = tempfile::tempdir().expect("a folder");
    let program = dir.path().join("nvidia-smi");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("may run");
    let config = format!("library = \"/nowhere/libnvidia-ml.so.1\"\nnvidia_smi = \"{}\"", program.display());
    patient(&mut *sampler("gpu", &config), || RealClock.now()).await
}

#[tokio::test]
async fn where_the_library_cannot_be_loaded_its_program_is_asked() {
    let line = "0, GPU-a, NVIDIA X, 00000000:01:00.0, 550.54, 37, 21, 1000, 400, 600, 61, 180.25, 400.00, 1410, 1593, \
                1980, 1593, [N/A], 0, 0, 4, 16";
    let script =
        format!("case \"$1 $2\" in --query-gpu=index,uuid,*' --format=csv,noheader,nounits') echo '{line}';; esac");
    let seen = by_program(&script).await.expect("seen");
    let labels = [("gpu", "0"), ("UUID", "GPU-a"), ("modelName", "NVIDIA X"), ("pci_bus_id", "00000000:01:00.0")];
    assert_eq!(value(&seen, "DCGM_FI_DEV_FB_USED_PERCENT", &labels), 0.6);
    assert_eq!(value(&seen, "DCGM_FI_DEV_POWER_USAGE", &labels), 180.25);
    assert_eq!(seen.not_supported[0].0.as_str(), "DCGM_FI_DEV_FAN_SPEED");
    assert_eq!((fact(&seen, "source"), fact(&seen, "driver")), (Some("nvidia-smi"), Some("550.54")));
    for (script, words) in [
        (
            "echo \"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\"; exit 9",
            "the NVIDIA driver is not loaded",
        ),
        ("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", "NVIDIA driver mismatch"),
        ("echo 'Unable to determine the device handle: GPU is lost.' >&2; exit 15", "the GPU is lost"),
        ("echo 'No devices were found'; exit 6", "nvidia-smi does not answer: No devices were found."),
    ] {
        let failure = by_program(script).await.expect_err("a failure");
        assert!(failure.what.as_str().starts_with(words), "{failure:?}");
    }
}
