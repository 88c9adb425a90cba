//! `http_call` against a server that remembers what it was asked.

use crate::peer;
use crate::scene::{Scene, settled, told};
use crate::web::{Web, certificate, say, serve, serve_by};
use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use watchkeeper::action::kinds::Settled;
use watchkeeper::action::lifecycle::Outcome;
use watchkeeper::action::plan::Danger;
use watchkeeper::base::Clean;

const TOKEN: &str = "canary-5b1d77e0";

pub(crate) fn secret(scene: &Scene, mode: u32) -> String {
    let path = scene.path("token");
    fs::write(&path, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path.display().to_string()
}

/// A node that drains when it is told to, and repeats its caller's token.
pub(crate) fn node() -> Web {
    let drained = AtomicBool::new(false);
    serve(move |request| {
        if request.starts_with("POST /nodes/a1/drain ") {
            drained.store(true, Ordering::SeqCst);
            return say("202 Accepted", &format!("{{\"state\": \"draining\", \"by\": \"Bearer {TOKEN}\"}}"));
        }
        let state = if drained.load(Ordering::SeqCst) { "drained" } else { "active" };
        say("200 OK", &format!("{{\"state\": \"{state}\", \"token\": \"{TOKEN}\"}}"))
    })
}

pub(crate) fn drain(at: &str, token: &str) -> String {
    format!(
        "method = \"POST\"\nurl = \"http://{at}/nodes/{{node}}/drain\"\n\
         params = {{ node = {{ one_of = [\"a1\", \"a2\"], value = \"a1\" }} }}\n\
         headers = {{ X-Source = \"watch {{node}}\" }}\nbearer = {{ file = \"{token}\" }}\n\
         body = '{{\"node\": \"{{node}}\", \"wait\": {{}}}}'\nundo = \"undrain\"\n\
         expect = {{ status = [202], json = [{{ pointer = \"/state\", equals = \"draining\" }}] }}\n\
         check = {{ url = \"http://{at}/nodes/{{node}}\", json = [{{ pointer = \"/state\", equals = \"drained\" }}] }}"
    )
}

#[test]
fn a_request_is_sent_once_judged_and_proven_and_its_secret_is_told_nowhere() {
    let (scene, web) = (Scene::new(), node());
    let plan = scene.plan("http_call", &drain(&web.at, &secret(&scene, 0o600))).unwrap();
    assert_eq!(plan.danger, Danger::C2, "a POST is one heavier: {:?}", plan.raised);
    let lines: Vec<&str> = plan.what.lines.iter().map(Clean::as_str).collect();
    assert_eq!(lines[0], format!("POST http://{}/nodes/a1/drain", web.at));
    assert!(lines.contains(&"  {\"node\": \"a1\", \"wait\": {}}"), "{lines:?}");
    assert!(plan.based_on[1].value.as_str().contains("/state is \"active\""), "{:?}", plan.based_on);
    assert!(matches!(settled(&plan), Settled::Other(_)), "it may have been sent");
    assert_eq!(web.count("POST"), 0, "planning and looking have no effect");

    let (end, progress) = scene.act(plan.clone());
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?}");
    assert!(told(&progress).iter().any(|step| step.contains("202, /state is \"draining\"")), "{:?}", told(&progress));
    let posts: Vec<String> = web.asked().into_iter().filter(|asked| asked.starts_with("POST")).collect();
    let [post] = &posts[..] else { panic!("{posts:?}") };
    for part in [
        "authorization: Bearer canary",
        "x-source: watch a1\r\n",
        "content-type: application/json\r\n",
        "\"wait\": {}}",
    ] {
        assert!(post.to_lowercase().contains(&part.to_lowercase()), "no {part} in {post}");
    }
    assert!(scene.output(&plan).contains("draining"), "the answer is kept");
    assert!(matches!(settled(&plan), Settled::Done(_)));
    for file in files(&scene.state()) {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("canary"), "{} tells the secret", file.display());
    }
}

