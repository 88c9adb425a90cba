//! Every alert and every rule: what is up, what may come, what is over, what is muted, what cannot judge.

use super::sheet::{more, sheet};
use crate::app::Model;
use crate::app::alerts::{self, AlertList, Fold, Row, Standing, alike, finding};
use crate::base::time::{Age, Span};
use crate::base::{Clean, Level};
use crate::clean;
use crate::command::{Command, Context};
use crate::config::Intent;
use crate::rules::Finding;
use crate::rules::finding::{AlertId, RuleHealth};
use crate::store::Selector;
use crate::ui::alert::{self, Said};
use crate::ui::paint::{Painter, Piece};
use crate::ui::value::shorten;
use ratatui::layout::Rect;

/// Columns of the fixed parts: mark, word, value, state, clock.
const MARK: u16 = 2;
const WORD: u16 = 9;
const VALUE: u16 = 9;
const STATE: u16 = 17;
const CLOCK: u16 = 15;
/// Below this there is no column for the state.
const NARROW: u16 = 68;

/// Draws the list with the selected row marked.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, list: &AlertList) {
    let rows = alerts::rows(&model.book, &list.unfolded);
    let foot = webhook(model);
    let height = u16::try_from(rows.len().max(1)).unwrap_or(u16::MAX).saturating_add(u16::from(foot.is_some()));
    let inner = sheet(paint, body, height, &clean!(" ALERTS AND RULES "), &clean!(" {} ", counts(model)));
    if rows.is_empty() {
        paint.put((inner.x, inner.y), inner.width, "This profile has no rule and no band.", Intent::Muted);
    }
    let room = Rect { height: inner.height.saturating_sub(u16::from(foot.is_some())), ..inner };
    let at = list.position(&rows);
    let first = first(list, at, rows.len(), usize::from(room.height));
    for (y, (index, row)) in (room.top()..room.bottom()).zip(rows.iter().enumerate().skip(first)) {
        line(paint, Rect { y, height: 1, ..room }, model, list, row, index == at);
    }
    more(paint, inner, rows.len().saturating_sub(first + usize::from(room.height)));
    if let Some((text, intent)) = foot {
        paint.put((inner.x, room.bottom()), inner.width, text, intent);
    }
}

/// The first row to show, so that the selected one is on the screen and as little as possible moves.
fn first(list: &AlertList, at: usize, rows: usize, room: usize) -> usize {
    let most = rows.saturating_sub(room);
    // The heading above the first row belongs to it.
    let low = (at + 1).saturating_sub(room);
    let high = if at <= 1 { 0 } else { at };
    let first = list.first.get().clamp(low.min(high), high).min(most);
    list.first.set(first);
    first
}

/// `2 firing, 1 pending`.
fn counts(model: &Model) -> Clean {
    let count = |standing| {
        model.book.findings().iter().filter(|found| Standing::of(found) == standing && found.cause.is_none()).count()
    };
    let (up, coming) = (count(Standing::Up), count(Standing::Coming));
    match (up, coming) {
        (0, 0) => Clean::text("nothing is up"),
        (up, 0) => clean!("{up} up"),
        (up, coming) => clean!("{up} up, {coming} pending"),
    }
}

/// How the webhook did last; `None` when the profile has none.
pub fn webhook(model: &Model) -> Option<Said> {
    let status = &model.session.notifier;
    let Some(place) = &status.place else {
        let Some((_, Err(why))) = &status.last else { return None };
        return Some((clean!("webhook OFF: {why}"), Intent::Warning));
    };
    if let Some(other) = &status.other {
        return Some((clean!("webhook {place}: told by {other}"), Intent::Muted));
    }
    let lost = if status.dropped > 0 { format!(", {} never told", status.dropped) } else { String::new() };
    let waits = if status.waiting > 0 { format!(", {} waiting", status.waiting) } else { String::new() };
    Some(match &status.last {
        None => (clean!("webhook {place}: nothing sent yet{waits}"), Intent::Muted),
        Some((at, Ok(code))) => {
            let age = Age(model.now.mono.since(at.mono));
            let intent = if status.dropped > 0 { Intent::Warning } else { Intent::Muted };
            (clean!("webhook {place}: {code} {age} ago{waits}{lost}"), intent)
        }
        Some((at, Err(why))) => {
            let age = Age(model.now.mono.since(at.mono));
            (clean!("webhook FAILING {age} ago{waits}{lost}: {why}"), Intent::Warning)
        }
    })
}

