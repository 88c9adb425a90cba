//! `facts`: what a sampler says in words, a line each.
//! ```toml
//! [[panes]]
//! title   = "Found here"
//! kind    = "facts"
//! sampler = "found"
//! ```

use super::{Kind, Place};
use crate::app::{Model, Pane};
use crate::base::time::Age;
use crate::base::{Body, Clean, Fault, Freshness};
use crate::clean;
use crate::config::Intent;
use crate::ui::paint::Painter;
use crate::ui::value;
use ratatui::layout::Rect;
use std::sync::Arc;

/// The kind.
pub struct Facts;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    sampler: Arc<str>,
}

impl Kind for Facts {
    fn name(&self) -> &'static str {
        "facts"
    }

    fn about(&self) -> &'static str {
        "what one of `[samplers]`, named by `sampler`, says in words"
    }

    fn place(&self) -> Place {
        Place::Grid
    }

    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault> {
        let spec: Spec = body.read()?;
        Ok(Pane { facts: Some(spec.sampler), ..Pane::new(self.name(), title) })
    }

    fn draw(&self, paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
        let health = pane.facts.as_ref().and_then(|name| model.store.sampler(name));
        let now = model.pane_now().mono;
        let good = health.and_then(|health| health.last_good).map(|good| now.since(good.mono));
        let failing = health.and_then(|health| health.failure.as_ref());
        let interval = health.map_or_else(Default::default, |health| health.interval);
        let freshness = good.map_or(Freshness::Unknown, |age| Freshness::judge(age, interval, failing.is_some()));
        let live = freshness == Freshness::Live;
        let word = if live { "" } else { freshness.word() };
        let age = good.map(|age| Age(age).to_string()).unwrap_or_default();
        let right = [paint.piece(clean!("{word} {age:>3}"), if live { Intent::Muted } else { Intent::Stale })];
        let mark = paint.piece(if focused { "▸" } else { " " }, Intent::Focus);
        let title = paint.piece(&pane.title, if focused { Intent::Focus } else { Intent::Title });
        paint.line((area.x, area.y), area.width.saturating_sub(paint.width(&right) + 2), &[mark, title]);
        paint.right(area.right() - 1, area.x, area.y, &right);
        let width = area.width.saturating_sub(2);
        let rows = usize::from(area.height.saturating_sub(1));
        let mut lines: Vec<(Clean, Intent)> = Vec::new();
        if let Some(why) = failing {
            lines.extend(value::wrap(&why.what, width, rows.min(2)).into_iter().map(|line| (line, Intent::Stale)));
        }
        let facts = health.map(|health| health.facts.as_slice()).unwrap_or_default();
        let intent = if freshness >= Freshness::Stale { Intent::Stale } else { Intent::Text };
        // Whole where there is room for all of them, else a line each.
        let whole: Vec<Clean> =
            facts.iter().flat_map(|(name, fact)| value::wrap(&clean!("{name}: {fact}"), width, 3)).collect();
        if lines.len() + whole.len() <= rows {
            lines.extend(whole.into_iter().map(|line| (line, intent)));
        } else {
            lines.extend(facts.iter().map(|(name, fact)| (clean!("{name}: {fact}"), intent)));
        }
        if lines.is_empty() {
            lines.push((Clean::from("nothing to say"), Intent::Muted));
        }
        let over = lines.len().saturating_sub(rows);
        if over > 0 {
            lines.truncate(rows.saturating_sub(1));
            lines.push((clean!("+{}", over + 1), Intent::Note));
        }
        for (y, (line, intent)) in (area.y + 1..area.bottom()).zip(lines) {
            paint.put((area.x + 1, y), width, line, intent);
        }
    }
}
