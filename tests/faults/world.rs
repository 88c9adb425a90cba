//! What can be acted on here, what it looked like before and after, and whether what was told agrees with it.

use crate::scene::Scene;
use crate::strace::{Fault, Point, Runner};
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
    /// Makes what it acts on, anew for each run.
    pub(crate) arrange: Box<dyn Fn(&Scene)>,
    pub(crate) table: Box<dyn Fn(&Scene) -> String>,
    /// What counts of its target, once that is at rest.
    pub(crate) look: Box<dyn Fn(&Scene) -> String>,
    /// Its effects are several: some of them may be done, but then that is told.
    pub(crate) parts: bool,
    /// It changes nothing, whatever happens.
    pub(crate) looks: bool,
    /// What it acts through, where a kind has several.
    pub(crate) through: &'static str,
    /// A runner that takes longer is ended, in seconds.
    pub(crate) limit: u32,
}

impl Case {
    pub(crate) fn new(
        kind: &'static str,
        arrange: impl Fn(&Scene) + 'static,
        table: impl Fn(&Scene) -> String + 'static,
        look: impl Fn(&Scene) -> String + 'static,
    ) -> Self {
        let (arrange, table, look) = (Box::new(arrange), Box::new(table), Box::new(look));
        Self { kind, arrange, table, look, parts: false, looks: false, through: "", limit: 15 }
    }

    /// As the table of the matrix names it.
    pub(crate) fn name(&self) -> String {
        if self.through.is_empty() { self.kind.to_owned() } else { format!("{} ({})", self.kind, self.through) }
    }

    pub(crate) fn in_parts(self) -> Self {
        Self { parts: true, ..self }
    }
}

pub(crate) fn write(scene: &Scene, name: &str, text: &str) {
    fs::write(scene.path(name), text).unwrap();
}

pub(crate) fn path(scene: &Scene, name: &str) -> String {
    scene.path(name).display().to_string()
}

pub(crate) fn text(at: &Path) -> String {
    let mode = fs::metadata(at).map_or(0, |meta| meta.mode());
    fs::read_to_string(at).map_or_else(|_| "absent".to_owned(), |text| format!("{mode:o} {text}"))
}

/// A folder that others may enter and not change, in one of which the same holds.
pub(crate) fn place(scene: &Scene, name: &str) {
    fs::create_dir(scene.path(name)).unwrap();
    for dir in [scene.dir.path(), &scene.path(name)] {
        fs::set_permissions(dir, PermissionsExt::from_mode(0o755)).unwrap();
    }
}

fn folder(scene: &Scene) {
    place(scene, "data");
    place(scene, "backups");
    for name in ["a", "b", "c"] {
        fs::write(scene.path("data").join(name), name.repeat(3_000)).unwrap();
    }
}

/// Whole copies only: one with its list, and the list's entries are all there.
pub(crate) fn copies(scene: &Scene) -> String {
    let names =
        fs::read_dir(scene.path("backups")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let listed = names.filter(|name| name.ends_with(".sha256")).count();
    format!("{listed} backups")
}

/// Kinds whose effect hangs on files and processes of this host alone.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "config_set",
            |scene| write(scene, "target.toml", "a = 1 # kept\nb = 2\n"),
            |scene| format!("file = \"{}\"\nset = [{{ key = \"a\", from = 1, to = 7 }}]", path(scene, "target.toml")),
            |scene| text(&scene.path("target.toml")),
        ),
        Case::new(
            "file_set_aside",
            |scene| write(scene, "target", "before\n"),
            |scene| format!("path = \"{}\"\nbelow = \"{}\"", path(scene, "target"), scene.dir.path().display()),
            |scene| text(&scene.path("target")),
        ),
        Case::new(
            "file_backup",
            folder,
            |scene| format!("path = \"{}\"\nto = \"{}\"", path(scene, "data"), path(scene, "backups")),
            copies,
        ),
        Case::new(
            "file_restore",
            |scene| {
                write(scene, "target", "before\n");
                write(scene, "copy", "after\n");
            },
            |scene| format!("path = \"{}\"\nfrom = \"{}\"\nlist = false", path(scene, "target"), path(scene, "copy")),
            |scene| text(&scene.path("target")),
        ),
        Case::new(
            "log_rotate",
            |scene| write(scene, "target", "before\n"),
            |scene| format!("path = \"{}\"\nreopen = \"nothing\"", path(scene, "target")),
            |scene| text(&scene.path("target")),
        ),
        command("echo once >> \"$1\""),
    ]
}

