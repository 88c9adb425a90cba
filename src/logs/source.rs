//! One source: the files that its pattern means, through rotations, late creation and loss.

use super::follow::LogSource;
use super::pattern::{Pattern, is_rotated};
use super::tail::{Identity, Pass, Tail, changed, number, shown};
use crate::base::{Fault, Mono, Now};
use core::time::Duration;
use rustix::fs::{FileType, Stat};
use std::collections::{BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::Arc;

/// Lines shown of a file that was there before us.
const BACKLOG: usize = 200;
/// Files followed at once.
const FILES: usize = 32;
/// Rotated files kept open beside them, for writers that have not noticed.
const RETIRED: usize = 4;
/// A rotated file that does not grow for so long is closed.
const QUIET: Duration = Duration::from_secs(30);
/// Bytes that are understood for each second, and how many may be saved up: what a reader could want to see of a burst.
const UNDERSTOOD: u64 = 1024 * 1024;
const BURST: u64 = 4 * 1024 * 1024;
/// The newest are always understood.
const NEWEST: u64 = 64 * 1024;
/// Closed files that are remembered.
const REMEMBERED: usize = 128;

#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: Arc<str>,
    pub(super) spec: LogSource,
    pub(super) pattern: Result<Pattern, Fault>,
    /// Oldest first.
    pub(super) tails: Vec<Tail>,
    /// Files that were read to their end and closed.
    done: VecDeque<Identity>,
    /// Names that were there and could not be followed: when they can, they are not new.
    passed_over: BTreeSet<OsString>,
    started: bool,
    failure: Option<Fault>,
    /// Bytes that may be understood, and when that was.
    budget: (u64, Mono),
    /// Lines shown of a file that was there before us.
    pub(super) backlog: usize,
}

/// A file that the pattern means now.
struct Found {
    name: OsString,
    stat: Stat,
}

impl Source {
    pub(super) fn new(spec: LogSource) -> Self {
        Self {
            name: Arc::clone(&spec.name),
            pattern: Pattern::new(&spec.pattern),
            spec,
            tails: Vec::new(),
            done: VecDeque::new(),
            passed_over: BTreeSet::new(),
            started: false,
            failure: None,
            budget: (BURST, Mono::default()),
            backlog: BACKLOG,
        }
    }

    /// What is wrong now.
    pub(super) fn failure(&self) -> Option<Fault> {
        let nothing = self.tails.is_empty();
        // Where one of several files may not be read, what the others say counts.
        self.failure.clone().map(|fault| Fault { refused: fault.refused && nothing, ..fault })
    }

    /// Looks which files there are, and opens those that are new.
    pub(super) fn scan(&mut self, now: Now) {
        self.failure = None;
        let (mut found, fault) = match &self.pattern {
            Ok(pattern) => find(pattern, &self.tails),
            Err(fault) => return self.failure = Some(fault.clone()),
        };
        if let Some((name, error)) = fault {
            self.fail(&name, &error);
        }
        if !self.passed_over.is_empty() {
            let there: BTreeSet<&OsString> = found.iter().map(|file| &file.name).collect();
            self.passed_over.retain(|name| there.contains(name));
        }
        for tail in &mut self.tails {
            tail.live = false;
        }
        found.sort_by_key(|file| changed(&file.stat));
        let surplus = found.len().saturating_sub(FILES);
        if surplus > 0 {
            let what = format!("{} files match; the {FILES} that changed last are followed.", found.len());
            let fault = Fault::new(what).at(&self.spec.pattern, 0, 0).hint("Narrow the pattern.");
            self.failure.get_or_insert(fault);
        }
        self.passed_over.extend(found.drain(..surplus).map(|file| file.name));
        let newest = found.len().saturating_sub(1);
        for (at, file) in found.into_iter().enumerate() {
            self.meet(file, at == newest, now);
        }
        for tail in self.tails.iter_mut().filter(|tail| surplus > 0 && !tail.live) {
            tail.replaced = true;
        }
        self.started = true;
        self.catch_up(now);
        if self.failure.is_none() && !self.tails.iter().any(|tail| tail.live) {
            let fault = Fault::new("no such file yet.").at(&self.spec.pattern, 0, 0);
            self.failure = Some(fault.hint("It will be followed from its first line when it appears."));
        }
    }

