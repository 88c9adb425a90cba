//! What the logs said last, and what repeats in them: as lines of text for records, which stay when a log is gone.
//! Bounded and without secrets.

use super::effect::{Effect, Entry};
use super::model::Model;
use crate::base::scrub::scrub;
use crate::base::{Clean, LogLevel, LogLine, Mono, Now, Ulid, Wall};
use crate::clean;
use crate::incident::Told;
use crate::incident::card::moment;
use crate::logs::fold;
use crate::logs::tally::MATCHES;
use crate::procedure::document::{Repeats, Tail};
use crate::procedure::walk::Found;
use crate::rules::finding::Finding;
use crate::store::{LogRing, Selector};
use core::time::Duration;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Logs that an incident tells of at most.
const SOURCES: usize = 4;
/// Lines of each.
const LINES: usize = 30;
/// Characters of a line.
const WIDTH: usize = 240;
/// So many of the newest errors are sorted into groups: this is done for every picture.
const GROUPED: usize = 2_000;

/// The newest lines of a log, oldest first; `None` when the profile has no such log.
pub fn tail(model: &Model, source: &str, lines: usize) -> Option<Vec<Clean>> {
    let ring = model.logs.ring(source)?;
    let end = ring.first_index() + u64::try_from(ring.len()).unwrap_or(0);
    let from = end.saturating_sub(u64::try_from(lines).unwrap_or(0)).max(ring.first_index());
    Some((from..end).filter_map(|index| ring.get(index)).map(written).collect())
}

/// Lines of a log that are looked through at once for one that a pattern knows.
const LOOKED: usize = 5_000;
/// No line is older than this when its alert fires.
const BEFORE: Duration = Duration::from_secs(120);

/// Up to where each log was looked through.
pub type Looked = BTreeMap<Arc<str>, u64>;

/// The newest line that an alert on patterns of logs has counted, behind the log's name, among those that were not looked
/// at before; `None` for an alert on anything else, and where the line has left.
pub fn counted(model: &Model, finding: &Finding, looked: &mut Looked) -> Option<Clean> {
    let alert = &finding.id;
    let all = model.book.rule(alert.rule)?.expr.selectors();
    let (of, others): (Vec<&Selector>, Vec<_>) =
        all.iter().partition(|selector| selector.metric_name() == Some(MATCHES));
    // One that something else may have raised says by a label that it was a pattern.
    if of.is_empty() || !others.is_empty() && alert.key.label("pattern").is_none() {
        return None;
    }
    let fired = finding.fired.unwrap_or(finding.since).mono;
    let may = |label: &str, value: &str| {
        let own = alert.key.label(label).is_none_or(|own| own.as_str() == value);
        own && of.iter().any(|selector| selector.may_have(label, value))
    };
    let patterns = &model.log_desk.patterns;
    let wanted = |at: &usize| patterns.all().get(*at).is_some_and(|pattern| may("pattern", pattern.name.as_str()));
    let newest = |(source, ring): (&Arc<str>, &LogRing)| {
        let end = ring.first_index() + u64::try_from(ring.len()).unwrap_or(0);
        let known = looked.insert(Arc::clone(source), end).unwrap_or(0).max(ring.first_index());
        let new = (known..end).rev().take(LOOKED).filter_map(|index| ring.get(index));
        let mut new = new.take_while(|(seen, _)| fired.since(seen.mono) <= BEFORE);
        let is = |(_, line): &&(Now, LogLine)| {
            !line.marker && patterns.matches(source, line.message.as_str()).iter().any(wanted)
        };
        new.find(is).map(|entry| (entry.0.mono, clean!("{source}: {}", written(entry))))
    };
    let rings = model.logs.rings().filter(|(source, _)| may("source", source));
    rings.filter_map(newest).max_by_key(|(seen, _)| *seen).map(|(_, line)| line)
}

