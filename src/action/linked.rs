//! A configuration file that is named by a link: the file behind it is edited, for a new file in the place of the link
//! would cut the name off from it.

use crate::base::Fault;
use crate::sys::trust::{self, Owners};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Links on the way to a file, at most; the kernel's own limit.
const LINKS: usize = 40;

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
    let real = followed(&name).map_err(|fault| fault.hint("Name the real file."))?;
    match trust::read(&real, Owners::effective())?.distrust {
        Some(distrust) => Err(distrust),
        None => Ok((real, Some(name))),
    }
}

/// Whether the name still leads there.
pub(super) fn leads(name: &Path, real: &Path) -> bool {
    name.canonicalize().is_ok_and(|now| now == real)
}

/// Where the name leads, each link on the way being one that nobody else may turn.
fn followed(name: &Path) -> Result<PathBuf, Fault> {
    let (mut at, mut left, mut links) = (PathBuf::from("/"), parts(name), 0);
    let broken =
        |error: std::io::Error| Fault::new(format!("{} is a link that leads to no file: {error}.", name.display()));
    while let Some(part) = left.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(part);
        let seen = next.symlink_metadata().map_err(broken)?;
        if !seen.is_symlink() {
            at = next;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(Fault::new(format!("{} is a link that leads to no file: too many links.", name.display())));
        }
        // In a folder such as /tmp a link is its owner's, whoever may write there.
        let ours = [0, rustix::process::geteuid().as_raw()].contains(&seen.uid());
        if !ours || trust::folder(&at, Owners::effective()).is_err() {
            let (name, link) = (name.display(), next.display());
            let on =
                if *name.to_string() == *link.to_string() { String::new() } else { format!(" ({link} on its way)") };
            return Err(Fault::new(format!("{name} is a link{on}, and others may change where it leads.")));
        }
        let to = std::fs::read_link(&next).map_err(broken)?;
        if to.is_absolute() {
            at = PathBuf::from("/");
        }
        for part in parts(&to).into_iter().rev() {
            left.push_front(part);
        }
    }
    Ok(at)
}

/// The names of a path; the root and `.` lead nowhere.
fn parts(path: &Path) -> VecDeque<OsString> {
    let named = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    named.map(|part| part.as_os_str().to_owned()).collect()
}
