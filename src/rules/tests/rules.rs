//! Rules of rule files from their first row to their last: `for`, `keep_firing_for`, missing data, recorded rows,
//! what cannot be judged, and the rules of the guides.

use super::{Bench, Rule};
use crate::base::{Clean, Failure, Level, Point, PointKind, SeriesKey, Severity, Unit};
use crate::clean;
use crate::rules::expr::{Evaluator, Expr, Semantics, Value};
use crate::rules::{
    Ack, BookOptions, Finding, FindingState, Inhibit, Live, Matchers, RuleFile, RuleHealth, Silence, WallOffset,
};
use FindingState::{Clearing, Firing, NoData, Pending, Resolved};
use core::time::Duration;

/// A book of one group that is evaluated each second.
fn bench(rules: &str) -> Bench {
    of(rules, BookOptions::default())
}

fn of(rules: &str, options: BookOptions) -> Bench {
    let text = format!("groups:\n- name: g\n  interval: 1s\n  rules:\n{rules}");
    let file = RuleFile::parse("rules.yaml", &text);
    assert!(file.broken.is_empty(), "{:?}", file.broken);
    Bench::of(vec![file], options)
}

impl Bench {
    fn gauge(&mut self, points: &[(&str, f64)]) {
        let point = |(instance, value): &(&str, f64)| Point::gauge("load", &[("instance", instance)], *value);
        self.sample(Ok(points.iter().map(point).collect()));
        self.judge();
    }

    fn gauges(&mut self, points: &[(&str, f64)], times: usize) {
        (0..times).for_each(|_| self.gauge(points));
    }

    fn fails(&mut self, times: usize) {
        for _ in 0..times {
            self.sample(Err(Failure::unreachable("no answer.")));
            self.judge();
        }
    }

    fn found(&self) -> Vec<(FindingState, &str)> {
        self.book.findings().iter().map(|found| (found.state, instance(found))).collect()
    }

