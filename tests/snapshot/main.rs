//! `watchkeeper snapshot` from outside: the real binary on this host and on servers of the test, held against its schema.
#![cfg(test)] // so that clippy knows this for a test
#![expect(clippy::disallowed_methods, reason = "starts programs and guards against hanging by the wall clock")]

mod bad_input;
#[path = "../console/desk.rs"]
#[expect(dead_code, reason = "shared with tests/console, which uses the rest")]
mod desk;
#[path = "../pty/harness.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests/pty, which uses the rest")]
mod harness;
#[path = "../pty/judge.rs"]
#[expect(dead_code, reason = "shared with tests/pty, which uses the rest")]
mod judge;
#[path = "../samplers/server.rs"]
#[expect(dead_code, reason = "shared with tests/samplers, which uses the rest")]
mod server;

use desk::Desk;
use serde_json::Value as Json;
use server::{say, serve};
use std::process::Output;

struct Said {
    status: Option<i32>,
    out: String,
    err: String,
}

fn snapshot(desk: &Desk, args: &[&str]) -> Said {
    let Output { status, stdout, stderr } = desk.run(&[&["snapshot"], args].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { status: status.code(), out: text(stdout), err: text(stderr) }
}

/// The document of `--json`, held against the schema that the program itself prints.
fn document(said: &Said, schema: &str) -> Json {
    let document: Json = serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out));
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("mem://schema", serde_json::from_str(schema).expect("the schema is JSON")).expect("a schema");
    let id = compiler.compile("mem://schema", &mut schemas).expect("the schema compiles");
    if let Err(error) = schemas.validate(&document, id) {
        panic!("{error:#}\n{}", said.out);
    }
    assert_eq!(document["status"].as_i64(), said.status.map(i64::from), "the exit status is told");
    document
}

fn schema(desk: &Desk) -> String {
    let said = snapshot(desk, &["--schema"]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    said.out
}

fn readings<'a>(document: &'a Json, metric: &str) -> Vec<&'a Json> {
    document["readings"].as_array().expect("a list").iter().filter(|row| row["metric"] == metric).collect()
}

#[test]
fn this_host_in_one_round_with_unit_level_freshness_age_and_source() {
    let desk = Desk::new();
    let said = snapshot(&desk, &["--json"]);
    let document = document(&said, &schema(&desk));
    let [memory] = readings(&document, "node_memory_MemTotal_bytes")[..] else { panic!("{}", said.out) };
    let kib = std::fs::read_to_string("/proc/meminfo").expect("readable");
    let kib: f64 = kib.lines().next().and_then(|line| line.split_whitespace().nth(1)).unwrap().parse().unwrap();
    assert_eq!(memory["value"].as_f64(), Some(kib * 1024.0));
    assert_eq!(
        [&memory["unit"], &memory["level"], &memory["freshness"], &memory["sampler"], &memory["type"]],
        ["bytes", "OK", "LIVE", "host", "gauge"]
    );
    assert!(memory["age_seconds"].as_f64().is_some_and(|age| age < 10.0), "{memory}");
    let panes = document["panes"].as_array().expect("a list");
    assert!(
        panes.iter().any(|pane| pane["pane"] == "CPU busy (default)" && pane["value"].is_number()),
        "a second answer is waited for: {}",
        said.out
    );
    let text = snapshot(&desk, &[]);
    let line =
        |of: &str| text.out.lines().find(|line| line.contains(of)).unwrap_or_else(|| panic!("{of}: {}", text.out));
    let load = line("node_load1 ");
    assert!(load.contains(" OK ") && load.contains(" LIVE ") && load.ends_with('s'), "{load}");
    let titles: Vec<&str> = line("READING").split_whitespace().collect();
    assert_eq!(titles, ["READING", "VALUE", "LEVEL", "FRESHNESS", "AGE"]);
    let boot = line("node_boot_time_seconds ");
    assert!(boot.contains("Z, ") && boot.contains(" ago "), "a date and how long ago: {boot}");
    let [boot] = readings(&document, "node_boot_time_seconds")[..] else { panic!("{}", said.out) };
    assert!(boot["value"].as_f64().is_some_and(|value| value > 1e9), "programs are told the number: {boot}");
}

