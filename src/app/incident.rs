//! The incident as this console knows it from the journal: its keys and forms, and the handover card. Nothing of it is
//! kept here that a reading of the journal does not give again.

use super::alerts::{self, Standing};
use super::answer::{self, Form, Purpose};
use super::contacts;
use super::effect::{Effect, Entry};
use super::form::{Field, Fields};
use super::model::{Model, Overlay, Scroll};
use crate::action::lifecycle::State;
use crate::action::mode::Mode;
use crate::base::time::Age;
use crate::base::{Clean, Fault, Level, Mono, Now, Severity, Ulid, Wall};
use crate::clean;
use crate::command::Command;
use crate::incident::{
    Deed, Facts, Firing, FollowUp, Incident, Mute, Note, OpenItem, Told, card, deeds, follow_ups, open_items, timeline,
};
use crate::journal::Line;
use crate::rules::{Finding, Rule};
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
}

impl Writing {
    /// For the frame of the form.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "INCIDENT",
            Self::Note => "NOTE",
            Self::Close => "CLOSE",
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
        Command::CloseIncident => say(model, "No incident is open.", Level::Note),
        _ => note(model),
    }
    Vec::new()
}

fn say(model: &mut Model, text: &'static str, level: Level) {
    let now = model.now;
    model.session.say(text.into(), level, now);
}

/// A form lies over whatever is there: Esc leads back to it.
fn open(model: &mut Model, writing: Writing, about: Clean, fields: Vec<Field>) {
    let below = core::mem::take(&mut model.overlay);
    if !matches!(below, Overlay::None) {
        model.session.beneath.push(below);
    }
    let form = Form { purpose: Purpose::Incident(writing), about, fields: Fields::new(fields, 0) };
    model.overlay = Overlay::Form(Box::new(form));
}

fn needed(label: &'static str, text: &Clean, about: &'static str) -> Field {
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

/// Enter in one of these forms.
pub fn submit(model: &mut Model, writing: Writing) -> Vec<Effect> {
    let Overlay::Form(form) = &mut model.overlay else { return Vec::new() };
    let (first, second) = (form.fields.text(TITLE), form.fields.text(OWNER));
    let word = form.fields.text(SEVERITY);
    let severity = Severity::ALL.into_iter().find(|known| word.as_str().eq_ignore_ascii_case(known.name()));
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
    tell(model, Told::Opened { id, title, owner, severity })
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

fn closed(model: &mut Model, summary: Clean) -> Vec<Effect> {
    let Some(Incident { id, title, .. }) = model.session.trail.incident.take() else {
        say(model, "The incident was closed by somebody else meanwhile.", Level::Note);
        return Vec::new();
    };
    if matches!(model.overlay, Overlay::Incident(_)) {
        model.back();
    }
    say(model, "Closed; its report is being written.", Level::Ok);
    let mut effects = tell(model, Told::Closed { id, title, summary });
    effects.push(Effect::Trail(Ask::Report(id)));
    effects
}

/// Records it, and reads what the journal says then.
fn tell(model: &mut Model, told: Told) -> Vec<Effect> {
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

/// What a card may tell, as of now.
pub fn facts(model: &Model) -> Facts {
    let trail = &model.session.trail;
    let begun = trail.incident.as_ref().map_or(model.now.wall.back(WATCH), |it| it.opened.wall);
    let report = trail.incident.as_ref().map(|it| clean!("{}/incidents/{}.md", trail.state, it.id));
    Facts {
        host: model.identity.host.clone(),
        profile: model.identity.title.clone(),
        environment: model.identity.badge(),
        now: model.now.wall,
        incident: trail.incident.clone(),
        firing: model.alerts().into_iter().map(|found| firing(model, found)).collect(),
        done: done(model, begun),
        running: running(model),
        open: open_now(model),
        mutes: mutes(model),
        follow_ups: to_do(model),
        call: contacts::ordered(model).first().map(|contact| {
            let ways = [&contact.phone, &contact.mail].into_iter().flatten().map(Clean::as_str);
            let parts: Vec<&str> = core::iter::once(contact.role.as_str()).chain(ways).collect();
            clean!("{}, {}", contact.label(), parts.join(", "))
        }),
        report,
    }
}

fn firing(model: &Model, found: &Finding) -> Firing {
    let rule = model.book.rule(found.id.rule);
    // Of all that it rests on the oldest counts.
    let age = rule.and_then(|rule| {
        let feeders = model.store.feeders(rule.expr.selectors());
        feeders.iter().filter_map(|feeder| feeder.health.last_good).map(|at| model.now.mono.since(at.mono)).max()
    });
    let gone = found.no_data_for.map(|gone| clean!("no data for {}", Age(gone)));
    // One of several instances stands for all of them, as on the strip.
    let kin = alerts::alike(&model.book, found.id.rule, Standing::Up).len();
    let name = answer::name(model, found.id.rule);
    let shown = rule.map(Rule::unit).map(|unit| Clean::text(unit.show(found.value))).unwrap_or_default();
    Firing {
        name: if kin > 1 { clean!("{name} ({kin} instances)") } else { name },
        word: found.severity.word().into(),
        age: age.filter(|_| gone.is_none()),
        value: gone.unwrap_or(shown),
        since: found.fired.map(|at| at.wall),
        taken: found.ack.as_ref().map(|ack| ack.by.clone()),
    }
}

/// Actions by their titles; the one that runs now is told as such.
fn done(model: &Model, begun: Wall) -> Vec<Deed> {
    let runs = model.run.as_ref().filter(|run| !run.ended()).map(|run| run.plan.id);
    let mut done = deeds(&timeline::between(&model.session.trail.lines, begun, model.now.wall));
    done.retain(|deed| runs != Some(deed.plan));
    for deed in &mut done {
        if let Some(title) = model.action_title(Some(deed.name())).cloned() {
            deed.action = title;
        }
    }
    done
}

fn running(model: &Model) -> Vec<Clean> {
    let told = model.run.as_ref().filter(|run| !run.ended()).map(|run| {
        let progress = run.progress.as_ref();
        let state = match progress.map(|progress| progress.state) {
            None => "starting",
            Some(State::Verifying) => "executed, verifying",
            Some(State::Running) => "running",
            Some(_) => "checking",
        };
        let waiting = progress.and_then(|progress| progress.waiting.as_ref());
        let waiting = waiting.map(|what| format!(", {what}")).unwrap_or_default();
        clean!("{}: {state} for {}{waiting}", run.plan.what.title, Age(model.now.mono.since(run.since)))
    });
    told.into_iter().collect()
}

/// What procedures have put off, and what is under way in them.
fn open_now(model: &Model) -> Vec<OpenItem> {
    open_items(&model.session.trail.lines)
}

fn mutes(model: &Model) -> Vec<Mute> {
    let now = model.now;
    let live = model.book.silences().filter(|silence| silence.left(now).is_some());
    let mute = |silence: &crate::rules::silence::Silence| Mute {
        matchers: silence.matchers.text().clone(),
        reason: silence.reason.clone(),
        by: silence.by.clone(),
        at: silence.at.wall,
        until: silence.until(now),
        ended: None,
    };
    live.map(mute).collect()
}

/// What is left to do, of the incident and of the watch.
pub fn to_do(model: &Model) -> Vec<FollowUp> {
    follow_ups(&model.session.trail.lines)
}

/// How long the incident has been open.
pub fn lasts(incident: &Incident, now: Now) -> Clean {
    let seconds = now.since(incident.opened).as_secs();
    clean!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
