//! `watchkeeper journal`: the trail in words, and whether its chain holds.

use super::validate::written;
use crate::base::Fault;
use crate::journal;
use crate::sys::paths;
use std::io::Write;
use std::path::PathBuf;

/// Records shown at most.
const LAST: usize = 10_000;

fn dir(state: Option<PathBuf>) -> Result<PathBuf, Fault> {
    state.or_else(paths::state_dir).map(|state| paths::journal_dir(&state)).ok_or_else(|| {
        Fault::new("there is no folder for the journal.").hint("Set HOME or XDG_STATE_HOME, or name it with --state.")
    })
}

/// Writes the newest records, oldest first.
///
/// # Errors
/// When the journal cannot be read.
pub fn show(state: Option<PathBuf>, out: &mut dyn Write) -> Result<u8, Fault> {
    let lines: Vec<String> = journal::show(&dir(state)?, LAST)?.iter().map(ToString::to_string).collect();
    written(out, &lines).map(|()| 0)
}

/// Checks every record. Returns 1 when the chain is broken.
///
/// # Errors
/// When the journal cannot be read.
pub fn verify(state: Option<PathBuf>, out: &mut dyn Write) -> Result<u8, Fault> {
    let verdict = journal::verify(&dir(state)?)?;
    let told = |of: &journal::verify::Break| format!("{}:{}: {}", of.file, of.line, of.what);
    let mut lines: Vec<String> = verdict.breaks.iter().chain(&verdict.notes).map(told).collect();
    let state = if verdict.intact() { "the chain holds" } else { "THE CHAIN IS BROKEN" };
    lines.push(format!("{} records in {} files: {state}.", verdict.records, verdict.files));
    if let Some((seq, head)) = &verdict.head {
        lines.push(format!("head: record {seq}, {head}"));
    }
    written(out, &lines).map(|()| u8::from(!verdict.intact()))
}
