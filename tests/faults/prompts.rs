//! Random operators at the real console over a line that is up to 3 s late each way (R14). Nothing is done but for the
//! right word, typed while the operator had the prompt of that plan, after it was armed; pastes, held keys, resizes and
//! words typed blind do nothing. `action.gate` has the same in virtual time, a thousand times as often.

use crate::line::{Arrived, Line, Sent};
use crate::lost::Bench;
use crate::peer;
use crate::strace::long;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use watchkeeper::action::gate::FENCE_WAIT;
use watchkeeper::action::plan::Danger;
use watchkeeper::base::Mono;
use watchkeeper::base::backoff::Jitter;

/// One action that leaves a line for each time it is done.
fn bench(danger: Danger) -> (Bench, &'static str) {
    let word = if danger == Danger::C1 { "y" } else { "perform" };
    let action = move |folder: &Path| {
        let (act, target) = (folder.join("act"), folder.join("target"));
        fs::write(&act, "#!/bin/sh\necho once >> \"$1\"\n").unwrap();
        fs::write(&target, "").unwrap();
        fs::set_permissions(&act, fs::Permissions::from_mode(0o755)).unwrap();
        format!(
            "kind = \"command\"\nverb = \"perform\"\ndanger = \"{danger:?}\"\npreview = [\"/bin/true\"]\nundo = \"none\"\n\
            argv = [\"{}\", \"{}\"]",
            act.display(),
            target.display()
        )
    };
    (Bench::on("target", action, word), word)
}

/// Types roughly the right thing at roughly any time until a word was taken or the time is over.
struct Operator<'a> {
    line: Line<'a>,
    random: Jitter,
    word: &'static str,
    /// Does it right each time.
    careful: bool,
}

impl Operator<'_> {
    fn up_to(&mut self, limit: u64) -> u64 {
        self.random.next() % limit
    }

    fn pause(&mut self, limit: u64) {
        let time = self.up_to(limit);
        self.line.pass(time, |_| false);
    }

    /// The list and its only action, unless a prompt is there.
    fn open(&mut self) {
        if self.line.asks() {
            return;
        }
        for what in [Sent::Escape, Sent::Key('a'), Sent::Enter] {
            // An Escape and what follows it at once are one key.
            self.line.pass(60, |_| false);
            self.pause(200);
            self.line.send(what);
        }
    }

    fn attempt(&mut self) {
        self.open();
        match self.up_to(4) {
            0 if !self.careful => self.pause(6_000),
            1 if !self.careful => {}
            _ => self.line.pass(9_000, Line::is_armed),
        }
        if self.careful {
            self.word.chars().for_each(|c| self.line.send(Sent::Key(c)));
            self.line.pass(500, |_| false);
            return self.line.send(Sent::Enter);
        }
        if self.up_to(5) == 0 {
            self.line.send(Sent::Paste(self.word.to_owned()));
        } else {
            self.type_it();
        }
        let gap = [1, 250, 500][usize::try_from(self.up_to(3)).unwrap()];
        self.pause(gap);
        for _ in 0..if self.up_to(4) == 0 { 6 } else { 1 } {
            self.line.send(Sent::Enter);
            self.pause(60);
        }
        if self.up_to(5) == 0 {
            self.line.send(Sent::Escape);
        }
    }

    fn type_it(&mut self) {
        let pace = [1, 30, 300][usize::try_from(self.up_to(3)).unwrap()];
        let held = self.up_to(6) == 0;
        for c in self.word.chars() {
            self.disturb();
            self.line.send(Sent::Key(c));
            for _ in 0..if held { self.up_to(3) } else { 0 } {
                self.line.send(Sent::Key(c));
            }
            self.pause(pace);
        }
    }

    fn disturb(&mut self) {
        let what = match self.up_to(60) {
            0 => Sent::Paste(self.word.to_owned()),
            1 => Sent::Paste(format!("{}\r", self.word)),
            2 => Sent::Focus(false),
            3 => Sent::Focus(true),
            4 => Sent::Size((100 + u16::try_from(self.up_to(40)).unwrap(), 30)),
            5 => Sent::Key('x'),
            6 => Sent::Backspace,
            7 => Sent::Escape,
            _ => return,
        };
        self.line.send(what);
    }
}

/// One stream; how often it ended in an act. A careful operator has a line that is hardly late.
fn stream(seed: u64, careful: bool) -> usize {
    let mut random = Jitter(seed);
    let danger = if random.unit() < 0.3 { Danger::C1 } else { Danger::C2 };
    let slow = [60, 800, 3_000][if careful { 0 } else { usize::try_from(random.next() % 3).unwrap() }];
    let (least, answers) = (random.next() % slow, careful || random.unit() < 0.85);
    let (bench, word) = bench(danger);
    let pty = bench.console();
    pty.send("A");
    pty.wait("the arming prompt", |screen, _| {
        let full = |row: &str| row.contains("EXPIRES") && row.trim_end_matches(['│', ' ']).ends_with("  armed");
        screen.contents().lines().any(full)
    });
    pty.send("y");
    pty.wait_for("ARMED 1");
    let line = Line::new(&pty, (80, 24), (least, slow), answers, random.next());
    let mut operator = Operator { line, random, word, careful };
    // Pasted before there is anything to answer, and left under way.
    if operator.up_to(3) == 0 {
        operator.line.send(Sent::Paste(word.to_owned()));
    }
    let end = crate::line::now() + Duration::from_secs(12);
    while crate::line::now() < end && accepted(&bench.journal()).is_empty() {
        operator.attempt();
        operator.pause(2_500);
    }
    let mut line = operator.line;
    line.hurry();
    line.pass(1_500, |_| false);
    let of = |event: &str| bench.journal().matches(&format!("\"ev\":\"{event}\"")).count();
    crate::desk::eventually("the end of all that was accepted", || {
        (of("action.outcome") + of("action.refused") >= of("confirm.accepted")).then_some(())
    });
    pty.signal(Signal::TERM);
    pty.wait_end();
    let journal = bench.journal();
    for act in accepted(&journal) {
        let judged = judge(&act, &journal, &line.arrived, word, danger);
        judged.unwrap_or_else(|wrong| {
            panic!(
                "seed {seed:#x}, {danger:?}, {least}–{slow} ms, answers {answers}: {wrong}\n{act}\n{:#?}",
                line.arrived
            )
        });
    }
    let acts = of("action.intent");
    assert!(acts <= of("confirm.accepted"), "seed {seed:#x}: done without an acceptance\n{journal}");
    assert_eq!(bench.target().lines().count(), acts, "seed {seed:#x}: {journal}");
    acts
}

