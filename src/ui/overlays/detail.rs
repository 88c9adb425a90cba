//! Everything about one alert or one rule: where it stands, its course with the threshold, what it asks, its past.

use super::alerts::{health_word, quiet, webhook};
use super::sheet::{more, sheet};
use crate::app::alerts::finding;
use crate::app::detail::{Detail, labels};
use crate::app::{Model, answer};
use crate::base::time::Span;
use crate::base::{Clean, Contact, Unit};
use crate::clean;
use crate::command::{Command, Context};
use crate::config::Intent;
use crate::rules::finding::{AlertId, RuleHealth};
use crate::rules::rule::{Alerting, Judge, Rule};
use crate::rules::{Finding, Transition};
use crate::ui::alert::{self, Said};
use crate::ui::chart;
use crate::ui::paint::{Painter, Piece};
use crate::ui::screen::key;
use crate::ui::value::wrap;
use ratatui::layout::Rect;

/// Columns of the labels on the left.
const LABEL: u16 = 12;
/// Lines of the chart.
const CHART: u16 = 4;
/// Below this many lines the text needs all of them.
const ROOMY: u16 = 14;
/// Of the history the newest are shown.
const HISTORY: usize = 12;
/// Of those who may be called instead the first are shown.
const OTHERS: usize = 3;
/// Of what changed the first are shown.
const CHANGES: usize = 2;

type Line = (&'static str, Clean, Intent);

/// Draws the sheet.
pub fn draw(paint: &mut Painter<'_>, body: Rect, model: &Model, detail: &Detail) {
    let Some(rule) = model.book.rule(detail.rule) else { return };
    let found = detail.alert.as_ref().and_then(|id| finding(&model.book, id));
    let width = body.width.min(100).saturating_sub(4 + LABEL);
    let mut lines = Vec::new();
    for (label, text, intent) in all(model, detail, rule, found) {
        for (at, text) in wrap(&text, width, usize::MAX).into_iter().enumerate() {
            lines.push((if at == 0 { label } else { "" }, text, intent));
        }
    }
    let pictured = body.height >= ROOMY && !detail.course.is_empty();
    let width_of_head = body.width.min(100).saturating_sub(4);
    let head = head(paint, width_of_head, model, detail, found);
    let headed = u16::try_from(head.len()).unwrap_or(1);
    let above = headed + 1 + if pictured { CHART } else { 0 };
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(above);
    let inner =
        sheet(paint, body, height, &clean!(" {} ", rule.name), &clean!(" {} ", place(model, detail.rule, rule)));
    for (y, pieces) in (inner.top()..inner.bottom()).zip(&head) {
        paint.line((inner.x, y), inner.width, pieces);
    }
    if pictured {
        let area = Rect { y: inner.y + headed, height: CHART, ..inner };
        let unit = alert::unit(model, detail.rule);
        match detail.limit {
            Some(limit) => {
                chart::draw_with_limit(paint, area, &detail.course, unit, (limit, Intent::Warning), Intent::Chart);
            }
            None => chart::chart(paint, area, &detail.course, unit, None, Intent::Chart),
        }
        chart::marks(paint, area, detail.effects.iter().copied());
    }
    let top = inner.y + above;
    let room = inner.bottom().saturating_sub(top);
    let first = detail.scroll.clamp(lines.len(), room);
    for (y, (label, text, intent)) in (top..inner.bottom()).zip(lines.iter().skip(first)) {
        paint.put((inner.x, y), LABEL, *label, Intent::Muted);
        paint.put((inner.x + LABEL, y), width, text, *intent);
    }
    more(paint, inner, lines.len().saturating_sub(first + usize::from(room)));
}

/// The group, and where the rule was written.
fn place(model: &Model, at: usize, rule: &Rule) -> Clean {
    match &rule.place {
        Some(place) => clean!("{place}"),
        None => Some(model.book.file_of(at))
            .filter(|file| !file.as_str().is_empty())
            .unwrap_or("a band of the profile".into()),
    }
}

/// Level, state, clocks, marks: as on the strip, on as many lines as they need whole.
fn head<'a>(
    paint: &Painter<'_>,
    width: u16,
    model: &Model,
    detail: &Detail,
    found: Option<&Finding>,
) -> Vec<Vec<Piece<'a>>> {
    let mut said: Vec<Said> = Vec::new();
    match found {
        Some(found) => {
            said.push((Clean::text(alert::word(model, found)), Intent::of(found.level)));
            said.push((alert::value(model, found), Intent::Value));
            said.extend(alert::limit(model, found).map(|limit| (limit, Intent::Muted)));
            said.push((alert::state(model, found), Intent::Text));
            said.extend(alert::silence_of_data(found));
            said.extend(alert::clocks(model, found, true));
            said.extend(alert::marks(model, found));
        }
        None => {
            let health = model.book.rules().find(|(at, ..)| *at == detail.rule).map(|(.., health)| health);
            let (word, intent) = health.map_or(("", Intent::Text), health_word);
            said.push((Clean::text(word), intent));
            // What keeps a rule from judging is a sentence below.
            let text = health.filter(|health| **health == RuleHealth::Ok).map(|_| quiet(model, detail.rule));
            said.extend(text.map(|text| (text, Intent::Text)));
        }
    }
    if model.is_simulated(detail.rule) {
        said.insert(1, (Clean::text("SIMULATED"), Intent::Simulated));
    }
    let mut lines = vec![Vec::new()];
    for (text, intent) in said {
        let piece = paint.piece(text, intent);
        let next = paint.width(core::slice::from_ref(&piece));
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push(piece),
            Some(line) if paint.width(line) + 2 + next <= width => {
                line.extend([paint.piece("  ", Intent::Text), piece]);
            }
            _ => lines.push(vec![piece]),
        }
    }
    lines
}

