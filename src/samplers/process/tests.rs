//! Looks below a made-up root: numbers that are given again, units, growth over an hour, who is counted.

use super::{Asked, Options, Watch, Which};
use crate::base::{Clean, Mono, Now, Observation};
use regex::Regex;
use std::fs;
use std::path::Path;

struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        let root = Self(tempfile::tempdir().expect("a folder"));
        root.put("proc/stat", "cpu  1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8\ncpu1 1 2 3 4 5 6 7 8\nbtime 1000\n");
        root.process(1, 0, 1, 10, "init");
        root
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// A process with these ticks of user time, 1 MiB of memory, 0 system time and one open file.
    fn process(&self, pid: u32, parent: u32, start: u64, ticks: u64, command: &str) {
        let comm = command.split(' ').next().unwrap_or_default();
        let stat = format!("{pid} ({comm}) S {parent} 0 0 0 0 0 5 0 1 0 {ticks} 0 0 0 20 0 1 0 {start} 4096 256\n");
        self.put(&format!("proc/{pid}/stat"), &stat);
        self.put(&format!("proc/{pid}/task/{pid}/stat"), &stat);
        self.put(&format!("proc/{pid}/cmdline"), &command.replace(' ', "\0"));
        self.memory(pid, 1_024);
        self.put(&format!("proc/{pid}/fd/0"), "");
        self.put(&format!("proc/{pid}/io"), "read_bytes: 100\nwrite_bytes: 7\n");
        self.put(&format!("proc/{pid}/environ"), "A=1\0TOKEN=hunter2\0");
        self.put(&format!("proc/{pid}/cgroup"), "0::/system.slice/x.service\n");
    }

    fn memory(&self, pid: u32, kilobytes: u64) {
        let status = format!("Uid: {pid} {pid} {pid} {pid}\nVmRSS: {kilobytes} kB\nRssAnon: {kilobytes} kB\n");
        self.put(&format!("proc/{pid}/status"), &status);
        let rollup = format!("Pss: {kilobytes} kB\nSwapPss: 0 kB\n");
        self.put(&format!("proc/{pid}/smaps_rollup"), &rollup);
    }

    fn end(&self, pid: u32) {
        fs::remove_dir_all(self.0.path().join(format!("proc/{pid}"))).expect("was there");
    }

    fn watch(&self, which: Which, user: Option<&str>) -> Watch {
        let env = Asked { show: vec!["A".to_owned()], ..Asked::default() };
        let options = Options {
            which,
            user: user.map(str::to_owned),
            label: Clean::from("x"),
            env,
            peers: None,
            growth_after: None,
        };
        Watch::new(self.0.path().to_owned(), options)
    }
}

fn command(pattern: &str) -> Which {
    Which::Command(Regex::new(pattern).expect("an expression"))
}

fn look(watch: &mut Watch, seconds: u64) -> Observation {
    watch.look(Now { mono: Mono(seconds * 1_000_000_000), ..Now::default() }).expect("seen")
}

fn value(seen: &Observation, name: &str) -> Option<f64> {
    seen.points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.value)
}

fn start(seen: &Observation) -> Option<&str> {
    let point = seen.points.iter().find(|point| point.key.name.as_str() == "process_cpu_seconds_total")?;
    point.key.label("start").map(Clean::as_str)
}

const CPU: &str = "namedprocess_namegroup_cpu_seconds_total";
const COUNT: &str = "namedprocess_namegroup_num_procs";
const BUSY: &str = "process_cpu_busy_ratio";

