//! Walks over the trees of an LMDB data file: free pages with the transactions that freed them, named databases.
//! Pure: pages come from the caller. Nothing in a page is believed: numbers are held against the file's bounds, the
//! levels against the tree's depth, the pages read against a budget.

use crate::sys::lmdb::format::{Bytes, TREE_LEN, Tree, Wrong};

/// Deeper trees there are none: LMDB's own limit.
const DEPTH: u16 = 32;
const HEAD: usize = 16;
const NODE: usize = 8;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
/// The flags that say what a page is.
const KIND: u16 = 0x6F;

/// The data lies on overflow pages; is the record of a tree; is many values.
const BIG: u16 = 0x01;
const SUB: u16 = 0x02;
const MANY: u16 = 0x04;

/// Why a walk ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    /// So many pages were read and there are more.
    #[error("it has more than {0} pages, which are too many to read")]
    Budget(u32),
    /// Reading took too long.
    #[error("the disk is too slow to read it in time")]
    Late,
    /// The file cannot be read there.
    #[error("page {0} cannot be read")]
    Unread(u64),
    /// The page is not what it should be.
    #[error("page {0} is damaged: {1}")]
    Damaged(u64, &'static str),
    /// The visitor has seen enough.
    #[error("it has more entries than are shown")]
    Enough,
}

/// What is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Free {
    pub(crate) pages: u64,
    /// Those of them that may not be used again while the oldest reader reads.
    pub(crate) pinned: u64,
}

/// A named database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Database {
    pub(crate) name: Vec<u8>,
    pub(crate) tree: Tree,
}

/// Reads the first bytes of a page.
pub(crate) type Read<'a> = &'a dyn Fn(u64, &mut [u8]) -> Result<(), Stop>;

/// A file under a walk.
pub(crate) struct Walk<'a> {
    pub(crate) read: Read<'a>,
    pub(crate) page_size: usize,
    pub(crate) last_page: u64,
    /// Pages that may still be read, of so many.
    pub(crate) left: u32,
    pub(crate) budget: u32,
}

/// One entry of a leaf.
struct Entry<'a> {
    page: u64,
    flags: u16,
    key: &'a [u8],
    /// Bytes of the value, and where they are: here, or on overflow pages from there on.
    size: u64,
    value: &'a [u8],
}

