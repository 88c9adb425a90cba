//! `sparkline`: any expression with its recent course and further values beside it.

use super::{Kind, Place};
use crate::app::{Model, Pane};
use crate::base::{Body, Clean, Fault, Unit, Words};
use crate::rules::Bands;
use crate::ui::metric_pane::{self, Row};
use crate::ui::paint::Painter;
use ratatui::layout::Rect;
use std::sync::Arc;

/// The kind.
pub struct Sparkline;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    query: String,
    unit: Option<Unit>,
    words: Option<Words>,
    bands: Option<Bands>,
    forecast: Option<f64>,
    of: Option<String>,
    #[serde(default)]
    beside: Vec<Row>,
    action: Option<Arc<str>>,
}

impl Kind for Sparkline {
    fn name(&self) -> &'static str {
        "sparkline"
    }

    fn about(&self) -> &'static str {
        "an expression with its recent course; `query`, `unit`, `words` (numbers that stand for states), `of` (its total, the upper line), `bands`, `forecast` (a limit), `beside`, `action`"
    }

    fn place(&self) -> Place {
        Place::Grid
    }

    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault> {
        let table: Table = body.read()?;
        let rows = body.clone().take_array("beside")?;
        let beside = table.beside.iter().zip(&rows).map(|(row, body)| row.metric(body)).collect::<Result<_, _>>()?;
        let Table { query, unit, words, bands, forecast, of, .. } = table;
        let headline = Row { label: title.clone(), query, unit, words, of, bands, forecast };
        Ok(Pane {
            headline: Some(headline.metric(body)?),
            beside,
            action: table.action,
            ..Pane::new(self.name(), title)
        })
    }

    fn draw(&self, paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
        metric_pane::draw(paint, area, pane, model, focused);
    }
}
