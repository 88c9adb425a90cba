//! The real clock.

use crate::base::{Clock, Mono, Now, Wall};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// CLOCK_BOOTTIME and CLOCK_REALTIME of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Now {
        Now {
            mono: Mono(u64::try_from(nanos(clock_gettime(ClockId::Boottime))).unwrap_or(0)),
            wall: Wall(nanos(clock_gettime(ClockId::Realtime))),
        }
    }
}

fn nanos(at: Timespec) -> i64 {
    at.tv_sec.saturating_mul(1_000_000_000).saturating_add(at.tv_nsec)
}
