//! `watchkeeper procedure`: a template for a new one, how one reads, what is wrong with it, and a card for paper.

use super::handbook::{self, documents};
use super::manner::Manner;
use super::session::reference;
use super::setup;
use super::validate::written;
use crate::base::{Clean, Fault};
use crate::config::{ProcedureSpec, Profile, SearchPath, load_profile};
use crate::procedure::lint::explain;
use crate::procedure::{Document, paper, parse};
use crate::store::{Limits, Store};
use crate::sys::trust::{self, Owners};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What `new` writes.
const TEMPLATE: &str = include_str!("procedure_template.md");

/// `watchkeeper procedure …`
#[derive(Debug, clap::Subcommand)]
pub enum Ask {
    /// Writes a commented template to NAME.md; an existing file is left as it is
    New {
        /// File name, with or without `.md`
        name: PathBuf,
    },
    /// How a procedure reads: its items, what each does, every fault at its line
    Show {
        /// A Markdown file, or the id of one of the profile
        #[arg(value_name = "FILE|ID")]
        procedure: String,
        /// Profile that has it
        #[arg(long, value_name = "PROFILE", default_value = "host")]
        profile: String,
    },
    /// The console of a profile, at work on this procedure
    Run {
        /// Its id
        #[arg(value_name = "ID")]
        procedure: String,
        /// Profile that has it [default: this host]
        #[arg(long, value_name = "PROFILE")]
        profile: Option<String>,
        /// How it looks and behaves
        #[command(flatten)]
        manner: Manner,
    },
    /// Faults and lints, a line each; exit status 1 when there is one
    Lint {
        /// Markdown files [default: every procedure of the profile]
        files: Vec<PathBuf>,
        /// Profile whose actions, alerts and metrics they may name
        #[arg(long, value_name = "PROFILE")]
        profile: Option<String>,
        /// Says what a lint means and how to mend it, and nothing else
        #[arg(long, value_name = "ID")]
        explain: Option<String>,
    },
    /// A card for paper, with blanks for the values; a form feed begins each sheet
    Print {
        /// A Markdown file, or the id of one of the profile
        #[arg(value_name = "FILE|ID", required_unless_present = "all")]
        procedure: Option<String>,
        /// Profile that has it
        #[arg(long, value_name = "PROFILE", default_value = "host")]
        profile: String,
        /// The whole handbook of the profile, with what is in it
        #[arg(long, conflicts_with = "procedure")]
        all: bool,
    },
}

/// Does what is asked for. Returns 1 when a lint or a fault was found, else 0.
///
/// # Errors
/// When there is no such file, procedure, profile or lint, or the output is gone.
pub fn run(ask: &Ask, out: &mut dyn Write) -> Result<u8, Fault> {
    match ask {
        Ask::New { name } => new(name, out),
        Ask::Show { procedure, profile } => {
            let document = one(procedure, profile)?;
            written(out, &paper::show(&document)).map(|()| u8::from(!document.faults.is_empty()))
        }
        Ask::Run { .. } => Err(Fault::new("it needs the console.")),
        Ask::Lint { explain: Some(id), .. } => {
            let lines = explain(id)?.map(|line| line.to_string());
            written(out, &lines).map(|()| 0)
        }
        Ask::Lint { files, profile, explain: None } => lint(files, profile.as_deref(), out),
        Ask::Print { procedure: Some(name), profile, .. } => {
            written(out, &paper::card(&one(name, profile)?)).map(|()| 0)
        }
        Ask::Print { procedure: None, profile, .. } => {
            written(out, &paper::handbook(&documents(&loaded(profile)?))).map(|()| 0)
        }
    }
}