const PROFILE: &str = r#"
title = "Orders"
environment = "test"
[samplers.app]
kind = "scrape"
url = "http://reader:hunter2@@AT@/metrics?token=hunter3"
every = "5s"
[[panes]]
title = "Depth"
kind = "sparkline"
query = "depth"
bands = { warning = 10, critical = 20 }
[[panes]]
title = "Speed"
kind = "sparkline"
query = "sum(speed)"
bands = { below_normal = 5, normal = [5, 50] }
"#;

#[test]
fn the_worst_level_is_the_exit_status() {
    let desk = Desk::new();
    let schema = schema(&desk);
    for (page, status, level, depth) in [
        ("depth 9\nspeed 20\n", 0, "OK", "OK"),
        ("depth 9\nspeed 60\n", 0, "NOTE", "OK"),
        ("depth 9\nspeed 1\n", 1, "BELOW NORMAL", "OK"),
        ("depth 10\nspeed 20\n", 1, "WARNING", "WARNING"),
        ("depth 20.01\nspeed 20\n", 2, "CRITICAL", "CRITICAL"),
        ("depth NaN\nspeed 20\n", 3, "UNKNOWN", "UNKNOWN"),
        ("depth 9\n", 3, "UNKNOWN", "OK"),
    ] {
        let server = serve(move |_, stream| say(stream, "200 OK", "", page));
        let profile = desk.write("p.toml", PROFILE.replace("@AT@", &server.at));
        let said = snapshot(&desk, &["--json", "--profile", profile.to_str().unwrap()]);
        assert_eq!(said.status, Some(status), "{page}: {}{}", said.out, said.err);
        let document = document(&said, &schema);
        assert_eq!(document["level"], level, "{page}");
        assert_eq!(readings(&document, "depth")[0]["level"], depth, "{page}");
        assert!(!said.out.contains("hunter") && !said.err.contains("hunter"), "{}{}", said.out, said.err);
        assert_eq!(document["samplers"][0]["source"], format!("http://{}/metrics", server.at));
    }
}

/// A kernel's log that root alone may open, whatever this host allows, and a login that is not root.
const AS_NOBODY: &str = "mknod -m 600 \"$1/kmsg\" c 1 11 && mount --bind \"$1/kmsg\" /dev/kmsg && shift && \
    exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";

#[test]
fn what_this_login_may_not_look_at_is_unknown_with_the_reason_and_the_status_counts_it_in_a_pane() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let why = "this login may not read the kernel log (/dev/kmsg): it takes root or CAP_SYSLOG on this host.";
    let pane = "[[panes]]\ntitle = \"Xids\"\nkind = \"sparkline\"\nquery = \"watchkeeper_host_xids_total\"\n";
    let optional = format!("{pane}optional = true\n");
    for (panes, status) in [("", 0), (pane, 3), (&optional, 0)] {
        let desk = Desk::new();
        let profile = desk.write("p.toml", format!("title = \"T\"\n[samplers.host]\nkind = \"host\"\n{panes}"));
        let schema = schema(&desk);
        let place = desk.path().to_str().unwrap();
        let home = desk.path().join("nobody");
        std::fs::create_dir(&home).unwrap();
        for (folder, mode) in [(desk.path(), 0o755), (&*home, 0o777)] {
            std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
        let command = ["--mount", "sh", "-euc", AS_NOBODY, "sh", place, desk::PROGRAM, "snapshot", "--json"];
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(command).args(["--profile", profile.to_str().unwrap()]);
        for name in ["HOME", "XDG_STATE_HOME", "TMPDIR"] {
            unshare.env(name, &home);
        }
        let Output { status: ended, stdout, stderr } = unshare.output().expect("unshare runs");
        let said = Said {
            status: ended.code(),
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
        };
        let document = document(&said, &schema);
        assert_eq!(said.status, Some(status), "{panes}: {} {}", document["faults"], said.err);
        let row = readings(&document, "watchkeeper_host_xids_total")[0];
        let told = |of: &Json| ["level", "freshness", "reason"].map(|key| of[key].as_str().unwrap_or("").to_owned());
        assert_eq!(told(row), ["UNKNOWN", "UNKNOWN", why]);
        for shown in document["panes"].as_array().into_iter().flatten() {
            assert_eq!(told(shown), told(row), "one thing in both");
        }
    }
}

