//! What expressions cost, against their budgets and beside a Prometheus server that has the same points: append,
//! memory, forty typical queries once a second and over 301 steps. `cargo bench --bench expressions`.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measuring program of its own")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "it may give up")]

#[path = "../tests/differential/compare.rs"]
mod compare;
#[path = "../tests/samplers/peer.rs"]
#[expect(dead_code, reason = "shared with the tests, which use the rest")]
mod peer;
#[path = "../tests/differential/server.rs"]
#[expect(dead_code, reason = "shared with the tests, which use the rest")]
mod server;

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value as Json;
use server::Server;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use watchkeeper::base::{Mono, Now, Observation, Point, PointKind, Sample, SeriesKey, Wall};
use watchkeeper::roles::query::json;
use watchkeeper::rules::expr::{Evaluator, Expr, Millis, Semantics, Source, Track};
use watchkeeper::rules::live::{Live, WallOffset};
use watchkeeper::store::{Limits, Selector, Store};

/// Hosts, each with its own sampler.
const HOSTS: usize = 5;
/// Seconds recorded.
const HOUR: u64 = 3_600;
/// Seconds of the live measurement.
const LIVE: u64 = 60;
/// Steps of a range query after the first.
const STEPS: i64 = 300;
const STEP: Millis = 10_000;
/// The first tick; a fraction of a second, so that no point lies on the edge of a window.
const BOOT: u64 = 1_000_137_000_000;
const EPOCH: i64 = 1_700_000_000_000_000_000;

/// Rules and panels as people write them.
const QUERIES: [&str; 40] = [
    "sum by (instance) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5m]))",
    "100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m])) * 100",
    "sum by (mode) (rate(node_cpu_seconds_total[1m]))",
    "max by (instance, cpu) (irate(node_cpu_seconds_total{mode=\"user\"}[1m]))",
    "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes",
    "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes * 100 < 10",
    "min_over_time(node_memory_MemAvailable_bytes[15m])",
    "node_filesystem_avail_bytes / node_filesystem_size_bytes * 100 < 15",
    "predict_linear(node_filesystem_avail_bytes[30m], 4 * 3600) < 0",
    "deriv(node_filesystem_free_bytes[15m])",
    "sum by (instance) (rate(node_network_receive_bytes_total{device!~\"lo.*\"}[5m]) * 8)",
    "sum by (instance) (rate(node_network_transmit_bytes_total[5m])) / 1e6",
    "increase(node_network_receive_errs_total[5m]) > 10",
    "node_load1 / on (instance) count by (instance) (node_cpu_seconds_total{mode=\"idle\"})",
    "avg_over_time(node_load1[10m])",
    "node_load5 > 4 and node_load15 > 3",
    "sum(rate(http_requests_total[5m]))",
    "sum by (handler) (rate(http_requests_total[1m]))",
    "sum by (code) (rate(http_requests_total{code=~\"5..\"}[5m]))",
    "sum by (handler) (rate(http_requests_total{code=~\"5..\"}[5m])) / sum by (handler) (rate(http_requests_total[5m]))",
    "sum(rate(http_requests_total{code=~\"5..\"}[30m])) / sum(rate(http_requests_total[30m])) > 14.4 * 0.001",
    "sum by (instance) (increase(http_requests_total[1h]))",
    "topk(5, sum by (handler, code) (rate(http_requests_total[5m])))",
    "bottomk(3, avg by (handler) (rate(http_requests_total[15m])))",
    "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
    "histogram_quantile(0.95, sum by (le, handler) (rate(http_request_duration_seconds_bucket[5m])))",
    "histogram_quantile(0.5, sum by (le, instance) (rate(http_request_duration_seconds_bucket[1m])))",
    "sum by (handler) (rate(http_request_duration_seconds_bucket{le=\"0.25\"}[5m])) / sum by (handler) (rate(http_request_duration_seconds_bucket{le=\"+Inf\"}[5m]))",
    "absent(queue_depth{queue=\"orders\"})",
    "sum by (queue) (queue_depth)",
    "max_over_time(queue_depth[5m])",
    "delta(queue_depth[10m]) > 100",
    "changes(queue_depth[15m])",
    "quantile_over_time(0.9, queue_depth[10m])",
    "quantile by (queue) (0.5, queue_depth)",
    "max_over_time(sum by (queue) (queue_depth)[10m:1m])",
    "avg_over_time(sensor_celsius[5m]) > bool 70",
    "label_replace(sensor_celsius, \"host\", \"$1\", \"instance\", \"(.*):.*\")",
    "node_load1 offset 10m",
    "stddev by (instance) (rate(http_requests_total[5m]))",
];

