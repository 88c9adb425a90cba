//! What the control group of a process may use and does use, of version 1, 2 or both, under cAdvisor's names.

use super::{text, texts};
use crate::base::{Clean, Observation, Point};
use crate::clean;
use std::path::{Path, PathBuf};

/// Version 1 says "no limit" by a number near the largest.
const NONE: f64 = 4e18;
const USED: &str = "container_memory_usage_bytes";
const LIMIT: &str = "container_spec_memory_limit_bytes";
const RATIO: &str = "process_cgroup_memory_used_ratio";
const HIGH: &str = "process_cgroup_memory_high_bytes";
const KILLS: &str = "container_oom_events_total";
const EVENTS: &str = "process_cgroup_memory_events_total";
const PERIODS: &str = "container_cpu_cfs_periods_total";
const THROTTLED: &str = "container_cpu_cfs_throttled_periods_total";
const THROTTLED_FOR: &str = "container_cpu_cfs_throttled_seconds_total";
const TASKS: &str = "container_threads";
const TASKS_MOST: &str = "container_threads_max";

/// A controller's folder.
struct Place {
    folder: PathBuf,
    /// Where its tree begins.
    top: PathBuf,
    first_version: bool,
}

impl Place {
    fn new(root: &Path, groups: &str, controller: &str) -> Option<Self> {
        let (first_version, path) = texts::group(groups, controller)?;
        let trees = root.join("sys/fs/cgroup");
        let top = match first_version {
            true => trees.join(controller),
            false if trees.join("cgroup.controllers").exists() => trees,
            false => trees.join("unified"),
        };
        Some(Self { folder: top.join(path.trim_start_matches('/')), top, first_version })
    }

    fn text(&self, file: &str) -> Option<String> {
        text(&self.folder.join(file)).ok()
    }

    fn number(&self, file: &str) -> Option<f64> {
        self.text(file)?.trim().parse().ok()
    }

    /// The narrowest of a bound here and above.
    fn narrowest(&self, file: &str) -> Option<f64> {
        let above = self.folder.ancestors().take_while(|folder| folder.starts_with(&self.top));
        let bounds = above.filter_map(|folder| text(&folder.join(file)).ok()?.trim().parse::<f64>().ok());
        bounds.reduce(f64::min)
    }
}

/// Adds the figures of the group that a process is in, by its /proc/PID/cgroup.
pub(super) fn read(root: &Path, groups: &str, label: &str, seen: &mut Observation) {
    let id = texts::group(groups, "memory").map_or_else(Clean::default, |(_, path)| Clean::text(path));
    seen.facts.push((Clean::from("control group"), id.clone()));
    let mut tell = Tell { labels: [("groupname", label), ("id", id.as_str())], seen };
    match Place::new(root, groups, "memory") {
        Some(place) if place.first_version => memory_first(&place, &mut tell),
        Some(place) => memory(&place, &mut tell),
        None => tell.none(&[USED, LIMIT, RATIO, HIGH, KILLS], "this kernel has no control groups"),
    }
    let place = Place::new(root, groups, "cpu");
    let text = place.as_ref().and_then(|place| place.text("cpu.stat")).unwrap_or_default();
    let first = place.is_some_and(|place| place.first_version);
    let (name, second) = if first { ("throttled_time", 1e9) } else { ("throttled_usec", 1e6) };
    let seconds = texts::field::<f64>(&text, name).map(|time| time / second);
    for (name, value) in [
        (PERIODS, texts::field(&text, "nr_periods")),
        (THROTTLED, texts::field(&text, "nr_throttled")),
        (THROTTLED_FOR, seconds),
    ] {
        tell.or_none(name, Point::counter, value, "the control group has no CPU bandwidth figures");
    }
    let place = Place::new(root, groups, "pids");
    let number = |file: &str| place.as_ref().and_then(|place| place.number(file));
    tell.or_none(TASKS, Point::gauge, number("pids.current"), "the control group does not count its tasks");
    let most = place.as_ref().and_then(|place| place.narrowest("pids.max"));
    tell.or_none(TASKS_MOST, Point::gauge, most, "the control group sets no limit of tasks");
}

fn memory(place: &Place, tell: &mut Tell<'_>) {
    let used = place.number("memory.current");
    tell.or_none(USED, Point::gauge, used, "no memory is counted here: the controller is off, or it is the root group");
    tell.limit(used, place.narrowest("memory.max"));
    tell.or_none(HIGH, Point::gauge, place.narrowest("memory.high"), "memory.high is not set");
    let events = place.text("memory.events").unwrap_or_default();
    for event in ["low", "high", "max", "oom", "oom_kill"] {
        if let Some(count) = texts::field(&events, event) {
            tell.event(event, count);
        }
    }
    tell.or_none(KILLS, Point::counter, texts::field(&events, "oom_kill"), "the control group has no memory.events");
}

