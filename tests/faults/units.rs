//! A unit of a real systemd is restarted, and the runner, the `systemctl` of it or the console dies on the way.

use crate::lost::Bench;
use crate::peer::{self, Peer};
use crate::scene::{Scene, copied_script};
use crate::strace::{self, CHANGES, Point, inject};
use crate::world::{Case, Met, Seen, path, write};
use rustix::process::Signal;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use watchkeeper::action::lifecycle::Outcome;

/// A systemd with one unit, which writes a line for each of its starts. Its name is its own: it is what is locked.
struct Units {
    name: String,
    peer: Peer,
    dir: PathBuf,
}

impl Units {
    fn start(name: &str) -> Option<Rc<Self>> {
        let name = format!("{name}-{}.service", std::process::id());
        let peer = peer::start("systemd")?;
        let units = PathBuf::from(peer.env("SYSTEMD_UNIT_DIR"));
        let dir = units.parent().unwrap().to_owned();
        let starts = format!("/bin/sh -c 'echo started >> {}/starts; exec sleep 1000'", dir.display());
        let unit = "[Unit]\nDefaultDependencies=no\nStartLimitIntervalSec=0\n[Service]\nExecStart=";
        let reload = format!("ExecReload=/bin/sh -c 'echo reloaded >> {}/starts'", dir.display());
        fs::write(units.join(&name), format!("{unit}{starts}\n{reload}\n")).unwrap();
        let units = Self { name, peer, dir };
        units.systemctl(&["daemon-reload"]);
        Some(Rc::new(units))
    }

