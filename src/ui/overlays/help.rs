//! The keys of here and now, from the keymap in use.

use super::sheet::{more, sheet};
use crate::app::{Model, Overlay, Scroll};
use crate::base::Clean;
use crate::clean;
use crate::command::Context;
use crate::config::Intent;
use crate::ui::paint::Painter;
use ratatui::layout::Rect;

/// Draws the key reference from where the reader stands.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, scroll: &Scroll) {
    let mut lines: Vec<(Clean, Clean)> = Vec::new();
    let here = match model.session.beneath.last() {
        Some(Overlay::Procedure(_)) => Context::Procedure,
        Some(_) => Context::Overlay,
        None if model.reading().is_some() => Context::Log,
        None => Context::Triage,
    };
    let others = Context::ALL.iter().filter(|context| **context != here);
    for context in [here].iter().chain(others) {
        lines.push((Clean::text(context.word().to_uppercase()), Clean::default()));
        for row in model.keymap.rows(*context) {
            lines.push((Clean::text(row.keys()), row.desc));
        }
        lines.push((Clean::default(), Clean::default()));
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let inner = sheet(paint, body, height, &clean!(" KEYS "), &clean!(" Esc "));
    let first = scroll.clamp(lines.len(), inner.height);
    more(paint, inner, lines.len().saturating_sub(first + usize::from(inner.height)));
    for (y, (keys, about)) in (inner.top()..inner.bottom()).zip(lines.iter().skip(first)) {
        paint.put((inner.x, y), 18, keys, Intent::Key);
        paint.put((inner.x + 19, y), inner.width.saturating_sub(19), about, Intent::Text);
    }
}
