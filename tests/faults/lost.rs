//! The console dies, or its terminal does, while an action runs: the runner ends it and records that, once, and the next
//! console tells what became of it.

use crate::desk::{Desk, PROGRAM, eventually};
use crate::harness::{GUARD, Pty, Spec};
use crate::strace::long;
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use watchkeeper::action::lifecycle::{Outcome, Progress, Run, runs};

/// A desk with a state folder that outlives the console, and one action: two writes with a pause between them.
pub(crate) struct Bench {
    desk: Desk,
    profile: String,
    target: PathBuf,
    /// What is typed at its prompt.
    word: &'static str,
}

pub(crate) fn open_list(pty: &Pty) -> bool {
    pty.send("a");
    seen(pty, "the list of actions", |text| text.contains("ACTIONS"))
}

impl Bench {
    pub(crate) fn new(script: &str) -> Self {
        let command = |folder: &Path| {
            let (act, target) = (folder.join("act"), folder.join("target"));
            fs::write(&act, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::write(&target, "").unwrap();
            fs::set_permissions(&act, PermissionsExt::from_mode(0o755)).unwrap();
            let head =
                "kind = \"command\"\nverb = \"perform\"\ndanger = \"C1\"\npreview = [\"/bin/true\"]\nundo = \"none\"";
            format!("{head}\nargv = [\"{}\", \"{}\"]", act.display(), target.display())
        };
        Self::on("target", command, "y")
    }

    /// With an action on this file of its folder.
    pub(crate) fn on(name: &str, action: impl Fn(&Path) -> String, word: &'static str) -> Self {
        let bench = Self::of(action, PathBuf::new(), word);
        Self { target: bench.desk.path().join(name), ..bench }
    }

    /// With the table of this action; `target` tells what it does.
    pub(crate) fn of(action: impl Fn(&Path) -> String, target: PathBuf, word: &'static str) -> Self {
        let desk = Desk::new();
        for name in ["state", "before"] {
            fs::create_dir(desk.path().join(name)).unwrap();
        }
        let head = "title = \"Bench\"\nenvironment = \"test\"\n[samplers.host]\nkind = \"host\"\n";
        let action = action(desk.path());
        let profile = desk.write("bench.toml", format!("{head}[actions.act]\ntitle = \"Act\"\n{action}\n"));
        let profile = profile.to_str().unwrap().to_owned();
        Self { desk, profile, target, word }
    }

    /// A console whose `/var/lib` is the desk's own.
    pub(crate) fn console(&self) -> Pty {
        self.console_by("exec")
    }

    /// The same, started by these words of the shell.
    fn console_by(&self, start: &str) -> Pty {
        let script = format!("mount --bind \"$1\" /var/lib && shift && {start} \"$@\"");
        let state = self.desk.path().join("state").to_str().unwrap().to_owned();
        let own = ["--mount", "sh", "-c", &script, "sh", &state, PROGRAM, "--profile", &self.profile];
        let env = self.desk.spec(&[]).env;
        let pty = Pty::spawn(&Spec { env, ..Spec::new("unshare").args(own) });
        pty.wait_for("OBSERVE");
        pty
    }

    /// From the list of actions to the key that runs it. False when the console was gone before.
    pub(crate) fn confirm(&self, pty: &Pty) -> bool {
        open_list(pty) && self.confirm_first(pty)
    }

    /// The list's first action, to the key that runs it.
    pub(crate) fn confirm_first(&self, pty: &Pty) -> bool {
        confirm_first(pty, self.word)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.desk.path().join("state/watchkeeper")
    }

    /// The run, once there is one.
    pub(crate) fn run(&self) -> Option<(Run, Option<Progress>)> {
        let (known, _) = runs(&self.state());
        assert!(known.len() <= 1, "one order");
        known.into_iter().next().map(|(run, _, told)| (run, told))
    }

    /// Neither the console nor a runner that has not said anything yet.
    pub(crate) fn nobody_at(&self, run: &Run) -> bool {
        let name = run.dir().file_name().unwrap().to_str().unwrap();
        let runs = |line: Vec<u8>| String::from_utf8_lossy(&line).contains(name);
        let mut lines =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|at| fs::read(at.path().join("cmdline")).ok());
        self.desk.processes().is_empty() && !lines.any(runs) && !run.is_accepted()
    }

    pub(crate) fn target(&self) -> String {
        fs::read_to_string(&self.target).unwrap()
    }

