//! `scrape`: reads a page of Prometheus text, every metric type, as the source names them.
//! ```toml
//! [samplers.metrics]
//! kind = "scrape"
//! url  = "http://127.0.0.1:8080/metrics"
//! every = "5s"
//! max_series = 2000   # the default; what is beyond is counted, not kept
//!
//! [samplers.other]
//! kind = "scrape"
//! urls = ["https://127.0.0.1:9090/metrics", "http://127.0.0.1:8080/metrics"]   # instead of `url`, at most 8
//! ```
//! Of several `urls` the first that answers Prometheus text is read from then on, until it fails; which one it is,
//! is the fact `source`. `bearer`, `basic`, `headers`, `ca`, `server_name`, `cert`, `key` and `insecure` are those of
//! the kind `http`, the same for all candidates; so is the rest after 429. But a `http://` one of several is asked
//! without `bearer`, `basic` and secret headers (from `file` or `env`, or with the name of a secret), on this host too:
//! a key over plain HTTP is none. So a key file that is missing fails the `https://` ones alone.
//!
//! OpenMetrics text is read too: counters, gauges, histograms, summaries, infos, state sets and what has no type. An
//! exemplar is passed over, a timestamp too (a value is as old as we have it). The protobuf form and native histograms
//! are not read. Facts: `bad lines`, `dropped series`, `end` (an OpenMetrics page without its last line `# EOF`).

use crate::base::{Body, Clean, Failure, Fault, Now, Observation};
use crate::clean;
use crate::samplers::http::access::Access;
use crate::samplers::http::fetch::{Answer, Fetcher};
use crate::samplers::scrape::again::Reader;
use crate::samplers::{Kind, Observed, Sampler};
use core::time::Duration;
use serde::Deserialize;

