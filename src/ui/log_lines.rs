//! The lines of a log as every pane shows them: each behind a mark in the gutter, so that none looks like one of ours;
//! its source, time and level; what is searched for, known by a pattern, selected or folded. Foreign text is cleaned.

use super::overlays::sheet;
use super::paint::{Painter, Piece};
use crate::app::log_pane::{GUTTER, LogPane};
use crate::base::{Clean, LogLevel};
use crate::clean;
use crate::config::Intent;
use crate::logs::LogPatterns;
use crate::logs::reader::Row;
use core::ops::Range;
use ratatui::layout::Rect;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns for the mark of a source at most, where there are several.
const SOURCE: u16 = 12;
/// Columns of a time, of a level.
const TIME: u16 = 9;
const LEVEL: u16 = 6;
/// Sentences about sources that are shown at once.
const FAULTS: usize = 3;

/// What of a log is shown.
pub struct Look<'a> {
    /// The reader's place.
    pub pane: &'a LogPane,
    /// What colours a line.
    pub patterns: &'a LogPatterns,
    /// Whether times stand before the lines.
    pub times: bool,
    /// Whether levels do.
    pub levels: bool,
    /// What is wrong with sources now.
    pub faults: Vec<Clean>,
}

impl Look<'_> {
    fn several(&self) -> bool {
        self.pane.status().sources.len() > 1
    }

    /// Columns of the sources' marks.
    fn marks(&self) -> u16 {
        let widest = self.pane.status().sources.iter().map(|name| short(name).as_str().width()).max().unwrap_or(0);
        if self.several() { u16::try_from(widest + 1).unwrap_or(SOURCE).min(SOURCE) } else { 0 }
    }

    /// Columns before the text.
    fn before(&self) -> u16 {
        self.marks() + if self.times { TIME } else { 0 } + if self.levels { LEVEL } else { 0 }
    }
}

/// Draws the filter, what is wrong, and the lines.
pub fn draw(paint: &mut Painter<'_>, area: Rect, look: &Look<'_>) {
    let mut body = area;
    let take = |body: &mut Rect| {
        let y = body.y;
        (body.height > 1).then(|| (body.y, body.height) = (y + 1, body.height - 1)).map(|()| y)
    };
    if let Some((filter, figures)) = look.pane.sieve()
        && let Some(y) = take(&mut body)
    {
        let figures = [paint.piece(figures, Intent::Note)];
        let room = area.width.saturating_sub(paint.width(&figures) + 4);
        let pieces = [paint.piece(" & ", Intent::Key), paint.piece(filter, Intent::Value)];
        paint.line((area.x, y), room, &pieces);
        paint.right(area.right().saturating_sub(1), area.x, y, &figures);
    }
    let more = look.faults.len().saturating_sub(FAULTS);
    for (at, fault) in look.faults.iter().take(FAULTS).enumerate() {
        let Some(y) = take(&mut body) else { break };
        let tail = if at + 1 == FAULTS && more > 0 { clean!("  and {more} more") } else { Clean::default() };
        let pieces = [paint.piece(clean!(" ! {fault}{tail}"), Intent::Warning)];
        paint.line((area.x, y), area.width, &pieces);
    }
    look.pane.fit((body.width.saturating_sub(look.before()), body.height));
    rows(paint, body, look);
    if let Some((lines, first)) = look.pane.detailed() {
        detail(paint, area, &lines, first);
    }
}

/// What is being typed, or what has to be said; `None` leaves the line to hints.
pub fn said<'a>(paint: &Painter<'_>, pane: &LogPane) -> Option<Vec<Piece<'a>>> {
    if let Some((sign, text)) = pane.typing().line() {
        let mut out = vec![
            paint.piece(" ", Intent::Text),
            paint.piece(sign, Intent::Key),
            paint.piece(clean!("{text}_"), Intent::Value),
        ];
        if let Some(fault) = pane.sift_fault() {
            out.push(paint.piece(clean!("  {fault}"), Intent::Warning));
        }
        return Some(out);
    }
    pane.notice().map(|notice| vec![paint.piece(" ", Intent::Text), paint.piece(notice.clone(), Intent::Note)])
}

/// Search and selection, for a state line.
pub fn state<'a>(paint: &Painter<'_>, pane: &LogPane) -> Vec<Piece<'a>> {
    let told = [pane.selected(), pane.tally(), pane.folds().then(|| "folded".into())];
    told.into_iter().flatten().map(|text: Clean| paint.piece(clean!("{text}  "), Intent::Note)).collect()
}

fn detail(paint: &mut Painter<'_>, area: Rect, lines: &[Clean], first: usize) {
    let width = usize::from(area.width.min(100).saturating_sub(4)).max(1);
    let wrapped: Vec<Clean> = lines.iter().flat_map(|line| cut(line.as_str(), width)).collect();
    let height = u16::try_from(wrapped.len()).unwrap_or(u16::MAX);
    let inner = sheet::sheet(paint, area, height, &clean!(" LINE "), &clean!(" y copies  Esc "));
    let first = first.min(wrapped.len().saturating_sub(usize::from(inner.height)));
    for (y, line) in (inner.top()..inner.bottom()).zip(wrapped.iter().skip(first)) {
        paint.put((inner.x, y), inner.width, line, Intent::Text);
    }
}

fn cut(text: &str, width: usize) -> Vec<Clean> {
    parts(text, width, true).into_iter().filter_map(|part| text.get(part).map(Clean::text)).collect()
}

