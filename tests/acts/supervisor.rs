//! Programs of a real supervisord, with `supervisorctl` as the judge.

use crate::peer::{self, Peer};
use crate::scene::{Scene, told};
use crate::web::{certificate, say, serve_by};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use watchkeeper::action::kinds::{self, Settled};
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::action::plan::Danger;
use watchkeeper::base::Clean;

struct Lab {
    peer: Peer,
    scene: Scene,
}

fn lab() -> Option<Lab> {
    lab_with(&[])
}

fn lab_with(settings: &[(&str, &str)]) -> Option<Lab> {
    Some(Lab { peer: peer::start_with("supervisord", settings)?, scene: Scene::new() })
}

impl Lab {
    fn ctl(&self, words: &[&str]) -> String {
        String::from_utf8_lossy(&self.peer.exec(words).stdout).trim().to_owned()
    }

    /// A program more, once it is in this state.
    fn program(&self, section: &str, settings: &str, state: &str) {
        let name = section.split(':').nth(1).unwrap();
        let more = Path::new(self.peer.env("SUPERVISOR_SOCKET")).with_file_name("more");
        fs::write(more.join(format!("{name}.conf")), format!("[{section}]\n{settings}\n")).unwrap();
        self.ctl(&["update"]);
        self.comes(name, state);
    }

    /// Asking takes so long that no pause is needed.
    fn comes(&self, name: &str, state: &str) {
        let mut said = String::new();
        for _ in 0..100 {
            said = self.ctl(&["status", name]);
            if said.contains(state) {
                return;
            }
        }
        panic!("{name} is not {state}: {said}");
    }

    fn pid(&self, name: &str) -> String {
        self.ctl(&["pid", name])
    }

    fn table(&self, program: &str) -> String {
        self.table_with(program, "")
    }

    fn table_with(&self, program: &str, more: &str) -> String {
        let path = self.peer.env("SUPERVISOR_SOCKET");
        format!("service = {{ kind = \"supervisor\", path = \"{path}\", program = \"{program}\"{more} }}\n")
    }

    fn refused(&self, kind: &str, table: &str) -> String {
        match self.scene.plan(kind, table) {
            Err(fault) => fault.to_string(),
            Ok(plan) => panic!("{table}: {plan:?}"),
        }
    }
}

#[test]
fn a_program_is_restarted_once_and_stays_up() {
    let Some(lab) = lab() else { return };
    let before = lab.pid("good");
    let plan = lab.scene.plan("service_restart", &lab.table("good")).unwrap();
    assert_eq!(plan.danger, Danger::C2, "whatever the profile says");
    let line = plan.what.lines[0].as_str();
    assert!(line.starts_with("restart good  (stopProcess, then startProcess) through supervisord at /"), "{line}");
    assert_eq!(plan.based_on[0].value.as_str(), format!("RUNNING, process {before}"));
    let hits: Vec<&str> = plan.hits.iter().map(Clean::as_str).collect();
    assert!(hits.contains(&"it is given 10 s to end, then it is killed"), "{hits:?}");
    let (end, progress) = lab.scene.act(plan);
    assert_eq!((end.outcome, end.executed), (Outcome::Succeeded, true), "{end:?} {:?}", told(&progress));
    let after = lab.pid("good");
    assert!(after != before && after.parse::<u32>().unwrap() > 1, "{before} {after}");
}

#[test]
fn one_of_a_group_is_restarted_by_its_whole_name_alone() {
    let Some(lab) = lab() else { return };
    let said = lab.refused("service_restart", &lab.table("pair"));
    assert!(said.contains("`pair` is a group of 1 programs, not one. Name one of them: pair:0."), "{said}");
    let before = lab.pid("pair:0");
    let (end, progress) = lab.scene.carry("service_restart", &lab.table("pair:0"));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_ne!(lab.pid("pair:0"), before);
}

