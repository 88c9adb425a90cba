//! A heading with a value, a chart, and further values: what most pane kinds look like.

use super::chart::{chart, cursor, draw_with_limit, marks};
use super::paint::{Painter, Piece};
use super::value;
use crate::app::{Mark, Metric, Model, Pane, Range};
use crate::base::{Body, Clean, Fault, Freshness, Level, Unit, Words};
use crate::clean;
use crate::config::Intent;
use crate::rules::Bands;
use crate::rules::expr::Expr;
use crate::rules::lint::promised;
use ratatui::layout::Rect;

/// Columns between two values.
const GAP: u16 = 2;
/// From this height on a reason may take a third line.
pub const TALL: u16 = 8;
/// A title shorter than this names nothing.
const LEAST_TITLE: u16 = 6;

/// One further value in a profile.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What the engineer calls it.
    pub label: Clean,
    /// A `PromQL` expression.
    pub query: String,
    /// Base unit; without one what the metric's name promises.
    pub unit: Option<Unit>,
    /// What its numbers stand for: `{ 0 = "closed", 1 = "open" }`.
    pub words: Option<Words>,
    /// The expression of its total.
    pub of: Option<String>,
    /// Levels.
    pub bands: Option<Bands>,
    /// The limit whose reach is foretold.
    pub forecast: Option<f64>,
}

impl Row {
    /// The metric of this row.
    ///
    /// # Errors
    /// When a query is no `PromQL`; placed where it stands.
    pub fn metric(&self, body: &Body) -> Result<Metric, Fault> {
        let parse = |key: &str, query: &str| Expr::parse(query).map_err(|fault| placed(body, key, &fault));
        let expr = parse("query", &self.query)?;
        let unit = unit(self.unit, &expr);
        let mut metric = Metric::plain(self.label.clone(), expr, unit);
        metric.of = self.of.as_deref().map(|of| parse("of", of)).transpose()?;
        metric.words.clone_from(&self.words);
        metric.bands = self.bands;
        metric.forecast = self.forecast;
        Ok(metric)
    }
}

/// The unit that the profile gives, else the one that the names of its metrics promise.
pub fn unit(given: Option<Unit>, expr: &Expr) -> Unit {
    let named = || match expr.plain_selector() {
        Some(selector) => Unit::of_values(selector.metric_name()?),
        None => promised(expr),
    };
    given.or_else(named).unwrap_or_default()
}

/// A fault of a query, placed where the query stands, inside it where that is known.
pub fn placed(body: &Body, key: &str, fault: &Fault) -> Fault {
    let inside = fault.at.as_ref().filter(|at| at.line > 0 && at.column > 0).map(|at| (at.line, at.column));
    let at = match inside {
        Some(place) => body.fault_in(key, place, fault.what.as_str()),
        None => body.fault_at(key, fault.what.as_str()),
    };
    match &fault.hint {
        Some(hint) => at.hint(hint.as_str()),
        None => at,
    }
}

/// The heading line: value, level and age right, laid out first; the title left, shortened where it must be.
pub fn heading(paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
    let right = match (pane.absent(), &pane.headline) {
        (Some(absent), _) => vec![paint.piece(absent, Intent::Muted)],
        (None, Some(metric)) => value::headline(paint, metric, model.pane_now()),
        (None, None) => Vec::new(),
    };
    let room = area.width.saturating_sub(paint.width(&right) + if right.is_empty() { 0 } else { 2 });
    let mark = paint.piece(if focused { "▸" } else { " " }, Intent::Focus);
    let mut tail = Vec::new();
    if let Some(which) = pane.headline.as_ref().and_then(|metric| metric.shown.which.as_ref()) {
        tail.push(paint.piece(clean!("  {}", value::shorten(which, room / 3)), Intent::Muted));
    }
    if pane.headline.is_some() && pane.course.range != Range::Now {
        let whole = usize::from(room) >= 20 + pane.title.as_str().len();
        let source = match (pane.course.by_minute, whole) {
            (true, true) => ", by minute",
            (true, false) => "/min",
            (false, _) => "",
        };
        tail.push(paint.piece(clean!("  {}{source}", pane.course.range.word()), Intent::Note));
    }
    if pane.metrics().any(|metric| metric.shown.simulated) {
        let word = if room < LEAST_TITLE + 11 { " SIM" } else { " SIMULATED" };
        tail.push(paint.piece(word, Intent::Simulated));
    }
    let title = value::shorten(&pane.title, room.saturating_sub(1 + paint.width(&tail)));
    let mut left = vec![mark, paint.piece(title, if focused { Intent::Focus } else { Intent::Title })];
    left.extend(tail);
    paint.line((area.x, area.y), room, &left);
    paint.right(area.right() - 1, area.x, area.y, &right);
}

