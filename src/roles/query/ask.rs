//! What can be asked on the command line.

use super::moment::{self, Span};
use crate::base::Fault;
use crate::rules::expr::Millis;
use core::time::Duration;
use std::path::PathBuf;

/// A range query has at most so many points a series, as Prometheus' own API.
const POINTS: i64 = 11_000;
/// A range without a step is drawn in about so many.
const DRAWN: u64 = 240;

/// `watchkeeper query EXPR …`
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// A PromQL expression
    pub expr: String,
    /// Profile whose samplers are asked: a file, a folder, or a name on the search path [default: this host]
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// When: RFC 3339, Unix seconds, `now`, or a span back such as `-5m` [default: now; with --series its newest point]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// Ask for every moment of a span that ends at --at, such as `15m`: a chart on a terminal, else a table of points
    #[arg(long, value_name = "SPAN")]
    pub range: Option<Span>,
    /// Distance of these moments [default: a 240th of the range, at least 1s]
    #[arg(long, value_name = "SPAN", requires = "range")]
    pub step: Option<Span>,
    /// Ask a file instead: text exposition with timestamps, or a saved answer of Prometheus' query API; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "collect"])]
    pub series: Option<PathBuf>,
    /// Collect for so long before answering [default: until each sampler needed has answered, twice for a window; 15s at most]
    #[arg(long = "for", id = "collect", value_name = "SPAN")]
    pub collect: Option<Span>,
    /// Exactly as Prometheus: look-back of 5 minutes, no window clipped to what was recorded
    #[arg(long)]
    pub compat: bool,
    /// Print the JSON of Prometheus' HTTP query API
    #[arg(long)]
    pub json: bool,
}

/// Which moments are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// One.
    At(Millis),
    /// Every `step` from `start` to `end`.
    Range { start: Millis, end: Millis, step: Duration },
}

impl Ask {
    /// The moments, when `usual` is the one that is meant without `--at`, and `now` is now.
    pub(super) fn when(&self, usual: Millis, now: Millis) -> Result<When, Fault> {
        let at = self.at.as_deref().map_or(Ok(usual), |text| moment::moment(text, usual, now))?;
        let Some(Span(range)) = self.range else { return Ok(When::At(at)) };
        let step = self.step.map_or_else(|| usual_step(range), |Span(step)| step);
        let long = |of: Duration| i64::try_from(of.as_millis()).unwrap_or(i64::MAX);
        if step < Duration::from_millis(1) {
            return Err(Fault::new("`--step` is zero.").hint("Write a span such as `1s`."));
        }
        if long(range) / long(step) > POINTS {
            let least = range.as_secs_f64() / 11_000.0;
            return Err(Fault::new(format!("this range has more than {POINTS} steps."))
                .hint(format!("Take a --step of at least {} s.", least.ceil())));
        }
        Ok(When::Range { start: at.saturating_sub(long(range)), end: at, step })
    }
}

/// A step that draws well, in whole seconds.
fn usual_step(range: Duration) -> Duration {
    Duration::from_secs(range.as_secs().div_ceil(DRAWN).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        ask: Ask,
    }

    fn ask(words: &[&str]) -> Ask {
        Line::try_parse_from([&["query"], words].concat()).expect("a good command line").ask
    }

    #[test]
    fn a_range_ends_at_the_moment_and_has_a_step_that_draws_well() {
        let when = |words: &[&str]| ask(words).when(1_000_000, 2_000_000);
        assert_eq!(when(&["up"]), Ok(When::At(1_000_000)));
        assert_eq!(when(&["up", "--at", "now"]), Ok(When::At(2_000_000)));
        let range = |start, step| Ok(When::Range { start, end: 1_000_000, step: Duration::from_secs(step) });
        assert_eq!(when(&["up", "--range", "5m"]), range(700_000, 2));
        assert_eq!(when(&["up", "--range", "1m"]), range(940_000, 1));
        assert_eq!(when(&["up", "--range", "5m", "--step", "15"]), range(700_000, 15));
    }

    #[test]
    fn a_range_without_bounds_is_refused_with_the_step_that_would_do() {
        let said = |words: &[&str]| ask(words).when(0, 0).expect_err("refused").to_string();
        let fine = said(&["up", "--range", "1d", "--step", "1s"]);
        assert_eq!(fine, "this range has more than 11000 steps. Take a --step of at least 8 s.");
        assert!(said(&["up", "--range", "1h", "--step", "0s"]).contains("zero"));
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for words in
            [&["up", "--step", "1s"][..], &["up", "--series", "f", "--profile", "p"], &["up", "--range", "soon"]]
        {
            assert!(Line::try_parse_from([&["query"], words].concat()).is_err(), "{words:?}");
        }
    }
}
