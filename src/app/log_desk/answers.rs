//! What a pane wishes, answered: from the rings at once, the rest as effects.

use super::desk::{LogDesk, Reading};
use super::stream::Rings;
use crate::app::effect::Effect;
use crate::app::found;
use crate::app::log_pane::{Ask, COMMANDS, Finding};
use crate::app::model::{Model, Overlay};
use crate::app::walking;
use crate::app::{ProcedureList, enter};
use crate::base::{Clean, Level, LogLine, Now, Wall};
use crate::clean;
use crate::command::Command;
use crate::input::Key;
use crate::logs::matching::regex;
use crate::logs::reader::{Lines as _, Row};
use crate::logs::search::{Find, Progress};
use crate::logs::{LogBatch, LogPattern, LooksFor};
use crate::store::LogStore;
use std::sync::Arc;

/// Lines have come.
pub(in crate::app) fn on_logs(model: &mut Model, batches: Vec<LogBatch>) {
    for batch in batches {
        if batch.dropped > 0 {
            model.logs.lose(&batch.source, batch.dropped);
        }
        for reading in &mut model.log_desk.readings {
            reading.fails(&batch.source, batch.failure.as_ref());
        }
        match &batch.failure {
            Some(fault) => model.log_desk.failing.insert(Arc::clone(&batch.source), fault.clone()),
            None => model.log_desk.failing.remove(&batch.source),
        };
        model.changes.hear(&batch.source, &batch.lines);
        for (seen, line) in batch.lines {
            model.logs.push(&batch.source, line, seen);
        }
    }
    fresh(model);
}

/// Every pane learns how its log is now.
pub(in crate::app) fn fresh(model: &mut Model) {
    let (now, size) = (model.now, model.size);
    let LogDesk { readings, zone, .. } = &mut model.log_desk;
    for reading in readings {
        reading.pane.zone = *zone;
        reading.stream.take_in(&model.logs);
        let mut asks = reading.pane.stand_on(size);
        tell(reading, &model.logs);
        asks.extend(reading.pane.learn(reading.stream.status(&model.logs), now.mono));
        // Only pages are asked for here.
        let _rest = answer(reading, &model.logs, asks);
    }
}

fn tell(reading: &mut Reading, logs: &LogStore) {
    let (shown, of) = reading.stream.sifted(logs);
    reading.pane.sifted(crate::app::log_pane::Sifted { shown, of, come: reading.stream.come(logs), percent: 100 });
    let hit = reading.pane.finding().and_then(Finding::hit);
    let progress = progress(reading);
    let rank = hit.and_then(|hit| reading.stream.hit(hit, true)).and_then(|hit| hit.1);
    let asks = reading.pane.found(progress, rank);
    let _rest = answer(reading, logs, asks);
}

fn progress(reading: &Reading) -> Progress {
    let count = u64::try_from(reading.stream.hits()).unwrap_or(u64::MAX);
    Progress { count, done: true, percent: 100, ..Progress::default() }
}

/// Answers from the rings until nothing is asked; gives back what they do not know.
fn answer(reading: &mut Reading, logs: &LogStore, mut asks: Vec<Ask>) -> Vec<Ask> {
    let mut rest = Vec::new();
    while !asks.is_empty() {
        let ask = asks.remove(0);
        let more = match ask {
            Ask::Page(want) => {
                let page = Rings(&reading.stream, logs).page(&want);
                reading.pane.page(page)
            }
            Ask::Find(pattern, _) => {
                let find = Find::new(&pattern).map(Arc::new);
                reading.stream.find(find.as_ref().ok().cloned(), logs);
                reading.pane.compiled(find);
                let progress = progress(reading);
                reading.pane.found(progress, None)
            }
            Ask::Unfind => {
                reading.stream.find(None, logs);
                Vec::new()
            }
            Ask::Step(from, forward) => reading.pane.landed(reading.stream.hit(from, forward)),
            Ask::Nearest(from) => reading.pane.landed(reading.stream.hit(from, true)),
            Ask::Sift(filter) => {
                reading.stream.sift(filter, logs);
                tell(reading, logs);
                Vec::new()
            }
            Ask::Error(from, forward) => {
                let place = reading.stream.error(from, forward, logs);
                reading.pane.errored(place)
            }
            Ask::Time(time) => reading.pane.timed(reading.stream.since(time, logs)),
            Ask::Number(place) => {
                let (all, _) = reading.stream.sifted(logs);
                reading.pane.numbered(reading.stream.rank(place, logs), all);
                Vec::new()
            }
            other @ (Ask::Copy(_) | Ask::Save(..) | Ask::Open(..)) => {
                rest.push(other);
                Vec::new()
            }
        };
        asks.extend(more);
    }
    rest
}

