//! `websocket` against another implementation's server in each of its moods, and behind a line that freezes.

use crate::peer;
use crate::server::refusing;
use crate::{find, measured, observe, sampler, value};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::sync_channel;
use std::thread;
use watchkeeper::base::{Clock, Failure, Observation};
use watchkeeper::samplers::Sampler;
use watchkeeper::sys::clock::RealClock;

/// A hang guard for what a server does in its own time.
const GUARD: Duration = Duration::from_secs(30);

async fn look(sampler: &mut dyn Sampler) -> Observation {
    observe(sampler).await.expect("a connection")
}

/// Looks until it fails.
async fn complaint(sampler: &mut dyn Sampler) -> Failure {
    let start = RealClock.now().mono;
    loop {
        match observe(sampler).await {
            Err(failure) => return failure,
            Ok(seen) => assert!(RealClock.now().mono.since(start) < GUARD, "goes on: {seen:?}"),
        }
    }
}

/// Looks until this is so.
async fn until(sampler: &mut dyn Sampler, so: impl Fn(&Observation) -> bool) -> Observation {
    let start = RealClock.now().mono;
    loop {
        let seen = look(sampler).await;
        if so(&seen) {
            return seen;
        }
        assert!(RealClock.now().mono.since(start) < GUARD, "never so: {seen:?}");
    }
}

fn fact<'a>(seen: &'a Observation, name: &str) -> Option<&'a str> {
    seen.facts.iter().find(|(known, _)| known.as_str() == name).map(|(_, what)| what.as_str())
}

#[tokio::test]
async fn every_mood_of_the_server_is_a_value_or_a_sentence() {
    let Some(server) = peer::start("ws-echo") else { return };
    let url = server.env("WS_URL").to_owned();
    let place = url.trim_start_matches("ws://").to_owned();
    let at = |path: &str, more: &str| sampler("websocket", &format!("url = \"{url}{path}\"\n{more}"));

    let frames: Vec<String> = [1, 2, 5, 5, 3, 6].iter().map(|seq| format!("'{{\"seq\": {seq}}}'")).collect();
    let mut echo = at("/echo/?token=hunter2", &format!("sequence = \"/seq\"\nsubscribe = [{}]", frames.join(", ")));
    let seen = until(&mut *echo, |seen| value(seen, "websocket_messages_total", &[]) == 6.0).await;
    let bytes = 6.0 * r#"{"seq": 1}"#.len() as f64;
    assert_eq!(value(&seen, "websocket_received_bytes_total", &[("instance", &format!("{place}/echo/"))]), bytes);
    let sequence = ["gaps", "missing", "duplicates", "out_of_order"];
    let counts = sequence.map(|what| value(&seen, &format!("websocket_sequence_{what}_total"), &[]));
    assert_eq!(counts, [1.0, 2.0, 1.0, 1.0]);
    assert_eq!((value(&seen, "websocket_up", &[]), value(&seen, "websocket_reconnects_total", &[])), (1.0, 0.0));
    for name in [
        "websocket_connect_duration_seconds",
        "websocket_ping_round_trip_seconds",
        "websocket_last_message_age_seconds",
    ] {
        assert!((0.0..5.0).contains(&value(&seen, name, &[])), "{name}: {seen:?}");
    }

    let mut mute = at("/mute", "subscribe = [\"hello\"]\nsequence = \"/seq\"");
    let first = value(&look(&mut *mute).await, "websocket_last_message_age_seconds", &[]);
    let seen = until(&mut *mute, |seen| value(seen, "websocket_last_message_age_seconds", &[]) > first).await;
    assert_eq!(value(&seen, "websocket_messages_total", &[]), 0.0);
    assert!(fact(&seen, "messages").is_some_and(|what| what.starts_with("none since it connected")), "{seen:?}");
    assert_eq!(find(&seen, "websocket_sequence_gaps_total", &[]), None, "no number is no zero");
    assert_eq!(seen.not_supported[0].1.as_str(), "no message had a number at /seq so far");

    let mut refused = at("/refuse", "");
    let what = complaint(&mut *refused).await;
    assert_eq!(
        (what.what.as_str(), what.answered),
        (format!("{place}/refuse answered 503 Service Unavailable.").as_str(), true)
    );

    let mut big = at("/big/1048577", "subscribe = [\"x\"]");
    assert_eq!(
        complaint(&mut *big).await.what.as_str(),
        format!("{place}/big/1048577 sent a message of more than 1 MiB.")
    );
    let mut fits = at("/big/1048576", "subscribe = [\"x\"]");
    until(&mut *fits, |seen| value(seen, "websocket_received_bytes_total", &[]) == 1_048_576.0).await;
}

