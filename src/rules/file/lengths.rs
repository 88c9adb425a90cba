//! Lengths of time as Prometheus writes them: `1h30m`, `500ms`, `0`.

use core::time::Duration;

const UNITS: &[(&str, u64)] = &[
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Reads one; `None` when it is none. Units come in order, largest first, each at most once.
/// Source: `ParseDuration` of prometheus/common.
pub fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut units = UNITS;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let word = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(word)?;
        let at = units.iter().position(|(known, _)| *known == unit)?;
        let (_, each) = units.get(at)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*each)?)?;
        units = units.get(at + 1..)?;
        rest = tail;
    }
    // Prometheus counts nanoseconds in 63 bits.
    (!text.is_empty() && total <= 9_223_372_036_854).then(|| Duration::from_millis(total))
}

/// Writes one the same way.
pub fn show(length: Duration) -> String {
    let mut left = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    if left == 0 {
        return "0s".to_owned();
    }
    let mut out = String::new();
    for (unit, each) in UNITS {
        // Years and weeks only where nothing is left over, as Prometheus does.
        let whole = !matches!(*unit, "y" | "w") || left.is_multiple_of(*each);
        if whole && left >= *each {
            out.extend([(left / each).to_string().as_str(), unit]);
            left %= each;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_and_write_as_prometheus_does() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("500ms", 500),
            ("1h30m", 5_400_000),
            ("90m", 5_400_000),
            ("1d", 86_400_000),
            ("1w2d3h4m5s6ms", 788_645_006),
            ("1y", 31_536_000_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)), "{text}");
        }
        for wrong in ["", "1", "5 m", "m", "1m1h", "1m1m", "-1m", "1.5h", "1H", "300y", "99999999999999999999s", "1é"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        for text in ["0s", "500ms", "1h30m", "1d", "9d3h4m5s6ms", "2w", "1y", "10m"] {
            assert_eq!(parse(text).map(show).as_deref(), Some(text));
        }
    }
}
