//! All that was pasted or worked out at an item of a procedure: a line is a row, cut with a mark where it is longer.

use super::sheet::{more, sheet};
use crate::app::Whole;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use ratatui::layout::Rect;

/// Draws its lines.
pub fn draw(paint: &mut Painter<'_>, body: Rect, whole: &Whole) {
    let height = u16::try_from(whole.lines.len()).unwrap_or(u16::MAX);
    let inner = sheet(paint, body, height, &clean!(" {} ", whole.title), &clean!(" {} ", whole.summary));
    let first = whole.scroll.clamp(whole.lines.len(), inner.height);
    more(paint, inner, whole.lines.len().saturating_sub(first + usize::from(inner.height)));
    for (y, line) in (inner.top()..inner.bottom()).zip(whole.lines.iter().skip(first)) {
        paint.put((inner.x, y), inner.width, line, Intent::Text);
    }
}
