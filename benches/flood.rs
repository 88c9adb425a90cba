//! What following a flood costs: `[WATCHKEEPER=PATH] cargo bench --bench flood -- [LINES_PER_SECOND] [SECONDS]`, at most
//! 1,000,000 and 60. First the two ways of following alone, then `watchkeeper log` (or another build of it) on a pipe and
//! on a file rotated every million lines: age of the newest line on the screen, time of a key, memory, bytes.
#![expect(clippy::print_stdout, reason = "the table is the program's result")]
#![expect(clippy::disallowed_methods, reason = "it keeps a rate and measures the program from outside")]
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "what cannot be measured shall stop")]

#[path = "flood/generator.rs"]
mod generator;
#[path = "../tests/pty/harness.rs"]
#[expect(dead_code, unused_imports, clippy::unwrap_used, reason = "shared with tests/pty, which uses the rest")]
mod harness;
#[path = "../tests/pty/judge.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "shared with tests/pty, which uses the rest")]
mod judge;

use generator::{Flood, seconds, wall};
use harness::{Pty, Spec};
use rustix::time::ClockId;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use watchkeeper::logs::reader::Gather;
use watchkeeper::logs::{Follower, Format, LogMailbox, LogSource};
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

const PROGRAM: &str = env!("CARGO_BIN_EXE_watchkeeper");
const PER_FILE: u64 = 1_000_000;

fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("reads");
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4_096.0 / 1_048_576.0
}

fn measure(name: &str, flood: Flood, start: impl Fn(LogSource) -> Follower, counted: impl Fn() -> u64) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("app.log");
    std::fs::File::create(&path).expect("makes");
    let pattern = path.to_string_lossy().into_owned();
    let follower = start(LogSource { name: "app".into(), pattern, format: Format::Plain });
    let (cpu, memory) = (seconds(ClockId::ProcessCPUTime), resident());
    let offered = flood.pour(&path).expect("pours");
    let ended = Instant::now();
    while counted() < offered.lines && ended.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let late = ended.elapsed().as_millis();
    let cpu = seconds(ClockId::ProcessCPUTime) - cpu - offered.cpu;
    println!(
        "{name:8} {} offered, {} counted, {:.3} CPU s per million lines, {:+.1} MiB, all in {late} ms after the last",
        offered.lines,
        counted(),
        cpu / (offered.lines as f64 / 1e6),
        resident() - memory
    );
    drop(follower);
}

/// The milliseconds that the newest line on the screen says.
fn newest(text: &str) -> Option<u64> {
    text.lines().filter_map(|row| row.split_once("t=")?.1.get(..13)?.parse().ok()).max()
}

/// The tool on a pipe, or on a file that is there.
fn spawn(flood: Flood, path: &Path) -> Pty {
    let mut spec = Spec::new(std::env::var("WATCHKEEPER").unwrap_or_else(|_| PROGRAM.to_owned()));
    (spec.size, spec.args) = ((120, 40), vec!["log".to_owned()]);
    let place = path.to_string_lossy().into_owned();
    if flood.per_file.is_some() {
        std::fs::File::create(path).expect("makes");
        spec.args.push(place);
    } else {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
        spec.env.push(("FLOOD".to_owned(), place));
        spec.script = Some("exec \"$@\" - < \"$FLOOD\"");
    }
    Pty::spawn(&spec)
}

fn show(name: &str, flood: Flood) {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("flood");
    let pty = spawn(flood, &path);
    if flood.per_file.is_some() {
        // What is there before anybody looks is counted by nobody.
        pty.wait_for("following");
    }
    let pouring = flood.start(&path);
    pty.wait_for("t=");
    let (memory, cpu, bytes) = (pty.resident(), pty.cpu(), pty.raw().len());
    let (mut ages, mut keys, mut peak) = (Vec::new(), Vec::new(), memory);
    let mut still = false;
    while !pouring.is_finished() {
        std::thread::sleep(Duration::from_millis(97));
        if let Some(at) = newest(&pty.text()).filter(|_| !still) {
            ages.push(wall().saturating_sub(at));
        }
        peak = peak.max(pty.resident());
        let pressed = Instant::now();
        pty.send(if still { "G" } else { "k" });
        still = !still;
        pty.wait("what the key does", |screen, _| screen.contents().contains("G to follow") == still);
        keys.push(u64::try_from(pressed.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let offered = pouring.join().expect("pours");
    if still {
        pty.send("G");
    }
    let last = format!("n={:010}", offered.lines - 1);
    let ended = Instant::now();
    pty.wait_for(&last);
    let late = ended.elapsed().as_millis();
    let millions = offered.lines as f64 / 1e6;
    let quantile = |all: &mut Vec<u64>, of: usize| {
        all.sort_unstable();
        all.get(all.len().saturating_sub(1) * of / 100).copied().unwrap_or(0)
    };
    println!(
        "{name:8} {} offered, the newest on screen {} ms old (p99 {}, most {}), keys {:.1} ms (p99 {:.1}, most {:.1}, \
         {} presses), {:+.1} MiB at most, {:.3} CPU s and {:.3} MB to the terminal per million lines, \
         the last on screen {late} ms after it was written",
        offered.lines,
        quantile(&mut ages, 50),
        quantile(&mut ages, 99),
        quantile(&mut ages, 100),
        quantile(&mut keys, 50) as f64 / 1e3,
        quantile(&mut keys, 99) as f64 / 1e3,
        quantile(&mut keys, 100) as f64 / 1e3,
        keys.len(),
        (peak.max(pty.resident()) - memory) as f64 / 1_048_576.0,
        (pty.cpu() - cpu) / millions,
        (pty.raw().len() - bytes) as f64 / 1e6 / millions,
    );
    tell_of(&pty);
}

/// The state line at the end.
fn tell_of(pty: &Pty) {
    pty.send("=");
    pty.wait("the number of lines", |screen, _| screen.contents().contains(" of "));
    let text = pty.text();
    println!(
        "         {} | {}",
        text.lines().next().unwrap_or_default().trim(),
        text.lines().last().unwrap_or_default().trim()
    );
}

fn main() {
    let mut args = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let (rate, secs) = (args.next().unwrap_or(100_000).clamp(1_000, 1_000_000), args.next().unwrap_or(5).clamp(1, 60));
    println!("{rate} lines a second for {secs} s");
    let flood = Flood { rate, secs, per_file: Some(PER_FILE) };
    let bell = Arc::new(Bell::default());
    let gather = Arc::new(Gather::new(Arc::clone(&bell)));
    let clock = || Arc::new(RealClock);
    let lay = |source| Follower::lay(vec![source], Arc::clone(&gather), clock()).expect("starts");
    measure("spine", flood, lay, || gather.status().lines);
    let mailbox = Arc::new(LogMailbox::new(bell, 20_000));
    let seen = AtomicU64::new(0);
    let start = |source| Follower::start(vec![source], Arc::clone(&mailbox), clock()).expect("starts");
    measure("mailbox", flood, start, || {
        let news: u64 = mailbox
            .drain()
            .iter()
            .map(|batch| batch.lines.iter().filter(|(_, line)| !line.marker).count() as u64 + batch.dropped)
            .sum();
        seen.fetch_add(news, Ordering::Relaxed) + news
    });
    show("pipe", Flood { per_file: None, ..flood });
    show("file", flood);
}
