//! LMDB environments that are given a larger map, with a program of another implementation as their owner.

use crate::lmdb::{entries, figure, lab, only_copy, stat, succeeded};
use crate::peer::{self, Peer};
use crate::scene::{Scene, copied_script, told};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use watchkeeper::action::kinds::{self, Settled};
use watchkeeper::action::lifecycle::{Outcome, Run};
use watchkeeper::action::plan::{Danger, Undo};
use watchkeeper::sys::lmdb::child;

#[test]
fn a_stopped_environment_grows_by_a_commit_and_its_program_takes_the_size() {
    let Some(lab) = lab() else { return };
    lab.end_reader();
    let (before, owners) = (entries(&lab.db), lab.owners());
    let table = format!("{}\nbackup_to = \"{}\"", lab.commit("8MiB"), lab.scene.path("copies").display());
    let plan = lab.scene.plan("lmdb_grow", &table).unwrap();
    assert_eq!(plan.danger, Danger::C2);
    let line = plan.what.lines[1].as_str();
    assert!(line.ends_with("1 MiB → 8 MiB"), "{line}");
    assert!(plan.hits.iter().any(|hit| hit.as_str().contains("cannot be told at the end")), "{:?}", plan.hits);
    let (end, progress) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("nobody has it open"), "{end:?}");
    assert_eq!(figure(&stat(&lab.db, &["-e"]), "Map size"), 8 << 20);
    assert_eq!((entries(&lab.db), lab.owners()), (before.clone(), owners), "no key is left, and nothing changed hands");
    assert_eq!(entries(&only_copy(&lab.scene.path("copies"))), before);
    let stored = lab.peer.exec(&["stat"]);
    assert!(String::from_utf8_lossy(&stored.stdout).contains("map_size=8388608"), "{stored:?}");
}

#[test]
fn a_growth_that_cannot_be_or_is_a_slip_is_refused() {
    let Some(lab) = lab() else { return };
    let says = |to: &str, why: &str| {
        let fault = lab.refusal("lmdb_grow", &lab.commit(to));
        assert!(fault.contains(why), "{to}: {fault}");
    };
    says("1GiB", "python3 (process ");
    lab.end_reader();
    says("1MiB", "is no growth");
    says("4096B", "is no growth");
    says("20GB", "20000000000 bytes (18.6 GiB) is no multiple of the page size");
    says("20", "is no size");
    says("2TiB", "is more than the cap");
    assert!(lab.refusal("lmdb_grow", &format!("{}\ncap = \"1000TiB\"", lab.commit("900TiB"))).contains(" free."));
    let judged = format!("{}\nvalidate = [\"/bin/true\", \"{{file}}\"]", lab.commit("8MiB"));
    assert!(lab.refusal("lmdb_grow", &judged).contains("validate"), "it changes no file");
    let wrong = format!("{}\nsetting = {{ file = \"/x\", key = \"a\", unit = \"MiB\" }}", lab.commit("1GiB"));
    assert!(lab.refusal("lmdb_grow", &wrong).contains("belongs to how"));
    let unsized_ = format!("{}how = \"write_commit\"", lab.path());
    let fault = lab.refusal("lmdb_grow", &format!("{unsized_}\ngrowth = \"deriv(lmdb_used_bytes[1h])\""));
    assert!(fault.contains("`growth`: deriv(lmdb_used_bytes[1h]) is not known"), "{fault}");
    // Without a size twice what is used is proposed.
    let plan = lab.scene.plan("lmdb_grow", &unsized_).unwrap();
    assert!(plan.what.lines[0].as_str().ends_with("→ 64 MiB"), "{:?}", plan.what.lines);
    assert_eq!((plan.danger, plan.undo), (Danger::C3, Undo::Irreversible), "no way back without a copy");

    let holding = lab.peer.holding(&["hold"]);
    lab.peer.exec(&["stale"]);
    let fault = lab.refusal("lmdb_grow", &lab.commit("1GiB"));
    assert!(fault.contains("dead readers pin pages") && fault.contains(": 1."), "{fault}");
    drop(holding);
}

