//! `http`: asks one URL. Names as the blackbox exporter gives them: status, durations, values by JSON pointer.
//! ```toml
//! [samplers.health]
//! kind = "http"
//! url  = "http://127.0.0.1:8080/health"
//! json = [{ pointer = "/status", fact = "status" }, { pointer = "/loss", metric = "training_loss" }]
//! ```
//! A 2xx answer is good; anything else is FAILED with its status. Secrets do not belong into the URL.

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point};
use crate::clean;
use crate::samplers::fetch::{Answer, Fetcher};
use crate::samplers::{Kind, Observed, Sampler, json};
use core::time::Duration;
use serde::Deserialize;
use serde_json::Value;

/// The kind.
pub struct Http;

impl Kind for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn about(&self) -> &'static str {
        "asks a URL: status, latency, values of its JSON answer"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let config: Config = body.read()?;
        let fetcher = Fetcher::new(body, &config.url)?;
        let json = config.json.into_iter().map(|row| row.check(body)).collect::<Result<_, _>>()?;
        Ok(Box::new(HttpSampler { fetcher, json }))
    }

    fn gives(&self, body: &Body) -> Vec<String> {
        let rows = body.read::<Config>().map(|config| config.json).unwrap_or_default();
        rows.into_iter().filter_map(|row| row.metric).chain(["probe_".to_owned()]).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    #[serde(default)]
    json: Vec<Row>,
}

/// One value of the JSON answer, as the profile writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// RFC 6901.
    pointer: String,
    fact: Option<String>,
    metric: Option<String>,
}

/// One value of the JSON answer.
#[derive(Debug)]
struct Pick {
    pointer: String,
    wanted: Wanted,
}

#[derive(Debug)]
enum Wanted {
    Fact(Clean),
    Metric(String),
}

impl Row {
    fn check(self, body: &Body) -> Result<Pick, Fault> {
        let pointer = self.pointer;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            let what = format!("the JSON pointer `{}` does not begin with `/`.", Clean::text(&pointer));
            return Err(body.fault_at("json", what).hint("For example /queue/depth."));
        }
        let wanted = match (self.fact, self.metric) {
            (Some(fact), None) => Wanted::Fact(Clean::text(fact)),
            (None, Some(metric)) if is_metric_name(&metric) => Wanted::Metric(metric),
            (None, Some(metric)) => {
                let what = format!("`{}` is no metric name.", Clean::text(metric));
                return Err(body.fault_at("json", what).hint("Letters, digits, `_` and `:`; no digit first."));
            }
            _ => {
                let what = format!("the row for `{}` needs either `fact` or `metric`.", Clean::text(&pointer));
                return Err(body.fault_at("json", what));
            }
        };
        Ok(Pick { pointer, wanted })
    }
}

fn is_metric_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
}

struct HttpSampler {
    fetcher: Fetcher,
    json: Vec<Pick>,
}

impl Sampler for HttpSampler {
    fn observe(&mut self, _: Now) -> Observed<'_> {
        Box::pin(async {
            let accept = if self.json.is_empty() { "*/*" } else { "application/json" };
            let answer = self.fetcher.get(accept).await?;
            self.observation(&answer)
        })
    }
}

impl HttpSampler {
    fn observation(&self, answer: &Answer) -> Result<Observation, Failure> {
        let place = self.fetcher.place().as_str();
        let gauge = |name: &str, value| Point::gauge(name, &[("instance", place)], value);
        let phase = |phase, took: Duration| {
            let labels = [("instance", place), ("phase", phase)];
            Point::gauge("probe_http_duration_seconds", &labels, took.as_secs_f64())
        };
        let mut seen = Observation {
            points: vec![
                gauge("probe_success", 1.0),
                gauge("probe_http_status_code", f64::from(answer.status.as_u16())),
                gauge("probe_duration_seconds", (answer.first_byte + answer.rest).as_secs_f64()),
                phase("first_byte", answer.first_byte),
                phase("body", answer.rest),
            ],
            ..Observation::default()
        };
        if self.fetcher.address_is_old() {
            seen.facts.push((Clean::from("address"), Clean::from("last known: the name service does not answer")));
        }
        if !self.json.is_empty() {
            let value = json::parse(&answer.body).map_err(|what| self.fetcher.answered(format!("is {what}")))?;
            for pick in &self.json {
                self.pick(pick, &value, &mut seen);
            }
        }
        Ok(seen)
    }

