//! `table`: rows of several series side by side, the largest first.
//! ```toml
//! [[panes]]
//! title = "Samplers"
//! kind  = "table"
//! label = "sampler"              # names the rows; without it, whatever tells the series from one another;
//!                                # `__name__`: the name of each series with all of its labels
//! columns = [
//!   { title = "took", query = "watchkeeper_sampler_duration_seconds", unit = "seconds" },
//!   { title = "failed", query = "watchkeeper_sampler_failures_total" },
//!   { title = "free", query = "node_filesystem_avail_bytes", unit = "bytes", bands = { zero = "critical" } },
//!   { title = "breaker", query = "breaker_state", words = { 0 = "closed", 1 = "open" } },   # numbers that are states
//! ]                              # `bands` of a column put the word of the level into each cell; they raise no alert
//! chart = "10m"                  # before the numbers of each row the course of its first column: 10s to 1h
//! order = "descending"           # by the first column; or "ascending"; or "label": by the names of the rows
//! query = "watchkeeper_cpu_ratio" # a value beside the title, with `unit` and `bands`
//! unit  = "ratio"
//! beside = [{ label = "memory", query = "process_resident_memory_bytes", unit = "bytes" }]   # and more above the rows
//! ```

use super::{Kind, Place};
use crate::app::table::{Line, Order, POINTS};
use crate::app::{Column, Model, Pane, Table as Rows};
use crate::base::time::Age;
use crate::base::{Body, Clean, Fault, Freshness, Level, Unit, Words};
use crate::clean;
use crate::config::Intent;
use crate::config::duration::Lasting;
use crate::rules::Bands;
use crate::rules::expr::Expr;
use crate::ui::chart::{chart, marks};
use crate::ui::metric_pane::{self, Row, placed};
use crate::ui::overlays::sheet::search;
use crate::ui::paint::{Painter, Piece};
use crate::ui::value;
use core::ops::RangeInclusive;
use core::time::Duration;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// Columns between two columns.
const GAP: u16 = 2;
/// How far a course may reach: what the store holds at full resolution.
const CHART: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(3_600);
/// A course is not drawn in fewer columns.
const NARROW: u16 = 8;

/// The kind.
pub struct Table;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    label: Option<Clean>,
    columns: Vec<Cell>,
    #[serde(default)]
    order: Order,
    chart: Option<Lasting>,
    query: Option<String>,
    unit: Option<Unit>,
    words: Option<Words>,
    bands: Option<Bands>,
    #[serde(default)]
    beside: Vec<Row>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Cell {
    title: Clean,
    query: String,
    unit: Option<Unit>,
    words: Option<Words>,
    bands: Option<Bands>,
}

