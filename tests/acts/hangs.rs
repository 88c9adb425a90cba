//! A file system whose other end takes the question and never answers, over what an action has changed: whoever looks at it
//! afterwards says so, and hangs not.

use crate::scene::{Scene, told};
use crate::trees::root;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use watchkeeper::action::act::Executor;
use watchkeeper::action::kinds::Settled;
use watchkeeper::action::lifecycle::Run;
use watchkeeper::action::recover::{Standing, standing};
use watchkeeper::action::sight;
use watchkeeper::action::verify::Verdict;

/// Until it is dropped nothing below this folder answers.
struct Dead {
    over: PathBuf,
    /// Whoever waits on it gets an error once it is closed.
    _answers: File,
}

impl Dead {
    fn over(folder: &Path) -> Option<Self> {
        let Ok(answers) = File::options().read(true).write(true).open("/dev/fuse") else {
            println!("SKIPPED: fuse: a mount that does not answer");
            return None;
        };
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", answers.as_raw_fd());
        let options = CString::new(options).unwrap();
        if let Err(error) = mount("dead", folder, "fuse", MountFlags::empty(), Some(options.as_c_str())) {
            println!("SKIPPED: fuse: {error}");
            return None;
        }
        Some(Self { over: folder.to_owned(), _answers: answers })
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        unmount(&self.over, UnmountFlags::FORCE | UnmountFlags::DETACH).unwrap();
    }
}

#[test]
fn what_hangs_after_the_effect_is_told_as_unverified_and_after_a_crash_as_not_observed() {
    if !root() {
        return println!("SKIPPED: root: mounts");
    }
    let scene = Scene::new();
    fs::set_permissions(scene.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let app = scene.path("app");
    fs::create_dir_all(app.join("index")).unwrap();
    let table = format!("path = \"{0}/index\"\nbelow = \"{0}\"", app.display());
    let plan = scene.plan("file_set_aside", &table).unwrap();
    let said = "its target showed no sign of life for 2 s.";
    let begun = Instant::now();
    let (looked, progress) = scene.with_runner(plan.clone(), |real| {
        real.lock().and_then(|()| real.accept()).and_then(|()| real.observe()).and_then(|()| real.intent()).unwrap();
        real.step("rename").unwrap_or_else(|error| panic!("{}", error.fault()));
        let dead = Dead::over(&app)?;
        Some((real.verify(), dead))
    });
    let Some((verdict, dead)) = looked else { return };
    assert_eq!(verdict, Verdict::Unverified(said.into()), "{:?}", told(&progress));

    let left = standing(&Run::of(&scene.state(), plan.id), &plan, Some(&progress), true, &[scene.locks()]);
    let Standing::Unknown(Settled::Other(seen)) = left else { panic!("{left:?}") };
    assert_eq!(seen.as_str(), format!("the target cannot be observed ({said})"));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());

    drop(dead);
    let now = sight::settled(&plan).unwrap();
    assert!(matches!(&now, Settled::Done(what) if what.as_str().contains("is set aside as")), "{now:?}");
}
