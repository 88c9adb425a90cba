//! Answers questions in PromQL on standard input, one line of JSON for each line of JSON: the protocol of a case runner
//! that compares the answers with those of a Prometheus server. Points are loaded by the same way; look-back and
//! windows are exactly Prometheus'.

use serde_json::{Map, Value as Json, json};
use std::io::{BufRead, Write};
use watchkeeper::base::{Clean, Fault, SeriesKey};
use watchkeeper::rules::expr::{Answer, Evaluator, Expr, Semantics, Table, Value};

/// Prometheus' stale marker, as the runner writes it.
const STALE: &str = "StaleNaN";

fn main() -> std::io::Result<()> {
    let mut session = Session::default();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = session
            .answer(&line?)
            .unwrap_or_else(|(kind, fault)| json!({"status": "error", "errorType": kind, "error": fault.to_string()}));
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

struct Session {
    table: Table,
    evaluator: Evaluator,
}

impl Default for Session {
    fn default() -> Self {
        Self { table: Table::new(), evaluator: Evaluator::new(Semantics::Prometheus) }
    }
}

type Failure = (&'static str, Fault);

impl Session {
    fn answer(&mut self, line: &str) -> Result<Json, Failure> {
        let bad = |what: String| ("bad_data", Fault::new(what));
        let asked: Json = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        let number = |name: &str| field(&asked, name).as_i64().unwrap_or_default();
        match field(&asked, "op").as_str() {
            Some("reset") => *self = Self::default(),
            Some("load") => {
                for series in field(&asked, "series").as_array().into_iter().flatten() {
                    self.load(series);
                }
            }
            Some(op @ ("query" | "query_range")) => {
                let expr = Expr::parse(field(&asked, "query").as_str().unwrap_or_default()).map_err(|fault| {
                    let kind =
                        if fault.to_string().contains("is not understood here") { "unsupported" } else { "bad_data" };
                    (kind, fault)
                })?;
                let answer = if op == "query" {
                    self.evaluator.instant(&expr, &self.table, number("time"))
                } else {
                    let step = u64::try_from(number("step")).unwrap_or_default();
                    let span = (number("start"), number("end"));
                    self.evaluator.range(&expr, &self.table, span, core::time::Duration::from_millis(step))
                };
                return answer.map(|answer| written(&answer, number("time"))).map_err(|fault| ("execution", fault));
            }
            op => return Err(bad(format!("the operation {op:?} is not known."))),
        }
        Ok(json!({"status": "success"}))
    }

    fn load(&mut self, series: &Json) {
        let empty = Map::new();
        let labels = field(series, "labels").as_object().unwrap_or(&empty);
        let pairs: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        let rest: Vec<(&str, &str)> = pairs.iter().copied().filter(|(name, _)| *name != "__name__").collect();
        let name = pairs.iter().find(|(name, _)| *name == "__name__").map_or("", |(_, value)| value);
        let key = SeriesKey::new(name, &rest);
        for sample in field(series, "samples").as_array().into_iter().flatten() {
            let part = |at: usize| sample.get(at).unwrap_or(&Json::Null);
            let at = part(0).as_i64().unwrap_or_default();
            match text(part(1)) {
                STALE => self.table.push_stale(&key, at),
                value => self.table.push(&key, at, value.parse().unwrap_or(f64::NAN)),
            }
        }
    }
}

fn field<'a>(of: &'a Json, name: &str) -> &'a Json {
    of.get(name).unwrap_or(&Json::Null)
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

/// A number as Prometheus' API writes it.
fn number(value: f64) -> String {
    if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

fn metric(key: &SeriesKey) -> Json {
    let name = (!key.name.as_str().is_empty()).then(|| ("__name__".to_owned(), Json::from(key.name.as_str())));
    let labels = key.labels.iter().map(|(name, value)| (name.as_str().to_owned(), Json::from(value.as_str())));
    Json::Object(name.into_iter().chain(labels).collect())
}

fn written(answer: &Answer, at: i64) -> Json {
    let (kind, result) = match &answer.value {
        Value::Scalar(value) => ("scalar", json!([at, number(*value)])),
        Value::Text(text) => ("string", json!([at, text.as_str()])),
        Value::Vector(rows) => {
            let row = |row: &watchkeeper::rules::expr::Row| json!({"metric": metric(&row.key), "value": [at, number(row.value)]});
            ("vector", rows.iter().map(row).collect())
        }
        Value::Matrix(tracks) => {
            let point = |(at, value): &(i64, f64)| json!([at, number(*value)]);
            let track = |track: &watchkeeper::rules::expr::Track| json!({"metric": metric(&track.key), "values": track.points.iter().map(point).collect::<Json>()});
            ("matrix", tracks.iter().map(track).collect())
        }
    };
    let said = |notes: &[Clean]| notes.iter().map(|note| Json::from(note.as_str())).collect::<Json>();
    json!({
        "status": "success",
        "data": {"resultType": kind, "result": result},
        "warnings": said(&answer.warnings),
        "infos": said(&answer.infos),
    })
}
