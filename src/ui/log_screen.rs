//! The screen of one log: a line of state, the lines, a line of hints. What is foreign always stands behind a gutter,
//! so that no line of a log looks like one of ours.

use super::paint::{Painter, Piece};
use crate::app::log_pane::{GUTTER, KEYS, LogPane, Typing};
use crate::base::{Clean, LogLevel, Unit};
use crate::clean;
use crate::config::{Intent, Theme};
use crate::logs::reader::Row;
use core::ops::Range;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Lines of the screen that are not the log's.
const OURS: u16 = 3;
/// Columns for the mark of a source, where there are several.
const SOURCE: u16 = 12;

/// Columns and rows that the log has on a screen of this size.
pub fn room((columns, rows): (u16, u16)) -> (u16, u16) {
    (columns, rows.saturating_sub(OURS))
}

/// Draws a pane over the whole of `buffer`. `title` is what is read; `ascii` is for terminals that cannot show more.
pub fn draw(pane: &LogPane, title: &Clean, theme: &Theme, ascii: bool, buffer: &mut Buffer) {
    let area = buffer.area;
    let mut paint = Painter::new(buffer, theme, ascii);
    state(&mut paint, area, pane, title);
    paint.rule(area, area.y + 1);
    let body = Rect { y: area.y + 2, height: area.height.saturating_sub(OURS), ..area };
    if pane.helps() {
        help(&mut paint, body);
    } else {
        lines(&mut paint, body, pane);
    }
    hint(&mut paint, area, pane);
}

fn state(paint: &mut Painter<'_>, area: Rect, pane: &LogPane, title: &Clean) {
    let status = pane.status();
    let mut left =
        vec![paint.piece(" ", Intent::Text), paint.piece(title, Intent::Title), paint.piece("  ", Intent::Text)];
    let mut tell = |paint: &Painter<'_>, text: Clean, intent| {
        left.push(paint.piece(text, intent));
        left.push(paint.piece("  ", Intent::Text));
    };
    tell(
        paint,
        clean!("{}", Unit::Bytes.show(figure(status.span.1 - status.span.0.min(status.span.1)))),
        Intent::Muted,
    );
    if pane.follows() {
        let word = if status.ended { "the end" } else { "following" };
        tell(paint, word.into(), Intent::Ok);
    } else {
        tell(paint, clean!("{} %", pane.percent()), Intent::Muted);
        tell(paint, clean!("+{} new, G to follow", pane.unseen()), Intent::Note);
    }
    tell(paint, clean!("{}/s", Unit::Count.show(figure(pane.per_second()))), Intent::Muted);
    let several = status.sources.len() > 1 || status.faults.len() > 1;
    for fault in status.faults.iter().take(1) {
        let told = if several { clean!("{fault}") } else { fault.what.clone() };
        tell(paint, told, Intent::Warning);
    }
    let right = if status.dropped > 0 {
        vec![paint.piece(pane.dropped(), Intent::Warning)]
    } else {
        vec![paint.piece("dropped 0", Intent::Muted)]
    };
    let taken = paint.width(&right) + 2;
    paint.line((area.x, area.y), area.width.saturating_sub(taken), &left);
    paint.right(area.right().saturating_sub(1), area.x, area.y, &right);
}

fn lines(paint: &mut Painter<'_>, body: Rect, pane: &LogPane) {
    let (rows, above) = pane.shown();
    let current = pane.current().map(|row| row.place);
    let several = pane.status().sources.len() > 1;
    let (mut y, mut skip) = (body.y, above);
    for row in rows {
        if y >= body.bottom() {
            break;
        }
        let parts = parts(row, pane, body.width.saturating_sub(GUTTER));
        for (at, part) in parts.into_iter().enumerate() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            if y >= body.bottom() {
                break;
            }
            let here = Some(row.place) == current && !pane.follows();
            let sign = match (pane.is_marked(row), here) {
                (true, _) => paint.piece("*", Intent::Accent),
                (false, true) => paint.piece("▸", Intent::Focus),
                (false, false) => paint.piece(" ", Intent::Text),
            };
            paint.line((body.x, y), 1, &[sign]);
            let mut x = body.x + GUTTER;
            if several && at == 0 && !row.line.marker {
                x = source(paint, (x, y), pane, row);
            } else if several && !row.line.marker {
                x += SOURCE;
            }
            let pieces = pieces(paint, row, pane, part);
            paint.line((x, y), body.right().saturating_sub(x), &pieces);
            y += 1;
        }
    }
}

