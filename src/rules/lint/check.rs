//! Goes through rules and panes and holds every lint against them.

use super::Known;
use super::table::{
    DROPPED, Found, HOLE, Lint, NO_MAKER, SEVERITY, SHORT_HOLD, TEMPLATE, TOO_COARSE, UNIT, UNKNOWN_KEY,
};
use super::{buckets, kinds, units};
use crate::base::{Clean, Unit};
use crate::rules::book::Book;
use crate::rules::expr::Expr;
use crate::rules::file::lengths;
use crate::rules::rule::{Alerting, Judge, Rule, RuleFile, RuleKind};
use crate::rules::template::Template;
use crate::store::Store;
use core::time::Duration;

/// The label that carries the severity.
const LABEL: &str = "severity";
/// The fact by which a sampler tells what it did not keep.
const DROPPED_FACT: &str = "dropped series";

/// Everything that is suspicious about a file, in its order.
pub fn file(file: &RuleFile, known: &Known<'_>) -> Vec<Found> {
    let mut out = Vec::new();
    for group in &file.groups {
        let every = group.interval.unwrap_or(known.interval);
        for rule in &group.rules {
            check(rule, every, known, &mut out);
        }
    }
    for fault in &file.unknown {
        out.push(Found { lint: UNKNOWN_KEY, about: Clean::default(), fault: fault.clone() });
    }
    let place = |found: &Found| found.fault.at.as_ref().map(|at| (at.line, at.column));
    out.sort_by_key(|found| (place(found), found.lint.id));
    out
}

/// Everything that is suspicious about the rules of a book, in its order.
pub fn book(book: &Book, known: &Known<'_>) -> Vec<Found> {
    let mut out = Vec::new();
    for (at, rule, _) in book.rules() {
        let every = book.group_of(at).map_or(known.interval, |group| group.interval);
        check(rule, every, known, &mut out);
    }
    out
}

/// Samplers that give more series than are kept of one. One that counts for itself says so by a fact.
pub fn samplers(store: &Store) -> Vec<Found> {
    let kept = store.limits().series_per_sampler;
    let told = store.samplers().filter_map(|(name, health)| {
        let own = health.facts.iter().find(|(fact, _)| fact.as_str() == DROPPED_FACT);
        let what = match (own, health.dropped_series) {
            (Some((_, said)), _) => format!("of its series {said}."),
            (None, 0) => return None,
            (None, over) => format!("of its series {over} beyond the limit of {kept} are not kept."),
        };
        Some(Found::new(DROPPED, &Clean::text(&**name), None, what))
    });
    told.collect()
}

/// What is suspicious about a value of a pane, its bands apart.
pub fn metric(about: &Clean, expr: &Expr, unit: Unit, known: &Known<'_>) -> Vec<Found> {
    let mut out = Vec::new();
    let mut tell = |lint, what: String| out.push(Found::new(lint, about, None, what));
    expression(expr, known, &mut tell);
    if let Some(what) = wrong_unit(expr, unit) {
        tell(UNIT, what);
    }
    out
}

fn check(rule: &Rule, every: Duration, known: &Known<'_>, out: &mut Vec<Found>) {
    let mut of_expr = |lint, what: String| out.push(Found::new(lint, &rule.name, rule.expr_place.clone(), what));
    expression(&rule.expr, known, &mut of_expr);
    let mut tell = |lint, what: String| out.push(Found::new(lint, &rule.name, rule.place.clone(), what));
    templates(&rule.labels, &mut tell);
    let RuleKind::Alerting(alerting) = &rule.kind else { return };
    templates(&alerting.annotations, &mut tell);
    if let Some(what) = wrong_unit(&rule.expr, rule.unit()) {
        tell(UNIT, what);
    }
    match &alerting.judge {
        Judge::Bands(bands) => {
            for (from, to) in bands.undeclared_holes() {
                let show = |edge: f64| rule.unit().show(edge);
                let hole = match (from.is_finite(), to.is_finite()) {
                    (false, _) => format!("what is below {}", show(to)),
                    (_, false) => format!("what is above {}", show(from)),
                    _ => format!("{} to {}", show(from), show(to)),
                };
                tell(HOLE, format!("nothing is said of {hole}."));
            }
            let mut coarse = Vec::new();
            buckets::banded(rule.expr.plan(), bands, known, &mut coarse);
            for what in coarse {
                tell(TOO_COARSE, what);
            }
        }
        Judge::Rows => rows(rule, alerting, every, known, out),
    }
}

fn rows(rule: &Rule, alerting: &Alerting, every: Duration, known: &Known<'_>, out: &mut Vec<Found>) {
    let found = |lint, what: String| Found::new(lint, &rule.name, rule.place.clone(), what);
    let hold = alerting.hold;
    if !hold.is_zero() && hold < every {
        let (hold, every) = (lengths::show(hold), lengths::show(every));
        out.push(found(SHORT_HOLD, format!("`for` is {hold}, and the rule is looked at every {every} only.")));
    }
    let severity = rule.labels.iter().find(|(label, _)| label.as_str() == LABEL).map(|(_, text)| text.raw().as_str());
    let words = || {
        let words: Vec<&str> = known.policy.words().map(|(word, _)| word).collect();
        words.join(", ")
    };
    match severity {
        // What a template makes is known when it is made.
        Some(word) if word.contains("{{") || known.policy.severity(Some(word)).1 => {}
        Some(word) => {
            let what = format!("severity `{word}` has no row in the escalation matrix; it counts as MAJOR.");
            out.push(found(SEVERITY, what).hint(format!("Known are {}.", words())));
        }
        None => {
            let what = "it has no label `severity`; it counts as MAJOR.".to_owned();
            out.push(found(SEVERITY, what).hint(format!("Known are {}.", words())));
        }
    }
}

fn expression(expr: &Expr, known: &Known<'_>, tell: &mut dyn FnMut(&'static Lint, String)) {
    let mut wrong = Vec::new();
    kinds::find(expr.plan(), known, &mut wrong);
    wrong.dedup();
    for (lint, what) in wrong {
        tell(lint, what);
    }
    let mut coarse = Vec::new();
    buckets::find(expr.plan(), known, &mut coarse);
    for what in coarse {
        tell(TOO_COARSE, what);
    }
    let mut missing: Vec<&str> = expr.selectors().iter().filter_map(|selector| selector.metric_name()).collect();
    missing.retain(|metric| known.is_missing(metric));
    missing.sort_unstable();
    missing.dedup();
    for metric in missing {
        let near = known.near(metric).map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
        tell(NO_MAKER, format!("no sampler here makes `{metric}`.{near}"));
    }
}

fn wrong_unit(expr: &Expr, unit: Unit) -> Option<String> {
    let (promise, metric) = units::promise(expr.plan())?;
    let what = || format!("it is shown in {unit}, and `{metric}` says {} by its name.", promise.words());
    (!promise.allows(unit)).then(what)
}

fn templates(labels: &[(Clean, Template)], tell: &mut dyn FnMut(&'static Lint, String)) {
    for (name, template) in labels {
        for unknown in template.unknown() {
            tell(TEMPLATE, format!("in `{name}`, {unknown}."));
        }
    }
}
