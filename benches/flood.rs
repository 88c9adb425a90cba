//! What following a flood costs: a writer of our own appends lines at a rate, the console's follower and the reader's
//! spine follow; the writer's own time is taken off. `cargo bench --bench flood -- [LINES_PER_SECOND] [SECONDS]`
#![expect(clippy::print_stdout, reason = "the table is the program's result")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot be built shall stop")]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use watchkeeper::logs::reader::Gather;
use watchkeeper::logs::{Follower, Format, LogMailbox, LogSource};
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

const CHUNK: Duration = Duration::from_millis(10);

fn seconds(clock: rustix::time::ClockId) -> f64 {
    let now = rustix::time::clock_gettime(clock);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("reads");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4_096.0 / 1_048_576.0
}

/// Appends `rate` lines a second; gives the lines, and the CPU seconds that it took itself.
#[expect(clippy::disallowed_methods, reason = "a generator keeps a rate")]
fn flood(path: &std::path::Path, rate: u64, secs: u64) -> (u64, f64) {
    let before = seconds(rustix::time::ClockId::ThreadCPUTime);
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("opens");
    let (begun, mut written, mut text) = (Instant::now(), 0, Vec::new());
    for tick in 1..=secs * 100 {
        text.clear();
        for n in written..rate * tick / 100 {
            writeln!(text, "2026-11-21T03:12:47.000Z INFO  queue::worker: job dequeued and handed to worker seq={n:010} latency_us={} id=0123456789abcdef shard=7", n % 100_000).expect("writes");
        }
        written = rate * tick / 100;
        file.write_all(&text).expect("writes");
        let due = CHUNK * u32::try_from(tick).unwrap_or(u32::MAX);
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
    }
    (written, seconds(rustix::time::ClockId::ThreadCPUTime) - before)
}

#[expect(clippy::disallowed_methods, reason = "a generator keeps a rate")]
fn measure(name: &str, rate: u64, secs: u64, start: impl Fn(LogSource) -> Follower, counted: impl Fn() -> u64) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("app.log");
    std::fs::File::create(&path).expect("makes");
    let pattern = path.to_string_lossy().into_owned();
    let follower = start(LogSource { name: "app".into(), pattern, format: Format::Plain });
    let (cpu, memory) = (seconds(rustix::time::ClockId::ProcessCPUTime), resident());
    let (written, own) = flood(&path, rate, secs);
    let ended = Instant::now();
    while counted() < written && ended.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let late = ended.elapsed().as_millis();
    let cpu = seconds(rustix::time::ClockId::ProcessCPUTime) - cpu - own;
    let millions = written as f64 / 1e6;
    println!(
        "{name:8} {rate:>8} lines/s: {written} offered, {} counted, {:.3} CPU s per million lines, {:+.1} MiB, all in {late} ms after the last",
        counted(),
        cpu / millions,
        resident() - memory
    );
    drop(follower);
}

fn main() {
    let mut args = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (rate, secs) = (args.next().unwrap_or(100_000), args.next().unwrap_or(5));
    let bell = Arc::new(Bell::default());
    let gather = Arc::new(Gather::new(Arc::clone(&bell)));
    let clock = || Arc::new(RealClock);
    measure(
        "spine",
        rate,
        secs,
        |source| Follower::lay(vec![source], Arc::clone(&gather), clock()).expect("starts"),
        || gather.status().lines,
    );
    let mailbox = Arc::new(LogMailbox::new(bell, 20_000));
    let seen = AtomicU64::new(0);
    measure(
        "mailbox",
        rate,
        secs,
        |source| Follower::start(vec![source], Arc::clone(&mailbox), clock()).expect("starts"),
        || {
            let news: u64 = mailbox.drain().iter().map(|batch| batch.lines.len() as u64 + batch.dropped).sum();
            seen.fetch_add(news, Ordering::Relaxed) + news
        },
    );
}
