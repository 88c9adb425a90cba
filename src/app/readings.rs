//! What a planner, and the form before it, may look at: the values of the moment it was asked, taken out of the store,
//! so that planning can read files and ask managers off the loop.

use crate::action::plan::Readings;
use crate::base::{Clean, Fault, Freshness, Mono, Now, Reading};
use crate::rules::expr::{Evaluator, Expr, Row, Value};
use crate::rules::{Live, WallOffset};
use crate::store::{Selector, Store};
use core::time::Duration;
use std::collections::BTreeMap;

/// How far back baselines may reach.
const WINDOW: Duration = Duration::from_secs(120);
/// The points of an expression's baseline lie so far apart.
const STEP: Duration = Duration::from_secs(1);

struct Taken {
    reading: Result<(f64, Duration), Fault>,
    recent: Vec<(Mono, f64)>,
    /// The highest first; none where only one value was asked for.
    rows: Vec<Row>,
}

/// The answers to a fixed set of queries.
pub struct Snapshot {
    taken: BTreeMap<String, Taken>,
    now: Mono,
}

impl Snapshot {
    /// Takes the answers to `queries` now.
    pub fn take(store: &Store, queries: &[String], now: Now) -> Self {
        Self { taken: queries.iter().map(|query| (query.clone(), taken(store, query, now))).collect(), now: now.mono }
    }
}

fn taken(store: &Store, query: &str, now: Now) -> Taken {
    let nothing = |fault| Taken { reading: Err(fault), recent: Vec::new(), rows: Vec::new() };
    let expr = match Expr::parse(query) {
        Ok(expr) => expr,
        Err(fault) => return nothing(fault),
    };
    let found = match expr.plain_selector() {
        Some(selector) => series(store, (query, selector), now.mono),
        None => answer(store, (query, &expr), now),
    };
    Taken { rows: rows(store, &expr, now), ..found.unwrap_or_else(nothing) }
}

/// All rows of an answer, the highest first.
fn rows(store: &Store, expr: &Expr, now: Now) -> Vec<Row> {
    let live = Live::new(store, now, &mut WallOffset::default());
    let at = live.millis(live.finished(expr.selectors()).mono);
    let Ok(Value::Vector(mut rows)) = Evaluator::default().instant(expr, &live, at).map(|answer| answer.value) else {
        return Vec::new();
    };
    rows.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.key.cmp(&b.key)));
    rows
}

fn not_one(query: &str, count: usize) -> Fault {
    let found = if count == 0 { "no series".to_owned() } else { format!("{count} series") };
    Fault::new(format!("`{query}` finds {found}, and a plan needs exactly one."))
}

fn not_fresh(query: &str) -> Fault {
    Fault::new(format!("`{query}` has no fresh value.")).hint("A plan never rests on a stale one.")
}

/// The one series of a plain selector, with its own age and points.
fn series(store: &Store, (query, selector): (&str, &Selector), now: Mono) -> Result<Taken, Fault> {
    let ids = store.select(selector);
    let [id] = ids[..] else { return Err(not_one(query, ids.len())) };
    let reading = match (store.reading(id, now), store.reading(id, now).usable()) {
        (Reading::Value { seen, .. }, Some(value)) => Ok((value, now.since(seen))),
        _ => Err(not_fresh(query)),
    };
    let points = store.points(id, now - WINDOW, now + Duration::from_secs(1));
    let recent = points.filter_map(|(at, value)| value.map(|value| (at, value))).collect();
    Ok(Taken { reading, recent, rows: Vec::new() })
}

/// The one row of an expression, as old as the oldest that it rests on.
fn answer(store: &Store, (query, expr): (&str, &Expr), now: Now) -> Result<Taken, Fault> {
    let live = Live::new(store, now, &mut WallOffset::default());
    let mut evaluator = Evaluator::default();
    let at = live.finished(expr.selectors()).mono;
    let row = one(evaluator.instant(expr, &live, live.millis(at))?.value).map_err(|count| not_one(query, count))?;
    let mut reading = Ok((row.value, Duration::ZERO));
    for feeder in live.feeding(expr.selectors()).iter().filter(|feeder| !feeder.told_failing) {
        let age = feeder.good.map(|good| now.mono.since(good));
        let usable =
            age.filter(|age| Freshness::judge(*age, feeder.every, feeder.failing.is_some()) < Freshness::Stale);
        reading = reading.and_then(|(value, oldest): (f64, Duration)| {
            usable.map(|age| (value, oldest.max(age))).ok_or_else(|| not_fresh(query))
        });
    }
    let span = (live.millis(at - WINDOW), live.millis(at));
    let Value::Matrix(tracks) = evaluator.range(expr, &live, span, STEP)?.value else {
        return Ok(Taken { reading, recent: Vec::new(), rows: Vec::new() });
    };
    let points = tracks.into_iter().find(|track| track.key == row.key).map(|track| track.points).unwrap_or_default();
    let back = |time: i64| Duration::from_millis(live.millis(at).saturating_sub(time).unsigned_abs());
    let recent = points.into_iter().map(|(time, value)| (at - back(time), value)).collect();
    Ok(Taken { reading, recent, rows: Vec::new() })
}

