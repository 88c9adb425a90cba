//! What changed before each alert that fired: found once, when it fires, and kept for as long as it may be asked.

use super::pane::Pane;
use crate::base::{Clean, LogLine, Now, SeriesKey, Unit};
use crate::clean;
use crate::rules::changes::{Case, Change, ChangeKind, Known, Mark, changes};
use crate::rules::{AlertId, Book, FindingState, Transition};
use crate::store::Store;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Alerts whose changes are kept; the oldest leave.
const ALERTS: usize = 200;
/// Lines of logs kept as marks.
const MARKS: usize = 100;
/// Alerts that are looked into at one moment: a storm of them has one cause, and the screen must not wait.
const AT_ONCE: usize = 4;

/// What changed, by alert.
#[derive(Debug, Default)]
pub struct Changes {
    found: BTreeMap<AlertId, (Now, Vec<Change>)>,
    /// Since when the condition of an alert holds that has not fired yet.
    begun: BTreeMap<AlertId, Now>,
    /// Log source and text: a line of it that holds the text tells of a deploy.
    markers: Vec<(Arc<str>, String)>,
    heard: VecDeque<Mark>,
}

impl Changes {
    /// Nothing yet. A line of one of these logs that holds the text tells of a deploy.
    pub fn new(markers: Vec<(Arc<str>, String)>) -> Self {
        Self { markers, ..Self::default() }
    }

    /// What changed before this alert first fired, the most telling first; empty when nothing is known.
    pub fn of(&self, alert: &AlertId) -> &[Change] {
        self.found.get(alert).map(|(_, changes)| changes.as_slice()).unwrap_or_default()
    }

    /// Looks whether lines tell of a deploy.
    pub(super) fn hear(&mut self, log: &str, lines: &[(Now, LogLine)]) {
        for (source, text) in &self.markers {
            let told = lines.iter().filter(|(_, line)| **source == *log && line.message.as_str().contains(text));
            for (at, line) in told {
                self.heard.push_back(Mark { at: *at, text: line.message.clone(), kind: ChangeKind::Deploy });
            }
        }
        while self.heard.len() > MARKS {
            self.heard.pop_front();
        }
    }

    /// Finds what changed before each alert that fires now for the first time.
    pub fn note(&mut self, moved: &[Transition], (store, book, panes): (&Store, &Book, &[Pane]), now: Now) {
        let mut looked = 0;
        for transition in moved {
            let id = transition.id.clone();
            match (transition.from.0, transition.to.0) {
                (_, FindingState::Pending) => {
                    self.begun.insert(id, now);
                }
                (FindingState::Inactive | FindingState::Pending | FindingState::Resolved, FindingState::Firing) => {
                    let begun = self.begun.remove(&id).unwrap_or(now);
                    if looked < AT_ONCE {
                        let changes = self.explain(&id, (store, book, panes), (begun, now));
                        self.found.insert(id, (now, changes));
                        looked += 1;
                    }
                }
                _ => {
                    self.begun.remove(&id);
                }
            }
        }
        while self.found.len() > ALERTS {
            let oldest = self.found.iter().min_by_key(|(_, (at, _))| at.mono).map(|(id, _)| id.clone());
            oldest.map(|id| self.found.remove(&id));
        }
    }

    fn explain(
        &self,
        alert: &AlertId,
        (store, book, panes): (&Store, &Book, &[Pane]),
        (begun, fired): (Now, Now),
    ) -> Vec<Change> {
        let selectors = book.rule(alert.rule).map(|rule| rule.expr.selectors()).unwrap_or_default();
        let own = |key: &SeriesKey| selectors.iter().any(|selector| selector.matches(key));
        let marks: Vec<Mark> = self.heard.iter().cloned().collect();
        changes(store, &Case { begun, fired, own: &own, known: &|key| known(panes, key), marks: &marks })
    }
}

/// What a series is called on the board. One with bands wins: that is the one that a person watches.
fn known(panes: &[Pane], key: &SeriesKey) -> Option<Known> {
    let mut best: Option<Known> = None;
    for pane in panes {
        let headline = pane.headline.iter().map(|metric| (true, metric));
        for (head, metric) in headline.chain(pane.beside.iter().map(|metric| (false, metric))) {
            let Some(selector) = metric.expr.selectors().iter().find(|selector| selector.matches(key)) else {
                continue;
            };
            // Another expression shows something else than the series itself.
            let plain = metric.expr.plain_selector().is_some();
            let name = match (plain, head) {
                (true, true) => pane.title.clone(),
                (true, false) => clean!("{} {}", pane.title, metric.label),
                (false, _) => selector.name.clone().unwrap_or_else(|| key.name.clone()),
            };
            let unit = if plain { metric.unit } else { Unit::Count };
            let worse_is_low = metric.bands.filter(|_| plain).map(|bands| bands.inverted());
            if best.as_ref().is_none_or(|best| best.worse_is_low.is_none() && worse_is_low.is_some()) {
                best = Some(Known { name: told(name, selector.matchers.is_empty(), key), unit, worse_is_low });
            }
        }
    }
    best
}

/// A selector without matchers may mean many series: the values of the labels tell which.
fn told(name: Clean, many: bool, key: &SeriesKey) -> Clean {
    match key.labels.first() {
        Some((_, value)) if many => name.join(" ", value),
        _ => name,
    }
}
