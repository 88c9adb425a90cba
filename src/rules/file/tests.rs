//! Rule files: places, error rows, bounds.

use super::yaml::{self, Data, Node};
use crate::base::Fault;
use crate::rules::rule::{RuleFile, RuleKind};
use core::time::Duration;

fn read(text: &str) -> RuleFile {
    RuleFile::parse("r.yml", text)
}

fn broken(text: &str) -> Vec<String> {
    read(text).broken.iter().map(|(name, fault)| format!("[{name}] {fault}")).collect()
}

#[test]
fn everything_that_a_group_may_say_is_read() {
    let file = read(
        r#"# a comment
groups:
  - name: one
    interval: 30s
    query_offset: 1m
    limit: 10
    labels: { team: ops, severity: info }
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
      - alert: "Down"
        expr: |
          up == 0
            and on (job) job:up:sum < 2
        for: 1h30m
        keep_firing_for: 5m
        labels: &l
          severity: critical
          code: 0123
        annotations:
          summary: >-
            {{ $labels.instance }}
            is down
          remedy: restart
      - alert: Number
        expr: 1
        labels: *l
      - alert: Merged
        expr: vector(1)
        labels:
          <<: *l
          severity: minor
"#,
    );
    assert_eq!((file.broken, file.unknown), (vec![], vec![]));
    let [group] = &file.groups[..] else { panic!("{:?}", file.groups) };
    assert_eq!((group.name.as_str(), group.interval), ("one", Some(Duration::from_secs(30))));
    assert_eq!((group.offset, group.limit), (Duration::from_secs(60), 10));
    let [record, down, number, merged] = &group.rules[..] else { panic!("{:?}", group.rules) };
    assert!(matches!(record.kind, RuleKind::Recording));
    assert_eq!(record.place.as_ref().map(ToString::to_string).as_deref(), Some("r.yml:9:17"));
    let RuleKind::Alerting(alerting) = &down.kind else { panic!("an alert") };
    assert_eq!((alerting.hold, alerting.keep), (Duration::from_secs(5_400), Duration::from_secs(300)));
    assert_eq!(alerting.remedy.as_deref(), Some("restart"));
    let texts = |labels: &[(crate::base::Clean, crate::rules::template::Template)]| {
        labels.iter().map(|(name, text)| format!("{name}={}", text.raw())).collect::<Vec<_>>()
    };
    assert_eq!(texts(&alerting.annotations), ["summary={{ $labels.instance }} is down", "remedy=restart"]);
    assert_eq!(texts(&down.labels), ["team=ops", "severity=critical", "code=0123"]);
    assert_eq!(texts(&number.labels), ["team=ops", "severity=critical", "code=0123"]);
    assert_eq!(texts(&merged.labels), ["team=ops", "severity=minor", "code=0123"]);
    assert_eq!(number.expr.text().as_str(), "1");
}

#[test]
fn one_broken_rule_leaves_the_others_and_says_where_it_is() {
    let rule =
        |lines: &str| format!("groups:\n- name: g\n  rules:\n  - alert: Good\n    expr: up\n  - {}\n", lines.trim());
    for (lines, expected) in [
        ("alert: A\n    for: 5m", "[A] r.yml:6:5: a rule needs an `expr`."),
        ("expr: up", "[] r.yml:6:5: a rule needs `alert` or `record`."),
        ("alret: A\n    expr: up", "[] r.yml:6:5: a rule has no key `alret`. Did you mean `alert`?"),
        (
            "alert: A\n    record: b\n    expr: up",
            "[b] r.yml:6:5: a rule has `record` or `alert`, not both. Write two rules.",
        ),
        ("alert: A\n    expr: up\n    fro: 5m", "[A] r.yml:8:5: a rule has no key `fro`. Did you mean `for`?"),
        (
            "alert: A\n    expr: up\n    for: 5 minutes",
            "[A] r.yml:8:10: `for` must be a length of time, and `5 minutes` is none. Write it like `30s`, `5m` or `1h30m`.",
        ),
        ("alert: A\n    expr: up\n    labels: [a]", "[A] r.yml:8:13: `labels` must be a map, and this is a list."),
        (
            "alert: A\n    expr: up\n    labels: {a-b: c}",
            "[A] r.yml:8:14: `a-b` is no name of a label. Letters, digits and `_`; no digit first; not `__name__`.",
        ),
        ("alert: A\n    expr: up\n    labels: {a: [c]}", "[A] r.yml:8:17: `a` must be a text, and this is a list."),
        ("alert: A\n    expr: up\n    expr: up", "[] r.yml:8:5: `expr` is said twice."),
        (
            "record: a-b\n    expr: up",
            "[a-b] r.yml:6:13: `a-b` is no name of a metric. Letters, digits, `_` and `:`; no digit first.",
        ),
        ("record: a\n    expr: up\n    for: 1m", "[a] r.yml:8:5: a rule with `record` has no `for`."),
        (
            "alert: Good\n    expr: up",
            "[Good] r.yml:6:5: the same rule `Good` stands above already. Remove one of them.",
        ),
        ("just a text", "[] r.yml:6:5: a rule must be a map, and this is a text."),
    ] {
        let file = read(&rule(lines));
        let loaded: Vec<&str> =
            file.groups.iter().flat_map(|group| &group.rules).map(|rule| rule.name.as_str()).collect();
        assert_eq!(loaded, ["Good"], "{lines}");
        assert_eq!(broken(&rule(lines)), [expected], "{lines}");
    }
}

