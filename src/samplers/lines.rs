//! What a profile picks out of a text line by line: how many lines match, a number or a word of one. Nothing of the
//! text goes on but what a group takes.

use crate::base::scrub::scrub;
use crate::base::{Body, Clean, Fault, Observation, Point};
use crate::clean;
use crate::samplers::pick::{Wanted, plain_number, shown};
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;
use std::sync::Arc;

/// Rows of one list: each goes over the whole text.
const ROWS: usize = 32;
/// Bytes of one regular expression, as written.
const LONGEST: usize = 1_000;
/// A compiled one is not larger, in bytes.
const COMPILED: usize = 1 << 20;
/// Nor what it uses while it looks.
const CACHE: usize = 1 << 20;

/// One row of a `lines = […]` list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineRow {
    matches: String,
    fact: Option<String>,
    metric: Option<String>,
    /// Of a metric: the number in the first group instead of the count.
    #[serde(default)]
    value: bool,
    /// Of a fact: the number of the line before it.
    #[serde(default)]
    line: bool,
}

/// All rows of a list; may go to another thread.
#[derive(Clone, Debug)]
pub(crate) struct Lines(Arc<Vec<One>>);

#[derive(Debug)]
struct One {
    matches: Regex,
    wanted: Wanted,
    value: bool,
    line: bool,
}

/// What one row found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    count: u32,
    /// The first line of a fact, the last one of a number, from 1, with what the group took.
    line: usize,
    group: Option<Vec<u8>>,
}

impl Lines {
    /// Checks the rows of `lines`.
    pub(crate) fn check(body: &Body, rows: Vec<LineRow>) -> Result<Self, Fault> {
        if rows.is_empty() || rows.len() > ROWS {
            return Err(body.fault_at("lines", format!("{} rows, expected 1 to {ROWS}.", rows.len())));
        }
        rows.into_iter().map(|row| One::check(body, row)).collect::<Result<_, _>>().map(|rows| Self(Arc::new(rows)))
    }

    /// Looks through a text, in the order of the rows. May take a while: on a thread for that.
    pub(crate) fn find(&self, text: &[u8]) -> Vec<Found> {
        let mut found: Vec<Found> = self.0.iter().map(|_| Found::default()).collect();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            for (row, found) in self.0.iter().zip(&mut found) {
                let first_only = matches!(row.wanted, Wanted::Fact(_));
                if (first_only && found.count > 0) || !row.matches.is_match(line) {
                    continue;
                }
                found.count = found.count.saturating_add(1);
                if first_only || row.value {
                    let taken = row.matches.captures(line).and_then(|groups| groups.get(1));
                    (found.line, found.group) = (number + 1, taken.map(|group| group.as_bytes().to_vec()));
                }
            }
        }
        found
    }

    /// Puts what was found into the observation; `place` names the text in sentences.
    pub(crate) fn put(&self, found: Vec<Found>, place: &Clean, labels: &[(&str, &str)], seen: &mut Observation) {
        for (row, found) in self.0.iter().zip(found) {
            match &row.wanted {
                Wanted::Fact(name) => seen.facts.extend(row.told(&found).map(|told| (name.clone(), told))),
                Wanted::Metric(name) if !row.value => {
                    seen.points.push(Point::gauge(name, labels, f64::from(found.count)));
                }
                Wanted::Metric(name) => match found.group.as_deref().and_then(plain_number) {
                    Some(number) => seen.points.push(Point::named(name, labels, number)),
                    None if found.count == 0 => {
                        seen.not_supported.push((Clean::text(name), clean!("no line of {place} matches")));
                    }
                    None => {
                        let why = clean!("line {} of {place} has no number there", found.line);
                        seen.not_supported.push((Clean::text(name), why));
                    }
                },
            }
        }
    }

    /// The metrics that rows name.
    pub(crate) fn metrics(rows: Vec<LineRow>) -> impl Iterator<Item = String> {
        rows.into_iter().filter_map(|row| row.metric)
    }
}

