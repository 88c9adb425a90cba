//! The series of a test in time, with everything that the rules make of them.

use super::format::{Fired, Test, millis};
use super::series::Step;
use crate::base::{Clean, Fault, Level, Mono, Now, SeriesKey, Wall};
use crate::rules::evaluate::{Evaluated, evaluate, labels_of, query};
use crate::rules::expr::{Answer, Evaluator, Expr, Millis, Semantics, Table};
use crate::rules::finding::FindingState;
use crate::rules::life::{Life, Pace, Seen};
use crate::rules::rule::{Alerting, Group, Rule, RuleKind};
use crate::rules::template::Scope;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

/// What a test plays on.
pub(super) struct World<'a> {
    table: Table,
    evaluator: Evaluator,
    rules: Vec<Played<'a>>,
    external: &'a [(Clean, Clean)],
    every: Duration,
}

/// A rule and what it made so far.
struct Played<'a> {
    rule: &'a Rule,
    limit: usize,
    offset: Duration,
    alerts: BTreeMap<SeriesKey, Alert>,
    /// The series written at the last step: those that are not written again end.
    written: BTreeSet<SeriesKey>,
}

struct Alert {
    life: Life,
    annotations: Vec<(Clean, Clean)>,
}

impl<'a> World<'a> {
    /// A world at its beginning. Groups are evaluated in this order, all of them every `every`.
    pub(super) fn new(test: &'a Test, groups: &[&'a Group], every: Duration) -> Self {
        let mut table = Table::new();
        for (key, steps) in &test.series {
            for (step, at) in steps.iter().zip(0..) {
                let at = millis(test.interval).saturating_mul(at);
                match step {
                    Step::Value(value) => table.push(key, at, *value),
                    Step::Stale => table.push_stale(key, at),
                    Step::Blank => {}
                }
            }
        }
        let played = groups.iter().flat_map(|group| {
            group.rules.iter().map(|rule| Played {
                rule,
                limit: group.limit,
                offset: group.offset,
                alerts: BTreeMap::new(),
                written: BTreeSet::new(),
            })
        });
        // As `promtool` does: what the server would take from its own interval of evaluation.
        let evaluator = Evaluator::new(Semantics::Prometheus).with_default_step(every);
        Self { table, evaluator, rules: played.collect(), external: &test.external, every }
    }

    /// Evaluates every rule once.
    ///
    /// # Errors
    /// The error of the first rule that has one.
    pub(super) fn step(&mut self, at: Millis) -> Result<(), Fault> {
        let Self { table, evaluator, rules, external, every } = self;
        for played in rules {
            let shifted = at.saturating_sub(millis(played.offset));
            let found = evaluate(played.rule, evaluator, table, shifted, played.limit, external)?;
            let rows = match &played.rule.kind {
                RuleKind::Recording => found.rows.into_iter().map(|row| (row.key, row.value)).collect(),
                RuleKind::Alerting(alerting) => {
                    let scene = Scene { table, external, every: *every, at };
                    played.judge(alerting, &found, evaluator, &scene);
                    played.shown()
                }
            };
            played.write(rows, table, at);
        }
        Ok(())
    }

    /// The alerts of a name that fire.
    pub(super) fn firing(&self, name: &Clean) -> Vec<Fired> {
        let rules = self.rules.iter().filter(|played| played.rule.name == *name);
        let alerts = rules.flat_map(|played| &played.alerts).filter(|(_, alert)| alert.life.state().is_up());
        let mut fired: Vec<Fired> = alerts
            .map(|(key, alert)| Fired { labels: key.labels.to_vec(), annotations: alert.annotations.clone() })
            .collect();
        fired.sort();
        fired
    }

    /// The answer to an expression.
    ///
    /// # Errors
    /// The expression's own.
    pub(super) fn ask(&mut self, expr: &Expr, at: Millis) -> Result<Answer, Fault> {
        self.evaluator.instant(expr, &self.table, at)
    }
}

/// What an alert is judged in.
struct Scene<'a> {
    table: &'a Table,
    external: &'a [(Clean, Clean)],
    every: Duration,
    at: Millis,
}

impl Played<'_> {
    fn judge(&mut self, alerting: &Alerting, found: &Evaluated, evaluator: &mut Evaluator, scene: &Scene<'_>) {
        let now = moment(scene.at);
        let pace = Pace { hold: alerting.hold, keep: alerting.keep, ticks: 1, every: scene.every };
        let mut present = BTreeSet::new();
        for (row, from) in found.rows.iter().zip(&found.from) {
            let annotations = annotations(alerting, from, row.value, evaluator, scene);
            let alert = self
                .alerts
                .entry(row.key.clone())
                .or_insert_with(|| Alert { life: Life::new(now), annotations: Vec::new() });
            alert.annotations = annotations;
            alert.life.tick(Seen::Bad(Level::Critical, row.value), &pace, now.mono, now);
            present.insert(&row.key);
        }
        for (key, alert) in &mut self.alerts {
            if !present.contains(key) {
                alert.life.tick(Seen::Gone, &pace, now.mono, now);
            }
        }
        self.alerts.retain(|_, alert| alert.life.active().is_some());
    }

    /// `ALERTS` and `ALERTS_FOR_STATE` of what is pending or fires.
    fn shown(&self) -> BTreeMap<SeriesKey, f64> {
        let mut rows = BTreeMap::new();
        for (key, alert) in &self.alerts {
            let state = if alert.life.state() == FindingState::Pending { "pending" } else { "firing" };
            let active = alert.life.active().map_or(0, |since| since.wall.0 / 1_000_000_000);
            let name = ("alertname", self.rule.name.as_str());
            rows.insert(with(key, "ALERTS", &[name, ("alertstate", state)]), 1.0);
            rows.insert(with(key, "ALERTS_FOR_STATE", &[name]), active as f64);
        }
        rows
    }

    fn write(&mut self, rows: BTreeMap<SeriesKey, f64>, table: &mut Table, at: Millis) {
        let before = core::mem::take(&mut self.written);
        for gone in before.iter().filter(|key| !rows.contains_key(key)) {
            table.push_stale(gone, at);
        }
        for (key, value) in rows {
            table.push(&key, at, value);
            self.written.insert(key);
        }
    }
}

/// The beginning of a test is a moment of its own: a life must not begin at its first tick.
fn moment(at: Millis) -> Now {
    let nanos = at.saturating_mul(1_000_000);
    Now { mono: Mono(u64::try_from(nanos).unwrap_or(0)), wall: Wall(nanos) }
}

fn with(key: &SeriesKey, name: &str, more: &[(&str, &str)]) -> SeriesKey {
    let mut labels: BTreeMap<Clean, Clean> = key.labels.iter().cloned().collect();
    labels.extend(more.iter().map(|(name, value)| (Clean::text(name), Clean::text(value))));
    SeriesKey { name: Clean::text(name), labels: labels.into_iter().collect() }
}

fn annotations(
    alerting: &Alerting,
    from: &SeriesKey,
    value: f64,
    evaluator: &mut Evaluator,
    scene: &Scene<'_>,
) -> Vec<(Clean, Clean)> {
    let mut query = query(evaluator, scene.table, scene.at);
    let labels = labels_of(from);
    let mut scope = Scope { labels: &labels, external: scene.external, value, at: scene.at, query: &mut query };
    let texts = alerting.annotations.iter().map(|(name, text)| (name.clone(), text.expand(&mut scope)));
    let mut texts: Vec<(Clean, Clean)> = texts.filter(|(_, text)| !text.as_str().is_empty()).collect();
    texts.sort();
    texts
}
