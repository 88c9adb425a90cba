//! The incident as this console knows it from the journal: its keys and forms, and the handover card. Nothing of it is
//! kept here that a reading of the journal does not give again.

use super::answer::{self, Form, Purpose};
use super::card::facts;
use super::contacts;
use super::effect::{Effect, Entry};
use super::excerpt;
use super::follow_up::{self, Left};
use super::form::{Field, Fields};
use super::model::{Model, Overlay, Scroll};
use crate::action::mode::Mode;
use crate::base::{Clean, Contact, Fault, Level, Mono, Severity, Ulid};
use crate::clean;
use crate::command::Command;
use crate::incident::{Incident, Note, Told, card};
use crate::journal::Line;
use core::time::Duration;

/// Without an incident a card tells of so much time.
pub const WATCH: Duration = Duration::from_hours(12);
/// The journal is looked at so often: another console may have opened an incident.
const LOOK: Duration = Duration::from_secs(10);
/// And so often while its rows are on the screen.
const LIVE: Duration = Duration::from_secs(2);

/// What the console knows of the journal.
#[derive(Debug, Default)]
pub struct Trail {
    /// Why the journal does not take records, if it does not.
    pub unrecorded: Option<Fault>,
    /// Bytes that it still has of its own while the disk is full.
    pub on_reserve: Option<u64>,
    /// Where it was found changed.
    pub broken: Option<Fault>,
    /// The open incident.
    pub incident: Option<Incident>,
    /// Its records; without an incident those of the last [`WATCH`].
    pub lines: Vec<Line>,
    /// The state folder.
    pub state: Clean,
    /// It was read at least once, or cannot be.
    read: bool,
    /// When the newest reading was asked for: an answer to an older one counts no more.
    asked: Option<Mono>,
    /// The newest file of the journal at the last reading, and how long it was.
    known: Option<(u64, u64)>,
    /// A card waits for a reading.
    card: bool,
    /// What was left to do at the last look for that.
    pub left: Vec<Left>,
}

/// What is asked of whoever can read and write files.
#[derive(Debug)]
pub enum Ask {
    /// Read the journal, unless its newest file is still as `known`.
    Read {
        /// When it was asked.
        at: Mono,
        /// Number and length of the newest file.
        known: Option<(u64, u64)>,
    },
    /// Look further back for what is left to do.
    Left,
    /// Keep this card in a file, and write the report of the incident so far.
    Keep(Vec<String>, Option<Ulid>),
    /// Write the report of an incident that is over.
    Report(Ulid),
}

/// What comes back.
#[derive(Debug)]
pub enum Heard {
    /// What was read, or `None` when nothing is new.
    Read(Mono, Result<Option<Box<Reading>>, Fault>),
    /// What is left to do, oldest first.
    Left(Result<Vec<Left>, Fault>),
    /// Where the card is kept.
    Kept(Result<Clean, Fault>),
    /// Where the report is.
    Reported(Result<Clean, Fault>),
}

/// One reading of the journal.
#[derive(Debug)]
pub struct Reading {
    /// The state folder.
    pub state: Clean,
    /// The open incident.
    pub incident: Option<Incident>,
    /// Its records; without an incident those of the last [`WATCH`].
    pub lines: Vec<Line>,
    /// Number and length of the newest file.
    pub mark: (u64, u64),
}

/// The card on the screen.
#[derive(Debug, Default)]
pub struct Handover {
    /// A line each.
    pub lines: Vec<Clean>,
    /// Where it is kept, once that is known.
    pub kept: Option<Result<Clean, Fault>>,
}

/// What is written in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// A new incident.
    Open,
    /// A note.
    Note,
    /// The end of the incident.
    Close,
    /// Who leads it from now on.
    Owner,
    /// Something that was left to do is done.
    Done,
}

impl Writing {
    /// For the frame of the form.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "INCIDENT",
            Self::Note => "NOTE",
            Self::Close => "CLOSE",
            Self::Owner => "OWNER",
            Self::Done => "DONE",
        }
    }
}

/// Fields of the form of an incident.
const TITLE: usize = 0;
const OWNER: usize = 1;
const SEVERITY: usize = 2;

/// Takes one of the keys of incidents.
pub fn command(model: &mut Model, command: Command) -> Vec<Effect> {
    let open = model.session.trail.incident.is_some();
    match command {
        Command::Handover => return hand_over(model),
        Command::Incident if matches!(model.overlay, Overlay::Incident(_)) => model.back(),
        Command::Incident if open => model.open(Overlay::Incident(Scroll::default())),
        _ if model.session.mode == Mode::ReadOnly => {
            say(model, "This console is read-only: it writes nothing that others see.", Level::Warning);
        }
        Command::Incident if !model.session.trail.read => {
            say(model, "The journal is being read: an incident may be open already.", Level::Note);
        }
        Command::Incident => begin(model),
        Command::CloseIncident if open => end(model),
        Command::ChangeOwner if open => pass_on(model),
        Command::CloseIncident | Command::ChangeOwner => say(model, "No incident is open.", Level::Note),
        _ => note(model),
    }
    Vec::new()
}

