//! Times as lines write them: with their zone, or said to have none; some leave out the year.

use crate::base::Wall;
use core::time::Duration;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time that stands in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Nanoseconds since 1970 as a clock in UTC that shows these digits would count them. Without a year: in 1972.
    clock: i64,
    /// Seconds east of UTC, where the line says so.
    pub zone: Option<i32>,
    /// Whether it tells the year.
    pub year: bool,
}

impl Stamp {
    /// The moment, where zone and year are said.
    pub fn wall(self) -> Option<Wall> {
        let zone = i64::from(self.zone.filter(|_| self.year)?);
        Some(Wall(self.clock.checked_sub(zone * SECOND)?))
    }

    /// The moment for a line that says no zone, whose clock runs so many seconds east of UTC; without a year, the one
    /// nearest to `now`.
    pub fn wall_in(self, zone: i32, now: Wall) -> Wall {
        let at = |clock: i64| Wall(clock.saturating_sub(i64::from(self.zone.unwrap_or(zone)) * SECOND));
        if self.year {
            return at(self.clock);
        }
        let (month, day) = month_and_day(self.clock.div_euclid(SECOND * DAY));
        let this = year_of(now.0.div_euclid(SECOND * DAY));
        let within = self.clock.rem_euclid(SECOND * DAY);
        let years = (this - 1..=this + 1).filter(|year| day <= days_of(*year, month));
        let moments = years.map(|year| at(days(year, month, day).saturating_mul(SECOND * DAY).saturating_add(within)));
        moments.min_by_key(|wall| wall.0.abs_diff(now.0)).unwrap_or_else(|| at(self.clock))
    }

    /// A moment in UTC.
    pub(super) fn utc(wall: Wall) -> Self {
        Self { clock: wall.0, zone: Some(0), year: true }
    }
}

