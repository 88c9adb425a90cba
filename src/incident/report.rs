//! The report of an incident, or of a span of time, as Markdown: from the journal's records alone, but for the courses
//! of values. What is empty is absent; foreign text stays text.

use super::card::{OpenItem, moment};
use super::deeds::{Deed, Mute, deeds, mutes, open_items};
use super::markdown::{code, text};
use super::plain::ascii;
use super::spark;
use super::timeline::{Row, between, rows};
use super::told::{FollowUp, Incident, Told, follow_ups};
use crate::base::time::Span;
use crate::base::{Clean, Severity, Unit, Wall};
use crate::clean;
use crate::journal::{Event, Line};
use core::time::Duration;
use serde_json::Value;
use std::collections::BTreeMap;

/// The course of one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What it is.
    pub title: Clean,
    /// For display.
    pub unit: Unit,
    /// The mean of each minute, oldest first.
    pub minutes: Vec<Option<f64>>,
}

/// What a report is made of.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The records of this host and profile, oldest first; those outside the span do not count.
    pub lines: Vec<Line>,
    /// Of this incident; without one, of the span alone.
    pub incident: Option<Incident>,
    /// The span.
    pub from: Wall,
    /// The end of the span.
    pub to: Wall,
    /// Host, as far as it is known.
    pub host: Clean,
    /// Profile, as far as it is known.
    pub profile: Clean,
    /// The courses of values around it.
    pub charts: Vec<Chart>,
    /// When it is made.
    pub now: Wall,
    /// Plain ASCII only.
    pub ascii: bool,
}

/// An alert whose end nobody recorded is told no longer.
const BEFORE: Duration = Duration::from_hours(24);

/// Excerpts of logs at most.
const EXCERPTS: usize = 16;

/// What the records say of one alert.
struct Alert {
    name: Clean,
    at: Wall,
    /// It was seen to begin.
    fired: bool,
    /// The worst that it was; what says nothing is of a time when only critical alerts were recorded.
    severity: Severity,
    /// So often it came and went without a record.
    flaps: u64,
    value: Clean,
    over: Option<Wall>,
    said: Vec<Clean>,
}

/// The report, ready to be written.
pub fn report(of: &Report) -> String {
    let lines = between(&of.lines, of.from, of.to);
    // What had begun before and was not over belongs to it too.
    let begun = between(&of.lines, of.from.back(BEFORE), of.to);
    let alerts = alerts(&begun, of.from);
    let mutes = mutes(&begun);
    let muted = mutes.iter().filter(|mute| mute.ended.unwrap_or(mute.until) >= of.from);
    let mut out = head(of, &lines, &alerts);
    let mut section = |title: &str, mut rows: Vec<String>| {
        if !rows.is_empty() {
            out.extend([String::new(), format!("## {title}"), String::new()]);
            out.append(&mut rows);
        }
    };
    section("Timeline (UTC)", timeline(&rows(&lines)));
    section("Alerts", alerts.iter().map(alert).collect());
    section("Actions", deeds(&lines).iter().flat_map(deed).collect());
    section("Deferred or failed", open_items(&lines).iter().map(open).collect());
    section("Answers", lines.iter().flat_map(answer).collect());
    section("Silences", muted.map(mute).collect());
    section("Follow-ups", follow_ups(&lines).iter().map(follow_up).collect());
    section("Log", logged(&lines));
    section("Values by the minute", charts(&of.charts, of.ascii));
    let done: Vec<String> = if of.ascii { out.iter().map(|line| ascii(line)).collect() } else { out };
    done.join("\n") + "\n"
}

fn head(of: &Report, lines: &[Line], alerts: &[Alert]) -> Vec<String> {
    let place: Vec<String> =
        [&of.host, &of.profile].into_iter().filter(|it| !it.as_str().is_empty()).map(|it| text(it.as_str())).collect();
    let place = (!place.is_empty()).then(|| format!("- Where: {}", place.join(", ")));
    let mut out = match &of.incident {
        Some(it) => vec![
            format!("# Incident: {}", text(it.title.as_str())),
            String::new(),
            format!("- Severity: {}", it.severity.word()),
            format!("- Owner: {}", text(it.owner.as_str())),
        ],
        None => vec!["# What happened".to_owned(), String::new()],
    };
    out.extend(place);
    out.push(format!("- From: {} UTC", moment(of.from)));
    let open = of.incident.as_ref().is_some_and(|it| it.closed.is_none());
    let end = if open { "Still open at" } else { "To" };
    out.push(format!("- {end}: {} UTC, after {}", moment(of.to), Span(of.to.since(of.from))));
    out.extend(counts(lines, alerts));
    if let Some(it) = of.incident.as_ref().filter(|it| !it.summary.as_str().is_empty()) {
        out.push(format!("- Summary: {}", text(it.summary.as_str())));
        out.push(format!("- Incident: {}", it.id));
    } else if let Some(it) = &of.incident {
        out.push(format!("- Incident: {}", it.id));
    }
    out
}

