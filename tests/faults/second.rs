//! A second operator has planned the same on the same target, and both confirm at once.

use crate::held::intents;
use crate::scene::Scene;
use crate::strace::{Runner, long};
use crate::world::{Case, Seen, cases, more};
use crate::{databases, peers, units};
use watchkeeper::action::lifecycle::{End, Outcome};

/// Both orders carried out at once; how many intents there were before, and how each ended.
fn both(case: &Case) -> (Scene, usize, [End; 2]) {
    let scene = Scene::new();
    (case.arrange)(&scene);
    let known = intents(&scene);
    let orders = [(); 2].map(|()| Runner::order(&scene, case));
    let mut running: Vec<_> = orders.iter().map(Runner::start).collect();
    for runner in &mut running {
        runner.0.wait().unwrap();
    }
    let ends = orders.map(|order| order.run.read().unwrap().unwrap().end.unwrap());
    (scene, known, ends)
}

/// Every kind in a long run; those of this host and databases in a short one.
fn some() -> Vec<Case> {
    let here = [cases(), databases::cases()];
    let others = || [more(), peers::talks(), peers::services(), units::asked()];
    let others = if long() { others().into_iter().flatten().collect() } else { Vec::new() };
    here.into_iter().flatten().chain(others).collect()
}

#[test]
fn of_two_operators_on_one_target_one_acts_and_the_other_is_told_why_not() {
    // What is only read may be read twice, and a command is no state: one after the other both are right.
    let once = ["config_set", "file_set_aside", "file_restore", "log_rotate", "config_restore", "postgres_index"];
    for case in some() {
        let whole = Seen::of(&case, None);
        let rounds = if case.limit > 15 { 4 } else { 20 };
        for round in 0..if long() { rounds } else { 2 } {
            let (scene, known, ends) = both(&case);
            let acted = ends.iter().filter(|end| end.executed).count();
            let told = format!("{} in round {round}: {ends:?}", case.name());
            assert!(acted >= 1, "{told}");
            for end in ends.iter().filter(|end| !end.executed) {
                let why = end.reason.as_str();
                assert!(end.outcome == Outcome::Refused, "{told}");
                // Or it was gone already where its place is looked up.
                let known = ["stale", "being acted on by", "No such file"];
                assert!(known.iter().any(|word| why.contains(word)), "{told}");
            }
            if once.contains(&case.kind) {
                assert_eq!(acted, 1, "{told}");
                assert!(whole.is_as(&(case.look)(&scene)), "{told}");
            }
            assert_eq!(intents(&scene) - known, acted, "{told}");
        }
        println!("{:30} two operators", case.name());
    }
}
