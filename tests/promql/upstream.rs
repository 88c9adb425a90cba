//! Prometheus' own test scripts as data (`upstream/README.md`), asked of `examples/promql_stdio` line by line.

use crate::example::example;
use crate::running::Running;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

/// Values agree to this share of their sum, as the scripts' own runner compares.
const SHARE: f64 = 1e-6;
/// Of a thousand cases so many agree.
const LEAST: usize = 995;

struct Adapter {
    _child: Running,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Adapter {
    fn start() -> Self {
        let mut child = Running::start(&mut Command::new(example("promql_stdio")), Stdio::piped(), Stdio::piped());
        let (input, output) = (child.0.stdin.take().expect("a pipe"), child.0.stdout.take().expect("a pipe"));
        Self { _child: child, input, output: BufReader::new(output) }
    }

    fn ask(&mut self, question: &Json) -> Json {
        writeln!(self.input, "{question}").expect("the example reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the example answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} to {question}"))
    }
}

#[test]
fn the_cases_of_prometheus_agree() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promql/upstream");
    let file = std::env::var_os("PROMQL_CASES").map_or_else(|| folder.join("cases.ndjson"), PathBuf::from);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut adapter = Adapter::start();
    let (mut cases, mut wrong) = (0, Vec::new());
    for line in text.lines() {
        let case: Json = serde_json::from_str(line).expect("a case");
        if case["op"] != "eval" {
            adapter.ask(&case);
            continue;
        }
        cases += 1;
        let answer = adapter.ask(&question(&case));
        if let Some(why) = judged(&case, &answer) {
            wrong.push(format!("{}  {}\n    {why}", case["id"], case["query"]));
        }
    }
    println!("promql cases: {} of {cases} agree", cases - wrong.len());
    for case in &wrong {
        println!("{case}");
    }
    assert!(cases > 0 && (cases - wrong.len()) * 1_000 >= LEAST * cases, "{} of {cases} cases disagree", wrong.len());
}

fn question(case: &Json) -> Json {
    if case["kind"] == "instant" {
        return json!({"op": "query", "query": case["query"], "time": case["time"]});
    }
    json!({"op": "query_range", "query": case["query"], "start": case["start"], "end": case["end"], "step": case["step"]})
}

/// Why an answer is not the one wanted.
fn judged(case: &Json, answer: &Json) -> Option<String> {
    let failed = answer["status"] == "error";
    if truth(&case["fail"]) {
        return (!failed).then(|| "must be refused".to_owned());
    }
    if failed {
        return Some(answer["error"].to_string());
    }
    let (kind, got) = (answer["data"]["resultType"].as_str().unwrap_or_default(), &answer["data"]["result"]);
    let said = || format!("got {kind} {got}");
    if let Some(text) = case["string"].as_str() {
        return (kind != "string" || got[1] != text).then(|| format!("want the string {text:?}, {}", said()));
    }
    if case["kind"] == "instant" && !truth(&case["rv"]) {
        if !case["scalar"].is_null() {
            let good = kind == "scalar" && same(number(&case["scalar"]), number(&got[1]));
            return (!good).then(|| format!("want the scalar {}, {}", case["scalar"], said()));
        }
        return if kind == "vector" { vector(case, got) } else { Some(format!("want a vector, {}", said())) };
    }
    if kind == "matrix" { matrix(case, got) } else { Some(format!("want a matrix, {}", said())) }
}

fn vector(case: &Json, got: &Json) -> Option<String> {
    let rows = list(&case["series"]).iter();
    let want: BTreeMap<Labels, (usize, f64)> =
        rows.enumerate().map(|(place, row)| (labels(&row[0]), (place, number(&row[1][0])))).collect();
    let mut seen = BTreeSet::new();
    for (place, row) in list(got).iter().enumerate() {
        let key = labels(&row["metric"]);
        let Some((wanted, value)) = want.get(&key) else { return Some(format!("unexpected {key:?}")) };
        if !seen.insert(key.clone()) {
            return Some(format!("twice {key:?}"));
        }
        if truth(&case["ordered"]) && *wanted != place {
            return Some(format!("{key:?} stands at {place}, want {wanted}"));
        }
        if !same(*value, number(&row["value"][1])) {
            return Some(format!("{key:?}: want {value}, got {}", row["value"][1]));
        }
    }
    want.keys().find(|key| !seen.contains(*key)).map(|key| format!("missing {key:?}"))
}

fn matrix(case: &Json, got: &Json) -> Option<String> {
    let whole = |value: &Json| value.as_i64().expect("whole milliseconds");
    let times = list(&case["rv"]).iter().map(whole).collect::<Vec<_>>();
    let (start, end, step) = match times[..] {
        [start, end, step] => (start, end, step),
        _ => (whole(&case["start"]), whole(&case["end"]), whole(&case["step"])),
    };
    let mut want: BTreeMap<Labels, BTreeMap<i64, f64>> = BTreeMap::new();
    for row in list(&case["series"]) {
        let values = list(&row[1]).iter().zip(0_i64..).filter(|(value, _)| !value.is_null());
        want.insert(labels(&row[0]), values.map(|(value, place)| (start + place * step, number(value))).collect());
    }
    if !case["scalar"].is_null() {
        let stride = usize::try_from(step.max(1)).expect("forward");
        want.insert(Labels::new(), (start..=end).step_by(stride).map(|at| (at, number(&case["scalar"]))).collect());
    }
    let mut seen = BTreeSet::new();
    for row in list(got) {
        let key = labels(&row["metric"]);
        let Some(wanted) = want.get(&key) else { return Some(format!("unexpected {key:?}")) };
        if !seen.insert(key.clone()) {
            return Some(format!("twice {key:?}"));
        }
        let points: BTreeMap<i64, f64> =
            list(&row["values"]).iter().map(|pair| (whole(&pair[0]), number(&pair[1]))).collect();
        if !points.keys().eq(wanted.keys()) {
            return Some(format!("{key:?}: points at {:?}, want {:?}", points.keys(), wanted.keys()));
        }
        if let Some((at, value)) = wanted.iter().find(|(at, value)| !same(**value, points[at])) {
            return Some(format!("{key:?} at {at}: want {value}, got {}", points[at]));
        }
    }
    let missing = want.iter().find(|(key, points)| !seen.contains(*key) && !points.is_empty());
    missing.map(|(key, _)| format!("missing {key:?}"))
}

type Labels = BTreeMap<String, String>;

/// A label without a value is none.
fn labels(of: &Json) -> Labels {
    let none = Map::new();
    let pairs = of.as_object().unwrap_or(&none).iter();
    let text = |value: &Json| value.as_str().expect("a text").to_owned();
    pairs.map(|(name, value)| (name.clone(), text(value))).filter(|(_, value)| !value.is_empty()).collect()
}

fn list(of: &Json) -> &[Json] {
    of.as_array().map_or(&[], Vec::as_slice)
}

fn truth(of: &Json) -> bool {
    !matches!(of, Json::Null | Json::Bool(false))
}

fn number(of: &Json) -> f64 {
    let text = of.as_str().map_or_else(|| of.to_string(), str::to_owned);
    if text == "StaleNaN" { f64::NAN } else { text.parse().unwrap_or_else(|_| panic!("{text} is no number")) }
}

fn same(want: f64, got: f64) -> bool {
    want == got
        || (want.is_nan() && got.is_nan())
        || (want.is_finite()
            && got.is_finite()
            && want != 0.0
            && got != 0.0
            && (want - got).abs() / (want.abs() + got.abs()) < SHARE)
}
