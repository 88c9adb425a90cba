//! `process` against stand-ins: shells under other names that do as they are told, and this test itself.
//! Long because each thing that is told of a process is held against another reader of it.

use crate::peer::{Running, skip};
use crate::probe::role;
use crate::{find, observe, sampler, value};
use core::time::Duration;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use watchkeeper::base::{Body, Clean, Clock as _, Observation};
use watchkeeper::samplers::{Sampler, kind};
use watchkeeper::sys::clock::RealClock;

/// Longer than the kernel keeps.
const NAME: &str = "cerebellar-norse";

/// A shell under a name of our choice, which runs each line it is sent.
struct Standin {
    child: Running,
    say: ChildStdin,
    hear: BufReader<ChildStdout>,
    dir: tempfile::TempDir,
}

impl Standin {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let program = dir.path().join(NAME);
        fs::copy("/bin/bash", &program).expect("copied");
        let mut command = Command::new(&program);
        command.args(["-c", "while read -r line; do eval \"$line\"; echo done; done"]);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("RUST_LOG", "info,x=debug")
            .env("JULIA_NUM_THREADS", "8")
            .env("API_KEY", "hunter2hunter2");
        let mut child = Running::start(command.process_group(0), Stdio::piped(), Stdio::piped());
        let (say, hear) = (child.0.stdin.take().expect("a pipe"), child.0.stdout.take().expect("a pipe"));
        let hear = BufReader::new(hear);
        let mut standin = Self { child, say, hear, dir };
        // It answers: from now on it is the program, not the fork of this one.
        standin.run(":");
        standin
    }

    fn run(&mut self, line: &str) {
        writeln!(self.say, "{line}").expect("it reads");
        let mut answer = String::new();
        self.hear.read_line(&mut answer).expect("it answers");
        assert_eq!(answer, "done\n", "{line}");
    }

    fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// A sampler that looks for its command line, and for no other shell's.
    fn sampler(&self, more: &str) -> Box<dyn Sampler> {
        let path = self.dir.path().display();
        sampler("process", &format!("command = '^{path}/{NAME} -c '\nname = \"engine\"\n{more}"))
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid())).expect("readable")
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_raw(self.pid().cast_signed()).expect("a number");
        // It may have ended by itself.
        let _gone_already = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

async fn look(sampler: &mut dyn Sampler) -> Observation {
    observe(sampler).await.expect("an observation")
}

fn fact<'a>(seen: &'a Observation, name: &str) -> &'a str {
    let found = seen.facts.iter().find(|(known, _)| known.as_str() == name);
    found.map_or_else(|| panic!("no {name} in {:?}", seen.facts), |(_, value)| value.as_str())
}

/// A line of /proc/PID/status or smaps_rollup, in bytes where it says kB.
fn row(text: &str, name: &str) -> f64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("a row");
    let number: f64 = rest.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number");
    if rest.ends_with("kB") { number * 1024.0 } else { number }
}

#[tokio::test]
async fn a_name_of_sixteen_letters_is_found_and_its_figures_are_the_kernels() {
    let standin = Standin::start();
    assert_eq!(standin.proc("comm").trim().len(), 15, "the kernel cuts it");
    let mut sampler = standin.sampler("");
    let seen = look(&mut *sampler).await;
    let (status, rollup) = (standin.proc("status"), standin.proc("smaps_rollup"));
    let pid = standin.pid().to_string();
    let labels = [("pid", pid.as_str()), ("name", NAME), ("groupname", "engine")];
    for (ours, theirs) in [
        ("process_resident_memory_bytes", "VmRSS"),
        ("process_resident_memory_max_bytes", "VmHWM"),
        ("process_virtual_memory_bytes", "VmSize"),
        ("process_threads", "Threads"),
    ] {
        assert_eq!(value(&seen, ours, &labels), row(&status, theirs), "{ours}");
    }
    for (kind, text, theirs) in [
        ("resident", &status, "VmRSS"),
        ("anonymous", &status, "RssAnon"),
        ("file", &status, "RssFile"),
        ("shmem", &status, "RssShmem"),
        ("swapped", &status, "VmSwap"),
        ("proportionalAnonymous", &rollup, "Pss_Anon"),
    ] {
        let ours = value(&seen, "namedprocess_namegroup_memory_bytes", &[("memtype", kind)]);
        assert_eq!(ours, row(text, theirs), "{kind}");
    }
    as_in_the_kernels_sum(&standin).await;
    assert_eq!(value(&seen, "namedprocess_namegroup_num_procs", &[]), 1.0);
    let written: f64 =
        standin.proc("io").lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).expect("io");
    assert_eq!(value(&seen, "namedprocess_namegroup_write_bytes_total", &[]), written);
    assert_eq!(fact(&seen, "main pid"), pid, "a number to fill in, and no more");
    assert!(fact(&seen, "main process").starts_with(&format!("{NAME}, process {pid} of ")), "{:?}", seen.facts);
    if let Ok(ps) = Command::new("ps").args(["-o", "rss=,vsz=,nlwp=", "-p", &pid]).output() {
        let text = String::from_utf8_lossy(&ps.stdout).into_owned();
        let ps: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let ours = [
            ("process_resident_memory_bytes", 1024.0),
            ("process_virtual_memory_bytes", 1024.0),
            ("process_threads", 1.0),
        ];
        assert_eq!(ours.map(|(name, unit)| value(&seen, name, &labels) / unit).as_slice(), ps, "{text}");
    }
    if let Ok(ps) = Command::new("ps").args(["-o", "pmem=", "-p", &pid]).output() {
        let theirs: f64 = String::from_utf8_lossy(&ps.stdout).trim().parse().expect("%MEM");
        let host = look(&mut *crate::sampler("host", "")).await;
        let all = value(&host, "node_memory_MemTotal_bytes", &[]);
        let ours = value(&seen, "process_resident_memory_bytes", &labels) / all * 100.0;
        assert!((ours - theirs).abs() <= 0.1, "{ours} beside the {theirs} of ps, which has one digit");
    }
}

