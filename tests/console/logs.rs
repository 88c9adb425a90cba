//! What is counted in logs is a series like any other: a rule over it fires, a pane shows it.

use crate::desk::Desk;
use std::fs::OpenOptions;
use std::io::Write as _;

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
