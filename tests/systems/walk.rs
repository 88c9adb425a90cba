//! A procedure of the profile, from its list to COMPLETE: what ticks itself is waited for, the rest is answered.

use crate::operator::{ARMED, FORM, Operator, sees};
use crate::script::Act;
use watchkeeper::procedure::Document;
use watchkeeper::procedure::document::{Answer, Item, Live};

impl Operator<'_> {
    /// A procedure to its end.
    pub(crate) fn walk(&self, act: &Act) {
        let document = self.stage.document(&act.procedure);
        self.find(&document);
        self.pty.send("\r");
        let mut at = self.current();
        while let Some(item) = at {
            let row = boxed(&self.pty.text()).unwrap_or_default();
            self.work(&document.items[item - 1], &row, act);
            at = self.next(item);
        }
        let text = self.pty.text();
        let ill = act.answers.values().filter(|answer| *answer == "fails").count();
        let end = if ill > 0 { format!("COMPLETE, {ill} FAILED") } else { "COMPLETE".to_owned() };
        assert!(text.lines().any(|row| row.trim_end().ends_with(&end)), "{}: {end}\n{text}", act.procedure);
        let done = self.stage.journal();
        let of = |event: &str| done.iter().filter(|record| record["ev"] == event).count();
        assert_eq!(of("action.intent"), of("action.outcome"), "what was begun has ended");
        for said in &act.says {
            let said = self.stage.filled(said);
            assert!(
                done.iter().any(|record| record.to_string().contains(&said)),
                "{}: no {said:?} in the journal",
                act.procedure
            );
        }
        // Of the last frame the hint comes last.
        self.pty.wait_for("Esc back");
        self.leave();
    }

    /// By its title on the list of procedures, which opens what stands first.
    fn find(&self, document: &Document) {
        self.leave();
        self.pty.send("p");
        self.pty.wait_for(" PROCEDURES ");
        self.pty.send(document.title.as_str());
        self.pty.wait_for(&format!("▸ {}", document.title));
        self.pty.send("\r");
        self.pty.wait_for("not begun");
    }

    /// The number of the current item, from 1; `None` once the walk is complete.
    fn current(&self) -> Option<usize> {
        sees(&self.pty, "an item of the procedure, or its end", |text| {
            let at = number(text);
            (at.is_some() || text.contains("COMPLETE")).then_some(at)
        })
    }

    /// What an item that is the operator's wants; the rest ticks itself.
    fn work(&self, item: &Item, row: &str, act: &Act) {
        let known = act.answers.iter().find(|(part, _)| row.contains(part.as_str())).map(|(_, answer)| answer.as_str());
        match known {
            Some("defer") => return self.around("d", "DEFER: "),
            Some("override") => return self.around("o", "OVERRIDE: "),
            _ => {}
        }
        let answer = |text: &str| {
            self.pty.send("\r");
            self.pty.wait_for("OBSERVED");
            self.pty.send(self.stage.filled(text));
            self.pty.send("\r");
        };
        match &item.live {
            Live::Action(..) => self.run(row, known == Some("fails")),
            Live::Ask(ask) => match &ask.kind {
                Answer::Choice(choices) => answer(known.unwrap_or(choices[0].as_str())),
                Answer::Typed(word, _) => answer(known.unwrap_or(word.as_str())),
                Answer::Number(..) | Answer::Text | Answer::Pasted(_) => answer(known.unwrap_or("")),
            },
            Live::Challenge(_) | Live::Command(_) => answer(known.unwrap_or("seen")),
            Live::Escalate(_) => answer(known.unwrap_or("Cy")),
            Live::Calculate(_) => {
                self.pty.send("\r");
                self.pty.wait_for("WORK OUT: ");
                // What it offers is as good as any.
                self.pty.send("\r");
            }
            Live::Read | Live::Log(_) => self.pty.send("\r"),
            _ => {}
        }
    }

    /// An action of the list, until the next item is current; of one that has failed, as it was to, somebody says so.
    fn run(&self, row: &str, fails: bool) {
        self.pty.send("\r");
        let first = self.planned(row, |text| [FORM, ARMED].into_iter().find(|is| text.contains(is)));
        if first == FORM {
            // What it offers is as good as any.
            self.pty.send("\r");
            self.planned(row, |text| text.contains(ARMED).then_some(()));
        }
        let before = self.outcomes().len();
        self.confirm_armed();
        self.ends(row, before, if fails { "FAILED" } else { "VERIFIED" });
        if fails {
            return self.around("x", "WENT WRONG: ");
        }
        sees(&self.pty, "what follows it", |text| {
            let next = number(text) != number(row) && number(text).is_some();
            (next || text.contains("COMPLETE")).then_some(())
        });
    }

    fn around(&self, key: &str, asks: &str) {
        self.pty.send(key);
        self.pty.wait_for(asks);
        self.pty.send("as the test says\r");
    }

    /// Once another item is current.
    fn next(&self, item: usize) -> Option<usize> {
        sees(&self.pty, "the next item", |text| {
            let next = number(text);
            (next.is_some_and(|next| next != item) || text.contains("COMPLETE")).then_some(next)
        })
    }
}

/// The row of the current item, in its box.
fn boxed(text: &str) -> Option<String> {
    let mut rows = text.lines();
    rows.find(|row| row.starts_with('┌'))?;
    rows.next().map(str::to_owned)
}

fn number(text: &str) -> Option<usize> {
    text.lines().find(|row| row.contains("time box"))?;
    boxed(text)?.split_whitespace().find_map(|word| word.parse().ok())
}
