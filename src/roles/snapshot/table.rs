//! A snapshot as text: what is worst in one line, then a heading a sampler and a line a reading, its number right-aligned
//! with unit, level, freshness and age.

use super::picture::{Alert, Picture, Row, Said, Sampled, Shown};
use crate::app::Identity;
use crate::base::time::Age;
use crate::base::{Freshness, Level, Now, SeriesKey, Unit, Wall};
use crate::roles::query::{number, series, told};
use unicode_width::UnicodeWidthStr;

/// A name is not padded further.
const WIDEST: usize = 64;

/// From 1973 to 5138: what lies outside is a length of time, or means that there was none.
const TIMES: core::ops::Range<f64> = 1e8..1e11;

/// The whole text: what is worst first, then every source with its readings.
pub(super) fn lines(picture: &Picture, identity: &Identity, now: Now) -> Vec<String> {
    let mut lines = vec![head(picture), about(picture, identity, now)];
    lines.extend(picture.alerts.iter().map(alert));
    lines.extend(picture.panes.iter().filter_map(|shown| unwell(shown, &picture.alerts)));
    for sampler in &picture.samplers {
        lines.push(String::new());
        lines.push(heading(sampler));
        lines.extend(sampler.facts.iter().map(|(name, fact)| format!("  {name}: {fact}")));
        let rows: Vec<&Row> = picture.readings.iter().filter(|row| row.sampler == sampler.name).collect();
        lines.extend(table(&rows, now));
    }
    lines
}

/// `CRITICAL — 2 of 9 sources do not answer: pg, cache`: what answers no more is told whatever else is worse.
fn head(picture: &Picture) -> String {
    let sources: Vec<&Sampled> = picture.samplers.iter().filter(|sampler| sampler.is_source()).collect();
    let sick = |failed: bool| {
        let sick =
            sources.iter().filter(move |of| of.level() > Level::Ok && failed == (of.freshness == Freshness::Failed));
        sick.map(|of| &*of.name).collect::<Vec<_>>()
    };
    let (silent, failed) = (sick(false), sick(true));
    let mut words = Vec::new();
    let of_all = |count| format!("{count} of {}", counted(sources.len(), "source"));
    if !silent.is_empty() {
        let verb = if silent.len() == 1 { "does" } else { "do" };
        words.push(format!("{} {verb} not answer: {}", of_all(silent.len()), silent.join(", ")));
    }
    if !failed.is_empty() {
        let verb = if failed.len() == 1 { "is" } else { "are" };
        words.push(format!("{} {verb} FAILED: {}", of_all(failed.len()), failed.join(", ")));
    }
    if words.is_empty() {
        words.push(match sources.len() {
            0 => "no source is asked".to_owned(),
            1 => "1 source answers".to_owned(),
            count => format!("all {count} sources answer"),
        });
    }
    if !picture.faults.is_empty() {
        words.push(format!("{} in the profile", counted(picture.faults.len(), "fault")));
    }
    format!("{} — {}", picture.level().word(), words.join("; "))
}

/// Whose readings, of when, and how many.
fn about(picture: &Picture, identity: &Identity, now: Now) -> String {
    let readings = counted(picture.readings.len(), "reading");
    format!("{}  {} on {}  {readings}", told(second(now.wall)), identity.title, identity.host)
}

/// `1 source`, `2 sources`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn alert(of: &Alert) -> String {
    let name = SeriesKey { name: of.name.clone(), labels: of.labels.labels.clone() };
    let value = if of.value.is_nan() { String::new() } else { format!(": {}", number(of.value)) };
    format!("{} {}  {}{value}", of.level.word(), of.state, series(&name))
}

