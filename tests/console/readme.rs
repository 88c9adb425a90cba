//! The walk-through of the README, performed block by block from its own text: what it says to write fits what `init`
//! writes, and after each block `validate` has no fault.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

/// A block of the README that belongs into a file of the new profile.
struct Block {
    file: String,
    text: String,
}

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("reads")
}

/// Every block whose sentence before it names a file of `orders`, in the order of the text.
fn blocks(readme: &str) -> Vec<Block> {
    let mut all = Vec::new();
    let mut before = "";
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let fence: String = line.chars().take_while(|c| *c == '`').collect();
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != fence).collect();
            let file = before.split('`').find(|word| word.starts_with("orders/")).filter(|_| before.ends_with(':'));
            all.extend(file.map(|file| Block { file: file.to_owned(), text: text.join("\n") + "\n" }));
        }
        if !line.trim().is_empty() {
            before = line;
        }
    }
    all
}

/// Lines of shell blocks that begin with these words, without what they say about themselves.
fn commands(readme: &str, begins: &str) -> Vec<String> {
    let line = |line: &str| line.split("  #").next().unwrap_or_default().trim().to_owned();
    readme.lines().filter(|line| line.starts_with(begins)).map(line).collect()
}

fn run(dir: &Path, command: &str) -> Output {
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    let mut program = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    program.args(words).current_dir(dir).env("HOME", dir).env("HOOK_URL", "http://127.0.0.1:1/hook");
    program.output().expect("runs")
}

fn ran(dir: &Path, command: &str) -> String {
    let out = run(dir, command);
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command}\n{said}");
    said
}

#[test]
fn the_walk_through_is_performed_block_by_block_from_its_own_text() {
    let readme = readme();
    let dir = tempfile::tempdir().expect("a folder");
    let init = commands(&readme, "watchkeeper init ");
    assert_eq!(init.len(), 1, "{init:?}");
    ran(dir.path(), &init[0]);
    let validate = commands(&readme, "watchkeeper validate ./orders");
    assert_eq!(validate, ["watchkeeper validate ./orders"]);
    ran(dir.path(), &validate[0]);
    let blocks = blocks(&readme);
    let files: BTreeSet<&str> = blocks.iter().map(|block| block.file.as_str()).collect();
    let all =
        ["orders/procedures/queue-stands.md", "orders/profile.toml", "orders/rules.yaml", "orders/rules_test.yaml"];
    assert_eq!(files.into_iter().collect::<Vec<_>>(), all);
    for block in &blocks {
        let path = dir.path().join(&block.file);
        let mut file = OpenOptions::new().create(true).append(true).open(&path).expect("opens");
        file.write_all(block.text.as_bytes()).expect("writes");
        ran(dir.path(), &validate[0]);
    }
    let whole = ran(dir.path(), &validate[0]);
    assert!(whole.contains("2 procedures; no fault"), "{whole}");
    let checked = ["validate rules", "test rules", "procedure lint", "procedure print"];
    for begins in checked.map(|words| format!("watchkeeper {words}")) {
        let found = commands(&readme, &begins);
        assert!(!found.is_empty(), "{begins}");
        for command in &found {
            ran(dir.path(), command);
        }
    }
    let rules = ran(dir.path(), "watchkeeper validate rules ./orders/rules.yaml --profile ./orders");
    assert!(rules.contains("QueueLong") || rules.contains("3 rules"), "{rules}");
}
