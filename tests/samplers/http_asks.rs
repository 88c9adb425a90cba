//! How `http` asks: methods, statuses, redirects, connections, pauses that the source wants, and what it calls an end.

use crate::server::{say, serve, serve_heads, whole};
use crate::{find, observe, sampler, value};
use core::time::Duration;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use watchkeeper::base::Observation;
use watchkeeper::samplers::Sampler;

fn phase(seen: &Observation, phase: &str) -> Option<f64> {
    find(seen, "probe_http_duration_seconds", &[("phase", phase)])
}

#[tokio::test]
async fn a_kept_connection_has_no_phases_of_connecting_and_a_fresh_one_has_them_each_time() {
    let server = serve(|_, stream| say(stream, "200 OK", "", "ok"));
    let port = server.at.rsplit(':').next().expect("a port");
    let mut kept = sampler("http", &format!("url = \"http://localhost:{port}/\""));
    let mut fresh = sampler("http", &format!("url = \"http://localhost:{port}/\"\nfresh = true"));
    for round in 0..3 {
        let seen = observe(&mut *kept).await.expect("good");
        let there = ["resolve", "connect", "processing", "transfer"].map(|name| phase(&seen, name).is_some());
        assert_eq!(there, [round == 0, round == 0, true, true], "round {round}");
        assert_eq!(find(&seen, "probe_dns_lookup_time_seconds", &[]).is_some(), round == 0);
        let seen = observe(&mut *fresh).await.expect("good");
        assert!(phase(&seen, "resolve").is_some() && phase(&seen, "connect").is_some_and(|took| took > 0.0));
        assert_eq!(phase(&seen, "tls"), None);
        let parts: f64 =
            ["resolve", "connect", "processing", "transfer"].iter().filter_map(|name| phase(&seen, name)).sum();
        assert!((parts - value(&seen, "probe_duration_seconds", &[])).abs() < 1e-9);
    }
    assert_eq!((server.requests(), server.connections()), (6, 4));
}

#[tokio::test]
async fn the_request_is_made_as_the_profile_says() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heads);
    let server = serve_heads(None, move |head| {
        kept.lock().expect("no panic").push(head.split(" HTTP").next().unwrap_or_default().to_owned());
        // The body of a POST is read as the beginning of the next head: its length is enough here.
        let length = head.to_ascii_lowercase().contains("content-length: 7\r\n");
        let status = if head.starts_with("POST") && !length { "400 Bad Request" } else { "204 No Content" };
        format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n")
    });
    for (config, good) in [
        ("method = \"HEAD\"", true),
        ("method = \"POST\"\nbody = '{\"a\":1}'", true),
        ("status = [204, 302]", true),
        ("status = [200]", false),
    ] {
        let seen = observe(&mut *sampler("http", &format!("url = \"http://{}/x\"\n{config}", server.at))).await;
        assert_eq!(seen.is_ok(), good, "{config}: {seen:?}");
    }
    let heads = heads.lock().expect("no panic").clone();
    assert_eq!(heads, ["HEAD /x", "POST /x", "GET /x", "GET /x"]);
}

