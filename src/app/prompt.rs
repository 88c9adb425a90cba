//! From a wish to a started runner: the plan comes, the one gate asks, and only its acceptance leads on.

use super::answer::{self, Purpose};
use super::effect::{Effect, Entry};
use super::form::{Field, Fields};
use super::model::{After, Model, Overlay, Request, Wanted};
use super::open_runs;
use super::readings::Snapshot;
use super::run::{self, Run};
use super::walking;
use crate::action::gate::Gate;
use crate::action::mode::{Mode, Standing};
use crate::action::params::Asked;
use crate::action::plan::Plan;
use crate::action::prompt::{Acceptance, Extent, GateEffect, GateInput, GateKey, GateView, Phase, Refusal};
use crate::base::{Clean, Fault, Level, Mono, Now};
use crate::clean;
use crate::command::{Command, Context};
use crate::input::{Key, Lookup, Press, press};
use crate::term::Input;
use std::sync::Arc;

/// A plan on screen, with its gate. A gate that did not open leaves the plan as a preview with the reason.
#[derive(Debug)]
pub struct Prompt {
    gate: Gate,
    /// First line of the plan shown.
    pub scroll: usize,
    /// Why this is only a preview.
    pub preview: Option<Refusal>,
    /// What was asked for; none for arming.
    request: Option<Request>,
    /// The journal knows that it was on screen.
    recorded: bool,
}

impl Prompt {
    /// What is asked.
    pub fn plan(&self) -> &Plan {
        self.gate.plan()
    }

    /// Where the gate stands.
    pub fn view(&self, now: Mono) -> GateView<'_> {
        self.gate.view(now)
    }

    /// True while a frame that shows its plan, or the end of it, must still be handed to the writer.
    pub fn unshown(&self) -> bool {
        let view = self.gate.view(Mono::default());
        self.preview.is_none() && (view.phase == Phase::Draining || !view.read && !self.gate.is_over())
    }

    /// True while time alone moves it on: the fence is awaited, the delay runs.
    pub fn moving(&self) -> bool {
        self.preview.is_none()
            && matches!(self.gate.view(Mono::default()).phase, Phase::Draining | Phase::Fenced | Phase::Arming)
    }
}

/// Asks for a plan of this action; the answer opens the prompt.
pub fn plan(model: &mut Model, action: Arc<str>) -> Vec<Effect> {
    if open_runs::pending(model) { open_runs::first(model) } else { plan_anyway(model, action) }
}

/// The same while the outcome of an earlier run is not known: as what can become of it.
pub fn plan_anyway(model: &mut Model, action: Arc<str>) -> Vec<Effect> {
    if busy(model) {
        return Vec::new();
    }
    let Some(asked) = model.identity.asked.get(&action).filter(|asked| !asked.is_empty()) else {
        return ask(model, Request::of(action));
    };
    let queries: Vec<String> = asked.iter().filter_map(Asked::query).map(str::to_owned).collect();
    let seen = Snapshot::take(&model.store, &queries, model.now);
    let field = |asked: &Asked| {
        let choices = asked.choices(&seen);
        Field { choices, needed: true, ..Field::new(asked.name.clone(), &asked.value(&seen), asked.about(&seen)) }
    };
    let (fields, about) = (asked.iter().map(field).collect(), title(model, &action));
    answer::open(model, Purpose::Plan(action), about, Fields::new(fields, 0))
}

/// Whether an action is not over yet: then it is shown.
fn busy(model: &mut Model) -> bool {
    let busy = model.run.as_ref().is_some_and(|run| !run.ended());
    if busy {
        model.overlay = Overlay::Run;
        model.session.say(clean!("One action at a time: this one is not over yet."), Level::Warning, model.now);
    }
    busy
}

/// The same with values that are given; what is still asked for is asked for.
pub fn plan_with(model: &mut Model, request: Request) -> Vec<Effect> {
    if open_runs::pending(model) {
        return open_runs::first(model);
    }
    if busy(model) {
        return Vec::new();
    }
    let asked = model.identity.asked.get(&request.action);
    let known = |asked: &Asked| request.given.iter().any(|(name, _)| *name == asked.name);
    if asked.is_none_or(|all| all.iter().all(known)) { ask(model, request) } else { plan(model, request.action) }
}

