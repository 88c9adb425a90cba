//! Procedures on this console: which there are, which are worked through, and what their conditions show now.

use super::again::Again;
use super::board::Board;
use super::facts;
use super::metric::Metric;
use super::model::{Model, Overlay};
use super::pane::Pane;
use crate::action::lifecycle::Outcome;
use crate::base::{Clean, Freshness, Mono, Now, Reading, Ulid};
use crate::procedure::document::{Comparison, Condition, Expect, Item, Live, Look, Subject};
use crate::procedure::walk::{Sight, Standing};
use crate::procedure::{Document, Senses, Step, Walk};
use crate::rules::Book;
use crate::store::{History, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An expression, and whether of several rows the lowest counts.
type Asked = (Clean, bool);

/// Everything about procedures that the screen can show.
#[derive(Debug, Default)]
pub struct Procedures {
    /// Those of the profile.
    pub known: Vec<Arc<Document>>,
    /// Blocks of commands in them may be run.
    pub run_commands: bool,
    /// Those that are worked through, the one of the last key first.
    pub walks: Vec<Working>,
    /// What their conditions show.
    pub(super) looks: BTreeMap<Asked, Pane>,
}

/// One that is worked through.
#[derive(Debug)]
pub struct Working {
    /// Where it stands.
    pub walk: Walk,
    /// Why this console may only look at it.
    pub only_look: Option<Clean>,
    /// Why its newest steps are not on disk.
    pub unkept: Option<Clean>,
    /// Who had it, when that was another login: going on with it is a take-over.
    pub of: Option<Clean>,
    /// How its file differs from the copy that it goes by.
    pub changes: Vec<Clean>,
    /// Its done actions, looked at again since it was taken up.
    pub again: Vec<Again>,
}

/// A procedure on screen.
#[derive(Debug)]
pub struct ProcedureView {
    /// Which.
    pub document: Arc<Document>,
    /// Its run, once it was begun.
    pub run: Option<Ulid>,
    /// The selected item; `None` follows the current one.
    pub selected: Option<usize>,
}

/// A look as a pane of its own.
fn pane(look: &Look, lowest: bool) -> Pane {
    let mut metric = Metric::plain(look.label.clone(), look.expr.clone(), look.unit);
    metric.lowest = lowest;
    Pane { headline: Some(metric), ..Pane::new("sparkline", &look.label) }
}

/// Whether of several rows the lowest is the one that may break this expectation.
fn lowest(expect: &Expect) -> bool {
    match expect {
        Expect::Number(Comparison::More | Comparison::AtLeast, _) => true,
        Expect::Number(Comparison::Equal, value) => *value > 0.0,
        Expect::Number(..) | Expect::Text(_) | Expect::Known => false,
    }
}

/// What an item's live part asks of the store, then what is only shown beside it.
fn looks(item: &Item) -> impl Iterator<Item = (&Look, bool)> {
    let asked = condition(item).and_then(|condition| match &condition.of {
        Subject::Query(look) => Some((look, lowest(&condition.expect))),
        Subject::Answer(_) | Subject::Fact(_) => None,
    });
    asked.into_iter().chain(item.show.iter().map(|look| (look, false)))
}

/// What must be seen for this item.
pub fn condition(item: &Item) -> Option<&Condition> {
    match &item.live {
        Live::Check(condition) | Live::When(condition) => Some(condition),
        Live::Wait(wait) => wait.until.as_ref(),
        _ => None,
    }
}

/// What the conditions of walks are judged by.
struct Eyes<'a> {
    store: &'a Store,
    looks: &'a BTreeMap<Asked, Pane>,
    now: Now,
}

impl Senses for Eyes<'_> {
    fn see(&mut self, condition: &Condition) -> Sight {
        let unknown = |text: &'static str| Sight { text: text.into(), holds: None, seen: Mono::default() };
        let look = match &condition.of {
            Subject::Query(look) => look,
            Subject::Fact(told) => return facts::sight(self.store, told, &condition.expect, self.now),
            Subject::Answer(_) => return unknown("—"),
        };
        let pane = self.looks.get(&(look.expr.text().clone(), lowest(&condition.expect)));
        let Some(metric) = pane.and_then(|pane| pane.headline.as_ref()) else { return unknown("—") };
        match &metric.shown.reading {
            Reading::Value { value, seen, .. } => {
                let live = metric.shown.freshness(self.now.mono) == Freshness::Live;
                let holds = condition.expect.holds(*value).filter(|_| live);
                Sight { text: Clean::text(look.unit.show(*value)), holds, seen: *seen }
            }
            Reading::NotSupported => unknown("not supported"),
            Reading::Unknown(_) => unknown("—"),
        }
    }
}

impl Procedures {
    /// Those of a profile.
    pub fn new(known: Vec<Arc<Document>>) -> Self {
        Self { known, ..Self::default() }
    }

