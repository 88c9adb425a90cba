//! What is remembered of processes from look to look: their counts for rates and sums that never fall, who the main
//! one is and how often that changed, how their memory grows, and what is read seldom because it costs them time.

use super::detail::Detail;
use super::env::{Asked, Told};
use super::find::{Finder, Found, Which, began};
use super::growth::{Growth, SHORTEST};
use super::peers::Peers;
use super::texts::{self, Shares};
use super::{Absent, Id, sockets, tell, text, top};
use crate::base::{Clean, Failure, Mono, Now, Observation};
use crate::clean;
use crate::samplers::proc_text;
use core::time::Duration;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// More processes are not read in detail.
pub(super) const PROCESSES: usize = 256;
/// Threads read in one look.
const THREADS: usize = 1_024;
/// How old what is read seldom may be.
const SELDOM: Duration = Duration::from_secs(10);
/// For so much memory its walk is made another ten seconds more seldom.
const LARGE: u64 = 8 << 30;

/// User and system ticks, minor and major faults, voluntary and forced switches, bytes read and written.
pub(super) type Counts = [u64; 8];
/// The same of one process, as far as they could be read.
type Known = [Option<u64>; 8];

/// What the profile says.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) which: Which,
    pub(crate) user: Option<String>,
    /// The label `groupname`.
    pub(crate) label: Clean,
    pub(crate) env: Asked,
    /// Who is at the other end of connections; `None` where nobody asks.
    pub(crate) peers: Option<Arc<Peers>>,
    /// From when on it is said how fast its memory grows; `None` is after five minutes.
    pub(crate) growth_after: Option<Duration>,
}

/// The memory of one sampler.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(super) root: PathBuf,
    pub(super) label: Clean,
    asking: Arc<AtomicU32>,
    finder: Finder,
    top: Option<usize>,
    env: Asked,
    /// /proc is the kernel's, and not a test's.
    real: bool,
    pub(super) last: Option<Mono>,
    before: HashMap<Id, Known>,
    pub(super) ticks: HashMap<(Id, Id), u64>,
    pub(super) totals: Counts,
    main: Option<Id>,
    pub(super) restarts: u64,
    /// Of resident memory, and of the anonymous part of it.
    pub(super) growth: [Growth; 2],
    pub(super) seldom: Seldom,
}

/// What is read once in ten seconds.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    asked: Option<Mono>,
    /// Seconds since the epoch.
    pub(super) boot: Option<f64>,
    pub(super) cpus: Option<f64>,
    pub(super) shares: HashMap<Id, (Mono, Result<Shares, Absent>)>,
    pub(super) sockets: Option<Result<sockets::Sockets, Absent>>,
    /// The names of those at the other end.
    pub(super) peers: Option<Arc<Peers>>,
    pub(super) env: Told,
}

/// What happened since the last look.
#[derive(Debug, Default)]
pub(super) struct Since {
    /// Seconds; `None` at the first look.
    pub(super) passed: Option<f64>,
    pub(super) all: Counts,
    /// Busy shares of one CPU.
    pub(super) busy: HashMap<Id, f64>,
    pub(super) threads: HashMap<(Id, Id), f64>,
}

impl Watch {
    /// `root` is `/`; only tests name another.
    pub(crate) fn new(root: PathBuf, options: Options) -> Self {
        let top = if let Which::Top(count) = options.which { Some(count) } else { None };
        let asking = Arc::new(AtomicU32::new(0));
        Self {
            finder: Finder::new(root.clone(), options.which, options.user, Arc::clone(&asking)),
            asking,
            label: options.label,
            top,
            env: options.env,
            real: rustix::fs::statfs(root.join("proc")).is_ok_and(|about| about.f_type == rustix::fs::PROC_SUPER_MAGIC),
            root,
            last: None,
            before: HashMap::new(),
            ticks: HashMap::new(),
            totals: Counts::default(),
            main: None,
            restarts: 0,
            growth: [(); 2].map(|()| Growth::new(options.growth_after.unwrap_or(SHORTEST))),
            seldom: Seldom { peers: options.peers, ..Seldom::default() },
        }
    }