/// The focused log carries a command out; `None` when none is focused or it is no command of a log.
pub(in crate::app) fn command(model: &mut Model, command: Command) -> Option<Vec<Effect>> {
    if !matches!(model.overlay, Overlay::None) || !COMMANDS.contains(&command) {
        return None;
    }
    let paused = model.board.paused.is_some();
    let reading = model.focused_log()?;
    if command == Command::Bottom && paused || command == Command::Back && !reading.pane.has_more() {
        return None;
    }
    let asks = reading.pane.command(command);
    Some(carry_out(model, asks))
}

/// A key for the line that is being typed.
pub(in crate::app) fn on_typed(model: &mut Model, key: &Key, now: Now) -> Vec<Effect> {
    let Some(reading) = model.focused_log() else { return Vec::new() };
    let asks = reading.pane.typed(key, now);
    carry_out(model, asks)
}

/// Text for the line that is being typed.
pub(in crate::app) fn on_paste(model: &mut Model, text: &Clean, now: Now) -> Vec<Effect> {
    let Some(reading) = model.focused_log().filter(|reading| reading.pane.types()) else { return Vec::new() };
    let asks = reading.pane.pasted(text, now);
    carry_out(model, asks)
}

/// Answers the focused log's wishes.
fn carry_out(model: &mut Model, asks: Vec<Ask>) -> Vec<Effect> {
    let Some(sources) = model.board.focused().map(|pane| pane.logs.clone()) else { return Vec::new() };
    let Some(reading) = model.log_desk.of_mut(&sources) else { return Vec::new() };
    let rest = answer(reading, &model.logs, asks);
    let done = rest.into_iter().flat_map(|ask| match ask {
        Ask::Copy(lines) => vec![Effect::Copy(lines)],
        Ask::Save(path, lines) => vec![Effect::Save(path, lines)],
        Ask::Open(source, line) => open(model, sources.get(usize::from(source)), &line),
        _ => Vec::new(),
    });
    done.collect()
}

/// Enter on a line: what a pattern of the profile leads to; else what Enter means everywhere.
fn open(model: &mut Model, source: Option<&Arc<str>>, line: &LogLine) -> Vec<Effect> {
    let patterns = Arc::clone(&model.log_desk.patterns);
    let text = line.message.as_str();
    let Some(pattern) = source.filter(|_| !line.marker).and_then(|source| patterns.worst(source, text)) else {
        return enter::open(model);
    };
    let entry = pattern.entry.clone();
    let known = entry.as_ref().and_then(|entry| model.procedures.document(entry.as_str()).cloned());
    if let Some(document) = known {
        walking::show(model, &document);
        return Vec::new();
    }
    let words = [Some(matched(pattern, text)), entry.clone(), Some(line.message.clone())];
    let search = words.into_iter().flatten().find(|words| !words.as_str().is_empty() && fits(model, words));
    match search {
        Some(words) => {
            let list = ProcedureList { search: crate::app::form::Line::new(&words), at: 0 };
            model.open(Overlay::Procedures(Box::new(list)));
        }
        None => {
            let entry = entry.map_or_else(Clean::default, |entry| clean!(" (entry {entry})"));
            let text = clean!("`{}`{entry}: no procedure of this profile knows it.", pattern.name);
            model.session.say(text, Level::Note, model.now);
        }
    }
    Vec::new()
}

fn fits(model: &Model, words: &Clean) -> bool {
    !found::rows(model, words).is_empty()
}

/// What of a line a pattern has found.
fn matched(pattern: &LogPattern, text: &str) -> Clean {
    let found = match &pattern.looks_for {
        LooksFor::Text(text) => Some(text.clone()),
        LooksFor::Regex(source) => {
            regex(source).ok().and_then(|regex| regex.find(text).map(|found| found.as_str().to_owned()))
        }
    };
    Clean::text(found.unwrap_or_default())
}

/// From the cursor in the charts to the log at its time; from a log back to the charts, the cursor at the line's time.
pub(in crate::app) fn across(model: &mut Model) {
    if let Some(reading) = model.focused_log() {
        let Some(time) = reading.pane.current().and_then(Row::time) else { return };
        let back = model.now.wall.since(time);
        let at = model.now.mono - back;
        model.board.look_at(Some(at));
        return;
    }
    let time = model.board.cursor.map_or(model.now.wall, |at| wall_of(model.now, at));
    if !model.board.focus_log() {
        return model.session.say("This profile shows no log.".into(), Level::Note, model.now);
    }
    let asks = model.focused_log().map(|reading| reading.pane.seek(time)).unwrap_or_default();
    let _effects = carry_out(model, asks);
}

fn wall_of(now: Now, at: crate::base::Mono) -> Wall {
    now.wall.back(now.mono.since(at))
}
