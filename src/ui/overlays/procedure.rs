//! A procedure at work: left its items with what was seen and by whom, the current one boxed; right the values that it
//! is about; below what the document says about the item.
//! Long because every state of an item has its words here.

use super::procedure_text;
use crate::action::lifecycle::Outcome;
use crate::app::procedures::{ProcedureView, Working, condition};
use crate::app::{Model, Pane, walking};
use crate::base::Clean;
use crate::base::time::Span;
use crate::clean;
use crate::command::{Command, Context};
use crate::config::Intent;
use crate::procedure::document::{Item, Live};
use crate::procedure::walk::{Mark, Standing, State};
use crate::ui::chart::{chart, marks};
use crate::ui::metric_pane::chart_intent;
use crate::ui::paint::{Painter, Piece};
use crate::ui::screen::key;
use crate::ui::value::{self, shorten};
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// From this width on the values stand beside the items.
const BESIDE: u16 = 72;
/// Columns of the values.
const VALUES: (u16, u16) = (26, 44);
/// From this width on a row has room for a name and a long answer.
const WIDE: u16 = 66;
/// Lines of one value: name, number, chart, and one that is free.
const VALUE: u16 = 4;
/// Lines of what the document says, with the rule above them, at least.
const PROSE: u16 = 5;

/// Draws the whole view over the panes.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, view: &ProcedureView) {
    Clear.render(body, paint.buffer);
    let working = walking::shown(model);
    heading(paint, Rect { height: 1, ..body }, model, view, working);
    paint.rule(body, body.y + 1);
    let area = Rect { y: body.y + 2, height: body.height.saturating_sub(2), ..body };
    let values = if area.width >= BESIDE { (area.width / 3).clamp(VALUES.0, VALUES.1) } else { 0 };
    let left = Rect { width: area.width - values, ..area };
    let current = working.map(|working| working.walk.current);
    let at = view.selected.or(current).unwrap_or(0).min(view.document.items.len().saturating_sub(1));
    let item = view.document.items.get(at);
    let mark = working.and_then(|working| working.walk.marks.get(at));
    let told =
        item.map_or_else(Vec::new, |item| procedure_text::prose(left.width, model, (item, mark, current == Some(at))));
    let needed = u16::try_from(view.document.items.len()).unwrap_or(u16::MAX).saturating_add(2);
    // What is told of an item takes half of the room at most.
    let below = u16::try_from(told.len() + 1).unwrap_or(u16::MAX).min(left.height / 2).max(PROSE);
    let items = needed.min(left.height.saturating_sub(below));
    list(paint, Rect { height: items, ..left }, model, (view, working), at);
    paint.rule(Rect { width: left.width, ..left }, left.y + items);
    let below = Rect { y: left.y + items + 1, height: left.height.saturating_sub(items + 1), ..left };
    if let Some(item) = item {
        write(paint, below, told);
        if values > 0 {
            paint.upright(left.right(), area.y, area.bottom());
            let right = Rect { x: left.right() + 1, width: values - 1, ..area };
            beside(paint, right, model, item);
        }
    }
}

/// The procedure under way, told in the rule below the alert strip while it is not on screen.
pub fn in_rule(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    if walking::view(model).is_some() {
        return;
    }
    let mut open = model.procedures.walks.iter().filter(|working| working.open());
    let Some(working) = open.next() else { return };
    let (at, of) = working.walk.position();
    let paused = if working.walk.standing == Standing::Paused { "PAUSED " } else { "" };
    let mut right = vec![
        paint.piece(clean!(" {paused}step {at} of {of}"), Intent::Note),
        paint.piece(clean!("  {} ", key(model, Context::Triage, Command::Procedures)), Intent::Key),
    ];
    let due = working.walk.due_elsewhere(model.now).count();
    if due > 0 && working.walk.standing == Standing::Running {
        right.insert(1, paint.piece(clean!("  {due} due"), Intent::Warning));
    }
    if let Some(text) = time(working, model) {
        right.insert(1, paint.piece("  ", Intent::Text));
        right.insert(2, paint.piece(text.0, text.1));
    }
    // Beside an action's words there is no room for a title on a narrow screen.
    if model.run.is_none() || area.width >= 110 {
        let title = shorten(&working.walk.document.title, area.width / 3);
        right.insert(0, paint.piece(clean!(" {title} "), Intent::Title));
    }
    paint.right(area.right() - 1, area.x + area.width / 3, area.y, &right);
}

