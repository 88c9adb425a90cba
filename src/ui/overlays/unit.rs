//! The journal of a unit that has failed, the newest line last.

use super::sheet::{more, sheet};
use crate::app::{Model, UnitView};
use crate::base::Clean;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use crate::ui::value::wrap;
use ratatui::layout::Rect;

/// Draws its lines.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, view: &UnitView) {
    let width = body.width.saturating_sub(4);
    let (texts, intent) = match &view.journal {
        None => (vec![Clean::from("Reading its journal.")], Intent::Muted),
        Some(Err(fault)) => (vec![clean!("{fault}")], Intent::Warning),
        Some(Ok(lines)) if lines.is_empty() => (vec![Clean::from("Its journal is empty.")], Intent::Muted),
        Some(Ok(lines)) => (lines.clone(), Intent::Text),
    };
    let lines: Vec<Clean> = texts.iter().flat_map(|text| wrap(text, width, 4)).collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let keys = model.keymap.keys_for(model.context(), crate::command::Command::Open).unwrap_or_default();
    let tail = clean!(" {keys} plans its restart ");
    let inner = sheet(paint, body, height, &clean!(" JOURNAL OF {} ", view.unit), &tail);
    let first = view.scroll.clamp(lines.len(), inner.height);
    more(paint, inner, lines.len().saturating_sub(first + usize::from(inner.height)));
    for (y, text) in (inner.top()..inner.bottom()).zip(lines.iter().skip(first)) {
        paint.put((inner.x, y), inner.width, text, intent);
    }
}
