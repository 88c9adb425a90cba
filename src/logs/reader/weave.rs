//! Many strands as one row by time, read where somebody looks. A stretch that is large is halved at a time, by looking
//! that time up in each strand, until it holds lines of one strand only or is small enough to be sorted. How it is
//! halved depends on nothing but the stretch, so whoever reads, and from wherever he comes, finds the same row.

use super::lines::SpineReader;
use super::page::Row;
use super::strands::{Cut, Due, Piece, Strands, place, sum};
use crate::base::{LogLine, Wall};
use crate::logs::Format;
use crate::sys::zone;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Bytes that are sorted at once.
const SORTED: u64 = if cfg!(test) { 200 } else { 256 * 1024 };
/// Sorted pieces that are kept.
const KEPT: usize = 3;
/// Lines looked at for one that says its time: a trace is not longer.
const TIMELESS: usize = 256;

pub(super) struct Weaver {
    strands: Arc<Strands>,
    readers: Vec<SpineReader>,
    /// From what lies between two borders down to the piece that was read last.
    path: Vec<Piece>,
    sorted: VecDeque<Sorted>,
    /// Seconds east of UTC of clocks that do not say so.
    east: i32,
}

struct Sorted {
    piece: Piece,
    rows: Vec<Row>,
    /// Of each row: its place in its strand.
    own: Vec<u64>,
}

impl core::fmt::Debug for Weaver {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Weaver").field("strands", &self.readers.len()).finish_non_exhaustive()
    }
}

impl Weaver {
    pub(super) fn new(strands: Arc<Strands>) -> Self {
        let east = zone::local(strands.began()).east;
        Self { strands, readers: Vec::new(), path: Vec::new(), sorted: VecDeque::new(), east }
    }

    /// The row that holds a place, or the first one behind it.
    pub(super) fn row(&mut self, mut at: u64) -> io::Result<Option<Row>> {
        while let Some(piece) = self.piece(at)? {
            if let Some(row) = self.row_in(&piece, at)? {
                return Ok(Some(row));
            }
            at = piece.end();
        }
        Ok(None)
    }

    /// The last row that begins before a place.
    pub(super) fn before(&mut self, mut at: u64) -> io::Result<Option<Row>> {
        at = at.min(self.strands.span().2);
        while let Some(piece) = at.checked_sub(1).map(|last| self.piece(last)).transpose()?.flatten() {
            let row = match lone(&piece) {
                Some(strand) => {
                    let (base, (low, _)) = (base(&piece, strand), piece.of(strand));
                    let reader = self.reader(strand);
                    let row = reader.map(|reader| reader.before(at.saturating_sub(base))).transpose()?.flatten();
                    row.filter(|row| row.place >= low).map(|row| moved(row, base, piece.open))
                }
                None => self.sorted(&piece)?.rows.iter().rev().find(|row| row.place < at).cloned(),
            };
            if row.is_some() {
                return Ok(row);
            }
            at = piece.at;
        }
        Ok(None)
    }

    /// Where a place of the whole lies in each strand: everything before that line, and nothing of it.
    pub(super) fn cut(&mut self, at: u64) -> io::Result<Cut> {
        let Some(piece) = self.piece(at)? else { return Ok(self.strands.all().iter().map(end).collect()) };
        let mut cut = piece.low.clone();
        cut.resize(piece.high.len().max(cut.len()), 0);
        if let Some(strand) = lone(&piece) {
            cut.clone_from(&piece.high);
            let (low, high) = piece.of(strand);
            if let Some(own) = cut.get_mut(strand) {
                *own = at.saturating_sub(base(&piece, strand)).clamp(low, high);
            }
            return Ok(cut);
        }
        let sorted = self.sorted(&piece)?;
        for (row, own) in sorted.rows.iter().zip(&sorted.own).take_while(|(row, _)| row.next <= at) {
            if let Some(cut) = cut.get_mut(usize::from(row.source)) {
                *cut = own + (row.next - row.place);
            }
        }
        Ok(cut)
    }

    /// The place in the whole of each of these lines of a strand, which stand in order and are settled.
    pub(super) fn places(&mut self, strand: usize, own: &[u64]) -> io::Result<Vec<u64>> {
        let mut found = Vec::with_capacity(own.len());
        for own in own {
            let Some(root) = self.strands.holding(strand, *own) else { continue };
            let Some(piece) =
                self.descend(root, |piece| place(&piece.low, strand) <= *own && *own < place(&piece.high, strand))?
            else {
                continue;
            };
            if lone(&piece).is_some() {
                found.push(base(&piece, strand) + own);
                continue;
            }
            let sorted = self.sorted(&piece)?;
            let rows = sorted.rows.iter().zip(&sorted.own);
            found.extend(
                rows.into_iter()
                    .find(|(row, at)| usize::from(row.source) == strand && *at == own)
                    .map(|(row, _)| row.place),
            );
        }
        Ok(found)
    }

