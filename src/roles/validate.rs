//! `watchkeeper validate`: every fault of a profile and of what its kinds read, each with its place and its mend.

use super::session::reference;
use super::{action_check, awaited, handbook, setup};
use crate::app::lints;
use crate::base::{Clock, Fault, Place};
use crate::config::{PaneSpec, Part, Profile, SearchPath, Trust, load_profile};
use crate::rules::lint::Found;
use crate::rules::report::report;
use crate::store::{Limits, Store};
use crate::sys::clock::RealClock;
use std::io::Write;

/// How to come by panes.
const EXTEND: &str = "Add [[panes]], or those of the host by extends = [\"host\"].";

/// Writes the faults and lints of a profile, a line each, and how the rules of its files stand as far as its samplers
/// say. Returns 1 when there was a fault or a lint, else 0.
///
/// # Errors
/// When the profile cannot be had at all, or the output is gone.
pub fn validate(name: &str, out: &mut dyn Write) -> Result<u8, Fault> {
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    let profile = load_profile(&reference(name), &search, &setup::known_kinds())?;
    let mut store = Store::new(Limits::default());
    let mut setup = setup::setup(&profile, "this host".into(), &mut store);
    // Where a sampler is missing for a fault, its metrics are too: that is told by the fault.
    let whole = setup.faults.is_empty();
    let mut lints = lints::found(&store, &setup.book, &setup.board.panes);
    lints.extend(action_check::absent(&profile, &setup.book, &store));
    lints.retain(|found| whole || !found.is_absence());
    for found in lints.iter_mut().filter(|found| found.fault.at.is_none()) {
        found.fault.at = place(&profile, found.about.as_str());
    }
    let mut lines: Vec<String> = setup.faults.iter().map(Fault::to_string).collect();
    lines.extend(lints.iter().map(Found::to_string));
    let procedures = handbook::documents(&profile);
    lines.extend(
        procedures.iter().flat_map(|document| handbook::lints(document, &profile)).map(|found| found.to_string()),
    );
    if let Trust::DisplayOnly(fault) = &profile.trust {
        lines.push(format!("{fault} Until then its actions are shown but cannot run."));
    }
    let status = u8::from(!lines.is_empty());
    if lines.is_empty() {
        lines.push(format!(
            "{}: {} samplers, {} logs, {} panes, {} actions, {} procedures; no fault.",
            profile.title,
            setup.jobs.len(),
            setup.sources.len() + setup.streams.len(),
            setup.board.panes.len(),
            profile.actions.len(),
            procedures.len()
        ));
    }
    lines.extend(action_check::unknown_here(&profile).iter().map(Fault::to_string));
    // No fault: whoever asks by `snapshot` or `query` alone needs none.
    if profile.names(Part::Pane).is_empty() {
        let what =
            "This profile has no panes: the console shows none of its readings, `watchkeeper snapshot` all of them.";
        lines.push(format!("{what} {EXTEND}"));
    }
    if whole {
        lines.extend(awaited::lines(name, &profile, (&setup.book, &setup.board.panes), &store));
    }
    setup.book.judge(&mut store, RealClock.now());
    let files = report(&setup.book).into_iter().filter(|file| !file.file.as_str().is_empty());
    lines.extend(files.flat_map(|file| file.lines()));
    written(out, &lines).map(|()| status)
}

/// Where a pane asks for the value of this name: its title, with the value's own name behind it.
pub(super) fn place(profile: &Profile, about: &str) -> Option<Place> {
    let of = |spec: &&PaneSpec| {
        about.strip_prefix(spec.title.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    let longest = profile.screen.panes.iter().filter(of).max_by_key(|spec| spec.title.as_str().len())?;
    longest.body.fault_at("query", "").at
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
