//! The one door to liblmdb 0.9.35: open, write a batch, count. Whoever only looks reads the meta pages instead.
//! An environment stays on the thread that opened it, and a process opens each folder once.
#![expect(unsafe_code, reason = "liblmdb is a C library")]

use crate::base::Clean;
use core::ffi::{CStr, c_int, c_uint};
use core::ptr::{self, NonNull};
use liblmdb as ffi;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// LMDB's locks belong to the process: a second open of one folder would release the first one's.
static OPEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Why LMDB refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LmdbError {
    /// The batch needs a page beyond the map: nothing of it was stored; reads go on.
    #[error("MDB_MAP_FULL: the map has no free page left")]
    MapFull,
    /// This process has the folder open already.
    #[error("this process has the environment open already")]
    OpenTwice,
    /// The folder could not be resolved, or its path has a zero byte.
    #[error("{0}")]
    Path(Clean),
    /// Any other code of the library or the system.
    #[error("{call}: {text} ({code})")]
    Library {
        /// The function that failed.
        call: &'static str,
        /// LMDB's code when negative, else an errno.
        code: i32,
        /// The library's words.
        text: Clean,
    },
}

/// One change of a batch.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// Stores the value under the key, replacing an older one.
    Put(&'a [u8], &'a [u8]),
    /// Removes the key; an absent key is no error.
    Delete(&'a [u8]),
}

/// What the environment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Bytes of a page.
    pub page_bytes: u64,
    /// Bytes of this process's map.
    pub map_bytes: u64,
    /// Pages in use, counted from the start of the file: a high-water mark.
    pub used_pages: u64,
    /// Keys in the main database.
    pub entries: u64,
    /// The last committed transaction.
    pub last_txn: u64,
    /// Reader slots in use, at most.
    pub readers: u32,
}

impl Stat {
    /// Used pages over the pages of the map, 0–1.
    pub fn used_ratio(&self) -> f64 {
        let pages = self.map_bytes.checked_div(self.page_bytes).unwrap_or(0);
        if pages == 0 { 0.0 } else { approximate(self.used_pages) / approximate(pages) }
    }
}

fn approximate(count: u64) -> f64 {
    count as f64
}

/// The version of the library that is really linked.
pub fn version() -> (i32, i32, i32) {
    let (mut major, mut minor, mut patch): (c_int, c_int, c_int) = (0, 0, 0);
    // SAFETY: three valid places to write; the returned string is static and not used.
    let _ = unsafe { ffi::mdb_version(&raw mut major, &raw mut minor, &raw mut patch) };
    (major, minor, patch)
}

/// An open environment with its unnamed database. Closed on drop.
#[derive(Debug)]
pub struct Env {
    raw: NonNull<ffi::MDB_env>,
    dbi: ffi::MDB_dbi,
    folder: PathBuf,
}

