//! Runs that earlier consoles left unfinished: what they are of, where they stand, and whether one may go on with them.

use super::lease::{Holder, SILENCE, held, holder, is_held};
use super::log::{Head, Log};
use crate::action::files::diff;
use crate::action::lifecycle::Outcome;
use crate::base::{Clean, Fault, Now, Ulid};
use crate::clean;
use crate::procedure::walk::{Standing, State, Turn, Walk};
use crate::procedure::{Document, Step, document, parse};
use crate::sys::{files, paths};
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Whether one may go on with a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nobody has it.
    Free,
    /// Somebody has it; nothing was heard of them for so long, and their process may be gone.
    Held {
        /// Since the last heartbeat.
        silent: Duration,
        /// Their process is no more.
        gone: bool,
        /// All of it in a sentence.
        sentence: Clean,
    },
}

impl Hold {
    /// A lease that is free, or whose console is silent and gone, may be taken.
    pub fn may_take(&self) -> bool {
        match self {
            Self::Free => true,
            Self::Held { silent, gone, .. } => *gone && *silent > SILENCE,
        }
    }
}

/// One run.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which.
    pub run: Ulid,
    /// What it is of.
    pub head: Head,
    /// The copy of its text: it goes by this.
    pub text: String,
    /// Everything that happened in it; moments of earlier boots have a monotonic part of zero.
    pub steps: Vec<Step>,
    /// Who has it, or had it last.
    pub holder: Option<Holder>,
    /// Whether one may go on with it.
    pub hold: Hold,
}

impl Found {
    /// How it stands by its steps; a console that was killed left it running.
    pub fn standing(&self) -> Standing {
        let last = self.steps.iter().rev().find_map(|step| match &step.to {
            Turn::Walk(standing) => Some(standing.clone()),
            Turn::Item(_) | Turn::Current => None,
        });
        last.unwrap_or_default()
    }

    /// True while there is something to go on with.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.standing(), Standing::Running | Standing::Paused)
    }

    /// When it was interrupted: when it was paused, else when its console was last heard of.
    pub fn paused_at(&self) -> Now {
        let last = self.steps.last().map(|step| step.at).unwrap_or_default();
        match &self.holder {
            Some(holder) if self.standing() == Standing::Running && holder.beat.wall > last.wall => {
                let same_boot = last.mono <= holder.beat.mono && last.mono.0 > 0;
                if same_boot { holder.beat } else { Now { mono: last.mono, ..holder.beat } }
            }
            _ => last,
        }
    }

    /// The walk as it was left, paused, and the steps that are still to be written down for that.
    ///
    /// # Errors
    /// The steps are not of this document.
    pub fn walk(&self, document: Arc<Document>) -> Result<(Walk, Vec<Step>), Clean> {
        let mut walk = Walk::replay(self.run, document, &self.steps)?;
        let steps = walk.pause(&"its console ended".into(), self.paused_at());
        Ok((walk, steps))
    }

    /// `Procedure "LMDB full" · step 4/9 · paused 02:13 by oncall@pts/3 · last action: Succeeded`.
    pub fn sentence(&self, walk: &Walk) -> Clean {
        let (step, of) = walk.position();
        let at = self.paused_at().wall.hms();
        let by = self.holder.as_ref().map(|holder| format!(" by {holder}")).unwrap_or_default();
        let at = at.get(..5).unwrap_or(&at);
        let acted = walk.last_action().map(|(_, mark)| format!(" \u{b7} last action: {}", acted(&mark.state)));
        let acted = acted.unwrap_or_default();
        clean!("Procedure \"{}\" \u{b7} step {step}/{of} \u{b7} paused {at}{by}{acted}", self.head.title)
    }

    /// Somebody else had it: going on with it is a take-over.
    pub fn is_of_another(&self, login: &Clean) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.login != *login)
    }

    /// The run's own copy of its text, read anew.
    pub fn document(&self) -> Arc<Document> {
        Arc::new(parse(self.head.procedure.as_str(), self.head.file.as_str(), &self.text))
    }

    /// Something of it may still matter: an item that was put off, or an action whose end nobody knows.
    fn is_left(&self) -> bool {
        let mut items: BTreeMap<&str, &State> = BTreeMap::new();
        for step in &self.steps {
            if let (Some(item), Turn::Item(state)) = (&step.item, &step.to) {
                items.insert(item, state);
            }
        }
        let open = |state: &&State| {
            matches!(state, State::Deferred(_) | State::Acting(_) | State::Acted(Outcome::Indeterminate))
        };
        self.is_unfinished() || items.into_values().any(|state| open(&state))
    }

    /// What differs between the run's copy and the text on disk; nothing when they are the same.
    pub fn changes(&self, on_disk: &str) -> Vec<Clean> {
        if files::sha256(on_disk.as_bytes()) == self.head.sha256 { Vec::new() } else { diff(&self.text, on_disk) }
    }
}

