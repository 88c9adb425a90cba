//! A folder of its own for each console: home, state, temporary files; and what can be seen of it from outside.

use crate::harness::{GUARD, Pty, Spec};
use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_watchkeeper");

/// Root's state lies in one place for the whole machine. Where the kernel allows it, a test's console sees another one.
static OWN_STATE: LazyLock<bool> = LazyLock::new(|| {
    let probe = Command::new("unshare").args(["--mount", "sh", "-c", "mount -t tmpfs none /var/lib"]).output();
    rustix::process::geteuid().is_root() && probe.is_ok_and(|probe| probe.status.success())
});

/// A fresh folder with a plain and short name: paths in it stand whole in an 80×24 plan.
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("wk").tempdir_in("/tmp").unwrap();
        for name in ["t", "home"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file in the folder.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The console with these arguments, on 80×24. It finds no file of this machine's user.
    pub(crate) fn spec(&self, args: &[&str]) -> Spec {
        let private = ["--mount", "sh", "-c", "mount -t tmpfs none /var/lib && exec \"$@\"", "sh", PROGRAM];
        let spec = if *OWN_STATE { Spec::new("unshare").args(private) } else { Spec::new(PROGRAM) };
        let mut spec = spec.args(args.iter().copied());
        for (name, folder) in [("HOME", "home"), ("TMPDIR", "t")] {
            spec.env.push((name.to_owned(), self.path().join(folder).to_str().unwrap().to_owned()));
        }
        spec
    }

    /// A started console.
    pub(crate) fn start(&self, args: &[&str]) -> Pty {
        Pty::spawn(&self.spec(args))
    }

    /// The program without a terminal, to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        let spec = self.spec(args);
        let mut command = Command::new(&spec.program);
        command.args(&spec.args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(spec.env).output().unwrap()
    }

    /// Processes that name this folder in their command line.
    pub(crate) fn processes(&self) -> Vec<String> {
        let ours = self.path().as_os_str().as_bytes();
        let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            entry.file_name().to_str()?.parse::<u32>().ok()?;
            fs::read(entry.path().join("cmdline")).ok()
        });
        lines
            .filter(|line| line.windows(ours.len()).any(|window| window == ours))
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .collect()
    }

    /// No process, no file of a demo.
    pub(crate) fn assert_nothing_is_left(&self) {
        eventually("no process and no file", || {
            (self.processes().is_empty() && fs::read_dir(self.path().join("t")).unwrap().next().is_none()).then_some(())
        });
    }
}

/// Looks until there is something to see.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < GUARD, "never saw {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// That the fastest of several tries keeps a figure: what a busy machine delays is not judged, but ten times the figure is
/// a hang.
pub(crate) fn keeps(what: &str, figure: Duration, tries: &[Duration]) {
    println!("{what}: {tries:?}, may take {figure:?}");
    assert!(tries.iter().all(|took| *took < figure * 10), "{what}: {tries:?}");
    assert!(tries.iter().any(|took| *took < figure), "{what}: {tries:?}, may take {figure:?}");
}

/// The folder of the demo that a console runs on this desk.
pub(crate) fn demo_folder(desk: &Desk) -> PathBuf {
    eventually("the demo's folder", || {
        let entry = fs::read_dir(desk.path().join("t")).unwrap().flatten().next()?;
        let folder = entry.path();
        folder.join("etc/production.toml").exists().then_some(folder)
    })
}

/// The journal of a demo through an open file, so that it can be read to its end when the folder is gone.
pub(crate) struct Trail(File);

impl Trail {
    pub(crate) fn open(demo: &Path) -> Self {
        let folder = demo.join("state/journal");
        // Its first name may be one that it has only while it is made.
        Self(eventually("a journal", || File::open(fs::read_dir(&folder).ok()?.flatten().next()?.path()).ok()))
    }

    /// Every record so far, as text.
    pub(crate) fn text(&mut self) -> String {
        let mut text = String::new();
        self.0.rewind().unwrap();
        self.0.read_to_string(&mut text).unwrap();
        text
    }
}

/// A row of the screen that holds this text.
pub(crate) fn row_with(screen: &vt100::Screen, text: &str) -> Option<String> {
    screen.rows(0, screen.size().1.get()).find(|row| row.contains(text))
}

/// The clock of the first row, in seconds of its day.
pub(crate) fn clock_of(text: &str) -> Option<u32> {
    let row = text.lines().find(|row| row.trim_end().ends_with(" UTC"))?;
    let time = row.trim_end().strip_suffix(" UTC")?.rsplit(' ').next()?;
    let parts: Vec<u32> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    (parts.len() == 3).then(|| (parts[0] * 60 + parts[1]) * 60 + parts[2])
}
