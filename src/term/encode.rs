//! From the frame that is on the terminal to the next one, in few bytes: shortest cursor moves, only what differs
//! in colour and weight, blank ends of lines by one sequence. Every cell passes the gate first.

use super::caps::Depth;
use super::gate;
use super::pen::{Pen, number};
use super::scroll::{self, Scroll};
use ratatui::buffer::{Buffer, Cell};
use unicode_width::UnicodeWidthStr;

const SYNC_BEGIN: &[u8] = b"\x1b[?2026h";
const SYNC_END: &[u8] = b"\x1b[?2026l";
/// A smaller frame (a clock's tick, an echoed key) goes out in one write and cannot tear.
const SYNC_FROM: usize = 64;
const CLEAR: &[u8] = b"\x1b[m\x1b[H\x1b[J";
const ERASE_TO_END: &[u8] = b"\x1b[K";
/// Fewer unchanged cells than this between two changed ones may be cheaper to send again than to jump over.
const GAP: usize = 6;

/// Knows what the terminal shows, its pen and its cursor.
pub(super) struct Encoder {
    depth: Depth,
    utf8: bool,
    shown: Option<Buffer>,
    pen: Pen,
    /// Column and row; the column equals the width after the last cell of a row, `None` when unknown.
    cursor: Option<(usize, usize)>,
    refused: u64,
}

impl Encoder {
    pub(super) fn new(depth: Depth, utf8: bool) -> Self {
        Self { depth, utf8, shown: None, pen: Pen::PLAIN, cursor: None, refused: 0 }
    }

    /// Forgets what the terminal shows and returns it: the next frame is sent whole.
    pub(super) fn forget(&mut self) -> Option<Buffer> {
        self.shown.take()
    }

    /// Cells that the gate has refused, ever.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Appends what turns the screen into `next`; returns the buffer that is needed no more.
    pub(super) fn encode(&mut self, mut next: Buffer, out: &mut Vec<u8>) -> Option<Buffer> {
        let start = out.len();
        let width = usize::from(next.area.width);
        if width == 0 {
            return Some(next);
        }
        let mut shown = self.shown.take();
        if let Some(shown) = shown.as_mut().filter(|shown| shown.area == next.area)
            && let Some(scroll) = scroll::find(&shown.content, &next.content, width)
        {
            self.scroll(scroll, out);
            scroll.apply(&mut shown.content, width);
        }
        let known = shown.as_ref().filter(|shown| shown.area == next.area);
        if known.is_none() {
            out.extend_from_slice(CLEAR);
            self.pen = Pen::PLAIN;
            self.cursor = Some((0, 0));
        }
        let mut old_rows = known.map(|shown| shown.content.chunks_exact(width));
        let blank = if known.is_none() { vec![Cell::EMPTY; width] } else { Vec::new() };
        for (y, row) in next.content.chunks_exact_mut(width).enumerate() {
            let old = old_rows.as_mut().and_then(Iterator::next).unwrap_or(&blank);
            if old != row {
                self.refused += gate::admit(row, self.utf8);
                self.row(y, old, row, out);
            }
        }
        if out.len() - start >= SYNC_FROM {
            out.splice(start..start, SYNC_BEGIN.iter().copied());
            out.extend_from_slice(SYNC_END);
        }
        self.shown = Some(next);
        shown
    }

    /// Lets the terminal move lines up: margins, line feeds at the lower one, margins off.
    fn scroll(&mut self, scroll: Scroll, out: &mut Vec<u8>) {
        // New lines take the pen's background.
        self.pen.change(Pen::PLAIN, out);
        self.pen = Pen::PLAIN;
        out.extend_from_slice(b"\x1b[");
        place(out, scroll.top + 1);
        out.push(b';');
        place(out, scroll.bottom + 1);
        out.push(b'r');
        absolute(0, scroll.bottom, out);
        out.extend(core::iter::repeat_n(b'\n', scroll.by));
        out.extend_from_slice(b"\x1b[r");
        // Terminals disagree on whether that homes the cursor.
        self.cursor = None;
    }

    fn row(&mut self, y: usize, old: &[Cell], new: &[Cell], out: &mut Vec<u8>) {
        let blank_from = new.iter().rposition(|cell| !self.is_blank(cell)).map_or(0, |x| x + gate::columns_at(new, x));
        let old_end = old.iter().rposition(|cell| !self.is_blank(cell)).map_or(0, |x| x + gate::columns_at(old, x));
        // Columns below this belong to a wide character of the old row that began further left.
        let mut covered = 0;
        let mut x = 0;
        while let Some(cell) = new.get(x) {
            let columns = gate::columns(cell);
            let changed = covered > x || old.get(x).is_none_or(|old| !self.looks_same(old, cell));
            for column in x..x + columns {
                if covered <= column {
                    covered = column + old.get(column).map_or(1, gate::columns);
                }
            }
            if changed {
                self.go(x, y, new, out);
                self.dip(cell, out);
                if x >= blank_from && old_end > x + ERASE_TO_END.len() {
                    out.extend_from_slice(ERASE_TO_END);
                    return;
                }
                self.draw(cell, x + columns, y, out);
            }
            x += columns;
        }
    }