impl Env {
    /// Opens (and creates) the environment in `folder`, which must exist, with a map of `map_bytes`.
    /// Commits reach the kernel, not the disk: they survive this process, not a power cut.
    ///
    /// # Errors
    /// When the folder is missing or open already, or the library refuses it.
    pub fn open(folder: &Path, map_bytes: usize) -> Result<Self, LmdbError> {
        let path = |why: String| LmdbError::Path(Clean::text(&why));
        let folder = folder.canonicalize().map_err(|error| path(format!("{}: {error}", folder.display())))?;
        let name = CString::new(folder.as_os_str().as_bytes()).map_err(|_| path("zero byte in the path".into()))?;
        if !OPEN.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone()) {
            return Err(LmdbError::OpenTwice);
        }
        let mut raw: *mut ffi::MDB_env = ptr::null_mut();
        // SAFETY: a valid place to write the handle.
        let made = check("mdb_env_create", unsafe { ffi::mdb_env_create(&raw mut raw) });
        let Some(raw) = NonNull::new(raw).filter(|_| made.is_ok()) else {
            OPEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&folder);
            return Err(made.err().unwrap_or(LmdbError::OpenTwice));
        };
        // From here on drop closes the handle, which is also the way to give back one whose opening failed.
        let mut env = Self { raw, dbi: 0, folder };
        env.prepare(&name, map_bytes)?;
        Ok(env)
    }

    fn prepare(&mut self, name: &CStr, map_bytes: usize) -> Result<(), LmdbError> {
        // SAFETY: the handle is fresh and ours, not open yet.
        check("mdb_env_set_mapsize", unsafe { ffi::mdb_env_set_mapsize(self.raw.as_ptr(), map_bytes) })?;
        // SAFETY: the same handle; the path is a C string that outlives the call.
        let code = unsafe { ffi::mdb_env_open(self.raw.as_ptr(), name.as_ptr(), ffi::MDB_NOSYNC, 0o600) };
        check("mdb_env_open", code)?;
        let txn = Txn::begin(self, 0)?;
        let mut dbi = 0;
        // SAFETY: a live transaction; a null name is the unnamed database.
        check("mdb_dbi_open", unsafe { ffi::mdb_dbi_open(txn.raw.as_ptr(), ptr::null(), 0, &raw mut dbi) })?;
        txn.commit()?;
        self.dbi = dbi;
        Ok(())
    }

    /// Stores all changes in one transaction, or none of them.
    ///
    /// # Errors
    /// [`LmdbError::MapFull`] when the map has no page left for them; else the library's code.
    pub fn write(&mut self, changes: &[Change<'_>]) -> Result<(), LmdbError> {
        let txn = Txn::begin(self, 0)?;
        for change in changes {
            let (call, code) = match *change {
                Change::Put(key, value) => {
                    let (mut key, mut value) = (val(key), val(value));
                    // SAFETY: live transaction and database; LMDB copies from both slices and writes to neither.
                    let code = unsafe { ffi::mdb_put(txn.raw.as_ptr(), self.dbi, &raw mut key, &raw mut value, 0) };
                    ("mdb_put", code)
                }
                Change::Delete(key) => {
                    let mut key = val(key);
                    // SAFETY: as above; without duplicates the value is not looked at.
                    let code = unsafe { ffi::mdb_del(txn.raw.as_ptr(), self.dbi, &raw mut key, ptr::null_mut()) };
                    ("mdb_del", if code == ffi::MDB_NOTFOUND { 0 } else { code })
                }
            };
            check(call, code)?;
        }
        txn.commit()
    }

    /// The value under a key.
    ///
    /// # Errors
    /// The library's code; an absent key is `None`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LmdbError> {
        let txn = Txn::begin(self, ffi::MDB_RDONLY)?;
        let (mut key, mut found) = (val(key), val(&[]));
        // SAFETY: live transaction and database; `found` is written only on success.
        match unsafe { ffi::mdb_get(txn.raw.as_ptr(), self.dbi, &raw mut key, &raw mut found) } {
            ffi::MDB_NOTFOUND => Ok(None),
            code => check("mdb_get", code).map(|()| Some(copy(&txn, &found))),
        }
    }

    /// Begins to read and does not end it: whoever dies so leaves its slot behind, which pins what is freed from then on.
    ///
    /// # Errors
    /// The library's code.
    pub fn read_for_ever(&self) -> Result<(), LmdbError> {
        Txn::begin(self, ffi::MDB_RDONLY).map(core::mem::forget)
    }

    /// The greatest key, in byte order.
    ///
    /// # Errors
    /// The library's code; an empty database has `None`.
    pub fn last_key(&self) -> Result<Option<Vec<u8>>, LmdbError> {
        let txn = Txn::begin(self, ffi::MDB_RDONLY)?;
        let mut cursor = ptr::null_mut();
        let (mut key, mut value) = (val(&[]), val(&[]));
        // SAFETY: live transaction and database, a valid place to write.
        let opened = unsafe { ffi::mdb_cursor_open(txn.raw.as_ptr(), self.dbi, &raw mut cursor) };
        check("mdb_cursor_open", opened)?;
        // SAFETY: an open cursor; key and value are written only on success.
        let code = unsafe { ffi::mdb_cursor_get(cursor, &raw mut key, &raw mut value, ffi::MDB_cursor_op_MDB_LAST) };
        // SAFETY: the cursor is ours and is closed before its transaction ends.
        unsafe { ffi::mdb_cursor_close(cursor) };
        if code == ffi::MDB_NOTFOUND {
            return Ok(None);
        }
        check("mdb_cursor_get", code).map(|()| Some(copy(&txn, &key)))
    }

    /// Counts, taken now.
    ///
    /// # Errors
    /// The library's code.
    pub fn stat(&self) -> Result<Stat, LmdbError> {
        // SAFETY: a plain struct of integers, for which zero is a value.
        let mut stat: ffi::MDB_stat = unsafe { core::mem::zeroed() };
        // SAFETY: the same, and a null pointer.
        let mut info: ffi::MDB_envinfo = unsafe { core::mem::zeroed() };
        // SAFETY: an open environment and a valid place to write.
        check("mdb_env_stat", unsafe { ffi::mdb_env_stat(self.raw.as_ptr(), &raw mut stat) })?;
        // SAFETY: the same.
        check("mdb_env_info", unsafe { ffi::mdb_env_info(self.raw.as_ptr(), &raw mut info) })?;
        Ok(Stat {
            page_bytes: u64::from(stat.ms_psize),
            map_bytes: wide(info.me_mapsize),
            used_pages: wide(info.me_last_pgno).saturating_add(1),
            entries: wide(stat.ms_entries),
            last_txn: wide(info.me_last_txnid),
            readers: info.me_numreaders,
        })
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, every transaction borrowed it and is gone.
        unsafe {
            ffi::mdb_env_close(self.raw.as_ptr());
        }
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.folder);
    }
}

