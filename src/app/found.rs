//! The list of procedures: those under way and those that alerts ask for first, the rest found by symptom.

use super::effect::Effect;
use super::form::Line;
use super::model::{Model, Overlay};
use super::procedures::condition;
use super::walking;
use crate::base::Clean;
use crate::clean;
use crate::input::{Press, press};
use crate::procedure::document::{Condition, Live, Subject};
use crate::procedure::{Asked, Document, Waits, Walk, queue};
use crate::term::Input;
use std::sync::Arc;

/// A shorter symptom is found inside a pasted line only as a word of its own.
const TELLING: usize = 5;

/// The open list.
#[derive(Debug, Default)]
pub struct ProcedureList {
    /// What is looked for.
    pub search: Line,
    /// The selected row.
    pub at: usize,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which.
    pub document: Arc<Document>,
    /// The symptom that led here, or the alert that asks for it.
    pub why: Option<Clean>,
    /// An alert that it answers is up.
    pub asked: bool,
    /// Of its opening conditions these hold now: how many, of how many; and how many cannot be told.
    pub holds: (usize, usize, usize),
    weight: (u32, bool, usize, bool),
}

/// The rows for what is typed, the most fitting first.
pub fn rows(model: &Model, search: &Clean) -> Vec<Found> {
    let wanted = search.as_str().trim().to_lowercase();
    let asked = waiting(model);
    let known = model.procedures.known.iter();
    let mut rows: Vec<Found> = known.filter_map(|document| found(model, document, &asked, &wanted)).collect();
    rows.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.document.title.cmp(&b.document.title)));
    rows
}

/// The procedures that alerts ask for, the one to begin with first.
pub fn waiting(model: &Model) -> Vec<Asked> {
    let walks: Vec<&Walk> = model.procedures.walks.iter().map(|working| &working.walk).collect();
    let name = |rule: usize| model.book.rule(rule).map(|rule| &rule.name);
    queue(model.book.findings(), name, &model.procedures.known, &walks)
}

fn found(model: &Model, document: &Arc<Document>, asked: &[Asked], wanted: &str) -> Option<Found> {
    let at = asked.iter().position(|asked| asked.document.id == document.id);
    let asks = at.and_then(|at| asked.get(at));
    let (fits, symptom) = if wanted.is_empty() { (0, None) } else { fit(document, wanted)? };
    let under_way = model.procedures.under_way(document).is_some();
    // What fits comes first, then what is under way, then what is asked for, in the order of the queue; of equals, what
    // is of this host.
    let urgent = at.map_or(0, |at| asked.len() - at);
    let told = asks.map(|asked| match &asked.turn {
        Waits::Inhibited(cause) => clean!("{} is a consequence: {cause} is worked on", asked.name),
        Waits::Ready | Waits::Underway(_) => clean!("{} is up", asked.name),
    });
    Some(Found {
        document: Arc::clone(document),
        why: symptom.or(told),
        asked: asks.is_some_and(|asked| !matches!(asked.turn, Waits::Inhibited(_))),
        holds: holds(model, document),
        weight: (fits, under_way, urgent, is_of_this_host(model, document)),
    })
}