/// The mark of the source, always as wide.
fn source(paint: &mut Painter<'_>, (x, y): (u16, u16), pane: &LogPane, row: &Row) -> u16 {
    if let Some(name) = pane.status().sources.get(usize::from(row.source)) {
        paint.put((x, y), SOURCE - 1, name, Intent::Muted);
    }
    x + SOURCE
}

/// The byte ranges of a row that stand on one line of the screen each.
fn parts(row: &Row, pane: &LogPane, columns: u16) -> Vec<Range<usize>> {
    let text = row.line.message.as_str();
    let room = usize::from(columns).max(1);
    let mut parts = Vec::new();
    let (mut start, mut wide) = (0, 0);
    for (at, cluster) in text.grapheme_indices(true) {
        let width = cluster.width();
        if wide + width > room {
            if !pane.wraps() {
                // One more, so that the painter shows that there is more.
                parts.push(0..at + cluster.len());
                return parts;
            }
            parts.push(start..at);
            (start, wide) = (at, 0);
        }
        wide += width;
    }
    parts.push(start..text.len());
    parts
}

/// A part of a row, cut where hits begin and end.
fn pieces(paint: &Painter<'_>, row: &Row, pane: &LogPane, part: Range<usize>) -> Vec<Piece<'static>> {
    let text = row.line.message.as_str();
    if row.line.marker {
        return vec![paint.piece("--- ", Intent::Muted), paint.piece(row.line.message.clone(), Intent::Muted)];
    }
    let intent = match row.line.level {
        Some(LogLevel::Error) => Intent::LogError,
        Some(LogLevel::Warn) => Intent::LogWarn,
        Some(LogLevel::Debug | LogLevel::Trace) => Intent::LogDebug,
        Some(LogLevel::Info) | None => Intent::Text,
    };
    let marks = pane.finding().and_then(|finding| finding.find()).map(|find| find.marks(text)).unwrap_or_default();
    let mut out = Vec::new();
    let mut push = |range: Range<usize>, intent| {
        if let Some(piece) = text.get(range).filter(|piece| !piece.is_empty()) {
            out.push(paint.piece(Clean::text(piece), intent));
        }
    };
    let mut at = part.start;
    for mark in marks {
        let (start, end) = (mark.start.clamp(at, part.end.max(at)), mark.end.clamp(at, part.end.max(at)));
        push(at..start, intent);
        push(start..end, Intent::Selection);
        at = end;
    }
    push(at..part.end, intent);
    out
}

fn hint(paint: &mut Painter<'_>, area: Rect, pane: &LogPane) {
    let y = area.bottom().saturating_sub(1);
    let tally = pane.tally();
    let right: Vec<Piece<'_>> = tally.into_iter().map(|tally| paint.piece(tally, Intent::Note)).collect();
    let room = area.width.saturating_sub(paint.width(&right) + 3);
    let typed = |paint: &Painter<'_>, sign: &'static str, text: &str| {
        vec![paint.piece(sign, Intent::Key), paint.piece(clean!("{text}_"), Intent::Value)]
    };
    let pieces = match (pane.typing(), pane.notice()) {
        (Typing::Pattern(text), _) => typed(paint, " /", text),
        (Typing::Time(text), _) => typed(paint, " go to ", text),
        (Typing::Nothing, Some(notice)) => vec![paint.piece(" ", Intent::Text), paint.piece(notice, Intent::Note)],
        (Typing::Nothing, None) => {
            let keys = [
                ("?", "help"),
                ("/", "search"),
                ("n N", "hits"),
                ("G", "follow"),
                ("t", "time"),
                ("w", "wrap"),
                ("q", "leave"),
            ];
            let words = keys.iter().flat_map(|(key, what)| {
                [
                    paint.piece(" ", Intent::Text),
                    paint.piece(*key, Intent::Key),
                    paint.piece(" ", Intent::Text),
                    paint.piece(*what, Intent::Muted),
                    paint.piece(" ", Intent::Text),
                ]
            });
            words.collect()
        }
    };
    paint.line((area.x, y), room, &pieces);
    paint.right(area.right().saturating_sub(1), area.x, y, &right);
}

fn help(paint: &mut Painter<'_>, body: Rect) {
    for (y, (keys, what)) in (body.y..body.bottom()).zip(KEYS) {
        let x = paint.put((body.x + GUTTER, y), 20, *keys, Intent::Key);
        paint.put((x.max(body.x + GUTTER + 20), y), body.right().saturating_sub(x), *what, Intent::Text);
    }
}

fn figure(n: u64) -> f64 {
    n as f64
}