    /// Reads every file to its end, rotated ones first, and closes those that are over.
    pub(super) fn read(&mut self, pass: &mut Pass) {
        let mut fault = None;
        let earned = UNDERSTOOD
            .saturating_mul(u64::try_from(pass.now.mono.since(self.budget.1).as_millis()).unwrap_or(0))
            / 1_000;
        if let Ok(pattern) = &self.pattern {
            pass.folder.clone_from(&pattern.dir);
        }
        pass.budget = self.budget.0.saturating_add(earned).clamp(NEWEST, BURST);
        for tail in &mut self.tails {
            if let Err(error) = tail.read(pass) {
                fault = Some((tail.name.clone(), error));
            }
        }
        if let Some((name, error)) = fault {
            self.fail(&name, &error);
        }
        self.budget = (pass.budget, pass.now.mono);
        self.retire(pass);
    }

    fn meet(&mut self, file: Found, newest: bool, now: Now) {
        let Ok(pattern) = &self.pattern else { return };
        let id = number(&file.stat);
        if let Some(tail) = self.tails.iter_mut().find(|tail| tail.identity.number == id) {
            tail.live = true;
            tail.replaced = false;
            tail.name = file.name;
            return;
        }
        let mut tail = match Tail::open(&pattern.path(&file.name), file.name.clone(), now) {
            Ok(tail) => tail,
            // It went away meanwhile; the directory will tell.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                self.fail(&file.name, &error);
                self.passed_over.insert(file.name);
                return;
            }
        };
        let passed_over = self.passed_over.remove(&tail.name);
        if let Some(known) = self.done.iter().find(|done| done.is(&tail.identity)) {
            tail.resume(known);
        } else if !self.started || passed_over {
            // What was there before us is history: the end of it is enough.
            let backlog = if newest || self.started { self.backlog } else { 0 };
            if let Err(error) = tail.skip_to_last(backlog) {
                self.fail(&tail.name, &error);
            }
        } else if let Some(old) = self.tails.iter().rposition(|old| old.name == tail.name || old.began == tail.name) {
            if let Some(old) = self.tails.get_mut(old) {
                old.replaced = true;
            }
            tail.announce = Some(crate::clean!("{}: rotated here", shown(&tail.name)));
        }
        self.tails.push(tail);
    }

    /// Files that had a name for less time than we looked away stand beside it as rotated copies now.
    /// While a rotation is recent, they are looked for and read too.
    fn catch_up(&mut self, now: Now) {
        let Ok(pattern) = &self.pattern else { return };
        let mut names: Vec<OsString> = Vec::new();
        names.extend(self.tails.iter().filter(|tail| !tail.live).map(|tail| tail.began.clone()));
        names.sort();
        names.dedup();
        for name in names {
            let ours = || self.tails.iter().filter(|tail| tail.began == name);
            let Some(oldest) = ours().filter_map(|tail| tail.stat().ok()).map(|(changed, _)| changed).min() else {
                continue;
            };
            let mut between: Vec<((i64, i64), i64, Tail)> = Vec::new();
            for other in pattern.rotated(&name) {
                let Ok(mut tail) = Tail::open(&pattern.path(&other), name.clone(), now) else { continue };
                let Ok((changed, _)) = tail.stat() else { continue };
                let is_same = |known: &Tail| known.identity.number == tail.identity.number;
                let known = self.tails.iter().any(is_same)
                    || between.iter().any(|(_, _, known)| is_same(known))
                    || self.done.iter().any(|done| done.is(&tail.identity));
                if known || changed < oldest || ours().any(|ours| ours.is_copied_by(&tail)) {
                    continue;
                }
                tail.live = false;
                tail.replaced = true;
                tail.announce = Some(crate::clean!("{}: rotated here", shown(&name)));
                between.push((changed, place_in_line(&other), tail));
            }
            if !between.is_empty() {
                self.tails
                    .iter_mut()
                    .filter(|tail| tail.began == name && !tail.live)
                    .for_each(|tail| tail.replaced = true);
            }
            between.sort_by_key(|(changed, place, _)| (*changed, *place));
            // Before the file that has the name now.
            let at = self.tails.iter().rposition(|tail| tail.began == name && tail.live).unwrap_or(self.tails.len());
            self.tails.splice(at..at, between.into_iter().map(|(_, _, tail)| tail));
        }
    }

    /// Closes rotated and deleted files that are quiet, or too many.
    fn retire(&mut self, pass: &mut Pass) {
        if pass.more {
            return;
        }
        let over = |tail: &Tail| !tail.live && (tail.replaced || tail.stat().is_ok_and(|(_, named)| !named));
        let mut surplus = self.tails.iter().filter(|tail| over(tail)).count().saturating_sub(RETIRED);
        let done = &mut self.done;
        self.tails.retain_mut(|tail| {
            if !over(tail) || surplus == 0 && is_recent(tail.grew, pass.now.mono) {
                return true;
            }
            surplus = surplus.saturating_sub(1);
            tail.finish(pass);
            done.push_back(tail.identity.clone());
            if done.len() > REMEMBERED {
                done.pop_front();
            }
            false
        });
    }

    fn fail(&mut self, name: &OsStr, error: &io::Error) {
        let place = match &self.pattern {
            Ok(pattern) if !name.is_empty() => shown(pattern.path(name).as_os_str()).as_str().to_owned(),
            _ => self.spec.pattern.clone(),
        };
        self.failure.get_or_insert_with(|| sentence(&place, error));
    }
}

