//! A burst of probes against servers with known delays, and behind a line with one.

use crate::peer;
use crate::server::{refusing, say, serve};
use crate::websocket::handshake;
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use watchkeeper::base::Clock;
use watchkeeper::samplers::{Burst, Outcome};
use watchkeeper::sys::clock::RealClock;

const FAST: Duration = Duration::from_millis(50);

async fn burst(url: &str, count: u32, every: Duration, deadline: Duration) -> Outcome {
    Burst::new(url, count, every, deadline).expect("valid").run().await
}

#[tokio::test]
async fn the_figures_are_those_of_a_server_with_known_delays() {
    let (_keep, never) = sync_channel::<()>(0);
    let never = Mutex::new(never);
    let asked = AtomicUsize::new(0);
    let server = serve(move |_, stream| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        let delay = if number % 10 == 9 { 200 } else { 20 };
        assert!(never.lock().expect("no panic").recv_timeout(Duration::from_millis(delay)).is_err());
        say(stream, "200 OK", "", "{}")
    });
    let outcome = burst(&format!("http://{}/ping", server.at), 20, FAST, Duration::from_secs(5)).await;
    let figures = outcome.figures().expect("answers");
    assert_eq!((outcome.sent, outcome.lost, outcome.took.len()), (20, 0, 20));
    assert_eq!((server.requests(), server.connections()), (20, 1), "one connection for all");
    assert!(figures.min >= 0.020 && figures.max >= 0.200, "{figures:?}");
    assert!(figures.mean >= 0.038 && figures.mean < figures.p95 && figures.stdev > 0.02, "{figures:?}");
    assert!(figures.p50 >= 0.020 && figures.p95 >= 0.200 && figures.p99 >= 0.200, "the two slow ones are over it");
    assert!(figures.p95 <= figures.p99 && figures.p99 <= figures.max, "{figures:?}");
    let known = |number: usize| if number % 10 == 9 { 0.200 } else { 0.020 };
    let late: Vec<f64> = outcome.took.iter().enumerate().map(|(number, took)| took - known(number)).collect();
    let least = late.iter().copied().fold(f64::INFINITY, f64::min);
    assert!((0.0..0.2).contains(&least), "each took its own delay, and the quickest little more: {late:?}");
    let bins = outcome.histogram();
    assert_eq!((bins.len(), bins.iter().map(|bin| bin.count).sum::<u32>()), (8, 20));
}

#[tokio::test]
async fn what_is_late_or_bad_is_lost_and_a_server_that_wants_less_is_left_alone() {
    let (_keep, never) = sync_channel::<()>(0);
    let never = Mutex::new(never);
    let server = serve(move |path, stream| match path {
        "/hang" => never.lock().expect("no panic").recv().is_ok(),
        "/less" => say(stream, "429 Too Many Requests", "", ""),
        _ => say(stream, "500 Internal Server Error", "", ""),
    });
    let of = async |path: &str, count| burst(&format!("http://{}{path}", server.at), count, FAST, FAST).await;
    let bad = of("/bad", 3).await;
    assert_eq!((bad.sent, bad.lost, bad.figures()), (3, 3, None));
    let words = format!("{}/bad answered 500 Internal Server Error.", server.at);
    assert_eq!(bad.first_loss.expect("a reason").as_str(), words);
    let less = of("/less", 50).await;
    assert_eq!((less.sent, less.lost), (1, 1));
    assert_eq!(less.cut_short.expect("a reason").as_str(), format!("{}/less asks for fewer requests", server.at));
    let hang = of("/hang", 2).await;
    assert_eq!((hang.sent, hang.lost), (2, 2));
    assert_eq!(hang.first_loss.expect("a reason").as_str(), format!("{}/hang: no answer within 50.0 ms.", server.at));
}

#[tokio::test]
async fn a_port_is_connected_to_and_a_closed_one_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    let start = RealClock.now().mono;
    let outcome = burst(&format!("tcp://{at}"), 10, FAST, Duration::from_secs(1)).await;
    let took = RealClock.now().mono.since(start);
    assert_eq!((outcome.sent, outcome.lost), (10, 0));
    assert!(took >= FAST * 9, "the pace is kept: {took:?}");
    for _ in 0..10 {
        drop(listener.accept().expect("one of them"));
    }
    let (_held, at) = refusing();
    let closed = burst(&format!("tcp://{at}"), 3, FAST, Duration::from_secs(1)).await;
    assert_eq!((closed.sent, closed.lost), (3, 3));
    let words = format!("{at} refused the connection. Is the service running?");
    assert_eq!(closed.first_loss.expect("a reason").as_str(), words);
}

