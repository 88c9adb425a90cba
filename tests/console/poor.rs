//! Terminals that can do less: dumb, without colour, without UTF-8.

use crate::desk::Desk;
use crate::harness::{Pty, only_our_sequences};
use std::process::Command;

#[test]
fn a_dumb_terminal_gets_one_look_as_text() {
    let desk = Desk::new();
    let mut spec = desk.spec(&[]);
    spec.env.retain(|(name, _)| name != "TERM");
    spec.env.push(("TERM".to_owned(), "dumb".to_owned()));
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = command.envs(spec.env.iter().cloned()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let (screen, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    for text in ["this host", "UTC", "CPU busy", "Memory used", "%"] {
        assert!(screen.contains(text), "{text}:\n{screen}");
    }
    assert!(screen.lines().all(|line| line.bytes().all(|byte| matches!(byte, 0x20..0x7F))), "{screen}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("TERM=dumb") && said.trim_end().ends_with('.'), "{said}");

    // The same in a real terminal that calls itself dumb: not one escape sequence.
    let mut pty = Pty::spawn(&spec);
    assert_eq!(pty.status(), 3);
    pty.wait_for("this was one look");
    assert!(!pty.raw().contains(&0x1B), "{}", String::from_utf8_lossy(&pty.raw()));
}

/// Every SGR parameter that was sent.
fn sgr(raw: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(raw);
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let (numbers, after) = rest.split_at(rest.find(|c: char| c.is_ascii_alphabetic())?);
        after.starts_with('m').then(|| numbers.to_owned())
    });
    sequences.flat_map(|s| s.split(';').filter_map(|n| n.parse().ok()).collect::<Vec<u16>>()).collect()
}

fn is_colour(parameter: u16) -> bool {
    matches!(parameter, 30..=49 | 90..=107)
}

#[test]
fn without_colour_words_remain() {
    let desk = Desk::new();
    let mut spec = desk.spec(&["demo"]);
    let mut colourful = Pty::spawn(&spec);
    spec.env.push(("NO_COLOR".to_owned(), "1".to_owned()));
    let mut plain = Pty::spawn(&spec);
    for pty in [&colourful, &plain] {
        pty.wait_for("LMDB used");
        pty.wait_for("WARNING");
        pty.send("?");
        pty.wait_for("KEYS");
    }
    assert!(sgr(&colourful.raw()).into_iter().any(is_colour), "the other one does have colours");
    let sent = sgr(&plain.raw());
    assert!(!sent.is_empty() && !sent.iter().any(|parameter| is_colour(*parameter)), "{sent:?}");
    for pty in [&mut colourful, &mut plain] {
        pty.send("q");
        pty.wait("no sheet", |screen, _| !screen.contents().contains("KEYS"));
        pty.send("q");
        assert_eq!(pty.status(), 0);
        pty.assert_restored();
    }
    desk.assert_nothing_is_left();
}

#[test]
fn a_c_locale_gets_ascii() {
    let desk = Desk::new();
    let mut spec = desk.spec(&["demo"]);
    spec.env.retain(|(name, _)| name != "LANG");
    spec.env.push(("LANG".to_owned(), "C".to_owned()));
    let mut pty = Pty::spawn(&spec);
    pty.wait_for("temp ");
    pty.wait_for("WARNING");
    for (keys, text) in [("z", "p99"), ("z", "temp "), ("?", "KEYS"), ("q", "temp "), ("a", "ACTIONS")] {
        pty.send(keys);
        pty.wait_for(text);
    }
    pty.send("\r");
    pty.wait_for("Only a preview");
    only_our_sequences(&pty.raw()).unwrap();
    let foreign: Vec<u8> = pty.raw().into_iter().filter(|byte| !byte.is_ascii()).collect();
    assert!(foreign.is_empty(), "{}", String::from_utf8_lossy(&foreign));
    pty.send("q");
    pty.wait("no sheet", |screen, _| !screen.contents().contains("Only a preview"));
    pty.send("q");
    assert_eq!(pty.status(), 0);
    desk.assert_nothing_is_left();
}