    /// Lays a border behind what has been there long enough.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        let Some(due) = self.strands.due() else { return Ok(()) };
        let Due { from, may, must } = &due;
        let near = self.strands.began();
        // Of what came a moment ago, the oldest: nothing younger may be settled before it.
        let mut oldest: Option<Wall> = None;
        for (strand, spine) in self.strands.all().iter().enumerate() {
            let first = self.timed(strand, place(may, strand), end(spine), near)?;
            oldest = [oldest, first.map(|(_, _, at)| at)].into_iter().flatten().min();
        }
        let mut cut = Vec::new();
        for (strand, may) in may.iter().enumerate() {
            let low = place(from, strand);
            let found = match oldest {
                Some(oldest) => self.seek(strand, (low, *may), oldest, near)?,
                None => *may,
            };
            cut.push(found.max(place(must, strand)).max(low));
        }
        if sum(&cut) > sum(from) {
            self.strands.border(&due, cut);
        }
        Ok(())
    }

    fn reader(&mut self, strand: usize) -> Option<&mut SpineReader> {
        if self.readers.len() <= strand {
            let spines = self.strands.all();
            self.readers.extend(spines.into_iter().skip(self.readers.len()).map(SpineReader::new));
        }
        self.readers.get_mut(strand)
    }

    fn row_in(&mut self, piece: &Piece, at: u64) -> io::Result<Option<Row>> {
        let Some(strand) = lone(piece) else {
            return Ok(self.sorted(piece)?.rows.iter().find(|row| row.next > at).cloned());
        };
        let (base, (low, high)) = (base(piece, strand), piece.of(strand));
        let Some(reader) = self.reader(strand) else { return Ok(None) };
        let start = reader.line_start(at.saturating_sub(base).max(low))?;
        Ok(reader.row(start)?.filter(|row| row.place < high).map(|row| moved(row, base, piece.open)))
    }

    /// The piece that holds a place and is not worth halving.
    fn piece(&mut self, at: u64) -> io::Result<Option<Piece>> {
        // What is settled stays as it is.
        let near = self.path.last().filter(|last| !last.open && (last.at..last.end()).contains(&at));
        if let Some(last) = near.filter(|last| is_read_whole(last)) {
            return Ok(Some(last.clone()));
        }
        self.descend(at, |piece| (piece.at..piece.end()).contains(&at))
    }

    fn descend(&mut self, root: u64, holds: impl Fn(&Piece) -> bool) -> io::Result<Option<Piece>> {
        let Some(root) = self.strands.round(root) else { return Ok(None) };
        if self.path.first() != Some(&root) {
            self.path = vec![root];
        }
        while self.path.len() > 1 && self.path.last().is_some_and(|last| !holds(last)) {
            self.path.pop();
        }
        while let Some(piece) = self.path.last().filter(|piece| holds(piece)).cloned() {
            if is_read_whole(&piece) {
                return Ok(Some(piece));
            }
            let cut = self.halve(&piece)?;
            let at = sum(&cut);
            let low = Piece { high: cut.clone(), ..piece.clone() };
            let high = Piece { low: cut, at, ..piece };
            self.path.push(if holds(&low) { low } else { high });
        }
        Ok(None)
    }

    /// A cut through a piece: at a time where that leaves something on both sides, else behind its first strand.
    fn halve(&mut self, piece: &Piece) -> io::Result<Cut> {
        let mut strands: Vec<usize> = (0..piece.high.len()).collect();
        strands.sort_by_key(|strand| core::cmp::Reverse(piece.of(*strand).1 - piece.of(*strand).0));
        for strand in strands {
            let (low, high) = piece.of(strand);
            let middle = low + (high - low) / 2;
            let Some(start) = self.reader(strand).map(|reader| reader.line_start(middle)).transpose()? else {
                continue;
            };
            let found = match self.timed(strand, start.max(low), high, piece.seen)? {
                None => self.timed(strand, low, high, piece.seen)?,
                found => found,
            };
            let Some((_, _, time)) = found else { continue };
            for time in [time, Wall(time.0.saturating_add(1))] {
                let mut cut = Vec::new();
                for strand in 0..piece.high.len() {
                    cut.push(self.seek(strand, piece.of(strand), time, piece.seen)?);
                }
                if piece.at < sum(&cut) && sum(&cut) < piece.end() {
                    return Ok(cut);
                }
            }
            break;
        }
        let mut cut = piece.low.clone();
        cut.resize(piece.high.len(), 0);
        let first = (0..cut.len()).find(|strand| piece.of(*strand).0 < piece.of(*strand).1);
        if let Some((own, high)) = first.and_then(|at| Some((cut.get_mut(at)?, piece.high.get(at)?))) {
            *own = *high;
        }
        Ok(cut)
    }

    /// The first line of a strand from a place on that says its time: its place, the place after it, the time.
    fn timed(&mut self, strand: usize, from: u64, high: u64, near: Wall) -> io::Result<Option<(u64, u64, Wall)>> {
        let mut at = from;
        for _ in 0..TIMELESS {
            let row = self.reader(strand).map(|reader| reader.row(at)).transpose()?.flatten();
            let Some(row) = row.filter(|row| row.place < high) else { return Ok(None) };
            if let Some(time) = self.time(&row.line, near) {
                return Ok(Some((row.place, row.next, time)));
            }
            at = row.next;
        }
        Ok(None)
    }

    /// The first line of a strand, between two places, that counts at a time or later.
    fn seek(&mut self, strand: usize, (low, high): (u64, u64), time: Wall, near: Wall) -> io::Result<u64> {
        if low >= high || self.counts(strand, low, near)?.is_some_and(|at| at >= time) {
            return Ok(low.min(high));
        }
        let (mut from, mut to, mut found) = (low, high, high);
        while from < to {
            let middle = from + (to - from) / 2;
            let Some(reader) = self.reader(strand) else { break };
            let start = reader.line_start(middle)?.clamp(from, middle);
            match self.timed(strand, start, to, near)? {
                Some((_, next, at)) if at < time => from = next,
                Some((place, ..)) => (found, to) = (place, start),
                None => to = start,
            }
        }
        Ok(found)
    }

    /// When a line counts that says no time: when the one before it was written; at the beginning of a source, as the
    /// first that says it; where none does, when it was read. `None` for a line that says it.
    fn counts(&mut self, strand: usize, at: u64, near: Wall) -> io::Result<Option<Wall>> {
        let row = self.reader(strand).map(|reader| reader.row(at)).transpose()?.flatten();
        let Some(row) = row.filter(|row| self.time(&row.line, near).is_none()) else { return Ok(None) };
        let mut place = row.place;
        for _ in 0..TIMELESS {
            let row = self.reader(strand).map(|reader| reader.before(place)).transpose()?.flatten();
            let Some(row) = row else { break };
            if let Some(time) = self.time(&row.line, near) {
                return Ok(Some(time));
            }
            place = row.place;
        }
        Ok(Some(self.timed(strand, row.next, u64::MAX, near)?.map_or(near, |(_, _, time)| time)))
    }

    /// What a line says of its time; a clock without a zone is this host's.
    fn time(&self, line: &LogLine, near: Wall) -> Option<Wall> {
        if line.marker || line.time.is_some() {
            return line.time;
        }
        let stamp = Format::Auto.entry(line.message.as_str().as_bytes(), 0).time?;
        Some(stamp.wall_in(self.east, near))
    }

    /// A piece in order: by time, then source, then place.
    fn sorted(&mut self, piece: &Piece) -> io::Result<&Sorted> {
        if let Some(at) =
            self.sorted.iter().position(|known| known.piece.low == piece.low && known.piece.high == piece.high)
        {
            self.sorted.swap(0, at);
        } else {
            let sorted = self.sort(piece)?;
            self.sorted.push_front(sorted);
            self.sorted.truncate(KEPT);
        }
        self.sorted.front().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sort(&mut self, piece: &Piece) -> io::Result<Sorted> {
        let mut found = Vec::new();
        for strand in 0..piece.high.len() {
            let (low, high) = piece.of(strand);
            let mut counts =
                if low < high { self.counts(strand, low, piece.seen)? } else { None }.unwrap_or(Wall(i64::MIN));
            let mut at = low;
            while at < high {
                let row = self.reader(strand).map(|reader| reader.row(at)).transpose()?.flatten();
                let Some(row) = row.filter(|row| row.place < high) else { break };
                // A clock that went back puts nothing before what its source wrote earlier.
                counts = counts.max(self.time(&row.line, piece.seen).unwrap_or(counts));
                at = row.next;
                found.push((counts, row));
            }
        }
        found.sort_by_key(|(counts, _)| *counts);
        let mut sorted = Sorted { piece: piece.clone(), rows: Vec::with_capacity(found.len()), own: Vec::new() };
        let mut at = piece.at;
        for (_, row) in found {
            let next = at + (row.next - row.place);
            sorted.own.push(row.place);
            sorted.rows.push(Row { place: at, next, open: row.open || piece.open, ..row });
            at = next;
        }
        Ok(sorted)
    }
}

fn is_read_whole(piece: &Piece) -> bool {
    piece.end() - piece.at <= SORTED || lone(piece).is_some()
}

/// The one strand that has lines here.
fn lone(piece: &Piece) -> Option<usize> {
    let mut some = (0..piece.high.len()).filter(|strand| {
        let (low, high) = piece.of(*strand);
        low < high
    });
    let first = some.next()?;
    some.next().is_none().then_some(first)
}

/// What to add to a place of the one strand of a piece.
fn base(piece: &Piece, strand: usize) -> u64 {
    sum(&piece.high) - place(&piece.high, strand)
}

fn moved(row: Row, base: u64, open: bool) -> Row {
    Row { place: row.place + base, next: row.next + base, open: row.open || open, ..row }
}

fn end(spine: &Arc<std::sync::Mutex<super::spine::Spine>>) -> u64 {
    spine.lock().unwrap_or_else(std::sync::PoisonError::into_inner).end()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