/// How well a document fits what is typed or pasted, in lower case, from 1 to 6, and by which symptom.
pub fn fit(document: &Document, wanted: &str) -> Option<(u32, Option<Clean>)> {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).map(str::to_lowercase).collect()
    };
    let title = document.title.as_str().to_lowercase();
    if title == wanted {
        return Some((6, None));
    }
    let typed: Vec<String> = words(wanted).into_iter().filter(|word| !word.is_empty()).collect();
    let all = |text: &str| typed.iter().all(|word| text.contains(word.as_str()));
    let pasted = |symptom: &str| {
        // `CUDA_ERROR 719` is found in `CUDA_ERROR_LAUNCH_FAILED (719)` and the other way round.
        let parts = words(symptom);
        wanted.contains(symptom) && symptom.chars().count() >= TELLING || parts.iter().all(|part| typed.contains(part))
    };
    for symptom in document.symptoms.iter().chain(&document.alerts) {
        let text = symptom.as_str().to_lowercase();
        if text == wanted {
            return Some((6, Some(symptom.clone())));
        }
        if pasted(&text) {
            return Some((5, Some(symptom.clone())));
        }
        if all(&text) {
            return Some((4, Some(symptom.clone())));
        }
    }
    if all(&title) {
        return Some((3, None));
    }
    let headings: String = document.items.iter().map(|item| item.title.as_str().to_lowercase() + " ").collect();
    let symptoms: String = document.symptoms.iter().map(|text| text.as_str().to_lowercase() + " ").collect();
    if all(&format!("{title} {symptoms} {headings}")) {
        return Some((2, None));
    }
    let prose = document.about.iter().chain(document.items.iter().flat_map(|item| &item.prose));
    let prose: String = prose.map(|line| line.as_str().to_lowercase() + " ").collect();
    all(&format!("{title} {symptoms} {headings} {prose}")).then_some((1, None))
}

/// The conditions that the document opens with.
fn opening(document: &Document) -> impl Iterator<Item = &Condition> {
    let opening = document.items.iter().take_while(|item| matches!(item.live, Live::Check(_) | Live::Read));
    opening.filter_map(condition)
}

/// It opens with a fact that this host has: its platform, say.
fn is_of_this_host(model: &Model, document: &Document) -> bool {
    let first = opening(document).next().filter(|condition| matches!(condition.of, Subject::Fact(_)));
    first.is_some_and(|fact| model.procedures.sight(fact, &model.store, model.now).holds == Some(true))
}

/// Of the conditions that the document opens with: how many hold now, of how many, and how many cannot be told.
fn holds(model: &Model, document: &Document) -> (usize, usize, usize) {
    let seen: Vec<Option<bool>> =
        opening(document).map(|condition| model.procedures.sight(condition, &model.store, model.now).holds).collect();
    let count = |wanted: Option<bool>| seen.iter().filter(|holds| **holds == wanted).count();
    (count(Some(true)), seen.len(), count(None))
}

/// Keys of the list: letters look for, arrows choose, Enter opens.
pub(super) fn on_input(model: &mut Model, input: &Input) -> Vec<Effect> {
    let Overlay::Procedures(list) = &mut model.overlay else { return Vec::new() };
    match input {
        Input::Paste { text, .. } => {
            list.search.insert(text.as_str());
            list.at = 0;
        }
        Input::Key(key) => match press(key) {
            Press::Cancel => model.back(),
            Press::Scroll(by) => {
                let search = list.search.text();
                let last = rows(model, &search).len().saturating_sub(1);
                if let Overlay::Procedures(list) = &mut model.overlay {
                    list.at = list.at.saturating_add_signed(by).min(last);
                }
            }
            Press::Enter => {
                let (search, at) = (list.search.text(), list.at);
                if let Some(found) = rows(model, &search).into_iter().nth(at) {
                    walking::show(model, &found.document);
                }
            }
            other => {
                list.search.edit(other);
                list.at = 0;
            }
        },
        _ => {}
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procedure::parse;

    fn weight(front: &str, title: &str, wanted: &str) -> Option<u32> {
        let text = format!("+++\ntitle = \"{title}\"\n{front}\n+++\n# {title}\n\n## Look\n\nAt it.\n");
        fit(&parse("a", "a.md", &text), wanted).map(|(weight, _)| weight)
    }

    #[test]
    fn a_title_typed_in_full_is_before_a_symptom_that_is_one_of_its_words() {
        let wanted = "connections are slow or refused";
        let whole = weight("symptoms = [\"backlog\"]", "Connections are slow or refused", wanted);
        let part = weight("symptoms = [\"slow\"]", "High processing latency", wanted);
        assert!(part.is_some() && whole > part, "{whole:?} {part:?}");
        assert_eq!(weight("symptoms = [\"backlog\"]", "Network", wanted), None);
    }
}
