//! Bad children, each in its own way.

use super::*;
use crate::sys::child::{start_time, wait_readable};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::AsFd;
use std::path::PathBuf;

const AMPLE: Duration = Duration::from_secs(60);

fn order(program: &str, args: &[&str]) -> Order {
    Order { program: program.into(), args: args.iter().map(|&arg| arg.to_owned()).collect(), ..Order::default() }
}

fn sh(script: &str) -> Order {
    order("/bin/sh", &["-c", script])
}

async fn ran(script: &str) -> Ran {
    Runner::new().run(Mono(0), &sh(script), AMPLE).await.expect("runs to its end")
}

async fn text(script: &str) -> (Ended, Vec<u8>, Vec<u8>) {
    let ran = ran(script).await;
    (ran.ended, ran.stdout.bytes, ran.stderr.bytes)
}

/// Waits until a process is gone, a zombie not counted as gone.
fn gone(pid: u32) {
    let pid_now = Pid::from_raw(pid.try_into().expect("a pid")).expect("a pid");
    if let Ok(pidfd) = pidfd_open(pid_now, PidfdFlags::empty()) {
        let ended = wait_readable(&[pidfd.as_fd()], Some(AMPLE)).expect("polled");
        assert!(ended[0], "{pid} lives");
    }
}

fn number(bytes: &[u8]) -> u32 {
    core::str::from_utf8(bytes).expect("text").trim().parse().expect("a number")
}

#[tokio::test]
async fn what_it_says_and_how_it_ends_is_told() {
    assert_eq!(text("echo 1; echo bad >&2; exit 1").await, (Ended::Code(1), b"1\n".into(), b"bad\n".into()));
    assert_eq!(text("kill -SEGV $$").await, (Ended::Signal(11), vec![], vec![]));
    assert_eq!(text("exit 0").await, (Ended::Code(0), vec![], vec![]), "nothing at all");
    assert_eq!(text("exit 126").await.0, Ended::Code(126));
    assert_eq!(text("/no/such/program").await.0, Ended::Code(127));
    assert_eq!(text(r"printf '\377\200\001'").await.1, [0o377, 0o200, 1], "garbage");
    let ran = ran(r"printf '\n \000\033[2Jx\n'").await;
    assert_eq!(ran.stdout.first_line().map(|line| line.as_str().to_owned()), Some("␀␛[2Jx".to_owned()));
}

#[tokio::test]
async fn floods_are_drained_and_counted_beyond_the_cap() {
    let ran = ran("head -c 3000000 /dev/zero; head -c 100000 /dev/zero >&2").await;
    assert_eq!(ran.ended, Ended::Code(0), "the flood never blocked it");
    assert_eq!((ran.stdout.bytes.len(), ran.stdout.beyond), (STDOUT, 3_000_000 - STDOUT as u64));
    assert_eq!((ran.stderr.bytes.len(), ran.stderr.beyond), (STDERR, 100_000 - STDERR as u64));
    let line = self::ran("head -c 2000000 /dev/zero | tr '\\000' x").await;
    assert!(line.stdout.first_line().is_some_and(|line| line.as_str().len() < STDOUT), "a line of two million letters");
}

#[tokio::test]
async fn a_flood_without_an_end_is_ended() {
    let mut runner = Runner::new();
    let failure = runner.run(Mono(0), &sh("yes"), AMPLE).await.expect_err("no end");
    assert_eq!(failure.what.as_str(), "/bin/sh writes without an end; it was stopped after 64.0 MiB.");
    settle(&mut runner).await;
}

/// Waits for what is being ended; tells its number.
async fn settle(runner: &mut Runner) -> u32 {
    let ending = runner.ending.take().expect("something was ended");
    timeout(AMPLE, ending.task).await.expect("in time").expect("no panic");
    assert_eq!(start_time(ending.pid), None, "{} is left, perhaps as a zombie", ending.pid);
    ending.pid
}

#[tokio::test]
async fn at_the_deadline_the_whole_group_ends_also_where_it_ignores_the_request() {
    let folder = tempfile::tempdir().expect("a folder");
    for script in ["sleep 600 & echo $! > F; wait", "trap '' TERM; sleep 600 & echo $! > F; while :; do sleep 1; done"]
    {
        let file = folder.path().join("pid");
        let script = script.replace('F', &file.to_string_lossy());
        let mut runner = Runner::new();
        let limit = Duration::from_millis(300);
        let failure = runner.run(Mono(0), &sh(&script), limit).await.expect_err("hangs");
        assert_eq!(failure.what.as_str(), "/bin/sh has not ended within 300 ms; it was stopped.");
        assert!(!failure.answered);
        settle(&mut runner).await;
        gone(number(&std::fs::read(&file).expect("written")));
        let again = runner.run(Mono(0), &sh("echo back"), AMPLE).await.expect("it is free again");
        assert_eq!(again.stdout.bytes, b"back\n");
    }
}

#[tokio::test]
async fn what_it_prints_while_it_clears_up_does_not_kill_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cleared");
    let script = format!("trap 'echo bye; echo bye >&2; echo yes > {}; exit' TERM; sleep 600 & wait", file.display());
    let mut runner = Runner::new();
    runner.run(Mono(0), &sh(&script), Duration::from_millis(300)).await.expect_err("hangs");
    settle(&mut runner).await;
    assert_eq!(std::fs::read(&file).expect("it cleared up"), b"yes\n");
}

