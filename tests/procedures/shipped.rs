//! The procedures that come with the console: without a fault, clean, each with the reason of its order.

use std::path::{Path, PathBuf};
use watchkeeper::procedure::lint::{ActionFacts, lint};
use watchkeeper::procedure::{Document, Live, parse};

/// Kinds of the actions that the shipped procedures name; all prove themselves and have a way back.
const ACTIONS: &[(&str, &str)] = &[
    ("reduce-batch-size", "config_set"),
    ("grow-map", "lmdb_grow"),
    ("stop", "service_stop"),
    ("back-up-state", "file_backup"),
    ("restore-known-good-config", "file_restore"),
    ("reduce-granule-size", "config_set"),
    ("start", "service_start"),
    ("validate-processing", "http_call"),
    ("verify-data", "command"),
    ("validate-models", "command"),
    ("set-models-aside", "file_set_aside"),
    ("restore-models", "file_restore"),
    ("set-owner", "file_owner"),
];

fn documents() -> Vec<Document> {
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let folders =
        profiles.read_dir().expect("profiles").map(|entry| entry.expect("an entry").path().join("procedures"));
    let files = folders.filter(|folder| folder.is_dir()).flat_map(|folder| folder.read_dir().expect("a folder"));
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let read = |file: &PathBuf| {
        let id = file.file_stem().expect("a name").to_string_lossy().into_owned();
        parse(&id, &file.to_string_lossy(), &std::fs::read_to_string(file).expect("a text"))
    };
    files.iter().map(read).collect()
}

#[test]
fn every_shipped_procedure_is_without_a_fault_clean_and_says_why_its_order_differs() {
    let facts = |name: &str| {
        ACTIONS.iter().find(|(known, _)| *known == name).map(|(_, kind)| ActionFacts {
            kind: (*kind).to_owned(),
            safe: *kind == "command",
            has_verify: true,
            has_rollback: true,
        })
    };
    let documents = documents();
    assert!(documents.len() >= 4, "{}", documents.len());
    for document in documents {
        assert_eq!(document.faults, [], "{}", document.file);
        let found: Vec<String> = lint(&document, &facts).iter().map(ToString::to_string).collect();
        assert_eq!(found, [""; 0], "{}", document.file);
        assert!(document.order.is_some() && document.time_box.is_some(), "{}", document.file);
        assert!(document.symptoms.len() > 1, "{}", document.file);
        let named = document.items.iter().filter_map(|item| match &item.live {
            Live::Action(name, _) => Some(&**name),
            _ => None,
        });
        for name in named {
            assert!(ACTIONS.iter().any(|(known, _)| *known == name), "{}: {name}", document.file);
        }
    }
}
