//! Units as types: the store keeps Prometheus base units, the screen shows the scale a person reads.

use core::fmt;

/// A number in a scale that fits it is no longer than this, except a grouped count.
const WIDEST: usize = 7;

/// The base unit of a series. Scaling is for display only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A plain count.
    #[default]
    Count,
    /// Seconds; shown as ns, µs, ms, s, min or h.
    Seconds,
    /// Bytes; shown in powers of 1024.
    Bytes,
    /// Bytes a second.
    BytesPerSecond,
    /// Events a second.
    PerSecond,
    /// 0 to 1; shown as percent.
    Ratio,
    /// 0 to 100, as some exporters give it; shown as percent.
    Percent,
    /// Degrees Celsius.
    Celsius,
    /// Watts.
    Watts,
    /// Mebibytes, as DCGM gives frame-buffer sizes; shown in powers of 1024.
    Mebibytes,
}

impl Unit {
    /// Every unit with the name that files use.
    pub const NAMES: &[(&str, Self)] = &[
        ("count", Self::Count),
        ("seconds", Self::Seconds),
        ("bytes", Self::Bytes),
        ("bytes_per_second", Self::BytesPerSecond),
        ("per_second", Self::PerSecond),
        ("ratio", Self::Ratio),
        ("percent", Self::Percent),
        ("celsius", Self::Celsius),
        ("watts", Self::Watts),
        ("mebibytes", Self::Mebibytes),
    ];

    /// The name that files use.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, unit)| *unit == self).map_or("", |(name, _)| *name)
    }

    /// The unit with this name in a file.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, unit)| *unit)
    }

    /// The unit that a metric's name promises by its ending; `None` where it promises none, or a point in time.
    /// Source: prometheus.io/docs/practices/naming; DCGM's field list; what some exporters name otherwise.
    pub fn of_metric(name: &str) -> Option<Self> {
        const ENDINGS: &[(&str, Unit)] = &[
            ("_bytes_per_second", Unit::BytesPerSecond),
            ("_per_second", Unit::PerSecond),
            ("_bytes", Unit::Bytes),
            ("_seconds", Unit::Seconds),
            ("_ratio", Unit::Ratio),
            ("_percent", Unit::Percent),
            ("_celsius", Unit::Celsius),
            ("_watts", Unit::Watts),
            ("DCGM_FI_DEV_FB_USED_PERCENT", Unit::Ratio),
            ("DCGM_FI_DEV_FAN_SPEED", Unit::Percent),
            ("_POWER_USAGE", Unit::Watts),
            ("_POWER_MGMT_LIMIT", Unit::Watts),
            ("_POWER_LIMIT", Unit::Watts),
            ("pg_stat_activity_max_tx_duration", Unit::Seconds),
            ("pg_long_running_transactions_oldest_timestamp_seconds", Unit::Seconds),
        ];
        // The same of every field of a card.
        const DCGM: &[(&str, Unit)] = &[("_TEMP", Unit::Celsius), ("_UTIL", Unit::Percent)];
        let family = ["_total", "_sum", "_bucket"].iter().find_map(|kind| name.strip_suffix(kind)).unwrap_or(name);
        if let Some((_, unit)) = ENDINGS.iter().find(|(known, _)| *known == family) {
            return Some(*unit);
        }
        if Self::is_moment(family) || family == "pg_database_wraparound_age_datfrozenxid_seconds" {
            return None;
        }
        let card = DCGM.iter().filter(|_| family.starts_with("DCGM_FI_DEV_"));
        let buffer = family.starts_with("DCGM_FI_DEV_FB_").then_some(Self::Mebibytes);
        let ending = ENDINGS.iter().chain(card).find(|(ending, _)| family.ends_with(ending)).map(|(_, unit)| *unit);
        ending.or(buffer)
    }

    /// Whether a metric's values are points in time, in seconds since 1970.
    pub fn is_moment(name: &str) -> bool {
        const ENDINGS: &[&str] = &[
            "_timestamp_seconds",
            "_start_time_seconds",
            "_boot_time_seconds",
            "_mtime_seconds",
            "node_time_seconds",
            "_cert_expiry",
            "_not_after",
        ];
        name != "pg_long_running_transactions_oldest_timestamp_seconds"
            && ENDINGS.iter().any(|ending| name.ends_with(ending))
    }

    /// The unit of a series' values by its metric's name: as [`Self::of_metric`], but a bucket holds a count.
    pub fn of_values(name: &str) -> Option<Self> {
        Self::of_metric(name).filter(|_| !name.ends_with("_bucket"))
    }

    /// Number and unit sign, apart, so that numbers can be aligned: `("14.2", "µs")`.
    pub fn parts(self, value: f64) -> (String, &'static str) {
        if value.is_nan() {
            return ("—".to_owned(), "");
        }
        let (number, sign) = self.scaled(value);
        // Absurd, but a source may say it; whoever draws it must not run out of room.
        let fits = value.abs() < 1e15 && (number.len() <= WIDEST || matches!(self, Self::Count | Self::PerSecond));
        if fits || !value.is_finite() { (number, sign) } else { (format!("{value:.2e}"), self.base_sign()) }
    }

    fn scaled(self, value: f64) -> (String, &'static str) {
        match self {
            Self::Count => (grouped(value), ""),
            Self::PerSecond => (grouped(value), "/s"),
            Self::Ratio => (percent(value * 100.0), "%"),
            Self::Percent => (percent(value), "%"),
            Self::Celsius => (format!("{value:.0}"), "°C"),
            Self::Watts => (format!("{value:.0}"), "W"),
            Self::Seconds => seconds(value),
            Self::Bytes => binary(value, ["B", "KiB", "MiB", "GiB", "TiB"]),
            Self::Mebibytes => binary(value * 1_048_576.0, ["B", "KiB", "MiB", "GiB", "TiB"]),
            Self::BytesPerSecond => binary(value, ["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"]),
        }
    }

    /// The sign of the base unit, for what no scale can hold.
    const fn base_sign(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::PerSecond => "/s",
            Self::Ratio => "",
            Self::Percent => "%",
            Self::Celsius => "°C",
            Self::Watts => "W",
            Self::Seconds => "s",
            Self::Bytes => "B",
            Self::Mebibytes => "MiB",
            Self::BytesPerSecond => "B/s",
        }
    }

    /// Number and unit in one piece: `14.2 µs`, `412/s`, `97 %`.
    pub fn show(self, value: f64) -> String {
        let (number, sign) = self.parts(value);
        match sign {
            "" => number,
            "/s" => number + sign,
            _ => format!("{number} {sign}"),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES.iter().find(|(_, unit)| unit == self).map_or("", |(name, _)| name))
    }
}

