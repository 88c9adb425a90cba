//! What the parts under the expressions cost: `cargo bench --bench parts`. An hour of 1,000 series at 1 Hz is appended;
//! "max alloc" is what it takes. Figures of shared machines are noisy: quote medians and ratios of one run.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be built shall stop")]

use core::time::Duration;
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use std::sync::LazyLock;
use watchkeeper::base::{Clean, Mono, Now, Observation, Point, PointKind, Sample, Wall};
use watchkeeper::logs::{Format, LogPatterns, packs};
use watchkeeper::rules::expr::{Expr, Source as _};
use watchkeeper::rules::{Live, WallOffset};
use watchkeeper::store::history::{self, Kept, Minute, Tag};
use watchkeeper::store::{History, Limits, Selector, Store};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const SERIES: usize = 1_000;
const SECONDS: u64 = 3_600;
const SECOND: Duration = Duration::from_secs(1);

/// A plain selector from its text.
fn selector(text: &str) -> Selector {
    Expr::parse(text).expect("parses").plain_selector().expect("plain").clone()
}

fn main() {
    divan::main();
}

/// Reading one line of a log whose format is not said. The aim is a microsecond.
#[divan::bench(args = LINES)]
fn log_line(bencher: Bencher, (_, line): &(&str, &str)) {
    bencher.bench(|| Format::Auto.read(black_box(line.as_bytes()), 0));
}

const LINES: [(&str, &str); 6] = [
    ("plain", "2026-11-21T03:12:47Z ERROR map full, nothing written"),
    ("json", r#"{"timestamp":"2026-11-21T03:12:47Z","level":"INFO","message":"tick","n":1}"#),
    ("logfmt", "time=2026-11-21T03:12:47Z level=info msg=\"two words\" n=1"),
    ("syslog", "Nov 21 03:12:47 web1 sshd[42]: Accepted publickey for root"),
    ("python", "2026-11-21 03:12:47,123 - a.b - WARNING - slow"),
    ("rust", "2026-11-21T03:12:47.1Z  WARN a::b: slow ms=3"),
];

/// Every pattern that ships, looked for in a line that has none.
#[divan::bench]
fn log_patterns(bencher: Bencher) {
    let all = packs::PACKS.iter().flat_map(|(name, ..)| packs::pack(name).expect("ships")).collect();
    let patterns = LogPatterns::new(all).expect("compiles");
    bencher.bench(|| patterns.matches("app", black_box("worker 3 took 12 ms for the answer to its question")));
}

fn at(second: u64) -> Now {
    let nanos = second * 1_000_000_000;
    Now { mono: Mono(nanos), wall: Wall(1_795_230_000_000_000_000_i64.saturating_add_unsigned(nanos)) }
}

/// As node_exporter names things: 20 metrics of 50 devices each, half of them counters.
fn points() -> Vec<Point> {
    let point = |n: usize| {
        let (metric, device) = (n / 50, format!("dev{}", n % 50));
        let labels = [("device", device.as_str()), ("instance", "gpu-07:9100"), ("zone", "a")];
        let kind = if metric.is_multiple_of(2) { PointKind::Counter } else { PointKind::Gauge };
        let name = format!("node_bench_{}{metric}", if metric.is_multiple_of(2) { "total_" } else { "" });
        Point { kind, ..Point::gauge(&name, &labels, 0.0) }
    };
    (0..SERIES).map(point).collect()
}

fn sample(points: Vec<Point>, second: u64) -> Sample {
    let outcome = Ok(Observation { points, ..Observation::default() });
    Sample { sampler: "bench".into(), seen: at(second), took: SECOND / 100, interval: SECOND, next_in: SECOND, outcome }
}

/// The next second: counters rise and fall to zero every ten minutes, gauges swing.
fn step(sample: &mut Sample, second: u64) {
    sample.seen = at(second);
    if let Ok(seen) = &mut sample.outcome {
        for (n, point) in seen.points.iter_mut().enumerate() {
            point.value = match point.kind {
                PointKind::Counter => (second % 600) as f64 * (n + 1) as f64,
                _ => ((second * 7 + n as u64) % 100) as f64,
            };
        }
    }
}

fn fill(sample: &mut Sample, seconds: u64) -> Store {
    let mut store = Store::new(Limits::default());
    for second in 1..=seconds {
        step(sample, second);
        store.ingest(sample);
    }
    store
}

static HOUR: LazyLock<Store> = LazyLock::new(|| fill(&mut sample(points(), 0), SECONDS));

fn now() -> Live<'static> {
    Live::new(&HOUR, at(SECONDS), &mut WallOffset::default())
}

