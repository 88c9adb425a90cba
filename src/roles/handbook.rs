//! The procedures of a profile, read, and what is wrong with them here: names that nobody has, and lints.

use crate::base::{Clean, Fault, Support};
use crate::config::{Profile, Trust};
use crate::procedure::lint::{ActionFacts, hazards, lint};
use crate::procedure::{Document, Known, check, parse};
use crate::rules::Book;
use crate::rules::lint::Found;
use crate::store::Store;

/// Every document of a profile, in the order of their names.
pub fn documents(profile: &Profile) -> Vec<Document> {
    let read = profile.procedures.specs.iter().map(|spec| parse(&spec.id, spec.file.as_str(), &spec.text));
    read.map(|document| warned(document, profile)).collect()
}

/// A document answers each alert whose rule names it, too: so the rules of another file need no word in the document.
pub fn answers(document: &mut Document, book: &Book) {
    for (_, rule, _) in book.rules().filter(|(_, rule, _)| rule.page().is_some_and(|page| **page == *document.id)) {
        if !document.alerts.contains(&rule.name) {
            document.alerts.push(rule.name.clone());
        }
    }
}

/// The same, with what is dangerous about an item told below it.
fn warned(mut document: Document, profile: &Profile) -> Document {
    for found in hazards(&document, &|name| facts(profile, name)) {
        let line = found.fault.at.as_ref().map(|at| at.line);
        for item in document.items.iter_mut().filter(|item| Some(item.line) == line && item.title == found.about) {
            item.beside.hazards.push(found.fault.what.clone());
        }
    }
    document
}

/// What the profile says of one of its actions.
pub fn facts(profile: &Profile, name: &str) -> Option<ActionFacts> {
    let spec = profile.actions.iter().find(|action| *action.name == *name)?;
    let danger = spec.body.clone().take::<String>("danger").ok().flatten().unwrap_or_default();
    Some(ActionFacts::of(&spec.kind, &danger, &spec.body.keys()))
}

/// Every lint of a document, by what the profile says of its actions.
pub fn lints(document: &Document, profile: &Profile) -> Vec<Found> {
    lint(document, &|name| facts(profile, name))
}

/// Names in a document that nobody on this system has.
pub fn dangling(document: &Document, profile: &Profile, book: &Book, store: &Store) -> Vec<Fault> {
    let actions: Vec<&str> = profile.actions.iter().map(|action| &*action.name).collect();
    let alerts: Vec<&str> =
        book.rules().filter(|(_, rule, _)| !rule.kind.records()).map(|(_, rule, _)| rule.name.as_str()).collect();
    let contacts: Vec<&str> = profile.people.contacts.iter().map(|contact| contact.name.as_str()).collect();
    let levels: Vec<String> = Support::ALL.iter().map(ToString::to_string).collect();
    let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
    let recorded = |metric: &str| book.rules().any(|(_, rule, _)| rule.kind.records() && rule.name.as_str() == metric);
    let metric = |metric: &str| {
        let makers = store.makers(metric);
        let own = matches!(metric, "ALERTS" | "ALERTS_FOR_STATE" | "up") || recorded(metric);
        if own || !makers.known.is_empty() || !makers.possible.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = store.metrics().map(Clean::as_str).collect();
        Err(crate::base::body::misspelt(metric, &names).map(str::to_owned))
    };
    let samplers: Vec<&str> =
        profile.samplers.iter().map(|sampler| &*sampler.name).chain([crate::roles::logs::SAMPLER]).collect();
    let logs: Vec<&str> = profile.logs.iter().map(|log| &*log.name).collect();
    let known = Known {
        logs: &logs,
        actions: &actions,
        alerts: &alerts,
        contacts: &contacts,
        levels: &levels,
        samplers: Some(&samplers),
        metric: Some(&metric),
    };
    check(document, &known)
}

/// A line for everything that is wrong with a profile's procedures: faults, names that nobody has, lints, and files that
/// may not lead to actions.
pub(super) fn wrong(profile: &Profile, book: &Book, store: &Store) -> Vec<String> {
    let mut lines = Vec::new();
    for (spec, document) in profile.procedures.specs.iter().zip(documents(profile)) {
        lines.extend(document.faults.iter().map(Fault::to_string));
        lines.extend(dangling(&document, profile, book, store).iter().map(Fault::to_string));
        lines.extend(lints(&document, profile).iter().map(Found::to_string));
        if let Trust::DisplayOnly(fault) = &spec.trust {
            lines.push(format!("{fault} Until then this procedure is shown, and its actions cannot run."));
        }
    }
    lines
}
