//! `lmdb`: usage of an LMDB environment, from plain reads of its meta pages and its reader table.
//! ```toml
//! [samplers.store]
//! kind = "lmdb"
//! path = "/var/lib/service/lmdb"   # the folder, or the data file
//! ```
//! Never opens the environment, takes no lock and no slot, maps and creates nothing: the owner cannot notice.

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, Worker};
use crate::samplers::lmdb_format::{self, META_LEN, Meta, Readers, Wrong, newest, readers};
use crate::samplers::{Kind, Observed, Sampler};
use core::time::Duration;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::Deserialize;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Two equal reads in a row are wanted; a writer would have to commit between each pair of so many.
const READS: usize = 20;
/// More of a lock file is not read: 16,000 slots.
const LOCK_MAX: u64 = 1 << 20;

/// The kind.
pub struct Lmdb;

impl Kind for Lmdb {
    fn name(&self) -> &'static str {
        "lmdb"
    }

    fn about(&self) -> &'static str {
        "usage and readers of an LMDB environment, without opening it"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let config: Config = body.read()?;
        if !config.path.is_absolute() {
            return Err(body.fault_at("path", "`path` does not begin with `/`."));
        }
        Ok(Box::new(LmdbSampler { path: config.path, worker: Worker::new(&LOCAL_FILES), last: None }))
    }

    fn gives(&self, _: &Body) -> Vec<String> {
        ["lmdb_".to_owned()].into()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    path: PathBuf,
}

struct LmdbSampler {
    path: PathBuf,
    worker: Worker<Result<Seen, Trouble>>,
    /// Which file the last look saw, and its transaction.
    last: Option<(FileId, u64)>,
}

/// Device and inode.
type FileId = (u64, u64);

/// One look at both files.
struct Seen {
    meta: Meta,
    file: FileId,
    file_bytes: u64,
    readers: Result<Readers, Clean>,
    /// Slots whose process is gone; unknown where other processes are hidden.
    dead: Option<usize>,
}

/// Why a file was not read.
struct Trouble {
    path: PathBuf,
    why: Why,
}

enum Why {
    Os(Errno),
    Wrong(Wrong),
    NotAFile,
    Moving,
}

impl Sampler for LmdbSampler {
    fn observe(&mut self, now: Now) -> Observed<'_> {
        Box::pin(async move {
            let path = self.path.clone();
            let shown = clean!("{}", path.display());
            let seen = match self.worker.run(now.mono, move || look(&path)).await {
                Ok(seen) => seen.map_err(|trouble| trouble.failure())?,
                Err(stuck) => return Err(Failure::unreachable(format!("{shown}: {stuck}."))),
            };
            let before = self.last.replace((seen.file, seen.meta.txn));
            match before {
                Some((file, txn)) if file == seen.file && seen.meta.txn < txn => Err(Failure::answered(format!(
                    "{shown} went back from transaction {txn} to {}: was it overwritten or restored in place?",
                    seen.meta.txn
                ))),
                _ => Ok(observation(shown.as_str(), &seen)),
            }
        })
    }
}

fn observation(path: &str, seen: &Seen) -> Observation {
    let gauge = |name: &str, value: f64| Point::gauge(name, &[("path", path)], value);
    let meta = &seen.meta;
    let mut points = vec![
        gauge("lmdb_used_bytes", meta.used() as f64),
        gauge("lmdb_map_size_bytes", meta.map_size as f64),
        gauge("lmdb_used_ratio", meta.used() as f64 / meta.map_size as f64),
        gauge("lmdb_entries", meta.entries as f64),
        gauge("lmdb_last_txn_id", meta.txn as f64),
        gauge("lmdb_file_bytes", seen.file_bytes as f64),
    ];
    let mut not_supported = Vec::new();
    match &seen.readers {
        Ok(readers) => {
            points.push(gauge("lmdb_readers", readers.slots.len() as f64));
            points.push(gauge("lmdb_readers_max", readers.max as f64));
            match seen.dead {
                Some(dead) => points.push(gauge("lmdb_readers_dead", dead as f64)),
                None => not_supported.push((
                    Clean::from("lmdb_readers_dead"),
                    Clean::from("the processes of other users are hidden from this login"),
                )),
            }
            let oldest = readers.slots.iter().filter_map(|slot| slot.txn).min();
            points.extend(oldest.map(|txn| gauge("lmdb_oldest_reader_txns", meta.txn.saturating_sub(txn) as f64)));
        }
        Err(why) => {
            let names = ["lmdb_readers", "lmdb_readers_max", "lmdb_readers_dead"];
            not_supported.extend(names.map(|name| (Clean::from(name), why.clone())));
        }
    }
    Observation { points, facts: Vec::new(), not_supported }
}

