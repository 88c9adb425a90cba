//! What the engineer says about alerts: I have it, mute it, it was handed on. Nothing here acts on the system; all of
//! it is shared state with a record, so a read-only console says none of it.

use super::alerts::{self, Row, Standing, finding, meant};
use super::effect::{Effect, Entry};
use super::figures;
use super::form::{Field, Fields, Step};
use super::incident::{self, Writing};
use super::model::{Model, Overlay};
use super::open_runs;
use super::prompt;
use super::walking::{self, Word};
use crate::action::mode::Mode;
use crate::base::{Clean, Contact, Level, SeriesKey, Severity, Ulid};
use crate::clean;
use crate::command::Command;
use crate::config::duration::Lasting;
use crate::procedure::calculate::Worked;
use crate::rules::Finding;
use crate::rules::escalation::Escalated;
use crate::rules::finding::Ack;
use crate::rules::finding::AlertId;
use crate::rules::matchers::Matchers;
use crate::rules::silence::Silence;
use crate::term::Input;
use std::sync::Arc;

/// What a form is for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// Taking these alerts.
    Take(Vec<AlertId>),
    /// Muting.
    Silence,
    /// Handing these alerts on.
    Escalate(Vec<AlertId>),
    /// Values that this action is planned with.
    Plan(Arc<str>),
    /// A word about the current item of this walk.
    Walk(Ulid, Word),
    /// An incident, a note, the end of one.
    Incident(Writing),
    /// What became of the run of this plan.
    Settle(Ulid),
}

/// An open form.
#[derive(Debug)]
pub struct Form {
    /// What it is for.
    pub purpose: Purpose,
    /// What it is about, for its frame.
    pub about: Clean,
    /// What is typed.
    pub fields: Fields,
    /// What comes of it so far, where something is worked out.
    pub worked: Vec<Worked>,
}

/// Fields of the silence form.
const REASON: usize = 0;
const SPAN: usize = 1;
const MATCHERS: usize = 2;

/// Takes a command about the alerts that are meant here and now.
pub fn command(model: &mut Model, command: Command) -> Vec<Effect> {
    if model.session.mode == Mode::ReadOnly {
        return say(model, "This console is read-only: it changes no alert that others see.".into(), Level::Warning);
    }
    if command == Command::EndSilence {
        return end_silence(model);
    }
    let ids = subject(model);
    let Some(first) = ids.first().and_then(|id| finding(&model.book, id)).cloned() else {
        return say(model, "No alert is selected: nothing to answer.".into(), Level::Note);
    };
    match command {
        Command::Take => take(model, ids, &first),
        Command::GiveBack => give_back(model, &ids),
        Command::Silence => silence(model, &first, ids.len() > 1),
        _ => escalate(model, ids, &first),
    }
}

/// The alerts that a command means: those of the selected row, of the open detail, else of the strip.
pub fn subject(model: &Model) -> Vec<AlertId> {
    match &model.overlay {
        Overlay::Alerts(list) => {
            let rows = alerts::rows(&model.book, &list.unfolded);
            list.row(&rows).map_or_else(Vec::new, |row| meant(&model.book, row))
        }
        Overlay::Detail(detail) => detail.alert.iter().cloned().collect(),
        _ => model.current_alert().map_or_else(Vec::new, |found| {
            let kin = alerts::alike(&model.book, found.id.rule, Standing::Up);
            kin.into_iter().map(|found| found.id.clone()).collect()
        }),
    }
}

fn say(model: &mut Model, text: Clean, level: Level) -> Vec<Effect> {
    let now = model.now;
    model.session.say(text, level, now);
    Vec::new()
}

pub(super) fn open(model: &mut Model, purpose: Purpose, about: Clean, fields: Fields) -> Vec<Effect> {
    model.open(Overlay::Form(Box::new(Form { purpose, about, fields, worked: Vec::new() })));
    Vec::new()
}

fn take(model: &mut Model, ids: Vec<AlertId>, first: &Finding) -> Vec<Effect> {
    if !first.state.is_up() {
        return say(model, "It is not firing: there is nothing to take yet.".into(), Level::Note);
    }
    let about = named(model, first, ids.len());
    let note = first.ack.as_ref().map(|ack| ack.note.clone()).unwrap_or_default();
    let note = Field::new("note", &note, "for whoever looks next; may be empty");
    open(model, Purpose::Take(ids), about, Fields::new(vec![note], 0))
}

