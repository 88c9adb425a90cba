//! A source whose clock goes back: told line by line, in the order in which its lines came.

use crate::base::{LogLine, Wall};
use core::time::Duration;
use std::collections::BTreeMap;

/// Threads that write one file get in each other's way by less.
const UNTOLD: Duration = Duration::from_secs(2);

/// The time of each source's last line.
#[derive(Debug, Default)]
pub struct Clocks {
    last: BTreeMap<usize, Wall>,
}

impl Clocks {
    /// The next line of a source: by how much its clock has gone back since the one before.
    pub fn hear(&mut self, source: usize, line: &LogLine) -> Option<Duration> {
        let time = line.time.filter(|_| !line.marker)?;
        let last = self.last.insert(source, time)?;
        Some(last.since(time)).filter(|back| *back >= UNTOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clean;

    #[test]
    fn a_step_back_is_told_once_and_small_ones_and_other_sources_are_not() {
        let mut clocks = Clocks::default();
        let mut hear = |source, seconds: Option<i64>| {
            let time = seconds.map(|seconds| Wall(seconds * 1_000_000_000));
            let line = LogLine { time, level: None, message: Clean::default(), marker: false };
            clocks.hear(source, &line).map(|back| back.as_secs())
        };
        let told = [
            hear(0, Some(9_000)),
            hear(1, Some(10)),
            hear(0, Some(8_999)),
            hear(0, None),
            hear(0, Some(1_799)),
            hear(0, Some(1_800)),
        ];
        assert_eq!(told, [None, None, None, None, Some(7_200), None]);
    }
}
