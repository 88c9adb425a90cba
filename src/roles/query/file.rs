//! Files of series: Prometheus and OpenMetrics text with timestamps, and saved answers of Prometheus' query API.

use crate::base::{Clean, Fault, SeriesKey};
use crate::rules::expr::{Millis, Table};
use crate::samplers::scrape::text;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// A larger file is refused before it is held.
const LARGEST: u64 = 512 * 1024 * 1024;

/// Reads a file, or standard input for `-`. `now` stamps what has no time in a page that came through a pipe.
///
/// # Errors
/// What is wrong, with line and column.
pub(super) fn read(path: &Path, now: Millis) -> Result<Table, Fault> {
    let name = path.to_string_lossy();
    let fault = |error: std::io::Error| Fault::new(format!("cannot be read: {error}.")).at(&name, 0, 0);
    let mut bytes = Vec::new();
    let mut seen = now;
    if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).map_err(fault)?;
    } else {
        let file = File::open(path).map_err(fault)?;
        let written = file.metadata().and_then(|meta| meta.modified()).ok();
        let age = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        seen = age.and_then(|age| Millis::try_from(age.as_millis()).ok()).unwrap_or(now);
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(fault)?;
    }
    if bytes.len() as u64 > LARGEST {
        return Err(Fault::new("holds more than 512 MiB.")
            .hint("Take fewer series or a shorter time.")
            .at(&name, 0, 0));
    }
    parse(&name, &bytes, seen)
}

/// Reads a text; points without a time are of the moment `seen`.
pub(super) fn parse(name: &str, bytes: &[u8], seen: Millis) -> Result<Table, Fault> {
    let table = if is_json(bytes) { api(name, bytes) } else { exposition(name, bytes, seen) }?;
    if table.span().is_none() { Err(Fault::new("holds no series.").at(name, 0, 0)) } else { Ok(table) }
}

/// Text exposition may begin with a brace too, but never with a quoted name and a colon in it.
fn is_json(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    let Some(inside) = text.strip_prefix(b"{").map(<[u8]>::trim_ascii_start) else { return text.starts_with(b"[") };
    let Some(word) = inside.strip_prefix(b"\"") else { return inside.starts_with(b"}") };
    let end = memchr::memchr(b'"', word).unwrap_or(word.len());
    word.get(end + 1..).unwrap_or_default().trim_ascii_start().starts_with(b":")
}

// ── text exposition ──────────────────────────────────────────────────────────────────────────────────────────────

/// Timestamps are milliseconds, or seconds where the text ends with OpenMetrics' `# EOF`.
fn exposition(name: &str, bytes: &[u8], seen: Millis) -> Result<Table, Fault> {
    let open_metrics = bytes.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().is_some_and(is_eof);
    let mut table = Table::new();
    for (at, raw) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let indent = raw.len() - raw.trim_ascii_start().len();
        let line = raw.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let fault = |column: usize, expected: &str| {
            let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let before = raw.get(..indent + column).unwrap_or(raw);
            let column = String::from_utf8_lossy(before).chars().count() + 1;
            Fault::new(format!("expected {expected}.")).at(name, small(at + 1), small(column))
        };
        let sample = text::sample(line).map_err(|(column, expected)| fault(column, expected))?;
        let stamp = match sample.stamp().map_err(|(column, expected)| fault(column, expected))? {
            None => seen,
            Some((column, text)) => time(text, open_metrics).map_err(|expected| fault(column, expected))?,
        };
        table.push(&sample.key, stamp, sample.value);
    }
    Ok(table)
}

fn is_eof(line: &[u8]) -> bool {
    line.trim_ascii().strip_prefix(b"#").is_some_and(|rest| rest.trim_ascii() == b"EOF")
}

fn time(text: &str, open_metrics: bool) -> Result<Millis, &'static str> {
    if !open_metrics {
        return text.parse().map_err(|_| "whole milliseconds (seconds where `# EOF` ends the text)");
    }
    millis(text.parse().unwrap_or(f64::NAN)).ok_or("seconds since 1970")
}

#[expect(clippy::cast_possible_truncation, reason = "bounded above")]
fn millis(seconds: f64) -> Option<Millis> {
    (seconds.abs() < 9e12).then(|| (seconds * 1e3).round() as Millis)
}

// ── answers of the query API ─────────────────────────────────────────────────────────────────────────────────────

#[derive(Deserialize)]
struct Reply {
    data: Option<Data>,
    error: Option<Clean>,
    #[serde(rename = "resultType")]
    kind: Option<Kind>,
    result: Option<Vec<Member>>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: Kind,
    result: Vec<Member>,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Vector,
    Matrix,
}

#[derive(Deserialize)]
struct Member {
    metric: BTreeMap<Clean, Clean>,
    value: Option<(f64, Value)>,
    #[serde(default)]
    values: Vec<(f64, Value)>,
    histogram: Option<serde::de::IgnoredAny>,
    histograms: Option<serde::de::IgnoredAny>,
}

/// A value as the API writes it: a number in a text.
struct Value(f64);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom("expected a number in a text, such as \"1.5\""))
    }
}

