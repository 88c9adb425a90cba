//! What the kinds that copy, replace or give away files have in common: paths, names, room, progress in words, and
//! services that must not run meanwhile.

use super::doing::Doing;
use super::manager::{Manager, Standing, Verb};
use super::plan::Precondition;
use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Clock, Fault, Mono, Ulid, Unit};
use crate::sys::secret::hide;
use crate::sys::tree::{Findings, Place, Progress, Survey};
use core::time::Duration;
use std::path::{Path, PathBuf};

/// A list of digests is not larger, in bytes.
pub const LIST_LIMIT: u64 = 256 * 1024 * 1024;
/// Of a difference so many lines are shown of each side.
const DIFF: usize = 20;
/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

/// Absolute, and without `..`.
pub fn plain(path: &Path) -> bool {
    path.is_absolute() && path.components().all(|part| part.as_os_str() != "..")
}

/// A path of a table.
///
/// # Errors
/// It is absent, relative, climbs, or names the root.
pub fn path_of(body: &mut Body, key: &str) -> Result<PathBuf, Fault> {
    let path: PathBuf = body.need(key)?;
    if plain(&path) && path.file_name().is_some() {
        return Ok(path);
    }
    Err(body.fault(format!("`{key}` is an absolute path without `..`, and not the root.")))
}

/// `index.backup-20261128T031247Z-7XQ2M0`: when, and by which plan.
pub fn stamped(name: &str, what: &str, clock: &dyn Clock, plan: Ulid) -> String {
    let plain: String = clock.now().wall.rfc3339().chars().take(19).filter(|c| !matches!(c, '-' | ':')).collect();
    let id = plan.to_string();
    format!("{name}.{what}-{plain}Z-{}", id.get(id.len().saturating_sub(6)..).unwrap_or(&id))
}

/// The name of an entry, which other names are made from.
///
/// # Errors
/// It is no text.
pub fn name_of(path: &Path) -> Result<String, Fault> {
    let name = path.file_name().unwrap_or_default().to_str();
    name.map(str::to_owned).ok_or_else(|| Fault::new(format!("the name of {} is no text.", path.display())))
}

/// What a tree holds, in words.
pub fn counted(survey: &Survey, folder: bool) -> Clean {
    let of = |count: u64, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    let bytes = Unit::Bytes.show(survey.bytes as f64);
    let disk = Unit::Bytes.show(survey.on_disk as f64);
    if !folder {
        return crate::clean!("a file, {bytes} ({disk} on the disk)");
    }
    let (files, folders, links) = (of(survey.files, "file"), of(survey.folders, "folder"), of(survey.links, "link"));
    crate::clean!("a folder: {files}, {folders}, {links}, {bytes} ({disk} on the disk)")
}

/// Refuses what a copy cannot keep.
///
/// # Errors
/// The first entry in the way.
pub fn copyable(top: &Path, found: &Findings) -> Result<(), Fault> {
    let whole = |path: &Path| if path.as_os_str().is_empty() { top.to_owned() } else { top.join(path) };
    if let Some((path, what)) = &found.special {
        return Err(Fault::new(format!("{} is {what}: no copy would hold it.", whole(path).display()))
            .hint("Stop what made it and remove it, or name a folder without it."));
    }
    if let Some(path) = &found.unreadable {
        return Err(Fault::new(format!("this login may not read {}.", whole(path).display())));
    }
    match &found.foreign {
        Some(path) if !rustix::process::geteuid().is_root() => {
            let what = format!("{} belongs to somebody else: only root can keep its owner.", whole(path).display());
            Err(Fault::new(what))
        }
        _ => Ok(()),
    }
}

