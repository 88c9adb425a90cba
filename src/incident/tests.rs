//! From records to timelines, incidents and reports, over lines as the journal's files have them.

use super::{
    FollowUp, Incident, Kind, Note, Report, Scope, Told, deeds, follow_ups, here, incidents, mutes, open_items,
    put_off, report, rows, timeline,
};
use crate::base::{Clean, Mono, Severity, Ulid, Unit, Wall};
use crate::incident::report::Chart;
use crate::journal::{Event, Line, Record};
use serde_json::{Value, json};

/// 03:12:00 UTC on 21 November 2026.
const START: i64 = 1_795_230_720;

fn at(second: i64) -> Wall {
    Wall((START + second) * 1_000_000_000)
}

fn line(second: i64, ev: &str, more: &Value) -> Line {
    let mut value = json!({
        "v": 1, "seq": second + 1_000, "ts": at(second).rfc3339(), "boot": "b", "bt_ns": (second + 1_000) * 1_000, "host": "machine",
        "sess": Ulid(1), "pid": 3, "who": { "login": "oncall" }, "ev": ev, "target": null, "args": [], "res": null,
    });
    let fields = value.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    serde_json::from_value(value).expect("a line")
}

fn told(second: i64, told: &Told) -> Line {
    let Record { event, target, res, .. } = told.record();
    line(second, event.name(), &json!({ "target": target, "res": res }))
}

fn opened(id: u128, title: &'static str) -> Told {
    Told::Opened { id: Ulid(id), title: title.into(), owner: "oncall".into(), severity: Severity::Critical }
}

/// A night: an alert, an incident, an action that helped, a silence, a deferred item, the end.
fn night(hostile: &'static str) -> Vec<Line> {
    let act =
        json!({ "act": "reduce-batch-size (config_set)", "plan": Ulid(9), "args": ["batch_size 1024 → 512", hostile] });
    let mut ended = act.clone();
    let rows = json!([{ "label": "latency p95", "unit": "seconds", "before": 14.2e-6, "after": 7.3e-6, "fresh": 10, "met": true }]);
    ended["res"] = json!({ "outcome": "VERIFIED", "executed": true, "reason": hostile, "comparisons": rows });
    let alert = json!({ "alert": "Latency p95" });
    vec![
        line(-60, "session.start", &json!({ "res": { "profile": "demo" } })),
        line(0, "alert.firing", &json!({ "target": alert, "res": { "value": "14.2 µs" } })),
        told(10, &opened(5, "Latency is critical")),
        line(15, "alert.ack", &json!({ "target": alert, "res": { "note": hostile } })),
        line(20, "mode.arm", &json!({})),
        line(30, "confirm.accepted", &act),
        line(31, "action.intent", &act),
        line(50, "action.outcome", &ended),
        line(55, "confirm.refused", &json!({ "plan": Ulid(9), "res": { "why": "cancelled" } })),
        line(
            60,
            "alert.silence",
            &json!({
                "target": { "matchers": "alertname=\"Queue\"" },
                "res": { "reason": hostile, "until": at(3_600).rfc3339() },
            }),
        ),
        line(
            61,
            "procedure.item",
            &json!({ "res": { "item": "9 Grow the map", "state": "deferred", "value": "1.1 GiB free" } }),
        ),
        told(62, &Told::Noted(Some(Ulid(5)), Note::typed(&"TODO: buy memory".into(), &"ada".into(), &"oncall".into()))),
        told(63, &Told::Noted(Some(Ulid(5)), Note::typed(&hostile.into(), &Clean::default(), &"oncall".into()))),
        line(70, "alert.resolved", &json!({ "target": alert, "res": { "since": at(0).rfc3339() } })),
        told(80, &Told::Closed { id: Ulid(5), title: "Latency is critical".into(), summary: hostile.into() }),
        line(90, "mode.disarm", &json!({ "res": { "why": "asked" } })),
    ]
}

