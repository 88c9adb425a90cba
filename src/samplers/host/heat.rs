//! Temperatures: sensor chips (/sys/class/hwmon) and thermal zones, under node_exporter's names.

use super::{absent, number, numbered, word};
use crate::base::{Observation, Point};
use std::ffi::OsStr;
use std::path::Path;

/// More sensors of a chip, and more chips and zones, are not read.
const MOST: usize = 64;
const CHIP: &str = "node_hwmon_temp_celsius";
const ZONE: &str = "node_thermal_zone_temp";
/// What else a sensor may tell beside its temperature.
const BOUNDS: [(&str, &str); 2] = [("max", "node_hwmon_temp_max_celsius"), ("crit", "node_hwmon_temp_crit_celsius")];

pub(super) fn read(root: &Path, seen: &mut Observation) {
    let before = seen.points.len();
    for (_, chip) in numbered(&root.join("sys/class/hwmon"), "hwmon").iter().take(MOST) {
        sensors(chip, seen);
    }
    if seen.points.len() == before {
        absent(&[CHIP], "this host shows no temperature sensor (virtual machines have none)", seen);
    }
    let before = seen.points.len();
    for (zone, path) in numbered(&root.join("sys/class/thermal"), "thermal_zone").iter().take(MOST) {
        let kind = word(&path.join("type")).unwrap_or_default();
        let labels = [("zone", &*zone.to_string()), ("type", &kind)];
        // A zone that is switched off answers with an error.
        let degrees = milli(&path.join("temp"));
        seen.points.extend(degrees.map(|degrees| Point::gauge(ZONE, &labels, degrees)));
    }
    if seen.points.len() == before {
        absent(&[ZONE], "this host shows no thermal zone (virtual machines have none)", seen);
    }
}

fn sensors(path: &Path, seen: &mut Observation) {
    let chip = chip(path);
    if let Some(name) = word(&path.join("name")) {
        seen.points.push(Point::gauge("node_hwmon_chip_names", &[("chip", &chip), ("chip_name", &name)], 1.0));
    }
    // The files of some old chips lie one folder down.
    let files = if inputs(path).is_empty() { path.join("device") } else { path.to_owned() };
    for sensor in inputs(&files).into_iter().take(MOST) {
        let sensor = format!("temp{sensor}");
        let labels = [("chip", chip.as_str()), ("sensor", sensor.as_str())];
        let Some(degrees) = milli(&files.join(format!("{sensor}_input"))) else { continue };
        seen.points.push(Point::gauge(CHIP, &labels, degrees));
        for (what, name) in BOUNDS {
            let bound = milli(&files.join(format!("{sensor}_{what}")));
            seen.points.extend(bound.map(|bound| Point::gauge(name, &labels, bound)));
        }
        if let Some(label) = word(&files.join(format!("{sensor}_label"))) {
            let labels = [("chip", chip.as_str()), ("sensor", sensor.as_str()), ("label", label.as_str())];
            seen.points.push(Point::gauge("node_hwmon_sensor_label", &labels, 1.0));
        }
    }
}

/// The numbers of the files `temp*_input`.
fn inputs(folder: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let of = |name: &OsStr| name.to_str()?.strip_prefix("temp")?.strip_suffix("_input")?.parse().ok();
    let mut found: Vec<u32> = entries.filter_map(|entry| of(&entry.file_name())).collect();
    found.sort_unstable();
    found
}

/// As node_exporter names a chip: bus and device where it hangs on one, else its own name, else its folder's.
fn chip(path: &Path) -> String {
    if let Ok(device) = std::fs::canonicalize(path.join("device")) {
        let (bus, name) = (device.parent().and_then(Path::file_name), device.file_name());
        let words = [bus, name].map(|word| tidy(&word.map(OsStr::to_string_lossy).unwrap_or_default()));
        return words.join("_").trim_matches('_').to_owned();
    }
    let own = word(&path.join("name")).map(|name| tidy(&name)).filter(|name| !name.is_empty());
    own.unwrap_or_else(|| tidy(&path.file_name().map(OsStr::to_string_lossy).unwrap_or_default()))
}

/// Lower case, and `_` for what a metric name cannot hold.
fn tidy(name: &str) -> String {
    let tidy = |c: char| if c.is_ascii_alphanumeric() || c == ':' { c.to_ascii_lowercase() } else { '_' };
    name.chars().map(tidy).collect::<String>().trim_matches('_').to_owned()
}

/// A file that holds thousandths.
fn milli(path: &Path) -> Option<f64> {
    number::<i64>(path).map(|milli| milli as f64 / 1e3)
}
