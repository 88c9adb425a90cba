//! Clocks that jump while a runner is at work: what is told stays true, and the trail stays whole.

use crate::scene::Scene;
use crate::strace::Runner;
use crate::world::command;
use core::time::Duration;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use watchkeeper::action::act::Probe;
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::action::recover::unresolved;
use watchkeeper::action::verify::Seen;
use watchkeeper::base::{Clock, Now, Wall};
use watchkeeper::journal;
use watchkeeper::roles::runner;
use watchkeeper::sys::clock::RealClock;
use watchkeeper::sys::paths::journal_dir;

const HOUR: i64 = 3_600_000_000_000;

/// The real clock, until it is looked at so often.
struct Jump {
    looks: AtomicU64,
    at: u64,
    wall: i64,
    asleep: Duration,
}

impl Clock for Jump {
    fn now(&self) -> Now {
        let now = RealClock.now();
        if self.looks.fetch_add(1, Ordering::SeqCst) < self.at {
            return now;
        }
        Now { mono: now.mono + self.asleep, wall: Wall(now.wall.0 + self.wall) }
    }
}

struct Blind;

impl Probe for Blind {
    fn points(&mut self, _: Duration) -> Vec<Seen> {
        Vec::new()
    }
}

/// Runs a command in this process; the outcome, whether it was done, and how often the clock was looked at.
fn carry(at: u64, wall: i64, asleep: Duration) -> (Outcome, bool, u64) {
    let (scene, case) = (Scene::new(), command("echo once >> \"$1\""));
    (case.arrange)(&scene);
    let runner = Runner::order(&scene, &case);
    let jump = Arc::new(Jump { looks: AtomicU64::new(0), at, wall, asleep });
    let clock: Arc<dyn Clock> = Arc::clone(&jump) as Arc<dyn Clock>;
    runner::main(runner.run.dir(), &clock, |_| Ok(Box::new(Blind)));
    let end = runner.run.read().unwrap().unwrap().end.unwrap();
    let done = fs::read_to_string(scene.path("target")).unwrap() == "before\nonce\n";
    assert!(journal::verify(&journal_dir(&scene.state())).unwrap().intact(), "the chain holds across the jump");
    for now in [-HOUR, 0, HOUR] {
        let now = Wall(RealClock.now().wall.0 + now);
        assert!(unresolved(&scene.state(), &[], now).0.is_empty(), "it has ended, whatever the clock says");
    }
    (end.outcome, done, jump.looks.load(Ordering::SeqCst))
}

#[test]
fn a_wall_clock_that_jumps_an_hour_either_way_changes_nothing() {
    let (_, _, looks) = carry(u64::MAX, 0, Duration::ZERO);
    for wall in [-HOUR, HOUR] {
        for at in (0..=looks).step_by(usize::try_from(looks.div_ceil(8)).unwrap()) {
            assert_eq!(carry(at, wall, Duration::ZERO).0, Outcome::Unverified, "{wall} ns at look {at} of {looks}");
        }
    }
}

#[test]
fn a_host_that_slept_ten_minutes_on_the_way_tells_no_more_than_it_knows() {
    let (_, _, looks) = carry(u64::MAX, 0, Duration::ZERO);
    for at in (0..=looks).step_by(usize::try_from(looks.div_ceil(8)).unwrap()) {
        match carry(at, 0, Duration::from_secs(600)) {
            (Outcome::Unverified, true, _) | (Outcome::Indeterminate, ..) | (Outcome::Refused, false, _) => {}
            lie => panic!("asleep at look {at} of {looks}: {lie:?}"),
        }
    }
}
