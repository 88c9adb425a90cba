//! `facts`: what a sampler says in words, a line each.
//! ```toml
//! [[panes]]
//! title   = "Found here"
//! kind    = "facts"
//! sampler = "found"
//! ```

use super::{Kind, Place};
use crate::app::{Model, Pane, trouble};
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
        let failure = health.and_then(|health| health.failure.as_ref());
        // What a failed attempt said is live until the next one.
        let told = failure.is_some_and(|failure| !failure.seen.facts.is_empty());
        let last = health.and_then(|health| if told { health.last_attempt } else { health.last_good });
        let good = last.map(|last| now.since(last.mono));
        let interval = health.map_or_else(Default::default, |it| if told { it.promised() } else { it.interval });
        let failing = failure.is_some() && !told;
        let freshness = good.map_or(Freshness::Unknown, |age| Freshness::judge(age, interval, failing));
        let live = freshness == Freshness::Live;
        let word = if live { "" } else { freshness.word() };
        let age = good.map(|age| Age(age).to_string()).unwrap_or_default();
        let right = [paint.piece(clean!("{word} {age:>3}"), if live { Intent::Muted } else { Intent::Stale })];
        let mark = paint.piece(if focused { "▸" } else { " " }, Intent::Focus);
        let room = area.width.saturating_sub(paint.width(&right) + 2);
        let title = value::shorten(&pane.title, room.saturating_sub(1));
        let title = paint.piece(title, if focused { Intent::Focus } else { Intent::Title });
        paint.line((area.x, area.y), room, &[mark, title]);
        paint.right(area.right() - 1, area.x, area.y, &right);
        let width = area.width.saturating_sub(2);
        let rows = usize::from(area.height.saturating_sub(1));
        let mut lines: Vec<(Clean, Intent)> = Vec::new();
        if let Some(why) = health.and_then(|health| trouble::of(health, now, model.log_desk.zone)) {
            lines.extend(value::wrap(&why, width, rows.min(3)).into_iter().map(|line| (line, Intent::Stale)));
        }
        let facts = health.map(|health| health.facts.as_slice()).unwrap_or_default();
        let intent = if freshness >= Freshness::Stale { Intent::Stale } else { Intent::Text };
        // A line each; the rows that are over let the first ones be told whole.
        let mut spare = rows.saturating_sub(lines.len() + facts.len());
        for (name, fact) in facts {
            let told = value::wrap(&clean!("{name}: {fact}"), width, 1 + spare);
            spare -= told.len() - 1;
            lines.extend(told.into_iter().map(|line| (line, intent)));
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