impl Trouble {
    fn new(path: &Path, why: Why) -> Self {
        Self { path: path.to_owned(), why }
    }

    fn failure(&self) -> Failure {
        let path = self.path.display();
        match self.why {
            Why::Os(Errno::NOENT) => {
                Failure::unreachable(format!("{path} does not exist. Has its service created it yet?"))
            }
            Why::Os(Errno::ACCESS | Errno::PERM) => Failure::not_permitted(format!(
                "{path} may not be read by this login. Run as a user or group that may read it."
            )),
            Why::Os(Errno::LOOP) => {
                Failure::unreachable(format!("{path} is a symbolic link, which is not followed. Give the real path."))
            }
            Why::Os(errno) => Failure::unreachable(format!("{path}: {}.", io::Error::from(errno))),
            Why::Wrong(wrong) => Failure::answered(format!("{path} {wrong}.")),
            Why::NotAFile => Failure::answered(format!("{path} is not a plain file.")),
            Why::Moving => Failure::unreachable(format!("{path} changed during {READS} reads; the next look decides.")),
        }
    }
}

/// Reads everything. Blocking; on one thread from start to end.
fn look(path: &Path) -> Result<Seen, Trouble> {
    let (data, lock) = files(path);
    let trouble = |why| Trouble::new(&data, why);
    let file = open(&data).map_err(trouble)?;
    let [first, second] = settled(|| metas(&file)).map_err(trouble)?;
    let meta = newest(&first, &second).map_err(|wrong| trouble(Why::Wrong(wrong)))?;
    // After the meta pages, since a writer lengthens the file before it tells of the new pages.
    let about = file.metadata().map_err(|error| trouble(errno(&error)))?;
    meta.fits(about.len()).map_err(|wrong| trouble(Why::Wrong(wrong)))?;
    let readers = table(&lock);
    let dead = readers.as_ref().ok().and_then(|readers| dead(Path::new("/proc"), readers));
    Ok(Seen { meta, file: (about.dev(), about.ino()), file_bytes: about.len(), readers, dead })
}

/// The data file and the lock file of an environment that is given as a folder or as a file.
fn files(path: &Path) -> (PathBuf, PathBuf) {
    if path.is_dir() {
        return (path.join("data.mdb"), path.join("lock.mdb"));
    }
    let beside = path.with_file_name("lock.mdb");
    if path.file_name().is_some_and(|name| name == "data.mdb") && beside.exists() {
        return (path.to_owned(), beside);
    }
    // Without a folder of its own the lock file's name is the data file's and "-lock".
    let mut lock = path.as_os_str().to_owned();
    lock.push("-lock");
    (path.to_owned(), lock.into())
}

/// Opens for reading only; leaves no trace in the access time where that is allowed; never waits on a pipe.
fn open(path: &Path) -> Result<File, Why> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty()) {
        // Only the owner and root may ask for that.
        Err(Errno::PERM) => rustix::fs::open(path, flags, Mode::empty()),
        opened => opened,
    };
    let file = File::from(file.map_err(Why::Os)?);
    match file.metadata() {
        Ok(about) if about.is_file() => Ok(file),
        Ok(_) => Err(Why::NotAFile),
        Err(error) => Err(errno(&error)),
    }
}

/// What two reads in a row agree on: a single one may see a page half written.
fn settled<T: PartialEq>(mut read: impl FnMut() -> Result<T, Why>) -> Result<T, Why> {
    let mut last = read()?;
    for _ in 1..READS {
        let again = read()?;
        if again == last {
            return Ok(again);
        }
        last = again;
    }
    Err(Why::Moving)
}

/// Both meta pages, raw.
fn metas(file: &File) -> Result<[[u8; META_LEN]; 2], Why> {
    let read = |at: u64| {
        let mut page = [0; META_LEN];
        match file.read_exact_at(&mut page, at) {
            Ok(()) => Ok(page),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Why::Wrong(Wrong::Short)),
            Err(error) => Err(errno(&error)),
        }
    };
    let first = read(0)?;
    let meta = lmdb_format::meta(&first).map_err(Why::Wrong)?;
    Ok([first, read(u64::from(meta.page_size))?])
}

