//! `command` against programs that behave and programs that do not.

use crate::{find, measured, observe, sampler, value};
use core::time::Duration;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use watchkeeper::base::{Clock, Failure, Observation, Point};
use watchkeeper::sys::clock::RealClock;

async fn sh(script: &str, rest: &str) -> Result<Observation, Failure> {
    let config = format!("argv = [\"/bin/sh\", \"-c\", '''{script}''']\nname = \"x\"\n{rest}");
    observe(&mut *sampler("command", &config)).await
}

async fn seen(script: &str, rest: &str) -> Observation {
    sh(script, rest).await.expect("an answer")
}

async fn failed(script: &str, rest: &str) -> String {
    let failure = sh(script, rest).await.expect_err("a failure");
    assert!(failure.answered, "{failure:?}");
    failure.what.to_string()
}

fn fact<'a>(seen: &'a Observation, name: &str) -> Option<&'a str> {
    seen.facts.iter().find(|(known, _)| known.as_str() == name).map(|(_, text)| text.as_str())
}

#[tokio::test]
async fn an_exit_code_is_a_value_and_the_first_line_a_fact() {
    let seen = seen("echo; echo done; exit 3", "ok_exit = [0, 3]").await;
    assert_eq!(value(&seen, "command_exit_code", &[("command", "x")]), 3.0);
    assert_eq!(value(&seen, "command_success", &[("command", "x")]), 1.0);
    assert!(value(&seen, "command_duration_seconds", &[]) > 0.0);
    assert_eq!(fact(&seen, "says"), Some("done"));
}

#[tokio::test]
async fn a_bad_end_is_a_failure_that_tells_code_and_time() {
    for (script, rest, code, said) in [
        ("echo no disk; exit 3", "", 3.0, "x failed (exit code 3): no disk."),
        ("exit 0", "ok_exit = [1]", 0.0, "x failed (exit code 0)."),
        ("kill -SEGV $$", "ok_exit = [0, 139]", 139.0, "x failed (killed by SIGSEGV)."),
        ("echo x", "parse = \"number\"\nmetric = \"n\"", 0.0, "x does not print one number."),
    ] {
        let failure = sh(script, rest).await.expect_err("a failure");
        assert_eq!((failure.what.as_str(), failure.answered), (said, true));
        let known = measured(failure);
        assert_eq!(value(&known, "command_exit_code", &[("command", "x")]), code, "{said}");
        assert_eq!(value(&known, "command_success", &[("command", "x")]), 0.0, "{said}");
        assert!(value(&known, "command_duration_seconds", &[("command", "x")]) > 0.0, "{said}");
    }
    let mut none = sampler("command", "argv = [\"/no/such/program\"]");
    assert_eq!(none.unheard(), [Point::gauge("command_success", &[("command", "program")], 0.0)]);
    let failure = observe(&mut *none).await.expect_err("none");
    assert_eq!(failure.seen.points, none.unheard(), "what did not start has no time and no code");
}

#[tokio::test]
async fn arguments_are_told_nowhere() {
    let of = |script: &str| format!("argv = [\"/bin/sh\", \"-c\", \"{script}\", \"hunter22\"]");
    let good = observe(&mut *sampler("command", &of("echo done"))).await.expect("an answer");
    assert_eq!(value(&good, "command_exit_code", &[("command", "sh")]), 0.0);
    let bad = observe(&mut *sampler("command", &of("exit 1"))).await.expect_err("a failure");
    assert_eq!(bad.what.as_str(), "sh failed (exit code 1).");
    assert!(!format!("{good:?} {bad:?}").contains("hunter22"), "{good:?} {bad:?}");
}

#[tokio::test]
async fn a_number_is_a_number_or_a_failure_never_zero() {
    let number = "parse = \"number\"\nmetric = \"raid_degraded\"";
    assert_eq!(value(&seen("echo ' 12.5 '", number).await, "raid_degraded", &[]), 12.5);
    for script in [":", "echo nan", "echo 12 apples", r"printf '1\000'"] {
        assert_eq!(failed(script, number).await, "x does not print one number.", "{script}");
    }
    assert_eq!(
        failed("echo 1; echo disk not found. >&2; exit 4", number).await,
        "x failed (exit code 4): disk not found."
    );
    assert_eq!(failed("head -c 2000000 /dev/zero", number).await, "x prints more than 1 MiB.");
}

