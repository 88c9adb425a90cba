//! The whole screen: state line, alert strip, panes, hint; or a card when the terminal is too small.

use super::layout::{self, Layout, Wants};
use super::overlays::{
    actions, alerts, changes, contacts, detail, faults, form, handover, help, incident, open_runs, own_log, procedure,
    procedures, prompt, run, sheet, unit, whole,
};
use super::paint::{Painter, Piece};
use super::panes::{self, Place};
use super::{alert, log_lines, strip, value};
use crate::action::mode::Mode;
use crate::action::prompt::{Extent, Refusal};
use crate::app::{Model, Notice, Overlay, Pane, answer, walking};
use crate::base::time::{Age, Span};
use crate::base::{Clean, Unit};
use crate::clean;
use crate::command::{Command, Context};
use crate::config::{Intent, Theme};
use crate::procedure::document::{Item, Live};
use crate::procedure::view::Question;
use crate::procedure::walk::{Mark, Standing, Walk};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};

/// Draws `model` over the whole of `buffer`. `ascii` is for terminals that cannot show more.
/// Returns how much of an open prompt's plan stands on it.
pub fn draw(model: &Model, theme: &Theme, ascii: bool, buffer: &mut Buffer) -> Extent {
    let area = buffer.area;
    let mut paint = Painter::new(buffer, theme, ascii);
    let Some(layout) = layout::layout(area, wants(model)) else {
        too_small(&mut paint, area, model);
        return Extent::Cut;
    };
    state_line(&mut paint, layout.state, model);
    strip::draw(&mut paint, layout.alert, model);
    paint.rule(area, layout.rule.y);
    view_in_rule(&mut paint, layout.rule, model);
    run::in_rule(&mut paint, layout.rule, model);
    procedure::in_rule(&mut paint, layout.rule, model);
    match model.board.focused().filter(|pane| pane.shows() && (model.board.zoomed || !has_room(&layout, pane))) {
        Some(pane) => draw_pane(&mut paint, layout.body, pane, model, true),
        None => draw_board(&mut paint, &layout, model),
    }
    // A prompt may take strip, rule, hint and in the end the state as well: what is not seen whole cannot be confirmed.
    // Over anything else a long notice stands.
    let prompts = matches!(model.overlay, Overlay::Prompt(_));
    let below = Rect { y: area.y + 1, height: area.height - 1, ..area };
    if prompts {
        hint_line(&mut paint, layout.hint, model);
    }
    let extent = draw_overlay(&mut paint, [layout.body, below, area], model);
    if !prompts {
        hint_line(&mut paint, layout.hint, model);
    }
    extent
}

/// Draws what lies over the panes, if anything does. Returns how much of a prompt's plan can be seen.
fn draw_overlay(paint: &mut Painter<'_>, rooms: [Rect; 3], model: &Model) -> Extent {
    let [body, ..] = rooms;
    match &model.overlay {
        Overlay::None => {}
        Overlay::Help(scroll) => help::draw(paint, body, model, scroll),
        Overlay::Actions(list) => actions::draw(paint, body, model, list),
        Overlay::Planning(_, title) => {
            let inner = sheet::sheet(paint, body, 5, &clean!(" PLAN "), &clean!(""));
            paint.put((inner.x, inner.y + 1), inner.width, clean!("Planning: {title} …"), Intent::Text);
        }
        Overlay::Prompt(open) => return prompt::draw(paint, rooms, open, model),
        Overlay::Run => run::draw(paint, body, model),
        Overlay::OwnLog => own_log::draw(paint, body, model),
        Overlay::Alerts(list) => alerts::draw(paint, body, model, list),
        Overlay::Detail(open) => detail::draw(paint, body, model, open),
        Overlay::Form(open) => {
            if let Some(view) = walking::view(model) {
                procedure::draw(paint, body, model, view);
            }
            form::draw(paint, body, model, open);
        }
        Overlay::Contacts(selected) => contacts::draw(paint, body, model, *selected),
        Overlay::OpenRuns(selected) => open_runs::draw(paint, body, model, *selected),
        Overlay::Unit(view) => unit::draw(paint, body, model, view),
        Overlay::Whole(open) => whole::draw(paint, body, open),
        Overlay::Changes(alert, scroll) => changes::draw(paint, body, model, alert, scroll),
        Overlay::Incident(scroll) => incident::draw(paint, body, model, scroll),
        Overlay::Handover(card) => handover::draw(paint, body, card),
        Overlay::Faults(scroll) => faults::draw(paint, body, model, scroll),
        Overlay::Procedures(list) => procedures::draw(paint, body, model, list),
        Overlay::Procedure(view) => procedure::draw(paint, body, model, view),
    }
    Extent::End
}