#[test]
fn an_answer_that_is_itself_what_was_wanted_proves_it() {
    let scene = Scene::new();
    let web = serve(|request| {
        if request.starts_with("POST /process ") {
            say("200 OK", "{\"signals\": [1], \"time_ns\": 900}")
        } else {
            say("404 Not Found", "{}")
        }
    });
    let call = |expect: &str| {
        format!("method = \"POST\"\nurl = \"http://{}/process\"\nproof = \"answer\"\nundo = \"none\"\n{expect}", web.at)
    };
    let expect = "expect = { json = [{ pointer = \"/time_ns\", matches = \"^[0-9]{1,4}$\" }] }";
    let (end, progress) = scene.carry("http_call", &call(expect));
    assert_eq!(end.outcome, Outcome::Succeeded, "{end:?} {:?}", told(&progress));
    assert_eq!(web.count("POST"), 1, "the proof asks nothing again");
    let (end, _) = scene.carry("http_call", &call("expect = { json = [{ pointer = \"/profit\", matches = \".\" }] }"));
    assert_ne!(end.outcome, Outcome::Succeeded, "{end:?}");
    let fault = scene.plan("http_call", &call("")).unwrap_err().to_string();
    assert!(fault.contains("`proof` needs an `expect`"), "{fault}");
}

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_lost_answer_leaves_the_outcome_unknown_and_nothing_is_sent_again() {
    let scene = Scene::new();
    for (hang, why) in [(false, "no whole answer came from"), (true, "did not answer within 0.2 s")] {
        let web = serve(move |_| {
            if hang {
                let (_held, never) = std::sync::mpsc::sync_channel::<()>(0);
                let _late = never.recv_timeout(Duration::from_secs(5));
            }
            String::new()
        });
        let table = format!("method = \"PUT\"\nurl = \"http://{}/x\"\ntimeout = \"200ms\"\nundo = \"x\"", web.at);
        let (end, _) = scene.carry("http_call", &table);
        assert_eq!(end.outcome, Outcome::Indeterminate, "{end:?}");
        assert!(end.reason.as_str().contains(why), "{end:?}");
        assert_eq!(web.asked().len(), 1);
    }
    // An answer of which only a part comes is lost too.
    let web = serve(|_| "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhalf".to_owned());
    let (end, _) = scene.carry("http_call", &format!("method = \"PUT\"\nurl = \"http://{}/x\"\nundo = \"x\"", web.at));
    assert_eq!(end.outcome, Outcome::Indeterminate, "{end:?}");
}

#[test]
fn nobody_there_is_said_before_the_prompt_and_before_the_first_effect() {
    let mut scene = Scene::new();
    // An address of its own: no other test gets this port meanwhile.
    let free = std::net::TcpListener::bind("127.0.0.77:0").unwrap();
    let at = free.local_addr().unwrap();
    let table = format!("method = \"PUT\"\nurl = \"http://{at}/x\"\nundo = \"x\"");
    scene.preview = false;
    let plan = scene.plan("http_call", &table).expect("who only lists talks with nobody");
    scene.preview = true;
    drop(free);
    let fault = scene.plan("http_call", &table).unwrap_err().to_string();
    assert_eq!(fault, format!("{at} refused the connection. Is the service running?"));
    let (end, _) = scene.act(plan);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
}

#[test]
fn what_the_server_answers_decides_whether_anything_may_have_happened() {
    let scene = Scene::new();
    for (status, more, outcome, said) in [
        ("404 Not Found", "", Outcome::Failed, "the answer is 404: no"),
        ("409 Conflict", "", Outcome::Failed, "409"),
        ("500 Oh", "", Outcome::Indeterminate, "the answer is 500: no"),
        ("307 There", "Location: /other\r\n", Outcome::Indeterminate, "307 to /other; redirects are not followed"),
        ("200 OK", "", Outcome::Unverified, "declares no check"),
    ] {
        let web = serve(move |_| format!("HTTP/1.1 {status}\r\n{more}Content-Length: 2\r\n\r\nno"));
        let table = format!("method = \"DELETE\"\nurl = \"http://{}/x?a=1\"\nundo = \"x\"", web.at);
        let (end, _) = scene.carry("http_call", &table);
        assert_eq!(end.outcome, outcome, "{end:?}");
        assert!(end.reason.as_str().contains(said), "{end:?}");
        assert_eq!((web.count("DELETE /x?a=1 HTTP/1.1"), web.asked().len()), (1, 1), "not followed, not repeated");
    }
}

