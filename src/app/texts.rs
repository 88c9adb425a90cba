//! Files of procedures that are changed while this console is at work: told in a sentence, never taken.

use super::effect::Effect;
use super::model::Model;
use crate::base::{Clean, Level};
use crate::clean;
use crate::procedure::Document;
use std::sync::Arc;

/// The file of a procedure, changed under a console at work.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The file's name without `.md`.
    pub id: Arc<str>,
    /// The digest of its text now; empty when it cannot be read.
    pub sha256: String,
    /// How it differs from what this console has read, or why it cannot be read; nothing when it is as it was.
    pub lines: Vec<Clean>,
}

/// What was read stays: a run goes by its copy, and this console by the text that it has checked.
pub(super) fn changed(model: &mut Model, changed: Changed) -> Vec<Effect> {
    let Changed { id, sha256, lines } = changed;
    let stem = |document: &Document| document.file.as_str().rsplit('/').next() == Some(&*format!("{id}.md"));
    let Some(title) = model.procedures.known.iter().find(|known| stem(known)).map(|known| known.title.clone()) else {
        return Vec::new();
    };
    let mut under_way = false;
    for working in model.procedures.walks.iter_mut().filter(|working| working.open()) {
        if stem(&working.walk.document) {
            under_way = true;
            let same = working.walk.document.sha256 == sha256;
            working.changes = if same { Vec::new() } else { lines.clone() };
        }
    }
    let what = match (lines.is_empty(), sha256.is_empty()) {
        (true, _) => "is as it was again",
        (false, true) => "cannot be read any more",
        (false, false) => "was changed just now",
    };
    let then = match (lines.is_empty(), under_way) {
        (true, _) => ".",
        (false, true) => ": this run goes on by its own copy, nothing of it is lost.",
        (false, false) => ": this console goes by what it has read, the next start reads it anew.",
    };
    let text = clean!("The file of \"{title}\" {what}{then}");
    let level = if lines.is_empty() { Level::Note } else { Level::Warning };
    model.session.say(text.clone(), level, model.now);
    vec![Effect::Log(text)]
}
