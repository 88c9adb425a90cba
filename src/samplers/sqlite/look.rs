//! One look at an SQLite database from outside: its header, log and journal, and who holds which lock on it.
//! Blocking; plain reads only. The library is never called: it would lock, and create the log's index.

use crate::base::Clean;
use crate::clean;
use crate::samplers::sqlite::format::{HEADER_LEN, Header, Log, Mute, Source, Wrong, header, log};
use crate::sys::holders::{self, FileId, Lock};
use crate::sys::quiet::{self, READS, Refused};
use rustix::io::Errno;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The bytes that stand for locks: in the database, and in the log's index.
const PENDING: u64 = 0x4000_0000;
const RESERVED: u64 = PENDING + 1;
const SHARED: (u64, u64) = (PENDING + 2, PENDING + 511);
const WAL_WRITE: u64 = 120;
const CHECKPOINT: u64 = 121;
const RECOVER: u64 = 122;
const WAL_READ: (u64, u64) = (123, 127);
const OPEN: u64 = 128;

/// Every lock there is, as the label says it.
pub(crate) const LOCKS: [&str; 9] =
    ["shared", "reserved", "pending", "exclusive", "wal_write", "checkpoint", "recover", "wal_read", "wal_open"];

/// What one look saw.
pub(crate) struct Seen {
    pub(crate) header: Header,
    pub(crate) pages: u64,
    pub(crate) bytes: u64,
    pub(crate) allocated: u64,
    pub(crate) system: Clean,
    pub(crate) network: bool,
    pub(crate) wal_bytes: u64,
    pub(crate) log: Result<Log, Clean>,
    pub(crate) journal_bytes: u64,
    /// A journal that nobody is writing: the next reader must roll back first.
    pub(crate) hot: bool,
    pub(crate) locks: Vec<Held>,
    /// What keeps the data's owner from it.
    pub(crate) trouble: Vec<Clean>,
    /// Owner and mode of each file, for people.
    pub(crate) owners: Vec<(Clean, Clean)>,
}

/// A lock and its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) lock: &'static str,
    /// `None` where it belongs to an open file rather than a process.
    pub(crate) pid: Option<u32>,
    pub(crate) process: Clean,
}

/// Why there is nothing to tell of.
pub(crate) type Trouble = quiet::Trouble<Wrong>;
type Why = quiet::Why<Wrong>;

/// A file beside the database, if it is there.
struct Beside {
    path: PathBuf,
    opened: Result<(File, Metadata), Refused>,
}

impl Beside {
    fn of(path: &Path, ending: &str) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let path = PathBuf::from(name);
        Self { opened: quiet::open(&path), path }
    }

    fn about(&self) -> Option<&Metadata> {
        self.opened.as_ref().ok().map(|(_, about)| about)
    }

    fn bytes(&self) -> u64 {
        self.about().map_or(0, Metadata::len)
    }
}