#[test]
fn a_bad_answer_is_failed_and_silence_is_unknown_and_both_end_with_three() {
    let desk = Desk::new();
    let schema = schema(&desk);
    let server = serve(|_, stream| say(stream, "503 Service Unavailable", "", ""));
    let gone = "127.0.0.1:1".to_owned();
    for (at, freshness, words) in [(&server.at, "FAILED", "answered 503"), (&gone, "UNKNOWN", "refused the connection")]
    {
        let profile = desk.write("p.toml", PROFILE.replace("@AT@", at));
        let profile = profile.to_str().unwrap();
        let said = snapshot(&desk, &["--json", "--profile", profile]);
        assert_eq!(said.status, Some(3), "{}{}", said.out, said.err);
        let document = document(&said, &schema);
        let app = document["samplers"].as_array().unwrap().iter().find(|sampler| sampler["name"] == "app").unwrap();
        assert_eq!(app["freshness"], freshness, "{app}");
        assert!(app["failure"].as_str().unwrap().contains(words), "{app}");
        let up = readings(&document, "up").into_iter().find(|up| up["sampler"] == "app").unwrap();
        assert_eq!(
            (&up["value"], &up["level"], &up["freshness"]),
            (&Json::from(0.0), &"UNKNOWN".into(), &freshness.into())
        );
        let text = snapshot(&desk, &["--profile", profile]);
        assert!(text.out.contains(words) && text.out.contains(freshness), "{}", text.out);
    }
}

#[test]
fn what_cannot_be_asked_is_unknown_and_never_critical_and_never_ok() {
    let desk = Desk::new();
    for args in [&["--profile", "/nowhere.toml"][..], &["--no-such-flag"], &["--wait", "soon"]] {
        let said = snapshot(&desk, args);
        assert_eq!((said.status, said.out.as_str()), (Some(3), ""), "{args:?} {}", said.err);
    }
    let help = snapshot(&desk, &["--help"]);
    assert!(help.status == Some(0) && help.out.contains("\n  3  UNKNOWN"), "{}", help.out);
    let server = serve(|_, stream| say(stream, "200 OK", "", "depth 1\nspeed 9\n"));
    for (added, faults, level, status) in [
        ("", 0, "OK", 0),
        ("[samplers.b]\nkind = \"tcp\"\nurl = \"127.0.0.1:1\"\nretry = 1\n", 1, "UNKNOWN", 3),
        ("[[panes]]\ntitle = \"P\"\nkind = \"sparkline\"\nquery = \"depth +\"\n", 1, "UNKNOWN", 3),
    ] {
        let profile = desk.write("p.toml", PROFILE.replace("@AT@", &server.at) + added);
        let said = snapshot(&desk, &["--json", "--profile", profile.to_str().unwrap()]);
        let document: Json = serde_json::from_str(&said.out).unwrap();
        let told = (document["faults"].as_array().map(Vec::len), &document["level"], said.status);
        assert_eq!(told, (Some(faults), &level.into(), Some(status)), "{}{}", said.out, said.err);
    }
}