#[test]
fn a_map_that_the_disk_has_no_room_for_is_refused_unless_that_is_overridden_and_then_one_heavier() {
    let Some(lab) = lab() else { return };
    lab.end_reader();
    let free = rustix::fs::statvfs(&lab.db).unwrap();
    let gib = free.f_bavail * free.f_frsize / (1 << 30) + 4;
    let copies = lab.scene.path("copies");
    // The usual cap is less than a large disk has free.
    let commit = format!("{}\ncap = \"1000TiB\"", lab.commit(&format!("{gib}GiB")));
    let table = |more: &str| format!("{commit}\nbackup_to = \"{}\"\n{more}", copies.display());
    let fault = lab.refusal("lmdb_grow", &table("override_room = false"));
    assert!(fault.contains("the file may grow by") && fault.contains(" free. Make room first"), "{fault}");
    let plan = lab.scene.plan("lmdb_grow", &table("override_room = true")).unwrap();
    assert_eq!(plan.danger, Danger::C3, "one more than the C2 that has room: {:?}", plan.raised);
    let [raised] = &plan.raised[..] else { panic!("{:?}", plan.raised) };
    assert!(raised.as_str().starts_with("overridden: the file may grow by "), "{raised}");
    let (end, progress) = lab.scene.act(plan);
    assert!(end.executed, "{end:?} {:?}", told(&progress));
    assert_eq!(figure(&stat(&lab.db, &["-e"]), "Map size"), gib << 30);
}

#[test]
fn a_growth_by_so_much_counts_from_the_limit_that_holds_and_shows_both_figures() {
    let Some(lab) = lab() else { return };
    lab.end_reader();
    let table = |by: &str| format!("{}how = \"write_commit\"\nby = \"{by}\"", lab.path());
    let refused = |by: &str, why: &str| {
        let fault = lab.refusal("lmdb_grow", &table(by));
        assert!(fault.contains(why), "{by}: {fault}");
    };
    refused("0B", "`by` is nothing");
    refused("2TiB", "is more than the cap");
    refused("100", "is no size");
    refused("1MiB\"\nto = \"8MiB", "either `to` or `by`");
    let beyond = format!("{}\ncap = \"1000TiB\"", table("900TiB"));
    assert!(lab.refusal("lmdb_grow", &beyond).contains(" free."), "never more than the disk has");
    // What is no whole page becomes one.
    let plan = lab.scene.plan("lmdb_grow", &table("1B")).unwrap();
    assert!(plan.what.lines[0].as_str().contains("→ 1052672 bytes"), "{:?}", plan.what.lines);
    let plan = lab.scene.plan("lmdb_grow", &table("100MiB")).unwrap();
    assert_eq!(plan.hits[0].as_str(), "1 MiB stored + 100 MiB = 101 MiB");
    let line = plan.what.lines[0].as_str();
    assert!(line.ends_with("1 MiB → 101 MiB"), "{line}");
    let (end, progress) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "{end:?} {:?}", told(&progress));
    assert_eq!(figure(&stat(&lab.db, &["-e"]), "Map size"), 101 << 20);
}

#[test]
fn a_growth_by_so_much_counts_from_the_programs_own_map() {
    let Some(served) = Served::start("DIR/app.toml", "") else { return };
    fs::write(served.scene.path("app.toml"), "[db]\nmap_mib = 3\n").unwrap();
    served.systemctl(&["restart", "app.service"]);
    let setting = format!(
        "setting = {{ file = \"{}\", key = \"db.map_mib\", unit = \"MiB\" }}",
        served.scene.path("app.toml").display()
    );
    let table = served.table(&format!("how = \"setting\"\nby = \"5MiB\"\n{setting}"));
    // Until the new one has it open, the old map counts.
    let planned = || served.scene.plan("lmdb_grow", &table).map(|plan| plan.hits[0].to_string()).unwrap_or_default();
    for _ in 0..10_000 {
        if planned() == "3 MiB mapped + 5 MiB = 8 MiB" {
            break;
        }
    }
    assert_eq!(planned(), "3 MiB mapped + 5 MiB = 8 MiB", "1 MiB is stored");
    let plan = served.scene.plan("lmdb_grow", &table).unwrap();
    assert!(plan.undo.to_string().ends_with("; offered afterwards"), "{}", plan.undo);
    let said = succeeded(served.scene.act(plan.clone()));
    let file = || fs::read_to_string(served.scene.path("app.toml")).unwrap();
    assert_eq!(file(), "[db]\nmap_mib = 8\n", "{said:?}");
    let (end, _) = served.scene.act(served.scene.way_back(&plan).unwrap());
    assert_eq!((end.executed, file().as_str()), (true, "[db]\nmap_mib = 3\n"), "{end:?}");
}

