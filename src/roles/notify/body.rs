//! The JSON that a webhook gets: Alertmanager's webhook fields (version 4) and a few of ours, or a body of the
//! profile's own with `{{placeholders}}` that name those fields. Placeholders stand inside JSON texts and are
//! filled in after parsing: whatever an alert is called, it cannot change the body's form.

use crate::app::AlertNote;
use crate::base::body::nearest;
use crate::base::{Clean, Fault, Severity, Wall};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What Go writes for "no time", which is what receivers of Alertmanager expect while an alert fires.
const NEVER: &str = "0001-01-01T00:00:00Z";
/// A placeholder may begin with these.
const FIELDS: &[&str] = &[
    "status",
    "title",
    "severity",
    "count",
    "alerts",
    "commonLabels",
    "commonAnnotations",
    "groupKey",
    "host",
    "profile",
    "environment",
    "console",
    "receiver",
    "version",
];

/// Where alerts come from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// This host's name.
    pub host: Clean,
    /// The profile's title.
    pub profile: Clean,
    /// Its environment.
    pub environment: Clean,
}

/// A body of the profile's own; the default is [`whole`] as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template(Option<Node>);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// As it was written.
    Plain(Value),
    /// A text that is one placeholder: its value with its type.
    Whole(Vec<String>),
    /// A text with placeholders in it.
    Text(Vec<Piece>),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Plain(String),
    Field(Vec<String>),
}

impl Template {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is no JSON, or a placeholder names nothing.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            Fault::new(format!("`body` is no JSON (line {}, column {} of it).", error.line(), error.column()))
                .hint("Placeholders stand inside texts: { \"text\": \"{{title}}\" }.")
        })?;
        node(value).map(|node| Self(Some(node)))
    }

    /// The body for these alerts.
    pub fn render(&self, notes: &[AlertNote], origin: &Origin) -> Vec<u8> {
        let whole = whole(notes, origin);
        let body = self.0.as_ref().map_or_else(|| whole.clone(), |node| node.fill(&whole));
        body.to_string().into_bytes()
    }
}

fn node(value: Value) -> Result<Node, Fault> {
    Ok(match value {
        Value::String(text) => match pieces(&text)?.as_mut_slice() {
            [Piece::Field(path)] => Node::Whole(core::mem::take(path)),
            pieces if pieces.iter().all(|piece| matches!(piece, Piece::Plain(_))) => Node::Plain(Value::String(text)),
            pieces => Node::Text(pieces.to_vec()),
        },
        Value::Array(rows) => Node::Array(rows.into_iter().map(node).collect::<Result<_, _>>()?),
        Value::Object(fields) => Node::Object(
            fields.into_iter().map(|(key, value)| node(value).map(|node| (key, node))).collect::<Result<_, _>>()?,
        ),
        plain => Node::Plain(plain),
    })
}

fn pieces(text: &str) -> Result<Vec<Piece>, Fault> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or_else(|| Fault::new("a placeholder in `body` has no `}}`."))?;
        let path: Vec<String> = name.trim().trim_start_matches('.').split('.').map(ToOwned::to_owned).collect();
        let first = path.first().map_or("", String::as_str);
        if !FIELDS.contains(&first) {
            return Err(Fault::new(format!("`{{{{{}}}}}` in `body` names nothing.", name.trim()))
                .hint(nearest(first, FIELDS.iter().copied())));
        }
        if !before.is_empty() {
            pieces.push(Piece::Plain(before.to_owned()));
        }
        pieces.push(Piece::Field(path));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest.to_owned()));
    }
    Ok(pieces)
}

impl Node {
    fn fill(&self, from: &Value) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Whole(path) => find(from, path).cloned().unwrap_or(Value::Null),
            Self::Text(pieces) => Value::String(
                pieces
                    .iter()
                    .map(|piece| match piece {
                        Piece::Plain(text) => text.clone(),
                        Piece::Field(path) => match find(from, path) {
                            None | Some(Value::Null) => String::new(),
                            Some(Value::String(text)) => text.clone(),
                            Some(other) => other.to_string(),
                        },
                    })
                    .collect(),
            ),
            Self::Array(rows) => rows.iter().map(|row| row.fill(from)).collect(),
            Self::Object(fields) => {
                Value::Object(fields.iter().map(|(key, node)| (key.clone(), node.fill(from))).collect())
            }
        }
    }
}