/// Which of the profile's views is shown, where nothing else is told.
fn view_in_rule(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    if let Some(view) = model.board.view_shown() {
        paint.put((area.x + 1, area.y), area.width / 3, clean!(" {view} "), Intent::Muted);
    }
}

fn wants(model: &Model) -> Wants {
    let count = |place| model.board.shown().iter().filter(|pane| stands_in(pane, place)).count();
    Wants { grid: count(Place::Grid), strips: count(Place::Strip), logs: count(Place::Log) }
}

fn stands_in(pane: &Pane, place: Place) -> bool {
    pane.shows() && place_of(pane) == Some(place)
}

fn place_of(pane: &Pane) -> Option<Place> {
    panes::kind(pane.kind).map(panes::Kind::place)
}

/// Whether panes of its kind have a place on this screen at all.
fn has_room(layout: &Layout, pane: &Pane) -> bool {
    !match place_of(pane) {
        Some(Place::Grid) => layout.grid.is_empty(),
        Some(Place::Strip) => layout.strips.is_empty(),
        Some(Place::Log) => layout.logs.is_empty(),
        None => false,
    }
}

fn draw_pane(paint: &mut Painter<'_>, area: Rect, pane: &Pane, model: &Model, focused: bool) {
    if let Some(kind) = panes::kind(pane.kind) {
        kind.draw(paint, area, pane, model, focused);
    }
}

fn draw_board(paint: &mut Painter<'_>, layout: &Layout, model: &Model) {
    let panes = model.board.shown();
    if !model.board.panes.iter().any(Pane::stands) {
        let write = "`watchkeeper describe panes` says how to write one; `watchkeeper snapshot --profile …` lists \
                     what its samplers give.";
        let bare = ["This profile has no panes.", write];
        let hints = if model.board.panes.is_empty() { &bare[..] } else { &["No pane has anything to show yet."] };
        let wrapped = hints.iter().flat_map(|hint| value::wrap(&Clean::from(*hint), layout.body.width - 2, 3));
        for (y, line) in (layout.body.top() + 1..layout.body.bottom()).zip(wrapped) {
            paint.put((layout.body.x + 1, y), layout.body.width - 2, line, Intent::Muted);
        }
    }
    for (place, slots) in [(Place::Grid, &layout.grid), (Place::Strip, &layout.strips), (Place::Log, &layout.logs)] {
        let mut here: Vec<usize> =
            (0..panes.len()).filter(|at| panes.get(*at).is_some_and(|pane| stands_in(pane, place))).collect();
        // Where there is no room for all, the pane that takes the keys takes the last place of its kind.
        let focused = here.iter().position(|at| *at == model.board.focus);
        if let (Some(focused), Some(last)) = (focused, slots.len().checked_sub(1))
            && focused > last
        {
            here.swap(focused, last);
        }
        for (index, area) in here.iter().zip(slots) {
            if let Some(pane) = panes.get(*index) {
                draw_pane(paint, *area, pane, model, *index == model.board.focus);
            }
        }
    }
    for area in &layout.grid {
        if area.right() < layout.body.right() {
            paint.upright(area.right(), area.top(), area.bottom());
        }
    }
    for (first, area) in [layout.strips.first(), layout.logs.first()].into_iter().flatten().map(|area| (area.y, area)) {
        if first > layout.body.y {
            paint.rule(Rect { y: first - 1, height: 1, ..*area }, first - 1);
        }
    }
}

