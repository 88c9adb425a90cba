//! The child that asks NVML: slow, stopped, killed, mad, alone; and what the others notice of it.

use crate::fake_nvml::{Fake, ROLE, comes_back, failed, later, patient, refused, seen};
use crate::hang::collect;
use crate::probe::{children, launch, play, signal, until};
use crate::{observe, sampler, value};
use core::time::Duration;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use watchkeeper::base::{Clock, Sample, Unit};
use watchkeeper::samplers::{Job, Mailbox, Supervisor};
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

#[tokio::test]
async fn a_call_that_hangs_is_named_with_its_time_and_its_late_answer_counts() {
    let Some(fake) = Fake::new("") else { return };
    let mut gpu = fake.sampler();
    seen(&mut *gpu).await;
    let children = fake.children();
    fake.set("1.delay.nvmlDeviceGetTemperature 3000\n");
    let start = RealClock.now();
    let first = failed(&mut *gpu).await;
    assert!(RealClock.now().mono.since(start.mono) < Duration::from_secs(2), "told within the interval");
    let begins = format!("NVML about GPU 1 (probe process {}) has not answered since ", children[0]);
    assert!(first.what.as_str().starts_with(&begins) && first.what.as_str().ends_with(" (800 ms)."), "{first:?}");
    assert!(!first.answered);
    let at = first.what.as_str().strip_prefix(&begins).and_then(|rest| rest.get(..8)).expect("a time");
    let second = failed(&mut *gpu).await;
    assert!(second.what.as_str().contains(at), "{second:?}: since the same moment as {first:?}");
    assert_eq!(fake.children(), children, "nothing is started twice");
    fake.set("1.temp 55\n");
    let after = comes_back(&mut *gpu).await;
    assert_eq!(value(&after, "DCGM_FI_DEV_GPU_TEMP", &[("gpu", "1")]), 55.0);
    assert_eq!(fake.children(), children);
}

#[tokio::test]
async fn a_driver_slower_than_one_attempt_still_gives_values() {
    let Some(fake) = Fake::new("delay.nvmlDeviceGetTemperature 500\n") else { return };
    let mut gpu = fake.sampler();
    assert!(observe(&mut *gpu).await.is_err(), "two GPUs take a second");
    assert_eq!(value(&comes_back(&mut *gpu).await, "watchkeeper_gpu_devices", &[]), 2.0);
}

