//! A walk as a document: every heading of the procedure with what was seen, answered and worked out below it. And all of
//! one answer, on the whole screen.

use super::answer::{self, Purpose};
use super::effect::Effect;
use super::excerpt;
use super::form::{Field, Fields};
use super::model::{Model, Overlay, Scroll};
use super::procedures::Working;
use super::walking::{self, Word};
use crate::base::time::Age;
use crate::base::{Clean, Freshness, Level, Reading, Ulid, Unknown};
use crate::clean;
use crate::incident::markdown::{code, text};
use crate::incident::plain::ascii;
use crate::procedure::document::{Item, Live};
use crate::procedure::walk::{Mark, State};
use std::sync::Arc;

/// All that was found at an item.
#[derive(Debug)]
pub struct Whole {
    /// The item.
    pub title: Clean,
    /// In a few words.
    pub summary: Clean,
    /// Line by line.
    pub lines: Arc<[Clean]>,
    /// Where its reader stands.
    pub scroll: Scroll,
}

/// Shows all that was found at this item of the walk on screen.
pub(super) fn whole(model: &mut Model, at: usize) -> Vec<Effect> {
    let found = walking::shown(model).and_then(|working| {
        let (item, mark) = (working.walk.document.items.get(at)?, working.walk.marks.get(at)?);
        let (summary, lines) = match &item.live {
            // Before it is kept, a log is looked at as it is.
            Live::Log(tail) if mark.state == State::Open => {
                let found = excerpt::found(model, tail);
                (found.text, found.lines.into())
            }
            _ => (mark.text.clone(), Arc::clone(&mark.shown)),
        };
        (!lines.is_empty()).then(|| Whole { title: item.title.clone(), summary, lines, scroll: Scroll::default() })
    });
    match found {
        Some(whole) => {
            model.open(Overlay::Whole(Box::new(whole)));
            Vec::new()
        }
        None => walking::note(model, "Nothing was pasted, worked out or logged at this item.".into(), Level::Note),
    }
}

/// Asks for the file that the walk on screen is written into.
pub(super) fn ask(model: &mut Model) -> Vec<Effect> {
    let Some(working) = walking::shown(model) else {
        return walking::note(model, "It was not begun: there is nothing to write.".into(), Level::Note);
    };
    let (run, title) = (working.walk.id, working.walk.document.title.clone());
    let time: String = model.now.wall.rfc3339().chars().take(16).filter(|c| *c != ':').collect();
    let name = clean!("{}-{time}Z.md", working.walk.document.id);
    let mut field = Field::new("file", &name, "a new file, below the folder that the console was started in");
    field.needed = true;
    answer::open(model, Purpose::Walk(run, Word::Write), title, Fields::new(vec![field], 0))
}

/// The form was filled: the walk goes into that file, if there is none of the name.
pub(super) fn write(model: &mut Model, run: Ulid, path: Clean) -> Vec<Effect> {
    let lines = model.procedures.walk(run).map(|working| document(model, working)).unwrap_or_default();
    model.back();
    vec![Effect::Save(path, lines)]
}

/// The walk as Markdown, in plain ASCII; foreign text stays text.
pub fn document(model: &Model, working: &Working) -> Vec<Clean> {
    let walk = &working.walk;
    let identity = &model.identity;
    let mut out = vec![
        format!("# {}", text(walk.document.title.as_str())),
        String::new(),
        format!(
            "- Where: {}",
            text(clean!("{}, {} ({})", identity.host, identity.title, identity.environment).as_str())
        ),
        format!("- When: from {} to {}", walk.begun.wall.rfc3339(), model.now.wall.rfc3339()),
        format!("- Run: {} of {}", walk.id, code(&walk.document.id)),
    ];
    for (item, mark) in walk.document.items.iter().zip(&walk.marks).filter(|(_, mark)| mark.state != State::NotNeeded) {
        section(model, item, mark, &mut out);
    }
    out.iter().map(|line| Clean::text(ascii(line))).collect()
}

