//! Incidents on the screen: the form, the timeline, the handover card, and the clock in the state line.

use crate::desk::Desk;
use core::time::Duration;
use crossterm::event::KeyCode;
use serde_json::{Value, json};
use watchkeeper::app::effect::Entry;
use watchkeeper::app::follow_up::Left;
use watchkeeper::app::incident::{Ask, Heard, Reading};
use watchkeeper::app::{Effect, Msg, Overlay};
use watchkeeper::base::{Clean, LogLine, Mono, Now, Observation, Point, Sample, Ulid, Wall};
use watchkeeper::incident::{Incident, Told};
use watchkeeper::journal::{Line, Record};
use watchkeeper::logs::LogBatch;

fn line(at: Wall, ev: &str, more: &Value) -> Line {
    let mut value = json!({
        "v": 1, "seq": 1, "ts": at.rfc3339(), "boot": "b", "bt_ns": 1, "host": "machine", "sess": Ulid(1), "pid": 3,
        "who": { "login": "oncall" }, "ev": ev, "target": null, "args": [], "res": null,
    });
    value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

fn told(at: Wall, told: &Told) -> Line {
    let Record { event, target, res, .. } = told.record();
    line(at, event.name(), &json!({ "target": target, "res": res }))
}

/// What these effects record, and the reading that they ask for.
fn asked(effects: &[Effect]) -> (Vec<&Told>, Mono) {
    let recorded = effects.iter().filter_map(|effect| match effect {
        Effect::Record(Entry::Incident(told)) if !matches!(told, Told::Logged { .. }) => Some(told),
        _ => None,
    });
    let read = effects.iter().find_map(|effect| match effect {
        Effect::Trail(Ask::Read { at, .. }) => Some(*at),
        _ => None,
    });
    (recorded.collect(), read.expect("a reading"))
}

fn heard(desk: &mut Desk, at: Mono, incident: Option<Incident>, lines: Vec<Line>) -> Vec<Effect> {
    let state = Clean::from("/var/lib/watchkeeper");
    desk.send(Msg::Trail(Heard::Read(at, Ok(Some(Box::new(Reading { state, incident, lines, mark: (1, 1) }))))))
}

/// A desk whose first reading of the journal has come.
fn desk(width: u16, height: u16) -> Desk {
    let mut desk = Desk::demo(width, height);
    desk.incident(41);
    let asked_at = desk.model.now.mono;
    desk.pass(10_000);
    let at = desk.model.now.mono;
    assert!(at > asked_at);
    heard(&mut desk, at, None, Vec::new());
    desk.incident(1);
    desk
}

/// `i` and Enter, and a night's records.
fn opened(width: u16, height: u16) -> (Desk, Incident) {
    let mut desk = desk(width, height);
    desk.key('i');
    let effects = desk.press(KeyCode::Enter);
    let (recorded, at) = asked(&effects);
    let Some(Told::Opened { id, title, owner, severity }) = recorded.first().map(|told| (*told).clone()) else {
        panic!("{recorded:?}")
    };
    let begun: Now = desk.model.now;
    let incident = Incident { id, title, owner, severity, opened: begun, closed: None, summary: Clean::default() };
    let later = |seconds: i64| Wall(begun.wall.0 + seconds * 1_000_000_000);
    let act = json!({ "act": "reduce-batch-size (config_set)", "plan": Ulid(9), "args": ["performance.batch_size  1024 → 512"] });
    let mut over = act.clone();
    let rows = json!([{ "label": "latency p95", "unit": "seconds", "before": 14.2e-6, "after": 7.3e-6, "fresh": 10, "met": true }]);
    over["res"] =
        json!({ "outcome": "VERIFIED", "executed": true, "reason": "Every value is as wanted.", "comparisons": rows });
    let lines = vec![
        line(later(-120), "alert.firing", &json!({ "target": { "alert": "earlier" }, "res": { "value": "1" } })),
        told(later(0), recorded[0]),
        line(later(20), "mode.arm", &json!({})),
        line(later(30), "confirm.accepted", &act),
        line(later(60), "action.outcome", &over),
        line(
            later(62),
            "procedure.item",
            &json!({ "res": { "item": "9 Grow the map", "state": "deferred", "value": "1.1 GiB free" } }),
        ),
        told(
            later(70),
            &Told::Noted(
                Some(id),
                watchkeeper::incident::Note { text: "order a larger card".into(), owner: Some("ada".into()) },
            ),
        ),
        told(
            later(80),
            &Told::Noted(Some(id), watchkeeper::incident::Note { text: "hostile \u{1b}[2J <b>".into(), owner: None }),
        ),
    ];
    desk.pass(90_000);
    desk.incident(2);
    heard(&mut desk, at, Some(incident.clone()), lines.clone());
    // An answer to an older question does not count: ask anew.
    assert!(desk.model.session.trail.lines.is_empty());
    desk.pass(10_000);
    let at = desk.model.now.mono;
    heard(&mut desk, at, Some(incident.clone()), lines);
    (desk, incident)
}

#[test]
fn the_form_of_an_incident_proposes_the_worst_alert() {
    let mut desk = desk(80, 24);
    desk.key('i');
    insta::assert_snapshot!(desk.screen());
    desk.press(KeyCode::Tab);
    desk.press(KeyCode::Tab);
    desk.type_text("x");
    desk.press(KeyCode::Enter);
    assert!(desk.screen().contains("A severity is critical, major, minor or info."), "{}", desk.screen());
    desk.press(KeyCode::Esc);
    assert!(matches!(desk.model.overlay, Overlay::None) && desk.model.session.trail.incident.is_none());
}

#[test]
fn before_the_journal_was_read_nobody_opens_a_second_incident() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(2);
    desk.key('i');
    assert!(matches!(desk.model.overlay, Overlay::None));
    assert!(desk.screen().contains("an incident may be open already"), "{}", desk.screen());
}

