//! A heading with a value, a chart, and further values: what most pane kinds look like.

use super::chart::chart;
use super::paint::{Painter, Piece};
use super::value;
use crate::app::{Metric, Model, Pane};
use crate::base::{Body, Clean, Fault, Freshness, Level, Unit};
use crate::config::Intent;
use crate::rules::{Bands, parse_selector};
use ratatui::layout::Rect;

/// One further value in a profile.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What the engineer calls it.
    pub label: Clean,
    /// A plain selector.
    pub query: String,
    /// Base unit.
    #[serde(default)]
    pub unit: Unit,
    /// A plain selector for the total.
    pub of: Option<String>,
    /// Levels.
    pub bands: Option<Bands>,
}

impl Row {
    /// The metric of this row.
    ///
    /// # Errors
    /// When a query is no plain selector; placed at the pane.
    pub fn metric(&self, body: &Body) -> Result<Metric, Fault> {
        let selector = |query: &str| parse_selector(query).map_err(|fault| placed(body, "query", &fault));
        let mut metric = Metric::plain(self.label.clone(), selector(&self.query)?, self.unit);
        metric.of = self.of.as_deref().map(selector).transpose()?;
        metric.bands = self.bands;
        Ok(metric)
    }
}

/// A fault of a query, placed where the query stands.
pub fn placed(body: &Body, key: &str, fault: &Fault) -> Fault {
    let at = body.fault_at(key, fault.what.as_str());
    match &fault.hint {
        Some(hint) => at.hint(hint.as_str()),
        None => at,
    }
}

/// The heading line: title left; value, level and age right.
pub fn heading(paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
    let mut left = vec![paint.piece(if focused { "▸" } else { " " }, Intent::Focus)];
    left.push(paint.piece(&pane.title, if focused { Intent::Focus } else { Intent::Title }));
    if pane.metrics().any(|metric| metric.shown.simulated) {
        left.push(paint.piece(" SIMULATED", Intent::Simulated));
    }
    let after = paint.line((area.x, area.y), area.width, &left);
    if let Some(metric) = &pane.headline {
        let right = value::headline(paint, metric, model.pane_now());
        paint.right(area.right() - 1, after + 1, area.y, &right);
    }
}

/// The whole pane.
pub fn draw(paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
    heading(paint, area, pane, model, focused);
    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(1),
    };
    let absence = pane.headline.as_ref().and_then(|metric| value::absence(metric, model.pane_now()));
    let details: Vec<Vec<Piece<'_>>> = match &absence {
        Some(why) => {
            value::wrap(why, inner.width, 2).into_iter().map(|line| vec![paint.piece(line, Intent::Stale)]).collect()
        }
        None => pack(paint, pane, model, inner.width),
    };
    let most = inner.height.saturating_sub(1).max(1);
    let lines = u16::try_from(details.len()).unwrap_or(u16::MAX).min(most);
    if let Some(metric) = &pane.headline {
        let level = metric.shown.level_now(model.pane_now().mono);
        let intent = if absence.is_some() { Intent::Stale } else { chart_intent(level) };
        let limit = metric.bands.as_ref().and_then(|bands| bands.limit(Level::Warning));
        let area = Rect { height: inner.height - lines.min(inner.height), ..inner };
        chart(paint, area, &pane.chart, metric.unit, limit, intent);
    }
    for (line, pieces) in (inner.bottom().saturating_sub(lines)..inner.bottom()).zip(&details) {
        paint.line((inner.x, line), inner.width, pieces);
    }
}

/// Bars are calm until a level asks for attention.
const fn chart_intent(level: Level) -> Intent {
    match level {
        Level::Warning | Level::Critical => Intent::of(level),
        _ => Intent::Chart,
    }
}

/// Puts as many values on a line as fit.
fn pack<'a>(paint: &Painter<'_>, pane: &'a Pane, model: &Model, width: u16) -> Vec<Vec<Piece<'a>>> {
    let mut lines: Vec<Vec<Piece<'_>>> = Vec::new();
    let shared = pane.headline.as_ref().map_or(Freshness::Live, |metric| metric.shown.freshness(model.pane_now().mono));
    for metric in &pane.beside {
        let pieces = value::detail(paint, metric, model.pane_now(), shared);
        match lines.last_mut() {
            Some(line) if paint.width(line) + 2 + paint.width(&pieces) <= width => {
                line.push(paint.piece("  ", Intent::Text));
                line.extend(pieces);
            }
            _ => lines.push(pieces),
        }
    }
    lines
}
