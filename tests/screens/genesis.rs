//! A shipped profile on screen, of samples from a script: its lists tick themselves with values, its panes foretell.

use crate::desk::Desk;
use crossterm::event::KeyCode;
use watchkeeper::app::Msg;
use watchkeeper::base::{Clean, Observation, Point, Ulid};
use watchkeeper::config::{ProfileRef, SearchPath, load_profile};
use watchkeeper::roles::logs::SAMPLER;
use watchkeeper::roles::setup::known_kinds;
use watchkeeper::term::Input;

/// What a sampler gives: series, labels and values.
type Given<'a> = (&'a str, &'a [(&'a str, &'a [(&'a str, &'a str)], f64)]);

const OF: (&str, &str) = ("groupname", "genesis");
const ENGINE: Given<'_> = (
    "engine",
    &[
        ("process_group_cpu_host_ratio", &[OF], 0.31),
        ("namedprocess_namegroup_memory_bytes", &[OF, ("memtype", "resident")], 2.4e9),
    ],
);
const HOST: Given<'_> = (
    "host",
    &[
        ("watchkeeper_host_cpu_iowait_ratio", &[], 0.012),
        ("watchkeeper_host_filesystem_used_ratio", &[("mountpoint", "/")], 0.58),
        ("node_memory_MemTotal_bytes", &[], 64e9),
    ],
);
const LINES: Given<'_> = (SAMPLER, &[("log_lines_total", &[("level", "error")], 7.0)]);
const POOL: Given<'_> = (
    "metrics",
    &[
        ("genesis_db_connection_pool", &[("state", "active")], 6.0),
        ("genesis_db_connection_pool", &[("state", "idle")], 4.0),
        ("genesis_ws_connections", &[("state", "connected")], 12.0),
    ],
);
const NO_POOL: Given<'_> = ("metrics", &[("genesis_ws_connections", &[("state", "connected")], 12.0)]);
const NEAR: Given<'_> = ("exchange", &[("probe_success", &[], 1.0), ("tcp_connect_duration_seconds", &[], 0.0241)]);
const AWAY: Given<'_> = ("exchange", &[("probe_success", &[], 0.0)]);

fn desk() -> Desk {
    let which = ProfileRef::Builtin("genesis".to_owned());
    let profile = load_profile(&which, &SearchPath::default(), &known_kinds()).expect("loads");
    Desk::over(&profile, (120, 40))
}

fn give(desk: &mut Desk, (sampler, series): Given<'_>) {
    let points = series.iter().map(|(name, labels, value)| Point::named(name, labels, *value)).collect();
    desk.told(sampler, Ok(Observation { points, ..Observation::default() }));
}

