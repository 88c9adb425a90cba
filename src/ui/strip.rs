//! The alert strip: the alert of now with its clock and offer; without one, what keeps the strip from being calm.

use super::alert::{self, Said};
use super::paint::{Painter, Piece};
use super::screen::key;
use super::value;
use crate::app::{Metric, Model, Pane, answer};
use crate::base::time::Span;
use crate::base::{Clean, Level, Reading};
use crate::clean;
use crate::command::{Command, Context};
use crate::config::Intent;
use crate::rules::finding::RuleHealth;
use crate::rules::rule::{Judge, Rule};
use crate::rules::{Finding, FindingState};
use ratatui::layout::Rect;

/// A title is not shortened below this while anything less important stands beside it.
const TITLE: u16 = 12;

/// Draws the strip.
pub fn draw(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let Some(found) = model.current_alert() else {
        calm(paint, area, model);
        return;
    };
    let place = paint.piece(place(model), Intent::Muted);
    let mut right = vec![place.clone()];
    let remedy = model.book.rule(found.id.rule).and_then(Rule::alerting).and_then(|it| it.remedy.as_deref());
    let procedure = model.book.rule(found.id.rule).and_then(|rule| model.procedures.for_alert(&rule.name));
    let offered = procedure.map(|it| (&it.title, "procedure"));
    if let Some((title, word)) = offered.or_else(|| Some((model.action_title(remedy)?, "plan"))) {
        let key = key(model, Context::Triage, Command::Open);
        let offer = if area.width < 100 { Clean::text(word) } else { value::shorten(title, 30) };
        right.insert(0, paint.piece(clean!("{key} {offer}  "), Intent::Accent));
    }
    let mut left = vec![
        paint.piece(clean!(" {} ", alert::word(model, found)), word_intent(found)),
        paint.piece(" ", Intent::Text),
    ];
    let name = answer::name(model, found.id.rule);
    let head = paint.width(&left);
    let least = head + paint.width(&[paint.piece(value::shorten(&name, TITLE), Intent::Title)]);
    let said = said(model, found, area.width < 100);
    // The hint line offers it too: what happens, and how long there is to answer, comes first.
    let whole: Vec<Piece<'_>> = said.iter().map(|(_, said)| paint.piece(said.0.clone(), said.1)).collect();
    let wanted = head + paint.width(&[paint.piece(&name, Intent::Title)]) + paint.width(&whole);
    if wanted + paint.width(&right) + 2 > area.width {
        right = vec![place];
    }
    let room = area.width.saturating_sub(paint.width(&right) + 2);
    let after = fitting(paint, &said, room.saturating_sub(least));
    let title = room.saturating_sub(head + paint.width(&after));
    left.push(paint.piece(value::shorten(&name, title.max(5)), Intent::Title));
    left.extend(after);
    let after = paint.line((area.x, area.y), room, &left);
    paint.right(area.right() - 1, after + 1, area.y, &right);
}

/// What is said after the title, in order, with how important it is: 0 stays whatever happens.
fn said(model: &Model, found: &Finding, narrow: bool) -> Vec<(u8, Said)> {
    let mut out = Vec::new();
    match alert::instances(model, found) {
        Some(count) => out.push((2, (clean!("  {count}"), Intent::Text))),
        None => {
            let which = alert::which(model, &found.id);
            out.extend(which.map(|which| (3, (clean!("  {}", value::shorten(&which, 20)), Intent::Text))));
        }
    }
    if model.is_simulated(found.id.rule) {
        out.push((0, (clean!(" SIMULATED"), Intent::Simulated)));
    }
    // An old value has no colour of health or alarm; that it is old comes before what it is judged by.
    let fresh = if found.no_data_for.is_some() { Intent::Stale } else { Intent::of(found.level) };
    out.push((0, (clean!(" {}", alert::value(model, found)), fresh)));
    out.extend(alert::silence_of_data(found).map(|(text, intent)| (0, (clean!("  {text}"), intent))));
    out.extend(alert::limit(model, found).map(|limit| (6, (clean!(" {limit}"), Intent::Muted))));
    out.push((4, (clean!("  {}", alert::state(model, found)), Intent::Text)));
    for (text, intent) in alert::clocks(model, found, false) {
        match intent {
            Intent::AlertCritical => {
                // A gap of its own: what is loud is filled with colour to its ends.
                out.push((0, (Clean::text(" "), Intent::Text)));
                out.push((0, (text, intent)));
            }
            Intent::Text => out.push((1, (clean!("  {text}"), intent))),
            _ => out.push((7, (clean!("  {text}"), intent))),
        }
    }
    for (at, (text, intent)) in alert::marks(model, found).into_iter().enumerate() {
        out.push((if at == 0 { 2 } else { 8 }, (clean!("  {text}"), intent)));
    }
    let folded = alert::consequences(model, &found.id);
    // The list marks what folds with the same sign.
    let folded = folded.map(|text| if narrow { clean!("+{}", model.book.consequences(&found.id).len()) } else { text });
    out.extend(folded.map(|text| (3, (clean!("  {text}"), Intent::Muted))));
    out
}

/// As much as fits, the less important left out first, in the order of the line.
fn fitting<'a>(paint: &Painter<'_>, said: &[(u8, Said)], room: u16) -> Vec<Piece<'a>> {
    let piece = |(_, (text, intent)): &(u8, Said)| paint.piece(text.clone(), *intent);
    let mut order: Vec<usize> = (0..said.len()).collect();
    order.sort_by_key(|at| said.get(*at).map_or(u8::MAX, |(weight, _)| *weight));
    let mut kept: Vec<usize> = Vec::new();
    let mut used = 0;
    for at in order {
        let Some(part) = said.get(at) else { continue };
        let width = paint.width(&[piece(part)]);
        if part.0 == 0 || used + width <= room {
            used += width;
            kept.push(at);
        }
    }
    kept.sort_unstable();
    kept.into_iter().filter_map(|at| said.get(at)).map(piece).collect()
}