#[tokio::test]
async fn an_unwanted_status_can_be_wanted_and_a_redirect_be_looked_at() {
    let other = serve(|_, stream| say(stream, "200 OK", "", "another service"));
    let away = other.at.clone();
    let server = serve(move |path, stream| match path {
        "/down" => {
            say(stream, "503 Service Unavailable", "Content-Type: application/json\r\n", r#"{"status": "unhealthy"}"#)
        }
        "/hop" => say(stream, "302 Found", "Location: /good\r\n", ""),
        "/port" => say(stream, "302 Found", &format!("Location: http://{away}/\r\n"), ""),
        _ => say(stream, "200 OK", "", "good"),
    });
    let ask = async |path: &str, config: &str| {
        let config = format!("url = \"http://{}{path}\"\n{config}", server.at);
        let seen = observe(&mut *sampler("http", &config)).await;
        seen.map_err(|failure| failure.what.to_string().replace(&server.at, "HOST"))
    };
    // What a health check says of itself is told, so that unhealthy and unreachable are kept apart.
    let unhealthy = ask("/down", "").await.expect_err("bad");
    assert_eq!(unhealthy, "HOST/down answered 503 Service Unavailable, status: unhealthy.");
    let seen = ask("/down", "status = [200, 503]").await.expect("wanted");
    assert_eq!(value(&seen, "probe_http_status_code", &[]), 503.0);
    assert_eq!(seen.facts[0].1.as_str(), "unhealthy");
    let hop = ask("/hop", "").await.expect("followed");
    assert_eq!(value(&hop, "probe_http_redirects", &[]), 1.0);
    // The redirect is no phase of its own: its time is in those that it went through.
    let phases = hop.points.iter().filter(|point| point.key.name.as_str() == "probe_http_duration_seconds");
    let (phases, whole) = (phases.map(|point| point.value).sum::<f64>(), value(&hop, "probe_duration_seconds", &[]));
    assert!(whole > 0.0 && (phases - whole).abs() < 1e-6, "{phases} of {whole}: {:?}", hop.points);
    let stays = ask("/hop", "follow = false\nstatus = [302]").await.expect("wanted");
    assert_eq!(value(&stays, "probe_http_redirects", &[]), 0.0);
    assert_eq!(ask("/hop", "follow = false").await.err().as_deref(), Some("HOST/hop answered 302 Found."));
    let port = ask("/port", "").await.expect_err("another port");
    assert!(port.starts_with("HOST/port redirects to another port ("), "{port}");
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_source_that_wants_to_be_left_alone_is_left_alone_and_asked_again_in_time() {
    for kind in ["http", "scrape"] {
        let count = AtomicUsize::new(0);
        let server = serve(move |_, stream| match count.fetch_add(1, Ordering::SeqCst) {
            0 => say(stream, "200 OK", "", "up 1\n"),
            1 => say(stream, "429 Too Many Requests", "Retry-After: 1\r\n", ""),
            2 => say(stream, "200 OK", "", "up 1\n"),
            3 => say(stream, "418 I'm a teapot", "Retry-After: 30\r\n", ""),
            _ => say(stream, "429 Too Many Requests", "", ""),
        });
        let mut watch = sampler(kind, &format!("url = \"http://{}/\"", server.at));
        let complain = async |watch: &mut dyn Sampler| {
            let failure = observe(watch).await.expect_err("left alone");
            (failure.what.to_string().replace(&server.at, "HOST"), failure.answered)
        };
        observe(&mut *watch).await.expect("good");
        let first = "HOST answered 429 Too Many Requests: it wants to be left alone, asked again in 1.00 s.";
        assert_eq!(complain(&mut *watch).await, (first.to_owned(), true));
        let (held, answered) = complain(&mut *watch).await;
        assert!(
            held.starts_with("HOST asked for a pause (429 Too Many Requests), asked again in ") && answered,
            "{held}"
        );
        assert_eq!(server.requests(), 2, "it was not asked");
        // Bounded by the pause itself.
        while server.requests() == 2 {
            assert_eq!(observe(&mut *watch).await.is_ok(), server.requests() == 3);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let banned = "HOST answered 418 I'm a teapot: it wants to be left alone, asked again in 30.0 s.";
        assert_eq!(complain(&mut *watch).await.0, banned);
        complain(&mut *watch).await;
        assert_eq!(server.requests(), 4);
    }
}

#[tokio::test]
async fn an_attempt_that_was_given_up_is_counted_and_the_next_one_is_good() {
    let count = AtomicUsize::new(0);
    let (_keep, never) = std::sync::mpsc::sync_channel::<()>(0);
    let never = Mutex::new(never);
    let server = serve(move |_, stream| {
        if count.fetch_add(1, Ordering::SeqCst) == 1 {
            return never.lock().is_ok_and(|never| never.recv().is_ok());
        }
        say(stream, "200 OK", "", "ok")
    });
    let mut watch = sampler("http", &format!("url = \"http://{}/\"", server.at));
    let timeouts = |seen: &Observation| value(seen, "watchkeeper_http_timeouts_total", &[]);
    assert_eq!(timeouts(&observe(&mut *watch).await.expect("good")), 0.0);
    let hung = tokio::time::timeout(Duration::from_millis(100), observe(&mut *watch)).await;
    assert!(hung.is_err());
    for _ in 0..2 {
        assert_eq!(timeouts(&observe(&mut *watch).await.expect("good")), 1.0);
    }
}

#[tokio::test]
async fn every_field_at_the_top_of_a_health_answer_is_shown() {
    let body = r#"{"status": "healthy", "latency_p95": 812, "memory_usage": 0.43, "checks": [{"name": "db"}]}"#;
    let server = serve_heads(None, |_| whole("200 OK", "Content-Type: application/json; charset=utf-8\r\n", body));
    let config = |more: &str| format!("url = \"http://{}/health\"\n{more}", server.at);
    let facts = async |more: &str| {
        let seen = observe(&mut *sampler("http", &config(more))).await.expect("good");
        assert_eq!(value(&seen, "probe_http_content_length", &[]), body.len() as f64);
        seen.facts.into_iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>()
    };
    assert_eq!(facts("").await, ["status=healthy", "latency_p95=812", "memory_usage=0.43", "checks=a list of 1"]);
    assert_eq!(facts("fields = false").await, [""; 0]);
}
