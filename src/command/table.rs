//! The one list of commands, in the order of the help page.

use super::{Command, Context, Spec};

const TRIAGE: &[Context] = &[Context::Triage];
const SCREEN: &[Context] = &[Context::Triage, Context::Log];
const ROWS: &[Context] = &[Context::Log, Context::Overlay, Context::Procedure];
const SHEET: &[Context] = &[Context::Overlay];
const FOUND: &[Context] = &[Context::Triage, Context::Overlay];
const OVERLAY: &[Context] = &[Context::Overlay, Context::Procedure];
const LOG: &[Context] = &[Context::Log];
/// Not in a log, where letters read.
const LISTS: &[Context] = &[Context::Triage, Context::Overlay];
const BESIDE: &[Context] = &[Context::Triage, Context::Overlay, Context::Procedure];
const PROCEDURE: &[Context] = &[Context::Procedure];
const ALL: &[Context] = &[Context::Triage, Context::Log, Context::Overlay, Context::Procedure];

const fn row(
    command: Command,
    word: &'static str,
    hint: &'static str,
    about: &'static str,
    contexts: &'static [Context],
) -> Spec {
    Spec { command, word, hint, about, contexts }
}

/// Every command, once.
pub static TABLE: &[Spec] = &[
    row(Command::Help, "help", "help", "keys that work here and now", ALL),
    row(Command::Open, "open", "open", "what the selected alert or row offers", ALL),
    row(Command::Actions, "actions", "actions", "list of actions", SCREEN),
    row(Command::Procedures, "procedures", "procedures", "procedures, to be found by symptom", ALL),
    row(Command::Defer, "defer", "defer", "this item comes later, with a reason", PROCEDURE),
    row(Command::Override, "override", "override", "this item counts as done, for a reason", PROCEDURE),
    row(
        Command::WentWrong,
        "went-wrong",
        "went wrong",
        "this item went wrong: on to where the procedure says",
        PROCEDURE,
    ),
    row(Command::Reopen, "reopen", "reopen", "the selected item is open again", PROCEDURE),
    row(Command::Due, "due", "due", "to the item that was put off and is due", PROCEDURE),
    row(Command::Abandon, "abandon", "abandon", "leave this procedure, for a reason", PROCEDURE),
    row(Command::RunCommands, "run-commands", "run", "run the commands of this item, through the prompt", PROCEDURE),
    row(Command::Whole, "whole", "whole", "all that was pasted or worked out at this item", PROCEDURE),
    row(Command::Write, "write", "write", "write it into a new file, as Markdown with its answers", PROCEDURE),
    row(Command::Arm, "arm", "arm", "arm for acting, or back to OBSERVE", ALL),
    row(Command::Pause, "pause", "pause", "hold the panes still; sampling and alerts go on", SCREEN),
    row(Command::Zoom, "zoom", "zoom", "focused pane fills the screen, and back", SCREEN),
    row(Command::NextView, "next-view", "view", "the next view of the profile, after the last all panes", SCREEN),
    row(Command::FocusNext, "focus-next", "focus", "next pane", SCREEN),
    row(Command::FocusPrevious, "focus-previous", "focus back", "previous pane", SCREEN),
    row(Command::NextAlert, "next-alert", "next alert", "next alert", TRIAGE),
    row(Command::PreviousAlert, "previous-alert", "previous alert", "previous alert", TRIAGE),
    row(Command::Alerts, "alerts", "alerts", "every alert and rule, in a list", BESIDE),
    row(Command::Detail, "detail", "detail", "everything about this alert", LISTS),
    row(Command::Take, "take", "take", "take this alert: I have it", LISTS),
    row(Command::GiveBack, "give-back", "give back", "give a taken alert back", LISTS),
    row(Command::Silence, "silence", "silence", "mute alerts for a while, with a reason", LISTS),
    row(Command::EndSilence, "end-silence", "end silence", "end the silence on this alert", LISTS),
    row(Command::Escalate, "escalate", "escalate", "hand this alert to the next one, recorded", ALL),
    row(Command::Contacts, "contacts", "contacts", "whom to call", ALL),
    row(Command::Incident, "incident", "incident", "open an incident, or look at the open one", ALL),
    row(Command::Note, "note", "note", "write a note; todo: makes it a follow-up", ALL),
    row(Command::CloseIncident, "close-incident", "close", "close the incident, with a summary; its report", SHEET),
    row(Command::ChangeOwner, "change-owner", "owner", "somebody else leads the incident", SHEET),
    row(Command::Done, "done", "done", "a follow-up, or what was put off, is done", ALL),
    row(Command::Handover, "handover", "handover", "handover card to the clipboard and a file", ALL),
    row(Command::WhatChanged, "what-changed", "what changed", "what changed when this alert began", BESIDE),
    row(Command::Unfold, "unfold", "unfold", "show or fold consequences and instances", LISTS),
    row(Command::Faults, "faults", "faults", "what is wrong with our files", ALL),
    row(Command::Wider, "wider", "wider", "charts cover more time", SCREEN),
    row(Command::Narrower, "narrower", "narrower", "charts cover less time", SCREEN),
    row(Command::Up, "up", "scroll", "one line up", ROWS),
    row(Command::Down, "down", "scroll", "one line down", ROWS),
    row(Command::PageUp, "page-up", "page", "one page up", ROWS),
    row(Command::PageDown, "page-down", "page", "one page down", ROWS),
    row(Command::Top, "top", "oldest", "oldest line, first row", ROWS),
    row(Command::Bottom, "bottom", "newest", "newest line, and follow it; last row", ROWS),
    row(Command::Copy, "copy", "copy", "copy to the clipboard", ROWS),
    row(
        Command::ResetAndStart,
        "reset-and-start",
        "reset, start",
        "reset and start the unit that an action left failed",
        SHEET,
    ),
    row(Command::Find, "find", "find", "find by words: an action, a row of a zoomed table", FOUND),
    row(Command::Search, "search", "search", "search: a regular expression, small letters find both", LOG),
    row(Command::NextHit, "next-hit", "next hit", "the next hit of the search", LOG),
    row(Command::PreviousHit, "previous-hit", "hit before", "the hit before", LOG),
    row(Command::Filter, "filter", "filter", "only lines such as level=error took_ms>10 -health ~re", LOG),
    row(Command::LogLevel, "log-level", "level", "all lines, from WARN on, only ERROR", LOG),
    row(Command::NextError, "next-error", "next error", "the next line at ERROR", LOG),
    row(Command::PreviousError, "previous-error", "error before", "the line at ERROR before", LOG),
    row(Command::Fold, "fold", "fold", "lines that differ in numbers only are one, x412", LOG),
    row(Command::Wrap, "wrap", "wrap", "wrap long lines, or cut them", LOG),
    row(Command::PreviousLine, "previous-line", "line up", "the cursor one line up", LOG),
    row(Command::NextLine, "next-line", "line down", "the cursor one line down", LOG),
    row(Command::LineDetail, "line-detail", "line", "all that this line says, JSON laid out", LOG),
    row(Command::LineNumber, "line-number", "number", "which line this is, counted now", LOG),
    row(Command::GoToTime, "go-to-time", "time", "go to 03:12, 03:12:47, 2026-11-21 03:12, -10m", LOG),
    row(Command::Bookmark, "bookmark", "bookmark", "bookmark this line, or take its bookmark away", LOG),
    row(Command::NextBookmark, "next-bookmark", "bookmark", "the next bookmark", LOG),
    row(Command::PreviousBookmark, "previous-bookmark", "bookmark", "the bookmark before", LOG),
    row(Command::Select, "select", "select", "select lines from here on, for copying and saving", LOG),
    row(Command::Save, "save", "save", "save the selected lines, or this one, to a new file", LOG),
    row(Command::Earlier, "earlier", "cursor", "cursor in the charts, one column earlier", TRIAGE),
    row(Command::Later, "later", "cursor", "cursor in the charts, one column later", TRIAGE),
    row(Command::Across, "across", "log then", "from the cursor in the charts to the log, and back", SCREEN),
    row(Command::Zone, "zone", "zone", "times in UTC, or on this host's clock", ALL),
    row(Command::OwnLog, "own-log", "own log", "the console's own log", SCREEN),
    row(Command::Back, "back", "back", "one level back; never quits, never confirms", ALL),
    row(Command::Interrupt, "interrupt", "end it", "an action that runs: keep, detach, terminate; else back", OVERLAY),
    row(Command::Redraw, "redraw", "redraw", "draw every cell anew", ALL),
    row(Command::Suspend, "suspend", "suspend", "give the shell back; `fg` returns", ALL),
    row(Command::Quit, "quit", "quit", "leave; what runs goes on", SCREEN),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The compiler names a command that is forgotten here; the test then finds it missing in the table.
    fn next(command: Command) -> Option<Command> {
        use Command as C;
        Some(match command {
            C::Quit => C::Back,
            C::Back => C::Interrupt,
            C::Interrupt => C::Help,
            C::Help => C::FocusNext,
            C::FocusNext => C::FocusPrevious,
            C::FocusPrevious => C::Zoom,
            C::Zoom => C::NextView,
            C::NextView => C::Pause,
            C::Pause => C::Open,
            C::Open => C::Actions,
            C::Actions => C::Procedures,
            C::Procedures => C::Defer,
            C::Defer => C::Override,
            C::Override => C::WentWrong,
            C::WentWrong => C::Reopen,
            C::Reopen => C::Due,
            C::Due => C::Abandon,
            C::Abandon => C::RunCommands,
            C::RunCommands => C::Whole,
            C::Whole => C::Write,
            C::Write => C::Arm,
            C::Arm => C::NextAlert,
            C::NextAlert => C::PreviousAlert,
            C::PreviousAlert => C::Alerts,
            C::Alerts => C::Detail,
            C::Detail => C::Take,
            C::Take => C::GiveBack,
            C::GiveBack => C::Silence,
            C::Silence => C::EndSilence,
            C::EndSilence => C::Escalate,
            C::Escalate => C::Contacts,
            C::Contacts => C::Incident,
            C::Incident => C::Note,
            C::Note => C::CloseIncident,
            C::CloseIncident => C::ChangeOwner,
            C::ChangeOwner => C::Done,
            C::Done => C::Handover,
            C::Handover => C::WhatChanged,
            C::WhatChanged => C::Unfold,
            C::Unfold => C::Faults,
            C::Faults => C::Wider,
            C::Wider => C::Narrower,
            C::Narrower => C::Up,
            C::Up => C::Down,
            C::Down => C::PageUp,
            C::PageUp => C::PageDown,
            C::PageDown => C::Top,
            C::Top => C::Bottom,
            C::Bottom => C::OwnLog,
            C::OwnLog => C::Copy,
            C::Copy => C::ResetAndStart,
            C::ResetAndStart => C::Find,
            C::Find => C::Search,
            C::Search => C::NextHit,
            C::NextHit => C::PreviousHit,
            C::PreviousHit => C::NextError,
            C::NextError => C::PreviousError,
            C::PreviousError => C::Filter,
            C::Filter => C::LogLevel,
            C::LogLevel => C::Fold,
            C::Fold => C::NextLine,
            C::NextLine => C::PreviousLine,
            C::PreviousLine => C::LineDetail,
            C::LineDetail => C::LineNumber,
            C::LineNumber => C::GoToTime,
            C::GoToTime => C::Bookmark,
            C::Bookmark => C::NextBookmark,
            C::NextBookmark => C::PreviousBookmark,
            C::PreviousBookmark => C::Wrap,
            C::Wrap => C::Select,
            C::Select => C::Save,
            C::Save => C::Earlier,
            C::Earlier => C::Later,
            C::Later => C::Across,
            C::Across => C::Zone,
            C::Zone => C::Redraw,
            C::Redraw => C::Suspend,
            C::Suspend => return None,
        })
    }

    #[test]
    fn each_command_stands_in_the_table_once() {
        let all: Vec<Command> = core::iter::successors(Some(Command::Quit), |command| next(*command)).collect();
        for command in &all {
            assert_eq!(TABLE.iter().filter(|spec| spec.command == *command).count(), 1, "{command:?}");
        }
        assert_eq!(TABLE.len(), all.len());
    }

    #[test]
    fn words_are_unique_kebab_case_and_read_back() {
        let words: BTreeSet<&str> = TABLE.iter().map(|spec| spec.word).collect();
        assert_eq!(words.len(), TABLE.len());
        for spec in TABLE {
            assert!(spec.word.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{}", spec.word);
            assert_eq!(Command::parse(spec.word), Some(spec.command));
            assert!((1..=60).contains(&spec.about.len()) && (1..=14).contains(&spec.hint.len()), "{}", spec.word);
        }
    }

    #[test]
    fn nothing_works_in_the_prompt_and_everything_works_somewhere() {
        for spec in TABLE {
            assert!(!spec.contexts.is_empty() && !spec.contexts.contains(&Context::Prompt), "{}", spec.word);
        }
    }
}
