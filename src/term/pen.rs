//! How a cell looks (its pen), and the fewest bytes from one look to another. Colours beyond the terminal's
//! depth become the nearest that it has.

use super::caps::Depth;
use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// Decorations that show on a blank, too.
const LINES: Modifier = Modifier::UNDERLINED.union(Modifier::REVERSED).union(Modifier::CROSSED_OUT);

/// Colours (as the terminal will get them: `Reset`, `Indexed` or `Rgb`) and modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pen {
    pub(super) fg: Color,
    pub(super) bg: Color,
    pub(super) modifiers: Modifier,
}

impl Pen {
    /// The terminal's own look.
    pub(super) const PLAIN: Self = Self { fg: Color::Reset, bg: Color::Reset, modifiers: Modifier::empty() };

    /// The look of a cell at a depth.
    pub(super) fn of(cell: &Cell, depth: Depth) -> Self {
        Self { fg: reduce(cell.fg, depth), bg: reduce(cell.bg, depth), modifiers: cell.modifier }
    }

    /// Whether a blank in this look shows nothing but its background.
    pub(super) fn hides_blanks(self) -> bool {
        !self.modifiers.intersects(LINES)
    }

    /// The nearest look to `self` that draws `cell` right: on a blank the text colour, bold and the like do not matter.
    pub(super) fn towards(self, cell: &Cell, depth: Depth) -> Self {
        let wanted = Self::of(cell, depth);
        if cell.symbol() == " " && wanted.hides_blanks() {
            Self { fg: self.fg, bg: wanted.bg, modifiers: self.modifiers.difference(LINES) }
        } else {
            wanted
        }
    }

    /// Appends the shortest SGR sequence from `self` to `to`.
    pub(super) fn change(self, to: Self, out: &mut Vec<u8>) {
        if self == to {
            return;
        }
        let start = out.len();
        self.steps(to, out);
        let end = out.len();
        if to == Self::PLAIN {
            out.extend_from_slice(b"\x1b[m");
        } else {
            out.extend_from_slice(b"\x1b[0;");
            let codes = out.len();
            Self::PLAIN.steps(to, out);
            // The second introducer is not needed.
            out.drain(codes..codes + 2);
        }
        if out.len() - end < end - start {
            out.drain(start..end);
        } else {
            out.truncate(end);
        }
    }

    /// One SGR sequence that changes only what differs.
    fn steps(self, to: Self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\x1b[");
        let mut left = self.modifiers;
        let gone = self.modifiers.difference(to.modifiers);
        for (modifiers, off) in OFF {
            if gone.intersects(modifiers) {
                code(out, off);
                left = left.difference(modifiers);
            }
        }
        for (modifier, on) in ON {
            if to.modifiers.difference(left).contains(modifier) {
                code(out, on);
            }
        }
        if self.fg != to.fg {
            colour(out, to.fg, 30);
        }
        if self.bg != to.bg {
            colour(out, to.bg, 40);
        }
        // The last separator becomes the final byte.
        if let Some(last) = out.last_mut() {
            *last = b'm';
        }
    }
}

const OFF: [(Modifier, u16); 7] = [
    (Modifier::BOLD.union(Modifier::DIM), 22),
    (Modifier::ITALIC, 23),
    (Modifier::UNDERLINED, 24),
    (Modifier::SLOW_BLINK.union(Modifier::RAPID_BLINK), 25),
    (Modifier::REVERSED, 27),
    (Modifier::HIDDEN, 28),
    (Modifier::CROSSED_OUT, 29),
];

const ON: [(Modifier, u16); 9] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::RAPID_BLINK, 6),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

/// Appends a number in decimal.
pub(super) fn number(out: &mut Vec<u8>, value: u16) {
    let start = out.len();
    let mut rest = value;
    while rest >= 10 || out.len() == start {
        out.insert(start, b'0' + u8::try_from(rest % 10).unwrap_or(0));
        rest /= 10;
    }
    if rest > 0 {
        out.insert(start, b'0' + u8::try_from(rest).unwrap_or(0));
    }
}

fn code(out: &mut Vec<u8>, value: u16) {
    number(out, value);
    out.push(b';');
}

/// `base` is 30 for the text, 40 for the background.
fn colour(out: &mut Vec<u8>, colour: Color, base: u16) {
    match colour {
        Color::Indexed(index @ 0..8) => code(out, base + u16::from(index)),
        Color::Indexed(index @ 8..16) => code(out, base + 52 + u16::from(index)),
        Color::Indexed(index) => {
            code(out, base + 8);
            code(out, 5);
            code(out, u16::from(index));
        }
        Color::Rgb(red, green, blue) => {
            code(out, base + 8);
            code(out, 2);
            for part in [red, green, blue] {
                code(out, u16::from(part));
            }
        }
        _ => code(out, base + 9),
    }
}

/// What the terminal gets for a colour: `Reset`, `Indexed` or `Rgb`, within its depth.
fn reduce(colour: Color, depth: Depth) -> Color {
    let index = match colour {
        _ if depth == Depth::None => return Color::Reset,
        Color::Reset => return Color::Reset,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(index) if depth == Depth::Ansi16 && index >= 16 => nearest(rgb(index), 0..16),
        Color::Indexed(index) => index,
        Color::Rgb(red, green, blue) => match depth {
            Depth::True => return colour,
            Depth::Ansi256 => nearest([red, green, blue], candidates([red, green, blue])),
            _ => nearest([red, green, blue], 0..16),
        },
    };
    Color::Indexed(index)
}