#[test]
fn who_does_not_answer_is_told_first_whatever_else_is_worse() {
    let desk = Desk::new();
    let server = serve(|_, stream| say(stream, "200 OK", "", "depth 90\nspeed 1\n"));
    let bad = serve(|_, stream| say(stream, "503 Service Unavailable", "", ""));
    let table = |name: &str, kind: &str, url: &str| {
        format!("[samplers.{name}]\nkind = \"{kind}\"\nurl = \"{url}\"\nevery = \"5s\"\n")
    };
    let more = table("pg", "scrape", "http://127.0.0.1:1/") + &table("cache", "scrape", "http://127.0.0.1:1/");
    let profile =
        PROFILE.replace("@AT@", &server.at) + &more + &table("page", "scrape", &format!("http://{}/", bad.at));
    let profile = desk.write("p.toml", profile);
    let said = snapshot(&desk, &["--profile", profile.to_str().unwrap()]);
    assert_eq!(said.status, Some(2), "{}{}", said.out, said.err);
    let first = said.out.lines().next().unwrap();
    assert_eq!(first, "CRITICAL — 2 of 4 sources do not answer: pg, cache; 1 of 4 sources is FAILED: page");
    assert!(
        said.out.contains("\nBELOW NORMAL  Speed: 1\n") || said.out.contains("BELOW NORMAL PENDING  Speed"),
        "{}",
        said.out
    );
    let tallies = |name: &str| {
        let of = format!("watchkeeper_sampler_failures_total{{sampler=\"{name}\"}}");
        let line = said.out.lines().find(|line| line.contains(&of)).unwrap_or_else(|| panic!("{of}: {}", said.out));
        line.split_whitespace().nth(1).map(str::to_owned)
    };
    assert_eq!(
        (tallies("pg").as_deref(), tallies("app").as_deref()),
        (Some("1"), Some("0")),
        "of the round that it tells"
    );
}

#[test]
fn waiting_longer_sees_more() {
    let desk = Desk::new();
    let server = serve(|_, stream| say(stream, "200 OK", "", "# TYPE n_total counter\nn_total 5\ndepth 1\nspeed 9\n"));
    let text = PROFILE.replace("@AT@", &server.at).replace("sum(speed)", "count_over_time(n_total[1m])");
    let count = |every: &str, args: &[&str]| {
        let profile = desk.write("p.toml", text.replace("every = \"5s\"", every));
        let said = snapshot(&desk, &[&["--json", "--profile", profile.to_str().unwrap()], args].concat());
        let document: Json = serde_json::from_str(&said.out).unwrap();
        let panes = document["panes"].as_array().unwrap().clone();
        panes.iter().find(|pane| pane["pane"] == "Speed").unwrap()["value"].as_f64().unwrap()
    };
    assert_eq!(count("every = \"5s\"", &[]), 1.0, "one round");
    assert!(count("every = \"1s\"", &["--wait", "4s"]) >= 2.0);
}

#[test]
fn a_dry_run_shows_its_preview_and_runs_nothing_of_a_profile_that_others_may_write_to() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let ran = desk.path().join("ran");
    let table = "title = \"X\"\nkind = \"command\"\nverb = \"perform\"\ndanger = \"C1\"\nargv = [\"/bin/true\"]";
    let preview = format!("preview = [\"/usr/bin/touch\", \"{}\"]", ran.display());
    let file = desk.write("p.toml", format!("title = \"X\"\n[actions.x]\n{table}\n{preview}\n"));
    let ask = |mode: u32| {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
        desk.run(&["run", "x", "--dry-run", "--profile", file.to_str().unwrap()])
    };
    let said = ask(0o666);
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(!said.status.success() && err.contains("others may write to this file") && !ran.exists(), "{said:?}");
    let said = ask(0o644);
    assert!(said.status.success() && ran.exists(), "{said:?}");
}

