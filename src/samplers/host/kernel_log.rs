//! What the kernel wrote of killed processes and of sick GPUs, from /dev/kmsg: all that its ring still holds, then
//! each new line. Nothing is told before the ring was read to its end, so that old lines never look like news.

use super::Lack;
use crate::base::{Clean, Mono, Observation, Point, Unit};
use crate::clean;
use crate::samplers::host::xid;
use core::time::Duration;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Records read in one look; a look is over within a few milliseconds.
const RECORDS: usize = 2_000;
/// A record and its dictionary are never longer.
const RECORD: usize = 16 * 1024;
/// A log that could not be opened is tried again so often.
const AGAIN: Duration = Duration::from_secs(30);
/// Different pairs of number and device; more are counted in the sum alone.
const XIDS: usize = 64;

const KILLS: &str = "watchkeeper_host_oom_kills_total";
const ALL_XIDS: &str = "watchkeeper_host_xids_total";
const XID: &str = "watchkeeper_host_xid_total";
const LOST: &str = "watchkeeper_host_kernel_log_lost_total";
const NAMES: [&str; 4] = [KILLS, ALL_XIDS, XID, LOST];

/// The open log, and what was counted in it.
#[derive(Debug, Default)]
pub(crate) struct KernelLog {
    log: Option<OwnedFd>,
    /// When it was last opened in vain, and why.
    refused: Option<(Mono, Lack)>,
    whole: bool,
    tally: Tally,
    buffer: Vec<u8>,
}

/// What was counted. Pure.
#[derive(Debug, Default)]
struct Tally {
    next: Option<u64>,
    /// Records that were overwritten before they were read.
    lost: u64,
    kills: u64,
    victim: Option<Clean>,
    all_xids: u64,
    xids: BTreeMap<(u32, Clean), u64>,
}

impl KernelLog {
    pub(crate) fn read(&mut self, root: &Path, now: Mono, seen: &mut Observation) {
        if self.log.is_none() && self.refused.is_none_or(|(at, _)| now.since(at) >= AGAIN) {
            match open(root) {
                Ok(log) => *self = Self { log: Some(log), buffer: vec![0; RECORD], ..Self::default() },
                Err(why) => self.refused = Some((now, why)),
            }
        }
        if let Some(log) = &self.log {
            match drain(log, &mut self.buffer, &mut self.tally) {
                Ok(end) => self.whole |= end,
                Err(_) => {
                    self.log = None;
                    self.refused = Some((now, Lack::Absent("reading /dev/kmsg failed")));
                }
            }
        }
        match &self.refused {
            Some((_, why)) if self.log.is_none() => why.tell(&NAMES, seen),
            _ if self.whole => self.tally.tell(seen),
            _ => seen.facts.push((Clean::from("kernel log"), Clean::from("is still being read"))),
        }
    }
}

fn open(root: &Path) -> Result<OwnedFd, Lack> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::open(root.join("dev/kmsg"), flags, Mode::empty()).map_err(|errno| match errno {
        Errno::PERM | Errno::ACCESS => Lack::Refused(
            "this login may not read the kernel log (/dev/kmsg): it takes root or CAP_SYSLOG on this host",
        ),
        Errno::NOENT => Lack::Absent("this host has no /dev/kmsg (containers often have none)"),
        _ => Lack::Absent("/dev/kmsg cannot be opened"),
    })
}

