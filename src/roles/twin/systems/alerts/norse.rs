//! What the predictor's stories raise.

use super::super::norse::Norse;
use super::super::{Door, Part as _, Run, System};
use super::{Played, Promise, Watch, all_are_promised, is_quiet, keeps, page};
use crate::base::{Now, Point};
use System::CerebellarNorse;

const PROMISES: &[Promise] = &[
    ("memory-growth", &[("MemoryWillRunOut", "memory-growth")]),
    (
        "gpu-memory",
        &[
            ("CUDAMemoryHigh", "high-latency"),
            ("HighProcessingLatency", "high-latency"),
            ("CudaOutOfMemory", "cuda-out-of-memory"),
        ],
    ),
    ("latency", &[("HighProcessingLatency", "high-latency")]),
    ("killed-for-memory", &[("KilledForMemory", "killed-for-memory")]),
    (
        "gpu-lost",
        &[
            ("CudaInvalidDevice", "cuda-invalid-device"),
            ("ConfiguredForCudaNoGpu", "cuda-invalid-device"),
            ("NvidiaKernelMessage", "cuda-launch-failed"),
        ],
    ),
    ("launch-failed", &[("CudaLaunchFailed", "cuda-launch-failed"), ("NvidiaKernelMessage", "cuda-launch-failed")]),
    ("throttling", &[("CpuThrottled", "high-latency"), ("HighProcessingLatency", "high-latency")]),
    ("queue-full", &[("HealthFails", "service-down"), ("MetricsAbsent", "network")]),
];

/// Longer than a window of ten minutes, and one that it has to hold.
const SECONDS: u64 = 900;
/// A window of thirty minutes, and ten that it has to hold.
const SLOW: (&str, u64) = ("memory-growth", 2_700);

impl Played for Norse {
    const STEP: u64 = 5;

    fn begin(run: Run<'_>) -> Self {
        Self::start(run).unwrap()
    }

    fn looks(&mut self, now: Now) -> Vec<(&'static str, Option<Vec<Point>>)> {
        let mut read = |port: usize, path: &str| {
            let reply = (self.door(port, now) == Door::Open).then(|| self.page(port, path, now));
            reply.filter(|reply| reply.status == 200).map(|reply| page(&reply.body))
        };
        let health = read(0, "/health").is_some();
        let gpu = read(1, "/gpu/metrics");
        let (metrics, neural) = (read(1, "/metrics").filter(|_| health), read(0, "/neural/metrics"));
        let held = 15e6 + self.course.held() as f64;
        let labels = [("groupname", "cerebellar-norse"), ("memtype", "resident")];
        let memory = Point::gauge("namedprocess_namegroup_memory_bytes", &labels, held);
        let health = Point::gauge("probe_success", &[], f64::from(u8::from(health)));
        // Whatever the host has, its service has less.
        let host = [("node_time_seconds", 0.0), ("node_memory_MemTotal_bytes", 512e9)];
        vec![
            ("host", Some(host.map(|(name, value)| Point::gauge(name, &[], value)).into())),
            ("gpu", gpu),
            ("metrics", metrics),
            ("neural", neural),
            ("service", Some(vec![memory])),
            ("health", Some(vec![health])),
        ]
    }
}

#[test]
fn each_story_raises_its_alerts_and_names_their_procedures() {
    let others = ["quiet", "training-rises", "data-corruption", "config-broken"];
    all_are_promised(CerebellarNorse, PROMISES, &others);
    for promise in PROMISES {
        let seconds = if promise.0 == SLOW.0 { SLOW.1 } else { SECONDS };
        drop(keeps::<Norse>(CerebellarNorse, seconds, *promise));
    }
}

#[test]
fn a_quiet_run_raises_none_of_them() {
    is_quiet::<Norse>(CerebellarNorse, SECONDS, PROMISES);
}

#[test]
fn a_limit_a_processor_or_a_restart_mends_what_each_mends() {
    let edit = |watch: &Watch<Norse>, from: &str, to: &str| {
        let file = watch.folder.path().join("etc/production.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
    };
    let limit = "[performance]\nmemory_limit = \"28GB\"";
    for (story, from, to) in [
        ("memory-growth", "[performance]", limit),
        ("killed-for-memory", "[performance]", limit),
        ("gpu-lost", "device = \"cuda\"", "device = \"cpu\""),
        ("launch-failed", "", ""),
        ("queue-full", "", ""),
    ] {
        let mut watch = Watch::<Norse>::new(CerebellarNorse, story);
        watch.pass(20, |_| false);
        let bad = |watch: &Watch<Norse>| {
            let said = std::fs::read_to_string(watch.folder.path().join("log/application.log")).unwrap();
            let deaf = watch.part().door(0, watch.now) == Door::Deaf;
            watch.part().course.held() > 0 || deaf || said.contains("CUDA_ERROR")
        };
        assert!(bad(&watch), "{story}");
        assert_eq!(watch.part().is_killed(), story == "killed-for-memory");
        edit(&watch, from, to);
        std::fs::write(watch.folder.path().join("log/application.log"), "").unwrap();
        watch.restart();
        watch.pass(20, |_| false);
        assert!(!bad(&watch), "{story}");
    }
}
