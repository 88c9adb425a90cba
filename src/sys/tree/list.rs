//! The list of digests beside a copy: as `sha256sum -c` reads it, with two lines of our own at its head.

use crate::base::{Clean, Fault};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// One file of a copy; its path from the root of the copy, empty when the copy is one file.
pub type Listed = (PathBuf, String);

/// What a list says of the whole copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// That of its survey.
    pub shape: String,
    /// Of all its files, each once.
    pub bytes: u64,
}

/// First line of every list.
const HEAD: &str = "# watchkeeper copy 1";

/// The text of a list. `name` is the copy's in the list's folder.
pub fn write_list(name: &str, head: &Head, rows: &[Listed]) -> Vec<u8> {
    let (shape, bytes) = (&head.shape, head.bytes);
    let mut text = format!("{HEAD}\n# shape {shape} bytes {bytes} files {}\n", rows.len()).into_bytes();
    for (path, digest) in rows {
        let mut whole = name.as_bytes().to_vec();
        if !path.as_os_str().is_empty() {
            whole.push(b'/');
            whole.extend_from_slice(path.as_os_str().as_bytes());
        }
        let escaped = whole.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'));
        if escaped {
            text.push(b'\\');
        }
        text.extend_from_slice(digest.as_bytes());
        text.extend_from_slice(b"  ");
        text.extend(escaped_path(&whole));
        text.push(b'\n');
    }
    text
}

/// What a list says of the copy of this name, and every file.
///
/// # Errors
/// It is no whole list of that copy.
pub fn read_list(name: &str, bytes: &[u8]) -> Result<(Head, Vec<Listed>), Fault> {
    let broken =
        |line: usize, what: &str| Fault::new(format!("line {line} of the list of {}: {what}.", Clean::text(name)));
    let mut lines = bytes.split(|byte| *byte == b'\n');
    if lines.next() != Some(HEAD.as_bytes()) {
        return Err(broken(1, "this is no list of ours"));
    }
    let head = lines.next().and_then(|line| core::str::from_utf8(line).ok()).unwrap_or_default();
    let words: Vec<&str> = head.split(' ').collect();
    let ["#", "shape", shape, "bytes", size, "files", count] = words.as_slice() else {
        return Err(broken(2, "it does not say how many files"));
    };
    let size = size.parse().map_err(|_| broken(2, "it does not say how many bytes"))?;
    let mut rows = Vec::new();
    for (at, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        rows.push(row(name, line).ok_or_else(|| broken(at + 3, "not a digest and a path of that copy"))?);
    }
    if !bytes.ends_with(b"\n") || *count != rows.len().to_string() {
        return Err(broken(rows.len() + 3, "it ends too early"));
    }
    Ok((Head { shape: (*shape).to_owned(), bytes: size }, rows))
}

fn row(name: &str, line: &[u8]) -> Option<Listed> {
    let (line, escaped) = line.strip_prefix(b"\\").map_or((line, false), |rest| (rest, true));
    let (digest, rest) = line.split_at_checked(64)?;
    let hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    let path = rest.strip_prefix(b"  ").filter(|_| digest.iter().all(hex))?;
    let path = if escaped { unescaped(path)? } else { path.to_vec() };
    let inside = path.strip_prefix(name.as_bytes())?;
    let inside = if inside.is_empty() { inside } else { inside.strip_prefix(b"/").filter(|rest| !rest.is_empty())? };
    let digest = core::str::from_utf8(digest).ok()?.to_owned();
    Some((PathBuf::from(OsStr::from_bytes(inside)), digest))
}

/// In one line, whatever it holds.
pub(super) fn escaped_path(path: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b'\\' => text.extend_from_slice(b"\\\\"),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            plain => text.push(*plain),
        }
    }
    text
}

/// The way back.
pub(super) fn unescaped(path: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut bytes) = (Vec::with_capacity(path.len()), path.iter());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            plain => *plain,
        });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows() -> Vec<Listed> {
        let digest = "0123456789abcdef".repeat(4);
        vec![(PathBuf::new(), digest.clone()), (PathBuf::from("a b/c\\d\ne\r"), digest)]
    }

    fn head() -> Head {
        Head { shape: "feed".to_owned(), bytes: 7 }
    }

    #[test]
    fn a_list_reads_back_whatever_the_names_are() {
        let text = write_list("app.copy", &head(), &rows());
        assert_eq!(read_list("app.copy", &text).unwrap(), (head(), rows()));
    }

    #[test]
    fn a_list_that_was_cut_or_is_of_another_copy_is_none() {
        let text = write_list("app.copy", &head(), &rows());
        for end in 0..text.len() {
            assert!(read_list("app.copy", &text[..end]).is_err(), "{end}");
        }
        assert!(read_list("app", &text).is_err());
        assert!(read_list("other.copy", &text).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut text = write_list("n", &head(), &[]);
            text.extend(bytes);
            let _whatever = read_list("n", &text);
        }
    }
}
