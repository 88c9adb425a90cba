//! One rule in the book: it is asked, its rows become alerts or series, and it says how it is doing.

use super::alert::Alert;
use super::escalation::Policy;
use super::evaluate::{Evaluated, evaluate, labels_of, query};
use super::expr::{Evaluator, Millis, Row};
use super::finding::{FindingState, RuleHealth, Transition};
use super::life::{Pace, Seen, TICKS};
use super::live::{Live, Readiness};
use super::matchers::ALERTNAME;
use super::needs::{Footing, Needs};
use super::rule::{Alerting, Judge, Rule, RuleKind};
use super::sides::Sides;
use super::template::Scope;
use crate::base::time::Span;
use crate::base::{Clean, Freshness, Level, Mono, Now, Point, PointKind, SeriesKey};
use crate::clean;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// More rows of one rule are an error of it, whatever its group allows.
pub(super) const MOST_ROWS: usize = 10_000;

/// Alerts of one rule that are over and remembered, at most: a label may take a new value at every evaluation.
const MOST_OVER: usize = 1_000;

/// A rule with what it has found.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) rule: Rule,
    /// Its place in the book.
    pub(super) index: usize,
    pub(super) group: usize,
    /// The name under which its rows, or its `ALERTS`, are recorded.
    pub(super) feed: Arc<str>,
    /// The rule over restarts: file, group, name, and which of equal ones.
    pub(super) name: Clean,
    pub(super) alerts: BTreeMap<SeriesKey, Alert>,
    pub(super) health: RuleHealth,
    /// What the last evaluation said of it, whatever its data did since.
    answered: RuleHealth,
    pub(super) needs: Needs,
    /// How many rows the last evaluation gave.
    pub(super) rows: usize,
    /// The worst level of its alerts' values.
    pub(super) level: Level,
    /// The newest tick that was judged.
    judged: Option<Mono>,
    every: Duration,
    /// `ALERTS` holds rows of it.
    shows: bool,
}

/// What an evaluation works with.
pub(super) struct Desk<'a, 'b> {
    pub(super) evaluator: &'a mut Evaluator,
    pub(super) live: &'a Live<'b>,
    pub(super) policy: &'a Policy,
    /// More rows are an error; 0 is no limit of the group's.
    pub(super) limit: usize,
    /// The moment of evaluation.
    pub(super) at: Now,
    pub(super) now: Now,
}

/// What is to be recorded of a rule.
pub(super) struct Recorded {
    pub(super) rows: Vec<Point>,
    pub(super) at: Now,
}

impl Entry {
    pub(super) fn new(rule: Rule, (index, group): (usize, usize), name: Clean, every: Duration) -> Self {
        Self {
            feed: Arc::from(clean!("rule {name}").as_str()),
            rule,
            index,
            group,
            name,
            alerts: BTreeMap::new(),
            health: RuleHealth::NotYet,
            answered: RuleHealth::NotYet,
            needs: Needs::default(),
            rows: 0,
            level: Level::Unknown,
            judged: None,
            every,
            shows: false,
        }
    }

    pub(super) const fn alerting(&self) -> Option<&Alerting> {
        self.rule.alerting()
    }

    /// Its value is judged by bands, at every tick.
    pub(super) fn is_banded(&self) -> bool {
        self.rule.bands().is_some()
    }

    /// There is something new to judge by bands.
    pub(super) fn has_tick(&self) -> bool {
        let tick = self.needs.footing(None).tick;
        tick > self.judged || tick.is_none() || self.judged.is_none()
    }

