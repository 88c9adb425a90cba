//! Whole trees of files, by descriptor: no link is followed, no mount is crossed, nothing can be swapped between a look
//! and a use. Surveyed, copied with owners, modes, attributes, times, holes and links, read back, removed.

mod copy;
mod list;
mod owners;
mod place;
mod seal;
mod survey;
mod walk;

pub use copy::{Copied, Progress, beginning, copy, empty_like, read_back, remove, take_on};
pub use list::{Head, Listed, read_list, write_list};
pub use owners::{Given, Owned, Owners, give, owners, read_owners, write_owners};
pub use place::{Place, Room};
pub use seal::{Seal, seal};
pub use survey::{Findings, Survey, survey};
pub use walk::{MOST, Seen, Visit, walk};

#[cfg(test)]
mod tests {
    use super::walk::DEEPEST;
    use super::*;
    use crate::sys::entry::Entry;
    use std::fs;
    use std::path::PathBuf;

    fn planted() -> (tempfile::TempDir, Entry, Place) {
        let dir = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
        fs::create_dir_all(dir.path().join("tree/deep")).unwrap();
        fs::write(dir.path().join("tree/a"), vec![1; 600_000]).unwrap();
        fs::write(dir.path().join("tree/deep/b"), "b").unwrap();
        let (entry, place) = (Entry::open(&dir.path().join("tree")).unwrap(), Place::trusted(dir.path()).unwrap());
        (dir, entry, place)
    }

    #[test]
    fn a_file_that_is_written_to_while_it_is_copied_is_an_error() {
        let (dir, entry, place) = planted();
        let told = copy(&entry, &place, "copy", &mut |done| {
            if done.files == 0 {
                fs::write(dir.path().join("tree/a"), vec![2; 600_000]).unwrap();
            }
            true
        });
        let said = told.err().unwrap().to_string();
        assert!(said.contains("/tree/a: it is being written to"), "{said}");
        let said = copy(&entry, &place, "longer", &mut |done| {
            if done.files == 0 && fs::metadata(dir.path().join("tree/a")).unwrap().len() == 600_000 {
                fs::write(dir.path().join("tree/a"), vec![2; 600_007]).unwrap();
            }
            true
        });
        let said = said.err().unwrap().to_string();
        assert!(said.contains("7 bytes more by now") && said.contains("what its rotation has left"), "{said}");
        let said = copy(&entry, &place, "other", &mut |done| {
            if done.files == 0 {
                fs::write(dir.path().join("tree/a"), "short").unwrap();
            }
            true
        });
        assert!(said.err().unwrap().to_string().contains("it became shorter while it was read"));
        for name in ["copy", "longer", "other", "never there"] {
            remove(&place, name).unwrap();
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn while_it_is_made_a_copy_is_out_of_reach_of_others() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, entry, place) = planted();
        fs::set_permissions(dir.path().join("tree"), PermissionsExt::from_mode(0o755)).unwrap();
        let mode = || fs::metadata(dir.path().join("copy")).unwrap().permissions().mode() & 0o777;
        copy(&entry, &place, "copy", &mut |_| mode() == 0o700).unwrap();
        assert_eq!(mode(), 0o755);
    }

