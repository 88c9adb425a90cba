//! What an expression answers now, as a pane shows it: the worst row by name, as fresh as the least fresh of the
//! samplers that it rests on; and the course of each row, drawn from one instant query a tick.

use super::course::{Course, Range};
use super::metric::{Metric, Shown, telling};
use super::trouble;
use crate::base::time::Zone;
use crate::base::{Clean, Failure, Freshness, Level, Mono, Now, Reading, SeriesKey, Unknown};
use crate::clean;
use crate::rules::expr::{Answer, Evaluator, Expr, Millis, Row, Track, Value};
use crate::rules::{Book, Live, Sides};
use crate::store::{History, Selector, Store};
use core::time::Duration;

/// An expression is asked again when new data has come, but not sooner than this.
const SOONEST: Duration = Duration::from_millis(500);
/// It is asked again without new data after this: time alone may change what it answers.
const LATEST: Duration = Duration::from_millis(1_500);
/// Rows of one expression whose courses are kept.
const ROWS: usize = 8;
/// New rows get the course that the store still holds, but not more often than this.
const SEEDING: Duration = Duration::from_secs(10);

/// What panes are read from.
pub(super) struct Sight<'a> {
    pub(super) store: &'a Store,
    pub(super) history: &'a History,
    pub(super) book: &'a Book,
    pub(super) live: Live<'a>,
    pub(super) now: Now,
    /// The clock that sentences are said on.
    pub(super) zone: Zone,
}

impl Sight<'_> {
    /// A time of expressions on the clock of ages.
    pub(super) fn mono(&self, at: Millis) -> Mono {
        let ahead = at.saturating_sub(self.live.now());
        let span = Duration::from_millis(ahead.unsigned_abs());
        if ahead < 0 { self.now.mono - span } else { self.now.mono + span }
    }

    /// When data last came.
    fn newest(&self) -> Option<Mono> {
        self.store.samplers().filter_map(|(_, health)| health.last_attempt).map(|at| at.mono).max()
    }
}

/// When an expression was last asked, and what was known then.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    at: Option<Mono>,
    newest: Option<Mono>,
    tracks: Vec<(SeriesKey, Course)>,
    seeded: Option<Mono>,
}

impl Asked {
    /// Whether it is time to ask again; then it counts as asked.
    pub(super) fn due(&mut self, sight: &Sight<'_>) -> bool {
        let newest = sight.newest();
        let due = self.at.is_none_or(|at| {
            let since = sight.now.mono.since(at);
            since >= LATEST || since >= SOONEST && newest != self.newest
        });
        if due {
            *self = Self { at: Some(sight.now.mono), newest, ..core::mem::take(self) };
        }
        due
    }

    /// The course that is drawn for the first of `rows`. A range query is only made for a new range or a new row.
    fn follow(
        &mut self,
        rows: &[Row],
        (range, low): (Range, bool),
        sight: &Sight<'_>,
        seed: impl FnOnce() -> Vec<Track>,
    ) -> Course {
        let now = sight.now.mono;
        if self.tracks.first().is_some_and(|(_, course)| course.range != range) {
            self.tracks.clear();
            self.seeded = None;
        }
        let rows = rows.get(..rows.len().min(ROWS)).unwrap_or(rows);
        let known = |tracks: &[(SeriesKey, Course)], key: &SeriesKey| tracks.iter().position(|(known, _)| known == key);
        let fresh: Vec<SeriesKey> =
            rows.iter().map(|row| &row.key).filter(|key| known(&self.tracks, key).is_none()).cloned().collect();
        if !fresh.is_empty() {
            let may = self.seeded.is_none_or(|at| now.since(at) >= SEEDING);
            let held = if may { seed() } else { Vec::new() };
            self.seeded = if may { Some(now) } else { self.seeded };
            for key in fresh {
                let mut course = Course::new(range, low);
                for (at, value) in held.iter().filter(|track| track.key == key).flat_map(|track| &track.points) {
                    course.add(sight.mono(*at), *value);
                }
                self.tracks.push((key, course));
            }
        }
        for row in rows {
            if let Some((_, course)) = self.tracks.iter_mut().find(|(key, _)| *key == row.key) {
                course.add(now, row.value);
            }
        }
        for (_, course) in &mut self.tracks {
            course.advance(now);
        }
        let shown = rows.first().map(|row| row.key.clone()).or_else(|| self.tracks.first().map(|(key, _)| key.clone()));
        // The shown row first: when there are too many, the others leave, the oldest first.
        if let Some(at) = shown.and_then(|key| known(&self.tracks, &key)) {
            let drawn = self.tracks.remove(at);
            self.tracks.insert(0, drawn);
        }
        if self.tracks.len() > 2 * ROWS {
            let excess = self.tracks.len() - ROWS;
            self.tracks.drain(1..=excess);
        }
        self.tracks.first().map_or_else(|| Course::new(range, low), |(_, course)| course.clone())
    }
}

