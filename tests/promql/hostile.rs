//! Input that means harm or is a mistake: each gives a message or the right answer, in bounded time and memory, on a
//! stack of 2 MiB.

use core::time::Duration;
use std::sync::mpsc::sync_channel;
use watchkeeper::base::SeriesKey;
use watchkeeper::rules::expr::{Answer, Evaluator, Expr, Semantics, Table, Value};

/// Ten times what the slowest takes on a small machine that is busy.
const HANG: Duration = Duration::from_secs(120);

/// What a query gives over a table, computed on a small stack.
fn ask(query: &str, table: fn() -> Table) -> Result<Answer, String> {
    let (give, take) = sync_channel(1);
    let query = query.to_owned();
    let work = move || {
        let ask = || {
            let expr = Expr::parse(&query)?;
            Evaluator::new(Semantics::Prometheus).instant(&expr, &table(), 15_000)
        };
        give.send(ask().map_err(|fault| fault.to_string())).expect("the test waits");
    };
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).expect("a thread");
    take.recv_timeout(HANG).expect("an answer in time")
}

fn small() -> Table {
    let mut table = Table::new();
    for (i, value) in [("1", 1.0), ("2", 0.0)] {
        table.push(&SeriesKey::new("m", &[("i", i)]), 10_000, value);
    }
    table
}

fn crowd() -> Table {
    let mut table = Table::new();
    for i in 0..50_000 {
        let key = SeriesKey::new("m", &[("i", &i.to_string())]);
        (0..4).for_each(|at| table.push(&key, at * 5000, f64::from(i)));
    }
    table
}

fn rows(answer: &Answer) -> usize {
    match &answer.value {
        Value::Vector(rows) => rows.len(),
        other => panic!("{other:?}"),
    }
}

fn fault(query: &str) -> String {
    ask(query, small).expect_err(query)
}

#[test]
fn arithmetic_never_fails() {
    for (query, value) in [("1 / 0", f64::INFINITY), ("-1 / 0", f64::NEG_INFINITY), ("5 % 2", 1.0)] {
        assert_eq!(ask(query, small).expect(query).value, Value::Scalar(value), "{query}");
    }
    assert!(matches!(ask("0 / 0", small).expect("a number").value, Value::Scalar(value) if value.is_nan()));
    assert_eq!(rows(&ask("m / m", small).expect("a vector")), 2);
    assert_eq!(rows(&ask("sum(nothing) / sum(nothing)", small).expect("a vector")), 0);
}

#[test]
fn a_label_clash_is_a_sentence() {
    let what = fault(r#"label_replace(m, "i", "same", "i", ".*")"#);
    assert_eq!(what, r#"vector cannot contain metrics with the same labelset: m{i="same"}."#);
}

#[test]
fn a_runaway_pattern_is_refused_and_a_slow_one_is_not_slow() {
    assert!(fault(r#"m{i=~"(((a{100}){100}){100}){100}"}"#).ends_with("it is too large once compiled."));
    assert!(fault(r#"label_replace(m, "a", "b", "i", "((a{500}){500}){500}")"#).contains("too large once compiled"));
    // Catastrophic for an engine that goes back.
    assert_eq!(rows(&ask(r#"m{i=~"(a|a|aa)*(1+)+b?"}"#, small).expect("linear")), 1);
    let many = format!("m{{{}}}", vec![r#"i=~"1.*""#; 101].join(","));
    assert!(fault(&many).contains("more than 100 patterns"));
}

#[test]
fn depth_and_length_are_bounded_before_the_parser_recurses() {
    let nested = |open: &str, count: usize, close: &str| format!("{}m{}", open.repeat(count), close.repeat(count));
    assert_eq!(fault(&nested("(", 10_000, ")")), "1:201: this is nested deeper than 200 levels.");
    assert_eq!(fault(&"(".repeat(10_000)), "1:201: this is nested deeper than 200 levels.");
    assert_eq!(fault(&format!("{}m", "-".repeat(10_000))), "1:201: this is nested deeper than 200 levels.");
    assert_eq!(fault(&"m{".repeat(500)), "1:402: this is nested deeper than 200 levels.");
    assert!(fault(&vec!["m"; 5000].join("+")).contains("more than 1000 operators"));
    assert!(fault(&vec!["m"; 900].join("+")).contains("deeper than 250 levels"));
    assert!(fault(&"x".repeat(100_000)).contains("at most 65536 are read"));
    for deepest in [nested("(", 199, ")"), nested("abs(", 199, ")"), vec!["m"; 249].join("+"), nested("-", 199, "")] {
        assert_eq!(rows(&ask(&deepest, small).expect("within the limits")), 2);
    }
    assert_eq!(rows(&ask(&nested("max_over_time(", 60, "[1m:1s])"), small).expect("within the limits")), 2);
}

#[test]
fn fifty_thousand_series_are_answered_or_refused() {
    assert_eq!(rows(&ask("m", crowd).expect("many rows")), 50_000);
    assert_eq!(rows(&ask("sum(rate(m[10s]))", crowd).expect("a row")), 1);
    assert_eq!(rows(&ask("m + m", crowd).expect("many rows")), 50_000);
    let many = ask("m + on () m", crowd).expect_err("many to many");
    assert!(many.contains("many-to-many matching not allowed"), "{many}");
    let chain = ask(&vec!["m"; 200].join(" or "), crowd).expect_err("a limit");
    assert!(chain.starts_with("this expression looks at more than"), "{chain}");
    let wide = ask("avg_over_time(m[1h:1s])", crowd).expect_err("a limit");
    assert!(wide.contains("are more than this console holds at once"), "{wide}");
    let long = ask("sum_over_time(vector(1)[100y:1ms])", small).expect_err("a limit");
    assert!(long.contains("are more than this console holds at once"), "{long}");
}

#[test]
fn a_range_has_bounded_steps() {
    let expr = Expr::parse("m").expect("a selector");
    let mut evaluator = Evaluator::new(Semantics::Prometheus);
    let mut ask = |span, step| evaluator.range(&expr, &small(), span, Duration::from_millis(step));
    assert!(ask((0, 11_000_000), 1000).expect_err("too many").to_string().contains("at most 11000"));
    assert!(ask((0, 10_999_000), 1000).is_ok());
    assert!(ask((i64::MIN, i64::MAX), 1).is_err());
    assert!(ask((0, 1000), 0).is_err());
    assert!(ask((1000, 0), 1000).is_err());
}

#[test]
fn odd_texts_are_sentences() {
    for text in
        ["", " ", "#", "\"", "x{\"", "x[", "x[5m", "@", "x @", "\u{0}", "x{a=\"\u{202E}\"", "[5m:1m]", ")(", "{{}}"]
    {
        let what = Expr::parse(text).expect_err(text).to_string();
        assert!(what.ends_with(['.', '?']), "{text:?}: {what}");
    }
}