/// The time at the beginning of a text, perhaps in brackets, and what follows it.
pub(super) fn take_time(text: &str) -> Option<(Stamp, &str)> {
    let (inner, open) = match text.strip_prefix('[') {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    if !inner.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (stamp, rest) = dated(inner).or_else(|| number(inner))?;
    let ended = rest.is_empty() || rest.starts_with([' ', ']', ',', '|', ';', '-']) || open;
    let rest = if open { rest.strip_prefix(']').unwrap_or(rest) } else { rest };
    ended.then(|| (stamp, rest.trim_start()))
}

/// The whole of a word as a time.
pub(super) fn written(word: &str) -> Option<Stamp> {
    let (stamp, rest) = dated(word).or_else(|| number(word))?;
    rest.is_empty().then_some(stamp)
}

/// `2026-11-21T03:12:47.5Z`, `2026-11-21 03:12:47,500 +0100`, `2026/11/21 03:12:47`.
pub(super) fn dated(text: &str) -> Option<(Stamp, &str)> {
    let (year, rest) = digits(text, 4)?;
    let gap = rest.chars().next().filter(|c| matches!(c, '-' | '/'))?;
    let (month, rest) = digits(rest.strip_prefix(gap)?, 2)?;
    let (day, rest) = digits(rest.strip_prefix(gap)?, 2)?;
    let (within, rest) = clock(rest.strip_prefix(['T', 't', ' '])?)?;
    let stamp = stamp(Some(year), month, day, within)?;
    let (zone, rest) = zone(rest);
    Some((Stamp { zone, ..stamp }, rest))
}

/// `Nov 21 03:12:47`, without a year.
pub(super) fn of_syslog(text: &str) -> Option<(Stamp, &str)> {
    let month = month(text.get(..3)?)?;
    let rest = text.get(3..)?.strip_prefix(' ')?;
    let (day, rest) = match rest.strip_prefix(' ') {
        Some(rest) => digits(rest, 1)?,
        None => digits(rest, 2).or_else(|| digits(rest, 1))?,
    };
    let (within, rest) = clock(rest.strip_prefix(' ')?)?;
    Some((stamp(None, month, day, within)?, rest))
}

/// `21/Nov/2026:03:12:47 +0100`, as web servers write it.
pub(super) fn of_access(text: &str) -> Option<(Stamp, &str)> {
    let (day, rest) = digits(text, 2)?;
    let month = month(rest.strip_prefix('/')?.get(..3)?)?;
    let (year, rest) = digits(rest.get(4..)?.strip_prefix('/')?, 4)?;
    let (within, rest) = clock(rest.strip_prefix(':')?)?;
    let stamp = stamp(Some(year), month, day, within)?;
    let (zone, rest) = zone(rest);
    Some((Stamp { zone, ..stamp }, rest))
}

/// `1121 03:12:47.123456`, as Go's klog writes it.
pub(super) fn of_klog(text: &str) -> Option<(Stamp, &str)> {
    let (month, rest) = digits(text, 2)?;
    let (day, rest) = digits(rest, 2)?;
    let (within, rest) = clock(rest.strip_prefix(' ')?)?;
    Some((stamp(None, month, day, within)?, rest))
}

fn month(word: &str) -> Option<i64> {
    MONTHS.iter().zip(1..).find(|(name, _)| **name == word).map(|(_, number)| number)
}

/// `03:12:47`, with a fraction behind `.` or `,`, in nanoseconds of the day.
fn clock(text: &str) -> Option<(i64, &str)> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = digits(rest.strip_prefix(':')?, 2)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut nanos = ((hour * 60 + minute) * 60 + second) * SECOND;
    let mut rest = rest;
    if let Some(fraction) = rest.strip_prefix(['.', ',']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    {
        let mut scale = SECOND / 10;
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        for digit in fraction.bytes().take(fraction.len() - rest.len()) {
            nanos += i64::from(digit - b'0') * scale;
            scale /= 10;
        }
    }
    Some((nanos, rest))
}

/// `Z`, `+01:00`, ` +0100`, ` UTC`: seconds east of UTC.
fn zone(text: &str) -> (Option<i32>, &str) {
    let near = text.strip_prefix(' ').unwrap_or(text);
    for word in ["Z", "z", "UTC", "GMT"] {
        let far = word.len() > 1 || near.len() == text.len();
        if let Some(rest) = near.strip_prefix(word)
            && far
            && !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            return (Some(0), rest);
        }
    }
    let read = || {
        let (sign, rest) = match near.strip_prefix('+') {
            Some(rest) => (1, rest),
            None => (-1, near.strip_prefix('-')?),
        };
        let (hour, rest) = digits(rest, 2)?;
        let (minute, rest) = digits(rest.strip_prefix(':').unwrap_or(rest), 2)
            .or_else(|| Some((0, rest)).filter(|(_, rest)| !rest.starts_with(|c: char| c.is_ascii_digit())))?;
        let east = i32::try_from(sign * (hour * 60 + minute) * 60).ok()?;
        (hour <= 18 && minute <= 59).then_some((Some(east), rest))
    };
    read().unwrap_or((None, text))
}

fn stamp(year: Option<i64>, month: i64, day: i64, within: i64) -> Option<Stamp> {
    let of = year.unwrap_or(1972);
    if !(1..=12).contains(&month) || day < 1 || day > days_of(of, month) {
        return None;
    }
    let clock = days(of, month, day).checked_mul(SECOND * DAY)?.checked_add(within)?;
    Some(Stamp { clock, zone: None, year: year.is_some() })
}

/// Exactly so many digits.
fn digits(text: &str, count: usize) -> Option<(i64, &str)> {
    let (head, rest) = text.split_at_checked(count)?;
    let mut number = 0;
    for byte in head.bytes() {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some((number, rest))
}

/// Seconds, milli-, micro- or nanoseconds since 1970.
fn number(text: &str) -> Option<(Stamp, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    if word.len() < 10 {
        return None;
    }
    let wall = if word.contains('.') { from_seconds(word.parse().ok()?) } else { from_epoch(word.parse().ok()?) };
    Some((Stamp::utc(wall?), rest))
}

/// Which unit it is shows in its size.
pub(super) fn from_epoch(number: i64) -> Option<Wall> {
    let scale = match number {
        100_000_000..100_000_000_000 => SECOND,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        100_000_000_000_000_000.. => 1,
        _ => return None,
    };
    number.checked_mul(scale).map(Wall)
}

pub(super) fn from_seconds(seconds: f64) -> Option<Wall> {
    if !(1e8..1e11).contains(&seconds) {
        return None;
    }
    i64::try_from(Duration::try_from_secs_f64(seconds).ok()?.as_nanos()).ok().map(Wall)
}

/// Days since 1970 of a date of our calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn year_of(day: i64) -> i64 {
    let mut year = 1970 + day.div_euclid(366);
    while days(year + 1, 1, 1) <= day {
        year += 1;
    }
    year
}

