//! Colours that a program wrote for a terminal (`ESC [ 31 m`): read and taken out, never passed on. Every other
//! escape stays, and becomes visible as such.

use core::ops::Range;
use memchr::memchr;
use std::borrow::Cow;

const ESC: u8 = 0x1B;
/// A sequence with more bytes is none of ours.
const LONGEST: usize = 32;

/// One of the sixteen colours of a terminal; finer ones are brought to the nearest of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8);

/// How a stretch was meant to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Of the letters; colours of the ground are not kept: they could hide text.
    pub colour: Option<Colour>,
    /// Bold.
    pub bold: bool,
    /// Dim.
    pub dim: bool,
}

/// Stretches of a text that had a colour.
pub type Spans = Vec<(Range<usize>, Style)>;

/// The text without its colours, and which stretches of it had one.
pub fn strip(raw: &[u8]) -> (Cow<'_, [u8]>, Spans) {
    let mut spans = Spans::new();
    if memchr(ESC, raw).is_none() {
        return (raw.into(), spans);
    }
    let mut out = Vec::with_capacity(raw.len());
    let (mut rest, mut style, mut from) = (raw, Style::default(), 0);
    while let Some((head, tail)) = memchr(ESC, rest).and_then(|at| rest.split_at_checked(at)) {
        out.extend_from_slice(head);
        let Some((sequence, after)) = sequence(tail) else {
            out.push(ESC);
            rest = tail.get(1..).unwrap_or_default();
            continue;
        };
        let next = style.after(sequence);
        if next != style {
            close(&mut spans, from..out.len(), style);
            (style, from) = (next, out.len());
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    close(&mut spans, from..out.len(), style);
    (out.into(), spans)
}

fn close(spans: &mut Spans, stretch: Range<usize>, style: Style) {
    if style != Style::default() && !stretch.is_empty() {
        spans.push((stretch, style));
    }
}

/// The numbers of `ESC [ … m` at the beginning, and what follows it.
fn sequence(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"\x1b[")?;
    let end = inner.iter().take(LONGEST).position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    let (numbers, rest) = inner.split_at_checked(end)?;
    Some((numbers, rest.strip_prefix(b"m")?))
}

impl Style {
    fn after(mut self, numbers: &[u8]) -> Self {
        let text = core::str::from_utf8(numbers).unwrap_or_default();
        let mut numbers = text.split([';', ':']).map(|number| number.parse::<u32>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                22 => (self.bold, self.dim) = (false, false),
                30..=37 => self.colour = small(number - 30),
                90..=97 => self.colour = small(number - 82),
                38 => self.colour = fine(&mut numbers),
                39 => self.colour = None,
                48 => drop(fine(&mut numbers)),
                _ => {}
            }
        }
        self
    }
}

fn small(number: u32) -> Option<Colour> {
    u8::try_from(number).ok().map(Colour)
}

/// `5;n` or `2;r;g;b`.
fn fine(numbers: &mut impl Iterator<Item = u32>) -> Option<Colour> {
    match numbers.next()? {
        5 => match numbers.next()? {
            index @ 0..=15 => small(index),
            index @ 16..=231 => {
                let cube = index - 16;
                Some(nearest(cube / 36 * 51, cube / 6 % 6 * 51, cube % 6 * 51))
            }
            index => {
                let grey = (index.min(255) - 232) * 10 + 8;
                Some(nearest(grey, grey, grey))
            }
        },
        2 => {
            let (red, green, blue) = (numbers.next()?, numbers.next()?, numbers.next()?);
            Some(nearest(red.min(255), green.min(255), blue.min(255)))
        }
        _ => None,
    }
}

fn nearest(red: u32, green: u32, blue: u32) -> Colour {
    let bright = red.max(green).max(blue) > 192;
    let on = |part: u32| u8::from(part > red.max(green).max(blue) / 2);
    let bits = on(red) | on(green) << 1 | on(blue) << 2;
    Colour(if bright { bits + 8 } else { bits })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colours_are_taken_out_and_told() {
        let (text, spans) = strip(b"\x1b[2m2026\x1b[0m \x1b[1;31mERROR\x1b[0m no \x1b[38;5;196mred\x1b[39m");
        assert_eq!(&*text, b"2026 ERROR no red");
        let red = Style { colour: Some(Colour(1)), bold: true, dim: false };
        let bright = Style { colour: Some(Colour(9)), ..Style::default() };
        assert_eq!(spans, [(0..4, Style { dim: true, ..Style::default() }), (5..10, red), (14..17, bright)]);
    }

    #[test]
    fn every_other_escape_stays() {
        for text in [&b"\x1b]52;c;aGk=\x07"[..], b"\x1b[2J", b"\x1b[31", b"\x1b[31;\x1bm", b"\x1b[?25h", b"\x1b"] {
            assert_eq!(&*strip(text).0, text);
        }
        assert_eq!(&*strip(b"\x1b[\x1b[0m2J").0, b"\x1b[2J", "what is left is made visible afterwards");
    }

    proptest! {
        #[test]
        fn nothing_but_colours_goes(raw in "[\x1b\\[0-9;:m a]{0,40}") {
            let (text, spans) = strip(raw.as_bytes());
            prop_assert!(text.len() <= raw.len());
            prop_assert!(spans.iter().all(|(stretch, _)| stretch.end <= text.len() && !stretch.is_empty()));
            let letters = |text: &[u8]| memchr::memchr_iter(b'a', text).count();
            prop_assert_eq!(letters(&text), letters(raw.as_bytes()));
        }
    }
}