#[test]
fn who_ends_it_while_its_backup_is_made_finds_nothing_done() {
    let Some(lab) = lab() else { return };
    lab.end_reader();
    let copies = lab.scene.path("copies");
    let plan =
        lab.scene.plan("lmdb_grow", &format!("{}\nbackup_to = \"{}\"", lab.commit("8MiB"), copies.display())).unwrap();
    let run = Run::of(&lab.scene.state(), plan.id);
    fs::create_dir_all(run.dir()).unwrap();
    fs::set_permissions(run.dir(), PermissionsExt::from_mode(0o700)).unwrap();
    run.stop().unwrap();
    let (end, _) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Refused, false));
    assert!(end.reason.as_str().contains("the operator ended it"), "{}", end.reason);
    assert_eq!(fs::read_dir(&copies).unwrap().count(), 0);
    assert_eq!(figure(&stat(&lab.db, &["-e"]), "Map size"), 1 << 20);
}

#[test]
fn who_opened_it_since_the_plan_is_not_grown_under() {
    let Some(lab) = lab() else { return };
    lab.end_reader();
    let plan = lab.scene.plan("lmdb_grow", &lab.commit("8MiB")).unwrap();
    let _holding = lab.peer.holding(&["hold"]);
    let (end, _) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused);
    assert!(end.reason.as_str().contains("is open: python3 (process "), "{end:?}");
    assert_eq!(figure(&stat(&lab.db, &["-e"]), "Map size"), 1 << 20);
}

/// Opens the environment with no size, a size, or the one of a file, and keeps it open. Where a file beside `ready` says
/// so it writes so many MiB again and again, and logs what LMDB says to it.
const PROGRAM: &str = "
import lmdb, pathlib, signal, sys, time, tomllib
path, how, ready = sys.argv[1:]
size = tomllib.loads(pathlib.Path(how).read_text())['db']['map_mib'] << 20 if how[0] == '/' else int(how)
env = lmdb.open(path, map_size=size, max_dbs=8)
wanted = pathlib.Path(ready).with_name('wanted')
while wanted.exists():
    try:
        with env.begin(write=True) as txn:
            for key in range(int(wanted.read_text()) * 8):
                txn.put(str(key).encode(), bytes(120_000))
    except lmdb.MapFullError as error:
        with open(pathlib.Path(ready).with_name('app.log'), 'a') as log:
            print('ERROR', error, file=log)
    pathlib.Path(ready).touch()
    time.sleep(0.02)
pathlib.Path(ready).touch()
signal.pause()
";

/// An environment and the service of its owner, `nobody`.
pub(crate) struct Served {
    pub(crate) peer: Peer,
    pub(crate) scene: Scene,
    db: PathBuf,
    service: String,
}

impl Served {
    /// A service that opens it in this way, running.
    pub(crate) fn start(how: &str, also: &str) -> Option<Self> {
        Self::start_with(how, also, None)
    }

