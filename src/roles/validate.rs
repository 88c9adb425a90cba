//! `watchkeeper validate`: every fault of a profile and of what its kinds read, each with its place and its mend.

use super::session::reference;
use super::setup;
use crate::base::Fault;
use crate::config::{SearchPath, Trust, load_profile};
use crate::store::{Limits, Store};
use std::io::Write;

/// Writes the faults of a profile, a line each. Returns 1 when there was one, else 0.
///
/// # Errors
/// When the profile cannot be had at all, or the output is gone.
pub fn validate(name: &str, out: &mut dyn Write) -> Result<u8, Fault> {
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    let profile = load_profile(&reference(name), &search, &setup::known_kinds())?;
    let setup = setup::setup(&profile, "this host".into(), &mut Store::new(Limits::default()));
    let mut lines: Vec<String> = setup.faults.iter().map(Fault::to_string).collect();
    if let Trust::DisplayOnly(fault) = &profile.trust {
        lines.push(format!("{fault} Until then its actions are shown but cannot run."));
    }
    if lines.is_empty() {
        lines.push(format!(
            "{}: {} samplers, {} logs, {} panes, {} actions; no fault.",
            profile.title,
            setup.jobs.len(),
            setup.sources.len(),
            setup.board.panes.len(),
            profile.actions.len()
        ));
        return written(out, &lines).map(|()| 0);
    }
    written(out, &lines).map(|()| 1)
}

/// Lines to standard output; a reader that has gone is no fault of ours.
pub fn written(out: &mut dyn Write, lines: &[String]) -> Result<(), Fault> {
    for line in lines {
        match writeln!(out, "{line}") {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Fault::new(format!("the output cannot be written: {error}."))),
            Ok(()) => {}
        }
    }
    Ok(())
}