#[test]
fn an_open_incident_stands_in_the_state_line_and_shows_its_timeline() {
    for (size, name) in [((80, 24), "incident_80x24"), ((120, 40), "incident_120x40")] {
        let (mut desk, _) = opened(size.0, size.1);
        let screen = desk.screen();
        assert!(screen.lines().next().is_some_and(|row| row.contains("INCIDENT 0:01:")), "{screen}");
        desk.key('i');
        insta::assert_snapshot!(name, desk.screen());
        assert!(!desk.screen().contains("earlier"), "what was before it is not its own");
        desk.key('i');
        assert!(matches!(desk.model.overlay, Overlay::None));
    }
}

#[test]
fn the_handover_card_lies_on_the_clipboard_and_in_a_file_and_the_screen_says_both() {
    for (size, name) in [((80, 24), "handover_80x24"), ((120, 40), "handover_120x40")] {
        let (mut desk, incident) = opened(size.0, size.1);
        let effects = desk.press(KeyCode::Char('H'));
        let (recorded, at) = asked(&effects);
        assert_eq!(recorded, [&Told::HandedOver(Some(incident.id))]);
        let lines = desk.model.session.trail.lines.clone();
        let effects = heard(&mut desk, at, Some(incident), lines);
        let [Effect::Copy(copied), Effect::Trail(Ask::Keep(kept, Some(_)))] = effects.as_slice() else {
            panic!("{effects:?}")
        };
        assert_eq!(copied.iter().map(Clean::to_string).collect::<Vec<_>>(), *kept);
        assert!(kept.len() <= 12 && kept.iter().all(|line| line.len() <= 76 && line.is_ascii()), "{kept:#?}");
        for word in ["INCIDENT ", "FIRES ", "DONE ", "OPEN ", "TODO ", "CALL ", "REPORT "] {
            assert!(kept.iter().any(|line| line.starts_with(word)), "{word}: {kept:#?}");
        }
        let path = "/var/lib/watchkeeper/handover/2026-11-21T031430Z.txt";
        desk.send(Msg::Trail(Heard::Kept(Ok(path.into()))));
        insta::assert_snapshot!(name, desk.screen());
    }
}

#[test]
fn a_note_is_written_over_whatever_is_open_and_leads_back_to_it() {
    let (mut desk, incident) = opened(80, 24);
    desk.key('?');
    desk.key('n');
    assert!(desk.screen().contains("NOTE: "), "{}", desk.screen());
    desk.type_text("todo: call ada, next");
    let effects = desk.press(KeyCode::Enter);
    let (recorded, _) = asked(&effects);
    let [Told::Noted(Some(id), note)] = recorded.as_slice() else { panic!("{recorded:?}") };
    assert_eq!((*id, note.text.as_str()), (incident.id, "call ada, next"));
    assert_eq!(note.owner.as_ref().map(Clean::as_str), Some("oncall"));
    assert!(matches!(desk.model.overlay, Overlay::Help(_)), "back where it was");
    desk.press(KeyCode::Esc);
    // In a log `n` is kept for the next hit of a search.
    for _ in 0..5 {
        desk.tab();
    }
    desk.key('n');
    assert!(matches!(desk.model.overlay, Overlay::None), "{}", desk.screen());
    desk.key('M');
    assert!(desk.screen().contains("NOTE: "), "{}", desk.screen());
}

