//! Values of a configuration file, and the way back.

use crate::scene::{Scene, told};
use crate::trees::Tiny;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use watchkeeper::action::doing::Doing;
use watchkeeper::action::kinds;
use watchkeeper::action::lifecycle::{Outcome, Run};
use watchkeeper::action::plan::{Plan, Undo};
use watchkeeper::base::Clean;
use watchkeeper::sys::clock::RealClock;

const FILE: &str = "# tuned\r\n[performance]\r\nbatch_size = 1_024  # was 512\r\nstreams = 4\r\n";

fn scene() -> (Scene, String) {
    let scene = Scene::new();
    let file = scene.path("production.toml");
    fs::write(&file, FILE).unwrap();
    let set = "[{ key = \"performance.batch_size\", to = 512 }, { key = \"performance.streams\", from = 4, to = 2 }]";
    (scene, format!("file = \"{}\"\nset = {set}\n", file.display()))
}

#[test]
fn without_room_beside_nothing_is_planned_and_the_missing_bytes_are_told() {
    let scene = Scene::new();
    let Some(_tiny) = Tiny::on(&scene.path("tiny")) else { return };
    let file = scene.path("tiny/app.toml");
    fs::write(&file, "size = 1\n").unwrap();
    let _full = fs::write(scene.path("tiny/more"), vec![0; 2 * 1024 * 1024]);
    let table = format!("file = \"{}\"\nset = [{{ key = \"size\", to = 2 }}]", file.display());
    let said = scene.plan("config_set", &table).unwrap_err().to_string();
    assert!(said.contains("no room for the new file") && said.contains("4105 bytes are missing"), "{said}");
}

#[test]
fn what_was_set_is_put_back_byte_for_byte() {
    let (scene, table) = scene();
    let restore = format!("of = \"the-action\"\nfile = \"{}\"", scene.path("production.toml").display());
    let restore = restore.as_str();
    let refused = scene.plan("config_restore", restore).unwrap_err().to_string();
    assert!(refused.contains("there is nothing to take back: `the-action` was not done here"), "{refused}");

    let plan = scene.plan("config_set", &table).unwrap();
    let lines: Vec<&str> = plan.what.lines.iter().skip(1).map(Clean::as_str).collect();
    assert_eq!(lines, ["performance.batch_size   1024 → 512", "performance.streams   4 → 2"], "the real old value");
    let (end, _) = scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "no check is declared: {end:?}");
    let path = scene.path("production.toml");
    assert_eq!(fs::read_to_string(&path).unwrap(), FILE.replace("1_024", "512").replace("streams = 4", "streams = 2"));

    let back = scene.plan("config_restore", restore).unwrap();
    assert_eq!(back.what.lines[1].as_str(), "performance.batch_size   512 → 1024");
    let (end, progress) = scene.act(back.clone());
    assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "{end:?} {:?}", told(&progress));
    assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
    // It has a backup of its own, and there is nothing more to take back.
    let Undo::How(undo) = &back.undo else { panic!("{:?}", back.undo) };
    let own = undo.as_str().strip_prefix("put back the backup ").unwrap();
    assert!(fs::read_to_string(own).unwrap().contains("batch_size = 512"));
    let refused = scene.plan("config_restore", restore).unwrap_err().to_string();
    assert!(refused.contains("is as it was before"), "{refused}");
}

#[test]
fn any_key_is_set_or_added_and_what_was_added_is_taken_out_again() {
    let (scene, _) = scene();
    let file = scene.path("production.toml");
    let params = "params = { key = { matches = \"[a-z_.]{1,60}\", value = \"training.checkpointing\" }, to = { one_of = [\"true\", \"false\"], value = \"true\" } }";
    let table = format!(
        "file = \"{}\"\nset = [{{ key = \"{{key}}\", to = \"{{to}}\", absent = \"add\" }}]\n{params}",
        file.display()
    );
    let plan = scene.plan("config_set", &table).unwrap();
    assert_eq!(plan.what.lines[1].as_str(), "training.checkpointing   absent → true");
    scene.act(plan);
    assert_eq!(fs::read_to_string(&file).unwrap(), format!("{FILE}\r\n[training]\r\ncheckpointing = true\r\n"));
    let restore = format!("of = \"the-action\"\nfile = \"{}\"", file.display());
    let back = scene.plan("config_restore", &restore).unwrap();
    assert_eq!(back.what.lines[1].as_str(), "training.checkpointing   true → absent");
    scene.act(back);
    assert_eq!(fs::read_to_string(&file).unwrap(), FILE);
}

