//! Logs that get a new file under a real writer.

use crate::peer::Running;
use crate::scene::{Scene, told};
use crate::service::lab;
use crate::trees::{Tiny, names, root, until};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use watchkeeper::action::act::carry_out;
use watchkeeper::action::kinds;
use watchkeeper::action::lifecycle::{Outcome, Run};

/// Writes numbered lines to `log/app.log`, and opens it again by USR1 unless it is deaf.
pub(crate) struct Writer(Running);

impl Writer {
    pub(crate) fn start(scene: &Scene, deaf: bool) -> Self {
        fs::create_dir(scene.path("log")).unwrap();
        fs::set_permissions(scene.path("log"), PermissionsExt::from_mode(0o755)).unwrap();
        let trap = if deaf { "" } else { "exec 3>>log/app.log" };
        let script = format!(
            "exec 3>>log/app.log; trap '{trap}' USR1; echo $$ > new; mv new pid; i=0; \
             while :; do i=$((i+1)); echo $i >&3; sleep 0.02 3>&-; done"
        );
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]).current_dir(scene.dir.path());
        let writer = Self(Running::start(&mut command, Stdio::null(), Stdio::null()));
        until("a line", || scene.path("pid").exists() && written(&log(scene)));
        writer
    }
}

fn log(scene: &Scene) -> PathBuf {
    scene.path("log/app.log")
}

pub(crate) fn table(scene: &Scene) -> String {
    let shell = fs::canonicalize("/bin/sh").unwrap();
    let (path, pid) = (log(scene), scene.path("pid"));
    let (path, pid, program) = (path.display(), pid.display(), shell.file_name().unwrap().display());
    let signal = format!("name = \"USR1\", pid_file = \"{pid}\", program = \"{program}\"");
    format!("path = \"{path}\"\nreopen = {{ signal = {{ {signal} }} }}")
}

fn nothing(path: &Path) -> String {
    format!("path = \"{}\"\nreopen = \"nothing\"", path.display())
}

/// Only root sees every process: where no writer was seen, nobody else can prove that there is none.
fn unseen() -> Outcome {
    if root() { Outcome::Succeeded } else { Outcome::Unverified }
}

fn refusal(scene: &Scene, table: &str) -> String {
    scene.plan("log_rotate", table).expect_err("refused").to_string()
}

fn written(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.len() > 0)
}

