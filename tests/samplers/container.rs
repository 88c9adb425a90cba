//! `container` against answers recorded from a Podman 4.3 engine, replayed over a Unix socket, and what Docker says
//! otherwise.

use crate::{find, measured, observe, sampler, value};
use core::time::Duration;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use watchkeeper::base::{Failure, Observation};

const RECORDED: &str = include_str!("engine.json");

/// An engine that knows what it was told; each path is a whole answer.
struct Engine {
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

fn engine(answers: Value) -> Engine {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = UnixListener::bind(folder.path().join("sock")).expect("bound");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let paths = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &answers, &paths);
        }
    });
    Engine { folder, asked }
}

fn answer(mut stream: UnixStream, answers: &Value, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut first = String::new();
    reader.read_line(&mut first).expect("a request");
    let mut line = String::new();
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    // Before the answer: whoever has it may look at once.
    asked.lock().expect("whole").push(path.clone());
    let (status, body) = match answers.get(&path) {
        Some(Value::String(raw)) => ("200 OK", raw.clone()),
        Some(found) => ("200 OK", found.to_string()),
        None => ("404 Not Found", r#"{"message":"no such container"}"#.to_owned()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    // Whoever has read enough closes early.
    let _closed = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

fn recorded() -> Value {
    serde_json::from_str(RECORDED).expect("JSON")
}

impl Engine {
    fn socket(&self) -> PathBuf {
        self.folder.path().join("sock")
    }

    async fn look(&self, rest: &str) -> Result<Observation, Failure> {
        look(&self.socket(), rest).await
    }
}

async fn look(socket: &Path, rest: &str) -> Result<Observation, Failure> {
    observe(&mut *sampler("container", &format!("path = \"{}\"\n{rest}", socket.display()))).await
}

fn fact<'a>(seen: &'a Observation, name: &str) -> &'a str {
    let found = seen.facts.iter().find(|(known, _)| known.as_str() == name);
    found.map_or_else(|| panic!("no {name} in {:?}", seen.facts), |(_, text)| text.as_str())
}

/// The word whose series is 1; exactly one is.
fn word(seen: &Observation, metric: &str, name: &str) -> String {
    let mine = seen.points.iter().filter(|point| {
        point.key.name.as_str() == metric && point.key.label("name").is_some_and(|found| found.as_str() == name)
    });
    let on: Vec<_> = mine.filter(|point| point.value == 1.0).filter_map(|point| point.key.label("status")).collect();
    let [one] = on.as_slice() else { panic!("{name}: {on:?}") };
    one.to_string()
}

#[tokio::test]
async fn named_containers_are_looked_at_closely() {
    let engine = engine(recorded());
    let names = ["good", "crashed", "killed", "created", "none"];
    let seen = engine.look(&format!("names = {names:?}")).await.expect("an answer");
    let state = |name| word(&seen, "container_state_status", name);
    assert_eq!(["good", "crashed", "killed", "created"].map(state), ["running", "exited", "exited", "created"]);
    assert_eq!(word(&seen, "container_state_health_status", "good"), "starting");
    assert_eq!(word(&seen, "container_state_health_status", "crashed"), "none");
    let of = |metric, name| find(&seen, metric, &[("name", name)]);
    assert_eq!(names.map(|name| of("container_present", name)), [1.0, 1.0, 1.0, 1.0, 0.0].map(Some));
    assert_eq!(names.map(|name| of("container_state_exitcode", name)), [None, Some(3.0), Some(137.0), None, None]);
    assert_eq!(of("container_restartcount", "killed"), Some(2.0));
    assert_eq!(of("container_start_time_seconds", "good").map(f64::floor), Some(1_795_898_024.0));
    assert_eq!(of("container_start_time_seconds", "created"), None, "the year 1 is never");
    assert_eq!(of("container_spec_memory_limit_bytes", "good"), None, "0 is no limit");
    let mount = [("name", "good"), ("source", "/home/watch/user"), ("destination", "/app/user")];
    assert_eq!(value(&seen, "container_mount_writable", &mount), 1.0);
    let folder = [("name", "good"), ("image", "localhost/lab/busybox:1"), ("working_dir", "/app")];
    assert_eq!(value(&seen, "container_info", &folder), 1.0, "where its image looks");
    assert_eq!(of("container_info", "crashed"), None, "its image names no work folder");
    for (name, words) in [
        ("engine", "Podman 4.3.1, API 1.41"),
        ("good", "running; starting"),
        ("crashed", "exited; exit code 3"),
        ("killed", "exited; exit code 137, SIGKILL: killed, often for memory; 2 restarts"),
        ("created", "created"),
        ("none", "MISSING: no such container"),
        ("good /app/user", "bind /home/watch/user, writable"),
    ] {
        assert_eq!(fact(&seen, name), words, "{name}");
    }
    assert_eq!(seen.facts[0].0.as_str(), "none", "what is missing is told first");
    assert_eq!(value(&seen, "container_engine_up", &[]), 1.0);
}

#[tokio::test]
async fn what_an_ended_container_said_last_stands_beside_its_exit_and_is_asked_for_once() {
    let mut answers = recorded();
    let path = |name: &str| format!("/containers/{name}/logs?stdout=1&stderr=1&tail=5");
    let said = "\u{1}\0\0\0\0\0\0\u{8}loading\n\u{2}\0\0\0\0\0\0\u{17}ERROR: no such strategy";
    answers[path("crashed")] = said.into();
    let engine = engine(answers);
    let names = "names = [\"good\", \"crashed\", \"killed\"]";
    let mut all = sampler("container", &format!("path = \"{}\"\n{names}", engine.socket().display()));
    for _ in 0..2 {
        let seen = observe(&mut *all).await.expect("an answer");
        assert_eq!(fact(&seen, "crashed"), "exited; exit code 3");
        assert_eq!(fact(&seen, "crashed last said, 1"), "loading");
        assert_eq!(fact(&seen, "crashed last said, 2"), "ERROR: no such strategy");
        let others = seen.facts.iter().filter(|(name, _)| name.as_str().contains("last said")).count();
        assert_eq!(others, 2, "one runs, and of the other no log is kept");
    }
    let asked = engine.asked.lock().expect("whole");
    assert_eq!(
        ["crashed", "killed", "good"].map(|name| asked.iter().filter(|known| **known == path(name)).count()),
        [1, 1, 0]
    );
}

#[tokio::test]
async fn without_names_the_list_says_it() {
    let mut answers = recorded();
    let list = answers["/containers/json?all=1"].as_array_mut().expect("a list");
    // As Docker words it.
    for (name, state, status) in [
        ("sick", "running", "Up 2 hours (unhealthy)"),
        ("fresh", "running", "Up 3 seconds (health: starting)"),
        ("odd", "stopping", ""),
    ] {
        let mut more = list[0].clone();
        more["Names"][0] = format!("/{name}").into();
        more["State"] = state.into();
        more["Status"] = status.into();
        list.push(more);
    }
    let engine = engine(answers);
    let mut all = sampler("container", &format!("path = \"{}\"", engine.socket().display()));
    observe(&mut *all).await.expect("an answer");
    let seen = observe(&mut *all).await.expect("an answer");
    assert_eq!(fact(&seen, "engine"), "Podman 4.3.1, API 1.41");
    for (name, state, health, code) in [
        ("good", "running", None, None),
        ("crashed", "exited", None, Some(3.0)),
        ("killed", "exited", None, Some(137.0)),
        ("created", "created", None, None),
        ("sick", "running", Some("unhealthy"), None),
        ("fresh", "running", Some("starting"), None),
        ("odd", "stopping", None, None),
    ] {
        assert_eq!(word(&seen, "container_state_status", name), state, "{name}");
        let found = find(&seen, "container_state_health_status", &[("name", name)]);
        let found = found.map(|_| word(&seen, "container_state_health_status", name));
        assert_eq!(found.as_deref(), health, "{name}: what the list does not say is not \"none\"");
        assert_eq!(find(&seen, "container_state_exitcode", &[("name", name)]), code, "{name}");
    }
    assert_eq!(
        *engine.asked.lock().expect("whole"),
        ["/version", "/containers/json?all=1", "/containers/json?all=1"],
        "and nothing else is asked"
    );
}

#[tokio::test]
async fn killed_for_memory_and_a_failing_health_check_are_said() {
    let mut answers = recorded();
    let killed = &mut answers["/containers/killed/json"];
    killed["State"]["OOMKilled"] = true.into();
    killed["HostConfig"]["Memory"] = 2_147_483_648_u64.into();
    killed["State"].as_object_mut().expect("an object").remove("Health");
    let good = &mut answers["/containers/good/json"];
    good["State"]["Health"] = serde_json::json!({ "Status": "unhealthy", "FailingStreak": 4 });
    good["Mounts"][0]["RW"] = false.into();
    good["State"]["Error"] = "\u{1b}[2Jboom".into();
    let seen = engine(answers).look("names = [\"killed\", \"good\"]").await.expect("an answer");
    assert_eq!(value(&seen, "container_state_oomkilled", &[("name", "killed")]), 1.0);
    assert_eq!(value(&seen, "container_spec_memory_limit_bytes", &[("name", "killed")]), 2_147_483_648.0);
    assert!(fact(&seen, "killed").starts_with("exited; killed for memory (OOMKilled); exit code 137"), "{seen:?}");
    assert_eq!(fact(&seen, "good"), "running; unhealthy; ␛[2Jboom; 4 health checks failed in a row");
    assert_eq!(value(&seen, "container_mount_writable", &[("name", "good")]), 0.0);
}

#[tokio::test]
async fn a_socket_that_fails_is_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sock");
    let said = async |path: &Path| {
        let failure = look(path, "").await.expect_err("no engine");
        let said = (failure.what.as_str().replace(path.to_str().expect("text"), "S"), failure.answered);
        assert_eq!(value(&measured(failure), "container_engine_up", &[]), 0.0);
        said
    };
    let missing = "S does not exist. Is the daemon running, its socket elsewhere?".to_owned();
    assert_eq!(said(&path).await, (missing, false));
    drop(UnixListener::bind(&path).expect("bound"));
    assert_eq!(said(&path).await, ("S refused the connection. Is the daemon running?".to_owned(), false));
    for (body, words) in [
        ("<html>".to_owned(), "S sent what is not JSON (expected value at line 1 column 1)."),
        (format!("\"{}\"", "x".repeat(1 << 20)), "S sent more than 1 MiB, reading stopped."),
        ("[".repeat(100), "S sent what is nested deeper than 64 levels."),
    ] {
        let engine = engine(serde_json::json!({ "/version": "{}", "/containers/json?all=1": body }));
        assert_eq!(said(&engine.socket()).await, (words.to_owned(), true));
    }
    // Connects, and never answers: the supervisor's timeout drops the attempt.
    let silent = folder.path().join("silent");
    let _listener = UnixListener::bind(&silent).expect("bound");
    assert!(tokio::time::timeout(Duration::from_millis(100), look(&silent, "")).await.is_err());
}
