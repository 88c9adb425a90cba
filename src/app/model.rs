//! Everything the screen can show, and nothing else.

use super::action_list::ActionList;
use super::alerts::AlertList;
use super::answer::Form;
use super::board::Board;
use super::changes::Changes;
use super::detail::Detail;
use super::found::ProcedureList;
use super::incident::{Handover, Trail};
use super::lints::Linted;
use super::log_desk::{LogDesk, Reading};
use super::notify::{NotifierStatus, Told};
use super::procedures::{ProcedureView, Procedures};
use super::prompt::Prompt;
use super::run::Run;
use super::survey::Survey;
use super::unit::UnitView;
use super::written::Whole;
use crate::action::mode::Mode;
use crate::action::params::Asked;
use crate::action::recover::Unresolved;
use crate::base::{Clean, Fault, Level, Mono, Now, Support, Ulid, Wall};
use crate::clean;
use crate::command::Context;
use crate::input::Keymap;
use crate::rules::{AlertId, Book, Finding};
use crate::store::{History, LogStore, SeriesId, Store};
use core::cell::Cell;
use core::mem::{discriminant, take};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where this is and what it watches: the badge of every screen.
#[derive(Clone, Debug)]
pub struct Identity {
    /// This host's name.
    pub host: Clean,
    /// The profile's title.
    pub title: Clean,
    /// The profile's environment.
    pub environment: Clean,
    /// Actions of the profile: name and title, in its order.
    pub actions: Vec<(Arc<str>, Clean)>,
    /// Who ought to do each of them.
    pub levels: BTreeMap<Arc<str>, Support>,
    /// What the operator is asked for before an action is planned.
    pub asked: BTreeMap<Arc<str>, Vec<Asked>>,
    /// Which action takes an action back.
    pub ways_back: BTreeMap<Arc<str>, Arc<str>>,
    /// Which action resets and starts a unit that failed.
    pub fresh_starts: BTreeMap<String, Arc<str>>,
}

impl Identity {
    /// The environment as its badge: `PROD`, `DEMO`.
    pub fn badge(&self) -> Clean {
        let word = self.environment.as_str();
        Clean::text(if word.eq_ignore_ascii_case("production") { "PROD".to_owned() } else { word.to_uppercase() })
    }
}

/// A sentence for the operator, shown for a while in the last line.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The sentence.
    pub text: Clean,
    /// OK for news, WARNING for a refusal, CRITICAL for a failure.
    pub level: Level,
    /// When it was first shown.
    pub since: Now,
}

/// How long a notice stays.
pub const NOTICE: Duration = Duration::from_secs(12);
/// An overlay's list has no more lines.
pub const OVERLAY_LINES: usize = 1_000;

/// The session's rights and what it has to say.
#[derive(Debug)]
pub struct Session {
    /// OBSERVE, ARMED or READ-ONLY.
    pub mode: Mode,
    /// What this login may do at most.
    pub support: Support,
    /// Who sits here: the login that alerts are taken by.
    pub login: Clean,
    /// What the overlay was opened from, the lowest first: Esc goes back there.
    pub beneath: Vec<Overlay>,
    /// What the last line says.
    pub notice: Option<Notice>,
    /// What was wrong with the profile, keymap or theme.
    pub faults: Vec<Fault>,
    /// When lints were looked for last: they stand among the faults.
    pub linted: Linted,
    /// What is reopened once the session is armed.
    pub after_arming: Option<After>,
    /// The display does not take frames.
    pub stalled: bool,
    /// Keys read until then belong to a prompt that is over: they are no commands.
    pub deaf_until: Mono,
    /// How the journal does, and the incident that it tells of.
    pub trail: Trail,
    /// What the last look at the profile's actions found.
    pub survey: Survey,
    /// Runs of earlier consoles whose outcome nobody knows.
    pub open_runs: Vec<Unresolved>,
    /// How the webhook does.
    pub notifier: NotifierStatus,
    /// Who was told of which alert.
    pub told: Told,
}

impl Session {
    /// A session that begins with these faults to tell.
    pub fn new(mode: Mode, support: Support, login: Clean, faults: Vec<Fault>) -> Self {
        Self {
            mode,
            support,
            login,
            beneath: Vec::new(),
            notice: None,
            faults,
            linted: Linted::default(),
            after_arming: None,
            stalled: false,
            deaf_until: Mono::default(),
            trail: Trail::default(),
            open_runs: Vec::new(),
            survey: Survey::default(),
            notifier: NotifierStatus::default(),
            told: Told::default(),
        }
    }

