//! What a profile declares of a service beyond its manager's word, on a real systemd: its port, its health, and the
//! program that must find its configuration good.

use crate::scene::told;
use crate::service::{Lab, lab};
use crate::trees::until;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use watchkeeper::action::lifecycle::{End, Outcome, Run};
use watchkeeper::action::plan::{Danger, Plan};
use watchkeeper::base::Clean;

/// Answers every GET with the status and the body that stand in a file.
const WEB: &str = r#"
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Web(BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = open(sys.argv[2]).read().split(" ", 1)
        self.send_response(int(status)); self.end_headers(); self.wfile.write(body.encode())
    def log_message(self, *args): pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Web).serve_forever()
"#;
/// Long enough in played time for a slow start of Python in real time, and for the end where it never comes.
const WITHIN: &str = "100s";
const SOON: &str = "30s";

struct Web {
    lab: Lab,
    port: u16,
}

fn web() -> Option<Web> {
    let lab = lab()?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    fs::write(lab.scene.path("web.py"), WEB).unwrap();
    let web = Web { lab, port };
    web.answers("200 {\"status\": \"healthy\"}");
    Some(web)
}

impl Web {
    fn answers(&self, what: &str) {
        fs::write(self.lab.scene.path("answer"), what).unwrap();
    }

    /// The line that runs it.
    fn command(&self) -> String {
        let (script, answer) = (self.lab.scene.path("web.py"), self.lab.scene.path("answer"));
        format!("/usr/bin/python3 {} {} {}", script.display(), self.port, answer.display())
    }

    fn start(&self, service: &str) {
        self.lab.unit("web.service", service);
        self.lab.systemctl(&["start", "web.service"]);
    }

    fn wait(&self) {
        until("the port", || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok());
    }

    fn restart(&self, checks: &str) -> (End, Vec<String>) {
        let table = format!("{}stable_for = \"3s\"\n{checks}\n", self.lab.table("web.service"));
        let (end, progress) = self.lab.scene.carry("service_restart", &table);
        (end, told(&progress))
    }

    fn port(&self) -> String {
        format!("port = {}", self.port)
    }

    fn health(&self, within: &str) -> String {
        let json = "[{ pointer = \"/status\", equals = \"healthy\" }]";
        format!("health = {{ url = \"http://127.0.0.1:{}/health\", json = {json}, within = \"{within}\" }}", self.port)
    }
}

#[test]
fn a_restarted_service_counts_when_it_holds_its_port_and_answers_as_it_must() {
    let Some(web) = web() else { return };
    web.start(&format!("ExecStart={}", web.command()));
    let checks = format!("{}\n{}", web.port(), web.health(WITHIN));
    let plan = web.lab.scene.plan("service_restart", &format!("{}{checks}\n", web.lab.table("web.service"))).unwrap();
    let lines: Vec<&str> = plan.what.lines.iter().map(Clean::as_str).collect();
    assert_eq!((lines.len(), plan.danger), (3, Danger::C2), "{lines:?}");
    assert!(lines[1].ends_with(&format!("it must listen on port {}", web.port)), "{lines:?}");
    assert!(lines[2].ends_with("/health must answer 2xx, /status = \"healthy\" within 100 s"), "{lines:?}");
    let run = Run::of(&web.lab.scene.state(), plan.id);
    let checked =
        [format!("port {} is its own", web.port), "/health answers 200 as expected, unchanged for".to_owned()];
    std::thread::scope(|scope| {
        // What the operator sees while it settles.
        let seen = scope.spawn(|| {
            until("each check", || {
                let told = run.read().ok().flatten().and_then(|progress| progress.waiting);
                told.is_some_and(|told| checked.iter().all(|check| told.as_str().contains(check)))
            });
        });
        let (end, progress) = web.lab.scene.act(plan);
        assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
        seen.join().unwrap();
    });
}

#[test]
fn a_service_that_answers_badly_or_not_at_all_was_restarted_in_vain() {
    let Some(web) = web() else { return };
    web.start(&format!("ExecStart={}", web.command()));
    web.answers("503 {\"status\": \"healthy\"}");
    // Until it is up its answers are missing, then they are wrong; what counts is the last.
    let (end, told) = web.restart(&web.health(SOON));
    assert_eq!((end.outcome, end.executed), (Outcome::Failed, true), "{end:?} {told:?}");
    assert!(end.reason.as_str().contains("/health answers 503"), "{end:?}");
    web.lab.unit("web.service", "ExecStart=/bin/sleep 1000");
    let (end, _) = web.restart(&web.health("5s"));
    assert!(end.reason.as_str().contains("refused the connection"), "{end:?}");
    let (end, _) = web.restart(&web.port());
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(end.reason.as_str().contains("nobody listens on port "), "{end:?}");
}

#[test]
fn a_port_that_somebody_else_holds_is_not_the_services_own() {
    let Some(web) = web() else { return };
    web.start("ExecStart=/bin/sleep 1000");
    let _ours = TcpListener::bind((Ipv4Addr::LOCALHOST, web.port)).unwrap();
    let (end, told) = web.restart(&web.port());
    assert_eq!(end.outcome, Outcome::Failed, "{end:?} {told:?}");
    let why = format!("is held by process {} (", std::process::id());
    assert!(
        end.reason.as_str().contains(&why) && end.reason.as_str().contains("which is not of web.service"),
        "{end:?}"
    );
}

#[test]
fn a_port_that_a_process_of_the_run_before_still_holds_is_not_the_services_own() {
    let Some(web) = web() else { return };
    web.start(&format!("KillMode=process\nExecStart=/bin/sh -c '{} & exec sleep 1000'", web.command()));
    web.wait();
    let (end, told) = web.restart(&web.port());
    assert_eq!(end.outcome, Outcome::Failed, "{end:?} {told:?}");
    assert!(end.reason.as_str().contains("of the run before"), "{end:?}");
}