/// A value of the kernel that is ours to set and of no consequence, as it was before once this is over.
struct Switch(String);

impl Switch {
    const PATH: &str = "/proc/sys/kernel/printk_ratelimit_burst";

    fn hold() -> Option<Self> {
        let old = fs::read_to_string(Self::PATH).ok()?;
        let held = fs::write(Self::PATH, old.trim()).is_ok();
        if !held {
            crate::peer::skip("cgroup", "no switch of the kernel can be written here");
        }
        held.then_some(Self(old))
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        fs::write(Self::PATH, self.0.trim()).unwrap();
    }
}

/// Switches of the kernel, and the ways back from an edit and from a backup.
pub(crate) fn more() -> Vec<Case> {
    let switch = Switch::hold().map(|held| {
        Case::new(
            "sysfs_write",
            move |_| fs::write(Switch::PATH, held.0.trim()).unwrap(),
            |_| format!("path = \"{}\"\nvalue = \"17\"", Switch::PATH),
            |_| fs::read_to_string(Switch::PATH).unwrap(),
        )
    });
    let restore = Case::new(
        "config_restore",
        |scene| {
            write(scene, "target.toml", "a = 1 # kept\nb = 2\n");
            let file = format!("file = \"{}\"", path(scene, "target.toml"));
            let (end, _) = scene.carry("config_set", &format!("{file}\nset = [{{ key = \"a\", from = 1, to = 7 }}]"));
            assert!(end.executed, "{end:?}");
        },
        |scene| format!("of = \"the-action\"\nfile = \"{}\"", path(scene, "target.toml")),
        |scene| text(&scene.path("target.toml")),
    );
    let remove = Case::new(
        "backup_remove",
        |scene| {
            folder(scene);
            let (data, to) = (path(scene, "data"), path(scene, "backups"));
            let (end, _) = scene.carry("file_backup", &format!("path = \"{data}\"\nto = \"{to}\""));
            assert!(end.executed, "{end:?}");
        },
        |scene| {
            let names = fs::read_dir(scene.path("backups")).unwrap().map(|entry| entry.unwrap().path());
            format!("of = \"the-action\"\ncopy = \"{}\"", names.min().unwrap().display())
        },
        copies,
    );
    [restore, remove].into_iter().chain(switch).collect()
}

/// A program that adds a line to its target.
pub(crate) fn command(script: &'static str) -> Case {
    Case::new(
        "command",
        move |scene| {
            write(scene, "target", "before\n");
            write(scene, "act", &format!("#!/bin/sh\n{script}\n"));
            fs::set_permissions(scene.path("act"), PermissionsExt::from_mode(0o755)).unwrap();
        },
        |scene| format!("argv = [\"{}\", \"{}\"]\nundo = \"none\"", path(scene, "act"), path(scene, "target")),
        |scene| text(&scene.path("target")),
    )
}

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
pub(crate) struct Seen<'a> {
    pub(crate) scene: Scene,
    runner: Runner,
    case: &'a Case,
    before: String,
    now: String,
}

impl<'a> Seen<'a> {
    /// Carries the case out, with this fault if any; without one it works.
    pub(crate) fn of(case: &'a Case, fault: Option<(Fault, &Point)>) -> Self {
        let seen = Self::however(case, fault);
        let told = seen.runner.run.read();
        assert!(
            fault.is_some() || seen.outcome().is_some_and(|told| told != Outcome::Failed && told != Outcome::Refused),
            "{}: {told:?}",
            case.kind
        );
        seen
    }

