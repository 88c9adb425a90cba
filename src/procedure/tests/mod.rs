//! Walks over made documents, with a clock and senses that the test sets.

mod course;
mod queue;
mod streams;

use super::document::{
    Answer, Ask, Beside, Comparison, Condition, Document, Escalate, Expect, Item, Live, Look, Subject, Wait,
};
use super::walk::{Said, Senses, Sight, Standing, State, Step, Turn, Walk};
use crate::action::lifecycle::Outcome;
use crate::base::{Clean, Mono, Now, Ulid, Unit, Wall};
use crate::clean;
use crate::rules::expr::Expr;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

/// An item of this name and kind, at depth 2.
pub(super) fn item(id: &str, live: Live) -> Item {
    Item {
        id: id.into(),
        title: Clean::text(id),
        prose: Vec::new(),
        code: Vec::new(),
        depth: 2,
        page: 0,
        line: 1,
        memory: false,
        live,
        show: Vec::new(),
        beside: Beside::default(),
        failed: None,
        go: None,
        valid_for: SECOND * 60,
        watch: None,
    }
}

/// A condition over the value of this name, which must hold so many seconds.
pub(super) fn holds(name: &str, seconds: u64) -> Condition {
    let label = Clean::text(name);
    let look = Look { label, expr: Expr::parse("up").expect("an expression"), unit: Unit::Ratio };
    let expect = Expect::Number(Comparison::Less, 0.85);
    Condition { of: Subject::Query(look), expect, hold: SECOND * u32::try_from(seconds).unwrap() }
}

pub(super) fn check(id: &str) -> Item {
    item(id, Live::Check(holds(id, 0)))
}

pub(super) fn read(id: &str) -> Item {
    item(id, Live::Read)
}

pub(super) fn deeper(item: Item) -> Item {
    Item { depth: item.depth + 1, ..item }
}

pub(super) fn document(items: Vec<Item>) -> Arc<Document> {
    Arc::new(Document {
        id: "made".into(),
        title: "Made".into(),
        file: "made.md".into(),
        sha256: String::new(),
        symptoms: Vec::new(),
        alerts: Vec::new(),
        consequences: Vec::new(),
        time_box: Some(SECOND * 300),
        severity: None,
        read_only: false,
        order: None,
        unused: (Vec::new(), 0),
        about: Vec::new(),
        items,
        faults: Vec::new(),
    })
}

/// What is seen, by name: whether it holds, and when that was observed.
#[derive(Default)]
pub(super) struct World(pub(super) HashMap<Clean, (Option<bool>, Mono)>);

impl Senses for World {
    fn see(&mut self, condition: &Condition) -> Sight {
        let Subject::Query(look) = &condition.of else { panic!("answers are not looked for outside") };
        let (holds, seen) = self.0.get(&look.label).copied().unwrap_or_default();
        Sight { text: clean!("{holds:?}"), holds, seen }
    }
}

/// One walk with its clock, its world and all its steps.
pub(super) struct Bench {
    pub(super) walk: Walk,
    pub(super) world: World,
    pub(super) now: Now,
    pub(super) steps: Vec<Step>,
}

impl Bench {
    pub(super) fn new(items: Vec<Item>) -> Self {
        let now = Now { mono: Mono(1_000_000_000), wall: Wall(1_795_230_767_000_000_000) };
        let (walk, steps) = Walk::begin(Ulid(7), document(items), &"oncall".into(), now);
        Self { walk, world: World::default(), now, steps }
    }

    pub(super) fn pass(&mut self, by: Duration) {
        self.now = Now { mono: self.now.mono + by, wall: self.now.wall.ahead(by) };
    }

    /// The value of this name is seen now.
    pub(super) fn see(&mut self, name: &str, holds: Option<bool>) {
        self.world.0.insert(Clean::text(name), (holds, self.now.mono));
    }

    pub(super) fn tick(&mut self) -> Vec<Step> {
        let steps = self.walk.tick(&mut self.world, self.now);
        self.steps.extend(steps.clone());
        steps
    }

    /// A second later, it is seen and looked at.
    pub(super) fn second(&mut self, name: &str, holds: Option<bool>) {
        self.pass(SECOND);
        self.see(name, holds);
        self.tick();
    }

    pub(super) fn say(&mut self, said: Said) -> Result<Vec<Step>, Clean> {
        let steps = self.walk.say(said, &"oncall".into(), self.now)?;
        self.steps.extend(steps.clone());
        Ok(steps)
    }

    pub(super) fn observed(&mut self, text: &str) -> Result<Vec<Step>, Clean> {
        self.say(Said::Observed(Clean::text(text)))
    }

    pub(super) fn ended(&mut self, plan: u128, outcome: Outcome) -> Vec<Step> {
        let steps = self.walk.ended(Ulid(plan), outcome, &"its reason".into(), self.now);
        self.steps.extend(steps.clone());
        steps
    }

    /// The ids of all items with the state that they have.
    pub(super) fn words(&self) -> Vec<String> {
        let ids = self.walk.document.items.iter().map(|item| item.id.clone());
        ids.enumerate().map(|(at, id)| format!("{id} {}", self.walk.word(at)).trim_end().to_owned()).collect()
    }

    pub(super) fn current(&self) -> &str {
        self.walk.document.items.get(self.walk.current).map_or("", |item| &item.id)
    }

    /// Its file says the same as it does.
    pub(super) fn same_as_its_steps(&self) -> Result<(), String> {
        let again =
            Walk::replay(self.walk.id, Arc::clone(&self.walk.document), &self.steps).map_err(|e| e.to_string())?;
        let kept = |walk: &Walk| {
            let mut marks = walk.marks.clone();
            for mark in &mut marks {
                (mark.held_since, mark.confirmed) = (None, None);
            }
            (marks, walk.current, walk.standing.clone(), walk.why.clone(), walk.begun, walk.epoch)
        };
        if kept(&again) == kept(&self.walk) { Ok(()) } else { Err(format!("{again:#?}\nis not\n{:#?}", self.walk)) }
    }
}