/// The line of a value of a pane that is worse than NOTE; an alert of that name has said it.
fn unwell(of: &Shown, alerts: &[Alert]) -> Option<String> {
    let level = of.said.level();
    let beside = !of.label.as_str().is_empty() && of.label != of.pane;
    let name = if beside { of.pane.join(" ", &of.label) } else { of.pane.clone() };
    if level <= Level::Note || alerts.iter().any(|alert| alert.name == name) {
        return None;
    }
    let which = of.which.as_ref().map(|which| format!(" {which}")).unwrap_or_default();
    let what = match &of.said {
        Said::Value { value, freshness, .. } if *freshness < Freshness::Stale => of.unit.show(*value),
        said => said.reason().map_or_else(|| said.freshness().to_owned(), ToString::to_string),
    };
    Some(format!("{}  {name}{which}: {what}", level.word()))
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

fn table(rows: &[&Row], now: Now) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let titles = ["READING", "VALUE", "LEVEL", "FRESHNESS", "AGE"].map(str::to_owned);
    let cells: Vec<[String; 5]> = core::iter::once(titles).chain(rows.iter().map(|row| cells(row, now))).collect();
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

fn cells(row: &Row, now: Now) -> [String; 5] {
    let name = series(&row.key);
    let freshness = row.said.freshness().to_owned();
    let why = row.said.reason().map(ToString::to_string).unwrap_or_default();
    match &row.said {
        Said::Value { value, freshness: known, age, .. } if *known != Freshness::Stale => {
            let read = || row.unit.filter(|_| value.is_finite()).map(|unit| unit.show(*value));
            let shown = moment(row.key.name.as_str(), *value, now).or_else(read).unwrap_or_else(|| number(*value));
            let age = Age(*age).to_string();
            let tail = if why.is_empty() { age } else { format!("{age}  {why}") };
            [name, shown, row.said.level().word().to_owned(), freshness, tail]
        }
        Said::Value { age, .. } => [name, "—".to_owned(), String::new(), freshness, format!("{}  {why}", Age(*age))],
        Said::NotSupported(_) => [name, "none".to_owned(), String::new(), freshness, why],
        Said::Refused(_) | Said::Unknown(_) => {
            [name, "?".to_owned(), row.said.level().word().to_owned(), freshness, why]
        }
    }
}

/// `2026-11-21T03:12:47Z, 3h ago`: a point in time, which its metric gives as seconds since 1970.
#[expect(clippy::cast_possible_truncation, reason = "within TIMES")]
fn moment(name: &str, seconds: f64, now: Now) -> Option<String> {
    let is_one = Unit::is_moment(name) && TIMES.contains(&seconds);
    let at = is_one.then(|| Wall((seconds * 1e3).round() as i64 * 1_000_000))?;
    let (past, ahead) = (now.wall.since(at), at.since(now.wall));
    let far = if ahead.is_zero() { format!("{} ago", Age(past)) } else { format!("in {}", Age(ahead)) };
    Some(format!("{}, {far}", told(second(at))))
}

/// In milliseconds, without the part of a second.
fn second(at: Wall) -> i64 {
    at.0.div_euclid(1_000_000_000) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_with_its_distance_and_a_length_of_time_is_none() {
        let now = Now { wall: Wall(1_795_230_767_123_456_789), ..Now::default() };
        let said = |name: &str, value| moment(name, value, now);
        let boot = said("node_boot_time_seconds", 1_795_219_967.0);
        assert_eq!(boot.as_deref(), Some("2026-11-21T00:12:47Z, 3h ago"));
        let ends = said("probe_ssl_earliest_cert_expiry", 1_795_230_768.0 + 40.0 * 86_400.0);
        assert_eq!(ends.as_deref(), Some("2026-12-31T03:12:48Z, in 40d"));
        for (name, value) in [
            ("probe_dns_lookup_time_seconds", 0.002),
            ("node_disk_io_time_seconds_total", 2e8),
            ("process_start_time_seconds", f64::NAN),
            ("x_timestamp_seconds", 0.0),
            ("node_load1", 1.7e9),
        ] {
            assert_eq!(said(name, value), None, "{name}");
        }
    }
}
