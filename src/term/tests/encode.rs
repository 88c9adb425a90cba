//! The bytes, replayed in a terminal model, give the frame; and they are few.

use super::*;
use proptest::prelude::*;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

const SIZE: Rect = Rect { x: 0, y: 0, width: 40, height: 8 };

fn frame(lines: &[(&str, Style)]) -> Buffer {
    let mut buffer = Buffer::empty(SIZE);
    for (y, (text, style)) in (0..).zip(lines) {
        buffer.set_string(0, y, text, *style);
    }
    buffer
}

fn text(lines: &[&str]) -> Buffer {
    frame(&lines.iter().map(|line| (*line, Style::new())).collect::<Vec<_>>())
}

/// The bytes from `old` to `new` with the cursor somewhere, ESC shown as ^, without the whole first frame.
fn step(old: Buffer, new: Buffer) -> String {
    let mut encoder = Encoder::new(Depth::True, true);
    let mut out = Vec::new();
    encoder.encode(old, &mut out);
    out.clear();
    encoder.cursor = None;
    encoder.encode(new, &mut out);
    String::from_utf8(out).unwrap().replace('\x1b', "^")
}

#[test]
fn an_equal_frame_costs_nothing() {
    let style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    assert_eq!(step(frame(&[("same", style)]), frame(&[("same", style)])), "");
}

#[test]
fn the_first_frame_clears_the_screen_and_is_synchronised() {
    let mut out = Vec::new();
    Encoder::new(Depth::True, true)
        .encode(text(&["a line that is long enough to be worth it", "", "b", "", "and another one"]), &mut out);
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.starts_with("\x1b[?2026h\x1b[m\x1b[H\x1b[Ja line that")
            && out.ends_with("i\r\n\nb\r\n\nand another one\x1b[?2026l"),
        "{out:?}"
    );
}

#[test]
fn only_changed_cells_travel_by_the_shortest_way() {
    assert_eq!(step(text(&["", "", "count 41"]), text(&["", "", "count 42"])), "^[3;8H2");
    // A short gap is sent again, a long one is jumped.
    assert_eq!(step(text(&["a.b.c"]), text(&["x.y.z"])), "^[Hx.y.z");
    assert_eq!(step(text(&["a.......b"]), text(&["x.......y"])), "^[Hx^[7Cy");
    // Next line, same column or the first.
    assert_eq!(step(text(&["ab", "ab", "ab"]), text(&["xb", "xb", "ay"])), "^[Hx\r\nx\ny");
    // The rest of a line vanishes by one sequence.
    assert_eq!(step(text(&["keep, drop all this"]), text(&["keep"])), "^[1;5H^[K");
    assert_eq!(step(text(&["keep ab"]), text(&["keep"])), "^[1;6H  ");
}

#[test]
fn the_cursor_is_moved_from_where_it_is() {
    let mut encoder = Encoder::new(Depth::True, true);
    let mut out = Vec::new();
    encoder.encode(text(&["count 41"]), &mut out);
    for (next, bytes) in
        [("count 42", "\x082"), ("cOunt 42", "\r\x1b[CO"), ("cOunt 43", "\x1b[5C3"), ("cOunT 43", "\x1b[4DT")]
    {
        out.clear();
        encoder.encode(text(&[next]), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), bytes, "{next}");
    }
}

#[test]
fn a_pen_is_changed_only_where_it_shows() {
    let red = Style::new().fg(Color::Red);
    let mut old = text(&["abc def"]);
    let mut new = old.clone();
    // The text colour of a blank is invisible.
    new[(3, 0)].set_style(red);
    assert_eq!(step(old.clone(), new.clone()), "");
    new.set_string(0, 0, "xyz", red);
    old.set_string(0, 0, "abc", red);
    assert_eq!(step(old, new), "^[H^[31mxyz");
}

