//! What the operator says and a runner reports. Each is checked before anything changes; an action is done by its
//! outcome alone.

use super::document::{Answer, Live};
use super::pasted::Pasted;
use super::walk::{Found, Said, Standing, State, Step, Turns, Walk};
use crate::action::lifecycle::Outcome;
use crate::base::{Clean, Now, Ulid, Unit};
use crate::clean;

/// A reason has at least so many characters.
pub(super) const REASON: usize = 8;
/// A case applies, said by hand.
pub(super) const YES: &str = "yes";
const NO: &str = "no";

impl Walk {
    /// What the operator says of the current item, or of the whole walk.
    ///
    /// # Errors
    /// Why that cannot be said now, in a sentence: then nothing has changed.
    pub fn say(&mut self, said: Said, who: &Clean, now: Now) -> Result<Vec<Step>, Clean> {
        self.may(&said)?;
        let at = self.current;
        let mut turns = Turns::new(self, now, Some(who.clone()));
        match said {
            Said::Observed(text) => turns.observe(at, text)?,
            Said::Pasted(pasted) => {
                let found = turns.walk.pasted(at, pasted)?;
                turns.find(at, found);
            }
            Said::Worked(found) => {
                let found = turns.walk.worked(at, found)?;
                turns.find(at, found);
            }
            Said::Defer(after, why) => {
                turns.walk.ours(at)?;
                if *turns.walk.state(at) == State::Acted(Outcome::Indeterminate) {
                    return Err(UNKNOWN.into());
                }
                let why = reason(&why, 1, "deferring")?;
                turns.item(at, State::Deferred(after.map(|after| now.wall.ahead(after))), why);
                turns.advance();
            }
            Said::Override(why) => {
                turns.walk.ours(at)?;
                let mut why = reason(&why, REASON, "overriding")?;
                if *turns.walk.state(at) == State::Acted(Outcome::Indeterminate) {
                    why = clean!("resolved: {why}");
                }
                turns.item(at, State::Overridden, why);
                turns.advance();
            }
            Said::Failed(why) => {
                let why = turns.walk.failed(at, &why)?;
                turns.fail(at, why);
            }
            Said::Reopen(item) => {
                turns.walk.may_reopen(item)?;
                turns.reopen(item);
            }
            Said::Due => turns.go_to_due()?,
            Said::Done(item, note) => turns.done_later(item, &note)?,
            Said::Launched(plan) => {
                turns.walk.ours(at)?;
                if !matches!(turns.walk.live(at), Some(Live::Action(..) | Live::Command(_))) {
                    return Err("this item has no action.".into());
                }
                turns.item(at, State::Acting(plan), Clean::default());
            }
            Said::Abandon(why) => {
                let why = reason(&why, 1, "leaving it")?;
                turns.walk(Standing::Abandoned, why);
            }
            Said::Resume => {
                turns.walk(Standing::Running, Clean::default());
                // What is seen from now on counts, not what was seen before.
                if turns.walk.is_settled(at) { turns.advance() } else { turns.current(at) }
            }
        }
        Ok(turns.steps)
    }

    /// The runner of this plan has ended, or it was found to have. Only success goes on; nothing moves while nobody is
    /// there.
    pub fn ended(&mut self, plan: Ulid, outcome: Outcome, text: &Clean, now: Now) -> Vec<Step> {
        let Some(at) = self.marks.iter().position(|mark| mark.state == State::Acting(plan)) else { return Vec::new() };
        let mut turns = Turns::new(self, now, None);
        turns.item(at, State::Acted(outcome), text.clone());
        if turns.walk.standing == Standing::Running && outcome == Outcome::Succeeded {
            turns.advance();
        }
        turns.steps
    }

    /// Nobody is there any more.
    pub fn pause(&mut self, why: &Clean, now: Now) -> Vec<Step> {
        if self.standing != Standing::Running {
            return Vec::new();
        }
        let mut turns = Turns::new(self, now, None);
        turns.walk(Standing::Paused, why.clone());
        turns.steps
    }

    fn may(&self, said: &Said) -> Result<(), Clean> {
        match (&self.standing, said) {
            (Standing::Running | Standing::Paused, Said::Done(..)) => Err("it is not over: say it there.".into()),
            (Standing::Running, Said::Resume) => Err("it is not paused.".into()),
            (Standing::Running, _)
            | (Standing::Paused, Said::Resume | Said::Abandon(_))
            | (Standing::CompleteExcept(_), Said::Reopen(_) | Said::Done(..))
            | (Standing::Abandoned, Said::Done(..)) => Ok(()),
            (Standing::Paused, _) => Err("it is paused: resume it first.".into()),
            (Standing::Complete | Standing::CompleteExcept(_), _) => Err("it is complete.".into()),
            (Standing::Abandoned, _) => Err("it was left.".into()),
        }
    }

