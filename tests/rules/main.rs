//! Rule files as they are in the wild, the real binary over them, and Prometheus' own tool beside it.
#![cfg(test)]

mod check;
mod files;
mod tests_of_rules;

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules").join(name)
}

/// Names in a folder that end so, sorted.
fn names(of: &str, ending: &str) -> Vec<String> {
    let entries = folder(of).read_dir().expect("the folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(ending));
    names.sort();
    names
}

/// Runs the binary in a folder: exit status, standard output, standard error.
fn watchkeeper(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_watchkeeper"))
        .args(args)
        .current_dir(folder)
        .env("XDG_CONFIG_HOME", folder.join("nothing"))
        .output()
        .expect("the binary runs");
    let text = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
    (run.status.code().unwrap_or(-1), text(&run.stdout), text(&run.stderr))
}
