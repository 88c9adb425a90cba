//! Each lint fires where it must, and is silent where it must.

use super::{Known, LINTS, explain, file, metric, samplers};
use crate::base::{Clean, Mono, Now, Observation, Point, PointKind, Sample, SeriesKey, Unit, Wall};
use crate::rules::bands::Bands;
use crate::rules::escalation::Policy;
use crate::rules::expr::Expr;
use crate::rules::rule::{Judge, RuleFile, RuleKind};
use crate::store::{Limits, Store};
use core::time::Duration;
use std::sync::Arc;

/// Metric, labels, kind.
type Seen<'a> = (&'a str, &'a [(&'a str, &'a str)], PointKind);

/// A store whose sampler `app` gives these points, and nobody else anything.
fn store(points: &[Seen<'_>]) -> Store {
    let mut store = Store::new(Limits::default());
    let app: Arc<str> = "app".into();
    store.declare(&app, Duration::from_secs(1), false);
    store.expect(&app, vec!["app_".to_owned()]);
    let point = |(name, labels, kind): &Seen<'_>| Point { key: SeriesKey::new(name, labels), value: 1.0, kind: *kind };
    store.ingest(&Sample {
        sampler: app,
        seen: Now { mono: Mono(1_000_000_000), wall: Wall(1_700_000_000_000_000_000) },
        took: Duration::ZERO,
        interval: Duration::from_secs(1),
        next_in: Duration::from_secs(1),
        outcome: Ok(Observation { points: points.iter().map(point).collect(), ..Observation::default() }),
    });
    store
}

fn lint(text: &str, store: Option<&Store>) -> Vec<String> {
    let files = [RuleFile::parse("r.yml", text)];
    assert_eq!(files[0].broken, [], "{text}");
    let policy = Policy::default();
    let known = Known::new(store, &policy, Duration::from_secs(15), files[0].rules());
    file(&files[0], &known).iter().map(ToString::to_string).collect()
}

/// A rule with this expression and a known severity.
fn of_expr(expr: &str, store: Option<&Store>) -> Vec<String> {
    let text = format!(
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: '{}'\n    labels: {{severity: critical}}\n",
        expr.replace('\'', "''")
    );
    lint(&text, store)
}

fn ids(found: &[String]) -> Vec<&str> {
    found.iter().map(|line| line.split(' ').nth(1).unwrap_or_default()).collect()
}

#[test]
fn a_counter_function_over_a_gauge_is_caught() {
    assert_eq!(
        of_expr("rate(training_loss[10m]) > 0", None),
        [
            "r.yml:5:11: WK001 `A`: `rate` wants a counter, and `training_loss` is a gauge: each fall counts as a restart."
        ]
    );
    for expr in ["irate(queue_depth[1m])", "sum(increase(temperature[5m:30s]))", "1 - resets(x{a=\"b\"}[1h] offset 5m)"]
    {
        assert_eq!(ids(&of_expr(expr, None)), ["WK001"], "{expr}");
    }
    for expr in [
        "rate(requests_total[5m])",
        "rate(latency_seconds_count[5m]) / rate(latency_seconds_sum[5m])",
        "rate(latency_seconds_bucket[5m])",
        "rate(node_vmstat_oom_kill[5m])",
        "increase(job:requests:count[5m])",
        "deriv(training_loss[10m]) > 0",
        "rate({__name__=~\"a|b\"}[5m])",
        "max_over_time(rate(requests_total[5m])[1h:])",
    ] {
        assert_eq!(of_expr(expr, None), [""; 0], "{expr}");
    }
    // What the source says about a metric counts for more than its name.
    let known = store(&[("app_odd", &[], PointKind::Counter), ("app_free_total", &[], PointKind::Gauge)]);
    assert_eq!(of_expr("rate(app_odd[5m])", Some(&known)), [""; 0]);
    assert_eq!(ids(&of_expr("rate(app_free_total[5m])", Some(&known))), ["WK001"]);
}

#[test]
fn a_gauge_function_over_a_counter_is_caught() {
    assert_eq!(
        of_expr("deriv(requests_total[5m]) > 1", None),
        [
            "r.yml:5:11: WK002 `A`: `deriv` wants a gauge, and `requests_total` is a counter: a restart looks like a fall."
        ]
    );
    for expr in ["delta(errors_total[5m])", "predict_linear(x_total[1h], 60)", "avg_over_time(x_bucket[1h])"] {
        assert_eq!(ids(&of_expr(expr, None)), ["WK002"], "{expr}");
    }
    for expr in [
        "delta(temperature[5m])",
        "avg_over_time(replica_count[1h])",
        "avg_over_time(rate(x_total[5m])[1h:5m])",
        "changes(x_total[5m])",
    ] {
        assert_eq!(of_expr(expr, None), [""; 0], "{expr}");
    }
    let known = store(&[("app_jobs_count", &[], PointKind::Summary)]);
    assert_eq!(ids(&of_expr("delta(app_jobs_count[5m])", Some(&known))), ["WK002"]);
}

#[test]
fn a_threshold_that_no_bucket_resolves_is_caught() {
    let buckets = "app_step_seconds_bucket";
    let known = store(&[
        (buckets, &[("le", "0.001")], PointKind::Histogram),
        (buckets, &[("le", "0.01")], PointKind::Histogram),
        (buckets, &[("le", "1")], PointKind::Histogram),
        (buckets, &[("le", "+Inf")], PointKind::Histogram),
    ]);
    let quantile = "histogram_quantile(0.95, sum by (le) (rate(app_step_seconds_bucket[5m])))";
    assert_eq!(
        of_expr(&format!("{quantile} > 0.00001"), Some(&known)),
        [
            "r.yml:5:11: WK003 `A`: resolution too coarse: `app_step_seconds_bucket` cannot resolve 10.0 µs, its first bound is 1.00 ms."
        ]
    );
    assert_eq!(ids(&of_expr(&format!("max({quantile}) >= 5 / 1"), Some(&known))), ["WK003"]);
    assert_eq!(ids(&of_expr(&format!("1e-6 < {quantile} and up == 1"), Some(&known))), ["WK003"]);
    for fine in ["> 0.005", "> 0.001", "* 1000 > 0.0001"] {
        assert_eq!(of_expr(&format!("{quantile} {fine}"), Some(&known)), [""; 0], "{fine}");
    }
    // Nothing is known of the buckets: nothing is said.
    assert_eq!(of_expr(&format!("{quantile} > 0.00001"), None), [""; 0]);
}

#[test]
fn a_severity_without_a_row_is_loud() {
    let rule = |labels: &str| {
        ids(&lint(&format!("groups: [{{name: g, rules: [{{alert: A, expr: up, labels: {labels}}}]}}]"), None)).join(" ")
    };
    assert_eq!(rule("{severity: page-me-maybe}"), "WK004");
    assert_eq!(rule("{}"), "WK004");
    for known in ["critical", "warning", "major", "Minor"] {
        assert_eq!(rule(&format!("{{severity: {known}}}")), "", "{known}");
    }
    assert_eq!(rule("{severity: '{{ if gt $value 1.0 }}critical{{ else }}minor{{ end }}'}"), "");
    let found = lint("groups: [{name: g, rules: [{alert: A, expr: up, labels: {severity: huge}}]}]", None);
    assert!(
        found[0].starts_with(
            "r.yml:1:36: WK004 `A`: severity `huge` has no row in the escalation matrix; it counts as MAJOR. Known are "
        ),
        "{found:?}"
    );
    assert_eq!(lint("groups: [{name: g, rules: [{record: a, expr: up}]}]", None), [""; 0]);
}

/// A rule as the bands of a pane give it.
fn banded(expr: &str, bands: &str, unit: Unit) -> Vec<String> {
    let mut files = [RuleFile::parse("", "groups: [{name: bands, rules: [{alert: Queue depth, expr: up}]}]")];
    let body = crate::base::Body::parse("p.toml", &format!("bands = {bands}"));
    let bands: Bands = body.and_then(|mut body| body.need("bands")).expect("bands");
    let rule = &mut files[0].groups[0].rules[0];
    rule.place = None;
    rule.expr_place = None;
    rule.expr = Expr::parse(expr).expect("an expression");
    let RuleKind::Alerting(alerting) = &mut rule.kind else { panic!("an alert") };
    alerting.judge = Judge::Bands(bands);
    alerting.unit = Some(unit);
    let known = store(&[
        ("app_step_seconds_bucket", &[("le", "0.001")], PointKind::Histogram),
        ("app_step_seconds_bucket", &[("le", "1")], PointKind::Histogram),
        ("app_bytes", &[], PointKind::Gauge),
    ]);
    let policy = Policy::default();
    let known = Known::new(Some(&known), &policy, Duration::from_secs(15), files[0].rules());
    file(&files[0], &known).iter().map(ToString::to_string).collect()
}

#[test]
fn a_sampler_that_gives_more_than_is_kept_is_told() {
    let flood = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("app_{n}")).collect();
        let points: Vec<Seen<'_>> = names.iter().map(|name| (name.as_str(), &[][..], PointKind::Gauge)).collect();
        samplers(&store(&points)).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let kept = Limits::default().series_per_sampler;
    assert_eq!(flood(kept - 1), [""; 0]);
    assert_eq!(flood(kept + 500).len(), 1);
    assert!(flood(kept + 500)[0].starts_with("WK011 `app`: of its series 50"), "{:?}", flood(kept + 500));
}

