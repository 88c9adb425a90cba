//! Profiles, themes and keymaps as files: what loads, and for each kind of mistake the exact sentence.
//! A pair `invalid/NAME.toml`, `invalid/NAME.txt` is one case; `BLESS=1` writes the sentences anew.
#![cfg(test)] // so that clippy knows this for a test

mod profiles;
mod search;
mod themes;

use std::path::{Path, PathBuf};
use watchkeeper::config::KnownKinds;

/// The kinds of this version, as the wiring would pass them.
const KNOWN: KnownKinds<'static> = KnownKinds {
    samplers: &["discover", "gpu", "host", "http", "lmdb", "scrape"],
    logs: &["file"],
    panes: &["facts", "gpu", "host", "lmdb", "log", "sparkline", "table"],
    actions: &["config_edit"],
};

/// The files of a folder beside this one, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(folder);
    let mut files: Vec<PathBuf> =
        folder.read_dir().expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}
