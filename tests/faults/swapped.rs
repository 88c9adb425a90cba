//! What was shown in the preview is another file when the runner comes: it is refused, and both stay as they are.

use crate::scene::Scene;
use crate::strace::{Runner, long};
use crate::world::Case;
use crate::{databases, world};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use watchkeeper::action::lifecycle::Outcome;

/// Kinds that act on a file or a folder of their own, and which. Not here: what a peer holds (its own test), a service,
/// a process and a switch, which are no files; a program that is carried out is judged where it is started.
const TARGETS: [(&str, &str); 9] = [
    ("config_set", "target.toml"),
    ("file_set_aside", "target"),
    ("file_backup", "data"),
    ("file_restore", "target"),
    ("log_rotate", "target"),
    ("config_restore", "target.toml"),
    ("file_owner", "tree"),
    ("lmdb_backup", "db"),
    ("lmdb_set_aside", "db"),
];

/// The cases with their targets; a short run leaves out those that others have made.
fn cases() -> Vec<(Case, &'static str)> {
    let more = || world::more().into_iter().chain(databases::cases()).collect();
    let more = if long() { more() } else { Vec::new() };
    let all = world::cases().into_iter().chain(more);
    let target = |case: Case| TARGETS.iter().find(|(kind, _)| *kind == case.kind).map(|(_, name)| (case, *name));
    all.filter_map(target).collect()
}

/// The same content under another number.
fn twin(of: &Path, at: &Path) {
    if of.is_dir() {
        fs::create_dir(at).unwrap();
        fs::set_permissions(at, fs::metadata(of).unwrap().permissions()).unwrap();
        for entry in fs::read_dir(of).unwrap() {
            let entry = entry.unwrap().path();
            twin(&entry, &at.join(entry.file_name().unwrap()));
        }
    } else {
        fs::copy(of, at).unwrap();
    }
}

fn all(top: &Path) -> Vec<(PathBuf, Option<PathBuf>, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(top).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("state") {
            continue;
        }
        let link = fs::read_link(&path).ok();
        found.push((path.clone(), link.clone(), fs::read(&path).unwrap_or_default()));
        if path.is_dir() && link.is_none() {
            found.extend(all(&path));
        }
    }
    found.sort();
    found
}

fn refused(swap: fn(&Scene, &Path, &Path)) {
    for (case, name) in cases() {
        let scene = Scene::new();
        (case.arrange)(&scene);
        let runner = Runner::order(&scene, &case);
        let (target, aside) = (scene.path(name), scene.path("twin"));
        swap(&scene, &target, &aside);
        let before = all(scene.dir.path());
        runner.start().0.wait().unwrap();
        let end = runner.run.read().unwrap().unwrap().end.unwrap();
        assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{}: {end:?}", case.kind);
        assert_eq!(all(scene.dir.path()), before, "{}: {end:?}", case.kind);
    }
}

#[test]
fn a_file_that_was_swapped_after_the_preview_is_left_alone() {
    refused(|_, target, aside| {
        twin(target, aside);
        fs::rename(target, aside.with_extension("old")).unwrap();
        fs::rename(aside, target).unwrap();
    });
}

#[test]
fn a_file_that_became_a_link_after_the_preview_is_not_followed() {
    refused(|_, target, aside| {
        fs::rename(target, aside).unwrap();
        symlink(aside, target).unwrap();
    });
}

#[test]
fn a_folder_above_that_became_a_link_after_the_preview_is_not_followed() {
    for (case, _) in cases() {
        let scene = Scene::new();
        (case.arrange)(&scene);
        let runner = Runner::order(&scene, &case);
        // The whole scene moves, its state folder with it, and a link stands in its place.
        let (here, moved) = (scene.dir.path().to_owned(), scene.dir.path().with_extension("moved"));
        fs::rename(&here, &moved).unwrap();
        symlink(&moved, &here).unwrap();
        let before = all(&moved);
        runner.start().0.wait().unwrap();
        let after = all(&moved);
        fs::remove_file(&here).unwrap();
        fs::rename(&moved, &here).unwrap();
        let end = runner.run.read().unwrap().unwrap().end.unwrap();
        assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{}: {end:?}", case.kind);
        assert_eq!(after, before, "{}", case.kind);
    }
}
