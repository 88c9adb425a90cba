//! Commands that stand in a procedure's text: run by a key of their own alone, where the profile allows it, and through
//! the one gate. `roles` takes what is run from the trusted file, never from here.

use super::effect::Effect;
use super::facts;
use super::model::{Model, Request};
use super::procedures::{ProcedureView, Working};
use super::prompt;
use super::run::Run;
use super::walking;
use crate::action::lifecycle::Progress;
use crate::action::mode::Mode;
use crate::base::{Clean, Level};
use crate::clean;
use crate::procedure::Document;
use crate::procedure::document::{Item, Live};
use crate::procedure::walk::State;
use std::sync::Arc;

/// What stands before document and item in the name of such an action.
const PREFIX: &str = "commands:";
/// Why a profile that says nothing has them copied only.
pub const NOT_ALLOWED: &str =
    "the profile does not allow it: `run_commands = true` in `[procedures]` of its own file would.";

/// The action that runs the commands of an item.
pub fn action(document: &Document, item: &Item) -> Arc<str> {
    format!("{PREFIX}{}/{}", document.id, item.id).into()
}

/// The key: a plan of the current item's commands, or why there is none.
pub(super) fn run(model: &mut Model) -> Vec<Effect> {
    match wanted(model) {
        Ok(request) => prompt::plan_with(model, request),
        Err(why) => {
            model.session.say(why, Level::Warning, model.now);
            Vec::new()
        }
    }
}

fn wanted(model: &Model) -> Result<Request, Clean> {
    if model.session.mode == Mode::ReadOnly {
        return Err("This console is read-only: it runs no commands.".into());
    }
    let Some(working) = walking::shown(model) else {
        return Err("Begin the procedure first: commands run as a step of it.".into());
    };
    if let Some(why) = &working.only_look {
        return Err(why.clone());
    }
    let Some(item) = working.walk.needs_commands() else {
        return Err("The current item has no commands to run.".into());
    };
    if let Some(fill) = item.beside.fill.first() {
        return Err(clean!(
            "These commands are copied, not run: {} in them is filled in on the screen only.",
            fill.word
        ));
    }
    if !model.procedures.run_commands {
        return Err(clean!("These commands can be copied, not run: {NOT_ALLOWED}"));
    }
    if model.run.as_ref().is_some_and(|run: &Run| !run.ended()) {
        return Err("One action at a time: another one is not over yet.".into());
    }
    Ok(Request::of(action(&working.walk.document, item)))
}

/// Why a run ended as it did: of commands what they said last, since nothing else is known of them.
pub(super) fn said(action: &str, progress: &Progress, why: Clean) -> Clean {
    let last = || progress.steps.iter().rev().find(|step| step.what.as_str().starts_with("ended with exit code"));
    match action.strip_prefix(PREFIX).and_then(|_| last()) {
        Some(step) => step.what.clone(),
        None => why,
    }
}

/// What is copied from the procedure on screen: the commands of the selected item, its code, else its text.
///
/// # Errors
/// The word that must be typed before it.
pub(super) fn copied(model: &Model, view: &ProcedureView, working: Option<&Working>) -> Result<Vec<Clean>, Clean> {
    let at = view.selected.or_else(|| working.map(|working| working.walk.current)).unwrap_or(0);
    let document = &view.document;
    let Some(item) = document.items.get(at) else { return Ok(Vec::new()) };
    if let Some((question, word)) = document.behind_word(at) {
        let mark = working.and_then(|working| working.walk.marks.get(question));
        if mark.is_none_or(|mark| mark.state != State::Observed || mark.text != *word) {
            let asked = document.items.get(question).map(|item| item.title.clone()).unwrap_or_default();
            return Err(clean!("Not copied: type {word} at \"{asked}\" first."));
        }
    }
    let lines = match &item.live {
        Live::Command(lines) => lines.clone(),
        _ if !item.code.is_empty() => item.code.clone(),
        _ => core::iter::once(item.title.clone()).chain(item.prose.iter().cloned()).collect(),
    };
    let words = facts::filled(model, item);
    Ok(lines.iter().map(|line| facts::fill(&words, line)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::lifecycle::Step;
    use crate::base::{Now, Ulid};

    #[test]
    fn what_commands_said_stands_for_their_end_and_other_actions_keep_their_own() {
        let mut progress = Progress::new(Ulid(1), 1);
        let step = |what: &str| Step { at: Now::default(), what: Clean::text(what) };
        progress.steps = vec![step("intent recorded"), step("ended with exit code 0: 42"), step("watching")];
        assert_eq!(said("commands:a/b", &progress, "why".into()).as_str(), "ended with exit code 0: 42");
        assert_eq!(said("restart", &progress, "why".into()).as_str(), "why");
        progress.steps.truncate(1);
        assert_eq!(said("commands:a/b", &progress, "why".into()).as_str(), "why");
    }
}
