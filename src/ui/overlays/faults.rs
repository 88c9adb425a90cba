//! What is wrong with profile, keymap or theme: where, what, how to mend it.

use super::sheet::{more, sheet};
use crate::app::{Model, Scroll};
use crate::base::Clean;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use crate::ui::value::wrap;
use ratatui::layout::Rect;

/// Draws the faults from where the reader stands.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, scroll: &Scroll) {
    let width = body.width.saturating_sub(4).min(96);
    let lines: Vec<Clean> = model
        .session
        .faults
        .iter()
        .flat_map(|fault| {
            let mut lines = wrap(&clean!("{fault}"), width, 4);
            lines.push(Clean::default());
            lines
        })
        .collect();
    let none = [Clean::text("Nothing is wrong with profile, rules, keymap or theme.")];
    let lines = if lines.is_empty() { none.to_vec() } else { lines };
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let inner = sheet(paint, body, height, &clean!(" FAULTS IN OUR FILES "), &clean!(" the rest goes on "));
    let first = scroll.clamp(lines.len(), inner.height);
    more(paint, inner, lines.len().saturating_sub(first + usize::from(inner.height)));
    for (y, line) in (inner.top()..inner.bottom()).zip(lines.iter().skip(first)) {
        paint.put((inner.x, y), inner.width, line, Intent::Text);
    }
}