#[test]
fn what_supervisord_would_not_do_is_refused_before_any_prompt() {
    let Some(lab) = lab() else { return };
    let refused = |kind: &str, program: &str| lab.refused(kind, &lab.table(program));
    let said = refused("service_restart", "goood");
    assert!(said.contains("has no program `goood`. Did you mean `good`?"), "{said}");
    let fault = lab.scene.plan("service_restart", &lab.table("goood")).unwrap_err();
    assert_eq!(fault.unknown, Some(Box::new("goood".into())));
    let said = refused("service_start", "good");
    assert!(said.contains("there is nothing to start. To start it anew, restart it."), "{said}");
    assert!(refused("service_stop", "stopped").contains("stopped is STOPPED: there is nothing to stop"));
    assert!(refused("service_reload", "good").contains("say reload_signal = \"HUP\"; else restart it."));
    assert!(refused("service_reset_failed", "soon").contains("has no failed state to clear"));
    for name in ["-good", "a/b", "good\\nstop", "gооd", "pair:*", "good:good", ""] {
        assert!(lab.scene.plan("service_restart", &lab.table(name)).is_err(), "{name}");
    }
    let table = lab.table("good").replace("/sock\"", "/none\"");
    let said = lab.refused("service_restart", &table);
    assert!(said.contains("there is no socket ") && said.contains("Is supervisord running?"), "{said}");
}

#[test]
fn a_program_that_ends_too_soon_again_and_again_is_not_restarted() {
    let Some(lab) = lab() else { return };
    lab.program("program:loop", "command=sh -c 'echo no database >&2; exit 3'\nstartretries=1000000", "BACKOFF");
    let said = lab.refused("service_restart", &lab.table("loop"));
    assert!(said.contains("loop is BACKOFF, Exited too quickly"), "{said}");
    assert!(said.contains("; its log ends: no database: it ends too soon"), "{said}");
    assert!(said.contains("Look at its log for why; then stop it, and start it."), "{said}");
    // That way out is open.
    let (end, progress) = lab.scene.carry("service_stop", &lab.table("loop"));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert!(lab.ctl(&["status", "loop"]).contains("STOPPED"));
}

#[test]
fn a_program_is_started_and_stopped_and_one_that_does_not_stay_up_is_a_failure() {
    let Some(lab) = lab() else { return };
    lab.program("program:brief", "command=sleep 0.3\nstartsecs=0\nautostart=false\nautorestart=false", "STOPPED");
    let act = |kind: &str, program: &str| lab.scene.carry(kind, &lab.table(program));
    let (end, progress) = act("service_start", "stopped");
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert!(lab.ctl(&["status", "stopped"]).contains("RUNNING"));
    let (end, _) = act("service_stop", "stopped");
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert!(lab.ctl(&["status", "stopped"]).contains("STOPPED"));
    // It counts as started at once, and ends.
    let (end, progress) = act("service_start", "brief");
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    let plan = lab.scene.plan("service_start", &lab.table("missing")).unwrap();
    assert_eq!(plan.based_on[0].value.as_str(), "FATAL, can't find command '/no/such/program'");
    let (end, _) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Failed, "{end:?}");
    assert!(end.reason.as_str().contains("`start missing` was not done: NO_FILE"), "{end:?}");
}

#[test]
fn a_restart_that_stopped_and_did_not_start_is_judged_by_what_it_left() {
    let Some(lab) = lab() else { return };
    let program = lab.scene.path("program");
    fs::write(&program, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    lab.program("program:own", &format!("command={}\nstartretries=0", program.display()), "RUNNING");
    fs::write(&program, "#!/bin/sh\nexit 3\n").unwrap();
    let (end, progress) = lab.scene.carry("service_restart", &lab.table("own"));
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("own is FATAL, Exited too quickly"), "{end:?}");
}

#[test]
fn a_program_that_was_restarted_since_the_plan_is_left_alone() {
    let Some(lab) = lab() else { return };
    let plan = lab.scene.plan("service_restart", &lab.table("good")).unwrap();
    lab.ctl(&["restart", "good"]);
    let serving = lab.pid("good");
    let (end, _) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused);
    assert!(end.reason.as_str().contains("good: restarted meanwhile (process "), "{end:?}");
    assert_eq!(lab.pid("good"), serving);
}

