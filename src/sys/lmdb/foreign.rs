//! An environment of somebody else, opened for one task: counted, copied, cleared of dead readers, or given a larger
//! size. For the child with the owner's rights only, which opens one environment in its life and ends.
#![expect(unsafe_code, reason = "liblmdb is a C library")]

use super::env::{LmdbError, check, val, wide};
use core::ffi::{CStr, c_int, c_uint};
use core::ptr::{self, NonNull};
use liblmdb as ffi;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::{AsRawFd, BorrowedFd};

/// So many names of databases are looked for among the keys of the main one, which may be a huge plain key space.
const NAMES: usize = 4_096;

/// The key that is put and deleted in one transaction, so that it is a commit that counts.
const KEY: &[u8] = b"watchkeeper.grow";

/// What the environment holds, of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// Which transaction.
    pub txn: u64,
    /// Keys of the main database; every named database is one.
    pub entries: u64,
    /// Entries of each named database, among the first 4,096 keys of the main one.
    pub databases: BTreeMap<String, u64>,
}

impl Census {
    /// The same entries, whatever the transaction is called: a compacting copy counts them anew.
    pub fn holds_the_same_as(&self, other: &Self) -> bool {
        (self.entries, &self.databases) == (other.entries, &other.databases)
    }
}

/// How it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Reads, with a slot in the reader table.
    Read,
    /// Reads a copy that nobody else has open: no lock file is touched.
    ReadAlone,
    /// Writes, with a map of so many bytes.
    Write(usize),
}

/// The environment. Closed on drop.
#[derive(Debug)]
pub(super) struct Foreign {
    raw: NonNull<ffi::MDB_env>,
}

impl Foreign {
    /// Opens what is there: `name` is its folder, or its data file where `file` says so. The stored size counts.
    pub(super) fn open(name: &CStr, file: bool, way: Way) -> Result<Self, LmdbError> {
        let mut raw: *mut ffi::MDB_env = ptr::null_mut();
        // SAFETY: a valid place to write the handle.
        check("mdb_env_create", unsafe { ffi::mdb_env_create(&raw mut raw) })?;
        let missing = LmdbError::Library { call: "mdb_env_create", code: 0, text: "no handle".into() };
        let env = Self { raw: NonNull::new(raw).ok_or(missing)? };
        let names = c_uint::try_from(NAMES).unwrap_or(0);
        // SAFETY: the handle is fresh and ours, not open yet.
        check("mdb_env_set_maxdbs", unsafe { ffi::mdb_env_set_maxdbs(env.raw.as_ptr(), names) })?;
        let mut flags = if file { ffi::MDB_NOSUBDIR } else { 0 };
        match way {
            Way::Read => flags |= ffi::MDB_RDONLY,
            Way::ReadAlone => flags |= ffi::MDB_RDONLY | ffi::MDB_NOLOCK,
            Way::Write(bytes) => {
                // SAFETY: as above.
                check("mdb_env_set_mapsize", unsafe { ffi::mdb_env_set_mapsize(env.raw.as_ptr(), bytes) })?;
            }
        }
        // SAFETY: the same handle; the path is a C string that outlives the call. Both files are there, so the mode
        // is not used.
        check("mdb_env_open", unsafe { ffi::mdb_env_open(env.raw.as_ptr(), name.as_ptr(), flags, 0o600) })?;
        Ok(env)
    }

    /// Counts.
    pub(super) fn census(&self) -> Result<Census, LmdbError> {
        let txn = Txn::begin(self, ffi::MDB_RDONLY)?;
        // SAFETY: a live transaction.
        let id = unsafe { ffi::mdb_txn_id(txn.raw.as_ptr()) };
        let main = txn.database(None)?.ok_or(LmdbError::Path("there is no main database".into()))?;
        let mut databases = BTreeMap::new();
        for name in txn.keys(main, NAMES)? {
            let Ok(name) = CString::new(name) else { continue };
            if let Some(dbi) = txn.database(Some(&name))? {
                databases.insert(name.to_string_lossy().into_owned(), txn.entries(dbi)?);
            }
        }
        Ok(Census { txn: wide(id), entries: txn.entries(main)?, databases })
    }

    /// Writes a copy to a pipe or file, which ends its read transaction when nobody reads any more.
    pub(super) fn copy(&self, to: BorrowedFd<'_>, compact: bool) -> Result<(), LmdbError> {
        let flags = if compact { ffi::MDB_CP_COMPACT } else { 0 };
        // SAFETY: an open environment without a transaction on this thread; the descriptor lives through the call.
        let code = unsafe { ffi::mdb_env_copyfd2(self.raw.as_ptr(), to.as_raw_fd(), flags) };
        check("mdb_env_copyfd2", code)
    }

    /// Frees the slots of readers that are dead; how many.
    pub(super) fn clear_readers(&self) -> Result<u64, LmdbError> {
        let mut dead: c_int = 0;
        // SAFETY: an open environment and a valid place to write.
        check("mdb_reader_check", unsafe { ffi::mdb_reader_check(self.raw.as_ptr(), &raw mut dead) })?;
        Ok(u64::try_from(dead).unwrap_or(0))
    }

