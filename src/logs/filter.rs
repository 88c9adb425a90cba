//! Which lines are shown: `level=error processing_time_ns>10000 logger~"cuda.*" -"health check"`. Terms stand side by
//! side and all must hold; a word alone is looked for as it is, and `-` before a term excludes.

use super::formats::field;
use super::matching::regex;
use crate::base::{Fault, LogLevel, LogLine};
use regex::Regex;

/// Terms of one filter.
const MOST: usize = 32;

/// A filter that was understood.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    excludes: bool,
    asks: Asks,
}

#[derive(Clone, Debug)]
enum Asks {
    /// Of this level or worse (`level=error` is the level itself).
    Level(Compare, LogLevel),
    Number(String, Compare, f64),
    Text(String, bool, String),
    Match(String, bool, Regex),
    /// The words of the line.
    Line(Regex),
    Words(String),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Compare {
    Is,
    IsNot,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Compare {
    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Is => left == right,
            Self::IsNot => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

/// Longest first.
const OPERATORS: [(&str, Op); 8] = [
    ("!~", Op::Match(false)),
    ("!=", Op::Compare(Compare::IsNot)),
    ("<=", Op::Compare(Compare::AtMost)),
    (">=", Op::Compare(Compare::AtLeast)),
    ("=", Op::Compare(Compare::Is)),
    ("<", Op::Compare(Compare::Less)),
    (">", Op::Compare(Compare::More)),
    ("~", Op::Match(true)),
];

#[derive(Clone, Copy)]
enum Op {
    Compare(Compare),
    Match(bool),
}

impl Filter {
    /// Reads one; an empty text lets everything pass.
    ///
    /// # Errors
    /// What is wrong, at its column.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let column = column(text, rest);
            if terms.len() == MOST {
                return Err(fault(format!("more than {MOST} terms."), column));
            }
            let (term, after) = term(text, rest)?;
            terms.push(term);
            rest = after.trim_start();
        }
        Ok(Self { terms })
    }

    /// True when it lets everything pass.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a line is shown; marks of our own always are.
    pub fn passes(&self, line: &LogLine) -> bool {
        line.marker || self.terms.iter().all(|term| term.holds(line) != term.excludes)
    }
}

impl Term {
    fn holds(&self, line: &LogLine) -> bool {
        match &self.asks {
            Asks::Level(compare, level) => line.level.is_some_and(|known| compare.holds(&known, level)),
            Asks::Number(name, compare, number) => {
                let value = field(line, name).and_then(|value| value.parse::<f64>().ok());
                value.is_some_and(|value| compare.holds(&value, number))
            }
            Asks::Text(name, is, text) => field(line, name).is_some_and(|value| (value == text.as_str()) == *is),
            Asks::Match(name, is, regex) => field(line, name).is_some_and(|value| regex.is_match(&value) == *is),
            Asks::Line(regex) => regex.is_match(line.message.as_str()),
            Asks::Words(words) => line.message.as_str().contains(words.as_str()),
        }
    }
}

fn term<'a>(whole: &str, text: &'a str) -> Result<(Term, &'a str), Fault> {
    let (excludes, text) = match text.strip_prefix('-') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => (true, rest),
        _ => (false, text),
    };
    if text.starts_with('"') {
        let (words, rest) = value(whole, text)?;
        return Ok((Term { excludes, asks: Asks::Words(words) }, rest));
    }
    if let Some(source) = text.strip_prefix('~') {
        let (source, rest) = value(whole, source)?;
        let asks = Asks::Line(compiled(&source, column(whole, text) + 1)?);
        return Ok((Term { excludes, asks }, rest));
    }
    let end = text.find([' ', '!', '=', '<', '>', '~', '"']).unwrap_or(text.len());
    let (name, after) = text.split_at_checked(end).unwrap_or((text, ""));
    let operator = OPERATORS.iter().find_map(|(word, op)| Some((*op, after.strip_prefix(word)?)));
    let Some((op, after)) = operator else {
        let end = text.find(' ').unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        return Ok((Term { excludes, asks: Asks::Words(word.to_owned()) }, rest));
    };
    if name.is_empty() {
        return Err(fault("the name of a field is missing here.".to_owned(), column(whole, text)));
    }
    let place = column(whole, after);
    let (value, rest) = value(whole, after)?;
    let asks = match op {
        Op::Match(is) => Asks::Match(name.to_owned(), is, compiled(&value, place)?),
        Op::Compare(compare) if matches!(name, "level" | "severity" | "lvl") => {
            let level = LogLevel::parse(&value);
            let words = "trace, debug, info, warn, error";
            Asks::Level(compare, level.ok_or_else(|| fault(format!("no level is called `{value}`: {words}."), place))?)
        }
        Op::Compare(compare) => match (value.parse::<f64>(), compare) {
            (Ok(number), _) => Asks::Number(name.to_owned(), compare, number),
            (Err(_), Compare::Is) => Asks::Text(name.to_owned(), true, value),
            (Err(_), Compare::IsNot) => Asks::Text(name.to_owned(), false, value),
            (Err(_), _) => return Err(fault(format!("`{value}` is no number to compare with."), place)),
        },
    };
    Ok((Term { excludes, asks }, rest))
}

