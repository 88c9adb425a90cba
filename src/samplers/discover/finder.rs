//! One look at everything: plain reads on a blocking thread, then systemd's programs and ports beside each other. What
//! cannot be looked at is a reason of its own and keeps nothing else from being found.

use super::found::{Found, Seen, What, counted};
use super::metrics::Metrics;
use super::ports::{self, Port, Ports};
use super::processes::{Environments, Processes};
use super::{gpus, programs, sockets};
use crate::base::{Clean, Now};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, Worker};
use crate::samplers::exec::Runner;
use core::time::Duration;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tokio::time::timeout;

/// Plain reads are waited for so long: a dead mount keeps nothing else from being found.
const READS: Duration = Duration::from_secs(2);

/// What to look for: all but asking ports, unless the profile says otherwise.
#[derive(Clone, Copy, Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the profile")]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// Ports at the loopback are asked for metrics.
    pub ports: bool,
    /// Units that have failed.
    pub units: bool,
    /// Errors in the journal.
    pub journal: bool,
    /// LMDB environments.
    pub lmdb: bool,
    /// Graphics devices.
    pub gpus: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { ports: false, units: true, journal: true, lmdb: true, gpus: true }
    }
}

/// Looks, and remembers what need not be looked at again.
#[derive(Debug)]
pub struct Finder {
    /// `/`; only tests name another.
    root: PathBuf,
    wanted: Wanted,
    worker: Worker<(Memory, Local)>,
    memory: Memory,
    units: Runner,
    journal: Runner,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Memory {
    processes: Processes,
    ports: Ports,
}

/// What plain reads gave.
#[derive(Debug)]
struct Local {
    gpus: Option<Result<Vec<Found>, Clean>>,
    lmdb: Option<Result<Environments, Clean>>,
    systemctl: Option<Result<PathBuf, Clean>>,
    journalctl: Option<Result<PathBuf, Clean>>,
    ports: Result<Vec<Port>, Clean>,
    sockets: Result<Vec<Found>, Clean>,
}

impl Finder {
    /// Of this host.
    pub fn new(wanted: Wanted) -> Self {
        Self::at("/".into(), wanted)
    }

    pub(super) fn at(root: PathBuf, wanted: Wanted) -> Self {
        let (units, journal) = (Runner::new(), Runner::new());
        let worker = Worker::new(&LOCAL_FILES);
        Self { root, wanted, worker, memory: Memory::default(), units, journal, metrics: Metrics::default() }
    }

    /// One look. Cancel-safe; takes less than five seconds.
    pub async fn look(&mut self, now: Now) -> Seen {
        let local = self.local(now).await;
        let (units, journal) = (&mut self.units, &mut self.journal);
        let units = async {
            match local.systemctl? {
                Ok(program) => Some(programs::units(program, units, now.mono).await),
                Err(why) => Some(Err(why)),
            }
        };
        let journal = async {
            match local.journalctl? {
                Ok(program) => Some(programs::journal(program, journal, now.mono).await),
                Err(why) => Some(Err(why)),
            }
        };
        let asked = ask(&mut self.metrics, self.wanted.ports, &local.ports, now);
        let (units, journal, asked) = tokio::join!(units, journal, asked);
        let mut seen = Seen { journal, ..Seen::default() };
        let mut add = |what, found: Option<_>| found.into_iter().for_each(|found| seen.add(what, found));
        add(What::Gpu, local.gpus);
        add(What::Unit, units);
        add(What::Socket, Some(local.sockets));
        if let Some(environments) = local.lmdb {
            environments_into(&mut seen, environments);
        }
        ports_into(&mut seen, local.ports, asked);
        seen
    }

    async fn local(&mut self, now: Now) -> Local {
        let (root, wanted) = (self.root.clone(), self.wanted);
        let mut memory = core::mem::take(&mut self.memory);
        let work = move || {
            let local = Local::read(&root, wanted, &mut memory);
            (memory, local)
        };
        match timeout(READS, self.worker.run(now.mono, work)).await {
            Ok(Ok((memory, local))) => {
                self.memory = memory;
                local
            }
            Ok(Err(stuck)) => Local::stuck(wanted, &clean!("reads of local files: {stuck}")),
            Err(_) => Local::stuck(wanted, &clean!("reads of local files have not ended within {} s", READS.as_secs())),
        }
    }
}

/// The ports that answer with metrics, and how many could not be asked yet; or why none is asked.
type Asked = Result<(BTreeSet<u16>, usize), Clean>;

async fn ask(metrics: &mut Metrics, wanted: bool, ports: &Result<Vec<Port>, Clean>, now: Now) -> Asked {
    if !wanted {
        return Err(Clean::from("ports are asked for metrics only with `--discover`, or `ports = true` in a profile"));
    }
    Ok(metrics.ask(now.mono, ports.as_deref().map_err(Clean::clone)?).await)
}

fn ports_into(seen: &mut Seen, ports: Result<Vec<Port>, Clean>, asked: Asked) {
    let metrics = asked.as_ref().map(|(answering, _)| answering.len()).map_err(Clean::clone);
    let (answering, waiting) = asked.unwrap_or_default();
    if waiting > 0 {
        seen.notes.push((What::Metrics, clean!("not asked yet: {}", counted(waiting, "port"))));
    }
    let count = ports.as_ref().map(Vec::len).map_err(Clean::clone);
    let (found, left) = ports.map(|ports| ports::found(&ports, &answering)).unwrap_or_default();
    if left > 0 {
        seen.notes.push((What::Port, clean!("not told: {}", counted(left, "more port"))));
    }
    seen.found.extend(found);
    seen.counts.extend([(What::Port, count), (What::Metrics, metrics)]);
}

/// None among the processes that may be looked into is not none at all.
fn environments_into(seen: &mut Seen, environments: Result<Environments, Clean>) {
    let found = environments.and_then(|environments| {
        let Environments { found, watch, notes, hidden } = environments;
        let why = match hidden {
            1 => Clean::from("one process does not show its maps to this login, and may map an environment"),
            _ => clean!("{hidden} processes do not show their maps to this login, and may map environments"),
        };
        if hidden > 0 && found.is_empty() {
            return Err(why);
        }
        let notes = notes.into_iter().chain((hidden > 0).then_some(why));
        seen.notes.extend(notes.map(|note| (What::Lmdb, note)));
        seen.lmdb = watch;
        Ok(found)
    });
    seen.add(What::Lmdb, found);
}

impl Local {
    fn read(root: &Path, wanted: Wanted, memory: &mut Memory) -> Self {
        Self {
            gpus: wanted.gpus.then(|| gpus::look(root)),
            lmdb: wanted.lmdb.then(|| memory.processes.look(root)),
            systemctl: wanted.units.then(|| programs::systemctl(root)),
            journalctl: wanted.journal.then(|| programs::journalctl(root)),
            ports: memory.ports.look(root),
            sockets: Ok(sockets::look(root)),
        }
    }

