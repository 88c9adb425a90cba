//! The texts of /proc that the host sampler reads, as data. Pure; what does not parse is absent, never zero.

/// Kernel ticks a second in /proc/stat: 100 on every architecture that Rust builds for here.
const TICKS: f64 = 100.0;

/// Modes of /proc/stat, in its order, named as node_exporter names them.
pub(crate) const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

/// Ticks of one CPU by mode since boot.
pub(crate) type Times = [u64; 8];

/// /proc/stat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    /// All CPUs together.
    pub(crate) all: Times,
    /// Each CPU with its number.
    pub(crate) cpus: Vec<(u32, Times)>,
    /// Context switches since boot.
    pub(crate) switches: Option<u64>,
    /// Forks since boot.
    pub(crate) forks: Option<u64>,
    /// Seconds since the epoch at which the host started.
    pub(crate) boot: Option<u64>,
    /// Runnable threads.
    pub(crate) running: Option<u64>,
    /// Threads that wait for a device.
    pub(crate) blocked: Option<u64>,
}

pub(crate) fn stat(text: &str) -> Option<Stat> {
    let mut out = Stat::default();
    let mut whole = false;
    for line in text.lines() {
        let Some((name, rest)) = line.split_once(' ') else { continue };
        let number = || rest.trim().parse().ok();
        match name {
            "cpu" => {
                out.all = times(rest)?;
                whole = true;
            }
            "ctxt" => out.switches = number(),
            "processes" => out.forks = number(),
            "btime" => out.boot = number(),
            "procs_running" => out.running = number(),
            "procs_blocked" => out.blocked = number(),
            _ => {
                if let Some(cpu) = name.strip_prefix("cpu").and_then(|cpu| cpu.parse().ok()) {
                    out.cpus.push((cpu, times(rest)?));
                }
            }
        }
    }
    whole.then_some(out)
}

fn times(text: &str) -> Option<Times> {
    let mut times = Times::default();
    let mut words = text.split_ascii_whitespace();
    for time in &mut times {
        *time = words.next()?.parse().ok()?;
    }
    Some(times)
}

/// Ticks as seconds.
pub(crate) fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS
}

/// The share of time between two readings in which CPUs were not idle; `None` when no time passed.
pub(crate) fn busy(before: &Times, after: &Times) -> Option<f64> {
    let mut passed = 0_u64;
    let mut idle = 0_u64;
    for ((mode, before), after) in MODES.iter().zip(before).zip(after) {
        // The kernel lets iowait and idle fall now and then; a step back is no time.
        let step = after.saturating_sub(*before);
        passed += step;
        if matches!(*mode, "idle" | "iowait") {
            idle += step;
        }
    }
    (passed > 0).then(|| (passed - idle) as f64 / passed as f64)
}

/// The share of time between two readings that CPUs spent in a mode; `None` when no time passed.
pub(crate) fn share(before: &Times, after: &Times, mode: &str) -> Option<f64> {
    let steps = || MODES.iter().zip(before.iter().zip(after)).map(|(mode, (a, b))| (*mode, b.saturating_sub(*a)));
    let passed: u64 = steps().map(|(_, step)| step).sum();
    let spent: u64 = steps().filter(|(known, _)| *known == mode).map(|(_, step)| step).sum();
    (passed > 0).then(|| spent as f64 / passed as f64)
}

/// /proc/meminfo: names, values, and what a metric's name ends in: bytes, or nothing where the line counts pages.
pub(crate) fn meminfo(text: &str) -> impl Iterator<Item = (&str, u64, &'static str)> {
    text.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let mut words = rest.split_ascii_whitespace();
        let value: u64 = words.next()?.parse().ok()?;
        Some(if words.next() == Some("kB") { (name, value.checked_mul(1024)?, "_bytes") } else { (name, value, "") })
    })
}

/// /proc/loadavg: over 1, 5 and 15 minutes.
pub(crate) fn loadavg(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_ascii_whitespace().map_while(|word| word.parse().ok());
    Some([words.next()?, words.next()?, words.next()?])
}

/// One line of a file of /proc/pressure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pressure {
    /// Share of the last 10 s, 0 to 1.
    pub(crate) ratio: f64,
    /// Since boot.
    pub(crate) seconds: f64,
}

/// The line that begins with `scope` (`some` or `full`).
pub(crate) fn pressure(text: &str, scope: &str) -> Option<Pressure> {
    let line = text.lines().find_map(|line| line.strip_prefix(scope)?.strip_prefix(' '))?;
    let field = |name: &str| {
        let word = line.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
        word.parse::<f64>().ok().filter(|value| value.is_finite())
    };
    Some(Pressure { ratio: field("avg10")? / 100.0, seconds: field("total")? / 1e6 })
}

/// One device of /proc/net/dev, in the order receive, transmit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) bytes: [u64; 2],
    pub(crate) packets: [u64; 2],
    pub(crate) errors: [u64; 2],
    pub(crate) drops: [u64; 2],
}

