//! LMDB environments by the processes that map them. A list of maps is read when a process is new and seldom later, a
//! mapped file is opened once: what is no environment is remembered.

use super::found::{Found, Keep, What, counted};
use crate::base::{Clean, Unit};
use crate::clean;
use crate::sys::holders;
use crate::sys::lmdb::format::{self, META_LEN, Meta, Wrong};
use crate::sys::lmdb::outside::meta_of;
use crate::sys::quiet::{self, Refused};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// More of a list of maps is not read, in bytes.
const MAPS: u64 = 8 << 20;
/// A process is looked at again after so many looks: five minutes at the usual pace.
const AGAIN: u32 = 10;
/// Mapped files that one look opens; the rest has to wait for the next.
const OPENED: usize = 64;
/// More environments are not told.
const MOST: usize = 16;
/// In the flags of /proc/PID/stat: a thread of the kernel.
const KERNEL_THREAD: u64 = 0x0020_0000;
/// Where mapped files are no environments and opening might mean something.
const NEVER: &[&str] = &["/dev/", "/sys/", "/proc/", "/memfd:", "/SYSV"];

/// What earlier looks found.
#[derive(Debug, Default)]
pub(super) struct Processes {
    known: HashMap<u32, Process>,
    /// Mapped files that are no environments.
    others: HashSet<Shared>,
    looks: u32,
}

#[derive(Debug)]
struct Process {
    /// In ticks since boot: a number that was given anew has another.
    start: u64,
    /// The look that first saw it.
    since: u32,
    maps: Vec<Shared>,
    hidden: bool,
}

/// A file that is mapped shared from its start on, as the kernel names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Shared {
    path: PathBuf,
    device: String,
    inode: String,
}

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Environments {
    pub(super) found: Vec<Found>,
    /// What can be watched, with the processes that map it.
    pub(super) watch: Vec<(PathBuf, Vec<u32>)>,
    pub(super) notes: Vec<Clean>,
    /// Processes that do not show their maps to this login.
    pub(super) hidden: usize,
}

/// What a mapped file is.
enum Mapped {
    Environment(Result<Meta, Clean>),
    /// It lies in another mount namespace, where it is reached by way of a process.
    Away(Result<Meta, Clean>),
    Other,
}

impl Processes {
    /// Asks every process that is due what it maps. One that holds its memory map hangs this.
    pub(super) fn ask(&mut self, root: &Path) -> Result<(), Clean> {
        let proc = root.join("proc");
        let pids = holders::processes(&proc);
        if pids.is_empty() {
            return Err(Clean::from("/proc cannot be read by this login"));
        }
        self.looks = self.looks.wrapping_add(1);
        let mut known = HashMap::with_capacity(pids.len());
        for pid in pids {
            let Some(start) = start(&proc, pid) else { continue };
            let before = self.known.remove(&pid).filter(|process| process.start == start);
            let since = before.as_ref().map_or(self.looks, |process| process.since);
            let process = match before {
                Some(process) if !process.is_due(pid, self.looks, &self.others) => process,
                _ => Process::read(&proc, pid, start, since),
            };
            known.insert(pid, process);
        }
        self.known = known;
        Ok(())
    }

    /// The environments among what was mapped.
    pub(super) fn environments(&mut self, root: &Path) -> Environments {
        let mut mapped: BTreeMap<&Shared, Vec<u32>> = BTreeMap::new();
        for (pid, process) in &self.known {
            process.maps.iter().for_each(|map| mapped.entry(map).or_default().push(*pid));
        }
        let hidden = self.known.values().filter(|process| process.hidden).count();
        let mut seen = Environments { hidden, ..Environments::default() };
        let (mut opened, mut waiting) = (0, 0);
        self.others.retain(|file| mapped.contains_key(file));
        for (file, mut pids) in mapped {
            if self.others.contains(file) {
                continue;
            }
            if opened == OPENED {
                waiting += 1;
                continue;
            }
            opened += 1;
            pids.sort_unstable();
            match judge(root, file, &pids) {
                Mapped::Other => drop(self.others.insert(file.clone())),
                Mapped::Environment(meta) => seen.add(root, file, &pids, &meta, None),
                Mapped::Away(meta) => seen.add(root, file, &pids, &meta, pids.first().copied()),
            }
        }
        if waiting > 0 {
            seen.notes.push(clean!("looked at next time: {}", counted(waiting, "mapped file")));
        }
        seen
    }
}