    /// The process whose files are being read, or were last.
    pub(crate) fn asking(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.asking)
    }

    /// A main process was seen, now or before.
    pub(super) fn has_met(&self) -> bool {
        self.main.is_some()
    }

    /// Looks once. Blocking.
    pub(crate) fn look(&mut self, now: Now) -> Result<Observation, Failure> {
        let found = self.finder.find(now.mono)?;
        let mut seen = Observation::default();
        if let Some(count) = self.top {
            top::tell(self, &found, count, now.mono, &mut seen);
        } else {
            self.group(found, now.mono, &mut seen);
        }
        self.last = Some(now.mono);
        Ok(seen)
    }

    fn group(&mut self, found: Found, now: Mono, seen: &mut Observation) {
        let more = found.members.len().saturating_sub(PROCESSES);
        let mut room = THREADS;
        let mut details = Vec::with_capacity(found.members.len());
        for stat in found.members.into_iter().take(PROCESSES) {
            self.asking.store(stat.pid, Ordering::Relaxed);
            let Some(detail) = Detail::read(&self.root, stat, self.real, room) else { continue };
            room -= detail.threads.len().min(room);
            details.push(detail);
        }
        let vanished = || details.is_empty().then(|| Clean::from("all of them ended while they were looked at"));
        seen.facts.extend(found.nobody.or_else(vanished).map(|why| (Clean::from("processes"), why)));
        if more > 0 {
            seen.facts.push((Clean::from("processes"), clean!("{more} beyond {PROCESSES}: the sums lack them")));
        }
        if room == 0 {
            seen.facts.push((Clean::from("threads"), clean!("more than {THREADS}: some are not looked at")));
        }
        let main = main(&details);
        if let Some(new) = main.map(|main| main.id)
            && self.main != Some(new)
        {
            self.restarts += u64::from(self.main.is_some());
            self.growth.iter_mut().for_each(Growth::begin_anew);
            self.seldom = Seldom { peers: self.seldom.peers.take(), ..Seldom::default() };
            self.main = Some(new);
        }
        let since = self.advance(&details, now);
        self.refresh(&details, main, now);
        if let Some(main) = main {
            let user = main.status.uid.map_or_else(Clean::default, |uid| self.finder.user(uid).clone());
            seen.facts.push((Clean::from("main process"), clean!("{}, process {} of {user}", main.name, main.id.pid)));
            seen.facts.push((Clean::from("main pid"), clean!("{}", main.id.pid)));
            seen.facts.extend(self.seldom.env.facts.iter().cloned());
            let grown = |part: fn(&Detail) -> Option<u64>| details.iter().filter_map(part).sum::<u64>() as f64;
            let [resident, anonymous] = &mut self.growth;
            resident.add(now, grown(|detail| detail.status.resident));
            anonymous.add(now, grown(|detail| detail.status.anonymous));
        }
        tell::tell(self, &details, main, &since, now, seen);
    }

    /// Adds up what each did since the last look, and keeps what they are at now.
    fn advance(&mut self, details: &[Detail], now: Mono) -> Since {
        let passed = self.last.map(|last| now.since(last).as_secs_f64()).filter(|passed| *passed > 0.0);
        let last = self.last.map(|last| last.0 as f64 / 1e9);
        let mut since = Since { passed, ..Since::default() };
        let mut kept = HashMap::with_capacity(details.len());
        let mut ticks = HashMap::new();
        for detail in details {
            let mut counts = counts(detail);
            // One met for the first time counts from its start when that lies behind the last look; an older one has
            // only now become one of them. A start is told in whole ticks, cut off: it may lie up to one later.
            let young = last.is_none_or(|last| proc_text::seconds(detail.id.start + 1) >= last);
            let before = self.before.get(&detail.id).copied();
            let base = before.or(young.then_some([Some(0); 8]));
            let known = base.is_some();
            let base = base.unwrap_or(counts);
            for ((all, new), old) in since.all.iter_mut().zip(&counts).zip(&base) {
                *all += new.zip(*old).map_or(0, |(new, old)| new.saturating_sub(old));
            }
            // What cannot be read this time goes on from where it was.
            for (new, old) in counts.iter_mut().zip(before.unwrap_or_default()) {
                *new = new.or(old);
            }
            let busy = |new: u64, old: u64| passed.map(|passed| proc_text::seconds(new.saturating_sub(old)) / passed);
            let [old_user, old_system, ..] = base.map(Option::unwrap_or_default);
            if let Some(share) = busy(detail.stat.ticks(), old_user + old_system).filter(|_| known) {
                since.busy.insert(detail.id, share);
            }
            for thread in &detail.threads {
                let key = (detail.id, thread.id);
                if let Some(share) = self.ticks.get(&key).and_then(|old| busy(thread.ticks, *old)) {
                    since.threads.insert(key, share);
                }
                ticks.insert(key, thread.ticks);
            }
            kept.insert(detail.id, counts);
        }
        for (total, step) in self.totals.iter_mut().zip(&since.all) {
            *total = total.saturating_add(*step);
        }
        (self.before, self.ticks) = (kept, ticks);
        since
    }

    fn refresh(&mut self, details: &[Detail], main: Option<&Detail>, now: Mono) {
        let known: HashSet<Id> = details.iter().map(|detail| detail.id).collect();
        self.seldom.shares.retain(|id, _| known.contains(id));
        for detail in details.iter().filter(|detail| detail.has_memory()).take(64) {
            let size = detail.status.resident.unwrap_or(0);
            let rest = SELDOM * (1 + u32::try_from(size / LARGE).unwrap_or(u32::MAX - 1));
            if self.seldom.shares.get(&detail.id).is_none_or(|(at, _)| now.since(*at) >= rest) {
                self.seldom.shares.insert(detail.id, (now, shares(&self.root, detail.id.pid)));
            }
        }
        if self.seldom.asked.is_some_and(|asked| now.since(asked) < SELDOM) {
            return;
        }
        self.seldom.asked = Some(now);
        self.seldom.boot = began(&self.root, 0);
        let stat = text(&self.root.join("proc/stat")).ok().and_then(|text| proc_text::stat(&text));
        self.seldom.cpus = stat.map(|stat| stat.cpus.len() as f64).filter(|cpus| *cpus > 0.0);
        let mut pids: Vec<u32> = details.iter().map(|detail| detail.id.pid).collect();
        if let Some(main) = main {
            pids.sort_by_key(|pid| *pid != main.id.pid);
            self.seldom.env = self.env.look(&self.root, main.id.pid);
        }
        self.seldom.sockets = (!pids.is_empty()).then(|| sockets::read(&self.root, &pids));
    }
}

/// The oldest of those that nobody among them started.
fn main(details: &[Detail]) -> Option<&Detail> {
    let pids: HashSet<u32> = details.iter().map(|detail| detail.id.pid).collect();
    details.iter().filter(|detail| !pids.contains(&detail.stat.parent)).min_by_key(|detail| detail.id)
}

fn counts(detail: &Detail) -> Known {
    let (stat, status) = (&detail.stat, &detail.status);
    let [read, written] = detail.io.map_or([None; 2], |io| io.map(Some));
    let [user, system, minor, major] = [stat.user, stat.system, stat.minor_faults, stat.major_faults].map(Some);
    [user, system, minor, major, status.voluntary, status.forced, read, written]
}

fn shares(root: &Path, pid: u32) -> Result<Shares, Absent> {
    texts::shares(&text(&root.join(format!("proc/{pid}/smaps_rollup")))?).ok_or(Absent::Missing)
}
