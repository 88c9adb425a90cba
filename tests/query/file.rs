//! Against a file of series.

use crate::desk::Desk;
use crate::harness::Pty;
use crate::server::Server;
use crate::{peer, query};
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::path::PathBuf;
use watchkeeper::base::SeriesKey;
use watchkeeper::rules::expr::{Millis, Track};

/// The newest moment of the points, less a fraction of a second.
const NOW: Millis = 1_700_000_940_000;

/// Two counters and a gauge over fifteen minutes, no point on a whole second.
fn tracks() -> Vec<Track> {
    let track = |name: &str, labels: &[(&str, &str)], value: &dyn Fn(f64) -> f64| {
        let points = (0..61).map(|n| (NOW - 900_137 + n * 15_000, value(n as f64))).collect();
        Track { key: SeriesKey::new(name, labels), points }
    };
    vec![
        track("requests_total", &[("job", "api"), ("code", "200")], &|n| 1_000.0 + n * 7.5),
        track("requests_total", &[("job", "api"), ("code", "500")], &|n| 500.0 + (n % 40.0) * 0.1),
        track("queue_bytes", &[("job", "api")], &|n| 1e6 + (n * 0.7).sin() * 1e5),
    ]
}

fn exposition(tracks: &[Track]) -> String {
    let mut text = String::new();
    for track in tracks {
        let pairs: Vec<String> = track.key.labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
        for (at, value) in &track.points {
            writeln!(text, "{}{{{}}} {value} {at}", track.key.name, pairs.join(",")).unwrap();
        }
    }
    text
}

fn file(desk: &Desk) -> PathBuf {
    desk.write("series.prom", exposition(&tracks()))
}

#[test]
fn a_division_by_zero_has_an_answer_and_a_word_about_it() {
    let desk = Desk::new();
    let path = file(&desk);
    for (expr, answer) in [("1 / 0", "+Inf"), ("sum(queue_bytes) / 0", "+Inf"), ("sum(queue_bytes) % 0", "NaN")] {
        let said = query(&desk, &["--series", path.to_str().unwrap(), expr]);
        assert_eq!(said.status, Some(0), "{expr}");
        assert!(
            said.out.contains(answer) && said.err.contains("division by zero"),
            "{expr}: {} {}",
            said.out,
            said.err
        );
    }
    assert_eq!(query(&desk, &["--series", path.to_str().unwrap(), "1 / 2"]).err, "");
}

#[test]
fn as_many_different_values_as_series_can_be_counted() {
    let desk = Desk::new();
    let text: String = (0..20_000).fold(String::new(), |mut text, n| {
        writeln!(text, "x{{i=\"{n}\"}} {n} {NOW}").unwrap();
        text
    });
    let path = desk.write("many.prom", text);
    let said = query(&desk, &["--series", path.to_str().unwrap(), "count(count_values(\"v\", x))"]);
    assert!(said.out.starts_with("{}  20000 "), "{} {}", said.out, said.err);
}

#[test]
fn a_profile_before_the_word_is_refused_not_passed_over() {
    let desk = Desk::new();
    for words in [&["--profile", "demo", "query", "up"][..], &["--profile", "demo", "validate", "rules", "r.yml"]] {
        let said = desk.run(words);
        let err = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.code() == Some(2) && err.contains("--profile"), "{words:?}: {err}");
    }
    let help = String::from_utf8(desk.run(&["query", "--help"]).stdout).unwrap();
    assert!(!help.contains("--theme") && !help.contains("--no-bell"), "{help}");
    assert!(String::from_utf8(desk.run(&["demo", "--help"]).stdout).unwrap().contains("--theme"));
}