/// The reader table, or why there is none.
fn table(path: &Path) -> Result<Readers, Clean> {
    if !cfg!(all(target_arch = "x86_64", target_endian = "little")) {
        return Err(Clean::from("the lock file's layout is known on x86-64 only"));
    }
    let shown = path.display();
    let file = open(path).map_err(|why| match why {
        Why::Os(Errno::NOENT) => clean!("{shown} does not exist: nobody has opened the environment with locks"),
        Why::Os(Errno::ACCESS | Errno::PERM) => clean!("{shown} may not be read by this login"),
        _ => clean!("{shown} cannot be read"),
    })?;
    let length = file.metadata().map_err(|error| clean!("{shown}: {error}"))?.len();
    let mut lock = vec![0; usize::try_from(length.min(LOCK_MAX)).unwrap_or(0)];
    file.read_exact_at(&mut lock, 0).map_err(|error| clean!("{shown}: {error}"))?;
    readers(&lock, length).map_err(|wrong| clean!("{shown} {wrong}"))
}

/// Slots whose process is gone. Where other users' processes are hidden, absence proves nothing.
fn dead(proc: &Path, readers: &Readers) -> Option<usize> {
    let gone = |pid: u32| matches!(proc.join(pid.to_string()).try_exists(), Ok(false));
    if gone(1) {
        return None;
    }
    Some(readers.slots.iter().filter(|slot| gone(slot.pid)).count())
}

fn errno(error: &io::Error) -> Why {
    Why::Os(Errno::from_io_error(error).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samplers::lmdb_format::Slot;

    fn failure(path: &Path) -> Failure {
        look(path).err().map(|trouble| trouble.failure()).expect("not an environment")
    }

    #[test]
    fn every_unreadable_file_has_its_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("data.mdb");
        let shown = data.display();
        let what = format!("{shown} does not exist. Has its service created it yet?");
        assert_eq!(failure(dir.path()), Failure::unreachable(what));

        std::fs::write(&data, [7; 100]).expect("written");
        assert_eq!(
            failure(dir.path()),
            Failure::answered(format!("{shown} is cut short: it ends within its two meta pages."))
        );
        std::fs::write(&data, vec![7; 10_000]).expect("written");
        assert_eq!(failure(&data), Failure::answered(format!("{shown} is not an LMDB file.")));

        std::fs::remove_file(&data).expect("removed");
        std::os::unix::fs::symlink("/etc/passwd", &data).expect("linked");
        assert!(failure(&data).what.as_str().contains("is a symbolic link"));

        std::fs::remove_file(&data).expect("removed");
        std::fs::create_dir(&data).expect("a folder");
        assert!(failure(dir.path()).what.as_str().ends_with("is not a plain file."));
    }

    #[test]
    fn only_what_two_reads_agree_on_is_believed() {
        let mut reads = [1, 2, 3, 3, 4].into_iter();
        assert_eq!(settled(|| reads.next().ok_or(Why::Moving)).ok(), Some(3));
        let mut count = 0;
        let restless = settled(|| {
            count += 1;
            Ok(count)
        });
        assert!(matches!(restless, Err(Why::Moving)) && count == READS);
    }

    #[test]
    fn hidden_processes_are_not_called_dead() {
        let proc = tempfile::tempdir().expect("a folder");
        let slots = vec![Slot { pid: 40, txn: None }, Slot { pid: 41, txn: Some(2) }];
        let readers = Readers { slots, max: 126 };
        std::fs::create_dir(proc.path().join("40")).expect("a folder");
        assert_eq!(dead(proc.path(), &readers), None);
        std::fs::create_dir(proc.path().join("1")).expect("a folder");
        assert_eq!(dead(proc.path(), &readers), Some(1));
    }

    #[test]
    fn a_relative_path_is_refused_with_its_place() {
        let body = Body::parse("p.toml", "path = \"data\"").expect("parses");
        let fault = Lmdb.build(&body).err().map(|fault| fault.to_string());
        assert_eq!(fault.as_deref(), Some("p.toml:1:8: `path` does not begin with `/`."));
    }
}
