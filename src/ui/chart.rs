//! A sparkline over the columns of a pane: ratatui's own, with gaps left open.

use super::paint::Painter;
use crate::base::Unit;
use crate::clean;
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
    bars(paint, area, columns, top(columns, area, unit, limit), intent);
}

/// The same with the limit drawn as a line, its value at the left end: over the gaps, and behind the bars as their
/// mark. A limit that lies above the picture is drawn at its upper edge with an arrow.
pub fn draw_with_limit(
    paint: &mut Painter<'_>,
    area: Rect,
    columns: &[Option<f64>],
    unit: Unit,
    (limit, line_intent): (f64, Intent),
    intent: Intent,
) {
    chart(paint, area, columns, unit, Some(limit), intent);
    if !limit.is_finite() || area.is_empty() {
        return;
    }
    let top = top(columns, area, unit, Some(limit));
    let beyond = limit > top;
    let rows = u64::from(area.height);
    // The row that holds the limit: the lowest one begins at zero.
    let row = if beyond { rows } else { (height(limit, top) * rows).div_ceil(10_000).clamp(1, rows) };
    let y = area.bottom() - u16::try_from(row).unwrap_or(area.height);
    let (line, arrow) = if paint.ascii() { ("-", "^") } else { ("─", "↑") };
    let style = paint.style(line_intent);
    for x in area.left()..area.right() {
        let empty = paint.buffer.cell((x, y)).is_some_and(|cell| cell.symbol() == " ");
        if empty {
            paint.buffer.set_stringn(x, y, line, 1, style);
        }
    }
    paint.buffer.set_style(Rect { y, height: 1, ..area }, style);
    let sign = if beyond { arrow } else { "" };
    paint.put((area.x, y), area.width, clean!("{sign}{} ", unit.show(limit)), line_intent);
}

/// A line through the chart for each effect of an action: so many columns left of the newest one.
pub fn marks(paint: &mut Painter<'_>, area: Rect, places: impl Iterator<Item = u16>) {
    let line = if paint.ascii() { ":" } else { "┆" };
    for x in places.filter_map(|back| area.right().checked_sub(back + 1)).filter(|x| *x >= area.left()) {
        for y in area.top()..area.bottom() {
            paint.put((x, y), 1, line, Intent::Accent);
        }
    }
}

/// A line through the chart for the cursor, so many columns left of the newest one.
pub fn cursor(paint: &mut Painter<'_>, area: Rect, back: u16) {
    let Some(x) = area.right().checked_sub(back + 1).filter(|x| *x >= area.left()) else { return };
    for y in area.top()..area.bottom() {
        paint.put((x, y), 1, "│", Intent::Focus);
    }
}

/// The value at the upper edge.
fn top(columns: &[Option<f64>], area: Rect, unit: Unit, limit: Option<f64>) -> f64 {
    let newest = columns.get(columns.len().saturating_sub(usize::from(area.width))..).unwrap_or(columns);
    let highest = newest.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0_f64, f64::max);
    match unit {
        Unit::Ratio => 1.0,
        Unit::Percent => 100.0,
        _ => highest.max(limit.filter(|limit| *limit < highest * 4.0).unwrap_or(0.0)),
    }
}

fn bars(paint: &mut Painter<'_>, area: Rect, columns: &[Option<f64>], top: f64, intent: Intent) {
    if area.is_empty() {
        return;
    }
    let width = usize::from(area.width);
    let newest = columns.get(columns.len().saturating_sub(width)..).unwrap_or(columns);
    // One eighth of a row, the lowest mark: zero is drawn, though quietly, and nothing above zero vanishes.
    let least = 10_000_u64.div_ceil(u64::from(area.height) * 8);
    let quiet = paint.style(Intent::Muted);
    let bar = |value: &Option<f64>| match value.filter(|value| !value.is_nan()) {
        Some(value) if value > 0.0 => SparklineBar::from(height(value, top).max(least)),
        Some(_) => SparklineBar::from(least).style(quiet),
        None => SparklineBar::from(None),
    };
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
    if top <= 0.0 {
        return if value.is_finite() { 0 } else { 10_000 };
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=10,000")]
    {
        (value / top * STEPS).clamp(0.0, STEPS) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Depth, SearchPath, load_theme};
    use ratatui::buffer::{Buffer, Cell};

    fn drawn(columns: &[Option<f64>]) -> String {
        let area = Rect::new(0, 0, 6, 1);
        let mut buffer = Buffer::empty(area);
        let (theme, _) = load_theme("default", Depth::Mono, &SearchPath::default());
        let mut paint = Painter::new(&mut buffer, &theme, false);
        chart(&mut paint, area, columns, Unit::Count, None, Intent::Chart);
        buffer.content().iter().map(Cell::symbol).collect()
    }

    fn limited(columns: &[Option<f64>], limit: f64) -> Vec<String> {
        let area = Rect::new(0, 0, 12, 4);
        let mut buffer = Buffer::empty(area);
        let (theme, _) = load_theme("default", Depth::Mono, &SearchPath::default());
        let mut paint = Painter::new(&mut buffer, &theme, false);
        draw_with_limit(&mut paint, area, columns, Unit::Count, (limit, Intent::Warning), Intent::Chart);
        let symbols: Vec<&str> = buffer.content().iter().map(Cell::symbol).collect();
        symbols.chunks(12).map(<[&str]>::concat).collect()
    }

    #[test]
    fn a_limit_is_a_line_at_its_height_with_its_value() {
        let values = [Some(2.0), Some(4.0), None, Some(8.0)];
        assert_eq!(limited(&values, 4.0), ["           █", "           █", "4 ───────█─█", "        ██ █"]);
        assert_eq!(limited(&values, 16.0)[0], "16 ─────────", "the picture grows to hold it");
        assert_eq!(limited(&values, 99.0)[0], "↑99 ───────█", "one far above is said to be so");
        assert_eq!(limited(&[], 4.0)[0], "↑4 ─────────");
    }

    #[test]
    fn an_effect_is_a_line_from_top_to_bottom_in_its_column() {
        let area = Rect::new(0, 0, 6, 2);
        let mut buffer = Buffer::empty(area);
        let (theme, _) = load_theme("default", Depth::Mono, &SearchPath::default());
        let mut paint = Painter::new(&mut buffer, &theme, false);
        chart(&mut paint, area, &[Some(8.0); 6], Unit::Count, None, Intent::Chart);
        marks(&mut paint, area, [1, 9].into_iter());
        let symbols: Vec<&str> = buffer.content().iter().map(Cell::symbol).collect();
        assert_eq!(symbols.concat(), "████┆█████┆█");
    }

    #[test]
    fn zero_and_little_are_drawn_and_a_gap_is_not() {
        assert_eq!(drawn(&[Some(0.0), None, Some(1e-9), Some(f64::NAN), Some(8.0)]), " ▁ ▁ █");
        assert_eq!(drawn(&[Some(0.0), Some(0.0)]), "    ▁▁");
        assert_eq!(drawn(&[Some(4.0), Some(f64::INFINITY), Some(8.0)]), "   ▄██", "one infinity levels nothing");
    }
}