/// Bytes that an ordinary user may still write on the file system of a folder.
///
/// # Errors
/// The system's.
pub fn free(folder: &Path) -> Result<u64, Fault> {
    let found = rustix::fs::statvfs(folder)
        .map_err(|error| crate::sys::files::fault("ask for the space at", folder, &error.into()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Refuses where there is not room for a copy of this, with a fifth to spare.
///
/// # Errors
/// How many bytes or files are missing.
pub fn room(place: &Place, survey: &Survey) -> Result<Clean, Fault> {
    let (room, need) = (place.room()?, survey.on_disk.saturating_add(survey.on_disk / 5));
    let show = |bytes: u64| Unit::Bytes.show(bytes as f64);
    if room.bytes < need {
        let missing = need - room.bytes;
        let what = format!(
            "there is no room in {}: {} are free, {} are needed, {missing} bytes are missing.",
            place.path().display(),
            show(room.bytes),
            show(need)
        );
        return Err(Fault::new(what).hint("Make room there, or name another place."));
    }
    if let Some(files) = room.files.filter(|files| *files < survey.entries()) {
        let what = format!("there is room for {files} more files in {} only.", place.path().display());
        return Err(Fault::new(what));
    }
    Ok(crate::clean!("{} free, {} needed", show(room.bytes), show(need)))
}

/// A look that a plan rests on.
pub fn seen(label: impl AsRef<str>, value: Clean) -> Precondition {
    Precondition { label: Clean::text(label.as_ref()), value, age: Duration::ZERO, metric: None }
}

/// Refuses while a service runs that must not run meanwhile.
///
/// # Errors
/// It runs, or cannot be seen.
pub fn stopped(manager: Option<&Manager>, clock: &dyn Clock) -> Result<Option<Precondition>, Fault> {
    let Some(manager) = manager else { return Ok(None) };
    let service = manager.service();
    service.check()?;
    let look = service.look(Verb::Start, clock)?;
    match look.standing {
        Standing::Stopped | Standing::Failed => Ok(Some(seen(service.unit(), look.said))),
        Standing::Running | Standing::Changing => {
            Err(Fault::new(format!("{} is {}.", service.unit(), look.said)).hint("Stop it first."))
        }
    }
}

/// What differs between two surveys, in words; nothing when nothing was touched.
pub fn touched(path: &Path, then: &Survey, now: &Survey) -> Vec<Clean> {
    let path = path.display();
    if then.state == now.state {
        Vec::new()
    } else if (then.files, then.bytes) == (now.files, now.bytes) {
        vec![crate::clean!("something in {path} was touched")]
    } else {
        let show = |survey: &Survey| format!("{} files, {}", survey.files, Unit::Bytes.show(survey.bytes as f64));
        vec![crate::clean!("{path} changed ({} → {})", show(then), show(now))]
    }
}

/// What differs between two short texts: the lines between their common beginning and end, secrets hidden.
pub fn diff(old: &str, new: &str) -> Vec<Clean> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same = |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let first = same(&mut old.iter().zip(&new));
    let last = same(&mut old.iter().rev().zip(new.iter().rev())).min(old.len().min(new.len()) - first);
    let between = |lines: &[&str], sign: char| {
        let rows = lines.get(first..lines.len() - last).unwrap_or_default();
        let shown = rows.iter().take(DIFF).map(|line| crate::clean!("{sign} {}", scrub(&hide(line))));
        let rest = rows.len().saturating_sub(DIFF);
        shown.chain((rest > 0).then(|| crate::clean!("{sign} … {rest} more lines"))).collect::<Vec<Clean>>()
    };
    [between(&old, '-'), between(&new, '+')].concat()
}

/// Tells how far a copy is, not more often than is useful: each telling is written to the disk.
pub struct Teller<'a> {
    doing: &'a Doing<'a>,
    what: &'static str,
    of: &'a Survey,
    last: Option<Mono>,
}

impl<'a> Teller<'a> {
    /// For a step that does `what` with all of `of`.
    pub const fn new(doing: &'a Doing<'a>, what: &'static str, of: &'a Survey) -> Self {
        Self { doing, what, of, last: None }
    }

    /// How far it is; false when the operator wants it to end.
    pub fn tell(&mut self, done: Progress) -> bool {
        let (now, go_on) = (self.doing.clock.now().mono, !(self.doing.stops)());
        if self.last.is_some_and(|last| now.since(last) < TELL) {
            return go_on;
        }
        self.last = Some(now);
        let (bytes, all) = (Unit::Bytes.show(done.bytes as f64), Unit::Bytes.show(self.of.bytes as f64));
        (self.doing.tell)(crate::clean!("{}: {} of {} files, {bytes} of {all}", self.what, done.files, self.of.files));
        go_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: &str, new: &str) -> Vec<String> {
        diff(old, new).iter().map(Clean::to_string).collect()
    }

    #[test]
    fn a_difference_shows_what_changed_and_no_secret() {
        assert_eq!(shown("a\nb\nc\n", "a\nx\ny\nc\n"), ["- b", "+ x", "+ y"]);
        assert_eq!(shown("a\n", "a\n"), [""; 0]);
        assert_eq!(shown("", "a\n"), ["+ a"]);
        assert_eq!(shown("a\na\n", "a\n"), ["- a"]);
        let said = shown("password = \"hunter2\"\n", "password = \"hunter3\"\n").concat();
        assert!(!said.contains("hunter"), "{said}");
        assert_eq!(shown("", &"x\n".repeat(50)).last().unwrap(), "+ … 30 more lines");
    }
}
