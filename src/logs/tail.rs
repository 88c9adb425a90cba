//! One open file, read to its end and no further. It notices when the file was cut short under it.

use super::cutter::Cutter;
use super::format::Format;
use super::reader::{Body, Gather};
use crate::base::{Clean, LogLine, Mono, Now};
use core::mem;
use rustix::fs::{FileType, Mode, OFlags, SeekFrom, Stat};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CHUNK: usize = 256 * 1024;
/// Of the end of a file that was there, so much is looked at.
const END: usize = 64 * 1024;
/// One look keeps no more lines: a megabyte may hold a million.
const KEPT: usize = 20_000;
/// One look reads no more, so that other files have their turn.
const LOOK: u64 = 64 * 1024 * 1024;
/// Bytes at the beginning of a file that tell it from another one with its number.
const HEAD: usize = 128;
/// Bytes before our place that must still be there.
const BEFORE: usize = 64;

/// What one look at a source gives.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) now: Now,
    pub(super) format: Format,
    pub(super) lines: VecDeque<(Now, LogLine)>,
    pub(super) dropped: u64,
    /// True when a file holds more than one look reads.
    pub(super) more: bool,
    /// Of what it finds, the last bytes that are understood; lines before them are counted. No reader could follow.
    pub(super) budget: u64,
    /// Somebody reads for himself: nothing is understood at all.
    pub(super) gather: Option<Arc<Gather>>,
    pub(super) chunk: Vec<u8>,
    /// Where the source's files lie: two of one name are two.
    pub(super) folder: PathBuf,
}

impl Pass {
    pub(super) fn new(now: Now, format: Format) -> Self {
        let (lines, chunk, folder) = (VecDeque::new(), Vec::new(), PathBuf::new());
        Self { now, format, lines, dropped: 0, more: false, budget: u64::MAX, gather: None, chunk, folder }
    }

    fn source(&self, gather: &Gather, name: &OsStr) -> u16 {
        gather.source(&shown(self.folder.join(name).as_os_str()))
    }

    /// A line; what was `there` before us and says no time did not come now.
    fn line(&mut self, raw: &[u8], more: usize, there: bool) {
        if self.lines.len() >= KEPT {
            let oldest = self.lines.pop_front();
            self.dropped += u64::from(oldest.is_some_and(|(_, line)| !line.marker));
        }
        let line = self.format.read(raw, more);
        let mono = if there && line.time.is_none() { Mono::default() } else { self.now.mono };
        self.lines.push_back((Now { mono, ..self.now }, line));
    }

    fn mark(&mut self, of: &OsStr, message: Clean) {
        if let Some(gather) = &self.gather {
            return gather.mark(self.source(gather, of), message);
        }
        self.lines.push_back((self.now, LogLine { time: None, level: None, message, marker: true }));
    }
}

/// A file by number, and by how it begins: numbers are used again as soon as a file is gone.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) number: (u64, u64),
    pub(super) head: Vec<u8>,
    /// How far it has been read.
    offset: u64,
}

impl Identity {
    /// Whether a file with this number and beginning may be the same one, now perhaps longer.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.number == other.number && !self.head.is_empty() && other.head.starts_with(&self.head)
    }
}

#[derive(Debug)]
pub(super) struct Tail {
    pub(super) file: File,
    /// The name that leads to it, and the one that did when it was opened.
    pub(super) name: OsString,
    pub(super) began: OsString,
    pub(super) identity: Identity,
    /// False once its name leads to another file, or to none.
    pub(super) live: bool,
    /// True once another file has taken its name.
    pub(super) replaced: bool,
    /// A sentence to show before its first line.
    pub(super) announce: Option<Clean>,
    /// When it last grew.
    pub(super) grew: Mono,
    /// The kernel's watch on it.
    pub(super) watch: Option<i32>,
    before: Vec<u8>,
    size_and_time: (u64, (i64, i64)),
    cutter: Cutter,
    /// How it began before it was last cut short: a copying rotation has left a copy that begins so.
    former_head: Vec<u8>,
    edge: Edge,
    laid: Laid,
}

/// What is special about its beginning.
#[derive(Debug, Default)]
struct Edge {
    /// True right after it was cut short: a writer that kept its place leaves a hole of zeros.
    hole: bool,
    /// Up to here it was there before us.
    there: u64,
}

/// How much of a file lies in the spine of somebody who reads for himself.
#[derive(Debug)]
enum Laid {
    /// Nothing yet; it is to begin here.
    From(u64),
    /// As this body, up to here.
    To(Arc<Body>, u64),
}

