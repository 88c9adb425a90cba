//! Somebody else acts on the target: whoever comes then is told who, and does nothing.

use crate::scene::Scene;
use crate::strace::Runner;
use crate::world::Case;
use std::fs;
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::sys::lock::TargetLock;
use watchkeeper::sys::paths::lock_dirs;

/// Each lock of the case's plan held by this process, which is another than the runner.
pub(crate) fn left_alone(case: &Case) {
    let who = format!("process {}", std::process::id());
    let scene = Scene::new();
    (case.arrange)(&scene);
    let (before, known) = ((case.look)(&scene), intents(&scene));
    let locks = Runner::order(&scene, case).plan.locks();
    assert!(!locks.is_empty(), "{}", case.name());
    for lock in &locks {
        let runner = Runner::order(&scene, case);
        let held = TargetLock::take(&lock_dirs(), lock).unwrap_or_else(|_| panic!("{lock} is free"));
        runner.start().0.wait().unwrap();
        drop(held);
        let end = runner.run.read().unwrap().unwrap().end.unwrap();
        let told = format!("{}, {lock}: {end:?}", case.name());
        assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{told}");
        assert!(end.reason.as_str().contains("is being acted on by") && end.reason.as_str().contains(&who), "{told}");
    }
    assert_eq!(((case.look)(&scene), intents(&scene)), (before, known), "{}", case.name());
    println!("{:30} {:12} {:3} locks: the holder is named, nothing is changed", case.name(), "held", locks.len());
}

/// How often an action of this scene had its intent recorded.
pub(crate) fn intents(scene: &Scene) -> usize {
    let files = fs::read_dir(scene.state().join("journal")).into_iter().flatten();
    let journal: String = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    journal.matches("\"ev\":\"action.intent\"").count()
}
