//! The kernel's own log, from /dev/kmsg: the end of what its ring still holds, then each new line.

use super::outlet::Outlet;
use crate::base::{Clean, Fault, LogLine, Now, Wall};
use crate::logs::formats::of_syslog;
use core::time::Duration;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

/// A record and its dictionary are never longer.
const RECORD: usize = 16 * 1024;
/// Where it stands.
const KERNEL_LOG: &str = "/dev/kmsg";
/// The device that it is: major, minor (admin-guide/devices.txt).
const KMSG: (u32, u32) = (1, 11);
/// Lines shown of what was there before us.
const BACKLOG: usize = 200;
/// A log that could not be opened is tried again so often.
const AGAIN: Duration = Duration::from_secs(30);

pub(super) fn read(outlet: &mut Outlet) {
    loop {
        match open(KERNEL_LOG) {
            Ok(log) => {
                outlet.failure = None;
                match follow(&log, outlet) {
                    Ok(()) => return,
                    Err(errno) if is_refusal(errno) => outlet.failure = Some(refusal()),
                    Err(error) => outlet.failure = Some(Fault::new(format!("/dev/kmsg cannot be read: {error}."))),
                }
            }
            Err(fault) => outlet.failure = Some(fault),
        }
        outlet.post();
        if outlet.rest(AGAIN) {
            return;
        }
    }
}

fn open(path: &str) -> Result<OwnedFd, Fault> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let log = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        errno if is_refusal(errno) => refusal(),
        Errno::NOENT => Fault::new("this host has no /dev/kmsg (containers often have none)."),
        errno => Fault::new(format!("/dev/kmsg cannot be opened: {errno}.")),
    })?;
    let device = rustix::fs::fstat(&log).map(|stat| (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)));
    // What a container puts there instead never blocks: it would be read without a pause.
    if device == Ok(KMSG) {
        return Ok(log);
    }
    Err(Fault::new("/dev/kmsg is not the kernel's log here (containers often have something else there)."))
}

/// It is this login that may not read it.
const fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::PERM | Errno::ACCESS)
}

fn refusal() -> Fault {
    Fault::new("this login may not read the kernel log (/dev/kmsg).")
        .hint("It takes root or CAP_SYSLOG on this host.")
        .refused()
}

/// Reads until it is time to stop.
fn follow(log: &OwnedFd, outlet: &mut Outlet) -> rustix::io::Result<()> {
    let mut buffer = vec![0; RECORD];
    let mut next = None;
    // What is there already is history: its end is enough, and none of it counts as lost.
    let mut history = Some(VecDeque::new());
    loop {
        match rustix::io::read(log, &mut *buffer) {
            Ok(length) if length > 0 => {
                let record = buffer.get(..length).unwrap_or_default();
                let Some((number, line)) = parse(record, outlet.clock.now()) else { continue };
                let lost = next.map_or(0, |next: u64| number.saturating_sub(next));
                next = Some(number.saturating_add(1));
                match &mut history {
                    Some(history) => {
                        history.push_back(line);
                        if history.len() > BACKLOG {
                            history.pop_front();
                        }
                    }
                    None => {
                        if lost > 0 {
                            outlet.lose(lost);
                            outlet.mark(crate::clean!("the kernel overwrote {lost} lines before they were read"));
                        }
                        outlet.line(line);
                    }
                }
            }
            // What was next has been overwritten: the next read goes on behind it.
            Err(Errno::PIPE | Errno::INTR) => {}
            Ok(_) | Err(Errno::AGAIN) => {
                for line in history.take().into_iter().flatten() {
                    outlet.line(line);
                }
                outlet.post();
                if outlet.wait(&[log.as_fd()], None).is_none() {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// `priority,number,microseconds,flags;text`, then lines of its dictionary. The time is that of the kernel's clock,
/// which stands still while the machine is suspended: across a suspension it is only near.
fn parse(record: &[u8], now: Now) -> Option<(u64, LogLine)> {
    let end = record.iter().position(|byte| *byte == b'\n').unwrap_or(record.len());
    let line = record.get(..end)?;
    let semicolon = line.iter().position(|byte| *byte == b';')?;
    let head = core::str::from_utf8(line.get(..semicolon)?).ok()?;
    let mut fields = head.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let number = fields.next()?.parse().ok()?;
    let micros: i64 = fields.next()?.parse().ok()?;
    let boot = now.wall.0.checked_sub(i64::try_from(now.mono.0).ok()?)?;
    let time = Wall(micros.checked_mul(1_000)?.checked_add(boot)?);
    let mut message = Clean::text(line.get(semicolon + 1..)?);
    crate::sys::secret::hide_clean(&mut message);
    Some((number, LogLine { time: Some(time), level: Some(of_syslog(priority % 8)), message, marker: false }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{LogLevel, Mono};
    use proptest::prelude::*;

    #[test]
    fn what_stands_in_its_place_and_is_no_kernel_log_is_not_read() {
        for path in ["/dev/null", "/proc/self/status"] {
            let fault = open(path).expect_err("another file").to_string();
            assert!(fault.contains("is not the kernel's log here"), "{fault}");
        }
    }

    #[test]
    fn who_may_not_read_it_is_told_apart_from_a_log_that_is_not_there() {
        assert!(open("/nowhere/kmsg").is_err_and(|fault| !fault.refused));
        assert!(is_refusal(Errno::PERM) && is_refusal(Errno::ACCESS) && refusal().refused);
    }

    #[test]
    fn a_record_gives_its_time_level_and_text() {
        let now = Now { mono: Mono(10_000_000_000), wall: Wall(1_000_000_000_000) };
        let (number, line) = parse(b"3,101,7200000,-;Out of \x1b[31m memory\n SUBSYSTEM=x\n", now).expect("a record");
        assert_eq!((number, line.level, line.time), (101, Some(LogLevel::Error), Some(Wall(997_200_000_000))));
        assert_eq!(line.message.as_str(), "Out of ␛[31m memory");
        assert_eq!(parse(b"no record", now), None);
    }

    proptest! {
        #[test]
        fn no_record_breaks_us(record in prop::collection::vec(any::<u8>(), 0..80), mono in any::<u64>(), wall in any::<i64>()) {
            let _read = parse(&record, Now { mono: Mono(mono), wall: Wall(wall) });
        }
    }
}
