//! `host`: CPU, load, memory, disks, network, pressure, temperatures, clocks and the kernel log of this host, named and
//! measured as node_exporter does (`node_*`). No key is needed:
//! ```toml
//! [samplers.host]
//! kind = "host"
//! remote_mounts = true                # ask file systems that are not local too (network, FUSE), in a child
//! mounts = ["/data"]                  # or only these
//! ```
//! Of our own, where a panel would else need a rate: `watchkeeper_host_{cpu_busy,cpu_iowait,cpu_steal,memory_used,
//! swap_used,pressure,disk_busy,filesystem_used,filesystem_files_used,memory_fragmentation}_ratio` (0 to 1),
//! `…_disk_{read,written}_bytes_per_second`, `…_network_{receive,transmit}_bytes_per_second`; from the kernel log since
//! boot, as far as its ring goes: `…_oom_kills_total`, `…_xids_total`, `…_xid_total{xid,pci}`, `…_kernel_log_lost_total`.
//! /proc is read inline, since the kernel answers from memory; what can wait for a device is not: `disks`, `host::slow`.
//! sysinfo gives what does not change; for the rest it sums up CPU modes, has no pressure and reads more than is used.

use crate::base::{Body, Clean, Failure, Fault, Mono, Now, Observation, Point, PointKind, SeriesKey};
use crate::clean;
use crate::samplers::host::disks::{Disk, Disks};
use crate::samplers::host::remote_disks::Remote;
use crate::samplers::host::{DiskIo, KernelLog, Lack, Slow};
use crate::samplers::proc_text::{self, MODES, Pressure, Stat, Times, Traffic};
use crate::samplers::{Kind, Observed, Sampler};
use core::time::Duration;
use serde::Deserialize;
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use sysinfo::System;

const PRESSURES: &[(&str, &str, &str)] = &[
    ("cpu", "some", "node_pressure_cpu_waiting_seconds_total"),
    ("io", "some", "node_pressure_io_waiting_seconds_total"),
    ("io", "full", "node_pressure_io_stalled_seconds_total"),
    ("memory", "some", "node_pressure_memory_waiting_seconds_total"),
    ("memory", "full", "node_pressure_memory_stalled_seconds_total"),
];
const PRESSURE_RATIO: &str = "watchkeeper_host_pressure_ratio";

/// The kind. Its metrics of node_exporter, in its units, labels and kinds: `node_cpu_seconds_total`, `node_load*`,
/// `node_memory_*_bytes`, `node_pressure_*_seconds_total`, `node_network_*_total`, `node_filesystem_*`, `node_disk_*`,
/// `node_boot_time_seconds`, `node_time_seconds`, `node_uname_info`, `node_procs_*`, `node_context_switches_total`, `node_forks_total`; and, read every ten
/// seconds, `node_hwmon_temp_*celsius`, `node_hwmon_chip_names`, `node_hwmon_sensor_label`, `node_thermal_zone_temp`,
/// `node_cpu_{core,package}_throttles_total`, `node_cpu_frequency_*hertz`, `node_cpu_scaling_frequency_*hertz`,
/// `node_buddyinfo_blocks`, `node_vmstat_*`, `node_filefd_*`, `node_sockstat_*`, `node_netstat_Tcp_ActiveOpens`.
///
/// `watchkeeper_host_memory_fragmentation_ratio{node,zone}` is the share of free memory in blocks smaller than 2 MiB.
pub struct Host;

impl Kind for Host {
    fn name(&self) -> &'static str {
        "host"
    }

    fn about(&self) -> &'static str {
        "CPU, memory, disks, network, pressure, temperatures and the kernel log of this host"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let Config { remote_mounts, mounts } = body.read()?;
        if let Some(mount) = mounts.iter().find(|mount| !mount.is_absolute()) {
            return Err(body.fault_at("mounts", format!("`{}` does not begin with `/`.", mount.display())));
        }
        let remote = Remote::new(remote_mounts, mounts);
        Ok(Box::new(HostSampler { remote, ..HostSampler::new("/".into()) }))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["node_".to_owned(), "watchkeeper_host_".to_owned()].into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default)]
    remote_mounts: bool,
    #[serde(default)]
    mounts: Vec<PathBuf>,
}