#[test]
fn a_check_that_held_before_proves_nothing() {
    let (scene, web) = (Scene::new(), serve(|_| say("200 OK", "{}")));
    let at = &web.at;
    let table =
        format!("method = \"PUT\"\nurl = \"http://{at}/x\"\nundo = \"x\"\ncheck = {{ url = \"http://{at}/y\" }}");
    let (end, _) = scene.carry("http_call", &table);
    assert_eq!(end.outcome, Outcome::Unverified, "{end:?}");
    assert!(end.reason.as_str().contains("held before the call as well"), "{end:?}");
}

#[test]
fn what_somebody_else_has_done_since_the_plan_is_not_asked_for_again() {
    let (scene, web) = (Scene::new(), node());
    let table = drain(&web.at, &secret(&scene, 0o600));
    let [first, second] = [(); 2].map(|()| scene.plan("http_call", &table).unwrap());
    assert_eq!(scene.act(first).0.outcome, Outcome::Succeeded);
    let (end, _) = scene.act(second);
    assert_eq!(end.outcome, Outcome::Refused, "{end:?}");
    assert!(end.reason.as_str().contains("the check holds now"), "{end:?}");
    assert_eq!(web.count("POST"), 1);
}

#[test]
fn a_certificate_that_does_not_pass_is_refused_before_anything_is_asked() {
    let scene = Scene::new();
    let (Some((cert, tls)), Some((other, _))) =
        (certificate(scene.dir.path(), "IP:127.0.0.1"), certificate(scene.dir.path(), "DNS:other.internal"))
    else {
        return peer::skip("openssl", "not found: apt-get install openssl");
    };
    let answers = |tls: &Arc<_>| serve_by(Some(Arc::clone(tls)), |_| say("200 OK", "{}"));
    let web = answers(&tls);
    let at = &web.at;
    let table = |more: String| format!("method = \"PUT\"\nurl = \"https://{at}/x\"\nundo = \"x\"\n{more}");
    let refused = |more: String| scene.plan("http_call", &table(more)).unwrap_err().to_string();
    let said = refused(format!("ca = \"{}\"", other.display()));
    assert!(said.contains("nobody that is trusted here has signed its certificate"), "{said}");
    let said = refused(format!("ca = \"{}\"\nserver_name = \"other.internal\"", cert.display()));
    assert!(said.contains("its certificate is for another name"), "{said}");
    assert_eq!(web.asked().len(), 0);
    let (end, _) = scene.carry("http_call", &table(format!("ca = \"{}\"", cert.display())));
    assert_eq!((end.outcome, web.count("PUT")), (Outcome::Unverified, 1), "{end:?}");
}

#[test]
fn a_secret_that_others_may_read_is_not_sent() {
    let (scene, web) = (Scene::new(), node());
    let fault = scene.plan("http_call", &drain(&web.at, &secret(&scene, 0o644))).unwrap_err().to_string();
    assert!(fault.contains("others may read this secret (mode 0644)"), "{fault}");
    let plan = scene.plan("http_call", &drain(&web.at, &secret(&scene, 0o600))).unwrap();
    secret(&scene, 0o640);
    let (end, _) = scene.act(plan);
    assert_eq!((end.outcome, web.count("POST")), (Outcome::Refused, 0), "{end:?}");
    let twofold = secret(&scene, 0o600);
    fs::write(scene.path("token"), "two\r\nX-Evil: lines").unwrap();
    let fault = scene.plan("http_call", &drain(&web.at, &twofold)).unwrap_err().to_string();
    assert_eq!(fault, "`authorization` holds what no header can: a line break?");
}