    /// The same; it writes so many MiB again and again.
    fn start_with(how: &str, also: &str, writes: Option<u32>) -> Option<Self> {
        child::played_by(&["lmdb::plays_the_child", "--exact", "--ignored"]);
        let scene = Scene::new();
        let dir = scene.dir.path().to_str().unwrap().to_owned();
        let peer = peer::start_with("systemd", &[("SYSTEMD_RW", dir.as_str())])?;
        fs::set_permissions(&dir, PermissionsExt::from_mode(0o711)).unwrap();
        let db = scene.path("db");
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/lmdb_lab.py");
        let made = Command::new("/usr/bin/python3").arg(lab).arg("create").arg(&db).arg("1048576").output().unwrap();
        if !made.status.success() {
            peer::skip("lmdb", &String::from_utf8_lossy(&made.stderr));
            return None;
        }
        for path in [db.clone(), db.join("data.mdb"), db.join("lock.mdb"), scene.path("run")] {
            fs::create_dir_all(scene.path("run")).unwrap();
            chown(path, Some(65_534), Some(65_534)).unwrap();
        }
        fs::create_dir(scene.path("copies")).unwrap();
        if let Some(mib) = writes {
            fs::write(scene.path("run/wanted"), mib.to_string()).unwrap();
        }
        fs::write(scene.path("program.py"), PROGRAM).unwrap();
        fs::write(scene.path("app.toml"), "[db]\nmap_mib = 1  # enough\n").unwrap();
        let [how, also] = [how, also].map(|text| text.replace("DIR", &dir));
        let command = format!("/usr/bin/python3 {dir}/program.py {} {how} {dir}/run/ready", db.display());
        let unit = format!("[Unit]\nDefaultDependencies=no\n[Service]\nUser=nobody\nExecStart={command}\n{also}\n");
        let script = copied_script(scene.dir.path(), "systemd.sh");
        let units = PathBuf::from(peer.env("SYSTEMD_UNIT_DIR"));
        let prefix =
            format!("\"{}\", \"exec\", \"{}\", \"systemctl\"", script.display(), units.parent().unwrap().display());
        fs::write(units.join("app.service"), unit).unwrap();
        let service = format!("service = {{ kind = \"systemd\", unit = \"app.service\", systemctl = [{prefix}] }}\n");
        let served = Self { peer, scene, db, service };
        served.systemctl(&["daemon-reload"]);
        served.systemctl(&["start", "app.service"]);
        served.wait(&served.scene.path("run/ready"));
        Some(served)
    }

    fn systemctl(&self, words: &[&str]) -> String {
        let output = self.peer.exec(&[&["systemctl"], words].concat());
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn says(&self, property: &str) -> String {
        self.systemctl(&["show", "--value", "-p", property, "app.service"])
    }

    /// Until a program says that it has it open.
    fn wait(&self, ready: &Path) {
        for _ in 0..1_000_000 {
            if ready.exists() {
                return;
            }
            std::thread::yield_now();
        }
        panic!("{}", self.systemctl(&["status", "app.service"]));
    }

    pub(crate) fn table(&self, more: &str) -> String {
        let [db, copies] = [self.db.clone(), self.scene.path("copies")].map(|path| path.display().to_string());
        format!("path = \"{db}\"\nbackup_to = \"{copies}\"\n{}{more}", self.service)
    }

    fn stored(&self) -> u64 {
        figure(&stat(&self.db, &["-e"]), "Map size")
    }

    fn owners(&self) -> Vec<(u32, u32)> {
        let about = |name: &str| self.db.join(name).metadata().unwrap();
        ["data.mdb", "lock.mdb"].map(|name| (about(name).uid(), about(name).mode())).to_vec()
    }
}

#[test]
fn a_program_that_takes_what_is_stored_is_stopped_given_the_size_and_started_and_has_it() {
    let Some(served) = Served::start("0", "") else { return };
    let (before, owners, run) = (entries(&served.db), served.owners(), served.says("InvocationID"));
    let plan = served.scene.plan("lmdb_grow", &served.table("how = \"write_commit\"\nto = \"8MiB\"")).unwrap();
    assert_eq!(plan.danger, Danger::C2);
    let lines: Vec<&str> = plan.what.lines.iter().map(|line| line.as_str().rsplit(' ').next().unwrap()).collect();
    assert_eq!(plan.what.lines.len(), 5, "{:?}", plan.what.lines);
    assert_eq!((lines[2], lines[4]), ("app.service", "app.service"), "stop, commit, start: {:?}", plan.what.lines);
    assert!(plan.hits.iter().any(|hit| hit.as_str().contains("maps 1.00 MiB")), "{:?}", plan.hits);
    assert!(plan.hits.iter().any(|hit| hit.as_str().contains("is not helped by this")), "{:?}", plan.hits);
    let (end, progress) = served.scene.act(plan.clone());
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    assert_eq!((served.stored(), served.says("ActiveState").as_str()), (8 << 20, "active"));
    assert_ne!(served.says("InvocationID"), run);
    assert_eq!((entries(&served.db), served.owners()), (before.clone(), owners));
    assert_eq!(entries(&only_copy(&served.scene.path("copies"))), before);
    // A crash before the start leaves a service that is down: that is not done.
    let settled = || kinds::of(&plan).unwrap().settled(&plan).unwrap();
    assert!(matches!(settled(), Settled::Done(_)), "{:?}", settled());
    served.systemctl(&["stop", "app.service"]);
    assert!(matches!(&settled(), Settled::Other(why) if why.as_str().contains("start it")), "{:?}", settled());
}

#[test]
fn a_program_with_a_size_of_its_own_is_told_of_before_and_judged_by_its_own_map() {
    // It looks as if it took what is stored, and does not.
    let Some(served) = Served::start("1048576", "") else { return };
    let (end, progress) = served.scene.carry("lmdb_grow", &served.table("how = \"write_commit\"\nto = \"8MiB\""));
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("maps 1.00 MiB, not 8 MiB"), "{end:?}");
    assert_eq!(served.stored(), 8 << 20);
    // Now that is seen before.
    let plan = served.scene.plan("lmdb_grow", &served.table("how = \"write_commit\"\nto = \"16MiB\"")).unwrap();
    assert!(plan.hits.iter().any(|hit| hit.as_str().contains("the end is UNVERIFIED")), "{:?}", plan.hits);
    let (end, progress) = served.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("it sets its own size"), "{end:?}");
    assert_eq!(served.says("ActiveState"), "active");
}