#[test]
fn a_band_with_a_hole_is_caught() {
    let hole =
        banded("app_bytes", "{ normal = [10, 20], warning = 50, critical = 90, below_normal = 10 }", Unit::Bytes);
    assert_eq!(hole, ["WK005 `Queue depth`: nothing is said of 20 B to 50 B."]);
    let open = banded("app_bytes", "{ normal = [10, 20], warning = 20, critical = 90 }", Unit::Bytes);
    assert_eq!(open, ["WK005 `Queue depth`: nothing is said of what is below 10 B."]);
    for fine in [
        "{ warning = 50, critical = 90 }",
        "{ normal = [10, 20], warning = 20, critical = 90, below_normal = 10 }",
        "{ normal = [10, 20], warning = 50, critical = 90, below_normal = 10, outside = \"note\" }",
    ] {
        assert_eq!(banded("app_bytes", fine, Unit::Bytes), [""; 0], "{fine}");
    }
}

#[test]
fn bands_finer_than_the_buckets_are_caught() {
    let quantile = "histogram_quantile(0.95, rate(app_step_seconds_bucket[5m]))";
    let found = banded(quantile, "{ warning = 8e-6, critical = 1e-5 }", Unit::Seconds);
    assert_eq!(ids(&found.iter().map(|line| format!("- {line}")).collect::<Vec<_>>()), ["WK003"]);
    assert_eq!(banded(quantile, "{ warning = 0.01, critical = 0.1 }", Unit::Seconds), [""; 0]);
}