impl Kind for Table {
    fn name(&self) -> &'static str {
        "table"
    }

    fn about(&self) -> &'static str {
        "rows of several series, the largest first; `columns` of `title`, `query`, `unit`, `words`, `bands`; `label`, `order`, `chart`; `query`, `unit`, `words`, `bands`, `beside`"
    }

    fn place(&self) -> Place {
        Place::Grid
    }

    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault> {
        let spec: Spec = body.read()?;
        let rows = body.clone().take_array("columns")?;
        let column = |(cell, body): (Cell, &Body)| {
            let expr = Expr::parse(&cell.query).map_err(|fault| placed(body, "query", &fault))?;
            let unit = metric_pane::unit(cell.unit, &expr);
            if let Some(key) = cell.bands.as_ref().and_then(Bands::over_time) {
                let what = format!("a cell is judged by its value alone: `{key}` has no meaning here.");
                return Err(body.fault_at("bands", what));
            }
            Ok(Column { title: cell.title, expr, unit, words: cell.words, bands: cell.bands })
        };
        let columns: Vec<Column> = spec.columns.into_iter().zip(&rows).map(column).collect::<Result<_, Fault>>()?;
        if columns.is_empty() {
            return Err(body.fault_at("columns", "a table without columns shows nothing."));
        }
        let bodies = body.clone().take_array("beside")?;
        let beside = spec.beside.iter().zip(&bodies).map(|(row, body)| row.metric(body)).collect::<Result<_, _>>()?;
        let (unit, words, bands) = (spec.unit, spec.words, spec.bands);
        let row = |query| Row { label: title.clone(), query, unit, words, of: None, bands, forecast: None };
        let headline = spec.query.map(row);
        let headline = headline.map(|row| row.metric(body)).transpose()?;
        let chart = spec.chart.map(|Lasting(reach)| reach);
        if chart.is_some_and(|reach| !CHART.contains(&reach)) {
            return Err(body.fault_at("chart", "`chart` reaches back 10s to 1h."));
        }
        let mut table = Rows::new(spec.label, columns, spec.order);
        table.chart = chart;
        Ok(Pane { headline, beside, table: Some(table), ..Pane::new(self.name(), title) })
    }

    fn draw(&self, paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
        let Some(table) = &pane.table else { return };
        if pane.headline.is_some() {
            metric_pane::heading(paint, area, pane, model, focused);
        } else {
            heading(paint, area, (pane, table), model, focused);
        }
        let mut inner = Rect {
            x: area.x + 1,
            y: area.y + 1,
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(1),
        };
        let values = pane.beside.iter().map(|metric| value::detail(paint, metric, model.pane_now(), Freshness::Live));
        let lines = metric_pane::pack(paint, values.collect(), (inner.width, usize::from(inner.height / 2)));
        for line in lines {
            paint.line((inner.x, inner.y), inner.width, &line);
            inner = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
        }
        let told = pane.absent().map(value::never);
        match told.map_or_else(|| table.believed.as_ref().map_err(value::unknown), Err) {
            Err(why) => {
                for (y, line) in (inner.top()..inner.bottom()).zip(value::wrap(&why, inner.width, 3)) {
                    paint.put((inner.x, y), inner.width, line, Intent::Stale);
                }
            }
            Ok((_, freshness)) => {
                let most = if inner.height >= metric_pane::TALL { 3 } else { 2 };
                let why = table.why.as_ref().map(|why| value::wrap(&value::unknown(why), inner.width, most));
                let mut rest = inner;
                for line in why.unwrap_or_default() {
                    paint.put((rest.x, rest.y), rest.width, line, Intent::Stale);
                    rest = Rect { y: rest.y + 1, height: rest.height.saturating_sub(1), ..rest };
                }
                let effects: Vec<u16> = model.board.marks.iter().filter_map(|mark| table.back(mark.at)).collect();
                match model.board.finding().filter(|_| focused) {
                    Some(find) => {
                        search(paint, rest, "Find", find);
                        let way_back = [paint.piece("Esc shows all", Intent::Muted)];
                        paint.right(rest.right(), rest.x + rest.width / 2, rest.y, &way_back);
                        rest = Rect { y: rest.y + 1, height: rest.height.saturating_sub(1), ..rest };
                        body(paint, rest, (table, &effects), &table.found(find), *freshness);
                    }
                    None => body(paint, rest, (table, &effects), &table.rows, *freshness),
                }
            }
        }
    }
}

fn heading(paint: &mut Painter<'_>, area: Rect, (pane, table): (&Pane, &Rows), model: &Model, focused: bool) {
    let right: Vec<Piece<'_>> = match (&table.believed, pane.absent()) {
        (_, Some(absent)) => vec![paint.piece(absent, Intent::Muted)],
        (Ok((seen, freshness)), None) => {
            let age = Age(model.pane_now().mono.since(*seen)).to_string();
            let word = if *freshness == Freshness::Live { "" } else { freshness.word() };
            let intent = if word.is_empty() { Intent::Muted } else { Intent::Stale };
            vec![paint.piece(clean!("{word} {age:>3}"), intent)]
        }
        (Err(_), None) => vec![paint.piece("? UNKNOWN", Intent::Unknown)],
    };
    let room = area.width.saturating_sub(paint.width(&right) + 2);
    let made_up = if table.simulated { " SIMULATED" } else { "" };
    let made_up = paint.piece(made_up, Intent::Simulated);
    let title = room.saturating_sub(1 + paint.width(core::slice::from_ref(&made_up)));
    let left = [
        paint.piece(if focused { "▸" } else { " " }, Intent::Focus),
        paint.piece(value::shorten(&pane.title, title), if focused { Intent::Focus } else { Intent::Title }),
        made_up,
    ];
    paint.line((area.x, area.y), room, &left);
    paint.right(area.right() - 1, area.x, area.y, &right);
}