    /// The current item is the operator's to judge.
    fn ours(&self, at: usize) -> Result<(), Clean> {
        match self.state(at) {
            State::Acting(_) => Err("its action runs: wait for its outcome.".into()),
            _ if at >= self.marks.len() => Err("there is nothing left to do.".into()),
            _ => Ok(()),
        }
    }

    /// What was observed, as it is kept.
    fn observed(&self, at: usize, text: &Clean) -> Result<Clean, Clean> {
        let said = Clean::text(text.as_str().trim());
        let sensed = || Err("it ticks itself when it holds: override it with a reason, or defer it.".into());
        self.ours(at)?;
        if *self.state(at) == State::Acted(Outcome::Indeterminate) {
            return Err(UNKNOWN.into());
        }
        match self.live(at) {
            Some(Live::Action(..)) => Err("an action is done when its runner has proved it, never by a word.".into()),
            Some(Live::Check(_)) => sensed(),
            Some(Live::Wait(wait)) if wait.until.is_some() => sensed(),
            Some(Live::Wait(_)) => Err("time has to pass: override it with a reason, or defer it.".into()),
            Some(Live::When(_)) => self.decided(&said),
            Some(Live::Ask(ask)) => answered(&ask.kind, said),
            Some(Live::Calculate(_)) => Err("it is worked out, not said.".into()),
            Some(Live::Log(_)) => Err("its lines are kept, not said.".into()),
            Some(Live::Challenge(_) | Live::Command(_)) if said.as_str().is_empty() => {
                Err("say what was observed, not that it was.".into())
            }
            Some(Live::Escalate(_)) if said.as_str().is_empty() => Err("say who was reached.".into()),
            _ => Ok(said),
        }
    }

    /// Lines as the answer to a question, as they are kept.
    fn pasted(&self, at: usize, pasted: Pasted) -> Result<Found, Clean> {
        self.ours(at)?;
        let Some(Live::Ask(ask)) = self.live(at) else { return Err("nothing is to be pasted here.".into()) };
        let Answer::Pasted(form) = ask.kind else { return Err("the answer is one line.".into()) };
        Ok(Found { text: pasted.summary(form)?, lines: pasted.lines, value: None })
    }

    /// What was worked out, as it is kept.
    fn worked(&self, at: usize, found: Found) -> Result<Found, Clean> {
        self.ours(at)?;
        let here = matches!(self.live(at), Some(Live::Calculate(_) | Live::Log(_)));
        if here { Ok(found) } else { Err("nothing is worked out here.".into()) }
    }

    /// Only where nothing tells does the operator say whether a case applies.
    fn decided(&self, said: &Clean) -> Result<Clean, Clean> {
        if self.sight.as_ref().is_none_or(|sight| sight.holds.is_some()) {
            return Err("what is seen decides this: it is being looked at.".into());
        }
        [YES, NO]
            .into_iter()
            .find(|word| said.as_str().eq_ignore_ascii_case(word))
            .map(Clean::from)
            .ok_or_else(|| "nothing LIVE tells: say yes or no.".into())
    }

    fn failed(&self, at: usize, why: &Clean) -> Result<Clean, Clean> {
        self.ours(at)?;
        if self.goes_to(at).is_none() {
            return Err(
                "the procedure does not say where to go on then: override it with a reason, or defer it.".into()
            );
        }
        let unknown = *self.state(at) == State::Acted(Outcome::Indeterminate);
        reason(why, if unknown { REASON } else { 1 }, "saying that it went wrong")
    }

    fn may_reopen(&self, item: usize) -> Result<(), Clean> {
        let n = item.saturating_add(1);
        match self.state(self.current) {
            State::Acting(_) => return Err("an action runs: wait for its outcome.".into()),
            State::Acted(Outcome::Indeterminate) => return Err(UNKNOWN.into()),
            _ => {}
        }
        match self.state(item) {
            _ if item >= self.marks.len() => Err(clean!("there is no item {n}.")),
            State::Open if item != self.current => Err(clean!("item {n} has not been reached yet.")),
            State::NotNeeded if self.cases(item).any(|case| *self.state(case) == State::NotNeeded) => {
                Err(clean!("the case that item {n} is for does not apply: reopen that one."))
            }
            _ => Ok(()),
        }
    }
}

const UNKNOWN: &str = "nobody knows whether its action was carried out: retry it, or override it with what was found.";