fn rows(paint: &mut Painter<'_>, body: Rect, look: &Look<'_>) {
    let (rows, above) = look.pane.shown();
    let current = look.pane.current().map(|row| row.place).filter(|_| !look.pane.follows());
    let selected = look.pane.selection();
    let (mut y, mut skip) = (body.y, above);
    for row in rows {
        let columns = usize::from(body.width.saturating_sub(GUTTER + look.before())).max(1);
        let pattern = pattern(look, row);
        let intent = intent(row, pattern);
        if let Some(back) = row.back {
            if skip > 0 {
                skip -= 1;
            } else if y < body.bottom() {
                let told = clean!("--- the clock went back {}", long(back.as_secs()));
                paint.put((body.x + GUTTER, y), body.width.saturating_sub(GUTTER), told, Intent::LogWarn);
                y += 1;
            }
        }
        let parts = parts(row.line.message.as_str(), columns, look.pane.wraps());
        for (at, part) in parts.into_iter().enumerate() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            if y >= body.bottom() {
                return;
            }
            let chosen = selected.is_some_and(|(from, to)| (from..=to).contains(&row.place));
            let sign = match () {
                () if Some(row.place) == current && at == 0 => ("▸", Intent::Focus),
                () if chosen => ("┃", Intent::Selection),
                () if row.line.marker => (" ", Intent::Muted),
                () if look.pane.is_marked(row) => ("*", Intent::Accent),
                () if pattern.is_some() => ("!", intent),
                () => ("│", Intent::Rule),
            };
            paint.put((body.x, y), 1, sign.0, sign.1);
            let x = if row.line.marker { body.x + GUTTER } else { head(paint, (body.x + GUTTER, y), (row, at), look) };
            let mut pieces = Vec::new();
            let times = look.pane.times(row);
            if at == 0 && times > 1 {
                pieces.push(paint.piece(clean!("×{times} "), Intent::Note));
            }
            pieces.extend(text(paint, row, look.pane, part, intent));
            paint.line((x, y), body.right().saturating_sub(x), &pieces);
            y += 1;
        }
    }
}

/// Source, time and level of a row, always as wide. Returns the column after them.
fn head(paint: &mut Painter<'_>, (mut x, y): (u16, u16), (row, at): (&Row, usize), look: &Look<'_>) -> u16 {
    let end = x + look.before();
    if at > 0 {
        return end;
    }
    if let Some(name) = look.pane.status().sources.get(usize::from(row.source)).filter(|_| look.several()) {
        paint.put((x, y), look.marks().saturating_sub(1), short(name), Intent::Muted);
        x += look.marks();
    }
    if look.times {
        // What the line itself does not say bears a sign, and a column more, which the level leaves free.
        let about = if row.about.is_some() { "~" } else { "" };
        let time = row.time().map(|time| clean!("{}{about}", time.hms_in(look.pane.zone))).unwrap_or_default();
        paint.put((x, y), TIME, time, Intent::Muted);
        x += TIME + u16::from(row.about.is_some() && row.line.level.is_none());
    }
    if let Some(level) = row.line.level.filter(|_| look.levels) {
        let intent = match level {
            LogLevel::Error => Intent::LogError,
            LogLevel::Warn => Intent::LogWarn,
            LogLevel::Info => Intent::Muted,
            LogLevel::Debug | LogLevel::Trace => Intent::LogDebug,
        };
        paint.put((x, y), LEVEL, level.word(), intent);
    } else if row.line.level.is_none() && look.levels {
        return x;
    }
    end
}

/// `2 h 0 min`.
fn long(seconds: u64) -> Clean {
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => clean!("{seconds} s"),
        (0, 0, minutes, seconds) => clean!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => clean!("{hours} h {minutes} min"),
        (days, hours, ..) => clean!("{days} d {hours} h"),
    }
}

/// The file's own name is the mark of a path.
fn short(name: &Clean) -> Clean {
    name.as_str().rsplit('/').next().map_or_else(|| name.clone(), Clean::text)
}

fn pattern(look: &Look<'_>, row: &Row) -> Option<LogLevel> {
    let name = look.pane.status().sources.get(usize::from(row.source)).map_or("", |name| name.as_str());
    let found = if row.line.marker { None } else { look.patterns.worst(name, row.line.message.as_str()) };
    found.map(|pattern| pattern.level)
}

fn intent(row: &Row, pattern: Option<LogLevel>) -> Intent {
    match pattern.or(row.line.level) {
        _ if row.line.marker => Intent::Muted,
        Some(LogLevel::Error) => Intent::LogError,
        Some(LogLevel::Warn) => Intent::LogWarn,
        Some(LogLevel::Debug | LogLevel::Trace) => Intent::LogDebug,
        Some(LogLevel::Info) | None => Intent::Text,
    }
}

/// The byte ranges of a text that stand on one line of the screen each.
fn parts(text: &str, room: usize, wraps: bool) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut wide) = (0, 0);
    for (at, cluster) in text.grapheme_indices(true) {
        let width = cluster.width();
        if wide + width > room {
            if !wraps {
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
fn text(paint: &Painter<'_>, row: &Row, pane: &LogPane, part: Range<usize>, intent: Intent) -> Vec<Piece<'static>> {
    let text = row.line.message.as_str();
    if row.line.marker {
        return vec![paint.piece("--- ", Intent::Muted), paint.piece(row.line.message.clone(), Intent::Muted)];
    }
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