#[tokio::test]
async fn one_that_is_to_be_spared_is_abandoned_and_no_second_one_started_while_it_lives() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("go");
    let script = format!("trap 'exit 9' TERM; until [ -e {} ]; do sleep 0.05; done", file.display());
    let (mut runner, order) = (Runner::new(), Order { spare: true, ..sh(&script) });
    let failure = runner.run(Mono(0), &order, Duration::from_millis(200)).await.expect_err("hangs");
    assert_eq!(failure.what.as_str(), "/bin/sh has not ended within 200 ms; it is not killed, but left to itself.");
    let pid = runner.ending.as_ref().expect("abandoned").pid;
    tokio::time::sleep(GRACE * 2).await;
    assert!(start_time(pid).is_some(), "neither asked nor killed");
    let again = runner.run(Mono(0) + GRACE, &order, AMPLE).await.expect_err("one lives");
    let said = format!("process {pid}, started 500 ms ago, is not killed since it may hold a GPU. No second one");
    assert!(again.what.as_str().contains(&said), "{again:?}");
    std::fs::write(&file, "").expect("written");
    settle(&mut runner).await;
}

#[tokio::test]
async fn dropping_the_attempt_ends_the_program() {
    let mut runner = Runner::new();
    let order = sh("sleep 600");
    assert!(timeout(Duration::from_millis(200), runner.run(Mono(0), &order, AMPLE)).await.is_err());
    settle(&mut runner).await;
}

#[tokio::test]
async fn closing_its_outputs_is_not_its_end() {
    let ran = ran("exec >&- 2>&-; read x < /proc/self/stat; exit 7").await;
    assert_eq!((ran.ended, ran.left_others), (Ended::Code(7), false));
    let mut runner = Runner::new();
    let order = sh("exec >&- 2>&-; sleep 600");
    let failure = runner.run(Mono(0), &order, Duration::from_millis(200)).await.expect_err("lives on");
    assert!(failure.what.as_str().contains("has not ended"), "{failure:?}");
    settle(&mut runner).await;
}

#[tokio::test]
async fn what_it_left_behind_may_clear_up_and_is_killed_where_it_does_not_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cleared");
    let (mut runner, path) = (Runner::new(), file.display());
    let cleans = format!("trap 'sleep 0.1; echo yes > {path}; exit' TERM; while :; do sleep 0.05; done");
    let ran = runner.run(Mono(0), &sh(&format!("({cleans}) >&- 2>&- & sleep 0.2")), AMPLE).await;
    assert_eq!(ran.expect("ends").ended, Ended::Code(0));
    settle(&mut runner).await;
    assert_eq!(std::fs::read(&file).expect("it cleared up"), b"yes\n");

    let deaf = "trap '' TERM; sleep 600 >&- 2>&- & echo $!";
    let ran = runner.run(Mono(0), &sh(deaf), AMPLE).await.expect("ends");
    let pid = number(&ran.stdout.bytes);
    assert!(start_time(pid).is_some(), "not killed at once");
    settle(&mut runner).await;
    gone(pid);
}

#[tokio::test]
async fn others_that_hold_its_outputs_are_ended_with_it() {
    let ran = ran("sleep 600 & echo $!").await;
    assert_eq!((ran.ended, ran.left_others), (Ended::Code(0), true));
    gone(number(&ran.stdout.bytes));
    let late = self::ran("{ sleep 0.05; echo late; } & exit 0").await;
    assert_eq!((late.stdout.bytes.as_slice(), late.left_others), (b"late\n".as_slice(), false));
}

#[tokio::test]
async fn while_an_old_one_lives_no_second_one_is_started() {
    let minute = Duration::from_secs(60);
    let task = tokio::spawn(core::future::pending());
    let stop = task.abort_handle();
    let mut runner = Runner::new();
    runner.ending = Some(Ending { task, pid: 4_242, spared: false, since: Mono(0) });
    let failure = runner.run(Mono(0) + minute * 3, &sh("echo 1"), AMPLE).await.expect_err("refused");
    let said = "/bin/sh hangs: process 4242, started 180 s ago, does not end when killed. No second one is started.";
    assert_eq!(failure.what.as_str(), said);
    stop.abort();
    while runner.ending.as_ref().is_some_and(|old| !old.task.is_finished()) {
        tokio::task::yield_now().await;
    }
    assert!(runner.run(Mono(0) + minute * 4, &sh("echo 1"), AMPLE).await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_started_is_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("check");
    std::fs::write(&file, "no program").expect("written");
    let failed = async |path: PathBuf| {
        let order = Order { program: path, ..Order::default() };
        let failure = Runner::new().run(Mono(0), &order, AMPLE).await.expect_err("not started");
        (failure.what.to_string(), failure.not_permitted)
    };
    let missing = ("/no/such/program: there is no such file. Check the spelling of the path.".to_owned(), false);
    assert_eq!(failed("/no/such/program".into()).await, missing);
    let name = file.display();
    assert_eq!(failed(file.clone()).await, (format!("{name}: it is not executable. Mend it: chmod +x {name}"), false));
    let mode =
        |mode| std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("ours");
    mode(0o755);
    assert_eq!(failed(file.clone()).await, (format!("{name}: neither a binary nor a script with `#!`."), false));
    mode(0o777);
    let said = format!("{name}: others may write to this file (mode 0777). Mend it: chmod go-w {name}");
    assert_eq!(failed(file.clone()).await, (said, true));
}
