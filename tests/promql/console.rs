//! What the console does otherwise than Prometheus: look-back by series, windows clipped to the recording, coverage.

use core::time::Duration;
use watchkeeper::base::{Clean, SeriesKey};
use watchkeeper::rules::expr::{Coverage, Ends, Evaluator, Expr, Handle, Millis, Semantics, Source, Table, Value};
use watchkeeper::store::Selector;

/// Recorded since 100 s: `old` was there from the beginning, `young` came at 130 s. The second part is the revision.
struct Recorded(Table, Option<u64>);

impl Recorded {
    fn new() -> Self {
        let mut table = Table::new();
        for at in 100..=140 {
            let value = f64::from(at - 100);
            table.push(&SeriesKey::new("old_total", &[]), Millis::from(at) * 1000, value);
            if at >= 130 {
                table.push(&SeriesKey::new("young_total", &[]), Millis::from(at) * 1000, value);
            }
        }
        Self(table, None)
    }
}

impl Source for Recorded {
    fn generation(&self) -> u64 {
        self.0.generation()
    }

    fn revision(&self) -> Option<u64> {
        self.1
    }

    fn select(&self, selector: &Selector) -> Vec<Handle> {
        self.0.select(selector)
    }

    fn key(&self, series: Handle) -> &SeriesKey {
        self.0.key(series)
    }

    fn latest(&self, series: Handle, at: Millis, within: Option<Millis>) -> Option<(Millis, f64)> {
        self.0.latest(series, at, Some(within.unwrap_or(5000)))
    }

    fn scan(&self, series: Handle, after: Millis, until: Millis, out: &mut Vec<(Millis, f64)>) {
        self.0.scan(series, after, until, out);
    }

    fn ends(&self, series: Handle, after: Millis, until: Millis) -> Option<Ends> {
        self.0.ends(series, after, until)
    }

    fn recorded_since(&self, _: Handle) -> Millis {
        100_000
    }
}

fn ask(query: &str, semantics: Semantics, at: Millis) -> (Option<f64>, Option<Coverage>) {
    let expr = Expr::parse(query).expect(query);
    let answer = Evaluator::new(semantics).instant(&expr, &Recorded::new(), at).expect(query);
    let value = match answer.value {
        Value::Vector(rows) => rows.first().map(|row| row.value),
        other => panic!("{other:?}"),
    };
    (value, answer.coverage)
}

const fn covered(have: u64, want: u64) -> Coverage {
    Coverage { have: Duration::from_secs(have), want: Duration::from_secs(want) }
}

#[test]
fn a_rate_over_a_short_history_is_the_rate_of_what_was_recorded() {
    let query = "rate(old_total[5m])";
    assert_eq!(ask(query, Semantics::Console, 110_000), (Some(1.0), Some(covered(10, 300))));
    let (prometheus, coverage) = ask(query, Semantics::Prometheus, 110_000);
    assert!(prometheus.expect("a value") < 0.05 && coverage.is_none());
    assert_eq!(ask("increase(old_total[5m])", Semantics::Console, 110_000), (Some(10.0), Some(covered(10, 300))));
    assert_eq!(ask("rate(old_total[30s])", Semantics::Console, 140_000), (Some(1.0), None));
}

#[test]
fn a_series_that_was_born_later_keeps_the_window() {
    let (console, coverage) = ask("increase(young_total[20s])", Semantics::Console, 140_000);
    assert_eq!((console, coverage), (ask("increase(young_total[20s])", Semantics::Prometheus, 140_000).0, None));
    // It was absent for the first 30 s of the recording: those count.
    let clipped = ask("rate(young_total[5m])", Semantics::Console, 140_000);
    assert!(clipped.0.expect("a value") < 0.3, "{clipped:?}");
    assert_eq!(clipped.1, Some(covered(40, 300)));
}

#[test]
fn a_range_query_is_clipped_step_by_step() {
    let expr = Expr::parse("rate(old_total[30s])").expect("a rate");
    let mut evaluator = Evaluator::new(Semantics::Console);
    let span = (110_000, 140_000);
    let answer = evaluator.range(&expr, &Recorded::new(), span, Duration::from_secs(10)).expect("a range");
    let Value::Matrix(tracks) = answer.value else { panic!("no matrix") };
    assert_eq!(tracks[0].points, [110_000, 120_000, 130_000, 140_000].map(|at| (at, 1.0)));
}