#[tokio::test]
async fn json_and_key_value_lines_become_series_and_facts() {
    let rows = "parse = \"json\"\njson = [{ pointer = \"/a/0\", metric = \"a_total\" }, { pointer = \"/b\", fact = \"b\" }, { pointer = \"/c\", metric = \"c\" }]";
    let found = seen(r#"echo '{"a": [7], "b": "ok", "c": "x"}'"#, rows).await;
    assert_eq!((value(&found, "a_total", &[("command", "x")]), fact(&found, "b")), (7.0, Some("ok")));
    assert_eq!(find(&found, "c", &[]), None);
    assert_eq!(found.not_supported[0].1.as_str(), "x has no number at /c");
    let bad = failed("echo '<html>'", rows).await;
    assert_eq!(bad, "x prints what is not JSON (expected value at line 1 column 1).");
    assert_eq!(
        failed("head -c 70 /dev/zero | tr '\\000' '['", rows).await,
        "x prints what is nested deeper than 64 levels."
    );

    let rows = "parse = \"key_value\"";
    let found = seen(
        r"printf '# about\nload = 0.5\nstate=\033[2Jup\nload=0.75\n'; for i in $(seq 300); do echo k$i=1; done",
        rows,
    )
    .await;
    assert_eq!(value(&found, "command_value", &[("key", "load")]), 0.75);
    assert_eq!((fact(&found, "state"), fact(&found, "not taken")), (Some("␛[2Jup"), Some("102 lines beyond 200 keys")));
    assert_eq!(failed("echo word", rows).await, "x prints a line that is not key=value.");

    let rows = "parse = \"value_key\"";
    let found = seen(r"printf '4096\t/srv/a b/.CondaPkg\n  12 /srv/c=d\n'", rows).await;
    let of = |key| value(&found, "command_value", &[("key", key)]);
    assert_eq!(["/srv/a b/.CondaPkg", "/srv/c=d"].map(of), [4096.0, 12.0]);
    assert_eq!(failed("echo 12", rows).await, "x prints a line that is not a value and its key.");
}

#[tokio::test]
async fn a_nagios_plugin_keeps_its_state_text_data_and_limits() {
    let nagios = "parse = \"nagios\"";
    let found =
        seen("echo \"DISK WARNING - full | '/var log'=2MB;1;2;0;4 time=5ms hits=7c use=U\"; exit 1", nagios).await;
    assert_eq!(value(&found, "command_exit_code", &[]), 1.0);
    assert_eq!(found.facts[0].1.as_str(), "WARNING", "what is wrong comes first");
    assert_eq!(fact(&found, "says"), Some("DISK WARNING - full"));
    assert_eq!(value(&found, "command_perfdata_bytes", &[("label", "/var log")]), 2_097_152.0);
    let limits = [("label", "/var log"), ("bound", "critical_above")];
    assert_eq!(value(&found, "command_perfdata_limit_bytes", &limits), 2_097_152.0);
    assert_eq!(value(&found, "command_perfdata_seconds", &[("label", "time")]), 0.005);
    assert_eq!(value(&found, "command_perfdata_total", &[("label", "hits")]), 7.0);
    assert_eq!(found.not_supported[0].1.as_str(), "x could not determine it");
    assert_eq!(failed("echo no plugin; exit 127", nagios).await, "x failed (exit code 127): no plugin.");
    for (script, code, said) in [
        ("echo 'DISK CRITICAL - full. | a=7'; exit 2", 2.0, "x says CRITICAL: DISK CRITICAL - full."),
        ("echo 'no answer | a=7'; exit 3", 3.0, "x says UNKNOWN: no answer."),
        ("echo '| a=7'; exit 2", 2.0, "x says CRITICAL."),
    ] {
        let failure = sh(script, nagios).await.expect_err("a failure");
        assert_eq!((failure.what.as_str(), failure.answered), (said, true));
        let known = measured(failure);
        assert_eq!(value(&known, "command_exit_code", &[]), code, "{said}");
        assert_eq!(value(&known, "command_perfdata", &[("label", "a")]), 7.0, "{said}");
    }
}

#[tokio::test]
async fn the_environment_is_what_is_declared_and_a_secret_comes_from_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    fs::write(&file, "hunter22\n").expect("written");
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("ours");
    let rest = format!("env = {{ MODE = \"a b\", TOKEN = {{ file = \"{}\" }} }}", file.display());
    let found = seen("echo \"$MODE ${#TOKEN} ${CARGO-}\"", &rest).await;
    assert_eq!(fact(&found, "says"), Some("a b 8"));
    fs::remove_file(&file).expect("removed");
    let failure = sh("echo 1", &rest).await.expect_err("no secret");
    assert!(failure.not_permitted && failure.what.as_str().contains("there is no such file"), "{failure:?}");
}

