//! `watchkeeper journal`: the trail in words, and whether its chain holds.

use super::validate::written;
use crate::base::{Clean, Fault};
use crate::journal::{self, Anchor};
use crate::sys::host::Login;
use crate::sys::paths;
use std::io::Write;
use std::path::PathBuf;

/// The label of a trail that belongs to whoever it tells of (safety.md 4.6): only anchors elsewhere show a change then.
pub(super) const UNPROTECTED: &str = "not protected from yourself";

/// Records shown at most.
const LAST: usize = 10_000;

fn dir(state: Option<PathBuf>) -> Result<PathBuf, Fault> {
    state.or_else(paths::state_dir).map(|state| paths::journal_dir(&state)).ok_or_else(|| {
        Fault::new("there is no folder for the journal.").hint("Set HOME or XDG_STATE_HOME, or name it with --state.")
    })
}

/// Writes the newest records, oldest first: in words, or each as it stands in its file.
///
/// # Errors
/// When the journal cannot be read.
pub fn show(state: Option<PathBuf>, json: bool, out: &mut dyn Write) -> Result<u8, Fault> {
    let dir = dir(state)?;
    let lines: Vec<String> = if json {
        // A record is plain ASCII; what is none any more is for `verify` to tell.
        journal::raw(&dir, LAST)?.iter().map(|line| Clean::text(line).to_string()).collect()
    } else {
        journal::show(&dir, LAST)?.iter().map(ToString::to_string).collect()
    };
    written(out, &lines).map(|()| 0)
}

/// Checks every record, and those that anchors name. Returns 1 when the chain is broken.
///
/// # Errors
/// When the journal cannot be read.
pub fn verify(state: Option<PathBuf>, anchors: &[Anchor], out: &mut dyn Write) -> Result<u8, Fault> {
    let dir = dir(state)?;
    let verdict = journal::verify_against(&dir, anchors)?;
    let told = |of: &journal::verify::Break| format!("{}:{}: {}", of.file, of.line, of.what);
    let mut lines: Vec<String> = verdict.breaks.iter().chain(&verdict.notes).map(told).collect();
    let state = if verdict.intact() { "the chain holds" } else { "THE CHAIN IS BROKEN" };
    lines.push(format!("{} records in {} files: {state}.", verdict.records, verdict.files));
    if let Some((seq, head)) = &verdict.head {
        lines.push(format!("head: record {seq}, {head}"));
    }
    let label = if Login::current().owns(&dir) { format!(": {UNPROTECTED}") } else { String::new() };
    lines.push(format!("in {}{label}", dir.display()));
    written(out, &lines).map(|()| u8::from(!verdict.intact()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trail_that_belongs_to_its_own_login_is_labelled_and_another_is_not() {
        let state = tempfile::tempdir().expect("a folder");
        let trail = paths::journal_dir(state.path());
        std::fs::create_dir(&trail).expect("created");
        let mut out = Vec::new();
        let said = |out: &mut Vec<u8>| {
            out.clear();
            verify(Some(state.path().to_owned()), &[], out).expect("verified");
            String::from_utf8_lossy(out).into_owned()
        };
        let mut login = Login::current();
        let uid = login.login_uid.unwrap_or(login.uid);
        if std::os::unix::fs::chown(&trail, Some(uid), None).is_ok() {
            assert!(said(&mut out).ends_with("journal: not protected from yourself\n"), "{}", said(&mut out));
        }
        login.login_uid = Some(uid.wrapping_add(1));
        assert!(!login.owns(&trail), "whoever it is run as, it is another login's");
        if std::os::unix::fs::chown(&trail, Some(uid + 1), None).is_ok() {
            assert!(said(&mut out).ends_with("/journal\n"), "{}", said(&mut out));
        }
    }
}
