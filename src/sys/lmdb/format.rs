//! The two meta pages of an LMDB data file and the reader table of its lock file, read from bytes. Pure.
//! Data format 1, lock format 1 (the 0.9 line), 64-bit little endian; anything else is refused, never guessed.

/// Bytes of a page that hold its header and the meta record.
pub(crate) const META_LEN: usize = 152;
/// Bytes before the first slot of the reader table, and the size of a slot.
const SLOTS_AT: usize = 128;
const SLOT_LEN: usize = 64;

const MAGIC: u32 = 0xBEEF_C0DE;
const META_FLAG: u16 = 0x08;
/// Lock version 1 with locks keyed by process (bit 16), as every Linux build of the 0.9 line has it.
const LOCK_FORMAT: u32 = 0x1_0001;

/// One meta page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Bytes of a page.
    pub(crate) page_size: u32,
    /// The stored map size in bytes; a running process may have another.
    pub(crate) map_size: u64,
    /// Number of the last page in use.
    pub(crate) last_page: u64,
    /// The transaction that wrote this page.
    pub(crate) txn: u64,
    /// The pages that are free, by the transaction that freed them.
    pub(crate) free: Tree,
    /// The main database; named databases are one entry each.
    pub(crate) main: Tree,
}

/// The record of one tree, `MDB_db`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Levels, from the root to the leaves.
    pub(crate) depth: u16,
    /// Pages by kind.
    pub(crate) branches: u64,
    pub(crate) leaves: u64,
    pub(crate) overflows: u64,
    /// Keys, or values where a key may have several.
    pub(crate) entries: u64,
    /// Where it begins; `None` while it is empty.
    pub(crate) root: Option<u64>,
}

/// Bytes of a tree's record.
pub(crate) const TREE_LEN: usize = 48;

impl Tree {
    /// Reads the record at the start of these bytes.
    pub(crate) fn read(record: &[u8]) -> Result<Self, Wrong> {
        let record = Bytes(record.get(..TREE_LEN).ok_or(Wrong::Short)?);
        Ok(Self {
            depth: record.u16(6)?,
            branches: record.u64(8)?,
            leaves: record.u64(16)?,
            overflows: record.u64(24)?,
            entries: record.u64(32)?,
            root: Some(record.u64(40)?).filter(|root| *root != u64::MAX),
        })
    }
}

/// One slot in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The process that took the slot.
    pub(crate) pid: u32,
    /// Its thread, as `pthread_self` numbers it.
    pub(crate) thread: u64,
    /// The transaction that it reads, if one is open.
    pub(crate) txn: Option<u64>,
}

/// The reader table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readers {
    /// Slots with an owner.
    pub(crate) slots: Vec<Slot>,
    /// Slots that there are.
    pub(crate) max: u64,
    /// What the lock file calls its format.
    pub(crate) format: u32,
}

/// Why bytes are not what they should be, as the end of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("is cut short: it ends within its two meta pages")]
    Short,
    #[error("is cut short: it ends before page {0}, the root of a tree")]
    NoRoot(u64),
    #[error("is not an LMDB file")]
    Foreign,
    #[error("has LMDB data version {0}{name}; only version 1 (LMDB 0.9) is understood", name = later(*.0))]
    Version(u32),
    #[error("has damaged meta pages")]
    Damaged,
    #[error("has lock format {0:#x}{name}; only {LOCK_FORMAT:#x} of LMDB 0.9 is understood", name = lock_line(*.0))]
    LockFormat(u32),
}

/// Which line of the library writes such data.
fn later(version: u32) -> &'static str {
    match version {
        2 | 3 => " (the line of LMDB 1.0)",
        999 => " (a development build)",
        _ => "",
    }
}

/// Which line of the library locks so, and what that does.
fn lock_line(format: u32) -> &'static str {
    match format & 0xFFF {
        2 => " (lock version 2, LMDB's master line: a program of the 0.9 line cannot open it meanwhile)",
        _ => "",
    }
}