/// Which of the alerts it is: `1/3`.
pub fn place(model: &Model) -> Clean {
    let alerts = model.alerts().len();
    clean!("{}/{alerts}", model.alert_position() + 1)
}

/// `OVERDUE 3:12`, the longest of all alerts, with how many there are.
pub fn overdue(model: &Model) -> Option<Clean> {
    let all: Vec<_> = model.alerts().into_iter().filter_map(|found| model.overdue(found)).collect();
    let longest = all.iter().max()?;
    Some(if all.len() > 1 {
        clean!("{} OVERDUE {}", all.len(), Span(*longest))
    } else {
        clean!("OVERDUE {}", Span(*longest))
    })
}

/// `2 faults`.
pub fn faults(model: &Model) -> Clean {
    match model.session.faults.len() {
        1 => Clean::text("1 fault"),
        count => clean!("{count} faults"),
    }
}

fn calm(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let (text, intent) = calm_text(model);
    let mut room = area.width;
    if !model.session.faults.is_empty() {
        let key = key(model, Context::Triage, Command::Open);
        let pieces = [paint.piece(clean!("{key} {} in our files", faults(model)), Intent::Warning)];
        room = area.width.saturating_sub(paint.width(&pieces) + 2);
        paint.right(area.right() - 1, area.x, area.y, &pieces);
    }
    paint.put((area.x, area.y), room, text, intent);
}

/// Green is only what is known whole: no fault in our files, every value with a band known and OK, every rule judged.
fn calm_text(model: &Model) -> Said {
    let now = model.now.mono;
    if let Some(found) = model.book.findings().iter().find(|found| found.state == FindingState::Pending) {
        let name = answer::name(model, found.id.rule);
        return (clean!(" no alert yet: {name} {}", alert::state(model, found)), Intent::of(found.severity.level()));
    }
    // What a host does not offer is no unknown: it has no level at all. Nor has a pane that has no place yet.
    let judged = |metric: &&Metric| metric.bands.is_some() && metric.shown.reading != Reading::NotSupported;
    let metrics = || model.board.panes.iter().filter(|pane| pane.stands()).flat_map(Pane::metrics).filter(judged);
    let worst = metrics().map(|metric| metric.shown.level_now(now)).filter(|level| *level > Level::Unknown).max();
    if let Some(level) = worst {
        return (clean!(" no alert yet: a value is at {}", level.word()), Intent::of(level));
    }
    if let Some(fault) = model.session.faults.first() {
        return (clean!(" {fault}"), Intent::Warning);
    }
    let unknown = metrics().filter(|metric| metric.shown.level_now(now) == Level::Unknown).count();
    let rules = rules(model);
    let lacking = lacking(model, (unknown, metrics().count()));
    match (lacking.is_empty(), metrics().count(), rules) {
        (false, ..) => (clean!(" no alert, but {}", lacking.join(", ")), Intent::Unknown),
        (true, 0, 0) => (Clean::text(" no alert: there is no rule, and no value has a band"), Intent::Muted),
        (true, _, 0) => (Clean::text(" no alert: every value with a band is OK"), Intent::Ok),
        (true, 0, _) => (Clean::text(" no alert: every rule is OK"), Intent::Ok),
        (true, ..) => (Clean::text(" no alert: every rule and every value with a band is OK"), Intent::Ok),
    }
}

/// Alerting rules of files; those of the panes' bands are told by their values.
fn of_files(model: &Model) -> impl Iterator<Item = &RuleHealth> {
    model
        .book
        .rules()
        .filter_map(|(_, rule, health)| rule.alerting().filter(|it| matches!(it.judge, Judge::Rows)).map(|_| health))
}

fn rules(model: &Model) -> usize {
    of_files(model).count()
}

/// What is not known to be OK, each as a part of a sentence.
fn lacking(model: &Model, (unknown, bands): (usize, usize)) -> Vec<String> {
    let count = |is: fn(&RuleHealth) -> bool| of_files(model).filter(|health| is(health)).count();
    let broken = model.book.broken().count();
    let parts = [
        (broken, "rules cannot be read"),
        (count(|health| matches!(health, RuleHealth::Error(_))), "rules in error"),
        (count(|health| matches!(health, RuleHealth::Warming { .. })), "rules warming"),
        (count(|health| matches!(health, RuleHealth::NotYet | RuleHealth::NoData { .. })), "rules without data"),
        (count(|health| matches!(health, RuleHealth::Instead { .. })), "rules by another source"),
        (count(|health| matches!(health, RuleHealth::NotEvaluable(_))), "rules not evaluable here"),
    ];
    let mut said: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| {
            format!("{count} {}", if *count == 1 { what.replacen("rules", "rule", 1) } else { (*what).to_owned() })
        })
        .collect();
    let failing: Vec<_> = model.store.samplers().filter(|(_, health)| health.failure.is_some()).collect();
    match failing.as_slice() {
        [] => {}
        [(name, _)] => said.push(format!("{name} fails")),
        more => said.push(format!("{} of {} sources fail", more.len(), model.store.samplers().count())),
    }
    if unknown > 0 {
        said.push(format!("{unknown} of {bands} values with a band are UNKNOWN"));
    }
    said
}

const fn word_intent(found: &Finding) -> Intent {
    match found.level {
        _ if found.silenced_until.is_some() => Intent::AlertQuiet,
        Level::Critical => Intent::AlertCritical,
        _ => Intent::AlertWarning,
    }
}
