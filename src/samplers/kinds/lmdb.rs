//! `lmdb`: usage, readers and trees of LMDB environments by plain reads; no lock, slot or map: the owner cannot notice.
//! ```toml
//! [samplers.store]
//! kind = "lmdb"
//! path = "/var/lib/service/lmdb"    # the folder, or the data file; `paths = ["/a", "/b"]` for several
//! free_pages_every = "30s"          # how often the trees are walked, "0s" for never
//! ```
//! `lmdb_` + `up used_bytes map_size_bytes used_ratio used_pages max_pages entries last_txn_id txns_per_second
//! file_bytes file_allocated_bytes ownership_trouble network_file_system` (1: locks do not hold there), `readers readers_max readers_dead readers_doubtful
//! read_transactions oldest_reader_txns oldest_reader_seconds reader_age_txns{pid,thread,process}`; by process
//! `process_map_size_bytes process_used_ratio map_size_mismatch_bytes` (stored less mapped); walks: `free_pages live_pages
//! live_ratio pinned_pages free_pages_approximate free_pages_age_seconds`; `database_` + `entries depth …_pages{database}`.
//! Long because what earlier looks found and what is told of it are one comparison.

use crate::base::{Body, Clean, Clock, Failure, Fault, Mono, Now, Observation, Point, Unit};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, PROCESSES, Worker};
use crate::samplers::lmdb::look::{Life, Reader, Seen, Walked, look};
use crate::samplers::lmdb::mappers::{self, Asked, Holders};
use crate::samplers::{Kind, Observed, Sampler};
use crate::sys::clock::RealClock;
use crate::sys::holders::FileId;
use crate::sys::lmdb::format::{Meta, Tree};
use crate::sys::lmdb::outside::{NoTable, Trouble};
use core::time::Duration;
use jiff::fmt::friendly::SpanParser;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// More environments are not watched by one sampler.
const MOST: usize = 16;
/// How often every process is asked what it maps.
const SCAN: Duration = Duration::from_secs(30);
/// Readers that have a series of their own: the oldest.
const READERS: usize = 64;
/// What may take long is left out of a look for the environments whose turn comes later than this.
const PATIENCE: Duration = Duration::from_millis(250);
/// The maps of other processes are waited for so long; what the files say does not wait for them.
const MAPS: Duration = Duration::from_millis(500);
/// What is told of each map.
const MAPPED: [&str; 3] = ["lmdb_process_map_size_bytes", "lmdb_process_used_ratio", "lmdb_map_size_mismatch_bytes"];
/// Maps end at pages of the system, whatever size was asked for.
const SYSTEM_PAGE: u64 = 4096;

/// The kind.
pub struct Lmdb;

impl Kind for Lmdb {
    fn name(&self) -> &'static str {
        "lmdb"
    }

    fn about(&self) -> &'static str {
        "usage, readers, maps and free pages of LMDB environments, without opening them"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let Config { path, paths, free_pages_every } = body.read()?;
        let (key, paths) = match (path, paths) {
            (Some(path), None) => ("path", vec![path]),
            (None, Some(paths)) if !paths.is_empty() => ("paths", paths),
            _ => return Err(body.fault("write either `path` or `paths`.").hint("`path` names one environment.")),
        };
        if paths.len() > MOST {
            return Err(body.fault_at(key, format!("more than {MOST} environments.")));
        }
        if let Some(wrong) = paths.iter().find(|path| !path.is_absolute()) {
            let shown = if key == "path" { key.to_owned() } else { wrong.display().to_string() };
            return Err(body.fault_at(key, format!("`{shown}` does not begin with `/`.")));
        }
        let every = free_pages_every.as_deref().unwrap_or("30s");
        let walk_every = SpanParser::new()
            .parse_unsigned_duration(every)
            .map_err(|_| body.fault_at("free_pages_every", "not a length of time: write it like `30s`, or `0s`."))?;
        let envs: BTreeMap<PathBuf, Known> = paths.into_iter().map(|path| (path, Known::default())).collect();
        Ok(Box::new(LmdbSampler { envs, walk_every, ..LmdbSampler::new() }))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["lmdb_".to_owned()].into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    path: Option<PathBuf>,
    paths: Option<Vec<PathBuf>>,
    free_pages_every: Option<String>,
}