#[test]
fn what_is_recorded_of_an_incident_is_read_back() {
    for each in [
        opened(7, "a"),
        Told::Noted(None, Note { text: "seen".into(), owner: None }),
        Told::Noted(Some(Ulid(7)), Note { text: "do it".into(), owner: Some("ada".into()) }),
        Told::Closed { id: Ulid(7), title: "a".into(), summary: "restarted".into() },
        Told::Owned { id: Ulid(7), owner: "ada".into() },
        Told::Done { id: Some(Ulid(7)), text: "do it".into(), owner: "ada".into(), note: "done it".into() },
        Told::Done { id: None, text: "do it".into(), owner: "ada".into(), note: "done it".into() },
        Told::HandedOver(Some(Ulid(7))),
        Told::HandedOver(None),
        Told::Logged { id: Ulid(7), source: "app".into(), lines: vec!["one".into(), "two".into()] },
    ] {
        assert_eq!(Told::of(&told(1, &each)), Some(each.clone()), "{each:?}");
    }
    assert_eq!(Told::of(&line(1, "mode.arm", &json!({}))), None);
    assert!(Event::IncidentOpen.durable() && Event::IncidentClose.durable());
}

#[test]
fn a_note_is_a_follow_up_by_its_first_word_or_by_its_owner() {
    let typed = |text: &'static str, owner: &'static str| {
        let note = Note::typed(&text.into(), &owner.into(), &"oncall".into());
        (note.text.to_string(), note.owner.map(|owner| owner.to_string()))
    };
    assert_eq!(typed("disk is full", ""), ("disk is full".into(), None));
    assert_eq!(typed(" ToDo: order a disk", ""), ("order a disk".into(), Some("oncall".into())));
    assert_eq!(typed("todo:order a disk", "ada"), ("order a disk".into(), Some("ada".into())));
    assert_eq!(typed("order a disk", "ada"), ("order a disk".into(), Some("ada".into())));
    assert_eq!(typed("todö", ""), ("todö".into(), None));
}

#[test]
fn the_open_incident_is_the_last_one_that_nobody_has_closed() {
    let mut lines = night("fine");
    let all = incidents(&lines, &"b".into());
    let Incident { opened: begun, closed, summary, .. } = all.first().expect("one").clone();
    assert_eq!((begun.wall, begun.mono, closed), (at(10), Mono(1_010_000), Some(at(80))));
    assert_eq!(summary.as_str(), "fine");
    lines.push(told(100, &opened(6, "again")));
    // Told twice by a damaged or merged trail, it is still one.
    lines.push(told(101, &opened(6, "again")));
    let all = incidents(&lines, &"another boot".into());
    assert_eq!(all.len(), 2);
    let open = all.iter().rfind(|it| it.closed.is_none()).expect("one is open");
    assert_eq!((open.id, open.opened.mono), (Ulid(6), Mono::default()), "of another boot only the wall clock counts");
}

#[test]
fn another_profile_s_sessions_and_their_runners_are_left_out() {
    let mut lines = night("fine");
    let other = |mut line: Line, sess: u128| {
        line.sess = Ulid(sess);
        line
    };
    let theirs = line(5, "session.start", &json!({ "res": { "profile": "orders" } }));
    lines.push(other(theirs, 2));
    lines.push(other(told(6, &opened(8, "theirs")), 2));
    lines.push(other(line(7, "confirm.accepted", &json!({ "plan": Ulid(77), "act": "x" })), 2));
    // A runner has a session of its own, which starts no console.
    lines.push(other(line(8, "action.outcome", &json!({ "plan": Ulid(77), "act": "x", "res": {} })), 3));
    lines.push(other(line(9, "action.outcome", &json!({ "plan": Ulid(9), "act": "y", "res": {} })), 4));
    let scope = Scope { host: "machine".into(), profile: "demo".into() };
    let ours = here(lines.clone(), &scope);
    assert_eq!(ours.len(), night("fine").len() + 1, "the runner of our own plan stays");
    assert_eq!(here(lines.clone(), &Scope::default()).len(), lines.len());
    assert!(here(lines, &Scope { host: "elsewhere".into(), ..scope }).is_empty());
}

