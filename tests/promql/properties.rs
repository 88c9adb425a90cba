//! What holds over any data: a range query is the instants one by one, whatever way each is computed; what is kept
//! between evaluations changes nothing; no text makes the parser fail otherwise than with a sentence.

use crate::script::{flat, same};
use core::time::Duration;
use proptest::prelude::*;
use std::collections::BTreeMap;
use watchkeeper::base::SeriesKey;
use watchkeeper::rules::expr::{Evaluator, Expr, Handle, Millis, Semantics, Source, Table};
use watchkeeper::store::Selector;

/// Over series `a` and `b` with labels `i` and `j`.
const QUERIES: &[&str] = &[
    "a",
    "a offset 7s",
    "a @ start() + a",
    "-a or b",
    "a unless on (i) b",
    "a and on (i) b > 3",
    "a + on (i, j) b",
    "a * on (i) group_left sum by (i) (b)",
    "a > bool 5",
    "rate(a[20s])",
    "increase(a[1m])",
    "delta(a[13s])",
    "irate(a[30s])",
    "idelta(a[30s])",
    "changes(a[40s])",
    "resets(a[40s])",
    "deriv(a[40s])",
    "predict_linear(a[40s], 10)",
    "predict_linear(a[40s] @ 50, 10)",
    "avg_over_time(a[25s])",
    "sum_over_time(a[25s] offset 5s)",
    "quantile_over_time(0.3, a[25s])",
    "stddev_over_time(a[25s])",
    "count_over_time(a[25s])",
    "last_over_time(a[25s])",
    "first_over_time(a[25s])",
    "absent_over_time(a{i=\"0\"}[9s])",
    "max_over_time(rate(a[20s])[40s:10s])",
    "sum by (i) (rate(a[30s]))",
    "avg without (j) (a)",
    "stdvar(a)",
    "quantile by (j) (0.7, a)",
    "topk(2, a)",
    "bottomk by (i) (1, a)",
    "count_values(\"v\", a)",
    "limitk(1, a)",
    "label_replace(a, \"i\", \"x$1\", \"i\", \"(.*)\")",
    "absent(a{i=\"0\"})",
    "timestamp(a)",
    "scalar(a{i=\"0\",j=\"0\"}) + 1",
    "clamp(a, 2, scalar(b{i=\"0\",j=\"0\"}))",
    "round(a / 3, 0.5)",
    "hour(a * 1000)",
    "time() - a",
    "histogram_quantile(0.6, label_replace(a, \"le\", \"$1\", \"j\", \"(.*)\") or label_replace(b, \"le\", \"+Inf\", \"\", \"\"))",
];

/// Series with points at irregular times, falls, gaps and stale markers.
fn table() -> impl Strategy<Value = Table> {
    let point = (0_i64..120_000, prop_oneof![4 => (0_u8..20).prop_map(|v| Some(f64::from(v))), 1 => Just(None)]);
    let series = (prop_oneof![Just("a"), Just("b")], 0_u8..2, 0_u8..3, prop::collection::vec(point, 0..14));
    prop::collection::vec(series, 1..7).prop_map(|all| {
        let mut table = Table::new();
        for (name, i, j, points) in all {
            let key = SeriesKey::new(name, &[("i", &i.to_string()), ("j", &j.to_string())]);
            for (at, value) in points {
                match value {
                    Some(value) => table.push(&key, at, value),
                    None => table.push_stale(&key, at),
                }
            }
        }
        table
    })
}

/// The same points without an index.
struct Scanned<'a>(&'a Table);

impl Source for Scanned<'_> {
    fn generation(&self) -> u64 {
        self.0.generation()
    }

    fn select(&self, selector: &Selector) -> Vec<Handle> {
        self.0.select(selector)
    }

    fn key(&self, series: Handle) -> &SeriesKey {
        self.0.key(series)
    }

    fn latest(&self, series: Handle, at: Millis, within: Option<Millis>) -> Option<(Millis, f64)> {
        self.0.latest(series, at, within)
    }

    fn scan(&self, series: Handle, after: Millis, until: Millis, out: &mut Vec<(Millis, f64)>) {
        self.0.scan(series, after, until, out);
    }
}

