//! The rows of a keymap file: what they bind, and which of them clash, as placed faults.

use super::Chord;
use crate::base::body::nearest;
use crate::base::{Body, Clean, Fault};
use crate::command::{Command, Context, TABLE};
use core::fmt::Write;

/// Rows under this name hold in every context where their command means something.
const EVERYWHERE: &str = "everywhere";
/// The word that takes a key's meaning away.
const NONE: &str = "none";
/// Longest sequence.
const LONGEST: usize = 4;

/// One key sequence in one context.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub context: Context,
    pub keys: Vec<Chord>,
    /// `None` takes away what lower layers bound.
    pub command: Option<Command>,
    pub desc: Option<Clean>,
    /// Where it stands, to name it in a conflict.
    pub line: u32,
    pub general: bool,
}

impl Binding {
    /// Whether one is the other or its beginning: then one of them could never be typed.
    pub(super) fn clashes(&self, other: &Self) -> bool {
        self.context == other.context && (self.keys.starts_with(&other.keys) || other.keys.starts_with(&self.keys))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    on: String,
    run: String,
    pub desc: Option<Clean>,
}

/// The rows of one file that hold, the general ones first.
pub(super) fn read(layer: &Body, faults: &mut Vec<Fault>) -> Vec<Binding> {
    let mut file = layer.clone();
    let mut accepted: Vec<Binding> = Vec::new();
    let sections =
        core::iter::once((None, EVERYWHERE)).chain(Context::ALL.iter().map(|context| (Some(*context), context.word())));
    for (context, word) in sections {
        let rows = match file.take_array(word) {
            Ok(rows) => rows,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        for row in rows {
            match bindings(&row, context) {
                Ok(new) => accept(&mut accepted, new, &row, faults),
                Err(fault) => faults.push(fault),
            }
        }
    }
    match file.take_array(Context::Prompt.word()) {
        Ok(rows) => {
            let raw = "a prompt takes keys raw: nothing can be bound there.";
            faults.extend(rows.first().map(|row| row.fault(raw)));
        }
        Err(fault) => faults.push(fault),
    }
    let known: Vec<&str> =
        core::iter::once(EVERYWHERE).chain(Context::ALL.iter().map(|context| context.word())).collect();
    faults.extend(file.unknown(&known));
    accepted
}

/// What one row binds: once in its own context, or in every one where its command means something.
fn bindings(row: &Body, context: Option<Context>) -> Result<Vec<Binding>, Fault> {
    let Row { on, run, desc } = row.read()?;
    let keys = on
        .split_ascii_whitespace()
        .map(Chord::parse)
        .collect::<Result<Vec<Chord>, String>>()
        .map_err(|what| row.fault_at("on", what))?;
    if keys.is_empty() || keys.len() > LONGEST {
        return Err(row.fault_at("on", format!("a row needs 1 to {LONGEST} keys, this one has {}.", keys.len())));
    }
    let command = match run.as_str() {
        NONE => None,
        word => Some(Command::parse(word).ok_or_else(|| {
            let known = TABLE.iter().map(|spec| spec.word).chain([NONE]);
            row.fault_at("run", format!("unknown command `{word}`.")).hint(nearest(word, known))
        })?),
    };
    let works = |context: Context| command.is_none_or(|command| command.works_in(context));
    if let Some(context) = context.filter(|context| !works(*context)) {
        return Err(row.fault_at("run", format!("`{run}` means nothing in `{}`.", context.word())));
    }
    let line = row.fault_at("on", "").at.map_or(0, |place| place.line);
    Ok(Context::ALL
        .iter()
        .copied()
        .filter(|place| context.map_or_else(|| works(*place), |context| context == *place))
        .map(|place| Binding {
            context: place,
            keys: keys.clone(),
            command,
            desc: desc.clone(),
            line,
            general: context.is_none(),
        })
        .collect())
}

/// Adds what does not clash. A context's own row replaces a general one with the same keys.
fn accept(accepted: &mut Vec<Binding>, new: Vec<Binding>, row: &Body, faults: &mut Vec<Fault>) {
    for binding in new {
        let own = |old: &Binding| old.general && !binding.general && old.keys == binding.keys;
        match accepted.iter().position(|old| old.clashes(&binding)) {
            None => accepted.push(binding),
            Some(at) if accepted.get(at).is_some_and(own) => {
                accepted.remove(at);
                accepted.push(binding);
            }
            Some(at) => {
                let (line, keys) = accepted.get(at).map_or((0, String::new()), |old| (old.line, shown(&old.keys)));
                let what = format!(
                    "`{}` in `{}` clashes with `{keys}` of line {line}: one of them could never be typed.",
                    shown(&binding.keys),
                    binding.context.word(),
                );
                faults.push(row.fault_at("on", what));
                return;
            }
        }
    }
}

/// A sequence as help shows it.
pub(super) fn shown(keys: &[Chord]) -> String {
    let mut out = String::new();
    for (at, key) in keys.iter().enumerate() {
        // Writing to a String cannot fail.
        let _infallible = write!(out, "{}{key}", if at == 0 { "" } else { " " });
    }
    out
}
