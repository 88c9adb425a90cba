//! The locks of a plan's targets: each is ours alone, and every folder above a file is shared, so that who acts on a tree
//! and who acts on something in it exclude each other.

use super::plan::Plan;
use crate::base::{Clean, Fault};
use crate::sys::lock::{Refusal, TargetLock, excluded_by, held_by};
use std::path::PathBuf;

/// Takes them all.
///
/// # Errors
/// Who holds one.
pub fn take(dirs: &[PathBuf], plan: &Plan) -> Result<Vec<TargetLock>, Fault> {
    let mut locks = Vec::new();
    for name in plan.locks() {
        locks.push(TargetLock::take(dirs, &name).map_err(|refusal| refused(&name, "", refusal))?);
    }
    for name in plan.folders() {
        locks.push(TargetLock::share(dirs, &name).map_err(|refusal| refused(&name, ABOVE, refusal))?);
    }
    Ok(locks)
}

/// Looks whether they could be had now; takes none.
///
/// # Errors
/// Who holds one.
pub fn free(dirs: &[PathBuf], plan: &Plan) -> Result<(), Fault> {
    let own = plan.locks().into_iter().find_map(|name| held_by(dirs, &name).map(|pid| (name, "", pid)));
    let above = || plan.folders().into_iter().find_map(|name| excluded_by(dirs, &name).map(|pid| (name, ABOVE, pid)));
    match own.or_else(above) {
        None => Ok(()),
        Some((name, which, pid)) => Err(refused(&name, which, Refusal::Held(crate::sys::lock::describe(pid)))),
    }
}

/// What stands behind a folder's name.
const ABOVE: &str = ", in which a target lies,";

fn refused(name: &str, which: &str, refusal: Refusal) -> Fault {
    match refusal {
        Refusal::Broken(fault) => fault,
        Refusal::Held(who) => {
            let path = name.strip_prefix("file:").filter(|_| which.is_empty());
            let or_in =
                if path.is_some_and(|path| std::path::Path::new(path).is_dir()) { " or something in it" } else { "" };
            Fault::new(format!("{}{which}{or_in} is being acted on by {who}.", Clean::text(name)))
                .hint("Wait for that to end, then make a new plan.")
        }
    }
}
