//! What the operator says to a procedure. It only walks: what acts goes through the one gate, and its outcome comes back.
//! Long because each word to a walk, and each answer of its keeper, has its place here.

use super::again::{self, Again};
use super::answer::{self, Purpose};
use super::commands;
use super::effect::Effect;
use super::excerpt;
use super::figures;
use super::follow_up;
use super::form::{Field, Fields};
use super::found::{ProcedureList, waiting};
use super::model::{Model, Overlay, Request, Wanted};
use super::msg::Msg;
use super::procedures::{ProcedureView, Working, ended, tick};
use super::prompt;
use super::run::Run;
use super::written;
use crate::action::lifecycle::Outcome;
use crate::action::mode::Mode;
use crate::action::plan::Plan;
use crate::base::{Clean, Fault, Level, Ulid};
use crate::clean;
use crate::command::Command;
use crate::config::duration::Lasting;
use crate::procedure::document::{Answer, Ask, Item, Live};
use crate::procedure::view::Question;
use crate::procedure::walk::{Mark, Standing};
use crate::procedure::{Document, Said, Step, Waits, Walk};
use std::sync::Arc;

/// A walk that an earlier console, or another one, has begun.
#[derive(Debug)]
pub struct Left {
    /// As it was written down.
    pub walk: Walk,
    /// What is told of it at the start.
    pub sentence: Clean,
    /// Who works at it now, when somebody does.
    pub held: Option<Clean>,
    /// Who had it, when that was another login.
    pub of: Option<Clean>,
    /// How its file differs from the copy that it goes by.
    pub changes: Vec<Clean>,
}

/// A walk that is this console's now.
#[derive(Debug)]
pub struct Taken {
    /// As it was left.
    pub walk: Walk,
    /// How the action in flight has ended: its plan, outcome and reason.
    pub ended: Option<(Ulid, Outcome, Clean)>,
    /// Its done actions, to be looked at again.
    pub again: Vec<Again>,
}

/// What a form about an item is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// What was observed or answered.
    Observe,
    /// Figures, of which something is worked out.
    Figures,
    /// Later.
    Defer,
    /// It counts as done.
    Override,
    /// It went wrong.
    WentWrong,
    /// The whole walk is left.
    Abandon,
    /// It becomes a file.
    Write,
}

impl Word {
    /// The form's heading.
    pub const fn title(&self) -> &'static str {
        match self {
            Self::Observe => "OBSERVED",
            Self::Figures => "WORK OUT",
            Self::Defer => "LATER",
            Self::Override => "OVERRIDE",
            Self::WentWrong => "WENT WRONG",
            Self::Abandon => "LEAVE",
            Self::Write => "WRITE",
        }
    }
}

/// The list, with nothing looked for.
pub(super) fn list(model: &mut Model) {
    if model.procedures.known.is_empty() {
        let text = "This profile has no procedure: put Markdown files into its folder `procedures`.";
        return model.session.say(text.into(), Level::Note, model.now);
    }
    model.open(Overlay::Procedures(Box::<ProcedureList>::default()));
}

/// Puts a document on screen, with its walk when there is one.
pub(super) fn show(model: &mut Model, document: &Arc<Document>) {
    let under_way = model.procedures.under_way(document);
    let (document, run) = under_way.map_or_else(
        || (Arc::clone(document), None),
        |working| (Arc::clone(&working.walk.document), Some(working.walk.id)),
    );
    model.open(Overlay::Procedure(Box::new(ProcedureView { document, run, selected: None })));
}

/// Enter on an alert: its procedure, begun unless this console only looks. `None` when no procedure answers it.
pub(super) fn for_alert(model: &mut Model, alert: &Clean) -> Option<Vec<Effect>> {
    let document = Arc::clone(model.procedures.for_alert(alert)?);
    show(model, &document);
    let begun = model.procedures.under_way(&document).is_some();
    Some(if begun || model.session.mode == Mode::ReadOnly { Vec::new() } else { begin(model) })
}