impl<'de> serde::Deserialize<'de> for Unit {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        Self::parse(&name).ok_or_else(|| {
            let known: Vec<&str> = Self::NAMES.iter().map(|(known, _)| *known).collect();
            serde::de::Error::custom(format_args!("unknown unit `{name}`, expected one of `{}`", known.join("`, `")))
        })
    }
}

impl serde::Serialize for Unit {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Three significant digits below a thousand, groups of three above.
fn grouped(value: f64) -> String {
    let size = value.abs();
    if value.fract() != 0.0 && size < 100.0 {
        return short(value);
    }
    let whole = format!("{size:.0}");
    let mut out = String::with_capacity(whole.len() + whole.len() / 3 + 1);
    if value < 0.0 && whole != "0" {
        out.push('-');
    }
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three digits, also of what two decimals would make nothing of.
fn short(value: f64) -> String {
    match value.abs() {
        size if size < 0.001 => format!("{value:.2e}"),
        size if size < 0.01 => format!("{value:.5}"),
        _ => three(value),
    }
}

/// One decimal below ten per cent: there it decides.
fn percent(value: f64) -> String {
    if value.abs() < 9.95 && value.abs() >= 0.05 { format!("{value:.1}") } else { format!("{value:.0}") }
}

fn seconds(value: f64) -> (String, &'static str) {
    let size = value.abs();
    let (scaled, sign) = match () {
        () if size == 0.0 => (0.0, "s"),
        () if size < 0.999_5e-6 => (value * 1e9, "ns"),
        () if size < 0.999_5e-3 => (value * 1e6, "µs"),
        () if size < 0.999_5 => (value * 1e3, "ms"),
        () if size < 600.0 => (value, "s"),
        () if size < 7_200.0 => (value / 60.0, "min"),
        () => (value / 3_600.0, "h"),
    };
    (three(scaled), sign)
}

fn binary(value: f64, signs: [&'static str; 5]) -> (String, &'static str) {
    let mut scaled = value;
    let mut at = 0;
    while scaled.abs() >= 1_000.0 && at + 1 < signs.len() {
        scaled /= 1024.0;
        at += 1;
    }
    let number = if at == 0 { format!("{scaled:.0}") } else { three(scaled) };
    (number, signs.get(at).copied().unwrap_or(""))
}

/// Three significant digits: `1.23`, `12.3`, `123`.
fn three(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_show_in_the_scale_a_person_reads() {
        let shown = [
            Unit::Seconds.show(14.2e-6),
            Unit::Seconds.show(0.0),
            Unit::Seconds.show(0.000_999_9),
            Unit::Count.show(1_204.0),
            Unit::Count.show(1_234_567.0),
            Unit::Count.show(0.0),
            Unit::Count.show(9.5e-6),
            Unit::Count.show(-0.001_234),
            Unit::Ratio.show(0.914),
            Unit::Ratio.show(0.004),
            Unit::Bytes.show(24_780_341_248.0),
            Unit::Bytes.show(1_023.0),
            Unit::Bytes.show(1_073_741_824.0),
            Unit::PerSecond.show(412.0),
            Unit::Celsius.show(71.4),
        ];
        assert_eq!(
            shown,
            [
                "14.2 µs",
                "0 s",
                "1.00 ms",
                "1,204",
                "1,234,567",
                "0",
                "9.50e-6",
                "-0.00123",
                "91 %",
                "0.4 %",
                "23.1 GiB",
                "1.00 KiB",
                "1.00 GiB",
                "412/s",
                "71 °C"
            ]
        );
    }

    #[test]
    fn an_absurd_value_is_short() {
        assert_eq!(Unit::Count.show(1.5e300), "1.50e300");
        assert_eq!(Unit::Seconds.show(-2e99), "-2.00e99 s");
        assert_eq!(Unit::Celsius.show(123_456_789.0), "1.23e8 °C");
        for (_, unit) in Unit::NAMES {
            for value in [f64::MAX, f64::MIN, f64::INFINITY, 1e15, -1e18, 1e12] {
                let shown = unit.show(value);
                let count = matches!(unit, Unit::Count | Unit::PerSecond) && value.abs() < 1e15;
                assert!(shown.chars().count() <= if count { 19 } else { 15 }, "{shown}");
                assert!(count || unit.parts(value).0.len() <= 12, "{shown}");
            }
        }
    }

    #[test]
    fn absence_is_not_zero() {
        assert_eq!(Unit::Bytes.show(f64::NAN), "—");
    }
}