fn is_recent(grew: Mono, now: Mono) -> bool {
    now.since(grew) < QUIET
}

/// The regular files that a pattern means, without the rotated copies of others among them;
/// and the first thing that could not be looked at, by name (empty: the directory).
fn find(pattern: &Pattern, tails: &[Tail]) -> (Vec<Found>, Option<(OsString, io::Error)>) {
    let names = match pattern.names() {
        Ok(names) => names,
        Err(error) => return (Vec::new(), Some((OsString::new(), error))),
    };
    let mut found = Vec::new();
    let mut fault = None;
    for name in names {
        match rustix::fs::stat(pattern.path(&name)) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                found.push(Found { name, stat });
            }
            Ok(_) if pattern.is_literal() => fault = Some((name, io::ErrorKind::InvalidInput.into())),
            Ok(_) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => fault = fault.or(Some((name, error.into()))),
        }
    }
    let files = found.iter().map(|file| &file.name).chain(tails.iter().map(|tail| &tail.name));
    let names: Vec<OsString> = files.cloned().collect();
    let followed = |file: &Found| tails.iter().any(|tail| tail.identity.number == number(&file.stat));
    found.retain(|file| followed(file) || !names.iter().any(|base| is_rotated(base, &file.name)));
    (found, fault)
}

/// Rotated copies from old to new: `.2` before `.1`, but `-20261120` before `-20261121`.
fn place_in_line(name: &OsStr) -> i64 {
    let name = name.to_string_lossy();
    let digits = name.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let number = digits.parse().unwrap_or(0);
    if digits.len() > 4 { number } else { -number }
}

fn sentence(place: &str, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Fault::new("permission denied.")
            .at(place, 0, 0)
            .hint("Run as a user who may read it, or add this one to the file's group.")
            .refused(),
        io::ErrorKind::NotFound => {
            Fault::new("no such directory yet.").at(place, 0, 0).hint("It will be followed when it appears.")
        }
        io::ErrorKind::InvalidInput => {
            Fault::new("this is no regular file.").at(place, 0, 0).hint("Only files can be followed.")
        }
        _ => Fault::new(format!("it cannot be read: {error}.")).at(place, 0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::format::Format;

    #[test]
    fn a_source_of_which_one_file_is_read_is_not_refused_by_another() {
        let dir = tempfile::tempdir().expect("a folder");
        let pattern = dir.path().join("*.log").display().to_string();
        let refused = |kind: io::ErrorKind| {
            let spec = LogSource { name: "a".into(), pattern: pattern.clone(), format: Format::default() };
            let mut source = Source::new(spec);
            source.scan(Now::default());
            source.failure = None;
            source.fail(OsStr::new("b.log"), &kind.into());
            source.failure().map(|fault| fault.refused)
        };
        assert_eq!(refused(io::ErrorKind::PermissionDenied), Some(true));
        assert_eq!(refused(io::ErrorKind::InvalidInput), Some(false), "nobody could read it");
        std::fs::write(dir.path().join("a.log"), "a line\n").expect("written");
        assert_eq!(refused(io::ErrorKind::PermissionDenied), Some(false), "the lines of the other count");
    }
}