/// A word, or a text in quotes in which `\"` is a quote.
fn value<'a>(whole: &str, text: &'a str) -> Result<(String, &'a str), Fault> {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find(' ').unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        if word.is_empty() {
            return Err(fault("a value is missing here.".to_owned(), column(whole, text)));
        }
        return Ok((word.to_owned(), rest));
    };
    let mut said = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((said, inner.get(at + 1..).unwrap_or_default())),
            '\\' if inner.get(at + 1..).is_some_and(|rest| rest.starts_with('"')) => {
                said.push('"');
                chars.next();
            }
            c => said.push(c),
        }
    }
    Err(fault("this quote is never closed.".to_owned(), column(whole, text)))
}

fn compiled(source: &str, column: u32) -> Result<Regex, Fault> {
    regex(source).map_err(|found| {
        let within = found.at.as_ref().map_or(0, |at| at.column.saturating_sub(1));
        fault(found.what.to_string(), column + within)
    })
}

fn fault(what: String, column: u32) -> Fault {
    Fault::new(what).at("", 1, column)
}

/// Where a part of the text begins, in characters from 1.
fn column(whole: &str, part: &str) -> u32 {
    let before = whole.get(..whole.len() - part.len().min(whole.len())).unwrap_or_default();
    u32::try_from(before.chars().count()).unwrap_or(0) + 1
}

/// The index of the next line of level ERROR behind `from`, or of the one before it.
pub fn next_error<'a>(lines: impl Iterator<Item = (u64, &'a LogLine)>, from: u64, back: bool) -> Option<u64> {
    let errors = lines.filter(|(_, line)| line.level == Some(LogLevel::Error)).map(|(at, _)| at);
    if back { errors.filter(|at| *at < from).max() } else { errors.filter(|at| *at > from).min() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clean;
    use proptest::prelude::*;

    fn line(level: Option<LogLevel>, message: &str) -> LogLine {
        LogLine { time: None, level, message: Clean::text(message), marker: false }
    }

    fn passes(filter: &str, message: &str) -> bool {
        Filter::parse(filter).expect("understood").passes(&line(Some(LogLevel::Warn), message))
    }

    #[test]
    fn every_term_must_hold() {
        let text = r#"slow answer processing_time_ns=12000 logger=cuda.pool route="/a b""#;
        for filter in [
            "",
            "level=warn",
            "level>=info",
            "level!=error",
            "processing_time_ns>10000",
            "fields.processing_time_ns>=12000",
            "logger~\"cuda.*\"",
            "logger~^cuda",
            "logger!~cpu",
            "logger=cuda.pool",
            "route=\"/a b\"",
            "slow",
            "\"slow answer\"",
            "~an?swer",
            "-health",
            "-\"health check\"",
            "level=warn slow processing_time_ns<99999 -~^x",
        ] {
            assert!(passes(filter, text), "{filter}");
        }
        for filter in [
            "level=error",
            "level>warn",
            "processing_time_ns>12000",
            "missing>1",
            "logger=cuda",
            "-slow",
            "fast",
            "route!=\"/a b\"",
            "missing!=x",
        ] {
            assert!(!passes(filter, text), "{filter}");
        }
        let mark = LogLine { marker: true, ..line(None, "rotated here") };
        assert!(Filter::parse("level=error").expect("understood").passes(&mark));
    }

    #[test]
    fn what_is_not_understood_is_told_at_its_column() {
        let fault = |text: &str| Filter::parse(text).expect_err("refused").to_string();
        assert_eq!(fault("level=loud"), "1:7: no level is called `loud`: trace, debug, info, warn, error.");
        assert_eq!(fault("é a>b"), "1:5: `b` is no number to compare with.");
        assert_eq!(fault("a~\"(\""), "1:3: this is no regular expression: unclosed group.");
        assert_eq!(fault("x a=\"b"), "1:5: this quote is never closed.");
        assert_eq!(fault("a="), "1:3: a value is missing here.");
        assert_eq!(fault("=b"), "1:1: the name of a field is missing here.");
    }

    #[test]
    fn the_next_and_the_last_error_are_found() {
        let lines =
            [(4, line(Some(LogLevel::Error), "a")), (5, line(None, "b")), (9, line(Some(LogLevel::Error), "c"))];
        let all = || lines.iter().map(|(at, line)| (*at, line));
        assert_eq!((next_error(all(), 4, false), next_error(all(), 9, false)), (Some(9), None));
        assert_eq!((next_error(all(), 9, true), next_error(all(), 4, true)), (Some(4), None));
    }

    proptest! {
        #[test]
        fn no_text_breaks_a_filter(text in "[a-z=<>!~\" \\\\(\\-é.0-9]{0,40}") {
            if let Ok(filter) = Filter::parse(&text) {
                let _passes = filter.passes(&line(None, &text));
            }
        }
    }
}