#[test]
fn what_somebody_else_has_changed_since_is_not_put_back() {
    let (scene, table) = scene();
    let plan = scene.plan("config_set", &table).unwrap();
    let Undo::How(undo) = plan.undo.clone() else { panic!("no way back") };
    let (end, _) = scene.act(plan);
    assert!(end.executed, "{end:?}");
    let path = scene.path("production.toml");
    let ours = fs::read_to_string(&path).unwrap();
    let restore = format!("of = \"the-action\"\nfile = \"{}\"", path.display());
    let back = scene.plan("config_restore", &restore).unwrap();

    let other = restore.replace("production", "other");
    let refused = scene.plan("config_restore", &other).unwrap_err().to_string();
    assert!(refused.contains("was not done here"), "another profile's file: {refused}");

    fs::write(&path, ours.replace("512 ", "256 ")).unwrap();
    let refused = scene.plan("config_restore", &restore).unwrap_err().to_string();
    assert!(refused.contains("was changed since by somebody else") && refused.contains("decide by hand"), "{refused}");
    let (end, _) = scene.act(back);
    assert_eq!(end.outcome, Outcome::Refused, "a plan from before is stale: {end:?}");
    assert!(fs::read_to_string(&path).unwrap().contains("= 256"));

    fs::write(&path, &ours).unwrap();
    let kept =
        undo.as_str().strip_prefix("put back the backup ").and_then(|rest| rest.strip_suffix("; offered afterwards"));
    fs::write(kept.unwrap(), "other").unwrap();
    let refused = scene.plan("config_restore", &restore).unwrap_err().to_string();
    assert!(refused.contains("is not what was saved"), "{refused}");
}

#[test]
fn a_value_that_is_not_there_or_of_another_type_is_refused() {
    let (scene, _) = scene();
    let file = scene.path("production.toml").display().to_string();
    for (set, why) in [
        ("{ key = \"performance.batch\", to = 1 }", "there is no value `performance.batch`"),
        ("{ key = \"performance.batch_size\", to = \"512\" }", "would change its type"),
        ("{ key = \"performance.batch_size\", to = 1024 }", "would not change"),
        ("{ key = \"performance\", to = 1 }", "there is no value `performance`"),
    ] {
        let fault = scene.plan("config_set", &format!("file = \"{file}\"\nset = [{set}]")).unwrap_err().to_string();
        assert!(fault.contains(why), "{set}: {fault}");
    }
    fs::hard_link(&file, scene.path("hard.toml")).unwrap();
    symlink(&file, scene.path("to-hard.toml")).unwrap();
    let table = format!(
        "file = \"{}\"\nset = [{{ key = \"performance.streams\", to = 1 }}]",
        scene.path("to-hard.toml").display()
    );
    let fault = scene.plan("config_set", &table).unwrap_err().to_string();
    assert!(fault.contains("2 names (hard links)"), "{fault}");
    let table = format!("file = \"{file}\"\nset = [{{ key = \"performance.streams\", to = 1 }}]");
    let fault = scene.plan("config_set", &table).unwrap_err().to_string();
    assert!(fault.contains("link"), "{fault}");
}

#[test]
fn of_a_link_the_file_is_edited_that_it_leads_to_and_that_is_shown() {
    let (scene, _) = scene();
    let (file, link) = (scene.path("production.toml"), scene.path("app.toml"));
    symlink("production.toml", &link).unwrap();
    let table = format!("file = \"{}\"\nset = [{{ key = \"performance.streams\", to = 1 }}]", link.display());
    let plan = scene.plan("config_set", &table).unwrap();
    assert_eq!(plan.what.lines[0].as_str(), format!("{} → {}", link.display(), file.display()));
    let (end, _) = scene.act(plan);
    assert!(end.executed, "{end:?}");
    assert!(fs::read_to_string(&file).unwrap().contains("streams = 1"));
    assert_eq!(fs::read_link(&link).unwrap().to_str(), Some("production.toml"), "it stays a link");
    for named in [&link, &file] {
        let back = format!("of = \"the-action\"\nfile = \"{}\"", named.display());
        let (end, _) = scene.carry("config_restore", &back);
        assert!(end.executed && fs::read_to_string(&file).unwrap() == FILE, "{end:?}");
        assert!(scene.carry("config_set", &table).0.executed);
    }
    // The way back that is offered goes through the link as well, and it leads elsewhere when the runner comes.
    let plan = scene.plan("config_set", &table.replace("to = 1", "to = 3")).unwrap();
    assert!(scene.act(plan.clone()).0.executed);
    let back = scene.way_back(&plan).unwrap();
    assert_eq!(back.what.lines[0].as_str(), format!("{} → {}", link.display(), file.display()));
    fs::write(scene.path("other.toml"), FILE).unwrap();
    fs::remove_file(&link).unwrap();
    symlink("other.toml", &link).unwrap();
    let (end, _) = scene.act(back);
    assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{end:?}");
    assert!(end.reason.as_str().contains("leads elsewhere now"), "{end:?}");
    let fault = scene.way_back(&plan).unwrap_err().to_string();
    assert!(fault.contains("led to") && fault.contains("other.toml now"), "{fault}");
}

