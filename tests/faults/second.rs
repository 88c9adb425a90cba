//! A second operator has planned the same on the same target, and both confirm at once.

use crate::scene::Scene;
use crate::strace::{Runner, long};
use crate::world::{Case, Seen, cases};
use std::fs;
use watchkeeper::action::lifecycle::{End, Outcome};

/// Both orders carried out at once; how each ended.
fn both(case: &Case) -> (Scene, [End; 2]) {
    let scene = Scene::new();
    (case.arrange)(&scene);
    let orders = [(); 2].map(|()| Runner::order(&scene, case));
    let mut running: Vec<_> = orders.iter().map(Runner::start).collect();
    for runner in &mut running {
        runner.0.wait().unwrap();
    }
    let ends = orders.map(|order| order.run.read().unwrap().unwrap().end.unwrap());
    (scene, ends)
}

#[test]
fn of_two_operators_on_one_target_one_acts_and_the_other_is_told_why_not() {
    // What is only read may be read twice, and a command is no state: one after the other both are right.
    let once = ["config_set", "file_set_aside", "file_restore", "log_rotate"];
    for case in cases().into_iter().chain(crate::databases::cases()) {
        let whole = Seen::of(&case, None);
        for round in 0..if long() { 20 } else { 2 } {
            let (scene, ends) = both(&case);
            let acted = ends.iter().filter(|end| end.executed).count();
            let told = format!("{} in round {round}: {ends:?}", case.kind);
            assert!(acted >= 1, "{told}");
            for end in ends.iter().filter(|end| !end.executed) {
                let why = end.reason.as_str();
                assert!(end.outcome == Outcome::Refused, "{told}");
                assert!(why.contains("stale") || why.contains("being acted on by"), "{told}");
            }
            if once.contains(&case.kind) {
                assert_eq!(acted, 1, "{told}");
                assert!(whole.is_as(&(case.look)(&scene)), "{told}");
            }
            let journal = fs::read_dir(scene.state().join("journal")).unwrap();
            let journal: String = journal.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
            assert_eq!(journal.matches("\"ev\":\"action.intent\"").count(), acted, "{told}");
        }
        println!("{:16} two operators", case.kind);
    }
}
