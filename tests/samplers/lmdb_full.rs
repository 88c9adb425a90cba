//! When the map of an environment is full, as the shipped profile foretells it, against a writer that goes on until it is.

use crate::lmdb::{lab, look};
use crate::value;
use std::process::Command;

/// What the pane of the shipped profile asks to say when the map is full, of samples a minute apart.
fn foretold(samples: &[(f64, f64)]) -> f64 {
    let profile = std::fs::read_to_string("profiles/planar/profile.toml").expect("reads");
    let profile: toml::Table = toml::from_str(&profile).expect("TOML");
    let panes = profile.get("panes").and_then(toml::Value::as_array).expect("panes");
    let pane = panes.iter().find(|pane| pane.get("title").and_then(toml::Value::as_str) == Some("LMDB per hour"));
    let beside = pane.and_then(|pane| pane.get("beside")).and_then(toml::Value::as_array).expect("values beside it");
    let full = beside.iter().find(|row| row.get("label").and_then(toml::Value::as_str) == Some("full in"));
    let question = full.and_then(|row| row.get("query")).and_then(toml::Value::as_str).expect("a question");
    let mut page = tempfile::NamedTempFile::new().expect("a file");
    for (minute, (used, map)) in (1..).zip(samples) {
        for (name, value) in [("lmdb_used_bytes", used), ("lmdb_map_size_bytes", map)] {
            std::io::Write::write_fmt(&mut page, format_args!("{name} {value} {}\n", minute * 60_000)).expect("writes");
        }
    }
    let mut ask = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    let out = ask.args(["query", "--json", "--compat", "--series"]).arg(page.path()).arg(question).output();
    let answer: serde_json::Value = serde_json::from_slice(&out.expect("runs").stdout).expect("an answer");
    let value = answer.pointer("/data/result/0/value/1").and_then(serde_json::Value::as_str);
    value.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn when_a_writer_of_known_speed_fills_the_map_is_foretold_within_a_tenth() {
    let Some((peer, mut sampler)) = lab() else { return };
    assert!(peer.exec(&["grow", "4194304"]).status.success());
    let mut samples = Vec::new();
    let mut told: Option<(u32, f64)> = None;
    // Each round is a minute: the same number of entries.
    for round in 0..200_u32 {
        if !peer.exec(&["append", &(round * 200).to_string(), "200"]).status.success() {
            let (at, seconds) = told.expect("the map does not fill up that soon");
            let minutes = f64::from(round - at);
            let wrong = (seconds / 60.0 - minutes).abs() / minutes;
            assert!(wrong < 0.1, "foretold {} minutes, it took {minutes}", seconds / 60.0);
            return;
        }
        let seen = look(&mut *sampler).await;
        samples.push((value(&seen, "lmdb_used_bytes", &[]), value(&seen, "lmdb_map_size_bytes", &[])));
        if round == 15 {
            told = Some((round, foretold(&samples)));
        }
    }
    panic!("the map is never full: {samples:?}");
}
