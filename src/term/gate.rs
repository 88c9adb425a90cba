//! The second gate (safety.md 4.1 item 5): what every cell must pass before it reaches the terminal,
//! whoever drew it. The first gate is `base::Clean`; this one is for our own mistakes, so its count must stay 0.

use crate::base::clean::is_hidden;
use ratatui::buffer::Cell;
use unicode_width::UnicodeWidthStr;

/// A cell holds at most this many bytes.
const BYTES: usize = 32;

/// Columns of a cell that has passed the gate; 1 or 2.
pub(super) fn columns(cell: &Cell) -> usize {
    match cell.symbol().as_bytes() {
        // Box drawing and blocks, the bulk of what is not ASCII, without a look into the tables.
        [_] | [0xE2, 0x94..=0x96, _] => 1,
        _ => cell.symbol().width().clamp(1, 2),
    }
}

/// The same for a cell of a row.
pub(super) fn columns_at(row: &[Cell], x: usize) -> usize {
    row.get(x).map_or(1, columns)
}

/// Makes one row fit to be written and returns how many cells were refused. A refused cell becomes `?`.
/// A wide character whose right half was drawn over or cut off becomes a blank, one that the
/// locale cannot show `?`; these two are no fault and not counted.
pub(super) fn admit(row: &mut [Cell], utf8: bool) -> u64 {
    let mut refused = 0;
    let mut at = 0;
    while let Some((cell, rest)) = row.get_mut(at..).and_then(<[Cell]>::split_first_mut) {
        let mut wide = false;
        match judge(cell.symbol()) {
            Verdict::Fine(_) if !utf8 && !cell.symbol().is_ascii() => put(cell, "?"),
            Verdict::Fine(1) => {}
            Verdict::Fine(_) => {
                wide = rest.first().is_some_and(is_free);
                if !wide {
                    put(cell, " ");
                }
            }
            Verdict::Empty => put(cell, " "),
            Verdict::Refused => {
                put(cell, "?");
                refused += 1;
            }
        }
        at += 1 + usize::from(wide);
    }
    refused
}

/// Neither a control nor hidden nor reordering: fit for the terminal wherever it stands.
pub(super) fn is_plain(c: char) -> bool {
    !c.is_control() && !is_hidden(c)
}

enum Verdict {
    /// Printable, with this many columns.
    Fine(usize),
    Empty,
    Refused,
}

fn judge(symbol: &str) -> Verdict {
    match symbol.as_bytes() {
        [] => return Verdict::Empty,
        [0x20..0x7F] | [0xE2, 0x94..=0x96, _] => return Verdict::Fine(1),
        bytes if bytes.len() > BYTES => return Verdict::Refused,
        _ => {}
    }
    let mut chars = symbol.chars();
    let base = chars.next().is_some_and(is_plain);
    // A joiner or a variation selector belongs after a pictograph only; those lie above U+2000.
    let joins = symbol.chars().next().is_some_and(|c| c >= '\u{2000}');
    let rest = chars.all(|c| is_plain(c) || (joins && matches!(c, '\u{200D}' | '\u{FE0F}')));
    match symbol.width() {
        columns @ 1..=2 if base && rest => Verdict::Fine(columns),
        _ => Verdict::Refused,
    }
}

/// The cell under the right half of a wide character is left blank by whoever drew that character.
fn is_free(cell: &Cell) -> bool {
    matches!(cell.symbol(), " " | "")
}

fn put(cell: &mut Cell, symbol: &'static str) {
    let style = cell.style();
    *cell = Cell::new(symbol);
    cell.set_style(style);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clean;
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::text::Span;
    use ratatui::widgets::Widget;

    #[expect(clippy::disallowed_methods, reason = "cells that no widget would draw")]
    fn pass(symbols: &[&str], utf8: bool) -> (String, u64) {
        let mut row: Vec<Cell> = symbols
            .iter()
            .map(|symbol| {
                let mut cell = Cell::default();
                cell.set_symbol(symbol);
                cell
            })
            .collect();
        let refused = admit(&mut row, utf8);
        (row.iter().map(Cell::symbol).collect::<Vec<_>>().join("|"), refused)
    }

    #[test]
    fn hostile_cells_become_question_marks_and_are_counted() {
        let tower = format!("a{}", "\u{301}".repeat(5_000));
        for bad in [
            "\x1b]52;c;aGk=\x07",
            "\x1b",
            "\u{9b}",
            "\r",
            "\u{202e}",
            "a\u{202e}",
            "\u{200b}",
            "\u{e0041}",
            "a\u{200d}b",
            "\u{301}",
            "abc",
            &tower,
        ] {
            assert_eq!(pass(&["x", bad, "y"], true), ("x|?|y".to_owned(), 1), "{bad:?}");
        }
    }

    #[test]
    fn text_passes_untouched() {
        assert_eq!(pass(&["a", "é", "e\u{301}", "─", "█", "µ"], true), ("a|é|e\u{301}|─|█|µ".to_owned(), 0));
        assert_eq!(pass(&["👩\u{200d}💻", " ", "中", " "], true), ("👩\u{200d}💻| |中| ".to_owned(), 0));
    }

    #[test]
    fn half_a_wide_character_becomes_a_blank() {
        assert_eq!(pass(&["中", "│"], true), (" |│".to_owned(), 0));
        assert_eq!(pass(&["a", "中"], true), ("a| ".to_owned(), 0));
    }

    #[test]
    fn a_locale_without_utf8_gets_ascii() {
        assert_eq!(pass(&["a", "é", "─", "中", " "], false), ("a|?|?|?| ".to_owned(), 0));
    }

    proptest! {
        #[test]
        fn what_the_first_gate_lets_through_passes_the_second(raw in any::<String>()) {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 200, 1));
            Span::raw(Clean::text(&raw).as_str().to_owned()).render(buffer.area, &mut buffer);
            prop_assert_eq!(admit(&mut buffer.content, true), 0);
        }

        #[test]
        fn nothing_else_passes(symbols in proptest::collection::vec(any::<String>(), 0..20)) {
            let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
            let (text, _) = pass(&symbols, true);
            let harmless = |c: char| !c.is_control() && (!is_hidden(c) || matches!(c, '\u{200D}' | '\u{FE0F}'));
            prop_assert!(text.chars().all(harmless));
        }
    }
}