    fn systemctl(&self, words: &[&str]) -> String {
        let output = self.peer.exec(&[&["systemctl"], words].concat());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn starts(&self) -> PathBuf {
        self.dir.join("starts")
    }

    /// It runs, and no start counts yet.
    fn begin(&self) {
        self.systemctl(&["start", &self.name]);
        assert!(self.look().ends_with("active"), "it starts");
        fs::write(self.starts(), "").unwrap();
    }

    /// Once systemd has nothing left to do for it.
    fn look(&self) -> String {
        loop {
            let said = self.systemctl(&["show", "-p", "Job", "-p", "ActiveState", &self.name]);
            let state = said.lines().find_map(|line| line.strip_prefix("ActiveState=")).unwrap_or_default().to_owned();
            if said.lines().any(|line| line == "Job=") && !state.ends_with("ing") {
                let starts = fs::read_to_string(self.starts()).unwrap_or_default();
                return format!("{} starts, {state}", starts.lines().count());
            }
        }
    }

    /// The table of a service whose programs are run behind `before`.
    fn table(&self, folder: &Path, before: &[String]) -> String {
        let script = copied_script(folder, "systemd.sh").display().to_string();
        let dir = self.dir.display().to_string();
        let program = |name: &str| {
            let words = [script.clone(), "exec".to_owned(), dir.clone(), name.to_owned()];
            format!("{name} = {:?}", before.iter().cloned().chain(words).collect::<Vec<_>>())
        };
        let programs = format!("{}, {}", program("systemctl"), program("journalctl"));
        format!("service = {{ kind = \"systemd\", unit = \"{}\", {programs} }}\nstable_for = \"1s\"", self.name)
    }
}

fn restart(units: &Rc<Units>, before: impl Fn(&Scene) -> Vec<String> + 'static) -> Case {
    let [begins, at, looks] = [(); 3].map(|()| Rc::clone(units));
    let case = Case::new(
        "service_restart",
        move |_| begins.begin(),
        move |scene| at.table(scene.dir.path(), &before(scene)),
        move |_| looks.look(),
    );
    Case { limit: 30, through: "systemd", ..case.in_parts() }
}

/// The other things that a manager is asked for, and limits in a file of their own.
pub(crate) fn asked() -> Vec<Case> {
    let Some(units) = Units::start("asked") else { return Vec::new() };
    let case = |kind, arrange: fn(&Units)| {
        let [begins, at, looks] = [(); 3].map(|()| Rc::clone(&units));
        let table = move |scene: &Scene| at.table(scene.dir.path(), &[]);
        let case = Case::new(kind, move |_| arrange(&begins), table, move |_| looks.look());
        Case { limit: 30, ..case.in_parts() }
    };
    let stopped = |units: &Units| {
        units.begin();
        units.systemctl(&["stop", &units.name]);
    };
    let failed = |units: &Units| {
        units.begin();
        units.systemctl(&["kill", "-s", "KILL", &units.name]);
        while !units.look().ends_with("failed") {}
    };
    let mut all = vec![limited(&units), case("service_stop", Units::begin)];
    if strace::long() {
        all.push(case("service_start", stopped));
        all.push(case("service_reload", Units::begin));
        all.push(case("service_reset_failed", failed));
    }
    all
}

/// A limit of the unit, and a restart so that it counts.
fn limited(units: &Rc<Units>) -> Case {
    let [begins, at, looks] = [(); 3].map(|()| Rc::clone(units));
    let folder_of = PathBuf::from(units.peer.env("SYSTEMD_UNIT_DIR"));
    let dropped = folder_of.join(format!("{}.d", units.name));
    let seen = dropped.clone();
    let case = Case::new(
        "service_drop_in",
        move |_| {
            let _absent = fs::remove_dir_all(&dropped);
            begins.systemctl(&["daemon-reload"]);
            begins.begin();
        },
        move |scene| {
            let table = at.table(scene.dir.path(), &[]).replace("\nstable_for = \"1s\"", "");
            format!("{table}\nfolder = \"{}\"\nlimits = {{ LimitNOFILE = 4096 }}", folder_of.display())
        },
        move |_| {
            let files =
                fs::read_dir(&seen).into_iter().flatten().filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
            let set = files.filter(|text| text.contains("LimitNOFILE=4096")).count();
            format!("{set} files, {}", looks.systemctl(&["show", "-p", "LimitNOFILE", &looks.name]))
        },
    );
    Case { limit: 30, ..case.in_parts() }
}

/// For the matrix.
pub(crate) fn restarted() -> Option<Case> {
    Units::start("matrix").map(|units| restart(&units, |_| Vec::new()))
}

#[test]
fn a_systemctl_that_is_killed_at_any_write_is_told_as_what_came_of_it() {
    if !strace::works() {
        return peer::skip("strace", "it is not here, or may not trace");
    }
    let Some(units) = Units::start("systemctl") else { return };
    let point: Rc<RefCell<Option<Point>>> = Rc::default();
    let at = Rc::clone(&point);
    let case = restart(&units, move |scene| {
        let (log, what) = match &*at.borrow() {
            None => (path(scene, "calls"), format!("trace={CHANGES}")),
            Some(point) => ("/dev/null".to_owned(), inject(point, "signal=SIGKILL")),
        };
        // Those that only look live.
        let traced = format!("exec /usr/bin/strace -f -qq -o {log} -e {what} \"$@\"");
        write(scene, "wrap", &format!("#!/bin/sh\ncase \" $* \" in *\" restart \"*) {traced};; esac\nexec \"$@\"\n"));
        fs::set_permissions(scene.path("wrap"), PermissionsExt::from_mode(0o755)).unwrap();
        vec![path(scene, "wrap")]
    });
    let whole = Seen::of(&case, None);
    assert!(whole.proves(), "it is restarted");
    let points = strace::points(&strace::calls(&whole.scene.path("calls")));
    let step = if strace::long() { 1 } else { points.len().div_ceil(3) };
    let mut met: BTreeMap<Met, u32> = BTreeMap::new();
    for dies in points.iter().step_by(step) {
        point.replace(Some(dies.clone()));
        let found = Seen::however(&case, None)
            .judge(&whole)
            .unwrap_or_else(|wrong| panic!("killed at its {} {}: {wrong}", dies.0, dies.1));
        *met.entry(found).or_default() += 1;
    }
    println!("service_restart  systemctl killed {:3} points: {met:?}", points.len());
}

#[test]
fn a_console_that_is_killed_while_it_has_a_unit_restarted_leaves_a_runner_that_ends_and_records_it() {
    let Some(units) = Units::start("console") else { return };
    let bench = || {
        units.begin();
        let action = |folder: &Path| {
            format!("kind = \"service_restart\"\nverb = \"restart\"\ndanger = \"C2\"\n{}", units.table(folder, &[]))
        };
        Bench::of(action, units.starts(), "restart")
    };
    crate::lost::lose(0xC2B2_AE3D_27D4_EB4F, &bench, (Outcome::Succeeded, "started\n"), |pty| pty.signal(Signal::KILL));
    assert!(units.look().ends_with(" active"));
}
