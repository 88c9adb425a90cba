//! The processes of the whole host that are busiest and those that are largest.

use super::find::Found;
use super::tell::{numbers, states};
use super::texts::{self, Stat};
use super::watch::Watch;
use super::{Id, read};
use crate::base::{Clean, Mono, Observation, Point};
use crate::samplers::proc_text::seconds;
use std::collections::{HashMap, HashSet};

pub(super) fn tell(watch: &mut Watch, found: &Found, count: usize, now: Mono, seen: &mut Observation) {
    let passed = watch.last.map(|last| now.since(last).as_secs_f64()).filter(|passed| *passed > 0.0);
    let since = watch.last.map_or(0.0, |last| last.0 as f64 / 1e9);
    let mut ticks = HashMap::with_capacity(found.members.len());
    let mut busy = HashMap::new();
    for stat in &found.members {
        let id = id(stat);
        let before = watch.ticks.get(&(id, id)).copied();
        // One that began since the last look was busy from its start.
        let before = before.or((seconds(stat.start) >= since).then_some(0));
        if let Some((before, passed)) = before.zip(passed) {
            busy.insert(id, seconds(stat.ticks().saturating_sub(before)) / passed);
        }
        ticks.insert((id, id), stat.ticks());
    }
    watch.ticks = ticks;

    let group = ("groupname", watch.label.as_str());
    let threads: u64 = found.members.iter().map(|stat| stat.threads).sum();
    seen.points.push(Point::gauge("namedprocess_namegroup_num_procs", &[group], found.members.len() as f64));
    seen.points.push(Point::gauge("namedprocess_namegroup_num_threads", &[group], threads as f64));
    let letters: Vec<u8> = found.members.iter().map(|stat| stat.state).collect();
    states(&letters, |state, count| {
        seen.points.push(Point::gauge("namedprocess_namegroup_states", &[group, ("state", state)], count));
    });
    if found.hidden {
        let why = "those of other users are hidden from this login (hidepid)";
        seen.facts.push((Clean::from("processes"), Clean::from(why)));
    }
    for stat in chosen(&found.members, &busy, count) {
        let command = read(&watch.root.join(format!("proc/{}/cmdline", stat.pid))).unwrap_or_default();
        let name = Clean::text(texts::name(&stat.comm, &command));
        let [pid, start] = numbers(id(stat));
        let labels = [group, ("pid", &*pid), ("name", name.as_str()), ("start", &*start)];
        let resident = stat.resident as f64 * crate::sys::host::page_bytes();
        seen.points.push(Point::counter("process_cpu_seconds_total", &labels, seconds(stat.ticks())));
        seen.points.push(Point::gauge("process_resident_memory_bytes", &labels, resident));
        seen.points.push(Point::gauge("process_threads", &labels, stat.threads as f64));
        seen.points.extend(busy.get(&id(stat)).map(|busy| Point::gauge("process_cpu_busy_ratio", &labels, *busy)));
    }
}

fn id(stat: &Stat) -> Id {
    Id { pid: stat.pid, start: stat.start }
}

/// The busiest, then the largest that are not among them.
fn chosen<'a>(members: &'a [Stat], busy: &HashMap<Id, f64>, count: usize) -> Vec<&'a Stat> {
    let share = |stat: &Stat| busy.get(&id(stat)).copied().unwrap_or(0.0);
    let mut order: Vec<&Stat> = members.iter().collect();
    order.sort_by(|a, b| f64::total_cmp(&share(b), &share(a)).then(b.ticks().cmp(&a.ticks())));
    let mut chosen: Vec<&Stat> = order.iter().take(count).copied().collect();
    let known: HashSet<u32> = chosen.iter().map(|stat| stat.pid).collect();
    order.sort_by_key(|stat| core::cmp::Reverse(stat.resident));
    chosen.extend(order.into_iter().take(count).filter(|stat| !known.contains(&stat.pid)));
    chosen
}
