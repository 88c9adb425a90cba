//! `host`: the machine in one line.

use super::{Kind, Place};
use crate::app::{Model, Pane};
use crate::base::time::Age;
use crate::base::{Body, Clean, Fault, Freshness, Reading, Unit};
use crate::clean;
use crate::config::Intent;
use crate::rules::Bands;
use crate::ui::metric_pane::Row;
use crate::ui::paint::{Painter, Piece};
use crate::ui::value;
use ratatui::layout::Rect;

/// The kind.
pub struct Host;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    cpu: Option<Bands>,
    memory: Option<Bands>,
    swap: Option<Bands>,
    disk: Option<Bands>,
    pressure: Option<Bands>,
}

impl Kind for Host {
    fn name(&self) -> &'static str {
        "host"
    }

    fn about(&self) -> &'static str {
        "the machine in one line; bands (ratios) for `cpu`, `memory`, `swap`, `disk` and `pressure`"
    }

    fn place(&self) -> Place {
        Place::Strip
    }

    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault> {
        let table: Table = body.read()?;
        let row = |label: &'static str, query: &str, unit, bands| {
            // Of these, what fills up stays full.
            let forecast = matches!(label, "mem" | "disk").then_some(1.0);
            Row {
                label: label.into(),
                query: query.to_owned(),
                unit: Some(unit),
                words: None,
                of: None,
                bands,
                forecast,
            }
            .metric(body)
        };
        Ok(Pane {
            beside: vec![
                row("cpu", "watchkeeper_host_cpu_busy_ratio", Unit::Ratio, table.cpu)?,
                row("mem", "watchkeeper_host_memory_used_ratio", Unit::Ratio, table.memory)?,
                row("swap", "watchkeeper_host_swap_used_ratio", Unit::Ratio, table.swap)?,
                row("disk", "watchkeeper_host_filesystem_used_ratio", Unit::Ratio, table.disk)?,
                row("load", "node_load1", Unit::Count, None)?,
                row("psi", "watchkeeper_host_pressure_ratio", Unit::Ratio, table.pressure)?,
            ],
            ..Pane::new(self.name(), title)
        })
    }

    fn draw(&self, paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
        let oldest = pane.metrics().filter_map(|metric| match metric.shown.reading {
            Reading::Value { seen, .. } => {
                Some((model.pane_now().mono.since(seen), metric.shown.freshness(model.pane_now().mono)))
            }
            _ => None,
        });
        let oldest = oldest.max();
        let shared = oldest.map_or(Freshness::Live, |(_, freshness)| freshness);
        let age = match oldest {
            Some((age, Freshness::Late)) => clean!("LATE {}", Age(age)),
            Some((age, _)) => clean!("{}", Age(age)),
            None => Clean::default(),
        };
        let age = [paint.piece(age, if shared == Freshness::Live { Intent::Muted } else { Intent::Stale })];
        let room = area.width - paint.width(&age) - 2;
        // Two columns between values where there is room, else one; then those go that stand last, and are counted.
        let mut left = pane.beside.len();
        let mut pieces = pieces_of(paint, pane, model, focused, (shared, "  ", left));
        while paint.width(&pieces) > room && left > 0 {
            pieces = pieces_of(paint, pane, model, focused, (shared, " ", left));
            if paint.width(&pieces) > room {
                left -= 1;
            }
        }
        paint.line((area.x, area.y), room, &pieces);
        paint.right(area.right() - 1, area.x, area.y, &age);
    }
}

fn pieces_of<'a>(
    paint: &Painter<'_>,
    pane: &'a Pane,
    model: &Model,
    focused: bool,
    (shared, gap, most): (Freshness, &'static str, usize),
) -> Vec<Piece<'a>> {
    let mut pieces = vec![
        paint.piece(if focused { "▸" } else { " " }, Intent::Focus),
        paint.piece(&pane.title, if focused { Intent::Focus } else { Intent::Title }),
    ];
    for metric in pane.beside.iter().take(most) {
        pieces.push(paint.piece(gap, Intent::Text));
        pieces.extend(value::detail(paint, metric, model.pane_now(), shared));
    }
    if let Some(more) = pane.beside.len().checked_sub(most).filter(|more| *more > 0) {
        pieces.push(paint.piece(clean!(" +{more}"), Intent::Note));
    }
    pieces
}
