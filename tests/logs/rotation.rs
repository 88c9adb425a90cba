//! Numbered lines across rotations: none is lost, none comes twice.

use super::bench::Bench;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

fn text(numbers: core::ops::Range<usize>) -> String {
    numbers.map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat()
}

fn numbers(bench: &Bench) -> Vec<usize> {
    bench.shown().iter().map(|line| line.trim_start_matches("line ").parse().expect("numbered")).collect()
}

/// As logrotate does: `.1` becomes `.2`, and so on, then the file becomes `.1`.
fn shift(bench: &Bench, name: &str, copies: usize) {
    for n in (1..copies).rev() {
        let (from, to) = (bench.path(&format!("{name}.{n}")), bench.path(&format!("{name}.{}", n + 1)));
        if from.exists() {
            fs::rename(from, to).expect("renames");
        }
    }
}

#[test]
fn fifty_rotations_by_rename_at_full_speed() {
    let mut bench = Bench::new(100_000);
    bench.write("app.log", b"");
    bench.follow("app.log");
    bench.write("app.log", text(0..1).as_bytes());
    bench.until("the first line", |bench| bench.has("line 0"));
    let mut next = 1;
    for round in 0..50 {
        let lines = next..next + 20;
        next = lines.end;
        bench.write("app.log", text(lines).as_bytes());
        if round % 7 == 0 {
            // Now and then the follower has time to look.
            bench.until("it keeps up", |bench| bench.shown().len() >= next);
        }
        shift(&bench, "app.log", 60);
        fs::rename(bench.path("app.log"), bench.path("app.log.1")).expect("renames");
    }
    bench.write("app.log", text(next..next + 1).as_bytes());
    bench.until("all lines", |bench| bench.shown().len() > next);
    let last = format!("line {next}");
    bench.until("the last line", |bench| bench.has(&last));
    let mut found = numbers(&bench);
    found.sort_unstable();
    assert_eq!(found, (0..=next).collect::<Vec<_>>());
    assert_eq!(bench.dropped, 0);
    assert_eq!(bench.marks(), 50, "every rotation is marked");
}

#[test]
fn fifty_rotations_by_rename_that_are_watched_stay_in_order() {
    let mut bench = Bench::new(100_000);
    bench.write("app.log", text(0..1).as_bytes());
    bench.follow("*.log");
    bench.until("the first line", |bench| bench.has("line 0"));
    let mut next = 1;
    for _ in 0..50 {
        let mut old = bench.append("app.log");
        old.write_all(text(next..next + 5).as_bytes()).expect("writes");
        shift(&bench, "app.log", 4);
        fs::rename(bench.path("app.log"), bench.path("app.log.1")).expect("renames");
        // A writer that has not noticed yet ends its line in the file that it has open.
        old.write_all(text(next + 5..next + 7).as_bytes()).expect("writes");
        next += 7;
        let want = next;
        bench.until("they come", |bench| bench.shown().len() >= want);
    }
    assert_eq!(numbers(&bench), (0..next).collect::<Vec<_>>());
    assert_eq!(bench.dropped, 0);
}

#[test]
fn twenty_copying_rotations() {
    let mut bench = Bench::new(100_000);
    // The pattern matches the copies too: they are told by their names.
    bench.follow("app.log*");
    let mut file = bench.append("app.log");
    let mut next = 0;
    for _ in 0..20 {
        // Sometimes longer, sometimes shorter than before.
        let lines = next..next + 3 + next % 5;
        next = lines.end;
        file.write_all(text(lines).as_bytes()).expect("writes");
        bench.until("they come", |bench| bench.shown().len() >= next);
        shift(&bench, "app.log", 30);
        fs::copy(bench.path("app.log"), bench.path("app.log.1")).expect("copies");
        file.set_len(0).expect("empties");
    }
    file.write_all(text(next..next + 1).as_bytes()).expect("writes");
    bench.until("the last one", |bench| bench.shown().len() > next);
    assert_eq!(numbers(&bench), (0..=next).collect::<Vec<_>>());
    assert_eq!(bench.marks(), 20, "every rotation is marked");
}

#[test]
fn a_link_that_moves_leads_to_its_new_file_from_the_first_line() {
    let mut bench = Bench::new(1_000);
    bench.write("day1", text(0..2).as_bytes());
    std::os::unix::fs::symlink("day1", bench.path("current.log")).expect("links");
    bench.follow("current.log");
    bench.until("the first day", |bench| bench.has("line 1"));
    let mut next = 2;
    for day in 2..12 {
        let name = format!("day{day}");
        bench.write(&name, text(next..next + 2).as_bytes());
        std::os::unix::fs::symlink(&name, bench.path("new")).expect("links");
        fs::rename(bench.path("new"), bench.path("current.log")).expect("moves the link");
        bench.write(&name, text(next + 2..next + 3).as_bytes());
        next += 3;
        bench.until("the next day", |bench| bench.shown().len() >= next);
    }
    let mut found = numbers(&bench);
    found.sort_unstable();
    assert_eq!((found, bench.marks()), ((0..next).collect(), 10));
}

#[test]
fn a_file_emptied_and_refilled_beyond_our_place_is_read_again() {
    let mut bench = Bench::new(1_000);
    bench.write("app.log", text(0..3).as_bytes());
    bench.follow("app.log");
    bench.until("what was there", |bench| bench.shown().len() == 3);
    fs::write(bench.path("app.log"), text(3..300)).expect("writes");
    bench.until("what is there", |bench| bench.shown().len() >= 300);
    assert_eq!(numbers(&bench), (0..300).collect::<Vec<_>>());
}

#[test]
fn a_writer_that_keeps_its_place_leaves_a_hole_that_is_skipped() {
    let mut bench = Bench::new(1_000);
    bench.write("app.log", b"");
    bench.follow("app.log");
    let mut file = fs::OpenOptions::new().write(true).open(bench.path("app.log")).expect("opens");
    file.write_all(text(0..2_000).as_bytes()).expect("writes");
    bench.until("they come", |bench| bench.has("line 1999"));
    let place = file.stream_position().expect("a place");
    file.set_len(0).expect("empties");
    file.seek(SeekFrom::Start(place)).expect("keeps its place");
    file.write_all(b"after the hole\n").expect("writes");
    bench.until("what follows the hole", |bench| bench.has("after the hole"));
}

#[test]
fn files_that_are_renamed_within_the_pattern_are_not_read_twice() {
    let mut bench = Bench::new(1_000);
    bench.follow("*.log");
    bench.write("app.log", text(0..5).as_bytes());
    bench.until("they come", |bench| bench.shown().len() >= 5);
    fs::rename(bench.path("app.log"), bench.path("app-2026-11-21.log")).expect("renames");
    bench.write("app.log", text(5..6).as_bytes());
    bench.write("app-2026-11-21.log", text(6..7).as_bytes());
    bench.until("both", |bench| bench.shown().len() >= 7);
    let mut found = numbers(&bench);
    found.sort_unstable();
    assert_eq!((found, bench.marks()), ((0..7).collect(), 1));
}
