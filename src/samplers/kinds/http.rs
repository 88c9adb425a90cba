//! `http`: asks one URL. Names as the blackbox exporter gives them, each with the label `instance` (host, port, path).
//! ```toml
//! [samplers.health]
//! kind = "http"
//! url  = "https://127.0.0.1:8080/health"
//! json = [{ pointer = "/status", fact = "status", one_of = ["healthy", "ok"] },
//!         { pointer = "/loss", metric = "training_loss" },
//!         { pointer = "/api_key", metric = "key_present", present = true, not = ["changeme"] }]   # 0 or 1; value not shown
//! # { pointer = "/spikes", metric = "spike_count", label = "layer" }: of an object each number, its name as the label
//! fields = true                    # every field at the top of a JSON answer is a fact; the default
//! status = [200, 204]              # the statuses that are good; every 2xx when absent
//! body_contains = "ready"          # else FAILED
//! body_matches  = "^(up|idle)"     # a regular expression over the first 256 KiB of the body
//! method = "POST"                  # GET, HEAD or POST; GET is the default
//! body   = '{"probe": true}'       # with POST
//! follow = false                   # up to 3 redirects on the same host and port are followed by default
//! fresh  = true                    # a connection for each sample; by default one is kept for a minute
//! bearer = { file = "/run/app/key" }                         # or { env = "NAME" }; read anew after a 401
//! basic  = { user = "watch", password = { env = "PASSWORD" } }   # instead of `bearer`
//! headers = { X-Api-Key = { file = "/etc/app/key" } }
//! ca = "/etc/app/ca.pem"           # instead of the system's authorities
//! server_name = "app.internal"     # the name in the certificate and the Host header, where `url` has an address
//! cert = "/etc/app/client.pem"     # with `key`: as whom we come
//! key  = "/etc/app/client.key"
//! insecure = true                  # certificates are looked at, not refused; said as a fact
//! ```
//! Any answer, and none, gives `probe_success`, `probe_http_status_code` (0 without one), `probe_duration_seconds`,
//! `probe_http_redirects`, `probe_http_ssl`, `probe_http_duration_seconds{phase=…}` of the phases it came to,
//! `probe_dns_lookup_time_seconds`, `probe_ssl_earliest_cert_expiry` (seconds since 1970, of the certificates shown),
//! `watchkeeper_http_timeouts_total`; a good one also `probe_http_version`, `probe_ip_protocol` (4 or 6),
//! `probe_http_content_length` (bytes, where the header has it), `probe_http_uncompressed_body_length`. The phases are `resolve`, `connect`, `tls`, `processing`, `transfer`; together
//! they are the duration. A kept connection has no first three, and they are absent then. A bad answer is FAILED with
//! its status; after 429 the source is left alone as long as `Retry-After` says, else a minute, at most an hour.
//! Secrets do not belong into the URL.

use crate::base::{Body, Clean, Failure, Fault, Now, Observation, Point};
use crate::clean;
use crate::samplers::http::access::Access;
use crate::samplers::http::fetch::{Answer, Ask, Fetcher};
use crate::samplers::http::phases::Marks;
use crate::samplers::pick::{self, Pick, Row};
use crate::samplers::{Kind, Observed, Sampler, http::tls, json};
use core::time::Duration;
use regex::bytes::{Regex, RegexBuilder};
use reqwest::{Method, StatusCode, Version};
use serde::Deserialize;

/// The keys of its own.
const KEYS: &[&str] =
    &["url", "json", "fields", "status", "body_contains", "body_matches", "method", "body", "follow", "fresh"];
/// A compiled `body_matches` is not larger, in bytes.
const REGEX: usize = 256 << 10;
/// It looks at so much of a body, in bytes: a slow expression over a large one would hold up every other sampler.
const MATCHED: usize = 256 << 10;

/// The kind.
pub struct Http;

impl Kind for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn about(&self) -> &'static str {
        "asks a URL: status, latency by phase, end of the certificate, values of its JSON answer"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        Ok(Box::new(HttpSampler::new(body)?))
    }

    fn gives(&self, body: &Body) -> Vec<String> {
        let config = Access::take(&mut body.clone()).ok().and_then(|_| Config::read(body).ok());
        let rows = config.map(|(_, config)| config.json).unwrap_or_default();
        let own = ["probe_", "watchkeeper_http_"].map(str::to_owned);
        Pick::metrics(rows).chain(own).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    #[serde(default)]
    json: Vec<Row>,
    #[serde(default = "yes")]
    fields: bool,
    #[serde(default)]
    status: Vec<u16>,
    body_contains: Option<String>,
    body_matches: Option<String>,
    #[serde(default)]
    method: Verb,
    body: Option<String>,
    #[serde(default = "yes")]
    follow: bool,
    #[serde(default)]
    fresh: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    #[default]
    Get,
    Head,
    Post,
}