fn memory_first(place: &Place, tell: &mut Tell<'_>) {
    let used = place.number("memory.usage_in_bytes");
    tell.or_none(USED, Point::gauge, used, "no memory is counted here: the controller is off");
    let stat = place.text("memory.stat").unwrap_or_default();
    let limit = texts::field(&stat, "hierarchical_memory_limit").or_else(|| place.number("memory.limit_in_bytes"));
    tell.limit(used, limit.filter(|limit| *limit < NONE));
    tell.none(&[HIGH], "version 1 of control groups has no memory.high");
    let control = place.text("memory.oom_control").unwrap_or_default();
    tell.or_none(KILLS, Point::counter, texts::field(&control, "oom_kill"), "this kernel does not count them here");
    if let Some(fails) = place.number("memory.failcnt") {
        tell.event("max", fails);
    }
}

struct Tell<'a> {
    labels: [(&'a str, &'a str); 2],
    seen: &'a mut Observation,
}

impl Tell<'_> {
    fn none(&mut self, names: &[&'static str], why: &str) {
        let why = clean!("{why}");
        self.seen.not_supported.extend(names.iter().map(|name| (Clean::from(*name), why.clone())));
    }

    fn or_none(
        &mut self,
        name: &'static str,
        point: fn(&str, &[(&str, &str)], f64) -> Point,
        value: Option<f64>,
        why: &str,
    ) {
        match value {
            Some(value) => self.seen.points.push(point(name, &self.labels, value)),
            None => self.none(&[name], why),
        }
    }

    fn limit(&mut self, used: Option<f64>, limit: Option<f64>) {
        let why = "the control group sets no memory limit";
        self.or_none(LIMIT, Point::gauge, limit, why);
        let ratio = used.zip(limit).filter(|(_, limit)| *limit > 0.0).map(|(used, limit)| used / limit);
        self.or_none(RATIO, Point::gauge, ratio, why);
    }

    fn event(&mut self, event: &str, count: f64) {
        let [group, id] = self.labels;
        self.seen.points.push(Point::counter(EVENTS, &[group, id, ("event", event)], count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(groups: &str, files: &[(&str, &str)]) -> Observation {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join("sys/fs/cgroup").join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let mut seen = Observation::default();
        read(root.path(), groups, "x", &mut seen);
        seen
    }

    fn value(seen: &Observation, name: &str) -> Option<f64> {
        seen.points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.value)
    }

    #[test]
    fn version_two_takes_the_narrowest_limit_above() {
        let seen = look(
            "0::/system.slice/x.service\n",
            &[
                ("cgroup.controllers", "memory"),
                ("memory.max", "9000\n"),
                ("system.slice/memory.max", "4000\n"),
                ("system.slice/x.service/memory.max", "max\n"),
                ("system.slice/x.service/memory.high", "3000\n"),
                ("system.slice/x.service/memory.current", "1000\n"),
                ("system.slice/x.service/memory.events", "low 0\nhigh 2\nmax 3\noom 4\noom_kill 5\n"),
                (
                    "system.slice/x.service/cpu.stat",
                    "usage_usec 9\nnr_periods 10\nnr_throttled 6\nthrottled_usec 7000000\n",
                ),
                ("system.slice/x.service/pids.current", "12\n"),
                ("system.slice/x.service/pids.max", "max\n"),
            ],
        );
        for (name, expected) in [
            (USED, 1e3),
            (LIMIT, 4e3),
            (RATIO, 0.25),
            (HIGH, 3e3),
            (KILLS, 5.0),
            (THROTTLED, 6.0),
            (THROTTLED_FOR, 7.0),
        ] {
            assert_eq!(value(&seen, name), Some(expected), "{name}");
        }
        let lacks: Vec<&str> = seen.not_supported.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(lacks, [TASKS_MOST], "no limit is not a limit of zero");
        assert_eq!(seen.points[0].key.label("id").map(Clean::as_str), Some("/system.slice/x.service"));
    }

    #[test]
    fn version_one_and_both_together_read() {
        let files: &[(&str, &str)] = &[
            ("memory/a/memory.usage_in_bytes", "500\n"),
            ("memory/a/memory.stat", "cache 1\nhierarchical_memory_limit 2000\n"),
            ("memory/a/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
            ("cpu/b/cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_time 2000000000\n"),
            ("unified/c/pids.current", "3\n"),
        ];
        let seen = look("4:memory:/a\n1:cpu,cpuacct:/b\n0::/c\n", files);
        for (name, expected) in [(USED, 5e2), (RATIO, 0.25), (KILLS, 1.0), (THROTTLED_FOR, 2.0), (TASKS, 3.0)] {
            assert_eq!(value(&seen, name), Some(expected), "{name}");
        }
        let endless = look("4:memory:/a\n", &[("memory/a/memory.limit_in_bytes", "9223372036854771712\n")]);
        assert_eq!((value(&endless, LIMIT), value(&endless, USED)), (None, None));
    }
}
