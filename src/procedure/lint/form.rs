//! Pages, memory items and the call at the end.

use super::deeds::Step;
use super::found;
use super::table::{FOREIGN_FRONT, MEMORY, NO_ESCALATION, TOO_LONG};
use crate::base::{Clean, Fault, Place};
use crate::procedure::document::{Document, Item, Live, PAGE};
use crate::rules::lint::Found;

/// To be known by heart, at most (safety.md 4.4).
const BY_HEART: usize = 3;

/// Everything about the form.
pub(super) fn check(document: &Document, steps: &[Step<'_>]) -> Vec<Found> {
    let mut out = Vec::new();
    let mut page = (0, 0);
    for item in document.items.iter().filter(|item| !is_section(document, item)) {
        page = if item.page == page.0 { (page.0, page.1 + 1) } else { (item.page, 1) };
        if page.1 == PAGE + 1 {
            out.push(found(document, item, TOO_LONG, format!("this is item {} of its page.", page.1)));
        }
    }
    let by_heart = document.items.iter().filter(|item| item.memory).count();
    let late = document.items.iter().skip_while(|item| item.memory).find(|item| item.memory);
    if let Some(item) = late {
        out.push(found(document, item, MEMORY, "it is to be known by heart, but others come before it."));
    } else if let Some(item) = document.items.get(BY_HEART).filter(|_| by_heart > BY_HEART) {
        out.push(found(document, item, MEMORY, format!("{by_heart} items are to be known by heart.")));
    }
    if let Some(last) = steps.iter().rposition(Step::changes)
        && !steps.iter().skip(last).any(calls)
        && let Some(item) = document.items.last()
    {
        out.push(found(document, item, NO_ESCALATION, "when the last step has not helped, nobody is called."));
    }
    out.extend(front(document));
    out
}

/// What another tool's front matter says, and nobody uses here.
fn front(document: &Document) -> Option<Found> {
    let (unused, line) = &document.unused;
    let keys: Vec<String> = unused.iter().map(|key| format!("`{key}`")).collect();
    let at = Place { file: document.file.clone(), line: *line, column: 0 };
    let what = format!("only `title` of this YAML is used, not {}.", keys.join(", "));
    let fault = Fault { at: Some(at), ..Fault::new(what) };
    (!keys.is_empty()).then(|| Found { lint: FOREIGN_FRONT, about: Clean::default(), fault })
}

/// A heading that only holds others is no item to be done.
fn is_section(document: &Document, item: &Item) -> bool {
    let next = document.items.iter().find(|next| next.line > item.line);
    matches!(item.live, Live::Read) && next.is_some_and(|next| next.depth > item.depth)
}

fn calls(step: &Step<'_>) -> bool {
    let item = step.item;
    let named = |text: &str| {
        let text = text.to_lowercase();
        ["escalat", "call the", "call l", "page the", "on-call"].iter().any(|word| text.contains(word))
    };
    matches!(item.live, Live::Escalate(_))
        || named(item.title.as_str())
        || item.prose.iter().any(|text| named(text.as_str()))
}
