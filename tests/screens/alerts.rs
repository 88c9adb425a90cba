//! Alerts on the screen: strip, list, detail, forms, contacts, under a scripted clock.

use crate::desk::Desk;
use crossterm::event::KeyCode;
use watchkeeper::app::Overlay;
use watchkeeper::app::effect::{Effect, Entry};
use watchkeeper::app::notify::NotifierStatus;
use watchkeeper::base::{Clean, Now};

const RULES: &str = r#"
groups:
  - name: service
    interval: 1s
    rules:
      - alert: GpuMemoryHigh
        expr: DCGM_FI_DEV_FB_USED / DCGM_FI_DEV_FB_TOTAL > 0.9
        for: 2m
        labels: { severity: warning }
        annotations:
          summary: GPU {{ $labels.gpu }} is {{ $value | humanizePercentage }} full
          description: The allocator retries when its pool is full, and every retry costs time.
          runbook_url: https://github.com/example/runbooks/gpu-memory.md
      - alert: QueueGrows
        expr: queue_depth > 400
        labels: { severity: major }
        annotations: { summary: "{{ $value }} wait" }
      - alert: DiskFilling
        expr: watchkeeper_host_filesystem_used_ratio > 0.3
        labels: { severity: minor }
      - alert: DiskFull
        expr: watchkeeper_host_filesystem_used_ratio{mountpoint="/"} > 0.95
        for: 5m
        labels: { severity: critical }
      - alert: Trend
        expr: deriv(queue_depth[10m]) > 1000
        labels: { severity: minor }
      - alert: PoolDegraded
        expr: node_zfs_zpool_state{state="degraded"} > 0
        labels: { severity: critical }
      - alert: Typo
        expr: rate(queue_depth[5m] > 1
"#;

/// What the latency explains.
const FOLDED: &[(&str, &str)] = &[("alertname=\"Latency p95\"", "alertname=~\"Queue.*|GPU 0.*|LMDB.*\"")];

fn desk(width: u16, height: u16) -> Desk {
    let mut desk = Desk::demo(width, height);
    desk.judge_by(RULES, &[]);
    desk.quiet(5);
    desk.incident(41);
    desk
}

fn folded(width: u16, height: u16) -> Desk {
    let mut desk = Desk::demo(width, height);
    desk.judge_by(RULES, FOLDED);
    desk.quiet(5);
    desk.incident(41);
    desk
}

fn strip(desk: &Desk) -> String {
    desk.screen().lines().nth(1).unwrap_or_default().to_owned()
}

fn entries(effects: &[Effect]) -> Vec<&Entry> {
    effects.iter().filter_map(|effect| if let Effect::Record(entry) = effect { Some(entry) } else { None }).collect()
}

/// Selects the row of the list that holds this text.
fn select(desk: &mut Desk, text: &str) {
    desk.key('g');
    for _ in 0..30 {
        if desk.screen().lines().any(|line| line.contains('▸') && line.contains(text)) {
            return;
        }
        desk.key('j');
    }
    panic!("no row with {text}:\n{}", desk.screen());
}

#[test]
fn the_list_has_every_alert_and_every_rule() {
    let mut small = desk(80, 24);
    small.key('e');
    insta::assert_snapshot!("list_80x24", small.screen());
    let mut large = desk(120, 40);
    large.key('e');
    insta::assert_snapshot!("list_120x40", large.screen());
}

#[test]
fn the_list_in_ascii_says_the_same() {
    let mut desk = folded(80, 24);
    desk.key('e');
    desk.key('f');
    let screen = desk.ascii();
    assert!(screen.is_ascii(), "{screen}");
    insta::assert_snapshot!("list_ascii", screen);
}

#[test]
fn consequences_fold_under_their_cause_and_one_key_shows_them() {
    let mut desk = folded(80, 24);
    assert!(strip(&desk).contains("answer in 14:23  +4"), "{}", strip(&desk));
    desk.key('f');
    let screen = desk.screen();
    insta::assert_snapshot!("folded_shown", screen);
    desk.key('f');
    insta::assert_snapshot!("folded", desk.screen());
}

#[test]
fn the_detail_of_a_firing_alert_at_two_sizes() {
    let mut small = desk(80, 24);
    small.key('d');
    insta::assert_snapshot!("detail_firing_80x24", small.screen());
    small.key('G');
    insta::assert_snapshot!("detail_firing_80x24_end", small.screen());
    let mut large = desk(120, 40);
    large.pass(1_000);
    large.incident(130);
    large.key('e');
    select(&mut large, "GpuMemoryHigh");
    large.enter();
    insta::assert_snapshot!("detail_rule_120x40", large.screen());
}

#[test]
fn the_detail_of_a_quiet_rule_says_why_it_does_not_fire() {
    let mut desk = desk(80, 24);
    desk.key('e');
    select(&mut desk, "DiskFull");
    desk.key('d');
    insta::assert_snapshot!("detail_inactive", desk.screen());
    desk.press(KeyCode::Esc);
    assert!(matches!(desk.model.overlay, Overlay::Alerts(_)), "Esc goes back to the list");
    assert!(desk.screen().lines().any(|line| line.contains('▸') && line.contains("DiskFull")), "where the reader was");
    select(&mut desk, "Trend");
    desk.enter();
    let screen = desk.screen();
    assert!(screen.contains("WARMING") && screen.contains("ready in"), "{screen}");
}

#[test]
fn enter_in_the_detail_plans_what_mends_it() {
    let mut desk = desk(80, 24);
    desk.key('d');
    assert!(desk.screen().contains("Reduce batch size"), "{}", desk.screen());
    desk.planned();
    assert!(desk.screen().contains("Only a preview"));
    desk.pass(10);
    desk.press(KeyCode::Esc);
    assert!(matches!(desk.model.overlay, Overlay::Detail(_)), "back to where it was planned from");
}

#[test]
fn taking_an_alert_stops_its_clock_and_is_recorded() {
    let mut desk = desk(80, 24);
    assert!(strip(&desk).contains("answer in 14:"), "{}", strip(&desk));
    desk.key('t');
    desk.type_text("batch too large, q for queue");
    insta::assert_snapshot!("form_take", desk.screen());
    let effects = desk.press(KeyCode::Enter);
    let [Entry::Acked { alert, note, .. }] = entries(&effects)[..] else { panic!("{effects:?}") };
    assert!(alert.as_str().starts_with("Latency p95"), "{alert}");
    assert_eq!(note.as_str(), "batch too large, q for queue");
    assert!(strip(&desk).contains("taken by oncall") && !strip(&desk).contains("answer in"), "{}", strip(&desk));
    let effects = desk.press(KeyCode::Char('T'));
    assert!(matches!(entries(&effects)[..], [Entry::Unacked { .. }]), "{effects:?}");
    assert!(strip(&desk).contains("answer in"), "{}", strip(&desk));
}

#[test]
fn a_silence_has_a_reason_and_a_countdown_and_an_end() {
    let mut desk = desk(80, 24);
    desk.key('s');
    assert!(desk.press(KeyCode::Enter).is_empty());
    assert!(desk.screen().contains("reason is needed."), "{}", desk.screen());
    desk.type_text("known, fix at 9");
    insta::assert_snapshot!("form_silence", desk.screen());
    desk.tab();
    desk.press(KeyCode::Left);
    desk.type_text("0");
    assert!(desk.press(KeyCode::Enter).is_empty(), "10h is too long");
    assert!(desk.screen().contains("at most 4 hours"), "{}", desk.screen());
    desk.press(KeyCode::Down);
    let effects = desk.press(KeyCode::Enter);
    assert!(matches!(entries(&effects)[..], [Entry::Silenced { .. }]), "{effects:?}");
    desk.pass(61_000);
    desk.incident(3);
    desk.key('e');
    let screen = desk.screen();
    assert!(screen.contains("MUTED") && screen.contains("known, fix at 9"), "{screen}");
    assert!(screen.contains("13:56 left"), "{screen}");
    assert!(!strip(&desk).contains("Latency p95"), "what is muted comes last: {}", strip(&desk));
    select(&mut desk, "MUTED");
    let effects = desk.press(KeyCode::Char('S'));
    assert!(matches!(entries(&effects)[..], [Entry::Unsilenced { expired: false, .. }]), "{effects:?}");
    assert!(!desk.screen().contains("MUTED"), "{}", desk.screen());
}

#[test]
fn wrong_matchers_are_told_in_the_form() {
    let mut desk = desk(80, 24);
    desk.key('s');
    desk.type_text("why");
    desk.tab();
    desk.tab();
    for _ in 0..80 {
        desk.press(KeyCode::Backspace);
    }
    desk.type_text("{alertname");
    desk.enter();
    assert!(matches!(desk.model.overlay, Overlay::Form(_)));
    assert!(desk.screen().contains("no list of matchers"), "{}", desk.screen());
}

#[test]
fn an_alert_that_ends_while_its_form_is_open_is_not_answered_and_no_other_is() {
    for key in ['t', 'u'] {
        let mut desk = desk(80, 24);
        desk.key(key);
        desk.type_text("mine");
        desk.quiet(120);
        let up = |desk: &Desk| desk.model.book.findings().iter().filter(|found| found.state.is_up()).count();
        assert!(up(&desk) > 0, "others go on");
        assert!(desk.screen().contains("It is over by now"), "{}", desk.screen());
        let effects = desk.press(KeyCode::Enter);
        assert!(entries(&effects).is_empty(), "{effects:?}");
        assert!(desk.model.book.findings().iter().all(|found| found.ack.is_none()));
        assert!(desk.screen().contains("The alert is over: nothing was recorded."), "{}", desk.screen());
    }
}

#[test]
fn the_clock_of_the_alert_stays_on_the_strip_at_every_width() {
    for width in 60..=140 {
        let mut desk = desk(width, 24);
        let answer = strip(&desk);
        assert!(answer.contains("answer in 14:2"), "{width}: {answer}");
        desk.pass(15 * 60 * 1_000);
        desk.incident(3);
        let late = strip(&desk);
        assert!(late.contains("OVERDUE"), "{width}: {late}");
    }
}

#[test]
fn at_80_columns_the_strip_has_value_limit_state_and_clock() {
    let desk = desk(80, 24);
    let strip = strip(&desk);
    for part in ["Latency p95 14.2 µs > 10.0 µs", "firing 0:37", "answer in 14:23"] {
        assert!(strip.contains(part), "{part}: {strip}");
    }
}

#[test]
fn a_lone_instance_is_not_told_by_its_labels_and_one_of_several_is() {
    let mut desk = desk(120, 40);
    desk.key('e');
    let screen = desk.screen();
    assert!(screen.contains("GpuMemoryHigh SIMULATED "), "{screen}");
    assert!(!screen.contains("modelName"), "{screen}");
    desk.press(KeyCode::Esc);
    desk.key('e');
    select(&mut desk, "DiskFilling");
    desk.key('f');
    let screen = desk.screen();
    assert!(screen.contains("mountpoint=/var"), "{screen}");
}

#[test]
fn names_stay_readable_in_the_list_of_the_smallest_screen() {
    let mut desk = desk(60, 15);
    desk.key('e');
    let screen = desk.screen();
    assert!(screen.contains("Latency p95") && screen.contains("in 14:23"), "{screen}");
    assert!(screen.contains(" more "), "what is below the last row is counted: {screen}");
    insta::assert_snapshot!("list_60x15", screen);
}

#[test]
fn a_recording_rule_says_how_many_series_it_records() {
    let mut desk = Desk::demo(80, 24);
    let rules = "groups: [{name: r, interval: 1s, rules: [{record: 'disk:used', expr: watchkeeper_host_filesystem_used_ratio}]}]";
    desk.judge_by(rules, &[]);
    desk.quiet(5);
    desk.key('e');
    assert!(desk.screen().contains("disk:used  records 2 series"), "{}", desk.screen());
    select(&mut desk, "disk:used");
    desk.key('d');
    let screen = desk.screen();
    assert!(screen.contains("records 2 series") && !screen.contains("nothing found"), "{screen}");
    assert!(!screen.contains("why not"), "a rule that records does not fire: {screen}");
}

#[test]
fn every_value_on_an_alerts_line_has_its_unit_or_says_that_it_is_a_value() {
    let rule = |expr: &str, annotations: &str| {
        let labels = "labels: {severity: critical}";
        format!("groups: [{{name: r, interval: 1s, rules: [{{alert: Slow, expr: '{expr}', {labels}{annotations}}}]}}]")
    };
    let small = "vector(0.0000095) > 0.000005";
    for (rules, said) in [
        (rule(small, ", annotations: {unit: seconds}"), "Slow 9.50 \u{b5}s > 5.00 \u{b5}s"),
        (rule(small, ""), "Slow value 9.50e-6 > 5.00e-6"),
        (rule(small, ", annotations: {unit: parsecs}"), "Slow value 9.50e-6"),
        (rule("vector(3) > 2", ", annotations: {unit: count}"), "Slow 3 > 2"),
        (rule("max(watchkeeper_host_memory_used_ratio) > 0", ""), " %"),
    ] {
        let mut desk = Desk::demo(100, 24);
        desk.judge_by(&rules, &[]);
        desk.quiet(5);
        let line = strip(&desk);
        assert!(line.contains("Slow") && line.contains(said), "{said}: {line}");
        desk.key('e');
        let list = desk.screen();
        let value = said.split(" >").next().expect("a value").trim_start_matches("Slow ").trim_start_matches("value ");
        assert!(list.contains(value), "{value}: {list}");
    }
}

#[test]
fn what_a_paused_picture_cannot_do_is_said() {
    let mut desk = desk(80, 24);
    desk.key(' ');
    desk.key(']');
    assert!(desk.screen().contains("The picture stands still"), "{}", desk.screen());
    desk.key(' ');
    assert!(!desk.screen().contains("10 m"), "and nothing changes behind it");
    desk.key(']');
    assert!(desk.screen().contains("10 m"), "{}", desk.screen());
}

#[test]
fn an_escalation_names_whom_and_is_recorded() {
    let mut desk = desk(120, 40);
    assert!(strip(&desk).contains("escalate now"), "{}", strip(&desk));
    desk.key('u');
    insta::assert_snapshot!("form_escalate", desk.screen());
    let effects = desk.press(KeyCode::Enter);
    let [Entry::Escalated { to, .. }] = entries(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(to.as_str(), "L2 Ada Example");
    assert!(!strip(&desk).contains("escalate now"), "{}", strip(&desk));
    desk.key('d');
    assert!(desk.screen().contains("escalated to L2 Ada Example by oncall at 03:12:46 UTC"), "{}", desk.screen());
}

#[test]
fn a_read_only_console_says_nothing_about_alerts() {
    let mut desk = desk(80, 24);
    desk.model.session.mode = watchkeeper::action::mode::Mode::ReadOnly;
    for open in ["", "e", "d"] {
        desk.type_text(open);
        let hint = desk.screen().lines().last().unwrap_or_default().to_owned();
        assert!(["take", "silence", "escalate", "arm"].iter().all(|word| !hint.contains(word)), "{hint}");
        desk.press(KeyCode::Esc);
    }
    for key in ['t', 'T', 's', 'S', 'u'] {
        let effects = desk.press(KeyCode::Char(key));
        assert!(effects.is_empty() && matches!(desk.model.overlay, Overlay::None), "{key}: {effects:?}");
        assert!(desk.screen().contains("This console is read-only: it changes no alert"), "{key}");
        desk.pass(13_000);
    }
}

#[test]
fn contacts_come_in_the_order_of_who_is_asked_for() {
    let mut desk = desk(80, 24);
    desk.key('c');
    insta::assert_snapshot!("contacts", desk.screen());
    let effects = desk.press(KeyCode::Char('y'));
    let [Effect::Copy(lines)] = &effects[..] else { panic!("{effects:?}") };
    assert!(lines.iter().any(|line| line.as_str().contains("+1-555-0124")), "{lines:?}");
    desk.key('j');
    let effects = desk.press(KeyCode::Char('y'));
    assert!(format!("{effects:?}").contains("+1-555-0123"), "{effects:?}");
    desk.press(KeyCode::Esc);
    desk.key('d');
    desk.key('c');
    desk.press(KeyCode::Esc);
    assert!(matches!(desk.model.overlay, Overlay::Detail(_)), "from any screen, and back there");
}

#[test]
fn overdue_is_loud_on_every_screen() {
    let mut desk = desk(80, 24);
    desk.pass(15 * 60 * 1_000);
    desk.incident(40);
    insta::assert_snapshot!("overdue", desk.screen());
    let loud = |desk: &Desk| desk.screen().lines().take(2).any(|line| line.contains("OVERDUE"));
    for key in ['e', 'd', 'c', 'w', '?', 'L', '!', 'a', 'z', 't'] {
        desk.key(key);
        assert!(loud(&desk), "{key}: {}", desk.screen());
        desk.press(KeyCode::Esc);
    }
    desk.press(KeyCode::Esc);
    desk.key('.');
    assert!(desk.screen().lines().next().is_some_and(|line| line.contains("OVERDUE")), "{}", desk.screen());
    desk.model.size = (40, 8);
    assert!(desk.screen().contains("OVERDUE"), "{}", desk.screen());
}

#[test]
fn a_rule_that_warms_up_is_not_ok_and_the_strip_says_so() {
    let mut desk = Desk::demo(80, 24);
    desk.judge_by(RULES, &[]);
    desk.calm(30);
    let strip = strip(&desk);
    assert!(strip.contains("1 rule cannot be read") && strip.contains("1 rule warming"), "{strip}");
    insta::assert_snapshot!("warming", desk.screen());
}

#[test]
fn a_webhook_that_fails_is_seen() {
    let mut desk = desk(80, 24);
    let now: Now = desk.model.now;
    desk.model.session.notifier = NotifierStatus {
        place: Some("alerts.example.org/hook".into()),
        last: Some((now, Err(Clean::from("refused the connection.")))),
        waiting: 2,
        dropped: 0,
        ..NotifierStatus::default()
    };
    assert!(desk.screen().lines().next().is_some_and(|line| line.contains("WEBHOOK FAILING")), "{}", desk.screen());
    desk.key('e');
    assert!(desk.screen().contains("webhook FAILING 0s ago, 2 waiting: refused the connection."), "{}", desk.screen());
}

#[test]
fn what_is_wrong_with_files_scrolls_to_its_end_and_not_beyond() {
    let mut desk = desk(80, 24);
    let fault = |at| watchkeeper::base::Fault::new(format!("fault number {at} of the many."));
    desk.model.session.faults = (0..40).map(fault).collect();
    desk.key('!');
    desk.screen();
    desk.key('G');
    assert!(desk.screen().contains("fault number 39"), "{}", desk.screen());
    for _ in 0..50 {
        desk.key('j');
    }
    desk.key('k');
    let screen = desk.screen();
    assert!(
        !screen.contains("fault number 39") || !screen.contains("fault number 30 "),
        "one key is one line: {screen}"
    );
}

#[test]
fn tab_reaches_panes_that_a_small_screen_has_no_room_for() {
    let mut desk = Desk::demo(60, 15);
    desk.quiet(30);
    for _ in 0..3 {
        desk.tab();
    }
    assert!(desk.screen().contains("LMDB used"), "{}", desk.screen());
}
