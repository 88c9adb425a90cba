//! What a run has left of files and trees, by digest: its way back is for exactly that, and refused once any of it was
//! touched since.

use super::back::{self, Of};
use super::lifecycle::Run;
use crate::base::{Clean, Fault, Unit};
use crate::sys::entry::Entry;
use crate::sys::tree::{Seal, seal};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What an entry is to the run that left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It was put there.
    Put,
    /// It was there before, and is kept under another name.
    Aside,
}

impl Part {
    const fn word(self) -> &'static str {
        match self {
            Self::Put => "what was put there",
            Self::Aside => "what was kept aside",
        }
    }
}

/// One entry as it was left.
#[derive(Debug, Serialize, Deserialize)]
struct Piece {
    part: Part,
    path: PathBuf,
    seal: Seal,
}

/// All that a run has left.
#[derive(Debug, Serialize, Deserialize)]
pub struct Left {
    pieces: Vec<Piece>,
    /// Who may have touched it since.
    #[serde(default)]
    others: String,
}

impl Left {
    /// Looks at what stands at these paths, and keeps it with the run: what is to be said of that.
    pub fn keep(run: &Run, paths: &[(Part, &Path)]) -> String {
        let look = |(part, path): &(Part, &Path)| {
            Ok(Piece { part: *part, path: (*path).to_owned(), seal: seal(&Entry::open(path)?)? })
        };
        let pieces: Result<Vec<Piece>, Fault> = paths.iter().map(look).collect();
        match pieces.and_then(|pieces| back::keep(run, &Self { pieces, others: String::new() })) {
            Ok(()) => String::new(),
            Err(fault) => unrecorded(&fault),
        }
    }

    /// What the run left that is taken back, of one of these kinds, where it left all of `paths`.
    ///
    /// # Errors
    /// There is no such run, or nothing is known of what it left.
    pub fn of(of: &Of, state: &Path, kinds: &[&str], paths: &[&Path]) -> Result<Self, Fault> {
        let mut runs = kinds.iter().map(|kind| of.find(state, kind, |run, _| Some(run)));
        let first = runs.next().unwrap_or_else(|| Err(Fault::new("no kind is taken back so.")));
        let run = runs.fold(first, |found, next| found.or_else(|fault| next.map_err(|_| fault)))?;
        let left: Self = back::kept(&run)?;
        if let Some(path) = paths.iter().find(|path| left.pieces.iter().all(|piece| piece.path != **path)) {
            return Err(Fault::new(format!("that run left nothing at {}.", path.display())));
        }
        Ok(Self { others: of.others().to_owned(), ..left })
    }

    /// What of it is not any more as it was left.
    ///
    /// # Errors
    /// It cannot be looked at, or is gone.
    pub fn differences(&self) -> Result<Vec<Clean>, Fault> {
        let mut found = Vec::new();
        for Piece { part, path, seal: then } in &self.pieces {
            let now = seal(&Entry::open(path)?)?;
            if now != *then {
                let (part, path, how) = (part.word(), path.display(), how(then, &now));
                found.push(crate::clean!("{part}, {path}, was changed since by {}{how}", self.others));
            }
        }
        Ok(found)
    }

    /// Refuses when any of it is not as it was left.
    ///
    /// # Errors
    /// The first that is not.
    pub fn untouched(&self) -> Result<(), Fault> {
        match self.differences()?.first() {
            None => Ok(()),
            Some(what) => Err(Fault::new(format!("{what}.")).hint("Look at both, and decide by hand.")),
        }
    }
}

/// What is said where a run could not record what it left: what was done is done.
pub fn unrecorded(fault: &Fault) -> String {
    format!("; it cannot be taken back from here, for what it left was not recorded: {fault}")
}

/// How it differs, as far as numbers tell it.
fn how(then: &Seal, now: &Seal) -> String {
    let show = |seal: &Seal| format!("{} files, {}", seal.files, Unit::Bytes.show(seal.bytes as f64));
    let (then, now) = (show(then), show(now));
    if then == now { String::new() } else { format!(" ({then} → {now})") }
}