/// Whether every thread of it has stopped.
fn stopped(pid: u32) -> bool {
    fs::read_dir(format!("/proc/{pid}/task")).expect("there").all(|task| {
        let stat = fs::read_to_string(task.expect("a thread").path().join("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    })
}

#[tokio::test]
async fn a_stopped_child_is_told_within_the_interval_and_goes_on() {
    let Some(fake) = Fake::new("") else { return };
    let mut gpu = fake.sampler();
    seen(&mut *gpu).await;
    let children = fake.children();
    assert_eq!(children.len(), 1);
    for _ in 0..2 {
        signal(children[0], "STOP");
        until("it goes on", || stopped(children[0]));
        let start = RealClock.now().mono;
        let failure = failed(&mut *gpu).await;
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(2));
        assert!(failure.what.as_str().starts_with("NVML (probe process "), "{failure:?}");
        signal(children[0], "CONT");
        comes_back(&mut *gpu).await;
    }
    assert_eq!(fake.children(), children, "the same one");
}

#[tokio::test]
async fn a_killed_child_costs_one_sentence_and_a_pause() {
    let Some(fake) = Fake::new("") else { return };
    let mut gpu = fake.sampler();
    seen(&mut *gpu).await;
    let old = fake.children();
    signal(old[0], "KILL");
    let failure = failed(&mut *gpu).await;
    let words =
        format!("the nvml probe (process {}) ended (killed by SIGKILL); it is started again in 1.00 s.", old[0]);
    assert_eq!(failure.what.as_str(), words);
    assert!(fake.children().is_empty(), "not before its pause is over");
    let after = patient(&mut *gpu, || later(Duration::from_secs(2))).await.expect("seen");
    assert_eq!(value(&after, "watchkeeper_gpu_devices", &[]), 2.0);
    let new = fake.children();
    assert!(new.len() == 1 && new != old, "{new:?}");
}

#[test]
#[ignore = "a role: a console that is killed"]
fn a_parent() {
    // Without a library of its own it looks for the driver's.
    let library = std::env::var_os("PROBE_WORD");
    let config = library.map(|path| format!("library = \"{}\"", Path::new(&path).display())).unwrap_or_default();
    launch();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut gpu = sampler("gpu", &config);
    let seen = runtime.block_on(seen(&mut *gpu));
    println!("SEEN {}", value(&seen, "DCGM_FI_DEV_GPU_TEMP", &[("gpu", "1")]));
    std::thread::park();
}

#[test]
fn the_child_ends_when_its_parent_is_killed() {
    let Some(fake) = Fake::new("") else { return };
    let mut parent = play("gpu_child::a_parent", &[("PROBE_WORD", &fake.library())]);
    let mut lines = BufReader::new(parent.0.stdout.take().expect("piped")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("SEEN 61")));
    let children = children(parent.0.id(), ROLE, "");
    assert_eq!(children.len(), 1);
    drop(parent);
    until("the child outlives its parent", || !Path::new(&format!("/proc/{}", children[0])).exists());
}

#[test]
fn the_drivers_own_library_is_found_as_any_program_finds_it_and_its_switches_reach_it() {
    let Some(fake) = Fake::new("") else { return };
    let switches = fake.dir.path().join("values");
    fs::write(&switches, "temp 33\n").expect("written");
    let mut parent = play("gpu_child::a_parent", &[("LD_LIBRARY_PATH", fake.dir.path()), ("FAKE_NVML", &switches)]);
    let lines = BufReader::new(parent.0.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let said: Vec<String> = lines.take_while(|line| !line.contains("SEEN 33")).collect();
    drop(parent);
    assert!(!said.iter().any(|line| line.contains("SEEN")), "{said:?}");
}

#[tokio::test]
async fn the_child_has_no_terminal_no_core_no_rights_to_gain_and_nothing_of_ours() {
    let Some(fake) = Fake::new("") else { return };
    seen(&mut *fake.sampler()).await;
    let child = fake.children()[0];
    let read = |file: &str| fs::read_to_string(format!("/proc/{child}/{file}")).expect("its own");
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    assert_eq!((fields[3], fields[4]), (child.to_string().as_str(), "0"), "its own session, without a terminal");
    let limits = read("limits");
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().next(), Some("0"));
    assert!(read("status").contains("NoNewPrivs:\t1"));
    let ours = fs::read_dir(format!("/proc/{child}/fd")).expect("its own").filter_map(|entry| {
        let target = fs::read_link(entry.ok()?.path()).ok()?.to_string_lossy().into_owned();
        (!target.starts_with("socket:") && target != "/dev/null").then_some(target)
    });
    assert_eq!(ours.collect::<Vec<_>>(), Vec::<String>::new());
    let kept = |name: &str| name == "LD_LIBRARY_PATH" || name.contains("NVML");
    for variable in read("environ").split('\0').filter(|variable| !variable.is_empty()) {
        assert!(variable.split_once('=').is_some_and(|(name, _)| kept(name)), "{variable}");
    }
}

#[tokio::test]
async fn a_child_that_talks_nonsense_or_dies_at_once_is_started_less_and_less() {
    launch();
    let mut garbling = sampler("gpu", "library = \"/nowhere/garbling\"");
    let failure = refused(&mut *garbling).await;
    let words = failure.what.as_str();
    assert!(words.starts_with("the nvml probe (process ") && words.contains(" cannot be understood: "), "{words}");
    let mut dying = sampler("gpu", "library = \"/nowhere/dying\"");
    let mut at = Duration::ZERO;
    for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
        let failure = patient(&mut *dying, || later(at)).await.expect_err("it dies");
        let again = Duration::from_secs(pause);
        let words =
            format!(" ended (killed by SIGABRT); it is started again in {}.", Unit::Seconds.show(again.as_secs_f64()));
        assert!(failure.what.as_str().ends_with(&words), "{words} {failure:?}");
        let between = dying.observe(later(at + again / 2)).await.expect_err("not yet");
        assert!(between.what.as_str().contains(" in a row; it is started again in "), "{between:?}");
        at += again + Duration::from_secs(1);
    }
    assert!(children(std::process::id(), "the_dying_child", "").is_empty());
}

#[tokio::test]
async fn two_samplers_of_one_library_share_its_child() {
    let Some(fake) = Fake::new("") else { return };
    let (mut one, mut other) = (fake.sampler(), fake.sampler());
    tokio::join!(seen(&mut *one), seen(&mut *other));
    assert_eq!(fake.children().len(), 1);
}

#[tokio::test]
async fn a_sample_costs_less_than_ten_times_its_aim() {
    let Some(fake) = Fake::new("") else { return };
    let mut gpu = fake.sampler();
    seen(&mut *gpu).await;
    let cpu = || {
        let at = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(at).expect("after the start")
    };
    let ticks = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", fake.children()[0])).expect("there");
        let fields: Vec<u64> =
            stat.rsplit_once(')').expect("a name").1.split(' ').filter_map(|word| word.parse().ok()).collect();
        (fields[10] + fields[11]) * 10
    };
    let (mut costs, mut spans, before) = (Vec::new(), Vec::new(), ticks());
    for _ in 0..21 {
        let (start, spent) = (RealClock.now().mono, cpu());
        seen(&mut *gpu).await;
        costs.push(cpu().saturating_sub(spent));
        spans.push(RealClock.now().mono.since(start));
    }
    costs.sort();
    spans.sort();
    let child = (ticks() - before) as f64 / 21.0;
    println!(
        "gpu: {:?} CPU here, {child:.1} ms in the child, {:?} in all, for the median sample of two GPUs",
        costs[10], spans[10]
    );
    assert!(costs[10] < Duration::from_millis(10), "{:?}", costs[10]);
}

