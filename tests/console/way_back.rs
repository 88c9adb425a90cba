//! An edit that did not do what it was for, and the key that is offered then.

use crate::desk::{Desk, row_with};
use crate::harness::Pty;
use crate::shipped::{Part, Wanted, texts};
use crate::story::is_armed;
use crate::walker;
use std::fs;
use toml::{Table, Value};

const FILE: &str = "# tuned\r\n[performance]\r\nbatch_size = 1_024  # was 512\r\ncuda_streams = 4\r\n";

/// The check of the edit, of a card that stays as full as it was.
const CHECK: &str = r#"
verify = [{ label = "GPU memory", query = 'max(command_value{key="used"})', unit = "ratio", expect = { falls_or_below = 0.9 } }]
verify_samplers = ["card"]
traffic = { query = 'sum(command_value{key="work"})', label = "operations" }
baseline = "6s"
verify_within = "12s"
"#;

/// How often the card was looked at.
const LOOKS: &str = r#"
[[panes]]
title = "Looks"
kind = "table"
columns = [{ title = "looks", query = 'count_over_time(command_value{key="used"}[1m])', unit = "count" }]
"#;

/// Types the word that the prompt asks for.
fn confirm(pty: &Pty) {
    pty.wait("the plan, armed", |screen, _| is_armed(screen, "Esc cancels."));
    walker::type_the_word(pty);
}

#[test]
fn after_a_verification_that_fails_the_offered_key_puts_the_file_back_byte_for_byte() {
    let desk = Desk::new();
    let file = desk.write("production.toml", FILE);
    desk.write("card", "used=0.97\nwork=100\n");
    let actions = ["reduce-batch-size", "undo-batch-size"];
    let mut part = Part::of("cerebellar-norse", &Wanted { actions: &actions, ..Wanted::default() });
    part.table.extend(LOOKS.parse::<Table>().unwrap());
    part.set("settings", "config", file.to_str().unwrap());
    let mut card = Table::new();
    card.insert("kind".to_owned(), "command".into());
    card.insert("argv".to_owned(), texts(&["/bin/cat", desk.path().join("card").to_str().unwrap()]));
    card.insert("parse".to_owned(), "key_value".into());
    card.insert("every".to_owned(), "1s".into());
    part.set("samplers", "card", Value::Table(card));
    let action = "actions.reduce-batch-size";
    part.without(action, &["restart", "validate", "cannot_check", "based_on"]);
    let check: Table = CHECK.parse().unwrap();
    check.into_iter().for_each(|(key, value)| part.set(action, &key, value));
    let pty = part.console(&desk, false);
    // What it was before the change has to be seen a few times.
    pty.wait("a baseline", |screen, _| {
        screen.contents().lines().any(|row| row.trim().parse::<u32>().is_ok_and(|looks| looks >= 6))
    });
    pty.send("a");
    pty.wait_for("ACTIONS");
    pty.wait_for("▸ Reduce batch size");
    pty.send("\r");
    pty.wait_for("Only a preview");
    pty.send("A");
    pty.wait("the arming prompt", |screen, _| is_armed(screen, "to arm"));
    pty.send("y");
    confirm(&pty);
    pty.wait_for("EXECUTED, FAILED");
    assert_eq!(fs::read_to_string(&file).unwrap(), FILE.replace("1_024", "512"));
    pty.wait_for("Enter plans the way back");
    pty.send("\r");
    pty.wait_for("performance.batch_size   512 → 1024");
    confirm(&pty);
    pty.wait("it is done", |screen, _| row_with(screen, "EXECUTED, ").is_some_and(|row| !row.contains("FAILED")));
    assert_eq!(fs::read(&file).unwrap(), FILE.as_bytes());
}