/// User and system time that the kernel counts of a process, in seconds.
fn cpu_of_the_kernel(pid: u32) -> [f64; 2] {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("readable");
    let fields: Vec<&str> = stat.rsplit_once(") ").expect("a name").1.split(' ').collect();
    // The 14th and 15th of all, after two before the name's end.
    [11, 12].map(|at| fields.get(at).expect("a field").parse::<f64>().expect("ticks") / 100.0)
}

/// Waits until the kernel has counted so many seconds of a process that computes; how many they are then.
fn has_computed(pid: u32, least: f64) -> f64 {
    let start = RealClock.now().mono;
    loop {
        let spent = cpu_of_the_kernel(pid).iter().sum();
        if spent >= least {
            return spent;
        }
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "{spent} s in a minute");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn what_it_computes_is_what_the_kernel_counts_of_it() {
    let mut standin = Standin::start();
    let mut sampler = standin.sampler("");
    let counted = |seen: &Observation| {
        ["user", "system"].map(|mode| value(seen, "namedprocess_namegroup_cpu_seconds_total", &[("mode", mode)]))
    };
    let before = cpu_of_the_kernel(standin.pid());
    look(&mut *sampler).await;
    let start = RealClock.now().mono;
    standin.run("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done");
    let least = cpu_of_the_kernel(standin.pid());
    let seen = look(&mut *sampler).await;
    let (ours, most) = (counted(&seen), cpu_of_the_kernel(standin.pid()));
    let within = |at: usize| least[at] <= ours[at] + 1e-9 && ours[at] <= most[at] + 1e-9;
    assert!(within(0) && within(1), "{ours:?}, user and system, between {least:?} and {most:?}");
    let took = RealClock.now().mono.since(start).as_secs_f64();
    let spent = least.iter().sum::<f64>() - before.iter().sum::<f64>();
    let pid = standin.pid().to_string();
    let share = value(&seen, "process_cpu_busy_ratio", &[("pid", &pid), ("name", NAME)]);
    // Both looks lie within the time that is measured here, but for the way to the first; a tick is 10 ms.
    assert!(spent > 0.0 && share >= (spent - 0.02) / took * 0.9 && share <= 1.1, "{share}: {spent} s of {took} s");
}

#[tokio::test]
async fn who_writes_is_seen_to_write_as_much_as_the_kernel_counts() {
    let mut standin = Standin::start();
    let mut sampler = standin.sampler("");
    // Below the build, which lies on a disk: what goes to memory alone is no write.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let file = folder.path().join("written");
    let io = |standin: &Standin| row(&standin.proc("io"), "write_bytes");
    let before = (io(&standin), look(&mut *sampler).await);
    standin.run(&format!("printf '%4000000s' '' > {}", file.display()));
    let after = (look(&mut *sampler).await, io(&standin));
    let total =
        |seen: &Observation| value(seen, "namedprocess_namegroup_write_bytes_total", &[("groupname", "engine")]);
    assert_eq!((total(&before.1), total(&after.0)), (before.0, after.1));
    let grown = after.1 - before.0;
    if grown == 0.0 {
        return skip("disk", "the kernel counts no writes where this is built");
    }
    assert!(grown >= 4_000_000.0, "{grown}");
    let rate = value(&after.0, "process_group_write_bytes_per_second", &[("groupname", "engine")]);
    assert!(rate > 0.0, "a rate is seen beside the sum");
    assert_eq!(value(&after.0, "process_group_read_bytes_per_second", &[("groupname", "engine")]), 0.0);
}

/// What the kernel adds up of all its maps is what is told. Others map the same libraries now and then, which moves its
/// share: one look that agrees will do.
async fn as_in_the_kernels_sum(standin: &Standin) {
    const SUMS: [(&str, &str); 5] = [
        ("proportionalResident", "Pss"),
        ("proportionalSwapped", "SwapPss"),
        ("proportionalFile", "Pss_File"),
        ("swapped", "Swap"),
        ("resident", "Rss"),
    ];
    let mut last = Vec::new();
    for _ in 0..100 {
        let before = standin.proc("smaps_rollup");
        // A sampler anew, since shares are kept for a while.
        let seen = look(&mut *standin.sampler("")).await;
        if before != standin.proc("smaps_rollup") {
            continue;
        }
        let told = |kind| value(&seen, "namedprocess_namegroup_memory_bytes", &[("memtype", kind)]);
        last = SUMS.iter().map(|(ours, theirs)| (*ours, told(ours), row(&before, theirs))).collect();
        if last.iter().all(|(_, ours, theirs)| ours == theirs) {
            break;
        }
    }
    assert!(!last.is_empty() && last.iter().all(|(_, ours, theirs)| ours == theirs), "{last:?}");
    // The last line of pmap is the sum of the sizes of all maps.
    let total: f64 =
        standin.proc("smaps").lines().filter(|line| line.starts_with("Size:")).map(|line| row(line, "Size")).sum();
    let seen = look(&mut *standin.sampler("")).await;
    let told = value(&seen, "namedprocess_namegroup_memory_bytes", &[("memtype", "virtual")]);
    // The kernel's own page of calls is a map of it and no memory.
    let beside = if standin.proc("maps").contains("[vsyscall]") { 4096.0 } else { 0.0 };
    assert_eq!(told, total - beside);
}

#[tokio::test]
async fn children_belong_to_it_until_they_end_and_what_they_did_stays_counted() {
    let mut standin = Standin::start();
    let mut sampler = standin.sampler("");
    let count = |seen: &Observation| value(seen, "namedprocess_namegroup_num_procs", &[]);
    assert_eq!(count(&look(&mut *sampler).await), 1.0);
    standin.run("sleep 1000 & sleep 1000 &");
    assert_eq!(count(&look(&mut *sampler).await), 3.0);
    standin.run("kill %1 %2; wait");
    // A child that burns time and ends between two looks is seen in neither; one that is met stays in the sum.
    let file = standin.dir.path().join("child");
    standin.run(&format!("(while :; do :; done) & echo $! > {}", file.display()));
    let child = fs::read_to_string(&file).expect("written").trim().parse().expect("a number");
    let spent = has_computed(child, 0.1);
    let cpu = |seen: &Observation| {
        ["user", "system"]
            .map(|mode| value(seen, "namedprocess_namegroup_cpu_seconds_total", &[("mode", mode)]))
            .iter()
            .sum::<f64>()
    };
    let busy = cpu(&look(&mut *sampler).await);
    assert!(busy >= spent - 1e-9, "{busy}: its child has {spent}");
    standin.run("kill -9 %1; wait");
    let after = look(&mut *sampler).await;
    assert_eq!(count(&after), 1.0);
    assert!(cpu(&after) >= busy, "the sum fell from {busy}");
}

#[tokio::test]
async fn a_leak_of_files_fills_the_limit_and_the_limits_are_its_own() {
    let mut standin = Standin::start();
    standin.run("ulimit -S -n 50; ulimit -H -n 60; ulimit -v 4000000; ulimit -c 0");
    let mut sampler = standin.sampler("");
    let first = look(&mut *sampler).await;
    let folder = format!("/proc/{}/fd", standin.pid());
    let entries = || fs::read_dir(&folder).expect("readable").count() as f64;
    assert_eq!(value(&first, "process_open_fds", &[]), entries());
    assert_eq!(value(&first, "process_max_fds", &[]), 50.0);
    assert_eq!(value(&first, "process_limit", &[("resource", "nofile"), ("bound", "hard")]), 60.0);
    assert_eq!(value(&first, "process_limit", &[("resource", "as"), ("bound", "soft")]), 4_096_000_000.0);
    assert_eq!(value(&first, "process_virtual_memory_max_bytes", &[]), 4_096_000_000.0);
    assert!(fact(&first, "limits").starts_with("nofile 50 of 60, "), "{:?}", first.facts);
    standin.run("for at in {10..47}; do eval \"exec $at</dev/null\"; done");
    let second = look(&mut *sampler).await;
    let ratio = value(&second, "process_fds_used_ratio", &[]);
    assert!(
        ratio == entries() / 50.0 && ratio > 0.8,
        "{ratio} after {:?}",
        find(&first, "process_fds_used_ratio", &[])
    );
    assert_eq!(value(&second, "namedprocess_namegroup_worst_fd_ratio", &[]), ratio);
}

#[tokio::test]
async fn of_an_environment_only_names_are_told_and_values_where_asked_and_harmless() {
    let standin = Standin::start();
    let seen = look(&mut *standin.sampler("show_env = [\"RUST_LOG\", \"JULIA_PROJECT\"]")).await;
    assert!(fact(&seen, "environment").contains("API_KEY"), "{:?}", seen.facts);
    assert_eq!([fact(&seen, "RUST_LOG"), fact(&seen, "JULIA_PROJECT")], ["info,x=debug", "not set"]);
    assert_eq!(find(&seen, "process_env_value", &[]), None, "neither is a number");
    let set = |name| value(&seen, "process_env_set", &[("groupname", "engine"), ("name", name)]);
    assert_eq!(["RUST_LOG", "JULIA_PROJECT"].map(set), [1.0, 0.0]);
    let seen = look(&mut *standin.sampler("show_env = [\"RUST_LOG\", \"JULIA_NUM_THREADS\"]")).await;
    let numbers = seen.points.iter().filter(|point| point.key.name.as_str() == "process_env_value").count();
    let threads = value(&seen, "process_env_value", &[("groupname", "engine"), ("name", "JULIA_NUM_THREADS")]);
    assert_eq!((numbers, threads), (1, 8.0));
    assert!(!format!("{seen:?}").contains("hunter2"), "{seen:?}");
}

#[tokio::test]
async fn an_environment_is_held_against_the_profile_and_against_a_file() {
    let standin = Standin::start();
    let file = standin.dir.path().join(".envrc");
    let lines = "# hunter2\nexport RUST_LOG=debug\nexport PATH=\"/usr/bin:/bin\"\nAPI_KEY='hunter2hunter3'\nUNSET=1\nNONE=\n\
                 DATA=$HOME/data\nPATH_add bin\n";
    fs::write(&file, lines).expect("written");
    let rest = format!(
        "show_env = [\"RUST_LOG\"]\nexpect_env = {{ RUST_LOG = \"info\", NEVER = \"\", PATH = \"/usr/bin:/bin\", API_KEY = \"x\" }}\n\
         env_file = \"{}\"",
        file.display()
    );
    let mut sampler = standin.sampler(&rest);
    let seen = look(&mut *sampler).await;
    let unexpected = |name| value(&seen, "process_env_unexpected", &[("groupname", "engine"), ("name", name)]);
    assert_eq!(["RUST_LOG", "NEVER", "PATH", "API_KEY"].map(unexpected), [1.0, 0.0, 0.0, 1.0]);
    assert_eq!(fact(&seen, "unexpected"), "API_KEY; RUST_LOG should be info, is info,x=debug");
    let differs = |name| find(&seen, "process_env_differs", &[("groupname", "engine"), ("name", name)]);
    let names = ["RUST_LOG", "PATH", "API_KEY", "UNSET", "NONE", "DATA"];
    assert_eq!(names.map(differs), [Some(1.0), Some(0.0), Some(1.0), Some(1.0), Some(0.0), None]);
    assert_eq!(fact(&seen, "differs"), "API_KEY; RUST_LOG file debug, process info,x=debug; UNSET");
    assert_eq!(fact(&seen, "not compared"), "DATA: only a shell can tell");
    assert!(fact(&seen, "command line").contains("-c while read -r line; do eval"), "{:?}", seen.facts);
    assert!(!format!("{seen:?}").contains("hunter2"), "{seen:?}");

    fs::remove_file(&file).expect("was there");
    let seen = look(&mut *standin.sampler(&rest)).await;
    let why =
        seen.not_supported.iter().find(|(name, _)| name.as_str() == "process_env_differs").map(|(_, why)| why.as_str());
    assert_eq!(why, Some(format!("{} does not exist", file.display()).as_str()));
}

/// Busy loops of this process until it is dropped: so many that whatever else the machine does, no other process is as busy.
struct Loops(Arc<AtomicBool>);

impl Loops {
    const COUNT: usize = 8;
    /// Of the processor's time, in nanoseconds.
    const ENOUGH: i64 = 100_000_000;

    /// Once each of them has computed for a while.
    async fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, mut told) = tokio::sync::mpsc::channel(Self::COUNT);
        for _ in 0..Self::COUNT {
            let (stop, tell) = (Arc::clone(&stop), tell.clone());
            std::thread::spawn(move || {
                let used = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
                while used().tv_sec == 0 && used().tv_nsec < Self::ENOUGH {}
                tell.blocking_send(()).expect("it is waited for");
                while !stop.load(Ordering::Relaxed) {}
            });
        }
        for _ in 0..Self::COUNT {
            told.recv().await.expect("a loop");
        }
        Self(stop)
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_busy_loop_is_on_top_within_two_samples() {
    let mut standin = Standin::start();
    let mut top = sampler("process", "top = 20");
    look(&mut *top).await;
    standin.run("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done");
    let loops = Loops::start().await;
    let seen = look(&mut *top).await;
    drop(loops);
    let busiest = seen.points.iter().filter(|point| point.key.name.as_str() == "process_cpu_busy_ratio");
    let busiest = busiest.max_by(|a, b| a.value.total_cmp(&b.value)).and_then(|point| point.key.label("pid"));
    let us = std::process::id().to_string();
    assert_eq!(busiest.map(Clean::as_str), Some(us.as_str()), "{:?}", seen.points);
    let pid = standin.pid().to_string();
    let busy = value(&seen, "process_cpu_busy_ratio", &[("pid", &pid), ("name", NAME)]);
    assert!(busy > 0.01, "{busy}");
    let all = value(&seen, "namedprocess_namegroup_num_procs", &[("groupname", "host")]);
    assert!(all >= 2.0, "{all}");
    let largest = seen.points.iter().filter(|point| point.key.name.as_str() == "process_resident_memory_bytes").count();
    assert!((20..=40).contains(&largest), "{largest}");
}

#[tokio::test]
async fn a_process_that_was_stopped_is_read_and_one_that_ended_is_zero_until_it_is_back() {
    let standin = Standin::start();
    let file = standin.dir.path().join("engine.pid");
    let write = |pid: u32| fs::write(&file, format!("{pid}\n")).expect("written");
    write(standin.pid());
    let mut sampler = sampler("process", &format!("pid_file = \"{}\"", file.display()));
    let group = rustix::process::Pid::from_raw(standin.pid().cast_signed()).expect("a number");
    rustix::process::kill_process(group, rustix::process::Signal::STOP).expect("stopped");
    let seen = look(&mut *sampler).await;
    assert_eq!(value(&seen, "namedprocess_namegroup_num_procs", &[]), 1.0);
    let pid = standin.pid();
    drop(standin);
    let folder = file.parent().expect("a folder");
    fs::create_dir_all(folder).expect("made anew");
    write(pid);
    let gone = look(&mut *sampler).await;
    assert_eq!(value(&gone, "namedprocess_namegroup_num_procs", &[]), 0.0);
    assert!(fact(&gone, "processes").ends_with(&format!("names process {pid}, which is gone: the file is stale")));
    assert_eq!(find(&gone, "process_resident_memory_bytes", &[]), None, "nobody has no memory, not zero of it");
    let next = Standin::start();
    write(next.pid());
    let back = look(&mut *sampler).await;
    assert_eq!(value(&back, "process_group_restarts_total", &[]), 1.0);
    fs::remove_dir_all(folder).expect("removed");
    let missing = observe(&mut *sampler).await.expect_err("no file").what;
    assert!(missing.as_str().ends_with("does not exist. Does its service run?"), "{missing}");
}

#[tokio::test]
async fn a_pid_file_older_than_its_process_is_stale() {
    let standin = Standin::start();
    let file = standin.dir.path().join("engine.pid");
    fs::write(&file, standin.pid().to_string()).expect("written");
    let old = std::time::SystemTime::now() - Duration::from_secs(3_600);
    let times = fs::FileTimes::new().set_modified(old);
    fs::File::options().write(true).open(&file).expect("ours").set_times(times).expect("set");
    let mut sampler = sampler("process", &format!("pid_file = \"{}\"", file.display()));
    let stale = observe(&mut *sampler).await.expect_err("stale");
    assert!(stale.answered && stale.what.as_str().contains("is stale: it was written"), "{stale:?}");
    fs::write(&file, "rubbish").expect("written");
    let rubbish = observe(&mut *sampler).await.expect_err("no number");
    assert!(rubbish.what.as_str().ends_with("does not begin with a process number."), "{rubbish:?}");
}

#[tokio::test]
async fn sampling_leaves_no_trace() {
    let standin = Standin::start();
    let file = pid_file(&standin);
    let state = || {
        let about = fs::metadata(&file).expect("there");
        let times = (about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec());
        let files = fs::read_dir(standin.dir.path()).expect("readable").count();
        let descriptors = fs::read_dir(format!("/proc/{}/fd", standin.pid())).expect("readable").count();
        (about.ino(), about.uid(), about.gid(), about.mode(), times, files, descriptors)
    };
    let before = state();
    let mut sampler = sampler("process", &format!("pid_file = \"{}\"", file.display()));
    for _ in 0..100 {
        look(&mut *sampler).await;
    }
    assert_eq!(state(), before);
    let locks = fs::read_to_string("/proc/locks").expect("readable");
    let us = std::process::id().to_string();
    assert!(!locks.lines().any(|line| line.split_whitespace().any(|word| word == us)), "{locks}");
}

#[tokio::test]
async fn threads_come_busiest_first_and_sockets_by_their_state() {
    // A process of its own, in which no other test comes or goes.
    let mut command = Command::new(std::env::current_exe().expect("ourselves"));
    command.args(role("process::spins_with_a_listener_and_a_client"));
    let mut child = Running::start(&mut command, Stdio::piped(), Stdio::piped());
    let said = BufReader::new(child.0.stdout.take().expect("a pipe")).lines().map(|line| line.expect("a line"));
    assert!(said.into_iter().any(|line| line.contains("IT SPINS")), "it ended");
    let pid = child.0.id();
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("spinner.pid");
    fs::write(&file, pid.to_string()).expect("written");
    let mut sampler = sampler("process", &format!("pid_file = \"{}\"\nname = \"spinner\"", file.display()));
    look(&mut *sampler).await;
    has_computed(pid, cpu_of_the_kernel(pid).iter().sum::<f64>() + 0.1);
    let seen = look(&mut *sampler).await;
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("readable").count() as f64;
    let threads = value(&seen, "process_threads", &[]);
    assert!(threads >= 2.0 && threads == tasks, "{threads} of {tasks}");
    let busy = value(&seen, "process_thread_cpu_busy_ratio", &[("thread", "wk-spinner")]);
    let named = |point: &&watchkeeper::base::Point| point.key.name.as_str() == "process_thread_cpu_busy_ratio";
    let shares: Vec<f64> = seen.points.iter().filter(named).map(|point| point.value).collect();
    assert!(shares.is_sorted_by(|a, b| a >= b) && shares.len() <= 32, "{shares:?}");
    assert!(busy > 0.0 && shares.first() == Some(&busy), "{busy} of {shares:?}");
    let sockets = |state| value(&seen, "process_group_sockets", &[("protocol", "tcp"), ("state", state)]);
    assert_eq!((sockets("listen"), sockets("established")), (1.0, 1.0));
}

#[test]
#[ignore = "a role: a process with a busy thread and sockets"]
fn spins_with_a_listener_and_a_client() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let _client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let spin = move || {
        while !stop.load(Ordering::Relaxed) {
            core::hint::spin_loop();
        }
    };
    let spinner = std::thread::Builder::new().name("wk-spinner".into()).spawn(spin).expect("a thread");
    println!("IT SPINS");
    // Who started it holds the other end, and lets go of it at its own end too.
    std::io::stdin().read_to_end(&mut Vec::new()).expect("an end");
    done.store(true, Ordering::Relaxed);
    spinner.join().expect("ended");
}

