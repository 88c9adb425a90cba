//! Points of processes: sums of all under process-exporter's names, then each process, its threads and its limits.

use super::detail::{Detail, Thread};
use super::texts::{self, LIMITS};
use super::watch::{Since, Watch};
use super::{Absent, Id, cgroup, text};
use crate::base::{Clean, Mono, Observation, Point};
use crate::clean;
use crate::samplers::proc_text::seconds;

/// Processes and threads that are told apart; the others are in the sums.
const EACH: usize = 32;
const MEMORY: &str = "namedprocess_namegroup_memory_bytes";
const READ: &str = "namedprocess_namegroup_read_bytes_total";
const WRITTEN: &str = "namedprocess_namegroup_write_bytes_total";
const RATES: [&str; 2] = ["process_group_read_bytes_per_second", "process_group_write_bytes_per_second"];
const FILES: &str = "namedprocess_namegroup_open_filedesc";
const SOCKETS: &str = "process_group_sockets";
const PEERS: &str = "process_group_peer_connections";

pub(super) fn tell(
    watch: &Watch,
    details: &[Detail],
    main: Option<&Detail>,
    since: &Since,
    now: Mono,
    seen: &mut Observation,
) {
    let mut tell = Tell { group: watch.label.as_str(), seen };
    tell.gauge("namedprocess_namegroup_num_procs", &[], details.len() as f64);
    if watch.has_met() {
        tell.gauge("process_group_restarts_total", &[], watch.restarts as f64);
    }
    // Of nobody their number is known and nothing else: no sum of them is zero.
    if let Some(main) = main {
        tell.counts(watch, details, since);
        tell.sums(details);
        tell.memory(watch, details);
        tell.files(details);
        tell.sockets(watch);
        tell.age(watch, main, now);
        tell.limits(main);
        tell.environment(&watch.seldom.env);
        let groups = text(&watch.root.join(format!("proc/{}/cgroup", main.id.pid))).unwrap_or_default();
        cgroup::read(&watch.root, &groups, watch.label.as_str(), tell.seen);
    }
    tell.each(watch, details, since);
    tell.threads(details, since);
}

pub(super) struct Tell<'a> {
    group: &'a str,
    pub(super) seen: &'a mut Observation,
}

