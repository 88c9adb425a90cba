//! Where our own files live (design.md §4): state, and the locks that all logins share.

use super::trust::{Owners, folder};
use crate::base::Fault;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The state folder of this login: `/var/lib/watchkeeper` as root, else under `XDG_STATE_HOME` or `~/.local/state`.
/// `None` when neither is known: then nothing can be recorded, so nothing may act.
pub fn state_dir() -> Option<PathBuf> {
    state_dir_of(rustix::process::geteuid().is_root(), &|name| std::env::var_os(name))
}

/// [`state_dir`] for a given login and environment.
pub fn state_dir_of(root: bool, lookup: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if root {
        return Some(PathBuf::from("/var/lib/watchkeeper"));
    }
    let absolute = |name: &str| lookup(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map(|base| base.join("watchkeeper"))
}

/// The folder of what this login runs: sockets of its own services.
pub fn runtime_dir() -> Option<PathBuf> {
    std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The folder for target locks, or none. Every login of this host comes to the same one, so it is chosen by its mode
/// and not by what this login may write: the first that anybody may write and only owners may take away from.
pub fn lock_dirs() -> Vec<PathBuf> {
    let shared = |path: &PathBuf| path.metadata().is_ok_and(|it| it.is_dir() && it.mode() & 0o1777 == 0o1777);
    ["/run/lock", "/tmp"].map(PathBuf::from).into_iter().find(shared).into_iter().collect()
}

/// The journal's folder in a state folder.
pub fn journal_dir(state: &Path) -> PathBuf {
    state.join("journal")
}

/// The folder of all action runs in a state folder.
pub fn actions_dir(state: &Path) -> PathBuf {
    state.join("actions")
}

/// The folder of all runs of procedures in a state folder.
pub fn runs_dir(state: &Path) -> PathBuf {
    state.join("runs")
}

/// Judges a state folder, and in it those of journal, actions and procedures where they are there, with every folder above
/// them (safety.md 4.8): whoever may write to one of them can put other files in the place of ours.
///
/// # Errors
/// The first that breaks a rule, which rule, and how to mend it.
pub fn judge_state(state: &Path) -> Result<(), Fault> {
    let all = [state.to_owned(), journal_dir(state), actions_dir(state), runs_dir(state)];
    let mut there = all.iter().filter(|path| path.symlink_metadata().is_ok());
    there.try_for_each(|path| folder(path, Owners::effective()).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, create_dir, set_permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_state_folder_that_others_may_write_or_that_a_link_leads_to_is_told_with_path_and_rule() {
        let dir = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
        let (above, state) = (dir.path().join("above"), dir.path().join("above/state"));
        for path in [&above, &state, &journal_dir(&state)] {
            create_dir(path).unwrap();
            set_permissions(path, Permissions::from_mode(0o700)).unwrap();
        }
        let said = |state: &Path| judge_state(state).map_err(|fault| fault.to_string());
        assert_eq!(said(&state), Ok(()), "what is not there yet is made by us");
        for loose in [&above, &state, &journal_dir(&state)] {
            set_permissions(loose, Permissions::from_mode(0o770)).unwrap();
            let (why, name) = (said(&state).unwrap_err(), loose.display());
            assert_eq!(why, format!("{name}: others may write to this folder (mode 0770). Mend it: chmod go-w {name}"));
            set_permissions(loose, Permissions::from_mode(0o700)).unwrap();
        }
        symlink(&state, actions_dir(&state)).unwrap();
        assert!(said(&state).unwrap_err().contains("/actions` is a symbolic link."));
    }

    #[test]
    fn locks_lie_where_every_login_may_write_and_none_may_take_away_another_s() {
        let dirs = lock_dirs();
        assert_eq!(dirs.len(), 1, "two logins would come to different ones");
        assert_eq!(dirs[0].metadata().unwrap().mode() & 0o1777, 0o1777);
    }

    #[test]
    fn the_state_folder_follows_the_login_and_never_a_relative_path() {
        let env = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        let of = |root, pairs| state_dir_of(root, &env(pairs));
        assert_eq!(of(true, &[]), Some("/var/lib/watchkeeper".into()));
        assert_eq!(of(false, &[("HOME", "/home/a")]), Some("/home/a/.local/state/watchkeeper".into()));
        assert_eq!(of(false, &[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]), Some("/s/watchkeeper".into()));
        assert_eq!(of(false, &[("XDG_STATE_HOME", "here")]), None);
    }
}