/// 3.6 million samples.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn append_an_hour(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(SERIES * 3_600))
        .with_inputs(|| sample(points(), 0))
        .bench_local_refs(|sample| fill(sample, SECONDS));
}

/// One tick whose keys are made anew, as a scraped page gives them.
#[divan::bench]
fn append_a_tick_of_strange_keys(bencher: Bencher<'_, '_>) {
    let mut store = fill(&mut sample(points(), 0), 10);
    let mut second = 10;
    bencher
        .counter(ItemsCount::new(SERIES))
        .with_inputs(|| {
            second += 1;
            sample(points(), second)
        })
        .bench_local_values(|sample| {
            store.ingest(&sample);
            sample
        });
}

/// A thousand new series: what one costs.
#[divan::bench]
fn take_a_thousand_series_in(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(SERIES))
        .with_inputs(|| (Store::new(Limits::default()), sample(points(), 1)))
        .bench_local_values(|(mut store, sample)| {
            store.ingest(&sample);
            (store, sample)
        });
}

/// What `rate` needs, of 500 counters.
#[divan::bench(args = [60, 600, 3_600])]
fn ends_of_a_window(bencher: Bencher<'_, '_>, seconds: i64) {
    let live = now();
    let found = live.select(&selector(r#"{__name__=~"node_bench_total_.*"}"#));
    let until = live.now() - 1;
    bencher.counter(ItemsCount::new(found.len())).bench_local(|| {
        for series in &found {
            black_box(live.ends(*series, until - seconds * 1_000, until));
        }
    });
}

/// The same by walking.
#[divan::bench(args = [60, 600, 3_600])]
fn scan_of_a_window(bencher: Bencher<'_, '_>, seconds: i64) {
    let live = now();
    let found = live.select(&selector(r#"{__name__=~"node_bench_total_.*"}"#));
    let until = live.now() - 1;
    let mut points = Vec::new();
    bencher.counter(ItemsCount::new(found.len())).bench_local(|| {
        for series in &found {
            points.clear();
            live.scan(*series, until - seconds * 1_000, until, &mut points);
            black_box(&points);
        }
    });
}

/// The newest value of 1,000 series.
#[divan::bench]
fn latest(bencher: Bencher<'_, '_>) {
    let live = now();
    let found = live.select(&Selector::default());
    let at = live.now();
    bencher.counter(ItemsCount::new(found.len())).bench_local(|| {
        for series in &found {
            black_box(live.latest(*series, at, None));
        }
    });
}

/// 50 series of one metric, one of them, and half of all by a pattern.
#[divan::bench(args = ["node_bench_1", r#"node_bench_1{device="dev7"}"#, r#"{__name__=~"node_bench_total_.*"}"#])]
fn select(bencher: Bencher<'_, '_>, text: &str) {
    let selector = selector(text);
    bencher.bench_local(|| HOUR.select(black_box(&selector)));
}

/// Two days of 40 values by the minute.
fn two_days() -> Vec<Kept> {
    let minute = |number: u32| {
        (0..40_u32).map(move |n| {
            let mean = f64::from(number * 7 + n);
            let minute = Minute { number: 29_920_000 + number, count: 60, min: mean - 1.0, mean, max: mean + 1.0 };
            Kept { tag: Tag::of(&n.to_string()), minute }
        })
    };
    (0..2_880).flat_map(minute).collect()
}

fn records() -> Vec<u8> {
    two_days().chunks(40).flat_map(history::encode).collect()
}

#[divan::bench]
fn encode_a_minute(bencher: Bencher<'_, '_>) {
    let rows: Vec<Kept> = two_days().into_iter().take(40).collect();
    bencher.counter(ItemsCount::new(rows.len())).bench_local(|| history::encode(black_box(&rows)));
}

/// What a console does at its start.
#[divan::bench]
fn decode_two_days(bencher: Bencher<'_, '_>) {
    let bytes = records();
    bencher.counter(ItemsCount::new(40_usize * 2_880)).bench_local(|| {
        let mut history = History::default();
        history.take(&history::decode(black_box(&bytes)).rows);
        history
    });
}

/// What it does each second.
#[divan::bench]
fn note_40_values(bencher: Bencher<'_, '_>) {
    let texts: Vec<Clean> = (0..40).map(|n| Clean::text(format!("rate(node_bench_total_{n}[5m])"))).collect();
    let mut history = History::default();
    let mut second = 0;
    bencher.counter(ItemsCount::new(texts.len())).bench_local(|| {
        second += 1;
        let now = at(second);
        for text in &texts {
            history.note(text, 1.0, now.mono, now.wall);
        }
        history.close(now.wall)
    });
}