    /// Writes a cell where the cursor is.
    fn draw(&mut self, cell: &Cell, end: usize, y: usize, out: &mut Vec<u8>) {
        let symbol = cell.symbol();
        out.extend_from_slice(symbol.as_bytes());
        // Terminals disagree on how far a cluster of several characters moves the cursor.
        self.cursor = (symbol.len() == 1 || symbol.chars().nth(1).is_none()).then_some((end, y));
    }

    fn dip(&mut self, cell: &Cell, out: &mut Vec<u8>) {
        let pen = self.pen.towards(cell, self.depth);
        self.pen.change(pen, out);
        self.pen = pen;
    }

    fn is_blank(&self, cell: &Cell) -> bool {
        cell.symbol() == " " && Pen::PLAIN.towards(cell, self.depth) == Pen::PLAIN
    }

    fn looks_same(&self, old: &Cell, new: &Cell) -> bool {
        if old == new {
            return true;
        }
        let (a, b) = (Pen::of(old, self.depth), Pen::of(new, self.depth));
        let blanks = new.symbol() == " " && a.hides_blanks() && b.hides_blanks();
        old.symbol() == new.symbol() && (a == b || (blanks && a.bg == b.bg))
    }

    /// Moves the cursor to a cell of `row`, by the cheapest way.
    fn go(&mut self, x: usize, y: usize, row: &[Cell], out: &mut Vec<u8>) {
        let target = Some((x, y));
        if self.cursor == target {
            return;
        }
        let jump = 2 + if x == 0 { digits(y + 1) + 1 } else { digits(y + 1) + digits(x + 1) + 2 };
        let Some((from_x, from_y)) = self.cursor.filter(|(_, from_y)| *from_y <= y) else {
            self.cursor = target;
            return absolute(x, y, out);
        };
        self.cursor = target;
        let down = y - from_y;
        // Past the last cell terminals disagree where the cursor is; a carriage return is safe there.
        let direct = if from_x < row.len() { sideways_cost(from_x, x) } else { usize::MAX };
        let returned = 1 + sideways_cost(0, x);
        if down == 0 && from_x < x && self.repeat(row.get(from_x..x).unwrap_or_default(), direct, out) {
            return;
        }
        if down.saturating_add(direct.min(returned)) >= jump {
            return absolute(x, y, out);
        }
        let from_x = if returned <= direct {
            out.push(b'\r');
            0
        } else {
            from_x
        };
        out.extend(core::iter::repeat_n(b'\n', down));
        sideways(from_x, x, out);
    }

    /// Sends the unchanged cells of a gap again when that takes no more than `limit` bytes.
    fn repeat(&self, gap: &[Cell], limit: usize, out: &mut Vec<u8>) -> bool {
        let same = |cell: &Cell| {
            let mut chars = cell.symbol().chars();
            self.pen == self.pen.towards(cell, self.depth)
                && chars.next().is_some()
                && chars.next().is_none()
                && cell.symbol().width() == 1
        };
        let bytes: usize = gap.iter().take(GAP).map(|cell| cell.symbol().len()).sum();
        if gap.len() >= GAP || bytes > limit || !gap.iter().all(same) {
            return false;
        }
        for cell in gap {
            out.extend_from_slice(cell.symbol().as_bytes());
        }
        true
    }
}

fn absolute(x: usize, y: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[");
    if (x, y) != (0, 0) {
        place(out, y + 1);
    }
    if x > 0 {
        out.push(b';');
        place(out, x + 1);
    }
    out.push(b'H');
}

fn sideways_cost(from: usize, to: usize) -> usize {
    match from.abs_diff(to) {
        0 => 0,
        back @ 1..=3 if to < from => back,
        1 => 3,
        by => 3 + digits(by),
    }
}

fn sideways(from: usize, to: usize, out: &mut Vec<u8>) {
    let by = from.abs_diff(to);
    match by {
        0 => {}
        back @ 1..=3 if to < from => out.extend(core::iter::repeat_n(0x08, back)),
        _ => {
            out.extend_from_slice(b"\x1b[");
            if by > 1 {
                place(out, by);
            }
            out.push(if to < from { b'D' } else { b'C' });
        }
    }
}

fn place(out: &mut Vec<u8>, value: usize) {
    number(out, u16::try_from(value).unwrap_or(u16::MAX));
}

fn digits(value: usize) -> usize {
    usize::try_from(value.checked_ilog10().unwrap_or(0)).unwrap_or(0) + 1
}

#[cfg(test)]
#[path = "tests/encode.rs"]
mod tests;