const fn acted(state: &State) -> &'static str {
    match state {
        State::Acted(Outcome::Succeeded) => "Succeeded",
        State::Acted(Outcome::Failed) => "Failed",
        State::Acted(Outcome::Unverified) => "Unverified",
        State::Acted(Outcome::Refused) => "Refused",
        State::Acting(_) => "still running, or not known yet",
        _ => "Indeterminate",
    }
}

/// Every unfinished run under the state folder, oldest first, and what could not be read. Nothing is taken or changed.
pub fn open_runs(state: &Path, boot: &Clean, now: Now) -> (Vec<Found>, Vec<Fault>) {
    let dir = paths::runs_dir(state);
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    for run in runs(&dir) {
        let dir = dir.join(run.to_string());
        // Its console ended before anything of it was written down: there is nothing to go on with.
        if !dir.join("run.jsonl").exists() {
            continue;
        }
        match read(&dir, boot, now) {
            Ok((run, _)) if run.is_unfinished() => found.push(run),
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
    }
    (found, faults)
}

/// Removes the folders of runs that are over, but for the newest `keep` runs: none that somebody has, that put something
/// off which nobody has done since, or of whose actions one has an unknown end. Which were removed, and what could not be.
pub fn prune(state: &Path, keep: usize, boot: &Clean, now: Now) -> (Vec<Ulid>, Vec<Fault>) {
    let dir = paths::runs_dir(state);
    let all = runs(&dir);
    let (mut gone, mut faults) = (Vec::new(), Vec::new());
    for run in all.get(..all.len().saturating_sub(keep)).unwrap_or_default() {
        let folder = dir.join(run.to_string());
        // What cannot be read is told elsewhere, and stays.
        let Ok((found, _)) = read(&folder, boot, now) else { continue };
        if found.is_left() || found.hold != Hold::Free {
            continue;
        }
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => gone.push(*run),
            Err(error) => faults.push(files::fault("remove", &folder, &error)),
        }
    }
    (gone, faults)
}

/// The runs that have a folder, oldest first.
fn runs(dir: &Path) -> Vec<Ulid> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let name = |entry: std::fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse().ok());
    let mut runs: Vec<Ulid> = entries.flatten().filter_map(name).collect();
    runs.sort_unstable();
    runs
}

/// Reads one run.
pub(super) fn read(dir: &Path, boot: &Clean, now: Now) -> Result<(Found, Log), Fault> {
    let told = Log::read(&dir.join("run.jsonl"), boot)?;
    let copy = dir.join("procedure.md");
    let text = files::read(&copy, u64::try_from(document::LONGEST).unwrap_or(u64::MAX))?;
    let text = String::from_utf8(text)
        .map_err(|_| Fault::new("the copy of its text is not UTF-8.").at(copy.to_string_lossy(), 0, 0))?;
    if files::sha256(text.as_bytes()) != told.head.sha256 {
        let what = clean!("the copy of its text is not the one that it began with.");
        return Err(Fault::new(what.as_str()).at(copy.to_string_lossy(), 0, 0));
    }
    let holder = holder(dir);
    let hold = match &holder {
        _ if !is_held(dir) => Hold::Free,
        Some(by) => {
            Hold::Held { silent: by.silent_for(boot, now), gone: by.is_gone(boot), sentence: held(by, boot, now) }
        }
        None => {
            let sentence = "another console holds it and does not say who it is.".into();
            Hold::Held { silent: Duration::ZERO, gone: false, sentence }
        }
    };
    Ok((Found { run: told.head.run, head: told.head, text, steps: told.steps, holder, hold }, told.log))
}
