//! Locks on targets that every login of this host shares (safety.md 4.3): never waited for, never stolen, the holder
//! shown. A lock lives as long as its descriptor, so it ends with its process, however that ends. One that is shared
//! keeps out only who wants it alone.

use super::{files, host};
use crate::base::{Clean, Fault};
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, fchmod, flock, fstat, openat, statat};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// How often a holder is looked for.
const LOOKS: usize = 16;

/// A shared lock is looked for again so often: who lets it go as the last has it alone for a moment.
const ROUNDS: usize = 64;

/// A lock that is ours until dropped.
#[derive(Debug)]
pub struct TargetLock {
    path: PathBuf,
    file: File,
    hold: Hold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Alone,
    Shared,
}

/// Why a lock was not had.
#[derive(Debug)]
pub enum Refusal {
    /// Somebody holds it: which process, as far as can be seen.
    Held(Clean),
    /// There is no place for locks.
    Broken(Fault),
}

impl TargetLock {
    /// Takes the lock of `target` in the first of `dirs` that can hold it.
    ///
    /// # Errors
    /// Who holds it, or that no folder can hold a lock.
    pub fn take(dirs: &[PathBuf], target: &str) -> Result<Self, Refusal> {
        Self::have(dirs, target, Hold::Alone)
    }

    /// The same beside others who share it; nobody has it alone meanwhile.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn share(dirs: &[PathBuf], target: &str) -> Result<Self, Refusal> {
        Self::have(dirs, target, Hold::Shared)
    }

    fn have(dirs: &[PathBuf], target: &str, hold: Hold) -> Result<Self, Refusal> {
        let mut last =
            Fault::new("there is no folder for locks that all logins share.").hint("Create /run/lock (mode 1777).");
        for dir in dirs {
            let path = lock_path(dir, target);
            match try_take(&path, hold) {
                Ok(Some(file)) => return Ok(Self { path, file, hold }),
                Ok(None) => {
                    let who = holder(&path, hold == Hold::Shared);
                    return Err(Refusal::Held(who.map_or_else(|| Clean::from("another process"), describe)));
                }
                Err(error) => last = files::fault("lock", &path, &error),
            }
        }
        Err(Refusal::Broken(last))
    }
}

impl Drop for TargetLock {
    fn drop(&mut self) {
        // While we hold it nobody else acts on this name; whoever opened it already will see that the name is gone. Of
        // those who share it the last takes the name away; to have it alone it is let go first, so it is looked at again.
        let last =
            || flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok() && is_named(&self.file, &self.path);
        if self.hold == Hold::Alone || last() {
            let _best_effort = fs::remove_file(&self.path);
        }
        let _best_effort = flock(&self.file, FlockOperation::Unlock);
    }
}

/// The lock file of `target` in `dir`.
pub fn lock_path(dir: &Path, target: &str) -> PathBuf {
    dir.join(format!("watchkeeper-{}", files::sha256(target.as_bytes())))
}

/// The process that holds the lock of `target` now, read without touching the lock.
pub fn held_by(dirs: &[PathBuf], target: &str) -> Option<u32> {
    dirs.iter().find_map(|dir| holder(&lock_path(dir, target), false))
}

/// The process that has the lock of `target` alone now.
pub fn excluded_by(dirs: &[PathBuf], target: &str) -> Option<u32> {
    dirs.iter().find_map(|dir| holder(&lock_path(dir, target), true))
}

/// The process that holds a whole-file lock on this very file now, read without touching the lock.
pub fn holder_of(path: &Path) -> Option<u32> {
    holder(path, false)
}

/// A process in words.
pub fn describe(pid: u32) -> Clean {
    host::describe_process(pid).unwrap_or_else(|| crate::clean!("process {pid}"))
}

fn try_take(path: &Path, hold: Hold) -> io::Result<Option<File>> {
    let operation = match hold {
        Hold::Alone => FlockOperation::NonBlockingLockExclusive,
        Hold::Shared => FlockOperation::NonBlockingLockShared,
    };
    // A few rounds: between open and lock the last holder may have removed the name.
    for _ in 0..ROUNDS {
        let file = open(path)?;
        match flock(&file, operation) {
            Ok(()) if is_named(&file, path) => return Ok(Some(file)),
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) if hold == Hold::Shared => std::thread::yield_now(),
            Err(Errno::WOULDBLOCK) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(None)
}

/// Whether this open file still has this name.
fn is_named(file: &File, path: &Path) -> bool {
    let (ours, named) = (fstat(file), statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW));
    ours.is_ok_and(|ours| named.is_ok_and(|named| (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)))
}

