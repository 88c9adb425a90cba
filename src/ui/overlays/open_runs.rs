//! Runs of earlier consoles whose outcome nobody knows: what is observed now, and what can become of each.

use super::sheet::sheet;
use crate::app::Model;
use crate::app::open_runs::{Way, choices};
use crate::base::time::Age;
use crate::base::{Clean, Ulid};
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use crate::ui::value::wrap;
use core::time::Duration;
use ratatui::layout::Rect;

/// Draws each run with its ways, the selected one marked.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, selected: usize) {
    let width = body.width.saturating_sub(4).min(96);
    let mut rows: Vec<(Clean, Intent)> = Vec::new();
    let (mut last, mut marked): (Option<Ulid>, usize) = (None, 0);
    for (at, (run, way)) in choices(model).into_iter().enumerate() {
        if last.replace(run.plan.id) != Some(run.plan.id) {
            if at > 0 {
                rows.push((Clean::default(), Intent::Text));
            }
            let ago = model.now.wall.0.saturating_sub(run.plan.made.wall.0).max(0).unsigned_abs();
            let head = clean!("{} ago, by {}: ", Age(Duration::from_nanos(ago)), run.plan.who.login);
            let lines = wrap(&head.join("", &run.sentence()), width, 6);
            rows.extend(lines.into_iter().map(|line| (line, Intent::Text)));
        }
        if at == selected {
            marked = rows.len();
        }
        let mark = if at == selected { "▸ " } else { "  " };
        let intent = if at == selected { Intent::Selection } else { Intent::Note };
        rows.push((clean!("{mark}{}", said(&way, model)), intent));
    }
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX);
    let inner = sheet(paint, body, height, &clean!(" OUTCOME UNKNOWN "), &clean!(" nothing runs again by itself "));
    let first = (marked + 1).saturating_sub(usize::from(inner.height));
    for (y, (text, intent)) in (inner.top()..inner.bottom()).zip(rows.into_iter().skip(first)) {
        paint.put((inner.x, y), inner.width, text, intent);
    }
}

fn said(way: &Way, model: &Model) -> Clean {
    let title = |name: &str| model.action_title(Some(name)).cloned().unwrap_or_else(|| Clean::text(name));
    match way {
        Way::Mark => Clean::from("mark it as done with, and say why"),
        Way::Back(name) => clean!("plan the way back: {}", title(name)),
        Way::Again(name) => clean!("plan it again, as things stand now: {}", title(name)),
    }
}