/// Reads everything.
pub(crate) fn look(path: &Path) -> Result<Seen, Trouble> {
    let trouble = |why| Trouble { path: path.to_owned(), why };
    let (file, _) = quiet::open(path).map_err(|refused| trouble(refused.into()))?;
    let [wal, shm, journal] = ["-wal", "-shm", "-journal"].map(|ending| Beside::of(path, ending));
    let stored = || {
        let first = quiet::settled(|| first_bytes(&file))?.ok_or(Why::Moving)?;
        header(&first).map_err(Why::Wrong)
    };
    let log = if stored().map_err(trouble)?.wal { read_log(&wal, &shm) } else { Ok(Log::default()) };
    // What the log does not hold was in the database before: it is read after the log, which may end meanwhile.
    let newest = log.as_ref().ok().and_then(|log| log.header);
    let header = newest.map_or_else(stored, |raw| header(&raw).map_err(Why::Wrong)).map_err(trouble)?;
    let about = file.metadata().map_err(|error| trouble(Why::Refused(error.into())))?;
    let place = quiet::place(&file, &about);
    let locks = locks(Path::new("/proc"), &place.id, &shm);
    let quiet_now = !locks.iter().any(|held| ["reserved", "pending", "exclusive"].contains(&held.lock));
    let in_file = about.len() / u64::from(header.page_size);
    let pages = log.as_ref().ok().and_then(|log| log.pages).or(header.pages).map_or(in_file, u64::from);
    // While somebody writes, or a log is to be copied back, the file may well be shorter than it will be.
    if !header.wal && quiet_now && in_file < pages {
        let told = u32::try_from(pages).unwrap_or(u32::MAX);
        return Err(trouble(Why::Wrong(Wrong::Pages(in_file, told))));
    }
    if u64::from(header.freelist) > pages {
        return Err(trouble(Why::Wrong(Wrong::Damaged)));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let beside = [&wal, &shm, &journal];
    let known: Vec<_> = beside.iter().filter_map(|file| Some((file.path.as_path(), file.about()?))).collect();
    let around = fs::metadata(folder);
    let trouble = around.map(|around| quiet::ownership(&about, &known, (folder, &around))).unwrap_or_default();
    let owners = core::iter::once((path, &about)).chain(known.iter().copied()).filter_map(|(path, about)| {
        Some((Clean::text(path.file_name()?.as_encoded_bytes()), quiet::owner_and_mode(about)))
    });
    Ok(Seen {
        pages,
        bytes: about.len(),
        allocated: about.blocks().saturating_mul(512),
        system: place.kind,
        network: place.network,
        wal_bytes: wal.bytes(),
        hot: quiet_now && is_hot(&journal) && is_hot(&Beside::of(path, "-journal")),
        journal_bytes: journal.bytes(),
        owners: owners.collect(),
        header,
        log,
        locks,
        trouble,
    })
}

/// As much of the header as there is.
fn first_bytes(file: &File) -> Result<Vec<u8>, Why> {
    let mut bytes = vec![0; HEADER_LEN];
    let read = file.read_at(&mut bytes, 0).map_err(|error| Why::Refused(error.into()))?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The log as far as it is committed, or why it is not known.
fn read_log(wal: &Beside, shm: &Beside) -> Result<Log, Clean> {
    let shown = wal.path.display();
    let (file, about) = match &wal.opened {
        Ok(opened) => opened,
        Err(Refused::Os(Errno::NOENT)) => return Ok(Log::default()),
        Err(refused) => return Err(clean!("{shown} {}", refused.words())),
    };
    let read = |file: &File, at: u64, into: &mut [u8]| file.read_exact_at(into, at).is_ok();
    let from_wal = |at: u64, into: &mut [u8]| read(file, at, into);
    let index = shm.opened.as_ref().ok();
    let from_index = |at: u64, into: &mut [u8]| index.is_some_and(|(file, _)| read(file, at, into));
    let mut last = Mute::Moving;
    for attempt in 0..=READS {
        let length = file.metadata().map_or(about.len(), |about| about.len());
        // An index that never settles is a damaged one: then the checksums decide.
        let index = index.filter(|_| attempt < READS);
        let index = index.map(|(_, about)| Source { length: about.len(), read: &from_index });
        match log(Source { length, read: &from_wal }, index) {
            Ok(log) => return Ok(log),
            Err(mute) => last = mute,
        }
        if last != Mute::Moving {
            break;
        }
    }
    Err(clean!("{shown} {last}"))
}

/// The locks on the database and on the log's index.
fn locks(proc: &Path, data: &FileId, shm: &Beside) -> Vec<Held> {
    let index = shm.opened.as_ref().ok().map(|(file, about)| quiet::place(file, about).id);
    // Without an index nobody locks it: then no file is asked for, by a number that none has.
    let index = index.unwrap_or(FileId { devices: Vec::new(), inode: 0 });
    let [on_data, on_index] = holders::locks_on(proc, [data, &index]);
    let mut found = Vec::new();
    let mut note = |lock: &Lock, name: &'static str| {
        let process = lock.pid.map_or(Clean::from("unknown"), |pid| holders::name(proc, pid));
        let held = Held { lock: name, pid: lock.pid, process };
        if !found.contains(&held) {
            found.push(held);
        }
    };
    for lock in on_data {
        for (name, (from, to), write) in [
            ("shared", SHARED, false),
            ("reserved", (RESERVED, RESERVED), true),
            ("pending", (PENDING, PENDING), true),
            ("exclusive", SHARED, true),
        ] {
            if lock.write == write && lock.touches(from, to) {
                note(&lock, name);
            }
        }
    }
    for lock in on_index {
        for (name, (from, to), write) in [
            ("wal_write", (WAL_WRITE, WAL_WRITE), true),
            ("checkpoint", (CHECKPOINT, CHECKPOINT), true),
            ("recover", (RECOVER, RECOVER), true),
            ("wal_read", WAL_READ, false),
            ("wal_open", (OPEN, OPEN), false),
        ] {
            if lock.write == write && lock.touches(from, to) {
                note(&lock, name);
            }
        }
    }
    found
}

/// It begins as a journal does; an empty or blanked one is over and done with.
fn is_hot(journal: &Beside) -> bool {
    let Ok((file, about)) = &journal.opened else { return false };
    let mut first = [0];
    about.len() > 0 && file.read_exact_at(&mut first, 0).is_ok() && first != [0]
}