/// A command while a procedure is on screen. `None` when it is none of its own.
pub(super) fn command(model: &mut Model, command: Command) -> Option<Vec<Effect>> {
    let Overlay::Procedure(view) = &mut model.overlay else { return None };
    let count = view.document.items.len();
    let current = view.run.and_then(|run| model.procedures.walk(run)).map(|working| working.walk.current);
    let at = view.selected.or(current).unwrap_or(0).min(count.saturating_sub(1));
    let page = usize::from(model.size.1 / 3).max(1);
    let to = match command {
        Command::Up => at.saturating_sub(1),
        Command::Down => at + 1,
        Command::PageUp => at.saturating_sub(page),
        Command::PageDown => at + page,
        Command::Top => 0,
        Command::Bottom => count,
        Command::Open => return Some(enter(model)),
        Command::Defer => return Some(form(model, Word::Defer)),
        Command::Override => return Some(form(model, Word::Override)),
        Command::WentWrong => return Some(form(model, Word::WentWrong)),
        Command::Abandon => return Some(leave(model)),
        Command::RunCommands => return Some(commands::run(model)),
        Command::Whole => return Some(written::whole(model, at)),
        Command::Write => return Some(written::ask(model)),
        Command::Due => {
            view.selected = None;
            return Some(say(model, Said::Due));
        }
        Command::Reopen => return Some(say(model, Said::Reopen(at))),
        _ => return None,
    };
    view.selected = Some(to.min(count.saturating_sub(1))).filter(|to| Some(*to) != current);
    Some(Vec::new())
}

/// The procedure on screen: also below a form that answers something in it.
pub fn view(model: &Model) -> Option<&ProcedureView> {
    let below = match (&model.overlay, model.session.beneath.last()) {
        (Overlay::Form(form), Some(below)) if matches!(form.purpose, Purpose::Walk(..)) => below,
        (overlay, _) => overlay,
    };
    if let Overlay::Procedure(view) = below { Some(view) } else { None }
}

/// The walk on screen.
pub fn shown(model: &Model) -> Option<&Working> {
    view(model)?.run.and_then(|run| model.procedures.walk(run))
}

/// The selected item of the walk on screen, else the current one.
pub fn at(model: &Model) -> Option<(&Item, &Mark)> {
    let walk = &shown(model)?.walk;
    let at = view(model)?.selected.unwrap_or(walk.current);
    Some((walk.document.items.get(at)?, walk.marks.get(at)?))
}

/// The item that keys are about: the current one of the walk on screen.
fn current(working: &Working) -> Option<&Item> {
    working.walk.document.items.get(working.walk.current)
}

pub(super) fn note(model: &mut Model, text: Clean, level: Level) -> Vec<Effect> {
    let now = model.now;
    model.session.say(text, level, now);
    Vec::new()
}

fn begin(model: &mut Model) -> Vec<Effect> {
    let Overlay::Procedure(view) = &model.overlay else { return Vec::new() };
    if model.session.mode == Mode::ReadOnly {
        return note(model, "This console is read-only: it begins no procedure.".into(), Level::Warning);
    }
    if !view.document.faults.is_empty() {
        return note(model, "It has faults and can only be read: `!` lists them.".into(), Level::Warning);
    }
    if !view.document.is_live() {
        return note(model, "It is a text to read: nothing in it can be ticked.".into(), Level::Note);
    }
    vec![Effect::BeginWalk(Arc::clone(&view.document))]
}