/// What `ss` counts of a process: by its state word and the address of the other end.
fn counted_by_ss(pid: u32) -> Option<std::collections::BTreeMap<(String, String), f64>> {
    let out =
        Command::new("ss").args(["-H", "-t", "-a", "-n", "-p"]).output().ok().filter(|out| out.status.success())?;
    let mut counted = std::collections::BTreeMap::new();
    for line in String::from_utf8_lossy(&out.stdout).lines().filter(|line| line.contains(&format!("pid={pid},"))) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let word = |at: usize| *words.get(at).expect("a column");
        let state = match word(0) {
            "ESTAB" => "established".to_owned(),
            other => other.to_lowercase().replace('-', "_"),
        };
        let peer = word(4).rsplit_once(':').expect("an address and a port").0.to_owned();
        *counted.entry((state, peer)).or_default() += 1.0;
    }
    Some(counted)
}

#[tokio::test]
async fn connections_by_state_and_by_peer_are_those_that_ss_counts() {
    let listen = |ip: &str| TcpListener::bind((ip, 0)).expect("a port");
    let (near, far) = (listen("127.0.0.2"), listen("127.0.0.3"));
    let mut standin = Standin::start();
    let mut held = Vec::new();
    for (fd, server) in [(3, &near), (4, &near), (5, &near), (6, &far), (7, &far)] {
        let at = server.local_addr().expect("bound");
        standin.run(&format!("exec {fd}<>/dev/tcp/{}/{}", at.ip(), at.port()));
        held.push(server.accept().expect("connected").0);
    }
    // The other side hangs up: this end stays until the program closes it.
    drop(held.pop());
    let Some(by_ss) = counted_by_ss(standin.pid()) else { return skip("ss", "it is not here") };
    let seen = look(&mut *standin.sampler("peers = { exchange = [\"127.0.0.2\"], nobody = [\"192.0.2.0/24\"] }")).await;
    let peers = |peer, state| find(&seen, "process_group_peer_connections", &[("peer", peer), ("state", state)]);
    assert_eq!((peers("exchange", "established"), peers("nobody", "established")), (Some(3.0), Some(0.0)));
    for ((state, ip), count) in &by_ss {
        let peer = if ip == "127.0.0.2" { "exchange" } else { ip };
        assert_eq!(peers(peer, state), Some(*count), "{ip} {state} of {by_ss:?}");
        let all: f64 = by_ss.iter().filter(|((other, _), _)| other == state).map(|(_, count)| count).sum();
        let sockets = find(&seen, "process_group_sockets", &[("protocol", "tcp"), ("state", state)]);
        assert_eq!(sockets, Some(all), "{state} of {by_ss:?}");
    }
    assert_eq!(by_ss.get(&("close_wait".to_owned(), "127.0.0.3".to_owned())), Some(&1.0), "{by_ss:?}");
}