struct HostSampler {
    /// `/`; only tests name another.
    root: PathBuf,
    disks: Disks,
    remote: Remote,
    facts: Option<Vec<(Clean, Clean)>>,
    keys: HashMap<u32, [SeriesKey; 8]>,
    ticks: HashMap<u32, Times>,
    busy: Option<Times>,
    traffic: HashMap<Clean, (Mono, [u64; 2])>,
    disk_io: DiskIo,
    kernel_log: KernelLog,
    slow: Slow,
}

impl Sampler for HostSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            let mut seen = Observation { facts: self.facts(), ..Observation::default() };
            self.cpu(&mut seen);
            self.load(&mut seen);
            self.memory(&mut seen);
            self.pressure(&mut seen);
            self.network(now.mono, &mut seen);
            if seen.points.is_empty() {
                let proc = self.root.join("proc");
                let what = format!("{} cannot be read: is it mounted, and open to this login?", proc.display());
                return Err(Failure::not_permitted(what));
            }
            seen.points.push(Point::gauge("node_time_seconds", &[], now.wall.0 as f64 / 1e9));
            seen.points.push(uname());
            self.disk_io.read(&self.root, now.mono, &mut seen);
            self.kernel_log.read(&self.root, now.mono, &mut seen);
            self.slow.read(&self.root, now.mono, &mut seen).await;
            match self.disks.read(&self.root, now.mono).await {
                Ok(disks) => disks.iter().for_each(|disk| disk_points(disk, &mut seen)),
                Err(what) => seen.facts.push((Clean::from("disks"), what)),
            }
            let (disks, facts) = self.remote.read(&self.root, now).await;
            for disk in disks {
                disk_points(disk, &mut seen);
            }
            seen.facts.extend(facts);
            Ok(seen)
        })
    }
}

impl HostSampler {
    fn new(root: PathBuf) -> Self {
        Self {
            root,
            disks: Disks::new(),
            remote: Remote::new(false, Vec::new()),
            facts: None,
            keys: HashMap::new(),
            ticks: HashMap::new(),
            busy: None,
            traffic: HashMap::new(),
            disk_io: DiskIo::default(),
            kernel_log: KernelLog::default(),
            slow: Slow::new(),
        }
    }

    fn facts(&mut self) -> Vec<(Clean, Clean)> {
        let learn = || {
            let known = [
                ("host", System::host_name()),
                ("os", System::long_os_version()),
                ("kernel", System::kernel_version()),
            ];
            known.into_iter().filter_map(|(name, value)| Some((Clean::from(name), Clean::text(value.ok()?)))).collect()
        };
        self.facts.get_or_insert_with(learn).clone()
    }

    fn read(&self, path: &str) -> io::Result<String> {
        std::fs::read(self.root.join(path)).map(|raw| String::from_utf8_lossy(&raw).into_owned())
    }

    fn cpu(&mut self, seen: &mut Observation) {
        let Some(stat) = self.read("proc/stat").ok().and_then(|text| proc_text::stat(&text)) else {
            seen.not_supported.push(absent("node_cpu_seconds_total", "/proc/stat cannot be read"));
            return;
        };
        for (cpu, times) in &stat.cpus {
            let keys = self.keys.entry(*cpu).or_insert_with(|| keys(*cpu));
            let last = self.ticks.entry(*cpu).or_insert(*times);
            steady(last, times);
            for (key, ticks) in keys.iter().zip(last) {
                let value = proc_text::seconds(*ticks);
                seen.points.push(Point { key: key.clone(), value, kind: PointKind::Counter });
            }
        }
        // A share of time needs two readings; the first gives none, which is not zero.
        if let Some(before) = self.busy.replace(stat.all) {
            let shares = [
                ("watchkeeper_host_cpu_busy_ratio", proc_text::busy(&before, &stat.all)),
                ("watchkeeper_host_cpu_iowait_ratio", proc_text::share(&before, &stat.all, "iowait")),
                ("watchkeeper_host_cpu_steal_ratio", proc_text::share(&before, &stat.all, "steal")),
            ];
            seen.points.extend(shares.iter().filter_map(|(name, share)| Some(Point::gauge(name, &[], (*share)?))));
        }
        kernel_points(&stat, seen);
    }