#[test]
fn a_configuration_that_its_own_program_finds_bad_is_refused_before_anything_is_touched() {
    let Some(web) = web() else { return };
    web.start("ExecStart=/bin/sleep 1000");
    let check = web.lab.scene.path("check");
    let says = |text: &str| {
        fs::write(&check, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&check, PermissionsExt::from_mode(0o755)).unwrap();
    };
    let table = format!("{}validate = [\"{}\", \"-t\"]\n", web.lab.table("web.service"), check.display());
    let plan = || web.lab.scene.plan("service_restart", &table);
    says("echo unknown directive >&2; echo 'line 7, password=hunter22' >&2; exit 1");
    let refused = plan().unwrap_err().to_string();
    assert!(
        refused.contains("check -t` does not pass (exit code 1): unknown directive / line 7, password=<redacted>"),
        "{refused}"
    );
    fs::remove_file(&check).unwrap();
    let waived = |plan: &Plan| {
        assert_eq!(plan.danger.to_string(), "C3", "not known whether it is good: {:?}", plan.raised);
        assert!(plan.raised.iter().any(|why| why.as_str() == "the validator cannot check the configuration"));
        plan.based_on.iter().find(|row| row.label.as_str().ends_with("check -t")).unwrap().value.to_string()
    };
    let told = waived(&plan().unwrap());
    assert!(told.starts_with("cannot check: ") && told.contains("check: there is no such file"), "{told}");
    // Who does not know the question finds no fault and gives no pass.
    let table = format!("{table}cannot_check = [\"unknown option\"]\n");
    let plan = || web.lab.scene.plan("service_restart", &table);
    says("echo 'Unknown option -t' >&2; exit 2");
    let unknown = plan().unwrap();
    assert_eq!(waived(&unknown), "cannot check: exit code 2: Unknown option -t");
    says("exit 0");
    let passed = plan().unwrap();
    assert_eq!((passed.danger.to_string().as_str(), passed.raised.len()), ("C2", 0));
    says("echo 'Unknown option -t' >&2; exit 2");
    let (end, _) = web.lab.scene.act(passed);
    assert_eq!(end.outcome, Outcome::Refused, "it could check when that was accepted: {end:?}");
    let (end, _) = web.lab.scene.act(unknown);
    assert!(end.executed, "{end:?}");
    // Then a file that must read as TOML is enough, and is told so; one that does not is refused by line and column.
    let config = web.lab.scene.path("production.toml");
    let formed = format!("{table}reads_as_toml = \"{}\"\n", config.display());
    fs::write(&config, "[neural]\ngranule_size = 4_000_000\n").unwrap();
    let going = web.lab.scene.plan("service_restart", &formed).unwrap();
    let told: Vec<&str> = going.based_on.iter().map(|row| row.value.as_str()).collect();
    assert!(told.iter().any(|told| told.starts_with("cannot check (exit code 2: ")), "{told:?}");
    assert!(told.iter().any(|told| told.ends_with("production.toml reads as TOML")), "{told:?}");
    fs::write(&config, "[neural]\ngranule_size = = 4\n").unwrap();
    says("exit 0");
    let refused = web.lab.scene.plan("service_restart", &formed).unwrap_err().to_string();
    assert!(refused.contains("production.toml:2:16"), "{refused}");
    let good = plan().unwrap();
    assert!(good.what.lines[0].as_str().starts_with("first  "), "{:?}", good.what.lines);
    assert!(good.based_on.iter().any(|row| row.value.as_str() == "passes"), "{:?}", good.based_on);
    // It is asked again under the lock.
    says("echo broken meanwhile; exit 2");
    let before = web.lab.says("web.service", "InvocationID");
    let (end, _) = web.lab.scene.act(good);
    assert_eq!((end.outcome, end.executed), (Outcome::Refused, false), "{end:?}");
    assert!(end.reason.as_str().contains("broken meanwhile"), "{end:?}");
    assert_eq!(web.lab.says("web.service", "InvocationID"), before);
    assert!(web.lab.scene.plan("service_stop", &table).is_err(), "a stop needs no good configuration");
}

#[test]
fn what_the_new_run_has_logged_is_shown_errors_first_and_kept_where_it_went_wrong() {
    let Some(web) = web() else { return };
    let says = |old: &str, then: &str| {
        format!("ExecStart=/bin/sh -c 'echo \"<3>{old} is wrong\"; echo \"<6>password=hunter22 it began\"; {then}'")
    };
    web.start(&says("the old run", "exec sleep 1000"));
    web.lab.unit("web.service", &says("this run", "exec sleep 1000"));
    let (end, told) = web.restart("");
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {told:?}");
    let logged: Vec<&String> = told.iter().filter(|line| line.starts_with("log ")).collect();
    assert_eq!(logged, ["log err sh: this run is wrong"], "errors alone, and of the new run alone");
    web.lab.unit("web.service", &says("the last run", "sleep 0.3; exit 3"));
    let plan = web.lab.scene.plan("service_restart", &web.lab.table("web.service")).unwrap();
    let (end, progress) = web.lab.scene.act(plan.clone());
    assert_eq!(end.outcome, Outcome::Failed, "{end:?}");
    assert!(crate::scene::told(&progress).contains(&"log err sh: the last run is wrong".to_owned()), "{progress:?}");
    let kept = web.lab.scene.output(&plan);
    assert!(kept.contains("password=<redacted> it began") && !kept.contains("hunter22"), "{kept}");
    assert!(kept.contains("code=exited, status=3"), "what systemd says of it: {kept}");
}
