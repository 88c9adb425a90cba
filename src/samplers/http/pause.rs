//! A source that says "too many requests" is left alone as long as it asks for, and no longer than an hour.

use crate::base::{Mono, Now, Wall};
use core::time::Duration;
use jiff::fmt::rfc2822;

/// Most limits are counted per minute.
const USUAL: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3_600);
const SHORTEST: Duration = Duration::from_secs(1);

/// Until when one source is not asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pause(Option<Mono>);

impl Pause {
    /// Begins one, as the header `Retry-After` has it; how long it is.
    pub(crate) fn begin(&mut self, retry_after: &str, now: Now) -> Duration {
        let span = read(retry_after, now.wall).unwrap_or(USUAL).clamp(SHORTEST, LONGEST);
        self.0 = Some(now.mono + span);
        span
    }

    /// What is left of it.
    pub(crate) fn left(self, now: Mono) -> Option<Duration> {
        self.0.map(|until| until.since(now)).filter(|left| !left.is_zero())
    }
}

/// RFC 9110: seconds, or a date.
fn read(text: &str, now: Wall) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = rfc2822::parse(text).ok()?.timestamp().as_nanosecond();
    Some(Duration::from_nanos(u64::try_from(at - i128::from(now.0)).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_as_long_as_the_source_asks_for_within_reason() {
        let now = Now { mono: Mono(5_000_000_000), wall: Wall(1_795_230_767_000_000_000) }; // 2026-11-21 03:12:47
        for (header, seconds) in [
            ("30", 30),
            (" 7 ", 7),
            ("0", 1),
            ("99999999999", 3_600),
            ("Sat, 21 Nov 2026 03:13:00 GMT", 13),
            ("Sat, 21 Nov 2026 03:00:00 GMT", 1),
            ("Sat, 21 Nov 2246 03:00:00 GMT", 3_600),
            ("", 60),
            ("soon", 60),
            ("-5", 60),
        ] {
            let mut pause = Pause::default();
            assert_eq!(pause.left(now.mono), None);
            assert_eq!(pause.begin(header, now), Duration::from_secs(seconds), "{header}");
            assert_eq!(pause.left(now.mono), Some(Duration::from_secs(seconds)));
            assert_eq!(pause.left(now.mono + Duration::from_secs(seconds)), None);
        }
    }
}