fn line(paint: &mut Painter<'_>, area: Rect, model: &Model, list: &AlertList, row: &Row, selected: bool) {
    if let Row::Heading(text) = row {
        paint.put((area.x, area.y), area.width, *text, Intent::Muted);
        if *text == alerts::ALERTS {
            columns(paint, area);
        }
        return;
    }
    let mark = if selected { "▸ " } else { "  " };
    paint.put((area.x, area.y), MARK, mark, Intent::Accent);
    let area = Rect { x: area.x + MARK, width: area.width.saturating_sub(MARK), ..area };
    match row {
        Row::Heading(_) => {}
        Row::Alert(id, depth) => {
            if let Some(found) = finding(&model.book, id) {
                let name = Named { depth: *depth, fold: folded(model, list, id), instances: None };
                alert(paint, area, model, found, &name, selected);
            }
        }
        Row::Instances(rule, standing) => {
            let kin = alike(&model.book, *rule, *standing);
            if let Some(worst) = kin.first() {
                let fold = Some(list.unfolded.contains(&Fold::Rule(*rule)));
                let name = Named { depth: 0, fold, instances: Some(kin.len()) };
                alert(paint, area, model, worst, &name, selected);
            }
        }
        Row::Folded(id) => {
            let text = alert::consequences(model, id).unwrap_or_default();
            let key = crate::ui::screen::key(model, Context::Overlay, Command::Unfold);
            paint.put(
                (area.x + WORD + 2, area.y),
                area.width.saturating_sub(WORD + 2),
                clean!("{text}; {key} shows them"),
                Intent::Muted,
            );
        }
        Row::Silence(id) => muted(paint, area, model, *id, selected),
        Row::Broken(at) => {
            if let Some((name, fault)) = model.book.broken().nth(*at) {
                rule_row(paint, area, ("ERROR", Intent::Critical), name, &clean!("{fault}"), selected);
            }
        }
        Row::Rule(at) => rule(paint, area, model, *at, selected),
    }
}

/// The names of the columns, over them.
fn columns(paint: &mut Painter<'_>, area: Rect) {
    let Stops { value, state, clock } = stops(area);
    let named = [paint.piece("value", Intent::Muted)];
    paint.right(value + VALUE, value, area.y, &named);
    if let Some(state) = state {
        paint.put((state, area.y), STATE, "state", Intent::Muted);
    }
    paint.put((clock, area.y), CLOCK, "answer", Intent::Muted);
}

/// Where the columns of value, state and answer begin.
fn stops(area: Rect) -> Stops {
    let clock = area.right().saturating_sub(CLOCK);
    let state = (area.width >= NARROW).then(|| clock.saturating_sub(STATE + 1));
    Stops { value: state.unwrap_or(clock).saturating_sub(VALUE + 1), state, clock }
}

/// Where they begin. Where names would have no room, the state stands in the column of the answer that it has none.
struct Stops {
    value: u16,
    state: Option<u16>,
    clock: u16,
}

/// Whether what this cause folds is shown; `None` when it folds nothing.
fn folded(model: &Model, list: &AlertList, id: &AlertId) -> Option<bool> {
    let folds = !model.book.consequences(id).is_empty();
    folds.then(|| list.unfolded.contains(&Fold::Cause(id.clone())))
}

/// What stands in the column of names beside the name.
struct Named {
    depth: u16,
    fold: Option<bool>,
    instances: Option<usize>,
}

const fn text(selected: bool) -> Intent {
    if selected { Intent::Selection } else { Intent::Text }
}

fn alert(paint: &mut Painter<'_>, area: Rect, model: &Model, found: &Finding, named: &Named, selected: bool) {
    let level = level_intent(found);
    paint.put((area.x, area.y), WORD, alert::word(model, found), level);
    let Stops { value, state, clock } = stops(area);
    let name = area.x + WORD + named.depth * 2;
    let room = value.saturating_sub(name + 1);
    let pieces = name_pieces(paint, model, found, named, (room, text(selected)));
    paint.line((name, area.y), room, &pieces);
    let said = model.book.rule(found.id.rule).map(|rule| rule.says(found.value)).unwrap_or_default();
    let shown = [paint.piece(said, level)];
    paint.right(value + VALUE, value, area.y, &shown);
    if let Some(state) = state {
        paint.put((state, area.y), STATE, alert::state(model, found), Intent::Text);
    }
    let instead = || state.is_none().then(|| (alert::state(model, found), Intent::Text));
    if let Some((text, intent)) = answer(model, found).or_else(instead) {
        paint.put((clock, area.y), CLOCK, text, intent);
    }
}

fn name_pieces<'a>(
    paint: &Painter<'_>,
    model: &Model,
    found: &Finding,
    named: &Named,
    (room, intent): (u16, Intent),
) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    if let Some(open) = named.fold {
        pieces.push(paint.piece(if open { "- " } else { "+ " }, Intent::Accent));
    }
    // That it is made up must not fall to a long name.
    let name = crate::app::answer::name(model, found.id.rule);
    let whole = [paint.piece(&name, intent), paint.piece(" SIMULATED", Intent::Simulated)];
    let word = if paint.width(&pieces) + paint.width(&whole) > room { " SIM" } else { " SIMULATED" };
    let simulated = model.is_simulated(found.id.rule).then(|| paint.piece(word, Intent::Simulated));
    let rest = paint.width(simulated.as_slice()) + paint.width(&pieces);
    pieces.push(paint.piece(shorten(&name, room.saturating_sub(rest)), intent));
    pieces.extend(simulated);
    match named.instances {
        Some(count) => pieces.push(paint.piece(clean!(" {count} instances"), Intent::Muted)),
        None => {
            if let Some(which) = alert::which(model, &found.id) {
                pieces.push(paint.piece(clean!(" {}", shorten(&which, 24)), Intent::Muted));
            }
        }
    }
    pieces
}

