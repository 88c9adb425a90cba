//! `http` against servers that answer well, badly, too much, in circles or not at all.

use crate::server::{Server, say, serve};
use crate::{find, measured, observe, sampler, value};
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::HeaderMap;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use watchkeeper::base::{Body, Failure, Observation};
use watchkeeper::samplers::Fetcher;

async fn ask(server: &Server, path: &str) -> Result<Observation, Failure> {
    let config = format!("url = \"http://joe:hunter2@{}{path}?token=hunter2\"\n{JSON}", server.at);
    let seen = observe(&mut *sampler("http", &config)).await;
    assert!(!format!("{seen:?}").contains("hunter2"), "{seen:?}");
    seen
}

const JSON: &str =
    "json = [{ pointer = \"/status\", fact = \"status\" }, { pointer = \"/queue/depth\", metric = \"queue_depth\" }]";
const GOOD: &str = r#"{"status": "healthy", "queue": {"depth": 12}}"#;

/// The sentence after the server's address, and whether it counts as an answer.
async fn complaint(server: &Server, path: &str) -> (String, bool) {
    let failure = ask(server, path).await.expect_err("a failure");
    let what = failure.what.as_str();
    let rest = what.strip_prefix(&server.at).unwrap_or_else(|| panic!("does not begin with {}: {what}", server.at));
    (rest.to_owned(), failure.answered)
}

fn answered(what: &str) -> (String, bool) {
    (what.to_owned(), true)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(body).expect("memory");
    packer.finish().expect("memory")
}

#[tokio::test]
async fn a_good_answer_gives_status_latency_and_values() {
    let server = serve(|_, stream| say(stream, "200 OK", "Content-Type: application/json\r\n", GOOD));
    let seen = ask(&server, "/health").await.expect("good");
    let instance = [("instance", &*format!("{}/health", server.at))];
    assert_eq!(value(&seen, "probe_success", &instance), 1.0);
    assert_eq!(value(&seen, "probe_http_status_code", &instance), 200.0);
    assert_eq!(value(&seen, "queue_depth", &instance), 12.0);
    let whole = value(&seen, "probe_duration_seconds", &[]);
    let parts = ["processing", "transfer", "connect"]
        .map(|phase| value(&seen, "probe_http_duration_seconds", &[("phase", phase)]));
    assert!(whole > 0.0 && (parts.iter().sum::<f64>() - whole).abs() < 1e-9, "{whole} {parts:?}");
    assert_eq!(seen.facts[0].1.as_str(), "healthy");
}

#[tokio::test]
async fn a_steady_watch_keeps_one_connection_and_finds_a_restarted_server() {
    let server = serve(|path, stream| say(stream, "200 OK", "", GOOD) && path != "/once");
    let mut kept = sampler("http", &format!("url = \"http://{}/\"", server.at));
    for _ in 0..5 {
        observe(&mut *kept).await.expect("good");
    }
    assert_eq!((server.requests(), server.connections()), (5, 1));
    let mut closed = sampler("http", &format!("url = \"http://{}/once\"", server.at));
    for _ in 0..5 {
        observe(&mut *closed).await.expect("good");
    }
}

#[tokio::test]
async fn a_waiting_connection_that_the_server_has_given_up_is_no_failure() {
    let count = AtomicUsize::new(0);
    // Every second request meets a connection that closes under it; a fresh one is served.
    let server = serve(move |_, stream| {
        count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) && say(stream, "200 OK", "", GOOD)
    });
    let mut watch = sampler("http", &format!("url = \"http://{}/\"", server.at));
    for _ in 0..5 {
        observe(&mut *watch).await.expect("good");
    }
    assert_eq!((server.requests(), server.connections()), (9, 5));
}

#[tokio::test]
async fn a_post_is_never_sent_twice() {
    let count = AtomicUsize::new(0);
    let server = serve(move |_, stream| {
        count.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) && say(stream, "200 OK", "", GOOD)
    });
    let body = Body::parse("p.toml", "url = \"x\"").expect("parses");
    let mut hook = Fetcher::posting(&body, &format!("http://{}/", server.at)).expect("a URL");
    assert_eq!(hook.post(&HeaderMap::new(), Vec::new()).await.expect("taken"), 200);
    hook.post(&HeaderMap::new(), Vec::new()).await.expect_err("cut off");
    // An answer that nobody reads may cost its connection.
    assert_eq!(server.requests(), 2);
    let before = server.connections();
    let mut watch = sampler("http", &format!("url = \"http://{}/\"\nmethod = \"POST\"", server.at));
    observe(&mut *watch).await.expect("good");
    observe(&mut *watch).await.expect_err("cut off");
    assert_eq!((server.requests(), server.connections() - before), (4, 2), "each has a connection of its own");
}