pub(crate) struct LmdbSampler {
    envs: BTreeMap<PathBuf, Known>,
    walk_every: Duration,
    /// Zero: nobody is asked but whoever is known.
    scan_every: Duration,
    files: Worker<Vec<Result<Seen, Trouble>>>,
    maps: Worker<Vec<Holders>>,
    /// `/proc`; only tests name another.
    proc: PathBuf,
}

impl LmdbSampler {
    fn new() -> Self {
        Self {
            envs: BTreeMap::new(),
            walk_every: Duration::ZERO,
            scan_every: SCAN,
            files: Worker::new(&LOCAL_FILES),
            maps: Worker::new(&PROCESSES),
            proc: "/proc".into(),
        }
    }

    /// For environments that are found and lost again, with those who map them; their trees are not walked.
    pub(crate) fn found() -> Self {
        Self { scan_every: Duration::ZERO, ..Self::new() }
    }

    /// From now on these, with the processes that are known to map them.
    pub(crate) fn watch(&mut self, found: &[(PathBuf, Vec<u32>)]) {
        self.envs.retain(|path, _| found.iter().any(|(wanted, _)| wanted == path));
        for (path, pids) in found.iter().take(MOST) {
            self.envs.entry(path.clone()).or_default().mappers.clone_from(pids);
        }
    }

    /// Whether nothing is watched.
    pub(crate) fn is_empty(&self) -> bool {
        self.envs.is_empty()
    }

    /// Who maps each environment that was read, in order; or why that is not known.
    async fn holders(&mut self, looked: &[Result<Seen, Trouble>], now: Mono) -> Result<Vec<Holders>, Clean> {
        let each = self.envs.values().zip(looked);
        let asked: Vec<Asked> = each
            .filter_map(|(known, seen)| seen.as_ref().ok().map(|seen| known.asked(seen, now, self.scan_every)))
            .collect();
        let proc = self.proc.clone();
        let holders = self.maps.run(now, move || mappers::all(&proc, asked));
        match tokio::time::timeout(MAPS, holders).await {
            Ok(Ok(holders)) => Ok(holders),
            Ok(Err(stuck)) => Err(clean!("the maps of processes cannot be read: {stuck}")),
            Err(_) => {
                Err(clean!("the maps of processes were not read within {}", Unit::Seconds.show(MAPS.as_secs_f64())))
            }
        }
    }
}

/// What earlier looks at one environment found.
#[derive(Default)]
struct Known {
    /// Device and inode, transaction, and when that was.
    last: Option<(FileId, u64, Mono)>,
    walked: Option<(Walked, Mono)>,
    scanned: Option<Mono>,
    mappers: Vec<u32>,
    /// Processes that did not show their maps when all were asked, and those that were not asked.
    unseen: (usize, usize),
    /// Since when each open transaction of a reader has been seen: process, thread, transaction.
    reading: BTreeMap<(u32, u64, u64), Mono>,
}

impl Known {
    fn walks(&self, now: Mono, every: Duration) -> bool {
        due(self.walked.as_ref().map(|(_, at)| *at), now, every)
    }

    fn asked(&self, seen: &Seen, now: Mono, scan_every: Duration) -> Asked {
        // Of another file nothing is known.
        let same = self.last.as_ref().is_some_and(|(id, ..)| *id == seen.file.id);
        Asked {
            file: seen.file.id.clone(),
            certain: seen.holders.clone(),
            known: self.mappers.clone(),
            all: due(self.scanned.filter(|_| same), now, scan_every),
        }
    }
}

/// Whether the time has come again; never where `every` is zero.
fn due(last: Option<Mono>, now: Mono, every: Duration) -> bool {
    !every.is_zero() && last.is_none_or(|last| now.since(last) >= every)
}