    /// Says what an earlier console left, together with what was said of that already: `first` stands before it.
    pub fn say_left(&mut self, text: Clean, first: bool, now: Now) {
        let before = self.notice.take().filter(|notice| notice.level == Level::Warning).map(|notice| notice.text);
        let text = match before {
            Some(before) if first => text.join(" ", &before),
            Some(before) => before.join(" ", &text),
            None => text,
        };
        self.say(text, Level::Warning, now);
    }

    /// Says a sentence in the last line.
    pub fn say(&mut self, text: Clean, level: Level, now: Now) {
        self.notice = Some(Notice { text, level, since: now });
    }
}

/// An action by name, with the values that the operator gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its name.
    pub action: Arc<str>,
    /// By parameter.
    pub given: Vec<(Clean, Clean)>,
}

impl Request {
    /// Of an action that asks for nothing.
    pub fn of(action: impl Into<Arc<str>>) -> Self {
        Self { action: action.into(), given: Vec::new() }
    }
}

/// What an arming was for: it is planned again, and asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// An action.
    Action(Request),
    /// The take-over of this run.
    TakeOver(Ulid),
}

/// Which plan is awaited: an answer to anything else is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// An action.
    Action(Request),
    /// Arming this console.
    Arming,
}

/// Where a reader stands in a text that only drawing can measure.
#[derive(Debug)]
pub struct Scroll {
    /// The first line shown.
    pub first: usize,
    /// The last line that may be the first one shown, as of the last drawing.
    end: Cell<usize>,
}

impl Default for Scroll {
    fn default() -> Self {
        Self { first: 0, end: Cell::new(OVERLAY_LINES) }
    }
}

impl Scroll {
    /// Of `lines`, `rows` fit: the first one to draw. Tells the reader where the end is.
    pub fn clamp(&self, lines: usize, rows: u16) -> usize {
        self.end.set(lines.saturating_sub(usize::from(rows)));
        self.first.min(self.end.get())
    }

    /// Moves by so many lines; the extremes mean its ends.
    pub fn by(&mut self, lines: isize) {
        let end = self.end.get();
        self.first = match lines {
            isize::MIN => 0,
            isize::MAX => end,
            _ => self.first.min(end).saturating_add_signed(lines).min(end),
        };
    }
}

/// What lies over the panes.
#[derive(Debug, Default)]
pub enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// The keys of here and now.
    Help(Scroll),
    /// The profile's actions.
    Actions(ActionList),
    /// A plan is being made; its title.
    Planning(Wanted, Clean),
    /// The one confirm prompt.
    Prompt(Box<Prompt>),
    /// What the runner does.
    Run,
    /// Our own log.
    OwnLog,
    /// What is wrong with the files we read.
    Faults(Scroll),
    /// Every alert and rule.
    Alerts(Box<AlertList>),
    /// One alert or rule.
    Detail(Box<Detail>),
    /// Something to say about an alert.
    Form(Box<Form>),
    /// Whom to call; the number is the selected one.
    Contacts(usize),
    /// Runs whose outcome nobody knows; the number is the selected way.
    OpenRuns(usize),
    /// The journal of a unit that has failed.
    Unit(Box<UnitView>),
    /// All that was found at an item of a procedure.
    Whole(Box<Whole>),
    /// What changed before this alert.
    Changes(AlertId, Scroll),
    /// The procedures, to be found by symptom.
    Procedures(Box<ProcedureList>),
    /// One procedure.
    Procedure(Box<ProcedureView>),
    /// The incident: its head, its timeline, what is left to do.
    Incident(Scroll),
    /// The handover card.
    Handover(Box<Handover>),
}

/// The whole state.
#[derive(Debug)]
pub struct Model {
    /// The time of the last event.
    pub now: Now,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Badge.
    pub identity: Identity,
    /// All series.
    pub store: Store,
    /// The last two days of the panes' values, by the minute.
    pub history: History,
    /// All log lines.
    pub logs: LogStore,
    /// Alerts.
    pub book: Book,
    /// Panes.
    pub board: Board,
    /// What changed before each alert.
    pub changes: Changes,
    /// How they are read.
    pub log_desk: LogDesk,
    /// What lies over the panes.
    pub overlay: Overlay,
    /// Mode and notices.
    pub session: Session,
    /// Procedures, and those that are worked through.
    pub procedures: Procedures,
    /// The last action.
    pub run: Option<Run>,
    /// Keys.
    pub keymap: Keymap,
}

impl Model {
    /// Alerts that the strip shows: what is up and no consequence, one of several instances, the worst first and what
    /// is muted last.
    pub fn alerts(&self) -> Vec<&Finding> {
        let up = |found: &&Finding| found.state.is_up() && found.cause.is_none();
        let mut rules = BTreeSet::new();
        let mut alerts: Vec<&Finding> = self.book.findings().iter().filter(up).collect();
        alerts.sort_by_key(|found| found.silenced_until.is_some());
        alerts.retain(|found| rules.insert(found.id.rule));
        alerts
    }