/// How much of its time box is left.
fn time(working: &Working, model: &Model) -> Option<(Clean, Intent)> {
    let whole = working.walk.document.time_box?;
    let gone = working.walk.elapsed(model.now);
    Some(match whole.checked_sub(gone) {
        Some(left) => (clean!("{} left", Span(left)), Intent::Text),
        None => (clean!("{} OVER", Span(gone.saturating_sub(whole))), Intent::Critical),
    })
}

/// Title, where it stands, how much of its time is left.
fn heading(paint: &mut Painter<'_>, area: Rect, model: &Model, view: &ProcedureView, working: Option<&Working>) {
    let mut right = Vec::new();
    match working {
        Some(working) => {
            let (at, of) = working.walk.position();
            let (word, intent): (Clean, Intent) = match working.walk.standing {
                Standing::Running => (clean!("step {at} of {of}"), Intent::Text),
                Standing::Paused => (clean!("PAUSED at step {at} of {of}"), Intent::Warning),
                Standing::Complete if working.walk.failures() > 0 => {
                    (clean!("COMPLETE, {} FAILED", working.walk.failures()), Intent::Warning)
                }
                Standing::Complete => ("COMPLETE".into(), Intent::Ok),
                Standing::CompleteExcept(left) => (clean!("COMPLETE EXCEPT {left} DEFERRED"), Intent::Warning),
                Standing::Abandoned => ("LEFT".into(), Intent::Muted),
            };
            right.push(paint.piece(word, intent));
            if let (Some((text, intent)), true) = (time(working, model), working.open()) {
                let whole = view.document.time_box.unwrap_or_default();
                right.push(paint.piece(clean!("   time box {}   ", Span(whole)), Intent::Muted));
                right.push(paint.piece(text, intent));
            }
        }
        None if !view.document.faults.is_empty() => {
            right.push(paint.piece("HAS FAULTS: only to read", Intent::Warning));
        }
        None => right.push(paint.piece("not begun", Intent::Muted)),
    }
    let room = area.width.saturating_sub(paint.width(&right) + 4);
    paint.put((area.x + 1, area.y), room, shorten(&view.document.title, room), Intent::Title);
    paint.right(area.right() - 1, area.x, area.y, &right);
}

/// The items, the current one in a box; scrolled so that the one at `at` is seen.
fn list(
    paint: &mut Painter<'_>,
    area: Rect,
    model: &Model,
    (view, working): (&ProcedureView, Option<&Working>),
    at: usize,
) {
    let current = working.filter(|working| working.open()).map(|working| working.walk.current);
    // The box takes two lines more.
    let room = usize::from(area.height).saturating_sub(2).max(1);
    let first = (at + 1).saturating_sub(room).min(view.document.items.len().saturating_sub(room));
    let mut y = area.y;
    for (index, item) in view.document.items.iter().enumerate().skip(first) {
        let boxed = current == Some(index);
        let height = if boxed { 3 } else { 1 };
        if y + height > area.bottom() {
            break;
        }
        let row = Rect { y, height, ..area };
        let inside =
            if boxed { paint.frame(row, &[], &[]) } else { Rect { x: row.x + 1, width: row.width - 2, ..row } };
        let mark = working.and_then(|working| working.walk.marks.get(index));
        let selected = at == index && view.selected.is_some();
        line(paint, inside, model, (index, item, mark), (boxed, selected));
        y += height;
    }
}