/// The nearest of xterm's cube and the nearest of its greys: one of the two is the nearest of all.
fn candidates(to: [u8; 3]) -> impl Iterator<Item = u8> {
    let [red, green, blue] = to.map(|part| match part {
        0..48 => 0,
        48..115 => 1,
        _ => (part - 35) / 40,
    });
    let mean = to.iter().map(|part| u16::from(*part)).sum::<u16>() / 3;
    let grey = u8::try_from(mean.saturating_sub(3) / 10).unwrap_or(23).min(23);
    [16 + 36 * red + 6 * green + blue, 232 + grey].into_iter()
}

fn nearest(to: [u8; 3], among: impl Iterator<Item = u8>) -> u8 {
    let distance =
        |index: &u8| -> u32 { rgb(*index).iter().zip(to).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
    among.min_by_key(distance).unwrap_or(7)
}

/// xterm's palette.
fn rgb(index: u8) -> [u8; 3] {
    const LOW: [[u8; 3]; 16] = [
        [0, 0, 0],
        [205, 0, 0],
        [0, 205, 0],
        [205, 205, 0],
        [0, 0, 238],
        [205, 0, 205],
        [0, 205, 205],
        [229, 229, 229],
        [127, 127, 127],
        [255, 0, 0],
        [0, 255, 0],
        [255, 255, 0],
        [92, 92, 255],
        [255, 0, 255],
        [0, 255, 255],
        [255, 255, 255],
    ];
    let cube = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    match index {
        232.. => [8 + 10 * (index - 232); 3],
        16.. => [cube((index - 16) / 36), cube((index - 16) / 6 % 6), cube((index - 16) % 6)],
        low => LOW.get(usize::from(low)).copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sgr(from: Pen, to: Pen) -> String {
        let mut out = Vec::new();
        from.change(to, &mut out);
        String::from_utf8(out).unwrap().replace('\x1b', "^")
    }

    fn pen(fg: Color, bg: Color, modifiers: Modifier) -> Pen {
        Pen { fg, bg, modifiers }
    }

    #[test]
    fn only_what_differs_is_sent() {
        let red = pen(Color::Indexed(1), Color::Reset, Modifier::BOLD);
        let green = pen(Color::Indexed(2), Color::Reset, Modifier::BOLD);
        assert_eq!(sgr(red, red), "");
        assert_eq!(sgr(Pen::PLAIN, red), "^[1;31m");
        assert_eq!(sgr(red, green), "^[32m");
        assert_eq!(sgr(red, pen(Color::Indexed(1), Color::Reset, Modifier::empty())), "^[22m");
        assert_eq!(sgr(red, Pen::PLAIN), "^[m");
        let deep = pen(Color::Rgb(1, 2, 3), Color::Indexed(200), Modifier::UNDERLINED);
        assert_eq!(sgr(Pen::PLAIN, deep), "^[4;38;2;1;2;3;48;5;200m");
        assert_eq!(sgr(deep, pen(Color::Indexed(9), Color::Indexed(200), Modifier::UNDERLINED)), "^[91m");
    }

    #[test]
    fn bold_and_dim_share_their_off_switch() {
        let both = pen(Color::Indexed(1), Color::Indexed(4), Modifier::BOLD.union(Modifier::DIM));
        let dim = pen(Color::Indexed(1), Color::Indexed(4), Modifier::DIM);
        assert_eq!(sgr(both, dim), "^[22;2m");
        assert_eq!(sgr(dim, both), "^[1m");
    }

    #[test]
    fn a_reset_is_used_only_when_shorter() {
        let busy = pen(Color::Indexed(1), Color::Indexed(4), Modifier::BOLD.union(Modifier::ITALIC));
        assert_eq!(sgr(busy, pen(Color::Indexed(2), Color::Reset, Modifier::empty())), "^[0;32m");
    }

    #[test]
    fn colours_fit_the_depth() {
        let orange = Color::Rgb(255, 135, 0);
        assert_eq!(reduce(orange, Depth::True), orange);
        assert_eq!(reduce(orange, Depth::Ansi256), Color::Indexed(208));
        assert_eq!(reduce(orange, Depth::Ansi16), Color::Indexed(3));
        assert_eq!(reduce(Color::Indexed(196), Depth::Ansi16), Color::Indexed(9));
        assert_eq!(reduce(Color::LightRed, Depth::Ansi16), Color::Indexed(9));
        assert_eq!(reduce(orange, Depth::None), Color::Reset);
    }

    #[test]
    fn the_nearest_of_256_is_found_without_a_search() {
        for step in 0..4_096_u32 {
            let [_, red, green, blue] = (step * 4_093).to_be_bytes();
            let to = [red, green, blue];
            let distance = |index| rgb(index).iter().zip(to).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum::<u32>();
            let (quick, best) = (nearest(to, candidates(to)), nearest(to, 16..=255));
            assert_eq!(distance(quick), distance(best), "{to:?}: {quick} for {best}");
        }
    }

    #[test]
    fn numbers_are_decimal() {
        let mut out = Vec::new();
        for value in [0, 7, 10, 65_535] {
            code(&mut out, value);
        }
        assert_eq!(out, b"0;7;10;65535;");
    }
}