/// The whole pane. Its chart gives way to the further values, down to one row.
pub fn draw(paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
    draw_with(paint, area, (pane, None), model, focused);
}

/// The same; where there is no value, a better reason says why.
pub fn draw_with(
    paint: &mut Painter<'_>,
    area: Rect,
    (pane, better): (&Pane, Option<&Clean>),
    model: &Model,
    focused: bool,
) {
    heading(paint, area, pane, model, focused);
    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(1),
    };
    let most = usize::from(inner.height.saturating_sub(1).max(1));
    let absence =
        pane.headline.as_ref().and_then(|metric| value::absence(metric, model.pane_now(), model.log_desk.zone));
    let absence = absence.map(|why| pane.absent().map(value::never).or_else(|| better.cloned()).unwrap_or(why));
    // Why there is no value; what the pane knows besides stays, what is gone with it needs no second word.
    let known =
        |metric: &&Metric| absence.is_none() || metric.shown.freshness(model.pane_now().mono) < Freshness::Stale;
    let beside: Vec<&Metric> = pane.beside.iter().filter(known).collect();
    let reason = most.min(if beside.is_empty() || inner.height >= TALL { 3 } else { 2 });
    let late = pane.headline.as_ref().and_then(|metric| value::lateness(metric, model.pane_now(), model.log_desk.zone));
    let why = absence.as_ref().or(late.as_ref()).map(|why| value::wrap(why, inner.width, reason)).unwrap_or_default();
    let mut details: Vec<Vec<Piece<'_>>> = why.into_iter().map(|line| vec![paint.piece(line, Intent::Stale)]).collect();
    let rows = most.saturating_sub(details.len());
    let shared = match &pane.headline {
        Some(metric) if absence.is_none() => metric.shown.freshness(model.pane_now().mono),
        _ => Freshness::Live,
    };
    // What will be full is said before anything that may find no room.
    let foretold = pane.headline.as_ref().filter(|_| absence.is_none()).and_then(value::forecast);
    let mut values: Vec<Vec<Piece<'_>>> =
        foretold.map(|text| vec![paint.piece(text, Intent::Note)]).into_iter().collect();
    values.extend(under_cursor(paint, pane, model, inner.width));
    values.extend(effect(paint, pane, model, inner.width));
    values.extend(beside.iter().map(|metric| value::detail(paint, metric, model.pane_now(), shared)));
    details.extend(pack(paint, values, (inner.width, rows)));
    let lines = u16::try_from(details.len()).unwrap_or(u16::MAX);
    if let Some(metric) = &pane.headline {
        let level = metric.shown.level_now(model.pane_now().mono);
        let intent = if absence.is_some() { Intent::Stale } else { chart_intent(level) };
        let limit = metric.bands.as_ref().and_then(|bands| bands.limit(Level::Warning));
        let area = Rect { height: inner.height - lines.min(inner.height), ..inner };
        // A total is the upper line of its chart.
        match metric.shown.of.filter(|_| absence.is_none()) {
            Some(of) => {
                draw_with_limit(paint, area, &pane.course.fit(area.width), metric.unit, (of, Intent::Rule), intent);
            }
            None => chart(paint, area, &pane.course.fit(area.width), metric.unit, limit, intent),
        }
        let places = model.board.marks.iter().filter_map(|mark| pane.course.place(mark.at, area.width));
        marks(paint, area, places);
        if let Some(back) = model.board.cursor.and_then(|at| pane.course.place(at, area.width)) {
            cursor(paint, area, back);
        }
    }
    for (line, pieces) in (inner.bottom().saturating_sub(lines)..inner.bottom()).zip(&details) {
        paint.line((inner.x, line), inner.width, pieces);
    }
}