#[test]
fn a_link_to_what_others_may_write_or_that_others_may_turn_is_refused() {
    let (scene, _) = scene();
    let (file, link, open) = (scene.path("production.toml"), scene.path("app.toml"), scene.path("open"));
    let refused = |link: &Path| {
        let table = format!("file = \"{}\"\nset = [{{ key = \"performance.streams\", to = 1 }}]", link.display());
        scene.plan("config_set", &table).unwrap_err().to_string()
    };
    symlink(&file, &link).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o666)).unwrap();
    assert!(refused(&link).contains("others may write to this file (mode 0666)"), "{}", refused(&link));
    fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    symlink(&file, open.join("app.toml")).unwrap();
    let said = refused(&open.join("app.toml"));
    assert!(said.contains("and others may change where it leads"), "{said}");
    // A link to a folder on the way counts as much as the last one.
    symlink(scene.dir.path(), open.join("way")).unwrap();
    fs::remove_file(&link).unwrap();
    symlink("open/way/production.toml", &link).unwrap();
    let (said, way) = (refused(&link), format!("({} on its way)", open.join("way").display()));
    assert!(said.contains(&way) && said.contains("others may change where it leads"), "{said}");
    fs::remove_file(&link).unwrap();
    symlink("app.toml", &link).unwrap();
    assert!(refused(&link).contains("too many links"), "{}", refused(&link));
    fs::remove_file(&link).unwrap();
    symlink(scene.path("none.toml"), &link).unwrap();
    assert!(refused(&link).contains("is a link that leads to no file"), "{}", refused(&link));
    symlink(scene.dir.path(), scene.path("way")).unwrap();
    let said = refused(&scene.path("way/production.toml"));
    assert!(said.contains("is reached through a symbolic link"), "{said}");
}

#[test]
fn who_ends_it_before_the_restart_is_told_when_the_new_values_come() {
    let (scene, table) = scene();
    let service = "{ kind = \"commands\", unit = \"bot\", status = [\"/bin/true\"], restart = [\"/bin/true\"] }";
    let plan = scene.plan("config_set", &format!("{table}restart = {service}")).unwrap();
    let run = Run::of(&scene.state(), plan.id);
    let doing = Doing { run: &run, clock: &RealClock, tell: &|_| {}, stops: &|| true, left: &|_| {} };
    let kind = kinds::of(&plan).unwrap();
    assert_eq!(kind.ended("edit", &plan, &doing), None, "nothing was done");
    let said = kind.ended("restart", &plan, &doing).unwrap();
    assert!(said.as_str().starts_with("bot takes the new values when it starts the next time"), "{said}");
}

#[test]
fn a_secret_is_not_set_from_here_and_not_shown_by_the_refusal() {
    let scene = Scene::new();
    let file = scene.path("app.toml");
    fs::write(&file, "[db]\npassword = \"hunter22\"\n").unwrap();
    for row in [
        "key = \"db.password\", to = \"hunter33\"",
        "key = \"db.password\", from = \"hunter44\", to = \"x\"",
        "key = \"db.password\", to = 5",
    ] {
        let said =
            scene.plan("config_set", &format!("file = \"{}\"\nset = [{{ {row} }}]", file.display())).unwrap_err();
        assert!(!said.to_string().contains("hunter"), "{said}");
    }
}

