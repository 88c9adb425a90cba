//! `scrape` against the node exporter, and against pages that are none.

use crate::server::{say, serve};
use crate::{find, observe, peer, sampler, value};
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
