//! Which files a source means: a path whose file name may hold `*` and `?`, and which names are rotated copies.

use crate::base::Fault;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A directory with more entries is not listed to its end.
const ENTRIES: usize = 100_000;
const COMPRESSED: &[&[u8]] = &[b".gz", b".xz", b".zst", b".bz2", b".lz4", b".zip"];

/// A path whose file name may hold wildcards.
#[derive(Debug)]
pub struct Pattern {
    pub(super) dir: PathBuf,
    name: OsString,
}

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// When it names no file, or has a wildcard in its directory.
    pub fn new(text: &str) -> Result<Self, Fault> {
        let path = Path::new(text);
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Some(name) = path.file_name().filter(|_| !text.ends_with('/')) else {
            return Err(Fault::new("this path names no file.").at(text, 0, 0).hint("Write it as `/directory/*.log`."));
        };
        if has_wildcard(dir.as_os_str()) {
            let hint = "A `*` may stand in the file name only: write one source for each directory.";
            return Err(Fault::new("this path has a wildcard in its directory.").at(text, 0, 0).hint(hint));
        }
        Ok(Self { dir: dir.to_owned(), name: name.to_owned() })
    }

    /// The names that match now, compressed files apart.
    ///
    /// # Errors
    /// The directory cannot be listed.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        if self.is_literal() {
            return Ok(vec![self.name.clone()]);
        }
        let fits = |name: &OsStr| !is_compressed(name) && fits(self.name.as_bytes(), name.as_bytes());
        Ok(list(&self.dir)?.into_iter().filter(|name| fits(name)).collect())
    }

    /// The rotated copies of a file that are there now, compressed ones apart.
    pub(super) fn rotated(&self, name: &OsStr) -> Vec<OsString> {
        let all = list(&self.dir).unwrap_or_default();
        all.into_iter().filter(|other| is_rotated(name, other) && !is_compressed(other)).collect()
    }

    /// True when it means one name only.
    pub(super) fn is_literal(&self) -> bool {
        !has_wildcard(&self.name)
    }

    /// The path of one of its names.
    pub fn path(&self, name: &OsStr) -> PathBuf {
        self.dir.join(name)
    }
}

fn list(dir: &Path) -> io::Result<Vec<OsString>> {
    std::fs::read_dir(dir)?.take(ENTRIES).map(|entry| entry.map(|entry| entry.file_name())).collect()
}

fn has_wildcard(text: &OsStr) -> bool {
    text.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?'))
}

fn is_compressed(name: &OsStr) -> bool {
    COMPRESSED.iter().any(|ending| name.as_bytes().ends_with(ending))
}

/// `app.log.1`, `app.log-20261121`: the name of another file and then a number.
pub(super) fn is_rotated(base: &OsStr, name: &OsStr) -> bool {
    let rest = name.as_bytes().strip_prefix(base.as_bytes()).unwrap_or_default();
    matches!(rest, [b'.' | b'-' | b'_', digit, ..] if digit.is_ascii_digit())
}

/// Shell rules for `*` and `?`; a leading dot must be written.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut at, mut seen) = (0, 0);
    // Where the last star was, and how much it has swallowed.
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(seen) {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, seen));
                at += 1;
            }
            (Some(b'?'), _) => (at, seen) = (at + 1, seen + 1),
            (Some(wanted), _) if wanted == byte => (at, seen) = (at + 1, seen + 1),
            (_, Some((back, swallowed))) => {
                star = Some((back, swallowed + 1));
                (at, seen) = (back + 1, swallowed + 1);
            }
            _ => return false,
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_like_a_shell() {
        let yes = [
            ("*.log", "app.log"),
            ("a*c", "abcabc"),
            ("app?.log", "app1.log"),
            ("*", "x"),
            (".h*", ".hid"),
            ("a", "a"),
        ];
        let no = [("*.log", "app.log.1"), ("*.log", ".log"), ("a*c", "abcd"), ("a?", "a"), ("*", ".hid"), ("", "a")];
        assert!(yes.iter().all(|(pattern, name)| fits(pattern.as_bytes(), name.as_bytes())));
        assert!(!no.iter().any(|(pattern, name)| fits(pattern.as_bytes(), name.as_bytes())));
    }

    #[test]
    fn a_rotated_copy_is_told_by_its_name() {
        let is = |name: &str| is_rotated(OsStr::new("app.log"), OsStr::new(name));
        assert!(is("app.log.1") && is("app.log-20261121") && is("app.log.2.gz"));
        assert!(!is("app.log") && !is("app.log.old") && !is("app.log2") && !is("web.log.1"));
    }

    #[test]
    fn a_pattern_that_cannot_work_is_a_sentence() {
        let fault = |text| Pattern::new(text).err().map(|fault| fault.to_string()).unwrap_or_default();
        assert!(fault("/var/*/x.log").contains("wildcard in its directory"));
        assert!(fault("/var/log/").contains("names no file"));
        assert_eq!(fault("/var/log/*.log"), "");
    }
}