    /// Stores the size that the environment was opened with: only a commit that changes a page does.
    pub(super) fn store_size(&self) -> Result<(), LmdbError> {
        let txn = Txn::begin(self, 0)?;
        let main = txn.database(None)?.ok_or(LmdbError::Path("there is no main database".into()))?;
        let mut flags: c_uint = 0;
        // SAFETY: live transaction and database, a valid place to write.
        check("mdb_dbi_flags", unsafe { ffi::mdb_dbi_flags(txn.raw.as_ptr(), main, &raw mut flags) })?;
        if flags & ffi::MDB_INTEGERKEY != 0 {
            return Err(LmdbError::Path("the main database has numbers for keys: none can be put there".into()));
        }
        let (mut key, mut value) = (val(KEY), val(b"1"));
        let put = ffi::MDB_NOOVERWRITE;
        // SAFETY: live transaction and database; LMDB copies from both slices and writes to neither.
        check("mdb_put", unsafe { ffi::mdb_put(txn.raw.as_ptr(), main, &raw mut key, &raw mut value, put) })?;
        // SAFETY: as above; what was put alone is deleted, whatever its value.
        check("mdb_del", unsafe { ffi::mdb_del(txn.raw.as_ptr(), main, &raw mut key, ptr::null_mut()) })?;
        txn.commit()?;
        // SAFETY: an open environment.
        check("mdb_env_sync", unsafe { ffi::mdb_env_sync(self.raw.as_ptr(), 1) })
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, every transaction borrowed it and is gone.
        unsafe {
            ffi::mdb_env_close(self.raw.as_ptr());
        }
    }
}

/// A transaction; aborted on drop unless committed.
struct Txn<'env> {
    raw: NonNull<ffi::MDB_txn>,
    _env: &'env Foreign,
}

impl<'env> Txn<'env> {
    fn begin(env: &'env Foreign, flags: c_uint) -> Result<Self, LmdbError> {
        let mut raw: *mut ffi::MDB_txn = ptr::null_mut();
        // SAFETY: an open environment, no parent, a valid place to write.
        let code = unsafe { ffi::mdb_txn_begin(env.raw.as_ptr(), ptr::null_mut(), flags, &raw mut raw) };
        check("mdb_txn_begin", code)?;
        let missing = || LmdbError::Library { call: "mdb_txn_begin", code, text: "no transaction".into() };
        Ok(Self { raw: NonNull::new(raw).ok_or_else(missing)?, _env: env })
    }

    /// The main database, or a named one; `None` when the key of that name is no database.
    fn database(&self, name: Option<&CStr>) -> Result<Option<ffi::MDB_dbi>, LmdbError> {
        let mut dbi = 0;
        let name = name.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: a live transaction; a null name is the main database, another one is a C string.
        match unsafe { ffi::mdb_dbi_open(self.raw.as_ptr(), name, 0, &raw mut dbi) } {
            ffi::MDB_NOTFOUND | ffi::MDB_INCOMPATIBLE => Ok(None),
            code => check("mdb_dbi_open", code).map(|()| Some(dbi)),
        }
    }

    fn entries(&self, dbi: ffi::MDB_dbi) -> Result<u64, LmdbError> {
        // SAFETY: a plain struct of integers, for which zero is a value.
        let mut stat: ffi::MDB_stat = unsafe { core::mem::zeroed() };
        // SAFETY: live transaction and database, a valid place to write.
        check("mdb_stat", unsafe { ffi::mdb_stat(self.raw.as_ptr(), dbi, &raw mut stat) })?;
        Ok(wide(stat.ms_entries))
    }

    /// The first keys.
    fn keys(&self, dbi: ffi::MDB_dbi, most: usize) -> Result<Vec<Vec<u8>>, LmdbError> {
        let mut cursor = ptr::null_mut();
        // SAFETY: live transaction and database, a valid place to write.
        check("mdb_cursor_open", unsafe { ffi::mdb_cursor_open(self.raw.as_ptr(), dbi, &raw mut cursor) })?;
        let mut keys = Vec::new();
        let mut step = ffi::MDB_cursor_op_MDB_FIRST;
        let ended = loop {
            let (mut key, mut value) = (val(&[]), val(&[]));
            // SAFETY: an open cursor; key and value are written only on success.
            let code = unsafe { ffi::mdb_cursor_get(cursor, &raw mut key, &raw mut value, step) };
            if code != 0 || keys.len() >= most {
                break code;
            }
            step = ffi::MDB_cursor_op_MDB_NEXT_NODUP;
            // SAFETY: LMDB filled in address and length of a key inside the map, valid while the transaction lives.
            let bytes = unsafe { core::slice::from_raw_parts(key.mv_data.cast::<u8>(), key.mv_size) };
            keys.push(bytes.to_vec());
        };
        // SAFETY: the cursor is ours and is closed before its transaction ends.
        unsafe { ffi::mdb_cursor_close(cursor) };
        if ended == ffi::MDB_NOTFOUND { Ok(keys) } else { check("mdb_cursor_get", ended).map(|()| keys) }
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
