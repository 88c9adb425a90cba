//! `log`: the end of a log source, or where the reader scrolled to.

use super::{Kind, Place};
use crate::app::{LogView, Model, Pane};
use crate::base::time::Age;
use crate::base::{Body, Clean, Fault, LogLevel, LogLine, Now};
use crate::clean;
use crate::config::Intent;
use crate::store::LogRing;
use crate::ui::paint::{Painter, Piece};
use crate::ui::value;
use ratatui::layout::Rect;
use std::sync::Arc;

/// The kind.
pub struct Log;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: Arc<str>,
}

impl Kind for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn about(&self) -> &'static str {
        "the tail of one source of `[logs]`, named by `source`"
    }

    fn place(&self) -> Place {
        Place::Log
    }

    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault> {
        let table: Table = body.read()?;
        Ok(Pane { log: Some(table.source), ..Pane::new(self.name(), title) })
    }

    fn draw(&self, paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
        let source = pane.log.as_ref();
        let view = source.and_then(|name| model.log_views.iter().find(|view| view.source == *name));
        let ring = source.and_then(|name| model.logs.ring(name));
        let (Some(view), Some(ring)) = (view, ring) else { return };
        heading(paint, area, (pane, view, ring), model.now, focused);
        let height = area.height.saturating_sub(1);
        let lowest = view.lowest(ring);
        let first = lowest.saturating_sub(u64::from(height.saturating_sub(1))).max(ring.first_index());
        for (y, index) in (area.y + 1..area.bottom()).zip(first..=lowest) {
            if let Some((seen, line)) = ring.get(index) {
                let pieces = pieces(paint, *seen, line);
                paint.line((area.x + 1, y), area.width.saturating_sub(2), &pieces);
            }
        }
    }
}

fn heading(
    paint: &mut Painter<'_>,
    area: Rect,
    (pane, view, ring): (&Pane, &LogView, &LogRing),
    now: Now,
    focused: bool,
) {
    let muted = |paint: &Painter<'_>, text: String| paint.piece(Clean::text(text), Intent::Muted);
    let mut left = vec![
        paint.piece(if focused { "▸" } else { " " }, Intent::Focus),
        paint.piece(value::shorten(&pane.title, area.width / 3), if focused { Intent::Focus } else { Intent::Title }),
        paint.piece("  ", Intent::Text),
    ];
    if view.bottom.is_some() {
        left.push(paint.piece(clean!("+{} new, G to follow", view.unseen(ring)), Intent::Note));
    } else if let Some(failure) = &view.failure {
        left.push(paint.piece(clean!("{failure}"), Intent::Warning));
    } else if ring.is_empty() {
        left.push(muted(paint, "following, no line yet".to_owned()));
    } else {
        let rate = ring.lines_per_second(now.mono);
        left.push(muted(paint, format!("following  {rate:.0}/s  errors {:.0}/min", ring.errors_per_minute(now.mono))));
    }
    let dropped = ring.dropped();
    let mut right = Vec::new();
    if dropped > 0 {
        right.push(paint.piece(clean!("dropped {}", crate::base::Unit::Count.show(count(dropped))), Intent::Warning));
    }
    if let Some((seen, _)) = ring.get(ring.first_index() + u64::try_from(ring.len()).unwrap_or(0).saturating_sub(1)) {
        right.push(muted(paint, format!(" {:>3}", Age(now.mono.since(seen.mono)).to_string())));
    }
    // What was lost and how old the newest line is stay; a long failure is cut.
    let room = area.width.saturating_sub(paint.width(&right) + 2);
    paint.line((area.x, area.y), room, &left);
    paint.right(area.right() - 1, area.x, area.y, &right);
}

#[expect(clippy::cast_precision_loss, reason = "a count for display")]
fn count(n: u64) -> f64 {
    n as f64
}

fn pieces<'a>(paint: &Painter<'_>, seen: Now, line: &'a LogLine) -> Vec<Piece<'a>> {
    if line.marker {
        return vec![paint.piece("--- ", Intent::Muted), paint.piece(&line.message, Intent::Muted)];
    }
    let time = line.time.unwrap_or(seen.wall);
    let mut out = vec![paint.piece(clean!("{} ", time.hms()), Intent::Muted)];
    let (word, intent) = match line.level {
        Some(LogLevel::Error) => ("ERROR ", Intent::LogError),
        Some(LogLevel::Warn) => ("WARN  ", Intent::LogWarn),
        Some(LogLevel::Info) => ("INFO  ", Intent::Muted),
        Some(LogLevel::Debug) => ("DEBUG ", Intent::LogDebug),
        Some(LogLevel::Trace) => ("TRACE ", Intent::LogDebug),
        None => ("", Intent::Muted),
    };
    out.push(paint.piece(word, intent));
    out.push(paint.piece(&line.message, Intent::Text));
    out
}