#[test]
fn wide_characters_leave_no_halves() {
    assert_eq!(step(text(&["中x"]), text(&["abx"])), "^[Hab");
    assert_eq!(step(text(&["abx"]), text(&["中x"])), "^[H中");
    assert_eq!(step(text(&["a中x"]), text(&["中bx"])), "^[H中b");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a cell that no widget would draw")]
fn what_the_gate_refuses_is_a_question_mark() {
    let mut bad = text(&["abc"]);
    bad[(1, 0)].set_symbol("\x1b]0;x\x07");
    let mut encoder = Encoder::new(Depth::True, true);
    let mut out = Vec::new();
    encoder.encode(bad, &mut out);
    assert_eq!((out.ends_with(b"a?c"), encoder.refused()), (true, 1));
}

#[test]
fn any_size_will_do() {
    let mut encoder = Encoder::new(Depth::Ansi256, true);
    for (width, height) in [(1, 1), (0, 0), (500, 200), (20, 5), (0, 7), (2, 1), (250, 80)] {
        let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
        buffer.set_style(buffer.area, Style::new().bg(Color::Rgb(1, 2, 3)));
        if width > 1 && height > 0 {
            buffer.set_string(0, height - 1, "中", Style::new());
        }
        let mut out = Vec::new();
        encoder.encode(buffer, &mut out);
        assert_eq!(out.is_empty(), width == 0);
    }
}

fn style() -> impl Strategy<Value = Style> {
    let colour = prop_oneof![
        3 => Just(Color::Reset),
        1 => Just(Color::Red),
        1 => Just(Color::White),
        1 => any::<u8>().prop_map(Color::Indexed),
        1 => any::<[u8; 3]>().prop_map(|[r, g, b]| Color::Rgb(r, g, b)),
    ];
    let modifier = proptest::sample::select(vec![
        Modifier::empty(),
        Modifier::BOLD, // not DIM, too: the model knows only one of the two
        Modifier::REVERSED,
        Modifier::UNDERLINED.union(Modifier::BOLD),
        Modifier::ITALIC,
    ]);
    (colour.clone(), colour, modifier).prop_map(|(fg, bg, modifier)| Style::new().fg(fg).bg(bg).add_modifier(modifier))
}

type Write = (u16, u16, String, Style);

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let words = proptest::sample::select(vec![
        "x",
        "latency 14.2",
        "     ",
        "▁▂▃▄▅▆▇█",
        "中文字",
        "é",
        "e\u{301}",
        "│",
        "                                        ",
        "GPU 0 busy 97 % WARNING",
    ]);
    proptest::collection::vec((0..SIZE.width, 0..SIZE.height, words.prop_map(str::to_owned), style()), 1..6)
}

/// What the model must show in a cell: text, colours, weight; of a blank only what is visible.
fn wanted(cell: &Cell) -> (String, vt100::Color, vt100::Color, [bool; 5]) {
    let pen = Pen::of(cell, Depth::True);
    let colour = |colour| match colour {
        Color::Indexed(index) => vt100::Color::Idx(index),
        Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
        _ => vt100::Color::Default,
    };
    let has = |modifier| pen.modifiers.contains(modifier);
    let bits = [Modifier::BOLD, Modifier::DIM, Modifier::ITALIC, Modifier::UNDERLINED, Modifier::REVERSED].map(has);
    visible(cell.symbol().to_owned(), colour(pen.fg), colour(pen.bg), bits)
}

fn visible(
    text: String,
    fg: vt100::Color,
    bg: vt100::Color,
    bits: [bool; 5],
) -> (String, vt100::Color, vt100::Color, [bool; 5]) {
    let [.., underlined, reversed] = bits;
    if text.trim().is_empty() && !underlined && !reversed {
        (String::new(), vt100::Color::Default, bg, [false; 5])
    } else if text.trim().is_empty() {
        (String::new(), fg, bg, bits)
    } else {
        (text, fg, bg, bits)
    }
}

fn size(of: u16) -> core::num::NonZero<u16> {
    of.try_into().unwrap()
}

fn compare(shown: &Buffer, screen: &vt100::Screen) -> Result<(), TestCaseError> {
    for y in 0..shown.area.height {
        let mut skip = 0_usize;
        for x in 0..shown.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let cell = &shown[(x, y)];
            skip = gate::columns(cell) - 1;
            let real = screen.cell(y, x).unwrap();
            let bits = [real.bold(), real.dim(), real.italic(), real.underline(), real.inverse()];
            let got = visible(real.contents().to_owned(), real.fgcolor(), real.bgcolor(), bits);
            prop_assert_eq!(got, wanted(cell), "cell {},{}", x, y);
        }
    }
    Ok(())
}