fn line(
    paint: &mut Painter<'_>,
    area: Rect,
    model: &Model,
    (index, item, mark): (usize, &Item, Option<&Mark>),
    (current, selected): (bool, bool),
) {
    let (sign, intent) = sign(paint.ascii(), mark, current);
    let text = if selected {
        Intent::Selection
    } else if current {
        Intent::Focus
    } else {
        intent
    };
    let right: Vec<Piece<'_>> = right(paint, model, (item, mark, current), area.width);
    let indent = u16::from(item.depth.saturating_sub(2).min(3)) * 2;
    let x =
        paint.put((area.x, area.y), 2 + indent, clean!("{:indent$}{sign} ", "", indent = usize::from(indent)), intent);
    let number = clean!("{:>2} ", index + 1);
    let x = paint.put((x, area.y), 3, number, Intent::Muted);
    let room = area.right().saturating_sub(x + paint.width(&right) + 1);
    paint.put((x, area.y), room, shorten(&item.title, room), text);
    paint.right(area.right(), x, area.y, &right);
}

/// The mark before an item.
fn sign(ascii: bool, mark: Option<&Mark>, current: bool) -> (&'static str, Intent) {
    let (sign, plain, intent) = match mark.map(|mark| &mark.state) {
        Some(State::Sensed | State::Observed | State::Acted(Outcome::Succeeded)) => ("✓", "x", Intent::Ok),
        Some(State::Acted(Outcome::Unverified)) => ("?", "?", Intent::Warning),
        Some(State::Overridden) => ("✓", "x", Intent::Warning),
        Some(State::Failed | State::Regressed | State::Acted(_)) => ("✗", "!", Intent::Critical),
        Some(State::Deferred(_)) => ("⏸", "=", Intent::Note),
        Some(State::NotNeeded) => ("·", ".", Intent::Muted),
        _ if current => ("▶", ">", Intent::Focus),
        _ => (" ", " ", Intent::Text),
    };
    (if ascii { plain } else { sign }, intent)
}

/// What was found, how, and when; of the current item what it waits for.
fn right<'a>(
    paint: &Painter<'_>,
    model: &Model,
    (item, mark, current): (&Item, Option<&Mark>, bool),
    width: u16,
) -> Vec<Piece<'a>> {
    let Some(mark) = mark.filter(|mark| mark.state != State::Open) else {
        return if current || mark.is_none() { waits(paint, model, item, current) } else { Vec::new() };
    };
    let word = match &mark.state {
        State::Sensed => "sensed",
        State::Observed => "",
        State::Acting(_) => "running",
        State::Acted(_) => "",
        State::Failed => "FAILED",
        State::Regressed => "REGRESSED",
        State::NotNeeded => "not needed",
        State::Deferred(_) => "deferred",
        State::Overridden => "OVERRIDDEN",
        State::Open => "",
    };
    // Who it was is told below the list too.
    let who = mark.who.as_ref().filter(|_| width >= WIDE).map(|who| format!(" {who}")).unwrap_or_default();
    let outcome = if let State::Acted(outcome) = &mark.state { format!("{outcome} ") } else { String::new() };
    let text = match &mark.state {
        State::Acted(_) | State::Acting(_) => Clean::default(),
        _ => shorten(&mark.text, if width >= WIDE { 30 } else { 12 }),
    };
    let back = match &mark.state {
        State::Deferred(Some(at)) => format!(" until {}", model.clock(*at)),
        _ => String::new(),
    };
    let intent = match mark.state {
        State::Failed | State::Regressed => Intent::Critical,
        State::Overridden | State::Deferred(_) => Intent::Warning,
        _ => Intent::Text,
    };
    let tail =
        if matches!(mark.state, State::NotNeeded) { String::new() } else { format!(" {}", model.clock(mark.at.wall)) };
    let gap = if text.as_str().is_empty() { "" } else { "  " };
    vec![
        paint.piece(clean!("{text}{gap}"), intent),
        paint.piece(
            Clean::text(format!("{outcome}{word}{back}{who}{tail}").trim_start()),
            if intent == Intent::Text { Intent::Muted } else { intent },
        ),
    ]
}