fn say(model: &mut Model, text: &'static str, level: Level) {
    let now = model.now;
    model.session.say(text.into(), level, now);
}

/// A form lies over whatever is there: Esc leads back to it.
pub(super) fn open(model: &mut Model, writing: Writing, about: Clean, fields: Vec<Field>) {
    let below = core::mem::take(&mut model.overlay);
    if !matches!(below, Overlay::None) {
        model.session.beneath.push(below);
    }
    let form = Form { purpose: Purpose::Incident(writing), about, fields: Fields::new(fields, 0), worked: Vec::new() };
    model.overlay = Overlay::Form(Box::new(form));
}

pub(super) fn needed(label: &'static str, text: &Clean, about: &'static str) -> Field {
    Field { needed: true, ..Field::new(label, text, about) }
}

fn begin(model: &mut Model) {
    let worst = model.alerts().first().map(|found| (answer::name(model, found.id.rule), found.severity));
    let (name, severity) = worst.unwrap_or_default();
    let mut how = needed("severity", &severity.name().into(), "arrows choose");
    how.choices = Severity::ALL.iter().rev().map(|severity| severity.name().into()).collect();
    let fields = vec![
        needed("title", &name, "what it is about, as the next one will look for it"),
        needed("owner", &model.session.login.clone(), "who leads it"),
        how,
    ];
    open(model, Writing::Open, "everything that happens joins its timeline".into(), fields);
}

fn note(model: &mut Model) {
    let about = model.session.trail.incident.as_ref().map_or("into the journal".into(), |it| it.title.clone());
    let fields = vec![
        needed("note", &Clean::default(), "what you saw or decided; todo: makes it a follow-up"),
        Field::new("owner", &Clean::default(), "who does it, for a follow-up; may be empty"),
    ];
    open(model, Writing::Note, about, fields);
}

fn end(model: &mut Model) {
    let about = model.session.trail.incident.as_ref().map(|it| it.title.clone()).unwrap_or_default();
    let fields = vec![needed("summary", &Clean::default(), "how it ended and why; its report begins with it")];
    open(model, Writing::Close, about, fields);
}

fn pass_on(model: &mut Model) {
    let Some(incident) = &model.session.trail.incident else { return };
    let (title, owner) = (incident.title.clone(), incident.owner.clone());
    let mut field = needed("owner", &Clean::default(), "who leads it from now on; arrows choose, or type");
    let contacts = contacts::ordered(model).into_iter().map(Contact::label);
    field.choices = core::iter::once(model.session.login.clone()).chain(contacts).collect();
    open(model, Writing::Owner, clean!("{title}, until now {owner}"), vec![field]);
}

/// Enter in one of these forms.
pub fn submit(model: &mut Model, writing: Writing) -> Vec<Effect> {
    let Overlay::Form(form) = &mut model.overlay else { return Vec::new() };
    let (first, second) = (form.fields.text(TITLE), form.fields.text(OWNER));
    let word = form.fields.text(SEVERITY);
    let severity = Severity::ALL.into_iter().find(|known| word.as_str().eq_ignore_ascii_case(known.name()));
    if writing == Writing::Done && !follow_up::is_known(&model.session.trail.left, &first) {
        form.fields.at = TITLE;
        form.fields.fault = Some("The arrows choose one of what is left.".into());
        return Vec::new();
    }
    if writing == Writing::Open && severity.is_none() {
        form.fields.at = SEVERITY;
        form.fields.fault = Some("A severity is critical, major, minor or info.".into());
        return Vec::new();
    }
    model.back();
    match writing {
        Writing::Open => opened(model, first, second, severity.unwrap_or_default()),
        Writing::Note => noted(model, &first, &second),
        Writing::Close => closed(model, first),
        Writing::Owner => owned(model, first),
        Writing::Done => follow_up::done(model, &first, second),
    }
}

fn opened(model: &mut Model, title: Clean, owner: Clean, severity: Severity) -> Vec<Effect> {
    let now = model.now;
    // Two consoles of one host never open one in the same nanosecond.
    let id = Ulid::new(now.wall, u128::from(now.mono.0));
    model.session.say(clean!("The incident is open; i shows it, n adds a note."), Level::Ok, now);
    let incident = Incident {
        id,
        title: title.clone(),
        owner: owner.clone(),
        severity,
        opened: now,
        closed: None,
        summary: Clean::default(),
    };
    model.session.trail.incident = Some(incident);
    let mut effects = tell(model, Told::Opened { id, title, owner, severity });
    effects.extend(excerpt::around(model, id));
    effects
}

