//! The answer as text: aligned rows for one moment, tab-separated points for a range.

use super::json::number;
use super::moment::told;
use crate::base::{SeriesKey, Unit};
use crate::rules::expr::{Millis, Row, Track};
use unicode_width::UnicodeWidthStr;

/// A series as PromQL would name it.
pub(in crate::roles) fn series(key: &SeriesKey) -> String {
    let pairs: Vec<String> = key.labels.iter().map(|(name, value)| format!("{name}={:?}", value.as_str())).collect();
    match (key.name.as_str(), pairs.is_empty()) {
        (name, true) if !name.is_empty() => name.to_owned(),
        (name, _) => format!("{name}{{{}}}", pairs.join(", ")),
    }
}

/// One line a row: series, value, the value as a person reads it where its unit is known, the moment.
pub(super) fn rows(rows: &[Row], at: Millis) -> Vec<String> {
    let at = told(at);
    let cells: Vec<[String; 3]> = rows
        .iter()
        .map(|row| {
            let read = Unit::of_values(row.key.name.as_str()).filter(|_| row.value.is_finite());
            [series(&row.key), number(row.value), read.map_or_else(String::new, |unit| unit.show(row.value))]
        })
        .collect();
    let width =
        |column: usize| cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let line = |[series, value, read]: &[String; 3]| {
        let [first, second, third] = widths;
        let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(text.width()));
        let read = if third == 0 { String::new() } else { format!("  {}{read}", pad(read, third)) };
        format!("{series}{}  {}{value}{read}  {at}", pad(series, first), pad(value, second))
    };
    cells.iter().map(line).collect()
}

/// One line a point: moment, series, value.
pub(super) fn points(tracks: &[Track]) -> Vec<String> {
    let mut lines = Vec::new();
    for track in tracks {
        let series = series(&track.key);
        lines.extend(track.points.iter().map(|(at, value)| format!("{}\t{series}\t{}", told(*at), number(*value))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, labels: &[(&str, &str)], value: f64) -> Row {
        Row { key: SeriesKey::new(name, labels), value }
    }

    #[test]
    fn rows_are_aligned_and_read_in_their_unit() {
        let lines = rows(
            &[
                row("node_filesystem_avail_bytes", &[("mountpoint", "/")], 24_780_341_248.0),
                row("up", &[], 1.0),
                row("", &[("job", "a\"b")], f64::NAN),
            ],
            1_795_230_767_000,
        );
        assert_eq!(
            lines,
            [
                "node_filesystem_avail_bytes{mountpoint=\"/\"}  24780341248  23.1 GiB  2026-11-21T03:12:47Z",
                "up                                                     1            2026-11-21T03:12:47Z",
                "{job=\"a\\\"b\"}                                         NaN            2026-11-21T03:12:47Z",
            ]
        );
        assert_eq!(rows(&[row("up", &[], 1.0)], 0), ["up  1  1970-01-01T00:00:00Z"]);
    }

    #[test]
    fn a_suffix_promises_a_unit_and_a_point_in_time_is_no_duration() {
        let units =
            ["x_bytes_total", "x_seconds_sum", "node_boot_time_seconds", "x_total", "x_ratio"].map(Unit::of_values);
        assert_eq!(units, [Some(Unit::Bytes), Some(Unit::Seconds), None, None, Some(Unit::Ratio)]);
    }

    #[test]
    fn points_can_be_cut_and_sorted() {
        let track =
            Track { key: SeriesKey::new("up", &[("a", "b")]), points: vec![(1_000, 0.5), (2_500, f64::INFINITY)] };
        let wanted = ["1970-01-01T00:00:01Z\tup{a=\"b\"}\t0.5", "1970-01-01T00:00:02.5Z\tup{a=\"b\"}\t+Inf"];
        assert_eq!(points(&[track]), wanted);
    }
}
