//! A form about an alert: named lines of text, one of them with the cursor.

use super::sheet::sheet;
use crate::app::Model;
use crate::app::alerts::finding;
use crate::app::answer::{Form, Purpose};
use crate::app::form::Field;
use crate::app::walking::Word;
use crate::base::Clean;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use crate::ui::value::wrap;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};
use unicode_width::UnicodeWidthStr;

/// Lines for what comes of figures.
const RESULTS: u16 = 6;
/// Columns of the labels: the narrowest, and the widest.
const LABEL: (u16, u16) = (9, 24);

/// Draws the form.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, form: &Form) {
    let title = match &form.purpose {
        Purpose::Take(_) => "TAKE",
        Purpose::Silence => "MUTE",
        Purpose::Escalate(_) => "ESCALATED",
        Purpose::Plan(_) => "PLAN",
        Purpose::Walk(_, word) => word.title(),
        Purpose::Incident(writing) => writing.word(),
        Purpose::Settle(_) => "SETTLE",
    };
    let fields = &form.fields.all;
    // Beside what comes of it the fields stand closer.
    let step: u16 = if form.worked.is_empty() && !is_figures(form) { 3 } else { 2 };
    let results = if is_figures(form) { RESULTS } else { 0 };
    let height = u16::try_from(fields.len()).unwrap_or(u16::MAX).saturating_mul(step).saturating_add(2 + results);
    let inner = sheet(paint, body, height, &clean!(" {title}: {} ", form.about), &clean!(""));
    let names = fields.iter().map(|field| field.label.as_str().width() + 1).max().unwrap_or(0);
    let label = u16::try_from(names).unwrap_or(u16::MAX).clamp(LABEL.0, LABEL.1);
    let mut y = inner.y;
    for (index, field) in fields.iter().enumerate() {
        if y < inner.bottom() {
            line(paint, Rect { y, height: 1, ..inner }, (field, label), index == form.fields.at);
            let below = (inner.x + label, y + 1);
            if y + 1 < inner.bottom() {
                paint.put(below, inner.width.saturating_sub(label), &field.about, Intent::Muted);
            }
        }
        y = y.saturating_add(step);
    }
    worked(paint, Rect { y, height: inner.bottom().saturating_sub(y.saturating_add(1)), ..inner }, form);
    let foot = (inner.x, inner.bottom().saturating_sub(1));
    let fault = form.fields.fault.clone().or_else(|| over(model, form));
    match &fault {
        Some(fault) => {
            // A long one takes the line above it too: how to mend it stands at its end.
            let lines = wrap(fault, inner.width, 2);
            let above = u16::try_from(lines.len()).unwrap_or(1).saturating_sub(1);
            let area = Rect { y: foot.1.saturating_sub(above), height: above + 1, ..inner };
            Clear.render(area.intersection(inner), paint.buffer);
            for (y, line) in (area.top()..inner.bottom()).zip(lines) {
                paint.put((inner.x, y), inner.width, line, Intent::Warning);
            }
        }
        None => {
            let enter = if matches!(form.purpose, Purpose::Plan(_)) { "Enter shows the plan" } else { "Enter does it" };
            let tab = if fields.len() > 1 { ", Tab next field" } else { "" };
            let more = clean!("{enter}{tab}, Esc does nothing");
            paint.put(foot, inner.width, more, Intent::Muted);
        }
    }
}

fn is_figures(form: &Form) -> bool {
    matches!(form.purpose, Purpose::Walk(_, Word::Figures))
}

/// What comes of the figures so far, a line each.
fn worked(paint: &mut Painter<'_>, area: Rect, form: &Form) {
    if !is_figures(form) || area.height == 0 {
        return;
    }
    if form.worked.is_empty() {
        paint.put((area.x, area.y), area.width, "Nothing comes of it until every figure fits.", Intent::Muted);
    }
    let lines = form.worked.iter().flat_map(|row| {
        let intent = if row.value.is_err() { Intent::Unknown } else { Intent::of(row.level) };
        wrap(&row.sentence(), area.width, 2).into_iter().map(move |line| (line, intent))
    });
    for (y, (line, intent)) in (area.top()..area.bottom()).zip(lines) {
        paint.put((area.x, y), area.width, line, intent);
    }
}

/// That what the form answers has ended while it was open.
fn over(model: &Model, form: &Form) -> Option<Clean> {
    let (Purpose::Take(ids) | Purpose::Escalate(ids)) = &form.purpose else { return None };
    let up = ids.iter().filter_map(|id| finding(&model.book, id)).any(|found| found.state.is_up());
    (!up).then(|| Clean::text("It is over by now: there is nothing left to answer."))
}

fn line(paint: &mut Painter<'_>, area: Rect, (field, width): (&Field, u16), here: bool) {
    let (label, typed) = if here { (Intent::Focus, Intent::Prompt) } else { (Intent::Muted, Intent::Text) };
    paint.put((area.x, area.y), width, &field.label, label);
    let (before, after) = field.line.parts();
    let room = area.width.saturating_sub(width);
    if !here {
        let text = clean!("{before}{after}");
        paint.put((area.x + width, area.y), room, text, typed);
        return;
    }
    // What stands before the cursor is shown to its end, however long it is.
    let before = tail(&before, usize::from(room.saturating_sub(2)));
    let pieces = [paint.piece(before, typed), paint.piece("_", Intent::Accent), paint.piece(after, typed)];
    paint.line((area.x + width, area.y), room, &pieces);
}

/// The end of a text in at most `width` columns; an ellipsis stands for what is left out.
fn tail(text: &Clean, width: usize) -> Clean {
    if text.as_str().width() <= width {
        return text.clone();
    }
    let mut start = text.as_str().len();
    let mut used = 1;
    for (at, c) in text.as_str().char_indices().rev() {
        used += unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used > width {
            break;
        }
        start = at;
    }
    clean!("…{}", text.as_str().get(start..).unwrap_or_default())
}