    /// Asks the expression and lets every alert take a step. Returns what moved and what is to be recorded.
    pub(super) fn evaluate(&mut self, desk: &mut Desk<'_, '_>) -> (Vec<Transition>, Option<Recorded>) {
        let expr = self.needs.sides.expr(&self.rule.expr);
        let readiness = desk.live.readiness(&self.needs.selectors, expr.longest_window());
        let found = match &readiness {
            Readiness::BeyondRetention { .. } => Ok(Evaluated::default()),
            _ => {
                let limit = if desk.limit == 0 { MOST_ROWS } else { desk.limit.min(MOST_ROWS) };
                let part = self.needs.sides.missing.is_some().then(|| Rule { expr: expr.clone(), ..self.rule.clone() });
                let rule = part.as_ref().unwrap_or(&self.rule);
                evaluate(rule, desk.evaluator, desk.live, desk.live.millis(desk.at.mono), limit, &[])
            }
        };
        self.judged = self.needs.footing(None).tick;
        let found = match found {
            Ok(found) => found,
            Err(fault) => {
                self.answered = RuleHealth::Error(clean!("{fault}"));
                self.rows = 0;
                // Its alerts keep their state.
                let blind = Footing { silent: Some(Clean::from("the rule fails.")), ..self.needs.footing(None) };
                return (self.each(|_| (None, blind.clone()), desk), None);
            }
        };
        self.rows = found.rows.len();
        self.answered = health_of(&readiness, !found.rows.is_empty());
        if matches!(self.rule.kind, RuleKind::Recording) {
            let kind = PointKind::Untyped;
            let rows = found.rows.into_iter().map(|row| Point { key: row.key, value: row.value, kind });
            return (Vec::new(), Some(Recorded { rows: rows.collect(), at: desk.at }));
        }
        (self.judge(found, desk), None)
    }

    fn judge(&mut self, found: Evaluated, desk: &mut Desk<'_, '_>) -> Vec<Transition> {
        // While it warms, rows neither begin an alert nor end one; one that was up before goes on.
        let warming = matches!(self.answered, RuleHealth::Warming { .. } | RuleHealth::NotEvaluable(_));
        let Some(alerting) = self.alerting().cloned() else { return Vec::new() };
        let at = self.index;
        let mut seen = BTreeMap::new();
        for (row, from) in found.rows.into_iter().zip(found.from) {
            let known = self.alerts.get(&row.key);
            let before = known.map_or(Level::Unknown, |alert| alert.life.debounced());
            let severity = desk.policy.severity(row.key.label("severity").map(Clean::as_str)).0;
            let what = judged(&alerting.judge, before, severity.level(), row.value);
            if known.is_none() && (warming || what.is_none()) {
                continue;
            }
            let job = from.label("job").cloned();
            if known.is_none() {
                // Where a sampler fails, what is there is no reason to begin.
                if self.needs.footing(job.as_ref().map(Clean::as_str)).silent.is_some() {
                    continue;
                }
                self.alerts.insert(row.key.clone(), Alert::new(at, row.key.clone(), desk.now));
            }
            let bad = matches!(what, Some(Seen::Bad(..)));
            if let Some(alert) = self.alerts.get_mut(&row.key) {
                alert.job = job;
                if bad {
                    alert.annotations = annotations(&alerting, &from, row.value, desk);
                }
            }
            seen.insert(row.key, what);
        }
        let needs = self.needs.clone();
        self.each(
            |alert| {
                let footing = needs.footing(alert.job.as_ref().map(Clean::as_str));
                // Where a condition cannot be asked, that there is no row does not say that it is over.
                let gone = if warming || needs.sides.unknown { None } else { Some(Seen::Gone) };
                (seen.get(&alert.id.key).copied().unwrap_or(gone), footing)
            },
            desk,
        )
    }

    /// Every alert takes a step; those that are over leave.
    fn each(&mut self, look: impl Fn(&Alert) -> (Option<Seen>, Footing), desk: &mut Desk<'_, '_>) -> Vec<Transition> {
        let Some(alerting) = self.alerting().cloned() else { return Vec::new() };
        let banded = self.is_banded();
        let mut moved = Vec::new();
        let every = if banded { Duration::ZERO } else { self.every };
        self.alerts.retain(|_, alert| {
            let (seen, footing) = look(alert);
            let pace = pace(&alerting, every.max(footing.every));
            // A band is judged once a tick, a rule at every evaluation.
            let tick = if banded { footing.tick.unwrap_or(desk.at.mono) } else { desk.at.mono };
            moved.extend(alert.step(seen, &footing, &pace, tick, desk.now));
            alert.weigh(&alerting.judge, desk.policy);
            !alert.life.is_over(&pace)
        });
        self.forget();
        moved
    }

