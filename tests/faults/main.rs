//! Faults of safety.md 3.2 on the real runner: it dies at a write, a disk is full, the console is lost. Whatever happens,
//! the target is as before or as after, what is told is true of it or says "unknown", and nothing runs twice. A selection
//! runs here; `WATCHKEEPER_LONG=1` (`tests/run --long`) takes every point, up to 250, and prints the table.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "a test starts its peers")]

mod children;
mod clocks;
mod console;
mod databases;
#[expect(dead_code, reason = "the console's tests use all of it")]
#[path = "../console/desk.rs"]
mod desk;
mod full;
#[path = "../pty/harness.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests/pty, which uses the rest")]
mod harness;
#[path = "../pty/judge.rs"]
#[expect(dead_code, reason = "shared with tests/pty, which uses the rest")]
mod judge;
mod line;
mod lost;
#[expect(dead_code, reason = "the samplers' tests use all of it")]
#[path = "../samplers/peer.rs"]
mod peer;
mod peers;
mod prompts;
mod read_only;
#[expect(dead_code, reason = "the tests of the kinds use all of it")]
#[path = "../acts/scene.rs"]
mod scene;
mod second;
mod strace;
mod swapped;
mod trace;
mod units;
mod world;

use scene::Scene;
use std::collections::BTreeMap;
use std::fs;
use strace::{Fault, Runner};
use world::{Case, Met, Seen};

/// Every case under this fault, at each of its points or, in a short run, at some `few` of them.
///
/// Where each fault of safety.md 3.2 is made.
///
/// | Fault | Test |
/// |---|---|
/// | hung NSS, frozen file systems | `console::sick`: all that can hang hangs at once |
/// | CPU starved | by hand (R26) |
/// | disk full, quota, read-only, fsync EIO, fsync too slow, short write | here, and `full` for the state folder; `acts::backup`, `restore`, `lmdb`, `rotate` on small disks |
/// | rename EXDEV and EACCES | here |
/// | file swapped after the preview, or now a link | `swapped`; `acts::files`, `restore`, `rotate`, `action::runner` |
/// | clock an hour off, host asleep for ten minutes | `clocks`: every kind here; the prompt in `action::gate` |
/// | fork EAGAIN, EMFILE | `children`, here |
/// | child killed (as by its memory limit), deaf to TERM, forks away, floods, does nothing | `children`; a `systemctl` in `units`; `sys::run` |
/// | child in D state | `acts::unkillable`, where the kernel has FUSE |
/// | target dies on the way | `acts::redis`, `container`, `supervisor`, `service`, `http_call` |
/// | second operator | `second`: every kind here; 16 runners on one order here; every kind's "changed since the plan" in `acts` |
/// | session lost, console killed | `console` at each of its writes, `lost` at any moment, also with hang-ups ignored; `units`; `console::story`, `console::terminal` |
/// | audit sink failed | `action::runner`, `roles::effects`, `journal::sink`; here at each write |
/// | reboot between intent and outcome | killed at each write here: no lock, no process is left, and the look decides |
/// | the other end of ssh | later: no action runs on another host yet |
fn under(fault: Fault, cases: &[Case], few: usize) {
    for case in cases {
        under_each(&[fault], case, few, 250);
    }
}

/// The case under each of these, at `most` at so many points.
fn under_each(faults: &[Fault], case: &Case, few: usize, most: usize) {
    if !strace::works() {
        return peer::skip("strace", "it is not here, or may not trace");
    }
    let whole = Seen::of(case, None);
    assert!(whole.changed(), "{}: what cannot be seen proves nothing", case.kind);
    let calls = Runner::calls(&whole.scene, case, faults);
    for fault in faults {
        let points = fault.points(&calls);
        assert!(!points.is_empty(), "{}: nothing to break with {fault:?}", case.kind);
        // What a kind opens may grow with the processes of the host: a look at their files has a thousand points alike.
        // And what takes three times as long is done a third as often.
        let most = most * 15 / usize::try_from(case.limit).unwrap();
        let step = points.len().div_ceil(if strace::long() { most } else { few });
        let mut met: BTreeMap<Met, u32> = BTreeMap::new();
        for point in points.iter().skip(step / 2).step_by(step) {
            let seen = Seen::of(case, Some((*fault, point)));
            let found = seen.judge(&whole).unwrap_or_else(|wrong| {
                panic!("{} under {fault:?} at its {} {}: {wrong}", case.kind, point.0, point.1)
            });
            *met.entry(found).or_default() += 1;
        }
        println!("{:16} {:12} {:3} points: {met:?}", case.kind, fault.name(), points.len());
    }
}

