//! Prometheus text exposition 0.0.4, and OpenMetrics text read leniently. Pure: bytes in, points and placed
//! complaints out. A line that makes no sense is skipped and reported; the others count.

use crate::base::{Clean, Point, PointKind, SeriesKey};
use std::borrow::Cow;
use std::collections::HashMap;

/// What a page said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Every series, in the order of the page.
    pub points: Vec<Point>,
    /// Series beyond the limit, not kept.
    pub over: usize,
    /// Lines that could not be read.
    pub bad_lines: usize,
    /// The first of them: line number from 1, and what was expected.
    pub first_bad: Option<(usize, &'static str)>,
    /// True when its last line says that it is whole (OpenMetrics).
    pub whole: bool,
}

/// A line's fault: what was expected.
pub(crate) type Expected = &'static str;

/// Reads a page and keeps at most `limit` series.
pub fn parse(page: &[u8], limit: usize) -> Page {
    read(page, limit, &mut |_, _| ())
}

/// The same; every line that has a say in what the next page means is shown, a series with its point.
pub(super) fn read<'a>(page: &'a [u8], limit: usize, told: &mut dyn FnMut(&'a [u8], Option<&Point>)) -> Page {
    let mut out = Page::default();
    let mut kinds: HashMap<&[u8], PointKind> = HashMap::new();
    let mut words = Words::default();
    for (at, line) in lines(page).enumerate() {
        let read = match line.strip_prefix(b"#") {
            Some(comment) if comment.trim_ascii() == b"EOF" => {
                out.whole = true;
                break;
            }
            Some(comment) => note_type(comment, &mut kinds).map(|said| {
                if said {
                    told(line, None);
                }
            }),
            None if line.is_empty() => Ok(()),
            None if out.points.len() >= limit => {
                out.over += 1;
                Ok(())
            }
            None => sample_with(line, &mut words).map_err(|(_, expected)| expected).and_then(|sample| {
                // A timestamp says when the source last looked; ours is when we did. An exemplar is not kept.
                sample.stamp().map_err(|(_, expected)| expected)?;
                let kind = kind_of(sample.name, &kinds);
                let point = Point { key: sample.key, value: sample.value, kind };
                told(sample.head, Some(&point));
                out.points.push(point);
                Ok(())
            }),
        };
        if let Err(expected) = read {
            out.bad_lines += 1;
            out.first_bad.get_or_insert((at + 1, expected));
        }
    }
    out
}

/// The lines of a page without the blank around them.
pub(super) fn lines(page: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(b'\n', page).chain(core::iter::once(page.len()));
    ends.scan(0, |start, end| {
        let line = page.get(*start..end).unwrap_or_default();
        *start = end + 1;
        Some(line.trim_ascii())
    })
}

/// Texts of one page that were made already: names and labels stand there again and again.
#[derive(Default)]
struct Words<'a>(HashMap<&'a [u8], Clean>);

impl<'a> Words<'a> {
    /// More would be texts that each stand there once.
    const MOST: usize = 4_096;

    fn clean(&mut self, raw: &'a [u8]) -> Clean {
        if let Some(known) = self.0.get(raw) {
            return known.clone();
        }
        let text = Clean::text(raw);
        if self.0.len() < Self::MOST {
            self.0.insert(raw, text.clone());
        }
        text
    }
}

/// Remembers `# TYPE name kind`; HELP, UNIT and free comments say nothing that we need.
/// True when it was one.
fn note_type<'a>(comment: &'a [u8], kinds: &mut HashMap<&'a [u8], PointKind>) -> Result<bool, Expected> {
    let mut words = comment.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if words.next() != Some(b"TYPE") {
        return Ok(false);
    }
    let name = words.next().ok_or("a name after `# TYPE`")?;
    let kind = match words.next().ok_or("a type after the name")? {
        b"counter" => PointKind::Counter,
        b"gauge" | b"info" | b"stateset" => PointKind::Gauge,
        b"histogram" | b"gaugehistogram" => PointKind::Histogram,
        b"summary" => PointKind::Summary,
        b"untyped" | b"unknown" => PointKind::Untyped,
        _ => return Err("a type: counter, gauge, histogram, summary or untyped"),
    };
    kinds.insert(name, kind);
    Ok(true)
}

