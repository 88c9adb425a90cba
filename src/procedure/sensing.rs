//! What a walk sees by itself. Only a LIVE value that was observed after its item became current ticks an item; nothing
//! here acts.

use super::calculate::plain;
use super::document::{Answer, Condition, Expect, Item, Live, Subject, Wait};
use super::saying::number;
use super::walk::{Mark, Senses, Sight, Standing, State, Step, Turns, Walk};
use crate::action::lifecycle::Outcome;
use crate::base::time::Span;
use crate::base::{Clean, Now, Ulid, Unit};
use crate::clean;

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Given<'a> {
    /// As it was said.
    pub text: &'a Clean,
    /// In base units, when it is a number.
    pub value: Option<f64>,
}

impl Walk {
    /// Looks at what matters now: what was found since the last action and should still hold, and the current item.
    /// Nothing moves unless the walk is running; after its end only what was deferred until a time comes back.
    pub fn tick(&mut self, senses: &mut dyn Senses, now: Now) -> Vec<Step> {
        let mut turns = Turns::new(self, now, None);
        if let (Standing::CompleteExcept(_), Some(due)) = (&turns.walk.standing, turns.walk.due(now)) {
            turns.walk(Standing::Running, "what was deferred is due".into());
            turns.current(due);
        }
        if turns.walk.standing == Standing::Running {
            turns.regress(senses);
            // An answer may decide the next item at once; a value never does, it has to come first.
            for _ in 0..turns.walk.marks.len() {
                let before = turns.walk.current;
                turns.look(senses);
                if turns.walk.current == before || turns.walk.standing != Standing::Running {
                    break;
                }
            }
        }
        turns.steps
    }

    /// The condition that an item ticks by.
    pub fn condition(&self, item: usize) -> Option<&Condition> {
        match self.live(item)? {
            Live::Check(condition) | Live::When(condition) | Live::Wait(Wait { until: Some(condition), .. }) => {
                Some(condition)
            }
            _ => None,
        }
    }

    /// Whether what was found at an item must still hold: for as long as the text says, else until an action begins
    /// that may change it.
    pub fn is_watched(&self, item: usize, now: Now) -> bool {
        let stands = matches!(self.live(item), Some(Live::Check(_) | Live::Wait(_)));
        let watch = self.document.items.get(item).and_then(|item| item.watch);
        let lasts = |mark: &&Mark| watch.map_or(mark.epoch == self.epoch, |watch| now.since(mark.at) < watch);
        stands && self.marks.get(item).filter(|mark| mark.state == State::Sensed).is_some_and(|mark| lasts(&mark))
    }

    /// Every action that was begun and may have changed something, the oldest first: its item and its plan.
    pub fn begun_actions(&self) -> Vec<(usize, Ulid)> {
        let mut all: Vec<(usize, Ulid)> =
            self.marks.iter().enumerate().filter_map(|(at, mark)| Some((at, mark.plan?))).collect();
        all.sort_by_key(|(_, plan)| *plan);
        all
    }

    /// Its action ended well.
    pub fn is_proved(&self, item: usize) -> bool {
        *self.state(item) == State::Acted(Outcome::Succeeded)
    }

    /// A done action was looked at again, for this text. What holds no more has regressed and becomes current; nothing is
    /// run for that.
    pub fn seen_again(&mut self, item: usize, holds: bool, text: &Clean, now: Now) -> Vec<Step> {
        let mut turns = Turns::new(self, now, None);
        let done = turns.walk.is_proved(item);
        match turns.walk.marks.get_mut(item).filter(|_| done) {
            Some(mark) if holds => mark.confirmed = Some(now),
            Some(_) => {
                turns.item(item, State::Regressed, text.clone());
                let before = *turns.walk.state(turns.walk.current) != State::Regressed || item < turns.walk.current;
                if before && !turns.walk.is_held() && turns.walk.standing == Standing::Running {
                    turns.current(item);
                }
            }
            None => {}
        }
        turns.steps
    }

    /// Nothing else may become current while an action runs, or nobody knows whether it did.
    pub(super) fn is_held(&self) -> bool {
        matches!(self.state(self.current), State::Acting(_) | State::Acted(Outcome::Indeterminate))
    }

    /// What was answered to the question of this name, or worked out under it.
    pub fn answer(&self, name: &str) -> Option<Given<'_>> {
        let asked = |item: &Item| match &item.live {
            Live::Ask(ask) if &*ask.name == name => match ask.kind {
                Answer::Number(_, _, unit) => Some(unit),
                Answer::Choice(_) | Answer::Text | Answer::Typed(..) | Answer::Pasted(_) => Some(Unit::Count),
            },
            Live::Calculate(it) if &*it.name == name => Some(it.results.first()?.unit),
            _ => None,
        };
        let (mark, unit) =
            self.marks.iter().zip(&self.document.items).find_map(|(mark, item)| Some((mark, asked(item)?)))?;
        let value = mark.found.value.or_else(|| number(mark.text.as_str(), unit));
        (mark.state == State::Observed).then_some(Given { text: &mark.text, value })
    }

    /// The values that the document gives an action, with what was answered in the place of `$name`.
    ///
    /// # Errors
    /// What is not known yet.
    pub fn given(&self, set: &[(Clean, Clean)]) -> Result<Vec<(Clean, Clean)>, Clean> {
        let value = |(name, text): &(Clean, Clean)| {
            let Some(asked) = text.as_str().strip_prefix('$') else { return Ok((name.clone(), text.clone())) };
            let given =
                self.answer(asked).ok_or_else(|| clean!("`{asked}` was not answered: nothing to plan with."))?;
            Ok((name.clone(), given.value.map_or_else(|| given.text.clone(), |value| Clean::text(plain(value)))))
        };
        set.iter().map(value).collect()
    }

    fn see(&self, condition: &Condition, senses: &mut dyn Senses, now: Now) -> Sight {
        let Subject::Answer(name) = &condition.of else { return senses.see(condition) };
        match self.answer(name) {
            Some(given) => {
                Sight { text: given.text.clone(), holds: condition.expect.of_answer(&given), seen: now.mono }
            }
            None => Sight { text: "\u{2014}".into(), holds: None, seen: now.mono },
        }
    }
}

