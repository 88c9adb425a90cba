//! Panes of rows and of words, and panes that stand only once they have something to show.

use super::desk::Desk;
use crossterm::event::KeyCode;
use insta::assert_snapshot;
use watchkeeper::base::{Clean, Failure, Observation, Point};

const PROFILE: &str = r#"
title = "Orders"
environment = "test"
[samplers.app]
kind = "host"
[samplers.found]
kind = "host"
[[panes]]
title = "Load"
kind = "sparkline"
query = "node_load1"
[[panes]]
title = "Samplers"
kind = "table"
label = "sampler"
columns = [
  { title = "took", query = "took_seconds", unit = "seconds" },
  { title = "failed", query = "failures_total" },
]
[[panes]]
title = "Found here"
kind = "facts"
sampler = "found"
optional = true
[[panes]]
title = "GPU 0"
kind = "gpu"
optional = true
memory = { warning = 0.9, critical = 0.98 }
"#;

fn rows(count: usize) -> Observation {
    let mut points = vec![Point::gauge("node_load1", &[], 1.0)];
    for at in 0..count {
        let name = format!("sampler-{at:02}");
        let labels = [("sampler", name.as_str())];
        points.push(Point::gauge("took_seconds", &labels, 0.001 * (at + 1) as f64));
        if at % 2 == 0 {
            points.push(Point::counter("failures_total", &labels, at as f64));
        }
    }
    Observation { points, ..Observation::default() }
}