#[test]
fn a_unit_that_differs_from_the_name_is_caught() {
    let policy = Policy::default();
    let check = |expr: &str, unit: Unit| {
        let known = Known::new(None, &policy, Duration::from_secs(15), core::iter::empty());
        let expr = Expr::parse(expr).expect("an expression");
        metric(&Clean::from("Pane"), &expr, unit, &known).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        check("latency_seconds", Unit::Bytes),
        ["WK006 `Pane`: it is shown in bytes, and `latency_seconds` says seconds by its name."]
    );
    for (expr, unit) in [
        ("sum(rate(sent_bytes_total[5m]))", Unit::Bytes),
        ("rate(requests_total[5m])", Unit::Ratio),
        ("max_over_time(used_ratio[5m])", Unit::Percent),
        ("histogram_quantile(0.5, sum by (le) (rate(step_seconds_bucket[5m])))", Unit::PerSecond),
        ("free_bytes - used_bytes", Unit::Seconds),
        ("rate(cpu_seconds_total[5m])", Unit::Seconds),
    ] {
        assert_eq!(check(expr, unit).len(), 1, "{expr}");
    }
    for (expr, unit) in [
        ("latency_seconds", Unit::Seconds),
        ("latency_seconds", Unit::Count),
        ("rate(sent_bytes_total[5m])", Unit::BytesPerSecond),
        ("rate(requests_total[5m])", Unit::PerSecond),
        ("rate(cpu_seconds_total[5m])", Unit::Ratio),
        ("used_bytes / total_bytes", Unit::Ratio),
        ("histogram_quantile(0.5, rate(step_seconds_bucket[5m]))", Unit::Seconds),
        ("time() - node_boot_time_seconds", Unit::Seconds),
        ("count(free_bytes)", Unit::Ratio),
        ("queue_depth", Unit::Percent),
    ] {
        assert_eq!(check(expr, unit), [""; 0], "{expr} in {unit}");
    }
}

