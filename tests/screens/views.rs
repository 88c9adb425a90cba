//! Views: panes that stand together, and the key that goes on to the next of them.

use super::desk::Desk;
use watchkeeper::base::{Observation, Point};

const PROFILE: &str = r#"
title = "Orders"
environment = "test"
[samplers.app]
kind = "host"
[[views]]
title = "System Health"
panes = ["Latency", "Memory"]
[[views]]
title = "Queues"
panes = ["Depth"]
[[panes]]
title = "Depth"
kind = "sparkline"
query = "depth"
bands = { warning = 10, critical = 100 }
[[panes]]
title = "Latency"
kind = "sparkline"
query = "latency_seconds"
[[panes]]
title = "Memory"
kind = "sparkline"
query = "memory_bytes"
of = "memory_total_bytes"
"#;

fn desk() -> Desk {
    let mut desk = Desk::of(PROFILE, (120, 40));
    for _ in 0..20 {
        let points = [("depth", 500.0), ("latency_seconds", 0.002), ("memory_bytes", 3e9), ("memory_total_bytes", 8e9)];
        let points = points.into_iter().map(|(name, value)| Point::gauge(name, &[], value)).collect();
        desk.says("app", Ok(Observation { points, ..Observation::default() }));
    }
    desk
}

fn titles(desk: &Desk) -> Vec<&'static str> {
    let screen = desk.screen();
    let body: String = screen.lines().skip(3).take(35).map(|line| format!("{line}\n")).collect();
    ["Depth", "Latency", "Memory"].into_iter().filter(|title| body.contains(title)).collect()
}

#[test]
fn the_first_view_is_shown_first_a_key_goes_on_and_after_the_last_all_panes_stand() {
    let mut desk = desk();
    assert_eq!(titles(&desk), ["Latency", "Memory"], "{}", desk.screen());
    assert!(desk.screen().contains(" System Health 1/2 "), "{}", desk.screen());
    assert_eq!(desk.model.board.focused().expect("a pane").title.as_str(), "Latency");
    desk.tab();
    desk.tab();
    assert_eq!(desk.model.board.focused().expect("a pane").title.as_str(), "Latency", "the focus skips what is hidden");
    desk.key('V');
    assert_eq!(titles(&desk), ["Depth"], "{}", desk.screen());
    assert!(desk.screen().contains("Queues 2/2: 1 pane."), "{}", desk.screen());
    desk.key('V');
    assert_eq!(titles(&desk), ["Depth", "Latency", "Memory"], "{}", desk.screen());
    assert!(desk.screen().contains(" all panes "), "{}", desk.screen());
    desk.key('V');
    assert_eq!(titles(&desk), ["Latency", "Memory"], "{}", desk.screen());
}

#[test]
fn an_alert_of_a_pane_that_the_view_leaves_out_is_told_all_the_same() {
    let desk = desk();
    assert!(desk.screen().lines().nth(1).is_some_and(|strip| strip.contains("Depth")), "{}", desk.screen());
}

#[test]
fn a_total_is_the_upper_line_of_its_chart() {
    let screen = desk().screen();
    let line = screen.lines().find(|line| line.contains("7.45 GiB ─")).unwrap_or_default();
    assert!(line.contains("────"), "{screen}");
    assert!(screen.contains("2.79 / 7.45 GiB"), "{screen}");
}

#[test]
fn a_paused_picture_changes_its_view_too() {
    let mut desk = desk();
    desk.key(' ');
    desk.key('V');
    assert_eq!(titles(&desk), ["Depth"], "{}", desk.screen());
}
