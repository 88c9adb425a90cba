//! `scrape`: reads a page of Prometheus text, every metric type, as the source names them.
//! ```toml
//! [samplers.metrics]
//! kind = "scrape"
//! url  = "http://127.0.0.1:8080/metrics"
//! every = "1s"
//! max_series = 2000   # the default; what is beyond is counted, not kept
//! ```
//! OpenMetrics text is read too; the protobuf form is not.

use crate::base::{Body, Clean, Failure, Fault, Now, Observation};
use crate::clean;
use crate::samplers::fetch::{Answer, Fetcher};
use crate::samplers::{Kind, Observed, Sampler, scrape_text};
use core::time::Duration;
use serde::Deserialize;

/// Prefers the classic text form.
const ACCEPT: &str = "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5, */*;q=0.1";
const MAX_SERIES: usize = 2_000;

/// The kind.
pub struct Scrape;

impl Kind for Scrape {
    fn name(&self) -> &'static str {
        "scrape"
    }

    fn about(&self) -> &'static str {
        "reads a page of Prometheus text"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn build(&self, body: &Body) -> Result<Box<dyn Sampler>, Fault> {
        let config: Config = body.read()?;
        let fetcher = Fetcher::new(body, &config.url)?;
        if !(1..=MAX_SERIES).contains(&config.max_series) {
            let what = format!("`max_series` is {}, expected 1 to {MAX_SERIES}.", config.max_series);
            return Err(body.fault_at("max_series", what));
        }
        Ok(Box::new(ScrapeSampler { fetcher, max_series: config.max_series }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: String,
    #[serde(default = "max_series")]
    max_series: usize,
}

fn max_series() -> usize {
    MAX_SERIES
}

struct ScrapeSampler {
    fetcher: Fetcher,
    max_series: usize,
}

impl Sampler for ScrapeSampler {
    fn observe(&mut self, _: Now) -> Observed<'_> {
        Box::pin(async {
            let answer = self.fetcher.get(ACCEPT).await?;
            self.observation(&answer)
        })
    }
}

impl ScrapeSampler {
    fn observation(&self, answer: &Answer) -> Result<Observation, Failure> {
        if answer.content_type.contains("protobuf") {
            return Err(self.fetcher.answered("answers in protobuf, which is not read here; let it answer in text"));
        }
        let page = scrape_text::parse(&answer.body, self.max_series);
        let complaint = page.first_bad.map(|(line, expected)| {
            clean!("{} lines not understood, the first is {line}: expected {expected}", page.bad_lines)
        });
        if page.points.is_empty() {
            let what = complaint.unwrap_or_else(|| Clean::from("the page is empty"));
            let kind = if answer.content_type.contains("html") { " (it is HTML)" } else { "" };
            return Err(self.fetcher.answered(format!("shows no metrics{kind}: {what}")));
        }
        let mut facts = Vec::new();
        facts.extend(complaint.map(|what| (Clean::from("bad lines"), what)));
        if page.over > 0 {
            let what = clean!("{} beyond the limit of {} are not kept", page.over, self.max_series);
            facts.push((Clean::from("dropped series"), what));
        }
        if self.fetcher.address_is_old() {
            facts.push((Clean::from("address"), Clean::from("last known: the name service does not answer")));
        }
        Ok(Observation { points: page.points, facts, not_supported: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;

    fn observe(content_type: &str, body: &str) -> Result<Observation, Failure> {
        let place = Body::parse("p.toml", "").expect("parses");
        let fetcher = Fetcher::new(&place, "http://127.0.0.1:9100/metrics").expect("a URL");
        let answer = Answer {
            status: StatusCode::OK,
            content_type: content_type.to_owned(),
            body: body.into(),
            first_byte: Duration::ZERO,
            rest: Duration::ZERO,
        };
        ScrapeSampler { fetcher, max_series: 2 }.observation(&answer)
    }

    #[test]
    fn what_is_no_page_of_metrics_is_a_bad_answer() {
        for (content_type, body, what) in [
            (
                "application/vnd.google.protobuf",
                "\u{1}x",
                "127.0.0.1:9100/metrics answers in protobuf, which is not read here; let it answer in text.",
            ),
            (
                "text/html",
                "<html>",
                "127.0.0.1:9100/metrics shows no metrics (it is HTML): 1 lines not understood, the first is 1: expected a metric name.",
            ),
            ("text/plain", "", "127.0.0.1:9100/metrics shows no metrics: the page is empty."),
        ] {
            let failure = observe(content_type, body).expect_err("bad");
            assert_eq!((failure.what.as_str(), failure.answered), (what, true));
        }
    }

    #[test]
    fn losses_are_facts() {
        let seen = observe("text/plain", "a 1\n?\nb 2\nc 3\n").expect("two series");
        let facts: Vec<&str> = seen.facts.iter().map(|(_, what)| what.as_str()).collect();
        assert_eq!(
            facts,
            ["1 lines not understood, the first is 2: expected a metric name", "1 beyond the limit of 2 are not kept"]
        );
    }
}