fn noted(model: &mut Model, text: &Clean, owner: &Clean) -> Vec<Effect> {
    let note = Note::typed(text, owner, &model.session.login);
    let said = match &note.owner {
        Some(owner) => clean!("Noted: {owner} follows it up, and the handover says so."),
        None => "Noted.".into(),
    };
    let now = model.now;
    model.session.say(said, Level::Ok, now);
    let incident = model.session.trail.incident.as_ref().map(|it| it.id);
    tell(model, Told::Noted(incident, note))
}

fn owned(model: &mut Model, owner: Clean) -> Vec<Effect> {
    let Some(incident) = &mut model.session.trail.incident else {
        say(model, "The incident was closed by somebody else meanwhile.", Level::Note);
        return Vec::new();
    };
    incident.owner.clone_from(&owner);
    let (id, now) = (incident.id, model.now);
    model.session.say(clean!("{owner} leads the incident from now on."), Level::Ok, now);
    tell(model, Told::Owned { id, owner })
}

fn closed(model: &mut Model, summary: Clean) -> Vec<Effect> {
    let Some(Incident { id, title, .. }) = model.session.trail.incident.take() else {
        say(model, "The incident was closed by somebody else meanwhile.", Level::Note);
        return Vec::new();
    };
    if matches!(model.overlay, Overlay::Incident(_)) {
        model.back();
    }
    say(model, "Closed; its report is being written.", Level::Ok);
    // What the report is to tell comes before its end.
    let mut effects = excerpt::around(model, id);
    effects.extend(tell(model, Told::Closed { id, title, summary }));
    effects.push(Effect::Trail(Ask::Report(id)));
    effects
}

/// Records it, and reads what the journal says then.
pub(super) fn tell(model: &mut Model, told: Told) -> Vec<Effect> {
    vec![Effect::Record(Entry::Incident(told)), read(model, None)]
}

fn read(model: &mut Model, known: Option<(u64, u64)>) -> Effect {
    let at = model.now.mono;
    model.session.trail.asked = Some(at);
    Effect::Trail(Ask::Read { at, known })
}

/// A second has begun.
pub fn tick(model: &mut Model) -> Vec<Effect> {
    let every = if matches!(model.overlay, Overlay::Incident(_)) { LIVE } else { LOOK };
    let trail = &model.session.trail;
    let due = trail.asked.is_none_or(|asked| model.now.mono.since(asked) >= every) && !trail.card;
    let known = trail.known;
    if due { vec![read(model, known)] } else { Vec::new() }
}

/// The answers.
pub fn heard(model: &mut Model, heard: Heard) -> Vec<Effect> {
    match heard {
        Heard::Read(at, read) if model.session.trail.asked == Some(at) => return taken_in(model, read),
        Heard::Read(..) => {}
        Heard::Left(found) => follow_up::found(model, found),
        Heard::Kept(kept) => {
            if let Overlay::Handover(card) = &mut model.overlay {
                card.kept = Some(kept);
            }
        }
        Heard::Reported(Ok(path)) => {
            let now = model.now;
            model.session.say(clean!("The incident is closed; its report: {path}"), Level::Ok, now);
        }
        Heard::Reported(Err(fault)) => {
            let now = model.now;
            model.session.say(clean!("The incident is closed; its report: {fault}"), Level::Warning, now);
        }
    }
    Vec::new()
}

fn taken_in(model: &mut Model, read: Result<Option<Box<Reading>>, Fault>) -> Vec<Effect> {
    let trail = &mut model.session.trail;
    trail.read = true;
    let waits = core::mem::take(&mut trail.card);
    match read {
        Ok(Some(reading)) => {
            let Reading { state, incident, lines, mark } = *reading;
            (trail.state, trail.incident, trail.lines, trail.known) = (state, incident, lines, Some(mark));
        }
        Ok(None) => {}
        Err(fault) if waits => {
            let now = model.now;
            model.session.say(clean!("The card lacks what the journal has: {fault}"), Level::Warning, now);
        }
        Err(_) => {}
    }
    if waits { made(model) } else { Vec::new() }
}

fn hand_over(model: &mut Model) -> Vec<Effect> {
    if matches!(model.overlay, Overlay::Handover(_)) {
        model.back();
        return Vec::new();
    }
    let mut effects = Vec::new();
    if model.session.mode != Mode::ReadOnly {
        let id = model.session.trail.incident.as_ref().map(|it| it.id);
        effects.push(Effect::Record(Entry::Incident(Told::HandedOver(id))));
        effects.extend(id.into_iter().flat_map(|id| excerpt::around(model, id)));
    }
    effects.push(read(model, None));
    model.session.trail.card = true;
    effects
}

/// The card, on the screen, on the clipboard and in a file.
fn made(model: &mut Model) -> Vec<Effect> {
    let text = card(&facts(model));
    let lines: Vec<Clean> = text.iter().map(Clean::text).collect();
    let incident = model.session.trail.incident.as_ref().map(|it| it.id);
    model.open(Overlay::Handover(Box::new(Handover { lines: lines.clone(), kept: None })));
    vec![Effect::Copy(lines), Effect::Trail(Ask::Keep(text, incident))]
}
