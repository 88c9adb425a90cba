//! Faults of safety.md 3.2 on the real runner: it dies at a write, a disk is full, the console is lost. The target stays whole,
//! what is told is true of it or "unknown", and nothing runs twice. `WATCHKEEPER_LONG=1` (`tests/run --long`) takes every kind
//! under every fault and prints the table, `WATCHKEEPER_KINDS=lmdb_check,file_restore` these kinds alone.
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
mod held;
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

/// What a short run takes of one fault: so many points of each of these cases, by name; of all where none is named.
struct Short(Fault, usize, &'static [&'static str]);

/// Without a point there, and why; a case that cannot be broken otherwise is an error.
const NO_SUCH_CALL: [(Fault, &str, &[&str]); 0] = [];

const RENAMING: &[&str] = &["config_set", "file_set_aside", "file_backup", "file_restore", "log_rotate"];
const OF_THIS_HOST: &[Short] = &[
    Short(Fault::Kill, 5, &[]),
    Short(Fault::Sync, 3, &[]),
    Short(Fault::Full, 3, &[]),
    Short(Fault::Quota, 2, &[]),
    Short(Fault::ReadOnly, 2, &[]),
    Short(Fault::Short, 3, &[]),
    Short(Fault::Slow, 3, &["config_set", "command"]),
    Short(Fault::Rename, 3, RENAMING),
    Short(Fault::Elsewhere, 3, RENAMING),
    Short(Fault::Descriptors, 3, &[]),
    Short(Fault::Fork, 6, &["command"]),
];
const OF_SWITCHES: &[Short] = &[Short(Fault::Kill, 2, &[]), Short(Fault::Sync, 1, &[])];
const OF_DATABASES: &[Short] = &[Short(Fault::Kill, 4, &[]), Short(Fault::Full, 2, &[]), Short(Fault::Sync, 2, &[])];
const OF_TALKS: &[Short] = &[
    Short(Fault::Kill, 4, &[]),
    Short(Fault::Sync, 1, WITHOUT_A_SERVER),
    Short(Fault::Full, 1, WITHOUT_A_SERVER),
    Short(Fault::ReadOnly, 1, WITHOUT_A_SERVER),
    Short(Fault::Short, 1, WITHOUT_A_SERVER),
    Short(Fault::Descriptors, 1, WITHOUT_A_SERVER),
    Short(Fault::Fork, 1, WITHOUT_A_SERVER),
];
const WITHOUT_A_SERVER: &[&str] = &["http_call", "process_signal"];
const OF_RESTARTS: &[Short] = &[
    Short(Fault::Kill, 3, &[]),
    Short(Fault::Full, 1, &["service_restart (supervisor)"]),
    Short(Fault::Fork, 1, &["service_restart (supervisor)"]),
];
const OF_UNITS: &[Short] = &[Short(Fault::Kill, 1, &[])];