impl One {
    fn check(body: &Body, row: LineRow) -> Result<Self, Fault> {
        let name = Clean::text(&row.matches);
        let wrong = |what: String| body.fault_at("lines", format!("the row for `{name}` {what}"));
        if row.matches.len() > LONGEST {
            return Err(body.fault_at("lines", format!("an expression is longer than {LONGEST} bytes.")));
        }
        let built = RegexBuilder::new(&row.matches).size_limit(COMPILED).dfa_size_limit(CACHE).build();
        let matches = built.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                wrong("becomes too large.".to_owned()).hint("Make its repetitions smaller.")
            }
            error => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                wrong(format!("is no regular expression: {last}."))
            }
        })?;
        let wanted = Wanted::check(body, "lines", &row.matches, row.fact, row.metric)?;
        let is_fact = matches!(wanted, Wanted::Fact(_));
        let group = matches.captures_len() > 1;
        if row.value && is_fact {
            return Err(wrong("has `value`, which is for a `metric`.".to_owned()));
        }
        if row.line && !is_fact {
            return Err(wrong("has `line`, which is for a `fact`.".to_owned()));
        }
        if !group && (row.value || (is_fact && !row.line)) {
            let fault = wrong("has no group: what of the line is to be taken?".to_owned());
            return Err(fault.hint("Put it in parentheses, such as 'allowed (\\S+)'."));
        }
        Ok(Self { matches, wanted, value: row.value, line: row.line })
    }

    /// A fact: what the group took, with the number of its line.
    fn told(&self, found: &Found) -> Option<Clean> {
        if found.count == 0 {
            return None;
        }
        let text = found.group.as_deref().map(|group| shown(&scrub(&String::from_utf8_lossy(group))));
        match (text, self.line) {
            (Some(text), true) => Some(clean!("line {}: {text}", found.line)),
            (None, true) => Some(clean!("line {}", found.line)),
            (text, false) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(rows: &str) -> Result<Lines, String> {
        #[derive(Deserialize)]
        struct Table {
            lines: Vec<LineRow>,
        }
        let body = Body::parse("p.toml", &format!("lines = [{rows}]")).expect("TOML");
        let rows = body.read::<Table>().map_err(|fault| fault.to_string())?.lines;
        Lines::check(&body, rows).map_err(|fault| fault.to_string())
    }

    fn observe(rows: &str, text: &str) -> Observation {
        let lines = lines(rows).expect("valid");
        let mut seen = Observation::default();
        lines.put(lines.find(text.as_bytes()), &Clean::from("F"), &[], &mut seen);
        seen
    }

    #[test]
    fn lines_are_counted_and_of_one_only_the_group_goes_on() {
        let rows = r"{ matches = '^[-+U]', metric = 'differ' }, { matches = 'allowed (\S+)', fact = 'allowed' },
            { matches = 'took (.*) ms', metric = 'took', value = true }, { matches = '^U', fact = 'conflict', line = true },
            { matches = '(x.)', fact = 'x', line = true }, { matches = 'never', metric = 'never' }";
        let text = "-a\r\n+b allowed 10.0.0.0/8 topsecret\nc allowed all\nUd took 5 ms\nx1 took 7.5 ms\nx2";
        let seen = observe(rows, text);
        let points: Vec<_> = seen.points.iter().map(|point| (point.key.name.as_str(), point.value)).collect();
        assert_eq!(points, [("differ", 3.0), ("took", 7.5), ("never", 0.0)]);
        let facts: Vec<_> = seen.facts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(facts, [("allowed", "10.0.0.0/8"), ("conflict", "line 4"), ("x", "line 5: x1")]);
        assert!(!format!("{seen:?}").contains("topsecret"));
    }

    #[test]
    fn a_number_that_is_not_there_is_not_zero() {
        let rows = "{ matches = 'took (.*) ms', metric = 'took', value = true }";
        for (text, why) in [("", "no line of F matches"), ("took 1 ms\ntook a ms", "line 2 of F has no number there")] {
            let seen = observe(rows, text);
            assert_eq!((seen.points.len(), seen.not_supported[0].1.as_str()), (0, why));
        }
    }

    #[test]
    fn a_secret_in_a_group_is_not_shown() {
        let seen = observe(r"{ matches = 'url (.*)', fact = 'url' }", "url http://me:hunter2@db/x");
        assert_eq!(seen.facts[0].1.as_str(), "http://<redacted>@db/x");
    }

    #[test]
    fn a_bad_row_says_what_is_wrong() {
        for (row, what) in [
            ("{ matches = '(', metric = 'x' }", "the row for `(` is no regular expression: unclosed group."),
            ("{ matches = '(?=a)', metric = 'x' }", "the row for `(?=a)` is no regular expression: look-around"),
            (r"{ matches = '(\w{1000}){1000}', metric = 'x' }", "becomes too large. Make its repetitions smaller."),
            ("{ matches = 'a' }", "the row for `a` needs either `fact` or `metric`."),
            ("{ matches = 'a', fact = 'x' }", "has no group: what of the line is to be taken? Put it in parentheses"),
            ("{ matches = 'a', metric = 'x', value = true }", "has no group"),
            ("{ matches = '(a)', fact = 'x', value = true }", "has `value`, which is for a `metric`."),
            ("{ matches = 'a', metric = 'x', line = true }", "has `line`, which is for a `fact`."),
            ("{ matches = 'a', metric = '1x' }", "`1x` is no metric name."),
            ("{ match = 'a', metric = 'x' }", "unknown key `match`. Did you mean `matches`?"),
            ("", "0 rows, expected 1 to 32."),
        ] {
            let fault = lines(row).expect_err("refused");
            assert!(fault.contains(what) && fault.starts_with("p.toml:1:"), "{row}: {fault}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived_and_every_line_counted(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let seen = observe("{ matches = '', metric = 'all' }", &String::from_utf8_lossy(&text));
            let expected = String::from_utf8_lossy(&text);
            let expected = expected.strip_suffix('\n').unwrap_or(&expected).split('\n').count();
            prop_assert_eq!(seen.points[0].value, expected as f64);
        }
    }
}