/// Reads one meta page from its first [`META_LEN`] bytes.
pub(crate) fn meta(page: &[u8]) -> Result<Meta, Wrong> {
    let page = Bytes(page.get(..META_LEN).ok_or(Wrong::Short)?);
    if page.u32(16)? != MAGIC {
        return Err(Wrong::Foreign);
    }
    match page.u32(20)? {
        1 => {}
        other => return Err(Wrong::Version(other)),
    }
    let tree = |at| Tree::read(page.0.get(at..).unwrap_or_default());
    let meta = Meta {
        page_size: page.u32(40)?,
        map_size: page.u64(32)?,
        last_page: page.u64(136)?,
        txn: page.u64(144)?,
        free: tree(40)?,
        main: tree(88)?,
    };
    let sound = page.u16(10)? & META_FLAG != 0
        && meta.page_size.is_power_of_two()
        && (256..=65_536).contains(&meta.page_size)
        && meta.map_size >= u64::from(meta.page_size) * 2
        && meta.last_page >= 1
        && meta.last_page.checked_add(1).and_then(|pages| pages.checked_mul(u64::from(meta.page_size))).is_some();
    if sound { Ok(meta) } else { Err(Wrong::Damaged) }
}

/// The meta page that counts: the one of the later transaction. Both must be sound.
pub(crate) fn newest(first: &[u8], second: &[u8]) -> Result<Meta, Wrong> {
    let (first, second) = (meta(first)?, meta(second)?);
    if first.page_size != second.page_size {
        return Err(Wrong::Damaged);
    }
    Ok(if second.txn > first.txn { second } else { first })
}

impl Meta {
    /// Bytes up to the last page in use; a high-water mark, since pages below it may be free.
    pub(crate) fn used(&self) -> u64 {
        self.used_pages().saturating_mul(u64::from(self.page_size))
    }

    /// Pages up to the last one in use.
    pub(crate) fn used_pages(&self) -> u64 {
        self.last_page.saturating_add(1)
    }

    /// Pages that the stored map has room for.
    pub(crate) fn max_pages(&self) -> u64 {
        self.map_size / u64::from(self.page_size)
    }

    /// A file of `length` bytes holds its roots. It may well end before its last page, when that one is free.
    pub(crate) fn fits(&self, length: u64) -> Result<(), Wrong> {
        let pages = length / u64::from(self.page_size);
        match [self.free.root, self.main.root].into_iter().flatten().find(|root| *root >= pages) {
            Some(root) => Err(Wrong::NoRoot(root)),
            None => Ok(()),
        }
    }
}

/// Bytes of a lock file that tell how long its table is.
pub(crate) const LOCK_HEAD: usize = 64;

/// Bytes up to the end of the last slot ever used, from the first [`LOCK_HEAD`] bytes.
pub(crate) fn table_len(head: &[u8]) -> usize {
    let ever_used = Bytes(head).u32(56).ok().and_then(|used| usize::try_from(used).ok()).unwrap_or(0);
    ever_used.saturating_mul(SLOT_LEN).saturating_add(SLOTS_AT)
}

/// Reads the reader table from a lock file's bytes. `length` is the whole file's, of which `lock` may be a part.
pub(crate) fn readers(lock: &[u8], length: u64) -> Result<Readers, Wrong> {
    let bytes = Bytes(lock);
    if bytes.u32(0)? != MAGIC {
        return Err(Wrong::Foreign);
    }
    match bytes.u32(4)? {
        LOCK_FORMAT => {}
        other => return Err(Wrong::LockFormat(other)),
    }
    // The table's position follows from the mutex's size, which is 40 bytes here.
    let ever_used = usize::try_from(bytes.u32(56)?).unwrap_or(usize::MAX);
    let table = lock.get(SLOTS_AT..).unwrap_or_default();
    let slots = table.as_chunks::<SLOT_LEN>().0.iter().take(ever_used).filter_map(|slot| {
        let slot = Bytes(slot);
        let pid = slot.u32(8).ok().filter(|pid| *pid != 0)?;
        Some(Slot { pid, thread: slot.u64(16).unwrap_or(0), txn: slot.u64(0).ok().filter(|txn| *txn != u64::MAX) })
    });
    let max = length.saturating_sub(SLOTS_AT as u64) / SLOT_LEN as u64;
    Ok(Readers { slots: slots.collect(), max, format: LOCK_FORMAT })
}

