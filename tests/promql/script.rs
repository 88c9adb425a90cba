//! The language of the case files: `load STEP` with series below it, `at TIME QUERY` or `range START END STEP QUERY`
//! with the answer below it. A value is a number, `_`, `stale`, `3x6` (six more 3s) or `0+2x6` (six more, rising by 2).

use core::time::Duration;
use std::sync::Arc;
use watchkeeper::base::SeriesKey;
use watchkeeper::rules::expr::{Evaluator, Expr, Millis, Semantics, Table, Value};
use watchkeeper::store::MatchOp;

/// One question with its answer.
pub(crate) struct Case {
    name: String,
    table: Arc<Table>,
    time: Time,
    pub(crate) query: String,
    pub(crate) expected: Expected,
    warnings: Vec<String>,
    infos: Vec<String>,
}

enum Time {
    At(Millis),
    Range(Millis, Millis, Millis),
}

/// What must come back: rows, `scalar`, `text`, `empty`, `error WORDS` or `refused LINE:COLUMN WORDS`; beside it may
/// stand `warn WORDS`, `info WORDS` and `ordered`.
pub(crate) enum Expected {
    Scalar(f64),
    Text(String),
    Rows { ordered: bool, rows: Vec<(SeriesKey, Vec<(Millis, f64)>)> },
    Error(String),
    Refused { line: u32, column: u32, words: String },
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

fn span(text: &str) -> Millis {
    let (digits, unit) = text.split_at(text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len()));
    let factor = match unit {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        unit => panic!("no unit `{unit}`"),
    };
    digits.parse::<Millis>().expect(text) * factor
}

/// A key written as a selector.
fn key(text: &str) -> SeriesKey {
    if text == "{}" {
        return SeriesKey::new("", &[]);
    }
    let expr = Expr::parse(text).expect(text);
    let selector = expr.plain_selector().expect(text);
    let equal = |op: &MatchOp| matches!(op, MatchOp::Equal);
    assert!(selector.matchers.iter().all(|matcher| equal(&matcher.op)), "{text}");
    let labels: Vec<(&str, &str)> =
        selector.matchers.iter().map(|matcher| (matcher.label.as_str(), matcher.value.as_str())).collect();
    SeriesKey::new(selector.name.as_ref().map_or("", |name| name.as_str()), &labels)
}

/// Splits a line after the key with which it begins.
fn keyed(line: &str) -> (SeriesKey, &str) {
    let labelled = line.split(' ').next().is_some_and(|word| word.contains('{'));
    let end = if labelled { line.find('}').map(|at| at + 1) } else { line.find(' ') };
    let (written, rest) = line.split_at(end.expect(line));
    (key(written), rest.trim())
}

/// One place in a series.
enum Place {
    Gap,
    Stale,
    Value(f64),
}

/// The values of a series.
fn values(text: &str) -> Vec<Place> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        match (word, word.split_once('x')) {
            ("_", _) => out.push(Place::Gap),
            ("stale", _) => out.push(Place::Stale),
            (_, Some((value, times))) => {
                let (start, step) = value.split_once('+').unwrap_or((value, "0"));
                let times: u32 = times.parse().expect(word);
                out.extend((0..=times).map(|at| Place::Value(number(start) + number(step) * f64::from(at))));
            }
            _ => out.push(Place::Value(number(word))),
        }
    }
    out
}

/// Reads a script.
pub(crate) fn read(name: &str, text: &str) -> Vec<Case> {
    let mut table = Table::new();
    let mut shared = Arc::new(Table::new());
    let mut step = 0;
    let mut cases: Vec<Case> = Vec::new();
    let mut loading = false;
    for (at, line) in text.lines().enumerate() {
        let (indented, line) = (line.starts_with("  "), line.strip_prefix("  ").unwrap_or(line));
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (indented, word) {
            (_, "" | "#") => {}
            (false, "load") => (loading, step) = (true, span(rest)),
            (false, "at" | "range") => {
                if loading {
                    (loading, shared) = (false, Arc::new(table.clone()));
                }
                let mut words = rest.splitn(if word == "at" { 2 } else { 4 }, ' ');
                let mut next = || words.next().expect(line);
                let time = match word {
                    "at" => Time::At(span(next())),
                    _ => Time::Range(span(next()), span(next()), span(next())),
                };
                let query = next().to_owned();
                let expected = Expected::Rows { ordered: false, rows: Vec::new() };
                let name = format!("{name}.txt:{} {query}", at + 1);
                let table = Arc::clone(&shared);
                cases.push(Case { name, table, time, query, expected, warnings: Vec::new(), infos: Vec::new() });
            }
            (true, _) if loading => {
                let (key, points) = keyed(line);
                for (index, value) in values(points).into_iter().enumerate() {
                    let time = step * Millis::try_from(index).expect("few");
                    match value {
                        Place::Value(value) => table.push(&key, time, value),
                        Place::Stale => table.push_stale(&key, time),
                        Place::Gap => {}
                    }
                }
            }
            (true, _) => cases.last_mut().expect("a question before its answer").expect(line),
            (false, _) => panic!("{name}.txt:{}: {line}", at + 1),
        }
    }
    cases
}

