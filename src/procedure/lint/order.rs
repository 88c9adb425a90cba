//! The order of the steps: what must come before and after what.

use super::deeds::{Deed, Step};
use super::found;
use super::table::{
    BEFORE_BACKUP, BEFORE_PROOF, BEFORE_SPACE, LONG_NAME, NO_WAY_BACK, NOT_READ_ONLY, NOT_REREAD, NOT_VERIFIED,
    SECOND_COPY,
};
use crate::procedure::document::{Document, Live};
use crate::rules::lint::Found;

/// The word that a step says which cannot be undone.
const WORD: &str = "IRREVERSIBLE";

/// Everything about the order of the steps.
pub(super) fn check(document: &Document, steps: &[Step<'_>]) -> Vec<Found> {
    let mut out = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let (before, after) = (steps.get(..at).unwrap_or_default(), steps.get(at + 1..).unwrap_or_default());
        for (within, deed) in step.deeds.iter().enumerate() {
            let look = Look {
                before: before.iter().flat_map(|step| &step.deeds).chain(step.deeds.iter().take(within)).collect(),
                after: step.deeds.iter().skip(within + 1).chain(after.iter().flat_map(|step| &step.deeds)).collect(),
            };
            for (lint, what) in look.at(deed, step) {
                out.push(found(document, step.item, lint, what));
            }
        }
        if let (Live::Action(name, _), Some(facts)) = (&step.item.live, &step.facts)
            && !facts.safe
            && !facts.has_rollback
            && !step.says(WORD)
        {
            let what = format!("the action `{name}` has no way back, and the step does not say {WORD}.");
            out.push(found(document, step.item, NO_WAY_BACK, what));
        }
        if document.read_only && step.changes() {
            out.push(found(document, step.item, NOT_READ_ONLY, "the document is read-only, and this step is not."));
        }
    }
    out.dedup_by(|one, other| one.lint == other.lint && one.fault == other.fault);
    out
}

/// What was done by then, and what comes.
struct Look<'a> {
    before: Vec<&'a Deed>,
    after: Vec<&'a Deed>,
}

type Said = (&'static crate::rules::lint::Lint, String);

impl Look<'_> {
    fn at(&self, deed: &Deed, step: &Step<'_>) -> Vec<Said> {
        let undone = step.facts.as_ref().is_some_and(|facts| facts.has_rollback);
        match deed {
            Deed::Remove(path) if !undone => self.removal(path, step),
            Deed::Overwrite(path) if !self.is_kept(path) => {
                vec![(BEFORE_BACKUP, format!("`{path}` is written over, and no step before this one keeps it."))]
            }
            Deed::Keep(path, false) if !self.before.contains(&&Deed::Space) => {
                vec![(BEFORE_SPACE, format!("`{path}` is copied before anybody looks at the free space."))]
            }
            Deed::Grow if !self.before.contains(&&Deed::Space) => {
                vec![(BEFORE_SPACE, "the map grows before anybody looks at the free space.".to_owned())]
            }
            Deed::Edit(path) if !self.is_reread(path) => {
                vec![(NOT_REREAD, format!("`{path}` is edited by a pattern, and no step reads it again."))]
            }
            Deed::Start if !self.is_verified() => {
                vec![(NOT_VERIFIED, "no step after this one looks whether the service works.".to_owned())]
            }
            Deed::SecondCopy(name) => vec![(SECOND_COPY, format!("`{name}` starts the service once more."))],
            Deed::Search(name) => {
                let length = name.chars().count();
                vec![(LONG_NAME, format!("`{name}` has {length} characters; the kernel keeps 15 of a process's name."))]
            }
            _ => Vec::new(),
        }
    }

    fn removal(&self, path: &str, step: &Step<'_>) -> Vec<Said> {
        let what = if path.is_empty() { "something".to_owned() } else { format!("`{path}`") };
        let mut said = Vec::new();
        if !self.is_kept(path) {
            said.push((BEFORE_BACKUP, format!("{what} is removed, and no step before this one keeps it.")));
        }
        if !self.before.contains(&&Deed::Proof) {
            said.push((BEFORE_PROOF, format!("{what} is removed before anybody looks at the backup.")));
        }
        // Of an action the profile knows; see below.
        if step.facts.is_none() && !step.says(WORD) {
            said.push((NO_WAY_BACK, format!("{what} is removed for good, and the step does not say {WORD}.")));
        }
        said
    }

    fn is_kept(&self, path: &str) -> bool {
        self.before.iter().any(|deed| match deed {
            Deed::Keep(kept, _) => path.is_empty() || kept.is_empty() || inside(path, kept),
            _ => false,
        })
    }

    /// Before the service is started on it.
    fn is_reread(&self, path: &str) -> bool {
        let start = self.after.iter().position(|deed| **deed == Deed::Start).unwrap_or(self.after.len());
        self.after.iter().take(start).any(|deed| matches!(deed, Deed::Read(read) if read == path))
    }

    /// Before it is stopped again.
    fn is_verified(&self) -> bool {
        let stop = self.after.iter().position(|deed| **deed == Deed::Stop).unwrap_or(self.after.len());
        self.after.iter().take(stop).any(|deed| **deed == Deed::Verify)
    }
}

/// The same path, or one below it.
fn inside(path: &str, folder: &str) -> bool {
    let (path, folder) = (path.trim_end_matches('/'), folder.trim_end_matches(['/', '*']));
    path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