#[test]
fn a_size_that_a_file_sets_is_changed_there_and_the_program_maps_it() {
    let Some(served) = Served::start("DIR/app.toml", "") else { return };
    let file = served.scene.path("app.toml");
    let setting = |unit: &str| {
        let setting = format!("{{ file = \"{}\", key = \"db.map_mib\", unit = \"{unit}\" }}", file.display());
        served.table(&format!("how = \"setting\"\nto = \"8MiB\"\nsetting = {setting}"))
    };
    let refused = |unit: &str| served.scene.plan("lmdb_grow", &setting(unit)).map(|_| ()).unwrap_err().to_string();
    assert!(refused("GiB").contains("is no whole number of them"), "{}", refused("GiB"));
    assert!(refused("MB").contains("is no whole number of them"), "{}", refused("MB"));
    // What judges the new file, and what must hold of the service afterwards, is that of `config_set`.
    let judged = format!("{}\nvalidate = [\"/bin/false\", \"{{file}}\"]", setting("MiB"));
    let plan = served.scene.plan("lmdb_grow", &judged).unwrap();
    assert!(plan.what.lines.iter().any(|line| line.as_str().starts_with("first  /bin/false {file}")), "{plan:?}");
    let (end, _) = served.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false), "{end:?}");
    assert!(end.reason.as_str().contains("/bin/false finds fault with the new configuration"), "{end:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "[db]\nmap_mib = 1  # enough\n");
    let listens = format!("{}\nvalidate = [\"/bin/true\", \"{{file}}\"]\nport = 9", setting("MiB"));
    let (end, _) = served.scene.carry("lmdb_grow", &listens);
    assert_eq!(end.outcome, Outcome::Failed, "{end:?}");
    assert!(end.reason.as_str().contains("nobody listens on port 9"), "{end:?}");
    fs::write(&file, "[db]\nmap_mib = 1  # enough\n").unwrap();
    served.systemctl(&["restart", "app.service"]);
    let said = succeeded(served.scene.carry("lmdb_grow", &setting("MiB")));
    assert_eq!(fs::read_to_string(&file).unwrap(), "[db]\nmap_mib = 8  # enough\n", "{said:?}");
    assert_eq!(
        (served.stored(), served.says("ActiveState").as_str()),
        (1 << 20, "active"),
        "nothing was written into it"
    );
}

