//! Files that are read with effect: opened without following a link, judged by descriptor, never reopened by name
//! (safety.md 4.8). What fails a rule can still be shown, so its text comes back beside the reason.

use crate::base::Fault;
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

/// No file of ours is larger, in bytes.
pub const SIZE_LIMIT: u64 = 1024 * 1024;

/// A secret is not larger, in bytes.
const SECRET_LIMIT: i64 = 4 * 1024;

/// Links from a program's name to the program, at most; the kernel's own limit.
const LINKS: usize = 40;

/// A file's text and whether it may have an effect.
#[derive(Clone, Debug)]
pub struct Content {
    /// The whole file, UTF-8.
    pub text: String,
    /// Why it may only be shown; `None` when it passed every rule.
    pub distrust: Option<Fault>,
}

/// Whose files are trusted.
#[derive(Clone, Copy, Debug)]
pub struct Owners {
    own: u32,
    guest: Option<u32>,
}

impl Owners {
    /// Root and the effective user of this process.
    pub fn effective() -> Self {
        Self { own: rustix::process::geteuid().as_raw(), guest: None }
    }

    /// The same and one more user: for files that change appearance only.
    #[must_use]
    pub fn and(self, guest: Option<u32>) -> Self {
        Self { guest, ..self }
    }

    fn include(self, uid: u32) -> bool {
        uid == 0 || uid == self.own || Some(uid) == self.guest
    }
}

/// Reads a file of at most [`SIZE_LIMIT`] bytes and judges it and every folder above it.
///
/// # Errors
/// A sentence when there is nothing to show: no such file, not readable, not a regular file, too large, not UTF-8.
pub fn read(path: &Path, owners: Owners) -> Result<Content, Fault> {
    let (file, distrust, _) = open(path, owners)?;
    Ok(Content { text: text(path, file)?, distrust })
}

/// As [`read`], for what is only text to people: a larger file is read a little beyond [`SIZE_LIMIT`], so that whoever
/// shows it sees that there is more, and what is no UTF-8 is replaced by marks and may have no effect.
///
/// # Errors
/// A sentence when there is nothing to show: no such file, not readable, not a regular file.
pub fn shown(path: &Path, owners: Owners) -> Result<Content, Fault> {
    let (file, distrust, _) = open(path, owners)?;
    let mut bytes = Vec::new();
    File::from(file).take(SIZE_LIMIT + 4).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    let cut = u64::try_from(bytes.len()).is_ok_and(|size| size > SIZE_LIMIT);
    let odd = core::str::from_utf8(&bytes).err().filter(|error| !cut || error.error_len().is_some());
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let odd = odd.map(|error| {
        fault(path, format!("the file is not UTF-8 text (byte {}).", error.valid_up_to())).hint("Save it as UTF-8.")
    });
    Ok(Content { text, distrust: distrust.or(odd) })
}

/// Reads a secret from a file that nobody else may even read, without the blank at its end.
///
/// # Errors
/// As [`read`], and when any rule of trust is broken.
pub fn secret(path: &Path, owners: Owners) -> Result<String, Fault> {
    let (file, distrust, stat) = open(path, owners)?;
    if let Some(fault) = distrust {
        return Err(fault);
    }
    if stat.st_mode & 0o077 != 0 {
        let what = format!("others may read this secret (mode {:04o}).", stat.st_mode & 0o7777);
        return Err(fault(path, what).hint(format!("Mend it: chmod go= {}", shell(path))));
    }
    if stat.st_size > SECRET_LIMIT {
        return Err(fault(path, "the file is larger than 4 KiB: that is no secret."));
    }
    text(path, file).map(|text| text.trim_end().to_owned())
}

/// A program that was judged: to be run by what was judged, not by its name.
#[derive(Debug)]
pub struct Helper {
    /// The path without any link.
    pub real: PathBuf,
    /// The file itself, opened as a place only.
    pub file: OwnedFd,
    /// Why it may not be run; `None` when it passed every rule.
    pub distrust: Option<Fault>,
}

