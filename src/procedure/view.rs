//! What a screen and a handover card ask of a walk.

use super::document::{Answer, Escalate, Item, Live, Tail};
use super::pasted::Form;
use super::saying;
use super::walk::{Mark, Standing, State, Walk};
use crate::action::lifecycle::Outcome;
use crate::base::{Clean, Now};
use crate::clean;
use core::time::Duration;
use std::sync::Arc;

/// What is left of a time box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// So much.
    In(Duration),
    /// It is over by so much.
    Over(Duration),
}

/// An action by its name, with the values that the procedure gives it.
pub type Wanted<'a> = (&'a Arc<str>, &'a [(Clean, Clean)]);

/// What the operator is asked now.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Whether it goes on.
    Resume,
    /// To read on.
    Read,
    /// What was observed, and what is expected.
    Observe(Option<Clean>),
    /// One of these.
    Choice(Vec<Clean>),
    /// A question with a free answer, or with a number.
    Answer(Answer),
    /// Figures, of which something is worked out.
    Figures,
    /// To look at the end of a log, and keep it.
    Log(Tail),
    /// To look at the action's plan; how the last try ended.
    Act(Option<Outcome>),
    /// What became of an action that nobody knows of.
    Resolve,
    /// To call somebody.
    Call(Clean, Option<Clean>),
    /// What these commands said.
    Run(Vec<Clean>),
    /// Whether a case applies, of which nothing LIVE tells.
    Case,
    /// What to do about an item that went wrong: the text does not say.
    Mend,
    /// Nothing: it is being looked at.
    Sensing,
    /// Nothing: an action runs.
    Acting,
    /// Nothing: it has ended.
    Over,
}

impl Walk {
    /// At which item of how many, from 1: by the numbers that stand before them, here and on paper.
    pub fn position(&self) -> (usize, usize) {
        let all = self.marks.len();
        (self.current.saturating_add(1).min(all), all)
    }

    /// When it ended, if it has.
    pub fn ended_at(&self) -> Option<Now> {
        (!matches!(self.standing, Standing::Running | Standing::Paused)).then_some(self.why.1)
    }

    /// So long it took, until now or until its end.
    pub fn elapsed(&self, now: Now) -> Duration {
        self.ended_at().unwrap_or(now).since(self.begun)
    }

    /// What is left of its time box, if it has one.
    pub fn left(&self, now: Now) -> Option<Left> {
        let (all, gone) = (self.document.time_box?, self.elapsed(now));
        Some(all.checked_sub(gone).map_or_else(|| Left::Over(gone.saturating_sub(all)), Left::In))
    }

    /// The word for an item's state.
    pub fn word(&self, item: usize) -> &'static str {
        match self.state(item) {
            State::Open => "",
            State::Sensed => "sensed",
            State::Observed => match self.live(item) {
                Some(Live::Read | Live::Broken) => "read",
                Some(Live::Ask(_)) => "answered",
                Some(Live::Calculate(_)) => "worked out",
                Some(Live::Escalate(_)) => "called",
                Some(Live::Log(_)) => "kept",
                _ => "observed",
            },
            State::Acted(outcome) => word(*outcome),
            State::Acting(_) => "RUNNING",
            State::Failed => "failed",
            State::Regressed => "regressed",
            State::NotNeeded => "not needed",
            State::Deferred(_) => "deferred",
            State::Overridden => "overridden",
        }
    }

    /// So long ago an item was found as it is, or last seen to be so still; `None` while it is open.
    pub fn age(&self, item: usize, now: Now) -> Option<Duration> {
        let mark = self.marks.get(item).filter(|mark| mark.state != State::Open)?;
        Some(now.since(mark.confirmed.unwrap_or(mark.at)))
    }

    /// What was found there is older than the text allows: it is shown with its age.
    pub fn is_stale(&self, item: usize, now: Now) -> bool {
        let valid = self.document.items.get(item).map_or(Duration::MAX, |item| item.valid_for);
        let found = matches!(self.state(item), State::Sensed | State::Observed);
        found && self.age(item, now).is_some_and(|age| age > valid)
    }

    /// What whoever takes over has to know: deferred, failed, regressed, and actions that did not succeed.
    pub fn open_items(&self) -> impl Iterator<Item = (usize, &Mark)> {
        self.marks.iter().enumerate().filter(|(_, mark)| match mark.state {
            State::Deferred(_) | State::Failed | State::Regressed | State::Acting(_) => true,
            State::Acted(outcome) => outcome != Outcome::Succeeded,
            _ => false,
        })
    }

    /// The action of the current item and the values it gives, when it can be asked of the gate.
    pub fn needs_action(&self) -> Option<Wanted<'_>> {
        match (self.live(self.current)?, self.state(self.current)) {
            (_, State::Acting(_)) => None,
            (Live::Action(name, given), _) if self.standing == Standing::Running => Some((name, given)),
            _ => None,
        }
    }

    /// The current item, when its commands can be asked of the gate.
    pub fn needs_commands(&self) -> Option<&Item> {
        let item = self.document.items.get(self.current).filter(|_| self.standing == Standing::Running)?;
        let free = !matches!(self.state(self.current), State::Acting(_));
        (matches!(item.live, Live::Command(_)) && free).then_some(item)
    }

    /// The last action that ended or runs, with its item.
    pub fn last_action(&self) -> Option<(usize, &Mark)> {
        let acted = |mark: &Mark| matches!(mark.state, State::Acted(_) | State::Acting(_));
        self.marks.iter().enumerate().filter(|(_, mark)| acted(mark)).max_by_key(|(at, mark)| (mark.at.wall, *at))
    }

    /// The plan of the action that runs.
    pub fn in_flight(&self) -> Option<crate::base::Ulid> {
        self.marks.iter().find_map(|mark| match mark.state {
            State::Acting(plan) => Some(plan),
            _ => None,
        })
    }

    /// What the operator is asked now.
    pub fn question(&self) -> Question {
        match self.standing {
            Standing::Running => self.asks(),
            Standing::Paused => Question::Resume,
            Standing::Complete | Standing::CompleteExcept(_) | Standing::Abandoned => Question::Over,
        }
    }

    fn asks(&self) -> Question {
        let Some(live) = self.live(self.current) else { return Question::Over };
        let undecided = || self.sight.as_ref().is_some_and(|sight| sight.holds.is_none());
        match (live, self.state(self.current)) {
            (Live::Action(..) | Live::Command(_), State::Acting(_)) => Question::Acting,
            (Live::Action(..) | Live::Command(_), State::Acted(Outcome::Indeterminate)) => Question::Resolve,
            (Live::Action(..), State::Acted(outcome)) => Question::Act(Some(*outcome)),
            (Live::Action(..), _) => Question::Act(None),
            (Live::Check(_) | Live::Wait(_), State::Failed) => Question::Mend,
            (Live::Check(_) | Live::Wait(_), _) => Question::Sensing,
            (Live::When(_), _) if undecided() => Question::Case,
            (Live::When(_), _) => Question::Sensing,
            (Live::Challenge(expected), _) => Question::Observe(expected.clone()),
            (Live::Ask(ask), _) => match &ask.kind {
                Answer::Choice(choices) => Question::Choice(choices.clone()),
                kind => Question::Answer(kind.clone()),
            },
            (Live::Calculate(_), _) => Question::Figures,
            (Live::Log(tail), _) => Question::Log(tail.clone()),
            (Live::Escalate(Escalate { to, say }), _) => Question::Call(to.clone(), say.clone()),
            (Live::Command(lines), _) => Question::Run(lines.clone()),
            (Live::Read | Live::Broken, _) => Question::Read,
        }
    }
}