fn yes() -> bool {
    true
}

impl Config {
    fn read(body: &Body) -> Result<(Access, Self), Fault> {
        let mut rest = body.clone();
        let access = Access::take(&mut rest)?;
        Access::done(&rest, KEYS)?;
        Ok((access, rest.read()?))
    }
}

struct HttpSampler {
    fetcher: Fetcher,
    ask: Ask,
    json: Vec<Pick>,
    fields: bool,
    contains: Option<String>,
    matches: Option<Regex>,
}

impl HttpSampler {
    fn new(body: &Body) -> Result<Self, Fault> {
        let (access, config) = Config::read(body)?;
        let fetcher = Fetcher::new(body, &config.url)?;
        let fetcher = fetcher.access(access).follow(config.follow).fresh(config.fresh);
        if let Some(odd) = config.status.iter().find(|status| !(200..600).contains(*status)) {
            return Err(body.fault_at("status", format!("{odd} is no HTTP status, expected 200 to 599.")));
        }
        if config.body.is_some() && config.method != Verb::Post {
            return Err(body.fault_at("body", "`body` is sent with `method = \"POST\"` only."));
        }
        let looks = config.body_contains.is_some() || config.body_matches.is_some() || !config.json.is_empty();
        if looks && config.method == Verb::Head {
            return Err(body.fault_at("method", "an answer to HEAD has no body to look at."));
        }
        let matches = config.body_matches.map(|text| {
            let regex = RegexBuilder::new(&text).size_limit(REGEX).build();
            regex.map_err(|_| body.fault_at("body_matches", "`body_matches` is no regular expression, or too large."))
        });
        let json = Pick::check(body, "json", config.json)?;
        let method = match config.method {
            Verb::Get => Method::GET,
            Verb::Head => Method::HEAD,
            Verb::Post => Method::POST,
        };
        let ask = Ask { method, accept: "application/json, */*;q=0.5", body: config.body, good: config.status };
        let contains = config.body_contains;
        Ok(Self { fetcher, ask, json, fields: config.fields, contains, matches: matches.transpose()? })
    }

    fn observation(&self, answer: &Answer) -> Result<Observation, Failure> {
        let place = self.fetcher.place();
        let mut seen = Observation { points: self.points(answer), ..Observation::default() };
        if let Some(text) = &self.contains
            && memchr::memmem::find(&answer.body, text.as_bytes()).is_none()
        {
            return Err(self.fetcher.answered("does not contain what `body_contains` asks for"));
        }
        let beginning = answer.body.get(..MATCHED).unwrap_or(&answer.body);
        if self.matches.as_ref().is_some_and(|regex| !regex.is_match(beginning)) {
            return Err(self.fetcher.answered("does not match `body_matches`"));
        }
        let object = answer.content_type.contains("json") || answer.body.trim_ascii_start().starts_with(b"{");
        if !self.json.is_empty() || (self.fields && object && !answer.body.is_empty()) {
            match json::parse(&answer.body) {
                Ok(value) => {
                    let labels = [("instance", place.as_str())];
                    Pick::take(&self.json, &value, place, &labels, &mut seen)
                        .map_err(|what| self.fetcher.answered(what))?;
                    if let Some(object) = value.as_object().filter(|_| self.fields) {
                        pick::fields(object, &self.json, &mut seen);
                    }
                }
                Err(what) if !self.json.is_empty() => return Err(self.fetcher.answered(format!("is {what}"))),
                Err(what) => seen.facts.push((Clean::from("body"), clean!("{what}"))),
            }
        }
        let ends = answer.marks.certificate.as_ref().and_then(|certificate| certificate.ends);
        seen.facts.extend(ends.map(|ends| (Clean::from("certificate ends"), Clean::text(tls::day(ends)))));
        seen.facts.extend(self.fetcher.doubts(answer));
        Ok(seen)
    }

    /// What a good answer measures.
    fn points(&self, answer: &Answer) -> Vec<Point> {
        let version = match answer.version {
            Version::HTTP_10 => 1.0,
            Version::HTTP_2 => 2.0,
            _ => 1.1,
        };
        let peer = answer.peer.map(|peer| if peer.is_ipv4() { 4.0 } else { 6.0 });
        let own = [
            ("probe_http_version", Some(version)),
            ("probe_http_uncompressed_body_length", Some(answer.body.len() as f64)),
            ("probe_http_content_length", answer.length.map(|length| length as f64)),
            ("probe_ip_protocol", peer),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some(self.gauge(name, value?)));
        let phases = [("processing", answer.processing), ("transfer", answer.transfer)];
        let phases = phases.map(|(phase, took)| self.phase(phase, took));
        let mut points = self.always(true, Some(answer.status), &answer.marks, answer.whole);
        points.extend(own.chain(phases));
        points
    }

