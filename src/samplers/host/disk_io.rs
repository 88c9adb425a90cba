//! Reads and writes of each block device, from /proc/diskstats, under node_exporter's names; and the rates of our own.

use super::absent;
use crate::base::{Clean, Mono, Observation, Point};
use std::collections::HashMap;
use std::path::Path;

/// A sector of /proc/diskstats, whatever the device's own is.
const SECTOR: f64 = 512.0;
/// More devices are not told of; their number is.
const MOST: usize = 128;
/// The fields after the name, in the file's order: name, gauge or not, and what one is in the metric's unit.
const FIELDS: [(&str, bool, f64); 11] = [
    ("node_disk_reads_completed_total", false, 1.0),
    ("node_disk_reads_merged_total", false, 1.0),
    ("node_disk_read_bytes_total", false, SECTOR),
    ("node_disk_read_time_seconds_total", false, 1e-3),
    ("node_disk_writes_completed_total", false, 1.0),
    ("node_disk_writes_merged_total", false, 1.0),
    ("node_disk_written_bytes_total", false, SECTOR),
    ("node_disk_write_time_seconds_total", false, 1e-3),
    ("node_disk_io_now", true, 1.0),
    ("node_disk_io_time_seconds_total", false, 1e-3),
    ("node_disk_io_time_weighted_seconds_total", false, 1e-3),
];
/// What a panel would need a rate for: which field, and its name.
const RATES: [(usize, &str); 3] = [
    (2, "watchkeeper_host_disk_read_bytes_per_second"),
    (6, "watchkeeper_host_disk_written_bytes_per_second"),
    (9, "watchkeeper_host_disk_busy_ratio"),
];

type Fields = [u64; FIELDS.len()];

/// The last reading of each device.
#[derive(Debug, Default)]
pub(crate) struct DiskIo {
    last: HashMap<Clean, (Mono, Fields)>,
}

impl DiskIo {
    pub(crate) fn read(&mut self, root: &Path, now: Mono, seen: &mut Observation) {
        let Ok(text) = std::fs::read(root.join("proc/diskstats")) else {
            let names = FIELDS.map(|(name, ..)| name);
            absent(&names, "/proc/diskstats cannot be read", seen);
            absent(&RATES.map(|(_, name)| name), "/proc/diskstats cannot be read", seen);
            return;
        };
        let text = String::from_utf8_lossy(&text);
        let mut still = HashMap::with_capacity(self.last.len());
        for (device, fields) in devices(&text).take(MOST) {
            let device = Clean::text(device);
            let labels = [("device", device.as_str())];
            for ((name, gauge, one), value) in FIELDS.iter().zip(fields) {
                // Milliseconds are divided: a thousandth times 3 is not 0.003.
                let value = if *one < 1.0 { value as f64 / 1e3 } else { value as f64 * one };
                let point = if *gauge { Point::gauge } else { Point::counter };
                seen.points.push(point(name, &labels, value));
            }
            if let Some((at, before)) = self.last.remove(&device) {
                rates(&labels, now.since(at).as_secs_f64(), &before, &fields, seen);
            }
            still.insert(device, (now, fields));
        }
        self.last = still;
    }
}

/// Per second since the last look; nothing where a counter fell (the device was made anew).
fn rates(labels: &[(&str, &str)], passed: f64, before: &Fields, after: &Fields, seen: &mut Observation) {
    for (at, name) in RATES.iter().filter(|_| passed > 0.0) {
        let step = after.get(*at).zip(before.get(*at)).and_then(|(after, before)| after.checked_sub(*before));
        let one = FIELDS.get(*at).map_or(1.0, |(.., one)| *one);
        let rate = step.map(|step| step as f64 * one / passed);
        // The kernel rounds the busy time up to its own ticks.
        let rate = rate.map(|rate| if name.ends_with("_ratio") { rate.min(1.0) } else { rate });
        seen.points.extend(rate.map(|rate| Point::gauge(name, labels, rate)));
    }
}

/// Each device with its fields, without partitions, loops and memory disks, as node_exporter leaves them out.
fn devices(text: &str) -> impl Iterator<Item = (&str, Fields)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(2);
        let device = words.next().filter(|name| !left_out(name))?;
        let mut fields = Fields::default();
        for field in &mut fields {
            *field = words.next()?.parse().ok()?;
        }
        Some((device, fields))
    })
}

/// `^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`
fn left_out(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == name.len() {
        return false;
    }
    let letter = |rest: &str| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_lowercase());
    matches!(stem, "ram" | "loop" | "fd")
        || ["hd", "sd", "vd", "xvd"].iter().any(|disk| stem.strip_prefix(disk).is_some_and(letter))
        || (stem.starts_with("nvme") && stem.ends_with('p'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_and_loops_are_left_out_and_disks_are_not() {
        for name in ["sda", "vda", "nvme0n1", "dm-0", "md127", "zram0", "sr0", "mmcblk0"] {
            assert!(!left_out(name), "{name}");
        }
        for name in ["sda1", "vdb12", "nvme0n1p3", "loop7", "ram0", "xvda1", "hda2", "fd0"] {
            assert!(left_out(name), "{name}");
        }
    }

    #[test]
    fn rates_need_two_looks_and_a_fall_gives_none() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("proc")).expect("made");
        let put = |text: &str| std::fs::write(root.path().join("proc/diskstats"), text).expect("written");
        let mut io = DiskIo::default();
        let mut look = |seconds: u64| {
            let mut seen = Observation::default();
            io.read(root.path(), Mono(seconds * 1_000_000_000), &mut seen);
            seen
        };
        let value = |seen: &Observation, name: &str| {
            seen.points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.value)
        };
        put(" 8 0 sda 10 1 100 5 20 2 200 6 1 1000 11 0 0 0 0 0 0\n 8 1 sda1 9 9 9 9 9 9 9 9 9 9 9\nshort 1 x 2\n");
        let first = look(1);
        assert_eq!(value(&first, "node_disk_read_bytes_total"), Some(51_200.0));
        assert_eq!(value(&first, "node_disk_io_time_seconds_total"), Some(1.0));
        assert_eq!((first.points.len(), value(&first, RATES[0].1)), (11, None));
        put(" 8 0 sda 10 1 300 5 20 2 100 6 1 2500 11\n");
        let second = look(3);
        assert_eq!(value(&second, RATES[0].1), Some(51_200.0));
        assert_eq!(value(&second, RATES[1].1), None, "it fell");
        assert_eq!(value(&second, RATES[2].1), Some(0.75));
        std::fs::remove_file(root.path().join("proc/diskstats")).expect("removed");
        let gone = look(4);
        assert_eq!((gone.points.len(), gone.not_supported.len()), (0, 14));
    }
}