#[test]
fn what_must_not_be_sent_is_refused_with_its_rule() {
    let mut scene = Scene::new();
    scene.preview = false;
    let url = "url = \"https://127.0.0.1/x\"";
    for (table, why) in [
        (format!("method = \"TRACE\"\n{url}"), "`TRACE` is none of GET"),
        ("method = \"PUT\"\nurl = \"ftp://h/x\"".to_owned(), "`url` begins with ftp://"),
        ("method = \"PUT\"\nurl = \"https://joe:pw@h/x\"".to_owned(), "looks as if it held a secret"),
        ("method = \"PUT\"\nurl = \"https://joe@h/x\"".to_owned(), "looks as if it held a secret"),
        ("method = \"PUT\"\nurl = \"https://h/x?token=abcdef12\"".to_owned(), "looks as if it held a secret"),
        ("method = \"PUT\"\nurl = \"https://h/x\\n\"".to_owned(), "`url` cannot be read"),
        (format!("method = \"PUT\"\n{url}\nheaders = {{ X-A = \"a\\nb\" }}"), "`x-a` holds what no header can"),
        (format!("method = \"PUT\"\n{url}\nheaders = {{ Host = \"a\" }}"), "`Host` cannot be a header here"),
        (format!("method = \"PUT\"\n{url}\nheaders = {{ X-Api-Key = \"abcdef\" }}"), "`x-api-key` looks like a secret"),
        (format!("method = \"PUT\"\n{url}\nbearer = \"abcdef\""), "does not stand in the profile"),
        (format!("method = \"PUT\"\n{url}\nbearer = {{ env = \"X\" }}"), "knows nothing of the console's environment"),
        (format!("method = \"GET\"\n{url}\nbody = \"x\""), "GET and HEAD have none"),
        (format!("method = \"PUT\"\n{url}\nbody = '{{\"password\": \"abcdef12\"}}'"), "as if it held a secret"),
        (format!("method = \"PUT\"\n{url}\nbody = \"{{n}}\""), "`{n}` is no parameter"),
        (
            format!(
                "method = \"PUT\"\n{url}\nbody = '\"{{n}}\"'\nparams = {{ n = {{ matches = \".*\", value = '\",' }} }}"
            ),
            "would break out of its place",
        ),
        (
            format!("method = \"PUT\"\n{url}\nparams = {{ n = {{ int = [1, 9], value = 10 }} }}"),
            "expected a whole number from 1 to 9",
        ),
        (
            format!("method = \"PUT\"\n{url}\ncheck = {{ url = \"https://h/\", stauts = [200] }}"),
            "Did you mean `status`",
        ),
        (format!("method = \"PUT\"\n{url}\nserver_name = \"a b\""), "is no name of a host"),
    ] {
        let fault = scene.plan("http_call", &format!("{table}\nundo = \"x\"")).unwrap_err().to_string();
        assert!(fault.contains(why), "{fault}");
    }
    let table =
        "method = \"PUT\"\nurl = \"https://h/a/{n}\"\nparams = { n = { matches = \".*\", value = \"../b?c=1#d\" } }";
    let plan = scene.plan("http_call", &format!("{table}\nundo = \"x\"")).unwrap();
    assert_eq!(plan.what.lines[0].as_str(), "PUT https://h/a/..%2Fb%3Fc%3D1%23d");
}

#[test]
fn a_value_stays_one_in_a_form_and_a_secret_is_told_to_its_own_server_alone() {
    let (scene, web, other) = (Scene::new(), node(), node());
    let mut table = format!(
        "method = \"PUT\"\nurl = \"http://{}/x\"\nbody = \"node={{n}}&force=no\"\nundo = \"x\"\n\
         headers = {{ Content-Type = \"application/x-www-form-urlencoded\" }}\n\
         params = {{ n = {{ matches = \".*\", value = \"a&force=yes\" }} }}\n\
         check = {{ url = \"http://{}/x\", status = [200] }}",
        web.at, other.at
    );
    let plan = scene.plan("http_call", &table).unwrap();
    let lines: Vec<&str> = plan.what.lines.iter().map(Clean::as_str).collect();
    assert!(lines.contains(&"  node=a%26force%3Dyes&force=no"), "{lines:?}");
    let asked = other.count("GET");
    table = format!("{table}\nbearer = {{ file = \"{}\" }}", secret(&scene, 0o600));
    let fault = scene.plan("http_call", &table).map(|_| ()).unwrap_err().to_string();
    assert!(fault.contains("would tell it the secret"), "{fault}");
    assert_eq!(other.count("GET"), asked, "and has not");
}
