//! Plays one test and compares. A failure is a place and the lines that differ.

use super::format::{AlertCheck, ExprCheck, Fired, Test, TestFile, millis};
use super::series::{show, show_labels};
use super::world::World;
use crate::base::{Clean, Fault, Place, SeriesKey};
use crate::rules::expr::{Millis, Value};
use crate::rules::file::lengths;
use crate::rules::rule::{Group, RuleFile};

/// Evaluations of one test.
const MOST_STEPS: i64 = 200_000;

/// What did not hold.
#[derive(Debug)]
pub(super) struct Failure {
    /// The check's place, or the rule's.
    pub(super) place: Option<Place>,
    /// What it was about, as a sentence.
    pub(super) what: String,
    /// `-` was expected, `+` was found.
    pub(super) lines: Vec<String>,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let what = fault.hint.map_or_else(|| fault.what.to_string(), |hint| format!("{} {hint}", fault.what));
        Self { place: fault.at, what, lines: Vec::new() }
    }
}

/// Everything of one test that did not hold; empty when it passed.
pub(super) fn play(test: &Test, file: &TestFile, rules: &[RuleFile]) -> Vec<Failure> {
    let mut groups: Vec<&Group> = rules.iter().flat_map(|file| &file.groups).collect();
    let named = |group: &Group| file.order.iter().position(|name| name == group.name.as_str());
    groups.sort_by_key(|group| named(group).unwrap_or(usize::MAX));
    let mut world = World::new(test, &groups, file.every);
    let times = test.alerts.iter().map(|check| check.at).chain(test.exprs.iter().map(|check| check.at));
    let (end, every) = (times.max().map_or(0, millis), millis(file.every).max(1));
    if end / every > MOST_STEPS {
        let what = format!("more than {MOST_STEPS} evaluations; raise `evaluation_interval`, or test earlier times.");
        return vec![Failure { place: Some(test.place.clone()), what, lines: Vec::new() }];
    }
    let mut failures = Vec::new();
    let mut at: Millis = 0;
    while at <= end {
        if let Err(fault) = world.step(at) {
            let mut failure = Failure::from(fault);
            failure.what = format!("at {}: {}", when(at), failure.what);
            return vec![failure];
        }
        // A check between two evaluations sees the earlier one.
        let due = |check: &&AlertCheck| (at..at.saturating_add(every)).contains(&millis(check.at));
        failures.extend(test.alerts.iter().filter(due).filter_map(|check| alert(check, &world)));
        at = at.saturating_add(every);
    }
    failures.extend(test.exprs.iter().filter_map(|check| expression(check, &mut world)));
    failures
}

fn when(at: Millis) -> String {
    lengths::show(core::time::Duration::from_millis(at.unsigned_abs()))
}

fn alert(check: &AlertCheck, world: &World<'_>) -> Option<Failure> {
    let found = world.firing(&check.name);
    let mut expected = check.expected.clone();
    expected.sort();
    if found == expected {
        return None;
    }
    let what = match (expected.len(), found.len()) {
        (0, many) => format!("`{}` must not fire at {}, and {many} fire.", check.name, lengths::show(check.at)),
        (_, 0) => format!("`{}` must fire at {}, and does not.", check.name, lengths::show(check.at)),
        _ => format!("`{}` fires at {}, but not as expected:", check.name, lengths::show(check.at)),
    };
    let mut lines = Vec::new();
    let mut left: Vec<&Fired> = found.iter().filter(|alert| !expected.contains(alert)).collect();
    for missing in expected.iter().filter(|alert| !found.contains(alert)) {
        match left.iter().position(|alert| alert.labels == missing.labels) {
            Some(at) => lines.extend(annotations(missing, left.remove(at))),
            None => lines.extend(whole('-', missing)),
        }
    }
    lines.extend(left.into_iter().flat_map(|alert| whole('+', alert)));
    if lines.is_empty() {
        lines.push(format!("the same alert {} times instead of {}", found.len(), expected.len()));
    }
    Some(Failure { place: Some(check.place.clone()), what, lines })
}

fn whole(sign: char, alert: &Fired) -> Vec<String> {
    let mut lines = vec![format!("{sign} {}", show_labels("", &alert.labels))];
    lines.extend(alert.annotations.iter().map(|(name, text)| format!("{sign}     {name}: {text}")));
    lines
}

/// Equal labels: only the annotations that differ.
fn annotations(expected: &Fired, found: &Fired) -> Vec<String> {
    let mut lines = vec![format!("  {}", show_labels("", &expected.labels))];
    let other = |from: &[(Clean, Clean)], pair: &(Clean, Clean)| !from.contains(pair);
    for pair in expected.annotations.iter().filter(|pair| other(&found.annotations, pair)) {
        lines.push(format!("-     {}: {}", pair.0, pair.1));
    }
    for pair in found.annotations.iter().filter(|pair| other(&expected.annotations, pair)) {
        lines.push(format!("+     {}: {}", pair.0, pair.1));
    }
    lines
}

fn expression(check: &ExprCheck, world: &mut World<'_>) -> Option<Failure> {
    let about = format!("`{}` at {}", check.expr.text(), lengths::show(check.at));
    let failed = |what: String, lines| Some(Failure { place: Some(check.place.clone()), what, lines });
    let answer = match world.ask(&check.expr, millis(check.at)) {
        Ok(answer) => answer,
        Err(fault) => return failed(format!("{about}: {}", fault.what), Vec::new()),
    };
    let mut found: Vec<(SeriesKey, f64)> = match answer.value {
        Value::Vector(rows) => rows.into_iter().map(|row| (row.key, row.value)).collect(),
        Value::Scalar(value) => vec![(SeriesKey::new("", &[]), value)],
        Value::Text(_) | Value::Matrix(_) => return failed(format!("{about} is no vector and no number."), Vec::new()),
    };
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    let same = |a: &(SeriesKey, f64), b: &(SeriesKey, f64)| a.0 == b.0 && equal(a.1, b.1);
    if found.len() == check.expected.len() && found.iter().zip(&check.expected).all(|(a, b)| same(a, b)) {
        return None;
    }
    let only = |sign: char, these: &[(SeriesKey, f64)], those: &[(SeriesKey, f64)]| {
        let these = these.iter().filter(|row| !those.iter().any(|other| same(row, other)));
        these.map(|(key, value)| format!("{sign} {} {value}", show(key))).collect::<Vec<_>>()
    };
    let mut lines = only('-', &check.expected, &found);
    lines.extend(only('+', &found, &check.expected));
    failed(format!("{about} is not as expected:"), lines)
}

/// As close as two programs that add in another order agree.
fn equal(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-13 * a.abs().max(b.abs())
}
