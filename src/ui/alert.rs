//! How an alert is said, the same on strip, list and detail: its word, its state with time, its clocks, its marks.

use super::value;
use crate::app::Model;
use crate::app::alerts::{Standing, alike};
use crate::app::metric::telling_labels;
use crate::base::time::{Age, Span};
use crate::base::{Clean, Level, SeriesKey, Unit};
use crate::clean;
use crate::config::Intent;
use crate::rules::escalation::Due;
use crate::rules::rule::Rule;
use crate::rules::threshold::threshold;
use crate::store::Selector;

use crate::rules::finding::AlertId;
use crate::rules::{Finding, FindingState};

/// Labels that tell one alert of a rule from the others at most.
const LABELS: usize = 2;

/// A text with what it looks like.
pub type Said = (Clean, Intent);

/// The level of a band, the severity of a rule; UNKNOWN of an alert that nothing is known of.
pub fn word(model: &Model, found: &Finding) -> &'static str {
    let banded = model.book.rule(found.id.rule).and_then(Rule::bands).is_some();
    match found.level {
        level @ Level::Unknown => level.word(),
        level if banded => level.word(),
        _ => found.severity.word(),
    }
}

/// The value of an alert for its line: in a word, with its unit, or called a value.
pub fn value(model: &Model, found: &Finding) -> Clean {
    model.book.rule(found.id.rule).map(|rule| rule.says_in_line(found.value)).unwrap_or_default()
}

/// The unit of an alert's value.
pub fn unit(model: &Model, rule: usize) -> Unit {
    model.book.rule(rule).map_or(Unit::Count, Rule::unit)
}

/// `firing 2:41`, `pending 1:12/2:00`, `clearing 0:10`, `no data for 6m`, `resolved 3:12 ago`.
pub fn state(model: &Model, found: &Finding) -> Clean {
    let since = value::since(model.now, found.since);
    match (found.state, model.book.progress(&found.id)) {
        (FindingState::Pending, Some((held, hold))) => clean!("pending {}/{}", Span(held), Span(hold)),
        (FindingState::NoData, _) => match found.no_data_for {
            Some(gone) => clean!("no data {}", Span(gone)),
            None => clean!("no data {since}"),
        },
        (FindingState::Resolved, _) => clean!("resolved {since} ago"),
        (state, _) => clean!("{} {since}", state.word().to_lowercase()),
    }
}

/// `no data for 40s`, while the alert keeps its state without it.
pub fn silence_of_data(found: &Finding) -> Option<Said> {
    let gone = found.no_data_for.filter(|_| found.state != FindingState::NoData)?;
    Some((clean!("no data for {}", Age(gone)), Intent::Stale))
}

/// The clocks of an alert: until it must be answered, then until it is handed on; `both` shows the second beside the first.
pub fn clocks(model: &Model, found: &Finding, both: bool) -> Vec<Said> {
    let policy = model.book.policy();
    let clock = policy.clock(found, model.book.escalations(&found.id), model.now);
    let mut said = Vec::new();
    match clock.answer {
        Due::In(left) => said.push((clean!("answer in {}", Span(left)), Intent::Text)),
        Due::Overdue(by) => said.push((clean!(" OVERDUE {} ", Span(by)), Intent::AlertCritical)),
        Due::Done => {}
    }
    let at_once = policy.terms(found.severity).escalate.is_zero();
    match clock.escalate {
        Due::In(left) if both || clock.answer == Due::Done => {
            said.push((clean!("escalate in {}", Span(left)), Intent::Text));
        }
        Due::Overdue(_) if at_once => said.push((clean!("escalate now"), Intent::Warning)),
        Due::Overdue(by) => said.push((clean!(" ESCALATION OVERDUE {} ", Span(by)), Intent::AlertCritical)),
        Due::In(_) | Due::Done => {}
    }
    said
}

/// Who has it, how long it is muted, whom it went to, how often it came back.
pub fn marks(model: &Model, found: &Finding) -> Vec<Said> {
    let mut said = Vec::new();
    if let Some(ack) = &found.ack {
        said.push((clean!("taken by {}", ack.by), Intent::Ok));
    }
    if let Some(until) = found.silenced_until {
        said.push((clean!("muted {}", Span(model.until(until))), Intent::Note));
    }
    if let Some(told) = model.book.escalations(&found.id).last() {
        said.push((clean!("escalated to {}", told.to), Intent::Note));
    }
    if found.flaps > 1 {
        said.push((clean!("flaps {}/h", found.flaps), Intent::Warning));
    }
    said
}

/// `4 consequences`, of a cause that folds some.
pub fn consequences(model: &Model, id: &AlertId) -> Option<Clean> {
    match model.book.consequences(id).len() {
        0 => None,
        1 => Some(Clean::text("1 consequence")),
        count => Some(clean!("{count} consequences")),
    }
}

/// `5 instances`, when alerts of the same rule stand alike.
pub fn instances(model: &Model, found: &Finding) -> Option<Clean> {
    let count = alike(&model.book, found.id.rule, Standing::of(found)).len();
    (count > 1 && found.cause.is_none()).then(|| clean!("{count} instances"))
}

/// What tells this alert from others of its rule: the labels that differ among the series that the rule looks at, or
/// among its alerts. A lone one needs no name.
pub fn which(model: &Model, id: &AlertId) -> Option<Clean> {
    let rule = model.book.rule(id.rule)?;
    if let Some(selector) = rule.expr.plain_selector() {
        return telling_labels(&model.store, &model.store.select(selector), &id.key);
    }
    let others: Vec<&SeriesKey> =
        model.book.findings().iter().filter(|found| found.id.rule == id.rule).map(|found| &found.id.key).collect();
    let watched: Vec<Vec<&SeriesKey>> = rule.expr.selectors().iter().map(|selector| keys(model, selector)).collect();
    let is = |key: &SeriesKey, name: &Clean, value: &Clean| key.label(name.as_str()) == Some(value);
    let tells = |(name, value): &&(Clean, Clean)| {
        let differs = |key: &&SeriesKey| key.label(name.as_str()).is_some_and(|other| other != value);
        others.iter().any(|key| !is(key, name, value))
            || watched.iter().any(|keys| keys.iter().any(differs) && keys.iter().any(|key| is(key, name, value)))
    };
    let own = |name: &str| name == "severity" || rule.labels.iter().any(|(known, _)| known.as_str() == name);
    let telling = id.key.labels.iter().filter(|(name, _)| !own(name.as_str())).filter(tells);
    let mut telling: Vec<String> = telling.map(|(name, value)| format!("{name}={value}")).collect();
    // The short ones are those that people use.
    telling.sort_by_key(String::len);
    telling.truncate(LABELS);
    (!telling.is_empty()).then(|| Clean::text(telling.join(" ")))
}

fn keys<'a>(model: &'a Model, selector: &Selector) -> Vec<&'a SeriesKey> {
    model.store.select(selector).into_iter().map(|id| model.store.full_key(id)).collect()
}

/// `> 10 µs`: the limit that the value has reached.
pub fn limit(model: &Model, found: &Finding) -> Option<Clean> {
    let rule = model.book.rule(found.id.rule)?;
    match rule.bands() {
        Some(bands) => {
            let (sign, limit) = bands.reached(found.value, found.level)?;
            Some(clean!("{sign} {}", rule.unit().show(limit)))
        }
        None => {
            let found = threshold(&rule.expr)?;
            Some(clean!("{} {}", found.op.sign(), rule.unit().show(found.limit)))
        }
    }
}