/// Created exclusively, else opened read-only: a sticky shared folder refuses `O_CREAT` on another's file.
fn open(path: &Path) -> io::Result<File> {
    let common = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    for _ in 0..64 {
        match openat(CWD, path, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | common, Mode::from_raw_mode(0o644)) {
            Ok(fd) => {
                fchmod(&fd, Mode::from_raw_mode(0o644))?;
                return Ok(File::from(fd));
            }
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        match openat(CWD, path, OFlags::RDONLY | common, Mode::empty()) {
            Ok(fd) => return Ok(File::from(fd)),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(Errno::BUSY.into())
}

/// From `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 4711 00:1a:5678 0 EOF`. The kernel gives it in pieces, and counts rows
/// to go on: a lock that ends meanwhile hides the next one. Who is not found is looked for again.
/// With `alone` who only shares it is nobody.
fn holder(path: &Path, alone: bool) -> Option<u32> {
    let stat = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let (dev, ino) = (stat.st_dev, stat.st_ino);
    (0..LOOKS).find_map(|_| find_holder(&fs::read_to_string("/proc/locks").ok()?, (dev, ino), alone))
}

fn find_holder(table: &str, (dev, ino): (u64, u64), alone: bool) -> Option<u32> {
    let device = format!("{:02x}:{:02x}", rustix::fs::major(dev), rustix::fs::minor(dev));
    let rows = table.lines().filter_map(|row| {
        let mut words = row.split_whitespace().skip(1);
        let (kind, _, how, pid, file) = (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
        let (on, inode) = file.rsplit_once(':')?;
        (kind == "FLOCK" && !(alone && how == "READ") && inode.parse() == Ok(ino))
            .then_some((on, pid.parse::<u32>().ok()?))
    });
    let rows: Vec<(&str, u32)> = rows.collect();
    // Some file systems show another device there than `stat` does; then the inode alone must be unambiguous.
    match rows.iter().find(|(on, _)| *on == device) {
        Some((_, pid)) => Some(*pid),
        None => match rows.as_slice() {
            [(_, pid)] => Some(*pid),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_had_once_names_its_holder_and_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = [dir.path().to_owned()];
        let lock = TargetLock::take(&dirs, "file:/x").unwrap();
        assert_eq!(held_by(&dirs, "file:/x"), Some(std::process::id()));
        let Err(Refusal::Held(who)) = TargetLock::take(&dirs, "file:/x") else { panic!("had twice") };
        assert!(who.as_str().contains(&std::process::id().to_string()), "{who}");
        assert!(TargetLock::take(&dirs, "file:/y").is_ok());
        drop(lock);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(TargetLock::take(&dirs, "file:/x").is_ok());
    }

    #[test]
    fn a_holder_is_found_while_other_locks_come_and_go() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let dirs = [dir.path().to_owned()];
        let done = AtomicBool::new(false);
        let missed = std::thread::scope(|scope| {
            for racer in 0..4 {
                let (dirs, done) = (&dirs, &done);
                scope.spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        drop(TargetLock::take(dirs, &format!("other {racer}")));
                    }
                });
            }
            let locks: Vec<_> = (0..200).map(|at| TargetLock::take(&dirs, &format!("held {at}")).unwrap()).collect();
            let missed = (0..200).filter(|at| held_by(&dirs, &format!("held {at}")).is_none()).count();
            done.store(true, Ordering::Relaxed);
            drop(locks);
            missed
        });
        assert_eq!(missed, 0);
    }

    #[test]
    fn who_shares_a_lock_keeps_out_only_who_wants_it_alone_and_the_last_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = [dir.path().to_owned()];
        let both = [TargetLock::share(&dirs, "t").unwrap(), TargetLock::share(&dirs, "t").unwrap()];
        assert!(matches!(TargetLock::take(&dirs, "t"), Err(Refusal::Held(_))));
        assert_eq!((held_by(&dirs, "t"), excluded_by(&dirs, "t")), (Some(std::process::id()), None));
        let [one, other] = both;
        drop(one);
        assert!(matches!(TargetLock::take(&dirs, "t"), Err(Refusal::Held(_))));
        drop(other);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let alone = TargetLock::take(&dirs, "t").unwrap();
        assert!(matches!(TargetLock::share(&dirs, "t"), Err(Refusal::Held(_))));
        assert_eq!(excluded_by(&dirs, "t"), Some(std::process::id()));
        drop(alone);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn racers_who_share_are_never_in_each_others_way_and_never_beside_one_who_is_alone() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let dirs = [dir.path().to_owned()];
        let (inside, alone) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for racer in 0..6 {
                let (dirs, inside, alone) = (&dirs, &inside, &alone);
                scope.spawn(move || {
                    for _ in 0..300 {
                        if racer > 0 {
                            let Ok(_shared) = TargetLock::share(dirs, "t") else { continue };
                            inside.fetch_add(1, Ordering::SeqCst);
                            assert_eq!(alone.load(Ordering::SeqCst), 0);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        } else if let Ok(_mine) = TargetLock::take(dirs, "t") {
                            alone.fetch_add(1, Ordering::SeqCst);
                            assert_eq!(inside.load(Ordering::SeqCst), 0);
                            alone.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..300).for_each(|_| drop(TargetLock::share(&dirs, "u").unwrap())));
            }
        });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn sixteen_racers_never_hold_it_together() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let dir = tempfile::tempdir().unwrap();
        let dirs = [dir.path().to_owned()];
        let (inside, had) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Ok(lock) = TargetLock::take(&dirs, "t") {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            had.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            drop(lock);
                        }
                    }
                });
            }
        });
        assert!(had.load(Ordering::SeqCst) > 0);
    }

    #[test]
    fn the_table_of_locks_is_read_by_device_and_inode() {
        let table = "1: POSIX  ADVISORY  WRITE 10 00:1a:77 0 EOF\n2: FLOCK  ADVISORY  WRITE 11 00:1b:77 0 EOF\n3: FLOCK  ADVISORY  WRITE 12 00:1a:77 0 EOF\n";
        let dev = rustix::fs::makedev(0, 0x1a);
        assert_eq!(find_holder(table, (dev, 77), false), Some(12));
        assert_eq!(find_holder(table, (dev, 78), false), None);
        assert_eq!(
            find_holder(&table.replace("WRITE 12", "READ  12"), (dev, 77), true),
            Some(11),
            "who shares is nobody"
        );
    }
}
