//! `gpu`: one device by DCGM's metric names: utilisation, memory, temperature, power.

use super::{Kind, Place};
use crate::app::{Model, Pane};
use crate::base::{Body, Clean, Fault, Unit};
use crate::rules::Bands;
use crate::ui::metric_pane::{self, Row};
use crate::ui::paint::Painter;
use ratatui::layout::Rect;
use std::sync::Arc;

/// The kind.
pub struct Gpu;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default = "first")]
    gpu: String,
    busy: Option<Bands>,
    memory: Option<Bands>,
    temperature: Option<Bands>,
    action: Option<Arc<str>>,
}

fn first() -> String {
    "0".to_owned()
}

impl Kind for Gpu {
    fn name(&self) -> &'static str {
        "gpu"
    }

    fn about(&self) -> &'static str {
        "one device; `gpu` (its number), bands for `busy`, `memory` (a ratio) and `temperature`, `action`"
    }

    fn place(&self) -> Place {
        Place::Grid
    }

    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault> {
        let table: Table = body.read()?;
        if !table.gpu.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(body
                .fault(format!("`gpu = \"{}\"` is no device number.", table.gpu))
                .hint("Expected \"0\", \"1\" …"));
        }
        let row = |label: &'static str, metric: &str, unit, of: Option<&str>, bands: Option<Bands>| {
            let query = |metric: &str| format!("{metric}{{gpu=\"{}\"}}", table.gpu);
            Row { label: label.into(), query: query(metric), unit, of: of.map(query), bands, forecast: None }
                .metric(body)
        };
        let used = row("memory", "DCGM_FI_DEV_FB_USED", Unit::Mebibytes, Some("DCGM_FI_DEV_FB_TOTAL"), None)?;
        let mut share = row("used", "DCGM_FI_DEV_FB_USED_PERCENT", Unit::Ratio, None, table.memory)?;
        share.forecast = Some(1.0);
        let temperature = row("temp", "DCGM_FI_DEV_GPU_TEMP", Unit::Celsius, None, table.temperature)?;
        let power = row("power", "DCGM_FI_DEV_POWER_USAGE", Unit::Watts, None, None)?;
        let mut busy = row("busy", "DCGM_FI_DEV_GPU_UTIL", Unit::Percent, None, table.busy)?;
        busy.label = title.clone();
        Ok(Pane {
            headline: Some(busy),
            beside: vec![used, share, temperature, power],
            action: table.action,
            ..Pane::new(self.name(), title)
        })
    }

    fn draw(&self, paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
        metric_pane::draw(paint, area, pane, model, focused);
    }
}