    fn load(&self, seen: &mut Observation) {
        match self.read("proc/loadavg").ok().and_then(|text| proc_text::loadavg(&text)) {
            Some(loads) => {
                for (name, load) in ["node_load1", "node_load5", "node_load15"].into_iter().zip(loads) {
                    seen.points.push(Point::gauge(name, &[], load));
                }
            }
            None => seen.not_supported.push(absent("node_load1", "/proc/loadavg cannot be read")),
        }
    }

    fn memory(&self, seen: &mut Observation) {
        let text = self.read("proc/meminfo").unwrap_or_default();
        let mut known: HashMap<&str, f64> = HashMap::new();
        for (name, value, unit) in proc_text::meminfo(&text) {
            let metric = format!("node_memory_{}{unit}", name.replace('(', "_").replace(')', ""));
            seen.points.push(Point::gauge(&metric, &[], float(value)));
            known.insert(name, float(value));
        }
        let used = |total: &str, left: &str| {
            let (total, left) = (known.get(total)?, known.get(left)?);
            (*total > 0.0).then(|| 1.0 - left / total)
        };
        for (name, share, why) in [
            ("watchkeeper_host_memory_used_ratio", used("MemTotal", "MemAvailable"), "the kernel does not say"),
            ("watchkeeper_host_swap_used_ratio", used("SwapTotal", "SwapFree"), "this host has no swap"),
        ] {
            match share {
                Some(share) => seen.points.push(Point::gauge(name, &[], share)),
                None => seen.not_supported.push(absent(name, why)),
            }
        }
    }

    fn pressure(&self, seen: &mut Observation) {
        let mut told = false;
        for resource in ["cpu", "io", "memory"] {
            let text = self.read(&format!("proc/pressure/{resource}"));
            let lack = text.as_ref().err().map_or(Lack::Absent("this kernel does not count it"), pressure_lack);
            let line = |scope: &str| text.as_ref().ok().and_then(|text| proc_text::pressure(text, scope));
            for (_, scope, name) in PRESSURES.iter().filter(|(known, ..)| *known == resource) {
                match line(scope) {
                    Some(Pressure { seconds, .. }) => seen.points.push(Point::counter(name, &[], seconds)),
                    None => lack.tell(&[name], seen),
                }
            }
            match line("some") {
                Some(Pressure { ratio, .. }) => {
                    seen.points.push(Point::gauge(PRESSURE_RATIO, &[("resource", resource)], ratio));
                }
                None if told => {}
                None => {
                    told = true;
                    lack.tell(&[PRESSURE_RATIO], seen);
                }
            }
        }
    }

    fn network(&mut self, now: Mono, seen: &mut Observation) {
        let Ok(text) = self.read("proc/net/dev") else {
            seen.not_supported.push(absent("node_network_receive_bytes_total", "/proc/net/dev cannot be read"));
            return;
        };
        let mut still = HashMap::with_capacity(self.traffic.len());
        for (device, traffic) in proc_text::netdev(&text) {
            let device = Clean::text(device);
            traffic_points(device.as_str(), &traffic, seen);
            if let Some((at, before)) = self.traffic.remove(&device) {
                rates(device.as_str(), now.since(at), before, traffic.bytes, seen);
            }
            still.insert(device, (now, traffic.bytes));
        }
        self.traffic = still;
    }
}

fn keys(cpu: u32) -> [SeriesKey; 8] {
    let cpu = cpu.to_string();
    MODES.map(|mode| SeriesKey::new("node_cpu_seconds_total", &[("cpu", &cpu), ("mode", mode)]))
}