/// Seconds in which all of these give what they have.
fn seconds(desk: &mut Desk, count: u32, given: &[Given<'_>]) {
    for _ in 0..count {
        desk.pass(1_000);
        for given in given {
            give(desk, *given);
        }
    }
}

/// This page of the profile, begun.
fn begin(desk: &mut Desk, page: &str) {
    let document = desk.model.procedures.known.iter().find(|document| *document.id == *page).cloned();
    desk.send(Msg::Work(page.into()));
    desk.send(Msg::WalkBegun(document.expect("a page"), Ok(Ulid(9))));
}

/// The row of the list with this title; panes stand beside it.
fn row(desk: &Desk, title: &str) -> String {
    let screen = desk.screen();
    let mut rows = screen.lines().map(|line| line.chars().take(80).collect::<String>());
    rows.find(|row| row.contains(title)).unwrap_or_else(|| panic!("no {title}: {screen}"))
}

/// The page as it is written with W.
fn written(desk: &Desk) -> String {
    let lines = watchkeeper::app::written::document(&desk.model, &desk.model.procedures.walks[0]);
    lines.iter().map(Clean::as_str).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_first_five_minutes_tick_themselves_with_values_while_their_time_runs() {
    let mut desk = desk();
    let all = [ENGINE, HOST, LINES, POOL, NEAR];
    seconds(&mut desk, 30, &all);
    begin(&mut desk, "first-five-minutes");
    assert!(desk.screen().contains("time box 5:00   5:00 left"), "{}", desk.screen());
    seconds(&mut desk, 20, &all);
    assert!(desk.screen().contains("time box 5:00   4:40 left"), "{}", desk.screen());
    for (title, value) in [
        ("CPU, memory and disk now", " 31 % "),
        ("Errors of the last 15 minutes", " 0 "),
        ("Connection pool", " 60 % "),
        ("The exchange answers", " 1 "),
        ("Nobody waits for a lock", " 0 "),
        ("WebSockets", " 12 "),
    ] {
        let row = row(&desk, title);
        assert!(row.contains('✓') && row.contains(value) && row.contains("sensed"), "{row}");
    }
    // Behind what it ticked stands what else it looked at.
    let written = written(&desk);
    for beside in ["- memory: 2.24 GiB", "- I/O wait: 1.2 %", "- fullest disk: 58 %", "- round trip: 24.1 ms"] {
        assert!(written.contains(beside), "{beside}: {written}");
    }
}

#[test]
fn memory_of_an_hour_has_its_growth_and_the_verdict_of_the_list() {
    const MIB: f64 = 1_048_576.0;
    for (an_hour, shown, rises) in [(114.0 * MIB, " 114 MiB ", true), (12.0 * MIB, " 12.0 MiB ", false)] {
        let mut desk = desk();
        let look = |desk: &mut Desk, count: u32| {
            desk.pass(10_000);
            let bytes = 2.4e9 + an_hour * f64::from(count) / 360.0;
            give(desk, ("engine", &[("namedprocess_namegroup_memory_bytes", &[OF, ("memtype", "resident")], bytes)]));
        };
        (0..370).for_each(|count| look(&mut desk, count));
        begin(&mut desk, "first-half-hour");
        while !row(&desk, "Slow statements").contains("later") {
            desk.key('d');
            desk.type_text("later");
            desk.press(KeyCode::Enter);
        }
        look(&mut desk, 370);
        let (found, screen) = (row(&desk, "Memory does not leak"), desk.screen());
        assert!(found.contains(shown), "{screen}");
        assert_eq!(screen.contains("It rises by more than 50 MB an hour"), rises, "{screen}");
        assert!(found.contains(if rises { "▶" } else { "✓" }), "{screen}");
    }
}

#[test]
fn what_is_unknown_is_answered_by_hand_and_an_exchange_out_of_reach_is_said() {
    let mut desk = desk();
    let all = [ENGINE, HOST, LINES, NO_POOL, AWAY];
    seconds(&mut desk, 30, &all);
    begin(&mut desk, "first-five-minutes");
    seconds(&mut desk, 10, &all);
    assert!(row(&desk, "Connection pool").contains("cannot be told"), "{}", desk.screen());
    desk.key('o');
    desk.type_text("6 of 10, as its log says");
    desk.press(KeyCode::Enter);
    let answered = row(&desk, "Connection pool");
    assert!(answered.contains("6 of 10") && answered.contains("oncall"), "{answered}");
    seconds(&mut desk, 5, &all);
    assert!(desk.screen().contains("It cannot be reached from here: `network-latency`."), "{}", desk.screen());
}

#[test]
fn the_half_hours_list_waits_for_the_profiler_and_then_asks_for_its_file() {
    let mut desk = desk();
    seconds(&mut desk, 3, &[ENGINE]);
    begin(&mut desk, "first-half-hour");
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Enter);
    desk.type_text("it runs");
    desk.press(KeyCode::Enter);
    let waits = |desk: &Desk| row(desk, "Five minutes pass").contains('▶');
    assert!(waits(&desk), "{}", desk.screen());
    desk.pass(299_000);
    assert!(waits(&desk) && desk.screen().contains("25:01 left"), "{}", desk.screen());
    desk.pass(2_000);
    assert!(!waits(&desk) && row(&desk, "Five minutes pass").contains("5:00 passed"), "{}", desk.screen());
    desk.press(KeyCode::Enter);
    assert!(row(&desk, "File of the profile").contains('▶'), "{}", desk.screen());
    desk.press(KeyCode::Enter);
    desk.type_text("/tmp/genesis.folded");
    desk.press(KeyCode::Enter);
    assert!(row(&desk, "File of the profile").contains("/tmp/genesis.folded"), "{}", desk.screen());
}

#[test]
fn a_queue_that_grows_says_in_its_pane_when_it_holds_a_thousand() {
    let mut desk = desk();
    for second in 0..150 {
        let waiting = 100.0 + f64::from(second) * 2.0;
        let queued = [("genesis_events_pending", [("priority", "high")].as_slice(), waiting)];
        seconds(&mut desk, 1, &[("metrics", queued.as_slice())]);
    }
    let screen = desk.screen();
    assert!(screen.contains("at 1,000 in 5 min (±1)  a minute 120 "), "of the 602 that are left: {screen}");
}

#[test]
fn what_the_engine_does_not_export_is_unknown_with_the_page_that_says_how() {
    let mut desk = desk();
    seconds(&mut desk, 20, &[ENGINE, POOL]);
    desk.key('V');
    desk.key('V');
    let screen = desk.screen();
    assert!(screen.contains("GC pause         unknown, page `gc` says how to export it"), "{screen}");
    assert!(screen.contains("Garbage collector, if exported                not exported"), "{screen}");
}

/// Names of rows of a table from the top of the screen down, as far as they are there.
fn in_order(desk: &Desk, names: &[&str]) -> Vec<String> {
    let screen = desk.screen();
    let named = |line: &str| names.iter().find(|name| line.contains(*name)).map(|name| (*name).to_owned());
    screen.lines().filter_map(named).collect()
}

#[test]
fn its_tables_begin_with_what_is_worst() {
    let mut desk = desk();
    let counted = |name: &'static str, seen: f64, of: [f64; 2]| {
        [("market_data", of[0]), ("positions", of[1])].map(|(cache, each)| (name, [("cache_name", cache)], seen * each))
    };
    for second in 0..40 {
        let seen = f64::from(second);
        let counts = [
            counted("genesis_cache_hits_total", seen, [90.0, 30.0]),
            counted("genesis_cache_misses_total", seen, [10.0, 70.0]),
        ];
        let caches: Vec<_> =
            counts.iter().flatten().map(|(name, labels, value)| (*name, labels.as_slice(), *value)).collect();
        let slow = |id: &'static str, mean: f64| ("pg_stat_statements_mean_seconds", [("queryid", id)], mean);
        let slow = [slow("111222333", 0.061), slow("444555666", 0.310), slow("777888999", 0.095)];
        let slow: Vec<_> = slow.iter().map(|(name, labels, value)| (*name, labels.as_slice(), *value)).collect();
        let tasks = [("task", "sync_orders"), ("task", "reconcile")].map(|label| [label]);
        let tasks = [(tasks[0].as_slice(), 0.12), (tasks[1].as_slice(), 0.312)];
        let tasks = tasks.map(|(labels, took)| ("genesis_slow_task_seconds", labels, took));
        seconds(&mut desk, 1, &[("metrics", &caches), ("database", &slow), (SAMPLER, &tasks)]);
    }
    for (view, names) in [
        (3, ["reconcile", "sync_orders"].as_slice()),
        (4, &["positions", "market_data"]),
        (5, &["444555666", "777888999", "111222333"]),
    ] {
        while !desk.screen().contains(&format!(" {view}/6 ")) {
            desk.key('V');
        }
        assert_eq!(in_order(&desk, names), names, "{}", desk.screen());
    }
}

