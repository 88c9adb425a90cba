//! One procedure being worked through: which item is current, what was found and by whom. It is the fold of its steps,
//! so what is written down is what is remembered; only what a look shows just now is not kept.

use super::document::{Condition, Document, Live};
use super::order::Shape;
use super::pasted::{self, Form, Pasted};
use crate::action::lifecycle::Outcome;
use crate::base::{Clean, Mono, Now, Ulid, Wall};
use crate::clean;
use core::time::Duration;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What can be seen of the world, read-only.
pub trait Senses {
    /// The condition's value as of now: live, or why it cannot be told.
    fn see(&mut self, condition: &Condition) -> Sight;
}

/// One look at a condition's value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// The value with its unit, as shown; a dash where there is none.
    pub text: Clean,
    /// Whether it is as expected; `None` when nothing LIVE tells.
    pub holds: Option<bool>,
    /// When it was observed.
    pub seen: Mono,
}

/// What the operator says. Every one is a deliberate key; none is ever said by the program.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// This was observed (a challenge's response), answered (a question), or read (empty).
    Observed(Clean),
    /// These lines are the answer to a question.
    Pasted(Pasted),
    /// This was worked out, or is the end of a log.
    Worked(Found),
    /// Not now: it comes back after this time, or at the end.
    Defer(Option<Duration>, Clean),
    /// It counts as done for this reason, whatever is seen.
    Override(Clean),
    /// It went wrong: on to where the document says.
    Failed(Clean),
    /// Back to this item: it is open again.
    Reopen(usize),
    /// To the item that was put off and is due; the current one stays as it is.
    Due,
    /// This item of a walk that is over was put off, and is done now, in these words.
    Done(usize, Clean),
    /// The runner of this item's action was started on this plan.
    Launched(Ulid),
    /// The whole walk is left for this reason.
    Abandon(Clean),
    /// It goes on after an interruption.
    Resume,
}

/// What was found at an item, beyond a word.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// In a few words.
    #[serde(skip)]
    pub text: Clean,
    /// Line by line: what was pasted, how it was worked out, or what a log said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Clean>,
    /// As a number in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

impl Found {
    /// A word says it all.
    fn is_none(&self) -> bool {
        self.lines.is_empty() && self.value.is_none()
    }
}

/// What has become of one item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum State {
    /// Not reached yet.
    #[default]
    Open,
    /// A sensed condition holds, with the value seen.
    Sensed,
    /// The operator said what was observed, answered or read.
    Observed,
    /// Its action ended so.
    Acted(Outcome),
    /// Its action runs.
    Acting(Ulid),
    /// It went wrong, for this reason.
    Failed,
    /// It was as it should be, and is no more.
    Regressed,
    /// Its case does not apply.
    NotNeeded,
    /// It comes back then, or at the end.
    Deferred(Option<Wall>),
    /// It counts as done for a reason.
    Overridden,
}

/// One transition of a walk: a line of its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub at: Now,
    /// Which item; `None` for the whole walk.
    pub item: Option<Arc<str>>,
    /// What became of it, or of the walk.
    pub to: Turn,
    /// The value, the answer or the reason.
    pub text: Clean,
    /// Who; `None` when the program saw it.
    pub who: Option<Clean>,
    /// What was found beyond that.
    #[serde(default, skip_serializing_if = "Found::is_none")]
    pub found: Found,
}

/// What a step changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Turn {
    /// An item has this state.
    Item(State),
    /// This item is the current one.
    Current,
    /// The walk stands like this.
    Walk(Standing),
}

/// How a whole walk stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Standing {
    /// It is worked on.
    #[default]
    Running,
    /// Nobody is there: why.
    Paused,
    /// Everything is done.
    Complete,
    /// Everything is done except so many that were deferred.
    CompleteExcept(usize),
    /// It was left, for a reason.
    Abandoned,
}

