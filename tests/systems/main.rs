//! The three systems' catalogue, end to end: each action and each emergency procedure of the shipped profiles, worked by keys
//! in the real binary against the system's processes under a real manager, until it has ended VERIFIED. What is played
//! stands in a file for each system. A selection runs here; `WATCHKEEPER_LONG=1` (`tests/run --long`) plays all of it.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "a test starts its peers")]

#[expect(dead_code, reason = "the console's tests use all of it")]
#[path = "../console/desk.rs"]
mod desk;
#[path = "../pty/harness.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests/pty, which uses the rest")]
mod harness;
#[path = "../pty/judge.rs"]
#[expect(dead_code, reason = "shared with tests/pty, which uses the rest")]
mod judge;
mod operator;
#[expect(dead_code, reason = "the samplers' tests use all of it")]
#[path = "../samplers/peer.rs"]
mod peer;
mod polkit;
mod script;
mod stage;
mod walk;

use operator::Operator;
use script::{Scene, Script};
use stage::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use watchkeeper::config::{Profile, ProfileRef, SearchPath, load_profile};
use watchkeeper::procedure::{Document, Live};
use watchkeeper::roles::handbook::documents;
use watchkeeper::roles::setup::known_kinds;
use watchkeeper::roles::twin::systems::System;

fn profile(system: System) -> Profile {
    let which = ProfileRef::Builtin(system.name().to_owned());
    load_profile(&which, &SearchPath::detect(&|_| None), &known_kinds()).unwrap()
}

fn script(system: System) -> Script {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systems").join(format!("{}.toml", system.name()));
    let text = std::fs::read_to_string(&path).unwrap();
    toml::from_str(&text).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

fn long() -> bool {
    std::env::var_os("WATCHKEEPER_LONG").is_some()
}

/// What of the shipped profile no scene plays: an action, or a procedure that has one.
fn left_out(system: System) -> Vec<String> {
    let (profile, script) = (profile(system), script(system));
    let acts = || script.scenes.values().flat_map(|scene| &scene.acts).filter(|act| !act.refused);
    let acting = |document: &Document| document.items.iter().any(|item| matches!(item.live, Live::Action(..)));
    let actions = profile.actions.iter().map(|spec| &*spec.name).filter(|name| !acts().any(|act| act.action == *name));
    let documents = documents(&profile);
    let procedures = documents.iter().filter(|document| acting(document)).map(|document| &*document.id);
    actions.chain(procedures.filter(|id| !acts().any(|act| act.procedure == *id))).map(str::to_owned).collect()
}

/// Plays the scenes of a system; `WATCHKEEPER_SCENE` names a single one.
fn play(system: System) {
    let script = script(system);
    let only = std::env::var("WATCHKEEPER_SCENE").ok();
    for (name, scene) in &script.scenes {
        if only.as_ref().map_or(scene.short || long(), |only| only == name) {
            let Some(stage) = Stage::set(system, &script.set(scene)) else { continue };
            println!("{} {name}", system.name());
            act(&stage, scene, script.watch, only.is_some());
        }
    }
}

fn act(stage: &Stage, scene: &Scene, watch: u32, all: bool) {
    let operator = Operator::at(stage, watch);
    for act in scene.acts.iter().filter(|act| all || long() || !act.long) {
        stage.shell(&act.before);
        if act.procedure.is_empty() {
            operator.act(act);
        } else {
            operator.walk(act);
        }
        stage.shell(&act.after);
        println!("  {}{}", act.action, act.procedure);
    }
}

#[test]
fn nothing_that_a_shipped_profile_can_do_is_left_out() {
    let left = System::ALL.map(|system| (system.name(), left_out(system)));
    assert!(left.iter().all(|(_, left)| left.is_empty()), "no scene plays {left:#?}");
}

/// Kinds of what is done in every run, in procedures too.
fn kinds_in_every_run(system: System) -> BTreeSet<String> {
    let (profile, script) = (profile(system), script(system));
    let kinds: BTreeMap<&str, &str> = profile.actions.iter().map(|spec| (&*spec.name, &*spec.kind)).collect();
    let documents = documents(&profile);
    let scenes = script.scenes.values().filter(|scene| scene.short);
    let acts = scenes.flat_map(|scene| &scene.acts).filter(|act| !act.refused && !act.long);
    let names = acts.flat_map(|act| {
        let walked = documents.iter().filter(|document| *document.id == *act.procedure);
        let within = walked.flat_map(|document| &document.items).filter_map(|item| match &item.live {
            Live::Action(name, _) => Some(&**name),
            _ => None,
        });
        within.chain([act.action.as_str()])
    });
    names.filter_map(|name| kinds.get(name).map(|kind| (*kind).to_owned())).collect()
}

#[test]
fn of_each_kind_that_the_shipped_profiles_use_a_case_is_played_in_every_run() {
    let used = System::ALL.into_iter().flat_map(|system| profile(system).actions.into_iter().map(|spec| spec.kind));
    let played: BTreeSet<String> = System::ALL.into_iter().flat_map(kinds_in_every_run).collect();
    let left: BTreeSet<String> = used.filter(|kind| !played.contains(kind)).collect();
    assert!(left.is_empty(), "no short scene plays {left:?}");
}

#[test]
fn cerebellar_norse_is_worked_by_keys_and_each_thing_done_ends_verified() {
    play(System::CerebellarNorse);
}

#[test]
fn genesis_is_worked_by_keys_and_each_thing_done_ends_verified() {
    play(System::Genesis);
}

#[test]
fn planar_is_worked_by_keys_and_each_thing_done_ends_verified() {
    play(System::Planar);
}
