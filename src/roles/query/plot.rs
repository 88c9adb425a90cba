//! A range drawn on the terminal: one chart a series, with the console's own drawing, in as many columns as there are.

use super::moment::told;
use super::table::series;
use crate::base::Unit;
use crate::config::{Depth, SearchPath, load_theme};
use crate::rules::expr::{Millis, Track};
use crate::ui::text;

/// Series drawn; more would scroll away.
const CHARTS: usize = 12;
/// Rows of a chart.
const HEIGHT: u16 = 5;

/// What is drawn on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sheet {
    /// Columns of the terminal.
    pub(super) width: u16,
    /// Only ASCII can be shown.
    pub(super) ascii: bool,
}

/// Lines for the terminal: of each series its name, its least, greatest and last value, and its course.
pub(super) fn lines(tracks: &[Track], (start, end): (Millis, Millis), step: Millis, sheet: Sheet) -> Vec<String> {
    let (theme, _) = load_theme("default", Depth::Mono, &SearchPath::default());
    let mut lines = Vec::new();
    for track in tracks.iter().take(CHARTS) {
        let unit = Unit::of_values(track.key.name.as_str()).unwrap_or(Unit::Count);
        lines.push(cut(&series(&track.key), sheet));
        lines.push(cut(&summary(track, unit), sheet));
        let columns = columns(track, (start, end), step, sheet.width);
        lines.extend(text::chart(&columns, HEIGHT, unit, &theme, sheet.ascii));
    }
    if let Some(more) = tracks.len().checked_sub(CHARTS).filter(|more| *more > 0) {
        lines.push(format!("and {more} more series: narrow the expression, or print every point with `| cat`"));
    }
    lines.push(axis((start, end), sheet.width));
    lines
}

fn summary(track: &Track, unit: Unit) -> String {
    let values = || track.points.iter().map(|(_, value)| *value).filter(|value| !value.is_nan());
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let Some((_, last)) = track.points.last().filter(|_| least <= most) else { return "no numbers".to_owned() };
    format!("least {}, greatest {}, last {}", unit.show(least), unit.show(most), unit.show(*last))
}

/// One cell a column of the whole width: the greatest value of the steps that fall into it, so that no peak is lost.
fn columns(track: &Track, (start, end): (Millis, Millis), step: Millis, width: u16) -> Vec<Option<f64>> {
    let step = step.max(1);
    let steps = usize::try_from((end - start) / step).unwrap_or(0) + 1;
    let mut values = vec![None; steps];
    for (at, value) in &track.points {
        if let Some(cell) = usize::try_from((at - start) / step).ok().and_then(|place| values.get_mut(place)) {
            *cell = Some(*value);
        }
    }
    let width = usize::from(width.max(1));
    let column = |column: usize| {
        let from = column * steps / width;
        let until = ((column + 1) * steps / width).max(from + 1);
        values.get(from..until).unwrap_or_default().iter().flatten().copied().reduce(f64::max)
    };
    (0..width).map(column).collect()
}

/// First and last moment at both ends of a line.
fn axis((start, end): (Millis, Millis), width: u16) -> String {
    let (start, end) = (told(start), told(end));
    let gap = usize::from(width).saturating_sub(start.len() + end.len());
    if gap == 0 { format!("{start} to {end}") } else { format!("{start}{}{end}", " ".repeat(gap)) }
}

fn cut(text: &str, sheet: Sheet) -> String {
    crate::ui::value::shorten(&crate::clean!("{text}"), sheet.width).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeriesKey;

    fn track(points: &[(Millis, f64)]) -> Track {
        Track { key: SeriesKey::new("queue", &[("job", "a")]), points: points.to_vec() }
    }

    #[test]
    fn a_course_is_drawn_with_its_gap_and_its_peak() {
        let points = [(0, 1.0), (1_000, 2.0), (3_000, 8.0), (4_000, f64::NAN), (5_000, 4.0)];
        let lines = lines(&[track(&points)], (0, 5_000), 1_000, Sheet { width: 12, ascii: true });
        assert_eq!(
            lines,
            [
                r#"queue{job="…"#,
                "least 1, gr…",
                "      ##",
                "      ##",
                "      ##  ==",
                "  --  ##  ##",
                "**##  ##  ##",
                "1970-01-01T00:00:00Z to 1970-01-01T00:00:05Z",
            ]
        );
    }

    #[test]
    fn more_steps_than_columns_keep_every_peak_and_fit() {
        let points: Vec<(Millis, f64)> = (0..301).map(|n| (n * 1_000, if n == 150 { 100.0 } else { 1.0 })).collect();
        let columns = columns(&track(&points), (0, 300_000), 1_000, 60);
        assert_eq!(columns.len(), 60);
        assert_eq!(columns.iter().filter(|cell| **cell == Some(100.0)).count(), 1);
        assert!(columns.iter().all(Option::is_some));
        let lines = lines(&[track(&points)], (0, 300_000), 1_000, Sheet { width: 60, ascii: false });
        assert!(lines.iter().all(|line| line.chars().count() <= 60), "{lines:#?}");
    }

    #[test]
    fn series_beyond_the_sheet_are_counted() {
        let many: Vec<Track> = (0..20).map(|_| track(&[(0, 1.0)])).collect();
        let lines = lines(&many, (0, 0), 1_000, Sheet { width: 80, ascii: true });
        assert!(lines.iter().any(|line| line.starts_with("and 8 more series")), "{lines:?}");
    }
}