    /// Of too many that are over the oldest leave.
    fn forget(&mut self) {
        let is_over = |alert: &Alert| matches!(alert.life.state(), FindingState::Resolved | FindingState::Inactive);
        let over = || self.alerts.values().filter(|alert| is_over(alert) && alert.life.is_gone());
        let surplus = over().count().saturating_sub(MOST_OVER);
        if surplus > 0 {
            let mut ended: Vec<(Mono, SeriesKey)> =
                over().map(|alert| (alert.life.since().mono, alert.id.key.clone())).collect();
            ended.sort();
            for (_, key) in ended.into_iter().take(surplus) {
                self.alerts.remove(&key);
            }
        }
    }

    /// Between two evaluations: time goes on, samplers fail.
    pub(super) fn rest(&mut self, now: Now) -> Vec<Transition> {
        let mut moved = Vec::new();
        for alert in self.alerts.values_mut() {
            let footing = self.needs.footing(alert.job.as_ref().map(Clean::as_str));
            moved.extend(alert.rest(&footing, now));
        }
        moved
    }

    /// How it is doing and how bad its values are, now.
    pub(super) fn settle(&mut self, now: Now) {
        let footing = self.needs.footing(None);
        self.health = match (&self.answered, footing.silent) {
            (RuleHealth::Ok | RuleHealth::Warming { .. }, Some(why)) => RuleHealth::NoData { why },
            (RuleHealth::NotYet, Some(why)) if footing.fails => RuleHealth::NoData { why },
            (RuleHealth::Ok, None) => match &self.needs.sides {
                Sides { missing: Some(why), unknown: true, .. } => RuleHealth::NoData { why: why.clone() },
                Sides { missing: Some(why), .. } => RuleHealth::Instead { without: why.clone() },
                _ => RuleHealth::Ok,
            },
            (answered, _) => answered.clone(),
        };
        let banded = self.is_banded();
        let waits = self.rule.bands().is_some_and(|bands| bands.hold().is_some());
        let shown = |alert: &Alert| {
            let footing = self.needs.footing(alert.job.as_ref().map(Clean::as_str));
            let age = now.since(alert.life.seen());
            let every = if banded { footing.every } else { self.every.max(footing.every) };
            let old = Freshness::judge(age, every, false) >= Freshness::Stale;
            match alert.life.state() {
                _ if old && footing.silent.is_some() => Level::Unknown,
                // It is not bad before it has lasted, where its profile says for how long.
                FindingState::Pending if waits => alert.life.shown().min(Level::Note),
                _ if banded => alert.life.shown(),
                FindingState::Firing | FindingState::Clearing => alert.life.severity(),
                FindingState::NoData => Level::Unknown,
                _ => Level::Ok,
            }
        };
        let fine = !banded && matches!(self.health, RuleHealth::Ok | RuleHealth::Instead { .. });
        self.level = self.alerts.values().map(shown).chain(fine.then_some(Level::Ok)).max().unwrap_or_default();
    }

