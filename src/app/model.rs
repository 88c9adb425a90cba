//! Everything the screen can show, and nothing else.

use super::board::Board;
use super::changes::Changes;
use super::log_view::LogView;
use super::pane::Pane;
use super::prompt::Prompt;
use super::run::Run;
use crate::action::mode::Mode;
use crate::action::plan::Support;
use crate::base::{Clean, Fault, Level, Mono, Now, SeriesKey};
use crate::command::Context;
use crate::input::Keymap;
use crate::rules::{Book, Finding, FindingState};
use crate::store::{History, LogStore, Store};
use core::time::Duration;
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
    /// What the last line says.
    pub notice: Option<Notice>,
    /// What was wrong with the profile, keymap or theme.
    pub faults: Vec<Fault>,
    /// The action to reopen once the session is armed.
    pub after_arming: Option<Arc<str>>,
    /// The display does not take frames.
    pub stalled: bool,
    /// Keys read until then belong to a prompt that is over: they are no commands.
    pub deaf_until: Mono,
    /// Why the journal does not take records, if it does not.
    pub unrecorded: Option<Fault>,
}

impl Session {
    /// A session that begins with these faults to tell.
    pub fn new(mode: Mode, support: Support, faults: Vec<Fault>) -> Self {
        Self {
            mode,
            support,
            notice: None,
            faults,
            after_arming: None,
            stalled: false,
            deaf_until: Mono::default(),
            unrecorded: None,
        }
    }

    /// Says a sentence in the last line.
    pub fn say(&mut self, text: Clean, level: Level, now: Now) {
        self.notice = Some(Notice { text, level, since: now });
    }
}

/// Which plan is awaited: an answer to anything else is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// An action of the profile.
    Action(Arc<str>),
    /// Arming this console.
    Arming,
}

/// What lies over the panes.
#[derive(Debug, Default)]
pub enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// The keys of here and now; the number is the first line shown.
    Help(usize),
    /// The profile's actions; the number is the selected one.
    Actions(usize),
    /// A plan is being made; its title.
    Planning(Wanted, Clean),
    /// The one confirm prompt.
    Prompt(Box<Prompt>),
    /// What the runner does.
    Run,
    /// Our own log.
    OwnLog,
    /// What is wrong with the files we read; the number is the first line shown.
    Faults(usize),
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
    /// One view a log source.
    pub log_views: Vec<LogView>,
    /// What lies over the panes.
    pub overlay: Overlay,
    /// Mode and notices.
    pub session: Session,
    /// The last action.
    pub run: Option<Run>,
    /// Keys.
    pub keymap: Keymap,
    /// Which alert the strip shows: its watch and series. The list is sorted anew all the time.
    pub alert: Option<(usize, SeriesKey)>,
}

impl Model {
    /// Alerts that the strip shows: firing or clearing, worst first.
    pub fn alerts(&self) -> Vec<&Finding> {
        self.book
            .findings()
            .iter()
            .filter(|finding| {
                matches!(finding.state, FindingState::Firing | FindingState::Clearing | FindingState::NoData)
            })
            .collect()
    }

    /// The alert that the strip shows now.
    pub fn current_alert(&self) -> Option<&Finding> {
        self.alerts().get(self.alert_position()).copied()
    }

    /// Where the shown alert stands among all: the chosen one, else the worst.
    pub fn alert_position(&self) -> usize {
        let chosen = |(watch, key): &(usize, SeriesKey)| {
            self.alerts().iter().position(|finding| finding.watch == *watch && finding.key == *key)
        };
        self.alert.as_ref().and_then(chosen).unwrap_or(0)
    }

    /// The title of an action of the profile.
    pub fn action_title(&self, name: Option<&str>) -> Option<&Clean> {
        let name = name?;
        self.identity.actions.iter().find(|(known, _)| **known == *name).map(|(_, title)| title)
    }

    /// Whether what this watch looks at is made up by a stand-in.
    pub fn is_simulated(&self, watch: usize) -> bool {
        let mut metrics = self.board.panes.iter().flat_map(Pane::metrics);
        metrics.any(|metric| metric.rule == Some(watch) && metric.shown.simulated)
    }

    /// The moment that panes show: while paused, that of the held picture.
    pub fn pane_now(&self) -> Now {
        self.board.paused.unwrap_or(self.now)
    }

    /// Where keys go now.
    pub fn context(&self) -> Context {
        match &self.overlay {
            Overlay::None if self.board.focused().is_some_and(|pane| pane.log.is_some()) => Context::Log,
            Overlay::None => Context::Triage,
            Overlay::Prompt(prompt) if prompt.preview.is_none() => Context::Prompt,
            _ => Context::Overlay,
        }
    }

    /// The view of the focused log pane.
    pub fn focused_log(&mut self) -> Option<(&mut LogView, &crate::store::LogRing)> {
        let source = self.board.focused().and_then(|pane| pane.log.clone())?;
        let ring = self.logs.ring(&source)?;
        self.log_views.iter_mut().find(|view| view.source == source).map(|view| (view, ring))
    }
}
