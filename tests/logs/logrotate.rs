//! logrotate itself, in each of its styles, under numbered lines: none is lost, none comes twice, each rotation is
//! marked.

// What can be proved: a file that was opened is read to its end whatever becomes of its name, also when it is packed
// and deleted. Of `copytruncate` it is proved for lines that were read before the copy: what a writer adds between the
// copy and the emptying is lost by logrotate, and what is added between our last look and the emptying stands in the
// copy alone; the mark in the stream says where that may be.

use super::bench::Bench;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const LOGROTATE: &str = "/usr/sbin/logrotate";

/// Rotations of each style: all styles together make 200; `ROTATIONS=200` by hand.
fn rotations() -> usize {
    std::env::var("ROTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

fn text(numbers: core::ops::Range<usize>) -> String {
    numbers.map(|n| format!("line {n}\n")).collect()
}

/// Rotates so often in a style. A writer that is `late` ends its lines in the file that it has open.
#[expect(clippy::disallowed_methods, reason = "a test starts logrotate")]
fn rotate(style: &str, late: bool) {
    if !std::path::Path::new(LOGROTATE).exists() {
        println!("SKIPPED: logrotate: not installed");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must have logrotate");
        return;
    }
    let mut bench = Bench::new(1_000_000);
    fs::set_permissions(bench.dir.path(), PermissionsExt::from_mode(0o755)).expect("ours");
    let (conf, state) = (bench.path("rotate.conf"), bench.path("state"));
    let log = bench.path("app.log");
    let words = format!("{} {{\n rotate 10000\n missingok\n ifempty\n nomail\n {style}\n}}\n", log.display());
    fs::write(&conf, words).expect("writes");
    fs::set_permissions(&conf, PermissionsExt::from_mode(0o600)).expect("ours");
    let mut next = 0;
    bench.write("app.log", b"");
    bench.follow("app.log");
    for _ in 0..rotations() {
        let mut old = bench.append("app.log");
        let lines = next..next + 3 + next % 4;
        next = lines.end;
        old.write_all(text(lines).as_bytes()).expect("writes");
        bench.until("they come before the rotation", |bench| bench.shown().len() >= next);
        // Dated names tell one day, and logrotate rotates once for each name.
        for entry in fs::read_dir(bench.dir.path()).expect("lists").flatten() {
            if entry.file_name().to_string_lossy().starts_with("app.log-") {
                fs::remove_file(entry.path()).expect("goes");
            }
        }
        let output = Command::new(LOGROTATE).args(["-f", "-s"]).arg(&state).arg(&conf).output().expect("runs");
        assert!(output.status.success(), "{output:?}");
        if late {
            old.write_all(text(next..next + 2).as_bytes()).expect("writes");
            next += 2;
        }
    }
    bench.write("app.log", text(next..next + 1).as_bytes());
    bench.until("the last one", |bench| bench.shown().len() > next);
    let mut found: Vec<usize> =
        bench.shown().iter().map(|line| line.trim_start_matches("line ").parse().expect("numbered")).collect();
    found.sort_unstable();
    assert_eq!(found, (0..=next).collect::<Vec<_>>());
    assert_eq!((bench.dropped, bench.marks()), (0, rotations()), "every rotation is marked");
}

#[test]
fn logrotate_with_a_new_file_loses_and_doubles_nothing() {
    rotate("create\n nocompress", true);
}

#[test]
fn logrotate_that_packs_at_once_loses_and_doubles_nothing() {
    rotate("create\n compress", true);
}

#[test]
fn logrotate_that_packs_later_loses_and_doubles_nothing() {
    rotate("create\n compress\n delaycompress", true);
}

#[test]
fn logrotate_with_dates_loses_and_doubles_nothing() {
    rotate("create\n nocompress\n dateext", true);
}

#[test]
fn logrotate_that_copies_and_empties_loses_and_doubles_nothing_that_was_read() {
    rotate("copytruncate\n nocompress", false);
}
