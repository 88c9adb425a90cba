//! What can be acted on here, what it looked like before and after, and whether what was told agrees with it.

use crate::scene::Scene;
use crate::strace::{Fault, Runner};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use watchkeeper::action::kinds::Settled;
use watchkeeper::action::lifecycle::{Outcome, Progress};
use watchkeeper::action::recover::{Standing, standing};
use watchkeeper::sys::paths;

/// One kind on one target.
pub(crate) struct Case {
    pub(crate) kind: &'static str,
    /// Makes what it acts on.
    pub(crate) arrange: fn(&Scene),
    pub(crate) table: fn(&Scene) -> String,
    /// What counts of its target.
    pub(crate) look: fn(&Scene) -> String,
    /// Its effect is one, so FAILED means that nothing was done.
    pub(crate) single: bool,
}

fn write(scene: &Scene, name: &str, text: &str) {
    fs::write(scene.path(name), text).unwrap();
}

fn path(scene: &Scene, name: &str) -> String {
    scene.path(name).display().to_string()
}

fn text(at: &Path) -> String {
    let mode = fs::metadata(at).map_or(0, |meta| meta.mode());
    fs::read_to_string(at).map_or_else(|_| "absent".to_owned(), |text| format!("{mode:o} {text}"))
}

fn folder(scene: &Scene) {
    let folder = scene.path("data");
    fs::create_dir(&folder).unwrap();
    for name in ["a", "b", "c"] {
        fs::write(folder.join(name), name.repeat(3_000)).unwrap();
    }
    fs::create_dir(scene.path("backups")).unwrap();
    for dir in [folder, scene.path("backups")] {
        fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
    }
}

/// Whole copies only: one with its list, and the list's entries are all there.
fn copies(scene: &Scene) -> String {
    let names =
        fs::read_dir(scene.path("backups")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let listed = names.filter(|name| name.ends_with(".sha256")).count();
    format!("{listed} backups")
}

/// Kinds whose effect hangs on files and processes of this host alone.
pub(crate) static CASES: &[Case] = &[
    Case {
        kind: "config_set",
        arrange: |scene| write(scene, "target.toml", "a = 1 # kept\nb = 2\n"),
        table: |scene| {
            format!("file = \"{}\"\nset = [{{ key = \"a\", from = 1, to = 7 }}]", path(scene, "target.toml"))
        },
        look: |scene| text(&scene.path("target.toml")),
        single: true,
    },
    Case {
        kind: "file_set_aside",
        arrange: |scene| write(scene, "target", "before\n"),
        table: |scene| format!("path = \"{}\"\nbelow = \"{}\"", path(scene, "target"), scene.dir.path().display()),
        look: |scene| text(&scene.path("target")),
        single: true,
    },
    Case {
        kind: "file_backup",
        arrange: folder,
        table: |scene| format!("path = \"{}\"\nto = \"{}\"", path(scene, "data"), path(scene, "backups")),
        look: copies,
        single: true,
    },
    Case {
        kind: "file_restore",
        arrange: |scene| {
            write(scene, "target", "before\n");
            write(scene, "copy", "after\n");
        },
        table: |scene| {
            format!("path = \"{}\"\nfrom = \"{}\"\nlist = false", path(scene, "target"), path(scene, "copy"))
        },
        look: |scene| text(&scene.path("target")),
        single: true,
    },
    Case {
        kind: "log_rotate",
        arrange: |scene| write(scene, "target", "before\n"),
        table: |scene| format!("path = \"{}\"\nreopen = \"nothing\"", path(scene, "target")),
        look: |scene| text(&scene.path("target")),
        single: true,
    },
    Case {
        kind: "command",
        arrange: |scene| {
            write(scene, "target", "before\n");
            write(scene, "act", "#!/bin/sh\necho once >> \"$1\"\n");
            fs::set_permissions(scene.path("act"), PermissionsExt::from_mode(0o755)).unwrap();
        },
        table: |scene| format!("argv = [\"{}\", \"{}\"]\nundo = \"none\"", path(scene, "act"), path(scene, "target")),
        look: |scene| text(&scene.path("target")),
        single: true,
    },
];

/// Those of them that rename.
pub(crate) static RENAMED: &[Case] = CASES.split_at(5).0;

/// How a run under a fault ended, by what was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Met {
    /// The fault hit nothing that counts.
    Done,
    /// Told as not done, and it was not.
    NotDone,
    /// Told as unknown.
    Unknown,
}

