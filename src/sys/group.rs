//! Process groups of other programs that must not outlive us: while they start, while they live, and while what a
//! leader left behind clears up. When we leave, however that comes, all of them end and none begins any more.

use super::child::wait_readable;
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal, test_kill_process_group,
};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many may live at once; more are not started.
pub(super) const MOST: usize = 256;
/// Programs whose start is under way when we leave are waited for so long: one on a dead mount never comes.
const STARTS: Duration = Duration::from_millis(50);

/// Those of this process.
pub(super) static LIVE: Register = Register::new();

/// Groups that live, by their leaders. A number stands here only while a leader that is not reaped, or one of its
/// group, keeps it from passing to another.
#[derive(Debug)]
pub(super) struct Register {
    live: Mutex<Live>,
    started: Condvar,
}

#[derive(Debug)]
struct Live {
    starting: usize,
    groups: Vec<Pid>,
    /// We are leaving.
    closed: bool,
}

/// Why there is no place for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    Leaving,
    Many,
}

impl Register {
    pub(super) const fn new() -> Self {
        Self { live: Mutex::new(Live { starting: 0, groups: Vec::new(), closed: false }), started: Condvar::new() }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one that is to be started.
    pub(super) fn begin(&'static self) -> Result<Place, Full> {
        let mut live = self.live();
        if live.closed {
            return Err(Full::Leaving);
        }
        if live.starting + live.groups.len() >= MOST {
            return Err(Full::Many);
        }
        live.starting += 1;
        Ok(Place(self))
    }

    pub(super) fn forget(&self, group: Pid) {
        self.live().groups.retain(|live| *live != group);
    }

    #[cfg(test)]
    pub(super) fn groups(&self) -> Vec<Pid> {
        self.live().groups.clone()
    }

    /// Kills all that live and lets none begin any more.
    pub(super) fn end(&self) {
        let mut live = self.live();
        live.closed = true;
        let still_starting = |live: &mut Live| live.starting > 0;
        let waited = self.started.wait_timeout_while(live, STARTS, still_starting);
        let (live, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for group in &live.groups {
            let _best_effort = kill_process_group(*group, Signal::KILL);
        }
    }
}

/// The start of one program.
pub(super) struct Place(&'static Register);

impl Place {
    /// It has started and is held from now on. False when we left meanwhile, and the wait for it was over: it has been
    /// killed.
    pub(super) fn started(self, group: Pid) -> bool {
        let mut live = self.0.live();
        if live.closed {
            let _best_effort = kill_process_group(group, Signal::KILL);
        }
        live.groups.push(group);
        !live.closed
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.live().starting -= 1;
        self.0.started.notify_all();
    }
}

/// Ends every program that still lives, but those that are to be spared, and lets none be started any more. For the end
/// of a session, where nothing is waited for and nobody's own drop is sure to run: at a panic and a hang-up too.
pub fn end_all() {
    LIVE.end();
}

/// Others of a group whose leader has ended. Dropping it kills those that are left.
#[derive(Debug)]
pub struct Rest {
    group: Pid,
    register: &'static Register,
}

impl Rest {
    /// Of a leader that was reaped just now; `None` when it was the last of its group, which is then forgotten.
    pub(super) fn of(group: Pid, register: &'static Register) -> Option<Self> {
        if test_kill_process_group(group).is_ok() {
            return Some(Self { group, register });
        }
        register.forget(group);
        None
    }

    /// A descriptor each that becomes readable when that process has ended; none when all are gone. Reads the list of
    /// all processes.
    pub fn members(&self) -> Vec<OwnedFd> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
        let member = |pid: Pid| {
            let ours = |pid| group_of(pid) == Some(self.group);
            // Held first, and asked again: the number may have passed on in between.
            let held = ours(pid).then(|| pidfd_open(pid, PidfdFlags::empty()).ok()).flatten()?;
            let ended = wait_readable(&[held.as_fd()], Some(Duration::ZERO)).is_ok_and(|ready| ready.contains(&true));
            (ours(pid) && !ended).then_some(held)
        };
        pids.filter_map(member).collect()
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        for member in self.members() {
            let _best_effort = pidfd_send_signal(&member, Signal::KILL);
        }
        self.register.forget(self.group);
    }
}

/// From now on whoever below us loses its parent becomes our child (`PR_SET_CHILD_SUBREAPER`): who forks twice to get away
/// from us does not. For runners: what they inherit ends with what left it, see [`inherited`].
pub fn adopt_orphans() {
    ADOPTS.store(rustix::process::set_child_subreaper(Some(rustix::process::getpid())).is_ok(), Ordering::Relaxed);
}

static ADOPTS: AtomicBool = AtomicBool::new(false);

/// Our children, by number and start: what was there before a program began is not of its leaving.
pub(super) fn children() -> Vec<(Pid, Option<u64>)> {
    if !ADOPTS.load(Ordering::Relaxed) {
        return Vec::new();
    }
    let started = |pid: Pid| super::child::start_time(pid.as_raw_nonzero().get().unsigned_abs());
    children_of(rustix::process::getpid()).into_iter().map(|pid| (pid, started(pid))).collect()
}

/// What we have inherited since, and everyone below it: neither a program of ours nor our own image. One that we are
/// just starting is none of them a moment later.
pub(super) fn inherited(before: &[(Pid, Option<u64>)]) -> Vec<OwnedFd> {
    let own = std::fs::read_link("/proc/self/exe").ok();
    let found = || {
        let ours = |pid: Pid| {
            let image = std::fs::read_link(format!("/proc/{}/exe", pid.as_raw_nonzero())).ok();
            LIVE.live().groups.contains(&pid) || image.is_some() && image == own
        };
        let strange = children().into_iter().filter(|child| !before.contains(child) && !ours(child.0));
        strange.collect::<Vec<(Pid, Option<u64>)>>()
    };
    let first = found();
    if first.is_empty() {
        return Vec::new();
    }
    let _a_moment = wait_readable(&[], Some(STARTS));
    let again = found();
    let mut all = Vec::new();
    for (pid, _) in first.into_iter().filter(|child| again.contains(child)) {
        // Our own child: its number passes to nobody before we reap it.
        all.extend(pidfd_open(pid, PidfdFlags::empty()).ok());
        all.extend(below(pid));
    }
    all
}

/// Everyone below a process just now, also who has left its group or its session. Who was given up by a parent that has
/// ended is not found: see [`inherited`].
pub(super) fn below(top: Pid) -> Vec<OwnedFd> {
    let (mut open, mut found) = (vec![top], Vec::new());
    while let Some(parent) = open.pop().filter(|_| found.len() < MOST) {
        for child in children_of(parent) {
            let Ok(held) = pidfd_open(child, PidfdFlags::empty()) else { continue };
            // Held first, and asked again: the number may have passed on in between.
            if children_of(parent).contains(&child) {
                found.push(held);
                open.push(child);
            }
        }
    }
    found
}

fn children_of(parent: Pid) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero())).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids = |list: String| list.split(' ').filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect::<Vec<_>>();
    lists.flat_map(pids).collect()
}

/// Field 5 of a process' `stat`; `None` when it is gone, or one of the kernel's.
fn group_of(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name in brackets may hold anything: count from the last bracket.
    let behind = stat.get(memchr::memrchr(b')', &stat)? + 1..)?;
    let group = behind.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).nth(2)?;
    Pid::from_raw(core::str::from_utf8(group).ok()?.parse().ok()?)
}
