//! Sizes with their units, told exactly: `20GB` and `20GiB` are not the same.

use crate::base::{Clean, Fault};

/// What a number of bytes may be counted in.
const UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];
/// A proposal is a multiple of this.
const STEP: u64 = 64 << 20;
/// Seconds.
const WEEK: f64 = 604_800.0;

/// Bytes of a unit.
///
/// # Errors
/// No such unit.
pub(crate) fn unit(name: &str) -> Result<u64, Fault> {
    UNITS.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes).ok_or_else(|| {
        let names: Vec<&str> = UNITS.iter().map(|(name, _)| *name).collect();
        Fault::new(format!("`{}` is no unit of size.", Clean::text(name))).hint(format!("One of {}.", names.join(", ")))
    })
}

/// Bytes of a size such as `20GiB`.
///
/// # Errors
/// No whole number, no unit, or more than 64 bits.
pub(crate) fn parse(text: &str) -> Result<u64, Fault> {
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, name) = (text.get(..at).unwrap_or(""), text.get(at..).unwrap_or("").trim());
    let wrong = || {
        Fault::new(format!("`{}` is no size.", Clean::text(text)))
            .hint("Write a whole number with its unit, such as 20GiB.")
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    if name.is_empty() {
        return Err(wrong());
    }
    number.checked_mul(unit(name)?).ok_or_else(wrong)
}

/// What is proposed when nothing is said: twice what is used, or what a week more of this growth needs, to the next
/// 64 MiB.
pub(crate) fn proposal(used: u64, bytes_per_second: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no number and less than 0 become 0")]
    let week = (bytes_per_second * WEEK) as u64;
    used.saturating_mul(2).max(used.saturating_add(week)).div_ceil(STEP).saturating_mul(STEP)
}

/// `20 GiB` where that is all, else `20000000000 bytes (18.6 GiB)`, so that no slip of a unit hides.
pub(crate) fn exact(bytes: u64) -> String {
    let whole = UNITS
        .iter()
        .rev()
        .find(|(name, unit)| name.ends_with("iB") && *unit >= 1 << 20 && bytes >= *unit && bytes.is_multiple_of(*unit));
    whole.map_or_else(
        || format!("{bytes} bytes ({})", super::identity::show(bytes)),
        |(name, unit)| format!("{} {name}", bytes / unit),
    )
}

/// The nearest sizes that are whole pages.
pub(crate) const fn around(bytes: u64, page: u64) -> (u64, u64) {
    let below = bytes - bytes % page;
    (below, below.saturating_add(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_apart_and_slips_are_refused() {
        assert_eq!(parse("20GiB").unwrap(), 21_474_836_480);
        assert_eq!(parse("20 GB").unwrap(), 20_000_000_000);
        assert_eq!(parse("4096B").unwrap(), 4_096);
        for wrong in ["20", "", "GiB", "20gib", "-1GiB", "1.5GiB", "20Gb", "99999999TiB", "20GiB x"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(exact(64 << 20), "64 MiB");
        assert_eq!(exact(2 << 30), "2 GiB");
        assert_eq!(exact(20_000_000_000), "20000000000 bytes (18.6 GiB)");
        assert_eq!(around(20_000_000_000, 4_096), (19_999_997_952, 20_000_002_048));
    }

    #[test]
    fn a_proposal_is_twice_what_is_used_or_a_week_of_growth() {
        let mib = |used: u64, rate: f64| proposal(used << 20, rate) >> 20;
        assert_eq!((mib(0, 0.0), mib(64, 0.0), mib(100, 0.0)), (0, 128, 256));
        // 1 kB a second is 577 MiB a week.
        assert_eq!((mib(100, 1_000.0), mib(1_000, 1_000.0)), (704, 2_048));
        assert_eq!((mib(100, -1_000.0), mib(100, f64::NAN)), (256, 256));
    }
}