#[tokio::test]
async fn a_bad_status_is_a_short_sentence() {
    let server = serve(|path, stream| {
        let status = match path.split('?').next() {
            Some("/health") => "503 Go away",
            Some("/none") => "404 Not Found",
            Some("/odd") => "599 Odd",
            _ => "401 Unauthorized",
        };
        say(stream, status, "", "{}")
    });
    assert_eq!(complaint(&server, "/health").await, answered("/health answered 503 Service Unavailable."));
    assert_eq!(complaint(&server, "/none").await, answered("/none answered 404 Not Found. Is the path right?"));
    assert_eq!(complaint(&server, "/odd").await, answered("/odd answered 599."));
    let bad = measured(ask(&server, "/health").await.expect_err("bad"));
    assert_eq!((value(&bad, "probe_success", &[]), value(&bad, "probe_http_status_code", &[])), (0.0, 503.0));
    assert!(value(&bad, "probe_duration_seconds", &[]) > 0.0);
    assert!(value(&bad, "probe_http_duration_seconds", &[("phase", "connect")]) > 0.0);
    let refused = ask(&server, "/secret").await.expect_err("refused");
    assert!(refused.not_permitted && refused.what.as_str().contains("401 Unauthorized"), "{refused:?}");
}

#[tokio::test]
async fn a_port_that_refuses_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound").to_string();
    drop(listener);
    let failure = observe(&mut *sampler("http", &format!("url = \"http://{at}/health\""))).await.expect_err("refused");
    assert_eq!(failure.what.as_str(), format!("{at}/health refused the connection. Is the service running?"));
    assert!(!failure.answered);
    let down = measured(failure);
    assert_eq!((value(&down, "probe_success", &[]), value(&down, "probe_http_status_code", &[])), (0.0, 0.0));
    assert_eq!(value(&down, "watchkeeper_http_timeouts_total", &[]), 0.0);
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_its_cap() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let server = serve(move |path, stream| {
        let head = if path.starts_with("/known") { "Content-Length: 10737418240\r\n" } else { "Connection: close\r\n" };
        let mut open = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n").as_bytes()).is_ok();
        for _ in 0..1_280 {
            open = open && stream.write_all(&[b' '; 8_192]).is_ok();
            count.fetch_add(usize::from(open), Ordering::SeqCst);
        }
        false
    });
    for path in ["/known", "/endless"] {
        let expected = answered(&format!("{path} sent more than 1 MiB, reading stopped."));
        assert_eq!(complaint(&server, path).await, expected);
    }
    // What the kernel's buffers took in, not what was asked for.
    assert!(sent.load(Ordering::SeqCst) < 2_000, "{} blocks of 8 KiB", sent.load(Ordering::SeqCst));
}

#[tokio::test]
async fn gzip_is_unpacked_up_to_its_cap() {
    let (good, bomb) = (gzip(GOOD.as_bytes()), gzip(&vec![b' '; 64 << 20]));
    assert!(bomb.len() < 1 << 20, "small on the wire");
    let server = serve(move |path, stream| {
        let (how, body) = match path.split('?').next() {
            Some("/good") => ("gzip", &good[..]),
            Some("/bomb") => ("gzip", &bomb[..]),
            Some("/cut") => ("gzip", &good[..good.len() / 2]),
            _ => ("br", &b"?"[..]),
        };
        say(stream, "200 OK", &format!("Content-Encoding: {how}\r\n"), body)
    });
    assert_eq!(value(&ask(&server, "/good").await.expect("good"), "queue_depth", &[]), 12.0);
    assert_eq!(complaint(&server, "/bomb").await, answered("/bomb unpacks to more than 4 MiB, reading stopped."));
    assert_eq!(complaint(&server, "/cut").await, answered("/cut sent gzip that cannot be unpacked."));
    assert_eq!(complaint(&server, "/br").await, answered("/br is packed as br, which was not asked for."));
}

