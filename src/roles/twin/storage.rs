//! The service's LMDB environment: one record a second, a history that is brought in at first, and retention
//! that keeps up, or does not. A full map refuses the write for real.

use super::Scenario;
use crate::sys::lmdb::{Change, Env, LmdbError, Stat};
use std::path::Path;

/// Bytes of a record: with its header it fills one page.
const RECORD: usize = 3_900;
/// Records of one step of the history: 2 MiB.
const STEP: u64 = 512;
/// Marks that the history is complete; sorts before every record.
const MARK: &[u8] = b"m:history";

/// The open store.
#[derive(Debug)]
pub(super) struct Storage {
    env: Env,
    scenario: Scenario,
    next: u64,
    oldest: u64,
    history: bool,
    /// Writes that failed since the start.
    pub(super) errors: u64,
}

impl Storage {
    /// Opens the environment in `folder`.
    ///
    /// # Errors
    /// What LMDB said.
    pub(super) fn open(folder: &Path, map_mib: u32, scenario: Scenario) -> Result<Self, LmdbError> {
        let bytes = usize::try_from(map_mib).unwrap_or(usize::MAX).saturating_mul(1 << 20);
        let env = Env::open(folder, bytes)?;
        let last = env.last_key()?.and_then(|key| <[u8; 8]>::try_from(key.get(2..)?).ok()).map(u64::from_be_bytes);
        let history = env.get(MARK)?.is_some();
        let records = env.stat()?.entries.saturating_sub(u64::from(history));
        let next = last.filter(|_| records > 0).map_or(0, |last| last.saturating_add(1));
        Ok(Self { env, scenario, next, oldest: next.saturating_sub(records), history, errors: 0 })
    }

    /// Whether the history is complete. Until then call [`Storage::import`].
    pub(super) fn complete(&self) -> bool {
        self.history
    }

    /// Brings in the next part of the history.
    ///
    /// # Errors
    /// What LMDB said.
    pub(super) fn import(&mut self) -> Result<(), LmdbError> {
        // Where the scenario wants the store to stand when its story begins, in thousandths of the map.
        let target: u64 = match self.scenario {
            Scenario::Quiet | Scenario::ConfigChange => 410,
            Scenario::GpuMemory => 908,
        };
        let stat = self.env.stat()?;
        let pages = stat.map_bytes.checked_div(stat.page_bytes).unwrap_or(0);
        let wanted = pages.saturating_mul(target) / 1_000;
        let missing = wanted.saturating_sub(stat.used_pages);
        // A record takes a page and its share of a leaf: stop a little early, finish with the mark.
        let count = missing.saturating_sub(missing / 64).min(STEP);
        if count == 0 {
            self.counted(|env| env.write(&[Change::Put(MARK, b"complete")]))?;
            self.history = true;
            return Ok(());
        }
        let value = [0x5A_u8; RECORD];
        let keys: Vec<[u8; 10]> = (self.next..self.next.saturating_add(count)).map(key).collect();
        let changes: Vec<Change<'_>> = keys.iter().map(|key| Change::Put(key, &value)).collect();
        self.counted(|env| env.write(&changes))?;
        self.next = self.next.saturating_add(count);
        Ok(())
    }

    /// Stores what was measured as one record and lets retention drop the oldest where it works.
    ///
    /// # Errors
    /// [`LmdbError::MapFull`] when there is no room; the record is lost then.
    pub(super) fn record(&mut self, values: &[f64]) -> Result<(), LmdbError> {
        let mut value: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).take(RECORD).collect();
        value.resize(RECORD, 0);
        let (new, old) = (key(self.next), key(self.oldest));
        let put = Change::Put(&new, &value);
        let drops = self.scenario != Scenario::GpuMemory && self.oldest < self.next;
        let changes = [put, Change::Delete(&old)];
        self.counted(|env| env.write(changes.get(..if drops { 2 } else { 1 }).unwrap_or(&changes)))?;
        self.next = self.next.saturating_add(1);
        self.oldest = self.oldest.saturating_add(u64::from(drops));
        Ok(())
    }

    /// Counts, taken now.
    ///
    /// # Errors
    /// What LMDB said.
    pub(super) fn stat(&self) -> Result<Stat, LmdbError> {
        self.env.stat()
    }

    fn counted(&mut self, write: impl FnOnce(&mut Env) -> Result<(), LmdbError>) -> Result<(), LmdbError> {
        write(&mut self.env).inspect_err(|_| self.errors = self.errors.saturating_add(1))
    }
}

fn key(number: u64) -> [u8; 10] {
    let mut key = *b"r:........";
    if let Some(digits) = key.get_mut(2..) {
        digits.copy_from_slice(&number.to_be_bytes());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(folder: &Path, scenario: Scenario, map_mib: u32) -> Storage {
        let mut storage = Storage::open(folder, map_mib, scenario).unwrap();
        for _ in 0..100 {
            if storage.complete() {
                return storage;
            }
            storage.import().unwrap();
        }
        panic!("the history never ends");
    }

    #[test]
    fn the_story_begins_at_ninety_one_percent_and_the_store_goes_on_filling() {
        let folder = tempfile::tempdir().unwrap();
        let mut storage = filled(folder.path(), Scenario::GpuMemory, 16);
        let begin = storage.stat().unwrap().used_ratio();
        assert!((0.895..0.92).contains(&begin), "{begin}");
        for _ in 0..60 {
            storage.record(&[14e-6; 400]).unwrap();
        }
        let grown = storage.stat().unwrap().used_ratio() - begin;
        assert!((0.012..0.02).contains(&grown), "about a page a second: {grown}");
    }

    #[test]
    fn a_full_map_fails_the_write_and_a_bigger_one_takes_it_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut storage = filled(folder.path(), Scenario::GpuMemory, 4);
        let error = (0..200).find_map(|_| storage.record(&[1.0]).err());
        assert_eq!(error, Some(LmdbError::MapFull));
        assert_eq!(storage.record(&[1.0]), Err(LmdbError::MapFull));
        assert_eq!(storage.errors, 2);
        let next = storage.next;
        drop(storage);
        let mut grown = Storage::open(folder.path(), 8, Scenario::GpuMemory).unwrap();
        assert!(grown.complete(), "the history comes once");
        assert_eq!((grown.next, grown.oldest), (next, 0));
        grown.record(&[1.0]).unwrap();
    }

    #[test]
    fn quiet_retention_keeps_the_store_level() {
        let folder = tempfile::tempdir().unwrap();
        let mut storage = filled(folder.path(), Scenario::Quiet, 8);
        let entries = storage.stat().unwrap().entries;
        for _ in 0..300 {
            storage.record(&[5e-6; 300]).unwrap();
        }
        let stat = storage.stat().unwrap();
        assert_eq!(stat.entries, entries);
        assert!((0.38..0.46).contains(&stat.used_ratio()), "{}", stat.used_ratio());
    }
}