impl Sampler for LmdbSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            let each = self.envs.iter();
            let jobs = each.map(|(path, known)| (path.clone(), known.walks(now.mono, self.walk_every))).collect();
            let looked = match self.files.run(now.mono, move || look_at_all(jobs)).await {
                Ok(looked) => looked,
                Err(stuck) => {
                    let first = self.envs.keys().next().map(|path| path.display().to_string()).unwrap_or_default();
                    return Err(Failure::unreachable(format!("{first}: {stuck}.")));
                }
            };
            let holders = self.holders(&looked, now.mono).await;
            let mut holders = match holders {
                Ok(holders) => (holders.into_iter(), Clean::default()),
                Err(why) => (Vec::new().into_iter(), why),
            };
            let several = self.envs.len() > 1;
            let mut all = Observation::default();
            let mut failed = Vec::new();
            for ((path, known), seen) in self.envs.iter_mut().zip(looked) {
                let shown = clean!("{}", path.display());
                let seen = seen.map_err(|trouble| trouble.failure());
                let told = seen.and_then(|seen| {
                    let holders = holders.0.next().ok_or_else(|| holders.1.clone());
                    known.take(shown.as_str(), seen, holders, now.mono)
                });
                match told {
                    Ok(found) => add(&mut all, found, several.then_some(&shown)),
                    Err(failure) => failed.push((shown, failure)),
                }
            }
            match failed.first() {
                Some((_, failure)) if failed.len() == self.envs.len() => Err(failure.clone()),
                _ => {
                    for (shown, failure) in failed {
                        all.points.push(Point::gauge("lmdb_up", &[("path", shown.as_str())], 0.0));
                        all.facts.push((shown, failure.what));
                    }
                    Ok(all)
                }
            }
        })
    }
}

/// One environment after the other, within the time that an attempt has.
fn look_at_all(jobs: Vec<(PathBuf, bool)>) -> Vec<Result<Seen, Trouble>> {
    let began = RealClock.now().mono;
    let looks =
        jobs.into_iter().map(|(path, walks)| look(&path, walks && RealClock.now().mono.since(began) <= PATIENCE));
    looks.collect()
}

/// Adds one environment's share; where there are several, a fact says of which.
fn add(all: &mut Observation, found: Observation, of: Option<&Clean>) {
    all.lack_too(&found);
    all.points.extend(found.points);
    all.facts.extend(found.facts.into_iter().map(|(name, value)| match of {
        Some(path) => (clean!("{path}: {name}"), value),
        None => (name, value),
    }));
}

impl Known {
    /// Compares with what was known, keeps what the next look needs, and puts everything in words and numbers.
    fn take(
        &mut self,
        path: &str,
        mut seen: Seen,
        holders: Result<Holders, Clean>,
        now: Mono,
    ) -> Result<Observation, Failure> {
        let txn = seen.meta.txn;
        let before = self.last.replace((seen.file.id.clone(), txn, now)).filter(|(id, ..)| *id == seen.file.id);
        if before.is_none() {
            // Another file: nothing of the old one counts.
            (self.walked, self.scanned) = (None, None);
        }
        if let Some((_, before, _)) = &before
            && txn < *before
        {
            (self.walked, self.scanned) = (None, None);
            return Err(Failure::answered(format!(
                "{path} went back from transaction {before} to {txn}: was it overwritten or restored in place?"
            )));
        }
        if let Some(walked) = seen.walked.take() {
            self.walked = Some((walked, now));
        }
        let mut out = Out { path, observed: Observation::default() };
        out.file(&seen);
        if let Some((_, before, at)) = before.filter(|(_, _, at)| *at < now) {
            out.gauge("txns_per_second", txn.saturating_sub(before) as f64 / now.since(at).as_secs_f64());
        }
        match &seen.readers {
            Ok(readers) => {
                self.still_reading(readers, now);
                out.readers(readers, &seen, &self.reading, now);
            }
            Err(none) => out.without_readers(none),
        }
        match holders {
            Ok(mut holders) => {
                self.mapped(&mut holders, now);
                out.maps(&seen.meta, &holders);
            }
            // Whom we knew before is asked again next time.
            Err(why) => out.not_mapped(&why),
        }
        if let Some((walked, at)) = &self.walked {
            out.walked(walked, txn, now.since(*at));
        }
        Ok(out.observed)
    }