#[test]
fn half_of_a_restart_is_neither_done_nor_as_before() {
    let Some(lab) = lab() else { return };
    let plan = lab.scene.plan("service_restart", &lab.table("good")).unwrap();
    let now = || kinds::of(&plan).unwrap().settled(&plan).unwrap();
    assert!(matches!(now(), Settled::NotDone(_)), "{:?}", now());
    lab.ctl(&["stop", "good"]);
    assert!(matches!(now(), Settled::Other(_)), "{:?}", now());
    lab.ctl(&["start", "good"]);
    assert!(matches!(now(), Settled::Done(_)), "{:?}", now());
}

#[test]
fn a_declared_signal_reloads_the_program_that_runs() {
    let Some(lab) = lab() else { return };
    let told_file = lab.scene.path("told");
    let script = format!("trap \"echo again >> {}\" HUP; while :; do sleep 0.05; done", told_file.display());
    lab.program("program:rereads", &format!("command=sh -c '{script}'"), "RUNNING");
    let before = lab.pid("rereads");
    let table = lab.table_with("rereads", ", reload_signal = \"HUP\"");
    let (end, progress) = lab.scene.carry("service_reload", &table);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    lab.comes("rereads", "RUNNING");
    assert_eq!((lab.pid("rereads"), fs::read_to_string(told_file).unwrap_or_default()), (before, "again\n".to_owned()));
}

#[test]
fn the_event_listener_that_acts_when_a_program_dies_is_told_of_and_looked_at_first() {
    let Some(lab) = lab() else { return };
    let fired = lab.scene.path("fired");
    let script = format!("printf \"READY\\n\"; read event; touch {}; exec sleep 1000", fired.display());
    let events = "events=PROCESS_STATE_EXITED,PROCESS_STATE_FATAL\nautorestart=false";
    lab.program("eventlistener:closer", &format!("command=sh -c '{script}'\n{events}"), "RUNNING");
    let declared = ", listener = \"closer\", listener_does = \"closes all positions\"";
    let plan = lab.scene.plan("service_restart", &lab.table_with("good", declared)).unwrap();
    assert_eq!(plan.danger, Danger::C3);
    let said = "if good dies or does not come up, its event listener closer closes all positions";
    assert!(plan.raised.iter().any(|why| why.as_str() == said), "{:?}", plan.raised);
    let before = format!("its event listener closer is RUNNING, process {}", lab.pid("closer"));
    assert!(plan.hits.iter().any(|hit| hit.as_str() == before), "{:?}", plan.hits);
    // A commanded restart is not what it waits for.
    let (end, progress) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert!(!fired.exists());
    let plan = lab.scene.plan("service_restart", &lab.table_with("good", declared)).unwrap();
    lab.ctl(&["stop", "closer"]);
    let serving = lab.pid("good");
    let (end, _) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("listener closer RUNNING, process "), "{end:?}");
    assert_eq!(lab.pid("good"), serving);
}

#[test]
fn an_event_listener_that_is_not_settled_or_unknown_stands_in_the_way() {
    let Some(lab) = lab() else { return };
    lab.program("eventlistener:mad", "command=false\nevents=PROCESS_STATE_EXITED\nstartretries=1000000", "BACKOFF");
    let said = lab.refused("service_restart", &lab.table_with("good", ", listener = \"mad\""));
    assert!(said.contains("its event listener mad is BACKOFF"), "{said}");
    let said = lab.refused("service_restart", &lab.table_with("good", ", listener = \"none\""));
    assert!(said.contains("has no program `none`. `listener` names the event listener of this program."), "{said}");
}

