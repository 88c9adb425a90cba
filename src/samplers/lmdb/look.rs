//! One look at an LMDB environment from outside: meta pages, reader table, trees, and the processes with a slot or lock.
//! Blocking; plain reads only. The library is never called: it would take a slot, a lock, a map.

use crate::base::{Clean, Clock};
use crate::samplers::lmdb::tree::{Database, Free, Stop, Walk};
use crate::sys::clock::RealClock;
use crate::sys::holders::{self, FileId};
use crate::sys::lmdb::format::{Meta, Slot};
use crate::sys::lmdb::outside::{NoTable, Table, Trouble, Why, files, newest_meta};
use crate::sys::quiet;
use core::time::Duration;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Pages of the free tree that one walk may read: 64 MiB.
const FREE_PAGES: u32 = 16_384;
/// Pages of the main database that are searched for named databases: it may be a huge plain key space.
const NAME_PAGES: u32 = 512;
/// Named databases that are shown.
const NAMES: usize = 200;
/// A walk may take this long, and is tried once more when the file changed under it.
const WALK: Duration = Duration::from_millis(200);

/// What one look saw.
pub(crate) struct Seen {
    pub(crate) meta: Meta,
    pub(crate) file: FileState,
    pub(crate) readers: Result<Vec<Reader>, NoTable>,
    pub(crate) readers_max: u64,
    pub(crate) lock_format: u32,
    /// Processes that certainly hold it.
    pub(crate) holders: BTreeSet<u32>,
    /// What keeps the data's owner from it.
    pub(crate) trouble: Vec<Clean>,
    /// Owner and mode of both files, for people.
    pub(crate) owners: Vec<(Clean, Clean)>,
    pub(crate) walked: Option<Walked>,
}

/// The data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    pub(crate) id: FileId,
    pub(crate) bytes: u64,
    /// What it takes of the disk: less when it is sparse.
    pub(crate) allocated: u64,
    pub(crate) system: Clean,
    pub(crate) network: bool,
}

/// A slot with an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) slot: Slot,
    pub(crate) process: Clean,
    pub(crate) life: Life,
}

/// Whether a slot's owner lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Alive,
    /// No such process, and nobody holds the slot's lock: certainly dead.
    Gone,
    /// A process has the number, but not the lock: the number was given anew, or it opened the file otherwise.
    Doubtful,
    /// Processes of others are hidden, and so is the lock's holder.
    Unknown,
}

/// What a walk found, of the transaction that it read.
#[derive(Clone, Debug)]
pub(crate) struct Walked {
    pub(crate) meta: Meta,
    pub(crate) free: Result<Free, Stop>,
    pub(crate) databases: Vec<Database>,
    /// Why not all of them are there.
    pub(crate) cut: Option<Stop>,
    /// A transaction was committed meanwhile.
    pub(crate) moved: bool,
}

/// Reads everything, and with `walks` the trees as well.
pub(crate) fn look(path: &Path, walks: bool) -> Result<Seen, Trouble> {
    let (data, lock) = files(path);
    let trouble = |why| Trouble { path: data.clone(), why };
    let (file, _) = quiet::open(&data).map_err(|refused| trouble(refused.into()))?;
    let meta = newest_meta(&file).map_err(trouble)?;
    // After the meta pages, since a writer lengthens the file before it tells of the new pages.
    let about = file.metadata().map_err(|error| trouble(Why::Refused(error.into())))?;
    meta.fits(about.len()).map_err(|wrong| trouble(Why::Wrong(wrong)))?;
    let place = quiet::place(&file, &about);
    let proc = Path::new("/proc");
    let table = Table::read(&lock);
    let lock_about = table.as_ref().ok().map(|table| &table.about);
    let readers = table.as_ref().map(|table| slots(table, proc)).map_err(Clone::clone);
    let folder = data.parent().unwrap_or(Path::new("/"));
    let beside: Vec<_> = lock_about.map(|about| (lock.as_path(), about)).into_iter().collect();
    let around = fs::metadata(folder);
    let owners = [(&data, Some(&about)), (&lock, lock_about)].into_iter().filter_map(|(path, about)| {
        Some((Clean::text(path.file_name()?.as_encoded_bytes()), quiet::owner_and_mode(about?)))
    });
    let oldest = table.as_ref().ok().and_then(|table| oldest(&table.readers.slots));
    let walked = walks.then(|| walk(&file, meta, oldest));
    Ok(Seen {
        holders: table.as_ref().map(|table| certain(proc, table)).unwrap_or_default(),
        trouble: around.map(|around| quiet::ownership(&about, &beside, (folder, &around))).unwrap_or_default(),
        owners: owners.collect(),
        readers,
        readers_max: table.as_ref().map_or(0, |table| table.readers.max),
        lock_format: table.as_ref().map_or(0, |table| table.readers.format),
        file: FileState {
            id: place.id,
            bytes: about.len(),
            allocated: about.blocks().saturating_mul(512),
            system: place.kind,
            network: place.network,
        },
        // A second walk is of a later transaction: then everything told is of that one.
        meta: walked.as_ref().map_or(meta, |walked| walked.meta),
        walked,
    })
}

/// The transaction of the oldest reader, dead or not: it pins all the same.
fn oldest(slots: &[Slot]) -> Option<u64> {
    slots.iter().filter_map(|slot| slot.txn).min()
}

