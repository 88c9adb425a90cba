//! The demo as README shows it: from the alert to the proven fix; and every way to lose the console on the way.

use crate::desk::{Desk, Trail, demo_folder, eventually, row_with};
use crate::harness::Pty;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::Duration;

const README: &str = include_str!("../../README.md");

/// A running demo.
struct Demo {
    desk: Desk,
    pty: Pty,
    folder: PathBuf,
}

impl Demo {
    fn start(args: &[&str]) -> Self {
        let desk = Desk::new();
        let pty = desk.start(args);
        let folder = demo_folder(&desk);
        Self { desk, pty, folder }
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.folder.join("etc/production.toml")).unwrap()
    }

    /// The medians before the action are those of the incident once it has lasted a while.
    fn incident(&self) {
        self.pty.wait("an alert that has lasted", |screen, _| row_with(screen, "answer in 14:3").is_some());
    }

    /// The plan of the action against the incident, as a preview.
    fn preview(&self) {
        self.pty.wait("the alert of the incident", |screen, _| {
            row_with(screen, " CRITICAL ").is_some_and(|row| row.contains("answer in"))
        });
        self.actions();
        self.pty.send("\r");
        self.pty.wait_for("Only a preview");
    }

    /// The list of actions, with the only one of them selected.
    fn actions(&self) {
        self.pty.wait_for("temp ");
        self.pty.send("a");
        self.pty.wait_for("ACTIONS");
    }

    /// From a preview to the prompt that takes the verb.
    fn arm(&self) {
        self.pty.send("A");
        self.pty.wait("the arming prompt", |screen, _| is_armed(screen, "to arm"));
        self.pty.send("y");
        self.pty.wait("the plan again, armed", |screen, _| is_armed(screen, "Esc cancels."));
        assert!(self.pty.text().contains("ARMED"), "{}", self.pty.text());
    }

    /// Types the verb, and Enter no sooner than the gate takes it for meant.
    fn confirm(&self) {
        self.pty.send("reduce");
        self.pty.wait_for("Enter runs it");
        std::thread::sleep(Duration::from_millis(250));
        self.pty.send("\r");
    }

    fn leave(mut self) {
        self.pty.send("q");
        assert_eq!(self.pty.status(), 0);
        self.pty.assert_restored();
        self.desk.assert_nothing_is_left();
    }
}

/// The question stands there and the bar is full: nothing but `armed` is left of it.
pub(crate) fn is_armed(screen: &vt100::Screen, question: &str) -> bool {
    let full = |row: String| row.trim_end_matches(['│', ' ']).ends_with("  armed");
    row_with(screen, question).is_some() && row_with(screen, "EXPIRES").is_some_and(full)
}

/// The arguments of the demo in the first `sh` block that shows it.
fn readme_arguments() -> Vec<&'static str> {
    let line = README.lines().find(|line| line.starts_with("cargo run --release -- demo")).unwrap();
    let command = line.split('#').next().unwrap();
    command.split_whitespace().skip_while(|word| *word != "--").skip(1).collect()
}

#[test]
fn the_demo_plays_the_story() {
    let arguments = readme_arguments();
    assert_eq!(arguments, ["demo"]);
    let demo = Demo::start(&arguments);
    let before = demo.config();
    demo.incident();
    demo.preview();
    for part in ["WHERE", "WHO", "performance.batch_size   1024 → 512", "HITS", "UNDO", "BASED ON"] {
        assert!(demo.pty.text().contains(part), "{part}:\n{}", demo.pty.text());
    }
    assert_eq!(demo.config(), before, "a preview changes nothing");
    demo.arm();
    demo.confirm();
    demo.pty.wait_for("EXECUTED, verifying");
    let wanted = before.replace("batch_size = 1024", "batch_size = 512");
    assert!(wanted != before && wanted.contains('#'));
    assert_eq!(demo.config(), wanted, "one value changed, every comment kept");
    demo.pty.wait_for("EXECUTED, VERIFIED");
    let median = row_with_text(&demo.pty.text(), "latency p95").unwrap();
    assert!(median.contains(" µs → ") && median.contains("median of ") && median.contains("as expected"), "{median}");

    let state = demo.folder.join("state");
    journal_tells(&demo.desk, &state);
    assert_eq!(demo.config(), wanted);
    // The first closes the sheet, the second leaves.
    demo.pty.send("q");
    demo.pty.wait("no sheet", |screen, _| !screen.contents().contains("median of"));
    demo.leave();
}

fn row_with_text(text: &str, part: &str) -> Option<String> {
    text.lines().find(|row| row.contains(part) && row.contains('→')).map(str::to_owned)
}