fn uname() -> Point {
    let is = rustix::system::uname();
    let labels = [
        ("sysname", is.sysname()),
        ("release", is.release()),
        ("version", is.version()),
        ("machine", is.machine()),
        ("nodename", is.nodename()),
        ("domainname", is.domainname()),
    ]
    .map(|(name, text)| (name, text.to_string_lossy()));
    let labels = labels.each_ref().map(|(name, text)| (*name, text.as_ref()));
    Point::gauge("node_uname_info", &labels, 1.0)
}

/// Takes new ticks over the old ones. The kernel lets idle and iowait fall by a little; told on, that would read as
/// a restart of the host. A fall of three seconds or more is believed: the CPU was unplugged.
fn steady(last: &mut Times, new: &Times) {
    for (last, new) in last.iter_mut().zip(new) {
        if *new >= *last || *last - *new >= 300 {
            *last = *new;
        }
    }
}

fn kernel_points(stat: &Stat, seen: &mut Observation) {
    let gauges = [
        ("node_boot_time_seconds", stat.boot),
        ("node_procs_running", stat.running),
        ("node_procs_blocked", stat.blocked),
    ];
    let counters = [("node_context_switches_total", stat.switches), ("node_forks_total", stat.forks)];
    seen.points.extend(gauges.iter().filter_map(|(name, value)| Some(Point::gauge(name, &[], float((*value)?)))));
    seen.points.extend(counters.iter().filter_map(|(name, value)| Some(Point::counter(name, &[], float((*value)?)))));
}

fn pressure_lack(error: &io::Error) -> Lack {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Lack::Refused("this login may not read /proc/pressure"),
        io::ErrorKind::NotFound => Lack::Absent("this kernel has no pressure figures (CONFIG_PSI)"),
        _ => Lack::Absent("pressure figures are switched off in this kernel (psi=1 turns them on)"),
    }
}

fn traffic_points(device: &str, traffic: &Traffic, seen: &mut Observation) {
    for (what, [received, sent]) in
        [("bytes", traffic.bytes), ("packets", traffic.packets), ("errs", traffic.errors), ("drop", traffic.drops)]
    {
        for (way, value) in [("receive", received), ("transmit", sent)] {
            let name = format!("node_network_{way}_{what}_total");
            seen.points.push(Point::counter(&name, &[("device", device)], float(value)));
        }
    }
}

/// Bytes a second since the last look; nothing when a counter fell (the device was made anew).
fn rates(device: &str, passed: Duration, before: [u64; 2], after: [u64; 2], seen: &mut Observation) {
    if passed.is_zero() {
        return;
    }
    for (at, way) in ["receive", "transmit"].into_iter().enumerate() {
        let step = after.get(at).zip(before.get(at)).and_then(|(after, before)| after.checked_sub(*before));
        if let Some(step) = step {
            let name = format!("watchkeeper_host_network_{way}_bytes_per_second");
            seen.points.push(Point::gauge(&name, &[("device", device)], float(step) / passed.as_secs_f64()));
        }
    }
}

fn disk_points(disk: &Disk, seen: &mut Observation) {
    let labels =
        [("device", disk.device.as_str()), ("fstype", disk.kind.as_str()), ("mountpoint", disk.point.as_str())];
    for (name, value) in [
        ("node_filesystem_size_bytes", disk.size),
        ("node_filesystem_free_bytes", disk.free),
        ("node_filesystem_avail_bytes", disk.available),
        ("node_filesystem_files", disk.files),
        ("node_filesystem_files_free", disk.files_free),
        ("node_filesystem_readonly", u64::from(disk.read_only)),
    ] {
        seen.points.push(Point::gauge(name, &labels, float(value)));
    }
    // As `df` counts: what root keeps for itself is neither used nor left.
    let used = disk.size.saturating_sub(disk.free);
    let usable = used.saturating_add(disk.available);
    if usable > 0 {
        let labels = [("mountpoint", disk.point.as_str())];
        seen.points.push(Point::gauge("watchkeeper_host_filesystem_used_ratio", &labels, float(used) / float(usable)));
    }
    // File systems that make inodes as they go (btrfs) say 0 of them.
    if disk.files > 0 {
        let used = float(disk.files.saturating_sub(disk.files_free)) / float(disk.files);
        let labels = [("mountpoint", disk.point.as_str())];
        seen.points.push(Point::gauge("watchkeeper_host_filesystem_files_used_ratio", &labels, used));
    }
}