#[tokio::test]
async fn the_control_group_says_what_its_own_files_say() {
    let standin = Standin::start();
    let seen = look(&mut *standin.sampler("")).await;
    let groups = standin.proc("cgroup");
    let row = groups.lines().find(|line| line.contains(":memory:") || line.starts_with("0::")).unwrap_or_default();
    let path = row.rsplit(':').next().unwrap_or_default();
    let files =
        [format!("/sys/fs/cgroup/memory{path}/memory.usage_in_bytes"), format!("/sys/fs/cgroup{path}/memory.current")];
    let read = files.iter().find_map(|file| fs::read_to_string(file).ok()?.trim().parse::<f64>().ok());
    match read {
        Some(now) => {
            let used = value(&seen, "container_memory_usage_bytes", &[("id", path)]);
            assert!(used > now * 0.5 && used < now * 2.0, "{used} and then {now}");
        }
        None => assert!(seen.not_supported.iter().any(|(name, _)| name.as_str() == "container_memory_usage_bytes")),
    }
}

#[test]
fn a_table_that_names_nobody_or_asks_for_a_secret_is_refused_with_its_place() {
    let fault = |text: &str| {
        let body = Body::parse("p.toml", text).expect("TOML");
        kind("process").expect("known").build(&body).err().map(|fault| fault.to_string()).unwrap_or_default()
    };
    assert!(fault("").ends_with("give one of `unit`, `cgroup`, `pid_file`, `command` and `top`."), "{}", fault(""));
    let odd = fault("unit = \"a\"\npeers = { x = [\"10.0.0.0/40\"] }");
    assert!(odd.starts_with("p.toml:2:") && odd.contains("`10.0.0.0/40` is no address, network"), "{odd}");
    assert!(fault("top = 3\npeers = {}").contains("`peers` does not go with `top`"));
    assert!(fault("unit = \"a\"\ntop = 3").contains("give one of"), "two ways");
    assert!(fault("top = 3\nuser = \"joe\"").starts_with("p.toml:2:8: `user` does not go with `top`"));
    assert!(fault("top = 3\nexpect_env = { A = \"\" }").contains("`expect_env` does not go with `top`"));
    assert!(fault("unit = \"x\"\nexpect_env = { \"A=B\" = \"\" }").contains("`A=B` is no name of a variable."));
    assert!(fault("unit = \"x\"\nenv_file = \"x\"").contains("`env_file` does not begin with `/`."));
    let secret = fault("unit = \"x\"\nshow_env = [\"RUST_LOG\", \"DB_PASSWORD\"]");
    assert!(secret.starts_with("p.toml:2:12: `DB_PASSWORD` looks like the name of a secret"), "{secret}");
    assert!(fault("command = \"(\"").starts_with("p.toml:1:11: `command` is no regular expression: unclosed group"));
    assert!(fault("pid_file = \"x\"").contains("does not begin with `/`"));
    assert!(fault("cgroup = \"/a/../b\"").contains("begins with `/`"));
    assert!(fault("top = 0").contains("from 1 to 50"));
}

