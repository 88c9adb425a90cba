//! What one look of the `lmdb` sampler costs on an environment with a 10 GiB map and 1 GiB in use: time, read calls and
//! bytes read: `cargo bench --bench lmdb`. It writes 1 GiB to the folder for temporary files; `strace -c -f` counts the
//! other calls. Values of 900 bytes lie in leaves, those of 20,000 on overflow pages; a third was rewritten at random.
#![expect(clippy::print_stdout, reason = "the table is the program's result")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, from outside the sampler")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;
use watchkeeper::base::{Body, Clock, Observation};
use watchkeeper::samplers::{Sampler, kind};
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::lmdb::{Change, Env};

type Outcome<T> = Result<T, Box<dyn Error>>;

const MAP: usize = 10 << 30;
const USED: u64 = 1 << 30;
const LOOKS: usize = 200;

fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let began = Instant::now();
    fill(folder.path())?;
    let file = folder.path().join("data.mdb").metadata()?.len();
    println!("environment of {} MiB, written in {:.1} s", file >> 20, began.elapsed().as_secs_f64());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    println!("{:<34} {:>9} {:>9} {:>9} {:>12}", "one look", "p50 µs", "p99 µs", "reads", "bytes read");
    for (what, table) in [
        ("meta pages and readers", "free_pages_every = \"0s\""),
        ("and a walk of both trees", "free_pages_every = \"1ns\""),
    ] {
        let config = format!("path = \"{}\"\n{table}", folder.path().display());
        let body = Body::parse("bench.toml", &config).map_err(|fault| fault.to_string())?;
        let mut sampler = kind("lmdb").ok_or("no such kind")?.build(&body).map_err(|fault| fault.to_string())?;
        let first = row(&format!("{what}: the first"), 1, &mut || look(&runtime, &mut *sampler))?;
        row(what, LOOKS, &mut || look(&runtime, &mut *sampler))?;
        for name in ["lmdb_used_pages", "lmdb_free_pages", "lmdb_database_entries"] {
            let found = first.points.iter().filter(|point| point.key.name.as_str() == name);
            found.for_each(|point| println!("    {name} {}", point.value));
        }
    }
    Ok(())
}

/// Random rewrites leave free pages behind, as a service does.
fn fill(folder: &Path) -> Outcome<()> {
    let mut env = Env::open(folder, MAP)?;
    let (small, big) = (vec![7; 900], vec![9; 20_000]);
    let mut next = 0_u64;
    let mut random = 1_u64;
    while env.stat()?.used_pages * 4096 < USED {
        let keys: Vec<[u8; 8]> = (0..1_000_u64)
            .map(|step| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let old = (random >> 33) % (next + 1);
                next += u64::from(step % 3 != 0);
                if step % 3 == 0 { old } else { next }.to_be_bytes()
            })
            .collect();
        let value = |key: &[u8; 8]| if key.ends_with(&[0]) || key.ends_with(&[128]) { &big } else { &small };
        let changes: Vec<Change<'_>> = keys.iter().map(|key| Change::Put(key, value(key))).collect();
        env.write(&changes)?;
    }
    Ok(())
}

fn look(runtime: &tokio::runtime::Runtime, sampler: &mut dyn Sampler) -> Outcome<Observation> {
    runtime.block_on(sampler.observe(RealClock.now())).map_err(|failure| failure.what.to_string().into())
}

/// Does it so often and prints the median, the worst in a hundred, and what the kernel counted of our reads.
fn row(what: &str, times: usize, work: &mut dyn FnMut() -> Outcome<Observation>) -> Outcome<Observation> {
    let [calls, bytes] = counters()?;
    let mut took = Vec::new();
    let mut last = Observation::default();
    for _ in 0..times {
        let began = Instant::now();
        last = work()?;
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let [calls_after, bytes_after] = counters()?;
    took.sort_by(f64::total_cmp);
    let at = |share: usize| took.get((took.len() * share / 100).min(took.len() - 1)).copied().unwrap_or_default();
    let each = |before: u64, after: u64| after.saturating_sub(before) / times.max(1) as u64;
    let (calls, bytes) = (each(calls, calls_after), each(bytes, bytes_after));
    println!("{what:<34} {:>9.0} {:>9.0} {calls:>9} {bytes:>12}", at(50), at(99));
    Ok(last)
}

/// Read calls and bytes of this process so far.
fn counters() -> Outcome<[u64; 2]> {
    let text = fs::read_to_string("/proc/self/io")?;
    let of = |name: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        found.ok_or_else(|| format!("no {name} in /proc/self/io"))
    };
    Ok([of("syscr:")?, of("rchar:")?])
}