#[test]
fn everything_that_happens_joins_the_timeline_in_order_and_in_words() {
    let rows = rows(&timeline::between(&night("fine"), at(0), at(80)));
    let said: Vec<(Kind, &str)> = rows.iter().map(|row| (row.kind, row.text.as_str())).collect();
    assert_eq!(
        said,
        [
            (Kind::Alert, "Latency p95 began to fire: 14.2 µs"),
            (Kind::Incident, "opened the incident \"Latency is critical\", critical, owner oncall"),
            (Kind::Alert, "took Latency p95: fine"),
            (Kind::Mode, "ARMED"),
            (Kind::Prompt, "accepted reduce-batch-size (config_set): batch_size 1024 → 512; fine"),
            (Kind::Action, "reduce-batch-size (config_set) begins: everything is durable"),
            (Kind::Action, "reduce-batch-size (config_set): VERIFIED. fine"),
            (Kind::Prompt, "refused reduce-batch-size (config_set): cancelled"),
            (Kind::Alert, "muted alertname=\"Queue\" until 2026-11-21T04:12:00.000000Z: fine"),
            (Kind::Procedure, "9 Grow the map: deferred, 1.1 GiB free"),
            (Kind::Note, "to do, ada: buy memory"),
            (Kind::Note, "fine"),
            (Kind::Alert, "Latency p95 is over; it had fired since 2026-11-21T03:12:00.000000Z"),
            (Kind::Incident, "closed the incident \"Latency is critical\": fine"),
        ]
    );
}

#[test]
fn deeds_silences_items_and_follow_ups_are_found() {
    let lines = night("fine");
    let deeds = deeds(&lines);
    assert_eq!(deeds.len(), 1);
    assert_eq!((deeds[0].name(), deeds[0].outcome(), deeds[0].at), ("reduce-batch-size", "VERIFIED", at(30)));
    assert_eq!(deeds[0].figure().expect("a figure").as_str(), "latency p95 14.2 µs → 7.30 µs");
    assert_eq!(mutes(&lines).first().map(|mute| (mute.until, mute.ended)), Some((at(3_600), None)));
    assert_eq!(open_items(&lines).len(), 1);
    let expected = FollowUp { text: "buy memory".into(), owner: "ada".into(), by: "oncall".into(), at: at(62) };
    assert_eq!(follow_ups(&lines), [expected]);
    let done = line(95, "procedure.item", &json!({ "res": { "item": "9 Grow the map", "state": "done" } }));
    assert!(open_items(&[lines.clone(), vec![done]].concat()).is_empty(), "what went on since is not deferred");
    let wrong = line(95, "procedure.item", &json!({ "res": { "item": "8 Make room", "state": "failed" } }));
    let open = open_items(&[lines, vec![wrong]].concat());
    assert_eq!(open.iter().map(|it| it.state.as_str()).collect::<Vec<_>>(), ["deferred", "failed"]);
}

fn whole(hostile: &'static str) -> Report {
    let lines = night(hostile);
    let incident = incidents(&lines, &"b".into()).pop();
    let minutes = vec![Some(7e-6), None, Some(14e-6)];
    let charts = vec![Chart { title: "Latency ``` p95".into(), unit: Unit::Seconds, minutes }];
    let (host, profile) = ("gpu-07".into(), "demo".into());
    Report { lines, incident, from: at(10), to: at(80), host, profile, charts, now: at(99), ascii: false }
}

