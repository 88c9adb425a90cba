//! Commands as data: what the operator can ask for, with the word that files use and the line that explains it.
//! Pure. Called by `input` (keys to commands), `app` (carries them out), `ui` and `roles` (help, hints, references).
//! A new command is one line of [`Command`] and one of [`TABLE`]; help, hint line and key reference follow.

mod table;

pub use table::TABLE;

/// Something the operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// Leave the console; what runs goes on without it.
    Quit,
    /// One level back: closes an overlay, ends zoom.
    Back,
    /// One level back, but asks first what becomes of an action that runs.
    Interrupt,
    /// The keys that work here and now.
    Help,
    /// The next pane takes the keys.
    FocusNext,
    /// The previous pane takes the keys.
    FocusPrevious,
    /// The focused pane fills the screen, and back.
    Zoom,
    /// Other panes stand on the screen.
    NextView,
    /// The panes stand still; collection and the alert strip go on.
    Pause,
    /// What belongs to the selected alert, pane or row.
    Open,
    /// The list of actions.
    Actions,
    /// The procedures, to be found by symptom.
    Procedures,
    /// This item of the procedure comes later.
    Defer,
    /// This item of the procedure counts as done, for a reason.
    Override,
    /// This item of the procedure went wrong.
    WentWrong,
    /// The selected item of the procedure is open again.
    Reopen,
    /// The procedure is left, for a reason.
    Abandon,
    /// To the item that was put off and is due.
    Due,
    /// The commands of this item of the procedure are run, through the prompt.
    RunCommands,
    /// All that was pasted or worked out at an item.
    Whole,
    /// A procedure becomes a file, with its answers.
    Write,
    /// From OBSERVE to ARMED, and back.
    Arm,
    /// The next alert on the strip.
    NextAlert,
    /// The previous alert on the strip.
    PreviousAlert,
    /// Every alert and every rule, in a list.
    Alerts,
    /// Everything about the alert on the strip or in the list.
    Detail,
    /// I have this alert; it needs no other answer.
    Take,
    /// I do not have it any more.
    GiveBack,
    /// Alerts with these labels are muted for a while, with a reason.
    Silence,
    /// The silence on this alert, or the selected one, ends.
    EndSilence,
    /// It was handed to somebody.
    Escalate,
    /// Whom to call.
    Contacts,
    /// The open incident, or a new one.
    Incident,
    /// Something is written down.
    Note,
    /// The incident is over.
    CloseIncident,
    /// Somebody else leads the incident.
    ChangeOwner,
    /// Something that was left to do is done.
    Done,
    /// The card for whoever comes next.
    Handover,
    /// What was different when the alert began.
    WhatChanged,
    /// Consequences of a cause and instances of an alert: shown or folded.
    Unfold,
    /// What is wrong with the files we read.
    Faults,
    /// Charts cover more time.
    Wider,
    /// Charts cover less time.
    Narrower,
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// The oldest line, the first row.
    Top,
    /// The newest line, which a log then follows; the last row.
    Bottom,
    /// The console's own log.
    OwnLog,
    /// The selected text goes to the clipboard.
    Copy,
    /// A unit that an action left failed is reset and started.
    ResetAndStart,
    /// Find a row of the list of actions, or of a zoomed table.
    Find,
    /// Search a log.
    Search,
    /// The next hit of the search.
    NextHit,
    /// The hit before.
    PreviousHit,
    /// The next line at ERROR.
    NextError,
    /// The line at ERROR before.
    PreviousError,
    /// Only some lines of a log are shown.
    Filter,
    /// Lines below a level are left out, or come back.
    LogLevel,
    /// Lines that repeat are one, or stand alone again.
    Fold,
    /// The cursor in a log, one line down.
    NextLine,
    /// The cursor in a log, one line up.
    PreviousLine,
    /// Everything that a line says.
    LineDetail,
    /// Which line this is.
    LineNumber,
    /// To a time in a log.
    GoToTime,
    /// A line is bookmarked, or no more.
    Bookmark,
    /// The next bookmark.
    NextBookmark,
    /// The bookmark before.
    PreviousBookmark,
    /// Long lines wrap, or are cut.
    Wrap,
    /// From here to where the reader goes lines are selected.
    Select,
    /// The selected lines go to a file.
    Save,
    /// The cursor in the charts, to an earlier column.
    Earlier,
    /// The cursor in the charts, to a later column.
    Later,
    /// From the charts to the log at the same time, and back.
    Across,
    /// Times in UTC, or on this host's clock.
    Zone,
    /// Every cell is drawn anew.
    Redraw,
    /// The console sleeps and gives the shell back.
    Suspend,
}

/// Where keys go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Context {
    /// The triage screen with any pane but a log focused.
    Triage,
    /// A log pane is focused.
    Log,
    /// A list, a help page or a plan lies over the screen.
    Overlay,
    /// A procedure is on screen.
    Procedure,
    /// A confirmation takes keys as they are typed: nothing can be bound here. Esc and Ctrl-C cancel it.
    Prompt,
}

impl Context {
    /// Every context that keys can be bound in.
    pub const ALL: &[Self] = &[Self::Triage, Self::Log, Self::Overlay, Self::Procedure];

    /// The name in files and on the help page.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::Log => "log",
            Self::Overlay => "overlay",
            Self::Procedure => "procedure",
            Self::Prompt => "prompt",
        }
    }
}

/// What is known about a command.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Which.
    pub command: Command,
    /// The name in keymap files: kebab-case.
    pub word: &'static str,
    /// One or two words for the hint line.
    pub hint: &'static str,
    /// One line for help.
    pub about: &'static str,
    /// Where it means something.
    pub contexts: &'static [Context],
}

impl Command {
    /// The command with this word in files.
    pub fn parse(word: &str) -> Option<Self> {
        TABLE.iter().find(|spec| spec.word == word).map(|spec| spec.command)
    }

    /// Its row; `None` only for a command that the table lacks, which a test forbids.
    pub fn spec(self) -> Option<&'static Spec> {
        TABLE.iter().find(|spec| spec.command == self)
    }

    /// Whether it means something there.
    pub fn works_in(self, context: Context) -> bool {
        self.spec().is_some_and(|spec| spec.contexts.contains(&context))
    }
}