fn section(model: &Model, item: &Item, mark: &Mark, out: &mut Vec<String>) {
    let said = said(mark);
    // A line of a checklist stays one.
    if matches!(item.live, Live::Challenge(_)) {
        if out.last().is_some_and(|last| !last.is_empty() && !last.starts_with("- ")) {
            out.push(String::new());
        }
        out.push(format!("- {}: {said}", text(item.title.as_str())));
        return;
    }
    out.extend([
        String::new(),
        format!("{} {}", "#".repeat(usize::from(item.depth.clamp(2, 6))), text(item.title.as_str())),
    ]);
    out.push(String::new());
    let seen: Vec<String> = seen(model, item).iter().map(|line| format!("- {}", text(line.as_str()))).collect();
    if !seen.is_empty() {
        out.extend(seen);
        out.push(String::new());
    }
    if mark.found.lines.is_empty() {
        out.push(said);
        return;
    }
    // Indented it is code, and nothing in it can end that.
    out.extend([said, String::new()]);
    out.extend(mark.found.lines.iter().map(|line| format!("    {line}")));
}

/// What became of an item, in a sentence.
fn said(mark: &Mark) -> String {
    let by =
        mark.who.as_ref().map(|who| format!(" ({}, {})", text(who.as_str()), mark.at.wall.hms())).unwrap_or_default();
    let words = text(mark.text.as_str());
    match &mark.state {
        State::Open => "not answered".to_owned(),
        State::Acting(_) => "its action runs".to_owned(),
        State::Acted(outcome) => format!("{outcome}: {words}"),
        State::Failed => format!("went wrong: {words}{by}"),
        State::Regressed => format!("is so no more: {words}"),
        State::Deferred(_) => format!("put off: {words}{by}"),
        State::Overridden => format!("overridden: {words}{by}"),
        State::Sensed | State::Observed | State::NotNeeded if words.is_empty() => format!("read{by}"),
        State::Sensed | State::Observed | State::NotNeeded => format!("{words}{by}"),
    }
}

/// The values and facts that an item shows, as they are now: nothing old without its age.
pub fn seen(model: &Model, item: &Item) -> Vec<Clean> {
    let now = model.now.mono;
    let values = item.show.iter().map(|look| {
        let pane = model.procedures.shown(look, false).and_then(|pane| pane.headline.as_ref());
        match pane.map(|metric| (&metric.shown.reading, metric.shown.freshness(now))) {
            Some((Reading::Value { value, .. }, Freshness::Live)) => {
                clean!("{}: {}", look.label, look.unit.show(*value))
            }
            Some((Reading::Value { value, seen, .. }, fresh)) => {
                clean!("{}: {} ({}, {} old)", look.label, look.unit.show(*value), fresh.word(), Age(now.since(*seen)))
            }
            Some((Reading::NotSupported, _)) => clean!("{}: not supported here", look.label),
            Some((Reading::Unknown(Unknown::Failed(why) | Unknown::NotPermitted(why)), _)) => {
                clean!("{}: unknown: {why}", look.label)
            }
            Some((Reading::Unknown(why), _)) => clean!("{}: unknown. {}", look.label, super::trouble::why(why)),
            None => clean!("{}: unknown", look.label),
        }
    });
    let repeated = item.beside.repeats.iter().flat_map(|of| excerpt::repeated(model, of));
    values.chain(facts(model, item)).chain(repeated).collect()
}

/// What samplers say in words for an item.
pub fn facts(model: &Model, item: &Item) -> Vec<Clean> {
    let now = model.now.mono;
    let of = |name: &Arc<str>| {
        let Some(health) = model.store.sampler(name) else { return vec![clean!("{name}: not sampled here")] };
        let trouble = super::trouble::of(health, now, model.log_desk.zone);
        let mut told: Vec<Clean> = trouble.into_iter().map(|why| clean!("{name}: {why}")).collect();
        told.extend(health.facts.iter().map(|(fact, words)| clean!("{name}, {fact}: {words}")));
        if told.is_empty() {
            told.push(clean!("{name}: nothing said yet"));
        }
        told
    };
    item.beside.facts.iter().flat_map(of).collect()
}
