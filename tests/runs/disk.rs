//! A disk without room: steps stay in memory, that is told, and nothing is lost.

use super::scene::*;
use std::fs;
use std::path::Path;
use std::process::Command;
use watchkeeper::procedure::walk::Said;
use watchkeeper::roles::procedures::Told;

/// A small file system of its own, gone with the test.
struct Small(tempfile::TempDir);

impl Small {
    fn new(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let made = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"])
            .arg(dir.path())
            .stderr(std::process::Stdio::null())
            .status();
        made.is_ok_and(|status| status.success()).then_some(Self(dir))
    }

    fn fill(&self) {
        let full = fs::write(self.0.path().join("filler"), vec![0; 1 << 20]);
        assert!(full.is_err(), "there is room");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_a_run_first_uses_its_reserve_and_then_says_what_is_in_memory_alone() {
    let Some(small) = Small::new("512k") else { return eprintln!("skipped: may not mount") };
    let mut keeper = keeper(small.path(), "oncall");
    let mut walk = begin(&mut keeper, RUN);
    small.fill();
    say(&mut walk, &mut keeper, Said::Observed("on the reserve".into()));
    assert!(keeper.heartbeat(now()).is_empty());
    let long = "x".repeat(30_000);
    let mut failed = None;
    for _ in 0..6 {
        let why = watchkeeper::base::Clean::text(&long);
        let steps = walk.say(Said::Defer(None, why), &"oncall".into(), now()).unwrap();
        failed = failed.or(keeper.append(RUN, &steps, now()).err());
        let item = walk.open_items().next().map(|(at, _)| at).unwrap();
        let steps = walk.say(Said::Reopen(item), &"oncall".into(), now()).unwrap();
        failed = failed.or(keeper.append(RUN, &steps, now()).err());
    }
    let why = failed.expect("no room any more");
    assert!(why.to_string().contains("No space left"), "{why}");
    let told = keeper.heartbeat(now());
    assert!(matches!(&told[..], [Told::Unrecorded(RUN, lines, _)] if *lines > 0), "{told:?}");
    let before = found(small.path()).remove(0).steps.len();
    assert!(before >= 3, "what was on disk before is there still");
    fs::remove_file(small.path().join("filler")).unwrap();
    assert!(matches!(&keeper.heartbeat(now())[..], [Told::Recorded(RUN)]));
    assert!(keeper.heartbeat(now()).is_empty() && keeper.unrecorded(RUN) == 0);
    drop(keeper);
    let (again, _) = found(small.path()).remove(0).walk(document()).unwrap();
    assert_eq!((again.marks, again.current), (walk.marks, walk.current));
}

#[test]
fn a_run_that_begins_on_a_full_disk_is_kept_until_there_is_room() {
    let Some(small) = Small::new("64k") else { return eprintln!("skipped: may not mount") };
    small.fill();
    let mut keeper = keeper(small.path(), "oncall");
    let (walk, steps) = watchkeeper::procedure::walk::Walk::begin(RUN, document(), &"oncall".into(), now());
    let source = watchkeeper::roles::procedures::Source::of(&walk.document, TEXT.to_owned());
    assert!(keeper.begin(RUN, source, &steps, now()).is_err());
    assert_eq!(keeper.unrecorded(RUN), 3);
    fs::remove_file(small.path().join("filler")).unwrap();
    assert!(matches!(&keeper.heartbeat(now())[..], [Told::Recorded(RUN)]));
    let (again, _) = found(small.path()).remove(0).walk(document()).unwrap();
    assert_eq!(again.marks, walk.marks);
}