#[test]
fn while_nvml_hangs_the_other_samplers_go_on() {
    let Some(fake) = Fake::new("delay.nvmlDeviceGetCount_v2 4000\ndelay.nvmlDeviceGetName 4000\n") else { return };
    let job = |name: &str, sampler| {
        let every = Duration::from_secs(1);
        Job { name: name.into(), sampler, every, timeout: None }
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let bell = Arc::new(Bell::default());
    let mailbox = Arc::new(Mailbox::new(Arc::clone(&bell)));
    let jobs = vec![job("gpu", fake.sampler()), job("host", sampler("host", ""))];
    let supervisor = Supervisor::start(jobs, Arc::clone(&mailbox), Arc::new(RealClock), 7, runtime.handle());
    let of = |samples: &[Sample], name: &str| samples.iter().filter(|sample| &*sample.sampler == name).count();
    let samples = collect(&mailbox, &bell, |samples| of(samples, "gpu") >= 2 && of(samples, "host") >= 3);
    for sample in samples.iter().filter(|sample| &*sample.sampler == "gpu") {
        let failure = sample.outcome.as_ref().expect_err("it hangs");
        assert!(failure.what.as_str().contains("has not answered since"), "{failure:?}");
    }
    assert!(samples.iter().filter(|sample| &*sample.sampler == "host").all(|sample| sample.outcome.is_ok()));
    assert!(fake.children().len() <= 1);
    drop(supervisor);
    runtime.shutdown_background();
}
