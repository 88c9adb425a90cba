//! Consoles as processes of their own: this test binary starts itself as one.

use super::running::Running;
use super::scene::*;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use watchkeeper::base::Clean;
use watchkeeper::procedure::Step;
use watchkeeper::procedure::walk::{State, Turn};
use watchkeeper::sys::process::pid;

const ROLE: &str = "WATCHKEEPER_TEST_RUN_CHILD";

/// Another console on this state folder, which does what `role` says.
fn start(role: &str, state: &Path) -> Running {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child::as_a_child", "--nocapture", "--ignored"]);
    child.env(ROLE, format!("{role}:{}", state.display()));
    Running::start(&mut child, Stdio::piped(), Stdio::piped())
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{text}").unwrap();
    out.flush().unwrap();
}

#[test]
#[ignore = "a role: played by a process of its own"]
fn as_a_child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let (role, state) = role.split_once(':').unwrap();
    let mut keeper = keeper(Path::new(state), "oncall");
    match role {
        "append" => {
            begin(&mut keeper, RUN);
            for n in 0.. {
                let text = Clean::text(format!("number {n}"));
                let to = Turn::Item(State::Deferred(None));
                let step = Step {
                    at: now(),
                    item: Some("say".into()),
                    to,
                    text,
                    who: None,
                    found: watchkeeper::procedure::Found::default(),
                };
                keeper.append(RUN, &[step], now()).unwrap();
                say(&format!("kept {n}"));
            }
        }
        "race" => {
            let mut go = String::new();
            std::io::stdin().read_line(&mut go).unwrap();
            match keeper.resume(RUN, now()) {
                Ok(_) => say(&format!("had {}", pid())),
                Err(fault) => say(&format!("not {fault}")),
            }
            // It keeps what it has until it is let go.
            let _eof = std::io::stdin().read_line(&mut go);
        }
        other => panic!("{other}"),
    }
}

/// The next line that a child said of this kind.
fn next(out: &mut impl BufRead, kinds: &[&str]) -> Option<String> {
    loop {
        let mut line = String::new();
        if out.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if kinds.iter().any(|kind| line.starts_with(kind)) {
            return Some(line.trim_end().to_owned());
        }
    }
}

#[test]
fn whatever_was_acknowledged_before_a_kill_is_there_and_the_run_can_be_taken() {
    for lines in [1, 7, 40] {
        let state = tempfile::tempdir().unwrap();
        let mut child = start("append", state.path());
        let mut out = BufReader::new(child.0.stdout.take().unwrap());
        let heard = (0..lines).map(|_| next(&mut out, &["kept"]).unwrap()).next_back().unwrap();
        drop(child);
        let left = found(state.path()).remove(0);
        assert!(left.hold.may_take(), "{:?}", left.hold);
        let last: usize = heard.rsplit(' ').next().unwrap().parse().unwrap();
        let kept: Vec<&str> =
            left.steps.iter().map(|step| step.text.as_str()).filter(|t| t.starts_with("number")).collect();
        assert!(kept.len() > last, "{} of {last}", kept.len());
        assert!(kept.iter().enumerate().all(|(n, text)| *text == format!("number {n}")));
        let mut next = keeper(state.path(), "other");
        next.resume(RUN, now()).unwrap();
        assert!(matches!(left.standing(), watchkeeper::procedure::walk::Standing::Running));
        assert!(left.paused_at().wall >= left.steps.last().unwrap().at.wall);
    }
}

#[test]
fn of_two_consoles_that_race_for_a_lease_one_has_it() {
    for _ in 0..6 {
        let state = tempfile::tempdir().unwrap();
        drop(begin(&mut keeper(state.path(), "oncall"), RUN));
        let mut racers: Vec<Running> = (0..3).map(|_| start("race", state.path())).collect();
        for racer in &mut racers {
            racer.0.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        }
        let said: Vec<String> = racers
            .iter_mut()
            .map(|racer| next(&mut BufReader::new(racer.0.stdout.take().unwrap()), &["had", "not"]).unwrap())
            .collect();
        assert_eq!(said.iter().filter(|said| said.starts_with("had")).count(), 1, "{said:?}");
        let refused = |said: &&String| said.starts_with("not");
        assert!(
            said.iter().filter(refused).all(|said| said.contains("works on it") || said.contains("taking this run"))
        );
        for mut racer in racers {
            drop(racer.0.stdin.take());
            racer.0.wait().unwrap();
        }
    }
}

#[test]
fn a_console_that_is_stopped_keeps_its_run_however_silent_it_is() {
    let state = tempfile::tempdir().unwrap();
    let mut child = start("append", state.path());
    let mut out = BufReader::new(child.0.stdout.take().unwrap());
    next(&mut out, &["kept"]).unwrap();
    let process = rustix::process::Pid::from_child(&child.0);
    rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
    let mut other = keeper(state.path(), "other");
    let refused = other.resume(RUN, later(SECOND * 600)).unwrap_err().to_string();
    assert!(refused.contains("lives"), "{refused}");
    drop(child);
    assert!(other.resume(RUN, now()).is_ok(), "free as soon as it is gone");
}
