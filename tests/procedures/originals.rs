//! Plain renderings of the three systems' original orders of steps: the lint finds every hazard that is known of them.

use std::path::Path;
use watchkeeper::procedure::lint::{LINTS, lint};
use watchkeeper::procedure::parse;

const BACKUP: &str = "destructive-before-backup";
const SPACE: &str = "backup-before-space";
const PROOF: &str = "removal-before-backup-check";
const REREAD: &str = "edit-without-reread";
const VERIFY: &str = "restart-without-verify";
const BACK: &str = "no-way-back";
const READ_ONLY: &str = "mutating-in-read-only";
const CALL: &str = "no-escalation";
const COPY: &str = "second-copy";
const NAME: &str = "long-process-name";
const SLIP: &str = "unit-slip";

/// Every hazard of every file: which lint, at which item.
const HAZARDS: &[(&str, &[(&str, &str)])] = &[
    (
        "cn-critical-failure.md",
        &[
            (SPACE, "Keep the state"),
            (BACKUP, "The known good configuration"),
            (REREAD, "Reduced capacity"),
            (CALL, "One request into the live path"),
        ],
    ),
    (
        "cn-data-corruption.md",
        &[
            (BACKUP, "Remove the models"),
            (BACK, "Remove the models"),
            (PROOF, "Remove the models"),
            (BACKUP, "Copy the backup"),
            (CALL, "systemctl start cerebellar-norse"),
            (VERIFY, "systemctl start cerebellar-norse"),
        ],
    ),
    (
        "cn-memory-leak.md",
        &[(NAME, "Watch it"), (COPY, "Look for the leak"), (REREAD, "Cap it"), (CALL, "Cap it"), (VERIFY, "Cap it")],
    ),
    (
        "cn-configuration.md",
        &[
            (REREAD, "No card: on the processor"),
            (CALL, "No card: on the processor"),
            (VERIFY, "No card: on the processor"),
        ],
    ),
    ("cn-latency.md", &[(SLIP, "Processing time"), (SLIP, "Memory of the card")]),
    (
        "ge-immediate.md",
        &[
            (BACKUP, "Clear the caches"),
            (READ_ONLY, "Clear the caches"),
            (CALL, "Clear the caches"),
            (BACK, "Clear the caches"),
            (PROOF, "Clear the caches"),
        ],
    ),
    ("ge-short-term.md", &[(COPY, "Profile for five minutes"), (CALL, "Cache hit rates")]),
    ("ge-deep.md", &[(COPY, "python -m cProfile -o out.prof main.py"), (CALL, "Trends")]),
    ("ge-optimise.md", &[(REREAD, "Larger pool"), (CALL, "Larger pool"), (VERIFY, "Larger pool")]),
    ("ge-issues.md", &[(SLIP, "Response time is back"), (SLIP, "Hit rate is back"), (CALL, "Hit rate is back")]),
    (
        "pl-lmdb-full.md",
        &[
            (SPACE, "To four gigabytes"),
            (BACKUP, "rm -rf /var/lib/planar/data/lmdb"),
            (CALL, "rm -rf /var/lib/planar/data/lmdb"),
            (BACK, "rm -rf /var/lib/planar/data/lmdb"),
            (PROOF, "rm -rf /var/lib/planar/data/lmdb"),
        ],
    ),
    (
        "pl-lmdb-corruption.md",
        &[
            (BACKUP, "julia --project=Planar -e 'Data.zinstance(force=true)'"),
            (BACK, "julia --project=Planar -e 'Data.zinstance(force=true)'"),
            (PROOF, "julia --project=Planar -e 'Data.zinstance(force=true)'"),
            (BACKUP, "By hand"),
            (BACK, "By hand"),
            (PROOF, "By hand"),
            (SPACE, "cp /var/lib/planar/data/lmdb/data.mdb /backup/planar/"),
            (CALL, "cp /var/lib/planar/data/lmdb/data.mdb /backup/planar/"),
        ],
    ),
    (
        "pl-precompile.md",
        &[
            (BACKUP, "rm -rf ~/.julia/compiled"),
            (CALL, "rm -rf ~/.julia/compiled"),
            (BACK, "rm -rf ~/.julia/compiled"),
            (PROOF, "rm -rf ~/.julia/compiled"),
        ],
    ),
    (
        "pl-python.md",
        &[
            (BACKUP, "find . -type d -name .CondaPkg -exec rm -rf {} +"),
            (CALL, "find . -type d -name .CondaPkg -exec rm -rf {} +"),
            (BACK, "find . -type d -name .CondaPkg -exec rm -rf {} +"),
            (PROOF, "find . -type d -name .CondaPkg -exec rm -rf {} +"),
        ],
    ),
];

#[test]
fn every_hazard_of_the_original_orders_is_found_and_nothing_else() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/procedures/originals");
    let mut files: Vec<String> = folder
        .read_dir()
        .expect("a folder")
        .map(|file| file.expect("a file").file_name().to_string_lossy().into())
        .collect();
    files.sort();
    let mut listed: Vec<&str> = HAZARDS.iter().map(|(file, _)| *file).collect();
    listed.sort_unstable();
    assert_eq!(files, listed);
    let mut wrong = Vec::new();
    for (file, hazards) in HAZARDS {
        let text = std::fs::read_to_string(folder.join(file)).expect("a text");
        let document = parse(file, file, &text);
        assert_eq!(document.faults, [], "{file}");
        let found = lint(&document, &|_| None);
        let mut seen: Vec<(String, String)> =
            found.iter().map(|found| (found.lint.id.to_owned(), found.about.to_string())).collect();
        let mut wanted: Vec<(String, String)> =
            hazards.iter().map(|(id, about)| ((*id).to_owned(), (*about).to_owned())).collect();
        seen.sort();
        seen.dedup();
        wanted.sort();
        if seen != wanted {
            wrong.push(format!("{file}: found {seen:#?}, wanted {wanted:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_originals_show_every_lint_but_those_of_the_form() {
    let shown: Vec<&str> = HAZARDS.iter().flat_map(|(_, hazards)| *hazards).map(|(id, _)| *id).collect();
    for lint in LINTS {
        let form = ["too-long-page", "memory-items", "foreign-front-matter"].contains(&lint.id);
        assert!(form || shown.contains(&lint.id), "{}", lint.id);
    }
}
