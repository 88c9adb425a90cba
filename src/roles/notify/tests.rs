//! The notifier against real servers on this machine: what they get, and what is done when they do not take it.

use super::body::fingerprint;
use super::sender::{BATCH, TRIES, WAITING};
use super::{Notifier, Origin, Template, Webhook};
use crate::app::{AlertNote, NotifierStatus};
use crate::base::{Body, Clean, Clock, Mono, Now, Severity, Wall};
use crate::sys::bell::Bell;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use proptest::prelude::*;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};
use tokio::runtime::Runtime;

/// Nothing here takes a tenth of it.
const HANG: Duration = Duration::from_secs(60);

/// What one request brought: its head and its body.
type Request = (String, String);

/// A server that answers its n-th request, from 0, with what `answer` gives; `None` is never.
fn serve(answer: impl Fn(usize) -> Option<String> + Send + 'static) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}/services/hunter2", listener.local_addr().unwrap());
    let (sent, got) = sync_channel(1_000);
    std::thread::spawn(move || {
        let mut count = 0;
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            while let Some(request) = request(&mut stream) {
                let _gone = sent.try_send(request);
                let said = answer(count);
                count += 1;
                let Some(said) = said else {
                    held.push(stream);
                    break;
                };
                let _gone = stream.write_all(format!("HTTP/1.1 {said}\r\n\r\n").as_bytes());
            }
        }
    });
    (at, got)
}

fn request(stream: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).ok()?))
}

fn status(code: &str) -> String {
    format!("{code}\r\nContent-Length: 0")
}

/// Time stands still unless a test moves it.
#[derive(Default)]
struct Still(AtomicU64);

impl Clock for Still {
    fn now(&self) -> Now {
        Now { mono: Mono(self.0.load(Ordering::SeqCst)), wall: Wall(0) }
    }
}

struct Desk {
    notifier: Notifier,
    bell: Arc<Bell>,
    clock: Arc<Still>,
}

/// A notifier for this table that tries again at once.
fn desk(table: &str) -> Desk {
    desk_with(table, Vec::new())
}

fn desk_with(table: &str, locks: Vec<PathBuf>) -> Desk {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME
        .get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
    let table = Body::parse("p.toml", table).unwrap();
    let env = |name: &str| (name == "HOOK_AUTH").then(|| "Bearer hunter3".to_owned());
    let hook = Webhook::read(&table).unwrap().open(&env, locks).unwrap_or_else(|fault| panic!("{fault}"));
    let (bell, clock) = (Arc::new(Bell::default()), Arc::new(Still::default()));
    let (ring, time) = (Arc::clone(&bell), Arc::clone(&clock));
    Desk { notifier: Notifier::start(hook, origin(), ring, time, || 0.0, runtime.handle()), bell, clock }
}

impl Desk {
    /// Its status once it satisfies a condition.
    fn until(&self, wanted: impl Fn(&NotifierStatus) -> bool) -> NotifierStatus {
        for _ in 0..10_000 {
            match self.notifier.news() {
                Some(status) if wanted(&status) => return status,
                Some(_) => {}
                None => self.bell.wait(HANG, false),
            }
        }
        panic!("never");
    }

    fn settled(&self) -> NotifierStatus {
        self.until(|status| status.waiting == 0 && status.last.is_some())
    }
}

fn origin() -> Origin {
    Origin { host: "gpu-07".into(), profile: "Demo".into(), environment: "demo".into() }
}

fn note(name: &str, firing: bool) -> AlertNote {
    AlertNote {
        firing,
        labels: vec![("alertname".into(), Clean::text(name)), ("severity".into(), "critical".into())],
        annotations: vec![("summary".into(), Clean::text(format!("{name} is bad")))],
        severity: Severity::Critical,
        starts: Wall(1_795_230_767_123_456_789),
        ends: (!firing).then_some(Wall(1_795_230_800_000_000_000)),
        value: 0.97,
        shown: "97 %".into(),
        simulated: false,
    }
}