impl Environments {
    fn add(&mut self, root: &Path, file: &Shared, pids: &[u32], meta: &Result<Meta, Clean>, away: Option<u32>) {
        if self.found.len() >= MOST {
            self.notes = [clean!("more than {MOST} environments are mapped; the others are not told")].into();
            return;
        }
        let environment = if file.path.ends_with("data.mdb") { file.path.parent() } else { None };
        let environment = environment.unwrap_or(&file.path);
        let proc = root.join("proc");
        let who: Vec<String> =
            pids.iter().take(3).map(|pid| format!("{} ({pid})", holders::name(&proc, *pid))).collect();
        let more = pids.len().saturating_sub(who.len());
        let who = who.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() };
        let usage = match meta {
            Ok(meta) => {
                let share = Unit::Ratio.show(meta.used() as f64 / meta.map_size as f64);
                format!("{share} of {}", Unit::Bytes.show(meta.map_size as f64))
            }
            Err(why) => why.as_str().trim_end_matches('.').to_owned(),
        };
        let place = if away.is_some() { ", in a container or another mount namespace" } else { "" };
        let keep = Keep::path("lmdb", environment).filter(|_| away.is_none());
        let keep = keep.map(|keep| if meta.is_ok() { keep } else { keep.possible("It cannot be read as it is") });
        let name = match away {
            Some(pid) => clean!("/proc/{pid}/root{}", file.path.display()),
            None => clean!("{}", file.path.display()),
        };
        let says = clean!("{name}, mapped by {who}{place}: {usage}");
        self.found.push(Found { what: What::Lmdb, name, says, keep });
        if meta.is_ok() && away.is_none() {
            self.watch.push((environment.to_owned(), pids.to_vec()));
        }
    }
}

impl Process {
    /// New ones are looked at twice, since a service opens its files after its start; those with an environment each
    /// time; for all others the turn goes round.
    fn is_due(&self, pid: u32, look: u32, others: &HashSet<Shared>) -> bool {
        look.wrapping_sub(self.since) <= 1
            || look.wrapping_add(pid).is_multiple_of(AGAIN)
            || self.maps.iter().any(|map| !others.contains(map))
    }

    fn read(proc: &Path, pid: u32, start: u64, since: u32) -> Self {
        let mut text = Vec::new();
        let read = File::open(proc.join(format!("{pid}/maps"))).and_then(|maps| maps.take(MAPS).read_to_end(&mut text));
        let hidden = read.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
        Self { start, since, maps: shared(&text), hidden }
    }
}

/// When the process began; `None` when it is gone or a thread of the kernel.
fn start(proc: &Path, pid: u32) -> Option<u64> {
    // One read of a line that is never so long: this is done for every process at every look.
    let mut line = [0; 1024];
    let length = File::open(proc.join(format!("{pid}/stat"))).and_then(|mut stat| stat.read(&mut line)).ok()?;
    let stat = line.get(..length)?;
    // The name before may hold anything, also blanks and brackets.
    let behind = stat.get(memchr::memrchr(b')', stat)? + 1..)?;
    let mut words = behind.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let mut number = |skipped: usize| core::str::from_utf8(words.nth(skipped)?).ok()?.trim().parse::<u64>().ok();
    let flags = number(6)?;
    let start = number(12)?;
    (flags & KERNEL_THREAD == 0).then_some(start)
}

/// Files that are mapped shared from their start on, from a `/proc/PID/maps`.
fn shared(maps: &[u8]) -> Vec<Shared> {
    let file = |line: &[u8]| {
        // 7f0000000000-7f0000100000 r--s 00000000 fe:00 77      /x/data.mdb
        let range = memchr::memchr(b' ', line)?;
        if line.get(range + 4) != Some(&b's') {
            return None;
        }
        let line = core::str::from_utf8(line).ok()?;
        let mut words = line.split_ascii_whitespace().skip(2);
        let (offset, device, inode) = (words.next()?, words.next()?, words.next()?);
        let path = line.get(line.find('/')?..)?;
        let skipped = path.ends_with(" (deleted)") || NEVER.iter().any(|never| path.starts_with(never));
        let plain = offset.bytes().all(|digit| digit == b'0') && (!skipped || path.starts_with("/dev/shm/"));
        plain.then(|| Shared { path: path.into(), device: device.to_owned(), inode: inode.to_owned() })
    };
    let mut files: Vec<Shared> = maps.split(|byte| *byte == b'\n').filter_map(file).collect();
    files.sort();
    files.dedup();
    files
}

/// Looks into a mapped file: as it lies here, else as one of its processes sees it.
fn judge(root: &Path, file: &Shared, pids: &[u32]) -> Mapped {
    let relative = file.path.strip_prefix("/").unwrap_or(&file.path);
    let named = file.path.ends_with("data.mdb");
    match read(&root.join(relative), file) {
        Ok(Some(meta)) => return Mapped::Environment(meta),
        Ok(None) => return Mapped::Other,
        Err(Refused::Os(Errno::ACCESS | Errno::PERM)) if named => {
            return Mapped::Environment(Err(Clean::from("may not be read by this login")));
        }
        Err(_) => {}
    }
    let away = pids.first().map(|pid| root.join(format!("proc/{pid}/root")).join(relative));
    match away.map(|away| read(&away, file)) {
        Some(Ok(Some(meta))) => Mapped::Away(meta),
        _ => Mapped::Other,
    }
}

/// The meta page, where the file is an environment and the one that the kernel means; a refusal when it is not here.
fn read(path: &Path, file: &Shared) -> Result<Option<Result<Meta, Clean>>, Refused> {
    let (open, about) = quiet::open(path)?;
    if !quiet::place(&open, &about).id.is(&file.device, &file.inode) {
        return Err(Refused::Os(Errno::NOENT));
    }
    let mut head = [0; META_LEN];
    let whole = open.read_exact_at(&mut head, 0);
    if whole.is_err() || matches!(format::meta(&head), Err(Wrong::Foreign | Wrong::Short)) {
        return Ok(None);
    }
    Ok(Some(meta_of(path, &open).map_err(|trouble| trouble.failure().what)))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