/// Whether so many MiB can be written into a copy of the environment, by a library that is not ours and under the size
/// that is stored.
fn takes(served: &Served, mib: u32) -> bool {
    const WRITE: &str = "
import lmdb, sys
env = lmdb.open(sys.argv[1], map_size=0, max_dbs=8)
try:
    with env.begin(write=True) as txn:
        for key in range(int(sys.argv[2]) * 8):
            txn.put(b'more %d' % key, bytes(120_000))
except lmdb.MapFullError:
    sys.exit(28)
";
    let scratch = tempfile::tempdir().unwrap();
    let copied = Command::new("mdb_copy").arg(&served.db).arg(scratch.path()).status().unwrap();
    assert!(copied.success());
    let mut write = Command::new("/usr/bin/python3");
    let write = write.args(["-c", WRITE]).arg(scratch.path()).arg(mib.to_string()).output().unwrap();
    assert!(write.status.success() || write.status.code() == Some(28), "{write:?}");
    write.status.success()
}

/// A program that writes so many MiB, grown to 8 MiB with an eye on what it logs.
fn grown_under_a_writer(mib: u32) -> Option<(Outcome, String)> {
    let served = Served::start_with("DIR/app.toml", "", Some(mib))?;
    let log = served.scene.path("run/app.log");
    served.wait(&log);
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("MDB_MAP_FULL"), "1 MiB is too small: {said}");
    assert!(!takes(&served, 2), "beyond the limit");
    let setting =
        format!("{{ file = \"{}\", key = \"db.map_mib\", unit = \"MiB\" }}", served.scene.path("app.toml").display());
    let full = format!(
        "{{ log = \"{}\", matches = \"MDB_MAP_FULL\", for = \"12s\" }}",
        served.scene.path("run/*.log").display()
    );
    let table = served.table(&format!("how = \"setting\"\nto = \"8MiB\"\nsetting = {setting}\nmap_full = {full}"));
    let plan = served.scene.plan("lmdb_grow", &table).unwrap();
    let last = plan.what.lines.last().unwrap().as_str();
    assert!(last.starts_with("then   for 12 s no new line of ") && last.ends_with("may match MDB_MAP_FULL"), "{last}");
    assert_eq!(plan.settle.as_secs(), 12);
    let (end, progress) = served.scene.act(plan);
    assert!(end.executed, "{end:?} {:?}", told(&progress));
    let [beyond_the_old, beyond_the_new] = [2, 9].map(|mib| takes(&served, mib));
    assert_eq!((beyond_the_old, beyond_the_new), (mib == 2, false), "of {mib} MiB that are written");
    Some((end.outcome, format!("{} {:?}", end.reason, told(&progress))))
}

#[test]
fn a_growth_counts_only_where_the_log_says_no_more_that_the_map_is_full() {
    let Some((outcome, said)) = grown_under_a_writer(2) else { return };
    assert_eq!(outcome, Outcome::Succeeded, "what was said before does not count: {said}");
    assert!(said.contains("for 12 s no new line of ") && said.contains("said that the map is full"), "{said}");
    // 8 MiB are too small as well.
    let Some((outcome, said)) = grown_under_a_writer(20) else { return };
    assert_eq!(outcome, Outcome::Failed, "{said}");
    assert!(said.contains("maps 8.00 MiB; but its log says again: ERROR mdb_put: MDB_MAP_FULL"), "{said}");
}

#[test]
fn what_is_to_be_watched_for_must_be_of_a_log_of_the_service() {
    let Some(lab) = lab() else { return };
    lab.end_reader();
    let refused = |more: &str| lab.refusal("lmdb_grow", &format!("{}\n{more}", lab.commit("8MiB")));
    let full = |log: &str, matches: &str| format!("map_full = {{ log = \"{log}\", matches = \"{matches}\" }}");
    assert!(refused(&full("/var/log/app.log", "FULL")).contains("of the program that `service` names"));
    assert!(refused(&full("app.log", "FULL")).contains("`log` is an absolute path"));
    assert!(refused(&full("/var/*/app.log", "FULL")).contains("`*` in its last part only"));
    assert!(refused(&full("/var/log/app.log", "(")).contains("this is no regular expression"));
}

/// A file system of its own that keeps quotas, where the kernel knows them, with 2 MiB for `nobody`.
struct Quota(PathBuf);

