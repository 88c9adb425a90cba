//! `watchkeeper validate rules`: faults and lints of rule files, and which of their rules can work on this system.

use super::collect::Collector;
use super::session::reference;
use super::setup;
use super::validate::written;
use crate::base::{Clock, Fault, Settings};
use crate::config::{Profile, SearchPath, load_or_host, load_profile};
use crate::rules::file::yaml::LARGEST;
use crate::rules::lint::{self, Found, Known};
use crate::rules::report::{FileReport, report};
use crate::rules::{Book, BookOptions, Policy, RuleFile};
use crate::store::{Limits, Store};
use crate::sys::clock::RealClock;
use core::time::Duration;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Samplers are not waited for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// `watchkeeper validate rules …`
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Rule files
    #[arg(required_unless_present = "explain", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Profile whose samplers the rules are for [default: this host]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Ask no sampler: what they give is taken from the profile alone
    #[arg(long)]
    offline: bool,
    /// Says what a lint means and how to mend it, and nothing else
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
}

/// Prints faults and lints, a line each, then how the rules of each file stand. Returns 1 when there was a fault or a
/// lint, else 0.
///
/// # Errors
/// When the profile cannot be had, no lint has this id, or the output is gone.
pub fn run(ask: &Ask, out: &mut dyn Write) -> Result<u8, Fault> {
    if let Some(id) = &ask.explain {
        return explain(id, out);
    }
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    let profile = match &ask.profile {
        Some(name) => load_profile(&reference(name), &search, &setup::known_kinds())?,
        None => load_or_host(&reference("host"), &search, &setup::known_kinds()),
    };
    let mut faults = Vec::new();
    let mut files = Vec::new();
    for path in &ask.files {
        match read(path, &profile.judging.settings) {
            Ok(file) => files.push(file),
            Err(fault) => faults.push(fault),
        }
    }
    let policy = setup::policy(&profile);
    let mut store = store(ask, &profile, &files)?;
    faults.extend(files.iter().flat_map(|file| &file.broken).map(|(_, fault)| fault.clone()));
    let known = Known::new(Some(&store), &policy, interval(&profile), files.iter().flat_map(RuleFile::rules));
    let mut found: Vec<Found> = files.iter().flat_map(|file| lint::file(file, &known)).collect();
    found.extend(lint::samplers(&store));
    let mut lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    lines.extend(found.iter().map(Found::to_string));
    let status = u8::from(!lines.is_empty());
    lines.extend(standing(files, &mut store, policy, interval(&profile)));
    written(out, &lines).map(|()| status)
}

/// Prints what a lint means.
///
/// # Errors
/// When no lint has this id, or the output is gone.
pub fn explain(id: &str, out: &mut dyn Write) -> Result<u8, Fault> {
    let lines = lint::explain(id)?.map(|line| line.to_string());
    written(out, &lines).map(|()| 0)
}

/// How often rules are judged that do not say their own.
pub fn interval(profile: &Profile) -> Duration {
    profile.judging.interval.unwrap_or(crate::rules::book::INTERVAL)
}

/// Reads a rule file, what its profile sets filled in.
///
/// # Errors
/// It cannot be had.
pub fn read(path: &Path, settings: &Settings) -> Result<RuleFile, Fault> {
    text(path).map(|text| RuleFile::parse(&path.to_string_lossy(), &settings.fill_known(&text)))
}

/// The text of a file that no sane rule file exceeds.
///
/// # Errors
/// It cannot be had, or is no text.
pub fn text(path: &Path) -> Result<String, Fault> {
    let name = path.to_string_lossy();
    let fault = |error: std::io::Error| Fault::new(format!("cannot be read: {error}.")).at(&name, 0, 0);
    let mut raw = Vec::new();
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut raw)).map_err(fault)?;
    String::from_utf8(raw).map_err(|_| Fault::new("is no text in UTF-8.").at(&name, 0, 0))
}

/// What the profile's samplers give: asked once, or as far as the profile says.
fn store(ask: &Ask, profile: &Profile, files: &[RuleFile]) -> Result<Store, Fault> {
    let mut store = Store::new(Limits::default());
    setup::setup(profile, "this host".into(), &mut store);
    if ask.offline {
        return Ok(store);
    }
    let rules = files.iter().flat_map(RuleFile::rules);
    let selectors: Vec<_> = rules.flat_map(|rule| rule.expr.selectors()).cloned().collect();
    // What is wrong with the profile is told by `validate PROFILE`.
    let mut quiet = |_: &str| {};
    let mut collector = Collector::start(ask.profile.as_deref(), &selectors, &mut quiet)?;
    collector.until(1, PATIENCE);
    Ok(collector.into_store())
}

fn standing(files: Vec<RuleFile>, store: &mut Store, policy: Policy, interval: Duration) -> Vec<String> {
    let mut book = Book::new(files, BookOptions { interval, policy, ..BookOptions::default() });
    book.judge(store, RealClock.now());
    report(&book).iter().flat_map(FileReport::lines).collect()
}
