//! Chooses the overlay and gives it a sheet in the middle of the screen.

use super::{actions, faults, help, own_log, prompt, run};
use crate::app::{Model, Overlay};
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use ratatui::layout::Rect;

/// Draws what lies over the panes, if anything does. False when a prompt had to be cut.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model) -> bool {
    match &model.overlay {
        Overlay::None => {}
        Overlay::Help(first) => help::draw(paint, body, model, *first),
        Overlay::Actions(selected) => actions::draw(paint, body, model, *selected),
        Overlay::Planning(title) => {
            let inner = sheet(paint, body, 5, &clean!(" PLAN "), &clean!(""));
            paint.put((inner.x, inner.y + 1), inner.width, clean!("Planning: {title} …"), Intent::Text);
        }
        Overlay::Prompt(open) => return prompt::draw(paint, body, open, model),
        Overlay::Run => run::draw(paint, body, model),
        Overlay::OwnLog => own_log::draw(paint, body, model),
        Overlay::Faults(first) => faults::draw(paint, body, model, *first),
    }
    true
}

/// A framed sheet of `height` lines, centred, at most 100 columns wide. Returns its inside.
pub(super) fn sheet(
    paint: &mut Painter<'_>,
    body: Rect,
    height: u16,
    heading: &crate::base::Clean,
    tail: &crate::base::Clean,
) -> Rect {
    let width = body.width.min(100);
    let height = height.saturating_add(2).min(body.height);
    let area = Rect { x: body.x + (body.width - width) / 2, y: body.y + (body.height - height) / 2, width, height };
    let heading = [paint.piece(heading, Intent::Title)];
    let tail = [paint.piece(tail, Intent::Muted)];
    paint.frame(area, &heading, &tail)
}