    /// By how much an answer or an escalation is overdue. What is due at once with the firing is nobody's delay.
    pub fn overdue(&self, found: &Finding) -> Option<Duration> {
        let policy = self.book.policy();
        let clock = policy.clock(found, self.book.escalations(&found.id), self.now);
        let escalate = clock.escalate.overdue().filter(|_| !policy.terms(found.severity).escalate.is_zero());
        clock.answer.overdue().max(escalate)
    }

    /// The alert that the strip shows now.
    pub fn current_alert(&self) -> Option<&Finding> {
        self.alerts().get(self.alert_position()).copied()
    }

    /// Where the shown alert stands among all: the chosen one, else one that is overdue, else the worst.
    pub fn alert_position(&self) -> usize {
        let alerts = self.alerts();
        let chosen = self.board.alert.as_ref().and_then(|id| alerts.iter().position(|found| found.id == *id));
        chosen.or_else(|| alerts.iter().position(|found| self.overdue(found).is_some())).unwrap_or(0)
    }

    /// How long it is until then.
    pub fn until(&self, then: Wall) -> Duration {
        Duration::from_nanos(then.0.saturating_sub(self.now.wall.0).max(0).unsigned_abs())
    }

    /// The title of an action of the profile.
    pub fn action_title(&self, name: Option<&str>) -> Option<&Clean> {
        let name = name?;
        self.identity.actions.iter().find(|(known, _)| **known == *name).map(|(_, title)| title)
    }

    /// Whether what this rule looks at is made up by a stand-in.
    pub fn is_simulated(&self, rule: usize) -> bool {
        // Most systems have no stand-in, and a selector may mean very many series.
        if !self.store.samplers().any(|(_, health)| health.simulated) {
            return false;
        }
        let simulated = |id: SeriesId| self.store.sampler(self.store.sampler_of(id)).is_some_and(|it| it.simulated);
        let selectors = self.book.rule(rule).map_or(&[][..], |rule| rule.expr.selectors());
        selectors.iter().any(|selector| self.store.select(selector).into_iter().any(simulated))
    }

    /// The moment that panes show: while paused, that of the held picture.
    pub fn pane_now(&self) -> Now {
        self.board.paused.unwrap_or(self.now)
    }

    /// Where keys go now.
    pub fn context(&self) -> Context {
        match &self.overlay {
            Overlay::None if self.reading().is_some_and(|reading| reading.pane.types()) => Context::Prompt,
            Overlay::None if self.reading().is_some() => Context::Log,
            Overlay::None if self.board.finding().is_some() => Context::Prompt,
            Overlay::None => Context::Triage,
            Overlay::Prompt(prompt) if prompt.preview.is_none() => Context::Prompt,
            Overlay::Form(_) | Overlay::Procedures(_) => Context::Prompt,
            Overlay::Actions(list) if list.find.is_some() => Context::Prompt,
            Overlay::Procedure(_) => Context::Procedure,
            Overlay::Run if super::run::asks(self) => Context::Prompt,
            _ => Context::Overlay,
        }
    }

    /// Opens an overlay over the one there is. One that is on the way there already is never opened twice.
    pub fn open(&mut self, overlay: Overlay) {
        let below = take(&mut self.overlay);
        let passing = matches!(below, Overlay::None | Overlay::Actions(_) | Overlay::Planning(..) | Overlay::Prompt(_));
        if !passing {
            self.session.beneath.push(below);
        }
        let known = self.session.beneath.iter().position(|below| discriminant(below) == discriminant(&overlay));
        self.session.beneath.truncate(known.unwrap_or(usize::MAX));
        self.overlay = overlay;
    }

    /// Esc: back to what the overlay was opened from.
    pub fn back(&mut self) {
        self.overlay = self.session.beneath.pop().unwrap_or_default();
    }

    /// `HH:MM:SS` on the clock in use: every time of day on the screen is said by this. The zone stands beside the clock
    /// in the first line.
    pub fn clock(&self, at: Wall) -> String {
        at.hms_in(self.log_desk.zone)
    }

    /// The same with its zone.
    pub fn clock_zone(&self, at: Wall) -> Clean {
        clean!("{} {}", self.clock(at), self.log_desk.zone)
    }

    /// What the focused log pane shows.
    pub fn reading(&self) -> Option<&Reading> {
        self.log_desk.of(&self.board.focused()?.logs)
    }

    /// The same, to change it.
    pub fn focused_log(&mut self) -> Option<&mut Reading> {
        self.log_desk.of_mut(&self.board.focused()?.logs)
    }
}
