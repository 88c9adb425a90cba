//! The blocks that were read last: paging to and fro reads each once. Bounded, and only whole blocks are kept: a file
//! that grows has nothing stale here. The block at its end is kept as long as it holds all that is asked for.

use super::body::Body;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Bytes of one block.
pub(super) const BLOCK: usize = 64 * 1024;
/// Blocks kept: 1 MiB.
const KEPT: usize = 16;

/// Of a block: its file and its number.
type Name = (u64, u64);

#[derive(Debug, Default)]
pub(super) struct Cache {
    /// The one used last stands last.
    blocks: VecDeque<(Name, Arc<[u8]>)>,
    /// A block that ended early.
    last: Option<(Name, Arc<[u8]>)>,
}

impl Cache {
    /// The block with this number; shorter than a block at the end, but not for want of `wanted` bytes that are there.
    /// `keep` is false for what is only passed over.
    pub(super) fn block(&mut self, body: &Body, number: u64, wanted: usize, keep: bool) -> io::Result<Arc<[u8]>> {
        let key = (body.id, number);
        if let Some((_, block)) = self.last.as_ref().filter(|(known, block)| *known == key && block.len() >= wanted) {
            return Ok(Arc::clone(block));
        }
        if let Some(at) = self.blocks.iter().rposition(|(known, _)| *known == key) {
            let found = self.blocks.remove(at);
            if let Some((key, block)) = found {
                self.blocks.push_back((key, Arc::clone(&block)));
                return Ok(block);
            }
        }
        let mut bytes = vec![0; BLOCK];
        let read = body.read_at(&mut bytes, number.saturating_mul(size()))?;
        bytes.truncate(read);
        let block: Arc<[u8]> = bytes.into();
        if keep && read == BLOCK {
            self.blocks.push_back((key, Arc::clone(&block)));
            if self.blocks.len() > KEPT {
                self.blocks.pop_front();
            }
        } else if read < BLOCK {
            self.last = Some((key, Arc::clone(&block)));
        }
        Ok(block)
    }
}

/// [`BLOCK`] as offsets count.
pub(super) fn size() -> u64 {
    u64::try_from(BLOCK).unwrap_or(1)
}