/// One line of a page that holds a value.
pub(crate) struct SampleLine<'a> {
    /// Which series.
    pub(crate) key: SeriesKey,
    /// Its value.
    pub(crate) value: f64,
    name: &'a [u8],
    line: &'a [u8],
    /// Of the line the name and the labels.
    head: &'a [u8],
    tail: Cursor<'a>,
}

/// Reads a line that holds a value; a fault comes with the byte of the line at which it was expected.
pub(crate) fn sample(line: &[u8]) -> Result<SampleLine<'_>, (usize, Expected)> {
    sample_with(line, &mut Words::default())
}

fn sample_with<'a>(line: &'a [u8], words: &mut Words<'a>) -> Result<SampleLine<'a>, (usize, Expected)> {
    let mut cursor = Cursor { rest: line };
    let at = |cursor: &Cursor<'_>, expected: Expected| (line.len() - cursor.rest.len(), expected);
    let named = cursor.name(true);
    let mut head = line.len() - cursor.rest.len();
    cursor.blank();
    let mut labels = Vec::new();
    if cursor.eat(b'{') {
        labels = self::labels(&mut cursor, words).map_err(|expected| at(&cursor, expected))?;
        head = line.len() - cursor.rest.len();
    }
    // A dump writes the name as the label it is.
    let label = labels.iter().position(|(label, _)| named.is_none() && label.as_str() == "__name__");
    let label = label.map(|place| labels.remove(place).1);
    let Some(name) = named.map(|name| words.clean(name)).or(label) else { return Err((0, "a metric name")) };
    cursor.blank();
    let composed = cursor.peek() == Some(b'{');
    let start = at(&cursor, if composed { "a number; a native histogram is not read here" } else { "a number" });
    let value = number(cursor.word()).ok_or(start)?;
    let key = SeriesKey { name, labels: labels.into() };
    let head = line.get(..head).unwrap_or_default();
    Ok(SampleLine { key, value, name: named.unwrap_or_default(), line, head, tail: cursor })
}

impl<'a> SampleLine<'a> {
    /// The word after the value that says when it was so, and the byte at which it stands; `None` without one.
    pub(crate) fn stamp(&self) -> Result<Option<(usize, &'a str)>, (usize, Expected)> {
        let at = self.line.len() - self.tail.rest.trim_ascii_start().len();
        stamp(self.tail.rest).map(|text| text.map(|text| (at, text))).map_err(|expected| (at, expected))
    }
}

fn stamp(rest: &[u8]) -> Result<Option<&str>, Expected> {
    match (Cursor { rest }).word() {
        b"" | b"#" => Ok(None),
        word => match core::str::from_utf8(word).ok().filter(|_| number(word).is_some()) {
            Some(text) => Ok(Some(text)),
            None => Err("a timestamp or the end of the line"),
        },
    }
}

/// What stands after the name and the labels of a line: its value, where the rest makes sense too.
pub(super) fn value(rest: &[u8]) -> Option<f64> {
    let mut cursor = Cursor { rest };
    let value = number(cursor.word())?;
    (cursor.rest.is_empty() || stamp(cursor.rest).is_ok()).then_some(value)
}

fn labels<'a>(cursor: &mut Cursor<'a>, words: &mut Words<'a>) -> Result<Vec<(Clean, Clean)>, Expected> {
    let mut labels = Vec::new();
    loop {
        cursor.blank();
        if cursor.eat(b'}') {
            break;
        }
        let name = cursor.name(false).ok_or("a label name or `}`")?;
        cursor.blank();
        if !cursor.eat(b'=') {
            return Err("`=` after a label name");
        }
        cursor.blank();
        let start = cursor.rest;
        let Some(value) = cursor.quoted() else {
            cursor.rest = start;
            return Err("a label value in double quotes");
        };
        let value = match value {
            Cow::Borrowed(value) => words.clean(value),
            Cow::Owned(value) => Clean::text(value),
        };
        labels.push((words.clean(name), value));
        cursor.blank();
        if !cursor.eat(b',') && cursor.peek() != Some(b'}') {
            return Err("`,` or `}` after a label");
        }
    }
    labels.sort();
    if labels.array_windows().any(|[(left, _), (right, _)]| left == right) {
        return Err("each label name once");
    }
    Ok(labels)
}

