//! `host` against the node exporter on the same kernel: same names, same labels, same values.

use crate::{observe, peer, sampler, value};
use core::time::Duration;
use std::collections::HashMap;
use watchkeeper::base::{Clock as _, Observation, PointKind, SeriesKey};
use watchkeeper::sys::clock::RealClock;

fn by_key(seen: &Observation) -> HashMap<SeriesKey, f64> {
    seen.points.iter().map(|point| (point.key.clone(), point.value)).collect()
}

#[tokio::test]
async fn names_labels_and_values_are_those_of_the_node_exporter() {
    let Some(peer) = peer::start("node-exporter") else { return };
    let mut ours = sampler("host", "");
    let mut theirs = sampler("scrape", &format!("url = \"{}\"", peer.env("NODE_EXPORTER_URL")));
    let before = observe(&mut *ours).await.expect("a host");
    let between = by_key(&observe(&mut *theirs).await.expect("a page"));
    // A new one, since some values are kept for ten seconds.
    let after = by_key(&observe(&mut *sampler("host", "")).await.expect("a host"));
    // Frees and loads move between three looks; totals do not, and counters only rise.
    let fixed = [
        "MemTotal",
        "filefd_maximum",
        "SwapTotal",
        "boot_time",
        "filesystem_size",
        "filesystem_files",
        "filesystem_readonly",
    ];
    let mut compared = 0;
    for point in before.points.iter().filter(|point| point.key.name.as_str().starts_with("node_")) {
        let key = &point.key;
        // Debian's build leaves out the loopback and what is mounted at /run, /mnt and /media.
        let label = |name| key.label(name).map(watchkeeper::base::Clean::as_str);
        // A link of tests/peers/netns.sh comes and goes with another test.
        let passing = label("device").is_some_and(|device| device == "lo" || device.starts_with("svc"));
        if passing || label("mountpoint").is_some_and(|point| point != "/") {
            continue;
        }
        let (low, high) = (point.value, after.get(key).copied().unwrap_or(f64::NAN));
        let Some(value) = between.get(key).copied() else { panic!("the exporter has no {key:?}") };
        compared += 1;
        let name = key.name.as_str();
        if fixed.iter().any(|fixed| name.contains(fixed)) && !name.ends_with("files_free") {
            assert_eq!((low, high), (value, value), "{key:?}");
        } else if point.kind == PointKind::Counter {
            // They multiply where we divide: the last digit may differ.
            let digit = value.abs() * 1e-12;
            assert!(low <= value + digit && value <= high + digit, "{key:?}: {low} {value} {high}");
        }
    }
    assert!(compared > 90, "{compared} series");
    for name in [
        "node_disk_io_time_seconds_total",
        "node_buddyinfo_blocks",
        "node_vmstat_oom_kill",
        "node_filefd_",
        "node_netstat_Tcp_ActiveOpens",
    ] {
        assert!(before.points.iter().any(|point| point.key.name.as_str().starts_with(name)), "no {name}");
    }
}

#[tokio::test]
async fn the_first_sample_has_disks_and_no_rates_the_second_has_both() {
    let mut host = sampler("host", "");
    let first = observe(&mut *host).await.expect("a host");
    assert!(crate::find(&first, "watchkeeper_host_cpu_busy_ratio", &[]).is_none(), "one reading is no rate");
    let used = value(&first, "watchkeeper_host_filesystem_used_ratio", &[]);
    assert!((0.0..=1.0).contains(&used), "{used}");
    assert!(first.facts.iter().any(|(name, _)| name.as_str() == "kernel"), "{:?}", first.facts);
    // CPU time is counted in steps of 10 ms.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let second = observe(&mut *host).await.expect("a host");
    let busy = value(&second, "watchkeeper_host_cpu_busy_ratio", &[]);
    assert!((0.0..=1.0).contains(&busy), "{busy}");
    let memory = value(&second, "watchkeeper_host_memory_used_ratio", &[]);
    assert!(memory > 0.0 && memory < 1.0, "{memory}");
}

/// Hundredths of a second that the kernel has counted on all processors: waiting for disks, and all of them.
fn counted_by_the_kernel() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/stat").expect("reads");
    let row = stat.lines().next().expect("a row").split_whitespace().skip(1);
    // What guests take is counted with the rest already.
    let ticks: Vec<f64> = row.take(8).map(|word| word.parse().expect("a number")).collect();
    (*ticks.get(4).expect("five numbers"), ticks.iter().sum())
}

/// A write that comes back once it is on the disk.
fn write_through(file: &std::fs::File, block: &[u8]) {
    std::os::unix::fs::FileExt::write_all_at(file, block, 0).expect("written");
    file.sync_data().expect("on the disk");
}

