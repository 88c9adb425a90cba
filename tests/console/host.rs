//! The console without arguments: this host, and the keys of the hint line.

use crate::desk::{Desk, clock_of};
use crate::harness::Pty;

/// A console of this host with its first values.
fn start(desk: &Desk) -> Pty {
    let pty = desk.start(&[]);
    pty.wait_for("load 1m");
    pty
}

fn wait_without(pty: &Pty, text: &str) {
    pty.wait(&format!("a screen without {text}"), |screen, _| !screen.contents().contains(text));
}

#[test]
fn without_arguments_it_shows_this_host() {
    let desk = Desk::new();
    let mut pty = start(&desk);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for text in [host.trim(), "this host", "OBSERVE", "CPU busy", "Memory used", "available", "no alert"] {
        pty.wait_for(text);
    }
    let first = clock_of(&pty.text()).unwrap();
    pty.wait("a clock that ticks", |screen, _| clock_of(&screen.contents()).is_some_and(|now| now != first));
    pty.wait("a value with its age", |screen, _| {
        crate::desk::row_with(screen, "Memory used").is_some_and(|row| row.contains('%') && row.contains('s'))
    });
    pty.send("q");
    assert_eq!(pty.status(), 0);
    pty.assert_restored();
}

#[test]
fn the_keys_of_the_hint_line_do_what_it_says() {
    let desk = Desk::new();
    let mut pty = start(&desk);
    pty.wait_for("? help");
    assert!(pty.text().contains("▸CPU busy"), "{}", pty.text());
    pty.send("\t");
    pty.wait_for("▸Memory used");
    pty.send("\x1b[Z");
    pty.wait_for("▸CPU busy");
    pty.send("\t");
    pty.send("z");
    wait_without(&pty, "CPU busy");
    assert!(pty.text().contains("▸Memory used") && pty.text().contains("swap"), "{}", pty.text());
    pty.send("z");
    pty.wait_for("CPU busy");
    pty.send(" ");
    pty.wait_for("PAUSED");
    pty.send(" ");
    wait_without(&pty, "PAUSED");

    pty.send("?");
    // The lower edge is drawn last.
    pty.wait_for(" more ");
    for text in ["KEYS", "Space", "hold the panes still", "list of actions"] {
        assert!(pty.text().to_lowercase().contains(&text.to_lowercase()), "{text}:\n{}", pty.text());
    }
    pty.send("G");
    pty.wait("the last keys", |screen, _| screen.contents().contains("give the shell back"));
    pty.send("\x1b");
    wait_without(&pty, "KEYS");
    pty.send("L");
    pty.wait_for("OWN LOG");
    pty.wait("an event of its own", |screen, _| {
        let text = screen.contents();
        text.lines().any(|line| line.contains("INFO") || line.contains("WARN"))
    });
    pty.send("\x1b");
    wait_without(&pty, "OWN LOG");
    pty.send("a");
    pty.wait_for("This profile has no action, and no unit is known to have failed.");
    // In a sheet q is one level back.
    pty.send("q");
    wait_without(&pty, "This profile has no action, and no unit is known to have failed.");
    pty.send("q");
    assert_eq!(pty.status(), 0);
    pty.assert_restored();
}
