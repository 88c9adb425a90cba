//! The log pane of the console: filter, patterns, several sources, both clocks, from a chart to the log and back.

use crate::desk::Desk;
use crossterm::event::KeyCode;
use std::sync::Arc;
use watchkeeper::app::{Effect, Msg, Overlay, Procedures};
use watchkeeper::base::{Clean, LogLevel, LogLine, Mono, Now, Wall};
use watchkeeper::logs::LogBatch;
use watchkeeper::procedure::parse;

const PROFILE: &str = "title = \"Logs\"\nenvironment = \"test\"\n[logs.app]\nkind = \"file\"\npath = \"/x/app.log\"\n\
    [logs.db]\nkind = \"file\"\npath = \"/x/db.log\"\n[[patterns]]\npack = \"lmdb\"\n\
    [[panes]]\ntitle = \"Both\"\nkind = \"log\"\nsources = [\"app\", \"db\"]\n";

fn line(second: i64, level: Option<LogLevel>, text: &str) -> (Now, LogLine) {
    let wall = Wall((1_795_230_700 + second) * 1_000_000_000);
    let seen = Now { mono: Mono(3_580_000_000_000), wall: Wall(1_795_230_720_000_000_000) };
    (seen, LogLine { time: Some(wall), level, message: Clean::text(text), marker: false })
}

fn hear(desk: &mut Desk, source: &str, lines: Vec<(Now, LogLine)>) {
    desk.send(Msg::Logs(vec![LogBatch { source: source.into(), lines, ..LogBatch::default() }]));
}

fn both(width: u16, height: u16) -> Desk {
    let mut desk = Desk::of(PROFILE, (width, height));
    let info = |at: i64| line(at, Some(LogLevel::Info), &format!("step done processing_time_ns={}", at * 1_000));
    hear(&mut desk, "app", (0..10).map(|at| info(at * 2)).collect());
    let db = [
        line(3, Some(LogLevel::Warn), "slow commit processing_time_ns=90000"),
        line(7, Some(LogLevel::Error), "put: MDB_MAP_FULL: Environment mapsize limit reached"),
        line(9, None, "┌ REDUCE BATCH SIZE ─ danger C2 ┐"),
    ];
    hear(&mut desk, "db", db.into());
    desk
}

#[test]
fn two_sources_are_one_pane_by_time_and_what_a_pattern_knows_is_marked() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut desk = both(width, height);
        desk.key('z');
        insta::assert_snapshot!(format!("both_{width}x{height}"), desk.screen());
    }
}

#[test]
fn a_line_that_says_no_time_has_none_of_its_own_on_screen_in_its_detail_and_in_a_copy() {
    let mut desk = Desk::of(&PROFILE.replace("[\"app\", \"db\"]", "[\"app\"]"), (80, 24));
    let mut words = line(0, None, "plain words");
    words.1.time = None;
    hear(&mut desk, "app", vec![line(3, Some(LogLevel::Warn), "slow"), words]);
    let screen = desk.screen();
    assert!(screen.contains("│ 03:11:43 WARN  slow") && screen.contains("│ 03:12:00~ plain words"), "{screen}");
    desk.key('K');
    desk.key('J');
    desk.key('d');
    assert!(desk.screen().contains("T03:12:00.000000Z; the line itself says no time"), "{}", desk.screen());
    desk.press(KeyCode::Esc);
    let copied = desk.press(KeyCode::Char('y'));
    let plain = |lines: &[Clean]| lines.iter().any(|line| line.as_str() == "plain words");
    assert!(matches!(&copied[..], [Effect::Copy(lines)] if plain(lines)), "{copied:?}");
}

#[test]
fn a_filter_stands_above_the_lines_with_its_figures_and_what_is_wrong_with_one_is_placed() {
    let mut desk = both(80, 24);
    desk.key('&');
    desk.type_text("processing_time_ns>10000 -level=loud");
    assert!(desk.screen().contains("1:33: no level is called `loud`"), "{}", desk.screen());
    for _ in 0.."-level=loud".len() {
        desk.press(KeyCode::Backspace);
    }
    desk.enter();
    hear(&mut desk, "app", vec![line(30, Some(LogLevel::Info), "step done processing_time_ns=30000")]);
    hear(&mut desk, "app", vec![line(31, Some(LogLevel::Info), "step done processing_time_ns=5")]);
    insta::assert_snapshot!("filter_80x24", desk.screen());
    assert!(desk.screen().contains("shown 6 of 15"), "{}", desk.screen());
    desk.press(KeyCode::Esc);
    desk.key('l');
    desk.key('l');
    assert!(desk.screen().contains("& level>=error") && desk.screen().contains("shown 1 of 15"), "{}", desk.screen());
    desk.press(KeyCode::Esc);
    assert!(!desk.screen().contains("shown"), "{}", desk.screen());
}