impl Tell<'_> {
    fn point(
        &mut self,
        make: fn(&str, &[(&str, &str)], f64) -> Point,
        name: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        let mut all = Vec::with_capacity(labels.len() + 1);
        all.push(("groupname", self.group));
        all.extend_from_slice(labels);
        self.seen.points.push(make(name, &all, value));
    }

    /// A gauge, or a counter where the name says so.
    pub(super) fn gauge(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let make = if name.ends_with("_total") { Point::counter } else { Point::gauge };
        self.point(make, name, labels, value);
    }

    fn none(&mut self, names: &[&str], why: Absent) {
        why.tell(names, self.seen);
    }

    /// What only rises, whoever of them ends.
    fn counts(&mut self, watch: &Watch, details: &[Detail], since: &Since) {
        let [user, system, minor, major, voluntary, forced, read, written] = watch.totals;
        let cpu = "namedprocess_namegroup_cpu_seconds_total";
        let switches = "namedprocess_namegroup_context_switches_total";
        self.gauge(cpu, &[("mode", "user")], seconds(user));
        self.gauge(cpu, &[("mode", "system")], seconds(system));
        self.gauge("namedprocess_namegroup_minor_page_faults_total", &[], minor as f64);
        self.gauge("namedprocess_namegroup_major_page_faults_total", &[], major as f64);
        self.gauge(switches, &[("ctxswitchtype", "voluntary")], voluntary as f64);
        self.gauge(switches, &[("ctxswitchtype", "nonvoluntary")], forced as f64);
        let [new_user, new_system, .., new_read, new_written] = since.all;
        if let Some(passed) = since.passed {
            let busy = seconds(new_user + new_system) / passed;
            self.gauge("process_group_cpu_busy_ratio", &[], busy);
            if let Some(cpus) = watch.seldom.cpus {
                self.gauge("process_group_cpu_host_ratio", &[], busy / cpus);
            }
        }
        // A sum that lacks one of them would be wrong.
        if let Some(why) = details.iter().find_map(|detail| detail.io.err()) {
            self.none(&[READ, WRITTEN], why);
            self.none(&RATES, why);
            return;
        }
        self.gauge(READ, &[], read as f64);
        self.gauge(WRITTEN, &[], written as f64);
        for (name, bytes) in RATES.iter().zip([new_read, new_written]) {
            if let Some(passed) = since.passed {
                self.gauge(name, &[], bytes as f64 / passed);
            }
        }
    }

    fn sums(&mut self, details: &[Detail]) {
        let threads: u64 = details.iter().map(|detail| detail.stat.threads).sum();
        self.gauge("namedprocess_namegroup_num_threads", &[], threads as f64);
        let letters: Vec<u8> = details.iter().map(|detail| detail.stat.state).collect();
        states(&letters, |state, count| {
            self.gauge("namedprocess_namegroup_states", &[("state", state)], count);
        });
    }

    fn memory(&mut self, watch: &Watch, details: &[Detail]) {
        let alive = || details.iter().filter(|detail| detail.has_memory());
        // Corpses have no memory, not zero of it.
        if alive().next().is_none() {
            return;
        }
        for (kind, part) in [
            ("resident", (|detail| detail.status.resident) as fn(&Detail) -> Option<u64>),
            ("virtual", |detail| detail.status.virtual_size),
            ("swapped", |detail| detail.status.swapped),
            ("anonymous", |detail| detail.status.anonymous),
            ("file", |detail| detail.status.file),
            ("shmem", |detail| detail.status.shared),
        ] {
            if let Some(sum) = alive().map(part).sum::<Option<u64>>() {
                self.gauge(MEMORY, &[("memtype", kind)], sum as f64);
            }
        }
        let shares: Result<Vec<_>, Absent> = alive()
            .map(|detail| watch.seldom.shares.get(&detail.id).map_or(Err(Absent::Many), |(_, shares)| *shares))
            .collect();
        match shares {
            Ok(shares) => {
                let all: u64 = shares.iter().map(|share| share.all).sum();
                let swapped: u64 = shares.iter().map(|share| share.swapped).sum();
                self.gauge(MEMORY, &[("memtype", "proportionalResident")], all as f64);
                self.gauge(MEMORY, &[("memtype", "proportionalSwapped")], swapped as f64);
                let names = ["proportionalAnonymous", "proportionalFile", "proportionalShmem"];
                for (at, name) in names.iter().enumerate() {
                    let part = shares.iter().map(|share| share.parts.and_then(|parts| parts.get(at).copied()));
                    if let Some(sum) = part.sum::<Option<u64>>() {
                        self.gauge(MEMORY, &[("memtype", name)], sum as f64);
                    }
                }
            }
            Err(why) => self.none(&["namedprocess_namegroup_memory_bytes{memtype=\"proportionalResident\"}"], why),
        }
        let names = ["process_group_resident_growth_bytes_per_hour", "process_group_anonymous_growth_bytes_per_hour"];
        for (name, growth) in names.iter().zip(&watch.growth) {
            if let Some(slope) = growth.per_hour() {
                self.gauge(name, &[], slope);
            }
        }
    }

    fn files(&mut self, details: &[Detail]) {
        match details.iter().map(|detail| detail.files).sum::<Result<u64, Absent>>() {
            Ok(open) => self.gauge(FILES, &[], open as f64),
            Err(why) => self.none(&[FILES], why),
        }
        let worst = details.iter().filter_map(used).reduce(f64::max);
        if let Some(worst) = worst {
            self.gauge("namedprocess_namegroup_worst_fd_ratio", &[], worst);
        }
    }

    fn sockets(&mut self, watch: &Watch) {
        match &watch.seldom.sockets {
            Some(Ok(sockets)) => {
                for ((protocol, state), count) in &sockets.counts {
                    self.gauge(SOCKETS, &[("protocol", protocol), ("state", state)], *count as f64);
                }
                let Some(peers) = &watch.seldom.peers else { return };
                for ((peer, state), count) in peers.count(&sockets.ends) {
                    self.gauge(PEERS, &[("peer", &peer), ("state", state)], count as f64);
                }
                let unresolved = peers.unresolved();
                if !unresolved.is_empty() {
                    let told = clean!("no address of {}: theirs are told by address", unresolved.join(", "));
                    self.seen.facts.push((Clean::from("peers"), told));
                }
            }
            Some(Err(why)) => self.none(&[SOCKETS], *why),
            None => {}
        }
    }

    fn age(&mut self, watch: &Watch, main: &Detail, now: Mono) {
        let start = seconds(main.id.start);
        self.gauge("process_group_uptime_seconds", &[], (now.0 as f64 / 1e9 - start).max(0.0));
        if let Some(boot) = watch.seldom.boot {
            self.gauge("namedprocess_namegroup_oldest_start_time_seconds", &[], boot + start);
        }
    }

    /// Of the main process; what has no bound gives a word and no number.
    fn limits(&mut self, main: &Detail) {
        let mut words = Vec::new();
        for (row, resource) in LIMITS {
            let Some(bounds) = texts::limit(&main.limits, row) else { continue };
            for (kind, bound) in ["soft", "hard"].into_iter().zip(bounds) {
                if let Some(bound) = bound {
                    self.gauge("process_limit", &[("resource", resource), ("bound", kind)], bound as f64);
                }
            }
            let [soft, hard] = bounds.map(|bound| bound.map_or("unlimited".to_owned(), |bound| bound.to_string()));
            words.push(if soft == hard {
                format!("{resource} {soft}")
            } else {
                format!("{resource} {soft} of {hard}")
            });
        }
        self.seen.facts.push((Clean::from("limits"), clean!("{}", words.join(", "))));
    }

    /// The busiest, then the largest.
    fn each(&mut self, watch: &Watch, details: &[Detail], since: &Since) {
        let busy = |detail: &Detail| since.busy.get(&detail.id).copied();
        let mut order: Vec<&Detail> = details.iter().collect();
        order.sort_by(|a, b| {
            let size = |detail: &Detail| detail.status.resident;
            f64::total_cmp(&busy(b).unwrap_or(0.0), &busy(a).unwrap_or(0.0)).then(size(b).cmp(&size(a)))
        });
        for detail in order.into_iter().take(EACH) {
            let [pid, start] = numbers(detail.id);
            let labels = [("pid", &*pid), ("name", detail.name.as_str()), ("start", &*start)];
            let number = |value: Option<u64>| value.map(|value| value as f64);
            let [soft, _] = detail.file_limit().unwrap_or_default();
            let space = texts::limit(&detail.limits, "Max address space").and_then(|[soft, _]| soft);
            for (name, value) in [
                ("process_cpu_seconds_total", Some(seconds(detail.stat.ticks()))),
                ("process_cpu_busy_ratio", busy(detail)),
                ("process_resident_memory_bytes", number(detail.status.resident)),
                ("process_resident_memory_max_bytes", number(detail.status.peak)),
                ("process_virtual_memory_bytes", number(detail.status.virtual_size)),
                ("process_virtual_memory_max_bytes", number(space)),
                ("process_open_fds", number(detail.files.ok())),
                ("process_max_fds", number(soft)),
                ("process_fds_used_ratio", used(detail)),
                ("process_threads", Some(detail.stat.threads as f64)),
                ("process_oom_score", detail.badness),
                ("process_start_time_seconds", watch.seldom.boot.map(|boot| boot + seconds(detail.id.start))),
            ] {
                if let Some(value) = value {
                    self.gauge(name, &labels, value);
                }
            }
        }
        if let Some(why) = details.iter().find_map(|detail| detail.files.err()) {
            self.none(&["process_open_fds", "process_fds_used_ratio"], why);
        }
    }

    /// The busiest of all processes together; before there are rates, those that ever were.
    fn threads(&mut self, details: &[Detail], since: &Since) {
        let all = details.iter().flat_map(|detail| detail.threads.iter().map(move |thread| (detail, thread)));
        let mut order: Vec<(f64, &Detail, &Thread)> = all
            .map(|(detail, thread)| {
                let busy = since.threads.get(&(detail.id, thread.id)).copied().unwrap_or(0.0);
                (busy, detail, thread)
            })
            .collect();
        order.sort_by(|a, b| f64::total_cmp(&b.0, &a.0).then(b.2.ticks.cmp(&a.2.ticks)));
        for (_, detail, thread) in order.into_iter().take(EACH) {
            let ([pid, _], [tid, start]) = (numbers(detail.id), numbers(thread.id));
            let labels = [("pid", &*pid), ("tid", &*tid), ("thread", thread.name.as_str()), ("start", &*start)];
            self.gauge("process_thread_cpu_seconds_total", &labels, seconds(thread.ticks));
            if let Some(busy) = since.threads.get(&(detail.id, thread.id)) {
                self.gauge("process_thread_cpu_busy_ratio", &labels, *busy);
            }
        }
    }
}

/// Labels that no later process with the same number shares: the number, and the seconds after boot of its start.
pub(super) fn numbers(id: Id) -> [String; 2] {
    [id.pid.to_string(), format!("{:.2}", seconds(id.start))]
}

/// Open files of those allowed.
fn used(detail: &Detail) -> Option<f64> {
    let [soft, _] = detail.file_limit()?;
    let soft = soft.filter(|soft| *soft > 0)?;
    Some(detail.files.ok()? as f64 / soft as f64)
}

/// How many are in each state, as process-exporter names them; a state without one is zero.
pub(super) fn states(letters: &[u8], mut tell: impl FnMut(&'static str, f64)) {
    const STATES: [(&str, &[u8]); 4] = [("Running", b"R"), ("Sleeping", b"SI"), ("Waiting", b"D"), ("Zombie", b"Z")];
    let mut rest = letters.len();
    for (name, known) in STATES {
        let count = letters.iter().filter(|letter| known.contains(letter)).count();
        rest -= count;
        tell(name, count as f64);
    }
    tell("Other", rest as f64);
}