fn find<'a>(from: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(from, |at, step| match at {
        Value::Array(rows) => step.parse().ok().and_then(|index: usize| rows.get(index)),
        other => other.get(step),
    })
}

/// Everything there is to tell.
fn whole(notes: &[AlertNote], origin: &Origin) -> Value {
    let status = word(notes.iter().any(|note| note.firing));
    let worst = notes.iter().map(|note| note.severity).max().unwrap_or_default();
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{host={:?}, profile={:?}}}", origin.host.as_str(), origin.profile.as_str()),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "watchkeeper",
        "groupLabels": {},
        "commonLabels": common(notes.iter().map(|note| note.labels.as_slice())),
        "commonAnnotations": common(notes.iter().map(|note| note.annotations.as_slice())),
        "externalURL": "",
        "alerts": notes.iter().map(alert).collect::<Vec<_>>(),
        "title": title(notes, worst),
        "severity": worst.name(),
        "count": notes.len(),
        "host": origin.host,
        "profile": origin.profile,
        "environment": origin.environment,
        "console": concat!("watchkeeper ", env!("CARGO_PKG_VERSION")),
    })
}

fn alert(note: &AlertNote) -> Value {
    json!({
        "status": word(note.firing),
        "labels": table(&note.labels),
        "annotations": table(&note.annotations),
        "startsAt": note.starts.rfc3339(),
        "endsAt": note.ends.map_or_else(|| NEVER.to_owned(), Wall::rfc3339),
        "generatorURL": "",
        "fingerprint": format!("{:016x}", fingerprint(&note.labels)),
        "severity": note.severity.name(),
        "value": note.value,
        "shown": note.shown,
        "simulated": note.simulated,
    })
}

const fn word(firing: bool) -> &'static str {
    if firing { "firing" } else { "resolved" }
}

/// `CRITICAL: 2 firing: GPU memory, Queue depth`.
fn title(notes: &[AlertNote], worst: Severity) -> String {
    let mut names: Vec<&str> = notes.iter().map(name).collect();
    names.dedup();
    let firing = notes.iter().filter(|note| note.firing).count();
    let counts = [(firing, "firing"), (notes.len() - firing, "resolved")];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let mark = if notes.iter().any(|note| note.simulated) { "SIMULATED " } else { "" };
    format!("{mark}{}: {}: {}", worst.word(), counts.join(", "), names.join(", "))
}

fn name(note: &AlertNote) -> &str {
    note.labels.iter().find(|(name, _)| name.as_str() == "alertname").map_or("", |(_, value)| value.as_str())
}

fn table(pairs: &[(Clean, Clean)]) -> Map<String, Value> {
    pairs.iter().map(|(name, value)| (name.to_string(), Value::String(value.to_string()))).collect()
}

/// What all have alike.
fn common<'a>(mut all: impl Iterator<Item = &'a [(Clean, Clean)]>) -> Map<String, Value> {
    let first = all.next().unwrap_or_default();
    let alike = all.fold(first.to_vec(), |mut alike, other| {
        alike.retain(|pair| other.contains(pair));
        alike
    });
    table(&alike)
}

/// Which alert, as Prometheus computes it: FNV-1a of 64 bits over the labels by name, each text ended by 0xFF.
pub(super) fn fingerprint(labels: &[(Clean, Clean)]) -> u64 {
    const OFFSET: u64 = 14_695_981_039_346_656_037;
    const PRIME: u64 = 1_099_511_628_211;
    let sorted: BTreeMap<&str, &str> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let texts = sorted.into_iter().flat_map(|(name, value)| [name, value]);
    let bytes = texts.flat_map(|text| text.bytes().chain([0xFF]));
    bytes.fold(OFFSET, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(PRIME))
}