#[test]
fn a_vector_is_a_table_a_scalar_a_number_and_nothing_a_sentence() {
    let desk = Desk::new();
    let path = file(&desk);
    let path = path.to_str().unwrap();
    let said = query(&desk, &["--series", path, "--at", "2023-11-14T22:29:00Z", "requests_total"]);
    assert_eq!(
        (said.status, said.out.as_str(), said.err.as_str()),
        (
            Some(0),
            "requests_total{code=\"200\", job=\"api\"}  1450  2023-11-14T22:29:00Z\n\
            requests_total{code=\"500\", job=\"api\"}   502  2023-11-14T22:29:00Z\n",
            ""
        )
    );
    // Without --at, the newest point is the moment.
    let said = query(&desk, &["--series", path, "queue_bytes"]);
    assert!(said.out.contains(" MiB  ") || said.out.contains(" KiB  "), "the suffix promises bytes: {}", said.out);
    assert!(said.out.trim_end().ends_with("2023-11-14T22:28:59.863Z"), "{}", said.out);
    let said = query(&desk, &["--series", path, "2 * 21"]);
    assert_eq!((said.status, said.out.as_str()), (Some(0), "42\n"));
    let said = query(&desk, &["--series", path, "\"a\\tb\""]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    let said = query(&desk, &["--series", path, "requests_total > 1e9"]);
    assert_eq!((said.status, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("no row satisfies"), "{}", said.err);
}

#[test]
fn a_range_that_goes_to_a_program_is_points_that_can_be_cut() {
    let desk = Desk::new();
    let path = file(&desk);
    let said = query(
        &desk,
        &["--series", path.to_str().unwrap(), "--at", "1700000940", "--range", "1m", "--step", "30s", "queue_bytes"],
    );
    assert_eq!(said.status, Some(0), "{}", said.err);
    let rows: Vec<Vec<&str>> = said.out.lines().map(|line| line.split('\t').collect()).collect();
    let times: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(times, ["2023-11-14T22:28:00Z", "2023-11-14T22:28:30Z", "2023-11-14T22:29:00Z"]);
    assert!(
        rows.iter().all(|row| row[1] == "queue_bytes{job=\"api\"}" && row[2].parse::<f64>().is_ok()),
        "{}",
        said.out
    );
}

#[test]
fn a_saved_answer_of_the_api_and_a_pipe_are_read_too() {
    let desk = Desk::new();
    let path = file(&desk);
    let ask = |series: &str, expr: &str| query(&desk, &["--series", series, "--at", "1700000940", "--json", expr]);
    let saved =
        query(&desk, &["--series", path.to_str().unwrap(), "--at", "1700000940", "--json", "requests_total[10m]"]);
    let again = desk.write("answer.json", &saved.out);
    let expr = "sum by (code) (rate(requests_total[5m]))";
    let (text, json) = (ask(path.to_str().unwrap(), expr), ask(again.to_str().unwrap(), expr));
    assert_eq!((text.status, &text.out), (Some(0), &json.out), "{} {}", text.err, json.err);
}

#[test]
fn what_is_wrong_is_a_sentence_with_its_place() {
    let desk = Desk::new();
    let path = file(&desk);
    let path = path.to_str().unwrap();
    let said = query(&desk, &["--series", path, "sum(rate(requests_total[5m])"]);
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
    assert!(said.err.starts_with("watchkeeper: "), "{}", said.err);
    let said = query(&desk, &["--series", path, "sum by (code) (rat(requests_total[5m]))"]);
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(said.status, Some(2));
    assert_eq!(
        lines.get(1..),
        Some(&["  sum by (code) (rat(requests_total[5m]))", "                 ^"][..]),
        "{}",
        said.err
    );
    let said = query(&desk, &["--series", path, "--json", "rate(requests_total)"]);
    let json: Json = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.status, &json["status"], &json["errorType"]), (Some(2), &"error".into(), &"bad_data".into()));
    let said = query(&desk, &["--series", path, "--json", "requests_total + on (job) requests_total"]);
    let json: Json = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.status, &json["errorType"]), (Some(2), &"execution".into()), "{}", said.out);

    let broken = desk.write("broken.prom", "up 1 1000\nup{job=\"a} 1 1000\n");
    let said = query(&desk, &["--series", broken.to_str().unwrap(), "up"]);
    assert!(said.err.contains("broken.prom:2:8: expected a label value"), "{}", said.err);
    for (args, sentence) in [
        (&["--series", "/nowhere/x.prom", "up"][..], "/nowhere/x.prom: cannot be read"),
        (&["--series", path, "--at", "noon", "up"], "`noon` is no time."),
        (&["--series", path, "--range", "1d", "--step", "1s", "up"], "more than 11000 steps"),
    ] {
        let said = query(&desk, args);
        assert_eq!(said.status, Some(2));
        assert!(said.err.contains(sentence), "{}", said.err);
    }
}

