//! `watchkeeper describe`: what a team needs to write a profile, and a profile of what is found here.

use crate::desk::Desk;
use std::process::Output;

fn said(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn every_kind_is_listed_and_described_with_a_table() {
    let desk = Desk::new();
    let kinds = said(desk.run(&["describe", "samplers"]));
    assert!(kinds.lines().count() >= 18, "{kinds}");
    let name = kinds.lines().find_map(|line| line.split(' ').next().filter(|name| *name == "lmdb")).expect("a kind");
    assert!(said(desk.run(&["describe", "sampler", name])).contains("kind = \"lmdb\""));
    assert!(said(desk.run(&["describe", "panes"])).lines().any(|line| line.starts_with("sparkline ")));
    assert!(said(desk.run(&["describe", "actions"])).lines().any(|line| line.starts_with("config_set ")));
    let restart = said(desk.run(&["describe", "action", "service_restart"]));
    assert!(restart.contains("= \"service_restart\"") && restart.contains("verify_within"), "{restart}");
    let unknown = desk.run(&["describe", "sampler", "lmbd"]);
    assert!(!unknown.status.success() && unknown.stdout.is_empty());
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("Did you mean `lmdb`?"), "{unknown:?}");
}

#[test]
fn the_profile_of_what_is_found_passes_validate() {
    let desk = Desk::new();
    let text = said(desk.run(&["describe", "profile", "--from-discovery"]));
    let asks = said(desk.run(&["describe", "profile", "--help"]));
    assert!(asks.contains("--discover ") && !asks.contains("--ports"), "one word for one thing: {asks}");
    assert!(text.contains("extends = [\"host\"]"), "{text}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("profile.toml");
    std::fs::write(&file, &text).expect("written");
    let file = file.to_str().expect("text");
    let verdict = desk.run(&["validate", file]);
    assert!(verdict.status.success(), "{verdict:?}\n{text}");
    assert!(said(desk.run(&["validate", "discover"])).contains("no fault"));
}

#[test]
fn a_profile_without_panes_is_told_so_by_validate_and_is_no_fault() {
    let desk = Desk::new();
    let bare = "[samplers.host]\nkind = \"host\"\n";
    let file = desk.write("bare.toml", bare);
    let text = said(desk.run(&["validate", file.to_str().expect("text")]));
    assert!(text.contains("no fault") && text.contains("no panes") && text.contains("watchkeeper snapshot"), "{text}");
    let file = desk.write("more.toml", format!("extends = [\"host\"]\n{bare}"));
    assert!(!said(desk.run(&["validate", file.to_str().expect("text")])).contains("no panes"));
}
