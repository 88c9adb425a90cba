//! Static inhibition by Alertmanager's inhibit_rules: while a source alert is up, target alerts with equal labels are
//! its consequences. They are folded under it, not lost.

use super::finding::{AlertId, Finding};
use super::matchers::{Matchers, labels_of};
use crate::base::{Clean, SeriesKey};
use std::collections::HashMap;

/// Causes of causes are followed so far; what lies deeper is shown for itself.
const DEEPEST: usize = 100;

/// One row of `[[inhibit]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Inhibit {
    /// The cause.
    pub source: Matchers,
    /// What it explains.
    pub target: Matchers,
    /// Labels that cause and consequence must have in common; absent on both sides is equal.
    pub equal: Vec<Clean>,
}

impl Inhibit {
    /// The alerts of this row that explain, by the values that a consequence must share: the first of each.
    fn sources<'a>(&self, up: &[usize], labels: &'a [SeriesKey]) -> HashMap<Vec<&'a str>, usize> {
        let mut sources = HashMap::new();
        for at in up {
            let Some(key) = labels.get(*at) else { continue };
            // Alertmanager: what is a source and a target of one row does not mute itself or its like.
            if self.source.matches(key) && !self.target.matches(key) {
                sources.entry(self.shared(key)).or_insert(*at);
            }
        }
        sources
    }

    fn shared<'a>(&self, key: &'a SeriesKey) -> Vec<&'a str> {
        self.equal.iter().map(|label| key.label(label.as_str()).map_or("", Clean::as_str)).collect()
    }
}

/// Sets the cause of every finding that has one. A cause that is itself explained hands its consequences on, so that
/// all lie under the root; a circle has no root and folds nothing.
pub(super) fn fold<'a>(rows: &[Inhibit], findings: &mut [Finding], name: impl Fn(usize) -> Option<&'a Clean>) {
    if rows.is_empty() {
        return;
    }
    let labels: Vec<SeriesKey> = findings
        .iter()
        .map(|found| labels_of(name(found.id.rule).unwrap_or(&Clean::default()), &found.id.key))
        .collect();
    // Only what is up explains; the worst and oldest first, as findings are sorted.
    let sources: Vec<usize> =
        findings.iter().enumerate().filter(|(_, found)| found.state.is_up()).map(|(at, _)| at).collect();
    let explaining: Vec<_> = rows.iter().map(|row| (row, row.sources(&sources, &labels))).collect();
    let cause = |key: &SeriesKey| {
        let meant = explaining.iter().filter(|(row, sources)| !sources.is_empty() && row.target.matches(key));
        meant.filter_map(|(row, sources)| sources.get(&row.shared(key)).copied()).min()
    };
    let causes: Vec<Option<usize>> = labels.iter().map(cause).collect();
    let roots: Vec<Option<AlertId>> = (0..findings.len())
        .map(|at| {
            let mut root = causes.get(at).copied().flatten()?;
            for _ in 0..findings.len().min(DEEPEST) {
                match causes.get(root).copied().flatten() {
                    Some(next) => root = next,
                    None => return findings.get(root).map(|found| found.id.clone()),
                }
            }
            None
        })
        .collect();
    for (found, root) in findings.iter_mut().zip(roots) {
        found.cause = root;
    }
}
