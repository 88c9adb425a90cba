//! `< 10us`, `>= 90 %`, `== 0`: how a value compares, in the units that people write.

use crate::base::Unit;
use crate::procedure::document::Comparison;

/// Longest first: `<=` begins with `<`.
const SIGNS: &[(&str, Comparison)] = &[
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::Differs),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

const KIB: f64 = 1024.0;
const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1_073_741_824.0;
const TIB: f64 = 1_099_511_627_776.0;

/// What cannot be read: the column in the text, from 1, what is wrong, and what would be right.
#[derive(Debug, PartialEq)]
pub(super) struct Wrong {
    pub(super) column: u32,
    pub(super) what: String,
    pub(super) hint: String,
}

/// Reads one comparison with a value of this unit; `None` where the unit is not known: then only a plain number will do.
pub(super) fn read(text: &str, unit: Option<Unit>) -> Result<(Comparison, f64), Wrong> {
    let body = text.trim_start();
    let wrong = |rest: &str, what: String, hint: &str| {
        let before = text.strip_suffix(rest).unwrap_or(text).chars().count();
        Wrong { column: u32::try_from(before + 1).unwrap_or(u32::MAX), what, hint: hint.to_owned() }
    };
    let sign = SIGNS.iter().find_map(|(sign, comparison)| body.strip_prefix(sign).map(|rest| (rest, *comparison)));
    let Some((rest, comparison)) = sign else {
        let what = "an expectation begins with `<`, `<=`, `>`, `>=`, `==` or `!=`.".to_owned();
        return Err(wrong(body, what, "Write it like `< 10us`, `>= 90 %` or `== 0`."));
    };
    let rest = rest.trim_start();
    let (number, sign) = split(rest);
    let parsed = number.replace(['_', ','], "").parse::<f64>().ok().filter(|value| value.is_finite());
    let Some(value) = parsed else {
        return Err(wrong(rest, "this is no number.".to_owned(), "Write it like `< 10us`, `>= 90 %` or `== 0`."));
    };
    if sign.is_empty() {
        return Ok((comparison, value));
    }
    let at = rest.trim_end().strip_prefix(number).unwrap_or_default().trim_start();
    let at = rest.find(at).and_then(|begin| rest.get(begin..)).unwrap_or(rest);
    let Some(unit) = unit else {
        let what = format!("the value has no unit here, so `{sign}` cannot be compared with it.");
        return Err(wrong(at, what, "Say which it has: `unit = \"seconds\"`."));
    };
    if matches!(sign, "kB" | "KB" | "MB" | "GB" | "TB") {
        let what = format!("`{sign}` may be 1000s or 1024s.");
        return Err(wrong(at, what, "Write `KiB`, `MiB`, `GiB` or `TiB`, as the console shows it."));
    }
    match factor(unit, sign) {
        Some(factor) => Ok((comparison, scaled(value, factor))),
        None => Err(wrong(at, format!("`{sign}` is no unit of {}.", of(unit)), &known(unit))),
    }
}

/// The number, and the unit behind it.
fn split(rest: &str) -> (&str, &str) {
    let rest = rest.trim_end();
    let mut end = 0;
    let mut before = ' ';
    for (at, c) in rest.char_indices() {
        let exponent = matches!(c, 'e' | 'E')
            && rest.get(at + 1..).is_some_and(|more| {
                more.trim_start_matches(['+', '-']).starts_with(|next: char| next.is_ascii_digit())
            });
        let sign = matches!(c, '-' | '+') && (at == 0 || matches!(before, 'e' | 'E'));
        if !(c.is_ascii_digit() || matches!(c, '.' | '_' | ',') || exponent || sign) {
            break;
        }
        before = c;
        end = at + c.len_utf8();
    }
    (rest.get(..end).unwrap_or_default(), rest.get(end..).unwrap_or_default().trim())
}

/// How many of the base unit one of these is.
fn factor(unit: Unit, sign: &str) -> Option<f64> {
    signs(unit).iter().find(|(known, _)| *known == sign).map(|(_, factor)| *factor)
}

/// A part of a unit divides: 70 % are 0.7, and 70 × 0.01 is a little more.
fn scaled(value: f64, factor: f64) -> f64 {
    if factor < 1.0 { value / (1.0 / factor).round() } else { value * factor }
}