/// What must not be lost is laid out first; a long title is shortened, then a long host name.
fn state_line(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let mode = model.session.mode;
    let intent = if matches!(mode, Mode::Armed { .. }) { Intent::Armed } else { Intent::Observe };
    let mut fixed = vec![paint.piece("   ", Intent::Text), paint.piece(mode.word(), intent)];
    if let Some(left_s) = mode.left(model.now.mono) {
        fixed.push(paint.piece(clean!(" {} left", Span(left_s)), Intent::Muted));
    }
    fixed.extend(incident::in_state(paint, model));
    if let Some(since) = model.board.paused {
        fixed.push(paint.piece(clean!("   PAUSED {}", value::since(model.now, since)), Intent::Warning));
    }
    // The strip may show another alert: that nobody has answered in time is told all the same.
    if let Some(text) = strip::overdue(model) {
        fixed.push(paint.piece("   ", Intent::Text));
        fixed.push(paint.piece(clean!(" {text} "), Intent::AlertCritical));
    }
    if matches!(model.session.notifier.last, Some((_, Err(_)))) {
        fixed.push(paint.piece("   WEBHOOK FAILING", Intent::Warning));
    }
    if model.session.trail.broken.is_some() {
        fixed.push(paint.piece("   JOURNAL BROKEN", Intent::Critical));
    }
    if model.session.trail.unrecorded.is_some() {
        fixed.push(paint.piece("   JOURNAL FAILING", Intent::Critical));
    } else if let Some(left) = model.session.trail.on_reserve {
        let left = Unit::Bytes.show(left as f64);
        fixed.push(paint.piece(clean!("   DISK FULL, JOURNAL HAS {left}"), Intent::Warning));
    }
    if let Some(text) = value::slowed(model) {
        fixed.push(paint.piece(clean!("   {text}"), Intent::Note));
    }
    if model.session.stalled {
        fixed.push(paint.piece("   DISPLAY STALLED", Intent::Warning));
    }
    let mut right = Vec::new();
    if model.current_alert().is_some() && !model.session.faults.is_empty() {
        right.push(paint.piece(clean!("{}  ", strip::faults(model)), Intent::Warning));
    }
    right.push(paint.piece(model.clock_zone(model.now.wall), Intent::Text));
    let badge = value::shorten(&model.identity.badge(), 12);
    let mut left = vec![
        paint.piece(clean!(" {badge} "), Intent::badge(model.identity.environment.as_str())),
        paint.piece(" ", Intent::Text),
    ];
    let taken = paint.width(&left) + paint.width(&fixed) + paint.width(&right) + 2;
    let room = area.width.saturating_sub(taken);
    let host = value::shorten(&model.identity.host, room);
    let host = paint.piece(host, Intent::Title);
    let title = room.saturating_sub(paint.width(core::slice::from_ref(&host)) + 2);
    left.push(host);
    if title > 1 {
        left.push(paint.piece("  ", Intent::Text));
        left.push(paint.piece(value::shorten(&model.identity.title, title), Intent::Text));
    }
    left.extend(fixed);
    let after = paint.line((area.x, area.y), area.width.saturating_sub(paint.width(&right) + 2), &left);
    paint.right(area.right() - 1, after + 1, area.y, &right);
}

/// The key that runs a command here, as the keymap in use has it.
pub fn key(model: &Model, context: Context, command: Command) -> Clean {
    model.keymap.keys_for(context, command).map_or_else(Clean::default, Clean::text)
}

fn hint_line(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    if let Some(notice) = &model.session.notice {
        // Over a procedure it hides what is told of the item, until the next key.
        let free = matches!(model.overlay, Overlay::None | Overlay::Procedure(_));
        said(paint, area, notice, free);
        return;
    }
    let log = model.reading().filter(|_| matches!(model.overlay, Overlay::None));
    if let Some(said) = log.and_then(|reading| log_lines::said(paint, &reading.pane)) {
        paint.line((area.x, area.y), area.width, &said);
        return;
    }
    let mut pieces: Vec<Piece<'_>> = vec![paint.piece(" ", Intent::Text)];
    let context = model.context();
    for command in hints(model) {
        let Some(keys) = model.keymap.keys_for(context, *command) else { continue };
        let Some(words) = hint_words(model, context, *command) else { continue };
        let next = [paint.piece(Clean::text(keys), Intent::Key), paint.piece(clean!(" {words}  "), Intent::Muted)];
        if paint.width(&pieces) + paint.width(&next) > area.width {
            break;
        }
        pieces.extend(next);
    }
    paint.line((area.x, area.y), area.width, &pieces);
}

