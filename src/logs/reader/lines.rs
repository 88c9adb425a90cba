//! Lines around a place of a spine, read backwards and forwards in blocks. Of a long line the beginning is kept and
//! the rest counted; bytes without any newline are cut where their offset says, so that both ways agree.

use super::body::Body;
use super::cache::{BLOCK, Cache, size};
use super::page::Row;
use super::spine::{Extent, Spine, Stuff};
use crate::base::clean::LINE_LIMIT;
use crate::base::{Clean, LogLine};
use crate::logs::Format;
use crate::sys::secret::hide_clean;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// A stretch of so many bytes that begins at a multiple of itself and holds no newline ends a line.
const CUT: u64 = 16 * 1024 * 1024;

/// Reads a spine that others may lengthen meanwhile.
#[derive(Debug)]
pub(super) struct SpineReader {
    spine: Arc<Mutex<Spine>>,
    cache: Cache,
}

/// A line as it lies: where, its beginning, and how many bytes of it are not there.
struct Raw {
    next: u64,
    bytes: Vec<u8>,
    more: usize,
}

impl SpineReader {
    /// A reader of this spine.
    pub(super) fn new(spine: Arc<Mutex<Spine>>) -> Self {
        Self { spine, cache: Cache::default() }
    }

    /// The beginning of the line that holds a place; a place beyond the end stays there.
    ///
    pub(super) fn line_start(&mut self, place: u64) -> io::Result<u64> {
        let Some(extent) = self.locked(|spine| spine.at(place)) else {
            return Ok(self.locked(Spine::limit));
        };
        if place <= extent.at { Ok(extent.at) } else { self.start_within(&extent, place + 1) }
    }

    /// The row at the beginning of a line; `None` at the end.
    ///
    pub(super) fn row(&mut self, place: u64) -> io::Result<Option<Row>> {
        let Some((extent, end)) = self.locked(|spine| Some((spine.at(place)?, spine.end()))) else { return Ok(None) };
        // What lay between has been forgotten.
        let place = place.max(extent.at);
        let row =
            |next, line| Row { place, next, source: extent.source, open: place >= end, line, about: None, back: None };
        let Stuff::Bytes(body, from) = &extent.stuff else {
            let Stuff::Mark(message) = &extent.stuff else { return Ok(None) };
            let line = LogLine { time: None, level: None, message: message.clone(), marker: true };
            return Ok(Some(row(extent.end(), line)));
        };
        let raw = self.line_within(&extent, body, *from, place)?;
        Ok(Some(row(raw.next, understood(&raw.bytes, raw.more))))
    }

    /// The last row that begins before a place.
    pub(super) fn before(&mut self, place: u64) -> io::Result<Option<Row>> {
        let Some(extent) = self.locked(|spine| spine.before(place)) else { return Ok(None) };
        let start = self.start_within(&extent, place.min(extent.end()))?;
        Ok(self.row(start)?.filter(|row| row.place < place))
    }

