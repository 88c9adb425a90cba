//! What the runner did and how the metric answered: EXECUTED, then VERIFIED with before and after.

use super::sheet::sheet;
use crate::action::lifecycle::{Outcome, Progress, State};
use crate::action::mode::Mode;
use crate::action::verify::Comparison;
use crate::app::{Model, Run, contacts};
use crate::base::time::{Age, Span};
use crate::base::{Clean, Level, Mono, Unit};
use crate::clean;
use crate::command::Command;
use crate::config::Intent;
use crate::ui::paint::Painter;
use crate::ui::value::wrap;
use ratatui::layout::Rect;

/// Draws the whole run.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model) {
    let Some(run) = &model.run else { return };
    let width = body.width.saturating_sub(4).min(96);
    let rows: Vec<(Clean, Intent)> = rows(run, model)
        .iter()
        .flat_map(|(text, intent)| wrap(text, width, 3).into_iter().map(|line| (line, *intent)))
        .collect();
    let height = u16::try_from(rows.len()).unwrap_or(u16::MAX);
    let took = clean!(" {} ", Span(until(run, model.now.mono).since(run.since)));
    let inner = sheet(paint, body, height, &clean!(" {} ", run.plan.what.title), &took);
    let first = rows.len().saturating_sub(usize::from(inner.height));
    for (y, (text, intent)) in (inner.top()..inner.bottom()).zip(rows.into_iter().skip(first)) {
        paint.put((inner.x, y), inner.width, text, intent);
    }
}

/// Now, or when a run ended: its clock stands still. Where its runner could not tell, the last step counts.
fn until(run: &Run, now: Mono) -> Mono {
    let Some(progress) = run.progress.as_ref().filter(|progress| progress.end.is_some()) else { return now };
    let steps = progress.steps.iter().map(|step| step.at.mono);
    let last = || steps.chain(progress.effect.map(|at| at.mono)).max();
    progress.ended.map(|at| at.mono).or_else(last).map_or(now, |ended| ended.min(now))
}

/// A running or just ended action, told in the rule below the alert strip.
pub fn in_rule(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let Some(run) = &model.run else { return };
    let (word, intent) = headline(run);
    let waiting = run.progress.as_ref().and_then(|progress| progress.waiting.clone());
    let mut pieces =
        vec![paint.piece(clean!(" {} ", run.plan.what.title), Intent::Title), paint.piece(clean!("{word} "), intent)];
    if let Some(waiting) = waiting.filter(|_| !run.ended()) {
        pieces.push(paint.piece(clean!("{waiting} "), Intent::Muted));
    }
    if let Some(ended) = run.progress.as_ref().and_then(|progress| progress.ended) {
        pieces.push(paint.piece(clean!("{} ago ", Age(model.now.mono.since(ended.mono))), Intent::Muted));
    }
    paint.line((area.x + 2, area.y), area.width.saturating_sub(4), &pieces);
}

fn headline(run: &Run) -> (Clean, Intent) {
    let Some(progress) = &run.progress else { return (Clean::text("starting the runner"), Intent::Note) };
    match (&progress.end, progress.state) {
        (Some(end), _) if end.executed => (clean!("EXECUTED, {}", end.outcome), outcome(end.outcome)),
        (Some(end), _) => (clean!("{}", end.outcome), outcome(end.outcome)),
        (None, State::Verifying) => (Clean::text("EXECUTED, verifying"), Intent::Note),
        (None, State::Running) => (Clean::text("running"), Intent::Note),
        (None, _) => (Clean::text("checking"), Intent::Note),
    }
}

const fn outcome(outcome: Outcome) -> Intent {
    Intent::of(match outcome {
        Outcome::Succeeded => Level::Ok,
        Outcome::Failed | Outcome::Indeterminate => Level::Critical,
        Outcome::Unverified | Outcome::Refused => Level::Warning,
    })
}

fn rows(run: &Run, model: &Model) -> Vec<(Clean, Intent)> {
    let Some(progress) = &run.progress else {
        return vec![(clean!("Starting the runner, {} ago.", Span(model.now.mono.since(run.since))), Intent::Text)];
    };
    let mut rows: Vec<(Clean, Intent)> = progress
        .steps
        .iter()
        .map(|step| (clean!("{}  {}", model.clock(step.at.wall), step.what), Intent::Text))
        .collect();
    // What was said and is told as a step already stands there once.
    let known = |line: &&Clean| progress.steps.iter().any(|step| step.what == **line);
    rows.extend(run.output.iter().filter(|line| !known(line)).map(|line| (clean!("> {line}"), Intent::Muted)));
    rows.push((Clean::default(), Intent::Text));
    let (word, intent) = headline(run);
    rows.push((word, intent));
    rows.extend(progress.comparisons.iter().map(comparison));
    rows.extend(told(progress));
    if let Some(back) = crate::app::run::way_back(model) {
        let title = crate::app::run::title(model, &back);
        rows.push((clean!("Enter plans the way back: {title}"), Intent::Note));
    }
    rows.extend(left_failed(model));
    if run.asking && !run.ended() {
        let end = if matches!(model.session.mode, Mode::Armed { .. }) { "t terminate" } else { "t ARMED only" };
        rows.push((clean!("k keep it running, as any other key   d detach and leave   {end}"), Intent::Danger));
    }
    rows
}

/// What can be done at once where the unit is failed: the key that resets and starts it, and whom to call.
fn left_failed(model: &Model) -> Vec<(Clean, Intent)> {
    let Some(action) = crate::app::run::fresh_start(model) else { return Vec::new() };
    let key = |command| model.keymap.keys_for(model.context(), command).unwrap_or_default();
    let start = clean!("{} plans: {}", key(Command::ResetAndStart), crate::app::run::title(model, &action));
    let call = contacts::ordered(model).first().map(|contact| {
        let reached = contact.ways().next().map(|way| clean!("  {way}")).unwrap_or_default();
        clean!("{} whom to call: {}, {}{reached}", key(Command::Contacts), contact.label(), contact.role)
    });
    let call = call.unwrap_or_else(|| Clean::from("This profile names nobody to call."));
    vec![(start, Intent::Note), (call, Intent::Note)]
}

fn comparison(row: &Comparison) -> (Clean, Intent) {
    let said = |unit: Unit, value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| unit.show(value));
    let met = match row.met {
        Some(true) => "as expected",
        Some(false) => "NOT as expected",
        None => "not decided yet",
    };
    let text = clean!(
        "  {:<20} {:>10} → {:<10} median of {}, {met}",
        row.label.as_str(),
        said(row.unit, row.before),
        said(row.unit, row.after),
        row.fresh
    );
    (text, if row.met == Some(false) { Intent::Warning } else { Intent::Text })
}

fn told(progress: &Progress) -> Vec<(Clean, Intent)> {
    let mut rows = Vec::new();
    if let Some(waiting) = progress.waiting.as_ref().filter(|_| progress.end.is_none()) {
        rows.push((waiting.clone(), Intent::Muted));
    }
    if let Some(end) = &progress.end {
        rows.push((end.reason.clone(), Intent::Text));
    }
    if let Some(unrecorded) = &progress.unrecorded {
        rows.push((clean!("NOT IN THE JOURNAL: {unrecorded}"), Intent::Critical));
    }
    rows
}