/// The medians on both sides of the newest effect that the chart shows.
fn effect<'a>(paint: &Painter<'_>, pane: &Pane, model: &Model, width: u16) -> Option<Vec<Piece<'a>>> {
    let unit = pane.headline.as_ref()?.unit;
    let shown = |mark: &&Mark| pane.course.place(mark.at, width).is_some();
    let mark = model.board.marks.iter().rfind(shown)?;
    let (before, after) = pane.course.around(mark.at);
    let say = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| unit.show(value));
    let line = if paint.ascii() { ":" } else { "┆" };
    let arrow = if paint.ascii() { "->" } else { "→" };
    Some(vec![
        paint.piece(line, Intent::Accent),
        paint.piece(clean!(" {} {arrow} {}", say(before), say(after)), Intent::Text),
    ])
}

/// When the cursor stands, and the value there; also where that lies beside this chart.
fn under_cursor<'a>(paint: &Painter<'_>, pane: &Pane, model: &Model, width: u16) -> Option<Vec<Piece<'a>>> {
    let (at, unit) = (model.board.cursor?, pane.headline.as_ref()?.unit);
    let wall = model.now.wall.back(model.now.mono.since(at));
    let value = pane.course.place(at, width).and_then(|_| pane.course.at(at));
    let value = value.map_or_else(|| "—".to_owned(), |value| unit.show(value));
    let time = clean!("▸{} ", model.clock(wall));
    Some(vec![paint.piece(time, Intent::Focus), paint.piece(Clean::text(value), Intent::Text)])
}

/// Bars are calm until a level asks for attention.
pub const fn chart_intent(level: Level) -> Intent {
    match level {
        Level::Warning | Level::Critical => Intent::of(level),
        _ => Intent::Chart,
    }
}

/// Puts as many values on a line as fit, on at most `rows` lines; `+n` ends the last one when n values found no room.
pub fn pack<'a>(paint: &Painter<'_>, values: Vec<Vec<Piece<'a>>>, (width, rows): (u16, usize)) -> Vec<Vec<Piece<'a>>> {
    let mut lines: Vec<Vec<Vec<Piece<'_>>>> = Vec::new();
    for value in values {
        match lines.last_mut() {
            Some(line) if row_width(paint, line) + GAP + paint.width(&value) <= width => line.push(value),
            _ => lines.push(vec![value]),
        }
    }
    let mut dropped: usize = lines.iter().skip(rows).map(Vec::len).sum();
    lines.truncate(rows);
    if let Some(last) = lines.last_mut().filter(|_| dropped > 0) {
        while last.len() > 1 && row_width(paint, last) + GAP + 3 > width {
            last.pop();
            dropped += 1;
        }
        last.push(vec![paint.piece(clean!("+{dropped}"), Intent::Note)]);
    }
    let flat = |line: Vec<Vec<Piece<'a>>>| {
        let mut out = Vec::new();
        for value in line {
            if !out.is_empty() {
                out.push(paint.piece("  ", Intent::Text));
            }
            out.extend(value);
        }
        out
    };
    lines.into_iter().map(flat).collect()
}

fn row_width(paint: &Painter<'_>, row: &[Vec<Piece<'_>>]) -> u16 {
    let gaps = u16::try_from(row.len().saturating_sub(1)).unwrap_or(u16::MAX);
    row.iter().map(|value| paint.width(value)).fold(gaps.saturating_mul(GAP), u16::saturating_add)
}