#[test]
fn a_reader_s_place_stays_and_new_lines_are_counted_until_g() {
    let mut desk = both(80, 24);
    let many = (0..60).map(|at| line(20 + at, None, &format!("number {at}"))).collect();
    hear(&mut desk, "app", many);
    desk.key('k');
    let lines = |desk: &Desk| desk.screen().lines().skip(4).take(15).map(str::to_owned).collect::<Vec<_>>();
    let before = lines(&desk);
    hear(&mut desk, "app", (0..87).map(|at| line(100 + at, None, "more")).collect());
    assert!(desk.screen().contains("+87 new, G to follow"), "{}", desk.screen());
    assert_eq!(lines(&desk), before);
    desk.key('/');
    desk.type_text("number 1[12]$");
    desk.enter();
    assert!(desk.screen().contains("of 2") && desk.screen().contains("number 11"), "{}", desk.screen());
    desk.key('t');
    desk.type_text("03:11:47");
    desk.enter();
    assert!(desk.screen().lines().any(|line| line.starts_with("▸ db")), "{}", desk.screen());
    desk.key('G');
    assert!(desk.screen().contains("following"), "{}", desk.screen());
}

#[test]
fn one_key_shows_every_time_on_the_host_s_clock_and_says_so() {
    let mut desk = Desk::demo(80, 24);
    desk.incident(30);
    assert!(desk.screen().contains(" UTC\n"), "{}", desk.screen());
    desk.key('U');
    let screen = desk.screen();
    assert!(screen.lines().next().is_some_and(|line| line.ends_with("05:12:30 +02")), "{screen}");
    assert!(screen.lines().any(|line| line.starts_with("│ 05:12:")) && !screen.contains(" 03:12"), "{screen}");
    desk.key('d');
    assert!(!desk.screen().contains(" 03:1"), "{}", desk.screen());
    desk.press(KeyCode::Esc);
    desk.key('U');
    assert!(desk.screen().lines().next().is_some_and(|line| line.ends_with("03:12:30 UTC")), "{}", desk.screen());
}

#[test]
fn from_a_chart_s_cursor_to_the_log_at_that_time_and_back() {
    let mut desk = Desk::demo(80, 24);
    desk.quiet(120);
    for _ in 0..20 {
        desk.key('<');
    }
    assert!(desk.screen().contains("▸03:13:20"), "{}", desk.screen());
    insta::assert_snapshot!("cursor_80x24", desk.screen());
    desk.key('x');
    let screen = desk.screen();
    assert!(screen.lines().any(|line| line.starts_with("▸ 03:13:2")) && screen.contains("▸Log"), "{screen}");
    desk.key('x');
    let screen = desk.screen();
    assert!(screen.contains("▸03:13:2") && screen.contains("▸Latency"), "{screen}");
    desk.press(KeyCode::Esc);
    assert!(!desk.screen().contains("▸03:1"), "{}", desk.screen());
}

#[test]
fn enter_on_a_known_line_finds_its_procedure_and_lines_go_to_the_clipboard_and_to_a_file() {
    let mut desk = Desk::demo_with(80, 24, &[("[logs.app]", "[[patterns]]\npack = \"lmdb\"\n[logs.app]")]);
    let text = include_str!("../../profiles/demo/procedures/lmdb-full.md");
    desk.model.procedures = Procedures::new(vec![Arc::new(parse("lmdb-full", "lmdb-full.md", text))]);
    desk.quiet(3);
    for _ in 0..5 {
        desk.tab();
    }
    hear(
        &mut desk,
        "app",
        vec![line(25, Some(LogLevel::Error), "put: MDB_MAP_FULL: Environment mapsize limit reached")],
    );
    desk.enter();
    assert!(matches!(desk.model.overlay, Overlay::Procedures(_) | Overlay::Procedure(_)), "{}", desk.screen());
    assert!(desk.screen().contains("MDB_MAP_FULL") && desk.screen().contains("LMDB map full"), "{}", desk.screen());
    desk.press(KeyCode::Esc);
    desk.key('v');
    desk.key('K');
    let copied = desk.press(KeyCode::Char('y'));
    assert!(matches!(&copied[..], [Effect::Copy(lines)] if lines.len() == 2), "{copied:?}");
    desk.key('s');
    desk.type_text("/tmp/x");
    let saved = desk.press(KeyCode::Enter);
    assert!(
        matches!(&saved[..], [Effect::Save(path, lines)] if path.as_str() == "/tmp/x" && lines.len() == 1),
        "{saved:?}"
    );
    desk.send(Msg::Saved(Ok("/tmp/x".into())));
    assert!(desk.screen().contains("Saved to /tmp/x."), "{}", desk.screen());
    desk.key('d');
    insta::assert_snapshot!("line_80x24", desk.screen());
}