#[test]
fn a_metric_that_nobody_makes_is_caught() {
    let known = store(&[("app_requests_total", &[], PointKind::Counter)]);
    assert_eq!(
        of_expr("rate(app_request_total[5m]) > rate(db_hits_total[5m])", Some(&known)),
        [
            "r.yml:5:11: WK007 `A`: no sampler here makes `app_request_total`. Did you mean `app_requests_total`?",
            "r.yml:5:11: WK007 `A`: no sampler here makes `db_hits_total`.",
        ]
    );
    for fine in ["app_requests_total", "up", "ALERTS", "{a=\"b\"}"] {
        assert_eq!(of_expr(fine, Some(&known)), [""; 0], "{fine}");
    }
    let recorded =
        "groups: [{name: g, rules: [{record: a:b, expr: up}, {alert: A, expr: a:b, labels: {severity: major}}]}]";
    assert_eq!(lint(recorded, Some(&known)), [""; 0]);
    assert_eq!(of_expr("db_hits_total", None), [""; 0]);
}

#[test]
fn a_hold_shorter_than_the_interval_is_caught() {
    let rule = |interval: &str, hold: &str| {
        let text = format!(
            "groups: [{{name: g, {interval} rules: [{{alert: A, expr: up, for: {hold}, labels: {{severity: major}}}}]}}]"
        );
        lint(&text, None)
    };
    assert_eq!(
        rule("interval: 1m,", "30s"),
        ["r.yml:1:50: WK008 `A`: `for` is 30s, and the rule is looked at every 1m only."]
    );
    assert_eq!(ids(&rule("", "10s")), ["WK008"]);
    for (interval, hold) in [("interval: 1m,", "1m"), ("interval: 1m,", "0s"), ("", "15s"), ("interval: 5s,", "10s")] {
        assert_eq!(rule(interval, hold), [""; 0], "{interval} {hold}");
    }
}

#[test]
fn templates_and_keys_that_are_not_known_are_told() {
    let text = "groups:\n- name: g\n  source_tenants: [a]\n  rules:\n  - alert: A\n    expr: up\n    labels: {severity: major}\n    annotations: {summary: '{{ frob $value }}', fine: '{{ $value | humanize }}', gone: '{{ .Foo }}{{ $.Bar }}', own: '{{ .Value }}{{ $.Labels.a }}{{ range query \"up\" }}{{ .Labels.b }}{{ end }}'}\n";
    assert_eq!(
        lint(text, None),
        [
            "r.yml:3:3: WK010 a group has no key `source_tenants`. It is passed over.",
            "r.yml:5:12: WK009 `A`: in `summary`, `{{ frob $value }}`: no function `frob`.",
            "r.yml:5:12: WK009 `A`: in `gone`, `{{ .Foo }}`: no field `.Foo`; a rule's template has .Labels, .Value, .ExternalLabels.",
            "r.yml:5:12: WK009 `A`: in `gone`, `{{ $.Bar }}`: no field `.Bar`; a rule's template has .Labels, .Value, .ExternalLabels.",
        ]
    );
}

#[test]
fn every_lint_explains_itself_and_ids_are_in_order() {
    for (at, lint) in LINTS.iter().enumerate() {
        assert_eq!(lint.id, format!("WK{:03}", at + 1));
        let lines = explain(&lint.id.to_lowercase()).expect("explained");
        assert!(lines.iter().all(|line| line.as_str().len() > 20), "{lines:?}");
    }
    assert!(explain("WK999").is_err_and(|fault| fault.to_string().contains("Known are WK001, WK002")));
}