    /// The same where blocks of commands may be run, or not.
    #[must_use]
    pub fn allowing(self, run_commands: bool) -> Self {
        Self { run_commands, ..self }
    }

    /// The one with this id.
    pub fn document(&self, id: &str) -> Option<&Arc<Document>> {
        self.known.iter().find(|document| *document.id == *id)
    }

    /// The one that answers an alert of this name; a profile's earlier one wins.
    pub fn for_alert(&self, alert: &Clean) -> Option<&Arc<Document>> {
        self.known.iter().find(|document| document.alerts.contains(alert))
    }

    /// The walk of this run.
    pub fn walk(&self, run: Ulid) -> Option<&Working> {
        self.walks.iter().find(|working| working.walk.id == run)
    }

    /// The same, to change it.
    pub(super) fn walk_mut(&mut self, run: Ulid) -> Option<&mut Working> {
        self.walks.iter_mut().find(|working| working.walk.id == run)
    }

    /// The walk through this document that is not over.
    pub fn under_way(&self, document: &Document) -> Option<&Working> {
        self.walks.iter().find(|working| working.walk.document.id == document.id && working.open())
    }

    /// What a look shows now.
    pub fn shown(&self, look: &Look, lowest: bool) -> Option<&Pane> {
        self.looks.get(&(look.expr.text().clone(), lowest))
    }

    /// What an item's condition shows now, and whether it holds.
    pub fn sight(&self, condition: &Condition, store: &Store, now: Now) -> Sight {
        Eyes { store, looks: &self.looks, now }.see(condition)
    }

    /// The values that an item is about, as panes.
    pub fn about<'a>(&'a self, item: &'a Item) -> impl Iterator<Item = &'a Pane> {
        looks(item).filter_map(|(look, lowest)| self.shown(look, lowest))
    }

    /// Asks for everything that walks and these documents look at, and forgets the rest.
    fn look(&mut self, more: &[Arc<Document>], board: &mut Board, from: (&Store, &History, &Book), now: Now) {
        let open = self.walks.iter().filter(|working| working.open()).map(|working| &working.walk.document);
        let mut wanted: BTreeMap<Asked, Pane> = BTreeMap::new();
        let again = self.walks.iter().flat_map(|working| &working.again).filter(|again| again.told.is_none());
        let again = again.flat_map(|again| &again.series).map(|series| (&series.look, false));
        for (look, lowest) in open.chain(more).flat_map(|document| &document.items).flat_map(looks).chain(again) {
            let asked = (look.expr.text().clone(), lowest);
            let kept = self.looks.remove(&asked);
            wanted.entry(asked).or_insert_with(|| kept.unwrap_or_else(|| pane(look, lowest)));
        }
        self.looks = wanted;
        board.look(self.looks.values_mut(), from, now);
    }
}

impl Working {
    /// One that is this console's, and as it should be.
    pub(super) const fn new(walk: Walk) -> Self {
        Self { walk, only_look: None, unkept: None, of: None, changes: Vec::new(), again: Vec::new() }
    }

    /// It is not over.
    pub const fn open(&self) -> bool {
        matches!(self.walk.standing, Standing::Running | Standing::Paused)
    }
}

/// Looks at what procedures ask for, and lets every walk take note. Returns the steps to keep.
pub(super) fn tick(model: &mut Model) -> Vec<(Ulid, Vec<Step>)> {
    let now = model.now;
    let more: Vec<Arc<Document>> = match &model.overlay {
        Overlay::Procedure(view) => vec![Arc::clone(&view.document)],
        Overlay::Procedures(_) => model.procedures.known.clone(),
        _ => Vec::new(),
    };
    model.procedures.look(&more, &mut model.board, (&model.store, &model.history, &model.book), now);
    let Procedures { walks, looks, .. } = &mut model.procedures;
    let mut eyes = Eyes { store: &model.store, looks, now };
    let moved = walks.iter_mut().filter(|working| working.only_look.is_none()).map(|working| {
        let steps = working.walk.tick(&mut eyes, now);
        (working.walk.id, steps)
    });
    moved.filter(|(_, steps)| !steps.is_empty()).collect()
}

/// The runner of an action has ended: the item that had asked for it learns how. Returns the steps to keep: none of a
/// walk that nobody has taken up here, which is only shown; it is read anew, with the outcome, by whoever takes it up.
pub(super) fn ended(model: &mut Model, plan: Ulid, outcome: Outcome, why: &Clean) -> Vec<(Ulid, Vec<Step>)> {
    let now = model.now;
    let told = model.procedures.walks.iter_mut().map(|working| {
        let ours = working.only_look.is_none() && working.walk.standing == Standing::Running;
        let steps = working.walk.ended(plan, outcome, why, now);
        (working.walk.id, if ours { steps } else { Vec::new() })
    });
    told.filter(|(_, steps)| !steps.is_empty()).collect()
}