/// What a command does here and now; `None` when it would do nothing.
fn hint_words(model: &Model, context: Context, command: Command) -> Option<Clean> {
    let answers = matches!(command, Command::Take | Command::Silence | Command::Escalate | Command::Arm);
    if answers && model.session.mode == Mode::ReadOnly {
        return None;
    }
    if command == Command::Procedures && model.procedures.known.is_empty() {
        return None;
    }
    if command == Command::NextView && model.board.views.is_empty() {
        return None;
    }
    if (command == Command::RunCommands && !runs_commands(model)) || idle(model, command) {
        return None;
    }
    let words = model.keymap.describe(context, command);
    let general = command.spec().is_some_and(|spec| spec.hint == words.as_str());
    let rule = match &model.overlay {
        Overlay::None => model.current_alert().map(|found| found.id.rule),
        Overlay::Detail(detail) => Some(detail.rule),
        _ => None,
    };
    match (command, rule) {
        (Command::Open, Some(rule)) if general => {
            let rule = model.book.rule(rule)?;
            let procedure = model.procedures.for_alert(&rule.name).map(|_| Clean::text("procedure"));
            procedure.or_else(|| rule.remedy().map(|_| Clean::text("plan")))
        }
        (Command::Open, None) if general && matches!(model.overlay, Overlay::Procedure(_)) => asked(model),
        _ => Some(words),
    }
}

/// Whether a word about an item would be said to no walk: it was not begun, or is over.
fn idle(model: &Model, command: Command) -> bool {
    use Command::{Abandon, Defer, Due, Override, Reopen, WentWrong};
    let hears = |walk: &Walk| match walk.standing {
        _ if command == Due => walk.standing == Standing::Running && walk.due_elsewhere(model.now).next().is_some(),
        Standing::Running if walk.question() == Question::Acting => command == Abandon,
        Standing::Running => command != WentWrong || walk.goes_to(walk.current).is_some(),
        Standing::Paused => command == Abandon,
        Standing::CompleteExcept(_) => command == Reopen,
        Standing::Complete | Standing::Abandoned => false,
    };
    if command == Command::Whole {
        let shows = |(item, mark): (&Item, &Mark)| !mark.shown.is_empty() || matches!(item.live, Live::Log(_));
        return !walking::at(model).is_some_and(shows);
    }
    if command == Command::Find && matches!(model.overlay, Overlay::None) {
        return !model.board.table_fills();
    }
    if command == Command::Write {
        return walking::shown(model).is_none();
    }
    matches!(command, Defer | Due | Override | WentWrong | Reopen | Abandon)
        && walking::shown(model).is_none_or(|working| !hears(&working.walk))
}

/// Whether the current item of the procedure on screen has commands that may be run.
fn runs_commands(model: &Model) -> bool {
    model.procedures.run_commands
        && walking::shown(model).is_some_and(|working| working.walk.needs_commands().is_some())
}

/// What Enter does to the procedure on screen; `None` where it would do nothing: what is sensed ticks itself.
fn asked(model: &Model) -> Option<Clean> {
    let Overlay::Procedure(view) = &model.overlay else { return None };
    let Some(working) = walking::shown(model) else {
        let begins = view.document.faults.is_empty() && view.document.is_live();
        return (begins && model.session.mode != Mode::ReadOnly).then(|| "begin".into());
    };
    if working.only_look.is_some() {
        return None;
    }
    Some(match working.walk.question() {
        Question::Resume => "resume".into(),
        Question::Over => return None,
        _ if view.selected.is_some() => "the current item".into(),
        Question::Read => "read".into(),
        Question::Log(_) => "keep".into(),
        Question::Act(_) | Question::Resolve => "plan".into(),
        Question::Acting => "its run".into(),
        Question::Sensing | Question::Mend => return None,
        _ => "answer".into(),
    })
}

/// A notice; one longer than its line takes the two above it too, unless something else lies there.
fn said(paint: &mut Painter<'_>, area: Rect, notice: &Notice, free: bool) {
    let width = area.width.saturating_sub(2);
    let lines = value::wrap(&notice.text, width, if free { 3 } else { 1 });
    let above = u16::try_from(lines.len()).unwrap_or(1).saturating_sub(1);
    let area = Rect { y: area.y - above, height: above + 1, ..area };
    Clear.render(area, paint.buffer);
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        paint.put((area.x + 1, y), width, line, Intent::of(notice.level));
    }
}

