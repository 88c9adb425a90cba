//! `validate rules`: every fault and lint with its place, and how the rules stand on this host.

use crate::{folder, watchkeeper};

#[test]
fn each_broken_rule_is_a_row_and_the_others_load() {
    let (status, out, _) = watchkeeper(&folder("broken"), &["validate", "rules", "rules.yml", "--offline"]);
    assert_eq!(status, 1);
    let expected = include_str!("broken/rules.txt");
    assert_eq!(out, expected, "the expected text stands in tests/rules/broken/rules.txt");
}

#[test]
fn rules_of_this_host_have_data_here() {
    let text = "groups:\n- name: g\n  interval: 5s\n  rules:\n  - {record: load:half, expr: node_load1 / 2}\n  - {alert: Busy, expr: 'load:half > 1e9', labels: {severity: major}}\n  - {alert: Slow, expr: 'rate(node_cpu_seconds_total[30m]) > 2', labels: {severity: major}}\n  - {alert: Old, expr: 'increase(node_forks_total[7d]) > 2', labels: {severity: major}}\n  - {alert: Elsewhere, expr: 'orders_queue_depth > 5', labels: {severity: major}}\n  - {record: never, expr: sum(orders_queue_depth)}\n  - {alert: Never, expr: never > 1, labels: {severity: major}}\n";
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("r.yml"), text).expect("a file");
    let (status, out, _) = watchkeeper(dir.path(), &["validate", "rules", "r.yml"]);
    assert_eq!(status, 1);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "r.yml:9:30: WK007 `Elsewhere`: no sampler here makes `orders_queue_depth`.",
            "r.yml:10:27: WK007 `never`: no sampler here makes `orders_queue_depth`.",
            lines[2],
        ],
        "{out}"
    );
    assert!(lines[2].starts_with("r.yml: 7 rules: 2 with data here, 1 warming, the last ready in 2"), "{out}");
    assert!(lines[2].ends_with(", 4 that cannot work here."), "{out}");
    for told in [
        "no sampler makes `orders_queue_depth`: Elsewhere, never",
        "`never` is never recorded: no sampler makes `orders_queue_depth`: Never",
        "it looks back ",
        ": Old",
        ": Slow",
    ] {
        assert!(lines[3..].iter().any(|line| line.contains(told)), "{told}\n{out}");
    }
}

#[test]
fn a_lint_explains_itself() {
    for args in [&["validate", "--explain", "wk001"][..], &["validate", "rules", "--explain", "WK001"]] {
        let (status, out, _) = watchkeeper(&folder("files"), args);
        assert_eq!(status, 0);
        assert!(out.starts_with("WK001: a counter function over a gauge\n"), "{out}");
        assert!(out.contains("\nTo mend it: Use deriv()"), "{out}");
    }
    let (status, _, err) = watchkeeper(&folder("files"), &["validate", "--explain", "WK123"]);
    assert_eq!(status, 2);
    assert!(err.contains("no lint is called `WK123`"), "{err}");
}