/// Counts what is held.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came.
#[expect(unsafe_code, reason = "an allocator is unsafe by its nature")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// Seconds of processor time of this thread.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn moment(second: u64) -> Now {
    let mono = BOOT + second * 1_000_000_000;
    Now { mono: Mono(mono), wall: Wall(EPOCH + i64::try_from(mono).unwrap()) }
}

/// The 200 series of one host, with their types.
fn host(number: usize) -> Vec<Point> {
    let instance = format!("host{number}:9100");
    let mut points = Vec::new();
    let mut add = |name: &str, labels: &[(&str, &str)], kind: PointKind| {
        let all: Vec<(&str, &str)> = labels.iter().copied().chain([("instance", instance.as_str())]).collect();
        points.push(Point { key: SeriesKey::new(name, &all), value: 1e6, kind });
    };
    let words = |stem: &str, count: usize| (0..count).map(|n| format!("{stem}{n}")).collect::<Vec<_>>();
    for cpu in words("", 8) {
        for mode in ["user", "system", "idle", "iowait", "steal"] {
            add("node_cpu_seconds_total", &[("cpu", &cpu), ("mode", mode)], PointKind::Counter);
        }
    }
    for handler in words("/api/v1/handler", 8) {
        for code in ["200", "301", "404", "500", "503"] {
            add("http_requests_total", &[("handler", &handler), ("code", code)], PointKind::Counter);
        }
    }
    for handler in words("/api/v1/handler", 4) {
        for le in ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"] {
            add("http_request_duration_seconds_bucket", &[("handler", &handler), ("le", le)], PointKind::Histogram);
        }
    }
    for mount in words("/data", 10) {
        for name in ["avail_bytes", "size_bytes", "free_bytes", "files_free"] {
            add(&format!("node_filesystem_{name}"), &[("mountpoint", &mount), ("fstype", "ext4")], PointKind::Gauge);
        }
    }
    for device in words("eth", 4) {
        for name in ["receive_bytes", "transmit_bytes", "receive_errs", "transmit_errs"] {
            add(&format!("node_network_{name}_total"), &[("device", &device)], PointKind::Counter);
        }
    }
    for name in ["MemAvailable", "MemTotal", "MemFree", "Buffers", "Cached", "SwapFree", "SwapTotal", "Dirty"] {
        add(&format!("node_memory_{name}_bytes"), &[], PointKind::Gauge);
    }
    for queue in ["orders", "mail", "thumbnails", "billing"] {
        add("queue_depth", &[("queue", queue)], PointKind::Gauge);
    }
    for name in ["node_load1", "node_load5", "node_load15", "sensor_celsius"] {
        add(name, &[], PointKind::Gauge);
    }
    points
}

/// The next second of a host's values: counters rise and now and then restart, gauges wander, histograms stay monotone.
fn advance(points: &mut [Point], second: u64, dice: &mut u64) {
    let mut below = 0.0;
    for (place, point) in points.iter_mut().enumerate() {
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let unit = (*dice >> 40) as f64 / f64::from(1 << 24);
        match point.kind {
            PointKind::Counter if (second + place as u64 * 7) % 1_800 == 1_799 => point.value = unit,
            PointKind::Counter => point.value += unit * 50.0,
            PointKind::Histogram => {
                let lowest = point.key.label("le").is_some_and(|le| le.as_str() == "0.005");
                below = if lowest { unit } else { below + unit };
                point.value += below.floor();
            }
            _ => point.value = (point.value + (unit - 0.5) * 1e3).max(1.0),
        }
    }
}

struct Feed {
    samples: Vec<Sample>,
    dice: u64,
}

impl Feed {
    fn new() -> Self {
        let sample = |number| Sample {
            sampler: Arc::from(format!("node{number}")),
            seen: moment(0),
            took: Duration::from_millis(3),
            interval: Duration::from_secs(1),
            next_in: Duration::from_secs(1),
            outcome: Ok(Observation { points: host(number), ..Observation::default() }),
        };
        Self { samples: (0..HOSTS).map(sample).collect(), dice: 7 }
    }

