//! Reads test files and the rule files they name, plays them, and says a line a test.

use super::check::{Failure, play};
use super::format::{self, TestFile};
use super::junit;
use crate::base::{Clean, Fault, Settings};
use crate::config::{SearchPath, load_profile};
use crate::logs::Pattern;
use crate::roles::session::reference;
use crate::roles::validate::written;
use crate::roles::{rule_check, setup};
use crate::rules::rule::RuleFile;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `watchkeeper test rules …`
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Test files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Profile whose [settings] are filled into tests and rules
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Writes the outcome as JUnit XML too
    #[arg(long, value_name = "OUT.xml")]
    junit: Option<PathBuf>,
}

/// What came of one test file.
pub(super) struct Outcome {
    pub(super) file: Clean,
    pub(super) cases: Vec<Case>,
}

/// What came of one test.
pub(super) struct Case {
    pub(super) name: Clean,
    pub(super) line: Option<u32>,
    pub(super) failures: Vec<Failure>,
}

/// Runs the tests of these files. Returns 1 when one failed, else 0.
///
/// # Errors
/// When the profile cannot be had, or the output or the JUnit file cannot be written.
pub fn run(ask: &Ask, out: &mut dyn Write) -> Result<u8, Fault> {
    let search = SearchPath::detect(&|name| std::env::var(name).ok());
    let named = |name: &String| load_profile(&reference(name), &search, &setup::known_kinds());
    let settings = ask.profile.as_ref().map(named).transpose()?.map(|profile| profile.judging.settings);
    let settings = settings.unwrap_or_default();
    let outcomes: Vec<Outcome> = ask.files.iter().map(|file| test_file(file, &settings)).collect();
    let mut lines = Vec::new();
    for outcome in &outcomes {
        for case in &outcome.cases {
            let place = case.line.map_or_else(|| outcome.file.to_string(), |line| format!("{}:{line}", outcome.file));
            let word = if case.failures.is_empty() { "ok  " } else { "FAIL" };
            lines.push(format!("{word} {place} {}", case.name));
            lines.extend(case.failures.iter().flat_map(told).map(|line| format!("     {line}")));
        }
    }
    let cases = || outcomes.iter().flat_map(|outcome| &outcome.cases);
    let failed = cases().filter(|case| !case.failures.is_empty()).count();
    lines.push(format!("{} tests, {failed} failed", cases().count()));
    written(out, &lines)?;
    if let Some(path) = &ask.junit {
        let fault =
            |error: std::io::Error| Fault::new(format!("cannot be written: {error}.")).at(path.to_string_lossy(), 0, 0);
        std::fs::write(path, junit::xml(&outcomes)).map_err(fault)?;
    }
    Ok(u8::from(failed > 0))
}

/// A failure as lines: where and what, then what differs.
pub(super) fn told(failure: &Failure) -> Vec<String> {
    let place = failure.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
    let head = format!("{place}{}", failure.what);
    core::iter::once(head).chain(failure.lines.iter().map(|line| format!("  {line}"))).collect()
}

fn test_file(path: &Path, settings: &Settings) -> Outcome {
    let file = Clean::text(path.to_string_lossy().as_bytes());
    let broken = |failures| vec![Case { name: Clean::from("the file can be read"), line: None, failures }];
    let cases = match rule_check::text(path).and_then(|text| format::read(file.as_str(), &settings.fill_known(&text))) {
        Err(fault) => broken(vec![Failure::from(fault)]),
        Ok(tests) => match rules(path, &tests, settings) {
            Err(failures) => broken(failures),
            Ok(rules) => cases(&tests, &rules),
        },
    };
    Outcome { file, cases }
}

fn cases(tests: &TestFile, rules: &[RuleFile]) -> Vec<Case> {
    let case = |test: &format::Test| Case {
        name: test.name.clone(),
        line: Some(test.place.line),
        failures: play(test, tests, rules),
    };
    tests.tests.iter().map(case).collect()
}

/// The rule files, whole: a test over a file that lost a rule would prove nothing.
fn rules(path: &Path, tests: &TestFile, settings: &Settings) -> Result<Vec<RuleFile>, Vec<Failure>> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let mut files = Vec::new();
    let mut failures = Vec::new();
    for (pattern, place) in &tests.rule_files {
        let found = Pattern::new(&folder.join(pattern).to_string_lossy());
        let paths = found.and_then(|pattern| {
            let mut names = pattern.names().map_err(|error| Fault::new(format!("cannot be listed: {error}.")))?;
            names.sort();
            Ok(names.iter().map(|name| pattern.path(name)).collect::<Vec<_>>())
        });
        let paths = paths.and_then(|paths| {
            let none = || Fault::new(format!("no rule file is called `{pattern}` here."));
            if paths.is_empty() { Err(none()) } else { Ok(paths) }
        });
        if let Err(fault) = &paths {
            failures.push(Failure { place: Some(place.clone()), what: fault.what.to_string(), lines: Vec::new() });
        }
        for path in paths.unwrap_or_default() {
            match rule_check::read(&path, settings) {
                Ok(file) => {
                    failures.extend(file.broken.iter().map(|(_, fault)| Failure::from(fault.clone())));
                    files.push(file);
                }
                Err(fault) => failures.push(Failure::from(fault)),
            }
        }
    }
    if failures.is_empty() { Ok(files) } else { Err(failures) }
}