#[test]
fn a_line_more_in_a_log_costs_little_more_than_that_line() {
    let words = ["allocator", "step", "queue depth", "falling back", "store", "transaction", "pool", "retry", "idle"];
    let line = |n: usize| format!("03:12:4{n} {} of {}", words[n], words[n - 1]);
    let log = |from: usize| {
        let lines: Vec<String> = (from..from + 6).map(line).collect();
        let mut all = vec!["head"];
        all.extend(lines.iter().map(String::as_str));
        text(&all)
    };
    let sent = step(log(1), log(2));
    assert!(sent.contains("^[2;7r^[7H\n^[r"), "{sent}");
    assert!(sent.len() < line(7).len() + 40, "{} bytes: {sent}", sent.len());
}

proptest! {
    #[test]
    fn the_terminal_shows_what_was_drawn(frames in proptest::collection::vec((writes(), any::<bool>(), 0_usize..4), 1..8)) {
        let mut encoder = Encoder::new(Depth::True, true);
        let mut terminal = vt100::Parser::new(size(SIZE.height), size(SIZE.width), 0);
        let mut buffer = Buffer::empty(SIZE);
        for (writes, keep, moved) in frames {
            if !keep {
                buffer.reset();
            }
            // As a log does: some rows move up, the last ones become blank.
            Scroll { top: 1, bottom: 6, by: moved }.apply(&mut buffer.content, usize::from(SIZE.width));
            for (x, y, words, style) in writes {
                buffer.set_string(x, y, words, style);
            }
            let mut out = Vec::new();
            encoder.encode(buffer.clone(), &mut out);
            terminal.process(&out);
            compare(encoder.shown.as_ref().unwrap(), terminal.screen())?;
        }
        prop_assert_eq!(encoder.refused(), 0);
    }
}

/// What a perfect differ would send: absolute moves (or short gaps again), changed colours, changed text.
fn floor(old: &Buffer, new: &Buffer) -> usize {
    let (mut cost, mut pen) = (0, Pen::PLAIN);
    for y in 0..new.area.height {
        let mut last: Option<u16> = None;
        for x in (0..new.area.width).filter(|x| new[(*x, y)] != old[(*x, y)]) {
            let cell = &new[(x, y)];
            match last {
                Some(last) if last + 1 == x => {}
                Some(last) if x - last <= 5 => {
                    cost += (last + 1..x).map(|gap| new[(gap, y)].symbol().len()).sum::<usize>();
                }
                _ => cost += 4 + digits(usize::from(y) + 1) + digits(usize::from(x) + 1),
            }
            let next = Pen::of(cell, Depth::True);
            let mut sgr = Vec::new();
            pen.change(next, &mut sgr);
            cost += sgr.len() + cell.symbol().len();
            (pen, last) = (next, Some(x));
        }
    }
    cost
}

#[test]
fn a_living_screen_costs_at_most_a_tenth_more_than_its_changed_cells() {
    let area = Rect::new(0, 0, 120, 40);
    let bars = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    let draw = |tick: usize| {
        let mut buffer = Buffer::empty(area);
        let plain = Style::new();
        let warning = Style::new().fg(Color::Yellow).add_modifier(Modifier::BOLD);
        buffer.set_string(100, 0, format!("03:12:{:02} UTC", tick % 60), plain);
        for (row, pane) in (2..18).step_by(4).zip(0..) {
            for column in [0, 60] {
                let value = (tick * 37 + pane * 11 + usize::from(column)) % 100;
                let level = if value > 60 { ("WARNING ", warning) } else { ("OK      ", plain) };
                buffer.set_string(column, row, "Queue depth", plain);
                buffer.set_string(column + 30, row, format!("{value:>5} %"), plain);
                buffer.set_string(column + 40, row, level.0, level.1);
                for x in 0..50 {
                    let bar = bars[(tick + usize::from(x)) * 5 / 7 % 8];
                    buffer.set_string(column + x, row + 1, bar, Style::new().fg(Color::Cyan));
                }
            }
        }
        for row in 20..39 {
            let line = tick + usize::from(row);
            buffer.set_string(0, row, format!("03:12:{:02}.118 INFO  step {} done", line % 60, 18_204 + line), plain);
        }
        buffer
    };
    let mut encoder = Encoder::new(Depth::True, true);
    let mut out = Vec::new();
    encoder.encode(draw(0), &mut out);
    let (mut bytes, mut least) = (0, 0);
    for tick in 1..60 {
        out.clear();
        let (old, new) = (draw(tick - 1), draw(tick));
        least += floor(&old, &new);
        encoder.encode(new, &mut out);
        bytes += out.len();
    }
    assert!(bytes * 10 <= least * 11, "{bytes} bytes, the changed cells alone are {least}");
}