/// Prefers the classic text form.
const ACCEPT: &str = "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5, */*;q=0.1";
const MAX_SERIES: usize = 2_000;
const CANDIDATES: usize = 8;

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
        Ok(Box::new(ScrapeSampler::new(body)?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    url: Option<String>,
    #[serde(default)]
    urls: Vec<String>,
    #[serde(default = "max_series")]
    max_series: usize,
}

fn max_series() -> usize {
    MAX_SERIES
}

struct ScrapeSampler {
    candidates: Vec<Fetcher>,
    /// The candidate that is asked first, and while an attempt is under way the one that is asked now.
    current: usize,
    /// Left true by an attempt that was dropped at its deadline.
    asking: bool,
    reader: Reader,
    max_series: usize,
}

impl ScrapeSampler {
    fn new(body: &Body) -> Result<Self, Fault> {
        let mut rest = body.clone();
        let access = Access::take(&mut rest)?;
        Access::done(&rest, &["url", "urls", "max_series"])?;
        let config: Config = rest.read()?;
        let urls = match (config.url, config.urls) {
            (Some(url), urls) if urls.is_empty() => vec![url],
            (None, urls) if (1..=CANDIDATES).contains(&urls.len()) => urls,
            (None, urls) if urls.is_empty() => return Err(body.fault("`url` is missing here.")),
            (None, _) => return Err(body.fault_at("urls", format!("more than {CANDIDATES} candidates."))),
            (Some(_), _) => return Err(body.fault_at("urls", "either `url` or `urls`, not both.")),
        };
        if !(1..=MAX_SERIES).contains(&config.max_series) {
            let what = format!("`max_series` is {}, expected 1 to {MAX_SERIES}.", config.max_series);
            return Err(body.fault_at("max_series", what));
        }
        let several = urls.len() > 1;
        let fetcher = |url: &String| {
            let fetcher = Fetcher::new(body, url)?;
            let open = several && !fetcher.is_https();
            let access = if open { access.clone().in_the_open() } else { access.clone() };
            Ok(fetcher.access(access))
        };
        let candidates = urls.iter().map(fetcher).collect::<Result<_, _>>()?;
        let (reader, max_series) = (Reader::default(), config.max_series);
        Ok(Self { candidates, current: 0, asking: false, reader, max_series })
    }

    /// Asks the one that answered last; when it fails the others, in their order from there.
    async fn attempt(&mut self) -> Result<Observation, Failure> {
        if core::mem::replace(&mut self.asking, true) {
            // The last attempt spent all its time on one that did not answer.
            self.current = (self.current + 1) % self.candidates.len();
        }
        let mut failures: Vec<Failure> = Vec::new();
        for _ in 0..self.candidates.len() {
            let Some(fetcher) = self.candidates.get_mut(self.current) else { break };
            let seen = match fetcher.get(ACCEPT).await {
                Ok(answer) => Self::observation(fetcher, &mut self.reader, self.max_series, &answer),
                Err(failure) => Err(failure),
            };
            let (source, pausing) = (fetcher.place().clone(), fetcher.is_pausing());
            match seen {
                Ok(mut seen) => {
                    if self.candidates.len() > 1 {
                        seen.facts.insert(0, (Clean::from("source"), source));
                    }
                    self.asking = false;
                    return Ok(seen);
                }
                Err(failure) => failures.push(failure),
            }
            if pausing {
                // It is the right one, and wants to be left alone.
                break;
            }
            self.current = (self.current + 1) % self.candidates.len();
        }
        self.asking = false;
        Err(together(failures))
    }

    fn observation(
        fetcher: &Fetcher,
        reader: &mut Reader,
        max_series: usize,
        answer: &Answer,
    ) -> Result<Observation, Failure> {
        if answer.content_type.contains("protobuf") {
            return Err(fetcher.answered("answers in protobuf, which is not read here; let it answer in text"));
        }
        let page = reader.read(&answer.body, max_series);
        let complaint = page.first_bad.map(|(line, expected)| {
            clean!("{} lines not understood, the first is {line}: expected {expected}", page.bad_lines)
        });
        if page.points.is_empty() {
            let what = complaint.unwrap_or_else(|| Clean::from("the page is empty"));
            let kind = if answer.content_type.contains("html") { " (it is HTML)" } else { "" };
            return Err(fetcher.answered(format!("shows no metrics{kind}: {what}")));
        }
        let mut facts = Vec::new();
        facts.extend(complaint.map(|what| (Clean::from("bad lines"), what)));
        if page.over > 0 {
            let what = clean!("{} beyond the limit of {max_series} are not kept", page.over);
            facts.push((Clean::from("dropped series"), what));
        }
        if answer.content_type.contains("openmetrics") && !page.whole && page.over == 0 {
            facts.push((Clean::from("end"), Clean::from("the page has no last line `# EOF`: it may be cut off")));
        }
        facts.extend(fetcher.doubts(answer));
        Ok(Observation { points: page.points, facts, ..Observation::default() })
    }
}

/// The failures of all candidates as one: a bad answer before silence, since somebody was there.
fn together(mut failures: Vec<Failure>) -> Failure {
    if failures.len() <= 1 {
        return failures.pop().unwrap_or_else(|| Failure::unreachable("there is no candidate."));
    }
    let all: Vec<&str> = failures.iter().map(|failure| failure.what.as_str()).collect();
    let what = Clean::text(format!("None of {} candidates shows metrics. {}", all.len(), all.join(" ")));
    let (answered, not_permitted) =
        (failures.iter().any(|failure| failure.answered), failures.iter().any(|failure| failure.not_permitted));
    Failure { what, answered, not_permitted: not_permitted && !answered, seen: Observation::default() }
}

impl Sampler for ScrapeSampler {
    fn observe(&mut self, _: Now) -> Observed<'_> {
        Box::pin(self.attempt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(content_type: &str, body: &str) -> Result<Observation, Failure> {
        let place = Body::parse("p.toml", "").expect("parses");
        let fetcher = Fetcher::new(&place, "http://127.0.0.1:9100/metrics").expect("a URL");
        let answer = Answer { content_type: content_type.to_owned(), body: body.into(), ..Answer::default() };
        ScrapeSampler::observation(&fetcher, &mut Reader::default(), 2, &answer)
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
        let facts = |content_type, body| {
            let seen = observe(content_type, body).expect("two series");
            seen.facts.into_iter().map(|(_, what)| what.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            facts("text/plain", "a 1\n?\nb 2\nc 3\n"),
            ["1 lines not understood, the first is 2: expected a metric name", "1 beyond the limit of 2 are not kept"]
        );
        let open_metrics = "application/openmetrics-text; version=1.0.0";
        assert_eq!(facts(open_metrics, "a 1\nb 2\n"), ["the page has no last line `# EOF`: it may be cut off"]);
        assert!(facts(open_metrics, "a 1\nb 2\n# EOF\n").is_empty() && facts("text/plain", "a 1\n").is_empty());
    }

    #[test]
    fn a_bad_configuration_says_where_and_what() {
        let many = format!("urls = [{}]", "\"http://x/\",".repeat(9));
        for (config, fault) in [
            ("max_series = 1", "p.toml:1:1: `url` is missing here."),
            ("url = \"http://x/\"\nurls = [\"http://y/\"]", "p.toml:2:8: either `url` or `urls`, not both."),
            (many.as_str(), "p.toml:1:8: more than 8 candidates."),
            ("url = \"http://x/\"\nmax_series = 0", "p.toml:2:14: `max_series` is 0, expected 1 to 2000."),
            ("url = \"http://x/\"\nheader = 1", "p.toml:2:1: unknown key `header`. Did you mean `headers`?"),
        ] {
            let body = Body::parse("p.toml", config).expect("parses");
            assert_eq!(ScrapeSampler::new(&body).err().map(|fault| fault.to_string()).as_deref(), Some(fault));
        }
    }
}
