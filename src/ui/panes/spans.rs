//! `spans`: where the time of one request goes, a bar for each span, all to one scale, the slowest first.
//! ```toml
//! [[panes]]
//! title = "Request trace"
//! kind  = "spans"
//! label = "span"                 # names the rows; without it, whatever tells the series from one another
//! query = 'last_over_time(span_seconds{span!="total"}[5m])'
//! unit  = "seconds"              # any unit whose parts add up
//! total = 'max(last_over_time(span_seconds{span="total"}[5m]))'   # what they should add up to, where it is told
//! ```

use super::{Kind, Place};
use crate::app::table::Order;
use crate::app::{Column, Metric, Model, Pane, Table as Rows, TableLine};
use crate::base::time::Age;
use crate::base::{Body, Clean, Fault, Freshness, Unit};
use crate::clean;
use crate::config::Intent;
use crate::rules::expr::Expr;
use crate::ui::metric_pane::{self, placed};
use crate::ui::paint::{Painter, Piece};
use crate::ui::value;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// The word beside the longest bar.
const SLOWEST: &str = "SLOWEST";
/// A bar is not narrower.
const LEAST_BAR: u16 = 4;
/// Columns beside title and sum: the mark, the age, what lies between.
const BESIDE: usize = 9;
/// From this width on a row has room for its share too.
const WIDE: u16 = 56;

/// The kind.
pub struct Spans;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    label: Option<Clean>,
    query: String,
    unit: Option<Unit>,
    total: Option<String>,
}

impl Kind for Spans {
    fn name(&self) -> &'static str {
        "spans"
    }

    fn about(&self) -> &'static str {
        "spans of one request as bars to one scale, the slowest first, their sum and its total; `query`, `label`, `unit`, `total`"
    }

    fn place(&self) -> Place {
        Place::Grid
    }

    fn build(&self, title: &Clean, body: &Body) -> Result<Pane, Fault> {
        let spec: Spec = body.read()?;
        let parse = |key: &str, query: &str| Expr::parse(query).map_err(|fault| placed(body, key, &fault));
        let expr = parse("query", &spec.query)?;
        let unit = metric_pane::unit(spec.unit, &expr);
        let total = spec.total.as_deref().map(|query| parse("total", query)).transpose()?;
        let headline = total.map(|expr| Metric::plain(title.clone(), expr, unit));
        let column = Column { title: Clean::from("took"), expr, unit, words: None, bands: None };
        let table = Some(Rows::new(spec.label, vec![column], Order::Descending));
        Ok(Pane { headline, table, ..Pane::new(self.name(), title) })
    }

    fn draw(&self, paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
        let (Some(table), true) = (&pane.table, area.height > 0) else { return };
        let now = model.pane_now().mono;
        let stale = table.believed.as_ref().is_ok_and(|(_, freshness)| *freshness >= STALE);
        let total = pane.headline.as_ref().filter(|metric| metric.shown.freshness(now) < STALE);
        let total = total.and_then(|metric| metric.shown.reading.usable());
        let added = added(table, total, stale);
        // Where one row is missing for all spans, their sum stands beside the title, if it has room there.
        let aside = table.rows.len() + 1 == usize::from(area.height)
            && table.why.is_none()
            && added.as_ref().is_some_and(|(text, _)| {
                pane.title.as_str().width() + text.as_str().width() + BESIDE < usize::from(area.width)
            });
        heading(paint, area, (pane, table), added.as_ref().filter(|_| aside), model, focused);
        let inner = Rect {
            x: area.x + 1,
            y: area.y + 1,
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(1),
        };
        let why = match &table.believed {
            Err(why) => Some(value::unknown(why)),
            Ok(_) => table.why.as_ref().map(value::unknown),
        };
        let most = if table.believed.is_err() || inner.height >= metric_pane::TALL { 3 } else { 1 };
        let why = why.map(|why| value::wrap(&why, inner.width, most)).unwrap_or_default();
        let taken = u16::try_from(why.len()).unwrap_or(u16::MAX).min(inner.height);
        for (y, line) in (inner.top()..inner.bottom()).zip(why) {
            paint.put((inner.x, y), inner.width, line, Intent::Stale);
        }
        if table.believed.is_ok() {
            let rest = Rect { y: inner.y + taken, height: inner.height - taken, ..inner };
            body(paint, rest, table, total, added.filter(|_| !aside), stale);
        }
    }
}

/// From here on nothing is shown as it is.
const STALE: Freshness = Freshness::Stale;

/// The title left; right how old the newest span is, and how far it may be believed.
fn heading(
    paint: &mut Painter<'_>,
    area: Rect,
    (pane, table): (&Pane, &Rows),
    added: Option<&(Clean, Intent)>,
    model: &Model,
    focused: bool,
) {
    let now = model.pane_now().mono;
    let mut right: Vec<Piece<'_>> = match (&table.believed, table.newest) {
        (Err(_), _) => vec![paint.piece("? UNKNOWN", Intent::Unknown)],
        (Ok((seen, freshness)), newest) => {
            let live = *freshness == Freshness::Live;
            let (word, intent) = if live { ("", Intent::Muted) } else { (freshness.word(), Intent::Stale) };
            let newest = newest.filter(|_| !table.rows.is_empty()).unwrap_or(*seen);
            vec![paint.piece(clean!("{word} {:>3}", Age(now.since(newest)).to_string()), intent)]
        }
    };
    if let Some((text, intent)) = added {
        right.insert(0, paint.piece(clean!("{text} "), *intent));
    }
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

