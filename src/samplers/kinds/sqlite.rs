//! `sqlite`: size, free pages, write-ahead log and locks of an SQLite database by plain reads; never locks or creates.
//! ```toml
//! [samplers.data]
//! kind = "sqlite"
//! path = "/var/lib/service/app.db"   # the database file; log and journal lie beside it
//! ```
//! `sqlite_` + `database_bytes allocated_bytes page_size_bytes pages freelist_pages free_ratio change_counter
//! schema_cookie user_version application_id wal_mode wal_bytes wal_frames wal_frames_not_checkpointed journal_bytes
//! hot_journal ownership_trouble`, `locks{lock}` (processes that hold it) and `lock_held_seconds{lock,pid,process}` (as
//! far as seen, from the second look on), with the locks `shared reserved pending exclusive wal_write checkpoint recover wal_read wal_open`.

use crate::base::{Body, Clean, Failure, Fault, Mono, Now, Observation, Point, Unit};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, Worker};
use crate::samplers::sqlite::look::{Held, LOCKS, Seen, Trouble, look};
use crate::samplers::{Kind, Observed, Sampler};
use core::time::Duration;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Locks that have a series of their own.
const MOST: usize = 32;

/// The kind.
pub struct Sqlite;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    path: PathBuf,
}

impl Kind for Sqlite {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn about(&self) -> &'static str {
        "size, free pages, write-ahead log and locks of an SQLite database, without opening it"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let Config { path } = body.read()?;
        if !path.is_absolute() {
            return Err(body.fault_at("path", "`path` does not begin with `/`."));
        }
        Ok(Box::new(SqliteSampler { path, worker: Worker::new(&LOCAL_FILES), since: BTreeMap::new() }))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["sqlite_".to_owned()].into()
    }
}

struct SqliteSampler {
    path: PathBuf,
    worker: Worker<Result<Seen, Trouble>>,
    /// Since when each lock has been seen at each look, by its name and process.
    since: BTreeMap<(&'static str, Option<u32>), Mono>,
}

impl Sampler for SqliteSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            let path = self.path.clone();
            let shown = clean!("{}", path.display());
            let seen = match self.worker.run(now.mono, move || look(&path)).await {
                Ok(seen) => seen.map_err(|trouble| trouble.failure())?,
                Err(stuck) => return Err(Failure::unreachable(format!("{shown}: {stuck}."))),
            };
            let held = seen.locks.iter().map(|held| (held.lock, held.pid));
            self.since = held.map(|key| (key, self.since.get(&key).copied().unwrap_or(now.mono))).collect();
            // What is seen for the first time may have been there for long.
            let age = |held: &Held| {
                let since = self.since.get(&(held.lock, held.pid)).filter(|since| **since < now.mono)?;
                Some(now.mono.since(*since))
            };
            Ok(observation(shown.as_str(), &seen, &age))
        })
    }
}

fn observation(path: &str, seen: &Seen, age: &dyn Fn(&Held) -> Option<Duration>) -> Observation {
    let gauge = |name: &str, value: f64| Point::gauge(&format!("sqlite_{name}"), &[("path", path)], value);
    let header = &seen.header;
    let mut out = Observation::default();
    out.points.extend([
        gauge("database_bytes", seen.bytes as f64),
        gauge("allocated_bytes", seen.allocated as f64),
        gauge("page_size_bytes", f64::from(header.page_size)),
        gauge("pages", seen.pages as f64),
        gauge("freelist_pages", f64::from(header.freelist)),
        gauge("free_ratio", f64::from(header.freelist) / seen.pages.max(1) as f64),
        gauge("change_counter", f64::from(header.change_counter)),
        gauge("schema_cookie", f64::from(header.schema_cookie)),
        gauge("user_version", f64::from(header.user_version)),
        gauge("application_id", f64::from(header.application_id)),
        gauge("wal_mode", f64::from(u8::from(header.wal))),
        gauge("wal_bytes", seen.wal_bytes as f64),
        gauge("journal_bytes", seen.journal_bytes as f64),
        gauge("hot_journal", f64::from(u8::from(seen.hot))),
        gauge("ownership_trouble", f64::from(u8::from(!seen.trouble.is_empty()))),
    ]);
    match &seen.log {
        Ok(log) => out
            .points
            .extend([gauge("wal_frames", log.frames as f64), gauge("wal_frames_not_checkpointed", log.waiting as f64)]),
        Err(why) => {
            let names = ["sqlite_wal_frames", "sqlite_wal_frames_not_checkpointed"];
            out.not_supported.extend(names.map(|name| (Clean::from(name), why.clone())));
        }
    }
    locks(path, seen, age, &mut out);
    facts(seen, &mut out);
    out
}

