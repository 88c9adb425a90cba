//! Who is in a control group, by the whole path that its manager names: what `cgroup.procs` of it and of those below it
//! say. Another manager's group that only ends alike is another one.

use super::listeners;
use crate::base::Clean;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the trees lie.
const TREES: &str = "/sys/fs/cgroup";
/// Those in which systemd keeps its units: version 2, version 2 beside version 1, version 1.
const KEPT: [&str; 3] = ["", "unified", "systemd"];
/// No more groups below one are looked at.
const MOST: usize = 4_096;
/// So many processes are named.
const NAMED: usize = 3;

/// The processes in a group and below it; 0 stands for those that have no number here.
///
/// # Errors
/// Why nobody can say: also where no process was seen and some of it could not be looked at.
pub fn members(group: &str) -> Result<BTreeSet<u32>, Clean> {
    below(Path::new(TREES), group)
}

fn below(trees: &Path, group: &str) -> Result<BTreeSet<u32>, Clean> {
    let inside = group.trim_start_matches('/');
    let folders = KEPT.map(|tree| trees.join(tree).join(inside));
    let mut open: Vec<PathBuf> =
        folders.into_iter().filter(|folder| listed(folder).is_ok_and(|pids| pids.is_some())).collect();
    if open.is_empty() {
        let shown = Clean::text(group);
        return Err(crate::clean!("{TREES} of this host shows no group {shown} that this login may look at"));
    }
    let (mut found, mut unknown) = (BTreeSet::new(), None);
    for _ in 0..MOST {
        let Some(folder) = open.pop() else { break };
        let looked = listed(&folder).and_then(|pids| Ok((pids, folders_in(&folder)?)));
        match looked {
            Ok((pids, folders)) => {
                found.extend(pids.unwrap_or_default());
                open.extend(folders);
            }
            Err(error) => unknown = Some(crate::clean!("{}: {error}", folder.display())),
        }
    }
    if !open.is_empty() {
        unknown = Some(crate::clean!("more than {MOST} groups are in it"));
    }
    unknown.filter(|_| found.is_empty()).map_or(Ok(found), Err)
}

/// The processes of this very group; `None` once it is gone. One of threads alone is told by the group above it.
fn listed(folder: &Path) -> io::Result<Option<Vec<u32>>> {
    match fs::read_to_string(folder.join("cgroup.procs")) {
        Ok(text) => Ok(Some(text.lines().filter_map(|line| line.trim().parse().ok()).collect())),
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_gone(&error) => Ok(None),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::OPNOTSUPP) => Ok(Some(Vec::new())),
        Err(error) => Err(error),
    }
}

/// A group that is taken away while it is looked at.
fn is_gone(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::NODEV)
}

fn folders_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
        Err(error) => Err(error),
    };
    match entries {
        Ok(entries) => Ok(entries
            .into_iter()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_gone(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Them in words: `4001 (sleep), 4002 (sh) and 3 more`. A name that cannot be seen is left out.
pub fn named(pids: &BTreeSet<u32>) -> Clean {
    let name = |pid: &u32| match (*pid, listeners::name(*pid)) {
        (0, _) => "without a number here".to_owned(),
        (pid, Some(name)) => format!("{pid} ({name})"),
        (pid, None) => pid.to_string(),
    };
    let first: Vec<String> = pids.iter().take(NAMED).map(name).collect();
    let more = pids.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Clean::text(format!("{}{more}", first.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(trees: &Path, group: &str, pids: &str) {
        fs::create_dir_all(trees.join(group)).unwrap();
        fs::write(trees.join(group).join("cgroup.procs"), pids).unwrap();
    }

    #[test]
    fn who_is_in_a_group_is_seen_by_its_whole_path_in_each_tree_of_systemd() {
        for tree in KEPT {
            let trees = tempfile::tempdir().unwrap();
            let at = |group: &str| Path::new(tree).join(group).display().to_string();
            put(trees.path(), &at("machine.slice/x.scope/system.slice/nginx.service"), "9\n");
            let look = || below(trees.path(), "/system.slice/nginx.service");
            let unknown = look().unwrap_err();
            assert!(unknown.as_str().contains("shows no group /system.slice/nginx.service"), "{tree}: {unknown}");
            put(trees.path(), &at("system.slice/nginx.service"), "");
            assert_eq!(look(), Ok(BTreeSet::new()), "{tree}: a container's nginx is not the host's");
            put(trees.path(), &at("system.slice/nginx.service/worker"), "7\n0\n");
            assert_eq!(look(), Ok(BTreeSet::from([0, 7])), "{tree}");
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_nobody() {
        let trees = tempfile::tempdir().unwrap();
        put(trees.path(), "a.service", "");
        // What is no text is no list either, for root too.
        fs::create_dir_all(trees.path().join("a.service/closed/cgroup.procs")).unwrap();
        let look = || below(trees.path(), "/a.service");
        assert!(look().unwrap_err().as_str().contains("a.service/closed: "), "{:?}", look());
        put(trees.path(), "a.service", "7\n");
        assert_eq!(look(), Ok(BTreeSet::from([7])), "one that is seen is enough");
    }

    #[test]
    fn processes_are_named_as_far_as_they_can_be_seen() {
        let own = std::process::id();
        let name = listeners::name(own).unwrap();
        assert_eq!(named(&BTreeSet::from([own])).as_str(), format!("{own} ({name})"));
        let gone = [4_000_000_001, 4_000_000_002, 4_000_000_003];
        let all: BTreeSet<u32> = [0].into_iter().chain(gone).collect();
        assert_eq!(named(&all).as_str(), "without a number here, 4000000001, 4000000002 and 1 more");
    }
}