#[tokio::test]
async fn under_the_load_of_a_disk_the_wait_is_what_the_kernel_counts() {
    const LONGEST: Duration = Duration::from_secs(3);
    const ENOUGH: f64 = 10.0;
    // Below the build, which lies on a disk; what lies in memory waits for nothing.
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
    let block = vec![7; 1 << 20];
    let mut host = sampler("host", "");
    let outer = counted_by_the_kernel();
    let first = observe(&mut *host).await.expect("a host");
    let (inner, start) = (counted_by_the_kernel(), RealClock.now().mono);
    while counted_by_the_kernel().0 - inner.0 < ENOUGH && RealClock.now().mono.since(start) < LONGEST {
        write_through(&file, &block);
    }
    let inner_end = counted_by_the_kernel();
    let second = observe(&mut *host).await.expect("a host");
    let outer_end = counted_by_the_kernel();
    let ours = value(&second, "watchkeeper_host_cpu_iowait_ratio", &[]);
    let (least, most) =
        ((inner_end.0 - inner.0) / (outer_end.1 - outer.1), (outer_end.0 - outer.0) / (inner_end.1 - inner.1));
    println!("I/O wait under a disk's load: {:.1} %", ours * 100.0);
    // Only a processor that is idle waits: where others keep all of them busy this is none, and the pressure tells alone.
    assert!((least * 0.99..=most * 1.01).contains(&ours), "{ours}, not {least} to {most}");
    let stalled = |seen| value(seen, "node_pressure_io_waiting_seconds_total", &[]);
    assert!(stalled(&second) > stalled(&first), "the pressure beside it rises too");
}

#[tokio::test]
async fn free_blocks_are_those_of_the_kernels_file() {
    let mut host = sampler("host", "");
    // Node 0, zone   Normal    812   40 …
    let differs = |before: &str, after: &str, seen: &Observation| {
        let mut compared = 0;
        for (before, after) in before.lines().zip(after.lines()) {
            let words =
                |line: &str| line.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
            let (before, after): (Vec<String>, Vec<String>) = (words(before), words(after));
            for (order, pair) in before[4..].iter().zip(&after[4..]).enumerate() {
                let labels = [("node", &*before[1]), ("zone", &*before[3]), ("size", &*order.to_string())];
                let [one, other] = [pair.0, pair.1].map(|blocks| blocks.parse::<f64>().expect("a number"));
                let ours = crate::find(seen, "node_buddyinfo_blocks", &labels);
                if !ours.is_some_and(|ours| (one.min(other)..=one.max(other)).contains(&ours)) {
                    return Some(format!("order {order} of {before:?}, then {after:?}: {ours:?}"));
                }
                compared += 1;
            }
        }
        (compared < 10).then(|| format!("{compared} of {before}"))
    };
    let file = || std::fs::read_to_string("/proc/buddyinfo").expect("reads");
    // Blocks come and go between two looks, mostly one way: one look that lies between two others will do.
    let mut last = None;
    for _ in 0..300 {
        let before = file();
        let seen = observe(&mut *host).await.expect("a host");
        last = differs(&before, &file(), &seen);
        if last.is_none() {
            break;
        }
    }
    assert_eq!(last, None);
}

#[tokio::test]
async fn what_this_host_lacks_has_its_reason_and_is_not_zero() {
    let seen = observe(&mut *sampler("host", "")).await.expect("a host");
    for name in [
        "node_hwmon_temp_celsius",
        "node_thermal_zone_temp",
        "node_cpu_scaling_frequency_hertz",
        "node_cpu_core_throttles_total",
        "node_cpu_package_throttles_total",
        "node_vmstat_oom_kill",
        "watchkeeper_host_oom_kills_total",
        "watchkeeper_host_xids_total",
        "watchkeeper_host_memory_fragmentation_ratio",
    ] {
        let why = seen.not_supported.iter().chain(&seen.refused).find(|(known, _)| known.as_str() == name);
        let given = crate::find(&seen, name, &[]).is_some();
        assert!(given != why.is_some_and(|(_, why)| !why.as_str().is_empty()), "{name}: {given} {why:?}");
    }
}

#[tokio::test]
async fn a_sample_costs_less_than_ten_times_its_millisecond() {
    let cpu = || {
        let at = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(at).expect("after the start")
    };
    let mut host = sampler("host", "");
    let mut costs = Vec::new();
    for _ in 0..21 {
        let before = cpu();
        observe(&mut *host).await.expect("a host");
        costs.push(cpu().saturating_sub(before));
    }
    costs.sort();
    println!("host: {:?} CPU for the median sample of this build", costs[10]);
    assert!(costs[10] < Duration::from_millis(10), "{:?}", costs[10]);
}