#[test]
fn on_a_terminal_a_range_is_a_chart_that_fits_and_has_no_colour_to_miss() {
    let desk = Desk::new();
    let path = file(&desk);
    let args = ["query", "--series", path.to_str().unwrap(), "--range", "15m", "queue_bytes"];
    let mut spec = desk.spec(&args);
    spec.size = (60, 20);
    let mut pty = Pty::spawn(&spec);
    assert_eq!(pty.status(), 0);
    pty.wait_for("least ");
    let text = pty.text();
    assert!(text.contains("queue_bytes{job=\"api\"}") && text.contains('█'), "{text}");
    assert!(!pty.raw().contains(&0x1B), "plain text");
    let said = String::from_utf8(pty.raw()).unwrap();
    assert!(said.lines().all(|line| line.trim_end().chars().count() <= 60), "{said}");
}

/// What both are asked: of each type and of each part of an answer.
const ASKED: &[&str] = &[
    "requests_total",
    "queue_bytes{job=~\"a.*\"} offset 1m",
    "rate(requests_total[5m])",
    "sum by (job) (increase(requests_total[10m]))",
    "requests_total{code=\"500\"} / ignoring (code) group_left () queue_bytes",
    "requests_total[1m]",
    "max_over_time(queue_bytes[5m:30s] offset 7s)",
    "scalar(queue_bytes)",
    "\"text\"",
    "1 / 0",
    "requests_total > 1e9",
    "absent(nothing{job=\"x\"})",
    "requests_total + on (job) requests_total",
];

#[test]
fn the_json_is_that_of_a_real_server_field_by_field() {
    let Some(peer) = peer::start("prometheus") else { return };
    let desk = Desk::new();
    let path = file(&desk);
    let mut server = Server::connect(peer.env("PROMETHEUS_ADDR"));
    server.write(&tracks());
    for expr in ASKED {
        let at = NOW - 13_000;
        let told = format!("{}", at / 1_000);
        let args = ["--series", path.to_str().unwrap(), "--compat", "--json", "--at", told.as_str()];
        let ours = query(&desk, &[&args[..], &[expr]].concat());
        same(expr, server.instant(expr, at), &ours.out);
        let ours = query(&desk, &[&args[..], &["--range", "2m", "--step", "25s", expr]].concat());
        same(expr, server.range(expr, (at - 120_000, at), 25_000), &ours.out);
    }
}

/// Every field is the same: the order of rows, the server's timings and the words of an error apart.
fn same(expr: &str, mut theirs: Json, ours: &str) {
    let mut ours: Json = serde_json::from_str(ours).unwrap_or_else(|error| panic!("{expr}: {error}: {ours}"));
    for answer in [&mut theirs, &mut ours] {
        if let Some(data) = answer.get_mut("data").and_then(Json::as_object_mut) {
            data.remove("stats");
            if data["resultType"] == "vector" || data["resultType"] == "matrix" {
                data["result"].as_array_mut().unwrap().sort_by_key(|row| row["metric"].to_string());
            }
        } else {
            let error = answer["error"].take();
            assert!(error.as_str().is_some_and(|text| !text.is_empty()), "{expr}: an error without words");
        }
    }
    // 2.42 says that a moment's error is one of execution, a wrong type one of the data: ours does too.
    assert_eq!(rounded(&ours), rounded(&theirs), "{expr}");
}

/// Numbers in texts to twelve digits: the servers sum in another order.
fn rounded(of: &Json) -> Json {
    match of {
        Json::String(text) => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Json::from(format!("{value:.11e}")),
            _ => of.clone(),
        },
        Json::Array(all) => all.iter().map(rounded).collect(),
        Json::Object(all) => all.iter().map(|(name, value)| (name.clone(), rounded(value))).collect(),
        Json::Number(number) => Json::from(number.as_f64()),
        _ => of.clone(),
    }
}