fn lines(path: &Path) -> Vec<u32> {
    fs::read_to_string(path).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn a_writer_that_is_told_goes_on_in_the_new_file_and_no_line_is_lost() {
    let scene = Scene::new();
    let writer = Writer::start(&scene, false);
    fs::set_permissions(log(&scene), PermissionsExt::from_mode(0o640)).unwrap();
    if root() {
        chown(log(&scene), Some(65_534), Some(4_321)).unwrap();
    }
    let of = || fs::metadata(log(&scene)).map(|meta| (meta.mode(), meta.uid(), meta.gid())).unwrap();
    let (before, inode) = (of(), fs::metadata(log(&scene)).unwrap().ino());
    let plan = scene.plan("log_rotate", &table(&scene)).unwrap();
    assert!(plan.hits[1].as_str().starts_with(&format!("written by process {}", writer.0.0.id())), "{:?}", plan.hits);
    let (end, progress) = scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    let found = names(&scene.path("log"));
    let [_, kept] = found.as_slice() else { panic!("{found:?}") };
    let kept = scene.path("log").join(kept);
    assert!(kept.display().to_string().contains("/app.log.rotated-2"), "{}", kept.display());
    assert_eq!((of(), fs::metadata(&kept).unwrap().ino()), (before, inode));
    until("a line", || written(&log(&scene)));
    drop(writer);
    let all: Vec<u32> = lines(&kept).into_iter().chain(lines(&log(&scene))).collect();
    let count = u32::try_from(all.len()).unwrap();
    assert_eq!(all, (1..=count).collect::<Vec<u32>>());
}

#[test]
fn a_writer_that_does_not_open_the_new_file_is_found_out() {
    let scene = Scene::new();
    let writer = Writer::start(&scene, true);
    let plan = scene.plan("log_rotate", &table(&scene)).unwrap();
    let (end, _) = scene.act(plan.clone());
    assert_ne!(end.outcome, Outcome::Succeeded);
    assert!(end.executed && end.reason.as_str().contains("still writes to the old file"), "{end:?}");
    let settled = kinds::of(&plan).unwrap().settled(&plan).unwrap();
    assert!(settled.what().as_str().contains(&format!("is new, but process {}", writer.0.0.id())), "{settled:?}");
}

#[test]
fn where_nobody_is_told_nobody_may_have_it_open() {
    let scene = Scene::new();
    let writer = Writer::start(&scene, true);
    let said = refusal(&scene, &nothing(&log(&scene)));
    assert!(said.contains("would go on writing to the old file. Say by `reopen`"), "{said}");
    drop(writer);
    let plan = scene.plan("log_rotate", &nothing(&log(&scene))).unwrap();
    let held = fs::OpenOptions::new().append(true).open(log(&scene)).unwrap();
    let (end, _) = scene.act(plan);
    assert!(end.outcome == Outcome::Refused && end.reason.as_str().contains("writes to it now"), "{end:?}");
    drop(held);
    let (end, _) = scene.carry("log_rotate", &nothing(&log(&scene)));
    assert_eq!(end.outcome, unseen(), "{end:?}");
}

#[test]
fn a_rotation_that_cannot_be_recorded_says_at_once_that_it_has_no_way_back() {
    let scene = Scene::new();
    fs::create_dir(scene.path("log")).unwrap();
    fs::set_permissions(scene.path("log"), PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(log(&scene), "1\n").unwrap();
    let plan = scene.plan("log_rotate", &nothing(&log(&scene))).unwrap();
    let taken = Run::of(&scene.state(), plan.id).dir().join("left.json");
    let ((), progress) = scene.with_runner(plan, |real| {
        fs::write(&taken, "of somebody else").unwrap();
        assert_eq!(carry_out(real).outcome, unseen());
    });
    let told = told(&progress).join("\n");
    assert!(told.contains("is empty; what was in it is in app.log.rotated-"), "{told}");
    assert!(told.contains("cannot be taken back from here, for what it left was not recorded: "), "{told}");
}

#[test]
fn a_rotated_log_comes_back_while_nothing_is_written_to_the_new_one() {
    if !root() {
        return println!("SKIPPED: root: to see every writer");
    }
    let scene = Scene::new();
    fs::create_dir(scene.path("log")).unwrap();
    fs::set_permissions(scene.path("log"), PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(log(&scene), "1\n2\n").unwrap();
    let inode = fs::metadata(log(&scene)).unwrap().ino();
    let plan = scene.plan("log_rotate", &nothing(&log(&scene))).unwrap();
    let is = |text: &'static str| {
        let log = log(&scene);
        move || assert_eq!(fs::read_to_string(&log).unwrap(), text)
    };
    let back = crate::back::there_and_back(&scene, &plan, is(""), is("1\n2\n"));
    assert_eq!(fs::metadata(log(&scene)).unwrap().ino(), inode, "the very file");
    assert_eq!(back.undo.to_string(), "rotate app.log again");
    let fault = scene.way_back(&plan).unwrap_err().to_string();
    assert!(fault.contains("is another one than that run has made"), "once: {fault}");

    let plan = scene.plan("log_rotate", &nothing(&log(&scene))).unwrap();
    assert!(scene.act(plan.clone()).0.executed);
    let ready = scene.way_back(&plan).unwrap();
    fs::write(log(&scene), "3\n").unwrap();
    let (end, _) = scene.act(ready);
    assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{end:?}");
    assert!(end.reason.as_str().contains("app.log was written to"), "{end:?}");
    let fault = scene.way_back(&plan).unwrap_err().to_string();
    let (_, by_hand) = fault.split_once("By hand: ").unwrap();
    let (by_hand, _) = by_hand.split_once("; then have its writer").unwrap();
    assert!(fault.contains("app.log was written to since it was rotated."), "{fault}");
    // The one command does what it says.
    assert!(Command::new("/bin/sh").args(["-c", by_hand]).status().unwrap().success());
    is("1\n2\n3\n")();
    let others: Vec<String> = names(&scene.path("log")).into_iter().filter(|name| name.contains(".rotated-")).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn a_service_is_told_by_a_reload() {
    let Some(lab) = lab() else { return };
    let dir = lab.dir().join("log");
    fs::create_dir(&dir).unwrap();
    let log = dir.join("unit.log");
    let script =
        format!("exec 3>>{0}; trap 'exec 3>>{0}' HUP; while :; do echo x >&3; sleep 0.05 3>&-; done", log.display());
    lab.unit("log.service", &format!("ExecStart=/bin/sh -c \"{script}\"\nExecReload=/bin/kill -HUP $MAINPID"));
    lab.systemctl(&["start", "log.service"]);
    until("a line", || written(&log));
    let reload = format!("{{ reload = {{ kind = \"systemd\", unit = \"log.service\", {} }} }}", lab.prefix);
    let (end, progress) = lab.scene.carry("log_rotate", &format!("path = \"{}\"\nreopen = {reload}", log.display()));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!(names(&dir).len(), 2);
}

#[test]
fn what_is_no_log_of_one_name_or_changed_since_is_left_alone() {
    let scene = Scene::new();
    let path = scene.path("app.log");
    fs::write(&path, "x\n").unwrap();
    symlink(&path, scene.path("link.log")).unwrap();
    assert!(refusal(&scene, &nothing(&scene.path("link.log"))).contains("neither a file nor a folder"));
    assert!(refusal(&scene, &nothing(&scene.path("none.log"))).contains("No such file"));
    fs::create_dir(scene.path("dir")).unwrap();
    assert!(refusal(&scene, &nothing(&scene.path("dir"))).contains("is a folder."));
    fs::hard_link(&path, scene.path("twin")).unwrap();
    assert!(refusal(&scene, &nothing(&path)).contains("has other names (hard links)"));
    fs::remove_file(scene.path("twin")).unwrap();
    let truncate = format!("path = \"{}\"\nreopen = \"copytruncate\"", path.display());
    assert!(refusal(&scene, &truncate).contains("copytruncate"), "{}", refusal(&scene, &truncate));
    let kill = table(&scene).replace("USR1", "KILL").replace("/log/app.log", "/app.log");
    assert!(refusal(&scene, &kill).contains("no log is opened again by `KILL`."), "{}", refusal(&scene, &kill));
    let plan = scene.plan("log_rotate", &nothing(&path)).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let (end, _) = scene.act(plan);
    assert!(end.outcome == Outcome::Refused && end.reason.as_str().contains("owner or mode of"), "{end:?}");
    // That it grows is what a log does; that it is another one is not.
    let plan = scene.plan("log_rotate", &nothing(&path)).unwrap();
    fs::write(&path, "x\ny\n").unwrap();
    let settled = || kinds::of(&plan).unwrap().settled(&plan).unwrap().what().to_string();
    assert!(settled().ends_with("is as it was"), "{}", settled());
    assert_eq!(scene.act(plan.clone()).0.outcome, unseen());
    assert!(settled().contains("app.log is new, and nobody writes to app.log.rotated-"), "{}", settled());
    let plan = scene.plan("log_rotate", &nothing(&path)).unwrap();
    fs::rename(&path, scene.path("moved")).unwrap();
    fs::write(&path, "").unwrap();
    let (end, _) = scene.act(plan);
    assert!(end.outcome == Outcome::Refused && end.reason.as_str().contains("is another one now"), "{end:?}");
}

#[test]
fn on_a_full_disk_a_log_is_still_rotated() {
    let scene = Scene::new();
    let Some(_tiny) = Tiny::on(&scene.path("tiny")) else { return };
    fs::write(scene.path("tiny/app.log"), vec![b'x'; 600 * 1024]).unwrap();
    let full = fs::write(scene.path("tiny/filler"), vec![7; 1024 * 1024]);
    assert!(full.is_err());
    let (end, _) = scene.carry("log_rotate", &nothing(&scene.path("tiny/app.log")));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
}
