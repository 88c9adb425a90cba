//! Lines of every format: what is read, and that nothing is lost.

use super::*;
use crate::base::Wall;
use proptest::prelude::*;

const AT: Wall = Wall(1_795_230_767_000_000_000);

fn read(format: Format, text: &str) -> (Option<Wall>, Option<LogLevel>, String) {
    let line = format.read(text.as_bytes(), 0);
    (line.time, line.level, line.message.to_string())
}

fn is(time: Option<Wall>, level: Option<LogLevel>, message: &str) -> (Option<Wall>, Option<LogLevel>, String) {
    (time, level, message.to_owned())
}

#[test]
fn a_plain_line_gives_its_time_and_level() {
    let plain = |text| read(Format::Plain, text);
    assert_eq!(plain("2026-11-21T03:12:47Z ERROR map full"), is(Some(AT), Some(LogLevel::Error), "map full"));
    assert_eq!(plain("[2026-11-21 03:12:47+00:00] [warn] slow"), is(Some(AT), Some(LogLevel::Warn), "slow"));
    assert_eq!(plain("1795230767000 info: started"), is(Some(AT), Some(LogLevel::Info), "started"));
    assert_eq!(plain("api[7]: ERROR: no"), is(None, Some(LogLevel::Error), "api[7]: ERROR: no"));
    assert_eq!(plain("no error was found"), is(None, None, "no error was found"));
    assert_eq!(plain("2026-11-21 03:12:47 INFO zone unknown").0, None);
    assert_eq!(plain(""), is(None, None, ""));
    assert_eq!(plain("5 INFO"), is(None, Some(LogLevel::Info), "5 INFO"));
}

