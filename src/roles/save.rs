//! Lines of a log, or a walk as a document, into a file: only into a new one, without secrets, and told where it is.

use crate::base::{Clean, Fault};
use crate::clean;
use crate::sys::files;
use crate::sys::secret::hide;
use std::path::Path;

/// Writes them; returns the whole path.
///
/// # Errors
/// There is such a file, or the system's reason.
pub(super) fn lines(path: &Clean, lines: &[Clean]) -> Result<Clean, Fault> {
    let path = std::path::absolute(Path::new(path.as_str()))
        .map_err(|error| Fault::new(clean!("`{path}` is no name of a file: {error}.")))?;
    let mut text = hide(&lines.iter().map(Clean::as_str).collect::<Vec<_>>().join("\n")).into_owned();
    text.push('\n');
    let shown = Clean::text(&*path.to_string_lossy());
    if files::create_exclusive(&path, 0o600, text.as_bytes())? {
        return Ok(shown);
    }
    Err(Fault::new(clean!("{shown} is there already; nothing was written.")).hint("Choose another name."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_file_is_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = Clean::text(&*dir.path().join("a.txt").to_string_lossy());
        assert_eq!(lines(&path, &["one".into(), "two".into()]), Ok(path.clone()));
        assert!(lines(&path, &["three".into()]).is_err_and(|fault| fault.to_string().contains("is there already")));
        assert_eq!(std::fs::read_to_string(path.as_str()).expect("reads"), "one\ntwo\n");
        assert!(lines(&Clean::from("/nowhere/at/all"), &[]).is_err());
    }
}