/// Asks a general expression, unless it was asked just now. The course is drawn where one is wanted.
pub(super) fn ask(metric: &mut Metric, sight: &Sight<'_>, evaluator: &mut Evaluator, course: Option<&mut Course>) {
    if !metric.asked.due(sight) {
        metric.shown.level = level(metric, sight, &metric.shown.reading);
        if let Some(course) = course {
            course.advance(sight.now.mono);
        }
        return;
    }
    let sides = sight.book.sides(&metric.expr, &sight.live);
    let expr = sides.expr(&metric.expr);
    let at = sight.live.millis(sight.live.finished(expr.selectors()).mono);
    let answer = evaluator.instant(expr, &sight.live, at);
    let fed = Fed::of(sight, expr.selectors());
    let feeders = sight.store.feeders(expr.selectors());
    let promised = feeders.iter().filter(|feeder| feeder.told_failing).map(|feeder| feeder.health.promised()).max();
    let (mut rows, coverage, fault) = match answer {
        Ok(Answer { value, coverage, .. }) => (rows_of(value), coverage, None),
        Err(fault) => (Vec::new(), None, Some(Clean::text(fault.to_string()))),
    };
    rows.sort_by(|a, b| metric.compare(b.value, a.value).then_with(|| a.key.cmp(&b.key)));
    let reading = match (fault, rows.first()) {
        (Some(fault), _) => Reading::Unknown(Unknown::Failed(fault)),
        (None, Some(row)) => fed.reading(row.value, sight.now.mono),
        (None, None) => fed.absence(metric, sight),
    };
    let key = rows.first().map(|row| row.key.clone());
    let of = metric.of.as_ref().zip(key.as_ref()).and_then(|(of, key)| total(of, key, sight, evaluator));
    metric.shown = Shown {
        level: level(metric, sight, &reading),
        of,
        which: key.and_then(|key| telling(&rows.iter().map(|row| &row.key), &key)),
        simulated: fed.simulated,
        next_attempt: fed.next_attempt,
        coverage,
        interval: fed.interval.max(promised.unwrap_or_default()),
        trouble: match reading {
            Reading::NotSupported => trouble::not_offered(sight.store, expr.selectors()),
            _ => trouble::among(&feeders, sight.now.mono, sight.zone).or_else(|| instead(&sides)),
        },
        forecast: metric.shown.forecast,
        reading,
    };
    let Some(course) = course else { return };
    let (expr, range) = (&metric.expr, course.range);
    let begin = Course::new(range, false).begin(sight.now.mono).max(sight.now.mono - sight.store.limits().age);
    let seed = || tracks(expr, sight, evaluator, (begin, range.column()));
    *course = metric.asked.follow(&rows, (range, metric.worst_is_low()), sight, seed);
}

/// Which of two sources a value does not come from.
pub(super) fn instead(sides: &Sides) -> Option<Clean> {
    sides.missing.as_ref().map(|why| clean!("by the other source, without {why}"))
}

fn level(metric: &Metric, sight: &Sight<'_>, reading: &Reading) -> Level {
    match (metric.rule, reading.usable()) {
        (_, None) => Level::Unknown,
        (Some(rule), Some(_)) => sight.book.level(rule),
        (None, Some(_)) => Level::Ok,
    }
}

