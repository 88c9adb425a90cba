//! Reads a plain selector of `PromQL`. The one module that knows the parser crate, so that it can be replaced.

use crate::base::{Clean, Fault};
use crate::store::{MatchOp, Matcher, Selector};
use promql_parser::label;
use promql_parser::parser::{self, Expr, VectorSelector};

/// A query is no longer: the parser recurses, and so does whoever drops its tree.
const LONGEST: usize = 4 * 1024;

/// The selector that a text means.
///
/// # Errors
/// A sentence when it is no `PromQL`, or more than a plain selector.
pub fn parse_selector(text: &str) -> Result<Selector, Fault> {
    if text.len() > LONGEST {
        return Err(Fault::new(format!("the query is {} bytes long; at most {LONGEST} are read.", text.len())));
    }
    match parser::parse(text) {
        Ok(Expr::VectorSelector(selector)) => plain(selector),
        Ok(other) => Err(only_plain(construct(&other))),
        Err(error) => Err(Fault::new(format!("this is no PromQL: {}.", error.trim_end_matches('.')))
            .hint("A plain selector looks like `probe_success{job=\"api\"}`.")),
    }
}

fn plain(selector: VectorSelector) -> Result<Selector, Fault> {
    if selector.offset.is_some() {
        return Err(only_plain("`offset`"));
    }
    if selector.at.is_some() {
        return Err(only_plain("`@`"));
    }
    if !selector.matchers.or_matchers.is_empty() {
        return Err(only_plain("`or` between matchers"));
    }
    let matchers = selector.matchers.matchers.into_iter().map(matcher).collect();
    Ok(Selector { name: selector.name.map(Clean::text), matchers })
}

fn matcher(from: label::Matcher) -> Matcher {
    // The parser has anchored the patterns and limited their size.
    let op = match from.op {
        label::MatchOp::Equal => MatchOp::Equal,
        label::MatchOp::NotEqual => MatchOp::NotEqual,
        label::MatchOp::Re(pattern) => MatchOp::Like(pattern),
        label::MatchOp::NotRe(pattern) => MatchOp::Unlike(pattern),
    };
    Matcher { label: Clean::text(from.name), value: Clean::text(from.value), op }
}

fn only_plain(found: &str) -> Fault {
    Fault::new(format!("only a plain selector is understood in this version: found {found}."))
        .hint("Write the metric's name, with labels in braces if there are several series.")
}

fn construct(expr: &Expr) -> &'static str {
    match expr {
        Expr::Aggregate(_) => "an aggregation",
        Expr::Unary(_) => "a sign",
        Expr::Binary(_) => "an operator",
        Expr::Paren(_) => "parentheses",
        Expr::Subquery(_) => "a sub-query",
        Expr::NumberLiteral(_) => "a number",
        Expr::StringLiteral(_) => "a text",
        Expr::MatrixSelector(_) => "a range (`[5m]`)",
        Expr::Call(_) => "a function",
        Expr::VectorSelector(_) | Expr::Extension(_) => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeriesKey;

    #[test]
    fn a_selector_means_the_series_that_prometheus_would_take() {
        let web = SeriesKey::new("up", &[("instance", "web:80"), ("zone", "a")]);
        let db = SeriesKey::new("up", &[("instance", "db:5432")]);
        let other = SeriesKey::new("down", &[("instance", "web:80")]);
        let takes = |text: &str| {
            let selector = parse_selector(text).expect(text);
            [&web, &db, &other].map(|key| selector.matches(key))
        };
        assert_eq!(takes("up"), [true, true, false]);
        assert_eq!(takes(r#"up{instance="web:80"}"#), [true, false, false]);
        assert_eq!(takes(r#"{__name__="up",instance!="web:80"}"#), [false, true, false]);
        assert_eq!(takes(r#"{__name__=~"up|down", instance=~"web.*"}"#), [true, false, true]);
        assert_eq!(takes(r#"up{instance=~"web"}"#), [false, false, false]);
        assert_eq!(takes(r#"up{instance!~".*:80"}"#), [false, true, false]);
        assert_eq!(takes(r#"up{zone=""}"#), [false, true, false]);
    }

    #[test]
    fn more_than_a_selector_is_refused_with_a_sentence() {
        for text in [
            "rate(x[5m])",
            "sum(x)",
            "x[5m]",
            "x offset 5m",
            "x @ 5",
            "x + 1",
            "(x)",
            "-x",
            "1",
            r#""x""#,
            r#"x{a="1" or b="2"}"#,
            "x[1h:1m]",
        ] {
            let fault = parse_selector(text).expect_err(text).to_string();
            assert!(
                fault.starts_with("only a plain selector is understood in this version: found "),
                "{text}: {fault}"
            );
        }
        for text in ["", "{", "x{", "a b", r#"x{y=~"("}"#, "{}"] {
            let fault = parse_selector(text).expect_err(text).to_string();
            assert!(fault.starts_with("this is no PromQL: "), "{text}: {fault}");
        }
        assert!(parse_selector(&"(".repeat(100_000)).is_err());
        assert!(parse_selector(&"(".repeat(LONGEST)).is_err());
        assert!(parse_selector(&format!("{}x{}", "(".repeat(LONGEST / 2 - 1), ")".repeat(LONGEST / 2 - 1))).is_err());
    }
}
