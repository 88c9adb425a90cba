//! The backups that edits of one configuration file have left in their run folders: the newest few are kept. Which ones
//! go is in the plan; they go once the edit whose own backup was read back is in place.

use super::lifecycle::{Run, runs};
use super::plan::Target;
use crate::base::{Clean, Ulid};
use std::path::Path;

/// So many are kept of a file, the newest among them.
const KEPT: usize = 10;
/// One edit removes no more: the prompt names each.
const MOST: usize = 3;

/// The edits of `file` whose backups the next edit removes, oldest first. Of a run without an outcome none is removed.
pub fn too_many(state: &Path, file: &Path) -> Vec<Ulid> {
    let on = |target: &Target| matches!(target, Target::File { path, .. } if path == file);
    let of_file = |(run, plan, told): (Run, super::plan::Plan, Option<super::lifecycle::Progress>)| {
        let edit = plan.what.kind.starts_with("config_") && plan.targets.iter().any(on);
        let over = told.is_some_and(|told| told.end.is_some());
        (edit && over && run.backup_of(file).is_file()).then_some(plan.id)
    };
    let found: Vec<Ulid> = runs(state).0.into_iter().filter_map(of_file).collect();
    let gone = found.len().saturating_sub(KEPT - 1).min(MOST);
    found.into_iter().take(gone).collect()
}

/// What a plan says of it, under HITS.
pub fn told(state: &Path, file: &Path, old: &[Ulid]) -> Vec<Clean> {
    let path = |id: &Ulid| Run::of(state, *id).backup_of(file);
    let line = |id| crate::clean!("removes an old backup ({KEPT} are kept): {}", path(id).display());
    old.iter().map(line).collect()
}

/// Removes them; what was done, in words: empty where there was nothing to remove.
pub fn remove(run: &Run, file: &Path, old: &[Ulid]) -> Clean {
    let Some(state) = run.state_dir() else { return Clean::default() };
    let gone = |id: &&Ulid| std::fs::remove_file(Run::of(state, **id).backup_of(file)).is_ok();
    match (old.len(), old.iter().filter(gone).count()) {
        (0, _) => Clean::default(),
        (all, gone) if gone < all => crate::clean!("; {gone} of {all} old backups removed, the rest cannot be"),
        (_, gone) => crate::clean!("; {gone} old backup{} removed", if gone == 1 { "" } else { "s" }),
    }
}