fn locks(path: &str, seen: &Seen, age: &dyn Fn(&Held) -> Option<Duration>, out: &mut Observation) {
    for name in LOCKS {
        let count = seen.locks.iter().filter(|held| held.lock == name).count();
        out.points.push(Point::gauge("sqlite_locks", &[("path", path), ("lock", name)], count as f64));
    }
    for held in seen.locks.iter().filter(|held| held.lock != "wal_open").take(MOST) {
        let pid = held.pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
        let labels = [("path", path), ("lock", held.lock), ("pid", &pid), ("process", held.process.as_str())];
        let age = age(held).map(|age| age.as_secs_f64());
        out.points.extend(age.map(|age| Point::gauge("sqlite_lock_held_seconds", &labels, age)));
        let since = age.map_or_else(|| "just now".to_owned(), |age| format!("for {}", Unit::Seconds.show(age)));
        out.facts.push((clean!("{} lock", held.lock), clean!("pid {pid} ({}), seen {since}", held.process)));
    }
}

fn facts(seen: &Seen, out: &mut Observation) {
    let header = &seen.header;
    let mut fact = |name: &'static str, value: Clean| out.facts.push((Clean::from(name), value));
    fact("journal mode", Clean::from(if header.wal { "write-ahead log" } else { "rollback journal" }));
    fact("encoding", Clean::from(header.encoding));
    let library = header.library;
    if library > 0 {
        let version = [library / 1_000_000, library / 1_000 % 1_000, library % 1_000].map(|part| part.to_string());
        fact("last written by", clean!("SQLite {}", version.join(".")));
    }
    if seen.hot {
        fact("journal", Clean::from("hot: whoever wrote died in the middle; the next to open it rolls back"));
    }
    if !seen.system.as_str().is_empty() {
        let network = if seen.network { ", a network file system: SQLite's locks do not hold there" } else { "" };
        fact("file system", clean!("{}{network}", seen.system));
    }
    for trouble in &seen.trouble {
        fact("ownership", trouble.clone());
    }
    out.facts.extend(seen.owners.iter().cloned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_is_refused_with_its_place() {
        let body = Body::parse("p.toml", "path = \"app.db\"").expect("parses");
        let fault = Sqlite.build(&body).err().map(|fault| fault.to_string());
        assert_eq!(fault.as_deref(), Some("p.toml:1:8: `path` does not begin with `/`."));
    }

    #[tokio::test]
    async fn every_unreadable_file_has_its_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("app.db");
        let body = Body::parse("p.toml", &format!("path = \"{}\"", path.display())).expect("parses");
        let mut sampler = Sqlite.build(&body).expect("a sampler");
        let shown = path.display();
        for (content, said) in [
            (None, "does not exist. Has its service created it yet?"),
            (Some(vec![]), "is empty: nothing has been stored in it yet."),
            (Some(b"SQLite format 3\0".to_vec()), "is cut short: it ends within its header."),
            (Some(vec![7; 4096]), "is not an SQLite database, or an encrypted one."),
        ] {
            if let Some(content) = content {
                std::fs::write(&path, content).expect("written");
            }
            let failure = sampler.observe(Now::default()).await.expect_err("no database");
            assert_eq!(failure.what.to_string(), format!("{shown} {said}"));
        }
    }
}
