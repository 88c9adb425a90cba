//! A piece of a spine as a stream of exactly its places, for the engine: what is gone reads as empty lines, and a line
//! that never ends gets its end now and then, so that the engine's memory stays bounded.

use crate::logs::reader::{Extent, Stuff};
use core::sync::atomic::{AtomicBool, Ordering};
use std::io::{self, Read};

/// A line of so many bytes is ended.
const LONGEST: u64 = 4 * 1024 * 1024;

pub(super) struct Stream<'a> {
    /// Without a gap between them.
    extents: &'a [Extent],
    /// Places of the first of them that have been read.
    done: u64,
    since_newline: u64,
    stop: &'a AtomicBool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(extents: &'a [Extent], stop: &'a AtomicBool) -> Self {
        Self { extents, done: 0, since_newline: 0, stop }
    }

    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((first, rest)) = self.extents.split_first() else { return Ok(0) };
        let left = first.len - self.done;
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get_mut(..room).unwrap_or_default();
        let read = match &first.stuff {
            Stuff::Bytes(body, from) => body.read_at(part, from + self.done)?,
            Stuff::Mark(_) => 0,
        };
        part.iter_mut().skip(read).for_each(|byte| *byte = b'\n');
        self.done += u64::try_from(room).unwrap_or(left);
        if self.done >= first.len {
            (self.extents, self.done) = (rest, 0);
        }
        Ok(room)
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let read = self.next(buffer)?;
        let part = buffer.get_mut(..read).unwrap_or_default();
        let count = |bytes: usize| u64::try_from(bytes).unwrap_or(0);
        match memchr::memrchr(b'\n', part) {
            Some(at) => self.since_newline = count(part.len() - at - 1),
            None => self.since_newline += count(part.len()),
        }
        if self.since_newline > LONGEST
            && let Some(last) = part.last_mut()
        {
            *last = b'\n';
            self.since_newline = 0;
        }
        Ok(read)
    }
}
