//! What watching costs: our own processor time, memory, threads and descriptors, and each sampler's share in words of
//! time. Told as a sample of its own, so that it can be shown, judged and kept like any other.

use super::pace::Pace;
use crate::base::{Clean, Mono, Observation, Point};
use core::time::Duration;
use std::sync::Arc;

/// The name under which it is told; no sampler of a profile may have it.
pub const OWN: &str = "watchkeeper";
/// How often.
pub const EVERY: Duration = Duration::from_secs(2);

/// The metrics of it, for [`super::Kind::gives`]'s readers.
pub fn gives() -> Vec<String> {
    [
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_threads",
        "process_open_fds",
        "watchkeeper_cpu_ratio",
        "watchkeeper_interval_factor",
        "watchkeeper_samples_replaced_total",
        "watchkeeper_sampler_",
    ]
    .map(str::to_owned)
    .into()
}

/// What one sampler has cost so far.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) name: Arc<str>,
    pub(crate) attempts: u64,
    pub(crate) failures: u64,
    pub(crate) busy: Duration,
    pub(crate) last: Duration,
}

impl Tally {
    pub(crate) fn new(name: &Arc<str>) -> Self {
        let name = Arc::clone(name);
        Self { name, attempts: 0, failures: 0, busy: Duration::ZERO, last: Duration::ZERO }
    }

    /// One more attempt.
    pub(crate) fn count(&mut self, took: Duration, good: bool) {
        self.attempts += 1;
        self.failures += u64::from(!good);
        self.busy += took;
        self.last = took;
    }
}

/// This process, as the kernel counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Processor time of all threads, and of children that have ended.
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: f64,
    pub(crate) threads: f64,
    pub(crate) open_files: Option<f64>,
}

/// Reads it now; `None` where `/proc` is hidden.
pub(crate) fn usage() -> Option<Usage> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let open_files = std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1) as f64);
    read(&stat, rustix::param::page_size() as f64).map(|usage| Usage { open_files, ..usage })
}

/// Fields 14 to 17 (ticks of a hundredth of a second), 20 and 24 of proc(5)'s `stat`.
fn read(stat: &str, page: f64) -> Option<Usage> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
    let ticks = number(14)? + number(15)? + number(16)? + number(17)?;
    Some(Usage {
        cpu: Duration::from_millis(ticks.saturating_mul(10)),
        resident_bytes: number(24)? as f64 * page,
        threads: number(20)? as f64,
        open_files: None,
    })
}

/// The share of a core between two readings.
pub(crate) fn share(before: (Mono, Duration), after: (Mono, Duration)) -> Option<f64> {
    let passed = after.0.since(before.0).as_secs_f64();
    (passed > 0.0).then(|| after.1.saturating_sub(before.1).as_secs_f64() / passed)
}

/// Everything as one observation.
pub(crate) fn observation(
    usage: Option<Usage>,
    share: Option<f64>,
    tallies: &[Tally],
    (pace, gentle, replaced): (&Pace, bool, u64),
) -> Observation {
    let mut seen = Observation::default();
    let points = &mut seen.points;
    if let Some(usage) = usage {
        points.push(Point::counter("process_cpu_seconds_total", &[], usage.cpu.as_secs_f64()));
        points.push(Point::gauge("process_resident_memory_bytes", &[], usage.resident_bytes));
        points.push(Point::gauge("process_threads", &[], usage.threads));
        points.extend(usage.open_files.map(|count| Point::gauge("process_open_fds", &[], count)));
    } else {
        let why = Clean::from("/proc/self cannot be read");
        seen.not_supported.push((Clean::from("process_cpu_seconds_total"), why));
    }
    points.extend(share.map(|share| Point::gauge("watchkeeper_cpu_ratio", &[], share)));
    let slowed = pace.why(gentle);
    let why = slowed.as_ref().map(|(word, _)| ("why", *word));
    points.push(Point::gauge("watchkeeper_interval_factor", why.as_slice(), f64::from(pace.factor())));
    points.push(Point::counter("watchkeeper_samples_replaced_total", &[], replaced as f64));
    // Before its first attempt has ended, nothing is known of a sampler: not even that it never failed.
    for tally in tallies.iter().filter(|tally| tally.attempts > 0) {
        let labels = [("sampler", &*tally.name)];
        points.push(Point::gauge("watchkeeper_sampler_duration_seconds", &labels, tally.last.as_secs_f64()));
        points.push(Point::counter("watchkeeper_sampler_busy_seconds_total", &labels, tally.busy.as_secs_f64()));
        points.push(Point::counter("watchkeeper_sampler_attempts_total", &labels, tally.attempts as f64));
        points.push(Point::counter("watchkeeper_sampler_failures_total", &labels, tally.failures as f64));
    }
    seen.facts.extend(slowed.map(|(_, text)| (Clean::from("pace"), Clean::text(text))));
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read_whatever_the_name_holds() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 0 1 2 3 4 100 50 7 3 20 0 16 0 99 1000 300 0";
        let usage = read(stat, 4096.0).expect("whole");
        let wanted = Usage {
            cpu: Duration::from_millis(1_600),
            resident_bytes: 300.0 * 4096.0,
            threads: 16.0,
            open_files: None,
        };
        assert_eq!(usage, wanted);
        assert_eq!(read("7 (a) S 1", 4096.0), None);
    }

    #[test]
    fn of_a_sampler_nothing_is_told_before_its_first_attempt_has_ended() {
        let mut tallies = ["new", "old"].map(|name| Tally::new(&name.into()));
        tallies[1].count(Duration::from_millis(3), false);
        let seen = observation(None, None, &tallies, (&Pace::new(false, 1.0, 50), false, 0));
        let of =
            |name| seen.points.iter().filter(|point| point.key.label("sampler").is_some_and(|of| *of == name)).count();
        assert_eq!((of(Clean::from("new")), of(Clean::from("old"))), (0, 4));
    }

    #[test]
    fn this_process_can_be_read() {
        let usage = usage().expect("a /proc");
        assert!(usage.resident_bytes > 1e6 && usage.threads >= 1.0 && usage.open_files.is_some_and(|n| n >= 3.0));
    }

    #[test]
    fn a_share_needs_time_to_have_passed() {
        let at = |seconds: u64| Mono(seconds * 1_000_000_000);
        assert_eq!(share((at(1), Duration::ZERO), (at(1), Duration::from_secs(1))), None);
        assert_eq!(share((at(1), Duration::ZERO), (at(5), Duration::from_secs(1))), Some(0.25));
    }
}