#[tokio::test]
async fn redirects_end_after_three_and_stay_on_their_host() {
    let server = serve(|path, stream| {
        let left = path.strip_prefix("/hop").and_then(|n| n.split('?').next()?.parse::<u32>().ok());
        match (path.split('?').next(), left) {
            (_, Some(0)) => say(stream, "200 OK", "", GOOD),
            (_, Some(n)) => say(stream, "302 Found", &format!("Location: /hop{}\r\n", n - 1), ""),
            (Some("/away"), _) => say(stream, "302 Found", "Location: //elsewhere.invalid/\r\n", ""),
            (Some("/tls"), _) => say(stream, "302 Found", "Location: https://127.0.0.1/\r\n", ""),
            _ => say(stream, "302 Found", "Location: /round\r\n", ""),
        }
    });
    ask(&server, "/hop3").await.expect("three are followed");
    let before = server.requests();
    assert_eq!(complaint(&server, "/round").await, answered("/round redirects more than 3 times."));
    assert_eq!(server.requests() - before, 4);
    let away = "/away redirects to another host (elsewhere.invalid), which is not followed.";
    assert_eq!(complaint(&server, "/away").await, answered(away));
    let tls = "/tls redirects to https: write https:// in its url.";
    assert_eq!(complaint(&server, "/tls").await, answered(tls));
}

#[tokio::test]
async fn what_is_no_json_or_too_deep_is_said_without_quoting_it() {
    let server = serve(|path, stream| match path.split('?').next() {
        Some("/html") => say(stream, "200 OK", "Content-Type: text/html\r\n", "<h1>hello</h1>"),
        _ => say(stream, "200 OK", "", "[".repeat(500_000)),
    });
    let html = "/html is not JSON (expected value at line 1 column 1).";
    assert_eq!(complaint(&server, "/html").await, answered(html));
    assert_eq!(complaint(&server, "/deep").await, answered("/deep is nested deeper than 64 levels."));
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_is_no_http_is_said() {
    let server = serve(|path, stream| {
        let text = match path.split('?').next() {
            Some("/cut") => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
            Some("/garbage") => "\x00\x01\x1b]0;title\x07 not http\r\n\r\n",
            _ => "",
        };
        stream.write_all(text.as_bytes()).is_err()
    });
    let (what, _) = complaint(&server, "/cut").await;
    assert_eq!(what, "/cut closed the connection before its answer was whole.");
    let (what, _) = complaint(&server, "/nothing").await;
    assert_eq!(what, "/nothing: connection closed before message completed.");
    let (what, _) = complaint(&server, "/garbage").await;
    assert!(what.starts_with("/garbage: ") && what.ends_with('.') && what.len() < 80, "{what}");
}

#[tokio::test]
async fn tls_on_a_plain_port_is_a_sentence() {
    let server = serve(|_, stream| say(stream, "200 OK", "", GOOD));
    let mut https = sampler("http", &format!("url = \"https://{}/health\"", server.at));
    let failure = observe(&mut *https).await.expect_err("no TLS there");
    assert!(failure.what.as_str().starts_with(&format!("{}/health: ", server.at)), "{failure:?}");
    assert!(!failure.answered);
}

const NO_HOST: &str = "no-such-host.invalid";

#[tokio::test]
async fn a_name_that_is_not_known_is_a_sentence() {
    let failure = observe(&mut *sampler("http", &format!("url = \"http://{NO_HOST}/\""))).await.expect_err("no name");
    let what = failure.what.as_str();
    assert!(what.starts_with("no-such-host.invalid: the name"), "{what}");
}

#[tokio::test]
async fn each_field_of_an_object_is_a_series_and_a_text_is_said_to_be_one() {
    let json = r#"{"neural_metrics": {"spike_counts": {"granule": 4100, "dcn": 12, "odd": "many"}}}"#;
    let server = serve(move |path, stream| {
        let (kind, body) = if path == "/text" {
            ("text/plain", "neural_inference_latency_ns 812\n")
        } else {
            ("application/json", json)
        };
        say(stream, "200 OK", &format!("Content-Type: {kind}\r\n"), body)
    });
    let row = "{ pointer = \"/neural_metrics/spike_counts\", metric = \"spikes\", label = \"layer\" }";
    let config = |path: &str| format!("url = \"http://{}{path}\"\nfields = false\njson = [{row}]", server.at);
    let seen = observe(&mut *sampler("http", &config("/json"))).await.expect("good");
    let spikes = |layer| find(&seen, "spikes", &[("layer", layer)]);
    assert_eq!((spikes("granule"), spikes("dcn"), spikes("odd")), (Some(4100.0), Some(12.0), None));
    assert!(seen.facts.iter().any(|(_, told)| told.as_str() == "1 of 3 fields have no number"), "{:?}", seen.facts);
    let failure = observe(&mut *sampler("http", &config("/text"))).await.expect_err("a text");
    assert!(failure.what.as_str().contains("not JSON"), "{failure:?}");
    assert_eq!(find(&measured(failure), "spikes", &[]), None, "never zero");
}
