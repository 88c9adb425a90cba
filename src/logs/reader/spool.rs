//! What a pipe brings, kept in memory as far as there is room: the newest bytes, as a body of a spine. What gives way
//! is counted line by line.

use super::body::Body;
use super::gather::Gather;
use crate::base::{Clean, Fault};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Bytes of a block, and blocks kept: 32 MiB.
const BLOCK: usize = 256 * 1024;
const BLOCKS: usize = 128;
const STACK: usize = 256 * 1024;

#[derive(Debug)]
struct Block {
    at: u64,
    bytes: Vec<u8>,
}

/// The newest bytes of a stream.
#[derive(Debug, Default)]
pub(super) struct Spool {
    blocks: Mutex<VecDeque<Block>>,
}

impl Spool {
    /// As [`Body::read_at`]; nothing where it has given way.
    pub(super) fn read_at(&self, buffer: &mut [u8], at: u64) -> usize {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let after = blocks.partition_point(|block| block.at <= at);
        let Some(block) = after.checked_sub(1).and_then(|index| blocks.get(index)) else { return 0 };
        let from = usize::try_from(at - block.at).unwrap_or(usize::MAX);
        let found = block.bytes.get(from..).unwrap_or_default();
        let count = found.len().min(buffer.len());
        if let (Some(to), Some(part)) = (buffer.get_mut(..count), found.get(..count)) {
            to.copy_from_slice(part);
        }
        count
    }

    /// Adds bytes at the end; gives the place of the first line that is whole now, and the lines lost, when a block
    /// had to give way.
    fn push(&self, at: u64, bytes: &[u8]) -> Option<(u64, u64)> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let room = blocks.back().map_or(0, |last| BLOCK.saturating_sub(last.bytes.len()));
        let (head, rest) = bytes.split_at_checked(room.min(bytes.len())).unwrap_or((bytes, &[]));
        if let Some(last) = blocks.back_mut() {
            last.bytes.extend_from_slice(head);
        }
        if rest.is_empty() {
            return None;
        }
        let mut block = Vec::with_capacity(BLOCK);
        block.extend_from_slice(rest);
        blocks.push_back(Block { at: at + count(head.len()), bytes: block });
        if blocks.len() <= BLOCKS {
            return None;
        }
        let gone = blocks.pop_front()?;
        let next = blocks.front()?;
        // A block after the first begins where the last loss ended: with the rest of a line that was counted already.
        let partial = |block: &Block| memchr::memchr(b'\n', &block.bytes).map_or(block.bytes.len(), |at| at + 1);
        let begun = if gone.at == 0 { 0 } else { partial(&gone) };
        let lost = newlines(gone.bytes.get(begun..).unwrap_or_default());
        let first = partial(next);
        let cut = u64::from(memchr::memchr(b'\n', &next.bytes).is_some());
        Some((next.at + count(first), lost + cut))
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    count(memchr::memchr_iter(b'\n', bytes).count())
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Gather {
    /// Reads a stream to its end on a thread of its own. It may wait for ever: nobody waits for the thread.
    ///
    /// # Errors
    /// A sentence when no thread can be started.
    pub fn take_stream(self: &Arc<Self>, name: &Clean, stream: File) -> Result<(), Fault> {
        let gather = Arc::clone(self);
        let source = self.source(name);
        let thread = thread::Builder::new().name("log-stream".to_owned()).stack_size(STACK);
        thread
            .spawn(move || gather.take_all(source, stream))
            .map(drop)
            .map_err(|error| Fault::new(format!("standard input cannot be read: {error}.")))
    }

    fn take_all(&self, source: u16, mut stream: File) {
        let spool = Arc::new(Spool::default());
        let body = Arc::new(Body::spool(Arc::clone(&spool)));
        let mut buffer = vec![0; BLOCK];
        let (mut at, mut laid) = (0, 0);
        loop {
            let read = match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.judge(0, Some(Fault::new(format!("standard input cannot be read: {error}."))));
                    break;
                }
            };
            let bytes = buffer.get(..read).unwrap_or_default();
            let lost = spool.push(at, bytes);
            if let Some(last) = memchr::memrchr(b'\n', bytes) {
                let end = at + count(last) + 1;
                self.lay(source, &body, (laid, end - laid), newlines(bytes));
                laid = end;
            }
            at += count(read);
            if let Some((from, lines)) = lost {
                self.forget(&body, from, Some(lines));
            }
            self.leave_open(source, &body, (laid, at - laid));
            self.grew();
        }
        if at > laid {
            self.lay(source, &body, (laid, at - laid), 1);
        }
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::reader::{From, Lines, Reader, Want};
    use crate::sys::bell::Bell;
    use std::io::{Seek as _, Write as _};

    #[test]
    fn of_a_stream_larger_than_its_room_what_is_held_and_what_is_lost_are_all() {
        let mut file = tempfile::tempfile().expect("a file");
        let lines = 45_000_u64;
        let text: String =
            (0..lines).map(|n| format!("a line of some length, number {n:09} {}\n", "x".repeat(900))).collect();
        file.write_all(text.as_bytes()).expect("writes");
        file.rewind().expect("rewinds");
        let gather = Gather::new(Arc::new(Bell::default()));
        gather.take_all(gather.source(&"stdin".into()), file);
        let status = gather.status();
        let mut reader = Reader::new(gather.strands());
        let page = reader.page(&Want { id: 0, from: From::Start, back: 1, ahead: usize::MAX });
        assert_eq!(status.lines, lines);
        assert!(status.dropped > 0 && status.ended && page.first && page.last);
        assert_eq!(count(page.rows.len()) + status.dropped, lines);
        assert!(page.rows[0].line.message.as_str().starts_with("a line of some"), "{:?}", page.rows[0]);
    }
}
