//! Which processes are meant: by unit, control group, pid file or full command line, with all that they started.

use super::texts::{self, Stat, command_line};
use super::{Id, read, text};
use crate::base::{Clean, Failure, Mono, Unit};
use crate::clean;
use crate::sys::host::user_name;
use core::time::Duration;
use regex::Regex;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A command line is judged again so soon after a process was first met, since it may be about to become another
/// program; and so seldom later.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_secs(10);
/// A process that began so much later than its pid file was written is not the one that is meant.
const YOUNGER: f64 = 10.0;
/// Folders of control groups looked at for a unit or below one.
const FOLDERS: usize = 4_096;
/// Where trees of control groups lie: version 2, hybrid, version 1.
const TREES: [&str; 3] = ["sys/fs/cgroup", "sys/fs/cgroup/unified", "sys/fs/cgroup/systemd"];

const NO_GROUPS: &str =
    "This host shows no control groups below /sys/fs/cgroup, so no unit can be found. Give `command` or `pid_file`.";

/// How a profile names them.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    /// `x.service`
    Unit(String),
    /// `/system.slice/x.service`
    Cgroup(String),
    /// Its path.
    PidFile(PathBuf),
    /// Over the arguments with blanks between.
    Command(Regex),
    /// The busiest and the largest of the host, so many of each.
    Top(usize),
}

/// Who was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) members: Vec<Stat>,
    /// Where nobody was found: what was looked at.
    pub(super) nobody: Option<Clean>,
    /// Processes of other users cannot be seen.
    pub(super) hidden: bool,
}

/// Finds, and remembers what it judged.
#[derive(Debug)]
pub(super) struct Finder {
    root: PathBuf,
    which: Which,
    user: Option<String>,
    asking: Arc<AtomicU32>,
    /// Where the unit was last.
    folder: Option<PathBuf>,
    judged: HashMap<Id, (Mono, Duration, bool)>,
    users: HashMap<u32, Clean>,
}

impl Finder {
    pub(super) fn new(root: PathBuf, which: Which, user: Option<String>, asking: Arc<AtomicU32>) -> Self {
        Self { root, which, user, asking, folder: None, judged: HashMap::new(), users: HashMap::new() }
    }

    pub(super) fn find(&mut self, now: Mono) -> Result<Found, Failure> {
        let which = self.which.clone();
        let mut found = match &which {
            Which::Unit(unit) => match self.seek(unit) {
                Some(folder) => {
                    self.folder = Some(folder.clone());
                    self.group(&folder)?
                }
                None if !self.has_groups() => return Err(Failure::unreachable(NO_GROUPS)),
                None => self.nobody(clean!("{unit} has no control group: it is not running, or there is no such unit")),
            },
            Which::Cgroup(path) => {
                let inside = path.trim_start_matches('/');
                let known = TREES.iter().chain(&["sys/fs/cgroup/memory"]).map(|tree| self.root.join(tree).join(inside));
                match known.into_iter().find(|folder| folder.join("cgroup.procs").exists()) {
                    Some(folder) => self.group(&folder)?,
                    None if !self.has_groups() => return Err(Failure::unreachable(NO_GROUPS)),
                    None => self.nobody(clean!("there is no control group {path}")),
                }
            }
            Which::PidFile(path) => self.pid_file(path)?,
            Which::Command(pattern) => self.command(pattern, now),
            Which::Top(_) => Found { members: scan(&self.root), ..self.nobody(Clean::from("/proc is empty")) },
        };
        if found.members.is_empty() && found.hidden {
            return Err(Failure::not_permitted(
                "The processes of other users are hidden from this login (/proc is mounted with hidepid), so nobody can \
                 say whether it runs. Run as its user, as root, or in the group that may see them.",
            ));
        }
        if !found.members.is_empty() {
            found.nobody = None;
        }
        Ok(found)
    }

    /// The user's name, or its number.
    pub(super) fn user(&mut self, uid: u32) -> &Clean {
        self.users.entry(uid).or_insert_with(|| user_name(uid))
    }

    fn nobody(&self, why: Clean) -> Found {
        Found { members: Vec::new(), nobody: Some(why), hidden: hidden(&self.root) }
    }

    fn fits_user(&mut self, pid: u32) -> bool {
        let Some(wanted) = self.user.clone() else { return true };
        let status = text(&self.root.join(format!("proc/{pid}/status"))).unwrap_or_default();
        let Some(uid) = texts::status(&status).uid else { return false };
        uid.to_string() == wanted || self.user(uid).as_str() == wanted
    }