pub(crate) fn netdev(text: &str) -> impl Iterator<Item = (&str, Traffic)> {
    text.lines().skip(2).filter_map(|line| {
        let (device, rest) = line.rsplit_once(':')?;
        let mut fields = [0_u64; 12];
        let mut words = rest.split_ascii_whitespace();
        for field in &mut fields {
            *field = words.next()?.parse().ok()?;
        }
        let [rx, rx_packets, rx_errors, rx_drops, _, _, _, _, tx, tx_packets, tx_errors, tx_drops] = fields;
        let traffic = Traffic {
            bytes: [rx, tx],
            packets: [rx_packets, tx_packets],
            errors: [rx_errors, tx_errors],
            drops: [rx_drops, tx_drops],
        };
        Some((device.trim(), traffic))
    })
}

/// One line of /proc/self/mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// `major:minor` of the file system: the same for each of its mounts.
    pub(crate) device: Vec<u8>,
    pub(crate) point: Vec<u8>,
    pub(crate) read_only: bool,
    pub(crate) kind: Vec<u8>,
    pub(crate) source: Vec<u8>,
}

pub(crate) fn mountinfo(text: &[u8]) -> impl Iterator<Item = Mount> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut words = line.split(|byte| *byte == b' ');
        let device = words.nth(2)?.to_vec();
        let point = unescape(words.nth(1)?);
        let read_only = words.next()?.split(|byte| *byte == b',').any(|option| option == b"ro");
        words.find(|word| *word == b"-")?;
        Some(Mount { device, point, read_only, kind: unescape(words.next()?), source: unescape(words.next()?) })
    })
}

/// Undoes the kernel's `\040` and the like.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((byte, tail)) = rest.split_first() {
        let octal =
            tail.first_chunk::<3>().filter(|digits| *byte == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        match octal {
            Some(digits) => {
                out.push(digits.iter().fold(0_u8, |sum, digit| sum.wrapping_mul(8).wrapping_add(digit - b'0')));
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn busy_is_what_was_not_idle_between_two_readings() {
        let before = [100, 0, 50, 1_000, 10, 0, 0, 0];
        let after = [120, 0, 60, 1_060, 20, 0, 0, 0];
        assert_eq!(busy(&before, &after), Some(0.3));
        assert_eq!(busy(&before, &before), None, "no time passed: not known, not zero");
        assert_eq!((share(&before, &after, "iowait"), share(&before, &after, "steal")), (Some(0.1), Some(0.0)));
        assert_eq!(busy(&before, &[120, 0, 50, 1_000, 5, 0, 0, 0]), Some(1.0), "iowait fell");
    }

    #[test]
    fn a_stat_reads() {
        let text = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5 1 2\nctxt 77\nbtime 1700000000\nprocesses 9\nprocs_running 2\nprocs_blocked 0\n";
        let read = stat(text).expect("whole");
        assert_eq!((read.all, read.cpus.as_slice()), ([1, 2, 3, 4, 5, 6, 7, 8], &[(0, [1, 2, 3, 4, 5, 6, 7, 8])][..]));
        assert_eq!((read.switches, read.running, read.blocked), (Some(77), Some(2), Some(0)));
        assert_eq!(stat("cpu  1 2 three"), None);
        assert_eq!(stat(""), None);
    }

    #[test]
    fn a_pressure_file_reads() {
        let text =
            "some avg10=1.50 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(pressure(text, "some"), Some(Pressure { ratio: 0.015, seconds: 2.5 }));
        assert_eq!(pressure(text, "full").map(|full| full.ratio), Some(0.0));
        assert_eq!(pressure("", "some"), None);
    }

    #[test]
    fn devices_and_mounts_read() {
        let text = "Inter-| Receive\n face |bytes\n  eth0: 10 2 3 4 0 0 0 0 50 6 7 8 0 0 0 0\n eth1:0: 1 1 1 1 0 0 0 0 2 2 2 2 0 0 0 0\nbad: 1 2\n";
        let read: Vec<(&str, [u64; 2])> = netdev(text).map(|(device, traffic)| (device, traffic.bytes)).collect();
        assert_eq!(read, [("eth0", [10, 50]), ("eth1:0", [1, 2])]);

        let text =
            b"27 1 254:0 / /a\\040b ro,relatime shared:1 - ext4 /dev/vda rw\n28 27 0:25 / /x rw - tmpfs none rw\n\n";
        let read: Vec<(Vec<u8>, bool, Vec<u8>)> = mountinfo(text).map(|m| (m.point, m.read_only, m.kind)).collect();
        assert_eq!(read, [(b"/a b".to_vec(), true, b"ext4".to_vec()), (b"/x".to_vec(), false, b"tmpfs".to_vec())]);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[ -~\n]{0,200}") {
            drop(stat(&text));
            prop_assert!(loadavg(&text).is_none_or(|loads| loads.len() == 3));
            prop_assert!(pressure(&text, "some").is_none_or(|line| line.ratio.is_finite()));
            prop_assert!(meminfo(&text).count() + netdev(&text).count() + mountinfo(text.as_bytes()).count() <= 200);
        }

        #[test]
        fn a_share_stays_a_share(before in any::<[u32; 8]>(), after in any::<[u32; 8]>()) {
            let share = busy(&before.map(u64::from), &after.map(u64::from));
            prop_assert!(share.is_none_or(|share| (0.0..=1.0).contains(&share)));
        }
    }
}