fn records<'a>(journal: &'a str, event: &'a str) -> impl Iterator<Item = Value> + 'a {
    journal
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(move |record: &Value| record["ev"] == event)
}

/// Acceptances of plans; arming is recorded as another event.
fn accepted(journal: &str) -> Vec<Value> {
    records(journal, "confirm.accepted").collect()
}

fn time(record: &Value) -> Mono {
    Mono(record["bt_ns"].as_u64().unwrap())
}

/// Records are stamped a little after what they tell, and a busy machine reads late what came in time.
const SLACK: Duration = Duration::from_millis(500);

/// The oracle: what the law says of an act, told from the operator's end of the line.
fn judge(act: &Value, journal: &str, arrived: &[Arrived], word: &str, danger: Danger) -> Result<(), String> {
    let mut shown = records(journal, "confirm.shown").filter(|shown| shown["plan"] == act["plan"]);
    let shown = time(&shown.next().ok_or("its prompt was never shown")?);
    let (fence, delay) = (act["confirm"]["fence"] == true, danger.arm_delay());
    let mut why = Vec::new();
    for (start, end) in answers(arrived, word, danger).filter(|(_, end)| arrived[*end].at <= time(act)) {
        let keys = &arrived[start..=end];
        let proofs = arrived[..start].iter().rev();
        let proof = proofs.filter_map(|sent| match sent.what {
            Sent::Answer { asked } => Some((asked, sent.at)),
            _ => None,
        });
        // The newest answer of the terminal that is one to a frame of this prompt.
        let proof = proof.clone().find(|(asked, _)| *asked + SLACK >= shown).map(|(_, at)| at);
        why.push(match proof {
            _ if keys[0].at < shown => "typed before its prompt was shown",
            Some(_) if keys.iter().any(|key| !key.asked) => "typed without the prompt on the operator's screen",
            Some(at) if keys[0].at + delay / 2 < at + delay => "typed before it was armed",
            None if fence => "typed before the terminal had the prompt",
            None if keys[0].at + SLACK < shown + FENCE_WAIT + delay * 2 => "no answer, and no doubled delay",
            _ => return Ok(()),
        });
    }
    Err(format!("nobody typed the right word after arming: {why:?}"))
}

/// Where the right word begins and ends that keys alone have typed, with nothing between that takes it back.
fn answers(arrived: &[Arrived], word: &str, danger: Danger) -> impl Iterator<Item = (usize, usize)> {
    let ends = (0..arrived.len()).filter(move |end| match arrived[*end].what {
        Sent::Enter => danger > Danger::C1,
        Sent::Key(c) => danger == Danger::C1 && word.starts_with(c),
        _ => false,
    });
    ends.filter_map(move |end| {
        let is_key = |sent: &Arrived| matches!(sent.what, Sent::Key(_) | Sent::Backspace | Sent::Enter);
        if danger == Danger::C1 {
            return Some((end, end));
        }
        let keys = arrived[..end].iter().rev().take_while(|sent| is_key(sent)).count();
        (end - keys..end).rev().find(|start| spelt(&arrived[*start..end]) == word).map(|start| (start, end))
    })
}

fn spelt(keys: &[Arrived]) -> String {
    let mut field = String::new();
    for key in keys {
        match key.what {
            Sent::Key(c) => field.push(c),
            Sent::Backspace => drop(field.pop()),
            _ => {}
        }
    }
    field
}

#[test]
fn over_a_line_that_is_seconds_late_nothing_is_done_but_for_the_right_word_typed_at_its_armed_prompt() {
    if !rustix::process::geteuid().is_root() {
        return peer::skip("a console with a state folder of its own", "only root may mount one");
    }
    let streams = if long() { 50 } else { 10 };
    let (next, acts, acted) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    if at >= streams {
                        return;
                    }
                    let done = stream((at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15), at == 0);
                    acts.fetch_add(u64::try_from(done).unwrap(), Ordering::SeqCst);
                    acted.fetch_add(u64::from(done > 0), Ordering::SeqCst);
                }
            });
        }
    });
    let (acts, acted) = (acts.into_inner(), acted.into_inner());
    println!("{streams} streams, {acts} acts in {acted} of them, each by the right word at its armed prompt");
    // It means something only if operators get through when they do it right, as the first one does, and not whatever
    // they do.
    assert!(acted > 0 && acted < streams, "{acted} of {streams} streams ended in an act");
}