/// What is worth a hint here and now, most important first.
fn hints(model: &Model) -> &'static [Command] {
    use Command::{
        Abandon, Actions, Alerts, Arm, Back, Bottom, ChangeOwner, CloseIncident, Contacts, Copy, Defer, Detail, Done,
        Down, Due, Escalate, Filter, Find, FocusNext, GoToTime, Handover, Help, Incident, Interrupt, NextError,
        NextView, Note, Open, Override, OwnLog, Pause, Procedures, Quit, Reopen, ResetAndStart, RunCommands, Search,
        Silence, Take, Unfold, WentWrong, WhatChanged, Whole, Write, Zoom,
    };
    match (&model.overlay, model.context()) {
        (Overlay::None, Context::Log) => {
            &[Help, Bottom, Search, Filter, NextError, Open, GoToTime, FocusNext, Zoom, Pause, Quit]
        }
        (Overlay::None, _) if model.current_alert().is_some() => &[
            Help,
            Find,
            Open,
            Detail,
            Take,
            Alerts,
            Incident,
            Handover,
            Procedures,
            WhatChanged,
            Contacts,
            Actions,
            Arm,
            Silence,
            Zoom,
            Pause,
            Quit,
        ],
        (Overlay::None, _) => &[
            Help, Find, Alerts, Procedures, Actions, Arm, Incident, Handover, NextView, FocusNext, Zoom, Pause, OwnLog,
            Quit,
        ],
        (Overlay::Alerts(_), _) => &[Detail, Take, Silence, Escalate, Unfold, WhatChanged, Contacts, Back],
        (Overlay::Detail(_), _) => &[Open, Take, Silence, Escalate, WhatChanged, Contacts, Copy, Back],
        (Overlay::Contacts(_), _) => &[Copy, Down, Escalate, Back],
        (Overlay::Changes(..), _) => &[Copy, Down, Detail, Back],
        (Overlay::Incident(_), _) => &[Note, Done, ChangeOwner, CloseIncident, Handover, Down, Back],
        (Overlay::Handover(_), _) => &[Copy, Done, Incident, Contacts, Note, Back],
        (Overlay::Actions(_), Context::Overlay) => &[Open, Find, Down, Back],
        (Overlay::Actions(_) | Overlay::Unit(_) | Overlay::OpenRuns(_), _) => &[Open, Down, Back],
        (Overlay::Run, _) if model.run.as_ref().is_some_and(|run| !run.ended()) => &[Interrupt, Copy, Back],
        (Overlay::Run, _) if crate::app::run::fresh_start(model).is_some() => {
            &[ResetAndStart, Contacts, Escalate, Copy, Back]
        }
        (Overlay::Procedure(_), _) => {
            &[Help, Due, Open, RunCommands, Whole, Defer, Override, WentWrong, Reopen, Down, Copy, Write, Abandon, Back]
        }
        (Overlay::Help(_) | Overlay::Faults(_), _) => &[Down, Back],
        (Overlay::Whole(_), _) => &[Down, Copy, Back],
        (Overlay::Prompt(prompt), Context::Overlay) if prompt.plan().is_arming() => &[Back],
        (Overlay::Prompt(prompt), Context::Overlay) if prompt.preview == Some(Refusal::NotArmed) => &[Arm, Back],
        (Overlay::Prompt(_), Context::Overlay) => &[Copy, Back],
        _ => &[Back],
    }
}

fn too_small(paint: &mut Painter<'_>, area: Rect, model: &Model) {
    let mut lines = Vec::new();
    if let Some(found) = model.current_alert() {
        let name = answer::name(model, found.id.rule);
        lines.push(clean!("{} {}", alert::word(model, found), strip::place(model)));
        lines.extend(strip::overdue(model));
        lines.push(match found.no_data_for {
            Some(gone) => clean!("{name} no data for {}", Age(gone)),
            None => clean!("{name} {}", alert::value(model, found)),
        });
        if model.is_simulated(found.id.rule) {
            lines.push(Clean::text("SIMULATED"));
        }
    }
    lines.extend([
        clean!("needs {}x{}", layout::SMALLEST.0, layout::SMALLEST.1),
        model.clock_zone(model.now.wall),
        clean!("{} {}", model.identity.badge(), model.identity.host),
    ]);
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        paint.put((area.x, y), area.width, line, Intent::Text);
    }
}