/// The operator has given the values of the open form: the plan is asked for, or the form says which does not fit.
pub fn plan_given(model: &mut Model, action: Arc<str>) -> Vec<Effect> {
    let asked = model.identity.asked.get(&action).cloned().unwrap_or_default();
    let Overlay::Form(form) = &mut model.overlay else { return Vec::new() };
    let given: Vec<(Clean, Clean)> =
        asked.iter().enumerate().map(|(at, asked)| (asked.name.clone(), form.fields.text(at))).collect();
    let wrong = asked.iter().zip(&given).enumerate().find_map(|(at, (asked, (_, text)))| {
        let why = asked.check(text.as_str()).err()?;
        Some((at, why))
    });
    if let Some((at, why)) = wrong {
        form.fields.at = at;
        form.fields.fault = Some(why);
        return Vec::new();
    }
    model.back();
    ask(model, Request { action, given })
}

fn ask(model: &mut Model, request: Request) -> Vec<Effect> {
    let title = title(model, &request.action);
    model.open(Overlay::Planning(Wanted::Action(request.clone()), title));
    vec![Effect::Plan(request)]
}

fn title(model: &Model, action: &Arc<str>) -> Clean {
    run::title(model, action)
}

/// The plan has come.
pub fn planned(model: &mut Model, request: Request, plan: Result<Box<Plan>, Fault>) -> Vec<Effect> {
    // Somebody else's answer: the operator went back, or asked for another one since.
    if !matches!(&model.overlay, Overlay::Planning(Wanted::Action(wanted), _) if *wanted == request) {
        return Vec::new();
    }
    match plan {
        Ok(plan) => open(model, *plan, Some(request)),
        Err(fault) => {
            model.back();
            model.session.say(clean!("No plan: {fault}"), Level::Warning, model.now);
            vec![Effect::Record(Entry::NoPlan { action: request.action, why: fault.what })]
        }
    }
}

/// The arming key: back to OBSERVE, or the prompt that arms.
pub fn arm(model: &mut Model) -> Vec<Effect> {
    match model.session.mode {
        Mode::Armed { .. } => disarm(model, "asked"),
        Mode::ReadOnly => {
            model.session.say(clean!("This console is read-only: nothing arms it."), Level::Warning, model.now);
            Vec::new()
        }
        Mode::Observe => {
            model.session.after_arming = match &model.overlay {
                Overlay::Prompt(prompt) => {
                    let takes_over = prompt.plan().takes_over().map(After::TakeOver);
                    prompt.request.clone().map(After::Action).or(takes_over)
                }
                _ => None,
            };
            model.open(Overlay::Planning(Wanted::Arming, Clean::from("Arm this console")));
            vec![Effect::PlanArming]
        }
    }
}

/// The arming plan has come.
pub fn open_arming(model: &mut Model, plan: Plan) -> Vec<Effect> {
    if !matches!(model.overlay, Overlay::Planning(Wanted::Arming, _)) {
        return Vec::new();
    }
    open(model, plan, None)
}

/// Back to OBSERVE, with a record.
pub fn disarm(model: &mut Model, why: &'static str) -> Vec<Effect> {
    if !matches!(model.session.mode, Mode::Armed { .. }) {
        return Vec::new();
    }
    model.session.mode = model.session.mode.disarm();
    model.session.say(clean!("Back to OBSERVE."), Level::Note, model.now);
    let recorded = Effect::Record(Entry::Disarmed { why });
    [recorded].into_iter().chain(run::before_its_first_effect(model).map(Effect::Disarm)).collect()
}

/// What every record of a plan calls its action.
fn act(plan: &Plan) -> Clean {
    clean!("{} ({})", plan.what.action, plan.what.kind)
}