#[test]
fn a_new_file_that_its_own_program_finds_bad_never_takes_its_place() {
    let (scene, table) = scene();
    let path = scene.path("production.toml");
    let judge = scene.path("judge");
    let folder = scene.path("");
    // What it is given is the new content, whole, beside the old one, which still stands.
    let script = "#!/bin/sh\ngrep -q 'batch_size = 512' \"$2\" && grep -q 1_024 \"$1\" || exit 9\n[ -e \"$3/good\" ] || { echo 'line 3 is bad' >&2; exit 1; }\n";
    fs::write(&judge, script).unwrap();
    fs::set_permissions(&judge, PermissionsExt::from_mode(0o755)).unwrap();
    let (judge, file) = (judge.display(), path.display());
    let table = format!("{table}validate = [\"{judge}\", \"{file}\", \"{{file}}\", \"{}\"]", folder.display());
    let plan = scene.plan("config_set", &table).unwrap();
    assert!(plan.what.lines.iter().any(|line| line.as_str().contains("must find no fault with the new file")));
    let (end, _) = scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false), "{end:?}");
    assert!(
        end.reason.as_str().contains("finds fault with the new configuration (exit code 1): line 3 is bad"),
        "{end:?}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
    let beside = || fs::read_dir(&folder).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    assert_eq!(beside().filter(|name| name.contains("production")).count(), 1, "nothing is left beside it");
    let (end, _) = scene.carry("config_set", &format!("{table}\ncannot_check = [\"is bad\"]"));
    let why = "cannot check the new configuration: exit code 1: line 3 is bad";
    assert!(end.reason.as_str().contains(why), "when it was planned, it could: {end:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), FILE, "no pass, so nothing is written");
    fs::write(scene.path("good"), "").unwrap();
    let (end, _) = scene.carry("config_set", &table);
    assert!(end.executed, "{end:?}");
    assert!(fs::read_to_string(&path).unwrap().contains("batch_size = 512"));
    for (wrong, why) in [("[\"nginx\", \"{file}\"]", "whole path"), ("[\"/bin/true\"]", "would not see the new file")] {
        let fault =
            scene.plan("config_set", &format!("{}validate = {wrong}", self::scene().1)).unwrap_err().to_string();
        assert!(fault.contains(why), "{fault}");
    }
}

#[test]
fn a_validator_that_cannot_check_is_told_makes_the_prompt_heavier_and_leaves_the_form_of_the_file() {
    let (scene, table) = scene();
    let path = scene.path("production.toml");
    let judge = scene.path("judge");
    let plan = || {
        let validate = format!("validate = [\"{}\", \"{{file}}\"]\ncannot_check = [\"unknown flag\"]", judge.display());
        scene.plan("config_set", &format!("{table}{validate}")).unwrap()
    };
    let says = |text: &str| {
        fs::write(&judge, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&judge, PermissionsExt::from_mode(0o755)).unwrap();
    };
    let told = |plan: &Plan| {
        let row = plan.based_on.iter().find(|row| row.label.as_str() == "validator").unwrap();
        assert_eq!(plan.danger.to_string(), "C3", "C2 and one more: {:?}", plan.raised);
        assert!(
            plan.raised.iter().any(|why| why.as_str().contains("only its form was looked at")),
            "{:?}",
            plan.raised
        );
        assert!(plan.what.lines.iter().any(|line| line.as_str().ends_with("cannot check it: only its form is known")));
        row.value.to_string()
    };
    // There is no such program.
    let missing = told(&plan());
    assert!(missing.starts_with("cannot check: ") && missing.contains("judge: there is no such file"), "{missing}");
    says("echo 'unknown flag --validate-only' >&2; exit 2");
    let unknown = plan();
    assert_eq!(told(&unknown), "cannot check: exit code 2: unknown flag --validate-only; the new text reads as TOML");
    says("exit 0");
    let passed = plan();
    assert_eq!((passed.danger.to_string().as_str(), passed.raised.len()), ("C2", 0), "{:?}", passed.raised);
    says("echo 'line 3 is bad'; exit 1");
    let (end, _) = scene.act(unknown);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false), "what it finds after all counts: {end:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
    says("echo 'unknown flag --validate-only' >&2; exit 2");
    let (end, _) = scene.act(passed);
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, false), "that it cannot was not accepted: {end:?}");
    let (end, _) = scene.act(plan());
    assert!(end.executed, "no dead end: {end:?}");
    assert!(fs::read_to_string(&path).unwrap().contains("batch_size = 512"));
    fs::write(&path, "[performance\nbatch_size = 1\n").unwrap();
    let validate =
        format!("{table}validate = [\"{}\", \"{{file}}\"]\ncannot_check = [\"unknown flag\"]", judge.display());
    assert!(scene.plan("config_set", &validate).is_err(), "what does not even have the form is refused");
}