/// Pongs for ten pings over one connection, each after a delay that is known: 40 ms, every fifth 240 ms.
fn pong_late(listener: &TcpListener) {
    let (_keep, never) = sync_channel::<()>(0);
    let (mut stream, _) = listener.accept().expect("a client");
    let opening = handshake(&mut stream);
    stream.write_all(opening.as_bytes()).expect("it reads");
    for number in 0..10 {
        // Of a client's ping: two bytes, four of its mask, what it carries.
        let mut head = [0; 6];
        stream.read_exact(&mut head).expect("a ping");
        assert_eq!(head[0], 0x89, "a ping");
        let mut carried = vec![0; usize::from(head[1] & 0x7F)];
        stream.read_exact(&mut carried).expect("what it carries");
        carried.iter_mut().zip(head[2..].iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        assert!(never.recv_timeout(pong_delay(number)).is_err());
        let pong = [&[0x8A, head[1] & 0x7F], carried.as_slice()].concat();
        stream.write_all(&pong).expect("it reads");
    }
}

fn pong_delay(number: usize) -> Duration {
    Duration::from_millis(if number % 5 == 4 { 240 } else { 40 })
}

#[tokio::test]
async fn a_websocket_of_known_delays_has_their_average_and_their_spread() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("ws://{}/ws", listener.local_addr().expect("bound"));
    let server = std::thread::spawn(move || pong_late(&listener));
    let outcome = burst(&url, 10, FAST, Duration::from_secs(5)).await;
    server.join().expect("every ping had its pong");
    let figures = outcome.figures().expect("answers");
    assert_eq!((outcome.sent, outcome.lost), (10, 0), "one ping a round: {outcome:?}");
    let took = &outcome.took;
    assert!((0..10).all(|number| took[number] >= pong_delay(number).as_secs_f64()), "{took:?}");
    let (mean, spread) = (took.iter().sum::<f64>() / 10.0, |mean: f64| {
        (took.iter().map(|took| (took - mean).powi(2)).sum::<f64>() / 9.0).sqrt()
    });
    assert!((figures.mean - mean).abs() < 1e-9 && (figures.stdev - spread(mean)).abs() < 1e-9, "{figures:?}");
    // 80 ms, and 84 ms around it, are those of the delays themselves; what a busy host adds comes on top.
    assert!(figures.mean >= 0.080 && figures.min < 0.240 && figures.max >= 0.240, "{figures:?}");
    println!("WebSocket of known delays: average {:.1} ms, spread {:.1} ms", figures.mean * 1e3, figures.stdev * 1e3);
}

#[tokio::test]
async fn a_websocket_is_pinged_once_a_round_over_one_connection() {
    let Some(server) = peer::start("ws-echo") else { return };
    let upstream = server.env("WS_URL").trim_start_matches("ws://").to_owned();
    let Some(proxy) = peer::start_with("slow-proxy", &[("UPSTREAM", &upstream)]) else { return };
    assert!(proxy.exec(&["delay=30"]).status.success());
    let url = format!("ws://{}/echo", proxy.env("PROXY_ADDR"));
    let outcome = burst(&url, 10, FAST, Duration::from_secs(5)).await;
    let figures = outcome.figures().expect("answers");
    assert_eq!((outcome.sent, outcome.lost), (10, 0), "{outcome:?}");
    let log = std::fs::read_to_string(server.dir.path().join("main.log")).expect("readable");
    let seen = |what| log.lines().filter(|line| *line == what).count();
    assert_eq!((seen("connection"), seen("ping")), (1, 10), "{log}");
    assert!(figures.min >= 0.060 && figures.p50 < 1.0, "there and back, without the connect: {figures:?}");
    assert!(proxy.exec(&["mode=refuse"]).status.success());
    let gone = burst(&url, 2, FAST, Duration::from_secs(5)).await;
    assert_eq!((gone.sent, gone.lost), (2, 2));
}