    /// What every attempt measures. A status that did not come is 0, as the blackbox exporter has it.
    fn always(&self, good: bool, status: Option<StatusCode>, marks: &Marks, whole: Duration) -> Vec<Point> {
        let certificate = marks.certificate.as_ref().and_then(|certificate| certificate.ends);
        let one = |is: bool| f64::from(u8::from(is));
        let own = [
            ("probe_success", Some(one(good))),
            ("probe_http_status_code", Some(status.map_or(0.0, |status| f64::from(status.as_u16())))),
            ("probe_duration_seconds", Some(whole.as_secs_f64())),
            ("probe_http_redirects", Some(f64::from(marks.redirects))),
            ("probe_http_ssl", Some(one(self.fetcher.is_https()))),
            ("probe_dns_lookup_time_seconds", marks.resolve.map(|took| took.as_secs_f64())),
            ("probe_ssl_earliest_cert_expiry", certificate.map(|at| at as f64)),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some(self.gauge(name, value?)));
        let phases = [("resolve", marks.resolve), ("connect", marks.connect), ("tls", marks.tls)];
        let phases = phases.into_iter().filter_map(|(phase, took)| Some(self.phase(phase, took?)));
        let labels = [("instance", self.fetcher.place().as_str())];
        let timeouts = Point::counter("watchkeeper_http_timeouts_total", &labels, f64::from(self.fetcher.timeouts()));
        own.chain(phases).chain([timeouts]).collect()
    }

    fn gauge(&self, name: &str, value: f64) -> Point {
        Point::gauge(name, &[("instance", self.fetcher.place().as_str())], value)
    }

    fn phase(&self, phase: &str, took: Duration) -> Point {
        let labels = [("instance", self.fetcher.place().as_str()), ("phase", phase)];
        Point::gauge("probe_http_duration_seconds", &labels, took.as_secs_f64())
    }

    fn failed(&self) -> Vec<Point> {
        let (status, marks, whole) = self.fetcher.so_far();
        self.always(false, status, &marks, whole)
    }
}