/// Little-endian numbers at an offset; what is not there is cut short.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl Bytes<'_> {
    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], Wrong> {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(Wrong::Short)
    }

    pub(crate) fn u16(self, at: usize) -> Result<u16, Wrong> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(self, at: usize) -> Result<u32, Wrong> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(self, at: usize) -> Result<u64, Wrong> {
        self.array(at).map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(txn: u64) -> Vec<u8> {
        let mut page = vec![0; META_LEN];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(10, &META_FLAG.to_le_bytes());
        put(16, &MAGIC.to_le_bytes());
        put(20, &1_u32.to_le_bytes());
        put(32, &(1_u64 << 20).to_le_bytes());
        put(40, &4096_u32.to_le_bytes());
        put(120, &7_u64.to_le_bytes());
        put(80, &u64::MAX.to_le_bytes());
        put(128, &8_u64.to_le_bytes());
        put(136, &9_u64.to_le_bytes());
        put(144, &txn.to_le_bytes());
        page
    }

    #[test]
    fn the_later_transaction_counts() {
        let main = Tree { entries: 7, root: Some(8), ..Tree::default() };
        let expected = Meta { page_size: 4096, map_size: 1 << 20, last_page: 9, txn: 6, free: Tree::default(), main };
        assert_eq!(newest(&page(6), &page(5)), Ok(expected));
        assert_eq!(newest(&page(5), &page(6)), Ok(expected));
        assert_eq!(expected.used(), 40_960);
        assert_eq!(expected.fits(9 * 4096), Ok(()), "the last page may be missing");
        assert_eq!(expected.fits(9 * 4096 - 1), Err(Wrong::NoRoot(8)));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let with = |at: usize, bytes: &[u8]| {
            let mut page = page(1);
            page[at..at + bytes.len()].copy_from_slice(bytes);
            meta(&page)
        };
        assert_eq!(meta(&page(1)[..151]), Err(Wrong::Short));
        assert_eq!(with(16, b"abcd"), Err(Wrong::Foreign));
        assert_eq!(with(20, &[3, 0, 0, 0]), Err(Wrong::Version(3)));
        let said = "has LMDB data version 3 (the line of LMDB 1.0); only version 1 (LMDB 0.9) is understood";
        assert_eq!(Wrong::Version(3).to_string(), said);
        assert!(Wrong::LockFormat(0x8_a002).to_string().contains("(lock version 2, LMDB's master line: "));
        assert_eq!(with(40, &[1, 16, 0, 0]), Err(Wrong::Damaged));
        assert_eq!(with(136, &u64::MAX.to_le_bytes()), Err(Wrong::Damaged));
    }

    #[test]
    fn slots_in_use_are_those_with_an_owner() {
        let mut lock = vec![0; 128 + 3 * 64];
        lock[..4].copy_from_slice(&MAGIC.to_le_bytes());
        lock[4..8].copy_from_slice(&LOCK_FORMAT.to_le_bytes());
        lock[56] = 2;
        lock[128..136].copy_from_slice(&u64::MAX.to_le_bytes());
        lock[136] = 9;
        lock[192] = 5;
        lock[200] = 8;
        lock[208] = 3;
        lock[264] = 7; // beyond the slots ever used: left over from an earlier life
        let slots = vec![Slot { pid: 9, thread: 0, txn: None }, Slot { pid: 8, thread: 3, txn: Some(5) }];
        assert_eq!(readers(&lock, 128 + 126 * 64), Ok(Readers { slots, max: 126, format: LOCK_FORMAT }));
        lock[4] = 2;
        assert_eq!(readers(&lock, 1), Err(Wrong::LockFormat(0x1_0002)));
    }

    proptest! {
        #[test]
        fn any_pages_are_survived(raw in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(meta(&raw).is_err());
            drop(readers(&raw, raw.len() as u64));
        }

        #[test]
        fn any_damage_to_a_good_page_is_survived(at in 0..META_LEN, byte in any::<u8>(), cut in 0..=META_LEN) {
            let mut raw = page(3);
            raw[at] = byte;
            if let Ok(meta) = newest(&raw[..cut], &page(2)) {
                prop_assert!(meta.used() >= 8192 || meta.page_size < 4096);
            }
        }
    }
}