#[test]
fn closing_asks_for_a_summary_and_writes_the_report() {
    let (mut desk, incident) = opened(80, 24);
    desk.key('i');
    desk.key('x');
    assert!(desk.press(KeyCode::Enter).is_empty() && desk.screen().contains("summary is needed."), "{}", desk.screen());
    desk.type_text("batch size halved");
    let effects = desk.press(KeyCode::Enter);
    let (recorded, _) = asked(&effects);
    let [Told::Closed { id, summary, .. }] = recorded.as_slice() else { panic!("{recorded:?}") };
    assert_eq!((*id, summary.as_str()), (incident.id, "batch size halved"));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Trail(Ask::Report(of)) if *of == incident.id)));
    assert!(matches!(desk.model.overlay, Overlay::None));
    assert!(!desk.screen().lines().next().is_some_and(|row| row.contains("INCIDENT")), "{}", desk.screen());
}

#[test]
fn a_read_only_console_opens_and_notes_nothing_but_hands_over() {
    let mut desk = desk(80, 24);
    desk.model.session.mode = watchkeeper::action::mode::Mode::ReadOnly;
    for key in ['i', 'n'] {
        desk.key(key);
        assert!(desk.screen().contains("it writes nothing that others see"), "{}", desk.screen());
        desk.model.session.notice = None;
    }
    let effects = desk.press(KeyCode::Char('H'));
    assert!(asked(&effects).0.is_empty());
}

#[test]
fn what_was_left_is_chosen_by_the_arrows_and_marked_done_with_a_name() {
    let (mut desk, incident) = opened(80, 24);
    let mut lines = desk.model.session.trail.lines.clone();
    let put_off = json!({ "res": { "run": Ulid(9), "procedure": "store-full", "item": "grow", "state": "deferred", "value": "no room" } });
    lines.push(line(desk.model.now.wall, "procedure.item", &put_off));
    lines.push(line(desk.model.now.wall, "procedure.end", &json!({ "res": { "run": Ulid(9) } })));
    let ask = |desk: &mut Desk| {
        let effects = desk.press(KeyCode::Char('D'));
        assert!(matches!(effects.as_slice(), [Effect::Trail(Ask::Left)]), "{effects:?}");
        desk.send(Msg::Trail(Heard::Left(Ok(Left::of(&lines)))));
        assert!(desk.screen().contains("DONE: 2 left to do"), "{}", desk.screen());
    };
    ask(&mut desk);
    desk.tab();
    desk.type_text("ordered, comes on Friday");
    let effects = desk.press(KeyCode::Enter);
    let (recorded, _) = asked(&effects);
    let [Told::Done { id, text, owner, note }] = recorded.as_slice() else { panic!("{recorded:?}") };
    assert_eq!((*id, text.as_str(), owner.as_str()), (Some(incident.id), "order a larger card", "ada"));
    assert_eq!(note.as_str(), "ordered, comes on Friday");
    ask(&mut desk);
    desk.press(KeyCode::Down);
    desk.tab();
    desk.type_text("2 GiB now");
    let effects = desk.press(KeyCode::Enter);
    let [Effect::FinishItem(run, item, note)] = effects.as_slice() else { panic!("{effects:?}\n{}", desk.screen()) };
    assert_eq!((*run, item.as_str(), note.as_str()), (Ulid(9), "grow", "2 GiB now"));
    desk.press(KeyCode::Char('D'));
    desk.send(Msg::Trail(Heard::Left(Ok(Vec::new()))));
    assert!(desk.screen().contains("Nothing is left to do"), "{}", desk.screen());
    desk.model.session.mode = watchkeeper::action::mode::Mode::ReadOnly;
    assert!(desk.press(KeyCode::Char('D')).is_empty());
}

#[test]
fn somebody_else_leads_the_incident_from_a_key_on() {
    let (mut desk, incident) = opened(80, 24);
    desk.key('i');
    desk.key('o');
    assert!(desk.screen().contains("OWNER: ") && desk.screen().contains("until now oncall"), "{}", desk.screen());
    desk.type_text("ada");
    let effects = desk.press(KeyCode::Enter);
    let (recorded, _) = asked(&effects);
    assert_eq!(recorded, [&Told::Owned { id: incident.id, owner: "ada".into() }]);
    assert!(desk.screen().contains("owner ada"), "{}", desk.screen());
}

