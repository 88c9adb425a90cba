//! Something whose bytes can be read at an offset: an open file, for as long as we keep it open.

use super::packed::Packed;
use super::spool::Spool;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Bytes by offset. Two bodies are never the same, even of one file that was emptied in between.
#[derive(Debug)]
pub struct Body {
    pub(super) id: u64,
    kind: Kind,
    /// Nobody writes to it or looks for more in it.
    over: AtomicBool,
}

#[derive(Debug)]
enum Kind {
    File(File),
    Spool(Arc<Spool>),
    Packed(Box<Packed>),
}

impl Body {
    /// An open file. It stays readable when its name is gone.
    pub fn file(file: File) -> Self {
        Self::new(Kind::File(file))
    }

    /// What a stream has brought.
    pub(super) fn spool(spool: Arc<Spool>) -> Self {
        Self::new(Kind::Spool(spool))
    }

    /// What a gzip file holds.
    pub(super) fn packed(packed: Packed) -> Self {
        Self::new(Kind::Packed(Box::new(packed)))
    }

    fn new(kind: Kind) -> Self {
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), kind, over: AtomicBool::new(false) }
    }

    /// Whoever followed it has let it go: it is here for whoever reads back.
    pub(in crate::logs) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Bytes on the disk that only our descriptor keeps there.
    pub(super) fn kept_alive(&self) -> u64 {
        let Kind::File(file) = &self.kind else { return 0 };
        let stat = rustix::fs::fstat(file).ok().filter(|stat| stat.st_nlink == 0);
        stat.map_or(0, |stat| u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512))
    }

    /// Fills `buffer` from `at` on as far as there are bytes; fewer mean the end, or bytes that are gone.
    ///
    /// # Errors
    /// As the system gives them.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut full = 0;
        while let Some(rest) = buffer.get_mut(full..).filter(|rest| !rest.is_empty()) {
            let from = at.saturating_add(u64::try_from(full).unwrap_or(u64::MAX));
            let read = match &self.kind {
                Kind::File(file) => file.read_at(rest, from),
                Kind::Packed(packed) => packed.read_at(rest, from),
                Kind::Spool(spool) => Ok(spool.read_at(rest, from)),
            };
            match read {
                Ok(0) => break,
                Ok(read) => full += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(full)
    }
}