/// The rows of an instant query.
fn rows_of(value: Value) -> Vec<Row> {
    match value {
        Value::Vector(rows) => rows,
        Value::Scalar(value) => vec![Row { key: SeriesKey::new("", &[]), value }],
        Value::Text(_) | Value::Matrix(_) => Vec::new(),
    }
}

/// What the expression answered from `begin` on, a point every `step`.
pub(super) fn tracks(
    expr: &Expr,
    sight: &Sight<'_>,
    evaluator: &mut Evaluator,
    (begin, step): (Mono, Duration),
) -> Vec<Track> {
    let span = (sight.live.millis(begin), sight.live.now());
    match evaluator.range(expr, &sight.live, span, step).map(|answer| answer.value) {
        Ok(Value::Matrix(tracks)) => tracks,
        _ => Vec::new(),
    }
}

/// The newest points of the first row, for a forecast.
pub(super) fn recent(metric: &Metric, sight: &Sight<'_>, evaluator: &mut Evaluator, count: u32) -> Vec<(Mono, f64)> {
    let begun = sight.store.feeders(metric.expr.selectors()).iter().filter_map(|feeder| feeder.since).min();
    let age = begun.map_or(Duration::ZERO, |begun| sight.now.mono.since(begun)).min(sight.store.limits().age);
    let step = (age / count).max(Duration::from_secs(1));
    let held = tracks(&metric.expr, sight, evaluator, (sight.now.mono - age, step));
    let shown = metric.asked.tracks.first().map(|(key, _)| key);
    let track = held.iter().find(|track| Some(&track.key) == shown).or_else(|| held.first());
    let points = track.map(|track| track.points.as_slice()).unwrap_or_default();
    points.iter().map(|(at, value)| (sight.mono(*at), *value)).collect()
}

/// Every row that an expression answers now, and how far they may be believed; or why there are none.
pub(super) fn rows(
    expr: &Expr,
    sight: &Sight<'_>,
    evaluator: &mut Evaluator,
) -> (Vec<Row>, Result<(Mono, Freshness), Unknown>, bool) {
    let sides = sight.book.sides(expr, &sight.live);
    let expr = sides.expr(expr);
    let at = sight.live.millis(sight.live.finished(expr.selectors()).mono);
    let fed = Fed::of(sight, expr.selectors());
    let rows = match evaluator.instant(expr, &sight.live, at) {
        Ok(answer) => rows_of(answer.value),
        Err(fault) => return (Vec::new(), Err(Unknown::Failed(Clean::text(fault.to_string()))), fed.simulated),
    };
    let believed = match (&fed.missing, &fed.failing) {
        (Some(why), _) if rows.is_empty() => Err(why.clone()),
        (_, Some(why)) if rows.is_empty() => Err(Unknown::Failed(why.clone())),
        _ => Ok((fed.seen.unwrap_or(sight.now.mono), fed.freshness)),
    };
    (rows, believed, fed.simulated)
}

/// The total of the shown row: the one with its labels, else the only one there is.
pub(super) fn total(of: &Expr, key: &SeriesKey, sight: &Sight<'_>, evaluator: &mut Evaluator) -> Option<f64> {
    let at = sight.live.millis(sight.live.finished(of.selectors()).mono);
    let rows = evaluator.instant(of, &sight.live, at).map(|answer| rows_of(answer.value)).ok()?;
    let same = rows.iter().find(|row| row.key.labels == key.labels);
    let only = || if let [row] = rows.as_slice() { Some(row) } else { None };
    same.or_else(only).map(|row| row.value)
}

/// The samplers that an expression rests on, taken together: the worst of each.
struct Fed {
    /// When the one that has been silent longest last gave something.
    seen: Option<Mono>,
    freshness: Freshness,
    failing: Option<Clean>,
    /// One of them has not given anything yet, and why.
    missing: Option<Unknown>,
    simulated: bool,
    interval: Duration,
    next_attempt: Option<Mono>,
}