/// Enter: what the current item wants.
fn enter(model: &mut Model) -> Vec<Effect> {
    let Some(working) = shown(model) else { return begin(model) };
    if let Some(why) = working.only_look.clone() {
        return note(model, why, Level::Warning);
    }
    let (run, question) = (working.walk.id, working.walk.question());
    if question == Question::Resume {
        return resume(model, run);
    }
    if let Overlay::Procedure(view) = &mut model.overlay
        && view.selected.take().is_some()
    {
        return note(model, "Enter is about the current item: back to it.".into(), Level::Note);
    }
    match question {
        Question::Read => say(model, Said::Observed(Clean::default())),
        Question::Figures => form(model, Word::Figures),
        Question::Log(tail) => {
            let found = excerpt::found(model, &tail);
            say(model, Said::Worked(found))
        }
        Question::Act(_) | Question::Resolve | Question::Acting => act(model),
        Question::Over => note(model, "It is over; Esc leaves it.".into(), Level::Note),
        Question::Mend | Question::Sensing | Question::Resume => note(model, question.sentence(), Level::Note),
        _ => form(model, Word::Observe),
    }
}

/// Goes on with a walk that was left; with another login's only through the gate.
pub(super) fn resume(model: &mut Model, run: Ulid) -> Vec<Effect> {
    if model.session.mode == Mode::ReadOnly {
        return note(model, "This console is read-only: it takes no procedure up.".into(), Level::Warning);
    }
    let Some(working) = model.procedures.walk(run) else { return Vec::new() };
    let title = working.walk.document.title.clone();
    match working.of.clone() {
        Some(from) => {
            model.open(Overlay::Planning(Wanted::Arming, "Take a procedure over".into()));
            vec![Effect::PlanTakeover(run, title, from)]
        }
        None => vec![Effect::ResumeWalk(run)],
    }
}

/// Asks why the walk on screen is left. One that was paused is taken up for it, and that of another login only through the
/// gate.
fn leave(model: &mut Model) -> Vec<Effect> {
    let paused = shown(model).filter(|working| working.walk.standing == Standing::Paused);
    let why = match paused.map(|working| working.of.clone()) {
        Some(_) if model.session.mode == Mode::ReadOnly => "This console is read-only: it leaves no procedure.".into(),
        Some(Some(from)) => clean!("{from} had it: once Enter has taken it over it can be left."),
        _ => return form(model, Word::Abandon),
    };
    note(model, why, Level::Warning)
}

/// The action of the current item, through the one gate.
fn act(model: &mut Model) -> Vec<Effect> {
    if shown(model).is_some_and(|working| working.walk.needs_commands().is_some()) {
        return commands::run(model);
    }
    let asks = shown(model).and_then(|working| Some((&working.walk, working.walk.needs_action()?)));
    let wanted = match asks.map(|(walk, (name, set))| (name, walk.given(set))) {
        Some((name, Ok(given))) => Some(Request { action: Arc::clone(name), given }),
        Some((_, Err(why))) => return note(model, why, Level::Warning),
        None => None,
    };
    match wanted.filter(|_| model.run.as_ref().is_none_or(Run::ended)) {
        Some(request) => prompt::plan_with(model, request),
        None => {
            model.open(Overlay::Run);
            Vec::new()
        }
    }
}

/// Opens the form for a word about the current item.
fn form(model: &mut Model, word: Word) -> Vec<Effect> {
    let Some(working) = shown(model).filter(|working| working.only_look.is_none()) else {
        return note(model, "This console does not work at it.".into(), Level::Warning);
    };
    let Some(item) = current(working) else { return Vec::new() };
    let run = working.walk.id;
    if let (Word::Figures, Live::Calculate(it)) = (&word, &item.live) {
        let (it, title) = (it.clone(), item.title.clone());
        return figures::open(model, run, title, &it);
    }
    let field = |label: &'static str, about: Clean| {
        let mut field = Field::new(label, &Clean::default(), about);
        field.needed = true;
        field
    };
    let (fields, at) = match &word {
        Word::Observe | Word::Figures | Word::Write => (vec![observed(&working.walk.question())], 0),
        Word::Defer => {
            let mut span =
                Field::new("for", &"10m".into(), "comes back after this time; `end` is when all else is done");
            span.choices = ["5m", "10m", "30m", "1h", "end"].map(Clean::from).into();
            span.needed = true;
            (vec![field("reason", "why it cannot be done now".into()), span], 0)
        }
        Word::Override => (vec![field("reason", "at least 8 characters; it is recorded with your name".into())], 0),
        Word::WentWrong => {
            let next = item.go.as_ref().map_or_else(
                || clean!("the procedure names no way on: override or defer it instead"),
                |to| clean!("what you saw; it goes on at \"{}\"", named(&working.walk.document, to)),
            );
            (vec![field("saw", next)], 0)
        }
        Word::Abandon => (vec![field("reason", "why this procedure is left; it stays in the journal".into())], 0),
    };
    let about = match &word {
        Word::Abandon => working.walk.document.title.clone(),
        _ => item.title.clone(),
    };
    answer::open(model, Purpose::Walk(run, word), about, Fields::new(fields, at))
}

