//! `lmdb`: how full one LMDB environment is, from what the `lmdb` sampler reads.

use super::{Kind, Place};
use crate::app::{Model, Pane};
use crate::base::{Body, Clean, Fault, Unit};
use crate::rules::Bands;
use crate::ui::metric_pane::{self, Row};
use crate::ui::paint::Painter;
use ratatui::layout::Rect;
use std::sync::Arc;

/// The kind.
pub struct Lmdb;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    bands: Option<Bands>,
    action: Option<Arc<str>>,
}

impl Kind for Lmdb {
    fn name(&self) -> &'static str {
        "lmdb"
    }

    fn about(&self) -> &'static str {
        "the fullest LMDB environment that a sampler reads; `bands` of the used share, `action`"
    }

    fn place(&self) -> Place {
        Place::Grid
    }

    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault> {
        let table: Table = body.read()?;
        let row = |label: &Clean, query: &str, unit, of: Option<&str>, bands| {
            Row {
                label: label.clone(),
                query: query.to_owned(),
                unit: Some(unit),
                words: None,
                of: of.map(str::to_owned),
                bands,
                forecast: None,
            }
            .metric(body)
        };
        let mut headline = row(title, "lmdb_used_ratio", Unit::Ratio, None, table.bands)?;
        headline.forecast = Some(1.0);
        Ok(Pane {
            headline: Some(headline),
            beside: vec![
                row(&"used".into(), "lmdb_used_bytes", Unit::Bytes, Some("lmdb_map_size_bytes"), None)?,
                row(&"readers".into(), "lmdb_readers", Unit::Count, None, None)?,
                row(&"entries".into(), "lmdb_entries", Unit::Count, None, None)?,
            ],
            action: table.action,
            ..Pane::new(self.name(), title)
        })
    }

    fn draw(&self, paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
        metric_pane::draw(paint, area, pane, model, focused);
    }
}
