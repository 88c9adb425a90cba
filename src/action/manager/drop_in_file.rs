//! The file of a drop-in on disk: whether it may be written, whose it is, and how it is put there or taken away.

use super::Systemd;
use super::drop_in::MARK;
use crate::action::kinds::StepError;
use crate::base::{Body, Clean, Fault};
use crate::sys::files;
use crate::sys::held::{Broken, FileId, Held, LIMIT};
use crate::sys::trust::{self, Owners};
use std::fs::{DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

const NAME: &str = "50-watchkeeper.conf";
/// Where systemd looks for what the administrator sets, and for what is gone with the next boot.
const LASTING: &str = "/etc/systemd/system";
const RUNTIME: &str = "/run/systemd/system";

/// Where the file is, as a table says it by `name`, `runtime` and `folder`.
///
/// # Errors
/// A name that could mean something else, or no folder.
pub fn place(body: &mut Body, service: &Systemd) -> Result<PathBuf, Fault> {
    let table = body.clone();
    let name: String = body.take("name")?.unwrap_or_else(|| NAME.to_owned());
    let runtime: bool = body.take("runtime")?.unwrap_or(false);
    let folder: Option<PathBuf> = body.take("folder")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !name.ends_with(".conf") || name.starts_with(['.', '-']) || name.len() > 128 || !name.chars().all(plain) {
        return Err(
            table.fault_at("name", "a drop-in is named like \"50-watchkeeper.conf\": letters, digits and . _ -.")
        );
    }
    let folder = match folder {
        Some(_) if runtime => return Err(table.fault("`folder` and `runtime` exclude each other.")),
        Some(folder) if folder.is_absolute() => folder,
        Some(_) => return Err(table.fault_at("folder", "it is not named by its whole path.")),
        None if service.user => {
            return Err(table
                .fault("units of a login have no one folder.")
                .hint("Say which: folder = \"/home/…/.config/systemd/user\"."));
        }
        None => PathBuf::from(if runtime { RUNTIME } else { LASTING }),
    };
    Ok(folder.join(format!("{}.d", service.unit)).join(name))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drop_in_is_below_the_folder_of_its_unit_and_named_plainly() {
        let said = |text: &str, user: bool| {
            let unit: Systemd =
                serde_json::from_value(serde_json::json!({ "unit": "a.service", "user": user })).unwrap();
            place(&mut Body::parse("p.toml", text).unwrap(), &unit).map_err(|fault| fault.to_string())
        };
        let at = |path: &str| Ok(PathBuf::from(path));
        assert_eq!(said("", false), at("/etc/systemd/system/a.service.d/50-watchkeeper.conf"));
        assert_eq!(said("runtime = true", false), at("/run/systemd/system/a.service.d/50-watchkeeper.conf"));
        assert_eq!(said("folder = \"/x\"\nname = \"9.conf\"", true), at("/x/a.service.d/9.conf"));
        assert!(said("", true).unwrap_err().contains("have no one folder"));
        for bad in
            ["name = \"x\"", "name = \"../x.conf\"", "name = \".x.conf\"", "name = \"a b.conf\"", "folder = \"x\""]
        {
            assert!(said(bad, false).is_err(), "{bad}");
        }
    }
}
