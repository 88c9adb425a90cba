//! The shipped profile of each system, pointed at its twin: it loads without a fault, and what decides is LIVE.

use super::super::probe::eventually;
use super::{GUARD, Played};
use serde_json::Value;
use std::process::Command;
use watchkeeper::roles::twin::systems::System;

/// What each shows on its first screen comes from these.
fn samplers(system: System) -> &'static [&'static str] {
    match system {
        System::CerebellarNorse => {
            &["host", "gpu", "service", "port", "health", "metrics", "neural", "training", "config", "models"]
        }
        System::Genesis => &["host", "metrics", "health", "engine", "exchange", "feed", "sqlite"],
        System::Planar => {
            &["host", "bot", "project", "store", "data", "exchange", "secrets", "planar-toml", "strategy"]
        }
    }
}

/// What a role of the binary says of the demo's profile, in a home of its own.
fn said(played: &Played, role: &[&str]) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.args(role).arg(&played.twin.demo.profile).env("HOME", home.path()).env("XDG_STATE_HOME", home.path());
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn loads_and_lives(system: System) {
    let played = Played::start(system, "quiet", 3);
    let text = std::fs::read_to_string(&played.twin.demo.profile).unwrap();
    assert!(text.contains(&format!("extends = [\"{}\"]\nenvironment = \"demo\"\n", system.name())), "{text}");
    let validated = said(&played, &["validate"]);
    assert!(validated.contains("; no fault."), "{validated}");
    eventually(GUARD, "every sampler that decides", || {
        let snapshot: Value = serde_json::from_str(&said(&played, &["snapshot", "--json", "--profile"])).ok()?;
        assert_eq!(snapshot["faults"].as_array().map(Vec::len), Some(0), "{}", snapshot["faults"]);
        let seen = snapshot["samplers"].as_array()?;
        let lives = |name: &&str| seen.iter().any(|one| one["name"] == **name && one["freshness"] == "LIVE");
        samplers(system).iter().all(lives).then_some(())
    });
}

#[test]
fn cerebellar_norse_loads_on_its_twin_and_what_decides_is_live() {
    loads_and_lives(System::CerebellarNorse);
}

#[test]
fn genesis_loads_on_its_twin_and_what_decides_is_live() {
    loads_and_lives(System::Genesis);
}

#[test]
fn planar_loads_on_its_twin_and_what_decides_is_live() {
    loads_and_lives(System::Planar);
}