    /// Keeps who maps the file; what only a look at everybody tells stands until the next.
    fn mapped(&mut self, holders: &mut Holders, now: Mono) {
        if holders.scanned {
            (self.scanned, self.unseen) = (Some(now), (holders.unknown, holders.unasked));
        } else {
            (holders.unknown, holders.unasked) = self.unseen;
        }
        self.mappers = holders.maps.iter().map(|(pid, ..)| *pid).collect();
    }

    fn still_reading(&mut self, readers: &[Reader], now: Mono) {
        let open = readers.iter().filter_map(|reader| Some((reader.slot.pid, reader.slot.thread, reader.slot.txn?)));
        self.reading = open.map(|key| (key, self.reading.get(&key).copied().unwrap_or(now))).collect();
    }
}

/// What is told of one environment.
struct Out<'a> {
    path: &'a str,
    observed: Observation,
}

impl Out<'_> {
    fn gauge(&mut self, name: &str, value: f64) {
        self.labelled(name, &[], value);
    }

    fn labelled(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<(&str, &str)> = core::iter::once(("path", self.path)).chain(labels.iter().copied()).collect();
        self.observed.points.push(Point::gauge(&format!("lmdb_{name}"), &labels, value));
    }

    fn fact(&mut self, name: &'static str, value: Clean) {
        self.observed.facts.push((Clean::from(name), value));
    }

    fn file(&mut self, seen: &Seen) {
        let meta = &seen.meta;
        for (name, value) in [
            ("up", 1),
            ("used_bytes", meta.used()),
            ("map_size_bytes", meta.map_size),
            ("used_pages", meta.used_pages()),
            ("max_pages", meta.max_pages()),
            ("entries", meta.main.entries),
            ("last_txn_id", meta.txn),
            ("file_bytes", seen.file.bytes),
            ("file_allocated_bytes", seen.file.allocated),
            ("ownership_trouble", u64::from(!seen.trouble.is_empty())),
        ] {
            self.gauge(name, value as f64);
        }
        self.gauge("used_ratio", meta.used() as f64 / meta.map_size as f64);
        let lock = match seen.lock_format {
            0 => clean!("data version 1"),
            format => clean!("data version 1, lock format {format:#x}, both of LMDB 0.9"),
        };
        self.fact("format", lock);
        self.fact("page size", clean!("{} bytes", meta.page_size));
        if !seen.file.system.as_str().is_empty() {
            self.gauge("network_file_system", f64::from(u8::from(seen.file.network)));
            let network =
                if seen.file.network { ", a network file system: LMDB's locks and maps do not hold there" } else { "" };
            self.fact("file system", clean!("{}{network}", seen.file.system));
        }
        self.observed.facts.extend(seen.owners.iter().cloned());
        for trouble in &seen.trouble {
            self.fact("ownership", trouble.clone());
        }
    }

    fn readers(&mut self, readers: &[Reader], seen: &Seen, since: &BTreeMap<(u32, u64, u64), Mono>, now: Mono) {
        let lives = |life: Life| readers.iter().filter(|reader| reader.life == life).count() as f64;
        self.gauge("readers", readers.len() as f64);
        self.gauge("readers_max", seen.readers_max as f64);
        self.gauge("readers_doubtful", lives(Life::Doubtful));
        if lives(Life::Unknown) > 0.0 {
            let why = Clean::from("the processes of other users are hidden from this login");
            self.observed.refuse(&["lmdb_readers_dead"], &why);
        } else {
            self.gauge("readers_dead", lives(Life::Gone));
        }
        let mut open: Vec<(u64, &Reader)> =
            readers.iter().filter_map(|reader| Some((reader.slot.txn?, reader))).collect();
        open.sort_by_key(|(txn, reader)| (*txn, reader.slot.pid, reader.slot.thread));
        self.gauge("read_transactions", open.len() as f64);
        let behind = |txn: u64| seen.meta.txn.saturating_sub(txn) as f64;
        for (txn, reader) in open.iter().take(READERS) {
            let (pid, thread) = (reader.slot.pid.to_string(), format!("{:x}", reader.slot.thread));
            let labels = [("pid", &*pid), ("thread", &*thread), ("process", reader.process.as_str())];
            self.labelled("reader_age_txns", &labels, behind(*txn));
        }
        if let Some((txn, reader)) = open.first() {
            self.gauge("oldest_reader_txns", behind(*txn));
            // What is seen for the first time may have been there for long.
            let longest = since.values().map(|since| now.since(*since)).max().filter(|longest| !longest.is_zero());
            if let Some(longest) = longest {
                self.gauge("oldest_reader_seconds", longest.as_secs_f64());
            }
            let Reader { slot, process, life } = reader;
            let life = if *life == Life::Gone { ", which is gone" } else { "" };
            let who = clean!("pid {} ({process}){life}, thread {:x}, reads transaction {txn}", slot.pid, slot.thread);
            self.fact("oldest reader", who);
        }
    }

    fn without_readers(&mut self, NoTable { why, refused }: &NoTable) {
        let names = ["lmdb_readers", "lmdb_readers_max", "lmdb_readers_dead"];
        if *refused {
            self.observed.refuse(&names, why);
        } else {
            self.observed.not_supported.extend(names.map(|name| (Clean::from(name), why.clone())));
        }
    }

    fn maps(&mut self, meta: &Meta, holders: &Holders) {
        let stored = meta.map_size;
        let mappable = stored.div_ceil(SYSTEM_PAGE).saturating_mul(SYSTEM_PAGE);
        for (pid, process, bytes) in &holders.maps {
            let pid = pid.to_string();
            let labels = [("pid", &*pid), ("process", process.as_str())];
            self.labelled("process_map_size_bytes", &labels, *bytes as f64);
            self.labelled("process_used_ratio", &labels, meta.used() as f64 / *bytes as f64);
            self.labelled("map_size_mismatch_bytes", &labels, mappable as f64 - *bytes as f64);
            if mappable != *bytes {
                let what = clean!("pid {pid} ({process}) maps {bytes} bytes, the file stores {stored}");
                self.fact("map size differs", what);
            }
        }
        let (refused, why) = match (holders.hidden.as_slice(), holders.unknown, holders.unasked) {
            ([(pid, name), more @ ..], ..) => {
                let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
                let may_not = "may not be read by this login: be the same user, or root";
                (true, clean!("the maps of pid {pid} ({name}){more} {may_not}"))
            }
            ([], 0, 0) => return,
            ([], 0, unasked) => {
                (false, clean!("{unasked} processes were not asked for want of time; some may map the file"))
            }
            ([], others, _) => {
                (true, clean!("{others} processes do not show their maps to this login; some may map the file"))
            }
        };
        if !holders.maps.is_empty() {
            self.fact("maps not seen", why);
        } else if refused {
            self.observed.refuse(&MAPPED, &why);
        } else {
            self.not_mapped(&why);
        }
    }

    fn not_mapped(&mut self, why: &Clean) {
        for name in MAPPED {
            self.observed.not_supported.push((Clean::from(name), why.clone()));
        }
    }

    fn walked(&mut self, walked: &Walked, txn: u64, age: Duration) {
        let meta = &walked.meta;
        match &walked.free {
            Ok(free) => {
                // The two meta pages hold no data.
                let live = meta.used_pages().saturating_sub(free.pages).saturating_sub(2);
                self.gauge("free_pages", free.pages as f64);
                self.gauge("pinned_pages", free.pinned as f64);
                self.gauge("live_pages", live as f64);
                self.gauge("live_ratio", live as f64 / meta.max_pages() as f64);
                self.gauge("free_pages_approximate", f64::from(u8::from(walked.moved || meta.txn != txn)));
                self.gauge("free_pages_age_seconds", age.as_secs_f64());
            }
            Err(stop) => {
                let why = if walked.moved {
                    clean!("the free tree changed while it was read: {stop}")
                } else {
                    clean!("the free tree: {stop}")
                };
                for name in ["lmdb_free_pages", "lmdb_live_pages", "lmdb_live_ratio", "lmdb_pinned_pages"] {
                    self.observed.not_supported.push((Clean::from(name), why.clone()));
                }
            }
        }
        self.database(&Clean::from("(free)"), &meta.free);
        self.database(&Clean::from("(main)"), &meta.main);
        let mut names = BTreeSet::new();
        for database in &walked.databases {
            let (name, _) = Clean::identifier(&database.name);
            if names.insert(name.clone()) {
                self.database(&name, &database.tree);
            }
        }
        if let Some(stop) = &walked.cut {
            let found = walked.databases.len();
            self.fact("databases", clean!("the first {found} that were found in the main database: {stop}"));
        }
    }

    fn database(&mut self, name: &Clean, tree: &Tree) {
        for (metric, value) in [
            ("database_entries", tree.entries),
            ("database_depth", u64::from(tree.depth)),
            ("database_branch_pages", tree.branches),
            ("database_leaf_pages", tree.leaves),
            ("database_overflow_pages", tree.overflows),
        ] {
            self.labelled(metric, &[("database", name.as_str())], value as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::lmdb::{Change, Env};

    fn fault(text: &str) -> Option<String> {
        let body = Body::parse("p.toml", text).expect("parses");
        Lmdb.build(&body).err().map(|fault| fault.to_string())
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said_with_its_place() {
        assert_eq!(fault("path = \"data\"").as_deref(), Some("p.toml:1:8: `path` does not begin with `/`."));
        assert_eq!(fault("paths = [\"/a\", \"b\"]").as_deref(), Some("p.toml:1:9: `b` does not begin with `/`."));
        assert!(fault("path = \"/a\"\npaths = [\"/b\"]").is_some_and(|said| said.contains("either `path` or `paths`")));
        assert!(fault("").is_some_and(|said| said.contains("either `path` or `paths`")));
        let time = fault("path = \"/a\"\nfree_pages_every = \"often\"");
        assert!(time.is_some_and(|said| said.starts_with("p.toml:2:20: not a length of time")));
        assert_eq!(fault("path = \"/a\"\nfree_pages_every = \"0s\""), None);
    }

    #[test]
    fn trees_are_walked_and_processes_asked_only_when_it_is_time() {
        let second = Duration::from_secs(1);
        assert!(due(None, Mono(0), second * 30));
        assert!(!due(None, Mono(0), Duration::ZERO), "never means never");
        assert!(!due(Some(Mono(0)), Mono(0) + second * 29, second * 30));
        assert!(due(Some(Mono(0)), Mono(0) + second * 30, second * 30));
    }

    #[tokio::test]
    async fn maps_that_hang_keep_no_value_of_the_file_back_and_nobody_is_forgotten() {
        let home = tempfile::tempdir().expect("a folder");
        let dir = tempfile::tempdir().expect("a folder");
        let mut env = Env::open(dir.path(), 4 << 20).expect("opens");
        let us = crate::sys::process::pid();
        let maps = home.path().join(us.to_string()).join("maps");
        std::fs::create_dir(maps.parent().expect("a folder")).expect("made");
        std::fs::copy("/proc/self/maps", &maps).expect("copied");
        let path = dir.path().to_owned();
        let mut sampler = LmdbSampler { proc: home.path().to_owned(), ..LmdbSampler::new() };
        sampler.watch(&[(path.clone(), Vec::new())]);
        let at = |seconds: u64| Now { mono: Mono(seconds * 1_000_000_000), ..Now::default() };
        let told = |seen: &Observation, name: &str| seen.points.iter().any(|point| point.key.name.as_str() == name);
        let seen = sampler.observe(at(0)).await.expect("an environment");
        assert!(told(&seen, "lmdb_process_map_size_bytes") && seen.not_supported.is_empty(), "{seen:?}");

        // Reading a pipe waits for its writer, as reading maps waits for the process.
        std::fs::remove_file(&maps).expect("removed");
        rustix::fs::mknodat(rustix::fs::CWD, &maps, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .expect("a pipe");
        // Dropped at the end, whatever fails: then the reader goes on.
        let _writer = std::fs::OpenOptions::new().read(true).write(true).open(&maps).expect("a pipe");
        for (second, why) in [(5, "not read within 500 ms"), (10, "cannot be read: the last call has hung for 5.00 s")]
        {
            env.write(&[Change::Put(b"a", b"1")]).expect("writes");
            let seen = sampler.observe(at(second)).await.expect("an environment");
            assert!(told(&seen, "lmdb_txns_per_second") && told(&seen, "lmdb_used_ratio"), "{seen:?}");
            let names: Vec<&str> = seen.not_supported.iter().map(|(name, _)| name.as_str()).collect();
            let wanted = ["lmdb_process_map_size_bytes", "lmdb_process_used_ratio", "lmdb_map_size_mismatch_bytes"];
            assert_eq!(names, wanted);
            assert!(seen.not_supported.iter().all(|(_, said)| said.as_str().ends_with(why)), "{seen:?}");
            assert_eq!(sampler.envs[&path].mappers, [us], "whom we knew is not forgotten");
        }
    }

    #[test]
    fn a_network_file_system_is_a_number_and_an_unknown_one_is_none() {
        let dir = tempfile::tempdir().expect("a folder");
        drop(Env::open(dir.path(), 1 << 20).expect("opens"));
        let mut seen = look(dir.path(), false).unwrap_or_else(|_| panic!("an environment"));
        let told = |seen: &Seen| {
            let mut out = Out { path: "/a", observed: Observation::default() };
            out.file(seen);
            let found = out.observed.points.iter().find(|point| point.key.name.as_str() == "lmdb_network_file_system");
            found.map(|point| point.value)
        };
        assert_eq!(told(&seen), Some(0.0));
        (seen.file.system, seen.file.network) = (Clean::from("nfs4"), true);
        assert_eq!(told(&seen), Some(1.0));
        seen.file.system = Clean::default();
        assert_eq!(told(&seen), None);
    }

    #[test]
    fn a_lock_file_that_this_login_may_not_read_is_told_apart_from_none() {
        let told = |refused| {
            let mut out = Out { path: "/a", observed: Observation::default() };
            out.without_readers(&NoTable { why: "/a/lock.mdb may not be read by this login".into(), refused });
            (out.observed.refused.len(), out.observed.not_supported.len())
        };
        assert_eq!((told(true), told(false)), ((3, 0), (0, 3)));
    }

    #[test]
    fn a_map_that_this_login_may_not_see_is_said_and_is_not_zero() {
        let meta = Meta { page_size: 4096, map_size: 1 << 20, ..Meta::default() };
        let told = |holders: Holders| {
            let mut out = Out { path: "/a", observed: Observation::default() };
            out.maps(&meta, &holders);
            assert_eq!(out.observed.points.len(), holders.maps.len() * 3);
            assert_eq!(out.observed.not_supported, [], "it is there");
            let why = out.observed.refused.into_iter().find(|(name, _)| name.as_str() == "lmdb_process_map_size_bytes");
            let fact = out.observed.facts.into_iter().find(|(name, _)| name.as_str() == "maps not seen");
            [why, fact].map(|said| said.map(|(_, said)| said.to_string()))
        };
        let name = |name: &'static str| Clean::from(name);
        let hidden = vec![(7, name("planar")), (8, name("planar"))];
        let said = "the maps of pid 7 (planar) and 1 more may not be read by this login: be the same user, or root";
        assert_eq!(told(Holders { hidden: hidden.clone(), ..Holders::default() }), [Some(said.to_owned()), None]);
        let maps = vec![(9, name("other"), 1 << 20)];
        assert_eq!(told(Holders { maps, hidden, ..Holders::default() }), [None, Some(said.to_owned())]);
        let unknown = told(Holders { unknown: 3, ..Holders::default() });
        assert!(unknown[0].as_ref().is_some_and(|said| said.starts_with("3 processes do not show")), "{unknown:?}");
        assert_eq!(told(Holders::default()), [None, None]);
    }
}