#[test]
fn a_value_that_the_operator_gives_has_the_type_of_what_stands_there_and_its_range() {
    let (scene, _) = scene();
    let file = scene.path("production.toml");
    fs::write(&file, format!("{FILE}pool = \"20\"\r\n")).unwrap();
    let table = |key: &str, value: &str| {
        let params = format!("params = {{ n = {{ int = [1, 600], value = {value}, ask = true }} }}");
        format!("file = \"{}\"\nset = [{{ key = \"performance.{key}\", to = \"{{n}}\" }}]\n{params}", file.display())
    };
    let lines = |key: &str| scene.plan("config_set", &table(key, "512")).unwrap().what.lines[1].to_string();
    assert_eq!(lines("batch_size"), "performance.batch_size   1024 → 512");
    assert_eq!(lines("pool"), "performance.pool   \"20\" → \"512\"");
    let fault = scene.plan("config_set", &table("batch_size", "601")).unwrap_err().to_string();
    assert!(fault.contains("expected a whole number from 1 to 600"), "{fault}");
    let fault = scene.plan("config_set", &table("batch_size", "5").replace("{n}", "{m}")).unwrap_err().to_string();
    assert!(fault.contains("`{m}` is no parameter"), "{fault}");
}

#[test]
fn a_file_that_cannot_be_replaced_is_refused_before_the_prompt() {
    use rustix::mount::{UnmountFlags, mount_bind, unmount};
    let (scene, table) = scene();
    let (file, source) = (scene.path("production.toml"), scene.path("source.toml"));
    fs::copy(&file, &source).unwrap();
    if mount_bind(&source, &file).is_err() {
        println!("SKIPPED: mount: a file cannot be mounted here");
        return;
    }
    let fault = scene.plan("config_set", &table).unwrap_err().to_string();
    unmount(&file, UnmountFlags::DETACH).unwrap();
    assert!(fault.contains("is a mount of its own"), "{fault}");
}

#[test]
fn the_last_ten_backups_of_a_file_are_kept_and_what_goes_is_named_in_the_plan() {
    let (scene, _) = scene();
    let (file, other) = (scene.path("production.toml"), scene.path("other/production.toml"));
    fs::create_dir(other.parent().unwrap()).unwrap();
    fs::write(&other, FILE).unwrap();
    let table = |file: &Path, to: usize| {
        format!("file = \"{}\"\nset = [{{ key = \"performance.streams\", to = {to} }}]", file.display())
    };
    let backup = |plan: &Plan| Run::of(&scene.state(), plan.id).backup_of(&file);
    let first = scene.plan("config_set", &table(&other, 50)).unwrap();
    assert!(scene.act(first.clone()).0.executed);
    let mut plans = Vec::new();
    for to in 100..110 {
        let plan = scene.plan("config_set", &table(&file, to)).unwrap();
        assert!(!plan.hits.iter().any(|hit| hit.as_str().contains("removes")), "{:?}", plan.hits);
        assert!(scene.act(plan.clone()).0.executed);
        plans.push(plan);
    }
    let plan = scene.plan("config_set", &table(&file, 110)).unwrap();
    let named = format!("removes an old backup (10 are kept): {}", backup(&plans[0]).display());
    assert!(plan.hits.iter().any(|hit| hit.as_str() == named), "{:?}", plan.hits);
    // An edit that does not take place removes nothing.
    fs::write(&file, fs::read_to_string(&file).unwrap() + "# x\n").unwrap();
    assert_eq!(scene.act(plan).0.outcome, Outcome::Refused);
    assert!(plans.iter().all(|plan| backup(plan).is_file()));
    let (end, progress) = scene.carry("config_set", &table(&file, 111));
    assert!(end.executed, "{end:?}");
    assert!(told(&progress).iter().any(|step| step.ends_with("1 old backup removed")), "{:?}", told(&progress));
    assert!(!backup(&plans[0]).exists() && plans[1..].iter().all(|plan| backup(plan).is_file()));
    assert!(backup(&first).is_file(), "another file's, of the same name");
}