/// Finds a program and judges it: links are resolved first (a merged `/usr` makes `/bin` one), then the file and every
/// folder above it are judged, and it may have several names (build tools link their outputs).
///
/// # Errors
/// A sentence when there is nothing to run.
pub fn helper(path: &Path, owners: Owners) -> Result<Helper, Fault> {
    let real = path.canonicalize().map_err(|error| unreadable(path, &error))?;
    let (file, distrust) = match walk(&real, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, owners) {
        Ok(Walked::File(file, distrust)) => (file, distrust),
        Ok(Walked::Link(_)) => return Err(fault(path, "it was replaced by a link at this moment.")),
        Err(error) => return Err(unreadable(path, &error.into())),
    };
    let stat = fstat(&file).map_err(|error| unreadable(path, &error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(fault(path, "this is no program.").hint("Name an executable file."));
    }
    if stat.st_mode & 0o111 == 0 {
        return Err(fault(path, "it is not executable.").hint(format!("Mend it: chmod +x {}", shell(path))));
    }
    let distrust = distrust.or_else(|| judge_owner(&real, &stat, owners));
    Ok(Helper { real, file, distrust })
}

/// The name that leads to a program, where nobody else may change any link on its way; its folders' names are real ones.
pub fn called(path: &Path, real: &Path, owners: Owners) -> Option<PathBuf> {
    let place = |path: &Path| {
        let parent = path.parent()?.canonicalize().ok()?;
        folder(&parent, owners).ok().map(|_| parent.join(path.file_name().unwrap_or_default()))
    };
    let first = place(path)?;
    let mut at = first.clone();
    for _ in 0..LINKS {
        if at == real {
            return Some(first);
        }
        at = place(&at.parent()?.join(std::fs::read_link(&at).ok()?))?;
    }
    None
}

/// Opens a folder in which something is made or trusted, if it and every folder above it passes every rule.
///
/// # Errors
/// The rule that is broken, or why it cannot be opened.
pub fn folder(path: &Path, owners: Owners) -> Result<OwnedFd, Fault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (folder, distrust) = match walk(path, flags, owners) {
        Ok(Walked::File(folder, distrust)) => (folder, distrust),
        Ok(Walked::Link(link)) => {
            let hint = format!("Mend it: name the folder that `readlink -f {}` prints.", shell(path));
            return Err(fault(path, format!("`{}` is a symbolic link.", link.display())).hint(hint));
        }
        Err(error) => return Err(unreadable(path, &error.into())),
    };
    let stat = fstat(&folder).map_err(|error| unreadable(path, &error.into()))?;
    match distrust.or_else(|| judge_folder(path, &stat, owners)) {
        Some(fault) => Err(fault),
        None => Ok(folder),
    }
}

/// Opens a file in a folder that was judged, if it passes every rule.
///
/// # Errors
/// The rule that is broken, or why it cannot be opened. `path` is for the sentence.
pub fn inside(folder: &OwnedFd, name: &OsStr, path: &Path, owners: Owners) -> Result<File, Fault> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = openat(folder, name, flags, Mode::empty()).map_err(|error| unreadable(path, &error.into()))?;
    let stat = fstat(&file).map_err(|error| unreadable(path, &error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(fault(path, "this is not a regular file."));
    }
    match judge_file(path, &stat, owners) {
        Some(fault) => Err(fault),
        None => Ok(File::from(file)),
    }
}