#[test]
fn a_socket_that_asks_for_a_login_is_given_it_from_a_file() {
    let Some(lab) = lab_with(&[("SUPERVISOR_LOGIN", "joe:hunter22")]) else { return };
    let said = lab.refused("service_restart", &lab.table("good"));
    assert!(said.contains("asks for a login. Say user = "), "{said}");
    let file = lab.scene.path("password");
    fs::write(&file, "hunter22\n").unwrap();
    let login = format!(", user = \"joe\", password = {{ file = \"{}\" }}", file.display());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(lab.refused("service_restart", &lab.table_with("good", &login)).contains("password"), "others may read it");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let plan = lab.scene.plan("service_restart", &lab.table_with("good", &login)).unwrap();
    assert!(!serde_json::to_string(&plan).unwrap().contains("hunter22"));
    let (end, progress) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
}

#[test]
fn a_socket_that_somebody_else_answers_is_refused_unless_that_login_is_declared() {
    let Some(lab) = lab_with(&[("SUPERVISOR_USER", "nobody")]) else { return };
    let said = lab.refused("service_restart", &lab.table("good"));
    assert!(said.contains("is answered by a program of nobody, not of root or this login."), "{said}");
    assert!(said.contains("say owner = \"nobody\""), "{said}");
    let (end, progress) = lab.scene.carry("service_restart", &lab.table_with("good", ", owner = \"nobody\""));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
}

#[test]
#[ignore = "a role: a login that is neither root nor let in"]
fn plays_a_login_without_rights() {
    let (scene, table) = (Scene::new(), std::env::var("WATCHKEEPER_TEST_TABLE").unwrap());
    let said = scene.plan("service_restart", &table).unwrap_err().to_string();
    assert!(said.contains("this login may not connect to /"), "{said}");
    assert!(said.contains("chown = root:GROUP, chmod = 0770"), "{said}");
}

#[test]
fn a_login_that_may_not_use_the_socket_is_told_what_would_let_it_in() {
    let Some(lab) = lab() else { return };
    let root = fs::metadata(lab.peer.env("SUPERVISOR_SOCKET")).unwrap().uid() == 0;
    if !root {
        return peer::skip("supervisord", "only root plays another login");
    }
    let us = lab.scene.path("us");
    fs::copy(std::env::current_exe().unwrap(), &us).unwrap();
    fs::set_permissions(lab.scene.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let role = ["--ignored", "--exact", "supervisor::plays_a_login_without_rights"];
    let played = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(us)
        .args(role)
        .env("WATCHKEEPER_TEST_TABLE", lab.table("good"))
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&played.stdout);
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn a_supervisord_that_was_started_again_since_the_plan_is_not_the_one_that_was_seen() {
    let Some(lab) = lab() else { return };
    let plan = || lab.scene.plan("service_start", &lab.table("stopped")).unwrap();
    let (first, dir) = (plan(), Path::new(lab.peer.env("SUPERVISOR_SOCKET")).parent().unwrap());
    let script = |action: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/supervisord.sh");
        assert!(Command::new(script).arg(action).arg(dir).output().unwrap().status.success());
    };
    script("stop");
    script("start");
    let (end, _) = lab.scene.act(first);
    assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{end:?}");
    assert!(end.reason.as_str().contains("stopped: supervisord process "), "{end:?}");
    let second = plan();
    script("stop");
    let (end, _) = lab.scene.act(second);
    assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{end:?}");
}

#[test]
fn a_supervisord_that_listens_on_a_port_is_spoken_to_with_a_login_from_a_file() {
    let Some(lab) = lab() else { return };
    let url = lab.peer.env("SUPERVISOR_URL");
    let file = lab.scene.path("password");
    fs::write(&file, "hunter22\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let table = |url: &str, more: &str| {
        format!("service = {{ kind = \"supervisor\", url = \"{url}\", program = \"good\"{more} }}\n")
    };
    let login = format!(", user = \"joe\", password = {{ file = \"{}\" }}", file.display());
    let said = lab.refused("service_restart", &table(url, ""));
    assert!(said.contains("asks for a login. Say user = "), "{said}");
    let said = lab.refused("service_restart", &table("http://nobody.example.test:9001", &login));
    assert!(said.contains("is where supervisord listens on this host"), "{said}");
    let said = lab.refused("service_restart", &table("http://joe:hunter22@127.0.0.1:9001", ""));
    assert!(said.contains("names a user") && !said.contains("hunter22"), "{said}");
    let said = lab.refused("service_restart", &table("http://127.0.0.1:1", &login));
    assert!(said.contains("nobody listens at 127.0.0.1:1."), "{said}");
    let before = lab.pid("good");
    let plan = lab.scene.plan("service_restart", &table(url, &login)).unwrap();
    // By its socket it is the same server: one lock for both.
    let by_socket = lab.scene.plan("service_restart", &lab.table("good")).unwrap();
    assert_eq!(plan.locks(), by_socket.locks());
    assert!(!serde_json::to_string(&plan).unwrap().contains("hunter22"));
    assert!(plan.what.lines[0].as_str().ends_with(&format!("through supervisord at {url}")), "{:?}", plan.what.lines);
    let (end, progress) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_ne!(lab.pid("good"), before);
}

