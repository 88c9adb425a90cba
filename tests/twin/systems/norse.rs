//! Cerebellar-Norse as its code and its documents have it, contradictions included.

use super::super::probe::{eventually, value};
use super::{Door, GUARD, Played};
use std::fs;
use watchkeeper::roles::twin::systems::System::CerebellarNorse;

const LOG: &str = "log/application.log";
const CARD: &str = "DCGM_FI_DEV_FB_USED_PERCENT{";

/// The API with its key, and the metrics.
fn doors(played: &Played) -> (Door, Door) {
    let key = format!("X-Api-Key: {}", played.read("etc/api.key"));
    (played.door(0, true).with(&key), played.door(1, false))
}

fn p95(api: &Door) -> Option<f64> {
    let page = api.get("/neural/metrics")?;
    let line = page.lines().find(|line| line.starts_with("neural_inference_latency_ns "))?;
    line.split(' ').nth(1)?.parse().ok()
}

#[test]
fn its_pages_answer_each_on_its_port_in_its_form_and_to_whoever_has_the_key() {
    let played = Played::start(CerebellarNorse, "quiet", 3);
    let (api, metrics) = doors(&played);
    let bare = played.door(0, true);
    assert_eq!(bare.ask("GET", "/health").unwrap().json()["status"], "healthy");
    assert_eq!(bare.ask("GET", "/ready").unwrap().status, 200);
    assert_eq!(bare.ask("GET", "/neural/metrics").unwrap().status, 401);
    assert_eq!(api.with("X-Api-Key: guessed").ask("GET", "/info").unwrap().status, 401);
    let bearer = format!("Authorization: Bearer {}", played.read("etc/api.key"));
    assert_eq!(api.with(&bearer).ask("GET", "/info").unwrap().json()["service"], "cerebellar-norse");
    assert!(played.door(0, false).ask("GET", "/health").is_none_or(|said| said.status != 200), "TLS alone");

    assert_eq!(api.ask("GET", "/metrics").unwrap().status, 404, "on the other port");
    let page = eventually(GUARD, "items", || {
        metrics.get("/metrics").filter(|page| value(page, "neural_inference_latency_seconds_count") > Some(0.0))
    });
    let all = value(&page, "neural_inference_latency_seconds_count");
    assert_eq!(value(&page, "neural_inference_latency_seconds_bucket{le=\"0.0001\"}"), all, "all in the first bucket");
    assert!(!page.contains("training_loss") && !page.contains("cuda_memory"), "what the guide's alerts ask for");
    let text = api.get("/neural/metrics").unwrap();
    assert!(text.lines().count() == 6 && text.lines().all(|line| line.split(' ').count() == 3), "{text}");
    assert!((700.0..2_000.0).contains(&p95(&api).unwrap()));
    assert_eq!(api.get("/market/metrics"), api.get("/market/metrics"));
    assert_eq!(api.ask("GET", "/neural/health").unwrap().json()["checks"][0]["status"], "pass");
    let answer = api.ask("POST", "/neural/process").unwrap().json();
    assert!(answer["signals"].is_array() && answer["processing_time_ns"].as_f64().unwrap() < 10_000.0);
    assert_eq!(api.ask("GET", "/neural/process").unwrap().status, 405);
    let training = api.ask("GET", "/training/status/latest").unwrap().json();
    assert!(training["loss"].as_f64().unwrap() < 0.5 && training["learning_rate"] == 0.001);
    for line in played.read(LOG).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string() && line["message"].is_string() && line["fields"].is_object(), "{line}");
    }
    played.logs(LOG, &["processing_time_ns"]);
    played.leaves_nothing();
}

#[test]
fn a_full_card_shows_and_half_the_batch_mends_it() {
    let played = Played::start(CerebellarNorse, "gpu-memory", 3);
    let (api, metrics) = doors(&played);
    eventually(GUARD, "a full card and slow items", || {
        let full = value(&metrics.get("/gpu/metrics")?, CARD)? > 0.95;
        (full && p95(&api)? > 10_000.0).then_some(())
    });
    played.logs(LOG, &["CUDA_ERROR_OUT_OF_MEMORY (2)", "latency budget exceeded"]);
    played.edit("etc/production.toml", "batch_size = 1024 ", "batch_size = 512 ");
    played.restart();
    eventually(GUARD, "room on the card", || {
        let up = api.ask("GET", "/neural/health")?.json()["uptime_seconds"].as_u64()?;
        let mended = value(&metrics.get("/gpu/metrics")?, CARD)? < 0.7 && p95(&api)? < 3_000.0;
        (up >= 12 && mended).then_some(())
    });
}

#[test]
fn fragments_go_with_the_process_and_a_climbing_loss_with_the_learning_rate() {
    let slow = Played::start(CerebellarNorse, "latency", 4);
    let climbing = Played::start(CerebellarNorse, "training-rises", 4);
    let ((api, _), (school, _)) = (doors(&slow), doors(&climbing));
    eventually(GUARD, "slow items", || p95(&api).filter(|nanos| *nanos > 10_000.0));
    slow.logs(LOG, &["no contiguous block", "latency budget exceeded"]);
    let loss = || school.ask("GET", "/training/status/latest")?.json()["loss"].as_f64();
    eventually(GUARD, "a climbing loss", || loss().filter(|loss| *loss > 0.46));
    climbing.logs(LOG, &["loss is not decreasing"]);
    slow.restart();
    climbing.edit("etc/production.toml", "learning_rate = 0.001", "learning_rate = 0.0001");
    climbing.restart();
    eventually(GUARD, "both well", || {
        let up = school.ask("GET", "/neural/health")?.json()["uptime_seconds"].as_u64()?;
        (up >= 12 && p95(&api)? < 3_000.0 && loss()? < 0.43).then_some(())
    });
}

#[test]
fn damaged_models_are_unhealthy_until_the_backup_is_back() {
    let played = Played::start(CerebellarNorse, "data-corruption", 5);
    let (api, metrics) = doors(&played);
    let said = eventually(GUARD, "503", || api.ask("GET", "/neural/health").filter(|said| said.status == 503));
    assert_eq!(said.json()["status"], "unhealthy");
    assert_eq!(api.ask("GET", "/health").unwrap().json()["status"], "healthy", "a constant");
    assert!(value(&metrics.get("/metrics").unwrap(), "neural_accuracy_percentage").unwrap() < 90.0);
    played.logs(LOG, &["model checksum mismatch: purkinje.bin"]);
    let dir = &played.twin.demo.dir;
    fs::copy(dir.join("backup/models/purkinje.bin"), dir.join("data/models/purkinje.bin")).unwrap();
    played.restart();
    eventually(GUARD, "health", || api.ask("GET", "/neural/health").filter(|said| said.status == 200));
}

#[test]
fn a_broken_rollout_stops_it_until_the_known_good_file_is_back() {
    let played = Played::start(CerebellarNorse, "config-broken", 6);
    let (api, _) = doors(&played);
    eventually(GUARD, "the refusal", || {
        played.read(LOG).lines().any(|line| line.contains("production.toml:18") && line.contains("ERROR")).then_some(())
    });
    eventually(GUARD, "nobody there", || played.pid().is_none().then_some(()));
    assert!(api.ask("GET", "/health").is_none(), "refused, not hanging");
    played.write("etc/production.toml", &played.read("etc/backup/production.toml"));
    played.restart();
    eventually(GUARD, "health", || api.get("/health"));
}
