//! The screen of the `log` tool: a line of state, the lines, a line of hints.

use super::log_lines::{self, Look};
use super::paint::{Painter, Piece};
use crate::app::Scroll;
use crate::app::log_pane::{COMMANDS, GUTTER, LogPane};
use crate::base::{Clean, Unit};
use crate::clean;
use crate::command::{Command, Context};
use crate::config::{Intent, Theme};
use crate::input::Keymap;
use crate::logs::LogPatterns;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Lines of the screen that are not the log's.
const OURS: u16 = 3;

/// Columns and rows that the log has on a screen of this size.
pub fn room((columns, rows): (u16, u16)) -> (u16, u16) {
    (columns, rows.saturating_sub(OURS))
}

/// All that the screen shows.
pub struct Shown<'a> {
    /// Where the reader stands.
    pub pane: &'a LogPane,
    /// What is read.
    pub title: &'a Clean,
    /// What colours a line.
    pub patterns: &'a LogPatterns,
    /// Times stand before the lines.
    pub times: bool,
    /// The page of keys lies over the lines.
    pub help: Option<&'a Scroll>,
    /// Keys.
    pub keymap: &'a Keymap,
}

/// Draws over the whole of `buffer`. `ascii` is for terminals that cannot show more.
pub fn draw(shown: &Shown<'_>, theme: &Theme, ascii: bool, buffer: &mut Buffer) {
    let area = buffer.area;
    let mut paint = Painter::new(buffer, theme, ascii);
    state(&mut paint, area, shown);
    paint.rule(area, area.y + 1);
    let body = Rect { y: area.y + 2, height: area.height.saturating_sub(OURS), ..area };
    if let Some(scroll) = shown.help {
        help(&mut paint, body, shown.keymap, scroll);
    } else {
        let (pane, patterns) = (shown.pane, shown.patterns);
        let several = pane.status().sources.len() > 1 || pane.status().faults.len() > 1;
        let told = |fault: &crate::base::Fault| if several { clean!("{fault}") } else { fault.what.clone() };
        let faults = pane.status().faults.iter().map(told).collect();
        log_lines::draw(&mut paint, body, &Look { pane, patterns, times: shown.times, levels: false, faults });
    }
    hint(&mut paint, area, shown);
}

fn state(paint: &mut Painter<'_>, area: Rect, shown: &Shown<'_>) {
    let (pane, status) = (shown.pane, shown.pane.status());
    let mut left =
        vec![paint.piece(" ", Intent::Text), paint.piece(shown.title, Intent::Title), paint.piece("  ", Intent::Text)];
    let mut tell = |paint: &Painter<'_>, text: Clean, intent| {
        left.push(paint.piece(text, intent));
        left.push(paint.piece("  ", Intent::Text));
    };
    if pane.follows() {
        let word = if status.ended { "the end" } else { "following" };
        tell(paint, word.into(), Intent::Ok);
    } else {
        tell(paint, clean!("+{} new, G to follow", pane.unseen()), Intent::Note);
        tell(paint, clean!("{} %", pane.percent()), Intent::Muted);
    }
    let bytes = Unit::Bytes.show(figure(status.span.1 - status.span.0.min(status.span.1)));
    tell(paint, clean!("{bytes}"), Intent::Muted);
    tell(paint, clean!("{}/s", Unit::Count.show(figure(pane.per_second()))), Intent::Muted);
    let mut right = Vec::new();
    if shown.times {
        right.push(paint.piece(clean!("{}  ", pane.zone), Intent::Muted));
    }
    right.push(paint.piece(pane.dropped(), if status.dropped > 0 { Intent::Warning } else { Intent::Muted }));
    let taken = paint.width(&right) + 2;
    paint.line((area.x, area.y), area.width.saturating_sub(taken), &left);
    paint.right(area.right().saturating_sub(1), area.x, area.y, &right);
}

/// What is most wanted, first.
const HINTS: [Command; 10] = [
    Command::Help,
    Command::Search,
    Command::Filter,
    Command::Bottom,
    Command::NextError,
    Command::GoToTime,
    Command::Quit,
    Command::Fold,
    Command::Wrap,
    Command::Zone,
];

fn hint(paint: &mut Painter<'_>, area: Rect, shown: &Shown<'_>) {
    let y = area.bottom().saturating_sub(1);
    let right = log_lines::state(paint, shown.pane);
    let room = area.width.saturating_sub(paint.width(&right) + 3);
    let pieces = log_lines::said(paint, shown.pane).unwrap_or_else(|| {
        let mut pieces: Vec<Piece<'_>> = vec![paint.piece(" ", Intent::Text)];
        for command in HINTS {
            let Some(keys) = shown.keymap.keys_for(Context::Log, command) else { continue };
            let words = shown.keymap.describe(Context::Log, command);
            let next = [paint.piece(Clean::text(keys), Intent::Key), paint.piece(clean!(" {words}  "), Intent::Muted)];
            if paint.width(&pieces) + paint.width(&next) > room {
                break;
            }
            pieces.extend(next);
        }
        pieces
    });
    paint.line((area.x, y), room, &pieces);
    paint.right(area.right().saturating_sub(1), area.x, y, &right);
}

/// The keys that mean something here.
fn help(paint: &mut Painter<'_>, body: Rect, keymap: &Keymap, scroll: &Scroll) {
    let others = [Command::Zone, Command::Help, Command::Redraw, Command::Suspend, Command::Quit];
    let all: Vec<(Clean, Clean)> = keymap
        .rows(Context::Log)
        .into_iter()
        .filter(|row| COMMANDS.contains(&row.command) || others.contains(&row.command))
        .map(|row| {
            let space = if row.command == Command::PageDown { "  Space" } else { "" };
            (clean!("{}{space}", row.keys()), row.desc)
        })
        .collect();
    let first = scroll.clamp(all.len(), body.height);
    for (y, (keys, what)) in (body.y..body.bottom()).zip(all.iter().skip(first)) {
        let x = paint.put((body.x + GUTTER, y), 20, keys, Intent::Key);
        let x = x.max(body.x + GUTTER + 21);
        paint.put((x, y), body.right().saturating_sub(x), what, Intent::Text);
    }
}

fn figure(n: u64) -> f64 {
    n as f64
}