fn all(model: &Model, detail: &Detail, rule: &Rule, found: Option<&Finding>) -> Vec<Line> {
    let mut lines: Vec<Line> = vec![("expression", rule.expr.text().clone(), Intent::Text)];
    let unit = alert::unit(model, detail.rule);
    for (at, (key, value)) in detail.values.iter().enumerate() {
        // One row has the labels of the alert, which stand below.
        let key = if detail.alert.is_some() && detail.values.len() == 1 { "" } else { key.as_str() };
        let text = clean!("{}  {key}", unit.show(*value));
        lines.push((if at == 0 { "now" } else { "" }, text, Intent::Value));
    }
    if let Some(coverage) = detail.coverage {
        let text = clean!("only {} of {} recorded", length(coverage.have), length(coverage.want));
        lines.push(("window", text, Intent::Warning));
    }
    // A rule that records does not fire; why it cannot is said all the same.
    let ill = model.book.health(detail.rule).is_some_and(|health| *health != RuleHealth::Ok);
    if found.map_or(ill || !rule.kind.records(), |found| !found.state.is_up()) {
        lines.push(("why not", detail.why_not.clone(), Intent::Text));
    }
    let alerting = rule.alerting();
    lines.extend(alerting.map(|alerting| ("judged", judged(model, detail.rule, alerting), Intent::Text)));
    if let Some(id) = &detail.alert {
        if !id.key.labels.is_empty() {
            lines.push(("labels", labels(&id.key), Intent::Text));
        }
        lines.extend(annotations(model, id));
        lines.extend(detail.line.clone().map(|line| ("line", line, Intent::Value)));
    }
    lines.extend(alerting.and_then(|alerting| offer(model, &answer::name(model, detail.rule), alerting)));
    if let Some(found) = found {
        lines.extend(people(model, found));
        lines.extend(family(model, found));
        lines.extend(changed(model, found));
        lines.extend(history(model, found));
        lines.extend(others(model, found));
    }
    lines.extend(webhook(model).map(|(text, intent)| ("told", text, intent)));
    lines
}