    /// One second of all hosts. Returns the processor time that the store took for it.
    fn tick(&mut self, store: &mut Store, second: u64) -> f64 {
        for sample in &mut self.samples {
            sample.seen = moment(second);
            if let Ok(observation) = &mut sample.outcome {
                advance(&mut observation.points, second, &mut self.dice);
            }
        }
        let from = cpu();
        for sample in &self.samples {
            store.ingest(sample);
        }
        cpu() - from
    }
}

/// Prints a figure beside its budget; true when it is kept.
fn row(what: &str, ours: &str, budget: &str, theirs: &str, kept: bool) -> bool {
    println!("{what:44} {ours:>12} {budget:>12}  {:7} {theirs:>12}", if kept { "kept" } else { "OVER" });
    kept
}

/// What a series costs beside its points.
fn bytes_per_series() -> f64 {
    let before = held();
    let mut store = Store::new(Limits::default());
    let mut feed = Feed::new();
    feed.tick(&mut store, 0);
    drop(feed);
    let mut series = 0;
    for host in 0..HOSTS {
        series += host_series(&store, host);
    }
    let with_points = (held() - before) as f64 / series as f64;
    // A block has room for 64 ticks from the start.
    with_points - 64.0 * 8.0
}

fn host_series(store: &Store, host: usize) -> usize {
    let name = format!("node{host}");
    let all = store.select(&Selector::default());
    all.into_iter().filter(|id| **store.sampler_of(*id) == *name).count()
}

fn tracks(live: &Live<'_>, from: Millis, to: Millis) -> Vec<Track> {
    let track = |series| {
        let mut points = Vec::new();
        live.scan(series, from, to, &mut points);
        Track { key: live.key(series).clone(), points }
    };
    live.select(&Selector::default()).into_iter().map(track).collect()
}

/// The server's own measure of an evaluation, in seconds.
fn their_time(answer: &Json) -> f64 {
    assert_eq!(answer["status"], "success", "{answer}");
    answer["data"]["stats"]["timings"]["execTotalTime"].as_f64().unwrap_or(f64::NAN)
}

/// What the server took, and how many of its answers are ours.
struct Theirs {
    append: f64,
    instant: f64,
    range: f64,
    equal: usize,
}

