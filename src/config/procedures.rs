//! Procedures beside a profile: `procedures/*.md`, each read once, with its digest and whether it may lead to actions.
//! This floor does not know what is in them.

use super::merge::sha256;
use super::schema::PROCEDURES;
use super::{Trust, load};
use crate::base::{Body, Clean, Fault, Settings};
use crate::sys::trust::{self, Owners};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

/// The folder beside a `profile.toml`.
const FOLDER: &str = "procedures";
/// Runs that are kept where the profile does not say.
const KEPT: usize = 200;
/// Before the name of a document in the binary.
const BUILT_IN: &str = "built-in ";
/// Documents of one profile.
const MOST: usize = 200;

/// One document.
#[derive(Clone, Debug)]
pub struct ProcedureSpec {
    /// The file's name without `.md`: a document of the same name replaces that of an extended profile.
    pub id: Arc<str>,
    /// As the user would type its path.
    pub file: Clean,
    /// The whole text; of a larger file its first mebibyte and a little.
    pub text: String,
    /// SHA-256 of the text, in hex.
    pub sha256: String,
    /// Whether it may lead to actions; else it is only read.
    pub trust: Trust,
    /// Where it names what nobody has set.
    pub unset: Vec<Fault>,
}

/// The documents, and `[procedures]`: what they may do.
#[derive(Clone, Debug)]
pub struct Handbook {
    /// What is worked through when something is wrong.
    pub specs: Vec<ProcedureSpec>,
    /// Their blocks of commands may be run, each through the gate.
    pub run_commands: bool,
    /// So many runs are kept, the newest; of the older ones those of which something is left.
    pub keep_runs: usize,
}

impl Default for Handbook {
    fn default() -> Self {
        Self { specs: Vec::new(), run_commands: false, keep_runs: KEPT }
    }
}

impl Handbook {
    /// Takes its table out of a file.
    pub(super) fn read(file: &mut Body, faults: &mut Vec<Fault>) -> Self {
        let read = file.take_table("procedures").and_then(|table| {
            let Some(mut table) = table else { return Ok(Self::default()) };
            let few = table.fault_at("keep_runs", "at least one run is kept.");
            let run_commands = table.take("run_commands")?.unwrap_or_default();
            let keep_runs = table.take("keep_runs")?.unwrap_or(KEPT);
            table.done(&PROCEDURES.names())?;
            if keep_runs == 0 { Err(few) } else { Ok(Self { specs: Vec::new(), run_commands, keep_runs }) }
        });
        read.unwrap_or_else(|fault| {
            faults.push(fault);
            Self::default()
        })
    }
}

impl ProcedureSpec {
    /// The same with its settings filled in: what a site has set is part of what its document says.
    pub(super) fn filled(self, settings: &Settings) -> Self {
        let text = settings.fill_known(&self.text);
        let sha256 = if text == self.text { self.sha256 } else { sha256(&text) };
        let unset = settings.unset_in(self.file.as_str(), &self.text);
        Self { text, sha256, unset, ..self }
    }

    /// A document in the binary.
    pub(super) fn built_in(id: &str, text: &str) -> Self {
        let file = crate::clean!("{BUILT_IN}{id}.md");
        let (sha256, text) = (sha256(text), text.to_owned());
        Self { id: id.into(), file, text, sha256, trust: Trust::Trusted, unset: Vec::new() }
    }

    /// Its file; `None` for a document in the binary.
    pub fn path(&self) -> Option<&Path> {
        (!self.file.as_str().starts_with(BUILT_IN)).then(|| Path::new(self.file.as_str()))
    }

    /// The same document as its file says now.
    ///
    /// # Errors
    /// When it cannot be read any more.
    pub fn again(path: &Path, settings: &Settings) -> Result<Self, Fault> {
        one(path).map(|spec| spec.filled(settings))
    }
}

/// The documents beside this profile file, by name, and what cannot be read.
pub(super) fn beside(profile: &Path) -> (Vec<ProcedureSpec>, Vec<Fault>) {
    let own = profile.file_name().is_some_and(|name| name == load::FILE);
    let Some(folder) = profile.parent().filter(|_| own).map(|folder| folder.join(FOLDER)) else {
        return (Vec::new(), Vec::new());
    };
    let mut faults = Vec::new();
    let mut files = Vec::new();
    match std::fs::read_dir(&folder) {
        Ok(entries) => files.extend(entries.filter_map(|entry| entry.ok().map(|entry| entry.path()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => faults.push(Fault::new(format!("cannot be read: {error}.")).at(folder.to_string_lossy(), 0, 0)),
    }
    files.retain(|file| {
        let hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && file.extension() == Some(OsStr::new("md"))
    });
    files.sort();
    if files.len() > MOST {
        let what = format!("there are {} documents here: only the first {MOST} are read.", files.len());
        faults.push(Fault::new(what).at(folder.to_string_lossy(), 0, 0));
        files.truncate(MOST);
    }
    let mut specs = Vec::new();
    for file in files {
        match one(&file) {
            Ok(spec) => specs.push(spec),
            Err(fault) => faults.push(fault),
        }
    }
    (specs, faults)
}

fn one(file: &Path) -> Result<ProcedureSpec, Fault> {
    let content = trust::shown(file, Owners::effective())?;
    let id = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(ProcedureSpec {
        id: Clean::text(id).as_str().into(),
        file: Clean::text(file.to_string_lossy().as_bytes()),
        sha256: sha256(&content.text),
        text: content.text,
        trust: content.distrust.map_or(Trust::Trusted, Trust::DisplayOnly),
        unset: Vec::new(),
    })
}