type Points = BTreeMap<(SeriesKey, Millis), f64>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_range_query_is_the_instants_one_by_one(table in table(), start in 0_i64..60_000, step in 1_i64..20_000) {
        let end = start + 4 * step;
        for query in QUERIES {
            let expr = Expr::parse(query).expect(query);
            // `start()` means the beginning of the whole query.
            if query.contains("start()") {
                continue;
            }
            let mut kept = Evaluator::new(Semantics::Prometheus);
            let range = kept.range(&expr, &table, (start, end), Duration::from_millis(step.unsigned_abs()));
            let mut instants = Points::new();
            let mut failed = false;
            for at in (0..5).map(|index| start + index * step) {
                let fresh = Evaluator::new(Semantics::Prometheus).instant(&expr, &table, at);
                let again = kept.instant(&expr, &table, at);
                prop_assert_eq!(fresh.is_ok(), again.is_ok(), "{} at {}", query, at);
                let (Ok(fresh), Ok(again)) = (fresh, again) else {
                    failed = true;
                    continue;
                };
                prop_assert_eq!(format!("{:?}", flat(&fresh.value)), format!("{:?}", flat(&again.value)), "{}", query);
                instants.extend(flat(&fresh.value).into_iter().map(|(key, points)| ((key, at), points[0].1)));
            }
            // One step that fails makes the whole range fail.
            prop_assert_eq!(range.is_err(), failed, "{}", query);
            let Ok(range) = range else { continue };
            let range: Points =
                flat(&range.value).into_iter().flat_map(|(key, points)| points.into_iter().map(move |(at, value)| ((key.clone(), at), value))).collect();
            let keys = |points: &Points| points.keys().cloned().collect::<Vec<_>>();
            prop_assert_eq!(keys(&instants), keys(&range), "{}", query);
            for (place, value) in &instants {
                prop_assert!(same(*value, range[place]), "{} {:?}: {} and {}", query, place, value, range[place]);
            }
        }
    }

    #[test]
    fn what_is_kept_follows_the_series_that_come(table in table(), at in 0_i64..120_000) {
        let mut table = table;
        let mut kept = Evaluator::new(Semantics::Prometheus);
        for round in 0..3_u8 {
            for query in QUERIES {
                let expr = Expr::parse(query).expect(query);
                let [kept, fresh] = [&mut kept, &mut Evaluator::new(Semantics::Prometheus)]
                    .map(|evaluator| evaluator.instant(&expr, &table, at).map(|answer| format!("{answer:?}")));
                prop_assert_eq!(kept, fresh, "{} in round {}", query, round);
            }
            let key = SeriesKey::new(if round == 0 { "a" } else { "b" }, &[("i", "1"), ("j", &(7 + round).to_string())]);
            table.push(&key, at, f64::from(round));
        }
    }

    #[test]
    fn the_ends_of_a_window_are_those_of_its_scan(table in table(), after in -1000_i64..120_000, span in 0_i64..90_000) {
        let every = Expr::parse(r#"{__name__=~".+"}"#).expect("every series");
        for series in table.select(&every.selectors()[0]) {
            let fast = table.ends(series, after, after + span);
            prop_assert_eq!(fast, Scanned(&table).ends(series, after, after + span));
        }
    }

    #[test]
    fn any_text_is_an_expression_or_a_sentence(text in r#"([a-z(){}\[\]"',:@=~!<>+*/ 0-9.#\\-]|rate\(|sum by|[5m]| on \(| offset | and |\PC){0,40}"#) {
        match Expr::parse(&text) {
            Ok(expr) => drop(Evaluator::new(Semantics::Prometheus).instant(&expr, &Table::new(), 0)),
            Err(fault) => prop_assert!(fault.to_string().ends_with(['.', '?']), "{}", fault),
        }
    }
}
