//! The sheet that an overlay is drawn on, in the middle of the screen.

use crate::app::form::Line;
use crate::base::Clean;
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use ratatui::layout::Rect;

/// A framed sheet of `height` lines, centred, at most 100 columns wide. Returns its inside.
pub(in crate::ui) fn sheet(paint: &mut Painter<'_>, body: Rect, height: u16, heading: &Clean, tail: &Clean) -> Rect {
    let width = body.width.min(100);
    let height = height.saturating_add(2).min(body.height);
    let area = Rect { x: body.x + (body.width - width) / 2, y: body.y + (body.height - height) / 2, width, height };
    let heading = [paint.piece(heading, Intent::Title)];
    let tail = [paint.piece(tail, Intent::Muted)];
    paint.frame(area, &heading, &tail)
}

/// The line that is typed in an overlay which narrows a list by it.
pub(in crate::ui) fn search(paint: &mut Painter<'_>, inner: Rect, label: &str, typed: &Line) {
    let (before, after) = typed.parts();
    let line = [
        paint.piece(clean!("{label} "), Intent::Muted),
        paint.piece(before, Intent::Prompt),
        paint.piece("_", Intent::Accent),
        paint.piece(after, Intent::Prompt),
    ];
    paint.line((inner.x, inner.y), inner.width, &line);
}

/// Says in the lower edge of a sheet how many of its lines stand below it.
pub(super) fn more(paint: &mut Painter<'_>, inner: Rect, below: usize) {
    if below > 0 {
        let more = [paint.piece(clean!(" {below} more "), Intent::Muted)];
        paint.right(inner.right() + 1, inner.x, inner.bottom(), &more);
    }
}
