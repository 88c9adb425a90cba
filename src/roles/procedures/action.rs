//! What became of an action that a walk began and whose end it never heard. Looked at, never run again.

use crate::action::late;
use crate::action::lifecycle::{Outcome, Run};
use crate::action::recover::{GRACE, NEVER_STARTED, Standing, standing};
use crate::base::{Clean, Ulid, Wall};
use crate::clean;
use crate::journal::Journal;
use std::path::{Path, PathBuf};

/// The outcome of the run of this plan, to be told to [`crate::procedure::Walk::ended`]; `None` while its runner is at
/// work, or may still begin. An order that never found a runner is withdrawn, so that it never will.
pub fn outcome_of(
    state: &Path,
    plan: Ulid,
    locks: &[PathBuf],
    journal: Option<&Journal>,
    now: Wall,
) -> Option<(Outcome, Clean)> {
    let run = Run::of(state, plan);
    if !run.dir().join("plan.json").exists() {
        return Some((Outcome::Refused, "its plan was never handed over: nothing was done.".into()));
    }
    let told = run.read();
    if let Some(end) = told.as_ref().ok().and_then(|told| told.as_ref()?.end.clone()) {
        return Some((end.outcome, end.reason));
    }
    let order = match run.read_order() {
        Ok(order) => order,
        Err(fault) => return Some((Outcome::Indeterminate, clean!("its plan cannot be read: {fault}"))),
    };
    if !run.is_accepted() && run.ordered().is_none_or(|at| now.since(at) < GRACE) {
        return None;
    }
    let progress = told.as_ref().ok().and_then(Option::as_ref);
    match standing(&run, &order.plan, progress, told.is_ok(), locks) {
        Standing::Attach { .. } => None,
        Standing::NeverStarted => match late::withdraw(&run, &order.plan, None, NEVER_STARTED.into(), journal) {
            Ok(progress) => progress.and_then(|told| told.end).map(|end| (end.outcome, end.reason)),
            Err(fault) => Some((Outcome::Indeterminate, clean!("it could not be withdrawn: {fault}"))),
        },
        Standing::NothingDone => Some((Outcome::Refused, "its runner ended before it changed anything.".into())),
        Standing::Unknown(settled) => Some((Outcome::Indeterminate, clean!("now observed: {}.", settled.what()))),
    }
}
