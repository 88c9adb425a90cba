//! Clocks that jump while a runner is at work: what is told stays true, and the trail stays whole.

use crate::scene::Scene;
use crate::strace::{Runner, long};
use crate::world::Case;
use crate::{databases, peers, units, world};
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use watchkeeper::action::act::Probe;
use watchkeeper::action::lifecycle::{End, Outcome};
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

/// Runs it in this process; how it ended, whether it was done, and how often the clock was looked at.
fn carry(case: &Case, at: u64, wall: i64, asleep: Duration) -> (End, bool, u64) {
    let scene = Scene::new();
    (case.arrange)(&scene);
    let before = (case.look)(&scene);
    let runner = Runner::order(&scene, case);
    let jump = Arc::new(Jump { looks: AtomicU64::new(0), at, wall, asleep });
    let clock: Arc<dyn Clock> = Arc::clone(&jump) as Arc<dyn Clock>;
    runner::main(runner.run.dir(), &clock, |_| Ok(Box::new(Blind)));
    let end = runner.run.read().unwrap().unwrap().end.unwrap();
    let done = (case.look)(&scene) != before;
    assert!(journal::verify(&journal_dir(&scene.state())).unwrap().intact(), "the chain holds across the jump");
    for now in [-HOUR, 0, HOUR] {
        let now = Wall(RealClock.now().wall.0 + now);
        assert!(unresolved(&scene.state(), &[], now).0.is_empty(), "it has ended, whatever the clock says");
    }
    (end, done, jump.looks.load(Ordering::SeqCst))
}

/// A command and an edit; every kind in a long run, those that take longer than a moment at a fifth of the moments.
fn some() -> Vec<(Case, u64)> {
    let few = |case: &Case| ["config_set", "command"].contains(&case.kind);
    if !long() {
        return world::cases().into_iter().filter(few).map(|case| (case, 8)).collect();
    }
    let here = [world::cases(), world::more(), databases::cases()].into_iter().flatten().map(|case| (case, 40));
    let others = [peers::talks(), peers::services(), units::asked()].into_iter().flatten().map(|case| (case, 8));
    here.chain(others).map(|(case, most)| if case.limit > 30 { (case, 3) } else { (case, most) }).collect()
}

fn moments(looks: u64, most: u64) -> impl Iterator<Item = u64> {
    (0..=looks).step_by(usize::try_from(looks.div_ceil(most)).unwrap())
}

#[test]
fn a_wall_clock_that_jumps_an_hour_either_way_changes_nothing() {
    for (case, most) in some() {
        let (whole, _, looks) = carry(&case, u64::MAX, 0, Duration::ZERO);
        for wall in [-HOUR, HOUR] {
            for at in moments(looks, most) {
                let (end, done, _) = carry(&case, at, wall, Duration::ZERO);
                let told = format!("{}: {wall} ns at look {at} of {looks}: {end:?}", case.name());
                assert_eq!((end.outcome, done), (whole.outcome, !case.looks), "{told}");
            }
        }
    }
}

#[test]
fn a_host_that_slept_ten_minutes_on_the_way_tells_no_more_than_it_knows() {
    for (case, most) in some() {
        let (_, _, looks) = carry(&case, u64::MAX, 0, Duration::ZERO);
        for at in moments(looks, most) {
            let (end, done, _) = carry(&case, at, 0, Duration::from_secs(600));
            match (end.outcome, done) {
                (Outcome::Indeterminate, _) => {}
                (Outcome::Succeeded | Outcome::Unverified, done) if done || case.looks => {}
                (Outcome::Refused | Outcome::Failed, false) => {}
                // What took too long to be proven is told as done and as not proven.
                (Outcome::Failed, true) if end.executed => {}
                lie => panic!("{} asleep at look {at} of {looks}: {lie:?}: {end:?}", case.name()),
            }
        }
    }
}