impl Case {
    /// One line of the answer.
    fn expect(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (word, &mut self.expected) {
            ("empty", _) => {}
            ("scalar", expected) => *expected = Expected::Scalar(number(rest)),
            ("text", expected) => *expected = Expected::Text(rest.to_owned()),
            ("error", expected) => *expected = Expected::Error(rest.to_owned()),
            ("refused", expected) => {
                let (place, words) = rest.split_once(' ').expect(line);
                let (row, column) = place.split_once(':').expect(line);
                let [line, column] = [row, column].map(|number| number.parse().expect(place));
                *expected = Expected::Refused { line, column, words: words.to_owned() };
            }
            ("warn", _) => self.warnings.push(rest.to_owned()),
            ("info", _) => self.infos.push(rest.to_owned()),
            ("ordered", Expected::Rows { ordered, .. }) => *ordered = true,
            (_, Expected::Rows { rows, .. }) => {
                let (key, rest) = keyed(line);
                let (start, step) = match self.time {
                    Time::At(at) => (at, 0),
                    Time::Range(start, _, step) => (start, step),
                };
                let value = |(index, word): (usize, &str)| match word.split_once('@') {
                    Some((value, at)) => Some((span(at), number(value))),
                    None if word == "_" => None,
                    None => Some((start + step * Millis::try_from(index).expect("few"), number(word))),
                };
                rows.push((key, rest.split_whitespace().enumerate().filter_map(value).collect()));
            }
            _ => panic!("{}: {line}", self.name),
        }
    }

    /// How the answer differs from what is expected.
    pub(crate) fn differs(&self) -> Option<String> {
        let differs = |what: String| Some(format!("{}\n    {what}", self.name));
        let expr = match (Expr::parse(&self.query), &self.expected) {
            (Ok(_), Expected::Refused { .. }) => return differs("is not refused".to_owned()),
            (Ok(expr), _) => expr,
            (Err(fault), Expected::Refused { line, column, words }) => {
                let place = fault.at.as_ref().map_or((0, 0), |place| (place.line, place.column));
                let fits = place == (*line, *column) && fault.to_string().contains(words.as_str());
                return if fits { None } else { differs(format!("{place:?} {fault}")) };
            }
            (Err(fault), _) => return differs(fault.to_string()),
        };
        let mut evaluator = Evaluator::new(Semantics::Prometheus);
        let answer = match self.time {
            Time::At(at) => evaluator.instant(&expr, &*self.table, at),
            Time::Range(start, end, step) => {
                let step = Duration::from_millis(step.unsigned_abs());
                evaluator.range(&expr, &*self.table, (start, end), step)
            }
        };
        let answer = match (answer, &self.expected) {
            (Ok(answer), Expected::Error(_)) => return differs(format!("is no error: {answer:?}")),
            (Ok(answer), _) => answer,
            (Err(fault), Expected::Error(words)) if fault.to_string().contains(words.as_str()) => return None,
            (Err(fault), _) => return differs(fault.to_string()),
        };
        for (wanted, said) in [(&self.warnings, &answer.warnings), (&self.infos, &answer.infos)] {
            let fits = |(wanted, said): (&String, &watchkeeper::base::Clean)| said.as_str().contains(wanted.as_str());
            if wanted.len() != said.len() || !wanted.iter().zip(said).all(fits) {
                return differs(format!("said {said:?}"));
            }
        }
        let fits = match (&self.expected, &answer.value) {
            (Expected::Scalar(wanted), Value::Scalar(got)) => same(*wanted, *got),
            (Expected::Text(wanted), Value::Text(got)) => wanted == got.as_str(),
            (Expected::Rows { ordered, rows }, got) => same_rows(*ordered, rows, &flat(got)),
            _ => false,
        };
        if fits { None } else { differs(format!("{:?}", answer.value)) }
    }
}

/// Equal to 1e-12 relative; NaN is equal to itself.
pub(crate) fn same(a: f64, b: f64) -> bool {
    a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

type Rows = Vec<(SeriesKey, Vec<(Millis, f64)>)>;

/// Vectors and matrices alike; the time of a vector's row is left out.
pub(crate) fn flat(value: &Value) -> Rows {
    match value {
        Value::Vector(rows) => rows.iter().map(|row| (row.key.clone(), vec![(Millis::MIN, row.value)])).collect(),
        Value::Matrix(tracks) => tracks.iter().map(|track| (track.key.clone(), track.points.clone())).collect(),
        Value::Scalar(value) => vec![(SeriesKey::new("", &[]), vec![(Millis::MIN, *value)])],
        Value::Text(_) => Vec::new(),
    }
}

fn same_rows(ordered: bool, wanted: &Rows, got: &Rows) -> bool {
    let (mut wanted, mut got) = (wanted.clone(), got.clone());
    if !ordered {
        wanted.sort_by(|a, b| a.0.cmp(&b.0));
        got.sort_by(|a, b| a.0.cmp(&b.0));
    }
    let same_point = |(a, b): (&(Millis, f64), &(Millis, f64))| (a.0 == b.0 || b.0 == Millis::MIN) && same(a.1, b.1);
    wanted.len() == got.len()
        && wanted.iter().zip(&got).all(|(wanted, got)| {
            wanted.0 == got.0 && wanted.1.len() == got.1.len() && wanted.1.iter().zip(&got.1).all(same_point)
        })
}