/// How it is judged: bands, or for how long; how often.
fn judged(model: &Model, at: usize, alerting: &Alerting) -> Clean {
    let mut said = Vec::new();
    if let Judge::Bands(_) = alerting.judge {
        said.push("by bands, each tick".to_owned());
    } else {
        let every = model.book.group_of(at).map(|group| group.interval);
        said.extend(every.map(|every| format!("every {}", length(every))));
    }
    said.push(if alerting.hold.is_zero() { "at once".to_owned() } else { format!("for {}", length(alerting.hold)) });
    if !alerting.keep.is_zero() {
        said.push(format!("keeps firing for {}", length(alerting.keep)));
    }
    said.extend(alerting.unit.filter(|unit| *unit != Unit::Count).map(|unit| format!("in {unit}")));
    Clean::text(said.join(", "))
}

fn annotations(model: &Model, id: &AlertId) -> Vec<Line> {
    const KNOWN: [(&str, &str); 4] = [
        ("summary", "summary"),
        ("description", "description"),
        ("runbook_url", "runbook"),
        ("procedure", "procedure"),
    ];
    let all = model.book.annotations(id);
    let is = |name: &Clean| KNOWN.iter().position(|(known, _)| *known == name.as_str());
    let mut lines: Vec<Line> = Vec::new();
    // A procedure that is there is offered below.
    let offered = model.book.rule(id.rule).and_then(Rule::page).and_then(|page| model.procedures.document(page));
    for (at, (_, label)) in KNOWN.iter().enumerate() {
        let texts = all.iter().filter(|(name, _)| is(name) == Some(at) && (*label != "procedure" || offered.is_none()));
        lines.extend(texts.map(|(_, text)| (*label, text.clone(), Intent::Text)));
    }
    // A remedy that names an action is told by it.
    let remedy = model.book.rule(id.rule).and_then(Rule::remedy);
    let told = |name: &Clean| name.as_str() == "remedy" && model.action_title(remedy.map(|it| &**it)).is_some();
    let others = all.iter().filter(|(name, _)| is(name).is_none() && !told(name));
    lines.extend(others.map(|(name, text)| ("", clean!("{name}: {text}"), Intent::Text)));
    lines
}

/// The procedure that answers it, else the action that mends it.
fn offer(model: &Model, name: &Clean, alerting: &Alerting) -> Option<Line> {
    let key = key(model, Context::Overlay, Command::Open);
    if let Some(procedure) = model.procedures.for_alert(name) {
        return Some(("procedure", clean!("{}; {key} opens it", procedure.title), Intent::Accent));
    }
    let title = model.action_title(alerting.remedy.as_deref())?;
    Some(("mended by", clean!("{title}; {key} plans it"), Intent::Accent))
}

/// What the matrix asks, who has it, whom it went to, who is next.
fn people(model: &Model, found: &Finding) -> Vec<Line> {
    let policy = model.book.policy();
    let terms = policy.terms(found.severity);
    let mut lines = Vec::new();
    if terms.respond < core::time::Duration::MAX {
        let escalate = match terms.escalate {
            core::time::Duration::ZERO => "at once".to_owned(),
            core::time::Duration::MAX => "never".to_owned(),
            after => format!("after {}", length(after)),
        };
        let text = clean!("{}: answer within {}, escalate {escalate}", found.severity.word(), length(terms.respond));
        lines.push(("asks for", text, Intent::Text));
    }
    if let Some(ack) = &found.ack {
        let note = if ack.note.as_str().is_empty() { String::new() } else { format!(": {}", ack.note) };
        lines.push(("taken", clean!("by {} at {}{note}", ack.by, model.clock_zone(ack.at)), Intent::Ok));
    }
    let muting = model.book.silenced_by(&found.id);
    for silence in model.book.silences().filter(|silence| muting.contains(&silence.id)) {
        let left = silence.left(model.now).unwrap_or_default();
        let text = clean!("{} left, by {}: {} ({})", Span(left), silence.by, silence.reason, silence.matchers.text());
        lines.push(("muted", text, Intent::Note));
    }
    lines.extend(model.book.escalations(&found.id).iter().map(|told| ("escalated", told.sentence(), Intent::Note)));
    lines.extend(next(model, found).map(|contact| ("next", call(contact), Intent::Text)));
    if found.flaps > 1 {
        lines.push(("flaps", clean!("fired {} times in the last hour", found.flaps), Intent::Warning));
    }
    lines
}