/// A family of cases while somebody else holds their targets, then under every fault of [`Fault::ALL`], at `most` at so many points of each; a short run takes what
/// `short` says.
///
/// Where each fault of safety.md 3.2 is made. "Every kind" is every case of the six families below; in a long run, if
/// not said otherwise, as in a short one the selection above.
///
/// | Fault | Test |
/// |---|---|
/// | hung NSS, frozen file systems | `console::sick`: all that can hang hangs at once |
/// | CPU starved | by hand (R26) |
/// | disk full, quota, read-only, fsync EIO, fsync too slow, short write | here, every kind; `full` for the state folder; `acts::backup`, `restore`, `lmdb`, `rotate` on small disks |
/// | rename EXDEV and EACCES | here, every kind |
/// | file swapped after the preview, or now a link | `swapped`: every kind that acts on a file of its own; `acts::files`, `restore`, `rotate`, `action::runner` |
/// | clock an hour off, host asleep for ten minutes | `clocks`: every kind; a short run an edit and a command; the prompt in `action::gate` |
/// | fork EAGAIN, EMFILE, ENFILE | here, every kind; a short run has no ENFILE |
/// | child killed (as by its memory limit), deaf to TERM, forks away, floods, does nothing | `children`; a `systemctl` in `units`; `sys::run` |
/// | child in D state | `acts::unkillable`, where the kernel has FUSE |
/// | target dies on the way | `acts::redis`, `container`, `supervisor`, `service`, `http_call` |
/// | second operator | `second`: every kind; a short run those of this host and databases; `held`: every kind, always; 16 runners on one order here; every kind's "changed since the plan" in `acts` |
/// | session lost, console killed | `console` at each of its writes, `lost` at any moment, also with hang-ups ignored; `units`; `console::story`, `console::terminal` |
/// | audit sink failed | `action::runner`, `roles::effects`, `journal::sink`; here at each write |
/// | reboot between intent and outcome | killed at each write here: no lock, no process is left, and the look decides |
/// | the other end of ssh | later: no action runs on another host yet |
fn under(cases: &[Case], short: &[Short], most: usize) {
    let only = std::env::var("WATCHKEEPER_KINDS").ok();
    let wanted = |case: &&Case| only.as_ref().is_none_or(|only| only.split(',').any(|kind| kind == case.kind));
    let cases: Vec<&Case> = cases.iter().filter(wanted).collect();
    cases.iter().copied().for_each(held::left_alone);
    if !strace::works() {
        return peer::skip("strace", "it is not here, or may not trace");
    }
    let mut wrong = Vec::new();
    for case in cases {
        let name = case.name();
        let chosen = short.iter().filter(|Short(.., only)| only.is_empty() || only.contains(&name.as_str()));
        let rows: Vec<(Fault, usize)> = if strace::long() {
            Fault::ALL.map(|fault| (fault, most)).to_vec()
        } else {
            chosen.map(|Short(fault, few, _)| (*fault, *few)).collect()
        };
        wrong.extend(under_each(&rows, case));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The case under each of these, at so many points; what was wrong. Each row is told, whatever the others come to.
fn under_each(rows: &[(Fault, usize)], case: &Case) -> Vec<String> {
    let (name, mut wrong) = (case.name(), Vec::new());
    let whole = Seen::of(case, None);
    assert!(whole.proves(), "{name}: what cannot be seen proves nothing");
    let faults: Vec<Fault> = rows.iter().map(|(fault, _)| *fault).collect();
    let calls = Runner::calls(&whole.scene, case, &faults);
    for (fault, few) in rows {
        let points = fault.points(&calls);
        if points.is_empty() {
            let known = NO_SUCH_CALL.iter().find(|(of, _, kinds)| of == fault && kinds.contains(&case.kind));
            let (_, why, _) = known.unwrap_or_else(|| panic!("{name}: nothing to break with {fault:?}"));
            println!("{name:30} {:12} no such call: {why}", fault.name());
            continue;
        }
        // What a kind opens may grow with the processes of the host: a look at their files has a thousand points alike.
        // And what takes three times as long is done a third as often.
        let few = if strace::long() { few * 15 / usize::try_from(case.limit).unwrap() } else { *few };
        let step = points.len().div_ceil(few);
        let mut met: BTreeMap<Met, u32> = BTreeMap::new();
        for point in points.iter().skip(step / 2).step_by(step) {
            match Seen::of(case, Some((*fault, point))).judge(&whole) {
                Ok(found) => *met.entry(found).or_default() += 1,
                Err(lie) => wrong.push(format!("{name} under {fault:?} at its {} {}: {lie}", point.0, point.1)),
            }
        }
        println!("{name:30} {:12} {:3} points: {met:?}", fault.name(), points.len());
    }
    wrong
}

#[test]
fn what_is_acted_on_here_stays_whole_under_every_fault() {
    under(&world::cases(), OF_THIS_HOST, 250);
}

#[test]
fn a_switch_and_a_way_back_stay_whole_under_every_fault() {
    under(&world::more(), OF_SWITCHES, 250);
}

#[test]
fn a_database_of_files_or_a_tree_stays_whole_under_every_fault() {
    under(&databases::cases(), OF_DATABASES, 250);
}

#[test]
fn of_a_peer_nothing_is_asked_for_twice_under_any_fault() {
    under(&peers::talks(), OF_TALKS, 60);
}

#[test]
fn what_is_told_of_a_service_that_is_restarted_is_true_under_every_fault() {
    under(&peers::services(), OF_RESTARTS, 60);
}

#[test]
fn what_is_told_of_a_unit_is_true_under_every_fault() {
    under(&units::asked(), OF_UNITS, 60);
}

#[test]
fn of_sixteen_runners_on_one_order_one_carries_it_out() {
    let case = world::command("echo once >> \"$1\"");
    let rounds = if strace::long() { 10_000 } else { 5 };
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