#[test]
fn a_dry_run_tells_where_what_hits_and_undo_and_leaves_nothing_behind() {
    let desk = Desk::new();
    let file = desk.write("app.toml", "batch = 1024 # tuned\n");
    let table = format!(
        "title = \"Batch\"\nkind = \"config_set\"\nverb = \"reduce\"\ndanger = \"C2\"\nhits = [\"1 file\"]\n\
         file = \"{}\"\nset = [{{ key = \"batch\", from = 1024, to = 512 }}]",
        file.display()
    );
    let profile = desk.write("p.toml", format!("title = \"X\"\n[actions.batch]\n{table}\n"));
    let ask = || desk.run(&["run", "batch", "--dry-run", "--profile", profile.to_str().unwrap()]);
    let before = std::fs::read(&file).unwrap();
    let (folder, place) = (listing(desk.path()), format!("file:{}", file.display()));
    let said = ask();
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{said:?}");
    let row = |label: &str| {
        let found = text.lines().find(|line| line.starts_with(&format!("{label:9}")));
        found.unwrap_or_else(|| panic!("no {label}: {text}")).to_owned()
    };
    assert!(row("WHERE").contains("local") || row("WHERE").contains("via ssh"), "{text}");
    assert!(row("WHAT").contains(file.to_str().unwrap()) && text.contains("1024 → 512"), "{text}");
    assert!(row("HITS").contains("1 file"), "{text}");
    assert!(row("UNDO").len() > 9, "{text}");
    assert_eq!(row("TYPE"), "TYPE     reduce");
    assert!(row("THEN").contains("would lock it") && text.contains("\n         would edit\n"), "{text}");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert_eq!(listing(desk.path()), folder, "no run folder, no backup, no journal");
    let dirs = watchkeeper::sys::paths::lock_dirs();
    let no_lock = || dirs.iter().all(|dir| !watchkeeper::sys::lock::lock_path(dir, &place).exists());
    assert!(no_lock());
    let held = watchkeeper::sys::lock::TargetLock::take(&dirs, &place).unwrap();
    let said = ask();
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.code() == Some(1) && err.contains("is being acted on by"), "{said:?}");
    drop(held);
    assert!(no_lock());
}

#[test]
fn a_page_that_limits_how_often_it_is_asked_is_the_reason_why_a_plan_is_refused() {
    let desk = Desk::new();
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&asked);
    // The plan has its answer; who looks again before the first effect is told to wait.
    let server = serve(move |_, stream| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => say(stream, "200 OK", "Content-Type: text/plain\r\n", "positions 3\n"),
        _ => say(stream, "429 Too Many Requests", "Retry-After: 37\r\n", ""),
    });
    let table = "title = \"X\"\nkind = \"command\"\nverb = \"perform\"\ndanger = \"C2\"\nargv = [\"/bin/true\"]\n\
                 undo = \"none\"\nverify_samplers = [\"SEEN\", \"other\"]\ntraffic = \"positions\"\n\
                 verify = [{ label = \"open positions\", query = \"positions\", expect = { above = 0 } }]\n\
                 based_on = [{ label = \"open positions\", query = \"positions\", max_age = \"60s\" }]";
    let page = format!("kind = \"scrape\"\nurl = \"http://{}/metrics\"\nevery = \"30s\"", server.at);
    // Another sampler of its fails too, which feeds nothing that is asked.
    let other = "kind = \"file\"\npath = \"/nowhere/at/all\"\nparse = \"number\"\nmetric = \"gold\"\nevery = \"30s\"";
    let profile = desk.write(
        "p.toml",
        format!(
            "title = \"X\"\n[samplers.page]\n{page}\n[samplers.other]\n{other}\n[actions.x]\n{}\n[actions.y]\n{}\n",
            table.replace("SEEN", "page"),
            table.replace("\"SEEN\", ", "")
        ),
    );
    let said = desk.run(&["run", "x", "--dry-run", "--profile", profile.to_str().unwrap()]);
    let err = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.code() == Some(1) && server.requests() == 2, "{} requests: {said:?}", server.requests());
    let why = format!(
        "plan is stale: open positions cannot be observed now: page: {}/metrics answered 429 Too Many Requests: it wants to be \
         left alone, asked again in 37.0 s. Make a new plan.",
        server.at
    );
    assert!(err.contains(&why), "{err}");
    // Where nobody is named who gives it, that may be why, whatever else fails.
    asked.store(0, std::sync::atomic::Ordering::SeqCst);
    let said = desk.run(&["run", "y", "--dry-run", "--profile", profile.to_str().unwrap()]);
    let err = String::from_utf8_lossy(&said.stderr);
    let why = "positions cannot be observed now, perhaps since `verify_samplers` does not name what gives it. Make a new plan.";
    assert!(err.contains(why), "{err}");
}

/// Everything below a folder.
fn listing(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && !entry.is_symlink() {
            found.extend(listing(&entry));
        }
        found.push(entry);
    }
    found.sort();
    found
}