fn absent(name: &'static str, why: &str) -> (Clean, Clean) {
    (Clean::from(name), clean!("{why}"))
}

fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const STAT: &str = "cpu  100 0 50 1000 10 0 0 0 0 0\ncpu0 100 0 50 1000 10 0 0 0 0 0\nctxt 5\nbtime 17\n";

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join("proc").join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    fn value(seen: &Observation, name: &str) -> Option<f64> {
        seen.points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.value)
    }

    fn at(seconds: u64) -> Now {
        Now { mono: Mono(seconds * 1_000_000_000), ..Now::default() }
    }

    #[tokio::test]
    async fn what_needs_two_readings_is_absent_at_first_and_never_zero() {
        let root = tempfile::tempdir().expect("a folder");
        put(root.path(), "stat", STAT);
        put(root.path(), "net/dev", "\n\n eth0: 1000 0 0 0 0 0 0 0 500 0 0 0 0 0 0 0\n");
        let mut sampler = HostSampler::new(root.path().to_owned());
        let names = ["watchkeeper_host_cpu_busy_ratio", "watchkeeper_host_network_receive_bytes_per_second"];
        let first = sampler.observe(at(1)).await.expect("seen");
        assert_eq!(names.map(|name| value(&first, name)), [None, None]);
        assert_eq!(value(&first, "node_network_receive_bytes_total"), Some(1_000.0));

        put(root.path(), "stat", &STAT.replace("100 0 50 1000 10", "120 0 60 1060 20"));
        put(root.path(), "net/dev", "\n\n eth0: 3000 0 0 0 0 0 0 0 10 0 0 0 0 0 0 0\n");
        let second = sampler.observe(at(3)).await.expect("seen");
        assert_eq!(names.map(|name| value(&second, name)), [Some(0.3), Some(1_000.0)]);
        assert_eq!(value(&second, "watchkeeper_host_network_transmit_bytes_per_second"), None, "the counter fell");
    }

    #[tokio::test]
    async fn without_pressure_figures_they_are_not_supported_not_zero() {
        let root = tempfile::tempdir().expect("a folder");
        put(root.path(), "stat", STAT);
        put(root.path(), "meminfo", "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
        put(root.path(), "pressure/io", "some avg10=12.00 avg60=0.00 avg300=0.00 total=4000000\n");
        let seen = HostSampler::new(root.path().to_owned()).observe(at(1)).await.expect("seen");
        let absent: Vec<&str> = seen.not_supported.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["node_pressure_cpu_waiting_seconds_total", "node_pressure_io_stalled_seconds_total"] {
            assert!(absent.contains(&name), "{absent:?}");
            assert_eq!(value(&seen, name), None);
        }
        assert_eq!(value(&seen, "node_pressure_io_waiting_seconds_total"), Some(4.0));
        assert_eq!(value(&seen, PRESSURE_RATIO), Some(0.12));
        assert_eq!(value(&seen, "watchkeeper_host_memory_used_ratio"), Some(0.75));
        assert!(absent.contains(&"watchkeeper_host_swap_used_ratio"), "no swap is not 0 % used");
    }

    #[tokio::test]
    async fn what_is_available_counts_not_what_is_free() {
        let root = tempfile::tempdir().expect("a folder");
        put(root.path(), "stat", STAT);
        put(root.path(), "meminfo", "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 750 kB\nSwapTotal: 0 kB\n");
        let seen = HostSampler::new(root.path().to_owned()).observe(at(1)).await.expect("seen");
        assert_eq!(value(&seen, "watchkeeper_host_memory_used_ratio"), Some(0.25), "full of caches is not full");
        for (name, kib) in [("MemTotal", 1000.0), ("MemFree", 10.0), ("MemAvailable", 750.0)] {
            assert_eq!(value(&seen, &format!("node_memory_{name}_bytes")), Some(kib * 1024.0), "{name}");
        }
    }

    #[tokio::test]
    async fn a_hidden_proc_is_a_sentence() {
        let root = tempfile::tempdir().expect("a folder");
        let failure = HostSampler::new(root.path().to_owned()).observe(at(1)).await.expect_err("nothing there");
        assert!(failure.not_permitted && failure.what.as_str().contains("cannot be read"), "{failure:?}");
    }

    #[tokio::test]
    async fn what_virtual_machines_lack_is_read_where_it_is() {
        let root = tempfile::tempdir().expect("a folder");
        put(root.path(), "stat", STAT);
        for (path, text) in [
            ("class/hwmon/hwmon0/name", "coretemp\n"),
            ("class/hwmon/hwmon0/temp1_input", "45500\n"),
            ("class/hwmon/hwmon0/temp1_crit", "100000\n"),
            ("class/hwmon/hwmon0/temp1_label", "Package id 0\n"),
            ("class/hwmon/hwmon1/device/temp2_input", "-5000\n"),
            ("class/thermal/thermal_zone0/type", "x86_pkg_temp\n"),
            ("class/thermal/thermal_zone0/temp", "46000\n"),
            ("devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2400000\n"),
            ("devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "2000000\n"),
            ("devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
            ("devices/system/cpu/cpu0/topology/core_id", "0\n"),
            ("devices/system/cpu/cpu0/topology/physical_package_id", "0\n"),
            ("devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "7\n"),
            ("devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "9\n"),
            ("devices/system/cpu/cpu1/topology/core_id", "0\n"),
            ("devices/system/cpu/cpu1/topology/physical_package_id", "0\n"),
            ("devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "7\n"),
        ] {
            put(root.path(), &format!("../sys/{path}"), text);
        }
        let seen = HostSampler::new(root.path().to_owned()).observe(at(1)).await.expect("seen");
        for (name, expected) in [
            ("node_hwmon_temp_celsius", 45.5),
            ("node_hwmon_temp_crit_celsius", 100.0),
            ("node_thermal_zone_temp", 46.0),
            ("node_cpu_scaling_frequency_hertz", 2.4e9),
            ("node_cpu_scaling_frequency_max_hertz", 2e9),
            ("node_cpu_core_throttles_total", 7.0),
            ("node_cpu_package_throttles_total", 9.0),
        ] {
            assert_eq!(value(&seen, name), Some(expected), "{name}");
        }
        let throttles = |point: &&Point| point.key.name.as_str() == "node_cpu_core_throttles_total";
        assert_eq!(seen.points.iter().filter(throttles).count(), 1, "two threads are one core");
        let chips: Vec<_> = seen.points.iter().filter_map(|point| point.key.label("chip")).collect();
        assert!(chips.iter().any(|chip| chip.as_str() == "coretemp"), "{chips:?}");
        assert!(chips.iter().any(|chip| chip.as_str() == "hwmon1_device"), "{chips:?}");
        assert!(seen.facts.contains(&("governor".into(), "powersave".into())), "{:?}", seen.facts);
        let lacks = |name: &str| seen.not_supported.iter().any(|(known, _)| known.as_str() == name);
        assert!(lacks("node_cpu_frequency_hertz") && lacks("node_buddyinfo_blocks") && lacks("node_disk_io_now"));
        assert!(!lacks("node_hwmon_temp_celsius") && lacks("watchkeeper_host_oom_kills_total"));
    }

    #[test]
    fn counters_do_not_fall_by_a_little() {
        let mut last = [0, 0, 0, 1_000, 50, 0, 0, 0];
        steady(&mut last, &[0, 0, 0, 999, 60, 0, 0, 0]);
        assert_eq!((last[3], last[4]), (1_000, 60));
        steady(&mut last, &[0, 0, 0, 10, 60, 0, 0, 0]);
        assert_eq!(last[3], 10);
    }

    #[test]
    fn an_unknown_key_is_a_fault() {
        let body = Body::parse("p.toml", "psi = true\n").expect("parses");
        let fault = Host.build(&body).err().map(|fault| fault.to_string()).unwrap_or_default();
        assert!(fault.starts_with("p.toml:1:1: unknown key `psi`."), "{fault}");
    }
}