fn api(name: &str, bytes: &[u8]) -> Result<Table, Fault> {
    let reply: Reply = serde_json::from_slice(bytes).map_err(|error| {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text);
        Fault::new(format!("this is no answer of Prometheus' query API: {what}.")).at(
            name,
            small(error.line()),
            small(error.column()),
        )
    })?;
    if let Some(error) = reply.error {
        return Err(Fault::new(format!("this answer is an error itself: {error}")).at(name, 0, 0));
    }
    let found = match (reply.data, reply.kind, reply.result) {
        (Some(data), _, _) => Some((data.kind, data.result)),
        (None, Some(kind), Some(result)) => Some((kind, result)),
        _ => None,
    };
    let Some((_, members)) = found else {
        return Err(Fault::new("this is no answer of Prometheus' query API: it has no `data`.").at(name, 0, 0));
    };
    let mut table = Table::new();
    for member in members {
        if member.histogram.is_some() || member.histograms.is_some() {
            return Err(Fault::new("holds native histograms, which are not understood.").at(name, 0, 0));
        }
        let key = key(member.metric);
        for (at, Value(value)) in member.values.into_iter().chain(member.value) {
            if let Some(at) = millis(at) {
                table.push(&key, at, value);
            }
        }
    }
    Ok(table)
}

fn key(mut metric: BTreeMap<Clean, Clean>) -> SeriesKey {
    let name = metric.remove("__name__").unwrap_or_default();
    SeriesKey { name, labels: metric.into_iter().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expr::{Handle, Source as _};
    use crate::store::Selector;

    fn read(text: &str) -> Vec<(String, Vec<(Millis, f64)>)> {
        let table = parse("f", text.as_bytes(), 7).expect("reads");
        let series = |handle: &Handle| {
            let mut points = Vec::new();
            table.scan(*handle, Millis::MIN, Millis::MAX, &mut points);
            (super::super::table::series(table.key(*handle)), points)
        };
        table.select(&Selector::default()).iter().map(series).collect()
    }

    fn fault(text: &str) -> String {
        parse("f", text.as_bytes(), 0).expect_err("a fault").to_string()
    }

    fn up(points: &[(Millis, f64)]) -> Vec<(String, Vec<(Millis, f64)>)> {
        vec![("up{job=\"a\"}".to_owned(), points.to_vec())]
    }

    #[test]
    fn text_has_milliseconds_and_open_metrics_seconds() {
        let line = "# TYPE up gauge\n up{job=\"a\"} 2 2500\nup{job=\"a\"} 1 1500\n";
        assert_eq!(read(line), up(&[(1_500, 1.0), (2_500, 2.0)]));
        let line = "# TYPE up gauge\nup{job=\"a\"} 1 1.5\nup{job=\"a\"} 2 2.5 # {id=\"x\"} 9\n# EOF\n";
        assert_eq!(read(line), up(&[(1_500, 1.0), (2_500, 2.0)]));
    }

    #[test]
    fn a_dump_writes_the_name_as_a_label_and_a_page_has_the_time_of_its_file() {
        assert_eq!(read("{__name__=\"up\", job=\"a\"} 1 1500\n"), up(&[(1_500, 1.0)]));
        assert_eq!(read("up{job=\"a\"} 1\n"), up(&[(7, 1.0)]));
        assert_eq!(read("up{job=\"a\"} 1 1500\nup{job=\"a\"} 3 1500\n"), up(&[(1_500, 3.0)]), "the later stays");
    }

    #[test]
    fn saved_answers_read_whole_or_as_their_data() {
        let data = r#"{"resultType":"matrix","result":[{"metric":{"__name__":"up","job":"a"},"values":[[1.5,"1"],[2,"+Inf"]]}]}"#;
        assert_eq!(read(data), up(&[(1_500, 1.0), (2_000, f64::INFINITY)]));
        assert_eq!(
            read(&format!("{{\"status\":\"success\",\n\"data\":{data}}}")),
            up(&[(1_500, 1.0), (2_000, f64::INFINITY)])
        );
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"up","job":"a"},"value":[2,"5"]}]}}"#;
        assert_eq!(read(vector), up(&[(2_000, 5.0)]));
    }

    #[test]
    fn a_fault_names_line_and_column() {
        for (text, sentence) in [
            ("up 1 1\nup{a=} 1 1\n", "f:2:6: expected a label value in double quotes."),
            ("up 1 1\n  9up 1\n", "f:2:3: expected a metric name."),
            ("é 1\n", "f:1:1: expected a metric name."),
            ("up{a=\"é\"} x\n", "f:1:11: expected a number."),
            ("up 1 soon\n", "f:1:6: expected a timestamp or the end of the line."),
            ("up 1 1.5\n", "f:1:6: expected whole milliseconds (seconds where `# EOF` ends the text)."),
            ("up 1 1e300\n# EOF", "f:1:6: expected seconds since 1970."),
            ("# nothing\n", "f: holds no series."),
            ("", "f: holds no series."),
            (
                "{\"status\":\"success\",\n\"data\":{\"resultType\":\"tensor\"}}",
                "f:2:29: this is no answer of Prometheus' query API: unknown variant `tensor`, expected `vector` or `matrix`.",
            ),
            ("{\"status\":\"error\",\"error\":\"boom\"}", "f: this answer is an error itself: boom"),
            ("{\"status\":1}", "f: this is no answer of Prometheus' query API: it has no `data`."),
        ] {
            assert_eq!(fault(text), sentence, "{text}");
        }
        let value = "{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1,\"x\"]}]}";
        assert!(fault(value).starts_with("f:1:"), "{}", fault(value));
        let native = "{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"histogram\":[1,{}]}]}";
        assert!(fault(native).contains("native histograms"), "{}", fault(native));
    }
}