fn named(document: &Document, id: &str) -> Clean {
    let item = document.items.iter().find(|item| *item.id == *id);
    item.map_or_else(|| Clean::text(id), |item| item.title.clone())
}

/// The field for what the current item asks.
fn observed(question: &Question) -> Field {
    let (label, choices): (&'static str, Vec<Clean>) = match question {
        Question::Choice(choices) => ("answer", choices.clone()),
        Question::Case => ("applies", vec!["yes".into(), "no".into()]),
        Question::Answer(Answer::Typed(_, others)) => ("answer", others.clone()),
        Question::Answer(_) => ("answer", Vec::new()),
        Question::Call(..) => ("reached", Vec::new()),
        Question::Run(_) => ("it said", Vec::new()),
        _ => ("observed", Vec::new()),
    };
    // None is chosen beforehand: a key that was pressed once too often answers nothing.
    let named: Vec<&str> = choices.iter().map(Clean::as_str).collect();
    let typed = matches!(question, Question::Answer(_));
    let about =
        if choices.is_empty() || typed { question.sentence() } else { clean!("arrows choose: {}", named.join(", ")) };
    let mut field = Field::new(label, &Clean::default(), about);
    field.choices = choices;
    field.needed = true;
    if let Question::Answer(Answer::Pasted(form)) = question {
        field.many = Some(*form);
    }
    field
}

/// A form about a walk was filled: it closes, or says what does not fit.
pub(super) fn answered(model: &mut Model, run: Ulid, word: &Word) -> Vec<Effect> {
    let Overlay::Form(form) = &model.overlay else { return Vec::new() };
    let (text, second) = (form.fields.text(0), form.fields.text(1));
    if *word == Word::Observe
        && let Some(why) = in_production(model, run, &text)
    {
        return wrong(model, 0, why);
    }
    let pasted = form.fields.all.first().and_then(|field| field.pasted.clone());
    let said = match word {
        Word::Figures => return figures::answered(model, run),
        Word::Write => return written::write(model, run, text),
        Word::Observe => pasted.map_or_else(|| Said::Observed(text), Said::Pasted),
        Word::Defer if second.as_str() == "end" => Said::Defer(None, text),
        Word::Defer => match Lasting::parse(second.as_str()) {
            Some(Lasting(span)) => Said::Defer(Some(span), text),
            None => return wrong(model, 1, "Not a length of time: write it like 10m, or `end`.".into()),
        },
        Word::Override => Said::Override(text),
        Word::WentWrong => Said::Failed(text),
        Word::Abandon => Said::Abandon(text),
    };
    heard(model, run, said)
}

/// Says what a form holds: it closes, or tells what does not fit.
pub(super) fn heard(model: &mut Model, run: Ulid, said: Said) -> Vec<Effect> {
    match hear(model, run, said) {
        Ok(effects) => {
            model.back();
            effects
        }
        Err(why) => wrong(model, 0, why),
    }
}

/// Why this is no answer to a question for a host that is none of production: this one, where that is its environment.
fn in_production(model: &Model, run: Ulid, text: &Clean) -> Option<Clean> {
    let item = current(model.procedures.walk(run)?)?;
    let Live::Ask(Ask { not_production: true, .. }) = &item.live else { return None };
    let short = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let this = ["localhost", "ip6-localhost", "127.0.0.1", "::1"].contains(&text.as_str())
        || short(text.as_str()) == short(model.identity.host.as_str());
    let production = model.identity.environment.as_str().eq_ignore_ascii_case("production");
    (this && production).then(|| clean!("{text} is this host, and it is in production: name another one."))
}