/// A line with its time in UTC: as it was written, else as it was seen.
fn written((seen, line): &(Now, LogLine)) -> Clean {
    // Nobody knows when a line came that was there before the console and says no time.
    let time = line.time.or_else(|| (seen.mono != Mono::default()).then_some(seen.wall));
    let time = time.map(|time| format!("{}Z ", moment(time).replace(' ', "T"))).unwrap_or_default();
    let level = line.level.map(|level| format!("{} ", level.word())).unwrap_or_default();
    let text = scrub(&format!("{time}{level}{}", line.message));
    Clean::text(cut(&text))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
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

/// Errors that differ in numbers only.
struct Group {
    count: usize,
    /// The newest of them, and when it was written.
    last: Wall,
    text: Clean,
}

/// The errors of a log that repeat most, the most frequent first: a line that tells how many there are, then one for each
/// kind.
pub fn repeated(model: &Model, of: &Repeats) -> Vec<Clean> {
    let window = match of.within.as_secs() {
        seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    };
    if let Some(fault) = model.log_desk.failing.get(&of.source) {
        return vec![clean!("Errors of {}: it cannot be read: {fault}", of.source)];
    }
    let Some(ring) = model.logs.ring(&of.source) else { return vec![clean!("Errors of {}: unknown", of.source)] };
    let from = model.now.wall.back(of.within);
    let (found, earliest) = errors(ring, from);
    let short = ring.dropped() > 0 && earliest.is_none_or(|earliest| earliest > from);
    let seen = earliest.filter(|_| short).map(|at| format!(", seen since {} UTC only", at.hms())).unwrap_or_default();
    if found.is_empty() {
        return vec![clean!("Errors of {} in {window}: none{seen}", of.source)];
    }
    let mut groups: HashMap<String, Group> = HashMap::new();
    for (at, line) in found.iter().take(GROUPED) {
        let new = || Group { count: 0, last: *at, text: line.message.clone() };
        groups.entry(fold::template(line.message.as_str())).or_insert_with(new).count += 1;
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| (b.count, b.last, &a.text).cmp(&(a.count, a.last, &b.text)));
    let newest = if found.len() > GROUPED { format!(", the newest {GROUPED} grouped") } else { String::new() };
    let (count, kinds) = (found.len(), groups.len());
    let noun = if kinds == 1 { "kind" } else { "kinds" };
    let head = clean!("Errors of {} in {window}: {count} of {kinds} {noun}{newest}{seen}", of.source);
    let rows = groups.iter().take(of.most).map(|group| {
        let text = cut(&scrub(group.text.as_str()));
        clean!("{:>5}× {text} (last {} UTC)", group.count, group.last.hms())
    });
    core::iter::once(head).chain(rows).collect()
}

/// Errors since this moment, the newest first, and when the oldest line was written that is still here. A line whose time
/// nobody knows is none.
fn errors(ring: &LogRing, from: Wall) -> (Vec<(Wall, &LogLine)>, Option<Wall>) {
    let end = ring.first_index() + u64::try_from(ring.len()).unwrap_or(0);
    let timed =
        |(seen, line): &(Now, LogLine)| line.time.or_else(|| (seen.mono != Mono::default()).then_some(seen.wall));
    let all = || (ring.first_index()..end).filter_map(|index| ring.get(index)).filter(|(_, line)| !line.marker);
    let earliest = all().find_map(timed);
    let found = all().rev().filter(|(_, line)| is_error(line));
    let found = found.filter_map(|entry| Some((timed(entry)?, &entry.1))).filter(|(at, _)| *at >= from);
    (found.collect(), earliest)
}

/// By its level; and the line of a traceback that names the exception, which has none.
fn is_error(line: &LogLine) -> bool {
    let exception = || {
        let name = line.message.as_str().split(':').next().unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        name.chars().all(plain) && (name.ends_with("Error") || name.ends_with("Exception"))
    };
    line.level.map_or_else(exception, |level| level == LogLevel::Error)
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