#[test]
fn a_json_line_keeps_all_its_fields() {
    let json = |text| read(Format::Json, text);
    assert_eq!(
        json(r#"{"timestamp":"2026-11-21T03:12:47Z","level":"WARN","message":"slow","ms":12.5,"route":"/a b"}"#),
        is(Some(AT), Some(LogLevel::Warn), r#"slow ms=12.5 route="/a b""#)
    );
    assert_eq!(json(r#"{"ts":1795230767,"severity":"error","msg":"x"}"#), is(Some(AT), Some(LogLevel::Error), "x"));
    assert_eq!(json(r#"03:12:47 [info] {"event":"tick","n":1} end"#), is(None, None, "tick n=1 end"));
    assert_eq!(json(r#"worker-3 {"n":1}"#), is(None, None, "worker-3 n=1"));
    assert_eq!(json(r#"{"level":30,"time":"noon","msg":"x"}"#), is(None, None, "x level=30 time=noon"));
    assert_eq!(
        json(r#"{"timestamp":"2026-11-21T03:12:47Z","level":"INFO","fields":{"message":"up","port":1},"target":"t"}"#),
        is(Some(AT), Some(LogLevel::Info), "up target=t port=1")
    );
    assert_eq!(json("{broken ERROR"), is(None, Some(LogLevel::Error), "{broken ERROR"));
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
    assert!(json(&deep).2.starts_with(r#"{"a":{"a""#));
}

proptest! {
    #[test]
    fn no_bytes_break_a_line(raw in prop::collection::vec(any::<u8>(), 0..300), brace in any::<bool>(), more in 0_usize..3) {
        let mut raw = raw;
        if brace { raw.insert(0, b'{'); }
        for (_, format) in Format::NAMES {
            let line = format.read(&raw, more);
            prop_assert!(line.message.as_str().chars().all(|c| !c.is_control()));
        }
    }
}

#[test]
fn no_form_of_a_secret_that_was_read_is_shown_in_a_line() {
    use crate::sys::secret::{Secret, forms_of};
    for n in 0..30 {
        let canary = format!("line-canary/{n}+\"ä\"");
        drop(Secret::new(canary.clone()));
        for form in forms_of(&canary) {
            let plain = format!("2026-11-21T03:12:47Z ERROR sent {form} to x");
            // A form that is quoted already is quoted once more in a field, and no form of ours any longer.
            let key = if form.contains('\\') { &canary } else { &form };
            let json = serde_json::json!({ "msg": format!("sent {form}"), "key": key, "list": [key] }).to_string();
            for (format, raw) in [(Format::Plain, plain), (Format::Json, json)] {
                let line = format.read(raw.as_bytes(), 0).message.to_string();
                assert!(!line.contains(&form) && line.contains("<redacted>"), "{form}: {line}");
            }
        }
    }
}

/// One line of each format: what is known of it.
#[test]
fn every_format_is_told_and_read() {
    use Format::*;
    let said = |text: &str| {
        let entry = Auto.entry(text.as_bytes(), 0);
        let fields = entry.fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        let zone = entry.time.map_or("no time", |time| if time.zone.is_some() { "zone" } else { "no zone" });
        (
            Format::detect([text.as_bytes()]),
            zone,
            entry.level.map_or("", LogLevel::word),
            entry.message.to_string(),
            fields,
        )
    };
    let is =
        |format, zone, level, message: &str, fields: &str| (format, zone, level, message.to_owned(), fields.to_owned());
    for (text, found) in [
        ("2026-11-21T03:12:47Z ERROR map full", is(Plain, "zone", "ERROR", "map full", "")),
        (r#"{"ts":1795230767,"level":"warn","msg":"slow","ms":3}"#, is(Json, "zone", "WARN", "slow", "ms=3")),
        (r#"worker-3 | {"level":"error","event":"x","fields":{"ns":7}}"#, is(Json, "no time", "ERROR", "x", "ns=7")),
        ("time=2026-11-21T03:12:47Z level=info msg=\"two words\" n=1", is(Logfmt, "zone", "INFO", "two words", "n=1")),
        (
            "Nov 21 03:12:47 web1 sshd[42]: error: no",
            is(Syslog, "no zone", "ERROR", "error: no", "host=web1 app=sshd pid=42"),
        ),
        ("<11>Nov  1 03:12:47 web1 kernel: oops", is(Syslog, "no zone", "ERROR", "oops", "host=web1 app=kernel")),
        (
            "<165>1 2026-11-21T03:12:47.003Z web1 app 77 ID47 [x@1 a=\"b]\"] said",
            is(Syslog, "zone", "INFO", "said", "host=web1 app=app pid=77 id=ID47 data=[x@1 a=\"b]\"]"),
        ),
        ("2026-11-21T03:12:47.5+01:00 web1 cron[1]: ran", is(Syslog, "zone", "", "ran", "host=web1 app=cron pid=1")),
        ("2026-11-21 03:12:47,123 - a.b - WARNING - slow", is(Python, "no zone", "WARN", "slow", "logger=a.b")),
        ("2026-11-21 03:12:47,123 - ERROR - a.b - slow", is(Python, "no zone", "ERROR", "slow", "logger=a.b")),
        ("ERROR:root:no: never", is(Python, "no time", "ERROR", "no: never", "logger=root")),
        ("[2026-11-21 03:12:47,1] INFO in app: up", is(Python, "no zone", "INFO", "up", "module=app")),
        ("┌ Warning: slow", is(Julia, "no time", "WARN", "slow", "")),
        ("│   seconds = 3", is(Julia, "no time", "", "  seconds = 3", "seconds=3")),
        ("└ @ Main a.jl:3", is(Julia, "no time", "", "└ @ Main a.jl:3", "place=Main a.jl:3")),
        ("[ Info: on", is(Julia, "no time", "INFO", "on", "")),
        ("2026-11-21T03:12:47.1Z  WARN a::b: slow ms=3", is(Rust, "zone", "WARN", "slow ms=3", "target=a::b ms=3")),
        ("[2026-11-21T03:12:47Z ERROR a::b] no", is(Rust, "zone", "ERROR", "no", "target=a::b")),
        (
            "\x1b[2m2026-11-21T03:12:47Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2ma\x1b[0m\x1b[2m:\x1b[0m no",
            is(Rust, "zone", "ERROR", "no", "target=a"),
        ),
        (
            r#"10.0.0.1 - ada [21/Nov/2026:03:12:47 +0000] "GET /x HTTP/1.1" 503 12 "-" "curl""#,
            is(Nginx, "zone", "ERROR", "GET /x HTTP/1.1", "client=10.0.0.1 user=ada status=503 bytes=12 agent=curl"),
        ),
        (
            "2026/11/21 03:12:47 [crit] 7#9: *1 no, client: ::1, server: web",
            is(Nginx, "no zone", "ERROR", "*1 no, client: ::1, server: web", "pid=7 client=::1 server=web"),
        ),
        ("E1121 03:12:47.123456   17 a.go:12] no", is(Klog, "no zone", "ERROR", "no", "thread=17 file=a.go:12")),
        ("just words, a=1", is(Plain, "no time", "", "just words, a=1", "")),
    ] {
        assert_eq!(said(text), found, "{text}");
    }
}

#[test]
fn the_format_of_a_source_is_that_of_more_than_half_of_its_first_lines() {
    let lines = |text: &'static str| Format::detect(text.lines().map(str::as_bytes));
    assert_eq!(lines("{\"a\":1,\"msg\":\"x\"}\n\n{\"b\":1}\nstarting\n"), Format::Json);
    assert_eq!(lines("{\"a\":1}\nstarting\n"), Format::Auto);
    assert_eq!(lines(""), Format::Auto);
}

#[test]
fn a_line_without_a_zone_keeps_its_time_where_it_is() {
    let line = "2026-11-21 03:12:47,123 - a.b - WARNING - slow";
    assert_eq!(read(Format::Auto, line), is(None, Some(LogLevel::Warn), line));
    assert_eq!(
        read(Format::Auto, "[2026-11-21T03:12:47Z ERROR a::b] no"),
        is(Some(AT), Some(LogLevel::Error), "a::b: no")
    );
}

proptest! {
    #[test]
    fn no_input_breaks_a_format_and_nothing_of_it_is_lost(
        parts in prop::collection::vec(
            r#"([0-9]{4}-11-21[T ]03:12:47(Z|\+01:00|,1)? ?|Nov 21 03:12:47 |<13>1? ?|E1121 03:12:47\.1 7 |\[|\] |ERROR |a=1 |b="x y" |\{"a":1\}|┌ |│ |└ @ | - |10\.0\.0\.1 - - \[|web1 x\[1\]: |\x1b\[31m|\x1b|é|\x00|"GET /" 200 1)"#,
            0..12,
        ),
        tail in prop::collection::vec(any::<u8>(), 0..20),
        more in 0_usize..3,
    ) {
        let raw = [parts.concat().into_bytes(), tail].concat();
        let input = Clean::cut(strip(&raw).0, more);
        for (_, format) in Format::NAMES {
            let entry = format.entry(&raw, more);
            prop_assert_eq!(&entry.text, &input);
            let line = format.read(&raw, more);
            prop_assert!(line.message.as_str().chars().all(|c| !c.is_control()));
            // What the columns of time and level do not show, the message does: no word is lost (JSON quotes anew).
            if !raw.contains(&b'{') && !raw.contains(&b'=') {
                for word in input.as_str().split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 4) {
                    prop_assert!(line.message.as_str().contains(word) || LogLevel::parse(word).is_some(), "{} {}", word, line.message);
                }
            }
        }
    }
}
