//! What changed, over the real thing: the demo's processes and files, the real samplers, this machine's own noise. When
//! the latency alert fires, the true cause is among the first two sentences.

use super::probe::Twin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use watchkeeper::app::{self, Model, Msg};
use watchkeeper::base::Clock;
use watchkeeper::roles::session::{self, Look, Options};
use watchkeeper::roles::twin::Scenario;
use watchkeeper::rules::FindingState;
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

/// Ten times what the later scenario takes.
const GUARD: Duration = Duration::from_secs(400);

/// The sentences of this alert once it fires.
fn told(model: &Model, alert: &str) -> Option<Vec<String>> {
    let named = |rule: usize| model.book.rule(rule).is_some_and(|rule| rule.name.as_str() == alert);
    let finding = model.book.findings().iter().find(|finding| named(finding.id.rule))?;
    let changes = model.changes.of(&finding.id);
    (finding.state == FindingState::Firing)
        .then(|| changes.iter().map(|change| change.text.as_str().to_owned()).collect())
}

fn watch(scenario: Scenario, seed: u64, alert: &str) -> Vec<String> {
    let twin = Twin::start(scenario, seed);
    let options = Options {
        profile: Some(twin.demo.profile.to_string_lossy().into_owned()),
        state_dir: Some(twin.demo.state_dir.clone()),
        read_only: true,
        ..Options::default()
    };
    let bell = Arc::new(Bell::default());
    let Look { mut model, samples, lines, engine, .. } = session::look(&options, &bell, Some((80, 24))).unwrap();
    let begun = Instant::now();
    let told = loop {
        bell.wait(Duration::from_millis(250), false);
        bell.drained();
        let now = RealClock.now();
        app::update(&mut model, Msg::Samples(samples.drain()), now);
        app::update(&mut model, Msg::Logs(lines.drain()), now);
        if let Some(told) = told(&model, alert) {
            break told;
        }
        assert!(begun.elapsed() < GUARD, "{alert} did not fire within {GUARD:?}");
    };
    engine.leave();
    told
}

#[test]
fn fragmented_gpu_memory_explains_the_latency() {
    let told = watch(Scenario::GpuMemory, 42, "Latency p95");
    let cause =
        |sentence: &String| sentence.starts_with("GPU 0 used rose ") || sentence.starts_with("GPU 0 memory rose ");
    assert!(told.iter().take(2).any(cause), "{told:#?}");
}

#[test]
fn a_rollout_explains_the_latency() {
    let told = watch(Scenario::ConfigChange, 7, "Latency p95");
    let cause = |sentence: &String| sentence.contains("etc/production.toml was written (owner ");
    assert!(told.iter().take(2).any(cause), "{told:#?}");
    assert!(told.iter().any(|sentence| sentence.ends_with("metrics: the process was restarted")), "{told:#?}");
}