/// Which logs these effects keep, with their lines.
fn logged(effects: &[Effect]) -> Vec<(String, Vec<String>)> {
    let told = effects.iter().filter_map(|effect| match effect {
        Effect::Record(Entry::Incident(Told::Logged { source, lines, .. })) => {
            Some((source.to_string(), lines.iter().map(Clean::to_string).collect()))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn what_the_logs_say_is_kept_when_an_incident_is_opened_handed_over_and_closed() {
    let mut desk = desk(80, 24);
    let say = |desk: &mut Desk, source: &str, text: String| {
        let line = LogLine { time: Some(desk.model.now.wall), level: None, message: Clean::text(text), marker: false };
        let lines = vec![(desk.model.now, line)];
        desk.send(Msg::Logs(vec![LogBatch { source: source.into(), lines, dropped: 0, failure: None }]));
    };
    for n in 0..40 {
        say(&mut desk, "kernel", format!("message {n} password=hunter2"));
    }
    desk.key('i');
    let kept = logged(&desk.press(KeyCode::Enter));
    let names: Vec<&str> = kept.iter().map(|(source, _)| source.as_str()).collect();
    assert_eq!(names, ["app", "kernel"]);
    let lines = &kept[1].1;
    assert_eq!(lines.len(), 30, "bounded");
    assert!(lines[29].contains("message 39") && lines[29].contains("Z message"), "{lines:?}");
    assert!(!lines[29].contains("hunter2"), "no secret: {lines:?}");
    let open = desk.model.session.trail.incident.clone().expect("an incident");
    desk.key('H');
    heard_last(&mut desk, open);
    desk.press(KeyCode::Esc);
    say(&mut desk, "kernel", "the last word".to_owned());
    desk.key('i');
    desk.key('x');
    desk.type_text("mended");
    let effects = desk.press(KeyCode::Enter);
    let kept = logged(&effects);
    assert!(kept[1].1[29].contains("the last word"), "{kept:?}");
    let closes = |effect: &Effect| matches!(effect, Effect::Record(Entry::Incident(Told::Closed { .. })));
    let logs = |effect: &Effect| matches!(effect, Effect::Record(Entry::Incident(Told::Logged { .. })));
    assert!(effects.iter().rposition(logs) < effects.iter().position(closes), "before its end: {effects:?}");
}

/// The journal is read once more, with this incident open.
fn heard_last(desk: &mut Desk, open: Incident) {
    let at = desk.model.now.mono;
    heard(desk, at, Some(open), Vec::new());
}

#[test]
fn the_log_that_the_newest_alert_is_about_comes_first() {
    let text = "title = \"d\"\n[logs.quiet]\nkind = \"file\"\npath = \"/q\"\n[logs.db]\nkind = \"file\"\npath = \"/d\"\n\
                [[panes]]\ntitle = \"Errors\"\nkind = \"sparkline\"\nquery = 'log_lines_total{source=\"db\"}'\n\
                bands = { critical = 5 }\n";
    let mut desk = Desk::of(text, (80, 24));
    for source in ["quiet", "db"] {
        let line = LogLine { time: None, level: None, message: "said".into(), marker: false };
        let lines = vec![(desk.model.now, line)];
        desk.send(Msg::Logs(vec![LogBatch { source: source.into(), lines, dropped: 0, failure: None }]));
    }
    for _ in 0..5 {
        let points = vec![Point::gauge("log_lines_total", &[("source", "db")], 9.0)];
        let every = Duration::from_secs(1);
        desk.send(Msg::Samples(vec![Sample {
            sampler: "watchkeeper-logs".into(),
            seen: desk.model.now,
            took: Duration::ZERO,
            interval: every,
            next_in: every,
            outcome: Ok(Observation { points, ..Observation::default() }),
        }]));
        desk.pass(1_000);
    }
    assert!(desk.screen().contains("CRITICAL"), "{}", desk.screen());
    desk.pass(10_000);
    let at = desk.model.now.mono;
    heard(&mut desk, at, None, Vec::new());
    desk.key('i');
    let kept = logged(&desk.press(KeyCode::Enter));
    let names: Vec<&str> = kept.iter().map(|(source, _)| source.as_str()).collect();
    assert_eq!(names, ["db", "quiet"]);
}
