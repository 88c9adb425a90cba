//! Spans of a request as bars to one scale: their sum, their total, the slowest, and how old they are.

use super::desk::Desk;
use insta::assert_snapshot;
use watchkeeper::base::{Failure, Observation, Point};

const PROFILE: &str = r#"
title = "Orders"
environment = "test"
[samplers.app]
kind = "host"
[[panes]]
title = "Request trace"
kind = "spans"
label = "span"
query = 'last_over_time(span_seconds{span!="total"}[5m])'
unit = "seconds"
total = 'max(last_over_time(span_seconds{span="total"}[5m]))'
[[panes]]
title = "Load"
kind = "sparkline"
query = "node_load1"
"#;

const FOUR: [(&str, f64); 4] =
    [("validate_order", 0.0012), ("check_risk", 0.0025), ("execute_order", 0.0301), ("update_database", 0.0044)];

fn spans(rows: &[(&str, f64)]) -> Observation {
    let point = |(span, took): &(&str, f64)| Point::gauge("span_seconds", &[("span", span)], *took);
    let mut points: Vec<Point> = rows.iter().map(point).collect();
    points.push(Point::gauge("node_load1", &[], 1.0));
    Observation { points, ..Observation::default() }
}

fn told(total: Option<f64>, size: (u16, u16)) -> Desk {
    let mut desk = Desk::of(PROFILE, size);
    let total = total.map(|total| ("total", total));
    desk.says("app", Ok(spans(&FOUR.into_iter().chain(total).collect::<Vec<_>>())));
    desk
}

#[test]
fn four_spans_stand_to_one_scale_the_slowest_is_named_and_their_sum_is_the_total() {
    for size in [(80, 24), (120, 40)] {
        let screen = told(Some(0.0382), size).screen();
        let name = format!("four_spans_{}", size.0);
        assert_snapshot!(name, screen);
        assert_eq!(screen.matches("SLOWEST").count(), 1, "{screen}");
        let slowest = screen.lines().find(|line| line.contains("SLOWEST")).expect("a line");
        assert!(slowest.contains("execute_order") && slowest.contains("30.1 ms"), "{slowest}");
        assert!(screen.contains("sum = total 38.2 ms"), "{screen}");
    }
}

#[test]
fn without_colour_and_signs_the_bars_are_plain() {
    let screen = told(Some(0.0382), (80, 24)).ascii();
    assert!(screen.is_ascii(), "{screen}");
    assert_snapshot!(screen);
}

#[test]
fn what_the_total_has_beyond_its_spans_is_told_and_so_is_what_is_over_it() {
    let more = told(Some(0.04), (120, 40)).screen();
    assert!(more.contains("sum 38.2 ms, total 40.0 ms: 1.80 ms in none"), "{more}");
    let less = told(Some(0.03), (120, 40)).screen();
    assert!(less.contains("sum 38.2 ms, total 30.0 ms: 8.20 ms over"), "{less}");
    let none = told(None, (120, 40)).screen();
    assert!(none.contains("sum 38.2 ms") && !none.contains("total 3"), "{none}");
}

#[test]
fn a_trace_shows_the_age_of_its_newest_span_and_old_ones_are_not_shown_as_live() {
    let mut desk = told(Some(0.0382), (120, 40));
    for _ in 0..110 {
        desk.says("app", Ok(spans(&[])));
    }
    let line = |screen: &str| screen.lines().find(|line| line.contains("Request trace")).expect("a line").to_owned();
    let aged = line(&desk.screen());
    assert!(aged.contains("66s"), "the source is fresh, the trace is not: {aged}");
    for _ in 0..12 {
        desk.says("app", Err(Failure::unreachable("app: no answer within 1.00 s, since 03:12:06 UTC.")));
    }
    let stale = desk.screen();
    assert!(stale.contains("STALE") && stale.contains("sum —"), "{stale}");
    assert!(!stale.contains("30.1 ms") && !stale.contains("SLOWEST"), "{stale}");
    let bar = |line: &str| line.starts_with(" execute_order ") && line.chars().take(40).any(|c| c == '█');
    assert!(!stale.lines().any(bar), "{stale}");
    assert!(stale.contains("app: no answer within 1.00 s"), "{stale}");
}

#[test]
fn before_any_span_the_pane_says_that_it_waits() {
    let desk = Desk::of(PROFILE, (80, 24));
    let screen = desk.screen();
    assert!(screen.contains("UNKNOWN"), "{screen}");
}