#[tokio::test]
async fn a_program_that_others_may_write_is_not_run() {
    let folder = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().expect("a folder");
    let (program, trace) = (folder.path().join("check"), folder.path().join("ran"));
    fs::write(&program, format!("#!/bin/sh\n: > {}\n", trace.display())).expect("written");
    let mut it = sampler("command", &format!("argv = [\"{}\"]", program.display()));
    fs::set_permissions(&program, PermissionsExt::from_mode(0o757)).expect("ours");
    let failure = observe(&mut *it).await.expect_err("refused");
    assert!(
        failure.not_permitted && failure.what.as_str().contains("others may write to this file (mode 0757)."),
        "{failure:?}"
    );
    assert!(!Path::new(&trace).exists());
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("ours");
    assert_eq!(value(&observe(&mut *it).await.expect("runs"), "command_exit_code", &[("command", "check")]), 0.0);
    assert!(Path::new(&trace).exists());
}

/// Attempts that are given up end their program before the next one is started.
#[tokio::test]
async fn a_program_that_hangs_is_silence_never_runs_twice_and_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (hang, trace) = (folder.path().join("hang"), folder.path().join("trace"));
    fs::write(&hang, "").expect("written");
    // Says who still runs of those that were started before.
    let script = format!(
        "trap '' TERM; for p in $(cat {t}); do [ ! -d /proc/$p ] || echo twice >> {t}.twice; done; echo $$ >> {t}; \
         [ ! -e {h} ] || sleep 600; echo 7",
        t = trace.display(),
        h = hang.display()
    );
    fs::write(&trace, "").expect("written");
    let config =
        format!("argv = [\"/bin/sh\", \"-c\", '''{script}''']\nname = \"x\"\nparse = \"number\"\nmetric = \"n\"");
    let mut it = sampler("command", &config);
    let started = || fs::read_to_string(&trace).expect("there").lines().count();
    for attempt in 1..=2 {
        while started() < attempt {
            let given_up = tokio::time::timeout(Duration::from_millis(150), observe(&mut *it)).await;
            if let Ok(answer) = given_up {
                let said = answer.expect_err("it hangs").what.to_string();
                assert!(said.contains("No second one is started."), "{said}");
                tokio::task::yield_now().await;
            }
        }
    }
    fs::remove_file(&hang).expect("removed");
    let start = RealClock.now().mono;
    let back = loop {
        match observe(&mut *it).await {
            Ok(seen) => break seen,
            Err(failure) => assert!(failure.what.as_str().contains("No second one is started."), "{failure:?}"),
        }
        assert!(RealClock.now().mono.since(start) < Duration::from_secs(60), "never back");
        tokio::task::yield_now().await;
    };
    assert_eq!(value(&back, "n", &[]), 7.0);
    assert!(started() >= 3, "two that hung and the last");
    assert!(!trace.with_extension("twice").exists());
}

#[tokio::test]
async fn lines_of_a_real_git_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let there = folder.path().display();
    let git = format!(
        "cd {there} && git init -q . && echo hunter22 > a && echo b > b && git add b && git status --porcelain"
    );
    let rows = "env = { HOME = \"/\" }\nparse = \"lines\"\nlines = [{ matches = '^A ', metric = \"added\" }, \
                { matches = '^\\?\\? (.*)', fact = \"first unknown\", line = true }, { matches = '^D', metric = \"gone\" }]";
    let found = seen(&git, rows).await;
    assert_eq!(["added", "gone"].map(|name| value(&found, name, &[("command", "x")])), [1.0, 0.0]);
    assert_eq!(fact(&found, "first unknown"), Some("line 2: a"));
    assert_eq!(failed("echo allowed; exit 3", rows).await, "x failed (exit code 3): allowed.");
}

#[tokio::test]
async fn toml_and_whether_a_value_is_there() {
    let rows = "parse = \"toml\"\njson = [{ pointer = \"/a/n\", metric = \"n\" }, \
                { pointer = \"/a/key\", metric = \"key\", present = true }]";
    let found = seen("printf '[a]\\nn = 5\\nkey = \"hunter22\"\\n'", rows).await;
    assert_eq!((value(&found, "n", &[]), value(&found, "key", &[("command", "x")])), (5.0, 1.0));
    assert!(!format!("{found:?}").contains("hunter22"), "{found:?}");
    let said = failed("printf 'a = hunter22'", rows).await;
    assert!(said.starts_with("x prints what is not TOML (") && !said.contains("hunter22"), "{said}");
}
