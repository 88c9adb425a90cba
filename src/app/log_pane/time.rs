//! A time as it is typed in a hurry, on the clock in use: of the day that the reader is looking at when it names none.

use crate::base::Wall;
use crate::base::time::Zone;
use core::time::Duration;
use jiff::Timestamp;

const DAY: i64 = 86_400_000_000_000;

/// Reads `03:12`, `03:12:47`, `2026-11-21 03:12`, RFC 3339, `-10m` (before now). `near` says which day is meant.
pub(super) fn read(text: &str, near: Wall, now: Wall, zone: Zone) -> Option<Wall> {
    let east = i64::from(zone.east) * 1_000_000_000;
    let text = text.trim();
    if let Some(span) = text.strip_prefix('-') {
        let unit = span.chars().last()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let number: u64 = span.strip_suffix(unit)?.parse().ok()?;
        return Some(now.back(Duration::from_secs(number.checked_mul(seconds)?)));
    }
    if let Some(clock) = clock(text) {
        return Some(Wall((near.0 + east).div_euclid(DAY) * DAY + clock - east));
    }
    if let Some((date, time)) = text.split_once([' ', 'T'])
        && let Some(clock) = clock(time)
    {
        return day(date).map(|day| Wall(day + clock - east));
    }
    if let Some(day) = day(text) {
        return Some(Wall(day - east));
    }
    let at: Timestamp = text.parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok().map(Wall)
}

fn day(text: &str) -> Option<i64> {
    let at: Timestamp = format!("{text}T00:00:00Z").parse().ok()?;
    i64::try_from(at.as_nanosecond()).ok()
}

fn clock(text: &str) -> Option<i64> {
    let parts: Vec<i64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (hours, minutes, seconds) = match *parts.as_slice() {
        [hours, minutes] => (hours, minutes, 0),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return None,
    };
    let fits = (0..24).contains(&hours) && (0..60).contains(&minutes) && (0..60).contains(&seconds);
    fits.then_some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_typed() {
        // 2026-11-21T03:12:47Z
        let near = Wall(1_795_230_767_000_000_000);
        let local = |text: &str| read(text, near, near, Zone { east: 7_200 }).map(Wall::rfc3339).unwrap_or_default();
        assert_eq!(local("05:01"), "2026-11-21T03:01:00.000000Z");
        assert_eq!(local("2026-11-21 00:30"), "2026-11-20T22:30:00.000000Z");
        assert_eq!(local("2026-11-20T05:01:09+01:00"), "2026-11-20T04:01:09.000000Z");
        let read = |text: &str| read(text, near, near, Zone::UTC).map(Wall::rfc3339).unwrap_or_default();
        assert_eq!(read("05:01"), "2026-11-21T05:01:00.000000Z");
        assert_eq!(read("2026-11-20 05:01:09"), "2026-11-20T05:01:09.000000Z");
        assert_eq!(read("2026-11-20"), "2026-11-20T00:00:00.000000Z");
        assert_eq!(read("2026-11-20T05:01:09+01:00"), "2026-11-20T04:01:09.000000Z");
        assert_eq!(read("-10m"), "2026-11-21T03:02:47.000000Z");
        assert_eq!((read("25:00"), read("noon"), read("-5x"), read("")), Default::default());
    }
}
