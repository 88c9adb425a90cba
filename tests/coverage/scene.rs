//! A shipped profile, loaded and built as the console does it, with the rows of its system.

use crate::parts::{Parts, parts};
use crate::plans::Plans;
use crate::row::Rows;
use crate::seen::Look;
use crate::site::{self, Site};
use std::path::Path;
use std::process::Command;
use watchkeeper::config::{Profile, ProfileRef, SearchPath, load_profile};
use watchkeeper::procedure::Document;
use watchkeeper::roles::demo::Demo;
use watchkeeper::roles::setup::{Setup, known_kinds, setup};
use watchkeeper::roles::twin::Play;
use watchkeeper::store::{Limits, Store};

/// What the rows are held against.
pub(crate) struct Scene {
    pub(crate) rows: Rows,
    /// Where the ids stand in the profile.
    pub(crate) parts: Parts,
    pub(crate) profile: Profile,
    pub(crate) setup: Setup,
    pub(crate) documents: Vec<Document>,
    /// Its own file, unfilled.
    pub(crate) table: toml::Table,
    /// What its samplers see.
    pub(crate) look: Look,
    /// Names of rule tests that passed.
    pub(crate) passed: Vec<String>,
    /// What is wrong before any row is looked at.
    pub(crate) faults: Vec<String>,
}

impl Scene {
    /// Reads it from the repository, so that nothing is built anew for a changed profile.
    pub(crate) fn of(system: &str, prefix: &str) -> Self {
        let folder = format!("profiles/{system}");
        let mut faults = Vec::new();
        let text = std::fs::read_to_string(format!("tests/coverage/{system}.toml")).unwrap_or_default();
        let rows = toml::from_str(&text).unwrap_or_else(|error| {
            faults.push(format!("tests/coverage/{system}.toml: {error}"));
            Rows::new()
        });
        let search = SearchPath::default();
        let profile = load_profile(&ProfileRef::Path((&folder).into()), &search, &known_kinds()).expect("loads");
        let mut store = Store::new(Limits::default());
        let setup = setup(&profile, "here".into(), &mut store);
        faults.extend(setup.faults.iter().map(ToString::to_string));
        let read = |file: &str| std::fs::read_to_string(format!("{folder}/{file}")).unwrap_or_default();
        let table = toml::from_str(&read("profile.toml")).expect("it was read above");
        let (passed, failed) = rule_tests(&folder);
        faults.extend(failed);
        let documents = watchkeeper::roles::handbook::documents(&profile);
        let play = Play::of(Some(system), None).expect("a system");
        let demo = Demo::start_as(Path::new(env!("CARGO_BIN_EXE_watchkeeper")), play, 42).expect("starts");
        site::prepare(system, &demo);
        let look = Look::at(&demo);
        faults.extend(look.faults());
        let site = Site::of(system, &demo);
        faults.extend(Plans::at(&demo, system, &rows, &profile).faults(&rows, &profile, &site));
        let parts = parts(system, prefix);
        Self { rows, parts, profile, setup, documents, table, look, passed, faults }
    }
}

/// Names of the tests of its rules that pass, and a line for each that does not.
fn rule_tests(folder: &str) -> (Vec<String>, Vec<String>) {
    let file = format!("{folder}/rules_test.yaml");
    let mut ask = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    let out = ask.args(["test", "rules", &file]).output().expect("runs");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let (mut passed, mut failed) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("ok   ") {
            passed.extend(rest.split_once(' ').map(|(_, name)| name.to_owned()));
        } else if line.starts_with("FAIL ") {
            failed.push(format!("a rule test: {line}"));
        }
    }
    if passed.is_empty() {
        failed.push(format!("no rule test of {file} passes: {}", String::from_utf8_lossy(&out.stderr)));
    }
    (passed, failed)
}