impl Tail {
    /// Opens a regular file without waiting and without becoming anyone's terminal.
    ///
    /// # Errors
    /// As the system gives them; `InvalidInput` when it is no regular file.
    pub(super) fn open(path: &Path, name: OsString, now: Now) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let identity = Identity { number: number(&stat), head: head(&file, HEAD), offset: 0 };
        Ok(Self {
            file,
            began: name.clone(),
            name,
            identity,
            live: true,
            replaced: false,
            announce: None,
            grew: now.mono,
            watch: None,
            before: Vec::new(),
            size_and_time: (0, (0, 0)),
            cutter: Cutter::default(),
            former_head: Vec::new(),
            edge: Edge::default(),
            laid: Laid::From(0),
        })
    }

    /// Starts at the last `lines` lines instead of the beginning, looking back over a bounded stretch only.
    pub(super) fn skip_to_last(&mut self, lines: usize) -> io::Result<()> {
        let size = rustix::fs::fstat(&self.file).map(|stat| size(&stat))?;
        let from = size.saturating_sub(u64::try_from(END).unwrap_or(0));
        let mut chunk = vec![0; END];
        let read = self.file.read_at(&mut chunk, from)?;
        chunk.truncate(read);
        // Without the newline that ends the last whole line, `lines` ends remain before the ones we want.
        let mut ends = memchr::memrchr_iter(b'\n', &chunk);
        let start = match ends.nth(lines) {
            Some(end) => end + 1,
            None if from == 0 => 0,
            // The oldest line of the stretch has lost its beginning.
            None => memchr::memchr(b'\n', &chunk).map_or(0, |end| end + 1),
        };
        self.identity.offset = from + u64::try_from(start).unwrap_or(0);
        self.edge.there = size;
        let passed = chunk.get(..start).unwrap_or_default();
        self.before = passed.get(start.saturating_sub(BEFORE)..).unwrap_or_default().to_vec();
        Ok(())
    }

    /// Goes on where a file that was closed had been read to.
    pub(super) fn resume(&mut self, known: &Identity) {
        self.identity = known.clone();
        self.laid = Laid::From(known.offset);
    }

    /// The size and the time of the last change as they are now, and whether the file still has a name.
    pub(super) fn stat(&self) -> io::Result<((i64, i64), bool)> {
        let stat = rustix::fs::fstat(&self.file)?;
        Ok((changed(&stat), stat.st_nlink > 0))
    }

    /// Whether another file is a copy of this one, as far as its beginning tells.
    pub(super) fn is_copied_by(&self, other: &Self) -> bool {
        let heads = [&self.identity.head, &self.former_head];
        heads.iter().any(|head| !head.is_empty() && other.identity.head.starts_with(head))
    }

    /// Reads what is new.
    pub(super) fn read(&mut self, pass: &mut Pass) -> io::Result<()> {
        let stat = rustix::fs::fstat(&self.file)?;
        let now = (size(&stat), changed(&stat));
        if let Some(sentence) = self.announce.take() {
            pass.mark(&self.began, sentence);
        }
        self.lay_history(pass)?;
        if now == self.size_and_time && now.0 == self.identity.offset {
            return Ok(());
        }
        self.size_and_time = now;
        if self.was_cut(now.0)? {
            self.begin_again(pass);
            self.lay_history(pass)?;
        }
        let (size, stop) = (now.0, now.0.min(self.identity.offset + LOOK));
        let understood = size.saturating_sub(pass.budget);
        pass.budget = pass.budget.saturating_sub(size.saturating_sub(self.identity.offset));
        while self.identity.offset < stop {
            let mut chunk = mem::take(&mut pass.chunk);
            let history = usize::try_from(self.edge.there.saturating_sub(self.identity.offset)).unwrap_or(CHUNK);
            chunk.resize(if history > 0 { history.min(CHUNK) } else { CHUNK }, 0);
            let read = self.file.read_at(&mut chunk, self.identity.offset);
            if let Ok(read) = read {
                self.take(chunk.get(..read).unwrap_or_default(), understood, pass);
            }
            pass.chunk = chunk;
            if read? == 0 {
                break;
            }
            self.grew = pass.now.mono;
        }
        pass.more |= self.identity.offset < size;
        if self.identity.head.len() < HEAD {
            self.identity.head = head(&self.file, HEAD);
        }
        if let (Some(gather), Laid::To(body, upto)) = (&pass.gather, &self.laid) {
            let open = self.identity.offset.saturating_sub(*upto);
            gather.leave_open(pass.source(gather, &self.began), body, (*upto, open));
        }
        Ok(())
    }

    /// The last line, which nobody will end any more.
    pub(super) fn finish(&mut self, pass: &mut Pass) {
        if let (Some(gather), Laid::To(body, upto)) = (&pass.gather, &mut self.laid) {
            let rest = self.identity.offset.saturating_sub(*upto);
            gather.lay(pass.source(gather, &self.began), body, (*upto, rest), u64::from(rest > 0));
            *upto = self.identity.offset;
            body.end();
        }
        if !self.cutter.is_empty() {
            self.cutter.finish(|line, more| pass.line(line, more, false));
        }
    }

    /// What was there before the first look, as it lies: nobody counts it.
    fn lay_history(&mut self, pass: &Pass) -> io::Result<()> {
        if let (Some(gather), Laid::From(from)) = (&pass.gather, &self.laid) {
            let (from, body) = (*from, Arc::new(Body::file(self.file.try_clone()?)));
            let there = self.identity.offset.saturating_sub(from);
            gather.lay(pass.source(gather, &self.began), &body, (from, there), 0);
            self.laid = Laid::To(body, self.identity.offset);
        }
        Ok(())
    }

    fn take(&mut self, chunk: &[u8], understood: u64, pass: &mut Pass) {
        self.identity.offset += u64::try_from(chunk.len()).unwrap_or(0);
        self.before.extend_from_slice(chunk.get(chunk.len().saturating_sub(BEFORE)..).unwrap_or_default());
        self.before.drain(..self.before.len().saturating_sub(BEFORE));
        let mut text = chunk;
        if self.edge.hole {
            let zeros = chunk.iter().take_while(|byte| **byte == 0).count();
            text = chunk.get(zeros..).unwrap_or_default();
            self.edge.hole = text.is_empty();
        }
        if let (Some(gather), Laid::To(body, upto)) = (&pass.gather, &mut self.laid) {
            let begin = self.identity.offset - count(text.len());
            if text.len() < chunk.len() {
                *upto = begin;
            }
            if let Some(last) = memchr::memrchr(b'\n', text) {
                let end = begin + count(last) + 1;
                let lines = count(memchr::memchr_iter(b'\n', text).count());
                gather.lay(pass.source(gather, &self.began), body, (*upto, end - *upto), lines);
                *upto = end;
            }
        } else if self.identity.offset <= understood {
            pass.dropped += self.cutter.count(text);
        } else {
            let there = self.identity.offset <= self.edge.there;
            self.cutter.feed(text, |line, more| pass.line(line, more, there));
        }
    }

    /// Shorter than our place, or other bytes before it: it was emptied and written again.
    fn was_cut(&self, size: u64) -> io::Result<bool> {
        if size < self.identity.offset {
            return Ok(true);
        }
        let mut now = [0; BEFORE];
        let Some(now) = now.get_mut(..self.before.len()) else { return Ok(false) };
        let at = self.identity.offset.saturating_sub(u64::try_from(self.before.len()).unwrap_or(0));
        let read = self.file.read_at(now, at)?;
        Ok(read == self.before.len() && *now != *self.before)
    }

    fn begin_again(&mut self, pass: &mut Pass) {
        let sentence = crate::clean!("{}: emptied by its owner, read from its beginning", shown(&self.name));
        let start = rustix::fs::seek(&self.file, SeekFrom::Data(0)).unwrap_or(0);
        if let (Some(gather), Laid::To(body, _)) = (&pass.gather, &self.laid) {
            // What was there can be read nowhere any more.
            gather.forget(body, u64::MAX, None);
            self.laid = Laid::From(start);
        } else {
            self.finish(pass);
        }
        pass.mark(&self.began, sentence);
        (self.identity.offset, self.edge.there) = (start, 0);
        self.before.clear();
        self.former_head = mem::take(&mut self.identity.head);
        self.edge.hole = true;
    }
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

pub(super) fn number(stat: &Stat) -> (u64, u64) {
    (stat.st_dev, stat.st_ino)
}

pub(super) fn changed(stat: &Stat) -> (i64, i64) {
    (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0))
}

fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn head(file: &File, length: usize) -> Vec<u8> {
    let mut head = vec![0; length];
    let read = file.read_at(&mut head, 0).unwrap_or(0);
    head.truncate(read);
    head
}

/// A file's name as a person may see it: bytes that are no text are spelt out, so that two names never look the same.
pub(super) fn shown(name: &OsStr) -> Clean {
    Clean::text(name.as_encoded_bytes())
}
