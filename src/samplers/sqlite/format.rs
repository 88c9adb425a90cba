//! The header of an SQLite database, its write-ahead log and the log's index, read from bytes. Pure.
//! By sqlite.org/fileformat2 and /walformat: the log is believed as far as its salts and checksums go, no further.

/// Bytes of a database's header.
pub(crate) const HEADER_LEN: usize = 100;
/// Bytes before the first frame of a log, and before the page in a frame.
const WAL_HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
/// Bytes of the two copies of the index' header with what the checkpoint has done.
const INDEX_HEAD: usize = 136;
/// A block of the index, and the frames that are listed in one; the first has less room.
const BLOCK: u64 = 32_768;
const LISTED: u64 = 4_096;
const FIRST_LISTED: u64 = LISTED - INDEX_HEAD as u64 / 4;
/// More of a log without an index is not checked frame by frame.
pub(crate) const CHAIN_MAX: u64 = 32 << 20;

/// What the first bytes of a database say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) page_size: u32,
    /// A write-ahead log is used instead of a rollback journal.
    pub(crate) wal: bool,
    pub(crate) change_counter: u32,
    /// Pages, where the header can be trusted on that; very old programs do not write it.
    pub(crate) pages: Option<u32>,
    pub(crate) freelist: u32,
    pub(crate) schema_cookie: u32,
    pub(crate) encoding: &'static str,
    pub(crate) user_version: i32,
    pub(crate) application_id: i32,
    /// Version of the library that wrote last: 3040001 is 3.40.1.
    pub(crate) library: u32,
}

/// Why bytes are not what they should be, as the end of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Wrong {
    #[error("is empty: nothing has been stored in it yet")]
    Empty,
    #[error("is cut short: it ends within its header")]
    Short,
    #[error("is cut short: it has {0} of {1} pages")]
    Pages(u64, u32),
    #[error("is not an SQLite database, or an encrypted one")]
    Foreign,
    #[error("can only be read by a later SQLite: it has read version {0}")]
    Version(u8),
    #[error("has a damaged header")]
    Damaged,
}

/// Reads a header from its first [`HEADER_LEN`] bytes.
pub(crate) fn header(raw: &[u8]) -> Result<Header, Wrong> {
    let raw = Bytes(raw.get(..HEADER_LEN).ok_or(if raw.is_empty() { Wrong::Empty } else { Wrong::Short })?);
    if !raw.0.starts_with(b"SQLite format 3\0") {
        return Err(Wrong::Foreign);
    }
    let page_size = match raw.u16(16)? {
        1 => 65_536,
        size => u32::from(size),
    };
    let (write, read) = (raw.array::<1>(18)?, raw.array::<1>(19)?);
    let encoding = match raw.u32(56)? {
        0 | 1 => "UTF-8",
        2 => "UTF-16, little endian",
        3 => "UTF-16, big endian",
        _ => return Err(Wrong::Damaged),
    };
    if read > [2] {
        return Err(Wrong::Version(read[0]));
    }
    if !page_size.is_power_of_two() || page_size < 512 {
        return Err(Wrong::Damaged);
    }
    let (change_counter, valid_for) = (raw.u32(24)?, raw.u32(92)?);
    Ok(Header {
        page_size,
        wal: write == [2] || read == [2],
        change_counter,
        pages: Some(raw.u32(28)?).filter(|pages| *pages > 0 && change_counter == valid_for),
        freelist: raw.u32(36)?,
        schema_cookie: raw.u32(40)?,
        encoding,
        user_version: raw.u32(60)?.cast_signed(),
        application_id: raw.u32(68)?.cast_signed(),
        library: raw.u32(96)?,
    })
}

/// A file as far as it was read: its length, and a way to read exactly so many bytes at an offset.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) length: u64,
    pub(crate) read: &'a dyn Fn(u64, &mut [u8]) -> bool,
}

impl Source<'_> {
    fn bytes<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        (self.read)(at, &mut bytes).then_some(bytes)
    }
}

