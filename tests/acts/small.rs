//! Commands, signals and switches of the kernel, on this host's own.

use crate::peer::Running;
use crate::scene::{Scene, Sleeper, told};
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use watchkeeper::action::lifecycle::{Earlier, Outcome};
use watchkeeper::action::plan::{Danger, Undo};
use watchkeeper::base::Clean;

fn script(scene: &Scene, name: &str, text: &str) -> String {
    let path = scene.path(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn a_command_is_run_once_with_its_arguments_as_they_are() {
    let scene = Scene::new();
    let (program, out) = (script(&scene, "keep", "printf '%s|' \"$@\" >> \"$1\"; echo done"), scene.path("out"));
    let table = format!(
        "argv = [\"{program}\", \"{}\", \"; touch x\", \"{{keep}}\"]\nparams = {{ keep = {{ int = [1, 9], value = 7 }} }}\nundo = \"run it again\"",
        out.display()
    );
    let plan = scene.plan("command", &table).unwrap();
    assert_eq!(plan.danger, Danger::C2, "without a preview nobody sees what it would do");
    assert!(plan.what.lines[0].as_str().ends_with("\"; touch x\" 7"), "{:?}", plan.what.lines);
    let (end, progress) = scene.act(plan.clone());
    assert_eq!(end.outcome, Outcome::Unverified, "a command has no check of its own: {end:?}");
    assert!(told(&progress).iter().any(|step| step == "ended with exit code 0: done"), "{:?}", told(&progress));
    assert!(!told(&progress).iter().any(|step| step.contains("backup")), "there was none: {:?}", told(&progress));
    assert_eq!(fs::read_to_string(&out).unwrap(), format!("{}|; touch x|7|", out.display()));
    assert_eq!(scene.output(&plan), "done\n");
}

#[test]
fn a_bad_exit_may_have_had_its_effect_and_a_missing_program_had_none() {
    let scene = Scene::new();
    let program = script(&scene, "bad", "echo half done >&2; exit 3");
    let (end, _) = scene.carry("command", &format!("argv = [\"{program}\"]\nundo = \"x\""));
    assert_eq!(end.outcome, Outcome::Indeterminate);
    assert!(end.reason.as_str().contains("exit code 3: half done"), "{end:?}");
    let missing = scene.plan("command", "argv = [\"/nonexistent/program\"]\nundo = \"x\"").unwrap_err().to_string();
    assert!(missing.contains("/nonexistent/program"), "{missing}");
    let plan = scene.plan("command", &format!("argv = [\"{program}\"]\nundo = \"x\"")).unwrap();
    fs::remove_file(&program).unwrap();
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
}

#[test]
fn a_program_that_only_looks_answers_by_its_exit_code() {
    let scene = Scene::new();
    let (good, bad) =
        (script(&scene, "good", "echo 3 files are whole"), script(&scene, "bad", "echo unknown flag; exit 2"));
    let plan = scene.plan("command", &format!("argv = [\"{good}\"]\nresult = \"exit\"")).unwrap();
    assert_eq!(plan.danger, Danger::C1, "nothing makes it heavier: {:?}", plan.raised);
    let (end, progress) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert!(told(&progress).iter().any(|step| step.contains("3 files are whole")), "{:?}", told(&progress));
    let (end, _) = scene.carry("command", &format!("argv = [\"{bad}\"]\nresult = \"exit\""));
    assert_eq!(end.outcome, Outcome::Failed, "it changes nothing, so nothing is unknown: {end:?}");
    assert!(end.reason.as_str().contains("exit code 2: unknown flag"), "{end:?}");
}

#[test]
fn what_a_dry_run_says_on_standard_error_is_told() {
    let scene = Scene::new();
    // As logrotate -d does, which says nothing else.
    let program =
        script(&scene, "dry", "echo rotating pattern: /var/log/x/*.log >&2; echo log does not need rotating >&2");
    let plan = scene.plan("command", &format!("argv = [\"{program}\", \"-d\"]\nresult = \"exit\"")).unwrap();
    let (end, progress) = scene.act(plan.clone());
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    let last = "ended with exit code 0: log does not need rotating";
    assert!(told(&progress).iter().any(|step| step == last), "{:?}", told(&progress));
    assert_eq!(scene.output(&plan), "rotating pattern: /var/log/x/*.log\nlog does not need rotating\n");
}

#[test]
fn a_program_that_does_not_know_the_question_cannot_check_and_neither_passes_nor_finds_fault() {
    let scene = Scene::new();
    for (name, text) in
        [("flag", "echo 'error: Unexpected argument' >&2; exit 2"), ("usage", "echo unexpected argument")]
    {
        let program = script(&scene, name, text);
        let table = format!("argv = [\"{program}\"]\nresult = \"exit\"\ncannot_check = [64, \"unexpected argument\"]");
        let (end, _) = scene.carry("command", &table);
        assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "neither good nor bad: {end:?}");
        assert!(end.reason.as_str().starts_with("cannot check: exit code "), "{end:?}");
    }
    let program = script(&scene, "code", "echo 'no such mode'; exit 64");
    let (end, _) = scene.carry("command", &format!("argv = [\"{program}\"]\nresult = \"exit\"\ncannot_check = [64]"));
    assert_eq!(end.reason.as_str(), "cannot check: exit code 64: no such mode.");
    let program = script(&scene, "fault", "echo line 3 is bad; exit 1");
    let (end, _) = scene.carry("command", &format!("argv = [\"{program}\"]\nresult = \"exit\"\ncannot_check = [64]"));
    assert!(end.reason.as_str().ends_with(" exit code 1: line 3 is bad."), "that is a fault it found: {end:?}");
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(!end.reason.as_str().contains("cannot check"), "{end:?}");
    let missing =
        scene.plan("command", "argv = [\"/nonexistent/program\"]\nresult = \"exit\"").unwrap_err().to_string();
    assert!(missing.contains("cannot check: /nonexistent/program"), "{missing}");
    for (wrong, why) in [
        ("result = \"exit\"\ncannot_check = [0]", "exit code 0 says that all is good"),
        ("result = \"exit\"\ncannot_check = [\" \"]", "stands in every answer"),
        ("result = \"exit\"\ncannot_check = 64", "Like cannot_check = [64"),
        ("undo = \"x\"\ncannot_check = [64]", "only a program that changes nothing"),
    ] {
        let refused = scene.plan("command", &format!("argv = [\"{program}\"]\n{wrong}")).unwrap_err().to_string();
        assert!(refused.contains(why), "{wrong}: {refused}");
    }
}

#[test]
fn the_operator_ends_a_program_that_runs_and_what_it_did_is_unknown() {
    let scene = Scene::new();
    // What the console's key writes, written when the program surely runs.
    let stop =
        format!("echo at work; run=$(echo {}/actions/*); : > $run/stop; exec sleep 600", scene.state().display());
    let program = script(&scene, "long", &stop);
    let plan = scene.plan("command", &format!("argv = [\"{program}\"]\nundo = \"x\"")).unwrap();
    let (end, _) = scene.act(plan.clone());
    assert_eq!(end.outcome, Outcome::Indeterminate, "{end:?}");
    assert!(end.reason.as_str().contains("was ended by the operator (killed by SIGTERM)"), "{end:?}");
    assert_eq!(scene.output(&plan), "at work\n");
}

#[test]
fn what_must_be_typed_can_be_the_value_of_a_parameter_such_as_the_strategy_that_goes_live() {
    let scene = Scene::new();
    let table = |confirm: &str| {
        format!(
            "argv = [\"/bin/true\", \"{{strategy}}\"]\nundo = \"stop it\"\npreview = [\"/bin/true\"]\nconfirm = \"{confirm}\"\nparams = {{ strategy = {{ one_of = [\"momentum-1\", \"grid\"], value = \"momentum-1\" }} }}"
        )
    };
    let plan = |confirm: &str| scene.plan("command", &table(confirm));
    let live = plan("{strategy}").unwrap();
    assert_eq!(live.danger.to_string(), "C3", "whatever is declared");
    assert_eq!(live.expected().rsplit_once('/').unwrap().1, "momentum-1");
    assert!(live.expected().starts_with(live.place.host.name.as_str()), "the host is typed too: {}", live.expected());
    assert_eq!(plan("go-live").unwrap().expected().rsplit_once('/').unwrap().1, "go-live");
    for wrong in ["", "two words", "liv\u{435}", "{other}"] {
        assert!(plan(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_shell_and_no_way_back_make_the_prompt_heavier_and_a_preview_is_shown() {
    let scene = Scene::new();
    let plan = scene.plan("command", "script = \"echo a\\necho b\"").unwrap();
    assert_eq!(plan.danger, Danger::C3, "{:?}", plan.raised);
    assert_eq!(plan.what.lines.iter().map(Clean::as_str).collect::<Vec<_>>()[1..], ["echo a", "echo b"]);
    let program = script(&scene, "look", "echo would remove 3 files; echo as an error >&2");
    let plan =
        scene.plan("command", &format!("argv = [\"/bin/true\"]\npreview = [\"{program}\"]\nundo = \"x\"")).unwrap();
    assert_eq!(plan.danger, Danger::C1);
    let lines: Vec<&str> = plan.what.lines.iter().map(Clean::as_str).collect();
    assert_eq!(lines[1..], ["  would remove 3 files", "  as an error"]);
    // Who only opens the list of actions runs nothing.
    let (mut unseen, ran) = (Scene::new(), scene.path("ran"));
    unseen.preview = false;
    let program = script(&scene, "leaves", &format!(": > {}", ran.display()));
    let plan =
        unseen.plan("command", &format!("argv = [\"/bin/true\"]\npreview = [\"{program}\"]\nundo = \"x\"")).unwrap();
    assert_eq!((plan.what.lines.len(), ran.exists()), (1, false));
    let fault = scene.plan("command", "argv = [\"true\"]\nundo = \"x\"").unwrap_err().to_string();
    assert!(fault.contains("not named by its whole path"), "{fault}");
}

#[test]
fn what_looks_like_a_secret_is_no_argument_and_a_secret_comes_by_a_variable() {
    let scene = Scene::new();
    for argv in [
        "\"--password=hunter22\"",
        "\"--token\", \"abcdef0123\"",
        "\"--db-password\", \"{keep}\"",
        "\"postgres://joe:hunter22@db/x\"",
        "\"Authorization: Bearer abcdef0123\"",
    ] {
        let params = "params = { keep = { matches = \"[a-z]+\", value = \"hunter\" } }";
        let fault =
            scene.plan("command", &format!("argv = [\"/bin/true\", {argv}]\n{params}\nundo = \"x\"")).unwrap_err();
        let fault = fault.to_string();
        assert!(fault.contains("looks like a secret") && fault.contains("secret_env = {"), "{argv}: {fault}");
        assert!(!fault.contains("hunter") && !fault.contains("abcdef"), "{fault}");
    }
    for argv in ["\"--token-file\", \"x\"", "\"--key-id\", \"7\"", "\"--password\", \"-f\"", "\"--keep\", \"7\""] {
        assert!(scene.plan("command", &format!("argv = [\"/bin/true\", {argv}]\nundo = \"x\"")).is_ok(), "{argv}");
    }
    let secret = scene.path("token");
    fs::write(&secret, "hunter2222\n").unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let program = script(&scene, "asks", "[ \"$TOKEN\" = hunter2222 ] && echo it is $TOKEN");
    let table = format!(
        "argv = [\"{program}\"]\nsecret_env = {{ TOKEN = {{ file = \"{}\" }} }}\nundo = \"x\"",
        secret.display()
    );
    let plan = scene.plan("command", &table).unwrap();
    assert_eq!(plan.what.lines[1].as_str(), format!("TOKEN from {}", secret.display()));
    let (end, progress) = scene.act(plan.clone());
    assert_eq!(end.outcome, Outcome::Unverified, "{end:?}");
    let all = format!("{plan:?} {:?} {}", told(&progress), scene.output(&plan));
    assert!(all.contains("it is") && !all.contains("hunter"), "{all}");
    let open = scene.plan("command", "argv = [\"/bin/true\"]\nsecret_env = { TOKEN = \"hunter2222\" }\nundo = \"x\"");
    assert!(open.unwrap_err().to_string().contains("does not stand in the profile"));
}

#[test]
fn where_no_check_is_declared_the_prompt_says_how_it_will_end() {
    let scene = Scene::new();
    let config = scene.path("app.toml");
    fs::write(&config, "a = 1\n").unwrap();
    let set = format!("file = \"{}\"\nset = [{{ key = \"a\", from = 1, to = 2 }}]", config.display());
    let scene_without_server = "method = \"PUT\"\nurl = \"http://127.0.0.1:1/x\"\nundo = \"x\"";
    let check = format!("{scene_without_server}\ncheck = {{ url = \"http://127.0.0.1:1/x\" }}");
    let mut listed = Scene::new();
    listed.preview = false;
    let says = |plan: &watchkeeper::action::plan::Plan| {
        plan.hits.iter().any(|hit| hit.as_str().contains("it ends UNVERIFIED"))
    };
    assert!(says(&scene.plan("command", "argv = [\"/bin/true\"]\nundo = \"x\"").unwrap()));
    assert!(says(&listed.plan("http_call", scene_without_server).unwrap()));
    assert!(!says(&listed.plan("http_call", &check).unwrap()), "it has one");
    let plan = scene.plan("config_set", &set).unwrap();
    assert!(says(&plan), "{:?}", plan.hits);
    let (end, _) = scene.act(plan);
    assert_eq!((end.outcome, fs::read_to_string(&config).unwrap().as_str()), (Outcome::Unverified, "a = 2\n"));
    assert!(end.reason.as_str().contains("the profile declares no check"), "{end:?}");
}

#[test]
fn a_program_that_was_swapped_or_written_to_after_the_preview_is_not_run() {
    let scene = Scene::new();
    let (out, program) = (scene.path("out"), script(&scene, "keep", "true"));
    let plan = || scene.plan("command", &format!("argv = [\"{program}\"]\nundo = \"x\"")).unwrap();
    let other = || script(&scene, "other", &format!("echo other > {}", out.display()));
    let refused = |plan, why: &str| {
        let (end, _) = scene.act(plan);
        assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
        assert!(end.reason.as_str().contains(why) && !out.exists(), "{end:?}");
    };
    let first = plan();
    fs::rename(other(), &program).unwrap();
    refused(first, "was replaced by another file");
    let second = plan();
    fs::write(&program, "#!/bin/sh\necho again\n").unwrap();
    refused(second, "was written to");
    assert_eq!(scene.act(plan()).0.outcome, Outcome::Unverified);
}

#[test]
fn a_script_that_an_interpreter_carries_out_is_bound_as_the_program_is() {
    let scene = Scene::new();
    let (out, act) = (scene.path("out"), scene.path("act.py"));
    let write = |text: &str| fs::write(&act, text).unwrap();
    let plan = |more: &str| {
        let argv = format!("argv = [\"/usr/bin/env\", \"python3\", \"-I\"{more}, \"{}\"]\nundo = \"x\"", act.display());
        scene.plan("command", &argv)
    };
    write("print('as planned')");
    let first = plan("").unwrap();
    assert!(first.based_on[0].value.as_str().contains("act.py, sha256 "), "{:?}", first.based_on);
    assert!(plan(", \"-c\", \"print(1)\"").unwrap().based_on.is_empty(), "it is an argument there");
    write(&format!("open('{}', 'w')", out.display()));
    let (end, _) = scene.act(first);
    assert!(end.outcome == Outcome::Refused && end.reason.as_str().contains("act.py was written to"), "{end:?}");
    let second = plan("").unwrap();
    fs::remove_file(&act).unwrap();
    let (end, _) = scene.act(second);
    assert!(end.outcome == Outcome::Refused && end.reason.as_str().contains("act.py is gone"), "{end:?}");
    assert!(!out.exists());
    write("print('as planned')");
    assert_eq!(scene.act(plan("").unwrap()).0.outcome, Outcome::Unverified);
    fs::set_permissions(&act, PermissionsExt::from_mode(0o666)).unwrap();
    let fault = plan("").unwrap_err().to_string();
    assert!(fault.contains("others may write to this file"), "{fault}");
}

#[test]
fn what_a_shell_reads_is_heavier_and_no_operator_writes_into_it_and_no_program_is_called_a_shell() {
    let scene = Scene::new();
    let plan = scene.plan("command", "argv = [\"/usr/bin/python3\", \"-c\", \"print(1)\"]\nundo = \"x\"").unwrap();
    assert_eq!(plan.danger, Danger::C2);
    assert_eq!(plan.what.lines[0].as_str(), "/usr/bin/python3 -c \"print(1)\"");
    let params = "params = { x = { matches = \".*\", value = \"$(reboot)\" } }\nundo = \"x\"";
    let plan = |argv: &str| scene.plan("command", &format!("argv = {argv}\n{params}"));
    let behind = plan("[\"/usr/bin/env\", \"bash\", \"-ec\", \"echo $1\", \"x\", \"{x}\"]").unwrap();
    assert_eq!(behind.danger, Danger::C3, "{:?}", behind.raised);
    let fault = plan("[\"/bin/sh\", \"-c\", \"echo {x}\"]").unwrap_err().to_string();
    assert!(fault.contains("could become a command of its own"), "{fault}");
    for argv in [r#"["/usr/bin/python3", "-c", "print({n})"]"#, r#"["/usr/bin/ssh", "-T", "host", "echo", "{n}"]"#] {
        let table = format!("argv = {argv}\nparams = {{ n = {{ int = [1, 9], value = 1 }} }}");
        let fault = scene.plan("command", &table).unwrap_err().to_string();
        assert!(fault.contains("could become a command of its own"), "{argv}: {fault}");
    }
}

#[test]
fn what_a_program_says_of_a_secret_is_neither_in_a_preview_nor_in_a_reason() {
    let scene = Scene::new();
    let program = script(&scene, "says", "echo password=hunter22; exit 3");
    let table = format!("argv = [\"{program}\"]\nundo = \"x\"");
    let (end, progress) = scene.carry("command", &table);
    assert!(!format!("{end:?} {progress:?}").contains("hunter"), "{end:?}");
    let program = script(&scene, "previews", "echo password=hunter22");
    let plan =
        scene.plan("command", &format!("argv = [\"/bin/true\"]\npreview = [\"{program}\"]\nundo = \"x\"")).unwrap();
    assert!(plan.what.lines.len() == 2 && !plan.what.lines[1].as_str().contains("hunter"), "{:?}", plan.what.lines);
}

#[test]
fn a_signal_reaches_the_process_of_the_plan_and_no_other() {
    let scene = Scene::new();
    let table = |signal: &str| {
        format!("pid_file = \"{}\"\nprogram = \"sleep\"\nsignal = \"{signal}\"", scene.path("pid").display())
    };
    let sleeper = || Sleeper::start(&scene.path("pid"));
    let first = sleeper();
    let plan = scene.plan("process_signal", &table("TERM")).unwrap();
    assert_eq!(plan.what.lines[0].as_str(), format!("SIGTERM to process {} (sleep)", first.pid));
    drop(first);
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "it is gone: {end:?}");

    let second = sleeper();
    let pid = second.pid;
    let plan = scene.plan("process_signal", &table("TERM")).unwrap();
    let (end, progress) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&second.ended()), Some(15), "process {pid}");

    let _third = sleeper();
    let (end, _) = scene.carry("process_signal", &table("CONT"));
    assert_eq!(end.outcome, Outcome::Unverified, "it runs on, which proves nothing: {end:?}");
    let fault = scene.plan("process_signal", &table("KILL")).unwrap_err().to_string();
    assert!(fault.contains("not sent from here"), "{fault}");
    let another = table("HUP").replace("\"sleep\"", "\"nginx\"");
    let fault = scene.plan("process_signal", &another).unwrap_err().to_string();
    assert!(fault.contains("is sleep, not nginx"), "{fault}");
    fs::write(scene.path("pid"), "4000000").unwrap();
    let fault = scene.plan("process_signal", &table("HUP")).unwrap_err().to_string();
    assert!(fault.contains("there is no process 4000000"), "{fault}");
}

#[test]
fn a_program_that_ends_a_moment_after_a_signal_that_was_not_to_end_it_is_a_failure() {
    let scene = Scene::new();
    let words = ["-c", "trap 'sleep .05; exit' USR1; echo ready; while :; do sleep .01; done"];
    let mut running = Running::start(Command::new("/bin/bash").args(words), Stdio::null(), Stdio::piped());
    let said = running.0.stdout.as_mut().unwrap();
    said.read_exact(&mut [0; 6]).unwrap();
    fs::write(scene.path("pid"), running.0.id().to_string()).unwrap();
    let waits = std::thread::spawn(move || running.0.wait());
    let table = format!("pid_file = \"{}\"\nprogram = \"bash\"\nsignal = \"USR1\"", scene.path("pid").display());
    let plan = scene.plan("process_signal", &table).unwrap();
    assert!(plan.hits.iter().any(|hit| hit.as_str().contains("UNVERIFIED")), "{:?}", plan.hits);
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Failed, "{end:?}");
    assert!(end.reason.as_str().contains("has ended, which was not meant"), "{end:?}");
    assert!(waits.join().unwrap().unwrap().success());
}

#[test]
fn a_program_that_is_started_again_after_each_signal_is_still_the_same_one() {
    let scene = Scene::new();
    let table = format!("pid_file = \"{}\"\nprogram = \"sleep\"\nsignal = \"TERM\"", scene.path("pid").display());
    let earlier = |_| {
        let sleeper = Sleeper::start(&scene.path("pid"));
        let plan = scene.plan("process_signal", &table).unwrap();
        drop(sleeper);
        Earlier { plan, end: None }
    };
    let two = [0, 1].map(earlier);
    assert_ne!(two[0].plan.targets, two[1].plan.targets, "another number");
    let _third = Sleeper::start(&scene.path("pid"));
    let plan = scene.plan_after("process_signal", &table, &two).unwrap();
    assert!(plan.danger == Danger::C3 && plan.raised[0].as_str().contains("number 3 of its kind"), "{:?}", plan.raised);
    let fault = scene.plan_after("process_signal", &format!("{table}\ncooldown = \"60s\""), &two[1..]).unwrap_err();
    assert!(fault.to_string().contains("cooling down"), "{fault}");
}

#[test]
fn a_switch_is_written_read_back_and_its_old_value_is_kept() {
    // Ours to set and of no consequence: how many messages of a kind a second the kernel prints.
    let path = "/proc/sys/kernel/printk_ratelimit_burst";
    let Ok(old) = fs::read_to_string(path) else { return println!("SKIPPED: cgroup: no {path} here") };
    if fs::write(path, old.trim()).is_err() {
        return println!("SKIPPED: cgroup: {path} cannot be written here");
    }
    let new: u32 = old.trim().parse::<u32>().unwrap() + 1;
    let scene = Scene::new();
    let plan = scene.plan("sysfs_write", &format!("path = \"{path}\"\nvalue = \"{new}\"")).unwrap();
    let Undo::How(undo) = &plan.undo else { panic!("{:?}", plan.undo) };
    let kept = undo.as_str().strip_prefix("write the old values back: ");
    let kept = kept.and_then(|rest| rest.strip_suffix("; offered afterwards")).unwrap().to_owned();
    let (end, progress) = scene.act(plan.clone());
    let now = fs::read_to_string(path).unwrap();
    fs::write(path, old.trim()).unwrap();
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!(now.trim(), new.to_string());
    assert_eq!(fs::read_to_string(kept).unwrap(), format!("{path}\t{}\n", old.trim()));

    // Changed by somebody else between the plan and the effect.
    let stale = scene.plan("sysfs_write", &format!("path = \"{path}\"\nvalue = \"{new}\"")).unwrap();
    fs::write(path, (new + 1).to_string()).unwrap();
    let (end, _) = scene.act(stale);
    fs::write(path, old.trim()).unwrap();
    assert_eq!(end.outcome, Outcome::Refused);
    assert!(end.reason.as_str().contains("plan is stale"), "{end:?}");
}

#[test]
fn what_is_no_switch_is_refused_before_any_prompt() {
    let scene = Scene::new();
    for (table, why) in [
        ("path = \"/etc/passwd\"\nvalue = \"1\"", "below /sys or /proc/sys"),
        ("path = \"/sys/../etc/passwd\"\nvalue = \"1\"", "below /sys or /proc/sys"),
        ("path = \"/proc/sys/kernel\"\nvalue = \"1\"", "is no switch"),
        ("path = \"/proc/sys/none/*/x\"\nvalue = \"1\"", "cannot be listed"),
        ("path = \"/proc/sys/kernel/ostype\"\nvalue = \"a\\nb\"", "one line"),
        ("path = \"/proc/sys/kernel/ostype\"\nvalue = \"Linux\"", "nothing would change"),
    ] {
        let fault = scene.plan("sysfs_write", table).unwrap_err().to_string();
        assert!(fault.contains(why), "{table}: {fault}");
    }
}

#[test]
fn a_program_that_is_never_ended_is_told_to_be_late_once_and_counts_by_its_exit_code() {
    let scene = Scene::new();
    let table = "argv = [\"/bin/sleep\", \"2.5\"]\nkill = \"never\"\ntimeout = \"1s\"\nundo = \"none\"";
    let plan = scene.plan("command", table).unwrap();
    let (end, progress) = scene.act(plan.clone());
    assert_eq!((end.outcome, end.executed), (Outcome::Unverified, true), "{}", end.reason);
    assert!(told(&progress).contains(&"ended with exit code 0 after more than 1 s".to_owned()), "{progress:?}");
    assert_eq!(scene.output(&plan), "/bin/sleep takes longer than 1 s; it is never ended\n");
}