#[test]
fn a_number_that_is_given_again_continues_nothing() {
    let root = Root::new();
    root.process(7, 1, 2_000, 500, "engine");
    let mut watch = root.watch(command("^engine"), None);
    let first = look(&mut watch, 100);
    assert_eq!((value(&first, CPU), value(&first, BUSY), start(&first)), (Some(5.0), None, Some("20.00")));
    root.process(7, 1, 2_000, 600, "engine");
    let second = look(&mut watch, 102);
    assert_eq!((value(&second, CPU), value(&second, BUSY)), (Some(6.0), Some(0.5)));
    assert_eq!(value(&second, "process_group_cpu_host_ratio"), Some(0.25), "of two CPUs");
    // Another with the same number, which has already used more: the old series ends, the sum goes on, nothing jumps.
    root.process(7, 1, 10_250, 700, "engine");
    let third = look(&mut watch, 104);
    assert_eq!((value(&third, CPU), start(&third)), (Some(13.0), Some("102.50")));
    assert_eq!(value(&third, "process_group_restarts_total"), Some(1.0));
    assert_eq!(value(&third, "process_thread_cpu_busy_ratio"), None, "one reading of a thread is no rate");
    // One that is older than the last look and only now one of them brings no burst.
    root.process(9, 7, 100, 90_000, "helper");
    let fourth = look(&mut watch, 106);
    assert_eq!((value(&fourth, COUNT), value(&fourth, CPU)), (Some(2.0), Some(13.0)));
    let shares = fourth.points.iter().filter(|point| point.key.name.as_str() == BUSY).count();
    assert_eq!(shares, 1, "of the new one nothing is known yet");
    root.end(9);
    root.end(7);
    let gone = look(&mut watch, 108);
    let names: Vec<&str> = gone.points.iter().map(|point| point.key.name.as_str()).collect();
    assert_eq!((value(&gone, COUNT), names), (Some(0.0), vec![COUNT, "process_group_restarts_total"]));
    assert_eq!(gone.facts, [("processes".into(), "no command line fits ^engine".into())]);
    root.process(7, 1, 10_900, 100, "engine");
    let back = look(&mut watch, 110);
    assert_eq!(value(&back, CPU), Some(14.0), "the sum goes on");
}

#[test]
fn of_nobody_only_their_number_is_zero_and_corpses_have_no_memory() {
    let root = Root::new();
    let mut watch = root.watch(command("^engine"), None);
    for second in [100, 102] {
        let nobody = look(&mut watch, second);
        let points: Vec<(&str, f64)> =
            nobody.points.iter().map(|point| (point.key.name.as_str(), point.value)).collect();
        assert_eq!(points, [(COUNT, 0.0)]);
    }
    root.process(7, 1, 2_000, 1, "engine");
    root.put("proc/7/status", "Uid: 7 7 7 7\nState: Z\n");
    let corpse = look(&mut watch, 104);
    assert_eq!((value(&corpse, COUNT), value(&corpse, "namedprocess_namegroup_memory_bytes")), (Some(1.0), None));
    fs::remove_file(root.0.path().join("proc/7/status")).expect("was there");
    let vanished = look(&mut watch, 106);
    assert_eq!(vanished.facts, [("processes".into(), "all of them ended while they were looked at".into())]);
}

#[test]
fn one_look_without_io_adds_nothing_again() {
    let root = Root::new();
    let io = root.0.path().join("proc/7/io");
    root.process(7, 1, 2_000, 1, "engine");
    root.process(8, 1, 100, 1, "engine");
    let mut watch = root.watch(command("^engine"), None);
    let name = "namedprocess_namegroup_read_bytes_total";
    assert_eq!(value(&look(&mut watch, 100), name), Some(200.0));
    fs::remove_file(&io).expect("was there");
    assert_eq!(value(&look(&mut watch, 102), name), None);
    root.put("proc/7/io", "read_bytes: 130\nwrite_bytes: 7\n");
    assert_eq!(value(&look(&mut watch, 104), name), Some(230.0));
    // Where it could not be read from the beginning, what was before is not of now.
    let mut watch = root.watch(command("^engine"), None);
    fs::remove_file(&io).expect("was there");
    assert_eq!(value(&look(&mut watch, 106), name), None);
    root.put("proc/7/io", "read_bytes: 130\nwrite_bytes: 7\n");
    let seen = look(&mut watch, 108);
    assert_eq!((value(&seen, name), value(&seen, "process_group_read_bytes_per_second")), (Some(100.0), Some(0.0)));
}

#[test]
fn a_unit_is_found_in_each_kind_of_tree_with_the_groups_below_it() {
    for (tree, file) in [("", "cgroup.controllers"), ("unified/", "unified/x"), ("systemd/", "systemd/x")] {
        let root = Root::new();
        root.put(&format!("sys/fs/cgroup/{file}"), "");
        for (pid, parent) in [(7, 1), (8, 7), (9, 1)] {
            root.process(pid, parent, 2_000 + u64::from(pid), 1, "engine");
        }
        let group = format!("sys/fs/cgroup/{tree}system.slice/system-x.slice/x@1.service");
        root.put(&format!("{group}/cgroup.procs"), "7\n999\n0\n");
        root.put(&format!("{group}/payload/cgroup.procs"), "8\n");
        let mut watch = root.watch(Which::Unit("x@1.service".to_owned()), None);
        let seen = look(&mut watch, 100);
        assert_eq!((value(&seen, COUNT), start(&seen)), (Some(2.0), Some("20.07")), "{tree}");
        let path = "/system.slice/system-x.slice/x@1.service".to_owned();
        assert_eq!(value(&look(&mut root.watch(Which::Cgroup(path), None), 100), COUNT), Some(2.0), "{tree}");
        let mut none = root.watch(Which::Unit("y.service".to_owned()), None);
        let seen = look(&mut none, 100);
        assert_eq!(value(&seen, COUNT), Some(0.0));
        assert!(seen.facts[0].1.as_str().starts_with("y.service has no control group"), "{:?}", seen.facts);
    }
}