impl Turns<'_> {
    /// What was as it should be, and is no more, is told; the first of it becomes current.
    fn regress(&mut self, senses: &mut dyn Senses) {
        let mut lost = None;
        for at in 0..self.walk.marks.len() {
            if !self.walk.is_watched(at, self.now) || at == self.walk.current {
                continue;
            }
            let Some(condition) = self.walk.condition(at).cloned() else { continue };
            let sight = self.walk.see(&condition, senses, self.now);
            let Some(mark) = self.walk.marks.get_mut(at).filter(|mark| sight.seen > mark.at.mono) else { continue };
            match sight.holds {
                Some(true) => mark.confirmed = Some(self.now),
                Some(false) => {
                    self.item(at, State::Regressed, sight.text);
                    lost.get_or_insert(at);
                }
                None => {}
            }
        }
        if let Some(at) = lost.filter(|_| !self.walk.is_held()) {
            self.current(at);
        }
    }

    fn look(&mut self, senses: &mut dyn Senses) {
        let at = self.walk.current;
        match self.walk.live(at).cloned() {
            Some(Live::Check(condition)) => {
                if let Some((true, text)) = self.judge(at, &condition, senses) {
                    self.item(at, State::Sensed, text);
                    self.advance();
                }
            }
            Some(Live::When(condition)) => {
                if let Some((applies, text)) = self.judge(at, &condition, senses) {
                    self.decide(at, applies, text);
                }
            }
            Some(Live::Wait(wait)) => self.wait(at, &wait, senses),
            _ => {}
        }
    }

    /// A case applies, or what lies below it is not needed. What was done there already stays done.
    pub(super) fn decide(&mut self, at: usize, applies: bool, text: Clean) {
        if applies {
            self.item(at, if self.is_said() { State::Observed } else { State::Sensed }, text);
        } else {
            self.item(at, State::NotNeeded, text);
            for deeper in self.walk.below(at) {
                if !self.walk.is_settled(deeper) {
                    self.follows(deeper, State::NotNeeded, Clean::default());
                }
            }
        }
        self.advance();
    }

    fn wait(&mut self, at: usize, wait: &Wait, senses: &mut dyn Senses) {
        let Some(mark) = self.walk.marks.get(at) else { return };
        let since = |from: Option<Now>| from.map_or(core::time::Duration::ZERO, |from| self.now.since(from));
        let Some(condition) = &wait.until else {
            if since(mark.reached) >= wait.at_most {
                self.item(at, State::Sensed, clean!("{} passed", Span(wait.at_most)));
                self.advance();
            }
            return;
        };
        let late = mark.state != State::Failed && since(mark.current_since) >= wait.at_most;
        let took = since(mark.current_since);
        match self.judge(at, condition, senses) {
            Some((true, text)) => {
                self.item(at, State::Sensed, clean!("{text} ({})", Span(took)));
                self.advance();
            }
            _ if late => {
                let last = self.walk.sight.as_ref().map(|sight| sight.text.clone()).unwrap_or_default();
                self.fail(at, clean!("not within {}: {last}", Span(wait.at_most)));
            }
            _ => {}
        }
    }

    /// What a condition comes to, once that is certain: it has held for as long as it must, or it does not hold.
    fn judge(&mut self, at: usize, condition: &Condition, senses: &mut dyn Senses) -> Option<(bool, Clean)> {
        let sight = self.walk.see(condition, senses, self.now);
        self.walk.sight = Some(sight.clone());
        let mark = self.walk.marks.get_mut(at)?;
        let since = mark.current_since?;
        let asked = matches!(condition.of, Subject::Answer(_));
        match sight.holds.filter(|_| asked || sight.seen > since.mono) {
            Some(true) => {
                let held = *mark.held_since.get_or_insert(sight.seen);
                (asked || sight.seen.since(held) >= condition.hold).then_some((true, sight.text))
            }
            other => {
                mark.held_since = None;
                other.map(|holds| (holds, sight.text))
            }
        }
    }
}

impl Expect {
    /// Whether an answer is as expected; `None` when a number is expected and it is none.
    pub fn of_answer(&self, given: &Given<'_>) -> Option<bool> {
        match self {
            Self::Number(comparison, with) => Some(comparison.holds(given.value?, *with)),
            Self::Known => Some(true),
            Self::Text(wanted) => Some(given.text.as_str().trim().eq_ignore_ascii_case(wanted.as_str().trim())),
        }
    }
}