/// What `what_another_user_may_not_see` runs as another user: prints what is told of a process of root's.
#[tokio::test]
async fn inner_look_for_another_user() {
    let Ok(pid_file) = std::env::var("WATCHKEEPER_TEST_PID_FILE") else { return };
    let seen = observe(&mut *sampler("process", &format!("pid_file = \"{pid_file}\""))).await;
    println!("LOOKED {seen:?}");
}

/// The inner test's report, as `nobody`, after these shell words; `None` where that cannot be done.
fn as_nobody(standin: &Standin, before: &str) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        skip("another user", "the test does not run as root");
        return None;
    }
    let file = standin.dir.path().join("engine.pid");
    fs::write(&file, standin.pid().to_string()).expect("written");
    let open = std::os::unix::fs::PermissionsExt::from_mode;
    fs::set_permissions(standin.dir.path(), open(0o755)).expect("ours");
    // The test program may lie where nobody may look.
    let program = standin.dir.path().join("inner");
    fs::copy(std::env::current_exe().expect("known"), &program).expect("copied");
    let drop = "exec setpriv --reuid 65534 --regid 65534 --clear-groups";
    let inner =
        format!("{before} {drop} {} --exact process::inner_look_for_another_user --nocapture", program.display());
    let output =
        Command::new("unshare").args(["-m", "sh", "-c", &inner]).env("WATCHKEEPER_TEST_PID_FILE", &file).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let found = text.lines().find_map(|line| line.split_once("LOOKED ")).map(|(_, report)| report.to_owned());
    if found.is_none() {
        skip("another user", "unshare and setpriv do not work here");
    }
    found
}