/// Month and day of a day in 1972.
fn month_and_day(day: i64) -> (i64, i64) {
    let month = (1..=12).rev().find(|month| days(1972, *month, 1) <= day).unwrap_or(1);
    (month, day - days(1972, month, 1) + 1)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AT: i64 = 1_795_230_767;

    fn wall(text: &str) -> Option<i64> {
        take_time(text)?.0.wall().map(|wall| wall.0 / SECOND)
    }

    #[test]
    fn a_time_with_its_zone_is_a_moment() {
        for text in [
            "2026-11-21T03:12:47Z x",
            "2026-11-21 03:12:47.123456789+00:00",
            "[2026-11-21 04:12:47 +0100] x",
            "2026-11-20T22:12:47-05:00 x",
            "2026-11-21 03:12:47,123 UTC x",
            "1795230767 x",
            "1795230767123 x",
            "1795230767.5 x",
        ] {
            assert_eq!(wall(text), Some(AT), "{text}");
        }
        assert_eq!(of_access("21/Nov/2026:04:12:47 +0100] x").and_then(|(at, _)| at.wall()), Some(Wall(AT * SECOND)));
    }

    #[test]
    fn a_time_without_a_zone_is_said_to_have_none() {
        let stamp = |text| take_time(text).map(|(stamp, rest)| (stamp.zone, stamp.wall(), rest));
        assert_eq!(stamp("2026-11-21 03:12:47,123 x"), Some((None, None, "x")));
        assert_eq!(stamp("2026/11/21 03:12:47 [error] x"), Some((None, None, "[error] x")));
        let (at, _) = dated("2026-11-21 05:12:47").expect("a time");
        assert_eq!(at.wall_in(7_200, Wall(0)), Wall(AT * SECOND));
    }

    #[test]
    fn a_time_without_a_year_is_that_nearest_to_now() {
        let (at, rest) = of_syslog("Nov 21 03:12:47 web1").expect("a time");
        assert_eq!((at.year, rest), (false, " web1"));
        assert_eq!(at.wall_in(0, Wall((AT + 100) * SECOND)), Wall(AT * SECOND));
        let (eve, _) = of_syslog("Dec 31 23:59:59").expect("a time");
        let new_year = days(2027, 1, 1) * DAY;
        assert_eq!(eve.wall_in(0, Wall(new_year * SECOND)), Wall((new_year - 1) * SECOND));
        let (klog, _) = of_klog("1121 03:12:47.000001 7").expect("a time");
        assert_eq!(klog.wall_in(0, Wall(AT * SECOND)), Wall(AT * SECOND + 1_000));
    }

    #[test]
    fn what_is_no_date_is_no_time() {
        for text in ["2026-13-01 00:00:00", "2026-02-29 00:00:00", "2026-02-01 24:00:00", "5 INFO", "10.0.0.1 - -"] {
            assert_eq!(take_time(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_agree_with_jiff(seconds in -2_000_000_000_i64..8_000_000_000) {
            let shown = jiff::Timestamp::from_second(seconds).expect("in range").to_string();
            prop_assert_eq!(written(&shown).and_then(Stamp::wall), Some(Wall(seconds * SECOND)));
        }

        #[test]
        fn no_text_breaks_a_time(text in "[0-9A-Za-z:/ .,+\\[\\]-]{0,40}", now in any::<i64>(), zone in any::<i32>()) {
            for read in [take_time, of_syslog, of_access, of_klog] {
                if let Some((stamp, _)) = read(&text) {
                    let _moment = (stamp.wall(), stamp.wall_in(zone, Wall(now)));
                }
            }
        }
    }
}
