//! `log`: the end of log sources, or where the reader scrolled to.

use super::{Kind, Place};
use crate::app::log_desk::Reading;
use crate::app::{Model, Pane};
use crate::base::time::Age;
use crate::base::{Body, Clean, Fault, Unit};
use crate::clean;
use crate::config::Intent;
use crate::store::LogRing;
use crate::ui::log_lines::{self, Look};
use crate::ui::paint::Painter;
use crate::ui::value;
use ratatui::layout::Rect;
use std::sync::Arc;

/// The kind.
pub struct Log;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: Option<Arc<str>>,
    #[serde(default)]
    sources: Vec<Arc<str>>,
}

impl Kind for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn about(&self) -> &'static str {
        "the tail of one source of `[logs]`, named by `source`, or of several by time, named by `sources`"
    }

    fn place(&self) -> Place {
        Place::Log
    }

    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault> {
        let table: Table = body.read()?;
        let logs: Vec<Arc<str>> = table.source.into_iter().chain(table.sources).collect();
        if logs.is_empty() {
            return Err(body.fault("a log pane needs a `source`, or `sources`."));
        }
        Ok(Pane { logs, ..Pane::new(self.name(), title) })
    }

    fn draw(&self, paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
        let Some(reading) = model.log_desk.of(&pane.logs) else { return };
        heading(paint, area, (pane, reading), model, focused);
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let several = pane.logs.len() > 1;
        // A single source says it in the heading while it is followed.
        let faults = reading
            .faults()
            .filter(|_| several || !reading.pane.follows() || focused && model.board.zoomed)
            .map(|(name, fault)| clean!("{}: {fault}", Clean::text(&**name)))
            .collect();
        let (pane, patterns) = (&reading.pane, &*model.log_desk.patterns);
        log_lines::draw(paint, body, &Look { pane, patterns, times: true, levels: true, faults });
    }
}

fn heading(paint: &mut Painter<'_>, area: Rect, (pane, reading): (&Pane, &Reading), model: &Model, focused: bool) {
    let now = model.now;
    let rings: Vec<&LogRing> = pane.logs.iter().filter_map(|name| model.logs.ring(name)).collect();
    let mut left = vec![
        paint.piece(if focused { "▸" } else { " " }, Intent::Focus),
        paint.piece(value::shorten(&pane.title, area.width / 3), if focused { Intent::Focus } else { Intent::Title }),
        paint.piece("  ", Intent::Text),
    ];
    let failure = reading.faults().next().filter(|_| pane.logs.len() == 1);
    if !reading.pane.follows() {
        left.push(paint.piece(clean!("+{} new, G to follow", reading.pane.unseen()), Intent::Note));
    } else if let Some((_, failure)) = failure {
        left.push(paint.piece(clean!("{failure}"), Intent::Warning));
    } else if rings.iter().all(|ring| ring.is_empty()) {
        left.push(paint.piece("following, no line yet", Intent::Muted));
    } else {
        let rate: f64 = rings.iter().map(|ring| ring.lines_per_second(now.mono)).sum();
        let errors: u32 = rings.iter().map(|ring| ring.errors_per_minute(now.mono)).sum();
        left.push(paint.piece(clean!("following  {rate:.0}/s  errors {errors:.0}/min"), Intent::Muted));
    }
    left.push(paint.piece("  ", Intent::Text));
    left.extend(log_lines::state(paint, &reading.pane));
    let dropped = reading.pane.status().dropped;
    let mut right = Vec::new();
    if dropped > 0 {
        right.push(paint.piece(clean!("dropped {}", Unit::Count.show(count(dropped))), Intent::Warning));
    }
    let newest = rings.iter().filter_map(|ring| {
        let last = ring.first_index() + u64::try_from(ring.len()).unwrap_or(0).checked_sub(1)?;
        ring.get(last).map(|(seen, _)| seen.mono)
    });
    if let Some(newest) = newest.max() {
        right.push(paint.piece(clean!(" {:>3}", Age(now.mono.since(newest)).to_string()), Intent::Muted));
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