/// What the log holds that the database file does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// Frames of committed transactions.
    pub(crate) frames: u64,
    /// Those that no checkpoint has copied into the database yet.
    pub(crate) waiting: u64,
    /// Pages of the database after the last commit; `None` when the log has none.
    pub(crate) pages: Option<u32>,
    /// The newest header in the log.
    pub(crate) header: Option<[u8; HEADER_LEN]>,
}

/// Why the log says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mute {
    /// It was written or restarted under our eyes.
    #[error("changed while it was read")]
    Moving,
    /// Nobody has the database open, so that only its checksums tell where it ends.
    #[error("has no index and is longer than {} MiB, which are too many to check", CHAIN_MAX >> 20)]
    Long,
}

/// Reads the log by its index where there is one, else by its own checksums.
pub(crate) fn log(wal: Source<'_>, index: Option<Source<'_>>) -> Result<Log, Mute> {
    let Some(head) = wal.bytes::<WAL_HEAD>(0).filter(|_| wal.length >= WAL_HEAD as u64) else {
        return Ok(Log::default());
    };
    let found = index.and_then(|shm| Some((shm, shm.bytes::<INDEX_HEAD>(0)?)));
    if found.is_some_and(|(_, raw)| raw.get(..48) != raw.get(48..96)) {
        return Err(Mute::Moving);
    }
    match found.and_then(|(shm, raw)| Some((shm, Index::read(&raw)?))) {
        Some((_, Index { frames: 0, .. })) => Ok(Log::default()),
        Some((shm, index)) if index.fits(&head, wal.length) => {
            let header = match index.last_frame_of_first_page(shm) {
                Some(frame) => Some(page_one(wal, frame, &index).ok_or(Mute::Moving)?),
                None => None,
            };
            // A log that begins anew takes other salts first: what was read under the old ones was whole.
            if wal.bytes::<WAL_HEAD>(0) != Some(head) {
                return Err(Mute::Moving);
            }
            let waiting = u64::from(index.frames.saturating_sub(index.copied));
            Ok(Log { frames: u64::from(index.frames), waiting, pages: Some(index.pages), header })
        }
        _ if wal.length > CHAIN_MAX => Err(Mute::Long),
        _ => Ok(chain(wal, &head).unwrap_or_default()),
    }
}

/// The header in a frame that the index names.
fn page_one(wal: Source<'_>, frame: u64, index: &Index) -> Option<[u8; HEADER_LEN]> {
    let each = u64::from(index.page_size).saturating_add(FRAME_HEAD as u64);
    let at = frame.checked_sub(1)?.checked_mul(each)?.checked_add(WAL_HEAD as u64)?;
    let head = wal.bytes::<FRAME_HEAD>(at)?;
    let is_it = Bytes(&head).u32(0) == Ok(1) && head.get(8..16) == Some(&index.salt);
    wal.bytes(at.saturating_add(FRAME_HEAD as u64)).filter(|_| is_it)
}

/// The header of the log's index, in shared memory that is also a file.
#[derive(Clone, Copy, Debug)]
struct Index {
    page_size: u32,
    frames: u32,
    pages: u32,
    salt: [u8; 8],
    copied: u32,
}

impl Index {
    /// Of two copies that a writer changes one after the other; the first must carry its checksum.
    fn read(raw: &[u8; INDEX_HEAD]) -> Option<Self> {
        let (first, rest) = raw.split_at_checked(48)?;
        let (_, rest) = rest.split_at_checked(48)?;
        let native = |at: usize| Some(u32::from_ne_bytes(*first.get(at..)?.first_chunk()?));
        let sum = checksum(first.get(..40)?, (0, 0), u32::from_ne_bytes);
        let sound = native(0)? == 3_007_000 && first.get(12) == Some(&1);
        if !sound || sum != (native(40)?, native(44)?) {
            return None;
        }
        let size = u16::from_ne_bytes(*first.get(14..)?.first_chunk()?);
        let page_size = if size == 1 { 65_536 } else { u32::from(size) };
        let copied = u32::from_ne_bytes(*rest.first_chunk()?);
        let frames = native(16)?;
        let salt = *first.get(32..)?.first_chunk()?;
        (copied <= frames).then_some(Self { page_size, frames, pages: native(20)?, salt, copied })
    }