fn took(row: &TableLine) -> Option<f64> {
    row.cells.first().copied().flatten().filter(|value| value.is_finite() && *value >= 0.0)
}

/// A row for each span as far as there is room, then the sum.
fn body(
    paint: &mut Painter<'_>,
    area: Rect,
    table: &Rows,
    total: Option<f64>,
    added: Option<(Clean, Intent)>,
    stale: bool,
) {
    let Some(unit) = table.columns.first().map(|column| column.unit) else { return };
    let room = usize::from(area.height).saturating_sub(usize::from(added.is_some()));
    if table.rows.is_empty() {
        paint.put((area.x, area.y), area.width, "none", Intent::Muted);
        return;
    }
    let lines = table.rows.get(..room).unwrap_or(&table.rows);
    // One scale for all bars, the longest is whole; shares are of all the time there was.
    let longest = table.rows.iter().filter_map(took).fold(0.0, f64::max);
    let sum = sum(table);
    let whole = total.unwrap_or(sum).max(sum);
    let show = |row: &TableLine| match took(row).filter(|_| !stale) {
        Some(value) => unit.show(value),
        None => "—".to_owned(),
    };
    let widest = |texts: &mut dyn Iterator<Item = usize>| u16::try_from(texts.max().unwrap_or(0)).unwrap_or(u16::MAX);
    let number = widest(&mut lines.iter().map(|row| show(row).width()));
    let share = if area.width >= WIDE { 6 } else { 0 };
    let word = u16::try_from(SLOWEST.len()).unwrap_or(0) + 1;
    let fixed = number + share + word + 2;
    let name = widest(&mut lines.iter().map(|row| row.name.as_str().width()))
        .min(area.width.saturating_sub(fixed + LEAST_BAR))
        .min(area.width / 3 + 4);
    let bar = area.width.saturating_sub(fixed + name);
    for (at, (row, y)) in lines.iter().zip(area.top()..area.bottom()).enumerate() {
        let value = took(row).filter(|_| !stale);
        let slowest = at == 0 && value.is_some() && table.rows.len() > 1;
        let intent = if slowest { Intent::Value } else { Intent::Text };
        paint.put((area.x, y), name, value::shorten(&row.name, name), intent);
        let part = |of: f64| value.filter(|_| of > 0.0).map_or(0.0, |value| value / of);
        paint.put((area.x + name + 1, y), bar, stripe(part(longest), bar, paint.ascii()), Intent::Chart);
        let end = area.x + name + 1 + bar + 1 + number;
        paint.right(end, end - number, y, &[paint.piece(Clean::text(show(row)), intent)]);
        if share > 0 && value.is_some() {
            paint.right(end + share, end, y, &[paint.piece(clean!(" {:.0} %", part(whole) * 100.0), Intent::Muted)]);
        }
        if slowest {
            paint.put((end + share + 1, y), word, SLOWEST, Intent::Note);
        }
    }
    let foot = (area.x, area.top() + u16::try_from(lines.len()).unwrap_or(0));
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    if table.rows.len() > lines.len() {
        pieces.push(paint.piece(clean!("+{}  ", table.rows.len() - lines.len()), Intent::Note));
    }
    if let Some((text, intent)) = added {
        pieces.push(paint.piece(text, intent));
        paint.line(foot, area.width, &pieces);
    }
}

fn sum(table: &Rows) -> f64 {
    table.rows.iter().filter_map(took).sum()
}

/// What the spans add up to, and whether that is the total: equal is what reads the same.
fn added(table: &Rows, total: Option<f64>, stale: bool) -> Option<(Clean, Intent)> {
    let unit = table.columns.first().filter(|_| !table.rows.is_empty())?.unit;
    if stale {
        return Some(("sum —".into(), Intent::Stale));
    }
    let sum = sum(table);
    let say = |value: f64| unit.show(value);
    Some(match total {
        None => (clean!("sum {}", say(sum)), Intent::Muted),
        Some(total) if say(total) == say(sum) => (clean!("sum = total {}", say(total)), Intent::Muted),
        Some(total) if total > sum => {
            (clean!("sum {}, total {}: {} in none", say(sum), say(total), say(total - sum)), Intent::Note)
        }
        Some(total) => (clean!("sum {}, total {}: {} over", say(sum), say(total), say(sum - total)), Intent::Note),
    })
}

/// A bar of this part of a width, in eighths of a column; what took any time at all has a sign.
fn stripe(part: f64, width: u16, ascii: bool) -> Clean {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and eight times a width")]
    let eighths = (part.clamp(0.0, 1.0) * f64::from(width) * 8.0).round() as usize;
    let eighths = if part > 0.0 { eighths.max(1) } else { 0 };
    if ascii {
        return Clean::text("#".repeat(eighths.div_ceil(8)));
    }
    clean!("{}{}", "█".repeat(eighths / 8), EIGHTHS.get(eighths % 8).copied().unwrap_or_default())
}