fn open(path: &Path, owners: Owners) -> Result<(OwnedFd, Option<Fault>, Stat), Fault> {
    let full = std::path::absolute(path).map_err(|error| unreadable(path, &error))?;
    let file = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let (file, distrust) = match walk(&full, file, owners) {
        Ok(Walked::File(file, distrust)) => (file, distrust),
        // A link's target may be shown, but who chose the link was not judged.
        Ok(Walked::Link(link)) => {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
            let file = openat(CWD, &full, flags, Mode::empty()).map_err(|error| unreadable(path, &error.into()))?;
            let hint = format!("Mend it: name the file that `readlink -f {}` prints.", shell(path));
            (file, Some(fault(path, format!("`{}` is a symbolic link.", link.display())).hint(hint)))
        }
        Err(error) => return Err(unreadable(path, &error.into())),
    };
    let stat = fstat(&file).map_err(|error| unreadable(path, &error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(fault(path, "this is not a regular file.").hint("Name a plain text file."));
    }
    let distrust = distrust.or_else(|| judge_file(path, &stat, owners));
    Ok((file, distrust, stat))
}

enum Walked {
    File(OwnedFd, Option<Fault>),
    Link(PathBuf),
}

/// Opens one component after the other, so that every folder is judged by the very descriptor that leads to the file.
/// This forbids links as `openat2(RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)` does, on every kernel.
fn walk(full: &Path, file: OFlags, owners: Owners) -> Result<Walked, Errno> {
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut seen = PathBuf::from("/");
    let mut at = openat(CWD, "/", folder, Mode::empty())?;
    let mut distrust = judge_folder(&seen, &fstat(&at)?, owners);
    let mut parts = full.components().filter(|part| !matches!(part, Component::RootDir | Component::CurDir)).peekable();
    while let Some(part) = parts.next() {
        let name: &OsStr = part.as_os_str();
        let last = parts.peek().is_none();
        seen.push(name);
        match openat(&at, name, if last { file } else { folder }, Mode::empty()) {
            Ok(next) if last => return Ok(Walked::File(next, distrust)),
            Ok(next) => {
                distrust = distrust.or(judge_folder(&seen, &fstat(&next)?, owners));
                at = next;
            }
            Err(error @ (Errno::LOOP | Errno::NOTDIR)) => {
                return if readlinkat(&at, name, Vec::new()).is_ok() { Ok(Walked::Link(seen)) } else { Err(error) };
            }
            Err(error) => return Err(error),
        }
    }
    Err(Errno::ISDIR)
}

fn judge_folder(path: &Path, stat: &Stat, owners: Owners) -> Option<Fault> {
    if !owners.include(stat.st_uid) {
        return Some(foreign(path, "folder", stat, owners));
    }
    let sticky = stat.st_mode & 0o1000 != 0 && stat.st_uid == 0;
    (stat.st_mode & 0o022 != 0 && !sticky).then(|| writable(path, "folder", stat))
}

fn judge_file(path: &Path, stat: &Stat, owners: Owners) -> Option<Fault> {
    if owners.include(stat.st_uid) && stat.st_nlink != 1 {
        let name = shell(path);
        let what = format!("the file has {} names (hard links), so others may hold one.", stat.st_nlink);
        return Some(fault(path, what).hint(format!("Mend it: cp -p {name} {name}.new && mv {name}.new {name}")));
    }
    judge_owner(path, stat, owners)
}

fn judge_owner(path: &Path, stat: &Stat, owners: Owners) -> Option<Fault> {
    if !owners.include(stat.st_uid) {
        return Some(foreign(path, "file", stat, owners));
    }
    // An access list is covered too: its mask is what stands in the group bits.
    (stat.st_mode & 0o022 != 0).then(|| writable(path, "file", stat))
}

fn foreign(path: &Path, noun: &str, stat: &Stat, owners: Owners) -> Fault {
    let trusted = if owners.own == 0 { "root".to_owned() } else { format!("root or user {}", owners.own) };
    fault(path, format!("the {noun} belongs to user {}, not to {trusted}.", stat.st_uid)).hint(format!(
        "Mend it: chown {} {}",
        owners.own,
        shell(path)
    ))
}

fn writable(path: &Path, noun: &str, stat: &Stat) -> Fault {
    fault(path, format!("others may write to this {noun} (mode {:04o}).", stat.st_mode & 0o7777))
        .hint(format!("Mend it: chmod go-w {}", shell(path)))
}

fn text(path: &Path, file: OwnedFd) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    File::from(file).take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > SIZE_LIMIT) {
        return Err(fault(path, "the file is larger than 1 MiB.").hint("No file of ours is: is it the right one?"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        fault(path, format!("the file is not UTF-8 text (byte {at}).")).hint("Save it as UTF-8.")
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    let name = shell(path);
    match error.kind() {
        io::ErrorKind::NotFound => fault(path, "there is no such file.").hint("Check the spelling of the path."),
        io::ErrorKind::PermissionDenied => {
            fault(path, "this login may not read it.").hint(format!("See who may: namei -l {name}"))
        }
        io::ErrorKind::NotADirectory => {
            fault(path, "a part of the path is no folder.").hint(format!("See: namei {name}"))
        }
        io::ErrorKind::IsADirectory => fault(path, "this is a folder.").hint("Name a plain text file."),
        _ => fault(path, format!("it cannot be read: {error}.")),
    }
}

fn fault(path: &Path, what: impl AsRef<str>) -> Fault {
    Fault::new(what).at(path.to_string_lossy(), 0, 0)
}

/// The path as a shell reads it back.
fn shell(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:".contains(c);
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// A folder whose whole way up is trusted wherever the tests run: `/tmp` is sticky and root's.
    fn folder() -> tempfile::TempDir {
        tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir_in("/tmp").expect("a folder")
    }

    fn put(path: &Path, mode: u32) {
        fs::write(path, "title = \"x\"\n").expect("writes");
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("sets the mode");
    }

    fn reason(path: &Path) -> Option<String> {
        read(path, Owners::effective()).expect("readable").distrust.map(|fault| fault.to_string())
    }

    #[test]
    fn a_file_of_ours_is_trusted() {
        let home = folder();
        let path = home.path().join("profile.toml");
        for mode in [0o600, 0o644, 0o444, 0o755] {
            put(&path, mode);
            assert_eq!(reason(&path), None, "{mode:o}");
            fs::remove_file(&path).expect("removes");
        }
    }

    #[test]
    fn a_file_that_others_may_write_is_shown_but_not_trusted() {
        let home = folder();
        let path = home.path().join("profile.toml");
        for mode in [0o664_u32, 0o646, 0o666] {
            put(&path, mode);
            let name = path.display();
            let said = format!("{name}: others may write to this file (mode {mode:04o}). Mend it: chmod go-w {name}");
            assert_eq!(reason(&path), Some(said));
        }
    }

    #[test]
    fn a_folder_that_others_may_write_spoils_what_is_in_it() {
        let home = folder();
        let inner = home.path().join("a/b");
        fs::create_dir_all(&inner).expect("folders");
        let path = inner.join("profile.toml");
        put(&path, 0o644);
        fs::set_permissions(home.path().join("a"), Permissions::from_mode(0o777)).expect("sets the mode");
        let name = home.path().join("a");
        let name = name.display();
        let said = format!("{name}: others may write to this folder (mode 0777). Mend it: chmod go-w {name}");
        assert_eq!(reason(&path), Some(said));
    }

    #[test]
    fn links_of_both_kinds_are_not_trusted() {
        let home = folder();
        let path = home.path().join("profile.toml");
        put(&path, 0o644);
        let soft = home.path().join("soft.toml");
        symlink(&path, &soft).expect("links");
        assert!(
            reason(&soft)
                .expect("distrusted")
                .contains("is a symbolic link. Mend it: name the file that `readlink -f ")
        );
        let way = home.path().join("way");
        symlink(home.path(), &way).expect("links");
        assert!(reason(&way.join("profile.toml")).expect("distrusted").contains("/way` is a symbolic link."));
        fs::hard_link(&path, home.path().join("hard.toml")).expect("links");
        assert!(reason(&path).expect("distrusted").contains("the file has 2 names (hard links)"));
    }

    #[test]
    fn a_file_of_another_user_is_not_trusted_unless_it_is_the_guest() {
        let home = folder();
        let path = home.path().join("profile.toml");
        put(&path, 0o644);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(4_321), None).expect("root may");
            let said = reason(&path).expect("distrusted");
            assert!(said.contains("the file belongs to user 4321, not to root. Mend it: chown 0 /tmp/"), "{said}");
            let guest = read(&path, Owners::effective().and(Some(4_321))).expect("readable");
            assert!(guest.distrust.is_none());
        } else {
            let stranger = Owners { own: rustix::process::geteuid().as_raw() + 1, guest: None };
            assert!(read(&path, stranger).expect("readable").distrust.is_some());
        }
    }

    #[test]
    fn what_cannot_be_shown_is_a_sentence() {
        let home = folder();
        let path = home.path().join("it");
        let said = |path: &Path| read(path, Owners::effective()).expect_err("nothing to show").to_string();
        assert!(said(&path).ends_with("/it: there is no such file. Check the spelling of the path."));
        assert!(said(home.path()).ends_with(": this is not a regular file. Name a plain text file."));
        fs::write(&path, [b'a', 0xFF]).expect("writes");
        assert!(said(&path).ends_with("/it: the file is not UTF-8 text (byte 1). Save it as UTF-8."));
        assert!(said(&path.join("below")).contains("a part of the path is no folder."));
        let large = vec![b'#'; usize::try_from(SIZE_LIMIT).expect("small") + 1];
        fs::write(&path, &large).expect("writes");
        assert!(said(&path).contains("larger than 1 MiB"));
        fs::write(&path, large.get(1..).expect("more than one")).expect("writes");
        assert!(read(&path, Owners::effective()).is_ok());
    }

    #[test]
    fn a_secret_is_read_only_where_nobody_else_can() {
        let home = folder();
        let path = home.path().join("token");
        fs::write(&path, "hunter2\n").expect("writes");
        fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("sets the mode");
        let said = secret(&path, Owners::effective()).expect_err("readable by the group").to_string();
        assert!(said.contains("others may read this secret (mode 0640). Mend it: chmod go= /tmp/"), "{said}");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("sets the mode");
        assert_eq!(secret(&path, Owners::effective()), Ok("hunter2".to_owned()));
        symlink(&path, home.path().join("link")).expect("links");
        assert!(secret(&home.path().join("link"), Owners::effective()).is_err());
        fs::write(&path, [b'x'; 4_097]).expect("writes");
        assert!(secret(&path, Owners::effective()).is_err());
    }

    #[test]
    fn a_pipe_without_a_writer_does_not_hold_us() {
        let home = folder();
        let path = home.path().join("pipe");
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).expect("a pipe");
        let said = read(&path, Owners::effective()).expect_err("no text").to_string();
        assert!(said.contains("not a regular file"), "{said}");
    }

    #[test]
    fn a_program_may_have_several_names_and_be_reached_by_a_link_but_nobody_else_may_write_it() {
        let home = folder();
        let path = home.path().join("check");
        put(&path, 0o755);
        fs::hard_link(&path, home.path().join("twin")).expect("links");
        symlink(&path, home.path().join("link")).expect("links");
        let judged = |name: &str| helper(&home.path().join(name), Owners::effective());
        let link = judged("link").expect("a program");
        assert_eq!((link.real.as_path(), link.distrust), (path.as_path(), None));
        fs::set_permissions(&path, Permissions::from_mode(0o775)).expect("sets the mode");
        let said = judged("link").expect("a program").distrust.expect("distrusted").to_string();
        assert!(said.contains("/check: others may write to this file (mode 0775)."), "{said}");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("sets the mode");
        assert!(
            judged("twin").expect_err("no program").to_string().contains("it is not executable. Mend it: chmod +x")
        );
        assert!(judged("none").expect_err("no program").to_string().contains("there is no such file."));
        assert!(helper(home.path(), Owners::effective()).expect_err("a folder").to_string().contains("is no program."));
        fs::set_permissions(home.path(), Permissions::from_mode(0o777)).expect("sets the mode");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("sets the mode");
        let said = judged("check").expect("a program").distrust.expect("distrusted").to_string();
        assert!(said.contains("others may write to this folder (mode 0777)."), "{said}");
    }

    /// An access list as the kernel keeps it: this user may do `user`, nobody more than `mask`.
    fn access_list(user: u16, mask: u16) -> Vec<u8> {
        const NOBODY: u32 = u32::MAX;
        let rows = [(1, 6, NOBODY), (2, user, 4_321), (4, 4, NOBODY), (16, mask, NOBODY), (32, 4, NOBODY)];
        let rows = rows.iter().flat_map(|(tag, may, id): &(u16, u16, u32)| {
            [tag.to_le_bytes().to_vec(), may.to_le_bytes().to_vec(), id.to_le_bytes().to_vec()].concat()
        });
        2_u32.to_le_bytes().into_iter().chain(rows).collect()
    }

    #[test]
    fn forty_cases_of_owner_mode_folder_link_and_access_list_are_judged_right() {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: root: files cannot be given away");
            return;
        }
        let (mut cases, ours, theirs) = (0, 0_u32, 4_321_u32);
        let mut judged = |set: &dyn Fn(&Path, &Path), trusted: bool, what: &str| {
            let home = folder();
            let (inner, path) = (home.path().join("in"), home.path().join("in/profile.toml"));
            fs::create_dir(&inner).expect("a folder");
            put(&path, 0o644);
            set(&inner, &path);
            assert_eq!(reason(&path).is_none(), trusted, "{what}");
            cases += 1;
        };
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).expect("sets the mode");
        let give = |path: &Path, uid| std::os::unix::fs::chown(path, Some(uid), Some(uid)).expect("root may");
        for bits in [0o400, 0o440, 0o444, 0o600, 0o640, 0o644, 0o755, 0o620, 0o602, 0o660, 0o664, 0o666, 0o777] {
            let good = bits & 0o022 == 0;
            judged(&|_, file| mode(file, bits), good, &format!("file {bits:o}"));
            judged(&|_, file| (give(file, theirs), mode(file, bits)).1, false, &format!("theirs {bits:o}"));
        }
        for (bits, owner, good) in [
            (0o700, ours, true),
            (0o755, ours, true),
            (0o775, ours, false),
            (0o757, ours, false),
            (0o777, ours, false),
            (0o1777, ours, true),
            (0o1775, ours, true),
            (0o755, theirs, false),
            (0o1777, theirs, false),
            (0o700, theirs, false),
        ] {
            judged(&|inner, _| (give(inner, owner), mode(inner, bits)).1, good, &format!("folder {bits:o} of {owner}"));
        }
        let link = |inner: &Path, file: &Path| {
            fs::rename(file, inner.join("real")).expect("moves");
            symlink(inner.join("real"), file).expect("links");
        };
        judged(&link, false, "a link");
        judged(&|inner, file| fs::hard_link(file, inner.join("twin")).expect("links"), false, "a hard link");
        let away = |inner: &Path, _: &Path| {
            fs::rename(inner, inner.with_extension("real")).expect("moves");
            symlink(inner.with_extension("real"), inner).expect("links");
        };
        judged(&away, false, "a link on the way");
        for (user, mask, good) in [(6, 6, false), (6, 4, true), (4, 4, true), (2, 2, false)] {
            let list = access_list(user, mask);
            let name = "system.posix_acl_access";
            let set = |_: &Path, file: &Path| {
                // Where the file system has none the mask's bits say the same.
                if rustix::fs::setxattr(file, name, &list, rustix::fs::XattrFlags::empty()).is_err() {
                    mode(file, 0o604 | u32::from(mask) << 3);
                }
            };
            judged(&set, good, &format!("access list {user} {mask}"));
        }
        assert!(cases >= 40, "{cases}");
    }

    #[test]
    fn a_path_is_quoted_for_the_shell() {
        assert_eq!(shell(Path::new("/etc/x.toml")), "/etc/x.toml");
        assert_eq!(shell(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