impl Fed {
    fn of(sight: &Sight<'_>, selectors: &[Selector]) -> Self {
        let mut fed = Self {
            seen: None,
            freshness: Freshness::Live,
            failing: None,
            missing: None,
            simulated: false,
            interval: Duration::ZERO,
            next_attempt: None,
        };
        for feeder in sight.store.feeders(selectors) {
            let health = feeder.health;
            // Whether it answered is known with every attempt.
            let failure = health.failure.as_ref().filter(|_| !feeder.told_failing);
            fed.simulated |= health.simulated;
            fed.interval = fed.interval.max(health.interval);
            if let Some(failure) = failure {
                fed.failing.get_or_insert_with(|| failure.what.clone());
                fed.next_attempt = fed.next_attempt.into_iter().chain(health.next_attempt).min();
            }
            let Some(last) = feeder.last() else {
                fed.missing.get_or_insert_with(|| failure.map_or(Unknown::NotYet, Failure::reason));
                continue;
            };
            let age = sight.now.mono.since(last);
            let every = if feeder.told_failing { health.promised() } else { health.interval };
            fed.freshness = fed.freshness.max(Freshness::judge(age, every, failure.is_some()));
            fed.seen = Some(fed.seen.map_or(last, |seen| seen.min(last)));
        }
        // What rests on no sampler is as old as its calculation.
        fed.interval = if fed.interval.is_zero() { Duration::from_secs(1) } else { fed.interval };
        fed
    }

    fn reading(&self, value: f64, now: Mono) -> Reading {
        match &self.missing {
            Some(why) => Reading::Unknown(why.clone()),
            None => Reading::Value {
                value,
                seen: self.seen.unwrap_or(now),
                freshness: self.freshness,
                failing: self.failing.clone(),
            },
        }
    }

