//! The bot's LMDB environment: keys are Zarr paths, values as long as packed chunks. Its map is set anew at each start,
//! whatever the file says: 64 MiB, or what the strategy asks for, or what is in use.

use crate::sys::lmdb::{Change, Env, LmdbError, Stat};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The map that every start sets, MiB.
const MAP_MIB: u64 = 64;
/// Bytes of a chunk.
const CHUNK: usize = 16_000;
/// Chunks of the ring: what comes after them replaces the first ones.
const RING: u64 = 6_000;
/// What a damaged store has lost: from this byte on, so many.
const LOST: (u64, u64) = (8 << 20, 4 << 20);
const PAIRS: [&str; 4] = ["BTC_USDT", "ETH_USDT", "SOL_USDT", "ADA_USDT"];
const FRAMES: [&str; 3] = ["1m", "15m", "1h"];

/// The open store.
#[derive(Debug)]
pub(super) struct Store {
    env: Env,
    /// Chunks written so far, the ring's turns included.
    next: u64,
}

impl Store {
    /// Opens the environment in `folder` with the map that the strategy asks for, MiB.
    ///
    /// # Errors
    /// What LMDB said.
    pub(super) fn open(folder: &Path, asked_mib: u64) -> Result<Self, LmdbError> {
        let used = folder.join("data.mdb").metadata().map_or(0, |about| about.len());
        let bytes = (MAP_MIB.max(asked_mib) << 20).max(used);
        let env = Env::open(folder, usize::try_from(bytes).unwrap_or(usize::MAX))?;
        let heads: u64 = if env.get(b".zgroup")?.is_some() { 1 + 2 * 12 } else { 0 };
        let next = env.stat()?.entries.saturating_sub(heads);
        let mut store = Self { env, next };
        if heads == 0 {
            store.head()?;
        }
        Ok(store)
    }