fn give_back(model: &mut Model, ids: &[AlertId]) -> Vec<Effect> {
    let mut out = Vec::new();
    for id in ids {
        if finding(&model.book, id).is_some_and(|found| found.ack.is_some()) {
            let _had: bool = model.book.unack(id, model.now);
            out.push(Effect::Record(Entry::Unacked { alert: labelled(model, id) }));
        }
    }
    let text = if out.is_empty() { "Nobody has taken it." } else { "Given back: its clocks run again." };
    say(model, text.into(), Level::Note);
    out
}

fn silence(model: &mut Model, first: &Finding, several: bool) -> Vec<Effect> {
    let mut reason = Field::new("reason", &Clean::default(), "why nobody needs to hear of it");
    reason.needed = true;
    let mut span = Field::new("for", &"1h".into(), "arrows choose 15m, 1h, 4h; at most 4h");
    span.choices = vec!["15m".into(), "1h".into(), "4h".into()];
    span.needed = true;
    let name = name(model, first.id.rule);
    let none = SeriesKey::new("", &[]);
    let matchers = Matchers::exactly(&name, if several { &none } else { &first.id.key });
    let mut which = Field::new("labels", matchers.text(), "= != =~ !~ and commas; all must match");
    which.needed = true;
    let about = named(model, first, 1);
    open(model, Purpose::Silence, about, Fields::new(vec![reason, span, which], REASON))
}

fn escalate(model: &mut Model, ids: Vec<AlertId>, first: &Finding) -> Vec<Effect> {
    if !first.state.is_up() {
        return say(model, "It is not firing: there is nothing to hand on.".into(), Level::Note);
    }
    let policy = model.book.policy();
    let next = policy.clock(first, model.book.escalations(&first.id), model.now).next.map(Contact::label);
    let mut to = Field::new("to", &next.unwrap_or_default(), "whom you told; arrows choose, or type");
    to.choices = policy.contacts().iter().map(Contact::label).collect();
    to.needed = true;
    let about = named(model, first, ids.len());
    open(model, Purpose::Escalate(ids), about, Fields::new(vec![to], 0))
}

/// S: the selected silence, or every one that mutes the alert that is meant.
fn end_silence(model: &mut Model) -> Vec<Effect> {
    let chosen = match &model.overlay {
        Overlay::Alerts(list) => {
            let rows = alerts::rows(&model.book, &list.unfolded);
            list.row(&rows).and_then(|row| if let Row::Silence(id) = row { Some(*id) } else { None })
        }
        _ => None,
    };
    let ids: Vec<u64> = match chosen {
        Some(id) => vec![id],
        None => subject(model).first().map_or_else(Vec::new, |alert| model.book.silenced_by(alert)),
    };
    let mut out = Vec::new();
    for id in ids {
        if let Some(silence) = model.book.unsilence(id, model.now) {
            let matchers = silence.matchers.text().clone();
            out.push(Effect::Record(Entry::Unsilenced { matchers, expired: false }));
        }
    }
    let text = if out.is_empty() { "No silence mutes it." } else { "The silence is over: what it muted counts again." };
    say(model, text.into(), Level::Note);
    out
}

/// Something came from the terminal while a form is open.
pub fn on_input(model: &mut Model, input: &Input) -> Vec<Effect> {
    let Overlay::Form(form) = &mut model.overlay else { return Vec::new() };
    let step = match input {
        Input::Key(key) => form.fields.key(key),
        Input::Paste { text, lines, left_out } => {
            form.fields.paste(text, lines, *left_out);
            Step::Stays
        }
        _ => Step::Stays,
    };
    match step {
        Step::Stays => {
            figures::work_out(model);
            Vec::new()
        }
        Step::Cancelled => {
            model.back();
            Vec::new()
        }
        Step::Submitted => submit(model),
    }
}