    #[test]
    fn a_folder_that_becomes_a_link_on_the_way_is_not_followed() {
        let (dir, entry, place) = planted();
        fs::create_dir(dir.path().join("secret")).unwrap();
        fs::write(dir.path().join("secret/b"), "not to be copied").unwrap();
        let deep = dir.path().join("tree/deep");
        let copied = copy(&entry, &place, "copy", &mut |_| {
            if deep.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
                fs::rename(&deep, dir.path().join("was")).unwrap();
                std::os::unix::fs::symlink(dir.path().join("secret"), &deep).unwrap();
            }
            true
        });
        assert_eq!(copied.unwrap().rows.len(), 1);
        assert!(dir.path().join("copy/deep").symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    fn progress_grows_to_the_whole() {
        let (dir, entry, place) = planted();
        let told = core::cell::RefCell::new(Vec::new());
        let mut tell = |done| {
            told.borrow_mut().push(done);
            true
        };
        let rows = copy(&entry, &place, "copy", &mut tell).unwrap().rows;
        let whole = Progress { files: 2, bytes: 600_001 };
        let first = told.take();
        assert!(first.len() > 4 && first.windows(2).all(|two| two[0].bytes <= two[1].bytes), "{first:?}");
        assert_eq!(first.last(), Some(&whole));
        let copied = Entry::open(&dir.path().join("copy")).unwrap();
        read_back(&copied, &rows, &mut tell).unwrap();
        assert_eq!(told.take().last(), Some(&whole));
        // Whoever wants no more is heard at once, in a file and in the hole of one.
        let said = |told: Result<(), _>| told.map_err(|fault: crate::base::Fault| fault.to_string()).unwrap_err();
        assert!(said(read_back(&copied, &rows, &mut |done| done.bytes == 0)).ends_with("/a: the operator ended it."));
        assert!(said(copy(&entry, &place, "more", &mut |_| false).map(drop)).ends_with("/a: the operator ended it."));
        fs::File::create(dir.path().join("hole")).unwrap().set_len(1 << 40).unwrap();
        let hole = Entry::open(&dir.path().join("hole")).unwrap();
        assert!(said(copy(&hole, &place, "far", &mut |_| false).map(drop)).ends_with("/hole: the operator ended it."));
    }

    #[test]
    fn only_what_was_meant_is_replaced() {
        use crate::sys::held::Broken;
        let (dir, entry, place) = planted();
        fs::create_dir(dir.path().join("new")).unwrap();
        let other = crate::sys::entry::EntryId { ino: entry.id().ino + 1, ..entry.id().clone() };
        let told = place.replace("tree", &other, "new", "kept");
        assert!(matches!(told, Err(Broken::Untouched(_))) && entry.id() == Entry::open(entry.path()).unwrap().id());
        // What would be kept under a name that is taken is not lost.
        fs::write(dir.path().join("kept"), "").unwrap();
        assert!(matches!(place.replace("tree", entry.id(), "new", "kept"), Err(Broken::Unknown(_))));
        assert_eq!(Entry::open(&dir.path().join("new")).unwrap().id(), entry.id());
        fs::remove_file(dir.path().join("kept")).unwrap();
    }

    #[test]
    fn reading_back_finds_what_differs_is_missing_or_was_added() {
        let (dir, entry, place) = planted();
        let rows = copy(&entry, &place, "copy", &mut |_| true).unwrap().rows;
        let copied = Entry::open(&dir.path().join("copy")).unwrap();
        let read = || read_back(&copied, &rows, &mut |_| true).map_err(|fault| fault.to_string());
        assert_eq!(read(), Ok(()));
        let b = dir.path().join("copy/deep/b");
        fs::write(&b, "c").unwrap();
        assert!(read().unwrap_err().contains("/copy/deep/b does not read back as it was written."));
        fs::remove_file(&b).unwrap();
        assert!(read().unwrap_err().contains("/copy/deep/b is missing."));
        fs::write(&b, "b").unwrap();
        fs::write(dir.path().join("copy/more"), "").unwrap();
        assert!(read().unwrap_err().contains("/copy/more is not on the list."));
    }

    #[test]
    fn removing_a_tree_does_not_follow_its_links() {
        let (dir, _, place) = planted();
        std::os::unix::fs::symlink(dir.path().join("tree"), dir.path().join("link")).unwrap();
        fs::create_dir(dir.path().join("doomed")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("tree"), dir.path().join("doomed/link")).unwrap();
        remove(&place, "doomed").unwrap();
        remove(&place, "link").unwrap();
        assert_eq!(fs::read_dir(dir.path().join("tree")).unwrap().count(), 2);
    }

    #[test]
    fn no_tree_is_deeper_than_we_go() {
        let (dir, _, _) = planted();
        let deep: PathBuf = std::iter::repeat_n("d", DEEPEST + 1).collect();
        fs::create_dir_all(dir.path().join("tree").join(deep)).unwrap();
        let said = survey(&Entry::open(&dir.path().join("tree")).unwrap(), None).unwrap_err().to_string();
        assert!(said.contains("or is nested too deep"), "{said}");
    }
}