    pub(crate) fn journal(&self) -> String {
        let files = fs::read_dir(self.state().join("journal")).unwrap().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap()).collect()
    }
}

/// The list's first action, by this word, to the key that runs it. False when the console was gone before, or had no plan.
pub(crate) fn confirm_first(pty: &Pty, word: &str) -> bool {
    let then = |key: &str, what: &str, wanted: fn(&str) -> bool| {
        pty.send(key);
        seen(pty, what, wanted)
    };
    let asked = then("\r", "the plan, or that there is none", |text| is_planned(text) || text.contains("No plan: "))
        && is_planned(&pty.text())
        && then("A", "the arming prompt", |text| is_armed(text, "to arm"))
        && then("y", "the plan, armed", |text| is_armed(text, "to run it"));
    if asked && word == "y" {
        pty.send("y");
        return true;
    }
    let typed = asked && then(word, "the whole word", |text| text.contains("Enter runs it"));
    if typed {
        // An Enter that comes with the last character is no answer.
        std::thread::sleep(Duration::from_millis(150));
        pty.send("\r");
    }
    typed
}

fn is_planned(text: &str) -> bool {
    text.contains("Only a preview")
}

/// Waits until the screen is as wanted; false when the console ends before.
pub(crate) fn seen(pty: &Pty, what: &str, wanted: impl Fn(&str) -> bool) -> bool {
    let start = Instant::now();
    while !wanted(&pty.text()) {
        if is_gone(pty) {
            return false;
        }
        assert!(start.elapsed() < GUARD, "never saw {what}:\n{}", pty.text());
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Whether the console has ended; it is not waited for.
pub(crate) fn is_gone(pty: &Pty) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pty.pid().as_raw_nonzero())).unwrap();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

fn is_armed(text: &str, question: &str) -> bool {
    let full = |row: &str| row.contains("EXPIRES") && row.trim_end_matches(['│', ' ']).ends_with("  armed");
    text.contains(question) && text.lines().any(full)
}

const TWICE: &str = "echo begun >> \"$1\"; sleep 0.4; echo ended >> \"$1\"";

pub(crate) const BY_HAND: (Outcome, &str) = (Outcome::Unverified, "begun\nended\n");

pub(crate) fn bench() -> Bench {
    Bench::new(TWICE)
}

/// Loses the console at a moment of the first second, again and again; how the runner must end it, and what is there then.
pub(crate) fn lose(seed: u64, bench: &dyn Fn() -> Bench, (outcome, done): (Outcome, &str), lose: fn(&mut Pty)) {
    lose_by(("exec", if long() { 100 } else { 5 }), seed, bench, (outcome, done), lose);
}

/// Closes the terminal of a console that was started so. A round takes some 2 s: in the long run the three ways to take
/// a hang-up share R12's thousand closings, or as many as `WATCHKEEPER_CLOSINGS` says.
fn close(start: &str, seed: u64) {
    let wanted = std::env::var("WATCHKEEPER_CLOSINGS").ok().and_then(|text| text.parse::<usize>().ok());
    let rounds = if long() { wanted.unwrap_or(1_000).div_ceil(3) } else { 5 };
    lose_by((start, rounds), seed, &bench, BY_HAND, Pty::hang_up);
}

fn lose_by(
    (start, rounds): (&str, usize),
    seed: u64,
    bench: &dyn Fn() -> Bench,
    (outcome, done): (Outcome, &str),
    lose: fn(&mut Pty),
) {
    if !rustix::process::geteuid().is_root() {
        return crate::peer::skip("a console with a state folder of its own", "only root may mount one");
    }
    let mut seed = seed;
    let mut carried = 0;
    for round in 0..rounds {
        let bench = bench();
        let mut pty = bench.console_by(start);
        assert!(bench.confirm(&pty), "round {round}");
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((seed >> 33) % 900));
        let lost = Instant::now();
        lose(&mut pty);
        pty.wait_end();
        // The aim is one second; ten times that on a machine that does much else.
        assert!(lost.elapsed() < Duration::from_secs(10), "round {round}: {:?}", lost.elapsed());
        let launched = eventually("the runner's end, or none", || match bench.run() {
            Some((_, Some(told))) if told.end.is_some() => Some(true),
            // It died before it had ordered anything: nothing may come any more.
            None => Some(false),
            Some((run, None)) if !run.is_accepted() && bench.nobody_at(&run) => Some(false),
            Some(_) => None,
        });
        let next = bench.console();
        if launched {
            carried += 1;
            let (_, told) = bench.run().unwrap();
            let end = told.unwrap().end.unwrap();
            assert_eq!(end.outcome, outcome, "round {round}: {end:?}");
            assert_eq!(bench.target(), done, "round {round}");
            let journal = bench.journal();
            for event in ["confirm.accepted", "action.intent", "action.outcome"] {
                assert_eq!(
                    journal.matches(&format!("\"ev\":\"{event}\"")).count(),
                    1,
                    "round {round}: {event}\n{journal}"
                );
            }
        } else {
            assert_eq!(bench.target(), "", "round {round}: done without an order");
        }
        drop(next);
        assert_eq!(bench.target(), if launched { done } else { "" }, "round {round}: done again");
    }
    assert!(carried * 2 >= rounds, "too early to prove anything: {carried} of {rounds}");
}