    /// Why there is no row: the last value when it is only too old; else who does not give what is asked for.
    fn absence(&self, metric: &Metric, sight: &Sight<'_>) -> Reading {
        if let Reading::Value { value, seen, .. } = metric.shown.reading
            && self.freshness >= Freshness::Late
        {
            // The look-back of an expression ends with its last moment, that of an age after it.
            let freshness = self.freshness.max(Freshness::Stale);
            return Reading::Value { value, seen, freshness, failing: self.failing.clone() };
        }
        let empty = metric.expr.selectors().iter().filter(|selector| sight.store.select(selector).is_empty());
        let lacks: Vec<Reading> = empty.map(|selector| sight.store.absence(selector)).collect();
        // Whose sources answer without it is not explained by one that would give anything.
        let answered = !lacks.is_empty() && lacks.iter().all(|lack| *lack == Reading::Unknown(Unknown::NoSuchSeries));
        if let Some(why) = self.missing.as_ref().filter(|_| !answered) {
            return Reading::Unknown(why.clone());
        }
        match (lacks.into_iter().next(), &self.failing) {
            (Some(lack), _) => lack,
            (None, Some(why)) => Reading::Unknown(Unknown::Failed(why.clone())),
            (None, None) => Reading::Unknown(Unknown::Empty),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Board, Pane};
    use crate::base::{Observation, Point, Sample, Unit, Wall};
    use crate::rules::expr::Coverage;
    use crate::rules::{Bands, BookOptions};
    use crate::store::{History, Limits};

    /// What a sampler gives; `None` when it fails.
    type Given = Option<Vec<Point>>;

    struct Bench {
        store: Store,
        board: Board,
        book: Book,
        second: u64,
    }

    impl Bench {
        fn new(query: &str, bands: Option<Bands>) -> Self {
            let mut metric = Metric::plain("m".into(), Expr::parse(query).expect("a query"), Unit::Count);
            metric.bands = bands;
            let pane = Pane { headline: Some(metric), ..Pane::new("sparkline", &"t".into()) };
            let mut store = Store::new(Limits::default());
            for name in ["a", "b"] {
                store.declare(&name.into(), Duration::from_secs(1), name == "b");
            }
            let book = Book::new(Vec::new(), BookOptions::default());
            Self { store, board: Board::new(vec![pane]), book, second: 1_000 }
        }

        fn now(&self) -> Now {
            let nanos = self.second * 1_000_000_000;
            Now { mono: Mono(nanos), wall: Wall(1_795_230_720_000_000_000 + i64::try_from(nanos).expect("small")) }
        }

        /// A second in which these samplers give these points, or nothing.
        fn second(&mut self, given: &[(&str, Given)]) -> &Shown {
            self.second += 1;
            for (sampler, points) in given {
                let outcome = match points {
                    Some(points) => Ok(Observation { points: points.clone(), ..Observation::default() }),
                    None => Err(Failure::unreachable("gone.")),
                };
                let (seen, took, interval) = (self.now(), Duration::ZERO, Duration::from_secs(1));
                let sampler = (*sampler).into();
                self.store.ingest(&Sample { sampler, seen, took, interval, next_in: interval, outcome });
            }
            let now = self.now();
            self.board.refresh(&self.store, &History::default(), &self.book, now);
            self.shown()
        }

        fn shown(&self) -> &Shown {
            self.board.panes.first().and_then(|pane| pane.headline.as_ref()).map(|metric| &metric.shown).expect("shown")
        }

        fn columns(&self) -> Vec<Option<f64>> {
            self.board.panes.first().map(|pane| pane.course.columns()).unwrap_or_default()
        }
    }

    fn counter(value: f64) -> Vec<Point> {
        vec![Point::counter("x_total", &[], value)]
    }

    fn gauge(name: &str, value: f64) -> Vec<Point> {
        vec![Point::gauge(name, &[], value)]
    }

    #[test]
    fn a_rate_says_how_much_of_its_window_it_rests_on_until_that_is_whole() {
        let mut bench = Bench::new("rate(x_total[1m])", None);
        assert_eq!(bench.second(&[]).reading, Reading::Unknown(Unknown::NotYet));
        for second in 0..31 {
            bench.second(&[("a", Some(counter(f64::from(second) * 7.0))), ("b", Some(gauge("y", 1.0)))]);
        }
        let shown = bench.shown();
        let value = shown.reading.usable().expect("a value");
        assert!((value - 7.0).abs() < 0.5, "{value}");
        let Coverage { have, want } = shown.coverage.expect("not whole");
        assert_eq!((have.as_secs(), want.as_secs()), (30, 60));
        assert_eq!(
            (shown.freshness(bench.now().mono), shown.level, shown.simulated),
            (Freshness::Live, Level::Ok, false)
        );
        for second in 31..70 {
            bench.second(&[("a", Some(counter(f64::from(second) * 7.0)))]);
        }
        assert_eq!(bench.shown().coverage, None);
    }

    #[test]
    fn an_expression_is_as_fresh_as_the_worst_of_its_samplers_and_a_stale_one_is_never_ok() {
        let mut bench = Bench::new("x + on() y", None);
        for _ in 0..9 {
            bench.second(&[("a", Some(gauge("x", 1.0))), ("b", Some(gauge("y", 2.0)))]);
        }
        assert_eq!((bench.shown().reading.usable(), bench.shown().simulated), (Some(3.0), true));
        for second in 1..=9 {
            bench.second(&[("a", Some(gauge("x", 1.0))), ("b", None)]);
            let now = bench.now().mono;
            let (freshness, level) = (bench.shown().freshness(now), bench.shown().level_now(now));
            let expected = if second < 5 { Freshness::Late } else { Freshness::Stale };
            assert_eq!(freshness, expected, "after {second} s");
            assert_eq!(level == Level::Ok, second < 5);
        }
        let Reading::Value { value, failing, seen, .. } = &bench.shown().reading else {
            panic!("the last value stays")
        };
        assert_eq!((*value, failing.as_ref().map(Clean::as_str)), (3.0, Some("gone.")));
        assert_eq!(bench.now().mono.since(*seen), Duration::from_secs(9));
        let columns = bench.columns();
        assert_eq!(columns.last(), Some(&None), "a chart shows a gap: {columns:?}");
    }

    #[test]
    fn of_two_sources_the_one_that_is_there_is_shown_as_fresh_as_it_is_and_who_is_missing_is_told() {
        let mut bench = Bench::new("max(x) or max(y)", Some(Bands::limits(10.0, 20.0)));
        for _ in 0..4 {
            bench.second(&[("a", Some(gauge("x", 1.0))), ("b", Some(gauge("y", 2.0)))]);
        }
        assert_eq!((bench.shown().reading.usable(), bench.shown().trouble.clone()), (Some(1.0), None));
        for _ in 0..12 {
            bench.second(&[("a", None), ("b", Some(gauge("y", 2.0)))]);
        }
        let told = bench.shown().trouble.clone().expect("told");
        assert_eq!(
            (bench.shown().reading.usable(), told.as_str()),
            (Some(2.0), "by the other source, without a: gone.")
        );
        let now = bench.now().mono;
        assert_eq!((bench.shown().freshness(now), bench.shown().level_now(now)), (Freshness::Live, Level::Ok));
        for _ in 0..6 {
            bench.second(&[("a", None), ("b", None)]);
        }
        let now = bench.now().mono;
        assert_eq!((bench.shown().freshness(now), bench.shown().level_now(now)), (Freshness::Stale, Level::Unknown));
    }

    #[test]
    fn the_worst_of_several_rows_is_shown_by_what_tells_it_from_the_others() {
        let lanes = |a: f64, b: f64| {
            let lane = |lane: &str, value| Point::gauge("q", &[("lane", lane), ("zone", "z")], value);
            vec![lane("a", a), lane("b", b)]
        };
        let mut high = Bench::new("q * 2", None);
        high.second(&[("a", Some(lanes(1.0, 5.0)))]);
        assert_eq!(high.shown().reading.usable(), Some(10.0));
        assert_eq!(high.shown().which.as_ref().map(Clean::as_str), Some("b"));
        let mut low = Bench::new("q * 2", Some(Bands::limits(0.9, 0.7)));
        for value in [5.0, 5.0, 0.1] {
            low.second(&[("a", Some(lanes(1.0, value)))]);
        }
        assert_eq!(low.shown().which.as_ref().map(Clean::as_str), Some("b"));
        assert!((low.shown().reading.usable().expect("a value") - 0.2).abs() < 1e-9);
    }

    #[test]
    fn why_there_is_no_value_is_told_apart() {
        let mut empty = Bench::new("x > 100", None);
        empty.second(&[("a", Some(gauge("x", 1.0)))]);
        assert_eq!(empty.shown().reading, Reading::Unknown(Unknown::Empty));
        let mut nobody = Bench::new("sum(nobody)", None);
        nobody.second(&[("a", Some(gauge("x", 1.0))), ("b", Some(gauge("y", 1.0)))]);
        assert_eq!(nobody.shown().reading, Reading::Unknown(Unknown::NoSuchSeries));
        let mut clash = Bench::new("x / on() y", None);
        let twice = vec![Point::gauge("y", &[("n", "1")], 1.0), Point::gauge("y", &[("n", "2")], 1.0)];
        clash.second(&[("a", Some(gauge("x", 1.0))), ("b", Some(twice))]);
        assert!(matches!(&clash.shown().reading, Reading::Unknown(Unknown::Failed(_))), "{:?}", clash.shown());
        let mut constant = Bench::new("vector(3)", None);
        constant.second(&[]);
        assert_eq!(constant.shown().reading.usable(), Some(3.0));
    }

    #[test]
    fn a_new_range_shows_what_the_store_still_holds() {
        let mut bench = Bench::new("x * 2", None);
        for second in 0..120 {
            bench.second(&[("a", Some(gauge("x", f64::from(second))))]);
        }
        let columns = bench.columns();
        assert!(columns.len() >= 60 && columns.iter().all(Option::is_some), "{columns:?}");
        bench.board.widen();
        bench.board.widen();
        bench.second(&[("a", Some(gauge("x", 120.0)))]);
        bench.second(&[("a", Some(gauge("x", 121.0)))]);
        let columns = bench.columns();
        assert!((10..=12).contains(&columns.len()), "twelve seconds a column: {columns:?}");
        assert_eq!(columns.last(), Some(&Some(242.0)));
        assert!(columns.windows(2).all(|pair| pair[0] < pair[1]), "{columns:?}");
    }
}
