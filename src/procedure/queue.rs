//! Which procedures the alerts ask for: the heaviest first; consequences wait while their cause is worked on.

use super::document::Document;
use super::walk::{Standing, Walk};
use crate::base::{Clean, Now, Severity, Ulid};
use crate::rules::Finding;
use crate::rules::finding::AlertId;
use core::cmp::Reverse;
use std::sync::Arc;

/// A procedure that an alert asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which.
    pub document: Arc<Document>,
    /// By the heaviest alert that asks for it.
    pub severity: Severity,
    /// That alert.
    pub alert: AlertId,
    /// That alert's name.
    pub name: Clean,
    /// Since when it fires.
    pub since: Option<Now>,
    /// Whether it can be begun.
    pub turn: Waits,
}

/// Whether a procedure that is asked for can be begun.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    /// It is worked on.
    Underway(Ulid),
    /// It is next in its line.
    Ready,
    /// Its alert is only a consequence of what the procedure of this title is about, which is worked on.
    Inhibited(Clean),
}

/// The procedures that alerts ask for: those that can be begun or are worked on first, the heaviest and then the oldest
/// of them at the top. `name` gives the name of an alert by its rule's place in the book.
pub fn queue<'a>(
    findings: &[Finding],
    name: impl Fn(usize) -> Option<&'a Clean>,
    documents: &[Arc<Document>],
    walks: &[&Walk],
) -> Vec<Asked> {
    let open = |walk: &&&Walk| matches!(walk.standing, Standing::Running | Standing::Paused);
    let walks: Vec<&Walk> = walks.iter().filter(open).copied().collect();
    let asking = |found: &&Finding| found.state.is_up() && found.silenced_until.is_none();
    let asked = |document: &Arc<Document>| {
        let of = findings.iter().filter(asking).filter_map(|found| {
            let alert = name(found.id.rule).filter(|alert| document.alerts.contains(alert))?;
            let underway = walks.iter().find(|walk| walk.document.id == document.id);
            let cause = found.cause.as_ref().and_then(|cause| name(cause.rule));
            let explains = |walk: &&&Walk| {
                walk.document.id != document.id
                    && (walk.document.consequences.contains(alert)
                        || cause.is_some_and(|cause| walk.document.alerts.contains(cause)))
            };
            let turn = match (underway, walks.iter().find(explains)) {
                (Some(walk), _) => Waits::Underway(walk.id),
                (None, Some(walk)) => Waits::Inhibited(walk.document.title.clone()),
                (None, None) => Waits::Ready,
            };
            Some(Asked {
                document: Arc::clone(document),
                severity: found.severity,
                alert: found.id.clone(),
                name: alert.clone(),
                since: found.fired,
                turn,
            })
        });
        of.min_by_key(rank)
    };
    let mut all: Vec<Asked> = documents.iter().filter_map(asked).collect();
    all.sort_by_key(rank);
    all
}

fn rank(asked: &Asked) -> (bool, Reverse<Severity>, i64) {
    let since = asked.since.map_or(i64::MAX, |since| since.wall.0);
    (matches!(asked.turn, Waits::Inhibited(_)), Reverse(asked.severity), since)
}