    fn locked<T>(&self, read: impl FnOnce(&Spine) -> T) -> T {
        read(&self.spine.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The beginning of the line whose last byte lies before `end`, within a stretch.
    fn start_within(&mut self, extent: &Extent, end: u64) -> io::Result<u64> {
        let Stuff::Bytes(body, from) = &extent.stuff else { return Ok(extent.at) };
        // Offsets in the body from here on; the last byte may be the newline that ends the line.
        let last = from + (end - extent.at).saturating_sub(1);
        let cut = last / CUT * CUT;
        let floor = cut.checked_sub(CUT).filter(|floor| floor >= from);
        let stop = floor.unwrap_or(*from);
        let mut upto = last;
        while upto > stop {
            let number = (upto - 1) / size();
            let begin = number * size();
            let (low, high) = (within(stop.saturating_sub(begin)), within(upto - begin));
            let block = self.cache.block(body, number, high, last - upto < size() * 2)?;
            let high = high.min(block.len());
            let part = block.get(low..high).unwrap_or_default();
            if let Some(at) = memchr::memrchr(b'\n', part) {
                return Ok(extent.at + (begin + as_offset(low + at) + 1 - from));
            }
            upto = begin.max(stop);
        }
        Ok(extent.at + (floor.map_or(*from, |_| cut) - from))
    }

    /// The line that begins at `place`, within a stretch.
    fn line_within(&mut self, extent: &Extent, body: &Body, from: u64, place: u64) -> io::Result<Raw> {
        let start = from + (place - extent.at);
        let cut = start.div_ceil(CUT).saturating_add(1).saturating_mul(CUT);
        let stop = cut.min(from + extent.len);
        let mut raw = Raw { next: extent.at + (stop - from), bytes: Vec::new(), more: 0 };
        let mut at = start;
        while at < stop {
            let number = at / size();
            let begin = number * size();
            let (low, high) = (within(at - begin), within(stop - begin));
            let block = self.cache.block(body, number, high, at - start < size() * 2)?;
            let high = high.min(block.len());
            let part = block.get(low..high).unwrap_or_default();
            let end = memchr::memchr(b'\n', part);
            raw.take(part.get(..end.unwrap_or(part.len())).unwrap_or_default());
            if let Some(end) = end {
                raw.next = extent.at + (at + as_offset(end) + 1 - from);
                break;
            }
            if part.is_empty() {
                // Shorter than it was: cut under us. What was there is gone.
                break;
            }
            at += as_offset(part.len());
        }
        if raw.more == 0 && raw.bytes.last() == Some(&b'\r') {
            raw.bytes.pop();
        }
        Ok(raw)
    }
}

impl Raw {
    fn take(&mut self, part: &[u8]) {
        let room = LINE_LIMIT.saturating_sub(self.bytes.len()).min(part.len());
        self.bytes.extend_from_slice(part.get(..room).unwrap_or_default());
        self.more += part.len() - room;
    }
}

/// A line with its time and level read, shown as it was written.
fn understood(bytes: &[u8], more: usize) -> LogLine {
    let format = if bytes.first() == Some(&b'{') { Format::Json } else { Format::Plain };
    let mut line = format.read(bytes, more);
    line.message = Clean::cut(bytes, more);
    hide_clean(&mut line.message);
    line
}

fn within(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX).min(BLOCK)
}

fn as_offset(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::reader::{From, Lines as _, Reader, Strands, Want};
    use proptest::prelude::*;
    use std::io::Write as _;

    fn laid(parts: &[&[u8]]) -> Reader {
        let mut spine = Spine::default();
        for (at, part) in (0_u16..).zip(parts) {
            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(part).expect("writes");
            let whole = memchr::memrchr(b'\n', part).map_or(0, |at| at + 1);
            let body = Arc::new(Body::file(file));
            spine.lay(at, &body, (0, as_offset(whole)), 0);
            spine.leave_open(at, &body, as_offset(whole), as_offset(part.len() - whole));
        }
        Reader::new(Strands::of(Arc::new(Mutex::new(spine))))
    }

    fn all(reader: &mut Reader, from: From, back: usize, ahead: usize) -> Vec<String> {
        let page = reader.page(&Want { id: 0, from, back, ahead });
        assert!(page.fault.is_none() && page.rows.windows(2).all(|pair| pair[0].next == pair[1].place));
        page.rows.iter().map(|row| row.line.message.to_string()).collect()
    }

    #[test]
    fn lines_are_found_both_ways_over_two_files_and_an_open_line() {
        let mut reader = laid(&[b"one\ntwo\r\n\nfour\n", b"five\nsi"]);
        assert_eq!(all(&mut reader, From::End, 3, 0), ["four", "five", "si"]);
        assert_eq!(all(&mut reader, From::End, 99, 9), ["one", "two", "", "four", "five", "si"]);
        assert_eq!(all(&mut reader, From::Start, 9, 2), ["one", "two"]);
        assert_eq!(all(&mut reader, From::At(6), 1, 1), ["one", "two"]);
        let page = reader.page(&Want { id: 7, from: From::End, back: 1, ahead: 0 });
        assert!(page.rows[0].open && page.last && !page.first && page.id == 7);
    }

    #[test]
    fn a_line_of_ten_megabytes_is_one_line_and_bytes_without_a_newline_are_cut() {
        let long = [b"a\n".as_slice(), &vec![b'x'; 10_000_000], b"\nz\n"].concat();
        let mut reader = laid(&[&long]);
        let found = all(&mut reader, From::End, 9, 0);
        assert_eq!((found.len(), &*found[2]), (3, "z"));
        assert!(found[1].ends_with("x<+9983616 bytes>"), "{}", found[1].get(LINE_LIMIT - 5..).unwrap_or_default());
        let mut reader = laid(&[&vec![0; 50_000_000]]);
        assert_eq!(reader.limit(), 50_000_000);
        let ahead: Vec<u64> = reader
            .page(&Want { id: 0, from: From::Start, back: 0, ahead: 9 })
            .rows
            .iter()
            .map(|row| row.place)
            .collect();
        let back: Vec<u64> =
            reader.page(&Want { id: 0, from: From::End, back: 9, ahead: 0 }).rows.iter().map(|row| row.place).collect();
        assert_eq!(ahead, back);
        assert_eq!(ahead, [0, CUT, 2 * CUT]);
    }

    #[test]
    fn a_file_cut_short_under_the_reader_is_no_fault() {
        let file = tempfile::tempfile().expect("a file");
        let mut spine = Spine::default();
        spine.lay(0, &Arc::new(Body::file(file)), (0, 1_000_000), 0);
        let mut reader = Reader::new(Strands::of(Arc::new(Mutex::new(spine))));
        assert_eq!(all(&mut reader, From::End, 3, 3), [""]);
    }

    proptest! {
        #[test]
        fn both_ways_agree(texts in prop::collection::vec("[a\n]{0,40}", 1..4), at in 0_u64..120) {
            let parts: Vec<Vec<u8>> = texts.iter().map(|text| format!("{text}\n").into_bytes()).collect();
            let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let mut reader = laid(&slices);
            let whole = parts.concat();
            let text = String::from_utf8(whole).expect("ASCII");
            let lines: Vec<String> = text.split_terminator('\n').map(str::to_owned).collect();
            prop_assert_eq!(all(&mut reader, From::Start, 0, 999), lines.clone());
            prop_assert_eq!(all(&mut reader, From::End, 999, 0), lines.clone());
            prop_assert_eq!(all(&mut reader, From::At(at), 999, 999), lines);
        }
    }
}
