//! An LMDB environment looked at from outside: meta pages, reader table, and who maps it. Plain reads only: the library
//! would take a slot, a lock and a map, and create a lock file that its owner cannot open (safety.md F6).

use super::format::{self, LOCK_HEAD, META_LEN, Meta, Readers, Wrong, newest, readers};
use crate::base::{Clean, Fault};
use crate::clean;
use crate::sys::holders::{self, FileId, Map};
use crate::sys::quiet::{self, Refused};
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};
use std::fs::{File, Metadata};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// More of a lock file is not read: 16,000 slots.
const LOCK_MAX: u64 = 1 << 20;

/// Why there is nothing to tell of.
pub(crate) type Trouble = quiet::Trouble<Wrong>;
/// The same without the path.
pub(crate) type Why = quiet::Why<Wrong>;

/// What an action rests on.
pub(crate) struct Outside {
    pub(crate) data: PathBuf,
    pub(crate) lock: PathBuf,
    pub(crate) meta: Meta,
    /// Of the data file.
    pub(crate) about: Metadata,
    pub(crate) table: Table,
    /// As the kernel names the data file beside maps.
    pub(crate) id: FileId,
    /// The file system's type.
    pub(crate) system: Clean,
    /// Locks and shared maps cannot be relied upon there.
    pub(crate) network: bool,
}

/// A process that maps the data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapper {
    pub(crate) pid: u32,
    pub(crate) name: Clean,
    pub(crate) bytes: u64,
}

impl Outside {
    /// Looks, if the library may be used on it at all.
    ///
    /// # Errors
    /// Not readable, not of LMDB 0.9, damaged, without a lock file or with one of another line of the library.
    pub(crate) fn look(path: &Path) -> Result<Self, Fault> {
        let (data, lock) = files(path);
        let fault = |why| Fault::new(Trouble { path: data.clone(), why }.failure().what);
        let (file, _) = quiet::open(&data).map_err(|refused| fault(refused.into()))?;
        let meta = newest_meta(&file).map_err(fault)?;
        // After the meta pages, since a writer lengthens the file before it tells of the new pages.
        let about = file.metadata().map_err(|error| fault(Why::Refused(error.into())))?;
        meta.fits(about.len()).map_err(|wrong| fault(Why::Wrong(wrong)))?;
        let table = Table::read(&lock).map_err(|why| Fault::new(format!("{why}.")))?;
        let place = quiet::place(&file, &about);
        Ok(Self { data, lock, meta, about, table, id: place.id, system: place.kind, network: place.network })
    }

    /// Whether the data file is named by itself, without a folder of its own.
    pub(crate) fn is_file(&self) -> bool {
        !self.data.ends_with("data.mdb") || !self.lock.ends_with("lock.mdb")
    }

    /// Everybody who maps the data file, and whether some processes do not show what they map.
    pub(crate) fn mappers(&self) -> (Vec<Mapper>, bool) {
        let proc = Path::new("/proc");
        let mut hidden = false;
        let found = holders::processes(proc).into_iter().filter_map(|pid| match holders::map_of(proc, pid, &self.id) {
            Map::Of(bytes) => Some(Mapper { pid, name: holders::name(proc, pid), bytes }),
            Map::Hidden => {
                hidden = true;
                None
            }
            Map::Without => None,
        });
        let found = found.collect();
        (found, hidden)
    }

    /// Slots of processes that hold no lock for them: their number, how many transactions they are behind, and whether
    /// another process has the number now.
    pub(crate) fn dead(&self) -> Vec<(u32, Option<u64>, bool)> {
        let slots = self.table.readers.slots.iter().filter(|slot| self.table.is_locked(slot.pid) == Some(false));
        let dead = slots.map(|slot| {
            let behind = slot.txn.map(|txn| self.meta.txn.saturating_sub(txn));
            (slot.pid, behind, holders::is_there(Path::new("/proc"), slot.pid) == Some(true))
        });
        dead.collect()
    }
}