#[test]
fn killed_at_any_write_nothing_is_half_done_nothing_lies_and_nothing_runs_twice() {
    under(Fault::Kill, &world::cases(), 5);
}

#[test]
fn killed_at_any_write_of_a_switch_or_of_a_way_back_nothing_is_half_done() {
    under(Fault::Kill, &world::more(), 2);
    under(Fault::Sync, &world::more(), 1);
}

#[test]
fn killed_while_it_talks_with_a_peer_nothing_is_asked_for_twice() {
    under(Fault::Kill, &peers::talks(), 4);
}

#[test]
fn killed_while_it_has_a_service_restarted_what_is_told_is_true_of_it() {
    under(Fault::Kill, &peers::services(), 3);
}

#[test]
fn killed_while_a_manager_starts_stops_reloads_forgives_or_limits_a_service_what_is_told_is_true_of_it() {
    under(Fault::Kill, &units::asked(), 1);
}

/// What a machine can do to whoever acts elsewhere; the other faults of a write end in the same ways.
const OF_THE_MACHINE: [Fault; 6] =
    [Fault::Sync, Fault::Full, Fault::Descriptors, Fault::Fork, Fault::ReadOnly, Fault::Short];

#[test]
fn a_machine_that_fails_while_a_peer_is_talked_to_makes_no_liar() {
    for case in if strace::long() { peers::talks() } else { peers::here() } {
        under_each(&OF_THE_MACHINE, &case, 1, 60);
    }
}

#[test]
fn a_machine_that_fails_while_a_manager_is_asked_makes_no_liar() {
    let all = || peers::services().into_iter().chain(units::asked()).collect();
    let cases: Vec<Case> = if strace::long() { all() } else { peers::service_restart().into_iter().collect() };
    let faults = if strace::long() { &OF_THE_MACHINE[..] } else { &[Fault::Full, Fault::Fork] };
    for case in cases {
        under_each(faults, &case, 1, 30);
    }
}

#[test]
fn killed_in_a_database_of_files_or_a_tree_nothing_is_half_done() {
    under(Fault::Kill, &databases::cases(), 4);
}

#[test]
fn a_disk_that_is_full_or_fails_leaves_a_database_whole() {
    under(Fault::Full, &databases::cases(), 2);
    under(Fault::Sync, &databases::cases(), 2);
}

#[test]
fn an_fsync_that_fails_is_never_taken_for_good() {
    under(Fault::Sync, &world::cases(), 3);
}

#[test]
fn a_disk_that_is_full_at_any_write_leaves_the_target_whole() {
    under(Fault::Full, &world::cases(), 3);
}

#[test]
fn a_rename_that_is_refused_leaves_the_target_whole() {
    under(Fault::Rename, &world::renamed(), 3);
}

#[test]
fn a_rename_to_another_file_system_leaves_the_target_whole() {
    under(Fault::Elsewhere, &world::renamed(), 3);
}

#[test]
fn a_file_system_that_becomes_read_only_leaves_the_target_whole() {
    under(Fault::ReadOnly, &world::cases(), 2);
}

#[test]
fn a_quota_that_is_used_up_leaves_the_target_whole() {
    under(Fault::Quota, &world::cases(), 2);
}

#[test]
fn a_write_that_is_cut_short_leaves_the_target_whole() {
    under(Fault::Short, &world::cases(), 3);
}

#[test]
fn a_disk_that_is_slower_than_the_journal_waits_makes_no_liar() {
    let some = world::cases().into_iter().filter(|case| ["config_set", "command"].contains(&case.kind));
    under(Fault::Slow, &some.collect::<Vec<_>>(), 3);
}

#[test]
fn without_descriptors_nothing_is_half_done() {
    under(Fault::Descriptors, &world::cases(), 3);
}

#[test]
fn of_sixteen_runners_on_one_order_one_carries_it_out() {
    let case = world::command("echo once >> \"$1\"");
    let rounds = if strace::long() { 200 } else { 5 };
    for _ in 0..rounds {
        let scene = Scene::new();
        (case.arrange)(&scene);
        let runner = Runner::order(&scene, &case);
        let all: Vec<_> = (0..16).map(|_| runner.start()).collect();
        for mut child in all {
            child.0.wait().unwrap();
        }
        let lines = fs::read_to_string(scene.path("target")).unwrap();
        assert_eq!(lines, "before\nonce\n", "carried out {} times", lines.matches("once").count());
    }
}