#[test]
fn what_another_user_may_not_see_is_not_permitted_and_never_zero() {
    let standin = Standin::start();
    let Some(report) = as_nobody(&standin, "") else { return };
    for name in
        ["namedprocess_namegroup_open_filedesc", "namedprocess_namegroup_read_bytes_total", "process_group_sockets"]
    {
        assert!(!report.contains(&format!("name: \"{name}\"")), "{name} is told: {report}");
        assert!(report.contains(&format!("(\"{name}\", \"the process belongs to another user")), "{name}: {report}");
    }
    assert!(report.contains("(\"environment\", \"the process belongs to another user"), "{report}");
    assert!(report.contains("name: \"process_resident_memory_bytes\""), "what all may read is told: {report}");
}

#[test]
fn hidden_processes_are_not_permitted_and_never_counted_as_none() {
    let standin = Standin::start();
    let Some(report) = as_nobody(&standin, "mount -t proc -o hidepid=2 proc /proc &&") else { return };
    assert!(report.starts_with("Err(") && report.contains("not_permitted: true"), "{report}");
    assert!(report.contains("hidden from this login"), "{report}");
}

#[tokio::test]
async fn a_sample_of_one_process_and_of_the_whole_host_is_cheap() {
    let standin = Standin::start();
    for (what, config) in [
        ("command", format!("command = '^{}/{NAME} '", standin.dir.path().display())),
        ("pid_file", format!("pid_file = \"{}\"", pid_file(&standin).display())),
        ("top", "top = 10".to_owned()),
    ] {
        let mut sampler = sampler("process", &config);
        let mut costs = Vec::new();
        for _ in 0..11 {
            let before = cpu();
            look(&mut *sampler).await;
            costs.push(cpu().saturating_sub(before));
        }
        costs.sort();
        println!("process by {what}: {:?} CPU of this program for the median sample", costs[5]);
        assert!(costs[5] < Duration::from_millis(100), "{what}: {:?}", costs[5]);
    }
}

fn pid_file(standin: &Standin) -> std::path::PathBuf {
    let path = standin.dir.path().join("cost.pid");
    fs::write(&path, standin.pid().to_string()).expect("written");
    Path::new(&path).to_owned()
}

/// Of the whole program: the work is done on a thread of its own.
fn cpu() -> Duration {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(at).expect("after the start")
}