/// One item as it stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    /// What has become of it.
    pub state: State,
    /// The value, the answer or the reason.
    pub text: Clean,
    /// Since when.
    pub at: Now,
    /// Who said it; `None` when it was seen.
    pub who: Option<Clean>,
    /// What was found beyond the text.
    pub found: Found,
    /// What its lines read like: stacks as a tree.
    pub shown: Arc<[Clean]>,
    /// When it became current, last: again at every resume.
    pub current_since: Option<Now>,
    /// When it became current first since it was opened.
    pub reached: Option<Now>,
    /// It was deferred and has come back once.
    pub returned: bool,
    /// How many actions the walk had begun when this was found: what is older than the last is history.
    pub epoch: u32,
    /// The plan of the action that was begun for it last, whatever became of it.
    pub plan: Option<Ulid>,
    /// Since when its condition has held without a break. Not kept.
    pub held_since: Option<Mono>,
    /// When what was found was last seen to hold still. Not kept.
    pub confirmed: Option<Now>,
}

/// One procedure being worked through.
#[derive(Clone, Debug)]
pub struct Walk {
    /// Its run.
    pub id: Ulid,
    /// What is worked through.
    pub document: Arc<Document>,
    /// One per item.
    pub marks: Vec<Mark>,
    /// The item that is worked on; the number of items when none is left.
    pub current: usize,
    /// How it stands.
    pub standing: Standing,
    /// Why it stands so, since when, and by whom.
    pub why: (Clean, Now, Option<Clean>),
    /// When it began.
    pub begun: Now,
    /// The newest look at the current item's condition. Not kept.
    pub sight: Option<Sight>,
    /// Actions begun so far that may have changed something.
    pub(super) epoch: u32,
    pub(super) shape: Arc<Shape>,
}

impl Walk {
    /// A new walk, and the steps that say so: memory items come first.
    pub fn begin(id: Ulid, document: Arc<Document>, who: &Clean, now: Now) -> (Self, Vec<Step>) {
        let title = document.title.clone();
        let mut walk = Self::empty(id, document);
        let mut turns = Turns::new(&mut walk, now, Some(who.clone()));
        turns.walk(Standing::Running, title);
        turns.advance();
        let steps = turns.steps;
        (walk, steps)
    }

    /// The walk that these steps made. Moments of an earlier boot must have a monotonic part of zero.
    ///
    /// # Errors
    /// There is no step, or one names an item that the document lacks.
    pub fn replay(id: Ulid, document: Arc<Document>, steps: &[Step]) -> Result<Self, Clean> {
        let mut walk = Self::empty(id, document);
        if steps.is_empty() {
            return Err(Clean::from("nothing of this run was written down."));
        }
        for step in steps {
            walk.apply(step)?;
        }
        Ok(walk)
    }

    fn empty(id: Ulid, document: Arc<Document>) -> Self {
        let marks = vec![Mark::default(); document.items.len()];
        let current = marks.len();
        let why = (Clean::default(), Now::default(), None);
        let shape = Arc::new(Shape::of(&document));
        Self {
            id,
            document,
            marks,
            current,
            standing: Standing::Running,
            why,
            begun: Now::default(),
            sight: None,
            epoch: 0,
            shape,
        }
    }

    /// The only way in which a walk changes what it remembers.
    fn apply(&mut self, step: &Step) -> Result<(), Clean> {
        let at = match &step.item {
            Some(id) => Some(
                self.shape
                    .place(id)
                    .ok_or_else(|| clean!("a step names the item \"{id}\", which this text does not have."))?,
            ),
            None => None,
        };
        match (&step.to, at) {
            (Turn::Item(state), Some(at)) => self.mark(at, state, step),
            (Turn::Current, Some(at)) => self.move_to(at, step.at),
            (Turn::Walk(standing), None) => {
                if self.why.1 == Now::default() {
                    self.begun = step.at;
                }
                self.standing = standing.clone();
                self.why = (step.text.clone(), step.at, step.who.clone());
                if matches!(standing, Standing::Complete | Standing::CompleteExcept(_)) {
                    self.current = self.marks.len();
                }
                self.sight = None;
            }
            _ => return Err(Clean::from("a step is neither of an item nor of the whole walk.")),
        }
        Ok(())
    }

