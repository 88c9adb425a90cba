//! Whoever sits at the console: chooses, fills in, reads the plan, types what it asks for, and waits for the end.

use crate::desk::{clock_of, row_with};
use crate::harness::Pty;
use crate::script::Act;
use crate::stage::Stage;
use std::time::{Duration, Instant};

/// What runs, is stable and is then looked at ten times takes up to a minute: four times that is a hang.
const GUARD: Duration = Duration::from_secs(240);
/// The corner of whatever lies over the panes; lines of a log may begin with a corner too.
const BOX: &str = "┌─";
/// The hint of a form, and of a plan that may be confirmed.
pub(crate) const FORM: &str = "Enter shows the plan, ";
pub(crate) const ARMED: &str = "to run it, ";

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
        // The mark of the focused pane; a message may stand where the hints are.
        let is_left = |text: &str| !text.contains(BOX) && text.lines().any(|row| row.starts_with('▸'));
        for _ in 0..8 {
            if is_left(&self.pty.text()) {
                return;
            }
            self.pty.send("\x1b");
            // A lone escape is one once nothing follows.
            std::thread::sleep(Duration::from_millis(150));
        }
        self.pty.wait("the panes", |screen, _| is_left(&screen.contents()));
    }

    /// From the list of actions to VERIFIED, or to the reason why not, which the list or the screen after it tells.
    pub(crate) fn act(&self, act: &Act) {
        self.choose(&act.action);
        self.pty.send("\r");
        if !act.give.is_empty() {
            self.pty.wait_for(FORM);
            self.fill(&act.give);
        }
        let said: Vec<String> = act.says.iter().map(|said| self.stage.filled(said)).collect();
        let tells = |text: &str| said.iter().all(|said| unfolded(text).contains(said));
        if act.refused {
            let shown = sees(&self.pty, &format!("{said:?}"), |text| tells(text).then(|| text.to_owned()));
            assert!(!shown.contains(ARMED), "{}: has a plan\n{shown}", act.action);
            return self.leave();
        }
        let shown = self.planned(&act.action, |text| text.contains(ARMED).then(|| text.to_owned()));
        assert!(tells(&shown), "{}: not all of {said:?} in\n{shown}", act.action);
        let before = self.outcomes().len();
        self.confirm_armed();
        self.ends(&act.action, before, "VERIFIED");
        self.pty.wait_for("EXECUTED, VERIFIED");
        self.leave();
    }

    /// Looks for a plan, or for what comes before it, until there is one; not beyond a refusal.
    pub(crate) fn planned<T>(&self, action: &str, mut look: impl FnMut(&str) -> Option<T>) -> T {
        sees(&self.pty, "the plan", |text| {
            assert!(!text.contains(" No plan: "), "{action}:\n{text}");
            look(text)
        })
    }

    /// Down the list to an action.
    fn choose(&self, action: &str) {
        let (at, title) = self.stage.listed(action);
        self.leave();
        self.pty.send("a");
        self.pty.wait_for(" ACTIONS ");
        self.pty.send(format!("g{}", "j".repeat(at)));
        let marked = format!("│ ▸ {title}  ");
        self.pty.wait(&marked, |screen, _| row_with(screen, &marked).is_some());
    }

    fn fill(&self, values: &[String]) {
        for (at, value) in values.iter().enumerate() {
            self.pty.send(if at == 0 { "" } else { "\t" });
            if !value.is_empty() {
                self.pty.send(format!("\x15{}", self.stage.filled(value)));
            }
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

    /// Waits until the journal says how what was confirmed has ended; it is as it was meant.
    pub(crate) fn ends(&self, name: &str, before: usize, meant: &str) {
        sees(&self.pty, &format!("the end of {name}"), |text| {
            assert!(!text.contains("REFUSED"), "{name}:\n{text}");
            // It is looked into now and then only.
            std::thread::sleep(Duration::from_millis(300));
            (self.outcomes().len() > before).then_some(())
        });
        assert_eq!(self.outcomes().pop().as_deref(), Some(meant), "{name}:\n{}", self.pty.text());
    }

    /// How each action has ended so far.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        let ends = self.stage.journal().into_iter().filter(|record| record["ev"] == "action.outcome");
        ends.map(|record| record["res"]["outcome"].as_str().unwrap_or_default().to_owned()).collect()
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