pub(super) fn wrong(model: &mut Model, at: usize, why: Clean) -> Vec<Effect> {
    if let Overlay::Form(form) = &mut model.overlay {
        form.fields.at = at;
        form.fields.fault = Some(why);
    }
    Vec::new()
}

/// Says it to the walk on screen; a refusal is told in the last line.
fn say(model: &mut Model, said: Said) -> Vec<Effect> {
    let Some(run) = shown(model).map(|working| working.walk.id) else { return Vec::new() };
    hear(model, run, said).unwrap_or_else(|why| note(model, why, Level::Warning))
}

fn hear(model: &mut Model, run: Ulid, said: Said) -> Result<Vec<Effect>, Clean> {
    let (who, now) = (model.session.login.clone(), model.now);
    let Some(working) = model.procedures.walk_mut(run) else { return Err("It is over.".into()) };
    if let Some(why) = &working.only_look {
        return Err(why.clone());
    }
    let steps = working.walk.say(said, &who, now)?;
    let mut out = keep(model, vec![(run, steps)]);
    out.extend(pass(model));
    Ok(out)
}

/// Lets every walk take note of what is seen now.
pub(super) fn pass(model: &mut Model) -> Vec<Effect> {
    let mut moved = tick(model);
    moved.extend(again::tick(model));
    keep(model, moved)
}

/// The steps go to disk and into the journal; what ends a walk is told.
fn keep(model: &mut Model, moved: Vec<(Ulid, Vec<Step>)>) -> Vec<Effect> {
    let mut out = Vec::new();
    for (run, steps) in moved.into_iter().filter(|(_, steps)| !steps.is_empty()) {
        let ended = model.procedures.walk(run).filter(|working| !working.open());
        if let Some((text, failed)) = ended.map(|working| (over(working), working.walk.failures() > 0)) {
            out.push(Effect::Log(text.clone()));
            let wait = waiting(model).iter().filter(|asked| asked.turn == Waits::Ready).count();
            let text = match wait {
                0 => text,
                1 => clean!("{text} 1 more waits: p lists it."),
                _ => clean!("{text} {wait} more wait: p lists them."),
            };
            let level = if failed { Level::Warning } else { Level::Ok };
            model.session.say(text, level, model.now);
        }
        out.push(Effect::KeepSteps(run, steps));
    }
    out
}

fn over(working: &Working) -> Clean {
    let title = &working.walk.document.title;
    match &working.walk.standing {
        Standing::CompleteExcept(left) => clean!("{title}: COMPLETE EXCEPT {left} DEFERRED."),
        Standing::Abandoned => clean!("{title}: left."),
        _ => match working.walk.failures() {
            0 => clean!("{title}: COMPLETE."),
            failed => clean!("{title}: COMPLETE, {failed} FAILED."),
        },
    }
}

/// A plan was accepted: when it is what the current item of a walk asked for, the item waits for its outcome.
pub(super) fn launched(model: &mut Model, plan: &Plan, request: &Request) -> Vec<Effect> {
    let asks = |working: &&Working| {
        let walk = &working.walk;
        let commands = |item| commands::action(&walk.document, item) == request.action;
        let action = walk.needs_action().is_some_and(|(name, given)| {
            *name == request.action && given.iter().all(|value| request.given.contains(value))
        });
        let takes = working.open() && working.only_look.is_none() && walk.standing != Standing::Paused;
        takes && (action || walk.needs_commands().is_some_and(commands))
    };
    // The one on screen asked for it; without it only one that no other can be taken for.
    let mut asking = model.procedures.walks.iter().filter(asks).map(|working| working.walk.id);
    let only = asking.next().filter(|_| asking.next().is_none());
    let Some(run) = shown(model).filter(asks).map(|working| working.walk.id).or(only) else { return Vec::new() };
    match hear(model, run, Said::Launched(plan.id)) {
        Ok(out) => out,
        Err(why) => note(model, why, Level::Warning),
    }
}

