//! `test rules`: the same test files pass here and with `promtool`; what fails says what differs, and where.

use crate::{folder, names, watchkeeper};
use std::process::Command;

#[test]
fn every_test_file_passes() {
    let files = names("files", "_test.yml");
    let (status, out, _) = watchkeeper(
        &folder("files"),
        &[&["test", "rules"], &files.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat(),
    );
    assert_eq!(status, 0, "{out}");
    assert!(out.ends_with("16 tests, 0 failed\n"), "{out}");
    assert_eq!(out.lines().filter(|line| line.starts_with("ok   ")).count(), 16, "{out}");
}

#[test]
fn the_same_files_pass_promtool() {
    for (name, passes) in
        names("files", "_test.yml").iter().map(|name| (name, true)).chain([(&"failing_test.yml".to_owned(), false)])
    {
        let folder = folder(if passes { "files" } else { "broken" });
        let run = Command::new("promtool").args(["test", "rules", name]).current_dir(folder).output();
        let Ok(run) = run else {
            println!("SKIPPED: promtool: not installed here (package prometheus)");
            return;
        };
        let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.success(), passes, "{name}: {said}");
    }
}

#[test]
fn what_fails_is_told_with_its_place_and_what_differs() {
    let xml = tempfile::NamedTempFile::new().expect("a file");
    let path = xml.path().to_string_lossy().into_owned();
    let (status, out, _) = watchkeeper(&folder("broken"), &["test", "rules", "failing_test.yml", "--junit", &path]);
    let expected = r#"FAIL failing_test.yml:5 everything that is expected here is wrong
     failing_test.yml:23:9: `HostDown` must not fire at 3m, and 2 fire.
       + {instance="<&b>", job="node", severity="critical"}
       +     description: No scrape of <&b> has succeeded for 2 minutes.
       +     runbook_url: https://example.org/runbooks/host-down
       +     summary: <&b> does not answer
       + {instance="a", job="node", severity="critical"}
       +     description: No scrape of a has succeeded for 2 minutes.
       +     runbook_url: https://example.org/runbooks/host-down
       +     summary: a does not answer
     failing_test.yml:13:9: `HostDown` fires at 5m, but not as expected:
         {instance="a", job="node", severity="critical"}
       -     summary: a is asleep
       +     description: No scrape of a has succeeded for 2 minutes.
       +     summary: a does not answer
       - {instance="c", job="node", severity="critical"}
       + {instance="<&b>", job="node", severity="critical"}
       +     description: No scrape of <&b> has succeeded for 2 minutes.
       +     runbook_url: https://example.org/runbooks/host-down
       +     summary: <&b> does not answer
     failing_test.yml:19:9: `HostMetricsAbsent` must fire at 5m, and does not.
       - {job="node", severity="critical"}
     failing_test.yml:26:9: `sum by (job) (up) + 1` at 5m is not as expected:
       - {job="node"} 3
       + {job="node"} 1
ok   failing_test.yml:31 this one holds
2 tests, 1 failed
"#;
    assert_eq!(out, expected);
    assert_eq!(status, 1);
    let xml = std::fs::read_to_string(xml.path()).expect("the XML");
    assert!(xml.contains(r#"<testsuite name="failing_test.yml" tests="2" failures="1">"#), "{xml}");
    assert!(
        xml.contains(
            r#"<testcase classname="failing_test.yml" name="this one holds" file="failing_test.yml" line="31"/>"#
        ),
        "{xml}"
    );
    assert!(xml.contains("+ {instance=&quot;&lt;&amp;b&gt;&quot;"), "{xml}");
    assert_eq!(xml.matches("<failure message=").count(), 4, "{xml}");
}

#[test]
fn a_test_file_that_cannot_be_played_fails_and_the_others_go_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("a file");
    write("rules.yml", "groups: [{name: g, rules: [{alert: A, expr: 'up ==='}]}]");
    write("clash.yml", "groups: [{name: g, rules: [{alert: A, expr: up, labels: {job: x, instance: x}}]}]");
    write("broken_rules.yml", "rule_files: [rules.yml]\ntests: [{alert_rule_test: [{eval_time: 1m, alertname: A}]}]");
    write("no_rules.yml", "rule_files: [nobody*.yml]");
    write("typo.yml", "tests:\n- input_serie: []\n");
    write("values.yml", "tests:\n- input_series:\n  - {series: up, values: '1 two'}\n");
    write("expr.yml", "tests:\n- promql_expr_test:\n  - expr: |\n      sum(\n        up\n");
    write(
        "clash_test.yml",
        "rule_files: [clash.yml]\ntests:\n- input_series: [{series: 'up{job=\"a\"}', values: 1x5}, {series: 'up{job=\"b\"}', values: 1x5}]\n  alert_rule_test: [{eval_time: 1m, alertname: A}]\n",
    );
    write("good.yml", "tests: [{name: nothing is asked}]");
    let files = [
        "broken_rules.yml",
        "no_rules.yml",
        "typo.yml",
        "values.yml",
        "expr.yml",
        "clash_test.yml",
        "absent.yml",
        "good.yml",
    ];
    let (status, out, _) = watchkeeper(dir.path(), &[&["test", "rules"], &files[..]].concat());
    assert_eq!(status, 1);
    for told in [
        "rules.yml:1:",
        "no_rules.yml:1:14: no rule file is called `nobody*.yml` here.",
        "typo.yml:2:3: a test has no key `input_serie`. Did you mean `input_series`?",
        "values.yml:3:26: `two` is no value",
        "expr.yml:4:",
        "clash.yml:1:45: at 0s: vector contains metrics with the same labelset after applying alert labels",
        "absent.yml: cannot be read",
        "ok   good.yml:1 nothing is asked",
        "8 tests, 7 failed",
    ] {
        assert!(out.contains(told), "{told}\n{out}");
    }
}

#[test]
fn what_a_profile_sets_is_filled_into_the_rules_that_are_tested() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("a file");
    write("profile.toml", "[settings]\njob = \"orders\"\nmost = 5\n");
    write("rules.yaml", "groups: [{name: g, rules: [{alert: Deep, expr: 'depth{job=\"${job}\"} > ${most}'}]}]");
    write(
        "rules_test.yaml",
        "rule_files: [rules.yaml]\ntests:\n- name: six are too many\n  input_series: [{series: 'depth{job=\"${job}\"}', values: 6x5}]\n  alert_rule_test: [{eval_time: 1m, alertname: Deep, exp_alerts: [{exp_labels: {job: orders}}]}]\n",
    );
    let told = |args: &[&str]| watchkeeper(dir.path(), &[&["test", "rules", "rules_test.yaml"], args].concat());
    let (status, out, _) = told(&["--profile", "./profile.toml"]);
    assert_eq!((status, out.as_str()), (0, "ok   rules_test.yaml:3 six are too many\n1 tests, 0 failed\n"));
    let (status, out, _) = told(&[]);
    assert_eq!(status, 1, "nothing is filled in without a profile\n{out}");
    let (status, _, err) = told(&["--profile", "./none.toml"]);
    assert_eq!((status, err.contains("none.toml")), (2, true), "{err}");
    let (_, out, err) =
        watchkeeper(dir.path(), &["validate", "rules", "rules.yaml", "--offline", "--profile", "./profile.toml"]);
    assert!(!out.contains("cannot be read") && out.contains("rules.yaml: 1 rule"), "{out}{err}");
}