    fn stuck(wanted: Wanted, why: &Clean) -> Self {
        Self {
            gpus: wanted.gpus.then(|| Err(why.clone())),
            lmdb: wanted.lmdb.then(|| Err(why.clone())),
            systemctl: wanted.units.then(|| Err(why.clone())),
            journalctl: wanted.journal.then(|| Err(why.clone())),
            ports: Err(why.clone()),
            sockets: Err(why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn a_look_costs_less_than_ten_times_its_five_milliseconds() {
        let cpu = || {
            let at = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
            Duration::try_from(at).expect("after the start")
        };
        let mut memory = Memory::default();
        let mut costs = Vec::new();
        for _ in 0..31 {
            let before = cpu();
            Local::read(Path::new("/"), Wanted::default(), &mut memory).ports.expect("a host");
            costs.push(cpu().saturating_sub(before));
        }
        let first = costs[0];
        costs.sort();
        let processes = crate::samplers::holders::processes(Path::new("/proc")).len();
        println!(
            "discover: {:?} CPU for the median look of this build, {first:?} for the first; {processes} processes",
            costs[15]
        );
        assert!(costs[15] < Duration::from_millis(50), "{:?}", costs[15]);
    }

    #[tokio::test]
    async fn what_cannot_be_looked_at_is_a_reason_and_keeps_nothing_else_from_being_found() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(root.path().join("dev")).expect("made");
        std::fs::write(root.path().join("dev/nvidia0"), "").expect("written");
        let mut finder = Finder::at(root.path().to_owned(), Wanted { ports: true, ..Wanted::default() });
        let seen = finder.look(Now::default()).await;
        let counts: Vec<(&str, bool)> = seen.counts.iter().map(|(what, count)| (what.word(), count.is_ok())).collect();
        let looked =
            [("gpu", true), ("unit", false), ("socket", true), ("lmdb", false), ("port", false), ("metrics", false)];
        assert_eq!(counts, looked);
        assert!(seen.found.len() == 1 && seen.journal.is_some_and(|journal| journal.is_err()));
        let none = Wanted { ports: false, units: false, journal: false, lmdb: false, gpus: false };
        let seen = Finder::at(root.path().to_owned(), none).look(Now::default()).await;
        assert!(
            seen.journal.is_none()
                && seen.counts.iter().all(|(what, _)| ![What::Gpu, What::Unit, What::Lmdb].contains(what))
        );
    }

    #[tokio::test]
    async fn reads_that_hang_are_a_reason_and_hold_nothing_up() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(root.path().join("proc/net")).expect("made");
        let pipe = root.path().join("proc/net/tcp");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("made");
        let mut finder = Finder::at(root.path().to_owned(), Wanted::default());
        let seen = finder.look(Now::default()).await;
        let why = seen.counts.iter().find_map(|(_, count)| count.as_ref().err()).expect("a reason");
        assert_eq!(why.as_str(), "reads of local files have not ended within 2 s");
        assert!(seen.counts.len() == 6 && seen.journal.is_some_and(|journal| journal.is_err()));
        // Whoever waits to read it goes on, once for each time that it is opened.
        std::fs::write(&pipe, "").expect("written");
    }

    #[tokio::test]
    async fn none_among_hidden_processes_is_not_none() {
        let mut seen = Seen::default();
        environments_into(&mut seen, Ok(Environments { hidden: 3, ..Environments::default() }));
        assert!(matches!(&seen.counts[..], [(What::Lmdb, Err(why))] if why.as_str().starts_with("3 processes")));
        let mut seen = Seen::default();
        environments_into(&mut seen, Ok(Environments::default()));
        assert_eq!((seen.counts, seen.notes.len()), (vec![(What::Lmdb, Ok(0))], 0));
    }
}
