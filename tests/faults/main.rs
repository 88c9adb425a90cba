//! Faults at every write of the real runner, made by strace: it dies there, the disk is full, an fsync fails. Whatever
//! happens, the target is as before or as after, what is told is true of it or says "unknown", and nothing runs twice.
//! A selection runs here; `WATCHKEEPER_LONG=1` (`tests/run --long`) takes every point, up to 250, and prints the table.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "a test starts its peers")]

#[expect(dead_code, reason = "the samplers' tests use all of it")]
#[path = "../samplers/peer.rs"]
mod peer;
#[expect(dead_code, reason = "the tests of the kinds use all of it")]
#[path = "../acts/scene.rs"]
mod scene;
mod strace;
mod world;

use scene::Scene;
use std::collections::BTreeMap;
use std::fs;
use strace::{Fault, Runner};
use world::{Case, Met, Seen};

/// Every case under this fault, at each of its points or, in a short run, at every so manieth.
fn under(fault: Fault, cases: &[Case]) {
    if !strace::works() {
        return peer::skip("strace", "it is not here, or may not trace");
    }
    for case in cases {
        let whole = Seen::of(case, None);
        let points = Runner::count(&whole.scene, case, fault);
        assert!(points > 0, "{}: nothing to break with {fault:?}", case.kind);
        // What a kind opens may grow with the processes of the host: a look at their files has a thousand points alike.
        let step = points.div_ceil(if strace::long() { 250 } else { 6 });
        let mut met: BTreeMap<Met, u32> = BTreeMap::new();
        for point in (1..=points).step_by(usize::try_from(step).unwrap()) {
            let seen = Seen::of(case, Some((fault, point)));
            let found = seen.judge(&whole).unwrap_or_else(|wrong| {
                panic!("{} under {fault:?} at its point {point} of {points}: {wrong}", case.kind)
            });
            *met.entry(found).or_default() += 1;
        }
        println!("{:16} {:12} {points:3} points: {met:?}", case.kind, fault.name());
    }
}

#[test]
fn killed_at_any_write_nothing_is_half_done_nothing_lies_and_nothing_runs_twice() {
    under(Fault::Kill, world::CASES);
}

#[test]
fn an_fsync_that_fails_is_never_taken_for_good() {
    under(Fault::Sync, world::CASES);
}

#[test]
fn a_disk_that_is_full_at_any_write_leaves_the_target_whole() {
    under(Fault::Full, world::CASES);
}

#[test]
fn a_rename_that_is_refused_leaves_the_target_whole() {
    under(Fault::Rename, world::RENAMED);
}

#[test]
fn without_descriptors_nothing_is_half_done() {
    under(Fault::Descriptors, world::CASES);
}

#[test]
fn of_sixteen_runners_on_one_order_one_carries_it_out() {
    for case in world::CASES.iter().filter(|case| case.kind == "command") {
        let rounds = if strace::long() { 200 } else { 5 };
        for _ in 0..rounds {
            let scene = Scene::new();
            (case.arrange)(&scene);
            let runner = Runner::order(&scene, case);
            let all: Vec<_> = (0..16).map(|_| runner.start()).collect();
            for mut child in all {
                child.wait().unwrap();
            }
            let lines = fs::read_to_string(scene.path("target")).unwrap();
            assert_eq!(lines, "before\nonce\n", "carried out {} times", lines.matches("once").count());
        }
    }
}