#[test]
fn a_leak_has_a_slope_after_five_minutes_and_a_restart_begins_anew() {
    let root = Root::new();
    root.process(7, 1, 2_000, 1, "engine");
    let mut watch = root.watch(command("^engine"), None);
    let name = "process_group_resident_growth_bytes_per_hour";
    let mut last = None;
    for second in (0..=600).step_by(10) {
        root.memory(7, 1_000 + second);
        last = value(&look(&mut watch, 100 + second), name);
        assert_eq!(last.is_some(), second >= 300, "after {second} s");
    }
    let slope = last.expect("a slope");
    assert!((slope - 3_600.0 * 1_024.0).abs() < 1.0, "{slope}");
    root.process(7, 1, 70_000, 1, "engine");
    assert_eq!(value(&look(&mut watch, 710), name), None);
}

#[test]
fn a_program_that_becomes_another_is_judged_again_and_users_are_told_apart() {
    let root = Root::new();
    root.process(7, 1, 2_000, 1, "sh -c engine");
    let mut watch = root.watch(command("^engine"), None);
    assert_eq!(value(&look(&mut watch, 100), COUNT), Some(0.0));
    root.process(7, 1, 2_000, 1, "engine --live");
    assert_eq!(value(&look(&mut watch, 102), COUNT), Some(1.0));
    root.process(8, 1, 2_001, 1, "engine --test");
    assert_eq!(value(&look(&mut watch, 104), COUNT), Some(2.0));
    let mine = look(&mut root.watch(command("^engine"), Some("8")), 104);
    assert_eq!((value(&mine, COUNT), start(&mine)), (Some(1.0), Some("20.01")));
}

#[test]
fn files_are_gone_through_seldom_and_what_is_lacking_is_not_zero() {
    let root = Root::new();
    root.process(7, 1, 2_000, 1, "engine");
    let mut watch = root.watch(command("^engine"), None);
    let shares = |seen: &Observation| {
        let wanted = |point: &&crate::base::Point| {
            point.key.label("memtype").is_some_and(|kind| kind.as_str() == "proportionalResident")
        };
        seen.points.iter().find(wanted).map(|point| point.value)
    };
    assert_eq!(shares(&look(&mut watch, 100)), Some(1_048_576.0));
    root.memory(7, 2_048);
    let soon = look(&mut watch, 109);
    assert_eq!((shares(&soon), value(&soon, "process_resident_memory_bytes")), (Some(1_048_576.0), Some(2_097_152.0)));
    assert_eq!(shares(&look(&mut watch, 110)), Some(2_097_152.0));
    let facts: Vec<String> = soon.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert!(facts.contains(&"environment: A TOKEN".to_owned()) && facts.contains(&"A: 1".to_owned()), "{facts:?}");
    assert!(!format!("{soon:?}").contains("hunter2"));

    fs::remove_file(root.0.path().join("proc/7/smaps_rollup")).expect("removed");
    fs::remove_file(root.0.path().join("proc/7/io")).expect("removed");
    let lacking = look(&mut watch, 120);
    assert_eq!((shares(&lacking), value(&lacking, "namedprocess_namegroup_read_bytes_total")), (None, None));
    let names: Vec<&str> = lacking.not_supported.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"namedprocess_namegroup_read_bytes_total"), "{names:?}");
}

#[test]
fn where_the_first_process_cannot_be_seen_nobody_is_not_none() {
    let root = Root::new();
    root.end(1);
    let failure = root.watch(command("^engine"), None).look(Now::default()).expect_err("hidden");
    assert!(failure.not_permitted, "{failure:?}");
    let group = root.watch(Which::Unit("x.service".to_owned()), None).look(Now::default()).expect_err("no groups");
    assert!(group.what.as_str().starts_with("This host shows no control groups"), "{group:?}");
    let path = Path::new("/run/x.pid").to_owned();
    root.put("run/x.pid", "7\n");
    let failure = root.watch(Which::PidFile(path), None).look(Now::default()).expect_err("hidden");
    assert!(failure.not_permitted, "{failure:?}");
}
