//! What stands before the document: TOML between two lines `+++`. A YAML block of another tool gives its title; what else
//! is in it is named, and not used.

use super::block::lasting;
use super::draft::Draft;
use super::place::{Piece, Source};
use crate::base::{Body, Clean, Fault, Severity};
use crate::procedure::document::Fill;
use core::time::Duration;
use std::collections::BTreeMap;

const KNOWN: &[&str] = &[
    "title",
    "id",
    "symptoms",
    "alerts",
    "consequences",
    "time_box",
    "severity",
    "memory",
    "read_only",
    "order",
    "fill",
];

/// What the front matter says.
#[derive(Default)]
pub(super) struct Front {
    pub(super) title: Option<Clean>,
    pub(super) id: Option<String>,
    pub(super) symptoms: Vec<Clean>,
    pub(super) alerts: Vec<Clean>,
    pub(super) consequences: Vec<Clean>,
    pub(super) time_box: Option<Duration>,
    pub(super) severity: Option<Severity>,
    /// Ids of items, each with a fault that stands at them should there be none.
    pub(super) memory: Vec<(String, Fault)>,
    pub(super) read_only: bool,
    pub(super) order: Option<Clean>,
    pub(super) unused: (Vec<Clean>, u32),
    pub(super) fill: Vec<Fill>,
}

/// Reads it, and says at which byte the document itself begins.
pub(super) fn read(source: &Source<'_>, draft: &mut Draft<'_>) -> (Front, usize) {
    let bom = if source.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let text = source.text.get(bom..).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default().trim_end();
    match first {
        "+++" => match between(text, "+++") {
            Some((from, until, rest)) => (ours(&Piece::of(source, bom + from, bom + until), source, draft), bom + rest),
            None => {
                draft.fault(
                    source.fault(bom, "the front matter that begins here has no end.").hint("End it with `+++`."),
                );
                (Front::default(), bom)
            }
        },
        "---" => match between(text, "---").filter(|(from, until, _)| is_yaml(text.get(*from..*until))) {
            Some((from, until, rest)) => {
                (foreign(text.get(from..until).unwrap_or_default(), source.line(bom + from), draft), bom + rest)
            }
            None => (Front::default(), bom),
        },
        _ => (Front::default(), bom),
    }
}

/// Where the text between the first line and the next one like it begins and ends, and what follows that line.
fn between(text: &str, mark: &str) -> Option<(usize, usize, usize)> {
    let mut at = 0;
    let mut from = None;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        match from {
            None => from = Some(end),
            Some(from) if line.trim_end() == mark => return Some((from, at, end)),
            Some(_) => {}
        }
        at = end;
    }
    None
}

/// Two rules across the page have no keys between them.
fn is_yaml(text: Option<&str>) -> bool {
    let key = |line: &str| {
        let name = line.split_once(':').map(|(name, _)| name);
        name.is_some_and(|name| name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')))
            || line.starts_with([' ', '\t', '#', '-'])
            || line.trim().is_empty()
    };
    let lines = || text.unwrap_or_default().lines();
    lines().next().is_some_and(|line| !line.trim().is_empty()) && lines().all(key)
}

/// Of another tool: its title; the names of the rest stand above the first item, and in a lint.
fn foreign(text: &str, line: u32, draft: &mut Draft<'_>) -> Front {
    let mut unused: Vec<Clean> = Vec::new();
    let mut title = None;
    for (at, row) in text.lines().enumerate() {
        let key = row.split_once(':').filter(|_| !row.starts_with([' ', '\t', '#', '-']));
        match key {
            Some(("title", value)) if title.is_none() => title = scalar(value, text.lines().skip(at + 1)),
            Some((key, _)) => unused.push(Clean::text(key)),
            None => {}
        }
    }
    if !unused.is_empty() {
        draft.prose(line, crate::clean!("Front matter of another tool, not used here: {}.", named(&unused)));
    }
    Front { title, unused: (unused, line), ..Front::default() }
}

/// Names in a row.
fn named(keys: &[Clean]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// A plain, a quoted or a folded text of YAML.
fn scalar<'a>(value: &str, below: impl Iterator<Item = &'a str>) -> Option<Clean> {
    let value = value.trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.split(quote).next());
    let text = match quoted {
        Some(text) => text.to_owned(),
        None if value.starts_with(['>', '|']) => {
            let rows = below.take_while(|row| row.starts_with([' ', '\t'])).map(str::trim);
            rows.collect::<Vec<_>>().join(" ")
        }
        None => value.split(" #").next().unwrap_or_default().trim().to_owned(),
    };
    (!text.is_empty()).then(|| Clean::text(text))
}

