//! Which item comes next: memory items first, then the order of the text; what was deferred comes back when it is due,
//! and once more at the end.

use super::document::{Document, Live};
use super::walk::{Standing, State, Turns, Walk};
use crate::action::lifecycle::Outcome;
use crate::base::{Clean, Now};
use crate::clean;
use std::collections::HashMap;
use std::sync::Arc;

/// What the order of a document comes to: worked out once, since a text may have very many items.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Where an item of this id is.
    place: HashMap<Arc<str>, usize>,
    /// The nearest `when` that an item lies below.
    case: Vec<Option<usize>>,
    /// Items as they are worked on: what is to be known by heart first, unless it is for a case only.
    order: Vec<usize>,
}

impl Shape {
    pub(super) fn of(document: &Document) -> Self {
        let mut shape = Self::default();
        let mut above: Vec<(usize, u8)> = Vec::new();
        for (at, item) in document.items.iter().enumerate() {
            shape.place.entry(Arc::clone(&item.id)).or_insert(at);
            while above.pop_if(|(_, depth)| *depth >= item.depth).is_some() {}
            shape.case.push(above.last().map(|(case, _)| *case));
            if matches!(item.live, Live::When(_)) {
                above.push((at, item.depth));
            }
        }
        let first = |at: &usize| {
            document.items.get(*at).is_some_and(|item| item.memory) && shape.case.get(*at).is_none_or(Option::is_none)
        };
        let (by_heart, rest): (Vec<usize>, Vec<usize>) = (0..document.items.len()).partition(first);
        shape.order = [by_heart, rest].concat();
        shape
    }

    pub(super) fn place(&self, id: &str) -> Option<usize> {
        self.place.get(id).copied()
    }
}

impl Walk {
    /// True when nothing more is asked of an item. What was deferred is neither settled nor open.
    pub fn is_settled(&self, item: usize) -> bool {
        match self.state(item) {
            State::Sensed | State::Observed | State::NotNeeded | State::Overridden => true,
            State::Acted(outcome) => *outcome == Outcome::Succeeded,
            // Where the text says what to do then, that is done; else somebody has to say.
            State::Failed => self.goes_to(item).is_some(),
            State::Open | State::Acting(_) | State::Regressed | State::Deferred(_) => false,
        }
    }

    /// Where the text goes on when an item has failed: always a later one.
    pub fn goes_to(&self, item: usize) -> Option<usize> {
        let go = self.document.items.get(item)?.go.as_ref()?;
        let to = self.shape.place(go)?;
        (to > item).then_some(to)
    }

    /// The items that lie deeper than this one.
    pub(super) fn below(&self, item: usize) -> core::ops::Range<usize> {
        let items = &self.document.items;
        let depth = items.get(item).map_or(u8::MAX, |item| item.depth);
        let rest = items.get(item.saturating_add(1)..).unwrap_or_default();
        let count = rest.iter().take_while(|other| other.depth > depth).count();
        item.saturating_add(1)..item.saturating_add(1).saturating_add(count)
    }

    /// The `when` items that this one lies below, the nearest first.
    pub(super) fn cases(&self, item: usize) -> impl Iterator<Item = usize> {
        let above = |at: &usize| self.shape.case.get(*at).copied().flatten();
        core::iter::successors(above(&item), above)
    }

    /// It lies below a `when` that nobody has decided yet.
    fn is_blocked(&self, item: usize) -> bool {
        self.cases(item).any(|case| !self.is_settled(case))
    }

    fn order(&self) -> impl Iterator<Item = usize> {
        self.shape.order.iter().copied()
    }

    /// A call to which others lead when they go wrong, and none of them has.
    fn is_for_trouble_alone(&self, at: usize) -> bool {
        let calls = self.document.items.get(at).is_some_and(|item| matches!(item.live, Live::Escalate(_)));
        if !calls || *self.state(at) != State::Open {
            return false;
        }
        let mut leading = (0..at).filter(|from| self.goes_to(*from) == Some(at)).peekable();
        leading.peek().is_some() && !leading.any(|from| *self.state(from) == State::Failed)
    }

    /// The item to go on with; `None` at the end.
    pub(super) fn next(&self, now: Now) -> Option<usize> {
        let free = |at: &usize| !self.is_blocked(*at);
        let back = |at: &usize| {
            *self.state(*at) == State::Deferred(None) && self.marks.get(*at).is_some_and(|mark| !mark.returned)
        };
        self.due(now).or_else(|| self.first_open()).or_else(|| self.order().filter(back).find(free))
    }

    /// The first item that still asks for something.
    pub(super) fn first_open(&self) -> Option<usize> {
        let open = |at: &usize| !self.is_settled(*at) && !matches!(self.state(*at), State::Deferred(_));
        self.order().filter(open).find(|at| !self.is_blocked(*at))
    }

    /// The deferred item whose time came first.
    pub(super) fn due(&self, now: Now) -> Option<usize> {
        self.all_due(now).next()
    }

    /// The deferred items that are due and wait for the current one, the one whose time came first at the front.
    pub fn due_elsewhere(&self, now: Now) -> impl Iterator<Item = usize> {
        self.all_due(now).filter(|at| *at != self.current)
    }

    fn all_due(&self, now: Now) -> impl Iterator<Item = usize> {
        let when = |at: usize| match self.state(at) {
            State::Deferred(Some(when)) if *when <= now.wall && !self.is_blocked(at) => Some((*when, at)),
            _ => None,
        };
        let mut all: Vec<_> = (0..self.marks.len()).filter_map(when).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, at)| at)
    }

    /// So many items are deferred.
    pub fn deferred(&self) -> usize {
        self.marks.iter().filter(|mark| matches!(mark.state, State::Deferred(_))).count()
    }
}

impl Turns<'_> {
    /// On to the next item, or to the end.
    pub(super) fn advance(&mut self) {
        while let Some(at) = self.walk.next(self.now).filter(|at| self.walk.is_for_trouble_alone(*at)) {
            self.follows(at, State::NotNeeded, "nothing went wrong that leads here".into());
        }
        match (self.walk.next(self.now), self.walk.deferred()) {
            (Some(at), _) => self.current(at),
            (None, 0) => self.walk(Standing::Complete, Clean::default()),
            (None, left) => self.walk(Standing::CompleteExcept(left), Clean::default()),
        }
    }

    /// The current item went wrong: on to where the text says, past what lies between; without that it stays current.
    pub(super) fn fail(&mut self, at: usize, reason: Clean) {
        let title = self.walk.document.items.get(at).map(|item| item.title.clone()).unwrap_or_default();
        self.item(at, State::Failed, reason);
        let Some(to) = self.walk.goes_to(at) else { return };
        for between in at.saturating_add(1)..to {
            if matches!(self.walk.state(between), State::Open | State::Regressed) {
                self.follows(between, State::NotNeeded, clean!("\"{title}\" went wrong"));
            }
        }
        if *self.walk.state(to) == State::NotNeeded {
            self.follows(to, State::Open, clean!("\"{title}\" went wrong"));
        }
        if self.walk.is_settled(to) { self.advance() } else { self.current(to) }
    }
}
