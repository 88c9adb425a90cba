//! What the logs said last: as lines of text for records, which stay when a log is gone. Bounded and without secrets.

use super::effect::{Effect, Entry};
use super::model::Model;
use crate::base::scrub::scrub;
use crate::base::{Clean, LogLine, Mono, Now, Ulid};
use crate::clean;
use crate::incident::Told;
use crate::incident::card::moment;
use crate::procedure::document::Tail;
use crate::procedure::walk::Found;
use std::sync::Arc;

/// Logs that an incident tells of at most.
const SOURCES: usize = 4;
/// Lines of each.
const LINES: usize = 30;
/// Characters of a line.
const WIDTH: usize = 240;

/// The newest lines of a log, oldest first; `None` when the profile has no such log.
pub fn tail(model: &Model, source: &str, lines: usize) -> Option<Vec<Clean>> {
    let ring = model.logs.ring(source)?;
    let end = ring.first_index() + u64::try_from(ring.len()).unwrap_or(0);
    let from = end.saturating_sub(u64::try_from(lines).unwrap_or(0)).max(ring.first_index());
    Some((from..end).filter_map(|index| ring.get(index)).map(written).collect())
}

/// A line with its time in UTC: as it was written, else as it was seen.
fn written((seen, line): &(Now, LogLine)) -> Clean {
    // Nobody knows when a line came that was there before the console and says no time.
    let time = line.time.or_else(|| (seen.mono != Mono::default()).then_some(seen.wall));
    let time = time.map(|time| format!("{}Z ", moment(time).replace(' ', "T"))).unwrap_or_default();
    let level = line.level.map(|level| format!("{} ", level.word())).unwrap_or_default();
    let text = scrub(&format!("{time}{level}{}", line.message));
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => clean!("{}…", text.get(..end).unwrap_or_default()),
        None => Clean::text(text),
    }
}

/// What an item of a procedure finds at the end of a log, or why there is nothing.
pub fn found(model: &Model, of: &Tail) -> Found {
    let lines = tail(model, &of.source, of.lines).unwrap_or_default();
    let (count, source) = (lines.len(), &of.source);
    let noun = if count == 1 { "line" } else { "lines" };
    let text = match model.log_desk.failing.get(source) {
        Some(fault) if count == 0 => clean!("{source} cannot be read: {fault}"),
        Some(fault) => clean!("{count} {noun} of {source}, which cannot be read any more: {fault}"),
        None if count == 0 => clean!("{source} has said nothing yet"),
        None => clean!("{count} {noun} of {source}"),
    };
    Found { text, lines, value: None }
}

/// The logs around an incident, for the journal: those that the newest alert is about first.
pub(super) fn around(model: &Model, id: Ulid) -> Vec<Effect> {
    let told = sources(model).into_iter().filter_map(|source| {
        let lines = tail(model, &source, LINES).filter(|lines| !lines.is_empty())?;
        let source = Clean::text(source.as_bytes());
        Some(Effect::Record(Entry::Incident(Told::Logged { id, source, lines })))
    });
    told.take(SOURCES).collect()
}

/// Every log: first those whose lines the newest alert counts.
fn sources(model: &Model) -> Vec<Arc<str>> {
    let mut all: Vec<Arc<str>> = model.logs.rings().map(|(name, _)| Arc::clone(name)).collect();
    let newest = model.alerts().into_iter().max_by_key(|found| found.fired.unwrap_or(found.since).mono);
    let Some(newest) = newest else { return all };
    let selectors = model.book.rule(newest.id.rule).map_or(&[][..], |rule| rule.expr.selectors());
    let series = selectors.iter().flat_map(|selector| model.store.select(selector));
    let mut about: Vec<&Clean> = series.filter_map(|series| model.store.key(series).label("source")).collect();
    // An alert of one source is about that one, whatever else its rule looks at.
    if let Some(own) = newest.id.key.label("source") {
        about = vec![own];
    }
    all.sort_by_key(|source| !about.iter().any(|named| named.as_str() == &**source));
    all
}