/// The type of the family that a sample belongs to: its own name, or the name less its suffix.
fn kind_of(name: &[u8], kinds: &HashMap<&[u8], PointKind>) -> PointKind {
    const SUFFIXES: &[&[u8]] =
        &[b"_bucket", b"_sum", b"_count", b"_total", b"_created", b"_info", b"_gsum", b"_gcount"];
    if let Some(kind) = kinds.get(name) {
        return *kind;
    }
    for suffix in SUFFIXES {
        if let Some(kind) = name.strip_suffix(*suffix).and_then(|family| kinds.get(family)) {
            return if *suffix == b"_created" { PointKind::Gauge } else { *kind };
        }
    }
    PointKind::Untyped
}

fn number(word: &[u8]) -> Option<f64> {
    core::str::from_utf8(word).ok()?.parse().ok()
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.take(1);
        }
        there
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`, in metric names with `:` too.
    fn name(&mut self, colon: bool) -> Option<&'a [u8]> {
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || (colon && *byte == b':');
        let length = self.rest.iter().position(|byte| !fits(byte)).unwrap_or(self.rest.len());
        if length == 0 || self.rest.first().is_some_and(u8::is_ascii_digit) {
            return None;
        }
        Some(self.take(length))
    }

    fn word(&mut self) -> &'a [u8] {
        self.blank();
        let length = self.rest.iter().position(u8::is_ascii_whitespace).unwrap_or(self.rest.len());
        self.take(length)
    }

    /// A quoted string with `\\`, `\"` and `\n` undone; any other escape is none.
    fn quoted(&mut self) -> Option<Cow<'a, [u8]>> {
        if !self.eat(b'"') {
            return None;
        }
        let plain = memchr::memchr2(b'"', b'\\', self.rest)?;
        let mut out = Cow::Borrowed(self.take(plain));
        while !self.eat(b'"') {
            match self.take(2) {
                [_, b'n'] => out.to_mut().push(b'\n'),
                [_, escaped @ (b'\\' | b'"')] => out.to_mut().push(*escaped),
                _ => return None,
            }
            let plain = memchr::memchr2(b'"', b'\\', self.rest)?;
            out.to_mut().extend_from_slice(self.take(plain));
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;
    use proptest::prelude::*;

    const PAGE: &str = r#"# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
# Minimalistic line:
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.01"} NaN
rpc_duration_seconds_sum 1.7560473e+07
# TYPE level gauge
level -1
"#;

    fn find<'a>(page: &'a Page, name: &str) -> &'a Point {
        page.points.iter().find(|point| point.key.name.as_str() == name).expect(name)
    }

    #[test]
    fn the_example_of_the_specification_reads() {
        let page = parse(PAGE.as_bytes(), 100);
        assert_eq!((page.points.len(), page.first_bad, page.over), (12, None, 0));
        let first = find(&page, "http_requests_total");
        assert_eq!(first.key, SeriesKey::new("http_requests_total", &[("method", "post"), ("code", "200")]));
        assert_eq!((first.value, first.kind), (1027.0, PointKind::Counter));
        let escaped = find(&page, "msdos_file_access_time_seconds");
        let error = escaped.key.label("error").map(Clean::as_str);
        assert_eq!(error, Some("Cannot find file:␊\"FILE.TXT\""));
        assert_eq!(find(&page, "something_weird").value, f64::INFINITY);
        assert_eq!(find(&page, "something_weird").kind, PointKind::Untyped);
        assert_eq!(find(&page, "http_request_duration_seconds_bucket").kind, PointKind::Histogram);
        assert!(find(&page, "rpc_duration_seconds").value.is_nan());
        assert_eq!(find(&page, "rpc_duration_seconds_sum").kind, PointKind::Summary);
        assert_eq!(find(&page, "level").kind, PointKind::Gauge);
    }

    #[test]
    fn open_metrics_reads_without_its_exemplars() {
        let text = "# TYPE foo counter\n# UNIT foo seconds\nfoo_total{a=\"b\"} 17.0 1520879607.789 # {trace_id=\"x y\"} 0.67\nfoo_created 1.5\nbar 2 # {} 1\n# EOF\nafter 1\n";
        let page = parse(text.as_bytes(), 100);
        let read: Vec<_> = page.points.iter().map(|p| (p.key.name.as_str(), p.value, p.kind)).collect();
        let expected = [
            ("foo_total", 17.0, PointKind::Counter),
            ("foo_created", 1.5, PointKind::Gauge),
            ("bar", 2.0, PointKind::Untyped),
        ];
        assert_eq!((read.as_slice(), page.first_bad, page.whole), (expected.as_slice(), None, true));
    }

    #[test]
    fn a_bad_line_is_named_and_the_rest_goes_on() {
        for (line, expected) in [
            ("1up 1", "a metric name"),
            ("up", "a number"),
            ("up one", "a number"),
            ("up {count:3,sum:1.5}", "`=` after a label name"),
            ("up{} {count:3,sum:1.5}", "a number; a native histogram is not read here"),
            ("up{a=b} 1", "a label value in double quotes"),
            ("up{a=\"b} 1", "a label value in double quotes"),
            ("up{a} 1", "`=` after a label name"),
            ("up{a=\"b\" c=\"d\"} 1", "`,` or `}` after a label"),
            ("up{a=\"b\",a=\"c\"} 1", "each label name once"),
            ("up 1 today", "a timestamp or the end of the line"),
            ("# TYPE up metre", "a type: counter, gauge, histogram, summary or untyped"),
        ] {
            let page = parse(format!("good 1\n{line}\nalso{{a=\"b\",}} 2\n").as_bytes(), 100);
            assert_eq!((page.points.len(), page.bad_lines, page.first_bad), (2, 1, Some((2, expected))), "{line}");
        }
    }

    #[test]
    fn series_beyond_the_limit_are_counted_not_kept() {
        let page = parse(b"a 1\nb 2\nc 3\n", 2);
        assert_eq!((page.points.len(), page.over), (2, 1));
    }

    type Series = (String, Vec<(String, String)>, f64);

    fn write(points: &[Series]) -> String {
        let mut text = String::new();
        for (name, labels, value) in points {
            let labels: Vec<String> = labels
                .iter()
                .map(|(name, value)| {
                    let value = value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
                    format!("{name}=\"{value}\"")
                })
                .collect();
            writeln!(text, "{name}{{{}}} {value}", labels.join(",")).expect("memory");
        }
        text
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(page in proptest::collection::vec(any::<u8>(), 0..400)) {
            let page = parse(&page, 10);
            prop_assert!(page.points.len() <= 10);
        }

        #[test]
        fn near_misses_are_survived(page in "[a#{}=\",\\\\n 1.eE+\n-]{0,120}") {
            parse(page.as_bytes(), 10);
        }

        #[test]
        fn what_is_written_reads_back(points in proptest::collection::vec(
            ("[a-zA-Z_:][a-zA-Z0-9_:]{0,12}",
             proptest::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,6}", any::<String>(), 0..4)
                .prop_map(|map| map.into_iter().collect::<Vec<_>>()),
             any::<f64>().prop_filter("NaN is not equal to itself", |value| !value.is_nan())), 0..20)) {
            let page = parse(write(&points).as_bytes(), 100);
            prop_assert_eq!(page.first_bad, None);
            let read: Vec<(SeriesKey, f64)> = page.points.into_iter().map(|point| (point.key, point.value)).collect();
            let expected: Vec<(SeriesKey, f64)> = points.iter().map(|(name, labels, value)| {
                let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (&**name, &**value)).collect();
                (SeriesKey::new(name, &labels), *value)
            }).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