/// A run, and the world after it.
pub(crate) struct Seen {
    pub(crate) scene: Scene,
    runner: Runner,
    look: fn(&Scene) -> String,
    before: String,
    now: String,
    single: bool,
}

impl Seen {
    /// Carries the case out, with this fault if any.
    pub(crate) fn of(case: &Case, fault: Option<(Fault, u32)>) -> Self {
        let scene = Scene::new();
        (case.arrange)(&scene);
        let before = (case.look)(&scene);
        let runner = Runner::order(&scene, case);
        match fault {
            Some((fault, point)) => runner.broken(fault, point),
            None => assert!(runner.start().wait().unwrap().code().is_some_and(|code| code == 0 || code == 2)),
        }
        let now = (case.look)(&scene);
        Self { scene, runner, look: case.look, before, now, single: case.single }
    }

    /// Whether all that is told is true of the world. `whole` is the same without a fault.
    pub(crate) fn judge(&self, whole: &Self) -> Result<Met, String> {
        let (done, untouched) = (self.now == whole.now, self.now == self.before);
        if !done && !untouched {
            return Err(format!("the target is neither as before nor as after: {:?}", self.now));
        }
        let told = self.runner.run.read().map_err(|fault| format!("its status cannot be read: {fault}"));
        let met = match &told {
            Ok(Some(progress)) if progress.end.is_some() => self.by_end(progress, done)?,
            Ok(progress) => self.by_look(progress.as_ref(), true, done)?,
            Err(_) => self.by_look(None, false, done)?,
        };
        if done && !self.journal().contains("action.intent") {
            return Err("it was done without an intent in the journal".to_owned());
        }
        // Nobody took it over and nobody was told an end: whoever comes first carries it out.
        let fresh = !self.runner.run.is_accepted() && !told.is_ok_and(|told| told.is_some());
        let code = self.runner.start().wait().unwrap().code();
        let then = (self.look)(&self.scene);
        if then != self.now && !fresh {
            return Err(format!("a second runner changed it: {then:?} (exit code {code:?})"));
        }
        Ok(met)
    }

    fn journal(&self) -> String {
        let files = fs::read_dir(self.scene.state().join("journal")).into_iter().flatten();
        files.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok()).collect()
    }

    fn by_end(&self, progress: &Progress, done: bool) -> Result<Met, String> {
        let end = progress.end.as_ref().expect("an end");
        match end.outcome {
            Outcome::Succeeded | Outcome::Unverified if !done => Err(format!("told as executed and is not: {end:?}")),
            Outcome::Refused if done => Err(format!("told as refused and is done: {end:?}")),
            Outcome::Failed if done && self.single && !end.executed => {
                Err(format!("told as failed and is done: {end:?}"))
            }
            Outcome::Succeeded | Outcome::Unverified => Ok(Met::Done),
            Outcome::Refused | Outcome::Failed => Ok(Met::NotDone),
            Outcome::Indeterminate => Ok(Met::Unknown),
        }
    }

    /// What the next console would say of it.
    fn by_look(&self, progress: Option<&Progress>, readable: bool, done: bool) -> Result<Met, String> {
        let said = standing(&self.runner.run, &self.runner.plan, progress, readable, &paths::lock_dirs());
        match &said {
            Standing::NeverStarted | Standing::NothingDone if done => Err(format!("said to be untouched: {said:?}")),
            Standing::Unknown(Settled::Done(_)) if !done => Err(format!("seen as done: {said:?}")),
            Standing::Unknown(Settled::NotDone(_)) if done => Err(format!("seen as not done: {said:?}")),
            Standing::Attach { .. } => Err(format!("nobody is left to hold it: {said:?}")),
            Standing::Unknown(_) => Ok(Met::Unknown),
            Standing::NeverStarted | Standing::NothingDone => Ok(Met::NotDone),
        }
    }
}