fn next<'a>(model: &'a Model, found: &Finding) -> Option<&'a Contact> {
    model.book.policy().clock(found, model.book.escalations(&found.id), model.now).next
}

/// Who can be called beside the one who is next.
fn others(model: &Model, found: &Finding) -> Vec<Line> {
    let next = next(model, found);
    let contacts = model.book.policy().contacts().iter();
    let others = contacts.filter(|contact| next != Some(contact) && contact.phone.is_some()).take(OTHERS).enumerate();
    others.map(|(at, contact)| (if at == 0 { "or call" } else { "" }, call(contact), Intent::Text)).collect()
}

fn call(contact: &Contact) -> Clean {
    let way = contact.ways().next().map_or_else(String::new, |way| format!("  {way}"));
    clean!("{}, {}{way}", contact.label(), contact.role)
}

/// Its cause, or its consequences.
fn family(model: &Model, found: &Finding) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(cause) = &found.cause {
        lines.push(("follows", clean!("from {}", answer::name(model, cause.rule)), Intent::Text));
    }
    for (at, one) in model.book.consequences(&found.id).iter().enumerate() {
        let text = clean!("{} {}", answer::name(model, one.id.rule), alert::state(model, one));
        lines.push((if at == 0 { "explains" } else { "" }, text, Intent::Text));
    }
    lines
}

fn changed(model: &Model, found: &Finding) -> Vec<Line> {
    let changes = model.changes.of(&found.id);
    let first = changes.iter().take(CHANGES).enumerate();
    let mut lines: Vec<Line> =
        first.map(|(at, change)| (if at == 0 { "changed" } else { "" }, change.text.clone(), Intent::Text)).collect();
    if changes.len() > CHANGES {
        let key = key(model, Context::Overlay, Command::WhatChanged);
        lines.push(("", clean!("{key} shows {} more", changes.len() - CHANGES), Intent::Muted));
    }
    lines
}

/// How it came here, the newest first.
fn history(model: &Model, found: &Finding) -> Vec<Line> {
    let unit = alert::unit(model, found.id.rule);
    let line = |(at, moved): (usize, &Transition)| {
        let (from, to) = (moved.from.0, moved.to.0);
        let level = moved.to.1.word();
        let text = clean!(
            "{}  {:>8} → {:<8}  {:>9}  {level}",
            model.clock(moved.at.wall),
            from.word().to_lowercase(),
            to.word().to_lowercase(),
            unit.show(moved.value)
        );
        (if at == 0 { "history" } else { "" }, text, Intent::Text)
    };
    model.book.history(&found.id).iter().rev().take(HISTORY).enumerate().map(line).collect()
}

/// `10 s`, `5 m`, `1 h 30 m`: as rule files think of it.
fn length(of: core::time::Duration) -> String {
    let s = of.as_secs();
    match s {
        0 if !of.is_zero() => format!("{} ms", of.as_millis()),
        0..60 => format!("{s} s"),
        60..3_600 if s.is_multiple_of(60) => format!("{} m", s / 60),
        60..3_600 => format!("{} m {} s", s / 60, s % 60),
        _ if (s % 3_600) < 60 => format!("{} h", s / 3_600),
        _ => format!("{} h {} m", s / 3_600, s % 3_600 / 60),
    }
}
