//! What one console saw is still there in the next one.

use crate::desk::{Desk, eventually};
use crate::harness::Pty;
use crate::shipped::{Part, Wanted};
use std::fs;
use watchkeeper::base::{Clean, Clock as _, Mono, Wall};
use watchkeeper::roles::history::Keeper;
use watchkeeper::store::history::{History, Kept, decode};
use watchkeeper::sys::clock::RealClock;

const MINUTE: i64 = 60_000_000_000;

/// A day but the minutes in which no console ran.
const BACK: [std::ops::Range<i64>; 2] = [1..300, 480..1_440];

/// The waiting for disks so many minutes ago: high in one of them in each stretch.
fn waited(back: i64) -> f64 {
    if matches!(back, 200 | 1_430) { 0.9 } else { 0.2 }
}

#[test]
fn the_next_console_scrolls_back_over_the_day_that_the_last_one_kept() {
    let desk = Desk::new();
    let part = Part::of("genesis", &Wanted { panes: &["I/O wait"], samplers: &["host"], ..Wanted::default() });
    let profile = part.lay(&desk, false);
    let state = desk.path().join("home/.local/state/watchkeeper");
    // The last one: its own parts, at times that have passed.
    let now = RealClock.now().wall.0;
    let mut history = History::new(false);
    let text = Clean::from("watchkeeper_host_cpu_iowait_ratio");
    let mut minutes: Vec<Kept> = Vec::new();
    for back in BACK.into_iter().rev().flat_map(Iterator::rev) {
        let at = now - back * MINUTE;
        history.note(&text, waited(back), Mono((1_440 - back).unsigned_abs() * MINUTE.unsigned_abs()), Wall(at));
        minutes.extend(history.close(Wall(at + MINUTE)));
    }
    let all = minutes.len();
    let last = Keeper::start(&state, profile.to_str().unwrap(), |_| ()).unwrap();
    assert!(last.keep(minutes));
    let kept = || {
        let folders = fs::read_dir(state.join("history")).ok()?.flatten();
        let days = folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten());
        let rows: usize = days.map(|day| decode(&fs::read(day.path()).unwrap()).rows.len()).sum();
        (rows == all).then_some(())
    };
    eventually("the day on disk", kept);
    drop(last);
    // The next one.
    let mut spec = desk.spec(&["--profile", profile.to_str().unwrap()]);
    for arg in &mut spec.args {
        let taken = format!("/var/lib && cp -a {} /var/lib/watchkeeper && exec", state.display());
        *arg = arg.replace("/var/lib && exec", &taken);
    }
    let mut pty = Pty::spawn(&spec);
    pty.wait_for("▸I/O wait");
    for step in ["10 m", "1 h", "6 h", "24 h"] {
        pty.send("]");
        pty.wait_for(step);
    }
    // Where a row of the picture is filled; what is seen now stands right of it.
    let filled = |row: &str| -> Vec<usize> {
        row.chars().enumerate().filter(|(at, c)| *at < 75 && *c == '█').map(|(at, _)| at).collect()
    };
    pty.wait("two peaks, and no values while no console ran", |screen, _| {
        let rows: Vec<String> = screen.rows(0, 80).collect();
        let Some(at) = rows.iter().position(|row| row.contains("▸I/O wait")) else { return false };
        let (high, low) = (filled(&rows[at + 5]), filled(&rows[at + 16]));
        let [first, second] = high[..] else { return false };
        first < 6
            && (64..75).contains(&second)
            && (first..50).all(|at| low.contains(&at))
            && !(55..62).any(|at| low.contains(&at))
    });
    pty.send("q");
    assert_eq!(pty.status(), 0);
}
