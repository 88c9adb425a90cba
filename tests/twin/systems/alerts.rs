//! What only real processes and real ports show: a port that lets nobody in, one that refuses, a process that is killed.
//! The console's own samplers look, over the shipped profile, until the alert fires. What can be told from pages, files
//! and logs is proven without waiting, beside the stories.

use super::super::probe::eventually;
use super::{GUARD, Played};
use std::sync::Arc;
use std::time::{Duration, Instant};
use watchkeeper::app::{self, Msg};
use watchkeeper::base::{Clean, Clock};
use watchkeeper::roles::session::{self, Look, Options};
use watchkeeper::roles::twin::systems::System::{self, CerebellarNorse, Genesis};
use watchkeeper::rules::FindingState;
use watchkeeper::sys::bell::Bell;
use watchkeeper::sys::clock::RealClock;

/// Several times what the slowest of them takes.
const LONG: Duration = Duration::from_secs(900);

/// Plays the story before a console until each of the alerts has fired; which procedure answers it.
fn raised(system: System, story: &str, alerts: &[&str]) -> Vec<String> {
    let played = Played::start(system, story, 3);
    let options = Options {
        profile: Some(played.twin.demo.profile.to_string_lossy().into_owned()),
        state_dir: Some(played.twin.demo.state_dir.clone()),
        read_only: true,
        ..Options::default()
    };
    let bell = Arc::new(Bell::default());
    let Look { mut model, samples, lines, engine, .. } = session::look(&options, &bell, Some((80, 24))).unwrap();
    let begun = Instant::now();
    let mut left: Vec<&str> = alerts.to_vec();
    while !left.is_empty() {
        assert!(begun.elapsed() < LONG, "{left:?} did not fire within {LONG:?}");
        bell.wait(Duration::from_millis(250), false);
        bell.drained();
        let now = RealClock.now();
        app::update(&mut model, Msg::Samples(samples.drain()), now);
        app::update(&mut model, Msg::Logs(lines.drain()), now);
        let firing = model.book.findings().iter().filter(|finding| finding.state == FindingState::Firing);
        let names: Vec<&str> =
            firing.filter_map(|finding| Some(model.book.rule(finding.id.rule)?.name.as_str())).collect();
        left.retain(|alert| !names.contains(alert));
    }
    let answers = |alert: &&str| model.procedures.for_alert(&Clean::text(alert)).unwrap().id.to_string();
    let answered = alerts.iter().map(answers).collect();
    engine.leave();
    answered
}

#[test]
fn a_listener_that_lets_nobody_in_fills_its_queue() {
    let answered = raised(CerebellarNorse, "queue-full", &["ListenQueueFills", "RequestsTimeOut"]);
    assert_eq!(answered, ["network", "high-latency"]);
}

#[test]
fn an_exchange_that_refuses_is_unreachable() {
    assert_eq!(raised(Genesis, "exchange-away", &["ExchangeUnreachable"]), ["network-latency"]);
}

#[test]
fn a_process_that_the_kernel_kills_comes_back_and_is_killed_again_until_it_has_a_limit() {
    let played = Played::start(CerebellarNorse, "killed-for-memory", 3);
    let first = eventually(GUARD, "the process", || played.pid());
    let second = eventually(GUARD, "another one", || played.pid().filter(|pid| *pid != first));
    played.logs("run/kernel.log", &[&format!("Killed process {first} (cerebellar-nors)")]);
    eventually(GUARD, "the next one", || played.pid().filter(|pid| *pid != second));
    played.edit("etc/production.toml", "[performance]\n", "[performance]\nmemory_limit = \"28GB\"\n");
    played.restart();
    let mended = played.pid();
    std::thread::sleep(Duration::from_secs(20));
    assert_eq!(played.pid(), mended, "past the half seconds after which it was killed");
}