fn signs(unit: Unit) -> &'static [(&'static str, f64)] {
    match unit {
        Unit::Count => &[],
        Unit::Seconds => &[
            ("ns", 1e-9),
            ("us", 1e-6),
            ("µs", 1e-6),
            ("μs", 1e-6),
            ("ms", 1e-3),
            ("s", 1.0),
            ("min", 60.0),
            ("m", 60.0),
            ("h", 3_600.0),
            ("d", 86_400.0),
        ],
        Unit::Bytes => &[("B", 1.0), ("KiB", KIB), ("MiB", MIB), ("GiB", GIB), ("TiB", TIB)],
        Unit::BytesPerSecond => &[("B/s", 1.0), ("KiB/s", KIB), ("MiB/s", MIB), ("GiB/s", GIB), ("TiB/s", TIB)],
        Unit::PerSecond => &[("/s", 1.0), ("/min", 1.0 / 60.0), ("/h", 1.0 / 3_600.0)],
        Unit::Ratio => &[("%", 0.01)],
        Unit::Percent => &[("%", 1.0)],
        Unit::Celsius => &[("°C", 1.0), ("C", 1.0)],
        Unit::Watts => &[("W", 1.0), ("kW", 1_000.0)],
        Unit::Mebibytes => &[("KiB", 1.0 / KIB), ("MiB", 1.0), ("GiB", KIB), ("TiB", MIB)],
    }
}

fn of(unit: Unit) -> String {
    if unit == Unit::Count { "a plain count".to_owned() } else { unit.to_string() }
}

fn known(unit: Unit) -> String {
    let known: Vec<&str> = signs(unit).iter().map(|(sign, _)| *sign).collect();
    if known.is_empty() {
        return "Say which unit the value has: `unit = \"seconds\"`.".to_owned();
    }
    format!("Known here: {}.", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Comparison::{AtLeast, AtMost, Differs, Equal, Less, More};

    #[test]
    fn numbers_are_written_in_the_unit_that_people_read() {
        let cases = [
            ("< 10us", Unit::Seconds, (Less, 10e-6)),
            ("<10 µs", Unit::Seconds, (Less, 10e-6)),
            ("< 85 %", Unit::Ratio, (Less, 0.85)),
            ("< 85%", Unit::Percent, (Less, 85.0)),
            (">= 1.5 GiB", Unit::Bytes, (AtLeast, 1.5 * GIB)),
            ("<= 2 GiB", Unit::Mebibytes, (AtMost, 2048.0)),
            ("== 0", Unit::Count, (Equal, 0.0)),
            ("!= -1", Unit::Count, (Differs, -1.0)),
            ("> 1e3", Unit::PerSecond, (More, 1_000.0)),
            ("> 1_000/s", Unit::PerSecond, (More, 1_000.0)),
            ("< 1e-5 s", Unit::Seconds, (Less, 1e-5)),
            ("< 2 min", Unit::Seconds, (Less, 120.0)),
        ];
        for (text, unit, (comparison, value)) in cases {
            let (found, number) = read(text, Some(unit)).unwrap_or_else(|wrong| unreachable!("{text}: {wrong:?}"));
            assert_eq!(found, comparison, "{text}");
            assert!((number - value).abs() <= value.abs() * 1e-12, "{text}: {number}");
        }
    }

    #[test]
    fn a_share_is_the_number_that_a_band_has() {
        for (text, unit, value) in
            [("< 70 %", Unit::Ratio, 0.7), ("< 28 %", Unit::Ratio, 0.28), ("< 5 ms", Unit::Seconds, 0.005)]
        {
            assert_eq!(read(text, Some(unit)), Ok((Less, value)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_compared_says_where_and_what_would_be_right() {
        let wrong = |text, unit| read(text, unit).map_err(|wrong| (wrong.column, wrong.what, wrong.hint));
        assert_eq!(wrong("10us", Some(Unit::Seconds)).unwrap_err().0, 1);
        assert_eq!(wrong("< ten", Some(Unit::Seconds)).unwrap_err().0, 3);
        let (column, what, hint) = wrong("< 16 GB", Some(Unit::Bytes)).unwrap_err();
        assert_eq!((column, what.as_str()), (6, "`GB` may be 1000s or 1024s."));
        assert!(hint.contains("GiB"));
        let (column, what, hint) = wrong("<10 %", Some(Unit::Seconds)).unwrap_err();
        assert_eq!((column, what.as_str()), (5, "`%` is no unit of seconds."));
        assert!(hint.contains("ns, us"));
        assert!(wrong("< 10us", None).unwrap_err().2.contains("unit = \"seconds\""));
        assert!(wrong("< 10us", Some(Unit::Count)).unwrap_err().1.contains("plain count"));
    }
}