impl Walk<'_> {
    /// Adds up the free tree. `oldest` is the transaction of the oldest reader.
    pub(crate) fn free(&mut self, tree: &Tree, oldest: Option<u64>) -> Result<Free, Stop> {
        let mut free = Free::default();
        self.tree(tree, &mut |walk, entry| {
            let txn =
                Bytes(entry.key).u64(0).map_err(|_| Stop::Damaged(entry.page, "a key of the free tree is short"))?;
            let count = walk.count(entry)?;
            let fits = count.checked_add(1).and_then(|words| words.checked_mul(8)).is_some_and(|len| len <= entry.size);
            let pages = free.pages.saturating_add(count);
            if !fits || pages > walk.last_page {
                return Err(Stop::Damaged(entry.page, "it frees more pages than there are"));
            }
            free.pages = pages;
            // What was freed by the oldest reader's own transaction is not used again either.
            if oldest.is_some_and(|oldest| txn >= oldest) {
                free.pinned = free.pinned.saturating_add(count);
            }
            Ok(())
        })?;
        Ok(free)
    }

    /// Collects named databases until there are `most` of them; what was found stays when the walk ends early.
    pub(crate) fn databases(&mut self, main: &Tree, most: usize, found: &mut Vec<Database>) -> Result<(), Stop> {
        self.tree(main, &mut |_, entry| {
            if entry.flags & (BIG | SUB | MANY) != SUB || entry.size != TREE_LEN as u64 {
                return Ok(());
            }
            if found.len() >= most {
                return Err(Stop::Enough);
            }
            let tree = Tree::read(entry.value)
                .map_err(|_: Wrong| Stop::Damaged(entry.page, "a database's record is short"))?;
            found.push(Database { name: entry.key.to_vec(), tree });
            Ok(())
        })
    }

    fn tree(
        &mut self,
        tree: &Tree,
        visit: &mut dyn FnMut(&mut Self, &Entry<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        match tree.root {
            None => Ok(()),
            Some(root) if tree.depth == 0 || tree.depth > DEPTH => {
                Err(Stop::Damaged(root, "its tree has an impossible depth"))
            }
            Some(root) => self.page(root, tree.depth, visit),
        }
    }

    /// One page and all below it; `levels` counts down to 1 at the leaves.
    fn page(
        &mut self,
        number: u64,
        levels: u16,
        visit: &mut dyn FnMut(&mut Self, &Entry<'_>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut page = vec![0; self.page_size];
        self.fetch(number, &mut page)?;
        let damaged = |why| Stop::Damaged(number, why);
        let short = |_: Wrong| damaged("it is cut short");
        let bytes = Bytes(&page);
        let wanted = if levels == 1 { LEAF } else { BRANCH };
        if bytes.u16(10).map_err(short)? & KIND != wanted {
            return Err(damaged("it is of another kind than its place in the tree"));
        }
        let [lower, upper] = [12, 14].map(|at| bytes.u16(at).map(usize::from));
        let (lower, upper) = (lower.map_err(short)?, upper.map_err(short)?);
        if lower < HEAD || lower > upper || upper > self.page_size {
            return Err(damaged("its bounds are impossible"));
        }
        for at in (HEAD..lower).step_by(2) {
            let node = usize::from(bytes.u16(at).map_err(short)?);
            let node = page.get(node..).filter(|_| node >= upper).ok_or(damaged("an entry lies outside it"))?;
            let head = Bytes(node);
            let [lo, hi, flags, key] = [0, 2, 4, 6].map(|at| head.u16(at).map_err(short));
            let (lo, hi, flags, key) = (u64::from(lo?), u64::from(hi?), flags?, usize::from(key?));
            if levels > 1 {
                self.page(lo | hi << 16 | u64::from(flags) << 32, levels - 1, visit)?;
                continue;
            }
            let outside = damaged("an entry reaches beyond it");
            let (key, rest) = node.get(NODE..).and_then(|node| node.split_at_checked(key)).ok_or(outside)?;
            let size = lo | hi << 16;
            let here = if flags & BIG == 0 { size } else { 8 };
            let value = usize::try_from(here).ok().and_then(|here| rest.get(..here)).ok_or(outside)?;
            visit(self, &Entry { page: number, flags, key, size, value })?;
        }
        Ok(())
    }

    /// The first word of an entry's value.
    fn count(&mut self, entry: &Entry<'_>) -> Result<u64, Stop> {
        let short = |_: Wrong| Stop::Damaged(entry.page, "a list of free pages is short");
        let word = Bytes(entry.value).u64(0).map_err(short)?;
        if entry.flags & BIG == 0 {
            return Ok(word);
        }
        let mut head = [0; HEAD + 8];
        self.fetch(word, &mut head)?;
        let head = Bytes(&head);
        let pages = u64::from(head.u32(12).map_err(short)?);
        let room = pages.saturating_mul(self.page_size as u64).saturating_sub(HEAD as u64);
        let ends = word.saturating_add(pages.saturating_sub(1));
        if head.u16(10).map_err(short)? & KIND != OVERFLOW || ends > self.last_page || room < entry.size {
            return Err(Stop::Damaged(word, "it is no overflow page of that length"));
        }
        head.u64(HEAD).map_err(short)
    }

    /// Reads the start of a page that must carry its own number.
    fn fetch(&mut self, number: u64, into: &mut [u8]) -> Result<(), Stop> {
        if number < 2 || number > self.last_page {
            return Err(Stop::Damaged(number, "there is no such page"));
        }
        self.left = self.left.checked_sub(1).ok_or(Stop::Budget(self.budget))?;
        (self.read)(number, into)?;
        if Bytes(into).u64(0) == Ok(number) { Ok(()) } else { Err(Stop::Damaged(number, "it carries another number")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::lmdb::format::newest;
    use crate::sys::lmdb::{Change, Env};
    use proptest::prelude::*;
    use proptest::sample::Index;
    use std::sync::{LazyLock, Mutex, PoisonError};

    /// A real file: many rewrites leave a free tree, long values leave long lists.
    static REAL: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut env = Env::open(folder.path(), 32 << 20).expect("opens");
        let value = vec![7; 3_000];
        for round in 0..6_u32 {
            let keys: Vec<[u8; 4]> = (0..300_u32).map(|key| (key * 7 % 300).to_be_bytes()).collect();
            let changes: Vec<Change<'_>> = keys
                .iter()
                .map(|key| if round == 5 && key[3] % 3 == 0 { Change::Delete(key) } else { Change::Put(key, &value) })
                .collect();
            env.write(&changes).expect("writes");
        }
        drop(env);
        std::fs::read(folder.path().join("data.mdb")).expect("readable")
    });

    /// A copy that is damaged and mended again.
    static FILE: LazyLock<Mutex<Vec<u8>>> = LazyLock::new(|| Mutex::new(REAL.clone()));

    type Walked = (Result<Free, Stop>, Result<(), Stop>);

    /// What a sampler would do, over bytes.
    fn walk(file: &[u8], budget: u32) -> Result<Walked, Wrong> {
        let meta = newest(file, file.get(4096..).unwrap_or_default())?;
        let page_size = meta.page_size as usize;
        let read = |page: u64, into: &mut [u8]| {
            let at = usize::try_from(page).ok().and_then(|page| page.checked_mul(page_size));
            let found = at.and_then(|at| file.get(at..)?.get(..into.len())).ok_or(Stop::Unread(page))?;
            into.copy_from_slice(found);
            Ok(())
        };
        let mut walk = Walk { read: &read, page_size, last_page: meta.last_page, left: budget, budget };
        let free = walk.free(&meta.free, Some(0));
        let mut found = Vec::new();
        let ended = walk.databases(&meta.main, 200, &mut found);
        assert!(walk.left <= budget && found.len() <= 200);
        Ok((free, ended))
    }

    #[test]
    fn the_free_tree_of_a_real_file_adds_up() {
        let free = walk(&REAL, 1_000).expect("sound").0.expect("sound");
        assert!(free.pages > 500 && free.pinned == free.pages, "{free:?}");
        assert_eq!(walk(&REAL, 1).expect("sound").0, Err(Stop::Budget(1)));
        assert_eq!(Stop::Budget(1).to_string(), "it has more than 1 pages, which are too many to read");
    }

    #[test]
    fn a_page_that_points_to_itself_ends_the_walk() {
        let mut file = REAL.clone();
        let meta = newest(&file, &file[4096..]).expect("sound");
        let root = usize::try_from(meta.main.root.expect("a root")).expect("small") * 4096;
        let node = root + usize::from(u16::from_le_bytes([file[root + 16], file[root + 17]]));
        let own = file[root..root + 4].to_vec();
        file[node..node + 4].copy_from_slice(&own);
        let ended = walk(&file, 1_000).expect("sound").1;
        assert!(matches!(ended, Err(Stop::Damaged(..))), "{ended:?}");
    }

    /// Where the trees' own pages lie: a change there is a change that the walk can meet.
    fn interesting(file: &[u8]) -> Vec<usize> {
        let meta = newest(file, &file[4096..]).expect("sound");
        let mut pages = vec![0, 1];
        for tree in [meta.free, meta.main] {
            pages.extend(tree.root.and_then(|root| usize::try_from(root).ok()));
        }
        pages.into_iter().map(|page| page * 4096).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_500))]

        #[test]
        fn any_damage_to_a_real_file_is_survived(
            changes in proptest::collection::vec((any::<Index>(), 0..200_usize, any::<u8>(), any::<bool>()), 10),
            cut in proptest::option::of(any::<Index>()),
        ) {
            let mut file = FILE.lock().unwrap_or_else(PoisonError::into_inner);
            let places = interesting(&REAL);
            let length = cut.map_or(REAL.len(), |cut| cut.index(REAL.len()));
            let mut wrong = None;
            // Each change is looked at: one case is ten mutations, one upon the other.
            for (place, offset, byte, head) in &changes {
                let at = if *head { place.get(&places) + offset } else { place.index(REAL.len()) };
                file[at] = *byte;
                if let Ok((Ok(free), _)) = walk(&file[..length], 300) {
                    wrong = wrong.or(Some(free).filter(|free| free.pinned > free.pages));
                }
            }
            for (place, offset, _, head) in &changes {
                let at = if *head { place.get(&places) + offset } else { place.index(REAL.len()) };
                file[at] = REAL[at];
            }
            prop_assert_eq!(wrong, None);
        }
    }
}
