//! A configuration file that is named by a link: the file behind it is edited, for a new file in the place of the link
//! would cut the name off from it.

use crate::base::Fault;
use crate::sys::trust::{self, Owners};
use std::path::{Path, PathBuf};

/// The real file, and the name if that is a link to it.
///
/// # Errors
/// A link that leads nowhere or that others may change, or the rule which the file behind it breaks.
pub(super) fn resolved(name: PathBuf) -> Result<(PathBuf, Option<PathBuf>), Fault> {
    let parent = name.parent().unwrap_or(&name);
    // A folder that is a link is refused where the file is opened.
    let here = parent.canonicalize().is_ok_and(|real| real == parent);
    if !here || !name.is_symlink() {
        return Ok((name, None));
    }
    let fault = |what: String| Fault::new(what).hint("Name the real file.");
    let real = name
        .canonicalize()
        .map_err(|error| fault(format!("{} is a link that leads to no file: {error}.", name.display())))?;
    let owners = Owners::effective();
    if trust::called(&name, &real, owners).is_none() {
        let what = format!("{} is a link to {}, and others may change where it leads.", name.display(), real.display());
        return Err(fault(what));
    }
    match trust::read(&real, owners)?.distrust {
        Some(distrust) => Err(distrust),
        None => Ok((real, Some(name))),
    }
}

/// Whether the name still leads there.
pub(super) fn leads(name: &Path, real: &Path) -> bool {
    name.canonicalize().is_ok_and(|now| now == real)
}
