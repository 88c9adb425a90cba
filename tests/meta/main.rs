//! The rules of the house, checked over the tree: the floors as data and all that a program can hold against them.
//! Every rule's own test breaks it once, so that a rule that finds nothing is known to be able to.
#![cfg(test)] // so that clippy knows this for a test

mod code;
mod floors;
mod source;
mod tree;

use source::Source;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tree::File;

/// Every file that git tracks or would add; without git, every file outside `target`.
static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let mut paths = git_files(&root).unwrap_or_else(|| {
        let mut paths = Vec::new();
        walk(&root, &root, &mut paths);
        paths
    });
    paths.sort();
    paths.retain(|path| root.join(path).is_file()); // tracked, but deleted and not yet committed
    let read = |path: String| {
        let bytes = std::fs::read(root.join(&path)).expect("a file of the tree reads");
        File { text: String::from_utf8_lossy(&bytes).into_owned(), path }
    };
    paths.into_iter().map(read).collect()
});

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let rust = FILES.iter().filter(|file| file.path.ends_with(".rs"));
    rust.map(|file| Source::parse(&file.path, &file.text).expect("parses")).collect()
});

#[expect(clippy::disallowed_methods, reason = "a test asks git")]
fn git_files(root: &Path) -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = std::process::Command::new("git").args(arguments).current_dir(root).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|text| output.status.success() && !text.is_empty())?;
    Some(text.split_terminator('\0').map(str::to_owned).collect())
}

fn walk(root: &Path, folder: &Path, paths: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the tree reads").flatten() {
        let path = entry.path();
        let skipped = folder == root && [".git", "target"].iter().any(|name| path.ends_with(name));
        if path.is_dir() && !skipped {
            walk(root, &path, paths);
        } else if path.is_file() {
            paths.push(path.strip_prefix(root).expect("inside").to_string_lossy().into_owned());
        }
    }
}

fn paths() -> Vec<&'static str> {
    FILES.iter().map(|file| file.path.as_str()).collect()
}

fn text(path: &str) -> &'static str {
    let file = FILES.iter().find(|file| file.path == path);
    &file.unwrap_or_else(|| panic!("{path} is missing")).text
}

fn manifest() -> toml::Table {
    text("Cargo.toml").parse().expect("Cargo.toml is TOML")
}

#[track_caller]
fn none(rule: &str, breaches: impl IntoIterator<Item = String>) {
    let breaches: Vec<String> = breaches.into_iter().collect();
    assert!(breaches.is_empty(), "{rule}:\n  {}\n", breaches.join("\n  "));
}

#[test]
fn the_tree_was_read() {
    assert!(SOURCES.len() > 30, "only {} Rust files found", SOURCES.len());
    let base = SOURCES.iter().find(|source| source.path == "src/base/body.rs").expect("base is there");
    assert!(!base.paths.is_empty() && !base.functions.is_empty());
}

#[test]
fn code_keeps_the_rules() {
    let broken = code::RULES.iter().filter_map(|(rule, check)| {
        let found: Vec<String> = SOURCES.iter().flat_map(check).collect();
        (!found.is_empty()).then(|| format!("{rule}:\n    {}", found.join("\n    ")))
    });
    none("the rules of the house", broken);
}

#[test]
fn the_top_level_is_as_designed() {
    none("top level", tree::top_level(&paths()));
}

#[test]
fn the_pure_files_of_the_table_are_there() {
    let missing = floors::PURE_FILES.iter().filter(|file| !paths().contains(file));
    none("PURE_FILES", missing.map(|file| format!("tests/meta/floors.rs: `{file}` is not there.")));
}

#[test]
fn folders_and_registries_agree() {
    none("registries", tree::registries(&SOURCES));
}

#[test]
fn every_crate_has_its_floors() {
    none("dependencies", tree::dependencies(&manifest()));
}

#[test]
fn every_bench_is_declared() {
    none("benches", tree::benches(&manifest(), &paths()));
}

#[test]
fn data_files_parse() {
    none("data files", FILES.iter().filter_map(tree::data));
}

#[test]
fn readme_shows_the_commands_that_ci_runs() {
    none("README", tree::readme(text("README.md"), text(".ci/run")));
    none("README's links", tree::links(text("README.md"), &paths()));
    none("README's map", tree::map(text("README.md"), &paths()));
}

#[test]
fn nothing_names_one_machine() {
    none("addresses", FILES.iter().flat_map(tree::addresses));
}
