//! Panes of rows and of words, and panes that stand only once they have something to show.

use super::desk::Desk;
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
