//! One look at everything: plain reads on a blocking thread, then systemd's programs and ports beside each other. What
//! cannot be looked at is a reason of its own and keeps nothing else from being found.

use super::found::{Found, Seen, What, counted};
use super::metrics::Metrics;
use super::ports::{self, Port, Ports};
use super::processes::{Environments, Processes};
use super::{gpus, programs, sockets};
use crate::base::{Clean, Now, Unit};
use crate::clean;
use crate::samplers::blocking::{LOCAL_FILES, PROCESSES, Worker};
use crate::samplers::exec::Runner;
use core::time::Duration;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tokio::time::timeout;

/// Processes, and then files, are waited for so long: a dead mount keeps nothing else from being found.
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
    files: Worker<(Processes, Local)>,
    asking: Worker<(Memory, Asked)>,
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

/// What was read of processes, which may hang their reader.
#[derive(Debug)]
struct Asked {
    /// Whether their maps are known.
    maps: Result<(), Clean>,
    ports: Result<Vec<Port>, Clean>,
}

/// What plain reads of files gave.
#[derive(Debug)]
struct Local {
    gpus: Option<Result<Vec<Found>, Clean>>,
    lmdb: Option<Result<Environments, Clean>>,
    systemctl: Option<Result<PathBuf, Clean>>,
    journalctl: Option<Result<PathBuf, Clean>>,
    sockets: Result<Vec<Found>, Clean>,
}

impl Finder {
    /// Of this host.
    pub fn new(wanted: Wanted) -> Self {
        Self::at("/".into(), wanted)
    }

    pub(super) fn at(root: PathBuf, wanted: Wanted) -> Self {
        let (units, journal) = (Runner::new(), Runner::new());
        let (files, asking) = (Worker::new(&LOCAL_FILES), Worker::new(&PROCESSES));
        Self { root, wanted, files, asking, memory: Memory::default(), units, journal, metrics: Metrics::default() }
    }

    /// One look. Cancel-safe; takes less than five seconds.
    pub async fn look(&mut self, now: Now) -> Seen {
        let (root, wanted) = (self.root.as_path(), self.wanted);
        let (local, ports) = local(root, wanted, &mut self.memory, &mut self.asking, &mut self.files, now).await;
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
        let asked = ask(&mut self.metrics, wanted.ports, &ports, now);
        let (units, journal, asked) = tokio::join!(units, journal, asked);
        let mut seen = Seen { journal, ..Seen::default() };
        let mut add = |what, found: Option<_>| found.into_iter().for_each(|found| seen.add(what, found));
        add(What::Gpu, local.gpus);
        add(What::Unit, units);
        add(What::Socket, Some(local.sockets));
        if let Some(environments) = local.lmdb {
            environments_into(&mut seen, environments);
        }
        ports_into(&mut seen, ports, asked);
        seen
    }
}

/// The ports that answer with metrics, and how many could not be asked yet; or why none is asked.
type Told = Result<(BTreeSet<u16>, usize), Clean>;

async fn ask(metrics: &mut Metrics, wanted: bool, ports: &Result<Vec<Port>, Clean>, now: Now) -> Told {
    if !wanted {
        return Err(Clean::from("ports are asked for metrics only with `--discover`, or `ports = true` in a profile"));
    }
    Ok(metrics.ask(now.mono, ports.as_deref().map_err(Clean::clone)?).await)
}