    fn pick(&self, pick: &Pick, value: &Value, seen: &mut Observation) {
        let found = value.pointer(&pick.pointer);
        match &pick.wanted {
            Wanted::Fact(name) => {
                if let Some(text) = found.and_then(text) {
                    seen.facts.push((name.clone(), text));
                }
            }
            Wanted::Metric(name) => match found.and_then(number) {
                Some(value) => {
                    seen.points.push(Point::gauge(name, &[("instance", self.fetcher.place().as_str())], value));
                }
                None => {
                    let why = clean!("{} has no number at {}", self.fetcher.place(), pick.pointer);
                    seen.not_supported.push((Clean::text(name), why));
                }
            },
        }
    }
}

/// A number; true counts as 1, false as 0.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(on) => Some(f64::from(u8::from(*on))),
        Value::Number(number) => number.as_f64().filter(|number| number.is_finite()),
        _ => None,
    }
}

fn text(value: &Value) -> Option<Clean> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::String(text) => Some(Clean::text(text)),
        other => Some(clean!("{other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;

    const CONFIG: &str = r#"
url = "http://127.0.0.1:8080/status"
json = [{ pointer = "/status", fact = "status" }, { pointer = "/loss", metric = "training_loss" }]
"#;

    fn sampler(config: &str) -> Result<HttpSampler, String> {
        let body = Body::parse("p.toml", config).expect("parses");
        let read = |body: &Body| {
            let config: Config = body.read()?;
            let fetcher = Fetcher::new(body, &config.url)?;
            let json = config.json.into_iter().map(|row| row.check(body)).collect::<Result<_, _>>()?;
            Ok(HttpSampler { fetcher, json })
        };
        read(&body).map_err(|fault: Fault| fault.to_string())
    }

    fn answer(body: &str) -> Answer {
        Answer {
            status: StatusCode::OK,
            content_type: String::new(),
            body: body.into(),
            first_byte: Duration::from_millis(3),
            rest: Duration::from_millis(1),
        }
    }

    #[test]
    fn pointers_become_facts_and_metrics() {
        let sampler = sampler(CONFIG).expect("valid");
        let seen = sampler.observation(&answer(r#"{"status": "healthy\u001b[2J", "loss": 0.25}"#)).expect("good");
        assert_eq!(seen.facts, [(Clean::from("status"), Clean::from("healthy␛[2J"))]);
        let loss = seen.points.iter().find(|point| point.key.name.as_str() == "training_loss").map(|point| point.value);
        assert_eq!(loss, Some(0.25));
    }

    #[test]
    fn an_absent_number_is_not_zero() {
        let sampler = sampler(CONFIG).expect("valid");
        for body in ["{}", r#"{"loss": null}"#, r#"{"loss": "high"}"#] {
            let seen = sampler.observation(&answer(body)).expect("good");
            assert!(seen.points.iter().all(|point| point.key.name.as_str() != "training_loss"), "{body}");
            let why = seen.not_supported.first().map(|(_, why)| why.as_str());
            assert_eq!(why, Some("127.0.0.1:8080/status has no number at /loss"), "{body}");
        }
    }

    #[test]
    fn a_body_that_is_not_json_is_a_bad_answer() {
        let failure = sampler(CONFIG).expect("valid").observation(&answer("<html>")).expect_err("no JSON");
        let what = "127.0.0.1:8080/status is not JSON (expected value at line 1 column 1).";
        assert_eq!((failure.what.as_str(), failure.answered), (what, true));
    }

    #[test]
    fn a_bad_configuration_says_where_and_what() {
        for (config, fault) in [
            ("urk = 1", "p.toml:1:1: unknown key `urk`. Did you mean `url`?"),
            (
                "url = \"http://x/\"\njson = [{ pointer = \"loss\", metric = \"m\" }]",
                "p.toml:2:8: the JSON pointer `loss` does not begin with `/`. For example /queue/depth.",
            ),
            (
                "url = \"http://x/\"\njson = [{ pointer = \"/loss\" }]",
                "p.toml:2:8: the row for `/loss` needs either `fact` or `metric`.",
            ),
            (
                "url = \"http://x/\"\njson = [{ pointer = \"/loss\", metric = \"2x\" }]",
                "p.toml:2:8: `2x` is no metric name. Letters, digits, `_` and `:`; no digit first.",
            ),
        ] {
            assert_eq!(sampler(config).err().as_deref(), Some(fault));
        }
    }
}
