//! A new critical alert outside the screen: the bell, the notification, the webhook; whatever the alert is called.

use crate::corpus::texts;
use crate::desk::{Desk, row_with};
use crate::harness::{GUARD, Pty};
use crate::hostile::{judge, pane, quoted, start};
use crate::server::{say, serve};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, sync_channel};
use watchkeeper::base::Clean;

/// A webhook on this machine: where it is, and what it is told, head and body.
fn hook() -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let (told, heard) = sync_channel(100);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
            let length = head
                .to_ascii_lowercase()
                .split("content-length: ")
                .nth(1)
                .map(|rest| rest.split('\r').next().and_then(|length| length.parse().ok()).unwrap_or(0));
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).unwrap();
            stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
            told.send((head, serde_json::from_slice(&body).unwrap())).unwrap();
        }
    });
    (at, heard)
}

/// A profile in which every series of `hot` is critical at once.
fn profile(title: &str, values: &[String], hook: Option<&str>) -> String {
    let mut page = String::new();
    for value in values {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        writeln!(page, "hot{{text=\"{value}\"}} 99").unwrap();
    }
    let server = serve(move |_, stream| say(stream, "200 OK", "Content-Type: text/plain\r\n", &page));
    let mut profile = format!(
        "title = \"Alarms\"\nenvironment = \"test\"\n[samplers.m]\nkind = \"scrape\"\nurl = \"http://{}/metrics\"\n{}",
        server.at,
        pane(title, "hot", "bands = { warning = 1, critical = 2 }")
    );
    if let Some(hook) = hook {
        let body = "{ \"title\": \"{{title}}\", \"alerts\": \"{{alerts}}\", \"fixed\": true }";
        write!(profile, "[notify]\nurl = \"http://u:hunter2@{hook}/hunter2\"\nbody = {}\n", quoted(body)).unwrap();
    }
    profile
}

fn has_rung(raw: &[u8]) -> bool {
    let alarm = |kind: &str| raw.windows(kind.len()).any(|window| window == kind.as_bytes());
    alarm("\x07\x1b]9;Watchkeeper: ") && alarm("\x1b]777;notify;Watchkeeper;")
}

fn console(desk: &Desk, profile: String, more: &[&str]) -> Pty {
    let path = desk.write("profile.toml", profile);
    start(desk.spec(&[&["--profile", path.to_str().unwrap()], more].concat()))
}

#[test]
fn what_an_alert_is_called_harms_neither_the_terminal_nor_the_webhook() {
    let desk = Desk::new();
    let (hook, told) = hook();
    let values = texts("v");
    let title = "t\x1b]0;x\x07\u{202e}\"}, {{host}};";
    let pty = console(&desk, profile(title, &values, Some(&hook)), &[]);
    pty.wait("an alarm", |_, raw| has_rung(raw));
    let mut missing: Vec<String> = values.iter().map(|value| Clean::text(value).to_string()).collect();
    missing.sort();
    missing.dedup();
    while !missing.is_empty() {
        let (head, body) = told.recv_timeout(GUARD).unwrap();
        assert!(head.starts_with("POST /hunter2 HTTP/1.1\r\n"), "{head}");
        let fields = body.as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["title", "alerts", "fixed"], "{body}");
        assert_eq!(fields["fixed"], true);
        for alert in fields["alerts"].as_array().unwrap() {
            let labels = &alert["labels"];
            assert_eq!(labels["alertname"], Clean::text(title).as_str());
            assert_eq!((&alert["status"], &alert["severity"]), (&"firing".into(), &"critical".into()));
            missing.retain(|value| labels["text"] != value.as_str());
        }
    }
    assert!(!pty.text().contains("hunter2"), "{}", pty.text());
    judge(pty);
}

#[test]
fn without_a_bell_nothing_but_the_screen_tells() {
    let desk = Desk::new();
    let pty = console(&desk, profile("Hot", &["a".to_owned()], None), &["--no-bell"]);
    // An alarm goes out no later than the frame after the one that shows its alert.
    pty.wait("a critical alert that lasts", |screen, _| {
        // A busy machine may skip a second.
        let lasts = |row: &str| row.contains("firing 0:") && !["0:00", "0:01"].iter().any(|new| row.contains(new));
        row_with(screen, " CRITICAL ").is_some_and(|row| lasts(&row))
    });
    assert!(!pty.raw().contains(&0x07), "it rang");
    judge(pty);
}