fn open(model: &mut Model, plan: Plan, request: Option<Request>) -> Vec<Effect> {
    let standing = Standing { mode: model.session.mode, support: model.session.support, size: model.size };
    let (gate, effects) = Gate::open(plan, standing, model.now.mono);
    let refused = effects.iter().find_map(|effect| match effect {
        GateEffect::Refused(refusal) => Some(refusal.clone()),
        _ => None,
    });
    let unrecorded = model.session.trail.unrecorded.as_ref();
    let preview = unrecorded.map(|fault| Refusal::Unrecorded(clean!("{fault}"))).or(refused);
    let out = match &preview {
        Some(why) => {
            let (act, plan) = (act(gate.plan()), gate.plan().id);
            vec![Effect::Record(Entry::Previewed { act, plan, why: clean!("{why}") })]
        }
        None => follow(model, effects),
    };
    model.open(Overlay::Prompt(Box::new(Prompt { gate, scroll: 0, preview, request, recorded: false })));
    out
}

/// An accepted plan whose runner was not started, as a preview: what it would have done can be copied.
pub fn not_started(model: &mut Model, plan: Plan, fault: &Fault) {
    let standing = Standing { mode: Mode::ReadOnly, support: model.session.support, size: model.size };
    let (gate, _) = Gate::open(plan, standing, model.now.mono);
    let preview = Some(Refusal::Unrecorded(clean!("{fault}")));
    model.open(Overlay::Prompt(Box::new(Prompt { gate, scroll: 0, preview, request: None, recorded: true })));
}

/// A frame with the prompt was handed to the writer, which shows so much of its plan.
pub fn submitted(model: &mut Model, extent: Extent) -> Vec<Effect> {
    let mut out = hand(model, GateInput::Submitted(extent), model.now.mono);
    if let Overlay::Prompt(prompt) = &mut model.overlay
        && !core::mem::replace(&mut prompt.recorded, true)
    {
        let plan = prompt.gate.plan();
        out.push(Effect::Record(Entry::Prompted { act: act(plan), plan: plan.id, digest: plan.digest() }));
    }
    out
}

/// Time has passed.
pub fn tick(model: &mut Model) -> Vec<Effect> {
    let now = model.now.mono;
    let Overlay::Prompt(prompt) = &mut model.overlay else { return Vec::new() };
    if prompt.preview.is_some() {
        return Vec::new();
    }
    let effects = prompt.gate.tick(now);
    follow(model, effects)
}

/// The display takes nothing.
pub fn stalled(model: &mut Model) -> Vec<Effect> {
    hand(model, GateInput::Stalled, model.now.mono)
}

/// The console is no longer armed.
pub fn lapsed(model: &mut Model) -> Vec<Effect> {
    hand(model, GateInput::Lapsed, model.now.mono)
}

/// Something came from the terminal while a prompt is open. `at` is when it was read.
pub fn on_input(model: &mut Model, at: Now, input: &Input) -> Vec<Effect> {
    let Overlay::Prompt(prompt) = &mut model.overlay else { return Vec::new() };
    if prompt.preview.is_some() {
        return match input {
            Input::Key(key) => on_preview_key(model, key),
            _ => Vec::new(),
        };
    }
    let gate_input = match input {
        Input::Key(key) => {
            let press = press(key);
            scroll(&mut prompt.scroll, press);
            gate_input(press)
        }
        Input::Paste { .. } => GateInput::Paste,
        Input::Focus(_) => GateInput::Focus,
        Input::Resize(width, height) => GateInput::Resize(*width, *height),
        Input::Fence(id) => GateInput::Fence(*id),
        Input::Suspended | Input::Resumed => GateInput::Suspended,
        Input::HungUp | Input::Stop(_) => GateInput::HungUp,
        Input::Reload => return Vec::new(),
    };
    hand(model, gate_input, at.mono)
}

fn on_preview_key(model: &mut Model, key: &Key) -> Vec<Effect> {
    if let Overlay::Prompt(prompt) = &mut model.overlay {
        scroll(&mut prompt.scroll, press(key));
    }
    match model.keymap.feed(Context::Overlay, key) {
        Lookup::Found(Command::Arm) => arm(model),
        Lookup::Found(Command::Back | Command::Quit) => {
            model.back();
            Vec::new()
        }
        Lookup::Found(Command::Copy) => {
            let Overlay::Prompt(prompt) = &model.overlay else { return Vec::new() };
            vec![Effect::Copy(prompt.plan().what.lines.clone())]
        }
        Lookup::Found(_) | Lookup::Pending | Lookup::Unbound => Vec::new(),
    }
}