/// A transaction; aborted on drop unless committed.
struct Txn<'env> {
    raw: NonNull<ffi::MDB_txn>,
    _env: &'env Env,
}

impl<'env> Txn<'env> {
    fn begin(env: &'env Env, flags: c_uint) -> Result<Self, LmdbError> {
        let mut raw: *mut ffi::MDB_txn = ptr::null_mut();
        // SAFETY: an open environment (its type keeps it on this thread), no parent, a valid place to write.
        let code = unsafe { ffi::mdb_txn_begin(env.raw.as_ptr(), ptr::null_mut(), flags, &raw mut raw) };
        check("mdb_txn_begin", code)?;
        let missing = || LmdbError::Library { call: "mdb_txn_begin", code, text: Clean::text("no transaction") };
        Ok(Self { raw: NonNull::new(raw).ok_or_else(missing)?, _env: env })
    }

    fn commit(self) -> Result<(), LmdbError> {
        let raw = self.raw;
        core::mem::forget(self);
        // SAFETY: a live transaction; commit frees it whether it succeeds or not, so drop must not run.
        check("mdb_txn_commit", unsafe { ffi::mdb_txn_commit(raw.as_ptr()) })
    }
}

impl Drop for Txn<'_> {
    fn drop(&mut self) {
        // SAFETY: a live transaction that was not committed.
        unsafe {
            ffi::mdb_txn_abort(self.raw.as_ptr());
        }
    }
}

pub(super) fn val(bytes: &[u8]) -> ffi::MDB_val {
    ffi::MDB_val { mv_size: bytes.len(), mv_data: bytes.as_ptr().cast_mut().cast() }
}

/// Copies what LMDB found out of the map; the transaction proves that the pages still stand.
fn copy(_txn: &Txn<'_>, found: &ffi::MDB_val) -> Vec<u8> {
    if found.mv_data.is_null() {
        return Vec::new();
    }
    // SAFETY: LMDB filled in address and length of a value inside the map, valid while the transaction lives.
    unsafe { core::slice::from_raw_parts(found.mv_data.cast::<u8>(), found.mv_size).to_vec() }
}

pub(super) fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

