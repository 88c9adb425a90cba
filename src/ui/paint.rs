//! The one way text reaches a buffer: only [`Clean`] and `&'static str` convert to [`Ink`] (safety.md 4.1).

use crate::base::Clean;
use crate::config::{Intent, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::{Clear, Widget};
use std::borrow::Cow;
use unicode_width::UnicodeWidthStr;

/// Text that may be shown: our own words, or foreign ones made clean.
#[derive(Clone, Debug)]
pub enum Ink<'a> {
    /// A literal of this program.
    Own(&'static str),
    /// Foreign text, cleaned and borrowed.
    Borrowed(&'a Clean),
    /// Foreign text or numbers, cleaned.
    Clean(Clean),
}

impl Ink<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Own(text) => text,
            Self::Borrowed(text) => text.as_str(),
            Self::Clean(text) => text.as_str(),
        }
    }
}

impl From<&'static str> for Ink<'_> {
    fn from(text: &'static str) -> Self {
        Self::Own(text)
    }
}

impl<'a> From<&'a Clean> for Ink<'a> {
    fn from(text: &'a Clean) -> Self {
        Self::Borrowed(text)
    }
}

impl From<Clean> for Ink<'_> {
    fn from(text: Clean) -> Self {
        Self::Clean(text)
    }
}

/// A run of text in one style.
#[derive(Clone, Debug)]
pub struct Piece<'a> {
    ink: Ink<'a>,
    style: Style,
}

/// Draws into a buffer with the theme; knows whether the terminal can show more than ASCII.
pub struct Painter<'a> {
    /// What is drawn into.
    pub buffer: &'a mut Buffer,
    theme: &'a Theme,
    ascii: bool,
}

impl<'a> Painter<'a> {
    /// A painter for one frame.
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme, ascii: bool) -> Self {
        Self { buffer, theme, ascii }
    }

    /// True when only ASCII may be shown.
    pub fn ascii(&self) -> bool {
        self.ascii
    }

    /// The theme's style for an intent.
    pub fn style(&self, intent: Intent) -> Style {
        self.theme.style(intent)
    }

    /// A piece of a line.
    pub fn piece<'t>(&self, ink: impl Into<Ink<'t>>, intent: Intent) -> Piece<'t> {
        // A whole style: text drawn over a rule must not keep the rule's colour.
        Piece { ink: ink.into(), style: Style::reset().patch(self.style(intent)) }
    }

    /// Writes one text from `(x, y)`, at most `width` columns, cut with an ellipsis. Returns the column after it.
    pub fn put<'t>(&mut self, (x, y): (u16, u16), width: u16, ink: impl Into<Ink<'t>>, intent: Intent) -> u16 {
        let piece = self.piece(ink, intent);
        self.line((x, y), width, &[piece])
    }

    /// Writes pieces one after the other; what does not fit is cut with an ellipsis. Returns the column after them.
    pub fn line(&mut self, (x, y): (u16, u16), width: u16, pieces: &[Piece<'_>]) -> u16 {
        let area = self.buffer.area;
        if y >= area.bottom() || x >= area.right() {
            return x;
        }
        let end = x.saturating_add(width).min(area.right());
        let total: usize = pieces.iter().map(|piece| self.shown(&piece.ink).width()).sum();
        let fits = total <= usize::from(end - x);
        let mut at = x;
        for piece in pieces {
            let room = usize::from(end - at);
            let text = self.shown(&piece.ink).into_owned();
            at = self.buffer.set_stringn(at, y, &text, room, piece.style).0;
            if at >= end {
                break;
            }
        }
        if !fits && end > x {
            let style = pieces.last().map(|piece| piece.style).unwrap_or_default();
            self.buffer.set_stringn(end - 1, y, if self.ascii { "~" } else { "…" }, 1, style);
        }
        at
    }

    /// Writes pieces so that they end at column `right` (exclusive), not left of `left`. Returns where they begin.
    pub fn right(&mut self, right: u16, left: u16, y: u16, pieces: &[Piece<'_>]) -> u16 {
        let total: usize = pieces.iter().map(|piece| self.shown(&piece.ink).width()).sum();
        let x = right.saturating_sub(u16::try_from(total).unwrap_or(u16::MAX)).max(left);
        self.line((x, y), right.saturating_sub(x), pieces);
        x
    }

    /// Width of pieces in columns.
    pub fn width(&self, pieces: &[Piece<'_>]) -> u16 {
        let total: usize = pieces.iter().map(|piece| self.shown(&piece.ink).width()).sum();
        u16::try_from(total).unwrap_or(u16::MAX)
    }

    /// A horizontal rule.
    pub fn rule(&mut self, area: Rect, y: u16) {
        let style = self.style(Intent::Rule);
        for x in area.left()..area.right() {
            self.buffer.set_stringn(x, y, if self.ascii { "-" } else { "─" }, 1, style);
        }
    }

    /// A vertical rule.
    pub fn upright(&mut self, x: u16, top: u16, bottom: u16) {
        let style = self.style(Intent::Rule);
        for y in top..bottom {
            self.buffer.set_stringn(x, y, if self.ascii { "|" } else { "│" }, 1, style);
        }
    }

    /// Blanks an area and draws a frame round it with a heading and a tail in the frame.
    pub fn frame(&mut self, area: Rect, heading: &[Piece<'_>], tail: &[Piece<'_>]) -> Rect {
        // Not only blank: a style of what lies below must not shine through.
        Clear.render(area, self.buffer);
        let rule = self.style(Intent::Rule);
        let [left_top, right_top, left_low, right_low, flat, tall] =
            if self.ascii { ["+", "+", "+", "+", "-", "|"] } else { ["┌", "┐", "└", "┘", "─", "│"] };
        let (right, bottom) = (area.right().saturating_sub(1), area.bottom().saturating_sub(1));
        for x in area.left()..area.right() {
            self.buffer.set_stringn(x, area.top(), flat, 1, rule);
            self.buffer.set_stringn(x, bottom, flat, 1, rule);
        }
        for y in area.top()..area.bottom() {
            self.buffer.set_stringn(area.left(), y, tall, 1, rule);
            self.buffer.set_stringn(right, y, tall, 1, rule);
        }
        for (x, y, corner) in [
            (area.left(), area.top(), left_top),
            (right, area.top(), right_top),
            (area.left(), bottom, left_low),
            (right, bottom, right_low),
        ] {
            self.buffer.set_stringn(x, y, corner, 1, rule);
        }
        let room = area.width.saturating_sub(4);
        let after = self.line((area.x + 2, area.y), room, heading);
        self.right(area.right().saturating_sub(2), after, area.y, tail);
        Rect { x: area.x + 2, y: area.y + 1, width: room, height: area.height.saturating_sub(2) }
    }

    fn shown<'t>(&self, ink: &'t Ink<'_>) -> Cow<'t, str> {
        let text = ink.as_str();
        if self.ascii && !text.is_ascii() { Cow::Owned(text.chars().map(ascii).collect()) } else { Cow::Borrowed(text) }
    }
}

/// The nearest ASCII character to one of ours; `?` for foreign ones.
fn ascii(c: char) -> char {
    match c {
        c if c.is_ascii() => c,
        'µ' => 'u',
        '°' => ' ',
        '—' | '–' | '─' => '-',
        '→' | '▶' | '▸' => '>',
        '⏎' => '<',
        '±' | '✓' => '+',
        '×' | '✗' => 'x',
        '│' => '|',
        '…' => '~',
        '▰' | '█' | '┃' => '#',
        '▱' => '.',
        '·' => '.',
        _ => '?',
    }
}
