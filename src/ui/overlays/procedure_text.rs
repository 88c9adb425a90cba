//! What is said of a procedure's item: what became of it, what is dangerous about it, what the document says.

use crate::action::lifecycle::Outcome;
use crate::app::{Model, commands, excerpt, facts, walking, written};
use crate::base::time::Age;
use crate::base::{Clean, Contact, Level};
use crate::clean;
use crate::command::{Command, Context};
use crate::config::Intent;
use crate::procedure::document::{Item, Live};
use crate::procedure::walk::{Mark, Standing, State};
use crate::ui::screen::key;
use crate::ui::value::wrap;

/// Lines of one paragraph at most.
const LINES: usize = 40;
/// Lines of what was pasted or worked out.
const MOST: usize = 12;

/// What the document says about an item, and how its action goes, a line each.
pub(super) fn prose(
    width: u16,
    model: &Model,
    (item, mark, current): (&Item, Option<&Mark>, bool),
) -> Vec<(Clean, Intent)> {
    let width = width.saturating_sub(2);
    let mut rows: Vec<(Clean, Intent)> = due(model).into_iter().collect();
    if let Some(mark) = mark {
        rows.extend(found(model, mark));
        rows.extend(looked_at_again(model, item));
        rows.extend(mark.shown.iter().take(MOST).map(|line| (line.clone(), Intent::Value)));
        if mark.shown.len() > MOST {
            let text =
                clean!("{} shows all {} lines.", key(model, Context::Procedure, Command::Whole), mark.shown.len());
            rows.push((text, Intent::Muted));
        }
    }
    if let Some(working) = walking::shown(model).filter(|_| current) {
        rows.extend(working.only_look.iter().map(|why| (why.clone(), Intent::Warning)));
        rows.extend(working.unkept.iter().map(|why| (clean!("NOT ON DISK: {why}"), Intent::Critical)));
        if !working.changes.is_empty() {
            let text = "Its file or a setting was changed since it was begun; the copy is gone on with. It differs in:";
            rows.push((text.into(), Intent::Warning));
            rows.extend(working.changes.iter().take(6).map(|line| (line.clone(), Intent::Note)));
        }
        rows.push((working.walk.question().sentence(), Intent::Focus));
    }
    rows.extend(log_end(model, item, mark));
    let repeated = item.beside.repeats.iter().flat_map(|of| excerpt::repeated(model, of));
    rows.extend(repeated.map(|line| (line, Intent::Accent)));
    rows.extend(hazards(model, item).map(|told| (clean!("HAZARD: {told}"), Intent::Warning)));
    if let Live::Escalate(call) = &item.live {
        rows.extend(reached(model, &call.to).map(|line| (line, Intent::Accent)));
    }
    let words = facts::filled(model, item);
    if let Live::Command(lines) = &item.live {
        rows.extend(lines.iter().map(|line| (clean!("$ {}", facts::fill(&words, line)), Intent::Accent)));
        rows.extend(runs(model, mark).filter(|_| current));
        let asked = walking::shown(model).map(|working| commands::action(&working.walk.document, item));
        let run = model.run.as_ref().filter(|run| asked.is_some_and(|action| *action == *run.plan.what.action));
        rows.extend(run.iter().flat_map(|run| &run.output).map(|line| (clean!("> {line}"), Intent::Text)));
    }
    rows.extend(written::facts(model, item).into_iter().map(|line| (line, Intent::Accent)));
    rows.extend(item.prose.iter().map(|line| (facts::fill(&words, line), Intent::Text)));
    if let (Live::Challenge(Some(expected)), false) = (&item.live, current) {
        rows.push((clean!("Expected: {}", facts::fill(&words, expected)), Intent::Text));
    }
    rows.extend(
        words.iter().map(|filled| (filled.sentence(), if filled.is_known() { Intent::Muted } else { Intent::Note })),
    );
    if let Some(failed) = &item.failed {
        rows.push((clean!("It has gone wrong if: {failed}"), Intent::Note));
    }
    rows.extend(goes(model, item).filter(|_| current));
    let lines = rows.iter().flat_map(|(text, intent)| match intent {
        // What was pasted keeps its columns.
        Intent::Value => vec![(text.clone(), Intent::Text)],
        _ => wrap(text, width, LINES).into_iter().map(|line| (line, *intent)).collect(),
    });
    lines.collect()
}

/// The newest lines of the log that an item is about, until they are kept.
fn log_end(model: &Model, item: &Item, mark: Option<&Mark>) -> Vec<(Clean, Intent)> {
    let Live::Log(tail) = &item.live else { return Vec::new() };
    if mark.is_some_and(|mark| mark.state != State::Open) {
        return Vec::new();
    }
    let found = excerpt::found(model, tail);
    let hidden = found.lines.len().saturating_sub(MOST);
    let lines = found.lines.into_iter().skip(hidden).map(|line| (line, Intent::Value));
    core::iter::once((found.text, Intent::Accent)).chain(lines).collect()
}