#[test]
fn an_alert_is_told_in_alertmanagers_words() {
    let (at, got) = serve(|_| Some(status("202 Accepted")));
    let desk =
        desk(&format!("url = \"{at}\"\nheaders = {{ Authorization = {{ env = \"HOOK_AUTH\" }}, X-Team = \"ops\" }}"));
    desk.notifier.send(vec![note("GPU memory", true), note("Queue depth", false)]);
    let (head, body) = got.recv_timeout(HANG).unwrap();
    assert!(head.starts_with("POST /services/hunter2 HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    for line in ["content-type: application/json\r\n", "authorization: bearer hunter3\r\n", "x-team: ops\r\n"] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    let body: Value = serde_json::from_str(&body).unwrap();
    for (pointer, value) in [
        ("/version", "4"),
        ("/status", "firing"),
        ("/title", "CRITICAL: 1 firing, 1 resolved: GPU memory, Queue depth"),
        ("/host", "gpu-07"),
        ("/profile", "Demo"),
        ("/console", concat!("watchkeeper ", env!("CARGO_PKG_VERSION"))),
        ("/commonLabels/severity", "critical"),
        ("/alerts/0/status", "firing"),
        ("/alerts/0/labels/alertname", "GPU memory"),
        ("/alerts/0/annotations/summary", "GPU memory is bad"),
        ("/alerts/0/startsAt", "2026-11-21T03:12:47.123456Z"),
        ("/alerts/0/endsAt", "0001-01-01T00:00:00Z"),
        ("/alerts/1/status", "resolved"),
        ("/alerts/1/endsAt", "2026-11-21T03:13:20.000000Z"),
    ] {
        assert_eq!(body.pointer(pointer).and_then(Value::as_str), Some(value), "{pointer}");
    }
    assert_eq!(body.pointer("/alerts/0/value"), Some(&Value::from(0.97)));
    assert_eq!(body.pointer("/commonLabels/alertname"), None, "they differ");
    let status = desk.settled();
    assert_eq!(status.last.map(|(_, last)| last), Some(Ok(202)));
    assert_eq!(status.place.map(|place| place.to_string()), at.split('/').nth(2).map(ToOwned::to_owned), "no path");
}

#[test]
fn a_server_that_fails_twice_gets_the_newest_word_at_the_third_attempt() {
    let (ask, go) = sync_channel(0);
    let (at, got) = serve(move |count| {
        if count == 1 {
            go.recv_timeout(HANG).unwrap();
        }
        Some(status(if count < 2 { "503 Service Unavailable" } else { "200 OK" }))
    });
    let desk = desk(&format!("url = \"{at}\""));
    desk.notifier.send(vec![note("GPU memory", true)]);
    let first = got.recv_timeout(HANG).unwrap().1;
    let second = got.recv_timeout(HANG).unwrap().1;
    assert_eq!(first, second);
    let status = desk.until(|status| status.last.is_some());
    assert_eq!(status.waiting, 1);
    let said = status.last.unwrap().1.unwrap_err();
    assert!(said.as_str().ends_with(" answered 503 Service Unavailable. Trying again."), "{said}");
    // While the second attempt is in flight the alert ends.
    desk.notifier.send(vec![note("GPU memory", false)]);
    ask.send(()).unwrap();
    let third: Value = serde_json::from_str(&got.recv_timeout(HANG).unwrap().1).unwrap();
    assert_eq!(third.pointer("/status").and_then(Value::as_str), Some("resolved"));
    assert_eq!(third.pointer("/alerts").and_then(Value::as_array).map(Vec::len), Some(1));
    let status = desk.settled();
    assert_eq!((status.last.map(|(_, last)| last), status.dropped), (Some(Ok(200)), 0));
}

#[test]
fn a_server_that_only_fails_is_given_up_after_so_many_tries_and_the_next_alert_is_tried_anew() {
    let (at, got) = serve(|_| Some(status("500 Internal Server Error")));
    let desk = desk(&format!("url = \"{at}\""));
    desk.notifier.send(vec![note("a", true), note("b", true)]);
    let status = desk.settled();
    assert_eq!(status.dropped, 2);
    let said = status.last.unwrap().1.unwrap_err();
    assert!(
        said.as_str().ends_with(" answered 500 Internal Server Error. Given up: 2 alerts were not told."),
        "{said}"
    );
    assert!(!said.as_str().contains("hunter"), "{said}");
    assert_eq!(got.try_iter().count(), usize::try_from(TRIES).unwrap());
    desk.notifier.send(vec![note("c", true)]);
    assert!(got.recv_timeout(HANG).unwrap().1.contains("\"c\""));
}

#[test]
fn a_delivery_is_tried_for_its_time_and_not_longer() {
    let (ask, go) = sync_channel(0);
    let (at, got) = serve(move |count| {
        if count == 3 {
            go.recv_timeout(HANG).unwrap();
        }
        Some(status("502 Bad Gateway"))
    });
    let desk = desk(&format!("url = \"{at}\"\nretry = \"15m\""));
    desk.notifier.send(vec![note("a", true)]);
    for _ in 0..4 {
        got.recv_timeout(HANG).unwrap();
    }
    desk.clock.0.store(15 * 60 * 1_000_000_000, Ordering::SeqCst);
    ask.send(()).unwrap();
    assert_eq!(desk.settled().dropped, 1);
    assert_eq!(got.try_iter().count(), 0, "no attempt after its time");
}

#[test]
fn a_server_that_hangs_holds_nothing_up_and_what_is_too_much_is_counted() {
    let (at, got) = serve(|_| None);
    let desk = desk(&format!("url = \"{at}\"\ntimeout = \"100ms\"\nretry = \"0s\""));
    let many = |from: usize, count: usize| (from..from + count).map(|n| note(&n.to_string(), true)).collect::<Vec<_>>();
    desk.notifier.send(many(0, WAITING + 7));
    let status = desk.until(|status| status.last.is_some());
    let said = status.last.clone().unwrap().1.unwrap_err();
    assert!(said.as_str().ends_with(&format!("did not answer within 100ms. Given up: {BATCH} alerts were not told.")));
    assert_eq!(status.dropped, 7 + u64::try_from(BATCH).unwrap());
    let first: Value = serde_json::from_str(&got.recv_timeout(HANG).unwrap().1).unwrap();
    assert_eq!(first.pointer("/count"), Some(&Value::from(BATCH)));
    // The same alerts again take no more room.
    desk.notifier.send(many(WAITING - 7, 7));
    assert!(desk.until(|_| true).waiting <= WAITING);
}

#[test]
fn a_refusal_and_a_redirect_are_not_tried_again() {
    for (answer, said) in [
        ("401 Unauthorized", " answered 401 Unauthorized. It wants a login that the profile does not give."),
        ("404 Not Found", " answered 404 Not Found. Is the path right?"),
        ("307 Temporary Redirect\r\nLocation: /other", " answered 307: it redirects, which is not followed."),
    ] {
        let (at, got) = serve(move |_| Some(status(answer)));
        let desk = desk(&format!("url = \"{at}\""));
        desk.notifier.send(vec![note("a", true)]);
        let status = desk.settled();
        let last = status.last.unwrap().1.unwrap_err();
        assert!(last.as_str().ends_with(&format!("{said} Given up: 1 alert was not told.")), "{last}");
        assert_eq!(got.try_iter().count(), 1, "{answer}");
    }
}

#[test]
fn of_two_consoles_one_tells_and_the_other_when_that_has_left() {
    let (at, got) = serve(|_| Some(status("200 OK")));
    let locks = tempfile::tempdir().unwrap();
    let table = format!("url = \"{at}\"");
    let [first, second] = [(); 2].map(|()| desk_with(&table, vec![locks.path().to_owned()]));
    first.notifier.send(vec![note("a", true)]);
    assert_eq!(first.settled().other, None);
    second.notifier.send(vec![note("a", true)]);
    let status = second.until(|status| status.other.is_some());
    assert!(status.other.is_some_and(|who| who.as_str().contains(&std::process::id().to_string())));
    assert_eq!((status.waiting, status.dropped, status.last), (0, 0, None));
    drop(first);
    for n in 0.. {
        // Until the first is really gone.
        second.notifier.send(vec![note(&format!("b{n}"), true)]);
        if second.until(|status| status.waiting == 0).last.is_some() {
            break;
        }
    }
    let bodies: Vec<String> = got.try_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
}

#[test]
fn nobody_there_is_a_sentence_without_the_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    drop(listener);
    let desk = desk(&format!("url = \"http://u:hunter2@{at}/hunter2?token=hunter2\"\nretry = \"0s\""));
    desk.notifier.send(vec![note("a", true)]);
    let said = desk.settled().last.unwrap().1.unwrap_err();
    let expected = format!("{at} refused the connection. Is the service running? Given up: 1 alert was not told.");
    assert_eq!(said.as_str(), expected);
}

#[test]
fn a_body_of_ones_own_takes_values_with_their_types_and_no_name_changes_its_form() {
    let template = r#"{ "text": "{{ status }}: {{title}} on {{.host}}", "n": "{{count}}", "first": "{{alerts.0.labels.alertname}}",
        "none": "{{alerts.7.labels}}", "all": "{{alerts}}", "fixed": [1, "x", { "labels": "{{commonLabels}}" }], "half": "n={{count}} {{alerts.9.x}}" }"#;
    let hostile = "\"}, \"admin\": true, {{host}} \u{1b}]0;x\u{7}\\";
    let body = Template::parse(template).unwrap().render(&[note(hostile, true)], &origin());
    let body: Value = serde_json::from_slice(&body).unwrap();
    let shown = Clean::text(hostile);
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["text", "n", "first", "none", "all", "fixed", "half"]);
    assert_eq!(body["text"], format!("firing: CRITICAL: 1 firing: {shown} on gpu-07"));
    assert_eq!((&body["n"], &body["none"], &body["half"]), (&Value::from(1), &Value::Null, &Value::from("n=1 ")));
    assert_eq!(body["first"], shown.as_str(), "what an alert is called is no placeholder");
    assert_eq!(body["all"][0]["severity"], "critical");
    assert_eq!(body["fixed"][2]["labels"]["alertname"], shown.as_str());
}

