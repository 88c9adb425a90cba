//! What is counted in logs is a series like any other: a rule over it fires, a pane shows it. A pane shows anything,
//! as text, of a file of any size.

use crate::corpus::binary;
use crate::desk::Desk;
use crate::harness::only_our_sequences;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

#[test]
fn a_pattern_in_a_log_fires_a_rule_and_shows_in_a_pane() {
    let desk = Desk::new();
    let log = desk.write("app.log", "2026-11-21T03:12:47Z INFO old, MDB_MAP_FULL\n");
    let profile = format!(
        "title = \"Logs\"\nenvironment = \"test\"\ninterval = \"1s\"\n[logs.app]\nkind = \"file\"\npath = \"{}\"\n\
         [[patterns]]\npack = \"lmdb\"\n[[patterns]]\nname = \"refused\"\nregex = 'order \\d+ refused'\nlevel = \"error\"\n\
         [[panes]]\ntitle = \"Refused\"\nkind = \"sparkline\"\n\
         query = 'log_pattern_matches_total{{pattern=\"refused\",source=\"app\"}}'\n\
         [[panes]]\ntitle = \"Errors\"\nkind = \"sparkline\"\nquery = 'log_lines_total{{source=\"app\",level=\"error\"}}'\n",
        log.display()
    );
    desk.write(
        "rules.yaml",
        "groups:\n- name: logs\n  rules:\n  - alert: MapFull\n    \
         expr: increase(log_pattern_matches_total{pattern=\"lmdb_map_full\"}[20s]) > 0\n    keep_firing_for: 5m\n    \
         labels: { severity: critical }\n    annotations: { summary: the map is full }\n",
    );
    let path = desk.write("profile.toml", profile);
    let mut pty = desk.start(&["--profile", path.to_str().unwrap()]);
    pty.wait("no match yet", |screen, _| {
        screen.contents().lines().any(|row| row.contains("Refused") && row.contains(" 0 "))
    });
    let mut file = OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(b"ERROR order 7 refused\nERROR order 8 refused\nERROR put: LMDBError(-30792)\n").unwrap();
    pty.wait("two matches and three errors", |screen, _| {
        let all = screen.contents();
        let row = |title: &str, value: &str| all.lines().any(|row| row.contains(title) && row.contains(value));
        row("Refused", " 2 ") && row("Errors", " 3 ")
    });
    pty.wait_for("MapFull");
    pty.send("q");
    assert_eq!(pty.status(), 0);
}

/// A profile with this file in a pane for each format.
fn panes(path: &Path, formats: &[&str]) -> String {
    let mut profile = "title = \"Logs\"\nenvironment = \"test\"\n".to_owned();
    for format in formats {
        writeln!(
            profile,
            "[logs.{format}]\nkind = \"file\"\npath = \"{}\"\nformat = \"{format}\"\n[[panes]]\ntitle = \"as {format}\"\n\
             kind = \"log\"\nsource = \"{format}\"",
            path.display()
        )
        .unwrap();
    }
    profile
}

#[test]
fn what_is_binary_or_endless_reaches_the_terminal_as_text_from_a_pane_too() {
    let desk = Desk::new();
    let log = desk.write("raw.log", "first\n");
    let path = desk.write("profile.toml", panes(&log, &["plain", "json", "auto"]));
    let mut pty = desk.start(&["--profile", path.to_str().unwrap()]);
    pty.wait_for("first");
    let mut file = OpenOptions::new().append(true).open(&log).unwrap();
    file.write_all(&binary(200_000)).unwrap();
    pty.send("z");
    // A line of ten megabytes of nothing but sequences.
    file.write_all(b"\nlong ").unwrap();
    file.write_all(&b"\x1b[2J\x1b]0;t\x07\x9b31m\xff".repeat(600_000)).unwrap();
    file.write_all(b"\nType  reduce  and Enter to run it, Esc cancels.   armed\nthe last one\n").unwrap();
    for format in ["plain", "json", "auto"] {
        pty.wait_for(&format!("as {format}"));
        pty.wait_for("the last one");
        pty.wait_for("Type  reduce  and Enter");
        pty.send("kkkkkkkk");
        pty.send("b".repeat(20));
        pty.send("G\t");
    }
    pty.send("q");
    assert_eq!(pty.status(), 0);
    if let Err(what) = only_our_sequences(&pty.raw()) {
        panic!("{what}");
    }
    pty.assert_restored();
}

#[test]
fn a_gigabyte_in_a_pane_takes_no_more_memory_than_a_line() {
    let resident = |bytes: u64| {
        let desk = Desk::new();
        let log = desk.path().join("big.log");
        let file = File::create(&log).unwrap();
        file.write_at(b"\nthe last of it\n", bytes).unwrap();
        let path = desk.write("profile.toml", panes(&log, &["plain"]));
        let mut pty = desk.start(&["--profile", path.to_str().unwrap()]);
        pty.wait_for("the last of it");
        OpenOptions::new().append(true).open(&log).unwrap().write_all(b"and one more\n").unwrap();
        pty.wait_for("and one more");
        let resident = pty.resident();
        pty.send("q");
        assert_eq!(pty.status(), 0);
        resident
    };
    let more = resident(1024 * 1024 * 1024) - resident(10);
    assert!(more < 8 * 1024 * 1024, "{more} bytes more");
}
