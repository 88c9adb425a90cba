//! Alerts in the real console: every key of theirs, on the demo; what is said of an alert is on disk and in the journal.

use crate::desk::{Desk, Trail, demo_folder, row_with};
use crate::judge::{only_our_sequences, without_copies};

#[test]
fn every_key_of_alerts_works_in_the_demo() {
    let desk = Desk::new();
    let mut pty = desk.start(&["demo"]);
    let mut trail = Trail::open(&demo_folder(&desk));
    pty.wait("an alert with its clock", |screen, _| row_with(screen, "answer in ").is_some());

    pty.send("e");
    pty.wait_for("ALERTS AND RULES");
    pty.wait_for("QUIET");
    pty.send("\r");
    pty.wait_for("expression");
    pty.send("G");
    pty.wait_for("history");
    pty.send("g");
    pty.send("w");
    pty.wait_for("WHAT CHANGED BEFORE");
    // Esc leads back level by level.
    pty.send("\x1b");
    pty.wait_for("expression");
    pty.send("c");
    pty.wait_for("CONTACTS");
    pty.send("y");
    pty.wait("the clipboard", |_, raw| raw.windows(7).any(|window| window == b"\x1b]52;c;"));
    pty.send("\x1b");
    pty.wait_for("expression");

    // A form takes letters that are commands elsewhere, and pasted text on one line; a paste never submits.
    pty.send("t");
    pty.wait_for("TAKE: ");
    pty.send("quick ");
    pty.send("\x1b[200~fix\rnow\x1b[201~");
    pty.wait_for("quick fix␍now_");
    pty.send("\r");
    pty.wait_for("taken by ");
    pty.send("T");
    pty.wait_for("Given back");
    pty.send("u");
    pty.wait_for("ESCALATED: ");
    pty.send("\r");
    pty.wait_for("escalated to L2");
    pty.send("s");
    pty.wait_for("MUTE: ");
    pty.send("deploy");
    pty.send("\r");
    pty.wait_for("muted 59:5");
    pty.send("S");
    pty.wait_for("The silence is over");
    pty.send("\x1b");
    pty.wait_for("ALERTS AND RULES");
    pty.send("f");
    pty.send("\x1b");
    pty.wait("the panes", |screen, _| !screen.contents().contains("ALERTS AND RULES"));
    pty.send("]");
    pty.wait_for("10 m");
    pty.send("[");
    pty.wait("the usual range", |screen, _| !screen.contents().contains("10 m"));
    pty.send("!");
    pty.wait_for("FAULTS IN OUR FILES");
    pty.send("\x1b");

    let text = trail.text();
    for event in ["alert.ack", "alert.unack", "alert.escalate", "alert.silence", "alert.unsilence"] {
        assert!(text.contains(event), "{event}:\n{text}");
    }
    pty.wait("the panes", |screen, _| !screen.contents().contains("FAULTS IN OUR FILES"));
    pty.send("q");
    assert_eq!(pty.status(), 0);
    let plain = |raw: &[u8]| only_our_sequences(&without_copies(raw)).is_ok_and(|modes| modes.is_plain());
    pty.wait("the restored modes", |_, raw| plain(raw));
    desk.assert_nothing_is_left();
}

#[test]
fn a_read_only_console_changes_no_alert() {
    let desk = Desk::new();
    let mut pty = desk.start(&["demo", "--read-only"]);
    pty.wait("an alert with its clock", |screen, _| row_with(screen, "answer in ").is_some());
    for key in ["t", "T", "s", "S", "u"] {
        pty.send(key);
        pty.wait_for("read-only: it changes no alert");
        pty.send("e");
        pty.wait_for("ALERTS AND RULES");
        pty.send("\x1b");
        pty.wait("the panes", |screen, _| !screen.contents().contains("ALERTS AND RULES"));
    }
    pty.send("q");
    assert_eq!(pty.status(), 0);
    desk.assert_nothing_is_left();
}