#[test]
fn what_is_made_up_says_so() {
    let made_up = AlertNote { simulated: true, ..note("GPU memory", true) };
    let body = Template::default().render(&[note("Queue depth", true), made_up], &origin());
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["title"], "SIMULATED CRITICAL: 2 firing: Queue depth, GPU memory");
    assert_eq!((&body["alerts"][0]["simulated"], &body["alerts"][1]["simulated"]), (&false.into(), &true.into()));
}

#[test]
fn a_bad_table_is_told_with_its_place() {
    for (table, said) in [
        ("timeout = \"1s\"", "p.toml:1:1: `url` is missing here."),
        (
            "url = 5",
            "p.toml:1:7: `url` is neither a text nor a place of one. Write \"…\", { env = \"NAME\" } or { file = \"/path\" }.",
        ),
        ("url = \"ftp://hunter2/\"", "p.toml:1:7: `url` begins with ftp://, expected http:// or https://."),
        (
            "url = \"http://x/\"\nbody = '{ \"a\": {{title}} }'",
            "p.toml:2:8: `body` is no JSON (line 1, column 9 of it). Placeholders stand inside texts: { \"text\": \"{{title}}\" }.",
        ),
        (
            "url = \"http://x/\"\nbody = '[\"{{titel}}\"]'",
            "p.toml:2:8: `{{titel}}` in `body` names nothing. Did you mean `title`?",
        ),
        ("url = \"http://x/\"\nbody = '[\"{{title\"]'", "p.toml:2:8: a placeholder in `body` has no `}}`."),
        ("url = \"http://x/\"\nheaders = { Host = \"y\" }", "p.toml:2:20: `Host` cannot be a header here."),
        ("url = \"http://x/\"\ntimeout = \"2m\"", "p.toml:2:11: an attempt takes more than nothing and at most 60s."),
        ("url = \"http://x/\"\nretires = \"1m\"", "p.toml:2:1: unknown key `retires`. Did you mean `retry`?"),
        (
            "url = { env = \"HOOK_URL\" }",
            "p.toml:1:7: the environment variable `HOOK_URL` is not set. Until then nobody is told of alerts.",
        ),
        (
            "url = { file = \"/nowhere/hook\" }",
            "p.toml:1:7: /nowhere/hook: there is no such file. Check the spelling of the path.",
        ),
        (
            "url = \"http://x/\"\nheaders = { X-A = \"a\\nb\" }",
            "p.toml:2:11: the value of `x-a` holds what no header can: a line break?",
        ),
    ] {
        let read = Webhook::read(&Body::parse("p.toml", table).unwrap());
        let fault = read.and_then(|webhook| webhook.open(&|_| None, Vec::new())).err().map(|fault| fault.to_string());
        assert_eq!(fault.as_deref(), Some(said), "{table}");
    }
}

#[test]
fn an_alert_has_the_fingerprint_that_prometheus_gives_it() {
    assert_eq!(fingerprint(&[]), 14_695_981_039_346_656_037);
    let labels = [("name".into(), "garland, briggs".into()), ("fear".into(), "love is not enough".into())];
    assert_eq!(fingerprint(&labels), 5_799_056_148_416_392_346);
}

proptest! {
    #[test]
    fn whatever_alerts_are_called_the_body_keeps_its_form(names in proptest::collection::vec(any::<String>(), 0..5)) {
        let notes: Vec<AlertNote> = names.iter().map(|name| note(name, true)).collect();
        let template = Template::parse(r#"{"a": "{{title}} {{alerts}}", "b": ["{{alerts}}"]}"#).unwrap();
        for (template, keys) in [(&template, 2), (&Template::default(), 17)] {
            let body: Value = serde_json::from_slice(&template.render(&notes, &origin())).unwrap();
            prop_assert_eq!(body.as_object().map(serde_json::Map::len), Some(keys));
        }
    }

    #[test]
    fn no_template_panics(text in any::<String>()) {
        drop(Template::parse(&text));
    }
}