/// Names left, numbers right-aligned under their titles; `+n` where rows found no place.
fn body(paint: &mut Painter<'_>, area: Rect, (table, effects): (&Rows, &[u16]), rows: &[Line], freshness: Freshness) {
    let height = usize::from(area.height);
    let titled = height > 2;
    let room = if titled { height - 1 } else { height };
    let shown = if rows.len() > room { room.saturating_sub(1) } else { rows.len() };
    let text = |column: &Column, cell: Option<f64>| said(column, cell.filter(|_| freshness < Freshness::Stale));
    let lines = rows.get(..shown).unwrap_or_default();
    let widths: Vec<u16> = table
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = lines.iter().map(|row| text(column, row.cells.get(at).copied().flatten()).0.width());
            let title = if titled { column.title.as_str().width() } else { 0 };
            u16::try_from(cells.chain([title]).max().unwrap_or(0)).unwrap_or(u16::MAX)
        })
        .collect();
    // What has no room is left out from the right: a number is shown whole or not.
    let mut fit = 0;
    let mut taken = 0_u16;
    for width in &widths {
        if taken + width + GAP + 8 > area.width {
            break;
        }
        taken += width + GAP;
        fit += 1;
    }
    let numbers = area.width.saturating_sub(taken);
    let width = if freshness < Freshness::Stale { chart_width(table, lines, numbers) } else { 0 };
    let name = numbers - width;
    let first = area.y + u16::from(titled);
    courses(paint, Rect { x: area.x + name, y: first, width, height: 1 }, (table, effects), lines);
    let mut y = area.y;
    let mut put = |paint: &mut Painter<'_>, left: Clean, cells: Vec<(String, Level)>, intent: Intent| {
        paint.put((area.x, y), name, left, if intent == Intent::Text { Intent::Muted } else { intent });
        let mut x = area.x + numbers;
        for ((cell, level), width) in cells.iter().zip(&widths) {
            x += GAP + width;
            let intent = if *level == Level::Ok { intent } else { Intent::of(*level) };
            paint.right(x, x.saturating_sub(*width), y, &[paint.piece(Clean::text(cell), intent)]);
        }
        y += 1;
    };
    if titled {
        let titles = table.columns.iter().take(fit).map(|column| (column.title.to_string(), Level::Ok)).collect();
        put(paint, Clean::default(), titles, Intent::Muted);
    }
    for row in lines {
        let cells = table.columns.iter().zip(&row.cells).take(fit).map(|(column, cell)| text(column, *cell)).collect();
        put(paint, value::shorten(&row.name, name), cells, Intent::Text);
    }
    if rows.len() > shown {
        put(paint, clean!("+{}", rows.len() - shown), Vec::new(), Intent::Note);
    }
    if rows.is_empty() {
        put(paint, Clean::from("none"), Vec::new(), Intent::Muted);
    }
}

/// A cell as it is said, with the word of its level, and the level. Nothing old is shown as live.
fn said(column: &Column, value: Option<f64>) -> (String, Level) {
    let Some(value) = value else { return ("—".to_owned(), Level::Ok) };
    let level = column.bands.map_or(Level::Ok, |bands| bands.level(value));
    let said = column.words.as_ref().and_then(|words| words.of(value));
    let said = said.map_or_else(|| column.unit.show(value), Clean::to_string);
    (if level == Level::Ok { said } else { format!("{said} {}", level.word()) }, level)
}

/// How many columns the courses may take of those left of the numbers: the names are whole.
fn chart_width(table: &Rows, lines: &[Line], room: u16) -> u16 {
    let widest = lines.iter().map(|row| row.name.as_str().width()).max().unwrap_or(0);
    let left = room.saturating_sub(u16::try_from(widest).unwrap_or(u16::MAX).saturating_add(GAP));
    let most = u16::try_from(POINTS).unwrap_or(u16::MAX);
    if table.chart.is_some() && left >= NARROW { left.min(most) } else { 0 }
}

/// The course of each row, one below the other from this place on, with the effects of actions in it.
fn courses(paint: &mut Painter<'_>, place: Rect, (table, effects): (&Rows, &[u16]), lines: &[Line]) {
    let unit = table.columns.first().map(|column| column.unit).unwrap_or_default();
    for (y, row) in (place.y..).zip(lines).filter(|_| place.width > 0) {
        let newest = row.course.get(row.course.len().saturating_sub(usize::from(place.width))..).unwrap_or_default();
        chart(paint, Rect { y, ..place }, newest, unit, None, Intent::Chart);
        marks(paint, Rect { y, ..place }, effects.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_reaches_no_further_than_what_is_held() {
        let built = |chart: &str| {
            let text = format!("chart = \"{chart}\"\ncolumns = [{{ title = \"a\", query = \"up\" }}]\n");
            let body = Body::parse("p.toml", &text).expect("TOML");
            Table.build(&"t".into(), &body).map(|pane| pane.table.and_then(|table| table.chart))
        };
        assert_eq!(built("10m").expect("valid"), Some(Duration::from_secs(600)));
        for wrong in ["2h", "5s", "soon"] {
            let fault = built(wrong).expect_err(wrong).to_string();
            assert!(fault.starts_with("p.toml:1:9: "), "{wrong}: {fault}");
        }
        assert!(built("2h").expect_err("too far").to_string().contains("`chart` reaches back 10s to 1h."));
    }
}