/// What we took, in seconds of processor time but for `wall`.
struct Ranges {
    total: f64,
    wall: f64,
    dearest: Vec<(f64, &'static str)>,
}

/// The same points and questions to the server.
fn beside(live: &Live<'_>, expressions: &[Expr], at: Millis) -> Option<Theirs> {
    let peer = peer::start("prometheus")?;
    let mut server = Server::connect(peer.env("PROMETHEUS_ADDR"));
    let mut theirs = Theirs { append: 0.0, instant: 0.0, range: 0.0, equal: 0 };
    let (wall, mut from) = (Instant::now(), Millis::MIN);
    for slice in 1..=8 {
        let to = at - 3_700_000 + slice * 500_000;
        server.write(&tracks(live, from, to));
        from = to;
    }
    theirs.append = wall.elapsed().as_secs_f64();
    let mut evaluator = Evaluator::new(Semantics::Prometheus);
    let span = (at - STEPS * STEP, at);
    for (text, expr) in QUERIES.iter().zip(expressions) {
        // The best of three: the first one of a server warms its caches.
        let best = |ask: &mut dyn FnMut() -> Json| (0..3).map(|_| their_time(&ask())).fold(f64::INFINITY, f64::min);
        theirs.instant += best(&mut || server.instant(text, at));
        theirs.range += best(&mut || server.range(text, span, STEP));
        let ours = evaluator.range(expr, live, span, step()).map(|answer| json::success(&answer, at)).unwrap();
        let difference = compare::difference(&server.range(text, span, STEP), &ours);
        if let Some(found) = &difference {
            println!("    {text}: the server says {found}");
        }
        theirs.equal += usize::from(difference.is_none());
    }
    Some(theirs)
}

fn step() -> Duration {
    Duration::from_millis(STEP.unsigned_abs())
}

/// A minute of life: each second all samples and all queries. Seconds of processor time for one of them.
fn a_second_of_life(store: &mut Store, feed: &mut Feed, expressions: &[Expr], clock: &mut WallOffset) -> f64 {
    let mut evaluator = Evaluator::new(Semantics::Console);
    let mut total = 0.0;
    for second in HOUR..HOUR + LIVE {
        total += feed.tick(store, second);
        let from = cpu();
        let live = Live::new(store, moment(second), clock);
        for expr in expressions {
            evaluator.instant(expr, &live, live.now()).unwrap();
        }
        total += cpu() - from;
    }
    total / LIVE as f64
}

/// All range queries; the best of three, as the server's. The first paint knows nothing: each has a new evaluator.
fn ranges(live: &Live<'_>, expressions: &[Expr], at: Millis) -> Ranges {
    let mut best = Ranges { total: f64::INFINITY, wall: f64::INFINITY, dearest: Vec::new() };
    for _ in 0..3 {
        let mut evaluator = Evaluator::new(Semantics::Console);
        let (begun, wall) = (cpu(), Instant::now());
        let mut each = Vec::new();
        for (text, expr) in QUERIES.iter().zip(expressions) {
            let from = cpu();
            evaluator.range(expr, live, (at - STEPS * STEP, at), step()).unwrap();
            each.push((cpu() - from, *text));
        }
        if cpu() - begun < best.total {
            best = Ranges { total: cpu() - begun, wall: wall.elapsed().as_secs_f64(), dearest: each };
        }
    }
    best.dearest.sort_by(|a, b| b.0.total_cmp(&a.0));
    best
}

fn main() {
    let per_series = bytes_per_series();
    let before = held();
    let mut store = Store::new(Limits::default());
    let mut feed = Feed::new();
    let fed = held() - before;
    let append: f64 = (0..HOUR).map(|second| feed.tick(&mut store, second)).sum();
    let memory = (held() - before - fed) as f64 / 1e6;
    let expressions: Vec<Expr> = QUERIES.iter().map(|text| Expr::parse(text).unwrap()).collect();
    let mut clock = WallOffset::default();
    let second = a_second_of_life(&mut store, &mut feed, &expressions, &mut clock) * 1e3;
    let live = Live::new(&store, moment(HOUR + LIVE - 1), &mut clock);
    let at = live.now() / 1_000 * 1_000;
    let ranges = ranges(&live, &expressions, at);
    let theirs = beside(&live, &expressions, at);

    let series = store.usage().series;
    println!("{series} series, {} samples, {} queries\n", HOUR * series as u64, QUERIES.len());
    println!("{:44} {:>12} {:>12}  {:7} {:>12}", "", "ours", "budget", "", "Prometheus");
    let their = |figure: &dyn Fn(&Theirs) -> String| theirs.as_ref().map_or_else(|| "—".to_owned(), figure);
    let (instant, range, write) = (
        their(&|theirs| format!("{:.2} ms", theirs.instant * 1e3)),
        their(&|theirs| format!("{:.3} s", theirs.range)),
        their(&|theirs| format!("{:.2} s", theirs.append)),
    );
    let total = ranges.total;
    let all = [
        row("CPU a second, 1,000 series and 40 queries", &format!("{second:.2} ms"), "5 ms", &instant, second <= 5.0),
        row("40 range queries × 301 points", &format!("{total:.3} s"), "0.4 s", &range, total <= 0.4),
        row("memory of 1,000 series-hours at 1 Hz", &format!("{memory:.1} MB"), "32 MB", "", memory <= 32.0),
        row("a series beside its points", &format!("{per_series:.0} B"), "1024 B", "", per_series <= 1_024.0),
        row("append of 3.6 M samples", &format!("{append:.3} s"), "0.5 s", &write, append <= 0.5),
    ];
    println!("\nours: processor time, of the ranges the best of three (by the clock {:.3} s)", ranges.wall);
    println!("Prometheus: its own execTotalTime, the best of three; for the append its remote write by the clock");
    if let Some(theirs) = &theirs {
        println!("{} of {} range answers are equal to Prometheus' to 1e-9", theirs.equal, QUERIES.len());
    }
    println!("the dearest ranges:");
    for (seconds, text) in ranges.dearest.iter().take(6) {
        println!("    {:5.1} ms  {text}", seconds * 1e3);
    }
    assert!(all.iter().all(|kept| *kept), "a budget is not kept");
}