    fn ask(&mut self, text: &str) -> Vec<(SeriesKey, f64)> {
        let live = Live::new(&self.store, self.now, &mut WallOffset::default());
        let expr = Expr::parse(text).expect("parses");
        match Evaluator::new(Semantics::Console).instant(&expr, &live, live.now()).expect("answers").value {
            Value::Vector(rows) => rows.into_iter().map(|row| (row.key, row.value)).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn health(&self, rule: usize) -> RuleHealth {
        self.book.health(rule).cloned().expect("there is such a rule")
    }
}

fn instance(found: &Finding) -> &str {
    found.id.key.label("instance").map_or("", |value| value.as_str())
}

const HIGH: &str = "  - alert: High\n    expr: load > 10\n    for: 5s\n    labels: {severity: critical}\n    annotations: {summary: '{{ $labels.instance }} at {{ $value }}'}\n";

#[test]
fn a_rule_lives_as_prometheus_has_it() {
    let mut bench = bench(HIGH);
    bench.gauges(&[("a", 1.0), ("b", 1.0)], 3);
    assert_eq!((bench.found(), bench.health(0)), (vec![], RuleHealth::Ok));
    bench.gauges(&[("a", 15.0), ("b", 1.0)], 5);
    assert_eq!(bench.found(), [(Pending, "a")]);
    let id = bench.first().id;
    assert_eq!(bench.book.progress(&id), Some((Duration::from_secs(4), Duration::from_secs(5))));
    bench.gauge(&[("a", 16.0), ("b", 1.0)]);
    let found = bench.first();
    assert_eq!(
        (found.state, found.level, found.severity, found.value),
        (Firing, Level::Critical, Severity::Critical, 16.0)
    );
    assert_eq!(bench.book.annotation(&id, "summary").expect("is there").as_str(), "a at 16");
    let shown = bench.ask("ALERTS{alertname=\"High\"}");
    assert_eq!(shown.len(), 1);
    assert_eq!(shown.first().and_then(|(key, _)| key.label("alertstate")).map(Clean::as_str), Some("firing"));
    let since = bench.ask("ALERTS_FOR_STATE");
    assert_eq!(since.first().map(|(_, value)| *value), Some(1_700_000_003.0), "active since the first bad row");
    bench.gauge(&[("a", 1.0), ("b", 1.0)]);
    assert_eq!(bench.found(), [(Resolved, "a")]);
    bench.gauge(&[("a", 1.0), ("b", 1.0)]);
    assert!(bench.ask("ALERTS").is_empty(), "stale at once");
    bench.gauges(&[("a", 1.0), ("b", 1.0)], 900);
    assert_eq!(bench.found(), []);
    assert_eq!(bench.book.history(&id).len(), 4, "pending, firing, resolved, inactive");
}

#[test]
fn one_good_row_resets_a_pending_alert() {
    let mut bench = bench(HIGH);
    bench.gauges(&[("a", 15.0)], 5);
    bench.gauge(&[("a", 1.0)]);
    assert_eq!(bench.found(), []);
    bench.gauges(&[("a", 15.0)], 5);
    assert_eq!(bench.found(), [(Pending, "a")]);
    bench.gauges(&[("a", 15.0)], 1);
    assert_eq!(bench.found(), [(Firing, "a")]);
}

#[test]
fn an_alert_goes_on_for_keep_firing_for_and_counts_its_flaps() {
    let mut bench = bench("  - alert: High\n    expr: load > 10\n    keep_firing_for: 3s\n");
    bench.gauge(&[("a", 15.0)]);
    assert_eq!((bench.found(), bench.first().severity), (vec![(Firing, "a")], Severity::Major));
    let since = bench.first().since;
    for expected in [Clearing, Clearing, Clearing] {
        bench.gauge(&[("a", 1.0)]);
        assert_eq!(bench.found(), [(expected, "a")]);
    }
    bench.gauge(&[("a", 15.0)]);
    assert_eq!((bench.first().state, bench.first().since), (Firing, since), "it had not cleared");
    bench.gauges(&[("a", 1.0)], 4);
    assert_eq!((bench.found(), bench.first().flaps), (vec![(Resolved, "a")], 1));
    bench.gauge(&[("a", 15.0)]);
    assert_eq!((bench.first().state, bench.first().flaps), (Firing, 2));
}

#[test]
fn a_failing_sampler_neither_fires_nor_resolves_and_is_loud_after_five_minutes() {
    let mut bench = bench(HIGH);
    bench.gauges(&[("a", 15.0), ("b", 15.0)], 6);
    bench.gauges(&[("a", 15.0), ("b", 1.0)], 1);
    bench.gauges(&[("a", 15.0), ("b", 15.0)], 2);
    assert_eq!(bench.found(), [(Firing, "a"), (Pending, "b"), (Resolved, "b")].into_iter().take(2).collect::<Vec<_>>());
    bench.fails(40);
    assert_eq!(bench.found(), [(Firing, "a"), (Pending, "b")]);
    assert_eq!(bench.first().no_data_for, Some(Duration::from_secs(40)));
    assert!(matches!(bench.health(0), RuleHealth::NoData { .. }), "{:?}", bench.health(0));
    assert_eq!(bench.book.level(0), Level::Unknown);
    bench.fails(262);
    let states: Vec<_> = bench.found().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, [NoData, NoData]);
    bench.gauge(&[("a", 15.0), ("b", 1.0)]);
    assert_eq!(bench.found(), [(Firing, "a")]);
}

#[test]
fn absence_and_up_work_as_written() {
    let mut bench = bench(
        "  - alert: Down\n    expr: up{job=\"s\"} == 0\n  - alert: Gone\n    expr: absent(load)\n  - alert: Never\n    expr: absent(nothing_makes_this)\n",
    );
    bench.gauges(&[("a", 1.0)], 2);
    assert_eq!(bench.book.findings().len(), 1, "{:?}", bench.book.findings());
    bench.fails(1);
    let names: Vec<_> = bench.book.findings().iter().map(|found| (found.id.rule, found.state)).collect();
    assert!(names.contains(&(0, Firing)), "{names:?}");
    bench.fails(10);
    let names: Vec<_> = bench.book.findings().iter().map(|found| (found.id.rule, found.state)).collect();
    assert!(names.contains(&(1, Firing)), "{names:?}");
    bench.gauge(&[("a", 1.0)]);
    let names: Vec<_> = bench.book.findings().iter().map(|found| (found.id.rule, found.state)).collect();
    assert!(names.contains(&(0, Resolved)) && names.contains(&(1, Resolved)), "{names:?}");
}

#[test]
fn what_a_failed_attempt_measured_is_judged_and_what_it_did_not_is_kept() {
    let mut bench = bench(
        "  - alert: Down\n    expr: load{instance=\"probe\"} == 0\n    for: 2s\n  - alert: Slow\n    expr: load{instance=\"a\"} > 5\n",
    );
    bench.gauges(&[("probe", 1.0), ("a", 9.0)], 2);
    assert_eq!(bench.found(), [(Firing, "a")]);
    let refused = |bench: &mut Bench| {
        let point = Point::gauge("load", &[("instance", "probe")], 0.0);
        bench.sample(Err(Failure::unreachable("refused.").with([point])));
        bench.judge();
    };
    for _ in 0..4 {
        refused(&mut bench);
    }
    let no_data = |bench: &Bench, of: &str| {
        bench.book.findings().iter().find(|found| instance(found) == of).map(|found| (found.state, found.no_data_for))
    };
    assert_eq!(no_data(&bench, "probe"), Some((Firing, None)), "what was measured is judged");
    let (state, lost) = no_data(&bench, "a").expect("it is kept");
    assert!(state == Firing && lost.is_some(), "{state:?} {lost:?}");
    // One that measures nothing ends nothing.
    bench.fails(20);
    assert!(no_data(&bench, "probe").is_some_and(|(state, lost)| state != Resolved && lost.is_some()));
    bench.gauge(&[("probe", 1.0), ("a", 1.0)]);
    assert!(bench.book.findings().iter().all(|found| found.state == Resolved), "{:?}", bench.found());
}

#[test]
fn a_recording_rule_is_seen_by_those_that_follow_it() {
    let mut bench = bench(
        "  - record: job:load:sum\n    expr: sum by (job) (load)\n    labels: {kind: recorded}\n  - record: job:load:double\n    expr: job:load:sum * 2\n  - alert: Much\n    expr: job:load:double > 10\n",
    );
    bench.gauge(&[("a", 3.0), ("b", 4.0)]);
    let found = bench.first();
    assert_eq!((found.id.rule, found.state, found.value), (2, Firing, 14.0));
    assert_eq!(found.id.key.label("kind").map(Clean::as_str), Some("recorded"));
    // The sampler fails: what is recorded goes on, but an alert that rests on it does not resolve.
    bench.fails(20);
    assert_eq!((bench.first().state, bench.first().no_data_for), (Firing, Some(Duration::from_secs(20))));
    bench.gauge(&[("a", 1.0)]);
    assert_eq!(bench.first().state, Resolved);
}

#[test]
fn what_cannot_be_judged_says_so_and_is_never_ok() {
    let mut bench = bench(
        "  - alert: Slow\n    expr: rate(count_total[20s]) > 5\n  - alert: Long\n    expr: avg_over_time(load[6h]) > 5\n  - alert: Missing\n    expr: node_unheard_of > 1\n  - alert: Clash\n    expr: load > 0\n    labels: {instance: same}\n  - alert: Fallback\n    expr: (node_unheard_of > 1) or (load > 100)\n",
    );
    let both = |bench: &mut Bench, count: f64| {
        bench.sample(Ok(vec![
            Point::counter("count_total", &[], count),
            Point::gauge("load", &[("instance", "a")], 1.0),
            Point::gauge("load", &[("instance", "b")], 1.0),
        ]));
        bench.judge();
    };
    (0..10).for_each(|tick| both(&mut bench, f64::from(tick) * 10.0));
    assert_eq!(bench.health(0), RuleHealth::Warming { ready_in: Duration::from_secs(7) });
    assert_eq!(bench.book.level(0), Level::Unknown);
    assert!(bench.book.findings().is_empty(), "a rule that warms begins nothing: {:?}", bench.book.findings());
    let sentence = |bench: &Bench, rule| bench.health(rule).sentence().map(|text| text.as_str().to_owned());
    assert_eq!(
        sentence(&bench, 1).as_deref(),
        Some("not evaluable here: it looks back 6:00:00, and 1:00:00 are kept.")
    );
    assert_eq!(sentence(&bench, 2).as_deref(), Some("not evaluable here: no sampler makes `node_unheard_of`."));
    assert!(sentence(&bench, 3).is_some_and(|text| text.contains("same labelset")), "{:?}", sentence(&bench, 3));
    assert_eq!(bench.health(4), RuleHealth::Ok, "what one side cannot say the other may");
    (10..18).for_each(|tick| both(&mut bench, f64::from(tick) * 10.0));
    assert_eq!((bench.health(0), bench.first().state), (RuleHealth::Ok, Firing));
}

#[test]
fn an_error_keeps_the_states() {
    let mut bench = bench(
        "  - alert: High\n    expr: load > 10\n    labels: {instance: '{{ if gt $value 50.0 }}x{{ else }}{{ $labels.instance }}{{ end }}'}\n",
    );
    bench.gauges(&[("a", 15.0), ("b", 1.0)], 2);
    assert_eq!(bench.found(), [(Firing, "a")]);
    bench.gauges(&[("a", 60.0), ("b", 60.0)], 3);
    assert!(matches!(bench.health(0), RuleHealth::Error(_)), "{:?}", bench.health(0));
    assert_eq!(bench.found(), [(Firing, "a")]);
}

#[test]
fn too_many_rows_are_an_error_of_the_rule() {
    let mut bench = bench("  - alert: High\n    expr: load > 10\n  - alert: Few\n    expr: load == 1\n");
    bench.store = crate::store::Store::new(crate::store::Limits { series_per_sampler: 20_000, ..Default::default() });
    let points = |value| (0..12_000).map(|at| Point::gauge("load", &[("instance", &at.to_string())], value)).collect();
    bench.sample(Ok(points(15.0)));
    bench.judge();
    assert!(matches!(bench.health(0), RuleHealth::Error(why) if why.as_str().contains("limit of 10000")));
    assert!(bench.book.findings().is_empty());
}

#[test]
fn an_ack_ends_with_its_alert_and_a_silence_with_its_time() {
    let mut bench = bench("  - alert: High\n    expr: load > 10\n");
    bench.gauge(&[("a", 15.0), ("b", 15.0)]);
    let id = bench.first().id;
    let ack = Ack { by: "ada".into(), note: "on it".into(), at: bench.now.wall };
    assert!(bench.book.ack(&id, ack.clone()));
    assert_eq!(bench.first().ack, Some(ack));
    let matchers = Matchers::parse("alertname=High, instance=b").expect("parses");
    let silence = Silence::new(matchers, "deploy".into(), "ada".into(), Duration::from_secs(10), bench.now);
    let number = bench.book.silence(silence.expect("fits"));
    let muted: Vec<_> =
        bench.book.findings().iter().map(|found| (instance(found), found.silenced_until.is_some())).collect();
    assert_eq!(muted, [("a", false), ("b", true)]);
    assert_eq!(bench.book.silenced_by(&bench.book.findings()[1].id.clone()), [number]);
    bench.gauge(&[("a", 1.0), ("b", 15.0)]);
    bench.gauge(&[("a", 15.0), ("b", 15.0)]);
    assert!(bench.book.findings().iter().all(|found| found.ack.is_none()), "a new alert is nobody's");
    bench.gauges(&[("a", 15.0), ("b", 15.0)], 9);
    assert!(bench.book.findings().iter().all(|found| found.silenced_until.is_none()));
    assert_eq!(bench.book.silences().count(), 0);
}

#[test]
fn a_cause_folds_its_consequences_and_equal_alerts_stand_together() {
    let row = |source: &str, target: &str, equal: &[&'static str]| Inhibit {
        source: Matchers::parse(source).expect("parses"),
        target: Matchers::parse(target).expect("parses"),
        equal: equal.iter().map(|label| (*label).into()).collect(),
    };
    let inhibit =
        vec![row("alertname=Cause", "alertname=Effect", &["instance"]), row("alertname=Effect", "alertname=Last", &[])];
    let options = BookOptions { inhibit, ..BookOptions::default() };
    let mut bench = of(
        "  - alert: Effect\n    expr: load > 5\n    labels: {severity: critical}\n  - alert: Cause\n    expr: load > 10\n    labels: {severity: warning}\n  - alert: Last\n    expr: load > 14\n",
        options,
    );
    bench.gauge(&[("a", 15.0), ("b", 6.0), ("c", 7.0)]);
    let cause = bench.book.findings().iter().find(|found| found.id.rule == 1).expect("fires").id.clone();
    let folded: Vec<_> = bench.book.consequences(&cause).iter().map(|found| (found.id.rule, instance(found))).collect();
    assert_eq!(folded, [(0, "a"), (2, "a")], "equal labels only; what a consequence explains lies under the root");
    let lots: Vec<Vec<&str>> =
        bench.book.lots().iter().map(|lot| lot.iter().map(|found| instance(found)).collect()).collect();
    assert_eq!(lots.first(), Some(&vec!["b", "c"]), "{lots:?}");
    bench.gauge(&[("a", 7.0), ("b", 1.0), ("c", 1.0)]);
    assert_eq!(bench.book.consequences(&cause).len(), 0, "what is resolved explains nothing");
}

#[test]
fn alerts_that_explain_each_other_are_all_shown_and_each_consequence_has_its_own_cause() {
    let row = |source: &str, target: &str| Inhibit {
        source: Matchers::parse(source).expect("parses"),
        target: Matchers::parse(target).expect("parses"),
        equal: vec!["instance".into()],
    };
    let rules = "  - alert: One\n    expr: load > 5\n  - alert: Two\n    expr: load > 5\n";
    let inhibit = vec![row("alertname=One", "alertname=Two"), row("alertname=Two", "alertname=One")];
    let mut circle = of(rules, BookOptions { inhibit, ..BookOptions::default() });
    circle.gauge(&[("a", 15.0)]);
    assert_eq!(circle.found().len(), 2);
    assert!(circle.book.findings().iter().all(|found| found.cause.is_none()));
    let mut many =
        of(rules, BookOptions { inhibit: vec![row("alertname=One", "alertname=Two")], ..Default::default() });
    let points: Vec<Point> = (0..200)
        .map(|at| Point {
            key: SeriesKey { name: "load".into(), labels: vec![("instance".into(), clean!("{at}"))].into() },
            value: 15.0,
            kind: PointKind::Gauge,
        })
        .collect();
    many.sample(Ok(points));
    many.judge();
    let folded = many.book.findings().iter().filter(|found| found.cause.is_some()).count();
    assert_eq!(folded, 200);
}

#[test]
fn labels_that_change_all_the_time_fill_no_memory() {
    let mut bench = bench("  - alert: High\n    expr: load > 10\n    labels: {v: '{{ $value }}'}\n");
    for at in 0..1_500 {
        bench.gauge(&[("a", 15.0 + f64::from(at))]);
    }
    assert_eq!(bench.found().iter().filter(|(state, _)| *state == Firing).count(), 1);
    let kept = bench.book.entries.iter().map(|entry| entry.alerts.len()).sum::<usize>();
    assert!(kept <= 1_001, "{kept}");
    assert_eq!(bench.found().iter().filter(|(state, _)| *state == Resolved).count(), 900, "the newest, for 15 minutes");
}

#[test]
fn an_alert_that_is_over_is_not_lost_with_its_sampler() {
    let mut bench = bench("  - alert: High\n    expr: load > 10\n");
    bench.gauges(&[("a", 15.0)], 2);
    bench.gauges(&[("a", 1.0)], 905);
    assert_eq!(bench.found(), [], "resolved, and not shown any more");
    bench.fails(400);
    assert_eq!(bench.found(), []);
}

#[test]
fn a_share_is_shown_as_one() {
    for (expr, unit) in [
        ("node_memory_used_bytes / node_memory_size_bytes > 0.9", Unit::Ratio),
        ("1 - (node_filesystem_avail_bytes / node_filesystem_size_bytes) > 0.9", Unit::Ratio),
        ("sum(a_seconds) / sum(b_seconds) > 0.9", Unit::Ratio),
        ("a_bytes / b_bytes * 100 > 90", Unit::Count),
        ("rate(tokens_total[1m]) / rate(requests_total[1m]) > 500", Unit::Count),
        ("rate(x_seconds_sum[1m]) / rate(x_seconds_count[1m]) > 1", Unit::Count),
        ("5 - a_bytes > 1", Unit::Count),
    ] {
        let bench = bench(&format!("  - alert: A\n    expr: {expr}\n"));
        assert_eq!(bench.book.rule(0).map(Rule::unit), Some(unit), "{expr}");
    }
}

#[test]
fn severity_comes_before_age() {
    let mut bench = bench(
        "  - alert: Old\n    expr: load > 5\n    labels: {severity: warning}\n  - alert: New\n    expr: load > 10\n    labels: {severity: critical}\n  - alert: Unmapped\n    expr: load > 10\n    labels: {severity: catastrophe}\n",
    );
    bench.gauges(&[("a", 6.0)], 3);
    bench.gauges(&[("a", 15.0)], 3);
    let order: Vec<_> = bench.book.findings().iter().map(|found| (found.id.rule, found.severity)).collect();
    assert_eq!(order, [(1, Severity::Critical), (2, Severity::Major), (0, Severity::Minor)]);
}

/// The three rules of the guide, as its table has them; the third as a slope.
const GUIDE: &str = "  - alert: HighProcessingLatency
    expr: histogram_quantile(0.95, rate(processing_duration_seconds_bucket[5m])) > 0.00001
    for: 2m
    labels: {severity: critical}
  - alert: CUDAMemoryHigh
    expr: (cuda_memory_used_bytes / cuda_memory_total_bytes > 0.9) or (DCGM_FI_DEV_FB_USED / DCGM_FI_DEV_FB_TOTAL > 0.9)
    for: 5m
    labels: {severity: warning}
  - alert: NeuralConvergenceFailure
    expr: deriv(training_loss[10m]) > 0
    for: 15m
    labels: {severity: major}
";

#[test]
fn the_rules_of_the_guide_fire_when_it_says() {
    let mut bench = bench(GUIDE);
    bench.every = Duration::from_secs(5);
    let (mut fast, mut slow, mut loss) = (0.0, 0.0, 100.0);
    let mut states: Vec<(u64, usize, FindingState)> = Vec::new();
    for tick in 0..700_u64 {
        let at = tick * 5;
        let busy = (600..1_200).contains(&at);
        fast += if busy { 10.0 } else { 99.0 };
        slow += if busy { 90.0 } else { 1.0 };
        loss += if at < 900 { -0.1 } else { 0.1 };
        let bucket = |le: &str, value: f64| Point::counter("processing_duration_seconds_bucket", &[("le", le)], value);
        let used = if (600..1_000).contains(&at) { 23_000.0 } else { 12_000.0 };
        bench.sample(Ok(vec![
            bucket("0.000005", fast),
            bucket("0.00002", fast + slow),
            bucket("+Inf", fast + slow),
            Point::gauge("DCGM_FI_DEV_FB_USED", &[("gpu", "0")], used),
            Point::gauge("DCGM_FI_DEV_FB_TOTAL", &[("gpu", "0")], 24_576.0),
            Point::gauge("training_loss", &[], loss),
        ]));
        for moved in bench.judge() {
            states.push((at, moved.id.rule, moved.to.0));
        }
    }
    let of = |rule| states.iter().filter(|(_, of, _)| *of == rule).map(|(at, _, to)| (*at, *to)).collect::<Vec<_>>();
    let latency = of(0);
    let [(pending, Pending), (firing, Firing), (resolved, Resolved), ..] = latency[..] else { panic!("{latency:?}") };
    assert!((600..=700).contains(&pending) && firing == pending + 120 && resolved > 1_200, "{latency:?}");
    let memory = of(1);
    assert_eq!(memory.get(..3), Some(&[(600, Pending), (900, Firing), (1_000, Resolved)][..]), "{memory:?}");
    let convergence = of(2);
    let [(begun, Pending), (fired, Firing), ..] = convergence[..] else { panic!("{convergence:?}") };
    assert!((900..=1_510).contains(&begun) && fired == begun + 900, "silent while the loss falls: {convergence:?}");
}