/// Everybody with a slot.
fn slots(table: &Table, proc: &Path) -> Vec<Reader> {
    let reader = |slot: &Slot| Reader {
        slot: *slot,
        process: holders::name(proc, slot.pid),
        life: judge(table.is_locked(slot.pid), holders::is_there(proc, slot.pid)),
    };
    table.readers.slots.iter().map(reader).collect()
}

fn judge(locked: Option<bool>, there: Option<bool>) -> Life {
    match (locked, there) {
        (Some(true), _) => Life::Alive,
        (_, Some(false)) => Life::Gone,
        (Some(false), _) => Life::Doubtful,
        (None, Some(true)) => Life::Alive,
        (None, None) => Life::Unknown,
    }
}

/// Processes that certainly hold the environment: those with a lock on its lock file, and owners of slots that live.
fn certain(proc: &Path, table: &Table) -> BTreeSet<u32> {
    let [locks] = holders::locks_on(proc, [&table.id]);
    let slots = table.readers.slots.iter().map(|slot| slot.pid).filter(|pid| table.is_locked(*pid) == Some(true));
    locks.into_iter().filter_map(|lock| lock.pid).chain(slots).collect()
}

/// Walks the trees; once more when a transaction was committed meanwhile, since pages may then have been reused.
fn walk(file: &File, meta: Meta, oldest: Option<u64>) -> Walked {
    let first = walk_once(file, meta, oldest);
    match newest_meta(file) {
        Ok(newer) if first.moved => walk_once(file, newer, oldest),
        _ => first,
    }
}

fn walk_once(file: &File, meta: Meta, oldest: Option<u64>) -> Walked {
    let page_size = usize::try_from(meta.page_size).unwrap_or(0);
    let began = RealClock.now().mono;
    let read = |page: u64, into: &mut [u8]| {
        if RealClock.now().mono.since(began) > WALK {
            return Err(Stop::Late);
        }
        let at = page.saturating_mul(u64::from(meta.page_size));
        file.read_exact_at(into, at).map_err(|_| Stop::Unread(page))
    };
    let walk = |budget| Walk { read: &read, page_size, last_page: meta.last_page, left: budget, budget };
    let free = walk(FREE_PAGES).free(&meta.free, oldest);
    let mut databases = Vec::new();
    let cut = walk(NAME_PAGES).databases(&meta.main, NAMES, &mut databases).err();
    let moved = newest_meta(file).map_or(true, |after| after.txn != meta.txn);
    Walked { meta, free, databases, cut, moved }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Failure;
    use crate::sys::lmdb::{Change, Env};

    fn failure(path: &Path) -> Failure {
        look(path, false).err().map(|trouble| trouble.failure()).expect("not an environment")
    }

    #[test]
    fn every_unreadable_file_has_its_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("data.mdb");
        let shown = data.display();
        let what = format!("{shown} does not exist. Has its service created it yet?");
        assert_eq!(failure(dir.path()), Failure::unreachable(what));

        fs::write(&data, [7; 100]).expect("written");
        assert_eq!(
            failure(dir.path()),
            Failure::answered(format!("{shown} is cut short: it ends within its two meta pages."))
        );
        fs::write(&data, vec![7; 10_000]).expect("written");
        assert_eq!(failure(&data), Failure::answered(format!("{shown} is not an LMDB file.")));

        fs::remove_file(&data).expect("removed");
        std::os::unix::fs::symlink("/etc/passwd", &data).expect("linked");
        assert!(failure(&data).what.as_str().contains("is a symbolic link"));

        fs::remove_file(&data).expect("removed");
        fs::create_dir(&data).expect("a folder");
        assert!(failure(dir.path()).what.as_str().ends_with("is not a plain file."));
    }

    #[test]
    fn only_a_process_that_is_gone_is_certainly_dead() {
        for (locked, there, life) in [
            (Some(true), Some(false), Life::Alive), // in another namespace of process numbers
            (Some(false), Some(false), Life::Gone),
            (None, Some(false), Life::Gone),
            (Some(false), Some(true), Life::Doubtful),
            (Some(false), None, Life::Doubtful),
            (None, None, Life::Unknown),
        ] {
            assert_eq!(judge(locked, there), life, "{locked:?} {there:?}");
        }
    }

    #[test]
    fn a_walk_that_meets_a_commit_says_so_and_the_second_is_of_the_later_transaction() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut env = Env::open(dir.path(), 4 << 20).expect("opens");
        env.write(&[Change::Put(b"a", b"1")]).expect("writes");
        let (file, _) = quiet::open(&dir.path().join("data.mdb")).expect("readable");
        let before = newest_meta(&file).expect("sound");
        assert!(!walk_once(&file, before, None).moved);
        env.write(&[Change::Put(b"b", &[1; 9_000])]).expect("writes");
        assert!(walk_once(&file, before, None).moved);
        let again = walk(&file, before, None);
        assert_eq!((again.moved, again.meta.txn), (false, before.txn + 1));
        assert_eq!(again.meta.main.entries, 2);
    }

    #[test]
    fn our_own_slot_is_not_called_dead_and_we_are_known_to_hold_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let env = Env::open(dir.path(), 4 << 20).expect("opens");
        env.get(b"a").expect("reads");
        let seen = look(dir.path(), false).expect("an environment");
        assert!(seen.holders.contains(&crate::sys::process::pid()), "{:?}", seen.holders);
        let readers = seen.readers.expect("a table");
        assert!(readers.iter().all(|reader| reader.life == Life::Alive) && readers.len() == 1, "{readers:?}");
    }
}
