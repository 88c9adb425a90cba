//! The sheet that an overlay is drawn on, in the middle of the screen.

use crate::base::Clean;
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
