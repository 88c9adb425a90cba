//! Several files in one pane, by time.

use super::harness::Pty;
use super::tool::{append, folder, leave, spec, write};
use std::fmt::Write as _;

/// A line each second from 03:00:00 on; `zone` hours east.
fn seconds(of: std::ops::Range<usize>, step: usize, zone: usize, name: &str) -> String {
    let mut text = String::new();
    for n in of.step_by(step) {
        let (hour, minute, second) = ((3 + zone + n / 3_600) % 24, n / 60 % 60, n % 60);
        let day = 21 + (3 + zone + n / 3_600) / 24;
        writeln!(text, "2026-11-{day}T{hour:02}:{minute:02}:{second:02}+{zone:02}:00 INFO {name} number {n}")
            .expect("a string");
    }
    text
}

/// The numbers of the lines on the screen, in its order.
fn numbers(screen: &vt100::Screen) -> Vec<usize> {
    screen.contents().lines().filter_map(|line| line.split("number ").nth(1)?.trim().parse().ok()).collect()
}

#[test]
fn a_clock_that_goes_back_is_a_line_in_the_pane_and_the_others_go_on() {
    let home = folder();
    let other = write(&home, "b.log", seconds(7_000..7_300, 1, 0, "b.log"));
    let path = write(&home, "a.log", seconds(7_200..7_210, 1, 0, "a.log") + &seconds(0..5, 1, 0, "a.log"));
    for (paths, name) in [(vec![&path], "a.log  following"), (vec![&path, &other], "2 logs by time")] {
        let args: Vec<&str> = paths.iter().map(|path| path.to_str().expect("plain")).collect();
        let mut spec = spec(&home, &args);
        spec.size = (120, 150);
        let pty = Pty::spawn(&spec);
        pty.wait_for(name);
        pty.wait("the sentence before the line", |screen, _| {
            let rows: Vec<String> = screen.contents().lines().map(str::to_owned).collect();
            let told = rows.iter().position(|row| row.trim() == "--- the clock went back 2 h 0 min");
            told.is_some_and(|at| rows.get(at + 1).is_some_and(|row| row.ends_with("a.log number 0")))
                && rows.iter().filter(|row| row.contains("went back")).count() == 1
        });
        if paths.len() > 1 {
            pty.wait_for("b.log number 7299");
        }
        leave(pty);
    }
}

#[test]
fn three_files_on_three_clocks_are_one_row_from_the_end_to_the_start_and_in_a_search() {
    let home = folder();
    let names = ["a.log", "b.log", "c.log"];
    let paths: Vec<_> = (0..3).map(|at| write(&home, names[at], seconds(at..60_000, 3, at, names[at]))).collect();
    let args: Vec<&str> = paths.iter().map(|path| path.to_str().expect("plain")).collect();
    let mut spec = spec(&home, &args);
    spec.size = (120, 24);
    let pty = Pty::spawn(&spec);
    pty.wait_for("3 logs by time");
    let row = |last: usize| {
        move |screen: &vt100::Screen, _: &[u8]| {
            let known = numbers(screen);
            known.last() == Some(&last) && known.windows(2).all(|pair| pair[0] + 1 == pair[1]) && known.len() > 15
        }
    };
    pty.wait("the last lines of all three", row(59_999));
    let before = pty.resident();
    append(&paths[1], &seconds(60_001..60_002, 1, 1, "b.log"));
    append(&paths[0], &seconds(60_000..60_001, 1, 0, "a.log"));
    pty.wait("a line that came a moment later stands where it belongs", row(60_001));
    pty.send("g");
    pty.wait("the first lines", |screen, _| numbers(screen).starts_with(&[0, 1, 2, 3, 4, 5, 6, 7]));
    pty.send(" ");
    pty.wait("a page on", |screen, _| numbers(screen).first().is_some_and(|first| (15..30).contains(first)));
    pty.send("G/number 3000[0-4]$");
    pty.wait_for("5 of 5");
    let at = |number: usize| {
        move |screen: &vt100::Screen, _: &[u8]| {
            screen
                .contents()
                .lines()
                .any(|line| line.starts_with('▸') && line.trim_end().ends_with(&format!("number {number}")))
        }
    };
    pty.send("\r");
    pty.wait("the last hit", at(30_004));
    pty.send("N");
    pty.wait("the hit before it, in another file", at(30_003));
    pty.send("NN");
    pty.wait("and on", at(30_001));
    pty.send("n");
    pty.wait("and back", at(30_002));
    pty.send("\x1b");
    pty.wait("no search", |screen, _| !screen.contents().contains(" of 5"));
    pty.send("&~\"number 700[0-9]$\"\r");
    pty.wait_for("shown 10 of 60,002");
    pty.wait("what passes, in order", |screen, _| numbers(screen) == (7_000..7_010).collect::<Vec<_>>());
    pty.send("\x1b");
    pty.wait("all again", |screen, _| !screen.contents().contains("shown"));
    pty.send("G");
    pty.wait("the end", row(60_001));
    pty.send("=");
    pty.wait_for("line 60,002 of 60,002");
    let grown = pty.resident().saturating_sub(before);
    assert!(grown < 24 * 1024 * 1024, "{grown} bytes more");
    leave(pty);
}
