//! The answer in the shape of Prometheus' HTTP query API, number by number as its server writes them.
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>

use crate::base::{Clean, Fault, SeriesKey};
use crate::rules::expr::{Answer, Millis, Value};
use serde_json::{Map, Number, Value as Json, json};

/// A value as text: shortest digits that read back, an exponent below 1e-6 and from 1e21, `NaN`, `+Inf`, `-Inf`.
pub fn number(value: f64) -> String {
    match value {
        _ if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        _ if value != 0.0 && !(1e-6..1e21).contains(&value.abs()) => {
            let text = format!("{value:e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, size) = exponent.strip_prefix('-').map_or(('+', exponent), |size| ('-', size));
            format!("{digits}e{sign}{size:0>2}")
        }
        _ => value.to_string(),
    }
}

fn seconds(at: Millis) -> Json {
    if at % 1_000 == 0 {
        return Json::from(at / 1_000);
    }
    Number::from_f64(at as f64 / 1e3).map_or(Json::Null, Json::Number)
}

fn sample(at: Millis, text: &str) -> Json {
    json!([seconds(at), text])
}

fn metric(key: &SeriesKey) -> Json {
    let mut pairs: Vec<(&str, &str)> = key.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if !key.name.as_str().is_empty() {
        pairs.push(("__name__", key.name.as_str()));
    }
    pairs.sort_unstable();
    Json::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), Json::from(value))).collect())
}

/// A success; `at` is the moment that was asked for.
pub fn success(answer: &Answer, at: Millis) -> Json {
    let (kind, result) = match &answer.value {
        Value::Scalar(value) => ("scalar", sample(at, &number(*value))),
        Value::Text(text) => ("string", sample(at, text.as_str())),
        Value::Vector(rows) => {
            let row = |row: &crate::rules::expr::Row| json!({ "metric": metric(&row.key), "value": sample(at, &number(row.value)) });
            ("vector", rows.iter().map(row).collect())
        }
        Value::Matrix(tracks) => {
            let track = |track: &crate::rules::expr::Track| {
                let values: Vec<Json> = track.points.iter().map(|(at, value)| sample(*at, &number(*value))).collect();
                json!({ "metric": metric(&track.key), "values": values })
            };
            ("matrix", tracks.iter().map(track).collect::<Json>())
        }
    };
    let mut all = Map::new();
    all.insert("status".to_owned(), Json::from("success"));
    all.insert("data".to_owned(), json!({ "resultType": kind, "result": result }));
    for (name, notes) in [("warnings", &answer.warnings), ("infos", &answer.infos)] {
        if !notes.is_empty() {
            all.insert(name.to_owned(), notes.iter().map(Clean::as_str).collect());
        }
    }
    Json::Object(all)
}

/// Why there is no answer: `bad_data` for what was asked, `execution` for what came of it.
pub fn error(kind: &str, fault: &Fault) -> Json {
    json!({ "status": "error", "errorType": kind, "error": fault.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expr::{Row, Track};

    fn answer(value: Value) -> Answer {
        Answer { value, warnings: Vec::new(), infos: Vec::new(), coverage: None }
    }

    #[test]
    fn numbers_are_written_as_the_server_writes_them() {
        for (value, text) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-07"),
            (1e21, "1e+21"),
            (-2.5e300, "-2.5e+300"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn each_type_has_the_shape_of_the_api() {
        let key = SeriesKey::new("up", &[("job", "a"), ("Zone", "1")]);
        let rows = vec![Row { key: key.clone(), value: 1.0 }];
        let text = success(&answer(Value::Vector(rows)), 1_500).to_string();
        let wanted = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"Zone":"1","__name__":"up","job":"a"},"value":[1.5,"1"]}]}}"#;
        assert_eq!(text, wanted);
        let tracks = vec![Track { key, points: vec![(1_000, f64::NAN), (2_000, 2.0)] }];
        let text = success(&answer(Value::Matrix(tracks)), 0).to_string();
        assert!(text.ends_with(r#""values":[[1,"NaN"],[2,"2"]]}]}}"#), "{text}");
        let scalar = success(&answer(Value::Scalar(7.5)), 61_000).to_string();
        assert!(scalar.contains(r#""resultType":"scalar","result":[61,"7.5"]"#), "{scalar}");
        let string = success(&answer(Value::Text("a\"b".into())), 0).to_string();
        assert!(string.contains(r#""resultType":"string","result":[0,"a\"b"]"#), "{string}");
    }

    #[test]
    fn a_refusal_says_where_as_the_server_does() {
        let json = error("bad_data", &Fault::new("a value is missing.").at("", 1, 6));
        assert_eq!(json["error"], "1:6: a value is missing.");
    }

    #[test]
    fn notes_stand_beside_the_data_only_when_there_are_some() {
        let mut noted = answer(Value::Vector(Vec::new()));
        noted.infos.push("metric might not be a counter".into());
        let json = success(&noted, 0);
        assert_eq!(json["infos"], json!(["metric might not be a counter"]));
        assert_eq!(json.get("warnings"), None);
    }
}
