//! `gpu`: one device by DCGM's metric names: utilisation, memory, temperature, power; what holds it back in words.

use super::{Kind, Place};
use crate::app::{Model, Pane};
use crate::base::{Body, Clean, Fault, Reading, Unit};
use crate::clean;
use crate::config::Intent;
use crate::rules::Bands;
use crate::store::Selector;
use crate::ui::metric_pane::{self, Row};
use crate::ui::paint::Painter;
use crate::ui::value;
use ratatui::layout::Rect;
use std::sync::Arc;

/// Rows that the numbers keep before any words.
const NUMBERS: u16 = 4;
/// What is no news.
const CALM: [&str; 2] = ["no", "idle"];

/// The kind.
pub struct Gpu;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    gpu: Number,
    busy: Option<Bands>,
    memory: Option<Bands>,
    temperature: Option<Bands>,
    action: Option<Arc<str>>,
}

/// As a number, or as the label of the series has it.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "a GPU is named by its number, or by its UUID as a text")]
enum Number {
    Plain(u32),
    Text(String),
}

/// As NVML names a device, or a part of one: `GPU-8f2c…`, `MIG-…`.
fn is_uuid(text: &str) -> bool {
    ["GPU-", "MIG-"].iter().any(|kind| text.starts_with(kind))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl Default for Number {
    fn default() -> Self {
        Self::Plain(0)
    }
}

impl Kind for Gpu {
    fn name(&self) -> &'static str {
        "gpu"
    }

    fn about(&self) -> &'static str {
        "one device; `gpu` (its number or UUID); `busy`, `memory` (a ratio) and `temperature` take bands; `action`"
    }

    fn place(&self) -> Place {
        Place::Grid
    }

    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault> {
        let table: Table = body.read()?;
        let gpu = match &table.gpu {
            Number::Plain(number) => number.to_string(),
            Number::Text(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => text.clone(),
            Number::Text(text) if is_uuid(text) => text.clone(),
            Number::Text(text) => {
                let what = format!("`gpu = \"{}\"` is neither a device's number nor its UUID.", Clean::text(text));
                return Err(body.fault_at("gpu", what).hint("Expected 0, 1 … or \"GPU-…\"."));
            }
        };
        let label = if is_uuid(&gpu) { "UUID" } else { "gpu" };
        let row = |name: &'static str, metric: &str, unit, of: Option<&str>, bands: Option<Bands>| {
            let query = |metric: &str| format!("{metric}{{{label}=\"{gpu}\"}}");
            Row {
                label: name.into(),
                query: query(metric),
                unit: Some(unit),
                words: None,
                of: of.map(query),
                bands,
                forecast: None,
            }
            .metric(body)
        };
        let used = row("memory", "DCGM_FI_DEV_FB_USED", Unit::Mebibytes, Some("DCGM_FI_DEV_FB_TOTAL"), None)?;
        let mut share = row("used", "DCGM_FI_DEV_FB_USED_PERCENT", Unit::Ratio, None, table.memory)?;
        share.forecast = Some(1.0);
        let temperature = row("temp", "DCGM_FI_DEV_GPU_TEMP", Unit::Celsius, None, table.temperature)?;
        let power = row("power", "DCGM_FI_DEV_POWER_USAGE", Unit::Watts, Some("DCGM_FI_DEV_POWER_MGMT_LIMIT"), None)?;
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
        let width = area.width.saturating_sub(2);
        let room = usize::from(area.height.saturating_sub(NUMBERS));
        let (trouble, mut words) = words(pane, model);
        // That it is lost says more than that nobody gives its numbers.
        let unknown = pane.headline.as_ref().is_some_and(|it| matches!(it.shown.reading, Reading::Unknown(_)));
        let better = trouble.as_ref().filter(|_| unknown);
        words.splice(0..0, trouble.iter().filter(|_| !unknown).cloned());
        let lines: Vec<Clean> = words.iter().flat_map(|words| value::wrap(words, width, 2)).take(room).collect();
        let taken = u16::try_from(lines.len()).unwrap_or(0);
        let numbers = Rect { height: area.height.saturating_sub(taken), ..area };
        metric_pane::draw_with(paint, numbers, (pane, better), model, focused);
        for (y, line) in (numbers.bottom()..).zip(&lines) {
            let piece = paint.piece(line, Intent::Note);
            paint.line((area.x + 1, y), width, &[piece]);
        }
    }
}

/// What its sampler says of this device besides numbers: trouble; what holds it back, what it cannot give.
fn words(pane: &Pane, model: &Model) -> (Option<Clean>, Vec<Clean>) {
    let nothing = (None, Vec::new());
    let Some(headline) = &pane.headline else { return nothing };
    let Some(selector) = headline.expr.plain_selector() else { return nothing };
    let Some(gpu) = number(selector, model) else { return nothing };
    let fresh =
        model.store.samplers().filter(|(_, health)| health.failure.as_ref().is_none_or(|it| !it.seen.facts.is_empty()));
    let facts: Vec<&(Clean, Clean)> = fresh.flat_map(|(_, health)| &health.facts).collect();
    let fact = |what: &str| {
        let name = clean!("GPU {gpu} {what}");
        facts.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let trouble = fact("trouble").cloned();
    let throttled = fact("throttled").filter(|why| !CALM.contains(&why.as_str())).map(|why| clean!("throttled: {why}"));
    let missing = match &headline.shown.reading {
        Reading::NotSupported => selector.metric_name().and_then(|metric| model.store.not_supported(metric)).cloned(),
        _ => None,
    };
    (trouble, throttled.into_iter().chain(missing).collect())
}

/// The number of the device that a selector means: the one that it names, or that of any series with its UUID.
fn number(selector: &Selector, model: &Model) -> Option<Clean> {
    if let Some(number) = selector.equals("gpu") {
        return Some(Clean::text(number));
    }
    let uuid = selector.equals("UUID")?;
    let up = model.store.select(&Selector::metric("watchkeeper_gpu_up"));
    let mut keys = up.iter().chain(&model.store.select(selector)).map(|id| model.store.key(*id)).collect::<Vec<_>>();
    keys.retain(|key| key.label("UUID").is_some_and(|known| known.as_str() == uuid));
    keys.first().and_then(|key| key.label("gpu")).cloned()
}