#[test]
fn a_wrong_setting_of_a_group_leaves_its_rules() {
    let rules = "rules: [{alert: A, expr: up}]";
    for (head, expected) in [
        (
            "name: g\n  interval: soon",
            "[g] r.yml:3:13: `interval` must be a length of time, and `soon` is none. Write it like `30s`, `5m` or `1h30m`.",
        ),
        ("name: g\n  limit: many", "[g] r.yml:3:10: `limit` must be a whole number, and `many` is none."),
        ("name: g\n  intervall: 1m", "[g] r.yml:3:3: a group has no key `intervall`. Did you mean `interval`?"),
    ] {
        let text = format!("groups:\n- {head}\n  {rules}\n");
        assert_eq!(broken(&text), [expected]);
        assert_eq!(read(&text).groups.iter().map(|group| group.rules.len()).sum::<usize>(), 1, "{head}");
    }
    let text = format!("groups:\n- name: g\n  {rules}\n- name: g\n  {rules}\n");
    assert_eq!(broken(&text), ["[g] r.yml:4:3: a group `g` stands above already. Rename one of them."]);
    assert_eq!(read(&text).groups.len(), 2);
}

#[test]
fn keys_of_other_dialects_are_passed_over_with_a_word() {
    let file = read(
        "namespace: x\ngroups:\n- name: g\n  partial_response_strategy: warn\n  rules: [{alert: A, expr: up, x_note: 1}]\n",
    );
    assert_eq!(file.broken, []);
    assert_eq!(file.groups.iter().map(|group| group.rules.len()).sum::<usize>(), 1);
    let unknown: Vec<String> = file.unknown.iter().map(Fault::to_string).collect();
    assert_eq!(
        unknown,
        [
            "r.yml:1:1: a rule file has no key `namespace`. It is passed over.",
            "r.yml:4:3: a group has no key `partial_response_strategy`. It is passed over.",
            "r.yml:5:32: a rule has no key `x_note`. It is passed over.",
        ]
    );
}

#[test]
fn what_is_no_rule_file_is_one_error_row() {
    for (text, start) in [
        ("groups: [", "[] r.yml:"),
        ("- a\n- b\n", "[] r.yml:1:1: a rule file must be a map, and this is a list."),
        ("groups: {}", "[] r.yml:1:9: `groups` must be a list, and this is a map."),
        ("a: 1\n---\nb: 1\n", "[] r.yml:2:1: a second document begins here"),
        ("a: &x [*x]", "[] r.yml:1:8: this alias means a node that is not complete yet."),
        ("a: *nobody", "[] r.yml:1:"),
        ("[a]: b", "[] r.yml:1:6: a key must be a text."),
        ("\u{0}\u{1}", "[] r.yml:"),
    ] {
        let rows = broken(text);
        assert!(matches!(&rows[..], [row] if row.starts_with(start)), "{text:?}: {rows:?}");
    }
    for empty in ["", "# nothing\n", "groups:\n", "---\n", "null"] {
        assert_eq!(broken(empty), [""; 0], "{empty:?}");
    }
}