/// Reads on; true at the end. One read is one record of the kernel's.
fn drain(log: &OwnedFd, buffer: &mut [u8], tally: &mut Tally) -> rustix::io::Result<bool> {
    for _ in 0..RECORDS {
        match rustix::io::read(log, &mut *buffer) {
            Ok(0) | Err(Errno::AGAIN) => return Ok(true),
            Ok(length) => tally.take(buffer.get(..length).unwrap_or_default()),
            // What was next has been overwritten; the next read goes on behind it. The numbers tell how much it was.
            Err(Errno::PIPE | Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}

impl Tally {
    /// Takes in records: `priority,number,microseconds,flags;text`, each followed by lines that begin with a space.
    fn take(&mut self, records: &[u8]) {
        for line in records.split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let Some((head, text)) = line.split_once(';').filter(|_| !line.starts_with(' ')) else { continue };
            let mut fields = head.split(',').skip(1).map(|field| field.parse::<u64>().ok());
            let (Some(Some(number)), Some(Some(micros))) = (fields.next(), fields.next()) else { continue };
            self.lost += self.next.map_or(0, |next| number.saturating_sub(next));
            self.next = Some(number.saturating_add(1));
            self.line(text, Duration::from_micros(micros));
        }
    }

    fn line(&mut self, text: &str, at: Duration) {
        if let Some(victim) = victim(text) {
            self.kills += 1;
            self.victim = Some(clean!("{victim}, {} after boot", Unit::Seconds.show(at.as_secs_f64())));
        }
        if let Some((xid, pci)) = xid_of(text) {
            self.all_xids += 1;
            let key = (xid, Clean::text(pci));
            if self.xids.len() < XIDS || self.xids.contains_key(&key) {
                *self.xids.entry(key).or_default() += 1;
            }
        }
    }

    fn tell(&self, seen: &mut Observation) {
        for (name, count) in [(KILLS, self.kills), (ALL_XIDS, self.all_xids), (LOST, self.lost)] {
            seen.points.push(Point::counter(name, &[], count as f64));
        }
        seen.facts.extend(self.victim.iter().map(|victim| (Clean::from("last killed for memory"), victim.clone())));
        for ((xid, pci), count) in &self.xids {
            let labels = [("xid", &*xid.to_string()), ("pci", pci.as_str())];
            seen.points.push(Point::counter(XID, &labels, *count as f64));
            let meaning = xid::meaning(*xid).unwrap_or("see the vendor's catalogue of Xid numbers");
            seen.facts.push((clean!("Xid {xid} on {pci}"), clean!("{meaning}")));
        }
    }
}

/// `Out of memory: Killed process 1234 (python3) total-vm:9kB, anon-rss:5kB, …`, of the host or of a control group.
fn victim(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let after = text.get(lower.find("killed process ")? + "killed process ".len()..)?;
    let (pid, rest) = after.split_once(" (")?;
    let pid: u32 = pid.parse().ok()?;
    // A name may itself hold a bracket.
    let (name, figures) = rest.split_once(") total-vm").or_else(|| rest.rsplit_once(')'))?;
    let kilobytes = figures.split_once("anon-rss:").and_then(|(_, size)| size.split_once("kB")?.0.parse::<f64>().ok());
    let size = kilobytes.map(|size| format!(" holding {}", Unit::Bytes.show(size * 1024.0))).unwrap_or_default();
    let group = if lower.contains("memory cgroup") { " by the limit of its control group" } else { "" };
    Some(format!("{name} (process {pid}){size}{group}"))
}

/// `NVRM: Xid (PCI:0000:65:00): 79, pid=…`: the number and the device.
fn xid_of(text: &str) -> Option<(u32, &str)> {
    let (pci, rest) = text.split_once("NVRM: Xid (")?.1.split_once("): ")?;
    let number = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((number.parse().ok()?, pci.trim_start_matches("PCI:")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RING: &str = "6,100,1000000,-;Linux version 6\n SUBSYSTEM=x\n\
        3,101,7200000000,-;Out of memory: Killed process 42 (evil) total-vm:1kB) total-vm:9kB, anon-rss:2097152kB, file-rss:0kB\n\
        3,102,7200000001,-;oom_reaper: reaped process 42 (evil), now anon-rss:0kB\n\
        3,105,7300000000,-;NVRM: Xid (PCI:0000:65:00): 79, pid='<unknown>', GPU has fallen off the bus.\n\
        3,106,7300000001,-;NVRM: Xid (0000:03:00): 31, Ch 0\nrubbish\n3,x,y;no\n";

    fn value(seen: &Observation, name: &str) -> Option<f64> {
        seen.points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.value)
    }

    #[test]
    fn kills_and_xids_are_counted_with_their_meaning() {
        let mut tally = Tally::default();
        tally.take(RING.as_bytes());
        let mut seen = Observation::default();
        tally.tell(&mut seen);
        assert_eq!([KILLS, ALL_XIDS, LOST].map(|name| value(&seen, name)), [Some(1.0), Some(2.0), Some(2.0)]);
        let facts: Vec<String> = seen.facts.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(facts[0], "last killed for memory: evil (process 42) holding 2.00 GiB, 2.00 h after boot");
        assert!(facts[2].starts_with("Xid 79 on 0000:65:00: the GPU has fallen off the bus"), "{facts:?}");
        let group = "Memory cgroup out of memory: Killed process 7 (python3) total-vm:1kB, anon-rss:1024kB";
        let told = victim(group);
        assert_eq!(told.as_deref(), Some("python3 (process 7) holding 1.00 MiB by the limit of its control group"));
        assert_eq!(victim("Killed process x (y)"), None);
    }

    #[test]
    fn the_ring_is_read_once_and_then_each_new_line() {
        let root = tempfile::tempdir().expect("a folder");
        let mut log = KernelLog::default();
        let mut look = |seconds: u64| {
            let mut seen = Observation::default();
            log.read(root.path(), Mono(seconds * 1_000_000_000), &mut seen);
            seen
        };
        let none = look(0);
        assert_eq!(none.not_supported.len(), 4);
        assert!(none.not_supported[0].1.as_str().contains("no /dev/kmsg"), "{none:?}");

        std::fs::create_dir(root.path().join("dev")).expect("made");
        let path = root.path().join("dev/kmsg");
        std::fs::write(&path, RING).expect("written");
        assert_eq!(look(1).not_supported.len(), 4, "it is not tried again at once");
        assert_eq!(value(&look(30), KILLS), Some(1.0));
        let more = "3,107,1,-;Out of memory: Killed process 43 (worse) total-vm:1kB, anon-rss:1kB\n";
        std::fs::write(&path, format!("{RING}{more}")).expect("written");
        assert_eq!(value(&look(31), KILLS), Some(2.0));
        assert_eq!(value(&look(32), KILLS), Some(2.0));
    }

    #[test]
    fn a_long_ring_is_not_told_before_its_end() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("dev")).expect("made");
        let lines: String = (0..9).map(|at| format!("3,{at},1,-;NVRM: Xid (PCI:1): 79, x\n")).collect();
        std::fs::write(root.path().join("dev/kmsg"), &lines).expect("written");
        let log = open(root.path()).expect("open");
        let mut tally = Tally::default();
        // A reader of one record a read, as the kernel gives them, and far more records than a look takes.
        let line = lines.lines().next().map_or(0, str::len) + 1;
        let mut buffer = vec![0; line];
        assert_eq!(drain(&log, &mut buffer, &mut tally), Ok(true));
        assert_eq!((tally.all_xids, tally.lost), (9, 0));
        let many = lines.lines().next().unwrap_or_default().to_owned() + "\n";
        std::fs::write(root.path().join("dev/kmsg"), many.repeat(RECORDS + 1)).expect("written");
        let log = open(root.path()).expect("open");
        assert_eq!(drain(&log, &mut buffer, &mut Tally::default()), Ok(false));
    }
}
