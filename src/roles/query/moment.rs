//! Times and spans as Prometheus' users write them.

use crate::base::Fault;
use crate::rules::expr::Millis;
use crate::rules::file::lengths;
use core::str::FromStr;
use core::time::Duration;
use jiff::Timestamp;

/// A span: `5m`, `1h30m`, `250ms`, `1d`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let read = if let Ok(seconds) = text.parse::<f64>() {
            Duration::try_from_secs_f64(seconds).ok().map(|span| Duration::from_millis(millis(span)))
        } else {
            lengths::parse(text)
        };
        let fault = || Fault::new(format!("`{text}` is no span of time.")).hint("Write it like `5m`, `1h30m` or `90`.");
        read.map(Self).ok_or_else(fault)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A moment in words: RFC 3339, Unix seconds, `now`, `now-5m`, or `-5m`, which goes back from `usual`.
pub(super) fn moment(text: &str, usual: Millis, now: Millis) -> Result<Millis, Fault> {
    let back = |from: Millis, span: &str| {
        let Span(span) = span.parse()?;
        Ok(from.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    };
    if let Some(rest) = text.strip_prefix("now") {
        return if rest.is_empty() { Ok(now) } else { back(now, rest.strip_prefix('-').unwrap_or(rest)) };
    }
    if let Some(span) = text.strip_prefix('-') {
        return back(usual, span);
    }
    if let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| seconds.abs() < 9e12) {
        #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
        return Ok((seconds * 1e3).round() as Millis);
    }
    text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(|_| {
        Fault::new(format!("`{text}` is no time."))
            .hint("Write RFC 3339 (2026-11-21T03:12:47Z), Unix seconds, `now`, or a span back such as `-5m`.")
    })
}

/// A moment in RFC 3339, with milliseconds where there are some.
pub(in crate::roles) fn told(at: Millis) -> String {
    Timestamp::from_millisecond(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_those_of_promql_or_seconds() {
        for (text, millis) in [
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("1d", 86_400_000),
            ("250ms", 250),
            ("1s500ms", 1_500),
            ("90", 90_000),
            ("0.5", 500),
            ("2w", 1_209_600_000),
        ] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(millis))), "{text}");
        }
        for wrong in
            ["", "m", "5", "5 m", "1m1h", "1m1m", "-5m", "5min", "soon", "NaN", "inf", "-1", "99999999999999999999y"]
        {
            assert_eq!(wrong.parse::<Span>().is_err(), wrong != "5", "{wrong}");
        }
    }

    #[test]
    fn moments_are_absolute_or_go_back() {
        let usual = 1_000_000;
        for (text, at) in [
            ("now", 5_000_000),
            ("now-10s", 4_990_000),
            ("-10s", 990_000),
            ("1700000000", 1_700_000_000_000),
            ("1700000000.25", 1_700_000_000_250),
            ("2026-11-21T03:12:47Z", 1_795_230_767_000),
            ("2026-11-21T04:12:47.5+01:00", 1_795_230_767_500),
        ] {
            assert_eq!(moment(text, usual, 5_000_000), Ok(at), "{text}");
        }
        for wrong in ["", "yesterday", "-", "--5m", "2026-13-01T00:00:00Z", "now5m5", "1e300"] {
            assert!(moment(wrong, usual, 0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_moment_is_told_as_people_and_programs_read_it() {
        assert_eq!(told(1_795_230_767_000), "2026-11-21T03:12:47Z");
        assert_eq!(told(1_795_230_767_250), "2026-11-21T03:12:47.25Z");
    }
}