fn submit(model: &mut Model) -> Vec<Effect> {
    let Overlay::Form(form) = &model.overlay else { return Vec::new() };
    let (purpose, text) = (form.purpose.clone(), form.fields.text(0));
    match purpose {
        Purpose::Take(ids) => {
            model.back();
            taken(model, &ids, &text)
        }
        Purpose::Escalate(ids) => {
            model.back();
            escalated(model, &ids, &text)
        }
        Purpose::Plan(action) => prompt::plan_given(model, action),
        Purpose::Walk(run, word) => walking::answered(model, run, &word),
        Purpose::Incident(writing) => incident::submit(model, writing),
        Purpose::Settle(plan) => open_runs::settle(model, plan, text),
        Purpose::Silence => match silenced(model) {
            Ok(effects) => {
                model.back();
                effects
            }
            Err((at, fault)) => {
                if let Overlay::Form(form) = &mut model.overlay {
                    form.fields.at = at;
                    form.fields.fault = Some(fault);
                }
                Vec::new()
            }
        },
    }
}

fn taken(model: &mut Model, ids: &[AlertId], note: &Clean) -> Vec<Effect> {
    let mut out = Vec::new();
    for id in ids {
        let Some(severity) = severity(model, id) else { continue };
        let ack = Ack { by: model.session.login.clone(), note: note.clone(), at: model.now.wall };
        // It may have ended while the form was open: nothing is recorded that did not happen.
        if !model.book.ack(id, ack) {
            continue;
        }
        out.push(Effect::Record(Entry::Acked { alert: labelled(model, id), severity, note: note.clone() }));
    }
    told(model, out, clean!("Taken by {}.", model.session.login))
}

fn escalated(model: &mut Model, ids: &[AlertId], to: &Clean) -> Vec<Effect> {
    let mut out = Vec::new();
    for id in ids {
        let Some(severity) = severity(model, id) else { continue };
        let told = Escalated { to: to.clone(), by: model.session.login.clone(), at: model.now.wall };
        if !model.book.escalated(id, told) {
            continue;
        }
        out.push(Effect::Record(Entry::Escalated { alert: labelled(model, id), severity, to: to.clone() }));
    }
    told(model, out, clean!("Recorded: escalated to {to} by {}.", model.session.login))
}

/// The sentence that it was done, or that the alert is gone by now.
fn told(model: &mut Model, effects: Vec<Effect>, text: Clean) -> Vec<Effect> {
    if effects.is_empty() {
        return say(model, "The alert is over: nothing was recorded.".into(), Level::Note);
    }
    say(model, text, Level::Ok);
    effects
}

/// The silence that the form describes, or which field is wrong and why.
fn silenced(model: &mut Model) -> Result<Vec<Effect>, (usize, Clean)> {
    let Overlay::Form(form) = &model.overlay else { return Ok(Vec::new()) };
    let (reason, span, which) = (form.fields.text(REASON), form.fields.text(SPAN), form.fields.text(MATCHERS));
    let Lasting(lasts) = Lasting::parse(span.as_str())
        .ok_or((SPAN, Clean::text("Not a length of time: write it like 15m, 1h or 2h 30m.")))?;
    let matchers = Matchers::parse(which.as_str()).map_err(|fault| (MATCHERS, clean!("{fault}")))?;
    let by = model.session.login.clone();
    let silence = Silence::new(matchers, reason.clone(), by, lasts, model.now)
        .map_err(|fault| (if reason.as_str().is_empty() { REASON } else { SPAN }, clean!("{fault}")))?;
    let (matchers, until) = (silence.matchers.text().clone(), silence.until(model.now));
    let _number: u64 = model.book.silence(silence);
    say(model, clean!("Muted until {}; S ends it sooner.", model.clock_zone(until)), Level::Ok);
    Ok(vec![Effect::Record(Entry::Silenced { matchers, reason, until })])
}

fn severity(model: &Model, id: &AlertId) -> Option<Severity> {
    finding(&model.book, id).map(|found| found.severity)
}

/// The rule's name.
pub fn name(model: &Model, rule: usize) -> Clean {
    model.book.rule(rule).map(|rule| rule.name.clone()).unwrap_or_default()
}

/// The alert's name and labels, as the journal has them.
fn labelled(model: &Model, id: &AlertId) -> Clean {
    let labels: Vec<String> =
        id.key.labels.iter().map(|(name, value)| format!("{name}={:?}", value.as_str())).collect();
    let name = name(model, id.rule);
    if labels.is_empty() { name } else { clean!("{name}{{{}}}", labels.join(", ")) }
}

/// The alert's name, and how many instances of it are meant.
fn named(model: &Model, first: &Finding, count: usize) -> Clean {
    let name = name(model, first.id.rule);
    if count > 1 { clean!("{name}, {count} instances") } else { name }
}