    fn mark(&mut self, at: usize, state: &State, step: &Step) {
        let form = self.live(at).map_or(Form::Lines, Live::form);
        let shown = pasted::shown(form, &step.found.lines).into();
        let Some(mark) = self.marks.get_mut(at) else { return };
        match state {
            State::Acting(plan) => {
                self.epoch = self.epoch.saturating_add(1);
                mark.plan = Some(*plan);
            }
            // It was refused before its first effect: what was seen before still counts.
            State::Acted(Outcome::Refused) if matches!(mark.state, State::Acting(_)) => {
                self.epoch = self.epoch.saturating_sub(1);
                mark.plan = None;
            }
            State::Open => (mark.reached, mark.returned) = (None, false),
            _ => {}
        }
        mark.state = state.clone();
        mark.text = step.text.clone();
        mark.at = step.at;
        mark.who.clone_from(&step.who);
        mark.found.clone_from(&step.found);
        mark.shown = shown;
        mark.epoch = self.epoch;
        (mark.held_since, mark.confirmed) = (None, None);
        // Who defers the last thing to do is not asked for it again at once.
        if *state == State::Deferred(None)
            && self.first_open().is_none()
            && let Some(mark) = self.marks.get_mut(at)
        {
            mark.returned = true;
        }
    }

    fn move_to(&mut self, at: usize, now: Now) {
        self.current = at;
        self.sight = None;
        if let Some(mark) = self.marks.get_mut(at) {
            mark.current_since = Some(now);
            mark.reached.get_or_insert(now);
            mark.returned |= matches!(mark.state, State::Deferred(_));
            mark.held_since = None;
        }
    }

    /// Items that went wrong, and led elsewhere.
    pub fn failures(&self) -> usize {
        self.marks.iter().filter(|mark| mark.state == State::Failed).count()
    }

    /// The state of an item; open when there is no such item.
    pub fn state(&self, item: usize) -> &State {
        self.marks.get(item).map_or(&State::Open, |mark| &mark.state)
    }

    /// What makes an item live.
    pub(super) fn live(&self, item: usize) -> Option<&Live> {
        self.document.items.get(item).map(|item| &item.live)
    }
}

/// Makes steps: each is applied as it is made, so that the walk and its file cannot differ.
pub(super) struct Turns<'a> {
    pub(super) walk: &'a mut Walk,
    pub(super) now: Now,
    who: Option<Clean>,
    /// What the next step has beyond its text.
    found: Found,
    pub(super) steps: Vec<Step>,
}

impl<'a> Turns<'a> {
    pub(super) fn new(walk: &'a mut Walk, now: Now, who: Option<Clean>) -> Self {
        Self { walk, now, who, found: Found::default(), steps: Vec::new() }
    }

    /// Somebody said this; else it was seen.
    pub(super) const fn is_said(&self) -> bool {
        self.who.is_some()
    }

    fn step(&mut self, item: Option<usize>, to: Turn, text: Clean, who: Option<Clean>) {
        let item = match item {
            Some(at) => match self.walk.document.items.get(at) {
                Some(item) => Some(Arc::clone(&item.id)),
                None => return,
            },
            None => None,
        };
        let found = core::mem::take(&mut self.found);
        let step = Step { at: self.now, item, to, text, who, found };
        // Its item was just found in this very document.
        let _cannot_fail = self.walk.apply(&step);
        self.steps.push(step);
    }

    /// An item has this state, by whom these turns are.
    pub(super) fn item(&mut self, at: usize, state: State, text: Clean) {
        self.step(Some(at), Turn::Item(state), text, self.who.clone());
    }

    /// This was found at an item.
    pub(super) fn found(&mut self, at: usize, mut found: Found) {
        // The step has the text already.
        let text = core::mem::take(&mut found.text);
        self.found = found;
        self.item(at, State::Observed, text);
    }

    /// An item has this state by the course of the walk itself.
    pub(super) fn follows(&mut self, at: usize, state: State, text: Clean) {
        self.step(Some(at), Turn::Item(state), text, None);
    }

    /// This item is the current one.
    pub(super) fn current(&mut self, at: usize) {
        self.step(Some(at), Turn::Current, Clean::default(), None);
    }

    /// The walk stands so.
    pub(super) fn walk(&mut self, standing: Standing, text: Clean) {
        self.step(None, Turn::Walk(standing), text, self.who.clone());
    }
}