#[test]
fn supervisorctl_through_sudo_is_a_service_of_commands() {
    let Some(lab) = lab() else { return };
    // A stand-in with sudo's words: -n -l -- asks, -n does.
    let sudo = lab.scene.path("sudo");
    fs::write(&sudo, "#!/bin/sh\n[ \"$1\" = -n ] || exit 1; shift; [ \"$1\" = -l ] && exit 0; exec \"$@\"\n").unwrap();
    fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).unwrap();
    let config = Path::new(lab.peer.env("SUPERVISOR_SOCKET")).with_file_name("supervisord.conf");
    let mut table = "[service]\nkind = \"commands\"\nunit = \"good\"\npid_after = \"RUNNING   pid \"\n".to_owned();
    for verb in ["status", "start", "stop", "restart"] {
        let words =
            [sudo.to_str().unwrap(), "-n", "/usr/bin/supervisorctl", "-c", config.to_str().unwrap(), verb, "good"];
        table.push_str(&[verb, " = ", &format!("{words:?}"), "\n"].concat());
    }
    let before = lab.pid("good");
    let plan = lab.scene.plan("service_restart", &table).unwrap();
    assert!(plan.what.lines[0].as_str().ends_with("restart good"), "{:?}", plan.what.lines);
    let (end, progress) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_ne!(lab.pid("good"), before);
    let (end, _) = lab.scene.carry("service_stop", &table);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert!(lab.ctl(&["status", "good"]).contains("STOPPED"));
}