/// What an item that is open shows now, and which key it wants.
fn waits<'a>(paint: &Painter<'_>, model: &Model, item: &Item, current: bool) -> Vec<Piece<'a>> {
    if let Some(condition) = condition(item) {
        let sight = model.procedures.sight(condition, &model.store, model.now);
        let (word, intent) = match sight.holds {
            Some(true) => ("", Intent::Text),
            Some(false) => (" not yet", Intent::Warning),
            None => (" cannot be told", Intent::Note),
        };
        return vec![paint.piece(clean!("{}{word}", shorten(&sight.text, 18)), intent)];
    }
    if !current {
        return Vec::new();
    }
    let enter = key(model, Context::Procedure, Command::Open);
    let paused = walking::shown(model).is_some_and(|working| working.walk.standing == Standing::Paused);
    let wants = match &item.live {
        _ if paused => "goes on here",
        Live::Action(..) => "shows the plan",
        Live::Read => "read",
        Live::Escalate(_) => "whom you told",
        Live::Ask(_) => "answer",
        Live::Calculate(_) => "figures",
        Live::Log(_) => "keeps its lines",
        Live::Command(_) => "what it showed",
        Live::Challenge(_) => "what you see",
        _ => return Vec::new(),
    };
    vec![paint.piece(enter, Intent::Key), paint.piece(clean!(" {wants}"), Intent::Muted)]
}

/// As much of it as there is room for; a mark says that there is more.
fn write(paint: &mut Painter<'_>, area: Rect, lines: Vec<(Clean, Intent)>) {
    let more = lines.len() > usize::from(area.height);
    for (y, (text, intent)) in (area.top()..area.bottom()).zip(lines) {
        paint.put((area.x + 1, y), area.width.saturating_sub(2), text, intent);
    }
    if more && area.height > 0 {
        let sign = if paint.ascii() { ".." } else { "…" };
        paint.put((area.right().saturating_sub(2), area.bottom() - 1), 2, sign, Intent::Note);
    }
}

/// The values that the item is about, then the first panes.
fn beside(paint: &mut Painter<'_>, area: Rect, model: &Model, item: &Item) {
    let asks = |pane: &Pane| pane.headline.as_ref().map(|metric| metric.expr.text().clone());
    let mut all: Vec<&Pane> = model.procedures.about(item).map(|pane| better(model, pane)).collect();
    let known: Vec<Option<Clean>> = all.iter().map(|pane| asks(pane)).collect();
    all.extend(model.board.shown().iter().filter(|pane| pane.headline.is_some() && !known.contains(&asks(pane))));
    for (index, pane) in all.into_iter().enumerate() {
        let y = area.y + u16::try_from(index).unwrap_or(u16::MAX).saturating_mul(VALUE);
        if y + 2 > area.bottom() {
            break;
        }
        let Some(metric) = &pane.headline else { continue };
        let width = area.width.saturating_sub(2);
        let simulated = if metric.shown.simulated { " SIMULATED" } else { "" };
        let title = shorten(&pane.title, width.saturating_sub(u16::try_from(simulated.len()).unwrap_or(0)));
        let name = [paint.piece(title, Intent::Title), paint.piece(simulated, Intent::Simulated)];
        paint.line((area.x + 1, y), width, &name);
        let pieces = value::headline(paint, metric, model.pane_now());
        paint.line((area.x + 1, y + 1), width, &pieces);
        if y + 2 < area.bottom() {
            let row = Rect { x: area.x + 1, y: y + 2, width, height: 1 };
            let intent = chart_intent(metric.shown.level_now(model.now.mono));
            chart(paint, row, &pane.course.fit(width), metric.unit, None, intent);
            let places = model.board.marks.iter().filter_map(|mark| pane.course.place(mark.at, width));
            marks(paint, row, places);
        }
    }
}

/// The board's pane with the same question: it has bands and a level.
fn better<'a>(model: &'a Model, pane: &'a Pane) -> &'a Pane {
    let asks = |pane: &Pane| pane.headline.as_ref().map(|metric| metric.expr.text().clone());
    model.board.shown().iter().find(|known| asks(known) == asks(pane)).unwrap_or(pane)
}