fn ours(piece: &Piece, source: &Source<'_>, draft: &mut Draft<'_>) -> Front {
    let whole = match Body::parse(source.file, &piece.text) {
        Ok(body) => body,
        Err(fault) => {
            draft.fault(piece.placed(source, fault));
            return Front::default();
        }
    };
    let mut keys = Keys { rest: whole.clone(), whole, faults: Vec::new() };
    let front = keys.read();
    let odd = keys.rest.unknown(KNOWN);
    for fault in keys.faults.into_iter().chain(odd) {
        draft.fault(piece.placed(source, fault));
    }
    let memory = front.memory.into_iter().map(|(id, fault)| (id, piece.placed(source, fault))).collect();
    Front { memory, ..front }
}

/// Whose fact stands for a word.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with `sampler` and `fact`")]
struct FillRow {
    sampler: String,
    fact: String,
}

/// One wrong key does not hide the others.
struct Keys {
    rest: Body,
    whole: Body,
    faults: Vec<Fault>,
}

impl Keys {
    fn read(&mut self) -> Front {
        let memory = self.take::<Vec<String>>("memory").unwrap_or_default();
        let time_box = self.take::<String>("time_box").and_then(|text| {
            let time = lasting(&text).filter(|time| !time.is_zero());
            if time.is_none() {
                let fault = self.whole.fault_at("time_box", "`time_box` is no length of time.");
                self.faults.push(fault.hint("Write it like `5m`."));
            }
            time
        });
        Front {
            title: self.take::<String>("title").filter(|title| !title.trim().is_empty()).map(Clean::text),
            id: self.id(),
            symptoms: self.texts("symptoms"),
            alerts: self.texts("alerts"),
            consequences: self.texts("consequences"),
            time_box,
            severity: self.take("severity"),
            memory: memory.into_iter().map(|id| (id, self.whole.fault_at("memory", ""))).collect(),
            read_only: self.take("read_only").unwrap_or_default(),
            order: self.take::<String>("order").filter(|order| !order.trim().is_empty()).map(Clean::text),
            unused: (Vec::new(), 0),
            fill: self.fill(),
        }
    }

    /// `[fill]`: by word whose fact stands for it.
    fn fill(&mut self) -> Vec<Fill> {
        let rows = self.take::<BTreeMap<String, FillRow>>("fill").unwrap_or_default();
        let mut fill = Vec::new();
        for (word, row) in rows {
            let letters = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            if word.len() < 3
                || word.len() > 40
                || !word.chars().all(letters)
                || word.starts_with(|c: char| !c.is_ascii_uppercase())
            {
                let what = format!("`{}` is no word to fill in: 3 to 40 capitals, digits and `_`.", Clean::text(&word));
                self.faults.push(self.whole.fault_at("fill", what).hint("Write it like `NAME`."));
                continue;
            }
            fill.push(Fill { word: Clean::text(word), sampler: row.sampler.into(), fact: Clean::text(row.fact) });
        }
        fill
    }

    fn id(&mut self) -> Option<String> {
        let id = self.take::<String>("id")?;
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if !id.is_empty() && id.len() <= 80 && id.chars().all(good) {
            return Some(id);
        }
        let fault = self.whole.fault_at("id", "an id has letters, digits, `-`, `_` and `.`, 80 at most.");
        self.faults.push(fault);
        None
    }

    fn texts(&mut self, key: &str) -> Vec<Clean> {
        self.take::<Vec<String>>(key).unwrap_or_default().iter().map(Clean::text).collect()
    }

    fn take<T: serde::de::DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        self.rest.take(key).unwrap_or_else(|fault| {
            self.faults.push(fault);
            None
        })
    }
}