    /// `ALERTS` and `ALERTS_FOR_STATE`, as Prometheus writes them; `None` when there are none and were none.
    pub(super) fn series(&mut self, at: Now) -> Option<Recorded> {
        let mut rows = Vec::new();
        for alert in self.alerts.values() {
            let Some(active) = alert.life.active() else { continue };
            let state = if alert.life.fired().is_some() { "firing" } else { "pending" };
            let own = |more: &[(&'static str, &'static str)]| {
                let mut labels: BTreeMap<Clean, Clean> = alert.id.key.labels.iter().cloned().collect();
                labels.insert(Clean::from(ALERTNAME), self.rule.name.clone());
                labels.extend(more.iter().map(|(label, value)| (Clean::from(*label), Clean::from(*value))));
                labels.into_iter().collect()
            };
            let point = |name: &'static str, labels, value| Point {
                key: SeriesKey { name: Clean::from(name), labels },
                value,
                kind: PointKind::Gauge,
            };
            rows.push(point("ALERTS", own(&[("alertstate", state)]), 1.0));
            rows.push(point("ALERTS_FOR_STATE", own(&[]), seconds(active)));
        }
        let shown = core::mem::replace(&mut self.shows, !rows.is_empty());
        (shown || self.shows).then_some(Recorded { rows, at })
    }

    /// An alert that an earlier console left.
    pub(super) fn put(&mut self, mut alert: Alert, policy: &Policy) {
        if let Some(alerting) = self.rule.alerting() {
            alert.weigh(&alerting.judge, policy);
            self.alerts.insert(alert.id.key.clone(), alert);
        }
    }

    /// It waits for its first data.
    pub(super) fn is_waiting(&self) -> bool {
        self.answered == RuleHealth::NotYet
    }

    /// How often it is evaluated.
    pub(super) const fn every(&self) -> Duration {
        self.every
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
fn seconds(at: Now) -> f64 {
    (at.wall.0 / 1_000_000_000) as f64
}

/// What a value means; nothing when it is no number and levels are judged.
fn judged(judge: &Judge, before: Level, severity: Level, value: f64) -> Option<Seen> {
    match judge {
        Judge::Rows => Some(Seen::Bad(severity, value)),
        Judge::Bands(_) if value.is_nan() => None,
        Judge::Bands(bands) => {
            let level = bands.level_after(before, value);
            Some(if level >= Level::Warning { Seen::Bad(level, value) } else { Seen::Good(level, value) })
        }
    }
}

pub(super) fn pace(alerting: &Alerting, every: Duration) -> Pace {
    let ticks = match &alerting.judge {
        Judge::Bands(bands) if !bands.is_state() => TICKS,
        _ => 1,
    };
    Pace { hold: alerting.hold, keep: alerting.keep, ticks, every }
}

fn health_of(readiness: &Readiness, has_rows: bool) -> RuleHealth {
    match readiness {
        Readiness::Warming { ready_in } => RuleHealth::Warming { ready_in: *ready_in },
        Readiness::BeyondRetention { asked, kept } => {
            RuleHealth::NotEvaluable(clean!("it looks back {}, and {} are kept.", Span(*asked), Span(*kept)))
        }
        _ if has_rows => RuleHealth::Ok,
        Readiness::Ready => RuleHealth::Ok,
        Readiness::NotYet => RuleHealth::NotYet,
        Readiness::NoSuchMetric { metric, why: Some(why) } => {
            RuleHealth::NotEvaluable(clean!("`{metric}` is not supported: {why}."))
        }
        Readiness::Refused { metric, why } => RuleHealth::NotEvaluable(clean!("`{metric}` is unknown: {why}.")),
        Readiness::NoSuchMetric { metric, why: None } => {
            RuleHealth::NotEvaluable(clean!("no sampler makes `{metric}`."))
        }
    }
}

fn annotations(alerting: &Alerting, from: &SeriesKey, value: f64, desk: &mut Desk<'_, '_>) -> Vec<(Clean, Clean)> {
    let at: Millis = desk.live.millis(desk.at.mono);
    let labels = labels_of(from);
    let live = desk.live;
    let mut ask = query(desk.evaluator, live, at);
    let ask: &mut dyn FnMut(&str) -> Result<Vec<Row>, String> = &mut ask;
    let mut scope = Scope { labels: &labels, external: &[], value, at, query: ask };
    alerting.annotations.iter().map(|(name, text)| (name.clone(), text.expand(&mut scope))).collect()
}
