//! From a wish to a started runner: the plan comes, the one gate asks, and only its acceptance leads on.

use super::effect::{Effect, Entry};
use super::model::{Model, Overlay};
use super::run::Run;
use crate::action::gate::Gate;
use crate::action::mode::{Mode, Standing};
use crate::action::plan::Plan;
use crate::action::prompt::{Acceptance, GateEffect, GateInput, GateKey, GateView, Phase, Refusal};
use crate::base::{Fault, Level, Mono, Now};
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
    /// The profile's name of the action; none for arming.
    action: Option<Arc<str>>,
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

    /// True while a frame with the prompt must still be handed to the writer.
    pub fn unshown(&self) -> bool {
        self.preview.is_none() && self.gate.view(Mono::default()).phase == Phase::Draining
    }

    /// When the gate has something to do next.
    pub fn next(&self) -> Option<Mono> {
        if self.preview.is_some() { None } else { self.gate.next() }
    }
}

/// Asks for a plan of this action; the answer opens the prompt.
pub fn plan(model: &mut Model, action: Arc<str>) -> Vec<Effect> {
    if model.run.as_ref().is_some_and(|run| !run.ended()) {
        model.overlay = Overlay::Run;
        model.session.say(clean!("One action at a time: this one is not over yet."), Level::Warning, model.now);
        return Vec::new();
    }
    let title = model.action_title(Some(&action)).cloned().unwrap_or_else(|| clean!("{action}"));
    model.overlay = Overlay::Planning(title);
    vec![Effect::Plan(action)]
}

/// The plan has come.
pub fn planned(model: &mut Model, action: Arc<str>, plan: Result<Box<Plan>, Fault>) -> Vec<Effect> {
    if !matches!(model.overlay, Overlay::Planning(_)) {
        return Vec::new();
    }
    match plan {
        Ok(plan) => open(model, *plan, Some(action)),
        Err(fault) => {
            model.overlay = Overlay::None;
            model.session.say(clean!("No plan: {fault}"), Level::Warning, model.now);
            vec![Effect::Record(Entry::NoPlan { action, why: fault.what })]
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
            if let Overlay::Prompt(prompt) = &model.overlay {
                model.session.after_arming.clone_from(&prompt.action);
            }
            vec![Effect::PlanArming]
        }
    }
}

/// The arming plan has come.
pub fn open_arming(model: &mut Model, plan: Plan) -> Vec<Effect> {
    open(model, plan, None)
}

/// Back to OBSERVE, with a record.
pub fn disarm(model: &mut Model, why: &'static str) -> Vec<Effect> {
    if !matches!(model.session.mode, Mode::Armed { .. }) {
        return Vec::new();
    }
    model.session.mode = model.session.mode.disarm();
    model.session.say(clean!("Back to OBSERVE."), Level::Note, model.now);
    vec![Effect::Record(Entry::Disarmed { why })]
}

fn open(model: &mut Model, plan: Plan, action: Option<Arc<str>>) -> Vec<Effect> {
    let standing = Standing { mode: model.session.mode, support: model.session.support, size: model.size };
    let (gate, effects) = Gate::open(plan, standing, model.now.mono);
    let preview = effects.iter().find_map(|effect| match effect {
        GateEffect::Refused(refusal) => Some(refusal.clone()),
        _ => None,
    });
    let recorded = match &preview {
        Some(why) => Entry::Previewed { plan: gate.plan().id, why: clean!("{why}") },
        None => Entry::Prompted { plan: gate.plan().id, digest: gate.plan().digest() },
    };
    let carried = if preview.is_some() { Vec::new() } else { follow(model, effects) };
    model.overlay = Overlay::Prompt(Box::new(Prompt { gate, scroll: 0, preview, action }));
    let mut out = vec![Effect::Record(recorded)];
    out.extend(carried);
    out
}

/// A frame with the prompt was handed to the writer; `whole` when nothing of it was cut.
pub fn submitted(model: &mut Model, whole: bool) -> Vec<Effect> {
    hand(model, GateInput::Submitted { whole }, model.now.mono)
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
        Input::Paste(_) => GateInput::Paste,
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
            model.overlay = Overlay::None;
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
        Press::Other => GateKey::Other,
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
    model.overlay = Overlay::None;
    if acceptance.plan.is_arming() {
        model.session.mode = model.session.mode.arm(model.now.mono);
        model.session.say(
            clean!("ARMED: actions can be confirmed until 15 minutes pass without a key."),
            Level::Warning,
            model.now,
        );
        let mut out = vec![Effect::Record(Entry::Armed { confirm: acceptance.confirm })];
        if let Some(action) = model.session.after_arming.take() {
            out.extend(plan(model, action));
        }
        return out;
    }
    model.overlay = Overlay::Run;
    model.run = Some(Run { plan: Box::new(acceptance.plan.clone()), progress: None, since: model.now.mono });
    vec![Effect::Launch(acceptance)]
}

fn refused(model: &mut Model, refusal: &Refusal) -> Vec<Effect> {
    let Overlay::Prompt(prompt) = core::mem::take(&mut model.overlay) else { return Vec::new() };
    let title = prompt.plan().what.title.clone();
    model.session.after_arming = None;
    model.session.say(clean!("{title}: {refusal}"), Level::Note, model.now);
    let confirm = prompt.gate.confirm(model.now.mono);
    vec![Effect::Record(Entry::Refused { plan: prompt.plan().id, confirm, why: clean!("{refusal}") })]
}