fn ports_into(seen: &mut Seen, ports: Result<Vec<Port>, Clean>, asked: Told) {
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

/// What local files and processes tell. Processes come first, since they tell which files to open; where they hang, files
/// are read all the same.
async fn local(
    root: &Path,
    wanted: Wanted,
    memory: &mut Memory,
    asking: &mut Worker<(Memory, Asked)>,
    files: &mut Worker<(Processes, Local)>,
    now: Now,
) -> (Local, Result<Vec<Port>, Clean>) {
    let (from, mut taken) = (root.to_owned(), core::mem::take(memory));
    let ask = move || {
        let asked = Asked::read(&from, wanted, &mut taken);
        (taken, asked)
    };
    let asked = match timeout(READS, asking.run(now.mono, ask)).await {
        Ok(Ok((known, asked))) => {
            *memory = known;
            asked
        }
        Ok(Err(stuck)) => Asked::stuck(&clean!("reads of processes: {stuck}")),
        Err(_) => Asked::stuck(&clean!("processes were not read within {}", Unit::Seconds.show(READS.as_secs_f64()))),
    };
    let (from, mut processes) = (root.to_owned(), core::mem::take(&mut memory.processes));
    let maps = asked.maps;
    let read = move || {
        let local = Local::read(&from, wanted, &mut processes, maps);
        (processes, local)
    };
    let local = match timeout(READS, files.run(now.mono, read)).await {
        Ok(Ok((processes, local))) => {
            memory.processes = processes;
            local
        }
        Ok(Err(stuck)) => Local::stuck(wanted, &clean!("reads of local files: {stuck}")),
        Err(_) => {
            let limit = Unit::Seconds.show(READS.as_secs_f64());
            Local::stuck(wanted, &clean!("local files were not read within {limit}"))
        }
    };
    (local, asked.ports)
}

/// None among the processes that may be looked into is not none at all.
fn environments_into(seen: &mut Seen, environments: Result<Environments, Clean>) {
    let found = environments.and_then(|environments| {
        let Environments { found, watch, notes, hidden } = environments;
        seen.lmdb = Some(watch);
        let why = match hidden {
            1 => Clean::from("one process does not show its maps to this login, and may map an environment"),
            _ => clean!("{hidden} processes do not show their maps to this login, and may map environments"),
        };
        if hidden > 0 && found.is_empty() {
            return Err(why);
        }
        let notes = notes.into_iter().chain((hidden > 0).then_some(why));
        seen.notes.extend(notes.map(|note| (What::Lmdb, note)));
        Ok(found)
    });
    seen.add(What::Lmdb, found);
}

impl Asked {
    fn read(root: &Path, wanted: Wanted, memory: &mut Memory) -> Self {
        let maps = if wanted.lmdb { memory.processes.ask(root) } else { Ok(()) };
        Self { maps, ports: memory.ports.look(root) }
    }

    fn stuck(why: &Clean) -> Self {
        Self { maps: Err(why.clone()), ports: Err(why.clone()) }
    }
}

impl Local {
    fn read(root: &Path, wanted: Wanted, processes: &mut Processes, maps: Result<(), Clean>) -> Self {
        Self {
            gpus: wanted.gpus.then(|| gpus::look(root)),
            lmdb: wanted.lmdb.then(|| maps.map(|()| processes.environments(root))),
            systemctl: wanted.units.then(|| programs::systemctl(root)),
            journalctl: wanted.journal.then(|| programs::journalctl(root)),
            sockets: Ok(sockets::look(root)),
        }
    }

    fn stuck(wanted: Wanted, why: &Clean) -> Self {
        Self {
            gpus: wanted.gpus.then(|| Err(why.clone())),
            lmdb: wanted.lmdb.then(|| Err(why.clone())),
            systemctl: wanted.units.then(|| Err(why.clone())),
            journalctl: wanted.journal.then(|| Err(why.clone())),
            sockets: Err(why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let asked = Asked::read(Path::new("/"), Wanted::default(), &mut memory);
            Local::read(Path::new("/"), Wanted::default(), &mut memory.processes, asked.maps);
            asked.ports.expect("a host");
            costs.push(cpu().saturating_sub(before));
        }
        let first = costs[0];
        costs.sort();
        let processes = crate::sys::holders::processes(Path::new("/proc")).len();
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
    async fn a_process_that_hangs_its_reader_keeps_no_file_from_being_read() {
        let root = tempfile::tempdir().expect("a folder");
        let maps = root.path().join("proc/40/maps");
        std::fs::create_dir_all(maps.parent().expect("a folder")).expect("made");
        std::fs::create_dir_all(root.path().join("dev")).expect("made");
        std::fs::write(root.path().join("dev/nvidia0"), "").expect("written");
        let stat = "40 (a) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 9 9";
        std::fs::write(root.path().join("proc/40/stat"), stat).expect("written");
        // Reading a pipe waits for its writer, as reading maps waits for the process.
        let (here, fifo) = (rustix::fs::CWD, rustix::fs::FileType::Fifo);
        rustix::fs::mknodat(here, &maps, fifo, rustix::fs::Mode::RWXU, 0).expect("a pipe");
        // Dropped at the end, whatever fails: then the reader goes on.
        let _writer = std::fs::OpenOptions::new().read(true).write(true).open(&maps).expect("a pipe");
        let mut finder =
            Finder::at(root.path().to_owned(), Wanted { units: false, journal: false, ..Wanted::default() });
        for why in ["processes were not read within 2.00 s", "reads of processes: the last call has hung for 0 s"] {
            let seen = finder.look(Now::default()).await;
            let count = |of| seen.counts.iter().find(|(what, _)| *what == of).map(|(_, count)| count.clone());
            assert_eq!((count(What::Gpu), count(What::Socket)), (Some(Ok(1)), Some(Ok(0))));
            assert_eq!((count(What::Lmdb), count(What::Port)), (Some(Err(why.into())), Some(Err(why.into()))));
            assert_eq!(seen.lmdb, None, "what is watched is watched on");
        }
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