/// `- 2 alerts fired, 1 action: 1 VERIFIED`.
fn counts(lines: &[Line], alerts: &[Alert]) -> Option<String> {
    let fired = |critical: bool| {
        let is = |alert: &&Alert| alert.fired && (alert.severity == Severity::Critical) == critical;
        alerts.iter().filter(is).count()
    };
    let (fired, less) = (fired(true), fired(false));
    let done = deeds(lines);
    let mut outcomes: Vec<(&str, usize)> = Vec::new();
    for deed in &done {
        match outcomes.iter_mut().find(|(known, _)| *known == deed.outcome()) {
            Some((_, count)) => *count += 1,
            None => outcomes.push((deed.outcome(), 1)),
        }
    }
    let outcomes: Vec<String> = outcomes.iter().map(|(word, count)| format!("{count} {}", text(word))).collect();
    let parts = [
        (fired > 0).then(|| several(fired, "critical alert")),
        (less > 0).then(|| several(less, "less serious alert")),
        (!done.is_empty()).then(|| format!("{} ({})", several(done.len(), "action"), outcomes.join(", "))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("- Had: {}", parts.join(", ")))
}

fn several(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn timeline(rows: &[Row]) -> Vec<String> {
    let mut out = Vec::new();
    if !rows.is_empty() {
        out.extend(["| Time | Who | | What |".to_owned(), "|---|---|---|---|".to_owned()]);
    }
    let row = |row: &Row| {
        let (who, what) = (text(row.who.as_str()), text(row.text.as_str()));
        format!("| {} | {who} | {} | {what} |", moment(row.at), row.kind.word())
    };
    out.extend(rows.iter().map(row));
    out
}

/// The alerts that were up at or after this moment.
fn alerts(lines: &[Line], from: Wall) -> Vec<Alert> {
    let mut all: Vec<Alert> = Vec::new();
    for line in lines.iter().filter(|line| line.ev.as_str().starts_with("alert.")) {
        let Some(name) = line.of_target("alert") else { continue };
        let is = |of: Event| line.ev.as_str() == of.name();
        // One that fires anew after it was over is told anew.
        let known = all.iter().rposition(|alert| alert.name == name && alert.over.is_none());
        let at = match known.filter(|_| !is(Event::AlertFiring)) {
            Some(at) => at,
            None => {
                let value = Clean::default();
                let severity = severity(line).unwrap_or(Severity::Critical);
                let said = Vec::new();
                all.push(Alert { name, at: line.at, fired: false, severity, flaps: 0, value, over: None, said });
                all.len() - 1
            }
        };
        let Some(alert) = all.get_mut(at) else { continue };
        alert.severity = alert.severity.max(severity(line).unwrap_or_default());
        alert.flaps += line.res.get("flaps").and_then(Value::as_u64).unwrap_or_default();
        if is(Event::AlertFiring) {
            (alert.fired, alert.value) = (true, line.of_res("value").unwrap_or_default());
        } else if is(Event::AlertWorse) {
            alert.value = line.of_res("value").unwrap_or_default();
        } else if is(Event::AlertResolved) {
            alert.over = Some(line.at);
        } else if is(Event::AlertAck) {
            alert.said.push(clean!("taken by {} at {}", line.who.login, line.at.hms()));
        } else if is(Event::AlertEscalate) {
            let to = line.of_res("to").unwrap_or_default();
            alert.said.push(clean!("{to} told by {} at {}", line.who.login, line.at.hms()));
        }
    }
    all.retain(|alert| alert.over.is_none_or(|over| over >= from));
    all
}

fn severity(line: &Line) -> Option<Severity> {
    let word = line.of_target("severity")?;
    Severity::ALL.into_iter().find(|known| known.name() == word.as_str())
}

fn alert(it: &Alert) -> String {
    let value = if it.value.as_str().is_empty() { String::new() } else { format!(" at {}", text(it.value.as_str())) };
    let over = it.over.map_or_else(
        || "not over".to_owned(),
        |over| format!("over at {} after {}", over.hms(), Span(over.since(it.at))),
    );
    let said: String = it.said.iter().map(|said| format!(", {}", text(said.as_str()))).collect();
    let flaps = if it.flaps > 0 { format!(", came and went {} times more", it.flaps) } else { String::new() };
    let (name, word) = (text(it.name.as_str()), it.severity.word());
    format!("- {name} ({word}): from {}{value}, {over}{flaps}{said}", it.at.hms())
}

fn deed(it: &Deed) -> Vec<String> {
    let mut out = vec![format!(
        "- **{}**: {}, accepted by {} at {} (plan {})",
        text(it.action.as_str()),
        text(it.outcome()),
        text(it.who.as_str()),
        it.at.hms(),
        it.plan
    )];
    let lines = it.lines.iter().filter(|line| !line.as_str().trim().is_empty());
    out.extend(lines.map(|line| format!("  - {}", code(line.as_str().trim()))));
    if let Some(end) = &it.end {
        out.push(format!("  - {} {}", end.at.hms(), text(end.reason.as_str())));
        for row in &end.comparisons {
            let shown = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), |value| row.unit.show(value));
            let met = match row.met {
                Some(true) => "as expected",
                Some(false) => "NOT as expected",
                None => "not decided",
            };
            out.push(format!("  - {}: {} → {}, {met}", text(row.label.as_str()), shown(row.before), shown(row.after)));
        }
    }
    out
}