    /// All in a control group and below it.
    fn group(&mut self, folder: &Path) -> Result<Found, Failure> {
        let shown = folder.strip_prefix(&self.root).unwrap_or(folder).display().to_string();
        let mut pids = Vec::new();
        let mut open = vec![folder.to_owned()];
        for _ in 0..FOLDERS {
            let Some(folder) = open.pop() else { break };
            match text(&folder.join("cgroup.procs")) {
                Ok(text) => {
                    pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid > 0));
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(Failure::not_permitted(format!(
                        "/{shown}/cgroup.procs may not be read by this login."
                    )));
                }
                // It went away, or holds threads only.
                Err(_) => {}
            }
            open.extend(folders(&folder).map(|(_, path)| path));
        }
        let mut found = self.nobody(clean!("/{shown} holds no process"));
        found.members = pids.iter().filter_map(|pid| stat(&self.root, *pid)).collect();
        found.members.retain(|member| self.fits_user(member.pid));
        Ok(found)
    }

    /// The folder of a unit's control group: units lie in slices, those of a user below `user@N.service`.
    fn seek(&self, unit: &str) -> Option<PathBuf> {
        if let Some(folder) = self.folder.as_ref().filter(|folder| folder.join("cgroup.procs").exists()) {
            return Some(folder.clone());
        }
        let mut open: Vec<PathBuf> = TREES.iter().map(|tree| self.root.join(tree)).collect();
        for _ in 0..FOLDERS {
            let folder = open.pop()?;
            for (name, path) in folders(&folder) {
                if name == unit && path.join("cgroup.procs").exists() {
                    return Some(path);
                }
                if name.ends_with(".slice") || name.starts_with("user@") {
                    open.push(path);
                }
            }
        }
        None
    }

    fn has_groups(&self) -> bool {
        let trees = ["cgroup.controllers", "unified", "systemd", "memory"];
        trees.iter().any(|tree| self.root.join("sys/fs/cgroup").join(tree).exists())
    }

    fn pid_file(&mut self, path: &Path) -> Result<Found, Failure> {
        let shown = path.display();
        let inside: PathBuf = path.components().skip(1).collect();
        let file = self.root.join(inside);
        let written = std::fs::metadata(&file).and_then(|about| Ok((about.mtime() as f64, text(&file)?)));
        let (written, content) = written.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::unreachable(format!("{shown} does not exist. Does its service run?")),
            io::ErrorKind::PermissionDenied => Failure::not_permitted(format!(
                "{shown} may not be read by this login. Run as a user or group that may read it."
            )),
            _ => Failure::unreachable(format!("{shown}: {error}.")),
        })?;
        let first = content.split_ascii_whitespace().next().and_then(|word| word.parse::<u32>().ok());
        let Some(pid) = first.filter(|pid| *pid > 0) else {
            return Err(Failure::answered(format!("{shown} does not begin with a process number.")));
        };
        let Some(main) = stat(&self.root, pid) else {
            return Ok(self.nobody(clean!("{shown} names process {pid}, which is gone: the file is stale")));
        };
        if let Some(began) = began(&self.root, main.start)
            && began > written + YOUNGER
        {
            return Err(Failure::answered(format!(
                "{shown} is stale: it was written {} before the process {pid} that it names began.",
                Unit::Seconds.show(began - written)
            )));
        }
        let fits = self.fits_user(pid);
        let mut found = self.nobody(clean!("process {pid} of {shown} belongs to another user than the profile wants"));
        if fits {
            found.members = tree(scan(&self.root), &HashSet::from([pid]));
        }
        Ok(found)
    }

    fn command(&mut self, pattern: &Regex, now: Mono) -> Found {
        let all = scan(&self.root);
        let own = crate::sys::process::pid();
        let mut refused = false;
        let mut roots = HashSet::new();
        let mut judged = HashMap::with_capacity(all.len());
        for stat in all.iter().filter(|stat| !stat.is_kernel() && stat.pid != own) {
            let id = Id { pid: stat.pid, start: stat.start };
            let known = self.judged.get(&id).copied();
            self.asking.store(stat.pid, Ordering::Relaxed);
            let verdict = known.filter(|(at, again, _)| now.since(*at) < *again).unwrap_or_else(|| {
                let command = read(&self.root.join(format!("proc/{}/cmdline", stat.pid)));
                refused |= command.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
                let fits = command.is_ok_and(|command| pattern.is_match(&command_line(&command)));
                (now, if known.is_some() { LATER } else { SOON }, fits)
            });
            judged.insert(id, verdict);
            if verdict.2 && self.fits_user(stat.pid) {
                roots.insert(stat.pid);
            }
        }
        self.judged = judged;
        let mut found = self.nobody(clean!("no command line fits {}", pattern.as_str()));
        found.hidden |= refused;
        found.members = tree(all, &roots);
        found
    }
}

/// Every process that can be seen.
pub(super) fn scan(root: &Path) -> Vec<Stat> {
    let entries = std::fs::read_dir(root.join("proc")).into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| stat(root, pid)).collect()
}

fn stat(root: &Path, pid: u32) -> Option<Stat> {
    texts::stat(&read(&root.join(format!("proc/{pid}/stat"))).ok()?)
}

/// The processes with these numbers, and all that they started.
fn tree(all: Vec<Stat>, roots: &HashSet<u32>) -> Vec<Stat> {
    let mut inside = roots.clone();
    loop {
        let before = inside.len();
        for stat in &all {
            if inside.contains(&stat.parent) {
                inside.insert(stat.pid);
            }
        }
        if inside.len() == before {
            return all.into_iter().filter(|stat| inside.contains(&stat.pid)).collect();
        }
    }
}

/// When a process began, in seconds since the epoch.
pub(super) fn began(root: &Path, start: u64) -> Option<f64> {
    let boot = crate::samplers::proc_text::stat(&text(&root.join("proc/stat")).ok()?)?.boot?;
    Some(boot as f64 + crate::samplers::proc_text::seconds(start))
}

/// The first process is always there; where it cannot be read, others cannot be seen either.
fn hidden(root: &Path) -> bool {
    stat(root, 1).is_none()
}

fn folders(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
}