fn facts(lines: &[(&'static str, &str)]) -> Observation {
    let facts = lines.iter().map(|(name, fact)| (Clean::from(*name), Clean::text(fact))).collect();
    Observation { facts, ..Observation::default() }
}

#[test]
fn rows_stand_side_by_side_the_largest_first_and_what_has_no_room_is_counted() {
    let mut desk = Desk::of(PROFILE, (80, 24));
    desk.says("app", Ok(rows(12)));
    desk.says("found", Ok(facts(&[("lmdb", "/srv/data.mdb, mapped by orders (812): 71 % of 64 MiB")])));
    assert_snapshot!(desk.screen());
}

/// A profile of this one pane of a shipped one.
fn only(shipped: &str, title: &str) -> String {
    let (_, rest) = shipped.split_once(&format!("title = \"{title}\"")).expect("the pane");
    let rest = rest.split("\n[[").next().expect("its lines");
    format!(
        "title = \"T\"\nenvironment = \"test\"\n[samplers.app]\nkind = \"host\"\n[[panes]]\ntitle = \"{title}\"{rest}"
    )
}

#[test]
fn a_cell_that_its_column_judges_says_so_in_a_word_and_so_do_free_blocks_of_a_high_order() {
    let shipped = include_str!("../../profiles/cerebellar-norse/profile.toml");
    let profile = only(shipped, "Free blocks").split("beside = [").next().expect("its table").to_owned();
    let mut desk = Desk::of(&profile, (120, 24));
    let file = [("Normal", [812, 40, 9, 7, 6, 5, 4, 3, 2, 0, 0]), ("DMA32", [0, 9, 9, 9, 9, 9, 9, 9, 9, 1, 12])];
    let mut points = vec![Point::gauge("watchkeeper_host_memory_fragmentation_ratio", &[], 0.5)];
    for (zone, blocks) in file {
        for (order, count) in blocks.into_iter().enumerate() {
            let labels = [("node", "0"), ("zone", zone), ("size", &*order.to_string())];
            points.push(Point::gauge("node_buddyinfo_blocks", &labels, f64::from(count)));
        }
    }
    let seen = Observation { points, ..Observation::default() };
    desk.says("app", Ok(seen.clone()));
    let screen = desk.screen();
    let row = |zone: &str| {
        let row = screen.lines().find(|line| line.trim_start().starts_with(zone)).unwrap_or_else(|| panic!("{screen}"));
        row.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row("Normal"), "0 NOTE 0 NOTE 2 3 4 5 6 7 9 40 812", "{screen}");
    assert_eq!(row("DMA32"), "12 1 9 9 9 9 9 9 9 9 0", "a low order may be empty: {screen}");
    let mut desk = Desk::of(&profile, (60, 24));
    desk.says("app", Ok(seen));
    let narrow = desk.screen();
    assert!(narrow.contains("order 10") && narrow.contains("0 NOTE"), "the high orders stay: {narrow}");
}

#[test]
fn a_breaker_is_open_closed_or_half_open_in_a_word() {
    let profile = only(include_str!("../../profiles/genesis/profile.toml"), "Breakers (default)");
    let mut desk = Desk::of(&profile, (80, 24));
    let mut states = |states: [f64; 3]| {
        let names = ["binance_api", "database", "redis"].into_iter().zip(states);
        let point = |(name, state)| Point::gauge("genesis_circuit_breaker_state", &[("service", name)], state);
        desk.says("app", Ok(Observation { points: names.map(point).collect(), ..Observation::default() }));
        desk.screen()
    };
    let screen = states([1.0, 0.0, 2.0]);
    let row = |screen: &str, name: &str| {
        // Below the strip, which names the pane too.
        let row = screen.lines().skip(2).find(|line| line.contains(name)).unwrap_or_else(|| panic!("{screen}"));
        row.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(row(&screen, "binance_api"), "binance_api open WARNING", "{screen}");
    assert_eq!(row(&screen, "database"), "database closed", "{screen}");
    assert_eq!(row(&screen, "redis"), "redis half-open WARNING", "{screen}");
    assert!(row(&screen, "Breakers (default) ").contains(" open WARNING"), "an open one is the worst: {screen}");
    let screen = states([0.0, 0.0, 2.0]);
    assert!(row(&screen, "Breakers (default) ").contains(" half-open WARNING"), "{screen}");
    let screen = states([0.0, 3.0, 0.0]);
    assert_eq!(row(&screen, "database"), "database 3 WARNING", "a number without a word is itself: {screen}");
}

#[test]
fn an_optional_pane_has_no_place_until_it_has_something_to_show_and_then_it_stays() {
    let mut desk = Desk::of(PROFILE, (80, 24));
    desk.says("app", Ok(rows(2)));
    let bare = desk.screen();
    assert!(!bare.contains("Found here") && !bare.contains("GPU 0"), "{bare}");
    assert!(!bare.contains("UNKNOWN"), "what is not there lacks no value: {bare}");
    for _ in 0..4 {
        desk.tab();
        let focused = desk.model.board.focused().expect("a pane").title.to_string();
        assert!(["Load", "Samplers"].contains(&focused.as_str()), "the focus skips what is not there: {focused}");
    }
    desk.says("found", Ok(facts(&[("lmdb", "/srv/data.mdb")])));
    assert!(desk.screen().contains("lmdb: /srv/data.mdb"), "{}", desk.screen());
    desk.says("found", Ok(facts(&[])));
    assert!(desk.screen().contains("Found here"), "{}", desk.screen());
}

#[test]
fn rows_that_are_too_old_are_not_shown_as_live() {
    let mut desk = Desk::of(PROFILE, (80, 24));
    desk.says("app", Ok(rows(2)));
    assert!(desk.screen().contains("2.00 ms"), "{}", desk.screen());
    for _ in 0..12 {
        desk.says("app", Err(Failure::unreachable("app: no answer within 1.00 s, since 03:12:06 UTC.")));
    }
    let stale = desk.screen();
    assert!(!stale.contains("2.00 ms") && stale.contains("app: no answer within 1.00 s"), "{stale}");
    assert!(stale.contains("sampler-01") && stale.contains("STALE"), "{stale}");
}

#[test]
fn a_console_that_slows_itself_down_says_so_in_its_first_line() {
    let mut desk = Desk::of(PROFILE, (80, 24));
    let factor = |value| Observation {
        points: vec![Point::gauge("watchkeeper_interval_factor", &[], value)],
        ..Observation::default()
    };
    desk.says("watchkeeper", Ok(factor(1.0)));
    assert!(!desk.screen().contains("SLOWED"), "{}", desk.screen());
    desk.says("watchkeeper", Ok(factor(4.0)));
    assert!(desk.screen().lines().next().expect("a line").contains("SLOWED ×4"), "{}", desk.screen());
}

#[test]
fn what_is_late_says_why_and_since_when_in_tables_and_lists_of_facts_too() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut desk = Desk::of(PROFILE, (width, height));
        desk.says("app", Ok(rows(2)));
        desk.says("found", Ok(facts(&[("lmdb", "/srv/data.mdb")])));
        desk.pass(1_000);
        desk.says("app", Err(Failure::answered("app: 503.")));
        desk.says("found", Err(Failure::unreachable("found: refused.")));
        let late = desk.screen();
        assert!(late.contains("2.00 ms") && late.contains("LATE"), "{late}");
        assert!(late.matches("since 03:12:00: app: 503.").count() >= 2, "the sparkline and the table: {late}");
        assert!(late.contains("since 03:12:00: found: refused."), "{late}");
    }
}

#[test]
fn a_source_that_was_never_well_says_what_is_wrong_and_one_that_is_silent_since_when() {
    let scrape = "[samplers.app]\nkind = \"scrape\"\nurl = \"http://127.0.0.1:1/metrics\"";
    let mut desk = Desk::of(&PROFILE.replace("[samplers.app]\nkind = \"host\"", scrape), (120, 40));
    desk.says("app", Err(Failure::answered("app: 503.")));
    let never = desk.screen();
    assert!(never.contains("app: 503."), "{never}");
    let mut desk = Desk::of(PROFILE, (120, 40));
    desk.says("app", Ok(rows(2)));
    desk.pass(3_000);
    let silent = desk.screen();
    assert!(silent.matches("no answer since 03:12:00.").count() >= 2, "{silent}");
}

#[test]
fn what_a_failed_attempt_tells_is_live_in_every_pane() {
    let mut desk = Desk::of(PROFILE, (120, 40));
    desk.says("app", Ok(rows(2)));
    let seen = rows(2);
    desk.says("app", Err(Failure::answered("app: 503.").with(seen.points)));
    desk.says("found", Err(Failure::answered("found: bad.").seeing(facts(&[("lmdb", "/srv/data.mdb")]))));
    let live = desk.screen();
    assert!(live.contains("2.00 ms") && live.contains("lmdb: /srv/data.mdb"), "{live}");
    assert_eq!(live.matches("since 03:12:00: app: 503.").count(), 2, "the sparkline and the table say why: {live}");
    for word in ["LATE", "STALE", "UNKNOWN"] {
        assert!(!live.contains(word), "{live}");
    }
}

#[test]
fn facts_are_told_whole_while_rows_are_free() {
    let long =
        "a fact of many words that no line of this pane can hold without an end that is cut away and lost to all";
    let mut desk = Desk::of(PROFILE, (80, 24));
    desk.says("found", Ok(facts(&[("one", long), ("two", long), ("three", "short"), ("four", long)])));
    let screen = desk.screen();
    assert!(screen.matches("lost to all").count() >= 1, "{screen}");
    assert!(screen.contains("three: short") && screen.contains("four: a fact"), "{screen}");
    let mut desk = Desk::of(PROFILE, (120, 40));
    desk.says("found", Ok(facts(&[("one", long), ("two", long), ("three", "short"), ("four", long)])));
    assert_eq!(desk.screen().matches("lost to all").count(), 3, "{}", desk.screen());
}

#[test]
fn rows_of_a_zoomed_table_are_found_by_words_and_letters_are_no_commands_meanwhile() {
    let mut desk = Desk::of(PROFILE, (80, 24));
    desk.says("app", Ok(rows(12)));
    desk.key('/');
    assert!(desk.screen().contains("once it fills the screen"), "{}", desk.screen());
    desk.tab();
    desk.key('z');
    assert!(desk.screen().lines().last().is_some_and(|hint| hint.contains("/ find")), "{}", desk.screen());
    desk.key('/');
    desk.type_text("q SAMPLER 1");
    let screen = desk.screen();
    assert!(screen.contains("Find q SAMPLER 1_") && screen.contains("none"), "{screen}");
    for _ in 0.."q SAMPLER 1".len() {
        desk.press(KeyCode::Backspace);
    }
    desk.type_text("SAMPLER 1");
    desk.says("app", Ok(rows(12)));
    let screen = desk.screen();
    let shown = (0..12).filter(|at| screen.contains(&format!("sampler-{at:02}"))).collect::<Vec<_>>();
    assert_eq!(shown, [1, 10, 11], "{screen}");
    desk.press(KeyCode::Esc);
    assert!(desk.screen().contains("sampler-05") && !desk.screen().contains("Find"), "{}", desk.screen());
    assert!(desk.model.board.zoomed, "one level back");
}

#[test]
fn a_table_of_all_series_has_each_by_its_name_and_labels() {
    let text = "title = \"d\"\n[samplers.app]\nkind = \"host\"\n[[panes]]\ntitle = \"Series\"\nkind = \"table\"\n\
                label = \"__name__\"\ncolumns = [{ title = \"value\", query = '{job=\"app\"}' }]\n";
    let mut desk = Desk::of(text, (100, 24));
    desk.says("app", Ok(rows(2)));
    desk.key('z');
    desk.key('/');
    desk.type_text("took 01");
    let screen = desk.screen();
    assert!(screen.contains("took_seconds{") && screen.contains("sampler=\"sampler-01\""), "{screen}");
    assert!(!screen.contains("node_load1") && !screen.contains("sampler-00"), "{screen}");
}

#[test]
fn a_pane_whose_source_answers_and_never_had_it_says_so_in_a_word_of_its_own() {
    let absent = "[[panes]]\ntitle = \"Traced\"\nkind = \"sparkline\"\nquery = \"node_traced\"\nabsent = \"not enabled\"\n\
        [[panes]]\ntitle = \"Collector\"\nkind = \"table\"\nlabel = \"generation\"\nabsent = \"not exported\"\n\
        columns = [{ title = \"runs\", query = \"node_collections\" }]\n";
    let mut desk = Desk::of(&format!("{PROFILE}{absent}"), (120, 40));
    let says = |screen: &str| ["not enabled", "not exported"].map(|word| screen.contains(word));
    assert_eq!(says(&desk.screen()), [false; 2], "nobody has answered yet");
    desk.says("app", Err(Failure::unreachable("app: refused.")));
    desk.says("found", Err(Failure::unreachable("found: refused.")));
    assert_eq!(says(&desk.screen()), [false; 2], "nothing is known: {}", desk.screen());
    desk.says("app", Ok(rows(2)));
    desk.says("found", Ok(rows(2)));
    let screen = desk.screen();
    assert_eq!(says(&screen), [true; 2], "{screen}");
    assert!(screen.contains("not enabled: its source answers, and has none of it."), "{screen}");
    let mut there = rows(2);
    there.points.push(Point::gauge("node_traced", &[], 7.0));
    there.points.push(Point::gauge("node_collections", &[("generation", "0")], 3.0));
    desk.says("app", Ok(there));
    assert_eq!(says(&desk.screen()), [false; 2], "{}", desk.screen());
    desk.says("app", Ok(rows(2)));
    assert_eq!(says(&desk.screen()), [false; 2], "it was there: {}", desk.screen());
}

#[test]
fn a_table_stands_in_the_order_of_its_labels_where_it_says_so_and_numbers_by_their_size() {
    let table = "[[panes]]\ntitle = \"Blocks\"\nkind = \"table\"\nlabel = \"size\"\norder = \"label\"\n\
        columns = [{ title = \"free\", query = \"blocks\" }]\n";
    let mut desk = Desk::of(&format!("{PROFILE}{table}"), (120, 40));
    let mut seen = rows(0);
    for (size, free) in [("10", 5.0), ("9", 70.0), ("1", 6.0)] {
        seen.points.push(Point::gauge("blocks", &[("size", size)], free));
    }
    desk.says("app", Ok(seen));
    let screen = desk.screen();
    let at =
        |row: &str| screen.lines().position(|line| line.contains(row)).unwrap_or_else(|| panic!("{row}: {screen}"));
    let names: Vec<usize> = ["│ 1  ", "│ 9  ", "│ 10  "].map(at).to_vec();
    assert!(names.is_sorted() && names[0] < names[2], "{screen}");
}