#[tokio::test]
async fn an_ended_connection_is_told_once_with_its_code_and_then_opened_again() {
    let Some(server) = peer::start("ws-echo") else { return };
    let url = server.env("WS_URL").to_owned();
    let place = url.trim_start_matches("ws://").to_owned();
    for (path, code, words) in [
        ("/close/1011", "1011", "closed the connection with 1011 (internal error): \"asked for\"."),
        ("/close/4001", "4001", "closed the connection with 4001 (a code of the service's own): \"asked for\"."),
        ("/drop", "1006", "broke the connection off without a word."),
        ("/garbage", "1002", "broke the rules of the protocol (Encountered invalid opcode: 3)."),
    ] {
        let mut feed = sampler("websocket", &format!("url = \"{url}{path}\"\nsubscribe = [\"x\"]"));
        for closes in [1.0, 2.0] {
            let failure = complaint(&mut *feed).await;
            assert_eq!((failure.what.as_str(), failure.answered), (format!("{place}{path} {words}").as_str(), false));
            // The next connection may end as quickly as it was opened: a sample that sees it open is wanted.
            let start = RealClock.now().mono;
            let seen = loop {
                match observe(&mut *feed).await {
                    Ok(seen) => break seen,
                    Err(failure) => assert!(RealClock.now().mono.since(start) < GUARD, "{failure:?}"),
                }
            };
            assert!(value(&seen, "websocket_closes_total", &[("code", code)]) >= closes, "{seen:?}");
            assert!(value(&seen, "websocket_reconnects_total", &[]) >= closes, "{seen:?}");
            assert!(fact(&seen, "last close").is_some_and(|what| what.starts_with(&format!("{code} ("))), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn a_frozen_line_fails_within_its_time_and_a_slow_one_is_measured() {
    let Some(server) = peer::start("ws-echo") else { return };
    let upstream = server.env("WS_URL").trim_start_matches("ws://").to_owned();
    let Some(proxy) = peer::start_with("slow-proxy", &[("UPSTREAM", &upstream)]) else { return };
    let at = proxy.env("PROXY_ADDR").to_owned();
    let mut feed = sampler("websocket", &format!("url = \"ws://{at}/echo\"\nsubscribe = [\"x\"]"));
    let quick = value(&look(&mut *feed).await, "websocket_ping_round_trip_seconds", &[]);
    assert!(quick < 0.5, "{quick}");
    // Both ways, so that a ping takes twice as long.
    assert!(proxy.exec(&["delay=200"]).status.success());
    let slow =
        until(&mut *feed, |seen| find(seen, "websocket_ping_round_trip_seconds", &[]).is_some_and(|took| took > 0.4))
            .await;
    assert!(value(&slow, "websocket_ping_round_trip_seconds", &[]) < 0.8, "{slow:?}");
    assert!(proxy.exec(&["delay=0"]).status.success());

    for _ in 0..2 {
        assert!(proxy.exec(&["mode=stall"]).status.success());
        let start = RealClock.now().mono;
        let late = look(&mut *feed).await;
        assert_eq!(find(&late, "websocket_ping_round_trip_seconds", &[]), None);
        assert!(late.facts[0].1.as_str().ends_with(" ago: not here yet"), "{late:?}");
        let frozen = observe(&mut *feed).await.expect_err("two intervals of silence");
        let words = format!("{at}/echo: no pong and no message since ");
        assert!(frozen.what.as_str().starts_with(&words), "{frozen:?}");
        assert!(frozen.what.as_str().ends_with(" UTC. Does it hang?") && !frozen.answered, "{frozen:?}");
        let down = measured(frozen);
        assert_eq!((value(&down, "websocket_up", &[]), value(&down, "websocket_reconnects_total", &[])), (0.0, 0.0));
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(4));

        assert!(proxy.exec(&["mode=pass"]).status.success());
        let back = look(&mut *feed).await;
        assert_eq!(value(&back, "websocket_reconnects_total", &[]), 0.0, "the same connection goes on");
        assert!(value(&back, "websocket_ping_round_trip_seconds", &[]) > 1.0, "what it took is told");
    }
}

#[tokio::test]
async fn a_sample_dropped_at_its_deadline_loses_no_connection_and_a_dropped_sampler_does() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    let (go, told) = sync_channel(0);
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let handshake = handshake(&mut stream);
        told.recv().expect("told to go on");
        stream.write_all(handshake.as_bytes()).expect("written");
        let mut part = [0; 4096];
        while stream.read(&mut part).is_ok_and(|length| length > 0) {}
        listener.set_nonblocking(true).expect("set");
        listener.accept().map(drop).map_err(|error| error.kind())
    });
    let mut feed = sampler("websocket", &format!("url = \"ws://{at}/\""));
    for _ in 0..4 {
        let dropped = tokio::time::timeout(Duration::from_millis(50), observe(&mut *feed)).await;
        assert!(dropped.is_err(), "nobody answered yet: {dropped:?}");
    }
    go.send(()).expect("it waits");
    let seen = look(&mut *feed).await;
    assert_eq!((value(&seen, "websocket_up", &[]), value(&seen, "websocket_reconnects_total", &[])), (1.0, 0.0));
    drop(feed);
    // The runtime ends the task when it comes by.
    let start = RealClock.now().mono;
    while !server.is_finished() {
        assert!(RealClock.now().mono.since(start) < GUARD, "the connection stays open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let second = server.join().expect("the server");
    assert_eq!(second, Err(std::io::ErrorKind::WouldBlock), "one connection for all attempts");
}

#[tokio::test]
async fn a_flood_is_counted_and_not_kept_and_no_websocket_is_a_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound");
    // One that never answers, then one that answers something else; both hold the connection.
    let server = thread::spawn(move || {
        let held = listener.accept().expect("a client");
        let (mut other, _) = listener.accept().expect("a client");
        let mut request = [0; 4096];
        let read = other.read(&mut request).expect("a request");
        assert!(read > 0);
        other.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").expect("written");
        (held, other)
    });
    let mut plain = sampler("websocket", &format!("url = \"ws://{at}/\""));
    let hangs = complaint(&mut *plain).await;
    assert_eq!(hangs.what.as_str(), format!("{at} took the connection and did not answer within 2 s. Does it hang?"));
    let other = complaint(&mut *plain).await;
    assert_eq!(other.what.as_str(), format!("{at} answered 200 OK to the request for a WebSocket. Is the path right?"));
    drop(server.join().expect("the server"));
    let (_held, at) = refusing();
    let refused = complaint(&mut *sampler("websocket", &format!("url = \"ws://{at}/\""))).await;
    assert_eq!(refused.what.as_str(), format!("{at} refused the connection. Is the service running?"));

    let Some(echo) = peer::start("ws-echo") else { return };
    let frames = vec!["\"{}\""; 64].join(", ");
    let mut feed =
        sampler("websocket", &format!("url = \"{}/big/900000\"\nsubscribe = [{frames}]", echo.env("WS_URL")));
    let seen = until(&mut *feed, |seen| value(seen, "websocket_messages_total", &[]) == 64.0).await;
    assert_eq!(value(&seen, "websocket_received_bytes_total", &[]), 64.0 * 900_000.0);
}

#[tokio::test]
async fn tls_is_spoken_with_a_server_that_is_trusted_and_with_no_other() {
    let Some(server) = peer::start_with("ws-echo", &[("WS_TLS", "1")]) else { return };
    let url = server.env("WS_URL").to_owned();
    let at = url.trim_start_matches("wss://").to_owned();
    let failure = complaint(&mut *sampler("websocket", &format!("url = \"{url}/echo\""))).await;
    let words = format!("{at}/echo: nobody that this system trusts has signed its certificate");
    assert!(failure.what.as_str().starts_with(&words) && failure.what.as_str().ends_with('.'), "{failure:?}");
    // Whom the system trusts is read from its environment: a process of its own has another one.
    let role = Command::new(std::env::current_exe().expect("a test program"))
        .args(["--exact", "websocket::trusting_client", "--ignored", "--nocapture"])
        .envs([("SSL_CERT_FILE", server.env("WS_CERT")), ("WATCHKEEPER_TEST_URL", &url)])
        .output()
        .expect("starts");
    let said = String::from_utf8_lossy(&role.stdout).into_owned();
    assert!(role.status.success() && said.contains("a whole session over TLS"), "{said}");

    let Some(plain) = peer::start("ws-echo") else { return };
    let at = plain.env("WS_URL").trim_start_matches("ws://").to_owned();
    let failure = complaint(&mut *sampler("websocket", &format!("url = \"wss://{at}/echo\""))).await;
    assert!(
        failure.what.as_str().starts_with(&format!("{at}/echo")) && failure.what.as_str().ends_with('.'),
        "{failure:?}"
    );
}

#[tokio::test]
#[ignore = "a role: the client of a server whose certificate is trusted"]
async fn trusting_client() {
    let url = std::env::var("WATCHKEEPER_TEST_URL").expect("set by the test");
    let mut feed = sampler("websocket", &format!("url = \"{url}/echo\"\nsubscribe = [\"hello\"]"));
    let seen = until(&mut *feed, |seen| value(seen, "websocket_messages_total", &[]) == 1.0).await;
    assert_eq!(value(&seen, "websocket_received_bytes_total", &[]), 5.0);
    println!("a whole session over TLS");
}

/// What a hostile server says, and what is told of it, behind the address.
type Case = (&'static str, &'static [u8], &'static str);

/// After a correct handshake.
const FRAMES: &[Case] = &[
    ("an unknown control frame", b"\x8b\x00", "broke the rules of the protocol (Encountered invalid opcode: 11)."),
    ("a masked frame", b"\x81\x81\0\0\0\0x", "broke the rules of the protocol (Received a masked frame from server)."),
    ("reserved bits", b"\xf1\x01x", "broke the rules of the protocol (Reserved bits are non-zero)."),
    (
        "a continuation of nothing",
        b"\x80\x01x",
        "broke the rules of the protocol (Continue frame but nothing to continue).",
    ),
    ("a ping in pieces", b"\x09\x01x", "broke the rules of the protocol (Fragmented control frame)."),
    (
        "a long ping",
        b"\x89\x7e\x00\x7exxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "broke the rules of the protocol (Control frame too big (payload must be 125 bytes or less)).",
    ),
    ("a frame of 2^62 bytes", b"\x82\x7f\x40\0\0\0\0\0\0\0", "sent a message of more than 1 MiB."),
    ("a frame of 1 MiB and a byte", b"\x82\x7f\0\0\0\0\0\x10\0\x01", "sent a message of more than 1 MiB."),
    ("text that is none", b"\x81\x02\xc3\x28", "sent text that is not UTF-8."),
    ("a close of one byte", b"\x88\x01x", "broke the rules of the protocol (Invalid close sequence)."),
    ("a close without a code", b"\x88\x00", "closed the connection with 1005 (no code given)."),
    (
        "a reason that would draw on the screen",
        b"\x88\x0a\x0f\xa1\x1b]0;own\x07",
        "closed the connection with 4001 (a code of the service's own): \"\u{241b}]0;own\u{2407}\".",
    ),
    ("half a frame", b"\x81\x05he", "broke the connection off without a word."),
];

/// Instead of one.
const ANSWERS: &[Case] = &[
    ("garbage", b"\x00\x01\x1b]0;own\x07\r\n\r\n", "speaks no WebSocket: "),
    (
        "the wrong key",
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        "speaks no WebSocket: ",
    ),
    (
        "a redirect",
        b"HTTP/1.1 302 Found\r\nLocation: //elsewhere.invalid/\r\nContent-Length: 0\r\n\r\n",
        "answered 302 Found to the request for a WebSocket.",
    ),
    (
        "a login",
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        "answered 401 Unauthorized. It wants a login",
    ),
    ("nothing", b"", "closed the connection before its answer was whole."),
    ("half a line", b"HTTP/1.1 101 Swi", "closed the connection before its answer was whole."),
];

/// Reads a request; the answer that opens a WebSocket.
pub(crate) fn handshake(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let length = stream.read(&mut part).expect("a request");
        request.extend(part.iter().take(length));
    }
    let text = String::from_utf8(request).expect("text");
    let key = text.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Answers a request with a handshake and `frames`, or with `answer`, then ends its side.
fn hostile(listener: &TcpListener, answer: Option<&[u8]>, frames: &[u8]) {
    let (mut stream, _) = listener.accept().expect("a client");
    let handshake = handshake(&mut stream);
    // A client that has gone by now has heard enough.
    drop(stream.write_all(answer.unwrap_or(handshake.as_bytes())).and_then(|()| stream.write_all(frames)));
    drop(stream.shutdown(std::net::Shutdown::Write));
    // Until the client has gone too: closed with something unread, the rest would be torn away from it.
    let mut part = [0; 4096];
    while stream.read(&mut part).is_ok_and(|length| length > 0) {}
}

#[tokio::test]
async fn every_hostile_frame_and_answer_is_one_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("bound").to_string();
    let server = thread::spawn(move || {
        for (_, frames, _) in FRAMES {
            hostile(&listener, None, frames);
        }
        for (_, answer, _) in ANSWERS {
            hostile(&listener, Some(answer), b"");
        }
        // One byte too many, in frames that are small enough.
        let pieces = [b"\x01\x7f\0\0\0\0\0\x10\0\0".as_slice(), &vec![b'x'; 1 << 20], b"\x80\x01x"].concat();
        hostile(&listener, None, &pieces);
        let endless = [b"HTTP/1.1 101 X\r\n".as_slice(), &b"X: y\r\n".repeat(200_000)].concat();
        hostile(&listener, Some(&endless), b"");
    });
    for (what, _, words) in FRAMES.iter().chain(ANSWERS) {
        let mut feed = sampler("websocket", &format!("url = \"ws://{at}/?token=hunter2\""));
        let failure = complaint(&mut *feed).await;
        let told = failure.what.as_str();
        assert!(told.starts_with(&format!("{at} {words}")) && told.ends_with(['.', '?']), "{what}: {told}");
        assert!(told.len() < 200 && !told.contains("hunter2"), "{what}: {told}");
    }
    let mut feed = sampler("websocket", &format!("url = \"ws://{at}/\""));
    assert_eq!(complaint(&mut *feed).await.what.as_str(), format!("{at} sent a message of more than 1 MiB."));
    let mut feed = sampler("websocket", &format!("url = \"ws://{at}/\""));
    let failure = complaint(&mut *feed).await;
    assert!(failure.what.as_str().starts_with(&format!("{at} speaks no WebSocket: ")), "endless headers: {failure:?}");
    drop(feed);
    server.join().expect("the server");
}