/// A runner wrote its outcome.
pub(super) fn acted(model: &mut Model, plan: Ulid, outcome: Outcome, why: &Clean) -> Vec<Effect> {
    let mut moved = ended(model, plan, outcome, why);
    moved.extend(tick(model));
    keep(model, moved)
}

/// Answers of the keeper of runs.
pub(super) fn on_msg(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Work(id) => {
            if let Some(document) = model.procedures.document(&id).map(Arc::clone) {
                show(model, &document);
                return begin(model);
            }
        }
        Msg::WalkBegun(document, Ok(run)) => return begun(model, run, &document),
        Msg::WalkBegun(document, Err(fault)) => {
            let text = clean!("{} cannot be begun: {fault}", document.title);
            return note(model, text, Level::Critical);
        }
        Msg::WalksLeft(found, faults) => return left(model, found, &faults),
        Msg::WalkResumed(run, outcome) => return resumed(model, run, outcome),
        Msg::WalkKept(run, unkept) => {
            if let Some(working) = model.procedures.walk_mut(run) {
                working.unkept = unkept.map(|fault| clean!("{fault}"));
            }
        }
        Msg::WalkFinished(run, walk) => follow_up::finished(model, run, walk),
        Msg::WalkSeen(run, item, found) => {
            again::seen(model, run, item, found);
            return pass(model);
        }
        Msg::WalkLost(run, who) => {
            if let Some(working) = model.procedures.walk_mut(run) {
                working.only_look = Some(clean!("{who} has taken this procedure over: here it can only be looked at."));
            }
            return note(model, clean!("{who} has taken the procedure over."), Level::Warning);
        }
        _ => {}
    }
    Vec::new()
}

fn begun(model: &mut Model, run: Ulid, document: &Arc<Document>) -> Vec<Effect> {
    let (walk, steps) = Walk::begin(run, Arc::clone(document), &model.session.login, model.now);
    model.procedures.walks.insert(0, Working::new(walk));
    if let Overlay::Procedure(view) = &mut model.overlay
        && view.document.id == document.id
    {
        view.run = Some(run);
        view.selected = None;
    }
    let mut out = keep(model, vec![(run, steps)]);
    out.extend(pass(model));
    out
}

fn left(model: &mut Model, found: Vec<Left>, faults: &[Fault]) -> Vec<Effect> {
    let mut told: Vec<Clean> = faults.iter().map(|fault| clean!("A procedure cannot be taken up: {fault}")).collect();
    for left in found {
        told.push(left.sentence.clone());
        let only_look = left.held.map(|held| clean!("{held} Here it can only be looked at."));
        let (of, changes) = (left.of, left.changes);
        model.procedures.walks.push(Working { only_look, of, changes, ..Working::new(left.walk) });
    }
    if let Some(text) = told.first() {
        model.session.say_left(text.join(" · ", &"p opens it.".into()), true, model.now);
    }
    told.into_iter().map(Effect::Log).collect()
}

/// It is ours: it goes on with what is seen now. An action that was in flight may have ended meanwhile.
fn resumed(model: &mut Model, run: Ulid, found: Result<Box<Taken>, Fault>) -> Vec<Effect> {
    let Taken { walk, ended, again } = match found {
        Ok(found) => *found,
        Err(fault) => return note(model, clean!("It cannot be taken up: {fault}"), Level::Warning),
    };
    if let Some(working) = model.procedures.walk_mut(run) {
        *working = Working { again, ..Working::new(walk) };
    }
    let mut out = hear(model, run, Said::Resume).unwrap_or_else(|why| note(model, why, Level::Warning));
    if let Some((plan, outcome, why)) = ended {
        out.extend(acted(model, plan, outcome, &why));
    }
    out
}