impl Question {
    /// The sentence below the list.
    pub fn sentence(&self) -> Clean {
        match self {
            Self::Resume => "Paused: resume, look, or leave it with a reason.".into(),
            Self::Read => "Read it, then go on.".into(),
            Self::Observe(Some(expected)) => clean!("What do you see? Expected: {expected}"),
            Self::Observe(None) => "What do you see?".into(),
            Self::Choice(choices) => {
                let all: Vec<&str> = choices.iter().map(Clean::as_str).collect();
                clean!("Which: {}?", all.join(", "))
            }
            Self::Answer(Answer::Number(least, most, unit)) => {
                clean!("A number from {} to {}:", unit.show(*least), unit.show(*most))
            }
            Self::Answer(Answer::Typed(word, others)) => saying::typed(word, others),
            Self::Answer(Answer::Pasted(Form::Stacks)) => "Paste the folded stacks: `main;run;parse 12`.".into(),
            Self::Answer(Answer::Pasted(Form::Lines)) => "Paste the lines.".into(),
            Self::Answer(_) => "Your answer:".into(),
            Self::Figures => "Type the figures: what comes of them is shown meanwhile.".into(),
            Self::Log(tail) => {
                clean!("Look at the end of the log {}: Enter keeps {} lines of it.", tail.source, tail.lines)
            }
            Self::Act(None) => "Its plan is shown before anything happens.".into(),
            Self::Act(Some(outcome)) => {
                clean!("{}: try again, override with a reason, or say that it failed.", word(*outcome))
            }
            Self::Resolve => {
                "Nobody knows whether it was carried out: look, then try again or override with what you found.".into()
            }
            Self::Call(to, None) => clean!("Call {to}. Who was reached?"),
            Self::Call(to, Some(say)) => {
                let stop = if say.as_str().ends_with(['.', '!', '?']) { "" } else { "." };
                clean!("Call {to}: {say}{stop} Who was reached?")
            }
            Self::Run(_) => "What did it say?".into(),
            Self::Case => "Nothing LIVE tells whether this case applies: yes or no?".into(),
            Self::Mend => "It went wrong, and the text does not say what then: reopen, override or defer it.".into(),
            Self::Sensing => "It ticks itself once this holds. Until then: defer or override it.".into(),
            Self::Acting => "Its action runs.".into(),
            Self::Over => Clean::default(),
        }
    }
}

/// The word of an outcome beside an item.
pub const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "SUCCEEDED",
        Outcome::Failed => "FAILED",
        Outcome::Unverified => "UNVERIFIED",
        Outcome::Indeterminate => "INDETERMINATE",
        Outcome::Refused => "REFUSED",
    }
}
