//! The action under way, as its runner reports it, and how the operator lets go of it.

use super::board::Mark;
use super::commands;
use super::effect::{Effect, Entry};
use super::model::{Model, Overlay};
use super::msg::Msg;
use super::open_runs;
use super::prompt;
use super::walking;
use crate::action::back;
use crate::action::fresh_start;
use crate::action::kinds;
use crate::action::lifecycle::{End, Outcome, Progress, State};
use crate::action::manager::Manager;
use crate::action::mode::Mode;
use crate::action::plan::Plan;
use crate::action::recover::{Standing, Unresolved};
use crate::base::{Clean, Fault, Level, Mono, Ulid, Wall};
use crate::clean;
use crate::input::{Press, press};
use crate::term::Input;
use std::sync::Arc;

/// One accepted plan and what has become of it.
#[derive(Debug)]
pub struct Run {
    /// What was accepted.
    pub plan: Box<Plan>,
    /// The runner's newest word; `None` until it has spoken.
    pub progress: Option<Box<Progress>>,
    /// When it was accepted.
    pub since: Mono,
    /// The newest lines of what its programs said.
    pub output: Vec<Clean>,
    /// The operator is asked whether it goes on.
    pub asking: bool,
}

impl Run {
    /// A run of this plan, which was accepted or found at `since`.
    pub const fn new(plan: Box<Plan>, progress: Option<Box<Progress>>, since: Mono) -> Self {
        Self { plan, progress, since, output: Vec::new(), asking: false }
    }

    /// True once the runner has written an outcome.
    pub fn ended(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| progress.end.is_some())
    }
}

/// How a run ended while no console followed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// Of the action.
    pub title: Clean,
    /// When.
    pub at: Wall,
    /// How.
    pub end: End,
}

/// What the runner's side tells.
pub fn on_msg(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Launched(Err(fault)) => {
            let plan = model.run.take().map(|run| *run.plan);
            if matches!(model.overlay, Overlay::Run) {
                model.back();
            }
            let text = clean!("The runner did not start: {fault}");
            let mut told = Vec::new();
            if let Some(plan) = plan {
                told = walking::acted(model, plan.id, Outcome::Refused, &text);
                prompt::not_started(model, plan, &fault);
            }
            model.session.say(text, Level::Critical, model.now);
            return told;
        }
        Msg::NotStopped(fault) => {
            model.session.say(clean!("Its runner was not asked to end it: {fault}"), Level::Critical, model.now);
        }
        Msg::Output(lines) => {
            if let Some(run) = &mut model.run {
                run.output = lines;
            }
        }
        Msg::Effects(marks) => {
            for mark in marks {
                model.board.mark(mark);
            }
        }
        Msg::Progress(progress) => return on_progress(model, progress),
        Msg::Recovered(found, faults) => return recovered(model, found, &faults),
        Msg::EndedAlone(ended) => return ended_alone(model, ended),
        Msg::Settled(plan, done) => return open_runs::settled(model, plan, done),
        _ => {}
    }
    Vec::new()
}

fn on_progress(model: &mut Model, progress: Box<Progress>) -> Vec<Effect> {
    let Some(run) = model.run.as_mut().filter(|run| run.plan.id == progress.plan) else { return Vec::new() };
    let mut told = Vec::new();
    let (plan, ended, mut over) = (run.plan.id, run.ended(), None);
    if let Some(end) = progress.end.as_ref().filter(|_| !ended) {
        let text = clean!("{}: {}. {}", run.plan.what.title, end.outcome, end.reason);
        model.session.say(text.clone(), level(end.outcome), model.now);
        told.push(Effect::Log(text));
        over = Some((end.outcome, commands::said(&run.plan.what.action, &progress, end.reason.clone())));
    }
    if let Some(effect) = progress.effect {
        model.board.mark(Mark { at: effect.mono, title: run.plan.what.title.clone() });
    }
    run.progress = Some(progress);
    if let Some((outcome, why)) = over {
        if outcome != Outcome::Refused && back::has(&run.plan) {
            model.session.survey.was_done(&run.plan, model.now.wall);
        }
        told.extend(walking::acted(model, plan, outcome, &why));
    }
    told
}

