//! Whoever sits at the console: chooses, fills in, reads the plan, types what it asks for, and waits for the end.

use crate::desk::{clock_of, row_with};
use crate::harness::Pty;
use crate::script::Act;
use crate::stage::Stage;
use std::time::{Duration, Instant};

/// What runs, is stable and is then looked at ten times takes up to a minute: ten times that is a hang.
const GUARD: Duration = Duration::from_secs(600);
/// The hint of a form, and of a plan that may be confirmed.
const FORM: &str = "Enter shows the plan, Esc does nothing";
const ARMED: &str = "to run it, ";
/// What is refused to this console or login, and what cannot be planned at all.
const REFUSED: &str = "refused: ";
const NO_PLAN: &str = "No plan: ";

pub(crate) struct Operator<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) pty: Pty,
}

/// Looks at the screen until there is something to see.
pub(crate) fn sees<T>(pty: &Pty, what: &str, mut look: impl FnMut(&str) -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        let text = pty.text();
        if let Some(seen) = look(&text) {
            return seen;
        }
        assert!(start.elapsed() < GUARD, "never saw {what}:\n{text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_armed(screen: &vt100::Screen, question: &str) -> bool {
    let full = |row: String| row.contains("  armed │");
    row_with(screen, question).is_some() && row_with(screen, "EXPIRES").is_some_and(full)
}

impl<'a> Operator<'a> {
    /// Before an armed console, which has watched for so many seconds: what it does is compared with that.
    pub(crate) fn at(stage: &'a Stage, seconds: u32) -> Self {
        let operator = Self { stage, pty: stage.console() };
        operator.pty.wait_for("OBSERVE");
        operator.arm();
        operator.watch(seconds);
        operator
    }

    /// By the console's own clock.
    fn watch(&self, seconds: u32) {
        let clock = |text: &str| clock_of(text);
        let from = sees(&self.pty, "the clock", clock);
        sees(&self.pty, "the clock moving", |text| clock(text).filter(|now| (now + 86_400 - from) % 86_400 >= seconds));
    }

    fn arm(&self) {
        self.pty.send("A");
        self.pty.wait("the arming prompt", |screen, _| is_armed(screen, "to arm"));
        self.pty.send("y");
        self.pty.wait_for("ARMED");
    }

    /// Back to the panes.
    pub(crate) fn leave(&self) {
        for _ in 0..8 {
            if !self.pty.text().contains('┌') {
                return;
            }
            self.pty.send("\x1b");
            // A lone escape is one once nothing follows.
            std::thread::sleep(Duration::from_millis(150));
        }
        self.pty.wait("the panes", |screen, _| !screen.contents().contains('┌'));
    }

    /// From the list of actions to VERIFIED, or to the reason why not.
    pub(crate) fn act(&self, act: &Act) {
        self.choose(&self.stage.title(&act.action));
        self.pty.send("\r");
        let next = |text: &str| [FORM, ARMED, REFUSED, NO_PLAN].into_iter().find(|mark| text.contains(mark));
        if !act.give.is_empty() {
            self.pty.wait_for(FORM);
            self.fill(&act.give);
        }
        let met = sees(&self.pty, "the plan", next);
        let shown = self.pty.text();
        for said in &act.says {
            let said = self.stage.filled(said);
            assert!(unfolded(&shown).contains(&said), "{}: no {said:?} in\n{shown}", act.action);
        }
        if act.refused {
            assert!([REFUSED, NO_PLAN].contains(&met), "{}: is refused\n{shown}", act.action);
            return self.leave();
        }
        assert_eq!(met, ARMED, "{}: has a plan\n{shown}", act.action);
        self.confirm_armed();
        self.ends(&act.action);
        self.leave();
    }

    /// The row of the list with this title.
    fn choose(&self, title: &str) {
        self.leave();
        self.pty.send("a");
        self.pty.wait_for(" ACTIONS ");
        self.pty.send("g");
        let first = |text: &str| text.lines().skip_while(|row| !row.contains(" ACTIONS ")).nth(1).map(str::to_owned);
        self.pty.wait("the first row", |screen, _| first(&screen.contents()).is_some_and(|row| row.contains("│ ▸ ")));
        // Without what is told behind it, which comes later.
        let marked = |text: &str| {
            let row = text.lines().find_map(|row| row.split_once("│ ▸ "))?.1;
            row.split("  ").next().map(str::to_owned)
        };
        for _ in 0..200 {
            let row = sees(&self.pty, "a selected row", marked);
            if row == title {
                return;
            }
            self.pty.send("j");
            self.pty.wait("the next row", |screen, _| marked(&screen.contents()).is_some_and(|next| next != row));
        }
        panic!("no action {title:?} in the list:\n{}", self.pty.text());
    }

    fn fill(&self, values: &[String]) {
        for (at, value) in values.iter().enumerate() {
            self.pty.send(if at == 0 { "\x15" } else { "\t\x15" });
            self.pty.send(self.stage.filled(value));
        }
        self.pty.send("\r");
    }

    /// Types what the plan asks for once it is armed, and at C3 a reason.
    pub(crate) fn confirm_armed(&self) {
        self.pty.wait("the plan, armed", |screen, _| is_armed(screen, ARMED));
        let text = self.pty.text();
        let (key, word) = asked(&text);
        if key {
            self.pty.send(&word);
        } else {
            let reason = word.contains('/').then(|| "the guide says so".to_owned());
            for word in core::iter::once(word).chain(reason) {
                self.pty.send(&word);
                self.pty.wait_for(&format!("> {word}_"));
                // An Enter that comes with the last character is no answer.
                std::thread::sleep(Duration::from_millis(250));
                self.pty.send("\r");
                self.pty.wait("no word", |screen, _| row_with(screen, &format!("> {word}")).is_none());
            }
        }
        self.pty.wait("no prompt", |screen, _| row_with(screen, "EXPIRES").is_none());
    }

    /// How it ends.
    fn ends(&self, name: &str) {
        let ends = ["EXECUTED, VERIFIED", "FAILED", "UNVERIFIED", "INDETERMINATE", "REFUSED"];
        let met =
            sees(&self.pty, &format!("the end of {name}"), |text| ends.into_iter().find(|end| text.contains(end)));
        assert_eq!(met, ends[0], "{name}:\n{}", self.pty.text());
    }
}

/// What a prompt asks for, and whether it is a key. A long text has lines of its own, folded below the question.
fn asked(text: &str) -> (bool, String) {
    let mut rows = text.lines().skip_while(|row| !row.contains(ARMED));
    let row = rows.next().unwrap();
    let words: Vec<&str> = row.split_whitespace().skip_while(|word| !["Type", "Press"].contains(word)).collect();
    if words[1] != "this" {
        return (words[0] == "Press", words[1].to_owned());
    }
    let inner = rows.map(|row| row.split('│').nth(1).unwrap_or_default());
    (false, inner.map_while(|row| row.strip_prefix("   ")).map(str::trim).take_while(|row| !row.is_empty()).collect())
}

/// The text of a box without its frame and its folds.
fn unfolded(text: &str) -> String {
    let inner = text.lines().map(|row| row.split('│').nth(1).unwrap_or(row).trim());
    inner.collect::<Vec<_>>().join(" ")
}