#[test]
fn a_bomb_is_refused_at_once() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..20 {
        let all = vec![format!("*a{}", n - 1); 10].join(", ");
        laughs.extend([format!("a{n}: &a{n} [{all}]\n")]);
    }
    assert!(broken(&laughs)[0].contains("with its aliases written out"), "{:?}", broken(&laughs));
    for deep in ["[".repeat(1_000_000), "- ".repeat(1_000_000), "{a: ".repeat(300_000)] {
        let row = broken(&deep).remove(0);
        assert!(row.contains("too deep") || row.contains("recursion limit"), "{row}");
    }
    assert!(broken(&"x".repeat(10 << 20))[0].contains("larger than 4 MiB"));
    let many = format!("groups:\n- name: g\n  rules:\n{}", "  - {record: a, expr: up}\n".repeat(12_000));
    let file = read(&many);
    assert!(file.broken.last().is_some_and(|(_, fault)| fault.what.as_str().contains("at most 10000 rules")));
}

/// The value of `e`, and a scalar's places by the character that stands there.
fn places(text: &str) -> Vec<String> {
    fn find(node: &Node) -> Option<&Node> {
        let Data::Map(pairs) = &node.data else { return None };
        pairs.iter().find_map(|(key, node)| if key.text == "e" { Some(&**node) } else { find(node) })
    }
    let root = yaml::read("f", text).expect("yaml");
    let node = find(&root).expect("a key e");
    let Data::Scalar(scalar) = &node.data else { panic!("a scalar") };
    let lines: Vec<Vec<char>> =
        text.trim_start_matches('\u{FEFF}').split('\n').map(|line| line.chars().collect()).collect();
    let mut wrong = Vec::new();
    for (at, c) in scalar.text.chars().enumerate().filter(|(_, c)| !c.is_whitespace()) {
        let spot = node.spot_within(text, at);
        let there = lines[spot.line as usize - 1].get(spot.column as usize - 1);
        if there != Some(&c) {
            wrong.push(format!("{at} {c:?} at {spot:?} is {there:?} in {text:?}"));
        }
    }
    wrong
}

#[test]
fn a_character_of_an_expression_is_found_in_the_file_however_it_is_written() {
    for text in [
        "e: up == 0",
        "x:\n  e: up\n    == 0\n    or down",
        "x:\n  e:\n    up == 0",
        "e: 'it''s {a=''b''} | x'\nf: 1",
        r#"e: "up{a=\"b\"} \\ == \t 0" "#,
        "e: \"up\n  == 0\n\n  or x\"",
        "x:\n  e: |\n    up{a=\"b\"}\n      == 0\n\n    # c\n    or x\n  f: 1",
        "x:\n  e: |-  # note | > x\n\n    up == 0\n    |= 1\nf: 1",
        "x:\n  e: >\n    up\n    == 0\n\n    or 'x'\n  f: 1\n",
        "x:\n  e: >-2\n      |up\n    == 0\n  f: 1\n",
        "# ü\nx: ä\n# ß\ne: 'ü{a=\"ö\"} > 1'",
        "\u{FEFF}e: up == 0",
        "a: &x\n  e: up == 0\nb: *x",
    ] {
        assert_eq!(places(text), [""; 0]);
    }
}

#[test]
fn a_broken_expression_is_placed_in_its_scalar() {
    let text = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      up ==\n        0 0\n";
    let rows = broken(text);
    assert!(matches!(&rows[..], [row] if row.starts_with("[A] r.yml:")), "{rows:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]
    #[test]
    fn no_text_breaks_the_reader(text in r#"([-a-c:{}\[\]"'|>&*!%#?,<~ \n\t]|groups|rules|expr|alert|\u{e4}|- |: ){0,80}"#) {
        let _read = read(&text);
    }

    #[test]
    fn a_damaged_file_gives_rows_not_a_panic(at in 0usize..600, what in "[^a-z]{0,4}") {
        let good = include_str!("../../../profiles/host/profile.toml");
        let _toml_is_no_rule_file = read(good);
        let text = "groups:\n- name: g\n  interval: 1m\n  rules:\n  - alert: A\n    expr: |\n      up == 0\n    for: 5m\n    labels: {a: \"b\", c: 'd'}\n    annotations:\n      s: >-\n        x {{ $value }}\n";
        let chars: Vec<char> = text.chars().collect();
        let at = at.min(chars.len());
        let damaged: String = chars[..at].iter().copied().chain(what.chars()).chain(chars[at..].iter().copied()).collect();
        let _read = read(&damaged);
    }
}