/// Where it goes on when it goes wrong.
fn goes(model: &Model, item: &Item) -> Option<(Clean, Intent)> {
    let to = item.go.as_ref()?;
    let to = walking::shown(model)?.walk.document.items.iter().find(|item| item.id == *to)?;
    let word = key(model, Context::Procedure, Command::WentWrong);
    Some((clean!("{word} then: it goes on at \"{}\".", to.title), Intent::Muted))
}

/// What is dangerous about it: said of the profile's text, since the copy of a run tells none.
fn hazards<'a>(model: &'a Model, item: &'a Item) -> impl Iterator<Item = &'a Clean> {
    let view = walking::view(model);
    let known = view.and_then(|view| model.procedures.document(&view.document.id));
    let same = known.and_then(|document| document.items.iter().find(|known| known.id == item.id));
    same.unwrap_or(item).beside.hazards.iter()
}

/// The contacts who are meant: by their support level, or by name.
fn reached<'a>(model: &'a Model, to: &'a Clean) -> impl Iterator<Item = Clean> + 'a {
    let meant = move |contact: &&Contact| contact.name == *to || contact.level.as_str() == to.as_str();
    let contacts = model.book.policy().contacts().iter().filter(meant).take(2);
    contacts.map(|contact| {
        let ways: Vec<&str> = contact.ways().map(Clean::as_str).collect();
        clean!("{}: {}", contact.label(), ways.join(", "))
    })
}

/// How its commands are run here, if they are.
fn runs(model: &Model, mark: Option<&Mark>) -> Option<(Clean, Intent)> {
    let word = |command| key(model, Context::Procedure, command);
    if mark.is_some_and(|mark| matches!(mark.state, State::Acting(_))) {
        return None;
    }
    if model.procedures.run_commands {
        let text =
            clean!("{} runs them through the prompt, {} copies them.", word(Command::RunCommands), word(Command::Copy));
        return Some((text, Intent::Muted));
    }
    Some((clean!("{} copies them; the profile does not allow to run them here.", word(Command::Copy)), Intent::Muted))
}

/// What has become of an item, in a sentence.
fn found(model: &Model, mark: &Mark) -> Option<(Clean, Intent)> {
    let age = Age(model.now.mono.since(mark.at.mono));
    let who = mark.who.as_ref().map_or_else(|| "seen".to_owned(), |who| format!("by {who}"));
    Some(match &mark.state {
        State::Open | State::NotNeeded => return None,
        State::Acting(plan) => {
            let run = model.run.as_ref().filter(|run| run.plan.id == *plan);
            let text = run.and_then(|run| run.progress.as_ref()).and_then(|progress| progress.waiting.clone());
            (text?, Intent::Note)
        }
        State::Acted(outcome) => {
            let level = if *outcome == Outcome::Succeeded { Level::Ok } else { Level::Critical };
            (clean!("{outcome}: {}", mark.text), Intent::of(level))
        }
        State::Failed | State::Regressed => (clean!("{}, {who} {age} ago", mark.text), Intent::Critical),
        State::Deferred(_) | State::Overridden => (clean!("{}, {who} {age} ago", mark.text), Intent::Warning),
        State::Sensed | State::Observed if mark.text.as_str().is_empty() => {
            (clean!("done, {who} {age} ago"), Intent::Muted)
        }
        State::Sensed | State::Observed => (clean!("{}, {who} {age} ago", mark.text), Intent::Muted),
    })
}

/// What was put off, is due, and waits for the current item.
fn due(model: &Model) -> Option<(Clean, Intent)> {
    let working = walking::shown(model).filter(|working| working.walk.standing == Standing::Running)?;
    let mut all = working.walk.due_elsewhere(model.now);
    let title = &working.walk.document.items.get(all.next()?)?.title;
    let count = all.count() + 1;
    let are = if count == 1 { "item is" } else { "items are" };
    let word = key(model, Context::Procedure, Command::Due);
    Some((clean!("{count} deferred {are} due: \"{title}\"; {word} goes there."), Intent::Warning))
}

/// What became of a done action while nobody was there.
fn looked_at_again(model: &Model, item: &Item) -> Option<(Clean, Intent)> {
    let working = walking::shown(model)?;
    let this = |at: usize| working.walk.document.items.get(at).is_some_and(|known| known.id == item.id);
    let again = working.again.iter().find(|again| this(again.item))?;
    let intent = match again.holds() {
        Some(true) => Intent::Muted,
        Some(false) => Intent::Critical,
        None => Intent::Warning,
    };
    Some((again.sentence(model.now.mono), intent))
}
