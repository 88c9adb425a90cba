//! `scrape` against the node exporter, and against pages that are none.

use crate::server::{say, serve};
use crate::{find, observe, peer, sampler, value};
use core::time::Duration;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use watchkeeper::base::PointKind;

#[tokio::test]
async fn a_real_exporters_page_is_understood_whole() {
    let Some(peer) = peer::start("node-exporter") else { return };
    let url = peer.env("NODE_EXPORTER_URL");
    let seen = observe(&mut *sampler("scrape", &format!("url = \"{url}\""))).await.expect("a page");
    assert_eq!(seen.facts, [], "no bad line, nothing dropped");
    assert!(seen.points.len() > 200, "{}", seen.points.len());
    let btime = std::fs::read_to_string("/proc/stat").expect("readable");
    let btime = btime.lines().find_map(|line| line.strip_prefix("btime ")).and_then(|at| at.parse().ok());
    assert_eq!(find(&seen, "node_boot_time_seconds", &[]), btime);
    let kind = |name: &str| seen.points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.kind);
    assert_eq!(kind("node_load1"), Some(PointKind::Gauge));
    assert_eq!(kind("node_cpu_seconds_total"), Some(PointKind::Counter));
    assert_eq!(kind("go_gc_duration_seconds_sum"), Some(PointKind::Summary));
    assert!(value(&seen, "go_gc_duration_seconds", &[("quantile", "0.5")]) >= 0.0);
}

#[tokio::test]
async fn what_is_no_page_of_metrics_is_a_sentence() {
    let server = serve(|path, stream| match path {
        "/proto" => say(stream, "200 OK", "Content-Type: application/vnd.google.protobuf; proto=io\r\n", "\n\u{8}up"),
        "/html" => say(stream, "200 OK", "Content-Type: text/html\r\n", "<html>\n"),
        "/down" => say(stream, "500 Internal Server Error", "", ""),
        _ => say(stream, "200 OK", "", "up 1\nup{\n\u{1b}[31m 5\n"),
    });
    let complain = async |path: &str| {
        let mut scrape = sampler("scrape", &format!("url = \"http://{}{path}\"", server.at));
        observe(&mut *scrape).await.map_err(|failure| failure.what.to_string().replace(&server.at, "HOST"))
    };
    let proto = "HOST/proto answers in protobuf, which is not read here; let it answer in text.";
    assert_eq!(complain("/proto").await.err().as_deref(), Some(proto));
    let html = complain("/html").await.expect_err("no metrics");
    assert!(html.starts_with("HOST/html shows no metrics (it is HTML): 1 lines not understood"), "{html}");
    assert_eq!(complain("/down").await.err().as_deref(), Some("HOST/down answered 500 Internal Server Error."));
    let seen = complain("/part").await.expect("one line is good");
    assert_eq!(value(&seen, "up", &[]), 1.0);
    let fact = seen.facts[0].1.as_str();
    assert_eq!(fact, "2 lines not understood, the first is 2: expected a label name or `}`");
}

#[tokio::test]
async fn a_real_servers_own_page_is_understood_whole_and_the_second_time_by_memory() {
    let Some(peer) = peer::start("prometheus") else { return };
    let url = peer.env("PROMETHEUS_URL");
    let mut watch = sampler("scrape", &format!("urls = [\"{url}/graph\", \"{url}/metrics\"]"));
    let mut last = 0.0;
    for _ in 0..3 {
        let seen = observe(&mut *watch).await.expect("a page");
        let source = format!("{}/metrics", peer.env("PROMETHEUS_ADDR"));
        let facts: Vec<_> = seen.facts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(facts, [("source", source.as_str())], "no bad line, nothing dropped");
        assert!(value(&seen, "prometheus_build_info", &[]) == 1.0 && seen.points.len() > 200);
        let kind =
            |name: &str| seen.points.iter().find(|point| point.key.name.as_str() == name).map(|point| point.kind);
        assert_eq!(kind("prometheus_http_requests_total"), Some(PointKind::Counter));
        assert_eq!(kind("prometheus_http_request_duration_seconds_bucket"), Some(PointKind::Histogram));
        // It counts our own requests: each page has the ones before it.
        let asked = find(&seen, "prometheus_http_requests_total", &[("handler", "/metrics"), ("code", "200")]);
        assert!(asked.unwrap_or(0.0) == last || last == 0.0, "{asked:?} after {last}");
        last = asked.unwrap_or(0.0) + 1.0;
    }
}

#[tokio::test]
async fn the_first_candidate_that_shows_metrics_is_kept_until_it_fails() {
    let down = AtomicUsize::new(0);
    let server = serve(move |path, stream| match path {
        "/none" => say(stream, "404 Not Found", "", ""),
        "/html" => say(stream, "200 OK", "Content-Type: text/html\r\n", "<html>\n"),
        "/first" if down.fetch_add(1, Ordering::SeqCst) >= 2 => say(stream, "503 Service Unavailable", "", ""),
        "/first" => say(stream, "200 OK", "", "first 1\n"),
        _ => say(stream, "200 OK", "", "second 1\n"),
    });
    let urls = |paths: &[&str]| {
        let urls: Vec<String> = paths.iter().map(|path| format!("\"http://{}{path}\"", server.at)).collect();
        format!("urls = [{}]", urls.join(", "))
    };
    let mut watch = sampler("scrape", &urls(&["/none", "/html", "/first", "/second"]));
    let mut asked = Vec::new();
    let mut sources = Vec::new();
    for _ in 0..5 {
        let before = server.requests();
        let seen = observe(&mut *watch).await.expect("one of them");
        asked.push(server.requests() - before);
        sources.push(seen.facts[0].1.to_string().replace(&server.at, ""));
    }
    assert_eq!(sources, ["/first", "/first", "/second", "/second", "/second"]);
    assert_eq!(asked, [3, 1, 2, 1, 1]);
    let failure = observe(&mut *sampler("scrape", &urls(&["/none", "/html"]))).await.expect_err("neither");
    let what = failure.what.to_string().replace(&server.at, "HOST");
    assert!(what.starts_with("None of 2 candidates shows metrics. HOST/none answered 404 Not Found. Is the path right? HOST/html shows no metrics (it is HTML)"), "{what}");
    assert!(failure.answered);
}

#[tokio::test]
async fn a_candidate_that_hangs_costs_one_attempt() {
    let (_keep, never) = std::sync::mpsc::sync_channel::<()>(0);
    let never = Mutex::new(never);
    let server = serve(move |path, stream| match path {
        "/hangs" => never.lock().is_ok_and(|never| never.recv().is_ok()),
        _ => say(stream, "200 OK", "", "up 1\n"),
    });
    let config = format!("urls = [\"http://{0}/hangs\", \"http://{0}/good\"]", server.at);
    let mut watch = sampler("scrape", &config);
    assert!(tokio::time::timeout(Duration::from_millis(100), observe(&mut *watch)).await.is_err());
    for _ in 0..2 {
        let seen = tokio::time::timeout(Duration::from_secs(20), observe(&mut *watch)).await.expect("it hangs again");
        assert_eq!(value(&seen.expect("the other one"), "up", &[]), 1.0);
    }
    assert_eq!(server.requests(), 3);
}