/// The data file and the lock file of an environment that is given as a folder or as a file.
pub(crate) fn files(path: &Path) -> (PathBuf, PathBuf) {
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

/// The meta page that counts, of a data file that is open.
pub(crate) fn meta_of(path: &Path, file: &File) -> Result<Meta, Trouble> {
    newest_meta(file).map_err(|why| Trouble { path: path.to_owned(), why })
}

/// The same without the path in its reason.
pub(crate) fn newest_meta(file: &File) -> Result<Meta, Why> {
    let [first, second] = quiet::settled(|| metas(file))?.ok_or(Why::Moving)?;
    newest(&first, &second).map_err(Why::Wrong)
}

/// Both meta pages, raw.
fn metas(file: &File) -> Result<[[u8; META_LEN]; 2], Why> {
    let read = |at: u64| {
        let mut page = [0; META_LEN];
        match file.read_exact_at(&mut page, at) {
            Ok(()) => Ok(page),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Why::Wrong(Wrong::Short)),
            Err(error) => Err(Why::Refused(error.into())),
        }
    };
    let first = read(0)?;
    let meta = format::meta(&first).map_err(Why::Wrong)?;
    Ok([first, read(u64::from(meta.page_size))?])
}

/// The lock file and the reader table in it.
pub(crate) struct Table {
    pub(crate) file: File,
    pub(crate) about: Metadata,
    pub(crate) id: FileId,
    pub(crate) readers: Readers,
}

/// Why there is no table.
#[derive(Clone, Debug)]
pub(crate) struct NoTable {
    pub(crate) why: Clean,
    /// It is this login that may not read it.
    pub(crate) refused: bool,
}

impl From<Clean> for NoTable {
    fn from(why: Clean) -> Self {
        Self { why, refused: false }
    }
}

impl core::fmt::Display for NoTable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.why.fmt(f)
    }
}

impl Table {
    /// Reads it, or says why there is none.
    pub(crate) fn read(path: &Path) -> Result<Self, NoTable> {
        if !cfg!(all(target_arch = "x86_64", target_endian = "little")) {
            return Err(Clean::from("the lock file's layout is known on x86-64 only").into());
        }
        let shown = path.display();
        let (file, about) = quiet::open(path).map_err(|refused| match refused {
            Refused::Os(rustix::io::Errno::NOENT) => {
                clean!("{shown} does not exist: nobody has opened the environment with locks").into()
            }
            refused => NoTable { why: clean!("{shown} {}", refused.words()), refused: refused.is_for_others() },
        })?;
        let read = |length: usize| {
            let mut bytes = vec![0; length];
            file.read_exact_at(&mut bytes, 0).map(|()| bytes).map_err(|error| clean!("{shown}: {error}"))
        };
        // Only the slots that were ever used: the file has room for thousands.
        let all = usize::try_from(about.len().min(LOCK_MAX)).unwrap_or(0);
        let length = format::table_len(&read(all.min(LOCK_HEAD))?).min(all);
        let readers = readers(&read(length)?, about.len()).map_err(|wrong| clean!("{shown} {wrong}"))?;
        let id = quiet::place(&file, &about).id;
        Ok(Self { file, about, id, readers })
    }

    /// Whether a living process holds the byte that stands for this number, as LMDB itself asks. Takes nothing.
    pub(crate) fn is_locked(&self, pid: u32) -> Option<bool> {
        if pid == crate::sys::process::pid() {
            return Some(true);
        }
        self.holder(u64::from(pid)).ok().map(|holder| holder.is_some())
    }

    /// A process that has the environment open: every opener holds the first byte. Takes nothing.
    ///
    /// # Errors
    /// The system's: then nobody knows.
    pub(crate) fn opened_by(&self) -> rustix::io::Result<Option<i32>> {
        self.holder(0)
    }

    /// The process that holds a byte, of other processes; 0 when it lives in another world of numbers.
    fn holder(&self, byte: u64) -> rustix::io::Result<Option<i32>> {
        let mut question = Flock::from(FlockType::WriteLock);
        question.start = byte;
        question.length = 1;
        question.offset_type = FlockOffsetType::Set;
        let holder = fcntl_getlk(&self.file, &question)?;
        Ok(holder.map(|holder| holder.pid.map_or(0, rustix::process::Pid::as_raw_pid)))
    }
}