impl Sampler for HttpSampler {
    fn observe(&mut self, _: Now) -> Observed<'_> {
        Box::pin(async {
            // A source that asked for a pause is not asked: nothing is measured.
            let pausing = self.fetcher.is_pausing();
            let seen = match self.fetcher.ask(&self.ask).await {
                Ok(answer) => self.observation(&answer),
                Err(failure) => Err(failure),
            };
            seen.map_err(|failure| if pausing { failure } else { failure.with(self.failed()) })
        })
    }

    fn unheard(&self) -> Vec<Point> {
        self.failed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
url = "http://127.0.0.1:8080/status"
json = [{ pointer = "/status", fact = "status" }, { pointer = "/loss", metric = "training_loss" }]
"#;

    fn sampler(config: &str) -> Result<HttpSampler, String> {
        let body = Body::parse("p.toml", config).expect("parses");
        HttpSampler::new(&body).map_err(|fault| fault.to_string())
    }

    fn answer(body: &str) -> Answer {
        Answer { body: body.into(), ..Answer::default() }
    }

    #[test]
    fn pointers_become_facts_and_metrics_and_every_field_at_the_top_a_fact() {
        let sampler = sampler(CONFIG).expect("valid");
        let body = r#"{"status": "healthy\u001b[2J", "loss": 0.25, "checks": [1, 2], "gone": null, "in": {"a": 1}, "db_password": "hunter2"}"#;
        let seen = sampler.observation(&answer(body)).expect("good");
        let facts: Vec<_> = seen.facts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let expected = [
            ("status", "healthy␛[2J"),
            ("loss", "0.25"),
            ("checks", "a list of 2"),
            ("gone", "null"),
            ("in", "1 fields"),
            ("db_password", "not shown: by its name it is secret"),
        ];
        assert_eq!(facts, expected);
        let loss = seen.points.iter().find(|point| point.key.name.as_str() == "training_loss").map(|point| point.value);
        assert_eq!(loss, Some(0.25));
    }

    #[test]
    fn of_a_field_whose_presence_is_asked_the_value_is_not_shown() {
        let row = "json = [{ pointer = \"/a~1b\", metric = \"there\", present = true, not = [\"x\"] }]";
        let sampler = sampler(&format!("url = \"http://127.0.0.1:8080/status\"\n{row}")).expect("valid");
        for (is, expected) in [("\"mine\"", 1.0), ("\"x\"", 0.0), ("null", 0.0)] {
            let seen = sampler.observation(&answer(&format!("{{\"a/b\": {is}, \"c\": 1}}"))).expect("good");
            let facts: Vec<_> = seen.facts.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(facts, ["c"], "{is}");
            let there = seen.points.iter().find(|point| point.key.name.as_str() == "there").map(|point| point.value);
            assert_eq!(there, Some(expected), "{is}");
        }
        let fact = "url = \"http://h/\"\njson = [{ pointer = \"/a\", fact = \"a\", present = true }]";
        let fault = self::sampler(fact).err().expect("refused");
        assert_eq!(
            fault,
            "p.toml:2:8: the row for `/a` has `present`, which is for a `metric`. It is 1 or 0; the value itself is not shown."
        );
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
    fn what_the_body_should_say_and_does_not_is_a_bad_answer() {
        let place = "url = \"http://127.0.0.1:8080/status\"\n";
        let one_of = "json = [{ pointer = \"/status\", fact = \"status\", one_of = [\"healthy\", \"ok\"] }]";
        let says = "127.0.0.1:8080/status says /status is degraded, expected healthy or ok.";
        for (config, body, what) in [
            (one_of, r#"{"status": "ok"}"#, None),
            (one_of, "{}", None),
            (one_of, r#"{"status": "degraded"}"#, Some(says)),
            (one_of, "<html>", Some("127.0.0.1:8080/status is not JSON (expected value at line 1 column 1).")),
            ("", "<html>", None),
            ("body_contains = \"ready\"", "is ready", None),
            (
                "body_contains = \"ready\"",
                "not yet",
                Some("127.0.0.1:8080/status does not contain what `body_contains` asks for."),
            ),
            ("body_matches = '^(up|idle)$'", "idle", None),
            ("body_matches = '^(up|idle)$'", "idler", Some("127.0.0.1:8080/status does not match `body_matches`.")),
        ] {
            let seen = sampler(&format!("{place}{config}")).expect("valid").observation(&answer(body));
            assert_eq!(seen.err().map(|failure| failure.what.to_string()).as_deref(), what, "{config} {body}");
        }
    }

    #[test]
    fn a_pattern_looks_at_the_first_256_kib_and_is_not_large() {
        let place = "url = \"http://127.0.0.1:8080/status\"\n";
        let ready = sampler(&format!("{place}body_matches = 'ready'")).expect("valid");
        for (before, good) in [(MATCHED - 5, true), (MATCHED - 4, false)] {
            let body = format!("{}ready", " ".repeat(before));
            assert_eq!(ready.observation(&answer(&body)).is_ok(), good, "{before}");
        }
        assert!(sampler(&format!("{place}body_matches = '[ab]{{20000}}'")).is_err());
    }

    #[test]
    fn many_fields_are_counted_not_shown() {
        let body: Vec<String> = (0..50).map(|n| format!("\"f{n}\": {n}")).collect();
        let sampler = sampler("url = \"http://127.0.0.1:8080/status\"").expect("valid");
        let seen = sampler.observation(&answer(&format!("{{{}}}", body.join(",")))).expect("good");
        assert_eq!(seen.facts.len(), 33);
        assert_eq!(seen.facts.last().map(|(_, text)| text.as_str()), Some("18 are not shown"));
    }

    #[test]
    fn a_bad_configuration_says_where_and_what() {
        for (config, fault) in [
            ("urk = 1", "p.toml:1:1: unknown key `urk`. Did you mean `url`?"),
            (
                "json = [{ pointer = \"loss\", metric = \"m\" }]",
                "p.toml:2:8: the JSON pointer `loss` does not begin with `/`. For example /queue/depth.",
            ),
            ("json = [{ pointer = \"/loss\" }]", "p.toml:2:8: the row for `/loss` needs either `fact` or `metric`."),
            (
                "json = [{ pointer = \"/loss\", metric = \"2x\" }]",
                "p.toml:2:8: `2x` is no metric name. Letters, digits, `_` and `:`; no digit first.",
            ),
            (
                "json = [{ pointer = \"/loss\", metric = \"x\", one_of = [\"1\"] }]",
                "p.toml:2:8: the row for `/loss` has `one_of`, which is for a `fact`.",
            ),
            ("status = [100]", "p.toml:2:10: 100 is no HTTP status, expected 200 to 599."),
            ("body = \"x\"", "p.toml:2:8: `body` is sent with `method = \"POST\"` only."),
            ("method = \"HEAD\"\nbody_contains = \"x\"", "p.toml:2:10: an answer to HEAD has no body to look at."),
            ("body_matches = \"(\"", "p.toml:2:16: `body_matches` is no regular expression, or too large."),
            ("method = \"PUT\"", "p.toml:2:10: unknown value `PUT`. Known here: GET, HEAD, POST."),
        ] {
            let config =
                if config.starts_with("urk") { config.to_owned() } else { format!("url = \"http://x/\"\n{config}") };
            assert_eq!(sampler(&config).err().as_deref(), Some(fault));
        }
    }
}