fn gate_input(press: Press) -> GateInput {
    GateInput::Key(match press {
        Press::Char(c) => GateKey::Char(c),
        Press::Enter => GateKey::Enter,
        Press::Backspace => GateKey::Backspace,
        Press::Cancel => GateKey::Cancel,
        Press::Scroll(_) => GateKey::Scroll,
        Press::Delete
        | Press::DropWord
        | Press::DropAll
        | Press::Left
        | Press::Right
        | Press::Field(_)
        | Press::Other => GateKey::Other,
        Press::Repeat => return GateInput::Repeat,
    })
}

fn scroll(first: &mut usize, press: Press) {
    if let Press::Scroll(lines) = press {
        *first = first.saturating_add_signed(lines).min(LONGEST);
    }
}

/// No plan has more lines.
const LONGEST: usize = 10_000;

fn hand(model: &mut Model, input: GateInput, at: Mono) -> Vec<Effect> {
    let Overlay::Prompt(prompt) = &mut model.overlay else { return Vec::new() };
    if prompt.preview.is_some() {
        return Vec::new();
    }
    let effects = prompt.gate.handle(input, at);
    follow(model, effects)
}

fn follow(model: &mut Model, effects: Vec<GateEffect>) -> Vec<Effect> {
    let mut out = Vec::new();
    for effect in effects {
        match effect {
            GateEffect::Discard => out.push(Effect::DiscardInput),
            GateEffect::Fence(id) => out.push(Effect::Fence(id)),
            GateEffect::Accepted(acceptance) => out.extend(accepted(model, acceptance)),
            GateEffect::Refused(refusal) => out.extend(refused(model, &refusal)),
        }
    }
    out
}

fn accepted(model: &mut Model, acceptance: Box<Acceptance>) -> Vec<Effect> {
    let request = match &model.overlay {
        Overlay::Prompt(prompt) => prompt.request.clone(),
        _ => None,
    };
    model.back();
    // What was typed beyond the answer is no command.
    model.session.deaf_until = model.now.mono;
    if acceptance.plan.is_arming() {
        model.session.mode = model.session.mode.arm(model.now.mono);
        model.session.say(
            clean!("ARMED: actions can be confirmed until 15 minutes pass without a key."),
            Level::Warning,
            model.now,
        );
        let mut out = vec![Effect::Record(Entry::Armed { confirm: acceptance.confirm })];
        match model.session.after_arming.take() {
            Some(After::Action(request)) => out.extend(ask(model, request)),
            Some(After::TakeOver(run)) => out.extend(walking::resume(model, run)),
            None => {}
        }
        return out;
    }
    if let Some(run) = acceptance.plan.takes_over() {
        return vec![Effect::ResumeWalk(run)];
    }
    // A procedure tells in its own place how its action goes.
    if !matches!(model.overlay, Overlay::Procedure(_)) {
        model.open(Overlay::Run);
    }
    if model.run.as_ref().is_some_and(|run| !run.ended()) {
        model.session.say(clean!("One action at a time: this one is not over yet."), Level::Warning, model.now);
        return Vec::new();
    }
    model.run = Some(Run::new(Box::new(acceptance.plan.clone()), None, model.now.mono));
    let mut out = request.map_or_else(Vec::new, |request| walking::launched(model, &acceptance.plan, &request));
    out.push(Effect::Launch(acceptance));
    out
}

fn refused(model: &mut Model, refusal: &Refusal) -> Vec<Effect> {
    let Overlay::Prompt(prompt) = core::mem::take(&mut model.overlay) else { return Vec::new() };
    model.back();
    let title = prompt.plan().what.title.clone();
    model.session.after_arming = None;
    model.session.deaf_until = model.now.mono;
    model.session.say(clean!("{title}: {refusal}"), Level::Note, model.now);
    let confirm = prompt.gate.confirm(model.now.mono);
    let entry = Entry::Refused { act: act(prompt.plan()), plan: prompt.plan().id, confirm, why: clean!("{refusal}") };
    vec![Effect::DiscardInput, Effect::Record(entry)]
}
