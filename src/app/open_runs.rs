//! Runs of earlier consoles whose outcome nobody knows: what is observed of each now, and the operator's word on it. They
//! are seen to before another action is planned; nothing is ever run again by itself.

use super::answer::{self, Purpose};
use super::effect::Effect;
use super::form::{Field, Fields};
use super::model::{Model, Overlay};
use super::prompt;
use super::run;
use crate::action::mode::Mode;
use crate::action::recover::{Standing, Unresolved};
use crate::base::{Clean, Fault, Level, Support, Ulid};
use crate::clean;
use std::sync::Arc;

/// What can become of such a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Its outcome is settled, with a reason.
    Mark,
    /// A plan of the action that takes it back.
    Back(Arc<str>),
    /// A plan of the same action, as things stand now.
    Again(Arc<str>),
}

/// What the newest look found: those that need a word are kept, and shown unless something else is on screen.
pub fn found(model: &mut Model, found: &[Unresolved]) {
    let open = |run: &&Unresolved| matches!(run.standing, Standing::Unknown(_) | Standing::NothingDone);
    model.session.open_runs = found.iter().filter(open).cloned().collect();
    if pending(model) && matches!(model.overlay, Overlay::None) {
        model.open(Overlay::OpenRuns(0));
    }
}

/// Whether one of them must be seen to first. A console that only looks sees to nothing.
pub fn pending(model: &Model) -> bool {
    model.session.mode != Mode::ReadOnly && !model.session.open_runs.is_empty()
}

/// Shows them instead of the plan that was asked for.
pub fn first(model: &mut Model) -> Vec<Effect> {
    model.open(Overlay::OpenRuns(0));
    model.session.say("First: what became of this one?".into(), Level::Warning, model.now);
    Vec::new()
}

/// Every way of every run, in the order of the list.
pub fn choices(model: &Model) -> Vec<(&Unresolved, Way)> {
    let known = |name: &str| model.identity.actions.iter().find(|(known, _)| **known == *name).map(|(name, _)| name);
    let ways = |open: &Unresolved| {
        let back = run::back_of_earlier(model, &open.plan).map(Way::Back);
        let again = known(&open.action()).map(|name| Way::Again(Arc::clone(name)));
        [Some(Way::Mark), back, again].into_iter().flatten()
    };
    model.session.open_runs.iter().flat_map(|open| ways(open).map(move |way| (open, way))).collect()
}

/// Enter on the list.
pub fn choose(model: &mut Model, at: usize) -> Vec<Effect> {
    let chosen = choices(model)
        .into_iter()
        .nth(at)
        .map(|(run, way)| (run.plan.id, run.plan.support.max(Support::L1), run.sentence(), way));
    let Some((plan, support, sentence, way)) = chosen else { return Vec::new() };
    match way {
        _ if model.session.mode == Mode::ReadOnly => {
            model.session.say("This console is read-only: it settles nothing.".into(), Level::Warning, model.now);
            Vec::new()
        }
        Way::Mark if model.session.support < support => {
            let text = clean!("Settling it needs support level {support}.");
            model.session.say(text, Level::Warning, model.now);
            Vec::new()
        }
        Way::Back(action) | Way::Again(action) => prompt::plan_anyway(model, action),
        Way::Mark => {
            let mut reason = Field::new("reason", &Clean::default(), "what became of it, and how you know");
            reason.needed = true;
            answer::open(model, Purpose::Settle(plan), sentence, Fields::new(vec![reason], 0))
        }
    }
}

/// The reason was given.
pub fn settle(model: &mut Model, plan: Ulid, reason: Clean) -> Vec<Effect> {
    model.back();
    vec![Effect::Settle { plan, reason }]
}

/// It is written down, or could not be.
pub fn settled(model: &mut Model, plan: Ulid, done: Result<(), Fault>) -> Vec<Effect> {
    match done {
        Err(fault) => model.session.say(clean!("Not settled: {fault}"), Level::Critical, model.now),
        Ok(()) => {
            model.session.open_runs.retain(|run| run.plan.id != plan);
            model.session.say("Settled, and in the journal.".into(), Level::Ok, model.now);
            if model.session.open_runs.is_empty() && matches!(model.overlay, Overlay::OpenRuns(_)) {
                model.back();
            }
        }
    }
    Vec::new()
}