impl Turns<'_> {
    /// A word about an item; one line where many may be pasted is a paste of one.
    fn observe(&mut self, at: usize, text: Clean) -> Result<(), Clean> {
        let kind = if let Some(Live::Ask(ask)) = self.walk.live(at) { Some(&ask.kind) } else { None };
        if let Some(Answer::Pasted(_)) = kind {
            let found = self.walk.pasted(at, Pasted::new(&[text], 0))?;
            self.find(at, found);
            return Ok(());
        }
        let text = self.walk.observed(at, &text)?;
        if let Some(Live::When(_)) = self.walk.live(at) {
            self.decide(at, text.as_str() == YES, text);
        } else {
            self.item(at, State::Observed, text);
            self.advance();
        }
        Ok(())
    }

    /// This was found at an item: on to the next.
    fn find(&mut self, at: usize, found: Found) {
        self.found(at, found);
        self.advance();
    }

    /// An item is open again, and so is what was not needed because of it.
    fn reopen(&mut self, at: usize) {
        if self.walk.standing != Standing::Running {
            self.walk(Standing::Running, Clean::default());
        }
        let because = match (self.walk.live(at), self.walk.state(at)) {
            (Some(Live::When(_)), _) => self.walk.below(at),
            (_, State::Failed) => at.saturating_add(1)..self.walk.goes_to(at).unwrap_or_default(),
            _ => 0..0,
        };
        self.item(at, State::Open, Clean::default());
        for other in because {
            if *self.walk.state(other) == State::NotNeeded {
                self.follows(other, State::Open, Clean::default());
            }
        }
        self.current(at);
    }
}

impl Turns<'_> {
    /// On to what was put off and is due; the current item stays as it is.
    fn go_to_due(&mut self) -> Result<(), Clean> {
        if self.walk.is_held() {
            return Err("an action runs, or nobody knows how it ended: that comes first.".into());
        }
        let due = self.walk.due_elsewhere(self.now).next();
        due.map(|at| self.current(at)).ok_or_else(|| "nothing that was put off is due.".into())
    }

    /// What was put off is done. What only a value or a runner can prove counts as overridden, for what is said.
    fn done_later(&mut self, at: usize, note: &Clean) -> Result<(), Clean> {
        if !matches!(self.walk.state(at), State::Deferred(_)) {
            return Err("this item was not put off.".into());
        }
        let note = reason(note, 1, "marking it done")?;
        let proved =
            matches!(self.walk.live(at), Some(Live::Action(..) | Live::Check(_) | Live::Wait(_) | Live::When(_)));
        self.item(at, if proved { State::Overridden } else { State::Observed }, note);
        if self.walk.standing != Standing::Abandoned {
            match self.walk.deferred() {
                0 => self.walk(Standing::Complete, Clean::default()),
                left => self.walk(Standing::CompleteExcept(left), Clean::default()),
            }
        }
        Ok(())
    }
}

/// A number as people write it, in base units: `96 %` of a ratio is 0.96.
pub(super) fn number(text: &str, unit: Unit) -> Option<f64> {
    let text = text.trim();
    let (digits, scale) = match (text.strip_suffix('%'), unit) {
        (Some(digits), Unit::Ratio) => (digits.trim_end(), 100.0),
        (Some(digits), Unit::Percent) => (digits.trim_end(), 1.0),
        _ => (text, 1.0),
    };
    digits.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| value / scale)
}

fn answered(kind: &Answer, said: Clean) -> Result<Clean, Clean> {
    match kind {
        Answer::Choice(choices) => {
            let same = |choice: &&Clean| choice.as_str().eq_ignore_ascii_case(said.as_str());
            choices.iter().find(same).cloned().ok_or_else(|| {
                let all: Vec<&str> = choices.iter().map(Clean::as_str).collect();
                clean!("answer one of: {}.", all.join(", "))
            })
        }
        Answer::Number(least, most, unit) => match number(said.as_str(), *unit) {
            Some(value) if (*least..=*most).contains(&value) => Ok(said),
            Some(_) => Err(clean!("answer a number between {} and {}.", unit.show(*least), unit.show(*most))),
            None => Err("that is no number.".into()),
        },
        Answer::Text | Answer::Pasted(_) if said.as_str().is_empty() => Err("the answer is empty.".into()),
        Answer::Text | Answer::Pasted(_) => Ok(said),
        Answer::Typed(word, _) if *word == said => Ok(said),
        Answer::Typed(word, others) => {
            let same = |other: &&Clean| other.as_str().eq_ignore_ascii_case(said.as_str());
            others.iter().find(same).cloned().ok_or_else(|| typed(word, others))
        }
    }
}

/// What a question wants that wants a word.
pub(super) fn typed(word: &Clean, others: &[Clean]) -> Clean {
    let all: Vec<&str> = others.iter().map(Clean::as_str).collect();
    match all.as_slice() {
        [] => clean!("type {word}, as it stands here."),
        all => clean!("type {word}, as it stands here; or choose: {}.", all.join(", ")),
    }
}

/// A reason of at least so many characters.
fn reason(why: &Clean, least: usize, of: &str) -> Result<Clean, Clean> {
    let text = why.as_str().trim();
    match text.chars().count() {
        count if count >= least => Ok(Clean::text(text)),
        _ if least == 1 => Err(clean!("{of} needs a reason.")),
        _ => Err(clean!("{of} needs a reason of at least {least} characters.")),
    }
}
