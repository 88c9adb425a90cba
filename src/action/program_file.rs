//! Which file a program is, and which file the script that an interpreter carries out, in which state: a plan is bound to both.

use super::plan::Precondition;
use crate::base::{Clean, Fault};
use crate::sys::files;
use crate::sys::trust::{Owners, folder, helper, inside};
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Programs that read one of their arguments as a script.
pub const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish"];
/// Others that carry out a file; the number of a version may follow.
const INTERPRETERS: [&str; 10] =
    ["python", "perl", "ruby", "nodejs", "node", "php", "lua", "Rscript", "julia", "tclsh"];
/// So much of a script is digested, in bytes.
const DIGESTED: u64 = 1 << 20;

/// Which file, in which state. A program may be too large to be read; who writes to it cannot set the time of its last
/// change back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFile {
    /// Without any link.
    real: PathBuf,
    dev: u64,
    ino: u64,
    /// Bytes.
    size: u64,
    /// Seconds and nanoseconds since the epoch: of its content, and of anything.
    written: (i64, i64),
    changed: (i64, i64),
}

impl ProgramFile {
    /// Of a program that may be run.
    ///
    /// # Errors
    /// The rule of trust that it breaks, or why it cannot be looked at.
    pub fn of(path: &Path) -> Result<Self, Fault> {
        let helper = helper(path, Owners::effective())?;
        if let Some(fault) = helper.distrust {
            return Err(fault);
        }
        let meta = File::from(helper.file).metadata().map_err(|error| files::fault("look at", path, &error))?;
        Ok(Self::seen(helper.real, &meta))
    }

    fn seen(real: PathBuf, meta: &Metadata) -> Self {
        Self {
            real,
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.size(),
            written: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// What differs from `now`, in words.
    pub fn difference(&self, now: &Self) -> Option<Clean> {
        let path = self.real.display();
        if self.real != now.real {
            return Some(crate::clean!("the program was {path} and is {}", now.real.display()));
        }
        if (self.dev, self.ino) != (now.dev, now.ino) {
            return Some(crate::clean!("{path} was replaced by another file (inode {} → {})", self.ino, now.ino));
        }
        if (self.size, self.written) != (now.size, now.written) {
            return Some(crate::clean!("{path} was written to ({} → {} bytes)", self.size, now.size));
        }
        (self != now).then(|| crate::clean!("{path} was changed (content, owner, mode or names)"))
    }
}

/// A script, by its content too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptFile {
    file: ProgramFile,
    /// Of its first mebibyte.
    sha256: String,
}

impl ScriptFile {
    /// The script among these arguments, if there is one. It is held to the rules for what has an effect: whoever may
    /// write to it says what is done.
    ///
    /// # Errors
    /// The rule of trust that it breaks, or why it cannot be read.
    pub fn of(argv: &[String]) -> Result<Option<Self>, Fault> {
        let Some(path) = script(argv) else { return Ok(None) };
        let real = path.canonicalize().map_err(|error| files::fault("look at", &path, &error))?;
        let (Some(above), Some(name)) = (real.parent(), real.file_name()) else { return Ok(None) };
        let file = inside(&folder(above, Owners::effective())?, name, &real, Owners::effective())?;
        let (meta, mut bytes) = (file.metadata(), Vec::new());
        let meta = meta.and_then(|meta| file.take(DIGESTED).read_to_end(&mut bytes).map(|_| meta));
        let meta = meta.map_err(|error| files::fault("read", &real, &error))?;
        Ok(Some(Self { file: ProgramFile::seen(real, &meta), sha256: files::sha256(&bytes) }))
    }

    /// Without any link.
    pub fn path(&self) -> &Path {
        &self.file.real
    }

    /// What the plan rests on.
    pub fn row(&self) -> Precondition {
        let digest: String = self.sha256.chars().take(12).collect();
        let value = crate::clean!("{}, sha256 {digest}…", self.path().display());
        Precondition { label: Clean::from("script"), value, age: Duration::ZERO, metric: None }
    }

    /// What differs from `now`, in words.
    pub fn difference(&self, now: &Self) -> Option<Clean> {
        let differs = self.file.difference(&now.file);
        differs.or_else(|| (self != now).then(|| crate::clean!("{} has another content", self.path().display())))
    }
}

/// Which file an interpreter among these arguments carries out: the first behind it that is one, unless what it carries
/// out is said on the line. Programs are run in `/`.
fn script(argv: &[String]) -> Option<PathBuf> {
    let (at, inline) = argv.iter().enumerate().find_map(|(at, word)| Some((at, inline(word)?)))?;
    let says_it = |word: &String| word.starts_with('-') && !word.starts_with("--") && word.ends_with(inline);
    let words = argv.iter().skip(at + 1).take_while(|word| !says_it(word)).filter(|word| !word.starts_with('-'));
    words.map(|word| Path::new("/").join(word)).find(|path| path.is_file())
}

/// The first argument that is code: behind a flag of an interpreter, or what ssh hands to a shell elsewhere.
pub(super) fn code(argv: &[String]) -> Option<usize> {
    if argv.first().is_some_and(|program| program.rsplit('/').next() == Some("ssh")) {
        // Options that take a word of their own would hide the host: whatever follows the first word counts.
        return argv.iter().skip(1).position(|word| !word.starts_with('-')).map(|host| host + 2);
    }
    let (at, inline) = argv.iter().enumerate().find_map(|(at, word)| Some((at, inline(word)?)))?;
    let says_it = |word: &String| word.starts_with('-') && !word.starts_with("--") && word.ends_with(inline);
    let flag = argv.iter().skip(at + 1).position(says_it)?;
    Some(at + flag + 2)
}

/// The last letters of the flags behind which an interpreter is given the code itself, or the name of a module; `None` for
/// other programs.
fn inline(program: &str) -> Option<&'static [char]> {
    let name = program.rsplit('/').next()?;
    let version = |rest: &str| rest.chars().all(|c| c.is_ascii_digit() || c == '.' || c == '-');
    let known = INTERPRETERS.iter().find(|known| name.strip_prefix(**known).is_some_and(version));
    match known {
        Some(&"python") => Some(&['c', 'm']),
        Some(_) => Some(&['e', 'E', 'r', 'p']),
        None => SHELLS.contains(&name).then_some(&['c'] as &[char]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_the_first_file_behind_an_interpreter_unless_the_line_says_the_code() {
        let of = |line: &str| script(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let passwd = Some(PathBuf::from("/etc/passwd"));
        for line in [
            "/usr/bin/python3 /etc/passwd /etc/group",
            "/usr/bin/sudo -n /usr/bin/python3.11 -W ignore etc/passwd",
            "/bin/bash -e /etc/passwd",
            "/usr/bin/env perl -w /etc/passwd",
            "/usr/bin/nodejs --inspect /etc/passwd",
        ] {
            assert_eq!(of(line), passwd, "{line}");
        }
        for line in [
            "/bin/cat /etc/passwd",
            "/usr/bin/python3 -Ic x /etc/passwd",
            "/usr/bin/python3 -m http.server /etc/passwd",
            "/bin/sh -ec : /etc/passwd",
            "/usr/bin/perl -ne 1 /etc/passwd",
            "/usr/bin/pythonista /etc/passwd",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
