//! Series of a test: `up{job="a"}` and the expanding notation of its values.
//! Source: prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules.

use crate::base::{Clean, SeriesKey};
use crate::rules::expr::Expr;
use crate::store::MatchOp;

/// Values of all series of one test, together.
pub(super) const MOST_VALUES: usize = 2_000_000;

/// What a series has at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// A value.
    Value(f64),
    /// Nothing.
    Blank,
    /// It ended.
    Stale,
}

/// Name and labels as an expression would select them.
pub(super) fn key(text: &str) -> Result<SeriesKey, String> {
    let wrong = || format!("`{text}` is no series: write it like `up{{job=\"node\"}}`");
    let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    if inner.is_some_and(|inner| inner.trim().is_empty()) {
        return Ok(SeriesKey::new("", &[]));
    }
    let expr = Expr::parse(text).map_err(|_| wrong())?;
    let selector = expr.plain_selector().ok_or_else(wrong)?;
    let mut name = selector.name.clone().unwrap_or_default();
    let mut labels = Vec::new();
    for matcher in &selector.matchers {
        match (&matcher.op, matcher.label.as_str()) {
            (MatchOp::Equal, "__name__") => name = matcher.value.clone(),
            (MatchOp::Equal, _) if matcher.value.as_str().is_empty() => {}
            (MatchOp::Equal, _) => labels.push((matcher.label.clone(), matcher.value.clone())),
            _ => return Err(wrong()),
        }
    }
    labels.sort();
    Ok(SeriesKey { name, labels: labels.into() })
}

/// A series as an expression would select it.
pub(super) fn show(key: &SeriesKey) -> String {
    show_labels(key.name.as_str(), &key.labels)
}

/// A name and labels in braces; no braces where there are none.
pub(super) fn show_labels(name: &str, labels: &[(Clean, Clean)]) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={:?}", value.as_str())).collect();
    if pairs.is_empty() && !name.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", pairs.join(", ")) }
}

/// Expands `1 2x3 0+10x5 _ _x2 stale NaN -Inf`; `room` is how many steps may still come.
pub(super) fn values(text: &str, room: &mut usize) -> Result<Vec<Step>, String> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let wrong = || format!("`{word}` is no value: write `1`, `1x4`, `0+10x5`, `_`, `_x3`, `stale`, `NaN` or `Inf`");
        if word.contains("{{") || word.contains("}}") {
            return Err("native histograms are not known here".to_owned());
        }
        let (head, times) = match word.rsplit_once('x') {
            Some((head, times)) => (head, Some(times.parse::<usize>().map_err(|_| wrong())?)),
            None => (word, None),
        };
        let many = times.map_or(1, |times| times.saturating_add(usize::from(head != "_")));
        *room = room.checked_sub(many).ok_or_else(|| format!("more than {MOST_VALUES} values in one test"))?;
        match head {
            "_" => out.extend(core::iter::repeat_n(Step::Blank, many)),
            "stale" => out.extend(core::iter::repeat_n(Step::Stale, many)),
            _ => {
                let (mut value, rest) = number(head).ok_or_else(wrong)?;
                let by = match rest {
                    "" => 0.0,
                    rest => number(rest).filter(|(_, rest)| rest.is_empty() && times.is_some()).ok_or_else(wrong)?.0,
                };
                for _ in 0..many {
                    out.push(Step::Value(value));
                    if !rest.is_empty() {
                        value += by;
                    }
                }
            }
        }
    }
    Ok(out)
}

/// The number that a text begins with, and what follows it.
fn number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    for (name, value) in [("Inf", f64::INFINITY), ("inf", f64::INFINITY), ("NaN", f64::NAN), ("nan", f64::NAN)] {
        if let Some(rest) = unsigned.strip_prefix(name) {
            return Some((sign * value, rest));
        }
    }
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut end = digits(unsigned);
    let tail = |from: usize| unsigned.get(from..).unwrap_or_default();
    if let Some(fraction) = tail(end).strip_prefix('.') {
        end += 1 + digits(fraction);
    }
    if let Some(exponent) = tail(end).strip_prefix(['e', 'E']) {
        let figures = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits(figures) > 0 {
            end += 1 + (exponent.len() - figures.len()) + digits(figures);
        }
    }
    let value: f64 = unsigned.get(..end)?.parse().ok()?;
    Some((sign * value, tail(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        let steps = values(text, &mut 1_000)?;
        let words = steps.iter().map(|step| match step {
            Step::Value(value) => value.to_string(),
            Step::Blank => "_".to_owned(),
            Step::Stale => "stale".to_owned(),
        });
        Ok(words.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_notation_expands_as_prometheus_expands_it() {
        for (text, expected) in [
            ("1 2", "1 2"),
            ("0+10x3", "0 10 20 30"),
            ("10-5x2", "10 5 0"),
            ("-2+4x3", "-2 2 6 10"),
            ("1-2x4", "1 -1 -3 -5 -7"),
            ("1x4", "1 1 1 1 1"),
            ("4x0 _x3 5", "4 _ _ _ 5"),
            ("_ stale 1.5e-3 NaN Inf -Inf +Inf", "_ stale 0.0015 NaN inf -inf inf"),
            ("1e+1+1e1x2", "10 20 30"),
            (".5+.5x1", "0.5 1"),
            ("0x2", "0 0 0"),
            ("", ""),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        for wrong in ["one", "1+1", "1x", "1x-1", "x3", "1+x2", "1x1.5", "1+1+1x2"] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
        assert!(shown("1x1000").is_err_and(|why| why.contains("more than")));
        assert!(shown("{{count:1}}x3").is_err_and(|why| why.contains("histograms")));
    }

    #[test]
    fn a_series_is_written_as_it_is_selected() {
        for text in ["up", "up{a=\"b\", job=\"n\"}", "{a=\"b\"}", "{}", "up{a=\"\\\"x\\\"\"}"] {
            assert_eq!(key(text).map(|key| show(&key)).as_deref(), Ok(text));
        }
        assert_eq!(key("{__name__=\"up\", b=\"\", a='c'}").map(|key| show(&key)).as_deref(), Ok("up{a=\"c\"}"));
        for wrong in ["up{a=~\"b\"}", "1", "rate(up[5m])", "up{", ""] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }
}