/// A file, or one of the profile's by its id.
fn one(name: &str, profile: &str) -> Result<Document, Fault> {
    if name.contains('/') || name.ends_with(".md") || Path::new(name).is_file() {
        return read(Path::new(name));
    }
    let mut documents = documents(&loaded(profile)?);
    if let Some(at) = documents.iter().position(|document| *document.id == *name) {
        return Ok(documents.swap_remove(at));
    }
    let ids: Vec<&str> = documents.iter().map(|document| &*document.id).collect();
    let fault = Fault::new(format!("{profile} has no procedure `{}`.", Clean::text(name)));
    Err(fault.hint(if ids.is_empty() {
        "It has none. Name a Markdown file, or another --profile.".to_owned()
    } else {
        crate::base::body::nearest(name, ids.into_iter())
    }))
}

fn loaded(name: &str) -> Result<Profile, Fault> {
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    load_profile(&reference(name), &search, &setup::known_kinds())
}

/// A file that may only be shown is shown all the same: nothing here acts.
fn read(file: &Path) -> Result<Document, Fault> {
    let content = trust::shown(file, Owners::effective())?;
    let id = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(parse(&id, &file.to_string_lossy(), &content.text))
}

/// The same as a document of this profile, with where it names what the profile does not set.
fn filled(file: &Path, profile: &Profile) -> Result<(Document, Vec<Fault>), Fault> {
    let spec = ProcedureSpec::again(file, &profile.judging.settings)?;
    let document = handbook::document(&spec);
    let unset = handbook::unset_beside(&spec, &document);
    Ok((document, unset))
}

fn new(name: &Path, out: &mut dyn Write) -> Result<u8, Fault> {
    let file = if name.extension().is_some_and(|end| end == "md") { name.to_owned() } else { with_md(name) };
    let shown = Clean::text(file.to_string_lossy().as_bytes());
    let opened = OpenOptions::new().write(true).create_new(true).open(&file);
    let written_down = opened.and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
    written_down.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Fault::new(format!("`{shown}` is there already, and stays as it is.")).hint("Give another name.")
        }
        _ => Fault::new(format!("`{shown}` cannot be written: {error}.")),
    })?;
    let next = format!("Written: {shown}. Next: watchkeeper procedure lint {shown}");
    written(out, &[next]).map(|()| 0)
}

fn with_md(name: &Path) -> PathBuf {
    let mut name = name.as_os_str().to_owned();
    name.push(".md");
    name.into()
}

fn lint(files: &[PathBuf], named: Option<&str>, out: &mut dyn Write) -> Result<u8, Fault> {
    let of = match named {
        Some(name) => Some(loaded(name)?),
        None if files.is_empty() => Some(loaded("host")?),
        None => None,
    };
    let mut lines = Vec::new();
    let mut seen = 0;
    if let Some(profile) = of.as_ref().filter(|_| files.is_empty()) {
        let mut store = Store::new(Limits::default());
        let setup = setup::setup(profile, "this host".into(), &mut store);
        lines = handbook::wrong(profile, &setup.book, &store);
        seen = profile.procedures.specs.len();
    }
    for file in files {
        seen += 1;
        let (document, unset) = match of.as_ref().map_or_else(|| Ok((read(file)?, Vec::new())), |of| filled(file, of)) {
            Ok(read) => read,
            Err(fault) => {
                lines.push(fault.to_string());
                continue;
            }
        };
        lines.extend(document.faults.iter().chain(&unset).map(Fault::to_string));
        match &of {
            Some(profile) => {
                let mut store = Store::new(Limits::default());
                let setup = setup::setup(profile, "this host".into(), &mut store);
                let dangling = handbook::dangling(&document, profile, &setup.book, &store);
                lines.extend(dangling.iter().map(Fault::to_string));
                lines.extend(handbook::lints(&document, profile).iter().map(ToString::to_string));
            }
            None => {
                let found = crate::procedure::lint::lint(&document, &|_| None);
                lines.extend(found.iter().map(ToString::to_string));
            }
        }
    }
    let status = u8::from(!lines.is_empty());
    if lines.is_empty() {
        lines.push(format!("{seen} procedures; no fault."));
    }
    written(out, &lines).map(|()| status)
}