#[test]
fn a_console_that_is_killed_at_any_moment_leaves_a_runner_that_ends_and_records_it() {
    lose(0x9E37_79B9_7F4A_7C15, &bench, BY_HAND, |pty| pty.signal(Signal::KILL));
}

#[test]
fn a_terminal_that_is_closed_at_any_moment_leaves_a_runner_that_ends_and_records_it() {
    close("exec", 0xD1B5_4A32_D192_ED03);
}

#[test]
fn a_terminal_that_is_closed_while_hang_ups_are_ignored_ends_the_console_all_the_same() {
    close("trap '' HUP; exec", 0xA076_1D64_78BD_642F);
}

#[test]
fn a_terminal_that_is_closed_while_hang_ups_are_blocked_ends_the_console_all_the_same() {
    close("exec env --block-signal=HUP", 0xE703_7ED1_A0B4_28DB);
}

#[test]
fn the_next_console_follows_what_still_runs_and_tells_how_it_ended() {
    if !rustix::process::geteuid().is_root() {
        return crate::peer::skip("a console with a state folder of its own", "only root may mount one");
    }
    let bench = Bench::new("echo begun >> \"$1\"; while [ ! -e \"$1.go\" ]; do sleep 0.05; done; echo ended >> \"$1\"");
    let pty = bench.console();
    assert!(bench.confirm(&pty));
    eventually("its first line", || (bench.target() == "begun\n").then_some(()));
    pty.signal(Signal::KILL);
    pty.wait_end();
    let next = bench.console();
    next.wait_for("still running as process");
    bench.desk.write("target.go", "");
    next.wait_for("UNVERIFIED");
    assert_eq!(bench.target(), "begun\nended\n");
    assert_eq!(bench.journal().matches("\"ev\":\"action.intent\"").count(), 1);
}

#[test]
fn a_console_that_is_disarmed_before_the_first_effect_has_none() {
    if !rustix::process::geteuid().is_root() {
        return crate::peer::skip("a console with a state folder of its own", "only root may mount one");
    }
    // The runner looks again at a value that takes its time; the key comes meanwhile.
    let action = |folder: &Path| {
        for (name, script) in [("act", TWICE), ("slow", "sleep 0.8; echo 4711")] {
            fs::write(folder.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(folder.join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        fs::write(folder.join("target"), "").unwrap();
        let folder = folder.display();
        format!(
            r#"kind = "command"
verb = "perform"
danger = "C1"
preview = ["/bin/true"]
undo = "none"
argv = ["{folder}/act", "{folder}/target"]
verify = [{{ label = "queue", query = "queue_length", expect = {{ above = 1 }} }}]
verify_samplers = ["slow"]
verify_within = "5s"
traffic = "queue_length"
based_on = [{{ label = "queue", query = "queue_length", max_age = "1m", tolerance = 1 }}]
[samplers.slow]
kind = "command"
argv = ["{folder}/slow"]
parse = "number"
metric = "queue_length"
every = "1s"
[[panes]]
title = "Queue"
kind = "sparkline"
query = "queue_length""#
        )
    };
    let bench = Bench::on("target", action, "y");
    let pty = bench.console();
    pty.wait_for("4,711");
    assert!(bench.confirm(&pty) && seen(&pty, "the run", |text| !text.contains("to run it")));
    pty.send("A");
    let end = eventually("its end", || bench.run()?.1?.end);
    assert!(bench.run().unwrap().0.is_disarmed(), "nobody told its runner");
    assert_eq!((end.outcome, bench.target().as_str()), (Outcome::Refused, ""), "{end:?}");
    assert_eq!(bench.journal().matches("\"ev\":\"action.intent\"").count(), 0);
}
