//! A sparkline over the columns of a pane: ratatui's own, with gaps left open.

use super::paint::Painter;
use crate::base::Unit;
use crate::config::Intent;
use ratatui::layout::Rect;
use ratatui::symbols::bar::{NINE_LEVELS, Set};
use ratatui::widgets::{Sparkline, SparklineBar, Widget};

const ASCII: Set<'static> = Set {
    full: "#",
    seven_eighths: "#",
    three_quarters: "*",
    five_eighths: "*",
    half: "=",
    three_eighths: "-",
    one_quarter: "-",
    one_eighth: ".",
    empty: " ",
};
/// Steps of a chart's height: finer than any terminal shows.
const STEPS: f64 = 10_000.0;

/// Draws the newest columns that fit, newest at the right. `limit` is a band that belongs into the picture.
pub fn chart(
    paint: &mut Painter<'_>,
    area: Rect,
    columns: &[Option<f64>],
    unit: Unit,
    limit: Option<f64>,
    intent: Intent,
) {
    if area.is_empty() {
        return;
    }
    let width = usize::from(area.width);
    let newest = columns.get(columns.len().saturating_sub(width)..).unwrap_or(columns);
    let highest = newest.iter().flatten().copied().fold(0.0_f64, f64::max);
    let top = match unit {
        Unit::Ratio => 1.0,
        Unit::Percent => 100.0,
        _ => highest.max(limit.filter(|limit| *limit < highest * 4.0).unwrap_or(0.0)),
    };
    let bar = |value: &Option<f64>| SparklineBar::from(value.map(|value| height(value, top)));
    let data = core::iter::repeat_n(SparklineBar::from(None), width - newest.len()).chain(newest.iter().map(bar));
    Sparkline::default()
        .data(data)
        .max(10_000)
        .bar_set(if paint.ascii() { ASCII } else { NINE_LEVELS })
        .absent_value_symbol(" ")
        .style(paint.style(intent))
        .render(area, paint.buffer);
}

fn height(value: f64, top: f64) -> u64 {
    if top <= 0.0 || value <= 0.0 || !value.is_finite() {
        return 0;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=10,000")]
    {
        (value / top * STEPS).clamp(0.0, STEPS) as u64
    }
}
