//! A shipped profile, loaded and built as the console does it, with the rows of its system.

use crate::parts::{Parts, parts};
use crate::plans::Plans;
use crate::row::{Row, Rows, each};
use crate::seen::{self, Look};
use crate::site::{self, Site};
use crate::steps;
use core::time::Duration;
use std::path::Path;
use std::process::Command;
use watchkeeper::base::Clock as _;
use watchkeeper::config::{Profile, ProfileRef, SearchPath, load_profile};
use watchkeeper::procedure::Document;
use watchkeeper::roles::demo::Demo;
use watchkeeper::roles::setup::{Setup, known_kinds, setup};
use watchkeeper::roles::twin::Play;
use watchkeeper::store::{Limits, Store};
use watchkeeper::sys::clock::RealClock;

/// A stand-in on a busy host needs more looks than one, all of them within this.
const LOOKS: Duration = Duration::from_secs(60);

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
        let (look, parts) = (Look::at(&demo), parts(system, prefix));
        let mut scene = Self { rows, parts, profile, setup, documents, table, look, passed, faults };
        scene.look_until_all_is_seen(&demo);
        // Only now: it says that servers are elsewhere than at the stand-in.
        let site = Site::of(system, &demo);
        let plans = Plans::at(&demo, system, &scene.rows, &scene.profile).faults(&scene.rows, &scene.profile, &site);
        scene.faults.extend(plans);
        scene
    }

    /// Looks again until nothing is missing that a row asks for, or the time is over.
    fn look_until_all_is_seen(&mut self, demo: &Demo) {
        let start = RealClock.now().mono;
        while self.lacks_something() && RealClock.now().mono.since(start) < LOOKS {
            self.look = Look::at(demo);
        }
        self.faults.extend(self.look.faults());
    }

    fn lacks_something(&self) -> bool {
        let seen = |row: &Row| seen::check(self, row).is_empty();
        let told = |row: &Row| each(row.steps.as_ref()).all(|wanted| steps::check(self, wanted).is_empty());
        !self.look.faults().is_empty() || !self.rows.values().all(|row| seen(row) && told(row))
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
