//! The executor that only looks: the runner's way, and nothing done.

use crate::support::{CONFIG, Scene, Script, Stepped, Temper, Twin};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use watchkeeper::action::act::carry_out;
use watchkeeper::action::dry_run::DryRun;
use watchkeeper::action::locks;
use watchkeeper::action::plan::Plan;
use watchkeeper::base::Clock;
use watchkeeper::sys::lock::TargetLock;

/// What is told of the plan, and why it would be refused.
fn go(scene: &Scene, plan: &Plan, locks: &Path, twin: Twin) -> (Vec<String>, Option<String>) {
    let clock = Arc::new(Stepped::default());
    let eyes = Box::new(Script { clock: Arc::clone(&clock), twin, deeds: Arc::default() });
    let shared: Arc<dyn Clock> = clock;
    let mut dry = DryRun::new(plan, vec![locks.to_owned()], shared.as_ref(), eyes).unwrap();
    carry_out(&mut dry);
    assert_eq!(scene.content(), CONFIG);
    assert!(!scene.state().exists(), "no run folder and no journal");
    assert_eq!(scene.manager.restarts.load(std::sync::atomic::Ordering::SeqCst), 0);
    (dry.told().iter().map(ToString::to_string).collect(), dry.refused().map(ToString::to_string))
}

fn touched(folder: &Path) -> SystemTime {
    fs::metadata(folder).unwrap().modified().unwrap()
}

#[test]
fn a_dry_run_goes_the_runners_way_and_does_nothing_of_it() {
    let scene = Scene::new(Temper::Restarts);
    let (plan, locks) = (scene.plan(), tempfile::tempdir().unwrap());
    let (folder, lock_folder) = (touched(scene.dir.path()), touched(locks.path()));
    let (told, refused) = go(&scene, &plan, locks.path(), Twin::new(scene.config()));
    assert_eq!(
        told,
        [
            "nobody else acts on its target: would lock it",
            "would take the plan over, once",
            "looked again: everything is as the plan says",
            "would keep what the way back needs, and read it back",
            "would record the intent",
            "would edit",
            "would restart",
            "would verify by its target, latency p95, GPU memory",
        ]
    );
    assert_eq!(refused, None);
    assert_eq!((touched(scene.dir.path()), touched(locks.path())), (folder, lock_folder), "not for a moment either");
}

#[test]
fn a_dry_run_says_what_the_runner_would_refuse() {
    let scene = Scene::new(Temper::Restarts);
    let (plan, locks) = (scene.plan(), tempfile::tempdir().unwrap());
    let moved = Twin { memory: 40_000.0, ..Twin::new(scene.config()) };
    let (told, refused) = go(&scene, &plan, locks.path(), moved);
    assert!(refused.is_some_and(|why| why.contains("GPU memory was")), "{told:?}");
    let dirs = [locks.path().to_owned()];
    let held = TargetLock::take(&dirs, &plan.locks()[0]).unwrap();
    let (told, refused) = go(&scene, &plan, locks.path(), Twin::new(scene.config()));
    let who = format!("process {}", std::process::id());
    assert!(told.is_empty() && refused.is_some_and(|why| why.contains("is being acted on by") && why.contains(&who)));
    drop(held);
}

/// The same plan on another file or folder.
fn on(plan: &Plan, path: &Path) -> Plan {
    let mut plan = plan.clone();
    for target in &mut plan.targets {
        if let watchkeeper::action::plan::Target::File { path: old, .. } = target {
            path.clone_into(old);
        }
    }
    plan
}

#[test]
fn who_acts_on_a_tree_and_who_acts_on_something_in_it_exclude_each_other() {
    let scene = Scene::new(Temper::Restarts);
    let mut plan = scene.plan();
    plan.targets.truncate(1);
    let (tree, locks_in) = (scene.dir.path().to_owned(), tempfile::tempdir().unwrap());
    let dirs: [PathBuf; 1] = [locks_in.path().to_owned()];
    let (of_tree, inside, beside) = (on(&plan, &tree), on(&plan, &tree.join("a/b")), on(&plan, &tree.join("a/c")));
    let take = |plan: &Plan| locks::take(&dirs, plan).map_err(|fault| fault.to_string());
    let one = take(&inside).unwrap();
    let said = take(&of_tree).unwrap_err();
    assert!(said.contains(&format!("file:{} or something in it is being acted on by", tree.display())), "{said}");
    assert_eq!(locks::free(&dirs, &of_tree).unwrap_err().to_string(), said, "who only looks says the same");
    let two = take(&beside).expect("two in one folder are not in each other's way");
    drop((one, two));
    let whole = take(&of_tree).unwrap();
    let said = take(&inside).unwrap_err();
    assert!(said.contains(&format!("file:{}, in which a target lies, is being acted on by", tree.display())), "{said}");
    assert_eq!(locks::free(&dirs, &inside).unwrap_err().to_string(), said);
    drop(whole);
    assert!(locks::free(&dirs, &inside).is_ok() && take(&inside).is_ok());
    assert_eq!(fs::read_dir(&locks_in).unwrap().count(), 0, "no lock file is left");
}
