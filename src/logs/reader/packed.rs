//! A gzip file read as what it holds: unpacked from the front as far as is asked for, the last few megabytes kept.
//! Going back beyond them begins anew: memory stays bounded, time pays.

use super::body::Body;
use super::gather::Gather;
use crate::base::{Clean, Fault};
use crate::clean;
use flate2::read::MultiGzDecoder;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

const BLOCK: usize = 256 * 1024;
/// Blocks kept: 4 MiB.
const BLOCKS: usize = 16;
const STACK: usize = 256 * 1024;

/// Reads a file by offset, so that two decoders may share one descriptor.
#[derive(Debug)]
struct Packets {
    file: Arc<File>,
    at: u64,
}

impl Read for Packets {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += count(read);
        Ok(read)
    }
}

/// One pass over a packed file.
#[derive(Debug)]
struct Unpacking {
    decoder: MultiGzDecoder<Packets>,
    /// The place after what has been unpacked.
    end: u64,
    blocks: VecDeque<(u64, Vec<u8>)>,
}

impl Unpacking {
    fn new(file: Arc<File>) -> Self {
        Self { decoder: MultiGzDecoder::new(Packets { file, at: 0 }), end: 0, blocks: VecDeque::new() }
    }

    /// Unpacks one more block; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        let mut block = if self.blocks.len() >= BLOCKS {
            self.blocks.pop_front().map(|(_, block)| block).unwrap_or_default()
        } else {
            Vec::with_capacity(BLOCK)
        };
        block.clear();
        let limit = count(BLOCK);
        self.decoder.by_ref().take(limit).read_to_end(&mut block)?;
        let at = self.end;
        self.end += count(block.len());
        let any = !block.is_empty();
        self.blocks.push_back((at, block));
        Ok(any)
    }
}

/// A packed file whose content can be read at an offset.
#[derive(Debug)]
pub(super) struct Packed {
    file: Arc<File>,
    pass: Mutex<Unpacking>,
}

impl Packed {
    fn new(file: Arc<File>) -> Self {
        let pass = Mutex::new(Unpacking::new(Arc::clone(&file)));
        Self { file, pass }
    }

    /// As [`Body::read_at`].
    pub(super) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        if pass.blocks.front().is_some_and(|(first, _)| at < *first) {
            *pass = Unpacking::new(Arc::clone(&self.file));
        }
        while pass.end <= at {
            if !pass.more()? {
                return Ok(0);
            }
        }
        let found = pass.blocks.iter().rev().find(|(first, _)| *first <= at);
        let part = found.and_then(|(first, block)| block.get(usize::try_from(at - first).ok()?..)).unwrap_or_default();
        let count = part.len().min(buffer.len());
        if let (Some(to), Some(part)) = (buffer.get_mut(..count), part.get(..count)) {
            to.copy_from_slice(part);
        }
        Ok(count)
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl Gather {
    /// Reads a gzip file to its end on a thread of its own; its lines can be read as they are found. What is wrong with
    /// it is told where the others' faults are.
    ///
    /// # Errors
    /// A sentence when no thread can be started.
    pub fn take_packed(self: &Arc<Self>, at: usize, path: &Path) -> Result<(), Fault> {
        let (gather, path) = (Arc::clone(self), path.to_owned());
        let thread = thread::Builder::new().name("log-unpack".to_owned()).stack_size(STACK);
        let run = move || gather.judge(at, gather.read_packed(&path).err());
        thread.spawn(run).map(drop).map_err(|error| Fault::new(format!("a packed log cannot be read: {error}.")))
    }

    fn read_packed(&self, path: &Path) -> Result<(), Fault> {
        let name = Clean::text(path.as_os_str().as_encoded_bytes());
        let fault = |what| Fault::new(what).at(path.to_string_lossy(), 0, 0);
        let file = open(path).map_err(|error| fault(clean!("it cannot be read: {error}.")))?;
        let told = self.unpack(self.source(&name), &Arc::new(file));
        told.map_err(|error| fault(clean!("it cannot be unpacked to its end: {error}.")))
    }

    fn unpack(&self, source: u16, file: &Arc<File>) -> io::Result<()> {
        let body = Arc::new(Body::packed(Packed::new(Arc::clone(file))));
        let mut pass = Unpacking::new(Arc::clone(file));
        let mut laid = 0;
        while pass.more()? {
            let Some((at, block)) = pass.blocks.back() else { break };
            if let Some(last) = memchr::memrchr(b'\n', block) {
                let end = at + count(last) + 1;
                self.lay(source, &body, (laid, end - laid), count(memchr::memchr_iter(b'\n', block).count()));
                laid = end;
            }
            self.grew();
        }
        let rest = pass.end - laid;
        self.lay(source, &body, (laid, rest), u64::from(rest > 0));
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{FileType, Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no regular file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::reader::{From, Lines, Reader, Want};
    use crate::sys::bell::Bell;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    #[test]
    fn a_packed_file_is_read_at_its_end_and_again_from_its_beginning() {
        let mut packer = GzEncoder::new(tempfile::tempfile().expect("a file"), Compression::fast());
        for n in 0..400_000 {
            writeln!(packer, "line {n} of what was packed").expect("packs");
        }
        let file = Arc::new(packer.finish().expect("ends"));
        let gather = Gather::new(Arc::new(Bell::default()));
        gather.unpack(gather.source(&"a.gz".into()), &file).expect("unpacks");
        let mut reader = Reader::new(gather.strands());
        let first = |reader: &mut Reader, from, back, ahead| {
            reader.page(&Want { id: 0, from, back, ahead }).rows.first().map(|row| row.line.message.to_string())
        };
        assert_eq!(gather.status().lines, 400_000);
        assert_eq!(first(&mut reader, From::End, 1, 0).as_deref(), Some("line 399999 of what was packed"));
        assert_eq!(first(&mut reader, From::Start, 0, 1).as_deref(), Some("line 0 of what was packed"));
        file.set_len(1_000).expect("cuts");
        assert!(gather.unpack(0, &file).is_err());
    }
}
