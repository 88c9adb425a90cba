//! Expressions, forecasts and history as the screen shows them.

use super::desk::Desk;
use insta::assert_snapshot;
use std::time::Duration;
use watchkeeper::base::{Failure, Observation, Point};
use watchkeeper::store::history::{Kept, Minute, Tag};

/// The queue's pane asks for a window, and its growth is foretold.
const WINDOW: (&str, &str) = (
    "query = \"queue_depth\"\nunit = \"count\"",
    "query = 'max_over_time(queue_depth[5m])'\nunit = \"count\"\nforecast = 5000",
);

#[test]
fn a_window_that_is_not_recorded_whole_says_so_beside_its_value() {
    let mut desk = Desk::demo_with(80, 24, &[WINDOW]);
    desk.quiet(12);
    assert_snapshot!(desk.screen());
}

#[test]
fn what_fills_up_says_when_it_is_full() {
    let mut desk = Desk::demo_with(120, 40, &[WINDOW]);
    desk.incident(90);
    let screen = desk.screen();
    assert!(screen.contains("full in ") && screen.contains("at 5,000 in "), "{screen}");
    assert_snapshot!(screen);
}

#[test]
fn what_stopped_filling_is_not_foretold() {
    let mut desk = Desk::demo(120, 40);
    desk.quiet(100);
    assert!(desk.screen().contains("full in "), "{}", desk.screen());
    for _ in 0..100 {
        desk.stores(&[("a", 0.5, 1e9)]);
    }
    assert!(!desk.screen().contains("full in "), "{}", desk.screen());
}

/// A day of minutes before the desk's time, with three hours missing; a peak of a single minute in it, and one at its begin.
fn remember(desk: &mut Desk, text: &str, usual: f64, peak: f64) {
    let now = u32::try_from(desk.model.now.wall.0 / 60_000_000_000).expect("this century");
    let minute = |back: u32| {
        let mean = usual * (1.0 + 0.4 * (f64::from(back) / 200.0).sin());
        let max = if matches!(back, 600 | 1_430) { peak } else { mean * 1.1 };
        Minute { number: now - back, count: 60, min: mean * 0.9, mean, max }
    };
    let kept = (1..1_440).rev().filter(|back| !(300..480).contains(back));
    let rows: Vec<Kept> = kept.map(|back| Kept { tag: Tag::of(text), minute: minute(back) }).collect();
    desk.model.history.take(&rows);
}

#[test]
fn a_day_is_drawn_from_history_by_the_minute_with_its_gaps() {
    for (width, height) in [(80, 24), (120, 40)] {
        let mut desk = Desk::demo(width, height);
        for (text, usual, peak) in [
            ("inference_latency_seconds{quantile=\"0.95\"}", 5e-6, 11e-6),
            ("queue_depth", 40.0, 900.0),
            ("lmdb_used_ratio", 0.35, 0.5),
        ] {
            remember(&mut desk, text, usual, peak);
        }
        desk.quiet(90);
        for _ in 0..4 {
            desk.key(']');
        }
        let screen = desk.screen();
        assert!(screen.contains(if width == 80 { "24 h/min" } else { "24 h, by minute" }), "{screen}");
        assert_snapshot!(format!("a_day_by_the_minute_{width}"), screen);
        for _ in 0..4 {
            desk.key('[');
        }
        assert!(!desk.screen().contains("24 h"));
    }
}

#[test]
fn ten_minutes_fill_the_chart_without_history() {
    let mut desk = Desk::demo(80, 24);
    remember(&mut desk, "queue_depth", 40.0, 900.0);
    desk.quiet(400);
    desk.key(']');
    let screen = desk.screen();
    assert!(screen.contains("10 m") && !screen.contains("m/min "), "{screen}");
    desk.pass(Duration::from_secs(1).as_millis().try_into().expect("small"));
    assert_snapshot!(desk.screen());
}

#[test]
fn a_value_of_a_slow_sampler_stands_in_the_chart_until_the_next_one() {
    const SLOW: &str =
        "[samplers.slow]\nkind = \"host\"\n[[panes]]\ntitle = \"Slow\"\nkind = \"sparkline\"\nquery = \"slow\"\n";
    let mut desk = Desk::of(SLOW, (80, 24));
    let chart = |desk: &Desk| desk.model.board.panes[0].course.columns();
    for at in 0..5 {
        desk.every(5, "slow", Ok(f64::from(at)));
        desk.pass(5_000);
    }
    assert!(chart(&desk).iter().all(Option::is_some), "{:?}", chart(&desk));
    desk.every(5, "slow", Err("gone."));
    desk.pass(5_000);
    desk.every(5, "slow", Ok(1.0));
    let gaps = chart(&desk).iter().filter(|value| value.is_none()).count();
    assert!((2..=3).contains(&gaps), "a failed attempt is a gap: {:?}", chart(&desk));
}

#[test]
fn what_a_failed_attempt_told_is_live_until_the_next_one_however_far_that_is() {
    const PANE: &str = "[samplers.probe]\nkind = \"host\"\n[[panes]]\ntitle = \"Up\"\nkind = \"sparkline\"\nquery = 'up{job=\"probe\"}'\n\
                        [[panes]]\ntitle = \"Most\"\nkind = \"sparkline\"\nquery = 'max(up{job=\"probe\"})'\n";
    let mut desk = Desk::of(PANE, (80, 24));
    desk.fails_until(30, "probe", "gone.");
    desk.pass(20_000);
    let screen = desk.screen();
    assert!(!screen.contains("LATE") && !screen.contains("STALE"), "{screen}");
}

#[test]
fn a_value_that_a_failed_attempt_told_is_as_old_as_that_when_the_next_one_tells_nothing() {
    const PANE: &str = "[samplers.probe]\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n\
                        [[panes]]\ntitle = \"Took\"\nkind = \"sparkline\"\nquery = 'max(took)'\nunit = \"seconds\"\n";
    let mut desk = Desk::of(PANE, (80, 24));
    let took = |value| Point::gauge("took", &[], value);
    desk.told("probe", Ok(Observation { points: vec![took(1.0)], ..Observation::default() }));
    for _ in 0..20 {
        desk.pass(1_000);
        desk.told("probe", Err(Failure::answered("page answered 429.").with([took(2.0)])));
    }
    for second in 1..=8 {
        desk.pass(1_000);
        desk.told("probe", Err(Failure::answered("page is left alone.")));
        let screen = desk.screen();
        let row = screen.lines().find(|line| line.contains("Took")).unwrap();
        assert_eq!(row.contains("STALE"), second >= 5, "after {second} s: {screen}");
    }
    // Its last value was seen 8 s before, and not 28.
    let screen = desk.screen();
    assert!(screen.contains("last 2.00 s at 03:12:20"), "{screen}");
}
