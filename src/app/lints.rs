//! Lints among the faults of our files, looked for again when series come or go: what kind a metric has, and which
//! buckets a histogram, is known once its source has spoken.

use super::{Model, Pane};
use crate::base::{Clean, Fault, Mono, Now};
use crate::rules::Book;
use crate::rules::book::INTERVAL;
use crate::rules::lint::{self, Found, Known};
use crate::store::Store;
use core::time::Duration;

/// They are looked for no more often.
const EVERY: Duration = Duration::from_secs(30);

/// When lints were looked for last, and over which series.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linted(Option<(u64, Mono)>);

/// Looks when it is due. A metric that no sampler makes is left out: its rule says so itself, and so does its pane.
pub(super) fn look(model: &mut Model, now: Now) {
    let generation = model.store.generation();
    if let Some((known, at)) = model.session.linted.0
        && (known == generation || now.mono.since(at) < EVERY)
    {
        return;
    }
    model.session.linted = Linted(Some((generation, now.mono)));
    let found = found(&model.store, &model.book, &model.board.panes);
    let lints = found.into_iter().filter(|found| !found.is_absence()).map(Found::into_fault);
    model.session.faults.retain(|fault| !is_lint(fault));
    model.session.faults.extend(lints);
}

/// Every lint of the rules of a book, and of the values of panes that are no rules.
pub fn found(store: &Store, book: &Book, panes: &[Pane]) -> Vec<Found> {
    let rules = book.rules().map(|(_, rule, _)| rule);
    let known = Known::new(Some(store), book.policy(), INTERVAL, rules);
    let mut found = lint::book(book, &known);
    found.extend(lint::samplers(store));
    for pane in panes {
        for metric in pane.metrics().filter(|metric| metric.rule.is_none()) {
            let named = [&Clean::default(), &pane.title].iter().all(|name| metric.label != **name);
            let about = if named { pane.title.join(" ", &metric.label) } else { pane.title.clone() };
            found.extend(lint::metric(&about, &metric.expr, metric.unit, &known));
        }
    }
    // That an optional pane's metric does not come here is no slip: it is why the pane is optional.
    let of = |pane: &Pane, about: &str| {
        about.strip_prefix(pane.title.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let optional = |about: &str| panes.iter().any(|pane| pane.optional && of(pane, about));
    found.retain(|found| !found.is_absence() || !optional(found.about.as_str()));
    found
}

fn is_lint(fault: &Fault) -> bool {
    lint::LINTS.iter().any(|lint| fault.what.as_str().starts_with(lint.id))
}
