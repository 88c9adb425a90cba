//! How fast the CPUs may run and do run, and how often heat slowed them, under node_exporter's names.

use super::{Lack, absent, number, numbered, word};
use crate::base::{Clean, Observation, Point};
use crate::clean;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// More CPUs are not read.
const MOST: usize = 1024;
/// Files of a CPU's cpufreq folder (they hold kHz), and the metric in hertz.
const CLOCKS: [(&str, &str); 6] = [
    ("scaling_cur_freq", "node_cpu_scaling_frequency_hertz"),
    ("scaling_min_freq", "node_cpu_scaling_frequency_min_hertz"),
    ("scaling_max_freq", "node_cpu_scaling_frequency_max_hertz"),
    ("cpuinfo_cur_freq", "node_cpu_frequency_hertz"),
    ("cpuinfo_min_freq", "node_cpu_frequency_min_hertz"),
    ("cpuinfo_max_freq", "node_cpu_frequency_max_hertz"),
];
const CORE: &str = "node_cpu_core_throttles_total";
const PACKAGE: &str = "node_cpu_package_throttles_total";

pub(super) fn read(root: &Path, seen: &mut Observation) {
    let cpus = numbered(&root.join("sys/devices/system/cpu"), "cpu");
    let cpus: Vec<_> = cpus.into_iter().take(MOST).collect();
    let mut governors = BTreeSet::new();
    let mut given = BTreeSet::new();
    for (cpu, path) in &cpus {
        let folder = path.join("cpufreq");
        let labels = [("cpu", &*cpu.to_string())];
        for (file, name) in CLOCKS {
            let Some(kilohertz) = number::<u64>(&folder.join(file)) else { continue };
            seen.points.push(Point::gauge(name, &labels, kilohertz as f64 * 1e3));
            given.insert(name);
        }
        governors.extend(word(&folder.join("scaling_governor")));
    }
    if !governors.is_empty() {
        let names: Vec<String> = governors.into_iter().take(8).collect();
        seen.facts.push((Clean::from("governor"), clean!("{}", names.join(", "))));
    }
    for (file, name) in CLOCKS.iter().filter(|(_, name)| !given.contains(name)) {
        let refused = cpus.iter().any(|(_, path)| path.join("cpufreq").join(file).exists());
        let why = if refused {
            Lack::Refused("only root may ask the hardware for it")
        } else {
            Lack::Absent("this host has no cpufreq (virtual machines have none)")
        };
        why.tell(&[name], seen);
    }
    throttles(&cpus, seen);
}

/// Each core and each package once, whatever the number of threads that share it.
fn throttles(cpus: &[(u32, std::path::PathBuf)], seen: &mut Observation) {
    let mut cores = BTreeMap::new();
    let mut packages = BTreeMap::new();
    for (_, path) in cpus {
        let place = |what: &str| number::<u32>(&path.join("topology").join(what));
        let Some(package) = place("physical_package_id") else { continue };
        let count = |what: &str| number::<u64>(&path.join("thermal_throttle").join(what));
        if let (Some(core), Some(count)) = (place("core_id"), count("core_throttle_count")) {
            cores.insert((package, core), count);
        }
        packages.extend(count("package_throttle_count").map(|count| (package, count)));
    }
    for ((package, core), count) in &cores {
        let labels = [("core", &*core.to_string()), ("package", &*package.to_string())];
        seen.points.push(Point::counter(CORE, &labels, *count as f64));
    }
    for (package, count) in &packages {
        seen.points.push(Point::counter(PACKAGE, &[("package", &package.to_string())], *count as f64));
    }
    for (name, none) in [(CORE, cores.is_empty()), (PACKAGE, packages.is_empty())] {
        if none {
            absent(&[name], "this host counts no thermal throttling (virtual machines and some CPUs do not)", seen);
        }
    }
}
