//! Lints: what is dangerous about a document that can be read: orders of steps that have cost somebody a system. Each has a
//! stable id, an explanation and a way to mend it. Pure, over a document and what the profile says of its actions.
//!
//! `table` is every lint; `deeds` says what a step does, `shell` what a command does; `order` goes through the steps;
//! `form` looks at pages and memory items, `units` at numbers.

mod deeds;
mod form;
mod order;
mod shell;
mod table;
mod units;

#[cfg(test)]
mod tests;

pub use deeds::ActionFacts;
pub use table::{LINTS, explain};

use super::document::{Document, Item};
use crate::base::Place;
use crate::rules::lint::{Found, Lint};

/// Everything that is suspicious about a document, in its order. `facts` says what an action of the profile is;
/// without an answer nothing is held against it.
pub fn lint(document: &Document, facts: &dyn Fn(&str) -> Option<ActionFacts>) -> Vec<Found> {
    let steps = deeds::steps(document, facts);
    let mut out = order::check(document, &steps);
    out.extend(form::check(document, &steps));
    out.extend(units::check(document));
    out.sort_by_key(|found| (found.fault.at.as_ref().map(|at| at.line), found.lint.id));
    out
}

/// Of each item with one what is dangerous about it: what `lint` finds apart from matters of form.
pub fn hazards(document: &Document, facts: &dyn Fn(&str) -> Option<ActionFacts>) -> Vec<Found> {
    let mut out = order::check(document, &deeds::steps(document, facts));
    out.extend(units::check(document));
    out
}

fn found(document: &Document, item: &Item, lint: &'static Lint, what: impl AsRef<str>) -> Found {
    let at = Place { file: document.file.clone(), line: item.line, column: 0 };
    let fault = crate::base::Fault { at: Some(at), ..crate::base::Fault::new(what) };
    Found { lint, about: item.title.clone(), fault }
}