/// What matters most of clocks and marks: what is overdue, then who has it, then what is due. The column says `answer`.
fn answer(model: &Model, found: &Finding) -> Option<Said> {
    let mut clocks = alert::clocks(model, found, false);
    let mut marks = alert::marks(model, found);
    if let Some(at) = clocks.iter().position(|(_, intent)| *intent == Intent::AlertCritical) {
        return Some(clocks.swap_remove(at));
    }
    if let Some(gone) = alert::silence_of_data(found) {
        return Some(gone);
    }
    if !marks.is_empty() {
        return Some(marks.swap_remove(0));
    }
    let (text, intent) = clocks.into_iter().next()?;
    Some((Clean::text(text.as_str().trim_start_matches("answer ")), intent))
}

const fn level_intent(found: &Finding) -> Intent {
    match Standing::of(found) {
        Standing::Up if found.no_data_for.is_some() => Intent::Stale,
        Standing::Up => Intent::of(found.level),
        Standing::Coming => Intent::Text,
        Standing::Over => Intent::Muted,
    }
}

fn muted(paint: &mut Painter<'_>, area: Rect, model: &Model, id: u64, selected: bool) {
    let Some(silence) = model.book.silences().find(|silence| silence.id == id) else { return };
    paint.put((area.x, area.y), WORD, "MUTED", Intent::Note);
    let left = clean!("{} left, {}", Span(silence.left(model.now).unwrap_or_default()), silence.by);
    let said = [paint.piece(left, Intent::Note)];
    let right = paint.right(area.right(), area.x + WORD, area.y, &said);
    let name = area.x + WORD;
    let pieces = [
        paint.piece(&silence.reason, text(selected)),
        paint.piece(clean!("  {}", silence.matchers.text()), Intent::Muted),
    ];
    paint.line((name, area.y), right.saturating_sub(name + 1), &pieces);
}

fn rule(paint: &mut Painter<'_>, area: Rect, model: &Model, at: usize, selected: bool) {
    let Some((_, rule, health)) = model.book.rules().find(|(index, ..)| *index == at) else { return };
    let text = if *health == RuleHealth::Ok { quiet(model, at) } else { health_text(health) };
    rule_row(paint, area, health_word(health), &rule.name, &text, selected);
}

/// What a rule that is well does while none of its alerts is up.
pub fn quiet(model: &Model, at: usize) -> Clean {
    let Some(rule) = model.book.rule(at).filter(|rule| rule.kind.records()) else {
        return Clean::text("nothing found");
    };
    let ids = model.store.select(&Selector::metric(rule.name.as_str()));
    match ids.into_iter().filter(|id| model.store.reading(*id, model.now.mono).usable().is_some()).count() {
        1 => Clean::text("records 1 series"),
        count => clean!("records {count} series"),
    }
}

/// How a rule itself does, as a word.
pub const fn health_word(health: &RuleHealth) -> (&'static str, Intent) {
    match health {
        RuleHealth::Ok => (Level::Ok.word(), Intent::Ok),
        RuleHealth::Instead { .. } => ("OTHER", Intent::Note),
        RuleHealth::NotYet | RuleHealth::NoData { .. } => ("NO DATA", Intent::Unknown),
        RuleHealth::Warming { .. } => ("WARMING", Intent::Unknown),
        RuleHealth::NotEvaluable(_) => ("NOT HERE", Intent::Unknown),
        RuleHealth::Error(_) => ("ERROR", Intent::Critical),
    }
}

/// The same as a sentence, without the word.
pub fn health_text(health: &RuleHealth) -> Clean {
    match health {
        RuleHealth::Ok => Clean::text("nothing found"),
        RuleHealth::Instead { without } => clean!("by the other source, without {without}"),
        RuleHealth::NotYet => Clean::text("no data has come yet"),
        RuleHealth::Warming { ready_in } => clean!("ready in {}", Span(*ready_in)),
        RuleHealth::NotEvaluable(why) | RuleHealth::NoData { why } | RuleHealth::Error(why) => why.clone(),
    }
}

fn rule_row(
    paint: &mut Painter<'_>,
    area: Rect,
    word: (&'static str, Intent),
    name: &Clean,
    why: &Clean,
    selected: bool,
) {
    paint.put((area.x, area.y), WORD, word.0, word.1);
    let pieces = [paint.piece(name, text(selected)), paint.piece(clean!("  {why}"), Intent::Muted)];
    paint.line((area.x + WORD, area.y), area.width.saturating_sub(WORD), &pieces);
}