impl Quota {
    fn on(dir: PathBuf) -> Option<Self> {
        let (image, mounted) = (dir.with_extension("image"), Self(dir));
        fs::create_dir_all(&mounted.0).unwrap();
        fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        let quota = ["-q", "-m", "0", "-O", "quota", "-E", "quotatype=usrquota"];
        let made = Command::new("mkfs.ext4").args(quota).arg(&image).output();
        let mount = || Command::new("mount").args(["-o", "loop"]).args([&image, &mounted.0]).output();
        if !made.is_ok_and(|made| made.status.success()) || !mount().is_ok_and(|done| done.status.success()) {
            peer::skip("quota", "no file system with quotas can be mounted here");
            return None;
        }
        const SET: &str = "
import ctypes, os, struct, sys
limit = ctypes.create_string_buffer(struct.pack('8QI4x', 2048, 0, 0, 0, 0, 0, 0, 0, 1))
done = ctypes.CDLL(None).syscall(443, os.open(sys.argv[1], os.O_RDONLY), 0x800008 << 8, 65534, limit)
sys.exit(done)
";
        let set = Command::new("/usr/bin/python3").args(["-c", SET]).arg(&mounted.0).status().unwrap();
        assert!(set.success(), "the quota is set");
        Some(mounted)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn what_the_quota_of_its_owner_does_not_leave_is_no_room() {
    let Some(lab) = lab() else { return };
    lab.end_reader();
    let Some(small) = Quota::on(lab.scene.path("small")) else { return };
    let copied = Command::new("cp").arg("-a").args([&lab.db, &small.0.join("db")]).status().unwrap();
    assert!(copied.success());
    let table = format!("path = \"{}\"\nhow = \"write_commit\"\nto = \"8MiB\"", small.0.join("db").display());
    let fault = lab.refusal("lmdb_grow", &table);
    assert!(fault.contains("and the quota of user 65534 leaves "), "{fault}");
}

#[test]
fn a_growth_that_somebody_else_keeps_from_being_done_leaves_the_service_running() {
    let Some(served) = Served::start("0", "") else { return };
    let plan = served.scene.plan("lmdb_grow", &served.table("how = \"write_commit\"\nto = \"8MiB\"")).unwrap();
    // Not of the service: its stop does not end it.
    let [program, ready] = ["program.py", "other"].map(|name| served.scene.path(name));
    let mut other = Command::new("/usr/bin/python3");
    other.arg(program).arg(&served.db).arg("0").arg(&ready);
    let other = peer::Running::start(&mut other, Stdio::null(), Stdio::null());
    served.wait(&ready);
    let (end, progress) = served.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("is open: python3 (process "), "{end:?}");
    assert!(end.reason.as_str().contains("Then: systemd has done `start app.service`"), "{end:?}");
    assert_eq!((served.stored(), served.says("ActiveState").as_str()), (1 << 20, "active"));
    drop(other);
}

#[test]
fn who_ends_it_while_the_service_is_down_does_not_leave_it_down() {
    // The operator's wish comes while it stops.
    let wish = "ExecStopPost=+/bin/sh -c 'for run in DIR/state/actions/*; do touch $$run/stop; done'";
    let Some(served) = Served::start("0", wish) else { return };
    let run = served.says("InvocationID");
    let (end, progress) = served.scene.carry("lmdb_grow", &served.table("how = \"write_commit\"\nto = \"8MiB\""));
    assert_eq!((served.stored(), end.executed), (1 << 20, false), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("Then: systemd has done `start app.service`"), "{end:?}");
    assert_eq!(served.says("ActiveState"), "active");
    assert_ne!(served.says("InvocationID"), run);
}

#[test]
fn a_program_that_may_not_have_the_address_space_is_not_stopped_for_it() {
    let Some(served) = Served::start("0", "LimitAS=1G") else { return };
    let table = served.table("how = \"write_commit\"\nto = \"2GiB\"");
    let fault = served.scene.plan("lmdb_grow", &table).map(|_| ()).unwrap_err().to_string();
    assert!(fault.contains("of address space and may have 1.00 GiB") && fault.contains("LimitAS"), "{fault}");
}
