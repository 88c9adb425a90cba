//! Every item of the three operating guides, row by row: what of a shipped profile makes it true bears its id, and the
//! observation that its acceptance asks for is made. `SYSTEM.toml` holds the observations; `SYSTEM.md` is written from
//! both.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking, say what they skip, and read the repository"
)]

mod figures;
mod ids;
mod pages;
mod parts;
#[expect(dead_code, reason = "the samplers' tests use all of it")]
#[path = "../samplers/peer.rs"]
mod peer;
mod plans;
mod row;
mod said;
mod scene;
mod seen;
mod site;
mod steps;
mod table;
mod whose;

use ids::{SYSTEMS, ids};
use row::{Row, each};
use scene::Scene;

fn steps_of(scene: &Scene, row: &Row) -> Vec<String> {
    each(row.steps.as_ref()).flat_map(|wanted| steps::check(scene, wanted)).collect()
}

/// Checks all rows of a system, and says everything that is wrong at once.
fn every_row_of(system: &str) {
    let (_, prefix, sections) = SYSTEMS.into_iter().find(|(name, ..)| *name == system).expect("a system");
    let scene = Scene::of(system, prefix);
    let mut wrong: Vec<String> = scene.faults.iter().map(|fault| format!("the profile: {fault}")).collect();
    let known = ids(prefix, sections);
    let bearing = scene.parts.keys().filter(|id| !known.contains(id));
    wrong.extend(bearing.map(|id| format!("{id} stands in the profile and is no item of the guide")));
    wrong.extend(scene.rows.keys().filter(|id| !known.contains(id)).map(|id| format!("{id} is no item of the guide")));
    wrong.extend(said::dead_ends(&scene));
    for id in &known {
        match scene.rows.get(id) {
            None => wrong.push(format!("{id} has no row")),
            Some(row) => {
                let told = said::check(&scene, id, row)
                    .into_iter()
                    .chain(seen::check(&scene, row))
                    .chain(steps_of(&scene, row))
                    .chain(row.figures.iter().flat_map(|figure| figures::check(&scene, figure)));
                wrong.extend(told.map(|what| format!("{id}: {what}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), known.len(), wrong.join("\n"));
}

#[test]
fn every_row_of_cerebellar_norse_is_true() {
    every_row_of("cerebellar-norse");
}

#[test]
fn every_row_of_genesis_is_true() {
    every_row_of("genesis");
}

#[test]
fn every_row_of_planar_is_true() {
    every_row_of("planar");
}

#[test]
fn every_shipped_profile_is_without_a_fault_and_every_document_of_it_without_a_lint() {
    use watchkeeper::config::{ProfileRef, SearchPath, builtin, load_profile};
    use watchkeeper::roles::{handbook, setup};
    use watchkeeper::store::{Limits, Store};
    for name in builtin::names() {
        let which = ProfileRef::Builtin(name.to_owned());
        let profile = load_profile(&which, &SearchPath::default(), &setup::known_kinds()).expect("loads");
        let mut store = Store::new(Limits::default());
        let setup = setup::setup(&profile, "here".into(), &mut store);
        assert_eq!(setup.faults, [], "{name}");
        for document in handbook::documents(&profile) {
            let found: Vec<String> = handbook::lints(&document, &profile).iter().map(ToString::to_string).collect();
            assert_eq!(found, [""; 0], "{name}");
        }
    }
}

#[test]
fn the_readme_tells_how_many_rows_each_system_has() {
    let readme = std::fs::read_to_string("README.md").expect("reads");
    for (system, prefix, sections) in SYSTEMS {
        let line = format!("| `{system}` | {} |", ids(prefix, sections).len());
        assert!(readme.contains(&line), "README.md lacks the line {line}");
    }
}
