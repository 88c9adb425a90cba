//! What happened, a row each, from the journal's records: what the console opened and closed for itself is left out.

use super::told::Told;
use crate::base::{Clean, Ulid, Wall};
use crate::clean;
use crate::journal::{Event, Line};
use std::collections::BTreeMap;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An alert, or what somebody said of it.
    Alert,
    /// A prompt and its answer.
    Prompt,
    /// What a runner did.
    Action,
    /// A procedure's item.
    Procedure,
    /// Written by somebody.
    Note,
    /// Armed, or back to OBSERVE.
    Mode,
    /// The incident itself.
    Incident,
}

impl Kind {
    /// The word in lists.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Prompt => "prompt",
            Self::Action => "action",
            Self::Procedure => "procedure",
            Self::Note => "note",
            Self::Mode => "mode",
            Self::Incident => "incident",
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// When.
    pub at: Wall,
    /// On whose behalf.
    pub who: Clean,
    /// What it is about.
    pub kind: Kind,
    /// What, in a sentence.
    pub text: Clean,
}

/// The records between two moments, both of them included.
pub fn between(lines: &[Line], from: Wall, to: Wall) -> Vec<Line> {
    lines.iter().filter(|line| line.at >= from && line.at <= to).cloned().collect()
}

/// What these records tell, oldest first.
pub fn rows(lines: &[Line]) -> Vec<Row> {
    // A prompt that was answered with No is recorded without its action's name.
    let names: BTreeMap<Ulid, &Clean> =
        lines.iter().filter_map(|line| Some((line.plan?, line.act.as_ref()?))).collect();
    let name = |line: &Line| line.act.clone().or_else(|| names.get(&line.plan?).map(|name| (*name).clone()));
    let row = |line: &Line| {
        let (kind, text) = said(line, name(line).as_ref())?;
        Some(Row { at: line.at, who: line.who.login.clone(), kind, text })
    };
    let mut rows: Vec<Row> = lines.iter().filter_map(row).collect();
    rows.sort_by_key(|row| row.at);
    rows
}

fn said(line: &Line, act: Option<&Clean>) -> Option<(Kind, Clean)> {
    let event = line.ev.as_str();
    let act = act.map_or("a prompt", Clean::as_str);
    let why = || line.of_res("why").map(|why| format!(": {why}")).unwrap_or_default();
    let is = |of: Event| event == of.name();
    if event.starts_with("alert.") {
        return Some((Kind::Alert, line.sentence()?));
    }
    if event.starts_with("procedure.") {
        return Some((Kind::Procedure, procedure(line)));
    }
    if let Some(told) = Told::of(line) {
        // It is no deed, and the report has it in a section of its own.
        if matches!(told, Told::Logged { .. }) {
            return None;
        }
        let kind = if matches!(told, Told::Noted(..) | Told::Done { .. }) { Kind::Note } else { Kind::Incident };
        return Some((kind, line.sentence()?));
    }
    if is(Event::Accepted) {
        Some((Kind::Prompt, clean!("accepted {act}: {}", args(line))))
    } else if is(Event::Refused) {
        Some((Kind::Prompt, clean!("refused {act}{}", why())))
    } else if is(Event::Intent) {
        Some((Kind::Action, clean!("{act} begins: everything is durable")))
    } else if is(Event::Stop) {
        Some((Kind::Action, clean!("asked {act} to end")))
    } else if is(Event::Outcome) || is(Event::ActionRefused) {
        Some((Kind::Action, outcome(line, act)))
    } else if is(Event::Arm) {
        Some((Kind::Mode, Clean::from("ARMED")))
    } else if is(Event::Disarm) {
        Some((Kind::Mode, clean!("OBSERVE{}", why())))
    } else {
        None
    }
}

/// What was shown and accepted, on one line.
fn args(line: &Line) -> String {
    line.args.iter().map(Clean::as_str).map(str::trim).collect::<Vec<_>>().join("; ")
}

fn outcome(line: &Line, act: &str) -> Clean {
    let text = |key: &str| line.of_res(key).unwrap_or_default();
    clean!("{act}: {}. {}", text("outcome"), text("reason"))
}

/// Any record of a procedure: which, which item, how it stands, with which value and why, as far as it says so.
fn procedure(line: &Line) -> Clean {
    let said = |key: &str| match line.res.get(key)? {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Null => None,
        other => Some(other.to_string()),
    };
    let event = line.ev.as_str().trim_start_matches("procedure.");
    let title = line.of_target("procedure").or_else(|| line.of_target("title")).map(|title| title.to_string());
    let head = [title, said("item")].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let tail = [said("state").unwrap_or_else(|| event.to_owned())]
        .into_iter()
        .chain(["value", "reason", "why"].iter().filter_map(|key| said(key)))
        .collect::<Vec<_>>()
        .join(", ");
    if head.is_empty() { Clean::text(tail) } else { clean!("{head}: {tail}") }
}
