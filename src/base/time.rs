//! Two clocks, never mixed: `Mono` (CLOCK_BOOTTIME) for ages and timeouts, `Wall` for people and records.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;
use jiff::Timestamp;

/// A moment on CLOCK_BOOTTIME: nanoseconds since boot, suspension counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Mono(pub u64);

impl Mono {
    /// Time since `earlier`; zero when `earlier` lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The last multiple of `step` at or before this moment (`step` of zero gives `self`).
    pub fn floor(self, step: Duration) -> Self {
        let step = nanos(step);
        if step == 0 { self } else { Self(self.0 - self.0 % step) }
    }
}

impl Add<Duration> for Mono {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(by)))
    }
}

impl Sub<Duration> for Mono {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(by)))
    }
}

fn nanos(of: Duration) -> u64 {
    u64::try_from(of.as_nanos()).unwrap_or(u64::MAX)
}

/// Wall-clock time: nanoseconds since the Unix epoch, UTC. For display and records only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Wall(pub i64);

impl Wall {
    /// `HH:MM:SS` in UTC.
    pub fn hms(self) -> String {
        let day = self.0.div_euclid(1_000_000_000).rem_euclid(86_400);
        format!("{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60)
    }

    /// `HH:MM:SS` on a clock of this zone; the caller shows the zone beside it.
    pub fn hms_in(self, zone: Zone) -> String {
        Self(self.0.saturating_add(i64::from(zone.east) * 1_000_000_000)).hms()
    }

    /// Time since `earlier`; zero when `earlier` lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// So long before this.
    #[must_use]
    pub fn back(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// So long after this.
    #[must_use]
    pub fn ahead(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// A moment as RFC 3339 writes it, with its offset; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let at: Timestamp = text.parse().ok()?;
        i64::try_from(at.as_nanosecond()).ok().map(Self)
    }

    /// RFC 3339 with microseconds and `Z`.
    pub fn rfc3339(self) -> String {
        Timestamp::from_nanosecond(i128::from(self.0)).map_or_else(|_| "unknown".to_owned(), |at| format!("{at:.6}"))
    }
}

/// A clock's distance from UTC. What a place keeps at a moment is data that whoever asks brings along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Zone {
    /// Seconds east of UTC.
    pub east: i32,
}

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self { east: 0 };

    /// `UTC`, `Z`, `+02:00`, `-0330`, `+1`: at most 18 hours either way.
    pub fn parse(text: &str) -> Option<Self> {
        if matches!(text, "UTC" | "Z" | "z" | "GMT") {
            return Some(Self::UTC);
        }
        let (sign, rest) =
            text.strip_prefix('+').map(|rest| (1, rest)).or(text.strip_prefix('-').map(|rest| (-1, rest)))?;
        let (hours, minutes) = match rest.split_once(':') {
            Some(parts) => parts,
            None if rest.len() == 4 => rest.split_at_checked(2)?,
            None => (rest, "0"),
        };
        let number = |text: &str| text.parse::<i32>().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        (hours <= 18 && minutes < 60).then_some(Self { east: sign * (hours * 3_600 + minutes * 60) })
    }
}

/// `UTC`, `+02`, `-03:30`.
impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, minutes) = (if self.east < 0 { '-' } else { '+' }, self.east.unsigned_abs() / 60);
        match (minutes / 60, minutes % 60) {
            (0, 0) => f.pad("UTC"),
            (hours, 0) => f.pad(&format!("{sign}{hours:02}")),
            (hours, minutes) => f.pad(&format!("{sign}{hours:02}:{minutes:02}")),
        }
    }
}

/// One reading of both clocks, taken together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Now {
    /// Nanoseconds on CLOCK_BOOTTIME.
    pub mono: Mono,
    /// Nanoseconds since the Unix epoch.
    pub wall: Wall,
}

impl Now {
    /// Time since `earlier`, never negative: by the monotonic clock, and for a moment before this boot (whose
    /// monotonic part is zero) by the wall clock, but no less than the time since the boot.
    pub fn since(self, earlier: Self) -> Duration {
        let since = self.mono.since(earlier.mono);
        if earlier.mono == Mono::default() { since.max(self.wall.since(earlier.wall)) } else { since }
    }
}

/// The only way to learn the time. The real one lives in `sys::clock`; tests bring their own.
pub trait Clock: Send + Sync {
    /// Both clocks, now.
    fn now(&self) -> Now;
}

/// An age in at most four characters: `3s`, `41s`, `12m`, `7h`, `3d`.
pub struct Age(pub Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            s @ 0..120 => write!(f, "{s}s"),
            s @ 120..7_200 => write!(f, "{}m", s / 60),
            s @ 7_200..172_800 => write!(f, "{}h", s / 3_600),
            s => write!(f, "{}d", s / 86_400),
        }
    }
}

/// A span as a clock shows it: `2:41`, `1:02:03`.
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.as_secs();
        if s >= 3_600 {
            write!(f, "{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
        } else {
            write!(f, "{}:{:02}", s / 60, s % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_time_prints_as_utc() {
        let at = Wall(1_795_230_767_123_456_789);
        assert_eq!(at.hms(), "03:12:47");
        assert_eq!(at.rfc3339(), "2026-11-21T03:12:47.123456Z");
    }

    #[test]
    fn a_time_shows_on_the_clock_of_a_zone() {
        let at = Wall(1_795_230_767_123_456_789);
        let shown = |zone: &str| Zone::parse(zone).map(|zone| format!("{} {zone}", at.hms_in(zone)));
        for (zone, found) in
            [("UTC", "03:12:47 UTC"), ("+02:00", "05:12:47 +02"), ("-0330", "23:42:47 -03:30"), ("+1", "04:12:47 +01")]
        {
            assert_eq!(shown(zone).as_deref(), Some(found));
        }
        for odd in ["", "2", "+19", "+01:60", "+-1", "+a", "+1:"] {
            assert_eq!(Zone::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn ages_stay_short() {
        let shown: Vec<String> = [0, 119, 120, 7_199, 7_200, 172_799, 172_800]
            .iter()
            .map(|s| Age(Duration::from_secs(*s)).to_string())
            .collect();
        assert_eq!(shown, ["0s", "119s", "2m", "119m", "2h", "47h", "2d"]);
    }

    #[test]
    fn earlier_is_never_negative() {
        assert_eq!(Mono(5).since(Mono(9)), Duration::ZERO);
        assert_eq!(Mono(1_234).floor(Duration::from_nanos(1_000)), Mono(1_000));
    }
}
