//! Static inhibition by Alertmanager's inhibit_rules: while a source alert is up, target alerts with equal labels are
//! its consequences. They are folded under it, not lost.

use super::finding::{AlertId, Finding};
use super::matchers::{Matchers, labels_of};
use crate::base::{Clean, SeriesKey};

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
    fn explains(&self, source: &SeriesKey, target: &SeriesKey) -> bool {
        self.source.matches(source)
            && self.target.matches(target)
            // Alertmanager: what is a source and a target of one row does not mute itself or its like.
            && !self.target.matches(source)
            && self.equal.iter().all(|label| source.label(label.as_str()) == target.label(label.as_str()))
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
    let cause = |target: usize| {
        let key = labels.get(target)?;
        let explains = |source: &usize| {
            let source = labels.get(*source);
            source.is_some_and(|source| rows.iter().any(|row| row.explains(source, key)))
        };
        sources.iter().copied().filter(|source| *source != target).find(explains)
    };
    let causes: Vec<Option<usize>> = (0..findings.len()).map(cause).collect();
    let roots: Vec<Option<AlertId>> = (0..findings.len())
        .map(|at| {
            let mut root = causes.get(at).copied().flatten()?;
            for _ in 0..findings.len() {
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
