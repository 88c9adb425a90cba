//! One procedure being worked through: which item is current, what was found and by whom. It is the fold of its steps,
//! so what is written down is what is remembered.

use super::document::{Condition, Document};
use crate::base::{Clean, Mono, Now, Ulid, Wall};
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
    /// Not now: it comes back after this time, or at the end.
    Defer(Option<Duration>, Clean),
    /// It counts as done for this reason, whatever is seen.
    Override(Clean),
    /// It went wrong: on to where the document says.
    Failed(Clean),
    /// Back to this item: it is open again.
    Reopen(usize),
    /// The runner of this item's action was started on this plan.
    Launched(Ulid),
    /// The whole walk is left for this reason.
    Abandon(Clean),
    /// It goes on after an interruption.
    Resume,
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
    /// Its action ended so (`succeeded`, `failed`, `unverified`, `indeterminate`).
    Acted(Clean),
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
    /// When it became current, last.
    pub current_since: Option<Now>,
    /// Since when its condition has held without a break.
    pub held_since: Option<Mono>,
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
    /// When it began.
    pub begun: Now,
}