#[test]
fn a_report_has_every_part_and_no_empty_one() {
    let text = report(&whole("it went well"));
    for part in [
        "# Incident: Latency is critical\n",
        "- To: 2026-11-21 03:13:20 UTC, after 1:10\n",
        "- Had: 1 critical alert, 1 action (1 VERIFIED)\n",
        "- Summary: it went well\n",
        "| 2026-11-21 03:12:30 | oncall | prompt | accepted reduce-batch-size",
        "- Latency p95 (CRITICAL): from 03:12:00 at 14.2 µs, over at 03:13:10 after 1:10, taken by oncall at 03:12:15\n",
        "- **reduce-batch-size (config\\_set)**: VERIFIED, accepted by oncall at 03:12:30",
        "  - latency p95: 14.2 µs → 7.30 µs, as expected\n",
        "- 9 Grow the map, deferred: 1.1 GiB free\n",
        "- [ ] ada: buy memory",
        "▁ █  min 7.00 µs median 10.5 µs max 14.0 µs\n```\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("03:13:30"), "what came after it was closed is not its own\n{text}");
    let empty = report(&Report { lines: Vec::new(), incident: None, charts: Vec::new(), ..whole("x") });
    assert_eq!(
        empty,
        "# What happened\n\n- Where: gpu-07, demo\n- From: 2026-11-21 03:12:10 UTC\n\
         - To: 2026-11-21 03:13:20 UTC, after 1:10\n"
    );
    let plain = report(&Report { ascii: true, ..whole("naïve\u{202e}") });
    assert!(plain.is_ascii() && plain.contains("_ #  min 7.00 us"), "{plain}");
}

#[test]
fn foreign_text_in_a_report_stays_text() {
    const HOSTILE: &str = "# x | [a](http://evil.example) <img src=x> `b` ```\u{1b}[2J";
    let text = report(&whole(HOSTILE));
    assert!(!text.contains('\u{1b}'), "{text}");
    for row in text.lines() {
        let bare = outside_code(row);
        assert!(!bare.contains("<img") || bare.contains("\\<img"), "{row}");
        assert!(!bare.contains("](") && !bare.contains("http:"), "{row}");
        if row.starts_with('|') && !row.starts_with("|---") {
            let bars = row.replace("\\|", "").matches('|').count();
            assert_eq!(bars, 5, "{row}");
        }
    }
    let headings: Vec<&str> = text.lines().filter(|row| row.starts_with('#')).collect();
    assert_eq!(headings.len(), 8, "{headings:?}");
    assert_eq!(text.lines().filter(|row| row.starts_with("```")).count(), 2, "one block of code\n{text}");
}

/// A row without its code spans.
fn outside_code(row: &str) -> String {
    let (mut out, mut rest) = (String::new(), row);
    while let Some((before, after)) = rest.split_once('`') {
        out.push_str(before);
        if before.ends_with('\\') {
            rest = after;
            continue;
        }
        let inner = after.trim_start_matches('`');
        let fence = "`".repeat(after.len() - inner.len() + 1);
        let Some((_, left)) = inner.split_once(fence.as_str()) else { break };
        rest = left;
    }
    out + rest
}

#[test]
fn a_follow_up_that_is_done_is_left_no_more_and_an_incident_has_its_last_owner() {
    let mut lines = night("fine");
    assert_eq!(follow_ups(&lines).len(), 1);
    let done = |owner: &'static str| Told::Done {
        id: None,
        text: "buy memory".into(),
        owner: owner.into(),
        note: "two modules".into(),
    };
    lines.push(told(200, &done("bob")));
    assert_eq!(follow_ups(&lines).len(), 1, "that was another one");
    lines.push(told(201, &done("ada")));
    lines.push(told(202, &Told::Owned { id: Ulid(5), owner: "ada".into() }));
    assert!(follow_ups(&lines).is_empty());
    assert_eq!(incidents(&lines, &"b".into()).first().map(|it| it.owner.as_str()), Some("ada"));
    let said: Vec<String> = rows(&lines).iter().rev().take(2).map(|row| row.text.to_string()).collect();
    assert_eq!(said, ["the incident is led by ada now", "done, which was ada's: buy memory: two modules"]);
}