/// Intent and outcome are on disk, and the tools of the trail agree.
fn journal_tells(desk: &Desk, state: &Path) {
    let state = state.to_str().unwrap();
    let shown = desk.run(&["journal", "show", "--state", state]);
    assert_eq!(shown.status.code(), Some(0));
    let text = String::from_utf8(shown.stdout).unwrap();
    for event in ["session.start", "mode.arm", "confirm.shown", "action.intent", "action.outcome"] {
        assert!(text.lines().any(|line| line.contains(event)), "{event}:\n{text}");
    }
    assert!(text.lines().any(|line| line.contains("action.outcome") && line.contains("VERIFIED")), "{text}");
    let tells = |event: &str, said: &str| text.lines().any(|line| line.contains(event) && line.contains(said));
    let act = "reduce-batch-size";
    assert!(tells("session.start", "  started a console of watchkeeper-demo-"), "{text}");
    assert!(tells("confirm.shown", &format!("  was shown the plan of {act}  (plan ")), "{text}");
    assert!(tells("confirm.accepted", &format!("  confirmed {act} at C2: ")), "{text}");
    assert!(
        tells("action.outcome", &format!("  {act} ended VERIFIED: ")) && tells("action.outcome", " µs → "),
        "{text}"
    );
    assert!(!text.contains("{\"") && !text.contains("an action"), "no record as it is stored: {text}");
    let stored = desk.run(&["journal", "show", "--json", "--state", state]);
    let stored = String::from_utf8(stored.stdout).unwrap();
    let files = std::fs::read_to_string(Path::new(state).join("journal/00000001.jsonl")).unwrap();
    assert!(!stored.is_empty() && files.starts_with(&stored), "as they stand in their file: {stored}");
    let verified = desk.run(&["journal", "verify", "--state", state]);
    let text = String::from_utf8(verified.stdout).unwrap();
    assert!(verified.status.success() && text.contains("the chain holds"), "{text}");
}

/// Plays until the action runs, takes the console away and sees that the runner ends it before the twin clears up.
fn lose_it_while_it_runs(lose: impl FnOnce(&mut Pty)) {
    let mut demo = Demo::start(&["demo"]);
    let mut trail = Trail::open(&demo.folder);
    demo.incident();
    demo.preview();
    demo.arm();
    demo.confirm();
    demo.pty.wait("the action runs", |screen, _| {
        row_with(screen, "── Reduce batch size")
            .is_some_and(|row| row.contains(" running ") || row.contains("EXECUTED"))
    });
    assert!(!trail.text().contains("action.outcome"), "too late to prove anything");
    lose(&mut demo.pty);
    // What becomes of the file is seen as long as the folder stands.
    let mut config = demo.config();
    eventually("the end of the demo", || {
        match std::fs::read_to_string(demo.folder.join("etc/production.toml")) {
            Ok(text) => config = text,
            Err(_) => return (!demo.folder.exists()).then_some(()),
        }
        None
    });
    let text = trail.text();
    assert!(text.contains("action.intent") && text.contains("action.outcome"), "the runner did not end it:\n{text}");
    assert!(config.contains("batch_size = 512"), "{config}");
    demo.desk.assert_nothing_is_left();
}

#[test]
fn an_action_outlives_its_console_whatever_takes_that() {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            lose_it_while_it_runs(|pty| {
                pty.signal(Signal::KILL);
                assert_eq!(pty.status(), -9);
            });
        });
        scope.spawn(|| {
            lose_it_while_it_runs(|pty| {
                pty.hang_up();
                assert_eq!(pty.status(), 129);
            });
        });
    });
}

#[test]
fn a_read_only_console_shows_the_plan_and_cannot_be_armed() {
    let demo = Demo::start(&["demo", "--read-only"]);
    demo.pty.wait_for("READ-ONLY");
    demo.pty.send("A");
    demo.pty.wait_for("read-only: nothing arms it");
    demo.preview();
    assert!(demo.pty.text().contains("performance.batch_size   1024 → 512"));
    demo.pty.send("A");
    demo.pty.wait_for("read-only: nothing arms it");
    demo.pty.send("reduce");
    std::thread::sleep(Duration::from_millis(250));
    demo.pty.send("\r");
    demo.pty.send("\x1b");
    demo.pty.wait("no sheet", |screen, _| !screen.contents().contains("Only a preview"));
    assert!(demo.config().contains("batch_size = 1024"));
    demo.leave();
}

#[test]
fn what_was_typed_before_or_pasted_into_the_prompt_runs_nothing() {
    let demo = Demo::start(&["demo"]);
    let trail = &mut Trail::open(&demo.folder);
    demo.actions();
    demo.pty.send("\r");
    demo.pty.wait_for("Only a preview");
    demo.arm();
    demo.pty.send("\x1b[200~reduce\r\x1b[201~");
    demo.pty.wait_for("type it, do not paste");
    assert!(demo.pty.text().contains("> _"), "the field is empty:\n{}", demo.pty.text());
    demo.pty.send("\x1b");
    demo.pty.wait("no prompt", |screen, _| !screen.contents().contains("Esc cancels."));

    // All in one breath: the prompt is not on the screen when the last of it arrives.
    demo.actions();
    demo.pty.send("\rreduce\r");
    demo.pty.wait("the prompt or its refusal", |screen, _| {
        is_armed(screen, "Esc cancels.") || row_with(screen, "Reduce batch size: ").is_some()
    });
    demo.pty.send("\x1b");
    demo.pty.wait("no prompt", |screen, _| !screen.contents().contains("Esc cancels."));

    // A terminal that has not said yet that it shows the prompt: what is typed meanwhile never counts.
    demo.pty.answer(false);
    demo.actions();
    demo.pty.send("\r");
    demo.pty.wait_for("waiting for the display");
    demo.pty.send("reduce");
    demo.pty.send("\r");
    demo.pty.wait("the prompt or its refusal", |screen, _| {
        is_armed(screen, "Esc cancels.") || row_with(screen, "Reduce batch size: ").is_some()
    });
    assert!(!demo.pty.text().contains("> reduce"), "{}", demo.pty.text());

    let text = trail.text();
    assert!(!text.contains("action.intent"), "{text}");
    assert!(demo.config().contains("batch_size = 1024"));
    demo.pty.send("\x1b");
    demo.pty.wait("no prompt", |screen, _| !screen.contents().contains("Esc cancels."));
    demo.leave();
}