pub(super) fn check(call: &'static str, code: c_int) -> Result<(), LmdbError> {
    match code {
        0 => Ok(()),
        ffi::MDB_MAP_FULL => Err(LmdbError::MapFull),
        code => {
            // SAFETY: takes any code.
            let text = unsafe { ffi::mdb_strerror(code) };
            // SAFETY: the library returned a static or thread-local C string.
            let text = unsafe { CStr::from_ptr(text) };
            Err(LmdbError::Library { call, code, text: Clean::text(text.to_bytes()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    const MIB: usize = 1 << 20;

    #[test]
    fn the_linked_library_is_the_0_9_line() {
        assert_eq!(version(), (0, 9, 35), "another version has another lock format: keep the `=` in Cargo.toml");
    }

    #[test]
    fn the_files_are_of_data_format_1_and_lock_format_1() {
        let folder = tempfile::tempdir().unwrap();
        let _env = Env::open(folder.path(), MIB).unwrap();
        let at = |file: &str, offset: usize| {
            let bytes = std::fs::read(folder.path().join(file)).unwrap();
            u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap())
        };
        assert_eq!((at("data.mdb", 16), at("data.mdb", 20)), (0xBEEF_C0DE, 1));
        assert_eq!(at("lock.mdb", 0), 0xBEEF_C0DE);
        // The low half of the lock format is its version; the rest are flags.
        assert_eq!(at("lock.mdb", 4) & 0xFFFF, 1, "lock version of 0.9; mdb.master writes 2");
    }

    #[test]
    fn a_batch_is_stored_whole_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut env = Env::open(folder.path(), MIB).unwrap();
        env.write(&[Change::Put(b"a", b"1"), Change::Put(b"b", b"2"), Change::Delete(b"never")]).unwrap();
        env.write(&[Change::Delete(b"a")]).unwrap();
        assert_eq!(env.get(b"a").unwrap(), None);
        assert_eq!(env.get(b"b").unwrap().as_deref(), Some(&b"2"[..]));
        assert_eq!(env.last_key().unwrap().as_deref(), Some(&b"b"[..]));
        let stat = env.stat().unwrap();
        assert_eq!((stat.entries, stat.map_bytes), (1, 1 << 20));
        drop(env);
        let again = Env::open(folder.path(), MIB).unwrap();
        assert_eq!(again.stat().unwrap().entries, 1);
    }

    #[test]
    fn a_full_map_refuses_the_whole_batch_and_goes_on_reading() {
        let folder = tempfile::tempdir().unwrap();
        let mut env = Env::open(folder.path(), MIB / 4).unwrap();
        let value = [7_u8; 3_900];
        let mut stored = 0_u32;
        let error = loop {
            let key = stored.to_be_bytes();
            match env.write(&[Change::Put(&key, &value)]) {
                Ok(()) => stored += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(error, LmdbError::MapFull);
        assert!(stored > 30, "{stored}");
        let before = env.stat().unwrap();
        let keys: Vec<[u8; 4]> = (stored..stored + 5).map(u32::to_be_bytes).collect();
        let batch: Vec<Change> = keys.iter().map(|key| Change::Put(key, &value)).collect();
        assert_eq!(env.write(&batch), Err(LmdbError::MapFull));
        assert_eq!(env.stat().unwrap(), before);
        assert_eq!(env.get(&0_u32.to_be_bytes()).unwrap().map(|found| found.len()), Some(3_900));
        assert!(before.used_ratio() > 0.85 && before.used_ratio() <= 1.0, "{before:?}");
    }

    #[test]
    fn a_folder_is_open_once_and_a_missing_one_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::open(folder.path(), MIB).unwrap();
        assert_eq!(Env::open(folder.path(), MIB).unwrap_err(), LmdbError::OpenTwice);
        drop(env);
        assert!(Env::open(folder.path(), MIB).is_ok());
        assert!(matches!(Env::open(&folder.path().join("gone"), MIB), Err(LmdbError::Path(_))));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "asks a foreign reader of the format")]
    fn another_0_9_library_opens_it_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let mut env = Env::open(folder.path(), MIB).unwrap();
        env.write(&[Change::Put(b"key", b"value")]).unwrap();
        let Ok(out) = Command::new("mdb_stat").arg("-e").arg(folder.path()).output() else {
            assert!(std::env::var_os("CI").is_none(), "mdb_stat is missing (Debian: lmdb-utils)");
            return;
        };
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success() && text.contains("Map size: 1048576") && text.contains("Entries: 1"), "{text}");
    }
}