/// What earlier consoles left: the newest run that goes on is followed, of all the sentence is told, newest first.
fn recovered(model: &mut Model, found: Vec<Unresolved>, faults: &[Fault]) -> Vec<Effect> {
    let unread = faults.iter().map(|fault| clean!("a run of an earlier console cannot be read: {fault}"));
    let told: Vec<Clean> = found.iter().rev().map(Unresolved::sentence).chain(unread).collect();
    if let Some(text) = told.iter().cloned().reduce(|all, one| all.join(" ", &one)) {
        model.session.say_left(text, false, model.now);
    }
    open_runs::found(model, &found);
    let attached = found.into_iter().rfind(|open| matches!(open.standing, Standing::Attach { .. }));
    if let Some(open) = attached.filter(|_| model.run.is_none()) {
        let progress = open.progress.map(Box::new);
        model.run = Some(Run::new(Box::new(open.plan), progress, model.now.mono));
    }
    told.into_iter().map(Effect::Log).collect()
}

fn ended_alone(model: &mut Model, ended: Vec<Ended>) -> Vec<Effect> {
    let told: Vec<Clean> = ended
        .into_iter()
        .map(|Ended { title, at, end }| {
            let at = model.clock_zone(at);
            clean!("{title}: {} at {at}, while no console followed it. {}", end.outcome, end.reason)
        })
        .collect();
    if let Some(newest) = told.last().cloned() {
        model.session.say_left(newest, false, model.now);
    }
    told.into_iter().map(Effect::Log).collect()
}

fn level(outcome: Outcome) -> Level {
    match outcome {
        Outcome::Succeeded => Level::Ok,
        Outcome::Failed | Outcome::Indeterminate => Level::Critical,
        Outcome::Unverified | Outcome::Refused => Level::Warning,
    }
}

/// The action that takes back what the run on screen has done, once that is over.
pub fn way_back(model: &Model) -> Option<Arc<str>> {
    let run = model.run.as_ref()?;
    let end = run.progress.as_ref()?.end.as_ref()?;
    // What was refused has done nothing.
    let done = end.outcome != Outcome::Refused;
    Some(&run.plan).filter(|_| done).and_then(|plan| back_of(model, plan))
}

/// The action that takes back what such a plan has just done: the one that the profile names, else one that the run itself
/// names.
fn back_of(model: &Model, plan: &Plan) -> Option<Arc<str>> {
    declared(model, plan).or_else(|| own_back(plan))
}

/// The same of a run of some time ago: what the profile names takes back the newest run of its action, which this may not be.
pub fn back_of_earlier(model: &Model, plan: &Plan) -> Option<Arc<str>> {
    own_back(plan).or_else(|| declared(model, plan))
}

fn declared(model: &Model, plan: &Plan) -> Option<Arc<str>> {
    model.identity.ways_back.get(plan.what.action.as_str()).cloned()
}

fn own_back(plan: &Plan) -> Option<Arc<str>> {
    back::has(plan).then(|| back::name(plan.id).into())
}

/// The service that the run on screen has left failed, and its plan.
fn left_failed(model: &Model) -> Option<(&Plan, &Manager)> {
    let run = model.run.as_ref().filter(|run| run.ended())?;
    Some((&run.plan, run.progress.as_ref()?.failed.as_ref()?))
}

/// The action that resets and starts what the run on screen has left failed: the profile's own, else the built-in one.
pub fn fresh_start(model: &Model) -> Option<Arc<str>> {
    let (plan, service) = left_failed(model)?;
    let declared = model.identity.fresh_starts.get(service.service().unit()).cloned();
    declared.or_else(|| Some(fresh_start::name(plan.id).into()))
}

/// The key for it.
pub(super) fn start_afresh(model: &mut Model) -> Vec<Effect> {
    match fresh_start(model).filter(|_| matches!(model.overlay, Overlay::Run)) {
        Some(action) => prompt::plan(model, action),
        None => {
            let text = clean!("Only an action that left its unit failed has something to reset and start.");
            model.session.say(text, Level::Note, model.now);
            Vec::new()
        }
    }
}