    /// The same, however it ends: what it acts through may have a fault of its own.
    pub(crate) fn however(case: &'a Case, fault: Option<(Fault, &Point)>) -> Self {
        let scene = Scene::new();
        (case.arrange)(&scene);
        let before = (case.look)(&scene);
        let runner = Runner::order(&scene, case);
        match fault {
            Some((fault, point)) => runner.broken(fault, point),
            None => drop(runner.start().0.wait().unwrap()),
        }
        let now = (case.look)(&scene);
        Self { scene, runner, case, before, now }
    }

    /// Whether the look tells before from after, or proves that nothing is changed by what only looks.
    pub(crate) fn proves(&self) -> bool {
        (self.now != self.before) != self.case.looks
    }

    /// Whether this is what its target came to.
    pub(crate) fn is_as(&self, now: &str) -> bool {
        self.now == now
    }

    /// How it was told to have ended, if it was.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.runner.run.read().unwrap()?.end.map(|end| end.outcome)
    }

    /// Whether all that is told is true of the world. `whole` is the same without a fault.
    pub(crate) fn judge(&self, whole: &Self) -> Result<Met, String> {
        let (done, untouched) = (self.now == whole.now, self.now == self.before);
        let partly = !done && !untouched;
        if partly && !self.case.parts {
            return Err(format!("the target is neither as before nor as after: {:?}", self.now));
        }
        let told = self.runner.run.read().map_err(|fault| format!("its status cannot be read: {fault}"));
        let met = match &told {
            Ok(Some(progress)) if progress.end.is_some() => self.by_end(progress, done)?,
            Ok(progress) => self.by_look(progress.as_ref(), true, done)?,
            Err(_) => self.by_look(None, false, done)?,
        };
        if partly && (met == Met::Done || met == Met::NotDone && !self.tells_of_a_step()) {
            return Err(format!("told as {met:?} and is done in part: {:?}", self.now));
        }
        if !untouched && !self.journal().contains("action.intent") {
            return Err("it was done without an intent in the journal".to_owned());
        }
        // Nobody took it over and nobody was told an end: whoever comes first carries it out.
        let fresh = !self.runner.run.is_accepted() && !told.is_ok_and(|told| told.is_some());
        let code = self.runner.start().0.wait().unwrap().code();
        let then = (self.case.look)(&self.scene);
        if then != self.now && !fresh {
            return Err(format!("a second runner changed it: {then:?} (exit code {code:?})"));
        }
        Ok(met)
    }

    /// A failure after a first effect names that.
    fn tells_of_a_step(&self) -> bool {
        let told = self.runner.run.read().ok().flatten().and_then(|told| told.end);
        told.is_some_and(|end| end.outcome == Outcome::Failed && end.reason.as_str().contains("done before it"))
    }

    fn journal(&self) -> String {
        let files = fs::read_dir(self.scene.state().join("journal")).into_iter().flatten();
        files.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok()).collect()
    }

    fn by_end(&self, progress: &Progress, done: bool) -> Result<Met, String> {
        let end = progress.end.as_ref().expect("an end");
        match end.outcome {
            Outcome::Succeeded | Outcome::Unverified if !done => Err(format!("told as executed and is not: {end:?}")),
            Outcome::Refused if self.now != self.before => {
                Err(format!("told as refused and something is done: {end:?}"))
            }
            Outcome::Failed if done && !end.executed && !self.case.looks => {
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
            Standing::NeverStarted | Standing::NothingDone if self.now != self.before => {
                Err(format!("said to be untouched: {said:?}"))
            }
            Standing::Unknown(Settled::Done(_)) if !done => Err(format!("seen as done: {said:?}")),
            Standing::Unknown(Settled::NotDone(_)) if self.now != self.before => {
                Err(format!("seen as not done: {said:?}"))
            }
            Standing::Attach { .. } => Err(format!("nobody is left to hold it: {said:?}")),
            Standing::Unknown(_) => Ok(Met::Unknown),
            Standing::NeverStarted | Standing::NothingDone => Ok(Met::NotDone),
        }
    }
}