/// The only row of an answer, else how many there are.
pub fn one(value: Value) -> Result<Row, usize> {
    match value {
        Value::Scalar(value) => Ok(Row { key: crate::base::SeriesKey::new("", &[]), value }),
        Value::Vector(rows) => <[Row; 1]>::try_from(rows).map(|[row]| row).map_err(|rows| rows.len()),
        Value::Text(_) | Value::Matrix(_) => Err(0),
    }
}

impl Readings for Snapshot {
    fn reading(&self, query: &str) -> Result<(f64, Duration), Fault> {
        match self.taken.get(query) {
            Some(taken) => taken.reading.clone(),
            None => Err(Fault::new(format!("`{query}` was not asked for."))),
        }
    }

    fn recent(&self, query: &str, window: Duration) -> Vec<(Mono, f64)> {
        let from = self.now - window;
        let taken = self.taken.get(query).map(|taken| taken.recent.as_slice()).unwrap_or_default();
        taken.iter().filter(|(at, _)| *at >= from).copied().collect()
    }

    fn labels(&self, query: &str, label: &str) -> Vec<Clean> {
        let rows = self.taken.get(query).map(|taken| taken.rows.as_slice()).unwrap_or_default();
        let mut values: Vec<Clean> = Vec::new();
        for value in rows.iter().filter_map(|row| row.key.label(label)) {
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Failure, Observation, Point, Sample, Wall};

    fn at(second: u64) -> Now {
        Now {
            mono: Mono(second * 1_000_000_000),
            wall: Wall(1_795_230_720_000_000_000 + i64::try_from(second).unwrap() * 1_000_000_000),
        }
    }

    fn store(seconds: u64, failing: u64) -> Store {
        let mut store = Store::new(crate::store::Limits::default());
        for second in 0..seconds + failing {
            let lane = |lane: &str, value| Point::gauge("queue", &[("lane", lane)], value);
            let seen = Observation { points: vec![lane("a", second as f64), lane("b", 1.0)], ..Observation::default() };
            let outcome = if second < seconds { Ok(seen) } else { Err(Failure::unreachable("gone.")) };
            let every = Duration::from_secs(1);
            let took = Duration::ZERO;
            store.ingest(&Sample {
                sampler: "s".into(),
                seen: at(100 + second),
                took,
                interval: every,
                next_in: every,
                outcome,
            });
        }
        store
    }

    #[test]
    fn a_plan_may_rest_on_an_expression_with_one_row_while_all_that_it_rests_on_is_fresh() {
        let queries = ["sum(queue)", "queue", "queue * 2", "queue{lane=\"b\"}", "1 +"].map(str::to_owned);
        let taken = Snapshot::take(&store(30, 0), &queries, at(130));
        let (value, age) = taken.reading("sum(queue)").expect("one row");
        assert!((value - 30.0).abs() < 1e-9 && age == Duration::from_secs(1), "{value} {age:?}");
        let recent = taken.recent("sum(queue)", Duration::from_secs(10));
        assert!(recent.len() >= 9 && recent.iter().all(|(at, _)| at.0 >= 120_000_000_000), "{recent:?}");
        assert_eq!(taken.reading("queue{lane=\"b\"}").map(|(value, _)| value), Ok(1.0));
        for query in ["queue", "queue * 2"] {
            let fault = taken.reading(query).expect_err("two rows").to_string();
            assert!(fault.contains("finds 2 series"), "{fault}");
        }
        assert!(taken.reading("1 +").is_err());
        assert_eq!(taken.labels("queue", "lane"), ["a", "b"].map(Clean::from), "the highest first");
        assert_eq!(taken.labels("sum(queue)", "lane"), []);
        let late = Snapshot::take(&store(30, 9), &queries, at(139));
        assert!(late.reading("sum(queue)").is_err(), "a stale value is no precondition");
    }
}