#[test]
fn the_look_back_is_that_of_the_series() {
    assert_eq!(ask("old_total", Semantics::Console, 144_000), (Some(40.0), None));
    assert_eq!(ask("old_total", Semantics::Console, 145_000), (None, None));
    assert_eq!(ask("old_total", Semantics::Prometheus, 145_000).0, Some(40.0));
}

#[test]
fn coverage_is_that_of_the_worst_window() {
    assert_eq!(ask("avg_over_time(old_total[1m])", Semantics::Console, 130_000).1, Some(covered(30, 60)));
    assert_eq!(
        ask("rate(old_total[10s]) / rate(old_total[2m])", Semantics::Console, 130_000).1,
        Some(covered(30, 120))
    );
    assert_eq!(ask("max_over_time(rate(old_total[10s])[1m:5s])", Semantics::Console, 130_000).1, Some(covered(30, 70)));
    assert_eq!(ask("old_total offset 1m", Semantics::Console, 130_000).1, Some(covered(30, 60)));
    assert_eq!(ask("rate(old_total[10s] offset 10s)", Semantics::Console, 130_000), (Some(1.0), None));
}

#[test]
fn the_longest_window_counts_all_that_looks_back() {
    let longest = |query: &str| Expr::parse(query).expect(query).longest_window().as_secs();
    assert_eq!(longest("up"), 0);
    assert_eq!(longest("up offset 5m"), 300);
    assert_eq!(longest("up offset -5m"), 0);
    assert_eq!(longest("rate(x[5m]) + rate(y[1h] offset 10m)"), 4200);
    assert_eq!(longest("max_over_time(rate(x[5m])[1h:1m] offset 1m)"), 3960);
}

#[test]
fn an_expression_tells_its_selectors_and_whether_it_is_one() {
    let expr = Expr::parse(r#"histogram_quantile(0.9, sum by (le) (rate(x_bucket{a="b"}[5m]))) > 2 and up"#).expect("");
    let names: Vec<&str> =
        expr.selectors().iter().filter_map(|selector| selector.name.as_ref()).map(Clean::as_str).collect();
    assert_eq!(names, ["x_bucket", "up"]);
    assert!(expr.plain_selector().is_none());
    let plain = |query: &str| Expr::parse(query).expect(query).plain_selector().is_some();
    assert!(plain("up") && plain(r#"(up{a="b"})"#) && plain(r#"{__name__="up"}"#));
    assert!(!plain("up offset 1m") && !plain("up @ 5") && !plain("up[5m]") && !plain("-up"));
}

#[test]
fn the_step_of_a_subquery_without_one_can_be_set() {
    let expr = Expr::parse("count_over_time(vector(1)[1m:])").expect("a sub-query");
    let ask = |mut evaluator: Evaluator| match evaluator.instant(&expr, &Table::new(), 600_000).expect("").value {
        Value::Vector(rows) => rows[0].value,
        other => panic!("{other:?}"),
    };
    assert_eq!(ask(Evaluator::new(Semantics::Console)), 1.0);
    assert_eq!(ask(Evaluator::new(Semantics::Console).with_default_step(Duration::from_secs(15))), 4.0);
}

#[test]
fn a_value_is_worked_out_once_for_a_moment_and_a_revision() {
    let mut source = Recorded::new();
    let mut evaluator = Evaluator::new(Semantics::Console);
    let mut ask = |source: &Recorded, query: &str| {
        let expr = Expr::parse(query).expect(query);
        match evaluator.instant(&expr, source, 140_000).expect(query).value {
            Value::Vector(rows) => rows[0].value,
            other => panic!("{other:?}"),
        }
    };
    let key = SeriesKey::new("old_total", &[]);
    source.1 = Some(1);
    assert_eq!(ask(&source, "sum(old_total)"), 40.0);
    // Behind the evaluator's back: nothing says that the point has changed.
    source.0.push(&key, 140_000, 50.0);
    assert_eq!(ask(&source, "1 + sum(old_total)"), 41.0);
    source.1 = Some(2);
    assert_eq!(ask(&source, "1 + sum(old_total)"), 51.0);
    source.1 = None;
    source.0.push(&key, 140_000, 60.0);
    assert_eq!(ask(&source, "sum(old_total)"), 60.0);
    source.0.push(&key, 140_000, 70.0);
    assert_eq!(ask(&source, "sum(old_total)"), 70.0);
}
