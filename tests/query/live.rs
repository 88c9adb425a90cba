//! Against this host and a profile.

use crate::desk::Desk;
use crate::query;
use serde_json::Value as Json;

#[test]
fn this_host_answers_at_once() {
    let desk = Desk::new();
    let said = query(&desk, &["node_load1"]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    let row: Vec<&str> = said.out.split_whitespace().collect();
    assert_eq!(row.first(), Some(&"node_load1{job=\"host\"}"), "{}", said.out);
    assert!(row[1].parse::<f64>().is_ok_and(|load| load >= 0.0), "{}", said.out);
    assert!(said.err.contains("waiting for an answer of host, 15 s at most"), "{}", said.err);
    let said = query(&desk, &["--json", "up"]);
    let json: Json = serde_json::from_str(&said.out).unwrap();
    let rows = json["data"]["result"].as_array().unwrap();
    let host = serde_json::json!({"__name__": "up", "job": "host"});
    let row = rows.iter().find(|row| row["metric"] == host).unwrap_or_else(|| panic!("{}", said.out));
    assert_eq!(row["value"][1], "1");
}

#[test]
fn a_window_waits_for_two_answers_and_says_how_much_of_it_there_is() {
    let desk = Desk::new();
    let said = query(&desk, &["rate(node_cpu_seconds_total{cpu=\"0\"}[5m])"]);
    assert_eq!(said.status, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.lines().count() >= 4, "a row a mode: {}", said.out);
    assert!(said.err.contains("waiting for two answers of host"), "{}", said.err);
    let coverage =
        said.err.lines().find(|line| line.starts_with("coverage: ")).unwrap_or_else(|| panic!("{}", said.err));
    assert!(coverage.ends_with(" of 5 m"), "{coverage}");
    let said = query(&desk, &["--for", "3s", "count_over_time(node_load1[1m])"]);
    let count: f64 = said.out.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((2.0..=5.0).contains(&count), "three seconds hold three answers: {}", said.out);
}

#[test]
fn a_sampler_that_fails_is_told_and_down() {
    let desk = Desk::new();
    let profile = desk.write(
        "down.toml",
        "title = \"Down\"\nenvironment = \"test\"\n[samplers.app]\nkind = \"scrape\"\nurl = \"http://127.0.0.1:1/metrics\"\nevery = \"1s\"\n",
    );
    let profile = profile.to_str().unwrap();
    let said = query(&desk, &["--profile", profile, "up"]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    let row = said.out.lines().find(|line| line.starts_with("up{job=\"app\"} "));
    assert!(row.is_some_and(|row| row.split_whitespace().nth(1) == Some("0")), "{}", said.out);
    assert!(said.err.contains("refused the connection"), "{}", said.err);
    let said = query(&desk, &["--profile", profile, "orders_total"]);
    assert_eq!((said.status, said.out.as_str()), (Some(1), ""), "{}", said.err);
    let said = query(&desk, &["--profile", "/nowhere/profile.toml", "up"]);
    assert_eq!(said.status, Some(2), "{}", said.err);
}

#[test]
fn a_metric_that_nobody_makes_is_not_waited_for() {
    let desk = Desk::new();
    let said = query(&desk, &["no_such_metric"]);
    assert_eq!((said.status, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("no sampler of this profile makes"), "{}", said.err);
    let said = query(&desk, &["1 + 1"]);
    assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (Some(0), "2\n", ""));
}