    /// The groups and arrays, as Zarr has them.
    fn head(&mut self) -> Result<(), LmdbError> {
        let array = br#"{"chunks":[10000,5],"dtype":"<f8","shape":[0,5],"zarr_format":2}"#;
        let arrays = PAIRS.iter().flat_map(|pair| FRAMES.map(|frame| format!("binance/{pair}/ohlcv/tf_{frame}")));
        let keys: Vec<(String, String)> =
            arrays.map(|array| (format!("{array}/.zarray"), format!("{array}/.zattrs"))).collect();
        let mut changes = vec![Change::Put(b".zgroup", br#"{"zarr_format":2}"#)];
        for (shape, more) in &keys {
            changes.push(Change::Put(shape.as_bytes(), array));
            changes.push(Change::Put(more.as_bytes(), b"{}"));
        }
        self.env.write(&changes)
    }

    /// Writes so many chunks in one transaction.
    ///
    /// # Errors
    /// [`LmdbError::MapFull`] when there is no room: nothing of it is stored then.
    pub(super) fn save(&mut self, count: u64) -> Result<(), LmdbError> {
        let value = [0x5A_u8; CHUNK];
        let keys: Vec<String> = (self.next..self.next.saturating_add(count)).map(key).collect();
        let changes: Vec<Change<'_>> = keys.iter().map(|key| Change::Put(key.as_bytes(), &value)).collect();
        self.env.write(&changes)?;
        self.next = self.next.saturating_add(count);
        Ok(())
    }

    /// Writes the first chunks again: pages are freed, and used again unless a reader pins them.
    ///
    /// # Errors
    /// As [`Store::save`].
    pub(super) fn rewrite(&mut self, count: u64) -> Result<(), LmdbError> {
        let next = core::mem::replace(&mut self.next, 0);
        let done = self.save(count);
        self.next = next.max(count);
        done
    }

    /// Counts, taken now.
    ///
    /// # Errors
    /// What LMDB said.
    pub(super) fn stat(&self) -> Result<Stat, LmdbError> {
        self.env.stat()
    }
}

/// Whether a stretch of the file in `folder` is nothing but zeros, as if it had never reached the disk.
pub(super) fn is_damaged(folder: &Path) -> bool {
    let mut bytes = vec![0; usize::try_from(LOST.1).unwrap_or(0)];
    let read = File::open(folder.join("data.mdb")).and_then(|file| file.read_exact_at(&mut bytes, LOST.0));
    read.is_ok() && bytes.iter().all(|byte| *byte == 0)
}

/// Loses that stretch. Nobody may write to the store any more.
///
/// # Errors
/// What the system said.
pub(super) fn damage(folder: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(folder.join("data.mdb"))?;
    file.write_all_at(&vec![0; usize::try_from(LOST.1).unwrap_or(0)], LOST.0)
}

/// Of the chunk with this number: pairs and timeframes take turns.
fn key(number: u64) -> String {
    let number = number % RING;
    let of = |all: &[&'static str], at: u64| {
        usize::try_from(at).ok().and_then(|at| all.get(at.checked_rem(all.len())?)).copied().unwrap_or_default()
    };
    let (pair, frame) = (of(&PAIRS, number), of(&FRAMES, number / 4));
    format!("binance/{pair}/ohlcv/tf_{frame}/{}.0", number / 12)
}

/// A process that reads and dies at it: its slot stays behind. Ends with its lifeline.
///
/// # Errors
/// What LMDB or the system said.
pub(super) fn die_reading(folder: &Path) -> Result<(), LmdbError> {
    let env = Env::open(folder, usize::try_from(MAP_MIB << 20).unwrap_or(usize::MAX))?;
    env.read_for_ever()?;
    // Neither closed nor let go of: what is left behind is what is wanted.
    core::mem::forget(env);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_paths_of_pairs_and_timeframes_and_come_again_after_the_ring() {
        assert_eq!(key(0), "binance/BTC_USDT/ohlcv/tf_1m/0.0");
        assert_eq!(key(5), "binance/ETH_USDT/ohlcv/tf_15m/0.0");
        assert_eq!(key(12), "binance/BTC_USDT/ohlcv/tf_1m/1.0");
        assert_eq!(key(RING + 5), key(5));
        let all: std::collections::BTreeSet<String> = (0..RING).map(key).collect();
        assert_eq!(all.len() as u64, RING);
    }

    #[test]
    fn the_map_is_set_at_each_start_and_a_larger_one_takes_what_the_full_one_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), 0).unwrap();
        assert_eq!(store.stat().unwrap().map_bytes, 64 << 20);
        let full = (0..100).find_map(|_| store.save(64).err());
        assert_eq!(full, Some(LmdbError::MapFull));
        let next = store.next;
        drop(store);
        let mut wide = Store::open(folder.path(), 128).unwrap();
        assert_eq!((wide.stat().unwrap().map_bytes, wide.next), (128 << 20, next));
        wide.save(64).unwrap();
        drop(wide);
        let again = Store::open(folder.path(), 0).unwrap().stat().unwrap();
        assert!((64 << 20..128 << 20).contains(&again.map_bytes), "what is in use, no more: {}", again.map_bytes);
    }

    #[test]
    fn a_damaged_store_is_known_by_what_it_has_lost() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_damaged(folder.path()));
        let mut store = Store::open(folder.path(), 0).unwrap();
        (0..20).for_each(|_| store.save(64).unwrap());
        assert!(!is_damaged(folder.path()));
        drop(store);
        damage(folder.path()).unwrap();
        assert!(is_damaged(folder.path()));
    }

    #[test]
    fn rewriting_uses_freed_pages_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), 0).unwrap();
        store.save(64).unwrap();
        (0..20).for_each(|_| store.rewrite(8).unwrap());
        let before = store.stat().unwrap();
        (0..50).for_each(|_| store.rewrite(8).unwrap());
        let after = store.stat().unwrap();
        assert_eq!((after.entries, store.next), (before.entries, 64));
        assert!(after.used_pages <= before.used_pages + 80, "{before:?} {after:?}");
    }
}
