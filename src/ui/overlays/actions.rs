//! The profile's actions, to choose one.

use super::sheet::sheet;
use crate::app::Model;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use ratatui::layout::Rect;

/// Draws the list with `selected` marked.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, selected: usize) {
    let actions = &model.identity.actions;
    let height = u16::try_from(actions.len().max(1)).unwrap_or(u16::MAX);
    let inner = sheet(paint, body, height, &clean!(" ACTIONS "), &clean!(" Enter shows the plan "));
    if actions.is_empty() {
        paint.put((inner.x, inner.y), inner.width, "This profile has no action.", Intent::Muted);
    }
    let first = selected.saturating_sub(usize::from(inner.height).saturating_sub(1));
    for (y, (index, (_, title))) in (inner.top()..inner.bottom()).zip(actions.iter().enumerate().skip(first)) {
        let intent = if index == selected { Intent::Selection } else { Intent::Text };
        let mark = if index == selected { "▸ " } else { "  " };
        let x = paint.put((inner.x, y), 2, mark, intent);
        paint.put((x, y), inner.width.saturating_sub(2), title, intent);
    }
}