    /// It is the index of this log, and all its frames are there.
    fn fits(&self, head: &[u8; WAL_HEAD], length: u64) -> bool {
        let each = u64::from(self.page_size).saturating_add(FRAME_HEAD as u64);
        let ends = u64::from(self.frames).saturating_mul(each).saturating_add(WAL_HEAD as u64);
        head.get(16..24) == Some(&self.salt) && ends <= length
    }

    /// The last frame of page 1, which holds the database's header.
    fn last_frame_of_first_page(&self, shm: Source<'_>) -> Option<u64> {
        let last = u64::from(self.frames);
        let block_of = |frame: u64| frame.saturating_sub(1).saturating_add(LISTED - FIRST_LISTED) / LISTED;
        for block in (0..=block_of(last)).rev() {
            let (skip, first) = match block {
                0 => (INDEX_HEAD as u64, 1),
                block => (0, FIRST_LISTED.saturating_add((block - 1).saturating_mul(LISTED)).saturating_add(1)),
            };
            let count = last.min(first.saturating_add(if block == 0 { FIRST_LISTED } else { LISTED }) - 1) + 1 - first;
            let mut list = vec![0; usize::try_from(count.saturating_mul(4)).ok()?];
            if !(shm.read)(block.saturating_mul(BLOCK).saturating_add(skip), &mut list) {
                return None;
            }
            let pages = list.as_chunks::<4>().0;
            if let Some(at) = pages.iter().rposition(|page| u32::from_ne_bytes(*page) == 1) {
                return Some(first.saturating_add(at as u64));
            }
        }
        None
    }
}

/// Follows the checksums from frame to frame up to the last commit.
fn chain(wal: Source<'_>, head: &[u8; WAL_HEAD]) -> Option<Log> {
    let raw = Bytes(head);
    let word: fn([u8; 4]) -> u32 = match raw.u32(0).ok()? {
        0x377F_0682 => u32::from_le_bytes,
        0x377F_0683 => u32::from_be_bytes,
        _ => return None,
    };
    let page_size = raw.u32(8).ok().filter(|size| size.is_power_of_two() && (512..=65_536).contains(size))?;
    let mut sum = checksum(head.get(..24)?, (0, 0), word);
    if sum != (raw.u32(24).ok()?, raw.u32(28).ok()?) {
        return None;
    }
    let mut frame = vec![0; usize::try_from(page_size).ok()?.checked_add(FRAME_HEAD)?];
    let (mut log, mut open) = (Log::default(), None);
    for number in 1_u64.. {
        let at = (number - 1).checked_mul(frame.len() as u64)?.checked_add(WAL_HEAD as u64)?;
        if !(wal.read)(at, &mut frame) {
            break;
        }
        let (own, page) = frame.split_at_checked(FRAME_HEAD)?;
        sum = checksum(page, checksum(own.get(..8)?, sum, word), word);
        let raw = Bytes(own);
        if own.get(8..16) != head.get(16..24) || sum != (raw.u32(16).ok()?, raw.u32(20).ok()?) {
            break;
        }
        if raw.u32(0).ok()? == 1 {
            open = page.first_chunk().copied();
        }
        let pages = raw.u32(4).ok()?;
        if pages > 0 {
            log = Log { frames: number, waiting: number, pages: Some(pages), header: open };
        }
    }
    Some(log)
}

/// SQLite's checksum over pairs of words.
fn checksum(bytes: &[u8], (mut one, mut two): (u32, u32), word: impl Fn([u8; 4]) -> u32) -> (u32, u32) {
    let (words, _) = bytes.as_chunks::<4>();
    for pair in words.as_chunks::<2>().0 {
        let [first, second] = *pair;
        one = one.wrapping_add(word(first)).wrapping_add(two);
        two = two.wrapping_add(word(second)).wrapping_add(one);
    }
    (one, two)
}