/// The plan and the service that the built-in action of this name resets and starts.
pub fn started_afresh<'a>(model: &'a Model, action: &str) -> Option<(&'a Plan, &'a Manager)> {
    let id = fresh_start::of(action)?;
    left_failed(model).filter(|(plan, _)| plan.id == id)
}

/// The plan whose run this action takes back, as far as it is known here.
pub fn taken_back<'a>(model: &'a Model, action: &str) -> Option<&'a Plan> {
    let id = back::of(action)?;
    let session = &model.session;
    let ours = model.run.iter().map(|run| &*run.plan);
    let done = session.survey.done.iter().map(|done| &*done.plan);
    ours.chain(done).chain(session.open_runs.iter().map(|open| &open.plan)).find(|plan| plan.id == id)
}

/// What an action is called, also where no profile names it.
pub fn title(model: &Model, action: &str) -> Clean {
    match (model.action_title(Some(action)), taken_back(model, action)) {
        (Some(title), _) => title.clone(),
        (None, Some(plan)) => clean!("Take back: {}", plan.what.title),
        (None, None) => match started_afresh(model, action) {
            Some((_, service)) => fresh_start::title(service),
            None => Clean::text(action),
        },
    }
}

/// Whether keys are an answer to what becomes of the action.
pub fn asks(model: &Model) -> bool {
    matches!(model.overlay, Overlay::Run) && model.run.as_ref().is_some_and(|run| run.asking && !run.ended())
}

/// The plan of the action under way that has had no effect yet, as far as its runner has told.
pub fn before_its_first_effect(model: &Model) -> Option<Ulid> {
    let run = model.run.as_ref()?;
    let begun = run.progress.as_ref().is_some_and(|told| told.state >= State::Intent);
    (!begun).then_some(run.plan.id)
}

/// Ctrl-C never kills a running action: it asks. False where there is none to ask about.
pub fn interrupt(model: &mut Model) -> bool {
    let open = matches!(model.overlay, Overlay::Run);
    let Some(run) = model.run.as_mut().filter(|run| open && !run.ended()) else { return false };
    run.asking = true;
    true
}

/// What can be asked of a program that is spared.
const NEVER: &str = "Its program is never ended and goes on (kill = \"never\"): its runner begins nothing after it.";

/// The answer: `t` ends the action, `d` leaves it and the console, anything else keeps it.
pub fn on_input(model: &mut Model, input: &Input) -> Vec<Effect> {
    let Input::Key(key) = input else { return Vec::new() };
    let pressed = press(key);
    let read_only = model.session.mode == Mode::ReadOnly;
    let Some(run) = model.run.as_mut() else { return Vec::new() };
    if pressed == Press::Repeat {
        return Vec::new();
    }
    run.asking = false;
    match pressed {
        Press::Char('d') => vec![Effect::Quit],
        Press::Char('t') if read_only => {
            model.session.say(clean!("This console is read-only: it ends nothing."), Level::Warning, model.now);
            Vec::new()
        }
        Press::Char('t') if !matches!(model.session.mode, Mode::Armed { .. }) => {
            let text = clean!("Only an armed console ends it: A arms this one.");
            model.session.say(text, Level::Warning, model.now);
            Vec::new()
        }
        Press::Char('t') if run.plan.support > model.session.support => {
            let needed = run.plan.support;
            model.session.say(clean!("Ending it needs support level {needed}."), Level::Warning, model.now);
            Vec::new()
        }
        Press::Char('t') => {
            let plan = run.plan.id;
            let spared = kinds::of(&run.plan).is_ok_and(|kind| kind.spares(&run.plan));
            model.session.say(
                clean!("{}", if spared { NEVER } else { "Its runner is asked to end it." }),
                Level::Warning,
                model.now,
            );
            vec![Effect::Record(Entry::Stopped { plan }), Effect::Stop(plan)]
        }
        _ => Vec::new(),
    }
}