#[test]
fn a_port_that_somebody_else_holds_is_told_no_password() {
    let Some(lab) = lab() else { return };
    if !rustix::process::geteuid().is_root() {
        return peer::skip("setpriv", "only root plays another login");
    }
    let listens = "import socket,time; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); time.sleep(600)";
    let mut other = Command::new("setpriv");
    other.args(["--reuid", "nobody", "--clear-groups", "/usr/bin/python3", "-c", listens]);
    let mut other = peer::Running::start(&mut other, Stdio::null(), Stdio::piped());
    let mut port = String::new();
    BufReader::new(other.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let url = format!("http://127.0.0.1:{}", port.trim());
    let table = format!("service = {{ kind = \"supervisor\", url = \"{url}\", program = \"good\" }}\n");
    let said = lab.refused("service_restart", &table);
    drop(other);
    assert!(said.contains("is answered by a program of nobody") && said.contains("say owner = \"nobody\""), "{said}");
}

#[test]
fn health_is_asked_by_https_and_only_where_the_certificate_passes() {
    let Some(lab) = lab() else { return };
    let Some((cert, tls)) = certificate(lab.scene.dir.path(), "IP:127.0.0.1") else {
        return peer::skip("openssl", "not found: apt-get install openssl");
    };
    let web = serve_by(Some(tls), |_| say("200 OK", "{\"status\": \"healthy\"}"));
    let health = |more: String| {
        let json = "[{ pointer = \"/status\", equals = \"healthy\" }]";
        let url = format!("url = \"https://{}/health\"", web.at);
        format!("health = {{ {url}, json = {json}, within = \"20s\"{more} }}\n{}", lab.table("good"))
    };
    let (end, progress) = lab.scene.carry("service_restart", &health(format!(", ca = \"{}\"", cert.display())));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert!(web.count("GET /health HTTP/1.1") > 0);
    let key = lab.scene.path("key");
    fs::write(&key, "canary\n").unwrap();
    fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    let more = format!(", ca = \"{}\", bearer = {{ file = \"{}\" }}", cert.display(), key.display());
    let (end, progress) = lab.scene.carry("service_restart", &health(more));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert!(web.asked().iter().any(|asked| asked.to_lowercase().contains("authorization: bearer canary")));
    let asked = web.asked().len();
    let (end, _) = lab.scene.carry("service_restart", &health(String::new()));
    assert_eq!(end.outcome, Outcome::Failed, "{end:?}");
    assert!(end.reason.as_str().contains("nobody that is trusted here has signed its certificate"), "{end:?}");
    assert_eq!(web.asked().len(), asked);
}

#[test]
fn a_variable_of_its_section_is_taken_up_by_a_restart_that_updates_and_goes_again() {
    let Some(lab) = lab() else { return };
    lab.program("program:own", "command=sleep 100000\nstartsecs=1\nenvironment=KEPT=\"a,b\"", "RUNNING");
    let file = Path::new(lab.peer.env("SUPERVISOR_MORE")).join("own.conf");
    let before = fs::read_to_string(&file).unwrap();
    let variables = || {
        let all = fs::read(format!("/proc/{}/environ", lab.pid("own"))).unwrap();
        String::from_utf8(all).unwrap().split('\0').map(str::to_owned).collect::<Vec<_>>()
    };
    let service = |more: &str| {
        let path = lab.peer.env("SUPERVISOR_SOCKET");
        format!("{{ kind = \"supervisor\", path = \"{path}\", program = \"own\"{more} }}")
    };
    let set = |more: &str| {
        let key = "{ key = \"program:own.environment.DEBUG\", to = \"1\", absent = \"add\" }";
        let file = file.display();
        format!("file = \"{file}\"\nformat = \"supervisor\"\nset = [{key}]\nrestart = {}\n", service(more))
    };
    // A group's other programs would be taken out with it.
    let table = format!("service = {}\n", service(", update = true").replace("\"own\"", "\"pair:0\""));
    assert!(lab.refused("service_restart", &table).contains("`update` takes up a whole group"));
    // Without an update the file has it and the process has not.
    let (end, progress) = lab.scene.carry("config_set", &set(""));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert!(!variables().contains(&"DEBUG=1".to_owned()));
    fs::write(&file, &before).unwrap();
    let (others, old) = (lab.pid("good"), lab.pid("own"));
    let plan = lab.scene.plan("config_set", &set(", update = true")).unwrap();
    let (end, progress) = lab.scene.act(plan);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    let mut has = variables();
    // What else the machine has there is nobody's business.
    has.retain(|one| one.starts_with("DEBUG=") || one.starts_with("KEPT="));
    has.sort();
    assert_eq!(has, ["DEBUG=1", "KEPT=a,b"]);
    assert!(fs::read_to_string(&file).unwrap().contains("environment=KEPT=\"a,b\",DEBUG=\"1\"\n"));
    assert!(lab.pid("own") != old && lab.pid("good") == others, "no other program is touched");
    // A file that cannot be read leaves everything as it runs.
    let running = lab.pid("own");
    let broken = file.with_file_name("broken.conf");
    fs::write(&broken, "[program:broken]\n").unwrap();
    let table = format!("service = {}\n", service(", update = true"));
    let (end, progress) = lab.scene.carry("service_restart", &table);
    assert_eq!(end.outcome, Outcome::Failed, "{end:?} {:?}", told(&progress));
    assert!(end.reason.as_str().contains("cannot read its configuration"), "{end:?}");
    assert_eq!(lab.pid("own"), running);
    fs::remove_file(&broken).unwrap();
    // What the way back leaves.
    fs::write(&file, &before).unwrap();
    let (end, progress) = lab.scene.carry("service_restart", &table);
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert!(!variables().contains(&"DEBUG=1".to_owned()));
}