#[test]
fn what_a_procedure_put_off_is_left_once_it_is_over_and_until_it_is_done() {
    let of = |run: u128, item: &str, state: &str| json!({ "res": { "run": Ulid(run), "procedure": "store-full", "item": item, "state": state, "value": "no room" } });
    let walk = |run: u128| json!({ "res": { "run": Ulid(run), "procedure": "store-full" } });
    let mut lines = vec![
        line(1, "procedure.item", &of(1, "grow", "deferred")),
        line(2, "procedure.item", &of(2, "grow", "deferred")),
        line(3, "procedure.end", &walk(1)),
    ];
    assert_eq!(open_items(&lines).len(), 2, "two runs, one item each");
    let left = put_off(&lines);
    assert_eq!(
        left.iter().map(|open| (open.run, open.procedure.as_str())).collect::<Vec<_>>(),
        [(Some(Ulid(1)), "store-full")]
    );
    lines.push(line(4, "procedure.resume", &walk(1)));
    assert!(put_off(&lines).is_empty(), "it is worked at again");
    lines.push(line(5, "procedure.end", &walk(1)));
    lines.push(line(6, "procedure.item", &of(1, "grow", "observed")));
    assert!(put_off(&lines).is_empty() && open_items(&lines).len() == 1);
}

#[test]
fn what_was_pasted_into_a_procedure_is_in_the_report_as_code_that_nothing_in_it_can_end() {
    let res = json!({
        "run": Ulid(7), "procedure": "deep-look", "item": "flame", "state": "observed", "who": "oncall",
        "value": "1000 samples in 5 stacks",
        "lines": ["100.0 %     1000  main", "```", "# no heading", " 40.0 %      400    <b>parse</b>"],
    });
    let of = Report {
        lines: vec![line(5, "procedure.item", &json!({ "res": res }))],
        from: at(0),
        to: at(60),
        now: at(60),
        ..Report::default()
    };
    let text = report(&of);
    let answers = text.split("## Answers").nth(1).unwrap_or_else(|| panic!("{text}"));
    assert!(answers.contains("03:12:05, flame, by oncall: 1000 samples in 5 stacks"), "{answers}");
    for row in ["    100.0 %     1000  main", "    ```", "    # no heading", "     40.0 %      400    <b>parse</b>"] {
        assert!(answers.lines().any(|line| line == row), "{row}: {answers}");
    }
}

#[test]
fn one_file_has_timeline_alerts_actions_what_they_changed_and_what_the_logs_said() {
    let logged = |second, source: &'static str, lines: &[&'static str]| {
        let lines = lines.iter().map(|line| Clean::from(*line)).collect();
        told(second, &Told::Logged { id: Ulid(5), source: source.into(), lines })
    };
    let mut of = whole("fine");
    of.lines.extend([
        logged(11, "app", &["pool 91 %", "pool 96 %", "# ``` out of memory"]),
        logged(12, "kernel", &["NVRM: Xid 31"]),
        logged(78, "app", &["pool 96 %", "# ``` out of memory", "pool 48 %"]),
        logged(79, "kernel", &["NVRM: Xid 31"]),
    ]);
    of.lines.sort_by_key(|line| line.at);
    let text = report(&of);
    let part = |title: &str| {
        let after = text.split(&format!("## {title}\n\n")).nth(1).unwrap_or_else(|| panic!("no {title}\n{text}"));
        after.split("\n## ").next().unwrap_or_default().to_owned()
    };
    assert!(
        part("Timeline (UTC)").contains("accepted reduce-batch-size") && !part("Timeline (UTC)").contains("log app")
    );
    assert!(part("Alerts").contains("Latency p95 (CRITICAL)"));
    assert!(part("Actions").contains("`batch_size 1024 → 512`"), "{text}");
    assert_eq!(
        part("Log").trim_end(),
        "app, as of 03:12:11:\n\n    pool 91 %\n    pool 96 %\n    # ``` out of memory\n\n\
         kernel, as of 03:12:12:\n\n    NVRM: Xid 31\n\n\
         app, as of 03:13:18:\n\n    pool 48 %",
        "what was told stands once, as code that nothing in it can end"
    );
    let many: Vec<Line> = (0..40)
        .map(|n| {
            logged(20 + n, if n % 2 == 0 { "app" } else { "db" }, &[["a", "b", "c"][usize::try_from(n).unwrap() % 3]])
        })
        .collect();
    let text = report(&Report { lines: many, ..of });
    assert_eq!(text.matches(", as of ").count(), 16, "bounded\n{text}");
}