fn open(it: &OpenItem) -> String {
    let why = if it.why.as_str().is_empty() { String::new() } else { format!(": {}", text(it.why.as_str())) };
    format!("- {}, {}{why}", text(it.item.as_str()), text(it.state.as_str()))
}

/// What was pasted or worked out in a procedure. Indented as code: nothing in it can end that.
fn answer(line: &Line) -> Vec<String> {
    let rows = line.res.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return Vec::new();
    }
    let said = |key: &str| text(line.of_res(key).unwrap_or_default().as_str());
    let mut out = vec![format!("{}, {}, by {}: {}", line.at.hms(), said("item"), said("who"), said("value"))];
    out.push(String::new());
    out.extend(rows.iter().map(|row| format!("    {}", Clean::text(row.as_str().unwrap_or_default()))));
    out.push(String::new());
    out
}

/// What logs said meanwhile. What was told of a source before is not told again; beyond [`EXCERPTS`] the newest count.
fn logged(lines: &[Line]) -> Vec<String> {
    let mut told: BTreeMap<Clean, Vec<Clean>> = BTreeMap::new();
    let mut all: Vec<Vec<String>> = Vec::new();
    for line in lines {
        let Some(Told::Logged { source, lines: rows, .. }) = Told::of(line) else { continue };
        let before = told.insert(source.clone(), rows.clone()).unwrap_or_default();
        let known = (0..=rows.len().min(before.len())).rev();
        let again = known.into_iter().find(|count| before.ends_with(rows.get(..*count).unwrap_or_default()));
        let fresh = rows.get(again.unwrap_or(0)..).unwrap_or_default();
        if fresh.is_empty() {
            continue;
        }
        let mut part = vec![format!("{}, as of {}:", text(source.as_str()), line.at.hms()), String::new()];
        part.extend(fresh.iter().map(|row| format!("    {row}")));
        part.push(String::new());
        all.push(part);
    }
    all.drain(..all.len().saturating_sub(EXCERPTS));
    all.concat()
}

fn mute(it: &Mute) -> String {
    let ended = it.ended.map(|at| format!(", ended at {}", at.hms())).unwrap_or_default();
    let (which, by, why) = (code(it.matchers.as_str()), text(it.by.as_str()), text(it.reason.as_str()));
    format!("- {which} from {} until {} UTC by {by}{ended}: {why}", it.at.hms(), moment(it.until))
}

fn follow_up(it: &FollowUp) -> String {
    format!(
        "- [ ] {}: {} ({} by {})",
        text(it.owner.as_str()),
        text(it.text.as_str()),
        it.at.hms(),
        text(it.by.as_str())
    )
}

/// In a block of code, where nothing means anything: a fence alone could end it.
fn charts(charts: &[Chart], ascii: bool) -> Vec<String> {
    let line = |chart: &Chart| {
        let (least, middle, most) = spark::figures(&chart.minutes)?;
        let title: String = chart.title.as_str().replace('`', "'").chars().take(28).collect();
        let show = |value: f64| chart.unit.show(value);
        let drawn = spark::line(&chart.minutes, ascii);
        Some(format!("{title:28} {drawn}  min {} median {} max {}", show(least), show(middle), show(most)))
    };
    let lines: Vec<String> = charts.iter().filter_map(line).collect();
    if lines.is_empty() {
        return lines;
    }
    core::iter::once("```text".to_owned()).chain(lines).chain(["```".to_owned()]).collect()
}
