//! Where in the document a byte stands.

use crate::base::Fault;

/// The text that is read, with the beginnings of its lines.
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        let breaks = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self { file, text, starts: core::iter::once(0).chain(breaks).collect() }
    }

    /// Line and column of a byte, from 1.
    pub(super) fn place(&self, byte: usize) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= byte);
        let start = line.checked_sub(1).and_then(|at| self.starts.get(at)).copied().unwrap_or_default();
        let column = self.text.get(start..byte).map_or(0, |before| before.chars().count()) + 1;
        (small(line), small(column))
    }

    /// Its line alone.
    pub(super) fn line(&self, byte: usize) -> u32 {
        small(self.starts.partition_point(|start| *start <= byte))
    }

    /// A fault at a byte.
    pub(super) fn fault(&self, byte: usize, what: impl AsRef<str>) -> Fault {
        let (line, column) = self.place(byte);
        Fault::new(what).at(self.file, line, column)
    }
}

/// A piece of the document that is read on its own: a block of code, without the marks before its lines.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) text: String,
    /// The byte of the document at which each of its lines begins.
    lines: Vec<usize>,
    /// Where it is while it has no line: the mark before it.
    start: usize,
}

impl Piece {
    /// A piece without a line yet, below what stands at this byte.
    pub(super) fn below(start: usize) -> Self {
        Self { start, ..Self::default() }
    }

    /// A piece that lies in the document as it is.
    pub(super) fn of(source: &Source<'_>, from: usize, until: usize) -> Self {
        let mut piece = Self::default();
        piece.push(from, source.text.get(from..until).unwrap_or_default());
        piece
    }

    /// More of it, which stands at this byte.
    pub(super) fn push(&mut self, at: usize, text: &str) {
        if self.text.is_empty() || self.text.ends_with('\n') {
            self.lines.push(at);
        }
        let within = text.strip_suffix('\n').unwrap_or(text);
        self.lines.extend(memchr::memchr_iter(b'\n', within.as_bytes()).map(|end| at + end + 1));
        self.text.push_str(text);
    }

    /// The fault where the document has it.
    pub(super) fn placed(&self, source: &Source<'_>, mut fault: Fault) -> Fault {
        let Some(at) = &mut fault.at else { return fault };
        let row = usize::try_from(at.line).unwrap_or_default().saturating_sub(1);
        let begin = self.lines.get(row).or(self.lines.last()).copied().unwrap_or(self.start);
        let (line, column) = source.place(begin);
        // The end of the piece is no line of it.
        let beyond = u32::try_from(row.saturating_sub(self.lines.len().saturating_sub(1))).unwrap_or_default();
        at.line = line + beyond;
        at.column = if beyond > 0 { 1 } else { at.column + column - 1 };
        fault
    }

    /// Where it begins.
    pub(super) fn begin(&self) -> Option<usize> {
        self.lines.first().copied()
    }
}

fn small(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
