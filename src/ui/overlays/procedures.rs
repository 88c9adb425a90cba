//! The list of procedures, found by what is typed or pasted: a symptom, an alert, a word of the title.

use super::sheet::{more, search, sheet};
use crate::app::Model;
use crate::app::found::{Found, ProcedureList, rows};
use crate::base::Clean;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::{Painter, Piece};
use crate::ui::value::shorten;
use ratatui::layout::Rect;

/// Draws the list with the selected row marked.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, list: &ProcedureList) {
    let rows = rows(model, &list.search.text());
    // Two lines a row: what it is, and why it is here.
    let tall = rows.len().max(1) * 2 + 2;
    let height = u16::try_from(tall).unwrap_or(u16::MAX);
    let known = model.procedures.known.len();
    let inner = sheet(
        paint,
        body,
        height,
        &clean!(" PROCEDURES "),
        &clean!(" {} of {known}, Enter opens, Esc goes back ", rows.len()),
    );
    search(paint, inner, "Symptom", &list.search);
    let room = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    if rows.is_empty() {
        let text = "Nothing here knows this. Fewer words find more; Esc goes back.";
        paint.put((room.x, room.y), room.width, text, Intent::Muted);
    }
    let fit = usize::from(room.height / 2).max(1);
    let first = (list.at + 1).saturating_sub(fit);
    for (index, found) in rows.iter().enumerate().skip(first).take(fit) {
        let y = room.y + u16::try_from((index - first) * 2).unwrap_or(0);
        row(paint, Rect { y, height: 2, ..room }, model, found, index == list.at);
    }
    more(paint, inner, rows.len().saturating_sub(first + fit));
}

fn row(paint: &mut Painter<'_>, area: Rect, model: &Model, found: &Found, here: bool) {
    let intent = if here { Intent::Selection } else { Intent::Text };
    let right = standing(paint, model, found);
    let room = area.width.saturating_sub(paint.width(&right) + 3);
    let mark = if here { "▸ " } else { "  " };
    let title = [paint.piece(mark, intent), paint.piece(shorten(&found.document.title, room), intent)];
    paint.line((area.x, area.y), room + 2, &title);
    paint.right(area.right(), area.x, area.y, &right);
    let mut why: Vec<Piece<'_>> = Vec::new();
    if let Some(text) = &found.why {
        let level = if found.asked { Intent::Warning } else { Intent::Note };
        why.push(paint.piece(clean!("{text}  "), level));
    }
    why.extend(holds(paint, found));
    paint.line((area.x + 4, area.y + 1), area.width.saturating_sub(4), &why);
}

/// Where its walk stands, or how long it should take.
fn standing<'a>(paint: &Painter<'_>, model: &Model, found: &Found) -> Vec<Piece<'a>> {
    if let Some(working) = model.procedures.under_way(&found.document) {
        let (at, of) = working.walk.position();
        return vec![paint.piece(clean!("under way, step {at} of {of}"), Intent::Note)];
    }
    if !found.document.faults.is_empty() {
        return vec![paint.piece("has faults", Intent::Warning)];
    }
    if !found.document.is_live() {
        return vec![paint.piece("to read", Intent::Muted)];
    }
    let span = found.document.time_box.map(|span| clean!("{}", crate::base::time::Span(span)));
    span.map(|span| paint.piece(span, Intent::Muted)).into_iter().collect()
}

/// Whether its conditions hold now.
fn holds<'a>(paint: &Painter<'_>, found: &Found) -> Option<Piece<'a>> {
    let (hold, of, unknown) = found.holds;
    let (text, intent): (Clean, Intent) = match (hold, of, unknown) {
        (_, 0, _) => return None,
        (hold, of, _) if hold == of => (clean!("its conditions hold now ({hold} of {of})"), Intent::Warning),
        (0, _, 0) => (clean!("its conditions do not hold now"), Intent::Muted),
        (hold, of, 0) => (clean!("{hold} of {of} of its conditions hold now"), Intent::Note),
        (hold, of, unknown) => (clean!("{hold} of {of} conditions hold now, {unknown} cannot be told"), Intent::Muted),
    };
    Some(paint.piece(text, intent))
}
