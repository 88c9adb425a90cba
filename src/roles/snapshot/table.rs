//! A snapshot as text: a heading a sampler, a line a reading, numbers right-aligned with unit, level, freshness and age.

use super::picture::{Picture, Row, Said, Sampled};
use crate::base::time::Age;
use crate::base::{Freshness, Now, SeriesKey, Unit};
use crate::roles::query::{number, series};
use unicode_width::UnicodeWidthStr;

/// A name is not padded further.
const WIDEST: usize = 64;

/// The whole text.
pub(super) fn lines(picture: &Picture, now: Now) -> Vec<String> {
    let mut lines = vec![format!(
        "{} UTC  {}  {} readings of {} samplers",
        now.wall.hms(),
        picture.level().word(),
        picture.readings.len(),
        picture.samplers.len()
    )];
    for alert in &picture.alerts {
        lines.push(format!(
            "{} {}  {}",
            alert.level.word(),
            alert.state,
            series(&SeriesKey { name: alert.name.clone(), labels: alert.labels.labels.clone() })
        ));
    }
    for sampler in &picture.samplers {
        lines.push(String::new());
        lines.push(heading(sampler));
        lines.extend(sampler.facts.iter().map(|(name, fact)| format!("  {name}: {fact}")));
        let rows: Vec<&Row> = picture.readings.iter().filter(|row| row.sampler == sampler.name).collect();
        lines.extend(table(&rows));
    }
    lines
}

fn heading(sampler: &Sampled) -> String {
    let mut words = vec![sampler.name.to_string(), sampler.kind.to_string(), sampler.source.to_string()];
    if sampler.simulated {
        words.push("SIMULATED".to_owned());
    }
    words.push(sampler.freshness.word().to_owned());
    words.extend(sampler.age.map(|age| Age(age).to_string()));
    if sampler.failure.is_none() {
        words.push(format!("took {}", Unit::Seconds.show(sampler.took.as_secs_f64())));
    }
    if sampler.dropped_series > 0 {
        words.push(format!("{} series not kept", sampler.dropped_series));
    }
    words.extend(sampler.failure.as_ref().map(ToString::to_string));
    words.retain(|word| !word.is_empty());
    words.join("  ")
}

fn table(rows: &[&Row]) -> Vec<String> {
    let cells: Vec<[String; 5]> = rows.iter().map(|row| cells(row)).collect();
    let width = |at: usize| cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.width()).max().unwrap_or(0);
    let [name, value, level, freshness] = [width(0).min(WIDEST), width(1), width(2), width(3)];
    let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(text.width()));
    let line = |[a, b, c, d, e]: &[String; 5]| {
        let line =
            format!("  {a}{}  {}{b}  {c}{}  {d}{}  {e}", pad(a, name), pad(b, value), pad(c, level), pad(d, freshness));
        line.trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

fn cells(row: &Row) -> [String; 5] {
    let name = series(&row.key);
    let freshness = row.said.freshness().to_owned();
    let why = row.said.reason().map(ToString::to_string).unwrap_or_default();
    match &row.said {
        Said::Value { value, freshness: known, age, .. } if *known != Freshness::Stale => {
            let shown = row.unit.filter(|_| value.is_finite()).map_or_else(|| number(*value), |unit| unit.show(*value));
            let age = Age(*age).to_string();
            let tail = if why.is_empty() { age } else { format!("{age}  {why}") };
            [name, shown, row.said.level().word().to_owned(), freshness, tail]
        }
        Said::Value { age, .. } => [name, "—".to_owned(), String::new(), freshness, format!("{}  {why}", Age(*age))],
        Said::NotSupported(_) => [name, "none".to_owned(), String::new(), freshness, why],
        Said::Unknown(_) => [name, "?".to_owned(), row.said.level().word().to_owned(), freshness, why],
    }
}
