//! The file of a drop-in on disk: whether it may be written, whose it is, and how it is put there or taken away.

use super::drop_in::MARK;
use crate::action::kinds::StepError;
use crate::base::{Clean, Fault};
use crate::sys::files;
use crate::sys::held::{Broken, FileId, Held, LIMIT};
use crate::sys::trust::{self, Owners};
use std::fs::{DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Whether this login may write there, and nobody else can change what it writes.
///
/// # Errors
/// The rule that is broken, or the right that is lacking.
pub fn trusted(path: &Path) -> Result<(), Fault> {
    let above = path.parent().unwrap_or(path);
    let folder = if above.exists() { above } else { above.parent().unwrap_or(above) };
    trust::folder(folder, Owners::effective())?;
    if path.symlink_metadata().is_ok()
        && let Some(fault) = trust::read(path, Owners::effective())?.distrust
    {
        return Err(fault);
    }
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).map_err(|errno| {
        files::fault("write to", folder, &errno.into()).hint("Drop-ins are written by root: start the console as root.")
    })
}

/// The text of a file of ours.
///
/// # Errors
/// It lacks our mark.
pub fn ours<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, Fault> {
    let text = core::str::from_utf8(bytes).ok().filter(|text| text.lines().next() == Some(MARK));
    text.ok_or_else(|| {
        Fault::new(format!("{} was written by somebody else.", path.display()))
            .hint("Choose another `name` for this one.")
    })
}

/// The file, if there is one.
///
/// # Errors
/// It is a link, or cannot be read.
pub fn held(path: &Path) -> Result<Option<Held>, Fault> {
    // Not whether its target exists: a link is there too, and is refused.
    if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    Held::open(path).map(Some)
}

/// What is no longer as it was `before`.
///
/// # Errors
/// As [`held`].
pub fn differences(path: &Path, before: Option<&FileId>) -> Result<Vec<Clean>, Fault> {
    let shown = path.display();
    Ok(match (before, held(path)?) {
        (Some(before), Some(now)) => {
            before.differences(now.id()).iter().map(|what| crate::clean!("{shown}: {what}")).collect()
        }
        (None, None) => Vec::new(),
        (Some(_), None) => vec![crate::clean!("{shown} is gone")],
        (None, Some(_)) => vec![crate::clean!("{shown} is there now")],
    })
}

/// A file that everybody may read, in a folder that everybody may enter, whatever the umask.
fn create(path: &Path, text: &str) -> Result<(), StepError> {
    let folder = path.parent().unwrap_or(path);
    let failed = |error| StepError::Failed(files::fault("create", folder, &error));
    match DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) => {
            std::fs::set_permissions(folder, Permissions::from_mode(0o755)).map_err(failed)?;
            files::sync_parent(folder).map_err(failed)?;
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    trust::folder(folder, Owners::effective()).map_err(StepError::Failed)?;
    match files::create_exclusive(path, 0o644, text.as_bytes()) {
        Ok(true) => {}
        Ok(false) => return Err(StepError::Failed(Fault::new(format!("{} is there now.", path.display())))),
        Err(fault) => {
            // What was begun is no drop-in: it may be half of one.
            let gone = std::fs::remove_file(path).is_ok() || matches!(held(path), Ok(None));
            return Err(if gone { StepError::Failed(fault) } else { StepError::Unknown(fault) });
        }
    }
    match files::read(path, LIMIT) {
        Ok(read) if read == text.as_bytes() => Ok(()),
        Ok(_) => {
            Err(StepError::Unknown(Fault::new(format!("{} does not read back as it was written.", path.display()))))
        }
        Err(fault) => Err(StepError::Unknown(fault)),
    }
}

/// Leaves the file with this content, or takes it away; only when it is still as it was `before`.
///
/// # Errors
/// Whether it certainly was not done, or may have been.
pub fn put(path: &Path, before: Option<&FileId>, content: Option<&str>) -> Result<Clean, StepError> {
    let shown = path.display();
    let found = held(path).map_err(StepError::Failed)?;
    if found.as_ref().map(Held::id) != before {
        return Err(StepError::Failed(Fault::new(format!("{shown} is no longer the file of the plan."))));
    }
    match (found, content) {
        (Some(held), Some(text)) => held.replace(text.as_bytes()).map(drop).map_err(|broken| match broken {
            Broken::Untouched(fault) => StepError::Failed(fault),
            Broken::Unknown(fault) => StepError::Unknown(fault),
        })?,
        (Some(_), None) => {
            let failed = |error| files::fault("remove", path, &error);
            std::fs::remove_file(path).map_err(|error| StepError::Failed(failed(error)))?;
            files::sync_parent(path).map_err(|error| StepError::Unknown(failed(error)))?;
            return Ok(crate::clean!("{shown} taken away"));
        }
        (None, Some(text)) => create(path, text)?,
        (None, None) => {}
    }
    Ok(crate::clean!("{shown} written and read back"))
}