#[test]
fn its_twenty_slowest_statements_stand_in_order() {
    let mut desk = desk();
    let all: Vec<(String, f64)> =
        (1..=20).map(|at| (format!("9000{:02}", at * 7 % 23), f64::from(at * 7 % 23))).collect();
    let labels: Vec<_> = all.iter().map(|(id, mean)| ([("queryid", id.as_str())], 0.05 + mean / 100.0)).collect();
    let slow: Vec<_> =
        labels.iter().map(|(label, mean)| ("pg_stat_statements_mean_seconds", label.as_slice(), *mean)).collect();
    seconds(&mut desk, 5, &[("database", &slow)]);
    while !desk.screen().contains(" 5/6 ") {
        desk.key('V');
    }
    while !desk.screen().contains("▸Statements") {
        desk.tab();
    }
    desk.key('z');
    let mut slowest = all;
    slowest.sort_by(|one, other| other.1.total_cmp(&one.1));
    let names: Vec<&str> = slowest.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(in_order(&desk, &names), names, "{}", desk.screen());
}

#[test]
fn the_top_of_a_profile_is_pasted_and_kept_with_the_page() {
    let mut desk = desk();
    seconds(&mut desk, 3, &[ENGINE]);
    begin(&mut desk, "cpu-profiling");
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Up);
    assert!(desk.screen().contains(" done, by oncall "), "{}", desk.screen());
    desk.press(KeyCode::Down);
    desk.press(KeyCode::Enter);
    desk.type_text("a profile of what runs");
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Down);
    desk.press(KeyCode::Enter);
    assert!(row(&desk, "Read a profile").contains('▶'), "nothing is started in production: {}", desk.screen());
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Enter);
    desk.type_text("pasted below");
    desk.press(KeyCode::Enter);
    desk.press(KeyCode::Enter);
    let top: Vec<String> = (1..=20).map(|at| format!("{at} 0.{at:03} engine.py:{at}(execute_order_{at})")).collect();
    let text = top.join("\n");
    let input = Input::Paste { text: Clean::text(&text), lines: Clean::lines(&text), left_out: 0 };
    desk.send(Msg::Input(desk.model.now.mono, input));
    desk.press(KeyCode::Enter);
    let written = written(&desk);
    assert!(top.iter().all(|line| written.contains(&line.replace('_', "\\_")) || written.contains(line)), "{written}");
}

#[test]
fn help_begins_with_the_keys_of_what_it_was_opened_from() {
    let mut desk = desk();
    let first = |desk: &mut Desk| {
        desk.key('?');
        let screen = desk.screen();
        let mut rows = screen.lines().skip_while(|row| !row.contains("─ KEYS ─")).skip(1);
        rows.next().unwrap_or_default().trim_matches(['│', ' ']).to_owned()
    };
    assert_eq!(first(&mut desk), "TRIAGE");
    desk.press(KeyCode::Esc);
    begin(&mut desk, "gc");
    assert_eq!(first(&mut desk), "PROCEDURE");
    desk.press(KeyCode::Esc);
    desk.press(KeyCode::Esc);
    desk.key('e');
    assert_eq!(first(&mut desk), "OVERLAY");
}