/// Big-endian numbers at an offset; what is not there is cut short.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn array<const N: usize>(&self, at: usize) -> Result<[u8; N], Wrong> {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(Wrong::Short)
    }

    fn u16(&self, at: usize) -> Result<u16, Wrong> {
        self.array(at).map(u16::from_be_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, Wrong> {
        self.array(at).map(u32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A database's first page that says little.
    fn page() -> Vec<u8> {
        let mut page = vec![0; 512];
        page[..16].copy_from_slice(b"SQLite format 3\0");
        page[16..20].copy_from_slice(&[2, 0, 2, 2]);
        for (at, value) in [(24, 7_u32), (28, 9), (36, 2), (40, 3), (56, 1), (60, u32::MAX), (92, 7), (96, 3_040_001)] {
            page[at..at + 4].copy_from_slice(&value.to_be_bytes());
        }
        page
    }

    /// A log of so many frames of page 1, each a commit that leaves as many pages as its number.
    fn wal(frames: u32) -> Vec<u8> {
        let mut wal = Vec::new();
        for value in [0x377F_0682_u32, 3_007_000, 512, 0, 0x1111_2222, 0x3333_4444] {
            wal.extend(value.to_be_bytes());
        }
        let mut sum = checksum(&wal, (0, 0), u32::from_le_bytes);
        wal.extend([sum.0.to_be_bytes(), sum.1.to_be_bytes()].concat());
        for number in 1..=frames {
            let head = [1_u32.to_be_bytes(), number.to_be_bytes()].concat();
            sum = checksum(&page(), checksum(&head, sum, u32::from_le_bytes), u32::from_le_bytes);
            wal.extend(head);
            wal.extend([[0x11, 0x11, 0x22, 0x22], [0x33, 0x33, 0x44, 0x44]].concat());
            wal.extend([sum.0.to_be_bytes(), sum.1.to_be_bytes()].concat());
            wal.extend(page());
        }
        wal
    }

    /// The index of such a log.
    fn index(frames: u32, copied: u32) -> Vec<u8> {
        let mut head = Vec::new();
        for value in [3_007_000_u32, 0, 5, 0x0200_0001, frames, frames, 0, 0] {
            head.extend(value.to_le_bytes());
        }
        head.extend([0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44]);
        let sum = checksum(&head, (0, 0), u32::from_ne_bytes);
        head.extend([sum.0.to_ne_bytes(), sum.1.to_ne_bytes()].concat());
        let mut shm = [head.clone(), head].concat();
        shm.extend(copied.to_ne_bytes());
        shm.resize(INDEX_HEAD, 0);
        shm.extend((0..frames).flat_map(|_| 1_u32.to_ne_bytes()));
        shm.resize(32_768, 0);
        shm
    }

    fn read(wal: &[u8], index: Option<&[u8]>) -> Result<Log, Mute> {
        fn source(bytes: &[u8]) -> impl Fn(u64, &mut [u8]) -> bool + '_ {
            move |at, into| {
                let found = usize::try_from(at).ok().and_then(|at| bytes.get(at..)?.get(..into.len()));
                found.map(|found| into.copy_from_slice(found)).is_some()
            }
        }
        let (wal_read, index_read) = (source(wal), source(index.unwrap_or_default()));
        let length = |bytes: &[u8]| bytes.len() as u64;
        let index = index.map(|index| Source { length: length(index), read: &index_read });
        log(Source { length: length(wal), read: &wal_read }, index)
    }

    #[test]
    fn a_header_says_what_it_says_and_what_is_not_understood_is_refused() {
        let read = header(&page()).expect("sound");
        assert_eq!((read.page_size, read.wal, read.pages, read.freelist), (512, true, Some(9), 2));
        assert_eq!((read.user_version, read.encoding, read.library), (-1, "UTF-8", 3_040_001));
        let with = |at: usize, byte: u8| {
            let mut page = page();
            page[at] = byte;
            header(&page)
        };
        assert_eq!(with(92, 1).expect("sound").pages, None, "the count is of an older program's time");
        assert_eq!(with(0, 0), Err(Wrong::Foreign));
        assert_eq!(with(17, 1), Err(Wrong::Damaged));
        assert_eq!(with(19, 3), Err(Wrong::Version(3)));
        assert_eq!((header(&[]), header(&page()[..99])), (Err(Wrong::Empty), Err(Wrong::Short)));
    }

    #[test]
    fn without_an_index_the_checksums_tell_where_the_log_ends() {
        let whole = wal(5);
        let log = read(&whole, None).expect("readable");
        assert_eq!((log.frames, log.waiting, log.pages), (5, 5, Some(5)));
        assert_eq!(log.header.as_ref().map(|raw| header(raw)), Some(header(&page())));
        assert_eq!(read(&whole[..whole.len() - 1], None).expect("readable").frames, 4);
        let mut flipped = whole.clone();
        flipped[32 + 2 * 536 + 100] ^= 1;
        assert_eq!(read(&flipped, None).expect("readable").frames, 2);
        assert_eq!(read(&whole[..31], None), Ok(Log::default()));
    }

    #[test]
    fn an_index_tells_it_at_once_unless_it_is_of_another_log() {
        let log = read(&wal(5), Some(&index(4, 3))).expect("readable");
        assert_eq!((log.frames, log.waiting, log.pages), (4, 1, Some(4)));
        assert!(log.header.is_some());
        let mut torn = index(4, 3);
        torn[60] ^= 1;
        assert_eq!(read(&wal(5), Some(&torn)), Err(Mute::Moving), "a writer is at it");
        (torn[12], torn[60]) = (0, 0);
        assert_eq!(read(&wal(5), Some(&torn)).expect("readable").frames, 5, "then the checksums decide");
        assert_eq!(read(&wal(5), Some(&index(6, 0))).expect("readable").frames, 5, "frames that are not there");
        assert_eq!(read(&wal(5), Some(&index(0, 0))), Ok(Log::default()), "all is in the database");
    }

    #[test]
    fn the_newest_first_page_is_found_in_whatever_block_it_is_listed() {
        // The first block lists 4,062 frames, each later one 4,096.
        for last in [1_usize, 2, 4_062, 4_063, 8_158, 8_159, 9_000] {
            let mut shm = index(9_000, 0);
            shm.truncate(INDEX_HEAD);
            shm.resize(32_768 * 3, 0);
            for frame in [1, last] {
                let later = frame.checked_sub(4_063).map(|rest| (rest / 4_096 + 1) * 32_768 + rest % 4_096 * 4);
                let at = later.unwrap_or(136 + (frame - 1) * 4);
                shm[at..at + 4].copy_from_slice(&1_u32.to_ne_bytes());
            }
            let whole = |at: u64, into: &mut [u8]| {
                let at = usize::try_from(at).expect("small");
                shm.get(at..at + into.len()).map(|found| into.copy_from_slice(found)).is_some()
            };
            let head = Index::read(shm.first_chunk().expect("long")).expect("sound");
            let found = head.last_frame_of_first_page(Source { length: 0, read: &whole });
            assert_eq!(found, Some(last as u64));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_500))]

        #[test]
        fn any_damage_is_survived(
            changes in proptest::collection::vec((0..2_048_usize, any::<u8>(), 0..3_u8), 8),
            cut in 0..3_000_usize,
        ) {
            let (mut first, mut wal, mut shm) = (page(), wal(5), index(5, 2));
            wal.truncate(cut);
            for (at, byte, which) in changes {
                let file = match which {
                    0 => &mut first,
                    1 => &mut wal,
                    _ => &mut shm,
                };
                let length = file.len().max(1);
                if let Some(found) = file.get_mut(at % length) {
                    *found = byte;
                }
                prop_assert!(header(&first).is_ok_and(|read| read.page_size >= 512) || header(&first).is_err());
                for index in [None, Some(&*shm)] {
                    if let Ok(log) = read(&wal, index) {
                        prop_assert!(log.waiting <= log.frames && log.frames <= 5);
                    }
                }
            }
        }
    }
}
