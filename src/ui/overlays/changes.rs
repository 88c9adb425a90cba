//! What changed when an alert began: one list of sentences, the most telling first.

use super::sheet::{more, sheet};
use crate::app::alerts::finding;
use crate::app::{Model, Scroll, answer};
use crate::base::Clean;
use crate::clean;
use crate::config::Intent;
use crate::rules::changes::ChangeKind;
use crate::rules::finding::AlertId;
use crate::ui::paint::Painter;
use crate::ui::value::wrap;
use ratatui::layout::Rect;

/// Columns of the word for the kind.
const KIND: u16 = 9;

/// Draws the sentences about this alert.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, alert: &AlertId, scroll: &Scroll) {
    let width = body.width.saturating_sub(4).min(96).saturating_sub(KIND);
    let mut lines: Vec<(&'static str, Clean)> = Vec::new();
    for change in model.changes.of(alert) {
        for (at, text) in wrap(&change.text, width, 4).into_iter().enumerate() {
            lines.push((if at == 0 { word(change.kind) } else { "" }, text));
        }
    }
    if lines.is_empty() {
        let none = Clean::text("Nothing that was watched is known to have changed before it.");
        lines.extend(wrap(&none, width, 4).into_iter().map(|text| ("", text)));
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let name = answer::name(model, alert.rule);
    let began = finding(&model.book, alert).and_then(|found| found.fired);
    let tail = began.map_or_else(Clean::default, |fired| clean!(" it fired at {} ", model.clock_zone(fired.wall)));
    let inner = sheet(paint, body, height, &clean!(" WHAT CHANGED BEFORE {name} "), &tail);
    let first = scroll.clamp(lines.len(), inner.height);
    more(paint, inner, lines.len().saturating_sub(first + usize::from(inner.height)));
    for (y, (kind, text)) in (inner.top()..inner.bottom()).zip(lines.iter().skip(first)) {
        paint.put((inner.x, y), KIND, *kind, Intent::Muted);
        paint.put((inner.x + KIND, y), inner.width.saturating_sub(KIND), text, Intent::Text);
    }
}

const fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Config => "config",
        ChangeKind::Deploy => "deploy",
        ChangeKind::Restart => "restart",
        ChangeKind::Series => "metric",
    }
}
